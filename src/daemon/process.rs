//! The whole process of `run`: opens what the loop needs, and closes everything in the right order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use signal_hook_tokio::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use super::calendar;
use super::error_chain::error_chain;
use super::failure::Failure;
use super::import_folder::service::ImportService;
use super::last_run::LastRun;
use super::metrics::exporter::Exporter;
use super::metrics::registry::Metrics;
use super::outbox::farewell::Farewell;
use super::outbox::opened::OpenedNotifications;
use super::outbox::service::{Outbox, OutboxPlace};
use super::run::{Daemon, LoopEnd, run};
use super::schedule;
use super::service_manager;
use super::signals;
use super::store_access;
use super::timetable::{DueTimes, ScheduledJob};
use super::wake::{WAKE_QUEUE_LENGTH, Wake};
use super::web_page::{self, RunningPage};
use crate::config::model::{Config, StoreConfig};
use crate::control::listener::Listener;
use crate::control::server::{ReceivedCommand, serve as serve_clients};
use crate::domain::pause::Pauses;
use crate::domain::time::Clock;
use crate::lookup::client::LookupClient;
use crate::reconcile::context::StopSignal;
use crate::source::client::SourceClient;
use crate::store::port::Maintenance;
use crate::store::store_thread::StoreHandle;

/// How many commands of clients may wait for the loop.
const COMMAND_QUEUE_LENGTH: usize = 16;

/// How often the loop looks whether a backup or the removal of old personal data is due.
const CARE_INTERVAL: Duration = Duration::from_secs(60);

/// Runs the daemon until a signal ends it.
///
/// # Errors
/// Fails when something cannot be opened, or when the daemon can no longer work.
pub async fn run_daemon(config: Config, config_path: PathBuf, clock: Clock) -> Result<(), Failure> {
    let metrics = Metrics::new(config.metrics.file.clone(), clock());
    let opened = calendar::open(&config, &clock, Some(metrics.call_observer()))?;
    let lookups = Arc::new(LookupClient::open(&config.lookups)?);
    let sources = Arc::new(SourceClient::open(&config.sources)?);
    let notifications = OpenedNotifications::open(&config)?;
    let (wakes, queue) = mpsc::channel(WAKE_QUEUE_LENGTH);
    let signals = listen_for_signals(&wakes)?;
    let (store, notifications) = open_store_or_announce(&config, &clock, notifications).await?;
    let place = OutboxPlace::new(&config)?;
    let (store, thread) = start_store_thread(store)?;
    let exporter = start_exporter(&config, &metrics, &store, &clock).await;
    let (stop_exports, exports_stopped) = oneshot::channel::<()>();
    let exports = tokio::spawn(Arc::clone(&exporter).run(exports_stopped));
    let (stop_clients, stopped) = oneshot::channel::<()>();
    let clients = serve_socket(config.control.socket.as_deref(), &wakes, stopped)?;
    let page = web_page::start(&config, &clock, &wakes, exporter).await;
    let outbox = Arc::new(Outbox::start(place, notifications, &store, &clock));
    let import_service = ImportService::start(&config, &store, &clock);
    let (due_times, published) = watch::channel(DueTimes::default());
    let schedule = start_schedule(published, &wakes, &clock).await?;
    let care = start_work(&wakes);
    announce_start(&config);
    let running = run(
        Daemon {
            pauses: read_pauses(&store).await?,
            config,
            config_path,
            calendar: opened.calendar,
            key_fingerprint: opened.key_fingerprint,
            lookups,
            sources,
            store: store.clone(),
            metrics,
            outbox: Arc::clone(&outbox),
            import_service: import_service.clone(),
            clock: Arc::clone(&clock),
            wakes,
            due_times,
            page: page.as_ref().map(|page| Arc::clone(&page.service)),
            stop: StopSignal::default(),
        },
        queue,
    );
    let ended = tokio::select! {
        ended = running => ended,
        // Nothing is closed in order here: a task that waits for the store would wait forever.
        stuck = store.wait_until_unresponsive() => {
            let failure = Failure::Store(stuck.to_string());
            close_outbox(outbox, Some(&failure)).await;
            return Err(failure);
        }
    };
    end_services(care, import_service, outbox, ended.as_ref().err()).await;
    drop(stop_clients);
    signals.close();
    if let Ok(Err(_)) = tokio::task::spawn_blocking(move || schedule.join()).await {
        tracing::error!("the schedule's thread panicked");
    }
    stop_serving(page, clients).await;
    if matches!(ended, Ok(LoopEnd::Immediate)) {
        return Ok(());
    }
    drop(stop_exports);
    // The exporter only panics when the store's thread has.
    let _ = exports.await;
    drop(store);
    close_store(thread).await;
    tracing::info!("maitred has ended");
    ended.map(|_| ())
}

