//! `maitred pass --booking` with the built binary: one booking at once, with the same rules, order and
//! promises as an ordinary pass.

use maitred::daemon::clock;
use maitred::sandbox::action::{BookingRemark, ThirdPartyAction};
use maitred::sandbox::call_log::Operation;
use serde_json::Value;

use crate::fixture::binary::{BinaryFixture, Daemon, RunResult};

const BO: &str = "bo@example.com";

fn fixture() -> BinaryFixture {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", BO, "5"]);
    fixture
}

/// Stops the schedule of the daemon, so that only commands start passes.
fn without_schedule(fixture: &BinaryFixture) {
    let text = std::fs::read_to_string(fixture.path("config.toml")).unwrap();
    let text = text.replace("poll = \"1s\"", "poll = \"1h\"");
    fixture.write_config(&text.replace("watch = \"1s\"", "watch = \"1h\""));
}

fn pass(fixture: &BinaryFixture, uid: &str) -> RunResult {
    fixture.run(&["pass", "--booking", uid, "--format", "json"])
}

fn steps(result: &RunResult) -> Vec<Value> {
    assert_eq!(result.code, 0, "{}", result.all_output());
    result.json()["steps"].as_array().unwrap().clone()
}

#[test]
fn one_booking_is_decided_at_once_with_the_daemon_and_without() {
    for with_daemon in [true, false] {
        let fixture = fixture();
        without_schedule(&fixture);
        let daemon = with_daemon.then(|| {
            let daemon = Daemon::start(&fixture);
            fixture.run_ok(&["pass"]);
            daemon
        });
        let uid = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
        let before = fixture.call_count(Operation::Confirm);
        let result = pass(&fixture, &uid);
        let steps = steps(&result);
        assert_eq!(steps.len(), 1, "{steps:?}");
        assert_eq!(
            (&steps[0]["request"], &steps[0]["outcome"]),
            (&uid.as_str().into(), &"confirmed".into())
        );
        assert_eq!(fixture.status(&uid), "accepted");
        assert_eq!(fixture.call_count(Operation::Confirm), before + 1);
        assert_eq!(fixture.balance(BO), (4, 0, 1));
        // The same trigger again: it is answered already, and nothing is sent.
        let again = pass(&fixture, &uid);
        assert_eq!(again.code, 1, "{}", again.all_output());
        assert!(
            again
                .err
                .contains("does not wait for an answer: it is accepted"),
            "{}",
            again.err
        );
        assert_eq!(fixture.call_count(Operation::Confirm), before + 1);
        assert_eq!(fixture.balance(BO), (4, 0, 1));
        drop(daemon);
    }
}

/// A newer request never takes what an older one would get.
#[test]
fn older_requests_are_decided_first() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", BO, "1"]);
    let first = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    std::thread::sleep(std::time::Duration::from_millis(20));
    let second = fixture.request_booking(fixture.event_types.lesson, BO, "11:00:00Z");
    let steps = steps(&pass(&fixture, &second));
    assert_eq!(
        fixture.status(&first),
        "accepted",
        "the older request gets the credit"
    );
    assert_ne!(fixture.status(&second), "accepted");
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.status(&second), "rejected");
    assert!(
        steps.iter().all(|step| step["request"] == *second),
        "{steps:?}"
    );
}

/// Requests that were looked at and wait for something else do not make the pass an ordinary one.
#[test]
fn a_request_that_waits_for_a_person_does_not_hold_up_another_members_booking() {
    let fixture = BinaryFixture::new("v2");
    let more = "short-of-credit = \"review\"\n";
    fixture.configure("v2", &fixture.sandbox.base_url(), more);
    fixture.run_ok(&["credits", "grant", BO, "1"]);
    fixture.run_ok(&["credits", "grant", "al@example.com", "1"]);
    let dinner = fixture.request_booking(fixture.event_types.dinner, "al@example.com", "18:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.status(&dinner), "pending");
    let lesson = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    let result = pass(&fixture, &lesson);
    assert_eq!(
        result.json()["pass"]["observed"],
        1,
        "only this booking: {}",
        result.out
    );
    assert_eq!(steps(&result)[0]["outcome"], "confirmed");
    assert_eq!(fixture.status(&dinner), "pending");
    assert_eq!(fixture.status(&lesson), "accepted");
}

#[test]
fn what_cannot_be_decided_is_said_with_a_reason() {
    let fixture = fixture();
    let ungated = "[[gate]]\nevent-types = [\"lesson\"]";
    let text = std::fs::read_to_string(fixture.path("config.toml")).unwrap();
    let unknown = pass(&fixture, "doesNotExist");
    assert_eq!(unknown.code, 1, "{}", unknown.all_output());
    assert!(
        unknown.err.contains("booking doesNotExist does not wait"),
        "{}",
        unknown.err
    );
    let malformed = pass(&fixture, "a/b");
    assert_eq!(malformed.code, 2, "{}", malformed.all_output());
    let cancelled = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    let cancel = ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&cancelled));
    fixture.sandbox.lock().act(clock::now(), cancel).unwrap();
    let result = pass(&fixture, &cancelled);
    assert!(
        result.err.contains("it is cancelled"),
        "{}",
        result.all_output()
    );
    // No gate names the event type any more.
    fixture.write_config(&text.replace(ungated, "[[gate]]\nevent-types = [\"other\"]"));
    let uid = fixture.request_booking(fixture.event_types.lesson, BO, "11:00:00Z");
    let result = pass(&fixture, &uid);
    assert_eq!(result.code, 1, "{}", result.all_output());
    assert!(
        result.err.contains("no gate names the event type"),
        "{}",
        result.err
    );
    assert_eq!(fixture.status(&uid), "pending");
    assert_eq!(fixture.balance(BO), (5, 0, 0));
}

#[test]
fn nothing_is_decided_while_everything_is_paused() {
    let fixture = fixture();
    let daemon = Daemon::start(&fixture);
    fixture.run_ok(&["pause", "--reason", "closed"]);
    let uid = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    let refused = pass(&fixture, &uid);
    assert_eq!(refused.code, 1, "{}", refused.all_output());
    assert!(
        refused.err.contains("nothing is read or done"),
        "{}",
        refused.err
    );
    assert_eq!(fixture.status(&uid), "pending");
    drop(daemon);
}

/// Many triggers at once: the schedule continues, and every booking is decided once.
#[test]
fn many_triggers_do_not_keep_the_schedule_waiting() {
    let fixture = fixture();
    let daemon = Daemon::start(&fixture);
    let uid = fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    let passes = || {
        let status = fixture.run_ok(&["status", "--format", "json"]).json();
        status["passes"].as_u64().unwrap()
    };
    let before = passes();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let _busy_or_decided = pass(&fixture, &uid);
                }
            });
        }
    });
    assert_eq!(fixture.status(&uid), "accepted");
    assert_eq!(fixture.balance(BO), (4, 0, 1));
    crate::fixture::binary::wait_until("a pass of the schedule", || passes() > before);
    drop(daemon);
}
