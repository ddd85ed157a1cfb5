//! The statement of one member as a file that can be sent to the member. It has what the member may
//! know: the balance and what happened to the credits, and nothing that operators recorded for
//! themselves.

use maud::{Markup, html};

use super::context::{LinkTarget, ViewContext, show_name};
use super::document::file;
use super::table::{number, table, text, values};
use crate::control::protocol::account::{EntryView, StatementPeriodView, StatementView};

/// Returns a statement as the text of an HTML file.
pub fn render_statement(context: &ViewContext<'_>, view: &StatementView) -> String {
    let context = &ViewContext {
        links: LinkTarget::File,
        ..*context
    };
    let balance = &view.balance;
    let name = show_name(&view.account);
    let content = html! {
        h1 { "Statement of credits" }
        (values(&[
            ("Member", html! { (name) }),
            ("Date", context.time(&context.now.to_rfc3339())),
            ("Available now", html! { strong { (balance.available) } }),
            ("Reserved for requests", html! { (balance.held) }),
        ]))
        @if let Some(successor) = &view.balance.merged_into {
            p { "The account was merged into " (show_name(successor)) ", which has its credits." }
        }
        h2 { "Credits that are left" }
        (lots(context, view))
        @if !view.holds.is_empty() {
            h2 { "Reserved for requests" }
            (holds(context, view))
        }
        h2 { "What happened" }
        @if let Some(period) = &view.period { (balances(context, period)) }
        (entries(context, view))
        @if view.next.is_some() { p .note { "Older entries are left out." } }
        p .note { "Times are those of " (context.zone.name()) "." }
    };
    file(&format!("Statement of {name}"), &content)
}

/// Shows the period of the statement with its balances.
fn balances(context: &ViewContext<'_>, period: &StatementPeriodView) -> Markup {
    let end = |at: Option<&str>, otherwise: &str| match at {
        Some(at) => context.time(at),
        None => html! { (otherwise) },
    };
    values(&[
        ("From", end(period.from.as_deref(), "the first entry")),
        ("Until", end(period.to.as_deref(), "the last entry")),
        ("Balance at the beginning", html! { (period.opening) }),
        ("Came in", html! { (period.came_in) }),
        ("Went out", html! { (period.went_out) }),
        ("Balance at the end", html! { strong { (period.closing) } }),
    ])
}

fn holds(context: &ViewContext<'_>, view: &StatementView) -> Markup {
    let rows: Vec<Vec<Markup>> = { view.holds.iter() }
        .map(|hold| {
            let title = hold.title.as_deref().unwrap_or_default();
            vec![
                context.booking(&hold.booking, title),
                context.time(&hold.start),
                html! { (hold.credits) },
            ]
        })
        .collect();
    let columns = [text("booking"), text("start"), number("credits")];
    table(
        "Requests that are being confirmed",
        &columns,
        &rows,
        "None.",
    )
}

fn lots(context: &ViewContext<'_>, view: &StatementView) -> Markup {
    let rows: Vec<Vec<Markup>> = { view.balance.lots.iter() }
        .map(|lot| {
            vec![
                context.time_or(lot.expires.as_deref(), "never"),
                html! { (lot.left) },
            ]
        })
        .collect();
    let columns = [text("expires"), number("credits")];
    table(
        "Credits, in the order in which they are spent",
        &columns,
        &rows,
        "None.",
    )
}

fn entries(context: &ViewContext<'_>, view: &StatementView) -> Markup {
    let rows: Vec<Vec<Markup>> = { view.entries.iter() }
        .filter_map(|entry| {
            let word = member_word(entry)?;
            let booking = html! {
                @if let Some(title) = &entry.title {
                    (context.booking(entry.booking.as_deref().unwrap_or_default(), title))
                    @if let Some(start) = &entry.start { " on " (context.time(start)) }
                }
            };
            Some(vec![
                context.time(&entry.at),
                html! { (word) },
                booking,
                match (entry.change, entry.credits) {
                    (Some(change), _) if change != 0 => html! { (format!("{change:+}")) },
                    (_, credits) => html! { @if let Some(credits) = credits { (credits) } },
                },
                html! { @if let Some(balance) = entry.balance { (balance) } },
            ])
        })
        .collect();
    let columns = [
        text("at"),
        text("what"),
        text("booking"),
        number("credits"),
        number("balance"),
    ];
    let caption = match view.period {
        Some(_) => "Entries, oldest first",
        None => "Entries, newest first",
    };
    table(caption, &columns, &rows, "Nothing happened yet.")
}

/// Returns what an entry means for the member; `None` for entries that move no credits of the member.
fn member_word(entry: &EntryView) -> Option<&'static str> {
    let is_received = entry.change.is_some_and(|change| change > 0);
    Some(match entry.kind.as_str() {
        "grant" => "granted",
        "hold" => "reserved",
        "post" => "spent",
        "void" => "released",
        "refund" => "refunded",
        "revoke" => "taken back",
        "expire" => "expired",
        "move" => "moved to another time",
        "transfer" if is_received => "received",
        "transfer" => "passed on",
        "merged" if is_received => "received from a merged account",
        "merged" => "merged into another account",
        _ => return None,
    })
}
