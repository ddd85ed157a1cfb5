//! Reads one booking from a file: an item as the API lists it, in either dialect, or the payload of
//! a webhook such as BOOKING_REQUESTED or BOOKING_CREATED (`calcom/api.md` 10). What the file does
//! not say is assumed, and each assumption is named.

use serde_json::{Map, Value};

use super::booker_identity::identify_booker;
use super::common_fields::{price, read_attendee, read_host};
use super::lenient_row::{FieldError, Row};
use super::{bounded_json, v1, v2};
use crate::domain::booking::{Attendee, Booking, BookingStatus, EventTypeRef};
use crate::domain::id::EventTypeId;
use crate::domain::time::Time;

/// The longest file that is read as one booking.
pub const MAX_FILE: usize = 1024 * 1024;

/// The content of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedBooking {
    /// The booking that the file describes.
    pub booking: Booking,
    /// When the webhook was sent; `None` when the file does not say.
    pub sent_at: Option<Time>,
    /// The event type's price according to the payload.
    pub price: Option<i64>,
    /// What the file does not say and was assumed.
    pub assumptions: Vec<String>,
}

/// Why a text is not one booking. The message reads after "the file".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The text is longer than [`MAX_FILE`].
    #[error("is larger than {MAX_FILE} bytes, which no booking is")]
    TooLarge,
    /// The text is not JSON; the payload is the parser's message.
    #[error("is not JSON: {0}")]
    NotJson(String),
    /// The text holds another number of bookings than one; the payload is that number.
    #[error("holds {0} bookings; put the booking to evaluate into a file of its own")]
    NotExactlyOne(usize),
    /// The JSON has neither the shape of a listed booking nor that of a webhook payload.
    #[error(
        "is neither a booking as Cal.com's API lists it (with uid, start, end, status) nor a webhook \
         payload (with triggerEvent, createdAt, payload)"
    )]
    UnknownFormat,
    /// A field of the booking is missing or invalid; the payload says which one and why.
    #[error("holds a booking that cannot be read: {0}")]
    Unreadable(String),
}

/// Parses the text of a file as one booking.
///
/// # Errors
/// Returns an error if the text is not exactly one booking.
pub fn parse_booking_file(text: &str) -> Result<ParsedBooking, FileError> {
    if text.len() > MAX_FILE {
        return Err(FileError::TooLarge);
    }
    let value = bounded_json::parse(text.as_bytes())
        .map_err(|error| FileError::NotJson(error.to_string()))?;
    let envelope = Row::from(&value);
    let payload = envelope.object("payload");
    if payload.is_present() {
        return parse_webhook(envelope, payload);
    }
    parse_api_booking(find_single_booking(&value)?)
}

/// Returns the item itself, or the only item in the API's envelope or in a list.
fn find_single_booking(value: &Value) -> Result<&Value, FileError> {
    match value {
        Value::Array(items) => match items.as_slice() {
            [item] => Ok(item),
            items => Err(FileError::NotExactlyOne(items.len())),
        },
        Value::Object(fields) => {
            let inner = ["data", "booking", "bookings"];
            match inner.into_iter().find_map(|name| fields.get(name)) {
                Some(inner) => find_single_booking(inner),
                None => Ok(value),
            }
        }
        _ => Err(FileError::UnknownFormat),
    }
}

fn parse_api_booking(value: &Value) -> Result<ParsedBooking, FileError> {
    let fields = value.as_object().ok_or(FileError::UnknownFormat)?;
    let booking = if fields.contains_key("start") {
        v2::wire::parse_booking(value)
    } else if fields.contains_key("startTime") {
        v1::wire::parse_booking(value)
    } else {
        return Err(FileError::UnknownFormat);
    };
    Ok(ParsedBooking {
        booking: booking.map_err(|error| FileError::Unreadable(error.to_string()))?,
        sent_at: None,
        price: None,
        assumptions: Vec::new(),
    })
}

