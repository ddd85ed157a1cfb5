//! SIGKILL. The built binary, as a daemon and run once, is killed at each of its changes to the
//! ledger in turn, before, in the middle of and after the change, and also at arbitrary instants;
//! then it is started again. The result must be the same as without the kills: each booking
//! decided, mailed and charged once.
//!
//! In a part of the runs Cal.com's mail server is slow, so that a confirm sends its mail, continues
//! after its caller was killed, and writes the status at its end. This needs a maitred that waits
//! for calls which may still be running; with a maitred that does not, `MAITRED_KILL_SLOW_MAIL=1`
//! shows the second mails.
//!
//! `MAITRED_KILLS=300` sets the number of kills. That many kill at every change at least once, in
//! as many of the ways as the number allows. By default there are few, at other places for each
//! `MAITRED_KILL_SEED`.

#![expect(clippy::print_stderr, reason = "the seed and the mix are printed")]

mod kill_places;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use crate::crash_fixture::{
    CrashFixture, RunningProcess, WITH_CREDIT, WITHOUT_ACCOUNT, WITHOUT_CREDIT,
};
use crate::rng::Rng;
use crate::shim::{KillAt, Shim};
use kill_places::{KILL_POINTS, KillPlace, RunPart};
use maitred::daemon::clock;
use maitred::sandbox::call_log::Operation;

/// Kills by default.
const DEFAULT_KILLS: u64 = 30;

/// From this number of kills on, every change must be covered.
const KILLS_FOR_FULL_COVERAGE: u64 = 300;

/// This percentage of the kills takes place at an arbitrary instant, unrelated to the ledger's
/// changes.
const ANY_INSTANT_PERCENT: u64 = 25;

/// The longest time until such an instant, in milliseconds.
const MAX_INSTANT_MS: u64 = 400;

/// How long a mail takes when the mail server is slow, in milliseconds: longer than most processes
/// live here, and shorter than the time for which a call may count as running.
const SLOW_MAIL_MS: u64 = 1_500;

/// About how many changes a run makes that cleans up after a kill.
const CHANGES_OF_CLEANUP: u64 = 120;

/// Kills in one fixture. In an old fixture the projection makes changes that it does not make in a
/// new one.
const KILLS_PER_FIXTURE: usize = 25;

const SIGKILL: i32 = 9;

fn env_number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn kill_count() -> u64 {
    env_number("MAITRED_KILLS").unwrap_or(DEFAULT_KILLS)
}

fn seeded_rng() -> Rng {
    let seed = env_number("MAITRED_KILL_SEED").unwrap_or(2026);
    eprintln!("MAITRED_KILL_SEED={seed}");
    Rng::new(seed)
}

/// Returns true if Cal.com's mail server is sometimes slow.
fn has_slow_mail() -> bool {
    crate::crash_fixture::waits_for_running_calls()
        || std::env::var_os("MAITRED_KILL_SLOW_MAIL").is_some()
}

fn is_killed(status: ExitStatus) -> bool {
    status.signal() == Some(SIGKILL)
}

/// Returns true if there are enough kills to cover every change.
fn is_full_run() -> bool {
    kill_count() >= KILLS_FOR_FULL_COVERAGE
}

fn kills_at_any_instant() -> u64 {
    (kill_count() * ANY_INSTANT_PERCENT).div_ceil(100)
}

