//! What was decided, and why.

use std::collections::BTreeSet;

use super::parse;
use crate::control::protocol::unresolved::UnresolvedItem;
use crate::control::protocol::{
    Answer, DecisionQuery, DecisionView, DecisionsView, ExplainView, Refusal, SCHEMA,
};
use crate::daemon::views::{self, facts};
use crate::domain::decision::{Decision, Outcome};
use crate::domain::gate::Policy;
use crate::domain::id::{Address, BookingUid, RequestId};
use crate::domain::intent;
use crate::domain::request::{ChargeState, Request, RequestState};
use crate::domain::time::Time;
use crate::domain::watch::MAX_CHAIN;
use crate::store::port::{Store, StoreError, Subject, Written};

/// Decisions in one answer.
const MAX_DECISIONS: u32 = 10_000;

/// Decisions read at once.
const PAGE: usize = 1_000;

/// Entries shown of one request.
const MAX_ENTRIES: usize = 1_000;

pub fn list(store: &dyn Store, query: &DecisionQuery) -> Result<Answer, Refusal> {
    let since = query.since.as_deref();
    let since = since.map(|text| parse::time("--since", text)).transpose()?;
    let limit = usize::try_from(query.limit.clamp(1, MAX_DECISIONS)).unwrap_or(usize::MAX);
    let mut decided = match &query.who {
        Some(who) => of_person(store, query, who, since)?,
        None => of_anybody(store, query, since, limit + 1)?,
    };
    let more = decided.len() > limit;
    decided.truncate(limit);
    let decisions = decided.iter().map(|request| decision(store, request));
    Ok(Answer::Decisions(DecisionsView {
        schema: SCHEMA,
        decisions: decisions.collect::<Result<_, Refusal>>()?,
        more,
    }))
}

/// Whether the query's gate and outcome are those of the request.
fn is_asked_for(query: &DecisionQuery, request: &Request) -> bool {
    let gate = query.gate.is_none() || request.gate == query.gate;
    let outcome = query.outcome.as_deref().is_none_or(|outcome| {
        let noted = request.state == RequestState::Noted;
        outcome == views::outcome(request) || (noted && outcome == request.decision.as_str())
    });
    gate && outcome
}

/// Decisions in order, newest first, with those that were not asked for left out.
fn of_anybody(
    store: &dyn Store,
    query: &DecisionQuery,
    since: Option<Time>,
    wanted: usize,
) -> Result<Vec<Request>, Refusal> {
    let mut found: Vec<Request> = Vec::new();
    let mut before: Option<(Time, RequestId)> = None;
    loop {
        let page = store
            .decided(since, before.as_ref(), PAGE.max(wanted))
            .map_err(|e| parse::store_failed(&e))?;
        let full = page.len() == PAGE.max(wanted);
        before = page.last().map(|last| (last.decided, last.id.clone()));
        found.extend(
            page.into_iter()
                .filter(|request| is_asked_for(query, request)),
        );
        if !full || found.len() >= wanted {
            found.truncate(wanted);
            return Ok(found);
        }
    }
}

/// All that one person asked for, under any of the account's addresses, newest decision first.
fn of_person(
    store: &dyn Store,
    query: &DecisionQuery,
    who: &str,
    since: Option<Time>,
) -> Result<Vec<Request>, Refusal> {
    let failed = |error: StoreError| parse::store_failed(&error);
    let id = parse::account_id(store, who)?;
    let mut addresses: BTreeSet<Address> = Address::parse(who).into_iter().collect();
    addresses.extend(Address::parse(id.as_str()));
    if let Some(account) = store.account(&id).map_err(failed)? {
        addresses.extend(account.aliases);
    }
    let most = usize::try_from(MAX_DECISIONS).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    for address in &addresses {
        let asked = store
            .asked_by(address, Time::MIN_UTC, most)
            .map_err(failed)?;
        found.extend(asked.into_iter().filter(|request| {
            since.is_none_or(|since| request.decided >= since) && is_asked_for(query, request)
        }));
    }
    found.sort_by(|a, b| (b.decided, &b.id).cmp(&(a.decided, &a.id)));
    Ok(found)
}

/// A decision with what came back of it since, along the chain of its bookings.
fn decision(store: &dyn Store, request: &Request) -> Result<DecisionView, Refusal> {
    let mut view = views::decision(request);
    if request.decision != Decision::Confirm {
        return Ok(view);
    }
    for uid in chain(store, request)? {
        let charge = store.charge(&uid).map_err(|e| parse::store_failed(&e))?;
        if charge.is_none_or(|charge| charge.refunded == 0) {
            continue;
        }
        let entries = history(store, &Subject::Booking(uid))?;
        view.refunds
            .extend(entries.iter().filter_map(facts::refund));
    }
    view.refunds.sort_by(|a, b| a.at.cmp(&b.at));
    view.refunds.dedup();
    Ok(view)
}

