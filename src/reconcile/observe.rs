//! Observes: reads everything that a plan may use from Cal.com, the store and the sources into one
//! snapshot. The only thing that it writes are the accounts of members whom a source names, each in
//! one commit. What cannot be read is left out and reported, never guessed.

mod accepted_bookings;
mod begin_snapshot;
mod hidden_predecessors;
mod host_cap_periods;
mod intents;
mod lookups;
mod pass_cache;
mod pending_list;
mod pins;
mod series;
mod sources;

use std::collections::{BTreeMap, BTreeSet};

use super::clock::clock_is_off;
use super::context::{PassError, Ports, Session};
use super::memory_budget::{MAX_BOOKING_BYTES, MemoryBudget};
use super::pin::submitted::SubmittedPins;
use super::predecessor::{self, PredecessorCharge};
use super::report::Deferral;
use super::store_reads;
use super::usage_history;
use crate::calcom::port::CurrentUser;
use crate::domain::booking::{Booking, BookingStatus};
use crate::domain::decision::Decision;
use crate::domain::gate::{Gate, Policy};
use crate::domain::host_schedule::BuffersByEventType;
use crate::domain::id::{Address, BookingUid, EventTypeId, HostId, RequestId};
use crate::domain::plan::{Action, Plan, Problem, plan};
use crate::domain::request::{ChargeState, RequestState};
use crate::domain::request_grouping::{RequestGroup, group_requests};
use crate::domain::snapshot::{Series, Snapshot};
use crate::domain::time::{Span, Time};
use crate::domain::unresolved::UnresolvedBooking;
use accepted_bookings::load_accepted_bookings;
use begin_snapshot::begin_snapshot;
use host_cap_periods::HostCapPeriods;
use lookups::run_lookups;
use pending_list::PendingListEnd;
use pins::check_pins;
use series::load_hidden_occurrences;
use sources::open_accounts_of_members;

/// The maximum number of concurrent reads.
const READS_AT_ONCE: usize = 8;

/// The result of observing.
#[derive(Debug)]
pub struct Observation {
    /// Everything that was read.
    pub snapshot: Snapshot,
    /// The plan that follows from the snapshot.
    pub plan: Plan,
    /// What could not be read or used.
    pub problems: Vec<Problem>,
    /// What could not be decided because Cal.com's answers did not contain enough.
    pub deferral: Deferral,
    /// The number of pending bookings that were seen, regardless of whose they are.
    pub pending_count: usize,
    /// Whether the next pass has something to read, in addition to what the plan leaves to it.
    pub more: bool,
}

/// Reads everything that a plan needs, and plans.
///
/// # Errors
/// Returns an error if Cal.com refuses the key, or if the listing or the store cannot be read.
pub async fn observe(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
) -> Result<Observation, PassError> {
    let mut problems = Vec::new();
    let mut submitted_pins = SubmittedPins::default();
    let mut budget = MemoryBudget::new(MAX_BOOKING_BYTES);
    let (mut snapshot, list_end) = begin_snapshot(
        ports,
        policy,
        session,
        &mut budget,
        &mut submitted_pins,
        &mut problems,
    )
    .await?;
    let pending_count = snapshot.pending.len();
    load_hidden_occurrences(
        ports,
        policy,
        &mut snapshot,
        &mut budget,
        &mut submitted_pins,
        &mut problems,
    )
    .await?;
    snapshot.unresolved_bookings = read_unresolved_items(ports, &snapshot).await?;
    let window = covering_window(gated_bookings(policy, &snapshot).map(|(_, booking)| booking));
    load_accounts(ports, policy, session, &mut snapshot, &mut problems).await?;
    let left_unasked =
        open_accounts_of_members(ports, policy, session, &mut snapshot, &mut problems).await?;
    snapshot.buffers = session.buffers();
    let skipped_over_limit =
        load_usage_history(ports, policy, &mut snapshot, &mut problems).await?;
    let mut more = check_pins(
        ports,
        policy,
        session,
        (&mut snapshot, &submitted_pins),
        &mut problems,
    )
    .await?;
    drop(submitted_pins);
    more |= left_unasked;
    more |= run_lookups(ports, policy, session, &mut snapshot, &mut problems).await;
    let (plan, deferred_count) =
        plan_requests(ports, policy, session, &mut snapshot, window, &mut problems).await?;
    let deferral = Deferral {
        requests: deferred_count,
        list_incomplete: list_end == PendingListEnd::PageRepeated,
    };
    // Requests behind those that were listed are read by the next pass. If this pass changed
    // nothing, the next pass would find the same requests in front of them, so `more` is not set.
    let mut skipped_requests = plan.skipped_silently(&snapshot.pending);
    skipped_requests.extend(skipped_over_limit);
    let has_news = plan.writes_facts() || skipped_requests != session.skipped_requests;
    session.skipped_requests = skipped_requests;
    let more = more || (list_end == PendingListEnd::MoreBehind && has_news);
    Ok(Observation {
        snapshot,
        plan,
        problems,
        deferral,
        pending_count,
        more,
    })
}

