//! The fold in sled: what the log adds up to, quick to ask and free to rebuild.
//!
//! sled 0.34 is not durable, can open old or empty without an error, and can panic on what it finds.
//! So nothing here is the truth: the fold is trusted only when it was closed cleanly and says so in
//! two places, and whatever else is found is moved aside and made anew. Nothing waits for it to be
//! durable; at most 16 commits lie between two of its flushes, because more have made it hang.
//!
//! `keys` names the trees and their keys, `values` writes records, `rows` turns changes into rows,
//! `guard` keeps sled's panics in, and `worker` the endless waits of its writes; `fold` reads and
//! writes rows, `parts` those that are too long for one, `ask` finds records by them, `catch_up` brings
//! them up to the log, `beneath` is the fold while that is done, `print` tells whether anything touched
//! the files meanwhile.

pub mod catch_up;
pub mod fingerprint;
pub mod keys;
pub mod panic_guard;
pub mod projection;
pub mod reads;
pub mod rebuild_view;
pub mod rows;
pub mod value_chunks;
pub mod values;
pub mod watchdog_thread;
