//! The records of a ledger in memory, without indexes: what the replay of a policy and the tests
//! of facts apply facts to. The store has records of its own, because it keeps versions and indexes.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::{ApplyError, LedgerRecords, Violation, apply};
use crate::domain::account::Account;
use crate::domain::fact::Fact;
use crate::domain::grant::GrantRecord;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::time::Time;
use crate::domain::unresolved::UnresolvedBooking;

/// The records that facts add up to, each found by its name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InMemoryLedger {
    /// The accounts, by id.
    pub accounts: BTreeMap<AccountId, Account>,
    /// The account that each alias leads to.
    pub aliases: BTreeMap<Address, AccountId>,
    /// The grants and revocations, by reference.
    pub grants: BTreeMap<Reference, GrantRecord>,
    /// The decided requests, by id.
    pub requests: BTreeMap<RequestId, Request>,
    /// The charges, by the booking that each was held for.
    pub charges: BTreeMap<BookingUid, Charge>,
    /// The items of the unresolved list, open and resolved, by booking.
    pub unresolved: BTreeMap<BookingUid, Vec<UnresolvedBooking>>,
    /// The state of the ledger as a whole.
    pub state: LedgerState,
}

impl InMemoryLedger {
    /// Applies one fact, written at `at`.
    ///
    /// # Errors
    /// Fails when the fact contradicts the earlier facts. The records must not be used after that.
    pub fn apply_fact(&mut self, at: Time, fact: &Fact) -> Result<(), Violation> {
        apply(self, at, fact).map_err(|error| match error {
            ApplyError::Violation(violation) => violation,
            ApplyError::Read(never) => match never {},
        })
    }
}

impl LedgerRecords for InMemoryLedger {
    type Error = Infallible;

    fn account(&mut self, id: &AccountId) -> Result<Option<Account>, Infallible> {
        Ok(self.accounts.get(id).cloned())
    }

    fn alias(&mut self, alias: &Address) -> Result<Option<AccountId>, Infallible> {
        Ok(self.aliases.get(alias).cloned())
    }

    fn grant_record(&mut self, reference: &Reference) -> Result<Option<GrantRecord>, Infallible> {
        Ok(self.grants.get(reference).cloned())
    }

    fn request(&mut self, id: &RequestId) -> Result<Option<Request>, Infallible> {
        Ok(self.requests.get(id).cloned())
    }

    fn charge(&mut self, booking: &BookingUid) -> Result<Option<Charge>, Infallible> {
        Ok(self.charges.get(booking).cloned())
    }

    fn unresolved(&mut self, booking: &BookingUid) -> Result<Vec<UnresolvedBooking>, Infallible> {
        Ok(self.unresolved.get(booking).cloned().unwrap_or_default())
    }

    fn ledger_state(&mut self) -> Result<LedgerState, Infallible> {
        Ok(self.state.clone())
    }

    fn put_account(&mut self, account: Account) {
        self.accounts.insert(account.id.clone(), account);
    }

    fn put_alias(&mut self, alias: Address, account: Option<AccountId>) {
        match account {
            Some(account) => self.aliases.insert(alias, account),
            None => self.aliases.remove(&alias),
        };
    }

    fn put_grant_record(&mut self, record: GrantRecord) {
        self.grants.insert(record.reference.clone(), record);
    }

    fn put_request(&mut self, request: Request) {
        self.requests.insert(request.id.clone(), request);
    }

    fn put_charge(&mut self, charge: Charge) {
        self.charges.insert(charge.booking.uid.clone(), charge);
    }

    fn put_unresolved(&mut self, booking: BookingUid, items: Vec<UnresolvedBooking>) {
        self.unresolved.insert(booking, items);
    }

    fn put_ledger_state(&mut self, state: LedgerState) {
        self.state = state;
    }
}
