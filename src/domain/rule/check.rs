//! Checks a parsed expression against the names and types of the schema. Reports all mistakes
//! together, each with its place. The consequences of a mistake are not reported again.

mod calls;
mod names;
mod operators;

use std::collections::BTreeSet;
use std::ops::Range;

use cel::common::ast::{
    ComprehensionExpr, EntryExpr, Expr, IdedExpr, ListExpr, LiteralValue, MapExpr,
};

use super::diagnostic::RuleDiagnostic;
use super::parse::{NodeSpans, ParsedExpression};
use super::schema::{self, SchemaName};
use super::types::{Type, ValueKind};

/// The most nodes of an expression, including those into which macros expand. Evaluating a node
/// takes a few hundred nanoseconds.
pub(super) const MAX_NODES: usize = 300;

/// How deep nodes may nest. Evaluation recurses once per level, on the caller's stack. The parser
/// balances `&&` and `||`, so that chains of them add few levels.
pub(super) const MAX_DEPTH: usize = 24;

/// The most diagnostics that are reported together.
const MAX_DIAGNOSTICS: usize = 20;

/// What an expression is for. It determines the type of its result, and what it may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExpressionPurpose {
    /// A condition: true or false.
    Condition,
    /// A price: a number.
    Price,
}

/// # Errors
/// Returns the mistakes in order of place, never an empty list.
pub(super) fn check_expression(
    text: &str,
    parsed: &ParsedExpression,
    purpose: ExpressionPurpose,
    known_lookups: &BTreeSet<String>,
) -> Result<(), Vec<RuleDiagnostic>> {
    let mut checker = Checker {
        text,
        spans: &parsed.spans,
        purpose,
        known_lookups,
        variables: Vec::new(),
        diagnostics: Vec::new(),
        nodes: 0,
        depth: 0,
    };
    let result_type = checker.check_node(&parsed.root);
    checker.check_result(&parsed.root, result_type);
    let mut diagnostics = checker.diagnostics;
    diagnostics.sort_by_key(|diagnostic| (diagnostic.at.start, diagnostic.at.end));
    diagnostics.truncate(MAX_DIAGNOSTICS);
    if diagnostics.is_empty() {
        Ok(())
    } else {
        Err(diagnostics)
    }
}

struct Checker<'a> {
    text: &'a str,
    spans: &'a NodeSpans,
    purpose: ExpressionPurpose,
    known_lookups: &'a BTreeSet<String>,
    /// The variables of the macro that is being checked; the innermost last.
    variables: Vec<MacroVariable<'a>>,
    diagnostics: Vec<RuleDiagnostic>,
    nodes: usize,
    depth: usize,
}

struct MacroVariable<'a> {
    name: &'a str,
    value_type: Type,
}

impl<'a> Checker<'a> {
    fn report(&mut self, at: Range<usize>, problem: impl Into<String>, help: impl Into<String>) {
        self.diagnostics
            .push(RuleDiagnostic::new(at, problem, help));
    }

    /// Checks the type of the whole expression.
    fn check_result(&mut self, root: &IdedExpr, result_type: Type) {
        let (is_allowed, must, help) = match self.purpose {
            ExpressionPurpose::Condition => (
                result_type.is_assignable_to(Type::BOOL),
                "a rule must return true or false",
                "compare it with something, such as … > 2 or … == \"gold\"",
            ),
            ExpressionPurpose::Price => (
                result_type.is_number() || result_type.is_dyn(),
                "a price must be a number",
                "for example 1 + size(booking.guests), or … ? 1 : 2",
            ),
        };
        if !is_allowed {
            let problem = format!("this returns {result_type}; {must}");
            self.report(self.spans.span(root), problem, help);
        }
    }

    /// Checks that the expression may read a name of the schema.
    fn check_purpose(&mut self, at: Range<usize>, name: &SchemaName) {
        if self.purpose == ExpressionPurpose::Price
            && let Some(reason) = schema::reason_not_in_prices(name.variable)
        {
            let problem = format!("a price cannot read `{}`", name.path);
            self.report(at, problem, reason);
        }
    }

