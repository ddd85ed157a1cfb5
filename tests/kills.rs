//! SIGKILL. The built binary, as a daemon and run once, is killed at each of its changes to the
//! ledger in turn, before it, in the middle of it and after it, and at any instant whatever; then
//! started again. It must come to the same end as if nobody had disturbed it: each booking decided,
//! mailed and charged once.
//!
//! In a part of the runs Cal.com's mail server is slow, so that a confirm mails, goes on after its
//! caller was killed, and writes the state at its end. That needs a maitred that waits for calls which
//! may still be running; with one that does not, `MAITRED_KILL_SLOW_MAIL=1` shows the second mails.
//!
//! `MAITRED_KILLS=300` kills so often: at every change at least once, and as often in each way as the
//! number goes. By default few, at other places for each `MAITRED_KILL_SEED`.

#![allow(clippy::unwrap_used, reason = "tests panic")]
#![allow(clippy::print_stderr, reason = "the seed and the mix are printed")]

#[path = "common/house.rs"]
mod house;
#[path = "kills/places.rs"]
mod places;
#[path = "simulation/rng.rs"]
mod rng;
#[path = "common/shim.rs"]
mod shim;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use house::{House, POOR, RICH, Running, STRANGER};
use maitred::daemon::clock;
use maitred::sandbox::journal::Operation;
use places::{BYS, Part, Place};
use rng::Rng;
use shim::{Kill, Shim};

/// Kills when nothing else is asked for.
const KILLS: u64 = 30;

/// Kills from which on every change must have been met.
const ENOUGH: u64 = 300;

/// Of a hundred kills, this many are at an instant that the ledger does not know of.
const ANY_INSTANT_PERCENT: u64 = 25;

/// The longest that one waits for such an instant, in milliseconds.
const INSTANT: u64 = 400;

/// How long a mail takes where the mail server is slow, in milliseconds: longer than most processes
/// live here, shorter than a call may be taken to be running.
const SLOW_MAIL: u64 = 1_500;

/// Changes of a run that clears up after a kill, about.
const CLEARING: u64 = 120;

/// Kills in one house. In an old one the fold makes changes that a young one does not.
const OF_ONE_HOUSE: usize = 25;

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

/// Whether Cal.com's mail server is slow now and then.
fn mails_slowly() -> bool {
    house::waits_for_running_calls() || std::env::var_os("MAITRED_KILL_SLOW_MAIL").is_some()
}

fn is_killed(status: ExitStatus) -> bool {
    status.signal() == Some(SIGKILL)
}

/// So many that every change must have been met.
fn is_whole() -> bool {
    kills() >= ENOUGH
}

fn at_any_instant() -> u64 {
    (kills() * ANY_INSTANT_PERCENT).div_ceil(100)
}

#[test]
fn killed_at_each_change_it_comes_to_the_same_end() {
    let mut rng = seeded();
    let kills = kills() - at_any_instant();
    let last = places::undisturbed();
    let schedule = places::schedule(&last, kills, &mut rng);
    let mut met: BTreeMap<Part, BTreeSet<u64>> = BTreeMap::new();
    let mut mix: BTreeMap<String, u64> = BTreeMap::new();
    let mut missed = Vec::new();
    let parts = schedule.chunk_by(|one, next| one.part == next.part);
    for some in parts.flat_map(|part| part.chunks(OF_ONE_HOUSE)) {
        let mut house = places::house();
        for place in some {
            if !places::meet(&mut house, *place) {
                missed.push(*place);
            }
            let Place { part, kill } = *place;
            met.entry(part).or_default().insert(kill.at);
            *mix.entry(format!("{part:?} {:?}", kill.by)).or_default() += 1;
            let wrong = house.check();
            assert!(wrong.is_empty(), "after {place:?}: {wrong:#?}");
        }
    }
    let places: u64 = last.values().sum();
    let furthest = met.iter().map(|(part, met)| (*part, *met.last().unwrap()));
    let furthest: BTreeMap<Part, u64> = furthest.collect();
    eprintln!(
        "{} kills at {places} places ({last:?}), up to {furthest:?}: {mix:?}",
        schedule.len()
    );
    assert!(missed.is_empty(), "not killed there: {missed:?}");
    if kills >= places || is_whole() {
        let all = met.values().map(|met| met.len() as u64).sum::<u64>();
        assert_eq!((all, furthest), (places, last), "every change was met");
    }
    if kills >= places * BYS.len() as u64 {
        assert_eq!(schedule.len() as u64, places * BYS.len() as u64);
    }
}

