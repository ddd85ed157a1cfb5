//! Checks of function calls: names, numbers and types of arguments, and the contents of literals.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};

use super::Checker;
use crate::domain::name_distance::nearest;
use crate::domain::rule::cel_backend::is_duration_or_time;
use crate::domain::rule::functions::{MACROS, OVERLOADS, Overload, Style};
use crate::domain::rule::pattern::Pattern;
use crate::domain::rule::types::Type;

impl<'a> Checker<'a> {
    pub(super) fn check_function(&mut self, node: &'a IdedExpr, call: &'a CallExpr) -> Type {
        let target = call.target.as_deref();
        let mut arguments: Vec<&'a IdedExpr> = Vec::with_capacity(call.args.len() + 1);
        arguments.extend(target);
        arguments.extend(&call.args);
        let name = call.func_name.as_str();
        if MACROS.contains(&name) || name == "has" {
            return self.report_macro_misuse(node, name);
        }
        let overloads: Vec<&Overload> = OVERLOADS.iter().filter(|one| one.name == name).collect();
        if overloads.is_empty() {
            return self.report_unknown_function(node, name);
        }
        let style = if target.is_some() {
            Style::Method
        } else {
            Style::Function
        };
        let has_arity =
            |one: &&&Overload| one.style == style && one.parameters.len() == arguments.len();
        let candidates: Vec<&Overload> = overloads.iter().filter(has_arity).copied().collect();
        if candidates.is_empty() {
            let at = self.spans.name_span(node);
            let help = format!("write {}", usage(overloads[0]));
            self.report(at, format!("`{name}` is called in another way"), help);
            return overloads[0].returns;
        }
        let argument_types: Vec<Type> = arguments.iter().map(|one| self.check_node(one)).collect();
        let accepts_arguments = |one: &&&Overload| {
            one.parameters
                .iter()
                .zip(&argument_types)
                .all(|(parameter, argument)| argument.is_assignable_to(*parameter))
        };
        let Some(overload) = candidates.iter().find(accepts_arguments) else {
            self.report_wrong_argument(&arguments, &argument_types, &candidates);
            return candidates[0].returns;
        };
        match name {
            "matches" => self.check_pattern(arguments[1]),
            "duration" => self.check_duration(node, arguments[0]),
            "timestamp" => self.check_timestamp(node, arguments[0]),
            _ => {}
        }
        overload.returns
    }

    /// Reports the first argument that no overload of the function takes.
    fn report_wrong_argument(
        &mut self,
        arguments: &[&IdedExpr],
        argument_types: &[Type],
        overloads: &[&Overload],
    ) {
        let name = overloads[0].name;
        let position = (0..argument_types.len())
            .find(|n| {
                overloads
                    .iter()
                    .all(|overload| !argument_types[*n].is_assignable_to(overload.parameters[*n]))
            })
            .unwrap_or(0);
        let mut expected: Vec<String> = Vec::new();
        for overload in overloads {
            let text = overload.parameters[position].to_string();
            if !expected.contains(&text) {
                expected.push(text);
            }
        }
        let help = match (name, argument_types[position]) {
            ("contains", Type::List(_) | Type::Map(_)) => "write value in list".to_owned(),
            _ => format!("it takes {}", expected.join(" or ")),
        };
        let at = self.spans.span(arguments[position]);
        self.report(
            at,
            format!("`{name}` does not take {}", argument_types[position]),
            help,
        );
    }

    fn report_macro_misuse(&mut self, node: &IdedExpr, name: &str) -> Type {
        let help = match name {
            "has" => "write has(map.key)",
            "map" => "write list.map(name, value), or list.map(name, condition, value)",
            _ => "write it as in member.tags.exists(tag, tag == \"vip\")",
        };
        let at = self.spans.name_span(node);
        self.report(at, format!("`{name}` is called in another way"), help);
        Type::DYN
    }

    fn report_unknown_function(&mut self, node: &IdedExpr, name: &str) -> Type {
        let names = OVERLOADS.iter().map(|one| one.name).chain(MACROS);
        let help = match nearest(name, names.chain(["has"])) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "known are size, startsWith, endsWith, contains, matches, duration, \
                     timestamp, int, double, string, bool, has, exists, all, map, filter and \
                     the get… of timestamps"
                .to_owned(),
        };
        let at = self.spans.name_span(node);
        self.report(at, format!("there is no function `{name}`"), help);
        Type::DYN
    }

    /// Checks a pattern. It is compiled together with the expression, so it must be a literal.
    fn check_pattern(&mut self, node: &IdedExpr) {
        let at = self.spans.span(node);
        let Expr::Literal(LiteralValue::String(text)) = &node.expr else {
            self.report(
                at,
                "the pattern of `matches` must stand here as a text",
                "patterns are compiled when the configuration is read: matches(r\"^\\d+$\")",
            );
            return;
        };
        if let Err(problem) = Pattern::compile(text.inner()) {
            let help = "patterns are those of the regex crate, without look-around; \
                        use smaller repetitions";
            self.report(at, format!("this is no pattern: {problem}"), help);
        }
    }

    /// Checks a literal duration. `cel` reads `1h 30m` as an hour and `2hours` as two hours, so a
    /// text with a part that `cel` would ignore is a mistake.
    fn check_duration(&mut self, node: &IdedExpr, argument: &IdedExpr) {
        let Expr::Literal(LiteralValue::String(text)) = &argument.expr else {
            return;
        };
        if !is_duration(text.inner()) || !is_duration_or_time(node) {
            let at = self.spans.span(argument);
            self.report(
                at,
                "this is not a duration",
                "write numbers with h, m or s, such as \"36h\" or \"1h30m\"; a day is \"24h\"",
            );
        }
    }

    fn check_timestamp(&mut self, node: &IdedExpr, argument: &IdedExpr) {
        let literal = matches!(&argument.expr, Expr::Literal(_));
        if literal && !is_duration_or_time(node) {
            let at = self.spans.span(argument);
            self.report(
                at,
                "this is not an instant",
                "write date, time and offset: \"2026-12-01T18:00:00+01:00\"",
            );
        }
    }
}

/// Returns how a function is called, for a message.
fn usage(of: &Overload) -> String {
    let mut parameters = of.parameters.iter().map(ToString::to_string);
    let target = match of.style {
        Style::Function => String::new(),
        Style::Method => parameters
            .next()
            .map(|first| format!("{first}."))
            .unwrap_or_default(),
    };
    let rest: Vec<String> = parameters.collect();
    format!("{target}{}({})", of.name, rest.join(", "))
}

/// Returns true for numbers with units, without blanks.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix('-').unwrap_or(text);
    if rest == "0" {
        return true;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let Some(number_length) = digits.filter(|length| *length > 0) else {
            return false;
        };
        rest = &rest[number_length..];
        let unit = ["ms", "us", "ns", "h", "m", "s"]
            .into_iter()
            .find(|u| rest.starts_with(u));
        let Some(unit) = unit else {
            return false;
        };
        rest = &rest[unit.len()..];
    }
    !text.is_empty() && text != "-"
}
