//! Reads lists of bookers. An entry is an address, `@` and a domain, or a table with a note and the
//! day on which the entry ends.

use chrono_tz::Tz;

use super::diagnostic_collector::DiagnosticCollector;
use super::reader::{TomlTable, TomlValue};
use super::value;
use crate::domain::criteria::access_list::{
    AccessEntry, AccessSubject, AddressNormalization, MAX_ACCESS_ENTRIES,
};
use crate::domain::id::Address;

/// The longest note, in bytes: a line or two for operators.
const MAX_NOTE: usize = 500;

/// What an entry looks like.
const EXAMPLE: &str = "\"ann@example.com\", \"@example.com\" or { booker = \"ann@example.com\" }";

/// An entry and the path of its key.
pub(super) struct LocatedAccessEntry {
    path: String,
    entry: AccessEntry,
}

/// Returns the entries of the list at the key, or none if the key is missing.
pub(super) fn read_list(
    table: &mut TomlTable<'_>,
    key: &'static str,
    folding: &AddressNormalization,
    zone: Tz,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<LocatedAccessEntry> {
    let Some(list) = table.get(key, report) else {
        return Vec::new();
    };
    let items = list.list("[\"ann@example.com\", \"@example.com\"]", report);
    let items = list.limit_count(items, MAX_ACCESS_ENTRIES, report);
    let mut entries: Vec<LocatedAccessEntry> = Vec::new();
    for item in items {
        let Some(entry) = read_entry(&item, zone, report) else {
            continue;
        };
        let is_duplicate = |known: &&LocatedAccessEntry| {
            is_same_subject(&known.entry.subject, &entry.subject, folding)
        };
        if entries.iter().any(|known| is_duplicate(&known)) {
            let problem = "this booker stands here twice".to_owned();
            report.warn(&item.path, problem, "one of the two can go");
        }
        entries.push(LocatedAccessEntry {
            path: item.path,
            entry,
        });
    }
    entries
}

/// Returns the entries without their paths.
pub(super) fn without_paths(entries: Vec<LocatedAccessEntry>) -> Vec<AccessEntry> {
    entries.into_iter().map(|entry| entry.entry).collect()
}

/// Warns of bookers that one list allows and another list blocks.
pub(super) fn warn_of_contradictions(
    allow: &[LocatedAccessEntry],
    block: &[&[AccessEntry]],
    folding: &AddressNormalization,
    report: &mut DiagnosticCollector<'_>,
) {
    for entry in allow {
        let is_covered_by = |blocked: &&AccessEntry| covers(blocked, &entry.entry, folding);
        if block
            .iter()
            .copied()
            .flatten()
            .any(|known| is_covered_by(&known))
        {
            let problem = "this booker is blocked as well, and that counts first".to_owned();
            let help = "take the entry out of one of the two lists";
            report.warn(&entry.path, problem, help);
        }
    }
}

fn read_entry(
    item: &TomlValue<'_>,
    zone: Tz,
    report: &mut DiagnosticCollector<'_>,
) -> Option<AccessEntry> {
    if item.as_table().is_none() {
        return Some(AccessEntry {
            subject: read_subject(item, report)?,
            note: None,
            expires: None,
        });
    }
    let mut table = item.table(EXAMPLE, report)?;
    let subject = {
        table.refuse_replaced_key("who", "write `booker`", report);
        table.get_required("booker", "\"ann@example.com\"", report)
    };
    let note = table.get("note", report);
    let expires = table.get("expires", report);
    table.report_unknown_keys(report);
    let note = note.and_then(|item| self::read_note(&item, report));
    let expires = expires.and_then(|item| value::read_instant(&item, zone, report));
    Some(AccessEntry {
        subject: read_subject(&subject?, report)?,
        note,
        expires,
    })
}

fn read_subject(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<AccessSubject> {
    let Some(text) = item.as_text() else {
        item.report_type_mismatch(
            "a text in quotes or a table",
            &format!("write {EXAMPLE}"),
            report,
        );
        return None;
    };
    if let Some(domain) = text.trim().strip_prefix('@') {
        return value::read_domain(domain, item, report).map(AccessSubject::Domain);
    }
    match Address::parse(text) {
        Ok(address) => Some(AccessSubject::Address(address)),
        Err(err) => {
            let problem = format!("{} {err}", report.show(text));
            let help = "give an e-mail address, or \"@example.com\" for everybody there";
            report.error(&item.path, problem, help);
            None
        }
    }
}

fn read_note(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<String> {
    let text = item.text("asked by the board", report)?;
    if text.len() > MAX_NOTE || text.contains(char::is_control) {
        let problem = "this note is too long, or goes over several lines".to_owned();
        let help = format!("give up to {MAX_NOTE} bytes on one line");
        report.error(&item.path, problem, help);
        return None;
    }
    Some(text.to_owned())
}

/// Returns true if the first entry covers every booker of the second, for at least as long.
fn covers(one: &AccessEntry, other: &AccessEntry, folding: &AddressNormalization) -> bool {
    let as_long = match (one.expires, other.expires) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(one), Some(other)) => one >= other,
    };
    let domain = match (&one.subject, &other.subject) {
        (AccessSubject::Domain(domain), AccessSubject::Address(address)) => {
            domain == address.domain()
        }
        (AccessSubject::Address(_) | AccessSubject::Domain(_), _) => false,
    };
    as_long && (domain || is_same_subject(&one.subject, &other.subject, folding))
}

fn is_same_subject(
    one: &AccessSubject,
    other: &AccessSubject,
    folding: &AddressNormalization,
) -> bool {
    match (one, other) {
        (AccessSubject::Address(one), AccessSubject::Address(other)) => {
            folding.normalize(one) == folding.normalize(other)
        }
        (AccessSubject::Domain(one), AccessSubject::Domain(other)) => one == other,
        (AccessSubject::Address(_), AccessSubject::Domain(_))
        | (AccessSubject::Domain(_), AccessSubject::Address(_)) => false,
    }
}
