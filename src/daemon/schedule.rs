//! The jobs of tokio-cron-scheduler: `poll`, `watch`, `audit` and `sync`. The loop publishes when each is
//! due (`timetable` computes that), this file keeps one job for each in the scheduler, and a job
//! that comes wakes the loop. This is the only file that uses the scheduler, and the place where its
//! defects are worked around:
//!
//! - *Zones.* A cron job keeps the UTC offset that its zone had when the job was made, so it is an
//!   hour off after a clock change. Every job here runs once, at an instant that
//!   `config::recurrence` computed in the zone, and is made again for the next instant.
//! - *Missed runs.* A repeated job runs once for each time that it missed, and a cron job at times
//!   that a back-off has to skip. A job that runs once cannot.
//! - *Overlap.* The scheduler neither awaits nor serialises what it starts. A job only sends a
//!   message. The loop runs one pass or watch at a time, and ignores a job while one is running.
//! - *Whole seconds.* A job comes up to a second early. It waits for the rest itself.
//! - *A wall clock that was set back.* A job comes when the wall clock shows its time, which is then
//!   hours too late. Every `CHECK_INTERVAL` the wall clock is compared with the monotonic clock;
//!   if the wall clock fell behind, the loop is woken and publishes new times. (A wall clock that
//!   was set forward, and a machine that was suspended, need nothing: the scheduler reads the wall
//!   clock twice a second, and a late job comes once.)
//! - *Lost jobs.* The scheduler passes jobs through channels that drop messages, and one panic ends
//!   it for good. A job that is overdue at two checks is handled as if it had come, and no call of
//!   the scheduler is awaited longer than `CALL_TIMEOUT`.
//! - *Shutdown.* The scheduler's tasks keep each other alive. They have a runtime of their own,
//!   which ends with them when the loop drops its sender.
//! - *Log lines.* It reports at INFO each job that is added. Those lines are dropped.
//!
//! The scheduler looks for due jobs twice a second by itself. Nothing of ours wakes up between two
//! checks.

use std::collections::BTreeMap;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tracing::dispatcher::Dispatch;
use tracing::instrument::WithSubscriber as _;
use uuid::Uuid;

use super::clock;
use super::timetable::{DueTimes, ScheduledJob};
use super::wake::Wake;
use crate::domain::time::{Clock, Span, Time};

/// How often the clocks are compared, by the monotonic clock. A clock that was set back is noticed
/// this late.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// A clock that is set back further than this was changed, and not merely corrected by time
/// synchronization.
const MIN_CLOCK_SETBACK: Span = Span::seconds(10);

/// How long a call of the scheduler may take. It takes microseconds, or forever when a task of the
/// scheduler has ended.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// The furthest that a job is scheduled ahead. A job that comes before its time is scheduled again;
/// the scheduler panics on times that the calendar does not have.
const LONGEST_WAIT: Span = Span::days(7);

/// How many jobs that came may wait to be handled: each of the four, and replaced ones.
const ARRIVAL_QUEUE_LENGTH: usize = 8;

/// Why the scheduler cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The thread of the scheduler did not start.
    #[error("its thread did not start")]
    Thread(#[source] io::Error),
    /// The scheduler did not start in its thread.
    #[error("the scheduler did not start")]
    Scheduler(#[source] JobSchedulerError),
    /// The thread of the scheduler panicked.
    #[error("its thread panicked")]
    Panicked,
}

/// Starts the scheduler in a thread. The thread follows the times that are published in `due_times`,
/// and ends when their sender is dropped.
///
/// # Errors
/// Fails when the thread or the scheduler does not start.
pub async fn start(
    due_times: watch::Receiver<DueTimes>,
    wakes: mpsc::Sender<Wake>,
    clock: Clock,
) -> Result<JoinHandle<()>, ScheduleError> {
    let (started, outcome) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("schedule".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(started.send(Err(ScheduleError::Thread(error)))),
            };
            // Dropping the runtime ends every task of the scheduler.
            runtime.block_on(async {
                match Jobs::start().await {
                    Ok((jobs, arrivals)) => {
                        let _ = started.send(Ok(()));
                        let checks = interval(CHECK_INTERVAL);
                        follow(jobs, arrivals, checks, due_times, &wakes, &clock).await;
                    }
                    Err(error) => drop(started.send(Err(ScheduleError::Scheduler(error)))),
                }
            });
        })
        .map_err(ScheduleError::Thread)?;
    outcome.await.map_err(|_| ScheduleError::Panicked)??;
    Ok(thread)
}

