//! Reads values with a form of their own: durations, shares, schedules, time zones, paths.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use std::net::IpAddr;

use chrono::NaiveDate;
use chrono_tz::{TZ_VARIANTS, Tz};
use humantime::format_duration;

use super::diagnostic_collector::DiagnosticCollector;
use super::reader::TomlValue;
use super::recurrence::{self, CronExpression, CronExpressionError, Recurrence};
use super::secret_detection;
use crate::domain::id::{MAX_NAME, domain_to_ascii};
use crate::domain::name_distance;
use crate::domain::time::{Span, Time, start_of_day};

/// The longest name of a gate, a rule or a tier: names appear in lines of the log and in tables.
const MAX_SHORT_NAME: usize = 64;

/// Reads a duration in words, within bounds.
pub(super) fn read_duration(
    item: &TomlValue<'_>,
    bounds: RangeInclusive<Duration>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Duration> {
    if item.as_number().is_some() {
        item.report_type_mismatch(
            "a duration in quotes",
            "write the unit too, for example \"15s\"",
            report,
        );
        return None;
    }
    let text = item.text("15s", report)?;
    match humantime::parse_duration(text) {
        Ok(duration) => check_bounds(item, text, duration, &bounds, report),
        Err(err) => {
            let problem = format!("{} is not a duration", report.show(text));
            report.error(&item.path, problem, duration_help(&err, &bounds));
            None
        }
    }
}

/// Reads a duration as the span that the domain uses.
pub(super) fn read_span(
    item: &TomlValue<'_>,
    bounds: RangeInclusive<Duration>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Span> {
    read_duration(item, bounds, report).map(to_span)
}

fn to_span(duration: Duration) -> Span {
    Span::from_std(duration).expect("every bound is far below what a span holds")
}

fn check_bounds(
    item: &TomlValue<'_>,
    text: &str,
    duration: Duration,
    bounds: &RangeInclusive<Duration>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Duration> {
    let flaw = if duration < *bounds.start() {
        "too short"
    } else if duration > *bounds.end() {
        "too long"
    } else if !duration.subsec_nanos().is_multiple_of(1_000_000) {
        "finer than a millisecond"
    } else {
        return Some(duration);
    };
    let problem = format!("{} is {flaw}", report.show(text));
    report.error(&item.path, problem, bounds_help(bounds));
    None
}

fn bounds_help(bounds: &RangeInclusive<Duration>) -> String {
    let (least, most) = (format_bound(*bounds.start()), format_bound(*bounds.end()));
    format!("give a duration from {least} to {most}")
}

/// Formats whole days as days, because the months and years of humantime are not whole.
fn format_bound(duration: Duration) -> String {
    /// A day in seconds.
    const DAY: u64 = 86_400;
    match duration.as_secs() {
        DAY => "1day".to_owned(),
        seconds if seconds > DAY && seconds.is_multiple_of(DAY) => format!("{}days", seconds / DAY),
        _ => format_duration(duration).to_string(),
    }
}

fn duration_help(err: &humantime::DurationError, bounds: &RangeInclusive<Duration>) -> String {
    use humantime::DurationError as Error;
    match err {
        Error::UnknownUnit { unit, .. } if unit.is_empty() => {
            "write the unit too, for example \"15s\"".to_owned()
        }
        Error::UnknownUnit { .. } => {
            "units are ms, s, m, h, days, weeks; for example \"90s\" or \"1h 30m\"".to_owned()
        }
        Error::InvalidCharacter(_)
        | Error::NumberExpected(_)
        | Error::NumberOverflow
        | Error::Empty => {
            format!("{}, for example \"90s\" or \"1h 30m\"", bounds_help(bounds))
        }
    }
}

/// Reads a share: `"50%"`.
pub(super) fn read_percent(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<u8> {
    let help = "give a share from \"1%\" to \"100%\"";
    let text = item.text("50%", report)?;
    let number = text
        .trim()
        .strip_suffix('%')
        .map(|n| n.trim().parse::<u8>());
    match number {
        Some(Ok(share @ 1..=100)) => Some(share),
        Some(Ok(_) | Err(_)) | None => {
            let problem = format!("{} is not a share", report.show(text));
            report.error(&item.path, problem, help);
            None
        }
    }
}

/// Reads a duration or a cron expression.
pub(super) fn read_recurrence(
    item: &TomlValue<'_>,
    bounds: RangeInclusive<Duration>,
    zone: Tz,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Recurrence> {
    let Some(text) = item.as_text().filter(|text| is_cron(text)) else {
        return read_span(item, bounds, report).map(Recurrence::Span);
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

/// Reads the domain after the `@` of an address, in lower case.
pub(super) fn read_domain(
    text: &str,
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let domain = domain_to_ascii(text.trim());
    let is_forbidden = |c: char| c.is_whitespace() || c.is_control() || "@/,;".contains(c);
    if domain.is_empty() || domain.len() > MAX_NAME || domain.contains(is_forbidden) {
        let shown = report.show(item.as_text().unwrap_or(text));
        let problem = format!("{shown} is no domain");
        report.error(&item.path, problem, "write it as in \"example.com\"");
        return None;
    }
    Some(domain)
}

/// Reads the keys `at-least` and `at-most` of a table.
pub(super) fn read_range<T: PartialOrd>(
    item: &TomlValue<'_>,
    read_value: &dyn Fn(&TomlValue<'_>, &mut DiagnosticCollector<'_>) -> Option<T>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<(Option<T>, Option<T>)> {
    let mut table = item.table("{ at-least = …, at-most = … }", report)?;
    let least = table.get("at-least", report);
    let most = table.get("at-most", report);
    table.report_unknown_keys(report);
    let least = least.map_or(Some(None), |item| read_value(&item, report).map(Some));
    let most = most.map_or(Some(None), |item| read_value(&item, report).map(Some));
    let (least, most) = (least?, most?);
    if let (Some(low), Some(high)) = (&least, &most)
        && low > high
    {
        let problem = "at-least is more than at-most: nothing fits".to_owned();
        report.error(&item.path, problem, "make at-most the larger of the two");
        return None;
    }
    Some((least, most))
}

/// Reads the tiers of members.
pub(super) fn read_tiers(
    list: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<String> {
    let example = "[\"gold\"]";
    let items = list.list(example, report);
    if items.is_empty() {
        let problem = "this names no tier".to_owned();
        let help = format!("for example {example}; left out, it is for all");
        report.error(&list.path, problem, help);
    }
    let mut tiers = Vec::new();
    for item in items {
        let Some(tier) = read_name(&item, "gold", report) else {
            continue;
        };
        if tiers.contains(&tier) {
            let problem = "this tier stands here twice".to_owned();
            report.warn(&item.path, problem, "one of the two can go");
        }
        tiers.push(tier);
    }
    tiers
}

/// Reads a name of one line.
pub(super) fn read_name(
    item: &TomlValue<'_>,
    example: &str,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let text = item.text(example, report)?;
    let name = text.trim();
    if name.is_empty() || name.len() > MAX_SHORT_NAME || name.contains(char::is_control) {
        let problem = format!("{} is not a name", report.show(text));
        let help = format!("give 1 to {MAX_SHORT_NAME} bytes of text on one line");
        report.error(&item.path, problem, help);
        return None;
    }
    Some(name.to_owned())
}

/// Reads the path of a secret's file, and refuses the secret itself.
pub(super) fn read_secret_file(
    item: &TomlValue<'_>,
    base: &Path,
    (problem, help): (&str, &str),
    report: &mut DiagnosticCollector<'_>,
) -> Option<PathBuf> {
    let text = item.as_text().unwrap_or_default();
    if secret_detection::value_looks_secret(text) && !text.contains('/') {
        report.error(&item.path, problem.to_owned(), help);
        return None;
    }
    read_path(item, base, report)
}

/// Reads a path. A relative path starts at `base`.
pub(super) fn read_path(
    item: &TomlValue<'_>,
    base: &Path,
    report: &mut DiagnosticCollector<'_>,
) -> Option<PathBuf> {
    let text = item.text("/var/lib/maitred", report)?;
    let (problem, help) = if text.trim().is_empty() {
        ("is empty", "give a path")
    } else if text.contains(char::is_control) {
        ("has a control character", "give a path without")
    } else if text.starts_with('~') {
        (
            "starts with `~`, which nothing replaces here",
            "write the whole path",
        )
    } else {
        return Some(base.join(text));
    };
    let problem = format!("the path {problem}");
    report.error(&item.path, problem, help);
    None
}

/// Sets the value that was read. A value that could not be read keeps its default, so that the
/// reading can continue.
pub(super) fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// Returns true if calls to the host do not leave this machine. IPv6 addresses are in brackets.
pub(super) fn is_local(host: &str) -> bool {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<IpAddr> = plain.parse().ok();
    address.is_some_and(|address| address.is_loopback())
        || host == "localhost"
        || host.ends_with(".localhost")
}
