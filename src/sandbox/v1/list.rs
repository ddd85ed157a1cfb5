//! v1's list: every state at once, no filter for what waits, and paging only where take and page
//! are both there.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::{Value, json};

use super::item;
use crate::domain::time::Time;
use crate::sandbox::call::{Request, Response};
use crate::sandbox::model::{Answers, Booking, Role, User};
use crate::sandbox::serial::mix;
use crate::sandbox::world::World;

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
struct Params {
    upcoming: bool,
    emails: Vec<String>,
    from: Option<Time>,
    to: Option<Time>,
    expand: bool,
    sort: Option<Sort>,
    descending: bool,
    user: Option<i64>,
    page: Option<(usize, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Created,
    Updated,
}

/// Why the query was refused: by a schema (400) or by something that fell over (500).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    Schema(String),
    FellOver,
}

pub fn answer(world: &World, now: Time, request: &Request, user: &User) -> Result<Response, Unfit> {
    let params = parse(request)?;
    if user.role == Role::Admin && !params.emails.is_empty() && params.user.is_none() {
        let text = "invalid_type in 'userId': Required";
        return Err(Unfit::Schema([text; 3].join("; ")));
    }
    let mut rows: Vec<&Booking> = world
        .bookings()
        .iter()
        .filter(|one| owned(user, &params, one) && params.shows(one, now))
        .collect();
    match params.sort {
        Some(Sort::Created) => rows.sort_by_key(|one| (one.created, one.id)),
        Some(Sort::Updated) => rows.sort_by_key(|one| (one.updated, one.id)),
        None if params.page.is_some() => rows.sort_by_key(|one| one.id),
        None => rows.sort_by_key(|one| unordered(one)),
    }
    if params.sort.is_some() && params.descending {
        rows.reverse();
    }
    let rows = match params.page {
        Some((take, page)) => {
            let skipped = rows.into_iter().skip(take.saturating_mul(page - 1));
            skipped.take(take).collect()
        }
        None => rows,
    };
    if let Some(odd) = rows.iter().find_map(|one| unfit(one)) {
        return Err(Unfit::Schema(odd));
    }
    let shown: Vec<Value> = rows
        .into_iter()
        .map(|one| item::full(world, one, params.expand))
        .collect();
    Ok(Response::json(200, &json!({ "bookings": shown })))
}

/// Only bookings that the key's owner hosts; an administrator sees everybody's.
fn owned(user: &User, params: &Params, one: &Booking) -> bool {
    match user.role {
        Role::User => one.host == Some(user.id),
        Role::Admin => params.user.is_none_or(|id| one.host == Some(id)),
    }
}

/// The order in which a database gives rows when nobody asks for one: no order to rely on, and
/// another after each change.
fn unordered(one: &Booking) -> u64 {
    let changed = one.updated.map_or(0, |at| at.timestamp_millis());
    mix(one.id.cast_unsigned() ^ changed.cast_unsigned())
}

/// The message where a row does not fit the schema: one such row spoils the page that it is on.
pub fn unfit(one: &Booking) -> Option<String> {
    match &one.answers {
        Answers::Given { .. } | Answers::Null => None,
        Answers::Odd(odd) => {
            let found = json_type(odd);
            Some(format!(
                "invalid_type in 'responses': Expected object, received {found}"
            ))
        }
    }
}

/// The word that messages use for a value.
pub fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl Params {
    fn shows(&self, one: &Booking, now: Time) -> bool {
        let from = if self.upcoming { Some(now) } else { self.from };
        from.is_none_or(|from| one.start >= from)
            && self.to.is_none_or(|to| one.end <= to)
            && (self.emails.is_empty() || self.emails.iter().any(|email| one.attended_by(email)))
    }
}

fn parse(request: &Request) -> Result<Params, Unfit> {
    let one = |name: &str| request.values(name).into_iter().next();
    let schema = |text: String| Err(Unfit::Schema(text));
    let status = request.values("status");
    match status.as_slice() {
        [] => {}
        [one] if one == "upcoming" => {}
        [one] => {
            return schema(format!(
                "invalid_enum_value in 'status': Invalid enum value. \
                 Expected 'upcoming', received '{one}'"
            ));
        }
        [_, ..] => {
            let text = "invalid_type in 'status': Expected 'upcoming', received array";
            return schema(text.to_owned());
        }
    }
    let emails = request.values("attendeeEmail");
    if emails.iter().any(|email| !is_address(email)) {
        return schema("invalid_string in 'attendeeEmail': Invalid".to_owned());
    }
    let expand = request.values("expand");
    if let Some(other) = expand.iter().find(|one| *one != "team") {
        return schema(format!(
            "Invalid enum value. Expected 'team', received '{other}'; \
             Expected array, received string"
        ));
    }
    if expand.iter().collect::<BTreeSet<_>>().len() < expand.len() {
        return schema("Array values must be unique".to_owned());
    }
    let sort = match one("sortBy").as_deref() {
        None => None,
        Some("createdAt") => Some(Sort::Created),
        Some("updatedAt") => Some(Sort::Updated),
        Some(other) => {
            return schema(format!(
                "invalid_enum_value in 'sortBy': Invalid enum value. \
                 Expected 'createdAt' | 'updatedAt', received '{other}'"
            ));
        }
    };
    let descending = match one("order").as_deref() {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(other) => {
            return schema(format!(
                "invalid_enum_value in 'order': Invalid enum value. \
                 Expected 'asc' | 'desc', received '{other}'"
            ));
        }
    };
    Ok(Params {
        upcoming: !status.is_empty(),
        emails,
        from: date(request, "dateFrom")?,
        to: date(request, "dateTo")?,
        expand: !expand.is_empty(),
        sort,
        descending,
        user: one("userId").and_then(|id| id.parse().ok()),
        page: page(one("take"), one("page"))?,
    })
}

/// Take and page count only together, but each falls over by itself when it is no number above
/// zero.
fn page(take: Option<String>, page: Option<String>) -> Result<Option<(usize, usize)>, Unfit> {
    let number = |text: Option<String>| match text {
        None => Ok(None),
        Some(text) => match leading_number(&text) {
            Some(number) if number > 0 => Ok(Some(number)),
            Some(_) | None => Err(Unfit::FellOver),
        },
    };
    let (take, page) = (number(take)?, number(page)?);
    Ok(take.zip(page))
}

/// The number at the start of a text, as JavaScript's parseInt reads it; nothing below zero.
fn leading_number(text: &str) -> Option<usize> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn date(request: &Request, name: &str) -> Result<Option<Time>, Unfit> {
    let Some(text) = request.values(name).into_iter().next() else {
        return Ok(None);
    };
    match any_date(&text) {
        Some(at) => Ok(Some(at)),
        None => Err(Unfit::Schema(format!(
            "custom in '{name}': Invalid ISO Date"
        ))),
    }
}

/// What a JavaScript Date reads of the forms in use: with time and zone, a bare date, American.
pub fn any_date(text: &str) -> Option<Time> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.with_timezone(&Utc));
    }
    let forms = ["%Y-%m-%d", "%m/%d/%Y"];
    let mut dates = forms.iter();
    let date = dates.find_map(|form| NaiveDate::parse_from_str(text, form).ok())?;
    Some(date.and_time(NaiveTime::MIN).and_utc())
}

/// Roughly what the schema takes for an address.
pub fn is_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty() && domain.contains('.') && !text.contains(char::is_whitespace)
    })
}