/// A job that came.
struct Arrival {
    job: ScheduledJob,
    id: Uuid,
}

/// Schedules jobs for the times that are published, and wakes the loop when one comes, until the
/// sender of the times or the receiver of the wakes is dropped.
async fn follow(
    mut jobs: Jobs,
    mut arrivals: mpsc::Receiver<Arrival>,
    mut checks: Interval,
    mut due_times: watch::Receiver<DueTimes>,
    wakes: &mpsc::Sender<Wake>,
    clock: &Clock,
) {
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_check = (clock(), clock::monotonic_now());
    'running: loop {
        let mut due = Vec::new();
        tokio::select! {
            changed = due_times.changed() => {
                if changed.is_err() {
                    break;
                }
                let published = *due_times.borrow_and_update();
                jobs.schedule(&published, clock).await;
            }
            Some(arrival) = arrivals.recv() => {
                if jobs.take_arrived(&arrival) {
                    due.push(Wake::Due(arrival.job));
                }
            }
            _ = checks.tick() => {
                let check = (clock(), clock::monotonic_now());
                if let Some(by) = set_back_by(last_check, check) {
                    due.push(Wake::ClockSetBack { by });
                }
                last_check = check;
                for job in jobs.take_lost(check.0).await {
                    tracing::warn!(job = job.as_str(), "the scheduler lost a job, which runs now");
                    due.push(Wake::Due(job));
                }
            }
        }
        for wake in due {
            if wakes.send(wake).await.is_err() {
                break 'running;
            }
        }
    }
    jobs.shut_down().await;
}

/// Returns by how much the wall clock was set back between two checks, if it was.
fn set_back_by(before: (Time, Instant), now: (Time, Instant)) -> Option<Span> {
    let elapsed = Span::from_std(now.1.duration_since(before.1)).ok()?;
    let set_back_by = before.0.checked_add_signed(elapsed)? - now.0;
    (set_back_by > MIN_CLOCK_SETBACK).then_some(set_back_by)
}

/// A job in the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct WaitingJob {
    /// `None` if the scheduler did not take the job.
    id: Option<Uuid>,
    due: Time,
    /// Whether the last check found the job overdue.
    was_overdue: bool,
}

impl WaitingJob {
    /// Returns true if the job also serves the time that is published now. What is due already is
    /// not scheduled again, because its time may be published as the present over and over.
    fn serves(&self, due: Time, now: Time) -> bool {
        self.due == due || (self.due <= now && due <= now)
    }
}

/// The jobs in the scheduler.
struct Jobs {
    scheduler: JobScheduler,
    waiting: BTreeMap<ScheduledJob, WaitingJob>,
    arrivals: mpsc::Sender<Arrival>,
}

impl Jobs {
    async fn start() -> Result<(Self, mpsc::Receiver<Arrival>), JobSchedulerError> {
        let scheduler = JobScheduler::new().await?;
        scheduler.start().await?;
        let (arrivals, receiver) = mpsc::channel(ARRIVAL_QUEUE_LENGTH);
        let jobs = Self {
            scheduler,
            waiting: BTreeMap::new(),
            arrivals,
        };
        Ok((jobs, receiver))
    }

    /// Adds, replaces and removes jobs, so that each waits for the time that is published.
    async fn schedule(&mut self, due_times: &DueTimes, clock: &Clock) {
        for job in ScheduledJob::ALL {
            let now = clock();
            let due = due_times.of(job);
            match (self.waiting.get(&job).copied(), due) {
                (None, None) => {}
                (Some(waiting), Some(due)) if waiting.serves(due, now) => {}
                (waiting, due) => {
                    if let Some(waiting) = waiting {
                        self.waiting.remove(&job);
                        self.remove(waiting.id).await;
                    }
                    if let Some(due) = due {
                        self.add(job, due, clock).await;
                    }
                }
            }
        }
    }

