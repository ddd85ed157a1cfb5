//! The list of bookings: whom it shows what, in which order, and the page's arithmetic
//! (`calcom/api.md` 2.3, 2.4).

use serde::Serialize;

use super::item::Item;
use super::params::{Key, Params};
use crate::domain::time::Time;
use crate::sandbox::model::{Booking, User};
use crate::sandbox::serial::mix;
use crate::sandbox::world::World;

/// The page's numbers. All of them are reckoned, none is counted: `returnedItems` may be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    pub returned_items: usize,
    pub total_items: usize,
    pub items_per_page: usize,
    pub remaining_items: usize,
    pub current_page: usize,
    pub total_pages: usize,
    pub has_next_page: bool,
    pub has_previous_page: bool,
}

impl Pagination {
    pub fn reckon(total: usize, take: usize, skip: usize) -> Self {
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

/// The bookings that a user sees, filtered and in order, and how many the totals name.
pub fn select<'a>(
    world: &'a World,
    user: &User,
    params: &Params,
    now: Time,
    ties: Option<u64>,
) -> (Vec<&'a Booking>, usize) {
    let seen = |one: &Booking| one.host == Some(user.id) || one.attended_by(&user.email);
    let mut total = 0;
    let mut rows = Vec::new();
    for booking in world.bookings() {
        if params.counts(booking, now) && seen(booking) {
            total += 1;
            if params.shows(booking) {
                rows.push(booking);
            }
        }
    }
    let (key, up) = params.order();
    let by = |one: &Booking| match key {
        Key::Start => Some(one.start),
        Key::End => Some(one.end),
        Key::Created => Some(one.created),
        Key::Updated => one.updated,
    };
    let tie = |one: &Booking| match ties {
        Some(salt) => mix(one.id.cast_unsigned() ^ salt),
        None => one.id.cast_unsigned(),
    };
    rows.sort_unstable_by(|a, b| {
        let order = by(a).cmp(&by(b));
        let order = if up { order } else { order.reverse() };
        order.then_with(|| tie(a).cmp(&tie(b)))
    });
    (rows, total)
}

#[derive(Debug, Serialize)]
pub struct Page<'a> {
    status: &'static str,
    data: Vec<Item<'a>>,
    pagination: Pagination,
}

/// One page of the list. With `ties`, rows of equal key come in an order that depends on it.
pub fn page<'a>(
    world: &'a World,
    user: &User,
    params: &Params,
    now: Time,
    ties: Option<u64>,
) -> Page<'a> {
    let (rows, total) = select(world, user, params, now, ties);
    let rows = rows.into_iter().skip(params.skip).take(params.take);
    Page {
        status: "success",
        data: rows.map(|one| Item::of(world, one)).collect(),
        pagination: Pagination::reckon(total, params.take, params.skip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Span;
    use crate::sandbox::model::{EventType, Status};
    use crate::sandbox::v2::params::Word;

    fn now() -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
    }

    #[test]
    fn the_page_is_reckoned() {
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
            let page = Pagination::reckon(total, take, skip);
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

    /// A world with one booking of each state, ahead and over, single and in a series.
    fn world() -> (World, User) {
        let mut world = World::new();
        world.add_user(12, "Ada Host", "ada@example.org");
        world.add_user(13, "Rex Other", "rex@example.net");
        let of = world.add_event_type(EventType::new(12, "lesson"));
        let others = world.add_event_type(EventType::new(13, "talk"));
        for days in [-2, 2] {
            for status in Status::ALL {
                let start = now() + Span::days(days);
                let uid = world.request(now(), of, "bo@example.com", start);
                world.edit(&uid, |row| row.status = status).unwrap();
                let uids = world.request_series(now(), of, "bo@example.com", start, 1);
                world.edit(&uids[0], |row| row.status = status).unwrap();
            }
        }
        world.request(now(), others, "sam@example.net", now() + Span::days(4));
        world.request(now(), others, "ada@example.org", now() + Span::days(5));
        let user = world.user(12).unwrap().clone();
        (world, user)
    }

    fn params(query: &str) -> Params {
        let request = crate::sandbox::call::Request::new("GET", &format!("/?{query}"));
        Params::parse(&request.pairs()).unwrap()
    }

    #[test]
    fn each_word_selects_what_it_really_selects() {
        use Status::{Accepted, AwaitingHost, Cancelled, Pending, Rejected};
        // word, ahead and single, ahead and of a series, over (either)
        type States = &'static [Status];
        let rows: [(Word, States, States, States); 5] = [
            (Word::Unconfirmed, &[Pending], &[Pending], &[]),
            (
                Word::Upcoming,
                &[Accepted, Pending, AwaitingHost],
                &[Accepted],
                &[],
            ),
            (
                Word::Recurring,
                &[],
                &[Accepted, Pending, AwaitingHost],
                &[],
            ),
            (Word::Past, &[], &[], &[Accepted, Pending, AwaitingHost]),
            (
                Word::Cancelled,
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
            // The totals take no notice of these.
            ("afterCreatedAt=2027-01-01", 0, 21),
            ("beforeCreatedAt=2027-01-01", 21, 21),
            ("afterUpdatedAt=2027-01-01T00:00:00Z", 0, 21),
            ("status=unconfirmed&beforeUpdatedAt=2020-01-01", 0, 3),
            ("limit=1&sortUpdated=desc&teamIds=4", 21, 21),
        ];
        for (query, shown, counted) in rows {
            let (found, total) = select(&world, &user, &params(query), now(), None);
            assert_eq!((found.len(), total), (shown, counted), "{query}");
        }
        let starts = |query: &str| -> Vec<Time> {
            let (found, _) = select(&world, &user, &params(query), now(), None);
            found.into_iter().map(|one| one.start).collect()
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
            let (found, _) = select(&world, &user, &params(""), now(), ties);
            assert!(found.is_sorted_by_key(|one| one.start));
            found.into_iter().map(|one| one.id).collect()
        };
        assert_ne!(ids(Some(1)), ids(Some(2)));
        assert_eq!(ids(None), ids(None));
    }
}
