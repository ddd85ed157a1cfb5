//! Bookings that stand in the time that is asked for.

use std::collections::BTreeSet;

use super::bookings;
use crate::calcom::port::Select;
use crate::domain::booking::{Booking, Status};
use crate::domain::id::RequestId;
use crate::domain::plan::Problem;
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Time;
use crate::reconcile::ports::{PassError, Ports};

/// Pages of accepted bookings one pass reads to find overlaps.
const MAX_ACCEPTED_PAGES: u32 = 20;

/// Accepted bookings in the window. When there are more pages than may be read, what lies behind
/// the last one read is not decided: an overlap there could not be seen.
pub(super) async fn accepted(
    ports: &Ports<'_>,
    snapshot: &mut Snapshot,
    (from, to): (Time, Time),
    problems: &mut Vec<Problem>,
) -> Result<(), PassError> {
    let mut seen = BTreeSet::new();
    // The list shows all that stands, also what waits: thousands that ask at once must not keep
    // each other from ever being decided. How far it was read is known only where it goes by start,
    // as v2's does; v1's goes by creation.
    let (mut until, mut by_start) = (from, true);
    let mut next = Some(0);
    while let Some(number) = next {
        if number >= MAX_ACCEPTED_PAGES {
            let until = if by_start { until } else { from };
            let late: BTreeSet<RequestId> = bookings(snapshot)
                .filter(|booking| booking.end > until)
                .map(Booking::request)
                .collect();
            snapshot
                .pending
                .retain(|observed| !late.contains(&observed.booking.request()));
            problems.push(Problem {
                code: "too-many-accepted",
                text: format!(
                    "more than {MAX_ACCEPTED_PAGES} pages of bookings that stand until {to}: \
                     requests that end after {until} are left for later"
                ),
            });
            break;
        }
        let page = ports
            .calendar
            .list(&Select::Upcoming { from, to }, number)
            .await?;
        let before = seen.len();
        for booking in page.bookings {
            by_start &= booking.start >= until || until == from;
            until = until.max(booking.start);
            if booking.status == Status::Accepted && seen.insert(booking.uid.clone()) {
                snapshot.accepted.push(booking);
            } else {
                seen.insert(booking.uid);
            }
        }
        next = page.next.filter(|_| seen.len() > before);
    }
    Ok(())
}
