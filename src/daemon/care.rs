//! What is done to the ledger by itself, besides passes: backups, and the removal of old personal
//! data. When each was done last is in a file of the state directory: losing it costs one more.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error_chain::error_chain;
use super::store_access::local_path;
use super::views;
use crate::config::model::{BackupConfig, Config};
use crate::control::protocol::problem::ProblemView;
use crate::control::protocol::status::BackupStatusView;
use crate::domain::erasure::Redaction;
use crate::domain::time::{Clock, Span, Time};
use crate::store::port::{Head, RewriteOrder};
use crate::store::scheduled_backup;
use crate::store::store_thread::StoreHandle;

/// The file's name in the state directory.
const FILE_NAME: &str = "care";

/// The code of the problem that no backup could be made.
pub const BACKUP_FAILED: &str = "backup-failed";

/// When a backup that failed is tried again.
const RETRY_AFTER: Span = Span::hours(1);

/// How often old personal data is searched for. Each search reads the log, and each removal writes
/// it again.
const REMOVAL_EVERY: Span = Span::days(30);

/// When the ledger was cared for last. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CareState {
    /// The last backup; absent before the first.
    #[serde(default)]
    pub backup: Option<LastBackup>,
    /// Why the last attempt at a backup failed; absent after one that succeeded.
    #[serde(default)]
    pub backup_failure: Option<BackupFailure>,
    /// When old personal data was searched for.
    #[serde(default)]
    pub personal_data_searched: Option<String>,
}

/// A backup that was made by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastBackup {
    /// When the backup was made.
    pub at: String,
    /// The directory of the backup.
    pub path: String,
    /// The last commit in it.
    pub commit: u64,
}

/// An attempt at a backup that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFailure {
    /// When the attempt failed.
    pub at: String,
    /// Why.
    pub text: String,
}

impl CareState {
    /// Reads the file. A file that is missing or cannot be understood is as if nothing was done yet.
    pub fn load(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join(FILE_NAME)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Writes the file. A failure is only logged, because the only consequence is more work.
    pub fn save(&self, folder: &Path) {
        let text = serde_json::to_string(self).expect("the fields are texts and numbers");
        let (path, new) = (
            folder.join(FILE_NAME),
            folder.join(format!("{FILE_NAME}.new")),
        );
        let done = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &path));
        if let Err(error) = done {
            tracing::warn!("failed to write {}: {error}", path.display());
        }
    }

    /// Returns when the next backup is due.
    pub fn next_backup(&self, config: &BackupConfig, now: Time) -> Time {
        let every = Span::from_std(config.every).unwrap_or(Span::days(1));
        let last = self.backup.as_ref().and_then(|last| parse(&last.at));
        let failed = self.backup_failure.as_ref();
        let failed = failed.and_then(|failure| parse(&failure.at));
        // A time after a clock that was set back would be waited for.
        let due = |last: Option<Time>, span: Span| match last {
            Some(last) if last <= now => last + span,
            Some(_) | None => now,
        };
        match failed {
            Some(failed) => due(Some(failed), RETRY_AFTER.min(every)),
            None => due(last, every),
        }
    }

    /// Returns true if old personal data has to be searched for.
    pub fn is_removal_due(&self, now: Time) -> bool {
        let last = self.personal_data_searched.as_deref().and_then(parse);
        last.is_none_or(|last| last > now || now - last >= REMOVAL_EVERY)
    }

    /// Returns what `status` shows of backups; `None` if none are made.
    pub fn backup_view(&self, config: &BackupConfig, now: Time) -> Option<BackupStatusView> {
        config.directory.as_ref()?;
        Some(BackupStatusView {
            last_at: self.backup.as_ref().map(|last| last.at.clone()),
            last_path: self.backup.as_ref().map(|last| last.path.clone()),
            last_sequence: self.backup.as_ref().map(|last| last.commit),
            next: views::format_time(self.next_backup(config, now)),
            failed_at: self.backup_failure.as_ref().map(|one| one.at.clone()),
            error: self.backup_failure.as_ref().map(|one| one.text.clone()),
        })
    }

    /// Returns the problem that no backup could be made.
    pub fn problem(&self, config: &BackupConfig) -> Option<ProblemView> {
        config.directory.as_ref()?;
        let failure = self.backup_failure.as_ref()?;
        Some(ProblemView {
            code: BACKUP_FAILED.to_owned(),
            text: format!("no backup was made at {}: {}", failure.at, failure.text),
        })
    }
}

fn parse(text: &str) -> Option<Time> {
    text.parse().ok()
}

