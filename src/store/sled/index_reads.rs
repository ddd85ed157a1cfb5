//! Reads records in the order of an index: the lists of the store port.

use chrono::NaiveDate;

use super::super::port::StoreError;
use super::super::queries;
use super::super::record_source::RecordSource;
use super::keys::{self, Tree};
use super::projection::Projection;
use super::values;
use crate::domain::account::Account;
use crate::domain::credit_flows::{CreditFlows, QuarterHour};
use crate::domain::daily_totals::DailyTotals;
use crate::domain::id::{AccountId, Address, BookingUid, RequestId};
use crate::domain::request::{Charge, Request};
use crate::domain::time::Time;
use crate::domain::unresolved::{UnresolvedBooking, UnresolvedRank};

/// The lists of `Store`, which describes them.
impl Projection {
    /// # Errors
    /// When sled fails or a key cannot be read; the same holds for all functions below.
    pub fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<Account>, StoreError> {
        let after = after.map(|id| id.as_str().as_bytes());
        let mut accounts = Vec::new();
        for key in self.keys(Tree::Accounts, after, limit)? {
            let id = parse_key_name(&key, AccountId::parse)?;
            accounts.extend(self.account(&id)?.map(|versioned| versioned.record));
        }
        Ok(accounts)
    }

    /// Returns true if there is no account.
    pub fn has_no_account(&self) -> Result<bool, StoreError> {
        Ok(self.keys(Tree::Accounts, None, 1)?.is_empty())
    }

    /// Returns open intents by the time of their decision, starting after the given one.
    pub fn open_intents(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.requests_by_time(Tree::OpenIntents, after, limit)
    }

    /// Returns noted requests by the end of their last booking, starting after the given one.
    pub fn open_notes(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.requests_by_time(Tree::NotedRequests, after, limit)
    }

    fn requests_by_time(
        &self,
        tree: Tree,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        let after = after.map(|(time, id)| keys::time_key(*time, id.as_str()));
        let keys = self.keys(tree, after.as_deref(), limit)?;
        self.requests_of_keys(keys.iter().map(|key| keys::time_key_name(key)))
    }

    /// Returns the times of the last declines within the span, at most `limit`.
    pub fn decline_times(
        &self,
        since: Time,
        until: Time,
        limit: usize,
    ) -> Result<Vec<Time>, StoreError> {
        if since >= until {
            return Ok(Vec::new());
        }
        let span = keys::time_key_range(since, until);
        let keys = self.last_keys(Tree::DeclinedRequests, span, limit)?;
        let times = keys.iter().filter_map(|key| keys::decode_time(key));
        Ok(times.collect())
    }

    /// Returns the last requests with a wrong PIN since the instant, at most `limit`.
    pub fn wrong_pin_requests(
        &self,
        since: Time,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        let span = keys::time_key_range(since, Time::MAX_UTC);
        let keys = self.last_keys(Tree::WrongPins, span, limit)?;
        self.requests_of_keys(keys.iter().map(|key| keys::time_key_name(key)))
    }

    /// Returns the last requests of a booker since the instant, at most `limit`.
    pub fn requests_of_booker(
        &self,
        booker: &Address,
        since: Time,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        let span = keys::owner_key_range_since(booker.as_str(), since);
        let keys = self.last_keys(Tree::RequestsByBooker, span, limit)?;
        self.requests_of_keys(keys.iter().map(|key| keys::owner_key_name(key)))
    }

    fn requests_of_keys<'a>(
        &self,
        names: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Vec<Request>, StoreError> {
        let ids = names.map(|name| parse_key_name(name, RequestId::parse));
        ids.map(|id| queries::indexed_request(self, &id?)).collect()
    }

    /// Returns charges that are held or open by the uid of their booking, starting after the given
    /// one.
    pub fn open_charges(
        &self,
        after: Option<&BookingUid>,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        let after = after.map(|uid| uid.as_str().as_bytes());
        let keys = self.keys(Tree::LiveCharges, after, limit)?;
        self.charges_of_keys(keys.iter().map(AsRef::as_ref))
    }

    /// Returns the account's counted charges of bookings that start within the span, at most
    /// `limit`.
    pub fn charges_of(
        &self,
        account: &AccountId,
        from: Time,
        to: Time,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let span = keys::owner_key_range(account.as_str(), from, to);
        let keys = self.first_keys(Tree::CountedCharges, span, limit)?;
        self.charges_of_keys(keys.iter().map(|key| keys::owner_key_name(key)))
    }

