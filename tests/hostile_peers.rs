//! The real client and whole passes against servers that mean no good, or are broken: bounded in
//! memory and time, nothing acted on, a clear error. What one call does with one odd answer is in
//! `calcom_client.rs`; here are the sizes, the paces, the identities, and every field of every
//! recording changed in turn.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test: what goes wrong fails it, and it tells what it exercised"
)]

#[path = "hostile_peers/cal.rs"]
mod cal;
mod common;
#[path = "hostile_peers/door.rs"]
mod door;
#[path = "hostile_peers/memory.rs"]
mod memory;
#[path = "hostile_peers/mutate.rs"]
mod mutate;
#[path = "hostile_peers/names.rs"]
mod names;
#[path = "hostile_peers/pages.rs"]
mod pages;
#[path = "hostile_peers/passes.rs"]
mod passes;
#[path = "hostile_peers/peer.rs"]
mod peer;
#[path = "hostile_peers/slow.rs"]
mod slow;
#[path = "hostile_peers/tls.rs"]
mod tls;
#[path = "hostile_peers/watch_lists.rs"]
mod watch_lists;
#[path = "hostile_peers/watches.rs"]
mod watches;
#[path = "corpora/wire.rs"]
mod wire;
