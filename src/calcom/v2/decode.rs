//! Decodes an answer of v2, without a socket: converts status and body to the domain's types, or to
//! the reason why that is not possible. Pages of a listing are decoded by `decode_list`.

use serde_json::{Map, Value};

use crate::calcom::api_call::{ApiAnswer, Endpoint};
use crate::calcom::errors::map_unreadable_body;
use crate::calcom::lenient_row::Row;
use crate::calcom::port::{CallError, CurrentUser};
use crate::calcom::redact::Redactor;
use crate::calcom::{bounded_json, common_fields, decode_rows};
use crate::domain::booking::{Booking, EventType, Fetched};
use crate::domain::id::BookingUid;

use super::error_mapping::{VERSION_MISMATCH, is_gone, is_hidden, map_error};
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
    let data = decode_data(answer, Endpoint::Me, redactor)?;
    common_fields::read_current_user(&data)
        .map_err(|why| CallError::Contract(format!("me: data.{why}")))
}

/// Decodes the event types of the key's user.
pub fn decode_event_types(
    answer: &ApiAnswer,
    redactor: &Redactor,
) -> Result<Vec<EventType>, CallError> {
    match decode_data(answer, Endpoint::EventTypes, redactor)? {
        Value::Array(items) => Ok(common_fields::decode_readable_event_types(
            &items,
            wire::parse_event_type,
        )),
        _ => Err(CallError::Contract(
            "event types: the data is no list; the server took another cal-api-version than \
             2024-06-14"
                .to_owned(),
        )),
    }
}

/// Decodes one event type; `None` if there is none or the key may not see it.
pub fn decode_event_type(
    answer: &ApiAnswer,
    redactor: &Redactor,
) -> Result<Option<EventType>, CallError> {
    // A hidden event type is one of a team that this key may not see. A bad key is still detected,
    // because every other call refuses it.
    if is_gone(answer) || is_hidden(answer) {
        return Ok(None);
    }
    let data = decode_data(answer, Endpoint::EventType, redactor)?;
    if data.is_null() {
        return Ok(None);
    }
    let event_type = wire::parse_event_type(&data);
    let event_type =
        event_type.map_err(|why| CallError::Contract(format!("event type: data.{why}")))?;
    Ok(Some(event_type))
}

/// Decodes the answer to reading one booking.
pub fn decode_booking(
    answer: &ApiAnswer,
    uid: &BookingUid,
    redactor: &Redactor,
) -> Result<Fetched, CallError> {
    if is_gone(answer) {
        return Ok(Fetched::Gone);
    }
    let data = decode_data(answer, Endpoint::Get, redactor)?;
    match &data {
        // The uid may name a series too: only the booking that was asked for is accepted.
        Value::Array(rows) => {
            let has_uid =
                |row: &&Value| row.get("uid").and_then(Value::as_str) == Some(uid.as_str());
            let Some(row) = rows.iter().find(has_uid) else {
                return Err(CallError::Unknown(format!(
                    "{uid} names a series, not a booking"
                )));
            };
            decode_row(row, uid)
        }
        row if wire::is_older_booking(row) => Err(CallError::Contract(format!(
            "the booking has another shape: {VERSION_MISMATCH}"
        ))),
        row => decode_row(row, uid),
    }
}

/// Decodes all occurrences of a series. One unreadable occurrence makes the whole series unusable,
/// because occurrences are counted and one confirm answers all of them.
pub fn decode_series(
    answer: &ApiAnswer,
    series: &BookingUid,
    redactor: &Redactor,
) -> Result<Vec<Booking>, CallError> {
    if is_gone(answer) {
        return Ok(Vec::new());
    }
    let data = decode_data(answer, Endpoint::Series, redactor)?;
    let rows = match &data {
        Value::Array(rows) => rows.as_slice(),
        row if wire::is_older_booking(row) => {
            return Err(CallError::Contract(format!(
                "the booking has another shape: {VERSION_MISMATCH}"
            )));
        }
        row => std::slice::from_ref(row),
    };
    let (bookings, unreadable) = decode_rows::decode_bookings(rows, "data", 0, wire::parse_booking);
    if !unreadable.is_empty() {
        return Err(CallError::Unknown(unreadable.join("; ")));
    }
    let other_booking = bookings
        .iter()
        .find(|booking| booking.request_id().as_str() != series.as_str());
    match other_booking {
        Some(_) => Err(CallError::Unknown(format!(
            "asked for the series {series}, the server showed another booking too"
        ))),
        None => Ok(bookings),
    }
}

/// Decodes the answer to confirm, decline or cancel. A success that does not show a readable
/// booking is still a success (`None`); the caller then reads the booking.
pub fn decode_action(
    answer: &ApiAnswer,
    endpoint: Endpoint,
    uid: &BookingUid,
    redactor: &Redactor,
) -> Result<Option<Fetched>, CallError> {
    let data = decode_data(answer, endpoint, redactor)?;
    if data.get("uid").is_none() || wire::is_older_booking(&data) {
        return Ok(None);
    }
    match decode_row(&data, uid) {
        Ok(reading) => Ok(Some(reading)),
        Err(error) => {
            tracing::warn!(call = endpoint.as_str(), booking = %uid, %error, "no booking in the answer");
            Ok(None)
        }
    }
}

