//! What operators do with the built binary apart from passes: reviews of requests, accounts,
//! exports and backups, with the daemon running and without.

use maitred::sandbox::call_log::{MailKind, Operation, Recipient};
use maitred::sandbox::faults::{Fault, FaultRule, Stage};
use serde_json::Value;

use crate::fixture::binary::{BinaryFixture, Daemon, to_run_result, wait_until};

/// Returns the requests that `review list` shows.
fn listed_for_review(fixture: &BinaryFixture, more: &[&str]) -> Vec<Value> {
    let words = [&["review", "list", "--format", "json"], more].concat();
    let view = fixture.run_ok(&words).json();
    view["requests"].as_array().unwrap().clone()
}

/// Returns a fixture whose dinners (3 credits) wait for an operator when credit is short.
fn fixture_with_dinners_in_review(dialect: &str) -> BinaryFixture {
    let fixture = BinaryFixture::new(dialect);
    let more = "short-of-credit = \"review\"\n";
    fixture.configure(dialect, &fixture.sandbox.base_url(), more);
    fixture
}

#[test]
fn a_review_is_listed_answered_and_carried_out_through_hold_and_charge() {
    for dialect in ["v2", "v1"] {
        let fixture = fixture_with_dinners_in_review(dialect);
        fixture.run_ok(&["credits", "grant", "bo@example.com", "2"]);
        let uid =
            fixture.request_booking(fixture.event_types.dinner, "bo@example.com", "09:00:00Z");
        fixture.run_ok(&["run", "--once"]);
        assert_eq!(fixture.status(&uid), "pending");
        let [request] = &listed_for_review(&fixture, &[])[..] else {
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
        assert_eq!(request["review"], Value::Null);

        let output = fixture.run_ok(&["review", "confirm", &uid, "--reason", "agreed"]);
        assert!(output.out.contains("run --once"), "{}", output.out);
        fixture.run_ok(&["run", "--once"]);
        assert_eq!(
            fixture.status(&uid),
            "pending",
            "credit stands above the word"
        );
        let [request] = &listed_for_review(&fixture, &[])[..] else {
            panic!("it still waits")
        };
        assert_eq!(request["review"]["reason"], "agreed");
        let codes: Vec<&Value> = request["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .map(|reason| &reason["code"])
            .collect();
        assert_eq!(codes, ["short-of-credit", "operator"]);

        fixture.run_ok(&["credits", "grant", "bo@example.com", "1"]);
        fixture.run_ok(&["run", "--once"]);
        assert_eq!(fixture.status(&uid), "accepted");
        assert_eq!(fixture.balance("bo@example.com"), (0, 0, 3));
        assert!(listed_for_review(&fixture, &["--all"]).is_empty());
        let explained = fixture.run_ok(&["explain", &uid]).out;
        for word in ["operator", "agreed", "reviewed", "hold", "post"] {
            assert!(explained.contains(word), "{word}: {explained}");
        }
        fixture.run_ok(&["ledger", "verify"]);
    }
}

#[test]
fn a_declined_booker_is_told_the_operators_reason() {
    let fixture = fixture_with_dinners_in_review("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "1"]);
    let uid = fixture.request_booking(fixture.event_types.dinner, "bo@example.com", "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    fixture.run_ok(&["review", "confirm", &uid]);
    // A second review replaces the first.
    let reason = "We are closed that day.";
    fixture.run_ok(&["review", "decline", &uid, "--reason", reason]);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.status(&uid), "rejected");
    let world = fixture.sandbox.lock();
    let mails = world
        .call_log
        .mail_count(&uid, Recipient::Booker, MailKind::Declined);
    assert_eq!(mails, 1);
    drop(world);
    let explained = fixture
        .run_ok(&["explain", &uid, "--format", "json"])
        .json();
    assert_eq!(explained["booker_message"], reason);
    assert_eq!(explained["review"]["decision"], "decline");
    assert_eq!(explained["decision"]["reasons"][0]["code"], "operator");
    assert_eq!(fixture.balance("bo@example.com"), (1, 0, 0));
}

#[test]
fn a_review_answer_is_refused_clearly_or_counts_once() {
    let fixture = fixture_with_dinners_in_review("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "1"]);
    let elsewhere = BinaryFixture::without_ledger("v2");
    let absent = elsewhere.run(&["review", "confirm", "nowhere"]);
    assert_eq!(absent.code, 78);
    assert!(absent.err.contains("maitred init"), "{}", absent.err);
    assert!(!elsewhere.path("ledger").exists());
    let unknown = fixture.run(&["review", "confirm", "nowhere"]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.err.contains("no decision was made"),
        "{}",
        unknown.err
    );
    let uid = fixture.request_booking(fixture.event_types.dinner, "bo@example.com", "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    let long = "x".repeat(501);
    for bad in ["two\nlines", "", &long] {
        let refused = fixture.run(&["review", "decline", &uid, "--reason", bad]);
        assert_eq!(refused.code, 2, "{bad:?}: {}", refused.all_output());
    }
    let promised = fixture.run_ok(&["review", "confirm", &uid, "--reason", "agreed"]);
    // A confirm never overrides a missing credit, and the answer does not promise that it does.
    for words in [
        "stays pending",
        "short-of-credit",
        "credits grant bo@example.com 2",
    ] {
        assert!(promised.out.contains(words), "{words}: {}", promised.out);
    }
    let before = std::fs::read(fixture.log()).unwrap();
    for again in [
        &["review", "confirm", &uid][..],
        &["review", "confirm", &uid, "--reason", "agreed"],
    ] {
        let output = fixture.run_ok(again).out;
        assert!(output.contains("Nothing was changed"), "{output}");
    }
    assert_eq!(std::fs::read(fixture.log()).unwrap(), before);
    fixture.run_ok(&["credits", "grant", "bo@example.com", "9"]);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.status(&uid), "accepted");
    let output = fixture.run_ok(&["review", "confirm", &uid]).out;
    assert!(output.contains("Nothing was changed"), "{output}");
    let late = fixture.run(&["review", "decline", &uid, "--format", "json"]);
    assert_eq!(late.code, 1);
    let refusal: Value = serde_json::from_str(late.err.trim()).unwrap();
    assert_eq!(refusal["code"], "already-decided", "{refusal}");
    assert_eq!(fixture.call_count(Operation::Confirm), 1);
}

#[test]
fn a_daemon_acts_on_a_review_answer_at_once_and_shows_pending_requests() {
    let fixture = fixture_with_dinners_in_review("v2");
    // Only the first pass runs on its own during the test.
    let config = std::fs::read_to_string(fixture.path("config.toml")).unwrap();
    let config = config.replace("poll = \"1s\"", "poll = \"1h\"");
    std::fs::write(fixture.path("config.toml"), config).unwrap();
    fixture.run_ok(&["credits", "grant", "bo@example.com", "1"]);
    let uid = fixture.request_booking(fixture.event_types.dinner, "bo@example.com", "09:00:00Z");
    let daemon = Daemon::start(&fixture);
    wait_until("the note", || listed_for_review(&fixture, &[]).len() == 1);
    let status = fixture.run_ok(&["status", "--format", "json"]).json();
    assert_eq!(status["requests_in_review"], 1, "{status}");
    let output = fixture.run_ok(&["review", "decline", &uid]).out;
    assert!(output.contains("evaluates it now"), "{output}");
    wait_until("the decline", || fixture.status(&uid) == "rejected");
    assert!(listed_for_review(&fixture, &[]).is_empty());
    assert_eq!(daemon.terminate().0, 0);
}

#[test]
fn a_review_answer_given_during_a_pass_is_acted_on_right_after_it() {
    let fixture = fixture_with_dinners_in_review("v2");
    let config = std::fs::read_to_string(fixture.path("config.toml")).unwrap();
    let config = config.replace("poll = \"1s\"", "poll = \"1h\"");
    std::fs::write(fixture.path("config.toml"), config).unwrap();
    fixture.run_ok(&["credits", "grant", "bo@example.com", "1"]);
    let dinner = fixture.request_booking(fixture.event_types.dinner, "bo@example.com", "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "11:00:00Z");
    let slow = Fault::Slow {
        stage: Stage::After,
        ms: 2_000,
    };
    let rule = FaultRule::on_next(Operation::Confirm, slow);
    fixture.sandbox.lock().add_fault(rule).unwrap();
    let daemon = Daemon::start(&fixture);
    wait_until("the slow call", || {
        fixture.call_count(Operation::Confirm) == 1
    });
    fixture.run_ok(&["review", "decline", &dinner]);
    wait_until("the decline", || fixture.status(&dinner) == "rejected");
    assert_eq!(daemon.terminate().0, 0);
}

#[test]
fn the_daemon_runs_a_pass_with_a_watch_on_request() {
    let fixture = BinaryFixture::new("v2");
    let config = std::fs::read_to_string(fixture.path("config.toml")).unwrap();
    let config = config.replace("watch = \"1s\"", "watch = \"1h\"");
    std::fs::write(fixture.path("config.toml"), config).unwrap();
    fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
    let daemon = Daemon::start(&fixture);
    let status = || fixture.run_ok(&["status", "--format", "json"]).json();
    wait_until("the first audit", || {
        status()["watch"]["last_summary"]["audit"] == true
    });
    fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    let view = fixture
        .run_ok(&["pass", "--watch", "--format", "json"])
        .json();
    assert_eq!(view["watch"]["audit"], false, "{view}");
    let status = status();
    assert_eq!(status["watch"]["last_summary"]["audit"], false, "{status}");
    assert_eq!(status["open_charges"], 1, "{status}");
    for word in ["next_watch", "next_audit", "last_watch_at", "last_audit_at"] {
        assert!(status["watch"][word].is_string(), "{word}: {status}");
    }
    let plain = fixture.run_ok(&["status"]).out;
    for word in ["last watch", "next watch", "in review", "charges"] {
        assert!(plain.contains(word), "{word}: {plain}");
    }
    assert_eq!(daemon.terminate().0, 0);
    let none = fixture.run(&["pass", "--watch"]);
    assert_eq!(none.code, 69, "{}", none.all_output());
}

#[test]
fn a_frozen_account_waits_for_a_review_answer_which_overrides_the_freeze() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "2"]);
    let missing = fixture.run(&["account", "freeze", "bo@example.com"]);
    assert_eq!(missing.code, 2, "{}", missing.all_output());
    fixture.run_ok(&["account", "freeze", "bo@example.com", "--reason", "unpaid"]);
    let first = fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    let second = fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "10:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    let codes: Vec<Value> = listed_for_review(&fixture, &[])
        .iter()
        .map(|request| request["reasons"][0]["code"].clone())
        .collect();
    assert_eq!(codes, ["frozen", "frozen"]);
    fixture.run_ok(&["review", "confirm", &first]);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(
        (fixture.status(&first), fixture.status(&second)),
        ("accepted", "pending")
    );
    fixture.run_ok(&["account", "thaw", "bo@example.com"]);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.status(&second), "accepted");
    assert_eq!(fixture.balance("bo@example.com"), (0, 0, 2));
}

#[test]
fn attributes_of_a_member_are_set_and_shown_and_a_pin_is_never_shown() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "2"]);
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
    fixture.run_ok(&set);
    fixture.run_ok(&["account", "freeze", "bo@example.com", "--reason", "unpaid"]);
    let pin = |text: &str| {
        let file = fixture.path("pin");
        std::fs::write(&file, text).unwrap();
        let mut command = fixture.command(&["account", "pin", "set", "bo@example.com"]);
        command.stdin(std::fs::File::open(&file).unwrap());
        to_run_result(command.output().unwrap())
    };
    let bad = pin("123\n");
    assert_eq!(bad.code, 2, "{}", bad.all_output());
    let set = pin("zz4711zz\n");
    assert_eq!(set.code, 0, "{}", set.all_output());
    let plain = fixture.run_ok(&["account", "show", "bo@example.com"]).out;
    for word in ["gold", "chess, founder", "seat=12", "unpaid", "PIN"] {
        assert!(plain.contains(word), "{word}: {plain}");
    }
    let shown = fixture
        .run_ok(&["account", "show", "bo@example.com", "--format", "json"])
        .json();
    assert_eq!(shown["has_pin"], true);
    assert_eq!(shown["attributes"]["seat"], "12");
    let statement = fixture
        .run_ok(&["account", "statement", "bo@example.com"])
        .out;
    for word in ["tier gold", "frozen: unpaid", "PIN set"] {
        assert!(statement.contains(word), "{word}: {statement}");
    }
    for text in [&set.all_output(), &plain, &shown.to_string(), &statement] {
        assert!(
            !text.contains("argon2") && !text.contains("zz4711zz"),
            "{text}"
        );
    }
    let log = std::fs::read_to_string(fixture.log()).unwrap();
    assert!(log.contains("$argon2id$") && !log.contains("zz4711zz"));
    fixture.run_ok(&["account", "pin", "clear", "bo@example.com"]);
    let shown = fixture
        .run_ok(&["account", "show", "bo@example.com", "--format", "json"])
        .json();
    assert_eq!(shown["has_pin"], false);
    // A PIN is never an argument.
    assert_eq!(
        fixture
            .run(&["account", "pin", "set", "bo@example.com", "4711"])
            .code,
        2
    );
    fixture.run_ok(&["ledger", "verify"]);
}

