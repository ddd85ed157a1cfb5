//! Decides about a moved booking whose successor is accepted: the successor takes over the charge,
//! and is not charged a second time.

use super::cancellation::refund_double_payment;
use super::unmanaged_bookings::{settled_charge_facts, take_credits};
use super::{
    ChargeCase, ChargeDecision, ChargeOutcome, ChargeProblem, decide_accepted, leave_open,
    non_refundable_credits,
};
use crate::domain::booking::Booking;
use crate::domain::decision::ReasonCode;
use crate::domain::entry_reason::EntryCode;
use crate::domain::fact::{ChargeFact, Fact};
use crate::domain::intent::refund_last_paid_first;
use crate::domain::messages;
use crate::domain::request::{Charge, ChargeState, RequestState};

pub(super) fn decide_moved(case: &ChargeCase<'_>, last: &Booking) -> ChargeDecision {
    let charge = case.charge;
    let is_separate = |successor_charge: &&Charge| {
        successor_charge.state != ChargeState::Open || successor_charge.account != charge.account
    };
    match case.successor_charge {
        Some(successor_charge) if successor_charge.state == ChargeState::Held => {
            return leave_open(format!("moved to {}, which is being decided", last.uid));
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
            return refund_double_payment(case, covered, &last.uid);
        }
        // The successor's own credits came back, so the charge pays for the successor under the
        // predecessor's name.
        Some(successor_charge) if is_separate(&successor_charge) => {
            return decide_accepted(case, last);
        }
        Some(_) | None => {}
    }
    let mut facts = Vec::new();
    let mut problem = None;
    let paid = charge.credits() + case.successor_charge.map_or(0, Charge::credits);
    let cost = case.last_cost.unwrap_or(paid);
    let keeps = non_refundable_credits(case);
    if cost > paid {
        let missing = cost - paid;
        let available = case.account.available(case.now);
        match charge_difference(case, last, missing.min(available)) {
            Some(difference) if available >= missing => facts.extend(difference),
            difference => {
                facts.extend(difference.into_iter().flatten());
                problem = Some(ChargeProblem {
                    code: "move-not-covered",
                    text: format!(
                        "booking {} was moved to {}, which costs {} more; the account could not pay \
                         all of that",
                        charge.booking.uid,
                        last.uid,
                        messages::format_credits(missing)
                    ),
                });
            }
        }
    }
    facts.push(Fact::Charge(ChargeFact::Move {
        from: charge.booking.uid.clone(),
        to: last.to_ref(),
        start: last.start,
        end: last.end,
        non_refundable: keeps,
    }));
    let cost = cost.max(keeps);
    if paid > cost {
        let mut parts = case
            .successor_charge
            .map(|successor_charge| successor_charge.parts.clone())
            .unwrap_or_default();
        // In the order in which the ledger joins them: what the successor paid comes first.
        for part in &charge.parts {
            match parts.iter_mut().find(|there| there.grant == part.grant) {
                Some(there) => there.credits += part.credits,
                None => parts.push(part.clone()),
            }
        }
        facts.push(Fact::Charge(ChargeFact::Refund {
            booking: last.uid.clone(),
            parts: refund_last_paid_first(&parts, paid - cost),
            close: false,
            reason: EntryCode::CostsLess.into(),
        }));
    }
    ChargeDecision::Write {
        facts,
        outcome: ChargeOutcome::Moved,
        text: format!("the charge goes on with {}", last.uid),
        problem,
    }
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
    let (parts, mut facts) = take_credits(case.account, credits, case.now)?;
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
