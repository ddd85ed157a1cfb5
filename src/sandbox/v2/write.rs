//! The calls of v2 that change something: confirm, decline, cancel, mark absent, reschedule,
//! create.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::error::{Nest, entry, raw};
use super::item::Item;
use super::older;
use super::route::{BOOKINGS_VERSION, Call, json_data, not_found, shown};
use crate::domain::time::{Span, Time, kept, overlap};
use crate::sandbox::ask::{Ask, OCCURRENCES_MAX};
use crate::sandbox::call::{Outcome, Response};
use crate::sandbox::change::{Act, Cancel, Change, Extent, Move, Refusal};
use crate::sandbox::model::{Booking, EventType, Status, User};
use crate::sandbox::world::World;

pub fn confirm(world: &World, call: &Call<'_>, uid: &str, user: &User) -> Outcome {
    if let Some(refused) = not_answerable(world, call, uid, user) {
        return refused.into();
    }
    begun(call, uid, world.check_confirm(uid, call.checked))
}

pub fn decline(world: &World, call: &Call<'_>, uid: &str, user: &User) -> Outcome {
    let body = call.body.clone().unwrap_or(Value::Null);
    let reason = match &body["reason"] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => {
            let target = shown(&body, "reason");
            let text = json!({"isString": "reason must be a string"});
            let errors = vec![entry(&target, other.clone(), "reason", text)];
            return call.errors.invalid(errors).into();
        }
    };
    if let Some(refused) = not_answerable(world, call, uid, user) {
        return refused.into();
    }
    let change = world.check_decline(uid, reason.as_deref(), call.checked);
    begun(call, uid, change)
}

/// The change, or the answer that its check gives.
fn begun(call: &Call<'_>, uid: &str, change: Result<Change, Refusal>) -> Outcome {
    match change {
        Ok(change) => Outcome::Changing(change),
        Err(refusal) => refused(call, uid, &refusal).into(),
    }
}

/// The answer to a change whose steps are taken.
pub fn changed(world: &World, call: &Call<'_>, change: &Change) -> Response {
    let uid = change.uid.as_str();
    match &change.act {
        Act::Confirm { .. } | Act::Decline { .. } => one(world, call, uid, 200),
        Act::Cancel(_) => cancelled(world, call, uid),
        Act::Reschedule(_) => match &change.made {
            Some(made) => new_one(world, made),
            None => refused(call, uid, &Refusal::NotFound),
        },
    }
}

/// What keeps a user from answering a request at all.
fn not_answerable(world: &World, call: &Call<'_>, uid: &str, user: &User) -> Option<Response> {
    let Some(booking) = world.booking(uid) else {
        return Some(not_found(&call.errors, uid));
    };
    if booking.host.and_then(|id| world.user(id)).is_none() {
        let text = "Booking must have an organizer";
        return Some(call.errors.trpc(400, text));
    }
    if !world.may_answer(user, booking) {
        let text = "User is not authorized to confirm this booking";
        return Some(call.errors.trpc(401, text));
    }
    None
}

/// The booking as it is now.
fn one(world: &World, call: &Call<'_>, uid: &str, status: u16) -> Response {
    match world.booking(uid) {
        Some(booking) => Response::json(status, &json_data(&Item::of(world, booking))),
        None => not_found(&call.errors, uid),
    }
}

/// The refusals that cancel and reschedule share.
fn refused(call: &Call<'_>, uid: &str, refusal: &Refusal) -> Response {
    match refusal {
        Refusal::NotFound => {
            let text = format!("Booking with uid={uid} not found");
            call.errors.nest(Nest::NotFound, &text)
        }
        Refusal::AlreadyConfirmed => call.errors.trpc(400, "Booking already confirmed"),
        Refusal::AlreadyCancelled => {
            let text = format!(
                "Can't cancel booking with uid={uid} because it has been cancelled already. \
                 Please provide uid of a booking that is not cancelled."
            );
            call.errors.nest(Nest::BadRequest, &text)
        }
        Refusal::AlreadyMoved(to) => {
            let text = format!(
                "Can't reschedule booking with uid={uid} because it has been cancelled and \
                 rescheduled already to booking with uid={to}. You probably want to reschedule \
                 {to} instead by passing it within the request URL."
            );
            call.errors.nest(Nest::BadRequest, &text)
        }
        Refusal::Ended => raw(400, "Cannot cancel a booking that has already ended"),
        Refusal::NotStarted => {
            let text = "Bookings can only be marked as absent after their scheduled start time.";
            call.errors.nest(Nest::BadRequest, text)
        }
        Refusal::ReasonRequired => raw(400, "Cancellation reason is required"),
    }
}

