//! How v1's one list serves the port's listings: it has no filter for pending, no totals, and
//! answers a whole page with 400 when one row on it does not fit its schema.

use chrono::{NaiveTime, SecondsFormat};

use crate::calcom::port::Select;
use crate::domain::booking::{Booking, Status};
use crate::domain::time::{Span, Time, in_four_digits};

/// Rows of a page. A power of two, so that halves, quarters and so on down to one row are pages
/// too.
pub(super) const TAKE: u32 = 128;

/// Pages of one listing, as in v2: beyond 100 000 bookings something is wrong with the paging.
pub(super) const MAX_PAGES: u32 = 800;

/// Of what was written lately, so many pages: v1 does not show when a booking was written, so
/// nothing else tells where to stop.
const WRITTEN_PAGES: u32 = 4;

/// Calls that are spent on a page with unreadable rows: two of them among 128 take 28.
pub(super) const MAX_NARROWING: usize = 28;

/// `dateFrom` looks at the start and `dateTo` at the end. Asked for this much more, the list shows
/// all that touch the window, but bookings longer than a day.
const WIDER: Span = Span::hours(24);

pub(super) fn query(select: &Select, now: Time) -> Vec<(&'static str, String)> {
    let of = |name: &'static str, value: &str| (name, value.to_owned());
    let mut query = vec![of("expand", "team")];
    match select {
        Select::Pending => {
            query.extend([of("sortBy", "createdAt"), of("order", "asc")]);
            // Midnight, so that the pages of one listing do not shift while it is read.
            let day = (now - WIDER)
                .date_naive()
                .and_time(NaiveTime::MIN)
                .and_utc();
            query.push(("dateFrom", instant(day)));
        }
        Select::Upcoming { from, to } | Select::Past { from, to } => {
            query.extend([of("sortBy", "createdAt"), of("order", "asc")]);
            query.push(("dateFrom", instant(*from - WIDER)));
            query.push(("dateTo", instant(*to + WIDER)));
        }
        Select::UpdatedSince(_) => {
            query.extend([of("sortBy", "updatedAt"), of("order", "desc")]);
        }
        Select::CreatedSince(_) => {
            query.extend([of("sortBy", "createdAt"), of("order", "desc")]);
        }
    }
    query
}

/// Whether a row is one that was asked for.
pub(super) fn wanted(booking: &Booking, select: &Select, now: Time) -> bool {
    let touches = |from: &Time, to: &Time| booking.start <= *to && booking.end >= *from;
    match select {
        Select::Pending => booking.status == Status::Pending && booking.end >= now,
        Select::Upcoming { from, to } => touches(from, to) && booking.end >= now,
        Select::Past { from, to } => touches(from, to) && booking.end <= now,
        Select::UpdatedSince(_) => true,
        Select::CreatedSince(since) => booking.created >= *since,
    }
}

/// Whether what follows this row, in the order that was asked for, is none of what is wanted.
pub(super) fn is_behind(booking: &Booking, select: &Select) -> bool {
    match select {
        Select::CreatedSince(since) => booking.created < *since,
        Select::Pending
        | Select::Upcoming { .. }
        | Select::Past { .. }
        | Select::UpdatedSince(_) => false,
    }
}

/// Which page follows one that was full.
pub(super) fn following(select: &Select, page: u32) -> Option<u32> {
    let last = match select {
        Select::UpdatedSince(_) => WRITTEN_PAGES,
        Select::Pending
        | Select::Upcoming { .. }
        | Select::Past { .. }
        | Select::CreatedSince(_) => MAX_PAGES,
    };
    (page + 1 < last).then_some(page + 1)
}

fn instant(at: Time) -> String {
    in_four_digits(at).to_rfc3339_opts(SecondsFormat::Millis, true)
}
