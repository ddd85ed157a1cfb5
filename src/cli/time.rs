//! Parses times as people write them: RFC 3339, a date, or a duration. Dates, and durations in
//! days, weeks, months and years, are those of the configured time zone. The result is RFC 3339 in
//! UTC, in whole milliseconds.

use std::time::Duration;

use chrono::{DateTime, Days, Months, NaiveDate, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::domain::time::{start_of_day, to_rfc3339};

/// What a date or a duration means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeMeaning {
    /// Until then: a date, and a duration in whole days from now, count to the end of that day.
    Until,
    /// From then on: a date counts from its start, a duration runs back from now.
    Since,
    /// At that time: a date is its start, a duration runs from now.
    At,
}

/// The present time, and the operator's time zone.
#[derive(Debug, Clone, Copy)]
pub struct TimeContext {
    /// The present time, from which durations count.
    pub now: DateTime<Utc>,
    /// The configured time zone, `schedule.time-zone`.
    pub zone: Tz,
}

/// Why a text is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text is empty.
    #[error("the time is missing")]
    Missing,
    /// The text, which is the payload, is neither a date, nor a time, nor a duration.
    #[error(
        "{0:?} is not a time; write 2026-12-31, 2026-12-31T18:00:00Z or a duration such as \
     30d"
    )]
    NotUnderstood(String),
    /// The duration, which is the payload, has both months or years and hours.
    #[error("{0:?} mixes months or years with hours; write only days, weeks, months and years")]
    Mixed(String),
    /// The text, which is the payload, leads to a time outside the supported range.
    #[error("{0:?} is outside the range of times that can be stored")]
    TooFar(String),
}

/// Parses any of the three forms.
///
/// # Errors
/// Returns an error if the text is none of them.
pub fn parse(
    text: &str,
    meaning: TimeMeaning,
    time_context: TimeContext,
) -> Result<String, TimeError> {
    let text = text.trim();
    if let Some(at) = parse_date_or_instant(text, meaning, time_context.zone)? {
        return Ok(at);
    }
    let too_far = || TimeError::TooFar(shorten(text));
    if let Some(span) = CalendarSpan::parse(text) {
        return span
            .end_from(time_context, meaning)
            .and_then(to_rfc3339)
            .ok_or_else(too_far);
    }
    let Ok(duration) = humantime::parse_duration(text) else {
        return Err(TimeError::NotUnderstood(shorten(text)));
    };
    if CalendarSpan::has_months(text) {
        return Err(TimeError::Mixed(shorten(text)));
    }
    let at = match meaning {
        TimeMeaning::Until | TimeMeaning::At => {
            shift_by(time_context.now, duration, DateTime::checked_add_signed)
        }
        TimeMeaning::Since => shift_by(time_context.now, duration, DateTime::checked_sub_signed),
    };
    at.and_then(to_rfc3339).ok_or_else(too_far)
}

/// Returns true for RFC 3339 and for a date, and false for a duration and for any other text.
pub fn is_date_or_instant(text: &str) -> bool {
    let parsed = parse_date_or_instant(text.trim(), TimeMeaning::At, Tz::UTC);
    !matches!(parsed, Ok(None) | Err(TimeError::Missing))
}

/// Parses RFC 3339 or a date. `None` if the text is neither.
fn parse_date_or_instant(
    text: &str,
    meaning: TimeMeaning,
    zone: Tz,
) -> Result<Option<String>, TimeError> {
    if text.is_empty() {
        return Err(TimeError::Missing);
    }
    let too_far = || TimeError::TooFar(shorten(text));
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return to_rfc3339(at.to_utc()).map(Some).ok_or_else(too_far);
    }
    let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") else {
        return Ok(None);
    };
    let day = match meaning {
        TimeMeaning::Until => date.checked_add_days(Days::new(1)),
        TimeMeaning::Since | TimeMeaning::At => Some(date),
    };
    day.and_then(|day| start_of_day(day, zone))
        .and_then(to_rfc3339)
        .map(Some)
        .ok_or_else(too_far)
}

/// A duration in whole days and months. People mean days and months of the calendar, and not a
/// number of seconds.
#[derive(Debug, Default)]
struct CalendarSpan {
    months: u32,
    days: u64,
}

