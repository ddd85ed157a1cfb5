//! Looking at bookings by name: right before a call, and after one whose answer did not say enough.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, stream};

use super::observe::ends_the_pass;
use super::ports::{PassError, Ports};
use crate::calcom::port::{CallError, Select};
use crate::domain::booking::{BookingRef, Reading};
use crate::domain::id::BookingUid;
use crate::domain::intent::Sight;
use crate::domain::request::Request;
use crate::domain::time::Time;

/// From this many bookings on, a page of the list is cheaper than reading each by name.
pub(super) const LIST_FROM: usize = 3;

/// Reads that are under way at once.
const READS_AT_ONCE: usize = 8;

/// When a reading was asked for, and when it came.
#[derive(Debug, Clone, Copy)]
pub struct ReadTimes {
    pub asked: Time,
    pub arrived: Time,
}

/// What the bookings are now, and when each was seen; those that cannot be read are left out. The
/// list of pending bookings shows hundreds in one call; what it does not show is read by name,
/// because absence from a page proves nothing.
///
/// # Errors
/// When nothing else may be tried with the key.
pub async fn look(
    ports: &Ports<'_>,
    wanted: &[BookingRef],
) -> Result<BTreeMap<BookingUid, (Sight, ReadTimes)>, PassError> {
    let mut found = BTreeMap::new();
    if wanted.len() >= LIST_FROM {
        list(ports, wanted, &mut found).await?;
    }
    let mut reads = Vec::new();
    for booking in wanted {
        if found.contains_key(&booking.uid) {
            continue;
        }
        let read = async move {
            let asked = (ports.clock)();
            let read = ports.calendar.get(booking).await;
            let arrived = (ports.clock)();
            (booking, ReadTimes { asked, arrived }, read)
        };
        reads.push(read.boxed());
    }
    let mut reads = stream::iter(reads).buffer_unordered(READS_AT_ONCE);
    while let Some((booking, seen, read)) = reads.next().await {
        match read {
            Ok(reading) => {
                found.insert(booking.uid.clone(), (Sight::of(&reading), seen));
            }
            Err(error) if ends_the_pass(&error) => return Err(error.into()),
            Err(error) => {
                tracing::debug!(booking = %booking.uid, %error, "could not be read");
            }
        }
    }
    Ok(found)
}

/// Pages on as long as a page shows something of what is wanted, or reading each by name would cost
/// so many more calls than the pages so far: the oldest that wait may be none of these.
async fn list(
    ports: &Ports<'_>,
    wanted: &[BookingRef],
    found: &mut BTreeMap<BookingUid, (Sight, ReadTimes)>,
) -> Result<(), PassError> {
    let wanted: BTreeSet<&BookingUid> = wanted.iter().map(|booking| &booking.uid).collect();
    let mut next = Some(0);
    while let Some(number) = next {
        let asked = (ports.clock)();
        let page = match ports.calendar.list(&Select::Pending, number).await {
            Ok(page) => page,
            Err(error) if ends_the_pass(&error) => return Err(error.into()),
            Err(_) => return Ok(()),
        };
        // A page is as old as it is, however long the pages after it take.
        let arrived = (ports.clock)();
        let mut hits = 0;
        for booking in &page.bookings {
            if wanted.contains(&booking.uid) {
                hits += 1;
                found.insert(
                    booking.uid.clone(),
                    (Sight::of_booking(booking), ReadTimes { asked, arrived }),
                );
            }
        }
        let missing = wanted.len() - found.len();
        let worth = |next: u32| hits > 0 || next as usize * LIST_FROM < missing;
        next = page
            .next
            .filter(|next| missing >= LIST_FROM && worth(*next));
    }
    Ok(())
}

/// What all bookings of a request are now; what is known already is not asked again, but the
/// occurrences of a series are read together.
///
/// # Errors
/// When one cannot be read.
pub async fn all(
    ports: &Ports<'_>,
    request: &Request,
    mut sights: BTreeMap<BookingUid, Sight>,
) -> Result<BTreeMap<BookingUid, Sight>, CallError> {
    let at = (ports.clock)();
    if let Some(series) = &request.series
        && let Some(read) = ports.calendar.series(&series.uid()).await?
    {
        for booking in &request.bookings {
            let sight = Sight::in_series(&read, &booking.uid, request.call, at);
            sights.insert(booking.uid.clone(), sight);
        }
        return Ok(sights);
    }
    for booking in &request.bookings {
        if !sights.contains_key(&booking.uid) {
            let reading = ports.calendar.get(booking).await?;
            let sight = match &reading {
                Reading::Gone => Sight::Gone,
                Reading::Is(read) => Sight::for_call(read, request.call, at),
            };
            sights.insert(booking.uid.clone(), sight);
        }
    }
    Ok(sights)
}
