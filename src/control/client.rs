//! The client's end of the socket: sends one line, reads one line back, and has a separate error
//! for each way in which that can fail. Above all it distinguishes a daemon that does not run (the
//! command then opens the store itself) from a daemon that runs and cannot be asked.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::exit;
use super::protocol::{
    Command, CommandResult, MAX_REQUEST, MAX_RESPONSE, Refusal, SCHEMA, SocketRequest,
    SocketResponse,
};

/// How long the daemon may take to read the request: with a new client it does nothing else.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the daemon may take to answer a command that has a time limit.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a command got no result from the daemon.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no socket, or no process listens on it.
    #[error("no daemon listens on {path}", path = .0.display())]
    NotRunning(PathBuf),
    /// This user may not use the socket.
    #[error("permission denied on {path}: {permitted_users}", path = .path.display())]
    Denied {
        /// The socket.
        path: PathBuf,
        /// The users who may use the socket, as text for an operator.
        permitted_users: String,
    },
    /// The request is longer than the protocol allows; the payload is its length in bytes.
    #[error("the request has {0} bytes, and at most {MAX_REQUEST} can be sent; split it")]
    TooLong(usize),
    /// The daemon did not read the request, or did not answer, for this long.
    #[error(
        "the daemon sent nothing for {} s; it is unknown whether anything was done",
        .0.as_secs_f32()
    )]
    Silent(Duration),
    /// The connection ended before the whole answer had arrived.
    #[error(
        "the daemon ended the connection in its answer; it is unknown whether anything was \
     done"
    )]
    BrokenOff,
    /// The daemon speaks another version of the protocol, which is the payload.
    #[error(
        "the daemon answers in version {0} of the control protocol and this command understands \
         version {SCHEMA}; use the same version of maitred for both"
    )]
    OtherSchema(u32),
    /// The answer is not a response of the protocol; the payload says why.
    #[error(
        "the daemon's answer cannot be understood ({0}); use the same version of maitred for \
     both"
    )]
    NotUnderstood(String),
    /// The socket cannot be used for another reason.
    #[error("reach the daemon on {path}: {source}", path = .path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The daemon refused the command.
    #[error("{0}")]
    Refused(Refusal),
}

impl ClientError {
    /// Returns the error as a refusal for standard error, with the exit code that fits.
    pub fn into_refusal(self) -> Refusal {
        let (exit, code) = match &self {
            Self::Denied { .. } => (exit::CREDENTIAL, "permission"),
            Self::NotRunning(_) | Self::Silent(_) | Self::BrokenOff | Self::Io { .. } => {
                (exit::UNREACHABLE, "unreachable")
            }
            Self::TooLong(_) => (exit::USAGE, "usage"),
            Self::OtherSchema(_) | Self::NotUnderstood(_) => (exit::FAILED, "conflict"),
            Self::Refused(_) => (exit::FAILED, "internal"),
        };
        match self {
            Self::Refused(refusal) => refusal,
            other => Refusal {
                exit,
                code: code.to_owned(),
                text: other.to_string(),
            },
        }
    }
}

/// Sends a command to the daemon that listens on `path`, and returns its result.
///
/// # Errors
/// Fails when no daemon runs, when the daemon cannot be asked, and when the daemon refuses the
/// command.
pub fn send_command(path: &Path, command: Command) -> Result<CommandResult, ClientError> {
    let timeout = command.profile().has_time_limit.then_some(ANSWER_TIMEOUT);
    let mut line = serde_json::to_vec(&SocketRequest {
        schema: SCHEMA,
        command,
    })
    .expect("a request has only keys that are texts");
    if line.len() > MAX_REQUEST {
        return Err(ClientError::TooLong(line.len()));
    }
    line.push(b'\n');
    exchange(path, &line, timeout)
}

