//! Decisions in a table; `explain` tells each in full.

use super::layout::{Page, count, title};
use super::pass::who;
use crate::control::protocol::{DecisionView, DecisionsView, RefundView, StepView};

pub fn plain(view: &DecisionsView, page: &Page) -> String {
    if view.decisions.is_empty() {
        return "No decision fits what was asked for (`--since`, `--who`, `--gate`, `--outcome`).\n".to_owned();
    }
    let mut text = count(view.decisions.len(), "decision") + ", newest first:\n\n";
    let headings = ["decided", "booking", "what"];
    let rows = view
        .decisions
        .iter()
        .map(|decision| row(decision, page))
        .collect();
    text.push_str(&page.table(&headings, &["decided", "booking"], &[], rows));
    if view.more {
        text.push_str("\nThere are more; ask for them with --limit or --since.\n");
    }
    text
}

fn row(view: &DecisionView, page: &Page) -> Vec<String> {
    let DecisionView {
        decided,
        step,
        refunds,
        ..
    } = view;
    let who = who(step);
    let (title, start) = (title(&step.title), page.minute(&step.start));
    vec![
        page.minute(decided),
        step.request.clone(),
        format!("{}\n{who}: {title} on {start}{}", how(step), back(refunds)),
    ]
}

/// What came back of it since, and why.
fn back(refunds: &[RefundView]) -> String {
    let lines = refunds.iter().map(|refund| {
        let credits = count(refund.credits, "credit");
        format!("\n{credits} came back: {}", refund.reason)
    });
    lines.collect()
}

/// How it ended, or the decision while it has not ended; then why, or for how much.
fn how(step: &StepView) -> String {
    let verdict = match step.outcome.as_str() {
        "none" => step.decision.clone(),
        "confirmed" | "declined" => step.outcome.clone(),
        outcome => format!("{}, {outcome}", step.decision),
    };
    let codes: Vec<&str> = step
        .reasons
        .iter()
        .map(|reason| reason.code.as_str())
        .collect();
    if step.decision == "confirm" {
        format!("{verdict}, for {}", count(step.credits, "credit"))
    } else if codes.is_empty() {
        verdict
    } else {
        format!("{verdict}: {}", codes.join(", "))
    }
}
