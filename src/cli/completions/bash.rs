//! The script for Bash. Bash splits a line also at characters such as `@`, `=` and `:`, which stand
//! in addresses; clap_complete's own script sees only parts of these words. This script joins the
//! parts, and returns of each completion the part that Bash replaces.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_complete::env::{Bash as ClapBash, EnvCompleter};

const SCRIPT: &str = include_str!("completions.bash");

/// Bash.
pub(super) struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == "bash"
    }

    fn write_registration(
        &self,
        _var: &str,
        _name: &str,
        _bin: &str,
        _completer: &str,
        script: &mut dyn Write,
    ) -> io::Result<()> {
        script.write_all(SCRIPT.as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut Command,
        words: Vec<OsString>,
        current_dir: Option<&Path>,
        answer: &mut dyn Write,
    ) -> io::Result<()> {
        ClapBash.write_complete(command, words, current_dir, answer)
    }
}
