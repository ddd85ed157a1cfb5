//! The log read into memory, for commands that only read. Nothing is written, no lock is taken and
//! no projection is created on disk. So a command that is run as root leaves nothing that the
//! service could not use, and a daemon that starts meanwhile is not kept from its store.

use std::path::Path;

use super::clean_shutdown_marker;
use super::log::reader::{LogEnd, LogReader};
use super::log::segment;
use super::log_switch;
use super::memory::MemoryStore;
use super::memory_records::MemoryRecords;
use super::open_report::OpenError;
use super::projection_recovery;
use super::sent_marks;
use super::store_directory;
use super::write_set::WriteSet;
use crate::domain::ledger::ApplyError;
use crate::domain::progress::{Progress, WorkStep};

/// A store that was read from a log.
pub struct ReadOnlyStore {
    /// The records that the log adds up to.
    pub store: MemoryStore,
    /// A warning about a torn line at the end of the log, if there is one.
    pub torn_line_warning: Option<String>,
}

/// Bytes read between two progress reports.
const PROGRESS_EVERY: u64 = 1024 * 1024;

/// Reads the log of the store in this directory up to its end, whether or not another process is
/// writing to it. Commits are read again from the log when they are needed, so that memory grows
/// with the records and not with their history.
///
/// # Errors
/// When there is no log, or it fails its checks, as for [`super::open::open`].
pub fn read(path: &Path, progress: &mut dyn FnMut(Progress)) -> Result<ReadOnlyStore, OpenError> {
    if !store_directory::has_log(path)? {
        return Err(OpenError::NoStore(path.to_owned()));
    }
    // The marker is read before the log, which only grows, so that the marker never names a commit
    // that was made after the log was read.
    let marker = clean_shutdown_marker::read(path)?;
    let log = log_switch::current_log(path);
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
            progress(Progress {
                step: WorkStep::ReadLog,
                done,
                total: Some(total),
            });
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