/// Plans, and reads the accepted bookings in the window of the pending ones if the plan confirms
/// anything. Also returns how many requests cannot be decided because Cal.com's answers did not
/// contain enough.
async fn plan_requests(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    snapshot: &mut Snapshot,
    window: Option<(Time, Time)>,
    problems: &mut Vec<Problem>,
) -> Result<(Plan, usize), PassError> {
    // Accepted bookings matter only if something would be confirmed. If they are not read, a pass
    // over requests that only wait for credit costs one call.
    let draft = plan(snapshot, policy);
    let Some(window) = window.filter(|_| has_confirms(&draft)) else {
        return Ok((draft, 0));
    };
    let hosts = hosts_by_address(session.me(ports).await?, policy, snapshot);
    let periods = HostCapPeriods::of(policy, snapshot);
    let window = periods.widen(widen_by_buffers(window, &snapshot.buffers));
    let hosts = (&hosts, &periods);
    let deferred_requests =
        load_accepted_bookings(ports, snapshot, hosts, window, problems).await?;
    let deferred_count = draft.count_decided(&deferred_requests);
    snapshot.clock_skewed |= clock_is_off(ports);
    Ok((plan(snapshot, policy), deferred_count))
}

/// Returns the items of the unresolved list about the pending bookings and about the bookings of
/// open intents.
async fn read_unresolved_items(
    ports: &Ports<'_>,
    snapshot: &Snapshot,
) -> Result<BTreeMap<BookingUid, Vec<UnresolvedBooking>>, PassError> {
    let intent_bookings = snapshot
        .intents
        .iter()
        .flat_map(|open| &open.request.bookings);
    let intent_bookings = intent_bookings.map(|booking| booking.uid.clone());
    let pending = pending_bookings(snapshot).map(|booking| booking.uid.clone());
    let booking_uids: BTreeSet<BookingUid> = intent_bookings.chain(pending).collect();
    let read = ports.store.read(move |store| {
        let mut items_by_booking = BTreeMap::new();
        for uid in booking_uids {
            let items = store.unresolved_items_of(&uid)?;
            if !items.is_empty() {
                items_by_booking.insert(uid, items);
            }
        }
        Ok(items_by_booking)
    });
    read.await.map_err(PassError::Store)
}

/// Counts the declines within the period of the limit, up to the number that the limit allows.
pub(super) async fn count_recent_declines(
    ports: &Ports<'_>,
    policy: &Policy,
) -> Result<usize, PassError> {
    let limit = policy.limits.declines;
    let now = (ports.clock)();
    let declines = ports.store.read(move |store| {
        let until = now + Span::milliseconds(1);
        store.decline_times(now - limit.per, until, limit.at_most)
    });
    Ok(declines.await.map_err(PassError::Store)?.len())
}

