//! Instants and spans. Instants are UTC with millisecond precision, as Cal.com's are; durations are
//! whole milliseconds. Reading the clock is not done here.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// An instant.
pub type Time = DateTime<Utc>;

/// A length of time.
pub type Span = TimeDelta;

/// Where `now` comes from, for the floors that have to ask while they work. The domain never does.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// The instant as it is kept: cut to milliseconds, so that what was written reads back equal.
pub fn kept(at: Time) -> Time {
    at.trunc_subsecs(3)
}

/// Whether two half-open stretches of time share an instant. Back to back is not an overlap.
pub fn overlap(a: (Time, Time), b: (Time, Time)) -> bool {
    a.0 < b.1 && b.0 < a.1
}
