//! Charges: what is still open and why, and ending one by hand.

use std::collections::BTreeSet;

use super::parse;
use crate::control::protocol::charges::{ChargeLine, ChargesView};
use crate::control::protocol::{Answer, Refusal, SCHEMA};
use crate::daemon::views;
use crate::domain::entry_reason::{EntryCode, EntryReason};
use crate::domain::fact::Fact;
use crate::domain::gate::Policy;
use crate::domain::id::{BookingUid, RequestId};
use crate::domain::request::{Charge, ChargeState};
use crate::domain::time::Time;
use crate::domain::unresolved::{Resolver, UnresolvedCode};
use crate::domain::watch::{Case, ChainEnd, Verdict, final_at, refund};
use crate::reconcile::watch::settle::{decided_by, host_absent_resolved, restore_expired};
use crate::store::port::{Expected, Store, StoreError};

/// Charges in one answer.
const MAX_CHARGES: u32 = 100_000;

/// The open charges, or those of the newest decisions whatever their state.
pub fn list(
    store: &dyn Store,
    policy: &Policy,
    now: Time,
    open: bool,
    limit: u32,
) -> Result<Answer, Refusal> {
    let limit = usize::try_from(limit.clamp(1, MAX_CHARGES)).unwrap_or(usize::MAX);
    let found = if open {
        store.open_charges(None, limit + 1)
    } else {
        decided(store, limit + 1)
    };
    let mut found = found.map_err(|e| parse::store_failed(&e))?;
    let more = found.len() > limit;
    found.truncate(limit);
    let mut charges = Vec::new();
    for charge in &found {
        charges.push(ChargeLine {
            charge: views::charge(charge),
            why: why(store, policy, now, charge).map_err(|e| parse::store_failed(&e))?,
        });
    }
    Ok(Answer::Charges(ChargesView {
        schema: SCHEMA,
        charges,
        more,
    }))
}

/// Newest decision first; what one has moved to follows it.
fn decided(store: &dyn Store, limit: usize) -> Result<Vec<Charge>, StoreError> {
    let mut found: Vec<Charge> = Vec::new();
    let mut known: BTreeSet<BookingUid> = BTreeSet::new();
    for request in store.decided(None, None, limit)? {
        for booking in &request.bookings {
            let mut next = Some(booking.uid.clone());
            while let Some(uid) = next {
                // What a chain moved to was found with its beginning.
                let charge = if known.insert(uid.clone()) {
                    store.charge(&uid)?
                } else {
                    None
                };
                next = charge.as_ref().and_then(|charge| match &charge.state {
                    ChargeState::Moved { to } => Some(to.clone()),
                    ChargeState::Held
                    | ChargeState::Void
                    | ChargeState::Open
                    | ChargeState::Final
                    | ChargeState::Refunded => None,
                });
                found.extend(charge);
            }
        }
        if found.len() >= limit {
            break;
        }
    }
    Ok(found)
}

fn why(
    store: &dyn Store,
    policy: &Policy,
    now: Time,
    charge: &Charge,
) -> Result<String, StoreError> {
    match &charge.state {
        ChargeState::Held => return Ok("waits for its confirmation to be settled".to_owned()),
        ChargeState::Open => {
            if let Some(request) = &charge.taken_by {
                return Ok(format!("is being taken over by request {request}"));
            }
        }
        ChargeState::Void
        | ChargeState::Final
        | ChargeState::Refunded
        | ChargeState::Moved { .. } => return Ok(why_ended(charge)),
    }
    let decided_by = decided_by(store, charge)?;
    let gate = policy.gate_of(charge, decided_by.as_deref());
    let end = final_at(
        charge.end,
        &charge.refund_terms(gate.map(|gate| &gate.terms.refunds)),
    );
    Ok(if now < charge.end {
        "the booking is to come".to_owned()
    } else if now < end {
        format!("over; final at {}", views::time(end))
    } else {
        "over; waits for the watch, or for you".to_owned()
    })
}

/// Why the credits of a charge came back or stay.
fn why_ended(charge: &Charge) -> String {
    let reason = charge.reason.as_ref();
    reason.map(EntryReason::text).unwrap_or_default()
}

fn being_taken_over(uid: &BookingUid, request: &RequestId) -> String {
    format!(
        "booking {uid} was moved, and maitred is confirming its successor: request {request} takes over \
         this charge. Wait until that request is settled (`maitred explain {request}`), then settle \
         the charge of the successor"
    )
}

/// Gives everything back, or nothing, and closes the charge.
pub fn settle(
    store: &mut dyn Store,
    policy: &Policy,
    now: Time,
    booking: &str,
    give_back: bool,
) -> Result<Answer, Refusal> {
    let uid = BookingUid::parse(booking.trim())
        .map_err(|why| parse::usage(format!("the booking {booking:?} {why}")))?;
    let failed = |e: StoreError| parse::store_failed(&e);
    let charge = store.charge(&uid).map_err(failed)?;
    let charge = charge
        .filter(|charge| charge.state == ChargeState::Open)
        .ok_or_else(|| {
            parse::not_found(format!(
                "booking {uid} has no open charge; `maitred charges list --open` shows those there \
                 are"
            ))
        })?;
    if let Some(request) = &charge.taken_by {
        return Err(parse::refused("conflict", being_taken_over(&uid, request)));
    }
    let account = store.account(&charge.account).map_err(failed)?;
    let account = account.ok_or_else(|| parse::not_found("the account does not exist"))?;
    let named = decided_by(store, &charge).map_err(failed)?;
    let gate = policy.gate_of(&charge, named.as_deref());
    let terms = charge.refund_terms(gate.map(|gate| &gate.terms.refunds));
    let mut facts = if give_back {
        let case = Case {
            charge: &charge,
            chain: &[],
            end: ChainEnd::Whole,
            terms: &terms,
            hosts: &policy.hosts,
            last_gate: gate,
            last_cost: None,
            account: &account,
            forgiven: 0,
            successor: None,
            taken_over: false,
            request: None,
            now,
            policy: &policy.hash,
        };
        match refund(&case, 100, EntryCode::GivenBackByOperator) {
            Verdict::Write { facts, .. } => facts,
            Verdict::Open { .. } => unreachable!("a refund of everything is written"),
        }
    } else {
        vec![Fact::Closed {
            booking: uid.clone(),
            reason: EntryCode::KeptByOperator.into(),
        }]
    };
    restore_expired(store, &mut facts, &terms, now).map_err(failed)?;
    let items = store.unresolved_of(&uid).map_err(failed)?;
    let word = if give_back { "given back" } else { "kept" };
    let why = format!("{word} by an operator");
    facts.extend(host_absent_resolved(&items, &why, Resolver::Operator));
    if give_back {
        // The booking may go on without a charge: an operator wants it so, and nothing lists it.
        facts.push(Fact::Resolved {
            booking: uid.clone(),
            code: UnresolvedCode::Unmanaged,
            reason: why,
            by: Resolver::Operator,
        });
    }
    let expected = [Expected {
        account: account.id.clone(),
        version: Some(account.version),
    }];
    store
        .commit(now, facts, &expected)
        .map_err(|e| parse::commit_failed(&e))?;
    let settled = store.charge(&uid).map_err(failed)?;
    let charges = settled.iter().map(|charge| ChargeLine {
        charge: views::charge(charge),
        why: why_ended(charge),
    });
    Ok(Answer::Charges(ChargesView {
        schema: SCHEMA,
        charges: charges.collect(),
        more: false,
    }))
}
