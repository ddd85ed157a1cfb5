//! Facts about the credits of one booking: held, spent or given back, refunded, moved.

use super::{
    ApplyError, ApplyResult, GrantKind, GrantRecord, LedgerRecords, Violation, check_amount,
    map_read_error, new_lot, read_open_intent, take_parts, update_account,
};
use crate::domain::account::{Account, LotPart, sum_credits};
use crate::domain::booking::BookingRef;
use crate::domain::decision::{Credits, Decision, MAX_CREDITS};
use crate::domain::entry_reason::EntryReason;
use crate::domain::fact::{ChargeFact, RefundPart};
use crate::domain::id::{AccountId, BookingUid, Reference, RequestId};
use crate::domain::lot::LotTerms;
use crate::domain::refund_lots::to_paying_lot;
use crate::domain::request::{Charge, ChargeState, MAX_OCCURRENCES};
use crate::domain::time::{Time, clamp_to_four_digit_years};

pub(super) fn apply_charge_fact<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    fact: &ChargeFact,
) -> ApplyResult<R> {
    match fact {
        ChargeFact::Hold {
            booking,
            request,
            account,
            parts,
            lent,
            event_type,
            host,
            start,
            end,
            terms,
        } => {
            let charge = Charge {
                booking: booking.clone(),
                request: request.clone(),
                account: account.clone(),
                event_type: *event_type,
                host: *host,
                start: *start,
                end: *end,
                parts: parts.clone(),
                refunded: 0,
                state: ChargeState::Held,
                held_at: at,
                taken_over_by: None,
                moved_from: None,
                reason: None,
                terms: terms.clone(),
                non_refundable: 0,
            };
            apply_hold(records, at, charge, *lent)
        }
        ChargeFact::Post { booking } => apply_post(records, at, booking),
        ChargeFact::Void {
            booking,
            reason,
            refund_parts,
        } => apply_void(records, at, booking, refund_parts, reason),
        ChargeFact::Refund {
            booking,
            parts,
            close,
            reason,
        } => apply_refund(records, at, booking, parts, *close, reason),
        ChargeFact::Move {
            from,
            to,
            start,
            end,
            non_refundable,
        } => apply_move(records, at, (from, to), (*start, *end), *non_refundable),
        ChargeFact::Closed { booking, reason } => apply_closed(records, booking, reason),
    }
}

fn apply_hold<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    mut charge: Charge,
    lent: Credits,
) -> ApplyResult<R> {
    let credits = sum_credits(&charge.parts).saturating_add(lent);
    if credits > MAX_CREDITS {
        return Err(Violation::InvalidAmount(credits).into());
    }
    match map_read_error(records.charge(&charge.booking.uid))? {
        None => {}
        // The booking was accepted again after all its credits came back, so it is paid for again.
        // The amount refunded before stays counted, because the names of restored lots contain it.
        Some(existing) if is_fully_returned(&existing) && existing.request != charge.request => {
            charge.refunded = existing.refunded;
        }
        Some(_) => return Err(Violation::ChargeExists(charge.booking.uid).into()),
    }
    join_request(records, &charge.request, &charge.booking)?;
    update_account(records, &charge.account, |account| {
        take_parts(account, &charge.parts)?;
        account.totals.lent += lent;
        account.totals.held += credits;
        Ok(())
    })?;
    if lent > 0 {
        let grant = lend(records, at, &charge, lent)?;
        charge.parts.push(LotPart {
            grant,
            credits: lent,
        });
    }
    records.put_charge(charge);
    Ok(())
}

/// Records the grant that lent credits count as, so that they can come back to it. Returns its name.
fn lend<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    charge: &Charge,
    lent: Credits,
) -> Result<Reference, ApplyError<R::Error>> {
    let uid = charge.booking.uid.as_str();
    // A uid may be as long as the longest name; its end makes the reference distinct.
    let tail = &uid[uid.len().saturating_sub(200)..];
    let name = Reference::parse(&format!("overdraft {tail}")).expect("a uid is plain ASCII");
    let lent_before = match map_read_error(records.grant_record(&name))? {
        // The booking was charged before, and all its credits came back.
        Some(record) if record.account == charge.account && record.kind == GrantKind::Overdraft => {
            record.credits
        }
        Some(_) => return Err(Violation::ReferenceUsed(name).into()),
        None => 0,
    };
    records.put_grant_record(GrantRecord {
        reference: name.clone(),
        account: charge.account.clone(),
        credits: lent_before + lent,
        kind: GrantKind::Overdraft,
        expires: None,
        terms: LotTerms::default(),
        // The kind says what this lot is.
        reason: String::new(),
        at,
    });
    Ok(name)
}

