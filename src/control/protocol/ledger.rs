//! The log itself: its last commit, and copies of the log.

use serde::{Deserialize, Serialize};

/// The last commit. Every commit up to this one is durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadView {
    pub schema: u32,
    /// 0 before the first commit.
    pub sequence: u64,
    pub hash: String,
}

/// A copy of a log that was made and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyView {
    pub schema: u32,
    /// `backup` or `restore`.
    pub kind: String,
    pub from: String,
    pub to: String,
    /// The last commit in the copy.
    pub sequence: u64,
    pub hash: String,
    pub files: u32,
    pub bytes: u64,
}

fn default_true() -> bool {
    true
}

/// An export into a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileExportView {
    pub schema: u32,
    pub file: String,
    /// How many rows or commits the file has.
    pub lines: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyView {
    pub schema: u32,
    pub commits: u64,
    pub facts: u64,
    pub head: String,
    /// Whether the projection was compared too, which happens while a daemon runs.
    #[serde(default = "default_true")]
    pub projection_compared: bool,
    /// Differences between the log and the store; empty when there are none.
    pub differences: Vec<String>,
}

/// What the ledger records about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerView {
    pub schema: u32,
    /// When the ledger's first commit was written.
    pub first_commit_at: Option<String>,
    /// The server, the user of the API key and the dialect; absent before the first pass.
    pub server: Option<String>,
    pub account: Option<i64>,
    pub dialect: Option<String>,
    /// When a backup was restored that no operator has accepted yet.
    pub restored_at: Option<String>,
}

/// The account that the ledger belongs to from now on; what is left out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerMoveCommand {
    pub server: Option<String>,
    pub account: Option<i64>,
    pub dialect: Option<String>,
    pub reason: String,
}
