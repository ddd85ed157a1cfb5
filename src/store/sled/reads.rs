//! Reads the projection by record and by index.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chrono::NaiveDate;

use super::super::log::find;
use super::super::log::segment::LogPosition;
use super::super::port::{HistorySubject, StoreError};
use super::super::queries::IndexSource;
use super::super::record_source::RecordSource;
use super::super::store_error::to_store_error;
use super::super::versioned::Versioned;
use super::keys::{self, Tree};
use super::projection::Projection;
use super::values;
use crate::domain::account::Account;
use crate::domain::credit_flows::{CreditFlows, QuarterHour};
use crate::domain::daily_totals::DailyTotals;
use crate::domain::fact::Commit;
use crate::domain::grant::GrantRecord;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::time::Time;
use crate::domain::unresolved::UnresolvedBooking;

impl RecordSource for Projection {
    fn account(&self, id: &AccountId) -> Result<Option<Versioned<Account>>, StoreError> {
        self.read(
            Tree::Accounts,
            id.as_str().as_bytes(),
            values::decode_account,
        )
    }

    fn alias(&self, alias: &Address) -> Result<Option<AccountId>, StoreError> {
        let value = self.get(Tree::Aliases, alias.as_str().as_bytes())?;
        let id = value.map(|value| parse_name(&value, AccountId::parse));
        id.map(|id| id.ok_or_else(|| self.mark_unreadable(Tree::Aliases)))
            .transpose()
    }

    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, StoreError> {
        self.read(
            Tree::GrantRecords,
            reference.as_str().as_bytes(),
            values::decode_grant_record,
        )
    }

    fn request(&self, id: &RequestId) -> Result<Option<Versioned<Request>>, StoreError> {
        self.read(
            Tree::Requests,
            id.as_str().as_bytes(),
            values::decode_request,
        )
    }

    fn charge(&self, booking: &BookingUid) -> Result<Option<Versioned<Charge>>, StoreError> {
        self.read(
            Tree::Charges,
            booking.as_str().as_bytes(),
            values::decode_charge,
        )
    }

    fn unresolved_items_of(
        &self,
        booking: &BookingUid,
    ) -> Result<Vec<UnresolvedBooking>, StoreError> {
        let key = booking.as_str().as_bytes();
        let items = self.read(Tree::Unresolved, key, values::decode_unresolved_items)?;
        Ok(items.unwrap_or_default())
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        let state = self.read(Tree::Meta, keys::LEDGER, values::decode_ledger_state)?;
        Ok(state.unwrap_or_default())
    }

    fn decided_at(&self, at: Time) -> Result<BTreeSet<RequestId>, StoreError> {
        let Some(value) = self.get(Tree::DecidedRequests, &keys::encode_time(at))? else {
            return Ok(BTreeSet::new());
        };
        values::decode_request_ids(&value)
            .ok_or_else(|| self.mark_unreadable(Tree::DecidedRequests))
    }

    fn totals_of_day(&self, day: NaiveDate) -> Result<DailyTotals, StoreError> {
        let key = keys::encode_day(day);
        let totals = self.read(Tree::DailyTotals, &key, values::decode_daily_totals)?;
        Ok(totals.unwrap_or_default())
    }

    fn flows_of_quarter(&self, quarter: QuarterHour) -> Result<CreditFlows, StoreError> {
        let key = keys::encode_quarter(quarter);
        let flows = self.read(Tree::CreditFlows, &key, values::decode_credit_flows)?;
        Ok(flows.unwrap_or_default())
    }
}

impl IndexSource for Projection {
    fn request_joined_by(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError> {
        let value = self.get(Tree::JoinedBookings, booking.as_str().as_bytes())?;
        let id = value.map(|value| parse_name(&value, RequestId::parse));
        id.map(|id| id.ok_or_else(|| self.mark_unreadable(Tree::JoinedBookings)))
            .transpose()
    }

    fn newest_decisions_until(
        &self,
        until: Option<Time>,
    ) -> Result<Option<(Time, BTreeSet<RequestId>)>, StoreError> {
        let until = until.map_or([u8::MAX; 8], keys::encode_time);
        let row = self.run_guarded(|| {
            let mut rows = self
                .tree(Tree::DecidedRequests)
                .range::<&[u8], _>(..=&until[..]);
            rows.next_back().transpose()
        })?;
        let Some((key, value)) = row else {
            return Ok(None);
        };
        let value = self.join_chunks(Tree::DecidedRequests, &key, value)?;
        let row = keys::decode_time(&key).zip(values::decode_request_ids(&value));
        row.map(Some)
            .ok_or_else(|| self.mark_unreadable(Tree::DecidedRequests))
    }

    fn history_page_before(
        &self,
        subject: &HistorySubject,
        before: u64,
    ) -> Result<Vec<u64>, StoreError> {
        let (first, last) = (
            keys::history_page_prefix(subject),
            keys::history_page_key(subject, before),
        );
        let row = self.run_guarded(|| {
            let mut rows = self.tree(Tree::HistoryPages).range(first..last);
            rows.next_back().transpose()
        })?;
        let Some((key, value)) = row else {
            return Ok(Vec::new());
        };
        let value = self.join_chunks(Tree::HistoryPages, &key, value)?;
        keys::decode_numbers(&value).ok_or_else(|| self.mark_unreadable(Tree::HistoryPages))
    }

    fn commit_at(&self, seq: u64) -> Result<Commit, StoreError> {
        let position = self.position_before(seq)?;
        find::find_commit(&self.log, position, seq).map_err(|error| to_store_error(&error))
    }
}

impl Projection {
    /// Returns the commits with these numbers, which were acknowledged.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn commits(&self, seqs: RangeInclusive<u64>) -> Result<Vec<Commit>, StoreError> {
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        let position = self.position_before(*seqs.start())?;
        find::read_commits(&self.log, position, seqs).map_err(|error| to_store_error(&error))
    }

    /// Returns a position in the log at or before the line of this commit.
    fn position_before(&self, seq: u64) -> Result<LogPosition, StoreError> {
        let row = self.run_guarded(|| {
            let mut rows = self.tree(Tree::CommitPositions).range(..=seq.to_be_bytes());
            rows.next_back().transpose()
        })?;
        let position = row.and_then(|(key, value)| {
            let value = self.join_chunks(Tree::CommitPositions, &key, value).ok()?;
            keys::decode_position(&value)
        });
        position.ok_or_else(|| self.mark_unreadable(Tree::CommitPositions))
    }
}

fn parse_name<T, E>(value: &[u8], parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
    parse(std::str::from_utf8(value).ok()?).ok()
}
