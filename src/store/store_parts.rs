//! What an open store consists of, and the sizes at which it behaves differently.

use super::clean_shutdown_marker::AppliedCommit;
use super::log::append::Appender;
use super::log::segment::SEGMENT_LIMIT;
use super::sent_marks::SentMarks;
use super::sled::catch_up::MAX_RECORDS;
use super::sled::projection::Projection;

/// A log of up to this many bytes is checked line by line at every opening, which takes some tens
/// of milliseconds. In a longer log that was closed cleanly, only the lines written since are
/// checked; `ledger verify` and every rebuild check the whole log.
const CHECK_LIMIT: u64 = 8 * 1024 * 1024;

/// Sizes at which the store behaves differently; tests make them small.
#[derive(Debug, Clone, Copy)]
pub struct StoreLimits {
    /// The size in bytes from which a new segment is begun.
    pub segment_bytes: u64,
    /// The size of the log in bytes above which a trusted projection spares reading the whole log.
    pub full_check_bytes: u64,
    /// Records held in memory while the projection is rebuilt.
    pub max_records: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            segment_bytes: SEGMENT_LIMIT,
            full_check_bytes: CHECK_LIMIT,
            max_records: MAX_RECORDS,
        }
    }
}

/// Everything of an open store but its lock.
pub(super) struct StoreParts {
    pub(super) appender: Appender,
    pub(super) projection: Projection,
    pub(super) applied: AppliedCommit,
    pub(super) sent_marks: SentMarks,
}
