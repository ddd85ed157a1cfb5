//! The commands that list charges, with the reason why each is still open, and that end a charge by
//! hand.

use std::collections::BTreeSet;

use super::parse;
use crate::control::protocol::charges::{ChargesView, ListedChargeView};
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::daemon::views;
use crate::domain::entry_reason::{EntryCode, EntryReason};
use crate::domain::fact::{ChargeFact, Fact, UnresolvedFact};
use crate::domain::gate::Policy;
use crate::domain::id::{BookingUid, RequestId};
use crate::domain::request::{Charge, ChargeState};
use crate::domain::time::Time;
use crate::domain::unresolved::{Resolver, UnresolvedCode};
use crate::domain::watch::{ChainEnd, ChargeCase, ChargeDecision, final_at, refund};
use crate::reconcile::watch::refund_records::restore_expired;
use crate::reconcile::watch::settle::{deciding_gate, resolve_host_absent};
use crate::store::port::{Store, StoreError};
use crate::store::transaction::{Stamp, transact};

/// Most charges in one answer.
const MAX_CHARGES: u32 = 100_000;

/// Lists the open charges, or the charges of the newest decisions whatever their state. Open charges
/// can be continued after the place that an earlier answer named.
pub fn list(
    store: &dyn Store,
    policy: &Policy,
    now: Time,
    (open, after): (bool, Option<&str>),
    limit: u32,
) -> Result<CommandResult, Refusal> {
    let limit = usize::try_from(limit.clamp(1, MAX_CHARGES)).unwrap_or(usize::MAX);
    let after = after.map(parse::booking_of_place).transpose()?;
    let stored = match (open, &after) {
        (true, after) => store.open_charges(after.as_ref(), limit + 1),
        (false, None) => charges_of_newest_decisions(store, limit + 1),
        (false, Some(_)) => {
            return Err(parse::usage("only a list of open charges can be continued"));
        }
    };
    let mut stored = stored.map_err(|e| parse::store_failed(&e))?;
    let more = stored.len() > limit;
    stored.truncate(limit);
    let mut charges = Vec::new();
    for charge in &stored {
        charges.push(ListedChargeView {
            charge: views::charge(charge),
            reason: describe_state(store, policy, now, charge)
                .map_err(|e| parse::store_failed(&e))?,
            title: find_title(store, charge)?,
        });
    }
    Ok(CommandResult::Charges(ChargesView {
        schema: SCHEMA,
        charges,
        more,
        next: stored
            .last()
            .filter(|_| more && open)
            .map(|last| last.booking.uid.to_string()),
    }))
}

/// Returns the title of the booking that is charged, as its request has it.
fn find_title(store: &dyn Store, charge: &Charge) -> Result<Option<String>, Refusal> {
    let request = store.request(&charge.request);
    let request = request.map_err(|e| parse::store_failed(&e))?;
    Ok(request.map(|request| request.title))
}

