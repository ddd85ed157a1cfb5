//! The request budget of one key, as a pure state machine. It is driven by the server's rate-limit
//! headers (`calcom/api.md` 8, `calcom/v1.md`), keeps a share of every limit free for other users
//! of the key, and blocks all calls after a refusal. Without headers there is no limit.
//! Hand-written, because crates for rate limits keep a limit of their own, and here the server
//! states it with each answer.

use std::collections::VecDeque;

use super::call_observer::RateLimitReading;
use super::stated_limits::{MAX_LIMITS, MAX_WINDOW, StatedLimit};
use crate::domain::time::{Span, Time};

/// The number of available calls that is reported if nothing limits them: more than any batch
/// needs.
pub(super) const MAX_AVAILABLE_CALLS: usize = 1024;

/// The length of a window whose end the server does not state; Cal.com's windows are this long.
const DEFAULT_WINDOW: Span = Span::seconds(60);

/// How long calls are blocked after a refusal that does not say how long.
const DEFAULT_BLOCK: Span = Span::seconds(60);

/// The time added to a stated block, because the statement is rounded to seconds: calls inside the
/// block would prolong it.
const BLOCK_MARGIN: Span = Span::seconds(1);

/// The spread of the default block, so that several daemons behind one address do not resume at the
/// same moment.
const JITTER_MS: i64 = 5_000;

/// How many refusals within the window make the budget wait until the first of them has left the
/// window. v1 locks the account at the fifth refusal within half an hour; waiting at the third
/// leaves room for two more calls that are in flight.
const MAX_REFUSALS: usize = 3;
const REFUSAL_WINDOW: Span = Span::minutes(30);

/// How far the stated ends of the same window may differ, because answers arrive in the wrong order
/// or the end is rounded.
const RESET_TOLERANCE: Span = Span::seconds(2);

/// How far the wall clock may have been set back. Beyond this, the remembered limits are worthless.
const SET_BACK_TOLERANCE: Span = Span::seconds(10);

/// One limit as it is remembered.
#[derive(Debug, Clone)]
struct LimitWindow {
    name: String,
    limit: u32,
    remaining: u32,
    updated_at: Time,
    resets_at: Time,
}

/// The request budget of one key; see the module.
#[derive(Debug)]
pub(super) struct RateBudget {
    /// The share of a limit that may be used, above 0 and at most 1.
    share: f64,
    windows: Vec<LimitWindow>,
    /// The cost of the calls that were sent and are not answered yet.
    in_flight: u32,
    /// The start and the end of the time in which nothing is sent.
    block: Option<(Time, Time)>,
    /// Whether the server locks accounts that are refused too often.
    locks_accounts: bool,
    refusals: VecDeque<Time>,
}

impl RateBudget {
    pub(super) fn new(share: f64, locks_accounts: bool) -> Self {
        assert!(share > 0.0 && share <= 1.0, "a share of the limit");
        Self {
            share,
            locks_accounts,
            windows: Vec::new(),
            in_flight: 0,
            block: None,
            refusals: VecDeque::new(),
        }
    }

    /// Returns how long to wait before a call of this cost may be sent; zero means now. The wait
    /// may become shorter when calls in flight are answered.
    pub(super) fn wait_time(&self, now: Time, cost: u32) -> Span {
        let mut until = self.blocked_until(now).unwrap_or(now);
        for window in &self.windows {
            if self.available_in(window, now) < self.cap_cost(window, cost) {
                until = until.max(window.ends_at(now));
            }
        }
        (until - now).max(Span::zero())
    }

    /// Records that a call of this cost is sent.
    pub(super) fn record_sent(&mut self, cost: u32) {
        self.in_flight = self.in_flight.saturating_add(cost);
    }

    /// Records that a call of this cost was answered, with these limits.
    pub(super) fn record_answer(&mut self, cost: u32, limits: Vec<StatedLimit>, now: Time) {
        self.in_flight = self.in_flight.saturating_sub(cost);
        if limits.is_empty() {
            self.spend(cost, now);
        }
        for limit in limits {
            self.apply_limit(limit, now);
        }
    }

    /// Records that a call of this cost was not sent after all.
    pub(super) fn record_unsent(&mut self, cost: u32) {
        self.in_flight = self.in_flight.saturating_sub(cost);
    }

    /// Records that a call of this cost will not be answered. The server may have counted the call
    /// nevertheless.
    pub(super) fn record_lost(&mut self, cost: u32, now: Time) {
        self.in_flight = self.in_flight.saturating_sub(cost);
        self.spend(cost, now);
    }

