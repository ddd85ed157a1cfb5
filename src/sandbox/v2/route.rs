//! Turns one v2 request into one answer: body parser, router, throttler, guards and handler, in the
//! order in which a real server runs them, because the order decides which error a fault gives.

use serde_json::Value;

use super::call::{BOOKINGS_VERSION, V2Call};
use super::caller::{authenticate, identify_caller, require_user};
use super::cancel::{cancel, cancellation_response};
use super::change_response::{booking_response, new_booking_response, refusal_response};
use super::confirm_and_decline::{confirm, decline};
use super::create::create;
use super::error::{ErrorWriter, NestError, plain_error};
use super::event_types;
use super::headers::{add_helmet_headers, add_limit_headers};
use super::mark_absent::mark_absent;
use super::reads::{get_booking, list_bookings, list_event_types};
use super::reschedule::reschedule;
use crate::sandbox::account::User;
use crate::sandbox::call_log::Operation;
use crate::sandbox::handler_outcome::HandlerOutcome;
use crate::sandbox::http_types::{HttpRequest, HttpResponse};
use crate::sandbox::rate_limiter::RateDecision;
use crate::sandbox::transitions::{PendingTransition, Transition, TransitionRefusal};
use crate::sandbox::world::World;

/// The only version that has event types here.
const EVENT_TYPES_VERSION: &str = "2024-06-14";

/// The first result of a request: an answer, or a change and the limiter's decision for its later
/// answer.
pub enum V2Outcome {
    /// The answer; the call is finished.
    Response(HttpResponse),
    /// The change, and the limiter's decision for its later answer.
    Transition(PendingTransition, RateDecision),
}

/// Processes a request up to its answer or to the change that it asks for.
pub fn begin(world: &mut World, call: &V2Call<'_>) -> V2Outcome {
    let refused =
        reject_unreadable_body(call).or_else(|| (!has_route(call)).then(|| route_not_found(call)));
    if let Some(refused) = refused {
        return V2Outcome::Response(add_standard_headers(world, refused));
    }
    let Some((caller, decision)) = identify_caller(world, call) else {
        let message = "CustomThrottlerGuard - Invalid API Key";
        let refused = call.errors.nest_error(NestError::Unauthorized, message);
        return V2Outcome::Response(add_standard_headers(world, refused));
    };
    let outcome = if decision.allowed {
        authenticate(call, caller).and_then(|user| handle(world, call, user))
    } else {
        Err(call.errors.rate_limited())
    };
    match outcome {
        Ok(HandlerOutcome::Transition(change)) => V2Outcome::Transition(change, decision),
        Ok(HandlerOutcome::Response(response)) | Err(response) => {
            let response = add_limit_headers(response, decision);
            V2Outcome::Response(add_standard_headers(world, response))
        }
    }
}

/// Returns the answer to a change after its steps are taken.
pub fn respond_to_transition(
    world: &mut World,
    call: &V2Call<'_>,
    change: &PendingTransition,
    decision: RateDecision,
) -> HttpResponse {
    let response = change_response(world, call, change);
    add_standard_headers(world, add_limit_headers(response, decision))
}

