//! The snapshot that holds one booking from a file. What Cal.com and other systems would say is
//! assumed, and every assumption is listed.

use std::collections::{BTreeMap, BTreeSet};

use crate::calcom::booking_file::ParsedBooking;
use crate::control::protocol::Refusal;
use crate::daemon::commands::parse;
use crate::domain::booking::{
    Booking, BookingStatus, Buffers, Confirmation, EventType, TimestampedBooking,
};
use crate::domain::criteria::price::Cost;
use crate::domain::expected::RecordVersions;
use crate::domain::gate::Policy;
use crate::domain::id::{HostId, RequestId};
use crate::domain::snapshot::{Lookups, PinResult, Series, Snapshot};
use crate::domain::time::Time;
use crate::reconcile::pin::case::{PinCheck, collect_pin_cases};
use crate::reconcile::pin::hash::verify;
use crate::reconcile::pin::submitted::SubmittedPins;
use crate::reconcile::pin::wrong_pins::{
    build_wrong_pin_query, read_wrong_pins, record_verification,
};
use crate::reconcile::{store_reads, usage_history};
use crate::store::port::{Store, StoreError};

/// The host of a booking that does not name a host.
const UNKNOWN_HOST: HostId = HostId(0);

/// Builds a snapshot with only this booking.
pub(super) fn build_snapshot(
    store: &mut dyn Store,
    policy: &Policy,
    at: Time,
    from_file: ParsedBooking,
    assumed: &mut Vec<String>,
) -> Result<Snapshot, Refusal> {
    let mut booking = from_file.booking;
    let mut submitted_pins = SubmittedPins::default();
    submitted_pins.take_from(policy, &mut booking);
    if booking.status != BookingStatus::Pending {
        assumed.push("that it waits for an answer".to_owned());
        booking.status = BookingStatus::Pending;
    }
    booking.rescheduled_to = None;
    assumed.push("that no accepted booking overlaps".to_owned());
    assumed.extend(assumed_host_bookings(policy, &booking));
    let me = booking.host_id().unwrap_or(UNKNOWN_HOST);
    if booking.host_id().is_some() {
        assumed.push(format!("that the host ({me}) is the user of the API key"));
    }
    let event_type = event_type(&booking, from_file.price);
    if from_file.price.is_none() && event_type.is_some() {
        assumed.push("that the event type has no price".to_owned());
    }
    let account_query = store_reads::build_account_query([&booking].into_iter(), &[]);
    let loaded =
        store_reads::read_accounts(store, &account_query).map_err(|e| parse::store_failed(&e))?;
    let series = assumed_series(&mut booking, at - policy.limits.series_settle, assumed);
    let ledger = store.ledger_state().map_err(|e| parse::store_failed(&e))?;
    let mut snapshot = Snapshot {
        now: at,
        key_user: me,
        series,
        accepted: Vec::new(),
        co_hosted: Vec::new(),
        pin_origins: BTreeMap::new(),
        buffers: BTreeMap::new(),
        event_types: event_type
            .into_iter()
            .map(|kind| (kind.id, Some(kind)))
            .collect(),
        accounts: loaded.accounts,
        accounts_by_address: loaded.accounts_by_address,
        records: BTreeMap::new(),
        versions: RecordVersions::default(),
        intents: Vec::new(),
        carried_charges: loaded.carried_charges,
        moves: Default::default(),
        unclear_predecessors: Default::default(),
        counted_bookings: BTreeMap::new(),
        prior_requests: BTreeMap::new(),
        pin_results: BTreeMap::new(),
        lookups: BTreeMap::new(),
        source_failures: BTreeMap::new(),
        unresolved_bookings: BTreeMap::new(),
        recent_declines: 0,
        ledger_is_empty: store.is_empty().map_err(|e| parse::store_failed(&e))?,
        restore_pending: ledger.restored_at.is_some(),
        clock_skewed: false,
        paused_gates: ledger.pauses.of_gates(at),
        pending: vec![TimestampedBooking {
            booking,
            read_at: at,
        }],
    };
    let assumption =
        load_usage_history(store, policy, &mut snapshot).map_err(|e| parse::store_failed(&e))?;
    assumed.extend(assumption);
    check_pin(store, policy, &mut snapshot, &submitted_pins)
        .map_err(|e| parse::store_failed(&e))?;
    snapshot.lookups = unavailable_lookups(policy, &snapshot, assumed);
    assumed.extend(assumed_answer_types(policy, &snapshot.pending[0].booking));
    Ok(snapshot)
}

/// Returns the assumption about the bookings of the host, if a cap counts them.
fn assumed_host_bookings(policy: &Policy, booking: &Booking) -> Option<String> {
    let gate = policy.gate(booking)?;
    policy.global.host_caps(&gate.name).next()?;
    Some("that the host has no other bookings that count for a cap".to_owned())
}