/// Ends what works while the loop runs.
async fn end_services(
    care: tokio::task::JoinHandle<()>,
    imports: Option<Arc<ImportService>>,
    outbox: Arc<Outbox>,
    failure: Option<&Failure>,
) {
    care.abort();
    if let Some(imports) = imports {
        imports.shut_down().await;
    }
    close_outbox(outbox, failure).await;
}

/// Ends the page and the socket. A client whose answer is still being sent gets time for that; see
/// `control::server`.
async fn stop_serving(page: Option<RunningPage>, clients: Option<tokio::task::JoinHandle<()>>) {
    if let Some(page) = page {
        page.stop().await;
    }
    if let Some(clients) = clients {
        let _ = clients.await;
    }
}

/// Returns what gives the metrics out. If neither a file nor the page needs them, the store is not read
/// for them until a reload names a file.
async fn start_exporter(
    config: &Config,
    metrics: &Arc<Metrics>,
    store: &StoreHandle,
    clock: &Clock,
) -> Arc<Exporter> {
    let (metrics, store, clock) = (Arc::clone(metrics), store.clone(), Arc::clone(clock));
    let is_needed = config.metrics.file.is_some() || config.page.listen.is_some();
    Arc::new(match is_needed {
        true => Exporter::start(metrics, store, clock).await,
        false => Exporter::idle(metrics, store, clock),
    })
}

/// Returns the pauses that the ledger has.
async fn read_pauses(store: &StoreHandle) -> Result<Pauses, Failure> {
    let state = store.read(|store| store.ledger_state()).await;
    let state = state.map_err(|error| Failure::Store(error_chain(&error)))?;
    Ok(state.pauses)
}

fn listen_for_signals(wakes: &mpsc::Sender<Wake>) -> Result<Handle, Failure> {
    signals::listen(wakes.clone())
        .map_err(|error| Failure::Failed(format!("failed to listen for signals: {error}")))
}

fn start_store_thread(
    store: Box<dyn Maintenance>,
) -> Result<(StoreHandle, JoinHandle<Box<dyn Maintenance>>), Failure> {
    StoreHandle::start(store)
        .map_err(|error| Failure::Failed(format!("failed to start the store's thread: {error}")))
}

async fn start_schedule(
    published: watch::Receiver<DueTimes>,
    wakes: &mpsc::Sender<Wake>,
    clock: &Clock,
) -> Result<JoinHandle<()>, Failure> {
    schedule::start(published, wakes.clone(), Arc::clone(clock))
        .await
        .map_err(|error| {
            Failure::Failed(format!(
                "failed to start the schedule: {}",
                error_chain(&error)
            ))
        })
}

/// Has the loop start the first pass and the care of the ledger.
fn start_work(wakes: &mpsc::Sender<Wake>) -> tokio::task::JoinHandle<()> {
    // The first pass need not wait for the scheduler. The queue is empty.
    let _ = wakes.try_send(Wake::Due(ScheduledJob::Poll));
    tokio::spawn(wake_for_care(wakes.clone()))
}

