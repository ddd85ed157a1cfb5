//! Moved, and the successor stands: the charge goes on with it, without a second one.

use super::cancellation::refund_double_payment;
use super::unmanaged_bookings::{settled_charge_facts, take_credits};
use super::{
    ChargeCase, ChargeDecision, ChargeOutcome, ChargeProblem, decide_accepted, leave_open,
    non_refundable_credits,
};
use crate::domain::booking::Booking;
use crate::domain::decision::ReasonCode;
use crate::domain::entry_reason::EntryCode;
use crate::domain::fact::Fact;
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
        // It was paid for on its own, and that is over or another's: nobody pays twice.
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
        // What was held for it came back: this one pays under the old name.
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
    facts.push(Fact::Move {
        from: charge.booking.uid.clone(),
        to: last.to_ref(),
        start: last.start,
        end: last.end,
        non_refundable: keeps,
    });
    let cost = cost.max(keeps);
    if paid > cost {
        let mut parts = case
            .successor_charge
            .map(|successor_charge| successor_charge.parts.clone())
            .unwrap_or_default();
        // As the ledger joins them: what the successor paid comes first.
        for part in &charge.parts {
            match parts.iter_mut().find(|there| there.grant == part.grant) {
                Some(there) => there.credits += part.credits,
                None => parts.push(part.clone()),
            }
        }
        facts.push(Fact::Refund {
            booking: last.uid.clone(),
            parts: refund_last_paid_first(&parts, paid - cost),
            close: false,
            reason: EntryCode::CostsLess.into(),
        });
    }
    ChargeDecision::Write {
        facts,
        outcome: ChargeOutcome::Moved,
        text: format!("the charge goes on with {}", last.uid),
        problem,
    }
}

/// Whether something is spent for it.
fn has_payment(charge: &Charge) -> bool {
    match charge.state {
        ChargeState::Open | ChargeState::Final => charge.credits() > 0,
        ChargeState::Held
        | ChargeState::Void
        | ChargeState::Refunded
        | ChargeState::Moved { .. } => false,
    }
}

/// A charge of the difference for the successor, which has none; joined by the move.
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
