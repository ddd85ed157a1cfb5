//! One request to one answer: the script's actions around it, the faults that strike it, the
//! dialect that answers it, and the journal. Split in two, so that a slow answer can wait between
//! without holding the world: `begin` decides what strikes, `finish` does everything else at one
//! instant.

use std::hash::{DefaultHasher, Hasher};
use std::mem;

use serde_json::json;

use super::call::{Dialect, Request, Response, Route};
use super::distort::distort;
use super::faults::{Fault, Stage, Struck};
use super::journal::{Call, Kind};
use super::script::When;
use super::serial::mix;
use super::v2::error::{Errors, raw};
use super::world::World;
use super::{v1, v2};
use crate::domain::time::Time;

/// How an answer goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    Whole,
    /// So many milliseconds late.
    Late(u64),
    /// The head says more than comes.
    Truncated,
    /// The body goes on for a gigabyte.
    Flood,
    /// A byte each so many milliseconds.
    Drip(u64),
    /// The connection is closed without a byte.
    HungUp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub response: Response,
    pub delivery: Delivery,
}

/// A request that was looked at and not answered yet.
#[derive(Debug)]
pub struct Begun {
    route: Route,
    booking: Option<String>,
    struck: Struck,
}

impl Begun {
    /// How long to wait before the change, in milliseconds.
    pub fn wait(&self) -> Option<u64> {
        match self.struck.fault {
            Some(Fault::Slow {
                stage: Stage::Before,
                ms,
            }) => Some(ms),
            Some(_) | None => None,
        }
    }
}

/// Answers a request at one instant; what would wait does not.
pub fn answer(world: &mut World, now: Time, request: &Request) -> Answer {
    let begun = begin(world, request);
    finish(world, now, request, begun)
}

/// Decides what strikes this call.
pub fn begin(world: &mut World, request: &Request) -> Begun {
    let route = Route::of(request);
    let booking = route.named().and_then(|name| match route.dialect {
        Dialect::V2 => Some(name.to_owned()),
        Dialect::V1 => {
            let found = name.parse().ok().and_then(|id| world.booking_by_id(id));
            found.map(|booking| booking.uid.clone())
        }
    });
    let struck = world.faults.strike(route.kind, booking.as_deref());
    Begun {
        route,
        booking,
        struck,
    }
}

/// Everything that happens at the instant at which the call takes effect.
pub fn finish(world: &mut World, now: Time, request: &Request, begun: Begun) -> Answer {
    let Begun {
        route,
        booking,
        struck,
    } = begun;
    happen(world, now, When::Before, route.kind, booking.as_deref());
    let fault = struck.fault.as_ref();
    let (mut response, delivery) = match instead(world, now, request, &route, fault) {
        Some(given) => given,
        None => {
            let response = dialect(world, now, request, &route, fault);
            afterwards(request, &route, response, fault)
        }
    };
    if !struck.rows.is_empty() && response.status == 200 {
        let mut body = response.value();
        distort(&mut body, route.dialect, &struck.rows);
        response.body = serde_json::to_vec(&body).expect("JSON that was just read");
    }
    let response = conditional(request, &route, response);
    let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let response = response
        .with("Date", date)
        .with("Connection", "keep-alive")
        .with("Keep-Alive", "timeout=5");
    world.journal.call(Call {
        at: now,
        kind: route.kind,
        booking: booking.clone(),
        method: request.method.clone(),
        target: request.target_without_key(),
        status: (delivery != Delivery::HungUp).then_some(response.status),
    });
    happen(world, now, When::After, route.kind, booking.as_deref());
    Answer { response, delivery }
}

/// Does what the script has for this place. What cannot be done is kept in words.
fn happen(world: &mut World, now: Time, when: When, kind: Kind, booking: Option<&str>) {
    let due = world.script.due(when, kind, booking);
    if let Err(error) = world.act_all(now, due) {
        world.script.failures.push(error.to_string());
    }
}

/// What is answered in place of doing anything.
fn instead(
    world: &mut World,
    now: Time,
    request: &Request,
    route: &Route,
    fault: Option<&Fault>,
) -> Option<(Response, Delivery)> {
    let response = match fault? {
        Fault::Error {
            stage: Stage::Before,
        } => fell_over(route.dialect),
        Fault::BadGateway {
            stage: Stage::Before,
        } => bad_gateway(),
        Fault::HangUp {
            stage: Stage::Before,
        } => return Some((Response::empty(500), Delivery::HungUp)),
        Fault::DatabaseDown => match route.dialect {
            Dialect::V2 => v2::route::database_down(world, &Errors::of(request, now)),
            Dialect::V1 => v1::route::database_down(),
        },
        Fault::Limited { reset } => match route.dialect {
            Dialect::V2 => v2::route::limited(world, &Errors::of(request, now), *reset),
            Dialect::V1 => v1::route::limited(now, *reset),
        },
        Fault::Redirect { to } => Response::empty(307).with("Location", to.clone()),
        Fault::EchoKey => echo(request, route.dialect),
        Fault::Error {
            stage: Stage::After,
        }
        | Fault::BadGateway {
            stage: Stage::After,
        }
        | Fault::HangUp {
            stage: Stage::After,
        }
        | Fault::Truncated
        | Fault::Slow { .. }
        | Fault::Flood
        | Fault::Drip { .. }
        | Fault::Race
        | Fault::Stale
        | Fault::Shuffle
        | Fault::Rows { .. } => return None,
    };
    Some((response, Delivery::Whole))
}