    /// Adds a job that runs once. A job that the scheduler does not take is found overdue later.
    async fn add(&mut self, job: ScheduledJob, due: Time, clock: &Clock) {
        let now = clock();
        let comes_at = due.clamp(now, now + LONGEST_WAIT);
        // The scheduler adds this to the second that the clock shows.
        let seconds = comes_at.timestamp() - now.timestamp();
        let seconds = Duration::from_secs(seconds.try_into().unwrap_or_default());
        let (arrivals, clock) = (self.arrivals.clone(), clock.clone());
        let one_shot = Job::new_one_shot_async(seconds, move |id, _| {
            let (arrivals, clock) = (arrivals.clone(), clock.clone());
            Box::pin(async move {
                let early = comes_at - clock();
                // The clock may be set back meanwhile.
                let rest = early
                    .to_std()
                    .unwrap_or_default()
                    .min(Duration::from_secs(1));
                sleep(rest).await;
                let _ = arrivals.send(Arrival { job, id }).await;
            })
        });
        let id = match one_shot {
            Ok(one_shot) => {
                let adding = self
                    .scheduler
                    .add(one_shot)
                    .with_subscriber(Dispatch::none());
                await_call(adding).await
            }
            Err(error) => {
                tracing::error!(%error, "the scheduler failed");
                None
            }
        };
        let waiting = WaitingJob {
            id,
            due,
            was_overdue: false,
        };
        self.waiting.insert(job, waiting);
    }

    async fn remove(&self, id: Option<Uuid>) {
        if let Some(id) = id {
            await_call(self.scheduler.remove(&id)).await;
        }
    }

    /// Returns true if the job that came was waited for, and not replaced or removed meanwhile. The
    /// scheduler removes a job that ran by itself.
    fn take_arrived(&mut self, arrival: &Arrival) -> bool {
        let waiting = self.waiting.get(&arrival.job);
        let is_waiting = waiting.is_some_and(|waiting| waiting.id == Some(arrival.id));
        if is_waiting {
            self.waiting.remove(&arrival.job);
        }
        is_waiting
    }

    /// Removes and returns the jobs that are overdue and were at the last check. One check is not
    /// enough, because a machine that was suspended may check before the scheduler looks.
    async fn take_lost(&mut self, now: Time) -> Vec<ScheduledJob> {
        let mut lost = Vec::new();
        for (job, waiting) in &mut self.waiting {
            let is_overdue = waiting.due < now;
            if is_overdue && waiting.was_overdue {
                lost.push(*job);
            }
            waiting.was_overdue = is_overdue;
        }
        for job in &lost {
            if let Some(waiting) = self.waiting.remove(job) {
                self.remove(waiting.id).await;
            }
        }
        lost
    }

    async fn shut_down(mut self) {
        for waiting in std::mem::take(&mut self.waiting).into_values() {
            self.remove(waiting.id).await;
        }
        await_call(self.scheduler.shutdown()).await;
    }
}

