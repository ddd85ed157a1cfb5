//! Opens the store that the configuration names. No other file of the daemon knows which kinds of
//! stores there are: the rest works with the store port.

use std::path::Path;

use super::error_chain::error_chain;
use super::failure::Failure;
use super::ownership;
use crate::config::model::StoreConfig;
use crate::domain::progress::{Progress, WorkStep};
use crate::domain::time::Time;
use crate::store::log::commit_reader::CommitReader;
use crate::store::log::reader::LogReader;
use crate::store::log_switch;
use crate::store::open::{self, CreateIfMissing};
use crate::store::open_report::{OpenError, OpenNotice};
use crate::store::port::{CommitSource, Maintenance};
use crate::store::read_only;

/// Opens the ledger for writing, logs what was found, and reports the progress of long work.
///
/// # Errors
/// Fails when there is no ledger, when it cannot be opened, or when it is another user's.
pub fn connect(
    store: &StoreConfig,
    now: Time,
    progress: &mut dyn FnMut(Progress),
) -> Result<Box<dyn Maintenance>, Failure> {
    let StoreConfig::Local { path } = store;
    ownership::check_owner(path)?;
    let opened = open::open(path, CreateIfMissing::No, now, progress)?;
    opened.notices.iter().for_each(log_notice);
    Ok(Box::new(opened.store))
}

/// Opens a ledger that was just restored. That its projection is built is nothing to report.
///
/// # Errors
/// Fails when the ledger cannot be opened.
pub fn connect_restored(
    store: &StoreConfig,
    now: Time,
    progress: &mut dyn FnMut(Progress),
) -> Result<Box<dyn Maintenance>, Failure> {
    let StoreConfig::Local { path } = store;
    let opened = open::open(path, CreateIfMissing::No, now, progress)?;
    let notices = opened.notices.iter();
    notices.for_each(|notice| tracing::debug!("{notice}"));
    Ok(Box::new(opened.store))
}

/// Opens the ledger and creates it if there is none. Returns the store, and true if it was created.
///
/// # Errors
/// Fails when the ledger cannot be created or opened.
pub fn create(store: &StoreConfig, now: Time) -> Result<(Box<dyn Maintenance>, bool), Failure> {
    let StoreConfig::Local { path } = store;
    ownership::check_owner(path)?;
    let opened = open::open(path, CreateIfMissing::Yes, now, &mut log_progress)?;
    let mut notices = opened.notices.iter();
    let is_new = notices.any(|notice| matches!(notice, OpenNotice::Created(_)));
    Ok((Box::new(opened.store), is_new))
}

/// Opens the ledger for reading only: nothing is locked or written. Returns `None` if there is no
/// ledger.
///
/// # Errors
/// Fails when there is a ledger that cannot be read.
pub fn read(
    store: &StoreConfig,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<Box<dyn Maintenance>>, Failure> {
    let StoreConfig::Local { path } = store;
    match read_only::read(path, progress) {
        Ok(reading) => {
            if let Some(torn) = reading.torn_line_warning {
                tracing::warn!("{torn}");
            }
            Ok(Some(Box::new(reading.store)))
        }
        Err(OpenError::NoStore(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns the error for a command that needs a ledger where there is none.
pub fn missing_ledger(store: &StoreConfig) -> Failure {
    let StoreConfig::Local { path } = store;
    OpenError::NoStore(path.clone()).into()
}

/// Returns the commits of the ledger in order, without the records that they add up to; `None` if
/// there is no ledger.
pub fn commits(store: &StoreConfig) -> Option<Box<dyn CommitSource>> {
    let StoreConfig::Local { path } = store;
    let log = log_switch::current_log(path);
    if !log.is_dir() {
        return None;
    }
    Some(Box::new(CommitReader::new(&log)))
}

/// Returns the id of the ledger.
///
/// # Errors
/// Fails when the log has no readable header.
pub fn ledger_id(store: &StoreConfig) -> Result<String, Failure> {
    let StoreConfig::Local { path } = store;
    let id = LogReader::read_ledger_id(&log_switch::current_log(path));
    id.map(|id| id.to_string())
        .map_err(|error| Failure::Store(format!("failed to {}", error_chain(&error))))
}

/// Returns the directory of a local store.
pub fn local_path(store: &StoreConfig) -> &Path {
    let StoreConfig::Local { path } = store;
    path
}

/// Logs a notice about the opening of the ledger.
pub fn log_notice(notice: &OpenNotice) {
    match notice {
        OpenNotice::Created(_) | OpenNotice::ProjectionCaughtUp { .. } => {
            tracing::info!("{notice}")
        }
        OpenNotice::RewriteRolledBack
        | OpenNotice::RewriteCompleted
        | OpenNotice::TornLineCut { .. }
        | OpenNotice::ProjectionRebuilt { .. } => {
            tracing::warn!("{notice}")
        }
    }
}

/// Logs the progress of a rebuild. That the log is checked is no news: every start does that.
pub fn log_progress(progress: Progress) {
    if progress.step != WorkStep::CheckLog
        && let Some(percent) = progress.percent()
    {
        tracing::info!("rebuilding from the log: {percent} %");
    }
}
