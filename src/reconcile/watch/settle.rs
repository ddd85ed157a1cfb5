//! One charge, looked at and settled in one visit to the store: nothing can change between reading
//! the account and writing.

use super::accepted_move::is_by_booker;
use super::listed::Finding;
use super::look::Chain;
use super::{Change, Watched};
use crate::domain::booking::{Booking, BookingRef};
use crate::domain::fact::Fact;
use crate::domain::gate::Policy;
use crate::domain::id::{AccountId, BookingUid, Reference, RequestId};
use crate::domain::ledger::Given;
use crate::domain::plan::Problem;
use crate::domain::refund::{self, Lookup};
use crate::domain::request::{Charge, ChargeState, Request};
use crate::domain::terms::{AcceptedMove, RefundTerms};
use crate::domain::time::{Time, kept};
use crate::domain::unresolved::{Resolver, Unresolved, UnresolvedCode};
use crate::domain::watch::{Case, ChainEnd, MAX_CHAIN, Verdict, What, final_at, watch};
use crate::reconcile::ports::{PassError, Ports};
use crate::store::port::{CommitError, Expected, Store, StoreError, Subject};

/// Entries of an account looked through for absences that were forgiven.
const MAX_HISTORY: usize = 10_000;

/// The charges whose time for changes is over.
pub(super) fn due(
    store: &mut dyn Store,
    policy: &Policy,
    over: Vec<Charge>,
    now: Time,
) -> Result<Vec<Charge>, StoreError> {
    let mut due = Vec::new();
    for charge in over {
        let decided_by = decided_by(store, &charge)?;
        let gate = policy.gate_of(&charge, decided_by.as_deref());
        let terms = charge.refund_terms(gate.map(|gate| &gate.terms.refunds));
        let is_due = final_at(charge.end, &terms) <= now;
        if is_due {
            due.push(charge);
        }
    }
    Ok(due)
}

