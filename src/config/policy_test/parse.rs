//! Turns the text of a file into its cases, or into all its diagnostics.

use std::path::Path;

use chrono_tz::Tz;
use toml::de::DeTable;

use super::model::{CaseExpectation, CaseSubject, PolicyCase};
use super::{answer, booking, expect, member, relative_time};
use crate::config::diagnostic::Diagnostics;
use crate::config::diagnostic_collector::DiagnosticCollector;
use crate::config::key_names::RenamedKey;
use crate::config::parse::report_syntax_errors;
use crate::config::reader::TomlTable;
use crate::config::reader::toml_value::TomlValue;
use crate::config::{calendar_value, value};
use crate::domain::request::OperatorDecision;
use crate::domain::snapshot::PinResult;
use crate::domain::time::Time;

/// When requests are judged if the case does not say: noon on a Tuesday, far from any clock change.
pub const DEFAULT_NOW: &str = "2026-12-01T12:00:00Z";

/// The most cases of one file. More cases are easier to find in several files.
pub const MAX_CASES: usize = 10_000;

/// The most earlier requests that a case may give.
const MAX_EARLIER_REQUESTS: u64 = 10_000;

/// Reads the cases of a file. `source` is the path of the file: it appears in messages, and
/// relative paths in the text start at its folder.
///
/// # Errors
/// Returns all diagnostics if at least one is an error.
pub fn parse(text: &str, source: &str) -> Result<Vec<PolicyCase>, Diagnostics> {
    let mut report = DiagnosticCollector::new(text, source);
    let cases = read_cases(text, source, &mut report);
    if report.has_errors() {
        return Err(Diagnostics(report.into_diagnostics()));
    }
    Ok(cases)
}

fn read_cases(text: &str, source: &str, report: &mut DiagnosticCollector<'_>) -> Vec<PolicyCase> {
    let (tree, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        report_syntax_errors(&errors, report);
        return Vec::new();
    }
    let base = Path::new(source).parent().unwrap_or(Path::new(""));
    let mut top = TomlTable::new("", Some(tree.get_ref()));
    top.match_names(&["now", "case"], &[], report);
    let now = read_now(&mut top, report);
    let mut cases = Vec::new();
    if let Some(list) = top.get_required("case", "…, as [[case]] on a line of its own", report) {
        for table in list.sections("[[case]]", MAX_CASES, report) {
            let number = cases.len() + 1;
            cases.extend(read_case(table, (number, now), base, report));
        }
    }
    top.report_unknown_keys(report);
    cases
}

/// The keys of a case.
const KEYS: [&str; 13] = [
    "name",
    "now",
    "booking",
    "file",
    "member",
    "pin",
    "lookup",
    "earlier-requests",
    "host-is-busy",
    "empty-ledger",
    "first-evaluated",
    "review",
    "expect",
];

/// Keys of a case that other keys have replaced.
const RENAMED: [RenamedKey; 3] = [
    RenamedKey {
        old: "asked-before",
        new: Some("earlier-requests"),
        help: "write `earlier-requests`",
    },
    RenamedKey {
        old: "first-judged",
        new: Some("first-evaluated"),
        help: "write `first-evaluated`",
    },
    RenamedKey {
        old: "taken",
        new: Some("host-is-busy"),
        help: "write `host-is-busy`",
    },
];

/// Keys of an operator's decision that other keys have replaced.
const RENAMED_OF_REVIEW: [RenamedKey; 1] = [RenamedKey {
    old: "say",
    new: Some("decision"),
    help: "write `decision`",
}];

/// Reads the key `now` of a table.
fn read_now(table: &mut TomlTable<'_>, report: &mut DiagnosticCollector<'_>) -> Option<Time> {
    let item = table.get("now", report)?;
    calendar_value::read_instant(&item, Tz::UTC, report)
}

