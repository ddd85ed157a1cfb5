//! The daemon's status: what it did last, what comes next, and what needs an operator's attention.

use tokio::sync::oneshot;

use super::Loop;
use crate::control::protocol::status::{AttentionCounts, FailingView, StatusView, WatchStatus};
use crate::control::protocol::unresolved::UnresolvedSummary;
use crate::control::protocol::{CommandResult, ProblemView, SCHEMA, SocketResponse};
use crate::daemon::commands::{parse, review};
use crate::daemon::metrics::registry::METRICS_FILE;
use crate::daemon::views;
use crate::domain::gate::PassLimits;
use crate::domain::intent;
use crate::domain::request::Request;
use crate::domain::time::Time;
use crate::reconcile::report::UnresolvedReport;
use crate::store::port::{Store, StoreError};

/// The limit up to which `status` counts each kind; a higher number is shown as this limit.
const MAX_COUNTED: usize = 1_000;

/// Most failing decisions that are listed.
const MAX_FAILING: usize = 10;

impl Loop {
    pub(super) fn status(&self, answer: oneshot::Sender<SocketResponse>) {
        let store = self.daemon.store.clone();
        let now = (self.daemon.clock)();
        let limits = self.policy.limits.clone();
        let status = StatusView {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: views::format_time(self.started),
            paused: self.paused,
            last_pass: self.last_pass.clone(),
            last_error: self.last_error.clone(),
            problems: self.status_problems(),
            passes: self.passes,
            next_pass: (!self.paused).then(|| views::format_time(self.timetable.next_pass_at())),
            watch: self.watch_status(now),
            open_intents: 0,
            counts: AttentionCounts::default(),
            unresolved: UnresolvedSummary::default(),
            failing: Vec::new(),
            log_sequence: 0,
            policy: self.policy.hash.clone(),
            available_calls: Some(self.daemon.calendar.available_calls()),
            notify: self.daemon.outbox.target_views(),
            dead_man: self.daemon.outbox.dead_man_view(),
        };
        tokio::spawn(async move {
            let result = store
                .with(move |store| add_store_counts(store, &limits, now, status))
                .await;
            let response = match result {
                Ok(status) => SocketResponse::Ok(Box::new(CommandResult::Status(status))),
                Err(error) => SocketResponse::Err(parse::store_failed(&error)),
            };
            let _ = answer.send(response);
        });
    }

    /// Returns the persistent problems, why the metrics cannot be written, and why the web page is
    /// not served.
    fn status_problems(&self) -> Vec<ProblemView> {
        let of_metrics = self.daemon.metrics.problem().map(|text| ProblemView {
            code: METRICS_FILE.to_owned(),
            text,
        });
        let mut problems = self.persistent_problems();
        problems.extend(of_metrics);
        problems.extend(self.daemon.page.as_ref().and_then(|page| page.problem()));
        problems
    }

    /// Returns the persistent problems; a problem that pass and watch both report is returned once.
    pub(super) fn persistent_problems(&self) -> Vec<ProblemView> {
        let both = self
            .pass_problems
            .persistent()
            .chain(self.watch_problems.persistent());
        let mut problems: Vec<ProblemView> = both.collect();
        problems.sort_by(|a, b| a.code.cmp(&b.code));
        problems.dedup_by(|a, b| a.code == b.code);
        problems
    }

    fn watch_status(&self, now: Time) -> WatchStatus {
        let next = self.timetable.next_watch(now);
        let last = self.timetable.watch_state();
        let unless_paused = |at: Time| (!self.paused).then(|| views::format_time(at));
        WatchStatus {
            last_watch_at: last.last_watch.map(views::format_time),
            last_audit_at: last.last_audit.map(views::format_time),
            last_summary: self.last_watch.clone(),
            last_error: self.watch_error.clone(),
            next_watch: unless_paused(next.watch),
            next_audit: unless_paused(next.audit),
        }
    }
}

/// Adds to the status what the store knows.
fn add_store_counts(
    store: &dyn Store,
    limits: &PassLimits,
    now: Time,
    status: StatusView,
) -> Result<StatusView, StoreError> {
    let intents = store.open_intents(None, MAX_COUNTED)?;
    let notes = review::requests_in_review(store, now, MAX_COUNTED)?;
    let waits =
        |request: &Request| intent::wait_reason(request, store.sent_mark(&request.id), limits, now);
    let is_failing = |request: &&Request| request.failures > 0 || waits(request).is_some();
    let mut failing: Vec<&Request> = intents.iter().filter(is_failing).collect();
    failing.sort_by_key(|request| std::cmp::Reverse(request.failures));
    let head = store.head().seq;
    let mut notify = status.notify;
    for target in &mut notify {
        target.waiting_commits = head.saturating_sub(target.delivered_to);
    }
    Ok(StatusView {
        notify,
        open_intents: intents.len(),
        counts: AttentionCounts {
            failing_intents: failing.len(),
            requests_in_review: notes.len(),
            open_charges: store.open_charges(None, MAX_COUNTED)?.len(),
        },
        unresolved: views::unresolved_summary(&UnresolvedReport::read(store)?),
        failing: failing
            .into_iter()
            .take(MAX_FAILING)
            .map(|request| failing_view(request, waits(request)))
            .collect(),
        log_sequence: head,
        ..status
    })
}

fn failing_view(request: &Request, waits: Option<String>) -> FailingView {
    FailingView {
        request: request.id.to_string(),
        decision: request.decision.as_str().to_owned(),
        failures: request.failures,
        last_failure_at: request.last_failure.map(views::format_time),
        waiting_for: waits,
    }
}
