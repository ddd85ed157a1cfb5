//! Renders requests that wait for an operator's decision, and that decision.

use super::layout::{PageLayout, format_count, quote_title};
use super::pass::{format_booker, format_bookings, format_reasons, render_with_heading};
use crate::control::protocol::review::{
    NotedRequestView, OperatorReviewView, ReviewResultView, ReviewsView,
};

/// Renders the requests that wait for an operator.
pub fn render_review_list(view: &ReviewsView, page: &PageLayout) -> String {
    if view.requests.is_empty() {
        return "Nothing waits.\n".to_owned();
    }
    let mut text = format_count(view.requests.len(), "request") + ", soonest first:\n";
    for request in &view.requests {
        text.push('\n');
        text.push_str(&render_request(request, page));
    }
    text.push_str(
        "\n`maitred review confirm BOOKING` or `maitred review decline BOOKING` decides a \
         request.\n",
    );
    if view.more {
        text.push_str("There are more; ask for them with --limit.\n");
    }
    text
}

fn render_request(request: &NotedRequestView, page: &PageLayout) -> String {
    let step = &request.step;
    let mut rows = vec![
        ("booker", format_booker(step)),
        ("reasons", format_reasons(step)),
    ];
    rows.extend(step.gate.clone().map(|gate| ("gate", gate)));
    rows.push(("cost", format_cost(request)));
    rows.push(("since", page.format_minute(&request.since)));
    rows.extend(
        request
            .review
            .as_ref()
            .map(|review| ("review", format_operator_word(review, page))),
    );
    rows.push(("booking", format_bookings(step)));
    render_with_heading(step, page, &rows)
}

fn format_cost(request: &NotedRequestView) -> String {
    let Some(cost) = request.cost else {
        return "not known".to_owned();
    };
    let cost = format_count(cost, "credit");
    match request.available {
        Some(available) => format!("{cost}, of {available} available"),
        None => format!("{cost}, and there is no account"),
    }
}

/// Formats an operator's decision: `confirm, on 2026-12-01 09:00 UTC: agreed by phone`.
pub(super) fn format_operator_word(word: &OperatorReviewView, page: &PageLayout) -> String {
    format!(
        "{}, on {}: {}",
        word.decision,
        page.format_minute(&word.at),
        word.reason
    )
}

/// Renders the operator's decision that was recorded, and what happens next.
pub fn render_reviewed(view: &ReviewResultView, page: &PageLayout) -> String {
    let step = &view.request.step;
    let verdict = view.request.review.as_ref();
    let verdict = verdict.map_or("", |word| word.decision.as_str());
    let what = format!(
        "{} on {}",
        quote_title(&step.title),
        page.format_minute(&step.start)
    );
    let explain = format!("`maitred explain {}` shows the progress.\n", step.request);
    if step.outcome != "none" {
        return format!(
            "Nothing was changed: the decision to {verdict} {what} was recorded \
         before.\n{explain}"
        );
    }
    let mut text = if view.already_recorded {
        format!(
            "Nothing was changed: the decision to {verdict} {what} was recorded before and \
         is in force.\n"
        )
    } else {
        format!(
            "Recorded: {verdict} {what}, for {}.\nThe last pass left it pending: {}\n",
            format_booker(step),
            format_reasons(step)
        )
    };
    text.push_str(&render_obstacles(view, page));
    text.push_str(match view.acted_on_by.as_str() {
        "daemon" => "The daemon evaluates it now.\n",
        "paused" => "The daemon is paused: it evaluates the request after `maitred resume`.\n",
        _ if view.obstacles.is_empty() => "The next pass acts on it (`maitred run --once`).\n",
        _ => "Each pass evaluates it again (`maitred run --once`).\n",
    });
    text + &explain
}

/// Renders why the request stays pending in spite of the decision.
fn render_obstacles(view: &ReviewResultView, page: &PageLayout) -> String {
    if view.obstacles.is_empty() {
        return String::new();
    }
    let rows: Vec<(&str, String)> = view
        .obstacles
        .iter()
        .map(|obstacle| (obstacle.code.as_str(), obstacle.text.clone()))
        .collect();
    format!(
        "As things stand, the request stays pending until this changes, which no decision \
         overrides:\n{}",
        page.render_block(&rows)
    )
}
