//! Reads the facts after a cursor and the records that their notifications need. Everything here runs
//! on the store's thread, so each read is short.

use std::collections::BTreeSet;

use crate::daemon::commands::review::requests_in_review;
use crate::domain::account::Account;
use crate::domain::decision::Credits;
use crate::domain::fact::{Fact, RequestFact};
use crate::domain::id::AccountId;
use crate::domain::notification::event::Notification;
use crate::domain::notification::from_facts::{
    FactPlace, RelatedIds, RelatedRecords, notification_of_fact, related_ids, taken_credits,
};
use crate::domain::notification::kind::NotificationKind;
use crate::domain::notification::recorded::{
    RecordedQuery, RecordedRecords, hold_of, notification_of_record, recorded_kind,
};
use crate::domain::request::Request;
use crate::domain::time::Time;
use crate::store::port::{HistorySubject, Store, StoreError};

/// The commits of one page. A commit holds the decisions of at most one batch.
const PAGE: usize = 32;

/// The accounts of one page.
const ACCOUNTS: usize = 200;

/// The most requests in review that are examined. `status` counts no more either.
const MAX_REVIEWS: usize = 1_000;

/// How many facts about a request are searched for its earlier decision. Between two notes there
/// is at most an operator's review.
const MAX_HISTORY: usize = 16;

/// Which facts are read, and for whom.
#[derive(Debug, Clone)]
pub(super) struct PageQuery {
    /// The last commit that is done.
    pub(super) cursor: u64,
    /// In the commit after the cursor: the last fact that is done.
    pub(super) handled_fact: Option<usize>,
    /// The kinds that the target receives.
    pub(super) kinds: BTreeSet<NotificationKind>,
    /// Whether these are facts for the operator's own systems.
    pub(super) receives_facts: bool,
    /// With fewer credits than these, a balance is low.
    pub(super) low_balance: Credits,
    pub(super) now: Time,
}

/// What the facts of some commits lead to.
#[derive(Debug)]
pub(super) struct FactPage {
    pub(super) items: Vec<PageItem>,
    /// The last commit that was read; the cursor if there was none.
    pub(super) last: u64,
    /// Whether there was no further commit.
    pub(super) is_end: bool,
}

/// What a fact leads to.
#[derive(Debug)]
pub(super) enum PageItem {
    /// A notification.
    Notify {
        seq: u64,
        index: usize,
        notification: Box<Notification>,
    },
    /// Credits were taken, and enough are left.
    EnoughCredits(AccountId),
}

/// Reads a page of facts.
pub(super) fn read_page(store: &dyn Store, query: &PageQuery) -> Result<FactPage, StoreError> {
    let commits = store.commits(query.cursor, PAGE)?;
    let mut page = FactPage {
        items: Vec::new(),
        last: query.cursor,
        is_end: commits.len() < PAGE,
    };
    for commit in commits {
        let done = match query.handled_fact {
            Some(last) if commit.seq == query.cursor + 1 => last + 1,
            Some(_) | None => 0,
        };
        for (index, fact) in commit.facts.iter().enumerate().skip(done) {
            let place = FactPlace {
                seq: commit.seq,
                index,
                at: commit.at,
            };
            page.items.extend(read_fact(store, query, place, fact)?);
        }
        page.last = commit.seq;
    }
    Ok(page)
}

fn read_fact(
    store: &dyn Store,
    query: &PageQuery,
    place: FactPlace,
    fact: &Fact,
) -> Result<Option<PageItem>, StoreError> {
    if query.receives_facts {
        return read_recorded(store, query, place, fact);
    }
    let Some(ids) = related_ids(fact) else {
        return Ok(None);
    };
    let taken_from = taken_credits(fact).map(|(account, _)| account);
    if taken_from.is_some() && !query.kinds.contains(&NotificationKind::LowBalance) {
        return Ok(None);
    }
    let records = load_records(store, &ids, place.seq)?;
    let notification = notification_of_fact(place, fact, &records, query.low_balance, query.now);
    Ok(match (notification, taken_from) {
        (Some(notification), _) if query.kinds.contains(&notification.kind()) => {
            Some(PageItem::Notify {
                seq: place.seq,
                index: place.index,
                notification: Box::new(notification),
            })
        }
        (None, Some(account)) => Some(PageItem::EnoughCredits(account.clone())),
        (Some(_) | None, _) => None,
    })
}

/// Returns what the operator's own systems learn of a fact.
fn read_recorded(
    store: &dyn Store,
    query: &PageQuery,
    place: FactPlace,
    fact: &Fact,
) -> Result<Option<PageItem>, StoreError> {
    let Some((kind, records)) = recorded_kind(fact) else {
        return Ok(None);
    };
    if !query.kinds.contains(&kind) {
        return Ok(None);
    }
    let mut found = RecordedRecords::default();
    match records {
        RecordedQuery::Nothing => {}
        RecordedQuery::Request(id) => found.request = store.request(id)?,
        RecordedQuery::Payer(booking) => {
            let charge = store.charge(booking)?;
            found.payment = charge.map(|charge| (charge.account, 0));
        }
        RecordedQuery::Hold(booking) => {
            // The hold may be in the commit of this fact.
            let subject = HistorySubject::Booking(booking.clone());
            let history = store.history(&subject, Some(place.seq + 1), MAX_HISTORY)?;
            let mut history = history.iter();
            found.payment = history.find_map(|logged| hold_of(&logged.fact, booking));
        }
    }
    let notification = notification_of_record(place, fact, found);
    Ok(notification.map(|notification| PageItem::Notify {
        seq: place.seq,
        index: place.index,
        notification: Box::new(notification),
    }))
}

fn load_records(
    store: &dyn Store,
    ids: &RelatedIds<'_>,
    seq: u64,
) -> Result<RelatedRecords, StoreError> {
    let request = match ids.request {
        Some(id) => store.request(id)?,
        None => None,
    };
    let of_request = request
        .as_ref()
        .and_then(|request| request.account.as_ref());
    let account = match ids.account.or(of_request) {
        Some(id) => store.account(id)?,
        None => None,
    };
    let earlier_decision = match ids.decided_request {
        Some(id) => {
            let subject = HistorySubject::Request(id.clone());
            let history = store.history(&subject, Some(seq), MAX_HISTORY)?;
            history.into_iter().find_map(|logged| match logged.fact {
                Fact::Request(RequestFact::Decided { request }) => Some(request.as_ref().clone()),
                _ => None,
            })
        }
        None => None,
    };
    Ok(RelatedRecords {
        unresolved: match ids.booking {
            Some(booking) => store.unresolved_items_of(booking)?,
            None => Vec::new(),
        },
        request,
        earlier_decision,
        account,
    })
}

/// Returns the requests that wait for an operator.
pub(super) fn read_reviews(store: &dyn Store, now: Time) -> Result<Vec<Request>, StoreError> {
    requests_in_review(store, now, MAX_REVIEWS)
}

/// Returns a page of accounts, starting after the account with this name.
pub(super) fn read_accounts(store: &dyn Store, after: &str) -> Result<Vec<Account>, StoreError> {
    let after = AccountId::parse(after).ok();
    store.accounts(after.as_ref(), ACCOUNTS)
}
