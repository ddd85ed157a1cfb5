//! The status of a daemon.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::CheckResultView;
use super::pass::PassSummaryView;
use super::problem::ProblemView;
use super::unresolved::UnresolvedSummary;

/// What a running daemon does, what comes next, and what needs an operator's attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// The version of the protocol.
    pub schema: u32,
    /// The version of the daemon's program.
    pub version: String,
    /// The process id of the daemon; absent when no daemon runs and a timer starts the passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// When the daemon started, RFC 3339 in UTC; absent when no daemon runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// Whether an operator paused everything: no passes and no watches start.
    pub paused: bool,
    /// The pauses of everything and of single gates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<PauseView>,
    /// The last pass that was completed.
    pub last_pass: Option<PassSummaryView>,
    /// Why the last pass failed; absent after a pass that was completed.
    pub last_error: Option<String>,
    /// The exit code that fits `last_error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error_exit: Option<u8>,
    /// What prevents passes and watches from deciding: clocks that differ, a restored backup that
    /// waits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ProblemView>,
    /// How many passes this daemon has completed.
    pub passes: u64,
    /// When the next pass is due, RFC 3339 in UTC; absent while everything is paused and when no
    /// daemon runs.
    pub next_pass: Option<String>,
    /// The state of the watch.
    pub watch: WatchStatus,
    /// The requests that wait, by decision and most important reason. Counted up to a thousand
    /// requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<WaitingView>,
    /// Decisions that are recorded and not finished, counted up to a thousand.
    pub open_intents: usize,
    /// Further counts. Its fields are on the same level as `open_intents`.
    #[serde(flatten)]
    pub counts: AttentionCounts,
    /// The unresolved list.
    #[serde(default, skip_serializing_if = "UnresolvedSummary::is_empty")]
    pub unresolved: UnresolvedSummary,
    /// Decisions whose calls fail, most failures first; only the first few.
    pub failing: Vec<FailingView>,
    /// The number of the last commit; 0 before the first.
    pub log_sequence: u64,
    /// The hash of the policy in force.
    pub policy: String,
    /// How many calls could be sent to Cal.com at once now, within the part of the server's rate
    /// limit that maitred may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_calls: Option<usize>,
    /// The targets of notifications, in the order of the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<NotifyTargetView>,
    /// The backups that are made by themselves; absent if none are configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupStatusView>,
    /// The dead-man switch; absent if none is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_man: Option<DeadManView>,
}

/// The backups that are made by themselves. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupStatusView {
    /// When the last backup was made; absent before the first.
    pub last_at: Option<String>,
    /// The directory of that backup.
    pub last_path: Option<String>,
    /// The number of its last commit.
    pub last_sequence: Option<u64>,
    /// When the next backup is due.
    pub next: String,
    /// When the last attempt failed; absent after one that succeeded.
    pub failed_at: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// A link to the daemon's web page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageLinkView {
    /// The version of the protocol.
    pub schema: u32,
    /// The link. It logs in the first browser that opens it, and no other.
    pub url: String,
    /// When the link ends if no browser has opened it. RFC 3339 in UTC.
    pub expires: String,
}

/// What a target of notifications has received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyTargetView {
    /// The name of the target.
    pub name: String,
    /// How the target is reached: `command`, `post`, `file` or `mail`.
    pub transport: String,
    /// The number of the last commit whose notifications were all delivered or dropped.
    pub delivered_to: u64,
    /// How many later commits there are.
    pub waiting_commits: u64,
    /// How many notifications were delivered.
    pub delivered: u64,
    /// When the last one was delivered. RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_delivered_at: Option<String>,
    /// Since when deliveries fail. RFC 3339 in UTC; absent while they succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<String>,
    /// Why the last delivery failed; absent while deliveries succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When the next delivery is tried. RFC 3339 in UTC; absent if nothing has to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<String>,
    /// How many notifications were dropped, because the target did not accept them for too long.
    pub dropped: u64,
    /// The kind and the id of the last one that was dropped, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_dropped: Option<String>,
}

/// The calls of the dead-man switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadManView {
    /// When the last call succeeded. RFC 3339 in UTC; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_call_at: Option<String>,
    /// Why the last call failed; absent after a call that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// A pause of everything, or of one gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseView {
    /// The gate; absent: everything is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// When the pause began. RFC 3339 in UTC.
    pub since: String,
    /// When the pause ends by itself, RFC 3339 in UTC; absent: `resume` ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Why the operator paused.
    pub reason: String,
}

/// The requests that wait with the same decision for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingView {
    /// `wait`, `review` or `leave`.
    pub decision: String,
    /// The code of the most important reason.
    pub reason: String,
    /// How many requests wait.
    pub requests: usize,
    /// When the oldest of them was made. RFC 3339 in UTC.
    pub oldest: String,
}

/// What `status --check` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthView {
    /// The version of the protocol.
    pub schema: u32,
    /// Whether everything is in order.
    pub healthy: bool,
    /// The exit code: 0 when everything is in order.
    pub exit: u8,
    /// The state in one line.
    pub text: String,
}

/// What a reload changed, or why it was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadView {
    /// The version of the protocol.
    pub schema: u32,
    /// Whether the daemon uses the new configuration.
    pub accepted: bool,
    /// The path of the configuration.
    pub config: String,
    /// The hash of the policy in force.
    pub policy: String,
    /// The keys whose value changed.
    pub changes: Vec<ChangedKeyView>,
    /// What `check` finds in the file.
    pub results: Vec<CheckResultView>,
}

/// A key whose value a reload changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedKeyView {
    /// The path of the key, such as `gate[0].cost`.
    pub key: String,
    /// The value before; null if there was none.
    pub old: Value,
    /// The value from now on; null if there is none.
    pub new: Value,
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
    /// Charges of confirmed bookings that can still change.
    pub open_charges: usize,
}

/// The state of the watch, which follows up confirmed bookings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchStatus {
    /// When the last complete watch and the last complete audit began, run by the daemon or by a
    /// command.
    pub last_watch_at: Option<String>,
    /// When the last complete audit began. RFC 3339 in UTC; absent before the first.
    pub last_audit_at: Option<String>,
    /// The last watch of this daemon.
    pub last_summary: Option<WatchSummaryView>,
    /// Why the last watch failed; absent after a watch that was completed.
    pub last_error: Option<String>,
    /// The exit code that fits `last_error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error_exit: Option<u8>,
    /// When the next watch is due, RFC 3339 in UTC; absent while the daemon is paused.
    pub next_watch: Option<String>,
    /// When the next audit is due, RFC 3339 in UTC; absent while the daemon is paused.
    pub next_audit: Option<String>,
}

/// What one watch did, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchSummaryView {
    /// When the watch started. RFC 3339 in UTC.
    pub started: String,
    /// When the watch ended. RFC 3339 in UTC.
    pub finished: String,
    /// Whether every open charge was read.
    pub audit: bool,
    /// How many open charges were checked.
    pub checked: usize,
    /// How many calls were sent to Cal.com.
    pub calls: u64,
    /// How many changes the watch made.
    pub changes: usize,
}

/// A decision whose calls fail or wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingView {
    /// The id of the request.
    pub request: String,
    /// `confirm` or `decline`.
    pub decision: String,
    /// How many calls failed so far.
    pub failures: u32,
    /// When the last call failed. RFC 3339 in UTC; absent before the first failure.
    pub last_failure_at: Option<String>,
    /// Why the next call waits, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseCommand {
    /// The gate; absent: everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// After how many seconds the pause ends by itself; absent: `resume` ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Why; recorded in the ledger.
    pub reason: String,
}
