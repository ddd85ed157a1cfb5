//! A store in memory that keeps nothing when it is dropped: for a dry run where there is no store
//! yet, for simulations, and as the reference that the projection is compared with. It has the same
//! records, facts and refusals; only durability is missing.

use std::collections::BTreeMap;
use std::ops::Bound;

use chrono::NaiveDate;

use super::commit_preparation::{check_expected, check_facts, prepare_facts, to_commit_error};
use super::log::line::{self, Hash, LedgerId};
use super::memory_records::MemoryRecords;
use super::port::{
    CommitError, CommitSource, Committed, Head, HistorySubject, LogVerification, LoggedFact,
    Maintenance, RewriteOrder, RewriteReport, Store, StoreError,
};
use super::queries::{self, IndexSource};
use super::record_source::RecordSource;
use super::store_error::{read_only_error, to_store_error};
use super::versioned::Versioned;
use super::write_set::WriteSet;
use crate::domain::account::Account;
use crate::domain::credit_flows::{CreditFlows, QuarterHour};
use crate::domain::daily_totals::DailyTotals;
use crate::domain::expected::Expected;
use crate::domain::fact::{Commit, Fact, RequestFact};
use crate::domain::grant::GrantRecord;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger_state::LedgerState;
use crate::domain::progress::Progress;
use crate::domain::request::{Charge, Request};
use crate::domain::time::{Time, truncate_to_millis};
use crate::domain::unresolved::UnresolvedBooking;

/// The store in memory.
pub struct MemoryStore {
    records: MemoryRecords,
    head: Hash,
    marks: BTreeMap<RequestId, Time>,
    /// Whether the records were read from a log that must not be written.
    read_only: bool,
}

impl MemoryStore {
    /// Returns an empty store.
    pub fn new() -> Self {
        Self {
            records: MemoryRecords::default(),
            head: Hash::NONE,
            marks: BTreeMap::new(),
            read_only: false,
        }
    }

    /// Creates a read-only store from the records of a log that ends with the hash `head`.
    pub(super) fn read_only(
        records: MemoryRecords,
        head: Hash,
        marks: BTreeMap<RequestId, Time>,
    ) -> Self {
        Self {
            records,
            head,
            marks,
            read_only: true,
        }
    }

    /// Applies a commit that was made before.
    fn push(&mut self, commit: Commit) -> Result<(), StoreError> {
        let failed = |error: &dyn std::error::Error| to_store_error(error);
        let (text, _) = check_facts(&commit.facts).map_err(|error| failed(&error))?;
        let mut write_set = WriteSet::new(&self.records);
        let applied = write_set.apply(&commit).map_err(to_commit_error);
        applied.map_err(|error| failed(&error))?;
        let changes = write_set.into_changes();
        let line = line::format_commit(LedgerId::NONE, (commit.seq, commit.at), &text, self.head);
        let (_, hash) = line.ok_or_else(|| StoreError {
            text: "write an instant outside the years 0 to 9999".to_owned(),
            source: None,
        })?;
        self.records.apply_changes(changes);
        self.records.commits.push(commit);
        self.head = hash;
        Ok(())
    }

