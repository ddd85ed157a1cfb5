//! What the store knows of a snapshot's bookings: gathered in one visit to the store's thread each.

use foldhash::HashMap;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::account::Account;
use crate::domain::booking::{Booking, BookingStatus};
use crate::domain::gate::PassLimits;
use crate::domain::id::{AccountId, Address, BookingUid, RequestId};
use crate::domain::intent::{self, BookingState};
use crate::domain::request::{Charge, ChargeState, Request, RequestState};
use crate::domain::snapshot::OpenIntent;
use crate::domain::time::Time;
use crate::store::port::{Store, StoreError};

/// Earlier decisions about bookings.
#[derive(Debug, Default)]
pub struct StoredDecisions {
    pub records: BTreeMap<RequestId, Request>,
    pub ledger_is_empty: bool,
}

impl StoredDecisions {
    pub fn extend(&mut self, other: Self) {
        self.records.extend(other.records);
        self.ledger_is_empty = other.ledger_is_empty;
    }
}

/// Whose accounts and which predecessors' charges are wanted.
#[derive(Debug, Default)]
pub struct AccountQuery {
    addresses: BTreeSet<Address>,
    accounts: BTreeSet<AccountId>,
    /// A booking and the one it replaced.
    replaced_bookings: Vec<(BookingUid, BookingUid)>,
}

#[derive(Debug, Default)]
pub struct LoadedAccounts {
    pub accounts: HashMap<AccountId, Account>,
    pub accounts_by_address: HashMap<Address, AccountId>,
    pub carried_charges: BTreeMap<BookingUid, Charge>,
}

/// The decisions about these bookings: by the request they would be, by their own name, which is the
/// request of an occurrence that turned up late, and the one that they were decided with.
pub fn read_decisions(
    store: &mut dyn Store,
    bookings: &[(RequestId, BookingUid)],
) -> Result<StoredDecisions, StoreError> {
    let mut records = BTreeMap::new();
    for (request, booking) in bookings {
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
    Ok(StoredDecisions {
        records,
        ledger_is_empty: store.is_empty()?,
    })
}

/// The intents that are open, with their holds, and when a call was sent that may still be running;
/// nothing of their bookings is known yet.
pub fn read_open_intents(
    store: &mut dyn Store,
    limit: usize,
    limits: &PassLimits,
    now: Time,
) -> Result<Vec<(OpenIntent, Option<Time>)>, StoreError> {
    let mut open_intents = Vec::new();
    for request in store.open_intents(limit)? {
        let (charges, carried_charge) = read_holds(store, &request)?;
        let unanswered_since =
            intent::unanswered_call_sent_at(&request, store.sent_mark(&request.id), limits);
        let running_until = intent::running_until(unanswered_since, limits, now);
        let intent = OpenIntent {
            read_at: request.decided_at,
            request,
            charges,
            booking_states: BTreeMap::new(),
            new_occurrences: Vec::new(),
            carried_charge,
            running_until,
        };
        open_intents.push((intent, unanswered_since.filter(|_| running_until.is_some())));
    }
    Ok(open_intents)
}

/// A request's holds, and the charge it takes over.
pub fn read_holds(
    store: &mut dyn Store,
    request: &Request,
) -> Result<(Vec<Charge>, Option<Charge>), StoreError> {
    let mut charges = Vec::new();
    for booking in &request.bookings {
        charges.extend(store.charge(&booking.uid)?);
    }
    let carried_charge = match &request.predecessor {
        Some(from) => store.charge(from)?,
        None => None,
    };
    Ok((charges, carried_charge))
}

/// What an intent's bookings are, from its series as it was read whole.
pub fn record_series_states(intent: &mut OpenIntent, occurrences: Vec<Booking>) {
    for booking in &intent.request.bookings {
        let state = BookingState::in_series(
            &occurrences,
            &booking.uid,
            intent.request.call,
            intent.read_at,
        );
        intent.booking_states.insert(booking.uid.clone(), state);
    }
    intent.new_occurrences = occurrences
        .into_iter()
        .filter(|read| read.status == BookingStatus::Pending)
        .filter(|read| !intent.booking_states.contains_key(&read.uid))
        .collect();
}

/// Those of the bookings that are part of a decision which is settled.
pub fn filter_settled(
    store: &mut dyn Store,
    bookings: &[BookingUid],
) -> Result<BTreeSet<BookingUid>, StoreError> {
    let mut settled_bookings = BTreeSet::new();
    for booking in bookings {
        if let Some(id) = store.request_of(booking)?
            && let Some(record) = store.request(&id)?
            && matches!(record.state, RequestState::Settled { .. })
        {
            settled_bookings.insert(booking.clone());
        }
    }
    Ok(settled_bookings)
}

/// Whom to look up for these bookings.
pub fn build_account_query<'a>(
    bookings: impl Iterator<Item = &'a Booking>,
    intents: &[OpenIntent],
) -> AccountQuery {
    let mut query = AccountQuery::default();
    for booking in bookings {
        if let Some(booker) = &booking.booker {
            query.addresses.insert(booker.address.clone());
        }
        if let Some(from) = &booking.rescheduled_from {
            query
                .replaced_bookings
                .push((booking.uid.clone(), from.clone()));
        }
    }
    for intent in intents {
        query.accounts.extend(intent.request.account.clone());
    }
    query
}

/// Looks them up.
pub fn read_accounts(
    store: &mut dyn Store,
    query: &AccountQuery,
) -> Result<LoadedAccounts, StoreError> {
    let mut loaded_accounts = LoadedAccounts::default();
    let mut account_ids = query.accounts.clone();
    for address in &query.addresses {
        if let Some(id) = store.resolve(address)? {
            account_ids.insert(id.clone());
            loaded_accounts
                .accounts_by_address
                .insert(address.clone(), id);
        }
    }
    for id in account_ids {
        if let Some(account) = store.account(&id)? {
            loaded_accounts.accounts.insert(id, account);
        }
    }
    for (booking, from) in &query.replaced_bookings {
        if let Some(charge) = store.charge(from)?
            && charge.state == ChargeState::Open
        {
            loaded_accounts
                .carried_charges
                .insert(booking.clone(), charge);
        }
    }
    Ok(loaded_accounts)
}
