//! Reads the bookings of members and the earlier requests of bookers, for caps, for rules that
//! count, and for the limit of requests a day. Reads them only if some criterion uses them.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::booking::Booking;
use crate::domain::decision::{Decision, ReasonCode};
use crate::domain::evaluation::built_in_rule::RuleInput;
use crate::domain::evaluation::rules::needs_input;
use crate::domain::gate::{Gate, Policy};
use crate::domain::id::{AccountId, Address, BookingUid, RequestId};
use crate::domain::intent::BookingState;
use crate::domain::request::{Charge, ChargeState, Request, RequestState};
use crate::domain::snapshot::{CountedBooking, PriorRequest, Snapshot};
use crate::domain::time::{Span, Time};
use crate::store::port::{Store, StoreError};

/// How far back bookings count: more than the longest period of a cap, in any zone.
const LOOKBACK: Span = Span::days(40);

/// How far ahead upcoming bookings count. No booking is made further ahead.
const LOOKAHEAD: Span = Span::days(366 * 20);

/// The maximum number of counted bookings of one member. No member has more within a month and
/// ahead; for an account that does, no cap could be evaluated.
const MAX_COUNTED_BOOKINGS: usize = 1_000;

/// How far back requests count: longer than since the start of the day before, in any zone.
const REQUEST_LOOKBACK: Span = Span::hours(50);

/// The maximum number of counted requests of one booker in two days. A daily limit above this
/// number limits nothing.
const MAX_COUNTED_REQUESTS: usize = 1_000;

/// The members and bookers whose history is needed, and since when.
#[derive(Debug, Clone, Default)]
pub struct UsageQuery {
    /// The members, and the start from which on their bookings count.
    members: BTreeMap<AccountId, Time>,
    until: Option<Time>,
    /// Bookings that do not count: they no longer stand, or they are the requested bookings
    /// themselves.
    excluded: BTreeSet<BookingUid>,
    /// The bookers, and when the first of their current requests was made.
    bookers: BTreeMap<Address, Time>,
}

/// The bookings and requests that count.
#[derive(Debug, Clone, Default)]
pub struct UsageHistory {
    /// The bookings of each member that count.
    pub counted_bookings: BTreeMap<AccountId, Vec<CountedBooking>>,
    /// The earlier requests of each booker.
    pub prior_requests: BTreeMap<Address, Vec<PriorRequest>>,
    /// Members with more bookings than are counted, and bookers with more requests.
    pub over_limit: OverLimit,
}

/// Members and bookers whose history is too long to be counted: none of their requests can be
/// decided.
#[derive(Debug, Clone, Default)]
pub struct OverLimit {
    /// Members with more bookings than are counted.
    pub members: BTreeSet<AccountId>,
    /// Bookers with more requests than are counted.
    pub bookers: BTreeSet<Address>,
}

/// Builds the query for the history that these bookings, which are to be decided, need.
pub fn build_usage_query<'a>(
    policy: &Policy,
    snapshot: &Snapshot,
    bookings: impl Iterator<Item = (&'a Gate, &'a Booking)>,
) -> UsageQuery {
    let mut query = UsageQuery {
        until: Some(snapshot.now + LOOKAHEAD),
        excluded: find_ended_bookings(snapshot),
        ..UsageQuery::default()
    };
    for (gate, booking) in bookings {
        // The booking that this one replaced is already cancelled at Cal.com.
        query.excluded.insert(booking.uid.clone());
        query.excluded.extend(booking.rescheduled_from.clone());
        let carried = snapshot.carried_charges.get(&booking.uid);
        query
            .excluded
            .extend(carried.map(|charge| charge.booking.uid.clone()));
        let Some(booker) = &booking.booker else {
            continue;
        };
        if needs_input(&policy.global, gate, RuleInput::PriorRequests) {
            let first = query.bookers.entry(booker.address.clone());
            let first = first.or_insert(booking.created_at);
            *first = booking.created_at.min(*first);
        }
        if let Some(account) = snapshot.accounts_by_address.get(&booker.address)
            && needs_input(&policy.global, gate, RuleInput::BookingCounts)
        {
            let from = booking.start.min(snapshot.now) - LOOKBACK;
            let counted_from = query.members.entry(account.clone()).or_insert(from);
            *counted_from = from.min(*counted_from);
        }
    }
    query
}

