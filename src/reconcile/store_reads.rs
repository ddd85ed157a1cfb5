//! Reads what the store knows about a snapshot's bookings. Each function runs in one visit to the
//! store's thread.

use foldhash::HashMap;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::account::Account;
use crate::domain::booking::{Booking, BookingStatus};
use crate::domain::fact::{Fact, UnresolvedFact};
use crate::domain::gate::PassLimits;
use crate::domain::id::{AccountId, Address, BookingUid, RequestId};
use crate::domain::intent::{self, BookingState};
use crate::domain::request::{Charge, ChargeState, Request, RequestState};
use crate::domain::snapshot::OpenIntent;
use crate::domain::time::Time;
use crate::domain::unresolved::UnresolvedBooking;
use crate::store::port::{Store, StoreError};

/// Earlier decisions about bookings.
#[derive(Debug, Default)]
pub struct StoredDecisions {
    /// The records of the requests.
    pub records: BTreeMap<RequestId, Request>,
    /// The version of each record.
    pub versions: BTreeMap<RequestId, u64>,
    /// Whether the store holds no records at all.
    pub ledger_is_empty: bool,
}

impl StoredDecisions {
    /// Adds the decisions of a later read; of a request in both, the later record counts.
    pub fn extend(&mut self, other: Self) {
        self.records.extend(other.records);
        self.versions.extend(other.versions);
        self.ledger_is_empty = other.ledger_is_empty;
    }
}

/// The accounts and the predecessors' charges that are to be read.
#[derive(Debug, Default)]
pub struct AccountQuery {
    addresses: BTreeSet<Address>,
    accounts: BTreeSet<AccountId>,
    /// Pairs of a booking and the booking that it replaced.
    replaced_bookings: Vec<(BookingUid, BookingUid)>,
}

impl AccountQuery {
    /// Returns the query for the accounts of these addresses.
    pub fn of_addresses(addresses: BTreeSet<Address>) -> Self {
        Self {
            addresses,
            ..Self::default()
        }
    }
}

/// The accounts and the predecessors' charges that were read.
#[derive(Debug, Default)]
pub struct LoadedAccounts {
    /// The accounts, by id.
    pub accounts: HashMap<AccountId, Account>,
    /// The account of each address; addresses without an account are missing.
    pub accounts_by_address: HashMap<Address, AccountId>,
    /// The open charges that the direct predecessors of bookings have, by the uid of the new
    /// booking.
    pub carried_charges: BTreeMap<BookingUid, Charge>,
}

/// Reads the decisions about these bookings: the records of the request that each booking would
/// belong to, of the request under the booking's own uid (an occurrence that was listed late has
/// such a request), and of the request that the booking was decided with.
pub fn read_decisions(
    store: &dyn Store,
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
    let mut versions = BTreeMap::new();
    for id in records.keys() {
        versions.extend(
            store
                .request_version(id)?
                .map(|version| (id.clone(), version)),
        );
    }
    Ok(StoredDecisions {
        records,
        versions,
        ledger_is_empty: store.is_empty()?,
    })
}

/// Reads the open intents with their holds, and when a call that may still be running was sent. The
/// states of their bookings are not known yet.
pub fn read_open_intents(
    store: &dyn Store,
    limit: usize,
    limits: &PassLimits,
    now: Time,
) -> Result<Vec<(OpenIntent, Option<Time>)>, StoreError> {
    let mut open_intents = Vec::new();
    for request in store.open_intents(None, limit)? {
        let (charges, carried_charge) = read_holds(store, &request)?;
        let unanswered_since =
            intent::unanswered_call_sent_at(&request, store.sent_mark(&request.id), limits);
        let running_until = intent::running_until(unanswered_since, limits, now);
        let intent = OpenIntent {
            read_at: request.decided_at,
            version: store.request_version(&request.id)?,
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

/// Reads the holds of a request, and the charge that the request takes over.
pub fn read_holds(
    store: &dyn Store,
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

/// Records the states of an intent's bookings, from its series, which was read as a whole.
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

/// Returns those of the bookings that are part of a settled decision.
pub fn filter_settled(
    store: &dyn Store,
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

/// Builds the query for the accounts and charges that these bookings and intents need.
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

/// Reads the accounts and charges of the query.
pub fn read_accounts(
    store: &dyn Store,
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

/// Finds the request that a booking was decided with: its series', or its own.
pub fn find_request(store: &dyn Store, uid: &BookingUid) -> Result<Option<Request>, StoreError> {
    let id = store.request_of(uid)?;
    store.request(&id.unwrap_or_else(|| RequestId::from(uid)))
}

/// Returns those of these changes to the unresolved list that still apply: an item that an operator
/// has resolved meanwhile stays resolved, and an item that has left the list is not resolved again.
pub fn applicable_unresolved_facts(
    store: &dyn Store,
    facts: &[Fact],
) -> Result<Vec<Fact>, StoreError> {
    let mut applicable = Vec::new();
    for fact in facts {
        let applies = match fact {
            Fact::Unresolved(UnresolvedFact::Listed { booking, code, .. }) => {
                let items = store.unresolved_items_of(&booking.uid)?;
                let mut items = items.iter().filter(|item| item.code == *code);
                !items.any(UnresolvedBooking::is_resolved_by_operator)
            }
            Fact::Unresolved(UnresolvedFact::Resolved { booking, code, .. }) => {
                let items = store.unresolved_items_of(booking)?;
                let mut items = items.iter().filter(|item| item.code == *code);
                items.any(|item| item.is_open() || item.is_resolved_by_operator())
            }
            _ => true,
        };
        if applies {
            applicable.push(fact.clone());
        }
    }
    Ok(applicable)
}
