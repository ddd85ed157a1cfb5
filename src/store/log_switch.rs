//! Puts a rewritten log in place of the log, together with its projection and the list of erasures.
//!
//! The new files are prepared in the folder `rewrite`. Renaming the folder to `rewrite-ready` is the
//! one step that decides: before it, a crash leaves the old ledger, and the next start removes the
//! folder; after it, the next start continues where the crash came. Every further step looks at what
//! is there, so it can be repeated.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::clean_shutdown_marker;
use super::durable_fs::{self, DiskError};
use super::erasure_list;
use super::lock;
use super::log_store::LOG;
use super::sled::projection;

/// The folder in which a rewrite is prepared.
pub const PREPARED: &str = "rewrite";

/// The same folder once the rewrite is decided.
pub const READY: &str = "rewrite-ready";

/// What the old log and the old projection are called until they are removed.
const OLD_LOG: &str = "old-log";
const OLD_PROJECTION: &str = "old-projection";

/// The file with the names that other files of the ledger must not hold any more.
const NAMES: &str = "names";

/// Files that may mention a person are at most this long.
const MAX_CLEANED: u64 = 16 * 1024 * 1024;

/// The folder of the notifications' files, in which a name may stand while accounts are examined.
const NOTIFY: &str = "notify";

/// A step of the switch. After each, everything is durable.
type Step = fn(&Path, &Path) -> Result<(), DiskError>;

/// The steps after the decision, in order.
pub const STEPS: [(&str, Step); 9] = [
    ("move the old log aside", move_old_log),
    ("put the new log in place", place_log),
    ("move the old projection aside", move_old_projection),
    ("put the new projection in place", place_projection),
    ("put the marker in place", place_marker),
    ("put the list of erasures in place", place_list),
    ("clean other files", clean_other_files),
    ("remove doubtful projections", remove_doubtful_projections),
    ("remove the old files", remove_old_files),
];

/// Whether a rewrite was found when the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundRewrite {
    /// None.
    None,
    /// One that was not decided; its files were removed.
    RolledBack,
    /// One that was decided; it is now complete.
    Completed,
}

/// Returns the folder that holds the ledger's log: a crash may have left it among the files of a
/// decided rewrite.
pub fn current_log(store: &Path) -> PathBuf {
    let ready = store.join(READY).join(LOG);
    match ready.is_dir() {
        true => ready,
        false => store.join(LOG),
    }
}

/// Returns an empty folder for a rewrite, in place of an older one that was not decided.
///
/// # Errors
/// When the folder cannot be made.
pub fn prepare(store: &Path) -> Result<PathBuf, DiskError> {
    let folder = store.join(PREPARED);
    remove_tree(&folder)?;
    durable_fs::make_dir(&folder)?;
    Ok(folder)
}

/// Writes down the names that other files must not hold, with their replacements.
///
/// # Errors
/// When the file cannot be written.
pub fn write_names<'a>(
    folder: &Path,
    names: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<(), DiskError> {
    let names: BTreeMap<&str, &str> = names.collect();
    let text = serde_json::to_vec(&names).expect("texts can be written");
    durable_fs::write_atomically(&folder.join(NAMES), &text)
}

/// Decides the rewrite: everything below the folder is durable, and then gets the name of a decided
/// rewrite.
///
/// # Errors
/// When it is not known whether the rewrite is decided.
pub fn decide(store: &Path) -> Result<(), DiskError> {
    let (prepared, ready) = (store.join(PREPARED), store.join(READY));
    durable_fs::sync_tree(&prepared)?;
    durable_fs::with_path("rename", &prepared, fs::rename(&prepared, &ready))?;
    durable_fs::sync_dir(store)
}

/// Gives up a rewrite that was not decided. A folder that cannot be removed does no harm.
pub fn give_up(store: &Path) {
    if let Err(error) = remove_tree(&store.join(PREPARED)) {
        tracing::warn!("a rewrite of the log was given up: {error}");
    }
}

