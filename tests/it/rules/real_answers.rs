//! Answers as genuine servers send them, as the rules of a gate see them: by the type of their
//! question.

use maitred::domain::criteria::on_violation::OnViolation;
use maitred::sandbox::event_type::{SandboxEventType, SandboxQuestion, SandboxQuestionKind};
use maitred::sandbox::new_booking::NewBooking;
use serde_json::{Value, json};

use super::{decision_text, request_with, rule_with_lookups};
use crate::fixture::pass_fixture::PassFixture;
use crate::fixture::steps::{BO, DIALECTS, START};

/// Changes the event type of lessons before anything is booked.
fn edit_lesson(fixture: &PassFixture, edit: impl FnOnce(&mut SandboxEventType)) {
    let mut world = fixture.sandbox.lock();
    let mut lesson = world
        .event_type(fixture.event_types.lesson)
        .unwrap()
        .clone();
    world.delete_event_type(lesson.id).unwrap();
    edit(&mut lesson);
    world.add_event_type(lesson);
}

/// Cal.com sends the answer to a number question as a text, and an optional question that was left
/// blank as an empty text.
#[tokio::test]
async fn a_rule_sees_the_answer_to_a_number_question_as_a_number() {
    const CONFIRMED: &str = "confirm enough";
    const DECLINED: &str = "decline rule";
    // requirement, answer, expected decision
    let rows = [
        ("booking.answers.pages >= 100.0", json!(120), CONFIRMED),
        ("booking.answers.pages >= 100", json!("120"), CONFIRMED),
        ("booking.answers.pages >= 100", json!(20), DECLINED),
        ("!has(booking.answers.pages)", json!(""), CONFIRMED),
        ("has(booking.answers.pages)", json!(""), DECLINED),
        ("has(booking.answers.pages)", json!(20), CONFIRMED),
    ];
    for dialect in DIALECTS {
        for (require, answer, expect) in &rows {
            let what = format!("{dialect:?}: {require} of {answer}");
            let mut fixture = PassFixture::new(dialect).await;
            fixture.grant(BO, 1).await;
            edit_lesson(&fixture, |of| {
                of.questions = vec![SandboxQuestion::new("pages", SandboxQuestionKind::Number)];
            });
            fixture.policy.global.rules = vec![rule_with_lookups(
                "pages",
                require,
                OnViolation::Decline,
                &[],
            )];
            // As a genuine server stores it (`each_difference_behaves_as_on_a_genuine_server`).
            let stored = answer
                .as_i64()
                .map_or(answer.clone(), |n| json!(n.to_string()));
            let uid = request_with(
                &fixture,
                fixture.event_types.lesson,
                BO,
                START,
                |ask: &mut NewBooking| {
                    ask.answers.insert("pages".to_owned(), stored);
                },
            );
            fixture.pass().await;
            assert_eq!(decision_text(&fixture, &uid).await, *expect, "{what}");
        }
    }
}

/// A value that JSON allows and no question produces is no reason to confirm.
#[tokio::test]
async fn a_rule_that_cannot_read_an_answer_never_confirms() {
    let mut fixture = PassFixture::new(DIALECTS[0]).await;
    fixture.grant(BO, 1).await;
    edit_lesson(&fixture, |of| {
        of.questions = vec![SandboxQuestion::new("pages", SandboxQuestionKind::Number)];
    });
    let pages = rule_with_lookups(
        "pages",
        "booking.answers.pages >= 100",
        OnViolation::Decline,
        &[],
    );
    fixture.policy.global.rules = vec![pages];
    let uid = request_with(
        &fixture,
        fixture.event_types.lesson,
        BO,
        START,
        |ask: &mut NewBooking| {
            ask.answers.insert("pages".to_owned(), Value::from("many"));
        },
    );
    fixture.pass().await;
    assert_eq!(decision_text(&fixture, &uid).await, "review rule-failed");
}
