//! Every request comes to an end, over HTTP against the sandbox: no request is confirmed after its start.
//! Requests that began without an answer, requests that Cal.com refuses to answer, and bookings with an
//! unknown status are on the unresolved list until an operator resolves them.

#![allow(clippy::unwrap_used, reason = "tests panic")]

mod common;

use common::{House, ended};
use maitred::calcom::port::Dialect;
use maitred::control::protocol::{Answer, ExplainView};

use maitred::daemon::answer::{decisions, unresolved};
use maitred::domain::criteria::effect::{Effect, Wait};
use maitred::domain::decision::Outcome;
use maitred::domain::fact::Fact;
use maitred::domain::gate::Unanswered;
use maitred::domain::ledger_state::LedgerFact;
use maitred::domain::request::{ChargeState, RequestState};
use maitred::domain::time::Span;
use maitred::reconcile::report::Report;
use maitred::sandbox::faults::{Fault, RowFault, Rule, Stage, Times};
use maitred::sandbox::journal::Operation;
use maitred::sandbox::model::Status;
use maitred::store::port::Store;

const BO: &str = "bo@example.com";
const START: &str = "2026-12-01T09:00:00Z";
const DIALECTS: [Dialect; 2] = [Dialect::V2, Dialect::V1];

fn fault(house: &House, rule: Rule) {
    house.sandbox.lock().add_fault(rule).unwrap();
}

fn confirms(house: &House) -> u64 {
    house.sandbox.lock().journal.count(Operation::Confirm)
}

/// The words of the unresolved list, each with its booking, sorted.
async fn listed(house: &House) -> Vec<(String, &'static str)> {
    let items = house.store.with(|store| store.unresolved(None, 100)).await;
    let items = items.unwrap().into_iter();
    let mut all: Vec<_> = items
        .map(|item| (item.booking.uid.to_string(), item.code.as_str()))
        .collect();
    all.sort();
    all
}

fn one(uid: &str, code: &'static str) -> Vec<(String, &'static str)> {
    vec![(uid.to_owned(), code)]
}

async fn explain(house: &House, uid: &str) -> ExplainView {
    let (policy, now, uid) = (house.policy.clone(), house.clock.now(), uid.to_owned());
    let explained = house
        .store
        .with(move |store| decisions::explain(store, &policy, now, &uid));
    match explained.await.unwrap() {
        Answer::Explain(view) => *view,
        other => panic!("{other:?}"),
    }
}

async fn outcome(house: &House, uid: &str) -> Option<Outcome> {
    match house.record(uid).await.unwrap().state {
        RequestState::Settled { outcome, .. } => Some(outcome),
        RequestState::Noted | RequestState::Recorded => None,
    }
}

fn told(report: &Report, code: &str) -> Option<String> {
    let mut problems = report.problems.iter();
    let problem = problems.find(|problem| problem.code == code);
    problem.map(|problem| problem.text.clone())
}

/// The reasons of a request's step.
fn reasons(report: &Report, uid: &str) -> Vec<(&'static str, String)> {
    let mut steps = report.steps.iter();
    let step = steps.find(|step| step.request.bookings.iter().any(|b| b.uid.as_str() == uid));
    let reasons = step.unwrap().request.reasons.iter();
    reasons
        .map(|reason| (reason.code.as_str(), reason.text.clone()))
        .collect()
}

