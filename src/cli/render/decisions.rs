//! Renders decisions in a table; `explain` shows each in full.

use super::layout::{PageLayout, format_count, quote_title};
use super::pass::format_booker;
use crate::control::protocol::decisions::{DecisionView, DecisionsView, RefundView};
use crate::control::protocol::pass::StepView;

/// Renders a list of decisions as a table.
pub fn render_decisions(view: &DecisionsView, page: &PageLayout) -> String {
    if view.decisions.is_empty() {
        return "No decision matches the filters (`--since`, `--booker`, `--gate`, `--outcome`).\n"
            .to_owned();
    }
    let mut text = format_count(view.decisions.len(), "decision") + ", newest first:\n\n";
    let headings = ["decided", "booking", "result"];
    let rows = view
        .decisions
        .iter()
        .map(|decision| render_row(decision, page))
        .collect();
    text.push_str(&page.render_table(&headings, &["decided", "booking"], &[], rows));
    if view.more {
        text.push_str("\nThere are more; ask for them with --limit or --since.\n");
    }
    text
}

fn render_row(view: &DecisionView, page: &PageLayout) -> Vec<String> {
    let DecisionView {
        decided_at,
        step,
        refunds,
        ..
    } = view;
    let booker = format_booker(step);
    let (title, start) = (quote_title(&step.title), page.format_minute(&step.start));
    vec![
        page.format_minute(decided_at),
        step.request.clone(),
        format!(
            "{}\n{booker}: {title} on {start}{}",
            format_outcome(step),
            render_refunds(refunds)
        ),
    ]
}

/// Renders the credits that have come back since the decision, and why.
fn render_refunds(refunds: &[RefundView]) -> String {
    let lines = refunds.iter().map(|refund| {
        let credits = format_count(refund.credits, "credit");
        format!("\n{credits} came back: {}", refund.reason)
    });
    lines.collect()
}

/// Formats how the request ended, or the decision if it has not ended, and then why, or for how
/// many credits.
fn format_outcome(step: &StepView) -> String {
    let outcome_text = match step.outcome.as_str() {
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
        format!(
            "{outcome_text}, for {}",
            format_count(step.credits, "credit")
        )
    } else if codes.is_empty() {
        outcome_text
    } else {
        format!("{outcome_text}: {}", codes.join(", "))
    }
}