    /// Returns the type of a node, or `dyn` if the type cannot be determined, so that no further
    /// mistakes follow from it.
    fn check_node(&mut self, node: &'a IdedExpr) -> Type {
        self.nodes += 1;
        if self.nodes > MAX_NODES || self.depth == MAX_DEPTH {
            self.report_too_large(node);
            return Type::DYN;
        }
        self.depth += 1;
        let node_type = match &node.expr {
            Expr::Literal(literal) => self.check_literal(node, literal),
            Expr::Ident(name) => self.check_name(node, name),
            Expr::Select(select) => self.check_select(node, select),
            Expr::Call(call) => self.check_call(node, call),
            Expr::List(list) => self.check_list(list),
            Expr::Map(map) => self.check_map(map),
            Expr::Comprehension(of) => self.check_comprehension(node, of),
            Expr::Struct(_) => {
                let at = self.spans.span(node);
                self.report(
                    at,
                    "there are no messages here",
                    "write a map: {\"key\": value}",
                );
                Type::DYN
            }
            Expr::Unspecified => Type::DYN,
        };
        self.depth -= 1;
        node_type
    }

    /// Reports that the expression is too large, once for each limit.
    fn report_too_large(&mut self, node: &IdedExpr) {
        let help = "split it into two rules";
        let problem = if self.nodes > MAX_NODES {
            format!("the expression has more than {MAX_NODES} parts")
        } else {
            format!("the expression nests deeper than {MAX_DEPTH}")
        };
        if self
            .diagnostics
            .iter()
            .all(|diagnostic| diagnostic.problem != problem)
        {
            let at = self.spans.span(node);
            self.report(at, problem, help);
        }
    }

    fn check_literal(&mut self, node: &IdedExpr, literal: &LiteralValue) -> Type {
        match literal {
            LiteralValue::Boolean(_) => Type::BOOL,
            LiteralValue::Int(_) => Type::INT,
            LiteralValue::Double(_) => Type::DOUBLE,
            LiteralValue::String(_) => Type::TEXT,
            LiteralValue::Null => Type::Scalar(ValueKind::Null),
            LiteralValue::UInt(_) => {
                let at = self.spans.span(node);
                self.report(
                    at,
                    "unsigned numbers are not supported",
                    "write it without the u",
                );
                Type::DYN
            }
            LiteralValue::Bytes(_) => {
                let at = self.spans.span(node);
                self.report(at, "bytes are not supported", "write a text, without the b");
                Type::DYN
            }
        }
    }

    fn check_list(&mut self, list: &'a ListExpr) -> Type {
        let kinds: Vec<ValueKind> = list
            .elements
            .iter()
            .map(|node| self.check_node(node).kind_as_element())
            .collect();
        let first = kinds.first().copied().unwrap_or(ValueKind::Dyn);
        let is_uniform = kinds.iter().all(|kind| *kind == first);
        Type::List(if is_uniform { first } else { ValueKind::Dyn })
    }

    fn check_map(&mut self, map: &'a MapExpr) -> Type {
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                continue;
            };
            let key = self.check_node(&entry.key);
            self.check_node(&entry.value);
            if !key.is_assignable_to(Type::TEXT) {
                let at = self.spans.span(&entry.key);
                self.report(at, format!("{key} as a key"), "keys are strings: \"…\"");
            }
        }
        Type::Map(ValueKind::Dyn)
    }

    /// Checks `range.exists(variable, …)` and the other macros, as the parser expands them.
    fn check_comprehension(&mut self, node: &'a IdedExpr, of: &'a ComprehensionExpr) -> Type {
        let range = self.check_node(&of.iter_range);
        let variable = match range {
            Type::List(kind) => Type::Scalar(kind),
            Type::Map(_) => Type::TEXT,
            Type::Scalar(ValueKind::Dyn) => Type::DYN,
            Type::Scalar(_) => {
                let at = self.spans.span(&of.iter_range);
                let problem = format!("{range} has nothing to go through");
                self.report(at, problem, "macros go through lists and maps");
                Type::DYN
            }
        };
        let name = self.spans.name_span(node);
        if !self.variables.is_empty() {
            let macro_name = &self.text[name.clone()];
            self.report(
                name,
                format!("`{macro_name}` inside of another macro"),
                "macros do not nest: what one costs would be multiplied; split it into two rules",
            );
            return Type::DYN;
        }
        self.check_macro_variable_name(node, &of.iter_var);
        let accumulator = self.check_node(&of.accu_init);
        self.variables.push(MacroVariable {
            name: &of.iter_var,
            value_type: variable,
        });
        self.variables.push(MacroVariable {
            name: &of.accu_var,
            value_type: accumulator,
        });
        self.check_node(&of.loop_cond);
        self.check_node(&of.loop_step);
        let result_type = self.check_node(&of.result);
        self.variables.clear();
        result_type
    }
}