/// Returns charges, newest decision first; a charge that was moved is followed by its successor.
fn charges_of_newest_decisions(store: &dyn Store, limit: usize) -> Result<Vec<Charge>, StoreError> {
    let mut charges: Vec<Charge> = Vec::new();
    let mut visited: BTreeSet<BookingUid> = BTreeSet::new();
    for request in store.decided_requests(None, None, limit)? {
        for booking in &request.bookings {
            let mut next = Some(booking.uid.clone());
            while let Some(uid) = next {
                // A charge that a chain moved to was already added with the chain's beginning.
                let charge = if visited.insert(uid.clone()) {
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
                charges.extend(charge);
            }
        }
        if charges.len() >= limit {
            break;
        }
    }
    Ok(charges)
}

fn describe_state(
    store: &dyn Store,
    policy: &Policy,
    now: Time,
    charge: &Charge,
) -> Result<String, StoreError> {
    match &charge.state {
        ChargeState::Held => return Ok("waits until its confirmation is settled".to_owned()),
        ChargeState::Open => {
            if let Some(request) = &charge.taken_over_by {
                return Ok(format!("is being taken over by request {request}"));
            }
        }
        ChargeState::Void
        | ChargeState::Final
        | ChargeState::Refunded
        | ChargeState::Moved { .. } => return Ok(closing_reason(charge)),
    }
    let decided_by = deciding_gate(store, charge)?;
    let gate = policy.gate_for_charge(charge, decided_by.as_deref());
    let end = final_at(
        charge.end,
        &charge.refund_terms(gate.map(|gate| &gate.terms.refunds)),
    );
    Ok(if now < charge.end {
        "the booking is to come".to_owned()
    } else if now < end {
        format!("over; final at {}", views::format_time(end))
    } else {
        "over; waits for the watch, or for an operator".to_owned()
    })
}

/// Returns why the credits of a charge were refunded or kept.
fn closing_reason(charge: &Charge) -> String {
    let reason = charge.reason.as_ref();
    reason.map(EntryReason::full_text).unwrap_or_default()
}

fn takeover_refusal_text(uid: &BookingUid, request: &RequestId) -> String {
    format!(
        "booking {uid} was moved, and maitred is confirming its successor: request {request} takes over \
         this charge. Wait until that request is settled (`maitred explain {request}`), then settle \
         the charge of the successor"
    )
}

/// Refunds everything or nothing, and closes the charge.
pub fn settle(
    store: &mut dyn Store,
    policy: &Policy,
    stamp: impl Into<Stamp>,
    booking: &str,
    refund_all: bool,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let now = stamp.at;
    let uid = BookingUid::parse(booking.trim())
        .map_err(|why| parse::usage(format!("the booking {booking:?} {why}")))?;
    transact(store, &stamp, |store| {
        let facts = decide_settlement(store, policy, now, &uid, refund_all)?;
        Ok::<_, Refusal>((facts, ()))
    })?;
    let settled = store.charge(&uid).map_err(|e| parse::store_failed(&e))?;
    let charges = settled.iter().map(|charge| {
        Ok(ListedChargeView {
            charge: views::charge(charge),
            reason: closing_reason(charge),
            title: find_title(store, charge)?,
        })
    });
    Ok(CommandResult::Charges(ChargesView {
        schema: SCHEMA,
        charges: charges.collect::<Result<_, Refusal>>()?,
        more: false,
        next: None,
    }))
}

/// Returns the facts that refund everything or nothing, and close the charge.
fn decide_settlement(
    store: &dyn Store,
    policy: &Policy,
    now: Time,
    uid: &BookingUid,
    refund_all: bool,
) -> Result<Vec<Fact>, Refusal> {
    let failed = |e: StoreError| parse::store_failed(&e);
    let charge = store.charge(uid).map_err(failed)?;
    let charge = charge
        .filter(|charge| charge.state == ChargeState::Open)
        .ok_or_else(|| {
            parse::not_found(format!(
                "booking {uid} has no open charge; `maitred charges list --open` lists the open \
                 charges"
            ))
        })?;
    if let Some(request) = &charge.taken_over_by {
        return Err(parse::refusal(
            "conflict",
            takeover_refusal_text(uid, request),
        ));
    }
    let account = store.account(&charge.account).map_err(failed)?;
    let account = account.ok_or_else(|| parse::not_found("the account does not exist"))?;
    let named = deciding_gate(store, &charge).map_err(failed)?;
    let gate = policy.gate_for_charge(&charge, named.as_deref());
    let terms = charge.refund_terms(gate.map(|gate| &gate.terms.refunds));
    let mut facts = if refund_all {
        let case = ChargeCase {
            charge: &charge,
            chain: &[],
            chain_end: ChainEnd::Whole,
            terms: &terms,
            hosts: &policy.hosts,
            last_gate: gate,
            last_cost: None,
            account: &account,
            forgiven_absences: 0,
            successor_charge: None,
            is_taken_over: false,
            last_request: None,
            now,
            policy_hash: &policy.hash,
        };
        match refund(&case, 100, EntryCode::GivenBackByOperator) {
            ChargeDecision::Write { facts, .. } => facts,
            ChargeDecision::Open { .. } => unreachable!("a refund of everything is written"),
        }
    } else {
        vec![Fact::Charge(ChargeFact::Closed {
            booking: uid.clone(),
            reason: EntryCode::KeptByOperator.into(),
        })]
    };
    restore_expired(store, &mut facts, &terms, now).map_err(failed)?;
    let items = store.unresolved_items_of(uid).map_err(failed)?;
    let outcome = if refund_all { "given back" } else { "kept" };
    let reason = format!("{outcome} by an operator");
    facts.extend(resolve_host_absent(&items, &reason, Resolver::Operator));
    if refund_all {
        // The booking may continue without a charge, because an operator wants that, so it is not
        // listed.
        facts.push(Fact::Unresolved(UnresolvedFact::Resolved {
            booking: uid.clone(),
            code: UnresolvedCode::Unmanaged,
            reason,
            by: Resolver::Operator,
        }));
    }
    Ok(facts)
}
