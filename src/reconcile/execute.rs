//! Executes a plan: writes down, acts, settles. Steps are processed in batches: one commit records
//! the intents and holds of a batch, the calls run concurrently, and one commit settles what is
//! known. The executor decides nothing: what a booking *is* after a call goes through
//! `domain::intent` like any reading.

mod record_intents;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::clock::clock_is_off;
use super::context::{PassError, Ports};
use super::report::{StepOutcome, StepReport};
use super::send::in_flight::InFlightCall;
use super::send::{BatchResult, send_batch};
use super::store_reads;
use crate::domain::decision::Decision;
use crate::domain::fact::{Fact, RequestFact};
use crate::domain::gate::PassLimits;
use crate::domain::id::AccountId;
use crate::domain::ledger::Violation;
use crate::domain::plan::{Action, Plan, Problem, Step};
use crate::domain::request::Request;
use crate::domain::time::{Span, Time};
use crate::store::port::{CommitError, Store};
use record_intents::record_intents;

/// The maximum number of requests in one commit.
pub const MAX_BATCH: usize = 256;

/// The maximum age of a plan at which a batch is started. After that, the next pass plans the
/// remaining steps again, because accepted bookings and balances may have changed.
const MAX_PLAN_AGE: Span = Span::minutes(1);

/// The result of executing a plan.
#[derive(Debug, Default)]
pub struct ExecutionReport {
    /// The steps of the plan, with their outcomes, in the order in which they ended.
    pub steps: Vec<StepReport>,
    /// What an operator should know, of the plan and of its execution.
    pub problems: Vec<Problem>,
    /// Whether steps were left for the next pass.
    pub more: bool,
}

impl ExecutionReport {
    /// Records a step whose facts do not fit the stored records, although the records are as they
    /// were read: a defect.
    fn record_violation(&mut self, request: Request, violation: &Violation) {
        self.problems.push(Problem {
            code: "misfit",
            text: format!(
                "request {} cannot be recorded, so no call was sent for it: {violation}; please \
                 report this with the output of `maitred explain {}`",
                request.id, request.id
            ),
        });
        self.steps.push(StepReport {
            request,
            outcome: StepOutcome::Failed,
            why: Some(violation.to_string()),
        });
    }

    /// Records a step that is left for the next pass, because something that it rests on was
    /// changed meanwhile.
    fn record_conflict(&mut self, request: Request) {
        self.more = true;
        self.steps.push(StepReport {
            request,
            outcome: StepOutcome::NothingToDo,
            why: None,
        });
    }
}

/// A step that needs no call: the facts that it writes, its outcome, and why it is not finished.
type StepWithoutCall = (Step, Vec<Fact>, (StepOutcome, Option<String>));

/// Executes the plan.
///
/// # Errors
/// Returns an error if Cal.com refuses the key or the store can no longer write. Everything that
/// was started is in the log.
pub async fn execute(
    ports: &Ports<'_>,
    limits: &PassLimits,
    planned_at: Time,
    plan: Plan,
    execution: &mut ExecutionReport,
) -> Result<(), PassError> {
    execution.problems.extend(plan.problems);
    execution.more |= plan.has_more;
    let mut prepared_calls = Vec::new();
    let mut without_call: Vec<StepWithoutCall> = Vec::new();
    for step in plan.steps {
        match step.action.clone() {
            Action::Send { facts, call } => prepared_calls.push(InFlightCall::new(
                Arc::unwrap_or_clone(step.request),
                facts,
                step.expected,
                call,
            )),
            Action::Settle {
                facts,
                outcome,
                problem,
            } => {
                execution.problems.extend(problem.map(unexpected_outcome));
                without_call.push((step, facts, (outcome.into(), None)));
            }
            Action::Note { write } => {
                let facts = if write {
                    vec![Fact::Request(RequestFact::Decided {
                        request: Arc::clone(&step.request),
                    })]
                } else {
                    Vec::new()
                };
                without_call.push((step, facts, (StepOutcome::NothingToDo, None)));
            }
            Action::Postpone { reason: why } => {
                without_call.push((step, Vec::new(), (StepOutcome::Unresolved, Some(why))));
            }
        }
    }
    // The state that new declines depend on was read just before, so they are sent first.
    prepared_calls.sort_by_key(|prepared_call| {
        prepared_call.request.decision != Decision::Decline || prepared_call.facts.is_empty()
    });
    write_unresolved_list(ports, plan.unresolved_facts).await?;
    write_steps_without_call(ports, without_call, execution).await?;
    send_in_batches(ports, limits, planned_at, prepared_calls, execution).await
}

