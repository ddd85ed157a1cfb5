//! When passes and watches are due, from the schedules, from what ran last, and from the time. Pure:
//! nothing here waits or reads the clock. `schedule` waits for what this file computes, and the loop
//! starts what `due_run` returns.

use super::backoff::Backoff;
use super::watch_state::{NextWatch, WatchState};
use crate::config::model::Schedule;
use crate::domain::time::{Span, Time};
use crate::reconcile::watch::{WatchReport, WatchScope};

/// How long the loop waits after a watch that failed. Passes have their own, longer pauses.
const WATCH_RETRY_PAUSE: Span = Span::minutes(1);

/// A job of the scheduler, one for each key of `[schedule]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScheduledJob {
    /// A pass.
    Poll,
    /// A watch of the bookings that changed.
    Watch,
    /// A watch that reads every open charge.
    Audit,
    /// A sync of the members of sources.
    Sync,
}

impl ScheduledJob {
    /// All jobs, in the order of the declaration.
    pub const ALL: [Self; 4] = [Self::Poll, Self::Watch, Self::Audit, Self::Sync];

    /// Returns the key of `[schedule]`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Watch => "watch",
            Self::Audit => "audit",
            Self::Sync => "sync",
        }
    }
}

/// When each job is due next. Without a time, the job is not in the scheduler.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DueTimes {
    /// When the next pass is due.
    pub poll: Option<Time>,
    /// When the next watch is due.
    pub watch: Option<Time>,
    /// When the next audit is due.
    pub audit: Option<Time>,
    /// When the next sync is due.
    pub sync: Option<Time>,
}

impl DueTimes {
    /// Returns when the job is due; `None` when it is not in the scheduler.
    pub fn of(&self, job: ScheduledJob) -> Option<Time> {
        match job {
            ScheduledJob::Poll => self.poll,
            ScheduledJob::Watch => self.watch,
            ScheduledJob::Audit => self.audit,
            ScheduledJob::Sync => self.sync,
        }
    }
}

/// A run that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueRun {
    /// A pass.
    Pass,
    /// A watch or an audit, with what it reads.
    Watch(WatchScope),
}

/// What ran last, and what is to run when.
#[derive(Debug)]
pub struct Timetable {
    schedule: Schedule,
    last_pass_started: Option<Time>,
    next_pass_at: Time,
    /// Whether another pass must follow the current one, because an operator's command came
    /// meanwhile and the current pass may not have seen its effect.
    repeat_pass: bool,
    backoff: Backoff,
    watch_state: WatchState,
    /// After a watch that failed or was incomplete, no other watch starts before this instant.
    watch_not_before: Option<Time>,
    /// Whether the last run that was started was a pass, and not a watch.
    last_was_pass: bool,
}

impl Timetable {
    /// Returns the timetable at the start of the daemon: a pass is due immediately.
    pub fn new(schedule: Schedule, watch_state: WatchState, now: Time) -> Self {
        Self {
            schedule,
            last_pass_started: None,
            next_pass_at: now,
            repeat_pass: false,
            backoff: Backoff::default(),
            watch_state,
            watch_not_before: None,
            last_was_pass: false,
        }
    }

    /// Returns the run to start at `now`, if one is due. However late it is, a run is due once.
    /// When both a pass and a watch are due they alternate, so that passes that are always due do
    /// not starve the watch.
    pub fn due_run(&self, now: Time) -> Option<DueRun> {
        let pass_is_due = now >= self.next_pass_at;
        let scope = if self.watch_not_before.is_none_or(|until| now >= until) {
            self.watch_state.due_watch(&self.schedule, now)
        } else {
            None
        };
        match scope {
            Some(scope) if !pass_is_due || self.last_was_pass => Some(DueRun::Watch(scope)),
            Some(_) | None => pass_is_due.then_some(DueRun::Pass),
        }
    }

