//! From the text of a file to its cases, or to all that is wrong with it.

use std::path::Path;

use chrono_tz::Tz;
use toml::de::DeTable;

use super::model::{Case, Expect, Subject};
use super::{booking, expect, member, moment};
use crate::config::finding::Findings;
use crate::config::parse::syntax;
use crate::config::reader::{Item, Table};
use crate::config::report::Report;
use crate::config::value;
use crate::domain::request::Verdict;
use crate::domain::snapshot::Pin;
use crate::domain::time::Time;

/// When cases are judged that say nothing of it: noon on a Tuesday, far from any clock change.
pub const NOW: &str = "2026-12-01T12:00:00Z";

/// Cases of one file; more are easier to find in several.
pub const MAX_CASES: usize = 10_000;

/// The most requests before it that a case may tell of.
const MAX_ASKED: u64 = 10_000;

/// Reads the cases of a file. `source` is its path: it stands in messages, and relative paths in
/// the text start at its folder.
///
/// # Errors
/// With every finding at once.
pub fn parse(text: &str, source: &str) -> Result<Vec<Case>, Findings> {
    let mut report = Report::new(text, source);
    let cases = read(text, source, &mut report);
    if report.has_errors() {
        return Err(Findings(report.findings()));
    }
    Ok(cases)
}

fn read(text: &str, source: &str, report: &mut Report<'_>) -> Vec<Case> {
    let (tree, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        syntax(&errors, report);
        return Vec::new();
    }
    let base = Path::new(source).parent().unwrap_or(Path::new(""));
    let mut top = Table::new("", Some(tree.get_ref()));
    let now = instant(&mut top, report);
    let mut cases = Vec::new();
    if let Some(list) = top.need("case", "…, as [[case]] on a line of its own", report) {
        for table in list.sections("[[case]]", MAX_CASES, report) {
            let number = cases.len() + 1;
            cases.extend(case(table, (number, now), base, report));
        }
    }
    top.close(report);
    cases
}

/// The key `now` of a table.
fn instant(table: &mut Table<'_>, report: &mut Report<'_>) -> Option<Time> {
    let item = table.get("now", report)?;
    value::instant(&item, Tz::UTC, report)
}

fn case(
    mut table: Table<'_>,
    (number, now): (usize, Option<Time>),
    base: &Path,
    report: &mut Report<'_>,
) -> Option<Case> {
    let key = table.path().to_owned();
    let place = report.place_of(&key);
    let name = table.get("name", report);
    let name = name.and_then(|item| item.text("a member with credit", report));
    let now = instant(&mut table, report).or(now);
    let subject = subject(&mut table, base, report);
    let member = table.get("member", report);
    let member = member.and_then(|item| member::read(&item, report));
    let pin = table.get("pin", report);
    let pin = pin.and_then(|item| item.word(&PINS, report));
    let lookups = table.get("lookup", report);
    let lookups = lookups.map(|item| booking::answers(&item, report));
    let asked = table.get("asked-before", report);
    let asked = asked.and_then(|item| item.number(0..=MAX_ASKED, report));
    let taken = flag(&mut table, "taken", report);
    let empty_ledger = flag(&mut table, "empty-ledger", report);
    let first = table.get("first-judged", report);
    let first_judged = first.and_then(|item| moment::read(&item, report));
    let review = review(&mut table, report);
    let expect = expectation(&mut table, report);
    table.close(report);
    Some(Case {
        name: name.map_or_else(|| format!("case {number}"), str::to_owned),
        place,
        key,
        now,
        subject: subject?,
        member,
        pin,
        lookups: lookups.unwrap_or_default(),
        asked_before: asked.and_then(|n| n.try_into().ok()).unwrap_or(0),
        taken,
        empty_ledger,
        first_judged,
        review,
        expect: expect?,
    })
}

const PINS: [(&str, Pin); 5] = [
    ("right", Pin::Right),
    ("wrong", Pin::Wrong),
    ("missing", Pin::Missing),
    ("not-set", Pin::NotSet),
    ("locked", Pin::Locked),
];

fn flag(table: &mut Table<'_>, key: &'static str, report: &mut Report<'_>) -> bool {
    let item = table.get(key, report);
    item.and_then(|item| item.flag(report)).unwrap_or(false)
}

fn subject(table: &mut Table<'_>, base: &Path, report: &mut Report<'_>) -> Option<Subject> {
    let described = table.get("booking", report);
    let file = table.get("file", report);
    if let (Some(_), Some(file)) = (&described, &file) {
        let problem = "the booking stands here twice: in a file and under `booking`".to_owned();
        report.error(&file.path, problem, "leave out one of the two");
        return None;
    }
    if let Some(item) = file {
        let place = report.place_of(&item.path);
        return value::path(&item, base, report).map(|path| Subject::File(path, place));
    }
    let described = described.map_or_else(
        || Some(booking::unsaid()),
        |item| booking::read(&item, report),
    );
    described.map(|described| Subject::Described(Box::new(described)))
}

/// What an operator said: a word, or a table with the reason.
fn review(table: &mut Table<'_>, report: &mut Report<'_>) -> Option<(Verdict, String)> {
    let item = table.get("review", report)?;
    let words = [("confirm", Verdict::Confirm), ("decline", Verdict::Decline)];
    let word = |item: &Item<'_>, report: &mut Report<'_>| item.word(&words, report);
    if item.as_table().is_none() {
        return word(&item, report).map(|verdict| (verdict, "as an operator said".to_owned()));
    }
    let mut said = item.table("{ say = \"confirm\", reason = \"…\" }", report)?;
    let verdict = said.need("say", "\"confirm\"", report);
    let verdict = verdict.and_then(|item| word(&item, report));
    let reason = said.need("reason", "\"a good friend of the house\"", report);
    let reason = reason.and_then(|item| item.text("a good friend of the house", report));
    said.close(report);
    Some((verdict?, reason?.to_owned()))
}

fn expectation(table: &mut Table<'_>, report: &mut Report<'_>) -> Option<Expect> {
    let item = table.need("expect", "\"confirm\"", report)?;
    expect::read(&item, report)
}
