//! Renders one request in full: the decision, what each rule found, what was sent, what the request
//! cost, and everything recorded about it.

use super::layout::{PageLayout, format_count};
use super::pass::render_step;
use super::review::format_operator_word;
use super::unresolved;
use crate::control::protocol::account::EntryView;
use crate::control::protocol::charges::{ChargeView, ChargesView};
use crate::control::protocol::decisions::{CallView, EvaluateView, ExplainView, FindingView};

/// Renders everything that is known about a booking.
pub fn render_explanation(view: &ExplainView, page: &PageLayout) -> String {
    let Some(decision) = &view.decision else {
        return format!(
            "Nothing was decided about this booking: it was accepted without a pass.\n{}",
            unresolved::render_unresolved_table(&view.unresolved, page)
        );
    };
    let mut extra_rows = vec![
        ("decided", page.format_second(&decision.decided_at)),
        ("policy", decision.policy.clone()),
    ];
    if !view.joined_bookings.is_empty() {
        let text = format!(
            "{}: added to the series after the decision, and answered with it",
            view.joined_bookings.join(", ")
        );
        extra_rows.push(("joined", text));
    }
    if let Some(text) = &view.booker_message {
        extra_rows.push(("message", text.clone()));
    }
    if let Some(review) = &view.review {
        extra_rows.push(("operator", format_operator_word(review, page)));
    }
    let mut text = render_step(&decision.step, page, &extra_rows);
    if !view.unresolved.is_empty() {
        text.push_str("\nUnresolved list:\n");
        text.push_str(&unresolved::render_unresolved_table(&view.unresolved, page));
    }
    text.push_str(&render_findings(&view.findings, page));
    text.push_str(&render_calls(&view.calls, page));
    text.push_str(&render_charges(&view.charges, page));
    if !view.entries.is_empty() {
        text.push_str("\nRecorded facts, oldest first:\n");
        text.push_str(&render_entries(&view.entries, page));
    }
    text
}

/// Renders the decision about a booking from a file.
pub fn render_evaluation(view: &EvaluateView, page: &PageLayout) -> String {
    let mut extra_rows = Vec::new();
    if let Some(text) = &view.booker_message {
        extra_rows.push(("message", text.clone()));
    }
    let mut text = format!(
        "Evaluated as if it were pending at {}. Nothing is changed.\n\n{}",
        page.format_second(&view.at),
        render_step(&view.decision, page, &extra_rows)
    );
    text.push_str(&render_findings(&view.findings, page));
    if !view.assumptions.is_empty() {
        text.push_str("\nA file does not contain everything; these assumptions were made:\n");
        for assumed in &view.assumptions {
            text.push_str(&page.render_block(&[("-", assumed.clone())]));
        }
    }
    text
}

fn render_findings(findings: &[FindingView], page: &PageLayout) -> String {
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
    let table = page.render_table(&["", "rule", "detail"], &["", "rule"], &[], rows);
    format!("\n{}:\n{table}", format_count(findings.len(), "finding"))
}

fn render_calls(calls: &[CallView], page: &PageLayout) -> String {
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
                page.format_second(&call.at),
                call.call.clone(),
                call.booking.clone(),
                format!("{answered}: {}", call.text),
            ]
        })
        .collect();
    let headings = ["at", "call", "booking", "answer"];
    let table = page.render_table(&headings, &["at", "call", "booking"], &[], rows);
    format!(
        "\n{} to Cal.com:\n{table}",
        format_count(calls.len(), "call")
    )
}

fn render_charges(charges: &[ChargeView], page: &PageLayout) -> String {
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
                format_charge_note(charge, page),
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
    let table = page.render_table(
        &headings,
        &["booking", "state"],
        &["credits", "refunded"],
        rows,
    );
    format!("\n{}:\n{table}", format_count(charges.len(), "charge"))
}

/// Renders charges with the reason why they are open, or how they ended.
pub fn render_charge_list(view: &ChargesView, page: &PageLayout) -> String {
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
            page.format_minute(&charge.start),
            line.reason.clone(),
        ]
    });
    let headings = ["booking", "account", "state", "credits", "start", "reason"];
    let unbroken = ["booking", "state", "start"];
    let mut text = page.render_table(&headings, &unbroken, &["credits"], rows.collect());
    if view.more {
        text.push_str("\nThere are more; ask for them with --limit.\n");
    }
    text
}

fn format_charge_note(charge: &ChargeView, page: &PageLayout) -> String {
    let mut note = page.format_minute(&charge.start);
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

/// Formats what an entry is about: the booking's title and start come first, if they are known.
fn format_entry(entry: &EntryView, page: &PageLayout) -> String {
    let title = entry.title.as_deref().filter(|title| !title.is_empty());
    let start = entry
        .start
        .as_deref()
        .map(|start| page.format_minute(start));
    let text = match (title, start) {
        (Some(title), Some(start)) => format!("“{title}” on {start}: {}", entry.text),
        (None, Some(start)) => format!("the booking on {start}: {}", entry.text),
        (Some(title), None) => format!("“{title}”: {}", entry.text),
        (None, None) => entry.text.clone(),
    };
    match &entry.by {
        Some(actor) => format!("{text} (by {actor})"),
        None => text,
    }
}

/// Formats the credits of an entry; in a statement with a sign if they changed the balance.
fn format_credits(entry: &EntryView) -> String {
    match (entry.change, entry.credits) {
        (Some(change), _) if change != 0 => format!("{change:+}"),
        (_, Some(credits)) => credits.to_string(),
        (_, None) => String::new(),
    }
}

/// Renders facts in a table: first the number in the log, and in a statement also the balance after
/// each fact.
pub(super) fn render_entries(entries: &[EntryView], page: &PageLayout) -> String {
    let signed_number = |number: Option<i64>| number.map_or_else(String::new, |of| of.to_string());
    let with_balance = entries.iter().any(|entry| entry.balance.is_some());
    let row = |entry: &EntryView| {
        let mut row = vec![
            entry.sequence.to_string(),
            page.format_second(&entry.at),
            entry.kind.clone(),
            format_credits(entry),
        ];
        row.extend(with_balance.then(|| signed_number(entry.balance)));
        row.push(format_entry(entry, page));
        row
    };
    let mut headings = vec!["no.", "at", "kind", "credits"];
    headings.extend(with_balance.then_some("balance"));
    headings.push("description");
    page.render_table(
        &headings,
        &["at", "kind"],
        &["no.", "credits", "balance"],
        entries.iter().map(row).collect(),
    )
}
