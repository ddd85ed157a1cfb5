//! The sections `[[gate]]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::model;
use super::parse::set;
use super::reader::{Item, Table};
use super::report::Report;
use super::{terms, value};
use crate::domain::criteria::effect::Effect;
use crate::domain::decision::MAX_CREDITS;
use crate::domain::gate::{EventTypeKey, Gate};
use crate::domain::id::{EventTypeId, MAX_NAME};

/// How long a booker may be left waiting for credit. Bookings are not made further ahead.
const WAIT: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(365 * 24 * 60 * 60);

/// The longest name of a gate: it stands in lines of the log and in tables.
const MAX_GATE_NAME: usize = 64;

/// All gates, in the order of the file.
pub(super) fn read(list: &Item<'_>, report: &mut Report<'_>) -> Vec<Gate> {
    if list.as_table().is_some() {
        list.refuse(
            "a list of tables",
            "write [[gate]], with two brackets",
            report,
        );
        return Vec::new();
    }
    let mut seen = Seen::default();
    let items = list.list("[[gate]] on a line of its own", report);
    items
        .iter()
        .filter_map(|item| read_one(item, &mut seen, report))
        .collect()
}

/// What earlier gates have taken, with where they took it.
#[derive(Default)]
struct Seen {
    event_types: Vec<(EventTypeKey, String)>,
    names: Vec<(String, String)>,
}

fn read_one(item: &Item<'_>, seen: &mut Seen, report: &mut Report<'_>) -> Option<Gate> {
    let Some(entries) = item.as_table() else {
        item.refuse("a table", "write [[gate]] on a line of its own", report);
        return None;
    };
    let mut table = Table::new(&item.path, Some(entries));
    let mut gate = model::gate();
    let name = table.get("name", report);
    match table.get("event-types", report) {
        Some(item) => gate.event_types = event_types(&item, table.path(), seen, report),
        None => {
            let problem = "this gate has no event-types: it guards nothing".to_owned();
            let help = "add event-types = [\"slug-of-the-event-type\"]";
            report.error(table.path(), problem, help);
        }
    }
    gate.name = gate_name(name, &gate, table.path(), seen, report);
    if let Some(item) = table.get("cost", report) {
        set(&mut gate.cost, item.number(0..=MAX_CREDITS, report));
    }
    if let Some(item) = table.get("unknown-booker", report) {
        let words = [
            ("decline", Effect::Decline),
            ("wait", Effect::WAIT),
            ("review", Effect::Review),
            ("leave", Effect::Leave),
        ];
        set(&mut gate.unknown_booker, item.word(&words, report));
    }
    if let Some(item) = table.get("short-of-credit", report) {
        set(&mut gate.short_of_credit, short_of_credit(&item, report));
    }
    if let Some(item) = table.get("taken", report) {
        let words = [
            ("decline", Effect::Decline),
            ("wait", Effect::WAIT),
            ("leave", Effect::Leave),
        ];
        set(&mut gate.taken, item.word(&words, report));
    }
    terms::read(&mut table, &mut gate.terms, report);
    table.close(report);
    Some(gate)
}

fn event_types(
    list: &Item<'_>,
    gate: &str,
    seen: &mut Seen,
    report: &mut Report<'_>,
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
        let Some(key) = event_type(&item, report) else {
            continue;
        };
        match seen.event_types.iter().find(|(known, _)| *known == key) {
            None => {
                seen.event_types.push((key.clone(), gate.to_owned()));
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

fn event_type(item: &Item<'_>, report: &mut Report<'_>) -> Option<EventTypeKey> {
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
        item.refuse("a number or a text in quotes", help, report);
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

/// The gate's name: its own, or that of its first event type. No two are the same.
fn gate_name(
    item: Option<Item<'_>>,
    gate: &Gate,
    path: &str,
    seen: &mut Seen,
    report: &mut Report<'_>,
) -> String {
    let place = item.as_ref().map_or(path, |item| &item.path).to_owned();
    let given = item.and_then(|item| own_name(&item, report));
    let first = gate.event_types.first().map(|key| match key {
        EventTypeKey::Slug(slug) => slug.clone(),
        EventTypeKey::Id(id) => id.to_string(),
    });
    let Some(name) = given.or(first) else {
        // Nothing to call it by; the reason is reported already.
        return String::new();
    };
    match seen.names.iter().find(|(known, _)| *known == name) {
        Some((_, other)) => {
            let problem = format!("the name {} is that of {other}", report.show(&name));
            report.error(&place, problem, "give each gate a name of its own");
        }
        None => seen.names.push((name.clone(), path.to_owned())),
    }
    name
}

fn own_name(item: &Item<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = item.text("club", report)?;
    let name = text.trim();
    if name.is_empty() || name.len() > MAX_GATE_NAME || name.contains(char::is_control) {
        let problem = format!("{} is not a name", report.show(text));
        let help = format!("give 1 to {MAX_GATE_NAME} bytes of text on one line");
        report.error(&item.path, problem, help);
        return None;
    }
    Some(name.to_owned())
}

fn short_of_credit(item: &Item<'_>, report: &mut Report<'_>) -> Option<Effect> {
    if let Some(entries) = item.as_table() {
        let mut table = Table::new(&item.path, Some(entries));
        let wait = table.get("wait", report);
        if wait.is_none() {
            let problem = "this says nothing of how long to wait".to_owned();
            report.error(&item.path, problem, "write { wait = \"24h\" }");
        }
        table.close(report);
        return value::span(&wait?, WAIT, report).map(Effect::wait);
    }
    if item.as_text() == Some("wait") {
        let problem = "`wait` alone does not say how long".to_owned();
        report.error(&item.path, problem, "write { wait = \"24h\" }");
        return None;
    }
    let words = [("decline", Effect::Decline), ("review", Effect::Review)];
    item.word(&words, report)
}