/// Returns true if no credits are spent for the booking any more, and no other booking took over
/// its charge.
fn is_fully_returned(charge: &Charge) -> bool {
    let ended = matches!(charge.state, ChargeState::Void | ChargeState::Refunded);
    ended && charge.credits() == 0
}

/// Adds an occurrence that was added after the decision to the request that it is held for.
fn join_request<R: LedgerRecords>(
    records: &mut R,
    id: &RequestId,
    booking: &BookingRef,
) -> ApplyResult<R> {
    let mut request = read_open_intent(records, id)?;
    if request.decision != Decision::Confirm {
        return Err(Violation::RequestState {
            id: id.clone(),
            expected: "an open intent to confirm",
        }
        .into());
    }
    if request
        .bookings
        .iter()
        .all(|known| known.uid != booking.uid)
    {
        if request.bookings.len() >= MAX_OCCURRENCES {
            return Err(Violation::TooManyOccurrences(id.clone()).into());
        }
        request.bookings.push(booking.clone());
        records.put_request(request);
    }
    Ok(())
}

fn apply_post<R: LedgerRecords>(records: &mut R, at: Time, booking: &BookingUid) -> ApplyResult<R> {
    let mut charge = held_charge(records, booking)?;
    let credits = charge.credits();
    let begun = begin_validity(records, at, &charge.parts)?;
    update_account(records, &charge.account, |account| {
        account.totals.held -= credits;
        account.totals.posted += credits;
        for (grant, expires) in begun {
            if let Some(lot) = account.lot(&grant) {
                lot.expires = Some(expires);
                account.sort_lots();
            }
        }
        Ok(())
    })?;
    charge.state = ChargeState::Open;
    records.put_charge(charge);
    Ok(())
}

/// Sets the expiry of grants that last for a time after their first use, and are used now. Returns
/// these grants.
fn begin_validity<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    parts: &[LotPart],
) -> Result<Vec<(Reference, Time)>, ApplyError<R::Error>> {
    let mut begun = Vec::new();
    for part in parts {
        let Some(mut record) = map_read_error(records.grant_record(&part.grant))? else {
            continue;
        };
        let Some(span) = record.terms.lasts_after_first_use.take() else {
            continue;
        };
        let end = clamp_to_four_digit_years(at + span);
        let expires = record.expires.map_or(end, |expires| expires.min(end));
        record.expires = Some(expires);
        begun.push((part.grant.clone(), expires));
        records.put_grant_record(record);
    }
    Ok(begun)
}

fn apply_void<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    booking: &BookingUid,
    refund_parts: &[RefundPart],
    reason: &EntryReason,
) -> ApplyResult<R> {
    let mut charge = held_charge(records, booking)?;
    let parts = std::mem::take(&mut charge.parts);
    let refund_parts = if refund_parts.is_empty() {
        parts.iter().map(to_paying_lot).collect()
    } else {
        refund_parts.to_vec()
    };
    // A hold comes back in full.
    let is_same = |part: &LotPart, refund_part: &RefundPart| {
        part.grant == refund_part.grant && part.credits == refund_part.credits
    };
    if refund_parts.len() != parts.len()
        || !parts.iter().zip(&refund_parts).all(|(p, b)| is_same(p, b))
    {
        let first_grant = refund_parts.first().map(|back| back.grant.clone());
        return Err(Violation::LotShort(first_grant.expect("it is not empty")).into());
    }
    return_credits(
        records,
        at,
        &charge.account,
        &refund_parts,
        |account, credits| account.totals.held -= credits,
    )?;
    charge.state = ChargeState::Void;
    charge.reason = Some(reason.clone());
    records.put_charge(charge);
    Ok(())
}

fn apply_refund<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    booking: &BookingUid,
    refund_parts: &[RefundPart],
    close: bool,
    reason: &EntryReason,
) -> ApplyResult<R> {
    let mut charge = open_charge(records, booking)?;
    for part in refund_parts {
        let paid = charge
            .parts
            .iter_mut()
            .find(|paid| paid.grant == part.grant);
        match paid {
            Some(paid) if paid.credits >= part.credits => paid.credits -= part.credits,
            Some(_) | None => return Err(Violation::LotShort(part.grant.clone()).into()),
        }
    }
    return_credits(
        records,
        at,
        &charge.account,
        refund_parts,
        |account, credits| {
            account.totals.refunded += credits;
        },
    )?;
    charge.parts.retain(|part| part.credits > 0);
    charge.refunded += refund_parts
        .iter()
        .map(|part| part.credits)
        .sum::<Credits>();
    if close {
        charge.state = ChargeState::Refunded;
    }
    charge.reason = Some(reason.clone());
    records.put_charge(charge);
    Ok(())
}

