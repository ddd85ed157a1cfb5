//! Marks who did not come.

use serde_json::{Value, json};

use super::call::{V2Call, fields_as_error_target};
use super::change_response::{booking_response, refusal_response};
use super::error::{NestError, plain_error, validation_entry};
use crate::sandbox::account::User;
use crate::sandbox::http_types::HttpResponse;
use crate::sandbox::transitions::TransitionRefusal;
use crate::sandbox::world::World;

/// Marks the host or attendees absent, as the body says.
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
