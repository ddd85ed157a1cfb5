//! What is wrong with a file, as its operator reads it.

use std::fmt::Write as _;

use crate::control::protocol::credits::ImportProblem;

/// Most problems that are listed; a file with more is the wrong one. All are counted.
pub const MAX_LISTED: usize = 1_000;

/// What is wrong with a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileProblems {
    /// A problem of the file as a whole.
    pub of_file: Option<String>,
    /// The first problems of lines.
    listed: Vec<ImportProblem>,
    /// How many problems of lines there are.
    count: u64,
}

impl FileProblems {
    /// Returns the problem of a file as a whole.
    pub fn of_file(text: impl Into<String>) -> Self {
        Self {
            of_file: Some(text.into()),
            ..Self::default()
        }
    }

    /// Adds a problem of a line.
    pub fn add(&mut self, line: u64, text: String) {
        self.count += 1;
        if self.listed.len() < MAX_LISTED {
            self.listed.push(ImportProblem { line, text });
        }
    }

    /// Adds the problems that the ledger found, and how many it did not list.
    pub fn add_all(&mut self, problems: Vec<ImportProblem>, count: u64) {
        let unlisted = count.saturating_sub(problems.len() as u64);
        for problem in problems {
            self.add(problem.line, problem.text);
        }
        self.count += unlisted;
    }

    /// Returns true if nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.of_file.is_none() && self.count == 0
    }

    /// Returns true if there are more problems than are listed.
    pub fn is_full(&self) -> bool {
        self.count > MAX_LISTED as u64
    }

    /// Returns the problems of lines in the order of the lines.
    pub fn listed(&self) -> Vec<ImportProblem> {
        let mut listed = self.listed.clone();
        listed.sort_by_key(|problem| problem.line);
        listed
    }

    /// Describes the problems for the operator. `name` is that of the file.
    pub fn describe(&self, name: &str) -> String {
        let mut message = format!("nothing of {name} was imported:");
        if let Some(text) = &self.of_file {
            let _ = write!(message, "\n  {text}");
        }
        for ImportProblem { line, text } in self.listed() {
            let _ = write!(message, "\n  line {line}: {text}");
        }
        let unlisted = self.count - self.listed.len() as u64;
        if unlisted > 0 {
            let _ = write!(message, "\n  and {unlisted} more");
        }
        message
    }
}

pub(super) fn pluralize(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Shortens a value for an error message.
pub(super) fn shorten(text: &str) -> String {
    const MAX_SHOWN: usize = 60;
    text.chars().take(MAX_SHOWN).collect()
}
