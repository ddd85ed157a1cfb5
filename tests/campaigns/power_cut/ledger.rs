//! The ledger in the power cut tests: what is recorded, and what every image must contain.

use std::fs;
use std::path::{Path, PathBuf};

use maitred::store::lock::LockError;
use maitred::store::log::segment;
use maitred::store::open::{self, CreateIfMissing, OpenedStore};
use maitred::store::open_report::{OpenError, OpenNotice};
use maitred::store::port::{Maintenance, Store};
use maitred::store::store_parts::StoreLimits;

use super::recording::Recording;
use crate::child_process::Notes;
use crate::fixture::store_support::{at, error_chain};
use crate::rng::Rng;
use crate::shim::{KillAt, KillPoint};
use crate::workload;

/// The ledger's folder below the disk: two folders deep, so that creating them is recorded, too.
const STORE_PATH: &str = "house/ledger";

/// So small that a segment ends every few commits.
const SEGMENT_BYTES: u64 = 8_000;

/// The role of the recorded process.
pub const ROLE: &str = "ledger";

/// One process with its commits and its end.
#[derive(Debug, Clone, Copy)]
pub struct LedgerRun {
    pub commits: u64,
    pub end: RunEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// The process closes the ledger.
    Closed,
    /// The process exits without closing the ledger after its last commit.
    Exited,
    /// The process is killed at any point.
    Killed(KillAt),
}

/// Changes that the shortest run makes at least, and changes that a long run makes on average.
const FEW_CHANGES: u64 = 30;
const MANY_CHANGES: u64 = 120;

/// Returns some runs, with every transition from one to the next.
pub fn plan_runs(rng: &mut Rng) -> Vec<LedgerRun> {
    let mut killed = |most| {
        RunEnd::Killed(KillAt {
            at: 1 + rng.up_to(most),
            point: *rng.pick(&[KillPoint::Before, KillPoint::Midway, KillPoint::After]),
            call_letters: None,
        })
    };
    let ends = [
        killed(FEW_CHANGES),
        killed(MANY_CHANGES),
        RunEnd::Closed,
        RunEnd::Closed,
        killed(MANY_CHANGES),
        RunEnd::Exited,
        RunEnd::Exited,
        killed(FEW_CHANGES),
        RunEnd::Closed,
    ];
    let lives = ends.map(|end| LedgerRun {
        commits: rng.up_to(14),
        end,
    });
    lives.to_vec()
}

fn store_limits(check_all: bool) -> StoreLimits {
    StoreLimits {
        segment_bytes: SEGMENT_BYTES,
        full_check_bytes: if check_all { u64::MAX } else { 0 },
        // So few that a longer rebuild writes in parts.
        max_records: 50,
    }
}

fn open(disk: &Path, check_all: bool) -> Result<OpenedStore, String> {
    let path = disk.join(STORE_PATH);
    for _ in 0..LOCK_TRIES {
        let limits = store_limits(check_all);
        match open::open_with(&path, CreateIfMissing::Yes, at(0), limits, &mut |_| {}) {
            Ok(opened) => return Ok(opened),
            Err(OpenError::Lock(LockError::Held { .. })) => std::thread::yield_now(),
            Err(error) => return Err(format!("it does not open: {}", error_chain(&error))),
        }
    }
    Err("its lock is not let go".to_owned())
}

/// A child process that another thread of this test starts holds a copy of the lock until it
/// executes another program.
const LOCK_TRIES: u32 = 100_000;

/// Records one run.
pub fn record_run(recording: &Recording, life: LedgerRun) {
    let disk = recording.disk();
    let closes = life.end == RunEnd::Closed;
    let args = format!("{} {} {closes}", disk.display(), life.commits);
    let kill = match life.end {
        RunEnd::Closed | RunEnd::Exited => None,
        RunEnd::Killed(kill) => Some(kill),
    };
    recording.run(ROLE, &args, kill);
}

