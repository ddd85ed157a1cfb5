//! The time that is occupied before a pass begins.

use std::collections::BTreeSet;

use crate::domain::booking::{BookingStatus, TimestampedBooking};
use crate::domain::decision::Decision;
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
    // Decisions that are recorded, but not among the intents that this pass has room for.
    let deferred_bookings: BTreeSet<&BookingUid> = snapshot
        .records
        .values()
        .filter(|record| record.state == RequestState::Recorded)
        .filter(|record| record.decision == Decision::Confirm && !open_intents.contains(&record.id))
        .flat_map(|record| &record.bookings)
        .map(|booking| &booking.uid)
        .collect();
    for TimestampedBooking { booking, .. } in &snapshot.pending {
        if deferred_bookings.contains(&booking.uid) {
            host_schedule.add_booking(booking, false);
        }
    }
    host_schedule
}