fn exchange(
    path: &Path,
    line: &[u8],
    timeout: Option<Duration>,
) -> Result<CommandResult, ClientError> {
    let failed = |source| ClientError::Io {
        path: path.to_owned(),
        source,
    };
    let mut stream = UnixStream::connect(path).map_err(|error| connect_error(path, error))?;
    stream
        .set_write_timeout(Some(SEND_TIMEOUT))
        .map_err(failed)?;
    stream.set_read_timeout(timeout).map_err(failed)?;
    match stream.write_all(line) {
        Ok(()) => {}
        // A daemon that is busy or has read enough sends a reason before it closes the connection,
        // so the answer is still read.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
            ) => {}
        Err(error) if is_timeout(&error) => return Err(ClientError::Silent(SEND_TIMEOUT)),
        Err(error) => return Err(failed(error)),
    }
    let mut answer = Vec::new();
    let limit = MAX_RESPONSE as u64 + 1;
    match BufReader::new(stream)
        .take(limit)
        .read_until(b'\n', &mut answer)
    {
        Ok(_) => {}
        Err(error) if is_timeout(&error) => {
            return Err(ClientError::Silent(timeout.unwrap_or(ANSWER_TIMEOUT)));
        }
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {
            return Err(ClientError::BrokenOff);
        }
        Err(error) => return Err(failed(error)),
    }
    if answer.last() != Some(&b'\n') {
        return Err(ClientError::BrokenOff);
    }
    decode_answer(&answer)
}

/// Decodes the daemon's answer. The version is checked first, so that the answer of another version
/// is reported as that and not as malformed.
fn decode_answer(line: &[u8]) -> Result<CommandResult, ClientError> {
    #[derive(Deserialize)]
    struct ServerVersion {
        schema: u32,
    }
    #[derive(Deserialize)]
    struct ServerVersions {
        ok: std::collections::BTreeMap<String, ServerVersion>,
    }
    if let Ok(ServerVersions { ok }) = serde_json::from_slice(line)
        && let Some(version) = ok.values().find(|version| version.schema != SCHEMA)
    {
        return Err(ClientError::OtherSchema(version.schema));
    }
    match serde_json::from_slice(line) {
        Ok(SocketResponse::Ok(answer)) => Ok(*answer),
        Ok(SocketResponse::Err(refusal)) => Err(ClientError::Refused(refusal)),
        Err(error) => Err(ClientError::NotUnderstood(error.to_string())),
    }
}

fn connect_error(path: &Path, error: io::Error) -> ClientError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            ClientError::NotRunning(path.to_owned())
        }
        ErrorKind::PermissionDenied => ClientError::Denied {
            path: path.to_owned(),
            permitted_users: describe_permitted_users(path),
        },
        _ => ClientError::Io {
            path: path.to_owned(),
            source: error,
        },
    }
}

/// Describes the users who may use the socket: its owner, or the owner of its folder when the
/// socket itself cannot be inspected.
fn describe_permitted_users(path: &Path) -> String {
    let folder = path.parent().map(std::fs::metadata);
    let metadata = std::fs::metadata(path).ok().or_else(|| folder?.ok());
    let uid = metadata.map(|metadata| format!(" (uid {})", metadata.uid()));
    format!(
        "only root and the user that runs the daemon{} may use it; run the command as one of them, for \
         example with sudo",
        uid.unwrap_or_default()
    )
}

