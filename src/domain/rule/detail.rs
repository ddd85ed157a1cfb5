//! The detail of a finding about an expression: every name that the expression reads, with its
//! value.

use std::fmt::Write;

use super::context::RuleContext;
use super::value::{ListRef, RuleValue};
use super::variable::{self, RuleVariable};
use crate::domain::time::Span;

/// The longest part of one text that is shown, in bytes.
const MAX_VALUE_BYTES: usize = 60;

/// The most elements of a list that are shown.
const MAX_ELEMENTS: usize = 4;

/// The longest detail, in characters: it is stored in a line of the log.
pub const MAX_DETAIL: usize = 400;

/// A variable, or an entry of a variable that is a map: `lookup.crm.score`.
#[derive(Debug)]
pub(super) struct VariablePath {
    pub(super) variable: RuleVariable,
    /// Keys that follow the variable, outermost first.
    pub(super) keys: Vec<Box<str>>,
    /// The path as a person writes it.
    pub(super) text: String,
}

impl VariablePath {
    /// Appends a key.
    pub(super) fn with_key(mut self, key: &str) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if key.chars().all(is_plain) {
            self.text.push('.');
            self.text.push_str(key);
        } else {
            let _ = write!(self.text, "[{key:?}]");
        }
        self.keys.push(key.into());
        self
    }

    fn read_value<'a>(&self, context: &RuleContext<'a>) -> Option<RuleValue<'a>> {
        let mut value = variable::read_value(self.variable, context);
        for key in &self.keys {
            let RuleValue::Map(table) = value else {
                return None;
            };
            value = table.get(key)?;
        }
        Some(value)
    }
}

/// Returns `path = value, path = value` for this request, at most `MAX_DETAIL` characters.
pub(super) fn describe(paths: &[VariablePath], context: &RuleContext<'_>) -> String {
    let mut detail = String::new();
    for path in paths {
        if !detail.is_empty() {
            detail.push_str(", ");
        }
        detail.push_str(&path.text);
        detail.push_str(" = ");
        match path.read_value(context) {
            Some(value) => write_value(&mut detail, value, false),
            None => detail.push_str("absent"),
        }
        // A character has at most four bytes, so what follows would be cut anyway.
        if detail.len() > 4 * MAX_DETAIL {
            break;
        }
    }
    if let Some((end, _)) = detail.char_indices().nth(MAX_DETAIL - 1)
        && detail[end..].chars().nth(1).is_some()
    {
        detail.truncate(end);
        detail.push('…');
    }
    detail
}

fn write_value(detail: &mut String, value: RuleValue<'_>, is_element: bool) {
    // Writing to a text cannot fail.
    let _ = match value {
        RuleValue::Null => write!(detail, "null"),
        RuleValue::Bool(of) => write!(detail, "{of}"),
        RuleValue::Int(of) => write!(detail, "{of}"),
        RuleValue::Double(of) => write!(detail, "{of}"),
        RuleValue::Text(of) => {
            let whole = |end: &usize| of.is_char_boundary(*end);
            let end = (0..=of.len().min(MAX_VALUE_BYTES))
                .rev()
                .find(whole)
                .unwrap_or(0);
            let cut = if end < of.len() { "…" } else { "" };
            write!(detail, "{:?}{cut}", &of[..end])
        }
        RuleValue::Duration(of) => write!(detail, "{}", format_exact_span(of)),
        RuleValue::Time(of) => write!(detail, "{}", of.format("%Y-%m-%dT%H:%M:%SZ")),
        RuleValue::Map(of) => write!(detail, "{{{} entries}}", of.len()),
        RuleValue::List(of) => {
            write_list(detail, of, is_element);
            Ok(())
        }
    };
}

/// Writes the first elements and the number of the others. Of a list within a list, writes only the
/// number of elements.
fn write_list(detail: &mut String, list: ListRef<'_>, is_element: bool) {
    let shown_count = if is_element { 0 } else { MAX_ELEMENTS };
    detail.push('[');
    for (n, element) in list.iter().take(shown_count).enumerate() {
        if n > 0 {
            detail.push_str(", ");
        }
        write_value(detail, element, true);
    }
    let more = list.len().saturating_sub(shown_count);
    if more > 0 {
        let comma = if shown_count > 0 { ", " } else { "" };
        let _ = write!(detail, "{comma}{more} more");
    }
    detail.push(']');
}

/// Formats a span exactly: `30h`, `1h30m`, `-45m`, `20s`, `1.5s`, `0s`.
fn format_exact_span(span: Span) -> String {
    let signed_millis = span.num_milliseconds();
    let millis = signed_millis.unsigned_abs();
    let mut text = if signed_millis < 0 {
        "-".to_owned()
    } else {
        String::new()
    };
    let parts = [
        (millis / 3_600_000, 'h'),
        (millis / 60_000 % 60, 'm'),
        (millis / 1_000 % 60, 's'),
    ];
    for (amount, unit) in parts {
        if amount > 0 && (unit != 's' || millis.is_multiple_of(1_000)) {
            let _ = write!(text, "{amount}{unit}");
        }
    }
    if !millis.is_multiple_of(1_000) {
        let _ = write!(text, "{}.{:03}s", millis / 1_000 % 60, millis % 1_000);
    } else if millis == 0 {
        text.push_str("0s");
    }
    text
}
