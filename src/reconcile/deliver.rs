//! Delivering a batch: each booking is seen pending right before its call, the calls run side by
//! side, and what the bookings are afterwards settles the intents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{FutureExt, StreamExt, stream};

use super::clock::clock_is_off;
use super::observe::ends_the_pass;
use super::ports::{PassError, Ports};
use super::report::Ended;
use super::sight::look;
use crate::calcom::port::CallError;
use crate::domain::booking::Reading;
use crate::domain::fact::Fact;
use crate::domain::id::{AccountId, BookingUid};
use crate::domain::intent::{self, Next, Sight};
use crate::domain::plan::{self, Call, Problem};
use crate::domain::request::{CallKind, CallNote, Charge, Request};
use crate::domain::time::{Span, Time, kept};
use crate::store::port::{CommitError, Store};

/// Calls under way at once: a confirmation takes Cal.com seconds, and these are all of one host.
const CALLS_AT_ONCE: usize = 8;

/// Times a batch is looked at and called again for calls whose turn did not come in time. Each such
/// round waits for the rate limit's window, so that this is minutes.
const MAX_ROUNDS: usize = 5;

/// Characters of a server's message kept with a call.
const MAX_NOTE: usize = 300;

/// An intent that stands in the log, with the call it wants.
#[derive(Debug)]
pub struct Delivery {
    pub request: Request,
    pub charges: Vec<Charge>,
    pub carried: Option<Charge>,
    pub call: Call,
}

/// How a batch ended.
#[derive(Debug, Default)]
pub struct Delivered {
    pub steps: Vec<(Request, Ended)>,
    pub problems: Vec<Problem>,
    /// The key was refused or the store cannot write: nothing more may be tried.
    pub stopped: Option<PassError>,
}

/// One delivery under way.
struct Way {
    delivery: Delivery,
    sights: BTreeMap<BookingUid, Sight>,
    notes: Vec<CallNote>,
    state: State,
    /// Calls that may still be sent: a server that answers a series one by one needs one each.
    calls_left: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// To be looked at, and called when still pending.
    Waiting,
    /// Its bookings are known; to be settled.
    Known,
    /// The call had no answer that can be used.
    Unresolved,
    /// Cal.com said no and the booking is as it was.
    Failed,
}

/// Sends a batch's calls and settles what is known. Never returns early with something unsettled
/// that could be settled.
pub async fn deliver(
    ports: &Ports<'_>,
    max_age: Span,
    batch: Vec<Delivery>,
    versions: &mut BTreeMap<AccountId, Option<u64>>,
) -> Delivered {
    let mut ways: Vec<Way> = batch
        .into_iter()
        .map(|delivery| Way {
            sights: BTreeMap::new(),
            notes: Vec::new(),
            state: State::Waiting,
            calls_left: delivery.request.bookings.len(),
            delivery,
        })
        .collect();
    let mut done = Delivered::default();
    for _ in 0..MAX_ROUNDS {
        if done.stopped.is_some() || ports.stop.is_set() {
            break;
        }
        let waiting = ways.iter().any(|way| way.state == State::Waiting);
        if !waiting {
            break;
        }
        if let Err(error) = round(ports, max_age, &mut ways).await {
            done.stopped = Some(error);
        }
        if let Err(error) = settle(ports, &mut ways, &mut done, versions).await {
            done.stopped = Some(error);
            return done;
        }
    }
    // What is left waits in the log: the next pass reads and goes on.
    for way in ways {
        done.steps.push((way.delivery.request, Ended::Unresolved));
    }
    done
}

