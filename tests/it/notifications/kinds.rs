//! What the kinds tell, and what they never tell.

use std::fs;

use maitred::daemon::clock;
use maitred::domain::time::Span;
use maitred::sandbox::booking::SandboxStatus;
use serde_json::Value;

use super::{
    BO, accepting_peer, body, command_target, configure, fixture_with, json_lines, kinds_of,
    post_target, request_of_member, request_of_stranger, write_secret,
};
use crate::fixture::binary::wait_until;

/// Without `include-people` no booker, account or title is named.
#[test]
fn operators_are_told_of_a_review_with_and_without_names() {
    for (more, names) in [("", false), ("include-people = true", true)] {
        let peer = accepting_peer();
        let fixture = fixture_with(&post_target(&peer, "\"review-needed\"", more));
        let uid = request_of_stranger(&fixture, "09:00:00Z");
        fixture.run_ok(&["run", "--once"]);
        let calls = peer.calls();
        assert_eq!(calls.len(), 1);
        let told = body(&calls[0]);
        assert_eq!(told["kind"], "review-needed");
        assert_eq!(told["audience"], "operator");
        assert_eq!(told["request"]["id"], uid);
        assert_eq!(
            told["request"]["reasons"],
            serde_json::json!(["unknown-booker"])
        );
        assert!(told["text"].as_str().unwrap().contains(&uid), "{told}");
        assert_eq!(
            told.to_string().contains("zed@example.org"),
            names,
            "{told}"
        );
        assert_eq!(told["request"]["title"].is_string(), names, "{told}");
    }
}

#[test]
fn operators_are_told_once_of_a_request_that_waits_too_long() {
    let peer = accepting_peer();
    let kinds = "\"review-waiting\"";
    let fixture = fixture_with(&post_target(&peer, kinds, "review-waiting = \"1s\""));
    request_of_stranger(&fixture, "09:00:00Z");
    wait_until("the notification", || {
        fixture.run_ok(&["run", "--once"]);
        !peer.calls().is_empty()
    });
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(kinds_of(&peer), ["review-waiting"]);
    assert!(body(&peer.calls()[0])["since"].is_string());
}

