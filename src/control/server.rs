//! The daemon's end of the socket. It reads one line, sends the command to the daemon's loop, and
//! writes one line back. It knows nothing of what commands mean, and one bad client costs the
//! others nothing: clients, bytes and times all have limits, and every limit answers with a reason.

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
use super::protocol::{Command, MAX_REQUEST, MAX_RESPONSE, Refusal, Request, Response, SCHEMA};

/// Clients attended to at once: an operator, a few scripts and a monitor, with room to spare. The
/// longest requests of as many clients still fit into memory.
const CLIENTS: usize = 16;

/// How long one more client waits for its turn before it is told that the house is full. Short
/// commands end within it, so that a script which starts many at once does not notice.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a client may take for its line. It is on the same machine and knows what it wants.
const REQUEST: Duration = Duration::from_secs(10);

/// How long a client may take to read its answer.
const RESPONSE: Duration = Duration::from_secs(10);

/// How long clients in hand have at the end, to be told their answers.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long nobody is let in after the system refused to (no more file descriptors): clients that
/// end meanwhile give some back, and the loop does not spin.
const BREATH: Duration = Duration::from_millis(100);

/// A command that a client sent, and where its answer goes.
#[derive(Debug)]
pub struct Asked {
    pub command: Command,
    /// The client's user, as the system says; `None` where it does not say.
    pub uid: Option<u32>,
    /// Closed when the client has gone. The command is then carried out for nobody, or not at all.
    pub answer: oneshot::Sender<Response>,
}

/// Serves clients until `stop`: each command goes to `commands`, however long its answer takes.
/// The socket's file is removed before the last clients are told good-bye. Whoever receives the
/// commands should have closed its end by then: clients still waiting are told that it stops.
pub async fn serve(
    listener: Listener,
    commands: mpsc::Sender<Asked>,
    stop: impl Future<Output = ()>,
) {
    serve_within(&Limits::HOUSE, listener, commands, stop).await;
}

/// The limits as values, so that tests need not wait for the real ones.
#[derive(Debug, Clone, Copy)]
struct Limits {
    clients: usize,
    patience: Duration,
    request: Duration,
    request_bytes: usize,
    response: Duration,
    response_bytes: usize,
    farewell: Duration,
}

impl Limits {
    const HOUSE: Self = Self {
        clients: CLIENTS,
        patience: PATIENCE,
        request: REQUEST,
        request_bytes: MAX_REQUEST,
        response: RESPONSE,
        response_bytes: MAX_RESPONSE,
        farewell: FAREWELL,
    };
}

async fn serve_within(
    limits: &Limits,
    listener: Listener,
    commands: mpsc::Sender<Asked>,
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
                    tracing::warn!(%error, "a client of the control socket could not be let in");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            },
        };
        while clients.try_join_next().is_some() {}
        if clients.len() >= limits.clients {
            idle.shed_oldest();
            let free = tokio::select! {
                () = &mut stop => break,
                free = timeout(limits.patience, clients.join_next()) => free,
            };
            if free.is_err() {
                tracing::warn!(clients = limits.clients, "the control socket has no room");
                turn_away(&stream, &full(limits));
                continue;
            }
        }
        clients.spawn(attend(stream, *limits, commands.clone(), idle.add()));
    }
    drop(commands);
    drop(listener);
    let farewell = async { while clients.join_next().await.is_some() {} };
    if timeout(limits.farewell, farewell).await.is_err() {
        clients.shutdown().await;
    }
}

/// The clients that have not sent a whole request yet, oldest first. They give way to others, so
/// that connections which only stay open cannot keep an operator out.
#[derive(Default)]
struct IdleClients(VecDeque<oneshot::Sender<()>>);

