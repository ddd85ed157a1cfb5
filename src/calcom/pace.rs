//! The request budget of one key, as a pure state machine. It is driven by what the server says in
//! its rate-limit headers (`calcom/api.md` 8, `calcom/v1.md`), keeps a share of every limit free
//! for other users of the key, and stands still after a refusal. Without headers there is no limit.

use std::collections::VecDeque;

use crate::domain::time::{Span, Time};

/// What is reported as ready when nothing limits it: more than any batch needs.
pub(super) const MAX_READY: usize = 1024;

/// Limits of different names that are kept apart. Cal.com has one, or a few custom ones.
const MAX_LIMITS: usize = 8;

/// The window where the server does not say when it ends; Cal.com's are this long.
const WINDOW: Span = Span::seconds(60);

/// No window is taken to be longer, whatever a header says: a wrong number must not stop the daemon
/// for a day.
const MAX_WINDOW: Span = Span::hours(1);

/// Standstill after a refusal that does not say how long.
const BLOCK: Span = Span::seconds(60);

/// Added to a stated block, as it is rounded to seconds: calls inside it would prolong it.
const BLOCK_MARGIN: Span = Span::seconds(1);

/// Spread of the unstated block, so that several daemons behind one address do not return at once.
const JITTER_MS: i64 = 5_000;

/// Where the server locks the account at the fifth refusal within half an hour (v1): at the third
/// we wait until the first has left that window, so that two more in flight do no harm.
const MAX_REFUSALS: usize = 3;
const REFUSAL_MEMORY: Span = Span::minutes(30);

/// Two answers in the wrong order, or a reset that is rounded, stay within this.
const SLACK: Span = Span::seconds(2);

/// The wall clock may have been set back by more than this; then what was remembered is worthless.
const CLOCK_SLACK: Span = Span::seconds(10);

/// One limit as one answer states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limit {
    /// What follows `x-ratelimit-limit`, in lower case.
    pub(super) name: String,
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// When the window, or the block, ends.
    pub(super) resets: Option<Time>,
}

/// One limit as it is remembered.
#[derive(Debug, Clone)]
struct Window {
    name: String,
    limit: u32,
    remaining: u32,
    heard: Time,
    resets: Time,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Pace {
    /// The share of a limit that may be used, above 0 and at most 1.
    share: f64,
    windows: Vec<Window>,
    /// Cost of the calls that were sent and not answered yet.
    in_flight: u32,
    /// Since when, and until when nothing is sent.
    blocked: Option<(Time, Time)>,
    /// Whether the server locks accounts that are refused too often.
    locks: bool,
    refusals: VecDeque<Time>,
}

impl Pace {
    pub(super) fn new(share: f64, locks: bool) -> Self {
        assert!(share > 0.0 && share <= 1.0, "a share of the limit");
        Self {
            share,
            locks,
            windows: Vec::new(),
            in_flight: 0,
            blocked: None,
            refusals: VecDeque::new(),
        }
    }

    /// How long to wait before a call of this cost may go; zero: now. The answer may come sooner
    /// true when calls in flight are answered.
    pub(super) fn wait(&self, now: Time, cost: u32) -> Span {
        let mut until = self.blocked_until(now).unwrap_or(now);
        for window in &self.windows {
            if self.room(window, now) < self.fitting(window, cost) {
                until = until.max(window.end(now));
            }
        }
        (until - now).max(Span::zero())
    }

    /// A call of this cost goes out.
    pub(super) fn sent(&mut self, cost: u32) {
        self.in_flight = self.in_flight.saturating_add(cost);
    }

    /// A call of this cost was answered, with these limits.
    pub(super) fn heard(&mut self, cost: u32, limits: Vec<Limit>, now: Time) {
        self.in_flight = self.in_flight.saturating_sub(cost);
        if limits.is_empty() {
            self.spend(cost, now);
        }
        for limit in limits {
            self.learn(limit, now);
        }
    }

    /// A call of this cost did not go out after all.
    pub(super) fn unsent(&mut self, cost: u32) {
        self.in_flight = self.in_flight.saturating_sub(cost);
    }

