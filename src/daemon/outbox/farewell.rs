//! Tells operators of the failure that ends the process, without the ledger and within a time limit.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::conditions::Conditions;
use super::opened::OpenedNotifications;
use super::worker::{TargetWorker, WorkerContext};
use crate::daemon::failure::Failure;
use crate::domain::time::Clock;
use crate::notify::target::OpenedTarget;

/// How long the end of the process may be delayed.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// The targets of a process that ends.
pub struct Farewell {
    targets: Vec<Arc<OpenedTarget>>,
    context: WorkerContext,
}

impl Farewell {
    pub(super) fn new(targets: Vec<Arc<OpenedTarget>>, context: WorkerContext) -> Self {
        Self { targets, context }
    }

    /// Returns the farewell of a process that could not open its ledger.
    pub fn without_ledger(opened: OpenedNotifications, state_dir: &Path, clock: &Clock) -> Self {
        let context = WorkerContext {
            state_dir: state_dir.to_owned(),
            ledger: "".into(),
            zone: opened.zone,
            clock: Arc::clone(clock),
            conditions: Arc::new(Conditions::load(state_dir)),
        };
        Self::new(opened.targets, context)
    }

    /// Sends a notification of the failure, if there is a kind for it.
    pub async fn announce(self, failure: &Failure) {
        match failure {
            Failure::Store(_) | Failure::Credential(_) => {}
            Failure::Permission(_)
            | Failure::Unreachable(_)
            | Failure::Configuration(_)
            | Failure::StoreLocked(_)
            | Failure::Failed(_) => return,
        }
        let now = (self.context.clock)();
        self.context.conditions.record_failure(failure, now);
        let mut deliveries = JoinSet::new();
        for target in self.targets {
            let context = self.context.clone();
            deliveries.spawn(async move {
                let mut worker = TargetWorker::open_without_store(target, context);
                worker.deliver_conditions_only().await;
            });
        }
        let all = async { while deliveries.join_next().await.is_some() {} };
        if tokio::time::timeout(TIME_LIMIT, all).await.is_err() {
            tracing::warn!("not every target was told why the process ends");
        }
    }
}
