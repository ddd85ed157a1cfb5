//! The watch: what became of bookings after the decision. Reads what changed, what is due, and in
//! an audit every open charge; then writes down what follows, one commit a charge. It sends nothing,
//! but for unmanaged bookings that are to be cancelled.

mod look;
mod notes;
pub mod settle;
mod unmanaged;

use std::collections::BTreeSet;

use super::chain::Before;
use super::ports::{PassError, Ports, Session};
use super::report::Listed;
use crate::calcom::port::Select;
use crate::domain::gate::Policy;
use crate::domain::id::{AccountId, BookingUid};
use crate::domain::plan::Problem;
use crate::domain::request::{Charge, ChargeState};
use crate::domain::time::{Span, Time};
use crate::domain::watch::What;
use look::Seen;

/// How far before the last watch changes are asked for: clocks differ, and a write may show late.
const OVERLAP: Span = Span::minutes(5);

/// Calls that are spent on what bookings seen had replaced. Each may name another one; the audit finds
/// the charges behind them by name.
const LOOKED_BACK: u64 = 500;

/// Charges read and settled in one go, before it is looked whether to stop.
const CHUNK: usize = 64;

/// Open charges read from the store at once.
const CHARGES_AT_ONCE: usize = 1_000;

/// From this many on, listing is cheaper than reading each by name.
const LIST_FROM: usize = 3;

/// How far ahead an audit lists: what is booked further ahead and charged is read by name.
const HORIZON: Span = Span::days(366);

/// How far back an audit lists when it is not known when the last one was.
const FIRST_AUDIT: Span = Span::days(2);

/// What to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// When the last watch that came to its end began.
    pub since: Option<Time>,
    /// Read every open charge, and find bookings that others accepted.
    pub audit: bool,
}

/// What the watch did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    pub started: Time,
    pub finished: Time,
    pub audit: bool,
    /// Open charges that were looked at.
    pub checked: usize,
    pub calls: u64,
    pub changes: Vec<Change>,
    pub problems: Vec<Problem>,
    /// What is on the unresolved list after it.
    pub unresolved: Listed,
}

/// One thing that was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub booking: BookingUid,
    pub account: Option<AccountId>,
    pub what: What,
    pub text: String,
}

/// Watches once.
///
/// # Errors
/// When the key is refused, the rate limit is used up, Cal.com cannot be listed or the store fails.
/// What was written is in the log, and the next watch goes on.
pub async fn watch(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    look: Look,
) -> Result<Watched, PassError> {
    let started = (ports.clock)();
    let calls = ports.calendar.calls();
    let me = session.me(ports).await?.id;
    let mut watched = Watched {
        started,
        finished: started,
        audit: look.audit,
        checked: 0,
        calls: 0,
        changes: Vec::new(),
        problems: Vec::new(),
        unresolved: Listed::default(),
    };
    let mut seen = Seen::default();
    if let Some(since) = look.since {
        let select = Select::UpdatedSince(since - OVERLAP);
        seen.list(ports, &select, &mut watched.problems).await?;
    }
    let open = open_charges(ports).await?;
    let taken = taken_over(ports).await?;
    let wanted = if look.audit {
        audit_lists(ports, look, &open, started, &mut seen, &mut watched).await?;
        open
    } else {
        let mut roots = seen.roots();
        let asked = ports.calendar.calls();
        for from in seen.replaced() {
            if ports.calendar.calls() - asked >= LOOKED_BACK {
                watched.problems.push(Problem {
                    code: "too-many-changes",
                    text: format!(
                        "more than {LOOKED_BACK} calls to find what moved bookings replaced; the \
                         audit reads the rest by name"
                    ),
                });
                break;
            }
            let before = tokio::select! {
                biased;
                () = ports.stop.told() => break,
                before = session.charge_before(ports, &from, &mut watched.problems) => before?,
            };
            if let Before::Open(charge) = before {
                roots.insert(charge.booking.uid);
            }
        }
        let wanted = wanted(ports, policy, open, &roots, started).await?;
        past_lists(ports, &wanted, started, &mut seen, &mut watched).await?;
        wanted
    };
    for chunk in wanted.chunks(CHUNK) {
        if ports.stop.is_set() {
            break;
        }
        seen.read(ports, chunk, &mut watched.problems).await?;
        for charge in chunk {
            if ports.stop.is_set() {
                break;
            }
            let problems = &mut watched.problems;
            let chain = seen.chain(ports, &charge.booking, problems).await?;
            watched.checked += 1;
            let sight = (chain, taken.contains(&charge.booking.uid));
            settle::settle(ports, policy, charge, sight, &mut watched).await?;
        }
    }
    session.learn(seen.bookings());
    if !ports.stop.is_set() {
        unmanaged::unmanaged(ports, policy, session, me, &seen, &mut watched).await?;
        notes::notes(ports, look.since, &seen, &mut watched).await?;
    }
    let unresolved = ports.store.with(|store| Listed::read(store)).await;
    watched.unresolved = unresolved.map_err(PassError::Store)?;
    watched.finished = (ports.clock)();
    watched.calls = ports.calendar.calls() - calls;
    Ok(watched)
}

