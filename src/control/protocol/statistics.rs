//! What happened on each day, in numbers.

use serde::{Deserialize, Serialize};

/// The days of a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatisticsView {
    /// The version of the protocol.
    pub schema: u32,
    /// Every day of the period, oldest first. The last one is today, and not over yet.
    pub days: Vec<DayStatisticsView>,
}

/// One day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayStatisticsView {
    /// The day in UTC, as `2026-11-30`.
    pub day: String,
    /// The decisions that were recorded on this day, by decision and reason. Empty when there were
    /// none.
    pub decisions: Vec<DecisionCountView>,
    /// How many credits were given to accounts.
    pub granted: u64,
    /// How many credits were spent by confirmed bookings.
    pub spent: u64,
    /// How many credits came back after they were spent.
    pub refunded: u64,
    /// How many credits expired.
    pub expired: u64,
    /// How many credits operators took back.
    pub revoked: u64,
}

/// How often requests were decided in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionCountView {
    /// `confirm`, `decline`, `wait`, `review` or `leave`.
    pub decision: String,
    /// The code of the most important reason, such as `short-of-credit`; `none` without a reason.
    pub reason: String,
    /// How many decisions. A request that waits counts again when its decision changes.
    pub count: u64,
}
