//! Opens the store in this order, because each step relies on those before it: take the lock; read
//! the log's lines; cut off a torn tail; make what was read durable; remove the clean shutdown
//! marker; only then trust or rebuild the projection; and finally open the end of the log for
//! writing.

use std::path::Path;

use super::clean_shutdown_marker::{self, Marker};
use super::durable_fs::{self};
use super::lock::Lock;
use super::log::append::Appender;
use super::log::reader::{LogEnd, LogReader};
use super::log::segment::{self, HashChain, SegmentError};
use super::log_store::{LOG, LogStore};
use super::log_switch::{self, FoundRewrite};
use super::open_report::{OpenError, OpenNotice};
use super::port::StoreError;
use super::projection_recovery;
use super::sent_marks::SentMarks;
use super::sled::projection::Projection;
use super::store_directory;
use super::store_parts::{StoreLimits, StoreParts};
use super::torn_tail;
use crate::domain::id::RequestId;
use crate::domain::progress::{Progress, WorkStep};
use crate::domain::time::Time;

/// Bytes checked between two progress reports.
const PROGRESS_EVERY: u64 = 1024 * 1024;

/// How many open intents are read at once.
const INTENTS_AT_ONCE: usize = 1_000;

/// Whether a missing store may be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateIfMissing {
    /// A new ledger is made.
    Yes,
    /// Opening fails.
    No,
}

/// A store that is ready for use, and the notices about its opening.
pub struct OpenedStore {
    /// The store.
    pub store: LogStore,
    /// What happened while the store was opened, in order.
    pub notices: Vec<OpenNotice>,
}

impl From<SegmentError> for OpenError {
    fn from(error: SegmentError) -> Self {
        Self::Log(error.into())
    }
}

/// Opens the store in this directory.
///
/// # Errors
/// See [`OpenError`]; each says what to do.
pub fn open(
    path: &Path,
    create: CreateIfMissing,
    now: Time,
    progress: &mut dyn FnMut(Progress),
) -> Result<OpenedStore, OpenError> {
    open_with(path, create, now, StoreLimits::default(), progress)
}

/// Opens the store like [`open`], with other limits.
///
/// # Errors
/// See [`OpenError`]; each says what to do.
pub fn open_with(
    path: &Path,
    create: CreateIfMissing,
    now: Time,
    limits: StoreLimits,
    progress: &mut dyn FnMut(Progress),
) -> Result<OpenedStore, OpenError> {
    let mut notices = Vec::new();
    if !store_directory::has_log(path)? {
        match create {
            CreateIfMissing::No => return Err(OpenError::NoStore(path.to_owned())),
            CreateIfMissing::Yes => durable_fs::make_dir(path)?,
        }
    }
    let lock = Lock::take(path, now)?;
    match log_switch::finish(path)? {
        FoundRewrite::None => {}
        FoundRewrite::RolledBack => notices.push(OpenNotice::RewriteRolledBack),
        FoundRewrite::Completed => notices.push(OpenNotice::RewriteCompleted),
    }
    // Checked again, because another process may have created the log before this one took the
    // lock.
    if !store_directory::has_log(path)? {
        store_directory::make_log(path, now)?;
        notices.push(OpenNotice::Created(path.to_owned()));
    }
    let parts = open_parts(path, now, limits, progress, &mut notices)?;
    let store = LogStore::new(path, lock, parts, limits);
    Ok(OpenedStore { store, notices })
}

