//! Tests over real sockets of what clients do wrong. They wait for conditions, with a time limit
//! far above what a loaded machine needs.

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;
use crate::control::api::answer::read_refusal;
use crate::control::client::{self, ClientError};
use crate::control::protocol::ledger::VerifyView;
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};

mod clients;
mod requests;

/// No test takes this long, and a test that hangs should fail.
const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Short enough to wait for in a test.
const SHORT_TIMEOUT: Duration = Duration::from_millis(50);

const VERIFY: &[u8] = b"GET /v1/ledger/verify HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Limits that are never reached, so that each test lowers only the limit that it tests.
const GENEROUS_LIMITS: ServerLimits = ServerLimits {
    connections: 32,
    commands: 16,
    command_wait: TEST_TIMEOUT,
    idle_grace: Duration::from_millis(1),
    request_timeout: TEST_TIMEOUT,
    request_bytes: 1024 * 1024,
    response_timeout: TEST_TIMEOUT,
    response_bytes: 64 * 1024 * 1024,
    shutdown_grace: TEST_TIMEOUT,
};

struct ServerFixture {
    _folder: TempDir,
    path: PathBuf,
    commands: mpsc::Receiver<ReceivedCommand>,
    stop: oneshot::Sender<()>,
    server: tokio::task::JoinHandle<()>,
}

impl ServerFixture {
    fn open(limits: ServerLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = Listener::bind(&path).unwrap();
        let (command_sender, commands) = mpsc::channel(1);
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            serve_with_limits(limits, listener, command_sender, stop).await;
        });
        Self {
            _folder: folder,
            path,
            commands,
            stop,
            server,
        }
    }

    async fn next_command(&mut self) -> ReceivedCommand {
        in_time(self.commands.recv()).await.unwrap()
    }

    /// Answers the next command with a result that has this hash.
    async fn answer_next(&mut self, hash: &str) {
        let received = self.next_command().await;
        received.answer.send(verify_result(hash)).unwrap();
    }

    async fn close(self) {
        drop(self.commands);
        self.stop.send(()).unwrap();
        in_time(self.server).await.unwrap();
        assert!(!self.path.exists());
    }

    async fn connect(&self) -> UnixStream {
        in_time(UnixStream::connect(&self.path)).await.unwrap()
    }

    async fn send(&self, bytes: &[u8]) -> UnixStream {
        let mut stream = self.connect().await;
        // A server that has read enough does not read the rest.
        let _ = in_time(stream.write_all(bytes)).await;
        stream
    }

    /// Sends a request and returns its status and the refusal.
    async fn refused(&self, request: &[u8]) -> (u16, Refusal) {
        receive_refusal(self.send(request).await).await
    }
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    timeout(TEST_TIMEOUT, future)
        .await
        .expect("it ends in time")
}

/// Reads what the server sends before it closes the connection.
async fn receive(mut stream: UnixStream) -> String {
    let mut answer = Vec::new();
    // Bytes that the server did not read reset the connection once the answer is read.
    let _ = in_time(stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

/// Reads an answer; returns its status, its head and its body.
async fn receive_answer(stream: UnixStream) -> (u16, String, String) {
    let answer = receive(stream).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let head = head.to_ascii_lowercase();
    let length = format!("content-length: {}", body.len());
    assert!(head.contains(&length), "{answer}");
    (status, head, body.to_owned())
}

async fn receive_refusal(stream: UnixStream) -> (u16, Refusal) {
    let (status, head, body) = receive_answer(stream).await;
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(head.contains("maitred-schema: 1"), "{head}");
    let refusal = read_refusal(body.as_bytes());
    (
        status,
        refusal.unwrap_or_else(|why| panic!("{why}: {body}")),
    )
}

fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn verify_result(head: &str) -> SocketResponse {
    SocketResponse::Ok(Box::new(CommandResult::Verify(VerifyView {
        schema: SCHEMA,
        commits: 1,
        facts: 2,
        head: head.to_owned(),
        differences: Vec::new(),
        projection_compared: true,
    })))
}

fn head_hash(answer: CommandResult) -> String {
    match answer {
        CommandResult::Verify(view) => view.head,
        other => panic!("{other:?}"),
    }
}

async fn call_daemon(path: PathBuf, command: Command) -> Result<CommandResult, ClientError> {
    let call = tokio::task::spawn_blocking(move || client::send_command(&path, command, None));
    in_time(call).await.unwrap()
}
