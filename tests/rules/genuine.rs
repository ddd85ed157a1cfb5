//! Answers as genuine servers send them, seen by the rules of a gate: by the type of their question.

use maitred::domain::criteria::effect::Effect;
use maitred::sandbox::ask::Ask;
use maitred::sandbox::model::{EventType, Question, QuestionKind};
use serde_json::{Value, json};

use super::common::House;
use super::{BOTH, ask, decided, rule};

const BO: &str = "bo@example.com";
const START: &str = "2026-12-01T09:00:00Z";

/// Changes the event type of lessons. Nothing was booked yet.
fn edit_lesson(house: &House, edit: impl FnOnce(&mut EventType)) {
    let mut world = house.sandbox.lock();
    let mut lesson = world.event_type(house.kinds.lesson).unwrap().clone();
    world.delete_event_type(lesson.id).unwrap();
    edit(&mut lesson);
    world.add_event_type(lesson);
}

/// Cal.com sends the answer to a number question as a text, and an optional question that was left
/// blank as an empty one.
#[tokio::test]
async fn a_rule_sees_the_answer_to_a_number_question_as_a_number() {
    const FITS: &str = "confirm enough";
    const REFUSED: &str = "decline rule";
    // what is required, what is answered, what comes of it
    let rows = [
        ("booking.answers.pages >= 100.0", json!(120), FITS),
        ("booking.answers.pages >= 100", json!("120"), FITS),
        ("booking.answers.pages >= 100", json!(20), REFUSED),
        ("!has(booking.answers.pages)", json!(""), FITS),
        ("has(booking.answers.pages)", json!(""), REFUSED),
        ("has(booking.answers.pages)", json!(20), FITS),
    ];
    for dialect in BOTH {
        for (require, answer, expect) in &rows {
            let what = format!("{dialect:?}: {require} of {answer}");
            let mut house = House::new(dialect).await;
            house.grant(BO, 1).await;
            edit_lesson(&house, |of| {
                of.questions = vec![Question::new("pages", QuestionKind::Number)];
            });
            house.policy.house.rules = vec![rule("pages", require, Effect::Decline, &[])];
            // As it is stored by a genuine server (`each_row_is_as_on_a_genuine_server`).
            let stored = answer
                .as_i64()
                .map_or(answer.clone(), |n| json!(n.to_string()));
            let uid = ask(&house, house.kinds.lesson, BO, START, |ask: &mut Ask| {
                ask.answers.insert("pages".to_owned(), stored);
            });
            house.pass().await;
            assert_eq!(decided(&house, &uid).await, *expect, "{what}");
        }
    }
}

/// A value that JSON has and no question gives is no reason to confirm.
#[tokio::test]
async fn a_rule_that_cannot_read_an_answer_never_confirms() {
    let mut house = House::new(BOTH[0]).await;
    house.grant(BO, 1).await;
    edit_lesson(&house, |of| {
        of.questions = vec![Question::new("pages", QuestionKind::Number)];
    });
    let pages = rule(
        "pages",
        "booking.answers.pages >= 100",
        Effect::Decline,
        &[],
    );
    house.policy.house.rules = vec![pages];
    let uid = ask(&house, house.kinds.lesson, BO, START, |ask: &mut Ask| {
        ask.answers.insert("pages".to_owned(), Value::from("many"));
    });
    house.pass().await;
    assert_eq!(decided(&house, &uid).await, "review rule-failed");
}