/// Finds the bookings of open intents that will not stand, because their holds come back with this
/// pass, and the bookings for which a successor already holds credits.
fn find_ended_bookings(snapshot: &Snapshot) -> BTreeSet<BookingUid> {
    // While a call may still be running, the hold stays, whatever state the booking has meanwhile.
    let without_running_call = snapshot.intents.iter();
    let without_running_call = without_running_call.filter(|open| open.running_until.is_none());
    let booking_states = without_running_call.flat_map(|open| &open.booking_states);
    let ended_bookings = booking_states.filter(|(_, state)| match state {
        BookingState::Rejected
        | BookingState::Cancelled
        | BookingState::Gone
        | BookingState::PendingAfterStart
        | BookingState::PendingAfterEnd => true,
        BookingState::Pending
        | BookingState::Accepted
        | BookingState::AcceptedAfterMove
        | BookingState::AcceptedAfterCancel
        | BookingState::OtherStatus
        | BookingState::Unread => false,
    });
    let mut ended_bookings: BTreeSet<BookingUid> =
        ended_bookings.map(|(booking, _)| booking.clone()).collect();
    let holding_intents = snapshot
        .intents
        .iter()
        .filter(|open| !open.charges.is_empty());
    ended_bookings.extend(holding_intents.filter_map(|open| open.request.predecessor.clone()));
    ended_bookings
}

/// Reads the history that the query asks for.
///
/// # Errors
/// Returns an error if the store cannot be read.
pub fn read_usage_history(
    store: &dyn Store,
    query: &UsageQuery,
) -> Result<UsageHistory, StoreError> {
    let mut history = UsageHistory::default();
    let mut gates = BTreeMap::new();
    for (account, from) in &query.members {
        let until = query.until.unwrap_or(*from);
        let charges = store.charges_of(account, *from, until, MAX_COUNTED_BOOKINGS + 1)?;
        if charges.len() > MAX_COUNTED_BOOKINGS {
            history.over_limit.members.insert(account.clone());
            continue;
        }
        let mut counted_bookings = Vec::with_capacity(charges.len());
        for charge in charges {
            if !query.excluded.contains(&charge.booking.uid) {
                counted_bookings.push(read_counted_booking(store, charge, &mut gates)?);
            }
        }
        history
            .counted_bookings
            .insert(account.clone(), counted_bookings);
    }
    for (booker, first) in &query.bookers {
        let requests = store.requests_of_booker(
            booker,
            *first - REQUEST_LOOKBACK,
            MAX_COUNTED_REQUESTS + 1,
        )?;
        if requests.len() > MAX_COUNTED_REQUESTS {
            history.over_limit.bookers.insert(booker.clone());
            continue;
        }
        let prior_requests = requests.into_iter().map(|request| PriorRequest {
            declined_over_limit: was_declined_for_too_many_requests(&request),
            request: request.id,
            created_at: request.created_at,
        });
        history
            .prior_requests
            .insert(booker.clone(), prior_requests.collect());
    }
    Ok(history)
}

fn was_declined_for_too_many_requests(request: &Request) -> bool {
    request.decision == Decision::Decline
        && request.state != RequestState::Noted
        && request
            .reasons
            .iter()
            .any(|reason| reason.code == ReasonCode::TooManyRequests)
}

fn read_counted_booking(
    store: &dyn Store,
    charge: Charge,
    gates: &mut BTreeMap<RequestId, Option<String>>,
) -> Result<CountedBooking, StoreError> {
    let gate = match gates.get(&charge.request) {
        Some(cached_gate) => cached_gate.clone(),
        None => {
            let request = store.request(&charge.request)?;
            let gate = request.and_then(|request| request.gate);
            gates.insert(charge.request.clone(), gate.clone());
            gate
        }
    };
    Ok(CountedBooking {
        booking: charge.booking.uid,
        start: charge.start,
        end: charge.end,
        gate,
        is_confirmed: charge.state != ChargeState::Held,
    })
}

impl OverLimit {
    /// Returns true if the booking's booker, or their account, is over the limit.
    pub fn includes_booker_of(&self, snapshot: &Snapshot, booking: &Booking) -> bool {
        let Some(booker) = &booking.booker else {
            return false;
        };
        let account = snapshot.accounts_by_address.get(&booker.address);
        self.bookers.contains(&booker.address)
            || account.is_some_and(|account| self.members.contains(account))
    }
}
