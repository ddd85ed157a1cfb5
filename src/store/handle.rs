//! The store's own thread. One owner: everyone else sends it work and awaits the answer, so that
//! a pass which waits for Cal.com never keeps an operator from being answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::port::Store;
use super::scratch::{Scratch, ScratchStore};

/// Pieces of work that may wait; more senders wait their turn.
const QUEUE: usize = 64;

/// How often it is asked whether it still answers, and how long it may take to: nothing that it does
/// takes minutes, but a read from sled may wait for ever on a disk that has failed.
const PULSE: Pulse = Pulse {
    every: Duration::from_secs(60),
    patience: Duration::from_secs(300),
};

#[derive(Clone, Copy)]
struct Pulse {
    every: Duration,
    patience: Duration,
}

/// The store's thread waits for something that does not come. Nothing wakes it: the process is to
/// end, and that thread with it.
#[derive(Debug, thiserror::Error)]
#[error(
    "the store has not answered for {}, as happens when the disk fails or is full (see the kernel's \
     log); nothing that was acknowledged is lost, and the next start makes the fold anew",
    humantime::format_duration(*.0)
)]
pub struct Stuck(Duration);

type Work = Box<dyn FnOnce(&mut dyn Store) + Send>;

/// Reaches the store's thread. Cheap to clone; the thread ends when the last one is dropped.
#[derive(Clone)]
pub struct StoreHandle {
    work: mpsc::Sender<Work>,
    /// Where a dry run's writes go; `None` for the store itself.
    scratch: Option<Arc<Mutex<Scratch>>>,
}

impl StoreHandle {
    /// Gives the store its thread. The store comes back when every handle is gone.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Box<dyn Store>) -> std::io::Result<(Self, JoinHandle<Box<dyn Store>>)> {
        let (work, mut queue) = mpsc::channel::<Work>(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let mut store = store;
                while let Some(piece) = queue.blocking_recv() {
                    piece(store.as_mut());
                }
                store
            })?;
        let handle = Self {
            work,
            scratch: None,
        };
        Ok((handle, thread))
    }

    /// A handle for a dry run: what is written through it is seen through it, and by nobody else.
    pub fn scratch(&self) -> Self {
        Self {
            work: self.work.clone(),
            scratch: Some(Arc::default()),
        }
    }

    /// Whether nothing that is written through this handle reaches the store.
    pub fn is_scratch(&self) -> bool {
        self.scratch.is_some()
    }

    /// Runs the work on the store's thread. Work that was sent is done even when the caller stops
    /// waiting.
    ///
    /// # Panics
    /// When the store's thread has panicked: what it knows cannot be trusted any more.
    pub async fn with<T, F>(&self, work: F) -> T
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Store) -> T + Send + 'static,
    {
        let (answer, wait) = oneshot::channel();
        let scratch = self.scratch.clone();
        let piece: Work = Box::new(move |store| {
            let done = match scratch {
                None => work(store),
                Some(scratch) => {
                    let mut scratch = scratch.lock().unwrap_or_else(PoisonError::into_inner);
                    work(&mut ScratchStore::new(store, &mut scratch))
                }
            };
            // The caller may have gone; the work is done all the same.
            let _ = answer.send(done);
        });
        assert!(
            self.work.send(piece).await.is_ok(),
            "the store's thread is running"
        );
        wait.await.expect("the store's thread answers")
    }

    /// Waits until the store does not answer any more; for ever, while it does.
    pub async fn stuck(&self) -> Stuck {
        self.without_pulse(PULSE).await
    }

    async fn without_pulse(&self, pulse: Pulse) -> Stuck {
        loop {
            tokio::time::sleep(pulse.every).await;
            if tokio::time::timeout(pulse.patience, self.with(|_| ()))
                .await
                .is_err()
            {
                return Stuck(pulse.patience);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryStore;
    use super::*;

    const QUICK: Pulse = Pulse {
        every: Duration::from_millis(1),
        patience: Duration::from_millis(50),
    };

    #[tokio::test]
    async fn a_store_that_waits_for_ever_is_noticed() {
        let (store, _thread) = StoreHandle::start(Box::new(MemoryStore::new())).expect("a thread");
        let waits = store.with(|_| {
            loop {
                std::thread::park();
            }
        });
        let stuck = tokio::select! {
            () = waits => unreachable!("it waits for ever"),
            stuck = store.without_pulse(QUICK) => stuck,
        };
        let text = stuck.to_string();
        assert!(text.contains("has not answered for 50ms"), "{text}");
    }

    #[tokio::test]
    async fn a_store_that_answers_is_let_be() {
        let (store, _thread) = StoreHandle::start(Box::new(MemoryStore::new())).expect("a thread");
        let quick = Pulse {
            patience: Duration::from_secs(60),
            ..QUICK
        };
        let noticed = tokio::time::timeout(Duration::from_millis(200), store.without_pulse(quick));
        assert!(noticed.await.is_err(), "it answers");
    }
}
