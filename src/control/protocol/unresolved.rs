//! The unresolved list: what an operator has to know and the ledger cannot settle by itself.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnresolvedView {
    pub schema: u32,
    /// The items, ordered by the time when they leave the list by themselves.
    pub items: Vec<UnresolvedItem>,
    /// Whether there are more items than the limit.
    pub more: bool,
}

/// One booking on the list, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnresolvedItem {
    pub booking: String,
    /// `revived`, `two-successors`, `unmanaged`, `accepted-move`, `host-absent`, `unknown-status`,
    /// `refused` or `unanswered`.
    pub code: String,
    pub account: Option<String>,
    /// When the item was listed.
    pub since: String,
    /// When the item leaves the list by itself; absent: it stays until it is resolved.
    pub until: Option<String>,
    pub detail: String,
    /// Absent while the item is on the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<ResolvedView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedView {
    pub reason: String,
    /// `operator` or `watch`.
    pub resolved_by: String,
    pub at: String,
}

/// How many items there are, and the first few of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnresolvedSummary {
    /// Counted up to a thousand.
    pub count: usize,
    pub items: Vec<UnresolvedItem>,
}

impl UnresolvedSummary {
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}