    /// Records that the server refused a call because there were too many (429). Returns when calls
    /// may be sent again.
    pub(super) fn record_refusal(
        &mut self,
        limits: &[StatedLimit],
        retry_after: Option<Span>,
        now: Time,
    ) -> Time {
        let stated_resets = limits.iter().filter_map(|limit| limit.resets_at);
        let stated_resets = stated_resets.chain(retry_after.map(|span| now + span.min(MAX_WINDOW)));
        let mut until = match stated_resets.filter(|at| *at > now).max() {
            Some(at) => at + BLOCK_MARGIN,
            None => {
                now + DEFAULT_BLOCK
                    + Span::milliseconds(now.timestamp_millis().rem_euclid(JITTER_MS))
            }
        };
        if self.locks_accounts {
            until = until.max(self.avoid_account_lock(now));
        }
        let previous_until = self.blocked_until(now).unwrap_or(now);
        let until = until.max(previous_until);
        self.block = Some((now, until));
        until
    }

    /// Remembers a refusal. Returns when calls may be sent without risking the lock of the account.
    fn avoid_account_lock(&mut self, now: Time) -> Time {
        self.refusals
            .retain(|at| *at <= now && now - *at < REFUSAL_WINDOW);
        self.refusals.push_back(now);
        if self.refusals.len() < MAX_REFUSALS {
            return now;
        }
        let first = self.refusals.pop_front();
        first.expect("one was just pushed") + REFUSAL_WINDOW + BLOCK_MARGIN
    }

    /// Returns how many calls of cost 1 could be sent now, at most [`MAX_AVAILABLE_CALLS`].
    pub(super) fn available_calls(&self, now: Time) -> usize {
        if self.blocked_until(now).is_some() {
            return 0;
        }
        let available = self
            .windows
            .iter()
            .map(|window| self.available_in(window, now));
        available.min().map_or(MAX_AVAILABLE_CALLS, |available| {
            MAX_AVAILABLE_CALLS.min(available as usize)
        })
    }

    /// Returns the limit with the fewest calls left, as the server states it for all users of the
    /// key; `None` before an answer stated one.
    pub(super) fn tightest_limit(&self, now: Time) -> Option<RateLimitReading> {
        let readings = self.windows.iter().map(|window| RateLimitReading {
            limit: window.limit,
            remaining: match window.is_over(now) {
                true => window.limit,
                false => window.remaining,
            },
        });
        readings.min_by_key(|reading| reading.remaining)
    }

    /// Returns until when nothing is sent at all after a refusal; `None` without a block.
    pub(super) fn blocked_until(&self, now: Time) -> Option<Time> {
        let (since, until) = self.block?;
        (now < until && now + SET_BACK_TOLERANCE >= since).then_some(until)
    }

    /// Returns the part of the limit that this client may use.
    fn own_share(&self, limit: u32) -> u32 {
        let share = (f64::from(limit) * self.share).ceil() as u32;
        // The costliest call takes two; with a smaller part it could never be sent.
        share.max(2).min(limit)
    }

    fn available_in(&self, window: &LimitWindow, now: Time) -> u32 {
        let own_share = self.own_share(window.limit);
        let left = if window.is_over(now) {
            own_share
        } else {
            let reserved_for_others = window.limit - own_share;
            window.remaining.saturating_sub(reserved_for_others)
        };
        left.saturating_sub(self.in_flight)
    }

    /// Returns the cost as it counts against the limit: at most the whole part that this client may
    /// use.
    fn cap_cost(&self, window: &LimitWindow, cost: u32) -> u32 {
        cost.min(self.own_share(window.limit)).max(1)
    }

    fn spend(&mut self, cost: u32, now: Time) {
        for window in &mut self.windows {
            if window.is_over(now) {
                window.remaining = window.limit;
                window.resets_at = now + DEFAULT_WINDOW;
            }
            window.updated_at = now;
            window.remaining = window.remaining.saturating_sub(cost);
        }
    }

    fn apply_limit(&mut self, limit: StatedLimit, now: Time) {
        // v1 without a limiter says "999 of 10"; a limit of zero would block calls forever.
        if limit.limit == 0 || limit.remaining > limit.limit {
            return;
        }
        let resets_at = limit.resets_at.unwrap_or(now + DEFAULT_WINDOW);
        let resets_at = resets_at.clamp(now, now + MAX_WINDOW);
        let existing = self
            .windows
            .iter_mut()
            .find(|window| window.name == limit.name);
        let Some(window) = existing else {
            if self.windows.len() < MAX_LIMITS {
                self.windows.push(LimitWindow {
                    name: limit.name,
                    limit: limit.limit,
                    remaining: limit.remaining,
                    updated_at: now,
                    resets_at,
                });
            }
            return;
        };
        // Answers overtake each other: within one window only the lowest number counts.
        let same_window = !window.is_over(now) && resets_at <= window.resets_at + RESET_TOLERANCE;
        if same_window && window.limit == limit.limit {
            window.remaining = window.remaining.min(limit.remaining);
        } else {
            window.remaining = limit.remaining;
            window.resets_at = resets_at;
        }
        window.limit = limit.limit;
        window.updated_at = now;
    }
}

