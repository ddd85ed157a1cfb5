//! The written form of instants: RFC 3339 in UTC, without a fraction for whole seconds, otherwise
//! with three digits.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, SecondsFormat, Timelike};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::time::Time;

/// An instant with millisecond precision; anything finer is cut off when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp(pub Time);

impl Timestamp {
    /// Returns the text; `None` for a year that does not have four digits.
    pub fn to_text(self) -> Option<String> {
        // chrono keeps a leap second as 1000 milliseconds or more; it is written as 999.
        let millis = self.0.timestamp_subsec_millis().min(999);
        let at = self.0.with_nanosecond(millis * 1_000_000)?;
        let fraction = match millis {
            0 => SecondsFormat::Secs,
            _ => SecondsFormat::Millis,
        };
        let has_four_digits = (0..=9999).contains(&at.year());
        has_four_digits.then(|| at.to_rfc3339_opts(fraction, true))
    }

    /// Reads the form that [`Timestamp::to_text`] writes, and no other.
    pub fn parse(text: &str) -> Option<Self> {
        let at = DateTime::parse_from_rfc3339(text).ok()?;
        let timestamp = Self(at.to_utc());
        (timestamp.to_text()? == text).then_some(timestamp)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.to_text() {
            Some(text) => serializer.serialize_str(&text),
            None => Err(S::Error::custom("an instant outside the years 0 to 9999")),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = super::text::Text::deserialize(deserializer)?;
        let text: Cow<'_, str> = text.0;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("not an instant: {text:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_round_trip() {
        for text in [
            "2026-11-24T05:32:51Z",
            "2026-11-24T05:32:51.007Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999Z",
            "2024-02-29T00:00:00Z",
        ] {
            let stamp = Timestamp::parse(text).expect(text);
            assert_eq!(stamp.to_text().as_deref(), Some(text));
            let other = chrono::DateTime::parse_from_rfc3339(text).expect(text);
            assert_eq!(stamp.0, other, "as others read it");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "2026-11-24",
            "2026-11-24 05:32:51Z",
            "2026-11-24T05:32:51",
            "2026-11-24T05:32:51z",
            "2026-11-24T05:32:51+00:00",
            "2026-11-24T05:32:51.1Z",
            "2026-11-24T05:32:51.1234Z",
            "2026-11-24T05:32:51.000Z",
            "2026-06-30T23:59:60Z",
            "2026-02-29T05:32:51Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T05:32:+1Z",
            "2026-11-24T05:32:51,123Z",
            "+026-11-24T05:32:51Z",
            "ä026-11-24T05:32:5Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn years_of_more_digits_cannot_be_written() {
        assert_eq!(Timestamp(Time::MAX_UTC).to_text(), None);
        assert_eq!(Timestamp(Time::MIN_UTC).to_text(), None);
    }
}