/// Loads event types, accounts, and the charges that pending bookings would take over.
async fn load_accounts(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    snapshot: &mut Snapshot,
    problems: &mut Vec<Problem>,
) -> Result<(), PassError> {
    let event_type_ids: BTreeSet<EventTypeId> = gated_bookings(policy, snapshot)
        .filter_map(|(_, booking)| booking.event_type.as_ref().map(|kind| kind.id))
        .collect();
    let bookings = gated_bookings(policy, snapshot).map(|(_, booking)| booking);
    let query = store_reads::build_account_query(bookings, &snapshot.intents);
    snapshot.event_types = session.event_types(ports, event_type_ids, problems).await?;
    let loaded_accounts = ports
        .store
        .read(move |store| store_reads::read_accounts(store, &query))
        .await;
    let loaded_accounts = loaded_accounts.map_err(PassError::Store)?;
    snapshot.accounts = loaded_accounts.accounts;
    snapshot.accounts_by_address = loaded_accounts.accounts_by_address;
    snapshot.carried_charges = loaded_accounts.carried_charges;
    let moved_bookings: Vec<(Booking, BookingUid)> = gated_bookings(policy, snapshot)
        .map(|(_, booking)| booking)
        .filter(|booking| !snapshot.carried_charges.contains_key(&booking.uid))
        .filter_map(|booking| Some((booking.clone(), booking.rescheduled_from.clone()?)))
        .collect();
    for (booking, from) in moved_bookings {
        let mut predecessor = session
            .find_predecessor_charge(ports, &from, problems)
            .await?;
        // Each hidden predecessor is searched for once per process, so this loop ends.
        while let PredecessorCharge::Hidden(hidden_uid) = &predecessor {
            if !hidden_predecessors::find_hidden_predecessor(
                ports,
                session,
                hidden_uid,
                booking.created_at,
            )
            .await?
            {
                break;
            }
            predecessor = session
                .find_predecessor_charge(ports, &from, problems)
                .await?;
        }
        match predecessor {
            PredecessorCharge::Open(charge, replacements) => {
                let moves =
                    predecessor::collect_moves(&charge, &replacements, &booking, &policy.hosts);
                snapshot.moves.insert(booking.uid.clone(), moves);
                snapshot.carried_charges.insert(booking.uid, *charge);
            }
            // A booker who may have paid for the predecessor must not be declined now.
            PredecessorCharge::Undecided
            | PredecessorCharge::Unread
            | PredecessorCharge::Hidden(_) => {
                snapshot.unclear_predecessors.insert(booking.uid);
            }
            PredecessorCharge::NoCharge | PredecessorCharge::Closed(_) => {}
        }
    }
    load_carried_versions(ports, snapshot).await
}

/// Reads the carried charges again, with their versions. A charge that was closed meanwhile is not
/// taken over in this pass, and its successor is not decided.
async fn load_carried_versions(
    ports: &Ports<'_>,
    snapshot: &mut Snapshot,
) -> Result<(), PassError> {
    let carried = snapshot.carried_charges.iter();
    let carried: Vec<(BookingUid, BookingUid)> = carried
        .map(|(booking, charge)| (booking.clone(), charge.booking.uid.clone()))
        .collect();
    if carried.is_empty() {
        return Ok(());
    }
    let read = ports.store.read(move |store| {
        let mut charges = Vec::new();
        for (booking, from) in carried {
            let charge = store.charge(&from)?;
            let charge = charge.filter(|charge| charge.state == ChargeState::Open);
            charges.push((booking, charge, store.charge_version(&from)?));
        }
        Ok(charges)
    });
    for (booking, charge, version) in read.await.map_err(PassError::Store)? {
        match (charge, version) {
            (Some(charge), Some(version)) => {
                let from = charge.booking.uid.clone();
                snapshot.versions.charges.insert(from, version);
                snapshot.carried_charges.insert(booking, charge);
            }
            (_, None) | (None, _) => {
                snapshot.carried_charges.remove(&booking);
                snapshot.unclear_predecessors.insert(booking);
            }
        }
    }
    Ok(())
}

/// Loads the bookings of members and the earlier requests of bookers, if a criterion uses them.
/// Returns the requests that are left alone because their member or booker has more than is
/// counted.
async fn load_usage_history(
    ports: &Ports<'_>,
    policy: &Policy,
    snapshot: &mut Snapshot,
    problems: &mut Vec<Problem>,
) -> Result<BTreeSet<RequestId>, PassError> {
    let query =
        usage_history::build_usage_query(policy, snapshot, gated_bookings(policy, snapshot));
    let history = ports
        .store
        .read(move |store| usage_history::read_usage_history(store, &query))
        .await;
    let history = history.map_err(PassError::Store)?;
    snapshot.counted_bookings = history.counted_bookings;
    snapshot.prior_requests = history.prior_requests;
    let over_limit: Vec<BookingUid> = gated_bookings(policy, snapshot)
        .map(|(_, booking)| booking)
        .filter(|booking| history.over_limit.includes_booker_of(snapshot, booking))
        .map(|booking| booking.uid.clone())
        .collect();
    for uid in &over_limit {
        problems.push(Problem {
            code: "too-many-before",
            text: format!(
                "who asks for booking {uid} has or asked for more bookings than are counted: it \
                 is skipped; answer it at Cal.com"
            ),
        });
    }
    let over_limit: BTreeSet<BookingUid> = over_limit.into_iter().collect();
    let skipped_requests = pending_bookings(snapshot)
        .filter(|booking| over_limit.contains(&booking.uid))
        .map(Booking::request_id)
        .collect();
    defer_bookings(snapshot, &over_limit);
    Ok(skipped_requests)
}

