//! One request in full: the decision, what each rule found, what was sent, what it cost, and
//! everything written down about it.

use super::layout::{Page, count};
use super::pass::step_block;
use super::review::word;
use super::unresolved;
use crate::control::protocol::charges::{ChargeView, ChargesView};
use crate::control::protocol::{CallView, EntryView, EvaluateView, ExplainView, FindingView};

pub fn explain(view: &ExplainView, page: &Page) -> String {
    let Some(decision) = &view.decision else {
        return format!(
            "Nothing was decided about this booking: it was accepted without a pass.\n{}",
            unresolved::table(&view.unresolved, page)
        );
    };
    let mut more = vec![
        ("decided", page.second(&decision.decided)),
        ("policy", decision.policy.clone()),
    ];
    if let Some(told) = &view.told {
        more.push(("told", told.clone()));
    }
    if let Some(said) = &view.review {
        more.push(("operator", word(said, page)));
    }
    let mut text = step_block(&decision.step, page, &more);
    if !view.unresolved.is_empty() {
        text.push_str("\nUnresolved list:\n");
        text.push_str(&unresolved::table(&view.unresolved, page));
    }
    text.push_str(&findings(&view.findings, page));
    text.push_str(&calls(&view.calls, page));
    text.push_str(&charges(&view.charges, page));
    if !view.entries.is_empty() {
        text.push_str("\nWritten down, oldest first:\n");
        text.push_str(&entries(&view.entries, page));
    }
    text
}

pub fn evaluate(view: &EvaluateView, page: &Page) -> String {
    let mut more = Vec::new();
    if let Some(told) = &view.told {
        more.push(("told", told.clone()));
    }
    let mut text = format!(
        "Judged as if it were pending at {}. Nothing is done.\n\n{}",
        page.second(&view.at),
        step_block(&view.decision, page, &more)
    );
    text.push_str(&findings(&view.findings, page));
    if !view.assumed.is_empty() {
        text.push_str("\nA file does not say everything; this was assumed:\n");
        for assumed in &view.assumed {
            text.push_str(&page.block(&[("-", assumed.clone())]));
        }
    }
    text
}

fn findings(findings: &[FindingView], page: &Page) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let rows = findings
        .iter()
        .map(|finding| {
            let passed = if finding.passed { "passed" } else { "failed" };
            vec![
                passed.to_owned(),
                finding.rule.clone(),
                finding.detail.clone(),
            ]
        })
        .collect();
    let table = page.table(&["", "rule", "found"], &["", "rule"], &[], rows);
    format!("\n{}:\n{table}", count(findings.len(), "finding"))
}

fn calls(calls: &[CallView], page: &Page) -> String {
    if calls.is_empty() {
        return String::new();
    }
    let rows = calls
        .iter()
        .map(|call| {
            let answered = if call.answered {
                "answered"
            } else {
                "no answer"
            };
            vec![
                page.second(&call.at),
                call.call.clone(),
                call.booking.clone(),
                format!("{answered}: {}", call.text),
            ]
        })
        .collect();
    let headings = ["at", "call", "booking", "what came back"];
    let table = page.table(&headings, &["at", "call", "booking"], &[], rows);
    format!("\n{} to Cal.com:\n{table}", count(calls.len(), "call"))
}

fn charges(charges: &[ChargeView], page: &Page) -> String {
    if charges.is_empty() {
        return String::new();
    }
    let rows = charges
        .iter()
        .map(|charge| {
            vec![
                charge.booking.clone(),
                charge.account.clone(),
                charge.state.clone(),
                charge.credits.to_string(),
                charge.refunded.to_string(),
                note(charge, page),
            ]
        })
        .collect();
    let headings = [
        "booking",
        "account",
        "state",
        "credits",
        "refunded",
        "when, and why",
    ];
    let table = page.table(
        &headings,
        &["booking", "state"],
        &["credits", "refunded"],
        rows,
    );
    format!("\n{}:\n{table}", count(charges.len(), "charge"))
}

/// Charges with why they are open, or how they ended.
pub fn charge_list(view: &ChargesView, page: &Page) -> String {
    if view.charges.is_empty() {
        return "There is no such charge.\n".to_owned();
    }
    let rows = view.charges.iter().map(|line| {
        let charge = &line.charge;
        vec![
            charge.booking.clone(),
            charge.account.clone(),
            charge.state.clone(),
            charge.credits.to_string(),
            page.minute(&charge.start),
            line.why.clone(),
        ]
    });
    let headings = ["booking", "account", "state", "credits", "start", "why"];
    let narrow = ["booking", "state", "start"];
    let mut text = page.table(&headings, &narrow, &["credits"], rows.collect());
    if view.more {
        text.push_str("\nThere are more; ask for them with --limit.\n");
    }
    text
}

fn note(charge: &ChargeView, page: &Page) -> String {
    let mut note = page.minute(&charge.start);
    if let Some(from) = &charge.moved_from {
        note.push_str(&format!("; moved here from {from}"));
    }
    if let Some(to) = &charge.moved_to {
        note.push_str(&format!("; moved on to {to}"));
    }
    if let Some(text) = &charge.note {
        note.push_str(&format!("; {text}"));
    }
    note
}

/// What an entry is about: the booking's title and start come first, where they are known.
fn what(entry: &EntryView, page: &Page) -> String {
    let title = entry.title.as_deref().filter(|title| !title.is_empty());
    let start = entry.start.as_deref().map(|start| page.minute(start));
    match (title, start) {
        (Some(title), Some(start)) => format!("“{title}” on {start}: {}", entry.text),
        (None, Some(start)) => format!("the booking on {start}: {}", entry.text),
        (Some(title), None) => format!("“{title}”: {}", entry.text),
        (None, None) => entry.text.clone(),
    }
}

/// Facts in a table, the number in the log first, and the balance after each in a statement.
pub(super) fn entries(entries: &[EntryView], page: &Page) -> String {
    let number = |number: Option<u64>| number.map_or_else(String::new, |of| of.to_string());
    let with_balance = entries.iter().any(|entry| entry.balance.is_some());
    let row = |entry: &EntryView| {
        let mut row = vec![
            entry.sequence.to_string(),
            page.second(&entry.at),
            entry.kind.clone(),
            number(entry.credits),
        ];
        row.extend(with_balance.then(|| number(entry.balance)));
        row.push(what(entry, page));
        row
    };
    let mut headings = vec!["no.", "at", "kind", "credits"];
    headings.extend(with_balance.then_some("balance"));
    headings.push("what");
    page.table(
        &headings,
        &["at", "kind"],
        &["no.", "credits", "balance"],
        entries.iter().map(row).collect(),
    )
}
