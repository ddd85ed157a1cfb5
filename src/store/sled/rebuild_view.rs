//! The projection during a rebuild. Each read from sled costs as much as a fact, and most reads
//! would find nothing, because most facts of a log are about something new. So the view remembers
//! the fingerprints of the rows that were written, and reads no other rows.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashSet};
use std::hash::BuildHasher;

use chrono::NaiveDate;

use super::super::clean_shutdown_marker::AppliedCommit;
use super::super::port::StoreError;
use super::super::record_source::RecordSource;
use super::super::versioned::Versioned;
use super::keys::{self, Tree};
use super::projection::Projection;
use super::rows::ProjectionRow;
use crate::domain::account::Account;
use crate::domain::credit_flows::{CreditFlows, QuarterHour};
use crate::domain::daily_totals::DailyTotals;
use crate::domain::grant::GrantRecord;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::time::Time;
use crate::domain::unresolved::UnresolvedBooking;

/// The projection, and what is known about its rows.
pub struct RebuildView<'a> {
    projection: &'a Projection,
    /// The fingerprints of the rows that were written to trees that are read; `None` if the
    /// projection had rows before. Two rows may share a fingerprint, which causes a read that finds
    /// nothing. Some twenty bytes per row, which is less than sled itself keeps in memory for it.
    written_keys: Option<HashSet<u64>>,
    hasher: RandomState,
}

impl<'a> RebuildView<'a> {
    /// Creates a view; `is_new` means that nothing is in the projection yet.
    pub fn new(projection: &'a Projection, is_new: bool) -> Self {
        Self {
            projection,
            written_keys: is_new.then(HashSet::new),
            hasher: RandomState::new(),
        }
    }

    /// Writes some rows of an update; [`Self::write`] completes it.
    ///
    /// # Errors
    /// When sled fails.
    pub fn write_part(&mut self, rows: Vec<ProjectionRow>) -> Result<(), StoreError> {
        let (existing_rows, new_rows): (Vec<ProjectionRow>, Vec<ProjectionRow>) = rows
            .into_iter()
            .partition(|row| row.tree.is_read_on_apply() && self.may_contain(row.tree, &row.key));
        if let Some(written_keys) = &mut self.written_keys {
            let read_on_apply = new_rows.iter().filter(|row| row.tree.is_read_on_apply());
            written_keys
                .extend(read_on_apply.map(|row| self.hasher.hash_one((row.tree, &row.key[..]))));
        }
        self.projection.write_new(new_rows)?;
        self.projection.write_part(existing_rows)
    }

    /// Writes the last rows and, with them, the record that everything up to `applied` is there.
    ///
    /// # Errors
    /// When sled fails.
    pub fn write(
        &self,
        rows: Vec<ProjectionRow>,
        applied: &AppliedCommit,
    ) -> Result<(), StoreError> {
        self.projection.write(rows, applied)
    }

    /// Returns false if there is certainly no such row.
    fn may_contain(&self, tree: Tree, key: &[u8]) -> bool {
        let written_keys = self.written_keys.as_ref();
        written_keys.is_none_or(|put| put.contains(&self.hasher.hash_one((tree, key))))
    }
}

impl RecordSource for RebuildView<'_> {
    fn account(&self, id: &AccountId) -> Result<Option<Versioned<Account>>, StoreError> {
        if self.may_contain(Tree::Accounts, id.as_str().as_bytes()) {
            return self.projection.account(id);
        }
        Ok(None)
    }

    fn alias(&self, alias: &Address) -> Result<Option<AccountId>, StoreError> {
        if self.may_contain(Tree::Aliases, alias.as_str().as_bytes()) {
            return self.projection.alias(alias);
        }
        Ok(None)
    }

    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, StoreError> {
        if self.may_contain(Tree::GrantRecords, reference.as_str().as_bytes()) {
            return self.projection.grant_record(reference);
        }
        Ok(None)
    }

    fn request(&self, id: &RequestId) -> Result<Option<Versioned<Request>>, StoreError> {
        if self.may_contain(Tree::Requests, id.as_str().as_bytes()) {
            return self.projection.request(id);
        }
        Ok(None)
    }

    fn charge(&self, booking: &BookingUid) -> Result<Option<Versioned<Charge>>, StoreError> {
        if self.may_contain(Tree::Charges, booking.as_str().as_bytes()) {
            return self.projection.charge(booking);
        }
        Ok(None)
    }

    fn unresolved_items_of(
        &self,
        booking: &BookingUid,
    ) -> Result<Vec<UnresolvedBooking>, StoreError> {
        if self.may_contain(Tree::Unresolved, booking.as_str().as_bytes()) {
            return self.projection.unresolved_items_of(booking);
        }
        Ok(Vec::new())
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        self.projection.ledger_state()
    }

    fn decided_at(&self, at: Time) -> Result<BTreeSet<RequestId>, StoreError> {
        if self.may_contain(Tree::DecidedRequests, &keys::encode_time(at)) {
            return self.projection.decided_at(at);
        }
        Ok(BTreeSet::new())
    }

    fn totals_of_day(&self, day: NaiveDate) -> Result<DailyTotals, StoreError> {
        if self.may_contain(Tree::DailyTotals, &keys::encode_day(day)) {
            return self.projection.totals_of_day(day);
        }
        Ok(DailyTotals::default())
    }

    fn flows_of_quarter(&self, quarter: QuarterHour) -> Result<CreditFlows, StoreError> {
        if self.may_contain(Tree::CreditFlows, &keys::encode_quarter(quarter)) {
            return self.projection.flows_of_quarter(quarter);
        }
        Ok(CreditFlows::default())
    }
}
