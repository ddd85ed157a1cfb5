//! The calls of v1 that change something: PATCH, a bare write that checks no state and notifies no
//! person, and the two spellings of cancel, which do both.

use serde_json::{Map, Value, json};

use super::call::{V1Call, V1Denial, V1HandlerResult};
use super::item;
use super::list::{is_address, json_type, parse_date, schema_violation};
use crate::domain::time::truncate_to_millis;
use crate::sandbox::account::{Role, User};
use crate::sandbox::booking::SandboxStatus;
use crate::sandbox::handler_outcome::HandlerOutcome;
use crate::sandbox::http_types::{HttpRequest, HttpResponse, decode_component};
use crate::sandbox::transitions::{
    CancelExtent, CancelRequest, PendingTransition, TransitionRefusal,
};
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

/// Writes the given fields of a booking. Checks no state, and sends no mail.
pub fn patch(world: &mut World, call: V1Call<'_>, user: &User, uid: &str) -> V1HandlerResult {
    let body = match parse_body(call.request) {
        Value::Object(body) => body,
        other => {
            let actual_type = json_type(&other);
            return Err(V1Denial::schema(&format!(
                "Expected object, received {actual_type}"
            )));
        }
    };
    let status = check_fields(&body)?;
    if body.contains_key("userId") && user.role != Role::Admin {
        let text = "Only admin can change the organizer of a booking";
        return Err(V1Denial::Message(403, text.to_owned()));
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let time = |name: &str| {
        text(name)
            .and_then(|text| parse_date(&text))
            .map(truncate_to_millis)
    };
    let row = world.booking_mut(uid).map_err(|_| V1Denial::NotOwner)?;
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
    match schema_violation(row) {
        Some(odd) => Err(V1Denial::schema(&odd)),
        None => {
            Ok(HttpResponse::json(200, &json!({"booking": item::render_bare_booking(row)})).into())
        }
    }
}

/// Returns the body as the framework parses it: JSON, a form, or plain text.
fn parse_body(request: &HttpRequest) -> Value {
    let kind = request.header_value("content-type").unwrap_or("");
    let text = String::from_utf8_lossy(&request.body).into_owned();
    if request.is_json() {
        return serde_json::from_str(&text).unwrap_or(Value::Object(Map::new()));
    }
    if kind.starts_with("application/x-www-form-urlencoded") {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        let fields: Map<String, Value> = pairs
            .map(|(name, value)| (decode_component(name), Value::from(decode_component(value))))
            .collect();
        return Value::Object(fields);
    }
    Value::String(text)
}

/// Checks the fields; returns the status to write.
fn check_fields(body: &Map<String, Value>) -> Result<Option<SandboxStatus>, V1Denial> {
    let statuses: Vec<String> = SandboxStatus::ALL
        .iter()
        .map(|one| format!("'{}'", one.as_v1()))
        .collect();
    let statuses = statuses.join(" | ");
    let status = match body.get("status") {
        None => None,
        Some(Value::String(word)) => {
            let status = SandboxStatus::ALL
                .into_iter()
                .find(|one| one.as_v1() == word);
            let text = format!(
                "invalid_enum_value in 'status': Invalid enum value. \
                 Expected {statuses}, received '{word}'"
            );
            Some(status.ok_or_else(|| V1Denial::schema(&text))?)
        }
        Some(other) => {
            let actual_type = json_type(other);
            return Err(V1Denial::schema(&format!(
                "invalid_type in 'status': Expected {statuses}, received {actual_type}"
            )));
        }
    };
    for name in ["cancelledBy", "rescheduledBy"] {
        let value = body.get(name).and_then(Value::as_str);
        if value.is_some_and(|given| !is_address(given)) {
            return Err(V1Denial::schema(&format!(
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
    Err(V1Denial::schema(&format!(
        "Unrecognized key(s) in object: {unknown}"
    )))
}

/// Checks a cancellation, and returns it as a change.
pub fn cancel(world: &World, call: V1Call<'_>, user: &User, uid: &str) -> V1HandlerResult {
    let param = |name: &str| call.request.query_values(name).into_iter().next();
    let reason = param("cancellationReason").unwrap_or_else(|| "Not Provided".to_owned());
    let cancelled_by = param("cancelledBy");
    if cancelled_by.as_ref().is_some_and(|by| !is_address(by)) {
        let text = "invalid_string in 'cancelledBy': Invalid email";
        return Err(V1Denial::schema(text));
    }
    let Some(booking) = world.booking(uid) else {
        return Err(V1Denial::NotOwner);
    };
    let host = booking.host == Some(user.id);
    let remaining = param("allRemainingBookings").as_deref() == Some("true");
    let extent = if remaining {
        CancelExtent::Remaining
    } else {
        CancelExtent::Single
    };
    if booking.status != SandboxStatus::Cancelled && host && reason.is_empty() {
        let text = "Cancellation reason is required when you are the host";
        return Err(V1Denial::schema(text));
    }
    let cancel = CancelRequest {
        reason: Some(reason),
        by: cancelled_by,
        extent,
        raced: call.raced,
    };
    let change = world.check_cancel(call.now, uid, cancel);
    change
        .map(HandlerOutcome::Transition)
        .map_err(|refusal| to_denial(&refusal))
}

/// Returns the answer to a cancellation after its steps are taken.
pub fn respond_to_cancellation(
    world: &World,
    change: &PendingTransition,
) -> Result<HttpResponse, V1Denial> {
    let booking = world.booking(&change.uid).ok_or(V1Denial::NotOwner)?;
    let body = json!({
        "success": true,
        "message": "Booking successfully cancelled.",
        "onlyRemovedAttendee": false,
        "bookingId": booking.id,
        "bookingUid": booking.uid,
    });
    Ok(HttpResponse::json(200, &body))
}

fn to_denial(refusal: &TransitionRefusal) -> V1Denial {
    match refusal {
        TransitionRefusal::AlreadyCancelled => {
            V1Denial::schema("This booking has already been cancelled.")
        }
        TransitionRefusal::Ended => {
            V1Denial::schema("Cannot cancel a booking that has already ended")
        }
        TransitionRefusal::NotAllowed(text) => V1Denial::schema(text),
        TransitionRefusal::NotFound
        | TransitionRefusal::Declined
        | TransitionRefusal::AlreadyConfirmed
        | TransitionRefusal::AlreadyMoved(_)
        | TransitionRefusal::NotStarted
        | TransitionRefusal::ReasonRequired => V1Denial::NotOwner,
    }
}
