//! Questions to other systems, as the configuration describes them.

use std::path::PathBuf;
use std::time::Duration;

/// A question to another system, and how it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupConfig {
    /// Letters, digits and `_`, so that an expression can contain the name.
    pub name: String,
    pub source: LookupSource,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How long an answer is used again; zero means never.
    pub cached_for: Duration,
    /// How many questions may run at the same time.
    pub at_once: usize,
}

/// The system that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupSource {
    /// A program and its arguments. The program is given by its whole path.
    Command { program: PathBuf, args: Vec<String> },
    /// A `GET` request. `{address}` is replaced by the booker's address,
    /// percent-encoded.
    Url {
        url: String,
        /// Holds the token that is sent as `Authorization: Bearer`.
        credential_file: Option<PathBuf>,
    },
}
