//! Pauses of everything and of single gates: they are in the ledger, survive a restart, end by
//! themselves or by `resume`, and a run from a timer respects them.

use serde_json::Value;

use crate::fixture::binary::{BinaryFixture, Daemon, wait_until};
use maitred::sandbox::call_log::Operation;

const BO: &str = "bo@example.com";

fn fixture_with_credit() -> BinaryFixture {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", BO, "9", "--new"]);
    fixture
}

fn json(fixture: &BinaryFixture, args: &[&str]) -> Value {
    fixture
        .run_ok(&[args, &["--format", "json"]].concat())
        .json()
}

/// Returns what a command prints for people, as one line: lines are broken anywhere.
fn shown(fixture: &BinaryFixture, args: &[&str]) -> String {
    let printed = fixture.run_ok(args).out;
    printed.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the decision and the first reason of the request in a pass.
fn step(pass: &Value, uid: &str) -> (String, String) {
    let steps = pass["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["request"] == uid).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&step["decision"]), text(&step["reasons"][0]["code"]))
}

#[test]
fn a_pause_survives_a_restart_and_ends_with_resume() {
    let fixture = fixture_with_credit();
    let daemon = Daemon::start(&fixture);
    let paused = json(&fixture, &["pause", "--reason", "the roof leaks"]);
    assert_eq!(paused["paused"], true);
    assert_eq!(paused["pauses"][0]["reason"], "the roof leaks");
    assert!(paused["pauses"][0]["until"].is_null());
    // Killed, and not stopped: only what is in the ledger is left.
    daemon.signal("-KILL");
    drop(daemon);
    let lists_before = fixture.call_count(Operation::List);
    let daemon = Daemon::start(&fixture);
    let bo = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    let status = shown(&fixture, &["status"]);
    assert!(
        status.contains("is paused: no passes until `maitred resume`"),
        "{status}"
    );
    assert!(status.contains("the roof leaks"), "{status}");
    // Longer than the interval of the polls: a poll that came would have listed.
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    let status = json(&fixture, &["status"]);
    assert_eq!(
        (&status["passes"], &status["next_pass"]),
        (&0.into(), &Value::Null)
    );
    assert_eq!(fixture.call_count(Operation::List), lists_before);
    assert_eq!(fixture.status(&bo), "pending");
    // An operator can still have a pass.
    let plan = json(&fixture, &["plan"]);
    assert_eq!(plan["steps"][0]["outcome"], "planned");
    let resumed = json(&fixture, &["resume"]);
    assert_eq!(
        (&resumed["paused"], &resumed["pauses"]),
        (&false.into(), &Value::Null)
    );
    wait_until("the confirmation", || fixture.status(&bo) == "accepted");
    // Both are facts, and both commands are safe to repeat.
    let commits = json(&fixture, &["status"])["log_sequence"].clone();
    fixture.run_ok(&["resume"]);
    assert_eq!(json(&fixture, &["status"])["log_sequence"], commits);
    assert_eq!(daemon.terminate().0, 0);
    let export = shown(&fixture, &["ledger", "export"]);
    let paused = r#"{"ledger":{"paused":{"personal":{"text":"the roof leaks"}}}}"#;
    assert!(export.contains(paused), "{export}");
    assert!(export.contains(r#"{"ledger":{"resumed":{}}}"#), "{export}");
    assert_eq!(fixture.run(&["ledger", "verify"]).code, 0);
}

#[test]
fn a_pause_with_a_length_ends_by_itself() {
    let fixture = fixture_with_credit();
    let daemon = Daemon::start(&fixture);
    let status = json(&fixture, &["pause", "--for", "2s", "--reason", "a moment"]);
    assert!(status["pauses"][0]["until"].is_string(), "{status}");
    let bo = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    daemon.wait_for_line("the pause has ended by itself");
    wait_until("the confirmation", || fixture.status(&bo) == "accepted");
    let status = json(&fixture, &["status"]);
    assert_eq!(
        (&status["paused"], &status["pauses"]),
        (&false.into(), &Value::Null)
    );
    assert_eq!(daemon.terminate().0, 0);
}

#[test]
fn the_requests_of_a_paused_gate_wait_and_others_go_on() {
    let fixture = fixture_with_credit();
    let daemon = Daemon::start(&fixture);
    fixture.run_ok(&["pause", "--gate", "lesson", "--reason", "prices change"]);
    let held = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    let other = fixture.request_booking(fixture.event_types.dinner, BO, "11:00:00Z");
    wait_until("the other gate's confirmation", || {
        fixture.status(&other) == "accepted"
    });
    wait_until("the note of the held request", || {
        let status = json(&fixture, &["status"]);
        status["waiting"][0]["reason"] == "paused"
    });
    let status = json(&fixture, &["status"]);
    assert_eq!(status["paused"], false);
    assert_eq!(status["waiting"][0]["requests"], 1);
    assert_eq!(status["pauses"][0]["gate"], "lesson");
    let text = shown(&fixture, &["status"]);
    assert!(text.contains("gate lesson since "), "{text}");
    assert!(
        text.contains("1 request: leave (paused), the oldest since "),
        "{text}"
    );
    let plan = json(&fixture, &["plan"]);
    assert_eq!(
        step(&plan, &held),
        ("leave".to_owned(), "paused".to_owned())
    );
    let explained = shown(&fixture, &["explain", &held]);
    assert!(explained.contains("gate lesson is paused"), "{explained}");
    assert!(explained.contains("prices change"), "{explained}");
    let evaluated = shown(&fixture, &["review", "list", "--all"]);
    assert!(evaluated.contains("paused"), "{evaluated}");
    assert_eq!(fixture.status(&held), "pending");
    assert_eq!(daemon.terminate().0, 0);

    // A run from a timer respects the pause, and ends with 0.
    let ran = shown(&fixture, &["run", "--once"]);
    assert!(ran.contains("gate lesson is paused"), "{ran}");
    assert_eq!(fixture.status(&held), "pending");
    fixture.run_ok(&["resume", "--gate", "lesson"]);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.status(&held), "accepted");
    assert_eq!(fixture.balance(BO), (5, 0, 4));
}

#[test]
fn a_run_from_a_timer_respects_a_pause() {
    let fixture = fixture_with_credit();
    let bo = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    // Without a daemon the command writes to the ledger itself.
    let paused = fixture
        .run_ok(&["pause", "--for", "2h", "--reason", "the roof leaks"])
        .out;
    assert!(paused.contains("is paused"), "{paused}");
    let calls = fixture.call_count(Operation::List);
    for args in [
        &["run", "--once"][..],
        &["run", "--once", "--watch"],
        &["run", "--dry-run"],
    ] {
        let ran = shown(&fixture, args);
        assert!(ran.contains("nothing is read or done"), "{ran}");
        assert!(ran.contains("the roof leaks"), "{ran}");
    }
    assert_eq!(fixture.call_count(Operation::List), calls);
    assert_eq!(fixture.status(&bo), "pending");
    // What a pass would do can still be shown.
    assert_eq!(fixture.run(&["plan", "--exit-code"]).code, 3);
    fixture.run_ok(&["resume"]);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.status(&bo), "accepted");
}

#[test]
fn a_pause_that_cannot_be_is_refused() {
    let fixture = fixture_with_credit();
    let rows: [(&[&str], i32, &str); 5] = [
        (&["pause"], 2, "--reason"),
        (&["pause", "--reason", " "], 2, "--reason is empty"),
        (&["pause", "--reason", "x", "--for", "soon"], 2, "--for"),
        (
            &["pause", "--reason", "x", "--for", "0s"],
            2,
            "from 1 second to 366 days",
        ),
        (
            &["pause", "--reason", "x", "--gate", "dance"],
            1,
            "the gates are lesson, dinner",
        ),
    ];
    for (args, code, text) in rows {
        let refused = fixture.run(args);
        assert_eq!(refused.code, code, "{args:?}: {}", refused.all_output());
        assert!(refused.err.contains(text), "{args:?}: {}", refused.err);
    }
    assert_eq!(fixture.run(&["resume", "--gate", "dance"]).code, 1);
    fixture.run_ok(&["resume", "--gate", "dinner"]);
}

/// A request that begins while its gate is paused is not forgotten.
#[test]
fn what_begins_while_its_gate_is_paused_is_listed() {
    let fixture = fixture_with_credit();
    fixture.run_ok(&["pause", "--gate", "lesson", "--reason", "closed"]);
    let now = maitred::daemon::clock::now();
    let minutes = maitred::domain::time::Span::minutes;
    let uid = fixture.sandbox.lock().request(
        now - minutes(60),
        fixture.event_types.lesson,
        BO,
        now - minutes(5),
    );
    fixture.run_ok(&["run", "--once"]);
    let list = shown(&fixture, &["unresolved"]);
    assert!(list.contains(&uid) && list.contains("unanswered"), "{list}");
    assert_eq!(fixture.status(&uid), "pending");
}