fn parse_webhook(envelope: Row<'_>, payload: Row<'_>) -> Result<ParsedBooking, FileError> {
    let unreadable = |error: FieldError| FileError::Unreadable(error.to_string());
    let mut assumptions = Vec::new();
    let sent_at = envelope.optional_instant("createdAt");
    let start = payload.required_instant("startTime").map_err(unreadable)?;
    let end = payload.required_instant("endTime").map_err(unreadable)?;
    if end < start {
        return Err(FileError::Unreadable(
            "endTime is before startTime".to_owned(),
        ));
    }
    // The payload does not say when the booking was requested; the webhook is sent right then.
    let created = sent_at.unwrap_or(start);
    if sent_at.is_none() {
        assumptions
            .push("that it was asked for when it starts (the file has no createdAt)".to_owned());
    }
    let responses = unwrap_responses(payload.object("responses"));
    let responses = Row::from(&responses);
    let attendees: Vec<Attendee> = payload.objects("attendees").map(attendee).collect();
    let event_type = event_type(payload);
    if event_type.is_none() {
        return Err(FileError::Unreadable(
            "payload.eventTypeId is missing".to_owned(),
        ));
    }
    let organizer = payload.object("organizer");
    let booking = Booking {
        id: payload.number("bookingId"),
        title: payload.string("title").unwrap_or_default(),
        description: payload.string("additionalNotes"),
        // Such a booking waits or has just been accepted; `evaluate` treats it as waiting in either
        // case.
        status: payload.status().unwrap_or(BookingStatus::Pending),
        host: organizer.is_present().then(|| read_host(organizer)),
        event_type,
        booker: identify_booker(responses, &attendees),
        attendees,
        guests: responses.addresses("guests"),
        has_unread_guests: responses.has_unread_addresses("guests"),
        location: payload.string("location"),
        answers: responses.answers(),
        metadata: payload.object("metadata").answers(),
        ..Booking::new(payload.uid().map_err(unreadable)?, (start, end), created)
    };
    let price = payload.get("price").map(|_| price(payload));
    Ok(ParsedBooking {
        booking,
        sent_at,
        price,
        assumptions,
    })
}

/// Returns the answers without their wrapping. A webhook wraps each answer:
/// `{"label": …, "value": …, "isHidden": …}`.
fn unwrap_responses(responses: Row<'_>) -> Map<String, Value> {
    responses
        .fields()
        .map(|(name, wrapped)| {
            let value = wrapped.get("value").unwrap_or(wrapped);
            (name.clone(), value.clone())
        })
        .collect()
}

fn event_type(payload: Row<'_>) -> Option<EventTypeRef> {
    Some(EventTypeRef {
        id: EventTypeId(payload.number("eventTypeId")?),
        slug: payload.string("type"),
    })
}

