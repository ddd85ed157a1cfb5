//! When a watch is due, and the memory of the last one. The memory is a hint in a small file beside
//! the ledger: when it is lost or wrong, the next watch reads everything.

use std::path::{Path, PathBuf};

use crate::config::every::Every;
use crate::config::model::Schedule;
use crate::domain::time::Time;
use crate::reconcile::watch::{Look, Watched};

/// In the store's folder.
const FILE: &str = "watched";

/// The last watches that came to their end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watching {
    /// When the last watch, and the last audit, began.
    pub watched: Option<Time>,
    pub audited: Option<Time>,
}

/// When the next watch and the next audit are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    pub watch: Time,
    pub audit: Time,
}

impl Watching {
    /// What is remembered beside the ledger in that folder.
    pub fn load(folder: &Path) -> Self {
        let text = std::fs::read_to_string(file(folder)).unwrap_or_default();
        let mut lines = text.lines().map(|line| line.parse::<Time>().ok());
        Self {
            watched: lines.next().flatten(),
            audited: lines.next().flatten(),
        }
    }

    /// Remembers; that it could not is no harm but more calls.
    pub fn save(&self, folder: &Path) {
        let line = |at: Option<Time>| at.map(|at| at.to_rfc3339()).unwrap_or_default();
        let text = format!("{}\n{}\n", line(self.watched), line(self.audited));
        let new = folder.join(format!("{FILE}.new"));
        let done = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, file(folder)));
        if let Err(error) = done {
            tracing::warn!("failed to write {}: {error}", file(folder).display());
        }
    }

    /// When the next ones are due; what was never done is due now.
    pub fn next(&self, schedule: &Schedule, now: Time) -> Next {
        let after = |every: &Every, last: Option<Time>| match last {
            None => now,
            last => every.next_after(last, now),
        };
        Next {
            watch: after(&schedule.watch, self.watched),
            audit: after(&schedule.audit, self.audited),
        }
    }

    /// The watch that is due at `now`, if one is. Never watched: an audit.
    pub fn due(&self, schedule: &Schedule, now: Time) -> Option<Look> {
        let next = self.next(schedule, now);
        let audit = next.audit <= now;
        (audit || next.watch <= now).then_some(Look {
            since: self.watched,
            audit,
        })
    }

    /// The watch that is made when one is asked for.
    pub fn asked(&self, schedule: &Schedule, now: Time) -> Look {
        self.due(schedule, now).unwrap_or(Look {
            since: self.watched,
            audit: false,
        })
    }

    pub fn done(&mut self, watched: &Watched) {
        self.watched = Some(watched.started);
        if watched.audit {
            self.audited = Some(watched.started);
        }
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Span;

    #[test]
    fn due_by_schedule_and_remembered_beside_the_ledger() {
        let now: Time = "2026-12-01T03:00:00Z".parse().expect("a time");
        let schedule = Schedule::default();
        let mut watching = Watching::default();
        let look = |watching: &Watching, at| watching.due(&schedule, at).map(|look| look.audit);
        assert_eq!(look(&watching, now), Some(true), "never done");
        watching.watched = Some(now);
        watching.audited = Some(now);
        let rows = [
            (Span::minutes(4), None),
            (Span::minutes(5), Some(false)),
            (Span::hours(1), Some(true)),
        ];
        for (later, expect) in rows {
            assert_eq!(look(&watching, now + later), expect, "{later}");
        }
        assert!(!watching.asked(&schedule, now).audit);
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Watching::load(folder.path()), Watching::default());
        watching.save(folder.path());
        assert_eq!(Watching::load(folder.path()), watching);
        std::fs::write(file(folder.path()), "nonsense").expect("written");
        assert_eq!(Watching::load(folder.path()), Watching::default());
    }
}
