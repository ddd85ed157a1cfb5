//! Instants and spans. Instants are UTC with millisecond precision, as Cal.com's are; durations are
//! whole milliseconds. Nothing here reads the clock.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};

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

/// Formats an instant within a text: UTC, to the second. The output for people converts it to the
/// configured time zone.
pub fn format_instant(at: Time) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Returns true if two half-open intervals share an instant. Back-to-back intervals do not overlap.
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
