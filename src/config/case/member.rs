//! The booker's account in a case.

use std::collections::BTreeMap;

use super::booking::{LENGTH, length};
use super::model::{Member, Upcoming};
use super::moment;
use crate::config::reader::{Item, Table};
use crate::config::report::Report;
use crate::config::value;
use crate::domain::decision::MAX_CREDITS;
use crate::domain::id::AccountId;

/// Bookings, tags or attributes of one member: examples are read by people.
const MAX_LISTED: usize = 1_000;

pub(super) fn read(item: &Item<'_>, report: &mut Report<'_>) -> Option<Member> {
    let mut table = item.table("{ credits = 3 }", report)?;
    let mut member = Member {
        account: None,
        credits: 0,
        expires: None,
        tier: None,
        tags: Vec::new(),
        attributes: BTreeMap::new(),
        frozen: false,
        upcoming: Vec::new(),
    };
    if let Some(item) = table.get("account", report) {
        member.account = account(&item, report);
    }
    if let Some(item) = table.get("credits", report) {
        member.credits = item.number(0..=MAX_CREDITS, report).unwrap_or(0);
    }
    if let Some(item) = table.get("expires", report) {
        member.expires = moment::read(&item, report);
    }
    if let Some(item) = table.get("tier", report) {
        member.tier = value::name(&item, "gold", report);
    }
    if let Some(list) = table.get("tags", report) {
        let items = list.few(list.list("[\"patron\"]", report), MAX_LISTED, report);
        let tags = items.iter().filter_map(|item| item.text("patron", report));
        member.tags = tags.map(str::to_owned).collect();
    }
    if let Some(item) = table.get("attributes", report) {
        member.attributes = attributes(&item, report);
    }
    if let Some(item) = table.get("frozen", report) {
        member.frozen = item.flag(report).unwrap_or(false);
    }
    if let Some(list) = table.get("upcoming", report) {
        let items = list.few(list.list("[\"in 2days\"]", report), MAX_LISTED, report);
        let upcoming = items.iter().filter_map(|item| upcoming(item, report));
        member.upcoming = upcoming.collect();
    }
    table.close(report);
    Some(member)
}

fn account(item: &Item<'_>, report: &mut Report<'_>) -> Option<AccountId> {
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

fn attributes(item: &Item<'_>, report: &mut Report<'_>) -> BTreeMap<String, String> {
    if item.as_table().is_none() {
        item.refuse("a table", "for example { company = \"Acme\" }", report);
    }
    let named = item.named(report);
    let texts = named.into_iter().filter_map(|(name, item)| {
        let text = item.text("Acme", report)?;
        Some((name.to_owned(), text.to_owned()))
    });
    texts.collect()
}

/// A start, or a table that says more.
fn upcoming(item: &Item<'_>, report: &mut Report<'_>) -> Option<Upcoming> {
    if item.as_text().is_some() {
        return Some(Upcoming {
            start: moment::read(item, report)?,
            length: LENGTH,
            gate: None,
        });
    }
    let mut table: Table<'_> = item.table("{ start = \"in 2days\", gate = \"club\" }", report)?;
    let start = table.need("start", "\"in 2days\"", report);
    let start = start.and_then(|item| moment::read(&item, report));
    let length = length(&mut table, report);
    let gate = table.get("gate", report);
    let gate = gate.and_then(|item| value::name(&item, "club", report));
    table.close(report);
    Some(Upcoming {
        start: start?,
        length,
        gate,
    })
}
