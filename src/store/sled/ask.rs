//! What is asked of the fold, by record and by index.

use std::collections::BTreeSet;

use super::super::catalogue::Catalogue;
use super::super::log::find;
use super::super::overlay::{Base, Kept};
use super::super::port::{StoreError, Subject};
use super::fold::{Fold, refusal};
use super::keys::{self, Tree};
use super::values;
use crate::domain::account::Account;
use crate::domain::fact::Commit;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger::Given;
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::time::Time;
use crate::domain::unresolved::Unresolved;

impl Base for Fold {
    fn account(&self, id: &AccountId) -> Result<Option<Kept<Account>>, StoreError> {
        self.read(Tree::Accounts, id.as_str().as_bytes(), values::read_account)
    }

    fn alias(&self, alias: &Address) -> Result<Option<AccountId>, StoreError> {
        let value = self.get(Tree::Aliases, alias.as_str().as_bytes())?;
        let id = value.map(|value| name(&value, AccountId::parse));
        id.map(|id| id.ok_or_else(|| self.unreadable(Tree::Aliases)))
            .transpose()
    }

    fn given(&self, reference: &Reference) -> Result<Option<Given>, StoreError> {
        self.read(
            Tree::Given,
            reference.as_str().as_bytes(),
            values::read_given,
        )
    }

    fn request(&self, id: &RequestId) -> Result<Option<Kept<Request>>, StoreError> {
        self.read(Tree::Requests, id.as_str().as_bytes(), values::read_request)
    }

    fn charge(&self, booking: &BookingUid) -> Result<Option<Kept<Charge>>, StoreError> {
        self.read(
            Tree::Charges,
            booking.as_str().as_bytes(),
            values::read_charge,
        )
    }

    fn unresolved(&self, booking: &BookingUid) -> Result<Vec<Unresolved>, StoreError> {
        let key = booking.as_str().as_bytes();
        let items = self.read(Tree::Unresolved, key, values::read_unresolved)?;
        Ok(items.unwrap_or_default())
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        let state = self.read(Tree::Meta, keys::LEDGER, values::read_ledger_state)?;
        Ok(state.unwrap_or_default())
    }

    fn decided_at(&self, at: Time) -> Result<BTreeSet<RequestId>, StoreError> {
        let Some(value) = self.get(Tree::Decided, &keys::time(at))? else {
            return Ok(BTreeSet::new());
        };
        values::read_requests(&value).ok_or_else(|| self.unreadable(Tree::Decided))
    }
}

impl Catalogue for Fold {
    fn joined(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError> {
        let value = self.get(Tree::Joined, booking.as_str().as_bytes())?;
        let id = value.map(|value| name(&value, RequestId::parse));
        id.map(|id| id.ok_or_else(|| self.unreadable(Tree::Joined)))
            .transpose()
    }

    fn decided_until(
        &self,
        until: Option<Time>,
    ) -> Result<Option<(Time, BTreeSet<RequestId>)>, StoreError> {
        let until = until.map_or([u8::MAX; 8], keys::time);
        let row = self.used(|| {
            let mut rows = self.tree(Tree::Decided).range::<&[u8], _>(..=&until[..]);
            rows.next_back().transpose()
        })?;
        let Some((key, value)) = row else {
            return Ok(None);
        };
        let value = self.whole(Tree::Decided, &key, value)?;
        let row = keys::read_time(&key).zip(values::read_requests(&value));
        row.map(Some).ok_or_else(|| self.unreadable(Tree::Decided))
    }

    fn piece_before(&self, subject: &Subject, before: u64) -> Result<Vec<u64>, StoreError> {
        let (first, last) = (keys::pieces(subject), keys::piece(subject, before));
        let row = self.used(|| {
            let mut rows = self.tree(Tree::Pieces).range(first..last);
            rows.next_back().transpose()
        })?;
        let Some((key, value)) = row else {
            return Ok(Vec::new());
        };
        let value = self.whole(Tree::Pieces, &key, value)?;
        keys::read_numbers(&value).ok_or_else(|| self.unreadable(Tree::Pieces))
    }

    fn commit_at(&self, seq: u64) -> Result<Commit, StoreError> {
        let row = self.used(|| {
            let mut rows = self.tree(Tree::Marks).range(..=seq.to_be_bytes());
            rows.next_back().transpose()
        })?;
        let place = row.and_then(|(key, value)| {
            let value = self.whole(Tree::Marks, &key, value).ok()?;
            keys::read_place(&value)
        });
        let place = place.ok_or_else(|| self.unreadable(Tree::Marks))?;
        find::find(&self.log, place, seq).map_err(|error| refusal(&error))
    }
}

fn name<T, E>(value: &[u8], parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
    parse(std::str::from_utf8(value).ok()?).ok()
}
