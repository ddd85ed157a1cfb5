//! Computes when something that repeats is due next. Pure: both instants are parameters.
//!
//! croner is only called within a period of constant UTC offset. Across a clock change it can
//! return an instant that has passed (in the doubled hour), or leave that hour out; that is why the
//! search across clock changes is hand-written.

use std::fmt;
use std::str::FromStr as _;

use chrono::{FixedOffset, NaiveDateTime, Offset as _, SubsecRound as _, TimeZone as _};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Year};

use crate::domain::time::{Span, Time};

/// The longest cron expression that is read: real ones have a few dozen characters.
const MAX_EXPRESSION: usize = 200;

/// The step in which the UTC offset is read while searching for a clock change. No zone ever
/// changed twice within a day.
const STRIDE: Span = Span::days(1);

/// How many clock changes one search crosses before it gives up. With two changes a year, that is
/// longer than any expression with a day and a month takes to match again.
const MAX_CHANGES: usize = 1_000;

/// When something repeats.
#[derive(Debug, Clone, PartialEq)]
pub enum Recurrence {
    /// That long after the last run. Never zero.
    Span(Span),
    /// Whenever the local clock of the zone shows a time that matches.
    Cron {
        /// The times that match.
        expression: CronExpression,
        /// The zone of the local clock.
        zone: Tz,
    },
}

/// A cron expression of five or six fields that is due at some time. With six fields, the first is
/// seconds.
#[derive(Clone)]
pub struct CronExpression {
    /// The expression as it was written.
    text: String,
    /// On the heap, because it is twenty times as large as a span.
    cron: Box<Cron>,
}

/// Why a text is not a cron expression that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronExpressionError {
    /// The text is longer than any expression that is read.
    #[error("is longer than {MAX_EXPRESSION} bytes")]
    TooLong,
    /// The text has another number of fields, which is the payload.
    #[error("is no cron expression: it has {0} of the five or six fields")]
    WrongFieldCount(usize),
    /// One field is wrong; the payload names the field.
    #[error("is no cron expression: the field for the {0} is wrong")]
    WrongField(&'static str),
    /// The expression is correct, and no time matches.
    #[error("is a cron expression that never comes round")]
    NeverDue,
}

impl CronExpression {
    /// Returns the expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Parses an expression.
    ///
    /// # Errors
    /// Returns an error if the text is no such expression, or if there is no day on which it is
    /// due.
    pub fn parse(text: &str) -> Result<Self, CronExpressionError> {
        if text.len() > MAX_EXPRESSION {
            return Err(CronExpressionError::TooLong);
        }
        let cron = parse_cron(text).ok_or_else(|| find_wrong_field(text))?;
        let expression = Self {
            text: text.trim().to_owned(),
            cron: Box::new(cron),
        };
        // The calendar repeats after 400 years, and croner searches thousands of years.
        let utc = FixedOffset::east_opt(0).expect("zero is a valid offset");
        match expression.next_match_at_offset(Time::UNIX_EPOCH, utc) {
            Some(_) => Ok(expression),
            None => Err(CronExpressionError::NeverDue),
        }
    }

    /// Returns the first match after the instant, as if the offset never changed.
    fn next_match_at_offset(&self, after: Time, offset: FixedOffset) -> Option<Time> {
        self.cron
            .find_next_occurrence(&after.with_timezone(&offset), false)
            .ok()
            .map(|at| at.to_utc())
    }
}

impl PartialEq for CronExpression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for CronExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl Recurrence {
    /// Returns when the next run is due: never before `now`, and exactly `now` if a run is due
    /// immediately, no matter how many runs were missed meanwhile. `last` is the time of the last
    /// run.
    ///
    /// Without a last run, a span is due immediately, and a cron expression at its next match. A
    /// `last` in the future has no meaning (the clock was set back, or a damaged file was read), so
    /// the run is due immediately: if such a `last` counted as `now`, the run would never become
    /// due for a caller that asks again and again.
    ///
    /// Where clocks change, a match in the skipped hour is due at the end of that hour. In the
    /// doubled hour an expression is due as often as the clock shows a match, except that a single
    /// time of day is due only once, at its first showing.
    pub fn next_after(&self, last: Option<Time>, now: Time) -> Time {
        if last.is_some_and(|last| last > now) {
            return now;
        }
        match self {
            Self::Span(span) => match last {
                Some(last) => last
                    .checked_add_signed(*span)
                    .map_or(Time::MAX_UTC, |due| due.max(now)),
                None => now,
            },
            Self::Cron { expression, zone } => {
                // Without a last run, a match at exactly this instant counts.
                let after = last.unwrap_or(now - Span::milliseconds(1)).trunc_subsecs(0);
                find_next_match(expression, *zone, after).map_or(Time::MAX_UTC, |due| due.max(now))
            }
        }
    }

