//! Parses the command line, and says why if that fails.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Command, CommandFactory, FromArgMatches};

use super::args::{Args, Format};
use crate::control::protocol::Refusal;

/// Why there are no arguments to work with.
#[derive(Debug, PartialEq, Eq)]
pub enum ParseStop {
    /// Help or the version was requested: print the text and exit.
    Print(String),
    /// The command line makes no sense: print the refusal in this format.
    Refuse(Refusal, Format),
}

/// Parses the command line. The first of `words` is the name of the program.
///
/// # Errors
/// Returns the reason to stop if help was requested, or if the words make no sense.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Args, ParseStop> {
    let words: Vec<OsString> = words.into_iter().collect();
    let matches = command().try_get_matches_from(&words);
    let args = matches.and_then(|matches| Args::from_arg_matches(&matches));
    args.map_err(|mut error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ParseStop::Print(error.to_string()),
        _ => {
            show_usage_of_help(&mut error);
            ParseStop::Refuse(to_refusal(&error), guess_format(&words))
        }
    })
}

/// Replaces the usage line of an error by that of the command's help. The line that clap makes for
/// an error contains every option that was given, as if the command required the option; an option
/// that an environment variable gives counts too.
fn show_usage_of_help(error: &mut clap::Error) {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else {
        return;
    };
    let usage = usage.to_string();
    let mut top = command();
    top.build();
    let mut named = &top;
    for word in usage
        .split_whitespace()
        .skip_while(|word| *word != top.get_name())
        .skip(1)
    {
        let Some(subcommand) = named.find_subcommand(word) else {
            break;
        };
        named = subcommand;
    }
    let usage = named.clone().render_usage();
    error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
}

/// Returns where the value of each option of every command comes from, with the option's variable.
/// Empty if the words make no sense.
pub fn option_sources(
    words: impl IntoIterator<Item = OsString>,
) -> BTreeMap<String, (ValueSource, Option<String>)> {
    let definition = command();
    let Ok(matches) = definition.clone().try_get_matches_from(words) else {
        return BTreeMap::new();
    };
    let options = definition.get_arguments().filter_map(|option| {
        let source = matches.value_source(option.get_id().as_str())?;
        let variable = option
            .get_env()
            .map(|name| name.to_string_lossy().into_owned());
        Some((option.get_long()?.to_owned(), (source, variable)))
    });
    options.collect()
}

/// Returns the definition of the command line. The global options name their environment variables
/// themselves. The variable of every other option is derived here from its command and its name
/// (`MAITRED_CREDITS_GRANT_REASON`), so that a variable that is left in a shell affects one command
/// only.
pub(super) fn command() -> Command {
    let top = Args::command();
    let names: Vec<String> = top
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    names.into_iter().fold(top, |top, name| {
        top.mut_subcommand(&name, |command| {
            scope_variables(command, &format!("MAITRED_{name}"))
        })
    })
}

/// Gives the options of a command, and of the commands below it, variables that begin with
/// `prefix`, and lets their texts fit any width.
fn scope_variables(command: Command, prefix: &str) -> Command {
    let command = match command.get_after_help().map(ToString::to_string) {
        Some(text) => command.after_help(join_lines(&text)),
        None => command,
    };
    let command = command.mut_args(|option| match option.get_long() {
        Some(long) => {
            let variable = format!("{prefix}_{long}").to_uppercase().replace('-', "_");
            option.env(variable)
        }
        None => option,
    });
    let names: Vec<String> = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    names.into_iter().fold(command, |command, name| {
        let prefix = format!("{prefix}_{name}");
        command.mut_subcommand(&name, |command| scope_variables(command, &prefix))
    })
}

/// Joins the lines of each paragraph, because clap breaks lines again at the width of the terminal.
/// Indented lines are examples and stay as they are.
fn join_lines(text: &str) -> String {
    let mut joined = String::new();
    let mut previous = "";
    for line in text.lines() {
        let is_text = |line: &str| !line.is_empty() && !line.starts_with(' ');
        if is_text(previous) && is_text(line) {
            joined.push(' ');
        } else if !joined.is_empty() || line.is_empty() {
            joined.push('\n');
        }
        joined.push_str(line);
        previous = line;
    }
    joined
}

fn to_refusal(error: &clap::Error) -> Refusal {
    let text = error.to_string();
    let text = text.trim_start_matches("error: ").trim_end();
    let text = match error.kind() {
        // In this case the text is the whole help.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            format!("a command is missing\n\n{text}")
        }
        _ => text.to_owned(),
    };
    Refusal::usage(text)
}

