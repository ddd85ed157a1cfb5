//! Queries that read more than one record, written once for all sources of records.

use std::collections::BTreeSet;

use super::port::{HistorySubject, LoggedFact, StoreError};
use super::record_source::RecordSource;
use crate::domain::fact::{AccountFact, ChargeFact, Commit, Fact};
use crate::domain::id::{AccountId, Address, BookingUid, RequestId};
use crate::domain::request::Request;
use crate::domain::time::{Span, Time};
use crate::domain::unresolved::{UnresolvedBooking, UnresolvedRank};

/// A source of records that also has indexes.
pub trait IndexSource: RecordSource {
    /// Returns the request that this booking joined, if the request's id is not the booking's own
    /// uid.
    ///
    /// # Errors
    /// When the index cannot be read; the same holds for all methods below.
    fn request_joined_by(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError>;
    /// Returns the newest instant at or before `until` at which requests were decided, and these
    /// requests.
    fn newest_decisions_until(
        &self,
        until: Option<Time>,
    ) -> Result<Option<(Time, BTreeSet<RequestId>)>, StoreError>;
    /// Returns the subject's newest page of commit numbers that begins before this number.
    fn history_page_before(
        &self,
        subject: &HistorySubject,
        before: u64,
    ) -> Result<Vec<u64>, StoreError>;
    /// Returns a commit that was acknowledged.
    fn commit_at(&self, seq: u64) -> Result<Commit, StoreError>;
}

/// See [`super::port::Store::resolve`].
pub fn resolve<C: RecordSource>(
    source: &C,
    address: &Address,
) -> Result<Option<AccountId>, StoreError> {
    let own = AccountId::from(address);
    if let Some(account) = source.account(&own)?
        && !account.record.is_merged()
    {
        return Ok(Some(own));
    }
    source.alias(address)
}

/// See [`super::port::Store::request_of`]. If the booking was decided both on its own and with a
/// series, the later decision counts.
pub fn request_of<C: IndexSource>(
    source: &C,
    booking: &BookingUid,
) -> Result<Option<RequestId>, StoreError> {
    let own = source.request(&RequestId::from(booking))?;
    let own_request = own
        .map(|versioned| versioned.record)
        .filter(|request| request.bookings.iter().any(|b| b.uid == *booking));
    let Some(joined) = source.request_joined_by(booking)? else {
        return Ok(own_request.map(|request| request.id));
    };
    let Some(own_request) = own_request else {
        return Ok(Some(joined));
    };
    let other = source
        .request(&joined)?
        .map(|versioned| versioned.record.decided_at);
    let later = other.is_some_and(|decided| decided > own_request.decided_at);
    Ok(Some(if later { joined } else { own_request.id }))
}

/// See [`super::port::Store::decided_requests`].
pub fn decided_requests<C: IndexSource>(
    source: &C,
    since: Option<Time>,
    before: Option<&(Time, RequestId)>,
    limit: usize,
) -> Result<Vec<Request>, StoreError> {
    let mut requests = Vec::new();
    let mut until = before.map(|(at, _)| *at);
    while requests.len() < limit {
        let Some((at, request_ids)) = source.newest_decisions_until(until)? else {
            break;
        };
        if since.is_some_and(|since| at < since) {
            break;
        }
        for id in request_ids.iter().rev() {
            let is_before = before.is_none_or(|(time, last)| (at, id) < (*time, last));
            if is_before && requests.len() < limit {
                requests.push(indexed_request(source, id)?);
            }
        }
        // Instants have millisecond precision, so this is the next older instant that is possible.
        until = Some(at - Span::milliseconds(1));
    }
    Ok(requests)
}

/// Returns the request that an index names.
pub fn indexed_request<C: RecordSource>(source: &C, id: &RequestId) -> Result<Request, StoreError> {
    let versioned = source.request(id)?;
    versioned
        .map(|kept| kept.record)
        .ok_or_else(|| missing_record_error(format!("request {id}")))
}

/// Returns the error for a record that an index names and that is missing.
fn missing_record_error(what: String) -> StoreError {
    StoreError {
        text: format!(
            "read {what}, which an index names: stop maitred, remove the folder `projection` in the store \
             and start again; it is rebuilt from the log"
        ),
        source: None,
    }
}

/// Returns the item of the unresolved list that an index names.
pub fn indexed_unresolved_item<C: RecordSource>(
    source: &C,
    booking: &BookingUid,
    rank: &UnresolvedRank,
) -> Result<UnresolvedBooking, StoreError> {
    let items = source.unresolved_items_of(booking)?;
    let item = items.into_iter().find(|item| item.rank() == *rank);
    item.ok_or_else(|| missing_record_error(format!("the unresolved item {}", rank.name)))
}

/// See [`super::port::Store::history`]. A commit is never split between two pages, so that the next
/// page begins before the number of the last commit. A page may therefore exceed `limit` by the
/// rest of a commit.
pub fn history<C: IndexSource>(
    source: &C,
    subject: &HistorySubject,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<LoggedFact>, StoreError> {
    let mut before = before.unwrap_or(u64::MAX);
    let mut entries = Vec::new();
    let mut seqs = recent_seqs(source, subject)?;
    let passed_on = charges_passed_on(source, subject)?;
    while !seqs.is_empty() && entries.len() < limit {
        let first = seqs[0];
        for seq in seqs.into_iter().rev().filter(|seq| *seq < before) {
            if entries.len() >= limit {
                return Ok(entries);
            }
            let commit = source.commit_at(seq)?;
            let by = commit.actor().cloned();
            for fact in commit.facts.into_iter().rev() {
                let is_of_passed_on = || match &fact {
                    Fact::Charge(fact) => charged_bookings(fact)
                        .into_iter()
                        .flatten()
                        .any(|uid| passed_on.contains(uid)),
                    _ => false,
                };
                if concerns(source, &fact, subject)? || is_of_passed_on() {
                    entries.push(LoggedFact {
                        seq,
                        at: commit.at,
                        by: by.clone(),
                        fact,
                    });
                }
            }
        }
        before = before.min(first);
        seqs = source.history_page_before(subject, first)?;
    }
    Ok(entries)
}

fn recent_seqs<C: IndexSource>(
    source: &C,
    subject: &HistorySubject,
) -> Result<Vec<u64>, StoreError> {
    let seqs = match subject {
        HistorySubject::Account(id) => source.account(id)?.map(|versioned| versioned.seqs),
        HistorySubject::Booking(uid) => source.charge(uid)?.map(|versioned| versioned.seqs),
        HistorySubject::Request(id) => source.request(id)?.map(|versioned| versioned.seqs),
    };
    Ok(seqs.unwrap_or_default())
}

/// Returns the bookings whose charges the account passed on when it was merged. Their entries before
/// that are part of its history; the charges name the account that has them now.
fn charges_passed_on<C: IndexSource>(
    source: &C,
    subject: &HistorySubject,
) -> Result<BTreeSet<BookingUid>, StoreError> {
    let HistorySubject::Account(id) = subject else {
        return Ok(BTreeSet::new());
    };
    let account = source
        .account(id)?
        .filter(|account| account.record.is_merged());
    let Some(account) = account else {
        return Ok(BTreeSet::new());
    };
    for seq in account.seqs.iter().rev() {
        for fact in source.commit_at(*seq)?.facts {
            match fact {
                Fact::Account(AccountFact::Merged {
                    account, charges, ..
                }) if account == *id => return Ok(charges.into_iter().collect()),
                _ => {}
            }
        }
    }
    Ok(BTreeSet::new())
}

/// Returns true if the fact belongs to the subject's history.
///
/// # Errors
/// When a record cannot be read.
pub(super) fn concerns<C: RecordSource>(
    source: &C,
    fact: &Fact,
    subject: &HistorySubject,
) -> Result<bool, StoreError> {
    Ok(match subject {
        HistorySubject::Account(id) => concerns_account(source, fact, id)?,
        HistorySubject::Booking(uid) => match fact {
            Fact::Charge(fact) => charged_bookings(fact).contains(&Some(uid)),
            _ => false,
        },
        HistorySubject::Request(id) => match fact {
            Fact::Request(fact) => fact.request() == id,
            _ => false,
        },
    })
}

fn concerns_account<C: RecordSource>(
    source: &C,
    fact: &Fact,
    id: &AccountId,
) -> Result<bool, StoreError> {
    let charge_fact = match fact {
        Fact::Account(fact) => {
            return Ok(fact.account() == id || fact.other_account() == Some(id));
        }
        Fact::Credit(fact) => {
            return Ok(fact.account() == id || fact.other_account() == Some(id));
        }
        Fact::Charge(fact) => fact,
        Fact::Request(_) | Fact::Unresolved(_) | Fact::Ledger(_) | Fact::By(_) => {
            return Ok(false);
        }
    };
    let booking = match charge_fact {
        ChargeFact::Hold { account, .. } => return Ok(account == id),
        ChargeFact::Post { booking }
        | ChargeFact::Void { booking, .. }
        | ChargeFact::Refund { booking, .. }
        | ChargeFact::Move { from: booking, .. }
        | ChargeFact::Closed { booking, .. } => booking,
    };
    let charge = source.charge(booking)?;
    Ok(charge.is_some_and(|versioned| versioned.record.account == *id))
}

/// Returns the bookings whose charge the fact changes.
fn charged_bookings(fact: &ChargeFact) -> [Option<&BookingUid>; 2] {
    match fact {
        ChargeFact::Hold { booking, .. } => [Some(&booking.uid), None],
        ChargeFact::Post { booking }
        | ChargeFact::Void { booking, .. }
        | ChargeFact::Refund { booking, .. }
        | ChargeFact::Closed { booking, .. } => [Some(booking), None],
        ChargeFact::Move { from, to, .. } => [Some(from), Some(&to.uid)],
    }
}
