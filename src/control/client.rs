//! The client's end of the socket: sends one HTTP request, reads the answer, and has a separate
//! error for each way in which that can fail. Above all it distinguishes a daemon that does not run
//! (the command then opens the store itself) from a daemon that runs and cannot be asked.

use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::stream;
use http_body_util::{BodyExt, LengthLimitError, Limited, StreamBody};
use hyper::body::{Body, Bytes, Frame};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::NON_ALPHANUMERIC;
use tokio::sync::watch;
use tokio::time::timeout;

use super::api::answer::{read_refusal, read_result};
use super::api::request::{CommandRequest, JSON};
use super::api::route::{ACTOR_HEADER, Route, SCHEMA_HEADER};
use super::exit;
use super::protocol::{Command, CommandResult, MAX_REQUEST, MAX_RESPONSE, Refusal, SCHEMA};

/// How long the daemon may take to read the next part of the request: with a new client it does
/// nothing else.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// The parts in which a body is sent, in bytes: a daemon that reads takes one in no time.
const SENT_PART: usize = 64 * 1024;

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
    /// This user may not use a directory on the way to the socket, so it is not known whether there
    /// is a socket.
    #[error(
        "permission denied on the directory {directory}{owner}, in which the daemon's socket \
         {path} would be; run the command as the user of the daemon and the ledger, for example \
         with sudo -u",
        directory = .directory.display(), path = .path.display()
    )]
    DirectoryDenied {
        /// The directory.
        directory: PathBuf,
        /// The socket.
        path: PathBuf,
        /// The owner of the directory, in parentheses; empty if it is not known.
        owner: String,
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
            Self::Denied { .. } | Self::DirectoryDenied { .. } => (exit::CREDENTIAL, "permission"),
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
pub fn send_command(
    path: &Path,
    command: Command,
    actor: Option<&str>,
) -> Result<CommandResult, ClientError> {
    let limits = ClientLimits {
        send: SEND_TIMEOUT,
        answer: command.profile().has_time_limit.then_some(ANSWER_TIMEOUT),
    };
    let request = CommandRequest::new(&command);
    drop(command);
    if request.body.len() > MAX_REQUEST {
        return Err(ClientError::TooLong(request.body.len()));
    }
    let route = request.route;
    let answer = exchange(path, request, actor, limits)?;
    read_answer(route, &answer)
}

/// How long the daemon may take. The answer of some commands has no time limit.
#[derive(Debug, Clone, Copy)]
struct ClientLimits {
    send: Duration,
    answer: Option<Duration>,
}

/// A whole answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

fn exchange(
    path: &Path,
    request: CommandRequest,
    actor: Option<&str>,
    limits: ClientLimits,
) -> Result<Answer, ClientError> {
    let failed = |source| ClientError::Io {
        path: path.to_owned(),
        source,
    };
    let stream = UnixStream::connect(path).map_err(|error| connect_error(path, error))?;
    stream.set_nonblocking(true).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    runtime.block_on(async {
        let stream = tokio::net::UnixStream::from_std(stream).map_err(failed)?;
        let (part_taken, parts) = watch::channel(());
        let request = build_request(request, actor, part_taken);
        tokio::select! {
            answer = send(stream, request) => answer.map_err(|error| http_error(path, error)),
            () = stalled(parts, limits.send) => Err(ClientError::Silent(limits.send)),
            time = elapsed(limits.answer) => Err(ClientError::Silent(time)),
        }
    })
}

/// Builds the request. Each part of the body that is taken is noted.
fn build_request(
    request: CommandRequest,
    actor: Option<&str>,
    part_taken: watch::Sender<()>,
) -> Request<impl Body<Data = Bytes, Error = std::convert::Infallible> + Send + 'static> {
    let method = request.method();
    let length = request.body.len();
    let body = Bytes::from(request.body);
    let parts = stream::unfold((body, part_taken), |(mut rest, part_taken)| async {
        if rest.is_empty() {
            return None;
        }
        let part = rest.split_to(rest.len().min(SENT_PART));
        part_taken.send_replace(());
        Some((Ok(Frame::data(part)), (rest, part_taken)))
    });
    let mut head = Request::builder()
        .method(method)
        .uri(request.target)
        .header(HOST, "localhost")
        .header(CONTENT_TYPE, JSON)
        .header(CONTENT_LENGTH, length)
        .header(SCHEMA_HEADER, SCHEMA);
    if let Some(actor) = actor {
        let encoded = percent_encoding::utf8_percent_encode(actor, NON_ALPHANUMERIC);
        head = head.header(ACTOR_HEADER, encoded.to_string());
    }
    head.body(StreamBody::new(Box::pin(parts)))
        .expect("the parts of a request come from the table and are escaped")
}

