//! Backups in a directory of their own: each gets a name with its time, and old ones are removed.
//! Only directories with such a name that hold nothing but a backup are ever removed.

use std::path::{Path, PathBuf};

use super::backup::{self, CopyError, LogCopy};
use super::durable_fs::{self, DiskError};
use super::erasure_list::{self, ErasureList};
use super::log_store::LOG;
use super::port::Head;
use crate::domain::progress::Progress;
use crate::domain::time::Time;

/// The beginning of a backup's name. Its time follows: `maitred-20261201T093000Z`.
const PREFIX: &str = "maitred-";

/// The form of the time in a name.
const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// The end of the name of a backup that is not complete.
const PARTIAL: &str = ".partial";

/// A backup that was made, and the older ones that were removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledBackup {
    /// The directory of the backup.
    pub path: PathBuf,
    /// What was copied and checked.
    pub copy: LogCopy,
    /// How many older backups were removed.
    pub removed: u64,
}

/// Why no backup was made, or an older one not removed.
#[derive(Debug, thiserror::Error)]
pub enum ScheduledBackupError {
    /// The directory, which is the payload, is not there.
    #[error(
        "back up to {}: the directory is not there; mount its disk or make it, so that maitred's \
         user can write to it",
        .0.display()
    )]
    NoDirectory(PathBuf),
    /// The copy was not made, and no part is left.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The directory cannot be used.
    #[error("use the directory of backups")]
    Disk(#[from] DiskError),
}

/// Copies the log up to `head` to a new backup in the directory, and then removes the oldest backups
/// until `keep` are left.
///
/// # Errors
/// See [`ScheduledBackupError`]. Older backups are only removed after the new one is complete.
pub fn make(
    store: &Path,
    head: &Head,
    (directory, keep): (&Path, u64),
    now: Time,
    progress: &mut dyn FnMut(Progress),
) -> Result<ScheduledBackup, ScheduledBackupError> {
    if !directory.is_dir() {
        return Err(ScheduledBackupError::NoDirectory(directory.to_owned()));
    }
    remove_partial_backups(directory)?;
    let name = format!("{PREFIX}{}", now.format(TIME_FORMAT));
    let (path, partial) = (
        directory.join(&name),
        directory.join(format!("{name}{PARTIAL}")),
    );
    if path.exists() {
        let found = name;
        let to = directory.to_owned();
        return Err(CopyError::NotEmpty { to, found }.into());
    }
    let copied = backup::back_up(store, head, &partial, progress);
    let copy = copied.inspect_err(|_| discard(&partial))?;
    let renamed = std::fs::rename(&partial, &path);
    durable_fs::with_path("rename", &partial, renamed).inspect_err(|_| discard(&partial))?;
    durable_fs::sync_dir(directory)?;
    keep_newest_list(store, directory)?;
    let removed = remove_old_backups(directory, keep)?;
    Ok(ScheduledBackup {
        path,
        copy,
        removed,
    })
}

/// Keeps the newest list of erasures next to the backups, so that a restore of an older one finds it.
fn keep_newest_list(store: &Path, directory: &Path) -> Result<(), CopyError> {
    let mut list = ErasureList::read(directory)?;
    list.add(ErasureList::read(store)?.entries().iter().cloned());
    Ok(list.write(directory)?)
}

/// Returns true for the name of a backup that this module made.
fn is_backup_name(name: &str) -> bool {
    let time = name.strip_prefix(PREFIX);
    time.is_some_and(|time| chrono::NaiveDateTime::parse_from_str(time, TIME_FORMAT).is_ok())
}

/// Returns true if the directory holds a backup and nothing else.
fn holds_only_backup(path: &Path) -> bool {
    let names = durable_fs::list_names(path).ok().flatten();
    names.is_some_and(|names| {
        names.iter().any(|name| name == LOG)
            && names
                .iter()
                .all(|name| name == LOG || name == erasure_list::NAME)
    })
}

