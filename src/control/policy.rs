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
