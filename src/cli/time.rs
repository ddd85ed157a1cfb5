//! Times as people write them: RFC 3339, a date, or a duration. What is passed on is RFC 3339 in
//! UTC, in whole milliseconds as everywhere in the house.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, SecondsFormat, SubsecRound, TimeDelta, Utc};

/// What a date or a duration stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Until then: a date counts to its end, a duration runs from now.
    Until,
    /// From then on: a date counts from its start, a duration runs back from now.
    Since,
    /// At that time: a date is its start, a duration runs from now.
    At,
}

/// Why a text is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    #[error("the time is missing")]
    Missing,
    #[error("{0:?} is no time; write 2026-12-31, 2026-12-31T18:00:00Z or a duration such as 30d")]
    NotUnderstood(String),
    #[error("{0:?} is no time; write 2026-12-31 or 2026-12-31T18:00:00Z")]
    NotAnInstant(String),
    #[error("{0:?} is further away than times can be written")]
    TooFar(String),
}

/// Any of the three forms.
///
/// # Errors
/// When the text is none of them.
pub fn parse(text: &str, meaning: Meaning, now: DateTime<Utc>) -> Result<String, TimeError> {
    let text = text.trim();
    if let Some(at) = written(text, meaning)? {
        return Ok(at);
    }
    let Ok(duration) = humantime::parse_duration(text) else {
        return Err(TimeError::NotUnderstood(shown(text)));
    };
    let at = match meaning {
        Meaning::Until | Meaning::At => shifted(now, duration, DateTime::checked_add_signed),
        Meaning::Since => shifted(now, duration, DateTime::checked_sub_signed),
    };
    at.and_then(rfc3339)
        .ok_or_else(|| TimeError::TooFar(shown(text)))
}

/// RFC 3339 or a date, for what is written down to be read at any time.
///
/// # Errors
/// When the text is neither.
pub fn parse_instant(text: &str, meaning: Meaning) -> Result<String, TimeError> {
    let text = text.trim();
    written(text, meaning)?.ok_or_else(|| TimeError::NotAnInstant(shown(text)))
}

/// `None`: it is neither RFC 3339 nor a date.
fn written(text: &str, meaning: Meaning) -> Result<Option<String>, TimeError> {
    if text.is_empty() {
        return Err(TimeError::Missing);
    }
    let too_far = || TimeError::TooFar(shown(text));
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return rfc3339(at.to_utc()).map(Some).ok_or_else(too_far);
    }
    let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") else {
        return Ok(None);
    };
    let day = match meaning {
        Meaning::Until => date.checked_add_days(Days::new(1)),
        Meaning::Since | Meaning::At => Some(date),
    };
    day.map(|day| day.and_time(NaiveTime::MIN).and_utc())
        .and_then(rfc3339)
        .map(Some)
        .ok_or_else(too_far)
}

type Shift = fn(DateTime<Utc>, TimeDelta) -> Option<DateTime<Utc>>;

fn shifted(now: DateTime<Utc>, by: Duration, shift: Shift) -> Option<DateTime<Utc>> {
    let by = TimeDelta::from_std(by).ok()?;
    shift(now, by)
}

/// `None`: the year does not have four digits.
fn rfc3339(at: DateTime<Utc>) -> Option<String> {
    let text = at
        .trunc_subsecs(3)
        .to_rfc3339_opts(SecondsFormat::AutoSi, true);
    text.starts_with(|c: char| c.is_ascii_digit())
        .then_some(text)
}

fn shown(text: &str) -> String {
    const MOST_SHOWN: usize = 40;
    text.chars().take(MOST_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-12-01T09:00:00.123Z")
            .unwrap()
            .to_utc()
    }

    #[test]
    fn times_are_written_in_three_forms() {
        use Meaning::{At, Since, Until};
        let rows = [
            ("2026-12-31T18:00:00Z", Until, "2026-12-31T18:00:00Z"),
            ("2026-12-31T18:00:00+01:00", At, "2026-12-31T17:00:00Z"),
            ("2026-12-31 18:00:00z", At, "2026-12-31T18:00:00Z"),
            (
                "2026-12-31T18:00:00.123456Z",
                At,
                "2026-12-31T18:00:00.123Z",
            ),
            (" 2026-12-31 ", Until, "2027-01-01T00:00:00Z"),
            ("2026-12-31", Since, "2026-12-31T00:00:00Z"),
            ("2026-12-31", At, "2026-12-31T00:00:00Z"),
            ("2028-02-29", Until, "2028-03-01T00:00:00Z"),
            ("30d", Until, "2026-12-31T09:00:00.123Z"),
            ("2h 30m", At, "2026-12-01T11:30:00.123Z"),
            ("7d", Since, "2026-11-24T09:00:00.123Z"),
        ];
        for (text, meaning, expect) in rows {
            assert_eq!(
                parse(text, meaning, now()),
                Ok(expect.to_owned()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let text = |text: &str| text.to_owned();
        let rows = [
            ("", TimeError::Missing),
            ("soon", TimeError::NotUnderstood(text("soon"))),
            ("2027-02-29", TimeError::NotUnderstood(text("2027-02-29"))),
            ("31.12.2026", TimeError::NotUnderstood(text("31.12.2026"))),
            (
                "2026-12-31T18:00",
                TimeError::NotUnderstood(text("2026-12-31T18:00")),
            ),
            ("-7d", TimeError::NotUnderstood(text("-7d"))),
            ("30", TimeError::NotUnderstood(text("30"))),
            ("9999-12-31", TimeError::TooFar(text("9999-12-31"))),
            ("9000y", TimeError::TooFar(text("9000y"))),
            (
                "18446744073709551615s",
                TimeError::TooFar(text("18446744073709551615s")),
            ),
        ];
        for (text, expect) in rows {
            assert_eq!(parse(text, Meaning::Until, now()), Err(expect), "{text:?}");
        }
        assert_eq!(
            parse_instant("30d", Meaning::Until),
            Err(TimeError::NotAnInstant("30d".to_owned()))
        );
    }

    proptest::proptest! {
        #[test]
        fn what_is_understood_is_rfc_3339(text in "[0-9TZ:+. dhmy-]{0,30}") {
            for meaning in [Meaning::Until, Meaning::Since, Meaning::At] {
                if let Ok(at) = parse(&text, meaning, now()) {
                    proptest::prop_assert!(DateTime::parse_from_rfc3339(&at).is_ok(), "{}", at);
                }
            }
        }
    }
}
