//! Copies the log: to another place, back from there, or out as lines. A log only grows, so a copy
//! up to a durable commit can be made while a daemon writes. A copy counts only after it was made
//! durable, read again and checked.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::codec::fact;
use super::durable_fs::{self, DiskError};
use super::erased_backup::{self, ErasedInCopy};
use super::erasure_list::{ErasureList, ErasureListError};
use super::lock::{Lock, LockError};
use super::log::append::{AppendError, Appender};
use super::log::line::LineFault;
use super::log::reader::{LogEnd, LogError, LogReader};
use super::log::segment::{self, SEGMENT_LIMIT};
use super::log_store::LOG;
use super::log_switch;
use super::memory_records::MemoryRecords;
use super::open_report::OpenError;
use super::port::{Head, StoreError};
use super::projection_recovery::log_size;
use super::rewrite::RewriteError;
use super::store_directory;
use super::store_error::to_store_error;
use super::write_set::WriteSet;
use crate::domain::fact::Fact;
use crate::domain::ledger::ApplyError;
use crate::domain::ledger_state::LedgerFact;
use crate::domain::progress::{Progress, WorkStep};
use crate::domain::time::Time;

/// The name of a copy that is not checked yet.
pub(super) const PARTIAL_NAME: &str = "log.partial";

/// Only the owner may read the files, because the ledger names members.
const FILE_MODE: u32 = 0o600;

/// Bytes checked between two progress reports.
const PROGRESS_EVERY: u64 = 1024 * 1024;

/// The name of a copy in which erasures are repeated.
const ERASED_NAME: &str = "log.partial-erased";

/// A copy that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogCopy {
    /// The last commit in the copy.
    pub head: Head,
    /// The number of segment files, with the one that holds the mark of a restore.
    pub files: u32,
    /// The size of the segment files together, in bytes.
    pub bytes: u64,
    /// How many erasures are in the list that was copied along.
    pub erasures: u64,
    /// How many erased persons were still in the backup, and are not in the copy.
    pub erased: u64,
}

