//! Decodes an answer of v1, without a socket.

use serde_json::{Map, Value};

use crate::calcom::api_call::{ApiAnswer, Endpoint};
use crate::calcom::errors::map_unreadable_body;
use crate::calcom::page_splitting::BookingRows;
use crate::calcom::port::{CallError, CurrentUser};
use crate::calcom::redact::Redactor;
use crate::calcom::{bounded_json, common_fields, decode_rows};
use crate::domain::booking::{BookingRef, BookingStatus, EventType, Fetched};

use super::error_mapping::{is_gone, map_error};
use super::wire;

/// Decodes the user that the key acts as.
///
/// # Errors
/// Returns an error if the answer is a refusal or does not have this shape; so do all functions
/// below.
pub fn decode_current_user(
    answer: &ApiAnswer,
    redactor: &Redactor,
) -> Result<CurrentUser, CallError> {
    let user = take_member(answer, Endpoint::Me, "user", redactor)?;
    wire::parse_current_user(&user).map_err(|why| CallError::Contract(format!("me: user.{why}")))
}

/// Decodes the event types of the key's user.
pub fn decode_event_types(
    answer: &ApiAnswer,
    redactor: &Redactor,
) -> Result<Vec<EventType>, CallError> {
    match take_member(answer, Endpoint::EventTypes, "event_types", redactor)? {
        Value::Array(items) => Ok(common_fields::decode_readable_event_types(
            &items,
            wire::parse_event_type,
        )),
        _ => Err(CallError::Contract("event_types is no list".to_owned())),
    }
}

/// Decodes one event type; `None` if there is none or the key may not see it.
pub fn decode_event_type(
    answer: &ApiAnswer,
    redactor: &Redactor,
) -> Result<Option<EventType>, CallError> {
    if is_gone(answer) {
        return Ok(None);
    }
    let value = take_member(answer, Endpoint::EventType, "event_type", redactor)?;
    let event_type = wire::parse_event_type(&value);
    let event_type = event_type.map_err(|why| CallError::Contract(format!("event_type.{why}")))?;
    Ok(Some(event_type))
}

/// Decodes the rows of one answer. `first` is the position of the first row in the whole listing,
/// for the names of unreadable rows.
pub fn decode_list(
    answer: &ApiAnswer,
    first: usize,
    redactor: &Redactor,
) -> Result<BookingRows, CallError> {
    let Value::Array(items) = take_member(answer, Endpoint::List, "bookings", redactor)? else {
        return Err(CallError::Contract("bookings is no list".to_owned()));
    };
    let (bookings, unreadable) =
        decode_rows::decode_bookings(&items, "bookings", first, wire::parse_booking);
    Ok(BookingRows {
        bookings,
        unreadable,
        count: items.len(),
        has_more: None,
        server_time: answer.server_time,
    })
}

/// Decodes the answer to reading one booking.
pub fn decode_booking(
    answer: &ApiAnswer,
    booking: &BookingRef,
    redactor: &Redactor,
) -> Result<Fetched, CallError> {
    if is_gone(answer) {
        return Ok(Fetched::Gone);
    }
    let value = take_member(answer, Endpoint::Get, "booking", redactor)?;
    let read = wire::parse_booking(&value);
    let read = read.map_err(|why| CallError::Unknown(format!("booking.{why}")))?;
    if read.uid != booking.uid {
        return Err(CallError::Unknown(format!(
            "asked for {}, the server showed another booking",
            booking.uid
        )));
    }
    Ok(Fetched::Found(Box::new(read)))
}

/// Returns the state that the answer to a PATCH shows. The PATCH may have changed nothing and still
/// be answered with 200.
pub fn decode_patch(
    answer: &ApiAnswer,
    redactor: &Redactor,
) -> Result<Option<BookingStatus>, CallError> {
    let booking = take_member(answer, Endpoint::Confirm, "booking", redactor)?;
    Ok(wire::parse_status(&booking))
}

/// Checks that the DELETE was done.
pub fn decode_cancellation(
    answer: &ApiAnswer,
    endpoint: Endpoint,
    redactor: &Redactor,
) -> Result<(), CallError> {
    let success = take_member(answer, endpoint, "success", redactor)?;
    if success == Value::Bool(true) {
        return Ok(());
    }
    Err(CallError::Unknown(
        "the cancellation was answered without success".to_owned(),
    ))
}

/// Returns the one property that a successful answer has.
fn take_member(
    answer: &ApiAnswer,
    endpoint: Endpoint,
    name: &str,
    redactor: &Redactor,
) -> Result<Value, CallError> {
    if !answer.is_success() {
        return Err(map_error(answer, endpoint, redactor));
    }
    let value = bounded_json::parse(&answer.body)
        .map_err(|error| map_unreadable_body(answer, &error, endpoint))?;
    let member = match value {
        Value::Object(mut object) => remove_non_null(&mut object, name),
        _ => None,
    };
    member.ok_or_else(|| {
        let message = format!("{} without `{name}`", answer.status);
        if endpoint.is_write() {
            CallError::Unknown(message)
        } else {
            CallError::Contract(message)
        }
    })
}

fn remove_non_null(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    object.remove(name).filter(|value| !value.is_null())
}
