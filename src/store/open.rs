//! Opening the store. In this order, because each step relies on those before it: the lock; the
//! log's lines; a torn tail cut off; the mark of a clean end taken back; only then the fold, trusted
//! or made anew; and at last the log's end, to write to.

use std::path::{Path, PathBuf};

use super::disk::{self, DiskError};
use super::lock::{self, Lock, LockError};
use super::log::append::Appender;
use super::log::line::Header;
use super::log::segment::{self, Chain, Place, SEGMENT_LIMIT, SegmentError};
use super::log::walk::{End, LogError, Walk};
use super::marker::{self, Applied, Marker};
use super::opened::{LOG, LogStore};
use super::port::StoreError;
use super::sled::catch_up::{CatchUpError, Caught, catch_up};
use super::sled::fold::{self, Fold};
use super::sled::print;
use super::tail;
use crate::domain::time::Time;

/// A log up to this many bytes is checked line by line at every opening: some tens of milliseconds.
/// Of a longer one that was closed cleanly only what was written since is; `ledger verify` and every
/// rebuild check all of it.
const CHECK_LIMIT: u64 = 8 * 1024 * 1024;

/// Folders of folds in doubt that are kept for whoever wants to know what happened. They can be
/// large, and nothing is in them that is not in the log.
const KEPT_DOUBTFUL: usize = 2;

/// Bytes folded between two words of progress.
const PROGRESS_EVERY: u64 = 1024 * 1024;

/// What a file system puts into its top directory.
const LOST_AND_FOUND: &str = "lost+found";

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
    #[error("open the ledger: there is none in {} yet (`maitred init` makes one)", .0.display())]
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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment: SEGMENT_LIMIT,
            check: CHECK_LIMIT,
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
    if !has_log(path)? {
        match create {
            Create::No => return Err(OpenError::Absent(path.to_owned())),
            Create::Yes => disk::make_dir(path)?,
        }
    }
    let lock = Lock::take(path, now)?;
    let log = path.join(LOG);
    // Asked again: before the lock was had, another process may have made it.
    if !has_log(path)? {
        make_log(&log, now)?;
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
    if end.torn > 0 {
        let acknowledged = closed > end.chain.seq;
        notices.push(tail::cut(&log, &end, acknowledged)?);
        examined.end.torn = 0;
    }
    if !examined.trusts {
        marker = None;
    }
    let (fold, applied) = open_fold(path, marker, &end, progress, &mut notices)?;
    assert_eq!(
        applied.seq, end.chain.seq,
        "the fold has come to the log's end"
    );
    let sink = segment::open_end(&log, end.place.segment)?;
    let appender = Appender::new(&log, end.place, end.chain, Box::new(sink), limits.segment);
    let store = LogStore::new(path, lock, appender, fold, applied);
    Ok(Opened { store, notices })
}

/// Whether there is a log.
fn has_log(path: &Path) -> Result<bool, OpenError> {
    let Some(names) = disk::names(path)? else {
        return Ok(false);
    };
    let log = path.join(LOG);
    if segment::count(&log)? > 0 {
        return Ok(true);
    }
    let mut found: Vec<String> = Vec::new();
    for name in names {
        match name.as_str() {
            lock::NAME | LOST_AND_FOUND => {}
            name if is_birthplace(name) || disk::is_socket(&path.join(name)) => {}
            LOG => {
                // What a first start that was cut short left behind.
                let names = disk::names(&log)?.unwrap_or_default();
                let names = names.into_iter().filter(|name| !name.ends_with(".new"));
                found.extend(names.map(|name| format!("{LOG}/{name}")));
            }
            _ => found.push(name),
        }
    }
    if found.is_empty() {
        return Ok(false);
    }
    Err(OpenError::NoLog {
        path: path.to_owned(),
        found: list(&found),
    })
}

/// Whether the name is that of the directory `.PID` in which a daemon's control socket is made. The
/// socket is kept here unless it is configured otherwise, and neither holds anything of a ledger.
fn is_birthplace(name: &str) -> bool {
    let pid = name.strip_prefix('.');
    pid.is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The first few names.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).map(|name| format!("`{name}`"));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(", …");
    }
    text
}

