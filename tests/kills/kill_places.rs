//! Where a process is killed: at each of its changes to the ledger, one after the other. How many
//! there are is counted first, in lives that nobody disturbs.

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitStatus;
use std::time::Duration;

use super::crash_fixture::{CrashFixture, WITH_CREDIT, WITHOUT_ACCOUNT};
use super::is_killed;
use super::rng::Rng;
use super::shim::{KillAt, KillPoint, Shim, read_counts};

/// What of a life is gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunPart {
    /// A single run.
    Once,
    /// A daemon that opens the ledger and answers everybody.
    Daemon,
    /// The same one, from the signal to end on: how many changes it has made by then differs.
    Shutdown,
}

const RUN_PARTS: [RunPart; 3] = [RunPart::Once, RunPart::Daemon, RunPart::Shutdown];

pub const KILL_POINTS: [KillPoint; 3] = [KillPoint::Before, KillPoint::Midway, KillPoint::After];

/// One place, and how to be killed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KillPlace {
    pub part: RunPart,
    pub kill: KillAt,
}

/// Lives that are counted for each part: the least of them is what every life comes to.
const COUNTED_RUNS: u32 = 2;

/// How often a place is tried, should a life end before it.
const TRIES: u32 = 3;

/// Looks, some milliseconds apart, at a daemon that has answered everybody: it still has to write
/// down how that went.
const IDLE_POLLS: u32 = 40;

/// The longest that a daemon gets for its work.
const DAEMON_PATIENCE: Duration = Duration::from_secs(30);

/// A house in which everything that can happen has happened once.
pub fn used_fixture() -> CrashFixture {
    let mut fixture = CrashFixture::new();
    add_work(&mut fixture);
    fixture.run_until_idle();
    fixture
}

/// The same before each life, so that each has about as much to write: somebody to confirm, somebody
/// to decline, a credit to give back.
pub fn add_work(fixture: &mut CrashFixture) {
    fixture.cancel_last_confirmed();
    fixture.request_lesson(WITH_CREDIT);
    fixture.request_lesson(WITHOUT_ACCOUNT);
}

/// How many changes each part makes when nobody disturbs it.
pub fn change_counts() -> BTreeMap<RunPart, u64> {
    let mut least: BTreeMap<RunPart, u64> = RUN_PARTS.map(|part| (part, min_changes(part))).into();
    let ending = least[&RunPart::Shutdown];
    // What a daemon does until it is told to end.
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
        // As it is done after each kill: what a life finds open or closed has a part in its changes.
        assert_eq!(fixture.find_violations(), [""; 0]);
        changes
    });
    counted.min().unwrap()
}

/// One life, killed there: how it ended and, when it was not killed, how many changes it made.
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

/// So many places of these, in order. As long as there are more kills than places, every one of them
/// is met, in another way each time round; with fewer, some, as far apart as they can be.
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

/// Whether it was killed there, in one of some lives.
pub fn kill_at_place(fixture: &mut CrashFixture, place: KillPlace) -> bool {
    (0..TRIES).any(|_| {
        add_work(fixture);
        let (ended, _) = run_part(fixture, place.part, Some(place.kill));
        fixture.run_until_idle();
        is_killed(ended)
    })
}
