//! Rechecks what a decline depends on, right before it is sent: the open charges of the member.
//! What became of their bookings is settled first, by the same rules as in any watch, so that no
//! booker is declined because of missing credit, or a full cap, that a cancellation gives back.

use std::collections::BTreeSet;

use super::accepted_move::find_move_to_evaluate;
use super::observed_bookings::ObservedBookings;
use super::reschedule_chain::RescheduleChain;
use super::{WatchReport, settle};
use crate::calcom::port::BookingFilter;
use crate::domain::gate::Policy;
use crate::domain::id::{AccountId, BookingUid};
use crate::domain::plan::Problem;
use crate::domain::request::{Charge, ChargeState, RequestState};
use crate::domain::time::{Span, Time};
use crate::domain::watch::ChainEnd;
use crate::reconcile::booking_reads::MIN_BOOKINGS_TO_LIST;
use crate::reconcile::context::{PassError, Ports};
use crate::reconcile::report::UnresolvedReport;
use crate::reconcile::store_reads;

/// How long before its end a booking may have started.
const MAX_BOOKING_LENGTH: Span = Span::days(31);

/// How far ahead bookings are made.
const LOOKAHEAD: Span = Span::days(366 * 20);

/// The maximum number of charges of one account that are checked.
const MAX_CHARGES: usize = 1_000;

/// The result of a recheck.
#[derive(Debug, Default)]
pub struct RecheckResult {
    /// Accounts for which something was settled: their requests are decided again.
    pub changed_accounts: BTreeSet<AccountId>,
    /// Accounts with a charge that could not be read: nothing is known about it.
    pub unread_accounts: BTreeSet<AccountId>,
    /// Accounts with a charge that something else settles: the next watch, which evaluates a move
    /// by the rules of a gate, or the end of our own cancellation.
    pub unsettled_accounts: BTreeSet<AccountId>,
    /// What an operator should know.
    pub problems: Vec<Problem>,
}

/// Reads the bookings of the accounts' open charges and settles what became of them. One list call
/// serves all accounts; bookings that the list does not show are read individually.
///
/// # Errors
/// Returns an error if Cal.com refuses the key or the store fails. Anything else that cannot be
/// read counts as unread.
pub async fn recheck(
    ports: &Ports<'_>,
    policy: &Policy,
    accounts: BTreeSet<AccountId>,
) -> Result<RecheckResult, PassError> {
    let now = (ports.clock)();
    let account_ids = accounts.clone();
    let charges = ports.store.read(move |store| {
        let mut open_charges: Vec<Charge> = Vec::new();
        for account in &account_ids {
            let account_charges = store.charges_of(
                account,
                now - MAX_BOOKING_LENGTH,
                now + LOOKAHEAD,
                MAX_CHARGES,
            )?;
            // Past bookings are included: they may have been cancelled or moved before, and no
            // watch has run since.
            let is_open = |charge: &Charge| charge.state == ChargeState::Open;
            open_charges.extend(account_charges.into_iter().filter(is_open));
        }
        Ok(open_charges)
    });
    let charges = charges.await.map_err(PassError::Store)?;
    let mut watch_report = new_watch_report(now);
    let mut result = RecheckResult::default();
    if charges.is_empty() {
        return Ok(result);
    }
    match settle_all(ports, policy, &charges, &mut watch_report, &mut result).await {
        Ok(()) => {}
        Err(error @ (PassError::Credential(_) | PassError::Store(_) | PassError::Commit(_))) => {
            return Err(error);
        }
        Err(error) => {
            result.unread_accounts.extend(accounts);
            result.problems.push(Problem {
                code: "unread-charge",
                text: format!(
                    "the bookings that declines depend on could not be read, so the declines \
                     wait for the next pass: {error}"
                ),
            });
        }
    }
    result.problems.extend(watch_report.problems);
    Ok(result)
}

async fn settle_all(
    ports: &Ports<'_>,
    policy: &Policy,
    charges: &[Charge],
    watch_report: &mut WatchReport,
    result: &mut RecheckResult,
) -> Result<(), PassError> {
    let mut observed_bookings = ObservedBookings::default();
    if charges.len() >= MIN_BOOKINGS_TO_LIST {
        let from = watch_report.started;
        let to = charges.iter().map(|charge| charge.end).max();
        let to = to.unwrap_or(from);
        observed_bookings
            .list_first_page(ports, &BookingFilter::Upcoming { from, to })
            .await?;
    }
    observed_bookings
        .read_charged_bookings(ports, charges, &mut watch_report.problems)
        .await?;
    for charge in charges {
        if ports.stop.is_set() {
            result.unread_accounts.insert(charge.account.clone());
            continue;
        }
        let problems = &mut watch_report.problems;
        let chain = observed_bookings
            .follow_chain(ports, &charge.booking, problems)
            .await?;
        if chain.end == ChainEnd::Unread {
            result.unread_accounts.insert(charge.account.clone());
        }
        // Only the watch evaluates the rules of a gate, and the decline may depend on their result.
        if let Some(moved) = find_move_to_evaluate(ports, policy, charge, &chain).await? {
            result.unsettled_accounts.insert(charge.account.clone());
            result.problems.push(Problem {
                code: "unjudged-move",
                text: format!(
                    "booking {} was moved and accepted at once: the next watch evaluates the \
                     rules of its gate, and declines that depend on it wait until then",
                    moved.booking.uid
                ),
            });
            continue;
        }
        if let Some(cancelled_uid) = find_open_cancellation(ports, &chain).await? {
            result.unsettled_accounts.insert(charge.account.clone());
            result.problems.push(Problem {
                code: "cancellation-open",
                text: format!(
                    "maitred is cancelling booking {cancelled_uid}, and the result is not known \
                     yet: declines that depend on its charge wait until it is known"
                ),
            });
            continue;
        }
        let changes_before = watch_report.changes.len();
        settle::settle(ports, policy, charge, chain, watch_report).await?;
        if watch_report.changes.len() > changes_before {
            result.changed_accounts.insert(charge.account.clone());
        }
    }
    Ok(())
}

/// Returns the last booking of the chain if maitred has decided to cancel it and that decision is
/// not settled: the credits come back, or not, when the decision is settled.
async fn find_open_cancellation(
    ports: &Ports<'_>,
    chain: &RescheduleChain,
) -> Result<Option<BookingUid>, PassError> {
    let Some(last) = chain.bookings.last() else {
        return Ok(None);
    };
    let uid = last.uid.clone();
    let request = ports
        .store
        .read(move |store| store_reads::find_request(store, &uid));
    let request = request.await.map_err(PassError::Store)?;
    let is_open = request.is_some_and(|request| {
        request.state == RequestState::Recorded && request.cancels_accepted()
    });
    Ok(is_open.then(|| last.uid.clone()))
}

fn new_watch_report(now: Time) -> WatchReport {
    WatchReport {
        started: now,
        finished: now,
        audit: false,
        report_only: None,
        complete: true,
        checked_charges: 0,
        calls: 0,
        changes: Vec::new(),
        problems: Vec::new(),
        unresolved: UnresolvedReport::default(),
    }
}
