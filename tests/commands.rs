//! What operators do with the built binary beside passes: their word about a request, accounts,
//! exports and backups; with the daemon up and down.

#![allow(clippy::unwrap_used, reason = "tests panic")]

use maitred::sandbox::journal::{Kind, MailKind, Recipient};
use serde_json::Value;

use house::{Daemon, House, until};

mod house;

/// The requests that `review list` shows.
fn waiting(house: &House, more: &[&str]) -> Vec<Value> {
    let words = [&["review", "list", "--format", "json"], more].concat();
    let view = house.ok(&words).json();
    view["requests"].as_array().unwrap().clone()
}

/// A house whose dinners (3 credits) wait for an operator when credit is short.
fn dinners_in_review(dialect: &str) -> House {
    let house = House::new(dialect);
    let more = "short-of-credit = \"review\"\n";
    house.configure(dialect, &house.sandbox.base_url(), more);
    house
}

#[test]
fn a_word_is_listed_said_and_carried_out_through_hold_and_charge() {
    for dialect in ["v2", "v1"] {
        let house = dinners_in_review(dialect);
        house.ok(&["credits", "grant", "bo@example.com", "2"]);
        let uid = house.ask(house.dinner, "bo@example.com", "09:00:00Z");
        house.ok(&["run", "--once"]);
        assert_eq!(house.status(&uid), "pending");
        let [request] = &waiting(&house, &[])[..] else {
            panic!("one waits")
        };
        assert_eq!(request["request"], *uid);
        assert_eq!(request["booker"], "bo@example.com");
        assert_eq!(request["gate"], "dinner");
        assert_eq!(request["reasons"][0]["code"], "short-of-credit");
        assert_eq!(
            (&request["cost"], &request["available"]),
            (&3.into(), &2.into())
        );
        assert_eq!(request["said"], Value::Null);

        let said = house.ok(&["review", "confirm", &uid, "--reason", "agreed"]);
        assert!(said.out.contains("run --once"), "{}", said.out);
        house.ok(&["run", "--once"]);
        assert_eq!(
            house.status(&uid),
            "pending",
            "credit stands above the word"
        );
        let [request] = &waiting(&house, &[])[..] else {
            panic!("it still waits")
        };
        assert_eq!(request["said"]["reason"], "agreed");
        let codes: Vec<&Value> = request["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .map(|reason| &reason["code"])
            .collect();
        assert_eq!(codes, ["short-of-credit", "operator"]);

        house.ok(&["credits", "grant", "bo@example.com", "1"]);
        house.ok(&["run", "--once"]);
        assert_eq!(house.status(&uid), "accepted");
        assert_eq!(house.balance("bo@example.com"), (0, 0, 3));
        assert!(waiting(&house, &["--all"]).is_empty());
        let explained = house.ok(&["explain", &uid]).out;
        for word in ["operator", "agreed", "reviewed", "hold", "post"] {
            assert!(explained.contains(word), "{word}: {explained}");
        }
        house.ok(&["ledger", "verify"]);
    }
}

#[test]
fn a_declined_booker_is_told_the_operators_reason() {
    let house = dinners_in_review("v2");
    house.ok(&["credits", "grant", "bo@example.com", "1"]);
    let uid = house.ask(house.dinner, "bo@example.com", "09:00:00Z");
    house.ok(&["run", "--once"]);
    house.ok(&["review", "confirm", &uid]);
    // A second word replaces the first.
    let reason = "We are closed that day.";
    house.ok(&["review", "decline", &uid, "--reason", reason]);
    house.ok(&["run", "--once"]);
    assert_eq!(house.status(&uid), "rejected");
    let world = house.sandbox.lock();
    let mails = world
        .journal
        .mails_for(&uid, Recipient::Booker, MailKind::Declined);
    assert_eq!(mails, 1);
    drop(world);
    let explained = house.ok(&["explain", &uid, "--format", "json"]).json();
    assert_eq!(explained["told"], reason);
    assert_eq!(explained["review"]["verdict"], "decline");
    assert_eq!(explained["decision"]["reasons"][0]["code"], "operator");
    assert_eq!(house.balance("bo@example.com"), (1, 0, 0));
}

#[test]
fn a_word_is_refused_clearly_or_counts_once() {
    let house = dinners_in_review("v2");
    house.ok(&["credits", "grant", "bo@example.com", "1"]);
    let unknown = house.run(&["review", "confirm", "nowhere"]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.err.contains("nothing was decided"),
        "{}",
        unknown.err
    );
    let uid = house.ask(house.dinner, "bo@example.com", "09:00:00Z");
    house.ok(&["run", "--once"]);
    let long = "x".repeat(501);
    for bad in ["two\nlines", "", &long] {
        let refused = house.run(&["review", "decline", &uid, "--reason", bad]);
        assert_eq!(refused.code, 2, "{bad:?}: {}", refused.all());
    }
    house.ok(&["review", "confirm", &uid, "--reason", "agreed"]);
    let before = std::fs::read(house.log()).unwrap();
    for again in [
        &["review", "confirm", &uid][..],
        &["review", "confirm", &uid, "--reason", "agreed"],
    ] {
        let told = house.ok(again).out;
        assert!(told.contains("Nothing was done"), "{told}");
    }
    assert_eq!(std::fs::read(house.log()).unwrap(), before);
    house.ok(&["credits", "grant", "bo@example.com", "9"]);
    house.ok(&["run", "--once"]);
    assert_eq!(house.status(&uid), "accepted");
    let told = house.ok(&["review", "confirm", &uid]).out;
    assert!(told.contains("Nothing was done"), "{told}");
    let late = house.run(&["review", "decline", &uid, "--format", "json"]);
    assert_eq!(late.code, 1);
    let refusal: Value = serde_json::from_str(late.err.trim()).unwrap();
    assert_eq!(refusal["code"], "decided", "{refusal}");
    assert_eq!(house.count(Kind::Confirm), 1);
}

#[test]
fn a_daemon_acts_on_a_word_at_once_and_shows_what_waits() {
    let house = dinners_in_review("v2");
    // No pass on its own during the test but the first.
    let config = std::fs::read_to_string(house.path("config.toml")).unwrap();
    let config = config.replace("poll = \"1s\"", "poll = \"1h\"");
    std::fs::write(house.path("config.toml"), config).unwrap();
    house.ok(&["credits", "grant", "bo@example.com", "1"]);
    let uid = house.ask(house.dinner, "bo@example.com", "09:00:00Z");
    let daemon = Daemon::start(&house);
    until("the note", || waiting(&house, &[]).len() == 1);
    let status = house.ok(&["status", "--format", "json"]).json();
    assert_eq!(status["requests_in_review"], 1, "{status}");
    let told = house.ok(&["review", "decline", &uid]).out;
    assert!(told.contains("looks at it now"), "{told}");
    until("the decline", || house.status(&uid) == "rejected");
    assert!(waiting(&house, &[]).is_empty());
    assert_eq!(daemon.end().0, 0);
}

#[test]
fn a_pass_with_a_watch_is_had_from_the_daemon() {
    let house = House::new("v2");
    let config = std::fs::read_to_string(house.path("config.toml")).unwrap();
    let config = config.replace("watch = \"1s\"", "watch = \"1h\"");
    std::fs::write(house.path("config.toml"), config).unwrap();
    house.ok(&["credits", "grant", "bo@example.com", "4"]);
    let daemon = Daemon::start(&house);
    let status = || house.ok(&["status", "--format", "json"]).json();
    until("the first audit", || {
        status()["watch"]["last"]["audit"] == true
    });
    house.ask(house.lesson, "bo@example.com", "09:00:00Z");
    let view = house.ok(&["pass", "--watch", "--format", "json"]).json();
    assert_eq!(view["watch"]["audit"], false, "{view}");
    let status = status();
    assert_eq!(status["watch"]["last"]["audit"], false, "{status}");
    assert_eq!(status["open_charges"], 1, "{status}");
    for word in ["next", "next_audit", "watched", "audited"] {
        assert!(status["watch"][word].is_string(), "{word}: {status}");
    }
    let plain = house.ok(&["status"]).out;
    for word in ["last watch", "next watch", "in review", "charges"] {
        assert!(plain.contains(word), "{word}: {plain}");
    }
    assert_eq!(daemon.end().0, 0);
    let none = house.run(&["pass", "--watch"]);
    assert_eq!(none.code, 69, "{}", none.all());
}
