//! Load. Ten thousand requests that wait at once, with a hundred thousand accounts; and a month of
//! a house's life. The daemon's own loop, client, store and schedule run in a process of their own,
//! whose memory is measured; the sandbox is served by this one, and so is not counted.
//!
//! By default both are small. `MAITRED_LOAD=10000` asks for so many requests (and ten times as many
//! accounts), `MAITRED_SOAK_DAYS=30` for so many days; `--nocapture` shows the numbers.

#![allow(clippy::unwrap_used, reason = "tests panic")]
#![allow(clippy::print_stderr, reason = "the numbers are printed")]

mod common;
#[path = "load/house.rs"]
mod house;
#[path = "load/process.rs"]
mod process;
#[path = "load/rush.rs"]
mod rush;
#[path = "load/soak.rs"]
mod soak;

/// What the binary runs on too: memory is to be measured as it will be.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn number(name: &str, default: usize) -> usize {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().unwrap())
}

#[test]
fn as_a_child_process() {
    process::play();
}

#[test]
fn all_who_wait_at_once_are_answered_once() {
    rush::rush(number("MAITRED_LOAD", 500));
}

#[test]
fn a_month_leaves_nothing_behind_but_its_decisions() {
    soak::soak(number("MAITRED_SOAK_DAYS", 3));
}
