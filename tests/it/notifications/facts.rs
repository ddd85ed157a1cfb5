//! Facts for the operator's own systems: what they say, that none is lost or overtaken, and the file
//! that they are appended to.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use maitred::daemon::clock;
use maitred::sandbox::action::{BookingRemark, ThirdPartyAction};
use serde_json::Value;

use super::{
    BO, accepted, body, configure, fixture_with, json_lines, kinds_of, post_target,
    request_of_member,
};
use crate::fixture::binary::{BinaryFixture, Daemon, wait_until};
use crate::fixture::http_server::{Peer, Reply, full_response};

const ALL: &str =
    "\"confirmed\", \"declined\", \"charged\", \"moved\", \"refunded\", \"granted\", \"expired\"";

fn file_target(kinds: &str, more: &str) -> String {
    format!("[[notify]]\nname = \"facts\"\nkinds = [{kinds}]\nfile = \"facts.jsonl\"\n{more}\n")
}

fn facts(fixture: &BinaryFixture) -> Vec<Value> {
    json_lines(fixture, "facts.jsonl")
}

fn kinds(facts: &[Value]) -> Vec<&str> {
    facts
        .iter()
        .map(|fact| fact["kind"].as_str().unwrap())
        .collect()
}

fn cancel(fixture: &BinaryFixture, uid: &str) {
    let cancel = ThirdPartyAction::BookerCancels(BookingRemark::without_reason(uid));
    fixture.sandbox.lock().act(clock::now(), cancel).unwrap();
}

