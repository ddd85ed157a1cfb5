//! The watch: what became of bookings after the decision. Reads what changed, what is due, and in
//! an audit every open charge; then writes down what follows, one commit a charge. It sends nothing,
//! but for unmanaged bookings that are to be cancelled.

mod accepted_move;
mod cancel;
mod listed;
mod look;
mod notes;
pub mod recheck;
pub mod settle;
mod unmanaged;

use std::collections::BTreeSet;

use super::chain::Before;
use super::clock::{CLOCK_OFF, clock_is_off, clock_problem};
use super::dry_run::DryRun;
use super::identity::identify;
use super::observe::declined;
use super::ports::{PassError, Ports, Session};
use super::report::Listed;
use crate::calcom::port::Select;
use crate::domain::gate::Policy;
use crate::domain::id::{AccountId, BookingUid};
use crate::domain::plan::Problem;
use crate::domain::request::{Charge, ChargeState};
use crate::domain::time::{Span, Time};
use crate::domain::unresolved::UnresolvedCode;
use crate::domain::watch::What;
use accepted_move::Judged;
use listed::Finding;
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
    /// Why nothing was written or sent, when that was not to be; the changes are then those that
    /// would be made.
    pub held_back: Option<HeldBack>,
    /// Whether the watch came to its end and what it decided was written down.
    pub complete: bool,
    /// Open charges that were looked at.
    pub checked: usize,
    pub calls: u64,
    pub changes: Vec<Change>,
    pub problems: Vec<Problem>,
    /// What is on the unresolved list after it.
    pub unresolved: Listed,
}

/// Why a watch only reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBack {
    /// It was asked what a watch would do.
    DryRun,
    /// A restored backup waits for an operator.
    RestoreOpen,
    /// The local clock and the server's disagree.
    ClockOff,
}

impl HeldBack {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DryRun => "dry-run",
            Self::RestoreOpen => RESTORE_OPEN,
            Self::ClockOff => CLOCK_OFF,
        }
    }
}

/// What the problem is called in reports, logs and the status.
pub const RESTORE_OPEN: &str = "restore-open";

/// What an operator is told while a restored backup waits.
pub(super) fn restore_problem() -> Problem {
    Problem {
        code: RESTORE_OPEN,
        text: "the ledger was restored from a backup, and what happened after it is not in it: \
               no request is confirmed or declined, and a watch only reports. Look at what \
               `maitred run --once --dry-run --watch` lists, then run `maitred ledger \
               accept-restore --reason TEXT`"
            .to_owned(),
    }
}

impl Watched {
    /// Whether the watch has something to report.
    pub fn tells(&self) -> bool {
        !self.changes.is_empty() || !self.problems.is_empty()
    }

    /// Takes a change into the report, and into the log when it was really made.
    fn record(&mut self, change: Change) {
        if self.held_back.is_none() {
            tracing::info!(booking = %change.booking, "{}: {}", change.what.as_str(), change.text);
        }
        self.changes.push(change);
    }

    /// Whether to break off: nothing more is decided.
    fn stops(&self, ports: &Ports<'_>) -> bool {
        ports.stop.is_set() || self.held_back.is_none() && clock_is_off(ports)
    }
}

/// One thing that was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub booking: BookingUid,
    pub account: Option<AccountId>,
    pub what: What,
    pub text: String,
}

/// Watches once. While a restored backup waits for an operator, and while the clocks disagree, it only
/// reports what it would do.
///
/// # Errors
/// When the key is refused or opens another account than the ledger's, the rate limit is used up,
/// Cal.com cannot be listed or the store fails. What was written is in the log, and the next watch
/// goes on.
pub async fn watch(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    look: Look,
) -> Result<Watched, PassError> {
    match watch_to_its_end(ports, policy, session, look, false).await {
        (watched, None) => Ok(watched),
        (_, Some(error)) => Err(error),
    }
}

/// Reports what a watch would write and send; nothing is written or sent.
///
/// # Errors
/// As [`watch`].
pub async fn preview(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    look: Look,
) -> Result<Watched, PassError> {
    match watch_to_its_end(ports, policy, session, look, true).await {
        (watched, None) => Ok(watched),
        (_, Some(error)) => Err(error),
    }
}

/// As [`watch`], or with `dry_run` as [`preview`], with the report of what was done also where it
/// could not come to its end.
pub async fn watch_to_its_end(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    look: Look,
    dry_run: bool,
) -> (Watched, Option<PassError>) {
    let dry = DryRun::of(ports);
    let ports = &if dry_run { dry.ports(ports) } else { *ports };
    let started = (ports.clock)();
    let calls = ports.calendar.calls();
    let mut watched = Watched {
        started,
        finished: started,
        audit: look.audit,
        held_back: dry_run.then_some(HeldBack::DryRun),
        complete: false,
        checked: 0,
        calls: 0,
        changes: Vec::new(),
        problems: Vec::new(),
        unresolved: Listed::default(),
    };
    let mut end = run(ports, policy, session, look, &mut watched).await;
    match ports.store.with(|store| Listed::read(store)).await {
        Ok(unresolved) => watched.unresolved = unresolved,
        Err(error) => end = end.and(Err(PassError::Store(error))),
    }
    watched.complete = end.is_ok() && watched.held_back.is_none() && !watched.stops(ports);
    watched.finished = (ports.clock)();
    watched.calls = ports.calendar.calls() - calls;
    (watched, end.err())
}