/// The gate that decided about the charge, also when it has moved since.
/// # Errors
/// When the store cannot be read.
pub fn decided_by(store: &dyn Store, charge: &Charge) -> Result<Option<String>, StoreError> {
    let mut charge = charge.clone();
    for _ in 0..MAX_CHAIN {
        if let Some(request) = store.request(&charge.request)?
            && request.gate.is_some()
        {
            return Ok(request.gate);
        }
        let Some(from) = &charge.moved_from else {
            return Ok(None);
        };
        match store.charge(from)? {
            Some(earlier) => charge = earlier,
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// Decides about one charge and writes it down.
pub(super) async fn settle(
    ports: &Ports<'_>,
    policy: &Policy,
    charge: &Charge,
    chain: Chain,
    watched: &mut Watched,
) -> Result<(), PassError> {
    let now = (ports.clock)();
    let uid = charge.booking.uid.clone();
    let policy = policy.clone();
    let done = ports
        .store
        .with(move |store| settle_one(store, &policy, &uid, &chain, now))
        .await?;
    let Some((account, verdict)) = done else {
        return Ok(());
    };
    match verdict {
        Verdict::Open { why, problem, .. } => {
            tracing::debug!(booking = %charge.booking.uid, why, "the charge stays open");
            watched.problems.extend(problem);
        }
        Verdict::Write {
            what,
            text,
            problem,
            ..
        } => {
            watched.problems.extend(problem);
            watched.record(Change {
                booking: charge.booking.uid.clone(),
                account: Some(account),
                what,
                text,
            });
        }
    }
    Ok(())
}

fn settle_one(
    store: &mut dyn Store,
    policy: &Policy,
    uid: &BookingUid,
    chain: &Chain,
    now: Time,
) -> Result<Option<(AccountId, Verdict)>, PassError> {
    let charge = store.charge(uid).map_err(PassError::Store)?;
    let Some(charge) = charge.filter(|charge| charge.state == ChargeState::Open) else {
        return Ok(None);
    };
    let verdict = judge(store, policy, &charge, chain, now).map_err(PassError::Store)?;
    let Some((verdict, version)) = verdict else {
        return Ok(None);
    };
    let about = listed_under(&charge, chain, &verdict);
    let items = store.unresolved_of(&about.uid).map_err(PassError::Store)?;
    let mut facts = match &verdict {
        Verdict::Open {
            why,
            lists: Some(code),
            ..
        } => match items.iter().find(|item| item.code == *code) {
            // An operator knows of it.
            Some(item) if item.is_open() || item.is_settled_by_operator() => {
                return Ok(Some((charge.account, told_before(verdict))));
            }
            Some(_) | None => vec![Fact::Unresolved {
                booking: about,
                code: *code,
                account: Some(charge.account.clone()),
                until: None,
                detail: why.clone(),
            }],
        },
        Verdict::Open { lists: None, .. } => return Ok(Some((charge.account, verdict))),
        Verdict::Write { facts, .. } => facts.clone(),
    };
    if let Verdict::Write { text, what, .. } = &verdict {
        facts.extend(host_absent_resolved(&items, text, Resolver::Watch));
        if *what == What::Moved {
            let moved = accepted_move(store, policy, &charge, chain, now);
            facts.extend(moved.map_err(PassError::Store)?);
        }
    }
    let expected = [Expected {
        account: charge.account.clone(),
        version: Some(version),
    }];
    match store.commit(now, facts, &expected) {
        Ok(_) => Ok(Some((charge.account, verdict))),
        // A charge that cannot be settled must not keep the others from it.
        Err(CommitError::Violation(why)) => {
            let problem = Some(Problem {
                code: "watch-failed",
                text: format!("what became of booking {uid} could not be written down: {why}"),
            });
            let why = why.to_string();
            let lists = None;
            let open = Verdict::Open {
                why,
                problem,
                lists,
            };
            Ok(Some((charge.account, open)))
        }
        Err(error) => Err(PassError::Commit(error)),
    }
}

/// Which booking of the chain an item is about: a status is that of the last one.
fn listed_under(charge: &Charge, chain: &Chain, verdict: &Verdict) -> BookingRef {
    let of_last = matches!(
        verdict,
        Verdict::Open {
            lists: Some(UnresolvedCode::UnknownStatus),
            ..
        }
    );
    let last = chain.bookings.last().filter(|_| of_last);
    last.map_or_else(|| charge.booking.clone(), Booking::reference)
}

fn told_before(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Open { why, lists, .. } => Verdict::Open {
            why,
            problem: None,
            lists,
        },
        write @ Verdict::Write { .. } => write,
    }
}

/// Takes the question whether an absent host gives the credits back off the list, with the end of its
/// charge.
pub fn host_absent_resolved(items: &[Unresolved], why: &str, by: Resolver) -> Option<Fact> {
    let mut items = items.iter();
    let item = items.find(|item| item.code == UnresolvedCode::HostAbsent && item.is_open())?;
    Some(Fact::Resolved {
        booking: item.booking.uid.clone(),
        code: item.code,
        reason: why.to_owned(),
        by,
    })
}

/// The charge goes on with a booking that no pass has looked at: an operator may want to.
fn accepted_move(
    store: &dyn Store,
    policy: &Policy,
    charge: &Charge,
    chain: &Chain,
    now: Time,
) -> Result<Option<Fact>, StoreError> {
    let Some(last) = chain
        .bookings
        .last()
        .filter(|last| is_by_booker(policy, last))
    else {
        return Ok(None);
    };
    let gate = policy.gate(last);
    if gate.is_none_or(|gate| gate.terms.accepted_move != AcceptedMove::Carry)
        || request_of(store, &last.uid)?.is_some()
    {
        return Ok(None);
    }
    let detail = format!(
        "at once when {} was moved: no rule of its gate was asked, and the charge goes on with it",
        charge.booking.uid
    );
    let account = Some(charge.account.clone());
    let finding = Finding::of(last, UnresolvedCode::AcceptedMove, account, detail);
    let items = store.unresolved_of(&last.uid)?;
    Ok(finding.fact(&items, now))
}

fn judge(
    store: &dyn Store,
    policy: &Policy,
    charge: &Charge,
    chain: &Chain,
    now: Time,
) -> Result<Option<(Verdict, u64)>, StoreError> {
    let Some(account) = store.account(&charge.account)? else {
        return Ok(None);
    };
    let named = decided_by(store, charge)?;
    let gate = |booking: Option<&Booking>| booking.and_then(|booking| policy.gate(booking));
    let known = || policy.gate_of(charge, named.as_deref());
    let first_gate = gate(chain.bookings.first()).or_else(known);
    let last_gate = gate(chain.bookings.last()).or(first_gate);
    let terms = charge.refund_terms(first_gate.map(|gate| &gate.terms.refunds));
    // An occurrence costs what it does as one of its series.
    let occurrences = request_of(store, &charge.booking.uid)?
        .map_or(1, |request| request.bookings.len())
        .max(1);
    let tier = account.tier.as_deref();
    let last_cost = last_gate
        .zip(chain.bookings.last())
        .map(|(gate, last)| gate.price(&policy.house, last, tier, occurrences));
    let last = chain.bookings.last().map(|last| &last.uid);
    let mut successor = None;
    let mut request = None;
    if let Some(last) = last {
        // Of the charged booking itself too: it may have been cancelled by us since.
        request = request_of(store, last)?;
        if *last != charge.booking.uid {
            successor = store.charge(last)?;
        }
    }
    let forgiven = match chain.end {
        ChainEnd::Whole => forgiven(store, charge, &terms, now)?,
        ChainEnd::Gone | ChainEnd::Unread => 0,
    };
    let verdict = watch(&Case {
        charge,
        chain: &chain.bookings,
        end: chain.end,
        terms: &terms,
        hosts: &policy.hosts,
        last_gate,
        last_cost,
        account: &account,
        forgiven,
        successor: successor.as_ref(),
        taken_over: charge.taken_by.is_some(),
        request: request.as_ref(),
        now,
        policy: &policy.hash,
    });
    let verdict = restored(store, verdict, &terms, now)?;
    Ok(Some((verdict, account.version)))
}

/// What comes back to lots that have expired, by the terms that count. The store does the same for charges
/// that have terms of their own.
fn restored(
    store: &dyn Store,
    verdict: Verdict,
    terms: &RefundTerms,
    now: Time,
) -> Result<Verdict, StoreError> {
    match verdict {
        Verdict::Write {
            mut facts,
            what,
            text,
            problem,
        } => {
            restore_expired(store, &mut facts, terms, now)?;
            Ok(Verdict::Write {
                facts,
                what,
                text,
                problem,
            })
        }
        open @ Verdict::Open { .. } => Ok(open),
    }
}

/// Fills in where credits go that come back to expired lots.
/// # Errors
/// When the store cannot be read.
pub fn restore_expired(
    store: &dyn Store,
    facts: &mut [Fact],
    terms: &RefundTerms,
    now: Time,
) -> Result<(), StoreError> {
    let present = Some(terms.expired_refund);
    refund::restore_expired(facts, kept(now), present, &Reads(store))
}

/// The store as a refund looks things up.
struct Reads<'a>(&'a dyn Store);

impl Lookup for Reads<'_> {
    type Error = StoreError;

    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, StoreError> {
        self.0.charge(booking)
    }

    fn given(&self, reference: &Reference) -> Result<Option<Given>, StoreError> {
        self.0.given(reference)
    }
}

/// What was decided of a booking: with its series, or by its own name.
pub(super) fn request_of(
    store: &dyn Store,
    uid: &BookingUid,
) -> Result<Option<Request>, StoreError> {
    let id = store.request_of(uid)?;
    store.request(&id.unwrap_or_else(|| RequestId::from(uid)))
}

/// How many absences of the account were forgiven within the time that counts. Looked up only for
/// bookings that are over.
fn forgiven(
    store: &dyn Store,
    charge: &Charge,
    terms: &RefundTerms,
    now: Time,
) -> Result<u32, StoreError> {
    let Some(forgive) = terms.forgive else {
        return Ok(0);
    };
    if now < charge.end {
        return Ok(0);
    }
    let subject = Subject::Account(charge.account.clone());
    let history = store.history(&subject, None, MAX_HISTORY)?;
    let recent = history
        .iter()
        .take_while(|written| written.at > now - forgive.per)
        .filter(
            |written| matches!(&written.fact, Fact::Refund { reason, .. } if reason.forgives()),
        );
    Ok(u32::try_from(recent.count()).unwrap_or(u32::MAX))
}
