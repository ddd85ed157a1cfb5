//! Reads the sections `[[gate]]`: what a gate guards, what a booking costs, and whom the gate is
//! for.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::diagnostic_collector::DiagnosticCollector;
use super::model;
use super::reader::{TomlTable, TomlValue};
use super::value::set;
use super::{criteria, event_type, on_violation, refund_policy, value};
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::decision::MAX_CREDITS;
use crate::domain::gate::{Gate, OnUnanswered};
use crate::domain::id::EventTypeKey;
use crate::domain::time::Span;

/// How long before its start an unanswered request may be declined.
const DECLINE_LEAD: RangeInclusive<Duration> =
    Duration::from_secs(0)..=Duration::from_secs(365 * 24 * 60 * 60);

/// The most gates. The gate of each request is searched among all of them.
const MAX_GATES: usize = 1_000;

/// Reads all gates, in the order of the file.
pub(super) fn read(
    list: &TomlValue<'_>,
    global_policy: &GlobalPolicy,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<Gate> {
    let mut earlier = EarlierGates::default();
    let tables = list.sections("[[gate]]", MAX_GATES, report);
    { tables.into_iter() }
        .map(|table| read_gate(table, global_policy, &mut earlier, report))
        .collect()
}

/// The event types and names that earlier gates use, each with the place where it is used.
#[derive(Default)]
struct EarlierGates {
    event_types: Vec<(EventTypeKey, String)>,
    names: Vec<(String, String)>,
}

fn read_gate(
    mut table: TomlTable<'_>,
    global_policy: &GlobalPolicy,
    earlier: &mut EarlierGates,
    report: &mut DiagnosticCollector<'_>,
) -> Gate {
    let mut gate = model::default_gate();
    let name = table.get("name", report);
    match table.get("event-types", report) {
        Some(item) => gate.event_types = read_event_types(&item, table.path(), earlier, report),
        None => {
            let problem = "this gate has no event-types: it guards nothing".to_owned();
            let help = "add event-types = [\"slug-of-the-event-type\"]";
            report.error(table.path(), problem, help);
        }
    }
    gate.name = choose_gate_name(name, &gate, table.path(), earlier, report);
    if let Some(item) = table.get("cost", report) {
        set(&mut gate.cost, item.number(0..=MAX_CREDITS, report));
    }
    on_violation::read_effect_key(
        &mut table,
        "unknown-booker",
        &mut gate.unknown_booker,
        report,
    );
    on_violation::read_effect_key(
        &mut table,
        "short-of-credit",
        &mut gate.short_of_credit,
        report,
    );
    on_violation::read_effect_key(&mut table, "taken", &mut gate.time_taken, report);
    if let Some(item) = table.get("unanswered", report) {
        set(&mut gate.on_unanswered, read_unanswered(&item, report));
    }
    gate.criteria = criteria::read(&mut table, &gate.event_types, global_policy, report);
    refund_policy::read(&mut table, global_policy.zone, &mut gate.terms, report);
    table.report_unknown_keys(report);
    gate
}

fn read_event_types(
    list: &TomlValue<'_>,
    gate: &str,
    earlier: &mut EarlierGates,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<EventTypeKey> {
    let items = list.list("[\"book-club\", 77]", report);
    if items.is_empty() {
        let problem = "this list is empty: the gate guards nothing".to_owned();
        report.error(
            &list.path,
            problem,
            "name at least one event type, or remove the gate",
        );
    }
    let mut keys = Vec::new();
    for item in items {
        let Some(key) = event_type::read_event_type(&item, report) else {
            continue;
        };
        match earlier.event_types.iter().find(|(known, _)| *known == key) {
            None => {
                earlier.event_types.push((key.clone(), gate.to_owned()));
                keys.push(key);
            }
            Some((_, other)) if other == gate => {
                let problem = "this event type stands here twice".to_owned();
                report.warn(&item.path, problem, "one of the two can go");
            }
            Some((_, other)) => {
                let problem = format!("this event type stands in {other} already");
                let help = "leave it in one gate: which of the two decides could not be told";
                report.error(&item.path, problem, help);
            }
        }
    }
    keys
}

/// Reads `"leave"`, `"decline"`, or `{ decline = "2h" }`, which means that long before the start.
fn read_unanswered(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<OnUnanswered> {
    if item.as_table().is_none() {
        let decline = OnUnanswered::Decline {
            before: Span::zero(),
        };
        let words = [("leave", OnUnanswered::Leave), ("decline", decline)];
        return item.keyword(&words, report);
    }
    let mut table = item.table("{ decline = \"2h\" }", report)?;
    let before = table.get_required("decline", "\"2h\"", report);
    table.report_unknown_keys(report);
    let before = value::read_span(&before?, DECLINE_LEAD, report)?;
    Some(OnUnanswered::Decline { before })
}

/// Returns the gate's name: its own, or that of its first event type. No two gates may have the
/// same name.
fn choose_gate_name(
    item: Option<TomlValue<'_>>,
    gate: &Gate,
    path: &str,
    earlier: &mut EarlierGates,
    report: &mut DiagnosticCollector<'_>,
) -> String {
    let name_path = item.as_ref().map_or(path, |item| &item.path).to_owned();
    let own_name = item.and_then(|item| value::read_name(&item, "club", report));
    let first = gate.event_types.first().map(|key| match key {
        EventTypeKey::Slug(slug) => slug.clone(),
        EventTypeKey::Id(id) => id.to_string(),
    });
    let Some(name) = own_name.or(first) else {
        // There is no name to use; the reason is reported already.
        return String::new();
    };
    match earlier.names.iter().find(|(known, _)| *known == name) {
        Some((_, other)) => {
            let problem = format!("the name {} is that of {other}", report.show(&name));
            report.error(&name_path, problem, "give each gate a name of its own");
        }
        None => earlier.names.push((name.clone(), path.to_owned())),
    }
    name
}
