//! The section `[[gate]]`: what a gate guards and what a booking costs. `criteria` and
//! `refund_policy` have the other keys of a gate.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::Decisions;
use super::key::KeyValue::{Default, Example, Required};
use super::key::{KeyRow, ReadContext, Section, Setting};
use super::key_names::RenamedKey;
use super::on_violation::EFFECT;
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::value_type::{FieldAt, SpecialField, SpecialType};
use super::{cost, criteria, event_type, price, refund_policy, rule, value};
use crate::domain::criteria::gate_criteria::Criteria;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::criteria::price::Cost;
use crate::domain::gate::{Gate, OnUnanswered};
use crate::domain::id::EventTypeKey;
use crate::domain::refund_policy::Terms;
use crate::domain::time::Span;

/// How long before its start an unanswered request may be declined.
const DECLINE_LEAD: RangeInclusive<Duration> =
    Duration::from_secs(0)..=Duration::from_secs(365 * 24 * 60 * 60);

/// The most gates. The gate of each request is searched among all of them.
const MAX_GATES: usize = 1_000;

pub(super) const SECTION: Section<Gate> = Section {
    path: "gate[]",
    doc: "A gate guards one or more event types. maitred answers no booking without a gate. To \
        have a gate, remove the \"#\" in front of its lines and name your event types; for \
        different terms write [[gate]] again. Each event type must ask for confirmation of every \
        booking (at Cal.com: Advanced, \"Requires confirmation\", \"Always\"), and must have no \
        price.",
    keys: &[KEYS, criteria::KEYS, refund_policy::KEYS],
    renamed: &[RenamedKey {
        old: "answer-too-many",
        new: Some("decline-too-many"),
        help: "write `decline-too-many`",
    }],
    complete: |table, gate, context, report| {
        choose_gate_name(table, gate, context, report);
        criteria::check(table, gate, context, report);
        refund_policy::check(table, gate, report);
    },
};

const KEYS: &[KeyRow<Gate>] = &[
    KeyRow {
        name: "name",
        value: Example("\"club\""),
        affects: Decisions,
        doc: "The name of the gate in decisions and statements. Left out: the name of its first \
            event type.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.name,
            SpecialType {
                description: "a name of up to 64 bytes",
                read: |item, _, report| value::read_name(item, "club", report),
                to_json: |name: &String| name.as_str().into(),
            },
        ),
    },
    KeyRow {
        name: "event-types",
        value: Required("[\"book-club\", 77]"),
        affects: Decisions,
        doc: "The event types: the slug, which is the last part of the address \
            (cal.com/bo/book-club), or the number. An event type stands in one gate only.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.event_types,
            SpecialType {
                description: "a list of slugs and numbers",
                read: read_event_types,
                to_json: |event_types: &Vec<EventTypeKey>| event_type::to_json(event_types),
            },
        ),
    },
    KeyRow {
        name: "cost",
        value: Default("1"),
        affects: Decisions,
        doc: "What a booking costs if no price matches, in whole credits. Each occurrence of a \
            series is a booking. 0: an account is enough. { base = 1, per-guest = 1 } adds a price \
            for each guest that the booker invited. { cel = \"1 + size(booking.guests)\" } is an \
            expression that gives the number (see docs/rules.md). { lookup = \"prices\" } is the \
            number that this [[lookup]] answers, and with field = \"credits\" the number in that \
            field of its answer. A price that cannot be determined confirms nothing: the request \
            is left for review, or handled by the lookup's no-answer.",
        field: &FieldAt(|gate: &mut Gate| &mut gate.cost, cost::COST),
    },
    KeyRow {
        name: "prices",
        value: Default("[]"),
        affects: Decisions,
        doc: "Other prices: the first one that matches counts, and a condition that is left out \
            matches always. { cost = 2, tiers = [\"gold\"] } is for members of these tiers; \
            event-types = [\"book-club\"] for these event types; length = \"1h\" or \
            length = { at-least = \"30m\", at-most = \"2h\" } for bookings of that length; \
            weekdays = [\"mon-fri\", \"sun\"] and hours = \"18:00-24:00\" for those that start \
            then; occurrences = 5 or occurrences = { at-least = 5 } for series of that many. The \
            cost of a price has the forms of the key cost.",
        field: &SpecialField {
            description: "a list of prices",
            read: |item, gate: &mut Gate, context, report| {
                gate.criteria.prices = price::read_prices(item, &gate.event_types, context, report);
            },
            to_json: |gate| price::to_json(&gate.criteria.prices),
        },
    },
    KeyRow {
        name: "unknown-booker",
        value: Default("\"decline\""),
        affects: Decisions,
        doc: "What happens to a request of a booker without an account; as a rule's effect, at \
            [[rule]] above.",
        field: &FieldAt(|gate: &mut Gate| &mut gate.unknown_booker, EFFECT),
    },
    KeyRow {
        name: "short-of-credit",
        value: Default("\"decline\""),
        affects: Decisions,
        doc: "What happens to a request of a booker with too few credits; likewise, as all effects \
            below.",
        field: &FieldAt(|gate: &mut Gate| &mut gate.short_of_credit, EFFECT),
    },
    KeyRow {
        name: "taken",
        value: Default("\"decline\""),
        affects: Decisions,
        doc: "What happens to a request for a time at which the host has an accepted booking, or \
            takes part in one of another host, including the buffers of the event types. Cal.com \
            itself would confirm both. maitred does not read Cal.com's own limits of bookings and \
            hours: set caps for those.",
        field: &FieldAt(|gate: &mut Gate| &mut gate.time_taken, EFFECT),
    },
    KeyRow {
        name: "unanswered",
        value: Default("\"leave\""),
        affects: Decisions,
        doc: "What happens to a request that is left for an operator (\"review\") and stays \
            unanswered: \"leave\" (it stays pending at Cal.com, and the report has a problem when \
            it begins); \"decline\" (when it begins); { decline = \"2h\" } (that long before). \
            Nothing is confirmed after its start.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.on_unanswered,
            SpecialType {
                description: "\"leave\" or \"decline\", or a table with a duration",
                read: |item, _, report| read_unanswered(item, report),
                to_json: |unanswered| unanswered_to_json(*unanswered),
            },
        ),
    },
];

