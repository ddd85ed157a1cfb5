//! Turns one request into one answer: runs the script's actions around the call, applies the call's
//! faults, lets the dialect answer, and records the call. A call takes steps, because other calls
//! may act in between (see `transitions`): `RunningCall::begin` selects the faults, `advance` takes
//! the steps and says when to wait, and `finish` returns the answer.

use std::hash::{DefaultHasher, Hasher};
use std::mem;

use serde_json::json;

use super::call_log::{LoggedCall, Operation};
use super::faults::{AppliedFault, Fault, Stage};
use super::http_types::{ApiRoute, HttpRequest, HttpResponse};
use super::id_generator::mix_bits;
use super::rate_limiter::RateDecision;
use super::response_mutation::apply_row_faults;
use super::script::TriggerTime;
use super::transitions::PendingTransition;
use super::v2::error::{ErrorWriter, plain_error};
use super::world::World;
use super::{v1, v2};
use crate::domain::dialect::Dialect;
use crate::domain::time::Time;

/// How an answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerDelivery {
    Whole,
    /// Sent this many milliseconds late.
    Delayed(u64),
    /// The head announces more bytes than the body has.
    Truncated,
    /// The body has a gigabyte.
    Flood,
    /// One byte every so many milliseconds.
    Drip(u64),
    /// The connection is closed without sending a byte.
    Disconnected,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerAnswer {
    pub response: HttpResponse,
    pub delivery: AnswerDelivery,
}

/// The steps of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallStep {
    Check,
    First,
    Second,
    Done,
}

/// The result of a call so far.
#[derive(Debug)]
enum CallProgress {
    NotStarted,
    Response(HttpResponse, AnswerDelivery),
    Transition(PendingTransition, ResponseContext),
}

/// What the answer to a change needs from the call's check.
#[derive(Debug)]
enum ResponseContext {
    V2(RateDecision),
    V1(v1::route::V1ResponseContext),
}

/// A request that is being processed and has no answer yet.
#[derive(Debug)]
pub struct RunningCall {
    route: ApiRoute,
    booking: Option<String>,
    faults: AppliedFault,
    next_step: CallStep,
    /// Whether the delay before the next step is over.
    has_waited: bool,
    progress: CallProgress,
}

/// Answers a request at one instant, without the delays.
pub fn handle(world: &mut World, now: Time, request: &HttpRequest) -> HandlerAnswer {
    let mut call = RunningCall::begin(world, request);
    while call.advance(world, now, request).is_some() {}
    call.finish(world, now, request)
}

impl RunningCall {
    /// Selects the faults of this call.
    pub fn begin(world: &mut World, request: &HttpRequest) -> Self {
        let route = ApiRoute::from_request(request);
        let booking = route
            .booking_in_path()
            .and_then(|name| match route.dialect {
                Dialect::V2 => Some(name.to_owned()),
                Dialect::V1 => {
                    let found = name.parse().ok().and_then(|id| world.booking_by_id(id));
                    found.map(|booking| booking.uid.clone())
                }
            });
        let faults = world
            .fault_rules
            .apply_fault(route.kind, booking.as_deref());
        RunningCall {
            route,
            booking,
            faults,
            next_step: CallStep::Check,
            has_waited: false,
            progress: CallProgress::NotStarted,
        }
    }

    /// Returns how long the request is delayed in front of the server, in milliseconds. The request
    /// is lost if the client hangs up meanwhile.
    pub fn delay_before(&self) -> Option<u64> {
        match self.faults.fault {
            Some(Fault::Slow {
                stage: Stage::Before,
                ms,
            }) => Some(ms),
            Some(_) | None => None,
        }
    }

    /// Takes steps until a step has to wait, and returns the milliseconds to wait; `None` when all
    /// steps are taken.
    pub fn advance(&mut self, world: &mut World, now: Time, request: &HttpRequest) -> Option<u64> {
        while self.next_step != CallStep::Done {
            let delay = self.delay_before_step(world.step_ms);
            if delay > 0 && !mem::replace(&mut self.has_waited, true) {
                return Some(delay);
            }
            self.has_waited = false;
            self.next_step = match self.next_step {
                CallStep::Check => self.run_check(world, now, request),
                CallStep::First => self.run_first_step(world, now),
                CallStep::Second => self.run_second_step(world, now),
                CallStep::Done => CallStep::Done,
            };
        }
        None
    }

