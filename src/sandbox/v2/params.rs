//! The parameters of the list of bookings, with the messages of a failed validation, and which rows
//! they select (`calcom/api.md` 2.1, 2.2).

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::{Map, Value, json};

use super::error::entry;
use crate::domain::time::{Time, kept};
use crate::sandbox::model::{Booking, Status};

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
pub enum Key {
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
    pub take: usize,
    pub skip: usize,
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
        let mut faults = Faults::new(pairs);
        let words = words(pairs, &mut faults);
        let sorts = sorts(pairs, &mut faults);
        let times = times(pairs, &mut faults);
        let event_types = event_types(pairs, &mut faults);
        let mut number = |name: &str, usual: usize, least: i64, most: Option<i64>| {
            let Some(text) = last(pairs, name) else {
                return usual;
            };
            let read = bounded(name, &text, least, most);
            read.unwrap_or_else(|constraints| {
                faults.add(name, constraints);
                usual
            })
        };
        let params = Params {
            words,
            attendee_email: last(pairs, "attendeeEmail").map(|text| text.replace(' ', "+")),
            attendee_name: last(pairs, "attendeeName"),
            uid: last(pairs, "bookingUid"),
            event_types,
            after_start: times[0],
            before_end: times[1],
            created: (times[2], times[3]),
            updated: (times[4], times[5]),
            sorts,
            take: number("take", TAKE_USUAL, 1, Some(TAKE_MAX)),
            skip: number("skip", 0, 0, None),
        };
        if faults.entries.is_empty() {
            Ok(params)
        } else {
            Err(faults.entries)
        }
    }

    /// Whether a booking is counted: everything but the filters on creation and change.
    pub fn counts(&self, booking: &Booking, now: Time) -> bool {
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
    pub fn shows(&self, booking: &Booking) -> bool {
        within(self.created, Some(booking.created)) && within(self.updated, booking.updated)
    }

    /// The sort key and whether it ascends.
    pub fn order(&self) -> (Key, bool) {
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

/// The entries of a validation error as they add up.
struct Faults {
    target: Value,
    entries: Vec<Value>,
}

impl Faults {
    fn new(pairs: &[(String, String)]) -> Self {
        Faults {
            target: target(pairs),
            entries: Vec::new(),
        }
    }

    fn add(&mut self, property: &str, constraints: Value) {
        let value = self.target[property].clone();
        let entry = entry(&self.target, value, property, constraints);
        self.entries.push(entry);
    }
}

fn words(pairs: &[(String, String)], faults: &mut Faults) -> Vec<Word> {
    const ALLOWED: &str = "Invalid status. Allowed are upcoming, recurring, past, cancelled, \
        unconfirmed";
    let read: Option<Vec<Word>> = listed(pairs, "status")
        .iter()
        .map(|word| Word::parse(word))
        .collect();
    read.unwrap_or_else(|| {
        faults.add("status", json!({ "isEnum": ALLOWED }));
        Vec::new()
    })
}

fn sorts(pairs: &[(String, String)], faults: &mut Faults) -> [Option<bool>; 4] {
    SORTS.map(|(name, word)| match last(pairs, name).as_deref() {
        None => None,
        Some("asc") => Some(true),
        Some("desc") => Some(false),
        Some(_) => {
            let text = format!("{word} must be either \"asc\" or \"desc\".");
            faults.add(name, json!({ "isEnum": text }));
            None
        }
    })
}

fn times(pairs: &[(String, String)], faults: &mut Faults) -> [Option<Time>; 6] {
    TIMES.map(|(name, word)| {
        let text = last(pairs, name)?;
        let at = iso(&text);
        if at.is_none() {
            let text = format!("{word} must be a valid ISO 8601 date.");
            faults.add(name, json!({ "isIso8601": text }));
        }
        at
    })
}

/// The plural wins where both are there.
fn event_types(pairs: &[(String, String)], faults: &mut Faults) -> Option<Vec<i64>> {
    let several = listed(pairs, "eventTypeIds");
    let ids = if several.is_empty() {
        listed(pairs, "eventTypeId")
    } else {
        several
    };
    if ids.is_empty() {
        return None;
    }
    let read: Option<Vec<i64>> = ids.iter().map(|id| id.trim().parse().ok()).collect();
    if read.is_none() {
        let text = "each value in eventTypeIds must be a number";
        faults.add("eventTypeIds", json!({ "isNumber": text }));
    }
    read
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
