//! What other systems say, where a rule of the request's gate asks: all at the same time within
//! each lookup's own limit, and no more in one pass than can be waited for.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, stream};

use super::{put_off_requests, to_decide};
use crate::domain::booking::Answer;
use crate::domain::gate::{Gate, Policy};
use crate::domain::group::Group;
use crate::domain::id::{Address, RequestId};
use crate::domain::plan::Problem;
use crate::domain::snapshot::{Lookups, Snapshot};
use crate::lookup::answer::NoAnswer;
use crate::lookup::question::Question;
use crate::reconcile::ports::{Ports, Session};

/// Questions that one pass asks. What is remembered costs nothing and is not counted.
const MAX_QUESTIONS: usize = 1_000;

/// Questions that are under way or wait for their turn, of all lookups together.
const QUESTIONS_AT_ONCE: usize = 64;

/// One question that is to be asked.
struct ToAsk<'a> {
    lookup: &'a str,
    request: &'a RequestId,
    question: Question<'a>,
}

/// What one question gave; `None`: it was not asked, and the request has to wait.
type Heard<'a> = (&'a str, &'a RequestId, Option<Result<Answer, NoAnswer>>);

/// Asks; `true` when requests that nobody looked at yet were put off.
pub(super) async fn lookups(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    snapshot: &mut Snapshot,
    problems: &mut Vec<Problem>,
) -> bool {
    if policy.house.lookups.is_empty() {
        return false;
    }
    let mut found: BTreeMap<RequestId, Lookups> = BTreeMap::new();
    let mut late: BTreeSet<RequestId> = BTreeSet::new();
    let requests = in_turn(policy, snapshot, session);
    let mut questions = Vec::new();
    for (gate, group) in &requests {
        let Some(booker) = who(snapshot, group) else {
            continue;
        };
        let known = found.entry(group.id.clone()).or_default();
        let mut open = open_questions(ports, policy, (gate, group), booker, known);
        if questions.len() + open.len() > MAX_QUESTIONS {
            late.insert(group.id.clone());
        } else if !open.is_empty() {
            questions.append(&mut open);
            if snapshot.records.contains_key(&group.id) {
                session.asked_about = Some((group.created, group.id.clone()));
            }
        }
    }
    if !late.is_empty() {
        problems.push(Problem {
            code: "too-many-questions",
            text: format!(
                "one pass asks other systems {MAX_QUESTIONS} questions: {} requests are left for \
                 the next passes",
                late.len()
            ),
        });
    }
    let mut silent: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    for (lookup, request, heard) in ask(ports, questions).await {
        let known = found.entry(request.clone()).or_default();
        match heard {
            Some(Ok(answer)) => {
                known.answers.insert(lookup.to_owned(), answer);
            }
            Some(Err(error)) => {
                let why = error.to_string();
                silent.entry(lookup).or_insert((0, why.clone())).0 += 1;
                known.missing.insert(lookup.to_owned(), why);
            }
            None => {
                late.insert(request.clone());
            }
        }
    }
    problems.extend(silent.into_iter().map(no_answer));
    let fresh = late
        .iter()
        .any(|request| !snapshot.records.contains_key(request));
    snapshot.lookups = found;
    put_off_requests(snapshot, &late);
    fresh
}

fn no_answer((lookup, (count, why)): (&str, (usize, String))) -> Problem {
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

/// The requests in the order in which they are asked about: new ones first, as they came. Those
/// that wait follow from where the last pass left off, so that each has its turn.
fn in_turn<'a>(
    policy: &'a Policy,
    snapshot: &'a Snapshot,
    session: &Session,
) -> Vec<(&'a Gate, Group<'a>)> {
    let requests = to_decide(policy, snapshot).into_iter();
    let (mut waiting, mut fresh): (Vec<_>, Vec<_>) =
        requests.partition(|(_, group)| snapshot.records.contains_key(&group.id));
    let asked = waiting.iter().position(|(_, group)| {
        let last = session.asked_about.as_ref();
        last.is_some_and(|(created, id)| (group.created, &group.id) > (*created, id))
    });
    waiting.rotate_left(asked.unwrap_or(0));
    fresh.append(&mut waiting);
    fresh
}

/// The booker, if rules look at the request at all: they are rules for members.
fn who<'a>(snapshot: &Snapshot, group: &Group<'a>) -> Option<&'a Address> {
    let booker = &group.bookings[0].booker.as_ref()?.address;
    snapshot.names.contains_key(booker).then_some(booker)
}

/// What the gate's rules ask and is not remembered.
fn open_questions<'a>(
    ports: &Ports<'_>,
    policy: &'a Policy,
    (gate, group): (&Gate, &'a Group<'_>),
    booker: &'a Address,
    known: &mut Lookups,
) -> Vec<ToAsk<'a>> {
    let mut open = Vec::new();
    for lookup in &policy.house.lookups {
        if !gate.criteria.asks(&policy.house, &lookup.name) {
            continue;
        }
        let now = (ports.clock)();
        if let Some(answer) = ports.lookups.remembered(&lookup.name, booker, now) {
            known.answers.insert(lookup.name.clone(), answer);
            continue;
        }
        open.push(ToAsk {
            lookup: &lookup.name,
            request: &group.id,
            question: Question {
                booker,
                booking: group.bookings[0],
                occurrences: group.bookings.len(),
            },
        });
    }
    open
}

async fn ask<'a>(ports: &Ports<'_>, questions: Vec<ToAsk<'a>>) -> Vec<Heard<'a>> {
    let stopped = || ports.stop.is_set();
    let round = &ports.lookups.round(&stopped);
    let mut asked = Vec::with_capacity(questions.len());
    for one in questions {
        asked.push(
            async move {
                let heard = round.ask(one.lookup, &one.question, ports.clock).await;
                (one.lookup, one.request, heard)
            }
            .boxed(),
        );
    }
    stream::iter(asked)
        .buffer_unordered(QUESTIONS_AT_ONCE)
        .collect()
        .await
}
