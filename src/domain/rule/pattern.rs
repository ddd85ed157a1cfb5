//! Patterns of `matches`: compiled once, together with the expression, and limited in their cost.

use std::any::Any;
use std::sync::Arc;

use cel::common::types::Type;
use cel::common::value::{StaticVal, Val};
use regex::{Regex, RegexBuilder};

/// The largest compiled pattern, in bytes. `\w{200}` would be a hundred times as large.
pub(super) const MAX_PATTERN_BYTES: usize = 256 * 1024;

/// The longest text that is searched, in bytes. A search never takes more time than in proportion
/// to text and pattern. Titles and answers are shorter than this.
pub(super) const MAX_SEARCHED_BYTES: usize = 16 * 1024;

/// The type under which the `cel` crate knows a compiled pattern.
pub(super) static PATTERN: Type = Type::new_unspecified_type("maitred.pattern");

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Arc<Regex>);

impl Pattern {
    /// # Errors
    /// Returns why the text is not a pattern, in one line.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        let compiled = RegexBuilder::new(text)
            .size_limit(MAX_PATTERN_BYTES)
            .dfa_size_limit(MAX_PATTERN_BYTES)
            .build();
        compiled
            .map(|regex| Self(Arc::new(regex)))
            .map_err(|error| {
                if let regex::Error::CompiledTooBig(_) = error {
                    return "it is too large when it is compiled".to_owned();
                }
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                last.trim_start_matches("error: ").to_owned()
            })
    }

    /// Returns true if the text contains the pattern; `None` if the text is too long to be
    /// searched.
    pub(super) fn matches(&self, text: &str) -> Option<bool> {
        (text.len() <= MAX_SEARCHED_BYTES).then(|| self.0.is_match(text))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        &PATTERN
    }

    fn cel_type() -> &'static Type {
        &PATTERN
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}
