//! Instants of a case: as in the configuration, or counted from the case's `now`.

use std::time::Duration;

use chrono_tz::Tz;

use super::model::Moment;
use crate::config::reader::Item;
use crate::config::report::Report;
use crate::config::value;
use crate::domain::time::Span;

/// The furthest from `now`: ten years show whatever an example is to show, and every sum of them is
/// a time.
const FURTHEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

const HELP: &str =
    "write \"in 30h\", \"2h ago\", \"now\", \"2026-12-01\" or \"2026-12-01T08:00:00Z\"";

/// The moment, or a finding. A day begins in UTC.
pub(super) fn read(item: &Item<'_>, report: &mut Report<'_>) -> Option<Moment> {
    let text = item.text("in 30h", report)?.trim();
    if text == "now" {
        return Some(Moment::FromNow(Span::zero()));
    }
    if let Some(later) = text.strip_prefix("in ") {
        return distance(later, item, report).map(Moment::FromNow);
    }
    if let Some(earlier) = text.strip_suffix(" ago") {
        return distance(earlier, item, report).map(|span| Moment::FromNow(-span));
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('-') {
        return value::instant(item, Tz::UTC, report).map(Moment::At);
    }
    wrong(item, report);
    None
}

fn distance(text: &str, item: &Item<'_>, report: &mut Report<'_>) -> Option<Span> {
    let duration = humantime::parse_duration(text).ok();
    let near = duration.filter(|duration| *duration <= FURTHEST);
    let span = near.and_then(|near| Span::from_std(near).ok());
    if span.is_none() {
        wrong(item, report);
    }
    span
}

fn wrong(item: &Item<'_>, report: &mut Report<'_>) {
    let text = item.as_text().unwrap_or_default();
    let problem = format!("{} is no time", report.show(text));
    report.error(&item.path, problem, HELP);
}