/// Runs the recorded process.
pub fn run_ledger(args: &[String]) {
    let disk = PathBuf::from(&args[0]);
    let commits: u64 = args[1].parse().expect("a number");
    let mut notes = Notes::new();
    notes.write_line("opening");
    let mut store = open(&disk, true).expect("it opens").store;
    notes.write_line(&format!("there are {}", store.head().seq));
    for _ in 0..commits {
        commit_next(&mut store);
        notes.write_line(&format!("there are {}", store.head().seq));
    }
    if args[2] == "true" {
        notes.write_line("closing");
        store.close().expect("it closes");
        notes.write_line("closed");
    }
    // Nothing is dropped: a process that is gone does not clean up.
    std::process::exit(0);
}

fn commit_next(store: &mut dyn Store) {
    let n = store.head().seq;
    let made = store.commit(workload::commit_time(n), workload::commit_facts(n), &[]);
    made.expect("it commits");
}

/// Returns all bytes of the log, file after file.
pub fn log_bytes(disk: &Path) -> Vec<u8> {
    let folder = disk.join(STORE_PATH).join("log");
    let count = segment::count(&folder).expect("none is missing");
    let files = (1..=count).map(|number| segment::path(&folder, number));
    files
        .flat_map(|path| fs::read(path).expect("it reads"))
        .collect()
}

/// How an image opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpenPath {
    TrustedProjection,
    CreatedProjection,
    RebuiltProjection,
    /// The projection was rebuilt, too.
    TornTail,
}

/// Opens an image and checks that it keeps the promise: everything that was acknowledged, at most
/// one additional commit, that commit complete, and the same result at a second opening.
///
/// # Errors
/// Returns a text that says what is wrong.
pub fn check_image(
    disk: &Path,
    acknowledged: u64,
    whole: &[u8],
    rng: &mut Rng,
) -> Result<OpenPath, String> {
    let opened = open(disk, rng.chance(500))?;
    let how = open_path(&opened.notices)?;
    let mut store = opened.store;
    let commits = store.head().seq;
    if commits != acknowledged && commits != acknowledged + 1 {
        return Err(format!(
            "{acknowledged} were acknowledged, {commits} are there"
        ));
    }
    // If there was nothing, another ledger was created, with its own id.
    let made = log_bytes(disk);
    if how == OpenPath::CreatedProjection && commits == 0 {
        let lines = made.iter().filter(|byte| **byte == b'\n').count();
        if lines != 1 {
            return Err(format!("a new log has {lines} lines"));
        }
    } else if !whole.starts_with(&made) {
        return Err("the log is not the beginning of what was written".to_owned());
    }
    workload::check_ledger(&store, commits)?;
    let more = rng.chance(500);
    if more {
        commit_next(&mut store);
    }
    let head = store.head();
    let closes = rng.chance(500);
    if closes {
        store.close().map_err(|error| error_chain(&error))?;
    }
    drop(store);
    let again = open(disk, rng.chance(500))?;
    if again.notices.is_empty() != closes {
        return Err(format!("the second opening said {:?}", again.notices));
    }
    if again.store.head() != head {
        return Err(format!("the second opening found {:?}", again.store.head()));
    }
    workload::check_ledger(&again.store, commits + u64::from(more))?;
    Ok(how)
}

fn open_path(notices: &[OpenNotice]) -> Result<OpenPath, String> {
    let mut how = OpenPath::TrustedProjection;
    for notice in notices {
        how = how.max(match notice {
            OpenNotice::Created(_) => OpenPath::CreatedProjection,
            OpenNotice::ProjectionRebuilt { .. } => OpenPath::RebuiltProjection,
            OpenNotice::TornLineCut {
                acknowledged: false,
                ..
            } => OpenPath::TornTail,
            OpenNotice::TornLineCut { .. }
            | OpenNotice::ProjectionCaughtUp { .. }
            | OpenNotice::RewriteRolledBack
            | OpenNotice::RewriteCompleted => {
                return Err(format!("it said: {notice}"));
            }
        });
    }
    Ok(how)
}