/// Returns the series of the booking, which is complete: a file is not a poll, so no further
/// occurrences are expected. A younger booking is made as old as a series that is decided.
fn assumed_series(
    booking: &mut Booking,
    settled_at: Time,
    assumed: &mut Vec<String>,
) -> BTreeMap<RequestId, Series> {
    let Some(id) = booking.series.clone() else {
        return BTreeMap::new();
    };
    assumed.push("that the series has this one occurrence".to_owned());
    booking.created_at = booking.created_at.min(settled_at);
    BTreeMap::from([(id, Series::Whole(vec![booking.clone()]))])
}

/// Returns the assumptions about the types of the answers: the file does not give the types of the
/// questions, so each answer is assumed to have the type that a rule or a price expects.
fn assumed_answer_types(policy: &Policy, booking: &Booking) -> BTreeSet<String> {
    let Some(gate) = policy.gate(booking) else {
        return BTreeSet::new();
    };
    let rules = policy.global.rules.iter().chain(gate.criteria.rules.iter());
    let conditions = rules.map(|rule| &rule.require);
    let prices = gate.all_costs().filter_map(Cost::expression);
    let uses = conditions
        .chain(prices)
        .flat_map(|expression| expression.answers());
    let answered = uses.filter(|one| booking.answers.contains_key(&one.slug));
    answered
        .filter_map(|one| {
            let kind = one.expected_kind?.describe();
            Some(format!(
                "that the answer to the question {} is {kind}, as a rule takes it",
                one.slug
            ))
        })
        .collect()
}

/// Loads the member's counted bookings and the booker's earlier requests into the snapshot. Returns
/// the assumption that had to be made, if any.
fn load_usage_history(
    store: &dyn Store,
    policy: &Policy,
    snapshot: &mut Snapshot,
) -> Result<Option<String>, StoreError> {
    let booking = &snapshot.pending[0].booking;
    let gated_booking = policy.gate(booking).map(|gate| (gate, booking));
    let usage_query = usage_history::build_usage_query(policy, snapshot, gated_booking.into_iter());
    let usage_history = usage_history::read_usage_history(store, &usage_query)?;
    let over_limit = usage_history
        .over_limit
        .includes_booker_of(snapshot, booking);
    snapshot.counted_bookings = usage_history.counted_bookings;
    snapshot.prior_requests = usage_history.prior_requests;
    let assumed = "that the booker has and asked for nothing else (there is more than is counted)";
    Ok(over_limit.then(|| assumed.to_owned()))
}

/// Checks the PIN as a pass does, but immediately, because there is only one PIN.
fn check_pin(
    store: &dyn Store,
    policy: &Policy,
    snapshot: &mut Snapshot,
    submitted_pins: &SubmittedPins,
) -> Result<(), StoreError> {
    let booking = &snapshot.pending[0].booking;
    let request = booking.request_id();
    let requests = [(booking, &request, booking.created_at)];
    let cases = collect_pin_cases(policy, snapshot, submitted_pins, requests.into_iter());
    let mut wrong = read_wrong_pins(store, &build_wrong_pin_query(snapshot, &cases))?;
    for case in cases {
        let pin = match &case.check {
            PinCheck::NotSet => PinResult::NotSet,
            PinCheck::Missing => PinResult::Missing,
            PinCheck::Try(_) if wrong.exceeded_limit(&case).is_some() => PinResult::Locked,
            PinCheck::Try(one) => {
                let matches = verify(&one.hash, &one.pin);
                record_verification(&case, matches, &mut wrong)
            }
        };
        snapshot.pin_results.insert(case.booking, pin);
    }
    Ok(())
}

/// Reports every lookup as unavailable. Other systems are not asked, because this runs on the
/// store's thread, which must not wait for them.
fn unavailable_lookups(
    policy: &Policy,
    snapshot: &Snapshot,
    assumed: &mut Vec<String>,
) -> BTreeMap<RequestId, Lookups> {
    let booking = &snapshot.pending[0].booking;
    let Some(gate) = policy.gate(booking) else {
        return BTreeMap::new();
    };
    let mut lookups = Lookups::default();
    for lookup in &policy.global.lookups {
        if gate.uses_lookup(&policy.global, &lookup.name) {
            let name = &lookup.name;
            assumed.push(format!(
                "that lookup.{name} gives no answer (it is not asked here)"
            ));
            let why = "`evaluate` asks no other systems".to_owned();
            lookups.failures.insert(name.clone(), why);
        }
    }
    BTreeMap::from([(booking.request_id(), lookups)])
}

fn event_type(booking: &Booking, price: Option<i64>) -> Option<EventType> {
    let reference = booking.event_type.as_ref()?;
    Some(EventType {
        id: reference.id,
        slug: reference.slug.clone().unwrap_or_default(),
        title: booking.title.clone(),
        length_minutes: u32::try_from(booking.length().num_minutes()).unwrap_or(0),
        buffers: Buffers::NONE,
        price: price.unwrap_or(0),
        seated: booking.seated,
        recurring: booking.series.is_some(),
        confirmation: Confirmation::Unknown,
        verifies_address: None,
        questions: None,
        disables_cancelling: false,
        disables_rescheduling: false,
        limits: Vec::new(),
    })
}