/// Makes a backup, and records in the state whether it succeeded. Blocks until it is made.
pub fn back_up(config: &Config, head: &Head, now: Time, state: &mut CareState) {
    let Some(directory) = &config.backup.directory else {
        return;
    };
    let store = local_path(&config.store);
    let place = (directory.as_path(), config.backup.keep);
    match scheduled_backup::make(store, head, place, now, &mut |_| {}) {
        Ok(made) => {
            let path: PathBuf = made.path;
            tracing::info!(
                path = %path.display(),
                commit = made.copy.head.seq,
                removed = made.removed,
                "the ledger was backed up"
            );
            state.backup = Some(LastBackup {
                at: views::format_time(now),
                path: path.display().to_string(),
                commit: made.copy.head.seq,
            });
            state.backup_failure = None;
        }
        Err(error) => {
            let text = format!("failed to {}", error_chain(&error));
            tracing::warn!("the ledger was not backed up, and is tried again in an hour: {text}");
            state.backup_failure = Some(BackupFailure {
                at: views::format_time(now),
                text,
            });
        }
    }
}

/// Removes personal data that is older than the configuration keeps it, if there is any. Returns how
/// many commits were changed.
///
/// # Errors
/// Returns why the log could not be written again.
pub async fn remove_old_personal_data(
    store: &StoreHandle,
    keep: Span,
    now: Time,
) -> Result<u64, String> {
    let order = RewriteOrder {
        redaction: Redaction::of_old_decisions(now - keep),
        closing: Vec::new(),
        at: now,
    };
    let rewritten = store
        .maintain_for_long(move |store| store.rewrite(order, &mut |_| {}))
        .await;
    match rewritten {
        Ok(report) => {
            if report.changed > 0 {
                tracing::info!(
                    commits = report.changed,
                    "old personal data was removed: the log was written again"
                );
            }
            Ok(report.changed)
        }
        Err(error) => Err(error_chain(&error)),
    }
}

/// Does what is due, after the passes of a run from a timer.
pub async fn run_due(config: &Config, store: &StoreHandle, clock: &Clock) {
    let folder = config.state_dir();
    let mut state = CareState::load(folder);
    let before = state.clone();
    let now = clock();
    if let Some(keep) = config.privacy.keep
        && state.is_removal_due(now)
    {
        match remove_old_personal_data(store, keep, now).await {
            Ok(_) => state.personal_data_searched = Some(views::format_time(now)),
            Err(text) => tracing::warn!("old personal data was not removed: {text}"),
        }
    }
    if config.backup.directory.is_some() && state.next_backup(&config.backup, now) <= now {
        let head = store.read(|store| store.head()).await;
        let (config, mut moved) = (config.clone(), state.clone());
        let made = tokio::task::spawn_blocking(move || {
            back_up(&config, &head, now, &mut moved);
            moved
        });
        if let Ok(made) = made.await {
            state = made;
        }
    }
    if state != before {
        state.save(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(hours: i64) -> Time {
        Time::from_timestamp(1_795_420_800, 0).expect("in range") + Span::hours(hours)
    }

    #[test]
    fn a_backup_is_due_after_its_interval_and_an_hour_after_a_failure() {
        let config = BackupConfig {
            directory: Some(PathBuf::from("/backups")),
            every: Duration::from_secs(24 * 3_600),
            keep: 14,
        };
        let last = |hours| {
            Some(LastBackup {
                at: views::format_time(at(hours)),
                path: String::new(),
                commit: 1,
            })
        };
        let failure = |hours| {
            Some(BackupFailure {
                at: views::format_time(at(hours)),
                text: "no room".to_owned(),
            })
        };
        let rows = [
            (None, None, 0),
            (last(-5), None, 19),
            (last(-30), None, -6),
            (last(-30), failure(0), 1),
            (None, failure(-2), -1),
            // The clock was set back.
            (last(5), None, 0),
        ];
        for (backup, backup_failure, expect) in rows {
            let state = CareState {
                backup,
                backup_failure,
                personal_data_searched: None,
            };
            assert_eq!(state.next_backup(&config, at(0)), at(expect), "{state:?}");
            let is_failed = state.backup_failure.is_some();
            assert_eq!(state.problem(&config).is_some(), is_failed);
            assert!(state.backup_view(&BackupConfig::default(), at(0)).is_none());
        }
    }

    #[test]
    fn personal_data_is_searched_for_once_a_month() {
        let rows = [
            (None, true),
            (Some(-1), false),
            (Some(-30 * 24 + 1), false),
            (Some(-30 * 24), true),
            (Some(1), true),
        ];
        let folder = tempfile::tempdir().expect("a folder");
        for (hours, expect) in rows {
            let state = CareState {
                personal_data_searched: hours.map(|hours| views::format_time(at(hours))),
                ..CareState::default()
            };
            assert_eq!(state.is_removal_due(at(0)), expect, "{hours:?}");
            state.save(folder.path());
            assert_eq!(CareState::load(folder.path()), state);
        }
    }
}
