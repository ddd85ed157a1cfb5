//! Turns one request into one answer: runs the script's actions around the call, applies the call's
//! faults, lets the dialect answer, and records the call. A call takes steps, because other calls
//! may act in between (see `transitions`): `RunningCall::begin` selects the faults, `advance` takes
//! the steps and says when to wait, and `finish` returns the answer.

use std::mem;

use super::api_route::ApiRoute;
use super::call_log::{LoggedCall, Operation};
use super::etag::apply_etag;
use super::fault_responses::{
    apply_response_fault, internal_error, interrupt_second_step, respond_without_handling,
};
use super::faults::{AppliedFault, Fault, Stage};
use super::http_types::{AnswerDelivery, HttpRequest, HttpResponse};
use super::id_generator::mix_bits;
use super::rate_limiter::RateDecision;
use super::response_mutation::apply_row_faults;
use super::script::TriggerTime;
use super::transitions::PendingTransition;
use super::v2::error::ErrorWriter;
use super::world::World;
use super::{v1, v2};
use crate::domain::dialect::Dialect;
use crate::domain::time::Time;

/// An answer, and how it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerAnswer {
    /// The answer.
    pub response: HttpResponse,
    /// How the answer is sent.
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

#[cfg(test)]
mod tests;
