//! Lookups in other systems: what their answers do, and that a missing answer never leads to a
//! confirmation.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use maitred::domain::criteria::global_policy::LookupRequirement;
use maitred::domain::criteria::on_violation::OnViolation;
use maitred::domain::lookup::{LookupConfig, LookupSource};
use maitred::domain::time::Span;
use maitred::lookup::client::LookupClient;
use maitred::reconcile::report::PassReport;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{decision_text, rule_with_lookups};
use crate::fixture::pass_fixture::PassFixture;
use crate::fixture::steps::DIALECTS;

const CONFIRMED: &str = "confirm enough";

/// Long enough for a loaded machine to start a shell.
const LONG_TIMEOUT: Duration = Duration::from_secs(20);

/// A limit for systems that never answer.
const SHORT_TIMEOUT: Duration = Duration::from_millis(300);

fn shell_source(folder: &TempDir, name: &str, script: &str) -> LookupSource {
    let path = folder.path().join(name);
    fs::write(&path, script).unwrap();
    LookupSource::Command {
        program: PathBuf::from("/bin/sh"),
        args: vec![path.display().to_string()],
    }
}

fn spec(source: LookupSource, timeout: Duration, cached_for: Span) -> LookupConfig {
    LookupConfig {
        name: "crm".to_owned(),
        source,
        timeout,
        cached_for: cached_for.to_std().unwrap(),
        at_once: 2,
    }
}

fn set_rule(fixture: &mut PassFixture, require: &str, on_no_answer: OnViolation) {
    fixture.policy.global.lookups = vec![LookupRequirement {
        name: "crm".to_owned(),
        on_no_answer,
    }];
    fixture.policy.gates[0].criteria.rules = [rule_with_lookups(
        "good-standing",
        require,
        OnViolation::Decline,
        &["crm"],
    )]
    .into();
}

const GOOD_STANDING: &str = "lookup.crm.standing == \"good\"";

/// Decides one request of a member, with this lookup and effect. Returns the decision and the
/// problems.
async fn decide_one(
    fixture: &mut PassFixture,
    spec: LookupConfig,
    require: &str,
    no_answer: OnViolation,
) -> (String, String) {
    fixture.lookups = LookupClient::open(&[spec]).unwrap();
    set_rule(fixture, require, no_answer);
    fixture.grant("bo@example.com", 5).await;
    let lesson = fixture.event_types.lesson;
    let uid = fixture.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
    let report = fixture.pass().await;
    let problems: Vec<String> = report
        .problems
        .iter()
        .map(|problem| format!("{}: {}", problem.code, problem.text))
        .collect();
    let problems = problems.join("\n");
    assert!(
        !problems.contains('@') && !problems.contains("%40"),
        "{problems}"
    );
    (decision_text(fixture, &uid).await, problems)
}

