//! The store's own thread. One owner: everyone else sends it work and awaits the answer, so that
//! a pass which waits for Cal.com never keeps an operator from being answered.

use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::port::Store;

/// Pieces of work that may wait; more senders wait their turn.
const QUEUE: usize = 64;

type Work = Box<dyn FnOnce(&mut dyn Store) + Send>;

/// Reaches the store's thread. Cheap to clone; the thread ends when the last one is dropped.
#[derive(Debug, Clone)]
pub struct StoreHandle {
    work: mpsc::Sender<Work>,
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
        Ok((Self { work }, thread))
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
        let piece: Work = Box::new(move |store| {
            // The caller may have gone; the work is done all the same.
            let _ = answer.send(work(store));
        });
        assert!(
            self.work.send(piece).await.is_ok(),
            "the store's thread is running"
        );
        wait.await.expect("the store's thread answers")
    }
}
