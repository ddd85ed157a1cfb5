//! What is refunded when a booking is cancelled.

use super::{
    ChargeCase, ChargeDecision, ChargeOutcome, cancelled_at, collect_moves, identify_canceller,
    non_refundable_credits,
};
use crate::domain::booking::Booking;
use crate::domain::decision::Credits;
use crate::domain::entry_reason::{EntryCode, EntryReason, RecordedActor, RefundedShare};
use crate::domain::fact::{ChargeFact, Fact};
use crate::domain::id::BookingUid;
use crate::domain::intent::refund_last_paid_first;
use crate::domain::refund_policy::{Blame, MovesOutcome, refund_share};

/// Decides about a cancelled booking without a successor: the name of the actor and the notice
/// decide. What an earlier late move has cost does not come back, unless the cancellation counts as
/// the host's.
pub(super) fn decide_cancelled(case: &ChargeCase<'_>, last: &Booking) -> ChargeDecision {
    let actor = identify_canceller(case, last);
    let notice = last.start - cancelled_at(last, case.now);
    let percent = case.terms.refund_percent(&actor, notice);
    let code = EntryCode::Cancelled {
        by: RecordedActor::from_claimed(&actor, case.terms),
        notice,
    };
    match case.terms.blame(&actor) {
        Blame::Host => refund_part(case, percent, 0, code),
        Blame::Booker => refund_part(case, percent, non_refundable_credits(case), code),
    }
}

/// Refunds a charge whose successor was refused or not answered in time: everything comes back,
/// except what a cancellation at the moment of a late move would have cost.
pub(super) fn refund_failed_successor(case: &ChargeCase<'_>, code: EntryCode) -> ChargeDecision {
    refund_part(case, 100, non_refundable_credits(case), code)
}

/// Refunds a charge whose successor was paid for separately, with `covered` credits of the same
/// account.
pub(super) fn refund_double_payment(
    case: &ChargeCase<'_>,
    covered: Credits,
    successor: &BookingUid,
) -> ChargeDecision {
    let keeps = non_refundable_credits(case).saturating_sub(covered);
    refund_part(
        case,
        100,
        keeps,
        EntryCode::SuccessorPaid(successor.clone()),
    )
}

/// Decides about a move with too little notice, if that counts as a cancellation: the first such
/// move in the chain.
pub(super) fn decide_late_move(case: &ChargeCase<'_>) -> Option<ChargeDecision> {
    let moves = collect_moves(case);
    let paid = case.charge.credits();
    let MovesOutcome::Cancelled {
        move_index: number,
        percent,
    } = case.terms.apply_moves(paid, &moves)
    else {
        return None;
    };
    let late_move = &moves[number];
    let code = EntryCode::MovedLate {
        to: case.chain[number + 1].uid.clone(),
        by: RecordedActor::from_claimed(&late_move.by, case.terms),
        notice: late_move.notice(),
    };
    Some(refund_part(case, percent, case.charge.non_refundable, code))
}

/// Refunds a percentage and closes the charge, whatever happened before.
pub fn refund(case: &ChargeCase<'_>, percent: u8, code: EntryCode) -> ChargeDecision {
    refund_part(case, percent, 0, code)
}

/// Refunds everything for an absence that costs nothing.
pub(super) fn forgive_absence(case: &ChargeCase<'_>) -> ChargeDecision {
    refund_part(case, 100, 0, EntryCode::AbsenceForgiven)
}

/// Refunds a percentage, except the credits that the charge `keeps`.
fn refund_part(
    case: &ChargeCase<'_>,
    percent: u8,
    keeps: Credits,
    code: EntryCode,
) -> ChargeDecision {
    let booking = case.charge.booking.uid.clone();
    let paid = case.charge.credits();
    let share_of_paid = refund_share(paid, percent);
    let credits = share_of_paid.min(paid.saturating_sub(keeps));
    let keeps_all = credits == 0 && (percent < 100 || paid > 0);
    let reason = EntryReason {
        code,
        moved_late: credits < share_of_paid,
        refunded_share: (keeps_all || credits < paid).then_some(RefundedShare {
            credits,
            total: paid,
        }),
    };
    let text = reason.redacted_text();
    if keeps_all {
        return ChargeDecision::Write {
            facts: vec![Fact::Charge(ChargeFact::Closed { booking, reason })],
            outcome: ChargeOutcome::Final,
            text,
            problem: None,
        };
    }
    ChargeDecision::Write {
        facts: vec![Fact::Charge(ChargeFact::Refund {
            booking,
            parts: refund_last_paid_first(&case.charge.parts, credits),
            close: true,
            reason,
        })],
        outcome: if credits < paid {
            ChargeOutcome::PartlyRefunded
        } else {
            ChargeOutcome::Refunded
        },
        text,
        problem: None,
    }
}
