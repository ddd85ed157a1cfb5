//! The ledger as it was: the records that the log adds up to so far. Of each request it keeps only
//! what later requests are judged by, so that its size follows the ledger and not the explanations.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use crate::domain::account::Account;
use crate::domain::fact::{Commit, Fact};
use crate::domain::grant::GrantRecord;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger::{ApplyError, LedgerRecords, Violation, apply};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, ChargeState, Request};
use crate::domain::snapshot::{CountedBooking, PriorRequest};
use crate::domain::time::Time;
use crate::domain::unresolved::UnresolvedBooking;

/// The records that the log adds up to so far, as far as requests are judged by them.
#[derive(Debug, Default)]
pub struct HistoricalLedger {
    accounts: BTreeMap<AccountId, Account>,
    aliases: BTreeMap<Address, AccountId>,
    grants: BTreeMap<Reference, GrantRecord>,
    requests: BTreeMap<RequestId, Request>,
    charges: BTreeMap<BookingUid, Charge>,
    charges_of_account: BTreeMap<AccountId, BTreeSet<BookingUid>>,
    requests_of_booker: BTreeMap<Address, BTreeSet<(Time, RequestId)>>,
    unresolved: BTreeMap<BookingUid, Vec<UnresolvedBooking>>,
    ledger_state: LedgerState,
}

impl HistoricalLedger {
    /// Applies one more fact of the commit.
    ///
    /// # Errors
    /// Fails when the fact contradicts the earlier facts. The records must not be used after that.
    pub fn apply(&mut self, commit: &Commit, fact: &Fact) -> Result<(), Violation> {
        apply(self, commit.at, fact).map_err(|error| match error {
            ApplyError::Violation(violation) => violation,
            ApplyError::Read(never) => match never {},
        })
    }

    /// Returns true if no account was ever opened.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Returns true if the request was decided before.
    pub fn has_request(&self, request: &RequestId) -> bool {
        self.requests.contains_key(request)
    }

    /// Returns the account whose name or alias is the address.
    pub fn account_of(&self, address: &Address) -> Option<&Account> {
        let own = self.accounts.get(&AccountId::from(address));
        own.or_else(|| self.accounts.get(self.aliases.get(address)?))
    }

    /// Returns the charge of a booking, if another booking can still take the charge over.
    pub fn open_charge(&self, booking: &BookingUid) -> Option<&Charge> {
        let charge = self.charges.get(booking);
        charge.filter(|charge| charge.state == ChargeState::Open)
    }

    /// Returns the account's bookings that count: those with a charge that was neither voided,
    /// refunded nor moved.
    pub fn counted_bookings(&self, account: &AccountId) -> Vec<CountedBooking> {
        let uids = self.charges_of_account.get(account).into_iter().flatten();
        let charges = uids.filter_map(|uid| self.charges.get(uid));
        let counted = charges.filter(|charge| match charge.state {
            ChargeState::Held | ChargeState::Open | ChargeState::Final => true,
            ChargeState::Void | ChargeState::Refunded | ChargeState::Moved { .. } => false,
        });
        counted
            .map(|charge| CountedBooking {
                booking: charge.booking.uid.clone(),
                start: charge.start,
                end: charge.end,
                gate: self
                    .requests
                    .get(&charge.request)
                    .and_then(|request| request.gate.clone()),
                is_confirmed: true,
            })
            .collect()
    }

    /// Returns the booker's requests since then.
    pub fn requests_since(&self, booker: &Address, since: Time) -> Vec<PriorRequest> {
        let newest_first = self
            .requests_of_booker
            .get(booker)
            .into_iter()
            .flatten()
            .rev();
        let recent = newest_first.take_while(|(created, _)| *created >= since);
        recent
            .map(|(created, request)| PriorRequest {
                request: request.clone(),
                created_at: *created,
                declined_over_limit: false,
            })
            .collect()
    }
}

impl LedgerRecords for HistoricalLedger {
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

    fn put_unresolved(&mut self, booking: BookingUid, items: Vec<UnresolvedBooking>) {
        self.unresolved.insert(booking, items);
    }

    fn ledger_state(&mut self) -> Result<LedgerState, Infallible> {
        Ok(self.ledger_state.clone())
    }

    fn put_ledger_state(&mut self, state: LedgerState) {
        self.ledger_state = state;
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

    fn put_grant_record(&mut self, mut given: GrantRecord) {
        given.reason = String::new();
        self.grants.insert(given.reference.clone(), given);
    }

    fn put_request(&mut self, mut request: Request) {
        if let Some(booker) = &request.booker {
            let of_booker = self.requests_of_booker.entry(booker.clone()).or_default();
            of_booker.insert((request.created_at, request.id.clone()));
        }
        request.title = String::new();
        request.reasons = Vec::new();
        request.findings = Vec::new();
        request.calls = Vec::new();
        request.booker_text = None;
        self.requests.insert(request.id.clone(), request);
    }

    fn put_charge(&mut self, charge: Charge) {
        let of_account = self
            .charges_of_account
            .entry(charge.account.clone())
            .or_default();
        of_account.insert(charge.booking.uid.clone());
        self.charges.insert(charge.booking.uid.clone(), charge);
    }
}
