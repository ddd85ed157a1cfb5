//! Queries a command: the request on its standard input, one JSON value on its standard output,
//! exit code 0. The command gets a bare environment, and is killed with everything that it started
//! when its time is over.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::response::{LookupFailure, MAX_RESPONSE_BYTES, parse_response, sanitize_message};
use crate::domain::booking::Answer;

/// The variables that a command inherits from our environment. Never a key.
const INHERITED_VARIABLES: [&str; 3] = ["PATH", "HOME", "LANG"];

/// How many bytes of the command's error output are kept for the message. The rest is read and
/// dropped, so that a full pipe does not stop the command.
const MAX_STDERR_BYTES: u64 = 4 * 1024;

/// How long a killed command may take to exit. It cannot refuse the signal.
const REAP_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) async fn run(
    program: &Path,
    args: &[String],
    request_line: &[u8],
    timeout: Duration,
) -> Result<Answer, LookupFailure> {
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
    let mut child = command.spawn().map_err(|error| {
        LookupFailure::unavailable(format!(
            "it could not be started: {}",
            sanitize_message(&error.to_string())
        ))
    })?;
    let process_group = child.id();
    match tokio::time::timeout(timeout, communicate(&mut child, request_line)).await {
        Ok(Ok((status, output, stderr))) => interpret_exit(status, &output, &stderr),
        Ok(Err(error)) => {
            kill_process_group(&mut child, process_group).await;
            Err(error)
        }
        Err(_elapsed) => {
            kill_process_group(&mut child, process_group).await;
            Err(LookupFailure::unavailable(format!(
                "it did not answer within {timeout:?}"
            )))
        }
    }
}

fn interpret_exit(
    status: ExitStatus,
    output: &[u8],
    stderr: &[u8],
) -> Result<Answer, LookupFailure> {
    if status.success() {
        return parse_response(output);
    }
    let message = sanitize_message(&String::from_utf8_lossy(stderr));
    let colon = if message.is_empty() { "" } else { ": " };
    // `exit status: 1`, `signal: 9 (SIGKILL)`
    Err(LookupFailure::for_this_request(format!(
        "it ended with {status}{colon}{message}"
    )))
}

/// Sends the request to the command and reads its output to the end.
async fn communicate(
    child: &mut Child,
    request_line: &[u8],
) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), LookupFailure> {
    let mut stdin = child.stdin.take().expect("it is piped");
    let stdout = child.stdout.take().expect("it is piped");
    let stderr = child.stderr.take().expect("it is piped");
    let write_request = async move {
        // The command need not read the request; only its answer counts.
        let _ = stdin.write_all(request_line).await;
        drop(stdin);
        Ok(())
    };
    let ((), output, stderr_bytes) =
        tokio::try_join!(write_request, read_stdout(stdout), read_stderr(stderr))?;
    let status = child.wait().await.map_err(|error| io_failure(&error))?;
    Ok((status, output, stderr_bytes))
}

async fn read_stdout(stdout: impl AsyncRead + Unpin) -> Result<Vec<u8>, LookupFailure> {
    let mut output = Vec::new();
    let mut stdout = stdout.take(MAX_RESPONSE_BYTES as u64 + 1);
    let read = stdout.read_to_end(&mut output).await;
    read.map_err(|error| io_failure(&error))?;
    if output.len() > MAX_RESPONSE_BYTES {
        return Err(LookupFailure::too_large());
    }
    Ok(output)
}

async fn read_stderr(mut stderr: impl AsyncRead + Unpin) -> Result<Vec<u8>, LookupFailure> {
    let mut head = Vec::new();
    let mut first = (&mut stderr).take(MAX_STDERR_BYTES);
    let read = first.read_to_end(&mut head).await;
    read.map_err(|error| io_failure(&error))?;
    let rest = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    rest.map_err(|error| io_failure(&error))?;
    Ok(head)
}

fn io_failure(error: &std::io::Error) -> LookupFailure {
    LookupFailure::for_this_request(format!("its output could not be read: {error}"))
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