    /// Returns when each job is due, except the sync, which runs independently of passes, seen from
    /// `now`. What is due already has a time that is not
    /// later than `now`.
    pub fn due_times(&self, now: Time) -> DueTimes {
        let next = self.next_watch(now);
        DueTimes {
            poll: Some(self.next_pass_at),
            watch: Some(next.watch),
            audit: Some(next.audit),
            sync: None,
        }
    }

    /// Returns when the next pass is due.
    pub fn next_pass_at(&self) -> Time {
        self.next_pass_at
    }

    /// Returns when the next watch and audit may start.
    pub fn next_watch(&self, now: Time) -> NextWatch {
        let next = self.watch_state.next_watch(&self.schedule, now);
        let not_before = |at: Time| self.watch_not_before.map_or(at, |until| at.max(until));
        NextWatch {
            watch: not_before(next.watch),
            audit: not_before(next.audit),
        }
    }

    /// Returns the watch to run when an operator requests one.
    pub fn requested_watch(&self, now: Time) -> WatchScope {
        self.watch_state.requested_watch(&self.schedule, now)
    }

    /// Returns when the last completed watches began.
    pub fn watch_state(&self) -> &WatchState {
        &self.watch_state
    }

    /// Returns how many passes failed in a row.
    pub fn failed_passes(&self) -> u32 {
        self.backoff.failures()
    }

    /// Replaces the schedules. A pass is due immediately, and shows the new configuration's effect.
    pub fn replace_schedule(&mut self, schedule: Schedule, now: Time) {
        self.schedule = schedule;
        self.next_pass_at = now;
    }

    /// Forgets earlier failures, because passes now use another server or key.
    pub fn forget_failures(&mut self) {
        self.backoff = Backoff::default();
    }

    /// Makes a pass due now, and another pass after it if one is running.
    pub fn make_pass_due(&mut self, now: Time, is_running: bool) {
        self.next_pass_at = now;
        self.repeat_pass = is_running;
    }

    /// Handles a clock that was set back to `now`: what was scheduled by the old time would come
    /// far too late.
    pub fn follow_set_back_clock(&mut self, now: Time) {
        self.next_pass_at = self.next_pass_at.min(now);
        self.watch_not_before = None;
    }

    /// Records that a pass starts now.
    pub fn record_pass_start(&mut self, now: Time) {
        self.last_was_pass = true;
        self.last_pass_started = Some(now);
    }

    /// Records a pass that reached its end. `more` says whether it left something that another pass
    /// could do now.
    pub fn record_pass_success(&mut self, more: bool, now: Time) {
        self.backoff = Backoff::default();
        let repeat = std::mem::take(&mut self.repeat_pass);
        self.next_pass_at = match more || repeat {
            true => now,
            false => self.regular_pass_after(now),
        };
    }

    /// Records a pass that failed. The next one comes by the schedule, and not before a pause that
    /// grows with each failure.
    pub fn record_pass_failure(&mut self, now: Time) {
        let pause = self.backoff.record_failure();
        self.next_pass_at = self.regular_pass_after(now).max(now + pause);
    }

    fn regular_pass_after(&self, now: Time) -> Time {
        self.schedule.poll.next_after(self.last_pass_started, now)
    }

    /// Records that a watch starts.
    pub fn record_watch_start(&mut self) {
        self.last_was_pass = false;
    }

    /// Records a watch that reached its end. After an incomplete one, the next watch comes by the
    /// schedule, and reads from the same point.
    pub fn record_watch_end(&mut self, report: &WatchReport, now: Time) {
        if report.complete {
            self.watch_not_before = None;
            self.watch_state.record_watch(report);
        } else {
            let next = self.schedule.watch.next_after(Some(report.started), now);
            self.watch_not_before = Some(next);
        }
    }