#[test]
fn facts_are_appended_in_order_with_the_account_the_booking_and_the_credits() {
    let fixture = fixture_with(&file_target(ALL, ""));
    let grant = [
        "credits",
        "grant",
        BO,
        "2",
        "--reference",
        "dues",
        "--reason",
        "for Bo",
    ];
    fixture.run_ok(&grant);
    let uid = request_of_member(&fixture, "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    let found = facts(&fixture);
    let mut sorted = kinds(&found);
    assert_eq!(sorted[0], "granted");
    sorted.sort_unstable();
    assert_eq!(sorted, ["charged", "confirmed", "granted"]);
    let of = |kind: &str| found.iter().find(|fact| fact["kind"] == kind).unwrap();
    assert_eq!(of("granted")["fact"]["reference"], "dues");
    assert_eq!(of("granted")["fact"]["credits"], 2);
    assert_eq!(of("charged")["fact"]["credits"], 1);
    for kind in ["charged", "confirmed"] {
        assert_eq!(of(kind)["fact"]["booking"], *uid, "{kind}");
        assert_eq!(of(kind)["fact"]["account"], BO, "{kind}");
        assert_eq!(of(kind)["audience"], "system");
    }
    assert_eq!(of("confirmed")["request"]["id"], *uid);
    let all = found.iter().map(Value::to_string).collect::<String>();
    assert!(!all.contains("for Bo"), "reasons are of people: {all}");
    assert!(of("confirmed")["request"]["title"].is_null());
    let commits: Vec<u64> = found
        .iter()
        .map(|f| f["fact"]["commit"].as_u64().unwrap())
        .collect();
    assert!(commits.is_sorted(), "{commits:?}");
    // The charge comes back.
    fixture.run_ok(&["charges", "settle", &uid, "refund"]);
    fixture.run_ok(&["run", "--once"]);
    let found = facts(&fixture);
    let last = found.last().unwrap();
    assert_eq!(
        (&last["kind"], &last["fact"]["credits"]),
        (&"refunded".into(), &1.into())
    );
    assert_eq!(last["fact"]["booking"], *uid);
    // Nothing is written twice, also after a rebuild of the projection.
    fs::remove_dir_all(fixture.path("ledger/projection")).unwrap();
    let _absent = fs::remove_file(fixture.path("ledger/clean-shutdown"));
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(facts(&fixture).len(), found.len());
    let ids: std::collections::BTreeSet<&str> = found
        .iter()
        .map(|fact| fact["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), found.len());
}

#[test]
fn a_request_that_is_declined_is_a_fact_and_so_is_the_cancellation_of_a_charge() {
    let fixture = fixture_with(&file_target(
        "\"declined\", \"refunded\"",
        "include-people = true",
    ));
    fixture.run_ok(&["account", "freeze", BO, "--reason", "unpaid"]);
    fixture.run_ok(&["account", "thaw", BO]);
    let first = request_of_member(&fixture, "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    fixture.run_ok(&["credits", "revoke", BO, "8"]);
    let second = request_of_member(&fixture, "11:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    let found = facts(&fixture);
    assert_eq!(kinds(&found), ["declined"], "{found:?}");
    assert_eq!(found[0]["fact"]["booking"], *second);
    assert_eq!(
        found[0]["request"]["reasons"],
        serde_json::json!(["short-of-credit"])
    );
    cancel(&fixture, &first);
    fixture.run_ok(&["run", "--once", "--watch"]);
    let found = facts(&fixture);
    assert_eq!(kinds(&found), ["declined", "refunded"], "{found:?}");
    assert!(found[1]["fact"]["reason"].is_string(), "{}", found[1]);
}

/// A receiver that fails is asked again and again: nothing is dropped, and nothing overtakes.
#[test]
fn a_fact_that_is_not_accepted_holds_back_the_later_ones_and_is_never_dropped() {
    let works = Arc::new(AtomicBool::new(false));
    let answers = Arc::clone(&works);
    let peer = Peer::start(move |_| match answers.load(Ordering::SeqCst) {
        true => accepted(),
        false => Reply::Bytes(full_response("500 Internal Server Error", "", b"")),
    });
    let fixture = fixture_with(&post_target(&peer, "\"granted\"", ""));
    for (number, credits) in ["1", "2", "3"].into_iter().enumerate() {
        let name = format!("g{number}");
        fixture.run_ok(&["credits", "grant", BO, credits, "--reference", &name]);
    }
    let daemon = Daemon::start(&fixture);
    wait_until("a second try", || peer.calls().len() >= 2);
    let tried: Vec<Value> = peer.calls().iter().map(body).collect();
    assert!(
        tried.iter().all(|one| one["fact"]["reference"] == "g0"),
        "{tried:?}"
    );
    assert!(tried.iter().all(|one| one["id"] == tried[0]["id"]));
    let status = fixture.run_ok(&["status", "--format", "json"]).json();
    assert_eq!(status["notify"][0]["last_error"], "it answered 500");
    works.store(true, Ordering::SeqCst);
    let failed = peer.calls().len();
    wait_until("all facts", || {
        peer.calls()
            .iter()
            .any(|call| body(call)["fact"]["reference"] == "g2")
    });
    let references: Vec<Value> = peer.calls()[failed..]
        .iter()
        .map(|call| body(call)["fact"]["reference"].clone())
        .filter(|reference| reference != "g0")
        .collect();
    assert_eq!(references, ["g1", "g2"]);
    assert!(kinds_of(&peer).iter().all(|kind| kind == "granted"));
    drop(daemon);
}

#[test]
fn the_file_survives_rotation_a_torn_line_and_a_folder_that_is_missing_for_a_while() {
    let fixture = fixture_with(&file_target("\"granted\"", ""));
    let grant = |name: &str| {
        fixture.run_ok(&["credits", "grant", BO, "1", "--reference", name]);
    };
    let references = |name: &str| -> Vec<Value> {
        let found = json_lines(&fixture, name);
        found
            .iter()
            .map(|fact| fact["fact"]["reference"].clone())
            .collect()
    };
    let daemon = Daemon::start(&fixture);
    grant("a");
    wait_until("the first line", || references("facts.jsonl") == ["a"]);
    fs::rename(fixture.path("facts.jsonl"), fixture.path("facts.1")).unwrap();
    grant("b");
    wait_until("a new file", || references("facts.jsonl") == ["b"]);
    assert_eq!(references("facts.1"), ["a"]);
    daemon.terminate();
    // A crash in the middle of a line.
    let text = fs::read_to_string(fixture.path("facts.jsonl")).unwrap();
    fs::write(
        fixture.path("facts.jsonl"),
        format!("{text}{}", &text[..text.len() / 2]),
    )
    .unwrap();
    grant("c");
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(references("facts.jsonl"), ["b", "c"]);
    // What is in the way is named, and the fact waits.
    fs::remove_file(fixture.path("facts.jsonl")).unwrap();
    fs::create_dir(fixture.path("facts.jsonl")).unwrap();
    grant("d");
    let daemon = Daemon::start(&fixture);
    wait_until("the failure is shown", || {
        let status = fixture.run_ok(&["status", "--format", "json"]).json();
        let error = status["notify"][0]["last_error"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        error.contains("facts.jsonl: it is not a regular file")
    });
    fs::remove_dir(fixture.path("facts.jsonl")).unwrap();
    wait_until("the fact", || references("facts.jsonl") == ["d"]);
    drop(daemon);
}

#[test]
fn a_new_target_begins_with_what_happens_from_now_on() {
    let fixture = fixture_with("");
    fixture.run_ok(&["credits", "grant", BO, "1"]);
    let target = file_target("\"granted\"", "");
    configure(&fixture, &fixture.sandbox.base_url(), &target);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(facts(&fixture), [Value::Null; 0]);
    fixture.run_ok(&["credits", "grant", BO, "1", "--reference", "new"]);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(facts(&fixture)[0]["fact"]["reference"], "new");
}
