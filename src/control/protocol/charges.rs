//! Charges, and what the watch makes of them.

use serde::{Deserialize, Serialize};

use super::ProblemView;
use super::unresolved::UnresolvedSummary;

/// What became of bookings after the decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchView {
    pub started: String,
    pub finished: String,
    /// Every open charge was looked at.
    pub audit: bool,
    /// Why nothing was written or sent, where that is so: `dry-run`, `restore-open` or `clock-off`. The
    /// changes are then those that would be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<String>,
    pub checked: usize,
    pub calls: u64,
    pub changes: Vec<ChangeView>,
    pub problems: Vec<ProblemView>,
    /// What is on the unresolved list after it.
    #[serde(default, skip_serializing_if = "UnresolvedSummary::is_empty")]
    pub unresolved: UnresolvedSummary,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeView {
    pub booking: String,
    pub account: Option<String>,
    /// `moved`, `refunded`, `partly-refunded`, `kept`, `charged`, `cancelled` or `closed`.
    pub what: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargesView {
    pub schema: u32,
    pub charges: Vec<ChargeLine>,
    /// There are more than were asked for.
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeLine {
    #[serde(flatten)]
    pub charge: ChargeView,
    /// Why it is still open, or how it ended.
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeView {
    pub booking: String,
    pub account: String,
    /// `held`, `void`, `open`, `final`, `refunded` or `moved`.
    pub state: String,
    pub credits: u64,
    pub refunded: u64,
    pub start: String,
    pub end: String,
    /// Where it went, when moved.
    pub moved_to: Option<String>,
    pub moved_from: Option<String>,
    pub note: Option<String>,
}
