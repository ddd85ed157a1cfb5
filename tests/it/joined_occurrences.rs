//! What `explain` says about an occurrence that was added to a series whose request is open.

use maitred::control::protocol::CommandResult;
use maitred::control::protocol::decisions::ExplainView;
use maitred::daemon::commands::decisions;
use maitred::domain::criteria::on_violation::OnViolation;
use maitred::domain::dialect::Dialect;
use maitred::domain::time::Span;
use maitred::sandbox::call_log::Operation;
use maitred::sandbox::faults::{Fault, FaultRule, Stage};

use crate::fixture::pass_fixture::PassFixture;
use crate::fixture::steps::{BO, START, add_fault};

/// Adds an occurrence to the series of this booking, a week later.
fn add_occurrence(fixture: &PassFixture, uid: &str) -> String {
    let mut world = fixture.sandbox.lock();
    let mut row = world.booking(uid).unwrap().clone();
    row.id = 0;
    row.uid = format!("{uid}x");
    row.start += Span::days(7);
    row.end += Span::days(7);
    world.insert(row).unwrap()
}

async fn explain(fixture: &PassFixture, uid: &str) -> ExplainView {
    let (policy, now) = (fixture.policy.clone(), fixture.clock.now());
    let uid = uid.to_owned();
    let explained = fixture
        .store
        .with(move |store| decisions::explain(store, &policy, now, &uid))
        .await;
    match explained {
        Ok(CommandResult::Explain(view)) => *view,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_occurrence_that_joins_a_series_in_review_is_explained_with_it() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 1).await;
    for gate in &mut fixture.policy.gates {
        gate.short_of_credit = OnViolation::Review;
    }
    let uids = fixture.series(fixture.event_types.lesson, BO, START, 2);
    fixture.pass().await;
    let joined = add_occurrence(&fixture, &uids[1]);
    fixture.clock.advance(Span::minutes(1));
    fixture.pass().await;
    let view = explain(&fixture, &joined).await;
    let step = view.decision.expect("a decision").step;
    assert_eq!(step.decision, "review");
    assert_eq!(step.bookings.len(), 3, "{step:?}");
    assert!(step.bookings.contains(&joined), "{step:?}");
    // The request is evaluated with all occurrences, and none joined after a final decision.
    assert_eq!(view.joined_bookings, [""; 0]);
}

#[tokio::test]
async fn an_occurrence_that_joins_after_the_decision_is_named_as_joined() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 5).await;
    let uids = fixture.series(fixture.event_types.lesson, BO, START, 2);
    let lost = Fault::HangUp {
        stage: Stage::Before,
    };
    add_fault(&fixture, FaultRule::on_next(Operation::Confirm, lost));
    fixture.pass().await;
    assert_eq!(fixture.balance(BO).await, (3, 2, 0), "the intent is open");
    let joined = add_occurrence(&fixture, &uids[1]);
    fixture.clock.advance(Span::minutes(20));
    fixture.pass().await;
    assert_eq!(fixture.balance(BO).await, (2, 0, 3));
    for uid in [&uids[0], &joined] {
        let view = explain(&fixture, uid).await;
        assert_eq!(view.joined_bookings, std::slice::from_ref(&joined), "{uid}");
    }
}
