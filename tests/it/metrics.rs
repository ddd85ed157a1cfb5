//! The metrics: what passes, watches, calls and commits add to them, the file for node_exporter, and
//! the alerts and the dashboard that use them.

mod file;
mod monitoring_files;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use maitred::calcom::api_call::{ENDPOINTS, Endpoint};
use maitred::calcom::call_observer::{CALL_OUTCOMES, CallOutcome, ObservedCall, RateLimitReading};
use maitred::calcom::connect::{Settings, connect};
use maitred::daemon::metrics::exporter::Exporter;
use maitred::daemon::metrics::exposition::Exposition;
use maitred::daemon::metrics::registry::{LoopState, Metrics};
use maitred::domain::criteria::on_violation::OnViolation;
use maitred::domain::dialect::Dialect;
use maitred::domain::id::RequestId;
use maitred::domain::request::RequestState;
use maitred::domain::time::Span;
use maitred::reconcile::context::PassError;
use maitred::reconcile::watch::WatchScope;
use maitred::sandbox::action::{BookingRemark, ThirdPartyAction};
use maitred::sandbox::call_log::Operation;
use maitred::sandbox::faults::{Fault, FaultRule, Stage};

use crate::fixture::in_process::settings;
use crate::fixture::pass_fixture::{PassFixture, TIMEOUT};
use crate::fixture::steps::{BO, DIALECTS, START, add_fault, perform_action};

const ACCEPT_OPENMETRICS: Option<&str> = Some("application/openmetrics-text");

/// A fixture whose client and passes fill metrics.
struct MeteredFixture {
    fixture: PassFixture,
    metrics: Arc<Metrics>,
    exporter: Exporter,
}

impl MeteredFixture {
    async fn new(dialect: Dialect) -> Self {
        let mut fixture = PassFixture::new(dialect).await;
        let metrics = Metrics::new(None, fixture.clock.now());
        let base = fixture.sandbox.base_url();
        fixture.calendar = connect(Settings {
            observer: Some(metrics.call_observer()),
            ..settings(&base, dialect, TIMEOUT, &fixture.clock)
        })
        .unwrap();
        let clock = fixture.clock.clock();
        let exporter = Exporter::start(Arc::clone(&metrics), fixture.store.clone(), clock).await;
        Self {
            fixture,
            metrics,
            exporter,
        }
    }

    /// Runs a pass and records it as the loop does.
    async fn pass(&mut self) {
        let report = self.fixture.pass().await;
        self.metrics.record_pass(&report, None, false);
    }

    async fn watch(&mut self) {
        let report = self.fixture.watch(true).await;
        self.metrics.record_watch(&report, None, false);
    }

    async fn samples(&self) -> BTreeMap<String, f64> {
        samples(&self.exporter.render(None).await.body)
    }
}

/// Returns the samples of a text: the series with its labels, and the value.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// Returns an exposition in which every metric has a series.
async fn full_exposition(accept: Option<&str>) -> Exposition {
    let mut metered = MeteredFixture::new(Dialect::V2).await;
    metered.fixture.grant(BO, 2).await;
    let lesson = metered.fixture.event_types.lesson;
    metered.fixture.request(lesson, BO, START);
    metered.pass().await;
    metered.watch().await;
    let observe = metered.metrics.call_observer();
    for endpoint in ENDPOINTS {
        for outcome in CALL_OUTCOMES {
            observe(&ObservedCall {
                endpoint,
                outcome,
                duration: Some(Duration::from_millis(120)),
                rate_limit: Some(RateLimitReading {
                    limit: 120,
                    remaining: 7,
                }),
            });
        }
    }
    metered.exporter.render(accept).await
}

