//! What a reading has found so far, and where everything stands: findings are addressed by the path
//! of a key, so that a check of several keys can point at each.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::diagnostic::{Diagnostic, Excerpt, Position, Severity};
use super::{secret_detection, string_spans};
use crate::domain::rule::diagnostic::RuleDiagnostic;

/// How much of a long line is shown.
const MAX_LINE: usize = 100;

/// How much of a value or a key is repeated in a message.
const MAX_VALUE: usize = 60;

/// The findings of one text, while it is read.
pub(super) struct DiagnosticCollector<'a> {
    text: &'a str,
    file: &'a str,
    /// The text seems to hold a secret: no line and no value of it is shown.
    has_secret: bool,
    /// Where keys and values stand, by path.
    spans: BTreeMap<String, Range<usize>>,
    /// Every key that was asked for, with `[]` for the place in a list.
    known_keys: BTreeSet<String>,
    diagnostics: Vec<LocatedDiagnostic>,
}

/// A finding, and what it was found by.
struct LocatedDiagnostic {
    /// The path as it stands in the text; the finding's own may hide a part.
    key: String,
    /// The offset it stands at. Those that stand nowhere come last.
    offset: usize,
    diagnostic: Diagnostic,
}

impl<'a> DiagnosticCollector<'a> {
    pub(super) fn new(text: &'a str, file: &'a str) -> Self {
        Self {
            text,
            file,
            has_secret: secret_detection::text_has_secret(text),
            spans: BTreeMap::new(),
            known_keys: BTreeSet::new(),
            diagnostics: Vec::new(),
        }
    }

    /// Remembers where the key's value stands.
    pub(super) fn record_span(&mut self, key: &str, span: Range<usize>) {
        self.spans.insert(key.to_owned(), span);
    }

    /// Remembers that there is such a key.
    pub(super) fn register_key(&mut self, key: &str) {
        let mut plain = String::new();
        let mut in_brackets = false;
        for c in key.chars() {
            in_brackets = c == '[' || (in_brackets && c != ']');
            if !in_brackets || c == '[' {
                plain.push(c);
            }
        }
        self.known_keys.insert(plain);
    }

    /// An error about the key. The first of a key is enough: what follows is mostly its echo.
    pub(super) fn error(&mut self, key: &str, problem: String, help: impl Into<String>) {
        self.add(Severity::Error, key, problem, help.into());
    }

    /// A warning about the key, unless there is an error about it.
    pub(super) fn warn(&mut self, key: &str, problem: String, help: impl Into<String>) {
        self.add(Severity::Warning, key, problem, help.into());
    }

