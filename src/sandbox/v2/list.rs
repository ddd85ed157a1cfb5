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
