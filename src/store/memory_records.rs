//! Records and indexes in memory, and the commits that made them, without durability.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::changes::{
    Changes, ChargeChange, ChargeIndexKeys, RequestChange, RequestIndexKeys, UnresolvedChange,
};
use super::log::find;
use super::log::segment::LogPosition;
use super::port::{HistorySubject, StoreError};
use super::queries::IndexSource;
use super::record_source::RecordSource;
use super::store_error::to_store_error;
use super::versioned::Versioned;
use crate::domain::account::Account;
use crate::domain::credit_flows::{CreditFlows, QuarterHour};
use crate::domain::daily_totals::DailyTotals;
use crate::domain::fact::Commit;
use crate::domain::grant::GrantRecord;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::time::Time;
use crate::domain::unresolved::{UnresolvedBooking, UnresolvedRank};

/// Records and indexes, and the commits that made them.
#[derive(Default)]
pub struct MemoryRecords {
    pub(super) accounts: BTreeMap<AccountId, Versioned<Account>>,
    pub(super) aliases: BTreeMap<Address, AccountId>,
    pub(super) grant_records: BTreeMap<Reference, GrantRecord>,
    pub(super) requests: BTreeMap<RequestId, Versioned<Request>>,
    pub(super) charges: BTreeMap<BookingUid, Versioned<Charge>>,
    pub(super) decided_requests: BTreeMap<Time, BTreeSet<RequestId>>,
    pub(super) open_intents: BTreeSet<(Time, RequestId)>,
    pub(super) noted_requests: BTreeSet<(Time, RequestId)>,
    pub(super) requests_by_booker: BTreeMap<Address, BTreeSet<(Time, RequestId)>>,
    pub(super) declined_requests: BTreeSet<(Time, RequestId)>,
    pub(super) wrong_pins: BTreeSet<(Time, RequestId)>,
    pub(super) live_charges: BTreeSet<BookingUid>,
    pub(super) counted_charges: BTreeMap<AccountId, BTreeMap<Time, BTreeSet<BookingUid>>>,
    pub(super) joined_bookings: BTreeMap<BookingUid, RequestId>,
    pub(super) unresolved_items: BTreeMap<BookingUid, Vec<UnresolvedBooking>>,
    pub(super) open_unresolved_items: BTreeMap<UnresolvedRank, BookingUid>,
    pub(super) history_pages: HashMap<HistorySubject, Vec<Vec<u64>>>,
    pub(super) daily_totals: BTreeMap<NaiveDate, DailyTotals>,
    pub(super) credit_flows: BTreeMap<QuarterHour, CreditFlows>,
    pub(super) commits: Commits,
    pub(super) ledger: LedgerState,
}

/// Where commits are read from when they are needed again.
pub(super) enum Commits {
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
    /// Returns the newest commit as it was written; `None` if there is none, or if the records were
    /// read from a log.
    pub(super) fn last_in_memory(&self) -> Option<&Commit> {
        match self {
            Self::InMemory(commits) => commits.last(),
            Self::InLog { .. } => None,
        }
    }

    /// Keeps a commit that was made.
    pub(super) fn push(&mut self, commit: Commit) {
        match self {
            Self::InMemory(commits) => commits.push(commit),
            Self::InLog { .. } => unreachable!("a log that was read is not written"),
        }
    }

    pub(super) fn count(&self) -> u64 {
        match self {
            Self::InMemory(commits) => commits.len() as u64,
            Self::InLog {
                positions: places, ..
            } => places.len() as u64,
        }
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
        self.daily_totals.extend(changes.daily_totals);
        self.credit_flows.extend(changes.credit_flows);
        for (subject, piece) in changes.history_pages {
            self.history_pages.entry(subject).or_default().push(piece);
        }
    }

    /// Returns what happened on the days from `first` to `last`.
    pub(super) fn totals_of_days(
        &self,
        first: NaiveDate,
        last: NaiveDate,
    ) -> Vec<(NaiveDate, DailyTotals)> {
        // A range whose end lies before its start would be a panic.
        let days = self.daily_totals.range(first..);
        days.take_while(|(day, _)| **day <= last)
            .map(|(day, totals)| (*day, totals.clone()))
            .collect()
    }

    /// Returns what happened to the credits in the quarters of an hour from `first` to `last`.
    pub(super) fn flows_of_quarters(
        &self,
        first: QuarterHour,
        last: QuarterHour,
    ) -> Vec<(QuarterHour, CreditFlows)> {
        let quarters = self.credit_flows.range(first..);
        { quarters.take_while(|(quarter, _)| **quarter <= last) }
            .map(|(quarter, flows)| (*quarter, *flows))
            .collect()
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

    fn totals_of_day(&self, day: NaiveDate) -> Result<DailyTotals, StoreError> {
        Ok(self.daily_totals.get(&day).cloned().unwrap_or_default())
    }

    fn flows_of_quarter(&self, quarter: QuarterHour) -> Result<CreditFlows, StoreError> {
        Ok({ self.credit_flows.get(&quarter) }
            .copied()
            .unwrap_or_default())
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
