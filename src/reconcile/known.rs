//! What the store knows of a snapshot's bookings: gathered in one visit to the store's thread each.

use foldhash::HashMap;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::account::Account;
use crate::domain::booking::{Booking, Status};
use crate::domain::gate::Limits;
use crate::domain::id::{AccountId, Address, BookingUid, RequestId};
use crate::domain::intent::{self, Sight};
use crate::domain::request::{Charge, ChargeState, Request, RequestState};
use crate::domain::snapshot::OpenIntent;
use crate::domain::time::Time;
use crate::store::port::{Store, StoreError};

/// Earlier decisions about bookings.
#[derive(Debug, Default)]
pub struct Known {
    pub records: BTreeMap<RequestId, Request>,
    pub ledger_is_empty: bool,
}

impl Known {
    pub fn extend(&mut self, other: Self) {
        self.records.extend(other.records);
        self.ledger_is_empty = other.ledger_is_empty;
    }
}

/// Whose accounts and which predecessors' charges are wanted.
#[derive(Debug, Default)]
pub struct People {
    addresses: BTreeSet<Address>,
    accounts: BTreeSet<AccountId>,
    /// A booking and the one it replaced.
    moved: Vec<(BookingUid, BookingUid)>,
}

#[derive(Debug, Default)]
pub struct Found {
    pub accounts: HashMap<AccountId, Account>,
    pub names: HashMap<Address, AccountId>,
    pub carried: BTreeMap<BookingUid, Charge>,
}

/// The decisions about these bookings: by the request they would be, by their own name, which is the
/// request of an occurrence that turned up late, and the one that they were decided with.
pub fn records(
    store: &mut dyn Store,
    asked: &[(RequestId, BookingUid)],
) -> Result<Known, StoreError> {
    let mut records = BTreeMap::new();
    for (request, booking) in asked {
        let own = RequestId::from(booking);
        for id in [request, &own] {
            if let Some(record) = store.request(id)? {
                records.insert(id.clone(), record);
            }
        }
        if let Some(id) = store.request_of(booking)?
            && !records.contains_key(&id)
            && let Some(record) = store.request(&id)?
        {
            records.insert(id, record);
        }
    }
    Ok(Known {
        records,
        ledger_is_empty: store.is_empty()?,
    })
}

/// The intents that are open, with their holds, and when a call was sent that may still be running;
/// nothing of their bookings is known yet.
pub fn intents(
    store: &mut dyn Store,
    limit: usize,
    limits: &Limits,
    now: Time,
) -> Result<Vec<(OpenIntent, Option<Time>)>, StoreError> {
    let mut open = Vec::new();
    for request in store.open_intents(limit)? {
        let (charges, carried) = holds(store, &request)?;
        let sent = intent::unanswered(&request, store.marked(&request.id), limits);
        let running_until = intent::running(sent, limits, now);
        let intent = OpenIntent {
            at: request.decided,
            request,
            charges,
            sights: BTreeMap::new(),
            grown: Vec::new(),
            carried,
            running_until,
        };
        open.push((intent, sent.filter(|_| running_until.is_some())));
    }
    Ok(open)
}

/// A request's holds, and the charge it takes over.
pub fn holds(
    store: &mut dyn Store,
    request: &Request,
) -> Result<(Vec<Charge>, Option<Charge>), StoreError> {
    let mut charges = Vec::new();
    for booking in &request.bookings {
        charges.extend(store.charge(&booking.uid)?);
    }
    let carried = match &request.carries {
        Some(from) => store.charge(from)?,
        None => None,
    };
    Ok((charges, carried))
}

/// What an intent's bookings are, from its series as it was read whole.
pub fn sight_series(open: &mut OpenIntent, all: Vec<Booking>) {
    for booking in &open.request.bookings {
        let sight = Sight::in_series(&all, &booking.uid, open.request.call, open.at);
        open.sights.insert(booking.uid.clone(), sight);
    }
    open.grown = all
        .into_iter()
        .filter(|read| read.status == Status::Pending)
        .filter(|read| !open.sights.contains_key(&read.uid))
        .collect();
}

/// Those of the bookings that are part of a decision which is settled.
pub fn settled(
    store: &mut dyn Store,
    bookings: &[BookingUid],
) -> Result<BTreeSet<BookingUid>, StoreError> {
    let mut settled = BTreeSet::new();
    for booking in bookings {
        if let Some(id) = store.request_of(booking)?
            && let Some(record) = store.request(&id)?
            && matches!(record.state, RequestState::Settled { .. })
        {
            settled.insert(booking.clone());
        }
    }
    Ok(settled)
}

/// Whom to look up for these bookings.
pub fn people<'a>(bookings: impl Iterator<Item = &'a Booking>, intents: &[OpenIntent]) -> People {
    let mut people = People::default();
    for booking in bookings {
        if let Some(booker) = &booking.booker {
            people.addresses.insert(booker.address.clone());
        }
        if let Some(from) = &booking.rescheduled_from {
            people.moved.push((booking.uid.clone(), from.clone()));
        }
    }
    for intent in intents {
        people.accounts.extend(intent.request.account.clone());
    }
    people
}

/// Looks them up.
pub fn look_up(store: &mut dyn Store, people: &People) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let mut wanted = people.accounts.clone();
    for address in &people.addresses {
        if let Some(id) = store.resolve(address)? {
            wanted.insert(id.clone());
            found.names.insert(address.clone(), id);
        }
    }
    for id in wanted {
        if let Some(account) = store.account(&id)? {
            found.accounts.insert(id, account);
        }
    }
    for (booking, from) in &people.moved {
        if let Some(charge) = store.charge(from)?
            && charge.state == ChargeState::Open
        {
            found.carried.insert(booking.clone(), charge);
        }
    }
    Ok(found)
}
