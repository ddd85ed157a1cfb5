//! Renders accounts: what is available, what happened to the rest, and which grants the credits
//! come from.

use super::csv_text::write_csv;
use super::explain::render_entries;
use super::layout::{PageLayout, format_count, quote_title};
use crate::control::protocol::account::{
    AccountView, AccountsView, EntryView, ErasureView, LotView, StatementPeriodView, StatementView,
};
use crate::spreadsheet::formula;

/// Renders one account: what is available, and what happened to the rest.
pub fn render_account(view: &AccountView, page: &PageLayout) -> String {
    let mut text = format!(
        "{} has {} available.\n",
        view.account,
        format_count(view.available, "credit")
    );
    // What few accounts have is left out where it is zero.
    let rare = |parts: &[(u64, &str)]| {
        let parts = parts.iter().filter(|(credits, _)| *credits > 0);
        let texts = parts.map(|(credits, what)| format!(", {credits} {what}"));
        texts.collect::<String>()
    };
    let mut rows = vec![
        (
            "came in",
            format!(
                "{} granted, {} refunded{}",
                view.granted,
                view.refunded,
                rare(&[(view.received, "received"), (view.lent, "lent")])
            ),
        ),
        (
            "went out",
            format!(
                "{} posted, {} held, {} expired, {} revoked{}",
                view.posted,
                view.held,
                view.expired,
                view.revoked,
                rare(&[(view.sent, "sent"), (view.repaid, "repaid")])
            ),
        ),
    ];
    rows.extend(view.overdraft_limit.map(|limit| {
        (
            "overdraft",
            format!("at most {}", format_count(limit, "credit")),
        )
    }));
    if !view.aliases.is_empty() {
        rows.push(("aliases", view.aliases.join(", ")));
    }
    rows.extend(view.tier.clone().map(|tier| ("tier", tier)));
    if !view.tags.is_empty() {
        rows.push(("tags", view.tags.join(", ")));
    }
    let attributes = view.attributes.iter();
    let attributes = attributes.map(|(name, value)| ("attribute", format!("{name}={value}")));
    rows.extend(attributes);
    rows.extend(view.closed_reason.as_ref().map(|reason| {
        let text = match &view.merged_into {
            Some(successor) => format!("merged into {successor}: {reason}"),
            None => reason.clone(),
        };
        ("closed", text)
    }));
    rows.extend(view.frozen_reason.clone().map(|reason| ("frozen", reason)));
    if view.has_pin {
        rows.push(("PIN", "set".to_owned()));
    }
    text.push_str(&page.render_block(&rows));
    text.push_str(&render_lots(&view.lots, page));
    text
}

/// Renders lots in the order in which they pay; empty if there are none.
fn render_lots(lots: &[LotView], page: &PageLayout) -> String {
    if lots.is_empty() {
        return String::new();
    }
    let with_terms = lots.iter().any(|lot| !describe_terms(lot).is_empty());
    let row = |lot: &LotView| {
        let mut row = render_lot(lot, page);
        row.extend(with_terms.then(|| describe_terms(lot)));
        row
    };
    let mut headings = vec!["left", "granted", "expires", "grant"];
    headings.extend(with_terms.then_some("terms"));
    let table = page.render_table(
        &headings,
        &["expires"],
        &["left", "granted"],
        lots.iter().map(row).collect(),
    );
    format!("\nLots, in the order in which they are spent:\n{table}")
}

fn render_lot(lot: &LotView, page: &PageLayout) -> Vec<String> {
    vec![
        lot.left.to_string(),
        lot.granted.to_string(),
        format_expiry(lot.expires.as_deref(), page),
        lot.grant.clone(),
    ]
}

/// Returns on what terms a lot was given; empty for a lot that has none of its own.
fn describe_terms(lot: &LotView) -> String {
    let mut parts = Vec::new();
    if lot.source != "paid" {
        parts.push(lot.source.clone());
    }
    if lot.priority != 0 {
        parts.push(format!("priority {}", lot.priority));
    }
    if !lot.gates.is_empty() {
        parts.push(format!("only for {}", lot.gates.join(", ")));
    }
    if let Some(span) = &lot.lasts_after_first_use {
        parts.push(format!("for {span} after the first use"));
    }
    parts.join(", ")
}

/// Formats the time of an expiry, with a note if the time has come, or says that there is none.
pub(super) fn format_expiry(expires: Option<&str>, page: &PageLayout) -> String {
    match expires {
        None => "never".to_owned(),
        Some(at) if page.is_past(at) => format!("{}, over", page.format_minute(at)),
        Some(at) => page.format_minute(at),
    }
}

/// Renders a page of accounts as a table.
pub fn render_accounts(view: &AccountsView, page: &PageLayout) -> String {
    if view.accounts.is_empty() {
        return "No account matches. `maitred credits grant` opens an account.\n".to_owned();
    }
    let rows = view
        .accounts
        .iter()
        .map(|account| {
            vec![
                account.account.clone(),
                account.available.to_string(),
                account.held.to_string(),
                account.posted.to_string(),
                account.aliases.join(", "),
            ]
        })
        .collect();
    let accounts = format_count(view.accounts.len(), "account");
    let mut text = match view.next {
        Some(_) => format!("The first {accounts}; there are more:\n\n"),
        None => format!("{accounts}:\n\n"),
    };
    text.push_str(&page.render_table(
        &["account", "available", "held", "posted", "aliases"],
        &["account"],
        &["available", "held", "posted"],
        rows,
    ));
    if let Some(next) = &view.next {
        text.push_str(&format!(
            "\nThere are more: maitred account list --after {next}\n"
        ));
    }
    text
}

