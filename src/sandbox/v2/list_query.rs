//! The parameters of the list of bookings, with the messages of a failed validation, and which rows
//! the parameters select (`calcom/api.md` 2.1, 2.2).

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::{Map, Value, json};

use super::error::validation_entry;
use crate::domain::time::{Time, truncate_to_millis};
use crate::sandbox::booking::{SandboxBooking, SandboxStatus};

const TAKE_DEFAULT: usize = 100;
const TAKE_MAX: i64 = 250;

/// A word of the `status` parameter. It does not select exactly what it names (`calcom/api.md`
/// 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFilter {
    /// Bookings that are not over; of a series, only accepted occurrences.
    Upcoming,
    /// Occurrences of series that are not over.
    Recurring,
    /// Bookings that are over.
    Past,
    /// Bookings that are cancelled or rejected.
    Cancelled,
    /// Pending bookings that are not over.
    Unconfirmed,
}

impl StatusFilter {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "upcoming" => Some(StatusFilter::Upcoming),
            "recurring" => Some(StatusFilter::Recurring),
            "past" => Some(StatusFilter::Past),
            "cancelled" => Some(StatusFilter::Cancelled),
            "unconfirmed" => Some(StatusFilter::Unconfirmed),
            _ => None,
        }
    }

    /// Returns true when the word selects the booking.
    pub fn selects(self, booking: &SandboxBooking, now: Time) -> bool {
        let ahead = booking.end >= now;
        let is_inactive = booking.status.is_cancelled_or_rejected();
        let recurring = booking.series.is_some();
        match self {
            StatusFilter::Unconfirmed => ahead && booking.status == SandboxStatus::Pending,
            StatusFilter::Upcoming if recurring => {
                ahead && booking.status == SandboxStatus::Accepted
            }
            StatusFilter::Upcoming => ahead && !is_inactive,
            StatusFilter::Recurring => ahead && recurring && !is_inactive,
            StatusFilter::Past => booking.end <= now && !is_inactive,
            StatusFilter::Cancelled => is_inactive,
        }
    }
}

/// What the list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// The start of the booking.
    Start,
    /// The end of the booking.
    End,
    /// When the booking was made.
    Created,
    /// When the row was last written.
    Updated,
}

/// The parameters of the list.
#[derive(Debug, Clone, PartialEq)]
pub struct V2ListQuery {
    /// The words of `status`; empty: every booking.
    pub status_filters: Vec<StatusFilter>,
    attendee_email: Option<String>,
    attendee_name: Option<String>,
    uid: Option<String>,
    /// The event types to show; `None`: all.
    pub event_types: Option<Vec<i64>>,
    after_start: Option<Time>,
    before_end: Option<Time>,
    created: (Option<Time>, Option<Time>),
    updated: (Option<Time>, Option<Time>),
    sorts: [Option<bool>; 4],
    /// The most bookings on the page.
    pub take: usize,
    /// How many bookings come before the page.
    pub skip: usize,
}

/// The sort parameters by priority, each with the word that its message starts with.
const SORTS: [(&str, &str); 4] = [
    ("sortStart", "SortStart"),
    ("sortEnd", "SortEnd"),
    ("sortCreated", "SortCreated"),
    ("sortUpdatedAt", "SortUpdated"),
];

/// The time parameters, each with the word that its message starts with.
const TIMES: [(&str, &str); 6] = [
    ("afterStart", "fromDate"),
    ("beforeEnd", "toDate"),
    ("afterCreatedAt", "afterCreatedAt"),
    ("beforeCreatedAt", "beforeCreatedAt"),
    ("afterUpdatedAt", "afterUpdatedAt"),
    ("beforeUpdatedAt", "beforeUpdatedAt"),
];

