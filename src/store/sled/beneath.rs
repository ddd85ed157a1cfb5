//! The fold while it is made anew. Each question to sled costs as much as a fact, and most of them
//! would find nothing, because most facts of a log are about something new. So what was written is
//! remembered, by fingerprint, and nothing else is asked for.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashSet};
use std::hash::BuildHasher;

use super::super::marker::Applied;
use super::super::overlay::{Base, Kept};
use super::super::port::StoreError;
use super::fold::Fold;
use super::keys::{self, Tree};
use super::rows::Row;
use crate::domain::account::Account;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger::Given;
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::time::Time;
use crate::domain::unresolved::Unresolved;

/// The fold, and what is known of its rows.
pub struct Beneath<'a> {
    fold: &'a Fold,
    /// The fingerprints of the rows that were put, in trees that are asked; `None` when there were
    /// rows before. Two rows may share one: then one is asked for in vain. Some twenty bytes a row,
    /// which is less than sled itself keeps in memory of it.
    put: Option<HashSet<u64>>,
    state: RandomState,
}

impl<'a> Beneath<'a> {
    /// `anew`: nothing is in the fold yet.
    pub fn new(fold: &'a Fold, anew: bool) -> Self {
        Self {
            fold,
            put: anew.then(HashSet::new),
            state: RandomState::new(),
        }
    }

    /// Writes rows of what is not complete yet.
    ///
    /// # Errors
    /// When sled fails.
    pub fn write_part(&mut self, rows: Vec<Row>) -> Result<(), StoreError> {
        let (over, new): (Vec<Row>, Vec<Row>) = rows
            .into_iter()
            .partition(|row| row.tree.is_applied_to() && self.has(row.tree, &row.key));
        if let Some(put) = &mut self.put {
            let asked = new.iter().filter(|row| row.tree.is_applied_to());
            put.extend(asked.map(|row| self.state.hash_one((row.tree, &row.key[..]))));
        }
        self.fold.write_new(new)?;
        self.fold.write_part(over)
    }

    /// Writes the last rows, and with them that everything up to `applied` is there.
    ///
    /// # Errors
    /// When sled fails.
    pub fn write(&self, rows: Vec<Row>, applied: &Applied) -> Result<(), StoreError> {
        self.fold.write(rows, applied)
    }

    /// Whether there may be such a row.
    fn has(&self, tree: Tree, key: &[u8]) -> bool {
        let put = self.put.as_ref();
        put.is_none_or(|put| put.contains(&self.state.hash_one((tree, key))))
    }
}

impl Base for Beneath<'_> {
    fn account(&self, id: &AccountId) -> Result<Option<Kept<Account>>, StoreError> {
        if self.has(Tree::Accounts, id.as_str().as_bytes()) {
            return self.fold.account(id);
        }
        Ok(None)
    }

    fn alias(&self, alias: &Address) -> Result<Option<AccountId>, StoreError> {
        if self.has(Tree::Aliases, alias.as_str().as_bytes()) {
            return self.fold.alias(alias);
        }
        Ok(None)
    }

    fn given(&self, reference: &Reference) -> Result<Option<Given>, StoreError> {
        if self.has(Tree::Given, reference.as_str().as_bytes()) {
            return self.fold.given(reference);
        }
        Ok(None)
    }

    fn request(&self, id: &RequestId) -> Result<Option<Kept<Request>>, StoreError> {
        if self.has(Tree::Requests, id.as_str().as_bytes()) {
            return self.fold.request(id);
        }
        Ok(None)
    }

    fn charge(&self, booking: &BookingUid) -> Result<Option<Kept<Charge>>, StoreError> {
        if self.has(Tree::Charges, booking.as_str().as_bytes()) {
            return self.fold.charge(booking);
        }
        Ok(None)
    }

    fn unresolved(&self, booking: &BookingUid) -> Result<Vec<Unresolved>, StoreError> {
        if self.has(Tree::Unresolved, booking.as_str().as_bytes()) {
            return self.fold.unresolved(booking);
        }
        Ok(Vec::new())
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        self.fold.ledger_state()
    }

    fn decided_at(&self, at: Time) -> Result<BTreeSet<RequestId>, StoreError> {
        if self.has(Tree::Decided, &keys::time(at)) {
            return self.fold.decided_at(at);
        }
        Ok(BTreeSet::new())
    }
}
