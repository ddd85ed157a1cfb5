//! Checks of names: those of the schema, fields of maps, and variables of macros.

use cel::common::ast::{Expr, IdedExpr, LiteralValue, SelectExpr};

use super::{Checker, MacroVariable};
use crate::domain::name_distance::nearest;
use crate::domain::rule::schema;
use crate::domain::rule::types::{Type, ValueKind};

impl<'a> Checker<'a> {
    fn macro_variable_type(&self, name: &str) -> Option<Type> {
        let has_name = |variable: &&MacroVariable<'a>| variable.name == name;
        self.variables
            .iter()
            .rfind(has_name)
            .map(|variable| variable.value_type)
    }

    /// Returns the group of names that a node is, such as `booking`.
    fn group_name(&self, node: &'a IdedExpr) -> Option<&'a str> {
        match &node.expr {
            Expr::Ident(name)
                if self.macro_variable_type(name).is_none() && schema::is_group(name) =>
            {
                Some(name)
            }
            _ => None,
        }
    }

    pub(super) fn is_lookup(&self, node: &IdedExpr) -> bool {
        matches!(&node.expr, Expr::Ident(name) if name == "lookup")
    }

    /// Checks a name without a field.
    pub(super) fn check_name(&mut self, node: &'a IdedExpr, name: &str) -> Type {
        if let Some(of) = self.macro_variable_type(name) {
            return of;
        }
        let at = self.spans.span(node);
        if name == "lookup" {
            self.report(
                at,
                "`lookup` is not a single value",
                "name the question: lookup.name, has(lookup.name) or \"name\" in lookup",
            );
            return Type::DYN;
        }
        if let Some(known) = schema::find_name(name) {
            self.check_purpose(at, known);
            return known.value_type;
        }
        if let Some(field) = schema::fields(name).next() {
            self.report(
                at,
                format!("`{name}` is not a single value"),
                format!("name a field, such as {name}.{field}"),
            );
            return Type::DYN;
        }
        let help = self.suggest_name(name);
        self.report(at, format!("there is no `{name}`"), help);
        Type::DYN
    }

    /// Suggests a name that may have been meant by an unknown one.
    fn suggest_name(&self, name: &str) -> String {
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
            join_unique(schema::roots())
        )
    }

    /// Checks `of.field` and `has(of.field)`.
    pub(super) fn check_select(&mut self, node: &'a IdedExpr, select: &'a SelectExpr) -> Type {
        let of = &*select.operand;
        let at = if select.test {
            self.spans.tested_field_span(node)
        } else {
            self.spans.field_span(node)
        };
        if let Some(group) = self.group_name(of) {
            return self.check_field(at, group, select);
        }
        if self.is_lookup(of) {
            self.check_lookup_name(at, &select.field);
            return if select.test { Type::BOOL } else { Type::DYN };
        }
        let operand_type = self.check_node(of);
        let field_type = match operand_type {
            Type::Map(kind) => Type::Scalar(kind),
            Type::Scalar(ValueKind::Dyn) => Type::DYN,
            Type::Scalar(_) | Type::List(_) => {
                let field = &select.field;
                let help = if schema::is_group(field) || operand_type == Type::TEXT {
                    "only maps have fields, such as booking.answers.topic"
                } else {
                    "only maps have fields; lists are asked with in, size() or exists()"
                };
                self.report(at, format!("{operand_type} has no field `{field}`"), help);
                Type::DYN
            }
        };
        if select.test { Type::BOOL } else { field_type }
    }

    /// Checks a field of a group.
    fn check_field(
        &mut self,
        at: std::ops::Range<usize>,
        group: &str,
        select: &SelectExpr,
    ) -> Type {
        let field = &select.field;
        let Some(known) = schema::find_name(&format!("{group}.{field}")) else {
            let help = match nearest(field, schema::fields(group)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", join_unique(schema::fields(group))),
            };
            self.report(at, format!("`{group}` has no `{field}`"), help);
            return if select.test { Type::BOOL } else { Type::DYN };
        };
        if !select.test {
            self.check_purpose(at, known);
            return known.value_type;
        }
        let help = match known.value_type {
            Type::List(_) | Type::Map(_) => format!("write size({group}.{field}) > 0"),
            Type::Scalar(ValueKind::Text) => format!("write {group}.{field} != \"\""),
            Type::Scalar(_) => "use it without has()".to_owned(),
        };
        self.report(at, format!("`{group}.{field}` is always there"), help);
        Type::BOOL
    }

    /// Checks the name of a lookup in `lookup[…]` and `… in lookup`.
    pub(super) fn check_lookup_key(&mut self, node: &'a IdedExpr) {
        let at = self.spans.span(node);
        match &node.expr {
            Expr::Literal(LiteralValue::String(name)) => self.check_lookup_name(at, name.inner()),
            _ => self.report(
                at,
                "the name of a lookup must stand here as a text",
                "only what an expression names is asked for: lookup[\"name\"]",
            ),
        }
    }

    fn check_lookup_name(&mut self, at: std::ops::Range<usize>, name: &str) {
        if self.known_lookups.contains(name) {
            return;
        }
        let known = || self.known_lookups.iter().map(String::as_str);
        let help = match nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.known_lookups.is_empty() => {
                "no lookup is configured: add a [[lookup]] with this name".to_owned()
            }
            None => format!("configured are {}", join_unique(known())),
        };
        self.report(at, format!("there is no lookup `{name}`"), help);
    }

    /// Checks that the variable of a macro does not hide a name of the schema.
    pub(super) fn check_macro_variable_name(&mut self, node: &IdedExpr, name: &str) {
        if schema::roots().any(|root| root == name) {
            let at = self.spans.variable_span(node);
            self.report(at, format!("`{name}` is taken"), "use another name for it");
        }
    }
}

/// Joins the words into a list, each once.
fn join_unique<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut unique: Vec<&str> = Vec::new();
    for word in words {
        if !unique.contains(&word) {
            unique.push(word);
        }
    }
    unique.join(", ")
}
