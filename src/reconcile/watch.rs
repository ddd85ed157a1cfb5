//! The watch: follows up bookings after the decision. Reads what changed, what is due and, in an
//! audit, every open charge; then writes down what follows, one commit per charge. The watch sends
//! nothing, except for unmanaged bookings that are to be cancelled.

mod accepted_move;
mod cancel;
mod cancel_attempt;
mod cancel_basis;
mod cancel_limit;
mod charge_accepted;
mod charges_to_check;
mod ended_bookings;
mod observed_bookings;
pub mod recheck;
pub mod refund_records;
mod request_ids;
mod reschedule_chain;
mod series_occurrences;
pub mod settle;
mod settle_charges;
mod stale_requests;
mod stored_booking;
mod unmanaged;
mod unresolved_list;

use std::collections::BTreeSet;

use super::clock::{CLOCK_OFF, clock_is_off, clock_problem};
use super::context::{PassError, Ports, Session};
use super::dry_run::DryRun;
use super::identity::identify;
use super::predecessor::PredecessorCharge;
use super::report::UnresolvedReport;
use crate::calcom::port::BookingFilter;
use crate::domain::booking::Booking;
use crate::domain::gate::Policy;
use crate::domain::id::{AccountId, BookingUid};
use crate::domain::plan::Problem;
use crate::domain::request::Charge;
use crate::domain::time::{Span, Time};
use crate::domain::watch::ChargeOutcome;
use charges_to_check::{list_for_audit, list_past_bookings, read_open_charges, select_charges};
use observed_bookings::ObservedBookings;
use settle_charges::settle_charges;

/// How far before the last watch changes are requested: clocks differ, and a write may show late.
const OVERLAP: Span = Span::minutes(5);

/// The maximum number of calls to find what the observed bookings replaced. Each call may name a
/// further predecessor; the audit finds the charges behind them individually.
const MAX_PREDECESSOR_CALLS: u64 = 500;

/// How far ahead an audit lists: charged bookings further ahead are read individually.
const HORIZON: Span = Span::days(366);

/// What a watch checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchScope {
    /// When the last watch that finished started.
    pub since: Option<Time>,
    /// Whether to read every open charge, and to find bookings that others accepted.
    pub audit: bool,
}

/// The report of a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchReport {
    /// When the watch started.
    pub started: Time,
    /// When the watch finished.
    pub finished: Time,
    /// Whether the watch read every open charge.
    pub audit: bool,
    /// Why nothing was written or sent, if the watch only reports; the changes are then those that
    /// it would make.
    pub report_only: Option<ReportOnlyReason>,
    /// Whether the watch finished and its decisions were written down.
    pub complete: bool,
    /// The number of open charges that were checked.
    pub checked_charges: usize,
    /// Calls sent to Cal.com.
    pub calls: u64,
    /// The changes that were written down or, if the watch only reports, would be.
    pub changes: Vec<RecordedChange>,
    /// What an operator should know.
    pub problems: Vec<Problem>,
    /// The unresolved list after the watch.
    pub unresolved: UnresolvedReport,
}

/// Why a watch only reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportOnlyReason {
    /// The caller asked what a watch would do.
    DryRun,
    /// A restored backup waits for an operator.
    RestoreOpen,
    /// The local clock and the server's disagree.
    ClockOff,
}

impl ReportOnlyReason {
    /// Returns the reason's name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DryRun => "dry-run",
            Self::RestoreOpen => RESTORE_OPEN,
            Self::ClockOff => CLOCK_OFF,
        }
    }
}

/// The name of the problem in reports, logs and the status.
pub const RESTORE_OPEN: &str = "restore-open";

/// Returns the problem that an operator sees while a restored backup waits.
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

impl WatchReport {
    /// Returns true if the watch has something to report.
    pub fn has_news(&self) -> bool {
        !self.changes.is_empty() || !self.problems.is_empty()
    }

