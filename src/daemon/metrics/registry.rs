//! The metrics of one process, and how they are filled.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::sync::Notify;

use super::commit_counts::CommitCounts;
use super::run_outcome::{SUCCESS, run_outcome};
use super::series::{
    CallLabels, Counters, DecisionLabels, EndpointLabel, Gauges, KindLabel, OptionalGauge,
    OutcomeLabel, WaitingLabel,
};
use super::store_gauges::StoreGauges;
use crate::calcom::call_observer::{CallObserver, ObservedCall};
use crate::domain::time::{Span, Time};
use crate::reconcile::context::PassError;
use crate::reconcile::report::PassReport;
use crate::reconcile::watch::{ReportOnlyReason, WatchReport};

/// The code of the problem that the metrics cannot be written, in logs and in `status`.
pub const METRICS_FILE: &str = "metrics-file";

/// The metrics of one process, and what the process says about them.
pub struct Metrics {
    registry: Registry,
    counters: Counters,
    gauges: Gauges,
    /// The last state of the loop.
    loop_state: Mutex<LoopState>,
    /// The file that the metrics are written to; `None` if there is none.
    file: Mutex<Option<PathBuf>>,
    /// Why the metrics could not be written; `None` after they were.
    problem: Mutex<Option<String>>,
    export_requested: Notify,
}

/// What the loop says about itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoopState {
    /// Whether an operator paused the daemon.
    pub paused: bool,
    /// How many problems prevent every decision.
    pub problems: usize,
}

impl Metrics {
    /// Returns the metrics of a process that starts now. `file` is where they are written to.
    pub fn new(file: Option<PathBuf>, now: Time) -> Arc<Self> {
        let (counters, gauges) = (Counters::default(), Gauges::default());
        let mut registry = Registry::with_prefix("maitred");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version of the program", build);
        counters.register(&mut registry);
        gauges.register(&mut registry);
        gauges.started.set(now.timestamp());
        Arc::new(Self {
            registry,
            counters,
            gauges,
            loop_state: Mutex::default(),
            file: Mutex::new(file),
            problem: Mutex::default(),
            export_requested: Notify::new(),
        })
    }

    /// Returns the observer that counts the client's calls.
    pub fn call_observer(self: &Arc<Self>) -> CallObserver {
        let metrics = Arc::clone(self);
        Arc::new(move |call| metrics.record_call(call))
    }

    /// Records how a pass ended. `stopping`: the process ends, so that the pass may have done only a
    /// part of its work. A dry run does not count.
    pub fn record_pass(&self, report: &PassReport, error: Option<&PassError>, stopping: bool) {
        if report.dry_run {
            return;
        }
        let outcome = run_outcome(error, stopping);
        let passes = &self.counters.passes;
        passes.get_or_create(&OutcomeLabel { outcome }).inc();
        let duration = to_seconds(report.finished - report.started);
        self.counters.durations.pass.observe(duration);
        if outcome == SUCCESS {
            self.gauges.last_success.set(report.finished.timestamp());
        }
    }

    /// Records how a watch ended, as [`Metrics::record_pass`] does for a pass.
    pub fn record_watch(&self, report: &WatchReport, error: Option<&PassError>, stopping: bool) {
        if report.report_only == Some(ReportOnlyReason::DryRun) {
            return;
        }
        let outcome = run_outcome(error, stopping);
        let watches = &self.counters.watches;
        watches.get_or_create(&OutcomeLabel { outcome }).inc();
        let duration = to_seconds(report.finished - report.started);
        self.counters.durations.watch.observe(duration);
        if outcome == SUCCESS {
            let finished = report.finished.timestamp();
            self.gauges.last_watch_success.set(finished);
        }
    }

    fn record_call(&self, call: &ObservedCall) {
        let endpoint = call.endpoint.as_str();
        let outcome = call.outcome.as_str();
        let labels = CallLabels { endpoint, outcome };
        self.counters.calls.get_or_create(&labels).inc();
        if let Some(duration) = call.duration {
            let durations = &self.counters.durations.call;
            let duration = duration.as_secs_f64();
            durations
                .get_or_create(&EndpointLabel { endpoint })
                .observe(duration);
        }
        if let Some(reading) = call.rate_limit {
            let set = |gauge: &OptionalGauge, calls: u32| {
                gauge.get_or_create(&[]).set(i64::from(calls));
            };
            set(&self.gauges.rate_limit, reading.limit);
            set(&self.gauges.rate_limit_remaining, reading.remaining);
        }
    }

