//! Looks once more at what a decline rests on, right before it is sent: the open charges of the
//! member. What became of their bookings is settled first, by the same rules as in any watch, so that
//! nobody is declined for want of credit, or over a cap, that a cancellation gives back.

use std::collections::BTreeSet;

use super::accepted_move::to_be_judged;
use super::look::{Chain, Seen};
use super::{LIST_FROM, Watched, settle};
use crate::calcom::port::Select;
use crate::domain::gate::Policy;
use crate::domain::id::{AccountId, BookingUid};
use crate::domain::plan::Problem;
use crate::domain::request::{Charge, ChargeState, RequestState};
use crate::domain::time::{Span, Time};
use crate::domain::watch::ChainEnd;
use crate::reconcile::ports::{PassError, Ports};
use crate::reconcile::report::Listed;

/// How long before its end a booking may have started.
const LONGEST: Span = Span::days(31);

/// How far ahead bookings are made.
const AHEAD: Span = Span::days(366 * 20);

/// Open charges of one account that are looked at.
const MAX_CHARGES: usize = 1_000;

/// What looking gave.
#[derive(Debug, Default)]
pub struct Rechecked {
    /// Accounts of which something was settled: decide again.
    pub changed: BTreeSet<AccountId>,
    /// Accounts of which a charge could not be read: nothing is known.
    pub unread: BTreeSet<AccountId>,
    /// Accounts with a charge that something else settles: the next watch, which asks the rules of a gate
    /// about a move, or the end of our own cancellation.
    pub unsettled: BTreeSet<AccountId>,
    pub problems: Vec<Problem>,
}

/// Reads the bookings of the accounts' open charges and settles what became of them. One list call
/// serves all accounts; what it does not show is read by name.
///
/// # Errors
/// When the key is refused or the store fails. Whatever else cannot be read counts as unread.
pub async fn recheck(
    ports: &Ports<'_>,
    policy: &Policy,
    accounts: BTreeSet<AccountId>,
) -> Result<Rechecked, PassError> {
    let now = (ports.clock)();
    let asked = accounts.clone();
    let charges = ports.store.with(move |store| {
        let mut open: Vec<Charge> = Vec::new();
        for account in &asked {
            let of = store.charges_of(account, now - LONGEST, now + AHEAD, MAX_CHARGES)?;
            // Also of what is over: it may have been cancelled or moved before, and no watch has come yet.
            let is_open = |charge: &Charge| charge.state == ChargeState::Open;
            open.extend(of.into_iter().filter(is_open));
        }
        Ok(open)
    });
    let charges = charges.await.map_err(PassError::Store)?;
    let mut watched = watched(now);
    let mut checked = Rechecked::default();
    if charges.is_empty() {
        return Ok(checked);
    }
    match settle_all(ports, policy, &charges, &mut watched, &mut checked).await {
        Ok(()) => {}
        Err(error @ (PassError::Credential(_) | PassError::Store(_) | PassError::Commit(_))) => {
            return Err(error);
        }
        Err(error) => {
            checked.unread.extend(accounts);
            checked.problems.push(Problem {
                code: "unread-charge",
                text: format!(
                    "what declines rest on could not be read, so they are left for the next pass: \
                     {error}"
                ),
            });
        }
    }
    checked.problems.extend(watched.problems);
    Ok(checked)
}

async fn settle_all(
    ports: &Ports<'_>,
    policy: &Policy,
    charges: &[Charge],
    watched: &mut Watched,
    checked: &mut Rechecked,
) -> Result<(), PassError> {
    let mut seen = Seen::default();
    if charges.len() >= LIST_FROM {
        let from = watched.started;
        let to = charges.iter().map(|charge| charge.end).max();
        let to = to.unwrap_or(from);
        seen.first_page(ports, &Select::Upcoming { from, to })
            .await?;
    }
    seen.read(ports, charges, &mut watched.problems).await?;
    for charge in charges {
        if ports.stop.is_set() {
            checked.unread.insert(charge.account.clone());
            continue;
        }
        let problems = &mut watched.problems;
        let chain = seen.chain(ports, &charge.booking, problems).await?;
        if chain.end == ChainEnd::Unread {
            checked.unread.insert(charge.account.clone());
        }
        // Only the watch asks the rules of a gate, and the decline may rest on what they say.
        if let Some((moved, _)) = to_be_judged(ports, policy, charge, &chain).await? {
            checked.unsettled.insert(charge.account.clone());
            checked.problems.push(Problem {
                code: "unjudged-move",
                text: format!(
                    "booking {} was moved and accepted at once: the next watch asks the rules of its \
                     gate, and declines that rest on it wait until then",
                    moved.uid
                ),
            });
            continue;
        }
        if let Some(cancelled) = being_cancelled(ports, &chain).await? {
            checked.unsettled.insert(charge.account.clone());
            checked.problems.push(Problem {
                code: "cancellation-open",
                text: format!(
                    "maitred is cancelling booking {cancelled}, and the end of that is not known: \
                     declines that rest on its charge wait until it is"
                ),
            });
            continue;
        }
        let before = watched.changes.len();
        settle::settle(ports, policy, charge, chain, watched).await?;
        if watched.changes.len() > before {
            checked.changed.insert(charge.account.clone());
        }
    }
    Ok(())
}

/// Returns the last booking of the chain when maitred has decided to cancel it and that decision is not
/// settled: the credits come back, or not, when it is.
async fn being_cancelled(
    ports: &Ports<'_>,
    chain: &Chain,
) -> Result<Option<BookingUid>, PassError> {
    let Some(last) = chain.bookings.last() else {
        return Ok(None);
    };
    let uid = last.uid.clone();
    let request = ports
        .store
        .with(move |store| settle::request_of(store, &uid));
    let request = request.await.map_err(PassError::Store)?;
    let open = request.is_some_and(|request| {
        request.state == RequestState::Recorded && request.cancels_accepted()
    });
    Ok(open.then(|| last.uid.clone()))
}

fn watched(now: Time) -> Watched {
    Watched {
        started: now,
        finished: now,
        audit: false,
        held_back: None,
        complete: true,
        checked: 0,
        calls: 0,
        changes: Vec::new(),
        problems: Vec::new(),
        unresolved: Listed::default(),
    }
}
