//! What a template sees: the names of the schema, with times and durations as people write them.

use std::collections::BTreeMap;

use minijinja::{Error, ErrorKind, Value as Shown};

use crate::domain::id;
use crate::domain::rule::context::RuleContext;
use crate::domain::rule::schema::{self, SchemaName};
use crate::domain::rule::value::Value;
use crate::domain::rule::variable::{self, RuleVariable};
use crate::domain::text::is_unseen;
use crate::domain::time::Span;

/// How much of what a stranger wrote a reason may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextLimits {
    /// Characters of one text.
    texts: usize,
    /// Elements of one list.
    elements: usize,
}

impl TextLimits {
    /// Enough for names and titles as people write them.
    pub(super) const USUAL: Self = Self {
        texts: 80,
        elements: 20,
    };

    /// For when the usual would crowd out the operator's words.
    pub(super) const LITTLE: Self = Self {
        texts: 16,
        elements: 2,
    };

    /// For what the operator, or a system of the operator's, wrote.
    const PLENTY: Self = Self {
        texts: usize::MAX,
        elements: usize::MAX,
    };
}

/// What stands for a root name: a group with all its fields, or a single value.
pub(super) fn value(root: &str, context: &RuleContext<'_>, limits: TextLimits) -> Option<Shown> {
    let shown = |name: &SchemaName| {
        let limits = if is_by_a_stranger(name.variable) {
            limits
        } else {
            TextLimits::PLENTY
        };
        shown(variable::read(name.variable, context), context, limits)
    };
    if let Some(name) = schema::find(root) {
        return Some(shown(name));
    }
    let fields: BTreeMap<String, Shown> = schema::fields(root)
        .filter_map(|field| {
            let name = schema::find(&format!("{root}.{field}"))?;
            Some((field.to_owned(), shown(name)))
        })
        .collect();
    (!fields.is_empty()).then(|| Shown::from(fields))
}

/// Whether whoever books decides what it says.
fn is_by_a_stranger(field: RuleVariable) -> bool {
    matches!(
        field,
        RuleVariable::Title
            | RuleVariable::Description
            | RuleVariable::Location
            | RuleVariable::Guests
            | RuleVariable::Attendees
            | RuleVariable::Answers
            | RuleVariable::Metadata
            | RuleVariable::BookerAddress
            | RuleVariable::BookerDomain
            | RuleVariable::BookerName
            | RuleVariable::BookerZone
            | RuleVariable::BookerLanguage
    )
}

fn shown(value: Value<'_>, context: &RuleContext<'_>, limits: TextLimits) -> Shown {
    match value {
        Value::Null => Shown::from(()),
        Value::Bool(of) => Shown::from(of),
        Value::Int(of) => Shown::from(of),
        Value::Double(of) => number(of),
        Value::Text(of) => Shown::from(harmless(of, limits.texts)),
        Value::Duration(of) => Shown::from(spoken(of)),
        Value::Time(of) => {
            let local = of.with_timezone(&context.zone);
            Shown::from(local.format("%Y-%m-%d %H:%M").to_string())
        }
        Value::List(of) => {
            let elements = of.iter().take(limits.elements);
            Shown::from(
                elements
                    .map(|one| shown(one, context, limits))
                    .collect::<Vec<_>>(),
            )
        }
        // A template names the entries that it shows, so none of them may be missing.
        Value::Map(of) => {
            let entries = of
                .iter()
                .map(|(key, one)| (key.to_owned(), shown(one, context, limits)));
            Shown::from(entries.collect::<BTreeMap<String, Shown>>())
        }
    }
}

/// A text that a stranger may have written, made harmless for a mail and a public page: on one line,
/// without characters that are not seen or change the order of reading, without the signs of HTML and
/// of links, and cut.
fn harmless(text: &str, max: usize) -> String {
    let text = id::readable(text);
    let seen = text.chars().filter(|c| !is_unseen(*c) || c.is_whitespace());
    let plain: String = seen
        .map(|c| {
            if matches!(c, '<' | '>' | '`' | '{' | '}') {
                ' '
            } else {
                c
            }
        })
        .collect();
    let plain = plain.replace("://", " ");
    let line = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().nth(max).is_none() {
        return line;
    }
    let cut: String = line.chars().take(max - 1).collect();
    format!("{}…", cut.trim_end())
}

/// Answers know doubles only; people do not write `3.0`.
#[expect(clippy::cast_possible_truncation, reason = "whole and small enough")]
fn number(of: f64) -> Shown {
    let whole = of.fract() == 0.0 && of.abs() < 1e15;
    if whole {
        Shown::from(of as i64)
    } else {
        Shown::from(of)
    }
}

/// `3 d 4 h`, `30 h`, `1 h 30 min`, `45 min`, `20 s`: the two largest units, in signs that most
/// languages share. Hours go up to two days.
pub(super) fn spoken(span: Span) -> String {
    let seconds = span.num_seconds();
    let all = seconds.unsigned_abs();
    let (days, hours, minutes) = (all / 86_400, all / 3_600, all / 60);
    let parts = if hours >= 48 {
        [(days, "d"), (hours % 24, "h")]
    } else if hours > 0 {
        [(hours, "h"), (minutes % 60, "min")]
    } else if minutes > 0 {
        [(minutes, "min"), (0, "s")]
    } else {
        [(all, "s"), (0, "s")]
    };
    let words = parts.iter().filter(|(amount, _)| *amount > 0);
    let words: Vec<String> = words
        .map(|(amount, unit)| format!("{amount} {unit}"))
        .collect();
    let sign = if seconds < 0 { "-" } else { "" };
    if words.is_empty() {
        return "0 s".to_owned();
    }
    format!("{sign}{}", words.join(" "))
}

/// The engine's errors, without its own names for things.
pub(super) fn readable(error: &Error) -> String {
    let detail = error.detail().unwrap_or_default();
    match error.kind() {
        ErrorKind::UndefinedError if detail.is_empty() => {
            "something that the template names is not there".to_owned()
        }
        ErrorKind::OutOfFuel => "the template takes too much work".to_owned(),
        kind if detail.is_empty() => kind.to_string(),
        _ => detail.chars().take(200).collect(),
    }
}