    /// Returns the newest commit as it was written; `None` if there is none, or if the records were
    /// read from a log.
    pub fn last_commit(&self) -> Option<&Commit> {
        self.records.commits.last_in_memory()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
    fn commit(
        &mut self,
        at: Time,
        facts: Vec<Fact>,
        expected: &[Expected],
    ) -> Result<Committed, CommitError> {
        if self.read_only {
            return Err(CommitError::Failed(read_only_error()));
        }
        check_expected(&self.records, self.records.commits.count(), expected)?;
        if facts.is_empty() {
            return Ok(Committed::nothing(self.head()));
        }
        let facts = prepare_facts(&self.records, truncate_to_millis(at), facts)?;
        let (text, facts) = check_facts(&facts)?;
        let commit = Commit {
            seq: self.records.commits.count() + 1,
            at: truncate_to_millis(at),
            facts,
        };
        let mut write_set = WriteSet::new(&self.records);
        write_set.apply(&commit).map_err(to_commit_error)?;
        let changes = write_set.into_changes();
        let accounts = changes.account_versions();
        let line = line::format_commit(LedgerId::NONE, (commit.seq, commit.at), &text, self.head);
        let (_, hash) = line.ok_or_else(|| {
            CommitError::Failed(StoreError {
                text: "write an instant outside the years 0 to 9999".to_owned(),
                source: None,
            })
        })?;
        self.records.apply_changes(changes);
        for fact in &commit.facts {
            if let Fact::Request(
                RequestFact::CallRecorded { request, .. }
                | RequestFact::IntentSettled { request, .. },
            ) = fact
            {
                self.marks.remove(request);
            }
        }
        self.records.commits.push(commit);
        self.head = hash;
        let head = self.head();
        Ok(Committed { head, accounts })
    }

    fn mark_sent(&mut self, request: &RequestId, at: Option<Time>) -> Result<(), StoreError> {
        match at {
            Some(at) => self.marks.insert(request.clone(), truncate_to_millis(at)),
            None => self.marks.remove(request),
        };
        Ok(())
    }

    fn sent_mark(&self, request: &RequestId) -> Option<Time> {
        self.marks.get(request).copied()
    }

    fn head(&self) -> Head {
        Head {
            seq: self.records.commits.count(),
            hash: self.head.to_string(),
        }
    }

    fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        Ok(self
            .records
            .accounts
            .get(id)
            .map(|versioned| versioned.record.clone()))
    }

    fn resolve(&self, address: &Address) -> Result<Option<AccountId>, StoreError> {
        queries::resolve(&self.records, address)
    }

    fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<Account>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.records.accounts.range((after, Bound::Unbounded));
        Ok(range
            .take(limit)
            .map(|(_, versioned)| versioned.record.clone())
            .collect())
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.records.accounts.is_empty())
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        Ok(self.records.ledger.clone())
    }

    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, StoreError> {
        self.records.grant_record(reference)
    }

    fn request(&self, id: &RequestId) -> Result<Option<Request>, StoreError> {
        Ok(self
            .records
            .requests
            .get(id)
            .map(|versioned| versioned.record.clone()))
    }

    fn request_version(&self, id: &RequestId) -> Result<Option<u64>, StoreError> {
        let request = self.records.requests.get(id);
        Ok(request.and_then(Versioned::version))
    }

    fn request_of(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError> {
        queries::request_of(&self.records, booking)
    }

    fn open_intents(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let open = self.records.open_intents.range((after, Bound::Unbounded));
        open.take(limit)
            .map(|(_, id)| queries::indexed_request(&self.records, id))
            .collect()
    }

    fn open_notes(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let noted = self.records.noted_requests.range((after, Bound::Unbounded));
        noted
            .take(limit)
            .map(|(_, id)| queries::indexed_request(&self.records, id))
            .collect()
    }

    fn decline_times(
        &self,
        since: Time,
        until: Time,
        limit: usize,
    ) -> Result<Vec<Time>, StoreError> {
        let mut declined = self.records.declined(since, until);
        declined.truncate(limit);
        Ok(declined)
    }

    fn wrong_pin_requests(&self, since: Time, limit: usize) -> Result<Vec<Request>, StoreError> {
        let wrong = self.records.wrong_pins.iter().rev();
        wrong
            .take_while(|(created, _)| *created >= since)
            .take(limit)
            .map(|(_, id)| queries::indexed_request(&self.records, id))
            .collect()
    }

    fn requests_of_booker(
        &self,
        booker: &Address,
        since: Time,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        let requests = self
            .records
            .requests_by_booker
            .get(booker)
            .into_iter()
            .flatten()
            .rev();
        requests
            .take_while(|(created, _)| *created >= since)
            .take(limit)
            .map(|(_, id)| queries::indexed_request(&self.records, id))
            .collect()
    }

    fn decided_requests(
        &self,
        since: Option<Time>,
        before: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        queries::decided_requests(&self.records, since, before, limit)
    }

    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, StoreError> {
        Ok(self
            .records
            .charges
            .get(booking)
            .map(|versioned| versioned.record.clone()))
    }

    fn charge_version(&self, booking: &BookingUid) -> Result<Option<u64>, StoreError> {
        let charge = self.records.charges.get(booking);
        Ok(charge.and_then(Versioned::version))
    }

    fn open_charges(
        &self,
        after: Option<&BookingUid>,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let live = self
            .records
            .live_charges
            .range((after, Bound::Unbounded))
            .take(limit);
        Ok(live
            .map(|uid| self.records.charges[uid].record.clone())
            .collect())
    }

    fn charges_of(
        &self,
        account: &AccountId,
        from: Time,
        to: Time,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        let charges_by_start = self.records.counted_charges.get(account);
        let starts = charges_by_start
            .filter(|_| from < to)
            .map(|all| all.range(from..to));
        let uids = starts.into_iter().flatten().flat_map(|(_, uids)| uids);
        Ok(uids
            .take(limit)
            .map(|uid| self.records.charges[uid].record.clone())
            .collect())
    }

    fn unresolved_items(
        &self,
        after: Option<&UnresolvedBooking>,
        limit: usize,
    ) -> Result<Vec<UnresolvedBooking>, StoreError> {
        let after = after.map(UnresolvedBooking::rank);
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let items = self
            .records
            .open_unresolved_items
            .range((after, Bound::Unbounded));
        items
            .take(limit)
            .map(|(rank, uid)| queries::indexed_unresolved_item(&self.records, uid, rank))
            .collect()
    }

    fn unresolved_items_of(
        &self,
        booking: &BookingUid,
    ) -> Result<Vec<UnresolvedBooking>, StoreError> {
        RecordSource::unresolved_items_of(&self.records, booking)
    }

    fn daily_totals(
        &self,
        first: NaiveDate,
        last: NaiveDate,
    ) -> Result<Vec<(NaiveDate, DailyTotals)>, StoreError> {
        Ok(self.records.totals_of_days(first, last))
    }

    fn credit_flows(
        &self,
        first: QuarterHour,
        last: QuarterHour,
    ) -> Result<Vec<(QuarterHour, CreditFlows)>, StoreError> {
        Ok(self.records.flows_of_quarters(first, last))
    }

    fn history(
        &self,
        subject: &HistorySubject,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<LoggedFact>, StoreError> {
        queries::history(&self.records, subject, before, limit)
    }
}

impl CommitSource for MemoryStore {
    fn commits(&self, after: u64, limit: usize) -> Result<Vec<Commit>, StoreError> {
        let seqs = after + 1..=self.records.commits.count();
        seqs.take(limit)
            .map(|seq| self.records.commit_at(seq))
            .collect()
    }
}

impl Maintenance for MemoryStore {
    /// Counts commits and facts. There is no projection to compare: the records themselves are what
    /// the commits add up to.
    fn verify(&self) -> Result<LogVerification, StoreError> {
        let mut facts = 0;
        for seq in 1..=self.records.commits.count() {
            facts += self.records.commit_at(seq)?.facts.len() as u64;
        }
        Ok(LogVerification {
            commits: self.records.commits.count(),
            facts,
            projection_compared: false,
            differences: Vec::new(),
        })
    }

    fn rewrite(
        &mut self,
        order: RewriteOrder,
        _: &mut dyn FnMut(Progress),
    ) -> Result<RewriteReport, StoreError> {
        if self.read_only {
            return Err(read_only_error());
        }
        let replaced = self.head();
        let mut redaction = order.redaction;
        let commits = self.commits(0, usize::MAX)?;
        loop {
            commits.iter().for_each(|commit| redaction.survey(commit));
            if !redaction.end_survey() {
                break;
            }
        }
        let mut rewritten = Self::new();
        let mut changed = 0;
        for mut commit in commits {
            changed += u64::from(redaction.apply(&mut commit));
            rewritten.push(commit)?;
        }
        if changed == 0 {
            let head = replaced.clone();
            return Ok(RewriteReport {
                replaced,
                changed,
                head,
            });
        }
        if !order.closing.is_empty() {
            rewritten.push(Commit {
                seq: replaced.seq + 1,
                at: truncate_to_millis(order.at),
                facts: order.closing,
            })?;
        }
        rewritten.marks = std::mem::take(&mut self.marks);
        *self = rewritten;
        let head = self.head();
        Ok(RewriteReport {
            replaced,
            changed,
            head,
        })
    }

    fn close(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn unresponsive_hint(&self) -> &'static str {
        "it is in the memory of this process only, which is a defect; please report it"
    }
}