/// The fault of B11: a confirm that failed is tried again until the booking is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirm_that_failed_is_not_sent_after_the_start() {
    for dialect in DIALECTS {
        let mut house = House::new(dialect).await;
        house.grant(BO, 5).await;
        let uid = house.request(house.kinds.lesson, BO, "2026-11-24T09:00:00Z");
        let failed = Fault::Error {
            stage: Stage::Before,
        };
        fault(&house, Rule::next(Operation::Confirm, failed));
        let report = house.pass().await;
        assert_eq!(ended(&report, &uid), "unresolved", "{dialect:?}");
        assert_eq!(house.balance(BO).await, (4, 1, 0), "{dialect:?}");
        house.clock.advance(Span::minutes(65));
        let report = house.fresh_pass().await.unwrap();
        assert_eq!(house.status(&uid), "pending", "{dialect:?}");
        assert_eq!(ended(&report, &uid), "superseded", "{dialect:?}");
        assert_eq!(confirms(&house), 1, "{dialect:?}");
        assert_eq!(house.balance(BO).await, (5, 0, 0), "{dialect:?}");
        let superseded = Some(Outcome::Superseded);
        assert_eq!(outcome(&house, &uid).await, superseded, "{dialect:?}");
        assert_eq!(listed(&house).await, one(&uid, "unanswered"), "{dialect:?}");
        assert_eq!(report.unresolved.count, 1, "{dialect:?}");
        // It is not decided a second time, and the next passes say why.
        let report = house.fresh_pass().await.unwrap();
        assert_eq!(reasons(&report, &uid)[0].0, "begun", "{dialect:?}");
        let view = explain(&house, &uid).await;
        assert_eq!(view.unresolved[0].code, "unanswered", "{dialect:?}");
        // The host answers it at Cal.com: it leaves the list, or is on it as what it is then.
        let now = house.clock.now();
        let host = |row: &mut maitred::sandbox::model::Booking| {
            row.status = Status::Rejected;
            row.updated = Some(now);
        };
        house.sandbox.lock().edit(&uid, host).unwrap();
        house.watch(true).await;
        assert_eq!(listed(&house).await, [], "{dialect:?}");
    }
}

/// A confirm without an answer may still be running: it is only read until that time is over, and then
/// not sent again, because the booking has begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirm_without_an_answer_ends_when_it_can_run_no_more() {
    let mut house = House::new(Dialect::V2).await;
    house.grant(BO, 5).await;
    let uid = house.request(house.kinds.lesson, BO, "2026-11-24T08:10:00Z");
    let lost = Fault::HangUp {
        stage: Stage::Before,
    };
    fault(&house, Rule::next(Operation::Confirm, lost));
    house.pass().await;
    house.clock.advance(Span::minutes(12));
    let report = house.fresh_pass().await.unwrap();
    assert_eq!(ended(&report, &uid), "unresolved", "it may still run");
    assert_eq!(house.balance(BO).await, (4, 1, 0));
    house.clock.advance(Span::minutes(4));
    let report = house.fresh_pass().await.unwrap();
    assert_eq!(ended(&report, &uid), "superseded");
    assert_eq!(confirms(&house), 1, "the one that was lost");
    assert_eq!(house.balance(BO).await, (5, 0, 0));
    assert_eq!(listed(&house).await, one(&uid, "unanswered"));
}

/// The start passes between the plan and the call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reading_does_not_send_a_confirm_after_the_start() {
    let mut house = House::new(Dialect::V2).await;
    house.grant(BO, 5).await;
    let uid = house.request(house.kinds.lesson, BO, START);
    let start = house.clock.now() + Span::milliseconds(800);
    let soon = |row: &mut maitred::sandbox::model::Booking| {
        row.end = start + (row.end - row.start);
        row.start = start;
    };
    house.sandbox.lock().edit(&uid, soon).unwrap();
    let slow = Fault::Slow {
        stage: Stage::After,
        ms: 1_000,
    };
    fault(&house, Rule::next(Operation::Get, slow).about(&uid));
    let report = house.pass().await;
    assert_eq!(confirms(&house), 0);
    assert_eq!(ended(&report, &uid), "superseded");
    assert_eq!(house.balance(BO).await, (5, 0, 0));
    assert_eq!(listed(&house).await, one(&uid, "unanswered"));
}

