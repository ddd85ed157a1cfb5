//! Confirmed bookings whose charges are open: they can still be moved, cancelled or missed.

use maud::{Markup, html};
use serde::Deserialize;

use crate::control::protocol::Command;
use crate::control::protocol::charges::{ChargesView, ListedChargeView};
use crate::page::context::ViewContext;
use crate::page::table::{number, pages, table, text};

/// How many charges are read at once. They are stored by the names of their bookings and shown by the
/// times, so that a part of them is sorted.
const BATCH_SIZE: u32 = 1_000;

/// How many charges one page shows.
const PAGE_SIZE: usize = 50;

/// Which charges are shown.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct BookingsQuery {
    /// The part after this place.
    after: Option<String>,
    /// The page within the part, from 0.
    #[serde(default)]
    page: usize,
}

/// Returns the command for a part of the open charges.
pub fn query(query: &BookingsQuery) -> Command {
    Command::Charges {
        open: true,
        limit: BATCH_SIZE,
        after: query.after.clone(),
    }
}

/// Shows one page of the open charges, soonest booking first.
pub fn show(context: &ViewContext<'_>, view: &ChargesView, query: &BookingsQuery) -> Markup {
    let mut charges: Vec<&ListedChargeView> = view.charges.iter().collect();
    charges.sort_by(|a, b| a.charge.start.cmp(&b.charge.start));
    let start = query.page.saturating_mul(PAGE_SIZE).min(charges.len());
    let end = start.saturating_add(PAGE_SIZE).min(charges.len());
    let part = query.after.as_ref();
    let part = part
        .map(|after| format!("after={after}&"))
        .unwrap_or_default();
    let next = if end < charges.len() {
        Some(format!("/bookings?{part}page={}", query.page + 1))
    } else {
        view.next
            .as_ref()
            .map(|next| format!("/bookings?after={next}"))
    };
    let is_first = query.page == 0 && query.after.is_none();
    html! {
        h1 { "Bookings" }
        p { "Confirmed bookings whose charge is still open, because they can be moved, cancelled or missed." }
        (charges_table(context, &charges[start..end]))
        (pages((!is_first).then_some("/bookings"), next.as_deref()))
    }
}

/// Shows charges in a table.
pub fn charges_table(context: &ViewContext<'_>, charges: &[&ListedChargeView]) -> Markup {
    let rows: Vec<Vec<Markup>> = { charges.iter() }
        .map(|listed| {
            let charge = &listed.charge;
            let title = listed.title.as_deref().unwrap_or_default();
            vec![
                context.booking(&charge.booking, title),
                context.time_from_now(&charge.start),
                context.account(&charge.account),
                html! { (charge.state) },
                html! { (charge.credits) },
                html! { (context.text(&listed.reason)) },
            ]
        })
        .collect();
    let columns = [
        text("booking"),
        text("starts"),
        text("account"),
        text("charge"),
        number("credits"),
        text("why it is open"),
    ];
    let caption = "Open charges, soonest booking first";
    table(caption, &columns, &rows, "No charge is open.")
}