/// Returns the answer to a change, without its headers.
fn change_response(world: &World, call: &V2Call<'_>, change: &PendingTransition) -> HttpResponse {
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

fn add_standard_headers(world: &mut World, response: HttpResponse) -> HttpResponse {
    let id = world.next_uuid();
    add_helmet_headers(response).with_header("X-Request-Id", id)
}

/// Returns the answer of the rate limit's guard while its store is down, in the server's own shape.
pub fn database_down_response(world: &mut World, errors: &ErrorWriter) -> HttpResponse {
    let id = world.next_uuid();
    add_helmet_headers(errors.database_down()).with_header("X-Request-Id", id)
}

/// Returns a 429, whatever the counters say.
pub fn rate_limited_response(world: &mut World, errors: &ErrorWriter, reset: u32) -> HttpResponse {
    let decision = RateDecision {
        allowed: false,
        limit: 120,
        remaining: 0,
        reset: i64::from(reset),
    };
    let id = world.next_uuid();
    add_helmet_headers(add_limit_headers(errors.rate_limited(), decision))
        .with_header("X-Request-Id", id)
}

/// Refuses a body that claims to be JSON and is not. Such a request never reaches a guard.
fn reject_unreadable_body(call: &V2Call<'_>) -> Option<HttpResponse> {
    let has_json_body = call.request.is_json() && !call.request.body.is_empty();
    if !has_json_body || call.body.is_some() {
        return None;
    }
    let message = "Expected property name or '}' in JSON at position 1";
    Some(call.errors.nest_error(NestError::BadRequest, message))
}

/// Returns the 404 of a route that no controller has.
fn route_not_found(call: &V2Call<'_>) -> HttpResponse {
    let message = format!("Cannot {} {}", call.request.method, call.errors.path());
    call.errors.nest_error(NestError::NotFound, &message)
}

/// Returns true when any controller of the requested version has such a route.
fn has_route(call: &V2Call<'_>) -> bool {
    let version = call.request.header_value("cal-api-version").unwrap_or("");
    let new = version == BOOKINGS_VERSION;
    match call.route.kind {
        Operation::Me | Operation::List | Operation::Get | Operation::Cancel => true,
        Operation::EventTypes => version == EVENT_TYPES_VERSION,
        Operation::Confirm
        | Operation::Decline
        | Operation::MarkAbsent
        | Operation::Reschedule
        | Operation::Create => new,
        Operation::Patch | Operation::Other => false,
    }
}

/// Lets the handler of the route answer, or returns the refusal of a guard.
fn handle(
    world: &mut World,
    call: &V2Call<'_>,
    user: Option<User>,
) -> Result<HandlerOutcome, HttpResponse> {
    let is_new = call.request.header_value("cal-api-version") == Some(BOOKINGS_VERSION);
    Ok(match call.route.kind {
        Operation::Me => {
            let user = require_user(call, user)?;
            HttpResponse::json(200, &event_types::render_me(&user)).into()
        }
        Operation::EventTypes => list_event_types(world, call, user).into(),
        Operation::List => {
            let user = require_user(call, user)?;
            list_bookings(world, call, &user, is_new).into()
        }
        Operation::Get => {
            get_booking(world, call, uid_in_path(call)?, user.as_ref(), is_new).into()
        }
        Operation::Confirm => {
            let user = require_user(call, user)?;
            confirm(world, call, uid_in_path(call)?, &user)
        }
        Operation::Decline => {
            let user = require_user(call, user)?;
            decline(world, call, uid_in_path(call)?, &user)
        }
        Operation::MarkAbsent => {
            let user = require_user(call, user)?;
            mark_absent(world, call, uid_in_path(call)?, &user).into()
        }
        Operation::Cancel => cancel(world, call, uid_in_path(call)?, user.as_ref()),
        Operation::Reschedule => reschedule(world, call, uid_in_path(call)?, user.as_ref()),
        Operation::Create => create(world, call).into(),
        Operation::Patch | Operation::Other => route_not_found(call).into(),
    })
}

/// Returns the uid in the path. A database cannot search for a text with a NUL.
fn uid_in_path<'a>(call: &'a V2Call<'_>) -> Result<&'a str, HttpResponse> {
    let uid = call.route.booking_in_path().unwrap_or("");
    if uid.contains('\0') {
        return Err(plain_error(500, "Internal server error"));
    }
    Ok(uid)
}

/// Returns the body if it claims to be JSON and is valid.
pub fn json_body(request: &HttpRequest) -> Option<Value> {
    if request.body.is_empty() || !request.is_json() {
        return None;
    }
    serde_json::from_slice(&request.body).ok()
}

#[cfg(test)]
mod tests;
