//! Executing a plan: write down, act, settle. Steps go in batches: one commit records the intents
//! and holds of a batch, the calls run side by side, one commit settles what is known. The executor
//! decides nothing: what a booking *is* after a call goes through `domain::intent` like any reading.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::clock::clock_is_off;
use super::deliver::settle::write_all;
use super::deliver::{Delivered, Delivery, deliver};
use super::known;
use super::ports::{PassError, Ports};
use super::report::{Ended, Reported};
use crate::domain::decision::Decision;
use crate::domain::fact::Fact;
use crate::domain::gate::Limits;
use crate::domain::id::{AccountId, Address, RequestId};
use crate::domain::ledger::Violation;
use crate::domain::plan::{Action, Call, Plan, Problem, Step};
use crate::domain::request::{Charge, ChargeState, Request, Review};
use crate::domain::time::{Span, Time};
use crate::store::port::{CommitError, Expected, Store};

/// Requests in one commit.
pub const MAX_BATCH: usize = 256;

/// How long a plan may be begun on: after that the rest is planned anew by the next pass, because
/// accepted bookings and balances may have changed.
const PLAN_FRESH: Span = Span::minutes(1);

/// What executing gave.
#[derive(Debug, Default)]
pub struct Executed {
    pub steps: Vec<Reported>,
    pub problems: Vec<Problem>,
    /// Steps were left for the next pass.
    pub more: bool,
}

impl Executed {
    /// A step whose facts do not fit what is there: a defect, or the sign of a change from outside.
    fn misfits(&mut self, request: Request, misfit: &Violation) {
        self.problems.push(Problem {
            code: "misfit",
            text: format!(
                "request {} cannot be written down, so nothing was sent for it: {misfit}; please \
                 report this with the output of `maitred explain {}`",
                request.id, request.id
            ),
        });
        self.steps.push(Reported {
            request,
            ended: Ended::Failed,
            why: Some(misfit.to_string()),
        });
    }
}

/// A step that needs no call: what it writes, how it ends, and why it is not finished.
type Quiet = (Step, Vec<Fact>, (Ended, Option<String>));

/// A step with something to send.
struct Send {
    request: Request,
    facts: Vec<Fact>,
    looked_at: Option<(AccountId, Option<u64>)>,
    call: Call,
}

/// Does what the plan says.
///
/// # Errors
/// When the key is refused or the store can no longer write. What was begun is in the log.
pub async fn execute(
    ports: &Ports<'_>,
    limits: &Limits,
    planned_at: Time,
    plan: Plan,
    done: &mut Executed,
) -> Result<(), PassError> {
    done.problems.extend(plan.problems);
    done.more |= plan.more;
    let mut sends = Vec::new();
    let mut quiet: Vec<Quiet> = Vec::new();
    for step in plan.steps {
        match step.action.clone() {
            Action::Send {
                facts,
                looked_at,
                call,
            } => sends.push(Send {
                request: Arc::unwrap_or_clone(step.request),
                facts,
                looked_at,
                call,
            }),
            Action::Settle {
                facts,
                outcome,
                problem,
            } => {
                done.problems.extend(problem.map(surprise));
                quiet.push((step, facts, (outcome.into(), None)));
            }
            Action::Note { write } => {
                let facts = if write {
                    vec![Fact::Decided {
                        request: Arc::clone(&step.request),
                    }]
                } else {
                    Vec::new()
                };
                quiet.push((step, facts, (Ended::Nothing, None)));
            }
            Action::Postpone { why } => {
                quiet.push((step, Vec::new(), (Ended::Unresolved, Some(why))));
            }
        }
    }
    // What new declines rest on was read just before: those go first.
    sends.sort_by_key(|send| send.request.decision != Decision::Decline || send.facts.is_empty());
    write_listing(ports, plan.listing).await?;
    write_quiet(ports, quiet, done).await?;
    send_all(ports, limits, planned_at, sends, done).await
}

fn surprise(text: String) -> Problem {
    Problem {
        code: "surprise",
        text,
    }
}

/// Writes what goes on the unresolved list and what leaves it. What an operator has resolved meanwhile
/// is left as it is.
async fn write_listing(ports: &Ports<'_>, facts: Vec<Fact>) -> Result<(), PassError> {
    if facts.is_empty() {
        return Ok(());
    }
    let at = (ports.clock)();
    let ends = facts.into_iter().map(|fact| vec![fact]).collect();
    ports
        .store
        .with(move |store| write_all(store, at, ends))
        .await
        .map(|_| ())
}

