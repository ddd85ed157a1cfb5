//! What opening a store reports: progress, notices and errors.

use std::path::PathBuf;

use super::durable_fs::DiskError;
use super::lock::LockError;
use super::log::reader::LogError;
use super::log_store::LOG;
use super::port::StoreError;

/// How far a rebuild has come, in bytes of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

/// Something that happened while the store was opened, for people. No notice is an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenNotice {
    #[error("a new ledger was made in {}", .0.display())]
    Created(PathBuf),
    /// The operator may want to investigate.
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
    /// The operator may want to investigate if this happens without a crash.
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

/// Why the store could not be opened. None of these errors loses data.
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
