//! What is wrong with an expression or a template, and where.

use std::ops::Range;

/// One mistake in a text of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleDiagnostic {
    /// Where, in bytes of the text. Always within it and on the borders of characters; empty when
    /// something is missing there.
    pub at: Range<usize>,
    /// What is wrong, as a fragment of a sentence.
    pub problem: String,
    /// What to do about it.
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
