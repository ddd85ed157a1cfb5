//! Records by their keys, as a write set and the queries read them: from sled, from memory, or from a
//! rebuild.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::port::StoreError;
use super::versioned::Versioned;
use crate::domain::account::Account;
use crate::domain::credit_flows::{CreditFlows, QuarterHour};
use crate::domain::daily_totals::DailyTotals;
use crate::domain::grant::GrantRecord;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::time::Time;
use crate::domain::unresolved::UnresolvedBooking;

/// The records that a write set starts from.
pub trait RecordSource {
    /// # Errors
    /// When the record cannot be read; the same holds for all methods below.
    fn account(&self, id: &AccountId) -> Result<Option<Versioned<Account>>, StoreError>;
    /// Returns the account that has this alias.
    fn alias(&self, alias: &Address) -> Result<Option<AccountId>, StoreError>;
    /// Returns the grant or revocation with this reference.
    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, StoreError>;
    /// Returns the request with this id.
    fn request(&self, id: &RequestId) -> Result<Option<Versioned<Request>>, StoreError>;
    /// Returns the booking's charge.
    fn charge(&self, booking: &BookingUid) -> Result<Option<Versioned<Charge>>, StoreError>;
    /// Returns the booking's items of the unresolved list, including resolved items.
    fn unresolved_items_of(
        &self,
        booking: &BookingUid,
    ) -> Result<Vec<UnresolvedBooking>, StoreError>;
    /// Returns what the ledger knows about itself.
    fn ledger_state(&self) -> Result<LedgerState, StoreError>;
    /// Returns the requests that were decided at this instant.
    fn decided_at(&self, at: Time) -> Result<BTreeSet<RequestId>, StoreError>;
    /// Returns what happened on a day in UTC, in numbers.
    fn totals_of_day(&self, day: NaiveDate) -> Result<DailyTotals, StoreError>;
    /// Returns what happened to the credits of all accounts in a quarter of an hour.
    fn flows_of_quarter(&self, quarter: QuarterHour) -> Result<CreditFlows, StoreError>;
}
