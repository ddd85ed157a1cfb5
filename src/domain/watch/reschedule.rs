//! Decides about a moved booking whose successor is accepted: the successor takes over the charge,
//! and is not charged a second time.

use super::cancellation::refund_double_payment;
use super::unmanaged_bookings::{settled_charge_facts, take_credits};
use super::{
    ChargeCase, ChargeDecision, ChargeOutcome, ChargeProblem, decide_accepted, leave_open,
    non_refundable_credits,
};
use crate::domain::account::{LotPart, SpendPreview};
use crate::domain::booking::Booking;
use crate::domain::decision::ReasonCode;
use crate::domain::entry_reason::EntryCode;
use crate::domain::fact::{ChargeFact, Fact};
use crate::domain::intent::refund_last_paid_first;
use crate::domain::lot::Purpose;
use crate::domain::messages;
use crate::domain::request::{Charge, ChargeState, RequestState};

pub(super) fn decide_moved(case: &ChargeCase<'_>, last: &Booking) -> ChargeDecision {
    if let Some(decision) = decide_by_successor_charge(case, last) {
        return decision;
    }
    let charge = case.charge;
    let paid = charge.credits() + case.successor_charge.map_or(0, Charge::credits);
    let cost = case.last_cost.unwrap_or(paid);
    let keeps = non_refundable_credits(case);
    let (mut facts, problem) = pay_difference(case, last, cost.saturating_sub(paid));
    let problem = problem.or_else(|| unknown_price_problem(case, last));
    facts.push(Fact::Charge(ChargeFact::Move {
        from: charge.booking.uid.clone(),
        to: last.to_ref(),
        start: last.start,
        end: last.end,
        non_refundable: keeps,
    }));
    let cost = cost.max(keeps);
    if paid > cost {
        facts.push(Fact::Charge(ChargeFact::Refund {
            booking: last.uid.clone(),
            parts: refund_last_paid_first(&joined_parts(case), paid - cost),
            close: false,
            reason: EntryCode::CostsLess.into(),
        }));
    }
    ChargeDecision::Write {
        facts,
        outcome: ChargeOutcome::Moved,
        text: format!("the charge continues with {}", last.uid),
        problem,
    }
}

/// Returns the problem of a booking that was moved to one whose price is not known. The charge
/// continues as it is.
fn unknown_price_problem(case: &ChargeCase<'_>, last: &Booking) -> Option<ChargeProblem> {
    let is_unknown = case.last_gate.is_some() && case.last_cost.is_none();
    is_unknown.then(|| ChargeProblem {
        code: "move-price-unknown",
        text: format!(
            "booking {} was moved to {}, and what that costs could not be determined: its charge \
             continues unchanged",
            case.charge.booking.uid, last.uid
        ),
    })
}

/// Returns the decision for a successor whose own charge keeps it from taking over this charge;
/// `None` if the successor takes over the charge.
fn decide_by_successor_charge(case: &ChargeCase<'_>, last: &Booking) -> Option<ChargeDecision> {
    let charge = case.charge;
    let is_separate = |successor_charge: &&Charge| {
        successor_charge.state != ChargeState::Open || successor_charge.account != charge.account
    };
    match case.successor_charge {
        Some(successor_charge) if successor_charge.state == ChargeState::Held => {
            let text = format!("moved to {}, which is being decided", last.uid);
            Some(leave_open(text))
        }
        // The successor has a charge of its own that is closed or belongs to another account, so
        // the predecessor's charge is refunded to avoid charging twice.
        Some(successor_charge)
            if is_separate(&successor_charge) && has_payment(successor_charge) =>
        {
            let covered = if successor_charge.account == charge.account {
                successor_charge.credits()
            } else {
                0
            };
            Some(refund_double_payment(case, covered, &last.uid))
        }
        // The successor's own credits came back, so the charge pays for the successor under the
        // predecessor's name.
        Some(successor_charge) if is_separate(&successor_charge) => {
            Some(decide_accepted(case, last))
        }
        Some(_) | None => None,
    }
}

/// Returns the facts that charge the credits that the successor costs more, and the problem if the
/// account cannot pay all of them.
fn pay_difference(
    case: &ChargeCase<'_>,
    last: &Booking,
    missing: u64,
) -> (Vec<Fact>, Option<ChargeProblem>) {
    if missing == 0 {
        return (Vec::new(), None);
    }
    let available = SpendPreview::new(case.account).available(&purpose(case));
    match charge_difference(case, last, missing.min(available)) {
        Some(difference) if available >= missing => (difference, None),
        difference => {
            let problem = ChargeProblem {
                code: "move-not-covered",
                text: format!(
                    "booking {} was moved to {}, which costs {} more; the account could not pay \
                     all of that",
                    case.charge.booking.uid,
                    last.uid,
                    messages::format_credits(missing)
                ),
            };
            (difference.unwrap_or_default(), Some(problem))
        }
    }
}

/// Returns the purpose of credits that pay for the difference. The move is paid for when it is seen,
/// whatever expires before the booking starts.
fn purpose<'a>(case: &ChargeCase<'a>) -> Purpose<'a> {
    Purpose {
        gate: case.last_gate.map(|gate| gate.name.as_str()),
        ..Purpose::without_booking(case.now)
    }
}

/// Returns the parts of both charges in the order in which the ledger joins them: what the
/// successor paid comes first.
fn joined_parts(case: &ChargeCase<'_>) -> Vec<LotPart> {
    let mut parts = case
        .successor_charge
        .map(|successor_charge| successor_charge.parts.clone())
        .unwrap_or_default();
    for part in &case.charge.parts {
        match parts.iter_mut().find(|there| there.grant == part.grant) {
            Some(there) => there.credits += part.credits,
            None => parts.push(part.clone()),
        }
    }
    parts
}

/// Returns true if credits are spent for the booking.
fn has_payment(charge: &Charge) -> bool {
    match charge.state {
        ChargeState::Open | ChargeState::Final => charge.credits() > 0,
        ChargeState::Held
        | ChargeState::Void
        | ChargeState::Refunded
        | ChargeState::Moved { .. } => false,
    }
}

/// Charges the difference to the successor, which has no charge yet; the move joins the two
/// charges.
fn charge_difference(case: &ChargeCase<'_>, last: &Booking, credits: u64) -> Option<Vec<Fact>> {
    let is_undecided = case
        .last_request
        .is_none_or(|request| request.state == RequestState::Noted);
    if !is_undecided || case.successor_charge.is_some() || credits == 0 {
        return None;
    }
    let (parts, mut facts) = take_credits(case.account, credits, &purpose(case))?;
    facts.extend(settled_charge_facts(
        last,
        case.last_gate?,
        case.last_cost?,
        (case.account, parts),
        (
            ReasonCode::ChargeCarried,
            "rescheduled to a booking that costs more",
        ),
        case.last_request,
        (case.now, case.policy_hash),
    ));
    Some(facts)
}
