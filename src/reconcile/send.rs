//! Sends the calls of a batch: each booking is seen pending right before its call, the calls run
//! concurrently, and the states of the bookings afterwards settle the intents. No call depends on a
//! reading that is older than two seconds, unless the reading took that long to arrive: while the
//! server is slow, all waiting bookings are read again.

pub mod call;
pub mod in_flight;
pub mod settle;
mod task_results;

use std::collections::{BTreeMap, VecDeque};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use super::booking_reads::{self, ReadTimes};
use super::clock::clock_is_off;
use super::context::{PassError, Ports};
use super::report::StepOutcome;
use crate::calcom::port::CallError;
use crate::domain::booking::{self, BookingRef};
use crate::domain::gate::PassLimits;
use crate::domain::id::{AccountId, BookingUid, RequestId};
use crate::domain::intent::BookingState;
use crate::domain::plan::{PlannedCall, Problem};
use crate::domain::request::Request;
use crate::domain::time::{Span, Time};
use call::{send_call, set_sent_marks};
use in_flight::{CallState, InFlightCall};

/// The maximum number of concurrent calls: a confirmation takes Cal.com seconds, and these calls
/// are all for one host.
const CALLS_AT_ONCE: usize = 8;

/// The maximum age of a reading when the call that depends on it is sent.
const MAX_READING_AGE: Span = Span::seconds(2);

/// How long a reading is valid after it arrived, if the read took longer than a reading may be old.
/// Otherwise a list that takes the server three seconds would be read again and again without a
/// call.
const MIN_VALIDITY_AFTER_ARRIVAL: Span = Span::milliseconds(500);

/// How often a call is made ready again if its turn did not come in time. Each retry waits for the
/// rate limit's window, so the retries take minutes.
pub const MAX_DEADLINE_RETRIES: u32 = 5;

/// The interval at which results are written down while calls are in flight.
const SETTLE_INTERVAL: Span = Span::seconds(5);

/// The result of a batch.
#[derive(Debug, Default)]
pub struct BatchResult {
    /// Each request, its outcome, and why it is not finished.
    pub steps: Vec<(Request, StepOutcome, Option<String>)>,
    /// What an operator should know.
    pub problems: Vec<Problem>,
    /// Why nothing more may be tried: the key was refused, or the store cannot write.
    pub fatal_error: Option<PassError>,
}

/// The result of an awaited task, with the index of its in-flight call.
enum TaskResult {
    /// One read of all waiting bookings. A booking that it did not show is read by uid before its
    /// call.
    BatchRead(Result<BTreeMap<BookingUid, (BookingState, ReadTimes)>, PassError>),
    /// A booking that was read by uid before its call, and when the read was requested.
    BookingRead(usize, Time, Result<BookingState, CallError>),
    /// A call that was sent by the given time, unless the error says that it was not sent.
    CallEnded(
        usize,
        PlannedCall,
        Time,
        Result<Option<booking::Fetched>, CallError>,
    ),
    /// All bookings of the request, read after a call.
    RequestRead(usize, Result<BTreeMap<BookingUid, BookingState>, CallError>),
    /// A stop was requested before anything was sent.
    Stopped,
}

/// The last reading of a booking.
#[derive(Clone, Copy)]
enum PreCallReading {
    /// The booking was seen pending, and its call may depend on that until the given time.
    PendingUntil(Time),
    /// The last read of all waiting bookings did not show this booking.
    NotListed,
}

/// Sends the calls of a batch, whose intents are recorded, and settles what is known. Never returns
/// early while something that could be settled is unsettled.
pub async fn send_batch(
    ports: &Ports<'_>,
    limits: &PassLimits,
    batch: Vec<InFlightCall>,
    versions: &mut BTreeMap<AccountId, u64>,
) -> BatchResult {
    let mut driver = Driver {
        ports: *ports,
        limits,
        queue: (0..batch.len()).collect(),
        slots: batch.into_iter().map(Some).collect(),
        batch_read_running: false,
        active_tasks: 0,
        result: BatchResult::default(),
    };
    if let Err(error) = driver.run(versions).await {
        driver.result.fatal_error = Some(error);
    }
    // The remaining intents stay open in the log: the next pass reads their bookings and continues.
    let mut result = driver.result;
    for slot in driver.slots.into_iter().flatten() {
        let why = "this pass had no time left for it".to_owned();
        result
            .steps
            .push((slot.request, StepOutcome::Unresolved, Some(why)));
    }
    result
}

