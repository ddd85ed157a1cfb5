//! What `check` found.

use serde::{Deserialize, Serialize};

/// What `check` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckView {
    /// The version of the protocol.
    pub schema: u32,
    /// Whether there is no error.
    pub ok: bool,
    /// The results of all checks.
    pub results: Vec<CheckResultView>,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResultView {
    /// `ok`, `warning` or `error`.
    pub level: String,
    /// The exit code that fits, when this is an error.
    pub exit: u8,
    /// What was checked: `key`, `event type book-club (gate main)`, `config.toml:12:3`.
    pub subject: String,
    /// What was found, as text for an operator.
    pub text: String,
    /// What to do.
    pub help: String,
}
