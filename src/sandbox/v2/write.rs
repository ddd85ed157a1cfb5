//! The calls of v2 that change something: confirm, decline, cancel, mark absent, reschedule,
//! create.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::api_2024_04_15;
use super::call::{
    BOOKINGS_VERSION, V2Call, booking_not_found, fields_as_error_target, success_envelope,
};
use super::error::{NestError, plain_error, validation_entry};
use super::item::BookingItem;
use crate::domain::time::{Span, Time, truncate_to_millis};
use crate::sandbox::http_types::{HandlerOutcome, HttpResponse};
use crate::sandbox::model::{SandboxBooking, SandboxEventType, SandboxStatus, User};
use crate::sandbox::new_booking::{NewBooking, OCCURRENCES_MAX};
use crate::sandbox::transitions::{
    CancelExtent, CancelRequest, PendingTransition, RescheduleRequest, Transition,
    TransitionRefusal,
};
use crate::sandbox::v1::list::is_address;
use crate::sandbox::world::World;

pub fn confirm(world: &World, call: &V2Call<'_>, uid: &str, user: &User) -> HandlerOutcome {
    if let Some(refused) = refuse_unanswerable(world, call, uid, user) {
        return refused.into();
    }
    to_outcome(call, uid, world.check_confirm(uid, call.checks_state))
}

pub fn decline(world: &World, call: &V2Call<'_>, uid: &str, user: &User) -> HandlerOutcome {
    let body = call.body.clone().unwrap_or(Value::Null);
    let reason = match &body["reason"] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => {
            let target = fields_as_error_target(&body, "reason");
            let text = json!({"isString": "reason must be a string"});
            let errors = vec![validation_entry(&target, other.clone(), "reason", text)];
            return call.errors.validation_error(errors).into();
        }
    };
    if let Some(refused) = refuse_unanswerable(world, call, uid, user) {
        return refused.into();
    }
    let change = world.check_decline(uid, reason.as_deref(), call.checks_state);
    to_outcome(call, uid, change)
}

/// Returns the change, or the answer to a refusal of its check.
fn to_outcome(
    call: &V2Call<'_>,
    uid: &str,
    change: Result<PendingTransition, TransitionRefusal>,
) -> HandlerOutcome {
    match change {
        Ok(change) => HandlerOutcome::Transition(change),
        Err(refusal) => refusal_response(call, uid, &refusal).into(),
    }
}

/// Returns the answer to a change after its steps are taken.
pub fn respond_to_transition(
    world: &World,
    call: &V2Call<'_>,
    change: &PendingTransition,
) -> HttpResponse {
    let uid = change.uid.as_str();
    match &change.transition {
        Transition::Confirm { .. } | Transition::Decline { .. } => {
            booking_response(world, call, uid, 200)
        }
        Transition::Cancel(_) => cancellation_response(world, call, uid),
        Transition::Reschedule(_) => match &change.new_uid {
            Some(new_uid) => new_booking_response(world, new_uid),
            None => refusal_response(call, uid, &TransitionRefusal::NotFound),
        },
    }
}

/// Returns the answer when a user may not answer a request at all.
fn refuse_unanswerable(
    world: &World,
    call: &V2Call<'_>,
    uid: &str,
    user: &User,
) -> Option<HttpResponse> {
    let Some(booking) = world.booking(uid) else {
        return Some(booking_not_found(&call.errors, uid));
    };
    if booking.host.and_then(|id| world.user(id)).is_none() {
        let text = "Booking must have an organizer";
        return Some(call.errors.trpc_error(400, text));
    }
    if !world.may_answer(user, booking) {
        let text = "User is not authorized to confirm this booking";
        return Some(call.errors.trpc_error(401, text));
    }
    None
}

/// Returns the booking as it is now.
fn booking_response(world: &World, call: &V2Call<'_>, uid: &str, status: u16) -> HttpResponse {
    match world.booking(uid) {
        Some(booking) => {
            HttpResponse::json(status, &success_envelope(&BookingItem::new(world, booking)))
        }
        None => booking_not_found(&call.errors, uid),
    }
}

