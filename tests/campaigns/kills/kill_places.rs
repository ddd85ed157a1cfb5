//! Where a process is killed: at each of its changes to the ledger, one after the other. The number
//! of changes is counted first, in undisturbed runs.

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitStatus;
use std::time::Duration;

use super::is_killed;
use crate::crash_fixture::{CrashFixture, WITH_CREDIT, WITHOUT_ACCOUNT};
use crate::rng::Rng;
use crate::shim::{KillAt, KillPoint, Shim, read_counts};

/// The part of a process's life in which it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunPart {
    /// A single run.
    Once,
    /// A daemon that opens the ledger and answers everybody.
    Daemon,
    /// The same daemon from the end signal on: the number of changes before the signal varies.
    Shutdown,
}

const RUN_PARTS: [RunPart; 3] = [RunPart::Once, RunPart::Daemon, RunPart::Shutdown];

pub const KILL_POINTS: [KillPoint; 3] = [KillPoint::Before, KillPoint::Midway, KillPoint::After];

/// One place, and how the process is killed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KillPlace {
    pub part: RunPart,
    pub kill: KillAt,
}

/// Runs that are counted for each part: every run makes at least the lowest of these numbers.
const COUNTED_RUNS: u32 = 2;

/// How often a place is tried if a run ends before it.
const TRIES: u32 = 3;

/// How often a daemon that has answered every request is checked, some milliseconds apart, before
/// it gets the signal: it still has to write down the outcome.
const IDLE_POLLS: u32 = 40;

/// The longest time that a daemon gets for its work.
const DAEMON_PATIENCE: Duration = Duration::from_secs(30);

/// Returns a fixture in which everything that can happen has happened once.
pub fn used_fixture() -> CrashFixture {
    let mut fixture = CrashFixture::new();
    add_work(&mut fixture);
    fixture.run_until_idle();
    fixture
}

/// Prepares the same work before each run, so that each run has about the same amount to write: a
/// request to confirm, a request to decline, a credit to refund.
pub fn add_work(fixture: &mut CrashFixture) {
    fixture.cancel_last_confirmed();
    fixture.request_lesson(WITH_CREDIT);
    fixture.request_lesson(WITHOUT_ACCOUNT);
}

/// Returns how many changes each part makes without a disturbance.
pub fn change_counts() -> BTreeMap<RunPart, u64> {
    let mut least: BTreeMap<RunPart, u64> = RUN_PARTS.map(|part| (part, min_changes(part))).into();
    let ending = least[&RunPart::Shutdown];
    // What a daemon does until it receives the end signal.
    least
        .entry(RunPart::Daemon)
        .and_modify(|all| *all -= ending);
    least
}

fn min_changes(part: RunPart) -> u64 {
    let mut fixture = used_fixture();
    let counted = (0..COUNTED_RUNS).map(|_| {
        add_work(&mut fixture);
        let (ended, changes) = run_part(&fixture, part, None);
        assert!(ended.success(), "{part:?}: {ended}");
        fixture.run_until_idle();
        // Done here as after each kill, because what a run finds open or closed influences its
        // changes.
        assert_eq!(fixture.find_violations(), [""; 0]);
        changes
    });
    counted.min().unwrap()
}

/// Runs one part with the given kill. Returns how the process ended and, if it was not killed, how
/// many changes it made.
pub fn run_part(fixture: &CrashFixture, part: RunPart, kill: Option<KillAt>) -> (ExitStatus, u64) {
    let (count, from) = (fixture.path("count"), fixture.path("from"));
    drop(fs::remove_file(&count));
    drop(fs::remove_file(&from));
    let shim = Shim {
        count_file: Some(count.clone()),
        start_file: (part == RunPart::Shutdown).then(|| from.clone()),
        kill,
        ..Shim::default()
    };
    let args = match part {
        RunPart::Once => &["run", "--once", "--watch"][..],
        RunPart::Daemon | RunPart::Shutdown => &["run"],
    };
    let mut running = fixture.start_under(args, shim);
    if part != RunPart::Once {
        let mut looks = 0;
        let ended = running.wait_within(DAEMON_PATIENCE, || {
            looks += u32::from(fixture.no_call_is_waiting());
            looks > IDLE_POLLS
        });
        if let Some(ended) = ended {
            return (ended, 0);
        }
        fs::write(&from, "").unwrap();
        running.terminate();
    }
    let ended = running.wait();
    (ended, read_counts(&count).0)
}

/// Returns this many places, in order. If there are more kills than places, every place is covered,
/// in another way each round; otherwise a selection with the largest possible distances.
pub fn schedule_kills(of: &BTreeMap<RunPart, u64>, kills: u64, rng: &mut Rng) -> Vec<KillPlace> {
    let every: Vec<(RunPart, u64)> = of
        .iter()
        .flat_map(|(part, last)| (1..=*last).map(|at| (*part, at)))
        .collect();
    let all = every.len() as u64;
    let (first, way) = (rng.up_to(all), rng.index(KILL_POINTS.len()));
    let place = |n: u64| {
        let (at, turn) = if kills < all {
            ((first + n * all / kills) % all, n)
        } else {
            (n % all, n % all + n / all)
        };
        let (part, number) = every[usize::try_from(at).unwrap()];
        let turn = way + usize::try_from(turn).unwrap();
        KillPlace {
            part,
            kill: KillAt {
                at: number,
                point: KILL_POINTS[turn % KILL_POINTS.len()],
                call_letters: None,
            },
        }
    };
    (0..kills.min(all * KILL_POINTS.len() as u64))
        .map(place)
        .collect()
}

/// Returns true if a process was killed there in one of several runs.
pub fn kill_at_place(fixture: &mut CrashFixture, place: KillPlace) -> bool {
    (0..TRIES).any(|_| {
        add_work(fixture);
        let (ended, _) = run_part(fixture, place.part, Some(place.kill));
        fixture.run_until_idle();
        is_killed(ended)
    })
}
