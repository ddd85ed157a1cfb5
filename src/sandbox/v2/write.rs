//! The calls of v2 that change something: confirm, decline, cancel, mark absent, reschedule,
//! create.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::error::{Nest, entry, raw};
use super::item::Item;
use super::older;
use super::route::{BOOKINGS_VERSION, Call, json_data, not_found, shown};
use crate::domain::time::{Span, Time, kept};
use crate::sandbox::ask::{Ask, OCCURRENCES_MAX};
use crate::sandbox::call::{Outcome, Response};
use crate::sandbox::change::{Act, Cancel, Change, Extent, Move, Refusal};
use crate::sandbox::model::{Booking, EventType, Status, User};
use crate::sandbox::v1::list::is_address;
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
        Refusal::Declined => raw(404, "Could not find original booking"),
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
        Refusal::NotAllowed(text) => raw(400, text),
        Refusal::ReasonRequired => raw(400, "Cancellation reason is required"),
    }
}

/// The body of cancel and reschedule: known fields only.
fn fields(
    call: &Call<'_>,
    body: Option<&Value>,
    known: &[&str],
) -> Result<Map<String, Value>, Response> {
    let Some(Value::Object(fields)) = body else {
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

/// The row that decides over a cancellation by the uid of a series: the first one. Once something
/// of the series was accepted, the database gives another first, one that is not off.
fn looked_at<'a>(series: &[&'a Booking]) -> Option<&'a Booking> {
    let mut rows = series.iter();
    let accepted = rows.clone().any(|one| one.status == Status::Accepted);
    let alive = rows
        .clone()
        .find(|one| one.status != Status::Cancelled)
        .filter(|_| accepted);
    alive.or_else(|| rows.next()).copied()
}

pub fn cancel(world: &World, call: &Call<'_>, uid: &str, user: Option<&User>) -> Outcome {
    let known = ["cancellationReason", "cancelSubsequentBookings", "seatUid"];
    let nothing = Value::Object(Map::new());
    let fields = match fields(call, Some(call.body.as_ref().unwrap_or(&nothing)), &known) {
        Ok(fields) => fields,
        Err(refused) => return refused.into(),
    };
    if fields
        .get("cancellationReason")
        .is_some_and(|reason| !reason.is_string())
    {
        let text = "cancellationReason must be a string";
        return call.errors.nest(Nest::BadRequest, text).into();
    }
    let by_series = world.booking(uid).is_none();
    let named = world.booking(uid).or_else(|| looked_at(&world.series(uid)));
    let Some(named) = named else {
        return refused(call, uid, &Refusal::NotFound).into();
    };
    if by_series && following(call) {
        let text = "Cannot cancel subsequent bookings for recurring event - you have to provide \
                    uid of one of the individual bookings of a recurring booking.";
        return call.errors.nest(Nest::BadRequest, text).into();
    }
    let reason = text(&fields, "cancellationReason").filter(|reason| !reason.is_empty());
    let by_host = user.is_some_and(|user| world.may_answer(user, named));
    if named.status == Status::Cancelled && call.checked {
        return refused(call, uid, &Refusal::AlreadyCancelled).into();
    }
    if by_host && reason.is_none() {
        return refused(call, uid, &Refusal::ReasonRequired).into();
    }
    let extent = match (by_series, following(call)) {
        (true, _) => Extent::Remaining,
        (false, true) => Extent::Following,
        (false, false) => Extent::One,
    };
    let cancel = Cancel {
        reason,
        by: None,
        extent,
        raced: !call.checked,
    };
    begun(call, uid, world.check_cancel(call.now, &named.uid, cancel))
}

/// Whether a cancellation is to take later occurrences along.
fn following(call: &Call<'_>) -> bool {
    let body = call.body.as_ref();
    body.is_some_and(|body| body["cancelSubsequentBookings"] == true)
}

/// The answer to a cancellation: a list where it took more than one booking, and an error where it
/// was to and there was no more. The booking is cancelled all the same.
fn cancelled(world: &World, call: &Call<'_>, uid: &str) -> Response {
    let named = call.route.named().unwrap_or(uid);
    let series = match world.booking(uid) {
        Some(booking) if following(call) => match &booking.series {
            Some(series) => world.series(series),
            None => {
                let text =
                    format!("Booking with bookingUid={uid} is not part of a recurring booking.");
                return call.errors.nest(Nest::BadRequest, &text);
            }
        },
        Some(_) | None => world.series(named),
    };
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
    let (start, fields) = match new_start(call) {
        Ok(read) => read,
        Err(refused) => return refused.into(),
    };
    let Some(booking) = world.booking(uid) else {
        return refused(call, uid, &Refusal::NotFound).into();
    };
    let by = text(&fields, "rescheduledBy");
    let to = Move {
        start,
        reason: text(&fields, "reschedulingReason"),
        by_host: moved_by_host(world, booking, by.as_deref(), user),
        by,
        by_api: true,
        uid: None,
    };
    let by_host = to.by_host;
    let change = match world.check_reschedule(uid, to, call.checked) {
        Err(Refusal::AlreadyCancelled) => {
            let text = format!(
                "Can't reschedule booking with uid={uid} because it has been cancelled. \
                 Please provide uid of a booking that is not cancelled."
            );
            return call.errors.nest(Nest::BadRequest, &text).into();
        }
        Err(refusal) => return refused(call, uid, &refusal).into(),
        Ok(change) => change,
    };
    let Some(of) = booking.event_type.and_then(|id| world.event_type(id)) else {
        return Outcome::Changing(change);
    };
    if let Some(email) = booking.answers.email()
        && !by_host
        && let Some(there) = duplicate(world, of, email, start)
    {
        return new_one(world, &there.uid).into();
    }
    let asked = (start, start + (booking.end - booking.start));
    if !world.free(of, asked, Some(uid)) {
        return call.errors.nest(Nest::BadRequest, NOT_AVAILABLE).into();
    }
    Outcome::Changing(change)
}

