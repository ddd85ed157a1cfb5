//! A store in memory that keeps nothing when it is dropped: for a dry run where there is no store
//! yet, for simulations, and as the reference that the projection is compared with. It has the same
//! records, facts and refusals; only durability is missing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::changes::{
    Changes, ChargeChange, ChargeIndexKeys, RequestChange, RequestIndexKeys, UnresolvedChange,
};
use super::commit_preparation::prepare_facts;
use super::log::find;
use super::log::line::{self, Hash, LedgerId};
use super::log::segment::LogPosition;
use super::log_store::{check_expected, check_facts};
use super::port::read_only_error;
use super::port::{
    CommitError, ExpectedVersion, Head, HistorySubject, LogVerification, LoggedFact, Store,
    StoreError,
};
use super::queries::{self, IndexSource};
use super::sled::projection::to_store_error;
use super::versioned::Versioned;
use super::write_set::{RecordSource, WriteSet};
use crate::domain::account::Account;
use crate::domain::fact::{Commit, Fact};
use crate::domain::grant::GrantRecord;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger::ApplyError;
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::time::{Time, truncate_to_millis};
use crate::domain::unresolved::{UnresolvedBooking, UnresolvedRank};

/// The store in memory.
pub struct MemoryStore {
    records: MemoryRecords,
    head: Hash,
    marks: BTreeMap<RequestId, Time>,
    /// Whether the records were read from a log that must not be written.
    read_only: bool,
}

/// Records and indexes, and the commits that made them.
#[derive(Default)]
pub struct MemoryRecords {
    accounts: BTreeMap<AccountId, Versioned<Account>>,
    aliases: BTreeMap<Address, AccountId>,
    grant_records: BTreeMap<Reference, GrantRecord>,
    requests: BTreeMap<RequestId, Versioned<Request>>,
    charges: BTreeMap<BookingUid, Versioned<Charge>>,
    decided_requests: BTreeMap<Time, BTreeSet<RequestId>>,
    open_intents: BTreeSet<(Time, RequestId)>,
    noted_requests: BTreeSet<(Time, RequestId)>,
    requests_by_booker: BTreeMap<Address, BTreeSet<(Time, RequestId)>>,
    declined_requests: BTreeSet<(Time, RequestId)>,
    wrong_pins: BTreeSet<(Time, RequestId)>,
    live_charges: BTreeSet<BookingUid>,
    counted_charges: BTreeMap<AccountId, BTreeMap<Time, BTreeSet<BookingUid>>>,
    joined_bookings: BTreeMap<BookingUid, RequestId>,
    unresolved_items: BTreeMap<BookingUid, Vec<UnresolvedBooking>>,
    open_unresolved_items: BTreeMap<UnresolvedRank, BookingUid>,
    history_pages: HashMap<HistorySubject, Vec<Vec<u64>>>,
    commits: Commits,
    ledger: LedgerState,
}

/// Where commits are read from when they are needed again.
enum Commits {
    InMemory(Vec<Commit>),
    /// In the log, at these positions.
    InLog {
        log: PathBuf,
        positions: Vec<LogPosition>,
    },
}

impl Default for Commits {
    fn default() -> Self {
        Self::InMemory(Vec::new())
    }
}

impl Commits {
    fn count(&self) -> u64 {
        match self {
            Self::InMemory(commits) => commits.len() as u64,
            Self::InLog {
                positions: places, ..
            } => places.len() as u64,
        }
    }
}

impl MemoryStore {
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

