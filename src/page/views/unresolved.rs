//! The unresolved list: what an operator has to know and the ledger cannot settle by itself.

use maud::{Markup, html};

use crate::control::protocol::Command;
use crate::control::protocol::unresolved::{UnresolvedItem, UnresolvedView};
use crate::page::access::BrowserSession;
use crate::page::context::ViewContext;
use crate::page::document::form_token;
use crate::page::table::{pages, table, text, values};

/// How many items one page shows.
const PAGE_SIZE: u32 = 20;

/// The longest reason that an operator may give, in characters.
const MAX_REASON: u32 = 500;

/// What is shown in place of an empty list.
const NOTHING: &str = "Nothing is unresolved.";

/// Returns the command for one page of the list.
pub fn query(after: Option<String>) -> Command {
    Command::Unresolved {
        limit: PAGE_SIZE,
        after,
    }
}

/// Which part of the list is shown, and to whom.
#[derive(Debug, Clone, Copy)]
pub struct UnresolvedList<'a> {
    /// Whether this is not the first page.
    pub is_continued: bool,
    /// The booking that was just taken off the list.
    pub recorded: Option<&'a str>,
    /// The session that the forms are for.
    pub session: &'a BrowserSession,
}

/// Shows one page of the list, with a form for each item.
pub fn show(context: &ViewContext<'_>, view: &UnresolvedView, list: &UnresolvedList<'_>) -> Markup {
    let next = view.next.as_ref();
    let next = next.map(|next| format!("/unresolved?after={next}"));
    html! {
        h1 { "Unresolved list" }
        @if let Some(booking) = list.recorded {
            p .notice role="status" {
                "Your reason is recorded, and " (context.booking_uid(booking)) " is off the list for this code."
            }
        }
        @if view.items.is_empty() { p .empty { (NOTHING) } }
        @for item in &view.items { (show_item(context, item, list.session)) }
        (pages(list.is_continued.then_some("/unresolved"), next.as_deref()))
    }
}

fn show_item(context: &ViewContext<'_>, item: &UnresolvedItem, session: &BrowserSession) -> Markup {
    let heading = format!("item-{}-{}", item.code, item.booking);
    let rows = [
        ("Booking", context.booking_uid(&item.booking)),
        ("Account", account(context, item)),
        ("Since", context.time_from_now(&item.since)),
        ("Leaves the list", until(context, item)),
    ];
    html! {
        article aria-labelledby=(heading) {
            h2 id=(heading) { code { (item.code) } }
            p { (context.text(&item.detail)) }
            (values(&rows))
            details {
                summary { "Take it off the list" }
                (resolution_form(session, item))
            }
        }
    }
}

fn resolution_form(session: &BrowserSession, item: &UnresolvedItem) -> Markup {
    let field = format!("reason-{}-{}", item.code, item.booking);
    let help_field = format!("help-{}-{}", item.code, item.booking);
    html! {
        form method="post" action={ "/unresolved/" (item.booking) } {
            (form_token(session))
            input type="hidden" name="code" value=(item.code);
            label for=(field) { "Reason" }
            p .help id=(help_field) {
                "Kept with the booking. The same problem does not put it on the list again."
            }
            input type="text" id=(field) name="reason" maxlength=(MAX_REASON) required
                aria-describedby=(help_field) autocomplete="off";
            button .first type="submit" { "Take it off the list" }
        }
    }
}

fn account(context: &ViewContext<'_>, item: &UnresolvedItem) -> Markup {
    match &item.account {
        Some(account) => context.account(account),
        None => html! { "none" },
    }
}

fn until(context: &ViewContext<'_>, item: &UnresolvedItem) -> Markup {
    context.time_or(item.until.as_deref(), "when it is resolved")
}

/// Shows items in a table, for a report.
pub fn items_table(context: &ViewContext<'_>, items: &[UnresolvedItem]) -> Markup {
    let rows: Vec<Vec<Markup>> = { items.iter() }
        .map(|item| {
            vec![
                context.booking_uid(&item.booking),
                html! { code { (item.code) } },
                account(context, item),
                html! {
                    (context.text(&item.detail))
                    @if let Some(resolved) = &item.resolved {
                        "; resolved by the " (resolved.resolved_by) " on " (context.time(&resolved.at))
                        ": " (context.text(&resolved.reason))
                    }
                },
                context.time(&item.since),
                until(context, item),
            ]
        })
        .collect();
    let columns = [
        text("booking"),
        text("code"),
        text("account"),
        text("what was found"),
        text("since"),
        text("leaves the list"),
    ];
    let caption = "Bookings that somebody should look at";
    table(caption, &columns, &rows, NOTHING)
}
