//! The records in memory: the smallest fold there can be, and what random facts are tried on.

use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::domain::account::Account;
use crate::domain::decision::Credits;
use crate::domain::fact::Fact;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger::{ApplyError, Given, GivenKind, Records, Violation, apply};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, ChargeState, Request};
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Time;
use crate::domain::unresolved::Unresolved;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    pub accounts: BTreeMap<AccountId, Account>,
    pub aliases: BTreeMap<Address, AccountId>,
    pub given: BTreeMap<Reference, Given>,
    pub requests: BTreeMap<RequestId, Request>,
    pub charges: BTreeMap<BookingUid, Charge>,
    pub unresolved: BTreeMap<BookingUid, Vec<Unresolved>>,
    pub state: LedgerState,
}

impl Memory {
    /// All of the facts or none of them, as a commit is.
    pub fn commit(&mut self, at: Time, facts: &[Fact]) -> Result<(), Violation> {
        let mut overlay = self.clone();
        for fact in facts {
            match apply(&mut overlay, at, fact) {
                Ok(()) => {}
                Err(ApplyError::Violation(violation)) => return Err(violation),
                Err(ApplyError::Read(never)) => match never {},
            }
        }
        *self = overlay;
        Ok(())
    }

    /// With what the snapshot knows; its lots, and those that its charges were paid from, were
    /// granted.
    pub fn of(snapshot: &Snapshot) -> Self {
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
        let open = snapshot
            .intents
            .iter()
            .flat_map(|open| open.charges.iter().chain(&open.carried));
        for charge in open.chain(snapshot.carried.values()) {
            for part in &charge.parts {
                if !memory.given.contains_key(&part.grant) {
                    memory.put_grant(&part.grant, &charge.account, None);
                }
            }
            memory.put_charge(charge.clone());
        }
        memory
    }

    fn put_grant(&mut self, reference: &Reference, account: &AccountId, expires: Option<Time>) {
        self.put_given(Given {
            reference: reference.clone(),
            account: account.clone(),
            credits: 1_000,
            kind: GivenKind::Grant,
            expires,
            reason: String::new(),
            at: super::make::at(-10_000),
        });
    }

    /// # Panics
    /// When promise 1 is broken, a lot is empty, or the charges are not what the accounts say is
    /// held, and posted and not refunded.
    pub fn must_add_up(&self) {
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
            let of = |sums: &BTreeMap<_, Credits>| sums.get(&account.id).copied().unwrap_or(0);
            let totals = account.totals;
            assert!(account.adds_up(), "{account:?}");
            assert!(account.lots.iter().all(|lot| lot.left > 0), "{account:?}");
            assert_eq!(totals.held, of(&held), "{account:?}");
            assert_eq!(totals.posted, totals.refunded + of(&charged), "{account:?}");
        }
    }
}

impl Records for Memory {
    type Error = Infallible;

    fn account(&mut self, id: &AccountId) -> Result<Option<Account>, Infallible> {
        Ok(self.accounts.get(id).cloned())
    }

    fn alias(&mut self, alias: &Address) -> Result<Option<AccountId>, Infallible> {
        Ok(self.aliases.get(alias).cloned())
    }

    fn given(&mut self, reference: &Reference) -> Result<Option<Given>, Infallible> {
        Ok(self.given.get(reference).cloned())
    }

    fn request(&mut self, id: &RequestId) -> Result<Option<Request>, Infallible> {
        Ok(self.requests.get(id).cloned())
    }

    fn charge(&mut self, booking: &BookingUid) -> Result<Option<Charge>, Infallible> {
        Ok(self.charges.get(booking).cloned())
    }

    fn unresolved(&mut self, booking: &BookingUid) -> Result<Vec<Unresolved>, Infallible> {
        Ok(self.unresolved.get(booking).cloned().unwrap_or_default())
    }

    fn put_unresolved(&mut self, booking: BookingUid, items: Vec<Unresolved>) {
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

    fn put_given(&mut self, given: Given) {
        self.given.insert(given.reference.clone(), given);
    }

    fn put_request(&mut self, request: Request) {
        self.requests.insert(request.id.clone(), request);
    }

    fn put_charge(&mut self, charge: Charge) {
        self.charges.insert(charge.booking.uid.clone(), charge);
    }
}