/// Awaits a call of the scheduler. Returns `None` and logs the reason if it failed.
async fn await_call<T>(call: impl Future<Output = Result<T, JobSchedulerError>>) -> Option<T> {
    match timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(done)) => Some(done),
        Ok(Err(error)) => {
            tracing::error!(%error, "the scheduler failed");
            None
        }
        Err(_) => {
            tracing::error!("the scheduler does not answer");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// The longest that a test waits for a message. Only a failing test waits that long.
    const PATIENCE: Duration = Duration::from_secs(60);

    async fn next_wake(wakes: &mut mpsc::Receiver<Wake>) -> Wake {
        let wake = timeout(PATIENCE, wakes.recv()).await;
        wake.expect("a wake comes").expect("the schedule runs")
    }

    /// Waits for the next wake, which must be this job's, and returns when it came.
    async fn expect_job(wakes: &mut mpsc::Receiver<Wake>, expect: ScheduledJob) -> Time {
        match next_wake(wakes).await {
            Wake::Due(job) if job == expect => clock::now(),
            other => panic!("{other:?} came, and not {expect:?}"),
        }
    }

    #[tokio::test]
    async fn jobs_come_when_they_are_due_and_are_replaced_and_removed() {
        let (due_times, published) = watch::channel(DueTimes::default());
        let (sender, mut wakes) = mpsc::channel(8);
        let thread = start(published, sender, clock::system_clock());
        let thread = thread.await.expect("the schedule starts");
        let now = clock::now();
        let soon = |seconds| Some(clock::now() + Span::seconds(seconds));
        let first = DueTimes {
            poll: Some(now),
            watch: Some(now + Span::milliseconds(1_300)),
            audit: Some(now + Span::hours(1)),
            sync: None,
        };
        due_times.send_replace(first);
        expect_job(&mut wakes, ScheduledJob::Poll).await;
        let came = expect_job(&mut wakes, ScheduledJob::Watch).await;
        assert!(Some(came) >= first.watch, "not early: {came} {first:?}");
        // Replaced. What came before does not come again, because no time is published for it.
        due_times.send_replace(DueTimes {
            audit: Some(now),
            ..DueTimes::default()
        });
        expect_job(&mut wakes, ScheduledJob::Audit).await;
        // Removed: otherwise the watch would come before the poll.
        let (watch, poll) = (soon(1), soon(3));
        let audit = soon(3_600);
        due_times.send_replace(DueTimes {
            poll: None,
            watch,
            audit,
            sync: None,
        });
        due_times.send_replace(DueTimes {
            poll,
            watch: None,
            audit,
            sync: None,
        });
        expect_job(&mut wakes, ScheduledJob::Poll).await;
        drop(due_times);
        assert!(wakes.recv().await.is_none(), "no job is left");
        thread.join().expect("the thread ends with its tasks");
    }

    /// Times that the scheduler's own clock never reaches: a wall clock that is set back, and a job
    /// that the scheduler lost.
    #[tokio::test]
    async fn a_clock_that_is_set_back_and_a_lost_job_are_noticed() {
        let wall: Arc<Mutex<Time>> = Arc::new(Mutex::new(clock::now()));
        let begins = *wall.lock().unwrap();
        let shown = Arc::clone(&wall);
        let clock: Clock = Arc::new(move || *shown.lock().unwrap());
        let set = |at: Time| *wall.lock().unwrap() = at;
        let (due_times, published) = watch::channel(DueTimes::default());
        let (sender, mut wakes) = mpsc::channel(8);
        let (jobs, arrivals) = Jobs::start().await.expect("the scheduler starts");
        let checks = interval(Duration::from_millis(10));
        tokio::spawn(async move {
            follow(jobs, arrivals, checks, published, &sender, &clock).await;
        });
        due_times.send_replace(DueTimes {
            poll: Some(begins + Span::hours(1)),
            ..DueTimes::default()
        });
        // The schedule has to schedule the job first; it wakes the loop when another job comes.
        due_times.send_modify(|times| times.watch = Some(begins));
        expect_job(&mut wakes, ScheduledJob::Watch).await;
        set(begins + Span::hours(2));
        expect_job(&mut wakes, ScheduledJob::Poll).await;
        set(begins);
        match next_wake(&mut wakes).await {
            Wake::ClockSetBack { by } => assert!(by > Span::minutes(119), "{by}"),
            other => panic!("{other:?}"),
        }
        drop(due_times);
        assert!(wakes.recv().await.is_none(), "no job is left");
    }

    #[test]
    fn only_a_wall_clock_that_fell_behind_was_set_back() {
        let (wall, monotonic) = (clock::now(), clock::monotonic_now());
        let rows = [
            ("both went on", 10_000, 10_000, None),
            ("corrected", 10_000, 4_000, None),
            ("corrected by as much as is allowed", 10_000, 0, None),
            ("set back by a little more", 10_000, -1, Some(10_001)),
            ("set back by an hour", 10_000, -3_590_000, Some(3_600_000)),
            ("set forward", 10_000, 3_610_000, None),
            ("suspended", 1_000, 36_000_000, None),
            (
                "set back while suspended for longer",
                10_000,
                5_000_000,
                None,
            ),
        ];
        for (why, elapsed, passed, expect) in rows {
            let later = (
                wall + Span::milliseconds(passed),
                monotonic + Duration::from_millis(elapsed),
            );
            let expect = expect.map(Span::milliseconds);
            assert_eq!(set_back_by((wall, monotonic), later), expect, "{why}");
        }
    }

    #[test]
    fn a_job_is_replaced_when_its_time_changes() {
        let now = clock::now();
        let rows = [
            ("the same time", 60, 60, true),
            ("later", 60, 61, false),
            ("earlier", 60, 59, false),
            ("due now instead", 60, 0, false),
            ("due already, and published as now", -5, 0, true),
            ("due already, and later now", -5, 15, false),
        ];
        for (why, scheduled, published, expect) in rows {
            let waiting = WaitingJob {
                id: None,
                due: now + Span::seconds(scheduled),
                was_overdue: false,
            };
            let serves = waiting.serves(now + Span::seconds(published), now);
            assert_eq!(serves, expect, "{why}");
        }
    }
}
