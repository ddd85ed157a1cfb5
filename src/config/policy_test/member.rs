//! Reads the booker's account in a case.

use std::collections::BTreeMap;

use super::booking::{LENGTH, read_length};
use super::model::{CaseMember, UpcomingBooking};
use super::relative_time;
use crate::config::diagnostic_collector::DiagnosticCollector;
use crate::config::reader::TomlTable;
use crate::config::reader::toml_value::TomlValue;
use crate::config::value;
use crate::domain::decision::MAX_CREDITS;
use crate::domain::id::AccountId;

/// The most bookings or tags of one member: people read the examples.
const MAX_LISTED: usize = 1_000;

/// The keys of a member.
const KEYS: [&str; 8] = [
    "account",
    "credits",
    "expires",
    "tier",
    "tags",
    "attributes",
    "frozen",
    "upcoming",
];

pub(super) fn read(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<CaseMember> {
    let mut table = item.table("{ credits = 3 }", report)?;
    let mut member = CaseMember {
        account: None,
        credits: 0,
        expires: None,
        tier: None,
        tags: Vec::new(),
        attributes: BTreeMap::new(),
        frozen: false,
        upcoming: Vec::new(),
    };
    table.match_names(&KEYS, &[], report);
    if let Some(item) = table.get("account", report) {
        member.account = read_account(&item, report);
    }
    if let Some(item) = table.get("credits", report) {
        member.credits = item.number(0..=MAX_CREDITS, report).unwrap_or(0);
    }
    if let Some(item) = table.get("expires", report) {
        member.expires = relative_time::read(&item, report);
    }
    if let Some(item) = table.get("tier", report) {
        member.tier = value::read_name(&item, "gold", report);
    }
    if let Some(list) = table.get("tags", report) {
        let items = list.limit_count(list.list("[\"patron\"]", report), MAX_LISTED, report);
        let tags = items.iter().filter_map(|item| item.text("patron", report));
        member.tags = tags.map(str::to_owned).collect();
    }
    if let Some(item) = table.get("attributes", report) {
        member.attributes = read_attributes(&item, report);
    }
    if let Some(item) = table.get("frozen", report) {
        member.frozen = item.flag(report).unwrap_or(false);
    }
    if let Some(list) = table.get("upcoming", report) {
        let items = list.limit_count(list.list("[\"in 2days\"]", report), MAX_LISTED, report);
        let upcoming = items.iter().filter_map(|item| read_upcoming(item, report));
        member.upcoming = upcoming.collect();
    }
    table.report_unknown_keys(report);
    Some(member)
}

fn read_account(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<AccountId> {
    let text = item.text("bo@example.com", report)?;
    let problem = match AccountId::parse(text) {
        Ok(account) => return Some(account),
        Err(why) => format!("{} {why}", report.show(text)),
    };
    report.error(
        &item.path,
        problem,
        "name the account as `maitred account list` does",
    );
    None
}

fn read_attributes(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> BTreeMap<String, String> {
    if item.as_table().is_none() {
        item.report_type_mismatch("a table", "for example { company = \"Acme\" }", report);
    }
    let named = item.named_values(report);
    let texts = named.into_iter().filter_map(|(name, item)| {
        let text = item.text("Acme", report)?;
        Some((name.to_owned(), text.to_owned()))
    });
    texts.collect()
}

/// Reads a start, or a table with more details.
fn read_upcoming(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<UpcomingBooking> {
    if item.as_text().is_some() {
        return Some(UpcomingBooking {
            start: relative_time::read(item, report)?,
            length: LENGTH,
            gate: None,
        });
    }
    let mut table: TomlTable<'_> =
        item.table("{ start = \"in 2days\", gate = \"club\" }", report)?;
    table.match_names(&["start", "length", "gate"], &[], report);
    let start = table.get_required("start", "\"in 2days\"", report);
    let start = start.and_then(|item| relative_time::read(&item, report));
    let length = read_length(&mut table, report);
    let gate = table.get("gate", report);
    let gate = gate.and_then(|item| value::read_name(&item, "club", report));
    table.report_unknown_keys(report);
    Some(UpcomingBooking {
        start: start?,
        length,
        gate,
    })
}