    /// Adds a change to the report, and logs it if it was really made.
    fn record(&mut self, change: RecordedChange) {
        if self.report_only.is_none() {
            tracing::info!(booking = %change.booking, "{}: {}", change.outcome.as_str(), change.text);
        }
        self.changes.push(change);
    }

    /// Adds a change of a booking that has no charge.
    fn record_booking(&mut self, booking: &Booking, outcome: ChargeOutcome, text: String) {
        self.record(RecordedChange {
            booking: booking.uid.clone(),
            account: None,
            outcome,
            text,
        });
    }

    /// Returns true if the watch should stop: nothing more is decided.
    fn should_stop(&self, ports: &Ports<'_>) -> bool {
        ports.stop.is_set() || self.report_only.is_none() && clock_is_off(ports)
    }
}

/// One change that was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedChange {
    /// The booking whose charge or request changed.
    pub booking: BookingUid,
    /// The member; `None` if the booker has no account.
    pub account: Option<AccountId>,
    /// What became of the charge or request.
    pub outcome: ChargeOutcome,
    /// The reason, for logs and operators.
    pub text: String,
}

/// Runs one watch. While a restored backup waits for an operator, and while the clocks disagree,
/// the watch only reports what it would do.
///
/// # Errors
/// Returns an error if Cal.com refuses the key, the key opens another account than the ledger's,
/// the rate limit is used up, Cal.com cannot be listed, or the store fails. Everything that was
/// written is in the log, and the next watch continues.
pub async fn run_watch(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    scope: WatchScope,
) -> Result<WatchReport, PassError> {
    match run_watch_with_report(ports, policy, session, scope, false).await {
        (watched, None) => Ok(watched),
        (_, Some(error)) => Err(error),
    }
}

/// Reports what a watch would write and send; nothing is written or sent.
///
/// # Errors
/// Returns the same errors as [`run_watch`].
pub async fn preview_watch(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    scope: WatchScope,
) -> Result<WatchReport, PassError> {
    match run_watch_with_report(ports, policy, session, scope, true).await {
        (watched, None) => Ok(watched),
        (_, Some(error)) => Err(error),
    }
}

/// Does the same as [`run_watch`], or as [`preview_watch`] with `dry_run`, and returns the report
/// of what was done even if the watch did not finish.
pub async fn run_watch_with_report(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    scope: WatchScope,
    dry_run: bool,
) -> (WatchReport, Option<PassError>) {
    let dry = DryRun::new(ports);
    let ports = &if dry_run { dry.ports(ports) } else { *ports };
    let started = (ports.clock)();
    let calls_before = ports.calendar.calls();
    let mut report = WatchReport {
        started,
        finished: started,
        audit: scope.audit,
        report_only: dry_run.then_some(ReportOnlyReason::DryRun),
        complete: false,
        checked_charges: 0,
        calls: 0,
        changes: Vec::new(),
        problems: Vec::new(),
        unresolved: UnresolvedReport::default(),
    };
    let mut run_result = run_phases(ports, policy, session, scope, &mut report).await;
    match ports
        .store
        .read(|store| UnresolvedReport::read(store))
        .await
    {
        Ok(unresolved) => report.unresolved = unresolved,
        Err(error) => run_result = run_result.and(Err(PassError::Store(error))),
    }
    report.complete =
        run_result.is_ok() && report.report_only.is_none() && !report.should_stop(ports);
    report.finished = (ports.clock)();
    report.calls = ports.calendar.calls() - calls_before;
    (report, run_result.err())
}