impl CalendarSpan {
    /// Parses `3months`, `1 year 2 weeks`, `90d`. `None` if the text has another unit, or none.
    fn parse(text: &str) -> Option<Self> {
        let mut span = Self::default();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let unit = rest.find(|c: char| !c.is_ascii_digit())?;
            let number: u32 = rest[..unit].parse().ok()?;
            rest = rest[unit..].trim_start();
            let end = rest
                .find(|c: char| !c.is_alphabetic())
                .unwrap_or(rest.len());
            match &rest[..end] {
                "d" | "day" | "days" => span.days += u64::from(number),
                "w" | "week" | "weeks" => span.days += u64::from(number) * 7,
                unit if MONTHS.contains(&unit) => span.months = span.months.checked_add(number)?,
                unit if YEARS.contains(&unit) => {
                    span.months = span.months.checked_add(number.checked_mul(12)?)?;
                }
                _ => return None,
            }
            rest = rest[end..].trim_start();
        }
        (span.months > 0 || span.days > 0).then_some(span)
    }

    /// Returns true if a duration names months or years, whose length depends on the calendar.
    fn has_months(text: &str) -> bool {
        let mut words = text.split(|c: char| !c.is_alphabetic());
        words.any(|word| MONTHS.contains(&word) || YEARS.contains(&word))
    }

    fn end_from(&self, time_context: TimeContext, meaning: TimeMeaning) -> Option<DateTime<Utc>> {
        let local = time_context
            .now
            .with_timezone(&time_context.zone)
            .naive_local();
        let (months, days) = (Months::new(self.months), Days::new(self.days));
        let shifted = match meaning {
            TimeMeaning::Until | TimeMeaning::At => {
                local.checked_add_months(months)?.checked_add_days(days)?
            }
            TimeMeaning::Since => local.checked_sub_months(months)?.checked_sub_days(days)?,
        };
        if meaning == TimeMeaning::Until {
            return start_of_day(shifted.date().succ_opt()?, time_context.zone);
        }
        let at = time_context.zone.from_local_datetime(&shifted).earliest();
        at.map(|at| at.to_utc())
            .or_else(|| start_of_day(shifted.date(), time_context.zone))
    }
}

const MONTHS: [&str; 3] = ["M", "month", "months"];
const YEARS: [&str; 3] = ["y", "year", "years"];

type CalendarShift = fn(DateTime<Utc>, TimeDelta) -> Option<DateTime<Utc>>;

fn shift_by(now: DateTime<Utc>, by: Duration, shift: CalendarShift) -> Option<DateTime<Utc>> {
    let by = TimeDelta::from_std(by).ok()?;
    shift(now, by)
}

fn shorten(text: &str) -> String {
    const MAX_SHOWN: usize = 40;
    text.chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc_time_context() -> TimeContext {
        time_context("2026-12-01T09:00:00.123Z", Tz::UTC)
    }

    fn time_context(now: &str, zone: Tz) -> TimeContext {
        TimeContext {
            now: DateTime::parse_from_rfc3339(now).unwrap().to_utc(),
            zone,
        }
    }

    #[test]
    fn dates_and_calendar_durations_are_those_of_the_zone() {
        use TimeMeaning::{At, Since, Until};
        let berlin = time_context("2026-11-30T05:09:00Z", Tz::Europe__Berlin);
        let summer = time_context("2026-07-01T22:30:00Z", Tz::Europe__Berlin);
        let skips_midnight = time_context("2026-01-01T00:00:00Z", Tz::America__Asuncion);
        let rows = [
            (berlin, "2026-12-31", Until, "2026-12-31T23:00:00Z"),
            (berlin, "2026-12-31", Since, "2026-12-30T23:00:00Z"),
            (berlin, "3months", Until, "2027-02-28T23:00:00Z"),
            (berlin, "1 year", Until, "2027-11-30T23:00:00Z"),
            (berlin, "2weeks", Until, "2026-12-14T23:00:00Z"),
            (berlin, "1month", Since, "2026-10-30T05:09:00Z"),
            (berlin, "1M 1d", At, "2026-12-31T05:09:00Z"),
            (berlin, "36h", Until, "2026-12-01T17:09:00Z"),
            // In Berlin it is the 2nd of July, and in half a year it is winter time.
            (summer, "0d 1d", Until, "2026-07-03T22:00:00Z"),
            (summer, "6months", At, "2027-01-01T23:30:00Z"),
            (
                time_context("2027-01-31T12:00:00Z", Tz::UTC),
                "1month",
                Until,
                "2027-03-01T00:00:00Z",
            ),
            (skips_midnight, "2023-09-30", Until, "2023-10-01T04:00:00Z"),
        ];
        for (context, text, meaning, expect) in rows {
            assert_eq!(
                parse(text, meaning, context),
                Ok(expect.to_owned()),
                "{text:?}"
            );
        }
        let mixed = parse("1month 2h", Until, berlin);
        assert_eq!(mixed, Err(TimeError::Mixed("1month 2h".to_owned())));
    }

    #[test]
    fn times_are_written_in_three_forms() {
        use TimeMeaning::{At, Since, Until};
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
            ("30d", Until, "2027-01-01T00:00:00Z"),
            ("2h 30m", At, "2026-12-01T11:30:00.123Z"),
            ("7d", Since, "2026-11-24T09:00:00.123Z"),
        ];
        for (text, meaning, expect) in rows {
            assert_eq!(
                parse(text, meaning, utc_time_context()),
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
            assert_eq!(
                parse(text, TimeMeaning::Until, utc_time_context()),
                Err(expect),
                "{text:?}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_understood_is_rfc_3339(text in "[0-9TZ:+. dhmy-]{0,30}") {
            for meaning in [TimeMeaning::Until, TimeMeaning::Since, TimeMeaning::At] {
                if let Ok(at) = parse(&text, meaning, utc_time_context()) {
                    proptest::prop_assert!(DateTime::parse_from_rfc3339(&at).is_ok(), "{}", at);
                }
            }
        }
    }
}
