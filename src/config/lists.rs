//! Lists of bookers, as they are written: an address, `@` and a domain, or a table with a note and
//! the day on which the entry ends.

use chrono_tz::Tz;

use super::reader::{Item, Table};
use super::report::Report;
use super::value;
use crate::domain::criteria::lists::{Folding, Listed, MAX_LISTED, Who};
use crate::domain::id::Address;

/// The longest note, in bytes: a line or two for operators.
const MAX_NOTE: usize = 500;

/// What an entry looks like.
const EXAMPLE: &str = "\"ann@example.com\", \"@example.com\" or { who = \"ann@example.com\" }";

/// An entry and where it stands.
pub(super) struct Entry {
    path: String,
    listed: Listed,
}

/// The entries of the list at the key; none if there is none.
pub(super) fn get(
    table: &mut Table<'_>,
    key: &'static str,
    folding: &Folding,
    zone: Tz,
    report: &mut Report<'_>,
) -> Vec<Entry> {
    let Some(list) = table.get(key, report) else {
        return Vec::new();
    };
    let items = list.list(&format!("[{EXAMPLE}]"), report);
    let items = list.few(items, MAX_LISTED, report);
    let mut entries: Vec<Entry> = Vec::new();
    for item in items {
        let Some(listed) = entry(&item, zone, report) else {
            continue;
        };
        let same = |known: &&Entry| means_the_same(&known.listed.who, &listed.who, folding);
        if entries.iter().any(|known| same(&known)) {
            let problem = "this booker stands here twice".to_owned();
            report.warn(&item.path, problem, "one of the two can go");
        }
        entries.push(Entry {
            path: item.path,
            listed,
        });
    }
    entries
}

/// The entries without their places.
pub(super) fn plain(entries: Vec<Entry>) -> Vec<Listed> {
    entries.into_iter().map(|entry| entry.listed).collect()
}

/// Warns of bookers who are let in by one list and kept out by another.
pub(super) fn contradictions(
    allow: &[Entry],
    block: &[&[Listed]],
    folding: &Folding,
    report: &mut Report<'_>,
) {
    for entry in allow {
        let blocks = |blocked: &&Listed| covers(blocked, &entry.listed, folding);
        if block.iter().copied().flatten().any(|known| blocks(&known)) {
            let problem = "this booker is blocked as well, and that counts first".to_owned();
            let help = "take the entry out of one of the two lists";
            report.warn(&entry.path, problem, help);
        }
    }
}

fn entry(item: &Item<'_>, zone: Tz, report: &mut Report<'_>) -> Option<Listed> {
    if item.as_table().is_none() {
        return Some(Listed {
            who: who(item, report)?,
            note: None,
            expires: None,
        });
    }
    let mut table = item.table(EXAMPLE, report)?;
    let whom = table.need("who", "\"ann@example.com\"", report);
    let note = table.get("note", report);
    let expires = table.get("expires", report);
    table.close(report);
    let note = note.and_then(|item| self::note(&item, report));
    let expires = expires.and_then(|item| value::instant(&item, zone, report));
    Some(Listed {
        who: who(&whom?, report)?,
        note,
        expires,
    })
}

fn who(item: &Item<'_>, report: &mut Report<'_>) -> Option<Who> {
    let Some(text) = item.as_text() else {
        item.refuse(
            "a text in quotes or a table",
            &format!("write {EXAMPLE}"),
            report,
        );
        return None;
    };
    if let Some(domain) = text.trim().strip_prefix('@') {
        return value::domain(domain, item, report).map(Who::Domain);
    }
    match Address::parse(text) {
        Ok(address) => Some(Who::Address(address)),
        Err(err) => {
            let problem = format!("{} {err}", report.show(text));
            let help = "give an e-mail address, or \"@example.com\" for everybody there";
            report.error(&item.path, problem, help);
            None
        }
    }
}

fn note(item: &Item<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = item.text("asked by the board", report)?;
    if text.len() > MAX_NOTE || text.contains(char::is_control) {
        let problem = "this note is too long, or goes over several lines".to_owned();
        let help = format!("give up to {MAX_NOTE} bytes on one line");
        report.error(&item.path, problem, help);
        return None;
    }
    Some(text.to_owned())
}

/// Whether whoever the second entry means is meant by the first, for as long.
fn covers(one: &Listed, other: &Listed, folding: &Folding) -> bool {
    let as_long = match (one.expires, other.expires) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(one), Some(other)) => one >= other,
    };
    let domain = match (&one.who, &other.who) {
        (Who::Domain(domain), Who::Address(address)) => domain == address.domain(),
        (Who::Address(_) | Who::Domain(_), _) => false,
    };
    as_long && (domain || means_the_same(&one.who, &other.who, folding))
}

fn means_the_same(one: &Who, other: &Who, folding: &Folding) -> bool {
    match (one, other) {
        (Who::Address(one), Who::Address(other)) => folding.fold(one) == folding.fold(other),
        (Who::Domain(one), Who::Domain(other)) => one == other,
        (Who::Address(_), Who::Domain(_)) | (Who::Domain(_), Who::Address(_)) => false,
    }
}