    /// An error at a place within the text that the key has for its value. All of them are told.
    pub(super) fn rule_error(&mut self, key: &str, value: &str, diagnostic: RuleDiagnostic) {
        let Some(value_span) = self.spans.get(key).cloned() else {
            self.error(key, diagnostic.problem, diagnostic.help);
            return;
        };
        let part_span =
            string_spans::find_part(&self.text[value_span.clone()], value, &diagnostic.at);
        let span = part_span.map_or(value_span.clone(), |part| {
            value_span.start + part.start..value_span.start + part.end
        });
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            file: self.file.to_owned(),
            key: self.show_key(key).unwrap_or_default(),
            position: Some(self.position_at(span.clone())),
            problem: diagnostic.problem,
            help: diagnostic.help,
        };
        self.diagnostics.push(LocatedDiagnostic {
            key: key.to_owned(),
            offset: span.start,
            diagnostic,
        });
    }

    /// An error at a place where no key could be read. The first of a line is enough.
    pub(super) fn syntax_error(&mut self, span: Range<usize>, problem: String, help: String) {
        let at = span.start;
        let position = self.position_at(span);
        let line_of =
            |found: &LocatedDiagnostic| found.diagnostic.position.as_ref().map(|place| place.line);
        if self
            .diagnostics
            .iter()
            .any(|found| line_of(found) == Some(position.line))
        {
            return;
        }
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            file: self.file.to_owned(),
            key: String::new(),
            position: Some(position),
            problem,
            help,
        };
        let key = String::new();
        self.diagnostics.push(LocatedDiagnostic {
            key,
            offset: at,
            diagnostic,
        });
    }

    /// The value as a message may repeat it: in quotes and cut, or not at all.
    pub(super) fn show(&self, value: &str) -> String {
        if self.has_secret || secret_detection::line_has_secret(value) {
            return "the value".to_owned();
        }
        format!("`{}`", shorten(value))
    }

    /// The name of a key, or the path of one, likewise. Names are shown even where values are not.
    pub(super) fn show_key(&self, key: &str) -> Option<String> {
        (!secret_detection::value_looks_secret(key)).then(|| shorten(key))
    }

    pub(super) fn has_secret(&self) -> bool {
        self.has_secret
    }

    /// The header of the section in which a key of that name was asked for.
    pub(super) fn find_section(&self, key: &str) -> Option<String> {
        let paths = self
            .known_keys
            .iter()
            .filter_map(|path| path.split_once('.'));
        let (section, _) = { paths }.find(|(_, last)| *last == key)?;
        Some(match section.strip_suffix("[]") {
            Some(list) => format!("[[{list}]]"),
            None => format!("[{section}]"),
        })
    }

    /// All findings, in the order of the text.
    pub(super) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(|found| found.offset);
        self.diagnostics
            .into_iter()
            .map(|found| found.diagnostic)
            .collect()
    }

    pub(super) fn has_errors(&self) -> bool {
        self.error_count() > 0
    }

    /// How many there are so far. None came of what was read between two equal numbers.
    pub(super) fn error_count(&self) -> usize {
        let severity = |found: &&LocatedDiagnostic| found.diagnostic.severity == Severity::Error;
        self.diagnostics.iter().filter(severity).count()
    }

    /// The keys that were asked for.
    #[cfg(test)]
    pub(super) fn known_keys(&self) -> &BTreeSet<String> {
        &self.known_keys
    }

    fn add(&mut self, severity: Severity, key: &str, problem: String, help: String) {
        let is_error_about_key = |found: &LocatedDiagnostic| {
            found.diagnostic.severity == Severity::Error && found.key == key
        };
        if self.diagnostics.iter().any(is_error_about_key) {
            return;
        }
        let span = self.spans.get(key).cloned();
        let at = span.as_ref().map_or(usize::MAX, |span| span.start);
        let diagnostic = Diagnostic {
            severity,
            file: self.file.to_owned(),
            key: self.show_key(key).unwrap_or_default(),
            position: span.map(|span| self.position_at(span)),
            problem,
            help,
        };
        let key = key.to_owned();
        self.diagnostics.push(LocatedDiagnostic {
            key,
            offset: at,
            diagnostic,
        });
    }

    /// Where the key stands, for findings that come up later.
    pub(super) fn position_of(&self, key: &str) -> Option<Position> {
        let span = self.spans.get(key).cloned();
        span.map(|span| self.position_at(span))
    }

    /// Where the span is, with its line. A span over several lines is cut at the end of the first.
    fn position_at(&self, span: Range<usize>) -> Position {
        let start = floor_char_boundary(self.text, span.start);
        let end = floor_char_boundary(self.text, span.end).max(start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |at| start + at);
        let line = self.text[line_start..line_end].trim_end_matches('\r');
        let column = self.text[line_start..start].chars().count();
        let hidden = self.has_secret || secret_detection::line_has_secret(line);
        Position {
            line: self.text[..line_start].matches('\n').count() + 1,
            column: column + 1,
            excerpt: (!hidden).then(|| {
                let width = self.text[start..end.min(line_end)].chars().count();
                cut_excerpt(line, column, width)
            }),
        }
    }
}

/// The part of the line to show, and where in it the mark goes.
fn cut_excerpt(line: &str, column: usize, width: usize) -> Excerpt {
    // A mark far to the right takes the start of the line with it.
    let skipped = column.saturating_sub(MAX_LINE / 2);
    let cut = if column < MAX_LINE { 0 } else { skipped };
    let shown: String = line
        .chars()
        .skip(cut)
        .take(MAX_LINE)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let length = shown.chars().count();
    let before = column - cut;
    Excerpt {
        mark_start: before,
        mark_width: width.min(length.saturating_sub(before)).max(1),
        text: shown.trim_end().to_owned(),
    }
}

/// The start of the text, as it can be printed on one line.
fn shorten(text: &str) -> String {
    let mut start: String = text
        .chars()
        .take(MAX_VALUE)
        .flat_map(escape_control)
        .collect();
    if text.chars().nth(MAX_VALUE).is_some() {
        start.push('…');
    }
    start
}

/// The character as it can be printed on one line.
fn escape_control(c: char) -> impl Iterator<Item = char> {
    let escaped = c.is_control();
    let own = (!escaped).then_some(c);
    let escape = escaped.then(|| c.escape_default()).into_iter().flatten();
    own.into_iter().chain(escape)
}

/// The nearest boundary of a character at or before the offset.
fn floor_char_boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}
