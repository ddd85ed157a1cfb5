//! What an accepted booking of a gated event type is, compared with what the ledger knows of it. Pure.
//! A terminal state in the ledger says nothing about the booking: whatever is accepted without an
//! open or final charge has nobody who pays for it.

use crate::domain::booking::{Booking, Status};
use crate::domain::decision::{Code, Decision, Outcome};
use crate::domain::request::{CallEnd, CallNote, Charge, ChargeState, Request, RequestState};
use crate::domain::time::{CLOCK_TOLERANCE, Span, Time};
use crate::domain::unresolved::{Unresolved, UnresolvedCode, is_settled};

/// How long after its end an unpaid booking stays on the unresolved list: an operator who looks once
/// a week sees it.
pub const LISTED_AFTER_END: Span = Span::days(7);

/// One accepted booking and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct AcceptedCase<'a> {
    pub booking: &'a Booking,
    pub charge: Option<&'a Charge>,
    /// What was decided of it last.
    pub record: Option<&'a Request>,
    /// Its items of the unresolved list.
    pub items: &'a [Unresolved],
    /// Whether another booking says that it replaced this one.
    pub replaced: bool,
    /// The charge of the nearest booking that it replaced, when that charge is closed.
    pub predecessor: Option<&'a Charge>,
    pub our_confirm: OurConfirm,
    pub now: Time,
}

/// Whether our confirm of its series accepted the booking, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OurConfirm {
    No,
    /// The confirm was sent, and its end is not known.
    Open,
    Done,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is paid for, or an operator has settled it.
    Settled,
    /// An open intent is about it.
    InHand,
    /// It shows that it was cancelled or moved. What was paid for it stays, or moved on.
    Revived,
    /// A part of its price is missing.
    PaidInPart,
    /// Nobody pays for it.
    Unpaid(Cause),
}

/// How it came to be accepted without a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// By hand, or at once: it was never decided.
    Others,
    /// It was decided, and what was held or paid came back.
    Again,
    /// By our confirm of the series that it had joined.
    OurConfirm,
    /// It replaced a paid booking whose charge was closed.
    Moved,
    /// It replaced a paid booking whose charge went on with another successor.
    SecondSuccessor,
    /// What the ledger has of it does not allow to act.
    Unclear,
}

impl Cause {
    pub fn code(self) -> UnresolvedCode {
        match self {
            Self::Others | Self::Again | Self::OurConfirm | Self::Unclear => {
                UnresolvedCode::Unmanaged
            }
            Self::Moved => UnresolvedCode::AcceptedMove,
            Self::SecondSuccessor => UnresolvedCode::TwoSuccessors,
        }
    }

    /// Reads after "accepted".
    pub fn word(self) -> &'static str {
        match self {
            Self::Others => "by others, and no account is charged",
            Self::Again => "by others after what was held or paid for it came back",
            Self::OurConfirm => "with its series, which it had joined, and no account is charged",
            Self::Moved => "at once when a paid booking was moved, whose charge is closed",
            Self::SecondSuccessor => {
                "together with another booking that replaced the same paid one"
            }
            Self::Unclear => "and no charge is open or final for it",
        }
    }
}

impl AcceptedCase<'_> {
    /// Whether it shows that it was cancelled or moved while credits are held for it.
    pub fn shows_signs_while_held(&self) -> bool {
        let held = self
            .charge
            .is_some_and(|charge| charge.state == ChargeState::Held);
        let moved = self.replaced || self.booking.rescheduled_to.is_some();
        held && self.booking.end > self.now && (moved || self.booking.was_cancelled())
    }
}

/// Looks at an accepted booking.
pub fn accepted(case: &AcceptedCase<'_>) -> Accepted {
    let booking = case.booking;
    let to_come = booking.end > case.now;
    let moved = case.replaced || booking.rescheduled_to.is_some();
    let begun = case.record.filter(|record| is_open(record));
    if let Some(request) = begun {
        // What we wanted to decline was accepted by others meanwhile. The decision may stay open for
        // long, when another occurrence has a status that is not known.
        let declines = request.decision == Decision::Decline && !request.cancels_accepted();
        return if declines && case.charge.is_none() {
            Accepted::Unpaid(Cause::Unclear)
        } else {
            Accepted::InHand
        };
    }
    match case.charge.map(|charge| &charge.state) {
        Some(ChargeState::Held) => return Accepted::InHand,
        Some(ChargeState::Open | ChargeState::Final) => {
            let revived = (moved || booking.was_cancelled()) && to_come;
            return match case.record {
                _ if revived => Accepted::Revived,
                Some(record) if is_short(record) => Accepted::PaidInPart,
                Some(_) | None => Accepted::Settled,
            };
        }
        // Its end was looked at, and what it cost came back by the rules for that.
        Some(ChargeState::Refunded) if !to_come && !booking.was_cancelled() => {
            return Accepted::Settled;
        }
        Some(ChargeState::Moved { .. } | ChargeState::Void | ChargeState::Refunded) | None => {}
    }
    if is_settled(case.items, UnresolvedCode::Unmanaged) {
        return Accepted::Settled;
    }
    if moved {
        return Accepted::Revived;
    }
    Accepted::Unpaid(cause(case))
}

