//! The dead-man switch is called after a pass that listed bookings, and only then.

use super::{accepting_peer, configure, fixture_with, write_secret};
use crate::fixture::binary::{BinaryFixture, Daemon, wait_until};
use crate::fixture::http_server::{Peer, Reply, full_response};

const SECTION: &str = "[dead-man]\nurl-file = \"ping-url\"\ntimeout = \"1s\"\n";

/// Where no server listens.
const NOWHERE: &str = "http://127.0.0.1:9";

fn fixture_with_switch(peer: &Peer) -> BinaryFixture {
    let fixture = fixture_with("");
    write_secret(
        &fixture,
        "ping-url",
        &format!("{}/ping/5ecre7", peer.address),
    );
    configure(&fixture, &fixture.sandbox.base_url(), SECTION);
    fixture
}

#[test]
fn only_a_run_that_listed_bookings_calls_the_switch() {
    let peer = accepting_peer();
    let fixture = fixture_with_switch(&peer);
    fixture.run_ok(&["run", "--once", "--dry-run"]);
    fixture.run_ok(&["plan"]);
    assert_eq!(peer.calls().len(), 0);
    configure(&fixture, NOWHERE, SECTION);
    let failed = fixture.run(&["run", "--once"]);
    assert_eq!(failed.code, 69, "{}", failed.all_output());
    assert_eq!(peer.calls().len(), 0);
    configure(&fixture, &fixture.sandbox.base_url(), SECTION);
    fixture.run_ok(&["run", "--once"]);
    let calls = peer.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].target, "/ping/5ecre7");
}

#[test]
fn the_daemon_calls_the_switch_after_each_poll() {
    let peer = accepting_peer();
    let fixture = fixture_with_switch(&peer);
    let daemon = Daemon::start(&fixture);
    wait_until("two calls", || peer.calls().len() >= 2);
    let view = fixture.run_ok(&["status", "--format", "json"]).json();
    let passes = usize::try_from(view["passes"].as_u64().unwrap()).unwrap();
    assert!(peer.calls().len() <= passes + 1, "{view}");
    assert!(view["dead_man"]["last_call_at"].is_string(), "{view}");
    daemon.terminate();
}

#[test]
fn calls_that_fail_are_logged_once_and_stop_nothing() {
    let peer = Peer::start(|_| Reply::Bytes(full_response("503 Busy", "", b"")));
    let fixture = fixture_with_switch(&peer);
    let daemon = Daemon::start(&fixture);
    wait_until("two calls", || peer.calls().len() >= 2);
    wait_until("the failure in the status", || {
        let view = fixture.run_ok(&["status", "--format", "json"]).json();
        view["dead_man"]["last_error"] == "it answered 503"
    });
    let (code, lines) = daemon.terminate();
    assert_eq!(code, 0);
    let said = lines
        .iter()
        .filter(|line| line.contains("dead-man switch could not be called"));
    assert_eq!(said.count(), 1, "{lines:#?}");
    assert!(
        !lines.iter().any(|line| line.contains("5ecre7")),
        "{lines:#?}"
    );
}
