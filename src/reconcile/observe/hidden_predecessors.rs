//! Finds in the listings what a booking replaced, if the dialect cannot read it by its uid (v1).

use crate::calcom::port::{BookingFilter, CallError};
use crate::domain::id::BookingUid;
use crate::domain::time::{Span, Time};
use crate::reconcile::context::{PassError, Ports, Session};

/// The longest time from the start of a replaced booking to the creation of its successor: a
/// booking that has been over for longer is not moved any more.
const LOOKBACK: Span = Span::days(7);

/// How far ahead bookings are made.
const LOOKAHEAD: Span = Span::days(366);

/// The maximum number of pages of one listing.
const MAX_PAGES: u32 = 40;

/// The maximum number of predecessors that one process searches for. Each search costs the listings
/// of a year.
const MAX_SEARCHED_PREDECESSORS: usize = 1_000;

/// Reads the listings and caches what their bookings replaced, until that is known for this
/// predecessor. Does so once for each predecessor in a process. Returns true if it is known now.
pub(super) async fn find_hidden_predecessor(
    ports: &Ports<'_>,
    session: &mut Session,
    predecessor: &BookingUid,
    successor_created: Time,
) -> Result<bool, PassError> {
    let is_new = session.searched_predecessors.insert(predecessor.clone());
    if !is_new || session.searched_predecessors.len() > MAX_SEARCHED_PREDECESSORS {
        return Ok(false);
    }
    let now = (ports.clock)();
    let past = BookingFilter::Past {
        from: successor_created.min(now) - LOOKBACK,
        to: now,
    };
    let upcoming = BookingFilter::Upcoming {
        from: now,
        to: now + LOOKAHEAD,
    };
    for select in [past, upcoming] {
        let mut next = Some(0);
        while let Some(number) = next.filter(|number| *number < MAX_PAGES) {
            let page = match ports.calendar.list(&select, number).await {
                Ok(page) => page,
                Err(error) if error.is_fatal_for_pass() => return Err(error.into()),
                Err(error @ CallError::Unreachable(_)) => return Err(error.into()),
                // The predecessor stays hidden, and the next process searches for it.
                Err(_) => return Ok(false),
            };
            session.cache_all_replacements(page.bookings.iter());
            next = page.next;
        }
        if session.replacements.contains_key(predecessor) {
            return Ok(true);
        }
    }
    Ok(false)
}