/// The one call would confirm every occurrence of a series that waits, the one that has begun too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_series_is_not_confirmed_after_the_start_of_its_first_occurrence() {
    let mut house = House::new(Dialect::V2).await;
    house.grant(BO, 5).await;
    let uids = house.series(house.kinds.lesson, BO, "2026-11-24T09:00:00Z", 3);
    let failed = Fault::Error {
        stage: Stage::Before,
    };
    fault(&house, Rule::next(Operation::Confirm, failed));
    house.pass().await;
    assert_eq!(house.balance(BO).await, (2, 3, 0));
    house.clock.advance(Span::minutes(65));
    let report = house.fresh_pass().await.unwrap();
    assert_eq!(ended(&report, &uids[0]), "superseded");
    assert_eq!(confirms(&house), 1);
    assert!(uids.iter().all(|uid| house.status(uid) == "pending"));
    assert_eq!(house.balance(BO).await, (5, 0, 0));
    assert_eq!(listed(&house).await, one(&uids[0], "unanswered"));
}

/// What waits for an operator or for credit, and is not answered before it begins, is on the list until
/// it is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_until_its_start_is_listed_until_it_is_over() {
    for effect in [Effect::Review, Effect::Wait(Wait::TO_START)] {
        let mut house = House::new(Dialect::V2).await;
        house.policy.gates[1].short_of_credit = effect;
        house.policy.gates[1].unanswered = Unanswered::Leave;
        house.grant(BO, 1).await;
        let uid = house.request(house.kinds.dinner, BO, "2026-11-24T09:00:00Z");
        house.pass().await;
        assert_eq!(listed(&house).await, [], "{effect:?}");
        // Credit that comes after the start confirms nothing.
        house.clock.advance(Span::minutes(61));
        if effect == Effect::Review {
            house.grant(BO, 5).await;
            let report = house.fresh_pass().await.unwrap();
            assert!(told(&report, "unanswered").is_some());
            assert_eq!(listed(&house).await, one(&uid, "unanswered"));
            assert_eq!(house.status(&uid), "pending");
            house.clock.advance(Span::minutes(31));
            house.watch(false).await;
            assert_eq!(listed(&house).await, []);
        } else {
            // A wait ends in a decline at the start.
            house.fresh_pass().await.unwrap();
            assert_eq!(house.status(&uid), "rejected");
            assert_eq!(listed(&house).await, []);
        }
    }
}

/// A house in which Bo's lesson is confirmed at Cal.com, and the answer to the confirm was lost.
async fn confirm_without_an_answer() -> (House, String) {
    let mut house = House::new(Dialect::V2).await;
    house.grant(BO, 5).await;
    let uid = house.request(house.kinds.lesson, BO, START);
    let lost = Fault::HangUp {
        stage: Stage::After,
    };
    fault(&house, Rule::next(Operation::Confirm, lost));
    house.pass().await;
    (house, uid)
}

/// Every answer shows the booking with a status that maitred does not know.
fn hide_the_status(house: &House, uid: &str) {
    let unknown = Fault::Rows {
        as_if: RowFault::UnknownStatus,
    };
    for kind in [Operation::List, Operation::Get] {
        let rule = Rule::next(kind, unknown.clone()).about(uid);
        fault(house, rule.times(Times::Always));
    }
}

/// B8: an intent whose booking has a status that maitred does not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_status_of_an_intent_is_listed_until_it_is_known() {
    let (mut house, uid) = confirm_without_an_answer().await;
    let odd = Fault::Rows {
        as_if: RowFault::UnknownStatus,
    };
    let odd = || Rule::next(Operation::Get, odd.clone()).about(&uid);
    fault(&house, odd().times(Times::Count(3)));
    house.clock.advance(Span::minutes(20));
    let planned = house.try_pass(true).await.unwrap();
    assert!(told(&planned, "unknown-status").is_some());
    assert_eq!(listed(&house).await, [], "a dry run writes nothing");
    house.pass().await;
    assert_eq!(listed(&house).await, one(&uid, "unknown-status"));
    let view = explain(&house, &uid).await;
    assert_eq!(view.unresolved[0].code, "unknown-status");
    let before = house.sequence().await;
    house.clock.advance(Span::minutes(20));
    let report = house.pass().await;
    assert_eq!(house.sequence().await, before, "it is listed once");
    assert_eq!(report.unresolved.count, 1);
    house.clock.advance(Span::minutes(20));
    let report = house.pass().await;
    assert_eq!(ended(&report, &uid), "confirmed");
    assert_eq!(listed(&house).await, []);
    assert_eq!(house.balance(BO).await, (4, 0, 1));
}

