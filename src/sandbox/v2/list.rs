//! The list of bookings: which bookings each user sees, in which order, and the numbers of the page
//! (`calcom/api.md` 2.3, 2.4).

use serde::Serialize;

use super::item::BookingItem;
use super::list_query::{SortKey, V2ListQuery};
use crate::domain::time::Time;
use crate::sandbox::account::User;
use crate::sandbox::booking::SandboxBooking;
use crate::sandbox::id_generator::mix_bits;
use crate::sandbox::world::World;

/// The page's numbers. They are computed and not counted, so `returnedItems` may be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// How many bookings the page holds.
    pub returned_items: usize,
    /// How many bookings the parameters select.
    pub total_items: usize,
    /// The parameter `take`.
    pub items_per_page: usize,
    /// How many bookings follow the page.
    pub remaining_items: usize,
    /// The page's number, from 1; 0 if there are no pages.
    pub current_page: usize,
    /// How many pages there are.
    pub total_pages: usize,
    /// Whether a page follows.
    pub has_next_page: bool,
    /// Whether a page precedes.
    pub has_previous_page: bool,
}

impl Pagination {
    /// Computes the numbers of the page that skips `skip` of `total` bookings and has at most
    /// `take`.
    pub fn compute(total: usize, take: usize, skip: usize) -> Self {
        let skip = skip.min(total);
        let pages = total.div_ceil(take);
        let current = match pages {
            0 => 0,
            pages => (skip / take + 1).clamp(1, pages),
        };
        Pagination {
            returned_items: take.min(total - skip),
            total_items: total,
            items_per_page: take,
            remaining_items: total.saturating_sub(skip.saturating_add(take)),
            current_page: current,
            total_pages: pages,
            has_next_page: skip.saturating_add(take) < total,
            has_previous_page: skip > 0,
        }
    }
}

/// Returns the bookings that a user sees, filtered and in order, and the number that the totals
/// report.
pub fn select_bookings<'a>(
    world: &'a World,
    user: &User,
    params: &V2ListQuery,
    now: Time,
    tie_salt: Option<u64>,
) -> (Vec<&'a SandboxBooking>, usize) {
    let is_visible =
        |one: &SandboxBooking| one.host == Some(user.id) || one.has_attendee(&user.email);
    let mut total = 0;
    let mut rows = Vec::new();
    for booking in world.bookings() {
        if params.is_in_total(booking, now) && is_visible(booking) {
            total += 1;
            if params.matches_filters(booking) {
                rows.push(booking);
            }
        }
    }
    let (key, ascending) = params.sort_order();
    let sort_key = |one: &SandboxBooking| match key {
        SortKey::Start => Some(one.start),
        SortKey::End => Some(one.end),
        SortKey::Created => Some(one.created),
        SortKey::Updated => one.updated,
    };
    let tie_break = |one: &SandboxBooking| match tie_salt {
        Some(salt) => mix_bits(one.id.cast_unsigned() ^ salt),
        None => one.id.cast_unsigned(),
    };
    rows.sort_unstable_by(|a, b| {
        let order = sort_key(a).cmp(&sort_key(b));
        let order = if ascending { order } else { order.reverse() };
        order.then_with(|| tie_break(a).cmp(&tie_break(b)))
    });
    (rows, total)
}

/// One page of the list, as v2 answers it.
#[derive(Debug, Serialize)]
pub struct ListPage<'a> {
    status: &'static str,
    data: Vec<BookingItem<'a>>,
    pagination: Pagination,
}

