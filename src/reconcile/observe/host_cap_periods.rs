//! The periods in which the bookings of a host count for the caps on hosts.

use std::collections::BTreeMap;

use super::gated_bookings;
use crate::domain::booking::Booking;
use crate::domain::gate::{Gate, Policy};
use crate::domain::id::BookingUid;
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Time;

/// For each booking that is to be decided and whose host a cap limits, the time in which the
/// bookings of the host count together with it.
#[derive(Debug, Default)]
pub(super) struct HostCapPeriods {
    by_booking: BTreeMap<BookingUid, (Time, Time)>,
}

impl HostCapPeriods {
    pub(super) fn of(policy: &Policy, snapshot: &Snapshot) -> Self {
        if !policy.has_host_caps() {
            return Self::default();
        }
        let bookings = gated_bookings(policy, snapshot);
        let periods = bookings.filter_map(|(gate, booking)| {
            let period = counted_period(policy, gate, booking, snapshot.now)?;
            Some((booking.uid.clone(), period))
        });
        Self {
            by_booking: periods.collect(),
        }
    }

    /// Returns the window, widened to include all periods.
    pub(super) fn widen(&self, window: (Time, Time)) -> (Time, Time) {
        let periods = self.by_booking.values();
        periods.fold(window, |(from, to), (first, after)| {
            (from.min(*first), to.max(*after))
        })
    }

    /// Returns when the earliest period begins.
    pub(super) fn earliest_start(&self) -> Option<Time> {
        self.by_booking.values().map(|(from, _)| *from).min()
    }

    /// Returns until when accepted bookings have to be known before the booking can be decided.
    pub(super) fn needed_until(&self, booking: &Booking) -> Time {
        let period = self.by_booking.get(&booking.uid);
        period.map_or(booking.end, |(_, to)| booking.end.max(*to))
    }

    /// Returns true if bookings from before the instant count together with the booking.
    pub(super) fn begins_before(&self, booking: &Booking, at: Time) -> bool {
        let period = self.by_booking.get(&booking.uid);
        period.is_some_and(|(from, _)| *from < at)
    }
}

/// Returns the time that the periods of all caps on the booking's host cover.
fn counted_period(
    policy: &Policy,
    gate: &Gate,
    booking: &Booking,
    now: Time,
) -> Option<(Time, Time)> {
    let host = booking.host.as_ref()?;
    let global = &policy.global;
    let caps = global.host_caps(&gate.name);
    let caps = caps.filter(|cap| cap.limits_host(host));
    let periods = caps.map(|cap| {
        let (from, to) = cap.period.bounds_around(booking.start, now, global.zone);
        (from, to.unwrap_or(booking.end))
    });
    periods.reduce(|(from, to), (first, after)| (from.min(first), to.max(after)))
}
