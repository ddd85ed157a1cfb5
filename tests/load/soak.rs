//! A house's life, day after day: people ask, cancel, move and stay away at a steady rate. Memory,
//! files and what is open must not grow with time, only the log with what was decided.

use maitred::domain::time::{Span, Time};
use maitred::sandbox::actions::{Action, Said, Shift};
use maitred::sandbox::model::Status;

use crate::house::{House, member};
use crate::process::{Daemon, Numbers};

/// Passes of a day, each with a watch, and one booking before each: many when whole months are
/// asked for, few otherwise.
const A_DAY: usize = 100;
const A_SHORT_DAY: usize = 12;

/// Days from which growth can be told from the beginning.
const ENOUGH: usize = 9;

const DAY: i64 = 24 * 60;

/// Between asking and the lesson.
const AHEAD: Span = Span::days(2);

/// A lesson that is moved begins so much later: when the one before it is over, and the next has
/// not begun.
const MOVED: Span = Span::minutes(7);
const MINUTES: u32 = 5;

const MEMBERS: usize = 100;
const CREDITS: u64 = 10_000;

/// Days after the last booking until nothing is open: it is over two days later, and its grace ends
/// after one more. One is to spare.
const DRAIN: usize = 4;

/// Days of bookings that may be open at once, for the same reason.
const OPEN: usize = 4;

/// Commits that a booking may cost, from its decision to the end of its charge, at most.
const COMMITS: u64 = 6;

/// The fold, in bytes, for each byte of the log, and the segments that it takes when it is empty.
const FOLD_FACTOR: u64 = 4;
const FOLD_EMPTY: u64 = 16 * 1024 * 1024;

/// How much the last third may be above the middle one, in percent.
const FLAT: u64 = 130;

/// The most memory of this small house, in KiB: the program itself is large without
/// optimization, and its pages are counted.
const MEMORY: u64 = 192 * 1024;

/// What one day came to.
#[derive(Debug, Clone, Copy)]
struct Day {
    rss: u64,
    log: u64,
    fold: u64,
    charges: u64,
    notes: u64,
    intents: u64,
    seq: u64,
    /// In the day.
    decisions: u64,
    changes: u64,
}

struct Soak {
    house: House,
    daemon: Daemon,
    began: Time,
    a_day: usize,
    uids: Vec<String>,
    step: usize,
}

impl Soak {
    fn at(&self, step: usize) -> Time {
        let minutes = DAY * i64::try_from(step).unwrap() / i64::try_from(self.a_day).unwrap();
        self.began + Span::minutes(minutes)
    }

    /// One more booking, and what became of those that were asked for before.
    fn live(&mut self) {
        let n = self.step;
        let (lesson, dinner) = (self.house.lesson, self.house.dinner);
        let (kind, who) = match n % 20 {
            15 | 16 => (lesson, format!("stranger{n}@example.com")),
            17 => (dinner, format!("stranger{n}@example.com")),
            // An account without credit.
            18 => (dinner, member(MEMBERS)),
            _ => (lesson, member(n % MEMBERS)),
        };
        let uid = self.house.request(kind, &who, self.at(n) + AHEAD);
        self.uids.push(uid);
        if let Some(asked) = n.checked_sub(self.a_day) {
            self.changes_mind(asked);
        }
        if let Some(asked) = n.checked_sub(self.a_day * 2 + 2) {
            self.stays_away(asked);
        }
    }

    fn act(&self, action: Action) {
        let now = self.house.clock.now();
        self.house.sandbox.lock().act(now, action).unwrap();
    }

    fn is_accepted(&self, asked: usize) -> bool {
        let world = self.house.sandbox.lock();
        world.status(&self.uids[asked]) == Some(Status::Accepted)
    }

    fn changes_mind(&self, asked: usize) {
        if !self.is_accepted(asked) {
            return;
        }
        let uid = &self.uids[asked];
        let later = self.at(asked) + AHEAD + MOVED;
        match asked % 10 {
            3 => self.act(Action::BookerCancels(Said::nothing(uid))),
            5 => self.act(Action::BookerMoves(Shift::to(uid, later))),
            7 => self.act(Action::HostMoves(Shift::to(uid, later))),
            _ => {}
        }
    }

    fn stays_away(&self, asked: usize) {
        if asked % 10 == 8 && self.is_accepted(asked) {
            self.act(Action::AttendeeAbsent {
                booking: self.uids[asked].clone(),
                email: member(asked % MEMBERS),
                absent: true,
            });
        }
    }

