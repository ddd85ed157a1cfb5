//! Loads the accepted bookings in the requested time.

use std::collections::{BTreeMap, BTreeSet};

use super::pending_bookings;
use crate::calcom::port::BookingFilter;
use crate::domain::booking::{Booking, BookingStatus};
use crate::domain::id::{Address, HostId, RequestId};
use crate::domain::plan::Problem;
use crate::domain::snapshot::Snapshot;
use crate::domain::time::{Time, format_instant};
use crate::reconcile::context::{PassError, Ports};

/// The maximum number of pages that one pass reads to find overlaps: 20,000 bookings at 250 a page.
/// The list also shows pending bookings, and is sorted by start, so requests behind the last page
/// are merely left for later.
const MAX_ACCEPTED_PAGES: u32 = 80;

/// Loads the accepted bookings in the window. If there are more pages than may be read, requests
/// behind the last page that was read are not decided, because an overlap there could not be seen.
/// Returns those requests.
pub(super) async fn load_accepted_bookings(
    ports: &Ports<'_>,
    snapshot: &mut Snapshot,
    hosts: &BTreeMap<Address, HostId>,
    (from, to): (Time, Time),
    problems: &mut Vec<Problem>,
) -> Result<BTreeSet<RequestId>, PassError> {
    let mut deferred_requests = BTreeSet::new();
    let mut seen_uids = BTreeSet::new();
    let mut read_until = from;
    // v1 lists in another order: then bookings that are not read may be at any time.
    let mut by_start = true;
    let mut next = Some(0);
    while let Some(number) = next {
        if number >= MAX_ACCEPTED_PAGES {
            let why = format!(
                "more than {MAX_ACCEPTED_PAGES} pages of accepted bookings until {}",
                format_instant(to)
            );
            let until = if by_start { read_until } else { from };
            deferred_requests =
                defer_requests_after(snapshot, until, ("too-many-accepted", why), problems);
            break;
        }
        let page = ports
            .calendar
            .list(&BookingFilter::Upcoming { from, to }, number)
            .await?;
        // A booking that cannot be read may take a host's time; an operator has to know.
        problems.extend(page.unreadable.iter().map(|row| Problem {
            code: "unreadable-booking",
            text: format!(
                "an accepted booking could not be read, so whether its time is free is not known: \
                 {row}"
            ),
        }));
        let count_before = seen_uids.len();
        for booking in &page.bookings {
            by_start &= read_until <= booking.start.max(from);
            read_until = read_until.max(booking.start);
        }
        for booking in page.bookings {
            if booking.status == BookingStatus::Accepted && seen_uids.insert(booking.uid.clone()) {
                let attending_hosts = attending_hosts(&booking, hosts);
                let booking = strip_details(booking);
                for host in attending_hosts {
                    snapshot.co_hosted.push((host, booking.clone()));
                }
                snapshot.accepted.push(booking);
            } else {
                seen_uids.insert(booking.uid);
            }
        }
        next = page.next;
        if next.is_some() && seen_uids.len() == count_before && page.unreadable.is_empty() {
            let why = format!("page {number} of the accepted bookings contained nothing new");
            let until = if by_start { read_until } else { from };
            deferred_requests =
                defer_requests_after(snapshot, until, ("page-repeated", why), problems);
            break;
        }
    }
    Ok(deferred_requests)
}

/// Returns the hosts who take part in another host's booking: Cal.com does not offer their time
/// either.
fn attending_hosts(booking: &Booking, hosts: &BTreeMap<Address, HostId>) -> BTreeSet<HostId> {
    let attendees = booking.attendees.iter();
    let attendees = attendees.filter_map(|attendee| attendee.address.as_ref());
    attendees
        .chain(&booking.guests)
        .filter_map(|address| hosts.get(address).copied())
        .filter(|host| booking.host_id() != Some(*host))
        .collect()
}

/// Keeps only whose time the booking takes, and which: with thousands of bookings, everything else
/// would fill the memory.
fn strip_details(booking: Booking) -> Booking {
    Booking {
        title: String::new(),
        description: None,
        attendees: Vec::new(),
        guests: Vec::new(),
        cancellation_reason: None,
        location: None,
        answers: BTreeMap::new(),
        metadata: BTreeMap::new(),
        ..booking
    }
}

/// Defers the requests that end after the start of the last booking that was read, because an
/// overlap there could not be seen.
fn defer_requests_after(
    snapshot: &mut Snapshot,
    until: Time,
    (code, why): (&'static str, String),
    problems: &mut Vec<Problem>,
) -> BTreeSet<RequestId> {
    let deferred_requests: BTreeSet<RequestId> = pending_bookings(snapshot)
        .filter(|booking| booking.end > until)
        .map(Booking::request_id)
        .collect();
    snapshot
        .pending
        .retain(|observed| !deferred_requests.contains(&observed.booking.request_id()));
    problems.push(Problem {
        code,
        text: format!(
            "{why}: requests that end after {} are postponed",
            format_instant(until)
        ),
    });
    deferred_requests
}
