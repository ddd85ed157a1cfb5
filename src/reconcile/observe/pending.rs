//! What waits for an answer, and what the store knows of it.

use std::collections::BTreeSet;

use crate::calcom::port::Select;
use crate::domain::booking::{Booking, Observed};
use crate::domain::gate::Policy;
use crate::domain::id::{BookingUid, HostId, RequestId};
use crate::domain::plan::Problem;
use crate::reconcile::known::{self, Known};
use crate::reconcile::ports::{PassError, Ports};
use crate::reconcile::room::{ROOM, Room};

/// Pages of pending bookings one pass reads: 10,000 bookings at 250 a page. What lies behind them
/// is reported, and seen when the ones before are answered.
const MAX_PENDING_PAGES: u32 = 40;

/// Where the list of what waits was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing is behind what is in hand, or nothing that could be taken.
    Whole,
    /// There is more behind what is in hand.
    Behind,
    /// A page was shown twice, so what lies behind it cannot be reached.
    Repeated,
}

/// Lists what waits, oldest request first, until enough undecided requests are in hand or the list
/// ends: bookings that are left alone must never hide newer ones behind them. Gives also where the
/// list was left.
pub(super) async fn pending(
    ports: &Ports<'_>,
    policy: &Policy,
    me: HostId,
    left: &BTreeSet<RequestId>,
    room: &mut Room,
    problems: &mut Vec<Problem>,
) -> Result<(Vec<Observed>, Known, End), PassError> {
    let mut seen: BTreeSet<BookingUid> = BTreeSet::new();
    let mut pending = Vec::new();
    let mut known = Known::default();
    let mut fresh: BTreeSet<RequestId> = BTreeSet::new();
    let mut end = End::Whole;
    let mut next = Some(0);
    while let Some(number) = next {
        if number >= MAX_PENDING_PAGES {
            problems.push(Problem {
                code: "too-many-pending",
                text: format!(
                    "more than {MAX_PENDING_PAGES} pages of bookings wait for an answer; what lies \
                     behind them is seen when these are answered"
                ),
            });
            break;
        }
        let at = (ports.clock)();
        let page = ports.calendar.list(&Select::Pending, number).await?;
        unreadable(&page.unreadable, problems);
        let new: Vec<Booking> = page
            .bookings
            .into_iter()
            .filter(|booking| seen.insert(booking.uid.clone()))
            .collect();
        if new.is_empty() && page.next.is_some() {
            problems.push(Problem {
                code: "page-repeated",
                text: format!("page {number} of the pending bookings brought nothing new"),
            });
            end = End::Repeated;
            break;
        }
        if !room.take_all(&new) {
            problems.push(Problem {
                code: "too-many-pending",
                text: format!(
                    "the bookings that wait for an answer take more than {} MiB; what lies behind \
                     page {number} is seen when those before it are answered",
                    ROOM >> 20
                ),
            });
            break;
        }
        let guarded: Vec<(RequestId, BookingUid)> = new
            .iter()
            .filter(|booking| policy.guards(me, booking).is_ok())
            .map(|booking| (booking.request(), booking.uid.clone()))
            .collect();
        let asked = guarded.clone();
        let found = ports
            .store
            .with(move |store| known::records(store, &asked))
            .await;
        known.extend(found.map_err(PassError::Store)?);
        for (request, _) in guarded {
            if !known.records.contains_key(&request) && !left.contains(&request) {
                fresh.insert(request);
            }
        }
        pending.extend(new.into_iter().map(|booking| Observed { booking, at }));
        next = page.next;
        if fresh.len() >= policy.limits.requests_per_pass {
            if next.is_some() {
                end = End::Behind;
            }
            break;
        }
    }
    if pending.is_empty() {
        let empty = ports.store.with(|store| store.is_empty()).await;
        known.ledger_is_empty = empty.map_err(PassError::Store)?;
    }
    Ok((pending, known, end))
}

fn unreadable(rows: &[String], problems: &mut Vec<Problem>) {
    for row in rows {
        problems.push(Problem {
            code: "unreadable-booking",
            text: format!("a booking could not be read and is left alone: {row}"),
        });
    }
}