#[test]
fn killed_at_any_instant_it_comes_to_the_same_end() {
    let (kills, mut rng) = (at_any_instant(), seeded());
    let slow_mail = mails_slowly();
    let mut house = House::new();
    let mut mix: BTreeMap<&str, u64> = BTreeMap::new();
    let mut done = 0;
    while done < kills {
        if rng.chance(300) {
            house.cancel();
        }
        for _ in 0..=rng.below(2) {
            let who: &&str = rng.pick(&[RICH, RICH, POOR, STRANGER]);
            house.ask(who);
        }
        if rng.chance(300) {
            house.answer_slowly(&[Operation::Confirm, Operation::Decline, Operation::List], 150);
        } else if slow_mail && rng.chance(400) {
            house.mail_slowly(&[Operation::Confirm, Operation::Decline], SLOW_MAIL);
            *mix.entry("slow mail").or_default() += 1;
        }
        let is_daemon = rng.chance(500);
        let args = if is_daemon { &["run"][..] } else { &ONCE };
        let instant = Duration::from_millis(rng.below(INSTANT));
        if kill_after(house.start(args, None), instant) {
            done += 1;
            let who = if is_daemon { "daemon" } else { "once" };
            *mix.entry(who).or_default() += 1;
        }
        // Sometimes those that clear up are killed, too.
        for _ in 0..rng.below(3) {
            let kill = Kill {
                at: 1 + rng.below(CLEARING),
                by: *rng.pick(&BYS),
                kinds: None,
            };
            if is_killed(house.start(&ONCE, Some(kill)).ended()) {
                *mix.entry("clearing up").or_default() += 1;
            }
        }
        house.finish();
        let wrong = house.check();
        assert!(wrong.is_empty(), "after {done} kills: {wrong:#?}");
    }
    eprintln!("{done} kills, {} bookings: {mix:?}", house.asked());
    if is_whole() {
        let kinds = 3 + usize::from(slow_mail);
        assert_eq!(mix.len(), kinds, "every kind of kill was met: {mix:?}");
    }
}

/// Killed while Cal.com carries out a confirm: it has mailed and written nothing, and goes on. Only
/// once maitred waits for calls that may still be running (or `MAITRED_KILL_SLOW_MAIL` asks for it).
#[test]
fn killed_while_a_confirm_is_running_it_mails_once() {
    if !mails_slowly() {
        return;
    }
    let mut house = House::new();
    for args in [&ONCE[..], &["run"]] {
        house.ask(RICH);
        house.mail_slowly(&[Operation::Confirm], SLOW_MAIL);
        let mut running = house.start(args, None);
        let ended = running.ended_within(PATIENCE, || house.is_underway());
        assert!(ended.is_none(), "{args:?} ended by itself");
        running.kill();
        house.finish();
        let wrong = house.check();
        assert!(wrong.is_empty(), "{args:?}: {wrong:#?}");
    }
}

/// How long it may take until the call is sent.
const PATIENCE: Duration = Duration::from_secs(60);

/// A pass and a watch.
const ONCE: [&str; 3] = ["run", "--once", "--watch"];

/// Kills it after that long, unless it is done before.
fn kill_after(mut running: Running, instant: Duration) -> bool {
    let ended = running.ended_within(instant, || false);
    running.kill();
    ended.is_none()
}

#[test]
fn a_command_that_was_killed_and_is_repeated_counts_once() {
    let mut rng = seeded();
    let house = House::new();
    let kills = kills() / 3;
    let last = changes_of_a_grant(&house);
    let last = BTreeMap::from([(Part::Once, last)]);
    let schedule = places::schedule(&last, kills, &mut rng);
    let mut credits = available(&house);
    let mut killed = 0;
    for &Place { kill, .. } in &schedule {
        let reference = format!("grant {kill:?}");
        let grant = ["credits", "grant", RICH, "2", "--reference", &reference];
        killed += u64::from(is_killed(house.start(&grant, Some(kill)).ended()));
        house.ok(&grant);
        credits += 2;
        assert_eq!(available(&house), credits, "{reference}");
    }
    let kills = schedule.len() as u64;
    eprintln!("{killed} commands killed, of {kills} that were to be, at {last:?}");
    // sled writes now more, now less: one may come to its end before.
    assert!(killed * 10 >= kills * 9, "{killed} of {kills} were killed");
    house.ok(&["ledger", "verify"]);
}

/// The least that some grants come to when nobody disturbs them.
fn changes_of_a_grant(house: &House) -> u64 {
    let count = house.path("count");
    let counted = ["first", "second", "third"].map(|reference| {
        let shim = Shim {
            count: Some(count.clone()),
            ..Shim::default()
        };
        let grant = ["credits", "grant", RICH, "2", "--reference", reference];
        // What was opened before is as it will be when they are killed.
        available(house);
        assert!(house.start_under(&grant, shim).ended().success());
        shim::counted(&count).0
    });
    counted.into_iter().min().unwrap()
}

/// The daemon lives; the command that asks it is killed, before it has asked or while it waits for
/// the answer.
#[test]
fn a_command_that_was_killed_while_it_asked_a_daemon_counts_once() {
    let mut rng = seeded();
    let house = House::new();
    let mut daemon = house.start(&["run"], None);
    house.answers();
    let mut credits = available(&house);
    let (mut killed, mut counted) = (0, 0);
    for n in 0..kills() / 3 {
        let reference = format!("asked {n}");
        let grant = ["credits", "grant", RICH, "2", "--reference", &reference];
        // As long as a command takes in all, so that each part of it is met.
        let began = clock::now();
        house.ok(&["account", "show", RICH]);
        let takes = (clock::now() - began).to_std().unwrap();
        let instant = takes * u32::try_from(rng.below(100)).unwrap() / 100;
        if kill_after(house.start(&grant, None), instant) {
            killed += 1;
            counted += u64::from(available(&house) > credits);
        }
        house.ok(&grant);
        credits += 2;
        assert_eq!(available(&house), credits, "{reference}");
    }
    eprintln!("{killed} commands killed beside a daemon, {counted} had been counted");
    assert!(killed > 0, "none was killed");
    daemon.terminate();
    assert!(daemon.ended().success());
    house.ok(&["ledger", "verify"]);
}

fn available(house: &House) -> u64 {
    let shown = house.ok(&["account", "show", RICH, "--format", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    shown["available"].as_u64().unwrap()
}