/// A status that is still unknown when the booking is over says as little as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_status_keeps_its_hold_past_the_end_until_an_operator_speaks() {
    let (mut house, uid) = confirm_without_an_answer().await;
    hide_the_status(&house, &uid);
    house.clock.advance(Span::days(9));
    for _ in 0..2 {
        let report = house.pass().await;
        assert_eq!(ended(&report, &uid), "unresolved");
        assert_eq!(house.balance(BO).await, (4, 1, 0));
        house.watch(true).await;
        assert_eq!(listed(&house).await, one(&uid, "unknown-status"));
    }
    let (now, asked) = (house.clock.now(), uid.clone());
    let resolved = house
        .store
        .with(move |store| unresolved::resolve(store, now, &asked, None, "it was called off"));
    resolved.await.unwrap();
    let report = house.pass().await;
    assert_eq!(ended(&report, &uid), "superseded");
    assert_eq!(house.balance(BO).await, (5, 0, 0));
    assert_eq!(listed(&house).await, []);
}

/// B8, of a booking that is paid for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_status_of_a_charge_is_listed_until_it_is_known() {
    let mut house = House::new(Dialect::V2).await;
    house.grant(BO, 5).await;
    let uid = house.request(house.kinds.lesson, BO, START);
    house.pass().await;
    house.watch(true).await;
    hide_the_status(&house, &uid);
    let watched = house.watch(true).await;
    assert_eq!(listed(&house).await, one(&uid, "unknown-status"));
    let codes: Vec<&str> = watched.problems.iter().map(|one| one.code).collect();
    assert!(codes.contains(&"unknown-status"), "{codes:?}");
    let before = house.sequence().await;
    house.watch(true).await;
    assert_eq!(house.sequence().await, before, "it is listed once");
    assert_eq!(house.charge(&uid).await.unwrap().state, ChargeState::Open);
    house.sandbox.lock().faults.clear();
    house.watch(true).await;
    assert_eq!(listed(&house).await, []);
}

/// What was begun before a backup was made may have been spent for something else since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_before_a_restore_waits_until_it_is_accepted() {
    let mut house = House::new(Dialect::V2).await;
    house.grant(BO, 5).await;
    let uid = house.request(house.kinds.lesson, BO, START);
    let failed = Fault::Error {
        stage: Stage::Before,
    };
    fault(&house, Rule::next(Operation::Confirm, failed));
    house.pass().await;
    let write = |fact: LedgerFact, at| {
        move |store: &mut dyn Store| store.commit(at, vec![Fact::Ledger(fact)], &[])
    };
    let restored = LedgerFact::Restored { commit: 1 };
    let written = house.store.with(write(restored, house.clock.now())).await;
    written.unwrap();
    let report = house.fresh_pass().await.unwrap();
    assert_eq!(ended(&report, &uid), "unresolved");
    let why = report.steps[0].why.clone().unwrap();
    assert!(why.contains("maitred ledger accept-restore"), "{why}");
    assert_eq!(confirms(&house), 1);
    let accepted = LedgerFact::RestoreAccepted {
        reason: "looked at".to_owned(),
    };
    let written = house.store.with(write(accepted, house.clock.now())).await;
    written.unwrap();
    let report = house.fresh_pass().await.unwrap();
    assert_eq!(ended(&report, &uid), "confirmed");
}
