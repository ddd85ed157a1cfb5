//! Makes bookings and series.

use serde_json::{Value, json};

use super::body_fields::parse_instant;
use super::call::{V2Call, fields_as_error_target, success_envelope};
use super::change_response::{new_booking_response, slot_taken_response};
use super::error::{NestError, plain_error, validation_entry};
use super::item::BookingItem;
use crate::domain::time::{Span, Time};
use crate::sandbox::booking::{SandboxBooking, SandboxStatus};
use crate::sandbox::event_type::SandboxEventType;
use crate::sandbox::http_types::HttpResponse;
use crate::sandbox::new_booking::{NewBooking, OCCURRENCES_MAX};
use crate::sandbox::world::World;

/// Makes the booking or series that the body describes. Needs no credential.
pub fn create(world: &mut World, call: &V2Call<'_>) -> HttpResponse {
    let body = call.body.clone().unwrap_or(Value::Null);
    let Some(start) = parse_instant(&body["start"]) else {
        let constraints = json!({"isDateString": "start must be a valid ISO 8601 date string"});
        let target = fields_as_error_target(&body, "start");
        let value = body["start"].clone();
        return call.errors.validation_error(vec![validation_entry(
            &target,
            value,
            "start",
            constraints,
        )]);
    };
    let event_type = body["eventTypeId"]
        .as_i64()
        .and_then(|id| world.event_type(id));
    let (Some(event_type), Some(email)) = (event_type.cloned(), body["attendee"]["email"].as_str())
    else {
        let text = "eventTypeId or attendee.email is missing or unknown";
        return call.errors.nest_error(NestError::BadRequest, text);
    };
    if start < call.now {
        let text = "Attempting to book a meeting in the past.";
        return call.errors.nest_error(NestError::BadRequest, text);
    }
    let new_booking = parse_new_booking(&body, &event_type, email, start);
    if event_type.occurrences.is_some() {
        return create_series(world, call, &event_type, &new_booking);
    }
    if let Some(existing) = find_duplicate(world, &event_type, email, start) {
        let uid = existing.uid.clone();
        return new_booking_response(world, &uid);
    }
    if !world.is_free(
        &event_type,
        occurrence_time(&event_type, &new_booking, start),
        None,
    ) {
        return slot_taken_response(call);
    }
    match world.book(call.now, new_booking) {
        Ok(uids) => new_booking_response(world, &uids[0]),
        Err(error) => call
            .errors
            .nest_error(NestError::BadRequest, &error.to_string()),
    }
}

/// Returns the start and end of an occurrence.
fn occurrence_time(
    event_type: &SandboxEventType,
    new_booking: &NewBooking,
    start: Time,
) -> (Time, Time) {
    let length = new_booking
        .length
        .unwrap_or(Span::minutes(i64::from(event_type.minutes)));
    (start, start + length)
}

/// Creates a series. Each occurrence that has a duplicate is answered with the duplicate; the
/// missing occurrences become a series of their own.
fn create_series(
    world: &mut World,
    call: &V2Call<'_>,
    event_type: &SandboxEventType,
    new_booking: &NewBooking,
) -> HttpResponse {
    let usual = event_type
        .occurrences
        .and_then(|usual| usize::try_from(usual).ok());
    if new_booking.occurrences > usual {
        let text =
            "Provided recurrence count is higher than the event type's recurring event count.";
        return call.errors.nest_error(NestError::BadRequest, text);
    }
    let existing_uid = |start: Time| {
        let existing = find_duplicate(world, event_type, &new_booking.email, start);
        existing.map(|one| one.uid.clone())
    };
    let mut uids: Vec<String> = new_booking
        .occurrence_starts()
        .filter_map(existing_uid)
        .collect();
    let missing: Vec<Time> = new_booking
        .occurrence_starts()
        .filter(|start| existing_uid(*start).is_none())
        .collect();
    let is_free = |start: &Time| {
        world.is_free(
            event_type,
            occurrence_time(event_type, new_booking, *start),
            None,
        )
    };
    if missing.first().is_some_and(|first| !is_free(first)) {
        return slot_taken_response(call);
    }
    // Of a pending series only the first occurrence is checked; occurrences that are accepted
    // immediately are written one by one, until the database refuses.
    let needs_confirmation =
        event_type.needs_confirmation(call.now, new_booking.start, &new_booking.email)
            || event_type.price > 0;
    let limit = missing
        .iter()
        .take_while(|start| needs_confirmation || is_free(start))
        .count();
    match world.book_at(call.now, event_type, new_booking, &missing[..limit]) {
        Ok(made) => uids.extend(made),
        Err(error) => {
            return call
                .errors
                .nest_error(NestError::BadRequest, &error.to_string());
        }
    }
    if limit < missing.len() {
        return plain_error(400, "An error occurred while querying the database.");
    }
    let mut rows: Vec<&SandboxBooking> = uids.iter().filter_map(|uid| world.booking(uid)).collect();
    rows.sort_by_key(|one| one.start);
    let items: Vec<BookingItem<'_>> = rows
        .iter()
        .map(|one| BookingItem::new(world, one))
        .collect();
    HttpResponse::json(201, &success_envelope(&items))
}

/// Returns the pending booking of the same person for the same slot: a repeated request gets that
/// booking back.
pub fn find_duplicate<'a>(
    world: &'a World,
    event_type: &SandboxEventType,
    email: &str,
    start: Time,
) -> Option<&'a SandboxBooking> {
    world.bookings().iter().find(|one| {
        one.event_type == Some(event_type.id)
            && one.start == start
            && one.status == SandboxStatus::Pending
            && one.answers.email() == Some(email)
    })
}

fn parse_new_booking(
    body: &Value,
    event_type: &SandboxEventType,
    email: &str,
    start: Time,
) -> NewBooking {
    let mut new_booking = NewBooking::new(event_type.id, email, start);
    let attendee = &body["attendee"];
    let text = |name: &str| attendee[name].as_str().map(str::to_owned);
    new_booking.name = text("name").unwrap_or(new_booking.name);
    new_booking.time_zone = text("timeZone").unwrap_or(new_booking.time_zone);
    new_booking.language = text("language").unwrap_or(new_booking.language);
    new_booking.length = body["lengthInMinutes"].as_i64().map(Span::minutes);
    new_booking.occurrences = event_type.occurrences.map(|usual| {
        let requested_count = body["recurrenceCount"].as_u64();
        let requested_count = requested_count.unwrap_or(u64::from(usual));
        usize::try_from(requested_count).unwrap_or(OCCURRENCES_MAX)
    });
    let guests = body["guests"].as_array().into_iter().flatten();
    new_booking.guests = guests
        .filter_map(|one| one.as_str().map(str::to_owned))
        .collect();
    let map = |value: &Value| value.as_object().cloned().unwrap_or_default();
    new_booking.metadata = map(&body["metadata"]).into_iter().collect();
    new_booking.answers = map(&body["bookingFieldsResponses"]).into_iter().collect();
    new_booking
}
