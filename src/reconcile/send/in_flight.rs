//! The life of one planned call: its intent is recorded, its booking is read, the call is sent, and
//! the states of the bookings afterwards say how it ended.

use std::collections::BTreeMap;

use super::PreCallReading;
use super::call::to_call_end;
use crate::calcom::port::CallError;
use crate::domain::booking;
use crate::domain::expected::Expected;
use crate::domain::fact::Fact;
use crate::domain::id::BookingUid;
use crate::domain::intent::{self, BookingState, NextStep};
use crate::domain::plan::{self, PlannedCall};
use crate::domain::request::{CallEnd, CallKind, CallNote, Charge, Request};
use crate::domain::time::{Time, truncate_to_millis};

/// The maximum length of a server's message that is kept with a call, in characters.
const MAX_NOTE_CHARS: usize = 300;

/// A call of the plan, from the plan to its settlement.
pub struct InFlightCall {
    /// The request that the call answers.
    pub request: Request,
    /// The facts that record the intent; empty once the log holds them.
    pub facts: Vec<Fact>,
    /// The stored records that the facts rest on.
    pub expected: Vec<Expected>,
    /// The version of the request's record once it is recorded.
    pub(super) version: Option<u64>,
    /// The charges that the intent holds, and the charge that it takes over, as recorded.
    charges: Vec<Charge>,
    carried_charge: Option<Charge>,
    pub(super) call: PlannedCall,
    pub(super) booking_states: BTreeMap<BookingUid, BookingState>,
    pub(super) notes: Vec<CallNote>,
    pub(super) state: CallState,
    /// Whether a read for this intent is awaited.
    pub(super) busy: bool,
    pub(super) reading: Option<PreCallReading>,
    /// How often the intent was made ready for its call again.
    pub(super) deadline_retries: u32,
    /// The number of calls that may still be sent: a server that answers the occurrences of a
    /// series individually needs one call for each.
    calls_left: usize,
    /// A call that the server answered with success but without the booking, and when it was sent.
    /// A reading shows whether the call is done.
    unverified_call: Option<(PlannedCall, Time)>,
    /// Why the intent is not finished.
    pub(super) why: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CallState {
    /// The booking is to be read, and called if it is still pending.
    Waiting,
    /// The states of the bookings are known, and the intent is to be settled.
    ReadyToSettle,
    /// The state of the booking is not known, or whether the call is over.
    Unresolved,
    /// Cal.com refused, and the booking is unchanged.
    Failed,
}

impl InFlightCall {
    /// Returns the call with nothing recorded and nothing sent.
    pub fn new(
        request: Request,
        facts: Vec<Fact>,
        expected: Vec<Expected>,
        call: PlannedCall,
    ) -> Self {
        Self {
            calls_left: request.bookings.len(),
            request,
            facts,
            expected,
            version: None,
            charges: Vec::new(),
            carried_charge: None,
            call,
            booking_states: BTreeMap::new(),
            notes: Vec::new(),
            state: CallState::Waiting,
            busy: false,
            reading: None,
            deadline_retries: 0,
            unverified_call: None,
            why: None,
        }
    }

    /// Takes over the intent as the log holds it: the request with its version, its charges, and the
    /// charge that it takes over.
    pub fn set_recorded_intent(
        &mut self,
        (request, version): (Request, Option<u64>),
        charges: Vec<Charge>,
        carried_charge: Option<Charge>,
    ) {
        self.facts.clear();
        self.calls_left = request.bookings.len();
        self.request = request;
        self.version = version;
        self.charges = charges;
        self.carried_charge = carried_charge;
    }

    /// Returns the next transition. A call of this intent without an answer may still be running;
    /// the next pass sees when it ends.
    pub(super) fn next_step(&self) -> NextStep {
        intent::next_step(
            &self.request,
            &self.charges,
            self.carried_charge.as_ref(),
            &self.booking_states,
            self.unanswered_since(),
        )
    }

    /// Returns when the call is too late: nothing is confirmed after its start. The called booking
    /// is the first of those that wait.
    pub(super) fn latest_send_time(&self) -> Option<Time> {
        let Self {
            request,
            charges,
            call,
            ..
        } = self;
        let own_charge = charges
            .iter()
            .find(|one| one.booking.uid == call.booking.uid);
        let start = own_charge.map_or(request.start, |charge| charge.start);
        (call.kind == CallKind::Confirm).then_some(start)
    }

    /// Returns when a call of this intent was sent that has no answer.
    pub(super) fn unanswered_since(&self) -> Option<Time> {
        self.notes.iter().find_map(|note| match note.end {
            CallEnd::Unanswered { sent } => Some(sent),
            CallEnd::Answered | CallEnd::Refused | CallEnd::Failed | CallEnd::NotSent => None,
        })
    }

    /// Records that the booking was read before its call, and was not pending: nothing was sent.
    pub(super) fn record_state(&mut self, state: BookingState) {
        let uid = self.call.booking.uid.clone();
        self.booking_states.insert(uid, state);
    }