#[tokio::test]
async fn the_answer_of_a_lookup_command_decides() {
    let folder = tempfile::tempdir().unwrap();
    let far = "head -c 70000 /dev/zero | tr '\\0' x";
    // script, time limit, rule, decision, reported problem
    let rows = [
        (
            "echo '{\"standing\":\"good\"}'",
            LONG_TIMEOUT,
            GOOD_STANDING,
            CONFIRMED,
            "",
        ),
        (
            "echo '{\"standing\":\"bad\"}'",
            LONG_TIMEOUT,
            GOOD_STANDING,
            "decline rule",
            "",
        ),
        // A value that the answer lacks is no answer for the rule.
        (
            "echo '{}'",
            LONG_TIMEOUT,
            GOOD_STANDING,
            "review rule-failed",
            "",
        ),
        (
            "echo null",
            LONG_TIMEOUT,
            GOOD_STANDING,
            "review rule-failed",
            "",
        ),
        (
            "echo true",
            LONG_TIMEOUT,
            "lookup.crm == true",
            CONFIRMED,
            "",
        ),
        ("echo 7", LONG_TIMEOUT, "lookup.crm < 7", "decline rule", ""),
        (
            "echo good",
            LONG_TIMEOUT,
            GOOD_STANDING,
            "review lookup-failed",
            "one JSON value",
        ),
        (
            ":",
            LONG_TIMEOUT,
            GOOD_STANDING,
            "review lookup-failed",
            "one JSON value",
        ),
        (
            "exec sleep 1000",
            SHORT_TIMEOUT,
            GOOD_STANDING,
            "review lookup-failed",
            "within 300ms",
        ),
        (
            "echo '{\"standing\":\"good\"}'; echo 'no bo@example.com here' >&2; exit 1",
            LONG_TIMEOUT,
            GOOD_STANDING,
            "review lookup-failed",
            "exit status: 1: no [address] here",
        ),
        (
            "kill -9 $$",
            LONG_TIMEOUT,
            GOOD_STANDING,
            "review lookup-failed",
            "signal: 9",
        ),
        (
            far,
            LONG_TIMEOUT,
            GOOD_STANDING,
            "review lookup-failed",
            "more than 64 KiB",
        ),
        (
            "head -c 200000 /dev/zero >&2; echo '{\"standing\":\"good\"}'",
            LONG_TIMEOUT,
            GOOD_STANDING,
            CONFIRMED,
            "",
        ),
    ];
    for (script, timeout, require, expect, problem) in rows {
        let mut fixture = PassFixture::new(DIALECTS[0]).await;
        let source = shell_source(&folder, "crm.sh", script);
        let spec = spec(source, timeout, Span::zero());
        let (got, problems) = decide_one(&mut fixture, spec, require, OnViolation::Review).await;
        assert_eq!(got, expect, "{script}: {problems}");
        assert!(problems.contains(problem), "{script}: {problems}");
        assert_eq!(
            problems.is_empty(),
            problem.is_empty(),
            "{script}: {problems}"
        );
    }
    let mut fixture = PassFixture::new(DIALECTS[0]).await;
    let source = LookupSource::Command {
        program: folder.path().join("none"),
        args: Vec::new(),
    };
    let spec = spec(source, LONG_TIMEOUT, Span::zero());
    let (got, problems) = decide_one(&mut fixture, spec, GOOD_STANDING, OnViolation::Review).await;
    assert_eq!(got, "review lookup-failed");
    assert!(problems.contains("could not be started"), "{problems}");
}

#[tokio::test]
async fn a_lookup_without_an_answer_has_the_configured_effect() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        (OnViolation::Review, "review lookup-failed"),
        (OnViolation::Decline, "decline lookup-failed"),
        (OnViolation::wait_for(Span::hours(1)), "wait lookup-failed"),
        (OnViolation::Leave, "leave lookup-failed"),
    ];
    for dialect in DIALECTS {
        for (effect, expect) in rows {
            let mut fixture = PassFixture::new(dialect).await;
            let source = shell_source(&folder, "crm.sh", "exit 1");
            let spec = spec(source, LONG_TIMEOUT, Span::zero());
            let (got, problems) = decide_one(&mut fixture, spec, GOOD_STANDING, effect).await;
            assert_eq!(got, expect, "{dialect:?} {problems}");
        }
        // As if the configuration and the lookup client did not agree.
        let mut fixture = PassFixture::new(dialect).await;
        let mut other = spec(
            shell_source(&folder, "x.sh", "echo 1"),
            LONG_TIMEOUT,
            Span::zero(),
        );
        other.name = "other".to_owned();
        let (got, _) = decide_one(&mut fixture, other, GOOD_STANDING, OnViolation::Review).await;
        assert_eq!(got, "review lookup-failed", "{dialect:?}");
    }
}

