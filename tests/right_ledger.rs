//! Nothing is cancelled, declined or charged on the strength of a ledger that may be the wrong one
//! (promise 12): a ledger that is missing, one that is younger than the bookings, one that was restored
//! from an older backup, and one that belongs to another account or server.

#![allow(clippy::unwrap_used, reason = "tests panic")]

use std::fs;

use maitred::daemon::clock;
use maitred::domain::time::Span;
use maitred::sandbox::actions::{Action, Said};
use maitred::sandbox::journal::Operation;
use serde_json::Value;

use house::{Daemon, HOST, House};

mod house;

const CANCEL: &str = "unmanaged = \"cancel\"\nunmanaged-since = \"2020-01-01\"\n";

/// A calendar whose accepted bookings without a charge are to be cancelled.
fn strict(more: &str) -> House {
    let house = House::new("v2");
    house.configure("v2", &house.sandbox.base_url(), &format!("{CANCEL}{more}"));
    house
}

/// A dinner that is asked for now, so after the ledger began.
fn since(house: &House, who: &str, days: i64) -> String {
    let start = clock::now() + Span::days(days);
    let mut world = house.sandbox.lock();
    world.request(clock::now(), house.dinner, who, start)
}

fn accept(house: &House, uid: &str) {
    let action = Action::HostAccepts {
        booking: uid.to_owned(),
    };
    house.sandbox.lock().act(clock::now(), action).unwrap();
}

/// The codes of what a run told of beside its steps.
fn told(view: &Value) -> Vec<String> {
    let watch = view["watch"]["problems"].as_array().into_iter().flatten();
    let pass = view["problems"].as_array().into_iter().flatten();
    let codes = pass.chain(watch);
    codes
        .map(|one| one["code"].as_str().unwrap().to_owned())
        .collect()
}

