//! The sections `[[gate]]`: what is guarded, what it costs, and whom it is for.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::diagnostic_collector::DiagnosticCollector;
use super::model;
use super::parse::set;
use super::reader::{TomlTable, TomlValue};
use super::{criteria, on_violation, refund_policy, value};
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::decision::MAX_CREDITS;
use crate::domain::gate::{Gate, OnUnanswered};
use crate::domain::id::{EventTypeId, EventTypeKey, MAX_NAME};
use crate::domain::time::Span;

/// How long before its start an unanswered request may be declined.
const DECLINE_LEAD: RangeInclusive<Duration> =
    Duration::from_secs(0)..=Duration::from_secs(365 * 24 * 60 * 60);

/// Gates that a house may have: each request looks through them for its own.
const MAX_GATES: usize = 1_000;

/// All gates, in the order of the file.
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

/// What earlier gates have taken, with where they took it.
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
        let Some(key) = read_event_type(&item, report) else {
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

pub(super) fn read_event_type(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<EventTypeKey> {
    let help = "give the event type's number at Cal.com (77), or its slug, the last part of its \
        address (\"book-club\")";
    if let Some(number) = item.as_number() {
        if number > 0 {
            return Some(EventTypeKey::Id(EventTypeId(number)));
        }
        let problem = "an event type's number is 1 or more".to_owned();
        report.error(&item.path, problem, help);
        return None;
    }
    let Some(text) = item.as_text() else {
        item.report_type_mismatch("a number or a text in quotes", help, report);
        return None;
    };
    if text.is_empty() || text.len() > MAX_NAME || !text.chars().all(is_slug) {
        let problem = format!("{} is not a slug", report.show(text));
        report.error(&item.path, problem, help);
        return None;
    }
    if text.chars().all(|c| c.is_ascii_digit()) {
        let problem = format!("{} in quotes is a slug, not a number", report.show(text));
        report.warn(
            &item.path,
            problem,
            "leave out the quotes to name the event type by number",
        );
    }
    if text.chars().any(char::is_uppercase) {
        let problem = format!(
            "{} has capitals; Cal.com's slugs have none",
            report.show(text)
        );
        report.warn(
            &item.path,
            problem,
            "write it as in the address of the event type",
        );
    }
    Some(EventTypeKey::Slug(text.to_owned()))
}

/// Cal.com makes slugs of letters of any script, digits and a few signs; never of these.
fn is_slug(c: char) -> bool {
    !(c.is_whitespace() || c.is_control() || "/?#\\".contains(c))
}

/// `"leave"`, `"decline"`, or `{ decline = "2h" }`: so long before the start.
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

/// The gate's name: its own, or that of its first event type. No two are the same.
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
        // Nothing to call it by; the reason is reported already.
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
