//! Reads from the store what the metrics need, and gives the metrics out: to the file after each pass
//! and watch, and to clients that ask. A failure never stops the daemon.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, oneshot};

use super::commit_counts::CommitCounter;
use super::exposition::{Exposition, ExpositionFormat, render};
use super::registry::Metrics;
use super::store_gauges::StoreGauges;
use super::text_file::{TextFile, accumulate};
use crate::domain::time::Clock;
use crate::store::port::StoreError;
use crate::store::store_thread::StoreHandle;

/// How long a client that asks for the metrics waits for the store. After that it gets what was
/// read last.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// Gives out the metrics of one process.
pub struct Exporter {
    metrics: Arc<Metrics>,
    store: StoreHandle,
    clock: Clock,
    /// One reader of the store at a time, so that no commit counts twice. `None` until somebody
    /// needs the metrics.
    counter: Mutex<Option<CommitCounter>>,
    file: Arc<Mutex<TextFile>>,
}

impl Exporter {
    /// Returns an exporter that counts the commits from now on.
    pub async fn start(metrics: Arc<Metrics>, store: StoreHandle, clock: Clock) -> Self {
        let counter = store.read(|store| CommitCounter::start(store)).await;
        Self {
            metrics,
            store,
            clock,
            counter: Mutex::new(Some(counter)),
            file: Arc::default(),
        }
    }

    /// Returns an exporter that does not read the store before somebody needs the metrics, and counts
    /// the commits from then on.
    pub fn idle(metrics: Arc<Metrics>, store: StoreHandle, clock: Clock) -> Self {
        Self {
            metrics,
            store,
            clock,
            counter: Mutex::default(),
            file: Arc::default(),
        }
    }

    /// Writes the file now and when the loop asks for it, until `stop` is dropped, and then once
    /// more.
    pub async fn run(self: Arc<Self>, stop: oneshot::Receiver<()>) {
        let exports = async {
            loop {
                self.export().await;
                self.metrics.next_request().await;
            }
        };
        tokio::select! {
            () = exports => {}
            _ = stop => {}
        }
        self.export().await;
    }

    /// Writes the file, if there is one and it is due.
    pub async fn export(&self) {
        let Some(path) = self.metrics.file() else {
            return;
        };
        let read = self.read_store().await;
        let text = render(self.metrics.registry(), ExpositionFormat::PrometheusText).body;
        let now = (self.clock)();
        // The thread holds the lock until it has written, also when this call is abandoned.
        let mut file = Arc::clone(&self.file).lock_owned().await;
        let written = write_file(move || file.update(&path, &text, now)).await;
        self.metrics.record_export(problem(read, written));
    }

    /// Writes the file with its former counters added, for a process that runs once.
    pub async fn export_once(self) {
        let Some(path) = self.metrics.file() else {
            return;
        };
        let read = self.read_store().await;
        let text = render(self.metrics.registry(), ExpositionFormat::PrometheusText).body;
        let written = write_file(move || accumulate(&path, &text)).await;
        self.metrics.record_export(problem(read, written));
    }

    /// Renders the metrics in the format that the `Accept` header of a client prefers.
    pub async fn render(&self, accept: Option<&str>) -> Exposition {
        match tokio::time::timeout(STORE_TIMEOUT, self.read_store()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("the metrics are older: {error}"),
            Err(_elapsed) => tracing::debug!("the metrics are older: the store is busy"),
        }
        render(
            self.metrics.registry(),
            ExpositionFormat::from_accept(accept),
        )
    }

    /// Counts the commits since the last time, and reads what is open. It may be abandoned at any
    /// point.
    async fn read_store(&self) -> Result<(), StoreError> {
        let mut counter = self.counter.lock().await;
        loop {
            let from = match counter.clone() {
                Some(counter) => counter,
                None => self.store.read(|store| CommitCounter::start(store)).await,
            };
            let counted = self.store.read(move |store| from.count_next(store)).await?;
            self.metrics.add_commits(&counted.counts);
            *counter = Some(counted.counter);
            if !counted.more {
                break;
            }
        }
        let now = (self.clock)();
        let gauges = self.store.read(move |store| StoreGauges::read(store, now));
        let gauges = gauges.await?;
        self.metrics.set_store_gauges(&gauges, now);
        Ok(())
    }
}

/// Writes a file on a thread where that may take long: the disk may be slow or hang.
async fn write_file(
    write: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Result<(), String> {
    let written = tokio::task::spawn_blocking(write).await;
    written.unwrap_or_else(|error| Err(format!("the metrics cannot be written: {error}")))
}

fn problem(read: Result<(), StoreError>, written: Result<(), String>) -> Option<String> {
    let read = read
        .err()
        .map(|error| format!("the metrics are incomplete: {error}"));
    written.err().or(read)
}
