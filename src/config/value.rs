//! Reads values with a form of their own: durations, shares, names, paths.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::diagnostic_collector::DiagnosticCollector;
use super::reader::toml_value::TomlValue;
use crate::domain::id::{MAX_NAME, domain_to_ascii};
use crate::domain::time::Span;

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

/// Returns the duration, which is within the bounds of a key, as the span that the domain uses.
pub(super) fn to_span(duration: Duration) -> Span {
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
    let (least, most) = (
        format_duration(*bounds.start()),
        format_duration(*bounds.end()),
    );
    format!("give a duration from {least} to {most}")
}

/// Formats a duration in the form in which durations are read, and always in the same form: whole
/// days, hours, minutes, seconds and milliseconds.
pub(super) fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let days = seconds / 86_400;
    let units = [
        (days, if days == 1 { "day" } else { "days" }),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (u64::from(duration.subsec_millis()), "ms"),
    ];
    let words = units.iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = words
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    match words.is_empty() {
        true => "0s".to_owned(),
        false => words.join(" "),
    }
}

/// Returns the span in words. No span of a configuration is negative.
pub(super) fn span_to_json(span: &Span) -> Value {
    format_duration(span.to_std().unwrap_or_default()).into()
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
    table.match_names(&["at-least", "at-most"], &[], report);
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

/// Returns the bounds of a range that are there.
pub(super) fn range_to_json<T>(
    least: Option<&T>,
    most: Option<&T>,
    value_to_json: fn(&T) -> Value,
) -> Value {
    let ends = [("at-least", least), ("at-most", most)];
    let ends = ends.into_iter().filter_map(|(key, end)| Some((key, end?)));
    Value::Object(
        ends.map(|(key, end)| (key.to_owned(), value_to_json(end)))
            .collect(),
    )
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

/// Reads a path. A relative path starts at `base`.
pub(super) fn read_path(
    item: &TomlValue<'_>,
    base: &Path,
    example: &str,
    report: &mut DiagnosticCollector<'_>,
) -> Option<PathBuf> {
    let text = item.text(example, report)?;
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

/// Returns the path as a text.
pub(super) fn path_to_json(path: &Path) -> Value {
    path.to_string_lossy().into()
}

/// Returns a list in an order that does not depend on the order of the items.
pub(super) fn sorted(items: impl Iterator<Item = Value>) -> Value {
    let mut items: Vec<Value> = items.collect();
    items.sort_by_cached_key(Value::to_string);
    Value::Array(items)
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
