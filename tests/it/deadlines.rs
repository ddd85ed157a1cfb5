//! Every request comes to an end, over HTTP against the sandbox: no request is confirmed after its
//! start. Requests that are unanswered when they start, requests that Cal.com refuses to answer,
//! and bookings with an unknown status are on the unresolved list until an operator resolves them.

use crate::fixture::pass_fixture::{PassFixture, step_outcome};
use crate::fixture::steps::{BO, DIALECTS, START, add_fault, call_count, unresolved_items};
use maitred::control::protocol::CommandResult;
use maitred::control::protocol::decisions::ExplainView;
use maitred::domain::dialect::Dialect;

use maitred::daemon::commands::{decisions, unresolved};
use maitred::domain::criteria::on_violation::{OnViolation, Wait};
use maitred::domain::decision::DecisionOutcome;
use maitred::domain::fact::Fact;
use maitred::domain::gate::OnUnanswered;
use maitred::domain::ledger_state::LedgerFact;
use maitred::domain::request::{ChargeState, RequestState};
use maitred::domain::time::Span;
use maitred::domain::unresolved::UnresolvedCode;
use maitred::reconcile::report::PassReport;
use maitred::sandbox::booking::SandboxStatus;
use maitred::sandbox::call_log::Operation;
use maitred::sandbox::faults::{Fault, FaultRule, FaultTimes, RowFault, Stage};
use maitred::store::port::Store;

fn single_item(uid: &str, code: UnresolvedCode) -> Vec<(String, UnresolvedCode)> {
    vec![(uid.to_owned(), code)]
}

async fn explain(fixture: &PassFixture, uid: &str) -> ExplainView {
    let (policy, now, uid) = (fixture.policy.clone(), fixture.clock.now(), uid.to_owned());
    let explained = fixture
        .store
        .with(move |store| decisions::explain(store, &policy, now, &uid));
    match explained.await.unwrap() {
        CommandResult::Explain(view) => *view,
        other => panic!("{other:?}"),
    }
}

async fn outcome(fixture: &PassFixture, uid: &str) -> Option<DecisionOutcome> {
    match fixture.stored_request(uid).await.unwrap().state {
        RequestState::Settled { outcome, .. } => Some(outcome),
        RequestState::Noted | RequestState::Recorded => None,
    }
}

fn problem_text(report: &PassReport, code: &str) -> Option<String> {
    let mut problems = report.problems.iter();
    let problem = problems.find(|problem| problem.code == code);
    problem.map(|problem| problem.text.clone())
}

/// Returns the reasons of a request's step.
fn reasons(report: &PassReport, uid: &str) -> Vec<(&'static str, String)> {
    let mut steps = report.steps.iter();
    let step = steps.find(|step| step.request.bookings.iter().any(|b| b.uid.as_str() == uid));
    let reasons = step.unwrap().request.reasons.iter();
    reasons
        .map(|reason| (reason.code.as_str(), reason.text.clone()))
        .collect()
}

