//! The outbox of the daemon: a worker for each target, in tasks of their own. A pass never waits for
//! any of them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::conditions::Conditions;
use super::dead_man::DeadMan;
use super::farewell::Farewell;
use super::opened::OpenedNotifications;
use super::status::TargetStatus;
use super::worker::{TargetWorker, WorkerContext};
use crate::config::model::Config;
use crate::control::protocol::status::{DeadManView, NotifyTargetView};
use crate::daemon::failure::Failure;
use crate::daemon::store_access;
use crate::domain::time::{Clock, Time};
use crate::notify::target::OpenedTarget;
use crate::reconcile::clock::CLOCK_OFF;
use crate::reconcile::report::PassReport;
use crate::store::store_thread::StoreHandle;

/// Where the outbox belongs.
#[derive(Clone)]
pub struct OutboxPlace {
    /// The directory with what is remembered of each target.
    pub state_dir: PathBuf,
    /// The id of the ledger.
    pub ledger: String,
}

impl OutboxPlace {
    /// Returns the place that the configuration names.
    ///
    /// # Errors
    /// Fails when the id of the ledger cannot be read.
    pub fn new(config: &Config) -> Result<Self, Failure> {
        Ok(Self {
            state_dir: config.state_dir().to_owned(),
            ledger: store_access::ledger_id(&config.store)?,
        })
    }
}

/// The outbox.
pub struct Outbox {
    place: OutboxPlace,
    store: StoreHandle,
    clock: Clock,
    conditions: Arc<Conditions>,
    running: Mutex<Running>,
}

/// The workers of one configuration, and its dead-man switch.
struct Running {
    targets: Vec<Arc<OpenedTarget>>,
    statuses: Vec<Arc<TargetStatus>>,
    context: WorkerContext,
    dead_man: Option<Arc<DeadMan>>,
    wake: watch::Sender<()>,
    stop: watch::Sender<bool>,
    workers: JoinHandle<()>,
}

impl Outbox {
    /// Starts the workers.
    pub fn start(
        place: OutboxPlace,
        opened: OpenedNotifications,
        store: &StoreHandle,
        clock: &Clock,
    ) -> Self {
        let conditions = Arc::new(Conditions::load(&place.state_dir));
        let context = WorkerContext {
            state_dir: place.state_dir.clone(),
            ledger: place.ledger.as_str().into(),
            zone: opened.zone,
            clock: Arc::clone(clock),
            conditions: Arc::clone(&conditions),
        };
        let running = Running::start(context, opened, store, None);
        Self {
            place,
            store: store.clone(),
            clock: Arc::clone(clock),
            conditions,
            running: Mutex::new(running),
        }
    }

    /// Replaces the targets after the configuration was read again. The new workers begin when the
    /// old ones have ended, so that each target has one.
    pub fn replace(&self, opened: OpenedNotifications) {
        let context = WorkerContext {
            state_dir: self.place.state_dir.clone(),
            ledger: self.place.ledger.as_str().into(),
            zone: opened.zone,
            clock: Arc::clone(&self.clock),
            conditions: Arc::clone(&self.conditions),
        };
        let mut running = self.lock();
        running.stop.send_replace(true);
        let idle = tokio::spawn(async {});
        let old_workers = std::mem::replace(&mut running.workers, idle);
        *running = Running::start(context, opened, &self.store, Some(old_workers));
    }

    /// Has the workers look now, because something may have been written.
    pub fn wake(&self) {
        self.lock().wake.send_replace(());
    }

    /// Records a pass that reached its end, and calls the dead-man switch if it listed bookings.
    pub fn record_success(&self, report: &PassReport, now: Time) {
        if !has_observed(report) {
            return;
        }
        self.conditions.record_success(clock_problem(report), now);
        let running = self.lock();
        if let Some(dead_man) = running.dead_man.as_ref().filter(|_| report.listed) {
            dead_man.spawn_call();
        }
        running.wake.send_replace(());
    }

    /// Records a pass that failed.
    pub fn record_failure(&self, failure: &Failure, now: Time) {
        self.conditions.record_failure(failure, now);
        self.wake();
    }

    /// Returns what `status` shows of the targets; the caller adds how many commits wait.
    pub fn target_views(&self) -> Vec<NotifyTargetView> {
        let running = self.lock();
        running
            .statuses
            .iter()
            .map(|status| status.view())
            .collect()
    }

    /// Returns what `status` shows of the dead-man switch. `None`: there is none.
    pub fn dead_man_view(&self) -> Option<DeadManView> {
        self.lock()
            .dead_man
            .as_ref()
            .map(|dead_man| dead_man.view())
    }

    /// Stops the workers, and returns what can still tell of the failure that ends the process. The
    /// store may be closed afterwards.
    pub async fn shut_down(&self) -> Farewell {
        let (workers, farewell) = {
            let mut running = self.lock();
            running.stop.send_replace(true);
            let idle = tokio::spawn(async {});
            let workers = std::mem::replace(&mut running.workers, idle);
            let farewell = Farewell::new(running.targets.clone(), running.context.clone());
            (workers, farewell)
        };
        if workers.await.is_err() {
            tracing::error!("the task of the notifications panicked");
        }
        farewell
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn start(
        context: WorkerContext,
        opened: OpenedNotifications,
        store: &StoreHandle,
        old_workers: Option<JoinHandle<()>>,
    ) -> Self {
        let (wake, woken) = watch::channel(());
        let (stop, stopped) = watch::channel(false);
        let statuses: Vec<Arc<TargetStatus>> = opened
            .targets
            .iter()
            .map(|target| Arc::new(TargetStatus::new(target)))
            .collect();
        let mut workers = Vec::new();
        for (target, status) in opened.targets.iter().zip(&statuses) {
            let (target, status) = (Arc::clone(target), Arc::clone(status));
            let (context, store) = (context.clone(), store.clone());
            let signals = (woken.clone(), stopped.clone());
            workers.push(TargetWorker::run(target, context, status, store, signals));
        }
        let clock = Arc::clone(&context.clock);
        let interval = opened.call_interval;
        Self {
            targets: opened.targets,
            statuses,
            context,
            dead_man: { opened.dead_man }.map(|url| Arc::new(DeadMan::new(url, interval, clock))),
            wake,
            stop,
            workers: tokio::spawn(run_workers(workers, old_workers)),
        }
    }
}

/// Runs the workers until all have ended.
async fn run_workers(
    workers: Vec<impl Future<Output = ()> + Send + 'static>,
    old_workers: Option<JoinHandle<()>>,
) {
    if let Some(old) = old_workers {
        // A task that panicked has ended too, and has been logged.
        let _ = old.await;
    }
    let mut tasks = JoinSet::new();
    for worker in workers {
        tasks.spawn(worker);
    }
    while let Some(ended) = tasks.join_next().await {
        if ended.is_err() {
            tracing::error!("a task that sends notifications panicked; restart the daemon");
        }
    }
}

/// Returns true if the pass has seen what is pending, and was not stopped before.
pub fn has_observed(report: &PassReport) -> bool {
    report.listed || report.deferral.list_incomplete
}

/// Returns how far the clocks disagree, if they do.
pub fn clock_problem(report: &PassReport) -> Option<&str> {
    let mut problems = report.problems.iter();
    let found = problems.find(|problem| problem.code == CLOCK_OFF);
    found.map(|problem| problem.text.as_str())
}
