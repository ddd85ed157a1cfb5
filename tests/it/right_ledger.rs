//! Nothing is cancelled, declined or charged because of a ledger that may be the wrong one (promise
//! 12): a missing ledger, a ledger that is younger than the bookings, a ledger that was restored
//! from an older backup, and a ledger that belongs to another account or server.

use std::fs;

use maitred::daemon::clock;
use maitred::domain::time::{Span, Time};
use maitred::sandbox::action::{BookingRemark, ThirdPartyAction};
use maitred::sandbox::call_log::Operation;
use serde_json::Value;

use crate::fixture::binary::{BinaryFixture, Daemon};
use crate::fixture::test_world::HOST;

const CANCEL_UNMANAGED: &str = "unmanaged = \"cancel\"\nunmanaged-since = \"2020-01-01\"\n";

/// Returns a fixture that is configured to cancel accepted bookings without a charge.
fn strict_fixture(more: &str) -> BinaryFixture {
    let fixture = BinaryFixture::new("v2");
    fixture.configure(
        "v2",
        &fixture.sandbox.base_url(),
        &format!("{CANCEL_UNMANAGED}{more}"),
    );
    fixture
}

/// Requests a dinner that is certainly younger than the ledger: within two minutes it could be
/// older, because the clocks of the server and of this machine may differ by that much.
fn request_dinner(fixture: &BinaryFixture, who: &str, days: i64) -> String {
    request_dinner_at(fixture, who, days, clock::now() + Span::minutes(3))
}

fn request_dinner_at(fixture: &BinaryFixture, who: &str, days: i64, made: Time) -> String {
    let start = clock::now() + Span::days(days);
    let mut world = fixture.sandbox.lock();
    world.request(made, fixture.event_types.dinner, who, start)
}

fn accept(fixture: &BinaryFixture, uid: &str) {
    let action = ThirdPartyAction::HostAccepts {
        booking: uid.to_owned(),
    };
    fixture.sandbox.lock().act(clock::now(), action).unwrap();
}

/// Returns the codes of the problems that a run reported.
fn problem_codes(view: &Value) -> Vec<String> {
    let watch = view["watch"]["problems"].as_array().into_iter().flatten();
    let pass = view["problems"].as_array().into_iter().flatten();
    let codes = pass.chain(watch);
    codes
        .map(|one| one["code"].as_str().unwrap().to_owned())
        .collect()
}

