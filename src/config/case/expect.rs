//! What is expected of a case: a word, or a table that says more.

use super::model::Expect;
use super::moment;
use crate::config::reader::{Item, Table};
use crate::config::report::Report;
use crate::domain::decision::{CODES, Code, MAX_CREDITS};
use crate::domain::near;

/// Reasons that one decision may have.
const MAX_REASONS: usize = 50;

const DECISIONS: [(&str, &str); 5] = [
    ("confirm", "confirm"),
    ("decline", "decline"),
    ("wait", "wait"),
    ("review", "review"),
    ("leave", "leave"),
];

const EXAMPLE: &str = "{ decision = \"decline\", reasons = [\"over-cap\"] }";

pub(super) fn read(item: &Item<'_>, report: &mut Report<'_>) -> Option<Expect> {
    if item.as_text().is_some() {
        return Some(plain(item.word(&DECISIONS, report)?));
    }
    let mut table = item.table(EXAMPLE, report)?;
    let decision = table.need("decision", "\"decline\"", report);
    let decision = decision.and_then(|item| item.word(&DECISIONS, report));
    let mut expect = plain(decision.unwrap_or("decline"));
    expect.reasons = reasons(&mut table, report);
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
        expect.until = moment::read(&item, report);
        if decision.is_some_and(|word| word != "wait") {
            let problem = "only a wait is over at some time".to_owned();
            report.error(
                &item.path,
                problem,
                "write decision = \"wait\", or leave it out",
            );
        }
    }
    table.close(report);
    decision.map(|_| expect)
}

fn plain(decision: &'static str) -> Expect {
    Expect {
        decision,
        reasons: None,
        text: None,
        credits: None,
        rule: None,
        until: None,
    }
}

fn reasons(table: &mut Table<'_>, report: &mut Report<'_>) -> Option<Vec<Code>> {
    let list = table.get("reasons", report)?;
    let items = list.list("[\"over-cap\"]", report);
    let items = list.few(items, MAX_REASONS, report);
    Some(items.iter().filter_map(|item| code(item, report)).collect())
}

fn code(item: &Item<'_>, report: &mut Report<'_>) -> Option<Code> {
    let text = item.text("over-cap", report)?;
    let code = Code::parse(text);
    if code.is_none() {
        let problem = format!("{} is no reason", report.show(text));
        let help = match near::nearest(text, CODES.iter().map(|code| code.as_str())) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "`maitred policy test --verbose` shows the reasons that are given".to_owned(),
        };
        report.error(&item.path, problem, help);
    }
    code
}