    /// Returns how long to wait before the next step, in milliseconds.
    fn delay_before_step(&self, step_ms: u64) -> u64 {
        let [check, first, second] = step_offsets(self.route.kind);
        let slow_mail = match self.faults.fault {
            Some(Fault::Slow {
                stage: Stage::Between,
                ms,
            }) => ms,
            Some(_) | None => 0,
        };
        match self.next_step {
            CallStep::Check => step_ms * check,
            CallStep::First => step_ms * (first - check),
            CallStep::Second => step_ms * (second - first) + slow_mail,
            CallStep::Done => 0,
        }
    }

    fn run_check(&mut self, world: &mut World, now: Time, request: &HttpRequest) -> CallStep {
        let kind = self.route.kind;
        run_script(
            world,
            now,
            TriggerTime::Before,
            kind,
            self.booking.as_deref(),
        );
        let fault = self.faults.fault.as_ref();
        self.progress = match respond_without_handling(world, now, request, &self.route, fault) {
            Some((response, delivery)) => CallProgress::Response(response, delivery),
            None => handle_in_dialect(world, now, request, &self.route, fault),
        };
        match &self.progress {
            CallProgress::Transition(..) => {
                world.running_calls += 1;
                CallStep::First
            }
            CallProgress::NotStarted | CallProgress::Response(..) => CallStep::Done,
        }
    }

    fn run_first_step(&mut self, world: &mut World, now: Time) -> CallStep {
        if let CallProgress::Transition(change, _) = &mut self.progress {
            world.take_first_step(now, change);
        }
        CallStep::Second
    }

    fn run_second_step(&mut self, world: &mut World, now: Time) -> CallStep {
        world.running_calls -= 1;
        let kind = self.route.kind;
        run_script(
            world,
            now,
            TriggerTime::Between,
            kind,
            self.booking.as_deref(),
        );
        let fault = self.faults.fault.as_ref();
        if let Some((response, delivery)) = interrupt_second_step(self.route.dialect, fault) {
            self.progress = CallProgress::Response(response, delivery);
        } else if let CallProgress::Transition(change, _) = &self.progress {
            world.take_second_step(now, change);
        }
        CallStep::Done
    }

    /// Returns the answer, after all steps are taken.
    pub fn finish(self, world: &mut World, now: Time, request: &HttpRequest) -> HandlerAnswer {
        let (route, faults) = (&self.route, &self.faults);
        let fault = faults.fault.as_ref();
        let (mut response, delivery) = match self.progress {
            CallProgress::NotStarted => (internal_error(route.dialect), AnswerDelivery::Whole),
            CallProgress::Response(response, delivery) => (response, delivery),
            CallProgress::Transition(change, context) => {
                let response = respond_to_transition(world, now, request, route, &change, &context);
                apply_response_fault(request, route, response, fault)
            }
        };
        if !faults.row_faults.is_empty() && response.status == 200 {
            let mut body = response.value();
            apply_row_faults(&mut body, route.dialect, &faults.row_faults);
            response.body = serde_json::to_vec(&body).expect("JSON that was just read");
        }
        let response = apply_etag(request, route, response);
        let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let response = response
            .with_header("Date", date)
            .with_header("Connection", "keep-alive")
            .with_header("Keep-Alive", "timeout=5");
        world.call_log.record_call(LoggedCall {
            at: now,
            kind: route.kind,
            booking: self.booking.clone(),
            method: request.method.clone(),
            target: request.target_without_key(),
            status: (delivery != AnswerDelivery::Disconnected).then_some(response.status),
        });
        run_script(
            world,
            now,
            TriggerTime::After,
            route.kind,
            self.booking.as_deref(),
        );
        HandlerAnswer { response, delivery }
    }
}

