//! Reads the instants of a case: as in the configuration, or relative to the case's `now`.

use std::time::Duration;

use chrono_tz::Tz;

use super::model::CaseTime;
use crate::config::calendar_value;
use crate::config::diagnostic_collector::DiagnosticCollector;
use crate::config::reader::toml_value::TomlValue;
use crate::domain::time::Span;

/// The largest distance from `now`. Ten years are enough for every example, and every sum of such
/// distances is a valid time.
const MAX_DISTANCE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

const TIME_HELP: &str =
    "write \"in 30h\", \"2h ago\", \"now\", \"2026-12-01\" or \"2026-12-01T08:00:00Z\"";

/// Reads the instant, or reports a diagnostic. A day begins in UTC.
pub(super) fn read(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<CaseTime> {
    let text = item.text("in 30h", report)?.trim();
    if text == "now" {
        return Some(CaseTime::FromNow(Span::zero()));
    }
    if let Some(later) = text.strip_prefix("in ") {
        return read_distance(later, item, report).map(CaseTime::FromNow);
    }
    if let Some(earlier) = text.strip_suffix(" ago") {
        return read_distance(earlier, item, report).map(|span| CaseTime::FromNow(-span));
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('-') {
        return calendar_value::read_instant(item, Tz::UTC, report).map(CaseTime::At);
    }
    report_no_time(item, report);
    None
}

fn read_distance(
    text: &str,
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Span> {
    let duration = humantime::parse_duration(text).ok();
    let within_limit = duration.filter(|duration| *duration <= MAX_DISTANCE);
    let span = within_limit.and_then(|near| Span::from_std(near).ok());
    if span.is_none() {
        report_no_time(item, report);
    }
    span
}

fn report_no_time(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) {
    let text = item.as_text().unwrap_or_default();
    let problem = format!("{} is no time", report.show(text));
    report.error(&item.path, problem, TIME_HELP);
}
