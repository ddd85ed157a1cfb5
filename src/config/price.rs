//! Prices, as they are written: `{ cost = 2, tiers = ["gold"], hours = "18:00-22:00" }`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::gate;
use super::opening;
use super::reader::{Item, Table};
use super::report::Report;
use super::value;
use crate::domain::criteria::opening::Opening;
use crate::domain::criteria::price::{MAX_PRICES, Price};
use crate::domain::decision::MAX_CREDITS;
use crate::domain::id::EventTypeKey;
use crate::domain::near;
use crate::domain::time::Span;

/// How long a booking may be.
const LENGTH: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(365 * 24 * 60 * 60);

/// How many occurrences a series may have; Cal.com's have a few dozen.
const OCCURRENCES: RangeInclusive<u64> = 1..=1_000;

const EXAMPLE: &str = "{ cost = 2, tiers = [\"gold\"] }";

/// The prices of the list at the key, for a gate that guards these event types.
pub(super) fn get(
    table: &mut Table<'_>,
    guarded: &[EventTypeKey],
    report: &mut Report<'_>,
) -> Vec<Price> {
    let Some(list) = table.get("prices", report) else {
        return Vec::new();
    };
    let mut prices: Vec<(String, Price)> = Vec::new();
    for row in list.rows(EXAMPLE, MAX_PRICES, report) {
        let path = row.path().to_owned();
        let before = report.errors();
        let Some(price) = read(row, guarded, report) else {
            continue;
        };
        if report.errors() > before {
            // What such a price fits is not known.
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

fn read(mut row: Table<'_>, guarded: &[EventTypeKey], report: &mut Report<'_>) -> Option<Price> {
    let cost = row.need("cost", "2", report);
    let tiers = row.get("tiers", report);
    let event_types = row.get("event-types", report);
    let length = row.get("length", report);
    let when = opening::read(&mut row, report);
    let occurrences = row.get("occurrences", report);
    row.close(report);
    let cost = cost.and_then(|item| item.number(0..=MAX_CREDITS, report));
    let tiers = tiers.map(|item| value::tiers(&item, report));
    let event_types = event_types.map(|item| self::event_types(&item, guarded, report));
    let length = length.map(|item| range(&item, &length_of, report));
    let occurrences = occurrences.map(|item| range(&item, &count, report));
    Some(Price {
        cost: cost?,
        tiers: tiers.unwrap_or_default(),
        event_types: event_types.unwrap_or_default(),
        length: length.unwrap_or(Some((None, None)))?,
        when,
        occurrences: occurrences.unwrap_or(Some((None, None)))?,
    })
}

fn length_of(item: &Item<'_>, report: &mut Report<'_>) -> Option<Span> {
    value::span(item, LENGTH, report)
}

fn count(item: &Item<'_>, report: &mut Report<'_>) -> Option<usize> {
    let number = item.number(OCCURRENCES, report)?;
    usize::try_from(number).ok()
}

/// One value, or a table of `at-least` and `at-most`.
fn range<T: Copy + PartialOrd>(
    item: &Item<'_>,
    one: &dyn Fn(&Item<'_>, &mut Report<'_>) -> Option<T>,
    report: &mut Report<'_>,
) -> Option<(Option<T>, Option<T>)> {
    if item.as_table().is_none() {
        let value = one(item, report)?;
        return Some((Some(value), Some(value)));
    }
    value::range(item, one, report)
}

fn event_types(
    list: &Item<'_>,
    guarded: &[EventTypeKey],
    report: &mut Report<'_>,
) -> Vec<EventTypeKey> {
    let example = "[\"book-club\", 77]";
    let items = list.list(example, report);
    if items.is_empty() {
        let problem = "this names no event type".to_owned();
        report.error(&list.path, problem, format!("for example {example}"));
    }
    let mut keys = Vec::new();
    for item in items {
        let Some(key) = gate::event_type(&item, report) else {
            continue;
        };
        if !may_guard(guarded, &key) {
            let problem = "this gate does not guard the event type".to_owned();
            report.error(&item.path, problem, like(guarded, &key));
        }
        keys.push(key);
    }
    keys
}

/// Whether the event type may be one of those. A number can be that of a slug.
fn may_guard(guarded: &[EventTypeKey], key: &EventTypeKey) -> bool {
    let other_kind =
        |known: &EventTypeKey| std::mem::discriminant(known) != std::mem::discriminant(key);
    guarded.contains(key) || guarded.iter().any(other_kind)
}

fn like(guarded: &[EventTypeKey], key: &EventTypeKey) -> String {
    let slugs = guarded.iter().filter_map(|known| match known {
        EventTypeKey::Slug(slug) => Some(slug.as_str()),
        EventTypeKey::Id(_) => None,
    });
    let nearest = match key {
        EventTypeKey::Slug(slug) => near::nearest(slug, slugs),
        EventTypeKey::Id(_) => None,
    };
    match nearest {
        Some(slug) => format!("did you mean \"{slug}\"?"),
        None => "name one of the gate's event-types, or add it there".to_owned(),
    }
}

/// Whether whatever the second price fits, the first fits too.
fn covers(one: &Price, other: &Price) -> bool {
    all_of(&one.tiers, &other.tiers)
        && all_of(&one.event_types, &other.event_types)
        && reaches(one.length, other.length)
        && reaches(one.occurrences, other.occurrences)
        && holds(&one.when, &other.when)
}

/// An empty list stands for everything.
fn all_of<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    one.is_empty() || (!other.is_empty() && other.iter().all(|item| one.contains(item)))
}

fn reaches<T: PartialOrd>(one: (Option<T>, Option<T>), other: (Option<T>, Option<T>)) -> bool {
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

fn holds(one: &Opening, other: &Opening) -> bool {
    let days = one.weekdays.iter().zip(&other.weekdays);
    let on_time = one.from <= other.from && reaches((None, one.to), (None, other.to));
    { days }.all(|(one, other)| *one || !other) && on_time
}
