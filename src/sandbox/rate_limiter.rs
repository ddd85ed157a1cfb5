//! The rate limiters of both dialects, as pure counters: v2's throttler (a window from the first
//! call, then a block during which calls still count) and v1's limiter (a fixed window per user,
//! aligned to the clock, that locks the account of a user who is refused too often).

use std::collections::HashMap;

use crate::domain::time::{Span, Time};

/// A limit of either dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// The most calls in a window.
    pub calls: u32,
    /// The length of a window.
    pub window: Span,
    /// v2 only: how long refusals last once the limit is passed.
    pub block: Span,
}

impl RateLimit {
    /// Returns a limit with a window and a block of one minute each.
    pub fn per_minute(calls: u32) -> Self {
        RateLimit {
            calls,
            window: Span::seconds(60),
            block: Span::seconds(60),
        }
    }
}

/// The limits that apply unless a key has its own limit. `None` switches a limiter off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Off: the headers give a limit of a million that is never used up.
    pub v2: Option<RateLimit>,
    /// Off, as on most real servers: the headers are there and mean nothing.
    pub v1: Option<RateLimit>,
}

impl RateLimits {
    /// Returns the limits of an unmodified self-hosted server: 120 a minute in v2, none in v1.
    pub fn server_defaults() -> Self {
        RateLimits {
            v2: Some(RateLimit::per_minute(120)),
            v1: None,
        }
    }

    /// Returns no limits at all.
    pub fn off() -> Self {
        RateLimits { v2: None, v1: None }
    }
}

/// The limit of bearer tokens that are not keys.
pub const TOKEN_CALLS: u32 = 500;
/// The limit in the headers when v2's limiter is off.
pub const UNLIMITED_CALLS: u32 = 1_000_000;
/// How many buckets are kept before those whose window is over are removed: a client that keeps
/// trying new tokens must not make the sandbox grow without end.
const BUCKETS_UNTIL_SWEEP: usize = 4096;

/// The limiter's decision about one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateDecision {
    /// Whether the call may be carried out.
    pub allowed: bool,
    /// The most calls in a window, as the answer states them.
    pub limit: u32,
    /// How many calls are left in the window.
    pub remaining: u32,
    /// v2: whole seconds from now. v1: milliseconds since 1970.
    pub reset: i64,
}

/// v2's bucket: hits in a window, and the block.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    hits: u32,
    window_ends: Time,
    blocked_until: Option<Time>,
}

/// v2's throttler, with one bucket per caller.
#[derive(Debug, Clone, Default)]
pub struct Throttler {
    buckets: HashMap<u64, Bucket>,
}

impl Throttler {
    /// Counts one call of the caller with this number. Without a limit, the limiter is off.
    pub fn hit(&mut self, caller: u64, limit: Option<RateLimit>, now: Time) -> RateDecision {
        let Some(limit) = limit else {
            return RateDecision {
                allowed: true,
                limit: UNLIMITED_CALLS,
                remaining: UNLIMITED_CALLS - 1,
                reset: 60,
            };
        };
        if self.buckets.len() >= BUCKETS_UNTIL_SWEEP {
            self.buckets.retain(|_, bucket| {
                bucket.window_ends > now || bucket.blocked_until.is_some_and(|until| until > now)
            });
        }
        let fresh = Bucket {
            hits: 0,
            window_ends: now + limit.window,
            blocked_until: None,
        };
        let bucket = self.buckets.entry(caller).or_insert(fresh);
        if bucket.window_ends <= now {
            bucket.hits = 0;
            bucket.window_ends = now + limit.window;
        }
        bucket.hits = bucket.hits.saturating_add(1);
        if bucket.blocked_until.is_some_and(|until| until <= now) {
            bucket.blocked_until = None;
        }
        if bucket.blocked_until.is_none() && bucket.hits > limit.calls {
            bucket.blocked_until = Some(now + limit.block);
        }
        match bucket.blocked_until {
            Some(until) => RateDecision {
                allowed: false,
                limit: limit.calls,
                remaining: 0,
                reset: round_up_to_seconds(until - now),
            },
            None => RateDecision {
                allowed: true,
                limit: limit.calls,
                remaining: limit.calls.saturating_sub(bucket.hits),
                reset: round_up_to_seconds(bucket.window_ends - now),
            },
        }
    }
}

/// How many refusals within `REFUSALS_WITHIN` lock the account. The fifth triggers the lock, which
/// takes effect one call later on a real server: six refusals were recorded before the first 403.
const REFUSALS_UNTIL_LOCK: usize = 6;
const REFUSALS_WITHIN: Span = Span::minutes(30);

/// What v1's headers contain while its limiter is off.
const LIMITER_OFF: RateDecision = RateDecision {
    allowed: true,
    limit: 10,
    remaining: 999,
    reset: 0,
};

/// v1's limiter, with one count per user for all keys together.
#[derive(Debug, Clone, Default)]
pub struct UserLimiter {
    users: HashMap<i64, UserCount>,
}

