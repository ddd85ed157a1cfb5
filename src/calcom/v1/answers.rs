//! What an answer of v1 means, without a socket.

use serde_json::{Map, Value};

use crate::calcom::errors::not_json;
use crate::calcom::exchange::{Answer, Kind};
use crate::calcom::narrow::Rows;
use crate::calcom::port::{CallError, Me};
use crate::calcom::redact::Redactor;
use crate::calcom::{fields, json, rows};
use crate::domain::booking::{BookingRef, EventType, Reading, Status};

use super::refusal::{is_gone, refusal};
use super::wire;

/// Who the key acts as.
///
/// # Errors
/// When the answer is a refusal, or is not of this shape; so for all below.
pub fn me(answer: &Answer, redactor: &Redactor) -> Result<Me, CallError> {
    let user = member(answer, Kind::Me, "user", redactor)?;
    wire::me(&user).map_err(|why| CallError::Contract(format!("me: user.{why}")))
}

/// The event types of the key's user.
pub fn event_types(answer: &Answer, redactor: &Redactor) -> Result<Vec<EventType>, CallError> {
    match member(answer, Kind::EventTypes, "event_types", redactor)? {
        Value::Array(items) => Ok(fields::event_types(&items, wire::event_type)),
        _ => Err(CallError::Contract("event_types is no list".to_owned())),
    }
}

/// One event type.
pub fn event_type(answer: &Answer, redactor: &Redactor) -> Result<Option<EventType>, CallError> {
    if is_gone(answer) {
        return Ok(None);
    }
    let value = member(answer, Kind::EventType, "event_type", redactor)?;
    let event_type = wire::event_type(&value);
    let event_type = event_type.map_err(|why| CallError::Contract(format!("event_type.{why}")))?;
    Ok(Some(event_type))
}

/// `first` is the place of the first row in the whole listing, for the names of unreadable ones.
pub fn list(answer: &Answer, first: usize, redactor: &Redactor) -> Result<Rows, CallError> {
    let Value::Array(items) = member(answer, Kind::List, "bookings", redactor)? else {
        return Err(CallError::Contract("bookings is no list".to_owned()));
    };
    let (bookings, unreadable) = rows::read(&items, "bookings", first, wire::booking);
    Ok(Rows {
        bookings,
        unreadable,
        count: items.len(),
        says_more: None,
        server_time: answer.server_time,
    })
}

/// What reading one booking gave.
pub fn reading(
    answer: &Answer,
    booking: &BookingRef,
    redactor: &Redactor,
) -> Result<Reading, CallError> {
    if is_gone(answer) {
        return Ok(Reading::Gone);
    }
    let value = member(answer, Kind::Get, "booking", redactor)?;
    let read = wire::booking(&value);
    let read = read.map_err(|why| CallError::Unknown(format!("booking.{why}")))?;
    if read.uid != booking.uid {
        return Err(CallError::Unknown(format!(
            "asked for {}, the server showed another booking",
            booking.uid
        )));
    }
    Ok(Reading::Is(Box::new(read)))
}

/// The state that the answer to a PATCH shows. It may have changed nothing and still be a 200.
pub fn patched(answer: &Answer, redactor: &Redactor) -> Result<Option<Status>, CallError> {
    let booking = member(answer, Kind::Confirm, "booking", redactor)?;
    Ok(wire::state(&booking))
}

/// Whether the DELETE was done.
pub fn cancelled(answer: &Answer, kind: Kind, redactor: &Redactor) -> Result<(), CallError> {
    let done = member(answer, kind, "success", redactor)?;
    if done == Value::Bool(true) {
        return Ok(());
    }
    Err(CallError::Unknown(
        "the cancellation was answered without success".to_owned(),
    ))
}

/// The one property that a good answer has.
fn member(
    answer: &Answer,
    kind: Kind,
    name: &str,
    redactor: &Redactor,
) -> Result<Value, CallError> {
    if !answer.success() {
        return Err(refusal(answer, kind, redactor));
    }
    let value = json::read(&answer.body).map_err(|error| not_json(answer, &error, kind))?;
    let member = match value {
        Value::Object(mut object) => take(&mut object, name),
        _ => None,
    };
    member.ok_or_else(|| {
        let what = format!("{} without `{name}`", answer.status);
        if kind.writes() {
            CallError::Unknown(what)
        } else {
            CallError::Contract(what)
        }
    })
}

fn take(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    object.remove(name).filter(|value| !value.is_null())
}
