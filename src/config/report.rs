//! What a reading has found so far, and where everything stands: findings are addressed by the path
//! of a key, so that a check of several keys can point at each.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::finding::{Excerpt, Finding, Place, Severity};
use super::{hush, written};
use crate::domain::rule::diagnostic::RuleDiagnostic;

/// How much of a long line is shown.
const MAX_LINE: usize = 100;

/// How much of a value or a key is repeated in a message.
const MAX_VALUE: usize = 60;

/// The findings of one text, while it is read.
pub(super) struct Report<'a> {
    text: &'a str,
    file: &'a str,
    /// The text seems to hold a secret: no line and no value of it is shown.
    hushed: bool,
    /// Where keys and values stand, by path.
    spans: BTreeMap<String, Range<usize>>,
    /// Every key that was asked for, with `[]` for the place in a list.
    asked: BTreeSet<String>,
    findings: Vec<Found>,
}

/// A finding, and what it was found by.
struct Found {
    /// The path as it stands in the text; the finding's own may hide a part.
    key: String,
    /// The offset it stands at. Those that stand nowhere come last.
    at: usize,
    finding: Finding,
}

impl<'a> Report<'a> {
    pub(super) fn new(text: &'a str, file: &'a str) -> Self {
        Self {
            text,
            file,
            hushed: hush::text(text),
            spans: BTreeMap::new(),
            asked: BTreeSet::new(),
            findings: Vec::new(),
        }
    }

    /// Remembers where the key's value stands.
    pub(super) fn found(&mut self, key: &str, span: Range<usize>) {
        self.spans.insert(key.to_owned(), span);
    }

    /// Remembers that there is such a key.
    pub(super) fn ask(&mut self, key: &str) {
        let mut plain = String::new();
        let mut within = false;
        for c in key.chars() {
            within = c == '[' || (within && c != ']');
            if !within || c == '[' {
                plain.push(c);
            }
        }
        self.asked.insert(plain);
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
    pub(super) fn rule_diagnostic(&mut self, key: &str, value: &str, diagnostic: RuleDiagnostic) {
        let Some(whole) = self.spans.get(key).cloned() else {
            self.error(key, diagnostic.problem, diagnostic.help);
            return;
        };
        let within = written::within(&self.text[whole.clone()], value, &diagnostic.at);
        let span = within.map_or(whole.clone(), |part| {
            whole.start + part.start..whole.start + part.end
        });
        let finding = Finding {
            severity: Severity::Error,
            file: self.file.to_owned(),
            key: self.show_key(key).unwrap_or_default(),
            place: Some(self.place(span.clone())),
            problem: diagnostic.problem,
            help: diagnostic.help,
        };
        self.findings.push(Found {
            key: key.to_owned(),
            at: span.start,
            finding,
        });
    }

    /// An error at a place where no key could be read. The first of a line is enough.
    pub(super) fn syntax(&mut self, span: Range<usize>, problem: String, help: String) {
        let at = span.start;
        let place = self.place(span);
        let line = |found: &Found| found.finding.place.as_ref().map(|place| place.line);
        if self
            .findings
            .iter()
            .any(|found| line(found) == Some(place.line))
        {
            return;
        }
        let finding = Finding {
            severity: Severity::Error,
            file: self.file.to_owned(),
            key: String::new(),
            place: Some(place),
            problem,
            help,
        };
        let key = String::new();
        self.findings.push(Found { key, at, finding });
    }

    /// The value as a message may repeat it: in quotes and cut, or not at all.
    pub(super) fn show(&self, value: &str) -> String {
        if self.hushed || hush::line(value) {
            return "the value".to_owned();
        }
        format!("`{}`", cut(value))
    }

    /// The name of a key, or the path of one, likewise. Names are shown even where values are not.
    pub(super) fn show_key(&self, key: &str) -> Option<String> {
        (!hush::value(key)).then(|| cut(key))
    }

    pub(super) fn is_hushed(&self) -> bool {
        self.hushed
    }

    /// The header of the section in which a key of that name was asked for.
    pub(super) fn section_of(&self, key: &str) -> Option<String> {
        let paths = self.asked.iter().filter_map(|path| path.split_once('.'));
        let (section, _) = { paths }.find(|(_, last)| *last == key)?;
        Some(match section.strip_suffix("[]") {
            Some(list) => format!("[[{list}]]"),
            None => format!("[{section}]"),
        })
    }

    /// All findings, in the order of the text.
    pub(super) fn findings(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|found| found.at);
        self.findings
            .into_iter()
            .map(|found| found.finding)
            .collect()
    }

