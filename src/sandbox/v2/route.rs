//! Turns one v2 request into one answer: body parser, router, throttler, guards and handler, in the
//! order in which a real server runs them, because the order decides which error a fault gives.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::call::{BOOKINGS_VERSION, V2Call, booking_not_found, success_envelope};
use super::error::{ErrorWriter, NestError, plain_error};
use super::item::BookingItem;
use super::list::list_page;
use super::list_query::V2ListQuery;
use super::{api_2024_04_15, event_types, write};
use crate::sandbox::call_log::Operation;
use crate::sandbox::http_types::{HandlerOutcome, HttpRequest, HttpResponse};
use crate::sandbox::model::{KEY_PREFIX, SandboxBooking, User};
use crate::sandbox::rate_limiter::{RateDecision, RateLimit, TOKEN_CALLS};
use crate::sandbox::transitions::PendingTransition;
use crate::sandbox::world::World;

/// The only version that has event types here.
const EVENT_TYPES_VERSION: &str = "2024-06-14";

/// The caller, as far as the throttler can determine.
#[derive(Debug, Clone)]
pub enum Caller {
    Anonymous,
    User(User),
    Expired,
    /// A bearer token that is not a key. Errors repeat the token, as those of real servers do.
    Token(String),
}

/// The first result of a request: an answer, or a change and the limiter's decision for its later
/// answer.
pub enum V2Outcome {
    Response(HttpResponse),
    Transition(PendingTransition, RateDecision),
}

/// Processes a request up to its answer or to the change that it asks for.
pub fn begin(world: &mut World, call: &V2Call<'_>) -> V2Outcome {
    let errors = &call.errors;
    let response = match reject_unreadable_body(call) {
        Some(refused) => refused,
        None if !has_route(call) => {
            let message = format!("Cannot {} {}", call.request.method, errors.path());
            errors.nest_error(NestError::NotFound, &message)
        }
        None => match throttle(world, call) {
            (HandlerOutcome::Transition(change), Some(decision)) => {
                return V2Outcome::Transition(change, decision);
            }
            (HandlerOutcome::Response(response), Some(decision)) => {
                add_limit_headers(response, decision)
            }
            (HandlerOutcome::Response(response), None) => response,
            (HandlerOutcome::Transition(_), None) => unreachable!("unknown keys change nothing"),
        },
    };
    V2Outcome::Response(add_standard_headers(world, response))
}

