//! Records the results of awaited tasks in the calls of a batch, and starts what follows from them.

use std::collections::BTreeMap;

use super::call::set_sent_marks;
use super::{Driver, PreCallReading, TaskResult, Tasks, reading_valid_until, yield_to_ready_tasks};
use crate::calcom::port::CallError;
use crate::domain::booking;
use crate::domain::id::BookingUid;
use crate::domain::intent::BookingState;
use crate::domain::plan::PlannedCall;
use crate::domain::time::Time;
use crate::reconcile::booking_reads::ReadTimes;
use crate::reconcile::context::PassError;

impl<'a> Driver<'a> {
    /// Records the result of a task in its call, and starts what comes next.
    pub(super) async fn handle_task_result(
        &mut self,
        task_result: TaskResult,
        tasks: &mut Tasks<'a>,
    ) {
        match task_result {
            TaskResult::Stopped => self.active_tasks -= 1,
            TaskResult::BatchRead(read_result) => {
                self.batch_read_running = false;
                match read_result {
                    Ok(states) => self.record_batch_read(&states, tasks),
                    Err(error) => self.result.fatal_error = Some(error),
                }
            }
            TaskResult::BookingRead(n, requested_at, read_result) => {
                self.active_tasks -= 1;
                self.record_booking_read(n, requested_at, read_result, tasks);
            }
            TaskResult::CallEnded(n, call, sent_by, answer) => {
                self.active_tasks -= 1;
                self.record_call_end(n, &call, sent_by, answer).await;
                self.advance(n, tasks);
            }
            TaskResult::RequestRead(n, read_result) => {
                self.record_request_read(n, read_result);
                self.advance(n, tasks);
            }
        }
    }

    /// Records what a read by uid showed before the call. A pending booking is called next.
    fn record_booking_read(
        &mut self,
        n: usize,
        requested_at: Time,
        read_result: Result<BookingState, CallError>,
        tasks: &mut Tasks<'a>,
    ) {
        let arrived_at = (self.ports.clock)();
        let read_times = ReadTimes {
            requested_at,
            arrived_at,
        };
        let until = reading_valid_until(read_times, self.limits);
        let in_flight = self.slots[n].as_mut().expect("it is under way");
        match read_result {
            Ok(BookingState::Pending) => {
                in_flight.reading = Some(PreCallReading::PendingUntil(until));
                self.queue.push_front(n);
                return;
            }
            Ok(state) => in_flight.record_state(state),
            Err(error) => {
                in_flight.record_read_error(&error);
                if error.is_fatal_for_pass() {
                    self.result.fatal_error.get_or_insert(error.into());
                }
            }
        }
        self.advance(n, tasks);
    }

    /// Records the answer to a call. The mark that the call was sent is removed if it was not sent.
    async fn record_call_end(
        &mut self,
        n: usize,
        call: &PlannedCall,
        sent_by: Time,
        answer: Result<Option<booking::Fetched>, CallError>,
    ) {
        match &answer {
            // The call was not sent after all.
            Err(CallError::TooLate | CallError::RateLimited { .. }) => {
                yield_to_ready_tasks().await;
                let ids = vec![self.request_id(n)];
                if let Err(error) = set_sent_marks(&self.ports, ids, None).await {
                    self.result.fatal_error = Some(PassError::Store(error));
                }
            }
            Err(error @ CallError::Credential(_)) => {
                self.result.fatal_error.get_or_insert(error.clone().into());
            }
            Ok(_) | Err(_) => {}
        }
        let now = (self.ports.clock)();
        let in_flight = self.slots[n].as_mut().expect("it is under way");
        in_flight.record_answer(call, sent_by, answer, now);
    }

    /// Records what a read of all bookings of the request showed after a call.
    fn record_request_read(
        &mut self,
        n: usize,
        read_result: Result<BTreeMap<BookingUid, BookingState>, CallError>,
    ) {
        let now = (self.ports.clock)();
        let in_flight = self.slots[n].as_mut().expect("it is under way");
        match read_result {
            Ok(states) => in_flight.record_states(Some(states), now),
            Err(error) => {
                in_flight.record_states(None, now);
                if error.is_fatal_for_pass() {
                    self.result.fatal_error.get_or_insert(error.into());
                }
            }
        }
    }

    /// Records in each waiting call what the batch read showed of its booking.
    fn record_batch_read(
        &mut self,
        states: &BTreeMap<BookingUid, (BookingState, ReadTimes)>,
        tasks: &mut Tasks<'a>,
    ) {
        let now = (self.ports.clock)();
        let mut not_pending = Vec::new();
        for n in std::mem::take(&mut self.queue) {
            let in_flight = self.slots[n].as_mut().expect("what waits is not settled");
            let uid = &in_flight.call.booking.uid;
            match states.get(uid) {
                Some((BookingState::Pending, read_times)) => {
                    let until = reading_valid_until(*read_times, self.limits);
                    // A list that took too long does not help: each booking is read by uid instead.
                    in_flight.reading = Some(if until < now {
                        PreCallReading::NotListed
                    } else {
                        PreCallReading::PendingUntil(until)
                    });
                    self.queue.push_back(n);
                }
                Some((state, _)) => {
                    in_flight.booking_states.insert(uid.clone(), *state);
                    not_pending.push(n);
                }
                None => {
                    in_flight.reading = Some(PreCallReading::NotListed);
                    self.queue.push_back(n);
                }
            }
        }
        for n in not_pending {
            self.advance(n, tasks);
        }
    }
}
