//! One v2 request to one answer: body parser, router, throttler, guards and handler, in the order
//! in which a real server runs them, since the order decides which error a fault gives.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::error::{Errors, Nest, raw};
use super::item::Item;
use super::list::page;
use super::params::Params;
use super::{older, types, write};
use crate::domain::time::Time;
use crate::sandbox::call::{Outcome, Request, Response, Route};
use crate::sandbox::change::Change;
use crate::sandbox::journal::Operation;
use crate::sandbox::limit::{Limit, TOKEN_CALLS, Verdict};
use crate::sandbox::model::{Booking, KEY_PREFIX, User};
use crate::sandbox::world::World;

/// The version whose booking shapes `calcom/api.md` describes. Any other gives the older ones.
pub const BOOKINGS_VERSION: &str = "2024-08-13";
/// The only version that has event types here.
const EVENT_TYPES_VERSION: &str = "2024-06-14";

/// Who calls, as far as the throttler could tell.
#[derive(Debug, Clone)]
pub enum Caller {
    Nobody,
    User(User),
    Expired,
    /// A bearer token that is no key. Errors repeat it, as the real ones do.
    Token(String),
}

/// What a handler works with.
pub struct Call<'a> {
    pub now: Time,
    pub request: &'a Request,
    pub route: &'a Route,
    pub errors: Errors,
    pub body: Option<Value>,
    /// False where the state check counts as passed (a race).
    pub checked: bool,
    /// How rows of equal sort key are ordered; `None`: by id.
    pub ties: Option<u64>,
}

/// What a request comes to first: an answer, or a change and what its answer is to say of the
/// limit.
pub enum Begun {
    Answered(Response),
    Changing(Change, Verdict),
}

/// Takes a request up to its answer or to the change that it asks for.
pub fn begin(world: &mut World, call: &Call<'_>) -> Begun {
    let errors = &call.errors;
    let response = match unreadable(call) {
        Some(refused) => refused,
        None if !routed(call) => {
            let message = format!("Cannot {} {}", call.request.method, errors.path());
            errors.nest(Nest::NotFound, &message)
        }
        None => match throttled(world, call) {
            (Outcome::Changing(change), Some(verdict)) => return Begun::Changing(change, verdict),
            (Outcome::Answered(response), Some(verdict)) => with_limit(response, verdict),
            (Outcome::Answered(response), None) => response,
            (Outcome::Changing(_), None) => unreachable!("unknown keys change nothing"),
        },
    };
    Begun::Answered(sent(world, response))
}

/// The answer to a change whose steps are taken.
pub fn changed(world: &mut World, call: &Call<'_>, change: &Change, verdict: Verdict) -> Response {
    let response = write::changed(world, call, change);
    sent(world, with_limit(response, verdict))
}

fn sent(world: &mut World, response: Response) -> Response {
    let id = world.uuid();
    with_helmet(response).with("X-Request-Id", id)
}

/// What the guard of the rate limit answers while its store is down, in the server's own shape.
pub fn database_down(world: &mut World, errors: &Errors) -> Response {
    let id = world.uuid();
    with_helmet(errors.database_down()).with("X-Request-Id", id)
}

/// 429 whatever the counters say.
pub fn limited(world: &mut World, errors: &Errors, reset: u32) -> Response {
    let verdict = Verdict {
        allowed: false,
        limit: 120,
        remaining: 0,
        reset: i64::from(reset),
    };
    let id = world.uuid();
    with_helmet(with_limit(errors.throttled(), verdict)).with("X-Request-Id", id)
}

/// A body that says it is JSON and is not never reaches a guard.
fn unreadable(call: &Call<'_>) -> Option<Response> {
    let given = call.request.is_json() && !call.request.body.is_empty();
    if !given || call.body.is_some() {
        return None;
    }
    let message = "Expected property name or '}' in JSON at position 1";
    Some(call.errors.nest(Nest::BadRequest, message))
}

