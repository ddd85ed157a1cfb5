//! Observing: everything a plan may look at, read from Cal.com and the store into one snapshot.
//! Reads only. What cannot be read is left out and reported, never guessed.

mod accepted;
mod hidden;
mod intents;
mod lookups;
mod pending;
mod pins;
mod series;
mod session;

use foldhash::HashMap;
use std::collections::{BTreeMap, BTreeSet};

use super::before;
use super::chain::{self, Before};
use super::clock::clock_is_off;
use super::known;
use super::pin::Given;
use super::ports::{PassError, Ports, Session};
use super::report::PutOff;
use super::room::{ROOM, Room};
use crate::calcom::port::{CallError, Me};
use crate::domain::booking::{Booking, Status};
use crate::domain::decision::Decision;
use crate::domain::gate::{Gate, Policy};
use crate::domain::group::{Group, groups};
use crate::domain::id::{Address, BookingUid, EventTypeId, HostId, RequestId};
use crate::domain::plan::{Action, Plan, Problem, plan};
use crate::domain::request::RequestState;
use crate::domain::snapshot::{Series, Snapshot};
use crate::domain::taken::BuffersOf;
use crate::domain::time::{Span, Time};
use crate::domain::unresolved::Unresolved;
use accepted::accepted;
use intents::intents;
use lookups::lookups;
use pending::{End, pending};
use pins::pins;
use series::{hidden as hidden_occurrences, series};

/// Reads that are under way at once.
const READS_AT_ONCE: usize = 8;

/// What observing gave.
#[derive(Debug)]
pub struct Observation {
    pub snapshot: Snapshot,
    pub plan: Plan,
    pub problems: Vec<Problem>,
    pub put_off: PutOff,
    /// Pending bookings seen, whoever's they are.
    pub seen: usize,
    /// The next pass has something to look at, beside what the plan leaves to it.
    pub more: bool,
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
    let ledger = ports.store.with(|store| store.ledger_state()).await;
    let restore_open = ledger.map_err(PassError::Store)?.restored.is_some();
    let mut problems = Vec::new();
    let mut given = Given::default();
    let mut room = Room::of(ROOM);
    let (mut pending, known, end) =
        pending(ports, policy, me, &session.left, &mut room, &mut problems).await?;
    for observed in &mut pending {
        given.take(policy, &mut observed.booking);
    }
    let mut intents = intents(
        ports,
        &policy.limits,
        &pending,
        session,
        &mut room,
        &mut problems,
    )
    .await?;
    for grown in intents.iter_mut().flat_map(|open| &mut open.grown) {
        given.take(policy, grown);
    }
    let seen = pending.len();
    let mut snapshot = Snapshot {
        now: (ports.clock)(),
        me,
        series: BTreeMap::new(),
        accepted: Vec::new(),
        attended: Vec::new(),
        origins: BTreeMap::new(),
        buffers: BTreeMap::new(),
        event_types: BTreeMap::new(),
        accounts: HashMap::default(),
        names: HashMap::default(),
        records: known.records,
        carried: BTreeMap::new(),
        moves: BTreeMap::new(),
        unclear: BTreeSet::new(),
        standing: BTreeMap::new(),
        asked: BTreeMap::new(),
        pins: BTreeMap::new(),
        lookups: BTreeMap::new(),
        listed: BTreeMap::new(),
        declined: declined(ports, policy).await?,
        ledger_is_empty: known.ledger_is_empty,
        restore_open,
        clock_off: clock_is_off(ports),
        pending,
        intents,
    };
    snapshot.series = series(ports, policy, &snapshot, &mut room, &mut problems).await?;
    for series in snapshot.series.values_mut() {
        if let Series::Whole(all) = series {
            all.iter_mut()
                .for_each(|booking| given.take(policy, booking));
        }
    }
    hidden_occurrences(ports, &mut snapshot).await?;
    snapshot.listed = listed(ports, &snapshot).await?;
    let window = window(guarded(policy, &snapshot).map(|(_, booking)| booking));
    people(ports, policy, session, &mut snapshot, &mut problems).await?;
    snapshot.buffers = session.buffers();
    let crowded = past(ports, policy, &mut snapshot, &mut problems).await?;
    let mut more = pins(
        ports,
        policy,
        session,
        (&mut snapshot, &given),
        &mut problems,
    )
    .await?;
    drop(given);
    more |= lookups(ports, policy, session, &mut snapshot, &mut problems).await;
    // Accepted bookings matter only where something would be confirmed: an idle door with people
    // who wait for credit costs one call a pass.
    let mut put_off = PutOff {
        requests: 0,
        unseen: end == End::Repeated,
    };
    let draft = plan(&snapshot, policy);
    let plan = match window {
        Some(window) if confirms(&draft) => {
            let hosts = hosts(session.me(ports).await?, policy, &snapshot);
            let window = with_buffers(window, &snapshot.buffers);
            let late = accepted(ports, &mut snapshot, &hosts, window, &mut problems).await?;
            put_off.requests = draft.decides(&late);
            snapshot.clock_off |= clock_is_off(ports);
            plan(&snapshot, policy)
        }
        Some(_) | None => draft,
    };
    // What lies behind is reached by the next pass, unless that would find the same in front of it.
    let mut left = plan.left_without_a_note(&snapshot.pending);
    left.extend(crowded);
    let news = plan.writes() || left != session.left;
    session.left = left;
    let more = more || (end == End::Behind && news);
    Ok(Observation {
        snapshot,
        plan,
        problems,
        put_off,
        seen,
        more,
    })
}

