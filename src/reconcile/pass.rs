//! Runs one pass, from observing to reporting. The caller provides the ports and ensures that
//! passes do not overlap.

use std::collections::BTreeMap;

use super::allowances::{AllowanceReport, grant_due};
use super::booking_pass::{BookingObservation, observe_booking};
use super::clock::clock_problem;
use super::context::{PassError, Ports, Session};
use super::dry_run::DryRun;
use super::execute::{ExecutionReport, execute};
use super::identity::identify;
use super::observe::{Observation, observe};
use super::report::{Deferral, PassReport, UnresolvedReport};
use super::watch::recheck::recheck;
use super::watch::restore_problem;
use crate::domain::gate::Policy;
use crate::domain::id::BookingUid;
use crate::domain::plan::Plan;

async fn identify_and_observe(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    booking: Option<&BookingUid>,
    allowances: &mut AllowanceReport,
) -> Result<BookingObservation, PassError> {
    let ledger = identify(ports, session).await?;
    // The pass sees the credits. A dry run's scan says nothing about the real accounts.
    let mut scan = session.allowances.clone();
    *allowances = grant_due(ports, &policy.global, &ledger, &mut scan).await?;
    if !ports.store.is_scratch() {
        session.allowances = scan;
    }
    if let Some(booking) = booking {
        return observe_booking(ports, policy, session, booking).await;
    }
    let observation: Observation = observe(ports, policy, session).await?;
    Ok(BookingObservation::Observed(Box::new(observation)))
}

/// Runs a pass. With `dry_run`, the pass stops before anything is written or sent.
///
/// # Errors
/// Returns an error if Cal.com refuses the key, Cal.com cannot be listed, or the store fails.
/// Everything that was started is in the log, and the next pass continues.
pub async fn run_pass(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    dry_run: bool,
) -> Result<PassReport, PassError> {
    match run_pass_with_report(ports, policy, session, dry_run).await {
        (report, None) => Ok(report),
        (_, Some(error)) => Err(error),
    }
}

/// Does the same as [`run_pass`], and returns the report of what was done even if the pass did not
/// finish.
pub async fn run_pass_with_report(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    dry_run: bool,
) -> (PassReport, Option<PassError>) {
    run_reported(ports, policy, session, dry_run, None).await
}

/// Runs a pass over one booking, or an ordinary pass if an older request has to be decided first.
/// The report has only what was done about the booking.
pub async fn run_booking_pass(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    booking: &BookingUid,
) -> (PassReport, Option<PassError>) {
    let (mut report, error) = run_reported(ports, policy, session, false, Some(booking)).await;
    report.steps.retain(|step| {
        let mut bookings = step.request.bookings.iter();
        bookings.any(|one| one.uid == *booking)
    });
    (report, error)
}

async fn run_reported(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    dry_run: bool,
    booking: Option<&BookingUid>,
) -> (PassReport, Option<PassError>) {
    let dry = DryRun::new(ports);
    let ports = &if dry_run { dry.ports(ports) } else { *ports };
    let started = (ports.clock)();
    let calls_before = ports.calendar.calls();
    let mut report = PassReport {
        started,
        finished: started,
        listed: false,
        pending_count: 0,
        calls: 0,
        dry_run,
        steps: Vec::new(),
        allowances: AllowanceReport::default(),
        balances: BTreeMap::new(),
        problems: Vec::new(),
        deferral: Deferral::default(),
        unresolved: UnresolvedReport::default(),
        more: false,
    };
    let mut run_result = run_phases(ports, policy, session, &mut report, booking).await;
    match ports
        .store
        .read(|store| UnresolvedReport::read(store))
        .await
    {
        Ok(unresolved) => report.unresolved = unresolved,
        Err(error) => run_result = run_result.and(Err(PassError::Store(error))),
    }
    report.finished = (ports.clock)();
    report.calls = ports.calendar.calls() - calls_before;
    (report, run_result.err())
}

async fn run_phases(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    report: &mut PassReport,
    booking: Option<&BookingUid>,
) -> Result<(), PassError> {
    // Observing writes nothing but allowances, whole commits at a time, so it may be abandoned at
    // any point.
    let observation = tokio::select! {
        biased;
        observation = identify_and_observe(ports, policy, session, booking, &mut report.allowances) => observation?,
        () = ports.stop.stopped() => {
            report.more = true;
            return Ok(());
        }
    };
    let mut observation = match observation {
        BookingObservation::Observed(observation) => *observation,
        BookingObservation::NotDecided(problem) => {
            report.problems.push(problem);
            return Ok(());
        }
    };
    report.pending_count = observation.pending_count;
    report.problems = std::mem::take(&mut report.allowances.problems);
    report.problems.append(&mut observation.problems);
    report.deferral = observation.deferral;
    report.listed = !observation.deferral.list_incomplete;
    if observation.snapshot.clock_skewed {
        report.problems.extend(clock_problem(ports));
    }
    if observation.snapshot.restore_pending {
        report.problems.push(restore_problem());
    }
    recheck_declines(ports, policy, &mut observation.plan, report).await?;
    if report.dry_run {
        report.steps = PassReport::planned_steps(&observation.plan);
        report.balances = PassReport::compute_balances(&observation.plan, &observation.snapshot);
        report.problems.extend(observation.plan.problems);
        return Ok(());
    }
    let mut execution = ExecutionReport::default();
    let planned_at = observation.snapshot.now;
    let limits = &policy.limits;
    let execute_result = execute(ports, limits, planned_at, observation.plan, &mut execution).await;
    report.steps = execution.steps;
    report.problems.extend(execution.problems);
    report.more |= execution.more || observation.more;
    match execute_result {
        // A rate limit that outlasts the pass is not a failure of the pass; the next pass
        // continues.
        Err(error @ PassError::Limited { .. }) => {
            report.problems.push(crate::domain::plan::Problem {
                code: "rate-limited",
                text: error.to_string(),
            });
            Ok(())
        }
        end => end,
    }
}

/// Rechecks what the declines depend on. Declines that depend on something that has changed, cannot
/// be read or waits for the watch are left for a later pass.
async fn recheck_declines(
    ports: &Ports<'_>,
    policy: &Policy,
    plan: &mut Plan,
    report: &mut PassReport,
) -> Result<(), PassError> {
    let accounts = plan.accounts_declines_depend_on();
    if accounts.is_empty() {
        return Ok(());
    }
    let recheck_result = recheck(ports, policy, accounts).await?;
    report.problems.extend(recheck_result.problems);
    report.more |= !recheck_result.changed_accounts.is_empty();
    plan.defer_declines(&recheck_result.changed_accounts);
    plan.defer_declines(&recheck_result.unsettled_accounts);
    report.deferral.requests += plan.defer_declines(&recheck_result.unread_accounts);
    Ok(())
}
