//! Decisions: a list of them, everything about one of them, and the decision about a file.

use serde::{Deserialize, Serialize};

use super::account::EntryView;
use super::charges::ChargeView;
use super::default_limit;
use super::pass::StepView;
use super::review::OperatorReviewView;
use super::unresolved::UnresolvedItem;

/// Selects the decisions to list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionQuery {
    /// RFC 3339.
    pub since: Option<String>,
    /// The maximum number of decisions; absent: 100.
    #[serde(default = "default_limit")]
    pub limit: u32,
    /// An account, or the address of a booker.
    #[serde(default)]
    pub booker: Option<String>,
    /// Only decisions of the gate with this name.
    #[serde(default)]
    pub gate: Option<String>,
    /// A decision (`wait`) or an outcome (`confirmed`).
    #[serde(default)]
    pub outcome: Option<String>,
    /// Continue after this place, the `next` of an earlier answer to the same query; absent: start
    /// with the newest decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// The decisions that match a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionsView {
    /// The version of the protocol.
    pub schema: u32,
    /// The decisions, newest first.
    pub decisions: Vec<DecisionView>,
    /// Whether there are more decisions than the limit.
    pub more: bool,
    /// The place to continue after, when there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A decision, with what happened to its credits later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionView {
    /// When the request was decided. RFC 3339 in UTC.
    pub decided_at: String,
    /// The request and the decision. Its fields are on the same level as `decided_at`.
    #[serde(flatten)]
    pub step: StepView,
    /// The hash of the policy that decided.
    pub policy: String,
    /// Refunds since the decision, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<RefundView>,
}

/// Credits that were refunded after a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundView {
    /// The uid of the booking.
    pub booking: String,
    /// When the credits were given back. RFC 3339 in UTC.
    pub at: String,
    /// How many credits were given back.
    pub credits: u64,
    /// Why they were given back.
    pub reason: String,
}

/// Everything that is known about a booking, or about the request that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainView {
    /// The version of the protocol.
    pub schema: u32,
    /// Absent: the booking was accepted without a decision, and is on the unresolved list.
    pub decision: Option<DecisionView>,
    /// The booking's items on the unresolved list, open and resolved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unresolved: Vec<UnresolvedItem>,
    /// The uids of the occurrences that were added to the series after the decision. The decision
    /// answers them, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined_bookings: Vec<String>,
    /// The outcome of every rule that was evaluated.
    pub findings: Vec<FindingView>,
    /// The text that the booker received, when the request was declined.
    pub booker_message: Option<String>,
    /// What an operator decided about the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<OperatorReviewView>,
    /// The last calls to Cal.com for the request, oldest first.
    pub calls: Vec<CallView>,
    /// The charges of the request's bookings, and of the bookings that they were moved from and to.
    pub charges: Vec<ChargeView>,
    /// Every fact about the booking, oldest first.
    pub entries: Vec<EntryView>,
}

/// The outcome of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingView {
    /// The name of the rule.
    pub rule: String,
    /// Why the request does not meet the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Whether the request meets the rule.
    pub passed: bool,
    /// What the rule looked at, as text for people.
    pub detail: String,
}

/// One call to Cal.com, and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallView {
    /// When the call was made. RFC 3339 in UTC.
    pub at: String,
    /// The uid of the booking.
    pub booking: String,
    /// `confirm`, `decline` or `cancel`.
    pub call: String,
    /// Whether the booking's state was known after the call.
    pub answered: bool,
    /// The result of the call, without secrets.
    pub text: String,
}

/// What would be decided about a booking from a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluateView {
    /// The version of the protocol.
    pub schema: u32,
    /// The time at which the booking was judged. RFC 3339 in UTC.
    pub at: String,
    /// The decision about the booking.
    pub decision: StepView,
    /// The outcome of every rule that was evaluated.
    pub findings: Vec<FindingView>,
    /// The text that the booker would receive.
    pub booker_message: Option<String>,
    /// What could not be known from a file, and was assumed.
    pub assumptions: Vec<String>,
}