/// Sends the request, and reads the whole answer.
async fn send<B>(
    stream: tokio::net::UnixStream,
    request: Request<B>,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>>
where
    B: Body<Data = Bytes, Error = std::convert::Infallible> + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // The connection works while the answer is awaited. Its error is also that of the answer.
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, MAX_RESPONSE).collect().await?;
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body: body.to_bytes(),
    })
}

/// Completes when no part of the body was taken for this long, although some are left.
async fn stalled(mut parts: watch::Receiver<()>, limit: Duration) {
    loop {
        match timeout(limit, parts.changed()).await {
            Ok(Ok(())) => {}
            // All parts were taken.
            Ok(Err(_)) => std::future::pending().await,
            Err(_) => return,
        }
    }
}

/// Completes after the time, and never without one.
async fn elapsed(time: Option<Duration>) -> Duration {
    let Some(time) = time else {
        return std::future::pending().await;
    };
    tokio::time::sleep(time).await;
    time
}

/// Reads an answer. The version is checked before the result, so that the answer of another version
/// is reported as that and not as malformed.
fn read_answer(route: &Route, answer: &Answer) -> Result<CommandResult, ClientError> {
    if answer.status != StatusCode::OK {
        let refusal = read_refusal(&answer.body);
        return Err(refusal.map_or_else(
            |why| ClientError::NotUnderstood(format!("status {}, {why}", answer.status)),
            ClientError::Refused,
        ));
    }
    let version = answer.headers.get(SCHEMA_HEADER);
    let version = version.and_then(|version| version.to_str().ok()?.parse().ok());
    match version {
        Some(SCHEMA) => read_result(route, &answer.body).map_err(ClientError::NotUnderstood),
        Some(other) => Err(ClientError::OtherSchema(other)),
        None => Err(ClientError::NotUnderstood(format!(
            "it has no header {SCHEMA_HEADER}"
        ))),
    }
}

/// Classifies an error of an exchange that had begun.
fn http_error(path: &Path, error: Box<dyn std::error::Error + Send + Sync>) -> ClientError {
    if error.is::<LengthLimitError>() {
        return ClientError::NotUnderstood(format!("it is longer than {MAX_RESPONSE} bytes"));
    }
    let Some(http) = error.downcast_ref::<hyper::Error>() else {
        return ClientError::NotUnderstood(error.to_string());
    };
    if http.is_parse() {
        return ClientError::NotUnderstood(error.to_string());
    }
    let cause = http
        .source()
        .and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause.map(io::Error::kind) {
        None
        | Some(ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) => {
            ClientError::BrokenOff
        }
        Some(kind) => ClientError::Io {
            path: path.to_owned(),
            source: kind.into(),
        },
    }
}

fn connect_error(path: &Path, error: io::Error) -> ClientError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            ClientError::NotRunning(path.to_owned())
        }
        ErrorKind::PermissionDenied => match find_closed_directory(path, is_denied) {
            Some(directory) => ClientError::DirectoryDenied {
                owner: describe_owner(&directory),
                directory,
                path: path.to_owned(),
            },
            None => ClientError::Denied {
                path: path.to_owned(),
                permitted_users: describe_permitted_users(path),
            },
        },
        _ => ClientError::Io {
            path: path.to_owned(),
            source: error,
        },
    }
}

/// Returns the directory that keeps this user from the path: the last one that can be seen, when
/// what is in it cannot be inspected. Returns `None` if the path itself can be inspected.
fn find_closed_directory(path: &Path, is_denied: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let denied = path.ancestors().take_while(|part| is_denied(part)).last()?;
    let directory = denied.parent()?;
    Some(if directory.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        directory.to_owned()
    })
}

/// Returns true if this user may not inspect the path.
fn is_denied(path: &Path) -> bool {
    let error = std::fs::metadata(path).err();
    error.is_some_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// Describes the users who may use the socket.
fn describe_permitted_users(path: &Path) -> String {
    format!(
        "only root and the user that runs the daemon{} may use it; run the command as one of them, for \
         example with sudo",
        describe_owner(path)
    )
}

/// Returns the number of the owner in parentheses, or nothing if it is not known.
fn describe_owner(path: &Path) -> String {
    let metadata = std::fs::metadata(path).ok();
    let uid = metadata.map(|metadata| format!(" (uid {})", metadata.uid()));
    uid.unwrap_or_default()
}

#[cfg(test)]
mod tests;
