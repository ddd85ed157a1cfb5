//! Renders the unresolved list.

use super::layout::{PageLayout, format_count};
use crate::control::protocol::unresolved::{UnresolvedItem, UnresolvedSummary, UnresolvedView};

/// Renders the unresolved list.
pub fn render_unresolved_list(view: &UnresolvedView, page: &PageLayout) -> String {
    if view.items.is_empty() {
        return "Nothing is unresolved.\n".to_owned();
    }
    let open = view.items.iter().filter(|item| item.resolved.is_none());
    let open = open.count();
    let mut text = if open == 0 {
        String::from("Resolved:\n")
    } else {
        format!(
            "{}:\n",
            format_count(view.items.len(), "unresolved booking")
        )
    };
    text.push_str(&render_unresolved_table(&view.items, page));
    if open > 0 {
        text.push_str(
            "\n`maitred explain BOOKING` tells more; `maitred unresolved resolve BOOKING --reason \
             TEXT` takes one off the list.\n",
        );
    }
    if view.more {
        text.push_str("There are more; ask for them with --limit.\n");
    }
    text
}

/// Renders one row for each item.
pub(super) fn render_unresolved_table(items: &[UnresolvedItem], page: &PageLayout) -> String {
    let rows = items.iter().map(|item| {
        vec![
            item.booking.clone(),
            item.code.clone(),
            page.format_minute(&item.since),
            format_detail(item, page),
        ]
    });
    let headings = ["booking", "code", "since", "detail"];
    page.render_table(
        &headings,
        &["booking", "code", "since"],
        &[],
        rows.collect(),
    )
}

fn format_detail(item: &UnresolvedItem, page: &PageLayout) -> String {
    let mut text = item.detail.clone();
    if let Some(account) = &item.account {
        text.push_str(&format!(" (account {account})"));
    }
    if let Some(resolved) = &item.resolved {
        text.push_str(&format!(
            "; resolved by the {} on {}: {}",
            resolved.resolved_by,
            page.format_minute(&resolved.at),
            resolved.reason
        ));
    }
    text
}

/// Renders what a pass, a watch or the status says about the list.
pub(super) fn render_unresolved_summary(summary: &UnresolvedSummary) -> Option<String> {
    (!summary.is_empty()).then(|| {
        let bookings = format_count(summary.count, "booking");
        format!("{bookings}; see `maitred unresolved`")
    })
}
