//! The log read into memory: for commands that only look. Nothing is written, no lock is taken and no
//! projection is made on disk, so that a command typed as root leaves nothing that the service could
//! not use, and a daemon that starts meanwhile is not kept from its store.

use std::path::Path;

use super::clean_shutdown_marker;
use super::log::reader::{LogEnd, LogReader};
use super::log::segment;
use super::log_store::LOG;
use super::memory::{MemoryRecords, MemoryStore};
use super::open::{OpenError, Progress};
use super::port::StoreError;
use super::projection_recovery;
use super::sent_marks;
use super::store_directory;
use super::write_set::WriteSet;
use crate::domain::ledger::ApplyError;

/// What was read.
pub struct ReadOnlyStore {
    pub store: MemoryStore,
    /// What there is to say about a line at the end that is not whole.
    pub torn_line_warning: Option<String>,
}

/// Bytes read between two words of progress.
const PROGRESS_EVERY: u64 = 8 * 1024 * 1024;

/// Reads the log of the store in this directory up to its end, whether another process is writing to
/// it or not. What commits say is read again from the log when it is asked for, so that the memory
/// grows with the records and not with their history.
///
/// # Errors
/// When there is no log, or it does not check: as [`super::open::open`].
pub fn read(path: &Path, progress: &mut dyn FnMut(Progress)) -> Result<ReadOnlyStore, OpenError> {
    if !store_directory::has_log(path)? {
        return Err(OpenError::NoStore(path.to_owned()));
    }
    // Before the log, which only grows: so it never names a commit that was made after the walk.
    let marker = clean_shutdown_marker::read(path)?;
    let log = path.join(LOG);
    let total = projection_recovery::log_size(&log, u32::MAX)?;
    let marker_commit = marker.map(|marker| (marker.applied.seq, marker.applied.hash));
    let mut memory = MemoryRecords::of_log(&log);
    let mut reader = LogReader::open(&log)?;
    let mut has_marker_line =
        marker_commit.is_none() || marker_commit == Some((0, reader.end().head));
    let (mut done, mut last_reported) = (0, 0);
    while let Some(line) = reader.next_line()? {
        has_marker_line |= marker_commit == Some((line.seq, line.hash));
        let (position, commit) = (line.position, line.commit());
        let commit = commit.map_err(|fault| reader.last_line_error(fault))?;
        let mut write_set = WriteSet::new(&memory);
        write_set.apply(&commit).map_err(|error| match error {
            ApplyError::Violation(violation) => {
                OpenError::Log(reader.violation_error(position, violation))
            }
            ApplyError::Read(error) => OpenError::Projection(error),
        })?;
        let changes = write_set.into_changes();
        memory.apply_changes(changes);
        memory.add_position(position);
        done += reader.text().len() as u64;
        if done - last_reported >= PROGRESS_EVERY {
            last_reported = done;
            progress(Progress { done, total });
        }
    }
    let end = reader.end();
    let closed_after = marker.map_or(0, |marker| marker.applied.seq);
    if closed_after > end.chain.seq + u64::from(end.torn_bytes > 0) {
        return Err(OpenError::LogTooShort {
            end: end.chain.seq,
            closed_after,
            log,
            marker: path.join(clean_shutdown_marker::NAME),
        });
    }
    if !has_marker_line && closed_after <= end.chain.seq {
        return Err(OpenError::LogReplaced {
            closed_after,
            log,
            marker: path.join(clean_shutdown_marker::NAME),
        });
    }
    let torn_line_warning = warn_of_torn_line(&log, &end);
    Ok(ReadOnlyStore {
        store: MemoryStore::read_only(memory, end.head, sent_marks::read(path)?),
        torn_line_warning,
    })
}

fn warn_of_torn_line(log: &Path, end: &LogEnd) -> Option<String> {
    (end.torn_bytes > 0).then(|| {
        format!(
            "the log ends in a torn line ({} line {}, {} bytes), which is not read: another process \
             is writing it, or a crash left it, and then the next start cuts it off",
            segment::path(log, end.position.segment).display(),
            end.line_number,
            end.torn_bytes
        )
    })
}

/// What a commit through a store that was only read is refused with.
pub(super) fn read_only_error() -> StoreError {
    StoreError {
        text: "write to the ledger: it was opened for reading only, which is a defect; please report it"
            .to_owned(),
        source: None,
    }
}