impl IdleClients {
    /// Adds a client. It closes its end once its request has come, and is then not idle any more.
    fn add(&mut self) -> oneshot::Receiver<()> {
        let (shed, told) = oneshot::channel();
        self.0.retain(|client| !client.is_closed());
        self.0.push_back(shed);
        told
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
async fn attend(
    mut stream: UnixStream,
    limits: Limits,
    commands: mpsc::Sender<Asked>,
    mut shed: oneshot::Receiver<()>,
) {
    let read = tokio::select! {
        biased;
        read = timeout(limits.request, read(&mut stream, limits.request_bytes)) => read,
        Ok(()) = &mut shed => {
            turn_away(&stream, &stopping("another client needed this connection, which was idle"));
            return;
        }
    };
    drop(shed);
    let response = match read {
        Ok(Ok(Line::Whole(line))) => match command(&line) {
            Ok(command) => {
                drop(line);
                match ask(&stream, command, commands).await {
                    Some(response) => response,
                    None => {
                        tracing::debug!("a client of the control socket left before its answer");
                        return;
                    }
                }
            }
            Err(refusal) => Response::Err(refusal),
        },
        // Somebody looked whether anybody listens.
        Ok(Ok(Line::Nothing)) => return,
        Ok(Ok(Line::Half)) => usage("the request ended in the middle of its line".to_owned()),
        Ok(Ok(Line::TooLong)) => usage(format!(
            "the request is longer than {} bytes; split it",
            limits.request_bytes
        )),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a client of the control socket broke off");
            return;
        }
        Err(_) => usage(format!(
            "no whole request came within {} s",
            limits.request.as_secs_f32()
        )),
    };
    let line = encode(&response, limits.response_bytes);
    match timeout(limits.response, stream.write_all(&line)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a client did not take its answer"),
        Err(_) => tracing::warn!("a client of the control socket read too slowly and was cut off"),
    }
}

enum Line {
    Whole(Vec<u8>),
    Half,
    Nothing,
    TooLong,
}

/// The first line, without its end. What comes after it is not read.
async fn read(stream: &mut UnixStream, limit: usize) -> io::Result<Line> {
    let mut line = Vec::new();
    let most = limit as u64 + 1;
    BufReader::new(stream)
        .take(most)
        .read_until(b'\n', &mut line)
        .await?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Line::Whole(line));
    }
    Ok(match line.len() {
        0 => Line::Nothing,
        length if length > limit => Line::TooLong,
        _ => Line::Half,
    })
}

/// What the line asks. The version is looked at first, so that a client of another version reads
/// that, and not what this version makes of its words.
///
/// # Errors
/// With what to tell the client.
pub fn command(line: &[u8]) -> Result<Command, Refusal> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    let not_understood = |error: serde_json::Error| refused(&error.to_string());
    let version: Version = serde_json::from_slice(line).map_err(not_understood)?;
    if version.schema != SCHEMA {
        return Err(Refusal {
            exit: exit::FAILED,
            code: "conflict".to_owned(),
            text: format!(
                "the daemon speaks version {SCHEMA} of the control protocol and the command \
                 speaks version {}; restart the daemon after an update, so that both are the same \
                 maitred",
                version.schema
            ),
        });
    }
    let request: Request = serde_json::from_slice(line).map_err(not_understood)?;
    Ok(request.command)
}

/// Sends the command to the daemon and waits, as long as the client does. `None`: it has gone.
async fn ask(
    stream: &UnixStream,
    command: Command,
    commands: mpsc::Sender<Asked>,
) -> Option<Response> {
    let (answer, wait) = oneshot::channel();
    let asked = Asked {
        command,
        uid: stream.peer_cred().ok().map(|client| client.uid()),
        answer,
    };
    let answered = async {
        if commands.send(asked).await.is_err() {
            return stopping("the daemon is stopping; nothing was done");
        }
        // Held any longer, it would keep a daemon that stops waiting for commands.
        drop(commands);
        wait.await.unwrap_or_else(|_| {
            stopping(
                "the daemon stopped before it answered; whether anything was done is not known",
            )
        })
    };
    tokio::select! {
        biased;
        response = answered => Some(response),
        () = gone(stream) => None,
    }
}

/// Ends when the client has closed its socket. One that only says it will write no more, or that
/// goes on talking, still waits for its answer.
async fn gone(stream: &UnixStream) {
    if !talks_on(stream).await {
        let ready = stream.ready(Interest::WRITABLE).await;
        if ready.is_err() || ready.is_ok_and(|ready| ready.is_write_closed()) {
            return;
        }
    }
    std::future::pending().await
}

/// Whether more comes from the client, as opposed to its end.
async fn talks_on(stream: &UnixStream) -> bool {
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

/// Tells a client that is not attended to why. Its socket is empty and takes a line at once.
fn turn_away(stream: &UnixStream, response: &Response) {
    let line = encode(response, MAX_RESPONSE);
    if let Err(error) = stream.try_write(&line) {
        tracing::debug!(%error, "a client was turned away without a word");
    }
}

fn encode(response: &Response, limit: usize) -> Vec<u8> {
    let mut line = serde_json::to_vec(response).expect("a response has only keys that are texts");
    if line.len() > limit {
        let too_long = usage(format!(
            "the answer is longer than {limit} bytes; ask for less of it (--limit, --since)"
        ));
        line = serde_json::to_vec(&too_long).expect("a refusal is only texts and a number");
    }
    line.push(b'\n');
    line
}

fn refused(why: &str) -> Refusal {
    Refusal::usage(format!("the daemon does not understand the request: {why}"))
}

fn usage(text: String) -> Response {
    Response::Err(Refusal::usage(text))
}

fn stopping(text: &str) -> Response {
    Response::Err(Refusal {
        exit: exit::UNREACHABLE,
        code: "unreachable".to_owned(),
        text: text.to_owned(),
    })
}

fn full(limits: &Limits) -> Response {
    stopping(&format!(
        "the daemon is answering {} others; nothing was done, try again",
        limits.clients
    ))
}

#[cfg(test)]
mod tests;
