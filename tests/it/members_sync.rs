//! `maitred members sync`, and the scheduled sync, as operators see them.

use std::fs;

use serde_json::Value;

use crate::fixture::binary::{BinaryFixture, Daemon, RunResult, wait_until};

const MEMBERS: &str = "address,tier,balance
ann@example.com,gold,10
bo@example.com,silver,5
cy@example.com,,0
di@example.com,,1
ed@example.com,,1
";

/// Returns a fixture whose source is a CSV file, with these further keys.
fn club(keys: &str) -> BinaryFixture {
    let fixture = BinaryFixture::new("v2");
    configure(&fixture, keys);
    write_members(&fixture, MEMBERS);
    fixture
}

fn configure(fixture: &BinaryFixture, keys: &str) {
    let source =
        format!("\n[[source]]\nname = \"club\"\ncsv = \"members.csv\"\nsync = false\n{keys}\n");
    fixture.configure("v2", &fixture.sandbox.base_url(), &source);
}

fn write_members(fixture: &BinaryFixture, text: &str) {
    fs::write(fixture.path("members.csv"), text).unwrap();
}

fn sync(fixture: &BinaryFixture, more: &[&str]) -> RunResult {
    fixture.run(&[&["members", "sync"], more].concat())
}

fn sync_json(fixture: &BinaryFixture, more: &[&str]) -> Value {
    let view = sync(fixture, &[&["--format", "json"], more].concat()).json();
    view["sources"][0].clone()
}

fn head(fixture: &BinaryFixture) -> u64 {
    let view = fixture.run_ok(&["ledger", "show", "--format", "json"]);
    let log = fs::read_to_string(fixture.log()).unwrap();
    assert_eq!(view.code, 0);
    log.lines().count() as u64
}

fn show(fixture: &BinaryFixture, account: &str) -> Value {
    fixture
        .run_ok(&["account", "show", account, "--format", "json"])
        .json()
}

/// Returns opened, changed, frozen, closed, thawed and unchanged.
fn counts(view: &Value) -> [u64; 6] {
    [
        "opened",
        "changed",
        "frozen",
        "closed",
        "thawed",
        "unchanged",
    ]
    .map(|name| view[name].as_u64().unwrap())
}

