//! Moved, and the successor stands: the charge goes on with it, without a second one.

use super::cancelled::paid_twice;
use super::unmanaged::{settled, takes};
use super::{Case, Problem, Verdict, What, accepted, keeps, open};
use crate::domain::booking::Booking;
use crate::domain::decision::Code;
use crate::domain::entry_reason::EntryCode;
use crate::domain::fact::Fact;
use crate::domain::intent::last_paid_first;
use crate::domain::request::{Charge, ChargeState, RequestState};
use crate::domain::text;

pub(super) fn moved(case: &Case<'_>, last: &Booking) -> Verdict {
    let charge = case.charge;
    let other = |own: &&Charge| own.state != ChargeState::Open || own.account != charge.account;
    match case.successor {
        Some(own) if own.state == ChargeState::Held => {
            return open(format!("moved to {}, which is being decided", last.uid));
        }
        // It was paid for on its own, and that is over or another's: nobody pays twice.
        Some(own) if other(&own) && stands(own) => {
            let covered = if own.account == charge.account {
                own.credits()
            } else {
                0
            };
            return paid_twice(case, covered, &last.uid);
        }
        // What was held for it came back: this one pays under the old name.
        Some(own) if other(&own) => return accepted(case, last),
        Some(_) | None => {}
    }
    let mut facts = Vec::new();
    let mut problem = None;
    let paid = charge.credits() + case.successor.map_or(0, Charge::credits);
    let cost = case.last_cost.unwrap_or(paid);
    let keeps = keeps(case);
    if cost > paid {
        let missing = cost - paid;
        let available = case.account.available(case.now);
        match extra(case, last, missing.min(available)) {
            Some(more) if available >= missing => facts.extend(more),
            more => {
                facts.extend(more.into_iter().flatten());
                problem = Some(Problem {
                    code: "move-not-covered",
                    text: format!(
                        "booking {} was moved to {}, which costs {} more; the account could not pay \
                         all of that",
                        charge.booking.uid,
                        last.uid,
                        text::credits(missing)
                    ),
                });
            }
        }
    }
    facts.push(Fact::Move {
        from: charge.booking.uid.clone(),
        to: last.reference(),
        start: last.start,
        end: last.end,
        keeps,
    });
    let cost = cost.max(keeps);
    if paid > cost {
        let mut parts = case
            .successor
            .map(|own| own.parts.clone())
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
            parts: last_paid_first(&parts, paid - cost),
            close: false,
            reason: EntryCode::CostsLess.into(),
        });
    }
    Verdict::Write {
        facts,
        what: What::Moved,
        text: format!("the charge goes on with {}", last.uid),
        problem,
    }
}

/// Whether something is spent for it.
fn stands(charge: &Charge) -> bool {
    match charge.state {
        ChargeState::Open | ChargeState::Final => charge.credits() > 0,
        ChargeState::Held
        | ChargeState::Void
        | ChargeState::Refunded
        | ChargeState::Moved { .. } => false,
    }
}

/// A charge of the difference for the successor, which has none; joined by the move.
fn extra(case: &Case<'_>, last: &Booking, credits: u64) -> Option<Vec<Fact>> {
    let undecided = case
        .request
        .is_none_or(|request| request.state == RequestState::Noted);
    if !undecided || case.successor.is_some() || credits == 0 {
        return None;
    }
    let (parts, mut facts) = takes(case.account, credits, case.now)?;
    facts.extend(settled(
        last,
        case.last_gate?,
        case.last_cost?,
        (case.account, parts),
        (Code::Carried, "rescheduled to a booking that costs more"),
        case.request,
        (case.now, case.policy),
    ));
    Some(facts)
}
