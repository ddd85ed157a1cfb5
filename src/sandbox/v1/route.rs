//! One v1 request to one answer: router, body parser, licence, key, lock, limiter, method and
//! handler, in the order in which a real server runs them.

use serde_json::{Value, json};

use super::list::{self, Unfit};
use super::{item, write};
use crate::domain::time::Time;
use crate::sandbox::call::{Outcome, Request, Response, Route};
use crate::sandbox::change::Change;
use crate::sandbox::journal::Operation;
use crate::sandbox::limit::Verdict;
use crate::sandbox::model::{KEY_PREFIX, Role, User};
use crate::sandbox::world::World;

/// Why a handler said no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// 403: another host's, or no such booking; the two look alike.
    NotYours,
    /// A message with the status that it comes with.
    Said(u16, String),
    /// 500 without a trace id.
    FellOver,
}

impl Denied {
    pub fn schema(text: &str) -> Self {
        Denied::Said(400, text.to_owned())
    }
}

/// What a handler gives.
pub type Handled = Result<Outcome, Denied>;

/// What a handler works with.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub now: Time,
    pub request: &'a Request,
    pub route: &'a Route,
    /// A cancel that had passed its state check before another one.
    pub raced: bool,
}

/// What an answer that got past the key check says of its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    verdict: Verdict,
    trace: String,
    id: String,
}

/// What a request comes to first: an answer, or a change and what its answer is to be sealed with.
pub enum Begun {
    Answered(Response),
    Changing(Change, Seal),
}

/// Takes a request up to its answer or to the change that it asks for.
pub fn begin(world: &mut World, call: Call<'_>) -> Begun {
    let user = match admitted(world, call) {
        Ok(user) => user,
        Err(refused) => return Begun::Answered(refused),
    };
    let (request, route) = (call.request, call.route);
    let parts: Vec<&str> = route.parts.iter().map(String::as_str).collect();
    let allowed = allowed(&parts).expect("the router has let this route pass");
    let cost = if route.kind == Operation::List { 2 } else { 1 };
    let limit = world.limits.v1;
    let (verdict, locks) = world.user_limiter.hit(user.id, cost, limit, call.now);
    if locks {
        world
            .lock(user.id, true)
            .expect("the user whose key was just found");
    }
    let seal = Seal {
        verdict,
        trace: format!("trace_{}", world.uid()),
        id: world.uid(),
    };
    let response = if !verdict.allowed {
        over(call.now, verdict)
    } else if request.method == "OPTIONS" {
        Response::empty(200)
    } else if !allowed.contains(&request.method.as_str()) {
        let text = format!("Method Not Allowed (Allow: {})", allowed.join(","));
        Response::json(405, &json!({ "message": text }))
    } else {
        match handled(world, call, &user) {
            Ok(Outcome::Changing(change)) => return Begun::Changing(change, seal),
            Ok(Outcome::Answered(response)) => traced(Ok(response), seal.trace.clone()),
            Err(denied) => traced(Err(denied), seal.trace.clone()),
        }
    };
    Begun::Answered(dressed(response, &seal))
}

/// The answer to a change whose steps are taken.
pub fn changed(world: &World, change: &Change, seal: &Seal) -> Response {
    let handled = write::changed(world, change);
    dressed(traced(handled, seal.trace.clone()), seal)
}

/// Everything up to the key: whose call it is, or the answer to what gets no further.
fn admitted(world: &World, call: Call<'_>) -> Result<User, Response> {
    let Call {
        now,
        request,
        route,
        ..
    } = call;
    let parts: Vec<&str> = route.parts.iter().map(String::as_str).collect();
    if parts.is_empty() {
        let text = "Welcome to Cal.com API - docs are at https://developer.cal.com/api";
        return Err(plain(json!({ "message": text }), 200));
    }
    if request.path.len() > 1 && request.path.ends_with('/') {
        return Err(without_slash(request));
    }
    if parts.last().is_some_and(|last| last.starts_with('_')) {
        let body = br#"{"message":"Forbidden"}"#.to_vec();
        return Err(Response::empty(403).typed("application/json", body));
    }
    if allowed(&parts).is_none() {
        return Err(not_found());
    }
    let broken = request.is_json()
        && !request.body.is_empty()
        && serde_json::from_slice::<Value>(&request.body).is_err();
    if broken {
        return Err(Response {
            reason: Some("Invalid JSON"),
            body: b"Invalid JSON".to_vec(),
            ..Response::empty(400)
        });
    }
    authenticated(world, now, request)
}

/// 500 as from a database that cannot be reached, even without a key; `/v1` itself still answers.
pub fn database_down() -> Response {
    plain(json!({"message": "Something went wrong"}), 500)
}