#[test]
fn a_run_killed_at_each_change_ends_with_the_same_result() {
    let mut rng = seeded_rng();
    let kills = kill_count() - kills_at_any_instant();
    let last = kill_places::change_counts();
    let schedule = kill_places::schedule_kills(&last, kills, &mut rng);
    let mut met: BTreeMap<RunPart, BTreeSet<u64>> = BTreeMap::new();
    let mut mix: BTreeMap<String, u64> = BTreeMap::new();
    let mut missed = Vec::new();
    let parts = schedule.chunk_by(|one, next| one.part == next.part);
    for some in parts.flat_map(|part| part.chunks(KILLS_PER_FIXTURE)) {
        let mut fixture = kill_places::used_fixture();
        for place in some {
            if !kill_places::kill_at_place(&mut fixture, *place) {
                missed.push(*place);
            }
            let KillPlace { part, kill } = *place;
            met.entry(part).or_default().insert(kill.at);
            *mix.entry(format!("{part:?} {:?}", kill.point)).or_default() += 1;
            let wrong = fixture.find_violations();
            assert!(wrong.is_empty(), "after {place:?}: {wrong:#?}");
        }
    }
    let places: u64 = last.values().sum();
    let furthest = met.iter().map(|(part, met)| (*part, *met.last().unwrap()));
    let furthest: BTreeMap<RunPart, u64> = furthest.collect();
    eprintln!(
        "{} kills at {places} places ({last:?}), up to {furthest:?}: {mix:?}",
        schedule.len()
    );
    assert!(missed.is_empty(), "not killed there: {missed:?}");
    if kills >= places || is_full_run() {
        let all = met.values().map(|met| met.len() as u64).sum::<u64>();
        assert_eq!((all, furthest), (places, last), "every change was met");
    }
    if kills >= places * KILL_POINTS.len() as u64 {
        assert_eq!(schedule.len() as u64, places * KILL_POINTS.len() as u64);
    }
}

#[test]
fn a_run_killed_at_any_instant_ends_with_the_same_result() {
    let (kills, mut rng) = (kills_at_any_instant(), seeded_rng());
    let slow_mail = has_slow_mail();
    let mut fixture = CrashFixture::new();
    let mut mix: BTreeMap<&str, u64> = BTreeMap::new();
    let mut done = 0;
    while done < kills {
        if rng.chance(300) {
            fixture.cancel_last_confirmed();
        }
        for _ in 0..=rng.up_to(2) {
            let who: &&str = rng.pick(&[WITH_CREDIT, WITH_CREDIT, WITHOUT_CREDIT, WITHOUT_ACCOUNT]);
            fixture.request_lesson(who);
        }
        if rng.chance(300) {
            fixture.delay_answers(
                &[Operation::Confirm, Operation::Decline, Operation::List],
                150,
            );
        } else if slow_mail && rng.chance(400) {
            fixture.delay_mails(&[Operation::Confirm, Operation::Decline], SLOW_MAIL_MS);
            *mix.entry("slow mail").or_default() += 1;
        }
        let is_daemon = rng.chance(500);
        let args = if is_daemon { &["run"][..] } else { &RUN_ONCE };
        let instant = Duration::from_millis(rng.up_to(MAX_INSTANT_MS));
        if kill_after(fixture.start(args, None), instant) {
            done += 1;
            let who = if is_daemon { "daemon" } else { "once" };
            *mix.entry(who).or_default() += 1;
        }
        // Sometimes the runs that clean up are killed, too.
        for _ in 0..rng.up_to(3) {
            let kill = KillAt {
                at: 1 + rng.up_to(CHANGES_OF_CLEANUP),
                point: *rng.pick(&KILL_POINTS),
                call_letters: None,
            };
            if is_killed(fixture.start(&RUN_ONCE, Some(kill)).wait()) {
                *mix.entry("clearing up").or_default() += 1;
            }
        }
        fixture.run_until_idle();
        let wrong = fixture.find_violations();
        assert!(wrong.is_empty(), "after {done} kills: {wrong:#?}");
    }
    eprintln!(
        "{done} kills, {} bookings: {mix:?}",
        fixture.requested_count()
    );
    if is_full_run() {
        let kinds = 3 + usize::from(slow_mail);
        assert_eq!(mix.len(), kinds, "every kind of kill was met: {mix:?}");
    }
}

/// The process is killed while Cal.com carries out a confirm, which has sent its mail, has written
/// nothing, and continues. Runs only if maitred waits for calls that may still be running (or
/// `MAITRED_KILL_SLOW_MAIL` is set).
#[test]
fn a_kill_during_a_running_confirm_leads_to_one_mail() {
    if !has_slow_mail() {
        return;
    }
    let mut fixture = CrashFixture::new();
    for args in [&RUN_ONCE[..], &["run"]] {
        fixture.request_lesson(WITH_CREDIT);
        fixture.delay_mails(&[Operation::Confirm], SLOW_MAIL_MS);
        let mut running = fixture.start(args, None);
        let ended = running.wait_within(PATIENCE, || fixture.is_call_running());
        assert!(ended.is_none(), "{args:?} ended by itself");
        running.kill();
        fixture.run_until_idle();
        let wrong = fixture.find_violations();
        assert!(wrong.is_empty(), "{args:?}: {wrong:#?}");
    }
}