#[tokio::test]
async fn decisions_credits_and_calls_are_counted() {
    for dialect in DIALECTS {
        let mut metered = MeteredFixture::new(dialect).await;
        metered.fixture.policy.gates[0].unknown_booker = OnViolation::Review;
        let event_types = metered.fixture.event_types;
        metered.fixture.grant(BO, 3).await;
        metered.fixture.grant("al@example.com", 1).await;
        let fixture = &metered.fixture;
        let confirmed = fixture.request(event_types.lesson, BO, START);
        fixture.request(event_types.lesson, "di@example.com", "2026-12-01T11:00:00Z");
        fixture.request(event_types.dinner, "al@example.com", "2026-12-01T13:00:00Z");
        fixture.clock.advance(Span::minutes(10));
        metered.pass().await;
        let got = metered.samples().await;
        let expect = [
            ("maitred_passes_total{outcome=\"success\"}", 1.0),
            ("maitred_passes_total{outcome=\"store\"}", 0.0),
            (
                "maitred_decisions_total{decision=\"confirm\",reason=\"enough\"}",
                1.0,
            ),
            (
                "maitred_decisions_total{decision=\"decline\",reason=\"short-of-credit\"}",
                1.0,
            ),
            (
                "maitred_decisions_total{decision=\"review\",reason=\"unknown-booker\"}",
                1.0,
            ),
            ("maitred_outcomes_total{outcome=\"confirmed\"}", 1.0),
            ("maitred_outcomes_total{outcome=\"declined\"}", 1.0),
            ("maitred_outcomes_total{outcome=\"superseded\"}", 0.0),
            ("maitred_credits_total{kind=\"granted\"}", 4.0),
            ("maitred_credits_total{kind=\"held\"}", 1.0),
            ("maitred_credits_total{kind=\"posted\"}", 1.0),
            ("maitred_credits_total{kind=\"voided\"}", 0.0),
            ("maitred_credits_total{kind=\"refunded\"}", 0.0),
            ("maitred_requests_waiting{decision=\"review\"}", 1.0),
            ("maitred_requests_waiting{decision=\"wait\"}", 0.0),
            ("maitred_needs_attention", 1.0),
            ("maitred_intents_open", 0.0),
            ("maitred_oldest_intent_seconds", 0.0),
            ("maitred_paused", 0.0),
            ("maitred_pass_duration_seconds_count", 1.0),
        ];
        for (series, value) in expect {
            assert_eq!(
                got.get(series),
                Some(&value),
                "{dialect:?} {series}: {got:#?}"
            );
        }
        // The request was a minute old, and ten minutes have passed.
        for series in [
            "maitred_oldest_waiting_seconds",
            "maitred_oldest_review_seconds",
        ] {
            assert!((660.0..700.0).contains(&got[series]), "{series}: {got:#?}");
        }
        let success = got["maitred_last_success_timestamp_seconds"];
        let now = metered.fixture.clock.now().timestamp() as f64;
        assert!((now - 60.0..=now).contains(&success), "{success}");
        let counted: f64 = got
            .iter()
            .filter(|(series, _)| series.starts_with("maitred_calls_total{"))
            .map(|(_, calls)| calls)
            .sum();
        let calls = metered.fixture.calendar.calls() as f64;
        assert_eq!(counted, calls, "every call that was sent counts");
        let ok_confirms = "maitred_calls_total{endpoint=\"confirm\",outcome=\"ok\"}";
        assert_eq!(got[ok_confirms], 1.0);

        // A refund, which the watch writes.
        let cancel = ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&confirmed));
        perform_action(&metered.fixture, cancel);
        metered.watch().await;
        let got = metered.samples().await;
        assert_eq!(got["maitred_credits_total{kind=\"refunded\"}"], 1.0);
        assert_eq!(got["maitred_watches_total{outcome=\"success\"}"], 1.0);
        // What was counted does not count again.
        assert_eq!(got["maitred_credits_total{kind=\"granted\"}"], 4.0);
    }
}

#[tokio::test]
async fn what_was_committed_before_the_start_is_not_counted_and_its_hold_is_known() {
    let mut metered = MeteredFixture::new(Dialect::V2).await;
    metered.fixture.grant(BO, 2).await;
    let lesson = metered.fixture.event_types.lesson;
    metered.fixture.request(lesson, BO, START);
    // The answer to the confirmation is lost, so the hold stays.
    let lost = Fault::HangUp {
        stage: Stage::After,
    };
    add_fault(
        &metered.fixture,
        FaultRule::on_next(Operation::Confirm, lost),
    );
    metered.pass().await;
    let got = metered.samples().await;
    assert_eq!(got["maitred_intents_open"], 1.0);
    assert_eq!(got["maitred_credits_total{kind=\"held\"}"], 1.0);
    assert_eq!(got["maitred_credits_total{kind=\"posted\"}"], 0.0);

    // The next process knows the hold and counts its end.
    let metrics = Metrics::new(None, metered.fixture.clock.now());
    let clock = metered.fixture.clock.clock();
    let store = metered.fixture.store.clone();
    let exporter = Exporter::start(metrics, store, clock).await;
    metered.fixture.clock.advance(Span::minutes(20));
    metered.pass().await;
    let got = samples(&exporter.render(None).await.body);
    assert_eq!(got["maitred_credits_total{kind=\"held\"}"], 0.0, "{got:#?}");
    assert_eq!(
        got["maitred_credits_total{kind=\"posted\"}"], 1.0,
        "{got:#?}"
    );
    assert_eq!(
        got["maitred_credits_total{kind=\"granted\"}"], 0.0,
        "{got:#?}"
    );
    assert_eq!(got["maitred_intents_open"], 0.0);
}

#[tokio::test]
async fn a_request_that_ends_without_an_answer_is_not_decided_again() {
    let mut metered = MeteredFixture::new(Dialect::V2).await;
    metered.fixture.policy.gates[0].unknown_booker = OnViolation::Review;
    let lesson = metered.fixture.event_types.lesson;
    let uid = metered.fixture.request(lesson, "di@example.com", START);
    metered.pass().await;
    let review = "maitred_decisions_total{decision=\"review\",reason=\"unknown-booker\"}";
    assert_eq!(metered.samples().await[review], 1.0);
    metered.fixture.clock.advance(Span::days(60));
    metered.watch().await;
    let id = RequestId::parse(&uid).unwrap();
    let store = &metered.fixture.store;
    let request = store.read(move |store| store.request(&id)).await.unwrap();
    let state = request.unwrap().state;
    assert!(matches!(state, RequestState::Settled { .. }), "{state:?}");
    assert_eq!(metered.samples().await[review], 1.0);
}