/// Reads all gates, in the order of the file.
pub(super) fn read_list(
    list: &TomlValue<'_>,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<Gate> {
    let mut names: Vec<(String, String)> = Vec::new();
    let mut event_types: Vec<(EventTypeKey, String)> = Vec::new();
    let mut default_gate = blank_gate();
    SECTION.set_defaults(&mut default_gate, context);
    let mut gates = Vec::new();
    for table in list.sections(&SECTION.header(), MAX_GATES, report) {
        let path = table.path().to_owned();
        let context = ReadContext {
            earlier_names: &names,
            earlier_event_types: &event_types,
            ..*context
        };
        let gate = read_gate(table, default_gate.clone(), &context, report);
        names.push((gate.name.clone(), path.clone()));
        let own = gate.event_types.iter().cloned();
        event_types.extend(own.map(|key| (key, path.clone())));
        gates.push(gate);
    }
    gates
}

fn read_gate(
    mut table: TomlTable<'_>,
    mut gate: Gate,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Gate {
    SECTION.match_names(&mut table, &["rule"], report);
    if table.peek("event-types").is_none() {
        let problem = "this gate has no event-types: it guards nothing".to_owned();
        let help = "add event-types = [\"slug-of-the-event-type\"]";
        report.missing_key(table.path(), "event-types", problem, help);
    }
    SECTION.read(&mut table, &mut gate, context, report);
    if let Some(list) = table.get("rule", report) {
        gate.criteria.rules = rule::read_list(&list, &rule::OF_GATE, context, report);
    }
    for list in table.further_values("rule") {
        rule::read_list(&list, &rule::OF_GATE, context, report);
    }
    table.report_unknown_keys(report);
    gate
}

/// Returns a gate without any key.
fn blank_gate() -> Gate {
    Gate {
        name: String::new(),
        event_types: Vec::new(),
        cost: Cost::Fixed(1),
        unknown_booker: OnViolation::Decline,
        short_of_credit: OnViolation::Decline,
        time_taken: OnViolation::Decline,
        on_unanswered: OnUnanswered::Leave,
        criteria: Criteria::default(),
        terms: Terms::default(),
    }
}

/// Returns the keys of all gates, with those of their rules.
pub(super) fn settings(gates: &mut [Gate]) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (number, gate) in gates.iter_mut().enumerate() {
        let path = format!("gate[{number}]");
        settings.extend(SECTION.settings(&path, gate));
        let rules = &gate.criteria.rules;
        settings.extend(rule::settings(&format!("{path}.rule"), rules));
    }
    settings
}

fn read_event_types(
    list: &TomlValue<'_>,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Vec<EventTypeKey>> {
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
        let mut earlier = context.earlier_event_types.iter();
        if keys.contains(&key) {
            let problem = "this event type stands here twice".to_owned();
            report.warn(&item.path, problem, "one of the two can go");
        } else if let Some((_, other)) = earlier.find(|(known, _)| *known == key) {
            let problem = format!("this event type stands in {other} already");
            let help = "leave it in one gate: which of the two decides could not be told";
            report.error(&item.path, problem, help);
        } else {
            keys.push(key);
        }
    }
    Some(keys)
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
    table.match_names(&["decline"], &[], report);
    let before = table.get_required("decline", "\"2h\"", report);
    table.report_unknown_keys(report);
    let before = value::read_span(&before?, DECLINE_LEAD, report)?;
    Some(OnUnanswered::Decline { before })
}

fn unanswered_to_json(unanswered: OnUnanswered) -> Value {
    match unanswered {
        OnUnanswered::Leave => "leave".into(),
        OnUnanswered::Decline { before } if before.is_zero() => "decline".into(),
        OnUnanswered::Decline { before } => json!({ "decline": value::span_to_json(&before) }),
    }
}

/// Sets the gate's name to that of its first event type if it has none of its own. No two gates may
/// have the same name.
fn choose_gate_name(
    table: &TomlTable<'_>,
    gate: &mut Gate,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) {
    if gate.name.is_empty() {
        let first = gate.event_types.first().map(|key| match key {
            EventTypeKey::Slug(slug) => slug.clone(),
            EventTypeKey::Id(id) => id.to_string(),
        });
        // If there is no name to use, the reason is reported already.
        gate.name = first.unwrap_or_default();
    }
    let mut earlier = context.earlier_names.iter();
    let same_name = earlier.find(|(known, _)| *known == gate.name && !known.is_empty());
    if let Some((_, other)) = same_name {
        let own = table.peek("name").map(|item| item.path);
        let path = own.as_deref().unwrap_or(table.path());
        let problem = format!("the name {} is that of {other}", report.show(&gate.name));
        report.error(path, problem, "give each gate a name of its own");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::criteria::global_policy::GlobalPolicy;

    #[test]
    fn the_defaults_of_the_keys_are_those_of_the_domain() {
        let global = GlobalPolicy::default();
        let mut gate = blank_gate();
        SECTION.set_defaults(&mut gate, &ReadContext::new(Path::new(""), &global));
        assert_eq!(gate, blank_gate());
    }
}