/// Fault B11: a failed confirm was tried again until the booking was over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirm_that_failed_is_not_sent_after_the_start() {
    for dialect in DIALECTS {
        let mut fixture = PassFixture::new(dialect).await;
        fixture.grant(BO, 5).await;
        let uid = fixture.request(fixture.event_types.lesson, BO, "2026-11-24T09:00:00Z");
        let failed = Fault::Error {
            stage: Stage::Before,
        };
        add_fault(&fixture, FaultRule::on_next(Operation::Confirm, failed));
        let report = fixture.pass().await;
        assert_eq!(step_outcome(&report, &uid), "unresolved", "{dialect:?}");
        assert_eq!(fixture.balance(BO).await, (4, 1, 0), "{dialect:?}");
        fixture.clock.advance(Span::minutes(65));
        let report = fixture.pass_of_new_process().await.unwrap();
        assert_eq!(fixture.status(&uid), "pending", "{dialect:?}");
        assert_eq!(step_outcome(&report, &uid), "superseded", "{dialect:?}");
        assert_eq!(call_count(&fixture, Operation::Confirm), 1, "{dialect:?}");
        assert_eq!(fixture.balance(BO).await, (5, 0, 0), "{dialect:?}");
        let superseded = Some(DecisionOutcome::Superseded);
        assert_eq!(outcome(&fixture, &uid).await, superseded, "{dialect:?}");
        assert_eq!(
            unresolved_items(&fixture).await,
            single_item(&uid, UnresolvedCode::Unanswered),
            "{dialect:?}"
        );
        assert_eq!(report.unresolved.count, 1, "{dialect:?}");
        // The request is not decided a second time, and the next passes report why.
        let report = fixture.pass_of_new_process().await.unwrap();
        assert_eq!(reasons(&report, &uid)[0].0, "begun", "{dialect:?}");
        let view = explain(&fixture, &uid).await;
        assert_eq!(view.unresolved[0].code, "unanswered", "{dialect:?}");
        // The host answers the request at Cal.com: it leaves the list, or stays on it with a reason
        // that fits its new status.
        let now = fixture.clock.now();
        let host = |row: &mut maitred::sandbox::booking::SandboxBooking| {
            row.status = SandboxStatus::Rejected;
            row.updated = Some(now);
        };
        fixture.sandbox.lock().edit(&uid, host).unwrap();
        fixture.watch(true).await;
        assert_eq!(unresolved_items(&fixture).await, [], "{dialect:?}");
    }
}

/// A confirm without an answer may still be running: it is only read until that time has passed.
/// Then it is not sent again, because the booking has started.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirm_without_an_answer_ends_when_it_can_no_longer_be_running() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 5).await;
    let uid = fixture.request(fixture.event_types.lesson, BO, "2026-11-24T08:10:00Z");
    let lost = Fault::HangUp {
        stage: Stage::Before,
    };
    add_fault(&fixture, FaultRule::on_next(Operation::Confirm, lost));
    fixture.pass().await;
    fixture.clock.advance(Span::minutes(12));
    let report = fixture.pass_of_new_process().await.unwrap();
    assert_eq!(
        step_outcome(&report, &uid),
        "unresolved",
        "it may still run"
    );
    assert_eq!(fixture.balance(BO).await, (4, 1, 0));
    fixture.clock.advance(Span::minutes(4));
    let report = fixture.pass_of_new_process().await.unwrap();
    assert_eq!(step_outcome(&report, &uid), "superseded");
    assert_eq!(
        call_count(&fixture, Operation::Confirm),
        1,
        "the one that was lost"
    );
    assert_eq!(fixture.balance(BO).await, (5, 0, 0));
    assert_eq!(
        unresolved_items(&fixture).await,
        single_item(&uid, UnresolvedCode::Unanswered)
    );
}

/// The start time passes between the plan and the call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reading_does_not_send_a_confirm_after_the_start() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 5).await;
    let uid = fixture.request(fixture.event_types.lesson, BO, START);
    let start = fixture.clock.now() + Span::milliseconds(800);
    let soon = |row: &mut maitred::sandbox::booking::SandboxBooking| {
        row.end = start + (row.end - row.start);
        row.start = start;
    };
    fixture.sandbox.lock().edit(&uid, soon).unwrap();
    let slow = Fault::Slow {
        stage: Stage::After,
        ms: 1_000,
    };
    add_fault(
        &fixture,
        FaultRule::on_next(Operation::Get, slow).for_booking(&uid),
    );
    let report = fixture.pass().await;
    assert_eq!(call_count(&fixture, Operation::Confirm), 0);
    assert_eq!(step_outcome(&report, &uid), "superseded");
    assert_eq!(fixture.balance(BO).await, (5, 0, 0));
    assert_eq!(
        unresolved_items(&fixture).await,
        single_item(&uid, UnresolvedCode::Unanswered)
    );
}

