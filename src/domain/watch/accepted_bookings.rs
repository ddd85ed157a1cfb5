//! Classifies an accepted booking of a gated event type by what the ledger knows about it. Pure. A
//! terminal state in the ledger proves nothing about the booking: every accepted booking without an
//! open or final charge is unpaid.

use crate::domain::booking::{Booking, BookingStatus};
use crate::domain::decision::{Decision, DecisionOutcome, ReasonCode};
use crate::domain::request::{CallEnd, CallNote, Charge, ChargeState, Request, RequestState};
use crate::domain::time::{CLOCK_TOLERANCE, Span, Time};
use crate::domain::unresolved::{UnresolvedBooking, UnresolvedCode, has_operator_resolution};

/// How long after its end an unpaid booking stays on the unresolved list, so that an operator who
/// reads the list once a week sees it.
pub const LISTED_AFTER_END: Span = Span::days(7);

/// One accepted booking and what is known about it.
#[derive(Debug, Clone, Copy)]
pub struct AcceptedCase<'a> {
    /// The accepted booking.
    pub booking: &'a Booking,
    /// The booking's own charge. `None` when there never was one.
    pub charge: Option<&'a Charge>,
    /// The last decision about the booking.
    pub record: Option<&'a Request>,
    /// The booking's items of the unresolved list.
    pub items: &'a [UnresolvedBooking],
    /// Whether another booking states that it replaced this one.
    pub is_replaced: bool,
    /// The charge of the nearest predecessor, when that charge is closed.
    pub predecessor: Option<&'a Charge>,
    /// Whether maitred's confirm of the series also accepted the booking.
    pub series_confirm: SeriesConfirm,
    /// The instant of the watch.
    pub now: Time,
}

/// Whether maitred's confirm of the booking's series also accepted the booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeriesConfirm {
    /// No confirm of the series included the booking.
    No,
    /// The confirm was sent, and its outcome is not known.
    OutcomeUnknown,
    /// The confirm accepted the booking together with the others.
    Yes,
}

/// The state of an accepted booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptedState {
    /// The booking is paid for, or an operator has settled it.
    Settled,
    /// An open intent is about the booking.
    UnderDecision,
    /// The booking shows that it was cancelled or moved. Its payment stays, or moved to another
    /// booking.
    Revived,
    /// A part of the booking's price is missing.
    PartlyPaid,
    /// No account pays for the booking.
    Unpaid(UnpaidCause),
}

/// How a booking came to be accepted without a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnpaidCause {
    /// By hand, or immediately: the booking was never decided.
    AcceptedByOthers,
    /// The booking was decided, and what was held or paid for it came back.
    AcceptedAgain,
    /// By maitred's confirm of the series that the booking had joined.
    JoinedSeries,
    /// The booking replaced a paid one whose charge was closed.
    PredecessorClosed,
    /// The booking replaced a paid one whose charge moved to another successor.
    SecondSuccessor,
    /// What the ledger has about the booking is not enough to act on.
    Unclear,
}

impl UnpaidCause {
    /// Returns the code under which such a booking is listed.
    pub fn code(self) -> UnresolvedCode {
        match self {
            Self::AcceptedByOthers | Self::AcceptedAgain | Self::JoinedSeries | Self::Unclear => {
                UnresolvedCode::Unmanaged
            }
            Self::PredecessorClosed => UnresolvedCode::AcceptedMove,
            Self::SecondSuccessor => UnresolvedCode::TwoSuccessors,
        }
    }

    /// Describes the cause, to follow "accepted".
    pub fn description(self) -> &'static str {
        match self {
            Self::AcceptedByOthers => "by others, and no account is charged",
            Self::AcceptedAgain => "by others after what was held or paid for it came back",
            Self::JoinedSeries => "with its series, which it had joined, and no account is charged",
            Self::PredecessorClosed => {
                "at once when a paid booking was moved, whose charge is closed"
            }
            Self::SecondSuccessor => {
                "together with another booking that replaced the same paid one"
            }
            Self::Unclear => "and no charge is open or final for it",
        }
    }
}

impl AcceptedCase<'_> {
    /// Returns true if the booking shows that it was cancelled or moved while credits are held for
    /// it.
    pub fn is_revived_while_held(&self) -> bool {
        let is_held = self
            .charge
            .is_some_and(|charge| charge.state == ChargeState::Held);
        let is_moved = self.is_replaced || self.booking.rescheduled_to.is_some();
        is_held && self.booking.end > self.now && (is_moved || self.booking.was_cancelled())
    }
}

