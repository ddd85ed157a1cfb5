//! Copies of the log: backup, restore, export. The files are read and written here, in the process
//! of the command; a daemon only reports up to which commit they are durable.

use std::io::Write;
use std::path::Path;

use super::commands::operator_log;
use super::error_chain::error_chain;
use super::ownership;
use super::store_access::{self, local_path};
use crate::config::model::StoreConfig;
use crate::control::exit;
use crate::control::protocol::ledger::{CopyView, HeadView};
use crate::control::protocol::{Refusal, SCHEMA};
use crate::domain::progress::Progress;
use crate::domain::time::Clock;
use crate::store::backup::{self, CopyError, LogCopy};
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
    let mut opened = store_access::connect_restored(store, clock(), progress)?;
    operator_log::log_change("restore", &operator_log::own_user(), opened.head().seq);
    if let Err(error) = opened.close() {
        tracing::warn!("the next start rebuilds the store: {}", error_chain(&error));
    }
    Ok(copy_view("restore", from, path, copied))
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
        | CopyError::MarkRestored(_)
        | CopyError::Write(_) => (exit::FAILED, "store"),
    };
    Refusal {
        exit,
        code: code.to_owned(),
        text,
    }
}
