//! A store over another one, whose writes are kept in memory and dropped. A dry run is given it: every
//! commit is checked as the real one would be, later reads of the same dry run see it, and nothing
//! reaches the log. Lists are those of the store beneath, with the records as the dry run left them.

use std::collections::BTreeSet;

use super::catalogue;
use super::memory::Memory;
use super::opened::{check_expected, check_facts};
use super::overlay::{Base, Kept, Overlay};
use super::port::{CommitError, Expected, Head, Store, StoreError, Subject, Verified, Written};
use crate::domain::account::Account;
use crate::domain::fact::{Commit, Fact};
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger::{ApplyError, Given};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, ChargeState, Request, RequestState};
use crate::domain::time::{Time, kept};
use crate::domain::unresolved::{Unresolved, UnresolvedState};

/// What a dry run has written so far.
#[derive(Default)]
pub struct Scratch {
    changed: Memory,
    commits: Vec<Commit>,
    ledger: Option<LedgerState>,
}

/// A store with what a dry run has written over it.
pub struct ScratchStore<'a> {
    beneath: &'a mut dyn Store,
    scratch: &'a mut Scratch,
}

impl<'a> ScratchStore<'a> {
    pub fn new(beneath: &'a mut dyn Store, scratch: &'a mut Scratch) -> Self {
        Self { beneath, scratch }
    }

    /// The account that the fact changes, for its history.
    fn concerns(&self, fact: &Fact, subject: &Subject) -> Result<bool, StoreError> {
        catalogue::concerns(self, fact, subject)
    }

    fn current_requests(
        &self,
        listed: Vec<Request>,
        state: RequestState,
    ) -> Result<Vec<Request>, StoreError> {
        let mut current = Vec::new();
        let mut names: BTreeSet<RequestId> = BTreeSet::new();
        for request in listed {
            names.insert(request.id.clone());
            current.extend(Store::request(self, &request.id)?);
        }
        let new = self.scratch.changed.requests();
        current.extend(new.filter(|r| !names.contains(&r.id)).cloned());
        current.retain(|request| request.state == state);
        Ok(current)
    }
}

/// A record without its history, which is read from the two parts.
fn bare<T>(record: Option<T>) -> Option<Kept<T>> {
    record.map(|record| Kept {
        record,
        seqs: Vec::new(),
    })
}

impl Base for ScratchStore<'_> {
    fn account(&self, id: &AccountId) -> Result<Option<Kept<Account>>, StoreError> {
        match self.scratch.changed.account(id)? {
            Some(changed) => Ok(Some(changed)),
            None => Ok(bare(self.beneath.account(id)?)),
        }
    }

    fn alias(&self, alias: &Address) -> Result<Option<AccountId>, StoreError> {
        match self.scratch.changed.alias(alias)? {
            Some(changed) => Ok(Some(changed)),
            None => self.beneath.resolve(alias),
        }
    }

    fn given(&self, reference: &Reference) -> Result<Option<Given>, StoreError> {
        match self.scratch.changed.given(reference)? {
            Some(changed) => Ok(Some(changed)),
            None => self.beneath.given(reference),
        }
    }

    fn request(&self, id: &RequestId) -> Result<Option<Kept<Request>>, StoreError> {
        match self.scratch.changed.request(id)? {
            Some(changed) => Ok(Some(changed)),
            None => Ok(bare(self.beneath.request(id)?)),
        }
    }

    fn charge(&self, booking: &BookingUid) -> Result<Option<Kept<Charge>>, StoreError> {
        match self.scratch.changed.charge(booking)? {
            Some(changed) => Ok(Some(changed)),
            None => Ok(bare(self.beneath.charge(booking)?)),
        }
    }

    fn unresolved(&self, booking: &BookingUid) -> Result<Vec<Unresolved>, StoreError> {
        let changed = Base::unresolved(&self.scratch.changed, booking)?;
        if changed.is_empty() {
            return self.beneath.unresolved_of(booking);
        }
        Ok(changed)
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        match &self.scratch.ledger {
            Some(changed) => Ok(changed.clone()),
            None => self.beneath.ledger_state(),
        }
    }

    fn decided_at(&self, at: Time) -> Result<BTreeSet<RequestId>, StoreError> {
        self.scratch.changed.decided_at(at)
    }
}