async fn run(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    look: Look,
    watched: &mut Watched,
) -> Result<(), PassError> {
    let started = watched.started;
    let ledger = identify(ports, session).await?;
    if ledger.restored.is_some() {
        watched.held_back.get_or_insert(HeldBack::RestoreOpen);
    }
    let me = session.me(ports).await?.id;
    let mut seen = Seen::default();
    if let Some(since) = look.since {
        let written = Select::UpdatedSince(since - OVERLAP);
        seen.list(ports, &written, &mut watched.problems).await?;
        let made = Select::CreatedSince(since - OVERLAP);
        seen.list(ports, &made, &mut watched.problems).await?;
    }
    let open = open_charges(ports).await?;
    let mut wanted = if look.audit {
        audit_lists(ports, look, &open, started, &mut seen, watched).await?;
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
            if let Before::Open(charge, _) = before {
                roots.insert(charge.booking.uid);
            }
        }
        let wanted = wanted(ports, policy, open, &roots, started).await?;
        past_lists(ports, &wanted, started, &mut seen, watched).await?;
        wanted
    };
    // What the lists have shown of the clocks counts for everything that is decided now.
    if clock_is_off(ports) {
        watched.held_back.get_or_insert(HeldBack::ClockOff);
    }
    let dry = DryRun::of(ports);
    let ports = &match watched.held_back {
        Some(_) => dry.ports(ports),
        None => *ports,
    };
    // In the order in which they end, so that one late watch forgives the absences that timely ones would
    // have forgiven.
    wanted.sort_by(|a, b| (a.end, &a.booking.uid).cmp(&(b.end, &b.booking.uid)));
    for chunk in wanted.chunks(CHUNK) {
        if watched.stops(ports) {
            break;
        }
        seen.read(ports, chunk, &mut watched.problems).await?;
        for charge in chunk {
            if watched.stops(ports) {
                break;
            }
            let problems = &mut watched.problems;
            let chain = seen.chain(ports, &charge.booking, problems).await?;
            watched.checked += 1;
            if moves_on(ports, policy, session, charge, &chain, watched).await? {
                settle::settle(ports, policy, charge, chain, watched).await?;
            }
        }
    }
    session.learn(seen.bookings());
    if !watched.stops(ports) {
        let on_list = listed::open(ports).await?;
        if look.audit {
            listed::read(ports, &on_list, &mut seen, &mut watched.problems).await?;
        }
        let begun = cancel::begun(ports, &policy.limits).await?;
        unmanaged::unmanaged(ports, policy, session, me, &seen, watched).await?;
        cancel::go_on(ports, policy, begun, watched).await?;
    }
    if !watched.stops(ports) {
        notes::notes(ports, look.since, &seen, watched).await?;
    }
    watched.problems.extend(clock_problem(ports));
    if watched.held_back == Some(HeldBack::RestoreOpen) {
        watched.problems.push(restore_problem());
    }
    Ok(())
}

/// Whether the charge may be settled by its chain now. A move that was accepted without a pass is judged
/// first, where the gate asks for that.
async fn moves_on(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    charge: &Charge,
    chain: &look::Chain,
    watched: &mut Watched,
) -> Result<bool, PassError> {
    let asked = accepted_move::to_be_judged(ports, policy, charge, chain).await?;
    let Some((last, gate)) = asked else {
        return Ok(true);
    };
    match accepted_move::judge(ports, policy, session, last, &mut watched.problems).await? {
        Judged::Keep => Ok(true),
        Judged::Later => Ok(false),
        Judged::Review(why) => {
            let detail = format!("at once after a move, and its gate asks for a review: {why}");
            let account = Some(charge.account.clone());
            let code = UnresolvedCode::AcceptedMove;
            listed::list(ports, Finding::of(last, code, account, detail), watched).await?;
            Ok(true)
        }
        Judged::Cancel(_) if declined(ports, policy).await? >= policy.limits.declines.at_most => {
            unmanaged::tell_of_limit(watched);
            let detail = "at once after a move, and is to be cancelled".to_owned();
            let account = Some(charge.account.clone());
            let code = UnresolvedCode::AcceptedMove;
            listed::list(ports, Finding::of(last, code, account, detail), watched).await?;
            Ok(false)
        }
        Judged::Cancel(why) => {
            let id = unmanaged::fresh_id(ports, &last.uid).await?;
            let Some(id) = id else { return Ok(true) };
            cancel::cancel(ports, policy, (last, gate), (id, why), watched).await?;
            Ok(false)
        }
    }
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
