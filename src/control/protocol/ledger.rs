//! The log itself: its last commit, and copies of the log.

use serde::{Deserialize, Serialize};

/// The last commit. Every commit up to this one is durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadView {
    /// The version of the protocol.
    pub schema: u32,
    /// 0 before the first commit.
    pub sequence: u64,
    /// The hash of the commit, in hexadecimal.
    pub hash: String,
}

/// A copy of a log that was made and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyView {
    /// The version of the protocol.
    pub schema: u32,
    /// `backup`, `restore` or `import`.
    pub kind: String,
    /// The directory that was copied.
    pub from: String,
    /// The directory of the copy.
    pub to: String,
    /// The last commit in the copy.
    pub sequence: u64,
    /// The hash of that commit, in hexadecimal.
    pub hash: String,
    /// How many files were copied.
    pub files: u32,
    /// How many bytes were copied.
    pub bytes: u64,
    /// How many erasures are in the list that was copied along.
    #[serde(default)]
    pub erasures: u64,
    /// How many erased persons were still in what was restored, and are not in the copy.
    #[serde(default)]
    pub erased: u64,
    /// Whether nothing is decided before an operator accepts the copy.
    #[serde(default)]
    pub needs_acceptance: bool,
}

/// What a backup holds, found without restoring it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupCheckView {
    /// The version of the protocol.
    pub schema: u32,
    /// The directory of the backup.
    pub from: String,
    /// The last commit in the backup.
    pub sequence: u64,
    /// The hash of that commit, in hexadecimal.
    pub hash: String,
    /// How many facts the commits have.
    pub facts: u64,
    /// The size of the log in bytes.
    pub bytes: u64,
    /// When the last commit was written; absent without a commit.
    pub last_commit_at: Option<String>,
    /// How many seconds ago that was; absent without a commit.
    pub age_seconds: Option<u64>,
    /// How many accounts there are.
    pub accounts: u64,
    /// The credits of all accounts that could be spent now.
    pub available: u64,
    /// The credits of all accounts that are held.
    pub held: u64,
    /// The credits of all accounts that were spent, refunded ones included.
    pub posted: u64,
    /// The credits that were given to all accounts.
    pub granted: u64,
    /// The credits of all accounts that came back.
    pub refunded: u64,
    /// The credits of all accounts that expired.
    pub expired: u64,
    /// The credits that were taken back from all accounts.
    pub revoked: u64,
    /// How many erased persons are still in the backup; a restore erases them first.
    pub erased: u64,
}

fn default_true() -> bool {
    true
}

/// An export into a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileExportView {
    /// The version of the protocol.
    pub schema: u32,
    /// The path of the file.
    pub file: String,
    /// How many rows or commits the file has.
    pub lines: u64,
}

/// The result of reading the whole log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyView {
    /// The version of the protocol.
    pub schema: u32,
    /// How many commits the log has.
    pub commits: u64,
    /// How many facts these commits have.
    pub facts: u64,
    /// The hash of the last commit, in hexadecimal.
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
    /// The version of the protocol.
    pub schema: u32,
    /// When the ledger's first commit was written.
    pub first_commit_at: Option<String>,
    /// The server, the user of the API key and the dialect; absent before the first pass.
    pub server: Option<String>,
    /// The id of the user that the API key acts as; absent before the first pass.
    pub account: Option<i64>,
    /// `v2` or `v1`; absent before the first pass.
    pub dialect: Option<String>,
    /// When a backup was restored that no operator has accepted yet.
    pub restored_at: Option<String>,
}

/// The account that the ledger belongs to from now on; what is left out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerMoveCommand {
    /// The server's host, port and path.
    pub server: Option<String>,
    /// The id of the user that the API key acts as.
    pub account: Option<i64>,
    /// `v2` or `v1`.
    pub dialect: Option<String>,
    /// Why; stored in the ledger.
    pub reason: String,
}
