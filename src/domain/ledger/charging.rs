//! Facts of one booking's credits: held, spent or given back, refunded, moved on.

use super::{
    Applied, ApplyError, Given, GivenKind, Records, Violation, amount, intent, lot_of, read, take,
    with,
};
use crate::domain::account::{Account, Part, sum};
use crate::domain::booking::BookingRef;
use crate::domain::decision::{Credits, Decision, MAX_CREDITS};
use crate::domain::entry_reason::EntryReason;
use crate::domain::fact::{Back, Fact};
use crate::domain::id::{AccountId, BookingUid, RequestId};
use crate::domain::refund::to_its_lot;
use crate::domain::request::{Charge, ChargeState, MAX_OCCURRENCES, Request};
use crate::domain::time::Time;

pub(super) fn hold<R: Records>(records: &mut R, at: Time, fact: &Fact) -> Applied<R> {
    let Fact::Hold {
        booking,
        request,
        account,
        parts,
        event_type,
        host,
        start,
        end,
        terms,
    } = fact
    else {
        unreachable!("called for Hold only")
    };
    let credits = sum(parts);
    if credits > MAX_CREDITS {
        return Err(Violation::Amount(credits).into());
    }
    let before = read(records.charge(&booking.uid))?;
    let refunded = match before {
        None => 0,
        // Accepted again after all came back: it is paid for again. What came back before stays
        // counted, because the names of restored lots are made of it.
        Some(charge) if is_given_back(&charge) && charge.request != *request => charge.refunded,
        Some(_) => return Err(Violation::ChargeExists(booking.uid.clone()).into()),
    };
    joins(records, request, booking)?;
    with(records, account, |account| {
        take(account, parts)?;
        account.totals.held += credits;
        Ok(())
    })?;
    records.put_charge(Charge {
        booking: booking.clone(),
        request: request.clone(),
        account: account.clone(),
        event_type: *event_type,
        host: *host,
        start: *start,
        end: *end,
        parts: parts.clone(),
        refunded,
        state: ChargeState::Held,
        held_at: at,
        taken_by: None,
        moved_from: None,
        reason: None,
        terms: terms.clone(),
        keeps: 0,
    });
    Ok(())
}

/// Whether nothing is spent for it any more, and it went on with no other booking.
fn is_given_back(charge: &Charge) -> bool {
    let ended = matches!(charge.state, ChargeState::Void | ChargeState::Refunded);
    ended && charge.credits() == 0
}

