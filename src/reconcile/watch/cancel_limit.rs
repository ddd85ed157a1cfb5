//! How many accepted bookings one watch may still cancel: a cancellation counts as a decline.

use super::WatchReport;
use crate::domain::booking::Booking;
use crate::domain::plan::Problem;
use crate::domain::time::Time;

/// The code of the problem that reports the limit.
const CANCEL_LIMIT: &str = "cancel-limit";

/// The cancellations that the limit of declines still allows.
#[derive(Debug)]
pub(super) struct CancelLimit {
    left: usize,
}

impl CancelLimit {
    /// Returns the limit with this many cancellations left.
    pub(super) fn new(left: usize) -> Self {
        Self { left }
    }

    /// Takes one of the cancellations that are left, and returns whether there was one. If there is
    /// none, this is reported, once per watch. Every server refuses to cancel a past booking.
    pub(super) fn take(&mut self, booking: &Booking, now: Time, report: &mut WatchReport) -> bool {
        if booking.end <= now {
            return false;
        }
        if self.left > 0 {
            self.left -= 1;
            return true;
        }
        report_cancel_limit(report);
        false
    }
}

/// Reports, once per watch, that the limit of declines holds cancellations back.
pub(super) fn report_cancel_limit(report: &mut WatchReport) {
    let problems = &mut report.problems;
    if problems.iter().all(|problem| problem.code != CANCEL_LIMIT) {
        problems.push(Problem {
            code: CANCEL_LIMIT,
            text: "more accepted bookings would be cancelled than limits.declines allows: they are on \
                   the unresolved list, and later watches continue; if these bookings are right, correct \
                   the configuration or the ledger now"
                .to_owned(),
        });
    }
}
