//! Loads the decisions that were started, with the current states of their bookings.

use std::collections::BTreeMap;

use futures_util::{FutureExt, StreamExt, stream};

use super::READS_AT_ONCE;
use crate::calcom::port::CallError;
use crate::domain::booking::{Fetched, TimestampedBooking};
use crate::domain::gate::PassLimits;
use crate::domain::id::BookingUid;
use crate::domain::intent::{self, BookingState};
use crate::domain::plan::Problem;
use crate::domain::snapshot::OpenIntent;
use crate::reconcile::context::{PassError, Ports, Session};
use crate::reconcile::memory_budget::MemoryBudget;
use crate::reconcile::store_reads;

/// The maximum number of open intents that one pass loads.
const MAX_INTENTS: usize = 1_000;

/// Loads the open intents with the current states of their bookings. Absence from a page proves
/// nothing, so bookings that the pages did not show are read individually.
pub(super) async fn load_open_intents(
    ports: &Ports<'_>,
    limits: &PassLimits,
    pending: &[TimestampedBooking],
    session: &mut Session,
    budget: &mut MemoryBudget,
    problems: &mut Vec<Problem>,
) -> Result<Vec<OpenIntent>, PassError> {
    let now = (ports.clock)();
    let store_limits = limits.clone();
    let stored_intents = ports
        .store
        .read(move |store| store_reads::read_open_intents(store, MAX_INTENTS, &store_limits, now))
        .await;
    let mut open_intents = Vec::new();
    let mut reads = Vec::new();
    let mut read_at = BTreeMap::new();
    for (intent, unanswered_since) in stored_intents.map_err(PassError::Store)? {
        let id = &intent.request.id;
        let last_read = session.intents_read_at.get(id).copied();
        let needs_read = match unanswered_since {
            // Bookings that the pages show cost no call; the others are read at growing intervals.
            Some(unanswered_since) => {
                is_fully_listed(&intent, pending)
                    || intent::should_reread(unanswered_since, last_read, now)
            }
            // An intent that failed often waits for its turn without costing calls.
            None => intent::is_due(&intent.request, now) || intent::has_begun(&intent.request, now),
        };
        if needs_read {
            read_at.insert(id.clone(), now);
            reads.push(read_intent(ports, intent, pending).boxed());
        } else {
            read_at.extend(last_read.map(|last| (id.clone(), last)));
            open_intents.push(intent);
        }
    }
    session.intents_read_at = read_at;
    let mut reads = stream::iter(reads).buffered(READS_AT_ONCE);
    while let Some(read) = reads.next().await {
        let (mut intent, problem) = read?;
        problems.extend(problem);
        // Bookings that are not kept count as not read, and are read again later.
        if !budget.reserve_all(&intent.new_occurrences) {
            intent.new_occurrences.clear();
            intent.booking_states.clear();
            problems.push(Problem {
                code: "unread-intent",
                text: format!(
                    "request {} is postponed: no more bookings fit into one pass",
                    intent.request.id
                ),
            });
        }
        open_intents.push(intent);
    }
    for intent in &open_intents {
        if intent.request.failures >= intent::ATTENTION_FAILURES {
            problems.push(Problem {
                code: "needs-attention",
                text: format!(
                    "request {} was decided ({}) and could not be finished after {} tries; see \
                     `maitred explain {}`",
                    intent.request.id,
                    intent.request.decision.as_str(),
                    intent.request.failures,
                    intent.request.id,
                ),
            });
        }
    }
    Ok(open_intents)
}

/// Returns true if the listed pages contain everything that is needed about the intent's bookings.
fn is_fully_listed(intent: &OpenIntent, pending: &[TimestampedBooking]) -> bool {
    intent.request.series.is_none()
        && intent.request.bookings.iter().all(|booking| {
            let mut observations = pending.iter();
            observations.any(|observed| observed.booking.uid == booking.uid)
        })
}

async fn read_intent(
    ports: &Ports<'_>,
    mut intent: OpenIntent,
    pending: &[TimestampedBooking],
) -> Result<(OpenIntent, Option<Problem>), PassError> {
    intent.read_at = (ports.clock)();
    let read = match &intent.request.series {
        Some(series) => match ports.calendar.series(&series.uid()).await {
            Ok(Some(all)) => {
                store_reads::record_series_states(&mut intent, all);
                drop_settled_past_bookings(ports, &mut intent).await?;
                return Ok((intent, None));
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        },
        None => Ok(()),
    };
    let read = match read {
        Ok(()) => read_each_booking(ports, &mut intent, pending).await,
        Err(error) => Err(error),
    };
    match read {
        Ok(()) => Ok((intent, None)),
        Err(error) if error.is_fatal_for_pass() => Err(error.into()),
        Err(error) => {
            let problem = Problem {
                code: "unread-intent",
                text: format!("request {} could not be read: {error}", intent.request.id),
            };
            Ok((intent, Some(problem)))
        }
    }
}

/// Drops the past occurrences that were refused before. They stay pending forever, and must not be
/// charged now.
async fn drop_settled_past_bookings(
    ports: &Ports<'_>,
    intent: &mut OpenIntent,
) -> Result<(), PassError> {
    let past_bookings = intent
        .new_occurrences
        .iter()
        .filter(|one| one.end <= intent.read_at);
    let past_bookings: Vec<BookingUid> = past_bookings.map(|one| one.uid.clone()).collect();
    if past_bookings.is_empty() {
        return Ok(());
    }
    let settled_bookings = ports
        .store
        .read(move |store| store_reads::filter_settled(store, &past_bookings))
        .await;
    let settled_bookings = settled_bookings.map_err(PassError::Store)?;
    intent
        .new_occurrences
        .retain(|one| !settled_bookings.contains(&one.uid));
    Ok(())
}

async fn read_each_booking(
    ports: &Ports<'_>,
    intent: &mut OpenIntent,
    pending: &[TimestampedBooking],
) -> Result<(), CallError> {
    for booking in &intent.request.bookings {
        let observed_booking = pending
            .iter()
            .find(|observed| observed.booking.uid == booking.uid);
        let (reading, at) = match observed_booking {
            Some(observed) => {
                let booking = Box::new(observed.booking.clone());
                (Fetched::Found(booking), observed.read_at)
            }
            None => {
                let at = (ports.clock)();
                (ports.calendar.get(booking).await?, at)
            }
        };
        let state = match &reading {
            Fetched::Found(booking) => BookingState::for_call(booking, intent.request.call, at),
            Fetched::Gone => BookingState::Gone,
        };
        intent.read_at = intent.read_at.min(at);
        intent.booking_states.insert(booking.uid.clone(), state);
    }
    Ok(())
}
