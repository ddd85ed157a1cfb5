//! The commands that show what was decided, and why.

use std::collections::BTreeSet;

use super::parse;
use crate::control::protocol::decisions::{
    DecisionQuery, DecisionView, DecisionsView, ExplainView,
};
use crate::control::protocol::unresolved::UnresolvedItem;
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::daemon::views::{self, facts};
use crate::domain::decision::{Decision, DecisionOutcome};
use crate::domain::fact::{Fact, RequestFact};
use crate::domain::gate::Policy;
use crate::domain::id::{Address, BookingUid, RequestId};
use crate::domain::intent;
use crate::domain::request::{ChargeState, Request, RequestState};
use crate::domain::time::Time;
use crate::domain::watch::MAX_CHAIN;
use crate::store::port::{HistorySubject, LoggedFact, Store, StoreError};

/// Most decisions in one answer.
const MAX_DECISIONS: u32 = 10_000;

/// Decisions read in one page.
const PAGE: usize = 1_000;

/// Most entries shown of one request.
const MAX_ENTRIES: usize = 1_000;

/// Returns the decisions that match the query, newest first.
///
/// # Errors
/// Fails when the query cannot be used, and when the store cannot be read.
pub fn list(store: &dyn Store, query: &DecisionQuery) -> Result<CommandResult, Refusal> {
    let since = query.since.as_deref();
    let since = since.map(|text| parse::time("--since", text)).transpose()?;
    let limit = usize::try_from(query.limit.clamp(1, MAX_DECISIONS)).unwrap_or(usize::MAX);
    let after = query.after.as_deref().map(parse::timed_place).transpose()?;
    let mut requests = match &query.booker {
        Some(who) => list_for_booker(store, query, who, since)?,
        None => list_all(store, query, (since, after.clone()), limit + 1)?,
    };
    if let Some((at, id)) = &after {
        requests.retain(|request| (request.decided_at, &request.id) < (*at, id));
    }
    let more = requests.len() > limit;
    requests.truncate(limit);
    let decisions = requests
        .iter()
        .map(|request| decision_with_refunds(store, request));
    Ok(CommandResult::Decisions(DecisionsView {
        schema: SCHEMA,
        decisions: decisions.collect::<Result<_, Refusal>>()?,
        more,
        next: requests
            .last()
            .filter(|_| more)
            .map(|last| format!("{}/{}", views::format_time(last.decided_at), last.id)),
    }))
}

/// Returns true when the request matches the query's gate and outcome.
fn matches_query(query: &DecisionQuery, request: &Request) -> bool {
    let gate = query.gate.is_none() || request.gate == query.gate;
    let outcome = query.outcome.as_deref().is_none_or(|outcome| {
        let noted = request.state == RequestState::Noted;
        outcome == views::outcome(request) || (noted && outcome == request.decision.as_str())
    });
    gate && outcome
}

/// Returns the decisions that match the query, newest first: those since a time and before a place.
fn list_all(
    store: &dyn Store,
    query: &DecisionQuery,
    (since, mut before): (Option<Time>, Option<(Time, RequestId)>),
    limit: usize,
) -> Result<Vec<Request>, Refusal> {
    let mut requests: Vec<Request> = Vec::new();
    loop {
        let page = store
            .decided_requests(since, before.as_ref(), PAGE.max(limit))
            .map_err(|e| parse::store_failed(&e))?;
        let full = page.len() == PAGE.max(limit);
        before = page.last().map(|last| (last.decided_at, last.id.clone()));
        requests.extend(
            page.into_iter()
                .filter(|request| matches_query(query, request)),
        );
        if !full || requests.len() >= limit {
            requests.truncate(limit);
            return Ok(requests);
        }
    }
}

