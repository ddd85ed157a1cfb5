//! The report of a pass or of a plan: each request, and what an operator should look at.

use serde::{Deserialize, Serialize};

use super::charges::WatchView;
use super::problem::ProblemView;
use super::unresolved::UnresolvedSummary;

/// The report of a pass, or of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassView {
    /// The version of the protocol.
    pub schema: u32,
    /// The pass in numbers.
    pub pass: PassSummaryView,
    /// What the pass decided about each request, or would decide.
    pub steps: Vec<StepView>,
    /// The allowances that the pass granted, or would grant. Absent if none was due.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowances: Vec<GrantedAllowanceView>,
    /// What an operator should look at.
    pub problems: Vec<ProblemView>,
    /// Whether requests are left for the next pass.
    pub more: bool,
    /// The unresolved list after the pass.
    #[serde(default, skip_serializing_if = "UnresolvedSummary::is_empty")]
    pub unresolved: UnresolvedSummary,
    /// Why the pass stopped before its end. What this report lists was done before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<StoppedView>,
    /// What the watch did after the pass, when a watch was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<WatchView>,
}

/// The failure that ended a pass or a run before its end, with the exit code that goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedView {
    /// The exit code.
    pub exit: u8,
    /// A word for programs: `credential`, `permission`, `unreachable`, `configuration`,
    /// `store-locked`, `store` or `failed`.
    pub code: String,
    /// Why, as text for an operator.
    pub text: String,
}

/// A pass in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassSummaryView {
    /// When the pass started. RFC 3339 in UTC.
    pub started: String,
    /// When the pass ended. RFC 3339 in UTC.
    pub finished: String,
    /// How many pending bookings were seen, regardless of whose they are.
    pub observed: usize,
    /// How many calls were sent to Cal.com.
    pub calls: u64,
    /// Whether nothing was written or sent.
    pub dry_run: bool,
    /// How many requests would have been decided and were postponed because Cal.com's answers did
    /// not say enough. `problems` gives the reasons.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deferred_requests: usize,
    /// Whether more requests may wait than were seen, because the list of pending bookings broke
    /// off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub list_incomplete: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// One request: what was decided about it, and how far the decision has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    /// The id of the request.
    pub request: String,
    /// The uids of the request's bookings, in order of start.
    pub bookings: Vec<String>,
    /// The title of the booking.
    pub title: String,
    /// When the first booking starts. RFC 3339 in UTC.
    pub start: String,
    /// The booker's e-mail address; absent when it is not known.
    pub booker: Option<String>,
    /// The booker's account; absent when there is none.
    pub account: Option<String>,
    /// Whether there may be an account that was not looked up, because the request was left alone
    /// before that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub account_not_looked_up: bool,
    /// The gate that the request belongs to; absent when no gate matches.
    pub gate: Option<String>,
    /// `confirm`, `decline`, `wait`, `review` or `leave`.
    pub decision: String,
    /// How many credits the confirmation costs in total; 0 for other decisions.
    pub credits: u64,
    /// `planned`, `confirmed`, `declined`, `superseded`, `unresolved`, `failed`, `refused`, or
    /// `none` when there was nothing to do.
    pub outcome: String,
    /// Why it was decided so, the most important reason first.
    pub reasons: Vec<ReasonView>,
    /// Why the step is not finished, and until when it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// What the account could spend before and after the step, in a plan that would confirm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<BalanceView>,
}

/// What a pass granted of an allowance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedAllowanceView {
    /// The name of the allowance in the configuration.
    pub allowance: String,
    /// How many accounts get credits.
    pub accounts: usize,
    /// How many credits they get in all, without those that are rolled over.
    pub credits: u64,
    /// How many credits of the period before last longer.
    pub rolled_over: u64,
    /// When the first of the credits expire. RFC 3339 in UTC.
    pub expires: String,
}

/// What an account can spend before and after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceView {
    /// Credits before the step.
    pub before: u64,
    /// Credits after the step.
    pub after: u64,
}

/// One reason of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonView {
    /// The code of the reason, such as `short-of-credit`.
    pub code: String,
    /// The reason as a sentence.
    pub text: String,
}
