//! How long to pause after passes that failed before they could read from Cal.com.

use crate::domain::time::Span;

/// The first pause; each further failure doubles the pause.
const FIRST_PAUSE: Span = Span::seconds(5);

/// The longest pause. The end of an outage is noticed this late at most.
const LONGEST_PAUSE: Span = Span::minutes(5);

/// The number of failures in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff(u32);

impl Backoff {
    /// Returns how many failures there were in a row.
    pub fn failures(self) -> u32 {
        self.0
    }

    /// Counts a failure, and returns the pause before the next attempt.
    pub fn record_failure(&mut self) -> Span {
        // 2^6 times the first pause exceeds the longest pause.
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