/// Returns when the check and the two steps of a call happen, in units of `World::step_ms` after
/// its start. Two calls that start together then end as they do on a real server
/// (`calcom/differences.md`, "Two calls at once"): a cancellation writes before a decline, both
/// write before a move checks the booking that it moves, and a confirm writes after all of them but
/// the move.
fn step_offsets(kind: Operation) -> [u64; 3] {
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

/// Carries out the script's actions for this point. An action that fails is recorded as text.
fn run_script(
    world: &mut World,
    now: Time,
    when: TriggerTime,
    kind: Operation,
    booking: Option<&str>,
) {
    let actions = world.script.take_due(when, kind, booking);
    if let Err(error) = world.act_all(now, actions) {
        world.script.failures.push(error.to_string());
    }
}

/// Returns the answer of a fault that replaces the whole call.
fn respond_without_handling(
    world: &mut World,
    now: Time,
    request: &HttpRequest,
    route: &ApiRoute,
    fault: Option<&Fault>,
) -> Option<(HttpResponse, AnswerDelivery)> {
    let response = match fault? {
        Fault::Error {
            stage: Stage::Before,
        } => internal_error(route.dialect),
        Fault::BadGateway {
            stage: Stage::Before,
        } => bad_gateway(),
        Fault::HangUp {
            stage: Stage::Before,
        } => return Some((HttpResponse::empty(500), AnswerDelivery::Disconnected)),
        Fault::DatabaseDown => match route.dialect {
            Dialect::V2 => {
                v2::route::database_down_response(world, &ErrorWriter::new(request, now))
            }
            Dialect::V1 => v1::route::database_down_response(),
        },
        Fault::Limited { reset } => match route.dialect {
            Dialect::V2 => {
                v2::route::rate_limited_response(world, &ErrorWriter::new(request, now), *reset)
            }
            Dialect::V1 => v1::route::rate_limited_response(now, *reset),
        },
        Fault::Redirect { to } => HttpResponse::empty(307).with_header("Location", to.clone()),
        Fault::EchoKey => echo_credential(request, route.dialect),
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
    Some((response, AnswerDelivery::Whole))
}

/// Returns the answer of a fault that replaces the second step.
fn interrupt_second_step(
    dialect: Dialect,
    fault: Option<&Fault>,
) -> Option<(HttpResponse, AnswerDelivery)> {
    let fault = fault.filter(|fault| fault.stage() == Some(Stage::Between))?;
    match fault {
        Fault::Error { .. } => Some((internal_error(dialect), AnswerDelivery::Whole)),
        Fault::BadGateway { .. } => Some((bad_gateway(), AnswerDelivery::Whole)),
        Fault::HangUp { .. } => Some((HttpResponse::empty(500), AnswerDelivery::Disconnected)),
        // Other faults of this stage only delay.
        _ => None,
    }
}

/// Lets the dialect handle the call, on the rows that the fault lets it see.
fn handle_in_dialect(
    world: &mut World,
    now: Time,
    request: &HttpRequest,
    route: &ApiRoute,
    fault: Option<&Fault>,
) -> CallProgress {
    let stale = fault == Some(&Fault::Stale);
    let current_rows = stale.then(|| {
        let memory = world.fault_rules.stale_rows().to_vec();
        mem::replace(&mut world.table, memory.into())
    });
    let shuffled = world.quirks.shuffle_ties || fault == Some(&Fault::Shuffle);
    let list_calls = world.call_log.call_count(Operation::List);
    let raced = fault == Some(&Fault::Race);
    let respond = |response| {
        let (response, delivery) = apply_response_fault(request, route, response, fault);
        CallProgress::Response(response, delivery)
    };
    let progress = match route.dialect {
        Dialect::V1 => {
            let call = v1::call::V1Call {
                now,
                request,
                route,
                raced,
            };
            match v1::route::begin(world, call) {
                v1::route::V1Outcome::Response(response) => respond(response),
                v1::route::V1Outcome::Transition(change, context) => {
                    CallProgress::Transition(change, ResponseContext::V1(context))
                }
            }
        }
        Dialect::V2 => {
            let call = v2_call(
                now,
                request,
                route,
                raced,
                shuffled.then(|| mix_bits(list_calls + 1)),
            );
            match v2::route::begin(world, &call) {
                v2::route::V2Outcome::Response(response) => respond(response),
                v2::route::V2Outcome::Transition(change, decision) => {
                    CallProgress::Transition(change, ResponseContext::V2(decision))
                }
            }
        }
    };
    if let Some(current_rows) = current_rows {
        world.table = current_rows;
    }
    progress
}

/// Returns the dialect's answer after the change is made.
fn respond_to_transition(
    world: &mut World,
    now: Time,
    request: &HttpRequest,
    route: &ApiRoute,
    change: &PendingTransition,
    context: &ResponseContext,
) -> HttpResponse {
    match context {
        ResponseContext::V1(context) => v1::route::respond_to_transition(world, change, context),
        ResponseContext::V2(decision) => {
            let call = v2_call(now, request, route, false, None);
            v2::route::respond_to_transition(world, &call, change, *decision)
        }
    }
}

fn v2_call<'a>(
    now: Time,
    request: &'a HttpRequest,
    route: &'a ApiRoute,
    raced: bool,
    ties: Option<u64>,
) -> v2::call::V2Call<'a> {
    v2::call::V2Call {
        now,
        request,
        route,
        errors: ErrorWriter::new(request, now),
        body: v2::route::json_body(request),
        checks_state: !raced,
        tie_salt: ties,
    }
}

