//! The unresolved list.

use super::layout::{Page, count};
use crate::control::protocol::unresolved::{UnresolvedItem, UnresolvedSummary, UnresolvedView};

pub fn list(view: &UnresolvedView, page: &Page) -> String {
    if view.items.is_empty() {
        return "Nothing is unresolved.\n".to_owned();
    }
    let open = view.items.iter().filter(|item| item.resolved.is_none());
    let open = open.count();
    let mut text = if open == 0 {
        String::from("Resolved:\n")
    } else {
        format!("{}:\n", count(view.items.len(), "unresolved booking"))
    };
    text.push_str(&table(&view.items, page));
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

/// One row an item.
pub(super) fn table(items: &[UnresolvedItem], page: &Page) -> String {
    let rows = items.iter().map(|item| {
        vec![
            item.booking.clone(),
            item.code.clone(),
            page.minute(&item.since),
            what(item, page),
        ]
    });
    let headings = ["booking", "code", "since", "what"];
    page.table(
        &headings,
        &["booking", "code", "since"],
        &[],
        rows.collect(),
    )
}

fn what(item: &UnresolvedItem, page: &Page) -> String {
    let mut text = item.detail.clone();
    if let Some(account) = &item.account {
        text.push_str(&format!(" (account {account})"));
    }
    if let Some(resolved) = &item.resolved {
        text.push_str(&format!(
            "; resolved by the {} on {}: {}",
            resolved.by,
            page.minute(&resolved.at),
            resolved.reason
        ));
    }
    text
}

/// What a pass, a watch or the status says of the list.
pub(super) fn summary(summary: &UnresolvedSummary) -> Option<String> {
    (!summary.is_empty()).then(|| {
        let bookings = count(summary.count, "booking");
        format!("{bookings}; see `maitred unresolved`")
    })
}