/// Looks at everything that waits, then calls what is still pending.
async fn round(ports: &Ports<'_>, max_age: Span, ways: &mut [Way]) -> Result<(), PassError> {
    let waiting: Vec<usize> = (0..ways.len())
        .filter(|n| ways[*n].state == State::Waiting)
        .collect();
    let mut seen: BTreeMap<BookingUid, Time> = BTreeMap::new();
    if !ports.calendar.reads_before_acting() {
        let wanted: Vec<_> = waiting
            .iter()
            .map(|n| ways[*n].delivery.call.booking.clone())
            .collect();
        // Nothing is sent yet: what waits stays so.
        let looked = tokio::select! {
            biased;
            () = ports.stop.told() => return Ok(()),
            looked = look(ports, &wanted) => looked?,
        };
        for n in &waiting {
            let way = &mut ways[*n];
            match looked.get(&way.delivery.call.booking.uid) {
                Some((Sight::Pending, at)) => {
                    seen.insert(way.delivery.call.booking.uid.clone(), *at);
                }
                Some((sight, _)) => {
                    let sight = *sight;
                    let uid = way.delivery.call.booking.uid.clone();
                    way.sights.insert(uid, sight);
                }
                None => way.state = State::Unresolved,
            }
        }
    }
    // What the look has shown of the clocks counts for the calls after it.
    if clock_is_off(ports) {
        return Ok(());
    }
    let now = (ports.clock)();
    let jobs: Vec<(usize, Call, Time)> = waiting
        .iter()
        .filter(|n| ways[**n].state == State::Waiting && ways[**n].calls_left > 0)
        .filter_map(|n| {
            let call = ways[*n].delivery.call.clone();
            let at = if ports.calendar.reads_before_acting() {
                now
            } else {
                *seen.get(&call.booking.uid)?
            };
            Some((*n, call, at + max_age))
        })
        .collect();
    // A refused key ends the pass: what is under way may finish, nothing else is begun.
    let halt = AtomicBool::new(false);
    let halted = &halt;
    let mut calls = Vec::new();
    for (n, call, deadline) in jobs {
        calls.push(
            async move {
                let answer = if ports.stop.is_set() || halted.load(Ordering::Relaxed) {
                    Err(CallError::TooLate)
                } else {
                    send(ports, &call, deadline).await
                };
                (n, call, answer)
            }
            .boxed(),
        );
    }
    let mut answers = stream::iter(calls).buffer_unordered(CALLS_AT_ONCE);
    let mut stopped = None;
    while let Some((n, call, answer)) = answers.next().await {
        if let Err(error @ CallError::Credential(_)) = &answer {
            stopped = Some(PassError::from(error.clone()));
            halt.store(true, Ordering::Relaxed);
        }
        heard(ports, &mut ways[n], &call, answer);
    }
    drop(answers);
    if let Some(error) = stopped {
        return Err(error);
    }
    read_the_rest(ports, ways, &waiting).await
}

async fn send(
    ports: &Ports<'_>,
    call: &Call,
    deadline: Time,
) -> Result<Option<Reading>, CallError> {
    let text = call.text.as_deref().unwrap_or_default();
    match call.kind {
        CallKind::Confirm => ports.calendar.confirm(&call.booking, deadline).await,
        CallKind::Decline => ports.calendar.decline(&call.booking, text, deadline).await,
        // A refusal is for a booking that waits. Where the client looks for itself (v1), only its
        // `decline`, which cancels there, keeps away from one that was accepted meanwhile.
        CallKind::Cancel if ports.calendar.reads_before_acting() => {
            ports.calendar.decline(&call.booking, text, deadline).await
        }
        CallKind::Cancel => ports.calendar.cancel(&call.booking, text, deadline).await,
    }
}

/// Takes in what a call gave.
fn heard(
    ports: &Ports<'_>,
    way: &mut Way,
    call: &Call,
    answer: Result<Option<Reading>, CallError>,
) {
    let uid = call.booking.uid.clone();
    let (answered, text) = match answer {
        Ok(Some(reading)) => {
            let sight = Sight::of(&reading);
            way.sights.insert(uid.clone(), sight);
            way.calls_left -= 1;
            if sight == Sight::Pending {
                way.state = State::Failed;
                (
                    false,
                    "the server said yes, but the booking is still pending".to_owned(),
                )
            } else {
                (true, format!("the booking {}", sight.word()))
            }
        }
        Ok(None) => {
            way.calls_left -= 1;
            (true, "the server said yes".to_owned())
        }
        // Nothing was sent: its turn comes again.
        Err(CallError::TooLate | CallError::Limited { .. }) => return,
        Err(error @ (CallError::Refused(_) | CallError::NotYours(_))) => {
            // The booking itself tells why; `read_the_rest` asks it.
            way.calls_left -= 1;
            way.state = State::Failed;
            (false, error.to_string())
        }
        Err(error) => {
            way.state = State::Unresolved;
            (false, error.to_string())
        }
    };
    way.notes.push(CallNote {
        at: kept((ports.clock)()),
        booking: uid,
        kind: call.kind,
        answered,
        text: text.chars().take(MAX_NOTE).collect(),
    });
}