/// The body of cancel and reschedule: known fields only, and there must be one.
fn fields(call: &Call<'_>, known: &[&str]) -> Result<Map<String, Value>, Response> {
    let Some(Value::Object(fields)) = &call.body else {
        return Err(call.errors.nest(Nest::BadRequest, "Body is required"));
    };
    let unknown: Vec<String> = fields
        .keys()
        .filter(|name| !known.contains(&name.as_str()))
        .map(|name| format!("{name} property is wrong,property {name} should not exist"))
        .collect();
    if unknown.is_empty() {
        return Ok(fields.clone());
    }
    Err(call.errors.nest(Nest::BadRequest, &unknown.join(",")))
}

fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned)
}

pub fn cancel(world: &World, call: &Call<'_>, uid: &str, user: Option<&User>) -> Outcome {
    let known = ["cancellationReason", "cancelSubsequentBookings", "seatUid"];
    let fields = match fields(call, &known) {
        Ok(fields) => fields,
        Err(refused) => return refused.into(),
    };
    let series: Vec<String> = world
        .series(uid)
        .iter()
        .filter(|one| one.status != Status::Cancelled && one.end > call.now)
        .map(|one| one.uid.clone())
        .collect();
    let named = match world.booking(uid) {
        Some(booking) => booking,
        None => match series.first().and_then(|first| world.booking(first)) {
            Some(first) => first,
            None => return refused(call, uid, &Refusal::NotFound).into(),
        },
    };
    let reason = text(&fields, "cancellationReason").filter(|reason| !reason.is_empty());
    let by_host = user.is_some_and(|user| world.may_answer(user, named));
    if named.status == Status::Cancelled && call.checked {
        return refused(call, uid, &Refusal::AlreadyCancelled).into();
    }
    if by_host && reason.is_none() {
        return refused(call, uid, &Refusal::ReasonRequired).into();
    }
    let following = fields.get("cancelSubsequentBookings") == Some(&Value::Bool(true));
    let extent = match (series.is_empty(), following) {
        (false, _) => Extent::Remaining,
        (true, true) => Extent::Following,
        (true, false) => Extent::One,
    };
    let cancel = Cancel {
        reason,
        by: None,
        extent,
        raced: !call.checked,
    };
    begun(call, uid, world.check_cancel(call.now, &named.uid, cancel))
}

/// The answer to a cancellation: a list where the path named a series.
fn cancelled(world: &World, call: &Call<'_>, uid: &str) -> Response {
    let named = call.route.named().unwrap_or(uid);
    let series = world.series(named);
    if !series.is_empty() {
        let items: Vec<Item<'_>> = series.iter().map(|one| Item::of(world, one)).collect();
        return Response::json(200, &json_data(&items));
    }
    let new = call.request.get("cal-api-version") == Some(BOOKINGS_VERSION);
    match world.booking(uid).filter(|_| !new) {
        Some(booking) => Response::json(201, &older::cancelled(booking)),
        None => one(world, call, uid, 200),
    }
}

pub fn reschedule(world: &World, call: &Call<'_>, uid: &str, user: Option<&User>) -> Outcome {
    let known = ["start", "rescheduledBy", "reschedulingReason", "seatUid"];
    let fields = match fields(call, &known) {
        Ok(fields) => fields,
        Err(refused) => return refused.into(),
    };
    let Some(start) = fields.get("start").and_then(instant) else {
        let target = Value::Object(fields.clone());
        let value = fields.get("start").cloned().unwrap_or(Value::Null);
        let words = json!({"isDateString": "start must be a valid ISO 8601 date string"});
        let errors = vec![entry(&target, value, "start", words)];
        return call.errors.invalid(errors).into();
    };
    let Some(booking) = world.booking(uid) else {
        return refused(call, uid, &Refusal::NotFound).into();
    };
    let by = text(&fields, "rescheduledBy");
    let host = booking.host.and_then(|id| world.user(id));
    let named = by
        .as_ref()
        .is_some_and(|by| host.is_some_and(|host| host.email == *by));
    let by_host = named || user.is_some_and(|user| world.may_answer(user, booking));
    let to = Move {
        start,
        reason: text(&fields, "reschedulingReason"),
        by,
        by_host,
        by_api: true,
        uid: None,
    };
    match world.check_reschedule(uid, to, call.checked) {
        Err(Refusal::AlreadyCancelled) => {
            let text = format!(
                "Can't reschedule booking with uid={uid} because it has been cancelled. \
                 Please provide uid of a booking that is not cancelled."
            );
            call.errors.nest(Nest::BadRequest, &text).into()
        }
        change => begun(call, uid, change),
    }
}

/// The answer to a booking that was made, 201 with one more field.
fn new_one(world: &World, uid: &str) -> Response {
    let booking = world.booking(uid).expect("the booking just made");
    let mut item = Item::of(world, booking);
    item.is_platform_managed_user_booking = Some(false);
    Response::json(201, &json_data(&item))
}