/// Returns the answer to a refusal; cancel and reschedule share these.
fn refusal_response(call: &V2Call<'_>, uid: &str, refusal: &TransitionRefusal) -> HttpResponse {
    match refusal {
        TransitionRefusal::NotFound => {
            let text = format!("Booking with uid={uid} not found");
            call.errors.nest_error(NestError::NotFound, &text)
        }
        TransitionRefusal::Declined => plain_error(404, "Could not find original booking"),
        TransitionRefusal::AlreadyConfirmed => {
            call.errors.trpc_error(400, "Booking already confirmed")
        }
        TransitionRefusal::AlreadyCancelled => {
            let text = format!(
                "Can't cancel booking with uid={uid} because it has been cancelled already. \
                 Please provide uid of a booking that is not cancelled."
            );
            call.errors.nest_error(NestError::BadRequest, &text)
        }
        TransitionRefusal::AlreadyMoved(to) => {
            let text = format!(
                "Can't reschedule booking with uid={uid} because it has been cancelled and \
                 rescheduled already to booking with uid={to}. You probably want to reschedule \
                 {to} instead by passing it within the request URL."
            );
            call.errors.nest_error(NestError::BadRequest, &text)
        }
        TransitionRefusal::Ended => {
            plain_error(400, "Cannot cancel a booking that has already ended")
        }
        TransitionRefusal::NotStarted => {
            let text = "Bookings can only be marked as absent after their scheduled start time.";
            call.errors.nest_error(NestError::BadRequest, text)
        }
        TransitionRefusal::NotAllowed(text) => plain_error(400, text),
        TransitionRefusal::ReasonRequired => plain_error(400, "Cancellation reason is required"),
    }
}

/// Parses the body of cancel and reschedule, which may have only known fields.
fn parse_fields(
    call: &V2Call<'_>,
    body: Option<&Value>,
    allowed_fields: &[&str],
) -> Result<Map<String, Value>, HttpResponse> {
    let Some(Value::Object(fields)) = body else {
        return Err(call
            .errors
            .nest_error(NestError::BadRequest, "Body is required"));
    };
    let unknown: Vec<String> = fields
        .keys()
        .filter(|name| !allowed_fields.contains(&name.as_str()))
        .map(|name| format!("{name} property is wrong,property {name} should not exist"))
        .collect();
    if unknown.is_empty() {
        return Ok(fields.clone());
    }
    Err(call
        .errors
        .nest_error(NestError::BadRequest, &unknown.join(",")))
}

fn text_field(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// Returns the row whose state decides about a cancellation by the uid of a series: the first row.
/// Once an occurrence was accepted, the database returns another row first, one that is not
/// cancelled.
fn deciding_occurrence<'a>(series: &[&'a SandboxBooking]) -> Option<&'a SandboxBooking> {
    let mut rows = series.iter();
    let accepted = rows
        .clone()
        .any(|one| one.status == SandboxStatus::Accepted);
    let active = rows
        .clone()
        .find(|one| one.status != SandboxStatus::Cancelled)
        .filter(|_| accepted);
    active.or_else(|| rows.next()).copied()
}

pub fn cancel(world: &World, call: &V2Call<'_>, uid: &str, user: Option<&User>) -> HandlerOutcome {
    let allowed_fields = ["cancellationReason", "cancelSubsequentBookings", "seatUid"];
    let empty_body = Value::Object(Map::new());
    let fields = match parse_fields(
        call,
        Some(call.body.as_ref().unwrap_or(&empty_body)),
        &allowed_fields,
    ) {
        Ok(fields) => fields,
        Err(refused) => return refused.into(),
    };
    if fields
        .get("cancellationReason")
        .is_some_and(|reason| !reason.is_string())
    {
        let text = "cancellationReason must be a string";
        return call.errors.nest_error(NestError::BadRequest, text).into();
    }
    let by_series = world.booking(uid).is_none();
    let deciding = world
        .booking(uid)
        .or_else(|| deciding_occurrence(&world.series(uid)));
    let Some(deciding) = deciding else {
        return refusal_response(call, uid, &TransitionRefusal::NotFound).into();
    };
    if by_series && cancels_following(call) {
        let text = "Cannot cancel subsequent bookings for recurring event - you have to provide \
                    uid of one of the individual bookings of a recurring booking.";
        return call.errors.nest_error(NestError::BadRequest, text).into();
    }
    let reason = text_field(&fields, "cancellationReason").filter(|reason| !reason.is_empty());
    let by_host = user.is_some_and(|user| world.may_answer(user, deciding));
    if deciding.status == SandboxStatus::Cancelled && call.checks_state {
        return refusal_response(call, uid, &TransitionRefusal::AlreadyCancelled).into();
    }
    if by_host && reason.is_none() {
        return refusal_response(call, uid, &TransitionRefusal::ReasonRequired).into();
    }
    let extent = match (by_series, cancels_following(call)) {
        (true, _) => CancelExtent::Remaining,
        (false, true) => CancelExtent::Following,
        (false, false) => CancelExtent::Single,
    };
    let cancel = CancelRequest {
        reason,
        by: None,
        extent,
        raced: !call.checks_state,
    };
    to_outcome(
        call,
        uid,
        world.check_cancel(call.now, &deciding.uid, cancel),
    )
}

