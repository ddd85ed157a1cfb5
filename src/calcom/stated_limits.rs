//! Reads the rate limits that the headers of an answer state (`calcom/api.md` 8, `calcom/v1.md`).

use crate::domain::time::{Span, Time};

/// The most limits that are tracked, each under its own name. Cal.com has one, or a few custom
/// ones.
pub(super) const MAX_LIMITS: usize = 8;

/// The longest window that is believed, whatever a header says: a wrong number must not stop the
/// daemon for a day.
pub(super) const MAX_WINDOW: Span = Span::hours(1);

/// One limit as an answer states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatedLimit {
    /// What follows `x-ratelimit-limit`, in lower case.
    pub(super) name: String,
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// When the window, or the block, ends.
    pub(super) resets_at: Option<Time>,
}

/// Reads the limits that an answer states. `server_time` is the server's own clock, against which
/// absolute resets are measured.
pub(super) fn parse_limits<'a>(
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    now: Time,
    server_time: Option<Time>,
) -> Vec<StatedLimit> {
    let headers: Vec<(String, i64)> = headers
        .filter_map(|(name, value)| {
            let lowercase = name.to_ascii_lowercase();
            let suffix = lowercase.strip_prefix("x-ratelimit-")?;
            Some((suffix.to_owned(), leading_number(value)?))
        })
        .take(3 * MAX_LIMITS)
        .collect();
    let find = |prefix: &str, suffix: &str| {
        let name = format!("{prefix}{suffix}");
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
        limits.push(StatedLimit {
            name: suffix.to_owned(),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            resets_at: find("reset", suffix).and_then(|reset| parse_reset(reset, now, server_time)),
        });
    }
    limits
}

/// Parses a reset: seconds from now, seconds since 1970 or milliseconds since 1970, distinguished
/// by their size.
fn parse_reset(reset: i64, now: Time, server_time: Option<Time>) -> Option<Time> {
    let since_1970 = match reset {
        1_000_000_000_001.. => Time::from_timestamp_millis(reset)?,
        1_000_000_001.. => Time::from_timestamp(reset, 0)?,
        _ => return Some(now + Span::seconds(reset).min(MAX_WINDOW)),
    };
    let from_now = since_1970.signed_duration_since(server_time.unwrap_or(now));
    Some(now + from_now.clamp(Span::zero(), MAX_WINDOW))
}

/// Returns the number that a header value begins with; anything may follow it (`120;w=60`). `None`
/// if there is no number.
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

    #[test]
    fn headers_are_read_whatever_their_spelling() {
        let now = at(0);
        let default = |limit, remaining, resets_at| StatedLimit {
            name: "-default".to_owned(),
            limit,
            remaining,
            resets_at,
        };
        let plain = |limit, remaining, resets_at| StatedLimit {
            name: String::new(),
            limit,
            remaining,
            resets_at,
        };
        type HeaderCase<'a> = (&'a [(&'a str, &'a str)], Vec<StatedLimit>);
        let rows: [HeaderCase; 9] = [
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
                    StatedLimit {
                        name: "-burst".to_owned(),
                        limit: 10,
                        remaining: 9,
                        resets_at: Some(at(1)),
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
            let got = parse_limits(headers.iter().copied(), now, None);
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
        let got = parse_limits(headers.into_iter(), at(0), Some(at(50)));
        assert_eq!(got[0].resets_at, Some(at(7)));
        // A reset in the server's past has already happened.
        let got = parse_limits(headers.into_iter(), at(0), Some(at(90)));
        assert_eq!(got[0].resets_at, Some(at(0)));
    }
}