#[test]
fn an_export_of_credits_is_imported_into_another_ledger() {
    let fixture = BinaryFixture::new("v2");
    let members = "account,credits,expires,reason,tier,tags\n\
                   bo@example.com,4,2099-12-31,\"autumn, term\",gold,chess founder\n\
                   bo@example.com,2,,,,\nal@example.com,1,,,,\n";
    std::fs::write(fixture.path("members.csv"), members).unwrap();
    fixture.run_ok(&["credits", "import", "members.csv"]);
    fixture.run_ok(&["credits", "revoke", "al@example.com", "1"]);
    let daemon = Daemon::start(&fixture);
    let printed = fixture.run_ok(&["credits", "export"]);
    assert!(
        printed.err.contains("1 account has nothing left"),
        "{}",
        printed.err
    );
    assert_eq!(daemon.terminate().0, 0);
    fixture.run_ok(&["credits", "export", "--out", "export.csv"]);
    let file = std::fs::read_to_string(fixture.path("export.csv")).unwrap();
    assert_eq!(file, printed.out, "with the daemon up or down");
    assert_eq!(file.lines().count(), 3, "{file}");
    let again = fixture.run(&["credits", "export", "--out", "export.csv"]);
    assert_eq!(again.code, 2);
    assert!(again.err.contains("exists already"), "{}", again.err);
    let json = fixture
        .run_ok(&["credits", "export", "--format", "json"])
        .json();
    assert_eq!(
        json["rows"][0]["tags"],
        serde_json::json!(["chess", "founder"])
    );

    let other = BinaryFixture::new("v2");
    std::fs::write(other.path("export.csv"), &file).unwrap();
    for _ in 0..2 {
        other.run_ok(&["credits", "import", "export.csv"]);
        assert_eq!(other.balance("bo@example.com"), (6, 0, 0));
    }
    let output = other.run_ok(&["account", "show", "bo@example.com"]).out;
    assert!(
        output.contains("gold") && output.contains("2100-01-01"),
        "{output}"
    );
}

