//! The series of the metrics: their names, labels and meanings. They are an interface, because
//! dashboards and alerts of operators use them (`docs/monitoring.md`).

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::commit_counts::CREDIT_KINDS;
use super::run_outcome::RUN_OUTCOMES;
use crate::domain::decision::DecisionOutcome;

/// The bounds of the durations of passes and watches, in seconds. A watch that reads every open
/// charge takes minutes.
const RUN_BUCKETS: [f64; 11] = [
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];

/// The bounds of the durations of calls, in seconds. A confirm makes the server send mails and
/// write calendars.
const CALL_BUCKETS: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

/// How decisions to confirm or decline can end.
const DECISION_OUTCOMES: [DecisionOutcome; 4] = [
    DecisionOutcome::Confirmed,
    DecisionOutcome::Declined,
    DecisionOutcome::Superseded,
    DecisionOutcome::Refused,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OutcomeLabel {
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct EndpointLabel {
    pub(super) endpoint: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CallLabels {
    pub(super) endpoint: &'static str,
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct DecisionLabels {
    pub(super) decision: &'static str,
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabel {
    pub(super) kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct WaitingLabel {
    pub(super) decision: &'static str,
}

/// No label. A family with it has no series until a value is known.
pub(super) type NoLabel = [(&'static str, &'static str); 0];

/// A gauge that has no series until a value is known.
pub(super) type OptionalGauge = Family<NoLabel, Gauge>;

#[derive(Default)]
pub(super) struct Counters {
    pub(super) passes: Family<OutcomeLabel, Counter>,
    pub(super) watches: Family<OutcomeLabel, Counter>,
    pub(super) calls: Family<CallLabels, Counter>,
    pub(super) decisions: Family<DecisionLabels, Counter>,
    pub(super) outcomes: Family<OutcomeLabel, Counter>,
    pub(super) credits: Family<KindLabel, Counter>,
    pub(super) durations: Durations,
}

pub(super) struct Durations {
    pub(super) pass: Histogram,
    pub(super) watch: Histogram,
    pub(super) call: Family<EndpointLabel, Histogram>,
}

#[derive(Default)]
pub(super) struct Gauges {
    pub(super) intents_open: Gauge,
    pub(super) intents_failing: Gauge,
    pub(super) oldest_intent: Gauge,
    pub(super) unresolved: Gauge,
    pub(super) needs_attention: Gauge,
    pub(super) waiting: Family<WaitingLabel, Gauge>,
    pub(super) oldest_waiting: Gauge,
    pub(super) oldest_review: Gauge,
    pub(super) paused: Gauge,
    pub(super) last_success: Gauge,
    pub(super) last_watch_success: Gauge,
    pub(super) rate_limit: OptionalGauge,
    pub(super) rate_limit_remaining: OptionalGauge,
    pub(super) started: Gauge,
}

impl Default for Durations {
    fn default() -> Self {
        Self {
            pass: Histogram::new(RUN_BUCKETS),
            watch: Histogram::new(RUN_BUCKETS),
            call: Family::new_with_constructor(|| Histogram::new(CALL_BUCKETS)),
        }
    }
}

impl Counters {
    /// Registers the counters. Series whose labels are known begin at zero, so that the first
    /// increase is seen.
    pub(super) fn register(&self, registry: &mut Registry) {
        for outcome in RUN_OUTCOMES {
            let label = OutcomeLabel { outcome };
            drop(self.passes.get_or_create(&label));
            drop(self.watches.get_or_create(&label));
        }
        for outcome in DECISION_OUTCOMES {
            let outcome = outcome.as_str();
            drop(self.outcomes.get_or_create(&OutcomeLabel { outcome }));
        }
        for kind in CREDIT_KINDS {
            drop(self.credits.get_or_create(&KindLabel { kind }));
        }
        registry.register(
            "passes",
            "Passes that ended, by how they ended",
            self.passes.clone(),
        );
        registry.register(
            "watches",
            "Watches that ended, by how they ended",
            self.watches.clone(),
        );
        registry.register(
            "calls",
            "Calls to Cal.com, by endpoint and by how they ended",
            self.calls.clone(),
        );
        registry.register(
            "decisions",
            "Decisions that were recorded, by decision and first reason",
            self.decisions.clone(),
        );
        registry.register(
            "outcomes",
            "Decisions to confirm or decline that ended, by how they ended",
            self.outcomes.clone(),
        );
        registry.register(
            "credits",
            "Credits in the entries of the ledger, by kind of entry",
            self.credits.clone(),
        );
        registry.register(
            "pass_duration_seconds",
            "How long passes took",
            self.durations.pass.clone(),
        );
        registry.register(
            "watch_duration_seconds",
            "How long watches took",
            self.durations.watch.clone(),
        );
        registry.register(
            "call_duration_seconds",
            "How long calls to Cal.com took, by endpoint",
            self.durations.call.clone(),
        );
    }
}

impl Gauges {
    /// Returns the gauges that always have one value: name, help, gauge.
    fn rows(&self) -> [(&'static str, &'static str, &Gauge); 11] {
        [
            (
                "intents_open",
                "Decisions that are recorded and not carried out yet, up to 1000",
                &self.intents_open,
            ),
            (
                "intents_failing",
                "Open decisions with a failed call, up to 1000",
                &self.intents_failing,
            ),
            (
                "oldest_intent_seconds",
                "Age of the oldest decision that is not carried out, 0 if there is none",
                &self.oldest_intent,
            ),
            (
                "unresolved_bookings",
                "Items of the unresolved list, up to 1000",
                &self.unresolved,
            ),
            (
                "needs_attention",
                "What needs a person: requests in review, unresolved bookings, decisions that keep \
                 failing, and problems that prevent every decision",
                &self.needs_attention,
            ),
            (
                "oldest_waiting_seconds",
                "Time since the oldest request that waits or is in review was made, 0 if there is \
                 none",
                &self.oldest_waiting,
            ),
            (
                "oldest_review_seconds",
                "Time since the oldest request in review was made, 0 if there is none",
                &self.oldest_review,
            ),
            (
                "paused",
                "1 while an operator has paused the daemon, otherwise 0",
                &self.paused,
            ),
            (
                "last_success_timestamp_seconds",
                "When the last pass that did all of its work ended, 0 before the first",
                &self.last_success,
            ),
            (
                "last_watch_success_timestamp_seconds",
                "When the last watch that did all of its work ended, 0 before the first",
                &self.last_watch_success,
            ),
            (
                "start_timestamp_seconds",
                "When the process started",
                &self.started,
            ),
        ]
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        for (name, help, gauge) in self.rows() {
            registry.register(name, help, gauge.clone());
        }
        registry.register(
            "requests_waiting",
            "Requests that wait, or that are in review, up to 1000",
            self.waiting.clone(),
        );
        registry.register(
            "rate_limit",
            "Calls that a window of Cal.com's tightest rate limit allows to all users of the key",
            self.rate_limit.clone(),
        );
        registry.register(
            "rate_limit_remaining",
            "Calls that were left in that window after the last call",
            self.rate_limit_remaining.clone(),
        );
    }
}
