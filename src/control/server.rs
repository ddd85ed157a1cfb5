//! The daemon's end of the socket. It reads one line, sends the command to the daemon's loop, and
//! writes one line back. It does not interpret commands, and one bad client does not affect the
//! others: the number of clients, bytes and times are all limited, and a client that exceeds a
//! limit receives the reason.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::exit;
use super::listener::Listener;
use super::protocol::{
    Command, MAX_REQUEST, MAX_RESPONSE, Refusal, SCHEMA, SocketRequest, SocketResponse,
};

/// Clients served at the same time: enough for an operator, a few scripts and a monitor. The
/// longest requests of this many clients still fit into memory.
const MAX_CLIENTS: usize = 16;

/// How long one more client waits for a place before it receives the answer that the server is
/// full. Short commands end within this time, so that a script that starts many commands together
/// does not notice.
const CONNECTION_WAIT: Duration = Duration::from_secs(2);

/// How long a client may take to send its line. The client is on the same machine and has the line
/// ready.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to read its answer.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the remaining clients have, when the server stops, to receive their answers.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// How long the server accepts no client after `accept` failed because the system has no more file
/// descriptors. Clients that end meanwhile release some, and the loop does not spin.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A command that a client sent, and the channel for its answer.
#[derive(Debug)]
pub struct ReceivedCommand {
    /// What the client wants.
    pub command: Command,
    /// The client's user, as the system reports it; `None` where the system does not report it.
    pub uid: Option<u32>,
    /// Closed when the client has disconnected. The command is then carried out without a
    /// recipient, or not at all.
    pub answer: oneshot::Sender<SocketResponse>,
}

/// Serves clients until `stop`: each command goes to `commands`, however long its answer takes. The
/// socket's file is removed before the last clients are answered. The receiver of the commands
/// should have closed its end by then: clients that still wait receive the answer that the daemon
/// is stopping.
pub async fn serve(
    listener: Listener,
    commands: mpsc::Sender<ReceivedCommand>,
    stop: impl Future<Output = ()>,
) {
    serve_with_limits(&ServerLimits::DEFAULT, listener, commands, stop).await;
}

/// The limits as values, so that tests need not wait for the real ones.
#[derive(Debug, Clone, Copy)]
struct ServerLimits {
    clients: usize,
    connection_wait: Duration,
    request_timeout: Duration,
    request_bytes: usize,
    response_timeout: Duration,
    response_bytes: usize,
    shutdown_grace: Duration,
}

impl ServerLimits {
    const DEFAULT: Self = Self {
        clients: MAX_CLIENTS,
        connection_wait: CONNECTION_WAIT,
        request_timeout: REQUEST_TIMEOUT,
        request_bytes: MAX_REQUEST,
        response_timeout: RESPONSE_TIMEOUT,
        response_bytes: MAX_RESPONSE,
        shutdown_grace: SHUTDOWN_GRACE,
    };
}

async fn serve_with_limits(
    limits: &ServerLimits,
    listener: Listener,
    commands: mpsc::Sender<ReceivedCommand>,
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop);
    let mut clients = JoinSet::new();
    let mut idle = IdleClients::default();
    loop {
        let stream = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection to the control socket could not be \
                     accepted");
                    tokio::time::sleep(ACCEPT_RETRY_PAUSE).await;
                    continue;
                }
            },
        };
        while clients.try_join_next().is_some() {}
        if clients.len() >= limits.clients {
            idle.shed_oldest();
            let free = tokio::select! {
                () = &mut stop => break,
                free = timeout(limits.connection_wait, clients.join_next()) => free,
            };
            if free.is_err() {
                tracing::warn!(
                    clients = limits.clients,
                    "the control socket has too many clients"
                );
                reject(&stream, &busy_response(limits));
                continue;
            }
        }
        clients.spawn(serve_client(stream, *limits, commands.clone(), idle.add()));
    }
    drop(commands);
    drop(listener);
    let drain = async { while clients.join_next().await.is_some() {} };
    if timeout(limits.shutdown_grace, drain).await.is_err() {
        clients.shutdown().await;
    }
}

/// The clients that have not sent a whole request yet, oldest first. They are closed in favour of
/// new clients, so that connections that only stay open cannot lock an operator out.
#[derive(Default)]
struct IdleClients(VecDeque<oneshot::Sender<()>>);

impl IdleClients {
    /// Adds a client. The client's task closes its end once the request has arrived; the client is
    /// then no longer idle.
    fn add(&mut self) -> oneshot::Receiver<()> {
        let (shed, shed_signal) = oneshot::channel();
        self.0.retain(|client| !client.is_closed());
        self.0.push_back(shed);
        shed_signal
    }

    fn shed_oldest(&mut self) {
        while let Some(client) = self.0.pop_front() {
            if client.send(()).is_ok() {
                return;
            }
        }
    }
}

/// Serves one client, from its line to its answer.
async fn serve_client(
    mut stream: UnixStream,
    limits: ServerLimits,
    commands: mpsc::Sender<ReceivedCommand>,
    mut shed: oneshot::Receiver<()>,
) {
    let received_line = tokio::select! {
        biased;
        read = timeout(limits.request_timeout, read_line(&mut stream, limits.request_bytes)) => read,
        Ok(()) = &mut shed => {
            reject(&stream, &unreachable_response("another client needed this connection, which was idle"));
            return;
        }
    };
    drop(shed);
    let response = match received_line {
        Ok(Ok(RequestLine::Complete(line))) => match parse_command(&line) {
            Ok(command) => {
                drop(line);
                match send_to_daemon(&stream, command, commands).await {
                    Some(response) => response,
                    None => {
                        tracing::debug!("a client of the control socket left before its answer");
                        return;
                    }
                }
            }
            Err(refusal) => SocketResponse::Err(refusal),
        },
        // The client only checked whether a server listens.
        Ok(Ok(RequestLine::Empty)) => return,
        Ok(Ok(RequestLine::Incomplete)) => {
            usage_error("the request ended in the middle of its line".to_owned())
        }
        Ok(Ok(RequestLine::TooLong)) => usage_error(format!(
            "the request is longer than {} bytes; split it",
            limits.request_bytes
        )),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a client of the control socket broke off");
            return;
        }
        Err(_) => usage_error(format!(
            "no whole request came within {} s",
            limits.request_timeout.as_secs_f32()
        )),
    };
    let line = encode_response(&response, limits.response_bytes);
    match timeout(limits.response_timeout, stream.write_all(&line)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a client did not take its answer"),
        Err(_) => tracing::warn!("a client of the control socket read too slowly and was cut off"),
    }
}