/// Returns the matching requests of one person, under any of the account's addresses, newest
/// decision first.
fn list_for_booker(
    store: &dyn Store,
    query: &DecisionQuery,
    booker: &str,
    since: Option<Time>,
) -> Result<Vec<Request>, Refusal> {
    let failed = |error: StoreError| parse::store_failed(&error);
    let id = parse::resolve_account_id(store, booker)?;
    let mut addresses: BTreeSet<Address> = Address::parse(booker).into_iter().collect();
    addresses.extend(Address::parse(id.as_str()));
    if let Some(account) = store.account(&id).map_err(failed)? {
        addresses.extend(account.aliases);
    }
    let limit = usize::try_from(MAX_DECISIONS).unwrap_or(usize::MAX);
    let mut requests = Vec::new();
    for address in &addresses {
        let booker_requests = store
            .requests_of_booker(address, Time::MIN_UTC, limit)
            .map_err(failed)?;
        requests.extend(booker_requests.into_iter().filter(|request| {
            since.is_none_or(|since| request.decided_at >= since) && matches_query(query, request)
        }));
    }
    requests.sort_by(|a, b| (b.decided_at, &b.id).cmp(&(a.decided_at, &a.id)));
    Ok(requests)
}

/// Returns a decision with the refunds since then, along the chain of its bookings.
fn decision_with_refunds(store: &dyn Store, request: &Request) -> Result<DecisionView, Refusal> {
    let mut view = views::decision(request);
    if request.decision != Decision::Confirm {
        return Ok(view);
    }
    for uid in chain_bookings(store, request)? {
        let charge = store.charge(&uid).map_err(|e| parse::store_failed(&e))?;
        if charge.is_none_or(|charge| charge.refunded == 0) {
            continue;
        }
        let entries = read_history(store, &HistorySubject::Booking(uid))?;
        view.refunds
            .extend(entries.iter().filter_map(facts::refund));
    }
    view.refunds.sort_by(|a, b| a.at.cmp(&b.at));
    view.refunds.dedup();
    Ok(view)
}

/// Returns everything that is known about a booking: the decision, its calls, its charges, and its
/// items on the unresolved list.
///
/// # Errors
/// Fails when maitred does not know the booking, and when the store cannot be read.
pub fn explain(
    store: &dyn Store,
    policy: &Policy,
    now: Time,
    booking: &str,
) -> Result<CommandResult, Refusal> {
    let uid = BookingUid::parse(booking.trim())
        .map_err(|why| parse::usage(format!("the booking {booking:?} {why}")))?;
    let mut unresolved = unresolved_items(store, &uid)?;
    let request = match find_request(store, &uid) {
        Ok(request) => request,
        Err(_) if !unresolved.is_empty() => return Ok(explain_undecided(unresolved)),
        Err(refusal) => return Err(refusal),
    };
    let mut entries = read_history(store, &HistorySubject::Request(request.id.clone()))?;
    let joined_bookings = joined_bookings(&request, &entries);
    let mut charges = Vec::new();
    for booking_uid in chain_bookings(store, &request)? {
        entries.extend(read_history(
            store,
            &HistorySubject::Booking(booking_uid.clone()),
        )?);
        let charge = store
            .charge(&booking_uid)
            .map_err(|e| parse::store_failed(&e))?;
        charges.extend(charge.as_ref().map(views::charge));
        if booking_uid != uid {
            unresolved.extend(unresolved_items(store, &booking_uid)?);
        }
    }
    let mut entries: Vec<_> = entries.iter().map(facts::entry).collect();
    entries.sort_by_key(|entry| (entry.sequence, fact_order(&entry.kind)));
    entries.dedup();
    let mut view = decision_with_refunds(store, &request)?;
    let marked = store.sent_mark(&request.id);
    view.step.waiting_for = intent::wait_reason(&request, marked, &policy.limits, now);
    Ok(CommandResult::Explain(Box::new(ExplainView {
        schema: SCHEMA,
        decision: Some(view),
        unresolved,
        joined_bookings,
        findings: request.findings.iter().map(views::finding).collect(),
        booker_message: sent_decline_text(&request),
        review: request.review.as_ref().map(views::operator_review),
        calls: views::calls(&request),
        charges,
        entries,
    })))
}

/// Explains a booking that was accepted without a decision by its items on the unresolved list.
fn explain_undecided(unresolved: Vec<UnresolvedItem>) -> CommandResult {
    CommandResult::Explain(Box::new(ExplainView {
        schema: SCHEMA,
        decision: None,
        unresolved,
        joined_bookings: Vec::new(),
        findings: Vec::new(),
        booker_message: None,
        review: None,
        calls: Vec::new(),
        charges: Vec::new(),
        entries: Vec::new(),
    }))
}