impl V2ListQuery {
    /// Reads the query, or returns the entries of the validation error. Unknown parameters are
    /// ignored.
    pub fn parse(pairs: &[(String, String)]) -> Result<Self, Vec<Value>> {
        let mut errors = ValidationErrors::new(pairs);
        let status_filters = parse_status_filters(pairs, &mut errors);
        let sorts = parse_sorts(pairs, &mut errors);
        let times = parse_times(pairs, &mut errors);
        let event_types = parse_event_types(pairs, &mut errors);
        let mut number = |name: &str, usual: usize, least: i64, most: Option<i64>| {
            let Some(text) = last_value(pairs, name) else {
                return usual;
            };
            let read = parse_bounded(name, &text, least, most);
            read.unwrap_or_else(|constraints| {
                errors.add(name, constraints);
                usual
            })
        };
        let params = V2ListQuery {
            status_filters,
            attendee_email: last_value(pairs, "attendeeEmail").map(|text| text.replace(' ', "+")),
            attendee_name: last_value(pairs, "attendeeName"),
            uid: last_value(pairs, "bookingUid"),
            event_types,
            after_start: times[0],
            before_end: times[1],
            created: (times[2], times[3]),
            updated: (times[4], times[5]),
            sorts,
            take: number("take", TAKE_DEFAULT, 1, Some(TAKE_MAX)),
            skip: number("skip", 0, 0, None),
        };
        if errors.entries.is_empty() {
            Ok(params)
        } else {
            Err(errors.entries)
        }
    }

    /// Returns true when the totals count a booking: all filters apply except those on creation and
    /// change.
    pub fn is_in_total(&self, booking: &SandboxBooking, now: Time) -> bool {
        let matches_status = self.status_filters.is_empty()
            || self.status_filters.iter().any(|w| w.selects(booking, now));
        matches_status
            && self.uid.as_ref().is_none_or(|uid| booking.uid == *uid)
            && self.after_start.is_none_or(|at| booking.start >= at)
            && self.before_end.is_none_or(|at| booking.end <= at)
            && self
                .event_types
                .as_ref()
                .is_none_or(|ids| booking.event_type.is_some_and(|id| ids.contains(&id)))
            && self
                .attendee_email
                .as_ref()
                .is_none_or(|email| booking.has_attendee(email))
            && self
                .attendee_name
                .as_ref()
                .is_none_or(|name| booking.attendees.iter().any(|one| one.name == *name))
    }

    /// Returns true when a booking passes the filters that the totals ignore.
    pub fn matches_filters(&self, booking: &SandboxBooking) -> bool {
        is_within(self.created, Some(booking.created)) && is_within(self.updated, booking.updated)
    }

    /// Returns the sort key and whether it ascends.
    pub fn sort_order(&self) -> (SortKey, bool) {
        let keys = [
            SortKey::Start,
            SortKey::End,
            SortKey::Created,
            SortKey::Updated,
        ];
        let requested = keys.into_iter().zip(self.sorts);
        let mut requested = requested.filter_map(|(key, up)| up.map(|up| (key, up)));
        let usual = match self.status_filters.as_slice() {
            [StatusFilter::Past | StatusFilter::Cancelled] => (SortKey::Start, false),
            _ => (SortKey::Start, true),
        };
        requested.next().unwrap_or(usual)
    }
}

/// Collects the entries of a validation error.
struct ValidationErrors {
    target: Value,
    entries: Vec<Value>,
}

impl ValidationErrors {
    fn new(pairs: &[(String, String)]) -> Self {
        ValidationErrors {
            target: error_target(pairs),
            entries: Vec::new(),
        }
    }

    fn add(&mut self, property: &str, constraints: Value) {
        let value = self.target[property].clone();
        let entry = validation_entry(&self.target, value, property, constraints);
        self.entries.push(entry);
    }
}

fn parse_status_filters(
    pairs: &[(String, String)],
    errors: &mut ValidationErrors,
) -> Vec<StatusFilter> {
    const ALLOWED: &str = "Invalid status. Allowed are upcoming, recurring, past, cancelled, \
        unconfirmed";
    let read: Option<Vec<StatusFilter>> = list_values(pairs, "status")
        .iter()
        .map(|word| StatusFilter::parse(word))
        .collect();
    read.unwrap_or_else(|| {
        errors.add("status", json!({ "isEnum": ALLOWED }));
        Vec::new()
    })
}