enum RequestLine {
    Complete(Vec<u8>),
    Incomplete,
    Empty,
    TooLong,
}

/// Reads the first line, without its line break. Anything after it is not read.
async fn read_line(stream: &mut UnixStream, limit: usize) -> io::Result<RequestLine> {
    let mut line = Vec::new();
    let read_limit = limit as u64 + 1;
    BufReader::new(stream)
        .take(read_limit)
        .read_until(b'\n', &mut line)
        .await?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(RequestLine::Complete(line));
    }
    Ok(match line.len() {
        0 => RequestLine::Empty,
        length if length > limit => RequestLine::TooLong,
        _ => RequestLine::Incomplete,
    })
}

/// Decodes the command in the line. The version is checked first, so that a client of another
/// version receives a message about the version, and not about fields that this version does not
/// know.
///
/// # Errors
/// Returns the refusal to send to the client.
pub fn parse_command(line: &[u8]) -> Result<Command, Refusal> {
    #[derive(Deserialize)]
    struct ClientVersion {
        schema: u32,
    }
    let not_understood = |error: serde_json::Error| malformed_request(&error.to_string());
    let version: ClientVersion = serde_json::from_slice(line).map_err(not_understood)?;
    if version.schema != SCHEMA {
        return Err(Refusal {
            exit: exit::FAILED,
            code: "conflict".to_owned(),
            text: format!(
                "the daemon uses version {SCHEMA} of the control protocol and the command uses \
                 version {}; restart the daemon after an update, so that both are the same \
                 maitred",
                version.schema
            ),
        });
    }
    let request: SocketRequest = serde_json::from_slice(line).map_err(not_understood)?;
    Ok(request.command)
}

/// Sends the command to the daemon and waits as long as the client does. Returns `None` when the
/// client has disconnected.
async fn send_to_daemon(
    stream: &UnixStream,
    command: Command,
    commands: mpsc::Sender<ReceivedCommand>,
) -> Option<SocketResponse> {
    let (answer, wait) = oneshot::channel();
    let received = ReceivedCommand {
        command,
        uid: stream.peer_cred().ok().map(|client| client.uid()),
        answer,
    };
    let pending_response = async {
        if commands.send(received).await.is_err() {
            return unreachable_response("the daemon is stopping; nothing was done");
        }
        // A sender that is held any longer would keep a stopping daemon waiting for commands.
        drop(commands);
        wait.await.unwrap_or_else(|_| {
            unreachable_response(
                "the daemon stopped before it answered; it is unknown whether anything was done",
            )
        })
    };
    tokio::select! {
        biased;
        response = pending_response => Some(response),
        () = wait_until_client_gone(stream) => None,
    }
}

/// Completes when the client has closed its socket. A client that only closes its sending side, or
/// that keeps sending, still waits for its answer.
async fn wait_until_client_gone(stream: &UnixStream) {
    if !has_more_input(stream).await {
        let ready = stream.ready(Interest::WRITABLE).await;
        if ready.is_err() || ready.is_ok_and(|ready| ready.is_write_closed()) {
            return;
        }
    }
    std::future::pending().await
}

/// Returns true when the client sends more, and false when its input has ended.
async fn has_more_input(stream: &UnixStream) -> bool {
    let mut byte = [0];
    loop {
        if stream.readable().await.is_err() {
            return false;
        }
        match stream.try_read(&mut byte) {
            Ok(read) => return read > 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
    }
}

/// Sends a client that is not served the reason. The client's socket is empty, so the line fits
/// without waiting.
fn reject(stream: &UnixStream, response: &SocketResponse) {
    let line = encode_response(response, MAX_RESPONSE);
    if let Err(error) = stream.try_write(&line) {
        tracing::debug!(%error, "a client was disconnected without an answer");
    }
}

fn encode_response(response: &SocketResponse, limit: usize) -> Vec<u8> {
    let mut line = serde_json::to_vec(response).expect("a response has only keys that are texts");
    if line.len() > limit {
        let too_long = usage_error(format!(
            "the answer is longer than {limit} bytes; request less (--limit, --since)"
        ));
        line = serde_json::to_vec(&too_long).expect("a refusal is only texts and a number");
    }
    line.push(b'\n');
    line
}

fn malformed_request(why: &str) -> Refusal {
    Refusal::usage(format!("the daemon does not understand the request: {why}"))
}

fn usage_error(text: String) -> SocketResponse {
    SocketResponse::Err(Refusal::usage(text))
}

fn unreachable_response(text: &str) -> SocketResponse {
    SocketResponse::Err(Refusal {
        exit: exit::UNREACHABLE,
        code: "unreachable".to_owned(),
        text: text.to_owned(),
    })
}

fn busy_response(limits: &ServerLimits) -> SocketResponse {
    unreachable_response(&format!(
        "the daemon is answering {} other clients; nothing was done, try again",
        limits.clients
    ))
}

#[cfg(test)]
mod tests;