fn run_watch(fixture: &BinaryFixture) -> Value {
    let ran = fixture.run(&["run", "--once", "--watch", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.all_output());
    ran.json()
}

fn cancel_calls(fixture: &BinaryFixture) -> u64 {
    fixture.call_count(Operation::Cancel)
}

#[test]
fn a_missing_ledger_is_created_by_init_only() {
    let fixture = strict_fixture("");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
    let paid = fixture.request_booking(fixture.event_types.dinner, "bo@example.com", "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.status(&paid), "accepted");
    fs::rename(fixture.path("ledger"), fixture.path("elsewhere")).unwrap();
    for args in [
        &["run", "--once"][..],
        &["run", "--once", "--watch"],
        &["run"],
        &["credits", "grant", "bo@example.com", "1"],
        &["ledger", "move", "--account", "7", "--reason", "x"],
    ] {
        let ran = fixture.run(args);
        assert_eq!(ran.code, 78, "{args:?}: {}", ran.all_output());
        assert!(ran.err.contains("store.path"), "{}", ran.err);
        assert!(!fixture.path("ledger").exists(), "{args:?} made a ledger");
    }
    // The plan does not silently take a missing ledger for an empty one either.
    let plan = fixture.run_ok(&["plan"]);
    assert!(plan.err.contains("no ledger"), "{}", plan.all_output());
    assert_eq!(fixture.status(&paid), "accepted");
    assert_eq!(cancel_calls(&fixture), 0);
    // The same when an operator created a new ledger in the wrong place.
    fixture.run_ok(&["init"]);
    fixture.run_ok(&["credits", "grant", "al@example.com", "1"]);
    let view = run_watch(&fixture);
    assert_eq!(fixture.status(&paid), "accepted");
    assert_eq!(problem_codes(&view), ["unmanaged"], "{view}");
    assert_eq!(cancel_calls(&fixture), 0);
}

#[test]
fn bookings_accepted_before_the_ledger_began_are_only_reported() {
    for unmanaged in ["cancel", "charge"] {
        let fixture = BinaryFixture::without_ledger("v2");
        let base = fixture.sandbox.base_url();
        fixture.configure(
            "v2",
            &base,
            &format!("unmanaged = \"{unmanaged}\"\nunmanaged-since = \"2020-01-01\"\n"),
        );
        // This booking was made a minute before, and so before the ledger began.
        let before =
            fixture.request_booking(fixture.event_types.dinner, "bo@example.com", "09:00:00Z");
        accept(&fixture, &before);
        fixture.run_ok(&["init"]);
        fixture.run_ok(&["credits", "grant", "bo@example.com", "9"]);
        let view = run_watch(&fixture);
        assert_eq!(problem_codes(&view), ["unmanaged"], "{unmanaged}: {view}");
        assert_eq!(fixture.status(&before), "accepted", "{unmanaged}");
        assert_eq!(fixture.balance("bo@example.com"), (9, 0, 0), "{unmanaged}");
        // By a server's clock that is ahead, this booking may have been made before the ledger
        // began, too.
        let soon = request_dinner_at(&fixture, "bo@example.com", 8, clock::now());
        accept(&fixture, &soon);
        run_watch(&fixture);
        assert_eq!(fixture.status(&soon), "accepted", "{unmanaged}");
        assert_eq!(fixture.balance("bo@example.com"), (9, 0, 0), "{unmanaged}");
        // A booking that was made since then is treated as configured.
        let since = request_dinner(&fixture, "bo@example.com", 9);
        accept(&fixture, &since);
        let view = run_watch(&fixture);
        let expect = if unmanaged == "cancel" {
            ("cancelled", (9, 0, 0))
        } else {
            ("accepted", (6, 0, 3))
        };
        let is = (fixture.status(&since), fixture.balance("bo@example.com"));
        assert_eq!(is, expect, "{unmanaged}: {view}");
        assert_eq!(fixture.status(&before), "accepted", "{unmanaged}");
    }
}

#[test]
fn after_a_restore_everything_waits_for_an_operator() {
    let fixture = strict_fixture("");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "9"]);
    fixture.run_ok(&["backup", "copy"]);
    // The backup does not know this member and this paid booking.
    fixture.run_ok(&["credits", "grant", "al@example.com", "3"]);
    let paid = request_dinner(&fixture, "al@example.com", 8);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.status(&paid), "accepted");
    fs::rename(fixture.path("ledger"), fixture.path("lost")).unwrap();
    let restored = fixture.run_ok(&["restore", "copy"]);
    assert!(restored.out.contains("accept-restore"), "{}", restored.out);
    let lesson = fixture.request_booking(fixture.event_types.lesson, "al@example.com", "11:00:00Z");
    let confirmed =
        fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "12:00:00Z");
    // The command that `restore` recommends, and the command that `restore` must not need.
    let preview = fixture.run_ok(&["run", "--once", "--dry-run", "--watch"]);
    assert!(preview.out.contains("cancelled"), "{}", preview.out);
    // The pass and the watch report the same problem; people read it once.
    let plain = fixture.run_ok(&["run", "--once", "--watch"]).out;
    let told = plain
        .matches("the ledger was restored from a backup")
        .count();
    assert_eq!(told, 1, "{plain}");
    for _ in 0..2 {
        let view = run_watch(&fixture);
        assert!(
            problem_codes(&view).contains(&"restore-open".to_owned()),
            "{view}"
        );
        assert_eq!(view["watch"]["suppressed_by"], "restore-open");
        assert_eq!(
            view["watch"]["changes"][0]["outcome"], "cancelled",
            "{view}"
        );
    }
    assert_eq!(fixture.status(&paid), "accepted");
    assert_eq!(fixture.status(&lesson), "pending");
    assert_eq!(
        fixture.status(&confirmed),
        "pending",
        "credit that is there may have been spent since the backup"
    );
    let plan = fixture.run_ok(&["plan", "--format", "json"]).json();
    let steps = plan["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["request"] == *confirmed);
    let reason = &step.unwrap()["reasons"][0];
    assert_eq!(reason["code"], "restore-open", "{plan}");
    let text = reason["text"].as_str().unwrap();
    assert!(text.contains("maitred ledger accept-restore"), "{text}");
    assert_eq!(
        (
            cancel_calls(&fixture),
            fixture.call_count(Operation::Decline)
        ),
        (0, 0)
    );
    let identity = fixture
        .run_ok(&["ledger", "show", "--format", "json"])
        .json();
    assert!(identity["restored_at"].is_string(), "{identity}");
    let twice = ["ledger", "accept-restore", "--reason", "all was looked at"];
    fixture.run_ok(&twice);
    assert_eq!(fixture.run(&twice).code, 1, "there is nothing to accept");
    let view = run_watch(&fixture);
    assert_eq!(fixture.status(&paid), "cancelled", "{view}");
    assert_eq!(fixture.status(&lesson), "rejected");
    assert_eq!(fixture.status(&confirmed), "accepted");
}