fn cause(case: &AcceptedCase<'_>) -> Cause {
    let outcome = case.record.and_then(|record| match record.state {
        RequestState::Settled { outcome, .. } if decides(record) => Some(outcome),
        RequestState::Settled { .. } | RequestState::Noted | RequestState::Recorded => None,
    });
    let is_over = case.booking.end <= case.now;
    match (case.charge, outcome) {
        (Some(charge), _) => match charge.state {
            // It may have come back because of how the booking went.
            ChargeState::Refunded if is_over => Cause::Unclear,
            // A part is kept, or an older version wrote it, which did not say when an operator did.
            ChargeState::Refunded if charge.credits() > 0 => Cause::Unclear,
            ChargeState::Refunded if !case.booking.was_cancelled() => Cause::Unclear,
            ChargeState::Moved { .. } => Cause::Unclear,
            ChargeState::Held
            | ChargeState::Open
            | ChargeState::Final
            | ChargeState::Refunded
            | ChargeState::Void => Cause::Again,
        },
        (None, Some(Outcome::Confirmed)) => Cause::Unclear,
        (None, Some(Outcome::Declined | Outcome::Superseded | Outcome::Refused)) => Cause::Again,
        (None, None) => match case.predecessor.map(|charge| &charge.state) {
            Some(ChargeState::Moved { to }) if *to != case.booking.uid => Cause::SecondSuccessor,
            Some(ChargeState::Final | ChargeState::Refunded) => Cause::Moved,
            Some(
                ChargeState::Held
                | ChargeState::Open
                | ChargeState::Void
                | ChargeState::Moved { .. },
            )
            | None => match case.our_confirm {
                OurConfirm::Done => Cause::OurConfirm,
                OurConfirm::Open => Cause::Unclear,
                OurConfirm::No => Cause::Others,
            },
        },
    }
}

fn is_open(record: &Request) -> bool {
    record.state == RequestState::Recorded
}

/// Whether it was decided; what closes a note decides nothing.
fn decides(record: &Request) -> bool {
    matches!(record.decision, Decision::Confirm | Decision::Decline)
}

/// Whether it was accepted by others and could not be charged in full.
fn is_short(record: &Request) -> bool {
    let codes = [Code::Unmanaged, Code::AcceptedMove];
    let of_others = |code: &Code| codes.contains(code);
    record.decision == Decision::Confirm
        && record.call.is_none()
        && record.credits < record.cost
        && record.reasons.iter().any(|reason| of_others(&reason.code))
}

/// When an item of that code leaves the list by itself.
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

/// Why an open item of an accepted booking no longer holds.
pub fn no_longer_holds(code: UnresolvedCode, is: Accepted) -> Option<&'static str> {
    match (code, is) {
        (UnresolvedCode::Unmanaged | UnresolvedCode::TwoSuccessors, Accepted::Settled) => {
            Some("a charge is there")
        }
        (UnresolvedCode::Revived, Accepted::Settled | Accepted::PaidInPart) => {
            Some("the booking shows no cancellation and no move any more")
        }
        (UnresolvedCode::UnknownStatus, _) => Some(KNOWN_AGAIN),
        (UnresolvedCode::Refused | UnresolvedCode::Unanswered, _) => {
            Some("the booking was accepted at Cal.com")
        }
        (_, _) => None,
    }
}

/// Why an item about an unknown status leaves the list.
pub const KNOWN_AGAIN: &str = "the booking has a status that maitred knows";

/// Why an item of a booking that is not accepted no longer holds. A status that is not known says
/// nothing about any of them.
pub fn has_ended(code: UnresolvedCode, status: &Status) -> Option<&'static str> {
    match (status, code) {
        (Status::Accepted | Status::AwaitingHost | Status::Other(_), _) => None,
        (Status::Pending, UnresolvedCode::UnknownStatus) => Some(KNOWN_AGAIN),
        (Status::Pending, _) => None,
        (Status::Rejected | Status::Cancelled, _) => Some("the booking is not accepted any more"),
    }
}

/// Whether the confirm of this request accepted the booking with the rest of its series: it was made
/// before the call ended, and written by it.
pub fn confirmed_with(booking: &Booking, request: &Request) -> OurConfirm {
    let of_series = booking.series.is_some() && request.series == booking.series;
    let knows = request
        .bookings
        .iter()
        .any(|known| known.uid == booking.uid);
    if !of_series || knows || request.decision != Decision::Confirm {
        return OurConfirm::No;
    }
    let settled = match request.state {
        RequestState::Recorded => return OurConfirm::Open,
        RequestState::Settled {
            outcome: Outcome::Confirmed,
            at,
        } => at,
        // The bookings it was sent for were moved meanwhile, and it ran on for those that joined.
        RequestState::Settled { at, .. } => {
            let mut calls = request.calls.iter();
            let reached = |call: &CallNote| match call.end {
                CallEnd::Answered | CallEnd::Unanswered { .. } => true,
                CallEnd::Refused | CallEnd::Failed | CallEnd::NotSent => false,
            };
            // A process that was killed during the call has not recorded it.
            let sent = request.calls.is_empty() && request.call.is_some();
            return if (sent || calls.any(reached)) && booking.created <= at + CLOCK_TOLERANCE {
                OurConfirm::Open
            } else {
                OurConfirm::No
            };
        }
        RequestState::Noted => return OurConfirm::No,
    };
    // A call without an answer may have run on until its bookings showed that it was over.
    let ended = request.calls.iter().map(|call| match call.end {
        CallEnd::Unanswered { .. } => settled,
        CallEnd::Answered | CallEnd::Refused | CallEnd::Failed | CallEnd::NotSent => call.at,
    });
    // A process that was killed during the call has not recorded it.
    let ended = ended.max().or(request.call.map(|_| settled));
    let was_there = ended.is_some_and(|at| booking.created <= at + CLOCK_TOLERANCE);
    let written = booking
        .updated
        .is_none_or(|at| at + CLOCK_TOLERANCE >= request.decided);
    if was_there && written {
        OurConfirm::Done
    } else {
        OurConfirm::No
    }
}
