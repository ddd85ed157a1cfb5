//! Rules about time: notice, weekdays and hours. Also counts the bookings of a member in a period.

use chrono_tz::Tz;

use super::EvaluationInput;
use super::rule_outcome::RuleOutcome;
use crate::domain::criteria::cap::CapPeriod;
use crate::domain::criteria::time_window;
use crate::domain::decision::ReasonCode;
use crate::domain::messages::format_span;
use crate::domain::rule::context::BookingCounts;
use crate::domain::snapshot::CountedBooking;
use crate::domain::time::Span;

/// Checks the notice. It is counted from the creation of the booking, so that a request that was
/// early enough does not become late by waiting.
pub(super) fn check_notice(input: &EvaluationInput<'_>) -> RuleOutcome {
    let notice = input.gate.criteria.notice;
    if notice.at_least.is_none() && notice.at_most.is_none() {
        return RuleOutcome::NotApplicable;
    }
    for (at, booking) in input.bookings.iter().enumerate() {
        let actual_notice = booking.start - booking.created_at;
        if let Some(least) = notice.at_least.filter(|least| actual_notice < *least) {
            let text = notice_too_short_text(least);
            return RuleOutcome::failed_booking(input, at, ReasonCode::NoticeTooShort, text);
        }
        if let Some(most) = notice.at_most.filter(|most| actual_notice > *most) {
            let text = notice_too_long_text(most);
            return RuleOutcome::failed_booking(input, at, ReasonCode::NoticeTooLong, text);
        }
    }
    let first = input.bookings[0];
    let notice_text = format_span(first.start - first.created_at);
    RuleOutcome::Passed(format!("asked for {notice_text} before"))
}

pub(super) fn check_hours(input: &EvaluationInput<'_>) -> RuleOutcome {
    let hours = &input.gate.criteria.hours;
    if hours.is_empty() {
        return RuleOutcome::NotApplicable;
    }
    let zone = input.zone;
    let outside = input
        .bookings
        .iter()
        .position(|booking| !time_window::windows_cover(hours, (booking.start, booking.end), zone));
    let Some(at) = outside else {
        return RuleOutcome::passed("within the hours");
    };
    RuleOutcome::failed_booking(input, at, ReasonCode::OutsideHours, outside_hours_text())
}

/// Counts the member's bookings in the periods of the request's first booking.
pub(super) fn booking_counts(input: &EvaluationInput<'_>, zone: Tz) -> BookingCounts {
    count_bookings(input, zone, || input.counted_bookings())
}

/// Counts them without the unconfirmed bookings, which may come to nothing.
pub(super) fn settled_booking_counts(input: &EvaluationInput<'_>, zone: Tz) -> BookingCounts {
    count_bookings(input, zone, || input.confirmed_bookings())
}

fn count_bookings<'a, I>(
    input: &EvaluationInput<'_>,
    zone: Tz,
    counted_bookings: impl Fn() -> I,
) -> BookingCounts
where
    I: Iterator<Item = &'a CountedBooking>,
{
    let mut counts = BookingCounts::default();
    if counted_bookings().next().is_none() {
        return counts;
    }
    let start = input.bookings[0].start;
    let count_in = |period: CapPeriod| {
        let (from, to) = period.bounds_around(start, input.now, zone);
        let is_in_period =
            |there: &&CountedBooking| there.start >= from && to.is_none_or(|to| there.start < to);
        counted_bookings()
            .filter(is_in_period)
            .count()
            .try_into()
            .unwrap_or(u32::MAX)
    };
    let upcoming = counted_bookings().filter(|there| there.end > input.now);
    counts.upcoming = upcoming.count().try_into().unwrap_or(u32::MAX);
    counts.day = count_in(CapPeriod::Day);
    counts.week = count_in(CapPeriod::Week);
    counts.month = count_in(CapPeriod::Month);
    counts
}

fn notice_too_short_text(at_least: Span) -> String {
    format!(
        "Bookings must be requested at least {} before they start.",
        format_span(at_least)
    )
}

fn notice_too_long_text(at_most: Span) -> String {
    format!(
        "Bookings can be requested at most {} before they start.",
        format_span(at_most)
    )
}

/// Returns the default text for a booking outside the gate's windows.
pub fn outside_hours_text() -> String {
    "No bookings are taken at this time. Please choose another one.".to_owned()
}
