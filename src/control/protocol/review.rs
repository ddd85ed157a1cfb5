//! Requests that wait for an operator, and what the operator decides about them.

use serde::{Deserialize, Serialize};

use super::pass::{ReasonView, StepView};

/// An operator's decision about a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewCommand {
    /// The uid of the booking, or of its series.
    pub booking: String,
    /// What the operator decides.
    pub decision: ReviewAnswer,
    /// With a decline: the text that the booker receives.
    pub reason: Option<String>,
}

/// What an operator can decide about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewAnswer {
    /// The request is confirmed.
    Confirm,
    /// The request is declined.
    Decline,
}

/// A page of requests that are noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewsView {
    /// The version of the protocol.
    pub schema: u32,
    /// In the order in which the bookings end.
    pub requests: Vec<NotedRequestView>,
    /// Whether there are more requests than the limit.
    pub more: bool,
    /// The place to continue after, when there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A request that is noted: it can still be decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotedRequestView {
    /// The last decision about the request, and its reasons.
    #[serde(flatten)]
    pub step: StepView,
    /// What confirming the request costs in total; absent when that could not be determined.
    pub cost: Option<u64>,
    /// What the booker's account has available; absent when there is no account.
    pub available: Option<u64>,
    /// When the request was evaluated for the first time.
    pub since: String,
    /// The operator's decision, if there is one.
    pub review: Option<OperatorReviewView>,
}

/// An operator's decision as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorReviewView {
    /// `confirm` or `decline`.
    pub decision: String,
    /// Why, in the operator's words.
    pub reason: String,
    /// When the operator decided. RFC 3339 in UTC.
    pub at: String,
}

/// The result of recording an operator's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewResultView {
    /// The version of the protocol.
    pub schema: u32,
    /// The request, with the decision.
    pub request: NotedRequestView,
    /// Whether the same decision was recorded before, so that nothing was done this time.
    pub already_recorded: bool,
    /// Why a pass would leave the request pending as things stand now, in spite of the decision: an
    /// operator overrides the criteria of the configuration, and never a missing credit, a taken
    /// time, or an account that does not exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obstacles: Vec<ReasonView>,
    /// Who acts on the decision: `daemon`, `paused` (the daemon, once it is resumed) or `next-run`.
    pub acted_on_by: String,
}
