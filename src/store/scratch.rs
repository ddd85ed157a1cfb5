//! A store over another store, whose writes are kept in memory and dropped. A dry run uses it:
//! every commit is checked as a real commit would be, later reads of the same dry run see it, and
//! nothing reaches the log. Lists are those of the inner store, with the records as the dry run
//! left them.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::commit_preparation::{check_expected, check_facts, prepare_facts, to_commit_error};
use super::memory_records::MemoryRecords;
use super::port::{
    CommitError, CommitSource, Committed, Head, HistorySubject, LoggedFact, Store, StoreError,
};
use super::queries;
use super::record_source::RecordSource;
use super::versioned::Versioned;
use super::write_set::WriteSet;
use crate::domain::account::Account;
use crate::domain::credit_flows::{CreditFlows, QuarterHour};
use crate::domain::daily_totals::DailyTotals;
use crate::domain::expected::Expected;
use crate::domain::fact::{Commit, Fact};
use crate::domain::grant::GrantRecord;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, ChargeState, Request, RequestState};
use crate::domain::time::{Time, truncate_to_millis};
use crate::domain::unresolved::{UnresolvedBooking, UnresolvedState};

/// What a dry run has written so far.
#[derive(Default)]
pub struct ScratchWrites {
    records: MemoryRecords,
    commits: Vec<Commit>,
    ledger: Option<LedgerState>,
}

/// A store, overlaid with what a dry run has written.
pub struct ScratchStore<'a> {
    inner: &'a mut dyn Store,
    writes: &'a mut ScratchWrites,
}

impl<'a> ScratchStore<'a> {
    /// Returns a store that reads from `inner` and keeps its writes in `writes`.
    pub fn new(inner: &'a mut dyn Store, writes: &'a mut ScratchWrites) -> Self {
        Self { inner, writes }
    }

    /// Returns true if the fact belongs to the subject's history.
    fn concerns(&self, fact: &Fact, subject: &HistorySubject) -> Result<bool, StoreError> {
        queries::concerns(self, fact, subject)
    }

    /// Returns a page of an index of requests: those of the inner store that the dry run did not
    /// change, and those that it put into this state.
    fn merge_requests(
        &self,
        (after, limit): RequestPage<'_>,
        state: &RequestState,
        key: impl Fn(&Request) -> (Time, RequestId),
        inner_page: impl Fn(RequestPage<'_>) -> Result<Vec<Request>, StoreError>,
    ) -> Result<Vec<Request>, StoreError> {
        let mut unchanged = Vec::new();
        let mut inner_after = after.cloned();
        loop {
            let page = inner_page((inner_after.as_ref(), limit))?;
            let is_full = page.len() == limit;
            inner_after = page.last().map(&key);
            for request in page {
                if self.writes.records.request(&request.id)?.is_none() {
                    unchanged.push(request);
                }
            }
            if !is_full || unchanged.len() >= limit {
                break;
            }
        }
        let written = self.writes.records.requests();
        let mut merged: Vec<Request> = written
            .filter(|request| request.state == *state)
            .filter(|request| after.is_none_or(|last| key(request) > *last))
            .cloned()
            .collect();
        merged.extend(unchanged);
        merged.sort_by_key(key);
        merged.truncate(limit);
        Ok(merged)
    }
}

/// Where a page of requests begins, and how many it may hold.
type RequestPage<'a> = (Option<&'a (Time, RequestId)>, usize);

/// Returns a record of the inner store with its version, but without its other commit numbers:
/// history is read from the writes and from the inner store.
fn with_version<T>(record: Option<T>, version: Option<u64>) -> Option<Versioned<T>> {
    record.map(|record| Versioned {
        record,
        seqs: version.into_iter().collect(),
    })
}

