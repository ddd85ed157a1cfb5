//! Reads prices: `{ cost = 2, tiers = ["gold"], hours = "18:00-22:00" }`.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use super::diagnostic_collector::DiagnosticCollector;
use super::key::ReadContext;
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::{cost, event_type, time_window, value};
use crate::domain::criteria::price::{MAX_PRICES, Price};
use crate::domain::criteria::time_window::TimeWindow;
use crate::domain::id::EventTypeKey;
use crate::domain::name_distance;
use crate::domain::time::Span;

/// Bounds of the length of a booking.
const LENGTH: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(365 * 24 * 60 * 60);

/// Bounds of the number of occurrences of a series; Cal.com's series have a few dozen.
const OCCURRENCES: RangeInclusive<u64> = 1..=1_000;

/// The keys of a price.
const KEYS: [&str; 7] = [
    "cost",
    "tiers",
    "event-types",
    "length",
    "weekdays",
    "hours",
    "occurrences",
];

const EXAMPLE: &str = "{ cost = 2, tiers = [\"gold\"] }";

/// Reads the prices of the list, for a gate that guards these event types.
pub(super) fn read_prices(
    list: &TomlValue<'_>,
    gate_event_types: &[EventTypeKey],
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<Price> {
    let mut prices: Vec<(String, Price)> = Vec::new();
    for row in list.rows(EXAMPLE, MAX_PRICES, report) {
        let path = row.path().to_owned();
        let before = report.error_count();
        let Some(price) = read_price(row, gate_event_types, context, report) else {
            continue;
        };
        if report.error_count() > before {
            // It is unknown what such a price fits.
            continue;
        }
        if let Some((earlier, _)) = prices.iter().find(|(_, known)| covers(known, &price)) {
            let problem = format!("this price is never reached: {earlier} fits all that it fits");
            let help = "the first that fits counts: put the special ones first";
            report.warn(&path, problem, help);
        }
        prices.push((path, price));
    }
    prices.into_iter().map(|(_, price)| price).collect()
}

/// Returns the prices in their order, because the first that fits counts.
pub(super) fn to_json(prices: &[Price]) -> Value {
    let length = |price: &Price| {
        let (shortest, longest) = &price.length;
        value::range_to_json(shortest.as_ref(), longest.as_ref(), value::span_to_json)
    };
    let price = |price: &Price| {
        let (fewest, most) = price.occurrences;
        json!({
            "cost": cost::to_json(&price.cost),
            "tiers": value::sorted(price.tiers.iter().map(|tier| tier.as_str().into())),
            "event-types": event_type::to_json(&price.event_types),
            "length": length(price),
            "start": time_window::to_json(&price.start_window),
            "occurrences": value::range_to_json(fewest.as_ref(), most.as_ref(), |n| (*n).into()),
        })
    };
    prices.iter().map(price).collect()
}

fn read_price(
    mut row: TomlTable<'_>,
    gate_event_types: &[EventTypeKey],
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Price> {
    row.match_names(&KEYS, &[], report);
    let cost = row.get_required("cost", "2", report);
    let tiers = row.get("tiers", report);
    let event_types = row.get("event-types", report);
    let length = row.get("length", report);
    let when = time_window::read(&mut row, report);
    let occurrences = row.get("occurrences", report);
    row.report_unknown_keys(report);
    let cost = cost.and_then(|item| cost::read(&item, context, report));
    let tiers = tiers.map(|item| value::read_tiers(&item, report));
    let event_types =
        event_types.map(|item| self::read_event_types(&item, gate_event_types, report));
    let length = length.map(|item| read_range(&item, &read_length, report));
    let occurrences = occurrences.map(|item| read_range(&item, &read_count, report));
    Some(Price {
        cost: cost?,
        tiers: tiers.unwrap_or_default(),
        event_types: event_types.unwrap_or_default(),
        length: length.unwrap_or(Some((None, None)))?,
        start_window: when,
        occurrences: occurrences.unwrap_or(Some((None, None)))?,
    })
}

fn read_length(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<Span> {
    value::read_span(item, LENGTH, report)
}

fn read_count(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<usize> {
    let number = item.number(OCCURRENCES, report)?;
    usize::try_from(number).ok()
}

/// Reads one value, or a table of `at-least` and `at-most`.
fn read_range<T: Copy + PartialOrd>(
    item: &TomlValue<'_>,
    read_value: &dyn Fn(&TomlValue<'_>, &mut DiagnosticCollector<'_>) -> Option<T>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<(Option<T>, Option<T>)> {
    if item.as_table().is_none() {
        let value = read_value(item, report)?;
        return Some((Some(value), Some(value)));
    }
    value::read_range(item, read_value, report)
}

fn read_event_types(
    list: &TomlValue<'_>,
    gate_event_types: &[EventTypeKey],
    report: &mut DiagnosticCollector<'_>,
) -> Vec<EventTypeKey> {
    let example = "[\"book-club\", 77]";
    let items = list.list(example, report);
    if items.is_empty() {
        let problem = "this names no event type".to_owned();
        report.error(&list.path, problem, format!("for example {example}"));
    }
    let mut keys = Vec::new();
    for item in items {
        let Some(key) = event_type::read_event_type(&item, report) else {
            continue;
        };
        if !may_guard(gate_event_types, &key) {
            let problem = "this gate does not guard the event type".to_owned();
            report.error(
                &item.path,
                problem,
                suggest_event_type(gate_event_types, &key),
            );
        }
        keys.push(key);
    }
    keys
}

/// Returns true if the event type may be one of the gate's. A number and a slug can mean the same
/// event type.
fn may_guard(gate_event_types: &[EventTypeKey], key: &EventTypeKey) -> bool {
    let is_other_kind =
        |known: &EventTypeKey| std::mem::discriminant(known) != std::mem::discriminant(key);
    gate_event_types.contains(key) || gate_event_types.iter().any(is_other_kind)
}

fn suggest_event_type(gate_event_types: &[EventTypeKey], key: &EventTypeKey) -> String {
    let slugs = gate_event_types.iter().filter_map(|known| match known {
        EventTypeKey::Slug(slug) => Some(slug.as_str()),
        EventTypeKey::Id(_) => None,
    });
    let nearest = match key {
        EventTypeKey::Slug(slug) => name_distance::nearest(slug, slugs),
        EventTypeKey::Id(_) => None,
    };
    match nearest {
        Some(slug) => format!("did you mean \"{slug}\"?"),
        None => "name one of the gate's event-types, or add it there".to_owned(),
    }
}

/// Returns true if the first price fits everything that the second fits.
fn covers(one: &Price, other: &Price) -> bool {
    contains_all(&one.tiers, &other.tiers)
        && contains_all(&one.event_types, &other.event_types)
        && contains_range(one.length, other.length)
        && contains_range(one.occurrences, other.occurrences)
        && contains_window(&one.start_window, &other.start_window)
}

/// Returns true if the first list contains the second. An empty list means everything.
fn contains_all<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    one.is_empty() || (!other.is_empty() && other.iter().all(|item| one.contains(item)))
}

fn contains_range<T: PartialOrd>(
    one: (Option<T>, Option<T>),
    other: (Option<T>, Option<T>),
) -> bool {
    let from = match (one.0, other.0) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(one), Some(other)) => one <= other,
    };
    let to = match (one.1, other.1) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(one), Some(other)) => one >= other,
    };
    from && to
}

fn contains_window(one: &TimeWindow, other: &TimeWindow) -> bool {
    let days = one.weekdays.iter().zip(&other.weekdays);
    let hours_contained =
        one.from <= other.from && contains_range((None, one.to), (None, other.to));
    { days }.all(|(one, other)| *one || !other) && hours_contained
}