/// One call would confirm every pending occurrence of a series, including the occurrence that has
/// already started.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_series_is_not_confirmed_after_the_start_of_its_first_occurrence() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 5).await;
    let uids = fixture.series(fixture.event_types.lesson, BO, "2026-11-24T09:00:00Z", 3);
    let failed = Fault::Error {
        stage: Stage::Before,
    };
    add_fault(&fixture, FaultRule::on_next(Operation::Confirm, failed));
    fixture.pass().await;
    assert_eq!(fixture.balance(BO).await, (2, 3, 0));
    fixture.clock.advance(Span::minutes(65));
    let report = fixture.pass_of_new_process().await.unwrap();
    assert_eq!(step_outcome(&report, &uids[0]), "superseded");
    assert_eq!(call_count(&fixture, Operation::Confirm), 1);
    assert!(uids.iter().all(|uid| fixture.status(uid) == "pending"));
    assert_eq!(fixture.balance(BO).await, (5, 0, 0));
    assert_eq!(
        unresolved_items(&fixture).await,
        single_item(&uids[0], UnresolvedCode::Unanswered)
    );
}

/// A request that waits for an operator or for credit, and is not answered before its start, is on
/// the list until it is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_pending_at_their_start_are_listed_until_they_are_over() {
    for effect in [OnViolation::Review, OnViolation::Wait(Wait::UNTIL_START)] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        fixture.policy.gates[1].short_of_credit = effect;
        fixture.policy.gates[1].on_unanswered = OnUnanswered::Leave;
        fixture.grant(BO, 1).await;
        let uid = fixture.request(fixture.event_types.dinner, BO, "2026-11-24T09:00:00Z");
        fixture.pass().await;
        assert_eq!(unresolved_items(&fixture).await, [], "{effect:?}");
        // A grant after the start confirms nothing.
        fixture.clock.advance(Span::minutes(61));
        if effect == OnViolation::Review {
            fixture.grant(BO, 5).await;
            let report = fixture.pass_of_new_process().await.unwrap();
            assert!(problem_text(&report, "unanswered").is_some());
            assert_eq!(
                unresolved_items(&fixture).await,
                single_item(&uid, UnresolvedCode::Unanswered)
            );
            assert_eq!(fixture.status(&uid), "pending");
            fixture.clock.advance(Span::minutes(31));
            fixture.watch(false).await;
            assert_eq!(unresolved_items(&fixture).await, []);
        } else {
            // A wait ends in a decline at the start.
            fixture.pass_of_new_process().await.unwrap();
            assert_eq!(fixture.status(&uid), "rejected");
            assert_eq!(unresolved_items(&fixture).await, []);
        }
    }
}

/// Returns a fixture in which Bo's lesson is confirmed at Cal.com, but the answer to the confirm
/// was lost.
async fn confirm_without_an_answer() -> (PassFixture, String) {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 5).await;
    let uid = fixture.request(fixture.event_types.lesson, BO, START);
    let lost = Fault::HangUp {
        stage: Stage::After,
    };
    add_fault(&fixture, FaultRule::on_next(Operation::Confirm, lost));
    fixture.pass().await;
    (fixture, uid)
}

/// Makes every answer show the booking with a status that maitred does not know.
fn hide_the_status(fixture: &PassFixture, uid: &str) {
    let unknown = Fault::Rows {
        as_if: RowFault::UnknownStatus,
    };
    for kind in [Operation::List, Operation::Get] {
        let rule = FaultRule::on_next(kind, unknown.clone()).for_booking(uid);
        add_fault(fixture, rule.times(FaultTimes::Always));
    }
}

/// B8: an intent whose booking has a status that maitred does not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_status_of_an_intent_is_listed_until_it_is_known() {
    let (mut fixture, uid) = confirm_without_an_answer().await;
    let odd = Fault::Rows {
        as_if: RowFault::UnknownStatus,
    };
    let odd = || FaultRule::on_next(Operation::Get, odd.clone()).for_booking(&uid);
    add_fault(&fixture, odd().times(FaultTimes::Count(3)));
    fixture.clock.advance(Span::minutes(20));
    let planned = fixture.try_pass(true).await.unwrap();
    assert!(problem_text(&planned, "unknown-status").is_some());
    assert_eq!(
        unresolved_items(&fixture).await,
        [],
        "a dry run writes nothing"
    );
    fixture.pass().await;
    assert_eq!(
        unresolved_items(&fixture).await,
        single_item(&uid, UnresolvedCode::UnknownStatus)
    );
    let view = explain(&fixture, &uid).await;
    assert_eq!(view.unresolved[0].code, "unknown-status");
    let before = fixture.sequence().await;
    fixture.clock.advance(Span::minutes(20));
    let report = fixture.pass().await;
    assert_eq!(fixture.sequence().await, before, "it is listed once");
    assert_eq!(report.unresolved.count, 1);
    fixture.clock.advance(Span::minutes(20));
    let report = fixture.pass().await;
    assert_eq!(step_outcome(&report, &uid), "confirmed");
    assert_eq!(unresolved_items(&fixture).await, []);
    assert_eq!(fixture.balance(BO).await, (4, 0, 1));
}

