//! Asks a command: the question on its standard input, the answer on its standard output, exit code
//! 0.

use std::path::Path;
use std::time::Duration;

use super::command::{CommandError, CommandOutput, run};
use super::failure::QueryFailure;

/// Runs the command with the question, and returns what it wrote.
///
/// # Errors
/// Returns an error if the command does not run to its end, ends with another code than 0, or writes
/// more than `max_bytes`.
pub async fn ask_command(
    program: &Path,
    args: &[String],
    question: &[u8],
    max_bytes: usize,
    timeout: Duration,
) -> Result<Vec<u8>, QueryFailure> {
    let output = run(program, args, question, max_bytes, timeout).await;
    interpret_output(output.map_err(|error| to_failure(&error))?)
}

fn interpret_output(output: CommandOutput) -> Result<Vec<u8>, QueryFailure> {
    if output.status.success() {
        return Ok(output.stdout);
    }
    let colon = if output.message.is_empty() { "" } else { ": " };
    // `exit status: 1`, `signal: 9 (SIGKILL)`
    Err(QueryFailure::for_this_request(format!(
        "it ended with {}{colon}{}",
        output.status, output.message
    )))
}

fn to_failure(error: &CommandError) -> QueryFailure {
    let why = format!("it {error}");
    match error {
        CommandError::NotStarted(_) | CommandError::TimedOut(_) => QueryFailure::unavailable(why),
        CommandError::TooLarge(_) | CommandError::Unreadable(_) => {
            QueryFailure::for_this_request(why)
        }
    }
}
