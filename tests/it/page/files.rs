//! The files that have what the web page shows.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::fixture::binary::{BinaryFixture, Daemon};

const BO: &str = "bo@example.com";

fn fixture_with_bookings() -> BinaryFixture {
    let fixture = BinaryFixture::new("v2");
    let more = "short-of-credit = \"review\"\n";
    fixture.configure("v2", &fixture.sandbox.base_url(), more);
    fixture.run_ok(&["credits", "grant", BO, "2", "--reason", "<b>dues</b>"]);
    fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    fixture.request_booking(fixture.event_types.dinner, BO, "11:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    fixture
}

#[test]
fn a_report_is_one_file_that_loads_nothing_else_with_and_without_a_daemon() {
    let fixture = fixture_with_bookings();
    let printed = fixture.run_ok(&["report", "--html", "report.html"]).out;
    assert!(printed.contains("to report.html"), "{printed}");
    let path = fixture.path("report.html");
    let text = fs::read_to_string(&path).unwrap();
    for part in [
        "No daemon runs.",
        "short-of-credit",
        "Decisions, newest first",
        "Open charges, soonest booking first",
        "Nothing is unresolved.",
        "Credits in these days: granted 2, spent 1",
        "<svg class=\"chart\"",
        BO,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for part in [
        "<script", "<link", "<img", "http://", "https://", "href=\"/",
    ] {
        assert!(!text.contains(part), "{part}: {text}");
    }
    assert!(text.len() < 300_000, "{}", text.len());
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the file names members");

    let again = fixture.run(&["report", "--html", "report.html"]);
    assert_eq!(again.code, 2, "{}", again.all_output());
    assert!(again.err.contains("exists already"), "{}", again.err);

    let daemon = Daemon::start(&fixture);
    fixture.run_ok(&["report", "--html", "second.html"]);
    let text = fs::read_to_string(fixture.path("second.html")).unwrap();
    assert!(text.contains("running"), "{text}");
    assert!(!text.contains("href=\"/"), "{text}");
    drop(daemon);
}

#[test]
fn a_statement_for_a_member_has_nothing_that_operators_recorded_for_themselves() {
    let fixture = fixture_with_bookings();
    fixture.run_ok(&["account", "set", BO, "--tag", "difficult"]);
    fixture.run_ok(&["account", "freeze", BO, "--reason", "unpaid"]);
    let words = ["account", "statement", BO, "--format", "html"];
    let text = fixture.run_ok(&words).out;
    for part in ["<!DOCTYPE html>", BO, "granted", "spent", "Available now"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for part in ["difficult", "unpaid", "dues", "<script", "href=", "http"] {
        let shown = text.replace("http-equiv", "");
        assert!(!shown.contains(part), "{part}: {text}");
    }
    for words in [
        &["status", "--format", "html"][..],
        &["account", "show", BO, "--format", "html"],
    ] {
        let refused = fixture.run(words);
        assert_eq!(refused.code, 2, "{words:?}");
        assert!(refused.err.contains("account statement"), "{}", refused.err);
    }
}
