//! What to do about an open charge, decided from the current state of its booking and the booking's
//! successors. Pure: the same case gives the same facts, and after they are applied there is
//! nothing left to do.

pub mod accepted_bookings;
mod cancellation;
mod reschedule;
pub mod unmanaged_bookings;

pub use cancellation::refund;

use super::account::Account;
use super::booking::{Booking, BookingStatus};
use super::decision::{Credits, DecisionOutcome};
use super::entry_reason::{EntryCode, EntryReason};
use super::fact::{ChargeFact, Fact};
use super::gate::Gate;
use super::id::HostKey;
use super::refund_policy::{
    ClaimedActor, HostAbsent, MoveAway, MovesOutcome, NoShow, RefundTerms, identify_mover,
    refund_share,
};
use super::request::{Charge, Request, RequestState};
use super::time::{Time, format_instant};
use super::unresolved::UnresolvedCode;

/// The largest number of successors that are followed from one booking. Each costs a call, and no
/// booking is really moved this often.
pub const MAX_CHAIN: usize = 32;

/// One open charge and everything that is known about it.
#[derive(Debug, Clone, Copy)]
pub struct ChargeCase<'a> {
    /// The charge.
    pub charge: &'a Charge,
    /// The charged booking and its successors, each of which replaced the one before it.
    pub chain: &'a [Booking],
    /// What follows the last booking of `chain`.
    pub chain_end: ChainEnd,
    /// The terms of the charge.
    pub terms: &'a RefundTerms,
    /// `calcom.hosts`: the addresses that count as the host's side.
    pub hosts: &'a [HostKey],
    /// The gate of the chain's last booking. `None` when no gate guards that booking any more.
    pub last_gate: Option<&'a Gate>,
    /// What the chain's last booking costs: as its decision recorded, or else at that gate. `None`
    /// when no gate guards that booking, and when the price could not be determined.
    pub last_cost: Option<Credits>,
    /// The account that paid.
    pub account: &'a Account,
    /// The number of the account's absences that were forgiven within the period that counts.
    pub forgiven_absences: u32,
    /// The charge of the chain's last booking, if that is not the charged booking.
    pub successor_charge: Option<&'a Charge>,
    /// The decision about the chain's last booking. `None` when there is none.
    pub last_request: Option<&'a Request>,
    /// Whether an open intent takes over the charge, whatever the chain shows.
    pub is_taken_over: bool,
    /// The instant of the watch.
    pub now: Time,
    /// The hash of the policy.
    pub policy_hash: &'a str,
}

/// What follows the last booking of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainEnd {
    /// Nothing: the chain is complete.
    Whole,
    /// The next booking (or the charged one itself) no longer exists.
    Gone,
    /// The next booking could not be read, or there are more than `MAX_CHAIN`.
    Unread,
}

/// What to do about the charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeDecision {
    /// Nothing to do now.
    Open {
        /// Why the charge stays open, for operators.
        reason: String,
        /// A problem for the operator.
        problem: Option<ChargeProblem>,
        /// What an operator has to decide. The booking is put on the unresolved list, and reported
        /// once.
        unresolved_code: Option<UnresolvedCode>,
    },
    /// Write facts that close or change the charge.
    Write {
        /// What is written.
        facts: Vec<Fact>,
        /// What the facts do to the charge.
        outcome: ChargeOutcome,
        /// The explanation for operators.
        text: String,
        /// A problem for the operator. `None`: there is none.
        problem: Option<ChargeProblem>,
    },
}

/// The outcome for a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// The charge moved to the successor.
    Moved,
    /// All credits came back.
    Refunded,
    /// A part came back, and the rest stays spent.
    PartlyRefunded,
    /// The credits stay spent, and nothing can change any more.
    Final,
    /// A booking that others accepted was charged.
    Charged,
    /// A booking that others accepted was cancelled.
    Cancelled,
    /// A request that ended undecided was closed.
    Closed,
}

impl ChargeOutcome {
    /// Returns the word for this outcome in logs and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Refunded => "refunded",
            Self::PartlyRefunded => "partly-refunded",
            Self::Final => "kept",
            Self::Charged => "charged",
            Self::Cancelled => "cancelled",
            Self::Closed => "closed",
        }
    }
}

/// A code for machines and a text.
pub type ChargeProblem = super::plan::Problem;

