//! Charges, and what the watch did with them.

use serde::{Deserialize, Serialize};

use super::problem::ProblemView;
use super::unresolved::UnresolvedSummary;

/// What the watch found and did about bookings after their decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchView {
    /// When the watch started. RFC 3339 in UTC.
    pub started: String,
    /// When the watch ended. RFC 3339 in UTC.
    pub finished: String,
    /// Whether every open charge was read.
    pub audit: bool,
    /// Why nothing was written or sent: `dry-run`, `restore-open` or `clock-off`. The changes are
    /// then those that would be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed_by: Option<String>,
    /// How many open charges were checked.
    pub checked: usize,
    /// How many calls were sent to Cal.com.
    pub calls: u64,
    /// What changed, or would change.
    pub changes: Vec<ChangeView>,
    /// What an operator should look at.
    pub problems: Vec<ProblemView>,
    /// The unresolved list after the watch.
    #[serde(default, skip_serializing_if = "UnresolvedSummary::is_empty")]
    pub unresolved: UnresolvedSummary,
}

/// What became of one booking after its decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeView {
    /// The uid of the booking.
    pub booking: String,
    /// The account that is charged; absent for a booking without a charge.
    pub account: Option<String>,
    /// `moved`, `refunded`, `partly-refunded`, `kept`, `charged`, `cancelled` or `closed`.
    pub outcome: String,
    /// What happened, as a sentence.
    pub text: String,
}

/// A page of charges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargesView {
    /// The version of the protocol.
    pub schema: u32,
    /// The charges.
    pub charges: Vec<ListedChargeView>,
    /// Whether there are more charges than the limit.
    pub more: bool,
    /// The place to continue after, when there are more open charges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A charge in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedChargeView {
    /// The charge. Its fields are on the same level as `reason`.
    #[serde(flatten)]
    pub charge: ChargeView,
    /// Why the charge is still open, or how it ended.
    pub reason: String,
    /// The title of the booking, as it was when its request was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// The credits that are reserved or spent for one booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeView {
    /// The uid of the booking.
    pub booking: String,
    /// The account that pays.
    pub account: String,
    /// `held`, `void`, `open`, `final`, `refunded` or `moved`.
    pub state: String,
    /// How many credits are charged now.
    pub credits: u64,
    /// How many credits were given back so far.
    pub refunded: u64,
    /// When the booking starts. RFC 3339 in UTC.
    pub start: String,
    /// When the booking ends. RFC 3339 in UTC.
    pub end: String,
    /// The booking that the charge moved to.
    pub moved_to: Option<String>,
    /// The booking that the charge was moved from.
    pub moved_from: Option<String>,
    /// Why credits were given back or stay spent; absent while neither is decided.
    pub note: Option<String>,
}
