//! The ledger as it was: the records that the log adds up to so far. Of each request it keeps only
//! what later requests are judged by, so that its size follows the ledger and not the explanations.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::account::Account;
use crate::domain::fact::{ChargeFact, Commit, CreditFact, Fact, RequestFact};
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger::Violation;
use crate::domain::ledger::in_memory::InMemoryLedger;
use crate::domain::request::{Charge, ChargeState};
use crate::domain::snapshot::{CountedBooking, PriorRequest};
use crate::domain::time::Time;

/// The records that the log adds up to so far, as far as requests are judged by them.
#[derive(Debug, Default)]
pub struct HistoricalLedger {
    records: InMemoryLedger,
    charges_of_account: BTreeMap<AccountId, BTreeSet<BookingUid>>,
    requests_of_booker: BTreeMap<Address, BTreeSet<(Time, RequestId)>>,
}

impl HistoricalLedger {
    /// Applies one more fact of the commit.
    ///
    /// # Errors
    /// Fails when the fact contradicts the earlier facts. The records must not be used after that.
    pub fn apply(&mut self, commit: &Commit, fact: &Fact) -> Result<(), Violation> {
        self.records.apply_fact(commit.at, fact)?;
        match fact {
            Fact::Charge(
                ChargeFact::Hold { booking, .. } | ChargeFact::Move { to: booking, .. },
            ) => {
                self.index_charge(&booking.uid);
            }
            Fact::Credit(
                CreditFact::Grant { reference, .. } | CreditFact::Revoke { reference, .. },
            ) => {
                self.strip_grant(reference);
            }
            Fact::Request(RequestFact::Decided { request }) => {
                self.index_request(&request.id);
                self.strip_request(&request.id);
            }
            Fact::Request(RequestFact::CallRecorded { request, .. }) => self.strip_request(request),
            _ => {}
        }
        Ok(())
    }

    fn index_charge(&mut self, booking: &BookingUid) {
        if let Some(charge) = self.records.charges.get(booking) {
            let account = charge.account.clone();
            let of_account = self.charges_of_account.entry(account).or_default();
            of_account.insert(booking.clone());
        }
    }

    fn index_request(&mut self, id: &RequestId) {
        if let Some(request) = self.records.requests.get(id)
            && let Some(booker) = &request.booker
        {
            let of_booker = self.requests_of_booker.entry(booker.clone()).or_default();
            of_booker.insert((request.created_at, id.clone()));
        }
    }

    fn strip_grant(&mut self, reference: &Reference) {
        if let Some(grant) = self.records.grants.get_mut(reference) {
            grant.reason = String::new();
        }
    }

    /// Drops what explains a request and decides nothing.
    fn strip_request(&mut self, id: &RequestId) {
        if let Some(request) = self.records.requests.get_mut(id) {
            request.title = String::new();
            request.reasons = Vec::new();
            request.findings = Vec::new();
            request.calls = Vec::new();
            request.booker_text = None;
        }
    }

    /// Returns true if no account was ever opened.
    pub fn is_empty(&self) -> bool {
        self.records.accounts.is_empty()
    }

    /// Returns true if the request was decided before.
    pub fn has_request(&self, request: &RequestId) -> bool {
        self.records.requests.contains_key(request)
    }

    /// Returns the account whose name or alias is the address.
    pub fn account_of(&self, address: &Address) -> Option<&Account> {
        let own = self.records.accounts.get(&AccountId::from(address));
        own.or_else(|| {
            self.records
                .accounts
                .get(self.records.aliases.get(address)?)
        })
    }

    /// Returns the charge of a booking, if another booking can still take the charge over.
    pub fn open_charge(&self, booking: &BookingUid) -> Option<&Charge> {
        let charge = self.records.charges.get(booking);
        charge.filter(|charge| charge.state == ChargeState::Open)
    }

    /// Returns the account's bookings whose credits are held: their decision is not carried out yet.
    pub fn held_bookings(&self, account: &AccountId) -> BTreeSet<BookingUid> {
        let uids = self.charges_of_account.get(account).into_iter().flatten();
        let is_held = |uid: &&BookingUid| {
            let charge = self.records.charges.get(*uid);
            charge.is_some_and(|charge| charge.state == ChargeState::Held)
        };
        uids.filter(is_held).cloned().collect()
    }

    /// Returns the account's bookings that count: those with a charge that was neither voided,
    /// refunded nor moved.
    pub fn counted_bookings(&self, account: &AccountId) -> Vec<CountedBooking> {
        let uids = self.charges_of_account.get(account).into_iter().flatten();
        let charges = uids.filter_map(|uid| self.records.charges.get(uid));
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
                    .records
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
