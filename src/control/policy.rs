//! The JSON of policies that are tried out: what `policy test` and `policy replay` print.

use serde::{Deserialize, Serialize};

use super::protocol::FindingView;

/// What came out of all cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyTestView {
    pub schema: u32,
    /// The hash of the policy that was tried.
    pub policy: String,
    pub cases: usize,
    pub failed: usize,
    pub results: Vec<CaseView>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseView {
    pub file: String,
    pub line: usize,
    pub name: String,
    pub passed: bool,
    /// What was expected and not found, in words.
    pub differences: Vec<String>,
    pub found: FoundView,
    pub findings: Vec<FindingView>,
}

/// What the policy says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundView {
    pub decision: String,
    pub reasons: Vec<String>,
    /// The reasons as the booker of a decline reads them.
    pub text: String,
    pub credits: u64,
    /// The first rule that objects.
    pub rule: Option<String>,
    /// When a wait is over.
    pub until: Option<String>,
}

/// What another policy would have said of the recorded requests.
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
    /// What was not recorded and would have to be known, and for how many requests.
    pub missing: Vec<MissingView>,
    /// The differences, oldest first; not all when `more` is above 0.
    pub differences: Vec<DifferenceView>,
    pub more: u64,
}

/// Something that was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingView {
    pub what: String,
    pub requests: u64,
}

/// One request that would be decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferenceView {
    pub request: String,
    pub booker: Option<String>,
    pub title: String,
    pub start: String,
    pub decided: String,
    pub was: SaidView,
    pub would_be: SaidView,
}

/// A decision and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaidView {
    pub decision: String,
    /// What confirming costs in all.
    pub credits: u64,
    pub reasons: Vec<String>,
    /// The first rule that objects, and what it looked at.
    pub rule: Option<FindingView>,
}