fn unexpected_outcome(text: String) -> Problem {
    Problem {
        code: "surprise",
        text,
    }
}

/// Writes the additions to and the removals from the unresolved list. Items that an operator has
/// resolved meanwhile stay as they are.
async fn write_unresolved_list(ports: &Ports<'_>, facts: Vec<Fact>) -> Result<(), PassError> {
    if facts.is_empty() {
        return Ok(());
    }
    let decide = move |store: &dyn Store| {
        let facts =
            store_reads::applicable_unresolved_facts(store, &facts).map_err(PassError::Store)?;
        Ok((facts, ()))
    };
    match ports.store.transaction((ports.clock)(), decide).await {
        Err(PassError::Commit(CommitError::Violation(why))) => {
            tracing::warn!(%why, "the unresolved list is not changed: the next pass continues");
            Ok(())
        }
        result => result,
    }
}

/// Writes the steps that need no call: requests that were finished meanwhile, and notes.
async fn write_steps_without_call(
    ports: &Ports<'_>,
    steps: Vec<StepWithoutCall>,
    execution: &mut ExecutionReport,
) -> Result<(), PassError> {
    let mut steps = steps.into_iter().peekable();
    while steps.peek().is_some() {
        let batch: Vec<_> = steps.by_ref().take(MAX_BATCH).collect();
        let with_facts = batch.iter().filter(|(_, facts, _)| !facts.is_empty());
        let (mut facts, mut expected) = (Vec::new(), Vec::new());
        for (step, step_facts, _) in with_facts {
            facts.extend(step_facts.iter().cloned());
            expected.extend(step.expected.iter().cloned());
        }
        if !facts.is_empty() {
            match ports.store.commit((ports.clock)(), facts, expected).await {
                Ok(_) => {}
                Err(CommitError::Conflict(changed)) => {
                    tracing::info!(%changed, "changed meanwhile: the next pass decides again");
                    let (affected, unaffected): (Vec<_>, Vec<_>) =
                        batch.into_iter().partition(|(step, facts, _)| {
                            let mut expected = step.expected.iter();
                            !facts.is_empty() && expected.any(|one| one.is_same_record(&changed))
                        });
                    assert!(
                        !affected.is_empty(),
                        "a conflict names a record of the batch"
                    );
                    for (step, ..) in affected {
                        execution.record_conflict(Arc::unwrap_or_clone(step.request));
                    }
                    Box::pin(write_steps_without_call(ports, unaffected, execution)).await?;
                    continue;
                }
                Err(CommitError::Violation(violation)) if batch.len() == 1 => {
                    let (step, ..) = batch.into_iter().next().expect("there is one");
                    execution.record_violation(Arc::unwrap_or_clone(step.request), &violation);
                    continue;
                }
                // A step that does not fit must not block the others, so each step is written
                // individually.
                Err(CommitError::Violation(_)) => {
                    for step in batch {
                        Box::pin(write_steps_without_call(ports, vec![step], execution)).await?;
                    }
                    continue;
                }
                Err(error) => return Err(PassError::Commit(error)),
            }
        }
        for (step, facts, (outcome, why)) in batch {
            if outcome == StepOutcome::NothingToDo && !facts.is_empty() {
                log_note(&step.request);
            } else {
                log_outcome(&step.request, outcome, why.as_deref());
            }
            execution.steps.push(StepReport {
                request: Arc::unwrap_or_clone(step.request),
                outcome,
                why,
            });
        }
    }
    Ok(())
}

