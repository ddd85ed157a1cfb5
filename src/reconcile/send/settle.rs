//! Writes the results of a batch: its calls, and the end of every intent that has ended.

use std::collections::{BTreeMap, BTreeSet};

use super::BatchResult;
use super::in_flight::{CallState, InFlightCall};
use crate::domain::fact::Fact;
use crate::domain::gate::PassLimits;
use crate::domain::id::AccountId;
use crate::domain::intent::NextStep;
use crate::domain::messages;
use crate::domain::plan::Problem;
use crate::domain::time::Time;
use crate::reconcile::context::{PassError, Ports};
use crate::reconcile::report::StepOutcome;
use crate::store::port::{CommitError, Store};

/// Writes in one commit what is known: the calls, and the end of every intent that has ended.
/// Intents that are finished, or given up for this pass, leave their slots.
pub(super) async fn settle_finished_calls(
    ports: &Ports<'_>,
    limits: &PassLimits,
    slots: &mut [Option<InFlightCall>],
    result: &mut BatchResult,
    versions: &mut BTreeMap<AccountId, Option<u64>>,
) -> Result<(), PassError> {
    let mut fact_groups: Vec<Vec<Fact>> = Vec::new();
    let mut outcomes = Vec::new();
    let mut refunded_accounts = BTreeSet::new();
    let is_finished = |one: &mut InFlightCall| !one.busy && one.state != CallState::Waiting;
    for mut in_flight in slots
        .iter_mut()
        .filter_map(|slot| slot.take_if(is_finished))
    {
        let next_step = in_flight.next_step();
        let unanswered_since = in_flight.unanswered_since();
        let request = in_flight.request;
        let call_facts = in_flight.notes.drain(..).map(|call| Fact::CallRecorded {
            request: request.id.clone(),
            call,
        });
        let mut facts: Vec<Fact> = call_facts.collect();
        let (outcome, why) = match next_step {
            NextStep::Settle {
                outcome,
                facts: settlement_facts,
                problem,
            } => {
                if settlement_facts.iter().any(Fact::returns_credits) {
                    refunded_accounts.extend(request.account.clone());
                }
                facts.extend(settlement_facts);
                result.problems.extend(problem.map(|text| Problem {
                    code: "surprise",
                    text,
                }));
                (outcome.into(), None)
            }
            NextStep::Call(_) | NextStep::Wait { .. } | NextStep::Unclear => {
                let why = match (in_flight.why, unanswered_since) {
                    (Some(why), Some(sent_by)) => Some(still_running_text(&why, sent_by, limits)),
                    (why, _) => why,
                };
                let failed = in_flight.state == CallState::Failed;
                let outcome = if failed {
                    StepOutcome::Failed
                } else {
                    StepOutcome::Unresolved
                };
                (outcome, why)
            }
        };
        outcomes.push((request, outcome, why, fact_groups.len()));
        fact_groups.push(facts);
    }
    let mut rejected_groups = BTreeSet::new();
    if fact_groups.iter().any(|facts| !facts.is_empty()) {
        // If credits came back, or an operator changed the account since the batch was written,
        // what the plan says about the account is no longer true: the account keeps its old
        // version, so that later batches conflict and are decided again.
        let mut planned_versions = versions.clone();
        planned_versions.retain(|id, _| !refunded_accounts.contains(id));
        let at = (ports.clock)();
        let write_result = ports
            .store
            .with(move |store| write_settlements(store, at, fact_groups, planned_versions))
            .await?;
        versions.extend(write_result.versions);
        rejected_groups = write_result.rejected_groups;
    }
    for (request, outcome, why, number) in outcomes {
        let outcome = if rejected_groups.contains(&number) {
            StepOutcome::Unresolved
        } else {
            outcome
        };
        result.steps.push((request, outcome, why));
    }
    Ok(())
}

/// Returns why a call without an answer is not sent again immediately.
fn still_running_text(why: &str, sent_by: Time, limits: &PassLimits) -> String {
    format!(
        "{why}; {}",
        messages::call_still_running(sent_by + limits.resend_after)
    )
}

/// The result of writing the ends of intents.
struct SettleWriteResult {
    /// The new versions of the accounts that had no other change.
    versions: BTreeMap<AccountId, Option<u64>>,
    /// The indices of the groups that were not written.
    rejected_groups: BTreeSet<usize>,
}

fn write_settlements(
    store: &mut dyn Store,
    at: Time,
    fact_groups: Vec<Vec<Fact>>,
    planned_versions: BTreeMap<AccountId, Option<u64>>,
) -> Result<SettleWriteResult, PassError> {
    let version = |store: &dyn Store, id: &AccountId| {
        let account = store.account(id).map_err(PassError::Store)?;
        Ok::<_, PassError>(account.map(|account| account.version))
    };
    let mut unchanged_accounts = Vec::new();
    for (id, planned_version) in planned_versions {
        if version(store, &id)? == planned_version {
            unchanged_accounts.push(id);
        }
    }
    let rejected_groups = commit_all_or_each(store, at, fact_groups)?;
    let mut versions = BTreeMap::new();
    for id in unchanged_accounts {
        versions.insert(id.clone(), version(store, &id)?);
    }
    Ok(SettleWriteResult {
        versions,
        rejected_groups,
    })
}

/// Writes the ends of intents, all in one commit. If an operator has meanwhile ended the charge
/// that one of the intents takes over, each end is written individually. Returns the indices of the
/// groups that do not fit, which the next pass reads again.
///
/// # Errors
/// Returns an error if the store fails.
pub fn commit_all_or_each(
    store: &mut dyn Store,
    at: Time,
    fact_groups: Vec<Vec<Fact>>,
) -> Result<BTreeSet<usize>, PassError> {
    let all: Vec<Fact> = fact_groups.iter().flatten().cloned().collect();
    let mut rejected_groups = BTreeSet::new();
    match store.commit(at, all, &[]) {
        Ok(_) => return Ok(rejected_groups),
        Err(CommitError::Violation(_)) => {}
        Err(error) => return Err(PassError::Commit(error)),
    }
    for (number, facts) in fact_groups.into_iter().enumerate() {
        match store.commit(at, facts, &[]) {
            Ok(_) => {}
            Err(CommitError::Violation(why)) => {
                tracing::warn!(%why, "an end that does not fit: the next pass goes on");
                rejected_groups.insert(number);
            }
            Err(error) => return Err(PassError::Commit(error)),
        }
    }
    Ok(rejected_groups)
}