struct Driver<'a> {
    ports: Ports<'a>,
    limits: &'a PassLimits,
    /// The in-flight calls that are not settled.
    slots: Vec<Option<InFlightCall>>,
    /// The indices of those that wait for their call, in order.
    queue: VecDeque<usize>,
    batch_read_running: bool,
    /// The number of running calls, and of reads before calls.
    active_tasks: usize,
    result: BatchResult,
}

type Tasks<'a> = FuturesUnordered<BoxFuture<'a, TaskResult>>;

impl<'a> Driver<'a> {
    async fn run(&mut self, versions: &mut BTreeMap<AccountId, u64>) -> Result<(), PassError> {
        let mut tasks = Tasks::new();
        let mut last_settled = (self.ports.clock)();
        loop {
            self.start_ready_calls(&mut tasks).await;
            let Some(task_result) = tasks.next().await else {
                break;
            };
            self.handle_task_result(task_result, &mut tasks).await;
            let now = (self.ports.clock)();
            if now - last_settled >= SETTLE_INTERVAL {
                yield_to_ready_tasks().await;
                settle::settle_finished_calls(
                    &self.ports,
                    self.limits,
                    &mut self.slots,
                    &mut self.result,
                    versions,
                )
                .await?;
                last_settled = now;
            }
        }
        settle::settle_finished_calls(
            &self.ports,
            self.limits,
            &mut self.slots,
            &mut self.result,
            versions,
        )
        .await
    }

    /// Starts the calls and reads that may start now. After a refused key or a stop, none may
    /// start.
    async fn start_ready_calls(&mut self, tasks: &mut Tasks<'a>) {
        let mut calls = Vec::new();
        while self.active_tasks + calls.len() < CALLS_AT_ONCE
            && self.result.fatal_error.is_none()
            && !self.ports.stop.is_set()
            // If a read has shown that the clocks disagree, no call starts after it.
            && !clock_is_off(&self.ports)
        {
            let Some(&n) = self.queue.front() else {
                break;
            };
            let now = (self.ports.clock)();
            let in_flight = self.slots[n].as_mut().expect("what waits is not settled");
            let latest_send_time = in_flight.latest_send_time();
            if latest_send_time.is_some_and(|start| start <= now) {
                in_flight.record_state(BookingState::PendingAfterStart);
                self.queue.pop_front();
                self.advance(n, tasks);
                continue;
            }
            let cap_deadline =
                |until: Time| latest_send_time.map_or(until, |start| until.min(start));
            let client_reads_first = self.ports.calendar.reads_before_acting();
            match in_flight.reading {
                _ if client_reads_first => {
                    calls.push((n, cap_deadline(now + self.limits.max_observation_age)));
                }
                Some(PreCallReading::PendingUntil(until)) if now <= until => {
                    calls.push((n, cap_deadline(until)))
                }
                Some(PreCallReading::NotListed) => self.read_before_call(n, tasks),
                Some(PreCallReading::PendingUntil(_)) | None => {
                    if self.batch_read_running {
                        break;
                    }
                    let unread_bookings = self.bookings_to_read(now);
                    if unread_bookings.len() >= booking_reads::MIN_BOOKINGS_TO_LIST {
                        self.batch_read_running = true;
                        tasks.push(read_waiting_bookings(self.ports, unread_bookings).boxed());
                        break;
                    }
                    self.read_before_call(n, tasks);
                }
            }
            self.queue.pop_front();
        }
        self.start_calls(calls, tasks).await;
    }

    /// Reads a booking by uid before its call.
    fn read_before_call(&mut self, n: usize, tasks: &mut Tasks<'a>) {
        let in_flight = self.slots[n].as_ref().expect("what waits is not settled");
        let booking = in_flight.call.booking.clone();
        let ports = self.ports;
        self.active_tasks += 1;
        let task = async move {
            let requested_at = (ports.clock)();
            tokio::select! {
                biased;
                // Nothing was sent yet.
                () = ports.stop.stopped() => TaskResult::Stopped,
                read = ports.calendar.get(&booking) => {
                    TaskResult::BookingRead(n, requested_at, read.map(|reading| BookingState::from_fetched(&reading)))
                }
            }
        };
        tasks.push(task.boxed());
    }

