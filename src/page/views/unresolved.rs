//! The unresolved list: what an operator has to know and the ledger cannot settle by itself.

use maud::{Markup, html};

use crate::control::protocol::Command;
use crate::control::protocol::unresolved::{UnresolvedItem, UnresolvedView};
use crate::page::context::ViewContext;
use crate::page::table::{pages, table, text};

/// How many items one page shows.
const PAGE_SIZE: u32 = 50;

/// Returns the command for one page of the list.
pub fn query(after: Option<String>) -> Command {
    Command::Unresolved {
        limit: PAGE_SIZE,
        after,
    }
}

/// Shows one page of the list.
pub fn show(context: &ViewContext<'_>, view: &UnresolvedView, is_continued: bool) -> Markup {
    let next = view.next.as_ref();
    let next = next.map(|next| format!("/unresolved?after={next}"));
    html! {
        h1 { "Unresolved list" }
        (items_table(context, &view.items))
        @if !view.items.is_empty() {
            p .note {
                code { "maitred unresolved resolve BOOKING --reason TEXT" } " takes a booking off the list."
            }
        }
        (pages(is_continued.then_some("/unresolved"), next.as_deref()))
    }
}

/// Shows items in a table.
pub fn items_table(context: &ViewContext<'_>, items: &[UnresolvedItem]) -> Markup {
    let rows: Vec<Vec<Markup>> = { items.iter() }
        .map(|item| {
            vec![
                context.booking_uid(&item.booking),
                html! { code { (item.code) } },
                html! {
                    @match &item.account {
                        Some(account) => (context.account(account)),
                        None => "none",
                    }
                },
                html! {
                    (context.text(&item.detail))
                    @if let Some(resolved) = &item.resolved {
                        "; resolved by the " (resolved.resolved_by) " on " (context.time(&resolved.at))
                        ": " (context.text(&resolved.reason))
                    }
                },
                context.time(&item.since),
                context.time_or(item.until.as_deref(), "until it is resolved"),
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
    table(caption, &columns, &rows, "Nothing is unresolved.")
}
