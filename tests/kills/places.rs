//! Where a process is killed: at each of its changes to the ledger, one after the other. How many
//! there are is counted first, in lives that nobody disturbs.

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitStatus;
use std::time::Duration;

use super::house::{House, RICH, STRANGER};
use super::is_killed;
use super::rng::Rng;
use super::shim::{By, Kill, Shim, counted};

/// What of a life is gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A single run.
    Once,
    /// A daemon that opens the ledger and answers everybody.
    Daemon,
    /// The same one, from the signal to end on: how many changes it has made by then differs.
    Ending,
}

const PARTS: [Part; 3] = [Part::Once, Part::Daemon, Part::Ending];

pub const BYS: [By; 3] = [By::Before, By::Half, By::After];

/// One place, and how to be killed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub part: Part,
    pub kill: Kill,
}

/// Lives that are counted for each part: the least of them is what every life comes to.
const COUNTED: u32 = 2;

/// How often a place is tried, should a life end before it.
const TRIES: u32 = 3;

/// Looks, some milliseconds apart, at a daemon that has answered everybody: it still has to write
/// down how that went.
const AT_REST: u32 = 40;

/// The longest that a daemon gets for its work.
const DAEMON: Duration = Duration::from_secs(30);

/// A house in which everything that can happen has happened once.
pub fn house() -> House {
    let mut house = House::new();
    something_happens(&mut house);
    house.finish();
    house
}

/// The same before each life, so that each has about as much to write: somebody to confirm, somebody
/// to decline, a credit to give back.
pub fn something_happens(house: &mut House) {
    house.cancel();
    house.ask(RICH);
    house.ask(STRANGER);
}

/// How many changes each part makes when nobody disturbs it.
pub fn undisturbed() -> BTreeMap<Part, u64> {
    let mut least: BTreeMap<Part, u64> = PARTS.map(|part| (part, least_of(part))).into();
    let ending = least[&Part::Ending];
    // What a daemon does until it is told to end.
    least.entry(Part::Daemon).and_modify(|all| *all -= ending);
    least
}

fn least_of(part: Part) -> u64 {
    let mut house = house();
    let counted = (0..COUNTED).map(|_| {
        something_happens(&mut house);
        let (ended, changes) = live(&house, part, None);
        assert!(ended.success(), "{part:?}: {ended}");
        house.finish();
        // As it is done after each kill: what a life finds open or closed has a part in its changes.
        assert_eq!(house.check(), [""; 0]);
        changes
    });
    counted.min().unwrap()
}

/// One life, killed there: how it ended and, when it was not killed, how many changes it made.
pub fn live(house: &House, part: Part, kill: Option<Kill>) -> (ExitStatus, u64) {
    let (count, from) = (house.path("count"), house.path("from"));
    drop(fs::remove_file(&count));
    drop(fs::remove_file(&from));
    let shim = Shim {
        count: Some(count.clone()),
        from: (part == Part::Ending).then(|| from.clone()),
        kill,
        ..Shim::default()
    };
    let args = match part {
        Part::Once => &["run", "--once", "--watch"][..],
        Part::Daemon | Part::Ending => &["run"],
    };
    let mut running = house.start_under(args, shim);
    if part != Part::Once {
        let mut looks = 0;
        let ended = running.ended_within(DAEMON, || {
            looks += u32::from(house.is_answered());
            looks > AT_REST
        });
        if let Some(ended) = ended {
            return (ended, 0);
        }
        fs::write(&from, "").unwrap();
        running.terminate();
    }
    let ended = running.ended();
    (ended, counted(&count).0)
}

/// So many places of these, in order. As long as there are more kills than places, every one of them
/// is met, in another way each time round; with fewer, some, as far apart as they can be.
pub fn schedule(of: &BTreeMap<Part, u64>, kills: u64, rng: &mut Rng) -> Vec<Place> {
    let every: Vec<(Part, u64)> = of
        .iter()
        .flat_map(|(part, last)| (1..=*last).map(|at| (*part, at)))
        .collect();
    let all = every.len() as u64;
    let (first, way) = (rng.below(all), rng.index(BYS.len()));
    let place = |n: u64| {
        let (at, turn) = if kills < all {
            ((first + n * all / kills) % all, n)
        } else {
            (n % all, n % all + n / all)
        };
        let (part, number) = every[usize::try_from(at).unwrap()];
        let turn = way + usize::try_from(turn).unwrap();
        Place {
            part,
            kill: Kill {
                at: number,
                by: BYS[turn % BYS.len()],
                kinds: None,
            },
        }
    };
    (0..kills.min(all * BYS.len() as u64)).map(place).collect()
}

/// Whether it was killed there, in one of some lives.
pub fn meet(house: &mut House, place: Place) -> bool {
    (0..TRIES).any(|_| {
        something_happens(house);
        let (ended, _) = live(house, place.part, Some(place.kill));
        house.finish();
        is_killed(ended)
    })
}