/// Returns true when a cancellation includes later occurrences.
fn cancels_following(call: &V2Call<'_>) -> bool {
    let body = call.body.as_ref();
    body.is_some_and(|body| body["cancelSubsequentBookings"] == true)
}

/// Returns the answer to a cancellation: a list where the call named a series or included later
/// occurrences, and an error where later occurrences were to be included and the booking is not
/// part of a series. The booking is cancelled all the same.
fn cancellation_response(world: &World, call: &V2Call<'_>, uid: &str) -> HttpResponse {
    let uid_in_path = call.route.booking_in_path().unwrap_or(uid);
    let series = match world.booking(uid) {
        Some(booking) if cancels_following(call) => match &booking.series {
            Some(series) => world.series(series),
            None => {
                let text =
                    format!("Booking with bookingUid={uid} is not part of a recurring booking.");
                return call.errors.nest_error(NestError::BadRequest, &text);
            }
        },
        Some(_) | None => world.series(uid_in_path),
    };
    if !series.is_empty() {
        let items: Vec<BookingItem<'_>> = series
            .iter()
            .map(|one| BookingItem::new(world, one))
            .collect();
        return HttpResponse::json(200, &success_envelope(&items));
    }
    let is_current_version = call.request.header_value("cal-api-version") == Some(BOOKINGS_VERSION);
    match world.booking(uid).filter(|_| !is_current_version) {
        Some(booking) => HttpResponse::json(201, &api_2024_04_15::render_cancellation(booking)),
        None => booking_response(world, call, uid, 200),
    }
}

pub fn reschedule(
    world: &World,
    call: &V2Call<'_>,
    uid: &str,
    user: Option<&User>,
) -> HandlerOutcome {
    let (start, fields) = match parse_new_start(call) {
        Ok(read) => read,
        Err(refused) => return refused.into(),
    };
    let Some(booking) = world.booking(uid) else {
        return refusal_response(call, uid, &TransitionRefusal::NotFound).into();
    };
    let rescheduled_by = text_field(&fields, "rescheduledBy");
    let request = RescheduleRequest {
        start,
        reason: text_field(&fields, "reschedulingReason"),
        by_host: is_moved_by_host(world, booking, rescheduled_by.as_deref(), user),
        by: rescheduled_by,
        by_api: true,
        uid: None,
    };
    let by_host = request.by_host;
    let change = match world.check_reschedule(uid, request, call.checks_state) {
        Err(TransitionRefusal::AlreadyCancelled) => {
            let text = format!(
                "Can't reschedule booking with uid={uid} because it has been cancelled. \
                 Please provide uid of a booking that is not cancelled."
            );
            return call.errors.nest_error(NestError::BadRequest, &text).into();
        }
        Err(refusal) => return refusal_response(call, uid, &refusal).into(),
        Ok(change) => change,
    };
    let Some(event_type) = booking.event_type.and_then(|id| world.event_type(id)) else {
        return HandlerOutcome::Transition(change);
    };
    if let Some(email) = booking.answers.email()
        && !by_host
        && let Some(existing) = find_duplicate(world, event_type, email, start)
    {
        return new_booking_response(world, &existing.uid).into();
    }
    let requested = (start, start + (booking.end - booking.start));
    if !world.is_free(event_type, requested, Some(uid)) {
        return call
            .errors
            .nest_error(NestError::BadRequest, NOT_AVAILABLE)
            .into();
    }
    HandlerOutcome::Transition(change)
}

