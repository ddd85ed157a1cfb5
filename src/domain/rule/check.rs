//! Holds a parsed expression to the names and types of the schema. All mistakes at once, each where
//! it stands; what follows from a mistake is not reported again.

mod calls;
mod names;

use std::collections::BTreeSet;
use std::ops::Range;

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr};
use cel::common::ast::{ListExpr, LiteralValue, MapExpr, operators};

use super::fault::Fault;
use super::functions;
use super::parse::{Parsed, Places};
use super::types::{Kind, Type};

/// The most nodes of an expression, those that macros are made of included. Evaluating one takes
/// some nanoseconds in our tree and some hundred in the reference.
pub const MAX_NODES: usize = 300;

/// How deep nodes may nest. Evaluation recurses once a level, on the stack of whoever asks; `&&`
/// and `||` are balanced by the parser, so that chains of them count for little.
pub const MAX_DEPTH: usize = 32;

/// The most faults that are told at once.
const MAX_FAULTS: usize = 20;

/// # Errors
/// All mistakes, in order of place; never an empty list.
pub(super) fn check(
    text: &str,
    parsed: &Parsed,
    known_lookups: &BTreeSet<String>,
) -> Result<(), Vec<Fault>> {
    let mut checker = Checker {
        text,
        places: &parsed.places,
        known_lookups,
        variables: Vec::new(),
        faults: Vec::new(),
        nodes: 0,
        depth: 0,
    };
    let gives = checker.node(&parsed.root);
    if !gives.fits(Type::BOOL) {
        checker.fault(
            parsed.places.span(&parsed.root),
            format!("this gives {gives}; a rule must say yes or no"),
            "compare it with something, such as … > 2 or … == \"gold\"",
        );
    }
    let mut faults = checker.faults;
    faults.sort_by_key(|fault| (fault.at.start, fault.at.end));
    faults.truncate(MAX_FAULTS);
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

struct Checker<'a> {
    text: &'a str,
    places: &'a Places,
    known_lookups: &'a BTreeSet<String>,
    /// What macros name; the innermost last.
    variables: Vec<Variable<'a>>,
    faults: Vec<Fault>,
    nodes: usize,
    depth: usize,
}

struct Variable<'a> {
    name: &'a str,
    of: Type,
}

impl<'a> Checker<'a> {
    fn fault(&mut self, at: Range<usize>, problem: impl Into<String>, help: impl Into<String>) {
        self.faults.push(Fault::new(at, problem, help));
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
                self.fault(
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
        if self.faults.iter().all(|fault| fault.problem != problem) {
            let at = self.places.span(node);
            self.fault(at, problem, help);
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
                self.fault(
                    at,
                    "unsigned numbers are not supported",
                    "write it without the u",
                );
                Type::DYN
            }
            LiteralValue::Bytes(_) => {
                let at = self.places.span(node);
                self.fault(at, "bytes are not supported", "write a text, without the b");
                Type::DYN
            }
        }
    }

    fn list(&mut self, list: &'a ListExpr) -> Type {
        let mut kinds = list.elements.iter().map(|node| self.node(node).kind());
        let Some(first) = kinds.next() else {
            return Type::List(Kind::Dyn);
        };
        let same = kinds.fold(true, |same, kind| same && kind == first);
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
                self.fault(at, format!("{key} as a key"), "keys are strings: \"…\"");
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
                self.fault(at, problem, "macros go through lists and maps");
                Type::DYN
            }
        };
        let name = self.places.name(node);
        if !self.variables.is_empty() {
            let macro_name = &self.text[name.clone()];
            self.fault(
                name,
                format!("`{macro_name}` inside of another macro"),
                "macros do not nest: what one costs would be multiplied; make two rules of it",
            );
            return Type::DYN;
        }
        self.variable_is_new(node, &of.iter_var);
        let gathered = self.node(&of.accu_init);
        self.variables.push(Variable {
            name: &of.iter_var,
            of: variable,
        });
        self.variables.push(Variable {
            name: &of.accu_var,
            of: gathered,
        });
        self.node(&of.loop_cond);
        self.node(&of.loop_step);
        let gives = self.node(&of.result);
        self.variables.clear();
        gives
    }

    fn call(&mut self, node: &'a IdedExpr, call: &'a CallExpr) -> Type {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::CONDITIONAL, [condition, yes, no]) => self.conditional(condition, yes, no),
            (operators::LOGICAL_AND, [left, right]) => self.logical("&&", left, right),
            (operators::LOGICAL_OR, [left, right]) => self.logical("||", left, right),
            (operators::LOGICAL_NOT, [only]) => {
                self.yes_or_no("!", only);
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
        condition: &'a IdedExpr,
        yes: &'a IdedExpr,
        no: &'a IdedExpr,
    ) -> Type {
        self.yes_or_no("?", condition);
        let (first, second) = (self.node(yes), self.node(no));
        if first == second {
            return first;
        }
        if !first.equals(second) {
            let at = self.places.span(no);
            self.fault(
                at,
                format!("one branch gives {first}, the other {second}"),
                "let both give the same type",
            );
        }
        Type::DYN
    }

    fn logical(&mut self, operator: &str, left: &'a IdedExpr, right: &'a IdedExpr) -> Type {
        self.yes_or_no(operator, left);
        self.yes_or_no(operator, right);
        Type::BOOL
    }

    fn yes_or_no(&mut self, operator: &str, node: &'a IdedExpr) {
        let of = self.node(node);
        if !of.fits(Type::BOOL) {
            let at = self.places.span(node);
            self.fault(
                at,
                format!("`{operator}` takes bool, this is {of}"),
                "compare it with something first",
            );
        }
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
        self.fault(at, format!("`-` is not defined for {of}"), help);
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
        self.fault(at, problem, advice(left, right));
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
            self.fault(at, problem, advice(first, second));
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
            self.fault(
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
                self.fault(
                    at,
                    format!("{whole} has no parts"),
                    "only lists and maps have",
                );
                return Type::DYN;
            }
        };
        if !key.fits(wanted) {
            let at = self.places.span(index);
            self.fault(
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