/// Returns the answer to a change after its steps are taken.
pub fn respond_to_transition(
    world: &mut World,
    call: &V2Call<'_>,
    change: &PendingTransition,
    decision: RateDecision,
) -> HttpResponse {
    let response = write::respond_to_transition(world, call, change);
    add_standard_headers(world, add_limit_headers(response, decision))
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

/// Returns the outcome and, except for unknown keys, the limiter's decision.
fn throttle(world: &mut World, call: &V2Call<'_>) -> (HandlerOutcome, Option<RateDecision>) {
    let Some((caller, decision)) = identify_caller(world, call) else {
        let message = "CustomThrottlerGuard - Invalid API Key";
        return (
            call.errors
                .nest_error(NestError::Unauthorized, message)
                .into(),
            None,
        );
    };
    let outcome = if decision.allowed {
        run_guards(world, call, caller)
    } else {
        call.errors.rate_limited().into()
    };
    (outcome, Some(decision))
}

/// Identifies the caller and counts the call; `None` for an unknown key, which is not counted.
fn identify_caller(world: &mut World, call: &V2Call<'_>) -> Option<(Caller, RateDecision)> {
    let Some(header) = call.request.header_value("authorization") else {
        let limit = world.limits.v2;
        return Some((
            Caller::Anonymous,
            world.throttler.hit(bucket_number(""), limit, call.now),
        ));
    };
    let token = header.strip_prefix("Bearer ").unwrap_or(header).trim();
    let Some(bare) = token.strip_prefix(KEY_PREFIX) else {
        let limit = world.limits.v2.map(|limit| RateLimit {
            calls: TOKEN_CALLS,
            ..limit
        });
        let decision = world.throttler.hit(bucket_number(token), limit, call.now);
        return Some((Caller::Token(token.to_owned()), decision));
    };
    let key = world.key(bare)?;
    let limit = key.limit.or(world.limits.v2);
    let expired = key.expires.is_some_and(|at| at <= call.now);
    let user = world.user(key.user).cloned()?;
    let decision = world.throttler.hit(bucket_number(token), limit, call.now);
    let caller = if expired {
        Caller::Expired
    } else {
        Caller::User(user)
    };
    Some((caller, decision))
}

/// Returns the bucket number for a presented text.
fn bucket_number(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Runs the guards of the route, then its handler.
fn run_guards(world: &mut World, call: &V2Call<'_>, caller: Caller) -> HandlerOutcome {
    let errors = &call.errors;
    let strict = matches!(
        call.route.kind,
        Operation::List | Operation::Confirm | Operation::Decline | Operation::MarkAbsent
    );
    let user = match caller {
        Caller::Anonymous if strict => {
            return errors
                .nest_error(NestError::Forbidden, NO_AUTHENTICATION)
                .into();
        }
        Caller::Anonymous if call.route.kind == Operation::Me => {
            return errors.nest_error(NestError::Unauthorized, NO_METHOD).into();
        }
        Caller::Anonymous => None,
        Caller::Token(token) if strict => {
            let text = format!("PermissionsGuard - no oAuth client found for access token={token}");
            return errors.nest_error(NestError::Forbidden, &text).into();
        }
        Caller::Token(_) => {
            let text = "Invalid Access Token.";
            return errors.nest_error(NestError::Unauthorized, text).into();
        }
        Caller::Expired => return errors.nest_error(NestError::Unauthorized, EXPIRED).into(),
        Caller::User(user) => Some(user),
    };
    handle(world, call, user)
}

const NO_AUTHENTICATION: &str = "PermissionsGuard - no authentication provided. Provide either \
    authorization bearer token containing managed user access token or oAuth client id in \
    'x-cal-client-id' header.";
const NO_METHOD: &str = "ApiAuthStrategy - No authentication method provided. Either pass an \
    API key as 'Bearer' header or OAuth client credentials as 'x-cal-secret-key' and \
    'x-cal-client-id' headers";
const EXPIRED: &str = "ApiAuthStrategy - api key - Your api key is expired";

fn handle(world: &mut World, call: &V2Call<'_>, user: Option<User>) -> HandlerOutcome {
    let booking = call.route.booking_in_path().unwrap_or("");
    if booking.contains('\0') {
        return plain_error(500, "Internal server error").into();
    }
    let new = call.request.header_value("cal-api-version") == Some(BOOKINGS_VERSION);
    match (call.route.kind, user) {
        (Operation::Me, Some(user)) => {
            HttpResponse::json(200, &event_types::render_me(&user)).into()
        }
        (Operation::EventTypes, user) => list_event_types(world, call, user).into(),
        (Operation::List, Some(user)) => list_bookings(world, call, &user, new).into(),
        (Operation::Get, user) => get_booking(world, call, booking, user.as_ref(), new).into(),
        (Operation::Confirm, Some(user)) => write::confirm(world, call, booking, &user),
        (Operation::Decline, Some(user)) => write::decline(world, call, booking, &user),
        (Operation::MarkAbsent, Some(user)) => {
            write::mark_absent(world, call, booking, &user).into()
        }
        (Operation::Cancel, user) => write::cancel(world, call, booking, user.as_ref()),
        (Operation::Reschedule, user) => write::reschedule(world, call, booking, user.as_ref()),
        (Operation::Create, _) => write::create(world, call).into(),
        (
            Operation::Me
            | Operation::List
            | Operation::Confirm
            | Operation::Decline
            | Operation::MarkAbsent,
            None,
        )
        | (Operation::Patch | Operation::Other, _) => {
            unreachable!("the router and the guards have refused these")
        }
    }
}

fn list_bookings(world: &World, call: &V2Call<'_>, user: &User, new: bool) -> HttpResponse {
    let params = match V2ListQuery::parse(&call.request.query_pairs()) {
        Ok(params) => params,
        Err(errors) => return call.errors.validation_error(errors),
    };
    let unknown = params.event_types.iter().flatten();
    let mut unknown = unknown.filter(|id| world.event_type(**id).is_none());
    if unknown.next().is_some() {
        let text = "The requested event-types do not exist.";
        return call.errors.trpc_error(400, text);
    }
    if !new {
        return HttpResponse::json(
            200,
            &api_2024_04_15::render_list(world, user, &params, call.now),
        );
    }
    HttpResponse::json(
        200,
        &list_page(world, user, &params, call.now, call.tie_salt),
    )
}

fn get_booking(
    world: &World,
    call: &V2Call<'_>,
    uid: &str,
    user: Option<&User>,
    new: bool,
) -> HttpResponse {
    let booking = world.booking(uid);
    match booking {
        Some(booking) if new => {
            let item = item_for_viewer(world, booking, user);
            HttpResponse::json(200, &success_envelope(&item))
        }
        Some(booking) => HttpResponse::json(200, &api_2024_04_15::render_booking(world, booking)),
        None => {
            let series = world.series(uid);
            if series.is_empty() || !new {
                return booking_not_found(&call.errors, uid);
            }
            let items: Vec<BookingItem<'_>> = series
                .into_iter()
                .map(|one| item_for_viewer(world, one, user))
                .collect();
            HttpResponse::json(200, &success_envelope(&items))
        }
    }
}

/// Returns the booking as this user sees it: strangers do not see the attendees of a seated
/// booking.
fn item_for_viewer<'a>(
    world: &'a World,
    booking: &'a SandboxBooking,
    user: Option<&User>,
) -> BookingItem<'a> {
    let event_type = booking.event_type.and_then(|id| world.event_type(id));
    let seated = event_type.is_some_and(|of| of.seats.is_some());
    let item = BookingItem::new(world, booking);
    if seated && !user.is_some_and(|user| world.may_answer(user, booking)) {
        return item.without_attendees();
    }
    item
}

