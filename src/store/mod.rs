//! The port over log and fold, and what stands behind it.
//!
//! The log (`log`) is the truth: append-only, hash-chained, one line and one `fdatasync` a commit.
//! The fold (`sled`) holds what the log adds up to, quick to ask and free to rebuild; `overlay` is
//! the one way from facts to changed records, whatever lies beneath. `open` brings both together,
//! `opened` is the store that comes out, `memory` is one that keeps nothing, `reading` the log in
//! memory for commands that only look, `scratch` one whose writes are dropped, `verify` compares the two
//! halves record by record. `record` is the written form of everything that is kept.

pub mod catalogue;
pub mod changes;
pub mod copy;
mod credits_back;
pub mod disk;
pub mod ground;
pub mod handle;
pub mod lock;
pub mod log;
pub mod marker;
pub mod memory;
pub mod open;
pub mod opened;
pub mod overlay;
pub mod port;
pub mod reading;
pub mod record;
pub mod scratch;
pub mod sent;
pub mod sled;
pub mod tail;
pub mod trust;
pub mod verify;
