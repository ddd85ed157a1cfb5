//! Completes command lines in a shell. `maitred completions` prints a script for the shell; the
//! script asks the program for each completion, so that names of accounts and uids of bookings can be
//! completed too. clap_complete knows the commands, the options and the other shells.

use std::ffi::OsString;

use clap_complete::Shell;
use clap_complete::env::{CompleteEnv, Elvish, Fish, Powershell, Shells, Zsh};

use self::bash::Bash;

mod bash;
mod known_values;
mod values;

/// The variable by which a script asks for completions. Its value is the name of the shell.
const VARIABLE: &str = "MAITRED_COMPLETE";

/// The name of the program, in scripts and where they look for it.
const PROGRAM: &str = "maitred";

const SHELLS: Shells<'static> = Shells(&[&Bash, &Elvish, &Fish, &Powershell, &Zsh]);

/// Returns the script for the shell.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let completer = SHELLS.completer(&shell.to_string());
    completer
        .expect("there is a completer for each shell")
        .write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .expect("memory accepts every text");
    script
}

/// Prints the completions if a shell asks for them, and returns true then. Errors are never printed:
/// they would appear in the line that somebody types.
pub fn answer_shell() -> bool {
    let is_asked = std::env::var_os(VARIABLE).is_some_and(|shell| !shell.is_empty());
    let words: Vec<OsString> = std::env::args_os().collect();
    if !is_asked || words.is_empty() {
        return false;
    }
    let config = values::find_config(&words);
    let completion = CompleteEnv::with_factory(|| values::command_with_values(&config))
        .var(VARIABLE)
        .bin(PROGRAM)
        .completer(PROGRAM)
        .shells(SHELLS);
    let _ = completion.try_complete(words, std::env::current_dir().ok().as_deref());
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_asks_the_program() {
        for shell in [
            Shell::Bash,
            Shell::Elvish,
            Shell::Fish,
            Shell::PowerShell,
            Shell::Zsh,
        ] {
            let script = String::from_utf8(completions(shell)).unwrap();
            for word in [VARIABLE, PROGRAM] {
                assert!(script.contains(word), "{shell}: {word}\n{script}");
            }
        }
    }
}
