//! Decides which times can be booked, by accepted bookings, buffers, the host's own appointments
//! with others, and limits. This is checked when a booking is made or moved, and never when a
//! booking is confirmed.

use chrono::{Datelike, NaiveDate, Weekday};

use super::booking::{SandboxBooking, SandboxStatus};
use super::event_type::{LimitPeriod, SandboxEventType};
use super::world::World;
use crate::domain::time::{Span, Time, overlaps};

impl World {
    /// Returns true when the event type can be booked for this time. The booking `moved_uid`, which
    /// is being moved to this time, is ignored.
    pub(super) fn is_free(
        &self,
        event_type: &SandboxEventType,
        requested: (Time, Time),
        moved_uid: Option<&str>,
    ) -> bool {
        let others = || {
            let rows = self.bookings().iter();
            rows.filter(|one| moved_uid != Some(one.uid.as_str()))
        };
        !others().any(|one| self.blocks_time(event_type, requested, one))
            && is_within_limits(event_type, requested, others())
    }

    /// Returns true when the booking blocks this time. Accepted bookings of the host do, also those
    /// that the host attends; pending ones only where the event type says so.
    fn blocks_time(
        &self,
        event_type: &SandboxEventType,
        requested: (Time, Time),
        booking: &SandboxBooking,
    ) -> bool {
        let is_pending =
            booking.event_type == Some(event_type.id) && booking.status == SandboxStatus::Pending;
        let email = self
            .user(event_type.owner)
            .map_or("", |host| host.email.as_str());
        let has_same_host = booking.host == Some(event_type.owner);
        let accepted = booking.status == SandboxStatus::Accepted
            && (has_same_host || booking.has_attendee(email));
        if !(event_type.blocks_slot && is_pending || accepted) {
            return false;
        }
        let other_type = booking.event_type.and_then(|id| self.event_type(id));
        let (before, after) = other_type.map_or((0, 0), |other| other.buffers);
        let minutes = |one: u32, other: u32| Span::minutes(i64::from(one) + i64::from(other));
        let blocked = (
            booking.start - minutes(before, event_type.buffers.1),
            booking.end + minutes(after, event_type.buffers.0),
        );
        overlaps(requested, blocked)
    }
}

/// Checks the limits, which count accepted bookings and not pending ones.
fn is_within_limits<'a>(
    event_type: &SandboxEventType,
    requested: (Time, Time),
    others: impl Iterator<Item = &'a SandboxBooking>,
) -> bool {
    let accepted: Vec<&SandboxBooking> = others
        .filter(|one| {
            one.event_type == Some(event_type.id) && one.status == SandboxStatus::Accepted
        })
        .collect();
    let bookings_in = |period: LimitPeriod| {
        let span = period_start(period, requested.0);
        accepted
            .iter()
            .filter(move |one| period_start(period, one.start) == span)
    };
    let is_within_count = event_type
        .count_limits
        .iter()
        .all(|(period, most)| bookings_in(*period).count() < *most as usize);
    let is_within_duration = event_type.duration_limits.iter().all(|(period, most)| {
        let minutes = bookings_in(*period).map(|one| (one.end - one.start).num_minutes());
        minutes.sum::<i64>() + (requested.1 - requested.0).num_minutes() <= i64::from(*most)
    });
    is_within_count && is_within_duration
}

/// Returns the first day of the period that contains an instant. Weeks begin on Sundays, days at
/// midnight UTC.
fn period_start(period: LimitPeriod, at: Time) -> NaiveDate {
    let day = at.date_naive();
    let first = match period {
        LimitPeriod::Day => Some(day),
        LimitPeriod::Week => Some(day.week(Weekday::Sun).first_day()),
        LimitPeriod::Month => day.with_day(1),
        LimitPeriod::Year => day.with_ordinal(1),
    };
    first.expect("every month and year has a first day")
}
