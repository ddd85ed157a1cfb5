//! Executes a plan: writes down, acts, settles. Steps are processed in batches: one commit records
//! the intents and holds of a batch, the calls run concurrently, and one commit settles what is
//! known. The executor decides nothing: what a booking *is* after a call goes through
//! `domain::intent` like any reading.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::clock::clock_is_off;
use super::context::{PassError, Ports};
use super::report::{StepOutcome, StepReport};
use super::send::in_flight::InFlightCall;
use super::send::settle::commit_all_or_each;
use super::send::{BatchResult, send_batch};
use super::store_reads;
use crate::domain::decision::Decision;
use crate::domain::fact::Fact;
use crate::domain::gate::PassLimits;
use crate::domain::id::{AccountId, Address, RequestId};
use crate::domain::ledger::Violation;
use crate::domain::plan::{Action, Plan, Problem, Step};
use crate::domain::request::{Charge, ChargeState, OperatorReview, Request};
use crate::domain::time::{Span, Time};
use crate::store::port::{CommitError, ExpectedVersion, Store};

/// The maximum number of requests in one commit.
pub const MAX_BATCH: usize = 256;

/// The maximum age of a plan at which a batch is started. After that, the next pass plans the
/// remaining steps again, because accepted bookings and balances may have changed.
const MAX_PLAN_AGE: Span = Span::minutes(1);

/// The result of executing a plan.
#[derive(Debug, Default)]
pub struct ExecutionReport {
    pub steps: Vec<StepReport>,
    pub problems: Vec<Problem>,
    /// Whether steps were left for the next pass.
    pub more: bool,
}

