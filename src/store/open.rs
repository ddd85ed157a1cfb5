//! Opening the store. In this order, because each step relies on those before it: the lock; the
//! log's lines; a torn tail cut off; what was read made durable; the mark of a clean end taken back;
//! only then the fold, trusted or made anew; and at last the log's end, to write to.

use std::path::{Path, PathBuf};

use super::disk::{self, DiskError};
use super::ground;
use super::lock::{Lock, LockError};
use super::log::append::Appender;
use super::log::segment::{self, Chain, SEGMENT_LIMIT, SegmentError};
use super::log::walk::{End, LogError, Walk};
use super::marker::{self, Marker};
use super::opened::{self, LOG, LogStore};
use super::port::StoreError;
use super::sent::SentMarks;
use super::sled::catch_up::MAX_RECORDS;
use super::tail;
use super::trust;
use crate::domain::time::Time;

/// A log up to this many bytes is checked line by line at every opening: some tens of milliseconds.
/// Of a longer one that was closed cleanly only what was written since is; `ledger verify` and every
/// rebuild check all of it.
const CHECK_LIMIT: u64 = 8 * 1024 * 1024;

/// Whether a store may be made where none is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    Yes,
    No,
}

/// A store that is ready, and what there is to say about it.
pub struct Opened {
    pub store: LogStore,
    pub notices: Vec<Notice>,
}

/// How far a rebuild has come, in bytes of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

/// Something that happened while opening, for people. None of them is an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Notice {
    #[error("a new ledger was made in {}", .0.display())]
    Created(PathBuf),
    /// Somebody may want to look.
    #[error(
        "the log ended in a torn line ({} line {line}, {bytes} bytes), which was cut off and kept as \
         {}; {}",
        file.display(),
        kept.display(),
        if *acknowledged {
            "the ledger was closed cleanly after it, so a commit that was acknowledged is lost: \
             look at the disk"
        } else {
            "a crash leaves such a line, and what it said was never acknowledged"
        }
    )]
    Torn {
        file: PathBuf,
        line: u64,
        bytes: u64,
        kept: PathBuf,
        acknowledged: bool,
    },
    /// Somebody may want to look when it happens without a crash.
    #[error(
        "the fold {why}, so it was rebuilt from the log: {commits} commits, {facts} facts{}",
        moved.as_ref().map_or_else(String::new, |to| format!("; the old one is {}", to.display()))
    )]
    Rebuilt {
        why: String,
        moved: Option<PathBuf>,
        commits: u64,
        facts: u64,
    },
    #[error("the fold was caught up with {commits} commits of the log")]
    CaughtUp { commits: u64 },
}

/// Why the store could not be opened. Nothing was lost by any of them.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "open the ledger: there is none in {}; on the first day `maitred init` makes it, and if there \
         was one, correct store.path, mount its disk, or bring it back with `maitred restore`",
        .0.display()
    )]
    Absent(PathBuf),
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
        "open the ledger: its log ends with commit {end}, but it was closed after commit {closed}, \
         so commits were taken out; restore {} from a backup, or, to go on with what is there, \
         remove the file {}",
        log.display(),
        marker.display()
    )]
    Short {
        end: u64,
        closed: u64,
        log: PathBuf,
        marker: PathBuf,
    },
    #[error(
        "open the ledger: {} is not the log that was closed here, for its commit {closed} is another; \
         restore both {} and {} from one backup, or, to go on with the log that is there, remove the \
         file {}",
        log.display(),
        log.display(),
        marker.display(),
        marker.display()
    )]
    Swapped {
        closed: u64,
        log: PathBuf,
        marker: PathBuf,
    },
    #[error("open the ledger")]
    Log(#[from] LogError),
    #[error("open the ledger")]
    Disk(#[from] DiskError),
    #[error("open the ledger")]
    Fold(#[source] StoreError),
}

impl From<SegmentError> for OpenError {
    fn from(error: SegmentError) -> Self {
        Self::Log(error.into())
    }
}

/// Sizes at which the store behaves differently; tests make them small.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub segment: u64,
    pub check: u64,
    /// Records in memory while the fold is made anew.
    pub records: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment: SEGMENT_LIMIT,
            check: CHECK_LIMIT,
            records: MAX_RECORDS,
        }
    }
}