/// Wakes the loop now and every minute, so that it cares for the ledger when that is due.
async fn wake_for_care(wakes: mpsc::Sender<Wake>) {
    let mut ticks = tokio::time::interval(CARE_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if wakes.send(Wake::CareDue).await.is_err() {
            return;
        }
    }
}

/// Says that the daemon works: in the log, to the service manager, and to a later `status`.
fn announce_start(config: &Config) {
    LastRun::forget(config.state_dir());
    tracing::info!(
        gates = config.policy.gates.len(),
        poll = %config.schedule.poll,
        dialect = config.calcom.dialect.as_str(),
        policy = config.policy.hash,
        version = env!("CARGO_PKG_VERSION"),
        "maitred is up"
    );
    service_manager::ready();
    service_manager::status("Started; the first pass is due.");
}

/// Opens the ledger as [`store_access::connect`] does, on a thread of its own, because that may take
/// long.
///
/// # Errors
/// Fails like [`store_access::connect`].
pub async fn open_store(
    store: &StoreConfig,
    clock: &Clock,
) -> Result<Box<dyn Maintenance>, Failure> {
    let (store, now) = (store.clone(), clock());
    tokio::task::spawn_blocking(move || {
        store_access::connect(&store, now, &mut store_access::log_progress)
    })
    .await
    .map_err(|error| Failure::Failed(format!("opening the store failed: {error}")))?
}

/// Does the same as [`open_store`], and tells operators of a ledger that cannot be opened.
///
/// # Errors
/// Fails like [`open_store`].
pub async fn open_store_or_announce(
    config: &Config,
    clock: &Clock,
    notifications: OpenedNotifications,
) -> Result<(Box<dyn Maintenance>, OpenedNotifications), Failure> {
    match open_store(&config.store, clock).await {
        Ok(store) => Ok((store, notifications)),
        Err(failure) => {
            let farewell = Farewell::without_ledger(notifications, config.state_dir(), clock);
            farewell.announce(&failure).await;
            Err(failure)
        }
    }
}

/// Stops the workers of the outbox, which use the store, and tells operators of the failure that
/// ends the process.
async fn close_outbox(outbox: Arc<Outbox>, failure: Option<&Failure>) {
    let farewell = outbox.shut_down().await;
    drop(outbox);
    if let Some(failure) = failure {
        farewell.announce(failure).await;
    }
}

async fn close_store(thread: JoinHandle<Box<dyn Maintenance>>) {
    let closed = tokio::task::spawn_blocking(move || thread.join().map(|mut store| store.close()));
    match closed.await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(
            "the projection was not marked as closed cleanly, so the next start rebuilds it: {}",
            error_chain(&error)
        ),
        Ok(Err(_)) | Err(_) => tracing::error!("the store's thread panicked"),
    }
}

/// Starts to serve clients on the socket, unless it is turned off.
fn serve_socket(
    path: Option<&Path>,
    wakes: &mpsc::Sender<Wake>,
    stopped: oneshot::Receiver<()>,
) -> Result<Option<tokio::task::JoinHandle<()>>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let forward = forward_commands(path, wakes.clone(), stopped)?;
    Ok(Some(tokio::spawn(forward)))
}

/// Forwards clients' commands to the loop as wakes.
fn forward_commands(
    path: &Path,
    wakes: mpsc::Sender<Wake>,
    stopped: oneshot::Receiver<()>,
) -> Result<impl Future<Output = ()> + use<>, Failure> {
    let listener = Listener::bind(path)
        .map_err(|error| Failure::Failed(format!("failed to {}", error_chain(&error))))?;
    let (commands, mut command_queue) = mpsc::channel::<ReceivedCommand>(COMMAND_QUEUE_LENGTH);
    Ok(async move {
        let stop = async move {
            // The sender is dropped when the loop has ended.
            let _ = stopped.await;
        };
        let forward = async move {
            while let Some(received) = command_queue.recv().await {
                if wakes.send(Wake::Command(received)).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(serve_clients(listener, commands, stop), forward);
    })
}
