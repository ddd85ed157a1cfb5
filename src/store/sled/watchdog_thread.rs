//! A thread for work that may never end. When the disk refuses a write, sled can wait forever for a
//! thread of its own that has given up (its `flush`, seen once in some hundred such failures), and
//! nothing can wake it. The caller continues after a time limit, and the thread is abandoned.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

type Job = Box<dyn FnOnce() + Send>;

/// The thread. It ends when this value is dropped and its last job is done.
pub struct Worker {
    jobs: Sender<Job>,
    timeout: Duration,
}

/// Why a job has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerGone {
    /// The job panicked.
    Panicked,
    /// The job may still be running: what it was given must not be touched any more.
    TimedOut(Duration),
}

impl Worker {
    /// Starts the thread. Each job may take as long as `timeout`.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn start(timeout: Duration) -> std::io::Result<Self> {
        let (jobs, job_receiver): (_, Receiver<Job>) = channel();
        thread::Builder::new()
            .name("projection".to_owned())
            .spawn(move || job_receiver.into_iter().for_each(|job| job()))?;
        Ok(Self { jobs, timeout })
    }

    /// Runs the job on the thread and waits for the answer. What the job holds is dropped before
    /// the answer arrives.
    ///
    /// # Errors
    /// When the job panics or takes too long.
    pub fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkerGone> {
        let (sender, answer_receiver) = channel();
        let job = move || {
            // A panic exposes no half-done state, because a caller that gets the error does not use
            // what the job worked on again.
            let outcome = catch_unwind(AssertUnwindSafe(job));
            // If the job took too long, the receiver is gone.
            drop(sender.send(outcome.map_err(|_| WorkerGone::Panicked)));
        };
        // The thread continues after a panic, so it still receives jobs.
        drop(self.jobs.send(Box::new(job)));
        match answer_receiver.recv_timeout(self.timeout) {
            Ok(done) => done,
            Err(RecvTimeoutError::Timeout) => Err(WorkerGone::TimedOut(self.timeout)),
            Err(RecvTimeoutError::Disconnected) => Err(WorkerGone::Panicked),
        }
    }
}
