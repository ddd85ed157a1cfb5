//! Charges, and what the watch did with them.

use serde::{Deserialize, Serialize};

use super::ProblemView;
use super::unresolved::UnresolvedSummary;

/// What the watch found and did about bookings after their decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchView {
    pub started: String,
    pub finished: String,
    /// Whether every open charge was read.
    pub audit: bool,
    /// Why nothing was written or sent: `dry-run`, `restore-open` or `clock-off`. The changes are
    /// then those that would be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed_by: Option<String>,
    pub checked: usize,
    pub calls: u64,
    pub changes: Vec<ChangeView>,
    pub problems: Vec<ProblemView>,
    /// The unresolved list after the watch.
    #[serde(default, skip_serializing_if = "UnresolvedSummary::is_empty")]
    pub unresolved: UnresolvedSummary,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeView {
    pub booking: String,
    pub account: Option<String>,
    /// `moved`, `refunded`, `partly-refunded`, `kept`, `charged`, `cancelled` or `closed`.
    pub outcome: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargesView {
    pub schema: u32,
    pub charges: Vec<ListedChargeView>,
    /// Whether there are more charges than the limit.
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedChargeView {
    #[serde(flatten)]
    pub charge: ChargeView,
    /// Why the charge is still open, or how it ended.
    pub reason: String,
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
    /// The booking that the charge moved to.
    pub moved_to: Option<String>,
    pub moved_from: Option<String>,
    pub note: Option<String>,
}
