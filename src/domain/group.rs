//! Pending bookings as requests: a booking alone, or what waits of one series.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;

use super::booking::{Booking, Observed, Status};
use super::id::{BookingUid, RequestId};
use super::request::{Request, RequestState};
use super::snapshot::{Series, Snapshot};
use super::time::Time;

/// Pending bookings that are decided as one.
#[derive(Debug)]
pub struct Group<'a> {
    pub id: RequestId,
    /// In order of start; never empty.
    pub bookings: Vec<&'a Booking>,
    pub series: Option<&'a RequestId>,
    /// The oldest of them: the order of requests.
    pub created: Time,
    /// The newest of them: a series may still be growing.
    pub newest: Time,
}

/// The pending bookings as requests, in the order in which they were asked for.
pub fn groups(snapshot: &Snapshot) -> Vec<Group<'_>> {
    let mut series: BTreeMap<&RequestId, Vec<&Booking>> = BTreeMap::new();
    let mut groups = Vec::new();
    for Observed { booking, .. } in &snapshot.pending {
        match &booking.series {
            Some(id) => series.entry(id).or_default().push(booking),
            None => groups.push(Group {
                id: RequestId::from(&booking.uid),
                bookings: vec![booking],
                series: None,
                created: booking.created,
                newest: booking.created,
            }),
        }
    }
    if !series.is_empty() {
        let decided = snapshot.decided_with();
        for (id, listed) in series {
            groups.extend(series_group(snapshot, &decided, id, listed));
        }
    }
    groups.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
    groups
}

/// One confirm answers every pending occurrence of a series, also those that the list hides.
fn series_group<'a>(
    snapshot: &'a Snapshot,
    decided: &HashMap<&BookingUid, &Request>,
    id: &'a RequestId,
    listed: Vec<&'a Booking>,
) -> Option<Group<'a>> {
    let mut bookings = match snapshot.series.get(id) {
        Some(Series::Whole(all)) => all
            .iter()
            .filter(|booking| booking.status == Status::Pending && booking.rescheduled_to.is_none())
            .collect(),
        Some(Series::Unread(_)) | None => listed,
    };
    bookings.sort_by(|a, b| (a.start, &a.uid).cmp(&(b.start, &b.uid)));
    let mut seen = BTreeSet::new();
    bookings.retain(|booking| seen.insert(&booking.uid));
    // A refusal by cancelling cannot reach what is over, and leaves it pending for ever: with it in
    // hand, occurrences that turn up later would never be decided.
    let is_settled = |record: &Request| matches!(record.state, RequestState::Settled { .. });
    let left_over = |booking: &&Booking| {
        let record = decided.get(&booking.uid);
        booking.end <= snapshot.now && record.is_some_and(|record| is_settled(record))
    };
    if !bookings.iter().all(left_over) {
        bookings.retain(|booking| !left_over(booking));
    }
    // Occurrences that turn up after the series was answered are a request of their own.
    let known = snapshot.records.get(id);
    let answered = known.is_some_and(|record| {
        is_settled(record)
            && bookings
                .iter()
                .all(|booking| !contains(record, &booking.uid))
    });
    let oldest = bookings
        .iter()
        .min_by_key(|booking| (booking.created, &booking.uid))?;
    let newest = bookings.iter().map(|booking| booking.created).max()?;
    Some(Group {
        id: if answered {
            RequestId::from(&oldest.uid)
        } else {
            id.clone()
        },
        created: oldest.created,
        newest,
        series: Some(id),
        bookings,
    })
}

fn contains(record: &Request, uid: &BookingUid) -> bool {
    record.bookings.iter().any(|known| known.uid == *uid)
}