/// Steps that need no call: what finished meanwhile, and notes.
async fn write_quiet(
    ports: &Ports<'_>,
    steps: Vec<Quiet>,
    done: &mut Executed,
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
            let written = ports
                .store
                .with(move |store| store.commit(at, facts, &[]))
                .await;
            match written {
                Ok(_) => {}
                Err(CommitError::Violation(misfit)) if batch.len() == 1 => {
                    let (step, ..) = batch.into_iter().next().expect("there is one");
                    done.misfits(Arc::unwrap_or_clone(step.request), &misfit);
                    continue;
                }
                // One that does not fit must not hold up the others: each by itself.
                Err(CommitError::Violation(_)) => {
                    for step in batch {
                        Box::pin(write_quiet(ports, vec![step], done)).await?;
                    }
                    continue;
                }
                Err(error) => return Err(PassError::Commit(error)),
            }
        }
        for (step, facts, (ended, why)) in batch {
            if ended == Ended::Nothing && !facts.is_empty() {
                log_note(&step.request);
            } else {
                log_end(&step.request, ended, why.as_deref());
            }
            done.steps.push(Reported {
                request: Arc::unwrap_or_clone(step.request),
                ended,
                why,
            });
        }
    }
    Ok(())
}

async fn send_all(
    ports: &Ports<'_>,
    limits: &Limits,
    planned_at: Time,
    sends: Vec<Send>,
    done: &mut Executed,
) -> Result<(), PassError> {
    let mut versions: BTreeMap<AccountId, Option<u64>> = BTreeMap::new();
    let mut sends = sends.into_iter().peekable();
    while sends.peek().is_some() {
        let stale = (ports.clock)() - planned_at > PLAN_FRESH;
        if ports.stop.is_set() || stale || clock_is_off(ports) {
            done.more = true;
            done.steps.extend(sends.map(|send| Reported {
                ended: if send.facts.is_empty() {
                    Ended::Unresolved
                } else {
                    Ended::Nothing
                },
                request: send.request,
                why: None,
            }));
            return Ok(());
        }
        let size = ports.calendar.ready().clamp(1, MAX_BATCH);
        let batch: Vec<Send> = sends.by_ref().take(size).collect();
        let begun = begin(ports, batch, &mut versions, done).await?;
        let ended = deliver(ports, limits, begun, &mut versions).await;
        finish(ended, done)?;
    }
    Ok(())
}

