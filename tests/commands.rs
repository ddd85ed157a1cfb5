//! What operators do with the built binary beside passes: their word about a request, accounts,
//! exports and backups; with the daemon up and down.

#![allow(clippy::unwrap_used, reason = "tests panic")]

use maitred::sandbox::faults::{Fault, Rule, Stage};
use maitred::sandbox::journal::{Operation, MailKind, Recipient};
use serde_json::Value;

use house::{Daemon, House, ran, until};

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
    let elsewhere = House::without_ledger("v2");
    let absent = elsewhere.run(&["review", "confirm", "nowhere"]);
    assert_eq!(absent.code, 78);
    assert!(absent.err.contains("maitred init"), "{}", absent.err);
    assert!(!elsewhere.path("ledger").exists());
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
    assert_eq!(house.count(Operation::Confirm), 1);
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
fn a_word_that_is_said_while_a_pass_is_under_way_is_acted_on_right_after_it() {
    let house = dinners_in_review("v2");
    let config = std::fs::read_to_string(house.path("config.toml")).unwrap();
    let config = config.replace("poll = \"1s\"", "poll = \"1h\"");
    std::fs::write(house.path("config.toml"), config).unwrap();
    house.ok(&["credits", "grant", "bo@example.com", "1"]);
    let dinner = house.ask(house.dinner, "bo@example.com", "09:00:00Z");
    house.ok(&["run", "--once"]);
    house.ask(house.lesson, "bo@example.com", "11:00:00Z");
    let slow = Fault::Slow {
        stage: Stage::After,
        ms: 2_000,
    };
    let rule = Rule::next(Operation::Confirm, slow);
    house.sandbox.lock().add_fault(rule).unwrap();
    let daemon = Daemon::start(&house);
    until("the slow call", || house.count(Operation::Confirm) == 1);
    house.ok(&["review", "decline", &dinner]);
    until("the decline", || house.status(&dinner) == "rejected");
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

#[test]
fn a_frozen_account_waits_for_a_word_which_stands_above_the_freeze() {
    let house = House::new("v2");
    house.ok(&["credits", "grant", "bo@example.com", "2"]);
    let missing = house.run(&["account", "freeze", "bo@example.com"]);
    assert_eq!(missing.code, 2, "{}", missing.all());
    house.ok(&["account", "freeze", "bo@example.com", "--reason", "unpaid"]);
    let first = house.ask(house.lesson, "bo@example.com", "09:00:00Z");
    let second = house.ask(house.lesson, "bo@example.com", "10:00:00Z");
    house.ok(&["run", "--once"]);
    let codes: Vec<Value> = waiting(&house, &[])
        .iter()
        .map(|request| request["reasons"][0]["code"].clone())
        .collect();
    assert_eq!(codes, ["frozen", "frozen"]);
    house.ok(&["review", "confirm", &first]);
    house.ok(&["run", "--once"]);
    assert_eq!(
        (house.status(&first), house.status(&second)),
        ("accepted", "pending")
    );
    house.ok(&["account", "thaw", "bo@example.com"]);
    house.ok(&["run", "--once"]);
    assert_eq!(house.status(&second), "accepted");
    assert_eq!(house.balance("bo@example.com"), (0, 0, 2));
}

#[test]
fn what_is_known_of_a_member_is_set_and_shown_and_a_pin_is_not() {
    let house = House::new("v2");
    house.ok(&["credits", "grant", "bo@example.com", "2"]);
    let set = [
        "account",
        "set",
        "bo@example.com",
        "--tier",
        "gold",
        "--tag",
        "founder",
        "--tag",
        "chess",
        "--attribute",
        "seat=12",
    ];
    house.ok(&set);
    house.ok(&["account", "freeze", "bo@example.com", "--reason", "unpaid"]);
    let pin = |text: &str| {
        let file = house.path("pin");
        std::fs::write(&file, text).unwrap();
        let mut command = house.command(&["account", "pin", "set", "bo@example.com"]);
        command.stdin(std::fs::File::open(&file).unwrap());
        ran(command.output().unwrap())
    };
    let bad = pin("123\n");
    assert_eq!(bad.code, 2, "{}", bad.all());
    let set = pin("zz4711zz\n");
    assert_eq!(set.code, 0, "{}", set.all());
    let plain = house.ok(&["account", "show", "bo@example.com"]).out;
    for word in ["gold", "chess, founder", "seat=12", "unpaid", "PIN"] {
        assert!(plain.contains(word), "{word}: {plain}");
    }
    let shown = house
        .ok(&["account", "show", "bo@example.com", "--format", "json"])
        .json();
    assert_eq!(shown["pin"], true);
    assert_eq!(shown["attributes"]["seat"], "12");
    let statement = house.ok(&["account", "statement", "bo@example.com"]).out;
    for word in ["tier gold", "frozen: unpaid", "PIN set"] {
        assert!(statement.contains(word), "{word}: {statement}");
    }
    for text in [&set.all(), &plain, &shown.to_string(), &statement] {
        assert!(
            !text.contains("argon2") && !text.contains("zz4711zz"),
            "{text}"
        );
    }
    let log = std::fs::read_to_string(house.log()).unwrap();
    assert!(log.contains("$argon2id$") && !log.contains("zz4711zz"));
    house.ok(&["account", "pin", "clear", "bo@example.com"]);
    let shown = house
        .ok(&["account", "show", "bo@example.com", "--format", "json"])
        .json();
    assert_eq!(shown["pin"], false);
    // A PIN is never an argument.
    assert_eq!(
        house
            .run(&["account", "pin", "set", "bo@example.com", "4711"])
            .code,
        2
    );
    house.ok(&["ledger", "verify"]);
}

#[test]
fn an_export_of_credits_is_imported_into_another_ledger() {
    let house = House::new("v2");
    let members = "account,credits,expires,reason,tier,tags\n\
                   bo@example.com,4,2099-12-31,\"autumn, term\",gold,chess founder\n\
                   bo@example.com,2,,,,\nal@example.com,1,,,,\n";
    std::fs::write(house.path("members.csv"), members).unwrap();
    house.ok(&["credits", "import", "members.csv"]);
    house.ok(&["credits", "revoke", "al@example.com", "1"]);
    let daemon = Daemon::start(&house);
    let printed = house.ok(&["credits", "export"]);
    assert!(
        printed.err.contains("1 account has nothing left"),
        "{}",
        printed.err
    );
    assert_eq!(daemon.end().0, 0);
    house.ok(&["credits", "export", "--out", "export.csv"]);
    let file = std::fs::read_to_string(house.path("export.csv")).unwrap();
    assert_eq!(file, printed.out, "with the daemon up or down");
    assert_eq!(file.lines().count(), 3, "{file}");
    let again = house.run(&["credits", "export", "--out", "export.csv"]);
    assert_eq!(again.code, 2);
    assert!(again.err.contains("is there already"), "{}", again.err);
    let json = house.ok(&["credits", "export", "--format", "json"]).json();
    assert_eq!(
        json["rows"][0]["tags"],
        serde_json::json!(["chess", "founder"])
    );

    let other = House::new("v2");
    std::fs::write(other.path("export.csv"), &file).unwrap();
    for _ in 0..2 {
        other.ok(&["credits", "import", "export.csv"]);
        assert_eq!(other.balance("bo@example.com"), (6, 0, 0));
    }
    let shown = other.ok(&["account", "show", "bo@example.com"]).out;
    assert!(
        shown.contains("gold") && shown.contains("2100-01-01"),
        "{shown}"
    );
}

#[test]
fn a_backup_beside_a_daemon_is_restored_where_nothing_is() {
    let house = House::new("v2");
    house.ok(&["credits", "grant", "bo@example.com", "4"]);
    let uid = house.ask(house.lesson, "bo@example.com", "09:00:00Z");
    let daemon = Daemon::start(&house);
    until("the confirmation", || house.status(&uid) == "accepted");
    until("the charge", || {
        house.balance("bo@example.com") == (3, 0, 1)
    });
    let made = house.ok(&["backup", "copy", "--format", "json"]).json();
    house.ok(&["credits", "grant", "bo@example.com", "5"]);
    for (args, code) in [(["backup", "copy"], 2), (["restore", "copy"], 1)] {
        let refused = house.run(&args);
        assert_eq!(refused.code, code, "{args:?}: {}", refused.all());
    }
    let lines = house.ok(&["ledger", "export"]).out;
    assert_eq!(
        lines.lines().count() as u64,
        made["sequence"].as_u64().unwrap() + 1
    );
    assert!(
        lines
            .lines()
            .all(|line| line.starts_with("{\"format\":2,\"seq\":"))
    );
    assert_eq!(daemon.end().0, 0);

    let exported = house.ok(&["ledger", "export", "--out", "log.jsonl"]).out;
    assert!(exported.contains("Wrote"), "{exported}");
    assert_eq!(
        std::fs::read_to_string(house.path("log.jsonl")).unwrap(),
        lines
    );
    let offline = house.ok(&["backup", "second"]).out;
    assert!(offline.contains("the copy checked"), "{offline}");

    std::fs::rename(house.path("ledger"), house.path("lost")).unwrap();
    let restored = house.ok(&["restore", "copy", "--format", "json"]).json();
    assert_eq!(restored["hash"], made["hash"]);
    assert_eq!(house.balance("bo@example.com"), (3, 0, 1));
    house.ok(&["ledger", "verify"]);
    house.ok(&["run", "--once", "--watch"]);
    assert_eq!(house.count(Operation::Confirm), 1, "nobody is confirmed again");
}