/// Guesses the format of errors when the words could not be parsed: as the words seem to say, or
/// else the environment.
fn guess_format(words: &[OsString]) -> Format {
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

#[cfg(test)]
mod tests {
    use super::super::args::Verb;
    use super::*;
    use crate::control::exit;

    fn parse_words(words: &[&str]) -> Result<Args, ParseStop> {
        let words = ["maitred"].iter().chain(words);
        parse(words.map(OsString::from))
    }

    /// Returns the command and all commands below it.
    fn all_commands(command: &clap::Command) -> Vec<&clap::Command> {
        let mut commands = vec![command];
        for subcommand in command.get_subcommands() {
            commands.extend(all_commands(subcommand));
        }
        commands
    }

    #[test]
    fn the_command_definition_passes_the_checks_of_clap() {
        command().debug_assert();
    }

    #[test]
    fn every_flag_has_a_variable_scoped_by_its_command_and_every_command_and_flag_a_text() {
        let mut top = command();
        top.build();
        let mut flag_count = 0;
        let mut variables = std::collections::BTreeSet::new();
        for command in all_commands(&top) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name}");
            for flag in command.get_arguments() {
                let id = flag.get_id().as_str();
                assert!(flag.get_help().is_some(), "{name} {id}");
                if flag.is_positional() || id == "help" || id == "version" {
                    continue;
                }
                let variable = flag.get_env().and_then(|variable| variable.to_str());
                let variable = variable.unwrap_or_else(|| panic!("{name} --{id}"));
                assert!(variable.starts_with("MAITRED_"), "{name} --{id}");
                if !flag.is_global_set() {
                    let long = flag.get_long().unwrap();
                    let scope = format!("{} {long}", command.get_bin_name().unwrap());
                    let expected = scope.to_uppercase().replace([' ', '-'], "_");
                    assert_eq!(variable, expected);
                    assert!(variables.insert(variable.to_owned()), "{variable} twice");
                }
                flag_count += 1;
            }
        }
        assert!(flag_count > 20);
    }

    /// Returns the examples in the help of a command: lines that begin with the program's name.
    fn examples(command: &Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        let lines = help.lines().map(str::trim);
        let examples = lines.filter(|line| line.starts_with("maitred "));
        examples.map(str::to_owned).collect()
    }

    /// Returns the words of an example up to a pipe, a redirection, or the remark after three
    /// blanks.
    fn words(example: &str) -> Vec<OsString> {
        let command_part = example.split("   ").next().unwrap_or(example);
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in command_part.chars() {
            match c {
                '"' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        let is_word = |word: &String| !["|", "<", ">"].contains(&word.as_str());
        let words = words.into_iter().filter(|word| !word.is_empty());
        words.take_while(is_word).map(OsString::from).collect()
    }

    #[test]
    fn every_command_has_an_example_that_is_understood() {
        let mut example_count = 0;
        for command in all_commands(&command()) {
            if command.has_subcommands() {
                continue;
            }
            let name = command.get_name();
            let examples = examples(command);
            assert!(!examples.is_empty(), "{name} has no example");
            for example in examples {
                assert!(parse(words(&example)).is_ok(), "{name}: {example}");
                example_count += 1;
            }
        }
        assert!(example_count > 40, "{example_count}");
    }

    #[test]
    fn help_lists_commands_in_the_order_of_first_use() {
        let Err(ParseStop::Print(help)) = parse_words(&["--help"]) else {
            panic!("help is printed");
        };
        let mut from = help.find("Commands:").unwrap();
        for word in [
            "run",
            "plan",
            "check",
            #[cfg(feature = "sandbox")]
            "demo",
            #[cfg(feature = "sandbox")]
            "sandbox",
            "evaluate",
            "credits",
            "account",
            "decisions",
            "explain",
            "review",
            "charges",
            "status",
            "pause",
            "resume",
            "pass",
            "ledger",
            "backup",
            "restore",
            "init",
            "completions",
            "man",
        ] {
            let at = help[from..].find(&format!("\n  {word} "));
            from += at.unwrap_or_else(|| panic!("{word} in\n{help}"));
        }
        for (code, meaning) in exit::MEANINGS {
            assert!(help.contains(&format!("{code:>2}  {meaning}")), "{help}");
        }
    }

    #[test]
    fn help_and_version_are_printed_and_nonsense_is_refused() {
        assert!(
            matches!(parse_words(&["--version"]), Err(ParseStop::Print(text)) if text.contains("0."))
        );
        assert!(matches!(
            parse_words(&["run", "-h"]),
            Err(ParseStop::Print(_))
        ));
        let table: [(&[&str], &str); 8] = [
            (&[], "a command is missing\n\nConfirms and declines"),
            (&["credits"], "Usage: maitred credits"),
            (&["dance"], "unrecognized subcommand 'dance'"),
            (&["run", "--twice"], "unexpected argument '--twice'"),
            (
                &["explain"],
                "the following required arguments were not provided",
            ),
            (
                &["credits", "grant", "bo", "3.5"],
                "credits are whole numbers",
            ),
            (
                &["credits", "grant", "bo", "-1"],
                "credits cannot be negative",
            ),
            (&["decisions", "--limit", "x"], "--limit"),
        ];
        for (words, expect) in table {
            let Err(ParseStop::Refuse(refusal, format)) = parse_words(words) else {
                panic!("{words:?}");
            };
            assert_eq!((refusal.exit, format), (exit::USAGE, Format::Plain));
            assert!(refusal.text.contains(expect), "{words:?}: {refusal}");
            assert!(!refusal.text.starts_with("error"), "{refusal}");
        }
    }

    #[test]
    fn the_usage_line_of_an_error_is_that_of_the_help() {
        let rows: [(&[&str], &str); 4] = [
            (
                &["--config", "a.toml", "credits", "grant", "bo@example.com"],
                "Usage: maitred credits grant [OPTIONS] <ACCOUNT> <CREDITS>\n",
            ),
            (
                &["--config", "a.toml", "explain"],
                "Usage: maitred explain [OPTIONS] <BOOKING>\n",
            ),
            (
                &["--format", "plain", "dance"],
                "Usage: maitred [OPTIONS] <COMMAND>\n",
            ),
            (
                &["run", "--config", "a.toml", "--twice"],
                "Usage: maitred run [OPTIONS]\n",
            ),
        ];
        for (words, usage) in rows {
            let Err(ParseStop::Refuse(refusal, _)) = parse_words(words) else {
                panic!("{words:?}");
            };
            assert!(refusal.text.contains(usage), "{words:?}: {refusal}");
            let command_words = words.iter().filter(|word| !word.contains(['-', '@', '.']));
            let mut help: Vec<&str> = command_words.copied().filter(|w| *w != "plain").collect();
            help.retain(|word| *word != "dance");
            help.push("--help");
            let Err(ParseStop::Print(help)) = parse_words(&help) else {
                panic!("{words:?}");
            };
            assert!(help.contains(usage), "{words:?}: {help}");
        }
    }

    /// A line that is broken twice, by hand and by clap, leaves a single word on a line.
    #[test]
    fn the_texts_of_help_fit_any_width() {
        for command in all_commands(&command()) {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            let lines: Vec<&str> = help.lines().collect();
            for pair in lines.windows(2) {
                let is_text = |line: &str| !line.is_empty() && !line.starts_with(' ');
                let is_heading = pair[0].ends_with(':');
                assert!(
                    !is_text(pair[0]) || !is_text(pair[1]) || is_heading,
                    "{}: {pair:?}",
                    command.get_name()
                );
            }
        }
        let text = "A text\nof two lines.\n\nExamples:\n  one\n  two\nMore\ntext.";
        let joined = "A text of two lines.\n\nExamples:\n  one\n  two\nMore text.";
        assert_eq!(join_lines(text), joined);
    }

    #[test]
    fn every_limit_is_at_least_one() {
        let mut top = command();
        top.build();
        let mut limit_count = 0;
        for command in all_commands(&top) {
            if !command
                .get_arguments()
                .any(|flag| flag.get_long() == Some("limit"))
            {
                continue;
            }
            let mut words: Vec<&str> = command.get_bin_name().unwrap().split(' ').skip(1).collect();
            let positionals = command.get_positionals();
            words.extend(positionals.filter(|one| one.is_required_set()).map(|_| "x"));
            words.extend(["--limit", "0"]);
            let Err(ParseStop::Refuse(refusal, _)) = parse_words(&words) else {
                panic!("{words:?}");
            };
            assert!(
                refusal.text.contains("'0' for '--limit <NUMBER>'"),
                "{refusal}"
            );
            assert!(
                refusal.text.contains("the value must be at least 1"),
                "{refusal}"
            );
            limit_count += 1;
        }
        assert!(limit_count >= 7, "{limit_count}");
    }

    #[test]
    fn nonsense_is_refused_in_the_format_that_was_asked_for() {
        let table: [(&[&str], Format); 5] = [
            (&["--format", "json", "dance"], Format::Json),
            (&["dance", "--format=json"], Format::Json),
            (&["dance", "--format"], Format::Plain),
            (&["dance", "--format", "xml"], Format::Plain),
            (&["--format=json", "dance", "--format=plain"], Format::Plain),
        ];
        for (words, expect) in table {
            let Err(ParseStop::Refuse(_, format)) = parse_words(words) else {
                panic!("{words:?}");
            };
            assert_eq!(format, expect, "{words:?}");
        }
    }

    #[test]
    fn flags_that_every_command_understands_may_stand_anywhere() {
        for words in [
            ["--config", "a.toml", "run", "--once"],
            ["run", "--once", "--config", "a.toml"],
        ] {
            let args = parse_words(&words).unwrap();
            assert_eq!(args.global.config, std::path::Path::new("a.toml"));
            assert!(matches!(args.verb, Verb::Run(run) if run.once && !run.dry_run));
        }
    }
}
