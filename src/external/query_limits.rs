//! The limits of one system that is asked: how many questions run at the same time, how long an
//! answer is reused, and when a pass stops asking.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::failure::QueryFailure;
use crate::domain::time::{Clock, Span, Time};

/// How many consecutive questions may find a system unavailable. Afterwards the system is not asked
/// again in the same pass, because each further question would wait as long without an answer.
const MAX_CONSECUTIVE_FAILURES: usize = 3;

/// The most answers that are cached for one system. If there are more, those that expired are
/// dropped, or else all.
const MAX_CACHED_ANSWERS: usize = 10_000;

/// Why the limits of a system cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitFlaw {
    /// The time limit is zero.
    #[error("the time limit must be above zero")]
    ZeroTimeout,
    /// The number of concurrent questions is zero.
    #[error("at least one must be asked at a time")]
    ZeroConcurrency,
}

/// The limits of one system, and its recent answers by what was asked.
pub struct QueryLimits<A> {
    /// The time from the start to the last byte of an answer; waiting for a turn does not count.
    pub timeout: Duration,
    cached_for: Span,
    permits: Semaphore,
    cache: Mutex<BTreeMap<String, (Time, A)>>,
}

/// How many consecutive questions of one pass found a system unavailable.
#[derive(Debug, Default)]
pub struct ConsecutiveFailures(AtomicUsize);

impl<A: Clone> QueryLimits<A> {
    /// Returns the limits, with an empty cache.
    ///
    /// # Errors
    /// Returns an error if one of the limits is zero.
    pub fn new(timeout: Duration, cached_for: Duration, at_once: usize) -> Result<Self, LimitFlaw> {
        if timeout.is_zero() {
            return Err(LimitFlaw::ZeroTimeout);
        }
        if at_once == 0 {
            return Err(LimitFlaw::ZeroConcurrency);
        }
        Ok(Self {
            timeout,
            // A duration that the calendar cannot represent means forever.
            cached_for: Span::from_std(cached_for).unwrap_or(Span::MAX),
            permits: Semaphore::new(at_once.min(Semaphore::MAX_PERMITS)),
            cache: Mutex::default(),
        })
    }

    /// Asks once a permit is free, unless the answer is known already. `None`: the pass was stopped
    /// before.
    ///
    /// # Errors
    /// Returns the reason why there is no answer.
    pub async fn query(
        &self,
        key: &str,
        (failures, is_stopped): (&ConsecutiveFailures, &(dyn Fn() -> bool + Sync)),
        clock: &Clock,
        ask: impl Future<Output = Result<A, QueryFailure>>,
    ) -> Option<Result<A, QueryFailure>> {
        let _permit = self.permits.acquire().await;
        if is_stopped() {
            return None;
        }
        let now = clock();
        // Another request may already have asked the same.
        if let Some(answer) = self.cached_answer(key, now) {
            return Some(Ok(answer));
        }
        if failures.0.load(Ordering::Relaxed) >= MAX_CONSECUTIVE_FAILURES {
            let why = format!(
                "it did not answer the {MAX_CONSECUTIVE_FAILURES} questions before this one"
            );
            return Some(Err(QueryFailure::unavailable(why)));
        }
        let answer = ask.await;
        if let Ok(answer) = &answer {
            self.remember(key, now, answer);
        }
        match &answer {
            Err(error) if error.is_unavailable => {
                failures.0.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) | Ok(_) => failures.0.store(0, Ordering::Relaxed),
        }
        Some(answer)
    }

    /// Returns a recent answer, if it is still valid.
    pub fn cached_answer(&self, key: &str, now: Time) -> Option<A> {
        let cache = self.cache.lock();
        let cache = cache.unwrap_or_else(PoisonError::into_inner);
        let (at, answer) = cache.get(key)?;
        self.is_fresh(*at, now).then(|| answer.clone())
    }

    fn is_fresh(&self, at: Time, now: Time) -> bool {
        (Span::zero()..self.cached_for).contains(&(now - at))
    }

    fn remember(&self, key: &str, now: Time, answer: &A) {
        if self.cached_for <= Span::zero() {
            return;
        }
        let cache = self.cache.lock();
        let mut cache = cache.unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= MAX_CACHED_ANSWERS {
            cache.retain(|_, (at, _)| self.is_fresh(*at, now));
        }
        if cache.len() >= MAX_CACHED_ANSWERS {
            cache.clear();
        }
        cache.insert(key.to_owned(), (now, answer.clone()));
    }
}