fn remove_old_backups(directory: &Path, keep: u64) -> Result<u64, DiskError> {
    let names = durable_fs::list_names(directory)?.unwrap_or_default();
    let mut backups: Vec<PathBuf> = names
        .iter()
        .filter(|name| is_backup_name(name))
        .map(|name| directory.join(name))
        .filter(|path| holds_only_backup(path))
        .collect();
    // The names are in the order of their times.
    let kept = usize::try_from(keep).unwrap_or(usize::MAX);
    backups.truncate(backups.len().saturating_sub(kept));
    for path in &backups {
        durable_fs::with_path("remove", path, std::fs::remove_dir_all(path))?;
    }
    if !backups.is_empty() {
        durable_fs::sync_dir(directory)?;
    }
    Ok(backups.len() as u64)
}

/// Removes what a process that was killed has left.
fn remove_partial_backups(directory: &Path) -> Result<(), DiskError> {
    for name in durable_fs::list_names(directory)?.unwrap_or_default() {
        if name.strip_suffix(PARTIAL).is_some_and(is_backup_name) {
            let path = directory.join(name);
            durable_fs::with_path("remove", &path, std::fs::remove_dir_all(&path))?;
        }
    }
    Ok(())
}

/// Removes an incomplete backup. If that fails, the next backup removes it.
fn discard(partial: &Path) {
    if let Err(error) = std::fs::remove_dir_all(partial)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %partial.display(), %error, "a copy could not be removed");
    }
}

#[cfg(test)]
mod tests {
    use super::super::open::{self, CreateIfMissing};
    use super::super::port::{Maintenance, Store};
    use super::*;
    use crate::domain::fact::{AccountFact, Fact};
    use crate::domain::id::AccountId;
    use crate::domain::time::Span;

    fn at(hours: i64) -> Time {
        Time::from_timestamp(1_795_420_800, 0).expect("in range") + Span::hours(hours)
    }

    #[test]
    fn the_newest_backups_are_kept_and_nothing_else_is_removed() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, to) = (dir.path().join("store"), dir.path().join("backups"));
        let opened = open::open(&path, CreateIfMissing::Yes, at(0), &mut |_| {});
        let mut store = opened.expect("it opens").store;
        let account = AccountId::parse("bo@example.com").expect("a name");
        let fact = Fact::Account(AccountFact::Opened { account });
        store.commit(at(0), vec![fact], &[]).expect("it commits");
        let make_at = |hours| make(&path, &store.head(), (&to, 2), at(hours), &mut |_| {});
        let error = make_at(0).expect_err("the directory is not there");
        assert!(error.to_string().contains("is not there"), "{error}");
        // What somebody else made stays, whatever it is called.
        let foreign = [
            "maitred-20200101T000000Z",
            "maitred-notes",
            "maitred-20200101T000000Z.partial.old",
        ];
        for name in foreign {
            std::fs::create_dir_all(to.join(name)).expect("made");
            std::fs::write(to.join(name).join("notes"), "mine").expect("written");
        }
        let left = to.join("maitred-20201231T000000Z.partial");
        std::fs::create_dir_all(left.join("log.partial")).expect("made");
        for hours in 1..=4 {
            let made = make_at(hours).expect("it is made");
            assert_eq!(made.copy.head, store.head());
            assert_eq!(made.removed, u64::from(hours > 2), "{hours}");
            assert!(made.path.join(LOG).is_dir());
        }
        assert!(make_at(4).is_err(), "two at one instant");
        let mut names = durable_fs::list_names(&to).expect("reads").expect("there");
        names.retain(|name| !foreign.contains(&name.as_str()));
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names[0] < names[1] && names.iter().all(|name| is_backup_name(name)));
        // A log that cannot be copied leaves nothing, and removes nothing.
        let missing = Head {
            seq: 99,
            hash: String::new(),
        };
        let error = make(&path, &missing, (&to, 1), at(5), &mut |_| {});
        assert!(error.is_err());
        assert_eq!(
            durable_fs::list_names(&to)
                .expect("reads")
                .expect("there")
                .len(),
            5
        );
        store.close().expect("it closes");
    }
}