/// What the unresolved list says of the pending bookings and of those of open intents.
async fn listed(
    ports: &Ports<'_>,
    snapshot: &Snapshot,
) -> Result<BTreeMap<BookingUid, Vec<Unresolved>>, PassError> {
    let begun = snapshot
        .intents
        .iter()
        .flat_map(|open| &open.request.bookings);
    let begun = begun.map(|booking| booking.uid.clone());
    let pending = bookings(snapshot).map(|booking| booking.uid.clone());
    let wanted: BTreeSet<BookingUid> = begun.chain(pending).collect();
    let read = ports.store.with(move |store| {
        let mut listed = BTreeMap::new();
        for uid in wanted {
            let items = store.unresolved_of(&uid)?;
            if !items.is_empty() {
                listed.insert(uid, items);
            }
        }
        Ok(listed)
    });
    read.await.map_err(PassError::Store)
}

/// How many requests were declined lately, as far as the limit wants to know.
pub(super) async fn declined(ports: &Ports<'_>, policy: &Policy) -> Result<usize, PassError> {
    let limit = policy.limits.declines;
    let now = (ports.clock)();
    let declined = ports.store.with(move |store| {
        let until = now + Span::milliseconds(1);
        store.declined(now - limit.per, until, limit.at_most)
    });
    Ok(declined.await.map_err(PassError::Store)?.len())
}

/// Event types, accounts, and the charges that would be carried on.
async fn people(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    snapshot: &mut Snapshot,
    problems: &mut Vec<Problem>,
) -> Result<(), PassError> {
    let kinds: BTreeSet<EventTypeId> = guarded(policy, snapshot)
        .filter_map(|(_, booking)| booking.event_type.as_ref().map(|kind| kind.id))
        .collect();
    let guards = guarded(policy, snapshot).map(|(_, booking)| booking);
    let people = known::people(guards, &snapshot.intents);
    snapshot.event_types = session.event_types(ports, kinds, problems).await?;
    let people = ports
        .store
        .with(move |store| known::look_up(store, &people))
        .await;
    let people = people.map_err(PassError::Store)?;
    snapshot.accounts = people.accounts;
    snapshot.names = people.names;
    snapshot.carried = people.carried;
    let moved: Vec<(Booking, BookingUid)> = guarded(policy, snapshot)
        .map(|(_, booking)| booking)
        .filter(|booking| !snapshot.carried.contains_key(&booking.uid))
        .filter_map(|booking| Some((booking.clone(), booking.rescheduled_from.clone()?)))
        .collect();
    for (booking, from) in moved {
        let mut before = session.charge_before(ports, &from, problems).await?;
        // Each is looked for once in a process, so that this ends.
        while let Before::Hidden(wanted) = &before {
            if !hidden::look_back(ports, session, wanted, booking.created).await? {
                break;
            }
            before = session.charge_before(ports, &from, problems).await?;
        }
        match before {
            Before::Open(charge, between) => {
                let moves = chain::moves(&charge, &between, &booking, &policy.hosts);
                snapshot.moves.insert(booking.uid.clone(), moves);
                snapshot.carried.insert(booking.uid, *charge);
            }
            // Whoever may have paid for it before is not to be refused now.
            Before::Undecided | Before::Unread | Before::Hidden(_) => {
                snapshot.unclear.insert(booking.uid);
            }
            Before::Nothing | Before::Ended(_) => {}
        }
    }
    Ok(())
}

