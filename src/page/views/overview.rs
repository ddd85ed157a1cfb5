//! The state now: what the daemon does, what waits and why, and what needs a person.

use maud::{Markup, html};

use super::request;
use crate::control::protocol::Command;
use crate::control::protocol::pass::PassSummaryView;
use crate::control::protocol::review::ReviewsView;
use crate::control::protocol::status::{StatusView, WatchStatus};
use crate::page::context::{ViewContext, format_count};
use crate::page::table::{Badge, badge, table, text, values};

/// How many waiting requests the overview shows.
const MAX_WAITING: u32 = 10;

/// Returns the command for the requests that wait.
pub fn waiting_query() -> Command {
    Command::Reviews {
        all: true,
        limit: MAX_WAITING,
        after: None,
    }
}

/// Shows the state of the daemon and the requests that wait.
pub fn show(context: &ViewContext<'_>, status: &StatusView, waiting: &ReviewsView) -> Markup {
    html! {
        h1 { "Overview" }
        (state(context, status))
        h2 { "What waits" }
        (waiting_table(context, waiting))
        @if waiting.more { p { (context.link("/reviews?all=true", "All requests that wait")) } }
    }
}

/// Shows what needs a person, and the state of the daemon.
pub fn state(context: &ViewContext<'_>, status: &StatusView) -> Markup {
    html! {
        (attention(context, status))
        div .cards {
            section .card { h2 { "Daemon" } (daemon(context, status)) }
            section .card { h2 { "Watch" } (watch(context, &status.watch)) }
        }
    }
}

/// Shows what needs a person, the most urgent first.
fn attention(context: &ViewContext<'_>, status: &StatusView) -> Markup {
    let problems = status.problems.iter();
    let mut items: Vec<Markup> = problems
        .map(|problem| html! { (context.text(&problem.text)) " " code { "(" (problem.code) ")" } })
        .collect();
    let errors = [&status.last_error, &status.watch.last_error];
    items.extend(
        errors
            .into_iter()
            .flatten()
            .map(|error| html! { (context.text(error)) }),
    );
    let reviews = status.counts.requests_in_review;
    if reviews > 0 {
        items.push(html! {
            (context.link("/reviews", &count(reviews, "request"))) " to confirm or decline"
        });
    }
    if status.unresolved.count > 0 {
        items.push(html! {
            (context.link("/unresolved", &count(status.unresolved.count, "booking"))) " on the unresolved list"
        });
    }
    for failing in &status.failing {
        items.push(html! {
            "The " (failing.decision) " of " (context.booking_uid(&failing.request)) " has failed "
            (format_count(u64::from(failing.failures), "time"))
            @if let Some(why) = &failing.waiting_for { ": " (context.text(why)) }
        });
    }
    html! {
        h2 { "What needs a person" }
        @if items.is_empty() {
            p { (badge(Badge::Good, "nothing")) }
        } @else {
            ul .attention-list { @for item in &items { li { (item) } } }
        }
    }
}

fn daemon(context: &ViewContext<'_>, status: &StatusView) -> Markup {
    let state = match status.paused {
        true => badge(Badge::Attention, "paused"),
        false => badge(Badge::Good, "running"),
    };
    let mut rows = vec![
        ("State", state),
        ("Last pass", last_pass(context, status.last_pass.as_ref())),
        (
            "Next pass",
            context.time_or(status.next_pass.as_deref(), "none"),
        ),
        (
            "Unfinished",
            match status.open_intents {
                0 => html! { "nothing" },
                open => html! { (count(open, "decision")) },
            },
        ),
        (
            "Open charges",
            context.link("/bookings", &status.counts.open_charges.to_string()),
        ),
    ];
    let pauses = status.pauses.iter().map(|pause| {
        let what = match &pause.gate {
            Some(gate) => format!("gate {gate}"),
            None => "everything".to_owned(),
        };
        let until = context.time_or(pause.until.as_deref(), "it is resumed");
        (
            "Pause",
            html! { (what) ", until " (until) ": " (pause.reason) },
        )
    });
    rows.splice(1..1, pauses);
    if let Some(calls) = status.available_calls {
        let calls = html! { (count(calls, "call")) " now" };
        rows.push(("Rate budget", calls));
    }
    rows.extend([
        (
            "Started",
            html! {
                @if let Some(started) = &status.started { (context.time_from_now(started)) ", " }
                (passes(status.passes))
            },
        ),
        (
            "Log",
            html! { (format_count(status.log_sequence, "commit")) },
        ),
        ("Policy", html! { code { (status.policy) } }),
        (
            "Version",
            html! { (status.version) @if let Some(pid) = status.pid { ", process " (pid) } },
        ),
    ]);
    values(&rows)
}

fn last_pass(context: &ViewContext<'_>, pass: Option<&PassSummaryView>) -> Markup {
    html! {
        @match pass {
            None => "none yet",
            Some(pass) => {
                (context.time_from_now(&pass.finished))
                "; saw " (count(pass.observed, "pending booking"))
                " with " (format_count(pass.calls, "call"))
                @if pass.deferred_requests > 0 {
                    "; " (count(pass.deferred_requests, "request")) " put off"
                }
                @if pass.list_incomplete { "; the list broke off" }
            },
        }
    }
}

fn watch(context: &ViewContext<'_>, watch: &WatchStatus) -> Markup {
    let last = html! {
        @match &watch.last_summary {
            Some(last) => {
                (context.time_from_now(&last.finished))
                "; checked " (count(last.checked, "open charge"))
                " with " (format_count(last.calls, "call"))
                ", " (count(last.changes, "change"))
            },
            None => (context.time_or(watch.last_watch_at.as_deref(), "none yet")),
        }
    };
    values(&[
        ("Last watch", last),
        (
            "Next watch",
            context.time_or(watch.next_watch.as_deref(), "none"),
        ),
        (
            "Last audit",
            context.time_or(watch.last_audit_at.as_deref(), "none yet"),
        ),
        (
            "Next audit",
            context.time_or(watch.next_audit.as_deref(), "none"),
        ),
    ])
}

/// Shows the requests that wait, and why.
pub fn waiting_table(context: &ViewContext<'_>, waiting: &ReviewsView) -> Markup {
    let rows: Vec<Vec<Markup>> = { waiting.requests.iter() }
        .map(|request| {
            let step = &request.step;
            vec![
                context.booking(&step.request, &step.title),
                context.time(&step.start),
                request::booker(context, step),
                request::outcome(step),
                request::reasons(context, &step.reasons),
                context.time(&request.since),
            ]
        })
        .collect();
    let columns = [
        text("booking"),
        text("starts"),
        text("booker"),
        text("decision"),
        text("why"),
        text("since"),
    ];
    let caption = "Requests that are pending, soonest first";
    table(caption, &columns, &rows, "No request waits.")
}

fn passes(number: u64) -> String {
    match number {
        1 => "1 pass".to_owned(),
        number => format!("{number} passes"),
    }
}

fn count(number: usize, what: &str) -> String {
    // Counts of things in memory fit. A count that does not fit would still be plural.
    format_count(u64::try_from(number).unwrap_or(u64::MAX), what)
}
