//! Instants and spans. Instants are UTC with millisecond precision, as Cal.com's are; durations are
//! whole milliseconds. Nothing here reads the clock.

use std::sync::Arc;

use chrono::{
    DateTime, NaiveDate, NaiveTime, SecondsFormat, SubsecRound, TimeDelta, TimeZone as _, Utc,
};
use chrono_tz::Tz;

/// An instant.
pub type Time = DateTime<Utc>;

/// A length of time.
pub type Span = TimeDelta;

/// The difference up to which clocks count as equal: this machine's and the server's, and this
/// machine's before and after it was set. Beyond this, nothing final is decided. Machines with NTP
/// agree within milliseconds, and the shortest terms of gates are a matter of minutes.
pub const CLOCK_TOLERANCE: Span = Span::minutes(2);

/// The source of `now` for the outer layers that need the time while they work. The domain never
/// calls it.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// Truncates an instant to the precision that is stored: milliseconds, so that a stored instant is
/// equal when it is read again.
pub fn truncate_to_millis(at: Time) -> Time {
    at.trunc_subsecs(3)
}

/// The first and the last instant with a four-digit year. Only these can be read by other programs
/// and by the log.
const FIRST_FOUR_DIGIT_INSTANT: Time = Time::from_timestamp_millis(-62_167_219_200_000).unwrap();
const LAST_FOUR_DIGIT_INSTANT: Time = Time::from_timestamp_millis(253_402_300_799_999).unwrap();

/// Returns the nearest instant with a four-digit year.
pub fn clamp_to_four_digit_years(at: Time) -> Time {
    at.clamp(FIRST_FOUR_DIGIT_INSTANT, LAST_FOUR_DIGIT_INSTANT)
}

/// Returns the first instant of a day in a zone. Where the clock skips midnight, the day begins
/// later. `None` if the calendar has no such instant.
pub fn start_of_day(day: NaiveDate, zone: Tz) -> Option<Time> {
    let midnight = day.and_time(NaiveTime::MIN);
    // Clocks change in quarters of an hour, and a gap is never longer than a day.
    (0..=24 * 4).find_map(|quarters| {
        let local = midnight.checked_add_signed(Span::minutes(15 * quarters))?;
        zone.from_local_datetime(&local)
            .earliest()
            .map(|at| at.to_utc())
    })
}

/// Formats an instant within a text: UTC, to the second. The output for people converts it to the
/// configured time zone.
pub fn format_instant(at: Time) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Returns RFC 3339 text in whole milliseconds, or `None` if the year does not have four digits.
pub fn to_rfc3339(at: Time) -> Option<String> {
    let text = truncate_to_millis(at).to_rfc3339_opts(SecondsFormat::AutoSi, true);
    text.starts_with(|c: char| c.is_ascii_digit())
        .then_some(text)
}

/// Returns true if two half-open intervals share an instant. Back-to-back intervals do not overlap.
pub fn overlaps(a: (Time, Time), b: (Time, Time)) -> bool {
    a.0 < b.1 && b.0 < a.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_or_where_the_clock_first_shows_them() {
        for (day, zone, start) in [
            ("2026-12-01", Tz::UTC, "2026-12-01T00:00:00Z"),
            ("2026-12-01", Tz::Europe__Berlin, "2026-11-30T23:00:00Z"),
            // Midnight is skipped: the day begins at one.
            ("2026-03-08", Tz::America__Havana, "2026-03-08T05:00:00Z"),
            // Midnight is shown twice: the first counts.
            ("2026-11-01", Tz::America__Havana, "2026-11-01T04:00:00Z"),
            // The zone skipped the whole day.
            ("2011-12-30", Tz::Pacific__Apia, "2011-12-30T10:00:00Z"),
        ] {
            let found = start_of_day(day.parse().unwrap(), zone);
            assert_eq!(found, Some(start.parse().unwrap()), "{day} {zone}");
        }
    }

    #[test]
    fn years_have_four_digits() {
        for (at, clamped) in [
            ("+10000-01-01T12:00:00Z", "9999-12-31T23:59:59.999Z"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
            ("2026-12-01T09:00:00Z", "2026-12-01T09:00:00Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("-0001-12-31T23:00:00Z", "0000-01-01T00:00:00Z"),
        ] {
            let at: Time = at.parse().unwrap();
            assert_eq!(
                clamp_to_four_digit_years(at),
                clamped.parse::<Time>().unwrap(),
                "{at}"
            );
        }
    }
}
