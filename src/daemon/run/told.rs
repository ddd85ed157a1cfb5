//! What passes and watches tell of, beside their steps: each is logged when it begins to be so, and not
//! again for as long as it stays so.

use std::collections::{BTreeMap, BTreeSet};

use crate::control::protocol::ProblemView;
use crate::daemon::views;
use crate::domain::decision::Code;
use crate::domain::id::EventTypeId;
use crate::domain::plan::Problem;
use crate::domain::request::Request;
use crate::reconcile::clock::CLOCK_OFF;
use crate::reconcile::watch::RESTORE_OPEN;

/// What keeps everything from being decided: shown by `status` too.
const STANDING: [&str; 2] = [CLOCK_OFF, RESTORE_OPEN];

/// The problems that were told of last.
#[derive(Debug, Default)]
pub struct Told(BTreeMap<(&'static str, String), Problem>);

/// Event types of pending requests that no gate names.
#[derive(Debug, Default)]
pub struct Ungated(BTreeSet<EventTypeId>);

impl Ungated {
    /// Logs each event type once for as long as requests for it are pending: a slug that is mistyped in a
    /// gate shows itself here, and nowhere else while the daemon runs.
    pub fn hear<'a>(&mut self, requests: impl Iterator<Item = &'a Request>) {
        let mut now = BTreeMap::new();
        for request in requests {
            let ungated = request.reasons.iter().any(|one| one.code == Code::Ungated);
            if let Some(id) = request.event_type.filter(|_| ungated) {
                now.entry(id).or_insert((request.slug.as_deref(), 0)).1 += 1;
            }
        }
        for (id, (slug, requests)) in &now {
            if !self.0.contains(id) {
                tracing::info!(
                    event_type = %id,
                    slug,
                    requests,
                    "left alone: no gate names the event type"
                );
            }
        }
        self.0 = now.into_keys().collect();
    }
}

impl Told {
    /// Takes in what is told now, and logs what was not told before.
    pub fn hear(&mut self, problems: &[Problem]) {
        let mut now = BTreeMap::new();
        for problem in problems {
            let key = key(problem);
            if self.0.contains_key(&key) {
                tracing::debug!(code = problem.code, "still: {}", problem.text);
            } else {
                tracing::warn!(code = problem.code, "{}", problem.text);
            }
            now.insert(key, problem.clone());
        }
        for code in STANDING {
            let stood = |of: &BTreeMap<(&str, String), Problem>| of.keys().any(|key| key.0 == code);
            if stood(&self.0) && !stood(&now) {
                tracing::info!(code, "over: everything is decided again");
            }
        }
        self.0 = now;
    }

    /// What `status` shows.
    pub fn standing(&self) -> impl Iterator<Item = ProblemView> {
        let standing = self.0.values();
        let standing = standing.filter(|problem| STANDING.contains(&problem.code));
        standing.map(views::problem)
    }
}

/// How much clocks differ changes by itself, and is no news.
fn key(problem: &Problem) -> (&'static str, String) {
    if STANDING.contains(&problem.code) {
        (problem.code, String::new())
    } else {
        (problem.code, problem.text.clone())
    }
}
