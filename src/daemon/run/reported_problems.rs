//! The problems that passes and watches report in addition to their steps. Each problem is logged
//! when it appears, and not again while it lasts.

use std::collections::{BTreeMap, BTreeSet};

use crate::control::protocol::problem::ProblemView;
use crate::daemon::views;
use crate::domain::decision::ReasonCode;
use crate::domain::id::EventTypeId;
use crate::domain::plan::Problem;
use crate::domain::request::Request;
use crate::reconcile::clock::CLOCK_OFF;
use crate::reconcile::watch::RESTORE_OPEN;

/// The problems that prevent every decision: `status` shows them too.
const PERSISTENT_CODES: [&str; 2] = [CLOCK_OFF, RESTORE_OPEN];

/// The problems of the last report.
#[derive(Debug, Default)]
pub(super) struct ReportedProblems(BTreeMap<(&'static str, String), Problem>);

/// Event types of pending requests that no gate names.
#[derive(Debug, Default)]
pub(super) struct UngatedEventTypes(BTreeSet<EventTypeId>);

impl UngatedEventTypes {
    /// Logs each event type once while requests for it are pending. A slug that is mistyped in a
    /// gate shows up here, and nowhere else while the daemon runs.
    pub(super) fn record<'a>(&mut self, requests: impl Iterator<Item = &'a Request>) {
        let mut pending = BTreeMap::new();
        for request in requests {
            let ungated = request
                .reasons
                .iter()
                .any(|one| one.code == ReasonCode::Ungated);
            if let Some(id) = request.event_type.filter(|_| ungated) {
                pending.entry(id).or_insert((request.slug.as_deref(), 0)).1 += 1;
            }
        }
        for (id, (slug, requests)) in &pending {
            if !self.0.contains(id) {
                tracing::info!(
                    event_type = %id,
                    slug,
                    requests,
                    "left alone: no gate names the event type"
                );
            }
        }
        self.0 = pending.into_keys().collect();
    }
}

impl ReportedProblems {
    /// Records the current problems, and logs those that were not reported before.
    pub(super) fn record(&mut self, problems: &[Problem]) {
        let mut current = BTreeMap::new();
        for problem in problems {
            let key = problem_key(problem);
            if self.0.contains_key(&key) {
                tracing::debug!(code = problem.code, "still: {}", problem.text);
            } else {
                tracing::warn!(code = problem.code, "{}", problem.text);
            }
            current.insert(key, problem.clone());
        }
        for code in PERSISTENT_CODES {
            let is_reported =
                |of: &BTreeMap<(&str, String), Problem>| of.keys().any(|key| key.0 == code);
            if is_reported(&self.0) && !is_reported(&current) {
                tracing::info!(code, "over: everything is decided again");
            }
        }
        self.0 = current;
    }

    /// Returns the problems of the last report.
    pub(super) fn all(&self) -> impl Iterator<Item = ProblemView> {
        self.0.values().map(views::problem)
    }

    /// Returns the problems that `status` shows.
    pub(super) fn persistent(&self) -> impl Iterator<Item = ProblemView> {
        let problems = self.0.values();
        let persistent = problems.filter(|problem| PERSISTENT_CODES.contains(&problem.code));
        persistent.map(views::problem)
    }
}

/// Returns the key by which a problem is recognized. For persistent problems the text is left out,
/// because the difference of the clocks changes by itself and is no news.
fn problem_key(problem: &Problem) -> (&'static str, String) {
    if PERSISTENT_CODES.contains(&problem.code) {
        (problem.code, String::new())
    } else {
        (problem.code, problem.text.clone())
    }
}
