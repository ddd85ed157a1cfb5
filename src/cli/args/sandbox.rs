//! The arguments of `sandbox`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as Arguments, ValueHint};

/// The default address of the sandbox. Cal.com's own API has this port on a developer's machine.
const DEFAULT_LISTEN: &str = "127.0.0.1:5555";

/// Run a test server that behaves like Cal.com.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct SandboxArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// What is in the calendar, and what goes wrong
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath
    )]
    pub scenario: Option<PathBuf>,
}
