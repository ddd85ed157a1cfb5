//! Requests that wait for an operator's word, and the word that was said.

use super::layout::{Page, count, title};
use super::pass::{bookings, headed, who, why};
use crate::control::protocol::review::{ReviewedView, ReviewsView, WaitingView, WordView};

pub fn list(view: &ReviewsView, page: &Page) -> String {
    if view.requests.is_empty() {
        return "Nothing waits.\n".to_owned();
    }
    let mut text = count(view.requests.len(), "request") + ", soonest first:\n";
    for request in &view.requests {
        text.push('\n');
        text.push_str(&block(request, page));
    }
    text.push_str(
        "\n`maitred review confirm BOOKING` or `maitred review decline BOOKING` says what becomes of \
         one.\n",
    );
    if view.more {
        text.push_str("There are more; ask for them with --limit.\n");
    }
    text
}

fn block(request: &WaitingView, page: &Page) -> String {
    let step = &request.step;
    let mut rows = vec![("who", who(step)), ("why", why(step))];
    rows.extend(step.gate.clone().map(|gate| ("gate", gate)));
    rows.push(("cost", cost(request)));
    rows.push(("since", page.minute(&request.since)));
    rows.extend(request.said.as_ref().map(|said| ("said", word(said, page))));
    rows.push(("booking", bookings(step)));
    headed(step, page, &rows)
}

fn cost(request: &WaitingView) -> String {
    let cost = count(request.cost, "credit");
    match request.available {
        Some(available) => format!("{cost}, of {available} available"),
        None => format!("{cost}, and there is no account"),
    }
}

/// `confirm, on 2026-12-01 09:00 UTC: agreed by phone`.
pub(super) fn word(said: &WordView, page: &Page) -> String {
    format!(
        "{}, on {}: {}",
        said.verdict,
        page.minute(&said.at),
        said.reason
    )
}

pub fn said(view: &ReviewedView, page: &Page) -> String {
    let step = &view.request.step;
    let verdict = view.request.said.as_ref();
    let verdict = verdict.map_or("", |said| said.verdict.as_str());
    let what = format!("{} on {}", title(&step.title), page.minute(&step.start));
    let explain = format!("`maitred explain {}` tells how it goes.\n", step.request);
    if step.outcome != "none" {
        return format!("Nothing was done: {verdict} was said before of {what}.\n{explain}");
    }
    let mut text = if view.existed {
        format!("Nothing was done: {verdict} was said before of {what}, and stands.\n")
    } else {
        format!(
            "Written down: {verdict} {what}, for {}.\nThe last pass left it pending: {}\n",
            who(step),
            why(step)
        )
    };
    text.push_str(match view.acts.as_str() {
        "daemon" => "The daemon looks at it now.\n",
        "paused" => "The daemon is paused: it looks at it after `maitred resume`.\n",
        _ => "The next pass acts on it (`maitred run --once`).\n",
    });
    text + &explain
}