#[derive(Debug, Clone, Default)]
struct UserCount {
    window: i64,
    hits: u32,
    refusals: Vec<Time>,
}

impl UserLimiter {
    /// Counts one call that costs `cost`; also returns whether this call locks the account.
    pub fn hit(
        &mut self,
        user: i64,
        cost: u32,
        limit: Option<RateLimit>,
        now: Time,
    ) -> (RateDecision, bool) {
        let Some(limit) = limit else {
            return (LIMITER_OFF, false);
        };
        let length = limit.window.num_milliseconds().max(1);
        let window = now.timestamp_millis().div_euclid(length);
        let count = self.users.entry(user).or_default();
        if count.window != window {
            count.window = window;
            count.hits = 0;
        }
        count.hits = count.hits.saturating_add(cost);
        let verdict = RateDecision {
            allowed: count.hits <= limit.calls,
            limit: limit.calls,
            remaining: limit.calls.saturating_sub(count.hits),
            reset: (window + 1) * length,
        };
        if verdict.allowed {
            return (verdict, false);
        }
        count.refusals.retain(|at| *at > now - REFUSALS_WITHIN);
        count.refusals.push(now);
        let locks = count.refusals.len() >= REFUSALS_UNTIL_LOCK;
        if locks {
            count.refusals.clear();
        }
        (verdict, locks)
    }
}

/// Returns whole seconds, rounded up, as the servers do.
fn round_up_to_seconds(span: Span) -> i64 {
    (span.num_milliseconds() + 999).div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800 + seconds, 0).unwrap()
    }

    #[test]
    fn the_throttler_counts_blocks_and_releases() {
        let limit = RateLimit {
            calls: 3,
            window: Span::seconds(60),
            block: Span::seconds(60),
        };
        // when, allowed, remaining, reset
        let rows = [
            (0, true, 2, 60),
            (1, true, 1, 59),
            (4, true, 0, 56),
            (4, false, 0, 60),
            (30, false, 0, 34),
            // The window is over, but the block is not: this call opens the next window.
            (61, false, 0, 3),
            (62, false, 0, 2),
            (64, true, 0, 57),
            // The calls made during the block have used up the new window already.
            (65, false, 0, 60),
            (126, true, 2, 60),
        ];
        let mut throttler = Throttler::default();
        for (when, allowed, remaining, reset) in rows {
            let verdict = throttler.hit(7, Some(limit), at(when));
            let got = (verdict.allowed, verdict.remaining, verdict.reset);
            assert_eq!(got, (allowed, remaining, reset), "at {when}");
        }
        let other = throttler.hit(8, Some(limit), at(65));
        assert!(other.allowed && other.remaining == 2, "callers are apart");
        let off = throttler.hit(7, None, at(65));
        assert_eq!((off.allowed, off.limit), (true, UNLIMITED_CALLS));
    }

    #[test]
    fn old_buckets_are_swept_out() {
        let mut throttler = Throttler::default();
        for caller in 0..BUCKETS_UNTIL_SWEEP as u64 * 2 {
            let when = at(i64::try_from(caller).unwrap() / 10);
            throttler.hit(caller, Some(RateLimit::per_minute(5)), when);
        }
        assert!(throttler.buckets.len() <= BUCKETS_UNTIL_SWEEP);
    }

    #[test]
    fn the_user_limiter_has_fixed_windows_and_locks() {
        let limit = Some(RateLimit::per_minute(30));
        let mut limiter = UserLimiter::default();
        let (first, _) = limiter.hit(1, 2, limit, at(5));
        assert_eq!((first.limit, first.remaining), (30, 28));
        assert_eq!(
            first.reset,
            at(60).timestamp_millis(),
            "aligned to the minute"
        );
        for _ in 0..14 {
            assert!(limiter.hit(1, 2, limit, at(6)).0.allowed);
        }
        let refusals: Vec<bool> = (0..6).map(|_| limiter.hit(1, 2, limit, at(7)).1).collect();
        assert_eq!(refusals, [false, false, false, false, false, true]);
        assert!(
            limiter.hit(1, 1, limit, at(61)).0.allowed,
            "the next window"
        );
        assert!(limiter.hit(2, 1, limit, at(7)).0.allowed, "another user");
        let (off, locks) = limiter.hit(1, 1, None, at(7));
        let headers = (off.limit, off.remaining, off.reset);
        assert_eq!((off.allowed, locks, headers), (true, false, (10, 999, 0)));
    }

    #[test]
    fn old_refusals_do_not_lock() {
        let limit = Some(RateLimit::per_minute(0));
        let mut limiter = UserLimiter::default();
        for turn in 0..20 {
            let (verdict, locks) = limiter.hit(1, 1, limit, at(turn * 10 * 60));
            assert!(
                !verdict.allowed && !locks,
                "refusal {turn}, ten minutes apart"
            );
        }
    }
}
