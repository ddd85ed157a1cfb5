//! Turns one v1 request into one answer: router, body parser, licence, key, lock, limiter, method
//! and handler, in the order in which a real server runs them.

use serde_json::{Value, json};

use super::call::{V1Call, V1Denial, V1HandlerResult};
use super::list::{self, V1ListError};
use super::{item, write};
use crate::domain::time::Time;
use crate::sandbox::account::{KEY_PREFIX, Role, User};
use crate::sandbox::api_route::ApiRoute;
use crate::sandbox::call_log::Operation;
use crate::sandbox::handler_outcome::HandlerOutcome;
use crate::sandbox::http_types::{HttpRequest, HttpResponse};
use crate::sandbox::rate_limiter::RateDecision;
use crate::sandbox::transitions::PendingTransition;
use crate::sandbox::world::World;

/// What the answer to a call that passed the key check needs: the limiter's decision and two
/// identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct V1ResponseContext {
    decision: RateDecision,
    trace: String,
    id: String,
}

/// The first result of a request: an answer, or a change and the context of its later answer.
pub enum V1Outcome {
    /// The answer; the call is finished.
    Response(HttpResponse),
    /// The change, and what its later answer needs.
    Transition(PendingTransition, V1ResponseContext),
}

/// Processes a request up to its answer or to the change that it asks for.
pub fn begin(world: &mut World, call: V1Call<'_>) -> V1Outcome {
    let user = match admit(world, call) {
        Ok(user) => user,
        Err(response) => return V1Outcome::Response(response),
    };
    let (request, route) = (call.request, call.route);
    let parts: Vec<&str> = route.parts.iter().map(String::as_str).collect();
    let allowed = allowed_methods(&parts).expect("the router has let this route pass");
    let cost = if route.kind == Operation::List { 2 } else { 1 };
    let limit = world.limits.v1;
    let (decision, locks) = world.user_limiter.hit(user.id, cost, limit, call.now);
    if locks {
        world
            .set_locked(user.id, true)
            .expect("the user whose key was just found");
    }
    let context = V1ResponseContext {
        decision,
        trace: format!("trace_{}", world.next_uid()),
        id: world.next_uid(),
    };
    let response = if !decision.allowed {
        limit_exceeded(call.now, decision)
    } else if request.method == "OPTIONS" {
        HttpResponse::empty(200)
    } else if !allowed.contains(&request.method.as_str()) {
        let text = format!("Method Not Allowed (Allow: {})", allowed.join(","));
        HttpResponse::json(405, &json!({ "message": text }))
    } else {
        match handle(world, call, &user) {
            Ok(HandlerOutcome::Transition(change)) => {
                return V1Outcome::Transition(change, context);
            }
            Ok(HandlerOutcome::Response(response)) => {
                add_trace_id(Ok(response), context.trace.clone())
            }
            Err(denied) => add_trace_id(Err(denied), context.trace.clone()),
        }
    };
    V1Outcome::Response(add_headers(response, &context))
}

/// Returns the answer to a change after its steps are taken.
pub fn respond_to_transition(
    world: &World,
    change: &PendingTransition,
    context: &V1ResponseContext,
) -> HttpResponse {
    let result = write::respond_to_cancellation(world, change);
    add_headers(add_trace_id(result, context.trace.clone()), context)
}

/// Runs everything up to the key check: returns the caller, or the answer to a call that is refused
/// there.
fn admit(world: &World, call: V1Call<'_>) -> Result<User, HttpResponse> {
    let V1Call {
        now,
        request,
        route,
        ..
    } = call;
    let parts: Vec<&str> = route.parts.iter().map(String::as_str).collect();
    if parts.is_empty() {
        let text = "Welcome to Cal.com API - docs are at https://developer.cal.com/api";
        return Err(plain_json(json!({ "message": text }), 200));
    }
    if request.path.len() > 1 && request.path.ends_with('/') {
        return Err(redirect_without_slash(request));
    }
    if parts.last().is_some_and(|last| last.starts_with('_')) {
        let body = br#"{"message":"Forbidden"}"#.to_vec();
        return Err(HttpResponse::empty(403).with_typed_body("application/json", body));
    }
    if allowed_methods(&parts).is_none() {
        return Err(not_found_page());
    }
    let is_broken = request.is_json()
        && !request.body.is_empty()
        && serde_json::from_slice::<Value>(&request.body).is_err();
    if is_broken {
        return Err(HttpResponse {
            reason: Some("Invalid JSON"),
            body: b"Invalid JSON".to_vec(),
            ..HttpResponse::empty(400)
        });
    }
    authenticate(world, now, request)
}

/// Returns the 500 of a database that cannot be reached, even without a key; `/v1` itself still
/// answers.
pub fn database_down_response() -> HttpResponse {
    plain_json(json!({"message": "Something went wrong"}), 500)
}

/// Returns a 429, whatever the counters say.
pub fn rate_limited_response(now: Time, reset: u32) -> HttpResponse {
    let decision = RateDecision {
        allowed: false,
        limit: 30,
        remaining: 0,
        reset: now.timestamp_millis() + i64::from(reset) * 1000,
    };
    let context = V1ResponseContext {
        decision,
        trace: String::new(),
        id: "refused".to_owned(),
    };
    add_headers(limit_exceeded(now, decision), &context)
}

