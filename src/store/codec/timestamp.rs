//! The written form of instants: RFC 3339 in UTC, without a fraction for whole seconds, otherwise
//! with three digits. The code is written by hand, because a rebuild reads some millions of
//! instants.

use std::borrow::Cow;

use chrono::{Datelike, NaiveDate, Timelike};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::time::Time;

/// An instant with millisecond precision; anything finer is cut off when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp(pub Time);

/// The length of a text with milliseconds.
const LENGTH_WITH_MILLIS: usize = "2026-11-24T05:32:51.123Z".len();

/// The length of a text without milliseconds.
const LENGTH_WITHOUT_MILLIS: usize = "2026-11-24T05:32:51Z".len();

impl Timestamp {
    /// Returns the text; `None` for a year that does not have four digits.
    pub fn to_text(self) -> Option<String> {
        let (text, length) = self.to_bytes()?;
        Some(as_str(&text[..length]).to_owned())
    }

    fn to_bytes(self) -> Option<([u8; LENGTH_WITH_MILLIS], usize)> {
        let year = u32::try_from(self.0.year()).ok().filter(|y| *y <= 9999)?;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        write_digits(&mut text[0..4], year);
        write_digits(&mut text[5..7], self.0.month());
        write_digits(&mut text[8..10], self.0.day());
        write_digits(&mut text[11..13], self.0.hour());
        write_digits(&mut text[14..16], self.0.minute());
        write_digits(&mut text[17..19], self.0.second());
        // chrono keeps a leap second as 1000 milliseconds or more; it is written as 999.
        let millis = self.0.timestamp_subsec_millis().min(999);
        if millis == 0 {
            text[19] = b'Z';
            return Some((text, LENGTH_WITHOUT_MILLIS));
        }
        write_digits(&mut text[20..23], millis);
        Some((text, LENGTH_WITH_MILLIS))
    }

    /// Reads the form that [`Timestamp::to_text`] writes, and no other.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let millis = match bytes.len() {
            LENGTH_WITHOUT_MILLIS => 0,
            LENGTH_WITH_MILLIS if bytes[19] == b'.' => parse_digits(&bytes[20..23])?,
            _ => return None,
        };
        let separators = [
            bytes[4],
            bytes[7],
            bytes[10],
            bytes[13],
            bytes[16],
            bytes[bytes.len() - 1],
        ];
        if separators != *b"--T::Z" {
            return None;
        }
        let year = i32::try_from(parse_digits(&bytes[0..4])?).ok()?;
        let date = NaiveDate::from_ymd_opt(
            year,
            parse_digits(&bytes[5..7])?,
            parse_digits(&bytes[8..10])?,
        )?;
        date.and_hms_milli_opt(
            parse_digits(&bytes[11..13])?,
            parse_digits(&bytes[14..16])?,
            parse_digits(&bytes[17..19])?,
            millis,
        )
        .map(|naive| Self(naive.and_utc()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.to_bytes() {
            Some((text, length)) => serializer.serialize_str(as_str(&text[..length])),
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

fn write_digits(text: &mut [u8], mut value: u32) {
    for digit in text.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).expect("one digit");
        value /= 10;
    }
}

fn as_str(text: &[u8]) -> &str {
    std::str::from_utf8(text).expect("digits and marks are ASCII")
}

fn parse_digits(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| {
        digit
            .is_ascii_digit()
            .then(|| sum * 10 + u32::from(digit - b'0'))
    })
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
