//! The only way from facts to changed records: `ledger::apply` on copies of the records of a
//! source, the sled projection or memory. The source is not touched; the changes are returned as a
//! value.
//!
//! Each account, request and charge also keeps the numbers of the commits that touched it, so that
//! its history can be read directly from the log: the newest numbers with the record, older numbers
//! in history pages.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;

use super::changes::{Changes, ChargeIndexKeys, UnresolvedChange};
use super::port::{HistorySubject, StoreError};
use super::record_slots::{ChargeSlot, RequestSlot, Slot, into_changed_values, push_seq};
use super::record_source::RecordSource;
use super::versioned::Versioned;
use crate::domain::account::Account;
use crate::domain::credit_flows::{CreditFlows, QuarterHour};
use crate::domain::daily_totals::DailyTotals;
use crate::domain::decision::Credits;
use crate::domain::fact::{ChargeFact, Commit, Fact};
use crate::domain::grant::GrantRecord;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger::{self, ApplyError, LedgerRecords};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::time::Time;
use crate::domain::unresolved::UnresolvedBooking;

/// Changed records over a source. Records that were read are kept, so that a record is read once,
/// however often it changes. Large records are boxed, because a rebuild holds hundreds of thousands
/// of them here and moves them.
pub struct WriteSet<'a, B> {
    source: &'a B,
    seq: u64,
    accounts: HashMap<AccountId, Slot<Box<Versioned<Account>>>>,
    aliases: HashMap<Address, Slot<AccountId>>,
    grant_records: HashMap<Reference, Slot<GrantRecord>>,
    requests: HashMap<RequestId, RequestSlot>,
    charges: HashMap<BookingUid, ChargeSlot>,
    decided_requests: HashMap<Time, BTreeSet<RequestId>>,
    unresolved_items: HashMap<BookingUid, UnresolvedChange>,
    daily_totals: HashMap<NaiveDate, DailyTotals>,
    credit_flows: HashMap<QuarterHour, CreditFlows>,
    /// The flows of the commit that is being applied.
    commit_flows: CreditFlows,
    history_pages: Vec<(HistorySubject, Vec<u64>)>,
    ledger: Option<LedgerState>,
    /// The first read that failed where no error can be returned.
    first_error: Option<StoreError>,
}

impl<'a, B: RecordSource> WriteSet<'a, B> {
    /// Returns a write set without changes over this source.
    pub fn new(source: &'a B) -> Self {
        Self {
            source,
            seq: 0,
            accounts: HashMap::new(),
            aliases: HashMap::new(),
            grant_records: HashMap::new(),
            requests: HashMap::new(),
            charges: HashMap::new(),
            decided_requests: HashMap::new(),
            unresolved_items: HashMap::new(),
            daily_totals: HashMap::new(),
            credit_flows: HashMap::new(),
            commit_flows: CreditFlows::default(),
            history_pages: Vec::new(),
            ledger: None,
            first_error: None,
        }
    }

    /// Applies all facts of a commit.
    ///
    /// # Errors
    /// When a fact does not fit or a record cannot be read; the write set must then be dropped.
    pub fn apply(&mut self, commit: &Commit) -> Result<(), ApplyError<StoreError>> {
        self.seq = commit.seq;
        if commit.seq == 1 {
            self.ledger = Some(LedgerState {
                first_commit_at: Some(commit.at),
                ..LedgerState::default()
            });
        }
        let mut totals = DailyTotals::default();
        self.commit_flows = CreditFlows::default();
        for fact in &commit.facts {
            ledger::apply(self, commit.at, fact)?;
            let posted = self.posted_credits(fact).map_err(ApplyError::Read)?;
            totals.add_fact(fact, posted);
            self.commit_flows.add_fact(fact);
        }
        if !totals.is_empty() {
            let of_day = self.daily_totals_slot(commit.at.date_naive());
            of_day.map_err(ApplyError::Read)?.add(&totals);
        }
        let flows = self.commit_flows;
        if !flows.is_zero() {
            let of_quarter = self.credit_flows_slot(QuarterHour::of(commit.at));
            of_quarter.map_err(ApplyError::Read)?.add(&flows);
        }
        self.first_error
            .take()
            .map_or(Ok(()), |error| Err(ApplyError::Read(error)))
    }

    /// Returns the number of records held, as a measure of memory use.
    pub fn record_count(&self) -> usize {
        let total = self.accounts.len() + self.grant_records.len() + self.requests.len();
        total + self.charges.len() + self.unresolved_items.len()
    }

    /// Returns what changed since the write set was created.
    pub fn into_changes(self) -> Changes {
        let requests = self.requests.into_values().filter(|slot| slot.changed);
        let charges = self.charges.into_values().filter(|slot| slot.changed);
        Changes {
            accounts: into_changed_values(self.accounts)
                .map(|(_, versioned)| versioned)
                .collect(),
            aliases: self
                .aliases
                .into_iter()
                .filter(|(_, slot)| slot.changed)
                .map(|(alias, slot)| (alias, slot.current))
                .collect(),
            grant_records: into_changed_values(self.grant_records)
                .map(|(_, given)| given)
                .collect(),
            requests: requests.filter_map(RequestSlot::into_change).collect(),
            charges: charges.filter_map(ChargeSlot::into_change).collect(),
            decided_requests: self.decided_requests.into_iter().collect(),
            unresolved: self.unresolved_items.into_values().collect(),
            daily_totals: self.daily_totals.into_iter().collect(),
            credit_flows: self.credit_flows.into_iter().collect(),
            history_pages: self.history_pages,
            ledger: self.ledger,
        }
    }

