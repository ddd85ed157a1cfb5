//! Queues calls until the request budget allows them: first come, first served, and safe to cancel
//! at any point. The cost of a call is reserved before the call is sent, and accounted for when the
//! call ends, however it ends.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::domain::time::{Clock, Span, Time};

use super::call_observer::RateLimitReading;
use super::port::CallError;
use super::rate_budget::RateBudget;
use super::stated_limits::StatedLimit;

/// The most calls under way at the same time. Enough to hide the server's latency; each is a
/// connection to the server, and a confirm makes the server send mails and talk to calendars.
const MAX_CONCURRENT_CALLS: usize = 16;

/// How long a call without a deadline waits for the budget: two of Cal.com's windows and a block.
const MAX_WAIT: Span = Span::seconds(150);

pub(super) struct CallQueue {
    budget: Mutex<RateBudget>,
    clock: Clock,
    permits: Semaphore,
    /// Held by the one call that waits for the budget; the others queue behind it.
    queue_head: tokio::sync::Mutex<()>,
    /// Signals that a call ended, so that capacity may be free sooner than was computed.
    capacity_freed: Notify,
}

/// A call under way. If the permit is dropped before the call was answered, the reserved cost
/// counts as spent.
pub(super) struct CallPermit<'a> {
    queue: &'a CallQueue,
    cost: u32,
    is_accounted: bool,
    _permit: SemaphorePermit<'a>,
}

impl CallQueue {
    pub(super) fn new(budget: RateBudget, clock: Clock) -> Self {
        Self {
            budget: Mutex::new(budget),
            clock,
            permits: Semaphore::new(MAX_CONCURRENT_CALLS),
            queue_head: tokio::sync::Mutex::new(()),
            capacity_freed: Notify::new(),
        }
    }

    /// Waits until a call of this cost may be sent. A call with a deadline is never sent after it:
    /// a write acts on a reading made just before, and Cal.com revives a cancelled booking without
    /// a warning.
    ///
    /// # Errors
    /// Returns `TooLate` or `RateLimited` if the call may not be sent in time; nothing was sent
    /// then.
    pub(super) async fn acquire(
        &self,
        cost: u32,
        deadline: Option<Time>,
    ) -> Result<CallPermit<'_>, CallError> {
        let now = (self.clock)();
        let latest = deadline.map_or(now + MAX_WAIT, |deadline| deadline.min(now + MAX_WAIT));
        let longest = (latest - now).to_std().unwrap_or(Duration::ZERO);
        match tokio::time::timeout(longest, self.wait_for_budget(cost, latest, deadline)).await {
            Ok(result) => result,
            Err(_elapsed) => Err(self.refusal_error(cost, deadline)),
        }
    }

    pub(super) fn available_calls(&self) -> usize {
        let now = (self.clock)();
        self.lock_budget().available_calls(now)
    }

    /// Returns the server's limit with the fewest calls left; `None` before an answer stated one.
    pub(super) fn tightest_limit(&self) -> Option<RateLimitReading> {
        let now = (self.clock)();
        self.lock_budget().tightest_limit(now)
    }

    async fn wait_for_budget(
        &self,
        cost: u32,
        latest: Time,
        deadline: Option<Time>,
    ) -> Result<CallPermit<'_>, CallError> {
        let permit = self.permits.acquire().await;
        let permit = permit.expect("the semaphore is never closed");
        let _queue_head = self.queue_head.lock().await;
        loop {
            let now = (self.clock)();
            if now > latest {
                return Err(self.refusal_error(cost, deadline));
            }
            let wait = self.reserve(now, cost);
            if wait <= Span::zero() {
                return Ok(CallPermit {
                    queue: self,
                    cost,
                    is_accounted: false,
                    _permit: permit,
                });
            }
            if now + wait > latest {
                return Err(self.refusal_error(cost, deadline));
            }
            tracing::debug!(
                ms = wait.num_milliseconds(),
                "waiting for the request budget"
            );
            let wait = wait.to_std().expect("the wait is above zero");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.capacity_freed.notified() => {}
            }
        }
    }

    /// Returns why the call may not be sent. After a refusal by the server no call may be sent,
    /// whatever its deadline; otherwise only this call is too late.
    fn refusal_error(&self, cost: u32, deadline: Option<Time>) -> CallError {
        let now = (self.clock)();
        let budget = self.lock_budget();
        match budget.blocked_until(now) {
            Some(until) => CallError::RateLimited { until },
            None if deadline.is_some() => CallError::TooLate,
            None => CallError::RateLimited {
                until: now + budget.wait_time(now, cost),
            },
        }
    }

    /// Reserves the cost if the call may be sent now; otherwise returns how long to wait.
    fn reserve(&self, now: Time, cost: u32) -> Span {
        let mut budget = self.lock_budget();
        let wait = budget.wait_time(now, cost);
        if wait <= Span::zero() {
            budget.record_sent(cost);
        }
        wait
    }

    fn lock_budget(&self) -> MutexGuard<'_, RateBudget> {
        self.budget
            .lock()
            .expect("nothing panics while it holds the pace")
    }
}

