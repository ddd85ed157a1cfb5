//! What passes and watches tell of, beside their steps: each is logged when it begins to be so, and not
//! again for as long as it stays so.

use std::collections::BTreeMap;

use crate::control::protocol::ProblemView;
use crate::daemon::views;
use crate::domain::plan::Problem;
use crate::reconcile::clock::CLOCK_OFF;
use crate::reconcile::watch::RESTORE_OPEN;

/// What keeps everything from being decided: shown by `status` too.
const STANDING: [&str; 2] = [CLOCK_OFF, RESTORE_OPEN];

/// The problems that were told of last.
#[derive(Debug, Default)]
pub struct Told(BTreeMap<(&'static str, String), Problem>);

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