fn attendee(row: Row<'_>) -> Attendee {
    Attendee {
        language: row.object("language").string("locale"),
        ..read_attendee(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::HostId;

    const WEBHOOK: &str = r#"{
      "triggerEvent": "BOOKING_CREATED",
      "createdAt": "2026-11-20T08:15:30.123Z",
      "payload": {
        "type": "book-club", "title": "Book club between Ada and Bo", "description": "",
        "additionalNotes": "about chapter 3", "customInputs": {},
        "startTime": "2026-12-01T09:00:00Z", "endTime": "2026-12-01T10:00:00Z",
        "organizer": {"id": 12, "name": "Ada Host", "email": "ada@example.org",
          "timeZone": "Europe/Berlin", "language": {"locale": "en"}},
        "responses": {
          "name": {"label": "your_name", "value": "Bo Booker", "isHidden": false},
          "email": {"label": "email_address", "value": "Bo@Example.com", "isHidden": false},
          "guests": {"label": "additional_guests", "value": ["cy@example.com"], "isHidden": false},
          "company": {"label": "Company", "value": "Acme", "isHidden": false}
        },
        "attendees": [{"email": "Bo@Example.com", "name": "Bo Booker", "timeZone": "Europe/Paris",
          "language": {"locale": "fr"}}],
        "location": "integrations:daily", "uid": "bFJeNb2uX8ANpT3JL5EfXw", "metadata": {},
        "eventTypeId": 77, "bookingId": 91, "price": 0, "currency": "usd", "length": 60,
        "requiresConfirmation": true, "status": "ACCEPTED"
      }
    }"#;

    #[test]
    fn a_webhook_payload_is_a_booking() {
        let parsed = parse_booking_file(WEBHOOK).unwrap();
        let booking = parsed.booking;
        assert_eq!(booking.uid.as_str(), "bFJeNb2uX8ANpT3JL5EfXw");
        assert_eq!(booking.id, Some(91));
        assert_eq!(booking.host_id(), Some(HostId(12)));
        assert_eq!(
            booking.event_type.unwrap().slug.as_deref(),
            Some("book-club")
        );
        let booker = booking.booker.unwrap();
        assert_eq!(booker.address.as_str(), "bo@example.com");
        assert_eq!(booker.name.as_deref(), Some("Bo Booker"));
        assert_eq!(booker.language.as_deref(), Some("fr"));
        assert_eq!(booking.guests[0].as_str(), "cy@example.com");
        assert_eq!(booking.status, BookingStatus::Accepted);
        assert_eq!(
            booking.answers["company"],
            crate::domain::booking::Answer::Text("Acme".to_owned())
        );
        assert_eq!(parsed.price, Some(0));
        assert_eq!(
            parsed.sent_at.unwrap().to_rfc3339(),
            "2026-11-20T08:15:30.123+00:00"
        );
        assert_eq!(parsed.assumptions, Vec::<String>::new());
    }

    #[test]
    fn files_without_exactly_one_booking_are_refused_with_the_reason() {
        let without = |field: &str| WEBHOOK.replace(&format!("\"{field}\""), "\"x\"");
        let rows: [(String, &str); 9] = [
            (String::new(), "is not JSON"),
            ("{".to_owned(), "is not JSON"),
            ("[]".to_owned(), "holds 0 bookings"),
            (r#"{"data":[{},{}]}"#.to_owned(), "holds 2 bookings"),
            ("{}".to_owned(), "is neither a booking"),
            ("7".to_owned(), "is neither a booking"),
            (without("uid"), "uid is missing"),
            (without("startTime"), "startTime is missing"),
            (without("eventTypeId"), "payload.eventTypeId is missing"),
        ];
        for (text, expect) in rows {
            let error = parse_booking_file(&text).unwrap_err().to_string();
            assert!(error.contains(expect), "{text}: {error}");
        }
        let huge = " ".repeat(MAX_FILE + 1);
        assert_eq!(parse_booking_file(&huge), Err(FileError::TooLarge));
    }

    #[test]
    fn api_items_are_read_bare_or_in_their_envelope() {
        let item = r#"{"id":1,"uid":"abc","title":"t","status":"pending",
            "start":"2026-12-01T09:00:00.000Z","end":"2026-12-01T10:00:00.000Z",
            "createdAt":"2026-11-20T08:15:30.123Z","eventType":{"id":77,"slug":"lesson"},
            "hosts":[{"id":12,"email":"ada@example.org"}],
            "attendees":[{"email":"bo@example.com","name":"Bo"}],
            "bookingFieldsResponses":{"email":"bo@example.com"}}"#;
        let enveloped = format!(r#"{{"status":"success","data":[{item}]}}"#);
        let single = format!(r#"{{"status":"success","data":{item}}}"#);
        let bare = parse_booking_file(item).unwrap();
        assert_eq!(bare.booking.uid.as_str(), "abc");
        assert_eq!(parse_booking_file(&enveloped), Ok(bare.clone()));
        assert_eq!(parse_booking_file(&single), Ok(bare));
    }
}
