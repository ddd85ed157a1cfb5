//! Operators: which types go together, and what comes out.

use cel::common::ast::{CallExpr, IdedExpr, operators};

use super::Checker;
use crate::domain::rule::functions;
use crate::domain::rule::types::{Kind, Type};

impl<'a> Checker<'a> {
    pub(super) fn call(&mut self, node: &'a IdedExpr, call: &'a CallExpr) -> Type {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::CONDITIONAL, [condition, yes, no]) => {
                self.conditional(node, condition, yes, no)
            }
            (operators::LOGICAL_AND, [left, right]) => self.logical(node, left, right),
            (operators::LOGICAL_OR, [left, right]) => self.logical(node, left, right),
            (operators::LOGICAL_NOT, [only]) => {
                self.yes_or_no(node, only);
                Type::BOOL
            }
            (operators::NOT_STRICTLY_FALSE, [only]) => self.node(only),
            (operators::NEGATE, [only]) => self.negate(node, only),
            (operators::EQUALS, [left, right]) => self.equal(node, "==", left, right),
            (operators::NOT_EQUALS, [left, right]) => self.equal(node, "!=", left, right),
            (operators::LESS, [left, right]) => self.order(node, "<", left, right),
            (operators::LESS_EQUALS, [left, right]) => self.order(node, "<=", left, right),
            (operators::GREATER, [left, right]) => self.order(node, ">", left, right),
            (operators::GREATER_EQUALS, [left, right]) => self.order(node, ">=", left, right),
            (operators::ADD, [left, right]) => self.arithmetic(node, "+", left, right),
            (operators::SUBSTRACT, [left, right]) => self.arithmetic(node, "-", left, right),
            (operators::MULTIPLY, [left, right]) => self.arithmetic(node, "*", left, right),
            (operators::DIVIDE, [left, right]) => self.arithmetic(node, "/", left, right),
            (operators::MODULO, [left, right]) => self.arithmetic(node, "%", left, right),
            (operators::IN, [left, right]) => self.within(node, left, right),
            (operators::INDEX, [of, index]) => self.index(of, index),
            (_, _) => self.function(node, call),
        }
    }

    fn conditional(
        &mut self,
        node: &IdedExpr,
        condition: &'a IdedExpr,
        yes: &'a IdedExpr,
        no: &'a IdedExpr,
    ) -> Type {
        self.yes_or_no(node, condition);
        let (first, second) = (self.node(yes), self.node(no));
        if first == second {
            return first;
        }
        if !first.equals(second) {
            let at = self.places.span(no);
            self.report(
                at,
                format!("one branch gives {first}, the other {second}"),
                "let both give the same type",
            );
        }
        Type::DYN
    }

    fn logical(&mut self, node: &IdedExpr, left: &'a IdedExpr, right: &'a IdedExpr) -> Type {
        self.yes_or_no(node, left);
        self.yes_or_no(node, right);
        Type::BOOL
    }

    /// An operand that must be bool, of an operator or of a macro, which is made of operators.
    fn yes_or_no(&mut self, operator: &IdedExpr, operand: &'a IdedExpr) {
        let of = self.node(operand);
        if of.fits(Type::BOOL) {
            return;
        }
        let word = match &self.text[self.places.operator(operator)] {
            "(" => &self.text[self.places.name(operator)],
            sign => sign,
        };
        let problem = format!("`{word}` takes bool, this is {of}");
        let at = self.places.span(operand);
        self.report(at, problem, "compare it with something first");
    }

    fn negate(&mut self, node: &IdedExpr, only: &'a IdedExpr) -> Type {
        let of = self.node(only);
        if of.is_number() || of.is_dyn() {
            return of;
        }
        let at = self.places.operator(node);
        let help = if of == Type::DURATION {
            "write a negative one: duration(\"-1h\")"
        } else {
            "only int and double have a sign"
        };
        self.report(at, format!("`-` is not defined for {of}"), help);
        Type::DYN
    }

    fn equal(
        &mut self,
        node: &IdedExpr,
        operator: &str,
        left: &'a IdedExpr,
        right: &'a IdedExpr,
    ) -> Type {
        let (first, second) = (self.node(left), self.node(right));
        if !first.equals(second) {
            self.differ(node, operator, first, second);
        }
        Type::BOOL
    }

    fn order(
        &mut self,
        node: &IdedExpr,
        operator: &str,
        left: &'a IdedExpr,
        right: &'a IdedExpr,
    ) -> Type {
        let (first, second) = (self.node(left), self.node(right));
        if !functions::ordered(first, second) {
            self.differ(node, operator, first, second);
        }
        Type::BOOL
    }

    fn differ(&mut self, node: &IdedExpr, operator: &str, left: Type, right: Type) {
        let at = self.places.operator(node);
        let problem = format!("`{operator}` cannot compare {left} with {right}");
        self.report(at, problem, advice(left, right));
    }

    fn arithmetic(
        &mut self,
        node: &IdedExpr,
        operator: &str,
        left: &'a IdedExpr,
        right: &'a IdedExpr,
    ) -> Type {
        let (first, second) = (self.node(left), self.node(right));
        functions::arithmetic(operator, first, second).unwrap_or_else(|| {
            let at = self.places.operator(node);
            let problem = format!("`{operator}` is not defined for {first} and {second}");
            self.report(at, problem, advice(first, second));
            Type::DYN
        })
    }

    fn within(&mut self, node: &IdedExpr, left: &'a IdedExpr, right: &'a IdedExpr) -> Type {
        let first = self.node(left);
        if self.is_lookup(right) {
            self.lookup_key(left);
            return Type::BOOL;
        }
        let second = self.node(right);
        let (possible, help) = match second {
            Type::List(kind) => (
                first.equals(Type::One(kind)),
                "look for what the list can hold",
            ),
            Type::Map(_) => (first.fits(Type::TEXT), "keys of maps are strings"),
            Type::One(Kind::Dyn) => (true, ""),
            Type::One(Kind::Text) => (false, "write text.contains(part)"),
            Type::One(_) => (false, "write a list: [ … ]"),
        };
        if !possible {
            let at = self.places.operator(node);
            self.report(
                at,
                format!("`in` cannot look for {first} in {second}"),
                help,
            );
        }
        Type::BOOL
    }

    fn index(&mut self, of: &'a IdedExpr, index: &'a IdedExpr) -> Type {
        if self.is_lookup(of) {
            self.lookup_key(index);
            return Type::DYN;
        }
        let (whole, key) = (self.node(of), self.node(index));
        let wanted = match whole {
            Type::List(_) => Type::INT,
            Type::Map(_) => Type::TEXT,
            Type::One(Kind::Dyn) => return Type::DYN,
            Type::One(_) => {
                let at = self.places.span(of);
                self.report(
                    at,
                    format!("{whole} has no parts"),
                    "only lists and maps have",
                );
                return Type::DYN;
            }
        };
        if !key.fits(wanted) {
            let at = self.places.span(index);
            self.report(
                at,
                format!("{key} as an index of {whole}"),
                format!("use {wanted}"),
            );
        }
        match whole {
            Type::List(kind) | Type::Map(kind) | Type::One(kind) => Type::One(kind),
        }
    }
}

/// What to do about two types that do not go together.
fn advice(left: Type, right: Type) -> &'static str {
    let either = |of: Type| left == of || right == of;
    if either(Type::One(Kind::Null)) {
        "nothing here is null: compare with \"\", or ask has(map.key)"
    } else if either(Type::DURATION) && (either(Type::INT) || either(Type::TEXT)) {
        "write a duration as duration(\"24h\")"
    } else if either(Type::TIME) {
        "write an instant as timestamp(\"2026-12-01T18:00:00Z\")"
    } else if either(Type::TEXT) && (either(Type::INT) || either(Type::DOUBLE)) {
        "write texts in quotes and numbers without, or convert with int(…)"
    } else if either(Type::INT) && either(Type::DOUBLE) {
        "convert one of them with int(…) or double(…)"
    } else {
        "let both sides have the same type"
    }
}
