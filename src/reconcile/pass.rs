//! One pass, from looking to reporting. The caller gives the ports and sees to it that passes do
//! not overlap.

use std::collections::BTreeMap;

use super::clock::clock_problem;
use super::dry_run::DryRun;
use super::execute::{Executed, execute};
use super::identity::identify;
use super::observe::{Observation, observe};
use super::ports::{PassError, Ports, Session};
use super::report::{Listed, PutOff, Report};
use super::watch::recheck::recheck;
use super::watch::restore_problem;
use crate::domain::gate::Policy;
use crate::domain::plan::Plan;

async fn looked(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
) -> Result<Observation, PassError> {
    identify(ports, session).await?;
    observe(ports, policy, session).await
}

/// Runs a pass. `dry_run` stops before anything is written or sent.
///
/// # Errors
/// When the key is refused, Cal.com cannot be listed, or the store fails. What was begun is in the
/// log, and the next pass goes on.
pub async fn pass(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    dry_run: bool,
) -> Result<Report, PassError> {
    match pass_to_its_end(ports, policy, session, dry_run).await {
        (report, None) => Ok(report),
        (_, Some(error)) => Err(error),
    }
}

/// As [`pass`], with the report of what was done also where it could not come to its end.
pub async fn pass_to_its_end(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    dry_run: bool,
) -> (Report, Option<PassError>) {
    let dry = DryRun::of(ports);
    let ports = &if dry_run { dry.ports(ports) } else { *ports };
    let started = (ports.clock)();
    let calls = ports.calendar.calls();
    let mut report = Report {
        started,
        finished: started,
        observed: 0,
        calls: 0,
        dry_run,
        steps: Vec::new(),
        balances: BTreeMap::new(),
        problems: Vec::new(),
        put_off: PutOff::default(),
        unresolved: Listed::default(),
        more: false,
    };
    let mut end = run(ports, policy, session, &mut report).await;
    match ports.store.with(|store| Listed::read(store)).await {
        Ok(unresolved) => report.unresolved = unresolved,
        Err(error) => end = end.and(Err(PassError::Store(error))),
    }
    report.finished = (ports.clock)();
    report.calls = ports.calendar.calls() - calls;
    (report, end.err())
}

async fn run(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    report: &mut Report,
) -> Result<(), PassError> {
    // Looking writes nothing, so that it may be given up at any place.
    let observation = tokio::select! {
        biased;
        observation = looked(ports, policy, session) => observation?,
        () = ports.stop.told() => {
            report.more = true;
            return Ok(());
        }
    };
    let mut observation = observation;
    report.observed = observation.seen;
    report.problems = std::mem::take(&mut observation.problems);
    report.put_off = observation.put_off;
    if observation.snapshot.clock_off {
        report.problems.extend(clock_problem(ports));
    }
    if observation.snapshot.restore_open {
        report.problems.push(restore_problem());
    }
    recheck_declines(ports, policy, &mut observation.plan, report).await?;
    if report.dry_run {
        report.steps = Report::of_plan(&observation.plan);
        report.balances = Report::balances(&observation.plan, &observation.snapshot);
        report.problems.extend(observation.plan.problems);
        return Ok(());
    }
    let mut done = Executed::default();
    let planned_at = observation.snapshot.now;
    let limits = &policy.limits;
    let end = execute(ports, limits, planned_at, observation.plan, &mut done).await;
    report.steps = done.steps;
    report.problems.extend(done.problems);
    report.more |= done.more || observation.more;
    match end {
        // A rate limit that outlasts the pass is no failure of it: the next one goes on.
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

/// Looks once more at what declines rest on. Those that rest on something that has changed, cannot be
/// read or waits for the watch are left for a later pass.
async fn recheck_declines(
    ports: &Ports<'_>,
    policy: &Policy,
    plan: &mut Plan,
    report: &mut Report,
) -> Result<(), PassError> {
    let accounts = plan.rests_on();
    if accounts.is_empty() {
        return Ok(());
    }
    let checked = recheck(ports, policy, accounts).await?;
    report.problems.extend(checked.problems);
    report.more |= !checked.changed.is_empty();
    plan.put_off(&checked.changed);
    plan.put_off(&checked.unsettled);
    report.put_off.requests += plan.put_off(&checked.unread);
    Ok(())
}