fn parse_sorts(pairs: &[(String, String)], errors: &mut ValidationErrors) -> [Option<bool>; 4] {
    SORTS.map(|(name, word)| match last_value(pairs, name).as_deref() {
        None => None,
        Some("asc") => Some(true),
        Some("desc") => Some(false),
        Some(_) => {
            let text = format!("{word} must be either \"asc\" or \"desc\".");
            errors.add(name, json!({ "isEnum": text }));
            None
        }
    })
}

fn parse_times(pairs: &[(String, String)], errors: &mut ValidationErrors) -> [Option<Time>; 6] {
    TIMES.map(|(name, word)| {
        let text = last_value(pairs, name)?;
        let at = parse_iso_time(&text);
        if at.is_none() {
            let text = format!("{word} must be a valid ISO 8601 date.");
            errors.add(name, json!({ "isIso8601": text }));
        }
        at
    })
}

/// Reads the event types. The plural parameter takes precedence where both are given.
fn parse_event_types(
    pairs: &[(String, String)],
    errors: &mut ValidationErrors,
) -> Option<Vec<i64>> {
    let several = list_values(pairs, "eventTypeIds");
    let ids = if several.is_empty() {
        list_values(pairs, "eventTypeId")
    } else {
        several
    };
    if ids.is_empty() {
        return None;
    }
    let read: Option<Vec<i64>> = ids.iter().map(|id| id.trim().parse().ok()).collect();
    if read.is_none() {
        let text = "each value in eventTypeIds must be a number";
        errors.add("eventTypeIds", json!({ "isNumber": text }));
    }
    read
}

fn is_within((from, to): (Option<Time>, Option<Time>), at: Option<Time>) -> bool {
    let after = from.is_none_or(|from| at.is_some_and(|at| at >= from));
    after && to.is_none_or(|to| at.is_some_and(|at| at <= to))
}

/// Returns the parameters as validation errors show them, after the server's own transformation.
fn error_target(pairs: &[(String, String)]) -> Value {
    let mut target = Map::new();
    for (name, value) in pairs {
        let shown_value = match name.as_str() {
            "status" | "eventTypeIds" => json!(list_values(pairs, name)),
            "take" | "skip" => value.parse::<i64>().map_or(Value::Null, Value::from),
            "attendeeEmail" | "attendeeName" | "bookingUid" | "eventTypeId" => json!(value),
            _ if SORTS.iter().any(|(one, _)| one == name) => json!(value),
            _ if TIMES.iter().any(|(one, _)| one == name) => json!(value),
            _ => continue,
        };
        target.insert(name.clone(), shown_value);
    }
    Value::Object(target)
}

fn last_value(pairs: &[(String, String)], name: &str) -> Option<String> {
    let found = pairs.iter().rfind(|(one, _)| one == name);
    found.map(|(_, value)| value.clone())
}

/// Returns a list from a repeated or comma-separated parameter. An empty parameter is one empty
/// word.
fn list_values(pairs: &[(String, String)], name: &str) -> Vec<String> {
    let values = pairs.iter().filter(|(one, _)| one == name);
    values
        .flat_map(|(_, value)| value.split(',').map(str::to_owned))
        .collect()
}

fn parse_bounded(name: &str, text: &str, min: i64, max: Option<i64>) -> Result<usize, Value> {
    let mut constraints = Map::new();
    let number = text.parse::<i64>().ok();
    if let Some(max) = max.filter(|most| number.is_none_or(|number| number > *most)) {
        let text = format!("{name} must not be greater than {max}");
        constraints.insert("max".to_owned(), text.into());
    }
    if number.is_none_or(|number| number < min) {
        let text = format!("{name} must not be less than {min}");
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

/// Parses an ISO 8601 instant: with a time and a zone, or a bare date, which is midnight UTC.
fn parse_iso_time(text: &str) -> Option<Time> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.with_timezone(&Utc));
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(truncate_to_millis(date.and_time(NaiveTime::MIN).and_utc()))
}
