//! Decodes the rows of a list, each on its own: a row that cannot be read is named and left alone,
//! and never hides the others.

use serde_json::Value;

use crate::domain::booking::Booking;

use super::lenient_row::{FieldError, Row};

/// The most rows that are read: more than any page that is asked for. The answer of a server that
/// ignores paging is cut off here.
pub(super) const MAX_ROWS: usize = 1000;

/// Decodes the rows. The second list says which rows are unreadable, and why
/// (`data[3].start is missing (UID)`).
pub(super) fn decode_bookings(
    rows: &[Value],
    list_name: &str,
    first: usize,
    decode: impl Fn(&Value) -> Result<Booking, FieldError>,
) -> (Vec<Booking>, Vec<String>) {
    let mut bookings = Vec::with_capacity(rows.len().min(MAX_ROWS));
    let mut unreadable = Vec::new();
    for (index, row) in rows.iter().take(MAX_ROWS).enumerate() {
        match decode(row) {
            Ok(booking) => bookings.push(booking),
            Err(why) => unreadable.push(describe_unreadable(list_name, first + index, row, why)),
        }
    }
    if rows.len() > MAX_ROWS {
        unreadable.push(format!(
            "{list_name}[{MAX_ROWS}..{}]: more rows than were asked for; not read",
            rows.len()
        ));
    }
    (bookings, unreadable)
}

fn describe_unreadable(list_name: &str, index: usize, row: &Value, why: FieldError) -> String {
    let dot = if why.field.is_empty() { " " } else { "." };
    match Row::from(row).uid() {
        Ok(uid) => format!("{list_name}[{index}]{dot}{why} ({uid})"),
        Err(_) => format!("{list_name}[{index}]{dot}{why}"),
    }
}
