//! Loads the accepted bookings in the requested time.

use std::collections::{BTreeMap, BTreeSet};

use super::host_cap_periods::HostCapPeriods;
use super::pending_bookings;
use crate::calcom::port::BookingFilter;
use crate::domain::booking::{Booking, BookingStatus};
use crate::domain::id::{Address, BookingUid, HostId, RequestId};
use crate::domain::plan::Problem;
use crate::domain::snapshot::Snapshot;
use crate::domain::time::{Time, format_instant};
use crate::reconcile::context::{PassError, Ports};

/// The maximum number of pages that one pass reads to find overlaps: 20,000 bookings at 250 a page.
/// The list also shows pending bookings, and is sorted by start, so requests behind the last page
/// are merely left for later.
const MAX_ACCEPTED_PAGES: u32 = 80;

/// The maximum number of pages that one pass reads of bookings that are over and count for caps: a
/// month of 2,500 bookings at 250 a page.
const MAX_PAST_PAGES: u32 = 10;

/// Loads the accepted bookings in the window. If there are more pages than may be read, requests
/// behind the last page that was read are not decided, because an overlap there could not be seen.
/// The same holds for requests whose cap counts bookings that could not be listed. Returns those
/// requests.
pub(super) async fn load_accepted_bookings(
    ports: &Ports<'_>,
    snapshot: &mut Snapshot,
    (hosts, periods): (&BTreeMap<Address, HostId>, &HostCapPeriods),
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
            deferred_requests = defer_requests_after(
                snapshot,
                periods,
                until,
                ("too-many-accepted", why),
                problems,
            );
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
                defer_requests_after(snapshot, periods, until, ("page-repeated", why), problems);
            break;
        }
    }
    deferred_requests.extend(load_past_bookings(ports, snapshot, periods, problems).await?);
    Ok(deferred_requests)
}

/// Loads the accepted bookings that are over and count for a cap on a host, because its period has
/// begun. Returns the requests that are not decided, because not all of them could be listed.
async fn load_past_bookings(
    ports: &Ports<'_>,
    snapshot: &mut Snapshot,
    periods: &HostCapPeriods,
    problems: &mut Vec<Problem>,
) -> Result<BTreeSet<RequestId>, PassError> {
    let now = snapshot.now;
    let Some(from) = periods.earliest_start().filter(|from| *from < now) else {
        return Ok(BTreeSet::new());
    };
    let mut known: BTreeSet<BookingUid> = { snapshot.accepted.iter() }
        .map(|booking| booking.uid.clone())
        .collect();
    let mut next = Some(0);
    while let Some(number) = next {
        if number >= MAX_PAST_PAGES {
            let is_affected = |booking: &Booking| periods.begins_before(booking, now);
            let why = format!(
                "more than {MAX_PAST_PAGES} pages of bookings that are over since {}: requests \
                 whose cap counts them are postponed",
                format_instant(from)
            );
            return Ok(defer_requests_where(
                snapshot,
                is_affected,
                ("too-many-accepted", why),
                problems,
            ));
        }
        let filter = BookingFilter::Past { from, to: now };
        let page = ports.calendar.list(&filter, number).await?;
        problems.extend(page.unreadable.iter().map(|row| Problem {
            code: "unreadable-booking",
            text: format!(
                "a booking that is over could not be read, so whether it counts for a cap is not \
                 known: {row}"
            ),
        }));
        let count_before = known.len();
        for booking in page.bookings {
            let is_new = known.insert(booking.uid.clone());
            if is_new && booking.status == BookingStatus::Accepted {
                snapshot.accepted.push(strip_details(booking));
            }
        }
        let is_repeated = known.len() == count_before && page.unreadable.is_empty();
        next = page.next.filter(|_| !is_repeated);
    }
    Ok(BTreeSet::new())
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
/// overlap there could not be seen, and those whose cap counts bookings after it.
fn defer_requests_after(
    snapshot: &mut Snapshot,
    periods: &HostCapPeriods,
    until: Time,
    (code, why): (&'static str, String),
    problems: &mut Vec<Problem>,
) -> BTreeSet<RequestId> {
    let why = format!(
        "{why}: requests that end after {} are postponed",
        format_instant(until)
    );
    let is_affected = |booking: &Booking| periods.needed_until(booking) > until;
    defer_requests_where(snapshot, is_affected, (code, why), problems)
}

/// Defers the requests with such a booking.
fn defer_requests_where(
    snapshot: &mut Snapshot,
    is_affected: impl Fn(&Booking) -> bool,
    (code, text): (&'static str, String),
    problems: &mut Vec<Problem>,
) -> BTreeSet<RequestId> {
    let deferred_requests: BTreeSet<RequestId> = pending_bookings(snapshot)
        .filter(|booking| is_affected(booking))
        .map(Booking::request_id)
        .collect();
    snapshot
        .pending
        .retain(|observed| !deferred_requests.contains(&observed.booking.request_id()));
    problems.push(Problem { code, text });
    deferred_requests
}
