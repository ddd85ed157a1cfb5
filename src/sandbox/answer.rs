//! One request to one answer: the script's actions around it, the faults that strike it, the
//! dialect that answers it, and the journal. A call takes steps, since others may act in between
//! (`change`): `Underway::begin` decides what strikes, `go_on` takes the steps and says when to wait,
//! `finish` gives the answer.

use std::hash::{DefaultHasher, Hasher};
use std::mem;

use serde_json::json;

use super::call::{Dialect, Request, Response, Route};
use super::change::Change;
use super::distort::distort;
use super::faults::{Fault, Stage, Struck};
use super::journal::{Call, Operation};
use super::limit::Verdict;
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

/// The steps of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Check,
    First,
    Second,
    Done,
}

/// What a call has come to so far.
#[derive(Debug)]
enum Work {
    Nothing,
    Answered(Response, Delivery),
    Changing(Change, Held),
}

/// What the answer to a change still needs of its beginning.
#[derive(Debug)]
enum Held {
    V2(Verdict),
    V1(v1::route::Seal),
}

/// A request that was looked at and not answered yet.
#[derive(Debug)]
pub struct Underway {
    route: Route,
    booking: Option<String>,
    struck: Struck,
    next: Step,
    /// Whether the wait before the next step is over.
    waited: bool,
    work: Work,
}

/// Answers a request at one instant; what would wait does not.
pub fn answer(world: &mut World, now: Time, request: &Request) -> Answer {
    let mut underway = Underway::begin(world, request);
    while underway.go_on(world, now, request).is_some() {}
    underway.finish(world, now, request)
}

impl Underway {
    /// Decides what strikes this call.
    pub fn begin(world: &mut World, request: &Request) -> Self {
        let route = Route::of(request);
        let booking = route.named().and_then(|name| match route.dialect {
            Dialect::V2 => Some(name.to_owned()),
            Dialect::V1 => {
                let found = name.parse().ok().and_then(|id| world.booking_by_id(id));
                found.map(|booking| booking.uid.clone())
            }
        });
        let struck = world.faults.strike(route.kind, booking.as_deref());
        Underway {
            route,
            booking,
            struck,
            next: Step::Check,
            waited: false,
            work: Work::Nothing,
        }
    }

    /// How long the request is held up in front of the server, in milliseconds. A client that hangs
    /// up meanwhile takes it along.
    pub fn held_up(&self) -> Option<u64> {
        match self.struck.fault {
            Some(Fault::Slow {
                stage: Stage::Before,
                ms,
            }) => Some(ms),
            Some(_) | None => None,
        }
    }

    /// Takes steps until one has to wait, and gives the milliseconds; `None` when all are taken.
    pub fn go_on(&mut self, world: &mut World, now: Time, request: &Request) -> Option<u64> {
        while self.next != Step::Done {
            let wait = self.wait(world.step_ms);
            if wait > 0 && !mem::replace(&mut self.waited, true) {
                return Some(wait);
            }
            self.waited = false;
            self.next = match self.next {
                Step::Check => self.check(world, now, request),
                Step::First => self.first(world, now),
                Step::Second => self.second(world, now),
                Step::Done => Step::Done,
            };
        }
        None
    }

    /// How long to wait before the next step, in milliseconds.
    fn wait(&self, step_ms: u64) -> u64 {
        let [check, first, second] = instants(self.route.kind);
        let slow_mail = match self.struck.fault {
            Some(Fault::Slow {
                stage: Stage::Between,
                ms,
            }) => ms,
            Some(_) | None => 0,
        };
        match self.next {
            Step::Check => step_ms * check,
            Step::First => step_ms * (first - check),
            Step::Second => step_ms * (second - first) + slow_mail,
            Step::Done => 0,
        }
    }

    fn check(&mut self, world: &mut World, now: Time, request: &Request) -> Step {
        let kind = self.route.kind;
        happen(world, now, When::Before, kind, self.booking.as_deref());
        let fault = self.struck.fault.as_ref();
        self.work = match instead(world, now, request, &self.route, fault) {
            Some((response, delivery)) => Work::Answered(response, delivery),
            None => dialect(world, now, request, &self.route, fault),
        };
        match &self.work {
            Work::Changing(..) => {
                world.underway += 1;
                Step::First
            }
            Work::Nothing | Work::Answered(..) => Step::Done,
        }
    }

