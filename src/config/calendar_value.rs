//! Reads values about the calendar: schedules, time zones, days and instants.

use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::{NaiveDate, SecondsFormat};
use chrono_tz::{TZ_VARIANTS, Tz};
use serde_json::Value;

use super::diagnostic_collector::DiagnosticCollector;
use super::reader::toml_value::TomlValue;
use super::recurrence::{self, CronExpression, CronExpressionError, Recurrence};
use super::value;
use crate::domain::name_distance;
use crate::domain::time::{Time, start_of_day};

/// Reads a duration or a cron expression.
pub(super) fn read_recurrence(
    item: &TomlValue<'_>,
    bounds: RangeInclusive<Duration>,
    zone: Tz,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Recurrence> {
    let Some(text) = item.as_text().filter(|text| is_cron(text)) else {
        return value::read_span(item, bounds, report).map(Recurrence::Span);
    };
    match CronExpression::parse(text) {
        Ok(expression) => Some(Recurrence::Cron { expression, zone }),
        Err(err) => {
            let problem = format!("{} {err}", report.show(text));
            report.error(&item.path, problem, cron_help(&err));
            None
        }
    }
}

fn cron_help(err: &CronExpressionError) -> &'static str {
    match err {
        CronExpressionError::TooLong
        | CronExpressionError::WrongFieldCount(_)
        | CronExpressionError::WrongField(_) => {
            "write minute, hour, day, month and weekday, with seconds before them if wanted: \
             \"*/5 8-18 * * MON-FRI\"; or a duration: \"15s\""
        }
        CronExpressionError::NeverDue => "no month that it names has such a day: give another day",
    }
}

/// Returns true if the text was meant as a cron expression. Durations have no such characters, and
/// five words that are no duration are most likely five fields.
fn is_cron(text: &str) -> bool {
    let fields = text.split_whitespace().count() >= 5;
    text.contains(['*', '@', '/', ',', '?', '#'])
        || (fields && humantime::parse_duration(text).is_err())
}

/// Reads a time zone by its IANA name.
pub(super) fn read_zone(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<Tz> {
    let text = item.text("Europe/Berlin", report)?;
    if let Ok(zone) = recurrence::parse_zone(text.trim()) {
        return Some(zone);
    }
    let problem = format!("{} is no time zone", report.show(text));
    let help = match suggest_zone(text.trim()) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None => "give the zone's IANA name, for example \"Europe/Berlin\" or \"UTC\"".to_owned(),
    };
    report.error(&item.path, problem, help);
    None
}

/// Returns the zone whose city was named, or else the zone with the nearest name.
fn suggest_zone(text: &str) -> Option<&'static str> {
    let city = text.replace(' ', "_");
    let is_city = |name: &&'static str| {
        let last = name.rsplit('/').next();
        last.is_some_and(|last| last.eq_ignore_ascii_case(&city))
    };
    let mut names = TZ_VARIANTS.iter().map(|zone| zone.name());
    let found = names
        .clone()
        .find(|name| name.contains('/') && is_city(name));
    found.or_else(|| name_distance::nearest(text, &mut names))
}

/// Reads an instant, or a day, which means its first instant in the zone.
pub(super) fn read_instant(
    item: &TomlValue<'_>,
    zone: Tz,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Time> {
    let text = item.text("2026-12-01", report)?;
    let day = NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d");
    let at = match day {
        Ok(day) => start_of_day(day, zone),
        Err(_) => text.trim().parse::<Time>().ok(),
    };
    if at.is_none() {
        let problem = format!("{} is no date", report.show(text));
        let help = "write \"2026-12-01\", or \"2026-12-01T08:00:00Z\"";
        report.error(&item.path, problem, help);
    }
    at
}

/// Returns the instant in UTC, in a form in which it can be read.
pub(super) fn instant_to_json(at: Time) -> Value {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()
}
