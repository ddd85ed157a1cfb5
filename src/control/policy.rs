//! The JSON that `policy test` and `policy replay` print about a policy that is tried out.

use serde::{Deserialize, Serialize};

use super::protocol::decisions::FindingView;

/// The results of all cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyTestView {
    /// The version of the protocol.
    pub schema: u32,
    /// The hash of the policy that was tried.
    pub policy: String,
    /// How many cases ran.
    pub cases: usize,
    /// How many cases did not give what they expect.
    pub failed: usize,
    /// The result of every case.
    pub results: Vec<CaseView>,
}

/// The result of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseView {
    /// The file that contains the case.
    pub file: String,
    /// The line on which the case begins in the file, from 1; 0 when it is not known.
    pub line: usize,
    /// The name of the case.
    pub name: String,
    /// Whether the policy decides as the case expects.
    pub passed: bool,
    /// What was expected and not found, as sentences.
    pub differences: Vec<String>,
    /// What the policy decides.
    pub actual: CaseOutcomeView,
    /// The outcome of every rule that was evaluated.
    pub findings: Vec<FindingView>,
}

/// What the policy decides about the booking of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseOutcomeView {
    /// `confirm`, `decline`, `wait`, `review` or `leave`.
    pub decision: String,
    /// The codes of the reasons, the most important first.
    pub reasons: Vec<String>,
    /// The reasons as the booker reads them when the request is declined.
    pub text: String,
    /// What confirming costs in total, in whole credits.
    pub credits: u64,
    /// The first rule that objects.
    pub rule: Option<String>,
    /// When a wait ends.
    pub until: Option<String>,
}

/// What another policy would have decided about the recorded requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayView {
    /// The version of the protocol.
    pub schema: u32,
    /// The hash of the policy that was tried.
    pub policy: String,
    /// First decisions before this time are not judged. RFC 3339 in UTC.
    pub since: String,
    /// Commits of the log that were read.
    pub commits: u64,
    /// Requests that were decided for the first time since then.
    pub requests: u64,
    /// Requests that the policy decides in the same way.
    pub same: u64,
    /// Requests that the policy decides differently.
    pub different: u64,
    /// Requests that cannot be decided, because an input was not recorded.
    pub unknown: u64,
    /// Inputs that were not recorded and would have to be known, and for how many requests.
    pub missing: Vec<MissingInputView>,
    /// The differences, oldest first; incomplete when `more` is above 0.
    pub differences: Vec<DifferenceView>,
    /// How many differences there are beyond those that are listed.
    pub more: u64,
}

/// An input that was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingInputView {
    /// What the input is.
    pub input: String,
    /// How many requests cannot be decided without the input.
    pub requests: u64,
}

/// One request that would be decided differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferenceView {
    /// The id of the request.
    pub request: String,
    /// The booker's e-mail address; absent when it is not known.
    pub booker: Option<String>,
    /// The title of the booking.
    pub title: String,
    /// When the first booking of the request starts. RFC 3339 in UTC.
    pub start: String,
    /// When the request was decided. RFC 3339 in UTC.
    pub decided_at: String,
    /// The decision that the log has.
    pub recorded_decision: ReplayDecisionView,
    /// The decision of the policy that was tried.
    pub replayed_decision: ReplayDecisionView,
}

/// A decision and its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayDecisionView {
    /// `confirm`, `decline`, `wait`, `review` or `leave`.
    pub decision: String,
    /// What confirming costs in total.
    pub credits: u64,
    /// The codes of the reasons.
    pub reasons: Vec<String>,
    /// The first rule that objects, with its finding.
    pub rule: Option<FindingView>,
}