/// Applies the fault to an answer whose change is made.
fn apply_response_fault(
    request: &HttpRequest,
    route: &ApiRoute,
    response: HttpResponse,
    fault: Option<&Fault>,
) -> (HttpResponse, AnswerDelivery) {
    let Some(fault) = fault else {
        return (response, AnswerDelivery::Whole);
    };
    // A fault of another stage has occurred already, or the call never reached that stage.
    if fault.stage().is_some_and(|stage| stage != Stage::After) {
        return (response, AnswerDelivery::Whole);
    }
    match fault {
        Fault::Error { .. } => (internal_error(route.dialect), AnswerDelivery::Whole),
        Fault::BadGateway { .. } => (bad_gateway(), AnswerDelivery::Whole),
        Fault::HangUp { .. } => (response, AnswerDelivery::Disconnected),
        Fault::Truncated => (response, AnswerDelivery::Truncated),
        Fault::Slow { ms, .. } => (response, AnswerDelivery::Delayed(*ms)),
        Fault::Flood => (response, AnswerDelivery::Flood),
        Fault::Drip { ms } => (response, AnswerDelivery::Drip(*ms)),
        Fault::EchoKey => (
            echo_credential(request, route.dialect),
            AnswerDelivery::Whole,
        ),
        Fault::DatabaseDown
        | Fault::Limited { .. }
        | Fault::Redirect { .. }
        | Fault::Race
        | Fault::Stale
        | Fault::Shuffle
        | Fault::Rows { .. } => (response, AnswerDelivery::Whole),
    }
}

fn internal_error(dialect: Dialect) -> HttpResponse {
    match dialect {
        Dialect::V2 => plain_error(500, "Internal server error"),
        Dialect::V1 => HttpResponse::json(500, &json!({"message": "Something went wrong"})),
    }
}

fn bad_gateway() -> HttpResponse {
    let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
        <center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";
    HttpResponse::html(502, page)
}

/// Repeats the presented credential in the message of an error: clients must not pass it on.
fn echo_credential(request: &HttpRequest, dialect: Dialect) -> HttpResponse {
    match dialect {
        Dialect::V2 => {
            let credential = request.header_value("authorization").unwrap_or("nothing");
            plain_error(500, &format!("cannot handle Authorization: {credential}"))
        }
        Dialect::V1 => {
            let text = format!("cannot handle {}", request.target());
            HttpResponse::json(500, &json!({ "message": text }))
        }
    }
}