fn read_case(
    mut table: TomlTable<'_>,
    (number, now): (usize, Option<Time>),
    base: &Path,
    report: &mut DiagnosticCollector<'_>,
) -> Option<PolicyCase> {
    let key = table.path().to_owned();
    let position = report.position_of(&key);
    table.match_names(&KEYS, &RENAMED, report);
    let name = table.get("name", report);
    let name = name.and_then(|item| item.text("a member with credit", report));
    let now = read_now(&mut table, report).or(now);
    let subject = read_subject(&mut table, base, report);
    let member = table.get("member", report);
    let member = member.and_then(|item| member::read(&item, report));
    let pin = table.get("pin", report);
    let pin = pin.and_then(|item| item.keyword(&PIN_RESULTS, report));
    let lookups = table.get("lookup", report);
    let lookups = lookups.map(|item| answer::read_answers(&item, report));
    let earlier_requests = table.get("earlier-requests", report);
    let earlier_requests =
        earlier_requests.and_then(|item| item.number(0..=MAX_EARLIER_REQUESTS, report));
    let host_is_busy = read_flag(&mut table, "host-is-busy", report);
    let empty_ledger = read_flag(&mut table, "empty-ledger", report);
    let first_evaluated = table.get("first-evaluated", report);
    let first_evaluated = first_evaluated.and_then(|item| relative_time::read(&item, report));
    let review = read_review(&mut table, report);
    let expect = read_expectation(&mut table, report);
    table.report_unknown_keys(report);
    Some(PolicyCase {
        name: name.map_or_else(|| format!("case {number}"), str::to_owned),
        position,
        key,
        now,
        subject: subject?,
        member,
        pin,
        lookups: lookups.unwrap_or_default(),
        earlier_requests: earlier_requests
            .and_then(|n| n.try_into().ok())
            .unwrap_or(0),
        host_is_busy,
        empty_ledger,
        first_evaluated,
        review,
        expect: expect?,
    })
}

const PIN_RESULTS: [(&str, PinResult); 5] = [
    ("right", PinResult::Correct),
    ("wrong", PinResult::Wrong),
    ("missing", PinResult::Missing),
    ("not-set", PinResult::NotSet),
    ("locked", PinResult::Locked),
];

fn read_flag(
    table: &mut TomlTable<'_>,
    key: &'static str,
    report: &mut DiagnosticCollector<'_>,
) -> bool {
    let item = table.get(key, report);
    item.and_then(|item| item.flag(report)).unwrap_or(false)
}

fn read_subject(
    table: &mut TomlTable<'_>,
    base: &Path,
    report: &mut DiagnosticCollector<'_>,
) -> Option<CaseSubject> {
    let booking = table.get("booking", report);
    let file = table.get("file", report);
    if let (Some(_), Some(file)) = (&booking, &file) {
        let problem = "the booking stands here twice: in a file and under `booking`".to_owned();
        report.error(&file.path, problem, "leave out one of the two");
    }
    let described = match &booking {
        Some(item) => booking::read(item, report),
        None => Some(booking::default_booking()),
    };
    if let Some(item) = file {
        let position = report.position_of(&item.path);
        let path = value::read_path(&item, base, "booking.json", report)?;
        return Some(CaseSubject::File(path, position));
    }
    described.map(|described| CaseSubject::Described(Box::new(described)))
}

/// Reads what an operator decided: a word, or a table with the reason.
fn read_review(
    table: &mut TomlTable<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<(OperatorDecision, String)> {
    let item = table.get("review", report)?;
    let words = [
        ("confirm", OperatorDecision::Confirm),
        ("decline", OperatorDecision::Decline),
    ];
    let read_verdict =
        |item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>| item.keyword(&words, report);
    if item.as_table().is_none() {
        return read_verdict(&item, report)
            .map(|verdict| (verdict, "as an operator said".to_owned()));
    }
    let mut review_table = item.table("{ decision = \"confirm\", reason = \"…\" }", report)?;
    review_table.match_names(&["decision", "reason"], &RENAMED_OF_REVIEW, report);
    let verdict = review_table.get_required("decision", "\"confirm\"", report);
    let verdict = verdict.and_then(|item| read_verdict(&item, report));
    let reason = review_table.get_required("reason", "\"a good friend of the host\"", report);
    let reason = reason.and_then(|item| item.text("a good friend of the host", report));
    review_table.report_unknown_keys(report);
    Some((verdict?, reason?.to_owned()))
}

fn read_expectation(
    table: &mut TomlTable<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<CaseExpectation> {
    let item = table.get_required("expect", "\"confirm\"", report)?;
    expect::read(&item, report)
}
