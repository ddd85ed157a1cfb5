//! What happens to a request that does not meet a criterion.

use crate::domain::decision::Decision;
use crate::domain::time::{Span, Time};

/// What happens to a request that does not meet a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnViolation {
    /// The request is declined.
    #[default]
    Decline,
    /// The request stays pending until it meets every criterion, at the latest until the wait is
    /// over. Then it is declined.
    Wait(Wait),
    /// The request stays pending for an operator.
    Review,
    /// The request stays pending, and no operator is asked.
    Leave,
}

/// How long a request may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The longest wait, counted from when its reason was first given. `None`: until the booking
    /// starts.
    pub at_most: Option<Span>,
    /// How long before the booking's start the wait ends at the latest.
    pub before_start: Span,
}

impl Wait {
    /// A wait until the booking starts.
    pub const UNTIL_START: Self = Self {
        at_most: None,
        before_start: Span::zero(),
    };

    /// Returns when the wait is over.
    pub fn deadline(self, first_evaluated: Time, start: Time) -> Time {
        let latest = start - self.before_start;
        self.at_most
            .map_or(latest, |span| latest.min(first_evaluated + span))
    }
}

impl OnViolation {
    /// A wait until the booking starts.
    pub const WAIT: Self = Self::Wait(Wait::UNTIL_START);

    /// Returns a wait of this length from when its reason was first given, at the latest until the
    /// booking starts.
    pub fn wait_for(span: Span) -> Self {
        Self::Wait(Wait {
            at_most: Some(span),
            before_start: Span::zero(),
        })
    }

    /// Returns the decision about a request that starts at `start`. A wait counts from
    /// `first_evaluated`.
    pub fn decision(self, first_evaluated: Time, start: Time) -> Decision {
        match self {
            Self::Decline => Decision::Decline,
            Self::Wait(wait) => Decision::Wait {
                until: Some(wait.deadline(first_evaluated, start)),
            },
            Self::Review => Decision::Review,
            Self::Leave => Decision::Leave,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn a_wait_ends_at_the_earliest_of_its_bounds() {
        let first = DateTime::from_timestamp_millis(0).expect("in range");
        let start = first + Span::hours(48);
        // at most (hours), before the start (hours), ends after (hours)
        let rows = [
            (None, 0, 48),
            (None, 2, 46),
            (Some(24), 0, 24),
            (Some(24), 30, 18),
            (Some(72), 0, 48),
            (Some(72), 60, -12),
        ];
        for (at_most, before, expect) in rows {
            let wait = Wait {
                at_most: at_most.map(Span::hours),
                before_start: Span::hours(before),
            };
            let until = wait.deadline(first, start);
            assert_eq!(until, first + Span::hours(expect), "{wait:?}");
        }
    }
}