/// An occurrence that turned up after the decision becomes part of the request it is held for.
fn joins<R: Records>(records: &mut R, id: &RequestId, booking: &BookingRef) -> Applied<R> {
    let mut request = intent(records, id)?;
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

/// Promise 3: whoever finishes an intent ends its holds first, or nobody ever would.
pub(super) fn holds_ended<R: Records>(records: &mut R, request: &Request) -> Applied<R> {
    for booking in &request.bookings {
        let charge = read(records.charge(&booking.uid))?;
        if charge.is_some_and(|c| c.state == ChargeState::Held && c.request == request.id) {
            return Err(Violation::RequestState {
                id: request.id.clone(),
                expected: "without holds",
            }
            .into());
        }
    }
    Ok(())
}

/// Notes on the charge that an intent takes over that it does, or no more.
pub(super) fn taken_over<R: Records>(
    records: &mut R,
    request: &Request,
    settled: bool,
) -> Applied<R> {
    let Some(from) = &request.carries else {
        return Ok(());
    };
    let Some(mut charge) = read(records.charge(from))? else {
        return Ok(());
    };
    let taken_by = if settled {
        charge.taken_by.clone().filter(|by| *by != request.id)
    } else {
        Some(request.id.clone())
    };
    if charge.state == ChargeState::Open && charge.taken_by != taken_by {
        charge.taken_by = taken_by;
        records.put_charge(charge);
    }
    Ok(())
}

pub(super) fn post<R: Records>(records: &mut R, booking: &BookingUid) -> Applied<R> {
    let mut charge = held_charge(records, booking)?;
    let credits = charge.credits();
    with(records, &charge.account, |account| {
        account.totals.held -= credits;
        account.totals.posted += credits;
        Ok(())
    })?;
    charge.state = ChargeState::Open;
    records.put_charge(charge);
    Ok(())
}

pub(super) fn void<R: Records>(
    records: &mut R,
    at: Time,
    booking: &BookingUid,
    back: &[Back],
    reason: &EntryReason,
) -> Applied<R> {
    let mut charge = held_charge(records, booking)?;
    let parts = std::mem::take(&mut charge.parts);
    let back = if back.is_empty() {
        parts.iter().map(to_its_lot).collect()
    } else {
        back.to_vec()
    };
    // A hold comes back as a whole.
    let same = |part: &Part, back: &Back| part.grant == back.grant && part.credits == back.credits;
    if back.len() != parts.len() || !parts.iter().zip(&back).all(|(p, b)| same(p, b)) {
        let grant = back.first().map(|back| back.grant.clone());
        return Err(Violation::LotShort(grant.expect("it is not empty")).into());
    }
    give_back(records, at, &charge.account, &back, |account, credits| {
        account.totals.held -= credits
    })?;
    charge.state = ChargeState::Void;
    charge.reason = Some(reason.clone());
    records.put_charge(charge);
    Ok(())
}

pub(super) fn refund<R: Records>(
    records: &mut R,
    at: Time,
    booking: &BookingUid,
    back: &[Back],
    close: bool,
    reason: &EntryReason,
) -> Applied<R> {
    let mut charge = open_charge(records, booking)?;
    for part in back {
        let paid = charge
            .parts
            .iter_mut()
            .find(|paid| paid.grant == part.grant);
        match paid {
            Some(paid) if paid.credits >= part.credits => paid.credits -= part.credits,
            Some(_) | None => return Err(Violation::LotShort(part.grant.clone()).into()),
        }
    }
    give_back(records, at, &charge.account, back, |account, credits| {
        account.totals.refunded += credits;
    })?;
    charge.parts.retain(|part| part.credits > 0);
    charge.refunded += back.iter().map(|part| part.credits).sum::<Credits>();
    if close {
        charge.state = ChargeState::Refunded;
    }
    charge.reason = Some(reason.clone());
    records.put_charge(charge);
    Ok(())
}

pub(super) fn move_on<R: Records>(records: &mut R, at: Time, fact: &Fact) -> Applied<R> {
    let Fact::Move {
        from,
        to,
        start,
        end,
        keeps,
    } = fact
    else {
        unreachable!("called for Move only")
    };
    let mut old = open_charge(records, from)?;
    if to.uid == *from {
        return Err(Violation::ChargeExists(to.uid.clone()).into());
    }
    let parts = std::mem::take(&mut old.parts);
    let mut successor = match read(records.charge(&to.uid))? {
        Some(charge) if charge.state == ChargeState::Open && charge.account == old.account => {
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
            taken_by: None,
            ..old.clone()
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
    successor.start = *start;
    successor.end = *end;
    successor.keeps = successor.keeps.max(old.keeps).max(*keeps);
    successor.moved_from = Some(from.clone());
    successor.reason = None;
    // What was paid first says on which terms; a difference that was paid for the move joins it.
    successor.terms.clone_from(&old.terms);
    old.state = ChargeState::Moved { to: to.uid.clone() };
    old.taken_by = None;
    old.reason = None;
    records.put_charge(old);
    records.put_charge(successor);
    Ok(())
}

pub(super) fn closed<R: Records>(
    records: &mut R,
    booking: &BookingUid,
    reason: &EntryReason,
) -> Applied<R> {
    let mut charge = open_charge(records, booking)?;
    charge.state = ChargeState::Final;
    charge.reason = Some(reason.clone());
    records.put_charge(charge);
    Ok(())
}

/// Gives credits back: to the lots they came from (one that is used up is made again from its grant), or
/// to new lots, where the fact names them.
fn give_back<R: Records>(
    records: &mut R,
    at: Time,
    id: &AccountId,
    parts: &[Back],
    book: impl Fn(&mut Account, Credits),
) -> Applied<R> {
    let mut lots = Vec::new();
    for part in parts {
        let Some((reference, expires)) = &part.restored else {
            let given = read(records.given(&part.grant))?;
            lots.push(given.ok_or_else(|| Violation::LotShort(part.grant.clone()))?);
            continue;
        };
        amount(part.credits)?;
        if read(records.given(reference))?.is_some() {
            return Err(Violation::ReferenceUsed(reference.clone()).into());
        }
        let given = Given {
            reference: reference.clone(),
            account: id.clone(),
            credits: part.credits,
            kind: GivenKind::Restored,
            expires: Some(*expires),
            // What it is says its kind.
            reason: String::new(),
            at,
        };
        records.put_given(given.clone());
        lots.push(given);
    }
    with(records, id, |account| {
        for (part, given) in parts.iter().zip(&lots) {
            match account.lot(&given.reference) {
                Some(lot) => lot.left += part.credits,
                None => account.insert(lot_of(given, part.credits)),
            }
            book(account, part.credits);
        }
        account.sweep();
        Ok(())
    })
}

fn held_charge<R: Records>(
    records: &mut R,
    booking: &BookingUid,
) -> Result<Charge, ApplyError<R::Error>> {
    charge_in(records, booking, &ChargeState::Held, "held")
}

fn open_charge<R: Records>(
    records: &mut R,
    booking: &BookingUid,
) -> Result<Charge, ApplyError<R::Error>> {
    charge_in(records, booking, &ChargeState::Open, "open")
}

fn charge_in<R: Records>(
    records: &mut R,
    booking: &BookingUid,
    state: &ChargeState,
    expected: &'static str,
) -> Result<Charge, ApplyError<R::Error>> {
    match read(records.charge(booking))? {
        Some(charge) if charge.state == *state => Ok(charge),
        Some(_) | None => Err(Violation::ChargeState {
            booking: booking.clone(),
            expected,
        }
        .into()),
    }
}
