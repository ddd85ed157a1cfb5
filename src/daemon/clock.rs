//! The only place that reads the clock. All other code receives a `Clock` or an instant.

use std::sync::Arc;

use crate::domain::time::{Clock, Time, truncate_to_millis};

/// Returns the system's time, truncated to milliseconds.
#[allow(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Time {
    truncate_to_millis(chrono::Utc::now())
}

/// Returns the system's clock as a value that can be passed on.
pub fn system_clock() -> Clock {
    Arc::new(now)
}
