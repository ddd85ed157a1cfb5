//! The projection in sled: what the log adds up to, fast to query and free to rebuild.
//!
//! sled 0.34 is not durable, can open an old or empty state without an error, and can panic on what
//! it finds. So the projection is never the source of truth: it is trusted only if it was closed
//! cleanly and two places confirm that; otherwise it is moved aside and rebuilt. Nothing waits for
//! the projection to be durable; at most 16 commits lie between two flushes, because more have made
//! sled hang.
//!
//! `keys` names the trees and their keys, `values` encodes records, `rows` turns changes into rows,
//! `panic_guard` contains sled's panics, and `watchdog_thread` the endless waits of its writes.
//! `projection` reads and writes rows, `value_chunks` splits values that are too long for one row,
//! `reads` finds records by their rows, `catch_up` brings the projection up to the log,
//! `rebuild_view` is the projection meanwhile, and `fingerprint` detects whether anything touched
//! the files while they were closed.

pub mod catch_up;
pub mod fingerprint;
mod index_reads;
pub mod keys;
pub mod panic_guard;
pub mod projection;
pub mod reads;
pub mod rebuild_view;
pub mod rows;
pub mod value_chunks;
pub mod values;
pub mod watchdog_thread;
