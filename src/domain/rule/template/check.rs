//! Finds mistakes in a template when the configuration is read: its names are held to the schema,
//! and it is rendered for a sample request, once with everything there and once with little.

use std::ops::Range;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, ErrorKind, Value as Shown};

use super::{ENGINE, MAX_TEMPLATE, render, values};
use crate::domain::near::nearest;
use crate::domain::rule::diagnostic::RuleDiagnostic;
use crate::domain::rule::schema::{self, SchemaName};
use crate::domain::rule::types::{Kind, Type};

/// The most words between braces: the engine's parser recurses once a word in the worst case.
const MAX_WORDS: usize = 300;

/// How deep brackets may nest between braces.
const MAX_NESTING: usize = 12;

pub(super) fn check(text: &str) -> Result<(), RuleDiagnostic> {
    let whole = 0..text.len();
    if text.len() > MAX_TEMPLATE {
        let problem = format!("the template is {} bytes long", text.len());
        return Err(RuleDiagnostic::new(
            whole,
            problem,
            format!("keep it below {MAX_TEMPLATE} bytes"),
        ));
    }
    if text.trim().is_empty() {
        return Err(RuleDiagnostic::new(
            whole,
            "the template is empty",
            "write what the booker should read",
        ));
    }
    bounded(text)?;
    let template = ENGINE
        .template_from_str(text)
        .map_err(|error| broken(text, &error))?;
    let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
    names.sort_by_key(|name| place(text, name).start);
    for name in &names {
        known(text, name)?;
    }
    for rich in [true, false] {
        match render(text, &|root| sample(root, rich)) {
            Err(error) if is_mistake(&error) => return Err(broken(text, &error)),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// Nothing between braces that could overflow the stack of the engine's parser.
fn bounded(text: &str) -> Result<(), RuleDiagnostic> {
    let mut words: usize = 0;
    let mut open: usize = 0;
    let mut within = false;
    let mut last = ' ';
    for (at, c) in text.char_indices() {
        match (last, c) {
            ('{', '{' | '%') if !within => (within, open) = (true, 0),
            ('}' | '%', '}') if within && open <= 1 => within = false,
            (_, '(' | '[' | '{') if within => open += 1,
            (_, ')' | ']' | '}') if within => open = open.saturating_sub(1),
            (_, _) => {}
        }
        let continues = c.is_whitespace() || (is_letter(c) && is_letter(last));
        words += usize::from(within && !continues);
        if words > MAX_WORDS || open > MAX_NESTING {
            return Err(RuleDiagnostic::new(
                at..at + c.len_utf8(),
                "too much is computed in this template",
                "keep to names, filters and plain conditions",
            ));
        }
        last = c;
    }
    Ok(())
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// One name of the template, with everything that follows a dot.
fn known(text: &str, path: &str) -> Result<(), RuleDiagnostic> {
    if ENGINE.globals().any(|(name, _)| path == name) {
        return Ok(());
    }
    let at = place(text, path);
    let (root, rest) = path.split_once('.').unwrap_or((path, ""));
    if let Some(name) = schema::find(root) {
        return parts(name, rest, at);
    }
    if !schema::is_group(root) {
        let help = match nearest(root, schema::roots()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "known are the names that rules know, such as member.balance".to_owned(),
        };
        return Err(RuleDiagnostic::new(
            at,
            format!("there is no `{root}`"),
            help,
        ));
    }
    let (field, rest) = rest.split_once('.').unwrap_or((rest, ""));
    if field.is_empty() {
        let field = schema::fields(root).next().unwrap_or_default();
        return Err(RuleDiagnostic::new(
            at,
            format!("`{root}` stands for no single value"),
            format!("say what of it, such as {root}.{field}"),
        ));
    }
    match schema::find(&format!("{root}.{field}")) {
        Some(name) => parts(name, rest, at),
        None => {
            let help = match nearest(field, schema::fields(root)) {
                Some(near) => format!("did you mean `{root}.{near}`?"),
                None => {
                    let fields: Vec<&str> = schema::fields(root).collect();
                    format!("known are {}", fields.join(", "))
                }
            };
            Err(RuleDiagnostic::new(
                at,
                format!("`{root}` has no `{field}`"),
                help,
            ))
        }
    }
}

fn parts(name: &SchemaName, rest: &str, at: Range<usize>) -> Result<(), RuleDiagnostic> {
    if rest.is_empty() || matches!(name.of, Type::Map(_)) {
        return Ok(());
    }
    let problem = format!("`{}` is {} and has no `{rest}`", name.path, name.of);
    Err(RuleDiagnostic::new(
        at,
        problem,
        format!("write {}", name.path),
    ))
}

/// Where a name stands first; where its root does, when it is written with blanks.
fn place(text: &str, path: &str) -> Range<usize> {
    let root = path.split('.').next().unwrap_or(path);
    let found = [path, root].into_iter().find_map(|word| {
        let free = |at: &usize| {
            let before = text[..*at].chars().next_back();
            let behind = text[at + word.len()..].chars().next();
            !before.is_some_and(|c| is_letter(c) || c == '.') && !behind.is_some_and(is_letter)
        };
        let at = text.match_indices(word).map(|(at, _)| at).find(free)?;
        Some(at..at + word.len())
    });
    found.unwrap_or(0..text.len())
}

/// What the engine says of a line of the template.
fn broken(text: &str, error: &Error) -> RuleDiagnostic {
    let help = match error.kind() {
        ErrorKind::SyntaxError => {
            "write {{ name }}, {{ name | filter }} or {% if … %} … {% endif %}"
        }
        ErrorKind::UnknownFilter => "filters are those of minijinja, such as upper, join, default",
        _ => "names, filters and conditions are as in Jinja",
    };
    RuleDiagnostic::new(line(text, error.line()), values::readable(error), help)
}

/// A line of the text, counted from 1, without blanks around it; all of it when none is given.
fn line(text: &str, number: Option<usize>) -> Range<usize> {
    let Some(number) = number else {
        return 0..text.len();
    };
    let mut start = 0;
    for (n, line) in text.split_inclusive('\n').enumerate() {
        if n + 1 == number {
            let left = line.len() - line.trim_start().len();
            return start + left..start + left.max(line.trim_end().len());
        }
        start += line.len();
    }
    text.len()..text.len()
}

/// Errors that do not depend on what the request holds.
fn is_mistake(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnknownFilter
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownMethod
            | ErrorKind::SyntaxError
            | ErrorKind::MissingArgument
            | ErrorKind::TooManyArguments
            | ErrorKind::OutOfFuel
    )
}

/// A value for a root name.
fn sample(root: &str, rich: bool) -> Option<Shown> {
    if let Some(name) = schema::find(root) {
        return Some(of_type(name.of, rich));
    }
    let fields = schema::NAMES.iter().filter_map(|name| {
        let (group, field) = name.path.split_once('.')?;
        (group == root).then(|| (field.to_owned(), of_type(name.of, rich)))
    });
    let fields: std::collections::BTreeMap<String, Shown> = fields.collect();
    (!fields.is_empty()).then(|| Shown::from(fields))
}

fn of_type(of: Type, rich: bool) -> Shown {
    match of {
        Type::One(Kind::Bool) => Shown::from(rich),
        Type::One(Kind::Int | Kind::Double) => Shown::from(i64::from(rich)),
        Type::One(Kind::Text) => Shown::from(if rich { "sample" } else { "" }),
        Type::One(Kind::Duration) => Shown::from("1 h"),
        Type::One(Kind::Time) => Shown::from("2026-12-01 18:00"),
        Type::One(Kind::Null) => Shown::from(()),
        Type::List(_) if rich => Shown::from(vec![Shown::from("sample")]),
        Type::List(_) => Shown::from(Vec::<Shown>::new()),
        Type::One(Kind::Dyn) | Type::Map(_) => Shown::from_object(Anything),
    }
}

/// Has every key, and is a text.
#[derive(Debug)]
struct Anything;

impl Object for Anything {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, _: &Shown) -> Option<Shown> {
        Some(Shown::from_object(Self))
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sample")
    }
}
