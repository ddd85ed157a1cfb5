//! The only place that reads the clock. Everything else is given a `Clock` or an instant.

use std::sync::Arc;

use crate::domain::time::{Clock, Time, truncate_to_millis};

/// The system's clock, cut to milliseconds.
#[allow(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Time {
    truncate_to_millis(chrono::Utc::now())
}

/// The system's clock as a value that can be handed down.
pub fn system_clock() -> Clock {
    Arc::new(now)
}