fn watched(house: &House) -> Value {
    let ran = house.run(&["run", "--once", "--watch", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    ran.json()
}

fn cancels(house: &House) -> u64 {
    house.count(Operation::Cancel)
}

#[test]
fn a_ledger_that_is_not_there_is_made_by_init_only() {
    let house = strict("");
    house.ok(&["credits", "grant", "bo@example.com", "4"]);
    let paid = house.ask(house.dinner, "bo@example.com", "09:00:00Z");
    house.ok(&["run", "--once"]);
    assert_eq!(house.status(&paid), "accepted");
    fs::rename(house.path("ledger"), house.path("elsewhere")).unwrap();
    for args in [
        &["run", "--once"][..],
        &["run", "--once", "--watch"],
        &["run"],
        &["credits", "grant", "bo@example.com", "1"],
        &["ledger", "move", "--account", "7", "--reason", "x"],
    ] {
        let ran = house.run(args);
        assert_eq!(ran.code, 78, "{args:?}: {}", ran.all());
        assert!(ran.err.contains("store.path"), "{}", ran.err);
        assert!(!house.path("ledger").exists(), "{args:?} made a ledger");
    }
    // Nor does the plan take what is missing for an empty ledger without a word.
    let plan = house.ok(&["plan"]);
    assert!(plan.err.contains("no ledger"), "{}", plan.all());
    assert_eq!(house.status(&paid), "accepted");
    assert_eq!(cancels(&house), 0);
    // The same where a new ledger was made by hand in the wrong place.
    house.ok(&["init"]);
    house.ok(&["credits", "grant", "al@example.com", "1"]);
    let view = watched(&house);
    assert_eq!(house.status(&paid), "accepted");
    assert_eq!(told(&view), ["unmanaged"], "{view}");
    assert_eq!(cancels(&house), 0);
}

#[test]
fn what_was_accepted_before_the_ledger_began_is_only_reported() {
    for unmanaged in ["cancel", "charge"] {
        let house = House::without_ledger("v2");
        let base = house.sandbox.base_url();
        house.configure(
            "v2",
            &base,
            &format!("unmanaged = \"{unmanaged}\"\nunmanaged-since = \"2020-01-01\"\n"),
        );
        // Made a minute before, so before the ledger.
        let before = house.ask(house.dinner, "bo@example.com", "09:00:00Z");
        accept(&house, &before);
        house.ok(&["init"]);
        house.ok(&["credits", "grant", "bo@example.com", "9"]);
        let view = watched(&house);
        assert_eq!(told(&view), ["unmanaged"], "{unmanaged}: {view}");
        assert_eq!(house.status(&before), "accepted", "{unmanaged}");
        assert_eq!(house.balance("bo@example.com"), (9, 0, 0), "{unmanaged}");
        // One that was made since is treated as configured.
        let since = since(&house, "bo@example.com", 9);
        accept(&house, &since);
        let view = watched(&house);
        let expect = if unmanaged == "cancel" {
            ("cancelled", (9, 0, 0))
        } else {
            ("accepted", (6, 0, 3))
        };
        let is = (house.status(&since), house.balance("bo@example.com"));
        assert_eq!(is, expect, "{unmanaged}: {view}");
        assert_eq!(house.status(&before), "accepted", "{unmanaged}");
    }
}

#[test]
fn after_a_restore_everything_waits_for_an_operator() {
    let house = strict("");
    house.ok(&["credits", "grant", "bo@example.com", "9"]);
    house.ok(&["backup", "copy"]);
    // What the backup does not know: a member, and what was paid for.
    house.ok(&["credits", "grant", "al@example.com", "3"]);
    let paid = since(&house, "al@example.com", 8);
    house.ok(&["run", "--once"]);
    assert_eq!(house.status(&paid), "accepted");
    fs::rename(house.path("ledger"), house.path("lost")).unwrap();
    let restored = house.ok(&["restore", "copy"]);
    assert!(restored.out.contains("accept-restore"), "{}", restored.out);
    let asked = house.ask(house.lesson, "al@example.com", "11:00:00Z");
    let confirmed = house.ask(house.lesson, "bo@example.com", "12:00:00Z");
    // The command that `restore` recommends, and the one that it must not need.
    let preview = house.ok(&["run", "--once", "--dry-run", "--watch"]);
    assert!(preview.out.contains("cancelled"), "{}", preview.out);
    for _ in 0..2 {
        let view = watched(&house);
        assert!(told(&view).contains(&"restore-open".to_owned()), "{view}");
        assert_eq!(view["watch"]["held_back"], "restore-open");
        assert_eq!(view["watch"]["changes"][0]["what"], "cancelled", "{view}");
    }
    assert_eq!(house.status(&paid), "accepted");
    assert_eq!(house.status(&asked), "pending");
    assert_eq!(
        house.status(&confirmed),
        "pending",
        "credit that is there may have been spent since the backup"
    );
    let plan = house.ok(&["plan", "--format", "json"]).json();
    let steps = plan["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["request"] == *confirmed);
    let reason = &step.unwrap()["reasons"][0];
    assert_eq!(reason["code"], "restore-open", "{plan}");
    let text = reason["text"].as_str().unwrap();
    assert!(text.contains("maitred ledger accept-restore"), "{text}");
    assert_eq!((cancels(&house), house.count(Operation::Decline)), (0, 0));
    let shown = house.ok(&["ledger", "show", "--format", "json"]).json();
    assert!(shown["restored"].is_string(), "{shown}");
    let twice = ["ledger", "accept-restore", "--reason", "all was looked at"];
    house.ok(&twice);
    assert_eq!(house.run(&twice).code, 1, "there is nothing to accept");
    let view = watched(&house);
    assert_eq!(house.status(&paid), "cancelled", "{view}");
    assert_eq!(house.status(&asked), "rejected");
    assert_eq!(house.status(&confirmed), "accepted");
}

#[test]
fn a_ledger_of_another_account_or_server_is_left_alone() {
    let house = strict("");
    house.ok(&["credits", "grant", "oda@example.com", "9"]);
    let theirs = house.ask(house.foreign, "who@example.com", "09:00:00Z");
    house.ok(&["run", "--once"]);
    let shown = house.ok(&["ledger", "show", "--format", "json"]).json();
    assert_eq!(
        (&shown["account"], &shown["dialect"]),
        (&HOST.into(), &"v2".into())
    );
    let key = fs::read(house.path("key")).unwrap();
    // The key of another user of the same server.
    let other = "cal_other_key_0123456789abcdef";
    house.sandbox.lock().add_key(HOST + 1, other);
    fs::write(house.path("key"), other).unwrap();
    stops(&house, &["account 12", "account 13", "ledger move"]);
    assert_eq!(house.status(&theirs), "pending");
    fs::write(house.path("key"), &key).unwrap();
    // The other dialect of the same server.
    house.configure("v1", &house.sandbox.base_url(), CANCEL);
    stops(&house, &["(v2)", "(v1)", "--dialect v1"]);
    // Another server, where nothing of this ledger is known.
    let elsewhere = House::new("v2");
    house.configure("v2", &elsewhere.sandbox.base_url(), CANCEL);
    let server = elsewhere.sandbox.addr().to_string();
    fs::write(house.path("key"), house::KEY).unwrap();
    stops(&house, &[&server, "--server"]);
    assert_eq!(
        elsewhere.sandbox.lock().journal.count(Operation::List),
        0,
        "nothing was listed"
    );
    // A move that the operator names is accepted.
    house.ok(&[
        "ledger",
        "move",
        "--server",
        &server,
        "--reason",
        "a new address",
    ]);
    house.ok(&["run", "--once"]);
}

/// Whether every command that would act stops, and its message says all of this.
fn stops(house: &House, says: &[&str]) {
    for args in [
        &["run", "--once"][..],
        &["run", "--once", "--watch"],
        &["run", "--once", "--dry-run"],
        &["plan"],
        &["run"],
    ] {
        let ran = house.run(args);
        assert_eq!(ran.code, 78, "{args:?}: {}", ran.all());
        for text in says {
            assert!(ran.err.contains(text), "{args:?} {text}: {}", ran.err);
        }
    }
}

#[test]
fn an_open_intent_is_not_given_back_because_another_server_does_not_know_it() {
    use maitred::sandbox::faults::{Fault, Rule, Stage, Times};
    let house = strict("");
    house.ok(&["credits", "grant", "bo@example.com", "4"]);
    let uid = house.ask(house.lesson, "bo@example.com", "09:00:00Z");
    let lost = Fault::HangUp {
        stage: Stage::Before,
    };
    let rule = Rule::next(Operation::Confirm, lost);
    house
        .sandbox
        .lock()
        .add_fault(rule.times(Times::Always))
        .unwrap();
    house.run(&["run", "--once"]);
    assert_eq!(
        house.balance("bo@example.com"),
        (3, 1, 0),
        "{uid} is held for"
    );
    let elsewhere = House::new("v2");
    house.configure("v2", &elsewhere.sandbox.base_url(), CANCEL);
    stops(&house, &["belongs to"]);
    assert_eq!(house.balance("bo@example.com"), (3, 1, 0));
}

#[test]
fn a_ledger_from_before_identities_adopts_its_account_and_says_so() {
    let house = House::new("v2");
    house.ok(&["credits", "grant", "bo@example.com", "4"]);
    let said = house.run(&["run", "--once"]);
    assert!(said.err.contains("account 12 at "), "{}", said.all());
    let again = house.run(&["run", "--once"]);
    assert!(!again.err.contains("account 12"), "{}", again.all());
}

#[test]
fn a_daemon_stops_at_a_foreign_ledger_and_a_cancellation_needs_none() {
    let house = strict("");
    house.ok(&["credits", "grant", "bo@example.com", "4"]);
    let uid = house.ask(house.lesson, "bo@example.com", "09:00:00Z");
    let mut daemon = Daemon::start(&house);
    house::until("the first pass", || house.status(&uid) == "accepted");
    // The key is replaced by another user's while the daemon runs.
    let other = "cal_other_key_0123456789abcdef";
    house.sandbox.lock().add_key(HOST + 1, other);
    let cancels = Action::BookerCancels(Said::nothing(&uid));
    fs::write(house.path("key"), other).unwrap();
    daemon.signal("-HUP");
    daemon.says("belongs to account 12");
    house.sandbox.lock().act(clock::now(), cancels).unwrap();
    house::until("the daemon says why in its status", || {
        house.ok(&["status"]).out.contains("account 13")
    });
    assert_eq!(
        house.balance("bo@example.com"),
        (3, 0, 1),
        "nothing is settled"
    );
    assert!(daemon.child.try_wait().unwrap().is_none());
}

/// What is to be shown before anything is cancelled, by every command that says what would be done.
#[test]
fn a_plan_covers_the_watch_and_writes_nothing() {
    let house = strict("");
    house.ok(&["credits", "grant", "bo@example.com", "4"]);
    let taken = since(&house, "bo@example.com", 9);
    accept(&house, &taken);
    let before = fs::read(house.log()).unwrap();
    let shows = |view: &Value| {
        let changes = view["watch"]["changes"].as_array().unwrap();
        let found = changes
            .iter()
            .any(|change| change["booking"] == taken.as_str());
        assert!(found && view["watch"]["held_back"] == "dry-run", "{view}");
    };
    for args in [
        &["run", "--once", "--dry-run", "--watch", "--format", "json"][..],
        &["run", "--once", "--dry-run", "--format", "json"],
        &["plan", "--format", "json"],
    ] {
        shows(&house.ok(args).json());
    }
    assert_eq!(house.run(&["plan", "--exit-code"]).code, 3);
    let plain = house.ok(&["plan"]).out;
    assert!(
        plain.contains("1 change to make; nothing is done"),
        "{plain}"
    );
    assert_eq!(fs::read(house.log()).unwrap(), before);
    assert!(!house.path("ledger/watched").exists(), "it was not a watch");
    assert_eq!((house.status(&taken), cancels(&house)), ("accepted", 0));
    // It was the same that is then done, and is shown by a daemon too.
    let base = house.sandbox.base_url();
    house.configure("v2", &base, "unmanaged = \"report\"\n");
    let daemon = Daemon::start(&house);
    house::until("the first audit", || house.path("ledger/watched").exists());
    house.configure("v2", &base, CANCEL);
    daemon.signal("-HUP");
    house.ok(&["pause"]);
    daemon.says("configuration reloaded");
    drop(daemon);
    assert_eq!(house.status(&taken), "accepted");
    fs::remove_file(house.path("ledger/watched")).unwrap();
    shows(&house.ok(&["plan", "--format", "json"]).json());
    let view = watched(&house);
    assert_eq!(house.status(&taken), "cancelled", "{view}");
    assert_eq!(house.run(&["plan", "--exit-code"]).code, 0);
}

/// The world's offset moves the sandbox's clock, which stands in every answer's head.
#[test]
fn while_the_clocks_differ_nothing_final_is_decided() {
    for hours in [-48, 48] {
        let house = House::new("v2");
        house.ok(&["credits", "grant", "bo@example.com", "4"]);
        house.ok(&["credits", "grant", "al@example.com", "1"]);
        let paid = house.ask(house.lesson, "bo@example.com", "09:00:00Z");
        house.ok(&["run", "--once", "--watch"]);
        let confirm = house.ask(house.lesson, "bo@example.com", "10:00:00Z");
        let decline = house.ask(house.dinner, "al@example.com", "11:00:00Z");
        let cancels = Action::BookerCancels(Said::nothing(&paid));
        house.sandbox.lock().act(clock::now(), cancels).unwrap();
        let before = fs::read(house.log()).unwrap();
        house.sandbox.lock().advance(Span::hours(hours));
        for args in [&["run", "--once"][..], &["run", "--once", "--watch"]] {
            let args = [args, &["--format", "json"]].concat();
            let ran = house.run(&args);
            assert_eq!(ran.code, 4, "it did not do its work: {}", ran.all());
            assert!(
                told(&ran.json()).contains(&"clock-off".to_owned()),
                "{}",
                ran.out
            );
        }
        assert_eq!(fs::read(house.log()).unwrap(), before, "{hours} h");
        let is = [&confirm, &decline].map(|uid| house.status(uid));
        assert_eq!(is, ["pending", "pending"], "{hours} h");
        house.sandbox.lock().advance(Span::hours(-hours));
        house.ok(&["run", "--once", "--watch"]);
        let is = [&confirm, &decline].map(|uid| house.status(uid));
        assert_eq!(is, ["accepted", "rejected"], "{hours} h");
        assert_eq!(
            house.balance("bo@example.com").0,
            3,
            "the cancelled one came back"
        );
    }
}
