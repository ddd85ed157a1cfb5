//! Reads what a case expects: a word, or a table with more details.

use super::model::CaseExpectation;
use super::relative_time;
use crate::config::diagnostic_collector::DiagnosticCollector;
use crate::config::reader::TomlTable;
use crate::config::reader::toml_value::TomlValue;
use crate::domain::decision::{MAX_CREDITS, REASON_CODES, ReasonCode};
use crate::domain::name_distance;

/// The most reasons that one decision may have.
const MAX_REASONS: usize = 50;

const DECISIONS: [(&str, &str); 5] = [
    ("confirm", "confirm"),
    ("decline", "decline"),
    ("wait", "wait"),
    ("review", "review"),
    ("leave", "leave"),
];

/// The keys of an expectation.
const KEYS: [&str; 6] = ["decision", "reasons", "text", "credits", "rule", "until"];

const EXAMPLE: &str = "{ decision = \"decline\", reasons = [\"over-cap\"] }";

pub(super) fn read(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<CaseExpectation> {
    if item.as_text().is_some() {
        return Some(expectation_of(item.keyword(&DECISIONS, report)?));
    }
    let mut table = item.table(EXAMPLE, report)?;
    table.match_names(&KEYS, &[], report);
    let decision = table.get_required("decision", "\"decline\"", report);
    let decision = decision.and_then(|item| item.keyword(&DECISIONS, report));
    let mut expect = expectation_of(decision.unwrap_or("decline"));
    expect.reasons = read_reasons(&mut table, report);
    if let Some(item) = table.get("text", report) {
        expect.text = item
            .text("The PIN is not right.", report)
            .map(str::to_owned);
    }
    if let Some(item) = table.get("credits", report) {
        expect.credits = item.number(0..=MAX_CREDITS, report);
    }
    if let Some(item) = table.get("rule", report) {
        expect.rule = item.text("a-day-ahead", report).map(str::to_owned);
    }
    if let Some(item) = table.get("until", report) {
        expect.until = relative_time::read(&item, report);
        if decision.is_some_and(|word| word != "wait") {
            let problem = "only a wait is over at some time".to_owned();
            report.error(
                &item.path,
                problem,
                "write decision = \"wait\", or leave it out",
            );
        }
    }
    table.report_unknown_keys(report);
    decision.map(|_| expect)
}

fn expectation_of(decision: &'static str) -> CaseExpectation {
    CaseExpectation {
        decision,
        reasons: None,
        text: None,
        credits: None,
        rule: None,
        until: None,
    }
}

fn read_reasons(
    table: &mut TomlTable<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Vec<ReasonCode>> {
    let list = table.get("reasons", report)?;
    let items = list.list("[\"over-cap\"]", report);
    let items = list.limit_count(items, MAX_REASONS, report);
    Some(
        items
            .iter()
            .filter_map(|item| read_reason_code(item, report))
            .collect(),
    )
}

fn read_reason_code(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<ReasonCode> {
    let text = item.text("over-cap", report)?;
    let code = ReasonCode::parse(text);
    if code.is_none() {
        let problem = format!("{} is no reason", report.show(text));
        let help = match name_distance::nearest(text, REASON_CODES.iter().map(|code| code.as_str()))
        {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "`maitred policy test --verbose` shows the reasons that are given".to_owned(),
        };
        report.error(&item.path, problem, help);
    }
    code
}
