//! The store's own thread. The thread is the only owner of the store. All others send work to it
//! and await the answer, so that a pass that waits for Cal.com never keeps an operator waiting.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::port::{CommitError, Committed, Maintenance, Store};
use super::scratch::{ScratchStore, ScratchWrites};
use super::transaction::{Stamp, transact};
use crate::domain::actor::Actor;
use crate::domain::expected::Expected;
use crate::domain::fact::Fact;
use crate::domain::time::Time;

/// How many pieces of work may be queued; further senders wait.
const QUEUE_LENGTH: usize = 64;

/// How often the thread is asked for an answer, and how long the answer may take. No work takes
/// minutes, but a read from sled may wait forever on a disk that has failed.
const LIVENESS_CHECK: LivenessCheck = LivenessCheck {
    interval: Duration::from_secs(60),
    timeout: Duration::from_secs(300),
};

#[derive(Clone, Copy)]
struct LivenessCheck {
    interval: Duration,
    timeout: Duration,
}

/// The store's thread waits for something that never happens. Nothing can wake the thread, so the
/// process must end, and the thread with it.
#[derive(Debug, thiserror::Error)]
#[error(
    "the store has not answered for {}, {hint}",
    humantime::format_duration(*.timeout)
)]
pub struct StoreUnresponsive {
    timeout: Duration,
    /// What this store's operator has to know.
    hint: &'static str,
}

/// Counts as long work until it is dropped.
struct LongWork(Arc<AtomicUsize>);

