//! The whole process of `run`: opens what the loop needs, and closes it in the right order.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::calendar;
use super::failure::{Failure, chain};
use super::lookups;
use super::ownership;
use super::run::{Daemon, End, run};
use super::schedule;
use super::signals;
use super::wake::{QUEUE, Wake};
use crate::config::model::Config;
use crate::control::listener::Listener;
use crate::control::server::{Asked, serve as serve_clients};
use crate::domain::time::Clock;
use crate::reconcile::ports::Stop;
use crate::store::handle::StoreHandle;
use crate::store::open::{Create, Notice, Progress, open};
use crate::store::opened::LogStore;

/// Commands of clients that may wait for the loop.
const COMMANDS: usize = 16;

/// Runs the daemon until a signal ends it.
///
/// # Errors
/// When something cannot be opened, or nothing can work any more.
pub async fn serve(config: Config, config_path: PathBuf, clock: Clock) -> Result<(), Failure> {
    let opened = calendar::open(&config, &clock)?;
    let lookups = lookups::open(&config)?;
    let (wakes, queue) = mpsc::channel(QUEUE);
    let signals = signals::listen(wakes.clone())
        .map_err(|error| Failure::Failed(format!("failed to listen for signals: {error}")))?;
    let store = open_store(&config.store.path, &clock).await?;
    let (store, thread) = StoreHandle::start(Box::new(store))
        .map_err(|error| Failure::Failed(format!("failed to start the store's thread: {error}")))?;
    let (stop_clients, stopped) = oneshot::channel::<()>();
    let clients = match &config.control.socket {
        Some(path) => Some(tokio::spawn(listen(path, wakes.clone(), stopped)?)),
        None => None,
    };
    let mut ticks = schedule::start(wakes.clone())
        .await
        .map_err(|error| Failure::Failed(format!("failed to start the schedule: {error}")))?;
    tracing::info!(
        gates = config.policy.gates.len(),
        poll = %config.schedule.poll,
        dialect = config.calcom.dialect.word(),
        policy = config.policy.hash,
        version = env!("CARGO_PKG_VERSION"),
        "maitred is up"
    );
    let running = run(
        Daemon {
            config,
            config_path,
            calendar: opened.calendar,
            print: opened.print,
            lookups: Arc::new(lookups),
            store: store.clone(),
            clock: Arc::clone(&clock),
            wakes,
            stop: Stop::default(),
        },
        queue,
    );
    let ended = tokio::select! {
        ended = running => ended,
        // In no order: whoever waits for the store would wait for ever.
        stuck = store.stuck() => return Err(Failure::Store(stuck.to_string())),
    };
    drop(stop_clients);
    signals.close();
    if let Err(error) = ticks.shutdown().await {
        tracing::debug!(%error, "the schedule did not stop in order");
    }
    if let Some(clients) = clients {
        // A client that is still being answered has its time; see `control::server`.
        let _ = clients.await;
    }
    if let Ok(End::AtOnce) = ended {
        return Ok(());
    }
    drop(store);
    close(thread).await;
    tracing::info!("maitred has ended");
    ended.map(|_| ())
}

/// Opens the ledger, saying what was found and how long works go.
///
/// # Errors
/// As the store's `open`.
pub async fn open_store(path: &Path, clock: &Clock) -> Result<LogStore, Failure> {
    ownership::check(path)?;
    let path = path.to_owned();
    let now = clock();
    let opened =
        tokio::task::spawn_blocking(move || open(&path, Create::No, now, &mut log_progress))
            .await
            .map_err(|error| Failure::Failed(format!("opening the store failed: {error}")))??;
    for notice in &opened.notices {
        log_notice(notice);
    }
    Ok(opened.store)
}

pub fn log_notice(notice: &Notice) {
    match notice {
        Notice::Created(_) | Notice::CaughtUp { .. } => tracing::info!("{notice}"),
        Notice::Torn { .. } | Notice::Rebuilt { .. } => tracing::warn!("{notice}"),
    }
}

pub fn log_progress(progress: Progress) {
    let percent = (progress.done * 100)
        .checked_div(progress.total)
        .unwrap_or(100);
    tracing::info!("rebuilding from the log: {percent} %");
}

async fn close(thread: std::thread::JoinHandle<Box<dyn crate::store::port::Store>>) {
    let closed = tokio::task::spawn_blocking(move || thread.join().map(|mut store| store.close()));
    match closed.await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(
            "the fold was not marked as closed cleanly, so the next start rebuilds it: {}",
            chain(&error)
        ),
        Ok(Err(_)) | Err(_) => tracing::error!("the store's thread panicked"),
    }
}

/// Clients' commands become wakes.
fn listen(
    path: &Path,
    wakes: mpsc::Sender<Wake>,
    stopped: oneshot::Receiver<()>,
) -> Result<impl Future<Output = ()> + use<>, Failure> {
    let listener = Listener::bind(path)
        .map_err(|error| Failure::Failed(format!("failed to {}", chain(&error))))?;
    let (commands, mut asked) = mpsc::channel::<Asked>(COMMANDS);
    Ok(async move {
        let stop = async move {
            // Dropped when the loop has ended.
            let _ = stopped.await;
        };
        let forward = async move {
            while let Some(asked) = asked.recv().await {
                if wakes.send(Wake::Asked(asked)).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(serve_clients(listener, commands, stop), forward);
    })
}
