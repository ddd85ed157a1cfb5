//! Members with their balances, and one member with grants and statement.

use maud::{Markup, html};

use super::explain::entries_table;
use crate::control::protocol::Command;
use crate::control::protocol::account::{
    AccountView, AccountsView, GrantRecordView, GrantsView, StatementView,
};
use crate::page::access::BrowserSession;
use crate::page::context::{LinkTarget, ViewContext, show_name};
use crate::page::document::form_token;
use crate::page::table::{Badge, badge, number, pages, table, text, values};

/// How many members one page shows.
const PAGE_SIZE: u32 = 50;

/// How many entries of a statement one page shows.
const STATEMENT_SIZE: u32 = 50;

/// How many lots, grants or aliases are shown. The statement has all grants.
const MAX_ROWS: usize = 50;

/// Returns the command for one page of members.
pub fn list_query(after: Option<String>, search: Option<String>) -> Command {
    Command::AccountList {
        after,
        limit: PAGE_SIZE,
        search,
    }
}

/// Returns the command for the grants of one member.
pub fn grants_query(account: &str) -> Command {
    Command::Grants {
        account: account.to_owned(),
    }
}

/// Returns the command for one page of a member's statement.
pub fn statement_query(account: &str, after: Option<String>) -> Command {
    Command::AccountStatement {
        account: account.to_owned(),
        limit: STATEMENT_SIZE,
        after,
        from: None,
        to: None,
    }
}

/// Shows one page of members, or those that a search has found.
pub fn show_list(
    context: &ViewContext<'_>,
    view: &AccountsView,
    find: Option<&str>,
    session: &BrowserSession,
) -> Markup {
    let seal = |name: &String| match context.links {
        LinkTarget::Page(sealer) => sealer.seal(name),
        LinkTarget::File => String::new(),
    };
    let search = find.map(|text| format!("find={}&", seal(&text.to_owned())));
    let search = search.unwrap_or_default();
    let next = view.next.as_ref();
    let next = next.map(|next| format!("/members?{search}after={}", seal(next)));
    let first = find.map(|_| "/members");
    html! {
        h1 { "Members" }
        form .filter method="post" action="/members/find" {
            (form_token(session))
            div {
                label for="find" { "Name or e-mail address" }
                input type="search" id="find" name="text" value=(find.unwrap_or_default())
                    maxlength="256" autocomplete="off";
            }
            button type="submit" { "Find" }
        }
        (accounts_table(context, view))
        (pages(first, next.as_deref()))
    }
}

/// Shows accounts in a table.
pub fn accounts_table(context: &ViewContext<'_>, view: &AccountsView) -> Markup {
    let rows: Vec<Vec<Markup>> = { view.accounts.iter() }
        .map(|account| {
            vec![
                context.account(&account.account),
                html! { (account.available) },
                html! { (account.held) },
                html! { (account.posted) },
                html! { (account.tier.as_deref().unwrap_or("none")) },
                match account.frozen_reason {
                    Some(_) => badge(Badge::Attention, "frozen"),
                    None => badge(Badge::Neutral, "active"),
                },
            ]
        })
        .collect();
    let columns = [
        text("member"),
        number("available"),
        number("held"),
        number("spent"),
        text("tier"),
        text("state"),
    ];
    table("Members, by name", &columns, &rows, "No member is found.")
}

/// Shows one member: the balance, the lots, the grants, and one page of the statement.
pub fn show_one(
    context: &ViewContext<'_>,
    grants: &GrantsView,
    statement: &StatementView,
    is_continued: bool,
) -> Markup {
    let sealed = match context.links {
        LinkTarget::Page(sealer) => sealer.seal(&statement.account),
        LinkTarget::File => String::new(),
    };
    let path = format!("/members/{sealed}");
    let next = statement.next.as_ref();
    let next = next.map(|next| format!("{path}?after={next}"));
    html! {
        h1 { (show_name(&statement.account)) }
        (balance(context, &statement.balance))
        p { a href={ "/decisions?member=" (sealed) } { "Decisions about this member" } }
        h2 { "Grants" }
        (grants_table(context, &grants.grants))
        h2 { "Statement" }
        (entries_table(context, "Entries, newest first", &statement.entries))
        (pages(is_continued.then_some(path.as_str()), next.as_deref()))
    }
}

/// Shows what an account has, and what happened to the rest.
pub fn balance(context: &ViewContext<'_>, account: &AccountView) -> Markup {
    let mut rows = vec![
        ("Available", html! { strong { (account.available) } }),
        (
            "Came in",
            html! { (account.granted) " granted, " (account.refunded) " refunded" },
        ),
        (
            "Went out",
            html! {
                (account.posted) " spent, " (account.held) " held, " (account.expired)
                " expired, " (account.revoked) " revoked"
            },
        ),
    ];
    if let Some(reason) = &account.frozen_reason {
        let frozen = html! { (badge(Badge::Attention, "frozen")) " " (context.text(reason)) };
        rows.push(("State", frozen));
    }
    if !account.aliases.is_empty() {
        let aliases = account.aliases.iter().take(MAX_ROWS);
        let aliases: Vec<_> = aliases.map(|alias| show_name(alias)).collect();
        rows.push(("Aliases", html! { (aliases.join(", ")) }));
    }
    rows.extend(account.tier.iter().map(|tier| ("Tier", html! { (tier) })));
    if !account.tags.is_empty() {
        rows.push(("Tags", html! { (account.tags.join(", ")) }));
    }
    let attributes = account.attributes.iter().take(MAX_ROWS);
    rows.extend(attributes.map(|(name, value)| ("Attribute", html! { (name) "=" (value) })));
    if account.has_pin {
        rows.push(("PIN", html! { "set" }));
    }
    html! {
        (values(&rows))
        @if !account.lots.is_empty() {
            h2 { "Credits that are left" }
            (lots_table(context, account))
        }
    }
}

fn lots_table(context: &ViewContext<'_>, account: &AccountView) -> Markup {
    let rows: Vec<Vec<Markup>> = { account.lots.iter().take(MAX_ROWS) }
        .map(|lot| {
            vec![
                html! { code { (lot.grant) } },
                html! { (lot.left) },
                html! { (lot.granted) },
                context.time_or(lot.expires.as_deref(), "never"),
            ]
        })
        .collect();
    let columns = [
        text("grant"),
        number("left"),
        number("granted"),
        text("expires"),
    ];
    table("Lots, in the order in which they pay", &columns, &rows, "")
}

/// Shows grants and revocations.
pub fn grants_table(context: &ViewContext<'_>, grants: &[GrantRecordView]) -> Markup {
    let rows: Vec<Vec<Markup>> = { grants.iter().take(MAX_ROWS) }
        .map(|grant| {
            vec![
                context.time(&grant.at),
                html! { (grant.kind) },
                html! { (grant.credits) },
                context.time_or(grant.expires.as_deref(), "never"),
                html! { (context.text(&grant.reason)) },
                html! { code { (grant.reference) } },
            ]
        })
        .collect();
    let columns = [
        text("at"),
        text("kind"),
        number("credits"),
        text("expires"),
        text("reason"),
        text("reference"),
    ];
    let caption = "Grants and revocations, newest first";
    table(caption, &columns, &rows, "No credits were granted.")
}