#[tokio::test]
async fn a_lookup_command_gets_the_request_as_input_and_no_environment() {
    let folder = tempfile::tempdir().unwrap();
    let input_file = folder.path().join("seen");
    let script = format!(
        "cat > {input_file}; env >> {input_file}; echo '{{\"standing\":\"good\"}}'",
        input_file = input_file.display()
    );
    let mut fixture = PassFixture::new(DIALECTS[0]).await;
    let source = shell_source(&folder, "crm.sh", &script);
    let spec = spec(source, LONG_TIMEOUT, Span::zero());
    let (got, problems) = decide_one(&mut fixture, spec, GOOD_STANDING, OnViolation::Review).await;
    assert_eq!(got, CONFIRMED, "{problems}");
    let input = fs::read_to_string(input_file).unwrap();
    let (question, environment) = input.split_once('\n').unwrap();
    let question: serde_json::Value = serde_json::from_str(question).unwrap();
    assert_eq!(question["schema"], 1);
    assert_eq!(question["lookup"], "crm");
    assert_eq!(question["booker"], "bo@example.com");
    let booking = &question["booking"];
    assert_eq!(booking["event_type"], "lesson");
    assert_eq!(booking["event_type_id"], fixture.event_types.lesson);
    assert_eq!(booking["start"], "2026-12-01T09:00:00Z");
    assert_eq!(booking["end"], "2026-12-01T09:30:00Z");
    assert_eq!(booking["occurrences"], 1);
    let uid = booking["uid"].as_str().unwrap();
    assert_eq!(fixture.status(uid), "accepted");
    // Cargo sets a dozen variables for this process.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(!environment.contains("CARGO"), "{environment}");
}

#[tokio::test]
async fn processes_that_a_lookup_command_started_end_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = format!("sleep 1000 & echo $! > {}; wait", pid.display());
    let mut fixture = PassFixture::new(DIALECTS[0]).await;
    let source = shell_source(&folder, "crm.sh", &script);
    // Long enough for the shell to write down the process that it started.
    let spec = spec(source, Duration::from_secs(2), Span::zero());
    let (got, problems) = decide_one(&mut fixture, spec, GOOD_STANDING, OnViolation::Review).await;
    assert_eq!(got, "review lookup-failed", "{problems}");
    let pid = fs::read_to_string(pid).unwrap();
    let stat = PathBuf::from(format!("/proc/{}/stat", pid.trim()));
    let gone = || match fs::read_to_string(&stat) {
        Err(_) => true,
        // Dead, and not yet collected by its new parent process.
        Ok(text) => text
            .rsplit_once(')')
            .is_some_and(|(_, rest)| rest.starts_with(" Z")),
    };
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let wait = async {
        while !gone() {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(LONG_TIMEOUT, wait).await.unwrap();
}

/// A server that gives every caller the same answer, and records the requests.
struct LookupServer {
    port: u16,
    requests: Arc<std::sync::Mutex<Vec<String>>>,
}

async fn start_server(answer: Option<&'static str>) -> LookupServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = Arc::clone(&requests);
    tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            sink.lock().unwrap().push(String::from_utf8(head).unwrap());
            match answer {
                Some(answer) => {
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
                None => silent.push(stream),
            }
        }
    });
    LookupServer { port, requests }
}

fn url_source(folder: &TempDir, port: u16) -> LookupSource {
    let credential = folder.path().join("credential");
    fs::write(&credential, "top-secret-0123\n").unwrap();
    LookupSource::Url {
        url: format!("http://127.0.0.1:{port}/members/{{address}}?full=1"),
        credential_file: Some(credential.into()),
    }
}

