//! Where calls wait for the budget: first come, first served, safe to give up at any point. What a
//! call takes is reserved before it is sent and accounted for when it ends, however it ends.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::domain::time::{Clock, Span, Time};

use super::pace::{Limit, Pace};
use super::port::CallError;

/// Calls under way at once. Enough to hide the server's latency; each is a connection to it, and a
/// confirm makes it send mails and talk to calendars.
const MAX_AT_ONCE: usize = 16;

/// How long a call without a deadline waits for the budget: two of Cal.com's windows and a block.
const MAX_WAIT: Span = Span::seconds(150);

pub(super) struct Gate {
    pace: Mutex<Pace>,
    clock: Clock,
    places: Semaphore,
    /// Held by the one call that waits for the budget; the others queue behind it.
    turn: tokio::sync::Mutex<()>,
    /// A call ended, so there may be room sooner than was computed.
    freed: Notify,
}

/// A call on its way. Dropped unanswered, what it reserved counts as spent.
pub(super) struct Ticket<'a> {
    gate: &'a Gate,
    cost: u32,
    settled: bool,
    _place: SemaphorePermit<'a>,
}

impl Gate {
    pub(super) fn new(pace: Pace, clock: Clock) -> Self {
        Self {
            pace: Mutex::new(pace),
            clock,
            places: Semaphore::new(MAX_AT_ONCE),
            turn: tokio::sync::Mutex::new(()),
            freed: Notify::new(),
        }
    }

    /// Waits until a call of this cost may go. It never goes after its deadline, if it has one: a
    /// write acts on what was read just before, and Cal.com revives a cancelled booking without a
    /// word.
    ///
    /// # Errors
    /// `TooLate` or `Limited` when it may not go in time; nothing was sent then.
    pub(super) async fn enter(
        &self,
        cost: u32,
        deadline: Option<Time>,
    ) -> Result<Ticket<'_>, CallError> {
        let now = (self.clock)();
        let last = deadline.map_or(now + MAX_WAIT, |deadline| deadline.min(now + MAX_WAIT));
        let longest = (last - now).to_std().unwrap_or(Duration::ZERO);
        match tokio::time::timeout(longest, self.queue(cost, last, deadline)).await {
            Ok(result) => result,
            Err(_elapsed) => Err(self.refusal(cost, deadline)),
        }
    }

    pub(super) fn ready(&self) -> usize {
        let now = (self.clock)();
        self.pace().ready(now)
    }

    async fn queue(
        &self,
        cost: u32,
        last: Time,
        deadline: Option<Time>,
    ) -> Result<Ticket<'_>, CallError> {
        let place = self.places.acquire().await;
        let place = place.expect("the semaphore is never closed");
        let _turn = self.turn.lock().await;
        loop {
            let now = (self.clock)();
            if now > last {
                return Err(self.refusal(cost, deadline));
            }
            let wait = self.reserve(now, cost);
            if wait <= Span::zero() {
                return Ok(Ticket {
                    gate: self,
                    cost,
                    settled: false,
                    _place: place,
                });
            }
            if now + wait > last {
                return Err(self.refusal(cost, deadline));
            }
            tracing::debug!(
                ms = wait.num_milliseconds(),
                "waiting for the request budget"
            );
            let wait = wait.to_std().expect("the wait is above zero");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.freed.notified() => {}
            }
        }
    }

    /// After the server's own refusal nobody may send, whatever the deadline; else it is only this
    /// call that came too late.
    fn refusal(&self, cost: u32, deadline: Option<Time>) -> CallError {
        let now = (self.clock)();
        let pace = self.pace();
        match pace.blocked_until(now) {
            Some(until) => CallError::Limited { until },
            None if deadline.is_some() => CallError::TooLate,
            None => CallError::Limited {
                until: now + pace.wait(now, cost),
            },
        }
    }

    /// Takes the cost if it may go now; else says how long that takes.
    fn reserve(&self, now: Time, cost: u32) -> Span {
        let mut pace = self.pace();
        let wait = pace.wait(now, cost);
        if wait <= Span::zero() {
            pace.sent(cost);
        }
        wait
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace
            .lock()
            .expect("nothing panics while it holds the pace")
    }
}

