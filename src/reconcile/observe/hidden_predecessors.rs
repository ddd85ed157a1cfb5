//! What a booking replaced, where the dialect cannot read it by its uid (v1): the listings show it.

use crate::calcom::port::{BookingFilter, CallError};
use crate::domain::id::BookingUid;
use crate::domain::time::{Span, Time};
use crate::reconcile::context::{PassError, Ports, Session};
use crate::reconcile::observe::is_fatal_for_pass;

/// What is replaced began at most this long before the booking that replaced it was made: a booking
/// that was over for longer is not moved any more.
const LOOKBACK: Span = Span::days(7);

/// How far ahead bookings are made.
const LOOKAHEAD: Span = Span::days(366);

/// Pages of one listing.
const MAX_PAGES: u32 = 40;

/// Predecessors that one process looks for. Each costs the listings of a year.
const MAX_SEARCHED_PREDECESSORS: usize = 1_000;

/// Learns from listings what bookings replaced, until it is known of this one; once in a process. Whether
/// it is known now.
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
                Err(error) if is_fatal_for_pass(&error) => return Err(error.into()),
                Err(error @ CallError::Unreachable(_)) => return Err(error.into()),
                // It stays hidden, and is looked for by the next process.
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
