//! The command line taken apart, and what is said when it cannot be.

use std::ffi::OsString;

use clap::Parser;
use clap::error::ErrorKind;

use super::args::{Args, Format};
use crate::control::exit;
use crate::control::protocol::Refusal;

/// Why there are no arguments to work with.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// Help or the version was asked for: print it and be done.
    Print(String),
    /// The command line makes no sense; say so in this format.
    Refuse(Refusal, Format),
}

/// Takes the command line apart. The first of `words` is the name of the program.
///
/// # Errors
/// When help was asked for, and when the words make no sense.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Args, Stop> {
    let words: Vec<OsString> = words.into_iter().collect();
    Args::try_parse_from(&words).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop::Print(error.to_string()),
        _ => Stop::Refuse(refusal(&error), format(&words)),
    })
}

/// The list of exit codes, for `--help` and the man pages.
pub(super) fn exit_codes() -> String {
    let mut text = "Exit codes:".to_owned();
    for (code, meaning) in exit::MEANINGS {
        text.push_str(&format!("\n  {code:>2}  {meaning}"));
    }
    text
}

fn refusal(error: &clap::Error) -> Refusal {
    let text = error.to_string();
    Refusal {
        exit: exit::USAGE,
        code: "usage".to_owned(),
        text: text.trim_start_matches("error: ").trim_end().to_owned(),
    }
}

/// How errors are to be printed when the words could not be taken apart: as the words seem to say,
/// or the environment.
fn format(words: &[OsString]) -> Format {
    let mut format = std::env::var_os("MAITRED_FORMAT");
    for (at, word) in words.iter().enumerate() {
        let Some(word) = word.to_str() else { continue };
        if let Some(value) = word.strip_prefix("--format=") {
            format = Some(value.into());
        } else if word == "--format" {
            format = words.get(at + 1).cloned();
        }
    }
    if format.is_some_and(|format| format == "json") {
        Format::Json
    } else {
        Format::Plain
    }
}
