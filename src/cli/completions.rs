//! `maitred completions`: what a shell needs to complete commands and flags.

use clap_complete::Shell;

use super::command_line;

/// Returns the script for the shell.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command_line::command(), "maitred", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in [
            Shell::Bash,
            Shell::Elvish,
            Shell::Fish,
            Shell::PowerShell,
            Shell::Zsh,
        ] {
            let script = String::from_utf8(completions(shell)).unwrap();
            for word in ["credits", "import", "dry-run", "completions"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
