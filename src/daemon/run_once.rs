//! One run from a timer or by hand: passes until nothing is left that this run could do.

use super::metrics::registry::Metrics;
use crate::domain::gate::Policy;
use crate::reconcile::allowance_scan::AllowanceScan;
use crate::reconcile::context::{PassError, Ports, Session};
use crate::reconcile::pass::run_pass_with_report;
use crate::reconcile::report::{PassReport, StepOutcome};

/// Most passes of one run: enough for 10,000 requests at 250 per pass, and for some passes that had
/// to plan again.
const MAX_PASSES: usize = 60;

/// Runs passes until one has nothing more to do, and merges their reports into one, even when one
/// of them failed. Each pass counts in the metrics. `allowances` is what is known about scans for
/// allowances.
pub async fn pass_until_idle(
    ports: &Ports<'_>,
    policy: &Policy,
    dry_run: bool,
    metrics: &Metrics,
    allowances: &mut AllowanceScan,
) -> (PassReport, Option<PassError>) {
    let mut session = Session::with_allowances(allowances.clone());
    let (mut report, mut error) = run_pass_with_report(ports, policy, &mut session, dry_run).await;
    metrics.record_pass(&report, error.as_ref(), ports.stop.is_set());
    for _ in 1..MAX_PASSES {
        if error.is_some() || dry_run || !report.more || ports.stop.is_set() {
            break;
        }
        let (next, end) = run_pass_with_report(ports, policy, &mut session, dry_run).await;
        metrics.record_pass(&next, end.as_ref(), ports.stop.is_set());
        error = end;
        let made_progress = next.steps.iter().any(made_progress);
        report = merge_reports(report, next);
        if !made_progress {
            break;
        }
    }
    *allowances = session.allowances;
    (report, error)
}

fn made_progress(step: &crate::reconcile::report::StepReport) -> bool {
    matches!(
        step.outcome,
        StepOutcome::Confirmed
            | StepOutcome::Declined
            | StepOutcome::Superseded
            | StepOutcome::Refused
    )
}

/// Merges two reports. For each request the step of the later pass counts.
fn merge_reports(earlier: PassReport, later: PassReport) -> PassReport {
    let mut steps = earlier.steps;
    steps.retain(|step| {
        later
            .steps
            .iter()
            .all(|newer| newer.request.id != step.request.id)
    });
    steps.extend(later.steps);
    let mut problems = earlier.problems;
    problems.extend(later.problems);
    let mut allowances = earlier.allowances;
    allowances.granted.extend(later.allowances.granted);
    let mut seen = std::collections::BTreeSet::new();
    problems.retain(|problem| seen.insert((problem.code, problem.text.clone())));
    PassReport {
        started: earlier.started,
        finished: later.finished,
        listed: earlier.listed && later.listed,
        pending_count: earlier.pending_count.max(later.pending_count),
        calls: earlier.calls + later.calls,
        dry_run: later.dry_run,
        steps,
        allowances,
        balances: later.balances,
        problems,
        deferral: later.deferral,
        unresolved: later.unresolved,
        more: later.more,
    }
}