#[test]
fn a_ledger_of_another_account_or_server_is_left_alone() {
    let fixture = strict_fixture("");
    fixture.run_ok(&["credits", "grant", "oda@example.com", "9"]);
    let theirs =
        fixture.request_booking(fixture.event_types.foreign, "who@example.com", "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    let identity = fixture
        .run_ok(&["ledger", "show", "--format", "json"])
        .json();
    assert_eq!(
        (&identity["account"], &identity["dialect"]),
        (&HOST.into(), &"v2".into())
    );
    let key = fs::read(fixture.path("key")).unwrap();
    // The key of another user of the same server.
    let other = "cal_other_key_0123456789abcdef";
    fixture.sandbox.lock().add_key(HOST + 1, other);
    fs::write(fixture.path("key"), other).unwrap();
    assert_stops(&fixture, &["account 12", "account 13", "ledger move"]);
    assert_eq!(fixture.status(&theirs), "pending");
    fs::write(fixture.path("key"), &key).unwrap();
    // The other dialect of the same server.
    fixture.configure("v1", &fixture.sandbox.base_url(), CANCEL_UNMANAGED);
    assert_stops(&fixture, &["(v2)", "(v1)", "--dialect v1"]);
    // Another server, which knows nothing of this ledger's bookings.
    let elsewhere = BinaryFixture::new("v2");
    fixture.configure("v2", &elsewhere.sandbox.base_url(), CANCEL_UNMANAGED);
    let server = elsewhere.sandbox.addr().to_string();
    fs::write(fixture.path("key"), crate::fixture::test_world::KEY).unwrap();
    assert_stops(&fixture, &[&server, "--server"]);
    assert_eq!(
        elsewhere
            .sandbox
            .lock()
            .call_log
            .call_count(Operation::List),
        0,
        "nothing was listed"
    );
    // A move that the operator confirms by naming the server is accepted.
    fixture.run_ok(&[
        "ledger",
        "move",
        "--server",
        &server,
        "--reason",
        "a new address",
    ]);
    fixture.run_ok(&["run", "--once"]);
}

/// Checks that every command that would act stops, and that its message contains all of these
/// texts.
fn assert_stops(fixture: &BinaryFixture, says: &[&str]) {
    for args in [
        &["run", "--once"][..],
        &["run", "--once", "--watch"],
        &["run", "--once", "--dry-run"],
        &["plan"],
        &["run"],
    ] {
        let ran = fixture.run(args);
        assert_eq!(ran.code, 78, "{args:?}: {}", ran.all_output());
        for text in says {
            assert!(ran.err.contains(text), "{args:?} {text}: {}", ran.err);
        }
    }
}

#[test]
fn an_open_intent_keeps_its_hold_when_another_server_does_not_know_the_booking() {
    use maitred::sandbox::faults::{Fault, FaultRule, FaultTimes, Stage};
    let fixture = strict_fixture("");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
    let uid = fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    let lost = Fault::HangUp {
        stage: Stage::Before,
    };
    let rule = FaultRule::on_next(Operation::Confirm, lost);
    fixture
        .sandbox
        .lock()
        .add_fault(rule.times(FaultTimes::Always))
        .unwrap();
    fixture.run(&["run", "--once"]);
    assert_eq!(
        fixture.balance("bo@example.com"),
        (3, 1, 0),
        "{uid} is held for"
    );
    let elsewhere = BinaryFixture::new("v2");
    fixture.configure("v2", &elsewhere.sandbox.base_url(), CANCEL_UNMANAGED);
    assert_stops(&fixture, &["belongs to"]);
    assert_eq!(fixture.balance("bo@example.com"), (3, 1, 0));
}

#[test]
fn a_ledger_from_before_identities_adopts_its_account_and_says_so() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
    let result = fixture.run(&["run", "--once"]);
    assert!(
        result.err.contains("account 12 at "),
        "{}",
        result.all_output()
    );
    let again = fixture.run(&["run", "--once"]);
    assert!(!again.err.contains("account 12"), "{}", again.all_output());
}

#[test]
fn a_daemon_stops_at_a_foreign_ledger_and_a_cancellation_needs_none() {
    let fixture = strict_fixture("");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
    let uid = fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    let mut daemon = Daemon::start(&fixture);
    crate::fixture::binary::wait_until("the first pass", || fixture.status(&uid) == "accepted");
    // Another user's key replaces the key while the daemon runs.
    let other = "cal_other_key_0123456789abcdef";
    fixture.sandbox.lock().add_key(HOST + 1, other);
    let cancels = ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&uid));
    fs::write(fixture.path("key"), other).unwrap();
    daemon.signal("-HUP");
    daemon.wait_for_line("belongs to account 12");
    fixture.sandbox.lock().act(clock::now(), cancels).unwrap();
    crate::fixture::binary::wait_until("the daemon says why in its status", || {
        fixture.run_ok(&["status"]).out.contains("account 13")
    });
    assert_eq!(
        fixture.balance("bo@example.com"),
        (3, 0, 1),
        "nothing is settled"
    );
    assert!(daemon.child.try_wait().unwrap().is_none());
}

