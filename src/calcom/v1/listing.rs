//! How v1's one list serves the port's listings: it has no filter for pending, no totals, and
//! answers a whole page with 400 when one row on it does not fit its schema.

use chrono::{NaiveTime, SecondsFormat};

use crate::calcom::port::BookingFilter;
use crate::domain::booking::{Booking, BookingStatus};
use crate::domain::time::{Span, Time, clamp_to_four_digit_years};

/// Rows of a page. A power of two, so that halves, quarters and so on down to one row are pages
/// too.
pub(super) const PAGE_SIZE: u32 = 128;

/// Pages of one listing, as in v2: beyond 100 000 bookings something is wrong with the paging.
pub(super) const MAX_PAGES: u32 = 800;

/// Of what was written lately, so many pages: v1 does not show when a booking was written, so
/// nothing else tells where to stop.
const MAX_UPDATED_PAGES: u32 = 4;

/// Calls that are spent on a page with unreadable rows: two of them among 128 take 28.
pub(super) const MAX_SPLIT_CALLS: usize = 28;

/// `dateFrom` looks at the start and `dateTo` at the end. Asked for this much more, the list shows
/// all that touch the window, but bookings longer than a day.
const WINDOW_MARGIN: Span = Span::hours(24);

pub(super) fn build_query(filter: &BookingFilter, now: Time) -> Vec<(&'static str, String)> {
    let pair = |name: &'static str, value: &str| (name, value.to_owned());
    let mut query = vec![pair("expand", "team")];
    match filter {
        BookingFilter::Pending => {
            query.extend([pair("sortBy", "createdAt"), pair("order", "asc")]);
            // Midnight, so that the pages of one listing do not shift while it is read.
            let day = (now - WINDOW_MARGIN)
                .date_naive()
                .and_time(NaiveTime::MIN)
                .and_utc();
            query.push(("dateFrom", format_time(day)));
        }
        BookingFilter::Upcoming { from, to } | BookingFilter::Past { from, to } => {
            query.extend([pair("sortBy", "createdAt"), pair("order", "asc")]);
            query.push(("dateFrom", format_time(*from - WINDOW_MARGIN)));
            query.push(("dateTo", format_time(*to + WINDOW_MARGIN)));
        }
        BookingFilter::UpdatedSince(_) => {
            query.extend([pair("sortBy", "updatedAt"), pair("order", "desc")]);
        }
        BookingFilter::CreatedSince(_) => {
            query.extend([pair("sortBy", "createdAt"), pair("order", "desc")]);
        }
    }
    query
}

/// Whether a row is one that was asked for.
pub(super) fn matches_filter(booking: &Booking, filter: &BookingFilter, now: Time) -> bool {
    let touches = |from: &Time, to: &Time| booking.start <= *to && booking.end >= *from;
    match filter {
        BookingFilter::Pending => booking.status == BookingStatus::Pending && booking.end >= now,
        BookingFilter::Upcoming { from, to } => touches(from, to) && booking.end >= now,
        BookingFilter::Past { from, to } => touches(from, to) && booking.end <= now,
        BookingFilter::UpdatedSince(_) => true,
        BookingFilter::CreatedSince(since) => booking.created_at >= *since,
    }
}

/// Whether what follows this row, in the order that was asked for, is none of what is wanted.
pub(super) fn is_past_end(booking: &Booking, filter: &BookingFilter) -> bool {
    match filter {
        BookingFilter::CreatedSince(since) => booking.created_at < *since,
        BookingFilter::Pending
        | BookingFilter::Upcoming { .. }
        | BookingFilter::Past { .. }
        | BookingFilter::UpdatedSince(_) => false,
    }
}

/// Which page follows one that was full.
pub(super) fn next_page(filter: &BookingFilter, page: u32) -> Option<u32> {
    let last = match filter {
        BookingFilter::UpdatedSince(_) => MAX_UPDATED_PAGES,
        BookingFilter::Pending
        | BookingFilter::Upcoming { .. }
        | BookingFilter::Past { .. }
        | BookingFilter::CreatedSince(_) => MAX_PAGES,
    };
    (page + 1 < last).then_some(page + 1)
}

fn format_time(at: Time) -> String {
    clamp_to_four_digit_years(at).to_rfc3339_opts(SecondsFormat::Millis, true)
}
