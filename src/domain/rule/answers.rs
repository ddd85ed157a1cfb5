//! How an expression uses the answers to booking questions. Where the calendar does not describe a
//! question, the use says what kind of answer is meant.

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};

use super::syntax::{self, literal_text};
use super::types::{Kind, Type};
use super::variable::RuleVariable;
use crate::domain::booking::QuestionKind;

/// What a rule does with one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerUse {
    /// The identifier of the question.
    pub slug: String,
    /// The kind of answer that fits the use; `None` where any does.
    pub wants: Option<QuestionKind>,
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