    fn charges_of_keys<'a>(
        &self,
        names: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Vec<Charge>, StoreError> {
        let mut charges = Vec::new();
        for name in names {
            let uid = parse_key_name(name, BookingUid::parse)?;
            charges.extend(self.charge(&uid)?.map(|versioned| versioned.record));
        }
        Ok(charges)
    }

    /// Returns open items of the unresolved list in their order, starting after the given one.
    pub fn unresolved_items(
        &self,
        after: Option<&UnresolvedBooking>,
        limit: usize,
    ) -> Result<Vec<UnresolvedBooking>, StoreError> {
        let after = after.map(UnresolvedBooking::rank);
        let after = after.map(|rank| keys::time_key(rank.until, &rank.name));
        let keys = self.keys(Tree::OpenUnresolved, after.as_deref(), limit)?;
        keys.iter()
            .map(|key| {
                let rank = parse_rank(key)?;
                let uid = rank.name.split(' ').next().unwrap_or_default();
                let uid = parse_key_name(uid.as_bytes(), BookingUid::parse)?;
                queries::indexed_unresolved_item(self, &uid, &rank)
            })
            .collect()
    }

    /// Returns the totals of the days from `first` to `last`.
    pub fn daily_totals(
        &self,
        first: NaiveDate,
        last: NaiveDate,
    ) -> Result<Vec<(NaiveDate, DailyTotals)>, StoreError> {
        if first > last {
            return Ok(Vec::new());
        }
        let rows = self.run_guarded(|| {
            let days = keys::encode_day(first)..=keys::encode_day(last);
            let rows = self.tree(Tree::DailyTotals).range(days);
            rows.collect::<Result<Vec<_>, _>>()
        })?;
        let rows = rows.into_iter().map(|(key, value)| {
            let value = self.join_chunks(Tree::DailyTotals, &key, value)?;
            let totals = values::decode_daily_totals(&value).ok();
            let row = keys::decode_day(&key).zip(totals);
            row.ok_or_else(|| self.mark_unreadable(Tree::DailyTotals))
        });
        rows.collect()
    }

    /// Returns what happened to the credits from one quarter of an hour to another.
    pub fn credit_flows(
        &self,
        first: QuarterHour,
        last: QuarterHour,
    ) -> Result<Vec<(QuarterHour, CreditFlows)>, StoreError> {
        if first > last {
            return Ok(Vec::new());
        }
        let rows = self.run_guarded(|| {
            let quarters = keys::encode_quarter(first)..=keys::encode_quarter(last);
            let rows = self.tree(Tree::CreditFlows).range(quarters);
            rows.collect::<Result<Vec<_>, _>>()
        })?;
        let rows = rows.into_iter().map(|(key, value)| {
            let value = self.join_chunks(Tree::CreditFlows, &key, value)?;
            let flows = values::decode_credit_flows(&value).ok();
            let row = keys::decode_quarter(&key).zip(flows);
            row.ok_or_else(|| self.mark_unreadable(Tree::CreditFlows))
        });
        rows.collect()
    }

    /// Returns the ids and decision times of intents that are not settled, like [`Self::open_intents`]
    /// but without reading the requests.
    pub fn open_intent_keys(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<(Time, RequestId)>, StoreError> {
        let after = after.map(|(decided, id)| keys::time_key(*decided, id.as_str()));
        let keys = self.keys(Tree::OpenIntents, after.as_deref(), limit)?;
        keys.iter()
            .map(|key| {
                let id = parse_key_name(keys::time_key_name(key), RequestId::parse)?;
                Ok((keys::decode_time(key).unwrap_or_default(), id))
            })
            .collect()
    }
}

/// Returns the rank in the unresolved list that a key encodes.
fn parse_rank(key: &[u8]) -> Result<UnresolvedRank, StoreError> {
    let name = parse_key_name(keys::time_key_name(key), |name| {
        Ok::<_, ()>(name.to_owned())
    })?;
    let until = keys::decode_time(key).unwrap_or_default();
    Ok(UnresolvedRank { until, name })
}

fn parse_key_name<T, E>(key: &[u8], parse: impl Fn(&str) -> Result<T, E>) -> Result<T, StoreError> {
    let name = std::str::from_utf8(key)
        .ok()
        .and_then(|name| parse(name).ok());
    name.ok_or_else(|| StoreError {
        text: "read a name in the projection: stop maitred, remove the folder `projection` in the \
         store and \
               start again; it is rebuilt from the log"
            .to_owned(),
        source: None,
    })
}
