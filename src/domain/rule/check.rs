//! Holds a parsed expression to the names and types of the schema. All mistakes at once, each where
//! it stands; what follows from a mistake is not reported again.

mod calls;
mod names;
mod operators;

use std::collections::BTreeSet;
use std::ops::Range;

use cel::common::ast::{
    ComprehensionExpr, EntryExpr, Expr, IdedExpr, ListExpr, LiteralValue, MapExpr,
};

use super::diagnostic::RuleDiagnostic;
use super::parse::{Parsed, Places};
use super::types::{Kind, Type};

/// The most nodes of an expression, those that macros are made of included. Evaluating one takes
/// some hundred nanoseconds.
pub const MAX_NODES: usize = 300;

/// How deep nodes may nest. Evaluation recurses once a level, on the stack of whoever asks; `&&`
/// and `||` are balanced by the parser, so that chains of them count for little.
pub const MAX_DEPTH: usize = 24;

/// The most diagnostics that are told at once.
const MAX_DIAGNOSTICS: usize = 20;

/// # Errors
/// All mistakes, in order of place; never an empty list.
pub(super) fn check(
    text: &str,
    parsed: &Parsed,
    known_lookups: &BTreeSet<String>,
) -> Result<(), Vec<RuleDiagnostic>> {
    let mut checker = Checker {
        text,
        places: &parsed.places,
        known_lookups,
        variables: Vec::new(),
        diagnostics: Vec::new(),
        nodes: 0,
        depth: 0,
    };
    let gives = checker.node(&parsed.root);
    if !gives.fits(Type::BOOL) {
        checker.report(
            parsed.places.span(&parsed.root),
            format!("this gives {gives}; a rule must say yes or no"),
            "compare it with something, such as … > 2 or … == \"gold\"",
        );
    }
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
    places: &'a Places,
    known_lookups: &'a BTreeSet<String>,
    /// What macros name; the innermost last.
    variables: Vec<MacroVariable<'a>>,
    diagnostics: Vec<RuleDiagnostic>,
    nodes: usize,
    depth: usize,
}

struct MacroVariable<'a> {
    name: &'a str,
    of: Type,
}

impl<'a> Checker<'a> {
    fn report(&mut self, at: Range<usize>, problem: impl Into<String>, help: impl Into<String>) {
        self.diagnostics
            .push(RuleDiagnostic::new(at, problem, help));
    }

    /// The type of a node; `dyn` where it could not be found out, so that nothing follows from it.
    fn node(&mut self, node: &'a IdedExpr) -> Type {
        self.nodes += 1;
        if self.nodes > MAX_NODES || self.depth == MAX_DEPTH {
            self.too_large(node);
            return Type::DYN;
        }
        self.depth += 1;
        let of = match &node.expr {
            Expr::Literal(literal) => self.literal(node, literal),
            Expr::Ident(name) => self.name(node, name),
            Expr::Select(select) => self.select(node, select),
            Expr::Call(call) => self.call(node, call),
            Expr::List(list) => self.list(list),
            Expr::Map(map) => self.map(map),
            Expr::Comprehension(of) => self.comprehension(node, of),
            Expr::Struct(_) => {
                let at = self.places.span(node);
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
        of
    }

    /// Tells once that the expression is too large.
    fn too_large(&mut self, node: &IdedExpr) {
        let help = "make two rules of it";
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
            let at = self.places.span(node);
            self.report(at, problem, help);
        }
    }

    fn literal(&mut self, node: &IdedExpr, literal: &LiteralValue) -> Type {
        match literal {
            LiteralValue::Boolean(_) => Type::BOOL,
            LiteralValue::Int(_) => Type::INT,
            LiteralValue::Double(_) => Type::DOUBLE,
            LiteralValue::String(_) => Type::TEXT,
            LiteralValue::Null => Type::One(Kind::Null),
            LiteralValue::UInt(_) => {
                let at = self.places.span(node);
                self.report(
                    at,
                    "unsigned numbers are not supported",
                    "write it without the u",
                );
                Type::DYN
            }
            LiteralValue::Bytes(_) => {
                let at = self.places.span(node);
                self.report(at, "bytes are not supported", "write a text, without the b");
                Type::DYN
            }
        }
    }

    fn list(&mut self, list: &'a ListExpr) -> Type {
        let kinds: Vec<Kind> = list
            .elements
            .iter()
            .map(|node| self.node(node).kind())
            .collect();
        let first = kinds.first().copied().unwrap_or(Kind::Dyn);
        let same = kinds.iter().all(|kind| *kind == first);
        Type::List(if same { first } else { Kind::Dyn })
    }

    fn map(&mut self, map: &'a MapExpr) -> Type {
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                continue;
            };
            let key = self.node(&entry.key);
            self.node(&entry.value);
            if !key.fits(Type::TEXT) {
                let at = self.places.span(&entry.key);
                self.report(at, format!("{key} as a key"), "keys are strings: \"…\"");
            }
        }
        Type::Map(Kind::Dyn)
    }

    /// `range.exists(variable, …)` and its kin, as the parser expands them.
    fn comprehension(&mut self, node: &'a IdedExpr, of: &'a ComprehensionExpr) -> Type {
        let range = self.node(&of.iter_range);
        let variable = match range {
            Type::List(kind) => Type::One(kind),
            Type::Map(_) => Type::TEXT,
            Type::One(Kind::Dyn) => Type::DYN,
            Type::One(_) => {
                let at = self.places.span(&of.iter_range);
                let problem = format!("{range} has nothing to go through");
                self.report(at, problem, "macros go through lists and maps");
                Type::DYN
            }
        };
        let name = self.places.name(node);
        if !self.variables.is_empty() {
            let macro_name = &self.text[name.clone()];
            self.report(
                name,
                format!("`{macro_name}` inside of another macro"),
                "macros do not nest: what one costs would be multiplied; make two rules of it",
            );
            return Type::DYN;
        }
        self.variable_is_new(node, &of.iter_var);
        let gathered = self.node(&of.accu_init);
        self.variables.push(MacroVariable {
            name: &of.iter_var,
            of: variable,
        });
        self.variables.push(MacroVariable {
            name: &of.accu_var,
            of: gathered,
        });
        self.node(&of.loop_cond);
        self.node(&of.loop_step);
        let gives = self.node(&of.result);
        self.variables.clear();
        gives
    }
}
