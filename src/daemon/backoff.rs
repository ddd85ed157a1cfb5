//! How long to leave Cal.com alone after passes that could not even look.

use crate::domain::time::Span;

/// The first pause; it doubles with each further failure.
const FIRST_PAUSE: Span = Span::seconds(5);

/// The longest pause: an outage is noticed to be over this late at most.
const LONGEST_PAUSE: Span = Span::minutes(5);

/// Failures in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff(u32);

impl Backoff {
    /// How many failures there were in a row.
    pub fn failures(self) -> u32 {
        self.0
    }

    /// Counts a failure, and gives the pause before the next try.
    pub fn record_failure(&mut self) -> Span {
        // 2^6 times the first pause is past the longest one.
        let doublings = self.0.min(6);
        self.0 = self.0.saturating_add(1);
        (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::default();
        let seconds: Vec<i64> = (0..9)
            .map(|_| backoff.record_failure().num_seconds())
            .collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    }
}
