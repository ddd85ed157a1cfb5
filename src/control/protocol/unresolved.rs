//! The unresolved list: what an operator has to know and the ledger cannot settle by itself.

use serde::{Deserialize, Serialize};

/// A page of the unresolved list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnresolvedView {
    /// The version of the protocol.
    pub schema: u32,
    /// The items, ordered by the time when they leave the list by themselves.
    pub items: Vec<UnresolvedItem>,
    /// Whether there are more items than the limit.
    pub more: bool,
    /// The place to continue after, when there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One booking on the list, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnresolvedItem {
    /// The uid of the booking.
    pub booking: String,
    /// `revived`, `two-successors`, `unmanaged`, `accepted-move`, `host-absent`, `unknown-status`,
    /// `refused` or `unanswered`.
    pub code: String,
    /// The account that is concerned; absent when there is none.
    pub account: Option<String>,
    /// When the item was listed.
    pub since: String,
    /// When the item leaves the list by itself; absent: it stays until it is resolved.
    pub until: Option<String>,
    /// What was found, as a sentence.
    pub detail: String,
    /// Absent while the item is on the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<ResolvedView>,
}

/// How an item left the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedView {
    /// Why.
    pub reason: String,
    /// `operator` or `watch`.
    pub resolved_by: String,
    /// When the item left the list. RFC 3339 in UTC.
    pub at: String,
}

/// How many items there are, and the first few of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnresolvedSummary {
    /// Counted up to a thousand.
    pub count: usize,
    /// The first few items.
    pub items: Vec<UnresolvedItem>,
}

impl UnresolvedSummary {
    /// Returns true if the list has no items.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}