impl ExecutionReport {
    /// Records a step whose facts do not fit the stored state: a defect, or the sign of a change
    /// from outside.
    fn record_violation(&mut self, request: Request, violation: &Violation) {
        self.problems.push(Problem {
            code: "misfit",
            text: format!(
                "request {} cannot be written down, so nothing was sent for it: {violation}; please \
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
            Action::Send {
                facts,
                expected_account: expected_version,
                call,
            } => prepared_calls.push(InFlightCall::new(
                Arc::unwrap_or_clone(step.request),
                facts,
                expected_version,
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
                    vec![Fact::RequestDecided {
                        request: Arc::clone(&step.request),
                    }]
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
    let at = (ports.clock)();
    let fact_groups = facts.into_iter().map(|fact| vec![fact]).collect();
    ports
        .store
        .with(move |store| commit_all_or_each(store, at, fact_groups))
        .await
        .map(|_| ())
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
        let facts: Vec<Fact> = batch
            .iter()
            .flat_map(|(_, facts, _)| facts.clone())
            .collect();
        if !facts.is_empty() {
            let at = (ports.clock)();
            let commit_result = ports
                .store
                .with(move |store| store.commit(at, facts, &[]))
                .await;
            match commit_result {
                Ok(_) => {}
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
    let mut versions: BTreeMap<AccountId, Option<u64>> = BTreeMap::new();
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

/// Records a batch: all its intents and holds in one commit. Leaves out steps whose account an
/// operator changed meanwhile; the next pass decides them again.
async fn record_intents(
    ports: &Ports<'_>,
    mut batch: Vec<InFlightCall>,
    versions: &mut BTreeMap<AccountId, Option<u64>>,
    execution: &mut ExecutionReport,
) -> Result<Vec<InFlightCall>, PassError> {
    loop {
        let mut facts = Vec::new();
        let mut expected: BTreeMap<AccountId, Option<u64>> = BTreeMap::new();
        for prepared_call in &batch {
            if prepared_call.facts.is_empty() {
                continue;
            }
            facts.extend(prepared_call.facts.iter().cloned());
            if let Some((account, version)) = &prepared_call.expected_version {
                let version = versions.get(account).unwrap_or(version);
                expected.insert(account.clone(), *version);
            }
        }
        let new_decisions = batch
            .iter()
            .filter(|prepared_call| !prepared_call.facts.is_empty());
        let reviews = new_decisions.map(|prepared_call| {
            (
                prepared_call.request.id.clone(),
                prepared_call.request.review.clone(),
            )
        });
        let reviews = reviews.collect();
        let request_ids = batch.iter().map(|prepared_call| &prepared_call.request.id);
        let commit_result = commit_intents(ports, facts, expected, reviews, request_ids).await?;
        match commit_result {
            Ok((recorded_requests, new_versions)) => {
                versions.extend(new_versions);
                let pairs = batch.into_iter().zip(recorded_requests);
                return Ok(pairs
                    .map(|(mut prepared_call, (request, charges, carried_charge))| {
                        prepared_call.set_recorded_intent(request, charges, carried_charge);
                        prepared_call
                    })
                    .collect());
            }
            Err(BatchRejection::Violation(violation)) if batch.len() == 1 => {
                let prepared_call = batch.into_iter().next().expect("there is one");
                execution.record_violation(prepared_call.request, &violation);
                return Ok(Vec::new());
            }
            // A step that does not fit must not block the others, so each step is recorded
            // individually.
            Err(BatchRejection::Violation(_)) => {
                let mut intents = Vec::new();
                for prepared_call in batch {
                    intents.extend(
                        Box::pin(record_intents(
                            ports,
                            vec![prepared_call],
                            versions,
                            execution,
                        ))
                        .await?,
                    );
                }
                return Ok(intents);
            }
            Err(BatchRejection::OperatorAnswered(id)) => {
                let (answered_calls, remaining): (Vec<_>, Vec<_>) = batch
                    .into_iter()
                    .partition(|prepared_call| prepared_call.request.id == id);
                tracing::info!(request = %id, "an operator has answered it meanwhile");
                execution.more = true;
                execution
                    .steps
                    .extend(answered_calls.into_iter().map(|prepared_call| StepReport {
                        request: prepared_call.request,
                        outcome: StepOutcome::NothingToDo,
                        why: None,
                    }));
                batch = remaining;
            }
            Err(BatchRejection::AccountChanged(account)) => {
                let uses_account = |prepared_call: &InFlightCall| {
                    !prepared_call.facts.is_empty()
                        && prepared_call
                            .expected_version
                            .as_ref()
                            .is_some_and(|(id, _)| *id == account)
                };
                let (affected_calls, remaining): (Vec<_>, Vec<_>) =
                    batch.into_iter().partition(uses_account);
                assert!(
                    !affected_calls.is_empty(),
                    "a conflict names an account of the batch"
                );
                tracing::info!(
                    requests = affected_calls.len(),
                    "an account was changed meanwhile"
                );
                execution.more = true;
                execution
                    .steps
                    .extend(affected_calls.into_iter().map(|prepared_call| StepReport {
                        request: prepared_call.request,
                        outcome: StepOutcome::NothingToDo,
                        why: None,
                    }));
                batch = remaining;
            }
        }
    }
}

type RecordedRequest = (
    Request,
    Vec<crate::domain::request::Charge>,
    Option<crate::domain::request::Charge>,
);
type CommitIntentsResult =
    Result<(Vec<RecordedRequest>, BTreeMap<AccountId, Option<u64>>), BatchRejection>;

/// The reason why a batch was not written.
enum BatchRejection {
    /// An operator changed the account meanwhile.
    AccountChanged(AccountId),
    /// Meanwhile an operator reviewed the request, or ended the charge that the request takes over.
    OperatorAnswered(RequestId),
    /// A fact does not fit the stored state.
    Violation(Violation),
}

/// Commits, then reads back the recorded requests and the accounts' new versions, in one visit to
/// the store.
async fn commit_intents(
    ports: &Ports<'_>,
    facts: Vec<Fact>,
    expected: BTreeMap<AccountId, Option<u64>>,
    reviews: Vec<(RequestId, Option<OperatorReview>)>,
    requests: impl Iterator<Item = &RequestId>,
) -> Result<CommitIntentsResult, PassError> {
    let at = (ports.clock)();
    let requests: Vec<RequestId> = requests.cloned().collect();
    ports
        .store
        .with(move |store| {
            let accounts: Vec<AccountId> = expected.keys().cloned().collect();
            if let Some(account) = find_newly_resolved_account(store, &expected)? {
                return Ok(Err(BatchRejection::AccountChanged(account)));
            }
            for (id, review) in reviews {
                let stored_request = store.request(&id).map_err(PassError::Store)?;
                if stored_request.and_then(|request| request.review) != review {
                    return Ok(Err(BatchRejection::OperatorAnswered(id)));
                }
            }
            let expected: Vec<ExpectedVersion> = expected
                .into_iter()
                .map(|(account, version)| ExpectedVersion { account, version })
                .collect();
            if let Some(id) = find_intent_without_open_predecessor(store, &facts)? {
                return Ok(Err(BatchRejection::OperatorAnswered(id)));
            }
            if !facts.is_empty() {
                match store.commit(at, facts, &expected) {
                    Ok(_) => {}
                    Err(CommitError::Conflict(account)) => {
                        return Ok(Err(BatchRejection::AccountChanged(account)));
                    }
                    Err(CommitError::Violation(violation)) => {
                        return Ok(Err(BatchRejection::Violation(violation)));
                    }
                    Err(error) => return Err(PassError::Commit(error)),
                }
            }
            let mut recorded_requests = Vec::new();
            for id in &requests {
                let request = store.request(id).map_err(PassError::Store)?;
                let request = request.expect("an intent that was committed can be read");
                let (charges, carried_charge) =
                    store_reads::read_holds(store, &request).map_err(PassError::Store)?;
                recorded_requests.push((request, charges, carried_charge));
            }
            let mut versions = BTreeMap::new();
            for id in accounts {
                let account = store.account(&id).map_err(PassError::Store)?;
                versions.insert(id, account.map(|account| account.version));
            }
            Ok(Ok((recorded_requests, versions)))
        })
        .await
}

/// Finds a new intent whose predecessor's charge was ended after the plan read the charge. The next
/// pass decides that request again.
fn find_intent_without_open_predecessor(
    store: &dyn Store,
    facts: &[Fact],
) -> Result<Option<RequestId>, PassError> {
    for fact in facts {
        let Fact::RequestDecided { request } = fact else {
            continue;
        };
        let Some(from) = &request.predecessor else {
            continue;
        };
        let charge = store.charge(from).map_err(PassError::Store)?;
        let is_open =
            |charge: Charge| charge.state == ChargeState::Open && charge.taken_over_by.is_none();
        if !charge.is_some_and(is_open) {
            return Ok(Some(request.id.clone()));
        }
    }
    Ok(None)
}

/// Finds an address that led to no account when the plan resolved it, but leads to one now. A new
/// alias changes no version that the store could compare.
fn find_newly_resolved_account(
    store: &dyn Store,
    expected: &BTreeMap<AccountId, Option<u64>>,
) -> Result<Option<AccountId>, PassError> {
    for (name, version) in expected {
        if version.is_some() {
            continue;
        }
        let Ok(address) = Address::parse(name.as_str()) else {
            continue;
        };
        if store.resolve(&address).map_err(PassError::Store)?.is_some() {
            return Ok(Some(name.clone()));
        }
    }
    Ok(None)
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
            "{}: the next pass goes on",
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
