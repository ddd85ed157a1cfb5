//! At least once, each with an id: lost answers, failures, kills, rebuilds, and targets that hang.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::{
    accepted, accepting_peer, body, command_target, configure, fixture_with, header, json_lines,
    kinds_of, post_target, request_of_member, request_of_stranger,
};
use crate::fixture::binary::{BinaryFixture, Daemon, wait_until};
use crate::fixture::http_server::{Peer, Reply, full_response};

const DECISION: &str = "\"decision\"";

/// Returns a server that gives the first calls this reply, and accepts all later ones.
fn peer_that_first(reply: Reply, calls: usize) -> Peer {
    let counted = Arc::new(AtomicUsize::new(0));
    Peer::start(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        number if number < calls => reply.clone(),
        _ => accepted(),
    })
}

fn status(fixture: &BinaryFixture) -> Value {
    fixture.run_ok(&["status", "--format", "json"]).json()
}

#[test]
fn a_notification_whose_answer_is_lost_is_sent_again_with_the_same_id() {
    // The connection is closed without an answer.
    let peer = peer_that_first(Reply::Bytes(Vec::new()), 1);
    let fixture = fixture_with(&post_target(&peer, DECISION, ""));
    request_of_member(&fixture, "09:00:00Z");
    wait_until("the second delivery", || {
        fixture.run_ok(&["run", "--once"]);
        peer.calls().len() >= 2
    });
    fixture.run_ok(&["run", "--once"]);
    let calls = peer.calls();
    assert_eq!(calls.len(), 2);
    let ids: Vec<&str> = calls
        .iter()
        .map(|call| header(call, "maitred-id"))
        .collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(body(&calls[0]), body(&calls[1]));
    assert_eq!(body(&calls[0])["decision"], "confirmed");
    assert_eq!(body(&calls[0])["id"], ids[0]);
}

