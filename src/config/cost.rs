//! Reads what a booking costs: `2`, `{ base = 1, per-guest = 1 }`, `{ cel = "…" }` or
//! `{ lookup = "prices", field = "credits" }`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::diagnostic_collector::DiagnosticCollector;
use super::key::ReadContext;
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::value_type::SpecialType;
use super::{compile, value};
use crate::domain::criteria::price::Cost;
use crate::domain::decision::MAX_CREDITS;
use crate::domain::name_distance;

/// The keys of a cost that is determined for each booking.
const KEYS: [&str; 5] = ["base", "per-guest", "cel", "lookup", "field"];

const EXAMPLE: &str = "{ base = 1, per-guest = 1 }";

/// A cost.
pub(super) const COST: SpecialType<Cost> = SpecialType {
    description: "a whole number from 0 to 1000000000, or a table",
    read,
    to_json,
};

/// Reads a cost.
pub(super) fn read(
    item: &TomlValue<'_>,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Cost> {
    if item.as_table().is_none() {
        return item.number(0..=MAX_CREDITS, report).map(Cost::Fixed);
    }
    let mut table = item.table(EXAMPLE, report)?;
    table.match_names(&KEYS, &[], report);
    let known: BTreeSet<String> = { context.global.lookups.iter() }
        .map(|lookup| lookup.name.clone())
        .collect();
    let has = |key: &str| table.peek(key).is_some();
    let forms = [
        has("base") || has("per-guest"),
        has("cel"),
        has("lookup") || has("field"),
    ];
    let cost = match forms {
        [true, false, false] => read_per_guest(&mut table, report),
        [false, true, false] => table
            .get("cel", report)
            .and_then(|item| compile::compile_price(&item, &known, report))
            .map(Cost::Expression),
        [false, false, true] => read_lookup(&mut table, &known, report),
        [false, false, false] | [true, _, _] | [_, true, _] => {
            let problem = "exactly one way to determine the price belongs here".to_owned();
            let help = format!(
                "write {EXAMPLE}, {{ cel = \"1 + size(booking.guests)\" }} or {{ lookup = \
                 \"prices\" }}"
            );
            report.error(&item.path, problem, help);
            for key in KEYS {
                table.get(key, report);
            }
            None
        }
    };
    table.report_unknown_keys(report);
    cost
}

/// Reads `{ base = 1, per-guest = 1 }`.
fn read_per_guest(table: &mut TomlTable<'_>, report: &mut DiagnosticCollector<'_>) -> Option<Cost> {
    let base = table.get("base", report);
    let per_guest = table.get_required("per-guest", "1", report);
    let base = match base {
        Some(item) => item.number(0..=MAX_CREDITS, report),
        None => Some(0),
    };
    let per_guest = per_guest?.number(0..=MAX_CREDITS, report);
    Some(Cost::PerGuest {
        base: base?,
        per_guest: per_guest?,
    })
}

/// Reads `{ lookup = "prices", field = "credits" }`.
fn read_lookup(
    table: &mut TomlTable<'_>,
    known: &BTreeSet<String>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Cost> {
    let lookup = table.get_required("lookup", "\"prices\"", report);
    let field = table.get("field", report);
    let field = match field {
        Some(item) => Some(read_field(&item, report)?),
        None => None,
    };
    let item = lookup?;
    let name = item.text("prices", report)?;
    if !known.contains(name) {
        let problem = format!("there is no lookup {}", report.show(name));
        let help = match name_distance::nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "add a [[lookup]] with this name".to_owned(),
        };
        report.error(&item.path, problem, help);
        return None;
    }
    let text = match &field {
        Some(field) => format!("lookup[\"{name}\"][\"{field}\"]"),
        None => format!("lookup[\"{name}\"]"),
    };
    match compile::compile_generated_price(&text, known) {
        Ok(number) => Some(Cost::Lookup {
            lookup: name.to_owned(),
            field,
            number,
        }),
        Err(diagnostics) => {
            for diagnostic in diagnostics {
                report.error(&item.path, diagnostic.problem, diagnostic.help);
            }
            None
        }
    }
}

/// Reads the name of a field of an answer. The name becomes a text of an expression.
fn read_field(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<String> {
    let name = value::read_name(item, "credits", report)?;
    let is_forbidden = |c: char| c.is_control() || c == '"' || c == '\\';
    if name.contains(is_forbidden) {
        let problem = format!("{} is no name of a field here", report.show(&name));
        let help = "name the field without quotes and backslashes, or use cel";
        report.error(&item.path, problem, help);
        return None;
    }
    Some(name)
}

/// Returns the cost in the form in which it is written.
pub(super) fn to_json(cost: &Cost) -> Value {
    match cost {
        Cost::Fixed(credits) => (*credits).into(),
        Cost::PerGuest { base, per_guest } => json!({ "base": base, "per-guest": per_guest }),
        Cost::Expression(number) => json!({ "cel": number.text() }),
        Cost::Lookup {
            lookup,
            field: Some(field),
            ..
        } => json!({ "lookup": lookup, "field": field }),
        Cost::Lookup {
            lookup,
            field: None,
            ..
        } => json!({ "lookup": lookup }),
    }
}