/// A spreadsheet that opens an export must not evaluate what a member or an operator wrote.
#[test]
fn texts_that_begin_like_formulas_are_exported_as_texts_and_imported_again() {
    let fixture = BinaryFixture::new("v2");
    let account = "+4915112345678";
    fixture.run_ok(&[
        "credits",
        "grant",
        account,
        "2",
        "--reason",
        "=1+1",
        "--reference",
        "@r",
    ]);
    fixture.run_ok(&["account", "set", account, "--tier=-gold"]);
    let file = fixture.run_ok(&["credits", "export"]).out;
    let row = file.lines().nth(1).unwrap();
    assert_eq!(row, "'+4915112345678,2,,'=1+1,'@r,'-gold,");
    let other = BinaryFixture::new("v2");
    std::fs::write(other.path("export.csv"), &file).unwrap();
    other.run_ok(&["credits", "import", "export.csv"]);
    assert_eq!(other.balance(account), (2, 0, 0));
    assert_eq!(other.run_ok(&["credits", "export"]).out, file);
    for name in ["@example.com", "=1+1"] {
        let refused = other.run(&["credits", "grant", name, "1", "--new"]);
        assert_eq!(refused.code, 2, "{}", refused.all_output());
        assert!(
            refused.err.contains("a letter or a digit"),
            "{}",
            refused.err
        );
    }
}

