//! Operation day after day: people request, cancel, move and miss lessons at a steady rate. Memory,
//! files and open items must not grow with time; only the log grows, with the number of decisions.

use maitred::domain::time::{Span, Time};
use maitred::sandbox::action::{BookingMove, BookingRemark, ThirdPartyAction};
use maitred::sandbox::booking::SandboxStatus;

use super::daemon_process::{DaemonProcess, Measurements};
use super::load_fixture::{LoadFixture, member};

/// Passes of a day, each with a watch, and one booking before each: many in a run of whole months,
/// few otherwise.
const PASSES_PER_DAY: usize = 100;
const PASSES_PER_SHORT_DAY: usize = 12;

/// From this number of days on, growth can be distinguished from the start.
const MIN_DAYS_FOR_GROWTH: usize = 9;

const DAY: i64 = 24 * 60;

/// Between the request and the lesson.
const LEAD_TIME: Span = Span::days(2);

/// A moved lesson starts this much later: when the previous lesson is over, and the next has not
/// started.
const MOVE_DELAY: Span = Span::minutes(7);
const LESSON_MINUTES: u32 = 5;

const MEMBERS: usize = 100;
const CREDITS: u64 = 10_000;

/// Days after the last booking until nothing is open: the booking is over two days later, and its
/// grace period ends after one more. One day is a reserve.
const DRAIN_DAYS: usize = 4;

/// Days of bookings that may be open at the same time, for the same reason.
const MAX_OPEN_DAYS: usize = 4;

/// The most commits that a booking may cost, from its decision to the end of its charge.
const MAX_COMMITS_PER_BOOKING: u64 = 6;

/// Bytes of the projection for each byte of the log, and the segments that an empty projection
/// takes.
const PROJECTION_BYTES_PER_LOG_BYTE: u64 = 4;
const EMPTY_PROJECTION_BYTES: u64 = 16 * 1024 * 1024;

/// How much the last third may exceed the middle one, in percent.
const MAX_GROWTH_PERCENT: u64 = 130;

/// The most memory of this small fixture, in KiB: the program itself is large without optimization,
/// and its pages are counted.
const MAX_MEMORY_KIB: u64 = 192 * 1024;

/// The results of one day.
#[derive(Debug, Clone, Copy)]
struct DayStats {
    rss: u64,
    log: u64,
    projection: u64,
    charges: u64,
    notes: u64,
    intents: u64,
    seq: u64,
    /// On this day.
    decisions: u64,
    changes: u64,
}

struct SoakRun {
    fixture: LoadFixture,
    daemon: DaemonProcess,
    began: Time,
    passes_per_day: usize,
    uids: Vec<String>,
    step: usize,
}

impl SoakRun {
    fn at(&self, step: usize) -> Time {
        let minutes =
            DAY * i64::try_from(step).unwrap() / i64::try_from(self.passes_per_day).unwrap();
        self.began + Span::minutes(minutes)
    }

    /// Makes one more booking, and changes earlier ones.
    fn run_step(&mut self) {
        let n = self.step;
        let (lesson, dinner) = (
            self.fixture.event_types.lesson,
            self.fixture.event_types.dinner,
        );
        let (kind, who) = match n % 20 {
            15 | 16 => (lesson, format!("stranger{n}@example.com")),
            17 => (dinner, format!("stranger{n}@example.com")),
            // An account without credit.
            18 => (dinner, member(MEMBERS)),
            _ => (lesson, member(n % MEMBERS)),
        };
        let uid = self
            .fixture
            .request_booking(kind, &who, self.at(n) + LEAD_TIME);
        self.uids.push(uid);
        if let Some(index) = n.checked_sub(self.passes_per_day) {
            self.cancel_or_move(index);
        }
        if let Some(index) = n.checked_sub(self.passes_per_day * 2 + 2) {
            self.mark_absent(index);
        }
    }

    fn act(&self, action: ThirdPartyAction) {
        let now = self.fixture.clock.now();
        self.fixture.sandbox.lock().act(now, action).unwrap();
    }

    fn is_accepted(&self, asked: usize) -> bool {
        let world = self.fixture.sandbox.lock();
        world.status(&self.uids[asked]) == Some(SandboxStatus::Accepted)
    }

    fn cancel_or_move(&self, asked: usize) {
        if !self.is_accepted(asked) {
            return;
        }
        let uid = &self.uids[asked];
        let later = self.at(asked) + LEAD_TIME + MOVE_DELAY;
        match asked % 10 {
            3 => self.act(ThirdPartyAction::BookerCancels(
                BookingRemark::without_reason(uid),
            )),
            5 => self.act(ThirdPartyAction::BookerMoves(BookingMove::new(uid, later))),
            7 => self.act(ThirdPartyAction::HostMoves(BookingMove::new(uid, later))),
            _ => {}
        }
    }

    fn mark_absent(&self, asked: usize) {
        if asked % 10 == 8 && self.is_accepted(asked) {
            self.act(ThirdPartyAction::AttendeeAbsent {
                booking: self.uids[asked].clone(),
                email: member(asked % MEMBERS),
                absent: true,
            });
        }
    }

