//! The status of a daemon.

use serde::{Deserialize, Serialize};

use super::unresolved::UnresolvedSummary;
use super::{PassSummaryView, ProblemView};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    pub schema: u32,
    pub version: String,
    pub pid: u32,
    pub started: String,
    pub paused: bool,
    /// The last pass that was completed.
    pub last_pass: Option<PassSummaryView>,
    /// Why the last pass failed; absent after a pass that was completed.
    pub last_error: Option<String>,
    /// What prevents passes and watches from deciding: clocks that differ, a restored backup that
    /// waits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ProblemView>,
    pub passes: u64,
    pub next_pass: Option<String>,
    pub watch: WatchStatus,
    pub open_intents: usize,
    #[serde(flatten)]
    pub counts: AttentionCounts,
    /// The unresolved list.
    #[serde(default, skip_serializing_if = "UnresolvedSummary::is_empty")]
    pub unresolved: UnresolvedSummary,
    /// Decisions whose calls fail, most failures first; only the first few.
    pub failing: Vec<FailingView>,
    pub log_sequence: u64,
    /// The hash of the policy in force.
    pub policy: String,
}

/// What needs an operator's attention, counted up to a thousand of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttentionCounts {
    /// Open intents with a failed call.
    #[serde(rename = "failing_intents")]
    pub failing_intents: usize,
    /// Requests that wait for an operator's decision.
    #[serde(rename = "requests_in_review")]
    pub requests_in_review: usize,
    pub open_charges: usize,
}

/// The state of the watch, which follows up confirmed bookings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchStatus {
    /// When the last complete watch and the last complete audit began, run by the daemon or by a
    /// command.
    pub last_watch_at: Option<String>,
    pub last_audit_at: Option<String>,
    /// The last watch of this daemon.
    pub last_summary: Option<WatchSummaryView>,
    /// Why the last watch failed; absent after a watch that was completed.
    pub last_error: Option<String>,
    pub next_watch: Option<String>,
    pub next_audit: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchSummaryView {
    pub started: String,
    pub finished: String,
    /// Whether every open charge was read.
    pub audit: bool,
    pub checked: usize,
    pub calls: u64,
    pub changes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingView {
    pub request: String,
    pub decision: String,
    pub failures: u32,
    pub last_failure_at: Option<String>,
    /// Why the next call waits, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
}