async fn run_phases(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    scope: WatchScope,
    report: &mut WatchReport,
) -> Result<(), PassError> {
    let ledger = identify(ports, session).await?;
    if ledger.restored_at.is_some() {
        report
            .report_only
            .get_or_insert(ReportOnlyReason::RestoreOpen);
    }
    let me = session.me(ports).await?.id;
    let mut observed_bookings = ObservedBookings::default();
    let charges = list_and_select(
        ports,
        policy,
        session,
        scope,
        &mut observed_bookings,
        report,
    )
    .await?;
    // A clock difference that the lists have shown applies to everything that is decided from now
    // on.
    if clock_is_off(ports) {
        report.report_only.get_or_insert(ReportOnlyReason::ClockOff);
    }
    let dry = DryRun::new(ports);
    let ports = &match report.report_only {
        Some(_) => dry.ports(ports),
        None => *ports,
    };
    settle_charges(
        ports,
        policy,
        session,
        charges,
        &mut observed_bookings,
        report,
    )
    .await?;
    session.cache_replacements(observed_bookings.bookings());
    if !report.should_stop(ports) {
        let listed_bookings = unresolved_list::read_open_bookings(ports).await?;
        if scope.audit {
            unresolved_list::read_listed_bookings(
                ports,
                &listed_bookings,
                &mut observed_bookings,
                &mut report.problems,
            )
            .await?;
        }
        let due_cancellations = cancel::read_due_cancellations(ports, &policy.limits).await?;
        unmanaged::check_unmanaged(ports, policy, session, me, &observed_bookings, report).await?;
        cancel::retry_cancellations(ports, policy, due_cancellations, report).await?;
    }
    if !report.should_stop(ports) {
        stale_requests::close_stale_requests(ports, scope.since, &observed_bookings, report)
            .await?;
    }
    report.problems.extend(clock_problem(ports));
    if report.report_only == Some(ReportOnlyReason::RestoreOpen) {
        report.problems.push(restore_problem());
    }
    Ok(())
}

/// Lists what changed, and returns the charges to check: in an audit all open charges, otherwise
/// those whose bookings have changed or whose time is over.
async fn list_and_select(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    scope: WatchScope,
    observed_bookings: &mut ObservedBookings,
    report: &mut WatchReport,
) -> Result<Vec<Charge>, PassError> {
    let started = report.started;
    if let Some(since) = scope.since {
        let updated_since = BookingFilter::UpdatedSince(since - OVERLAP);
        observed_bookings
            .list(ports, &updated_since, &mut report.problems)
            .await?;
        let created_since = BookingFilter::CreatedSince(since - OVERLAP);
        observed_bookings
            .list(ports, &created_since, &mut report.problems)
            .await?;
    }
    let open_charges = read_open_charges(ports).await?;
    if scope.audit {
        list_for_audit(
            ports,
            scope,
            &open_charges,
            started,
            observed_bookings,
            report,
        )
        .await?;
        return Ok(open_charges);
    }
    let changed_uids = find_changed_charges(ports, session, observed_bookings, report).await?;
    let charges = select_charges(ports, policy, open_charges, &changed_uids, started).await?;
    list_past_bookings(ports, &charges, started, observed_bookings, report).await?;
    Ok(charges)
}

/// Returns the uids under which charges of the observed bookings may be recorded: those of the
/// bookings, and those of the open charges of bookings that they replaced.
async fn find_changed_charges(
    ports: &Ports<'_>,
    session: &mut Session,
    observed_bookings: &ObservedBookings,
    report: &mut WatchReport,
) -> Result<BTreeSet<BookingUid>, PassError> {
    let mut changed_uids = observed_bookings.uids();
    let calls_before = ports.calendar.calls();
    for uid in observed_bookings.unseen_predecessors() {
        if ports.calendar.calls() - calls_before >= MAX_PREDECESSOR_CALLS {
            report.problems.push(Problem {
                code: "too-many-changes",
                text: format!(
                    "more than {MAX_PREDECESSOR_CALLS} calls to find the bookings that moved \
                     bookings replaced; the audit reads the rest by uid"
                ),
            });
            break;
        }
        let predecessor = tokio::select! {
            biased;
            () = ports.stop.stopped() => break,
            before = session.find_predecessor_charge(ports, &uid, &mut report.problems) => before?,
        };
        if let PredecessorCharge::Open(charge, _) = predecessor {
            changed_uids.insert(charge.booking.uid);
        }
    }
    Ok(changed_uids)
}
