//! Mistakes in an expression or a template, with their place.

use std::ops::Range;

/// One mistake in a text of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleDiagnostic {
    /// The place of the mistake, in bytes of the text. Always within the text and on the boundaries
    /// of characters; empty when something is missing there.
    pub at: Range<usize>,
    /// The problem, as a fragment of a sentence.
    pub problem: String,
    /// What to do about the problem.
    pub help: String,
}

impl RuleDiagnostic {
    pub(super) fn new(
        at: Range<usize>,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            at,
            problem: problem.into(),
            help: help.into(),
        }
    }
}
