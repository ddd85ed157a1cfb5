//! Looking at bookings by name: right before a call, and after one whose answer did not say enough.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, stream};

use super::context::{PassError, Ports};
use super::observe::is_fatal_for_pass;
use crate::calcom::port::{BookingFilter, CallError};
use crate::domain::booking::{BookingRef, Fetched};
use crate::domain::id::BookingUid;
use crate::domain::intent::BookingState;
use crate::domain::request::Request;
use crate::domain::time::Time;

/// From this many bookings on, a page of the list is cheaper than reading each by name.
pub(super) const MIN_BOOKINGS_TO_LIST: usize = 3;

/// Reads that are under way at once.
const READS_AT_ONCE: usize = 8;

/// When a reading was asked for, and when it came.
#[derive(Debug, Clone, Copy)]
pub struct ReadTimes {
    pub requested_at: Time,
    pub arrived_at: Time,
}

/// What the bookings are now, and when each was seen; those that cannot be read are left out. The
/// list of pending bookings shows hundreds in one call; what it does not show is read by name,
/// because absence from a page proves nothing.
///
/// # Errors
/// When nothing else may be tried with the key.
pub async fn read_states(
    ports: &Ports<'_>,
    bookings: &[BookingRef],
) -> Result<BTreeMap<BookingUid, (BookingState, ReadTimes)>, PassError> {
    let mut states = BTreeMap::new();
    if bookings.len() >= MIN_BOOKINGS_TO_LIST {
        list_pending(ports, bookings, &mut states).await?;
    }
    let mut reads = Vec::new();
    for booking in bookings {
        if states.contains_key(&booking.uid) {
            continue;
        }
        let read = async move {
            let requested_at = (ports.clock)();
            let read = ports.calendar.get(booking).await;
            let arrived_at = (ports.clock)();
            (
                booking,
                ReadTimes {
                    requested_at,
                    arrived_at,
                },
                read,
            )
        };
        reads.push(read.boxed());
    }
    let mut reads = stream::iter(reads).buffer_unordered(READS_AT_ONCE);
    while let Some((booking, read_times, read)) = reads.next().await {
        match read {
            Ok(reading) => {
                states.insert(
                    booking.uid.clone(),
                    (BookingState::from_fetched(&reading), read_times),
                );
            }
            Err(error) if is_fatal_for_pass(&error) => return Err(error.into()),
            Err(error) => {
                tracing::debug!(booking = %booking.uid, %error, "could not be read");
            }
        }
    }
    Ok(states)
}

/// Pages on as long as a page shows something of what is wanted, or reading each by name would cost
/// so many more calls than the pages so far: the oldest that wait may be none of these.
async fn list_pending(
    ports: &Ports<'_>,
    bookings: &[BookingRef],
    states: &mut BTreeMap<BookingUid, (BookingState, ReadTimes)>,
) -> Result<(), PassError> {
    let wanted_uids: BTreeSet<&BookingUid> = bookings.iter().map(|booking| &booking.uid).collect();
    let mut next = Some(0);
    while let Some(number) = next {
        let requested_at = (ports.clock)();
        let page = match ports.calendar.list(&BookingFilter::Pending, number).await {
            Ok(page) => page,
            Err(error) if is_fatal_for_pass(&error) => return Err(error.into()),
            Err(_) => return Ok(()),
        };
        // A page is as old as it is, however long the pages after it take.
        let arrived_at = (ports.clock)();
        let mut hits = 0;
        for booking in &page.bookings {
            if wanted_uids.contains(&booking.uid) {
                hits += 1;
                states.insert(
                    booking.uid.clone(),
                    (
                        BookingState::from_booking(booking),
                        ReadTimes {
                            requested_at,
                            arrived_at,
                        },
                    ),
                );
            }
        }
        let missing = bookings.len() - states.len();
        let is_worthwhile = |next: u32| hits > 0 || next as usize * MIN_BOOKINGS_TO_LIST < missing;
        next = page
            .next
            .filter(|next| missing >= MIN_BOOKINGS_TO_LIST && is_worthwhile(*next));
    }
    Ok(())
}

/// What all bookings of a request are now; what is known already is not asked again, but the
/// occurrences of a series are read together.
///
/// # Errors
/// When one cannot be read.
pub async fn read_request_states(
    ports: &Ports<'_>,
    request: &Request,
    mut states: BTreeMap<BookingUid, BookingState>,
) -> Result<BTreeMap<BookingUid, BookingState>, CallError> {
    let at = (ports.clock)();
    if let Some(series) = &request.series
        && let Some(occurrences) = ports.calendar.series(&series.uid()).await?
    {
        for booking in &request.bookings {
            let state = BookingState::in_series(&occurrences, &booking.uid, request.call, at);
            states.insert(booking.uid.clone(), state);
        }
        return Ok(states);
    }
    for booking in &request.bookings {
        if !states.contains_key(&booking.uid) {
            let reading = ports.calendar.get(booking).await?;
            let state = match &reading {
                Fetched::Gone => BookingState::Gone,
                Fetched::Found(read) => BookingState::for_call(read, request.call, at),
            };
            states.insert(booking.uid.clone(), state);
        }
    }
    Ok(states)
}
