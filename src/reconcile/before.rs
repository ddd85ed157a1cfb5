//! What members have and what bookers asked for before: for caps, for rules that count, and for the
//! limit of requests a day. Read only where some criterion looks at it.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::booking::Booking;
use crate::domain::decision::{Code, Decision};
use crate::domain::gate::{Gate, Policy};
use crate::domain::id::{AccountId, Address, BookingUid, RequestId};
use crate::domain::intent::Sight;
use crate::domain::request::{Charge, ChargeState, Request, RequestState};
use crate::domain::snapshot::{Earlier, Snapshot, Standing};
use crate::domain::time::{Span, Time};
use crate::store::port::{Store, StoreError};

/// How far back bookings count: more than the longest period of a cap, in any zone.
const BACK: Span = Span::days(40);

/// How far ahead bookings count that are still to come. Nobody books further ahead.
const AHEAD: Span = Span::days(366 * 20);

/// Bookings of one member that are counted. Nobody has more in a month and ahead; of an account
/// that does, no cap could be told.
const MAX_STANDING: usize = 1_000;

/// Longer than from the start of the day before, in any zone.
const DAY_AND_MORE: Span = Span::hours(50);

/// Requests of one booker that are counted in two days. A limit a day beyond it limits nothing.
const MAX_ASKED: usize = 1_000;

/// Whose past is wanted, and since when.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Members, and from which start on their bookings count.
    members: BTreeMap<AccountId, Time>,
    until: Option<Time>,
    /// Bookings that stand for nothing any more, or are what is asked for.
    aside: BTreeSet<BookingUid>,
    /// Bookers, and when the first request in hand was made.
    bookers: BTreeMap<Address, Time>,
}

/// What there was.
#[derive(Debug, Clone, Default)]
pub struct Before {
    pub standing: BTreeMap<AccountId, Vec<Standing>>,
    pub asked: BTreeMap<Address, Vec<Earlier>>,
    /// Members with more bookings than are counted, and bookers with more requests.
    pub crowded: Crowded,
}

/// Whose past is too much to be counted: nothing of theirs can be decided.
#[derive(Debug, Clone, Default)]
pub struct Crowded {
    pub members: BTreeSet<AccountId>,
    pub bookers: BTreeSet<Address>,
}

/// What these bookings, which are to be decided, want to know.
pub fn wanted<'a>(
    policy: &Policy,
    snapshot: &Snapshot,
    bookings: impl Iterator<Item = (&'a Gate, &'a Booking)>,
) -> Wanted {
    let mut wanted = Wanted {
        until: Some(snapshot.now + AHEAD),
        aside: ended(snapshot),
        ..Wanted::default()
    };
    for (gate, booking) in bookings {
        // What it replaced is cancelled at Cal.com already.
        wanted.aside.insert(booking.uid.clone());
        wanted.aside.extend(booking.rescheduled_from.clone());
        let carried = snapshot.carried.get(&booking.uid);
        wanted
            .aside
            .extend(carried.map(|charge| charge.booking.uid.clone()));
        let Some(booker) = &booking.booker else {
            continue;
        };
        if limits_requests(policy, gate) {
            let first = wanted.bookers.entry(booker.address.clone());
            let first = first.or_insert(booking.created);
            *first = booking.created.min(*first);
        }
        if let Some(account) = snapshot.names.get(&booker.address)
            && counts(policy, gate)
        {
            let from = booking.start.min(snapshot.now) - BACK;
            let known = wanted.members.entry(account.clone()).or_insert(from);
            *known = from.min(*known);
        }
    }
    wanted
}

/// Whether something looks at how many bookings a member has.
fn counts(policy: &Policy, gate: &Gate) -> bool {
    let house = &policy.house;
    let criteria = &gate.criteria;
    !(house.caps.is_empty()
        && criteria.caps.is_empty()
        && house.rules.is_empty()
        && criteria.rules.is_empty()
        && house.reasons.is_empty())
}

