//! Instants and spans. Instants are UTC with millisecond precision, as Cal.com's are; durations are
//! whole milliseconds. Reading the clock is not done here.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};

/// An instant.
pub type Time = DateTime<Utc>;

/// A length of time.
pub type Span = TimeDelta;

/// Clocks that differ by no more than this count as equal: those of this machine and of the server, and
/// this machine's own before and after it was set. Beyond it nothing final is decided. Machines with NTP
/// agree within milliseconds; the gates' shortest terms count in minutes.
pub const CLOCK_TOLERANCE: Span = Span::minutes(2);

/// Where `now` comes from, for the floors that have to ask while they work. The domain never does.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// The instant as it is kept: cut to milliseconds, so that what was written reads back equal.
pub fn truncate_to_millis(at: Time) -> Time {
    at.trunc_subsecs(3)
}

/// The first and the last instant with a year of four digits: what others can read, and the log.
const FIRST_FOUR_DIGIT_INSTANT: Time = Time::from_timestamp_millis(-62_167_219_200_000).unwrap();
const LAST_FOUR_DIGIT_INSTANT: Time = Time::from_timestamp_millis(253_402_300_799_999).unwrap();

/// The nearest instant with a year of four digits.
pub fn clamp_to_four_digit_years(at: Time) -> Time {
    at.clamp(FIRST_FOUR_DIGIT_INSTANT, LAST_FOUR_DIGIT_INSTANT)
}

/// An instant as it stands within a text: UTC, to the second. The output for people converts it to the
/// configured time zone.
pub fn format_instant(at: Time) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Whether two half-open stretches of time share an instant. Back to back is not an overlap.
pub fn overlaps(a: (Time, Time), b: (Time, Time)) -> bool {
    a.0 < b.1 && b.0 < a.1
}

#[cfg(test)]
mod tests {
    use super::*;

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
