//! What passes and watches tell of, beside their steps: each is logged when it begins to be so, and not
//! again for as long as it stays so.

use std::collections::{BTreeMap, BTreeSet};

use crate::control::protocol::ProblemView;
use crate::daemon::views;
use crate::domain::decision::ReasonCode;
use crate::domain::id::EventTypeId;
use crate::domain::plan::Problem;
use crate::domain::request::Request;
use crate::reconcile::clock::CLOCK_OFF;
use crate::reconcile::watch::RESTORE_OPEN;

/// What keeps everything from being decided: shown by `status` too.
const PERSISTENT_CODES: [&str; 2] = [CLOCK_OFF, RESTORE_OPEN];

/// The problems that were told of last.
#[derive(Debug, Default)]
pub struct ReportedProblems(BTreeMap<(&'static str, String), Problem>);

/// Event types of pending requests that no gate names.
#[derive(Debug, Default)]
pub struct UngatedEventTypes(BTreeSet<EventTypeId>);

impl UngatedEventTypes {
    /// Logs each event type once for as long as requests for it are pending: a slug that is mistyped in a
    /// gate shows itself here, and nowhere else while the daemon runs.
    pub fn record<'a>(&mut self, requests: impl Iterator<Item = &'a Request>) {
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
    /// Takes in what is told now, and logs what was not told before.
    pub fn record(&mut self, problems: &[Problem]) {
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

    /// What `status` shows.
    pub fn persistent(&self) -> impl Iterator<Item = ProblemView> {
        let problems = self.0.values();
        let persistent = problems.filter(|problem| PERSISTENT_CODES.contains(&problem.code));
        persistent.map(views::problem)
    }
}

/// How much clocks differ changes by itself, and is no news.
fn problem_key(problem: &Problem) -> (&'static str, String) {
    if PERSISTENT_CODES.contains(&problem.code) {
        (problem.code, String::new())
    } else {
        (problem.code, problem.text.clone())
    }
}
