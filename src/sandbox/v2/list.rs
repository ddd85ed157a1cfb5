//! The list of bookings: its parameters with the messages of a failed validation, whom it shows what,
//! and the page's arithmetic (`calcom/api.md` 2).

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::error::entry;
use super::item::Item;
use crate::domain::time::{Time, kept};
use crate::sandbox::model::{Booking, Status, User};
use crate::sandbox::world::{World, mix};

const TAKE_USUAL: usize = 100;
const TAKE_MAX: i64 = 250;

/// A word of the `status` parameter. What it selects is not what it says (`calcom/api.md` 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Upcoming,
    Recurring,
    Past,
    Cancelled,
    Unconfirmed,
}

impl Word {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "upcoming" => Some(Word::Upcoming),
            "recurring" => Some(Word::Recurring),
            "past" => Some(Word::Past),
            "cancelled" => Some(Word::Cancelled),
            "unconfirmed" => Some(Word::Unconfirmed),
            _ => None,
        }
    }

    /// Whether a booking is among those that the word selects.
    pub fn selects(self, booking: &Booking, now: Time) -> bool {
        let ahead = booking.end >= now;
        let off = booking.status.is_off();
        let recurring = booking.series.is_some();
        match self {
            Word::Unconfirmed => ahead && booking.status == Status::Pending,
            Word::Upcoming if recurring => ahead && booking.status == Status::Accepted,
            Word::Upcoming => ahead && !off,
            Word::Recurring => ahead && recurring && !off,
            Word::Past => booking.end <= now && !off,
            Word::Cancelled => off,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Start,
    End,
    Created,
    Updated,
}

/// What is asked of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    pub words: Vec<Word>,
    attendee_email: Option<String>,
    attendee_name: Option<String>,
    uid: Option<String>,
    pub event_types: Option<Vec<i64>>,
    after_start: Option<Time>,
    before_end: Option<Time>,
    created: (Option<Time>, Option<Time>),
    updated: (Option<Time>, Option<Time>),
    sorts: [Option<bool>; 4],
    take: usize,
    skip: usize,
}

/// The sort parameters by priority, with the word that the message starts with.
const SORTS: [(&str, &str); 4] = [
    ("sortStart", "SortStart"),
    ("sortEnd", "SortEnd"),
    ("sortCreated", "SortCreated"),
    ("sortUpdatedAt", "SortUpdated"),
];

/// The time parameters, with the word that the message starts with.
const TIMES: [(&str, &str); 6] = [
    ("afterStart", "fromDate"),
    ("beforeEnd", "toDate"),
    ("afterCreatedAt", "afterCreatedAt"),
    ("beforeCreatedAt", "beforeCreatedAt"),
    ("afterUpdatedAt", "afterUpdatedAt"),
    ("beforeUpdatedAt", "beforeUpdatedAt"),
];

