//! Says which values each argument takes. The name of an argument's value (`ACCOUNT`) says what it
//! is; for a booking, the command says which bookings fit.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use super::known_values::{self, CompletedValue};
use crate::cli::args::DEFAULT_CONFIG_PATH;
use crate::cli::command_line;

/// Log levels, for the one option that takes a level or a filter.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// Returns the definition of the command line, in which arguments know their values. `config` is the
/// path of the configuration.
pub(super) fn command_with_values(config: &Path) -> Command {
    add_values(command_line::command(), config)
}

fn add_values(command: Command, config: &Path) -> Command {
    let name = command.get_name().to_owned();
    let command = command.mut_args(|argument| match kind_of_value(&name, &argument) {
        Some(kind) => argument.add(completer(kind, config.to_owned())),
        None if value_name(&argument) == Some("LEVEL") => {
            argument.add(ArgValueCompleter::new(complete_level))
        }
        None => argument,
    });
    let names: Vec<String> = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(&name, |command| add_values(command, config))
    })
}

/// Returns the kind of the argument's value, if the ledger or the configuration knows its values.
/// `command` is the last word of the command.
fn kind_of_value(command: &str, argument: &Arg) -> Option<CompletedValue> {
    match (value_name(argument)?, command) {
        ("ACCOUNT", _) => Some(CompletedValue::Account),
        ("GATE", _) => Some(CompletedValue::Gate),
        ("NAME", "test") => Some(CompletedValue::NotificationTarget),
        ("BOOKING", "confirm" | "decline") => Some(CompletedValue::RequestInReview),
        ("BOOKING", "settle") => Some(CompletedValue::OpenCharge),
        ("BOOKING", "resolve") => Some(CompletedValue::UnresolvedBooking),
        ("BOOKING", _) => Some(CompletedValue::DecidedBooking),
        _ => None,
    }
}

fn value_name(argument: &Arg) -> Option<&str> {
    argument
        .get_value_names()?
        .first()
        .map(|name| name.as_str())
}

fn completer(kind: CompletedValue, config: PathBuf) -> ArgValueCompleter {
    ArgValueCompleter::new(move |start: &OsStr| match start.to_str() {
        Some(start) => known_values::find(kind, &config, start),
        None => Vec::new(),
    })
}

fn complete_level(start: &OsStr) -> Vec<CompletionCandidate> {
    let start = start.to_string_lossy();
    let levels = LEVELS.iter().filter(|level| level.starts_with(&*start));
    levels.map(CompletionCandidate::new).collect()
}

/// Returns the path of the configuration that the line names: by `--config`, or else as every command
/// finds it. `words` are those of the process; the line begins after `--`.
pub(super) fn find_config(words: &[OsString]) -> PathBuf {
    let line = words.iter().skip_while(|word| *word != "--").skip(1);
    let line: Vec<&OsString> = line.collect();
    let with_equals = |word: &&OsString| {
        let path = word.to_str()?.strip_prefix("--config=")?;
        Some(PathBuf::from(path))
    };
    let separate = line.windows(2).rfind(|pair| pair[0] == "--config");
    let typed = line
        .iter()
        .rev()
        .find_map(with_equals)
        .or_else(|| separate.map(|pair| PathBuf::from(pair[1])));
    typed
        .or_else(|| std::env::var_os("MAITRED_CONFIG").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG_PATH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(command: &Command) -> Vec<&Command> {
        let mut commands = vec![command];
        for subcommand in command.get_subcommands() {
            commands.extend(leaves(subcommand));
        }
        commands
    }

    #[test]
    fn every_account_booking_gate_and_file_can_be_completed() {
        let command = command_with_values(Path::new("config.toml"));
        let mut count = 0;
        for command in leaves(&command) {
            for argument in command.get_arguments() {
                let id = format!("{} {}", command.get_name(), argument.get_id());
                match value_name(argument).unwrap_or_default() {
                    "ACCOUNT" | "BOOKING" | "GATE" | "LEVEL" => {
                        assert!(argument.get::<ArgValueCompleter>().is_some(), "{id}");
                        count += 1;
                    }
                    "FILE" | "FILE.csv" | "DIR" => {
                        assert_ne!(argument.get_value_hint(), clap::ValueHint::Unknown, "{id}");
                    }
                    _ => {}
                }
            }
        }
        assert!(count >= 20, "{count}");
    }

    #[test]
    fn the_configuration_is_the_one_that_the_line_names() {
        let rows: [(&[&str], &str); 4] = [
            (&["maitred", "--", "maitred", "--config", "a", "plan"], "a"),
            (&["maitred", "--", "maitred", "--config=b", "plan"], "b"),
            (
                &["maitred", "--config=b", "--", "maitred"],
                DEFAULT_CONFIG_PATH,
            ),
            (
                &["maitred", "--", "maitred", "--config"],
                DEFAULT_CONFIG_PATH,
            ),
        ];
        for (words, expect) in rows {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert_eq!(find_config(&words), Path::new(expect), "{words:?}");
        }
    }
}