    fn first(&mut self, world: &mut World, now: Time) -> Step {
        if let Work::Changing(change, _) = &mut self.work {
            world.first_step(now, change);
        }
        Step::Second
    }

    fn second(&mut self, world: &mut World, now: Time) -> Step {
        world.underway -= 1;
        let kind = self.route.kind;
        happen(world, now, When::Between, kind, self.booking.as_deref());
        let fault = self.struck.fault.as_ref();
        if let Some((response, delivery)) = broken_off(self.route.dialect, fault) {
            self.work = Work::Answered(response, delivery);
        } else if let Work::Changing(change, _) = &self.work {
            world.second_step(now, change);
        }
        Step::Done
    }

    /// The answer, its steps being taken.
    pub fn finish(self, world: &mut World, now: Time, request: &Request) -> Answer {
        let (route, struck) = (&self.route, &self.struck);
        let fault = struck.fault.as_ref();
        let (mut response, delivery) = match self.work {
            Work::Nothing => (fell_over(route.dialect), Delivery::Whole),
            Work::Answered(response, delivery) => (response, delivery),
            Work::Changing(change, held) => {
                let response = changed(world, now, request, route, &change, &held);
                afterwards(request, route, response, fault)
            }
        };
        if !struck.rows.is_empty() && response.status == 200 {
            let mut body = response.value();
            distort(&mut body, route.dialect, &struck.rows);
            response.body = serde_json::to_vec(&body).expect("JSON that was just read");
        }
        let response = conditional(request, route, response);
        let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let response = response
            .with("Date", date)
            .with("Connection", "keep-alive")
            .with("Keep-Alive", "timeout=5");
        world.journal.call(Call {
            at: now,
            kind: route.kind,
            booking: self.booking.clone(),
            method: request.method.clone(),
            target: request.target_without_key(),
            status: (delivery != Delivery::HungUp).then_some(response.status),
        });
        happen(world, now, When::After, route.kind, self.booking.as_deref());
        Answer { response, delivery }
    }
}

/// When the check and the two steps of a call come, counted in `World::step_ms` from its beginning.
/// Two calls that begin together then end as they do on a real server (`calcom/differences.md`, "Two
/// calls at once"): a cancellation writes before a decline, both before a move looks at what it
/// moves, and a confirm writes after all but the move.
fn instants(kind: Operation) -> [u64; 3] {
    match kind {
        Operation::Cancel => [0, 1, 3],
        Operation::Decline => [0, 2, 3],
        Operation::Confirm => [0, 0, 4],
        Operation::Reschedule => [3, 5, 6],
        Operation::Me
        | Operation::EventTypes
        | Operation::List
        | Operation::Get
        | Operation::MarkAbsent
        | Operation::Create
        | Operation::Patch
        | Operation::Other => [0, 0, 0],
    }
}