const NOT_AVAILABLE: &str = "User either already has booking at this time or is not available";

/// The new start of a move and its other fields, all of them checked.
fn new_start(call: &Call<'_>) -> Result<(Time, Map<String, Value>), Response> {
    let known = ["start", "rescheduledBy", "reschedulingReason", "seatUid"];
    let fields = fields(call, call.body.as_ref(), &known)?;
    let Some(start) = fields.get("start").and_then(instant) else {
        let target = Value::Object(fields.clone());
        let value = fields.get("start").cloned().unwrap_or(Value::Null);
        let words = json!({"isDateString": "start must be a valid ISO 8601 date string"});
        let errors = vec![entry(&target, value, "start", words)];
        return Err(call.errors.invalid(errors));
    };
    match fields.get("rescheduledBy") {
        None | Some(Value::Null) => Ok((start, fields)),
        Some(Value::String(by)) if is_address(by) => Ok((start, fields)),
        Some(Value::String(_)) => Err(call.errors.unfit("rescheduledBy - Invalid email, ")),
        Some(_) => Err(call.errors.fell_over()),
    }
}

/// Whether a move counts as the host's. The account whose address is given counts, and the key only
/// where no account has that address.
fn moved_by_host(world: &World, booking: &Booking, by: Option<&str>, user: Option<&User>) -> bool {
    let mut users = world.users().iter();
    let named = by.and_then(|by| users.find(|one| one.email == by));
    match named {
        Some(account) => booking.host == Some(account.id),
        None => user.is_some_and(|user| world.may_answer(user, booking)),
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
    if booking.start > call.now {
        return refused(call, uid, &Refusal::NotStarted);
    }
    // Any valid key may mark the host; only marks on attendees are checked.
    if !marks.is_empty() && !world.may_answer(user, booking) {
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
    let ask = ask(&body, &of, email, start);
    if of.occurrences.is_some() {
        return create_series(world, call, &of, &ask);
    }
    if let Some(there) = duplicate(world, &of, email, start) {
        let uid = there.uid.clone();
        return new_one(world, &uid);
    }
    if !world.free(&of, time_of(&of, &ask, start), None) {
        return call.errors.nest(Nest::BadRequest, NOT_AVAILABLE);
    }
    match world.book(call.now, ask) {
        Ok(uids) => new_one(world, &uids[0]),
        Err(error) => call.errors.nest(Nest::BadRequest, &error.to_string()),
    }
}

/// The time that an occurrence takes.
fn time_of(of: &EventType, ask: &Ask, start: Time) -> (Time, Time) {
    let length = ask.length.unwrap_or(Span::minutes(i64::from(of.minutes)));
    (start, start + length)
}

/// Each occurrence looks for its own duplicate; the missing ones become a series of their own.
fn create_series(world: &mut World, call: &Call<'_>, of: &EventType, ask: &Ask) -> Response {
    let usual = of.occurrences.and_then(|usual| usize::try_from(usual).ok());
    if ask.occurrences > usual {
        let text =
            "Provided recurrence count is higher than the event type's recurring event count.";
        return call.errors.nest(Nest::BadRequest, text);
    }
    let there = |start: Time| {
        let found = duplicate(world, of, &ask.email, start);
        found.map(|one| one.uid.clone())
    };
    let mut shown: Vec<String> = ask.starts().filter_map(there).collect();
    let missing: Vec<Time> = ask
        .starts()
        .filter(|start| there(*start).is_none())
        .collect();
    let is_free = |start: &Time| world.free(of, time_of(of, ask, *start), None);
    if missing.first().is_some_and(|first| !is_free(first)) {
        return call.errors.nest(Nest::BadRequest, NOT_AVAILABLE);
    }
    // Of what waits only the first occurrence is looked at; what is accepted at once is written one
    // by one, until the database refuses.
    let waits = of.waits(call.now, ask.start, &ask.email) || of.price > 0;
    let most = missing
        .iter()
        .take_while(|start| waits || is_free(start))
        .count();
    match world.book_at(call.now, of, ask, &missing[..most]) {
        Ok(made) => shown.extend(made),
        Err(error) => return call.errors.nest(Nest::BadRequest, &error.to_string()),
    }
    if most < missing.len() {
        return raw(400, "An error occurred while querying the database.");
    }
    let mut rows: Vec<&Booking> = shown.iter().filter_map(|uid| world.booking(uid)).collect();
    rows.sort_by_key(|one| one.start);
    let items: Vec<Item<'_>> = rows.iter().map(|one| Item::of(world, one)).collect();
    Response::json(201, &json_data(&items))
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
