//! The real client and whole passes against hostile or broken servers: memory and time are bounded,
//! nothing is acted on, and the error is clear. `calcom_client.rs` tests what one call does with
//! one odd answer; the tests here cover the sizes, the speeds, the identities, and every field of
//! every recording changed in turn.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test: what goes wrong fails it, and it tells what it exercised"
)]

mod common;
#[path = "hostile_peers/memory.rs"]
mod memory;
#[path = "hostile_peers/model_server.rs"]
mod model_server;
#[path = "hostile_peers/mutated_answers.rs"]
mod mutated_answers;
#[path = "hostile_peers/odd_names.rs"]
mod odd_names;
#[path = "hostile_peers/passes.rs"]
mod passes;
#[path = "hostile_peers/peer.rs"]
mod peer;
#[path = "hostile_peers/peer_fixture.rs"]
mod peer_fixture;
#[path = "hostile_peers/slow_answers.rs"]
mod slow_answers;
#[path = "hostile_peers/tls.rs"]
mod tls;
#[path = "hostile_peers/useless_answers.rs"]
mod useless_answers;
#[path = "hostile_peers/watch_lists.rs"]
mod watch_lists;
#[path = "hostile_peers/watches.rs"]
mod watches;
#[path = "corpora/wire.rs"]
mod wire;
