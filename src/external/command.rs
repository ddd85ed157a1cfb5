//! Runs a command of the operator's: an input on its standard input, a time limit, a bare environment.
//! A command whose time is over is killed with everything that it started.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::failure::format_size;
use super::message::sanitize_message;

/// The variables that a command inherits from our environment. Never a key.
const INHERITED_VARIABLES: [&str; 3] = ["PATH", "HOME", "LANG"];

/// How many bytes of the command's error output are kept for the message. The rest is read and
/// dropped, so that a full pipe does not stop the command.
const MAX_STDERR_BYTES: u64 = 4 * 1024;

/// How long a killed command may take to exit. It cannot refuse the signal.
const REAP_TIMEOUT: Duration = Duration::from_secs(1);

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOutput {
    /// How the command ended.
    pub status: ExitStatus,
    /// What the command wrote to its standard output.
    pub stdout: Vec<u8>,
    /// The first line of the command's error output, cleaned; empty if there is none.
    pub message: String,
}

/// Why a command did not run to its end. The text reads after "the command": it names no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The program could not be started; the payload is the system's reason.
    #[error("could not be started: {0}")]
    NotStarted(String),
    /// The command did not end in time, and was killed.
    #[error("did not answer within {0:?}")]
    TimedOut(Duration),
    /// The command wrote more than the given number of bytes.
    #[error("gave more than {}", format_size(*.0))]
    TooLarge(usize),
    /// The command's output could not be read; the payload is the system's reason.
    #[error("wrote what could not be read: {0}")]
    Unreadable(String),
}

/// Runs the command. It may write at most `max_output` bytes to its standard output.
///
/// # Errors
/// Returns an error if the command cannot be started, does not end in time, or writes too much.
pub async fn run(
    program: &Path,
    args: &[String],
    input: &[u8],
    max_output: usize,
    timeout: Duration,
) -> Result<CommandOutput, CommandError> {
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(INHERITED_VARIABLES.iter().filter_map(|name| {
            let value = std::env::var_os(name)?;
            Some((name, value))
        }))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A process group of its own, so that what the command started can be killed with it.
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| CommandError::NotStarted(sanitize_message(&error.to_string())))?;
    let process_group = child.id();
    match tokio::time::timeout(timeout, communicate(&mut child, input, max_output)).await {
        Ok(Ok((status, stdout, stderr))) => Ok(CommandOutput {
            status,
            stdout,
            message: sanitize_message(&String::from_utf8_lossy(&stderr)),
        }),
        Ok(Err(error)) => {
            kill_process_group(&mut child, process_group).await;
            Err(error)
        }
        Err(_elapsed) => {
            kill_process_group(&mut child, process_group).await;
            Err(CommandError::TimedOut(timeout))
        }
    }
}

/// Sends the input to the command and reads its output to the end.
async fn communicate(
    child: &mut Child,
    input: &[u8],
    max_output: usize,
) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), CommandError> {
    let mut stdin = child.stdin.take().expect("it is piped");
    let stdout = child.stdout.take().expect("it is piped");
    let stderr = child.stderr.take().expect("it is piped");
    let write_input = async move {
        // The command need not read its input; only its answer and its exit code count.
        let _ = stdin.write_all(input).await;
        drop(stdin);
        Ok(())
    };
    let ((), output, stderr_bytes) = tokio::try_join!(
        write_input,
        read_stdout(stdout, max_output),
        read_stderr(stderr)
    )?;
    let status = child.wait().await.map_err(|error| unreadable(&error))?;
    Ok((status, output, stderr_bytes))
}

async fn read_stdout(
    stdout: impl AsyncRead + Unpin,
    max_output: usize,
) -> Result<Vec<u8>, CommandError> {
    let mut output = Vec::new();
    let mut stdout = stdout.take(max_output as u64 + 1);
    let read = stdout.read_to_end(&mut output).await;
    read.map_err(|error| unreadable(&error))?;
    if output.len() > max_output {
        return Err(CommandError::TooLarge(max_output));
    }
    Ok(output)
}

async fn read_stderr(mut stderr: impl AsyncRead + Unpin) -> Result<Vec<u8>, CommandError> {
    let mut head = Vec::new();
    let mut first = (&mut stderr).take(MAX_STDERR_BYTES);
    let read = first.read_to_end(&mut head).await;
    read.map_err(|error| unreadable(&error))?;
    let rest = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    rest.map_err(|error| unreadable(&error))?;
    Ok(head)
}

fn unreadable(error: &std::io::Error) -> CommandError {
    CommandError::Unreadable(error.to_string())
}

/// Kills the command and what it started. No safe call for a whole process group is available here,
/// but every shell has one. The command leads the group, and until the leader is reaped the group's
/// number is not given to another group, so the leader is reaped last.
async fn kill_process_group(child: &mut Child, process_group: Option<u32>) {
    if let Some(process_group) = process_group {
        let kill = Command::new("/bin/sh")
            .args(["-c", "kill -s KILL -- \"-$0\"", &process_group.to_string()])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .status();
        let _ = tokio::time::timeout(REAP_TIMEOUT, kill).await;
    }
    let _ = child.start_kill();
    let _ = tokio::time::timeout(REAP_TIMEOUT, child.wait()).await;
}
