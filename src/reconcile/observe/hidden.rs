//! What a booking replaced, where the dialect cannot read it by its uid (v1): the listings show it.

use crate::calcom::port::{CallError, Select};
use crate::domain::id::BookingUid;
use crate::domain::time::{Span, Time};
use crate::reconcile::observe::ends_the_pass;
use crate::reconcile::ports::{PassError, Ports, Session};

/// What is replaced began at most this long before the booking that replaced it was made: a booking
/// that was over for longer is not moved any more.
const BEFORE: Span = Span::days(7);

/// How far ahead bookings are made.
const AHEAD: Span = Span::days(366);

/// Pages of one listing.
const MAX_PAGES: u32 = 40;

/// Predecessors that one process looks for. Each costs the listings of a year.
const MAX_LOOKED_FOR: usize = 1_000;

/// Learns from listings what bookings replaced, until it is known of this one; once in a process. Whether
/// it is known now.
pub(super) async fn look_back(
    ports: &Ports<'_>,
    session: &mut Session,
    wanted: &BookingUid,
    made: Time,
) -> Result<bool, PassError> {
    let is_new = session.looked_for.insert(wanted.clone());
    if !is_new || session.looked_for.len() > MAX_LOOKED_FOR {
        return Ok(false);
    }
    let now = (ports.clock)();
    let past = Select::Past {
        from: made.min(now) - BEFORE,
        to: now,
    };
    let upcoming = Select::Upcoming {
        from: now,
        to: now + AHEAD,
    };
    for select in [past, upcoming] {
        let mut next = Some(0);
        while let Some(number) = next.filter(|number| *number < MAX_PAGES) {
            let page = match ports.calendar.list(&select, number).await {
                Ok(page) => page,
                Err(error) if ends_the_pass(&error) => return Err(error.into()),
                Err(error @ CallError::Unreachable(_)) => return Err(error.into()),
                // It stays hidden, and is looked for by the next process.
                Err(_) => return Ok(false),
            };
            session.learn_all(page.bookings.iter());
            next = page.next;
        }
        if session.links.contains_key(wanted) {
            return Ok(true);
        }
    }
    Ok(false)
}
