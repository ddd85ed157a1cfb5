//! How the last `run --once` ended, in a small file in the state directory. Without a daemon this is
//! how `status` knows that a timer starts the passes, and when the last one ran. Losing the file
//! costs nothing: the next run writes it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::views;
use crate::control::protocol::pass::PassSummaryView;
use crate::domain::time::Time;

/// The file's name in the state directory.
const FILE_NAME: &str = "last-run";

/// How the last `run --once` ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// When the run ended. RFC 3339 in UTC.
    pub finished: String,
    /// The exit code of the run.
    pub exit: u8,
    /// Why the run failed; empty if it reached its end.
    pub error: String,
    /// The last pass of a run that reached its end.
    pub pass: Option<PassSummaryView>,
}

impl LastRun {
    /// Returns a run that ended now.
    pub fn ended(now: Time, exit: u8, error: &str, pass: Option<PassSummaryView>) -> Self {
        Self {
            finished: views::format_time(now),
            exit,
            error: error.to_owned(),
            pass,
        }
    }

    /// Reads the file. `None` if it is missing or cannot be understood.
    pub fn load(folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path(folder)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Writes the file. The pass of an earlier run stays if this run has none. A failure is only
    /// logged, because nothing but `status` depends on the file.
    pub fn save(mut self, folder: &Path) {
        if self.pass.is_none() {
            self.pass = Self::load(folder).and_then(|earlier| earlier.pass);
        }
        let text = serde_json::to_string(&self).expect("the fields are texts and numbers");
        let new = folder.join(format!("{FILE_NAME}.new"));
        let done = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, path(folder)));
        if let Err(error) = done {
            tracing::debug!("failed to write {}: {error}", path(folder).display());
        }
    }

    /// Removes the file: from now on a daemon starts the passes.
    pub fn forget(folder: &Path) {
        // It is missing where no timer ever started a pass.
        let _ = std::fs::remove_file(path(folder));
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_remembered_and_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let now: Time = "2026-12-01T03:00:00Z".parse().expect("an instant");
        assert_eq!(LastRun::load(folder.path()), None);
        let pass = PassSummaryView {
            started: "2026-12-01T02:59:59.000Z".to_owned(),
            finished: "2026-12-01T03:00:00.000Z".to_owned(),
            observed: 2,
            calls: 3,
            dry_run: false,
            deferred_requests: 0,
            list_incomplete: false,
        };
        let run = LastRun::ended(now, 0, "", Some(pass.clone()));
        run.clone().save(folder.path());
        assert_eq!(LastRun::load(folder.path()), Some(run));
        let failed = LastRun::ended(now, 69, "Cal.com cannot be reached", None);
        failed.save(folder.path());
        let loaded = LastRun::load(folder.path()).expect("a run");
        assert_eq!((loaded.exit, loaded.pass), (69, Some(pass)));
        std::fs::write(path(folder.path()), "nonsense").expect("written");
        assert_eq!(LastRun::load(folder.path()), None);
        LastRun::forget(folder.path());
        assert!(!path(folder.path()).exists());
        LastRun::forget(folder.path());
    }
}
