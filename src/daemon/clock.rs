//! The only place that reads the clock. All other code receives a `Clock` or an instant.

use std::sync::Arc;

use tokio::time::Instant;

use crate::domain::time::{Clock, Time, truncate_to_millis};

/// Returns the system's time, truncated to milliseconds.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Time {
    truncate_to_millis(chrono::Utc::now())
}

/// Returns the time of the monotonic clock, which cannot be set. It stops while the machine is
/// suspended.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn monotonic_now() -> Instant {
    Instant::now()
}

/// Returns the system's clock as a value that can be passed on.
pub fn system_clock() -> Clock {
    Arc::new(now)
}
