//! Which times can be booked: what is accepted already, buffers, the host's own appointments with
//! others, limits. Looked at when a booking is made or moved, and never when one is confirmed.

use chrono::{Datelike, NaiveDate, Weekday};

use super::model::{Booking, EventType, Period, Status};
use super::world::World;
use crate::domain::time::{Span, Time, overlap};

impl World {
    /// Whether the event type can be booked for this time. `moved`: the booking that is moved there,
    /// which is not in its own way.
    pub(super) fn free(&self, of: &EventType, asked: (Time, Time), moved: Option<&str>) -> bool {
        let others = || {
            let rows = self.bookings().iter();
            rows.filter(|one| moved != Some(one.uid.as_str()))
        };
        !others().any(|one| self.in_the_way(of, asked, one)) && within_limits(of, asked, others())
    }

    /// Accepted bookings of the host block a slot, also those that the host attends; pending ones
    /// only where the event type says so.
    fn in_the_way(&self, of: &EventType, asked: (Time, Time), one: &Booking) -> bool {
        let waits = one.event_type == Some(of.id) && one.status == Status::Pending;
        let email = self.user(of.owner).map_or("", |host| host.email.as_str());
        let hosted = one.host == Some(of.owner);
        let accepted = one.status == Status::Accepted && (hosted || one.attended_by(email));
        if !(of.blocks_slot && waits || accepted) {
            return false;
        }
        let other = one.event_type.and_then(|id| self.event_type(id));
        let (before, after) = other.map_or((0, 0), |other| other.buffers);
        let minutes = |one: u32, other: u32| Span::minutes(i64::from(one) + i64::from(other));
        let kept = (
            one.start - minutes(before, of.buffers.1),
            one.end + minutes(after, of.buffers.0),
        );
        overlap(asked, kept)
    }
}

/// Limits count what is accepted; what waits is not counted.
fn within_limits<'a>(
    of: &EventType,
    asked: (Time, Time),
    others: impl Iterator<Item = &'a Booking>,
) -> bool {
    let same: Vec<&Booking> = others
        .filter(|one| one.event_type == Some(of.id) && one.status == Status::Accepted)
        .collect();
    let within = |period: Period| {
        let span = name(period, asked.0);
        same.iter()
            .filter(move |one| name(period, one.start) == span)
    };
    let few = of
        .count_limits
        .iter()
        .all(|(period, most)| within(*period).count() < *most as usize);
    let short = of.duration_limits.iter().all(|(period, most)| {
        let taken = within(*period).map(|one| (one.end - one.start).num_minutes());
        taken.sum::<i64>() + (asked.1 - asked.0).num_minutes() <= i64::from(*most)
    });
    few && short
}

/// The first day of the period that an instant is in. Weeks begin on Sundays, days at midnight UTC.
fn name(period: Period, at: Time) -> NaiveDate {
    let day = at.date_naive();
    let first = match period {
        Period::Day => Some(day),
        Period::Week => Some(day.week(Weekday::Sun).first_day()),
        Period::Month => day.with_day(1),
        Period::Year => day.with_ordinal(1),
    };
    first.expect("every month and year has a first day")
}
