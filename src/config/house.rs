//! The section `[house]`: what counts for all gates.

use chrono_tz::Tz;

use super::parse::set;
use super::reader::{Item, Table};
use super::report::Report;
use super::{cap, criteria, lists, value};
use crate::domain::criteria::house::{House, ManagedUsers};

/// Domains whose dots mean nothing; there are a handful in the world.
const MAX_DOMAINS: usize = 100;

pub(super) fn read(mut table: Table<'_>, zone: Tz, report: &mut Report<'_>) -> House {
    let mut house = House {
        zone,
        ..House::default()
    };
    if let Some(item) = table.get("fold-tags", report) {
        set(&mut house.folding.tags, item.flag(report));
    }
    if let Some(list) = table.get("fold-dots", report) {
        house.folding.dots = domains(&list, report);
    }
    if let Some(item) = table.get("managed-users", report) {
        let words = [("leave", ManagedUsers::Leave), ("find", ManagedUsers::Find)];
        set(&mut house.managed_users, item.word(&words, report));
    }
    house.caps = cap::get(&mut table, &[], report);
    let allow = lists::get(&mut table, "allow", &house.folding, zone, report);
    let block = lists::get(&mut table, "block", &house.folding, zone, report);
    house.block = lists::plain(block);
    lists::contradictions(&allow, &[&house.block], &house.folding, report);
    house.allow = lists::plain(allow);
    house.requests_per_day = criteria::requests_per_day(&mut table, report);
    table.close(report);
    house
}

fn domains(list: &Item<'_>, report: &mut Report<'_>) -> Vec<String> {
    let items = list.list("[\"gmail.com\"]", report);
    let items = list.few(items, MAX_DOMAINS, report);
    let mut domains = Vec::new();
    for item in items {
        let text = item.text("gmail.com", report);
        domains.extend(text.and_then(|text| value::domain(text, &item, report)));
    }
    domains
}
