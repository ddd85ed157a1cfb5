//! SIGKILL. The built binary, as a daemon and run once, is killed at each of its changes to the
//! ledger in turn, before it, in the middle of it and after it, and at any instant whatever; then
//! started again. It must come to the same end as if nobody had disturbed it: each booking decided,
//! mailed and charged once.
//!
//! `MAITRED_KILLS=300` kills so often; by default few, from another place on for each
//! `MAITRED_KILL_SEED`.

#![allow(clippy::unwrap_used, reason = "tests panic")]
#![allow(clippy::print_stderr, reason = "the seed and the mix are printed")]

#[path = "common/house.rs"]
mod house;
#[path = "simulation/rng.rs"]
mod rng;
#[path = "common/shim.rs"]
mod shim;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use house::{House, POOR, RICH, Running, STRANGER};
use maitred::sandbox::journal::Kind;
use rng::Rng;
use shim::{By, Kill};

/// Kills when nothing else is asked for.
const KILLS: u64 = 30;

/// Kills among which each kind must have been met.
const ENOUGH: u64 = 100;

/// Of a hundred kills, this many are at an instant that the ledger does not know of.
const ANY_INSTANT_PERCENT: u64 = 30;

/// The longest that one waits for such an instant, and that a daemon gets for its work.
const INSTANT: u64 = 400;
const DAEMON: Duration = Duration::from_secs(10);

const SIGKILL: i32 = 9;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn kills() -> u64 {
    number("MAITRED_KILLS").unwrap_or(KILLS)
}

fn seeded() -> Rng {
    let seed = number("MAITRED_KILL_SEED").unwrap_or(2026);
    eprintln!("MAITRED_KILL_SEED={seed}");
    Rng::new(seed)
}

fn is_killed(status: ExitStatus) -> bool {
    status.signal() == Some(SIGKILL)
}

/// The places to be killed at, in turn: as far apart as it takes to come past all of them.
struct Places {
    next: u64,
    step: u64,
    by: usize,
}

const BYS: [By; 3] = [By::Before, By::Half, By::After];

impl Places {
    fn new(kills: u64, rng: &mut Rng) -> Self {
        // A run makes somewhat over a hundred changes.
        let step = (150 / kills.max(1)).max(1);
        Self {
            next: 1 + rng.below(step),
            step,
            by: rng.index(BYS.len()),
        }
    }

    fn kill(&self) -> Kill {
        Kill {
            at: self.next,
            by: BYS[self.by % BYS.len()],
            kinds: None,
        }
    }

    /// Was it killed there? When not, it has fewer changes, and it begins again.
    fn went(&mut self, killed: bool) {
        if killed {
            self.next += self.step;
            self.by += 1;
        } else {
            self.next = 1 + (self.next + 1) % self.step;
            self.by += 1;
        }
    }
}

#[test]
fn killed_anywhere_it_comes_to_the_same_end() {
    let (kills, mut rng) = (kills(), seeded());
    let mut house = House::new();
    let mut mix: BTreeMap<String, u64> = BTreeMap::new();
    let mut once = Places::new(kills / 2, &mut rng);
    let mut daemon = Places::new(kills / 2, &mut rng);
    let (mut done, mut furthest) = (0, 0);
    while done < kills {
        if rng.chance(300) {
            house.cancel();
        }
        for _ in 0..=rng.below(2) {
            let who: &&str = rng.pick(&[RICH, RICH, POOR, STRANGER]);
            house.ask(who);
        }
        if rng.chance(300) {
            house.answer_slowly(&[Kind::Confirm, Kind::Decline, Kind::List], 150);
        }
        // Sometimes those that clear up are killed, too.
        for again in 0..=rng.below(2) {
            let is_daemon = again == 0 && rng.chance(400);
            let args = if is_daemon {
                &["run"][..]
            } else {
                &["run", "--once", "--watch"]
            };
            let places = if is_daemon { &mut daemon } else { &mut once };
            let killed = if rng.below(100) < ANY_INSTANT_PERCENT {
                let instant = Duration::from_millis(rng.below(INSTANT));
                let killed = kill_after(house.start(args, None), instant);
                killed.then(|| "at any instant".to_owned())
            } else {
                let kill = places.kill();
                let killed = kill_at(&house, house.start(args, Some(kill)), is_daemon);
                places.went(killed);
                furthest = furthest.max(if killed { kill.at } else { 0 });
                killed.then(|| format!("{:?}", kill.by).to_lowercase())
            };
            if let Some(how) = killed {
                done += 1;
                let who = if is_daemon { "daemon" } else { "once" };
                *mix.entry(format!("{who} {how}")).or_default() += 1;
            }
        }
        house.finish();
        let wrong = house.check();
        assert!(wrong.is_empty(), "after {done} kills: {wrong:#?}");
    }
    let asked = house.asked();
    eprintln!("{done} kills, {asked} bookings, up to change {furthest}: {mix:?}");
    if kills >= ENOUGH {
        assert_eq!(mix.len(), 8, "every kind of kill was met: {mix:?}");
    }
}

/// Kills it after that long, unless it is done before.
fn kill_after(mut running: Running, instant: Duration) -> bool {
    let ended = running.ended_within(instant, || false);
    running.kill();
    ended.is_none()
}

/// Looks, some milliseconds apart, at a daemon that has answered everybody: it still has to write
/// down how that went.
const AT_REST: u32 = 40;

/// Waits until the shim has killed it. One that never comes to that place ends by itself or, when it
/// is a daemon and has done its work, is killed at rest.
fn kill_at(house: &House, mut running: Running, is_daemon: bool) -> bool {
    if !is_daemon {
        return is_killed(running.ended());
    }
    let mut looks = 0;
    let ended = running.ended_within(DAEMON, || {
        looks += u32::from(house.is_answered());
        looks > AT_REST
    });
    running.kill();
    ended.is_some_and(is_killed)
}

#[test]
fn a_command_that_was_killed_and_is_repeated_counts_once() {
    let mut rng = seeded();
    let house = House::new();
    let mut places = Places::new(kills() / 3, &mut rng);
    let mut credits = available(&house);
    let mut killed = 0;
    while killed < kills() / 3 {
        let reference = format!("grant {killed} {}", places.next);
        let grant = ["credits", "grant", RICH, "2", "--reference", &reference];
        let was_killed = is_killed(house.start(&grant, Some(places.kill())).ended());
        places.went(was_killed);
        killed += u64::from(was_killed);
        house.ok(&grant);
        credits += 2;
        assert_eq!(available(&house), credits, "{reference}");
    }
    house.ok(&["ledger", "verify"]);
}

fn available(house: &House) -> u64 {
    let shown = house.ok(&["account", "show", RICH, "--format", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    shown["available"].as_u64().unwrap()
}
