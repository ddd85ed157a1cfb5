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
    timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerGone {
    Panicked,
    /// It may still be at it: what it was given is not to be touched any more.
    TimedOut(Duration),
}

impl Worker {
    /// Starts it. Each job may take this long.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(timeout: Duration) -> std::io::Result<Self> {
        let (jobs, job_receiver): (_, Receiver<Job>) = channel();
        thread::Builder::new()
            .name("fold".to_owned())
            .spawn(move || job_receiver.into_iter().for_each(|job| job()))?;
        Ok(Self { jobs, timeout })
    }

    /// Does it there and waits for the answer. What the job holds is dropped before that comes.
    ///
    /// # Errors
    /// When it panics, or takes too long.
    pub fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkerGone> {
        let (sender, answer_receiver) = channel();
        let job = move || {
            // Nothing of ours is left half done by a panic: whoever learns of it does not use again
            // what the job was about.
            let outcome = catch_unwind(AssertUnwindSafe(job));
            // Nobody listens any more when it took too long.
            drop(sender.send(outcome.map_err(|_| WorkerGone::Panicked)));
        };
        // The thread goes on after a panic, so it is there.
        drop(self.jobs.send(Box::new(job)));
        match answer_receiver.recv_timeout(self.timeout) {
            Ok(done) => done,
            Err(RecvTimeoutError::Timeout) => Err(WorkerGone::TimedOut(self.timeout)),
            Err(RecvTimeoutError::Disconnected) => Err(WorkerGone::Panicked),
        }
    }
}
