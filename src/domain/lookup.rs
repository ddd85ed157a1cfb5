//! Questions to the operator's own systems: what is asked, and how.

use std::path::PathBuf;
use std::time::Duration;

use super::secret_path::SecretPath;

/// The placeholder for the booker's address in a URL.
pub const ADDRESS_PLACEHOLDER: &str = "{address}";

/// A question to another system, and how it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupConfig {
    /// Letters, digits and `_`, so that an expression can contain the name.
    pub name: String,
    /// The system that is asked.
    pub source: LookupSource,
    /// The time from the start to the last byte of an answer; waiting for a turn does not count.
    pub timeout: Duration,
    /// How long an answer is valid for all requests of this booker; zero means for one request.
    pub cached_for: Duration,
    /// How many questions may run at the same time.
    pub at_once: usize,
}

/// The system that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupSource {
    /// A program, given by its whole path, and its arguments; no shell is involved.
    Command {
        /// The whole path of the program.
        program: PathBuf,
        /// The arguments. The program reads the question from its standard input.
        args: Vec<String>,
    },
    /// A `GET` request. [`ADDRESS_PLACEHOLDER`] is replaced by the booker's address,
    /// percent-encoded.
    Url {
        /// The address of the request, with the placeholder.
        url: String,
        /// Holds the token that is sent as `Authorization: Bearer`.
        credential_file: Option<SecretPath>,
    },
}
