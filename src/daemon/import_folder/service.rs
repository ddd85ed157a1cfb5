//! Looks into the import folder: a task of the daemon, and a step of `run --once`. The rows go to the
//! store's thread part by part, so that passes and commands come in between.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::folder::ImportFolder;
use crate::config::model::Config;
use crate::control::command_sender::CommandSender;
use crate::control::exit;
use crate::control::protocol::account::ImportView;
use crate::control::protocol::credits::ImportRow;
use crate::control::protocol::problem::ProblemView;
use crate::control::protocol::{Command, CommandResult, Refusal};
use crate::daemon::clock;
use crate::daemon::commands::operator_log;
use crate::domain::gate::Policy;
use crate::domain::time::Clock;
use crate::reconcile::context::StopSignal;
use crate::spreadsheet::import::PartAction;
use crate::spreadsheet::rows::ReadOptions;
use crate::store::store_thread::StoreHandle;

/// How often the daemon looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// How long `run --once` imports before its first pass. The next run continues.
const RUN_ONCE_LIMIT: Duration = Duration::from_secs(30);

/// The code of the problem in `status` and in the log.
pub const IMPORT_FOLDER: &str = "import-folder";

/// The name of the actor in the ledger.
const ACTOR: &str = "import folder";

/// The task of the daemon.
pub struct ImportService {
    problem: Arc<Mutex<Option<String>>>,
    stop: watch::Sender<bool>,
    is_stopped: Arc<AtomicBool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl ImportService {
    /// Starts the task. Returns `None` if the configuration names no folder.
    pub fn start(config: &Config, store: &StoreHandle, clock: &Clock) -> Option<Arc<Self>> {
        let mut looker = Looker::new(config, store, clock)?;
        let (stop, mut stopped) = watch::channel(false);
        let is_stopped = Arc::new(AtomicBool::new(false));
        let problem = Arc::new(Mutex::new(None));
        let (shown, stopping) = (Arc::clone(&problem), Arc::clone(&is_stopped));
        let task = tokio::spawn(async move {
            loop {
                let stopping = Arc::clone(&stopping);
                let look = looker.look(move || stopping.load(Ordering::Relaxed));
                let Some((returned, found)) = look.await else {
                    return;
                };
                looker = returned;
                report(&shown, found);
                let wait = tokio::time::timeout(LOOK_INTERVAL, stopped.wait_for(|stop| *stop));
                if wait.await.is_ok() {
                    return;
                }
            }
        });
        Some(Arc::new(Self {
            problem,
            stop,
            is_stopped,
            task: Mutex::new(Some(task)),
        }))
    }

    /// Returns what keeps files from being imported.
    pub fn problem(&self) -> Option<ProblemView> {
        let problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        problem.clone().map(|text| ProblemView {
            code: IMPORT_FOLDER.to_owned(),
            text,
        })
    }

    /// Ends the task after its current part. The store may be closed afterwards.
    pub async fn shut_down(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.stop.send_replace(true);
        let task = { self.task.lock().unwrap_or_else(PoisonError::into_inner) }.take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("the task of the import folder panicked");
        }
    }
}

/// Handles the files that are complete, for at most some time.
pub async fn import_once(config: &Config, store: &StoreHandle, clock: &Clock, stop: &StopSignal) {
    let Some(looker) = Looker::new(config, store, clock) else {
        return;
    };
    let (stop, begun) = (stop.clone(), clock::monotonic_now());
    let is_over = move || stop.is_set() || clock::monotonic_now() - begun > RUN_ONCE_LIMIT;
    if let Some((_, Some(text))) = looker.look(is_over).await {
        tracing::warn!(code = IMPORT_FOLDER, "{text}");
    }
}

/// Logs a problem once, when it begins or changes.
fn report(shown: &Mutex<Option<String>>, found: Option<String>) {
    let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
    match (shown.as_ref(), &found) {
        (before, Some(text)) if before != Some(text) => {
            tracing::warn!(code = IMPORT_FOLDER, "{text}");
        }
        (Some(_), None) => tracing::info!(code = IMPORT_FOLDER, "files are imported again"),
        _ => {}
    }
    *shown = found;
}

/// Looks into the folder, on a thread that may wait for the disk and for the store.
struct Looker {
    folder: ImportFolder,
    store: StoreHandle,
    policy: Arc<Policy>,
    clock: Clock,
}

impl Looker {
    fn new(config: &Config, store: &StoreHandle, clock: &Clock) -> Option<Self> {
        let path = config.import.folder.clone()?;
        let options = ReadOptions {
            zone: config.policy.global.zone,
            columns: config.import.columns.clone(),
        };
        Some(Self {
            folder: ImportFolder::new(path, options),
            store: store.clone(),
            policy: Arc::new(config.policy.clone()),
            clock: Arc::clone(clock),
        })
    }

    /// Looks once. Returns itself and what keeps files from being imported; `None` if the work
    /// panicked.
    async fn look(
        mut self,
        is_stopped: impl Fn() -> bool + Send + 'static,
    ) -> Option<(Self, Option<String>)> {
        let runtime = Handle::current();
        let work = tokio::task::spawn_blocking(move || {
            let Self {
                folder,
                store,
                policy,
                clock,
            } = &mut self;
            let send = &mut |rows, action| {
                let (policy, now) = (Arc::clone(policy), clock());
                runtime.block_on(send_rows(store, policy, now, rows, action))
            };
            let problem = folder.look(clock(), send, &is_stopped);
            (self, problem)
        });
        work.await
            .inspect_err(|_| tracing::error!("importing a file panicked"))
            .ok()
    }
}

async fn send_rows(
    store: &StoreHandle,
    policy: Arc<Policy>,
    now: crate::domain::time::Time,
    rows: Vec<ImportRow>,
    action: PartAction,
) -> Result<ImportView, Refusal> {
    let command = Command::Import {
        rows,
        problems: Vec::new(),
        dry_run: false,
        check: action == PartAction::Check,
    };
    let sender = CommandSender {
        name: Some(ACTOR.to_owned()),
        ..operator_log::own_user()
    };
    let work = store
        .maintain(move |store| operator_log::run_and_log(store, &policy, now, &command, sender));
    match work.await? {
        CommandResult::Import(view) => Ok(view),
        _ => Err(Refusal {
            exit: exit::FAILED,
            code: "internal".to_owned(),
            text: "the ledger gave another answer".to_owned(),
        }),
    }
}
