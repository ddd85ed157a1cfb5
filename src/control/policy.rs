//! The JSON that `policy test` and `policy replay` print about a policy that is tried out.

use serde::{Deserialize, Serialize};

use super::protocol::FindingView;

/// The results of all cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyTestView {
    pub schema: u32,
    /// The hash of the policy that was tried.
    pub policy: String,
    pub cases: usize,
    pub failed: usize,
    pub results: Vec<CaseView>,
}

/// The result of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseView {
    pub file: String,
    pub line: usize,
    pub name: String,
    pub passed: bool,
    /// What was expected and not found, as sentences.
    pub differences: Vec<String>,
    pub actual: CaseOutcomeView,
    pub findings: Vec<FindingView>,
}

/// What the policy decides about the booking of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseOutcomeView {
    pub decision: String,
    pub reasons: Vec<String>,
    /// The reasons as the booker reads them when the request is declined.
    pub text: String,
    pub credits: u64,
    /// The first rule that objects.
    pub rule: Option<String>,
    /// When a wait ends.
    pub until: Option<String>,
}

/// What another policy would have decided about the recorded requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayView {
    pub schema: u32,
    /// The hash of the policy that was tried.
    pub policy: String,
    pub since: String,
    /// Commits of the log that were read.
    pub commits: u64,
    /// Requests that were decided for the first time since then.
    pub requests: u64,
    pub same: u64,
    pub different: u64,
    pub unknown: u64,
    /// Inputs that were not recorded and would have to be known, and for how many requests.
    pub missing: Vec<MissingInputView>,
    /// The differences, oldest first; incomplete when `more` is above 0.
    pub differences: Vec<DifferenceView>,
    pub more: u64,
}

/// An input that was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingInputView {
    pub input: String,
    pub requests: u64,
}

/// One request that would be decided differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferenceView {
    pub request: String,
    pub booker: Option<String>,
    pub title: String,
    pub start: String,
    pub decided_at: String,
    pub recorded_decision: ReplayDecisionView,
    pub replayed_decision: ReplayDecisionView,
}

/// A decision and its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayDecisionView {
    pub decision: String,
    /// What confirming costs in total.
    pub credits: u64,
    pub reasons: Vec<String>,
    /// The first rule that objects, with its finding.
    pub rule: Option<FindingView>,
}
