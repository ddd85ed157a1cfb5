//! Renders the credits of all accounts, month by month: as a table for people, and as CSV.

use super::csv_text::write_csv;
use super::layout::{PageLayout, format_count};
use crate::control::protocol::accounting::{AccountingMonthView, AccountingView};

/// The columns of the CSV file.
const CSV_COLUMNS: [&str; 18] = [
    "month",
    "complete",
    "opening",
    "granted-paid",
    "granted-promotional",
    "granted-allowance",
    "refunded",
    "restored",
    "lent",
    "repaid",
    "used",
    "expired",
    "revoked",
    "transferred",
    "closing",
    "held",
    "debt",
    "time-zone",
];

/// Renders the months with what came in, what went out, and what was owed to members.
pub fn render_accounting(view: &AccountingView, page: &PageLayout) -> String {
    let mut text = format!(
        "Credits of all accounts, by months in {}.\n\nWhat came in, what went out, and what was owed \
         to members at the beginning and at the end:\n",
        view.zone
    );
    let headings = [
        "month", "opening", "granted", "refunded", "lent", "repaid", "used", "expired", "revoked",
        "closing",
    ];
    let rows = view.months.iter().map(|month| {
        let numbers = [
            month.opening,
            month.granted_paid + month.granted_promotional + month.granted_allowance,
            month.refunded + month.restored,
            month.lent,
            month.repaid,
            month.used,
            month.expired,
            month.revoked,
            month.closing,
        ];
        let mut row = vec![month.month.clone()];
        row.extend(numbers.map(|number| number.to_string()));
        row
    });
    text.push_str(&page.render_table(&headings, &["month"], &headings[1..], rows.collect()));
    text.push_str("\nParts of these, and what members owe:\n");
    let headings = [
        "month",
        "paid",
        "promotional",
        "allowance",
        "restored",
        "transferred",
        "held",
        "debt",
    ];
    let rows = view.months.iter().map(|month| {
        let numbers = [
            month.granted_paid,
            month.granted_promotional,
            month.granted_allowance,
            month.restored,
            month.transferred,
            month.held,
            month.debt,
        ];
        let mut row = vec![month.month.clone()];
        row.extend(numbers.map(|number| number.to_string()));
        row
    });
    text.push_str(&page.render_table(&headings, &["month"], &headings[1..], rows.collect()));
    if view.months.iter().any(|month| !month.complete) {
        text.push_str("\nThe last month is not over.\n");
    }
    if view.expired_not_recorded > 0 {
        text.push_str(&format!(
            "\n{} past their expiry are owed until maitred records it, with the next entry of their \
             account.\n",
            format_count(view.expired_not_recorded, "credit")
        ));
    }
    text
}

/// Renders the months as CSV, one row each.
pub fn render_accounting_csv(view: &AccountingView) -> String {
    write_csv(
        &CSV_COLUMNS,
        view.months.iter().map(|month| csv_row(month, &view.zone)),
    )
}

fn csv_row(month: &AccountingMonthView, zone: &str) -> Vec<String> {
    let numbers = [
        month.opening,
        month.granted_paid,
        month.granted_promotional,
        month.granted_allowance,
        month.refunded,
        month.restored,
        month.lent,
        month.repaid,
        month.used,
        month.expired,
        month.revoked,
        month.transferred,
        month.closing,
        month.held,
        month.debt,
    ];
    let complete = if month.complete { "yes" } else { "no" };
    let mut row = vec![month.month.clone(), complete.to_owned()];
    row.extend(numbers.map(|number| number.to_string()));
    row.push(zone.to_owned());
    row
}