pub fn mark_absent(world: &mut World, call: &Call<'_>, uid: &str, user: &User) -> Response {
    let body = call.body.clone().unwrap_or(Value::Null);
    let host = body["host"].as_bool();
    let attendees = body["attendees"].as_array().cloned().unwrap_or_default();
    if body["attendees"].is_array() && attendees.is_empty() {
        let words = json!({"arrayMinSize": "attendees must contain at least 1 elements"});
        let target = shown(&body, "attendees");
        return call
            .errors
            .invalid(vec![entry(&target, json!([]), "attendees", words)]);
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
        return call.errors.nest(Nest::NotFound, &text);
    };
    if !world.may_answer(user, booking) {
        return raw(500, "Failed to update no-show status");
    }
    match world.mark_absent(call.now, uid, host, &marks) {
        Ok(()) => one(world, call, uid, 200),
        Err(refusal) => refused(call, uid, &refusal),
    }
}

pub fn create(world: &mut World, call: &Call<'_>) -> Response {
    let body = call.body.clone().unwrap_or(Value::Null);
    let Some(start) = instant(&body["start"]) else {
        let words = json!({"isDateString": "start must be a valid ISO 8601 date string"});
        let target = shown(&body, "start");
        let value = body["start"].clone();
        return call
            .errors
            .invalid(vec![entry(&target, value, "start", words)]);
    };
    let of = body["eventTypeId"]
        .as_i64()
        .and_then(|id| world.event_type(id));
    let (Some(of), Some(email)) = (of.cloned(), body["attendee"]["email"].as_str()) else {
        let text = "eventTypeId or attendee.email is missing or unknown";
        return call.errors.nest(Nest::BadRequest, text);
    };
    if start < call.now {
        let text = "Attempting to book a meeting in the past.";
        return call.errors.nest(Nest::BadRequest, text);
    }
    if let Some(there) = duplicate(world, &of, email, start) {
        let uid = there.uid.clone();
        return new_one(world, &uid);
    }
    let ask = ask(&body, &of, email, start);
    if !free(world, &of, &ask) {
        let text = "User either already has booking at this time or is not available";
        return call.errors.nest(Nest::BadRequest, text);
    }
    match world.book(call.now, ask) {
        Ok(uids) => match uids.as_slice() {
            [uid] if of.occurrences.is_none() => new_one(world, uid),
            uids => {
                let rows: Vec<&Booking> = uids.iter().filter_map(|u| world.booking(u)).collect();
                let items: Vec<Item<'_>> = rows.iter().map(|one| Item::of(world, one)).collect();
                Response::json(201, &json_data(&items))
            }
        },
        Err(error) => call.errors.nest(Nest::BadRequest, &error.to_string()),
    }
}

/// The same person asking again for the same slot, while the first request waits, gets that one
/// back.
fn duplicate<'a>(
    world: &'a World,
    of: &EventType,
    email: &str,
    start: Time,
) -> Option<&'a Booking> {
    world.bookings().iter().find(|one| {
        one.event_type == Some(of.id)
            && one.start == start
            && one.status == Status::Pending
            && one.answers.email() == Some(email)
    })
}

/// Accepted bookings of the host block a slot; pending ones only where the event type says so.
fn free(world: &World, of: &EventType, ask: &Ask) -> bool {
    let length = ask.length.unwrap_or(Span::minutes(i64::from(of.minutes)));
    let asked = (ask.start, ask.start + length);
    !world.bookings().iter().any(|one| {
        let pending =
            of.blocks_slot && one.event_type == Some(of.id) && one.status == Status::Pending;
        let accepted = one.host == Some(of.owner) && one.status == Status::Accepted;
        (pending || accepted) && overlap(asked, (one.start, one.end))
    })
}

fn ask(body: &Value, of: &EventType, email: &str, start: Time) -> Ask {
    let mut ask = Ask::new(of.id, email, start);
    let attendee = &body["attendee"];
    let text = |name: &str| attendee[name].as_str().map(str::to_owned);
    ask.name = text("name").unwrap_or(ask.name);
    ask.time_zone = text("timeZone").unwrap_or(ask.time_zone);
    ask.language = text("language").unwrap_or(ask.language);
    ask.length = body["lengthInMinutes"].as_i64().map(Span::minutes);
    ask.occurrences = of.occurrences.map(|usual| {
        let asked = body["recurrenceCount"].as_u64();
        let asked = asked.unwrap_or(u64::from(usual));
        usize::try_from(asked).unwrap_or(OCCURRENCES_MAX)
    });
    let guests = body["guests"].as_array().into_iter().flatten();
    ask.guests = guests
        .filter_map(|one| one.as_str().map(str::to_owned))
        .collect();
    let map = |value: &Value| value.as_object().cloned().unwrap_or_default();
    ask.metadata = map(&body["metadata"]).into_iter().collect();
    ask.answers = map(&body["bookingFieldsResponses"]).into_iter().collect();
    ask
}

fn instant(value: &Value) -> Option<Time> {
    let at = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(kept(at.with_timezone(&Utc)))
}