impl LimitWindow {
    fn is_over(&self, now: Time) -> bool {
        now >= self.resets_at || now + SET_BACK_TOLERANCE < self.updated_at
    }

    /// Returns when there is room again. If the window is over and only calls in flight fill the
    /// next one, that next window ends at most one default window later.
    fn ends_at(&self, now: Time) -> Time {
        if self.is_over(now) {
            now + DEFAULT_WINDOW
        } else {
            self.resets_at
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_timestamp(1_795_420_000 + seconds, 0).unwrap()
    }

    fn stated_limits(limit: u32, remaining: u32, resets_at: i64) -> Vec<StatedLimit> {
        vec![StatedLimit {
            name: String::new(),
            limit,
            remaining,
            resets_at: Some(at(resets_at)),
        }]
    }

    /// Returns a budget that has recorded one answer, at second 0.
    fn budget_after_answer(share: f64, limit: u32, remaining: u32, resets_at: i64) -> RateBudget {
        let mut budget = RateBudget::new(share, false);
        budget.record_sent(1);
        budget.record_answer(1, stated_limits(limit, remaining, resets_at), at(0));
        budget
    }

    #[test]
    fn a_share_of_the_limit_is_kept_free() {
        // share, limit, remaining, resets, cost, now -> wait
        let rows = [
            (0.5, 120, 119, 60, 1, 0, 0),
            (0.5, 120, 61, 60, 1, 0, 0),
            (0.5, 120, 60, 60, 1, 0, 60),
            (0.5, 120, 61, 60, 2, 0, 60),
            (0.5, 120, 0, 60, 1, 0, 60),
            (0.5, 120, 0, 60, 1, 20, 40),
            (0.5, 120, 0, 60, 1, 60, 0),
            (1.0, 120, 1, 60, 1, 0, 0),
            (1.0, 120, 0, 60, 1, 0, 60),
            (0.01, 120, 119, 60, 1, 0, 0),
            (0.01, 120, 118, 60, 1, 0, 60),
            // Otherwise a limit below the cost of a list would never allow a list.
            (0.5, 1, 1, 60, 2, 0, 0),
            (0.5, 1, 0, 60, 2, 0, 60),
            // Meaningless: v1 without a limiter.
            (0.5, 10, 999, 0, 2, 0, 0),
            (0.5, 0, 0, 60, 1, 0, 0),
            // No window is longer than an hour.
            (0.5, 120, 0, 1_000_000, 1, 0, 3600),
        ];
        for (share, limit, remaining, resets, cost, now, expect) in rows {
            let budget = budget_after_answer(share, limit, remaining, resets);
            let wait = budget.wait_time(at(now), cost);
            assert_eq!(
                wait,
                Span::seconds(expect),
                "{share} {limit} {remaining} {resets} {cost} {now}"
            );
        }
        assert_eq!(
            RateBudget::new(0.5, false).wait_time(at(0), 2),
            Span::zero()
        );
    }

    #[test]
    fn calls_in_flight_count_until_they_end() {
        let mut budget = budget_after_answer(0.5, 10, 8, 60);
        assert_eq!(budget.available_calls(at(1)), 3);
        for _ in 0..3 {
            assert_eq!(budget.wait_time(at(1), 1), Span::zero());
            budget.record_sent(1);
        }
        assert_eq!(budget.wait_time(at(1), 1), Span::seconds(59));
        assert_eq!(budget.available_calls(at(1)), 0);
        // Answered: what is left is what the server says.
        budget.record_answer(1, stated_limits(10, 7, 60), at(1));
        assert_eq!(budget.available_calls(at(1)), 0);
        // Not answered: it may have been counted.
        budget.record_lost(1, at(1));
        assert_eq!(budget.available_calls(at(1)), 0);
        // Never left: it takes nothing.
        budget.record_sent(1);
        budget.record_unsent(1);
        // Answered out of order: the lowest number stays.
        budget.record_answer(1, stated_limits(10, 8, 60), at(1));
        assert_eq!(budget.available_calls(at(1)), 1);
        // The next window is a new one.
        assert_eq!(budget.available_calls(at(60)), 5);
        budget.record_sent(1);
        budget.record_answer(1, stated_limits(10, 9, 121), at(61));
        assert_eq!(budget.available_calls(at(61)), 4);
    }

    #[test]
    fn the_tightest_of_several_limits_governs() {
        let mut budget = RateBudget::new(1.0, false);
        budget.record_sent(1);
        let mut both = stated_limits(120, 100, 60);
        both.push(StatedLimit {
            name: "-burst".to_owned(),
            limit: 5,
            remaining: 0,
            resets_at: Some(at(3)),
        });
        budget.record_answer(1, both, at(0));
        assert_eq!(budget.wait_time(at(0), 1), Span::seconds(3));
        assert_eq!(budget.wait_time(at(3), 1), Span::zero());
        assert_eq!(budget.available_calls(at(3)), 5);
        // The tightest limit as the server states it: the burst, until its window is over.
        let tightest = |seconds| {
            budget
                .tightest_limit(at(seconds))
                .map(|one| (one.limit, one.remaining))
        };
        assert_eq!(tightest(0), Some((5, 0)));
        assert_eq!(tightest(3), Some((5, 5)));
        assert_eq!(RateBudget::new(1.0, false).tightest_limit(at(0)), None);
    }

    #[test]
    fn a_new_window_is_not_overrun_before_an_answer_states_it() {
        let mut budget = budget_after_answer(1.0, 3, 0, 60);
        for _ in 0..3 {
            assert_eq!(budget.wait_time(at(60), 1), Span::zero());
            budget.record_sent(1);
        }
        assert!(budget.wait_time(at(60), 1) > Span::zero());
        for _ in 0..3 {
            budget.record_lost(1, at(61));
        }
        assert!(budget.wait_time(at(61), 1) > Span::zero());
        assert_eq!(budget.wait_time(at(121), 1), Span::zero());
    }

    #[test]
    fn no_call_is_sent_after_a_refusal() {
        let second = Span::seconds(1);
        let mut budget = RateBudget::new(1.0, false);
        budget.record_sent(1);
        let until = budget.record_refusal(&stated_limits(120, 0, 60), None, at(0));
        budget.record_answer(1, stated_limits(120, 0, 60), at(0));
        assert_eq!(until, at(61));
        assert_eq!(budget.wait_time(at(0), 1), Span::seconds(61));
        assert_eq!(budget.wait_time(at(60), 1), second);
        assert_eq!(budget.available_calls(at(60)), 0);
        assert_eq!(budget.wait_time(at(61), 1), Span::zero());
        // A later, shorter statement does not shorten the block.
        let mut budget = RateBudget::new(1.0, false);
        budget.record_refusal(&stated_limits(120, 0, 60), None, at(0));
        assert_eq!(
            budget.record_refusal(&stated_limits(120, 0, 10), None, at(0)),
            at(61)
        );
        // Retry-After counts too; if nothing is stated, the block lasts a minute and a little.
        let mut budget = RateBudget::new(1.0, false);
        assert_eq!(
            budget.record_refusal(&[], Some(Span::seconds(90)), at(0)),
            at(91)
        );
        let mut budget = RateBudget::new(1.0, false);
        let until = budget.record_refusal(&[], None, at(7));
        assert!(until >= at(67) && until < at(72), "{until}");
    }

    #[test]
    fn where_the_server_locks_the_third_refusal_waits_out_the_half_hour() {
        let mut budget = RateBudget::new(1.0, true);
        assert_eq!(
            budget.record_refusal(&stated_limits(30, 0, 60), None, at(0)),
            at(61)
        );
        assert_eq!(
            budget.record_refusal(&stated_limits(30, 0, 122), None, at(62)),
            at(123)
        );
        assert_eq!(
            budget.record_refusal(&stated_limits(30, 0, 184), None, at(124)),
            at(1801)
        );
        // Refusals that are long over are forgotten.
        assert_eq!(
            budget.record_refusal(&stated_limits(30, 0, 10_060), None, at(10_000)),
            at(10_061)
        );
        let mut budget = RateBudget::new(1.0, false);
        for _ in 0..9 {
            assert_eq!(
                budget.record_refusal(&stated_limits(30, 0, 60), None, at(0)),
                at(61)
            );
        }
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stop_the_daemon() {
        let mut budget = budget_after_answer(1.0, 10, 0, 60);
        budget.record_refusal(&stated_limits(10, 0, 60), None, at(0));
        assert!(budget.wait_time(at(-5), 1) > Span::zero());
        assert_eq!(budget.wait_time(at(-7200), 1), Span::zero());
    }
}
