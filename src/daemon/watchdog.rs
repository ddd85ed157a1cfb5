//! The daemon's signs of life for the service manager's watchdog. The loop itself gives them, so a
//! loop that hangs gives none. It also gives none while the store does not answer, and while a pass
//! or a watch has waited for something longer than anything may take. A long pass that makes
//! progress keeps the daemon alive.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::clock;
use crate::config::model::Calcom;
use crate::store::store_thread::StoreHandle;

/// How many signs of life fit into the time-out of the service manager. One that is late by a whole
/// period does no harm.
const SIGNS_PER_TIMEOUT: u32 = 4;

/// The longest that a pass waits for the rate limit, with some time for the rest.
const LONGEST_OTHER_WAIT: Duration = Duration::from_secs(210);

/// Counts how often the current pass or watch went on after it had waited.
#[derive(Debug, Clone, Default)]
pub struct RunProgress(Arc<AtomicU64>);

impl RunProgress {
    /// Returns the work, which is counted each time it continues.
    pub fn count<F>(&self, work: F) -> impl Future<Output = F::Output> + Send + use<F>
    where
        F: Future + Send + 'static,
    {
        let counter = Arc::clone(&self.0);
        let mut work = Box::pin(work);
        poll_fn(move |context| {
            counter.fetch_add(1, Ordering::Relaxed);
            work.as_mut().poll(context)
        })
    }

    fn current(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Returns how long a pass may wait for one thing: for the longest call, and for the rate limit.
pub fn longest_wait(calcom: &Calcom) -> Duration {
    calcom.timeout + calcom.confirm_timeout + LONGEST_OTHER_WAIT
}

/// Decides when a sign of life is due.
#[derive(Debug)]
pub struct Watchdog {
    /// `None` without a service manager that expects signs of life.
    period: Option<Interval>,
    progress: RunProgress,
    /// The progress that was seen last, and when it changed.
    last_progress: (u64, Instant),
    /// Answered by the store; `None` before the first question.
    question: Option<oneshot::Receiver<()>>,
}

impl Watchdog {
    /// Returns the watchdog for a service manager with this time-out; `None`: without one.
    pub fn new(timeout: Option<Duration>, progress: RunProgress) -> Self {
        let period = timeout.map(|timeout| {
            let mut period = interval(timeout / SIGNS_PER_TIMEOUT);
            period.set_missed_tick_behavior(MissedTickBehavior::Delay);
            period
        });
        Self {
            period,
            last_progress: (progress.current(), clock::monotonic_now()),
            progress,
            question: None,
        }
    }

    /// Waits until a sign of life is due; waits forever if no service manager expects one.
    pub async fn due(&mut self) {
        match &mut self.period {
            Some(period) => {
                period.tick().await;
            }
            None => std::future::pending().await,
        }
    }

    /// Returns true if the daemon is alive: the store has answered the last question, and the
    /// current pass or watch, if there is one, has gone on within `longest_wait`.
    pub fn is_alive(
        &mut self,
        store: &StoreHandle,
        is_busy: bool,
        longest_wait: Duration,
        now: Instant,
    ) -> bool {
        let progress = self.progress.current();
        if !is_busy || progress != self.last_progress.0 {
            self.last_progress = (progress, now);
        }
        if store.is_in_long_work() {
            self.last_progress.1 = now;
            return true;
        }
        let store_answers = match &mut self.question {
            Some(question) => question.try_recv().is_ok(),
            None => true,
        };
        if store_answers {
            self.question = Some(ask(store));
        }
        store_answers && now.duration_since(self.last_progress.1) <= longest_wait
    }
}

/// Asks the store for an answer.
fn ask(store: &StoreHandle) -> oneshot::Receiver<()> {
    let (answer, question) = oneshot::channel();
    let store = store.clone();
    tokio::spawn(async move {
        store.with(|_| ()).await;
        // The watchdog may have ended.
        let _ = answer.send(());
    });
    question
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    const LONGEST_WAIT: Duration = Duration::from_secs(300);

    fn started_store() -> StoreHandle {
        let started = StoreHandle::start(Box::new(MemoryStore::new()));
        started.expect("a thread").0
    }

    /// Waits until the store has answered the question of the watchdog.
    async fn let_store_answer(store: &StoreHandle) {
        // Questions are answered in their order; the task that sends the answer runs in between.
        for _ in 0..3 {
            store.with(|_| ()).await;
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_store_that_hangs_starves_the_watchdog() {
        let store = started_store();
        let mut watchdog = Watchdog::new(None, RunProgress::default());
        let now = clock::monotonic_now();
        assert!(watchdog.is_alive(&store, false, LONGEST_WAIT, now));
        let_store_answer(&store).await;
        assert!(watchdog.is_alive(&store, false, LONGEST_WAIT, now));
        let_store_answer(&store).await;
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        let hanging = store.clone();
        let work = tokio::spawn(async move {
            hanging.with(move |_| blocked.recv().is_err()).await;
        });
        tokio::task::yield_now().await;
        // The answer to the last question is there; the next one gets none.
        assert!(watchdog.is_alive(&store, false, LONGEST_WAIT, now));
        for _ in 0..3 {
            tokio::task::yield_now().await;
            assert!(!watchdog.is_alive(&store, false, LONGEST_WAIT, now));
        }
        release.send(()).expect("the store waits");
        work.await.expect("it ends");
        let_store_answer(&store).await;
        assert!(watchdog.is_alive(&store, false, LONGEST_WAIT, now));
    }

    #[tokio::test]
    async fn a_pass_that_hangs_starves_the_watchdog_and_one_that_goes_on_does_not() {
        let store = started_store();
        let progress = RunProgress::default();
        let mut watchdog = Watchdog::new(None, progress.clone());
        let begin = clock::monotonic_now();
        let (step, mut steps) = tokio::sync::mpsc::channel::<()>(1);
        let pass =
            tokio::spawn(progress.count(async move { while steps.recv().await.is_some() {} }));
        let_store_answer(&store).await;
        // An hour in steps that are each shorter than the longest wait.
        let mut now = begin;
        for _ in 0..20 {
            now += Duration::from_secs(180);
            step.send(()).await.expect("the pass runs");
            let_store_answer(&store).await;
            assert!(watchdog.is_alive(&store, true, LONGEST_WAIT, now));
        }
        let_store_answer(&store).await;
        assert!(watchdog.is_alive(&store, true, LONGEST_WAIT, now + LONGEST_WAIT));
        let_store_answer(&store).await;
        let too_late = now + LONGEST_WAIT + Duration::from_secs(1);
        assert!(!watchdog.is_alive(&store, true, LONGEST_WAIT, too_late));
        // A daemon that waits for its next pass does not have to make progress.
        let_store_answer(&store).await;
        assert!(watchdog.is_alive(&store, false, LONGEST_WAIT, too_late));
        drop(step);
        pass.await.expect("it ends");
    }

    #[tokio::test]
    async fn without_a_service_manager_no_sign_of_life_is_due() {
        let mut watchdog = Watchdog::new(None, RunProgress::default());
        let due = tokio::time::timeout(Duration::from_millis(20), watchdog.due());
        assert!(due.await.is_err());
        let mut watchdog = Watchdog::new(Some(Duration::from_millis(4)), RunProgress::default());
        for _ in 0..3 {
            watchdog.due().await;
        }
    }
}
