//! Observing: everything a plan may look at, read from Cal.com and the store into one snapshot.
//! Reads only. What cannot be read is left out and reported, never guessed.

mod accepted;
mod intents;
mod pending;
mod series;
mod session;

use std::collections::{BTreeMap, BTreeSet};

use super::known;
use super::ports::{PassError, Ports, Session};
use crate::calcom::port::CallError;
use crate::domain::booking::{Booking, Status};
use crate::domain::decision::Decision;
use crate::domain::gate::Policy;
use crate::domain::id::{BookingUid, EventTypeId};
use crate::domain::plan::{Action, Plan, Problem, plan};
use crate::domain::request::RequestState;
use crate::domain::snapshot::{Series, Snapshot};
use crate::domain::time::Time;
use accepted::accepted;
use intents::intents;
use pending::pending;
use series::{hidden, series};

/// Reads that are under way at once.
const READS_AT_ONCE: usize = 8;

/// What observing gave.
#[derive(Debug)]
pub struct Observation {
    pub snapshot: Snapshot,
    pub plan: Plan,
    pub problems: Vec<Problem>,
    /// Pending bookings seen, whoever's they are.
    pub seen: usize,
}

/// Reads all that is needed and plans.
///
/// # Errors
/// When the key is refused, the listing cannot be had, or the store cannot be read.
pub async fn observe(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
) -> Result<Observation, PassError> {
    let me = session.me(ports).await?.id;
    let mut problems = Vec::new();
    let (pending, known) = pending(ports, policy, me, &mut problems).await?;
    let intents = intents(ports, &pending, &mut problems).await?;
    let seen = pending.len();
    let mut snapshot = Snapshot {
        now: (ports.clock)(),
        me,
        series: BTreeMap::new(),
        accepted: Vec::new(),
        event_types: BTreeMap::new(),
        accounts: BTreeMap::new(),
        names: BTreeMap::new(),
        records: known.records,
        carried: BTreeMap::new(),
        standing: BTreeMap::new(),
        asked: BTreeMap::new(),
        pins: BTreeMap::new(),
        lookups: BTreeMap::new(),
        ledger_is_empty: known.ledger_is_empty,
        pending,
        intents,
    };
    snapshot.series = series(ports, policy, &snapshot, &mut problems).await?;
    hidden(ports, &mut snapshot).await?;
    let guarded: Vec<&Booking> = bookings(&snapshot)
        .filter(|booking| policy.guards(me, booking).is_ok() && undecided(&snapshot, booking))
        .collect();
    let kinds: BTreeSet<EventTypeId> = guarded
        .iter()
        .filter_map(|booking| booking.event_type.as_ref().map(|kind| kind.id))
        .collect();
    let people = known::people(guarded.iter().copied(), &snapshot.intents);
    let window = window(&guarded);
    snapshot.event_types = session.event_types(ports, kinds, &mut problems).await?;
    let people = ports
        .store
        .with(move |store| known::look_up(store, &people))
        .await;
    let people = people.map_err(PassError::Store)?;
    snapshot.accounts = people.accounts;
    snapshot.names = people.names;
    snapshot.carried = people.carried;
    let moved: Vec<(BookingUid, BookingUid)> = bookings(&snapshot)
        .filter(|booking| policy.guards(me, booking).is_ok() && undecided(&snapshot, booking))
        .filter(|booking| !snapshot.carried.contains_key(&booking.uid))
        .filter_map(|booking| Some((booking.uid.clone(), booking.rescheduled_from.clone()?)))
        .collect();
    for (booking, from) in moved {
        if let Some(charge) = session.charge_before(ports, &from, &mut problems).await? {
            snapshot.carried.insert(booking, charge);
        }
    }
    // Accepted bookings matter only where something would be confirmed: an idle door with people who
    // wait for credit costs one call a pass.
    let draft = plan(&snapshot, policy);
    let plan = match window {
        Some((from, to)) if confirms(&draft) => {
            accepted(ports, &mut snapshot, (from, to), &mut problems).await?;
            plan(&snapshot, policy)
        }
        Some(_) | None => draft,
    };
    Ok(Observation {
        snapshot,
        plan,
        problems,
        seen,
    })
}

/// Every booking a request may be made of: the listed ones and the series' hidden occurrences.
fn bookings(snapshot: &Snapshot) -> impl Iterator<Item = &Booking> {
    let listed = snapshot.pending.iter().map(|observed| &observed.booking);
    let hidden = snapshot.series.values().flat_map(|series| match series {
        Series::Whole(all) => all.as_slice(),
        Series::Unread(_) => &[],
    });
    listed.chain(hidden.filter(|booking| booking.status == Status::Pending))
}

fn undecided(snapshot: &Snapshot, booking: &Booking) -> bool {
    match snapshot.records.get(&booking.request()) {
        None => true,
        Some(record) => {
            record.state == RequestState::Noted
                || record.bookings.iter().all(|known| known.uid != booking.uid)
        }
    }
}

fn confirms(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| {
        matches!(step.action, Action::Send { .. }) && step.request.decision == Decision::Confirm
    })
}

fn window(bookings: &[&Booking]) -> Option<(Time, Time)> {
    let from = bookings.iter().map(|booking| booking.start).min()?;
    let to = bookings.iter().map(|booking| booking.end).max()?;
    Some((from, to))
}

/// Whether nothing else should be tried with this key.
pub fn ends_the_pass(error: &CallError) -> bool {
    match error {
        CallError::Credential(_) | CallError::Limited { .. } => true,
        CallError::NotYours(_)
        | CallError::TooLate
        | CallError::Unreachable(_)
        | CallError::Unknown(_)
        | CallError::Refused(_)
        | CallError::Contract(_) => false,
    }
}