/// What the dialect answers, on the rows that the fault lets it see.
fn dialect(
    world: &mut World,
    now: Time,
    request: &Request,
    route: &Route,
    fault: Option<&Fault>,
) -> Response {
    let stale = fault == Some(&Fault::Stale);
    let fresh = stale.then(|| {
        let memory = world.faults.memory().to_vec();
        mem::replace(&mut world.rows, memory.into())
    });
    let shuffled = world.quirks.shuffle_ties || fault == Some(&Fault::Shuffle);
    let lists = world.journal.count(Kind::List);
    let raced = fault == Some(&Fault::Race);
    let response = match route.dialect {
        Dialect::V1 => {
            let call = v1::route::Call {
                now,
                request,
                route,
                raced,
            };
            v1::route::answer(world, call)
        }
        Dialect::V2 => {
            let call = v2::route::Call {
                now,
                request,
                route,
                errors: Errors::of(request, now),
                body: v2::route::body_of(request),
                checked: !raced,
                ties: shuffled.then(|| mix(lists + 1)),
            };
            v2::route::answer(world, call)
        }
    };
    if let Some(fresh) = fresh {
        world.rows = fresh;
    }
    response
}

/// What becomes of an answer whose change is made.
fn afterwards(
    request: &Request,
    route: &Route,
    response: Response,
    fault: Option<&Fault>,
) -> (Response, Delivery) {
    let Some(fault) = fault else {
        return (response, Delivery::Whole);
    };
    match fault {
        Fault::Error { .. } => (fell_over(route.dialect), Delivery::Whole),
        Fault::BadGateway { .. } => (bad_gateway(), Delivery::Whole),
        Fault::HangUp { .. } => (response, Delivery::HungUp),
        Fault::Truncated => (response, Delivery::Truncated),
        Fault::Slow {
            stage: Stage::After,
            ms,
        } => (response, Delivery::Late(*ms)),
        Fault::Flood => (response, Delivery::Flood),
        Fault::Drip { ms } => (response, Delivery::Drip(*ms)),
        Fault::EchoKey => (echo(request, route.dialect), Delivery::Whole),
        Fault::Slow {
            stage: Stage::Before,
            ..
        }
        | Fault::DatabaseDown
        | Fault::Limited { .. }
        | Fault::Redirect { .. }
        | Fault::Race
        | Fault::Stale
        | Fault::Shuffle
        | Fault::Rows { .. } => (response, Delivery::Whole),
    }
}

fn fell_over(dialect: Dialect) -> Response {
    match dialect {
        Dialect::V2 => raw(500, "Internal server error"),
        Dialect::V1 => Response::json(500, &json!({"message": "Something went wrong"})),
    }
}

fn bad_gateway() -> Response {
    let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
        <center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";
    Response::html(502, page)
}

/// The credential as it was presented, in the message of an error: clients must not pass it on.
fn echo(request: &Request, dialect: Dialect) -> Response {
    match dialect {
        Dialect::V2 => {
            let given = request.get("authorization").unwrap_or("nothing");
            raw(500, &format!("cannot handle Authorization: {given}"))
        }
        Dialect::V1 => {
            let text = format!("cannot handle {}", request.target());
            Response::json(500, &json!({ "message": text }))
        }
    }
}

/// The ETag of a success, and 304 where the client has it already.
fn conditional(request: &Request, route: &Route, response: Response) -> Response {
    if response.body.is_empty() {
        return response;
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(&response.body);
    let hash = hasher.finish();
    let tag = match route.dialect {
        Dialect::V2 => format!("W/\"{:x}-{hash:016x}\"", response.body.len()),
        Dialect::V1 => format!("\"{hash:016x}\""),
    };
    let known = request.get("if-none-match") == Some(tag.as_str());
    let response = response.with("ETag", tag);
    if !known || request.method != "GET" || response.status != 200 {
        return response;
    }
    let mut unchanged = Response {
        status: 304,
        body: Vec::new(),
        ..response
    };
    if route.dialect == Dialect::V2 {
        unchanged
            .headers
            .retain(|(name, _)| *name != "Content-Type");
    }
    unchanged
}