/// Without a file and a page, the metrics are not needed before a reload names a file.
#[tokio::test]
async fn an_idle_exporter_counts_from_the_first_time_that_somebody_asks() {
    let fixture = PassFixture::new(Dialect::V2).await;
    let metrics = Metrics::new(None, fixture.clock.now());
    let store = fixture.store.clone();
    let exporter = Exporter::idle(metrics, store, fixture.clock.clock());
    let granted = "maitred_credits_total{kind=\"granted\"}";
    fixture.grant(BO, 2).await;
    let got = samples(&exporter.render(None).await.body);
    assert_eq!(got[granted], 0.0, "{got:#?}");
    fixture.grant(BO, 3).await;
    let got = samples(&exporter.render(None).await.body);
    assert_eq!(got[granted], 3.0, "{got:#?}");
}

#[tokio::test]
async fn failures_and_the_state_of_the_loop_are_shown() {
    let mut metered = MeteredFixture::new(Dialect::V2).await;
    let report = metered.fixture.pass().await;
    let until = metered.fixture.clock.now();
    let error = PassError::Limited { until };
    metered.metrics.record_pass(&report, Some(&error), false);
    metered.metrics.record_pass(&report, None, true);
    let dry = metered.fixture.try_pass(true).await.unwrap();
    metered.metrics.record_pass(&dry, None, false);
    metered.metrics.record_loop_state(LoopState {
        paused: true,
        problems: 2,
    });
    let got = metered.samples().await;
    assert_eq!(got["maitred_passes_total{outcome=\"rate-limited\"}"], 1.0);
    assert_eq!(got["maitred_passes_total{outcome=\"stopped\"}"], 1.0);
    assert_eq!(got["maitred_passes_total{outcome=\"success\"}"], 0.0);
    assert_eq!(got["maitred_last_success_timestamp_seconds"], 0.0);
    assert_eq!(got["maitred_paused"], 1.0);
    assert_eq!(got["maitred_needs_attention"], 2.0);
    let scope = WatchScope {
        since: None,
        audit: true,
    };
    let watched = metered
        .fixture
        .runner
        .run_watch(&mut metered.fixture.session, scope)
        .await
        .unwrap();
    let error = PassError::Credential("no".to_owned());
    metered.metrics.record_watch(&watched, Some(&error), false);
    let got = metered.samples().await;
    assert_eq!(got["maitred_watches_total{outcome=\"credential\"}"], 1.0);
    assert_eq!(got["maitred_last_watch_success_timestamp_seconds"], 0.0);
}

#[tokio::test]
async fn both_formats_hold_the_same_samples_and_no_label_names_a_person() {
    let text = full_exposition(None).await;
    let openmetrics = full_exposition(ACCEPT_OPENMETRICS).await;
    assert_eq!(
        text.content_type,
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(
        openmetrics.content_type,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let names = |body: &str| samples(body).into_keys().collect::<Vec<_>>();
    assert_eq!(names(&text.body), names(&openmetrics.body));
    assert!(openmetrics.body.ends_with("\n# EOF\n"));
    assert!(openmetrics.body.contains("# TYPE maitred_build info\n"));
    assert!(openmetrics.body.contains("# TYPE maitred_passes counter\n"));
    assert!(text.body.contains("# TYPE maitred_build_info gauge\n"));
    assert!(text.body.contains("# TYPE maitred_passes_total counter\n"));
    for mark in ["# EOF", "# UNIT", "_created", "{}"] {
        assert!(!text.body.contains(mark), "{mark}");
    }
    let words = ["example.com", "Bo", "lesson", "127.0.0.1", "cal_"];
    for word in words {
        assert!(!text.body.contains(word), "{word}: {}", text.body);
    }
    let version = format!(
        "maitred_build_info{{version=\"{}\"}}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(samples(&text.body)[&version], 1.0);
    assert_eq!(samples(&text.body)["maitred_rate_limit_remaining"], 7.0);
}

/// The most series: a label with a free text would exceed this.
#[tokio::test]
async fn the_number_of_series_has_a_limit() {
    let series = samples(&full_exposition(None).await.body).len();
    assert!((250..500).contains(&series), "{series}");
}

#[tokio::test]
async fn a_call_that_was_not_sent_has_no_duration() {
    let metered = MeteredFixture::new(Dialect::V2).await;
    metered.metrics.call_observer()(&ObservedCall {
        endpoint: Endpoint::Confirm,
        outcome: CallOutcome::TooLate,
        duration: None,
        rate_limit: None,
    });
    let got = metered.samples().await;
    let series = "maitred_calls_total{endpoint=\"confirm\",outcome=\"too-late\"}";
    assert_eq!(got[series], 1.0);
    assert!(!got.contains_key("maitred_call_duration_seconds_count{endpoint=\"confirm\"}"));
    assert!(!got.contains_key("maitred_rate_limit"));
}
