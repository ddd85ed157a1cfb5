//! Reads lists of bookers. An entry is an address, `@` and a domain, or a table with a note and the
//! day on which the entry ends.

use chrono_tz::Tz;
use serde_json::{Value, json};

use super::diagnostic_collector::DiagnosticCollector;
use super::key_names::RenamedKey;
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::{calendar_value, value};
use crate::domain::criteria::access_list::{
    AccessEntry, AccessSubject, AddressNormalization, MAX_ACCESS_ENTRIES,
};
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::id::Address;

/// The longest note, in bytes: a line or two for operators.
const MAX_NOTE: usize = 500;

/// What an entry looks like.
const EXAMPLE: &str = "\"ann@example.com\", \"@example.com\" or { booker = \"ann@example.com\" }";

/// Keys of an entry that other keys have replaced.
const RENAMED: [RenamedKey; 1] = [RenamedKey {
    old: "who",
    new: Some("booker"),
    help: "write `booker`",
}];

/// How the documentation describes a list.
pub(super) const DESCRIPTION: &str = "a list of addresses, domains and tables";

/// Reads the entries of the list, and warns of a booker that stands in the list twice.
pub(super) fn read_list(
    list: &TomlValue<'_>,
    global: &GlobalPolicy,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<AccessEntry> {
    let items = list.list("[\"ann@example.com\", \"@example.com\"]", report);
    let items = list.limit_count(items, MAX_ACCESS_ENTRIES, report);
    let mut entries: Vec<AccessEntry> = Vec::new();
    for item in items {
        let Some(entry) = read_entry(&item, global.zone, report) else {
            continue;
        };
        let is_duplicate = |known: &AccessEntry| {
            is_same_subject(
                &known.subject,
                &entry.subject,
                &global.address_normalization,
            )
        };
        if entries.iter().any(is_duplicate) {
            let problem = "this booker stands here twice".to_owned();
            report.warn(&item.path, problem, "one of the two can go");
        }
        entries.push(entry);
    }
    entries
}

/// Returns the entries without their notes, which do not decide.
pub(super) fn to_json(entries: &[AccessEntry]) -> Value {
    value::sorted(entries.iter().map(|entry| {
        let booker = match &entry.subject {
            AccessSubject::Address(address) => address.as_str().to_owned(),
            AccessSubject::Domain(domain) => format!("@{domain}"),
        };
        match entry.expires {
            None => booker.into(),
            Some(at) => json!({ "booker": booker, "expires": calendar_value::instant_to_json(at) }),
        }
    }))
}

/// Warns of bookers that the table's list `allow` names although another list blocks them.
pub(super) fn warn_of_contradictions(
    table: &TomlTable<'_>,
    block: &[&[AccessEntry]],
    global: &GlobalPolicy,
    report: &mut DiagnosticCollector<'_>,
) {
    let Some(list) = table.peek("allow") else {
        return;
    };
    // The list has been read before: its mistakes are reported, and only the paths are new.
    let mut silent = DiagnosticCollector::new("", "");
    for item in list.list("", &mut silent) {
        let Some(entry) = read_entry(&item, global.zone, &mut silent) else {
            continue;
        };
        let is_covered =
            |blocked: &AccessEntry| covers(blocked, &entry, &global.address_normalization);
        if block.iter().copied().flatten().any(is_covered) {
            let problem = "this booker is blocked as well, and that counts first".to_owned();
            let help = "take the entry out of one of the two lists";
            report.warn(&item.path, problem, help);
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
    table.match_names(&["booker", "note", "expires"], &RENAMED, report);
    let subject = table.get_required("booker", "\"ann@example.com\"", report);
    let note = table.get("note", report);
    let expires = table.get("expires", report);
    table.report_unknown_keys(report);
    let note = note.and_then(|item| self::read_note(&item, report));
    let expires = expires.and_then(|item| calendar_value::read_instant(&item, zone, report));
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