#[test]
fn what_happened_before_a_target_was_configured_is_not_sent() {
    let peer = accepting_peer();
    let fixture = fixture_with("");
    request_of_member(&fixture, "09:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    let target = post_target(&peer, DECISION, "");
    configure(&fixture, &fixture.sandbox.base_url(), &target);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(kinds_of(&peer), [""; 0]);
    request_of_member(&fixture, "11:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(kinds_of(&peer), ["decision"]);
}

#[test]
fn a_rebuild_of_the_projection_sends_nothing_again() {
    let peer = accepting_peer();
    let fixture = fixture_with(&post_target(&peer, "\"decision\", \"review-needed\"", ""));
    request_of_member(&fixture, "09:00:00Z");
    request_of_stranger(&fixture, "11:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    let mut kinds = kinds_of(&peer);
    kinds.sort();
    assert_eq!(kinds, ["decision", "review-needed"]);
    fs::remove_dir_all(fixture.path("ledger/projection")).unwrap();
    let _absent = fs::remove_file(fixture.path("ledger/clean-shutdown"));
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(peer.calls().len(), 2);
    // The request still waits: that is no news.
    fixture.run_ok(&["run", "--once", "--watch"]);
    assert_eq!(peer.calls().len(), 2);
}

#[test]
fn a_daemon_that_is_killed_before_it_remembers_a_delivery_sends_it_again() {
    // The server has the notification, and the daemon does not know it.
    let peer = peer_that_first(Reply::Stall(Vec::new()), 1);
    let fixture = fixture_with(&post_target(&peer, DECISION, "timeout = \"60s\""));
    request_of_member(&fixture, "09:00:00Z");
    let mut daemon = Daemon::start(&fixture);
    wait_until("the first delivery", || !peer.calls().is_empty());
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    drop(daemon);
    let daemon = Daemon::start(&fixture);
    wait_until("the second delivery", || peer.calls().len() == 2);
    let (code, _) = daemon.terminate();
    assert_eq!(code, 0);
    let calls = peer.calls();
    assert_eq!(
        header(&calls[0], "maitred-id"),
        header(&calls[1], "maitred-id")
    );
}

#[test]
fn after_failures_the_pauses_grow_and_at_last_the_notification_is_dropped() {
    let error = Reply::Bytes(full_response("500 Internal Server Error", "", b""));
    let peer = peer_that_first(error, usize::MAX);
    let target = post_target(&peer, DECISION, "give-up-after = \"2s\"");
    let fixture = fixture_with(&target);
    request_of_member(&fixture, "09:00:00Z");
    let daemon = Daemon::start(&fixture);
    wait_until("a failure", || {
        status(&fixture)["notify"][0]["last_error"] == "it answered 500"
    });
    assert!(status(&fixture)["notify"][0]["failing_since"].is_string());
    wait_until("the drop", || status(&fixture)["notify"][0]["dropped"] == 1);
    // At once, after 1 s and after 2 more.
    let attempts = peer.calls().len();
    assert!((2..=4).contains(&attempts), "{attempts} attempts");
    let plain = fixture.run_ok(&["status"]);
    assert!(
        plain
            .out
            .contains("1 notification dropped, the last one decision"),
        "{}",
        plain.out
    );
    let (_, lines) = daemon.terminate();
    let said = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(said("was not accepted; it is sent again"), 1, "{lines:#?}");
    assert_eq!(said("a notification was dropped"), 1, "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains('@')), "{lines:#?}");
}

#[test]
fn a_target_that_hangs_holds_up_neither_passes_nor_other_targets() {
    let hanging = "[[notify]]\nname = \"hangs\"\nkinds = [\"decision\"]\n\
                   command = [\"/bin/sleep\", \"1000\"]\ntimeout = \"60s\"\n";
    let fixture = fixture_with(&format!(
        "{hanging}\n{}",
        command_target("told.jsonl", DECISION, "")
    ));
    let first = request_of_member(&fixture, "09:00:00Z");
    let daemon = Daemon::start(&fixture);
    wait_until("the first decision", || {
        json_lines(&fixture, "told.jsonl").len() == 1
    });
    let second = request_of_member(&fixture, "11:00:00Z");
    wait_until("the second decision", || {
        json_lines(&fixture, "told.jsonl").len() == 2
    });
    let told = json_lines(&fixture, "told.jsonl");
    let ids: Vec<&str> = told
        .iter()
        .map(|one| one["request"]["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [first.as_str(), second.as_str()]);
    let view = status(&fixture);
    assert_eq!(view["notify"][0]["delivered"], 0);
    assert_eq!(view["notify"][1]["delivered"], 2);
    // The end of the daemon does not wait for the command.
    let (code, _) = daemon.terminate();
    assert_eq!(code, 0);
}

#[test]
fn a_run_ends_within_its_limit_and_the_next_one_continues() {
    let peer = accepting_peer();
    let hanging = "[[notify]]\nname = \"hook\"\nkinds = [\"decision\"]\n\
                   command = [\"/bin/sleep\", \"1000\"]\ntimeout = \"60s\"\n";
    let fixture = fixture_with(hanging);
    request_of_member(&fixture, "09:00:00Z");
    let ran = fixture.run_ok(&["run", "--once", "--notify-within", "300ms"]);
    assert!(
        ran.err.contains("not every notification was sent in time"),
        "{}",
        ran.err
    );
    let target = post_target(&peer, DECISION, "");
    configure(&fixture, &fixture.sandbox.base_url(), &target);
    fixture.run_ok(&["run", "--once"]);
    assert_eq!(kinds_of(&peer), ["decision"]);
}

#[test]
fn targets_that_are_added_at_a_reload_begin_with_what_follows() {
    let peer = accepting_peer();
    let fixture = fixture_with("");
    let daemon = Daemon::start(&fixture);
    request_of_member(&fixture, "09:00:00Z");
    wait_until("the first decision", || {
        fixture.balance("bo@example.com").2 == 1
    });
    let target = post_target(&peer, DECISION, "");
    configure(&fixture, &fixture.sandbox.base_url(), &target);
    daemon.signal("-HUP");
    daemon.wait_for_line("configuration reloaded");
    wait_until("the target", || {
        status(&fixture)["notify"][0]["name"] == "hook"
    });
    wait_until("its cursor", || {
        status(&fixture)["notify"][0]["delivered_to"] != 0
    });
    request_of_member(&fixture, "11:00:00Z");
    wait_until("the second decision", || !peer.calls().is_empty());
    daemon.terminate();
    assert_eq!(kinds_of(&peer), ["decision"]);
}
