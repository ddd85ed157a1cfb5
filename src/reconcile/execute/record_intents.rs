//! Records a batch of new decisions: all its intents and holds in one commit. Steps whose records
//! were changed since they were read are left out; the next pass decides them again.

use std::collections::BTreeMap;

use super::ExecutionReport;
use crate::domain::expected::Expected;
use crate::domain::fact::Fact;
use crate::domain::id::{AccountId, RequestId};
use crate::domain::ledger::Violation;
use crate::domain::request::{Charge, Request};
use crate::reconcile::context::{PassError, Ports};
use crate::reconcile::send::in_flight::InFlightCall;
use crate::reconcile::store_reads;
use crate::store::port::CommitError;

/// Records the batch and returns what was recorded. `versions` holds the versions that this pass has
/// given to accounts, and is brought up to date.
pub(super) async fn record_intents(
    ports: &Ports<'_>,
    mut batch: Vec<InFlightCall>,
    versions: &mut BTreeMap<AccountId, u64>,
    execution: &mut ExecutionReport,
) -> Result<Vec<InFlightCall>, PassError> {
    loop {
        let new_decisions = batch.iter().filter(|call| !call.facts.is_empty());
        let (mut facts, mut expected) = (Vec::new(), Vec::new());
        for call in new_decisions {
            facts.extend(call.facts.iter().cloned());
            expected.extend(call.expected.iter().map(|one| up_to_date(one, versions)));
        }
        let request_ids = batch.iter().map(|call| &call.request.id);
        match commit_intents(ports, facts, expected, request_ids).await? {
            Ok((recorded_requests, new_versions)) => {
                versions.extend(new_versions);
                let pairs = batch.into_iter().zip(recorded_requests);
                return Ok(pairs
                    .map(|(mut prepared_call, recorded)| {
                        prepared_call.set_recorded_intent(
                            (recorded.request, recorded.version),
                            recorded.charges,
                            recorded.carried_charge,
                        );
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
                    let single_call = vec![prepared_call];
                    let recorded = record_intents(ports, single_call, versions, execution);
                    intents.extend(Box::pin(recorded).await?);
                }
                return Ok(intents);
            }
            Err(BatchRejection::Conflict(changed)) => {
                let (affected_calls, remaining): (Vec<_>, Vec<_>) =
                    batch.into_iter().partition(|call| rests_on(call, &changed));
                assert!(
                    !affected_calls.is_empty(),
                    "a conflict names a record of the batch"
                );
                tracing::info!(
                    requests = affected_calls.len(),
                    %changed,
                    "changed meanwhile: the next pass decides again"
                );
                for prepared_call in affected_calls {
                    execution.record_conflict(prepared_call.request);
                }
                batch = remaining;
            }
        }
    }
}

/// Returns what is expected of a record, with the version that this pass itself has given to it.
fn up_to_date(expected: &Expected, versions: &BTreeMap<AccountId, u64>) -> Expected {
    match expected {
        Expected::Account { id, version } => Expected::Account {
            id: id.clone(),
            version: versions.get(id).copied().or(*version),
        },
        Expected::Request { .. }
        | Expected::Charge { .. }
        | Expected::Alias { .. }
        | Expected::Head { .. } => expected.clone(),
    }
}

fn is_compared(account: &AccountId, expected: &[Expected]) -> bool {
    expected
        .iter()
        .any(|one| matches!(one, Expected::Account { id, .. } if id == account))
}

/// Returns true if the facts of the call rest on this record.
fn rests_on(call: &InFlightCall, changed: &Expected) -> bool {
    let mut expected = call.expected.iter();
    !call.facts.is_empty() && expected.any(|one| one.is_same_record(changed))
}

/// An intent as it was read back after its commit.
struct RecordedRequest {
    request: Request,
    version: Option<u64>,
    charges: Vec<Charge>,
    carried_charge: Option<Charge>,
}

type CommitIntentsResult = Result<(Vec<RecordedRequest>, Vec<(AccountId, u64)>), BatchRejection>;

/// The reason why a batch was not written.
enum BatchRejection {
    /// A record was changed after it was read.
    Conflict(Expected),
    /// A fact does not fit the stored records, although they are as they were read.
    Violation(Violation),
}

/// Commits, then reads back the recorded requests, in one visit to the store. Returns the requests
/// and the new versions of the accounts.
async fn commit_intents(
    ports: &Ports<'_>,
    facts: Vec<Fact>,
    expected: Vec<Expected>,
    requests: impl Iterator<Item = &RequestId>,
) -> Result<CommitIntentsResult, PassError> {
    let at = (ports.clock)();
    let requests: Vec<RequestId> = requests.cloned().collect();
    ports
        .store
        .with(move |store| {
            let mut versions = Vec::new();
            if !facts.is_empty() {
                match store.commit(at, facts, &expected) {
                    // The plan has not seen the current version of an account that the commit did
                    // not compare.
                    Ok(committed) => {
                        versions = committed.accounts;
                        versions.retain(|(account, _)| is_compared(account, &expected));
                    }
                    Err(CommitError::Conflict(changed)) => {
                        return Ok(Err(BatchRejection::Conflict(changed)));
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
                recorded_requests.push(RecordedRequest {
                    version: store.request_version(id).map_err(PassError::Store)?,
                    request,
                    charges,
                    carried_charge,
                });
            }
            Ok(Ok((recorded_requests, versions)))
        })
        .await
}