    /// A day of passes and watches, with bookings or without.
    fn day(&mut self, busy: bool) -> Day {
        let (mut decisions, mut changes) = (0, 0);
        for _ in 0..self.a_day {
            let ahead = self.at(self.step + 1) - self.house.clock.now();
            self.house.clock.advance(ahead);
            if busy {
                self.live();
            }
            self.step += 1;
            let now = self.house.clock.now();
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
        let is: Numbers = self.daemon.measure();
        let (log, fold) = self.house.sizes();
        Day {
            rss: is["rss"],
            log,
            fold,
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
    let house = House::new(MINUTES);
    house.fill(MEMBERS, CREDITS);
    let mut soak = Soak {
        daemon: house.daemon(),
        began: house.clock.now(),
        a_day: if days < ENOUGH { A_SHORT_DAY } else { A_DAY },
        uids: Vec::new(),
        step: 0,
        house,
    };
    eprintln!(
        "| day | RSS KiB | log KiB | fold KiB | charges | notes | commits | decisions | changes |"
    );
    eprintln!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut all = Vec::new();
    for n in 1..=days {
        let day = soak.day(true);
        show(n, &day);
        all.push(day);
    }
    for n in 1..=DRAIN {
        let day = soak.day(false);
        show(days + n, &day);
    }
    let before = soak.day(false);
    let idle = soak.day(false);
    show(days + DRAIN + 2, &idle);
    assert_eq!((idle.charges, idle.notes, idle.intents), (0, 0, 0));
    assert_eq!(idle.seq, before.seq, "an idle day writes nothing");
    assert_eq!(idle.log, before.log);
    assert_eq!((idle.decisions, idle.changes), (0, 0));
    let a_day = soak.a_day as u64;
    soak.daemon.end();
    bounded(&all, a_day);
    if days >= ENOUGH {
        flat(&all);
    }
}

fn show(n: usize, day: &Day) {
    eprintln!(
        "| {n} | {} | {} | {} | {} | {} | {} | {} | {} |",
        day.rss,
        day.log / 1024,
        day.fold / 1024,
        day.charges,
        day.notes,
        day.seq,
        day.decisions,
        day.changes
    );
}

/// What is open, and what is written, goes by the bookings.
fn bounded(days: &[Day], a_day: u64) {
    let mut seq = days[0].seq;
    for day in days {
        assert!(day.rss <= MEMORY, "{day:?}");
        assert_eq!(day.intents, 0, "{day:?}");
        assert!(day.charges <= OPEN as u64 * a_day, "{day:?}");
        assert!(day.notes <= OPEN as u64 * a_day / 10, "{day:?}");
        assert!(day.seq - seq <= COMMITS * a_day, "{day:?}");
        assert!(day.fold <= FOLD_EMPTY + FOLD_FACTOR * day.log, "{day:?}");
        assert!(day.decisions > 0, "{day:?}");
        seq = day.seq;
    }
}

/// The last third is as the middle one.
fn flat(days: &[Day]) {
    type Row = (&'static str, fn(&Day) -> u64);
    let third = days.len() / 3;
    let (middle, last) = (&days[third..2 * third], &days[days.len() - third..]);
    let most = |of: &[Day], what: fn(&Day) -> u64| of.iter().map(what).max().unwrap();
    let rows: [Row; 4] = [
        ("memory", |day| day.rss),
        ("charges", |day| day.charges),
        ("notes", |day| day.notes),
        ("changes", |day| day.changes),
    ];
    for (what, of) in rows {
        let (was, is) = (most(middle, of), most(last, of));
        assert!(is * 100 <= was * FLAT, "{what}: {is} after {was}");
    }
    // The fold grows with the log, and no faster. It is made of segments, so this is a rough measure.
    let fold = |of: &[Day]| of.iter().map(|day| day.fold * 100 / day.log).max().unwrap();
    let (was, is) = (fold(middle), fold(last));
    eprintln!("the fold is {was}, then {is} hundredths of the log");
    assert!(is * 100 <= was * FLAT, "fold: {is} after {was}");
    // What the log takes for one decision stays the same.
    let each = |of: &[Day]| {
        let grown = of[of.len() - 1].log - of[0].log;
        let decisions: u64 = of[1..].iter().map(|day| day.decisions).sum();
        grown / decisions
    };
    let (was, is) = (each(middle), each(last));
    eprintln!("the log takes {was}, then {is} bytes a decision");
    assert!(is * 100 <= was * FLAT, "{is} bytes a decision, after {was}");
}