/// Opens log and projection of a store whose lock is held.
pub(super) fn open_parts(
    path: &Path,
    now: Time,
    limits: StoreLimits,
    progress: &mut dyn FnMut(Progress),
    notices: &mut Vec<OpenNotice>,
) -> Result<StoreParts, OpenError> {
    let log = path.join(LOG);
    let mut marker = clean_shutdown_marker::read(path)?;
    let mut examination = examine(&log, marker.as_ref(), limits, progress)?;
    let closed_after = marker.map_or(0, |marker| marker.applied.seq);
    let end = examination.end;
    if closed_after > end.chain.seq + u64::from(end.torn_bytes > 0) {
        return Err(OpenError::LogTooShort {
            end: end.chain.seq,
            closed_after,
            log,
            marker: path.join(clean_shutdown_marker::NAME),
        });
    }
    if marker.is_some() && !examination.has_marker_line && closed_after <= end.chain.seq {
        return Err(OpenError::LogReplaced {
            closed_after,
            log,
            marker: path.join(clean_shutdown_marker::NAME),
        });
    }
    if end.torn_bytes > 0 {
        let acknowledged = closed_after > end.chain.seq;
        notices.push(torn_tail::cut_torn_line(&log, &end, acknowledged)?);
        examination.end.torn_bytes = 0;
    }
    segment::make_durable(&log, end.position.segment)?;
    if !examination.has_marker_line {
        marker = None;
    }
    let (projection, applied) = projection_recovery::open_projection(
        path,
        marker,
        &end,
        limits.max_records,
        progress,
        notices,
    )?;
    assert_eq!(
        applied.seq, end.chain.seq,
        "the projection has reached the end of the log"
    );
    let segment_file = segment::open_for_append(&log, end.position.segment)?;
    let appender = Appender::new(
        &log,
        &end,
        LogReader::read_ledger_id(&log)?,
        Box::new(segment_file),
        limits.segment_bytes,
    );
    let open_intents = read_open_intent_ids(&projection).map_err(OpenError::Projection)?;
    let sent_marks = SentMarks::open(path, &open_intents, now)?;
    Ok(StoreParts {
        appender,
        projection,
        applied,
        sent_marks,
    })
}

/// Reads the ids of all intents that are not settled, in pages.
fn read_open_intent_ids(projection: &Projection) -> Result<Vec<RequestId>, StoreError> {
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let page = projection.open_intent_keys(after.as_ref(), INTENTS_AT_ONCE)?;
        let is_full = page.len() == INTENTS_AT_ONCE;
        after = page.last().cloned();
        ids.extend(page.into_iter().map(|(_, id)| id));
        if !is_full {
            return Ok(ids);
        }
    }
}

/// What checking the log's lines has shown.
struct LogExamination {
    end: LogEnd,
    /// Whether the log has the line that the marker names.
    has_marker_line: bool,
}

/// Checks the log's lines: all lines or, in a long log that has the marker's line, only the lines
/// after the marker's line.
fn examine(
    log: &Path,
    marker: Option<&Marker>,
    limits: StoreLimits,
    progress: &mut dyn FnMut(Progress),
) -> Result<LogExamination, OpenError> {
    let total = projection_recovery::log_size(log, u32::MAX)?;
    if let Some(Marker { applied, .. }) = marker
        && applied.seq > 0
        && total > limits.full_check_bytes
    {
        let chain = HashChain {
            seq: applied.seq,
            hash: applied.hash,
        };
        if let Some(mut reader) = LogReader::open_after(log, applied.position, chain)? {
            while reader.next_line()?.is_some() {}
            let end = reader.end();
            return Ok(LogExamination {
                end,
                has_marker_line: true,
            });
        }
    }
    let mut reader = LogReader::open(log)?;
    let marker_commit = marker.map(|marker| (marker.applied.seq, marker.applied.hash));
    let mut has_marker_line = marker_commit == Some((0, reader.end().head));
    let (mut done, mut last_reported) = (0, 0);
    while let Some(line) = reader.next_line()? {
        has_marker_line |= marker_commit == Some((line.seq, line.hash));
        done += reader.text().len() as u64;
        if done - last_reported >= PROGRESS_EVERY {
            last_reported = done;
            progress(Progress {
                step: WorkStep::CheckLog,
                done,
                total: Some(total),
            });
        }
    }
    let end = reader.end();
    Ok(LogExamination {
        end,
        has_marker_line,
    })
}