    /// Returns the shortest time between two due times, as far as a few of them show.
    pub fn shortest_interval(&self) -> Span {
        /// Enough to see the gap within a minute and between minutes.
        const SAMPLES: usize = 70;
        match self {
            Self::Span(span) => *span,
            Self::Cron { expression, .. } => {
                let utc = FixedOffset::east_opt(0).expect("zero is a valid offset");
                let mut at = Time::UNIX_EPOCH;
                let mut shortest = Span::MAX;
                for round in 0..SAMPLES {
                    let Some(next) = expression.next_match_at_offset(at, utc) else {
                        break;
                    };
                    if round > 0 {
                        shortest = shortest.min(next - at);
                    }
                    at = next;
                }
                shortest
            }
        }
    }
}

impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span(span) => {
                let span = span.to_std().unwrap_or_default();
                write!(f, "every {}", humantime::format_duration(span))
            }
            Self::Cron { expression, zone } => write!(f, "{} ({zone})", expression.text),
        }
    }
}

/// Returns the time zone with this IANA name.
///
/// # Errors
/// Returns an error if there is no zone of that name.
pub fn parse_zone(name: &str) -> Result<Tz, chrono_tz::ParseError> {
    Tz::from_str(name)
}

/// Parses the text. The parser's own message is dropped, because it would not help the author of
/// the expression; see `find_wrong_field`.
fn parse_cron(text: &str) -> Option<Cron> {
    let parser = CronParser::builder().year(Year::Disallowed).build();
    parser.parse(text).ok()
}

/// Returns what is wrong with a text that could not be parsed: the first field that is wrong even
/// if all others are stars.
fn find_wrong_field(text: &str) -> CronExpressionError {
    const NAMES: [&str; 6] = ["second", "minute", "hour", "day", "month", "weekday"];
    let fields: Vec<&str> = text.split_whitespace().collect();
    if !(5..=NAMES.len()).contains(&fields.len()) {
        return CronExpressionError::WrongFieldCount(fields.len());
    }
    let names = &NAMES[NAMES.len() - fields.len()..];
    let wrong = names.iter().enumerate().find(|(at, _)| {
        let mut stars = vec!["*"; fields.len()];
        stars[*at] = fields[*at];
        parse_cron(&stars.join(" ")).is_none()
    });
    match wrong {
        Some((_, name)) => CronExpressionError::WrongField(name),
        None => CronExpressionError::WrongFieldCount(fields.len()),
    }
}

/// Returns the first instant after `after` at which the expression is due, in whole seconds.
fn find_next_match(expression: &CronExpression, zone: Tz, after: Time) -> Option<Time> {
    let is_fixed_time = expression.cron.determine_job_type() == croner::JobType::FixedTime;
    let mut after = after;
    for _ in 0..MAX_CHANGES {
        let offset = offset_at(zone, after);
        let due = expression.next_match_at_offset(after, offset)?;
        match find_offset_change(zone, after, due) {
            None if is_fixed_time && is_repeat(zone, due) => after = due,
            None => return Some(due),
            Some(change) => {
                if skips_match(expression, zone, change) {
                    return Some(change);
                }
                // The first instant after the change counts as well.
                after = change - Span::seconds(1);
                let at_change = expression.next_match_at_offset(after, offset_at(zone, change));
                if at_change == Some(change) && !(is_fixed_time && is_repeat(zone, change)) {
                    return Some(change);
                }
                after = change;
            }
        }
    }
    None
}

/// Returns the first instant in `(after, until]` at which the offset differs from that at `after`.
fn find_offset_change(zone: Tz, after: Time, until: Time) -> Option<Time> {
    let offset = offset_at(zone, after);
    let (mut before_change, mut at_change) = (after, after);
    while offset_at(zone, at_change) == offset {
        before_change = at_change;
        if before_change >= until {
            return None;
        }
        at_change = before_change.checked_add_signed(STRIDE)?.min(until);
    }
    while at_change - before_change > Span::seconds(1) {
        let middle = (before_change + (at_change - before_change) / 2).trunc_subsecs(0);
        match offset_at(zone, middle) == offset {
            true => before_change = middle,
            false => at_change = middle,
        }
    }
    Some(at_change)
}

