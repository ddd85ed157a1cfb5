//! Questions that take more than one record: answered once, for whatever lies beneath.

use std::collections::BTreeSet;

use super::overlay::Base;
use super::port::{StoreError, Subject, Written};
use crate::domain::fact::{Commit, Fact};
use crate::domain::id::{AccountId, Address, BookingUid, RequestId};
use crate::domain::request::Request;
use crate::domain::time::{Span, Time};
use crate::domain::unresolved::{Unresolved, UnresolvedRank};

/// The indexes beside the records.
pub trait Catalogue: Base {
    /// The request that this booking joined under another name than its own.
    ///
    /// # Errors
    /// When the index cannot be read; so for all below.
    fn joined(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError>;
    /// The newest instant at or before this one at which anything was decided, and what was.
    fn decided_until(
        &self,
        until: Option<Time>,
    ) -> Result<Option<(Time, BTreeSet<RequestId>)>, StoreError>;
    /// The newest piece of commit numbers of the subject that begins before this number.
    fn piece_before(&self, subject: &Subject, before: u64) -> Result<Vec<u64>, StoreError>;
    /// A commit that was acknowledged.
    fn commit_at(&self, seq: u64) -> Result<Commit, StoreError>;
}

/// See [`super::port::Store::resolve`].
pub fn resolve<C: Base>(catalogue: &C, address: &Address) -> Result<Option<AccountId>, StoreError> {
    let own = AccountId::from(address);
    if catalogue.account(&own)?.is_some() {
        return Ok(Some(own));
    }
    catalogue.alias(address)
}

/// See [`super::port::Store::request_of`]. When the booking was decided on its own and with a
/// series, the later decision counts.
pub fn request_of<C: Catalogue>(
    catalogue: &C,
    booking: &BookingUid,
) -> Result<Option<RequestId>, StoreError> {
    let own = catalogue.request(&RequestId::from(booking))?;
    let own = own
        .map(|kept| kept.record)
        .filter(|request| request.bookings.iter().any(|b| b.uid == *booking));
    let Some(joined) = catalogue.joined(booking)? else {
        return Ok(own.map(|request| request.id));
    };
    let Some(own) = own else {
        return Ok(Some(joined));
    };
    let other = catalogue.request(&joined)?.map(|kept| kept.record.decided);
    let later = other.is_some_and(|decided| decided > own.decided);
    Ok(Some(if later { joined } else { own.id }))
}

/// See [`super::port::Store::decided`].
pub fn decided<C: Catalogue>(
    catalogue: &C,
    since: Option<Time>,
    before: Option<&(Time, RequestId)>,
    limit: usize,
) -> Result<Vec<Request>, StoreError> {
    let mut found = Vec::new();
    let mut until = before.map(|(at, _)| *at);
    while found.len() < limit {
        let Some((at, ids)) = catalogue.decided_until(until)? else {
            break;
        };
        if since.is_some_and(|since| at < since) {
            break;
        }
        for id in ids.iter().rev() {
            let is_before = before.is_none_or(|(time, last)| (at, id) < (*time, last));
            if is_before && found.len() < limit {
                found.push(request(catalogue, id)?);
            }
        }
        // Instants are kept in milliseconds, so this is the next older one that can be.
        until = Some(at - Span::milliseconds(1));
    }
    Ok(found)
}

/// The request that an index names.
pub fn request<C: Base>(catalogue: &C, id: &RequestId) -> Result<Request, StoreError> {
    let kept = catalogue.request(id)?;
    kept.map(|kept| kept.record)
        .ok_or_else(|| missing(format!("request {id}")))
}

/// What an index names is not there.
fn missing(what: String) -> StoreError {
    StoreError {
        text: format!(
            "read {what}, which an index names: stop maitred, remove the folder `fold` in the store \
             and start again; it is rebuilt from the log"
        ),
        source: None,
    }
}

/// The item of the unresolved list that an index names.
pub fn listed<C: Base>(
    catalogue: &C,
    booking: &BookingUid,
    rank: &UnresolvedRank,
) -> Result<Unresolved, StoreError> {
    let items = catalogue.unresolved(booking)?;
    let item = items.into_iter().find(|item| item.rank() == *rank);
    item.ok_or_else(|| missing(format!("the unresolved item {}", rank.name)))
}

/// See [`super::port::Store::history`]. A commit is never split between two pages, so that the
/// number of the last one is where the next page begins: a page may be longer than `limit` by the
/// rest of a commit.
pub fn history<C: Catalogue>(
    catalogue: &C,
    subject: &Subject,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Written>, StoreError> {
    let mut before = before.unwrap_or(u64::MAX);
    let mut found = Vec::new();
    let mut seqs = recent(catalogue, subject)?;
    while !seqs.is_empty() && found.len() < limit {
        let first = seqs[0];
        for seq in seqs.into_iter().rev().filter(|seq| *seq < before) {
            if found.len() >= limit {
                return Ok(found);
            }
            let commit = catalogue.commit_at(seq)?;
            for fact in commit.facts.into_iter().rev() {
                if concerns(catalogue, &fact, subject)? {
                    found.push(Written {
                        seq,
                        at: commit.at,
                        fact,
                    });
                }
            }
        }
        before = before.min(first);
        seqs = catalogue.piece_before(subject, first)?;
    }
    Ok(found)
}

fn recent<C: Catalogue>(catalogue: &C, subject: &Subject) -> Result<Vec<u64>, StoreError> {
    let seqs = match subject {
        Subject::Account(id) => catalogue.account(id)?.map(|kept| kept.seqs),
        Subject::Booking(uid) => catalogue.charge(uid)?.map(|kept| kept.seqs),
        Subject::Request(id) => catalogue.request(id)?.map(|kept| kept.seqs),
    };
    Ok(seqs.unwrap_or_default())
}

/// Whether the fact belongs to the subject's history.
///
/// # Errors
/// When a record cannot be read.
pub(super) fn concerns<C: Base>(
    catalogue: &C,
    fact: &Fact,
    subject: &Subject,
) -> Result<bool, StoreError> {
    Ok(match subject {
        Subject::Account(id) => concerns_account(catalogue, fact, id)?,
        Subject::Booking(uid) => bookings(fact).contains(&Some(uid)),
        Subject::Request(id) => match fact {
            Fact::Decided { request } => request.id == *id,
            Fact::Reviewed { request, .. }
            | Fact::Called { request, .. }
            | Fact::Settled { request, .. } => request == id,
            Fact::Opened { .. }
            | Fact::Aliased { .. }
            | Fact::Unaliased { .. }
            | Fact::Described { .. }
            | Fact::Frozen { .. }
            | Fact::Pinned { .. }
            | Fact::Grant { .. }
            | Fact::Revoke { .. }
            | Fact::Expire { .. }
            | Fact::Hold { .. }
            | Fact::Post { .. }
            | Fact::Void { .. }
            | Fact::Refund { .. }
            | Fact::Move { .. }
            | Fact::Closed { .. }
            | Fact::Unresolved { .. }
            | Fact::Resolved { .. }
            | Fact::Ledger(_) => false,
        },
    })
}

fn concerns_account<C: Base>(
    catalogue: &C,
    fact: &Fact,
    id: &AccountId,
) -> Result<bool, StoreError> {
    Ok(match fact {
        Fact::Opened { account }
        | Fact::Aliased { account, .. }
        | Fact::Unaliased { account, .. }
        | Fact::Described { account, .. }
        | Fact::Frozen { account, .. }
        | Fact::Pinned { account, .. }
        | Fact::Grant { account, .. }
        | Fact::Revoke { account, .. }
        | Fact::Expire { account, .. }
        | Fact::Hold { account, .. } => account == id,
        Fact::Post { booking }
        | Fact::Void { booking, .. }
        | Fact::Refund { booking, .. }
        | Fact::Move { from: booking, .. }
        | Fact::Closed { booking, .. } => {
            let charge = catalogue.charge(booking)?;
            charge.is_some_and(|kept| kept.record.account == *id)
        }
        Fact::Decided { .. }
        | Fact::Reviewed { .. }
        | Fact::Called { .. }
        | Fact::Settled { .. }
        | Fact::Unresolved { .. }
        | Fact::Resolved { .. }
        | Fact::Ledger(_) => false,
    })
}

/// The bookings whose charge the fact changes.
fn bookings(fact: &Fact) -> [Option<&BookingUid>; 2] {
    match fact {
        Fact::Hold { booking, .. } => [Some(&booking.uid), None],
        Fact::Post { booking }
        | Fact::Void { booking, .. }
        | Fact::Refund { booking, .. }
        | Fact::Closed { booking, .. } => [Some(booking), None],
        Fact::Move { from, to, .. } => [Some(from), Some(&to.uid)],
        Fact::Opened { .. }
        | Fact::Aliased { .. }
        | Fact::Unaliased { .. }
        | Fact::Described { .. }
        | Fact::Frozen { .. }
        | Fact::Pinned { .. }
        | Fact::Grant { .. }
        | Fact::Revoke { .. }
        | Fact::Expire { .. }
        | Fact::Decided { .. }
        | Fact::Reviewed { .. }
        | Fact::Called { .. }
        | Fact::Settled { .. }
        | Fact::Unresolved { .. }
        | Fact::Resolved { .. }
        | Fact::Ledger(_) => [None, None],
    }
}
