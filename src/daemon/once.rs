//! One run from a timer or by hand: passes until nothing is left that this run could do.

use crate::domain::gate::Policy;
use crate::reconcile::pass::pass_to_its_end;
use crate::reconcile::ports::{PassError, Ports, Session};
use crate::reconcile::report::{Ended, Report};

/// Passes of one run: 10,000 requests at 250 a pass, and some that had to plan anew.
const MAX_PASSES: usize = 60;

/// Runs passes until one has nothing more to do, and reports them as one: also where one of them did
/// not come to its end.
pub async fn once(
    ports: &Ports<'_>,
    policy: &Policy,
    dry_run: bool,
) -> (Report, Option<PassError>) {
    let mut session = Session::default();
    let (mut report, mut error) = pass_to_its_end(ports, policy, &mut session, dry_run).await;
    for _ in 1..MAX_PASSES {
        if error.is_some() || dry_run || !report.more || ports.stop.is_set() {
            break;
        }
        let (next, end) = pass_to_its_end(ports, policy, &mut session, dry_run).await;
        error = end;
        let moved = next.steps.iter().any(moved);
        report = merged(report, next);
        if !moved {
            break;
        }
    }
    (report, error)
}

fn moved(step: &crate::reconcile::report::Reported) -> bool {
    matches!(
        step.ended,
        Ended::Confirmed | Ended::Declined | Ended::Superseded | Ended::Refused
    )
}

/// The later pass has the last word on each request.
fn merged(earlier: Report, later: Report) -> Report {
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
    let mut seen = std::collections::BTreeSet::new();
    problems.retain(|problem| seen.insert((problem.code, problem.text.clone())));
    Report {
        started: earlier.started,
        finished: later.finished,
        observed: earlier.observed.max(later.observed),
        calls: earlier.calls + later.calls,
        dry_run: later.dry_run,
        steps,
        balances: later.balances,
        problems,
        put_off: later.put_off,
        unresolved: later.unresolved,
        more: later.more,
    }
}