    pub(super) fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// How many there are so far. None came of what was read between two equal numbers.
    pub(super) fn errors(&self) -> usize {
        let severity = |found: &&Found| found.finding.severity == Severity::Error;
        self.findings.iter().filter(severity).count()
    }

    /// The keys that were asked for.
    #[cfg(test)]
    pub(super) fn asked(&self) -> &BTreeSet<String> {
        &self.asked
    }

    fn add(&mut self, severity: Severity, key: &str, problem: String, help: String) {
        let wrong = |found: &Found| found.finding.severity == Severity::Error && found.key == key;
        if self.findings.iter().any(wrong) {
            return;
        }
        let span = self.spans.get(key).cloned();
        let at = span.as_ref().map_or(usize::MAX, |span| span.start);
        let finding = Finding {
            severity,
            file: self.file.to_owned(),
            key: self.show_key(key).unwrap_or_default(),
            place: span.map(|span| self.place(span)),
            problem,
            help,
        };
        let key = key.to_owned();
        self.findings.push(Found { key, at, finding });
    }

    /// Where the key stands, for findings that come up later.
    pub(super) fn place_of(&self, key: &str) -> Option<Place> {
        let span = self.spans.get(key).cloned();
        span.map(|span| self.place(span))
    }

    /// Where the span is, with its line. A span over several lines is cut at the end of the first.
    fn place(&self, span: Range<usize>) -> Place {
        let start = floor(self.text, span.start);
        let end = floor(self.text, span.end).max(start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |at| start + at);
        let line = self.text[line_start..line_end].trim_end_matches('\r');
        let column = self.text[line_start..start].chars().count();
        let hidden = self.hushed || hush::line(line);
        Place {
            line: self.text[..line_start].matches('\n').count() + 1,
            column: column + 1,
            excerpt: (!hidden).then(|| {
                let width = self.text[start..end.min(line_end)].chars().count();
                excerpt(line, column, width)
            }),
        }
    }
}

/// The part of the line to show, and where in it the mark goes.
fn excerpt(line: &str, column: usize, width: usize) -> Excerpt {
    // A mark far to the right takes the start of the line with it.
    let cut = column.saturating_sub(MAX_LINE / 2);
    let cut = if column < MAX_LINE { 0 } else { cut };
    let shown: String = line
        .chars()
        .skip(cut)
        .take(MAX_LINE)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let length = shown.chars().count();
    let before = column - cut;
    Excerpt {
        before,
        width: width.min(length.saturating_sub(before)).max(1),
        text: shown.trim_end().to_owned(),
    }
}

/// The start of the text, as it can be printed on one line.
fn cut(text: &str) -> String {
    let mut start: String = text.chars().take(MAX_VALUE).flat_map(plain).collect();
    if text.chars().nth(MAX_VALUE).is_some() {
        start.push('…');
    }
    start
}

/// The character as it can be printed on one line.
fn plain(c: char) -> impl Iterator<Item = char> {
    let escaped = c.is_control();
    let own = (!escaped).then_some(c);
    let escape = escaped.then(|| c.escape_default()).into_iter().flatten();
    own.into_iter().chain(escape)
}

/// The nearest boundary of a character at or before the offset.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}
