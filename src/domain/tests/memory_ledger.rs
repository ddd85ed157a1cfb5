//! Ledger records in memory: the smallest possible projection, which random facts are tried on.

use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::domain::account::Account;
use crate::domain::decision::Credits;
use crate::domain::fact::Fact;
use crate::domain::grant::{GrantKind, GrantRecord};
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger::{ApplyError, LedgerRecords, Violation, apply};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, ChargeState, Request};
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Time;
use crate::domain::unresolved::UnresolvedBooking;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemoryLedger {
    pub accounts: BTreeMap<AccountId, Account>,
    pub aliases: BTreeMap<Address, AccountId>,
    pub grants: BTreeMap<Reference, GrantRecord>,
    pub requests: BTreeMap<RequestId, Request>,
    pub charges: BTreeMap<BookingUid, Charge>,
    pub unresolved: BTreeMap<BookingUid, Vec<UnresolvedBooking>>,
    pub state: LedgerState,
}

impl MemoryLedger {
    /// Commits all of the facts or none of them.
    pub fn commit(&mut self, at: Time, facts: &[Fact]) -> Result<(), Violation> {
        let mut draft = self.clone();
        for fact in facts {
            match apply(&mut draft, at, fact) {
                Ok(()) => {}
                Err(ApplyError::Violation(violation)) => return Err(violation),
                Err(ApplyError::Read(never)) => match never {},
            }
        }
        *self = draft;
        Ok(())
    }

    /// Returns a ledger with what the snapshot knows. Its lots, and the lots from which its charges
    /// were paid, have grants.
    pub fn from_snapshot(snapshot: &Snapshot) -> Self {
        let mut memory = Self {
            accounts: snapshot.accounts.clone().into_iter().collect(),
            requests: snapshot.records.clone(),
            ..Self::default()
        };
        for account in snapshot.accounts.values() {
            for lot in &account.lots {
                memory.put_grant(&lot.grant, &account.id, lot.expires);
            }
        }
        for open in &snapshot.intents {
            memory.put_request(open.request.clone());
        }
        let charges = snapshot
            .intents
            .iter()
            .flat_map(|open| open.charges.iter().chain(&open.carried_charge));
        for charge in charges.chain(snapshot.carried_charges.values()) {
            for part in &charge.parts {
                if !memory.grants.contains_key(&part.grant) {
                    memory.put_grant(&part.grant, &charge.account, None);
                }
            }
            memory.put_charge(charge.clone());
        }
        memory
    }

    fn put_grant(&mut self, reference: &Reference, account: &AccountId, expires: Option<Time>) {
        self.put_grant_record(GrantRecord {
            reference: reference.clone(),
            account: account.clone(),
            credits: 1_000,
            kind: GrantKind::Grant,
            expires,
            reason: String::new(),
            at: super::fixtures::at_minute(-10_000),
        });
    }

    /// # Panics
    /// Panics if promise 1 is broken, if a lot is empty, or if the charges differ from what the
    /// accounts hold, and from what they posted and did not refund.
    pub fn assert_adds_up(&self) {
        let mut held: BTreeMap<&AccountId, Credits> = BTreeMap::new();
        let mut charged: BTreeMap<&AccountId, Credits> = BTreeMap::new();
        for charge in self.charges.values() {
            let sums = match charge.state {
                ChargeState::Held => &mut held,
                ChargeState::Void
                | ChargeState::Open
                | ChargeState::Final
                | ChargeState::Refunded
                | ChargeState::Moved { .. } => &mut charged,
            };
            *sums.entry(&charge.account).or_default() += charge.credits();
        }
        for account in self.accounts.values() {
            let sum_of = |sums: &BTreeMap<_, Credits>| sums.get(&account.id).copied().unwrap_or(0);
            let totals = account.totals;
            assert!(account.adds_up(), "{account:?}");
            assert!(
                account.lots.iter().all(|lot| lot.remaining > 0),
                "{account:?}"
            );
            assert_eq!(totals.held, sum_of(&held), "{account:?}");
            assert_eq!(
                totals.posted,
                totals.refunded + sum_of(&charged),
                "{account:?}"
            );
        }
    }
}

impl LedgerRecords for MemoryLedger {
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
        Ok(self.state.clone())
    }

    fn put_ledger_state(&mut self, state: LedgerState) {
        self.state = state;
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

    fn put_grant_record(&mut self, given: GrantRecord) {
        self.grants.insert(given.reference.clone(), given);
    }

    fn put_request(&mut self, request: Request) {
        self.requests.insert(request.id.clone(), request);
    }

    fn put_charge(&mut self, charge: Charge) {
        self.charges.insert(charge.booking.uid.clone(), charge);
    }
}
