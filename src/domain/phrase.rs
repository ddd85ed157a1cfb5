//! Texts of findings. A plan makes hundreds of thousands of them and few are ever read, so they are
//! put into words only when they are.

use std::fmt;
use std::sync::Arc;

use super::rule::inputs::Inputs;

/// A text, or what it will be made of. Two are equal when they read the same.
#[derive(Clone)]
pub enum Phrase {
    Fixed(&'static str),
    Shared(Arc<str>),
    Text(String),
    /// What an expression looked at.
    Inputs(Inputs),
}

impl fmt::Display for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(text) => f.write_str(text),
            Self::Shared(text) => f.write_str(text),
            Self::Text(text) => f.write_str(text),
            Self::Inputs(inputs) => inputs.fmt(f),
        }
    }
}

impl fmt::Debug for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

impl PartialEq for Phrase {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Phrase {}

impl PartialEq<str> for Phrase {
    fn eq(&self, other: &str) -> bool {
        self.to_string() == other
    }
}

impl From<&'static str> for Phrase {
    fn from(text: &'static str) -> Self {
        Self::Fixed(text)
    }
}

impl From<String> for Phrase {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
