//! What opening a store reports: progress, notices and errors.

use std::path::{Path, PathBuf};

use super::durable_fs::DiskError;
use super::lock::LockError;
use super::log::reader::LogError;
use super::log_store::LOG;
use super::port::StoreError;

/// Something that happened while the store was opened, for people. No notice is an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenNotice {
    /// A new ledger was made in the directory that is the payload.
    #[error("a new ledger was made in {}", .0.display())]
    Created(PathBuf),
    /// The operator may want to investigate.
    #[error(
        "the log ended in a torn line ({} line {line}, {bytes} bytes), which was cut off and kept as \
         {}; {}",
        file.display(),
        saved_as.display(),
        if *acknowledged {
            "the ledger was closed cleanly after it, so an acknowledged commit is lost: check \
             the disk"
        } else {
            "a crash leaves such a line, and its commit was never acknowledged"
        }
    )]
    TornLineCut {
        /// The segment's file.
        file: PathBuf,
        /// The number of the line in the file, from 1.
        line: u64,
        /// The length of the torn line, in bytes.
        bytes: u64,
        /// The file that holds the torn line now.
        saved_as: PathBuf,
        /// Whether the ledger was closed cleanly after the line, so that a commit is lost.
        acknowledged: bool,
    },
    /// The operator may want to investigate if this happens without a crash.
    #[error(
        "the projection {reason}, so it was rebuilt from the log: {commits} commits, {facts} \
         facts{}",
        moved_to.as_ref().map_or_else(String::new, |to| format!("; the old one is {}", to.display()))
    )]
    ProjectionRebuilt {
        /// Why the projection was not trusted; reads after "the projection".
        reason: String,
        /// Where the old projection is kept; `None` if there was none to keep.
        moved_to: Option<PathBuf>,
        /// The commits that were applied.
        commits: u64,
        /// The facts that were applied.
        facts: u64,
    },
    /// A rewrite of the log was prepared and not decided.
    #[error(
        "a rewrite of the log was interrupted before it counted, so the log is as it was before; \
         give the command again"
    )]
    RewriteRolledBack,
    /// A rewrite of the log was decided and not complete.
    #[error("a rewrite of the log was interrupted; it is complete now")]
    RewriteCompleted,
    /// The projection lacked the last commits of the log.
    #[error("{commits} commits of the log were added to the projection")]
    ProjectionCaughtUp {
        /// The commits that were applied.
        commits: u64,
    },
}

/// Returns the path from the root, so that a message shows which directory a relative one is.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Why the store could not be opened. None of these errors loses data.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no store in the directory that is the payload.
    #[error(
        "open the ledger: the directory {} (store.path) holds no ledger; `maitred init` makes a new \
         one; if there was a ledger before, correct store.path, mount its disk, or bring it back \
         with `maitred restore DIR`",
        absolute(.0).display()
    )]
    NoStore(PathBuf),
    /// The store is held by another process: exit code 75.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The directory holds something, but no log.
    #[error(
        "open the ledger: {} holds {found}, but no log; restore the folder `{LOG}` from a backup, or \
         set store.path to an empty directory to begin a new ledger",
        path.display()
    )]
    NoLog {
        /// The directory of the store.
        path: PathBuf,
        /// What is in it.
        found: String,
    },
    /// The log lacks commits that it had when the store was closed.
    #[error(
        "open the ledger: its log ends with commit {end}, but it was closed after commit {closed_after}, \
         so commits were removed; restore {} from a backup, or, to continue with what is there, \
         remove the file {}",
        log.display(),
        marker.display()
    )]
    LogTooShort {
        /// The last commit in the log.
        end: u64,
        /// The last commit when the store was closed.
        closed_after: u64,
        /// The directory of the log.
        log: PathBuf,
        /// The file of the clean shutdown marker.
        marker: PathBuf,
    },
    #[error(
        "open the ledger: {} is not the log that was closed here, for its commit {closed_after} is another; \
         restore both {} and {} from one backup, or, to continue with the log that is there, remove the \
         file {}",
        log.display(),
        log.display(),
        marker.display(),
        marker.display()
    )]
    /// The log has another commit where the store was closed.
    LogReplaced {
        /// The last commit when the store was closed.
        closed_after: u64,
        /// The directory of the log.
        log: PathBuf,
        /// The file of the clean shutdown marker.
        marker: PathBuf,
    },
    /// The log cannot be read.
    #[error("open the ledger")]
    Log(#[from] LogError),
    /// A file operation failed.
    #[error("open the ledger")]
    Disk(#[from] DiskError),
    /// The projection can be neither used nor rebuilt.
    #[error("open the ledger")]
    Projection(#[source] StoreError),
}