    /// Runs a day of passes and watches, with bookings or without.
    fn run_day(&mut self, busy: bool) -> DayStats {
        let (mut decisions, mut changes) = (0, 0);
        for _ in 0..self.passes_per_day {
            let ahead = self.at(self.step + 1) - self.fixture.clock.now();
            self.fixture.clock.advance(ahead);
            if busy {
                self.run_step();
            }
            self.step += 1;
            let now = self.fixture.clock.now();
            let pass = self.daemon.tick(now);
            if let Some(pass) = pass {
                assert_eq!((pass["pass"], pass["unfinished"]), (1, 0), "{pass:?}");
                decisions += pass["confirmed"] + pass["declined"];
            }
            let watch = self.daemon.tick(now);
            if let Some(watch) = watch {
                assert_eq!(watch["watch"], 1, "{watch:?}");
                changes += watch["changes"];
            }
        }
        let is: Measurements = self.daemon.measure();
        let (log, projection) = self.fixture.log_and_other_sizes();
        DayStats {
            rss: is["rss"],
            log,
            projection,
            charges: is["charges"],
            notes: is["notes"],
            intents: is["intents"],
            seq: is["seq"],
            decisions,
            changes,
        }
    }
}

pub fn soak(days: usize) {
    let fixture = LoadFixture::new(LESSON_MINUTES);
    fixture.open_accounts(MEMBERS, CREDITS);
    let mut soak = SoakRun {
        daemon: fixture.start_daemon(),
        began: fixture.clock.now(),
        passes_per_day: if days < MIN_DAYS_FOR_GROWTH {
            PASSES_PER_SHORT_DAY
        } else {
            PASSES_PER_DAY
        },
        uids: Vec::new(),
        step: 0,
        fixture,
    };
    eprintln!(
        "| day | RSS KiB | log KiB | projection KiB | charges | notes | commits | decisions | changes |"
    );
    eprintln!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut all = Vec::new();
    for n in 1..=days {
        let day = soak.run_day(true);
        print_day(n, &day);
        all.push(day);
    }
    for n in 1..=DRAIN_DAYS {
        let day = soak.run_day(false);
        print_day(days + n, &day);
    }
    let before = soak.run_day(false);
    let idle = soak.run_day(false);
    print_day(days + DRAIN_DAYS + 2, &idle);
    assert_eq!((idle.charges, idle.notes, idle.intents), (0, 0, 0));
    assert_eq!(idle.seq, before.seq, "an idle day writes nothing");
    assert_eq!(idle.log, before.log);
    assert_eq!((idle.decisions, idle.changes), (0, 0));
    let a_day = soak.passes_per_day as u64;
    soak.daemon.end();
    check_bounded(&all, a_day);
    if days >= MIN_DAYS_FOR_GROWTH {
        check_flat(&all);
    }
}

fn print_day(n: usize, day: &DayStats) {
    eprintln!(
        "| {n} | {} | {} | {} | {} | {} | {} | {} | {} |",
        day.rss,
        day.log / 1024,
        day.projection / 1024,
        day.charges,
        day.notes,
        day.seq,
        day.decisions,
        day.changes
    );
}

/// Checks that open items and written data depend only on the bookings.
fn check_bounded(days: &[DayStats], a_day: u64) {
    let mut seq = days[0].seq;
    for day in days {
        assert!(day.rss <= MAX_MEMORY_KIB, "{day:?}");
        assert_eq!(day.intents, 0, "{day:?}");
        assert!(day.charges <= MAX_OPEN_DAYS as u64 * a_day, "{day:?}");
        assert!(day.notes <= MAX_OPEN_DAYS as u64 * a_day / 10, "{day:?}");
        assert!(day.seq - seq <= MAX_COMMITS_PER_BOOKING * a_day, "{day:?}");
        assert!(
            day.projection <= EMPTY_PROJECTION_BYTES + PROJECTION_BYTES_PER_LOG_BYTE * day.log,
            "{day:?}"
        );
        assert!(day.decisions > 0, "{day:?}");
        seq = day.seq;
    }
}

/// Checks that the last third is like the middle one.
fn check_flat(days: &[DayStats]) {
    type Row = (&'static str, fn(&DayStats) -> u64);
    let third = days.len() / 3;
    let (middle, last) = (&days[third..2 * third], &days[days.len() - third..]);
    let most = |of: &[DayStats], what: fn(&DayStats) -> u64| of.iter().map(what).max().unwrap();
    let rows: [Row; 4] = [
        ("memory", |day| day.rss),
        ("charges", |day| day.charges),
        ("notes", |day| day.notes),
        ("changes", |day| day.changes),
    ];
    for (what, of) in rows {
        let (was, is) = (most(middle, of), most(last, of));
        assert!(
            is * 100 <= was * MAX_GROWTH_PERCENT,
            "{what}: {is} after {was}"
        );
    }
    // The projection grows with the log, and no faster. It consists of segments, so this is a rough
    // measure.
    let log_share = |of: &[DayStats]| {
        of.iter()
            .map(|day| day.projection * 100 / day.log)
            .max()
            .unwrap()
    };
    let (was, is) = (log_share(middle), log_share(last));
    eprintln!("the projection is {was}, then {is} hundredths of the log");
    assert!(
        is * 100 <= was * MAX_GROWTH_PERCENT,
        "projection: {is} after {was}"
    );
    // The log's bytes for one decision stay the same.
    let each = |of: &[DayStats]| {
        let grown = of[of.len() - 1].log - of[0].log;
        let decisions: u64 = of[1..].iter().map(|day| day.decisions).sum();
        grown / decisions
    };
    let (was, is) = (each(middle), each(last));
    eprintln!("the log takes {was}, then {is} bytes a decision");
    assert!(
        is * 100 <= was * MAX_GROWTH_PERCENT,
        "{is} bytes a decision, after {was}"
    );
}