/// Returns the methods of a route; `None` where there is no such route.
fn allowed_methods(parts: &[&str]) -> Option<&'static [&'static str]> {
    match parts {
        ["me"] => Some(&["GET"]),
        ["event-types"] | ["bookings"] => Some(&["GET", "POST"]),
        ["event-types", _] | ["bookings", _] => Some(&["GET", "PATCH", "DELETE"]),
        ["bookings", _, "cancel"] => Some(&["DELETE"]),
        _ => None,
    }
}

/// Checks licence, key and lock.
fn authenticate(world: &World, now: Time, request: &HttpRequest) -> Result<User, HttpResponse> {
    if world.quirks.licence_missing {
        let text = "Invalid or missing CALCOM_LICENSE_KEY environment variable";
        return Err(plain_json(json!({ "message": text }), 401));
    }
    let keys = request.query_values("apiKey");
    let key = match keys.as_slice() {
        [] => "",
        [one] => one,
        // A key that is given twice is a list to the framework, and no key is a list.
        [_, ..] => "\0",
    };
    if key.is_empty() {
        return Err(plain_json(json!({"message": "No apiKey provided"}), 401));
    }
    let bare = key.strip_prefix(KEY_PREFIX).unwrap_or(key);
    let found = world.key(bare);
    let Some((key, user)) = found.and_then(|key| Some((key, world.user(key.user)?))) else {
        return Err(plain_json(
            json!({"error": "Your API key is not valid."}),
            401,
        ));
    };
    // A key is valid to the end of the day on which it expires.
    let expired = |at: Time| at.date_naive() < now.date_naive();
    if key.expires.is_some_and(expired) {
        return Err(plain_json(
            json!({"error": "This API key is expired."}),
            401,
        ));
    }
    if user.locked {
        let text = "You are not authorized to perform this request.";
        return Err(plain_json(json!({ "error": text }), 403));
    }
    Ok(user.clone())
}

fn handle(world: &mut World, call: V1Call<'_>, user: &User) -> V1HandlerResult {
    let V1Call {
        now,
        request,
        route,
        ..
    } = call;
    match route.kind {
        Operation::Me => Ok(HttpResponse::json(200, &item::render_me(user)).into()),
        Operation::EventTypes => list_event_types(world, request, route, user),
        Operation::List => match list::list_bookings(world, now, request, user) {
            Ok(response) => Ok(response.into()),
            Err(V1ListError::Schema(text)) => Err(V1Denial::Message(400, text)),
            Err(V1ListError::InternalError) => Err(V1Denial::InternalError),
        },
        Operation::Get => {
            let uid = resolve_booking_uid(world, route, user, "Booking not found")?;
            get_booking(world, request, &uid)
        }
        Operation::Confirm | Operation::Decline | Operation::Patch => {
            let uid = resolve_booking_uid(world, route, user, UNKNOWN_ROW)?;
            write::patch(world, call, user, &uid)
        }
        Operation::Cancel => {
            let long = route.parts.len() > 2;
            let uid = resolve_booking_uid(world, route, user, UNKNOWN_ROW);
            // The long spelling checks access in a place whose errors are not caught.
            let uid = uid.map_err(|denied| match (long, user.role) {
                (true, Role::User) => V1Denial::InternalError,
                (true, Role::Admin) | (false, _) => denied,
            })?;
            write::cancel(world, call, user, &uid)
        }
        Operation::Reschedule | Operation::MarkAbsent | Operation::Create | Operation::Other => {
            // Making bookings and event types through v1 is not part of the sandbox.
            Err(V1Denial::Message(501, "not part of the sandbox".to_owned()))
        }
    }
}

/// The message for a row that does not exist, or for a number beyond 32 bits.
const UNKNOWN_ROW: &str = "An error occurred while querying the database.";

/// Returns the uid of the booking that the path names by number, if the user may see it. `missing`
/// is the message of the 404 that administrators get.
fn resolve_booking_uid(
    world: &World,
    route: &ApiRoute,
    user: &User,
    missing: &str,
) -> Result<String, V1Denial> {
    let text = route.booking_in_path().unwrap_or("");
    let Ok(number) = text.parse::<f64>() else {
        let text = "invalid_type in 'id': Expected number, received nan";
        return Err(V1Denial::schema(text));
    };
    if number.abs() > f64::from(i32::MAX) {
        return Err(V1Denial::schema(UNKNOWN_ROW));
    }
    let booking = text.parse().ok().and_then(|id| world.booking_by_id(id));
    match (booking, user.role) {
        (Some(booking), Role::Admin) => Ok(booking.uid.clone()),
        (Some(booking), Role::User)
            if world.may_answer(user, booking) || booking.has_attendee(&user.email) =>
        {
            Ok(booking.uid.clone())
        }
        (None, Role::Admin) => Err(V1Denial::Message(404, missing.to_owned())),
        (Some(_) | None, Role::User) => Err(V1Denial::NotOwner),
    }
}

