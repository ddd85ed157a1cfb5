//! Renders credits that are given and taken back.

use super::account::format_expiry;
use super::layout::{PageLayout, format_count};
use crate::control::protocol::account::CreditsExportView;
use crate::control::protocol::account::{GrantRecordView, GrantsView, ImportView};

/// Renders what a grant or a revocation did.
pub fn render_grant_result(view: &GrantRecordView, page: &PageLayout) -> String {
    let credits = format_count(view.credits, "credit");
    let account = &view.account;
    let available = format!(
        "{account} has {} available now.",
        format_count(view.available, "credit")
    );
    let what = match view.kind.as_str() {
        "revoke" => format!("revoked from {account}"),
        _ => match &view.expires {
            Some(at) => format!(
                "granted to {account}, to be spent before {}",
                page.format_minute(at)
            ),
            None => format!("granted to {account}"),
        },
    };
    let verb = if view.credits == 1 { "was" } else { "were" };
    if view.already_recorded {
        format!(
            "Nothing was changed: under the reference {} {credits} {verb} {what}, at {}.\n\
             {available}\n",
            view.reference,
            page.format_minute(&view.at)
        )
    } else {
        let opened = match view.account_opened {
            true => format!("The account {account} did not exist: it is open now.\n"),
            false => String::new(),
        };
        format!(
            "{credits} {verb} {what}, under the reference {}.\n{opened}{available}\n",
            view.reference
        )
    }
}

/// Renders what an import did, or would do.
pub fn render_import(view: &ImportView) -> String {
    let choose_tense = |done: &str, plan: &str| {
        let word = if view.dry_run { plan } else { done };
        word.to_owned()
    };
    let mut text = format!(
        "{} read, {} {}, with {} in all.\n",
        format_count(view.rows, "row"),
        view.granted,
        choose_tense("granted", "would be granted"),
        format_count(view.credits, "credit")
    );
    if view.parts > 1 && !view.dry_run {
        text.push_str(&format!("They were written in {} parts.\n", view.parts));
    }
    if view.accounts_opened > 0 {
        // A check of several parts does not see what the parts before would have opened.
        let bound = if view.parts > 1 && view.dry_run {
            "At most "
        } else {
            ""
        };
        text.push_str(&format!(
            "{bound}{} {}.\n",
            format_count(view.accounts_opened, "account"),
            choose_tense("opened", "would be opened")
        ));
    }
    if view.accounts_updated > 0 {
        text.push_str(&format!(
            "{} another tier, other tags, attributes or aliases.\n",
            match (view.accounts_updated, view.dry_run) {
                (1, false) => "1 account was given".to_owned(),
                (1, true) => "1 account would be given".to_owned(),
                (some, false) => format!("{some} accounts were given"),
                (some, true) => format!("{some} accounts would be given"),
            }
        ));
    }
    if view.already_imported > 0 {
        text.push_str(&format!(
            "{} had been imported before and {} for nothing now. Give a new round of grants \
             another expiry or reason.\n",
            format_count(view.already_imported, "row"),
            if view.already_imported == 1 {
                "counts"
            } else {
                "count"
            },
        ));
    }
    text.push_str(&render_import_doubts(view));
    if view.dry_run {
        text.push_str("Nothing was written.\n");
    }
    text
}

/// Renders what an operator should look at after an import.
fn render_import_doubts(view: &ImportView) -> String {
    let mut text = String::new();
    if !view.ignored_columns.is_empty() {
        text.push_str(&format!(
            "Columns that were not read: {}.\n",
            view.ignored_columns.join(", ")
        ));
    }
    if !view.doubtful.is_empty() {
        text.push_str("Rows that may be mistyped:\n");
        for doubt in &view.doubtful {
            text.push_str(&format!("  line {}: {}\n", doubt.line, doubt.text));
        }
    }
    if !view.similar_names.is_empty() {
        text.push_str("Names that are nearly those of other accounts, and may be mistyped:\n");
        for near in &view.similar_names {
            text.push_str(&format!(
                "  {} (there is {})\n",
                near.account, near.existing_account
            ));
        }
    }
    text
}

/// Renders one page of an export; `credits export` writes pages as CSV.
pub fn render_export(view: &CreditsExportView) -> String {
    format!(
        "{} of {}.\n",
        format_count(view.rows.len(), "grant"),
        format_count(view.accounts, "account")
    )
}

/// Renders the grants and revocations of one account as a table.
pub fn render_grants(view: &GrantsView, page: &PageLayout) -> String {
    if view.grants.is_empty() {
        return format!("{} was never granted anything.\n", view.account);
    }
    let (revocations, grants): (Vec<_>, Vec<_>) = view
        .grants
        .iter()
        .partition(|record| record.kind == "revoke");
    let mut counts = Vec::new();
    if !grants.is_empty() {
        counts.push(format_count(grants.len(), "grant"));
    }
    if !revocations.is_empty() {
        counts.push(format_count(revocations.len(), "revocation"));
    }
    let rows = view
        .grants
        .iter()
        .map(|grant| {
            vec![
                page.format_minute(&grant.at),
                grant.kind.clone(),
                grant.credits.to_string(),
                format_expiry(grant.expires.as_deref(), page),
                grant.reference.clone(),
                grant.reason.clone(),
            ]
        })
        .collect();
    let headings = ["at", "kind", "credits", "expires", "reference", "reason"];
    format!(
        "{} of {}, newest first:\n\n{}",
        counts.join(" and "),
        view.account,
        page.render_table(&headings, &["at", "kind", "expires"], &["credits"], rows)
    )
}
