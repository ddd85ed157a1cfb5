//! Opening the store. In this order, because each step relies on those before it: the lock; the
//! log's lines; a torn tail cut off; what was read made durable; the mark of a clean end taken back;
//! only then the fold, trusted or made anew; and at last the log's end, to write to.

use std::path::{Path, PathBuf};

use super::clean_shutdown_marker::{self, Marker};
use super::durable_fs::{self, DiskError};
use super::lock::{Lock, LockError};
use super::log::append::Appender;
use super::log::reader::{LogEnd, LogError, LogReader};
use super::log::segment::{self, HashChain, SEGMENT_LIMIT, SegmentError};
use super::log_store::{self, LOG, LogStore};
use super::port::StoreError;
use super::projection_recovery;
use super::sent_marks::SentMarks;
use super::sled::catch_up::MAX_RECORDS;
use super::store_directory;
use super::torn_tail;
use crate::domain::time::Time;

/// A log up to this many bytes is checked line by line at every opening: some tens of milliseconds.
/// Of a longer one that was closed cleanly only what was written since is; `ledger verify` and every
/// rebuild check all of it.
const CHECK_LIMIT: u64 = 8 * 1024 * 1024;

/// Whether a store may be made where none is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateIfMissing {
    Yes,
    No,
}

/// A store that is ready, and what there is to say about it.
pub struct OpenedStore {
    pub store: LogStore,
    pub notices: Vec<OpenNotice>,
}

/// How far a rebuild has come, in bytes of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

/// Something that happened while opening, for people. None of them is an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenNotice {
    #[error("a new ledger was made in {}", .0.display())]
    Created(PathBuf),
    /// Somebody may want to look.
    #[error(
        "the log ended in a torn line ({} line {line}, {bytes} bytes), which was cut off and kept as \
         {}; {}",
        file.display(),
        saved_as.display(),
        if *acknowledged {
            "the ledger was closed cleanly after it, so a commit that was acknowledged is lost: \
             look at the disk"
        } else {
            "a crash leaves such a line, and what it said was never acknowledged"
        }
    )]
    TornLineCut {
        file: PathBuf,
        line: u64,
        bytes: u64,
        saved_as: PathBuf,
        acknowledged: bool,
    },
    /// Somebody may want to look when it happens without a crash.
    #[error(
        "the fold {reason}, so it was rebuilt from the log: {commits} commits, {facts} facts{}",
        moved_to.as_ref().map_or_else(String::new, |to| format!("; the old one is {}", to.display()))
    )]
    ProjectionRebuilt {
        reason: String,
        moved_to: Option<PathBuf>,
        commits: u64,
        facts: u64,
    },
    #[error("the fold was caught up with {commits} commits of the log")]
    ProjectionCaughtUp { commits: u64 },
}

/// Why the store could not be opened. Nothing was lost by any of them.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "open the ledger: there is none in {}; on the first day `maitred init` makes it, and if there \
         was one, correct store.path, mount its disk, or bring it back with `maitred restore`",
        .0.display()
    )]
    NoStore(PathBuf),
    /// The store is held by another process: exit code 75.
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(
        "open the ledger: {} holds {found}, but no log; restore the folder `{LOG}` from a backup, or \
         set store.path to an empty directory to begin a new ledger",
        path.display()
    )]
    NoLog { path: PathBuf, found: String },
    #[error(
        "open the ledger: its log ends with commit {end}, but it was closed after commit {closed_after}, \
         so commits were taken out; restore {} from a backup, or, to go on with what is there, \
         remove the file {}",
        log.display(),
        marker.display()
    )]
    LogTooShort {
        end: u64,
        closed_after: u64,
        log: PathBuf,
        marker: PathBuf,
    },
    #[error(
        "open the ledger: {} is not the log that was closed here, for its commit {closed_after} is another; \
         restore both {} and {} from one backup, or, to go on with the log that is there, remove the \
         file {}",
        log.display(),
        log.display(),
        marker.display(),
        marker.display()
    )]
    LogReplaced {
        closed_after: u64,
        log: PathBuf,
        marker: PathBuf,
    },
    #[error("open the ledger")]
    Log(#[from] LogError),
    #[error("open the ledger")]
    Disk(#[from] DiskError),
    #[error("open the ledger")]
    Projection(#[source] StoreError),
}

impl From<SegmentError> for OpenError {
    fn from(error: SegmentError) -> Self {
        Self::Log(error.into())
    }
}

/// Sizes at which the store behaves differently; tests make them small.
#[derive(Debug, Clone, Copy)]
pub struct StoreLimits {
    pub segment_bytes: u64,
    pub full_check_bytes: u64,
    /// Records in memory while the fold is made anew.
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

/// As [`open`], with other limits.
///
/// # Errors
/// As there.
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
    let log = path.join(LOG);
    // Asked again: before the lock was had, another process may have made it.
    if !store_directory::has_log(path)? {
        store_directory::make_log(path, now)?;
        notices.push(OpenNotice::Created(path.to_owned()));
    }
    let mut marker = clean_shutdown_marker::read(path)?;
    let mut examination = examine(&log, marker.as_ref(), limits)?;
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
        &mut notices,
    )?;
    assert_eq!(
        applied.seq, end.chain.seq,
        "the fold has come to the log's end"
    );
    let segment_file = segment::open_for_append(&log, end.position.segment)?;
    let appender = Appender::new(
        &log,
        &end,
        LogReader::read_ledger_id(&log)?,
        Box::new(segment_file),
        limits.segment_bytes,
    );
    let open_intents =
        log_store::open_intent_ids(&projection, usize::MAX).map_err(OpenError::Projection)?;
    let sent_marks = SentMarks::open(path, &open_intents, now)?;
    let store = LogStore::new(path, lock, appender, (projection, applied), sent_marks);
    Ok(OpenedStore { store, notices })
}

/// What the log's lines say.
struct LogExamination {
    end: LogEnd,
    /// Whether the log has the line that the marker names.
    has_marker_line: bool,
}

/// Checks the log's lines: all of them, or, of a long log that has the marker's line, those after.
fn examine(
    log: &Path,
    marker: Option<&Marker>,
    limits: StoreLimits,
) -> Result<LogExamination, OpenError> {
    if let Some(Marker { applied, .. }) = marker
        && applied.seq > 0
        && projection_recovery::log_size(log, u32::MAX)? > limits.full_check_bytes
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
    while let Some(line) = reader.next_line()? {
        has_marker_line |= marker_commit == Some((line.seq, line.hash));
    }
    let end = reader.end();
    Ok(LogExamination {
        end,
        has_marker_line,
    })
}