/// A stranger who types a member's address learns nothing: the notification goes to the member.
#[test]
fn members_are_told_of_their_own_account_and_strangers_of_nothing() {
    let peer = accepting_peer();
    let kinds = "\"decision\", \"low-balance\", \"credits-expiring\"";
    let fixture = fixture_with(&post_target(&peer, kinds, "low-balance = 9"));
    request_of_stranger(&fixture, "09:00:00Z");
    request_of_member(&fixture, "11:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    let told: Vec<Value> = peer.calls().iter().map(body).collect();
    assert_eq!(kinds_of(&peer), ["low-balance", "decision"], "{told:#?}");
    for one in &told {
        assert_eq!(one["audience"], "member");
        assert_eq!(one["member"]["account"], BO);
        assert_eq!(one["member"]["address"], BO);
        assert!(!one.to_string().contains("zed"), "{one}");
    }
    assert_eq!(told[0]["available"], 8);
    assert_eq!(told[1]["decision"], "confirmed");
    // The balance is still low, and the member knows it.
    request_of_member(&fixture, "13:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(kinds_of(&peer), ["low-balance", "decision", "decision"]);
    // Credits that come in between make the next fall news again.
    fixture.run_ok(&["credits", "grant", BO, "9"]);
    fixture.run_ok(&["credits", "revoke", BO, "9"]);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(kinds_of(&peer).last().unwrap(), "low-balance");
    assert_eq!(peer.calls().len(), 4);
}

#[test]
fn members_are_told_of_credits_that_expire_soon() {
    let fixture = fixture_with(&command_target("told.jsonl", "\"credits-expiring\"", ""));
    fixture.run_ok(&["credits", "grant", BO, "2", "--expires", "3days"]);
    fixture.run_ok(&["credits", "grant", BO, "2", "--expires", "30days"]);
    // All accounts are examined once an hour: the last time was two hours ago.
    let path = fixture.path("ledger/notify/target-file.json");
    let mut state: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    state["expiring_until"] = (clock::now() - Span::hours(2)).timestamp_millis().into();
    fs::write(&path, state.to_string()).unwrap();
    fixture.run_ok(&["run", "--once"]);
    let told = json_lines(&fixture, "told.jsonl");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["credits"], 2);
    assert_eq!(told[0]["available"], 13);
    assert!(told[0]["expires"].is_string());
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(json_lines(&fixture, "told.jsonl").len(), 1);
}

#[test]
fn operators_are_told_once_of_a_refused_key_and_of_passes_that_fail() {
    let peer = accepting_peer();
    let kinds = "\"key-refused\", \"passes-failing\"";
    let fixture = fixture_with(&post_target(&peer, kinds, "failing-after = \"1s\""));
    write_secret(&fixture, "key", "cal_test_key_of_another");
    let refused = fixture.run(&["run", "--once"]);
    assert_eq!(refused.code, 77, "{}", refused.all_output());
    assert_eq!(kinds_of(&peer), ["key-refused"]);
    wait_until("the second notification", || {
        fixture.run(&["run", "--once"]);
        peer.calls().len() == 2
    });
    // Another process, such as the daemon, knows that operators were told.
    let daemon = fixture.run(&["run"]);
    assert_eq!(daemon.code, 77, "{}", daemon.all_output());
    assert_eq!(kinds_of(&peer), ["key-refused", "passes-failing"]);
    // After a pass that reached its end the next failure is news.
    write_secret(&fixture, "key", crate::fixture::test_world::KEY);
    fixture.run_ok(&["run", "--once"]);
    write_secret(&fixture, "key", "cal_test_key_of_another");
    fixture.run(&["run", "--once"]);
    assert_eq!(
        kinds_of(&peer),
        ["key-refused", "passes-failing", "key-refused"]
    );
    let calls = peer.calls();
    assert_ne!(body(&calls[0])["id"], body(&calls[2])["id"]);
}

#[test]
fn operators_are_told_of_a_ledger_that_cannot_be_opened() {
    let peer = accepting_peer();
    let fixture = fixture_with(&post_target(&peer, "\"store-trouble\"", ""));
    let log = fixture.log();
    let text = fs::read_to_string(&log).unwrap();
    let last = text.trim_end().rfind('\n').unwrap();
    fs::write(&log, &text[..=last]).unwrap();
    for args in [&["run", "--once"][..], &["run"]] {
        let failed = fixture.run(args);
        assert_eq!(failed.code, 1, "{}", failed.all_output());
        assert_eq!(kinds_of(&peer), ["store-trouble"]);
    }
    configure(&fixture, &fixture.sandbox.base_url(), "");
    assert_eq!(fixture.run(&["run", "--once"]).code, 1);
}

/// A booking that others accepted is unmanaged. One that was cancelled while it was confirmed is
/// revived.
#[test]
fn operators_are_told_once_of_unmanaged_and_of_revived_bookings() {
    let peer = accepting_peer();
    let kinds = "\"unmanaged-booking\", \"revived-booking\"";
    let fixture = fixture_with(&post_target(&peer, kinds, ""));
    let unmanaged = request_of_stranger(&fixture, "09:00:00Z");
    let revived = request_of_member(&fixture, "11:00:00Z");
    let change = |uid: &str, status, cancelled_by| {
        let mut sandbox = fixture.sandbox.lock();
        let changed = sandbox.edit(uid, |booking| {
            booking.status = status;
            booking.cancelled_by = cancelled_by;
            booking.updated = Some(clock::now());
        });
        changed.unwrap();
    };
    change(&unmanaged, SandboxStatus::Accepted, None);
    change(&revived, SandboxStatus::Pending, Some(BO.to_owned()));
    for _ in 0..2 {
        fixture.run_ok(&["run", "--once", "--watch"]);
    }
    let calls = peer.calls();
    let mut told: Vec<(String, String)> = { calls.iter() }
        .map(|call| {
            let told = body(call);
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (word(&told["kind"]), word(&told["booking"]["uid"]))
        })
        .collect();
    told.sort();
    let expect = [
        ("revived-booking".to_owned(), revived),
        ("unmanaged-booking".to_owned(), unmanaged),
    ];
    assert_eq!(told, expect, "{calls:?}");
}

/// The world's offset moves the sandbox's clock, which is in the head of every answer.
#[test]
fn operators_are_told_once_of_a_clock_that_is_wrong() {
    let peer = accepting_peer();
    let fixture = fixture_with(&post_target(&peer, "\"clock-wrong\"", ""));
    let run_twice = |code: i32| {
        for _ in 0..2 {
            let ran = fixture.run(&["run", "--once"]);
            assert_eq!(ran.code, code, "{}", ran.all_output());
        }
    };
    for expect in 1..=2 {
        request_of_member(&fixture, "09:00:00Z");
        fixture.sandbox.lock().advance(Span::hours(1));
        run_twice(4);
        assert_eq!(peer.calls().len(), expect, "{:?}", kinds_of(&peer));
        fixture.sandbox.lock().advance(-Span::hours(1));
        run_twice(0);
    }
    assert_eq!(kinds_of(&peer), ["clock-wrong", "clock-wrong"]);
    let calls = peer.calls();
    assert_ne!(body(&calls[0])["id"], body(&calls[1])["id"]);
}
