//! One delivery under way: what is known of its bookings, and what its calls gave.

use std::collections::BTreeMap;

use super::call::end_of;
use super::{Delivery, Reading};
use crate::calcom::port::CallError;
use crate::domain::booking;
use crate::domain::id::BookingUid;
use crate::domain::intent::{self, Next, Sight};
use crate::domain::plan::{self, Call};
use crate::domain::request::{CallEnd, CallKind, CallNote};
use crate::domain::time::{Time, kept};

/// Characters of a server's message kept with a call.
const MAX_NOTE: usize = 300;

pub(super) struct InFlight {
    pub(super) delivery: Delivery,
    pub(super) sights: BTreeMap<BookingUid, Sight>,
    pub(super) notes: Vec<CallNote>,
    pub(super) state: State,
    /// Something about it is awaited.
    pub(super) busy: bool,
    pub(super) reading: Option<Reading>,
    /// Times that it was made ready for its call.
    pub(super) turns: u32,
    /// Calls that may still be sent: a server that answers a series one by one needs one each.
    calls_left: usize,
    /// A call that was answered with yes, without the booking: when it was sent. A reading tells
    /// whether it is done.
    said_yes: Option<(Call, Time)>,
    /// Why it is not finished.
    pub(super) why: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// To be looked at, and called when still pending.
    Waiting,
    /// Its bookings are known; to be settled.
    Known,
    /// It is not known what the booking is, or whether the call is over.
    Unresolved,
    /// Cal.com said no and the booking is as it was.
    Failed,
}

impl From<Delivery> for InFlight {
    fn from(delivery: Delivery) -> Self {
        Self {
            sights: BTreeMap::new(),
            notes: Vec::new(),
            state: State::Waiting,
            busy: false,
            reading: None,
            turns: 0,
            calls_left: delivery.request.bookings.len(),
            said_yes: None,
            why: None,
            delivery,
        }
    }
}

impl InFlight {
    /// The next transition. A call of this delivery without an answer may still be running; when that
    /// ends is for the next pass to see.
    pub(super) fn next(&self) -> Next {
        intent::next(
            &self.delivery.request,
            &self.delivery.charges,
            self.delivery.carried.as_ref(),
            &self.sights,
            self.unanswered(),
        )
    }

    /// When its call is too late: nothing is confirmed after its start. The called booking is the first
    /// of those that wait.
    pub(super) fn no_later_than(&self) -> Option<Time> {
        let Delivery {
            request,
            charges,
            call,
            ..
        } = &self.delivery;
        let own = charges
            .iter()
            .find(|one| one.booking.uid == call.booking.uid);
        let start = own.map_or(request.start, |charge| charge.start);
        (call.kind == CallKind::Confirm).then_some(start)
    }

    /// When a call of this delivery was sent that has no answer.
    pub(super) fn unanswered(&self) -> Option<Time> {
        self.notes.iter().find_map(|note| match note.end {
            CallEnd::Unanswered { sent } => Some(sent),
            CallEnd::Answered | CallEnd::Refused | CallEnd::Failed | CallEnd::NotSent => None,
        })
    }

    /// It was read before its call, and was not pending: nothing was sent.
    pub(super) fn seen(&mut self, sight: Sight) {
        let uid = self.delivery.call.booking.uid.clone();
        self.sights.insert(uid, sight);
    }

    /// It could not be read before its call: nothing was sent.
    pub(super) fn unread(&mut self, error: &CallError) {
        self.state = State::Unresolved;
        self.why = Some(format!("the booking could not be read: {error}"));
    }

