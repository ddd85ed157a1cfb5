//! The store port over log and projection, and its implementations.
//!
//! The log (`log`) is the source of truth: append-only, hash-chained, with one line and one
//! `fdatasync` per commit. The projection (`sled`) holds what the log adds up to; it is fast to
//! query and free to rebuild. `write_set` is the only way from facts to changed records, whatever
//! source the records come from. `open` brings log and projection together, and `log_store` is the
//! resulting store. `memory` is a store that keeps nothing on disk, `read_only` reads the log into
//! memory for commands that only read, `scratch` is a store whose writes are dropped, and `verify`
//! compares log and projection row by row. `codec` is the written form of everything that is
//! stored.

pub mod backup;
pub mod backup_check;
pub mod changes;
pub mod clean_shutdown_marker;
pub mod codec;
mod commit_preparation;
pub mod durable_fs;
pub mod erased_backup;
pub mod erasure_list;
pub mod ledger_transfer;
pub mod lock;
pub mod log;
pub mod log_store;
pub mod log_switch;
pub mod memory;
pub mod memory_records;
pub mod open;
pub mod open_report;
pub mod port;
pub mod projection_recovery;
pub mod queries;
pub mod read_only;
mod record_slots;
pub mod record_source;
pub mod rewrite;
pub mod rewrite_store;
pub mod scheduled_backup;
pub mod scratch;
pub mod sent_marks;
pub mod sled;
pub mod store_directory;
mod store_error;
pub mod store_parts;
pub mod store_thread;
pub mod torn_tail;
pub mod transaction;
pub mod verify;
mod versioned;
pub mod write_set;