fn limits_requests(policy: &Policy, gate: &Gate) -> bool {
    policy.house.requests_per_day.is_some() || gate.criteria.requests_per_day.is_some()
}

/// Bookings of open intents that will not stand, as their holds come back with this pass; and those
/// for which a successor holds credits already.
fn ended(snapshot: &Snapshot) -> BTreeSet<BookingUid> {
    // While a call may still be running, the hold stays whatever the booking is meanwhile.
    let quiet = snapshot.intents.iter();
    let quiet = quiet.filter(|open| open.running_until.is_none());
    let sights = quiet.flat_map(|open| &open.sights);
    let ended = sights.filter(|(_, sight)| match sight {
        Sight::Rejected | Sight::Cancelled | Sight::Gone | Sight::Begun | Sight::Over => true,
        Sight::Pending
        | Sight::Accepted
        | Sight::AcceptedAfterMove
        | Sight::AcceptedAfterCancel
        | Sight::OtherStatus
        | Sight::Unread => false,
    });
    let mut ended: BTreeSet<BookingUid> = ended.map(|(booking, _)| booking.clone()).collect();
    let holding = snapshot
        .intents
        .iter()
        .filter(|open| !open.charges.is_empty());
    ended.extend(holding.filter_map(|open| open.request.carries.clone()));
    ended
}

/// Reads it.
///
/// # Errors
/// When the store cannot be read.
pub fn read(store: &dyn Store, wanted: &Wanted) -> Result<Before, StoreError> {
    let mut before = Before::default();
    let mut gates = BTreeMap::new();
    for (account, from) in &wanted.members {
        let until = wanted.until.unwrap_or(*from);
        let charges = store.charges_of(account, *from, until, MAX_STANDING + 1)?;
        if charges.len() > MAX_STANDING {
            before.crowded.members.insert(account.clone());
            continue;
        }
        let mut standing = Vec::with_capacity(charges.len());
        for charge in charges {
            if !wanted.aside.contains(&charge.booking.uid) {
                standing.push(standing_as(store, charge, &mut gates)?);
            }
        }
        before.standing.insert(account.clone(), standing);
    }
    for (booker, first) in &wanted.bookers {
        let asked = store.asked_by(booker, *first - DAY_AND_MORE, MAX_ASKED + 1)?;
        if asked.len() > MAX_ASKED {
            before.crowded.bookers.insert(booker.clone());
            continue;
        }
        let asked = asked.into_iter().map(|request| Earlier {
            told: told_of_too_many(&request),
            request: request.id,
            created: request.created,
        });
        before.asked.insert(booker.clone(), asked.collect());
    }
    Ok(before)
}

fn told_of_too_many(request: &Request) -> bool {
    request.decision == Decision::Decline
        && request.state != RequestState::Noted
        && request
            .reasons
            .iter()
            .any(|reason| reason.code == Code::TooManyRequests)
}

fn standing_as(
    store: &dyn Store,
    charge: Charge,
    gates: &mut BTreeMap<RequestId, Option<String>>,
) -> Result<Standing, StoreError> {
    let gate = match gates.get(&charge.request) {
        Some(known) => known.clone(),
        None => {
            let request = store.request(&charge.request)?;
            let gate = request.and_then(|request| request.gate);
            gates.insert(charge.request.clone(), gate.clone());
            gate
        }
    };
    Ok(Standing {
        booking: charge.booking.uid,
        start: charge.start,
        end: charge.end,
        gate,
        settled: charge.state != ChargeState::Held,
    })
}

impl Crowded {
    /// Whether the booking's booker is one of them.
    pub fn has(&self, snapshot: &Snapshot, booking: &Booking) -> bool {
        let Some(booker) = &booking.booker else {
            return false;
        };
        let account = snapshot.names.get(&booker.address);
        self.bookers.contains(&booker.address)
            || account.is_some_and(|account| self.members.contains(account))
    }
}
