//! Examines the store's directory: it holds a log, nothing, or something else.

use std::path::Path;

use super::durable_fs;
use super::erasure_list;
use super::lock;
use super::log::line::{FORMAT, LedgerId, SegmentHeader};
use super::log::segment::{self, HashChain};
use super::log_store::LOG;
use super::log_switch;
use super::open_report::OpenError;
use crate::domain::time::Time;

/// The directory that a file system creates in its top directory.
const LOST_AND_FOUND: &str = "lost+found";

/// Returns true if there is a log.
///
/// # Errors
/// When there is something else instead: a log is never created where one may have been.
pub fn has_log(path: &Path) -> Result<bool, OpenError> {
    let Some(names) = durable_fs::list_names(path)? else {
        return Ok(false);
    };
    let log = path.join(LOG);
    if segment::count(&log_switch::current_log(path))? > 0 {
        return Ok(true);
    }
    let mut foreign_names: Vec<String> = Vec::new();
    for name in names {
        match name.as_str() {
            // The list of erasures outlives the ledger, so that a restore finds it.
            lock::NAME | LOST_AND_FOUND | erasure_list::NAME => {}
            name if is_socket_staging_dir(name) || durable_fs::is_socket(&path.join(name)) => {}
            LOG => {
                // A first start that was interrupted may have left `.new` files behind.
                let names = durable_fs::list_names(&log)?.unwrap_or_default();
                let names = names.into_iter().filter(|name| !name.ends_with(".new"));
                foreign_names.extend(names.map(|name| format!("{LOG}/{name}")));
            }
            _ => foreign_names.push(name),
        }
    }
    if foreign_names.is_empty() {
        return Ok(false);
    }
    Err(OpenError::NoLog {
        path: path.to_owned(),
        found: format_names(&foreign_names),
    })
}

/// Returns true for the name `.PID` of the directory in which a daemon creates its control socket.
/// The socket is kept here unless it is configured otherwise, and neither holds any part of a
/// ledger.
fn is_socket_staging_dir(name: &str) -> bool {
    let pid = name.strip_prefix('.');
    pid.is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Returns the first few names as text.
fn format_names(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown_names = names.iter().take(SHOWN).map(|name| format!("`{name}`"));
    let mut text = shown_names.collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(", …");
    }
    text
}

/// Creates the log with its first segment, in the store's directory.
///
/// # Errors
/// When the log cannot be created.
pub fn make_log(path: &Path, now: Time) -> Result<(), OpenError> {
    let log = &path.join(LOG);
    durable_fs::sync_ancestors(path)?;
    durable_fs::make_dir(log)?;
    let header = SegmentHeader {
        format: FORMAT,
        ledger: Some(LedgerId::random()),
        segment: 1,
        first: 1,
        created: now,
        replaces: None,
    };
    segment::create(log, &header, HashChain::START)?;
    Ok(())
}
