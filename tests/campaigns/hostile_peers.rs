//! The real client and whole passes against hostile or broken servers: memory and time are bounded,
//! nothing is acted on, and the error is clear. `calcom_client.rs` tests what one call does with
//! one odd answer; the tests here cover the sizes, the speeds, the identities, and every field of
//! every recording changed in turn.

#![expect(
    clippy::print_stdout,
    reason = "a test: what goes wrong fails it, and it tells what it exercised"
)]

mod memory;
mod model_server;
mod mutated_answers;
mod odd_names;
mod passes;
mod peer_fixture;
mod slow_answers;
mod tls;
mod useless_answers;
mod watch_lists;
mod watches;
