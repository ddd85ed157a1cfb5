//! Lists the pending bookings, with what the store knows about them.

use std::collections::BTreeSet;

use crate::calcom::port::BookingFilter;
use crate::domain::booking::{Booking, TimestampedBooking};
use crate::domain::gate::Policy;
use crate::domain::id::{BookingUid, HostId, RequestId};
use crate::domain::plan::Problem;
use crate::reconcile::context::{PassError, Ports};
use crate::reconcile::memory_budget::{MAX_BOOKING_BYTES, MemoryBudget};
use crate::reconcile::store_reads::{self, StoredDecisions};

/// The maximum number of pages of pending bookings that one pass reads: 10,000 bookings at 250 a
/// page. Bookings behind them are reported, and are read when the ones before are answered.
const MAX_PENDING_PAGES: u32 = 40;

/// Where reading the list of pending bookings ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PendingListEnd {
    /// No further bookings follow, or none that this pass may take.
    Complete,
    /// Further bookings follow.
    MoreBehind,
    /// A page was shown twice, so the bookings behind it cannot be reached.
    PageRepeated,
}

/// Lists the pending bookings, oldest request first, until there are enough undecided requests or
/// the list ends: bookings that are left alone must never hide newer ones behind them. Also returns
/// where reading the list ended.
pub(super) async fn list_pending(
    ports: &Ports<'_>,
    policy: &Policy,
    me: HostId,
    skipped_requests: &BTreeSet<RequestId>,
    budget: &mut MemoryBudget,
    problems: &mut Vec<Problem>,
) -> Result<(Vec<TimestampedBooking>, StoredDecisions, PendingListEnd), PassError> {
    let mut seen_uids: BTreeSet<BookingUid> = BTreeSet::new();
    let mut pending = Vec::new();
    let mut decisions = StoredDecisions::default();
    let mut new_requests: BTreeSet<RequestId> = BTreeSet::new();
    let mut list_end = PendingListEnd::Complete;
    let mut next = Some(0);
    while let Some(number) = next {
        if number >= MAX_PENDING_PAGES {
            problems.push(too_many_pages());
            break;
        }
        let at = (ports.clock)();
        let page = ports.calendar.list(&BookingFilter::Pending, number).await?;
        report_unreadable(&page.unreadable, problems);
        let new: Vec<Booking> = page
            .bookings
            .into_iter()
            .filter(|booking| seen_uids.insert(booking.uid.clone()))
            .collect();
        if new.is_empty() && page.next.is_some() {
            problems.push(Problem {
                code: "page-repeated",
                text: format!("page {number} of the pending bookings contained nothing new"),
            });
            list_end = PendingListEnd::PageRepeated;
            break;
        }
        if !budget.reserve_all(&new) {
            problems.push(too_much_memory(number));
            break;
        }
        let gated_requests = gated_requests(policy, me, &new);
        decisions.extend(read_decisions(ports, gated_requests.clone()).await?);
        for (request, _) in gated_requests {
            if !decisions.records.contains_key(&request) && !skipped_requests.contains(&request) {
                new_requests.insert(request);
            }
        }
        pending.extend(new.into_iter().map(|booking| TimestampedBooking {
            booking,
            read_at: at,
        }));
        next = page.next;
        if new_requests.len() >= policy.limits.requests_per_pass {
            if next.is_some() {
                list_end = PendingListEnd::MoreBehind;
            }
            break;
        }
    }
    if pending.is_empty() {
        let empty = ports.store.read(|store| store.is_empty()).await;
        decisions.ledger_is_empty = empty.map_err(PassError::Store)?;
    }
    Ok((pending, decisions, list_end))
}

/// Returns the requests of the bookings that a gate covers, each with its booking.
fn gated_requests(
    policy: &Policy,
    me: HostId,
    bookings: &[Booking],
) -> Vec<(RequestId, BookingUid)> {
    bookings
        .iter()
        .filter(|booking| policy.require_gate(me, booking).is_ok())
        .map(|booking| (booking.request_id(), booking.uid.clone()))
        .collect()
}

/// Reads the earlier decisions about these requests.
async fn read_decisions(
    ports: &Ports<'_>,
    requests: Vec<(RequestId, BookingUid)>,
) -> Result<StoredDecisions, PassError> {
    let decisions = ports
        .store
        .read(move |store| store_reads::read_decisions(store, &requests))
        .await;
    decisions.map_err(PassError::Store)
}

fn too_many_pages() -> Problem {
    Problem {
        code: "too-many-pending",
        text: format!(
            "more than {MAX_PENDING_PAGES} pages of bookings wait for an answer; the bookings \
             after them are read once these are answered"
        ),
    }
}

fn too_much_memory(page: u32) -> Problem {
    Problem {
        code: "too-many-pending",
        text: format!(
            "the bookings that wait for an answer take more than {} MiB; the bookings after page \
             {page} are read once those before it are answered",
            MAX_BOOKING_BYTES >> 20
        ),
    }
}

fn report_unreadable(rows: &[String], problems: &mut Vec<Problem>) {
    for row in rows {
        problems.push(Problem {
            code: "unreadable-booking",
            text: format!("a booking could not be read and is left alone: {row}"),
        });
    }
}