impl Params {
    /// Reads the query; else the entries of the validation error. Unknown parameters are dropped.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, Vec<Value>> {
        let target = target(pairs);
        let mut errors = Vec::new();
        let mut fail = |property: &str, constraints: Value| {
            let value = target[property].clone();
            errors.push(entry(&target, value, property, constraints));
        };
        let mut params = Params {
            words: Vec::new(),
            attendee_email: last(pairs, "attendeeEmail").map(|text| text.replace(' ', "+")),
            attendee_name: last(pairs, "attendeeName"),
            uid: last(pairs, "bookingUid"),
            event_types: None,
            after_start: None,
            before_end: None,
            created: (None, None),
            updated: (None, None),
            sorts: [None; 4],
            take: TAKE_USUAL,
            skip: 0,
        };
        for word in listed(pairs, "status") {
            match Word::parse(&word) {
                Some(word) => params.words.push(word),
                None => {
                    let text = "Invalid status. Allowed are upcoming, recurring, past, cancelled, unconfirmed";
                    fail("status", json!({ "isEnum": text }));
                    break;
                }
            }
        }
        for (at, (name, word)) in SORTS.iter().enumerate() {
            match last(pairs, name).as_deref() {
                None => {}
                Some("asc") => params.sorts[at] = Some(true),
                Some("desc") => params.sorts[at] = Some(false),
                Some(_) => {
                    let text = format!("{word} must be either \"asc\" or \"desc\".");
                    fail(name, json!({ "isEnum": text }));
                }
            }
        }
        let mut times = [None; 6];
        for (at, (name, word)) in TIMES.iter().enumerate() {
            let Some(text) = last(pairs, name) else {
                continue;
            };
            times[at] = iso(&text);
            if times[at].is_none() {
                let text = format!("{word} must be a valid ISO 8601 date.");
                fail(name, json!({ "isIso8601": text }));
            }
        }
        [params.after_start, params.before_end, ..] = times;
        params.created = (times[2], times[3]);
        params.updated = (times[4], times[5]);
        let ids = listed(pairs, "eventTypeIds");
        let ids = if ids.is_empty() {
            listed(pairs, "eventTypeId")
        } else {
            ids
        };
        if !ids.is_empty() {
            let read: Option<Vec<i64>> = ids.iter().map(|id| id.trim().parse().ok()).collect();
            match read {
                Some(ids) => params.event_types = Some(ids),
                None => fail(
                    "eventTypeIds",
                    json!({"isNumber": "each value in eventTypeIds must be a number"}),
                ),
            }
        }
        for (name, least, most) in [("take", 1, Some(TAKE_MAX)), ("skip", 0, None)] {
            let Some(text) = last(pairs, name) else {
                continue;
            };
            match bounded(name, &text, least, most) {
                Ok(number) if name == "take" => params.take = number,
                Ok(number) => params.skip = number,
                Err(constraints) => fail(name, constraints),
            }
        }
        if errors.is_empty() {
            Ok(params)
        } else {
            Err(errors)
        }
    }

    /// Whether a booking is counted: everything but the filters on creation and change.
    fn counts(&self, booking: &Booking, now: Time) -> bool {
        let word = self.words.is_empty() || self.words.iter().any(|w| w.selects(booking, now));
        word && self.uid.as_ref().is_none_or(|uid| booking.uid == *uid)
            && self.after_start.is_none_or(|at| booking.start >= at)
            && self.before_end.is_none_or(|at| booking.end <= at)
            && self
                .event_types
                .as_ref()
                .is_none_or(|ids| booking.event_type.is_some_and(|id| ids.contains(&id)))
            && self
                .attendee_email
                .as_ref()
                .is_none_or(|email| booking.attended_by(email))
            && self
                .attendee_name
                .as_ref()
                .is_none_or(|name| booking.attendees.iter().any(|one| one.name == *name))
    }

    /// The filters that the totals ignore.
    fn shows(&self, booking: &Booking) -> bool {
        within(self.created, Some(booking.created)) && within(self.updated, booking.updated)
    }

    /// The sort key and whether it ascends.
    fn order(&self) -> (Key, bool) {
        let keys = [Key::Start, Key::End, Key::Created, Key::Updated];
        let asked = keys.into_iter().zip(self.sorts);
        let mut asked = asked.filter_map(|(key, up)| up.map(|up| (key, up)));
        let usual = match self.words.as_slice() {
            [Word::Past | Word::Cancelled] => (Key::Start, false),
            _ => (Key::Start, true),
        };
        asked.next().unwrap_or(usual)
    }
}

fn within((from, to): (Option<Time>, Option<Time>), at: Option<Time>) -> bool {
    let after = from.is_none_or(|from| at.is_some_and(|at| at >= from));
    after && to.is_none_or(|to| at.is_some_and(|at| at <= to))
}

/// The parameters as the server's own transformation leaves them: what validation errors show.
fn target(pairs: &[(String, String)]) -> Value {
    let mut target = Map::new();
    for (name, value) in pairs {
        let shown = match name.as_str() {
            "status" | "eventTypeIds" => json!(listed(pairs, name)),
            "take" | "skip" => value.parse::<i64>().map_or(Value::Null, Value::from),
            "attendeeEmail" | "attendeeName" | "bookingUid" | "eventTypeId" => json!(value),
            _ if SORTS.iter().any(|(one, _)| one == name) => json!(value),
            _ if TIMES.iter().any(|(one, _)| one == name) => json!(value),
            _ => continue,
        };
        target.insert(name.clone(), shown);
    }
    Value::Object(target)
}

fn last(pairs: &[(String, String)], name: &str) -> Option<String> {
    let found = pairs.iter().rfind(|(one, _)| one == name);
    found.map(|(_, value)| value.clone())
}

/// A list: repeated, or with commas. A parameter that is there but empty is one empty word.
fn listed(pairs: &[(String, String)], name: &str) -> Vec<String> {
    let values = pairs.iter().filter(|(one, _)| one == name);
    values
        .flat_map(|(_, value)| value.split(',').map(str::to_owned))
        .collect()
}

fn bounded(name: &str, text: &str, least: i64, most: Option<i64>) -> Result<usize, Value> {
    let mut constraints = Map::new();
    let number = text.parse::<i64>().ok();
    if let Some(most) = most.filter(|most| number.is_none_or(|number| number > *most)) {
        let text = format!("{name} must not be greater than {most}");
        constraints.insert("max".to_owned(), text.into());
    }
    if number.is_none_or(|number| number < least) {
        let text = format!("{name} must not be less than {least}");
        constraints.insert("min".to_owned(), text.into());
    }
    if number.is_none() {
        let text = format!("{name} must be a number conforming to the specified constraints");
        constraints.insert("isNumber".to_owned(), text.into());
    }
    match number.and_then(|number| usize::try_from(number).ok()) {
        Some(number) if constraints.is_empty() => Ok(number),
        Some(_) | None => Err(Value::Object(constraints)),
    }
}

/// An instant by ISO 8601: with a time and a zone, or a bare date, which is midnight UTC.
fn iso(text: &str) -> Option<Time> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.with_timezone(&Utc));
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(kept(date.and_time(NaiveTime::MIN).and_utc()))
}

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