/// Returns true if clocks go forward at the instant, and the expression matches a time that they
/// skip.
fn skips_match(expression: &CronExpression, zone: Tz, change: Time) -> bool {
    let before = offset_at(zone, change - Span::seconds(1));
    let skipped = offset_at(zone, change).local_minus_utc() - before.local_minus_utc();
    if skipped <= 0 {
        return false;
    }
    // The skipped times are those that the old clock would have shown from the change on.
    expression
        .next_match_at_offset(change - Span::seconds(1), before)
        .is_some_and(|at| at < change + Span::seconds(i64::from(skipped)))
}

/// Returns true if the local clock has shown this time before.
fn is_repeat(zone: Tz, at: Time) -> bool {
    let wall: NaiveDateTime = at.with_timezone(&zone).naive_local();
    zone.from_local_datetime(&wall)
        .earliest()
        .is_some_and(|first| first.to_utc() < at)
}

fn offset_at(zone: Tz, at: Time) -> FixedOffset {
    zone.offset_from_utc_datetime(&at.naive_utc()).fix()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_time(text: &str) -> Time {
        text.parse().expect("the row holds an RFC 3339 time")
    }

    fn cron_recurrence(expression: &str, zone: Tz) -> Recurrence {
        Recurrence::Cron {
            expression: CronExpression::parse(expression).expect("the row holds an expression"),
            zone,
        }
    }

    /// Returns the next few due times after the instant, in UTC.
    fn next_due_times(recurrence: &Recurrence, after: &str, number: usize) -> Vec<String> {
        let mut last = parse_time(after);
        let mut due_times = Vec::new();
        for _ in 0..number {
            last = recurrence.next_after(Some(last), last);
            due_times.push(last.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
        }
        due_times
    }

    #[test]
    fn spans_are_due_from_the_last_run() {
        let recurrence = Recurrence::Span(Span::seconds(15));
        let now = parse_time("2026-11-24T12:00:00Z");
        let rows = [
            ("never done: at once", None, 0),
            ("just done", Some(0), 15),
            ("done a while ago", Some(-5), 10),
            ("due now", Some(-15), 0),
            ("missed several: once, at once", Some(-100), 0),
            (
                "done in the future, as the clock was set back",
                Some(3600),
                0,
            ),
        ];
        for (why, last, expect) in rows {
            let last = last.map(|seconds| now + Span::seconds(seconds));
            let due = recurrence.next_after(last, now);
            assert_eq!(due - now, Span::seconds(expect), "{why}");
        }
        let last = Some(Time::MAX_UTC);
        assert_eq!(recurrence.next_after(last, Time::MAX_UTC), Time::MAX_UTC);
    }

    #[test]
    fn cron_expressions_are_due_at_their_next_match() {
        let recurrence = cron_recurrence("*/10 * * * *", Tz::UTC);
        let rows = [
            // (last, now, expect)
            (None, "12:00:00Z", "12:00:00Z"),
            (None, "12:00:00.300Z", "12:10:00Z"),
            (Some("12:00:00Z"), "12:00:00.200Z", "12:10:00Z"),
            (Some("11:59:59.900Z"), "12:00:00Z", "12:00:00Z"),
            (Some("11:50:00Z"), "12:00:00.500Z", "12:00:00.500Z"),
            (Some("09:00:00Z"), "12:03:00Z", "12:03:00Z"),
            (Some("18:00:00Z"), "12:03:00Z", "12:03:00Z"),
        ];
        for (last, now, expect) in rows {
            let day = |time: &str| parse_time(&format!("2026-11-24T{time}"));
            let due = recurrence.next_after(last.map(day), day(now));
            assert_eq!(due, day(expect), "{last:?} {now}");
        }
    }

    #[test]
    fn cron_expressions_across_clock_changes() {
        let berlin = Tz::Europe__Berlin;
        let new_york = Tz::America__New_York;
        let lord_howe = Tz::Australia__Lord_Howe;
        let rows: [(&str, Tz, &str, &[&str]); 13] = [
            // Berlin, 29 March 2026: 02:00 CET is followed by 03:00 CEST, at 01:00 UTC.
            (
                "*/30 * * * *",
                berlin,
                "2026-03-29T00:00:00Z",
                &["00:30:00Z", "01:00:00Z", "01:30:00Z", "02:00:00Z"],
            ),
            // A time that does not exist on that day is due at the end of the gap, and at its usual
            // hour on the next day.
            (
                "30 2 * * *",
                berlin,
                "2026-03-28T12:00:00Z",
                &["29T01:00:00Z", "30T00:30:00Z"],
            ),
            (
                "30 2,14 * * *",
                berlin,
                "2026-03-28T14:00:00Z",
                &["29T01:00:00Z", "29T12:30:00Z", "30T00:30:00Z"],
            ),
            // The first instant after the gap is due once, although skipped times fall on it as
            // well.
            (
                "0 2,3 * * *",
                berlin,
                "2026-03-28T14:00:00Z",
                &["29T01:00:00Z", "30T00:00:00Z"],
            ),
            // An expression without a match in the gap is not due at the end of the gap.
            (
                "0 4 * * *",
                berlin,
                "2026-03-28T14:00:00Z",
                &["29T02:00:00Z"],
            ),
            // Berlin, 25 October 2026: 03:00 CEST is followed by 02:00 CET, at 01:00 UTC. The hour
            // from two to three is shown twice.
            (
                "*/30 * * * *",
                berlin,
                "2026-10-25T00:00:00Z",
                &["00:30:00Z", "01:00:00Z", "01:30:00Z", "02:00:00Z"],
            ),
            (
                "30 2 * * *",
                berlin,
                "2026-10-24T12:00:00Z",
                &["25T00:30:00Z", "26T01:30:00Z"],
            ),
            // The search starts within the second showing.
            (
                "30 2 * * *",
                berlin,
                "2026-10-25T01:10:00Z",
                &["26T01:30:00Z"],
            ),
            // The match is at exactly the instant of the change.
            (
                "0 2 * * *",
                berlin,
                "2026-10-25T00:30:00Z",
                &["26T01:00:00Z"],
            ),
            // New York, 8 March 2026 at 07:00 UTC, and 1 November 2026 at 06:00 UTC.
            (
                "30 2 * * *",
                new_york,
                "2026-03-07T12:00:00Z",
                &["08T07:00:00Z", "09T06:30:00Z"],
            ),
            (
                "30 1 * * *",
                new_york,
                "2026-10-31T12:00:00Z",
                &["01T05:30:00Z", "02T06:30:00Z"],
            ),
            (
                "15 0 1 * * *",
                new_york,
                "2026-11-01T04:00:00Z",
                &["01T05:00:15Z", "02T06:00:15Z"],
            ),
            // Lord Howe goes back by half an hour, from 02:00 to 01:30, on 4 April 2026 at 15:00
            // UTC.
            (
                "*/20 * * * *",
                lord_howe,
                "2026-04-04T14:30:00Z",
                &["14:40:00Z", "15:10:00Z", "15:30:00Z", "15:50:00Z"],
            ),
        ];
        for (expression, zone, after, expect) in rows {
            let found = next_due_times(&cron_recurrence(expression, zone), after, expect.len());
            for (found, expect) in found.iter().zip(expect) {
                assert!(
                    found.ends_with(expect),
                    "{expression} {zone}: {found}, not {expect}"
                );
            }
        }
    }

    /// Returns every due time of the period, found by reading the local clock minute by minute.
    fn due_times_by_minute(
        expression: &CronExpression,
        zone: Tz,
        from: Time,
        minutes: i64,
    ) -> Vec<Time> {
        let cron = &expression.cron;
        let is_fixed_time = cron.determine_job_type() == croner::JobType::FixedTime;
        let wall = |at: Time| at.with_timezone(&zone).naive_local();
        let matches = |wall: NaiveDateTime| cron.is_time_matching(&wall.and_utc()).unwrap();
        let minute = Span::minutes(1);
        let is_due = |at: Time| {
            let mut skipped = wall(at - minute) + minute;
            while skipped < wall(at) {
                if matches(skipped) {
                    return true;
                }
                skipped += minute;
            }
            let mut before = (1..180).map(|n| wall(at - minute * n));
            matches(wall(at)) && !(is_fixed_time && before.any(|shown| shown == wall(at)))
        };
        (1..minutes)
            .map(|n| from + minute * i32::try_from(n).unwrap())
            .filter(|at| is_due(*at))
            .collect()
    }

    #[test]
    fn the_quick_search_finds_what_the_slow_one_finds() {
        let expressions = [
            "*/7 * * * *",
            "30 2 * * *",
            "0 2 * * *",
            "0 3 * * *",
            "59 1 * * *",
            "0 2,3,4 * * *",
            "15,45 1-3 * * *",
            "0 0 * * *",
            "*/20 2 * * SUN",
        ];
        let changes = [
            (Tz::Europe__Berlin, "2026-03-28T00:00:00Z"),
            (Tz::Europe__Berlin, "2026-10-24T00:00:00Z"),
            (Tz::America__New_York, "2026-03-07T06:00:00Z"),
            (Tz::America__New_York, "2026-10-31T06:00:00Z"),
            (Tz::Australia__Lord_Howe, "2026-04-03T12:00:00Z"),
            (Tz::Australia__Lord_Howe, "2026-10-02T12:00:00Z"),
            // At midnight: the day begins at one, or its last hour is shown twice.
            (Tz::America__Havana, "2026-03-07T00:00:00Z"),
            (Tz::America__Havana, "2026-10-31T00:00:00Z"),
        ];
        for (expression, (zone, from)) in expressions
            .iter()
            .flat_map(|expression| changes.iter().map(move |change| (*expression, *change)))
        {
            let expression = CronExpression::parse(expression).unwrap();
            let from = parse_time(from);
            let slow = due_times_by_minute(&expression, zone, from, 3 * 24 * 60);
            let last = *slow
                .last()
                .expect("each is due at least once in three days");
            let mut quick = Vec::new();
            let mut after = from;
            while after < last {
                after = find_next_match(&expression, zone, after).unwrap();
                quick.push(after);
            }
            assert_eq!(quick, slow, "{expression:?} {zone}");
            for start in (0..48).map(|n| from + Span::minutes(41) * n) {
                let expect = slow.iter().find(|due| **due > start).copied();
                if expect.is_some() {
                    let found = find_next_match(&expression, zone, start);
                    assert_eq!(found, expect, "{expression:?} {zone} {start}");
                }
            }
        }
    }

    #[test]
    fn a_leap_day_is_found_across_many_clock_changes() {
        let recurrence = cron_recurrence("0 12 29 2 *", Tz::Europe__Berlin);
        assert_eq!(
            next_due_times(&recurrence, "2096-03-01T00:00:00Z", 1),
            ["2104-02-29T11:00:00Z"]
        );
    }

    #[test]
    fn the_next_due_time_is_always_later() {
        for zone in [
            Tz::Europe__Berlin,
            Tz::America__New_York,
            Tz::Australia__Lord_Howe,
        ] {
            let recurrence = cron_recurrence("*/7 * * * *", zone);
            let mut last = parse_time("2026-03-28T00:00:00Z");
            let end = parse_time("2026-03-30T00:00:00Z");
            while last < end {
                let due = recurrence.next_after(Some(last), last);
                assert!(
                    due > last && due - last <= Span::minutes(7),
                    "{zone} {last}"
                );
                last = due;
            }
        }
    }

    #[test]
    fn malformed_expressions_are_refused() {
        let rows = [
            ("", CronExpressionError::WrongFieldCount(0)),
            ("@often", CronExpressionError::WrongFieldCount(1)),
            ("* * * *", CronExpressionError::WrongFieldCount(4)),
            ("* * * * * * *", CronExpressionError::WrongFieldCount(7)),
            ("61 * * * *", CronExpressionError::WrongField("minute")),
            ("61 * * * * *", CronExpressionError::WrongField("second")),
            ("* * * 13 *", CronExpressionError::WrongField("month")),
            (
                "0 9 * * FREITAG",
                CronExpressionError::WrongField("weekday"),
            ),
            ("a b c d e", CronExpressionError::WrongField("minute")),
            ("0 0 30 2 *", CronExpressionError::NeverDue),
            ("0 0 31 4,6,9,11 *", CronExpressionError::NeverDue),
            (&"* ".repeat(150), CronExpressionError::TooLong),
        ];
        for (text, expect) in rows {
            assert_eq!(CronExpression::parse(text), Err(expect), "{text}");
        }
        for text in [
            "* * * * *",
            "*/5 8-18 * * MON-FRI",
            "0 0 29 2 *",
            "@daily",
            "5 4 3 2 1 0",
        ] {
            assert!(CronExpression::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_shortest_interval_is_found() {
        let rows = [
            ("* * * * * *", 1),
            ("0,3 * * * * *", 3),
            ("* * * * *", 60),
            ("0,2 0 * * *", 120),
            ("0 0 * * *", 86_400),
        ];
        for (expression, seconds) in rows {
            assert_eq!(
                cron_recurrence(expression, Tz::UTC).shortest_interval(),
                Span::seconds(seconds),
                "{expression}"
            );
        }
    }
}