/// Every command that shows what would be done must show the change before anything is cancelled.
#[test]
fn a_plan_covers_the_watch_and_writes_nothing() {
    let fixture = strict_fixture("");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
    let taken = request_dinner(&fixture, "bo@example.com", 9);
    accept(&fixture, &taken);
    let before = fs::read(fixture.log()).unwrap();
    let shows = |view: &Value| {
        let changes = view["watch"]["changes"].as_array().unwrap();
        let found = changes
            .iter()
            .any(|change| change["booking"] == taken.as_str());
        assert!(
            found && view["watch"]["suppressed_by"] == "dry-run",
            "{view}"
        );
    };
    for args in [
        &["run", "--once", "--dry-run", "--watch", "--format", "json"][..],
        &["run", "--once", "--dry-run", "--format", "json"],
        &["plan", "--format", "json"],
    ] {
        shows(&fixture.run_ok(args).json());
    }
    assert_eq!(fixture.run(&["plan", "--exit-code"]).code, 3);
    let plain = fixture.run_ok(&["plan"]).out;
    assert!(
        plain.contains("1 change to make; nothing is changed"),
        "{plain}"
    );
    assert_eq!(fs::read(fixture.log()).unwrap(), before);
    assert!(
        !fixture.path("ledger/watched").exists(),
        "it was not a watch"
    );
    assert_eq!(
        (fixture.status(&taken), cancel_calls(&fixture)),
        ("accepted", 0)
    );
    // The run does the change that was shown, and a daemon shows the same change.
    let base = fixture.sandbox.base_url();
    fixture.configure("v2", &base, "unmanaged = \"report\"\n");
    let daemon = Daemon::start(&fixture);
    crate::fixture::binary::wait_until("the first audit", || {
        fixture.path("ledger/watched").exists()
    });
    // Without the pause the daemon's own watches would come first.
    fixture.run_ok(&["pause", "--reason", "test"]);
    fixture.configure("v2", &base, CANCEL_UNMANAGED);
    daemon.signal("-HUP");
    daemon.wait_for_line("configuration reloaded");
    drop(daemon);
    // The pause is in the ledger, and would stop the run too.
    fixture.run_ok(&["resume"]);
    assert_eq!(fixture.status(&taken), "accepted");
    fs::remove_file(fixture.path("ledger/watched")).unwrap();
    shows(&fixture.run_ok(&["plan", "--format", "json"]).json());
    let view = run_watch(&fixture);
    assert_eq!(fixture.status(&taken), "cancelled", "{view}");
    assert_eq!(fixture.run(&["plan", "--exit-code"]).code, 0);
}

/// The world's offset moves the sandbox's clock, which is in the head of every answer.
#[test]
fn nothing_final_is_decided_while_the_clocks_differ() {
    for hours in [-48, 48] {
        let fixture = BinaryFixture::new("v2");
        fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
        fixture.run_ok(&["credits", "grant", "al@example.com", "1"]);
        let paid =
            fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
        fixture.run_ok(&["run", "--once", "--watch"]);
        let confirm =
            fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "10:00:00Z");
        let decline =
            fixture.request_booking(fixture.event_types.dinner, "al@example.com", "11:00:00Z");
        let cancels = ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&paid));
        fixture.sandbox.lock().act(clock::now(), cancels).unwrap();
        let before = fs::read(fixture.log()).unwrap();
        fixture.sandbox.lock().advance(Span::hours(hours));
        for args in [&["run", "--once"][..], &["run", "--once", "--watch"]] {
            let args = [args, &["--format", "json"]].concat();
            let ran = fixture.run(&args);
            assert_eq!(ran.code, 4, "it did not do its work: {}", ran.all_output());
            assert!(
                problem_codes(&ran.json()).contains(&"clock-off".to_owned()),
                "{}",
                ran.out
            );
        }
        assert_eq!(fs::read(fixture.log()).unwrap(), before, "{hours} h");
        let is = [&confirm, &decline].map(|uid| fixture.status(uid));
        assert_eq!(is, ["pending", "pending"], "{hours} h");
        fixture.sandbox.lock().advance(Span::hours(-hours));
        fixture.run_ok(&["run", "--once", "--watch"]);
        let is = [&confirm, &decline].map(|uid| fixture.status(uid));
        assert_eq!(is, ["accepted", "rejected"], "{hours} h");
        assert_eq!(
            fixture.balance("bo@example.com").0,
            3,
            "the cancelled one came back"
        );
    }
}
