//! Asking a command: the question on its standard input, one JSON value on its standard output,
//! exit code 0. It gets a bare environment, and is killed with all it started when its time is
//! over.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::answer::{MAX_ANSWER, NoAnswer, read, told};
use crate::domain::booking::Answer;

/// What a command sees of our environment. Never a key.
const ENVIRONMENT: [&str; 3] = ["PATH", "HOME", "LANG"];

/// Of what it complains about, this much is kept to be told; the rest is read and dropped, so that
/// it is not stopped by a full pipe.
const MAX_COMPLAINT: u64 = 4 * 1024;

/// How long a killed command may take to be gone. It cannot refuse.
const REAPED_WITHIN: Duration = Duration::from_secs(1);

pub(super) async fn ask(
    program: &Path,
    args: &[String],
    question: &[u8],
    timeout: Duration,
) -> Result<Answer, NoAnswer> {
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(ENVIRONMENT.iter().filter_map(|name| {
            let value = std::env::var_os(name)?;
            Some((name, value))
        }))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that what it started can be ended with it.
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| {
        NoAnswer::away(format!(
            "it could not be started: {}",
            told(&error.to_string())
        ))
    })?;
    let group = child.id();
    match tokio::time::timeout(timeout, talk(&mut child, question)).await {
        Ok(Ok((status, output, complaint))) => finished(status, &output, &complaint),
        Ok(Err(error)) => {
            end(&mut child, group).await;
            Err(error)
        }
        Err(_elapsed) => {
            end(&mut child, group).await;
            Err(NoAnswer::away(format!(
                "it gave no answer within {timeout:?}"
            )))
        }
    }
}

fn finished(status: ExitStatus, output: &[u8], complaint: &[u8]) -> Result<Answer, NoAnswer> {
    if status.success() {
        return read(output);
    }
    let complaint = told(&String::from_utf8_lossy(complaint));
    let colon = if complaint.is_empty() { "" } else { ": " };
    // `exit status: 1`, `signal: 9 (SIGKILL)`
    Err(NoAnswer::about_this(format!(
        "it ended with {status}{colon}{complaint}"
    )))
}

/// Tells it the question, and hears it out.
async fn talk(
    child: &mut Child,
    question: &[u8],
) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), NoAnswer> {
    let mut stdin = child.stdin.take().expect("it is piped");
    let stdout = child.stdout.take().expect("it is piped");
    let stderr = child.stderr.take().expect("it is piped");
    let tell = async move {
        // It need not read its question; what it answers counts.
        let _ = stdin.write_all(question).await;
        drop(stdin);
        Ok(())
    };
    let ((), output, complaint) = tokio::try_join!(tell, output(stdout), complaint(stderr))?;
    let status = child.wait().await.map_err(|error| broken(&error))?;
    Ok((status, output, complaint))
}

async fn output(stdout: impl AsyncRead + Unpin) -> Result<Vec<u8>, NoAnswer> {
    let mut output = Vec::new();
    let mut stdout = stdout.take(MAX_ANSWER as u64 + 1);
    let read = stdout.read_to_end(&mut output).await;
    read.map_err(|error| broken(&error))?;
    if output.len() > MAX_ANSWER {
        return Err(NoAnswer::too_large());
    }
    Ok(output)
}

async fn complaint(mut stderr: impl AsyncRead + Unpin) -> Result<Vec<u8>, NoAnswer> {
    let mut kept = Vec::new();
    let mut first = (&mut stderr).take(MAX_COMPLAINT);
    let read = first.read_to_end(&mut kept).await;
    read.map_err(|error| broken(&error))?;
    let rest = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    rest.map_err(|error| broken(&error))?;
    Ok(kept)
}

fn broken(error: &std::io::Error) -> NoAnswer {
    NoAnswer::about_this(format!("it could not be heard: {error}"))
}

/// Ends it and what it started. There is no safe call for a whole group at hand, but every shell
/// has one; it is the leader that keeps the group's number from being given away, so it is reaped
/// last.
async fn end(child: &mut Child, group: Option<u32>) {
    if let Some(group) = group {
        let killed = Command::new("/bin/sh")
            .args(["-c", "kill -s KILL -- \"-$0\"", &group.to_string()])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .status();
        let _ = tokio::time::timeout(REAPED_WITHIN, killed).await;
    }
    let _ = child.start_kill();
    let _ = tokio::time::timeout(REAPED_WITHIN, child.wait()).await;
}
