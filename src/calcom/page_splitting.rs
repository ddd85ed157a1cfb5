//! Reads a page that cannot be read as a whole in ever smaller parts, down to single rows, so that
//! a row that is too large, or that the server itself cannot show, hides no other row.

use std::collections::VecDeque;

use super::port::CallError;
use crate::domain::booking::Booking;
use crate::domain::time::Time;

/// Rows of a listing, from one call or from several.
#[derive(Debug, Default)]
pub struct BookingRows {
    /// The rows that could be read as bookings, in the server's order.
    pub bookings: Vec<Booking>,
    /// Rows that could not be read: the place and the reason of each.
    pub unreadable: Vec<String>,
    /// The number of rows that came or were passed over. Fewer than were asked for means the end.
    pub count: usize,
    /// Whether the server says that more follow.
    pub has_more: Option<bool>,
    /// The server's own clock when it answered; `None` if no answer stated the time.
    pub server_time: Option<Time>,
}

/// How many calls may return no row before reading the page is given up. This covers the way down
/// to a single row and 16 consecutive rows that are too large by themselves. A server that answers
/// every part with an endless list of rows costs this many calls; an answer that does not begin
/// like a list of rows costs one.
const MAX_FRUITLESS_CALLS: usize = 24;

/// A page that is read in parts.
pub(super) struct PageRange {
    /// The server's name of the list, which identifies rows that are passed over.
    pub(super) name: &'static str,
    /// The position of the page's first row in the whole listing, and how many rows a page has.
    pub(super) first: u32,
    pub(super) size: u32,
    /// The most calls that may be spent on the page.
    pub(super) max_calls: usize,
}

/// Returns whether reading smaller parts may help.
pub(super) fn can_be_split(error: &CallError, split_refused: bool) -> bool {
    match error {
        CallError::TooLarge { has_rows, .. } => *has_rows,
        CallError::Refused(_) => split_refused,
        CallError::Credential(_)
        | CallError::NotPermitted(_)
        | CallError::RateLimited { .. }
        | CallError::TooLate
        | CallError::Unreachable(_)
        | CallError::Unknown(_)
        | CallError::Failed(_)
        | CallError::Contract(_) => false,
    }
}

/// Reads the parts of a page that could not be read as a whole because of `error`. Returns `error`
/// if no part can be read.
pub(super) async fn read_in_parts<'a, F>(
    page: &PageRange,
    error: CallError,
    split_refused: bool,
    read: F,
) -> Result<BookingRows, CallError>
where
    F: Fn(u32, u32) -> futures_util::future::BoxFuture<'a, Result<BookingRows, CallError>>,
{
    let mut rows = BookingRows::default();
    let mut calls = 0;
    // In the order of the rows.
    let mut parts = VecDeque::from(split_in_half(page.first, page.size));
    while let Some((first, size)) = parts.pop_front() {
        if calls == page.max_calls {
            let end = first + size;
            let name = page.name;
            rows.unreadable
                .push(format!("{name}[{first}..{end}]: not read: {error}"));
            rows.count += size as usize;
            continue;
        }
        if calls == MAX_FRUITLESS_CALLS && rows.bookings.is_empty() {
            return Err(error);
        }
        calls += 1;
        match read(first, size).await {
            Ok(part) => {
                rows.count += part.count;
                rows.bookings.extend(part.bookings);
                rows.unreadable.extend(part.unreadable);
                rows.has_more = part.has_more;
                rows.server_time = part.server_time.or(rows.server_time);
                if part.count < size as usize {
                    break;
                }
            }
            Err(why) if can_be_split(&why, split_refused) && size == 1 => {
                rows.count += 1;
                rows.has_more = None;
                let why = match why {
                    CallError::Refused(why) | CallError::TooLarge { why, .. } => why,
                    other => other.to_string(),
                };
                rows.unreadable
                    .push(format!("{}[{first}]: {why}", page.name));
            }
            Err(why) if can_be_split(&why, split_refused) => {
                let [left, right] = split_in_half(first, size);
                parts.push_front(right);
                parts.push_front(left);
            }
            Err(why) => return Err(why),
        }
    }
    if rows.server_time.is_none() && rows.bookings.is_empty() {
        return Err(error);
    }
    Ok(rows)
}

fn split_in_half(first: u32, size: u32) -> [(u32, u32); 2] {
    let half = size / 2;
    [(first, half), (first + half, size - half)]
}