/// Adds the ETag of the answer, and answers 304 when the client has the body already.
fn apply_etag(request: &HttpRequest, route: &ApiRoute, response: HttpResponse) -> HttpResponse {
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
    let matches_tag = request.header_value("if-none-match") == Some(tag.as_str());
    let response = response.with_header("ETag", tag);
    if !matches_tag || request.method != "GET" || response.status != 200 {
        return response;
    }
    let mut unchanged = HttpResponse {
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
    use crate::sandbox::action::{BookingMove, BookingRemark, ThirdPartyAction};
    use crate::sandbox::call_log::{MailKind, Recipient};
    use crate::sandbox::faults::{FaultRule, FaultTimes, RowFault};
    use crate::sandbox::model::{SandboxEventType, SandboxStatus};
    use crate::sandbox::rate_limiter::{RateLimit, RateLimits};
    use crate::sandbox::script::Trigger;

    const KEY: &str = "cal_secret_of_the_test";

    fn now() -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
    }

    /// Returns a world with a host with a key, an event type and one pending booking.
    fn world() -> (World, String) {
        let mut world = World::new();
        world.add_user(12, "Ada Host", "ada@example.org");
        world.add_key(12, KEY);
        let event_type = world.add_event_type(SandboxEventType::new(12, "lesson"));
        let uid = world.request(now(), event_type, "Bo@Example.com", now() + Span::days(2));
        (world, uid)
    }

    fn v2(method: &str, target: &str) -> HttpRequest {
        HttpRequest::new(method, target)
            .with_header("Authorization", &format!("Bearer {KEY}"))
            .with_header("cal-api-version", "2024-08-13")
    }

    fn v1(method: &str, target: &str) -> HttpRequest {
        let join = if target.contains('?') { '&' } else { '?' };
        HttpRequest::new(method, &format!("{target}{join}apiKey={KEY}"))
    }

    fn send(world: &mut World, request: &HttpRequest) -> HandlerAnswer {
        handle(world, now(), request)
    }

    /// Returns a confirm request in the given dialect.
    fn confirm(world: &World, dialect: Dialect, uid: &str) -> HttpRequest {
        match dialect {
            Dialect::V2 => v2("POST", &format!("/v2/bookings/{uid}/confirm")),
            Dialect::V1 => {
                let id = world.booking(uid).unwrap().id;
                v1("PATCH", &format!("/v1/bookings/{id}"))
                    .with_header("Content-Type", "application/json")
                    .with_body(br#"{"status":"ACCEPTED"}"#.to_vec())
            }
        }
    }

    #[test]
    fn faults_strike_before_or_after_the_change_in_both_dialects() {
        let (before, after) = (Stage::Before, Stage::After);
        let target = "https://elsewhere.example.net/".to_owned();
        // fault, status, delivery, whether the change is made
        let rows = [
            (
                Fault::Error { stage: before },
                500,
                AnswerDelivery::Whole,
                false,
            ),
            (
                Fault::Error { stage: after },
                500,
                AnswerDelivery::Whole,
                true,
            ),
            (Fault::DatabaseDown, 500, AnswerDelivery::Whole, false),
            (
                Fault::BadGateway { stage: before },
                502,
                AnswerDelivery::Whole,
                false,
            ),
            (
                Fault::BadGateway { stage: after },
                502,
                AnswerDelivery::Whole,
                true,
            ),
            (
                Fault::HangUp { stage: before },
                500,
                AnswerDelivery::Disconnected,
                false,
            ),
            (
                Fault::HangUp { stage: after },
                200,
                AnswerDelivery::Disconnected,
                true,
            ),
            (Fault::Truncated, 200, AnswerDelivery::Truncated, true),
            (
                Fault::Limited { reset: 60 },
                429,
                AnswerDelivery::Whole,
                false,
            ),
            (
                Fault::Slow {
                    stage: after,
                    ms: 9,
                },
                200,
                AnswerDelivery::Delayed(9),
                true,
            ),
            (
                Fault::Slow {
                    stage: before,
                    ms: 9,
                },
                200,
                AnswerDelivery::Whole,
                true,
            ),
            (Fault::Flood, 200, AnswerDelivery::Flood, true),
            (
                Fault::Drip { ms: 1000 },
                200,
                AnswerDelivery::Drip(1000),
                true,
            ),
            (
                Fault::Redirect { to: target },
                307,
                AnswerDelivery::Whole,
                false,
            ),
            (Fault::EchoKey, 500, AnswerDelivery::Whole, false),
        ];
        for dialect in [Dialect::V2, Dialect::V1] {
            for (fault, status, delivery, changed) in &rows {
                let (mut world, uid) = world();
                world
                    .add_fault(FaultRule::on_next(Operation::Confirm, fault.clone()))
                    .unwrap();
                let request = confirm(&world, dialect, &uid);
                let got = send(&mut world, &request);
                let case = format!("{fault:?} in {dialect:?}");
                assert_eq!(
                    (got.response.status, got.delivery),
                    (*status, *delivery),
                    "{case}"
                );
                let accepted = world.status(&uid) == Some(SandboxStatus::Accepted);
                assert_eq!(accepted, *changed, "{case}");
                let text = String::from_utf8(got.response.body).unwrap();
                assert_eq!(text.contains(KEY), *fault == Fault::EchoKey, "{case}");
                let logged = &world.call_log.calls()[0];
                let expected_status =
                    (*delivery != AnswerDelivery::Disconnected).then_some(*status);
                assert_eq!(
                    (logged.kind, logged.status),
                    (Operation::Confirm, expected_status),
                    "{case}"
                );
                assert_eq!(logged.booking.as_deref(), Some(&*uid), "{case}");
                assert!(!logged.target.contains(KEY), "{case}");
                let second_request = confirm(&world, dialect, &uid);
                let second_answer = send(&mut world, &second_request);
                assert_eq!(
                    second_answer.delivery,
                    AnswerDelivery::Whole,
                    "{case} strikes once"
                );
            }
        }
    }

    #[test]
    fn a_slow_answer_is_delayed_at_the_stage_of_its_fault() {
        // stage, delay in front, state and mails while the call waits between, how late the answer
        // is
        let mailed = Some((SandboxStatus::Pending, 1));
        let rows = [
            (Stage::Before, Some(7), None, AnswerDelivery::Whole),
            (Stage::Between, None, mailed, AnswerDelivery::Whole),
            (Stage::After, None, None, AnswerDelivery::Delayed(7)),
        ];
        for (stage, held_up, waiting, delivery) in rows {
            let (mut world, uid) = world();
            world
                .add_fault(FaultRule::always(Fault::Slow { stage, ms: 7 }))
                .unwrap();
            let request = confirm(&world, Dialect::V2, &uid);
            let mut call = RunningCall::begin(&mut world, &request);
            assert_eq!(call.delay_before(), held_up, "{stage:?}");
            let delay = call.advance(&mut world, now(), &request);
            assert_eq!(delay, waiting.map(|_| 7), "{stage:?}");
            if let Some(expected) = waiting {
                let observed = (world.status(&uid).unwrap(), confirmations(&world, &uid));
                assert_eq!(observed, expected, "{stage:?}");
                let delay = call.advance(&mut world, now(), &request);
                assert_eq!(delay, None, "{stage:?} waits once");
            }
            let got = call.finish(&mut world, now(), &request);
            assert_eq!(got.delivery, delivery, "{stage:?}");
            let observed = (world.status(&uid).unwrap(), confirmations(&world, &uid));
            assert_eq!(observed, (SandboxStatus::Accepted, 1), "{stage:?}");
        }
    }

    fn confirmations(world: &World, uid: &str) -> u32 {
        let journal = &world.call_log;
        journal.mail_count(uid, Recipient::Booker, MailKind::Confirmed)
    }

    #[test]
    fn a_server_that_dies_between_the_steps_leaves_half_of_the_change() {
        // call, state and mails to the booker afterwards
        let reason = br#"{"reason":"full"}"#.to_vec();
        let ill = br#"{"cancellationReason":"ill"}"#.to_vec();
        let rows = [
            ("confirm", Vec::new(), SandboxStatus::Pending, (1, 0, 0)),
            ("decline", reason, SandboxStatus::Rejected, (0, 0, 0)),
            ("cancel", ill, SandboxStatus::Cancelled, (0, 0, 0)),
        ];
        let stage = Stage::Between;
        let faults = [
            (Fault::HangUp { stage }, None),
            (Fault::Error { stage }, Some(500)),
            (Fault::BadGateway { stage }, Some(502)),
        ];
        for (fault, status) in faults {
            for (operation, body, state, mails) in rows.clone() {
                let (mut world, uid) = world();
                world.add_fault(FaultRule::always(fault.clone())).unwrap();
                let request = v2("POST", &format!("/v2/bookings/{uid}/{operation}"))
                    .with_header("Content-Type", "application/json")
                    .with_body(body);
                send(&mut world, &request);
                let case = format!("{operation} with {fault:?}");
                assert_eq!(world.call_log.calls()[0].status, status, "{case}");
                assert_eq!(world.status(&uid), Some(state), "{case}");
                let mail = |kind| world.call_log.mail_count(&uid, Recipient::Booker, kind);
                let got = (
                    mail(MailKind::Confirmed),
                    mail(MailKind::Declined),
                    mail(MailKind::Cancelled),
                );
                assert_eq!(got, mails, "{case}");
                assert_eq!(world.running_calls(), 0, "{case}");
            }
        }
    }

    #[test]
    fn third_parties_act_between_the_mails_of_a_confirm_and_its_write() {
        let (mut world, uid) = world();
        let cancels = vec![ThirdPartyAction::BookerCancels(BookingRemark {
            reason: Some("ill".to_owned()),
            ..BookingRemark::without_reason(&uid)
        })];
        world.script.add(
            Trigger::between(Operation::Confirm, 1).for_booking(&uid),
            cancels,
        );
        let request = confirm(&world, Dialect::V2, &uid);
        let got = send(&mut world, &request).response.value();
        let observed = ["status", "cancellationReason", "cancelledByEmail"]
            .map(|name| got["data"][name].as_str().unwrap().to_owned());
        assert_eq!(observed, ["accepted", "ill", "Bo@Example.com"], "revived");
        assert_eq!(world.script.failures, [""; 0]);
    }

    #[test]
    fn row_faults_change_the_rows_of_answers() {
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
        for (as_if, pointer, value) in rows {
            let (mut world, uid) = world();
            let event_type = world.event_types()[0].id;
            let other = world.request(now(), event_type, "al@example.com", now() + Span::days(1));
            let rule = FaultRule::always(Fault::Rows {
                as_if: as_if.clone(),
            });
            world.add_fault(rule.for_booking(&uid)).unwrap();
            let list = send(&mut world, &v2("GET", "/v2/bookings"))
                .response
                .value();
            let row = list["data"].as_array().unwrap().iter();
            let row = row.clone().find(|row| row["uid"] == *uid).unwrap().clone();
            assert_eq!(row.pointer(pointer), Some(&value), "{as_if:?}");
            let other_rows = list["data"].as_array().unwrap().iter();
            let spared = other_rows.clone().find(|row| row["uid"] == *other).unwrap();
            assert_ne!(
                spared.pointer(pointer),
                Some(&value),
                "{as_if:?} spares others"
            );
            let single = send(&mut world, &v2("GET", &format!("/v2/bookings/{uid}")));
            assert_eq!(
                single.response.value()["data"].pointer(pointer),
                Some(&value)
            );
            let stored = world.booking(&uid).unwrap();
            assert_eq!(
                stored.status,
                SandboxStatus::Pending,
                "the row itself is as it was"
            );
        }
    }

    #[test]
    fn a_missing_row_is_still_counted() {
        let (mut world, uid) = world();
        let rule = FaultRule::on_next(
            Operation::List,
            Fault::Rows {
                as_if: RowFault::Missing,
            },
        );
        world
            .add_fault(rule.for_booking(&uid).times(FaultTimes::Count(2)))
            .unwrap();
        let list = send(&mut world, &v2("GET", "/v2/bookings"))
            .response
            .value();
        assert_eq!(list["data"], json!([]));
        assert_eq!(list["pagination"]["totalItems"], 1);
        let list = send(&mut world, &v1("GET", "/v1/bookings"))
            .response
            .value();
        assert_eq!(list, json!({"bookings": []}));
        let list = send(&mut world, &v1("GET", "/v1/bookings"))
            .response
            .value();
        assert_eq!(list["bookings"][0]["uid"], *uid);
    }

    #[test]
    fn a_stale_read_shows_the_earlier_rows() {
        let (mut world, uid) = world();
        world.add_fault(FaultRule::always(Fault::Stale)).unwrap();
        world
            .act(
                now(),
                ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&uid)),
            )
            .unwrap();
        let event_type = world.event_types()[0].id;
        world.request(now(), event_type, "al@example.com", now() + Span::days(1));
        let list = send(&mut world, &v2("GET", "/v2/bookings?status=unconfirmed"));
        let list = list.response.value();
        assert_eq!(list["data"][0]["uid"], *uid);
        assert_eq!(list["pagination"]["totalItems"], 1);
        world.fault_rules.clear();
        assert_eq!(world.status(&uid), Some(SandboxStatus::Cancelled));
        assert_eq!(world.bookings().len(), 2);
    }

    #[test]
    fn a_race_confirms_twice() {
        let (mut world, uid) = world();
        world
            .add_fault(FaultRule::on_next(Operation::Confirm, Fault::Race).skip_calls(1))
            .unwrap();
        let request = confirm(&world, Dialect::V2, &uid);
        let statuses = [200, 200, 400].map(|_| send(&mut world, &request).response.status);
        assert_eq!(statuses, [200, 200, 400]);
        let mails = world
            .call_log
            .mail_count(&uid, Recipient::Booker, MailKind::Confirmed);
        assert_eq!((mails, world.call_log.calendar_event_count(&uid)), (2, 2));
    }

    #[test]
    fn the_script_runs_between_two_calls() {
        let (mut world, uid) = world();
        let cancels = vec![ThirdPartyAction::BookerCancels(
            BookingRemark::without_reason(&uid),
        )];
        world
            .script
            .add(Trigger::after(Operation::List, 1), cancels);
        let moves = ThirdPartyAction::BookerMoves(BookingMove::new(&uid, now() + Span::days(3)));
        world.script.add(
            Trigger::before(Operation::Get, 1).for_booking(&uid),
            vec![moves],
        );
        let list = v2("GET", "/v2/bookings?status=unconfirmed");
        let first = send(&mut world, &list).response.value();
        assert_eq!(
            first["data"].as_array().unwrap().len(),
            1,
            "listed as it was"
        );
        assert_eq!(world.status(&uid), Some(SandboxStatus::Cancelled));
        send(&mut world, &v2("GET", &format!("/v2/bookings/{uid}")));
        assert_eq!(world.script.pending_count(), 0);
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
            let first = send(&mut world, &request).response;
            let tag = first.header_value("etag").unwrap().to_owned();
            let again = request.clone().with_header("If-None-Match", &tag);
            let second = send(&mut world, &again).response;
            assert_eq!((second.status, second.body.len()), (304, 0));
        }
        world.confirm(now(), &uid, true).unwrap();
        assert_eq!(world.call_log.call_count(Operation::List), 4);
    }

    #[test]
    fn limits_are_per_key_and_can_be_off() {
        let (mut world, _) = world();
        world.limits.v2 = Some(RateLimit::per_minute(2));
        let me = v2("GET", "/v2/me");
        let statuses = [(); 3].map(|()| send(&mut world, &me).response.status);
        assert_eq!(statuses, [200, 200, 429]);
        let v1_me = v1("GET", "/v1/me");
        assert_eq!(send(&mut world, &v1_me).response.status, 200, "v1 is apart");
        world.limits = RateLimits::off();
        let open = send(&mut world, &me).response;
        assert_eq!(open.status, 200);
        assert_eq!(
            open.header_value("x-ratelimit-limit-default"),
            Some("1000000")
        );
    }

    #[test]
    fn nothing_shows_the_key() {
        let (mut world, uid) = world();
        for request in [confirm(&world, Dialect::V1, &uid), v2("GET", "/v2/me")] {
            let mut call = RunningCall::begin(&mut world, &request);
            call.advance(&mut world, now(), &request);
            assert!(!format!("{call:?}{request:?}").contains(KEY));
            call.finish(&mut world, now(), &request);
        }
        assert!(!format!("{world:?}").contains("secret_of_the_test"));
    }
}