    /// A call of this cost will not be answered; it may have been counted all the same.
    pub(super) fn lost(&mut self, cost: u32, now: Time) {
        self.in_flight = self.in_flight.saturating_sub(cost);
        self.spend(cost, now);
    }

    /// The server refused a call for its number (429). Returns when calls may go again.
    pub(super) fn refused(
        &mut self,
        limits: &[Limit],
        retry_after: Option<Span>,
        now: Time,
    ) -> Time {
        let stated = limits.iter().filter_map(|limit| limit.resets);
        let stated = stated.chain(retry_after.map(|span| now + span.min(MAX_WINDOW)));
        let mut until = match stated.filter(|at| *at > now).max() {
            Some(at) => at + BLOCK_MARGIN,
            None => now + BLOCK + Span::milliseconds(now.timestamp_millis().rem_euclid(JITTER_MS)),
        };
        if self.locks {
            until = until.max(self.after_refusals(now));
        }
        let before = self.blocked_until(now).unwrap_or(now);
        let until = until.max(before);
        self.blocked = Some((now, until));
        until
    }

    /// Remembers a refusal. Returns when calls may go as far as the lock is concerned.
    fn after_refusals(&mut self, now: Time) -> Time {
        self.refusals
            .retain(|at| *at <= now && now - *at < REFUSAL_MEMORY);
        self.refusals.push_back(now);
        if self.refusals.len() < MAX_REFUSALS {
            return now;
        }
        let first = self.refusals.pop_front();
        first.expect("one was just pushed") + REFUSAL_MEMORY + BLOCK_MARGIN
    }

    /// How many calls of cost 1 could go now, at most [`MAX_READY`].
    pub(super) fn ready(&self, now: Time) -> usize {
        if self.blocked_until(now).is_some() {
            return 0;
        }
        let rooms = self.windows.iter().map(|window| self.room(window, now));
        rooms
            .min()
            .map_or(MAX_READY, |room| MAX_READY.min(room as usize))
    }

    /// Until when nothing is sent at all, after a refusal.
    pub(super) fn blocked_until(&self, now: Time) -> Option<Time> {
        let (since, until) = self.blocked?;
        (now < until && now + CLOCK_SLACK >= since).then_some(until)
    }

    /// What of the limit is ours.
    fn share_of(&self, limit: u32) -> u32 {
        let share = (f64::from(limit) * self.share).ceil() as u32;
        // The costliest call takes two; with less nothing could ever go.
        share.max(2).min(limit)
    }

    fn room(&self, window: &Window, now: Time) -> u32 {
        let ours = self.share_of(window.limit);
        let left = if window.over(now) {
            ours
        } else {
            let kept_free = window.limit - ours;
            window.remaining.saturating_sub(kept_free)
        };
        left.saturating_sub(self.in_flight)
    }

    /// A cost as it is held against the limit: none is larger than all that we may use of it.
    fn fitting(&self, window: &Window, cost: u32) -> u32 {
        cost.min(self.share_of(window.limit)).max(1)
    }

    fn spend(&mut self, cost: u32, now: Time) {
        for window in &mut self.windows {
            if window.over(now) {
                window.remaining = window.limit;
                window.resets = now + WINDOW;
            }
            window.heard = now;
            window.remaining = window.remaining.saturating_sub(cost);
        }
    }

    fn learn(&mut self, limit: Limit, now: Time) {
        // v1 without a limiter says "999 of 10"; a limit of nought would mean never.
        if limit.limit == 0 || limit.remaining > limit.limit {
            return;
        }
        let resets = limit.resets.unwrap_or(now + WINDOW);
        let resets = resets.clamp(now, now + MAX_WINDOW);
        let known = self
            .windows
            .iter_mut()
            .find(|known| known.name == limit.name);
        let Some(window) = known else {
            if self.windows.len() < MAX_LIMITS {
                self.windows.push(Window {
                    name: limit.name,
                    limit: limit.limit,
                    remaining: limit.remaining,
                    heard: now,
                    resets,
                });
            }
            return;
        };
        // Answers overtake each other: within one window only the lowest number is believed.
        let same = !window.over(now) && resets <= window.resets + SLACK;
        if same && window.limit == limit.limit {
            window.remaining = window.remaining.min(limit.remaining);
        } else {
            window.remaining = limit.remaining;
            window.resets = resets;
        }
        window.limit = limit.limit;
        window.heard = now;
    }
}

impl Window {
    fn over(&self, now: Time) -> bool {
        now >= self.resets || now + CLOCK_SLACK < self.heard
    }