fn get_booking(world: &World, request: &HttpRequest, uid: &str) -> V1HandlerResult {
    let booking = world.booking(uid).ok_or(V1Denial::NotOwner)?;
    if let Some(violation) = list::schema_violation(booking) {
        return Err(V1Denial::schema(&violation));
    }
    let expand = request
        .query_values("expand")
        .iter()
        .any(|one| one == "team");
    let item = item::render_booking(world, booking, expand);
    Ok(HttpResponse::json(200, &json!({ "booking": item })).into())
}

fn list_event_types(
    world: &World,
    request: &HttpRequest,
    route: &ApiRoute,
    user: &User,
) -> V1HandlerResult {
    if let Some(id) = route.parts.get(1) {
        let event_type = id.parse().ok().and_then(|id| world.event_type(id));
        let event_type =
            event_type.ok_or(V1Denial::Message(404, "Event type not found".to_owned()))?;
        if event_type.owner != user.id && user.role == Role::User {
            return Err(V1Denial::Message(403, "Forbidden".to_owned()));
        }
        let item = item::render_event_type(world, event_type);
        return Ok(HttpResponse::json(200, &json!({ "event_type": item })).into());
    }
    if !request.query_values("userId").is_empty() && user.role == Role::User {
        return Err(V1Denial::Message(401, "ADMIN required".to_owned()));
    }
    let slugs = request.query_values("slug");
    let owned = world.event_types().iter().filter(|event_type| {
        event_type.owner == user.id && slugs.first().is_none_or(|slug| event_type.slug == *slug)
    });
    let items: Vec<Value> = owned
        .map(|event_type| item::render_event_type(world, event_type))
        .collect();
    Ok(HttpResponse::json(200, &json!({ "event_types": items })).into())
}

/// Returns a handler's result as an answer with its trace id.
fn add_trace_id(result: Result<HttpResponse, V1Denial>, trace: String) -> HttpResponse {
    let (status, message) = match result {
        Ok(response) => return response.with_header("X-Trace-Id", trace),
        Err(V1Denial::InternalError) => {
            return HttpResponse::json(500, &json!({"message": "Something went wrong"}));
        }
        Err(V1Denial::NotOwner) => (403, "You are not authorized".to_owned()),
        Err(V1Denial::Message(status, message)) => (status, message),
    };
    let body = json!({"message": message, "data": {"traceId": trace}});
    HttpResponse::json(status, &body).with_header("X-Trace-Id", trace)
}

fn limit_exceeded(now: Time, decision: RateDecision) -> HttpResponse {
    let reset = chrono::DateTime::from_timestamp_millis(decision.reset).unwrap_or(now);
    let seconds_left = (reset - now).num_seconds();
    let text = format!("Rate limit exceeded. Try again in {seconds_left} seconds.");
    HttpResponse::json(429, &json!({ "message": text }))
}

/// Adds the headers of answers to calls that passed the key check.
fn add_headers(response: HttpResponse, context: &V1ResponseContext) -> HttpResponse {
    let decision = context.decision;
    const HEADERS: &str = "X-CSRF-Token, X-Requested-With, Accept, Accept-Version, Content-Length, \
        Content-MD5, Content-Type, Date, X-Api-Version, Content-Type, api_key, Authorization";
    response
        .with_header("X-RateLimit-Limit", decision.limit.to_string())
        .with_header("X-RateLimit-Remaining", decision.remaining.to_string())
        .with_header("X-RateLimit-Reset", decision.reset.to_string())
        .with_header("Calcom-Response-ID", context.id.clone())
        .with_header("Access-Control-Allow-Credentials", "true")
        .with_header("Access-Control-Allow-Origin", "*")
        .with_header(
            "Access-Control-Allow-Methods",
            "GET, OPTIONS, PATCH, DELETE, POST, PUT",
        )
        .with_header("Access-Control-Allow-Headers", HEADERS)
        .with_header("Vary", "Accept-Encoding")
}

fn plain_json(body: Value, status: u16) -> HttpResponse {
    HttpResponse::json(status, &body).with_header("Vary", "Accept-Encoding")
}

/// Redirects a path with a trailing slash to the path without the slash, including the key.
fn redirect_without_slash(request: &HttpRequest) -> HttpResponse {
    let mut target = request.path.trim_end_matches('/').to_owned();
    if !request.query.is_empty() {
        target = format!("{target}?{}", request.query);
    }
    HttpResponse {
        body: target.clone().into_bytes(),
        ..HttpResponse::empty(308)
    }
    .with_header("Refresh", format!("0;url={target}"))
    .with_header("Location", target)
}

fn not_found_page() -> HttpResponse {
    let page = "<!DOCTYPE html><html><head><title>404: This page could not be found</title></head>\
        <body><h1>404</h1><h2>This page could not be found.</h2></body></html>";
    HttpResponse::html(404, page)
        .with_header(
            "Cache-Control",
            "private, no-cache, no-store, max-age=0, must-revalidate",
        )
        .with_header("X-Powered-By", "Next.js")
        .with_header("Vary", "Accept-Encoding")
}
