//! The frame of every page: head, navigation, and the place for the content.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::access::BrowserSession;
use super::context::{ViewContext, remove_invisible};

/// The style of every page.
pub const STYLE: &str = include_str!("style.css");

/// The picture in the tab of the browser, so that browsers ask for no file.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
    %3Crect width='16' height='16' rx='3' fill='%231f5f5b'/%3E%3Cpath d='M3 12V4l5 5 5-5v8' fill='none' \
    stroke='white' stroke-width='2'/%3E%3C/svg%3E";

/// A part of the page, as the navigation has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The state now.
    Overview,
    /// Requests that wait for an operator.
    Reviews,
    /// What was decided.
    Decisions,
    /// Members and their credits.
    Members,
    /// Confirmed bookings with their charges.
    Bookings,
    /// The unresolved list.
    Unresolved,
    /// What happened over time.
    Charts,
}

impl Part {
    /// All parts, in the order of the navigation.
    pub const ALL: [Self; 7] = [
        Self::Overview,
        Self::Reviews,
        Self::Decisions,
        Self::Members,
        Self::Bookings,
        Self::Unresolved,
        Self::Charts,
    ];

    /// Returns the path of the part.
    pub fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Reviews => "/reviews",
            Self::Decisions => "/decisions",
            Self::Members => "/members",
            Self::Bookings => "/bookings",
            Self::Unresolved => "/unresolved",
            Self::Charts => "/charts",
        }
    }

    /// Returns the name of the part.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Reviews => "Reviews",
            Self::Decisions => "Decisions",
            Self::Members => "Members",
            Self::Bookings => "Bookings",
            Self::Unresolved => "Unresolved",
            Self::Charts => "Charts",
        }
    }
}

/// Shows a page for a browser that is logged in.
pub fn page(
    context: &ViewContext<'_>,
    session: &BrowserSession,
    part: Part,
    title: &str,
    content: &Markup,
) -> Response {
    let navigation = html! {
        nav aria-label="Parts of the page" {
            ul {
                @for other in Part::ALL {
                    li {
                        a href=(other.path()) aria-current=[(other == part).then_some("page")] {
                            (other.name())
                        }
                    }
                }
            }
        }
        form .log-out method="post" action="/logout" {
            (form_token(session))
            button type="submit" { "Log out" }
        }
    };
    let footer = html! {
        p { "Times are those of " (context.zone.name()) "." }
    };
    respond(StatusCode::OK, &frame(title, &navigation, content, &footer))
}

/// Shows a page that says one thing, for browsers that are not logged in and for failures.
pub fn message_page(status: StatusCode, title: &str, content: &Markup) -> Response {
    let content = html! { h1 { (title) } (content) };
    let nothing = html! {};
    respond(status, &frame(title, &nothing, &content, &nothing))
}

/// Returns the field by which a form shows that this page has made it.
pub fn form_token(session: &BrowserSession) -> Markup {
    html! { input type="hidden" name="form-token" value=(session.form_token); }
}

fn frame(title: &str, navigation: &Markup, content: &Markup, footer: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – maitred" }
                link rel="icon" href=(PreEscaped(ICON));
                link rel="stylesheet" href="/style.css";
            }
            body {
                a .skip href="#content" { "Skip to the content" }
                header {
                    p .name { a href="/" { "maitred" } }
                    (navigation)
                }
                main id="content" tabindex="-1" { (content) }
                footer { (footer) }
            }
        }
    }
}

/// Shows a page in a file of its own, with its style.
pub fn file(title: &str, content: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (content) } }
        }
    };
    remove_invisible(page.into_string())
}

fn respond(status: StatusCode, page: &Markup) -> Response {
    let text = remove_invisible(page.0.clone());
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    (status, [(header::CONTENT_TYPE, html)], text).into_response()
}
