//! The only place that reads the clock. Everything else is given a `Clock` or an instant.

use std::sync::Arc;

use crate::domain::time::{Clock, Time, kept};

/// The system's clock, cut to milliseconds.
#[allow(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Time {
    kept(chrono::Utc::now())
}

/// The system's clock as a value that can be handed down.
pub fn system() -> Clock {
    Arc::new(now)
}