/// Whether any controller of the asked version has such a route.
fn routed(call: &Call<'_>) -> bool {
    let version = call.request.get("cal-api-version").unwrap_or("");
    let new = version == BOOKINGS_VERSION;
    match call.route.kind {
        Operation::Me | Operation::List | Operation::Get | Operation::Cancel => true,
        Operation::EventTypes => version == EVENT_TYPES_VERSION,
        Operation::Confirm | Operation::Decline | Operation::MarkAbsent | Operation::Reschedule | Operation::Create => new,
        Operation::Patch | Operation::Other => false,
    }
}

/// The outcome and, for everything but unknown keys, what the limiter said.
fn throttled(world: &mut World, call: &Call<'_>) -> (Outcome, Option<Verdict>) {
    let Some((caller, verdict)) = caller(world, call) else {
        let message = "CustomThrottlerGuard - Invalid API Key";
        return (call.errors.nest(Nest::Unauthorized, message).into(), None);
    };
    let outcome = if verdict.allowed {
        guarded(world, call, caller)
    } else {
        call.errors.throttled().into()
    };
    (outcome, Some(verdict))
}

/// Who presents what, counted; `None` for an unknown key, which is not.
fn caller(world: &mut World, call: &Call<'_>) -> Option<(Caller, Verdict)> {
    let Some(header) = call.request.get("authorization") else {
        let limit = world.limits.v2;
        return Some((
            Caller::Nobody,
            world.throttler.hit(bucket(""), limit, call.now),
        ));
    };
    let token = header.strip_prefix("Bearer ").unwrap_or(header).trim();
    let Some(bare) = token.strip_prefix(KEY_PREFIX) else {
        let limit = world.limits.v2.map(|limit| Limit {
            calls: TOKEN_CALLS,
            ..limit
        });
        let verdict = world.throttler.hit(bucket(token), limit, call.now);
        return Some((Caller::Token(token.to_owned()), verdict));
    };
    let key = world.key(bare)?;
    let limit = key.limit.or(world.limits.v2);
    let expired = key.expires.is_some_and(|at| at <= call.now);
    let user = world.user(key.user).cloned()?;
    let verdict = world.throttler.hit(bucket(token), limit, call.now);
    let caller = if expired {
        Caller::Expired
    } else {
        Caller::User(user)
    };
    Some((caller, verdict))
}

