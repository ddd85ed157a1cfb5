//! Renders what a sync of members changed, or would change.

use super::layout::{PageLayout, format_count};
use crate::control::protocol::members::{MembersSyncView, SourceSyncView};

/// Renders a sync, source by source.
pub fn render_sync(view: &MembersSyncView, page: &PageLayout) -> String {
    let sources = view.sources.iter();
    let texts: Vec<String> = sources
        .map(|source| render_source(source, view.dry_run, page))
        .collect();
    texts.join("\n")
}

fn render_source(source: &SourceSyncView, dry_run: bool, page: &PageLayout) -> String {
    let name = &source.source;
    if let Some(why) = &source.error {
        return format!("Source {name} gave no list, so nothing was changed: {why}.\n");
    }
    let mut text = format!(
        "Source {name} lists {}.\n",
        format_count(source.members as u64, "member")
    );
    if dry_run {
        text.push_str("This is what a sync would change; nothing was written.\n");
    }
    if let Some(why) = &source.refused {
        let verb = match dry_run {
            true => "It would be refused",
            false => "Nothing was changed",
        };
        text.push_str(&format!("{verb}: {why}.\n"));
    }
    let mood = match source.refused.is_some() {
        true => "It would be: ",
        false => "",
    };
    text.push_str(&format!(
        "{mood}{} opened, {} changed ({} frozen, {} closed, {} thawed), {} unchanged; {} granted, {} revoked.\n",
        source.opened,
        source.changed,
        source.frozen,
        source.closed,
        source.thawed,
        source.unchanged,
        format_count(source.granted, "credit"),
        source.revoked
    ));
    if !source.changes.is_empty() {
        let changes = source.changes.iter();
        let rows = changes
            .map(|change| vec![change.account.clone(), change.change.clone()])
            .collect();
        text.push_str(&page.render_table(&["account", "change"], &[], &[], rows));
        let shown = source.changes.len();
        let all = source.opened + source.changed;
        if all > shown {
            text.push_str(&format!("and {} more\n", all - shown));
        }
    }
    for problem in &source.problems {
        text.push_str(&format!("not taken over: {problem}\n"));
    }
    text
}
