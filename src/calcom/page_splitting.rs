//! A page that cannot be had as a whole is read in ever smaller parts, down to single rows, so that a
//! row which is too large, or which the server itself cannot show, hides no other.

use std::collections::VecDeque;

use super::port::CallError;
use crate::domain::booking::Booking;
use crate::domain::time::Time;

/// Rows of a listing, from one call or from several.
#[derive(Debug, Default)]
pub struct BookingRows {
    pub bookings: Vec<Booking>,
    pub unreadable: Vec<String>,
    /// Rows that came or were passed over: fewer than asked for means the end.
    pub count: usize,
    /// Whether the server says that more follow.
    pub has_more: Option<bool>,
    pub server_time: Option<Time>,
}

/// Calls without any row after which the whole is given up. That is the way down to a single row, and 16
/// rows one after the other that are too large by themselves. A server that answers every part with rows
/// without end costs that many calls; an answer that does not begin as a list of rows costs one.
const MAX_FRUITLESS_CALLS: usize = 24;

/// What is read in parts.
pub(super) struct PageRange {
    /// How the server calls its list, for the names of rows that are passed over.
    pub(super) name: &'static str,
    /// The place of the page's first row in the whole listing, and how many rows a page has.
    pub(super) first: u32,
    pub(super) size: u32,
    /// Calls that may be spent on it.
    pub(super) max_calls: usize,
}

/// Whether smaller parts may help.
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

/// Reads the parts of a page that could not be had as a whole because of `error`, which is returned
/// when no part can be read.
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
