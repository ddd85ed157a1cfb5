//! Reads what happens to a request that violates a criterion: `"decline"`, `"review"`, `"leave"`,
//! `"wait"` or `{ wait = "24h", wait-until = "2h" }`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::diagnostic_collector::DiagnosticCollector;
use super::reader::{TomlTable, TomlValue};
use super::value;
use super::value::set;
use crate::domain::criteria::on_violation::{OnViolation, Wait};
use crate::domain::time::Span;

/// Bounds of the time for which a booker may wait. Bookings are not made further ahead.
const WAIT: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(365 * 24 * 60 * 60);

/// Bounds of the time before the start at which a wait may end.
const LEAD: RangeInclusive<Duration> =
    Duration::from_secs(0)..=Duration::from_secs(365 * 24 * 60 * 60);

/// Sets the effect from the key, if there is one that can be read.
pub(super) fn read_effect_key(
    table: &mut TomlTable<'_>,
    key: &'static str,
    effect: &mut OnViolation,
    report: &mut DiagnosticCollector<'_>,
) {
    if let Some(item) = table.get(key, report) {
        set(effect, read_effect(&item, report));
    }
}

/// Sets the effect of a criterion whose result does not change by waiting, and warns of a wait.
pub(super) fn read_permanent_effect_key(
    table: &mut TomlTable<'_>,
    key: &'static str,
    effect: &mut OnViolation,
    report: &mut DiagnosticCollector<'_>,
) {
    let Some(item) = table.get(key, report) else {
        return;
    };
    set(effect, read_effect(&item, report));
    if matches!(effect, OnViolation::Wait(_)) {
        let problem = "waiting changes nothing about this: it ends in a decline".to_owned();
        let help = "write \"decline\", or \"review\" to let a person decide";
        report.warn(&item.path, problem, help);
    }
}

fn read_effect(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<OnViolation> {
    if item.as_table().is_some() {
        return read_wait(item, report);
    }
    let words = [
        ("decline", OnViolation::Decline),
        ("wait", OnViolation::WAIT),
        ("review", OnViolation::Review),
        ("leave", OnViolation::Leave),
    ];
    item.keyword(&words, report)
}

fn read_wait(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<OnViolation> {
    let example = "{ wait = \"24h\" }";
    let mut table = item.table(example, report)?;
    let wait = table.get("wait", report);
    let until = table.get("wait-until", report);
    table.report_unknown_keys(report);
    if wait.is_none() && until.is_none() {
        let problem = "this says nothing of how long to wait".to_owned();
        let help = format!("write {example}, or {{ wait-until = \"2h\" }} (before the start)");
        report.error(&item.path, problem, help);
        return None;
    }
    let at_most = wait.map(|item| value::read_span(&item, WAIT, report));
    let before_start = until.map(|item| value::read_span(&item, LEAD, report));
    Some(OnViolation::Wait(Wait {
        at_most: at_most.map_or(Some(None), |span| span.map(Some))?,
        before_start: before_start.unwrap_or(Some(Span::zero()))?,
    }))
}