/// A status that is still unknown when the booking is over proves no more than before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_status_keeps_its_hold_past_the_end_until_an_operator_settles_it() {
    let (mut fixture, uid) = confirm_without_an_answer().await;
    hide_the_status(&fixture, &uid);
    fixture.clock.advance(Span::days(9));
    for _ in 0..2 {
        let report = fixture.pass().await;
        assert_eq!(step_outcome(&report, &uid), "unresolved");
        assert_eq!(fixture.balance(BO).await, (4, 1, 0));
        fixture.watch(true).await;
        assert_eq!(
            unresolved_items(&fixture).await,
            single_item(&uid, UnresolvedCode::UnknownStatus)
        );
    }
    let (now, asked) = (fixture.clock.now(), uid.clone());
    let resolved = fixture
        .store
        .with(move |store| unresolved::resolve(store, now, &asked, None, "it was called off"));
    resolved.await.unwrap();
    let report = fixture.pass().await;
    assert_eq!(step_outcome(&report, &uid), "superseded");
    assert_eq!(fixture.balance(BO).await, (5, 0, 0));
    assert_eq!(unresolved_items(&fixture).await, []);
}

/// B8, for a booking that is paid for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_status_of_a_charge_is_listed_until_it_is_known() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 5).await;
    let uid = fixture.request(fixture.event_types.lesson, BO, START);
    fixture.pass().await;
    fixture.watch(true).await;
    hide_the_status(&fixture, &uid);
    let watched = fixture.watch(true).await;
    assert_eq!(
        unresolved_items(&fixture).await,
        single_item(&uid, UnresolvedCode::UnknownStatus)
    );
    let codes: Vec<&str> = watched.problems.iter().map(|one| one.code).collect();
    assert!(codes.contains(&"unknown-status"), "{codes:?}");
    let before = fixture.sequence().await;
    fixture.watch(true).await;
    assert_eq!(fixture.sequence().await, before, "it is listed once");
    assert_eq!(fixture.charge(&uid).await.unwrap().state, ChargeState::Open);
    fixture.sandbox.lock().fault_rules.clear();
    fixture.watch(true).await;
    assert_eq!(unresolved_items(&fixture).await, []);
}

/// Credits that were held before a backup was made may have been spent on something else since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intents_from_before_a_restore_wait_until_the_restore_is_accepted() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 5).await;
    let uid = fixture.request(fixture.event_types.lesson, BO, START);
    let failed = Fault::Error {
        stage: Stage::Before,
    };
    add_fault(&fixture, FaultRule::on_next(Operation::Confirm, failed));
    fixture.pass().await;
    let write = |fact: LedgerFact, at| {
        move |store: &mut dyn Store| store.commit(at, vec![Fact::Ledger(fact)], &[])
    };
    let restored = LedgerFact::Restored { commit: 1 };
    let written = fixture
        .store
        .with(write(restored, fixture.clock.now()))
        .await;
    written.unwrap();
    let report = fixture.pass_of_new_process().await.unwrap();
    assert_eq!(step_outcome(&report, &uid), "unresolved");
    let why = report.steps[0].why.clone().unwrap();
    assert!(why.contains("maitred ledger accept-restore"), "{why}");
    assert_eq!(call_count(&fixture, Operation::Confirm), 1);
    let accepted = LedgerFact::RestoreAccepted {
        reason: "looked at".to_owned(),
    };
    let written = fixture
        .store
        .with(write(accepted, fixture.clock.now()))
        .await;
    written.unwrap();
    let report = fixture.pass_of_new_process().await.unwrap();
    assert_eq!(step_outcome(&report, &uid), "confirmed");
}