#[test]
fn a_sync_opens_changes_and_freezes_and_its_repetition_writes_nothing() {
    let fixture = club("balance = \"given\"\nmax-change = \"50%\"");
    let before = head(&fixture);
    let dry = sync(&fixture, &["--dry-run"]);
    assert_eq!(dry.code, 0, "{}", dry.all_output());
    for expect in [
        "lists 5 members",
        "5 opened, 0 changed",
        "ann@example.com",
        "10 credits granted",
    ] {
        assert!(dry.out.contains(expect), "{expect}: {}", dry.out);
    }
    assert_eq!(head(&fixture), before, "a dry run writes nothing");
    assert_eq!(counts(&sync_json(&fixture, &[])), [5, 0, 0, 0, 0, 0]);
    assert_eq!(fixture.balance("ann@example.com"), (10, 0, 0));
    assert_eq!(show(&fixture, "ann@example.com")["tier"], "gold");
    let synced = head(&fixture);
    assert_eq!(counts(&sync_json(&fixture, &[])), [0, 0, 0, 0, 0, 5]);
    assert_eq!(head(&fixture), synced, "a second sync writes nothing");
    // Ann has a booking, gets 2 more, and is silver now; Bo leaves; an operator froze Cy.
    let lesson = fixture.event_types.lesson;
    fixture.request_booking(lesson, "ann@example.com", "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    fixture.run_ok(&["account", "freeze", "cy@example.com", "--reason", "unpaid"]);
    write_members(
        &fixture,
        "address,tier,balance\nann@example.com,silver,12\ndi@example.com,,1\ned@example.com,,1\n",
    );
    let view = sync_json(&fixture, &[]);
    assert_eq!(counts(&view), [0, 2, 1, 0, 0, 3], "{view}");
    assert_eq!(fixture.balance("ann@example.com"), (11, 0, 1));
    let reason = |account: &str| show(&fixture, account)["frozen_reason"].clone();
    assert_eq!(reason("bo@example.com"), "source club: no longer a member");
    assert_eq!(reason("cy@example.com"), "unpaid");
    write_members(&fixture, MEMBERS);
    let view = sync_json(&fixture, &["--dry-run"]);
    assert_eq!(counts(&view), [0, 2, 0, 0, 1, 3], "{view}");
    // Ann has spent nothing of the 2 credits that were too many.
    assert_eq!(view["revoked"], 2);
    assert_eq!(counts(&sync_json(&fixture, &[])), [0, 2, 0, 0, 1, 3]);
    assert_eq!(reason("bo@example.com"), Value::Null);
    assert_eq!(reason("cy@example.com"), "unpaid");
    let verified = fixture.run_ok(&["ledger", "verify"]);
    assert!(
        verified.out.contains("intact") || verified.code == 0,
        "{}",
        verified.out
    );
    let statement = fixture.run_ok(&["credits", "list", "ann@example.com"]);
    assert!(statement.out.contains("source/club/"), "{}", statement.out);
}

#[test]
fn a_broken_export_freezes_no_member() {
    let fixture = club("");
    sync(&fixture, &[]);
    let before = head(&fixture);
    // what the file holds, what the refusal says
    let rows = [
        (
            "address\n",
            "it lists no member, and 5 accounts are its members'",
        ),
        (
            "address\nann@example.com\n",
            "4 of 5 accounts would change, and max-change is 20%",
        ),
        ("mail\nann@example.com\n", "has no column `address`"),
        ("", "has no column `address`"),
        (
            "address,tier\nann@example.com\n",
            "line 2 has another number of columns",
        ),
    ];
    for (text, expect) in rows {
        write_members(&fixture, text);
        let refused = sync(&fixture, &[]);
        assert_eq!(refused.code, 1, "{text:?}: {}", refused.all_output());
        assert!(refused.out.contains(expect), "{text:?}: {}", refused.out);
        assert_eq!(head(&fixture), before, "{text:?}");
    }
    // A row without a usable address could be anybody's, so no account counts as a leaver.
    let broken_row = MEMBERS.replace("bo@example.com", "bo at example.com");
    write_members(&fixture, &broken_row);
    let view = sync_json(&fixture, &[]);
    assert_eq!(counts(&view), [0, 0, 0, 0, 0, 5], "{view}");
    let problems = view["problems"].to_string();
    assert!(
        problems.contains("members.csv line 3: its `address` is not"),
        "{problems}"
    );
    assert_eq!(head(&fixture), before);
    // An operator who means it says why.
    write_members(&fixture, "address\nann@example.com\n");
    let usage = sync(&fixture, &["--force"]);
    assert_eq!(usage.code, 2, "{}", usage.all_output());
    let forced = sync(&fixture, &["--force", "--reason", "the season is over"]);
    assert_eq!(forced.code, 0, "{}", forced.all_output());
    assert!(forced.out.contains("4 changed (4 frozen"), "{}", forced.out);
    assert!(show(&fixture, "bo@example.com")["frozen_reason"].is_string());
}

#[test]
fn closed_leavers_are_opened_again_when_they_are_listed_again() {
    let fixture = club("leavers = \"close\"\nbalance = \"given\"");
    sync(&fixture, &[]);
    write_members(&fixture, &MEMBERS.replace("bo@example.com,silver,5\n", ""));
    let view = sync_json(&fixture, &[]);
    assert_eq!(counts(&view), [0, 1, 0, 1, 0, 4], "{view}");
    let lesson = fixture.event_types.lesson;
    let uid = fixture.request_booking(lesson, "bo@example.com", "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.status(&uid), "pending");
    write_members(&fixture, MEMBERS);
    assert_eq!(counts(&sync_json(&fixture, &[])), [0, 1, 0, 0, 1, 4]);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(fixture.status(&uid), "accepted");
}

#[test]
fn an_unknown_or_unusable_source_is_named() {
    let fixture = club("");
    let refused = sync(&fixture, &["--source", "shop"]);
    assert_eq!(refused.code, 2, "{}", refused.all_output());
    assert!(
        refused.err.contains("no source \"shop\" is configured"),
        "{}",
        refused.err
    );
    fixture.configure("v2", &fixture.sandbox.base_url(), "");
    let refused = sync(&fixture, &[]);
    assert!(
        refused.err.contains("no source that lists its members"),
        "{}",
        refused.err
    );
    let url = "\n[[source]]\nname = \"club\"\nurl = \"http://127.0.0.1:9/{address}\"\n";
    fixture.configure("v2", &fixture.sandbox.base_url(), url);
    let refused = sync(&fixture, &["--source", "club"]);
    assert!(
        refused.err.contains("give it a url-all or a query-all"),
        "{}",
        refused.err
    );
}

/// The daemon syncs by schedule and on command; `run --once` by the same schedule.
#[test]
fn the_daemon_and_a_timer_sync_by_schedule() {
    let fixture = club("");
    let text = fs::read_to_string(fixture.path("config.toml")).unwrap();
    let text = text
        .replace("sync = false\n", "")
        .replace("[schedule]\n", "[schedule]\nsync = \"1h\"\n");
    fixture.write_config(&text);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(show(&fixture, "bo@example.com")["tier"], "silver");
    assert!(fixture.path("ledger/synced").exists());
    // Not due again for an hour.
    write_members(&fixture, &MEMBERS.replace("silver", "gold"));
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(show(&fixture, "bo@example.com")["tier"], "silver");
    let daemon = Daemon::start(&fixture);
    let view = sync_json(&fixture, &[]);
    assert_eq!(counts(&view), [0, 1, 0, 0, 0, 4], "{view}");
    assert_eq!(show(&fixture, "bo@example.com")["tier"], "gold");
    let (code, lines) = daemon.terminate();
    assert_eq!(code, 0, "{lines:?}");
    // A daemon that has never synced does so at once.
    fs::remove_file(fixture.path("ledger/synced")).unwrap();
    write_members(&fixture, &MEMBERS.replace("silver", "bronze"));
    let daemon = Daemon::start(&fixture);
    wait_until("the sync", || {
        show(&fixture, "bo@example.com")["tier"] == "bronze"
    });
    wait_until("the time of the sync", || {
        fixture.path("ledger/synced").exists()
    });
    let lines = daemon.wait_for_line("members were taken over from a source");
    let line = lines.last().unwrap();
    assert!(line.contains("changed=1") && !line.contains('@'), "{line}");
    drop(daemon);
}