/// How long it may take until the call is sent.
const PATIENCE: Duration = Duration::from_secs(60);

/// A pass and a watch.
const RUN_ONCE: [&str; 3] = ["run", "--once", "--watch"];

/// Kills the process after this time, unless it has ended before.
fn kill_after(mut running: RunningProcess, instant: Duration) -> bool {
    let ended = running.wait_within(instant, || false);
    running.kill();
    ended.is_none()
}

#[test]
fn a_command_that_was_killed_and_is_repeated_counts_once() {
    let mut rng = seeded_rng();
    let fixture = CrashFixture::new();
    let kills = kill_count() / 3;
    let last = min_changes_of_grants(&fixture);
    let last = BTreeMap::from([(RunPart::Once, last)]);
    let schedule = kill_places::schedule_kills(&last, kills, &mut rng);
    let mut credits = available_credits(&fixture);
    let mut killed = 0;
    for &KillPlace { kill, .. } in &schedule {
        let reference = format!("grant {kill:?}");
        let grant = [
            "credits",
            "grant",
            WITH_CREDIT,
            "2",
            "--reference",
            &reference,
        ];
        killed += u64::from(is_killed(fixture.start(&grant, Some(kill)).wait()));
        fixture.run_ok(&grant);
        credits += 2;
        assert_eq!(available_credits(&fixture), credits, "{reference}");
    }
    let kills = schedule.len() as u64;
    eprintln!("{killed} commands killed, of {kills} that were to be, at {last:?}");
    // The number of sled's writes varies, so a command may end before its kill.
    assert!(killed * 10 >= kills * 9, "{killed} of {kills} were killed");
    fixture.run_ok(&["ledger", "verify"]);
}

/// Returns the lowest number of changes that an undisturbed grant makes.
fn min_changes_of_grants(fixture: &CrashFixture) -> u64 {
    let count = fixture.path("count");
    let counted = ["first", "second", "third"].map(|reference| {
        let shim = Shim {
            count_file: Some(count.clone()),
            ..Shim::default()
        };
        let grant = [
            "credits",
            "grant",
            WITH_CREDIT,
            "2",
            "--reference",
            reference,
        ];
        // The loop that kills runs this command before each grant, too, so the counted grants start
        // from the same state.
        available_credits(fixture);
        assert!(fixture.start_under(&grant, shim).wait().success());
        crate::shim::read_counts(&count).0
    });
    counted.into_iter().min().unwrap()
}

/// The daemon stays alive. The command that asks the daemon is killed before it has asked or while
/// it waits for the answer.
#[test]
fn a_command_that_was_killed_while_it_asked_a_daemon_counts_once() {
    let mut rng = seeded_rng();
    let fixture = CrashFixture::new();
    let mut daemon = fixture.start(&["run"], None);
    fixture.wait_until_answering();
    let mut credits = available_credits(&fixture);
    let (mut killed, mut counted) = (0, 0);
    for n in 0..kill_count() / 3 {
        let reference = format!("asked {n}");
        let grant = [
            "credits",
            "grant",
            WITH_CREDIT,
            "2",
            "--reference",
            &reference,
        ];
        // Measures how long a command takes, so that the kills cover each part of a command.
        let began = clock::now();
        fixture.run_ok(&["account", "show", WITH_CREDIT]);
        let takes = (clock::now() - began).to_std().unwrap();
        let instant = takes * u32::try_from(rng.up_to(100)).unwrap() / 100;
        if kill_after(fixture.start(&grant, None), instant) {
            killed += 1;
            counted += u64::from(available_credits(&fixture) > credits);
        }
        fixture.run_ok(&grant);
        credits += 2;
        assert_eq!(available_credits(&fixture), credits, "{reference}");
    }
    eprintln!("{killed} commands killed beside a daemon, {counted} had been counted");
    assert!(killed > 0, "none was killed");
    daemon.terminate();
    assert!(daemon.wait().success());
    fixture.run_ok(&["ledger", "verify"]);
}

fn available_credits(fixture: &CrashFixture) -> u64 {
    fixture.balance(WITH_CREDIT).0
}
