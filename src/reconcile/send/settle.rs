//! Writes the results of a batch: its calls, and the end of every intent that has ended.

pub mod write_ends;

use std::collections::{BTreeMap, BTreeSet};

use super::BatchResult;
use super::in_flight::{CallState, InFlightCall};
use crate::domain::expected::Expected;
use crate::domain::fact::{Fact, RequestFact};
use crate::domain::gate::PassLimits;
use crate::domain::id::AccountId;
use crate::domain::intent::NextStep;
use crate::domain::messages;
use crate::domain::plan::Problem;
use crate::domain::request::Request;
use crate::domain::time::Time;
use crate::reconcile::context::{PassError, Ports};
use crate::reconcile::report::StepOutcome;
use write_ends::{EndOfIntent, write_ends};

/// The intents that left their slots.
#[derive(Default)]
struct EndedIntents {
    /// What is to be written about each intent.
    ends: Vec<EndOfIntent>,
    /// Each request, its outcome, why it is not finished, and the index of its end in `ends`.
    outcomes: Vec<(Request, StepOutcome, Option<String>, usize)>,
    /// The accounts to which credits came back.
    refunded_accounts: BTreeSet<AccountId>,
}

/// Writes in one commit what is known: the calls, and the end of every intent that has ended.
/// Intents that are finished, or given up for this pass, leave their slots.
pub(super) async fn settle_finished_calls(
    ports: &Ports<'_>,
    limits: &PassLimits,
    slots: &mut [Option<InFlightCall>],
    result: &mut BatchResult,
    versions: &mut BTreeMap<AccountId, u64>,
) -> Result<(), PassError> {
    let EndedIntents {
        ends,
        outcomes,
        refunded_accounts,
    } = take_ended_intents(limits, slots, &mut result.problems);
    let mut rejected_ends = BTreeSet::new();
    if ends.iter().any(|end| !end.facts.is_empty()) {
        // If credits came back, or an operator changed the account since the batch was written,
        // what the plan says about the account is no longer true: the account keeps its old
        // version, so that later batches conflict and are decided again.
        let mut planned_versions = versions.clone();
        planned_versions.retain(|id, _| !refunded_accounts.contains(id));
        let at = (ports.clock)();
        let write_result = ports
            .store
            .with(move |store| write_ends(store, at, ends, planned_versions))
            .await?;
        versions.extend(write_result.versions);
        rejected_ends = write_result.rejected_ends;
    }
    for (request, outcome, why, number) in outcomes {
        let outcome = if rejected_ends.contains(&number) {
            StepOutcome::Unresolved
        } else {
            outcome
        };
        result.steps.push((request, outcome, why));
    }
    Ok(())
}

/// Takes the intents that are finished, or given up for this pass, out of their slots.
fn take_ended_intents(
    limits: &PassLimits,
    slots: &mut [Option<InFlightCall>],
    problems: &mut Vec<Problem>,
) -> EndedIntents {
    let mut ended_intents = EndedIntents::default();
    let is_finished = |one: &mut InFlightCall| !one.busy && one.state != CallState::Waiting;
    for mut in_flight in slots
        .iter_mut()
        .filter_map(|slot| slot.take_if(is_finished))
    {
        let next_step = in_flight.next_step();
        let unanswered_since = in_flight.unanswered_since();
        let (request, version) = (in_flight.request, in_flight.version);
        let call_facts = in_flight.notes.drain(..).map(|call| {
            Fact::Request(RequestFact::CallRecorded {
                request: request.id.clone(),
                call,
            })
        });
        let mut facts: Vec<Fact> = call_facts.collect();
        let (outcome, why) = match next_step {
            NextStep::Settle {
                outcome,
                facts: settlement_facts,
                problem,
            } => {
                if settlement_facts.iter().any(Fact::returns_credits) {
                    ended_intents
                        .refunded_accounts
                        .extend(request.account.clone());
                }
                facts.extend(settlement_facts);
                problems.extend(problem.map(|text| Problem {
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
        let expected = Expected::Request {
            id: request.id.clone(),
            version,
        };
        let number = ended_intents.ends.len();
        ended_intents.outcomes.push((request, outcome, why, number));
        ended_intents.ends.push(EndOfIntent { facts, expected });
    }
    ended_intents
}

/// Returns why a call without an answer is not sent again immediately.
fn still_running_text(why: &str, sent_by: Time, limits: &PassLimits) -> String {
    format!(
        "{why}; {}",
        messages::call_still_running(sent_by + limits.resend_after)
    )
}
