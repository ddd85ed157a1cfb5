//! A thread that does for others what may never end. When the disk refuses a write, sled can wait for
//! ever for a thread of its own that has given up (its `flush`, seen once in some hundred such
//! failures), and nothing can wake it. Whoever asked goes on after a while, and the thread is left.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

type Job = Box<dyn FnOnce() + Send>;

/// The thread. It ends when this is dropped and its last job is done.
pub struct Worker {
    jobs: Sender<Job>,
    patience: Duration,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    Panicked,
    /// It may still be at it: what it was given is not to be touched any more.
    Stuck(Duration),
}

impl Worker {
    /// Starts it. Each job may take this long.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(patience: Duration) -> std::io::Result<Self> {
        let (jobs, receiver): (_, Receiver<Job>) = channel();
        thread::Builder::new()
            .name("fold".to_owned())
            .spawn(move || receiver.into_iter().for_each(|job| job()))?;
        Ok(Self { jobs, patience })
    }

    /// Does it there and waits for the answer. What the job holds is dropped before that comes.
    ///
    /// # Errors
    /// When it panics, or takes too long.
    pub fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoAnswer> {
        let (sender, answer) = channel();
        let job = move || {
            // Nothing of ours is left half done by a panic: whoever learns of it does not use again
            // what the job was about.
            let done = catch_unwind(AssertUnwindSafe(job));
            // Nobody listens any more when it took too long.
            drop(sender.send(done.map_err(|_| NoAnswer::Panicked)));
        };
        // The thread goes on after a panic, so it is there.
        drop(self.jobs.send(Box::new(job)));
        match answer.recv_timeout(self.patience) {
            Ok(done) => done,
            Err(RecvTimeoutError::Timeout) => Err(NoAnswer::Stuck(self.patience)),
            Err(RecvTimeoutError::Disconnected) => Err(NoAnswer::Panicked),
        }
    }
}