/// What the file shows and what only the ledger knows is reported together.
#[test]
fn an_import_names_all_problems_of_all_rows_at_once() {
    let fixture = BinaryFixture::new("v2");
    let rows = "account,credits,expires\n\
                bo@example.com,x,\n\
                cy@example.com,1,2020-01-01\n\
                di@example.com,2.5,2020-01-01\n\
                @example.com,1,\n";
    std::fs::write(fixture.path("members.csv"), rows).unwrap();
    let import = ["credits", "import", "members.csv"];
    let expect = [
        "line 2: column 2 (credits): \"x\" is not a number",
        "line 3: the expiry",
        "line 4: column 2 (credits): credits are whole numbers",
        "line 4: the expiry",
        "line 5: column 1 (account): \"@example.com\" cannot be",
    ];
    let before = std::fs::read(fixture.log()).unwrap();
    let mut daemon = None;
    for runs in [false, true] {
        daemon = daemon.or_else(|| runs.then(|| Daemon::start(&fixture)));
        let refused = fixture.run(&import);
        assert_eq!(refused.code, 2, "{}", refused.all_output());
        let lines: Vec<&str> = refused.err.lines().map(str::trim).collect();
        assert_eq!(lines.len(), 1 + expect.len(), "{}", refused.err);
        for (line, expect) in lines[1..].iter().zip(expect) {
            assert!(line.starts_with(expect), "{expect}: {}", refused.err);
        }
    }
    drop(daemon);
    assert!(std::fs::read(fixture.log()).unwrap().starts_with(&before));
    assert_eq!(fixture.run(&["account", "show", "cy@example.com"]).code, 1);
}

