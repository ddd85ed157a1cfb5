//! Confirms and declines a request.

use serde_json::{Value, json};

use super::call::{V2Call, booking_not_found, fields_as_error_target};
use super::change_response::to_outcome;
use super::error::validation_entry;
use crate::sandbox::account::User;
use crate::sandbox::handler_outcome::HandlerOutcome;
use crate::sandbox::http_types::HttpResponse;
use crate::sandbox::world::World;

/// Checks a confirmation, and returns it as a change or as a refusal.
pub fn confirm(world: &World, call: &V2Call<'_>, uid: &str, user: &User) -> HandlerOutcome {
    if let Some(refused) = refuse_unanswerable(world, call, uid, user) {
        return refused.into();
    }
    to_outcome(call, uid, world.check_confirm(uid, call.checks_state))
}

/// Checks a decline, and returns it as a change or as a refusal.
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