    /// When there is room again. Where the window is over and only calls in flight fill it, a new
    /// one ends that much later at most.
    fn end(&self, now: Time) -> Time {
        if self.over(now) {
            now + WINDOW
        } else {
            self.resets
        }
    }
}

/// Reads the limits that an answer states. `server_time` is the server's own clock, against which
/// absolute resets are measured.
pub(super) fn limits<'a>(
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    now: Time,
    server_time: Option<Time>,
) -> Vec<Limit> {
    let headers: Vec<(String, i64)> = headers
        .filter_map(|(name, value)| {
            let rest = name.to_ascii_lowercase();
            let rest = rest.strip_prefix("x-ratelimit-")?;
            Some((rest.to_owned(), leading_number(value)?))
        })
        .take(3 * MAX_LIMITS)
        .collect();
    let find = |what: &str, suffix: &str| {
        let name = format!("{what}{suffix}");
        let mut found = headers.iter().filter(|(have, _)| *have == name);
        found.next().map(|(_, number)| *number)
    };
    let names = headers
        .iter()
        .filter_map(|(name, _)| name.strip_prefix("limit"));
    let mut limits = Vec::new();
    for suffix in names {
        let (Some(limit), Some(remaining)) = (find("limit", suffix), find("remaining", suffix))
        else {
            continue;
        };
        limits.push(Limit {
            name: suffix.to_owned(),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            resets: find("reset", suffix).and_then(|reset| instant(reset, now, server_time)),
        });
    }
    limits
}

/// Seconds from now, seconds since 1970, or milliseconds since 1970: told apart by their size.
fn instant(reset: i64, now: Time, server_time: Option<Time>) -> Option<Time> {
    let since_1970 = match reset {
        1_000_000_000_001.. => Time::from_timestamp_millis(reset)?,
        1_000_000_001.. => Time::from_timestamp(reset, 0)?,
        _ => return Some(now + Span::seconds(reset).min(MAX_WINDOW)),
    };
    let from_now = since_1970.signed_duration_since(server_time.unwrap_or(now));
    Some(now + from_now.clamp(Span::zero(), MAX_WINDOW))
}