/// Opens the store in this directory.
///
/// # Errors
/// See [`OpenError`]; each says what to do.
pub fn open(
    path: &Path,
    create: Create,
    now: Time,
    progress: &mut dyn FnMut(Progress),
) -> Result<Opened, OpenError> {
    open_with(path, create, now, Limits::default(), progress)
}

/// As [`open`], with other limits.
///
/// # Errors
/// As there.
pub fn open_with(
    path: &Path,
    create: Create,
    now: Time,
    limits: Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<Opened, OpenError> {
    let mut notices = Vec::new();
    if !ground::has_log(path)? {
        match create {
            Create::No => return Err(OpenError::Absent(path.to_owned())),
            Create::Yes => disk::make_dir(path)?,
        }
    }
    let lock = Lock::take(path, now)?;
    let log = path.join(LOG);
    // Asked again: before the lock was had, another process may have made it.
    if !ground::has_log(path)? {
        ground::make_log(path, now)?;
        notices.push(Notice::Created(path.to_owned()));
    }
    let mut marker = marker::read(path)?;
    let mut examined = examine(&log, marker.as_ref(), limits)?;
    let closed = marker.map_or(0, |marker| marker.applied.seq);
    let end = examined.end;
    if closed > end.chain.seq + u64::from(end.torn > 0) {
        return Err(OpenError::Short {
            end: end.chain.seq,
            closed,
            log,
            marker: path.join(marker::NAME),
        });
    }
    if marker.is_some() && !examined.trusts && closed <= end.chain.seq {
        return Err(OpenError::Swapped {
            closed,
            log,
            marker: path.join(marker::NAME),
        });
    }
    if end.torn > 0 {
        let acknowledged = closed > end.chain.seq;
        notices.push(tail::cut(&log, &end, acknowledged)?);
        examined.end.torn = 0;
    }
    segment::make_durable(&log, end.place.segment)?;
    if !examined.trusts {
        marker = None;
    }
    let (fold, applied) =
        trust::open_fold(path, marker, &end, limits.records, progress, &mut notices)?;
    assert_eq!(
        applied.seq, end.chain.seq,
        "the fold has come to the log's end"
    );
    let sink = segment::open_end(&log, end.place.segment)?;
    let appender = Appender::new(
        &log,
        &end,
        Walk::ledger_id(&log)?,
        Box::new(sink),
        limits.segment,
    );
    let open = opened::open_ids(&fold, usize::MAX).map_err(OpenError::Fold)?;
    let sent = SentMarks::open(path, &open, now)?;
    let store = LogStore::new(path, lock, appender, (fold, applied), sent);
    Ok(Opened { store, notices })
}

/// What the log's lines say.
struct Examined {
    end: End,
    /// Whether the log has the line that the marker names.
    trusts: bool,
}

/// Checks the log's lines: all of them, or, of a long log that has the marker's line, those after.
fn examine(log: &Path, marker: Option<&Marker>, limits: Limits) -> Result<Examined, OpenError> {
    if let Some(Marker { applied, .. }) = marker
        && applied.seq > 0
        && trust::size(log, u32::MAX)? > limits.check
    {
        let chain = Chain {
            seq: applied.seq,
            hash: applied.hash,
        };
        if let Some(mut walk) = Walk::resume(log, applied.place, chain)? {
            while walk.line()?.is_some() {}
            let end = walk.end();
            return Ok(Examined { end, trusts: true });
        }
    }
    let mut walk = Walk::start(log)?;
    let named = marker.map(|marker| (marker.applied.seq, marker.applied.hash));
    let mut trusts = named == Some((0, walk.end().head));
    while let Some(line) = walk.line()? {
        trusts |= named == Some((line.seq, line.hash));
    }
    let end = walk.end();
    Ok(Examined { end, trusts })
}
