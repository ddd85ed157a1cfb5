//! Answers to booking questions as rules see them. Cal.com sends most answers as texts, those to number
//! questions too, and an optional question that was left blank as an empty text: the type of the
//! question says what is meant. Where the calendar does not describe the questions, the use that a rule
//! makes of an answer says it.

use std::collections::BTreeMap;

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};

use super::context::Questions;
use super::syntax::{self, literal_text};
use super::types::{Kind, Type};
use super::value::{ListView, Value};
use super::variable::RuleVariable;
use crate::domain::booking::{Answer, QuestionKind};

/// What a rule does with one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerUse {
    /// The identifier of the question.
    pub slug: String,
    /// The kind of answer that fits the use; `None` where any does.
    pub wants: Option<QuestionKind>,
}

/// The answers of one booking.
#[derive(Debug, Clone, Copy)]
pub(super) struct Responses<'a> {
    pub(super) answers: &'a BTreeMap<String, Answer>,
    /// The entry with this name is not there for anybody who looks.
    pub(super) hidden: Option<&'a str>,
    pub(super) questions: Questions<'a>,
}

impl<'a> Responses<'a> {
    pub(super) fn get(self, slug: &str) -> Option<Value<'a>> {
        let answer = self.answers.get(slug)?;
        self.seen(slug)
            .then(|| typed(answer, self.questions.kind(slug)))?
    }

    pub(super) fn iter(self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        self.answers
            .iter()
            .filter(move |(slug, _)| self.seen(slug))
            .filter_map(move |(slug, answer)| {
                Some((slug.as_str(), typed(answer, self.questions.kind(slug))?))
            })
    }

    fn seen(self, slug: &str) -> bool {
        self.hidden != Some(slug)
    }
}

/// The answer as its question means it; `None` where the question was left blank. An answer that does
/// not fit its question stays as it was sent.
fn typed(answer: &Answer, kind: Option<QuestionKind>) -> Option<Value<'_>> {
    match (answer, kind) {
        (Answer::Null, _) => None,
        (Answer::Text(text), _) if text.trim().is_empty() => None,
        (Answer::Text(text), Some(QuestionKind::Number)) => {
            let number = text
                .trim()
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite());
            Some(number.map_or(Value::Text(text), Value::Double))
        }
        (Answer::Text(text), Some(QuestionKind::Flag)) => Some(match text.trim() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => Value::Text(text),
        }),
        (
            Answer::Text(_) | Answer::Number(_) | Answer::Bool(_) | Answer::Map(_),
            Some(QuestionKind::List),
        ) => Some(Value::List(ListView::Answers(std::slice::from_ref(answer)))),
        (_, _) => Some(Value::from(answer)),
    }
}

/// What an expression does with answers: each use once, in order of appearance.
pub(super) fn uses(root: &IdedExpr) -> Vec<AnswerUse> {
    let mut uses = Vec::new();
    walk(root, Some(QuestionKind::Flag), &mut uses);
    uses
}

fn walk(node: &IdedExpr, wants: Option<QuestionKind>, uses: &mut Vec<AnswerUse>) {
    if let Some((slug, is_asked_for)) = slug(node) {
        let found = AnswerUse {
            slug: slug.to_owned(),
            wants: wants.filter(|_| !is_asked_for),
        };
        if !uses.contains(&found) {
            uses.push(found);
        }
        return;
    }
    match &node.expr {
        Expr::Call(call) => {
            let arguments: Vec<&IdedExpr> = call
                .target
                .as_deref()
                .into_iter()
                .chain(&call.args)
                .collect();
            for (place, argument) in arguments.iter().enumerate() {
                walk(
                    argument,
                    wanted(&call.func_name, &arguments, place, wants),
                    uses,
                );
            }
        }
        Expr::Comprehension(of) => {
            walk(&of.iter_range, Some(QuestionKind::List), uses);
            for child in [&of.accu_init, &of.loop_cond, &of.loop_step, &of.result] {
                walk(child, None, uses);
            }
        }
        _ => {
            for child in syntax::children(node) {
                walk(child, None, uses);
            }
        }
    }
}

/// The question whose answer a node is, and whether it only asks if there is one.
fn slug(node: &IdedExpr) -> Option<(&str, bool)> {
    let is_answers = |node: &IdedExpr| {
        syntax::named(node).is_some_and(|name| name.variable == RuleVariable::Answers)
    };
    match &node.expr {
        Expr::Select(select) if is_answers(&select.operand) => {
            Some((select.field.as_str(), select.test))
        }
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::INDEX, [of, key]) if is_answers(of) => Some((literal_text(key)?, false)),
            (operators::IN, [key, of]) if is_answers(of) => Some((literal_text(key)?, true)),
            (_, _) => None,
        },
        _ => None,
    }
}

/// The kind of answer that fits as this argument of an operator or function.
fn wanted(
    function: &str,
    arguments: &[&IdedExpr],
    place: usize,
    whole: Option<QuestionKind>,
) -> Option<QuestionKind> {
    let other = || {
        let mut others = arguments.iter().enumerate().filter(|(n, _)| *n != place);
        others.find_map(|(_, node)| gives(node))
    };
    match function {
        operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT => {
            Some(QuestionKind::Flag)
        }
        operators::CONDITIONAL if place == 0 => Some(QuestionKind::Flag),
        operators::CONDITIONAL => whole,
        operators::EQUALS
        | operators::NOT_EQUALS
        | operators::LESS
        | operators::LESS_EQUALS
        | operators::GREATER
        | operators::GREATER_EQUALS
        | operators::ADD
        | operators::SUBSTRACT
        | operators::MULTIPLY
        | operators::DIVIDE
        | operators::MODULO => other(),
        operators::NEGATE => Some(QuestionKind::Number),
        operators::IN if place == 1 => Some(QuestionKind::List),
        operators::IN => match &arguments.get(1)?.expr {
            Expr::List(list) => list.elements.iter().find_map(gives),
            _ => None,
        },
        "startsWith" | "endsWith" | "contains" | "matches" => Some(QuestionKind::Text),
        _ => None,
    }
}

/// The kind of what a node gives, where its form says so.
fn gives(node: &IdedExpr) -> Option<QuestionKind> {
    if let Some(name) = syntax::named(node) {
        return match name.of {
            Type::One(Kind::Int | Kind::Double) => Some(QuestionKind::Number),
            Type::One(Kind::Text) => Some(QuestionKind::Text),
            Type::One(Kind::Bool) => Some(QuestionKind::Flag),
            Type::List(_) => Some(QuestionKind::List),
            Type::One(Kind::Duration | Kind::Time | Kind::Null | Kind::Dyn) | Type::Map(_) => None,
        };
    }
    match &node.expr {
        Expr::Literal(LiteralValue::Int(_) | LiteralValue::Double(_)) => Some(QuestionKind::Number),
        Expr::Literal(LiteralValue::String(_)) => Some(QuestionKind::Text),
        Expr::Literal(LiteralValue::Boolean(_)) => Some(QuestionKind::Flag),
        Expr::List(_) => Some(QuestionKind::List),
        Expr::Call(call) => match call.func_name.as_str() {
            "int" | "double" | "size" => Some(QuestionKind::Number),
            "string" => Some(QuestionKind::Text),
            operators::NEGATE
            | operators::ADD
            | operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO => call.args.iter().find_map(gives),
            _ => None,
        },
        _ => None,
    }
}
