//! Decisions that were begun: what their bookings are now.

use std::collections::BTreeMap;

use futures_util::{FutureExt, StreamExt, stream};

use super::{READS_AT_ONCE, ends_the_pass};
use crate::calcom::port::CallError;
use crate::domain::booking::{Observed, Reading};
use crate::domain::gate::Limits;
use crate::domain::id::BookingUid;
use crate::domain::intent::{self, Sight};
use crate::domain::plan::Problem;
use crate::domain::snapshot::OpenIntent;
use crate::reconcile::known;
use crate::reconcile::ports::{PassError, Ports, Session};
use crate::reconcile::room::Room;

/// Open intents one pass takes up.
const MAX_INTENTS: usize = 1_000;

/// Open intents with what their bookings are now. Absence from a page proves nothing: what the pages
/// did not show is read by name.
pub(super) async fn intents(
    ports: &Ports<'_>,
    limits: &Limits,
    pending: &[Observed],
    session: &mut Session,
    room: &mut Room,
    problems: &mut Vec<Problem>,
) -> Result<Vec<OpenIntent>, PassError> {
    let now = (ports.clock)();
    let asked = limits.clone();
    let found = ports
        .store
        .with(move |store| known::intents(store, MAX_INTENTS, &asked, now))
        .await;
    let mut open = Vec::new();
    let mut reads = Vec::new();
    let mut read_at = BTreeMap::new();
    for (intent, sent) in found.map_err(PassError::Store)? {
        let id = &intent.request.id;
        let last = session.read_at.get(id).copied();
        let wanted = match sent {
            // What the pages show costs no call, and what they do not show is read ever more rarely.
            Some(sent) => is_shown(&intent, pending) || intent::read_again(sent, last, now),
            // One that failed often waits its turn without costing calls.
            None => intent::due(&intent.request, now) || intent::has_begun(&intent.request, now),
        };
        if wanted {
            read_at.insert(id.clone(), now);
            reads.push(sight(ports, intent, pending).boxed());
        } else {
            read_at.extend(last.map(|last| (id.clone(), last)));
            open.push(intent);
        }
    }
    session.read_at = read_at;
    let mut reads = stream::iter(reads).buffered(READS_AT_ONCE);
    while let Some(read) = reads.next().await {
        let (mut intent, problem) = read?;
        problems.extend(problem);
        // What is not kept counts as not read: it is looked at again.
        if !room.take_all(&intent.grown) {
            intent.grown.clear();
            intent.sights.clear();
            problems.push(Problem {
                code: "unread-intent",
                text: format!(
                    "request {} is left for later: no more bookings are kept at once",
                    intent.request.id
                ),
            });
        }
        open.push(intent);
    }
    for intent in &open {
        if intent.request.failures >= intent::ATTENTION {
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
    Ok(open)
}

/// Whether the listed pages tell all that is asked about the intent's bookings.
fn is_shown(open: &OpenIntent, pending: &[Observed]) -> bool {
    open.request.series.is_none()
        && open.request.bookings.iter().all(|booking| {
            let mut listed = pending.iter();
            listed.any(|observed| observed.booking.uid == booking.uid)
        })
}

async fn sight(
    ports: &Ports<'_>,
    mut open: OpenIntent,
    pending: &[Observed],
) -> Result<(OpenIntent, Option<Problem>), PassError> {
    open.at = (ports.clock)();
    let read = match &open.request.series {
        Some(series) => match ports.calendar.series(&series.uid()).await {
            Ok(Some(all)) => {
                known::sight_series(&mut open, all);
                without_left_over(ports, &mut open).await?;
                return Ok((open, None));
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        },
        None => Ok(()),
    };
    let read = match read {
        Ok(()) => sight_each(ports, &mut open, pending).await,
        Err(error) => Err(error),
    };
    match read {
        Ok(()) => Ok((open, None)),
        Err(error) if ends_the_pass(&error) => Err(error.into()),
        Err(error) => {
            let problem = Problem {
                code: "unread-intent",
                text: format!("request {} could not be read: {error}", open.request.id),
            };
            Ok((open, Some(problem)))
        }
    }
}

/// What is over and was refused before stays pending for ever; nobody is to pay for it now.
async fn without_left_over(ports: &Ports<'_>, open: &mut OpenIntent) -> Result<(), PassError> {
    let over = open.grown.iter().filter(|one| one.end <= open.at);
    let over: Vec<BookingUid> = over.map(|one| one.uid.clone()).collect();
    if over.is_empty() {
        return Ok(());
    }
    let settled = ports
        .store
        .with(move |store| known::settled(store, &over))
        .await;
    let settled = settled.map_err(PassError::Store)?;
    open.grown.retain(|one| !settled.contains(&one.uid));
    Ok(())
}

async fn sight_each(
    ports: &Ports<'_>,
    open: &mut OpenIntent,
    pending: &[Observed],
) -> Result<(), CallError> {
    for booking in &open.request.bookings {
        let listed = pending
            .iter()
            .find(|observed| observed.booking.uid == booking.uid);
        let (reading, at) = match listed {
            Some(observed) => {
                let booking = Box::new(observed.booking.clone());
                (Reading::Is(booking), observed.at)
            }
            None => {
                let at = (ports.clock)();
                (ports.calendar.get(booking).await?, at)
            }
        };
        let sight = match &reading {
            Reading::Is(booking) => Sight::for_call(booking, open.request.call, at),
            Reading::Gone => Sight::Gone,
        };
        open.at = open.at.min(at);
        open.sights.insert(booking.uid.clone(), sight);
    }
    Ok(())
}