    /// Records a watch that failed. The next one starts after a pause.
    pub fn record_watch_failure(&mut self, now: Time) {
        self.watch_not_before = Some(now + WATCH_RETRY_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::config::recurrence::{CronExpression, Recurrence};
    use crate::reconcile::report::UnresolvedReport;

    const NOON: &str = "2026-11-24T12:00:00Z";

    fn parse_time(text: &str) -> Time {
        text.parse().expect("the row holds an RFC 3339 time")
    }

    /// Returns the instant that many seconds after noon.
    fn at(seconds: i64) -> Time {
        parse_time(NOON) + Span::seconds(seconds)
    }

    fn cron(expression: &str) -> Recurrence {
        Recurrence::Cron {
            expression: CronExpression::parse(expression).expect("the row holds an expression"),
            zone: Tz::Europe__Berlin,
        }
    }

    /// A poll every 15 s, a watch every 5 minutes, an audit at 14:00 in Berlin, which is an hour
    /// after noon.
    fn schedule() -> Schedule {
        Schedule {
            poll: Recurrence::Span(Span::seconds(15)),
            watch: Recurrence::Span(Span::minutes(5)),
            audit: cron("0 14 * * *"),
            sync: Recurrence::Span(Span::hours(1)),
        }
    }

    /// Returns a timetable whose last pass, watch and audit started at noon.
    fn timetable() -> Timetable {
        let watch_state = WatchState {
            last_watch: Some(at(0)),
            last_audit: Some(at(0)),
        };
        let mut timetable = Timetable::new(schedule(), watch_state, at(0));
        timetable.record_pass_start(at(0));
        timetable.record_pass_success(false, at(1));
        timetable
    }

    fn watch_report(started: Time, complete: bool) -> WatchReport {
        WatchReport {
            started,
            finished: started,
            audit: false,
            report_only: None,
            complete,
            checked_charges: 0,
            calls: 0,
            changes: Vec::new(),
            problems: Vec::new(),
            unresolved: UnresolvedReport::default(),
        }
    }

    const AUDIT: bool = true;

    fn watch(audit: bool) -> Option<DueRun> {
        Some(DueRun::Watch(WatchScope {
            since: Some(at(0)),
            audit,
        }))
    }

    #[test]
    fn what_is_due_by_what_ran_last_and_the_time() {
        type Change = fn(&mut Timetable);
        let after_watch: Change = |timetable| timetable.record_watch_start();
        let as_it_is: Change = |_| {};
        let pass = Some(DueRun::Pass);
        let rows: [(&str, Change, i64, Option<DueRun>); 15] = [
            ("nothing yet", as_it_is, 14, None),
            ("a pass", as_it_is, 15, pass),
            ("a pass that is late", as_it_is, 200, pass),
            (
                "both, after a pass: the watch",
                as_it_is,
                300,
                watch(!AUDIT),
            ),
            ("both, after a watch: the pass", after_watch, 300, pass),
            ("an audit instead of a watch", as_it_is, 3_600, watch(AUDIT)),
            (
                "an audit that is days late",
                as_it_is,
                200_000,
                watch(AUDIT),
            ),
            (
                "never watched: an audit",
                |timetable| timetable.watch_state = WatchState::default(),
                10,
                Some(DueRun::Watch(WatchScope {
                    since: None,
                    audit: true,
                })),
            ),
            (
                "after a watch that failed, for a minute only passes",
                |timetable| timetable.record_watch_failure(at(300)),
                359,
                pass,
            ),
            (
                "a minute after a watch that failed",
                |timetable| timetable.record_watch_failure(at(300)),
                360,
                watch(!AUDIT),
            ),
            (
                "after an incomplete watch, by the schedule",
                |timetable| timetable.record_watch_end(&watch_report(at(300), false), at(310)),
                599,
                pass,
            ),
            (
                "after an incomplete watch, from where the last complete one began",
                |timetable| timetable.record_watch_end(&watch_report(at(300), false), at(310)),
                600,
                watch(!AUDIT),
            ),
            (
                "requested by an operator",
                |timetable| timetable.make_pass_due(at(3), false),
                3,
                pass,
            ),
            (
                "the clock was set back by an hour",
                |timetable| timetable.follow_set_back_clock(at(-3_600)),
                -3_600,
                watch(AUDIT),
            ),
            (
                "schedules were replaced",
                |timetable| timetable.replace_schedule(schedule(), at(4)),
                4,
                pass,
            ),
        ];
        for (why, change, now, expect) in rows {
            let mut timetable = timetable();
            change(&mut timetable);
            assert_eq!(timetable.due_run(at(now)), expect, "{why}");
            // A job wakes the loop exactly when something is due.
            for now in (0..700).map(|n| at(now + n - 350)) {
                let times = timetable.due_times(now);
                let mut times = ScheduledJob::ALL.iter().filter_map(|job| times.of(*job));
                assert_eq!(
                    timetable.due_run(now).is_some(),
                    times.any(|due| due <= now),
                    "{why}: {now}"
                );
            }
        }
    }

    #[test]
    fn the_next_pass_is_due_by_how_the_last_one_went() {
        type Ending = fn(&mut Timetable, Time);
        let success: Ending = |timetable, now| timetable.record_pass_success(false, now);
        let failure: Ending = |timetable, now| timetable.record_pass_failure(now);
        let rows: [(&str, Ending, i64, i64); 7] = [
            ("counted from its start", success, 2, 15),
            (
                "longer than the interval: once, at its end",
                success,
                50,
                50,
            ),
            (
                "it left something",
                |timetable, now| timetable.record_pass_success(true, now),
                2,
                2,
            ),
            (
                "something came meanwhile",
                |timetable, now| {
                    timetable.make_pass_due(now, true);
                    timetable.record_pass_success(false, now);
                },
                2,
                2,
            ),
            ("it failed: by the schedule", failure, 2, 15),
            ("it failed late: after a pause", failure, 50, 55),
            (
                "it failed again and again: after a longer pause",
                |timetable, now| (0..4).for_each(|_| timetable.record_pass_failure(now)),
                2,
                42,
            ),
        ];
        for (why, ending, ended, expect) in rows {
            let mut timetable = timetable();
            timetable.record_pass_start(at(0));
            ending(&mut timetable, at(ended));
            assert_eq!(timetable.next_pass_at(), at(expect), "{why}");
            assert_eq!(
                timetable.due_times(at(ended)).poll,
                Some(at(expect)),
                "{why}"
            );
        }
    }

    #[test]
    fn cron_schedules_are_due_in_their_zone_across_clock_changes() {
        let rows = [
            // (poll, when the last pass started, when the next is due)
            ("30 2 * * *", "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z"),
            ("30 2 * * *", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"),
            ("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
            ("0 9 * * *", "2026-10-24T07:00:00Z", "2026-10-25T08:00:00Z"),
            (
                "*/30 * * * *",
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
            ),
        ];
        for (poll, started, expect) in rows {
            let mut timetable = timetable();
            let started = parse_time(started);
            let schedule = Schedule {
                poll: cron(poll),
                ..schedule()
            };
            timetable.replace_schedule(schedule, started);
            timetable.record_pass_start(started);
            let ended = started + Span::seconds(3);
            timetable.record_pass_success(false, ended);
            let due = timetable.due_times(ended).poll;
            assert_eq!(due, Some(parse_time(expect)), "{poll} after {started}");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_makes_everything_due_again() {
        let mut timetable = timetable();
        timetable.record_watch_failure(at(0));
        let earlier = at(-7_200);
        assert!(timetable.next_pass_at() > earlier);
        timetable.follow_set_back_clock(earlier);
        let expect = DueTimes {
            poll: Some(earlier),
            watch: Some(earlier),
            audit: Some(earlier),
            sync: None,
        };
        assert_eq!(timetable.due_times(earlier), expect);
    }
}
