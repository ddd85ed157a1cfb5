//! Facts about the unresolved list. They move no credits.

use super::{ApplyResult, LedgerRecords, Violation, map_read_error};
use crate::domain::booking::BookingRef;
use crate::domain::fact::UnresolvedFact;
use crate::domain::id::BookingUid;
use crate::domain::time::Time;
use crate::domain::unresolved::{Resolver, UnresolvedBooking, UnresolvedCode, UnresolvedState};

pub(super) fn apply_unresolved_fact<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    fact: &UnresolvedFact,
) -> ApplyResult<R> {
    match fact {
        UnresolvedFact::Listed {
            booking,
            code,
            account,
            until,
            detail,
        } => {
            let item = UnresolvedBooking {
                booking: booking.clone(),
                code: *code,
                account: account.clone(),
                until: *until,
                detail: detail.clone(),
                since: at,
                state: UnresolvedState::Open,
            };
            apply_unresolved(records, item)
        }
        UnresolvedFact::Resolved {
            booking,
            code,
            reason,
            by,
        } => apply_resolved(records, at, booking, *code, reason, *by),
    }
}

/// Puts an item on the list, or updates the existing one.
fn apply_unresolved<R: LedgerRecords>(records: &mut R, item: UnresolvedBooking) -> ApplyResult<R> {
    let uid = item.booking.uid.clone();
    let mut items = map_read_error(records.unresolved(&uid))?;
    match items.iter_mut().find(|existing| existing.code == item.code) {
        // The item keeps its place: the list shows since when an operator could have known.
        Some(existing) if existing.is_open() => {
            *existing = UnresolvedBooking {
                since: existing.since,
                ..item
            };
        }
        Some(existing) => *existing = item,
        None => items.push(item),
    }
    records.put_unresolved(uid, items);
    Ok(())
}

/// Takes an item off the list.
fn apply_resolved<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    booking: &BookingUid,
    code: UnresolvedCode,
    reason: &str,
    by: Resolver,
) -> ApplyResult<R> {
    let mut items = map_read_error(records.unresolved(booking))?;
    let state = UnresolvedState::Resolved {
        reason: reason.to_owned(),
        by,
        at,
    };
    match items.iter_mut().find(|existing| existing.code == code) {
        // The watch also ends an operator's resolution when the finding that it was about is over:
        // what happens to the booking after that is another finding.
        Some(existing) if existing.is_open() || existing.is_resolved_by_operator() => {
            existing.state = state
        }
        Some(existing) if by == Resolver::Operator => existing.state = state,
        None if by == Resolver::Operator => items.push(UnresolvedBooking {
            booking: BookingRef {
                uid: booking.clone(),
                id: None,
            },
            code,
            account: None,
            until: None,
            detail: String::new(),
            since: at,
            state,
        }),
        Some(_) | None => {
            return Err(Violation::NotListed {
                booking: booking.clone(),
                code,
            }
            .into());
        }
    }
    records.put_unresolved(booking.clone(), items);
    Ok(())
}
