//! When a watch is due, and the times of the last one. They are a hint in a small file in the
//! store's folder: when the file is lost or wrong, the next watch reads everything.

use std::path::{Path, PathBuf};

use crate::config::model::Schedule;
use crate::config::recurrence::Recurrence;
use crate::domain::time::Time;
use crate::reconcile::watch::{WatchReport, WatchScope};

/// The file's name in the store's folder.
const FILE_NAME: &str = "watched";

/// When the last completed watches began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchState {
    /// When the last watch began; `None` before the first.
    pub last_watch: Option<Time>,
    /// When the last audit began; `None` before the first.
    pub last_audit: Option<Time>,
}

/// When the next watch and the next audit are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextWatch {
    /// When the next watch is due.
    pub watch: Time,
    /// When the next audit is due.
    pub audit: Time,
}

impl WatchState {
    /// Reads the state from the store's folder.
    pub fn load(folder: &Path) -> Self {
        let text = std::fs::read_to_string(state_path(folder)).unwrap_or_default();
        let mut lines = text.lines().map(|line| line.parse::<Time>().ok());
        Self {
            last_watch: lines.next().flatten(),
            last_audit: lines.next().flatten(),
        }
    }

    /// Writes the state. A failure is only logged, because the only consequence is more calls.
    pub fn save(&self, folder: &Path) {
        let line = |at: Option<Time>| at.map(|at| at.to_rfc3339()).unwrap_or_default();
        let text = format!("{}\n{}\n", line(self.last_watch), line(self.last_audit));
        let new = folder.join(format!("{FILE_NAME}.new"));
        let done =
            std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, state_path(folder)));
        if let Err(error) = done {
            tracing::warn!("failed to write {}: {error}", state_path(folder).display());
        }
    }

    /// Returns when the next watch and audit are due; what has never run is due now.
    pub fn next_watch(&self, schedule: &Schedule, now: Time) -> NextWatch {
        let after = |every: &Recurrence, last: Option<Time>| match last {
            None => now,
            last => every.next_after(last, now),
        };
        NextWatch {
            watch: after(&schedule.watch, self.last_watch),
            audit: after(&schedule.audit, self.last_audit),
        }
    }

    /// Returns the watch that is due at `now`, if one is due. When no audit has run yet, the watch
    /// is an audit.
    pub fn due_watch(&self, schedule: &Schedule, now: Time) -> Option<WatchScope> {
        let next = self.next_watch(schedule, now);
        let audit = next.audit <= now;
        (audit || next.watch <= now).then_some(WatchScope {
            since: self.last_watch,
            audit,
        })
    }

    /// Returns the watch to run when one is requested.
    pub fn requested_watch(&self, schedule: &Schedule, now: Time) -> WatchScope {
        self.due_watch(schedule, now).unwrap_or(WatchScope {
            since: self.last_watch,
            audit: false,
        })
    }

    /// Records a completed watch, which may have been an audit.
    pub fn record_watch(&mut self, watch_report: &WatchReport) {
        self.last_watch = Some(watch_report.started);
        if watch_report.audit {
            self.last_audit = Some(watch_report.started);
        }
    }
}

fn state_path(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse::parse;
    use crate::domain::time::Span;

    #[test]
    fn due_by_schedule_and_remembered_beside_the_ledger() {
        let now: Time = "2026-12-01T03:00:00Z".parse().expect("a time");
        let schedule = parse("", "config.toml")
            .expect("the defaults")
            .config
            .schedule;
        let mut state = WatchState::default();
        let due_audit =
            |watching: &WatchState, at| watching.due_watch(&schedule, at).map(|look| look.audit);
        assert_eq!(due_audit(&state, now), Some(true), "never done");
        state.last_watch = Some(now);
        state.last_audit = Some(now);
        let rows = [
            (Span::minutes(4), None),
            (Span::minutes(5), Some(false)),
            (Span::hours(1), Some(true)),
        ];
        for (later, expect) in rows {
            assert_eq!(due_audit(&state, now + later), expect, "{later}");
        }
        assert!(!state.requested_watch(&schedule, now).audit);
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(WatchState::load(folder.path()), WatchState::default());
        state.save(folder.path());
        assert_eq!(WatchState::load(folder.path()), state);
        std::fs::write(state_path(folder.path()), "nonsense").expect("written");
        assert_eq!(WatchState::load(folder.path()), WatchState::default());
    }
}
