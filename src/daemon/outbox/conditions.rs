//! The states of the process that operators learn of. They are kept in a file, so that a state has
//! the same beginning, and its notification the same id, after a restart and in every run of a timer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::daemon::failure::Failure;
use crate::domain::notification::event::{
    Condition, Notification, NotificationContent, NotificationOrigin,
};
use crate::domain::notification::kind::NotificationKind;
use crate::domain::notification::target::NotificationTerms;
use crate::domain::time::{Span, Time};
use crate::notify::target_state::{conditions_path, load, save};

/// The states that hold.
pub struct Conditions {
    path: PathBuf,
    current: Mutex<BTreeMap<NotificationKind, Condition>>,
}

/// A state in the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredCondition {
    /// When the state began, in milliseconds since 1970.
    since: i64,
    /// What the last pass said about it.
    text: String,
}

impl Conditions {
    /// Reads the states that held when the last process ended. A file that cannot be read is logged;
    /// then a state that lasts counts as one that begins.
    pub fn load(state_dir: &Path) -> Self {
        let path = conditions_path(state_dir);
        let stored = load::<BTreeMap<String, StoredCondition>>(&path).unwrap_or_else(|error| {
            tracing::warn!("failed to read {}: {error}", path.display());
            None
        });
        let current = stored.unwrap_or_default().into_iter();
        let current = current.filter_map(|(word, stored)| {
            let kind = NotificationKind::parse(&word)?;
            let since = Time::from_timestamp_millis(stored.since)?;
            let text = stored.text;
            Some((kind, Condition { kind, since, text }))
        });
        Self {
            current: Mutex::new(current.collect()),
            path,
        }
    }

    /// Records a failed pass, or what ends the process.
    pub fn record_failure(&self, failure: &Failure, now: Time) {
        let text = failure.to_string();
        self.change(|current| {
            begin(current, NotificationKind::PassesFailing, &text, now);
            match failure {
                Failure::Credential(_) => {
                    begin(current, NotificationKind::KeyRefused, &text, now);
                }
                Failure::Store(_) => begin(current, NotificationKind::StoreTrouble, &text, now),
                Failure::Permission(_)
                | Failure::Unreachable(_)
                | Failure::Configuration(_)
                | Failure::StoreLocked(_)
                | Failure::Failed(_) => {}
            }
        });
    }

    /// Records a pass that reached its end. `clock_problem` says how far the clocks disagree.
    pub fn record_success(&self, clock_problem: Option<&str>, now: Time) {
        self.change(|current| {
            current.retain(|kind, _| *kind == NotificationKind::ClockWrong);
            match clock_problem {
                Some(text) => begin(current, NotificationKind::ClockWrong, text, now),
                None => current.clear(),
            }
        });
    }

    /// Returns the notifications about the states that have lasted long enough.
    pub fn due(&self, terms: &NotificationTerms, now: Time) -> Vec<Notification> {
        let current = self.lock();
        let due = current.values().filter_map(|condition| {
            let delay = match condition.kind {
                NotificationKind::PassesFailing => terms.failing_after,
                NotificationKind::KeyRefused
                | NotificationKind::StoreTrouble
                | NotificationKind::ClockWrong
                | NotificationKind::ReviewNeeded
                | NotificationKind::ReviewWaiting
                | NotificationKind::UnmanagedBooking
                | NotificationKind::RevivedBooking
                | NotificationKind::UnresolvedBooking
                | NotificationKind::LowBalance
                | NotificationKind::CreditsExpiring
                | NotificationKind::Decision
                | NotificationKind::Confirmed
                | NotificationKind::Declined
                | NotificationKind::Charged
                | NotificationKind::Moved
                | NotificationKind::Refunded
                | NotificationKind::Granted
                | NotificationKind::Expired
                | NotificationKind::Test => Span::zero(),
            };
            let at = condition.since.checked_add_signed(delay)?;
            (at <= now).then(|| Notification {
                origin: NotificationOrigin::State {
                    subject: String::new(),
                    since: condition.since,
                },
                at,
                content: NotificationContent::Condition(condition.clone()),
            })
        });
        due.collect()
    }

    /// Changes the states, and writes the file if one began or ended.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<NotificationKind, Condition>)) {
        let mut current = self.lock();
        let beginnings = |of: &BTreeMap<NotificationKind, Condition>| -> Vec<_> {
            of.values().map(|one| (one.kind, one.since)).collect()
        };
        let before = beginnings(&current);
        change(&mut current);
        if beginnings(&current) == before {
            return;
        }
        let stored = current.iter().map(|(kind, condition)| {
            let stored = StoredCondition {
                since: condition.since.timestamp_millis(),
                text: condition.text.clone(),
            };
            (kind.as_str().to_owned(), stored)
        });
        let stored: BTreeMap<String, StoredCondition> = stored.collect();
        if let Err(error) = save(&self.path, &stored, true) {
            tracing::warn!("failed to write {}: {error}", self.path.display());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NotificationKind, Condition>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins a state, or updates the text of one that lasts.
fn begin(
    current: &mut BTreeMap<NotificationKind, Condition>,
    kind: NotificationKind,
    text: &str,
    now: Time,
) {
    let condition = current.entry(kind).or_insert_with(|| Condition {
        kind,
        since: now,
        text: String::new(),
    });
    text.clone_into(&mut condition.text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(notifications: &[Notification]) -> Vec<&'static str> {
        let kinds = notifications.iter().map(Notification::kind);
        kinds.map(NotificationKind::as_str).collect()
    }

    #[test]
    fn states_are_told_of_when_they_last_and_keep_their_beginning() {
        let folder = tempfile::tempdir().expect("a folder");
        let terms = NotificationTerms {
            review_waiting: Span::hours(1),
            failing_after: Span::minutes(15),
            low_balance: 1,
            credits_expiring: Span::days(7),
        };
        let start: Time = "2026-12-01T09:00:00Z".parse().expect("a time");
        let later = start + Span::minutes(15);
        let unreachable = Failure::Unreachable("no connection".to_owned());
        let refused = Failure::Credential("401".to_owned());
        let damaged = Failure::Store("disk".to_owned());

        let conditions = Conditions::load(folder.path());
        conditions.record_failure(&unreachable, start);
        assert_eq!(words(&conditions.due(&terms, start)), [""; 0]);
        conditions.record_failure(&unreachable, later);
        let due = conditions.due(&terms, later);
        assert_eq!(words(&due), ["passes-failing"]);
        // Another process knows since when.
        let again = Conditions::load(folder.path());
        assert_eq!(again.due(&terms, later)[0].origin, due[0].origin);
        again.record_failure(&refused, later);
        assert_eq!(
            words(&again.due(&terms, later)),
            ["passes-failing", "key-refused"]
        );
        again.record_success(Some("300 s behind"), later);
        assert_eq!(words(&again.due(&terms, later)), ["clock-wrong"]);
        again.record_success(None, later);
        assert_eq!(words(&again.due(&terms, later)), [""; 0]);
        again.record_failure(&damaged, later);
        assert_eq!(words(&again.due(&terms, later)), ["store-trouble"]);
        assert_eq!(
            words(&Conditions::load(folder.path()).due(&terms, later)),
            ["store-trouble"]
        );
    }
}