    /// Sends these calls, after the store has recorded that they are about to be sent.
    async fn start_calls(&mut self, calls: Vec<(usize, Time)>, tasks: &mut Tasks<'a>) {
        if calls.is_empty() {
            return;
        }
        let ids = calls.iter().map(|(n, _)| self.request_id(*n)).collect();
        yield_to_ready_tasks().await;
        let mark_result = set_sent_marks(&self.ports, ids, Some((self.ports.clock)())).await;
        if let Err(error) = mark_result {
            self.result.fatal_error = Some(PassError::Store(error));
            return;
        }
        for (n, deadline) in calls {
            let in_flight = self.slots[n]
                .as_ref()
                .expect("it was not settled meanwhile");
            let call = in_flight.call.clone();
            let ports = self.ports;
            self.active_tasks += 1;
            let task = async move {
                let answer = send_call(&ports, &call, deadline).await;
                let sent_by = deadline.min((ports.clock)());
                TaskResult::CallEnded(n, call, sent_by, answer)
            };
            tasks.push(task.boxed());
        }
    }

    fn request_id(&self, n: usize) -> RequestId {
        let in_flight = self.slots[n]
            .as_ref()
            .expect("what is under way is not settled");
        in_flight.request.id.clone()
    }

    /// Returns the bookings whose next call has no reading that it may depend on.
    fn bookings_to_read(&self, now: Time) -> Vec<BookingRef> {
        let waiting = self.queue.iter().filter_map(|n| self.slots[*n].as_ref());
        waiting
            .filter(|in_flight| match in_flight.reading {
                Some(PreCallReading::PendingUntil(until)) => until < now,
                Some(PreCallReading::NotListed) => false,
                None => true,
            })
            .map(|in_flight| in_flight.call.booking.clone())
            .collect()
    }

    /// Starts what comes next for an in-flight call, after something was learned about it.
    fn advance(&mut self, n: usize, tasks: &mut Tasks<'a>) {
        let in_flight = self.slots[n].as_mut().expect("it is under way");
        if in_flight.needs_read() {
            in_flight.busy = true;
            let ports = self.ports;
            let request = in_flight.request.clone();
            let states = in_flight.booking_states.clone();
            let read_task = async move {
                TaskResult::RequestRead(
                    n,
                    booking_reads::read_request_states(&ports, &request, states).await,
                )
            };
            tasks.push(read_task.boxed());
            return;
        }
        in_flight.busy = false;
        in_flight.apply_states();
        match in_flight.state {
            CallState::Waiting if in_flight.deadline_retries < MAX_DEADLINE_RETRIES => {
                in_flight.deadline_retries += 1;
                self.queue.push_back(n);
            }
            CallState::Waiting => in_flight.state = CallState::Unresolved,
            CallState::ReadyToSettle | CallState::Unresolved | CallState::Failed => {}
        }
    }
}

/// Returns until when a call may depend on a reading.
pub fn reading_valid_until(read_times: ReadTimes, limits: &PassLimits) -> Time {
    (read_times.requested_at + MAX_READING_AGE)
        .max(read_times.arrived_at + MIN_VALIDITY_AFTER_ARRIVAL)
        .min(read_times.requested_at + limits.max_observation_age)
}

/// Lets ready tasks be polled before the store is awaited, so that the order in which calls
/// continue does not depend on the speed of the store's thread: a simulation of one seed runs the
/// same way twice.
async fn yield_to_ready_tasks() {
    tokio::task::yield_now().await;
}

/// Reads the waiting bookings, unless a stop is requested: nothing was sent yet.
async fn read_waiting_bookings(ports: Ports<'_>, bookings: Vec<BookingRef>) -> TaskResult {
    tokio::select! {
        biased;
        () = ports.stop.stopped() => TaskResult::BatchRead(Ok(BTreeMap::new())),
        read_result = booking_reads::read_states(&ports, &bookings) => TaskResult::BatchRead(read_result),
    }
}
