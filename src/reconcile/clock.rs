//! Checks whether the local clock is reliable. Deadlines, waits, expiries and the end of a charge
//! all depend on the local clock, and each answer of the server contains the server's time.

use super::context::Ports;
use crate::domain::plan::Problem;
use crate::domain::time::{CLOCK_TOLERANCE, Span};

/// The name of the problem in reports, logs and the status.
pub const CLOCK_OFF: &str = "clock-off";

/// Returns true if the last answer of the server shows that the clocks disagree.
pub fn clock_is_off(ports: &Ports<'_>) -> bool {
    difference(ports).is_some()
}

/// Returns the problem that an operator sees while the clocks disagree.
pub fn clock_problem(ports: &Ports<'_>) -> Option<Problem> {
    let difference = difference(ports)?;
    let direction = if difference > Span::zero() {
        "ahead of"
    } else {
        "behind"
    };
    Some(Problem {
        code: CLOCK_OFF,
        text: format!(
            "the server's clock is {} s {direction} this machine's: nothing is confirmed, declined or \
             closed until they agree within {} s; set this machine's clock (NTP)",
            difference.num_seconds().abs(),
            CLOCK_TOLERANCE.num_seconds()
        ),
    })
}

fn difference(ports: &Ports<'_>) -> Option<Span> {
    let difference = ports.calendar.clock_difference()?;
    (difference.abs() > CLOCK_TOLERANCE).then_some(difference)
}
