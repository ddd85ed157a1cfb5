//! The time that is occupied before a pass begins, and the bookings of each host.

use std::collections::BTreeSet;

use crate::domain::booking::{Booking, BookingStatus};
use crate::domain::decision::Decision;
use crate::domain::gate::Policy;
use crate::domain::host_bookings::HostBookings;
use crate::domain::host_schedule::HostSchedule;
use crate::domain::id::{BookingUid, RequestId};
use crate::domain::request::RequestState;
use crate::domain::snapshot::Snapshot;

/// Returns the time that is occupied before this pass begins.
pub(super) fn initial_host_schedule(
    snapshot: &Snapshot,
    open_intents: &BTreeSet<&RequestId>,
) -> HostSchedule {
    let mut host_schedule = HostSchedule::new(snapshot.buffers.clone());
    for booking in &snapshot.accepted {
        if booking.status == BookingStatus::Accepted {
            host_schedule.add_booking(booking, true);
        }
    }
    for (host, booking) in &snapshot.co_hosted {
        host_schedule.add_for_host(*host, booking, true);
    }
    for booking in deferred_bookings(snapshot, open_intents) {
        host_schedule.add_booking(booking, false);
    }
    host_schedule
}

/// Returns the bookings of each host before this pass begins; none if no cap counts them.
pub(super) fn initial_host_bookings(
    snapshot: &Snapshot,
    policy: &Policy,
    open_intents: &BTreeSet<&RequestId>,
) -> HostBookings {
    let mut host_bookings = HostBookings::default();
    if !policy.has_host_caps() {
        return host_bookings;
    }
    let accepted = snapshot.accepted.iter();
    let accepted = accepted.filter(|booking| booking.status == BookingStatus::Accepted);
    let being_confirmed = deferred_bookings(snapshot, open_intents);
    let bookings = accepted
        .map(|booking| (booking, true))
        .chain(being_confirmed.map(|booking| (booking, false)));
    for (booking, is_accepted) in bookings {
        if let Some(host) = booking.host_id() {
            let gate = policy.gate(booking).map(|gate| gate.name.as_str());
            let at = (host, booking.start);
            host_bookings.add(at, &booking.uid, gate, is_accepted);
        }
    }
    host_bookings
}

/// Returns the pending bookings of decisions that are recorded, but not among the intents that this
/// pass has room for.
fn deferred_bookings<'a>(
    snapshot: &'a Snapshot,
    open_intents: &BTreeSet<&RequestId>,
) -> impl Iterator<Item = &'a Booking> {
    let uids: BTreeSet<&BookingUid> = snapshot
        .records
        .values()
        .filter(|record| record.state == RequestState::Recorded)
        .filter(|record| record.decision == Decision::Confirm && !open_intents.contains(&record.id))
        .flat_map(|record| &record.bookings)
        .map(|booking| &booking.uid)
        .collect();
    let pending = snapshot.pending.iter().map(|observed| &observed.booking);
    pending.filter(move |booking| uids.contains(&booking.uid))
}