#[tokio::test]
async fn the_answer_of_a_lookup_endpoint_decides() {
    let ok = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    let good: &'static str = format!("{ok}{{\"standing\":\"good\"}}").leak();
    let bad: &'static str = format!("{ok}{{\"standing\":\"bad\"}}").leak();
    let page: &'static str = format!("{ok}<html>bo@example.com</html>").leak();
    let large: &'static str = format!("{ok}\"{}\"", "x".repeat(70_000)).leak();
    let failed = "review lookup-failed";
    // answer, decision, reported problem
    let rows = [
        (Some(good), CONFIRMED, ""),
        (Some(bad), "decline rule", ""),
        (Some(page), failed, "one JSON value"),
        (Some(large), failed, "more than 64 KiB"),
        (
            Some("HTTP/1.1 500 No\r\nconnection: close\r\n\r\n{\"standing\":\"good\"}"),
            failed,
            "it answered 500",
        ),
        (
            Some("HTTP/1.1 404 No\r\nconnection: close\r\n\r\n{\"standing\":\"good\"}"),
            failed,
            "it answered 404",
        ),
        (
            Some("HTTP/1.1 204 No\r\nconnection: close\r\n\r\n"),
            failed,
            "it answered 204",
        ),
        (
            Some("HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\nconnection: close\r\n\r\n"),
            failed,
            "it answered 302",
        ),
        (Some("nonsense\r\n\r\n"), failed, "no-answer"),
        (None, failed, "within 300ms"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (answer, expect, problem) in rows {
        let server = start_server(answer).await;
        let mut fixture = PassFixture::new(DIALECTS[0]).await;
        let timeout = if answer.is_none() {
            SHORT_TIMEOUT
        } else {
            LONG_TIMEOUT
        };
        let spec = spec(url_source(&folder, server.port), timeout, Span::zero());
        let (got, problems) =
            decide_one(&mut fixture, spec, GOOD_STANDING, OnViolation::Review).await;
        assert_eq!(got, expect, "{answer:?}: {problems}");
        assert!(problems.contains(problem), "{answer:?}: {problems}");
        assert!(
            !problems.contains("secret") && !problems.contains("members"),
            "{problems}"
        );
        let requests = server.requests.lock().unwrap().clone();
        assert_eq!(
            requests.len(),
            1,
            "no redirect is followed, nothing is asked twice"
        );
        let head = &requests[0];
        assert!(
            head.starts_with("GET /members/bo%40example.com?full=1 HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(
            head.to_lowercase()
                .contains("\r\nauthorization: bearer top-secret-0123\r\n")
        );
        let uid = fixture.sandbox.lock().bookings()[0].uid.clone();
        let record = format!("{:?}", fixture.stored_request(&uid).await);
        assert!(!record.contains("secret"), "{record}");
    }
}

#[tokio::test]
async fn a_lookup_answer_is_reused_for_a_while_and_only_for_its_booker() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let script = format!(
        "echo x >> {}; echo '{{\"standing\":\"good\"}}'",
        runs.display()
    );
    let count = || {
        fs::read_to_string(&runs)
            .unwrap_or_default()
            .lines()
            .count()
    };
    let mut fixture = PassFixture::new(DIALECTS[0]).await;
    let source = shell_source(&folder, "crm.sh", &script);
    fixture.lookups = LookupClient::open(&[spec(source, LONG_TIMEOUT, Span::minutes(10))]).unwrap();
    set_rule(&mut fixture, GOOD_STANDING, OnViolation::Review);
    fixture.grant("bo@example.com", 10).await;
    fixture.grant("cy@example.com", 10).await;
    let lesson = fixture.event_types.lesson;
    let rows = [
        // who, minutes later, runs so far
        ("bo@example.com", 0, 1),
        ("bo@example.com", 5, 1),
        ("cy@example.com", 0, 2),
        ("bo@example.com", 5, 3),
        // There is no lookup for strangers, and none that no rule uses.
        ("who@example.com", 0, 3),
    ];
    for (n, (who, later, expect)) in rows.into_iter().enumerate() {
        fixture.clock.advance(Span::minutes(later));
        fixture.request(lesson, who, &format!("2026-12-01T{n:02}:00:00Z"));
        fixture.pass().await;
        assert_eq!(count(), expect, "{n} {who}");
    }
    let dinner = fixture.event_types.dinner;
    fixture.clock.advance(Span::hours(1));
    let uid = fixture.request(dinner, "bo@example.com", "2026-12-01T18:00:00Z");
    fixture.pass().await;
    assert_eq!(decision_text(&fixture, &uid).await, CONFIRMED);
    assert_eq!(count(), 3);
}

/// A system that does not answer is not waited for again and again.
#[tokio::test]
async fn an_unreachable_system_is_called_a_few_times_in_one_pass() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_server(None).await;
    let mut fixture = PassFixture::new(DIALECTS[0]).await;
    let mut one_by_one = spec(
        url_source(&folder, server.port),
        SHORT_TIMEOUT,
        Span::zero(),
    );
    one_by_one.at_once = 1;
    fixture.lookups = LookupClient::open(&[one_by_one]).unwrap();
    set_rule(&mut fixture, GOOD_STANDING, OnViolation::Review);
    fixture.grant("bo@example.com", 20).await;
    let lesson = fixture.event_types.lesson;
    let mut uids = Vec::new();
    for hour in 0..10 {
        let start = format!("2026-12-01T{hour:02}:00:00Z");
        uids.push(fixture.request(lesson, "bo@example.com", &start));
    }
    let report = fixture.pass().await;
    assert_eq!(server.requests.lock().unwrap().len(), 3);
    assert_eq!(report.problems.len(), 1);
    assert!(report.problems[0].text.contains("10 requests"));
    for uid in &uids {
        assert_eq!(decision_text(&fixture, uid).await, "review lookup-failed");
    }
    // The next pass tries again.
    fixture.pass().await;
    assert_eq!(server.requests.lock().unwrap().len(), 6);
}

/// No more lookups run at the same time than configured.
#[tokio::test]
async fn lookups_run_with_bounded_concurrency() {
    let folder = tempfile::tempdir().unwrap();
    let now = folder.path().join("now");
    fs::create_dir(&now).unwrap();
    // Each run leaves a mark while it runs, and prints how many marks it saw.
    let script = format!(
        "cd {now}; mkdir $$; ls | wc -l; sleep 0.05; rmdir $$",
        now = now.display()
    );
    let source = shell_source(&folder, "crm.sh", &script);
    let desk = LookupClient::open(&[spec(source, LONG_TIMEOUT, Span::zero())]).unwrap();
    let mut fixture = PassFixture::new(DIALECTS[0]).await;
    fixture.lookups = desk;
    set_rule(&mut fixture, "lookup.crm <= 2", OnViolation::Review);
    fixture.grant("bo@example.com", 20).await;
    let lesson = fixture.event_types.lesson;
    for hour in 0..8 {
        let start = format!("2026-12-01T{hour:02}:00:00Z");
        fixture.request(lesson, "bo@example.com", &start);
    }
    let report = fixture.pass().await;
    for step in &report.steps {
        assert_eq!(
            step.outcome.as_str(),
            "confirmed",
            "{:?}",
            step.request.findings
        );
    }
    assert_eq!(report.steps.len(), 8);
}

/// Pending requests are looked up again in each pass. When there are too many, new requests come
/// first, and each of the others gets its turn.
#[tokio::test]
async fn lookups_beyond_the_limit_of_a_pass_are_left_for_the_next() {
    let mut fixture = PassFixture::new(DIALECTS[0]).await;
    // No lookup is configured in the client, so each lookup fails quickly.
    set_rule(&mut fixture, GOOD_STANDING, OnViolation::Review);
    fixture.policy.limits.requests_per_pass = 5_000;
    fixture.grant("bo@example.com", 1).await;
    let lesson = fixture.event_types.lesson;
    let mut uids = Vec::new();
    for n in 0..1_002 {
        let start = format!(
            "2027-{:02}-{:02}T{:02}:00:00Z",
            1 + n / 400,
            1 + n / 20 % 20,
            n % 20
        );
        uids.push(fixture.request(lesson, "bo@example.com", &start));
    }
    let report = fixture.pass().await;
    assert!(report.more);
    let codes: Vec<_> = report.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["too-many-questions", "no-answer"]);
    assert!(fixture.stored_request(&uids[999]).await.is_some());
    assert!(fixture.stored_request(&uids[1_000]).await.is_none());
    let booking_uids = |report: &PassReport| -> BTreeSet<String> {
        let steps = report.steps.iter();
        steps.map(|step| step.request.id.to_string()).collect()
    };
    // The new requests and the first of the pending ones; then those that were left out.
    let report = fixture.pass().await;
    assert!(!report.more);
    let second = booking_uids(&report);
    assert!(second.contains(&uids[1_001]) && second.contains(&uids[0]));
    assert!(!second.contains(&uids[998]) && !second.contains(&uids[999]));
    let third = booking_uids(&fixture.pass().await);
    assert!(third.contains(&uids[998]) && third.contains(&uids[999]));
}
