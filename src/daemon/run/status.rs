//! How the daemon is: what it did last, what comes next, and what wants somebody to look.

use tokio::sync::oneshot;

use super::Loop;
use crate::control::protocol::status::{Counts, FailingView, StatusView, WatchStatus};
use crate::control::protocol::unresolved::UnresolvedSummary;
use crate::control::protocol::{Answer, ProblemView, Response, SCHEMA};
use crate::daemon::answer::{parse, review};
use crate::daemon::views;
use crate::domain::gate::Limits;
use crate::domain::intent;
use crate::domain::request::Request;
use crate::domain::time::Time;
use crate::reconcile::report::Listed;
use crate::store::port::{Store, StoreError};

/// What is counted for `status` of each kind; more are shown as this many.
const MAX_COUNTED: usize = 1_000;

/// Decisions named whose calls fail.
const MAX_FAILING: usize = 10;

impl Loop {
    pub(super) fn status(&self, answer: oneshot::Sender<Response>) {
        let store = self.daemon.store.clone();
        let now = (self.daemon.clock)();
        let limits = self.policy.limits.clone();
        let status = StatusView {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: views::time(self.started),
            paused: self.paused,
            last_pass: self.last_pass.clone(),
            last_error: self.last_error.clone(),
            problems: self.standing_problems(),
            passes: self.passes,
            next_pass: (!self.paused).then(|| views::time(self.due)),
            watch: self.watch_status(now),
            open_intents: 0,
            counts: Counts::default(),
            unresolved: UnresolvedSummary::default(),
            failing: Vec::new(),
            log_sequence: 0,
            policy: self.policy.hash.clone(),
        };
        tokio::spawn(async move {
            let counted = store
                .with(move |store| counted(store, &limits, now, status))
                .await;
            let response = match counted {
                Ok(status) => Response::Ok(Box::new(Answer::Status(status))),
                Err(error) => Response::Err(parse::store_failed(&error)),
            };
            let _ = answer.send(response);
        });
    }

    /// What stands, told once though both pass and watch tell it.
    fn standing_problems(&self) -> Vec<ProblemView> {
        let both = self
            .told_by_pass
            .standing()
            .chain(self.told_by_watch.standing());
        let mut problems: Vec<ProblemView> = both.collect();
        problems.sort_by(|a, b| a.code.cmp(&b.code));
        problems.dedup_by(|a, b| a.code == b.code);
        problems
    }

    fn watch_status(&self, now: Time) -> WatchStatus {
        let next = self.watching.next(&self.daemon.config.schedule, now);
        let rests = |at: Time| self.watch_rests.map_or(at, |until| at.max(until));
        let shown = |at: Time| (!self.paused).then(|| views::time(rests(at)));
        WatchStatus {
            watched: self.watching.watched.map(views::time),
            audited: self.watching.audited.map(views::time),
            last: self.last_watch.clone(),
            error: self.watch_error.clone(),
            next: shown(next.watch),
            next_audit: shown(next.audit),
        }
    }
}

/// The status with what the store knows.
fn counted(
    store: &dyn Store,
    limits: &Limits,
    now: Time,
    status: StatusView,
) -> Result<StatusView, StoreError> {
    let intents = store.open_intents(MAX_COUNTED)?;
    let notes = review::waiting_for_word(store, now, MAX_COUNTED)?;
    let waits = |request: &Request| intent::waits(request, store.marked(&request.id), limits, now);
    let is_failing = |request: &&Request| request.failures > 0 || waits(request).is_some();
    let mut failing: Vec<&Request> = intents.iter().filter(is_failing).collect();
    failing.sort_by_key(|request| std::cmp::Reverse(request.failures));
    Ok(StatusView {
        open_intents: intents.len(),
        counts: Counts {
            failing: failing.len(),
            reviews: notes.len(),
            open_charges: store.open_charges(None, MAX_COUNTED)?.len(),
        },
        unresolved: views::listed(&Listed::read(store)?),
        failing: failing
            .into_iter()
            .take(MAX_FAILING)
            .map(|request| failed(request, waits(request)))
            .collect(),
        log_sequence: store.head().seq,
        ..status
    })
}

fn failed(request: &Request, waits: Option<String>) -> FailingView {
    FailingView {
        request: request.id.to_string(),
        decision: request.decision.as_str().to_owned(),
        failures: request.failures,
        last: request.last_failure.map(views::time),
        waits,
    }
}