    /// Records that the booking could not be read before its call: nothing was sent.
    pub(super) fn record_read_error(&mut self, error: &CallError) {
        self.state = CallState::Unresolved;
        self.why = Some(format!("the booking could not be read: {error}"));
    }

    /// Records the answer to a call.
    pub(super) fn record_answer(
        &mut self,
        call: &PlannedCall,
        sent_by: Time,
        answer: Result<Option<booking::Fetched>, CallError>,
        now: Time,
    ) {
        let uid = call.booking.uid.clone();
        match answer {
            // Nothing was sent: the call gets another turn.
            Err(CallError::TooLate | CallError::RateLimited { .. }) => self.reading = None,
            Ok(Some(reading)) => {
                let state = BookingState::from_fetched(&reading);
                self.calls_left -= 1;
                self.booking_states.insert(uid, state);
                self.record_server_success(call, sent_by, state, now);
            }
            Ok(None) => {
                self.calls_left -= 1;
                self.unverified_call = Some((call.clone(), sent_by));
            }
            Err(error) => {
                let end = to_call_end(&error, sent_by);
                self.state = CallState::Unresolved;
                if end == CallEnd::Refused {
                    // A read of the booking shows why, and whether something happened nevertheless.
                    self.calls_left -= 1;
                    self.state = CallState::Failed;
                }
                self.add_note(call, end, error.to_string(), now);
            }
        }
    }

    /// Records that the server answered with success, and what the booking is now.
    fn record_server_success(
        &mut self,
        call: &PlannedCall,
        sent_by: Time,
        state: BookingState,
        now: Time,
    ) {
        match state {
            // Cal.com changes the booking at the end of the call, so that end is still to come.
            BookingState::Pending | BookingState::PendingAfterStart | BookingState::Unread => {
                self.state = CallState::Unresolved;
                let text = "the server accepted the call, but the booking is not changed \
                 yet"
                .to_owned();
                self.add_note(call, CallEnd::Unanswered { sent: sent_by }, text, now);
            }
            BookingState::Accepted
            | BookingState::AcceptedAfterMove
            | BookingState::AcceptedAfterCancel
            | BookingState::Rejected
            | BookingState::Cancelled
            | BookingState::Gone
            | BookingState::OtherStatus
            | BookingState::PendingAfterEnd => {
                let text = format!("the booking {}", state.describe());
                self.add_note(call, CallEnd::Answered, text, now);
            }
        }
    }

    fn add_note(&mut self, call: &PlannedCall, end: CallEnd, text: String, now: Time) {
        self.why = (end != CallEnd::Answered).then(|| text.clone());
        self.notes.push(CallNote {
            at: truncate_to_millis(now),
            booking: call.booking.uid.clone(),
            kind: call.kind,
            end,
            text: text.chars().take(MAX_NOTE_CHARS).collect(),
        });
    }

    /// Returns true if something happened whose result only a read can show.
    pub(super) fn needs_read(&self) -> bool {
        let has_result = !self.notes.is_empty() || !self.booking_states.is_empty();
        match self.state {
            CallState::Waiting => {
                self.unverified_call.is_some()
                    || (has_result && !self.busy && self.next_step() == NextStep::Unclear)
            }
            CallState::Failed => {
                !self.busy && !self.booking_states.contains_key(&self.call.booking.uid)
            }
            CallState::ReadyToSettle | CallState::Unresolved => false,
        }
    }

    /// Records the states of the bookings after a call; `None` if they could not be read.
    pub(super) fn record_states(
        &mut self,
        states: Option<BTreeMap<BookingUid, BookingState>>,
        now: Time,
    ) {
        let was_read = states.is_some();
        if let Some(states) = states {
            self.booking_states = states;
        }
        if let Some((call, sent_by)) = self.unverified_call.take() {
            let state = self.booking_states.get(&call.booking.uid).copied();
            self.record_server_success(&call, sent_by, state.unwrap_or(BookingState::Unread), now);
        }
        if !was_read && self.state == CallState::Waiting {
            self.state = CallState::Unresolved;
        }
    }

    /// Decides what the states of the bookings mean for this intent.
    pub(super) fn apply_states(&mut self) {
        match self.next_step() {
            NextStep::Settle { .. } => self.state = CallState::ReadyToSettle,
            // The server answers one occurrence at a time, so the next occurrence is to be called.
            NextStep::Call(booking)
                if self.state == CallState::Waiting
                    && self.calls_left > 0
                    && booking.uid != self.call.booking.uid =>
            {
                if let Some(call) = plan::planned_call(&self.request, &booking) {
                    self.call = call;
                    self.booking_states.clear();
                    self.reading = None;
                    self.deadline_retries = 0;
                }
            }
            // A status is not known, or an occurrence cannot be read.
            NextStep::Unclear
                if self.state == CallState::Waiting && !self.booking_states.is_empty() =>
            {
                self.state = CallState::Unresolved;
                self.why = Some("the status of its bookings is unknown".to_owned());
            }
            NextStep::Call(_) if self.state == CallState::Waiting && self.calls_left == 0 => {
                self.state = CallState::Unresolved;
            }
            NextStep::Call(_) | NextStep::Wait { .. } | NextStep::Unclear => {}
        }
    }
}