impl Store for ScratchStore<'_> {
    fn commit(
        &mut self,
        at: Time,
        facts: Vec<Fact>,
        expected: &[Expected],
    ) -> Result<Head, CommitError> {
        check_expected(self, expected)?;
        if facts.is_empty() {
            return Ok(self.head());
        }
        let (_, facts) = check_facts(&facts)?;
        let commit = Commit {
            seq: self.head().seq + 1,
            at: kept(at),
            facts,
        };
        let mut overlay = Overlay::new(&*self);
        overlay.apply(&commit).map_err(|error| match error {
            ApplyError::Violation(violation) => CommitError::Violation(violation),
            ApplyError::Read(error) => CommitError::Failed(error),
        })?;
        let changes = overlay.changes();
        if changes.ledger.is_some() {
            self.scratch.ledger.clone_from(&changes.ledger);
        }
        self.scratch.changed.take(changes);
        self.scratch.commits.push(commit);
        Ok(self.head())
    }

    /// A dry run sends nothing, so there is nothing to remember.
    fn mark_sent(&mut self, _: &RequestId, _: Option<Time>) -> Result<(), StoreError> {
        Ok(())
    }

    fn marked(&self, request: &RequestId) -> Option<Time> {
        self.beneath.marked(request)
    }

    fn head(&self) -> Head {
        let head = self.beneath.head();
        Head {
            seq: head.seq + self.scratch.commits.len() as u64,
            ..head
        }
    }

    fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        Ok(Base::account(self, id)?.map(|kept| kept.record))
    }

    fn resolve(&self, address: &Address) -> Result<Option<AccountId>, StoreError> {
        catalogue::resolve(self, address)
    }

    fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<Account>, StoreError> {
        let listed = self.beneath.accounts(after, limit)?;
        let current = listed
            .iter()
            .map(|account| Store::account(self, &account.id));
        Ok(current
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect())
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.beneath.is_empty()? && self.scratch.changed.has_no_account())
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        Base::ledger_state(self)
    }

    fn given(&self, reference: &Reference) -> Result<Option<Given>, StoreError> {
        Base::given(self, reference)
    }

    fn request(&self, id: &RequestId) -> Result<Option<Request>, StoreError> {
        Ok(Base::request(self, id)?.map(|kept| kept.record))
    }

    fn request_of(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError> {
        let new = self.scratch.changed.requests();
        let mut new = new.filter(|r| r.bookings.iter().any(|known| known.uid == *booking));
        match new.next() {
            Some(request) => Ok(Some(request.id.clone())),
            None => self.beneath.request_of(booking),
        }
    }

    fn open_intents(&self, limit: usize) -> Result<Vec<Request>, StoreError> {
        self.current_requests(self.beneath.open_intents(limit)?, RequestState::Recorded)
    }

    fn open_notes(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.current_requests(self.beneath.open_notes(after, limit)?, RequestState::Noted)
    }

    fn declined(&self, since: Time, until: Time, limit: usize) -> Result<Vec<Time>, StoreError> {
        let mut declined = self.scratch.changed.declined(since, until);
        declined.extend(self.beneath.declined(since, until, limit)?);
        declined.sort_unstable_by_key(|at| std::cmp::Reverse(*at));
        declined.truncate(limit);
        Ok(declined)
    }

    fn wrong_pins(&self, since: Time, limit: usize) -> Result<Vec<Request>, StoreError> {
        self.beneath.wrong_pins(since, limit)
    }

    fn asked_by(
        &self,
        booker: &Address,
        since: Time,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.beneath.asked_by(booker, since, limit)
    }

    fn decided(
        &self,
        since: Option<Time>,
        before: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.beneath.decided(since, before, limit)
    }

    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, StoreError> {
        Ok(Base::charge(self, booking)?.map(|kept| kept.record))
    }

    /// As many as the store beneath lists, whatever became of them since: a page that is full stays
    /// full, and callers look at the state.
    fn open_charges(
        &self,
        after: Option<&BookingUid>,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        let listed = self.beneath.open_charges(after, limit)?;
        let current = listed
            .iter()
            .map(|charge| Store::charge(self, &charge.booking.uid));
        Ok(current
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect())
    }

    fn charges_of(
        &self,
        account: &AccountId,
        from: Time,
        to: Time,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        let listed = self.beneath.charges_of(account, from, to, limit)?;
        let mut current = Vec::new();
        for charge in listed {
            current.extend(Store::charge(self, &charge.booking.uid)?);
        }
        current.retain(|charge| match charge.state {
            ChargeState::Held | ChargeState::Open | ChargeState::Final => true,
            ChargeState::Void | ChargeState::Refunded | ChargeState::Moved { .. } => false,
        });
        Ok(current)
    }

    fn unresolved(
        &self,
        after: Option<&Unresolved>,
        limit: usize,
    ) -> Result<Vec<Unresolved>, StoreError> {
        let changed = self.scratch.changed.all_unresolved();
        let changed: Vec<&Unresolved> = changed.collect();
        let same = |one: &Unresolved, other: &Unresolved| {
            one.booking.uid == other.booking.uid && one.code == other.code
        };
        let mut listed = self.beneath.unresolved(after, limit)?;
        listed.retain(|item| !changed.iter().any(|new| same(new, item)));
        let open = changed
            .into_iter()
            .filter(|new| new.state == UnresolvedState::Open);
        listed.extend(
            open.filter(|new| after.is_none_or(|last| new.rank() > last.rank()))
                .cloned(),
        );
        listed.sort_by_key(Unresolved::rank);
        listed.truncate(limit);
        Ok(listed)
    }

    fn unresolved_of(&self, booking: &BookingUid) -> Result<Vec<Unresolved>, StoreError> {
        Base::unresolved(self, booking)
    }

    fn history(
        &self,
        subject: &Subject,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Written>, StoreError> {
        let mut found = Vec::new();
        for commit in self.scratch.commits.iter().rev() {
            if before.is_some_and(|before| commit.seq >= before) {
                continue;
            }
            for fact in commit.facts.iter().rev() {
                if self.concerns(fact, subject)? {
                    found.push(Written {
                        seq: commit.seq,
                        at: commit.at,
                        fact: fact.clone(),
                    });
                }
            }
        }
        let left = limit.saturating_sub(found.len());
        found.extend(self.beneath.history(subject, before, left)?);
        Ok(found)
    }

    fn verify(&self) -> Result<Verified, StoreError> {
        self.beneath.verify()
    }

    /// The store beneath stays open: it is closed by whoever opened it.
    fn close(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
