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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::domain::time::Span;
    use crate::sandbox::actions::{Action, Said, Shift};
    use crate::sandbox::faults::{RowFault, Rule, Times};
    use crate::sandbox::journal::{MailKind, Recipient};
    use crate::sandbox::limit::{Limit, Limits};
    use crate::sandbox::model::{EventType, Status};
    use crate::sandbox::script::Trigger;

    const KEY: &str = "cal_secret_of_the_test";

    fn now() -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
    }

    /// A host with a key, an event type and one pending booking.
    fn world() -> (World, String) {
        let mut world = World::new();
        world.add_user(12, "Ada Host", "ada@example.org");
        world.add_key(12, KEY);
        let of = world.add_event_type(EventType::new(12, "lesson"));
        let uid = world.request(now(), of, "Bo@Example.com", now() + Span::days(2));
        (world, uid)
    }

    fn v2(method: &str, target: &str) -> Request {
        Request::new(method, target)
            .header("Authorization", &format!("Bearer {KEY}"))
            .header("cal-api-version", "2024-08-13")
    }

    fn v1(method: &str, target: &str) -> Request {
        let join = if target.contains('?') { '&' } else { '?' };
        Request::new(method, &format!("{target}{join}apiKey={KEY}"))
    }

    fn ask(world: &mut World, request: &Request) -> Answer {
        answer(world, now(), request)
    }

    /// Confirm in the given dialect.
    fn confirm(world: &World, dialect: Dialect, uid: &str) -> Request {
        match dialect {
            Dialect::V2 => v2("POST", &format!("/v2/bookings/{uid}/confirm")),
            Dialect::V1 => {
                let id = world.booking(uid).unwrap().id;
                v1("PATCH", &format!("/v1/bookings/{id}"))
                    .header("Content-Type", "application/json")
                    .body(br#"{"status":"ACCEPTED"}"#.to_vec())
            }
        }
    }

    #[test]
    fn faults_strike_before_or_after_the_change_in_both_dialects() {
        let (before, after) = (Stage::Before, Stage::After);
        let to = "https://elsewhere.example.net/".to_owned();
        // fault, status, delivery, whether the change is made
        let rows = [
            (Fault::Error { stage: before }, 500, Delivery::Whole, false),
            (Fault::Error { stage: after }, 500, Delivery::Whole, true),
            (Fault::DatabaseDown, 500, Delivery::Whole, false),
            (
                Fault::BadGateway { stage: before },
                502,
                Delivery::Whole,
                false,
            ),
            (
                Fault::BadGateway { stage: after },
                502,
                Delivery::Whole,
                true,
            ),
            (
                Fault::HangUp { stage: before },
                500,
                Delivery::HungUp,
                false,
            ),
            (Fault::HangUp { stage: after }, 200, Delivery::HungUp, true),
            (Fault::Truncated, 200, Delivery::Truncated, true),
            (Fault::Limited { reset: 60 }, 429, Delivery::Whole, false),
            (
                Fault::Slow {
                    stage: after,
                    ms: 9,
                },
                200,
                Delivery::Late(9),
                true,
            ),
            (
                Fault::Slow {
                    stage: before,
                    ms: 9,
                },
                200,
                Delivery::Whole,
                true,
            ),
            (Fault::Flood, 200, Delivery::Flood, true),
            (Fault::Drip { ms: 1000 }, 200, Delivery::Drip(1000), true),
            (Fault::Redirect { to }, 307, Delivery::Whole, false),
            (Fault::EchoKey, 500, Delivery::Whole, false),
        ];
        for dialect in [Dialect::V2, Dialect::V1] {
            for (fault, status, delivery, changed) in &rows {
                let (mut world, uid) = world();
                world
                    .add_fault(Rule::next(Kind::Confirm, fault.clone()))
                    .unwrap();
                let request = confirm(&world, dialect, &uid);
                let got = ask(&mut world, &request);
                let place = format!("{fault:?} in {dialect:?}");
                assert_eq!(
                    (got.response.status, got.delivery),
                    (*status, *delivery),
                    "{place}"
                );
                let is = world.status(&uid) == Some(Status::Accepted);
                assert_eq!(is, *changed, "{place}");
                let text = String::from_utf8(got.response.body).unwrap();
                assert_eq!(text.contains(KEY), *fault == Fault::EchoKey, "{place}");
                let logged = &world.journal.calls()[0];
                let known = (*delivery != Delivery::HungUp).then_some(*status);
                assert_eq!(
                    (logged.kind, logged.status),
                    (Kind::Confirm, known),
                    "{place}"
                );
                assert_eq!(logged.booking.as_deref(), Some(&*uid), "{place}");
                assert!(!logged.target.contains(KEY), "{place}");
                let again = confirm(&world, dialect, &uid);
                let again = ask(&mut world, &again);
                assert_eq!(again.delivery, Delivery::Whole, "{place} strikes once");
            }
        }
    }

    #[test]
    fn a_slow_answer_waits_where_it_should() {
        for (stage, wait) in [(Stage::Before, Some(7)), (Stage::After, None)] {
            let (mut world, _) = world();
            world
                .add_fault(Rule::always(Fault::Slow { stage, ms: 7 }))
                .unwrap();
            let begun = begin(&mut world, &v2("GET", "/v2/me"));
            assert_eq!(begun.wait(), wait);
        }
    }

    #[test]
    fn rows_look_wrong_as_asked() {
        // fault, place in a v2 row, value there
        let unknown = Value::from("unknown");
        let rows = [
            (
                RowFault::AwaitingHost,
                "/status",
                Value::from("awaiting_host"),
            ),
            (
                RowFault::UnknownStatus,
                "/status",
                Value::from("on_the_moon"),
            ),
            (RowFault::HostUnknown, "/hosts/0/id", unknown.clone()),
            (RowFault::NoEventType, "/eventType", Value::Null),
            (RowFault::NoUpdated, "/updatedAt", Value::Null),
            (
                RowFault::BookerUnknown,
                "/bookingFieldsResponses/email",
                unknown,
            ),
            (RowFault::WrongTypes, "/id", Value::from("not a number")),
            (
                RowFault::ExtraField,
                "/rootBookingUid/from",
                Value::from("a later version"),
            ),
        ];
        for (as_if, place, value) in rows {
            let (mut world, uid) = world();
            let of = world.event_types()[0].id;
            let other = world.request(now(), of, "al@example.com", now() + Span::days(1));
            let rule = Rule::always(Fault::Rows {
                as_if: as_if.clone(),
            });
            world.add_fault(rule.about(&uid)).unwrap();
            let list = ask(&mut world, &v2("GET", "/v2/bookings")).response.value();
            let row = list["data"].as_array().unwrap().iter();
            let row = row.clone().find(|row| row["uid"] == *uid).unwrap().clone();
            assert_eq!(row.pointer(place), Some(&value), "{as_if:?}");
            let others = list["data"].as_array().unwrap().iter();
            let spared = others.clone().find(|row| row["uid"] == *other).unwrap();
            assert_ne!(
                spared.pointer(place),
                Some(&value),
                "{as_if:?} spares others"
            );
            let one = ask(&mut world, &v2("GET", &format!("/v2/bookings/{uid}")));
            assert_eq!(one.response.value()["data"].pointer(place), Some(&value));
            let kept = world.booking(&uid).unwrap();
            assert_eq!(kept.status, Status::Pending, "the row itself is as it was");
        }
    }

    #[test]
    fn a_missing_row_is_still_counted() {
        let (mut world, uid) = world();
        let rule = Rule::next(
            Kind::List,
            Fault::Rows {
                as_if: RowFault::Missing,
            },
        );
        world
            .add_fault(rule.about(&uid).times(Times::Count(2)))
            .unwrap();
        let list = ask(&mut world, &v2("GET", "/v2/bookings")).response.value();
        assert_eq!(list["data"], json!([]));
        assert_eq!(list["pagination"]["totalItems"], 1);
        let list = ask(&mut world, &v1("GET", "/v1/bookings")).response.value();
        assert_eq!(list, json!({"bookings": []}));
        let list = ask(&mut world, &v1("GET", "/v1/bookings")).response.value();
        assert_eq!(list["bookings"][0]["uid"], *uid);
    }

    #[test]
    fn a_stale_read_shows_what_was() {
        let (mut world, uid) = world();
        world.add_fault(Rule::always(Fault::Stale)).unwrap();
        world
            .act(now(), Action::BookerCancels(Said::nothing(&uid)))
            .unwrap();
        let of = world.event_types()[0].id;
        world.request(now(), of, "al@example.com", now() + Span::days(1));
        let list = ask(&mut world, &v2("GET", "/v2/bookings?status=unconfirmed"));
        let list = list.response.value();
        assert_eq!(list["data"][0]["uid"], *uid);
        assert_eq!(list["pagination"]["totalItems"], 1);
        world.faults.clear();
        assert_eq!(world.status(&uid), Some(Status::Cancelled));
        assert_eq!(world.bookings().len(), 2);
    }

    #[test]
    fn a_race_confirms_twice() {
        let (mut world, uid) = world();
        world
            .add_fault(Rule::next(Kind::Confirm, Fault::Race).skipping(1))
            .unwrap();
        let request = confirm(&world, Dialect::V2, &uid);
        let statuses = [200, 200, 400].map(|_| ask(&mut world, &request).response.status);
        assert_eq!(statuses, [200, 200, 400]);
        let mails = world
            .journal
            .mails_for(&uid, Recipient::Booker, MailKind::Confirmed);
        assert_eq!((mails, world.journal.calendar_events(&uid)), (2, 2));
    }

    #[test]
    fn the_script_runs_between_two_calls() {
        let (mut world, uid) = world();
        let cancels = vec![Action::BookerCancels(Said::nothing(&uid))];
        world.script.add(Trigger::after(Kind::List, 1), cancels);
        let moves = Action::BookerMoves(Shift::to(&uid, now() + Span::days(3)));
        world
            .script
            .add(Trigger::before(Kind::Get, 1).about(&uid), vec![moves]);
        let list = v2("GET", "/v2/bookings?status=unconfirmed");
        let first = ask(&mut world, &list).response.value();
        assert_eq!(
            first["data"].as_array().unwrap().len(),
            1,
            "listed as it was"
        );
        assert_eq!(world.status(&uid), Some(Status::Cancelled));
        ask(&mut world, &v2("GET", &format!("/v2/bookings/{uid}")));
        assert_eq!(world.script.waiting(), 0);
        let failed = &world.script.failures;
        assert_eq!(
            failed.len(),
            1,
            "a cancelled booking cannot be moved: {failed:?}"
        );
    }

    #[test]
    fn an_unchanged_answer_is_304_and_still_counted() {
        let (mut world, uid) = world();
        for request in [v2("GET", "/v2/bookings"), v1("GET", "/v1/bookings")] {
            let first = ask(&mut world, &request).response;
            let tag = first.get("etag").unwrap().to_owned();
            let again = request.clone().header("If-None-Match", &tag);
            let second = ask(&mut world, &again).response;
            assert_eq!((second.status, second.body.len()), (304, 0));
        }
        world.confirm(now(), &uid, true).unwrap();
        assert_eq!(world.journal.count(Kind::List), 4);
    }

    #[test]
    fn limits_are_per_key_and_can_be_off() {
        let (mut world, _) = world();
        world.limits.v2 = Some(Limit::per_minute(2));
        let me = v2("GET", "/v2/me");
        let statuses = [(); 3].map(|()| ask(&mut world, &me).response.status);
        assert_eq!(statuses, [200, 200, 429]);
        let v1_me = v1("GET", "/v1/me");
        assert_eq!(ask(&mut world, &v1_me).response.status, 200, "v1 is apart");
        world.limits = Limits::off();
        let open = ask(&mut world, &me).response;
        assert_eq!(open.status, 200);
        assert_eq!(open.get("x-ratelimit-limit-default"), Some("1000000"));
    }

    #[test]
    fn nothing_shows_the_key() {
        let (mut world, uid) = world();
        for request in [confirm(&world, Dialect::V1, &uid), v2("GET", "/v2/me")] {
            let begun = begin(&mut world, &request);
            assert!(!format!("{begun:?}{request:?}").contains(KEY));
            finish(&mut world, now(), &request, begun);
        }
        assert!(!format!("{world:?}").contains("secret_of_the_test"));
    }
}