#[test]
fn a_backup_taken_while_a_daemon_runs_is_restored_into_an_empty_place() {
    let fixture = BinaryFixture::new("v2");
    fixture.run_ok(&["credits", "grant", "bo@example.com", "4"]);
    let uid = fixture.request_booking(fixture.event_types.lesson, "bo@example.com", "09:00:00Z");
    let daemon = Daemon::start(&fixture);
    wait_until("the confirmation", || fixture.status(&uid) == "accepted");
    wait_until("the charge", || {
        fixture.balance("bo@example.com") == (3, 0, 1)
    });
    let made = fixture
        .run_ok(&["backup", "copy", "--format", "json"])
        .json();
    fixture.run_ok(&["credits", "grant", "bo@example.com", "5"]);
    for (args, code) in [(["backup", "copy"], 2), (["restore", "copy"], 1)] {
        let refused = fixture.run(&args);
        assert_eq!(refused.code, code, "{args:?}: {}", refused.all_output());
    }
    let lines = fixture.run_ok(&["ledger", "export"]).out;
    assert_eq!(
        lines.lines().count() as u64,
        made["sequence"].as_u64().unwrap() + 1
    );
    assert!(
        lines
            .lines()
            .all(|line| line.starts_with("{\"format\":4,\"seq\":"))
    );
    assert_eq!(daemon.terminate().0, 0);

    let exported = fixture
        .run_ok(&["ledger", "export", "--out", "log.jsonl"])
        .out;
    assert!(exported.contains("Wrote"), "{exported}");
    assert_eq!(
        std::fs::read_to_string(fixture.path("log.jsonl")).unwrap(),
        lines
    );
    let offline = fixture.run_ok(&["backup", "second"]).out;
    assert!(offline.contains("the copy checked"), "{offline}");

    std::fs::rename(fixture.path("ledger"), fixture.path("lost")).unwrap();
    let restored = fixture
        .run_ok(&["restore", "copy", "--format", "json"])
        .json();
    assert_eq!(restored["hash"], made["hash"]);
    assert_eq!(fixture.balance("bo@example.com"), (3, 0, 1));
    fixture.run_ok(&["ledger", "verify"]);
    fixture.run_ok(&["run", "--once", "--watch"]);
    assert_eq!(
        fixture.call_count(Operation::Confirm),
        1,
        "nobody is confirmed again"
    );
}

#[test]
fn a_scenario_that_cannot_be_read_is_refused_with_its_cause() {
    let fixture = BinaryFixture::new("v2");
    std::fs::write(fixture.path("world.json"), r#"{"nonsense": 1}"#).unwrap();
    let refused = fixture.run(&["sandbox", "--scenario", "world.json"]);
    assert_eq!(refused.code, 2, "{}", refused.all_output());
    assert!(refused.err.contains("nonsense"), "{}", refused.err);
}
