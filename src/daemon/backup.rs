//! Copies of the log: backup, restore, export, import. The files are read and written here, in the process
//! of the command; a daemon only reports up to which commit they are durable.

use std::io::{BufRead, Write};
use std::path::Path;

use super::commands::operator_log;
use super::error_chain::error_chain;
use super::ownership;
use super::store_access::{self, local_path};
use super::views;
use crate::config::model::StoreConfig;
use crate::control::exit;
use crate::control::protocol::ledger::{BackupCheckView, CopyView, HeadView};
use crate::control::protocol::{Refusal, SCHEMA};
use crate::domain::progress::Progress;
use crate::domain::time::Clock;
use crate::store::backup::{self, CopyError, LogCopy};
use crate::store::backup_check;
use crate::store::ledger_transfer::{self, TransferError};
use crate::store::lock::LockError;
use crate::store::port::Head;

/// Copies the log of the store up to `head` into the directory `to`.
///
/// # Errors
/// Fails when the log cannot be copied, or when the copy does not pass its check.
pub fn back_up(
    store: &StoreConfig,
    head: &HeadView,
    to: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<CopyView, Refusal> {
    let store = local_path(store);
    let copied = backup::back_up(store, &to_head(head), to, progress).map_err(to_refusal)?;
    Ok(copy_view("backup", store, to, copied))
}

/// Restores a backup to a path where there is no ledger, and opens the restored store once.
///
/// # Errors
/// Fails when there is a ledger already, or when the backup does not pass its check.
pub fn restore(
    from: &Path,
    store: &StoreConfig,
    clock: &Clock,
    progress: &mut dyn FnMut(Progress),
) -> Result<CopyView, Refusal> {
    let path = local_path(store);
    ownership::check_owner(path)?;
    let copied = backup::restore(from, path, clock(), progress).map_err(to_refusal)?;
    open_copy("restore", store, clock, progress)?;
    Ok(CopyView {
        needs_acceptance: true,
        ..copy_view("restore", from, path, copied)
    })
}

/// Opens a ledger that was just restored or imported once, so that the first command that reads it
/// need not build the projection.
fn open_copy(
    command: &str,
    store: &StoreConfig,
    clock: &Clock,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Refusal> {
    let mut opened = store_access::connect_restored(store, clock(), progress)?;
    operator_log::log_change(command, &operator_log::own_user(), opened.head().seq);
    if let Err(error) = opened.close() {
        tracing::warn!("the next start rebuilds the store: {}", error_chain(&error));
    }
    Ok(())
}

/// Reads and checks a backup as a restore would, and writes nothing.
///
/// # Errors
/// Fails when the backup does not pass its check.
pub fn check(
    from: &Path,
    store: &StoreConfig,
    clock: &Clock,
    progress: &mut dyn FnMut(Progress),
) -> Result<BackupCheckView, Refusal> {
    let now = clock();
    let checked = backup_check::check(from, local_path(store), now, progress);
    let contents = checked.map_err(to_refusal)?;
    let age = contents.last_commit_at.map(|at| (now - at).num_seconds());
    Ok(BackupCheckView {
        schema: SCHEMA,
        from: from.display().to_string(),
        sequence: contents.head.seq,
        hash: contents.head.hash,
        facts: contents.facts,
        bytes: contents.bytes,
        last_commit_at: contents.last_commit_at.map(views::format_time),
        // A commit may have an instant after a clock that was set back.
        age_seconds: age.map(|age| u64::try_from(age).unwrap_or(0)),
        accounts: contents.accounts,
        available: contents.available,
        held: contents.totals.held,
        posted: contents.totals.posted,
        granted: contents.totals.granted,
        refunded: contents.totals.refunded,
        expired: contents.totals.expired,
        revoked: contents.totals.revoked,
        erased: contents.erased,
    })
}

/// Makes the ledger from a full export; `moved` says that nothing else uses the ledger any more.
///
/// # Errors
/// Fails when there is a ledger already, or when a line does not pass its check.
pub fn import(
    from: &mut dyn BufRead,
    (file, moved): (&Path, bool),
    store: &StoreConfig,
    clock: &Clock,
    progress: &mut dyn FnMut(Progress),
) -> Result<CopyView, Refusal> {
    let path = local_path(store);
    ownership::check_owner(path)?;
    let imported = ledger_transfer::import(from, path, clock(), moved, progress);
    let copied = imported.map_err(|error| match error {
        TransferError::Copy(error) => to_refusal(error),
        error @ (TransferError::Line { .. }
        | TransferError::Form { .. }
        | TransferError::Read { .. }) => Refusal {
            exit: exit::FAILED,
            code: "failed".to_owned(),
            text: format!("nothing was imported: failed to {}", error_chain(&error)),
        },
    })?;
    open_copy("ledger import", store, clock, progress)?;
    Ok(CopyView {
        needs_acceptance: !moved,
        ..copy_view("import", file, path, copied)
    })
}

/// Writes everything that an import needs, and returns how many commits there are.
///
/// # Errors
/// Fails when a line does not pass its check, or cannot be written.
pub fn export_full(
    store: &StoreConfig,
    head: &HeadView,
    out: &mut dyn Write,
) -> Result<u64, ExportError> {
    match ledger_transfer::export(local_path(store), &to_head(head), out) {
        Ok(commits) => Ok(commits),
        Err(CopyError::Write(error)) => Err(ExportError::Write(error)),
        Err(error) => Err(ExportError::Refused(to_refusal(error))),
    }
}

/// Writes the log's commits as lines, and returns how many there are.
///
/// # Errors
/// Fails when a line does not pass its check, or cannot be written.
pub fn export(
    store: &StoreConfig,
    head: &HeadView,
    out: &mut dyn Write,
) -> Result<u64, ExportError> {
    match backup::export(local_path(store), &to_head(head), out) {
        Ok(commits) => Ok(commits),
        Err(CopyError::Write(error)) => Err(ExportError::Write(error)),
        Err(error) => Err(ExportError::Refused(to_refusal(error))),
    }
}

/// Why an export stopped before its end.
#[derive(Debug)]
pub enum ExportError {
    /// Writing failed, perhaps only because the reader closed the output.
    Write(std::io::Error),
    /// The store refused to give further rows or commits.
    Refused(Refusal),
}

fn to_head(view: &HeadView) -> Head {
    Head {
        seq: view.sequence,
        hash: view.hash.clone(),
    }
}

fn copy_view(kind: &str, from: &Path, to: &Path, copied: LogCopy) -> CopyView {
    CopyView {
        schema: SCHEMA,
        kind: kind.to_owned(),
        from: from.display().to_string(),
        to: to.display().to_string(),
        sequence: copied.head.seq,
        hash: copied.head.hash,
        files: copied.files,
        bytes: copied.bytes,
        erasures: copied.erasures,
        erased: copied.erased,
        needs_acceptance: false,
    }
}

fn to_refusal(error: CopyError) -> Refusal {
    let text = format!("failed to {}", error_chain(&error));
    let (exit, code) = match error {
        CopyError::NotEmpty { .. } | CopyError::InsideStore(_) | CopyError::NoBackup(_) => {
            (exit::USAGE, "usage")
        }
        CopyError::Lock(LockError::Held { .. }) => (exit::STORE_LOCKED, "store-locked"),
        CopyError::Occupied(_) => (exit::FAILED, "occupied"),
        CopyError::Incomplete { .. }
        | CopyError::Copy(_)
        | CopyError::Log(_)
        | CopyError::StoreDirectory(_)
        | CopyError::Lock(LockError::Disk(_))
        | CopyError::Disk(_)
        | CopyError::Facts(_)
        | CopyError::Erasures(_)
        | CopyError::Rewrite(_)
        | CopyError::MarkRestored(_)
        | CopyError::Write(_) => (exit::FAILED, "store"),
    };
    Refusal {
        exit,
        code: code.to_owned(),
        text,
    }
}