/// 429 whatever the counters say.
pub fn limited(now: Time, reset: u32) -> Response {
    let verdict = Verdict {
        allowed: false,
        limit: 30,
        remaining: 0,
        reset: now.timestamp_millis() + i64::from(reset) * 1000,
    };
    let seal = Seal {
        verdict,
        trace: String::new(),
        id: "refused".to_owned(),
    };
    dressed(over(now, verdict), &seal)
}

/// The methods of a route; `None` where there is no such route.
fn allowed(parts: &[&str]) -> Option<&'static [&'static str]> {
    match parts {
        ["me"] => Some(&["GET"]),
        ["event-types"] | ["bookings"] => Some(&["GET", "POST"]),
        ["event-types", _] | ["bookings", _] => Some(&["GET", "PATCH", "DELETE"]),
        ["bookings", _, "cancel"] => Some(&["DELETE"]),
        _ => None,
    }
}

/// Licence, key and lock.
fn authenticated(world: &World, now: Time, request: &Request) -> Result<User, Response> {
    if world.quirks.licence_missing {
        let text = "Invalid or missing CALCOM_LICENSE_KEY environment variable";
        return Err(plain(json!({ "message": text }), 401));
    }
    let keys = request.values("apiKey");
    let key = match keys.as_slice() {
        [] => "",
        [one] => one,
        // Given twice, it is a list to the framework, and no key is a list.
        [_, ..] => "\0",
    };
    if key.is_empty() {
        return Err(plain(json!({"message": "No apiKey provided"}), 401));
    }
    let bare = key.strip_prefix(KEY_PREFIX).unwrap_or(key);
    let found = world.key(bare);
    let Some((key, user)) = found.and_then(|key| Some((key, world.user(key.user)?))) else {
        return Err(plain(json!({"error": "Your API key is not valid."}), 401));
    };
    // A key is good to the end of the day that it expires on.
    let expired = |at: Time| at.date_naive() < now.date_naive();
    if key.expires.is_some_and(expired) {
        return Err(plain(json!({"error": "This API key is expired."}), 401));
    }
    if user.locked {
        let text = "You are not authorized to perform this request.";
        return Err(plain(json!({ "error": text }), 403));
    }
    Ok(user.clone())
}

fn handled(world: &mut World, call: Call<'_>, user: &User) -> Handled {
    let Call {
        now,
        request,
        route,
        ..
    } = call;
    match route.kind {
        Operation::Me => Ok(Response::json(200, &item::me(user)).into()),
        Operation::EventTypes => event_types(world, request, route, user),
        Operation::List => match list::answer(world, now, request, user) {
            Ok(response) => Ok(response.into()),
            Err(Unfit::Schema(text)) => Err(Denied::Said(400, text)),
            Err(Unfit::FellOver) => Err(Denied::FellOver),
        },
        Operation::Get => {
            let uid = named(world, route, user, "Booking not found")?;
            get(world, request, &uid)
        }
        Operation::Confirm | Operation::Decline | Operation::Patch => {
            let uid = named(world, route, user, UNKNOWN_ROW)?;
            write::patch(world, call, user, &uid)
        }
        Operation::Cancel => {
            let long = route.parts.len() > 2;
            let uid = named(world, route, user, UNKNOWN_ROW);
            // The long spelling checks access in a place whose errors nobody catches.
            let uid = uid.map_err(|denied| match (long, user.role) {
                (true, Role::User) => Denied::FellOver,
                (true, Role::Admin) | (false, _) => denied,
            })?;
            write::cancel(world, call, user, &uid)
        }
        Operation::Reschedule | Operation::MarkAbsent | Operation::Create | Operation::Other => {
            // Making bookings and event types through v1 is not rehearsed here.
            Err(Denied::Said(501, "not part of the sandbox".to_owned()))
        }
    }
}

/// What a query for a row that is not there, or a number beyond 32 bits, comes to.
const UNKNOWN_ROW: &str = "An error occurred while querying the database.";

/// The uid of the booking that the path names by number, if the user may see it. `missing` is the
/// message of the 404 that administrators get.
fn named(world: &World, route: &Route, user: &User, missing: &str) -> Result<String, Denied> {
    let text = route.named().unwrap_or("");
    let Ok(number) = text.parse::<f64>() else {
        let text = "invalid_type in 'id': Expected number, received nan";
        return Err(Denied::schema(text));
    };
    if number.abs() > f64::from(i32::MAX) {
        return Err(Denied::schema(UNKNOWN_ROW));
    }
    let booking = text.parse().ok().and_then(|id| world.booking_by_id(id));
    match (booking, user.role) {
        (Some(booking), Role::Admin) => Ok(booking.uid.clone()),
        (Some(booking), Role::User)
            if world.may_answer(user, booking) || booking.attended_by(&user.email) =>
        {
            Ok(booking.uid.clone())
        }
        (None, Role::Admin) => Err(Denied::Said(404, missing.to_owned())),
        (Some(_) | None, Role::User) => Err(Denied::NotYours),
    }
}