/// Renders an account and what happened to its credits: holds that are open, credits that expire
/// soon, and the entries.
pub fn render_statement(view: &StatementView, page: &PageLayout) -> String {
    let mut text = render_account(&view.balance, page);
    if let Some(successor) = &view.balance.merged_into {
        text.push_str(&format!(
            "\nThe account was merged into {successor}, which has its credits: maitred account statement \
             {successor}\n"
        ));
    }
    if !view.holds.is_empty() {
        text.push_str("\nOn hold:\n");
        let rows = view.holds.iter().map(|hold| {
            vec![
                hold.credits.to_string(),
                page.format_minute(&hold.since),
                page.format_minute(&hold.start),
                quote_title(hold.title.as_deref().unwrap_or_default()),
            ]
        });
        let headings = ["credits", "since", "start", "booking"];
        text.push_str(&page.render_table(
            &headings,
            &["since", "start"],
            &["credits"],
            rows.collect(),
        ));
    }
    if !view.expiring.is_empty() {
        text.push_str("\nExpiring within 30 days:\n");
        let rows = view.expiring.iter().map(|expiring| {
            vec![
                expiring.credits.to_string(),
                page.format_minute(&expiring.expires),
            ]
        });
        let headings = ["credits", "expires"];
        text.push_str(&page.render_table(&headings, &["expires"], &["credits"], rows.collect()));
    }
    match &view.period {
        None if view.entries.is_empty() => text.push_str("\nNo entry was recorded for it.\n"),
        None => {
            text.push_str("\nEntries, newest first:\n");
            text.push_str(&render_entries(&view.entries, page));
        }
        Some(period) => text.push_str(&render_period(period, &view.entries, page)),
    }
    text
}

/// Renders what an erasure did.
pub fn render_erasure(view: &ErasureView) -> String {
    let charges = match view.open_charges {
        0 => String::new(),
        1 => "1 open charge of the person continues under the pseudonym.\n".to_owned(),
        open => format!("{open} open charges of the person continue under the pseudonym.\n"),
    };
    format!(
        "The person is now {}: {} {} changed, and all sums are the same.\n{charges}The log was \
         written again. Its head is commit {}, {}; before, commit {} had the hash {}.\nBackups \
         that were made before still hold the person's data.\n",
        view.pseudonym,
        format_count(view.changed_commits, "commit"),
        if view.changed_commits == 1 {
            "was"
        } else {
            "were"
        },
        view.sequence,
        view.hash,
        view.replaced_sequence,
        view.replaced_hash,
    )
}

fn render_period(period: &StatementPeriodView, entries: &[EntryView], page: &PageLayout) -> String {
    let from = period.from.as_deref().map_or_else(
        || "From the first entry".to_owned(),
        |from| format!("From {}", page.format_minute(from)),
    );
    let to = period.to.as_deref().map_or_else(
        || "to the last entry".to_owned(),
        |to| format!("until {}", page.format_minute(to)),
    );
    let mut text = format!("\n{from} {to}:\n");
    text.push_str(&page.render_block(&[
        ("opening balance", period.opening.to_string()),
        ("came in", period.came_in.to_string()),
        ("went out", period.went_out.to_string()),
        ("closing balance", period.closing.to_string()),
    ]));
    if entries.is_empty() {
        text.push_str("\nNo entry was recorded in this period.\n");
    } else {
        text.push_str("\nEntries, oldest first:\n");
        text.push_str(&render_entries(entries, page));
    }
    text
}

/// The columns of a statement as a CSV file.
const STATEMENT_COLUMNS: [&str; 12] = [
    "account", "number", "at", "kind", "credits", "change", "balance", "reason", "by", "booking",
    "title", "start",
];

/// Renders the entries of a statement as CSV, one row each. No text of a member or an operator begins
/// like a formula.
pub fn render_statement_csv(view: &StatementView) -> String {
    let optional = |text: &Option<String>| formula::escape(text.as_deref().unwrap_or_default());
    let signed = |number: Option<i64>| number.map_or_else(String::new, |of| of.to_string());
    let row = |entry: &EntryView| {
        vec![
            formula::escape(&view.account),
            entry.sequence.to_string(),
            entry.at.clone(),
            entry.kind.clone(),
            entry.credits.map_or_else(String::new, |of| of.to_string()),
            signed(entry.change),
            signed(entry.balance),
            formula::escape(&entry.text),
            optional(&entry.by),
            optional(&entry.booking),
            optional(&entry.title),
            entry.start.clone().unwrap_or_default(),
        ]
    };
    write_csv(&STATEMENT_COLUMNS, view.entries.iter().map(row))
}