/// Decides what to do about one charge.
pub fn watch_charge(case: &ChargeCase<'_>) -> ChargeDecision {
    if case.is_taken_over {
        return leave_open(
            "what replaced its booking is being decided, and takes it over".to_owned(),
        );
    }
    let Some(last) = case.chain.last() else {
        return decide_incomplete_chain(case);
    };
    let open_intent = case
        .last_request
        .filter(|request| request.state == RequestState::Recorded);
    if let Some(decision) = cancellation::decide_late_move(case) {
        return decision;
    }
    match case.chain_end {
        ChainEnd::Whole => {}
        ChainEnd::Gone | ChainEnd::Unread => return decide_incomplete_chain(case),
    }
    if let Some(request) = open_intent {
        if case.chain.len() > 1 {
            return leave_open(format!("moved to {}, which is being decided", last.uid));
        }
        // A cancellation that is found may be maitred's own. That is known only after maitred's
        // call has ended.
        if request.cancels_accepted() {
            return leave_open("it is being cancelled by maitred".to_owned());
        }
    }
    match &last.status {
        // With `refuse-with = "cancel"`, and in v1, declining a booking leaves it cancelled.
        BookingStatus::Cancelled if !was_declined_by_us(case) => {
            cancellation::decide_cancelled(case, last)
        }
        BookingStatus::Cancelled | BookingStatus::Rejected => {
            cancellation::refund_failed_successor(case, EntryCode::Declined(last.uid.clone()))
        }
        BookingStatus::Accepted if case.chain.len() > 1 => reschedule::decide_moved(case, last),
        BookingStatus::Accepted => decide_accepted(case, last),
        BookingStatus::Pending if last.end <= case.now => {
            cancellation::refund_failed_successor(case, EntryCode::EndedUndecided(last.uid.clone()))
        }
        BookingStatus::Pending if case.chain.len() > 1 => {
            leave_open(format!("moved to {}, which waits for an answer", last.uid))
        }
        BookingStatus::Pending if last.end > case.now => {
            leave_open("its state is not final yet".to_owned())
        }
        BookingStatus::AwaitingHost | BookingStatus::Other(_) if last.end > case.now => {
            report_unknown_status(last)
        }
        BookingStatus::Pending | BookingStatus::AwaitingHost | BookingStatus::Other(_) => {
            decide_accepted(case, last)
        }
    }
}

/// Returns the moves along the chain, oldest first.
fn collect_moves(case: &ChargeCase<'_>) -> Vec<MoveAway> {
    let pairs = case.chain.iter().zip(case.chain.iter().skip(1));
    let moves = pairs.enumerate().map(|(number, (from, to))| MoveAway {
        // A pass knows the charge and not the booking that was charged, so the start comes from the
        // charge.
        start: if number == 0 {
            case.charge.start
        } else {
            from.start
        },
        moved_at: to.created_at,
        by: identify_mover(to, case.hosts),
    });
    moves.collect()
}

/// Returns the credits of the charge that its late moves keep.
fn non_refundable_credits(case: &ChargeCase<'_>) -> Credits {
    let paid = case.charge.credits();
    let by_moves = match case.terms.apply_moves(paid, &collect_moves(case)) {
        MovesOutcome::Carried {
            non_refundable: keeps,
        } => keeps,
        MovesOutcome::Cancelled { percent, .. } => paid - refund_share(paid, percent),
    };
    by_moves.max(case.charge.non_refundable)
}

/// Returns true if maitred itself refused the chain's last booking.
fn was_declined_by_us(case: &ChargeCase<'_>) -> bool {
    case.last_request
        .is_some_and(|request| match request.state {
            RequestState::Settled { outcome, .. } => outcome == DecisionOutcome::Declined,
            RequestState::Noted | RequestState::Recorded => false,
        })
}

/// Returns when the charge of a booking that ends at `end` becomes final.
pub fn final_at(end: Time, terms: &RefundTerms) -> Time {
    end + terms.grace
}

fn leave_open(reason: String) -> ChargeDecision {
    ChargeDecision::Open {
        reason,
        problem: None,
        unresolved_code: None,
    }
}

/// Keeps the charge open and reports the status, because an unknown status may change to any other.
fn report_unknown_status(last: &Booking) -> ChargeDecision {
    ChargeDecision::Open {
        reason: "has a status that maitred does not know; its charge stays open".to_owned(),
        problem: Some(ChargeProblem {
            code: UnresolvedCode::UnknownStatus.as_str(),
            text: format!(
                "booking {} has a status that maitred does not know; its charge stays open until the \
                 status is known or the booking is over: see `maitred unresolved`",
                last.uid
            ),
        }),
        unresolved_code: Some(UnresolvedCode::UnknownStatus),
    }
}

