//! Serves the port's listings from v1's only list, which has no filter for pending bookings and no
//! totals, and answers a whole page with 400 if one row on it does not fit its schema.

use chrono::{NaiveTime, SecondsFormat};

use crate::calcom::port::BookingFilter;
use crate::domain::booking::{Booking, BookingStatus};
use crate::domain::time::{Span, Time, clamp_to_four_digit_years};

/// The rows of a page. A power of two, so that halves, quarters and so on down to one row are pages
/// too.
pub(super) const PAGE_SIZE: u32 = 128;

/// The most pages of one listing, as in v2: beyond 100 000 bookings something is wrong with the
/// paging.
pub(super) const MAX_PAGES: u32 = 800;

/// The most pages of a listing of recently written bookings. v1 does not show when a booking was
/// written, so nothing else tells where to stop.
const MAX_UPDATED_PAGES: u32 = 4;

/// The most calls that are spent on a page with unreadable rows: enough for two such rows among
/// 128.
pub(super) const MAX_SPLIT_CALLS: usize = 28;

/// How much the window is widened on both sides. `dateFrom` filters by the start and `dateTo` by
/// the end; in the widened window the list shows all bookings that touch the original one, except
/// those longer than a day.
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

/// Returns whether a row is one that was asked for.
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

/// Returns whether no row after this one, in the order that was asked for, is wanted.
pub(super) fn is_past_end(booking: &Booking, filter: &BookingFilter) -> bool {
    match filter {
        BookingFilter::CreatedSince(since) => booking.created_at < *since,
        BookingFilter::Pending
        | BookingFilter::Upcoming { .. }
        | BookingFilter::Past { .. }
        | BookingFilter::UpdatedSince(_) => false,
    }
}

/// Returns the page that follows a full one.
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