/// Returns the occurrences that were added to the series after the decision, and are answered with
/// it. `history` has the newest fact first.
fn joined_bookings(request: &Request, history: &[LoggedFact]) -> Vec<String> {
    let intent = history.iter().find_map(|written| match &written.fact {
        Fact::Request(RequestFact::Decided { request })
            if request.state == RequestState::Recorded =>
        {
            Some(request)
        }
        _ => None,
    });
    let Some(intent) = intent else {
        return Vec::new();
    };
    let bookings = request.bookings.iter();
    let joined = bookings.filter(|booking| intent.bookings.iter().all(|b| b.uid != booking.uid));
    joined.map(|booking| booking.uid.to_string()).collect()
}

/// Returns the booking's items on the unresolved list, open and resolved.
fn unresolved_items(store: &dyn Store, uid: &BookingUid) -> Result<Vec<UnresolvedItem>, Refusal> {
    let items = store.unresolved_items_of(uid);
    let items = items.map_err(|e| parse::store_failed(&e))?;
    Ok(items.iter().map(views::unresolved).collect())
}

/// Returns the position of a fact within its commit, for readers.
fn fact_order(kind: &str) -> u8 {
    match kind {
        "decided" => 0,
        "hold" => 1,
        "called" => 2,
        "settled" => 4,
        _ => 3,
    }
}

/// Returns the text that the booker received. Only a decline that was carried out has sent a text.
fn sent_decline_text(request: &Request) -> Option<String> {
    match request.state {
        RequestState::Settled {
            outcome: DecisionOutcome::Declined,
            ..
        } => request.booker_text.clone(),
        RequestState::Settled {
            outcome:
                DecisionOutcome::Confirmed | DecisionOutcome::Superseded | DecisionOutcome::Refused,
            ..
        }
        | RequestState::Noted
        | RequestState::Recorded => None,
    }
}

/// Returns the request that was decided with the booking, or with the booking that it replaced.
pub(super) fn find_request(store: &dyn Store, uid: &BookingUid) -> Result<Request, Refusal> {
    let failed = |e: StoreError| parse::store_failed(&e);
    let mut current = uid.clone();
    for _ in 0..MAX_CHAIN {
        let id = store.request_of(&current).map_err(failed)?;
        let id = id.unwrap_or_else(|| RequestId::from(&current));
        if let Some(request) = store.request(&id).map_err(failed)? {
            return Ok(request);
        }
        // The booking was moved without a pass, so the decision is about the booking that it
        // replaced.
        let charge = store.charge(&current).map_err(failed)?;
        match charge.and_then(|charge| charge.moved_from) {
            Some(from) => current = from,
            None => break,
        }
    }
    Err(parse::not_found(format!(
        "no decision was made about booking {uid}: no pass has seen it pending behind a gate; \
         `maitred plan` lists the pending requests and why they are left alone. An occurrence that \
         was added to a series with an open request is answered with that request, which `maitred \
         explain` shows under the uid of the series or of its other bookings"
    )))
}

/// Returns the request's bookings with the bookings that their charges were moved from and to, in
/// the order of each chain.
fn chain_bookings(store: &dyn Store, request: &Request) -> Result<Vec<BookingUid>, Refusal> {
    let failed = |e: StoreError| parse::store_failed(&e);
    let mut uids: Vec<BookingUid> = Vec::new();
    for booking in &request.bookings {
        let mut chain = vec![booking.uid.clone()];
        while chain.len() < MAX_CHAIN
            && let Some(charge) = store.charge(&chain[0]).map_err(failed)?
            && let Some(from) = charge.moved_from
        {
            chain.insert(0, from);
        }
        while chain.len() < 2 * MAX_CHAIN
            && let Some(last) = chain.last()
            && let Some(charge) = store.charge(last).map_err(failed)?
            && let ChargeState::Moved { to } = charge.state
        {
            chain.push(to);
        }
        let new = chain.into_iter().filter(|uid| !uids.contains(uid));
        uids.extend(new.collect::<Vec<_>>());
    }
    Ok(uids)
}

fn read_history(store: &dyn Store, subject: &HistorySubject) -> Result<Vec<LoggedFact>, Refusal> {
    store
        .history(subject, None, MAX_ENTRIES)
        .map_err(|e| parse::store_failed(&e))
}
