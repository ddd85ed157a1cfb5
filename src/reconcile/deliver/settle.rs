//! Writing down what a batch gave: its calls, and the end of every intent that has one.

use std::collections::{BTreeMap, BTreeSet};

use super::Delivered;
use super::in_flight::{InFlight, State};
use crate::domain::fact::Fact;
use crate::domain::gate::Limits;
use crate::domain::id::AccountId;
use crate::domain::intent::Next;
use crate::domain::plan::Problem;
use crate::domain::text;
use crate::domain::time::Time;
use crate::reconcile::ports::{PassError, Ports};
use crate::reconcile::report::Ended;
use crate::store::port::{CommitError, Store};

/// Writes in one commit what is known: the calls, and the end of every intent that has one. What is
/// finished or given up for this pass leaves its slot.
pub(super) async fn settle(
    ports: &Ports<'_>,
    limits: &Limits,
    slots: &mut [Option<InFlight>],
    done: &mut Delivered,
    versions: &mut BTreeMap<AccountId, Option<u64>>,
) -> Result<(), PassError> {
    let mut ends: Vec<Vec<Fact>> = Vec::new();
    let mut ended = Vec::new();
    let mut richer = BTreeSet::new();
    let finished = |one: &mut InFlight| !one.busy && one.state != State::Waiting;
    for mut in_flight in slots.iter_mut().filter_map(|slot| slot.take_if(finished)) {
        let next = in_flight.next();
        let unanswered = in_flight.unanswered();
        let request = in_flight.delivery.request;
        let called = in_flight.notes.drain(..).map(|call| Fact::Called {
            request: request.id.clone(),
            call,
        });
        let mut facts: Vec<Fact> = called.collect();
        let (end, why) = match next {
            Next::Settle {
                outcome,
                facts: end,
                problem,
            } => {
                if end.iter().any(Fact::gives_back) {
                    richer.extend(request.account.clone());
                }
                facts.extend(end);
                done.problems.extend(problem.map(|text| Problem {
                    code: "surprise",
                    text,
                }));
                (outcome.into(), None)
            }
            Next::Call(_) | Next::Wait { .. } | Next::Unclear => {
                let why = match (in_flight.why, unanswered) {
                    (Some(why), Some(sent)) => Some(running(&why, sent, limits)),
                    (why, _) => why,
                };
                let failed = in_flight.state == State::Failed;
                let end = if failed {
                    Ended::Failed
                } else {
                    Ended::Unresolved
                };
                (end, why)
            }
        };
        ended.push((request, end, why, ends.len()));
        ends.push(facts);
    }
    let mut misfits = BTreeSet::new();
    if ends.iter().any(|facts| !facts.is_empty()) {
        // Where credits came back, or an operator changed the account since the batch was written,
        // what the plan says of it is no longer true: its version stays the old one, so that later
        // batches conflict and are decided anew.
        let mut touched = versions.clone();
        touched.retain(|id, _| !richer.contains(id));
        let at = (ports.clock)();
        let written = ports
            .store
            .with(move |store| write(store, at, ends, touched))
            .await?;
        versions.extend(written.versions);
        misfits = written.misfits;
    }
    for (request, end, why, number) in ended {
        let end = if misfits.contains(&number) {
            Ended::Unresolved
        } else {
            end
        };
        done.steps.push((request, end, why));
    }
    Ok(())
}

/// Why a call without an answer is not sent again at once.
fn running(why: &str, sent: Time, limits: &Limits) -> String {
    format!("{why}; {}", text::still_running(sent + limits.resend_after))
}

/// What writing the ends gave.
struct Ends {
    /// Those of the accounts that nobody else had changed.
    versions: BTreeMap<AccountId, Option<u64>>,
    /// The numbers of those that were not written.
    misfits: BTreeSet<usize>,
}

fn write(
    store: &mut dyn Store,
    at: Time,
    ends: Vec<Vec<Fact>>,
    touched: BTreeMap<AccountId, Option<u64>>,
) -> Result<Ends, PassError> {
    let version = |store: &dyn Store, id: &AccountId| {
        let account = store.account(id).map_err(PassError::Store)?;
        Ok::<_, PassError>(account.map(|account| account.version))
    };
    let mut ours = Vec::new();
    for (id, known) in touched {
        if version(store, &id)? == known {
            ours.push(id);
        }
    }
    let misfits = write_all(store, at, ends)?;
    let mut versions = BTreeMap::new();
    for id in ours {
        versions.insert(id.clone(), version(store, &id)?);
    }
    Ok(Ends { versions, misfits })
}

/// Writes the ends of intents, all in one commit. Where an operator ended meanwhile the charge that
/// one of them takes over, each by itself: gives the numbers of those that do not fit, which the next
/// pass reads anew.
///
/// # Errors
/// When the store fails.
pub fn write_all(
    store: &mut dyn Store,
    at: Time,
    ends: Vec<Vec<Fact>>,
) -> Result<BTreeSet<usize>, PassError> {
    let all: Vec<Fact> = ends.iter().flatten().cloned().collect();
    let mut misfits = BTreeSet::new();
    match store.commit(at, all, &[]) {
        Ok(_) => return Ok(misfits),
        Err(CommitError::Violation(_)) => {}
        Err(error) => return Err(PassError::Commit(error)),
    }
    for (number, facts) in ends.into_iter().enumerate() {
        match store.commit(at, facts, &[]) {
            Ok(_) => {}
            Err(CommitError::Violation(why)) => {
                tracing::warn!(%why, "an end that does not fit: the next pass goes on");
                misfits.insert(number);
            }
            Err(error) => return Err(PassError::Commit(error)),
        }
    }
    Ok(misfits)
}
