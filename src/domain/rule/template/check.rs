//! Finds mistakes in a template when the configuration is read. Checks its names against the
//! schema, and renders it for two sample requests: one with all values present, one with few.

use std::ops::Range;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, ErrorKind, Value as Shown};

use super::{ENGINE, MAX_TEMPLATE_BYTES, render, values};
use crate::domain::name_distance::nearest;
use crate::domain::rule::diagnostic::RuleDiagnostic;
use crate::domain::rule::schema::{self, SchemaName};
use crate::domain::rule::types::{Type, ValueKind};

/// The most tokens between braces: in the worst case the engine's parser recurses once per token.
const MAX_TOKENS: usize = 300;

/// How deep brackets may nest between braces.
const MAX_NESTING: usize = 12;

pub(super) fn check_template(text: &str) -> Result<(), RuleDiagnostic> {
    let whole = 0..text.len();
    if text.len() > MAX_TEMPLATE_BYTES {
        let problem = format!("the template is {} bytes long", text.len());
        return Err(RuleDiagnostic::new(
            whole,
            problem,
            format!("keep it below {MAX_TEMPLATE_BYTES} bytes"),
        ));
    }
    if text.trim().is_empty() {
        return Err(RuleDiagnostic::new(
            whole,
            "the template is empty",
            "write what the booker should read",
        ));
    }
    check_bounds(text)?;
    let template = ENGINE
        .template_from_str(text)
        .map_err(|error| engine_diagnostic(text, &error))?;
    let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
    names.sort_by_key(|name| find_span(text, name).start);
    for name in &names {
        check_name(text, name)?;
    }
    for with_content in [true, false] {
        match render(text, &|root| sample_value(root, with_content)) {
            Err(error) if is_static_error(&error) => return Err(engine_diagnostic(text, &error)),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// Checks that nothing between braces could overflow the stack of the engine's parser.
fn check_bounds(text: &str) -> Result<(), RuleDiagnostic> {
    let mut tokens: usize = 0;
    let mut open_brackets: usize = 0;
    let mut in_braces = false;
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        match (previous, c) {
            ('{', '{' | '%') if !in_braces => (in_braces, open_brackets) = (true, 0),
            ('}' | '%', '}') if in_braces && open_brackets <= 1 => in_braces = false,
            (_, '(' | '[' | '{') if in_braces => open_brackets += 1,
            (_, ')' | ']' | '}') if in_braces => open_brackets = open_brackets.saturating_sub(1),
            (_, _) => {}
        }
        let continues_token = c.is_whitespace() || (is_letter(c) && is_letter(previous));
        tokens += usize::from(in_braces && !continues_token);
        if tokens > MAX_TOKENS || open_brackets > MAX_NESTING {
            return Err(RuleDiagnostic::new(
                at..at + c.len_utf8(),
                "too much is computed in this template",
                "keep to names, filters and plain conditions",
            ));
        }
        previous = c;
    }
    Ok(())
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Checks one name of the template, with everything that follows a dot.
fn check_name(text: &str, path: &str) -> Result<(), RuleDiagnostic> {
    if ENGINE.globals().any(|(name, _)| path == name) {
        return Ok(());
    }
    let at = find_span(text, path);
    let (root, rest) = path.split_once('.').unwrap_or((path, ""));
    if let Some(name) = schema::find_name(root) {
        return check_rest_of_path(name, rest, at);
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
            format!("`{root}` is not a single value"),
            format!("name a field, such as {root}.{field}"),
        ));
    }
    match schema::find_name(&format!("{root}.{field}")) {
        Some(name) => check_rest_of_path(name, rest, at),
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

fn check_rest_of_path(
    name: &SchemaName,
    rest: &str,
    at: Range<usize>,
) -> Result<(), RuleDiagnostic> {
    if rest.is_empty() || matches!(name.value_type, Type::Map(_)) {
        return Ok(());
    }
    let problem = format!("`{}` is {} and has no `{rest}`", name.path, name.value_type);
    Err(RuleDiagnostic::new(
        at,
        problem,
        format!("write {}", name.path),
    ))
}

/// Returns where a name first appears, or where its root does if the name is written with blanks.
fn find_span(text: &str, path: &str) -> Range<usize> {
    let root = path.split('.').next().unwrap_or(path);
    let span = [path, root].into_iter().find_map(|word| {
        let is_whole_word = |at: &usize| {
            let char_before = text[..*at].chars().next_back();
            let char_after = text[at + word.len()..].chars().next();
            !char_before.is_some_and(|c| is_letter(c) || c == '.')
                && !char_after.is_some_and(is_letter)
        };
        let at = text
            .match_indices(word)
            .map(|(at, _)| at)
            .find(is_whole_word)?;
        Some(at..at + word.len())
    });
    span.unwrap_or(0..text.len())
}

/// Converts an error of the engine, with the line of the template to which it refers.
fn engine_diagnostic(text: &str, error: &Error) -> RuleDiagnostic {
    let help = match error.kind() {
        ErrorKind::SyntaxError => {
            "write {{ name }}, {{ name | filter }} or {% if … %} … {% endif %}"
        }
        ErrorKind::UnknownFilter => "filters are those of minijinja, such as upper, join, default",
        _ => "names, filters and conditions are as in Jinja",
    };
    RuleDiagnostic::new(
        line_span(text, error.line()),
        values::error_message(error),
        help,
    )
}

/// Returns the place of a line, counted from 1, without blanks around it; the whole text if no
/// number is given.
fn line_span(text: &str, number: Option<usize>) -> Range<usize> {
    let Some(number) = number else {
        return 0..text.len();
    };
    let mut start = 0;
    for (n, line) in text.split_inclusive('\n').enumerate() {
        if n + 1 == number {
            let indent = line.len() - line.trim_start().len();
            return start + indent..start + indent.max(line.trim_end().len());
        }
        start += line.len();
    }
    text.len()..text.len()
}

/// Returns true for errors that do not depend on the values of the request.
fn is_static_error(error: &Error) -> bool {
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

/// Returns a sample value for a root name.
fn sample_value(root: &str, with_content: bool) -> Option<Shown> {
    if let Some(name) = schema::find_name(root) {
        return Some(sample_of_type(name.value_type, with_content));
    }
    let fields = schema::NAMES.iter().filter_map(|name| {
        let (group, field) = name.path.split_once('.')?;
        (group == root).then(|| {
            (
                field.to_owned(),
                sample_of_type(name.value_type, with_content),
            )
        })
    });
    let fields: std::collections::BTreeMap<String, Shown> = fields.collect();
    (!fields.is_empty()).then(|| Shown::from(fields))
}

fn sample_of_type(of: Type, with_content: bool) -> Shown {
    match of {
        Type::Scalar(ValueKind::Bool) => Shown::from(with_content),
        Type::Scalar(ValueKind::Int | ValueKind::Double) => Shown::from(i64::from(with_content)),
        Type::Scalar(ValueKind::Text) => Shown::from(if with_content { "sample" } else { "" }),
        Type::Scalar(ValueKind::Duration) => Shown::from("1 h"),
        Type::Scalar(ValueKind::Time) => Shown::from("2026-12-01 18:00"),
        Type::Scalar(ValueKind::Null) => Shown::from(()),
        Type::List(_) if with_content => Shown::from(vec![Shown::from("sample")]),
        Type::List(_) => Shown::from(Vec::<Shown>::new()),
        Type::Scalar(ValueKind::Dyn) | Type::Map(_) => Shown::from_object(SampleObject),
    }
}

/// A sample that has every key and can be shown as a text.
#[derive(Debug)]
struct SampleObject;

impl Object for SampleObject {
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