fn finish(ended: Delivered, done: &mut Executed) -> Result<(), PassError> {
    done.problems.extend(ended.problems);
    for (request, ended, why) in ended.steps {
        log_end(&request, ended, why.as_deref());
        done.steps.push(Reported {
            request,
            ended,
            why,
        });
    }
    match ended.stopped {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Records a batch: all its intents and holds in one commit. A step whose account was changed by an
/// operator meanwhile is left out; the next pass decides it anew.
async fn begin(
    ports: &Ports<'_>,
    mut batch: Vec<Send>,
    versions: &mut BTreeMap<AccountId, Option<u64>>,
    done: &mut Executed,
) -> Result<Vec<Delivery>, PassError> {
    loop {
        let mut facts = Vec::new();
        let mut expected: BTreeMap<AccountId, Option<u64>> = BTreeMap::new();
        for send in &batch {
            if send.facts.is_empty() {
                continue;
            }
            facts.extend(send.facts.iter().cloned());
            if let Some((account, version)) = &send.looked_at {
                let version = versions.get(account).unwrap_or(version);
                expected.insert(account.clone(), *version);
            }
        }
        let begun = batch.iter().filter(|send| !send.facts.is_empty());
        let words = begun.map(|send| (send.request.id.clone(), send.request.review.clone()));
        let words = words.collect();
        let all = batch.iter().map(|send| &send.request.id);
        let written = record(ports, facts, expected, words, all).await?;
        match written {
            Ok((begun, now)) => {
                versions.extend(now);
                let sends = batch.into_iter().zip(begun);
                return Ok(sends
                    .map(|(send, (request, charges, carried))| Delivery {
                        request,
                        charges,
                        carried,
                        call: send.call,
                    })
                    .collect());
            }
            Err(Refused::Misfit(misfit)) if batch.len() == 1 => {
                let send = batch.into_iter().next().expect("there is one");
                done.misfits(send.request, &misfit);
                return Ok(Vec::new());
            }
            // One that does not fit must not hold up the others: each by itself.
            Err(Refused::Misfit(_)) => {
                let mut begun = Vec::new();
                for send in batch {
                    begun.extend(Box::pin(begin(ports, vec![send], versions, done)).await?);
                }
                return Ok(begun);
            }
            Err(Refused::Spoken(id)) => {
                let (spoken, rest): (Vec<_>, Vec<_>) =
                    batch.into_iter().partition(|send| send.request.id == id);
                tracing::info!(request = %id, "an operator has answered it meanwhile");
                done.more = true;
                done.steps.extend(spoken.into_iter().map(|send| Reported {
                    request: send.request,
                    ended: Ended::Nothing,
                    why: None,
                }));
                batch = rest;
            }
            Err(Refused::Changed(account)) => {
                let touches = |send: &Send| {
                    !send.facts.is_empty()
                        && send
                            .looked_at
                            .as_ref()
                            .is_some_and(|(id, _)| *id == account)
                };
                let (changed, rest): (Vec<_>, Vec<_>) = batch.into_iter().partition(touches);
                assert!(
                    !changed.is_empty(),
                    "a conflict names an account of the batch"
                );
                tracing::info!(requests = changed.len(), "an account was changed meanwhile");
                done.more = true;
                done.steps.extend(changed.into_iter().map(|send| Reported {
                    request: send.request,
                    ended: Ended::Nothing,
                    why: None,
                }));
                batch = rest;
            }
        }
    }
}

type Begun = (
    Request,
    Vec<crate::domain::request::Charge>,
    Option<crate::domain::request::Charge>,
);
type Recorded = Result<(Vec<Begun>, BTreeMap<AccountId, Option<u64>>), Refused>;

/// Why a batch was not written.
enum Refused {
    /// An operator changed the account meanwhile.
    Changed(AccountId),
    /// An operator said something of the request, or ended the charge that it takes over, meanwhile.
    Spoken(RequestId),
    /// A fact does not fit what is there.
    Misfit(Violation),
}

/// One visit to the store: commit, then read back what was begun and the accounts' new versions.
async fn record(
    ports: &Ports<'_>,
    facts: Vec<Fact>,
    expected: BTreeMap<AccountId, Option<u64>>,
    words: Vec<(RequestId, Option<Review>)>,
    requests: impl Iterator<Item = &RequestId>,
) -> Result<Recorded, PassError> {
    let at = (ports.clock)();
    let requests: Vec<RequestId> = requests.cloned().collect();
    ports
        .store
        .with(move |store| {
            let accounts: Vec<AccountId> = expected.keys().cloned().collect();
            if let Some(found) = found_meanwhile(store, &expected)? {
                return Ok(Err(Refused::Changed(found)));
            }
            for (id, review) in words {
                let there = store.request(&id).map_err(PassError::Store)?;
                if there.and_then(|request| request.review) != review {
                    return Ok(Err(Refused::Spoken(id)));
                }
            }
            let expected: Vec<Expected> = expected
                .into_iter()
                .map(|(account, version)| Expected { account, version })
                .collect();
            if let Some(id) = carries_nothing(store, &facts)? {
                return Ok(Err(Refused::Spoken(id)));
            }
            if !facts.is_empty() {
                match store.commit(at, facts, &expected) {
                    Ok(_) => {}
                    Err(CommitError::Conflict(account)) => {
                        return Ok(Err(Refused::Changed(account)));
                    }
                    Err(CommitError::Violation(misfit)) => {
                        return Ok(Err(Refused::Misfit(misfit)));
                    }
                    Err(error) => return Err(PassError::Commit(error)),
                }
            }
            let mut begun = Vec::new();
            for id in &requests {
                let request = store.request(id).map_err(PassError::Store)?;
                let request = request.expect("an intent that was committed can be read");
                let (charges, carried) = known::holds(store, &request).map_err(PassError::Store)?;
                begun.push((request, charges, carried));
            }
            let mut versions = BTreeMap::new();
            for id in accounts {
                let account = store.account(&id).map_err(PassError::Store)?;
                versions.insert(id, account.map(|account| account.version));
            }
            Ok(Ok((begun, versions)))
        })
        .await
}

/// A new intent whose predecessor's charge was ended since the plan looked: the next pass decides again.
fn carries_nothing(store: &dyn Store, facts: &[Fact]) -> Result<Option<RequestId>, PassError> {
    for fact in facts {
        let Fact::Decided { request } = fact else {
            continue;
        };
        let Some(from) = &request.carries else {
            continue;
        };
        let charge = store.charge(from).map_err(PassError::Store)?;
        let stands =
            |charge: Charge| charge.state == ChargeState::Open && charge.taken_by.is_none();
        if !charge.is_some_and(stands) {
            return Ok(Some(request.id.clone()));
        }
    }
    Ok(None)
}

/// A name that led to no account when it was looked up, and does now: as an alias it changes no
/// version that the store could compare.
fn found_meanwhile(
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

/// A request that was noted for the first time, or for another reason than before.
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

fn log_end(request: &Request, ended: Ended, why: Option<&str>) {
    let gate = request.gate.as_deref().unwrap_or("-");
    let codes: Vec<&str> = request.reasons.iter().map(|r| r.code.as_str()).collect();
    let reasons = codes.join(",");
    match ended {
        Ended::Confirmed => tracing::info!(
            request = %request.id,
            gate,
            credits = request.credits,
            reasons,
            "{}",
            ended.as_str()
        ),
        // Nothing is charged.
        Ended::Declined | Ended::Superseded => tracing::info!(
            request = %request.id,
            gate,
            reasons,
            "{}",
            ended.as_str()
        ),
        Ended::Unresolved | Ended::Failed => tracing::warn!(
            request = %request.id,
            gate,
            decision = request.decision.as_str(),
            why,
            "{}: the next pass goes on",
            ended.as_str()
        ),
        Ended::Refused => tracing::warn!(
            request = %request.id,
            gate,
            decision = request.decision.as_str(),
            "Cal.com refuses it: left pending for a person"
        ),
        Ended::Planned | Ended::Nothing => tracing::debug!(
            request = %request.id,
            gate,
            decision = request.decision.as_str(),
            reasons,
            "nothing done"
        ),
    }
}
