//! Collects the diagnostics of a text, and remembers the place of every key. A diagnostic is
//! addressed by the path of a key, so that a check of several keys can point at each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::diagnostic::{Diagnostic, Excerpt, Position, Severity};
use super::{secret_detection, string_spans};
use crate::domain::rule::diagnostic::RuleDiagnostic;

/// How much of a long line is shown.
const MAX_LINE: usize = 100;

/// How much of a value or a key is repeated in a message.
const MAX_VALUE: usize = 60;

/// The diagnostics of one text, while the text is read.
pub(super) struct DiagnosticCollector<'a> {
    text: &'a str,
    file: &'a str,
    /// True if the text seems to hold a secret. Then no line and no value of the text is shown.
    has_secret: bool,
    /// The places of keys and values, by path.
    spans: BTreeMap<String, Range<usize>>,
    /// The paths of names that may be secrets, and the places of these names. Neither the name nor
    /// its line is shown.
    hidden_names: Vec<(String, Range<usize>)>,
    /// Every key that the reader knows, with `[]` for the place in a list.
    known_keys: BTreeSet<String>,
    diagnostics: Vec<LocatedDiagnostic>,
}

/// A diagnostic, with its key and its place in the text.
struct LocatedDiagnostic {
    /// The path as it is in the text; the path in the diagnostic may hide a part.
    key: String,
    /// The offset in the text. Diagnostics without a place come last.
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
            hidden_names: Vec::new(),
            known_keys: BTreeSet::new(),
            diagnostics: Vec::new(),
        }
    }

    /// Remembers the place of the key's value.
    pub(super) fn record_span(&mut self, key: &str, span: Range<usize>) {
        self.spans.insert(key.to_owned(), span);
    }

    /// Remembers that the key is known.
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

    /// Adds an error about the key. Only the first error of a key is kept, because the others
    /// mostly follow from it.
    pub(super) fn error(&mut self, key: &str, problem: String, help: impl Into<String>) {
        self.add(Severity::Error, key, problem, help.into());
    }

    /// Adds a warning about the key, unless there is an error about the key.
    pub(super) fn warn(&mut self, key: &str, problem: String, help: impl Into<String>) {
        self.add(Severity::Warning, key, problem, help.into());
    }

    /// Adds an error about a key that the table does not have. The first such error of each key is
    /// kept.
    pub(super) fn missing_key(
        &mut self,
        table: &str,
        key: &str,
        problem: String,
        help: impl Into<String>,
    ) {
        let missing = format!("{table}.{key}");
        if self.diagnostics.iter().any(|found| found.key == missing) {
            return;
        }
        let span = self.spans.get(table).cloned();
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            file: self.file.to_owned(),
            key: self.show_key(table).unwrap_or_default(),
            position: span.clone().map(|span| self.position_at(span)),
            problem,
            help: help.into(),
        };
        self.diagnostics.push(LocatedDiagnostic {
            key: missing,
            offset: span.map_or(usize::MAX, |span| span.start),
            diagnostic,
        });
    }

    /// Hides the name at this place, its path and its line from all diagnostics: the name may be a
    /// secret.
    pub(super) fn hide_name(&mut self, path: &str, span: Range<usize>) {
        self.hidden_names.push((path.to_owned(), span));
    }

    /// Hides the name of the key, as [`Self::hide_name`] does.
    pub(super) fn hide_name_of(&mut self, path: &str) {
        if let Some(span) = self.spans.get(path).cloned() {
            self.hide_name(path, span);
        }
    }

    /// Adds an error at a part of the text that is the key's value. All such errors are kept.
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

    /// Adds an error at a place where no key could be read. Only the first error of a line is kept.
    pub(super) fn syntax_error(&mut self, span: Range<usize>, problem: String, help: String) {
        let at = span.start;
        let mut position = self.position_at(span);
        if secret_detection::invalid_line_has_secret(self.line_at(at)) {
            position.excerpt = None;
        }
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

    /// Returns the value as a message may repeat it: in quotes and cut, or not at all.
    pub(super) fn show(&self, value: &str) -> String {
        if self.has_secret || secret_detection::line_has_secret(value) {
            return "the value".to_owned();
        }
        format!("`{}`", shorten(value))
    }

    /// Returns the name or the path of a key as a message may repeat it: cut, or not at all. Names
    /// are shown even where values are not.
    pub(super) fn show_key(&self, key: &str) -> Option<String> {
        let is_hidden = { self.hidden_names.iter() }.any(|(hidden, _)| key.starts_with(hidden));
        (!is_hidden && !secret_detection::value_looks_secret(key)).then(|| shorten(key))
    }

    pub(super) fn has_secret(&self) -> bool {
        self.has_secret
    }

    /// Returns the header of the section in which a key of that name is known.
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

    /// Returns all diagnostics, in the order of the text.
    pub(super) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(|found| found.offset);
        let hidden = self.hidden_names.iter();
        let hidden_lines: BTreeSet<usize> = hidden
            .map(|(_, span)| self.position_at(span.clone()).line)
            .collect();
        let mut diagnostics: Vec<Diagnostic> = self
            .diagnostics
            .into_iter()
            .map(|found| found.diagnostic)
            .collect();
        let positions = diagnostics.iter_mut().filter_map(|d| d.position.as_mut());
        for position in positions.filter(|position| hidden_lines.contains(&position.line)) {
            position.excerpt = None;
        }
        diagnostics
    }

    pub(super) fn has_errors(&self) -> bool {
        self.error_count() > 0
    }

    /// Returns the number of errors so far. If it is the same before and after a value is read, the
    /// value caused no error.
    pub(super) fn error_count(&self) -> usize {
        let severity = |found: &&LocatedDiagnostic| found.diagnostic.severity == Severity::Error;
        self.diagnostics.iter().filter(severity).count()
    }

    /// Returns the keys and items that stand in the text, each with its line.
    pub(super) fn key_lines(&self) -> BTreeMap<String, usize> {
        let mut offsets: Vec<(usize, &String)> = Vec::new();
        offsets.extend(self.spans.iter().map(|(key, span)| (span.start, key)));
        offsets.sort_unstable();
        let (mut line, mut counted) = (1, 0);
        let mut lines = BTreeMap::new();
        for (offset, key) in offsets {
            line += self.text[counted..offset].matches('\n').count();
            counted = offset;
            lines.insert(key.clone(), line);
        }
        lines
    }

    /// Returns the known keys.
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

    /// Returns the line of the text at the offset.
    fn line_at(&self, offset: usize) -> &'a str {
        let at = floor_char_boundary(self.text, offset);
        let start = self.text[..at].rfind('\n').map_or(0, |before| before + 1);
        self.text[start..].lines().next().unwrap_or_default()
    }

    /// Returns the place of the key, for diagnostics that are found later.
    pub(super) fn position_of(&self, key: &str) -> Option<Position> {
        let span = self.spans.get(key).cloned();
        span.map(|span| self.position_at(span))
    }

    /// Returns the place of the span, with its line. A span over several lines is cut at the end of
    /// the first.
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

/// Returns the part of the line to show, and the place of the mark in it.
fn cut_excerpt(line: &str, column: usize, width: usize) -> Excerpt {
    // If the mark is far to the right, the start of the line is left out.
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

/// Returns the start of the text, in a form that can be printed on one line.
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

/// Returns the character in a form that can be printed on one line.
fn escape_control(c: char) -> impl Iterator<Item = char> {
    let escaped = c.is_control();
    let own = (!escaped).then_some(c);
    let escape = escaped.then(|| c.escape_default()).into_iter().flatten();
    own.into_iter().chain(escape)
}

/// Returns the nearest boundary of a character at or before the offset.
fn floor_char_boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}