impl Ticket<'_> {
    /// The head of an answer came, with these limits.
    pub(super) fn heard(&mut self, limits: Vec<Limit>, now: Time) {
        assert!(!self.settled, "a call ends once");
        self.settled = true;
        self.gate.pace().heard(self.cost, limits, now);
        self.gate.freed.notify_one();
    }

    /// No connection was made, so the call did not go out.
    pub(super) fn unsent(&mut self) {
        assert!(!self.settled, "a call ends once");
        self.settled = true;
        self.gate.pace().unsent(self.cost);
        self.gate.freed.notify_one();
    }

    /// The answer was that there were too many calls. Returns when they may go again.
    pub(super) fn refused(
        &mut self,
        limits: &[Limit],
        retry_after: Option<Span>,
        now: Time,
    ) -> Time {
        self.gate.pace().refused(limits, retry_after, now)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if !self.settled {
            let now = (self.gate.clock)();
            self.gate.pace().lost(self.cost, now);
            self.gate.freed.notify_one();
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

    /// A gate that has heard of a limit, and its clock in seconds.
    fn gate(limit: u32, remaining: u32) -> (Gate, Arc<AtomicI64>) {
        let seconds = Arc::new(AtomicI64::new(0));
        let now = Arc::clone(&seconds);
        let clock: Clock = Arc::new(move || at(now.load(Ordering::Relaxed)));
        let mut pace = Pace::new(1.0, false);
        pace.sent(1);
        pace.heard(1, stated(limit, remaining), at(0));
        (Gate::new(pace, clock), seconds)
    }

    fn at(seconds: i64) -> Time {
        Time::from_timestamp(1_795_420_000 + seconds, 0).expect("a time")
    }

    fn stated(limit: u32, remaining: u32) -> Vec<Limit> {
        let name = String::new();
        let resets = Some(at(60));
        vec![Limit {
            name,
            limit,
            remaining,
            resets,
        }]
    }

    /// Polls once; whether it still waits.
    async fn waits<F: Future>(future: &mut Pin<Box<F>>) -> bool {
        poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
    }

    fn refusal(result: Result<Ticket<'_>, CallError>) -> CallError {
        result.err().expect("it may not go")
    }

    #[tokio::test]
    async fn calls_go_in_the_order_they_came_and_giving_up_frees_the_place() {
        let (gate, _) = gate(10, 2);
        let first = gate.enter(2, None).await.expect("there is room for it");
        let mut second = Box::pin(gate.enter(1, None));
        let mut third = Box::pin(gate.enter(1, None));
        assert!(waits(&mut second).await);
        assert!(waits(&mut third).await);
        // Given up while it was first in the queue.
        drop(second);
        assert!(waits(&mut third).await);
        let mut first = first;
        first.heard(stated(10, 2), at(1));
        drop(first);
        let third = third.await.expect("there is room again");
        drop(third);
        // Not answered, so counted as spent.
        assert_eq!(gate.ready(), 1);
    }

    #[tokio::test]
    async fn who_cannot_go_in_time_is_told_at_once() {
        let (gate, seconds) = gate(10, 0);
        assert_eq!(
            refusal(gate.enter(1, Some(at(59))).await),
            CallError::TooLate
        );
        assert_eq!(
            refusal(gate.enter(1, Some(at(-1))).await),
            CallError::TooLate
        );
        seconds.store(60, Ordering::Relaxed);
        assert_eq!(
            refusal(gate.enter(1, Some(at(59))).await),
            CallError::TooLate
        );
        assert!(gate.enter(1, Some(at(60))).await.is_ok());
    }

    #[tokio::test]
    async fn a_refusal_by_the_server_stops_everybody() {
        let (gate, _) = gate(10, 5);
        let mut ticket = gate.enter(1, None).await.expect("there is room");
        let until = ticket.refused(&[], Some(Span::seconds(600)), at(0));
        ticket.heard(Vec::new(), at(0));
        assert_eq!(until, at(601));
        for deadline in [None, Some(at(10))] {
            let error = refusal(gate.enter(1, deadline).await);
            assert_eq!(error, CallError::Limited { until });
        }
        assert_eq!(gate.ready(), 0);
    }

    #[tokio::test]
    async fn no_more_than_a_few_are_under_way() {
        let (gate, _) = gate(1000, 1000);
        let mut tickets = Vec::new();
        for _ in 0..MAX_AT_ONCE {
            tickets.push(gate.enter(1, None).await.expect("there is room"));
        }
        let mut next = Box::pin(gate.enter(1, None));
        assert!(waits(&mut next).await);
        tickets.pop();
        assert!(next.await.is_ok());
    }
}