/// Returns one page of the list. With `tie_salt`, it determines the order of rows with equal keys.
pub fn list_page<'a>(
    world: &'a World,
    user: &User,
    params: &V2ListQuery,
    now: Time,
    tie_salt: Option<u64>,
) -> ListPage<'a> {
    let (rows, total) = select_bookings(world, user, params, now, tie_salt);
    let rows = rows.into_iter().skip(params.skip).take(params.take);
    ListPage {
        status: "success",
        data: rows.map(|one| BookingItem::new(world, one)).collect(),
        pagination: Pagination::compute(total, params.take, params.skip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Span;
    use crate::sandbox::booking::SandboxStatus;
    use crate::sandbox::event_type::SandboxEventType;
    use crate::sandbox::v2::list_query::StatusFilter;

    fn now() -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
    }

    #[test]
    fn page_numbers_are_computed() {
        // total, take, skip: returned, remaining, current, pages, next, previous
        let rows = [
            (0, 100, 0, (0, 0, 0, 0, false, false)),
            (3, 1, 0, (1, 2, 1, 3, true, false)),
            (3, 1, 2, (1, 0, 3, 3, false, true)),
            (3, 1, 3, (0, 0, 3, 3, false, true)),
            (3, 2, 0, (2, 1, 1, 2, true, false)),
            (3, 2, 2, (1, 0, 2, 2, false, true)),
            (260, 100, 0, (100, 160, 1, 3, true, false)),
            (260, 250, 250, (10, 0, 2, 2, false, true)),
            (260, 100, 300, (0, 0, 3, 3, false, true)),
            (5, 2, usize::MAX, (0, 0, 3, 3, false, true)),
        ];
        for (total, take, skip, expected) in rows {
            let page = Pagination::compute(total, take, skip);
            let got = (
                page.returned_items,
                page.remaining_items,
                page.current_page,
                page.total_pages,
                page.has_next_page,
                page.has_previous_page,
            );
            assert_eq!(got, expected, "{total} by {take} from {skip}");
        }
    }

    /// Returns a world with one booking of each state, future and past, single and in a series.
    fn world() -> (World, User) {
        let mut world = World::new();
        world.add_user(12, "Ada Host", "ada@example.org");
        world.add_user(13, "Rex Other", "rex@example.net");
        let event_type = world.add_event_type(SandboxEventType::new(12, "lesson"));
        let other_type = world.add_event_type(SandboxEventType::new(13, "talk"));
        for days in [-2, 2] {
            for status in SandboxStatus::ALL {
                let start = now() + Span::days(days);
                let uid = world.request(now(), event_type, "bo@example.com", start);
                world.edit(&uid, |row| row.status = status).unwrap();
                let uids = world.request_series(now(), event_type, "bo@example.com", start, 1);
                world.edit(&uids[0], |row| row.status = status).unwrap();
            }
        }
        world.request(now(), other_type, "sam@example.net", now() + Span::days(4));
        world.request(now(), other_type, "ada@example.org", now() + Span::days(5));
        let user = world.user(12).unwrap().clone();
        (world, user)
    }

    fn params(query: &str) -> V2ListQuery {
        let request = crate::sandbox::http_types::HttpRequest::new("GET", &format!("/?{query}"));
        V2ListQuery::parse(&request.query_pairs()).unwrap()
    }

    #[test]
    fn each_status_filter_selects_what_real_servers_select() {
        use SandboxStatus::{Accepted, AwaitingHost, Cancelled, Pending, Rejected};
        // word, future and single, future and in a series, past (either)
        type States = &'static [SandboxStatus];
        let rows: [(StatusFilter, States, States, States); 5] = [
            (StatusFilter::Unconfirmed, &[Pending], &[Pending], &[]),
            (
                StatusFilter::Upcoming,
                &[Accepted, Pending, AwaitingHost],
                &[Accepted],
                &[],
            ),
            (
                StatusFilter::Recurring,
                &[],
                &[Accepted, Pending, AwaitingHost],
                &[],
            ),
            (
                StatusFilter::Past,
                &[],
                &[],
                &[Accepted, Pending, AwaitingHost],
            ),
            (
                StatusFilter::Cancelled,
                &[Cancelled, Rejected],
                &[Cancelled, Rejected],
                &[Cancelled, Rejected],
            ),
        ];
        let (world, _) = world();
        for (word, single, series, over) in rows {
            for booking in world.bookings().iter().take(20) {
                let expected = match (booking.end > now(), &booking.series) {
                    (true, None) => single,
                    (true, Some(_)) => series,
                    (false, _) => over,
                };
                let wanted = expected.contains(&booking.status);
                let series = booking.series.is_some();
                let ahead = booking.end > now();
                assert_eq!(
                    word.selects(booking, now()),
                    wanted,
                    "{word:?}: {:?}, series {series}, ahead {ahead}",
                    booking.status
                );
            }
        }
    }

    #[test]
    fn filters_and_sorts_do_what_they_say() {
        let (world, user) = world();
        // query, rows shown, rows counted
        let rows = [
            ("", 21, 21),
            ("status=unconfirmed", 3, 3),
            ("status=past,unconfirmed", 9, 9),
            ("status=past&status=unconfirmed", 9, 9),
            ("attendeeEmail=bo@example.com", 20, 20),
            ("attendeeEmail=BO@example.com", 0, 0),
            ("attendeeEmail=ada@example.org", 1, 1),
            ("attendeeName=ada", 1, 1),
            ("eventTypeIds=1", 20, 20),
            ("eventTypeId=2", 1, 1),
            ("eventTypeIds=1,2", 21, 21),
            ("afterStart=2026-11-25T00:00:00Z", 11, 11),
            ("beforeEnd=2026-11-22", 10, 10),
            // The totals ignore these filters.
            ("afterCreatedAt=2027-01-01", 0, 21),
            ("beforeCreatedAt=2027-01-01", 21, 21),
            ("afterUpdatedAt=2027-01-01T00:00:00Z", 0, 21),
            ("status=unconfirmed&beforeUpdatedAt=2020-01-01", 0, 3),
            ("limit=1&sortUpdated=desc&teamIds=4", 21, 21),
        ];
        for (query, expected_rows, counted) in rows {
            let (selected, total) = select_bookings(&world, &user, &params(query), now(), None);
            assert_eq!((selected.len(), total), (expected_rows, counted), "{query}");
        }
        let starts = |query: &str| -> Vec<Time> {
            let (selected, _) = select_bookings(&world, &user, &params(query), now(), None);
            selected.into_iter().map(|one| one.start).collect()
        };
        assert!(starts("").is_sorted());
        assert!(starts("status=cancelled").is_sorted_by(|a, b| a >= b));
        assert!(starts("status=past&sortStart=asc").is_sorted());
        assert!(starts("status=unconfirmed,past").is_sorted());
    }

    #[test]
    fn shuffled_ties_change_places_and_keep_their_keys() {
        let (world, user) = world();
        let ids = |ties| -> Vec<i64> {
            let (selected, _) = select_bookings(&world, &user, &params(""), now(), ties);
            assert!(selected.is_sorted_by_key(|one| one.start));
            selected.into_iter().map(|one| one.id).collect()
        };
        assert_ne!(ids(Some(1)), ids(Some(2)));
        assert_eq!(ids(None), ids(None));
    }
}