/// What members have and bookers asked for, where something looks at it. The answer is whose requests
/// are left because that is more than is counted.
async fn past(
    ports: &Ports<'_>,
    policy: &Policy,
    snapshot: &mut Snapshot,
    problems: &mut Vec<Problem>,
) -> Result<BTreeSet<RequestId>, PassError> {
    let wanted = before::wanted(policy, snapshot, guarded(policy, snapshot));
    let found = ports
        .store
        .with(move |store| before::read(store, &wanted))
        .await;
    let found = found.map_err(PassError::Store)?;
    snapshot.standing = found.standing;
    snapshot.asked = found.asked;
    let crowded: Vec<BookingUid> = guarded(policy, snapshot)
        .map(|(_, booking)| booking)
        .filter(|booking| found.crowded.has(snapshot, booking))
        .map(|booking| booking.uid.clone())
        .collect();
    for uid in &crowded {
        problems.push(Problem {
            code: "too-many-before",
            text: format!(
                "who asks for booking {uid} has or asked for more bookings than are counted: it is \
                 left alone; answer it at Cal.com"
            ),
        });
    }
    let crowded: BTreeSet<BookingUid> = crowded.into_iter().collect();
    let left = bookings(snapshot)
        .filter(|booking| crowded.contains(&booking.uid))
        .map(Booking::request)
        .collect();
    put_off(snapshot, &crowded);
    Ok(left)
}

/// Takes bookings out of the snapshot, with the requests that they are part of: what is not seen is
/// not decided.
fn put_off(snapshot: &mut Snapshot, bookings: &BTreeSet<BookingUid>) {
    if bookings.is_empty() {
        return;
    }
    let late: BTreeSet<BookingUid> = groups(snapshot)
        .iter()
        .filter(|group| group.bookings.iter().any(|one| bookings.contains(&one.uid)))
        .flat_map(|group| group.bookings.iter().map(|booking| booking.uid.clone()))
        .collect();
    snapshot
        .pending
        .retain(|observed| !late.contains(&observed.booking.uid));
}

/// As [`put_off`], by the requests' names.
fn put_off_requests(snapshot: &mut Snapshot, requests: &BTreeSet<RequestId>) {
    let bookings = groups(snapshot)
        .iter()
        .filter(|group| requests.contains(&group.id))
        .map(|group| group.bookings[0].uid.clone())
        .collect();
    put_off(snapshot, &bookings);
}

/// The bookings that are ours to decide, with their gates.
fn guarded<'a>(
    policy: &'a Policy,
    snapshot: &'a Snapshot,
) -> impl Iterator<Item = (&'a Gate, &'a Booking)> {
    bookings(snapshot)
        .filter_map(|booking| Some((policy.guards(snapshot.me, booking).ok()?, booking)))
        .filter(|(_, booking)| undecided(snapshot, booking))
}

/// The requests that are ours to decide, in the order in which they were asked for.
fn to_decide<'a>(policy: &'a Policy, snapshot: &'a Snapshot) -> Vec<(&'a Gate, Group<'a>)> {
    groups(snapshot)
        .into_iter()
        .filter(|group| undecided(snapshot, group.bookings[0]))
        .filter_map(|group| {
            let gate = policy.guards(snapshot.me, group.bookings[0]).ok()?;
            Some((gate, group))
        })
        .collect()
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

fn window<'a>(bookings: impl Iterator<Item = &'a Booking>) -> Option<(Time, Time)> {
    bookings.fold(None, |window, booking| {
        let (from, to) = window.unwrap_or((booking.start, booking.end));
        Some((from.min(booking.start), to.max(booking.end)))
    })
}

/// Wide enough for what lies before and after it, with the buffers of both.
fn with_buffers((from, to): (Time, Time), buffers: &BuffersOf) -> (Time, Time) {
    let all = buffers.values().map(|one| one.before.max(one.after));
    let most = all.max().unwrap_or(Span::zero()) * 2;
    (from - most, to + most)
}

/// The hosts whose time is asked for, by their addresses: in another host's booking they are seen by
/// these alone.
fn hosts(me: &Me, policy: &Policy, snapshot: &Snapshot) -> BTreeMap<Address, HostId> {
    let own = me.address.clone().map(|address| (address, me.id));
    let asked = guarded(policy, snapshot).filter_map(|(_, booking)| {
        let host = booking.host.as_ref()?;
        Some((host.address.clone()?, host.id?))
    });
    own.into_iter().chain(asked).collect()
}

/// Whether nothing else should be tried with this key.
pub fn ends_the_pass(error: &CallError) -> bool {
    match error {
        CallError::Credential(_) | CallError::Limited { .. } => true,
        CallError::NotYours(_)
        | CallError::TooLate
        | CallError::Unreachable(_)
        | CallError::Unknown(_)
        | CallError::Failed(_)
        | CallError::TooLarge { .. }
        | CallError::Refused(_)
        | CallError::Contract(_) => false,
    }
}