fn apply_move<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    (from, to): (&BookingUid, &BookingRef),
    (start, end): (Time, Time),
    non_refundable: Credits,
) -> ApplyResult<R> {
    let mut predecessor = open_charge(records, from)?;
    if to.uid == *from {
        return Err(Violation::ChargeExists(to.uid.clone()).into());
    }
    let parts = std::mem::take(&mut predecessor.parts);
    let mut successor = match map_read_error(records.charge(&to.uid))? {
        Some(charge)
            if charge.state == ChargeState::Open && charge.account == predecessor.account =>
        {
            charge
        }
        Some(_) => return Err(Violation::ChargeExists(to.uid.clone()).into()),
        None => Charge {
            booking: to.clone(),
            request: RequestId::from(&to.uid),
            held_at: at,
            parts: Vec::new(),
            state: ChargeState::Open,
            refunded: 0,
            taken_over_by: None,
            ..predecessor.clone()
        },
    };
    for part in parts {
        match successor
            .parts
            .iter_mut()
            .find(|there| there.grant == part.grant)
        {
            Some(there) => there.credits += part.credits,
            None => successor.parts.push(part),
        }
    }
    successor.start = start;
    successor.end = end;
    successor.non_refundable = successor
        .non_refundable
        .max(predecessor.non_refundable)
        .max(non_refundable);
    successor.moved_from = Some(from.clone());
    successor.reason = None;
    // The terms of the first payment count. A difference that was paid for the move joins that
    // charge.
    successor.terms.clone_from(&predecessor.terms);
    predecessor.state = ChargeState::Moved { to: to.uid.clone() };
    predecessor.taken_over_by = None;
    predecessor.reason = None;
    records.put_charge(predecessor);
    records.put_charge(successor);
    Ok(())
}

fn apply_closed<R: LedgerRecords>(
    records: &mut R,
    booking: &BookingUid,
    reason: &EntryReason,
) -> ApplyResult<R> {
    let mut charge = open_charge(records, booking)?;
    charge.state = ChargeState::Final;
    charge.reason = Some(reason.clone());
    records.put_charge(charge);
    Ok(())
}

/// Gives credits back to the lots that they came from, or to new lots if the fact names them. A lot
/// that is used up is created again from its grant.
fn return_credits<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    id: &AccountId,
    parts: &[RefundPart],
    add_to_totals: impl Fn(&mut Account, Credits),
) -> ApplyResult<R> {
    let mut lots = Vec::new();
    for part in parts {
        let Some((reference, expires)) = &part.replacement_lot else {
            let record = map_read_error(records.grant_record(&part.grant))?;
            lots.push(record.ok_or_else(|| Violation::LotShort(part.grant.clone()))?);
            continue;
        };
        check_amount(part.credits)?;
        if map_read_error(records.grant_record(reference))?.is_some() {
            return Err(Violation::ReferenceUsed(reference.clone()).into());
        }
        // The terms of the grant that paid remain, except that its expiry is replaced.
        let paid = map_read_error(records.grant_record(&part.grant))?;
        let restored_terms = paid.map_or_else(LotTerms::default, |record| LotTerms {
            lasts_after_first_use: None,
            ..record.terms
        });
        let record = GrantRecord {
            reference: reference.clone(),
            account: id.clone(),
            credits: part.credits,
            kind: GrantKind::Restored,
            expires: Some(*expires),
            terms: restored_terms,
            // The kind says what this lot is.
            reason: String::new(),
            at,
        };
        records.put_grant_record(record.clone());
        lots.push(record);
    }
    update_account(records, id, |account| {
        for (part, record) in parts.iter().zip(&lots) {
            match account.lot(&record.reference) {
                Some(lot) => lot.remaining += part.credits,
                None => account.insert(new_lot(record, part.credits)),
            }
            add_to_totals(account, part.credits);
            account.settle_debt(&record.reference);
        }
        account.remove_empty_lots();
        Ok(())
    })
}

fn held_charge<R: LedgerRecords>(
    records: &mut R,
    booking: &BookingUid,
) -> Result<Charge, ApplyError<R::Error>> {
    charge_in_state(records, booking, &ChargeState::Held, "held")
}

fn open_charge<R: LedgerRecords>(
    records: &mut R,
    booking: &BookingUid,
) -> Result<Charge, ApplyError<R::Error>> {
    charge_in_state(records, booking, &ChargeState::Open, "open")
}

fn charge_in_state<R: LedgerRecords>(
    records: &mut R,
    booking: &BookingUid,
    state: &ChargeState,
    expected: &'static str,
) -> Result<Charge, ApplyError<R::Error>> {
    match map_read_error(records.charge(booking))? {
        Some(charge) if charge.state == *state => Ok(charge),
        Some(_) | None => Err(Violation::ChargeState {
            booking: booking.clone(),
            expected,
        }
        .into()),
    }
}