impl CallPermit<'_> {
    /// Records that the head of the answer came, with these limits.
    pub(super) fn record_answer(&mut self, limits: Vec<StatedLimit>, now: Time) {
        assert!(!self.is_accounted, "a call ends once");
        self.is_accounted = true;
        self.queue
            .lock_budget()
            .record_answer(self.cost, limits, now);
        self.queue.capacity_freed.notify_one();
    }

    /// Records that no connection was made, so the call was not sent.
    pub(super) fn record_unsent(&mut self) {
        assert!(!self.is_accounted, "a call ends once");
        self.is_accounted = true;
        self.queue.lock_budget().record_unsent(self.cost);
        self.queue.capacity_freed.notify_one();
    }

    /// Records that the server refused the call because there were too many. Returns when calls may
    /// be sent again.
    pub(super) fn record_refusal(
        &mut self,
        limits: &[StatedLimit],
        retry_after: Option<Span>,
        now: Time,
    ) -> Time {
        self.queue
            .lock_budget()
            .record_refusal(limits, retry_after, now)
    }
}

impl Drop for CallPermit<'_> {
    fn drop(&mut self) {
        if !self.is_accounted {
            let now = (self.queue.clock)();
            self.queue.lock_budget().record_lost(self.cost, now);
            self.queue.capacity_freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// Returns a queue that knows one limit, and its clock in seconds.
    fn queue_with_limit(limit: u32, remaining: u32) -> (CallQueue, Arc<AtomicI64>) {
        let seconds = Arc::new(AtomicI64::new(0));
        let now = Arc::clone(&seconds);
        let clock: Clock = Arc::new(move || at(now.load(Ordering::Relaxed)));
        let mut budget = RateBudget::new(1.0, false);
        budget.record_sent(1);
        budget.record_answer(1, stated_limits(limit, remaining), at(0));
        (CallQueue::new(budget, clock), seconds)
    }

    fn at(seconds: i64) -> Time {
        Time::from_timestamp(1_795_420_000 + seconds, 0).expect("a time")
    }

    fn stated_limits(limit: u32, remaining: u32) -> Vec<StatedLimit> {
        let name = String::new();
        let resets_at = Some(at(60));
        vec![StatedLimit {
            name,
            limit,
            remaining,
            resets_at,
        }]
    }

    /// Polls once, and returns whether the future still waits.
    async fn is_pending<F: Future>(future: &mut Pin<Box<F>>) -> bool {
        poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
    }

    fn expect_error(result: Result<CallPermit<'_>, CallError>) -> CallError {
        result.err().expect("it may not go")
    }

    #[tokio::test]
    async fn calls_go_in_the_order_they_came_and_giving_up_frees_the_place() {
        let (queue, _) = queue_with_limit(10, 2);
        let first = queue.acquire(2, None).await.expect("there is room for it");
        let mut second = Box::pin(queue.acquire(1, None));
        let mut third = Box::pin(queue.acquire(1, None));
        assert!(is_pending(&mut second).await);
        assert!(is_pending(&mut third).await);
        // Cancelled while it was first in the queue.
        drop(second);
        assert!(is_pending(&mut third).await);
        let mut first = first;
        first.record_answer(stated_limits(10, 2), at(1));
        drop(first);
        let third = third.await.expect("there is room again");
        drop(third);
        // Not answered, so counted as spent.
        assert_eq!(queue.available_calls(), 1);
    }

    #[tokio::test]
    async fn calls_that_cannot_start_in_time_fail_immediately() {
        let (queue, seconds) = queue_with_limit(10, 0);
        assert_eq!(
            expect_error(queue.acquire(1, Some(at(59))).await),
            CallError::TooLate
        );
        assert_eq!(
            expect_error(queue.acquire(1, Some(at(-1))).await),
            CallError::TooLate
        );
        seconds.store(60, Ordering::Relaxed);
        assert_eq!(
            expect_error(queue.acquire(1, Some(at(59))).await),
            CallError::TooLate
        );
        assert!(queue.acquire(1, Some(at(60))).await.is_ok());
    }

    #[tokio::test]
    async fn a_refusal_by_the_server_blocks_all_calls() {
        let (queue, _) = queue_with_limit(10, 5);
        let mut permit = queue.acquire(1, None).await.expect("there is room");
        let until = permit.record_refusal(&[], Some(Span::seconds(600)), at(0));
        permit.record_answer(Vec::new(), at(0));
        assert_eq!(until, at(601));
        for deadline in [None, Some(at(10))] {
            let error = expect_error(queue.acquire(1, deadline).await);
            assert_eq!(error, CallError::RateLimited { until });
        }
        assert_eq!(queue.available_calls(), 0);
    }

    #[tokio::test]
    async fn concurrent_calls_are_limited() {
        let (queue, _) = queue_with_limit(1000, 1000);
        let mut permits = Vec::new();
        for _ in 0..MAX_CONCURRENT_CALLS {
            permits.push(queue.acquire(1, None).await.expect("there is room"));
        }
        let mut next = Box::pin(queue.acquire(1, None));
        assert!(is_pending(&mut next).await);
        permits.pop();
        assert!(next.await.is_ok());
    }
}
