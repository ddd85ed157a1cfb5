//! Checks of operators: which types go together, and the type of the result.

use cel::common::ast::{CallExpr, IdedExpr, operators};

use super::Checker;
use crate::domain::rule::functions;
use crate::domain::rule::types::{Type, ValueKind};

impl<'a> Checker<'a> {
    pub(super) fn check_call(&mut self, node: &'a IdedExpr, call: &'a CallExpr) -> Type {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::CONDITIONAL, [condition, yes, no]) => {
                self.check_conditional(node, condition, yes, no)
            }
            (operators::LOGICAL_AND, [left, right]) => self.check_logical(node, left, right),
            (operators::LOGICAL_OR, [left, right]) => self.check_logical(node, left, right),
            (operators::LOGICAL_NOT, [only]) => {
                self.check_bool_operand(node, only);
                Type::BOOL
            }
            (operators::NOT_STRICTLY_FALSE, [only]) => self.check_node(only),
            (operators::NEGATE, [only]) => self.check_negation(node, only),
            (operators::EQUALS, [left, right]) => self.check_equality(node, "==", left, right),
            (operators::NOT_EQUALS, [left, right]) => self.check_equality(node, "!=", left, right),
            (operators::LESS, [left, right]) => self.check_ordering(node, "<", left, right),
            (operators::LESS_EQUALS, [left, right]) => self.check_ordering(node, "<=", left, right),
            (operators::GREATER, [left, right]) => self.check_ordering(node, ">", left, right),
            (operators::GREATER_EQUALS, [left, right]) => {
                self.check_ordering(node, ">=", left, right)
            }
            (operators::ADD, [left, right]) => self.check_arithmetic(node, "+", left, right),
            (operators::SUBSTRACT, [left, right]) => self.check_arithmetic(node, "-", left, right),
            (operators::MULTIPLY, [left, right]) => self.check_arithmetic(node, "*", left, right),
            (operators::DIVIDE, [left, right]) => self.check_arithmetic(node, "/", left, right),
            (operators::MODULO, [left, right]) => self.check_arithmetic(node, "%", left, right),
            (operators::IN, [left, right]) => self.check_membership(node, left, right),
            (operators::INDEX, [of, index]) => self.check_index(of, index),
            (_, _) => self.check_function(node, call),
        }
    }

    fn check_conditional(
        &mut self,
        node: &IdedExpr,
        condition: &'a IdedExpr,
        yes: &'a IdedExpr,
        no: &'a IdedExpr,
    ) -> Type {
        self.check_bool_operand(node, condition);
        let (first, second) = (self.check_node(yes), self.check_node(no));
        if first == second {
            return first;
        }
        if !first.is_comparable_with(second) {
            let at = self.spans.span(no);
            self.report(
                at,
                format!("one branch gives {first}, the other {second}"),
                "let both give the same type",
            );
        }
        Type::DYN
    }

    fn check_logical(&mut self, node: &IdedExpr, left: &'a IdedExpr, right: &'a IdedExpr) -> Type {
        self.check_bool_operand(node, left);
        self.check_bool_operand(node, right);
        Type::BOOL
    }

    /// Checks an operand that must be bool, of an operator or of a macro, which expands to
    /// operators.
    fn check_bool_operand(&mut self, operator: &IdedExpr, operand: &'a IdedExpr) {
        let operand_type = self.check_node(operand);
        if operand_type.is_assignable_to(Type::BOOL) {
            return;
        }
        let word = match &self.text[self.spans.operator_span(operator)] {
            "(" => &self.text[self.spans.name_span(operator)],
            sign => sign,
        };
        let problem = format!("`{word}` takes bool, this is {operand_type}");
        let at = self.spans.span(operand);
        self.report(at, problem, "compare it with something first");
    }

    fn check_negation(&mut self, node: &IdedExpr, only: &'a IdedExpr) -> Type {
        let operand_type = self.check_node(only);
        if operand_type.is_number() || operand_type.is_dyn() {
            return operand_type;
        }
        let at = self.spans.operator_span(node);
        let help = if operand_type == Type::DURATION {
            "write a negative one: duration(\"-1h\")"
        } else {
            "only int and double have a sign"
        };
        self.report(at, format!("`-` is not defined for {operand_type}"), help);
        Type::DYN
    }

    fn check_equality(
        &mut self,
        node: &IdedExpr,
        operator: &str,
        left: &'a IdedExpr,
        right: &'a IdedExpr,
    ) -> Type {
        let (first, second) = (self.check_node(left), self.check_node(right));
        if !first.is_comparable_with(second) {
            self.report_incomparable(node, operator, first, second);
        }
        Type::BOOL
    }

    fn check_ordering(
        &mut self,
        node: &IdedExpr,
        operator: &str,
        left: &'a IdedExpr,
        right: &'a IdedExpr,
    ) -> Type {
        let (first, second) = (self.check_node(left), self.check_node(right));
        if !functions::are_orderable(first, second) {
            self.report_incomparable(node, operator, first, second);
        }
        Type::BOOL
    }

    fn report_incomparable(&mut self, node: &IdedExpr, operator: &str, left: Type, right: Type) {
        let at = self.spans.operator_span(node);
        let problem = format!("`{operator}` cannot compare {left} with {right}");
        self.report(at, problem, advice(left, right));
    }

    fn check_arithmetic(
        &mut self,
        node: &IdedExpr,
        operator: &str,
        left: &'a IdedExpr,
        right: &'a IdedExpr,
    ) -> Type {
        let (first, second) = (self.check_node(left), self.check_node(right));
        functions::arithmetic_result(operator, first, second).unwrap_or_else(|| {
            let at = self.spans.operator_span(node);
            let problem = format!("`{operator}` is not defined for {first} and {second}");
            self.report(at, problem, advice(first, second));
            Type::DYN
        })
    }

    fn check_membership(
        &mut self,
        node: &IdedExpr,
        left: &'a IdedExpr,
        right: &'a IdedExpr,
    ) -> Type {
        let first = self.check_node(left);
        if self.is_lookup(right) {
            self.check_lookup_key(left);
            return Type::BOOL;
        }
        let second = self.check_node(right);
        let (possible, help) = match second {
            Type::List(kind) => (
                first.is_comparable_with(Type::Scalar(kind)),
                "look for what the list can hold",
            ),
            Type::Map(_) => (
                first.is_assignable_to(Type::TEXT),
                "keys of maps are strings",
            ),
            Type::Scalar(ValueKind::Dyn) => (true, ""),
            Type::Scalar(ValueKind::Text) => (false, "write text.contains(part)"),
            Type::Scalar(_) => (false, "write a list: [ … ]"),
        };
        if !possible {
            let at = self.spans.operator_span(node);
            self.report(
                at,
                format!("`in` cannot look for {first} in {second}"),
                help,
            );
        }
        Type::BOOL
    }

    fn check_index(&mut self, of: &'a IdedExpr, index: &'a IdedExpr) -> Type {
        if self.is_lookup(of) {
            self.check_lookup_key(index);
            return Type::DYN;
        }
        let (operand_type, key) = (self.check_node(of), self.check_node(index));
        let expected_type = match operand_type {
            Type::List(_) => Type::INT,
            Type::Map(_) => Type::TEXT,
            Type::Scalar(ValueKind::Dyn) => return Type::DYN,
            Type::Scalar(_) => {
                let at = self.spans.span(of);
                self.report(
                    at,
                    format!("{operand_type} has no parts"),
                    "only lists and maps have",
                );
                return Type::DYN;
            }
        };
        if !key.is_assignable_to(expected_type) {
            let at = self.spans.span(index);
            self.report(
                at,
                format!("{key} as an index of {operand_type}"),
                format!("use {expected_type}"),
            );
        }
        match operand_type {
            Type::List(kind) | Type::Map(kind) | Type::Scalar(kind) => Type::Scalar(kind),
        }
    }
}

/// Returns what to do about two types that do not go together.
fn advice(left: Type, right: Type) -> &'static str {
    let either_is = |of: Type| left == of || right == of;
    if either_is(Type::Scalar(ValueKind::Null)) {
        "nothing here is null: compare with \"\", or ask has(map.key)"
    } else if either_is(Type::DURATION) && (either_is(Type::INT) || either_is(Type::TEXT)) {
        "write a duration as duration(\"24h\")"
    } else if either_is(Type::TIME) {
        "write an instant as timestamp(\"2026-12-01T18:00:00Z\")"
    } else if either_is(Type::TEXT) && (either_is(Type::INT) || either_is(Type::DOUBLE)) {
        "write texts in quotes and numbers without, or convert with int(…)"
    } else if either_is(Type::INT) && either_is(Type::DOUBLE) {
        "convert one of them with int(…) or double(…)"
    } else {
        "let both sides have the same type"
    }
}
