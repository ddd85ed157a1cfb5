//! What is wrong with a configuration. A diagnostic says how serious a problem is, where it is,
//! what it is, and what to do. It is rendered with the line and a caret, as compilers do. This is
//! written by hand, because crates that render carets need the whole text, and a text with a secret
//! is not kept.

use std::fmt;

/// The most diagnostics that are rendered. A reader with more of them corrects these first and
/// checks again.
const MAX_SHOWN: usize = 40;

/// How serious a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// The configuration can be used, but an operator may want to check it.
    Warning,
}

impl Severity {
    /// Returns the word for the severity.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong, or may be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How serious the problem is.
    pub severity: Severity,
    /// The file that contains the problem.
    pub file: String,
    /// The key, as a path from the top, with indexes counted from 0: `gate[1].cost`. Empty if the
    /// diagnostic is not about a key.
    pub key: String,
    /// `None` if there is no place to show: something is missing, or a default does not fit the
    /// rest.
    pub position: Option<Position>,
    /// What is wrong, as a lower-case fragment.
    pub problem: String,
    /// What to do about it.
    pub help: String,
}

/// A place in the file. Both numbers count from 1, the column in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The number of the line.
    pub line: usize,
    /// The number of the character in the line.
    pub column: usize,
    /// `None` if the file seems to hold a secret: then none of its lines is shown.
    pub excerpt: Option<Excerpt>,
}

/// A line of the file, cut to what can be shown, and the part of the line to mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The text of the line, or the part that is shown.
    pub text: String,
    /// How many characters come before the marked part.
    pub mark_start: usize,
    /// How many characters are marked; at least one.
    pub mark_width: usize,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.position.as_ref().map(|place| place.line);
        let gutter = line.map_or(1, |line| line.to_string().len());
        write!(f, "{}: {}", self.severity.as_str(), self.problem)?;
        write!(f, "\n{:gutter$}--> {}", "", self.file)?;
        if let Some(position) = &self.position {
            write!(f, ":{}:{}", position.line, position.column)?;
        }
        if !self.key.is_empty() {
            write!(f, " ({})", self.key)?;
        }
        if let Some(position) = &self.position {
            let line = position.line;
            match &position.excerpt {
                Some(excerpt) => excerpt.write(f, line, gutter)?,
                None => write!(f, "\n{line} | (not shown: the file seems to hold a secret)")?,
            }
        }
        write!(f, "\n{:gutter$} = help: {}", "", self.help)
    }
}

impl Excerpt {
    fn write(&self, f: &mut fmt::Formatter<'_>, line: usize, gutter: usize) -> fmt::Result {
        let caret = "^".repeat(self.mark_width);
        let mark_start = self.mark_start;
        write!(
            f,
            "\n{:gutter$} |\n{line} | {}\n{:gutter$} | {:mark_start$}{caret}",
            "", self.text, "", ""
        )
    }
}

/// All diagnostics of one configuration, in the order of the file. At least one is an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in self.0.iter().take(MAX_SHOWN) {
            write!(f, "{finding}\n\n")?;
        }
        if let Some(more) = self.0.len().checked_sub(MAX_SHOWN).filter(|n| *n > 0) {
            write!(f, "and {more} more\n\n")?;
        }
        f.write_str(&summarize_counts(&self.0))
    }
}

/// Returns the number of errors and warnings: "2 errors, 1 warning".
pub fn summarize_counts(diagnostics: &[Diagnostic]) -> String {
    let count = |severity| {
        diagnostics
            .iter()
            .filter(|f| f.severity == severity)
            .count()
    };
    let errors = pluralize(count(Severity::Error), "error");
    let warnings = pluralize(count(Severity::Warning), "warning");
    match (errors, warnings) {
        (Some(errors), Some(warnings)) => format!("{errors}, {warnings}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "no findings".to_owned(),
    }
}

fn pluralize(number: usize, word: &str) -> Option<String> {
    match number {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{number} {word}s")),
    }
}
