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
    answered: bool,
    _place: SemaphorePermit<'a>,
}

impl Gate {
    pub(super) fn new(share: f64, clock: Clock) -> Self {
        Self {
            pace: Mutex::new(Pace::new(share)),
            clock,
            places: Semaphore::new(MAX_AT_ONCE),
            turn: tokio::sync::Mutex::new(()),
            freed: Notify::new(),
        }
    }

    /// Waits until a call of this cost may go. It never goes after its deadline, if it has one: a
    /// write acts on what was read just before, and Cal.com revives a cancelled booking without a word.
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
                    answered: false,
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
        assert!(!self.answered, "a call has one answer");
        self.answered = true;
        self.gate.pace().heard(self.cost, limits, now);
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
        if !self.answered {
            let now = (self.gate.clock)();
            self.gate.pace().lost(self.cost, now);
            self.gate.freed.notify_one();
        }
    }
}