/// Classifies an accepted booking.
pub fn classify_accepted(case: &AcceptedCase<'_>) -> AcceptedState {
    let booking = case.booking;
    let is_upcoming = booking.end > case.now;
    let is_moved = case.is_replaced || booking.rescheduled_to.is_some();
    let open_intent = case.record.filter(|record| is_open_intent(record));
    if let Some(request) = open_intent {
        // Others accepted a booking that maitred wanted to decline. The decision may stay open for
        // long, when another occurrence has an unknown status.
        let is_decline = request.decision == Decision::Decline && !request.cancels_accepted();
        return if is_decline && case.charge.is_none() {
            AcceptedState::Unpaid(UnpaidCause::Unclear)
        } else {
            AcceptedState::UnderDecision
        };
    }
    match case.charge.map(|charge| &charge.state) {
        Some(ChargeState::Held) => return AcceptedState::UnderDecision,
        Some(ChargeState::Open | ChargeState::Final) => {
            let is_revived = (is_moved || booking.was_cancelled()) && is_upcoming;
            return match case.record {
                _ if is_revived => AcceptedState::Revived,
                Some(record) if is_partly_charged(record) => AcceptedState::PartlyPaid,
                Some(_) | None => AcceptedState::Settled,
            };
        }
        // The booking's end was already evaluated, and its credits came back by the rules for that.
        Some(ChargeState::Refunded) if !is_upcoming && !booking.was_cancelled() => {
            return AcceptedState::Settled;
        }
        Some(ChargeState::Moved { .. } | ChargeState::Void | ChargeState::Refunded) | None => {}
    }
    if has_operator_resolution(case.items, UnresolvedCode::Unmanaged) {
        return AcceptedState::Settled;
    }
    if is_moved {
        return AcceptedState::Revived;
    }
    AcceptedState::Unpaid(unpaid_cause(case))
}

fn unpaid_cause(case: &AcceptedCase<'_>) -> UnpaidCause {
    let outcome = case.record.and_then(|record| match record.state {
        RequestState::Settled { outcome, .. } if is_decided(record) => Some(outcome),
        RequestState::Settled { .. } | RequestState::Noted | RequestState::Recorded => None,
    });
    let is_over = case.booking.end <= case.now;
    match (case.charge, outcome) {
        (Some(charge), _) => match charge.state {
            // The credits may have come back because of how the booking went.
            ChargeState::Refunded if is_over => UnpaidCause::Unclear,
            // A part is kept, or an older version wrote the refund and did not record that an
            // operator made it.
            ChargeState::Refunded if charge.credits() > 0 => UnpaidCause::Unclear,
            ChargeState::Refunded if !case.booking.was_cancelled() => UnpaidCause::Unclear,
            ChargeState::Moved { .. } => UnpaidCause::Unclear,
            ChargeState::Held
            | ChargeState::Open
            | ChargeState::Final
            | ChargeState::Refunded
            | ChargeState::Void => UnpaidCause::AcceptedAgain,
        },
        (None, Some(DecisionOutcome::Confirmed)) => UnpaidCause::Unclear,
        (
            None,
            Some(
                DecisionOutcome::Declined | DecisionOutcome::Superseded | DecisionOutcome::Refused,
            ),
        ) => UnpaidCause::AcceptedAgain,
        (None, None) => match case.predecessor.map(|charge| &charge.state) {
            Some(ChargeState::Moved { to }) if *to != case.booking.uid => {
                UnpaidCause::SecondSuccessor
            }
            Some(ChargeState::Final | ChargeState::Refunded) => UnpaidCause::PredecessorClosed,
            Some(
                ChargeState::Held
                | ChargeState::Open
                | ChargeState::Void
                | ChargeState::Moved { .. },
            )
            | None => match case.series_confirm {
                SeriesConfirm::Yes => UnpaidCause::JoinedSeries,
                SeriesConfirm::OutcomeUnknown => UnpaidCause::Unclear,
                SeriesConfirm::No => UnpaidCause::AcceptedByOthers,
            },
        },
    }
}

fn is_open_intent(record: &Request) -> bool {
    record.state == RequestState::Recorded
}

/// Returns true if the record is a decision. A record that closes a note decides nothing.
fn is_decided(record: &Request) -> bool {
    matches!(record.decision, Decision::Confirm | Decision::Decline)
}

/// Returns true if others accepted the booking and it could not be charged in full.
fn is_partly_charged(record: &Request) -> bool {
    let codes = [ReasonCode::Unmanaged, ReasonCode::AcceptedMove];
    let is_by_others = |code: &ReasonCode| codes.contains(code);
    record.decision == Decision::Confirm
        && record.call.is_none()
        && record.credits < record.cost
        && record
            .reasons
            .iter()
            .any(|reason| is_by_others(&reason.code))
}