fn make_log(log: &Path, now: Time) -> Result<(), OpenError> {
    disk::make_dir(log)?;
    let header = Header {
        segment: 1,
        first: 1,
        created: now,
    };
    segment::make(log, &header, Chain::START)?;
    Ok(())
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
        && size(log, u32::MAX)? > limits.check
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

/// Opens the fold and brings it up to the log's end, or makes it anew.
fn open_fold(
    path: &Path,
    marker: Option<Marker>,
    end: &End,
    progress: &mut dyn FnMut(Progress),
    notices: &mut Vec<Notice>,
) -> Result<(Fold, Applied), OpenError> {
    let folder = path.join(fold::NAME);
    let trusted = match marker {
        None => Err("was not closed cleanly".to_owned()),
        Some(marker) => match print::print(&folder) {
            Ok(print) if print == marker.print => Ok(marker),
            Ok(_) => Err("is not as it was left".to_owned()),
            Err(error) => Err(format!("cannot be read ({})", error.source)),
        },
    };
    marker::remove(path)?;
    let trusted = trusted.and_then(|marker| Ok((open_clean(path, &marker)?, marker.applied)));
    let why = match trusted {
        Ok((fold, applied)) if applied.seq == end.chain.seq => return Ok((fold, applied)),
        Ok((fold, mut applied)) => {
            let caught = fold_rest(path, &fold, &mut applied, progress)?;
            let commits = caught.commits;
            notices.push(Notice::CaughtUp { commits });
            return Ok((fold, applied));
        }
        Err(why) => why,
    };
    let moved = move_aside(path)?;
    let fold = open_new(path)?;
    let mut applied = beginning(&path.join(LOG))?;
    let rebuilt = fold_rest(path, &fold, &mut applied, progress);
    let caught = match rebuilt {
        Ok(caught) => caught,
        Err(error) => {
            drop(fold);
            discard(&folder);
            return Err(error);
        }
    };
    // A new ledger, whose fold was never there, is no news.
    if moved.is_some() || end.chain.seq > 0 {
        let why = if moved.is_some() {
            why
        } else {
            "was not there".to_owned()
        };
        let Caught { commits, facts } = caught;
        notices.push(Notice::Rebuilt {
            why,
            moved,
            commits,
            facts,
        });
    }
    Ok((fold, applied))
}

/// Opens the fold that the marker vouches for; the error says why it is not to be trusted.
fn open_clean(path: &Path, marker: &Marker) -> Result<Fold, String> {
    let fold = Fold::open(&path.join(fold::NAME), &path.join(LOG));
    let fold = fold.map_err(|error| format!("could not be opened ({error})"))?;
    match fold.applied() {
        Ok(Some(applied)) if applied == marker.applied => Ok(fold),
        Ok(_) => Err("is older than it was left".to_owned()),
        Err(error) => Err(format!("could not be read ({error})")),
    }
}

fn open_new(path: &Path) -> Result<Fold, OpenError> {
    let folder = path.join(fold::NAME);
    disk::make_dir(&folder)?;
    Fold::open(&folder, &path.join(LOG)).map_err(|error| OpenError::Fold(fold::refusal(&error)))
}

/// Where a fold with nothing in it stands.
fn beginning(log: &Path) -> Result<Applied, OpenError> {
    let walk = Walk::start(log)?;
    let place = Place {
        segment: 1,
        offset: 0,
    };
    Ok(Applied {
        seq: 0,
        hash: walk.end().head,
        place,
    })
}

fn fold_rest(
    path: &Path,
    fold: &Fold,
    applied: &mut Applied,
    progress: &mut dyn FnMut(Progress),
) -> Result<Caught, OpenError> {
    let log = path.join(LOG);
    let chain = Chain {
        seq: applied.seq,
        hash: applied.hash,
    };
    let mut walk = match applied.seq {
        0 => Walk::start(&log)?,
        _ => Walk::resume(&log, applied.place, chain)?.expect("the log has this line"),
    };
    let total = size(&log, u32::MAX)?;
    let mut told = 0;
    let mut before = (0, 0);
    let mut seen = |place: Place| {
        if before.0 != place.segment {
            // Only for people to see: a size that cannot be read counts as none.
            before = (place.segment, size(&log, place.segment - 1).unwrap_or(0));
        }
        let done = before.1 + place.offset;
        if done >= told + PROGRESS_EVERY {
            told = done;
            progress(Progress { done, total });
        }
    };
    let caught = catch_up(fold, &mut walk, applied, &mut seen);
    let caught = caught.map_err(|error| match error {
        CatchUpError::Log(error) => OpenError::Log(error),
        CatchUpError::Fold(error) => OpenError::Fold(error),
    })?;
    Ok(caught)
}

/// Bytes of the log's segments, up to and with this one.
fn size(log: &Path, last: u32) -> Result<u64, OpenError> {
    let mut bytes = 0;
    for number in 1..=segment::count(log)?.min(last) {
        let path = segment::path(log, number);
        bytes += disk::at("look at", &path, path.metadata())?.len();
    }
    Ok(bytes)
}

/// Moves the fold out of the way, if there is one, and removes what was moved before long ago.
fn move_aside(path: &Path) -> Result<Option<PathBuf>, OpenError> {
    let prefix = format!("{}.doubtful-", fold::NAME);
    let names = disk::names(path)?.unwrap_or_default();
    if !names.iter().any(|name| name == fold::NAME) {
        return Ok(None);
    }
    let numbers = names.iter().filter_map(|name| name.strip_prefix(&prefix));
    let mut numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
    numbers.sort_unstable();
    let to = path.join(format!(
        "{prefix}{}",
        numbers.last().map_or(1, |last| last + 1)
    ));
    let folder = path.join(fold::NAME);
    disk::at("move aside", &folder, std::fs::rename(&folder, &to))?;
    disk::sync_dir(path)?;
    let kept = KEPT_DOUBTFUL - 1;
    for number in numbers.iter().rev().skip(kept) {
        discard(&path.join(format!("{prefix}{number}")));
    }
    Ok(Some(to))
}

/// Removes a fold that nobody needs. That it stays is no harm: it is moved aside the next time.
fn discard(folder: &Path) {
    let removed = if folder.is_dir() {
        std::fs::remove_dir_all(folder)
    } else {
        std::fs::remove_file(folder)
    };
    if let Err(error) = removed {
        tracing::warn!(folder = %folder.display(), %error, "an old fold could not be removed");
    }
}
