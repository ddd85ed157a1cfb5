//! Queries a command: the request on its standard input, one JSON value on its standard output,
//! exit code 0.

use std::path::Path;
use std::time::Duration;

use super::response::{LookupFailure, MAX_RESPONSE_BYTES, parse_response};
use crate::domain::booking::Answer;
use crate::external::command::{CommandError, CommandOutput, run as run_command};

pub(super) async fn run(
    program: &Path,
    args: &[String],
    request_line: &[u8],
    timeout: Duration,
) -> Result<Answer, LookupFailure> {
    let output = run_command(program, args, request_line, MAX_RESPONSE_BYTES, timeout).await;
    interpret_output(&output.map_err(|error| to_failure(&error))?)
}

fn interpret_output(output: &CommandOutput) -> Result<Answer, LookupFailure> {
    if output.status.success() {
        return parse_response(&output.stdout);
    }
    let colon = if output.message.is_empty() { "" } else { ": " };
    // `exit status: 1`, `signal: 9 (SIGKILL)`
    Err(LookupFailure::for_this_request(format!(
        "it ended with {}{colon}{}",
        output.status, output.message
    )))
}

fn to_failure(error: &CommandError) -> LookupFailure {
    let why = format!("it {error}");
    match error {
        CommandError::NotStarted(_) | CommandError::TimedOut(_) => LookupFailure::unavailable(why),
        CommandError::TooLarge(_) | CommandError::Unreadable(_) => {
            LookupFailure::for_this_request(why)
        }
    }
}