impl RecordSource for ScratchStore<'_> {
    fn account(&self, id: &AccountId) -> Result<Option<Versioned<Account>>, StoreError> {
        match self.writes.records.account(id)? {
            Some(changed) => Ok(Some(changed)),
            None => Ok(with_version(self.inner.account(id)?, None)),
        }
    }

    fn alias(&self, alias: &Address) -> Result<Option<AccountId>, StoreError> {
        match self.writes.records.alias(alias)? {
            Some(changed) => Ok(Some(changed)),
            None => self.inner.resolve(alias),
        }
    }

    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, StoreError> {
        match self.writes.records.grant_record(reference)? {
            Some(changed) => Ok(Some(changed)),
            None => self.inner.grant_record(reference),
        }
    }

    fn request(&self, id: &RequestId) -> Result<Option<Versioned<Request>>, StoreError> {
        match self.writes.records.request(id)? {
            Some(changed) => Ok(Some(changed)),
            None => {
                let version = self.inner.request_version(id)?;
                Ok(with_version(self.inner.request(id)?, version))
            }
        }
    }

    fn charge(&self, booking: &BookingUid) -> Result<Option<Versioned<Charge>>, StoreError> {
        match self.writes.records.charge(booking)? {
            Some(changed) => Ok(Some(changed)),
            None => {
                let version = self.inner.charge_version(booking)?;
                Ok(with_version(self.inner.charge(booking)?, version))
            }
        }
    }

    fn unresolved_items_of(
        &self,
        booking: &BookingUid,
    ) -> Result<Vec<UnresolvedBooking>, StoreError> {
        let written_items = RecordSource::unresolved_items_of(&self.writes.records, booking)?;
        if written_items.is_empty() {
            return self.inner.unresolved_items_of(booking);
        }
        Ok(written_items)
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        match &self.writes.ledger {
            Some(changed) => Ok(changed.clone()),
            None => self.inner.ledger_state(),
        }
    }

    fn decided_at(&self, at: Time) -> Result<BTreeSet<RequestId>, StoreError> {
        self.writes.records.decided_at(at)
    }

    fn totals_of_day(&self, day: NaiveDate) -> Result<DailyTotals, StoreError> {
        let written = self.writes.records.totals_of_day(day)?;
        if !written.is_empty() {
            return Ok(written);
        }
        let stored = self.inner.daily_totals(day, day)?;
        Ok(stored.into_iter().next().unwrap_or_default().1)
    }

    fn flows_of_quarter(&self, quarter: QuarterHour) -> Result<CreditFlows, StoreError> {
        let written = self.writes.records.flows_of_quarter(quarter)?;
        if !written.is_zero() {
            return Ok(written);
        }
        let stored = self.inner.credit_flows(quarter, quarter)?;
        Ok(stored.first().map(|(_, flows)| *flows).unwrap_or_default())
    }
}

