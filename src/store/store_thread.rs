//! The store's own thread. The thread is the only owner of the store. All others send work to it
//! and await the answer, so that a pass that waits for Cal.com never keeps an operator waiting.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::port::Store;
use super::scratch::{ScratchStore, ScratchWrites};

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
    "the store has not answered for {}, as happens when the disk fails or is full (see the kernel's \
     log); nothing that was acknowledged is lost, and the next start makes the fold anew",
    humantime::format_duration(*.0)
)]
pub struct StoreUnresponsive(Duration);

type StoreWork = Box<dyn FnOnce(&mut dyn Store) + Send>;

/// A handle to the store's thread. It is cheap to clone; the thread ends when the last handle is
/// dropped.
#[derive(Clone)]
pub struct StoreHandle {
    work: mpsc::Sender<StoreWork>,
    /// Where a dry run's writes go; `None` for the store itself.
    scratch: Option<Arc<Mutex<ScratchWrites>>>,
}

impl StoreHandle {
    /// Starts the store's thread. The thread returns the store when every handle is dropped.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn start(store: Box<dyn Store>) -> std::io::Result<(Self, JoinHandle<Box<dyn Store>>)> {
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
            scratch: None,
        };
        Ok((handle, thread))
    }

    /// Returns a handle for a dry run. What is written through this handle is visible only through
    /// it.
    pub fn scratch_handle(&self) -> Self {
        Self {
            work: self.work.clone(),
            scratch: Some(Arc::default()),
        }
    }

    /// Returns true if nothing that is written through this handle reaches the store.
    pub fn is_scratch(&self) -> bool {
        self.scratch.is_some()
    }

    /// Runs the work on the store's thread. Work that was sent is done even if the caller stops
    /// waiting.
    ///
    /// # Panics
    /// When the store's thread has panicked, because its state can no longer be trusted.
    pub async fn with<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Store) -> T + Send + 'static,
    {
        let (answer, answer_receiver) = oneshot::channel();
        let scratch = self.scratch.clone();
        let queued_work: StoreWork = Box::new(move |store| {
            let answer_value = match scratch {
                None => work(store),
                Some(scratch) => {
                    let mut scratch = scratch.lock().unwrap_or_else(PoisonError::into_inner);
                    work(&mut ScratchStore::new(store, &mut scratch))
                }
            };
            // The caller may have stopped waiting; the work is done anyway.
            let _ = answer.send(answer_value);
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
            if tokio::time::timeout(check.timeout, self.with(|_| ()))
                .await
                .is_err()
            {
                return StoreUnresponsive(check.timeout);
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
