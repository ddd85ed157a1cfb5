//! The statement of one member as a file that can be sent to the member. It has what the member may
//! know: the balance and what happened to the credits, and nothing that operators recorded for
//! themselves.

use maud::{Markup, html};

use super::context::{LinkTarget, ViewContext, show_name};
use super::document::file;
use super::table::{number, table, text, values};
use crate::control::protocol::account::StatementView;

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
        h2 { "Credits that are left" }
        (lots(context, view))
        h2 { "What happened" }
        (entries(context, view))
        @if view.next.is_some() { p .note { "Older entries are left out." } }
        p .note { "Times are those of " (context.zone.name()) "." }
    };
    file(&format!("Statement of {name}"), &content)
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
            let word = member_word(&entry.kind)?;
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
                html! { @if let Some(credits) = entry.credits { (credits) } },
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
    table(
        "Entries, newest first",
        &columns,
        &rows,
        "Nothing happened yet.",
    )
}

/// Returns what an entry means for the member; `None` for entries that move no credits of the member.
fn member_word(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "grant" => "granted",
        "hold" => "reserved",
        "post" => "spent",
        "void" => "released",
        "refund" => "refunded",
        "revoke" => "taken back",
        "expire" => "expired",
        "move" => "moved to another time",
        _ => return None,
    })
}