async fn send_in_batches(
    ports: &Ports<'_>,
    limits: &PassLimits,
    planned_at: Time,
    prepared_calls: Vec<InFlightCall>,
    execution: &mut ExecutionReport,
) -> Result<(), PassError> {
    let mut versions: BTreeMap<AccountId, u64> = BTreeMap::new();
    let mut prepared_calls = prepared_calls.into_iter().peekable();
    while prepared_calls.peek().is_some() {
        let is_stale = (ports.clock)() - planned_at > MAX_PLAN_AGE;
        if ports.stop.is_set() || is_stale || clock_is_off(ports) {
            execution.more = true;
            execution
                .steps
                .extend(prepared_calls.map(|prepared_call| StepReport {
                    outcome: if prepared_call.facts.is_empty() {
                        StepOutcome::Unresolved
                    } else {
                        StepOutcome::NothingToDo
                    },
                    request: prepared_call.request,
                    why: None,
                }));
            return Ok(());
        }
        let size = ports.calendar.available_calls().clamp(1, MAX_BATCH);
        let batch: Vec<InFlightCall> = prepared_calls.by_ref().take(size).collect();
        let intents = record_intents(ports, batch, &mut versions, execution).await?;
        let batch_result = send_batch(ports, limits, intents, &mut versions).await;
        record_batch_result(batch_result, execution)?;
    }
    Ok(())
}

fn record_batch_result(
    batch_result: BatchResult,
    execution: &mut ExecutionReport,
) -> Result<(), PassError> {
    execution.problems.extend(batch_result.problems);
    for (request, outcome, why) in batch_result.steps {
        log_outcome(&request, outcome, why.as_deref());
        execution.steps.push(StepReport {
            request,
            outcome,
            why,
        });
    }
    match batch_result.fatal_error {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Logs a request that was noted for the first time, or for another reason than before.
fn log_note(request: &Request) {
    let gate = request.gate.as_deref().unwrap_or("-");
    let codes: Vec<&str> = request.reasons.iter().map(|r| r.code.as_str()).collect();
    let reasons = codes.join(",");
    let text = match request.decision {
        Decision::Review => "waits for an operator: `maitred review list`",
        Decision::Wait { .. } => "waits",
        Decision::Leave => "left alone",
        Decision::Confirm | Decision::Decline => "noted",
    };
    tracing::info!(request = %request.id, gate, reasons, "{text}");
}

fn log_outcome(request: &Request, outcome: StepOutcome, why: Option<&str>) {
    let gate = request.gate.as_deref().unwrap_or("-");
    let codes: Vec<&str> = request.reasons.iter().map(|r| r.code.as_str()).collect();
    let reasons = codes.join(",");
    match outcome {
        StepOutcome::Confirmed => tracing::info!(
            request = %request.id,
            gate,
            credits = request.credits,
            reasons,
            "{}",
            outcome.as_str()
        ),
        // Nothing is charged.
        StepOutcome::Declined | StepOutcome::Superseded => tracing::info!(
            request = %request.id,
            gate,
            reasons,
            "{}",
            outcome.as_str()
        ),
        StepOutcome::Unresolved | StepOutcome::Failed => tracing::warn!(
            request = %request.id,
            gate,
            decision = request.decision.as_str(),
            why,
            "{}: the next pass continues",
            outcome.as_str()
        ),
        StepOutcome::Refused => tracing::warn!(
            request = %request.id,
            gate,
            decision = request.decision.as_str(),
            "Cal.com refuses it: left pending for a person"
        ),
        StepOutcome::Planned | StepOutcome::NothingToDo => tracing::debug!(
            request = %request.id,
            gate,
            decision = request.decision.as_str(),
            reasons,
            "nothing done"
        ),
    }
}