    /// Records the state of the loop. A change is exported at once: after a pause no pass follows.
    pub fn record_loop_state(&self, state: LoopState) {
        let before = std::mem::replace(&mut *lock(&self.loop_state), state);
        if before != state {
            self.request_export();
        }
    }

    /// Adds commits that were counted.
    pub(super) fn add_commits(&self, counts: &CommitCounts) {
        for ((decision, reason), count) in &counts.decisions {
            let labels = DecisionLabels { decision, reason };
            self.counters
                .decisions
                .get_or_create(&labels)
                .inc_by(*count);
        }
        for (outcome, count) in &counts.outcomes {
            let labels = OutcomeLabel { outcome };
            self.counters.outcomes.get_or_create(&labels).inc_by(*count);
        }
        for (kind, credits) in &counts.credits {
            let labels = KindLabel { kind };
            self.counters
                .credits
                .get_or_create(&labels)
                .inc_by(*credits);
        }
    }

    /// Shows what is open in the store at `now`.
    pub(super) fn set_store_gauges(&self, store: &StoreGauges, now: Time) {
        let loop_state = *lock(&self.loop_state);
        let gauges = &self.gauges;
        let set = |gauge: &Gauge, count: usize| {
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        // Zero if there is none, or if the clock was set back.
        let set_age = |gauge: &Gauge, since: Option<Time>| {
            let age = since.map_or(0, |since| (now - since).num_seconds());
            gauge.set(age.max(0));
        };
        set(&gauges.intents_open, store.open_intents);
        set(&gauges.intents_failing, store.failing_intents);
        set_age(&gauges.oldest_intent, store.oldest_intent);
        set(&gauges.unresolved, store.unresolved);
        let attention =
            store.stuck_intents + store.in_review + store.unresolved + loop_state.problems;
        set(&gauges.needs_attention, attention);
        for (decision, count) in [("wait", store.waiting), ("review", store.in_review)] {
            let waiting = gauges.waiting.get_or_create(&WaitingLabel { decision });
            set(&waiting, count);
        }
        set_age(&gauges.oldest_waiting, store.oldest_request);
        set_age(&gauges.oldest_review, store.oldest_review);
        gauges.paused.set(i64::from(loop_state.paused));
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the file that the metrics are written to; `None` if there is none.
    pub fn file(&self) -> Option<PathBuf> {
        lock(&self.file).clone()
    }

    /// Writes the metrics to another file from now on, or to none.
    pub fn set_file(&self, file: Option<PathBuf>) {
        *lock(&self.file) = file;
    }

    /// Returns why the metrics could not be written; `None` if they were.
    pub fn problem(&self) -> Option<String> {
        lock(&self.problem).clone()
    }

    /// Records whether the metrics could be written. A problem is logged when it begins, and when it
    /// is over.
    pub(super) fn record_export(&self, problem: Option<String>) {
        let mut last = lock(&self.problem);
        match (&*last, &problem) {
            (None, Some(text)) => tracing::warn!(code = METRICS_FILE, "{text}"),
            (Some(before), Some(text)) if before != text => {
                tracing::warn!(code = METRICS_FILE, "{text}");
            }
            (Some(_), None) => tracing::info!(code = METRICS_FILE, "the metrics are written again"),
            (None, None) | (Some(_), Some(_)) => {}
        }
        *last = problem;
    }

    /// Asks the exporter to write the metrics, after a pass or a watch.
    pub fn request_export(&self) {
        self.export_requested.notify_one();
    }

    /// Waits until an export was requested since the last call.
    pub(super) async fn next_request(&self) {
        self.export_requested.notified().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the span in seconds; zero if the clock was set back meanwhile.
fn to_seconds(span: Span) -> f64 {
    span.to_std().unwrap_or_default().as_secs_f64()
}
