//! The bookings of each host, for caps on what one host takes on in a day, a week or a month.

use std::collections::BTreeMap;

use super::id::{BookingUid, HostId};
use super::time::Time;

/// Bookings by their host and start.
#[derive(Debug, Default)]
pub struct HostBookings {
    by_start: BTreeMap<(HostId, Time, Option<BookingUid>), HostBooking>,
}

/// A booking that a host takes part in as its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostBooking {
    /// The gate that guards the booking's event type.
    pub gate: Option<String>,
    /// Whether the booking is accepted at Cal.com. A booking that is still being confirmed may end
    /// without a confirmation.
    pub is_accepted: bool,
}

impl HostBookings {
    /// Adds a booking. A booking that is there already stays accepted.
    pub fn add(
        &mut self,
        (host, start): (HostId, Time),
        uid: &BookingUid,
        gate: Option<&str>,
        is_accepted: bool,
    ) {
        let key = (host, start, Some(uid.clone()));
        let entry = self.by_start.entry(key).or_insert_with(|| HostBooking {
            gate: gate.map(str::to_owned),
            is_accepted,
        });
        entry.is_accepted |= is_accepted;
    }

    /// Returns the host's bookings that start from the first instant on and before the second one.
    pub fn starting_within(
        &self,
        host: HostId,
        (from, to): (Time, Option<Time>),
    ) -> impl Iterator<Item = (&BookingUid, &HostBooking)> {
        // `None` sorts before every uid at that instant.
        let from_start = self.by_start.range((host, from, None)..);
        let within = from_start.take_while(move |((of_host, start, _), _)| {
            *of_host == host && to.is_none_or(|to| *start < to)
        });
        within.filter_map(|((_, _, uid), booking)| Some((uid.as_ref()?, booking)))
    }
}