/// Why no copy was made. Nothing that existed before was changed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The destination of a backup holds something already.
    #[error(
        "back up to {}: it contains {found}; name a directory that is empty or does not exist yet",
        to.display()
    )]
    NotEmpty {
        /// The destination.
        to: PathBuf,
        /// What is in it.
        found: String,
    },
    /// The destination of a backup, which is the payload, lies within the store.
    #[error(
        "back up to {}: it is inside the store and would be lost with it; name another place",
        .0.display()
    )]
    InsideStore(PathBuf),
    /// The destination of a restore, which is the payload, holds a ledger already.
    #[error(
        "restore to {}: there is a ledger; stop maitred and move it away first, or set store.path to \
         another place",
        .0.display()
    )]
    Occupied(PathBuf),
    /// The directory to restore from, which is the payload, holds no log.
    #[error(
        "restore from {}: it contains no log; name the directory that `maitred backup` made, or \
         one that holds a copy of the folder `{LOG}`",
        .0.display()
    )]
    NoBackup(PathBuf),
    /// The copy is not what was to be copied.
    #[error(
        "check the copy: it ends with commit {found} and not with {expected}; `maitred ledger \
         verify` shows whether the ledger is intact"
    )]
    Incomplete {
        /// The last commit that was to be copied.
        expected: u64,
        /// The last commit in the copy.
        found: u64,
    },
    /// The copy was made, and reading it again failed.
    #[error("check the copy; `maitred ledger verify` shows whether the ledger is intact")]
    Copy(#[source] LogError),
    /// The log that is to be copied cannot be read.
    #[error("read the log")]
    Log(#[from] LogError),
    /// The destination of a restore cannot be examined.
    #[error("look at the store")]
    StoreDirectory(#[source] Box<OpenError>),
    /// The destination of a restore is in use.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file operation failed.
    #[error("copy the log")]
    Disk(#[from] DiskError),
    /// The facts of the log do not fit each other, or cannot be checked.
    #[error("check the log")]
    Facts(#[source] StoreError),
    /// The list of erasures cannot be used, so the data of an erased person could come back.
    #[error("repeat the erasures")]
    Erasures(#[from] ErasureListError),
    /// The data of erased persons cannot be removed from the copy.
    #[error("repeat the erasures in the copy")]
    Rewrite(#[from] RewriteError),
    /// The commit that marks the copy as restored cannot be written.
    #[error("note in the copy that it was restored")]
    MarkRestored(#[source] AppendError),
    /// The lines of an export cannot be written.
    #[error("write the export")]
    Write(#[source] io::Error),
}

/// Copies the store's log up to and including `head`, which is durable, into the directory `to`.
///
/// # Errors
/// See [`CopyError`]; an unfinished copy in `to` is removed.
pub fn back_up(
    store: &Path,
    head: &Head,
    to: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<LogCopy, CopyError> {
    let existing_names = durable_fs::list_names(to)?.unwrap_or_default();
    if let Some(name) = existing_names.first() {
        return Err(CopyError::NotEmpty {
            to: to.to_owned(),
            found: format!("`{name}`"),
        });
    }
    if is_within(to, store) {
        return Err(CopyError::InsideStore(to.to_owned()));
    }
    durable_fs::make_dir(to)?;
    let partial = to.join(PARTIAL_NAME);
    let list = ErasureList::read(store)?;
    let log = log_switch::current_log(store);
    let result = copy_log(&log, &partial, u64::MAX, progress).and_then(|()| {
        let end = read_to(&partial, head.seq, progress)?;
        if (end.chain.seq, end.head.to_string()) != (head.seq, head.hash.clone()) {
            return Err(CopyError::Incomplete {
                expected: head.seq,
                found: end.chain.seq,
            });
        }
        truncate_to(&partial, &end)?;
        rename_into_place(to, &end, &list, 0)
    });
    if result.is_err() {
        discard(&partial);
    }
    result
}

/// Restores the log of a backup to a place without a ledger. The log's lines and what they add up
/// to are checked before.
///
/// # Errors
/// See [`CopyError`].
pub fn restore(
    from: &Path,
    store: &Path,
    now: Time,
    progress: &mut dyn FnMut(Progress),
) -> Result<LogCopy, CopyError> {
    let log = from.join(LOG);
    if segment::count(&log).map_err(LogError::from)? == 0 {
        return Err(CopyError::NoBackup(from.to_owned()));
    }
    ensure_no_ledger(store)?;
    let mut list = ErasureList::read(store)?;
    list.add(erased_backup::lists_near(from)?.entries().iter().cloned());
    let end = check_log(&log, progress)?;
    durable_fs::make_dir(store)?;
    let _lock = Lock::take(store, now)?;
    // Checked again, because another process may have created a ledger before this one took the
    // lock.
    ensure_no_ledger(store)?;
    let partial = store.join(PARTIAL_NAME);
    let result = copy_log(&log, &partial, end.position.offset, progress).and_then(|()| {
        let copied_end = read_to(&partial, u64::MAX, progress)?;
        if (copied_end.chain.seq, copied_end.head) != (end.chain.seq, end.head) {
            return Err(CopyError::Incomplete {
                expected: end.chain.seq,
                found: copied_end.chain.seq,
            });
        }
        place_copy(store, &end, &list, Some(now), progress)
    });
    if result.is_err() {
        discard(&partial);
    }
    result
}

/// Repeats the erasures in the copy, marks it as restored if `restored_at` says so, and gives it the
/// log's name.
pub(super) fn place_copy(
    store: &Path,
    end: &LogEnd,
    list: &ErasureList,
    restored_at: Option<Time>,
    progress: &mut dyn FnMut(Progress),
) -> Result<LogCopy, CopyError> {
    let (partial, erased) = (store.join(PARTIAL_NAME), store.join(ERASED_NAME));
    discard(&erased);
    let repeated = erased_backup::repeat_erasures(&partial, &erased, list, end, progress);
    let repeated = repeated.inspect_err(|_| discard(&erased))?;
    let mut end = *end;
    if repeated.persons > 0 {
        discard(&partial);
        durable_fs::with_path("rename", &erased, std::fs::rename(&erased, &partial))?;
        end = check_log(&partial, progress)?;
    }
    if let Some(now) = restored_at {
        mark_restored(&partial, &end, now, &repeated)?;
    }
    rename_into_place(store, &end, list, repeated.persons)
}

/// Records in the copy that it was restored, before it counts as the ledger. What happened after
/// the backup is missing from the copy, so an operator has to check this before anything is
/// declined or cancelled.
fn mark_restored(
    log: &Path,
    end: &LogEnd,
    now: Time,
    repeated: &ErasedInCopy,
) -> Result<(), CopyError> {
    let commit = end.chain.seq;
    let mut facts = vec![Fact::Ledger(LedgerFact::Restored { commit })];
    facts.extend(repeated.closing_facts());
    let text = fact::write(&facts).map_err(|error| CopyError::Facts(to_store_error(&error)))?;
    let sink = segment::open_for_append(log, end.position.segment).map_err(LogError::from)?;
    let ledger = LogReader::read_ledger_id(log)?;
    let mut log = Appender::new(log, end, ledger, Box::new(sink), SEGMENT_LIMIT);
    log.append(now, &text).map_err(CopyError::MarkRestored)?;
    Ok(())
}

/// Writes the lines of the log's commits unchanged, up to and including `head`, and returns how
/// many. Each line is checked first.
///
/// # Errors
/// When a line fails its checks, or cannot be written.
pub fn export(store: &Path, head: &Head, out: &mut dyn Write) -> Result<u64, CopyError> {
    let mut reader = LogReader::open(&log_switch::current_log(store))?;
    let mut commits = 0;
    while commits < head.seq && reader.next_line()?.is_some() {
        out.write_all(reader.text()).map_err(CopyError::Write)?;
        commits += 1;
    }
    Ok(commits)
}

pub(super) fn ensure_no_ledger(store: &Path) -> Result<(), CopyError> {
    match store_directory::has_log(store) {
        Ok(false) => Ok(()),
        Ok(true) => Err(CopyError::Occupied(store.to_owned())),
        Err(error) => Err(CopyError::StoreDirectory(Box::new(error))),
    }
}

/// Returns true if the directory, which need not exist, is the store's directory or below it.
fn is_within(to: &Path, store: &Path) -> bool {
    let canonicalize_or_current = |path: &Path| {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        path.canonicalize().ok()
    };
    match (
        to.ancestors().find_map(canonicalize_or_current),
        canonicalize_or_current(store),
    ) {
        (Some(to), Some(store)) => to.starts_with(store),
        (Some(_) | None, _) => false,
    }
}

/// Copies the log's files as they are now; of the last file at most `last_file_limit` bytes.
fn copy_log(
    log: &Path,
    to: &Path,
    last_file_limit: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), CopyError> {
    durable_fs::make_dir(to)?;
    let count = segment::count(log).map_err(LogError::from)?;
    let total = size_to_show(log);
    let mut done = 0;
    for number in 1..=count {
        let limit = if number == count {
            last_file_limit
        } else {
            u64::MAX
        };
        let source = segment::path(log, number);
        let target = segment::path(to, number);
        let file = durable_fs::with_path("open", &source, File::open(&source))?;
        done += durable_fs::with_path("write", &target, copy_file(file.take(limit), &target))?;
        progress(Progress {
            step: WorkStep::CopyLog,
            done,
            total: Some(total),
        });
    }
    durable_fs::sync_dir(to)?;
    Ok(())
}

/// Returns the number of bytes.
fn copy_file(mut source: impl Read, target: &Path) -> io::Result<u64> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(target)?;
    let bytes = io::copy(&mut source, &mut file)?;
    file.sync_all()?;
    Ok(bytes)
}

/// Returns the size of the log in bytes. It is only shown to people, so a size that cannot be read
/// counts as 0.
fn size_to_show(log: &Path) -> u64 {
    log_size(log, u32::MAX).unwrap_or(0)
}

/// Reports how many bytes of a log were checked, now and then.
struct CheckProgress<'a> {
    report: &'a mut dyn FnMut(Progress),
    total: u64,
    done: u64,
    reported: u64,
}

impl<'a> CheckProgress<'a> {
    fn new(log: &Path, report: &'a mut dyn FnMut(Progress)) -> Self {
        Self {
            report,
            total: size_to_show(log),
            done: 0,
            reported: 0,
        }
    }

    fn add(&mut self, line: &[u8]) {
        self.done += line.len() as u64;
        if self.done - self.reported >= PROGRESS_EVERY {
            self.reported = self.done;
            (self.report)(Progress {
                step: WorkStep::CheckLog,
                done: self.done,
                total: Some(self.total),
            });
        }
    }
}

/// Reads and checks the lines of a copy up to and including this commit.
fn read_to(log: &Path, seq: u64, progress: &mut dyn FnMut(Progress)) -> Result<LogEnd, CopyError> {
    let mut progress = CheckProgress::new(log, progress);
    let mut reader = LogReader::open(log).map_err(CopyError::Copy)?;
    while reader.end().chain.seq < seq && reader.next_line().map_err(CopyError::Copy)?.is_some() {
        progress.add(reader.text());
    }
    Ok(reader.end())
}

/// Reads and checks all lines, and checks that their facts add up.
pub(super) fn check_log(
    log: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<LogEnd, CopyError> {
    let mut progress = CheckProgress::new(log, progress);
    let no_records = MemoryRecords::default();
    let mut write_set = WriteSet::new(&no_records);
    let mut reader = LogReader::open(log)?;
    while let Some(line) = reader.next_line()? {
        let (position, commit) = (line.position, line.commit());
        let commit = commit.map_err(|fault: LineFault| reader.last_line_error(fault))?;
        write_set.apply(&commit).map_err(|error| match error {
            ApplyError::Violation(violation) => reader.violation_error(position, violation).into(),
            ApplyError::Read(error) => CopyError::Facts(error),
        })?;
        progress.add(reader.text());
    }
    Ok(reader.end())
}

/// Removes what follows `end`: commits that were made meanwhile.
fn truncate_to(log: &Path, end: &LogEnd) -> Result<(), CopyError> {
    let count = segment::count(log).map_err(LogError::from)?;
    for number in (end.position.segment + 1..=count).rev() {
        durable_fs::remove(&segment::path(log, number))?;
    }
    let path = segment::path(log, end.position.segment);
    let open_result = OpenOptions::new().write(true).open(&path);
    let cut_result = open_result.and_then(|file| {
        file.set_len(end.position.offset)?;
        file.sync_all()
    });
    durable_fs::with_path("cut", &path, cut_result)?;
    Ok(())
}

/// Gives the checked copy the log's name.
fn rename_into_place(
    dir: &Path,
    end: &LogEnd,
    list: &ErasureList,
    erased: u64,
) -> Result<LogCopy, CopyError> {
    // The list first: without it, a restore of the copy could bring erased data back.
    list.write(dir)?;
    let (partial, log) = (dir.join(PARTIAL_NAME), dir.join(LOG));
    // The mark of a restore may be in a segment of its own, after the one in which `end` is.
    let files = segment::count(&partial).map_err(LogError::from)?;
    let mut bytes = 0;
    for number in 1..=files {
        let path = segment::path(&partial, number);
        bytes += durable_fs::with_path("look at", &path, path.metadata())?.len();
    }
    durable_fs::with_path("write", &log, std::fs::rename(&partial, &log))?;
    durable_fs::sync_dir(dir)?;
    Ok(LogCopy {
        head: Head {
            seq: end.chain.seq,
            hash: end.head.to_string(),
        },
        files,
        bytes,
        erasures: list.entries().len() as u64,
        erased,
    })
}

/// Removes an unfinished copy. If the removal fails, the copy does no harm: the next attempt names
/// it.
pub(super) fn discard(partial: &Path) {
    if let Err(error) = std::fs::remove_dir_all(partial)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %partial.display(), %error, "a copy could not be removed");
    }
}
