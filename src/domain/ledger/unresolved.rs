//! Facts of the unresolved list. They move no credits.

use super::{Applied, Records, Violation, read};
use crate::domain::booking::BookingRef;
use crate::domain::id::BookingUid;
use crate::domain::time::Time;
use crate::domain::unresolved::{Resolver, Unresolved, UnresolvedCode, UnresolvedState};

/// Puts an item on the list, or brings the one that is there up to date.
pub(super) fn listed<R: Records>(records: &mut R, item: Unresolved) -> Applied<R> {
    let uid = item.booking.uid.clone();
    let mut items = read(records.unresolved(&uid))?;
    match items.iter_mut().find(|known| known.code == item.code) {
        // It stays where it was: the list says since when an operator could have known.
        Some(known) if known.is_open() => {
            *known = Unresolved {
                since: known.since,
                ..item
            };
        }
        Some(known) => *known = item,
        None => items.push(item),
    }
    records.put_unresolved(uid, items);
    Ok(())
}

/// Takes an item off the list.
pub(super) fn resolved<R: Records>(
    records: &mut R,
    at: Time,
    booking: &BookingUid,
    code: UnresolvedCode,
    reason: &str,
    by: Resolver,
) -> Applied<R> {
    let mut items = read(records.unresolved(booking))?;
    let state = UnresolvedState::Resolved {
        reason: reason.to_owned(),
        by,
        at,
    };
    match items.iter_mut().find(|known| known.code == code) {
        // The watch ends an operator's word when what it was said about is over: what happens to the
        // booking after that is another finding.
        Some(known) if known.is_open() || known.is_settled_by_operator() => known.state = state,
        Some(known) if by == Resolver::Operator => known.state = state,
        None if by == Resolver::Operator => items.push(Unresolved {
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
