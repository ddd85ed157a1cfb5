//! Groups pending bookings into requests: a single booking, or the pending occurrences of one
//! series.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;

use super::booking::{Booking, BookingStatus, TimestampedBooking};
use super::id::{BookingUid, RequestId};
use super::request::{Request, RequestState};
use super::snapshot::{Series, Snapshot};
use super::time::Time;

/// Pending bookings that are decided as one request.
#[derive(Debug)]
pub struct RequestGroup<'a> {
    /// The uid of the series. Without a series, or when the series was answered before, the uid of
    /// the oldest booking.
    pub id: RequestId,
    /// In order of start; never empty.
    pub bookings: Vec<&'a Booking>,
    /// The series that the bookings belong to, if there is one.
    pub series: Option<&'a RequestId>,
    /// When the oldest booking was created: requests are decided in this order.
    pub oldest_created_at: Time,
    /// When the newest booking was created: a series may still be growing.
    pub newest_created_at: Time,
}

/// Returns the pending bookings as requests, in order of creation.
pub fn group_requests(snapshot: &Snapshot) -> Vec<RequestGroup<'_>> {
    let mut series: BTreeMap<&RequestId, Vec<&Booking>> = BTreeMap::new();
    let mut groups = Vec::new();
    for TimestampedBooking { booking, .. } in &snapshot.pending {
        match &booking.series {
            Some(id) => series.entry(id).or_default().push(booking),
            None => groups.push(RequestGroup {
                id: RequestId::from(&booking.uid),
                bookings: vec![booking],
                series: None,
                oldest_created_at: booking.created_at,
                newest_created_at: booking.created_at,
            }),
        }
    }
    if !series.is_empty() {
        let decisions = snapshot.decisions_by_booking();
        for (id, listed) in series {
            groups.extend(group_series(snapshot, &decisions, id, listed));
        }
    }
    groups.sort_by(|a, b| (a.oldest_created_at, &a.id).cmp(&(b.oldest_created_at, &b.id)));
    groups
}

/// Returns the pending occurrences of a series as one request, because one confirm answers all of
/// them, including those that the list does not show.
fn group_series<'a>(
    snapshot: &'a Snapshot,
    decisions: &HashMap<&BookingUid, &Request>,
    id: &'a RequestId,
    listed_bookings: Vec<&'a Booking>,
) -> Option<RequestGroup<'a>> {
    let mut bookings = match snapshot.series.get(id) {
        Some(Series::Whole(all)) => all
            .iter()
            .filter(|booking| {
                booking.status == BookingStatus::Pending && booking.rescheduled_to.is_none()
            })
            .collect(),
        Some(Series::Unread(_)) | None => listed_bookings,
    };
    bookings.sort_by(|a, b| (a.start, &a.uid).cmp(&(b.start, &b.uid)));
    let mut unique_uids = BTreeSet::new();
    bookings.retain(|booking| unique_uids.insert(&booking.uid));
    // Cal.com refuses to cancel past bookings, so with `refuse-with = "cancel"` a past occurrence
    // stays pending permanently. It is ignored here; otherwise occurrences added later would never
    // be decided.
    let is_settled = |record: &Request| matches!(record.state, RequestState::Settled { .. });
    let is_past_and_settled = |booking: &&Booking| {
        let record = decisions.get(&booking.uid);
        booking.end <= snapshot.now && record.is_some_and(|record| is_settled(record))
    };
    if !bookings.iter().all(is_past_and_settled) {
        bookings.retain(|booking| !is_past_and_settled(booking));
    }
    // Occurrences that are added after the series was answered are a request of their own.
    let series_record = snapshot.records.get(id);
    let series_answered = series_record.is_some_and(|record| {
        is_settled(record)
            && bookings
                .iter()
                .all(|booking| !includes_booking(record, &booking.uid))
    });
    let oldest = bookings
        .iter()
        .min_by_key(|booking| (booking.created_at, &booking.uid))?;
    let newest_created_at = bookings.iter().map(|booking| booking.created_at).max()?;
    Some(RequestGroup {
        id: if series_answered {
            RequestId::from(&oldest.uid)
        } else {
            id.clone()
        },
        oldest_created_at: oldest.created_at,
        newest_created_at,
        series: Some(id),
        bookings,
    })
}

fn includes_booking(record: &Request, uid: &BookingUid) -> bool {
    record.bookings.iter().any(|known| known.uid == *uid)
}