/// A number for whoever presents this text.
fn bucket(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The guards of each route, then its handler.
fn guarded(world: &mut World, call: &Call<'_>, caller: Caller) -> Outcome {
    let errors = &call.errors;
    let strict = matches!(
        call.route.kind,
        Operation::List | Operation::Confirm | Operation::Decline | Operation::MarkAbsent
    );
    let user = match caller {
        Caller::Nobody if strict => {
            return errors.nest(Nest::Forbidden, NO_AUTHENTICATION).into();
        }
        Caller::Nobody if call.route.kind == Operation::Me => {
            return errors.nest(Nest::Unauthorized, NO_METHOD).into();
        }
        Caller::Nobody => None,
        Caller::Token(token) if strict => {
            let text = format!("PermissionsGuard - no oAuth client found for access token={token}");
            return errors.nest(Nest::Forbidden, &text).into();
        }
        Caller::Token(_) => {
            let text = "Invalid Access Token.";
            return errors.nest(Nest::Unauthorized, text).into();
        }
        Caller::Expired => return errors.nest(Nest::Unauthorized, EXPIRED).into(),
        Caller::User(user) => Some(user),
    };
    handled(world, call, user)
}

const NO_AUTHENTICATION: &str = "PermissionsGuard - no authentication provided. Provide either \
    authorization bearer token containing managed user access token or oAuth client id in \
    'x-cal-client-id' header.";
const NO_METHOD: &str = "ApiAuthStrategy - No authentication method provided. Either pass an \
    API key as 'Bearer' header or OAuth client credentials as 'x-cal-secret-key' and \
    'x-cal-client-id' headers";
const EXPIRED: &str = "ApiAuthStrategy - api key - Your api key is expired";

fn handled(world: &mut World, call: &Call<'_>, user: Option<User>) -> Outcome {
    let named = call.route.named().unwrap_or("");
    if named.contains('\0') {
        return raw(500, "Internal server error").into();
    }
    let new = call.request.get("cal-api-version") == Some(BOOKINGS_VERSION);
    match (call.route.kind, user) {
        (Operation::Me, Some(user)) => Response::json(200, &types::me(&user)).into(),
        (Operation::EventTypes, user) => event_types(world, call, user).into(),
        (Operation::List, Some(user)) => list(world, call, &user, new).into(),
        (Operation::Get, user) => get(world, call, named, user.as_ref(), new).into(),
        (Operation::Confirm, Some(user)) => write::confirm(world, call, named, &user),
        (Operation::Decline, Some(user)) => write::decline(world, call, named, &user),
        (Operation::MarkAbsent, Some(user)) => write::mark_absent(world, call, named, &user).into(),
        (Operation::Cancel, user) => write::cancel(world, call, named, user.as_ref()),
        (Operation::Reschedule, user) => write::reschedule(world, call, named, user.as_ref()),
        (Operation::Create, _) => write::create(world, call).into(),
        (Operation::Me | Operation::List | Operation::Confirm | Operation::Decline | Operation::MarkAbsent, None)
        | (Operation::Patch | Operation::Other, _) => {
            unreachable!("the router and the guards have refused these")
        }
    }
}

fn list(world: &World, call: &Call<'_>, user: &User, new: bool) -> Response {
    let params = match Params::parse(&call.request.pairs()) {
        Ok(params) => params,
        Err(errors) => return call.errors.invalid(errors),
    };
    let unknown = params.event_types.iter().flatten();
    let mut unknown = unknown.filter(|id| world.event_type(**id).is_none());
    if unknown.next().is_some() {
        let text = "The requested event-types do not exist.";
        return call.errors.trpc(400, text);
    }
    if !new {
        return Response::json(200, &older::list(world, user, &params, call.now));
    }
    Response::json(200, &page(world, user, &params, call.now, call.ties))
}

fn get(world: &World, call: &Call<'_>, uid: &str, user: Option<&User>, new: bool) -> Response {
    let booking = world.booking(uid);
    match booking {
        Some(booking) if new => {
            let item = seen(world, booking, user);
            Response::json(200, &json_data(&item))
        }
        Some(booking) => Response::json(200, &older::one(world, booking)),
        None => {
            let series = world.series(uid);
            if series.is_empty() || !new {
                return not_found(&call.errors, uid);
            }
            let items: Vec<Item<'_>> = series
                .into_iter()
                .map(|one| seen(world, one, user))
                .collect();
            Response::json(200, &json_data(&items))
        }
    }
}

/// Strangers do not see who sits in a seated booking.
fn seen<'a>(world: &'a World, booking: &'a Booking, user: Option<&User>) -> Item<'a> {
    let of = booking.event_type.and_then(|id| world.event_type(id));
    let seated = of.is_some_and(|of| of.seats.is_some());
    let item = Item::of(world, booking);
    if seated && !user.is_some_and(|user| world.may_answer(user, booking)) {
        return item.without_attendees();
    }
    item
}

fn event_types(world: &World, call: &Call<'_>, user: Option<User>) -> Response {
    let one = call.route.parts.get(1);
    let mut shown = world
        .event_types()
        .iter()
        .filter(|of| user.as_ref().is_some_and(|user| of.owner == user.id));
    match one {
        None => {
            let all: Vec<Value> = shown.map(|of| types::event_type(world, of)).collect();
            Response::json(200, &json_data(&all))
        }
        Some(id) => match shown.find(|of| of.id.to_string() == *id) {
            Some(of) => Response::json(200, &json_data(&types::event_type(world, of))),
            None => {
                let text = format!("Event type with id {id} not found");
                call.errors.nest(Nest::NotFound, &text)
            }
        },
    }
}

/// The 404 of reads, confirm and decline.
pub fn not_found(errors: &Errors, uid: &str) -> Response {
    let text = format!("Booking with uid={uid} was not found in the database");
    errors.nest(Nest::NotFound, &text)
}

/// The envelope of a success.
pub fn json_data<T: serde::Serialize>(data: &T) -> impl serde::Serialize + '_ {
    #[derive(serde::Serialize)]
    struct Success<'a, T> {
        status: &'static str,
        data: &'a T,
    }
    Success {
        status: "success",
        data,
    }
}

