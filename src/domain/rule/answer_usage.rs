//! How an expression uses the answers to booking questions. If the calendar does not describe a
//! question, the use shows what kind of answer is meant.

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};

use super::syntax::{self, literal_text};
use super::types::{Type, ValueKind};
use super::variable::RuleVariable;
use crate::domain::booking::QuestionKind;

/// One use of an answer in a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerUse {
    /// The identifier of the question.
    pub slug: String,
    /// The kind of answer that fits the use; `None` if every kind does.
    pub expected_kind: Option<QuestionKind>,
}

/// Returns the uses of answers in an expression, each once, in order of appearance.
pub(super) fn collect_uses(root: &IdedExpr) -> Vec<AnswerUse> {
    let mut uses = Vec::new();
    collect_uses_in(root, Some(QuestionKind::Flag), &mut uses);
    uses
}

fn collect_uses_in(
    node: &IdedExpr,
    expected_kind: Option<QuestionKind>,
    uses: &mut Vec<AnswerUse>,
) {
    if let Some((slug, is_presence_test)) = answer_slug(node) {
        let answer_use = AnswerUse {
            slug: slug.to_owned(),
            expected_kind: expected_kind.filter(|_| !is_presence_test),
        };
        if !uses.contains(&answer_use) {
            uses.push(answer_use);
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
            for (position, argument) in arguments.iter().enumerate() {
                collect_uses_in(
                    argument,
                    expected_argument_kind(&call.func_name, &arguments, position, expected_kind),
                    uses,
                );
            }
        }
        Expr::Comprehension(of) => {
            collect_uses_in(&of.iter_range, Some(QuestionKind::List), uses);
            for child in [&of.accu_init, &of.loop_cond, &of.loop_step, &of.result] {
                collect_uses_in(child, None, uses);
            }
        }
        _ => {
            for child in syntax::children(node) {
                collect_uses_in(child, None, uses);
            }
        }
    }
}

/// Returns the question whose answer a node reads, and whether the node only tests if there is an
/// answer.
fn answer_slug(node: &IdedExpr) -> Option<(&str, bool)> {
    let is_answers = |node: &IdedExpr| {
        syntax::schema_name_of(node).is_some_and(|name| name.variable == RuleVariable::Answers)
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

/// Returns the kind of answer that fits as this argument of an operator or function.
fn expected_argument_kind(
    function: &str,
    arguments: &[&IdedExpr],
    position: usize,
    result: Option<QuestionKind>,
) -> Option<QuestionKind> {
    let kind_of_others = || {
        let mut others = arguments.iter().enumerate().filter(|(n, _)| *n != position);
        others.find_map(|(_, node)| result_kind(node))
    };
    match function {
        operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT => {
            Some(QuestionKind::Flag)
        }
        operators::CONDITIONAL if position == 0 => Some(QuestionKind::Flag),
        operators::CONDITIONAL => result,
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
        | operators::MODULO => kind_of_others(),
        operators::NEGATE => Some(QuestionKind::Number),
        operators::IN if position == 1 => Some(QuestionKind::List),
        operators::IN => match &arguments.get(1)?.expr {
            Expr::List(list) => list.elements.iter().find_map(result_kind),
            _ => None,
        },
        "startsWith" | "endsWith" | "contains" | "matches" => Some(QuestionKind::Text),
        _ => None,
    }
}

/// Returns the kind of a node's result, if the form of the node determines it.
fn result_kind(node: &IdedExpr) -> Option<QuestionKind> {
    if let Some(name) = syntax::schema_name_of(node) {
        return match name.value_type {
            Type::Scalar(ValueKind::Int | ValueKind::Double) => Some(QuestionKind::Number),
            Type::Scalar(ValueKind::Text) => Some(QuestionKind::Text),
            Type::Scalar(ValueKind::Bool) => Some(QuestionKind::Flag),
            Type::List(_) => Some(QuestionKind::List),
            Type::Scalar(
                ValueKind::Duration | ValueKind::Time | ValueKind::Null | ValueKind::Dyn,
            )
            | Type::Map(_) => None,
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
            | operators::MODULO => call.args.iter().find_map(result_kind),
            _ => None,
        },
        _ => None,
    }
}
