//! Notifications as operators set them up: the built binary, a server of the test's own, and what
//! arrives there after lost answers, failures, kills and rebuilds.

mod dead_man;
mod delivery;
mod facts;
mod kinds;
mod transports;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::fixture::binary::BinaryFixture;
use crate::fixture::http_server::{Peer, ReceivedCall, Reply, full_response};

const BO: &str = "bo@example.com";

/// The key of signatures.
const KEY: &str = "a-key-for-signatures";

/// Returns a fixture with these targets and one account, in which a first run has found where the
/// log ends. Requests of bookers without an account wait for a review.
fn fixture_with(more: &str) -> BinaryFixture {
    let fixture = BinaryFixture::new("v2");
    write_secret(&fixture, "hook-key", KEY);
    configure(&fixture, &fixture.sandbox.base_url(), more);
    fixture.run_ok(&["credits", "grant", BO, "9"]);
    fixture.run_ok(&["run", "--once"]);
    fixture
}

fn configure(fixture: &BinaryFixture, base: &str, more: &str) {
    fixture.write_config(&format!(
        "[calcom]\nbase-url = \"{base}\"\napi-key-file = \"key\"\ntimeout = \"3s\"\n\
         budget = \"100%\"\n\n[schedule]\npoll = \"1s\"\nwatch = \"1s\"\n\n[store]\n\
         path = \"ledger\"\n\n[limits]\nseries-settle = \"1s\"\n\n{more}\n\n[[gate]]\n\
         event-types = [\"lesson\"]\ncost = 1\nunknown-booker = \"review\"\n"
    ));
}

fn write_secret(fixture: &BinaryFixture, name: &str, text: &str) {
    let path = fixture.path(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Returns a target that posts to this server.
fn post_target(peer: &Peer, kinds: &str, more: &str) -> String {
    format!(
        "[[notify]]\nname = \"hook\"\nkinds = [{kinds}]\nurl = \"{}/hook\"\n\
         key-file = \"hook-key\"\n{more}\n",
        peer.address
    )
}

/// Returns a target whose command appends what it reads to a file.
fn command_target(fixture_file: &str, kinds: &str, more: &str) -> String {
    format!(
        "[[notify]]\nname = \"file\"\nkinds = [{kinds}]\n\
         command = [\"/bin/sh\", \"-c\", \"cat >> {fixture_file}\"]\n{more}\n"
    )
}

/// Returns a server that accepts everything.
fn accepting_peer() -> Peer {
    Peer::start(|_| accepted())
}

fn accepted() -> Reply {
    Reply::Bytes(full_response("204 No Content", "", b""))
}

fn body(call: &ReceivedCall) -> Value {
    let (_, body) = call.text.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {}", call.text))
}

fn header<'a>(call: &'a ReceivedCall, name: &str) -> &'a str {
    let mut lines = call.text.lines();
    let found = lines.find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    });
    found.unwrap_or_else(|| panic!("no header {name}: {}", call.text))
}

fn kinds_of(peer: &Peer) -> Vec<String> {
    let calls = peer.calls();
    let kinds = calls
        .iter()
        .map(|call| body(call)["kind"].as_str().unwrap().to_owned());
    kinds.collect()
}

/// Requests a booking of the member, for which there is credit.
fn request_of_member(fixture: &BinaryFixture, start: &str) -> String {
    fixture.request_booking(fixture.event_types.lesson, BO, start)
}

/// Requests a booking of a stranger, which waits for a review.
fn request_of_stranger(fixture: &BinaryFixture, start: &str) -> String {
    fixture.request_booking(fixture.event_types.lesson, "zed@example.org", start)
}

/// Reads the lines of JSON that a command has written.
fn json_lines(fixture: &BinaryFixture, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(fixture.path(name)).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