/// Returns when an item with this code leaves the list by itself.
pub fn listed_until(code: UnresolvedCode, booking: &Booking) -> Time {
    match code {
        UnresolvedCode::Revived | UnresolvedCode::Refused | UnresolvedCode::Unanswered => {
            booking.end
        }
        UnresolvedCode::TwoSuccessors
        | UnresolvedCode::Unmanaged
        | UnresolvedCode::AcceptedMove
        | UnresolvedCode::HostAbsent
        | UnresolvedCode::UnknownStatus => booking.end + LISTED_AFTER_END,
    }
}

/// Returns why an open item of an accepted booking no longer holds, if it does not.
pub fn resolution_while_accepted(
    code: UnresolvedCode,
    state: AcceptedState,
) -> Option<&'static str> {
    match (code, state) {
        (UnresolvedCode::Unmanaged | UnresolvedCode::TwoSuccessors, AcceptedState::Settled) => {
            Some("a charge is there")
        }
        (UnresolvedCode::Revived, AcceptedState::Settled | AcceptedState::PartlyPaid) => {
            Some("the booking no longer shows a cancellation or a move")
        }
        (UnresolvedCode::UnknownStatus, _) => Some(STATUS_KNOWN),
        (UnresolvedCode::Refused | UnresolvedCode::Unanswered, _) => {
            Some("the booking was accepted at Cal.com")
        }
        (_, _) => None,
    }
}

/// The reason with which an item about an unknown status leaves the list.
pub const STATUS_KNOWN: &str = "the booking has a status that maitred knows";

/// Returns why an item of a booking that is not accepted no longer holds, if it does not. An
/// unknown status resolves no item.
pub fn resolution_by_status(code: UnresolvedCode, status: &BookingStatus) -> Option<&'static str> {
    match (status, code) {
        (BookingStatus::Accepted | BookingStatus::AwaitingHost | BookingStatus::Other(_), _) => {
            None
        }
        (BookingStatus::Pending, UnresolvedCode::UnknownStatus) => Some(STATUS_KNOWN),
        (BookingStatus::Pending, _) => None,
        (BookingStatus::Rejected | BookingStatus::Cancelled, _) => {
            Some("the booking is no longer accepted")
        }
    }
}

/// Returns whether the confirm of this request accepted the booking with the rest of its series:
/// the booking was created before the call ended, and it was updated after the decision.
pub fn series_confirm(booking: &Booking, request: &Request) -> SeriesConfirm {
    let is_same_series = booking.series.is_some() && request.series == booking.series;
    let is_in_request = request
        .bookings
        .iter()
        .any(|known| known.uid == booking.uid);
    if !is_same_series || is_in_request || request.decision != Decision::Confirm {
        return SeriesConfirm::No;
    }
    let may_have_run = |call: &CallNote| match call.end {
        CallEnd::Answered | CallEnd::Unanswered { .. } => true,
        CallEnd::Refused | CallEnd::Failed | CallEnd::NotSent => false,
    };
    let settled = match request.state {
        RequestState::Recorded => return SeriesConfirm::OutcomeUnknown,
        RequestState::Settled {
            outcome: DecisionOutcome::Confirmed,
            at,
        } => at,
        // The bookings that the confirm was sent for were moved meanwhile, and the call may have
        // continued with those that joined.
        RequestState::Settled { at, outcome } => {
            let mut calls = request.calls.iter();
            // A process that was killed during the call has not recorded the call. Calls that were
            // refused before it say nothing about it. A request that ended because of refusals was
            // pending until then, so no call accepted what had joined it.
            let may_have_been_sent = request.call.is_some() && outcome != DecisionOutcome::Refused;
            return if (may_have_been_sent || calls.any(may_have_run))
                && booking.created_at <= at + CLOCK_TOLERANCE
            {
                SeriesConfirm::OutcomeUnknown
            } else {
                SeriesConfirm::No
            };
        }
        RequestState::Noted => return SeriesConfirm::No,
    };
    // A call without an answer may have run until its bookings showed that it was over.
    let calls = request.calls.iter().filter(|call| may_have_run(call));
    let end_times = calls.map(|call| match call.end {
        CallEnd::Unanswered { .. } => settled,
        CallEnd::Answered | CallEnd::Refused | CallEnd::Failed | CallEnd::NotSent => call.at,
    });
    // A process that was killed during the call has not recorded the call. Calls that were refused
    // before it say nothing about it.
    let last_end = end_times.max().or(request.call.map(|_| settled));
    let existed_before = last_end.is_some_and(|at| booking.created_at <= at + CLOCK_TOLERANCE);
    let updated_after = booking
        .updated_at
        .is_none_or(|at| at + CLOCK_TOLERANCE >= request.decided_at);
    if existed_before && updated_after {
        SeriesConfirm::Yes
    } else {
        SeriesConfirm::No
    }
}
