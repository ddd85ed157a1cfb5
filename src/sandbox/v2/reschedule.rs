//! Moves a booking to another time.

use serde_json::{Map, Value, json};

use super::body_fields::{parse_fields, parse_instant, text_field};
use super::call::V2Call;
use super::change_response::{new_booking_response, refusal_response, slot_taken_response};
use super::create::find_duplicate;
use super::error::{NestError, validation_entry};
use crate::domain::time::Time;
use crate::sandbox::account::User;
use crate::sandbox::booking::SandboxBooking;
use crate::sandbox::handler_outcome::HandlerOutcome;
use crate::sandbox::http_types::HttpResponse;
use crate::sandbox::transitions::{RescheduleRequest, TransitionRefusal};
use crate::sandbox::v1::list::is_address;
use crate::sandbox::world::World;

/// Checks a move, and returns it as a change or as a refusal.
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
        return slot_taken_response(call).into();
    }
    HandlerOutcome::Transition(change)
}

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
