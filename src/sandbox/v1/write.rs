//! The calls of v1 that change something: PATCH, a bare write that checks no state and tells
//! nobody, and the two spellings of cancel, which do.

use serde_json::{Map, Value, json};

use super::item;
use super::list::{any_date, is_address, json_type, unfit};
use super::route::{Call, Denied, Handled};
use crate::domain::time::kept;
use crate::sandbox::call::{Outcome, Request, Response, decode};
use crate::sandbox::change::{Cancel, Change, Extent, Refusal};
use crate::sandbox::model::{Role, Status, User};
use crate::sandbox::world::World;

/// The fields that a PATCH may write.
const FIELDS: [&str; 10] = [
    "status",
    "title",
    "description",
    "startTime",
    "endTime",
    "eventTypeId",
    "cancelledBy",
    "rescheduledBy",
    "createdAt",
    "userId",
];

pub fn patch(world: &mut World, call: Call<'_>, user: &User, uid: &str) -> Handled {
    let body = match body(call.request) {
        Value::Object(body) => body,
        other => {
            let found = json_type(&other);
            return Err(Denied::schema(&format!(
                "Expected object, received {found}"
            )));
        }
    };
    let status = check(&body)?;
    if body.contains_key("userId") && user.role != Role::Admin {
        let text = "Only admin can change the organizer of a booking";
        return Err(Denied::Said(403, text.to_owned()));
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let time = |name: &str| text(name).and_then(|text| any_date(&text)).map(kept);
    let row = world.booking_mut(uid).map_err(|_| Denied::NotYours)?;
    row.status = status.unwrap_or(row.status);
    row.title = text("title").unwrap_or_else(|| row.title.clone());
    row.description = text("description").or_else(|| row.description.clone());
    row.start = time("startTime").unwrap_or(row.start);
    row.end = time("endTime").unwrap_or(row.end);
    row.created = time("createdAt").unwrap_or(row.created);
    row.cancelled_by = text("cancelledBy").or_else(|| row.cancelled_by.clone());
    row.rescheduled_by = text("rescheduledBy").or_else(|| row.rescheduled_by.clone());
    let number = |name: &str| body.get(name).and_then(Value::as_i64);
    row.event_type = number("eventTypeId").or(row.event_type);
    row.host = number("userId").or(row.host);
    row.updated = Some(call.now);
    match unfit(row) {
        Some(odd) => Err(Denied::schema(&odd)),
        None => Ok(Response::json(200, &json!({"booking": item::bare(row)})).into()),
    }
}

/// The body as the framework hands it over: JSON, a form, or plain text.
fn body(request: &Request) -> Value {
    let kind = request.get("content-type").unwrap_or("");
    let text = String::from_utf8_lossy(&request.body).into_owned();
    if request.is_json() {
        return serde_json::from_str(&text).unwrap_or(Value::Object(Map::new()));
    }
    if kind.starts_with("application/x-www-form-urlencoded") {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        let fields: Map<String, Value> = pairs
            .map(|(name, value)| (decode(name), Value::from(decode(value))))
            .collect();
        return Value::Object(fields);
    }
    Value::String(text)
}

/// Checks the fields; gives the status to write.
fn check(body: &Map<String, Value>) -> Result<Option<Status>, Denied> {
    let words: Vec<String> = Status::ALL
        .iter()
        .map(|one| format!("'{}'", one.upper()))
        .collect();
    let words = words.join(" | ");
    let status = match body.get("status") {
        None => None,
        Some(Value::String(word)) => {
            let found = Status::ALL.into_iter().find(|one| one.upper() == word);
            let text = format!(
                "invalid_enum_value in 'status': Invalid enum value. \
                 Expected {words}, received '{word}'"
            );
            Some(found.ok_or_else(|| Denied::schema(&text))?)
        }
        Some(other) => {
            let found = json_type(other);
            return Err(Denied::schema(&format!(
                "invalid_type in 'status': Expected {words}, received {found}"
            )));
        }
    };
    for name in ["cancelledBy", "rescheduledBy"] {
        let given = body.get(name).and_then(Value::as_str);
        if given.is_some_and(|given| !is_address(given)) {
            return Err(Denied::schema(&format!(
                "invalid_string in '{name}': Invalid Email"
            )));
        }
    }
    let unknown: Vec<String> = body
        .keys()
        .filter(|name| !FIELDS.contains(&name.as_str()))
        .map(|name| format!("'{name}'"))
        .collect();
    if unknown.is_empty() {
        return Ok(status);
    }
    let unknown = unknown.join(", ");
    Err(Denied::schema(&format!(
        "Unrecognized key(s) in object: {unknown}"
    )))
}

pub fn cancel(world: &World, call: Call<'_>, user: &User, uid: &str) -> Handled {
    let given = |name: &str| call.request.values(name).into_iter().next();
    let reason = given("cancellationReason").unwrap_or_else(|| "Not Provided".to_owned());
    let by = given("cancelledBy");
    if by.as_ref().is_some_and(|by| !is_address(by)) {
        let text = "invalid_string in 'cancelledBy': Invalid email";
        return Err(Denied::schema(text));
    }
    let Some(booking) = world.booking(uid) else {
        return Err(Denied::NotYours);
    };
    let host = booking.host == Some(user.id);
    let remaining = given("allRemainingBookings").as_deref() == Some("true");
    let extent = if remaining {
        Extent::Remaining
    } else {
        Extent::One
    };
    if booking.status != Status::Cancelled && host && reason.is_empty() {
        let text = "Cancellation reason is required when you are the host";
        return Err(Denied::schema(text));
    }
    let cancel = Cancel {
        reason: Some(reason),
        by,
        extent,
        raced: call.raced,
    };
    let change = world.check_cancel(call.now, uid, cancel);
    change
        .map(Outcome::Changing)
        .map_err(|refusal| denied(&refusal))
}

/// The answer to a cancellation whose steps are taken.
pub fn changed(world: &World, change: &Change) -> Result<Response, Denied> {
    let booking = world.booking(&change.uid).ok_or(Denied::NotYours)?;
    let body = json!({
        "success": true,
        "message": "Booking successfully cancelled.",
        "onlyRemovedAttendee": false,
        "bookingId": booking.id,
        "bookingUid": booking.uid,
    });
    Ok(Response::json(200, &body))
}

fn denied(refusal: &Refusal) -> Denied {
    match refusal {
        Refusal::AlreadyCancelled => Denied::schema("This booking has already been cancelled."),
        Refusal::Ended => Denied::schema("Cannot cancel a booking that has already ended"),
        Refusal::NotAllowed(text) => Denied::schema(text),
        Refusal::NotFound
        | Refusal::Declined
        | Refusal::AlreadyConfirmed
        | Refusal::AlreadyMoved(_)
        | Refusal::NotStarted
        | Refusal::ReasonRequired => Denied::NotYours,
    }
}