    fn account_slot(
        &mut self,
        id: &AccountId,
    ) -> Result<&mut Slot<Box<Versioned<Account>>>, StoreError> {
        if !self.accounts.contains_key(id) {
            let slot = Slot::from_read(self.source.account(id)?.map(Box::new));
            self.accounts.insert(id.clone(), slot);
        }
        Ok(self.accounts.get_mut(id).expect("it was inserted"))
    }

    fn request_slot(&mut self, id: &RequestId) -> Result<&mut RequestSlot, StoreError> {
        if !self.requests.contains_key(id) {
            let slot = RequestSlot::from_read(self.source.request(id)?);
            self.requests.insert(id.clone(), slot);
        }
        Ok(self.requests.get_mut(id).expect("it was inserted"))
    }

    fn charge_slot(&mut self, uid: &BookingUid) -> Result<&mut ChargeSlot, StoreError> {
        if !self.charges.contains_key(uid) {
            let current = self.source.charge(uid)?.map(Box::new);
            let previous_keys = current
                .as_ref()
                .map(|versioned| ChargeIndexKeys::of(&versioned.record));
            let slot = ChargeSlot {
                previous_keys: previous_keys.unwrap_or_default(),
                changed: false,
                current,
            };
            self.charges.insert(uid.clone(), slot);
        }
        Ok(self.charges.get_mut(uid).expect("it was inserted"))
    }

    /// Returns the credits of the hold that a fact has spent; 0 for other facts.
    fn posted_credits(&mut self, fact: &Fact) -> Result<Credits, StoreError> {
        let Fact::Charge(ChargeFact::Post { booking }) = fact else {
            return Ok(0);
        };
        let charge = self.charge_slot(booking)?.current.as_ref();
        Ok(charge.map_or(0, |versioned| versioned.record.credits()))
    }

    fn daily_totals_slot(&mut self, day: NaiveDate) -> Result<&mut DailyTotals, StoreError> {
        if !self.daily_totals.contains_key(&day) {
            self.daily_totals
                .insert(day, self.source.totals_of_day(day)?);
        }
        Ok(self.daily_totals.get_mut(&day).expect("it was inserted"))
    }

    fn credit_flows_slot(&mut self, quarter: QuarterHour) -> Result<&mut CreditFlows, StoreError> {
        if !self.credit_flows.contains_key(&quarter) {
            self.credit_flows
                .insert(quarter, self.source.flows_of_quarter(quarter)?);
        }
        Ok({ self.credit_flows.get_mut(&quarter) }.expect("it was inserted"))
    }

    /// Records that the commit concerns the account, even if the account's record stays as it is.
    fn touch(&mut self, id: &AccountId) -> Result<(), StoreError> {
        let seq = self.seq;
        let slot = self.account_slot(id)?;
        let Some(versioned) = &mut slot.current else {
            return Ok(());
        };
        if let Some(full_page) = push_seq(&mut versioned.seqs, seq) {
            self.history_pages
                .push((HistorySubject::Account(id.clone()), full_page));
        }
        // The number may already have been recorded for another fact; the record is written again
        // anyway.
        self.account_slot(id)?.changed = true;
        Ok(())
    }

    fn try_put_account(&mut self, account: Account) -> Result<(), StoreError> {
        let id = account.id.clone();
        let mut flows = self.commit_flows;
        let slot = self.account_slot(&id)?;
        let before = slot.current.as_ref();
        flows.add_change(before.map(|versioned| &versioned.record), &account);
        slot.changed = true;
        match &mut slot.current {
            Some(versioned) => versioned.record = account,
            None => slot.current = Some(Versioned::new(account)),
        }
        self.commit_flows = flows;
        self.touch(&id)
    }

    fn try_put_request(&mut self, request: Request) -> Result<(), StoreError> {
        let seq = self.seq;
        let id = request.id.clone();
        let (decided, previous_decided) = {
            let slot = self.request_slot(&id)?;
            let previous_decided = slot
                .current
                .as_ref()
                .map(|versioned| versioned.record.decided_at);
            slot.changed = true;
            (request.decided_at, previous_decided)
        };
        if previous_decided != Some(decided) {
            if let Some(previous_decided) = previous_decided {
                self.decided_slot(previous_decided)?.remove(&id);
            }
            self.decided_slot(decided)?.insert(id.clone());
        }
        let slot = self.request_slot(&id)?;
        match &mut slot.current {
            Some(versioned) => versioned.record = request,
            None => slot.current = Some(Versioned::new(request)),
        }
        let seqs = slot.current.as_mut().map(|versioned| &mut versioned.seqs);
        if let Some(full_page) = seqs.and_then(|seqs| push_seq(seqs, seq)) {
            self.history_pages
                .push((HistorySubject::Request(id), full_page));
        }
        Ok(())
    }

