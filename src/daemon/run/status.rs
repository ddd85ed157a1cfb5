//! The daemon's status: what it did last, what comes next, and what needs an operator's attention.

use tokio::sync::oneshot;

use super::Loop;
use crate::control::protocol::problem::ProblemView;
use crate::control::protocol::status::{AttentionCounts, StatusView, WatchStatus};
use crate::control::protocol::unresolved::UnresolvedSummary;
use crate::control::protocol::{CommandResult, SCHEMA, SocketResponse};
use crate::daemon::commands::{parse, status};
use crate::daemon::metrics::registry::METRICS_FILE;
use crate::daemon::{health, service_manager, views};
use crate::domain::time::Time;
use crate::store::port::StoreError;

impl Loop {
    /// Answers with the status, concurrently with the loop.
    pub(super) fn status(&self, answer: oneshot::Sender<SocketResponse>) {
        let view = self.read_status();
        tokio::spawn(async move {
            let response = match view.await {
                Ok(status) => SocketResponse::Ok(Box::new(CommandResult::Status(Box::new(status)))),
                Err(error) => SocketResponse::Err(parse::store_failed(&error)),
            };
            let _ = answer.send(response);
        });
    }

    /// Shows the status in one line to the service manager, concurrently with the loop.
    pub(super) fn show_status(&self) {
        if !service_manager::is_present() || self.shutting_down {
            return;
        }
        let view = self.read_status();
        tokio::spawn(async move {
            match view.await {
                Ok(status) => service_manager::status(&health::describe_state(&status)),
                Err(error) => tracing::debug!(%error, "the state is not shown"),
            }
        });
    }

    /// Returns the status, once the store has been read.
    fn read_status(&self) -> impl Future<Output = Result<StatusView, StoreError>> + Send + use<> {
        let store = self.daemon.store.clone();
        let now = (self.daemon.clock)();
        let limits = self.policy.limits.clone();
        let is_paused = self.pauses.of_all(now).is_some();
        let status = StatusView {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: Some(std::process::id()),
            started: Some(views::format_time(self.started)),
            paused: is_paused,
            pauses: status::pause_views(&self.pauses, now),
            last_pass: self.last_pass.clone(),
            last_error: self.last_error.as_ref().map(|error| error.text.clone()),
            last_error_exit: self.last_error.as_ref().map(|error| error.exit),
            problems: self.status_problems(),
            passes: self.passes,
            next_pass: (!is_paused).then(|| views::format_time(self.timetable.next_pass_at())),
            watch: self.watch_status(now, is_paused),
            waiting: Vec::new(),
            open_intents: 0,
            counts: AttentionCounts::default(),
            unresolved: UnresolvedSummary::default(),
            failing: Vec::new(),
            log_sequence: 0,
            policy: self.policy.hash.clone(),
            available_calls: Some(self.daemon.calendar.available_calls()),
            notify: self.daemon.outbox.target_views(),
            backup: self.care.backup_view(&self.daemon.config.backup, now),
            dead_man: self.daemon.outbox.dead_man_view(),
        };
        async move {
            let add = move |store: &mut dyn crate::store::port::Store| {
                status::add_store_counts(store, &limits, now, status)
            };
            store.with(add).await
        }
    }

    /// Returns the persistent problems, why the metrics cannot be written, why the web page is
    /// not served, and why files of the import folder wait.
    fn status_problems(&self) -> Vec<ProblemView> {
        let of_metrics = self.daemon.metrics.problem().map(|text| ProblemView {
            code: METRICS_FILE.to_owned(),
            text,
        });
        let mut problems = self.persistent_problems();
        problems.extend(of_metrics);
        problems.extend(self.care.problem(&self.daemon.config.backup));
        problems.extend(self.sync_problems.all());
        problems.extend(self.daemon.page.as_ref().and_then(|page| page.problem()));
        let imports = self.daemon.import_service.as_ref();
        problems.extend(imports.and_then(|imports| imports.problem()));
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

    fn watch_status(&self, now: Time, is_paused: bool) -> WatchStatus {
        let next = self.timetable.next_watch(now);
        let last = self.timetable.watch_state();
        let unless_paused = |at: Time| (!is_paused).then(|| views::format_time(at));
        WatchStatus {
            last_watch_at: last.last_watch.map(views::format_time),
            last_audit_at: last.last_audit.map(views::format_time),
            last_summary: self.last_watch.clone(),
            last_error: self.watch_error.as_ref().map(|error| error.text.clone()),
            last_error_exit: self.watch_error.as_ref().map(|error| error.exit),
            next_watch: unless_paused(next.watch),
            next_audit: unless_paused(next.audit),
        }
    }
}
