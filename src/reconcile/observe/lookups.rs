//! Sends the lookups that the rules and prices of a request's gate need: all at the same time, each within its
//! own time limit, and no more in one pass than the pass can wait for.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, stream};

use super::{defer_requests, requests_to_decide};
use crate::domain::booking::Answer;
use crate::domain::gate::{Gate, Policy};
use crate::domain::id::{Address, RequestId};
use crate::domain::plan::Problem;
use crate::domain::request_grouping::RequestGroup;
use crate::domain::snapshot::{Lookups, Snapshot};
use crate::domain::time::Time;
use crate::lookup::request::LookupRequest;
use crate::reconcile::context::{Ports, Session};

/// The maximum number of lookups that one pass sends. Cached answers cost nothing and are not
/// counted.
const MAX_LOOKUPS: usize = 1_000;

/// The maximum number of lookups of all kinds that are under way or wait for their turn.
const LOOKUPS_AT_ONCE: usize = 64;

/// One lookup that is to be sent.
struct PendingLookup<'a> {
    lookup: &'a str,
    request: &'a RequestId,
    lookup_request: LookupRequest<'a>,
}

/// The result of one lookup. With `None`, the lookup was not sent, and the request has to wait.
type LookupOutcome<'a> = (&'a str, &'a RequestId, Option<Result<Answer, String>>);

/// Sends the lookups. Returns true if requests without an earlier record were deferred.
pub(super) async fn run_lookups(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    snapshot: &mut Snapshot,
    problems: &mut Vec<Problem>,
) -> bool {
    if policy.global.lookups.is_empty() {
        return false;
    }
    let mut results: BTreeMap<RequestId, Lookups> = BTreeMap::new();
    let mut deferred_requests: BTreeSet<RequestId> = BTreeSet::new();
    let requests = order_requests(policy, snapshot, session.last_lookup_request.as_ref());
    let mut pending = Vec::new();
    for (gate, group) in &requests {
        let Some(booker) = booker_with_account(snapshot, group) else {
            continue;
        };
        let lookups = results.entry(group.id.clone()).or_default();
        let mut missing = collect_pending_lookups(ports, policy, (gate, group), booker, lookups);
        if pending.len() + missing.len() > MAX_LOOKUPS {
            deferred_requests.insert(group.id.clone());
        } else if !missing.is_empty() {
            pending.append(&mut missing);
            if snapshot.records.contains_key(&group.id) {
                session.last_lookup_request = Some((group.oldest_created_at, group.id.clone()));
            }
        }
    }
    if !deferred_requests.is_empty() {
        problems.push(Problem {
            code: "too-many-questions",
            text: format!(
                "one pass asks other systems {MAX_LOOKUPS} questions: {} requests are left for \
                 the next passes",
                deferred_requests.len()
            ),
        });
    }
    let mut failures: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    for (lookup, request, outcome) in send_lookups(ports, pending).await {
        let lookups = results.entry(request.clone()).or_default();
        match outcome {
            Some(Ok(answer)) => {
                lookups.answers.insert(lookup.to_owned(), answer);
            }
            Some(Err(why)) => {
                failures.entry(lookup).or_insert((0, why.clone())).0 += 1;
                lookups.failures.insert(lookup.to_owned(), why);
            }
            None => {
                deferred_requests.insert(request.clone());
            }
        }
    }
    problems.extend(failures.into_iter().map(no_answer_problem));
    let has_new_requests = deferred_requests
        .iter()
        .any(|request| !snapshot.records.contains_key(request));
    snapshot.lookups = results;
    defer_requests(snapshot, &deferred_requests);
    has_new_requests
}

fn no_answer_problem((lookup, (count, why)): (&str, (usize, String))) -> Problem {
    let requests = if count == 1 {
        "1 request".to_owned()
    } else {
        format!("{count} requests")
    };
    Problem {
        code: "no-answer",
        text: format!("lookup.{lookup} gave no answer for {requests}: {why}"),
    }
}

/// Returns the requests in the order in which other systems are asked about them: first the new
/// requests, as they came; then the waiting requests, from where the last pass stopped, so that each
/// has its turn.
pub(super) fn order_requests<'a>(
    policy: &'a Policy,
    snapshot: &'a Snapshot,
    last_asked: Option<&(Time, RequestId)>,
) -> Vec<(&'a Gate, RequestGroup<'a>)> {
    let requests = requests_to_decide(policy, snapshot).into_iter();
    let (mut waiting, mut new_requests): (Vec<_>, Vec<_>) =
        requests.partition(|(_, group)| snapshot.records.contains_key(&group.id));
    let next_index = waiting.iter().position(|(_, group)| {
        last_asked
            .is_some_and(|(created, id)| (group.oldest_created_at, &group.id) > (*created, id))
    });
    waiting.rotate_left(next_index.unwrap_or(0));
    new_requests.append(&mut waiting);
    new_requests
}

/// Returns the booker, if rules apply to the request at all: rules are for members.
fn booker_with_account<'a>(snapshot: &Snapshot, group: &RequestGroup<'a>) -> Option<&'a Address> {
    let booker = &group.bookings[0].booker.as_ref()?.address;
    snapshot
        .accounts_by_address
        .contains_key(booker)
        .then_some(booker)
}

/// Returns the lookups that the gate's rules and prices need and that have no cached answer.
fn collect_pending_lookups<'a>(
    ports: &Ports<'_>,
    policy: &'a Policy,
    (gate, group): (&Gate, &'a RequestGroup<'_>),
    booker: &'a Address,
    lookups: &mut Lookups,
) -> Vec<PendingLookup<'a>> {
    let mut pending = Vec::new();
    for lookup in &policy.global.lookups {
        if !gate.uses_lookup(&policy.global, &lookup.name) {
            continue;
        }
        let now = (ports.clock)();
        if let Some(answer) = ports.lookups.cached_answer(&lookup.name, booker, now) {
            lookups.answers.insert(lookup.name.clone(), answer);
            continue;
        }
        pending.push(PendingLookup {
            lookup: &lookup.name,
            request: &group.id,
            lookup_request: LookupRequest {
                booker,
                booking: group.bookings[0],
                occurrences: group.bookings.len(),
            },
        });
    }
    pending
}

async fn send_lookups<'a>(
    ports: &Ports<'_>,
    pending: Vec<PendingLookup<'a>>,
) -> Vec<LookupOutcome<'a>> {
    let is_stopped = || ports.stop.is_set();
    let pass_lookups = &ports.lookups.begin_pass(&is_stopped);
    let mut tasks = Vec::with_capacity(pending.len());
    for pending_lookup in pending {
        tasks.push(
            async move {
                let outcome = pass_lookups
                    .query(
                        pending_lookup.lookup,
                        &pending_lookup.lookup_request,
                        ports.clock,
                    )
                    .await;
                let outcome = outcome.map(|result| result.map_err(|error| error.to_string()));
                (pending_lookup.lookup, pending_lookup.request, outcome)
            }
            .boxed(),
        );
    }
    stream::iter(tasks)
        .buffer_unordered(LOOKUPS_AT_ONCE)
        .collect()
        .await
}
