//! The arguments of `init`, `ledger`, `backup` and `restore`, which make and maintain the log itself.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args as Arguments, Subcommand, ValueHint};

use super::credits::ExportArgs;

/// The ledger: its log, its identity and restored backups.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum LedgerArgs {
    /// Walk the whole log and compare it with what the store says
    #[command(after_help = "\
Example:
  maitred ledger verify")]
    Verify,
    /// Print the log's commits, a line of JSON each, as they stand in the log
    #[command(after_help = "\
Every line is checked before it is printed. They name members and hold the hashes of their PINs:
keep them as safe as the ledger. With --full, everything that `maitred ledger import` needs is
printed.

Examples:
  maitred ledger export | jq .facts
  maitred ledger export --full --out ledger.jsonl")]
    Export(LedgerExportArgs),
    /// Make a ledger from a full export, where there is none
    #[command(after_help = "\
Every line is checked before the ledger counts. What happened after the export is not in it, so the
ledger is marked as restored and decides nothing before `maitred ledger accept-restore`. With
--moved it is not marked: only when the ledger at the old place is not used any more, because two
machines that use one ledger spend its credits twice.

Examples:
  maitred ledger import ledger.jsonl
  ssh old maitred ledger export --full | maitred ledger import - --moved")]
    Import(LedgerImportArgs),
    /// Say since when the ledger exists, whose it is, and whether a restore waits to be accepted
    #[command(after_help = "\
Example:
  maitred ledger show")]
    Show,
    /// Have the ledger belong to another server, account or dialect
    #[command(after_help = "\
A ledger remembers the server, the user of the API key and the dialect. When one of them changes,
passes and watches stop and name both. Run this only when the same bookings are now found at the
new place: after a move of the server to another address, for example.

Example:
  maitred ledger move --server cal.example.com --reason \"the server has a new name\"")]
    Move(LedgerMoveArgs),
    /// Accept a restored backup: from now on requests are decided and charges settled again
    #[command(after_help = "\
After `maitred restore` nothing is confirmed or declined, and a watch writes and cancels nothing, because what
happened after the backup is not in the ledger. `maitred run --once --dry-run --watch` shows what
would be done.

Example:
  maitred ledger accept-restore --reason \"grants of Monday entered again\"")]
    AcceptRestore(AcceptRestoreArgs),
}

/// Print the log.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct LedgerExportArgs {
    /// Print everything that an import needs, too: the headers of the log and the list of erasures
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub full: bool,
    /// Where the lines go.
    #[command(flatten)]
    pub to: ExportArgs,
}

/// Make a ledger from an export.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct LedgerImportArgs {
    /// The file that `maitred ledger export --full` wrote; `-` for standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// The ledger moves here, and the place that it comes from does not use it any more: do not
    /// mark it as restored
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub moved: bool,
}

/// Make the ledger belong to another server, account or dialect.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct LedgerMoveArgs {
    /// The server's host, port and path, as in calcom.base-url
    #[arg(long, value_name = "SERVER")]
    pub server: Option<String>,
    /// The id of the user that the API key acts as
    #[arg(long, value_name = "ID")]
    pub account: Option<i64>,
    /// v2 or v1
    #[arg(long, value_name = "DIALECT")]
    pub dialect: Option<String>,
    /// Why; kept in the ledger
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Accept a restored backup.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct AcceptRestoreArgs {
    /// Why; kept in the ledger
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Make the configuration and the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct InitArgs {
    /// Where a new configuration puts the ledger; a relative path starts at the directory of the
    /// configuration [default: /var/lib/maitred]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub store: Option<PathBuf>,
}

/// Copy the ledger to a directory.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct BackupArgs {
    /// A directory that is empty or not there yet
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub to: PathBuf,
}

/// Restore the ledger from a backup.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct RestoreArgs {
    /// The directory that `maitred backup` made
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub from: PathBuf,
    /// Only rehearse: read and check the backup as a restore would, report what it holds, and write
    /// nothing
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub check: bool,
}