fn with_limit(response: Response, verdict: Verdict) -> Response {
    response
        .with("X-RateLimit-Limit-Default", verdict.limit.to_string())
        .with(
            "X-RateLimit-Remaining-Default",
            verdict.remaining.to_string(),
        )
        .with("X-RateLimit-Reset-Default", verdict.reset.to_string())
}

/// The headers that a real server puts on everything.
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

fn with_helmet(mut response: Response) -> Response {
    for (name, value) in HELMET {
        response = response.with(name, value);
    }
    response
}

/// What the body holds, where it says that it is JSON (or says nothing of the kind).
pub fn body_of(request: &Request) -> Option<Value> {
    if request.body.is_empty() || !request.is_json() {
        return None;
    }
    serde_json::from_slice(&request.body).ok()
}

/// Only for messages: the body's known fields as a validation error shows them.
pub fn shown(body: &Value, field: &str) -> Value {
    json!({ field: body[field].clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Span;
    use crate::sandbox::answer::answer as answered;
    use crate::sandbox::model::{EventType, Status};

    fn now() -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
    }

    /// A host with a single booking, a series and a seated booking, all pending; their uids.
    fn world() -> (World, String, String, String) {
        let mut world = World::new();
        world.add_user(12, "Ada Host", "ada@example.org");
        world.add_key(12, "cal_ada");
        world.add_user(13, "Rex Other", "rex@example.net");
        world.add_key(13, "cal_rex");
        let lesson = world.add_event_type(EventType::new(12, "lesson"));
        let mut of = EventType::new(12, "circle");
        of.occurrences = Some(3);
        let circle = world.add_event_type(of);
        let mut of = EventType::new(12, "table");
        of.seats = Some(4);
        let table = world.add_event_type(of);
        let start = now() + Span::days(2);
        let single = world.request(now(), lesson, "bo@example.com", start);
        let uids = world.request_series(now(), circle, "bo@example.com", start, 3);
        let series = world.booking(&uids[0]).unwrap().series.clone().unwrap();
        let seated = world.request(now(), table, "bo@example.com", start);
        (world, single, series, seated)
    }

    fn call(world: &mut World, method: &str, path: &str, key: &str, body: &Value) -> Response {
        call_as(world, method, path, key, BOOKINGS_VERSION, body)
    }

    fn call_as(
        world: &mut World,
        method: &str,
        path: &str,
        key: &str,
        version: &str,
        body: &Value,
    ) -> Response {
        let mut request = Request::new(method, path).header("cal-api-version", version);
        if !key.is_empty() {
            request = request.header("Authorization", &format!("Bearer {key}"));
        }
        if !body.is_null() {
            request = request.header("Content-Type", "application/json");
            request = request.body(body.to_string().into_bytes());
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
            .all(|one| one.status == Status::Cancelled);
        assert!(off, "what remained of the series");
    }

    #[test]
    fn seated_bookings_hide_their_people_from_strangers() {
        let (mut world, _, _, seated) = world();
        let path = format!("/v2/bookings/{seated}");
        for (key, seen) in [("", 0), ("cal_rex", 0), ("cal_ada", 1)] {
            let got = call(&mut world, "GET", &path, key, &Value::Null).value();
            let people = got["data"]["attendees"].as_array().unwrap().len();
            assert_eq!(people, seen, "with `{key}`");
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
            call_as(world, "GET", path, key, version, &Value::Null)
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
