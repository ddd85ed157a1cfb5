//! Reads bookings individually: right before a call, and after a call whose answer did not say
//! enough.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, stream};

use super::context::{PassError, Ports};
use crate::calcom::port::{BookingFilter, CallError};
use crate::domain::booking::{BookingRef, Fetched};
use crate::domain::id::BookingUid;
use crate::domain::intent::BookingState;
use crate::domain::request::Request;
use crate::domain::time::Time;

/// From this number of bookings on, a page of the list is cheaper than individual reads.
pub(super) const MIN_BOOKINGS_TO_LIST: usize = 3;

/// The maximum number of concurrent reads.
const READS_AT_ONCE: usize = 8;

/// The times at which a reading was requested and at which it arrived.
#[derive(Debug, Clone, Copy)]
pub struct ReadTimes {
    /// When the request was sent.
    pub requested_at: Time,
    /// When the answer had arrived.
    pub arrived_at: Time,
}

/// Returns the current states of the bookings, and when each was read; bookings that cannot be read
/// are left out. The list of pending bookings shows hundreds in one call; bookings that the list
/// does not show are read individually, because absence from a page proves nothing.
///
/// # Errors
/// Returns an error if no further call may be tried with the key.
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
            Err(error) if error.is_fatal_for_pass() => return Err(error.into()),
            Err(error) => {
                tracing::debug!(booking = %booking.uid, %error, "could not be read");
            }
        }
    }
    Ok(states)
}

/// Reads further pages while a page shows at least one of the wanted bookings, or while individual
/// reads would cost more than `MIN_BOOKINGS_TO_LIST` times as many calls as the pages so far: the
/// oldest pending bookings may be none of the wanted ones.
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
            Err(error) if error.is_fatal_for_pass() => return Err(error.into()),
            Err(_) => return Ok(()),
        };
        // Each page has read times of its own, however long the pages after it take.
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

/// Returns the current states of all bookings of a request. States that are known already are not
/// read again, except that the occurrences of a series are read together.
///
/// # Errors
/// Returns an error if a booking cannot be read.
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
