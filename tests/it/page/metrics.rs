//! The metrics on the listener of the web page.

use maitred::daemon::clock;

use crate::fixture::binary::wait_until;
use crate::fixture::page_fixture::{PageAnswer, PageFixture};
use crate::fixture::test_world::WorldBuilder;
use crate::fixture::tool::{require_tool, run_tool};

const BO: &str = "bo@example.com";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Reads the metrics as Prometheus does: without a cookie.
fn scrape(page: &PageFixture, accept: Option<&str>) -> PageAnswer {
    let accept = accept.map(|types| format!("Accept: {types}"));
    let headers: Vec<&str> = accept.iter().map(String::as_str).collect();
    let answer = page.send("GET", "/metrics", &headers, "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer
}

/// Returns the value of a series, as it is written.
fn value<'a>(body: &'a str, series: &str) -> Option<&'a str> {
    let mut lines = body.lines();
    lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
}

/// A page whose configuration has no `metrics.file`, after a confirmation and a grant.
fn page_with_counts() -> (PageFixture, String) {
    let world = WorldBuilder::new(clock::system_clock());
    let page = PageFixture::start_in(world, |fixture| {
        fixture.run_ok(&["credits", "grant", BO, "4"]);
    });
    let fixture = &page.fixture;
    let uid = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    fixture.run_ok(&["pass"]);
    fixture.run_ok(&["credits", "grant", BO, "3"]);
    (page, uid)
}

#[test]
fn prometheus_reads_the_metrics_without_a_login_in_the_format_that_it_prefers() {
    let (page, uid) = page_with_counts();
    let text = scrape(&page, None);
    assert_eq!(text.header("content-type"), TEXT);
    let of_prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2";
    let openmetrics = scrape(&page, Some(of_prometheus));
    assert_eq!(openmetrics.header("content-type"), OPENMETRICS);
    assert!(
        openmetrics.body.ends_with("# EOF\n"),
        "{}",
        openmetrics.body
    );
    let plain = scrape(&page, Some("text/plain"));
    assert_eq!(plain.header("content-type"), TEXT);
    let rows = [
        ("maitred_outcomes_total{outcome=\"confirmed\"}", "1"),
        // What was granted before the start of the daemon is not counted.
        ("maitred_credits_total{kind=\"granted\"}", "3"),
        ("maitred_credits_total{kind=\"posted\"}", "1"),
        ("maitred_unresolved_bookings", "0"),
        ("maitred_paused", "0"),
    ];
    for body in [&text.body, &openmetrics.body] {
        for (series, expect) in rows {
            assert_eq!(value(body, series), Some(expect), "{series}: {body}");
        }
        for word in ["@", "example", "lesson", &uid] {
            assert!(!body.contains(word), "{word}: {body}");
        }
    }
    // The next answer has what happened meanwhile.
    page.fixture.run_ok(&["pause", "--reason", "test"]);
    wait_until("the pause", || {
        value(&scrape(&page, None).body, "maitred_paused") == Some("1")
    });
}

#[test]
fn promtool_accepts_the_metrics_of_the_page() {
    let Some(program) = require_tool("promtool") else {
        return;
    };
    let (page, _) = page_with_counts();
    let body = scrape(&page, None).body;
    let output = run_tool(&program, &["check", "metrics"], &body);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}\n{body}");
}

#[test]
fn only_reading_is_a_method_of_the_metrics() {
    let page = PageFixture::start();
    let head = page.send("HEAD", "/metrics", &[], "");
    assert_eq!((head.status, head.header("content-type")), (200, TEXT));
    assert_eq!(head.body, "");
    let origin = "Origin: http://evil.example";
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = page.send(method, "/metrics", &[origin], "");
        assert_eq!(answer.status, 405, "{method}: {}", answer.body);
        assert_eq!(answer.header("allow"), "GET,HEAD", "{method}");
    }
    let foreign = page.send_headers("GET", "/metrics", &["Host: evil.example"], "");
    assert_eq!(foreign.status, 421);
    assert!(!foreign.body.contains("maitred_"), "{}", foreign.body);
}