/// Completes a decided rewrite, and calls `after` after each step.
///
/// # Errors
/// When a step fails; the next start repeats it. Or with the error of `after`.
pub fn complete<E: From<DiskError>>(
    store: &Path,
    after: &mut dyn FnMut(&'static str) -> Result<(), E>,
) -> Result<(), E> {
    let ready = store.join(READY);
    for (name, step) in STEPS {
        step(store, &ready)?;
        after(name)?;
    }
    Ok(())
}

/// Completes the rewrite that a crash has left, or removes it if it was not decided.
///
/// # Errors
/// When its files cannot be moved or removed.
pub fn finish(store: &Path) -> Result<FoundRewrite, DiskError> {
    let mut found = FoundRewrite::None;
    if store.join(PREPARED).is_dir() {
        remove_tree(&store.join(PREPARED))?;
        found = FoundRewrite::RolledBack;
    }
    if store.join(READY).is_dir() {
        complete::<DiskError>(store, &mut |_| Ok(()))?;
        found = FoundRewrite::Completed;
    }
    Ok(found)
}

fn move_old_log(store: &Path, ready: &Path) -> Result<(), DiskError> {
    match ready.join(LOG).is_dir() {
        true => rename_if_there(&store.join(LOG), &ready.join(OLD_LOG)),
        false => Ok(()),
    }
}

fn place_log(store: &Path, ready: &Path) -> Result<(), DiskError> {
    rename_if_there(&ready.join(LOG), &store.join(LOG))
}

fn move_old_projection(store: &Path, ready: &Path) -> Result<(), DiskError> {
    match ready.join(projection::NAME).is_dir() {
        true => {
            // A marker belongs to the old projection: this store has not been closed since.
            if ready.join(clean_shutdown_marker::NAME).exists() {
                clean_shutdown_marker::remove(store)?;
            }
            rename_if_there(&store.join(projection::NAME), &ready.join(OLD_PROJECTION))
        }
        false => Ok(()),
    }
}

fn place_projection(store: &Path, ready: &Path) -> Result<(), DiskError> {
    rename_if_there(&ready.join(projection::NAME), &store.join(projection::NAME))
}

fn place_marker(store: &Path, ready: &Path) -> Result<(), DiskError> {
    let name = clean_shutdown_marker::NAME;
    rename_if_there(&ready.join(name), &store.join(name))
}

fn place_list(store: &Path, ready: &Path) -> Result<(), DiskError> {
    let name = erasure_list::NAME;
    rename_if_there(&ready.join(name), &store.join(name))
}

/// Replaces the names in the small files next to the log.
fn clean_other_files(store: &Path, ready: &Path) -> Result<(), DiskError> {
    let Some(text) = durable_fs::read_if_exists(&ready.join(NAMES))? else {
        return Ok(());
    };
    let names: BTreeMap<String, String> = serde_json::from_slice(&text).unwrap_or_default();
    for folder in [store.to_owned(), store.join(NOTIFY)] {
        for name in durable_fs::list_names(&folder)?.unwrap_or_default() {
            if name != lock::NAME {
                clean_file(&folder.join(name), &names)?;
            }
        }
    }
    Ok(())
}

fn clean_file(path: &Path, names: &BTreeMap<String, String>) -> Result<(), DiskError> {
    let meta = durable_fs::with_path("look at", path, path.symlink_metadata())?;
    if !meta.is_file() || meta.len() > MAX_CLEANED {
        return Ok(());
    }
    let Some(bytes) = durable_fs::read_if_exists(path)? else {
        return Ok(());
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return Ok(());
    };
    let mut cleaned = text.clone();
    for (name, replacement) in names {
        cleaned = cleaned.replace(name.as_str(), replacement);
    }
    if cleaned == text {
        return Ok(());
    }
    durable_fs::write_atomically(path, cleaned.as_bytes())
}

/// Removes projections that were moved aside: they hold the person's data, and nothing that the log
/// does not have.
fn remove_doubtful_projections(store: &Path, _: &Path) -> Result<(), DiskError> {
    for name in durable_fs::list_names(store)?.unwrap_or_default() {
        if name.starts_with(&format!("{}.", projection::NAME)) {
            remove_tree(&store.join(name))?;
        }
    }
    Ok(())
}

fn remove_old_files(_: &Path, ready: &Path) -> Result<(), DiskError> {
    remove_tree(ready)
}

fn rename_if_there(from: &Path, to: &Path) -> Result<(), DiskError> {
    match fs::rename(from, to) {
        Ok(()) => {
            durable_fs::sync_dir(parent(to))?;
            durable_fs::sync_dir(parent(from))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => durable_fs::with_path("rename", from, Err(error)),
    }
}

fn remove_tree(folder: &Path) -> Result<(), DiskError> {
    match fs::remove_dir_all(folder) {
        Ok(()) => durable_fs::sync_dir(parent(folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => durable_fs::with_path("remove", folder, Err(error)),
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}
