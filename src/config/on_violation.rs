//! Reads what happens to a request that violates a criterion: `"decline"`, `"review"`, `"leave"`,
//! `"wait"` or `{ wait = "24h", wait-until = "2h" }`.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

use super::diagnostic_collector::DiagnosticCollector;
use super::reader::toml_value::TomlValue;
use super::value;
use super::value_type::SpecialType;
use crate::domain::criteria::on_violation::{OnViolation, Wait};
use crate::domain::time::Span;

/// Bounds of the time for which a booker may wait. Bookings are not made further ahead.
const WAIT: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(365 * 24 * 60 * 60);

/// Bounds of the time before the start at which a wait may end.
const LEAD: RangeInclusive<Duration> =
    Duration::from_secs(0)..=Duration::from_secs(365 * 24 * 60 * 60);

/// What happens to a request that does not meet a criterion.
pub(super) const EFFECT: SpecialType<OnViolation> = SpecialType {
    description: DESCRIPTION,
    read: |item, _, report| read_effect(item, report),
    to_json: effect_to_json,
};

/// The effect of a criterion whose result does not change by waiting.
pub(super) const PERMANENT_EFFECT: SpecialType<OnViolation> = SpecialType {
    description: DESCRIPTION,
    read: |item, _, report| read_permanent_effect(item, report),
    to_json: effect_to_json,
};

/// How the documentation describes an effect.
const DESCRIPTION: &str = "an effect, as for `rule.effect`";

const WORDS: [(&str, OnViolation); 4] = [
    ("decline", OnViolation::Decline),
    ("wait", OnViolation::WAIT),
    ("review", OnViolation::Review),
    ("leave", OnViolation::Leave),
];

/// Reads the effect of a criterion whose result does not change by waiting, and warns of a wait.
fn read_permanent_effect(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<OnViolation> {
    let effect = read_effect(item, report)?;
    if matches!(effect, OnViolation::Wait(_)) {
        let problem = "waiting changes nothing about this: it ends in a decline".to_owned();
        let help = "write \"decline\", or \"review\" to let a person decide";
        report.warn(&item.path, problem, help);
    }
    Some(effect)
}

fn read_effect(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<OnViolation> {
    if item.as_table().is_some() {
        return read_wait(item, report);
    }
    item.keyword(&WORDS, report)
}

fn read_wait(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<OnViolation> {
    let example = "{ wait = \"24h\" }";
    let mut table = item.table(example, report)?;
    table.match_names(&["wait", "wait-until"], &[], report);
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

/// Returns the effect in the form in which it is read.
fn effect_to_json(effect: &OnViolation) -> Value {
    if let Some((word, _)) = WORDS.iter().find(|(_, known)| known == effect) {
        return (*word).into();
    }
    let mut table = Map::new();
    let OnViolation::Wait(wait) = effect else {
        return table.into();
    };
    if let Some(span) = &wait.at_most {
        table.insert("wait".to_owned(), value::span_to_json(span));
    }
    if wait.before_start > Span::zero() {
        let lead = value::span_to_json(&wait.before_start);
        table.insert("wait-until".to_owned(), lead);
    }
    table.into()
}