/// Removes bookings from the snapshot, with the requests that they are part of: a request that is
/// not in the snapshot is not decided.
fn defer_bookings(snapshot: &mut Snapshot, bookings: &BTreeSet<BookingUid>) {
    if bookings.is_empty() {
        return;
    }
    let deferred_bookings: BTreeSet<BookingUid> = group_requests(snapshot)
        .iter()
        .filter(|group| group.bookings.iter().any(|one| bookings.contains(&one.uid)))
        .flat_map(|group| group.bookings.iter().map(|booking| booking.uid.clone()))
        .collect();
    snapshot
        .pending
        .retain(|observed| !deferred_bookings.contains(&observed.booking.uid));
}

/// Does the same as [`defer_bookings`] for requests with these ids.
fn defer_requests(snapshot: &mut Snapshot, requests: &BTreeSet<RequestId>) {
    let bookings = group_requests(snapshot)
        .iter()
        .filter(|group| requests.contains(&group.id))
        .map(|group| group.bookings[0].uid.clone())
        .collect();
    defer_bookings(snapshot, &bookings);
}

/// Returns the bookings that maitred has to decide, with their gates.
fn gated_bookings<'a>(
    policy: &'a Policy,
    snapshot: &'a Snapshot,
) -> impl Iterator<Item = (&'a Gate, &'a Booking)> {
    pending_bookings(snapshot)
        .filter_map(|booking| {
            Some((
                policy.require_gate(snapshot.key_user, booking).ok()?,
                booking,
            ))
        })
        .filter(|(_, booking)| is_undecided(snapshot, booking))
}

/// Returns the requests that maitred has to decide, in the order in which they were made.
fn requests_to_decide<'a>(
    policy: &'a Policy,
    snapshot: &'a Snapshot,
) -> Vec<(&'a Gate, RequestGroup<'a>)> {
    group_requests(snapshot)
        .into_iter()
        .filter(|group| is_undecided(snapshot, group.bookings[0]))
        .filter_map(|group| {
            let gate = policy
                .require_gate(snapshot.key_user, group.bookings[0])
                .ok()?;
            Some((gate, group))
        })
        .filter(|(gate, _)| !snapshot.paused_gates.contains_key(&gate.name))
        .collect()
}

/// Returns every booking that a request may contain: the listed bookings and the hidden occurrences
/// of their series.
fn pending_bookings(snapshot: &Snapshot) -> impl Iterator<Item = &Booking> {
    let listed_bookings = snapshot.pending.iter().map(|observed| &observed.booking);
    let hidden_occurrences = snapshot.series.values().flat_map(|series| match series {
        Series::Whole(all) => all.as_slice(),
        Series::Unread(_) => &[],
    });
    listed_bookings
        .chain(hidden_occurrences.filter(|booking| booking.status == BookingStatus::Pending))
}

fn is_undecided(snapshot: &Snapshot, booking: &Booking) -> bool {
    match snapshot.records.get(&booking.request_id()) {
        None => true,
        Some(record) => {
            record.state == RequestState::Noted
                || record
                    .bookings
                    .iter()
                    .all(|booking_ref| booking_ref.uid != booking.uid)
        }
    }
}

fn has_confirms(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| {
        matches!(step.action, Action::Send { .. }) && step.request.decision == Decision::Confirm
    })
}

fn covering_window<'a>(bookings: impl Iterator<Item = &'a Booking>) -> Option<(Time, Time)> {
    bookings.fold(None, |window, booking| {
        let (from, to) = window.unwrap_or((booking.start, booking.end));
        Some((from.min(booking.start), to.max(booking.end)))
    })
}

/// Widens the window to include the bookings right before and after it, with the buffers of both.
fn widen_by_buffers((from, to): (Time, Time), buffers: &BuffersByEventType) -> (Time, Time) {
    let all = buffers.values().map(|one| one.before.max(one.after));
    let longest = all.max().unwrap_or(Span::zero()) * 2;
    (from - longest, to + longest)
}

/// Returns the hosts whose time is requested, by their addresses: in another host's booking, only
/// the addresses identify them.
fn hosts_by_address(
    me: &CurrentUser,
    policy: &Policy,
    snapshot: &Snapshot,
) -> BTreeMap<Address, HostId> {
    let own = me.address.clone().map(|address| (address, me.id));
    let booking_hosts = gated_bookings(policy, snapshot).filter_map(|(_, booking)| {
        let host = booking.host.as_ref()?;
        Some((host.address.clone()?, host.id?))
    });
    own.into_iter().chain(booking_hosts).collect()
}
