//! Names of the schema, fields of maps, and what macros name.

use cel::common::ast::{Expr, IdedExpr, LiteralValue, SelectExpr};

use super::{Checker, MacroVariable};
use crate::domain::near::nearest;
use crate::domain::rule::schema;
use crate::domain::rule::types::{Kind, Type};

impl<'a> Checker<'a> {
    fn macro_variable(&self, name: &str) -> Option<Type> {
        let named = |variable: &&MacroVariable<'a>| variable.name == name;
        self.variables
            .iter()
            .rfind(named)
            .map(|variable| variable.of)
    }

    /// The group of names that a node is: `booking` and its kin.
    fn group(&self, node: &'a IdedExpr) -> Option<&'a str> {
        match &node.expr {
            Expr::Ident(name) if self.macro_variable(name).is_none() && schema::is_group(name) => {
                Some(name)
            }
            _ => None,
        }
    }

    pub(super) fn is_lookup(&self, node: &IdedExpr) -> bool {
        matches!(&node.expr, Expr::Ident(name) if name == "lookup")
    }

    /// A name that stands alone.
    pub(super) fn name(&mut self, node: &'a IdedExpr, name: &str) -> Type {
        if let Some(of) = self.macro_variable(name) {
            return of;
        }
        let at = self.places.span(node);
        if name == "lookup" {
            self.report(
                at,
                "`lookup` stands for no single value",
                "name the question: lookup.name, has(lookup.name) or \"name\" in lookup",
            );
            return Type::DYN;
        }
        if let Some(known) = schema::find(name) {
            return known.of;
        }
        if let Some(field) = schema::fields(name).next() {
            self.report(
                at,
                format!("`{name}` stands for no single value"),
                format!("say what of it, such as {name}.{field}"),
            );
            return Type::DYN;
        }
        let help = self.meant(name);
        self.report(at, format!("there is no `{name}`"), help);
        Type::DYN
    }

    /// What may have been meant by a name that is not known.
    fn meant(&self, name: &str) -> String {
        let mut known: Vec<&str> = schema::roots().collect();
        let variables = self.variables.iter().map(|variable| variable.name);
        known.extend(variables.filter(|name| !name.starts_with('@')));
        if let Some(near) = nearest(name, known) {
            return format!("did you mean `{near}`?");
        }
        let field = |path: &&'static str| path.rsplit_once('.').is_some_and(|(_, f)| f == name);
        if let Some(path) = schema::NAMES.iter().map(|name| name.path).find(field) {
            return format!("did you mean `{path}`?");
        }
        format!(
            "known are {}; texts stand in quotes",
            listed(schema::roots())
        )
    }

    /// `of.field`, and `has(of.field)`.
    pub(super) fn select(&mut self, node: &'a IdedExpr, select: &'a SelectExpr) -> Type {
        let of = &*select.operand;
        let at = if select.test {
            self.places.tested(node)
        } else {
            self.places.field(node)
        };
        if let Some(group) = self.group(of) {
            return self.field(at, group, select);
        }
        if self.is_lookup(of) {
            self.lookup_name(at, &select.field);
            return if select.test { Type::BOOL } else { Type::DYN };
        }
        let whole = self.node(of);
        let part = match whole {
            Type::Map(kind) => Type::One(kind),
            Type::One(Kind::Dyn) => Type::DYN,
            Type::One(_) | Type::List(_) => {
                let field = &select.field;
                let help = if schema::is_group(field) || whole == Type::TEXT {
                    "only maps have fields, such as booking.answers.topic"
                } else {
                    "only maps have fields; lists are asked with in, size() or exists()"
                };
                self.report(at, format!("{whole} has no field `{field}`"), help);
                Type::DYN
            }
        };
        if select.test { Type::BOOL } else { part }
    }

    /// A field of a group.
    fn field(&mut self, at: std::ops::Range<usize>, group: &str, select: &SelectExpr) -> Type {
        let field = &select.field;
        let Some(known) = schema::find(&format!("{group}.{field}")) else {
            let help = match nearest(field, schema::fields(group)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", listed(schema::fields(group))),
            };
            self.report(at, format!("`{group}` has no `{field}`"), help);
            return if select.test { Type::BOOL } else { Type::DYN };
        };
        if !select.test {
            return known.of;
        }
        let help = match known.of {
            Type::List(_) | Type::Map(_) => format!("write size({group}.{field}) > 0"),
            Type::One(Kind::Text) => format!("write {group}.{field} != \"\""),
            Type::One(_) => "use it without has()".to_owned(),
        };
        self.report(at, format!("`{group}.{field}` is always there"), help);
        Type::BOOL
    }

    /// What stands for the name of a lookup in `lookup[…]` and `… in lookup`.
    pub(super) fn lookup_key(&mut self, node: &'a IdedExpr) {
        let at = self.places.span(node);
        match &node.expr {
            Expr::Literal(LiteralValue::String(name)) => self.lookup_name(at, name.inner()),
            _ => self.report(
                at,
                "the name of a lookup must stand here as a text",
                "only what an expression names is asked for: lookup[\"name\"]",
            ),
        }
    }

    fn lookup_name(&mut self, at: std::ops::Range<usize>, name: &str) {
        if self.known_lookups.contains(name) {
            return;
        }
        let known = || self.known_lookups.iter().map(String::as_str);
        let help = match nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.known_lookups.is_empty() => {
                "no lookup is configured: add a [[lookup]] with this name".to_owned()
            }
            None => format!("configured are {}", listed(known())),
        };
        self.report(at, format!("there is no lookup `{name}`"), help);
    }

    /// The variable of a macro must not hide a name of the schema.
    pub(super) fn variable_is_new(&mut self, node: &IdedExpr, name: &str) {
        if schema::roots().any(|root| root == name) {
            let at = self.places.variable(node);
            self.report(at, format!("`{name}` is taken"), "use another name for it");
        }
    }
}

/// LocalizedText as a list; each once.
fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut once: Vec<&str> = Vec::new();
    for word in words {
        if !once.contains(&word) {
            once.push(word);
        }
    }
    once.join(", ")
}
