//! The request budget of one key, as a pure state machine. It is driven by what the server says in
//! its rate-limit headers (`calcom/api.md` 8, `calcom/v1.md`), keeps a share of every limit free for
//! other users of the key, and stands still after a refusal. Without headers there is no limit.

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

/// v1 locks the account at the fifth refusal within half an hour: at the third we wait until the
/// first has left that window.
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
    refusals: VecDeque<Time>,
}

impl Pace {
    pub(super) fn new(share: f64) -> Self {
        assert!(share > 0.0 && share <= 1.0, "a share of the limit");
        Self {
            share,
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
        self.refusals
            .retain(|at| *at <= now && now - *at < REFUSAL_MEMORY);
        self.refusals.push_back(now);
        if self.refusals.len() >= MAX_REFUSALS {
            until = until.max(self.refusals[0] + REFUSAL_MEMORY + BLOCK_MARGIN);
            self.refusals.pop_front();
        }
        let before = self.blocked_until(now).unwrap_or(now);
        let until = until.max(before);
        self.blocked = Some((now, until));
        until
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