const NOT_AVAILABLE: &str = "User either already has booking at this time or is not available";

/// Parses and checks the new start of a move and its other fields.
fn parse_new_start(call: &V2Call<'_>) -> Result<(Time, Map<String, Value>), HttpResponse> {
    let allowed_fields = ["start", "rescheduledBy", "reschedulingReason", "seatUid"];
    let fields = parse_fields(call, call.body.as_ref(), &allowed_fields)?;
    let Some(start) = fields.get("start").and_then(parse_instant) else {
        let target = Value::Object(fields.clone());
        let value = fields.get("start").cloned().unwrap_or(Value::Null);
        let constraints = json!({"isDateString": "start must be a valid ISO 8601 date string"});
        let errors = vec![validation_entry(&target, value, "start", constraints)];
        return Err(call.errors.validation_error(errors));
    };
    match fields.get("rescheduledBy") {
        None | Some(Value::Null) => Ok((start, fields)),
        Some(Value::String(by)) if is_address(by) => Ok((start, fields)),
        Some(Value::String(_)) => Err(call.errors.zod_error("rescheduledBy - Invalid email, ")),
        Some(_) => Err(call.errors.internal_error()),
    }
}

/// Returns true when a move counts as the host's. The account with the given address decides, and
/// the key only if no account has that address.
fn is_moved_by_host(
    world: &World,
    booking: &SandboxBooking,
    by: Option<&str>,
    user: Option<&User>,
) -> bool {
    let mut users = world.users().iter();
    let account = by.and_then(|by| users.find(|one| one.email == by));
    match account {
        Some(account) => booking.host == Some(account.id),
        None => user.is_some_and(|user| world.may_answer(user, booking)),
    }
}

/// Returns the answer for a new booking, with status 201 and one additional field.
fn new_booking_response(world: &World, uid: &str) -> HttpResponse {
    let booking = world.booking(uid).expect("the booking just made");
    let mut item = BookingItem::new(world, booking);
    item.is_platform_managed_user_booking = Some(false);
    HttpResponse::json(201, &success_envelope(&item))
}

pub fn mark_absent(world: &mut World, call: &V2Call<'_>, uid: &str, user: &User) -> HttpResponse {
    let body = call.body.clone().unwrap_or(Value::Null);
    let host = body["host"].as_bool();
    let attendees = body["attendees"].as_array().cloned().unwrap_or_default();
    if body["attendees"].is_array() && attendees.is_empty() {
        let constraints = json!({"arrayMinSize": "attendees must contain at least 1 elements"});
        let target = fields_as_error_target(&body, "attendees");
        return call.errors.validation_error(vec![validation_entry(
            &target,
            json!([]),
            "attendees",
            constraints,
        )]);
    }
    let marks: Vec<(String, bool)> = attendees
        .iter()
        .filter_map(|one| {
            let email = one["email"].as_str()?;
            Some((email.to_owned(), one["absent"].as_bool()?))
        })
        .collect();
    let Some(booking) = world.booking(uid) else {
        let text = format!("Booking with uid={uid} not found.");
        return call.errors.nest_error(NestError::NotFound, &text);
    };
    if booking.start > call.now {
        return refusal_response(call, uid, &TransitionRefusal::NotStarted);
    }
    // Any valid key may mark the host; only marks on attendees are checked.
    if !marks.is_empty() && !world.may_answer(user, booking) {
        return plain_error(500, "Failed to update no-show status");
    }
    match world.mark_absent(call.now, uid, host, &marks) {
        Ok(()) => booking_response(world, call, uid, 200),
        Err(refusal) => refusal_response(call, uid, &refusal),
    }
}

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
        return call.errors.nest_error(NestError::BadRequest, NOT_AVAILABLE);
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
        return call.errors.nest_error(NestError::BadRequest, NOT_AVAILABLE);
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
fn find_duplicate<'a>(
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

fn parse_instant(value: &Value) -> Option<Time> {
    let at = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(truncate_to_millis(at.with_timezone(&Utc)))
}