    /// Takes in what a call gave.
    pub(super) fn called(
        &mut self,
        call: &Call,
        sent: Time,
        answer: Result<Option<booking::Reading>, CallError>,
        now: Time,
    ) {
        let uid = call.booking.uid.clone();
        match answer {
            // Nothing was sent: its turn comes again.
            Err(CallError::TooLate | CallError::Limited { .. }) => self.reading = None,
            Ok(Some(reading)) => {
                let sight = Sight::of(&reading);
                self.calls_left -= 1;
                self.sights.insert(uid, sight);
                self.answered(call, sent, sight, now);
            }
            Ok(None) => {
                self.calls_left -= 1;
                self.said_yes = Some((call.clone(), sent));
            }
            Err(error) => {
                let end = end_of(&error, sent);
                self.state = State::Unresolved;
                if end == CallEnd::Refused {
                    // The booking itself tells why, and that nothing happened all the same.
                    self.calls_left -= 1;
                    self.state = State::Failed;
                }
                self.note(call, end, error.to_string(), now);
            }
        }
    }

    /// The server said yes, and this is what the booking is.
    fn answered(&mut self, call: &Call, sent: Time, sight: Sight, now: Time) {
        match sight {
            // Cal.com changes it at the end of the call, so that end is still to come.
            Sight::Pending | Sight::Begun | Sight::Unread => {
                self.state = State::Unresolved;
                let text = "the server said yes, but the booking is not changed yet".to_owned();
                self.note(call, CallEnd::Unanswered { sent }, text, now);
            }
            Sight::Accepted
            | Sight::AcceptedAfterMove
            | Sight::AcceptedAfterCancel
            | Sight::Rejected
            | Sight::Cancelled
            | Sight::Gone
            | Sight::OtherStatus
            | Sight::Over => {
                let text = format!("the booking {}", sight.word());
                self.note(call, CallEnd::Answered, text, now);
            }
        }
    }

    fn note(&mut self, call: &Call, end: CallEnd, text: String, now: Time) {
        self.why = (end != CallEnd::Answered).then(|| text.clone());
        self.notes.push(CallNote {
            at: kept(now),
            booking: call.booking.uid.clone(),
            kind: call.kind,
            end,
            text: text.chars().take(MAX_NOTE).collect(),
        });
    }

    /// Whether something happened that only a reading can tell the end of.
    pub(super) fn wants_reading(&self) -> bool {
        let called = !self.notes.is_empty() || !self.sights.is_empty();
        match self.state {
            State::Waiting => {
                self.said_yes.is_some() || (called && !self.busy && self.next() == Next::Unclear)
            }
            State::Failed => {
                !self.busy && !self.sights.contains_key(&self.delivery.call.booking.uid)
            }
            State::Known | State::Unresolved => false,
        }
    }

    /// Takes in what its bookings are after a call; `None` when they could not be read.
    pub(super) fn read(&mut self, sights: Option<BTreeMap<BookingUid, Sight>>, now: Time) {
        let read = sights.is_some();
        if let Some(sights) = sights {
            self.sights = sights;
        }
        if let Some((call, sent)) = self.said_yes.take() {
            let sight = self.sights.get(&call.booking.uid).copied();
            self.answered(&call, sent, sight.unwrap_or(Sight::Unread), now);
        }
        if !read && self.state == State::Waiting {
            self.state = State::Unresolved;
        }
    }

    /// Decides what the sights mean for this delivery.
    pub(super) fn decide(&mut self) {
        match self.next() {
            Next::Settle { .. } => self.state = State::Known,
            // A server that answers one occurrence at a time: the next one is to be called.
            Next::Call(booking)
                if self.state == State::Waiting
                    && self.calls_left > 0
                    && booking.uid != self.delivery.call.booking.uid =>
            {
                if let Some(call) = plan::call(&self.delivery.request, &booking) {
                    self.delivery.call = call;
                    self.sights.clear();
                    self.reading = None;
                    self.turns = 0;
                }
            }
            // A status that is not known, or an occurrence that cannot be read.
            Next::Unclear if self.state == State::Waiting && !self.sights.is_empty() => {
                self.state = State::Unresolved;
                self.why = Some("what its bookings are now is not known".to_owned());
            }
            Next::Call(_) if self.state == State::Waiting && self.calls_left == 0 => {
                self.state = State::Unresolved;
            }
            Next::Call(_) | Next::Wait { .. } | Next::Unclear => {}
        }
    }
}