/// Does what the script has for this place. What cannot be done is kept in words.
fn happen(world: &mut World, now: Time, when: When, kind: Operation, booking: Option<&str>) {
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
        Fault::Error { .. }
        | Fault::BadGateway { .. }
        | Fault::HangUp { .. }
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

/// What is answered in place of the second step.
fn broken_off(dialect: Dialect, fault: Option<&Fault>) -> Option<(Response, Delivery)> {
    let fault = fault.filter(|fault| fault.stage() == Some(Stage::Between))?;
    match fault {
        Fault::Error { .. } => Some((fell_over(dialect), Delivery::Whole)),
        Fault::BadGateway { .. } => Some((bad_gateway(), Delivery::Whole)),
        Fault::HangUp { .. } => Some((Response::empty(500), Delivery::HungUp)),
        // Only waits.
        _ => None,
    }
}

/// What the dialect makes of the call, on the rows that the fault lets it see.
fn dialect(
    world: &mut World,
    now: Time,
    request: &Request,
    route: &Route,
    fault: Option<&Fault>,
) -> Work {
    let stale = fault == Some(&Fault::Stale);
    let fresh = stale.then(|| {
        let memory = world.faults.memory().to_vec();
        mem::replace(&mut world.rows, memory.into())
    });
    let shuffled = world.quirks.shuffle_ties || fault == Some(&Fault::Shuffle);
    let lists = world.journal.count(Operation::List);
    let raced = fault == Some(&Fault::Race);
    let answered = |response| {
        let (response, delivery) = afterwards(request, route, response, fault);
        Work::Answered(response, delivery)
    };
    let work = match route.dialect {
        Dialect::V1 => {
            let call = v1::route::Call {
                now,
                request,
                route,
                raced,
            };
            match v1::route::begin(world, call) {
                v1::route::Begun::Answered(response) => answered(response),
                v1::route::Begun::Changing(change, seal) => Work::Changing(change, Held::V1(seal)),
            }
        }
        Dialect::V2 => {
            let call = v2_call(now, request, route, raced, shuffled.then(|| mix(lists + 1)));
            match v2::route::begin(world, &call) {
                v2::route::Begun::Answered(response) => answered(response),
                v2::route::Begun::Changing(change, verdict) => {
                    Work::Changing(change, Held::V2(verdict))
                }
            }
        }
    };
    if let Some(fresh) = fresh {
        world.rows = fresh;
    }
    work
}

/// What the dialect answers once the change is made.
fn changed(
    world: &mut World,
    now: Time,
    request: &Request,
    route: &Route,
    change: &Change,
    held: &Held,
) -> Response {
    match held {
        Held::V1(seal) => v1::route::changed(world, change, seal),
        Held::V2(verdict) => {
            let call = v2_call(now, request, route, false, None);
            v2::route::changed(world, &call, change, *verdict)
        }
    }
}

fn v2_call<'a>(
    now: Time,
    request: &'a Request,
    route: &'a Route,
    raced: bool,
    ties: Option<u64>,
) -> v2::route::Call<'a> {
    v2::route::Call {
        now,
        request,
        route,
        errors: Errors::of(request, now),
        body: v2::route::body_of(request),
        checked: !raced,
        ties,
    }
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
    // What strikes elsewhere on the way has done so, or the call never got there.
    if fault.stage().is_some_and(|stage| stage != Stage::After) {
        return (response, Delivery::Whole);
    }
    match fault {
        Fault::Error { .. } => (fell_over(route.dialect), Delivery::Whole),
        Fault::BadGateway { .. } => (bad_gateway(), Delivery::Whole),
        Fault::HangUp { .. } => (response, Delivery::HungUp),
        Fault::Truncated => (response, Delivery::Truncated),
        Fault::Slow { ms, .. } => (response, Delivery::Late(*ms)),
        Fault::Flood => (response, Delivery::Flood),
        Fault::Drip { ms } => (response, Delivery::Drip(*ms)),
        Fault::EchoKey => (echo(request, route.dialect), Delivery::Whole),
        Fault::DatabaseDown
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
                    .add_fault(Rule::next(Operation::Confirm, fault.clone()))
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
                    (Operation::Confirm, known),
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
        // stage, held up in front, state and mails while it waits between, how late the answer is
        let mailed = Some((Status::Pending, 1));
        let rows = [
            (Stage::Before, Some(7), None, Delivery::Whole),
            (Stage::Between, None, mailed, Delivery::Whole),
            (Stage::After, None, None, Delivery::Late(7)),
        ];
        for (stage, held_up, waiting, delivery) in rows {
            let (mut world, uid) = world();
            world
                .add_fault(Rule::always(Fault::Slow { stage, ms: 7 }))
                .unwrap();
            let request = confirm(&world, Dialect::V2, &uid);
            let mut underway = Underway::begin(&mut world, &request);
            assert_eq!(underway.held_up(), held_up, "{stage:?}");
            let wait = underway.go_on(&mut world, now(), &request);
            assert_eq!(wait, waiting.map(|_| 7), "{stage:?}");
            if let Some(expected) = waiting {
                let seen = (world.status(&uid).unwrap(), confirmations(&world, &uid));
                assert_eq!(seen, expected, "{stage:?}");
                let wait = underway.go_on(&mut world, now(), &request);
                assert_eq!(wait, None, "{stage:?} waits once");
            }
            let got = underway.finish(&mut world, now(), &request);
            assert_eq!(got.delivery, delivery, "{stage:?}");
            let seen = (world.status(&uid).unwrap(), confirmations(&world, &uid));
            assert_eq!(seen, (Status::Accepted, 1), "{stage:?}");
        }
    }

    fn confirmations(world: &World, uid: &str) -> u32 {
        let journal = &world.journal;
        journal.mails_for(uid, Recipient::Booker, MailKind::Confirmed)
    }

    #[test]
    fn a_server_that_dies_between_leaves_half_of_it() {
        // call, state and mails to the booker afterwards
        let reason = br#"{"reason":"full"}"#.to_vec();
        let ill = br#"{"cancellationReason":"ill"}"#.to_vec();
        let rows = [
            ("confirm", Vec::new(), Status::Pending, (1, 0, 0)),
            ("decline", reason, Status::Rejected, (0, 0, 0)),
            ("cancel", ill, Status::Cancelled, (0, 0, 0)),
        ];
        let stage = Stage::Between;
        let faults = [
            (Fault::HangUp { stage }, None),
            (Fault::Error { stage }, Some(500)),
            (Fault::BadGateway { stage }, Some(502)),
        ];
        for (fault, status) in faults {
            for (what, body, state, mails) in rows.clone() {
                let (mut world, uid) = world();
                world.add_fault(Rule::always(fault.clone())).unwrap();
                let request = v2("POST", &format!("/v2/bookings/{uid}/{what}"))
                    .header("Content-Type", "application/json")
                    .body(body);
                ask(&mut world, &request);
                let place = format!("{what} with {fault:?}");
                assert_eq!(world.journal.calls()[0].status, status, "{place}");
                assert_eq!(world.status(&uid), Some(state), "{place}");
                let mail = |kind| world.journal.mails_for(&uid, Recipient::Booker, kind);
                let got = (
                    mail(MailKind::Confirmed),
                    mail(MailKind::Declined),
                    mail(MailKind::Cancelled),
                );
                assert_eq!(got, mails, "{place}");
                assert_eq!(world.underway(), 0, "{place}");
            }
        }
    }

    #[test]
    fn third_parties_act_between_the_mails_of_a_confirm_and_its_write() {
        let (mut world, uid) = world();
        let cancels = vec![Action::BookerCancels(Said {
            reason: Some("ill".to_owned()),
            ..Said::nothing(&uid)
        })];
        world
            .script
            .add(Trigger::between(Operation::Confirm, 1).about(&uid), cancels);
        let request = confirm(&world, Dialect::V2, &uid);
        let got = ask(&mut world, &request).response.value();
        let seen = ["status", "cancellationReason", "cancelledByEmail"]
            .map(|name| got["data"][name].as_str().unwrap().to_owned());
        assert_eq!(seen, ["accepted", "ill", "Bo@Example.com"], "revived");
        assert_eq!(world.script.failures, [""; 0]);
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
            Operation::List,
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
            .add_fault(Rule::next(Operation::Confirm, Fault::Race).skipping(1))
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
        world.script.add(Trigger::after(Operation::List, 1), cancels);
        let moves = Action::BookerMoves(Shift::to(&uid, now() + Span::days(3)));
        world
            .script
            .add(Trigger::before(Operation::Get, 1).about(&uid), vec![moves]);
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
        assert_eq!(world.journal.count(Operation::List), 4);
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
            let mut underway = Underway::begin(&mut world, &request);
            underway.go_on(&mut world, now(), &request);
            assert!(!format!("{underway:?}{request:?}").contains(KEY));
            underway.finish(&mut world, now(), &request);
        }
        assert!(!format!("{world:?}").contains("secret_of_the_test"));
    }
}