fn get(world: &World, request: &Request, uid: &str) -> Handled {
    let booking = world.booking(uid).ok_or(Denied::NotYours)?;
    if let Some(odd) = list::unfit(booking) {
        return Err(Denied::schema(&odd));
    }
    let expand = request.values("expand").iter().any(|one| one == "team");
    let item = item::full(world, booking, expand);
    Ok(Response::json(200, &json!({ "booking": item })).into())
}

fn event_types(world: &World, request: &Request, route: &Route, user: &User) -> Handled {
    if let Some(id) = route.parts.get(1) {
        let of = id.parse().ok().and_then(|id| world.event_type(id));
        let of = of.ok_or(Denied::Said(404, "Event type not found".to_owned()))?;
        if of.owner != user.id && user.role == Role::User {
            return Err(Denied::Said(403, "Forbidden".to_owned()));
        }
        let shown = item::event_type(world, of);
        return Ok(Response::json(200, &json!({ "event_type": shown })).into());
    }
    if !request.values("userId").is_empty() && user.role == Role::User {
        return Err(Denied::Said(401, "ADMIN required".to_owned()));
    }
    let slugs = request.values("slug");
    let shown = world
        .event_types()
        .iter()
        .filter(|of| of.owner == user.id && slugs.first().is_none_or(|slug| of.slug == *slug));
    let shown: Vec<Value> = shown.map(|of| item::event_type(world, of)).collect();
    Ok(Response::json(200, &json!({ "event_types": shown })).into())
}

/// A handler's answer with the trace id that it carries.
fn traced(handled: Result<Response, Denied>, trace: String) -> Response {
    let (status, message) = match handled {
        Ok(response) => return response.with("X-Trace-Id", trace),
        Err(Denied::FellOver) => {
            return Response::json(500, &json!({"message": "Something went wrong"}));
        }
        Err(Denied::NotYours) => (403, "You are not authorized".to_owned()),
        Err(Denied::Said(status, message)) => (status, message),
    };
    let body = json!({"message": message, "data": {"traceId": trace}});
    Response::json(status, &body).with("X-Trace-Id", trace)
}

fn over(now: Time, verdict: Verdict) -> Response {
    let reset = chrono::DateTime::from_timestamp_millis(verdict.reset).unwrap_or(now);
    let left = (reset - now).num_seconds();
    let text = format!("Rate limit exceeded. Try again in {left} seconds.");
    Response::json(429, &json!({ "message": text }))
}

/// The headers of answers that got past the key check.
fn dressed(response: Response, seal: &Seal) -> Response {
    let verdict = seal.verdict;
    const HEADERS: &str = "X-CSRF-Token, X-Requested-With, Accept, Accept-Version, Content-Length, \
        Content-MD5, Content-Type, Date, X-Api-Version, Content-Type, api_key, Authorization";
    response
        .with("X-RateLimit-Limit", verdict.limit.to_string())
        .with("X-RateLimit-Remaining", verdict.remaining.to_string())
        .with("X-RateLimit-Reset", verdict.reset.to_string())
        .with("Calcom-Response-ID", seal.id.clone())
        .with("Access-Control-Allow-Credentials", "true")
        .with("Access-Control-Allow-Origin", "*")
        .with(
            "Access-Control-Allow-Methods",
            "GET, OPTIONS, PATCH, DELETE, POST, PUT",
        )
        .with("Access-Control-Allow-Headers", HEADERS)
        .with("Vary", "Accept-Encoding")
}

fn plain(body: Value, status: u16) -> Response {
    Response::json(status, &body).with("Vary", "Accept-Encoding")
}

/// A trailing slash is sent to the address without it, key and all.
fn without_slash(request: &Request) -> Response {
    let mut target = request.path.trim_end_matches('/').to_owned();
    if !request.query.is_empty() {
        target = format!("{target}?{}", request.query);
    }
    Response {
        body: target.clone().into_bytes(),
        ..Response::empty(308)
    }
    .with("Refresh", format!("0;url={target}"))
    .with("Location", target)
}

fn not_found() -> Response {
    let page = "<!DOCTYPE html><html><head><title>404: This page could not be found</title></head>\
        <body><h1>404</h1><h2>This page could not be found.</h2></body></html>";
    Response::html(404, page)
        .with(
            "Cache-Control",
            "private, no-cache, no-store, max-age=0, must-revalidate",
        )
        .with("X-Powered-By", "Next.js")
        .with("Vary", "Accept-Encoding")
}