/// The number a header value begins with; anything may follow it (`120;w=60`). `None` without one.
fn leading_number(value: &str) -> Option<i64> {
    let value = value.trim();
    let end = value
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(value.len());
    value[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_timestamp(1_795_420_000 + seconds, 0).unwrap()
    }

    fn stated(limit: u32, remaining: u32, resets: i64) -> Vec<Limit> {
        vec![Limit {
            name: String::new(),
            limit,
            remaining,
            resets: Some(at(resets)),
        }]
    }

    /// A budget that has heard once, at second 0.
    fn heard(share: f64, limit: u32, remaining: u32, resets: i64) -> Pace {
        let mut pace = Pace::new(share, false);
        pace.sent(1);
        pace.heard(1, stated(limit, remaining, resets), at(0));
        pace
    }

    #[test]
    fn headers_are_read_whatever_their_spelling() {
        let now = at(0);
        let default = |limit, remaining, resets| Limit {
            name: "-default".to_owned(),
            limit,
            remaining,
            resets,
        };
        let plain = |limit, remaining, resets| Limit {
            name: String::new(),
            limit,
            remaining,
            resets,
        };
        type Row<'a> = (&'a [(&'a str, &'a str)], Vec<Limit>);
        let rows: [Row; 9] = [
            (
                &[
                    ("X-RateLimit-Limit-Default", "120"),
                    ("X-RateLimit-Remaining-Default", "119"),
                    ("X-RateLimit-Reset-Default", "60"),
                ],
                vec![default(120, 119, Some(at(60)))],
            ),
            (
                &[
                    ("x-ratelimit-limit", "30"),
                    ("x-ratelimit-remaining", "7"),
                    ("x-ratelimit-reset", "1795420057000"),
                ],
                vec![plain(30, 7, Some(at(57)))],
            ),
            (
                &[
                    ("x-ratelimit-limit", "30"),
                    ("x-ratelimit-remaining", "7"),
                    ("x-ratelimit-reset", "1795420057"),
                ],
                vec![plain(30, 7, Some(at(57)))],
            ),
            (
                &[
                    ("x-ratelimit-limit", "30, 30;w=60"),
                    ("x-ratelimit-remaining", "7"),
                ],
                vec![plain(30, 7, None)],
            ),
            (
                &[
                    ("x-ratelimit-limit-default", "120"),
                    ("x-ratelimit-remaining-default", "100"),
                    ("x-ratelimit-limit-burst", "10"),
                    ("x-ratelimit-remaining-burst", "9"),
                    ("x-ratelimit-reset-burst", "1"),
                ],
                vec![
                    default(120, 100, None),
                    Limit {
                        name: "-burst".to_owned(),
                        limit: 10,
                        remaining: 9,
                        resets: Some(at(1)),
                    },
                ],
            ),
            (&[("x-ratelimit-limit", "30")], vec![]),
            (
                &[
                    ("x-ratelimit-limit", "many"),
                    ("x-ratelimit-remaining", "-1"),
                ],
                vec![],
            ),
            (&[("retry-after", "5"), ("date", "x")], vec![]),
            (
                &[
                    ("x-ratelimit-limit", "99999999999"),
                    ("x-ratelimit-remaining", "99999999999"),
                    ("x-ratelimit-reset", "999999999"),
                ],
                vec![plain(u32::MAX, u32::MAX, Some(now + MAX_WINDOW))],
            ),
        ];
        for (headers, expect) in rows {
            let got = limits(headers.iter().copied(), now, None);
            assert_eq!(got, expect, "{headers:?}");
        }
    }

    #[test]
    fn an_absolute_reset_is_measured_against_the_servers_own_clock() {
        let headers = [
            ("x-ratelimit-limit", "30"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1795420057000"),
        ];
        // The server's clock is 50 s ahead of ours.
        let got = limits(headers.into_iter(), at(0), Some(at(50)));
        assert_eq!(got[0].resets, Some(at(7)));
        // A reset in its past has happened.
        let got = limits(headers.into_iter(), at(0), Some(at(90)));
        assert_eq!(got[0].resets, Some(at(0)));
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
            // A limit below the cost of a list would else never let one go.
            (0.5, 1, 1, 60, 2, 0, 0),
            (0.5, 1, 0, 60, 2, 0, 60),
            // Meaningless: v1 without a limiter.
            (0.5, 10, 999, 0, 2, 0, 0),
            (0.5, 0, 0, 60, 1, 0, 0),
            // No window is longer than an hour.
            (0.5, 120, 0, 1_000_000, 1, 0, 3600),
        ];
        for (share, limit, remaining, resets, cost, now, expect) in rows {
            let pace = heard(share, limit, remaining, resets);
            let wait = pace.wait(at(now), cost);
            assert_eq!(
                wait,
                Span::seconds(expect),
                "{share} {limit} {remaining} {resets} {cost} {now}"
            );
        }
        assert_eq!(Pace::new(0.5, false).wait(at(0), 2), Span::zero());
    }

    #[test]
    fn calls_in_flight_count_until_they_end() {
        let mut pace = heard(0.5, 10, 8, 60);
        assert_eq!(pace.ready(at(1)), 3);
        for _ in 0..3 {
            assert_eq!(pace.wait(at(1), 1), Span::zero());
            pace.sent(1);
        }
        assert_eq!(pace.wait(at(1), 1), Span::seconds(59));
        assert_eq!(pace.ready(at(1)), 0);
        // Answered: what is left is what the server says.
        pace.heard(1, stated(10, 7, 60), at(1));
        assert_eq!(pace.ready(at(1)), 0);
        // Not answered: it may have been counted.
        pace.lost(1, at(1));
        assert_eq!(pace.ready(at(1)), 0);
        // Never left: it takes nothing.
        pace.sent(1);
        pace.unsent(1);
        // Answered out of order: the lowest number stays.
        pace.heard(1, stated(10, 8, 60), at(1));
        assert_eq!(pace.ready(at(1)), 1);
        // The next window is a new one.
        assert_eq!(pace.ready(at(60)), 5);
        pace.sent(1);
        pace.heard(1, stated(10, 9, 121), at(61));
        assert_eq!(pace.ready(at(61)), 4);
    }

    #[test]
    fn the_tightest_of_several_limits_governs() {
        let mut pace = Pace::new(1.0, false);
        pace.sent(1);
        let mut both = stated(120, 100, 60);
        both.push(Limit {
            name: "-burst".to_owned(),
            limit: 5,
            remaining: 0,
            resets: Some(at(3)),
        });
        pace.heard(1, both, at(0));
        assert_eq!(pace.wait(at(0), 1), Span::seconds(3));
        assert_eq!(pace.wait(at(3), 1), Span::zero());
        assert_eq!(pace.ready(at(3)), 5);
    }

    #[test]
    fn a_new_window_is_not_overrun_before_it_is_heard_of() {
        let mut pace = heard(1.0, 3, 0, 60);
        for _ in 0..3 {
            assert_eq!(pace.wait(at(60), 1), Span::zero());
            pace.sent(1);
        }
        assert!(pace.wait(at(60), 1) > Span::zero());
        for _ in 0..3 {
            pace.lost(1, at(61));
        }
        assert!(pace.wait(at(61), 1) > Span::zero());
        assert_eq!(pace.wait(at(121), 1), Span::zero());
    }

    #[test]
    fn after_a_refusal_nothing_goes() {
        let second = Span::seconds(1);
        let mut pace = Pace::new(1.0, false);
        pace.sent(1);
        let until = pace.refused(&stated(120, 0, 60), None, at(0));
        pace.heard(1, stated(120, 0, 60), at(0));
        assert_eq!(until, at(61));
        assert_eq!(pace.wait(at(0), 1), Span::seconds(61));
        assert_eq!(pace.wait(at(60), 1), second);
        assert_eq!(pace.ready(at(60)), 0);
        assert_eq!(pace.wait(at(61), 1), Span::zero());
        // A later, shorter statement does not shorten it.
        let mut pace = Pace::new(1.0, false);
        pace.refused(&stated(120, 0, 60), None, at(0));
        assert_eq!(pace.refused(&stated(120, 0, 10), None, at(0)), at(61));
        // Retry-After counts too, and without anything a minute and a little.
        let mut pace = Pace::new(1.0, false);
        assert_eq!(pace.refused(&[], Some(Span::seconds(90)), at(0)), at(91));
        let mut pace = Pace::new(1.0, false);
        let until = pace.refused(&[], None, at(7));
        assert!(until >= at(67) && until < at(72), "{until}");
    }

    #[test]
    fn where_the_server_locks_the_third_refusal_waits_out_the_half_hour() {
        let mut pace = Pace::new(1.0, true);
        assert_eq!(pace.refused(&stated(30, 0, 60), None, at(0)), at(61));
        assert_eq!(pace.refused(&stated(30, 0, 122), None, at(62)), at(123));
        assert_eq!(pace.refused(&stated(30, 0, 184), None, at(124)), at(1801));
        // Those that are long over are forgotten.
        assert_eq!(
            pace.refused(&stated(30, 0, 10_060), None, at(10_000)),
            at(10_061)
        );
        let mut pace = Pace::new(1.0, false);
        for _ in 0..9 {
            assert_eq!(pace.refused(&stated(30, 0, 60), None, at(0)), at(61));
        }
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stop_the_daemon() {
        let mut pace = heard(1.0, 10, 0, 60);
        pace.refused(&stated(10, 0, 60), None, at(0));
        assert!(pace.wait(at(-5), 1) > Span::zero());
        assert_eq!(pace.wait(at(-7200), 1), Span::zero());
    }
}
