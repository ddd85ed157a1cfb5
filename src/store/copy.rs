//! The log copied: to another place, back from there, or out as lines. A log only grows, so a copy up
//! to a commit that is durable can be made beside a daemon that writes; and nothing counts as a copy
//! before it was made durable, read again and checked.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::disk::{self, DiskError};
use super::ground;
use super::lock::{Lock, LockError};
use super::log::append::{AppendError, Appender};
use super::log::line::Fault;
use super::log::segment::{self, SEGMENT_LIMIT};
use super::log::walk::{End, LogError, Walk};
use super::memory::Memory;
use super::open::OpenError;
use super::opened::LOG;
use super::overlay::Overlay;
use super::port::{Head, StoreError};
use super::record::fact;
use super::sled::fold::refusal;
use crate::domain::fact::Fact;
use crate::domain::ledger::ApplyError;
use crate::domain::ledger_state::LedgerFact;
use crate::domain::time::Time;

/// What a copy is called until it was checked.
const PARTIAL: &str = "log.partial";

/// The ledger names members: nobody else may read it.
const FILE_MODE: u32 = 0o600;

/// A copy that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The last commit in it.
    pub head: Head,
    pub files: u32,
    pub bytes: u64,
}

/// Why there is no copy. Nothing that was there before was changed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(
        "back up to {}: there is {found} in it; name a directory that is empty or not there yet",
        to.display()
    )]
    NotEmpty { to: PathBuf, found: String },
    #[error(
        "back up to {}: it lies within the store and would be lost with it; name another place",
        .0.display()
    )]
    Inside(PathBuf),
    #[error(
        "restore to {}: there is a ledger; stop maitred and move it away first, or set store.path to \
         another place",
        .0.display()
    )]
    Occupied(PathBuf),
    #[error(
        "restore from {}: there is no log in it; name the directory that `maitred backup` made, or \
         one that holds a copy of the folder `{LOG}`",
        .0.display()
    )]
    NoBackup(PathBuf),
    /// What was copied is not what was to be copied.
    #[error(
        "check the copy: it ends with commit {found} and not with {expected}; `maitred ledger verify` \
         tells whether the ledger is sound"
    )]
    Short { expected: u64, found: u64 },
    #[error("check the copy; `maitred ledger verify` tells whether the ledger is sound")]
    Copy(#[source] LogError),
    #[error("read the log")]
    Log(#[from] LogError),
    #[error("look at the store")]
    Ground(#[source] Box<OpenError>),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("copy the log")]
    Disk(#[from] DiskError),
    #[error("check the log")]
    Fold(#[source] StoreError),
    #[error("note in the copy that it was restored")]
    Mark(#[source] AppendError),
    #[error("write the export")]
    Write(#[source] io::Error),
}

/// Copies the store's log up to and with `head`, which is durable, into the directory `to`.
///
/// # Errors
/// See [`CopyError`]; what was begun in `to` is removed.
pub fn back_up(store: &Path, head: &Head, to: &Path) -> Result<Copied, CopyError> {
    let found = disk::names(to)?.unwrap_or_default();
    if let Some(name) = found.first() {
        return Err(CopyError::NotEmpty {
            to: to.to_owned(),
            found: format!("`{name}`"),
        });
    }
    if lies_within(to, store) {
        return Err(CopyError::Inside(to.to_owned()));
    }
    disk::make_dir(to)?;
    let partial = to.join(PARTIAL);
    let copied = copy(&store.join(LOG), &partial, u64::MAX).and_then(|()| {
        let end = walk_to(&partial, head.seq).map_err(CopyError::Copy)?;
        if (end.chain.seq, end.head.to_string()) != (head.seq, head.hash.clone()) {
            return Err(CopyError::Short {
                expected: head.seq,
                found: end.chain.seq,
            });
        }
        cut(&partial, &end)?;
        put_in_place(to, &end)
    });
    if copied.is_err() {
        discard(&partial);
    }
    copied
}

/// Puts the log of a backup where no ledger is. Its lines and what they add up to are checked before.
///
/// # Errors
/// See [`CopyError`].
pub fn restore(from: &Path, store: &Path, now: Time) -> Result<Copied, CopyError> {
    let log = from.join(LOG);
    if segment::count(&log).map_err(LogError::from)? == 0 {
        return Err(CopyError::NoBackup(from.to_owned()));
    }
    vacant(store)?;
    let end = check(&log)?;
    disk::make_dir(store)?;
    let _lock = Lock::take(store, now)?;
    // Asked again: before the lock was had, another process may have made one.
    vacant(store)?;
    let partial = store.join(PARTIAL);
    let copied = copy(&log, &partial, end.place.offset).and_then(|()| {
        let copied = walk_to(&partial, u64::MAX).map_err(CopyError::Copy)?;
        if (copied.chain.seq, copied.head) != (end.chain.seq, end.head) {
            return Err(CopyError::Short {
                expected: end.chain.seq,
                found: copied.chain.seq,
            });
        }
        mark_restored(&partial, &end, now)?;
        put_in_place(store, &end)
    });
    if copied.is_err() {
        discard(&partial);
    }
    copied
}

/// Notes in the copy that it was restored, before it counts as the ledger: what happened after the
/// backup is not in it, so that an operator has to look before anything is declined or cancelled.
fn mark_restored(log: &Path, end: &End, now: Time) -> Result<(), CopyError> {
    let commit = end.chain.seq;
    let mark = Fact::Ledger(LedgerFact::Restored { commit });
    let text = fact::write(&[mark]).map_err(|error| CopyError::Fold(refusal(&error)))?;
    let sink = segment::open_end(log, end.place.segment).map_err(LogError::from)?;
    let ledger = Walk::ledger_id(log)?;
    let mut log = Appender::new(log, end, ledger, Box::new(sink), SEGMENT_LIMIT);
    log.append(now, &text).map_err(CopyError::Mark)?;
    Ok(())
}

/// Writes the lines of the log's commits, up to and with `head`, as they stand there. Each is checked
/// first.
///
/// # Errors
/// When a line does not check, or cannot be written.
pub fn export(store: &Path, head: &Head, out: &mut dyn Write) -> Result<u64, CopyError> {
    let mut walk = Walk::start(&store.join(LOG))?;
    let mut commits = 0;
    while commits < head.seq && walk.line()?.is_some() {
        out.write_all(walk.text()).map_err(CopyError::Write)?;
        commits += 1;
    }
    Ok(commits)
}

fn vacant(store: &Path) -> Result<(), CopyError> {
    match ground::has_log(store) {
        Ok(false) => Ok(()),
        Ok(true) => Err(CopyError::Occupied(store.to_owned())),
        Err(error) => Err(CopyError::Ground(Box::new(error))),
    }
}

/// Whether the directory, there or not, is the store's own or below it.
fn lies_within(to: &Path, store: &Path) -> bool {
    let here = |path: &Path| {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        path.canonicalize().ok()
    };
    match (to.ancestors().find_map(here), here(store)) {
        (Some(to), Some(store)) => to.starts_with(store),
        (Some(_) | None, _) => false,
    }
}

/// Copies the log's files as they are now; of the last one at most so many bytes.
fn copy(log: &Path, to: &Path, last: u64) -> Result<(), CopyError> {
    disk::make_dir(to)?;
    let count = segment::count(log).map_err(LogError::from)?;
    for number in 1..=count {
        let limit = if number == count { last } else { u64::MAX };
        let source = segment::path(log, number);
        let target = segment::path(to, number);
        let opened = disk::at("open", &source, File::open(&source))?;
        disk::at("write", &target, copy_file(opened.take(limit), &target))?;
    }
    disk::sync_dir(to)?;
    Ok(())
}

fn copy_file(mut source: impl Read, target: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(target)?;
    io::copy(&mut source, &mut file)?;
    file.sync_all()
}

/// Reads and checks the lines up to and with this commit.
fn walk_to(log: &Path, seq: u64) -> Result<End, LogError> {
    let mut walk = Walk::start(log)?;
    while walk.end().chain.seq < seq && walk.line()?.is_some() {}
    Ok(walk.end())
}

/// Reads and checks all lines, and that their facts add up.
fn check(log: &Path) -> Result<End, CopyError> {
    let nothing = Memory::default();
    let mut overlay = Overlay::new(&nothing);
    let mut walk = Walk::start(log)?;
    while let Some(line) = walk.line()? {
        let (place, commit) = (line.place, line.commit());
        let commit = commit.map_err(|fault: Fault| walk.refuse_last(fault))?;
        overlay.apply(&commit).map_err(|error| match error {
            ApplyError::Violation(violation) => walk.misfit(place, violation).into(),
            ApplyError::Read(error) => CopyError::Fold(error),
        })?;
    }
    Ok(walk.end())
}

/// Takes off what came after the end: commits made meanwhile.
fn cut(log: &Path, end: &End) -> Result<(), CopyError> {
    let count = segment::count(log).map_err(LogError::from)?;
    for number in (end.place.segment + 1..=count).rev() {
        disk::remove(&segment::path(log, number))?;
    }
    let path = segment::path(log, end.place.segment);
    let opened = OpenOptions::new().write(true).open(&path);
    let cut = opened.and_then(|file| {
        file.set_len(end.place.offset)?;
        file.sync_all()
    });
    disk::at("cut", &path, cut)?;
    Ok(())
}

/// Gives the checked copy the log's name.
fn put_in_place(dir: &Path, end: &End) -> Result<Copied, CopyError> {
    let (partial, log) = (dir.join(PARTIAL), dir.join(LOG));
    let mut bytes = 0;
    for number in 1..=end.place.segment {
        let path = segment::path(&partial, number);
        bytes += disk::at("look at", &path, path.metadata())?.len();
    }
    disk::at("write", &log, std::fs::rename(&partial, &log))?;
    disk::sync_dir(dir)?;
    Ok(Copied {
        head: Head {
            seq: end.chain.seq,
            hash: end.head.to_string(),
        },
        files: end.place.segment,
        bytes,
    })
}

/// Removes a copy that did not come to its end. That it stays is no harm: it is named the next time.
fn discard(partial: &Path) {
    if let Err(error) = std::fs::remove_dir_all(partial)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %partial.display(), %error, "a copy could not be removed");
    }
}