fn list_event_types(world: &World, call: &V2Call<'_>, user: Option<User>) -> HttpResponse {
    let requested_id = call.route.parts.get(1);
    let mut owned = world
        .event_types()
        .iter()
        .filter(|of| user.as_ref().is_some_and(|user| of.owner == user.id));
    match requested_id {
        None => {
            let items: Vec<Value> = owned
                .map(|of| event_types::render_event_type(world, of))
                .collect();
            HttpResponse::json(200, &success_envelope(&items))
        }
        Some(id) => match owned.find(|of| of.id.to_string() == *id) {
            Some(of) => HttpResponse::json(
                200,
                &success_envelope(&event_types::render_event_type(world, of)),
            ),
            None => {
                let text = format!("Event type with id {id} not found");
                call.errors.nest_error(NestError::NotFound, &text)
            }
        },
    }
}

fn add_limit_headers(response: HttpResponse, decision: RateDecision) -> HttpResponse {
    response
        .with_header("X-RateLimit-Limit-Default", decision.limit.to_string())
        .with_header(
            "X-RateLimit-Remaining-Default",
            decision.remaining.to_string(),
        )
        .with_header("X-RateLimit-Reset-Default", decision.reset.to_string())
}

/// The headers that a real server adds to every answer.
const HELMET: [(&str, &str); 13] = [
    (
        "Content-Security-Policy",
        "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';\
         frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';\
         script-src-attr 'none';style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
    ),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Origin-Agent-Cluster", "?1"),
    ("Referrer-Policy", "no-referrer"),
    (
        "Strict-Transport-Security",
        "max-age=15552000; includeSubDomains",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-DNS-Prefetch-Control", "off"),
    ("X-Download-Options", "noopen"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("X-Permitted-Cross-Domain-Policies", "none"),
    ("X-XSS-Protection", "0"),
    ("Access-Control-Allow-Origin", "*"),
];

fn add_helmet_headers(mut response: HttpResponse) -> HttpResponse {
    for (name, value) in HELMET {
        response = response.with_header(name, value);
    }
    response
}

/// Returns the body if it claims to be JSON and is valid.
pub fn json_body(request: &HttpRequest) -> Option<Value> {
    if request.body.is_empty() || !request.is_json() {
        return None;
    }
    serde_json::from_slice(&request.body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    use crate::domain::time::{Span, Time};
    use crate::sandbox::handler::handle as answered;
    use crate::sandbox::model::{SandboxEventType, SandboxStatus};

    fn now() -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
    }

    /// Returns a world with a host with a single booking, a series and a seated booking, all
    /// pending, and their uids.
    fn world() -> (World, String, String, String) {
        let mut world = World::new();
        world.add_user(12, "Ada Host", "ada@example.org");
        world.add_key(12, "cal_ada");
        world.add_user(13, "Rex Other", "rex@example.net");
        world.add_key(13, "cal_rex");
        let lesson = world.add_event_type(SandboxEventType::new(12, "lesson"));
        let mut event_type = SandboxEventType::new(12, "circle");
        event_type.occurrences = Some(3);
        let circle = world.add_event_type(event_type);
        let mut event_type = SandboxEventType::new(12, "table");
        event_type.seats = Some(4);
        let table = world.add_event_type(event_type);
        let start = now() + Span::days(2);
        let single = world.request(now(), lesson, "bo@example.com", start);
        let uids = world.request_series(now(), circle, "bo@example.com", start, 3);
        let series = world.booking(&uids[0]).unwrap().series.clone().unwrap();
        let seated = world.request(now(), table, "bo@example.com", start);
        (world, single, series, seated)
    }

    fn call(world: &mut World, method: &str, path: &str, key: &str, body: &Value) -> HttpResponse {
        call_with_version(world, method, path, key, BOOKINGS_VERSION, body)
    }

    fn call_with_version(
        world: &mut World,
        method: &str,
        path: &str,
        key: &str,
        version: &str,
        body: &Value,
    ) -> HttpResponse {
        let mut request = HttpRequest::new(method, path).with_header("cal-api-version", version);
        if !key.is_empty() {
            request = request.with_header("Authorization", &format!("Bearer {key}"));
        }
        if !body.is_null() {
            request = request.with_header("Content-Type", "application/json");
            request = request.with_body(body.to_string().into_bytes());
        }
        answered(world, now(), &request).response
    }

    #[test]
    fn calls_that_were_not_recorded_answer_as_described() {
        let (mut world, single, series, _) = world();
        let path = |what: &str| format!("/v2/bookings/{single}/{what}");
        let of_series = format!("/v2/bookings/{series}/cancel");
        let reason = json!({"cancellationReason": "ill"});
        let host = json!({"host": true});
        let no_body = Value::Null;
        let nowhere = "/v2/bookings/none/mark-absent".to_owned();
        // method, path, key, body, status, part of the answer
        let rows = [
            (
                "GET",
                "/v2/me".to_owned(),
                "cal_ada",
                &no_body,
                200,
                "ada@example.org",
            ),
            (
                "GET",
                "/v2/me".to_owned(),
                "",
                &no_body,
                401,
                "ApiAuthStrategy",
            ),
            (
                "GET",
                "/v2/me".to_owned(),
                "token",
                &no_body,
                401,
                "Invalid Access Token",
            ),
            (
                "POST",
                path("mark-absent"),
                "",
                &host,
                403,
                "PermissionsGuard",
            ),
            (
                "POST",
                path("mark-absent"),
                "cal_ada",
                &host,
                400,
                "after their scheduled start",
            ),
            ("POST", nowhere, "cal_ada", &host, 404, "not found."),
            (
                "POST",
                path("mark-absent"),
                "cal_rex",
                &host,
                400,
                "after their scheduled start",
            ),
            (
                "POST",
                path("cancel"),
                "cal_ada",
                &no_body,
                400,
                "reason is required",
            ),
            (
                "POST",
                path("cancel"),
                "",
                &json!({"why": 1}),
                400,
                "why property is wrong",
            ),
            (
                "POST",
                path("reschedule"),
                "",
                &json!({"start": "soon"}),
                400,
                "ISO 8601",
            ),
            (
                "POST",
                of_series.clone(),
                "cal_ada",
                &reason,
                200,
                "\"cancelled\"",
            ),
            (
                "POST",
                of_series,
                "cal_ada",
                &reason,
                400,
                "cancelled already",
            ),
        ];
        for (method, path, key, body, status, part) in rows {
            let got = call(&mut world, method, &path, key, body);
            let text = String::from_utf8(got.body).unwrap();
            assert_eq!(got.status, status, "{method} {path}: {text}");
            assert!(text.contains(part), "{method} {path}: {text}");
        }
        let off = world
            .series(&series)
            .iter()
            .all(|one| one.status == SandboxStatus::Cancelled);
        assert!(off, "what remained of the series");
    }

    #[test]
    fn seated_bookings_hide_their_attendees_from_strangers() {
        let (mut world, _, _, seated) = world();
        let path = format!("/v2/bookings/{seated}");
        for (key, visible_attendees) in [("", 0), ("cal_rex", 0), ("cal_ada", 1)] {
            let got = call(&mut world, "GET", &path, key, &Value::Null).value();
            let attendees = got["data"]["attendees"].as_array().unwrap().len();
            assert_eq!(attendees, visible_attendees, "with `{key}`");
            assert!(got["data"].get("bookingFieldsResponses").is_none());
        }
        let list = call(&mut world, "GET", "/v2/bookings", "cal_ada", &Value::Null).value();
        let rows = list["data"].as_array().unwrap();
        let row = rows.iter().find(|row| row["uid"] == *seated).unwrap();
        assert!(row["attendees"][0]["seatUid"].is_string());
    }

    #[test]
    fn event_types_want_their_own_version() {
        let (mut world, ..) = world();
        let path = "/v2/event-types";
        let get = |world: &mut World, path: &str, key: &str, version: &str| {
            call_with_version(world, "GET", path, key, version, &Value::Null)
        };
        let all = get(&mut world, path, "cal_ada", EVENT_TYPES_VERSION).value();
        assert_eq!(all["data"].as_array().unwrap().len(), 3);
        assert_eq!(all["data"][0]["confirmationPolicy"]["type"], "always");
        let none = get(&mut world, path, "cal_rex", EVENT_TYPES_VERSION).value();
        assert_eq!(none["data"], json!([]));
        assert_eq!(
            get(&mut world, path, "cal_ada", BOOKINGS_VERSION).status,
            404
        );
        let one = get(
            &mut world,
            "/v2/event-types/2",
            "cal_ada",
            EVENT_TYPES_VERSION,
        )
        .value();
        assert_eq!(one["data"]["recurrence"]["occurrences"], 3);
        let missing = get(
            &mut world,
            "/v2/event-types/9",
            "cal_ada",
            EVENT_TYPES_VERSION,
        );
        assert_eq!(missing.status, 404);
    }

    #[test]
    fn a_series_is_made_as_a_list() {
        let (mut world, ..) = world();
        let body = json!({"start": "2026-12-20T10:00:00Z", "eventTypeId": 2,
            "recurrenceCount": 2, "attendee": {"name": "Al", "email": "al@example.com"}});
        let made = call(&mut world, "POST", "/v2/bookings", "", &body);
        assert_eq!(made.status, 201);
        let rows = made.value()["data"].as_array().unwrap().clone();
        assert_eq!(rows.len(), 2);
        assert_eq!(
            rows[0]["recurringBookingUid"],
            rows[1]["recurringBookingUid"]
        );
        assert_eq!(rows[1]["start"], "2026-12-27T10:00:00.000Z");
    }
}