fn decode_row(row: &Value, uid: &BookingUid) -> Result<Fetched, CallError> {
    let booking = wire::parse_booking(row);
    let booking = booking.map_err(|why| CallError::Unknown(format!("data.{why}")))?;
    if booking.uid != *uid {
        return Err(CallError::Unknown(format!(
            "asked for {uid}, the server showed another booking"
        )));
    }
    Ok(Fetched::Found(Box::new(booking)))
}

fn decode_data(
    answer: &ApiAnswer,
    endpoint: Endpoint,
    redactor: &Redactor,
) -> Result<Value, CallError> {
    let mut envelope = decode_envelope(answer, endpoint, redactor)?;
    Ok(envelope.remove("data").unwrap_or(Value::Null))
}

/// Returns the object around `data` if the answer is a success.
pub(super) fn decode_envelope(
    answer: &ApiAnswer,
    endpoint: Endpoint,
    redactor: &Redactor,
) -> Result<Map<String, Value>, CallError> {
    if !answer.is_success() {
        return Err(map_error(answer, endpoint, redactor));
    }
    let value = bounded_json::parse(&answer.body)
        .map_err(|error| map_unreadable_body(answer, &error, endpoint))?;
    let is_success = |object: &Map<String, Value>| {
        Row::from(object).text("status") == Some("success") && object.contains_key("data")
    };
    match value {
        Value::Object(object) if is_success(&object) => Ok(object),
        _ if endpoint.is_write() => Err(CallError::Unknown(format!(
            "{} without Cal.com's \"status\": \"success\"",
            answer.status
        ))),
        _ => Err(CallError::Contract(format!(
            "{} without Cal.com's \"status\": \"success\"; base-url is not that of its API v2",
            answer.status
        ))),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use secrecy::SecretString;
    use serde_json::json;

    use super::*;

    pub(in crate::calcom::v2) fn redactor() -> Redactor {
        Redactor::new(&SecretString::from("cal_key_0123456789"))
    }

    pub(in crate::calcom::v2) fn answer(body: &Value) -> ApiAnswer {
        ApiAnswer {
            host: "cal.test:443".to_owned(),
            status: 200,
            is_html: false,
            location: None,
            server_time: None,
            body: body.to_string().into_bytes(),
        }
    }

    pub(in crate::calcom::v2) fn row(uid: &str) -> Value {
        json!({"uid": uid, "status": "pending", "start": "2026-12-01T09:00:00.000Z",
               "end": "2026-12-01T10:00:00.000Z", "createdAt": "2026-11-20T08:00:00.000Z",
               "attendees": [], "bookingFieldsResponses": {"email": "bo@example.com"}})
    }

    #[test]
    fn only_the_requested_booking_is_accepted() {
        let uid = BookingUid::parse("u0").unwrap();
        let decode = |data: Value| {
            let answer = answer(&json!({"status": "success", "data": data}));
            decode_booking(&answer, &uid, &redactor())
        };
        assert!(matches!(decode(row("u0")), Ok(Fetched::Found(_))));
        assert!(matches!(
            decode(json!([row("u1"), row("u0")])),
            Ok(Fetched::Found(_))
        ));
        for data in [
            row("u1"),
            json!([row("u1")]),
            json!([]),
            json!(null),
            json!({"uid": "u0"}),
        ] {
            let got = decode(data.clone());
            assert!(matches!(got, Err(CallError::Unknown(_))), "{data}: {got:?}");
        }
    }

    #[test]
    fn a_series_is_whole_or_unknown() {
        let uid = BookingUid::parse("s").unwrap();
        let occurrence = |uid: &str, series: &str| {
            let mut row = row(uid);
            row["recurringBookingUid"] = json!(series);
            row
        };
        let decode = |data: Value| {
            let answer = answer(&json!({"status": "success", "data": data}));
            decode_series(&answer, &uid, &redactor()).map(|bookings| bookings.len())
        };
        assert_eq!(
            decode(json!([occurrence("u0", "s"), occurrence("u1", "s")])),
            Ok(2)
        );
        assert_eq!(decode(json!([])), Ok(0));
        assert_eq!(decode(row("s")), Ok(1));
        for data in [
            json!([occurrence("u0", "s"), occurrence("u1", "t")]),
            json!([occurrence("u0", "s"), {"uid": "u1"}]),
            json!([row("u0")]),
            json!(null),
        ] {
            assert!(
                matches!(decode(data.clone()), Err(CallError::Unknown(_))),
                "{data}"
            );
        }
    }

    #[test]
    fn a_success_without_a_booking_is_a_success() {
        let uid = BookingUid::parse("u0").unwrap();
        let decode = |data: Value| {
            let answer = answer(&json!({"status": "success", "data": data}));
            decode_action(&answer, Endpoint::Confirm, &uid, &redactor())
        };
        assert!(matches!(decode(row("u0")), Ok(Some(Fetched::Found(_)))));
        let older = json!({"uid": "u0", "startTime": "2026-12-01T09:00:00Z"});
        for data in [
            json!({"bookingId": 20}),
            json!(null),
            json!("done"),
            older,
            row("u1"),
        ] {
            assert_eq!(decode(data.clone()), Ok(None), "{data}");
        }
        for body in [json!({}), json!({"status": "error", "data": {}}), json!([])] {
            let got = decode_action(&answer(&body), Endpoint::Confirm, &uid, &redactor());
            assert!(matches!(got, Err(CallError::Unknown(_))), "{body}: {got:?}");
        }
    }
}