async fn open_charges(ports: &Ports<'_>) -> Result<Vec<Charge>, PassError> {
    let mut all: Vec<Charge> = Vec::new();
    loop {
        let after = all.last().map(|charge| charge.booking.uid.clone());
        let page = ports
            .store
            .with(move |store| store.open_charges(after.as_ref(), CHARGES_AT_ONCE))
            .await
            .map_err(PassError::Store)?;
        let full = page.len() == CHARGES_AT_ONCE;
        all.extend(page);
        if !full {
            // What is held belongs to an intent, and those are the pass's to finish.
            all.retain(|charge| charge.state == ChargeState::Open);
            return Ok(all);
        }
    }
}

/// The charges that open intents take over. No pass begins one while a watch is under way.
async fn taken_over(ports: &Ports<'_>) -> Result<BTreeSet<BookingUid>, PassError> {
    let open = ports.store.with(|store| store.open_intents(usize::MAX));
    let open = open.await.map_err(PassError::Store)?;
    Ok(open.into_iter().filter_map(|one| one.carries).collect())
}

/// The open charges that a short watch looks at: those that something was seen of, and those whose
/// time is over.
async fn wanted(
    ports: &Ports<'_>,
    policy: &Policy,
    open: Vec<Charge>,
    roots: &BTreeSet<BookingUid>,
    now: Time,
) -> Result<Vec<Charge>, PassError> {
    let (mut wanted, rest): (Vec<Charge>, Vec<Charge>) = open
        .into_iter()
        .partition(|charge| roots.contains(&charge.booking.uid));
    let over: Vec<Charge> = rest.into_iter().filter(|c| c.end <= now).collect();
    let policy = policy.clone();
    let due = ports
        .store
        .with(move |store| settle::due(store, &policy, over, now))
        .await
        .map_err(PassError::Store)?;
    wanted.extend(due);
    Ok(wanted)
}

/// Lists what is over in the time that the wanted charges span, when that is cheaper than by name.
async fn past_lists(
    ports: &Ports<'_>,
    wanted: &[Charge],
    now: Time,
    seen: &mut Seen,
    watched: &mut Watched,
) -> Result<(), PassError> {
    let missing = || {
        wanted
            .iter()
            .filter(|c| c.end <= now && !seen.has(&c.booking.uid))
    };
    if missing().count() < LIST_FROM {
        return Ok(());
    }
    let from = missing().map(|charge| charge.start).min().unwrap_or(now);
    let to = missing().map(|charge| charge.end).max().unwrap_or(now);
    let select = Select::Past { from, to };
    seen.list(ports, &select, &mut watched.problems).await?;
    Ok(())
}

/// All that stands or stood lately: for the open charges, and to find what others accepted.
async fn audit_lists(
    ports: &Ports<'_>,
    look: Look,
    open: &[Charge],
    now: Time,
    seen: &mut Seen,
    watched: &mut Watched,
) -> Result<(), PassError> {
    let to = now + HORIZON;
    let upcoming = Select::Upcoming { from: now, to };
    seen.list(ports, &upcoming, &mut watched.problems).await?;
    let over = open.iter().filter(|charge| charge.end <= now);
    let oldest = over.map(|charge| charge.start).min().unwrap_or(now);
    let last = look.since.unwrap_or(now).min(now - FIRST_AUDIT);
    let past = Select::Past {
        from: oldest.min(last),
        to: now,
    };
    seen.list(ports, &past, &mut watched.problems).await?;
    Ok(())
}
