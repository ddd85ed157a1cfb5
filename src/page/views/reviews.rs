//! The requests that wait for an operator, with the forms that confirm and decline them.

use maud::{Markup, html};

use super::{overview, request};
use crate::control::protocol::Command;
use crate::control::protocol::review::{NotedRequestView, ReviewsView};
use crate::page::access::BrowserSession;
use crate::page::context::{ViewContext, format_count, quote_title};
use crate::page::document::form_token;
use crate::page::table::{pages, values};

/// How many requests one page shows.
const PAGE_SIZE: u32 = 20;

/// The longest reason that an operator may give, in characters.
const MAX_REASON: u32 = 500;

/// Which list is shown, and to whom.
#[derive(Debug, Clone, Copy)]
pub struct ReviewList<'a> {
    /// Whether requests that wait for something else are shown too. These have no forms.
    pub all: bool,
    /// Whether this is not the first page.
    pub is_continued: bool,
    /// The request whose decision was just recorded.
    pub recorded: Option<&'a str>,
    /// The session that the forms are for.
    pub session: &'a BrowserSession,
}

/// Returns the command for one page of the list.
pub fn query(all: bool, after: Option<String>) -> Command {
    Command::Reviews {
        all,
        limit: PAGE_SIZE,
        after,
    }
}

/// Shows the requests of one page.
pub fn show(context: &ViewContext<'_>, view: &ReviewsView, list: &ReviewList<'_>) -> Markup {
    let path = |after: &str| match list.all {
        true => format!("/reviews?all=true{after}"),
        false => format!("/reviews?all=false{after}"),
    };
    let first = list.is_continued.then(|| path(""));
    let next = view.next.as_ref();
    let next = next.map(|next| path(&format!("&after={next}")));
    html! {
        h1 { @if list.all { "What waits" } @else { "Reviews" } }
        @if let Some(request) = list.recorded {
            p .notice role="status" {
                "Your decision about " (context.booking_uid(request))
                " is recorded. A pass acts on it; while the daemon is paused, once it is resumed."
            }
        }
        @if list.all {
            p { a href="/reviews" { "Only those that wait for a person" } }
            (overview::waiting_table(context, view))
        } @else {
            p { a href="/reviews?all=true" { "Everything that waits" } }
            @if view.requests.is_empty() {
                p .empty { "No request waits for a person." }
            }
            @for request in &view.requests { (show_request(context, request, list.session)) }
        }
        (pages(first.as_deref(), next.as_deref()))
    }
}

fn show_request(
    context: &ViewContext<'_>,
    request: &NotedRequestView,
    session: &BrowserSession,
) -> Markup {
    let step = &request.step;
    let cost = request.cost.map(|cost| format_count(cost, "credit"));
    let mut rows = vec![
        ("Starts", context.time_from_now(&step.start)),
        ("Booker", request::booker(context, step)),
        ("Why it waits", request::reasons(context, &step.reasons)),
        (
            "Cost",
            match (cost, request.available) {
                (None, _) => html! { "not known" },
                (Some(cost), Some(available)) => {
                    html! { (cost) ", of " (available) " available" }
                }
                (Some(cost), None) => html! { (cost) ", and there is no account" },
            },
        ),
        ("Since", context.time_from_now(&request.since)),
    ];
    rows.extend(step.gate.iter().map(|gate| ("Gate", html! { (gate) })));
    if let Some(review) = &request.review {
        let review = html! {
            (review.decision) ", on " (context.time(&review.at)) ": " (context.text(&review.reason))
        };
        rows.push(("Recorded", review));
    }
    rows.push(("Booking", request::bookings(context, step)));
    let heading = format!("request-{}", step.request);
    html! {
        article aria-labelledby=(heading) {
            h2 id=(heading) { (quote_title(&step.title)) }
            (values(&rows))
            (decision_form(session, &step.request, Choice::Confirm))
            details .decline {
                summary { "Decline instead" }
                (decision_form(session, &step.request, Choice::Decline))
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Choice {
    Confirm,
    Decline,
}

fn decision_form(session: &BrowserSession, request: &str, choice: Choice) -> Markup {
    let (word, button, class, help) = match choice {
        Choice::Confirm => (
            "confirm",
            "Confirm",
            "first",
            "Kept with the decision; the booker does not see it.",
        ),
        Choice::Decline => (
            "decline",
            "Decline",
            "bad",
            "The booker reads it. Without one, the booker reads that the host declined.",
        ),
    };
    let field = format!("{word}-reason-{request}");
    let help_field = format!("{word}-help-{request}");
    html! {
        form method="post" action={ "/reviews/" (request) } {
            (form_token(session))
            input type="hidden" name="decision" value=(word);
            label for=(field) { "Reason (optional)" }
            p .help id=(help_field) { (help) }
            input type="text" id=(field) name="reason" maxlength=(MAX_REASON)
                aria-describedby=(help_field) autocomplete="off";
            button .(class) type="submit" { (button) }
        }
    }
}
