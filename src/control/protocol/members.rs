//! A sync: what sources say about all members, and what that changes in the ledger.

use serde::{Deserialize, Serialize};

/// A sync of the members of sources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembersSyncCommand {
    /// The name of the source; absent: all sources that can list their members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Write nothing, and return what a sync would change.
    #[serde(default)]
    pub dry_run: bool,
    /// Why more may change than `max-change` allows, and an empty list is believed; absent: neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<String>,
}

/// What a sync changed, or would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersSyncView {
    /// The version of this shape.
    pub schema: u32,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// The sources, in the order of the configuration.
    pub sources: Vec<SourceSyncView>,
}

/// What a sync of one source changed, or would change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSyncView {
    /// The name of the source.
    pub source: String,
    /// Why the source gave no list, or why its list could not be used; absent: it was used.
    pub error: Option<String>,
    /// Why nothing was changed although there was a list; absent: the list was taken over.
    pub refused: Option<String>,
    /// How many members the source lists.
    pub members: usize,
    /// How many accounts were opened.
    pub opened: usize,
    /// How many accounts changed that were there before.
    pub changed: usize,
    /// How many of them were frozen.
    pub frozen: usize,
    /// How many of them were thawed, or opened again.
    pub thawed: usize,
    /// How many of them were closed.
    pub closed: usize,
    /// How many accounts stay as they are.
    pub unchanged: usize,
    /// The credits that were granted.
    pub granted: u64,
    /// The credits that were revoked.
    pub revoked: u64,
    /// The changes, one for each account, up to 1,000.
    pub changes: Vec<MemberChangeView>,
    /// What could not be taken over, up to 1,000 texts.
    pub problems: Vec<String>,
}

/// What changed about one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberChangeView {
    /// The account's name.
    pub account: String,
    /// What changed.
    pub change: String,
}
