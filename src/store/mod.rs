//! The port over log and fold, and what stands behind it.
//!
//! The log (`log`) is the truth: append-only, hash-chained, one line and one `fdatasync` a commit.
//! The fold (`sled`) holds what the log adds up to, quick to ask and free to rebuild; `overlay` is
//! the one way from facts to changed records, whatever lies beneath. `open` brings both together,
//! `opened` is the store that comes out, `memory` is one that keeps nothing, `reading` the log in
//! memory for commands that only look, `scratch` one whose writes are dropped, `verify` compares the two
//! halves record by record. `record` is the written form of everything that is kept.

pub mod backup;
pub mod changes;
pub mod clean_shutdown_marker;
pub mod codec;
mod commit_preparation;
pub mod durable_fs;
pub mod lock;
pub mod log;
pub mod log_store;
pub mod memory;
pub mod open;
pub mod port;
pub mod projection_recovery;
pub mod queries;
pub mod read_only;
pub mod scratch;
pub mod sent_marks;
pub mod sled;
pub mod store_directory;
pub mod store_thread;
pub mod torn_tail;
pub mod verify;
pub mod write_set;
