//! Campaigns: simulation, kills, power cuts, disk faults, hostile servers, and load. `cargo test`
//! runs a small part of each. docs/reliability.md says how to run a whole campaign.

#![expect(clippy::unwrap_used, reason = "tests panic")]

#[path = "../fixture/mod.rs"]
mod fixture;
#[path = "../it/corpora/wire.rs"]
mod wire;

mod child_process;
mod crash_fixture;
mod disk_faults;
mod hostile_peers;
mod kills;
mod large_ledger;
mod load;
mod power_cut;
mod rng;
mod shim;
mod simulation;
mod workload;

/// The allocator of the binary: campaigns measure memory as in operation.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
