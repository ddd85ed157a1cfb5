//! The ledger under the power cut: what is recorded, and what every image of it must hold.

use std::fs;
use std::path::{Path, PathBuf};

use maitred::store::lock::LockError;
use maitred::store::log::segment;
use maitred::store::open::{self, Create, Limits, Notice, OpenError, Opened};
use maitred::store::port::Store;

use super::recording::Recording;
use super::rng::Rng;
use crate::child::Notes;
use crate::load;
use crate::shim::{By, Kill};
use crate::store_support::{at, chain};

/// The ledger's folder below the disk: two folders deep, so that making them is recorded, too.
const STORE: &str = "house/ledger";

/// So small that a segment ends every few commits.
const SEGMENT: u64 = 8_000;

/// The role of the recorded process.
pub const ROLE: &str = "ledger";

/// One process's life.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    pub commits: u64,
    pub end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It closes the ledger.
    Closed,
    /// It is gone without a word after its last commit.
    Gone,
    /// It is killed, wherever that is.
    Killed(Kill),
}

/// Changes that the shortest life makes at least, and a long one about.
const FEW_CHANGES: u64 = 30;
const MANY_CHANGES: u64 = 120;

/// Some lives, with every way from one to the next.
pub fn lives(rng: &mut Rng) -> Vec<Life> {
    let mut killed = |most| {
        End::Killed(Kill {
            at: 1 + rng.below(most),
            by: *rng.pick(&[By::Before, By::Half, By::After]),
            kinds: None,
        })
    };
    let ends = [
        killed(FEW_CHANGES),
        killed(MANY_CHANGES),
        End::Closed,
        End::Closed,
        killed(MANY_CHANGES),
        End::Gone,
        End::Gone,
        killed(FEW_CHANGES),
        End::Closed,
    ];
    let lives = ends.map(|end| Life {
        commits: rng.below(14),
        end,
    });
    lives.to_vec()
}

fn limits(check_all: bool) -> Limits {
    Limits {
        segment: SEGMENT,
        check: if check_all { u64::MAX } else { 0 },
        // So few that a longer rebuild writes in parts.
        records: 50,
    }
}

fn open(disk: &Path, check_all: bool) -> Result<Opened, String> {
    let path = disk.join(STORE);
    for _ in 0..LOCK_TRIES {
        let limits = limits(check_all);
        match open::open_with(&path, Create::Yes, at(0), limits, &mut |_| {}) {
            Ok(opened) => return Ok(opened),
            Err(OpenError::Lock(LockError::Held { .. })) => std::thread::yield_now(),
            Err(error) => return Err(format!("it does not open: {}", chain(&error))),
        }
    }
    Err("its lock is not let go".to_owned())
}

/// A child that another thread of this test starts has a copy of the lock until it becomes another
/// program.
const LOCK_TRIES: u32 = 100_000;

/// Records one life.
pub fn record(recording: &Recording, life: Life) {
    let disk = recording.disk();
    let closes = life.end == End::Closed;
    let args = format!("{} {} {closes}", disk.display(), life.commits);
    let kill = match life.end {
        End::Closed | End::Gone => None,
        End::Killed(kill) => Some(kill),
    };
    recording.run(ROLE, &args, kill);
}

/// The recorded process.
pub fn live(args: &[String]) {
    let disk = PathBuf::from(&args[0]);
    let commits: u64 = args[1].parse().expect("a number");
    let mut notes = Notes::new();
    notes.say("opening");
    let mut store = open(&disk, true).expect("it opens").store;
    notes.say(&format!("there are {}", store.head().seq));
    for _ in 0..commits {
        commit(&mut store);
        notes.say(&format!("there are {}", store.head().seq));
    }
    if args[2] == "true" {
        notes.say("closing");
        store.close().expect("it closes");
        notes.say("closed");
    }
    // Nothing is dropped: a process that is gone does not tidy up.
    std::process::exit(0);
}

fn commit(store: &mut dyn Store) {
    let n = store.head().seq;
    let made = store.commit(load::when(n), load::commit(n), &[]);
    made.expect("it commits");
}

/// All bytes of the log, file after file.
pub fn log(disk: &Path) -> Vec<u8> {
    let folder = disk.join(STORE).join("log");
    let count = segment::count(&folder).expect("none is missing");
    let files = (1..=count).map(|number| segment::path(&folder, number));
    files
        .flat_map(|path| fs::read(path).expect("it reads"))
        .collect()
}

/// How an image opened, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    Trusted,
    Made,
    Rebuilt,
    /// And rebuilt.
    Torn,
}

/// Opens an image and looks whether it keeps the promise: all that was acknowledged, at most one
/// commit more, that one whole, and a second opening that finds the same.
///
/// # Errors
/// Says what is wrong.
pub fn check(disk: &Path, acknowledged: u64, whole: &[u8], rng: &mut Rng) -> Result<How, String> {
    let opened = open(disk, rng.chance(500))?;
    let how = how(&opened.notices)?;
    let mut store = opened.store;
    let commits = store.head().seq;
    if commits != acknowledged && commits != acknowledged + 1 {
        return Err(format!(
            "{acknowledged} were acknowledged, {commits} are there"
        ));
    }
    // Where nothing was, another ledger was made, with an id of its own.
    let made = log(disk);
    if how == How::Made && commits == 0 {
        let lines = made.iter().filter(|byte| **byte == b'\n').count();
        if lines != 1 {
            return Err(format!("a new log has {lines} lines"));
        }
    } else if !whole.starts_with(&made) {
        return Err("the log is not the beginning of what was written".to_owned());
    }
    load::check(&store, commits)?;
    let more = rng.chance(500);
    if more {
        commit(&mut store);
    }
    let head = store.head();
    let closes = rng.chance(500);
    if closes {
        store.close().map_err(|error| chain(&error))?;
    }
    drop(store);
    let again = open(disk, rng.chance(500))?;
    if again.notices.is_empty() != closes {
        return Err(format!("the second opening said {:?}", again.notices));
    }
    if again.store.head() != head {
        return Err(format!("the second opening found {:?}", again.store.head()));
    }
    load::check(&again.store, commits + u64::from(more))?;
    Ok(how)
}

fn how(notices: &[Notice]) -> Result<How, String> {
    let mut how = How::Trusted;
    for notice in notices {
        how = how.max(match notice {
            Notice::Created(_) => How::Made,
            Notice::Rebuilt { .. } => How::Rebuilt,
            Notice::Torn {
                acknowledged: false,
                ..
            } => How::Torn,
            Notice::Torn { .. } | Notice::CaughtUp { .. } => {
                return Err(format!("it said: {notice}"));
            }
        });
    }
    Ok(how)
}