    fn decided_slot(&mut self, at: Time) -> Result<&mut BTreeSet<RequestId>, StoreError> {
        if !self.decided_requests.contains_key(&at) {
            self.decided_requests
                .insert(at, self.source.decided_at(at)?);
        }
        Ok(self.decided_requests.get_mut(&at).expect("it was inserted"))
    }

    fn try_put_charge(&mut self, charge: Charge) -> Result<(), StoreError> {
        let seq = self.seq;
        let uid = charge.booking.uid.clone();
        let account = charge.account.clone();
        let slot = self.charge_slot(&uid)?;
        slot.changed = true;
        match &mut slot.current {
            Some(versioned) => versioned.record = charge,
            None => slot.current = Some(Versioned::new(charge)),
        }
        let seqs = slot.current.as_mut().map(|versioned| &mut versioned.seqs);
        if let Some(full_page) = seqs.and_then(|seqs| push_seq(seqs, seq)) {
            self.history_pages
                .push((HistorySubject::Booking(uid), full_page));
        }
        self.touch(&account)
    }

    fn remember_error(&mut self, result: Result<(), StoreError>) {
        if let Err(error) = result {
            self.first_error.get_or_insert(error);
        }
    }
}

impl<B: RecordSource> LedgerRecords for WriteSet<'_, B> {
    type Error = StoreError;

    fn account(&mut self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        let slot = self.account_slot(id)?;
        Ok(slot
            .current
            .as_ref()
            .map(|versioned| versioned.record.clone()))
    }

    fn alias(&mut self, alias: &Address) -> Result<Option<AccountId>, StoreError> {
        if let Some(slot) = self.aliases.get(alias) {
            return Ok(slot.current.clone());
        }
        let slot = Slot::from_read(self.source.alias(alias)?);
        let current = slot.current.clone();
        self.aliases.insert(alias.clone(), slot);
        Ok(current)
    }

    fn grant_record(&mut self, reference: &Reference) -> Result<Option<GrantRecord>, StoreError> {
        if let Some(slot) = self.grant_records.get(reference) {
            return Ok(slot.current.clone());
        }
        let slot = Slot::from_read(self.source.grant_record(reference)?);
        let current = slot.current.clone();
        self.grant_records.insert(reference.clone(), slot);
        Ok(current)
    }

    fn request(&mut self, id: &RequestId) -> Result<Option<Request>, StoreError> {
        let slot = self.request_slot(id)?;
        Ok(slot
            .current
            .as_ref()
            .map(|versioned| versioned.record.clone()))
    }

    fn charge(&mut self, booking: &BookingUid) -> Result<Option<Charge>, StoreError> {
        let slot = self.charge_slot(booking)?;
        Ok(slot
            .current
            .as_ref()
            .map(|versioned| versioned.record.clone()))
    }

    fn unresolved(&mut self, booking: &BookingUid) -> Result<Vec<UnresolvedBooking>, StoreError> {
        match self.unresolved_items.get(booking) {
            Some(change) => Ok(change.items.clone()),
            None => self.source.unresolved_items_of(booking),
        }
    }

    fn put_unresolved(&mut self, booking: BookingUid, items: Vec<UnresolvedBooking>) {
        if let Some(change) = self.unresolved_items.get_mut(&booking) {
            change.items = items;
            return;
        }
        match self.source.unresolved_items_of(&booking) {
            Ok(previous_items) => {
                let change = UnresolvedChange {
                    booking: booking.clone(),
                    items,
                    previous_ranks: UnresolvedChange::open_ranks(&previous_items),
                };
                self.unresolved_items.insert(booking, change);
            }
            Err(error) => self.remember_error(Err(error)),
        }
    }

    fn ledger_state(&mut self) -> Result<LedgerState, StoreError> {
        match &self.ledger {
            Some(state) => Ok(state.clone()),
            None => self.source.ledger_state(),
        }
    }

    fn put_ledger_state(&mut self, state: LedgerState) {
        self.ledger = Some(state);
    }

    fn put_account(&mut self, account: Account) {
        let result = self.try_put_account(account);
        self.remember_error(result);
    }

    fn put_alias(&mut self, alias: Address, account: Option<AccountId>) {
        let slot = Slot {
            current: account,
            changed: true,
        };
        self.aliases.insert(alias, slot);
    }

    fn put_grant_record(&mut self, grant: GrantRecord) {
        let reference = grant.reference.clone();
        let slot = Slot {
            current: Some(grant),
            changed: true,
        };
        self.grant_records.insert(reference, slot);
    }

    fn put_request(&mut self, request: Request) {
        let result = self.try_put_request(request);
        self.remember_error(result);
    }

    fn put_charge(&mut self, charge: Charge) {
        let result = self.try_put_charge(charge);
        self.remember_error(result);
    }
}