    /// Returns the newest commit as it was written; `None` if there is none, or if the records were
    /// read from a log.
    pub fn last_commit(&self) -> Option<&Commit> {
        match &self.records.commits {
            Commits::InMemory(commits) => commits.last(),
            Commits::InLog { .. } => None,
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryRecords {
    /// Creates empty records for the log in this folder.
    pub(super) fn of_log(log: &Path) -> Self {
        Self {
            commits: Commits::InLog {
                log: log.to_owned(),
                positions: Vec::new(),
            },
            ..Self::default()
        }
    }

    /// Adds the position at which the next commit of the log begins.
    pub(super) fn add_position(&mut self, position: LogPosition) {
        match &mut self.commits {
            Commits::InLog {
                positions: places, ..
            } => places.push(position),
            Commits::InMemory(_) => unreachable!("only a log has places"),
        }
    }

    pub(super) fn requests(&self) -> impl Iterator<Item = &Request> {
        self.requests.values().map(|versioned| &versioned.record)
    }

    pub(super) fn all_unresolved_items(&self) -> impl Iterator<Item = &UnresolvedBooking> {
        self.unresolved_items.values().flatten()
    }

    pub(super) fn has_no_account(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Applies what a write set over these records changed.
    pub fn apply_changes(&mut self, changes: Changes) {
        for versioned in changes.accounts {
            self.accounts
                .insert(versioned.record.id.clone(), *versioned);
        }
        for (alias, account) in changes.aliases {
            match account {
                Some(account) => self.aliases.insert(alias, account),
                None => self.aliases.remove(&alias),
            };
        }
        for given in changes.grant_records {
            self.grant_records.insert(given.reference.clone(), given);
        }
        for uid in changes
            .requests
            .iter()
            .flat_map(|change| &change.removed_bookings)
        {
            self.joined_bookings.remove(uid);
        }
        for change in changes.requests {
            self.apply_request(change);
        }
        for change in changes.charges {
            self.apply_charge(change);
        }
        for (at, ids) in changes.decided_requests {
            if ids.is_empty() {
                self.decided_requests.remove(&at);
            } else {
                self.decided_requests.insert(at, ids);
            }
        }
        for change in changes.unresolved {
            self.apply_unresolved(change);
        }
        if let Some(state) = changes.ledger {
            self.ledger = state;
        }
        for (subject, piece) in changes.history_pages {
            self.history_pages.entry(subject).or_default().push(piece);
        }
    }

    /// Returns when requests were declined at or after `since` and before `until`, newest first.
    pub fn declined(&self, since: Time, until: Time) -> Vec<Time> {
        let decline_times = self.declined_requests.iter().rev().map(|(at, _)| *at);
        decline_times
            .skip_while(|at| *at >= until)
            .take_while(|at| *at >= since)
            .collect()
    }

    fn apply_request(&mut self, change: RequestChange) {
        let id = change.versioned.record.id.clone();
        let (previous_keys, current_keys) = (
            change.previous_keys,
            RequestIndexKeys::of(&change.versioned.record),
        );
        if let Some(at) = previous_keys.open_since {
            self.open_intents.remove(&(at, id.clone()));
        }
        if let Some(at) = previous_keys.noted_until {
            self.noted_requests.remove(&(at, id.clone()));
        }
        if let Some((booker, at)) = previous_keys.booker_and_creation
            && let Some(asked) = self.requests_by_booker.get_mut(&booker)
        {
            asked.remove(&(at, id.clone()));
        }
        if let Some(at) = previous_keys.declined_at {
            self.declined_requests.remove(&(at, id.clone()));
        }
        if let Some(at) = previous_keys.wrong_pin_created {
            self.wrong_pins.remove(&(at, id.clone()));
        }
        self.declined_requests
            .extend(current_keys.declined_at.map(|at| (at, id.clone())));
        self.wrong_pins
            .extend(current_keys.wrong_pin_created.map(|at| (at, id.clone())));
        self.open_intents
            .extend(current_keys.open_since.map(|at| (at, id.clone())));
        self.noted_requests
            .extend(current_keys.noted_until.map(|at| (at, id.clone())));
        if let Some((booker, at)) = current_keys.booker_and_creation {
            let requests = self.requests_by_booker.entry(booker).or_default();
            requests.insert((at, id.clone()));
        }
        for uid in change.joined_bookings {
            self.joined_bookings.insert(uid, id.clone());
        }
        self.requests.insert(id, *change.versioned);
    }

    fn apply_unresolved(&mut self, change: UnresolvedChange) {
        for rank in &change.previous_ranks {
            self.open_unresolved_items.remove(rank);
        }
        for rank in UnresolvedChange::open_ranks(&change.items) {
            self.open_unresolved_items
                .insert(rank, change.booking.clone());
        }
        self.unresolved_items.insert(change.booking, change.items);
    }

    fn apply_charge(&mut self, change: ChargeChange) {
        let charge = &change.versioned.record;
        let uid = charge.booking.uid.clone();
        let current_keys = ChargeIndexKeys::of(charge);
        if current_keys.is_live {
            self.live_charges.insert(uid.clone());
        } else {
            self.live_charges.remove(&uid);
        }
        let charges_by_start = self
            .counted_charges
            .entry(charge.account.clone())
            .or_default();
        if let Some(previous_start) = change.previous_keys.counted_start
            && let Some(uids) = charges_by_start.get_mut(&previous_start)
        {
            uids.remove(&uid);
        }
        if let Some(start) = current_keys.counted_start {
            charges_by_start
                .entry(start)
                .or_default()
                .insert(uid.clone());
        }
        self.charges.insert(uid, *change.versioned);
    }
}

impl RecordSource for MemoryRecords {
    fn account(&self, id: &AccountId) -> Result<Option<Versioned<Account>>, StoreError> {
        Ok(self.accounts.get(id).cloned())
    }

    fn alias(&self, alias: &Address) -> Result<Option<AccountId>, StoreError> {
        Ok(self.aliases.get(alias).cloned())
    }

    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, StoreError> {
        Ok(self.grant_records.get(reference).cloned())
    }

    fn request(&self, id: &RequestId) -> Result<Option<Versioned<Request>>, StoreError> {
        Ok(self.requests.get(id).cloned())
    }

    fn charge(&self, booking: &BookingUid) -> Result<Option<Versioned<Charge>>, StoreError> {
        Ok(self.charges.get(booking).cloned())
    }

    fn unresolved_items_of(
        &self,
        booking: &BookingUid,
    ) -> Result<Vec<UnresolvedBooking>, StoreError> {
        Ok(self
            .unresolved_items
            .get(booking)
            .cloned()
            .unwrap_or_default())
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        Ok(self.ledger.clone())
    }

    fn decided_at(&self, at: Time) -> Result<BTreeSet<RequestId>, StoreError> {
        Ok(self.decided_requests.get(&at).cloned().unwrap_or_default())
    }
}

impl IndexSource for MemoryRecords {
    fn request_joined_by(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError> {
        Ok(self.joined_bookings.get(booking).cloned())
    }

    fn newest_decisions_until(
        &self,
        until: Option<Time>,
    ) -> Result<Option<(Time, BTreeSet<RequestId>)>, StoreError> {
        let until = until.map_or(Bound::Unbounded, Bound::Included);
        let row = self
            .decided_requests
            .range((Bound::Unbounded, until))
            .next_back();
        Ok(row.map(|(at, ids)| (*at, ids.clone())))
    }

    fn history_page_before(
        &self,
        subject: &HistorySubject,
        before: u64,
    ) -> Result<Vec<u64>, StoreError> {
        let pages = self.history_pages.get(subject).into_iter().flatten();
        let page = pages.rev().find(|piece| piece[0] < before);
        Ok(page.cloned().unwrap_or_default())
    }

    fn commit_at(&self, seq: u64) -> Result<Commit, StoreError> {
        let index = usize::try_from(seq - 1).expect("commits in memory are counted by usize");
        match &self.commits {
            Commits::InMemory(commits) => Ok(commits[index].clone()),
            Commits::InLog {
                log,
                positions: places,
            } => find::find_commit(log, places[index], seq).map_err(|error| to_store_error(&error)),
        }
    }
}

impl Store for MemoryStore {
    fn commit(
        &mut self,
        at: Time,
        facts: Vec<Fact>,
        expected: &[ExpectedVersion],
    ) -> Result<Head, CommitError> {
        if self.read_only {
            return Err(CommitError::Failed(read_only_error()));
        }
        check_expected(&self.records, expected)?;
        if facts.is_empty() {
            return Ok(self.head());
        }
        let facts = prepare_facts(&self.records, truncate_to_millis(at), facts)?;
        let (text, facts) = check_facts(&facts)?;
        let commit = Commit {
            seq: self.records.commits.count() + 1,
            at: truncate_to_millis(at),
            facts,
        };
        let mut write_set = WriteSet::new(&self.records);
        write_set.apply(&commit).map_err(|error| match error {
            ApplyError::Violation(violation) => CommitError::Violation(violation),
            ApplyError::Read(error) => CommitError::Failed(error),
        })?;
        let changes = write_set.into_changes();
        let line = line::format_commit(LedgerId::NONE, (commit.seq, commit.at), &text, self.head);
        let (_, hash) = line.ok_or_else(|| {
            CommitError::Failed(StoreError {
                text: "write an instant outside the years 0 to 9999".to_owned(),
                source: None,
            })
        })?;
        self.records.apply_changes(changes);
        for fact in &commit.facts {
            if let Fact::CallRecorded { request, .. } | Fact::IntentSettled { request, .. } = fact {
                self.marks.remove(request);
            }
        }
        match &mut self.records.commits {
            Commits::InMemory(commits) => commits.push(commit),
            Commits::InLog { .. } => unreachable!("a log that was read is not written"),
        }
        self.head = hash;
        Ok(self.head())
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

    fn request_of(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError> {
        queries::request_of(&self.records, booking)
    }

    fn open_intents(&self, limit: usize) -> Result<Vec<Request>, StoreError> {
        let open = self.records.open_intents.iter().take(limit);
        open.map(|(_, id)| queries::indexed_request(&self.records, id))
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

    fn history(
        &self,
        subject: &HistorySubject,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<LoggedFact>, StoreError> {
        queries::history(&self.records, subject, before, limit)
    }

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

    fn close(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