/// Returns true for the error of a socket's time-out, which differs between systems.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    /// Starts a fake daemon that answers one client with these bytes, after or without reading the
    /// client's line.
    fn fake_daemon(answer: &'static [u8], reads_request: bool) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = UnixListener::bind(&path).unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            if reads_request {
                let mut line = Vec::new();
                let mut reader = BufReader::new(&stream);
                reader.read_until(b'\n', &mut line).unwrap();
            }
            // The client may have closed the connection already.
            let _ = stream.write_all(answer);
        });
        (folder, path)
    }

    #[test]
    fn a_daemon_that_does_not_run_is_distinguished_from_other_errors() {
        let folder = tempfile::tempdir().unwrap();
        let stale = folder.path().join("stale.sock");
        drop(UnixListener::bind(&stale).unwrap());
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for path in [folder.path().join("missing"), stale, file] {
            let error = send_command(&path, Command::Status {}).unwrap_err();
            assert!(
                matches!(&error, ClientError::NotRunning(at) if *at == path),
                "{error}"
            );
            assert_eq!(error.into_refusal().exit, exit::UNREACHABLE);
        }
    }

    #[test]
    fn a_denied_client_is_told_who_may_use_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        let uid = std::fs::metadata(&path).unwrap().uid();
        // Tests may run as root, who is never denied access.
        let error = connect_error(&path, ErrorKind::PermissionDenied.into());
        let refusal = error.into_refusal();
        assert_eq!(refusal.exit, exit::CREDENTIAL);
        assert!(
            refusal.text.contains(&format!("(uid {uid})")),
            "{}",
            refusal.text
        );
        // A folder's owner can be read without permission to list the folder.
        let uid = std::fs::metadata(folder.path()).unwrap().uid();
        let who = describe_permitted_users(&folder.path().join("not-seen"));
        assert!(who.contains(&format!("(uid {uid})")), "{who}");
    }

    #[test]
    fn unusable_answers_are_reported_by_cause() {
        let rows: [(&[u8], &str); 8] = [
            (b"", "ended the connection"),
            (b"{\"ok\":", "ended the connection"),
            (b"hello\n", "cannot be understood (expected value"),
            (
                b"{\"ok\":{\"dance\":{\"schema\":1}}}\n",
                "unknown variant `dance`",
            ),
            (
                b"{\"ok\":{\"dance\":{\"schema\":2}}}\n",
                "answers in version 2",
            ),
            (
                b"{\"ok\":{\"verify\":{\"schema\":1}}}\n",
                "missing field `commits`",
            ),
            (
                b"{\"err\":{\"exit\":2,\"code\":\"usage\",\"text\":\"no such account\"}}\n",
                "no such account",
            ),
            (
                b"{\"ok\":{\"verify\":{\"schema\":2,\"commits\":0,\"facts\":0,\"accounts\":0,\
                  \"head\":\"\",\"differences\":[]}}}\n",
                "answers in version 2",
            ),
        ];
        for (answer, expect) in rows {
            let (_folder, path) = fake_daemon(answer, true);
            let error = send_command(&path, Command::Status {}).unwrap_err();
            assert!(error.to_string().contains(expect), "{error}");
        }
    }

    #[test]
    fn a_refusal_keeps_its_exit_code() {
        let refusal = b"{\"err\":{\"exit\":77,\"code\":\"credential\",\"text\":\"no\"}}\n";
        let (_folder, path) = fake_daemon(refusal, true);
        let error = send_command(&path, Command::Status {}).unwrap_err();
        assert_eq!(error.into_refusal().exit, exit::CREDENTIAL);
    }

    #[test]
    fn an_answer_sent_before_the_request_was_read_is_received() {
        let refusal = b"{\"err\":{\"exit\":69,\"code\":\"unreachable\",\"text\":\"full\"}}\n";
        let (_folder, path) = fake_daemon(refusal, false);
        let text = "x".repeat(8 * 1024 * 1024);
        let error = send_command(&path, Command::Evaluate { text, at: None }).unwrap_err();
        assert!(matches!(&error, ClientError::Refused(_)), "{error}");
    }

    #[test]
    fn a_daemon_that_says_nothing_is_not_waited_for_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        let timeout = Duration::from_millis(50);
        let error = exchange(&path, b"{}\n", Some(timeout)).unwrap_err();
        assert!(
            matches!(error, ClientError::Silent(time) if time == timeout),
            "{error}"
        );
    }

    #[test]
    fn a_request_that_is_too_long_is_not_sent() {
        let text = "x".repeat(MAX_REQUEST);
        let error =
            send_command(Path::new("missing"), Command::Evaluate { text, at: None }).unwrap_err();
        assert!(matches!(error, ClientError::TooLong(_)), "{error}");
    }
}