/// Reads what the calls left open: the other occurrences of a series, a booking whose answer did not
/// show it, and one whose call was refused (it may have been answered by somebody else).
async fn read_the_rest(
    ports: &Ports<'_>,
    ways: &mut [Way],
    waiting: &[usize],
) -> Result<(), PassError> {
    let wanted: Vec<usize> = waiting
        .iter()
        .copied()
        .filter(|n| ways[*n].wants_reading())
        .collect();
    let mut reads = Vec::new();
    for n in wanted {
        let request = ways[n].delivery.request.clone();
        let sights = ways[n].sights.clone();
        let read = async move { (n, super::sight::all(ports, &request, sights).await) };
        reads.push(read.boxed());
    }
    let mut reads = stream::iter(reads).buffer_unordered(CALLS_AT_ONCE);
    while let Some((n, read)) = reads.next().await {
        match read {
            Ok(sights) => ways[n].sights = sights,
            Err(error) if ends_the_pass(&error) => return Err(error.into()),
            Err(_) if ways[n].state == State::Waiting => ways[n].state = State::Unresolved,
            Err(_) => {}
        }
    }
    drop(reads);
    for n in waiting {
        ways[*n].go_on();
    }
    Ok(())
}

impl Way {
    fn next(&self) -> Next {
        intent::next(
            &self.delivery.request,
            &self.delivery.charges,
            self.delivery.carried.as_ref(),
            &self.sights,
        )
    }

    /// Whether something happened that only a reading can tell the end of.
    fn wants_reading(&self) -> bool {
        let called = !self.notes.is_empty() || !self.sights.is_empty();
        match self.state {
            State::Waiting => called && self.next() == Next::Unclear,
            State::Failed => {
                self.notes.last().is_some_and(|note| !note.answered)
                    && !self.sights.contains_key(&self.delivery.call.booking.uid)
            }
            State::Known | State::Unresolved => false,
        }
    }

    /// Decides what the sights mean for this delivery.
    fn go_on(&mut self) {
        match self.next() {
            Next::Settle { .. } => self.state = State::Known,
            // A server that answers one occurrence at a time: the next one is to be called.
            Next::Call(booking)
                if self.state == State::Waiting
                    && self.calls_left > 0
                    && booking.uid != self.delivery.call.booking.uid =>
            {
                if let Some(call) = plan::call(&self.delivery.request, &booking) {
                    self.delivery.call = call;
                    self.sights.clear();
                }
            }
            Next::Call(_) | Next::Unclear => {}
        }
    }
}

/// Writes in one commit what is known: the calls, and the end of every intent that has one. What is
/// finished or given up for this pass leaves the list.
async fn settle(
    ports: &Ports<'_>,
    ways: &mut Vec<Way>,
    done: &mut Delivered,
    versions: &mut BTreeMap<AccountId, Option<u64>>,
) -> Result<(), PassError> {
    let mut ends: Vec<Vec<Fact>> = Vec::new();
    let mut rest = Vec::new();
    let mut ended = Vec::new();
    let mut richer = BTreeSet::new();
    for mut way in ways.drain(..) {
        let request = &way.delivery.request;
        let called = way.notes.drain(..).map(|call| Fact::Called {
            request: request.id.clone(),
            call,
        });
        let mut facts: Vec<Fact> = called.collect();
        match (way.next(), way.state) {
            (
                Next::Settle {
                    outcome,
                    facts: end,
                    problem,
                },
                _,
            ) => {
                if end.iter().any(Fact::gives_back) {
                    richer.extend(way.delivery.request.account.clone());
                }
                facts.extend(end);
                done.problems.extend(problem.map(|text| Problem {
                    code: "surprise",
                    text,
                }));
                ended.push((way.delivery.request, outcome.into(), ends.len()));
            }
            (Next::Call(_) | Next::Unclear, State::Waiting | State::Known) => rest.push(way),
            (Next::Call(_) | Next::Unclear, State::Unresolved) => {
                ended.push((way.delivery.request, Ended::Unresolved, ends.len()));
            }
            (Next::Call(_) | Next::Unclear, State::Failed) => {
                ended.push((way.delivery.request, Ended::Failed, ends.len()));
            }
        }
        ends.push(facts);
    }
    *ways = rest;
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
    for (request, end, number) in ended {
        let left = misfits.contains(&number);
        done.steps
            .push((request, if left { Ended::Unresolved } else { end }));
    }
    Ok(())
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
