//! v1's list: every state together, no filter for pending bookings, and paging only where both take
//! and page are given.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::{Value, json};

use super::item;
use crate::domain::time::Time;
use crate::sandbox::account::{Role, User};
use crate::sandbox::booking::{SandboxBooking, StoredAnswers};
use crate::sandbox::http_types::{HttpRequest, HttpResponse};
use crate::sandbox::id_generator::mix_bits;
use crate::sandbox::world::World;

/// The parameters of the list.
#[derive(Debug, Clone, PartialEq)]
struct V1ListQuery {
    upcoming: bool,
    emails: Vec<String>,
    from: Option<Time>,
    to: Option<Time>,
    expand: bool,
    sort: Option<V1SortField>,
    descending: bool,
    user: Option<i64>,
    page: Option<(usize, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum V1SortField {
    Created,
    Updated,
}

/// Why the query was refused: by a schema (400) or by an internal error (500).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum V1ListError {
    /// A parameter is refused; the payload is the message.
    Schema(String),
    /// The server fails, as real servers do for these parameters.
    InternalError,
}

/// Returns the list, or the page that the query asks for.
pub fn list_bookings(
    world: &World,
    now: Time,
    request: &HttpRequest,
    user: &User,
) -> Result<HttpResponse, V1ListError> {
    let params = parse(request)?;
    if user.role == Role::Admin && !params.emails.is_empty() && params.user.is_none() {
        let text = "invalid_type in 'userId': Required";
        return Err(V1ListError::Schema([text; 3].join("; ")));
    }
    let mut rows: Vec<&SandboxBooking> = world
        .bookings()
        .iter()
        .filter(|one| is_visible(user, &params, one) && params.matches(one, now))
        .collect();
    match params.sort {
        Some(V1SortField::Created) => rows.sort_by_key(|one| (one.created, one.id)),
        Some(V1SortField::Updated) => rows.sort_by_key(|one| (one.updated, one.id)),
        None if params.page.is_some() => rows.sort_by_key(|one| one.id),
        None => rows.sort_by_key(|one| arbitrary_order(one)),
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
    if let Some(violation) = rows.iter().find_map(|one| schema_violation(one)) {
        return Err(V1ListError::Schema(violation));
    }
    let items: Vec<Value> = rows
        .into_iter()
        .map(|one| item::render_booking(world, one, params.expand))
        .collect();
    Ok(HttpResponse::json(200, &json!({ "bookings": items })))
}

/// Returns true for bookings that the key's owner hosts; an administrator sees all bookings.
fn is_visible(user: &User, params: &V1ListQuery, one: &SandboxBooking) -> bool {
    match user.role {
        Role::User => one.host == Some(user.id),
        Role::Admin => params.user.is_none_or(|id| one.host == Some(id)),
    }
}

/// Returns a sort key for the order in which a database gives rows when no order is asked for: an
/// unreliable order that differs after each change.
fn arbitrary_order(one: &SandboxBooking) -> u64 {
    let changed = one.updated.map_or(0, |at| at.timestamp_millis());
    mix_bits(one.id.cast_unsigned() ^ changed.cast_unsigned())
}

/// Returns the error message for a row that does not fit the schema. One such row makes its whole
/// page fail.
pub fn schema_violation(one: &SandboxBooking) -> Option<String> {
    match &one.answers {
        StoredAnswers::Readable { .. } | StoredAnswers::Null => None,
        StoredAnswers::Malformed(odd) => {
            let actual_type = json_type(odd);
            Some(format!(
                "invalid_type in 'responses': Expected object, received {actual_type}"
            ))
        }
    }
}

/// Returns the word that messages use for the type of a value.
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

impl V1ListQuery {
    fn matches(&self, one: &SandboxBooking, now: Time) -> bool {
        let from = if self.upcoming { Some(now) } else { self.from };
        from.is_none_or(|from| one.start >= from)
            && self.to.is_none_or(|to| one.end <= to)
            && (self.emails.is_empty() || self.emails.iter().any(|email| one.has_attendee(email)))
    }
}

fn parse(request: &HttpRequest) -> Result<V1ListQuery, V1ListError> {
    let first_value = |name: &str| request.query_values(name).into_iter().next();
    let schema = |text: String| Err(V1ListError::Schema(text));
    let status = request.query_values("status");
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
    let emails = request.query_values("attendeeEmail");
    if emails.iter().any(|email| !is_address(email)) {
        return schema("invalid_string in 'attendeeEmail': Invalid".to_owned());
    }
    let expand = request.query_values("expand");
    if let Some(other) = expand.iter().find(|one| *one != "team") {
        return schema(format!(
            "Invalid enum value. Expected 'team', received '{other}'; \
             Expected array, received string"
        ));
    }
    if expand.iter().collect::<BTreeSet<_>>().len() < expand.len() {
        return schema("Array values must be unique".to_owned());
    }
    let sort = match first_value("sortBy").as_deref() {
        None => None,
        Some("createdAt") => Some(V1SortField::Created),
        Some("updatedAt") => Some(V1SortField::Updated),
        Some(other) => {
            return schema(format!(
                "invalid_enum_value in 'sortBy': Invalid enum value. \
                 Expected 'createdAt' | 'updatedAt', received '{other}'"
            ));
        }
    };
    let descending = match first_value("order").as_deref() {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(other) => {
            return schema(format!(
                "invalid_enum_value in 'order': Invalid enum value. \
                 Expected 'asc' | 'desc', received '{other}'"
            ));
        }
    };
    Ok(V1ListQuery {
        upcoming: !status.is_empty(),
        emails,
        from: parse_date_param(request, "dateFrom")?,
        to: parse_date_param(request, "dateTo")?,
        expand: !expand.is_empty(),
        sort,
        descending,
        user: first_value("userId").and_then(|id| id.parse().ok()),
        page: parse_page(first_value("take"), first_value("page"))?,
    })
}

/// Parses take and page. They count only together, but each alone causes an error when it is not a
/// number above zero.
fn parse_page(
    take: Option<String>,
    page: Option<String>,
) -> Result<Option<(usize, usize)>, V1ListError> {
    let number = |text: Option<String>| match text {
        None => Ok(None),
        Some(text) => match parse_leading_number(&text) {
            Some(number) if number > 0 => Ok(Some(number)),
            Some(_) | None => Err(V1ListError::InternalError),
        },
    };
    let (take, page) = (number(take)?, number(page)?);
    Ok(take.zip(page))
}

/// Returns the number at the start of a text, as JavaScript's parseInt reads it; no negative
/// numbers.
fn parse_leading_number(text: &str) -> Option<usize> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn parse_date_param(request: &HttpRequest, name: &str) -> Result<Option<Time>, V1ListError> {
    let Some(text) = request.query_values(name).into_iter().next() else {
        return Ok(None);
    };
    match parse_date(&text) {
        Some(at) => Ok(Some(at)),
        None => Err(V1ListError::Schema(format!(
            "custom in '{name}': Invalid ISO Date"
        ))),
    }
}

/// Parses the common forms that a JavaScript Date accepts: with time and zone, a bare date,
/// American.
pub fn parse_date(text: &str) -> Option<Time> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.with_timezone(&Utc));
    }
    let forms = ["%Y-%m-%d", "%m/%d/%Y"];
    let mut dates = forms.iter();
    let date = dates.find_map(|form| NaiveDate::parse_from_str(text, form).ok())?;
    Some(date.and_time(NaiveTime::MIN).and_utc())
}

/// Returns true for roughly what the schema accepts as an address.
pub fn is_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty() && domain.contains('.') && !text.contains(char::is_whitespace)
    })
}
