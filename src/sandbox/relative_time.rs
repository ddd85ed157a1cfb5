//! Instants as the sandbox writes and reads them: RFC 3339 with milliseconds and Z in answers, and
//! in scenario files also relative to the world's current time, as `+36h` or `-2days`.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::time::{Span, Time, truncate_to_millis};

/// Returns the text of an instant in both dialects.
pub fn format_time(at: Time) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Serializes an instant; for `serialize_with`.
pub fn serialize_time<S: Serializer>(at: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_time(*at))
}

/// An instant, or a distance from the current time when it is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelativeTime {
    /// An instant.
    Absolute(Time),
    /// A distance from the current time; negative: before.
    FromNow(Span),
}

/// The error for a text that is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "read `{0}` as a time: write it like 2026-12-01T09:00:00Z, or from now on like +36h or -2days"
)]
pub struct RelativeTimeError(String);

impl RelativeTime {
    /// Parses an instant (RFC 3339), or a distance with its sign, as `+36h` or `-2days`.
    pub fn parse(text: &str) -> Result<Self, RelativeTimeError> {
        let invalid = || RelativeTimeError(text.to_owned());
        let (sign, rest) = match text.split_at_checked(1) {
            Some(("+", rest)) => (1, rest),
            Some(("-", rest)) => (-1, rest),
            Some(_) | None => {
                let at = DateTime::parse_from_rfc3339(text).map_err(|_| invalid())?;
                return Ok(RelativeTime::Absolute(truncate_to_millis(
                    at.with_timezone(&Utc),
                )));
            }
        };
        let length = humantime::parse_duration(rest).map_err(|_| invalid())?;
        let length = Span::from_std(length).map_err(|_| invalid())?;
        Ok(RelativeTime::FromNow(length * sign))
    }

    /// Returns the instant, counted from `now`. When the sum is out of range, returns `now`.
    pub fn resolve(self, now: Time) -> Time {
        match self {
            RelativeTime::Absolute(at) => at,
            RelativeTime::FromNow(span) => {
                truncate_to_millis(now.checked_add_signed(span).unwrap_or(now))
            }
        }
    }
}

impl From<Time> for RelativeTime {
    fn from(at: Time) -> Self {
        RelativeTime::Absolute(at)
    }
}

impl fmt::Display for RelativeTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RelativeTime::Absolute(at) => f.write_str(&format_time(*at)),
            RelativeTime::FromNow(span) => write!(f, "{:+}ms", span.num_milliseconds()),
        }
    }
}

impl Serialize for RelativeTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RelativeTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        RelativeTime::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_times_are_read_and_written() {
        let now = DateTime::parse_from_rfc3339("2026-12-01T09:00:00Z").unwrap();
        let now = now.with_timezone(&Utc);
        let rows = [
            ("2026-12-01T10:00:00Z", Some("2026-12-01T10:00:00.000Z")),
            (
                "2026-12-01T10:00:00.1239+01:00",
                Some("2026-12-01T09:00:00.123Z"),
            ),
            ("+36h", Some("2026-12-02T21:00:00.000Z")),
            ("-2days", Some("2026-11-29T09:00:00.000Z")),
            ("+1h 30m", Some("2026-12-01T10:30:00.000Z")),
            ("tomorrow", None),
            ("+", None),
            ("", None),
        ];
        for (input, expected) in rows {
            let got = RelativeTime::parse(input).ok().map(|one| one.resolve(now));
            assert_eq!(got.map(format_time).as_deref(), expected, "{input}");
        }
        for moment in [
            RelativeTime::Absolute(now),
            RelativeTime::FromNow(Span::hours(-36)),
        ] {
            assert_eq!(RelativeTime::parse(&moment.to_string()), Ok(moment));
        }
    }
}
