//! Delivers what is due after the passes of `run --once`, within a time limit. What is left is
//! delivered by the next run.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::conditions::Conditions;
use super::dead_man::DeadMan;
use super::opened::OpenedNotifications;
use super::service::{OutboxPlace, clock_problem, has_observed};
use super::status::TargetStatus;
use super::worker::{TargetWorker, WorkerContext};
use crate::daemon::failure::Failure;
use crate::domain::time::{Clock, Time};
use crate::reconcile::context::StopSignal;
use crate::reconcile::report::PassReport;
use crate::store::store_thread::StoreHandle;

/// How long deliveries may take, unless an option says otherwise: long enough for some deliveries
/// that each reach their own time limit.
pub const NOTIFY_WITHIN: Duration = Duration::from_secs(30);

/// How a run ended.
#[derive(Clone, Copy)]
pub struct EndedRun<'a> {
    /// The report of the passes, if there is one.
    pub report: Option<&'a PassReport>,
    /// Whether a pass failed, and not the watch after it.
    pub pass_failed: bool,
    /// Why the run stopped before its end.
    pub failure: Option<&'a Failure>,
}

impl EndedRun<'_> {
    fn record(&self, conditions: &Conditions, now: Time) {
        if let Some(report) = self.report.filter(|_| !self.pass_failed)
            && has_observed(report)
        {
            conditions.record_success(clock_problem(report), now);
        }
        match self.failure {
            Some(failure @ (Failure::Store(_) | Failure::Credential(_))) => {
                conditions.record_failure(failure, now);
            }
            Some(failure) if self.pass_failed => conditions.record_failure(failure, now),
            Some(_) | None => {}
        }
    }
}

/// Delivers what is due, and calls the dead-man switch if the run listed bookings.
pub async fn deliver(
    place: OutboxPlace,
    opened: OpenedNotifications,
    store: &StoreHandle,
    clock: &Clock,
    run: EndedRun<'_>,
    (limit, stop): (Duration, &StopSignal),
) {
    let now = clock();
    let conditions = Conditions::load(&place.state_dir);
    run.record(&conditions, now);
    let context = WorkerContext {
        ledger: place.ledger.as_str().into(),
        state_dir: place.state_dir,
        zone: opened.zone,
        clock: Arc::clone(clock),
        conditions: Arc::new(conditions),
    };
    let mut tasks = JoinSet::new();
    let has_listed = !run.pass_failed && run.report.is_some_and(|report| report.listed);
    if let Some(url) = opened.dead_man.filter(|_| has_listed) {
        let dead_man = DeadMan::new(url, opened.call_interval, Arc::clone(clock));
        tasks.spawn(async move { dead_man.call().await });
    }
    for target in opened.targets {
        let (context, store) = (context.clone(), store.clone());
        tasks.spawn(async move {
            let status = Arc::new(TargetStatus::new(&target));
            let mut worker = TargetWorker::open(target, context, status, &store).await;
            worker.deliver_due(&store).await;
        });
    }
    let all = async { while tasks.join_next().await.is_some() {} };
    tokio::select! {
        ended = tokio::time::timeout(limit, all) => {
            if ended.is_err() {
                tracing::warn!("not every notification was sent in time; the next run continues");
            }
        }
        () = stop.stopped() => {}
    }
    // The store is closed after this: no task may still hold it.
    tasks.shutdown().await;
}