impl LongWork {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for LongWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

type StoreWork = Box<dyn FnOnce(&mut dyn Maintenance) + Send>;

/// A handle to the store's thread. It is cheap to clone; the thread ends when the last handle is
/// dropped.
#[derive(Clone)]
pub struct StoreHandle {
    work: mpsc::Sender<StoreWork>,
    unresponsive_hint: &'static str,
    /// How much long work is queued or running. While there is any, no answer is expected.
    long_work: Arc<AtomicUsize>,
    /// Where a dry run's writes go; `None` for the store itself.
    scratch: Option<Arc<Mutex<ScratchWrites>>>,
}

impl StoreHandle {
    /// Starts the store's thread. The thread returns the store when every handle is dropped.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn start(
        store: Box<dyn Maintenance>,
    ) -> std::io::Result<(Self, JoinHandle<Box<dyn Maintenance>>)> {
        let unresponsive_hint = store.unresponsive_hint();
        let (work, mut queue) = mpsc::channel::<StoreWork>(QUEUE_LENGTH);
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let mut store = store;
                while let Some(work) = queue.blocking_recv() {
                    work(store.as_mut());
                }
                store
            })?;
        let handle = Self {
            work,
            unresponsive_hint,
            long_work: Arc::default(),
            scratch: None,
        };
        Ok((handle, thread))
    }

    /// Returns a handle for a dry run. What is written through this handle is visible only through
    /// it.
    pub fn scratch_handle(&self) -> Self {
        Self {
            work: self.work.clone(),
            unresponsive_hint: self.unresponsive_hint,
            long_work: Arc::clone(&self.long_work),
            scratch: Some(Arc::default()),
        }
    }

    /// Returns true if nothing that is written through this handle reaches the store.
    pub fn is_scratch(&self) -> bool {
        self.scratch.is_some()
    }

    /// Reads from the store. All reads of one call see the same state; another writer may change it
    /// as soon as the call ends.
    ///
    /// # Panics
    /// When the store's thread has panicked, because its state can no longer be trusted. The same
    /// holds for all methods below.
    pub async fn read<T, F>(&self, read: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&dyn Store) -> T + Send + 'static,
    {
        self.with(move |store| read(store)).await
    }

    /// Commits facts that were decided from earlier reads. `expected` names the records that the
    /// facts rest on.
    ///
    /// # Errors
    /// See [`CommitError`].
    pub async fn commit(
        &self,
        at: Time,
        facts: Vec<Fact>,
        expected: Vec<Expected>,
    ) -> Result<Committed, CommitError> {
        self.with(move |store| store.commit(at, facts, &expected))
            .await
    }

    /// Reads, decides and commits; see [`transact`].
    ///
    /// # Errors
    /// Returns the error of `decide`, or of the commit.
    pub async fn transaction<T, E, F>(&self, at: Time, decide: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<CommitError> + Send + 'static,
        F: FnMut(&dyn Store) -> Result<(Vec<Fact>, T), E> + Send + 'static,
    {
        self.with(move |store| transact(store, &at.into(), decide).map(|(value, _)| value))
            .await
    }

    /// Does the same as [`Self::transaction`], and records who makes the commit.
    ///
    /// # Errors
    /// Returns the error of `decide`, or of the commit.
    pub async fn transaction_by<T, E, F>(&self, at: Time, by: Actor, decide: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<CommitError> + Send + 'static,
        F: FnMut(&dyn Store) -> Result<(Vec<Fact>, T), E> + Send + 'static,
    {
        let stamp = Stamp { at, by: Some(by) };
        self.with(move |store| transact(store, &stamp, decide).map(|(value, _)| value))
            .await
    }

    /// Runs the work on the store's thread. Other processes may write while it runs, so work that
    /// decides commits by [`transact`] or names what it expects. Work that was sent is done even if
    /// the caller stops waiting.
    pub async fn with<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Store) -> T + Send + 'static,
    {
        let scratch = self.scratch.clone();
        self.send(move |store| match scratch {
            None => work(store),
            Some(scratch) => {
                let mut scratch = scratch.lock().unwrap_or_else(PoisonError::into_inner);
                work(&mut ScratchStore::new(store, &mut scratch))
            }
        })
        .await
    }

    /// Runs work that may also take care of the store itself, like the commands of operators. A dry
    /// run has none.
    pub async fn maintain<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Maintenance) -> T + Send + 'static,
    {
        assert!(!self.is_scratch(), "a dry run leaves the store as it is");
        self.send(work).await
    }

    /// Runs work like [`Self::maintain`] that may take longer than a store may take to answer, such
    /// as a rewrite of the log.
    pub async fn maintain_for_long<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Maintenance) -> T + Send + 'static,
    {
        let long_work = LongWork::begin(&self.long_work);
        self.maintain(move |store| {
            let result = work(store);
            drop(long_work);
            result
        })
        .await
    }

    /// Returns true while long work is queued or running.
    pub fn is_in_long_work(&self) -> bool {
        self.long_work.load(Ordering::Relaxed) > 0
    }

    async fn send<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Maintenance) -> T + Send + 'static,
    {
        let (answer, answer_receiver) = oneshot::channel();
        let queued_work: StoreWork = Box::new(move |store| {
            // The caller may have stopped waiting; the work is done anyway.
            let _ = answer.send(work(store));
        });
        assert!(
            self.work.send(queued_work).await.is_ok(),
            "the store's thread is running"
        );
        answer_receiver.await.expect("the store's thread answers")
    }

    /// Waits until the store no longer answers; waits forever while it answers.
    pub async fn wait_until_unresponsive(&self) -> StoreUnresponsive {
        self.wait_until_check_fails(LIVENESS_CHECK).await
    }

    async fn wait_until_check_fails(&self, check: LivenessCheck) -> StoreUnresponsive {
        loop {
            tokio::time::sleep(check.interval).await;
            let answer = tokio::time::timeout(check.timeout, self.with(|_| ())).await;
            if answer.is_err() && !self.is_in_long_work() {
                return StoreUnresponsive {
                    timeout: check.timeout,
                    hint: self.unresponsive_hint,
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryStore;
    use super::*;

    const QUICK_CHECK: LivenessCheck = LivenessCheck {
        interval: Duration::from_millis(1),
        timeout: Duration::from_millis(50),
    };

    #[tokio::test]
    async fn a_store_that_never_answers_is_reported() {
        let (store, _thread) = StoreHandle::start(Box::new(MemoryStore::new())).expect("a thread");
        let blocked_call = store.with(|_| {
            loop {
                std::thread::park();
            }
        });
        let unresponsive = tokio::select! {
            () = blocked_call => unreachable!("it waits for ever"),
            stuck = store.wait_until_check_fails(QUICK_CHECK) => stuck,
        };
        let text = unresponsive.to_string();
        assert!(text.contains("has not answered for 50ms"), "{text}");
    }

    #[tokio::test]
    async fn a_store_that_answers_is_not_reported() {
        let (store, _thread) = StoreHandle::start(Box::new(MemoryStore::new())).expect("a thread");
        let patient_check = LivenessCheck {
            timeout: Duration::from_secs(60),
            ..QUICK_CHECK
        };
        let report = tokio::time::timeout(
            Duration::from_millis(200),
            store.wait_until_check_fails(patient_check),
        );
        assert!(report.await.is_err(), "it answers");
    }
}
