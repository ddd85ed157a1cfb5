//! Requests that wait for an operator, and what he says of them.

use serde::{Deserialize, Serialize};

use super::StepView;

/// What an operator wants of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewCommand {
    /// The uid of the booking, or of its series.
    pub booking: String,
    pub verdict: ReviewAnswer,
    /// With a decline, what the booker is told.
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewAnswer {
    Confirm,
    Decline,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewsView {
    pub schema: u32,
    /// In order of their end.
    pub requests: Vec<WaitingView>,
    /// There are more than were asked for.
    pub more: bool,
}

/// A request that is only noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingView {
    /// What was last decided of it, and why.
    #[serde(flatten)]
    pub step: StepView,
    /// What confirming it costs in all.
    pub cost: u64,
    /// What the booker's account has available; none: there is no account.
    pub available: Option<u64>,
    /// When it was first looked at.
    pub since: String,
    /// An operator's word, when it was said.
    pub said: Option<WordView>,
}

/// An operator's word as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WordView {
    /// `confirm` or `decline`.
    pub verdict: String,
    pub reason: String,
    pub at: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewedView {
    pub schema: u32,
    pub request: WaitingView,
    /// The same was said before: nothing was done this time.
    pub existed: bool,
    /// Who acts on it: `daemon`, `paused` (the daemon, once it is resumed) or `next-run`.
    pub acts: String,
}
