//! The values of a template: the names of the schema, with times and durations as people write
//! them.

use std::collections::BTreeMap;

use minijinja::{Error, ErrorKind, Value as Shown};

use crate::domain::id;
use crate::domain::messages::is_invisible;
use crate::domain::rule::context::RuleContext;
use crate::domain::rule::schema::{self, SchemaName};
use crate::domain::rule::value::RuleValue;
use crate::domain::rule::variable::{self, RuleVariable};
use crate::domain::time::Span;

/// How much of a booker's text a reason may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextLimits {
    /// The most characters of one text.
    text_chars: usize,
    /// The most elements of one list.
    elements: usize,
}

impl TextLimits {
    /// Enough for names and titles as people write them.
    pub(super) const DEFAULT: Self = Self {
        text_chars: 80,
        elements: 20,
    };

    /// For a reason in which the default limits would leave too little room for the operator's
    /// words.
    pub(super) const REDUCED: Self = Self {
        text_chars: 16,
        elements: 2,
    };

    /// For text that the operator or one of the operator's systems wrote.
    const UNLIMITED: Self = Self {
        text_chars: usize::MAX,
        elements: usize::MAX,
    };
}

/// Returns the value of a root name: a group with all its fields, or a single value.
pub(super) fn root_value(
    root: &str,
    context: &RuleContext<'_>,
    limits: TextLimits,
) -> Option<Shown> {
    let convert = |name: &SchemaName| {
        let limits = if is_written_by_booker(name.variable) {
            limits
        } else {
            TextLimits::UNLIMITED
        };
        match variable::read_value(name.variable, context) {
            // A price or a renewal that is not known: a template that shows it is not used.
            RuleValue::Null => Shown::UNDEFINED,
            value => to_template_value(value, context, limits),
        }
    };
    if let Some(name) = schema::find_name(root) {
        return Some(convert(name));
    }
    let fields: BTreeMap<String, Shown> = schema::fields(root)
        .filter_map(|field| {
            let name = schema::find_name(&format!("{root}.{field}"))?;
            Some((field.to_owned(), convert(name)))
        })
        .collect();
    (!fields.is_empty()).then(|| Shown::from(fields))
}

/// Returns true if the booker decides what the variable contains.
fn is_written_by_booker(variable: RuleVariable) -> bool {
    matches!(
        variable,
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

fn to_template_value(value: RuleValue<'_>, context: &RuleContext<'_>, limits: TextLimits) -> Shown {
    match value {
        RuleValue::Null => Shown::from(()),
        RuleValue::Bool(of) => Shown::from(of),
        RuleValue::Int(of) => Shown::from(of),
        RuleValue::Double(of) => number(of),
        RuleValue::Text(of) => Shown::from(sanitize(of, limits.text_chars)),
        RuleValue::Duration(of) => Shown::from(format_rounded_span(of)),
        RuleValue::Time(of) => {
            let local = of.with_timezone(&context.zone);
            Shown::from(local.format("%Y-%m-%d %H:%M").to_string())
        }
        RuleValue::List(of) => {
            let elements = of.iter().take(limits.elements);
            Shown::from(
                elements
                    .map(|one| to_template_value(one, context, limits))
                    .collect::<Vec<_>>(),
            )
        }
        // A template names the entries that it shows, so none of them may be missing.
        RuleValue::Map(of) => {
            let entries = of
                .iter()
                .map(|(key, one)| (key.to_owned(), to_template_value(one, context, limits)));
            Shown::from(entries.collect::<BTreeMap<String, Shown>>())
        }
    }
}

/// Makes a text that a stranger may have written harmless for a mail and a public page: puts it on
/// one line, removes characters that are invisible or change the order of reading and the
/// characters of HTML and links, and cuts it.
fn sanitize(text: &str, max: usize) -> String {
    let text = id::decode_domains(text);
    let visible = text
        .chars()
        .filter(|c| !is_invisible(*c) || c.is_whitespace());
    let plain: String = visible
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

/// Returns a whole number without a fraction: all numbers in answers are doubles, but people do not
/// write `3.0`.
#[expect(clippy::cast_possible_truncation, reason = "whole and small enough")]
fn number(of: f64) -> Shown {
    let is_whole = of.fract() == 0.0 && of.abs() < 1e15;
    if is_whole {
        Shown::from(of as i64)
    } else {
        Shown::from(of)
    }
}

/// Formats a span by its two largest units, in symbols that most languages share: `3 d 4 h`,
/// `30 h`, `1 h 30 min`, `45 min`, `20 s`. Hours go up to two days.
pub(super) fn format_rounded_span(span: Span) -> String {
    let seconds = span.num_seconds();
    let magnitude = seconds.unsigned_abs();
    let (days, hours, minutes) = (magnitude / 86_400, magnitude / 3_600, magnitude / 60);
    let parts = if hours >= 48 {
        [(days, "d"), (hours % 24, "h")]
    } else if hours > 0 {
        [(hours, "h"), (minutes % 60, "min")]
    } else if minutes > 0 {
        [(minutes, "min"), (0, "s")]
    } else {
        [(magnitude, "s"), (0, "s")]
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

/// Describes an error of the engine, without the engine's own terms.
pub(super) fn error_message(error: &Error) -> String {
    let detail = error.detail().unwrap_or_default();
    match error.kind() {
        ErrorKind::UndefinedError if detail.is_empty() => {
            "a value that the template uses does not exist".to_owned()
        }
        ErrorKind::OutOfFuel => "the template takes too much work".to_owned(),
        kind if detail.is_empty() => kind.to_string(),
        _ => detail.chars().take(200).collect(),
    }
}