pub fn explain(
    store: &dyn Store,
    policy: &Policy,
    now: Time,
    booking: &str,
) -> Result<Answer, Refusal> {
    let uid = BookingUid::parse(booking.trim())
        .map_err(|why| parse::usage(format!("the booking {booking:?} {why}")))?;
    let mut unresolved = listed(store, &uid)?;
    let request = match find(store, &uid) {
        Ok(request) => request,
        Err(_) if !unresolved.is_empty() => return Ok(undecided(unresolved)),
        Err(refusal) => return Err(refusal),
    };
    let mut entries = history(store, &Subject::Request(request.id.clone()))?;
    let mut charges = Vec::new();
    for one in chain(store, &request)? {
        entries.extend(history(store, &Subject::Booking(one.clone()))?);
        let charge = store.charge(&one).map_err(|e| parse::store_failed(&e))?;
        charges.extend(charge.as_ref().map(views::charge));
        if one != uid {
            unresolved.extend(listed(store, &one)?);
        }
    }
    let mut entries: Vec<_> = entries.iter().map(facts::entry).collect();
    entries.sort_by_key(|entry| (entry.sequence, rank(&entry.kind)));
    entries.dedup();
    let mut shown = decision(store, &request)?;
    let marked = store.marked(&request.id);
    shown.step.waits = intent::waits(&request, marked, &policy.limits, now);
    Ok(Answer::Explain(Box::new(ExplainView {
        schema: SCHEMA,
        decision: Some(shown),
        unresolved,
        findings: request.findings.iter().map(views::finding).collect(),
        told: told(&request),
        review: request.review.as_ref().map(views::word),
        calls: views::calls(&request),
        charges,
        entries,
    })))
}

/// A booking that was accepted without a decision: the list says what is known of it.
fn undecided(unresolved: Vec<UnresolvedItem>) -> Answer {
    Answer::Explain(Box::new(ExplainView {
        schema: SCHEMA,
        decision: None,
        unresolved,
        findings: Vec::new(),
        told: None,
        review: None,
        calls: Vec::new(),
        charges: Vec::new(),
        entries: Vec::new(),
    }))
}

/// What the booking is on the unresolved list for, and was.
fn listed(store: &dyn Store, uid: &BookingUid) -> Result<Vec<UnresolvedItem>, Refusal> {
    let items = store.unresolved_of(uid);
    let items = items.map_err(|e| parse::store_failed(&e))?;
    Ok(items.iter().map(views::unresolved).collect())
}

/// The order of facts within one commit, for reading.
fn rank(kind: &str) -> u8 {
    match kind {
        "decided" => 0,
        "hold" => 1,
        "called" => 2,
        "settled" => 4,
        _ => 3,
    }
}

/// What the booker was told: an intent that was not carried out has told nobody anything.
fn told(request: &Request) -> Option<String> {
    match request.state {
        RequestState::Settled {
            outcome: Outcome::Declined,
            ..
        } => request.text.clone(),
        RequestState::Settled {
            outcome: Outcome::Confirmed | Outcome::Superseded | Outcome::Refused,
            ..
        }
        | RequestState::Noted
        | RequestState::Recorded => None,
    }
}

/// The request that was decided with the booking, or with the one it replaced.
pub(super) fn find(store: &dyn Store, uid: &BookingUid) -> Result<Request, Refusal> {
    let failed = |e: StoreError| parse::store_failed(&e);
    let mut asked = uid.clone();
    for _ in 0..MAX_CHAIN {
        let id = store.request_of(&asked).map_err(failed)?;
        let id = id.unwrap_or_else(|| RequestId::from(&asked));
        if let Some(request) = store.request(&id).map_err(failed)? {
            return Ok(request);
        }
        // Moved without a pass: the decision is that about the booking it replaced.
        let charge = store.charge(&asked).map_err(failed)?;
        match charge.and_then(|charge| charge.moved_from) {
            Some(from) => asked = from,
            None => break,
        }
    }
    Err(parse::not_found(format!(
        "nothing was decided about booking {uid}: it was never seen pending behind a gate; \
         `maitred plan` shows what waits now and why it is left alone"
    )))
}

/// The request's bookings, what their charges came from and where they went, in that order.
fn chain(store: &dyn Store, request: &Request) -> Result<Vec<BookingUid>, Refusal> {
    let failed = |e: StoreError| parse::store_failed(&e);
    let mut all: Vec<BookingUid> = Vec::new();
    for booking in &request.bookings {
        let mut line = vec![booking.uid.clone()];
        while line.len() < MAX_CHAIN
            && let Some(charge) = store.charge(&line[0]).map_err(failed)?
            && let Some(from) = charge.moved_from
        {
            line.insert(0, from);
        }
        while line.len() < 2 * MAX_CHAIN
            && let Some(last) = line.last()
            && let Some(charge) = store.charge(last).map_err(failed)?
            && let ChargeState::Moved { to } = charge.state
        {
            line.push(to);
        }
        let new = line.into_iter().filter(|uid| !all.contains(uid));
        all.extend(new.collect::<Vec<_>>());
    }
    Ok(all)
}

fn history(store: &dyn Store, subject: &Subject) -> Result<Vec<Written>, Refusal> {
    store
        .history(subject, None, MAX_ENTRIES)
        .map_err(|e| parse::store_failed(&e))
}