impl Store for ScratchStore<'_> {
    fn commit(
        &mut self,
        at: Time,
        facts: Vec<Fact>,
        expected: &[Expected],
    ) -> Result<Committed, CommitError> {
        check_expected(self, self.head().seq, expected)?;
        if facts.is_empty() {
            return Ok(Committed::nothing(self.head()));
        }
        let facts = prepare_facts(&*self, truncate_to_millis(at), facts)?;
        let (_, facts) = check_facts(&facts)?;
        let commit = Commit {
            seq: self.head().seq + 1,
            at: truncate_to_millis(at),
            facts,
        };
        let mut write_set = WriteSet::new(&*self);
        write_set.apply(&commit).map_err(to_commit_error)?;
        let changes = write_set.into_changes();
        let accounts = changes.account_versions();
        if changes.ledger.is_some() {
            self.writes.ledger.clone_from(&changes.ledger);
        }
        self.writes.records.apply_changes(changes);
        self.writes.commits.push(commit);
        let head = self.head();
        Ok(Committed { head, accounts })
    }

    /// A dry run sends nothing, so there is nothing to remember.
    fn mark_sent(&mut self, _: &RequestId, _: Option<Time>) -> Result<(), StoreError> {
        Ok(())
    }

    fn sent_mark(&self, request: &RequestId) -> Option<Time> {
        self.inner.sent_mark(request)
    }

    fn head(&self) -> Head {
        let head = self.inner.head();
        Head {
            seq: head.seq + self.writes.commits.len() as u64,
            ..head
        }
    }

    fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        Ok(RecordSource::account(self, id)?.map(|versioned| versioned.record))
    }

    fn resolve(&self, address: &Address) -> Result<Option<AccountId>, StoreError> {
        queries::resolve(self, address)
    }

    fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<Account>, StoreError> {
        let inner_accounts = self.inner.accounts(after, limit)?;
        let current = inner_accounts
            .iter()
            .map(|account| Store::account(self, &account.id));
        Ok(current
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect())
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.inner.is_empty()? && self.writes.records.has_no_account())
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        RecordSource::ledger_state(self)
    }

    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, StoreError> {
        RecordSource::grant_record(self, reference)
    }

    fn request(&self, id: &RequestId) -> Result<Option<Request>, StoreError> {
        Ok(RecordSource::request(self, id)?.map(|versioned| versioned.record))
    }

    fn request_version(&self, id: &RequestId) -> Result<Option<u64>, StoreError> {
        let request = RecordSource::request(self, id)?;
        Ok(request.and_then(|versioned| versioned.version()))
    }

    fn request_of(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError> {
        let written_requests = self.writes.records.requests();
        let mut matching =
            written_requests.filter(|r| r.bookings.iter().any(|known| known.uid == *booking));
        match matching.next() {
            Some(request) => Ok(Some(request.id.clone())),
            None => self.inner.request_of(booking),
        }
    }

    fn open_intents(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.merge_requests(
            (after, limit),
            &RequestState::Recorded,
            |request| (request.decided_at, request.id.clone()),
            |(after, limit)| self.inner.open_intents(after, limit),
        )
    }

    fn open_notes(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.merge_requests(
            (after, limit),
            &RequestState::Noted,
            |request| (request.end, request.id.clone()),
            |(after, limit)| self.inner.open_notes(after, limit),
        )
    }

    fn decline_times(
        &self,
        since: Time,
        until: Time,
        limit: usize,
    ) -> Result<Vec<Time>, StoreError> {
        let mut declined = self.writes.records.declined(since, until);
        declined.extend(self.inner.decline_times(since, until, limit)?);
        declined.sort_unstable_by_key(|at| std::cmp::Reverse(*at));
        declined.truncate(limit);
        Ok(declined)
    }

    fn wrong_pin_requests(&self, since: Time, limit: usize) -> Result<Vec<Request>, StoreError> {
        self.inner.wrong_pin_requests(since, limit)
    }

    fn requests_of_booker(
        &self,
        booker: &Address,
        since: Time,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.inner.requests_of_booker(booker, since, limit)
    }

    fn decided_requests(
        &self,
        since: Option<Time>,
        before: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.inner.decided_requests(since, before, limit)
    }

    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, StoreError> {
        Ok(RecordSource::charge(self, booking)?.map(|versioned| versioned.record))
    }

    fn charge_version(&self, booking: &BookingUid) -> Result<Option<u64>, StoreError> {
        let charge = RecordSource::charge(self, booking)?;
        Ok(charge.and_then(|versioned| versioned.version()))
    }

    /// Returns as many charges as the inner store lists, whatever became of them since: a page that
    /// is full stays full, and callers check the state.
    fn open_charges(
        &self,
        after: Option<&BookingUid>,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        let inner_charges = self.inner.open_charges(after, limit)?;
        let current = inner_charges
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
        let inner_charges = self.inner.charges_of(account, from, to, limit)?;
        let mut current = Vec::new();
        for charge in inner_charges {
            current.extend(Store::charge(self, &charge.booking.uid)?);
        }
        current.retain(|charge| match charge.state {
            ChargeState::Held | ChargeState::Open | ChargeState::Final => true,
            ChargeState::Void | ChargeState::Refunded | ChargeState::Moved { .. } => false,
        });
        Ok(current)
    }

    fn unresolved_items(
        &self,
        after: Option<&UnresolvedBooking>,
        limit: usize,
    ) -> Result<Vec<UnresolvedBooking>, StoreError> {
        let written_items = self.writes.records.all_unresolved_items();
        let changed: Vec<&UnresolvedBooking> = written_items.collect();
        let is_same_item = |one: &UnresolvedBooking, other: &UnresolvedBooking| {
            one.booking.uid == other.booking.uid && one.code == other.code
        };
        let mut items = self.inner.unresolved_items(after, limit)?;
        items.retain(|item| !changed.iter().any(|new| is_same_item(new, item)));
        let open_items = changed
            .into_iter()
            .filter(|new| new.state == UnresolvedState::Open);
        items.extend(
            open_items
                .filter(|new| after.is_none_or(|last| new.rank() > last.rank()))
                .cloned(),
        );
        items.sort_by_key(UnresolvedBooking::rank);
        items.truncate(limit);
        Ok(items)
    }

    fn unresolved_items_of(
        &self,
        booking: &BookingUid,
    ) -> Result<Vec<UnresolvedBooking>, StoreError> {
        RecordSource::unresolved_items_of(self, booking)
    }

    fn daily_totals(
        &self,
        first: NaiveDate,
        last: NaiveDate,
    ) -> Result<Vec<(NaiveDate, DailyTotals)>, StoreError> {
        self.inner.daily_totals(first, last)
    }

    fn credit_flows(
        &self,
        first: QuarterHour,
        last: QuarterHour,
    ) -> Result<Vec<(QuarterHour, CreditFlows)>, StoreError> {
        self.inner.credit_flows(first, last)
    }

    fn history(
        &self,
        subject: &HistorySubject,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<LoggedFact>, StoreError> {
        let mut entries = Vec::new();
        for commit in self.writes.commits.iter().rev() {
            if before.is_some_and(|before| commit.seq >= before) {
                continue;
            }
            for fact in commit.facts.iter().rev() {
                if self.concerns(fact, subject)? {
                    entries.push(LoggedFact {
                        seq: commit.seq,
                        at: commit.at,
                        by: commit.actor().cloned(),
                        fact: fact.clone(),
                    });
                }
            }
        }
        let remaining = limit.saturating_sub(entries.len());
        entries.extend(self.inner.history(subject, before, remaining)?);
        Ok(entries)
    }
}

impl CommitSource for ScratchStore<'_> {
    fn commits(&self, after: u64, limit: usize) -> Result<Vec<Commit>, StoreError> {
        let mut commits = self.inner.commits(after, limit)?;
        let own = self.writes.commits.iter();
        let own = own.filter(|commit| commit.seq > after).cloned();
        commits.extend(own.take(limit - commits.len()));
        Ok(commits)
    }
}