fn make_final(case: &ChargeCase<'_>, code: EntryCode) -> ChargeDecision {
    let reason = EntryReason::from(code);
    ChargeDecision::Write {
        text: reason.redacted_text(),
        facts: vec![Fact::Charge(ChargeFact::Closed {
            booking: case.charge.booking.uid.clone(),
            reason,
        })],
        outcome: ChargeOutcome::Final,
        problem: None,
    }
}

/// Decides about a charge whose booking cannot be found, or whose chain cannot be followed to the
/// end.
fn decide_incomplete_chain(case: &ChargeCase<'_>) -> ChargeDecision {
    let uid = &case.charge.booking.uid;
    match case.chain_end {
        ChainEnd::Whole | ChainEnd::Unread => {
            leave_open("it could not be read to the end".to_owned())
        }
        ChainEnd::Gone if case.now < final_at(case.charge.end, case.terms) => {
            ChargeDecision::Open {
                reason: "it no longer exists".to_owned(),
                problem: Some(ChargeProblem {
                    code: "booking-gone",
                    text: format!(
                        "booking {uid} or the one it was moved to no longer exists at Cal.com; \
                         its charge stays until the booking would be over: see `maitred explain \
                         {uid}`"
                    ),
                }),
                unresolved_code: None,
            }
        }
        ChainEnd::Gone => make_final(case, EntryCode::BookingGone),
    }
}

/// Decides about a charge whose booking is accepted. Absences are read only after the grace period,
/// so that a mark that was removed within that period never counts.
fn decide_accepted(case: &ChargeCase<'_>, booking: &Booking) -> ChargeDecision {
    let terms = case.terms;
    let end = final_at(booking.end, terms);
    if case.now < booking.end {
        return leave_open("the booking is to come".to_owned());
    }
    if case.now < end {
        return leave_open(format!("over; final at {}", format_instant(end)));
    }
    if booking.absent_host {
        match terms.host_absent {
            HostAbsent::Refund => return refund(case, 100, EntryCode::HostAbsent),
            HostAbsent::Review if case.charge.credits() > 0 => return review_absent_host(case),
            HostAbsent::Review | HostAbsent::Ignore => {}
        }
    }
    if !is_booker_absent(booking) {
        return make_final(case, EntryCode::BookingOver);
    }
    let is_forgiven = terms
        .forgiveness
        .is_some_and(|forgive| case.forgiven_absences < forgive.times);
    match terms.no_show {
        // Nothing was paid, so forgiving this absence would waste a forgiveness that a later
        // absence may need.
        NoShow::Keep | NoShow::Review if case.charge.credits() == 0 => {
            make_final(case, EntryCode::AbsenceUnpaid)
        }
        NoShow::Keep | NoShow::Review if is_forgiven => cancellation::forgive_absence(case),
        NoShow::Keep => make_final(case, EntryCode::BookerAbsent),
        NoShow::Refund => refund(case, 100, EntryCode::BookerAbsent),
        NoShow::Review => {
            let uid = &case.charge.booking.uid;
            ChargeDecision::Open {
                reason: "the booker did not come; waits for an operator".to_owned(),
                problem: Some(ChargeProblem {
                    code: "no-show",
                    text: format!(
                        "the booker of {uid} did not come: `maitred charges settle {uid} keep` or \
                         `refund`"
                    ),
                }),
                unresolved_code: None,
            }
        }
    }
}

/// Leaves the charge to an operator, because anybody may have set the mark.
fn review_absent_host(case: &ChargeCase<'_>) -> ChargeDecision {
    let uid = &case.charge.booking.uid;
    ChargeDecision::Open {
        reason: "the host is marked absent; waits for an operator".to_owned(),
        problem: Some(ChargeProblem {
            code: "host-absent",
            text: format!(
                "the host of {uid} is marked absent, which every key of the server can do: \
                 `maitred charges settle {uid} refund` or `keep`"
            ),
        }),
        unresolved_code: Some(UnresolvedCode::HostAbsent),
    }
}

/// Returns true if the booker was marked absent. Guests and co-hosts do not count.
fn is_booker_absent(booking: &Booking) -> bool {
    let Some(booker) = &booking.booker else {
        return false;
    };
    booking
        .attendees
        .iter()
        .any(|one| one.absent && one.address.as_ref() == Some(&booker.address))
}

/// Returns when the booking was cancelled, as far as is known: `updatedAt` is an upper bound, and
/// so is the instant at which the booking was read.
fn cancelled_at(booking: &Booking, now: Time) -> Time {
    booking.updated_at.map_or(now, |updated| updated.min(now))
}

fn identify_canceller(case: &ChargeCase<'_>, booking: &Booking) -> ClaimedActor {
    ClaimedActor::identify(booking, booking.cancelled_by.as_ref(), case.hosts)
}
