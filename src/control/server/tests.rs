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
    let call = tokio::task::spawn_blocking(move || client::send_command(&path, command));
    in_time(call).await.unwrap()
}

#[tokio::test]
async fn a_command_goes_to_the_loop_and_its_answer_comes_back() {
    let mut fixture = ServerFixture::open(GENEROUS_LIMITS);
    let client = tokio::spawn(call_daemon(fixture.path.clone(), Command::Verify {}));
    let received = fixture.next_command().await;
    assert_eq!(received.command, Command::Verify {});
    assert_eq!(received.uid, Some(rustix::process::geteuid().as_raw()));
    received.answer.send(verify_result("abc")).unwrap();
    assert_eq!(head_hash(client.await.unwrap().unwrap()), "abc");
    fixture.close().await;
}

#[tokio::test]
async fn an_answer_is_the_view_with_its_version() {
    let mut fixture = ServerFixture::open(GENEROUS_LIMITS);
    let client = fixture.send(VERIFY).await;
    fixture.answer_next("abc").await;
    let (status, head, body) = receive_answer(client).await;
    assert_eq!(status, 200);
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(head.contains("maitred-schema: 1"), "{head}");
    assert_eq!(
        body,
        "{\"schema\":1,\"commits\":1,\"facts\":2,\"head\":\"abc\",\"projection_compared\":true,\
         \"differences\":[]}\n"
    );
    fixture.close().await;
}

#[tokio::test]
async fn a_refusal_of_the_loop_comes_back_with_its_status() {
    let mut fixture = ServerFixture::open(GENEROUS_LIMITS);
    let client = fixture.send(VERIFY).await;
    let refusal = Refusal {
        exit: 77,
        code: "credential".to_owned(),
        text: "no".to_owned(),
    };
    let received = fixture.next_command().await;
    let response = SocketResponse::Err(refusal.clone());
    received.answer.send(response).unwrap();
    assert_eq!(receive_refusal(client).await, (403, refusal));
    fixture.close().await;
}

#[tokio::test]
async fn requests_that_mean_no_command_are_refused_with_a_reason() {
    let fixture = ServerFixture::open(ServerLimits {
        request_bytes: 100,
        ..GENEROUS_LIMITS
    });
    let long = post("/v1/pause", &format!("{{{}}}", " ".repeat(10_000)));
    let rows: [(&[u8], u16, &str); 12] = [
        (
            b"GET / HTTP/1.1\r\n\r\n",
            404,
            "there is no path /; GET /v1/openapi.json",
        ),
        (
            b"GET /v1/status/ HTTP/1.1\r\n\r\n",
            404,
            "no path /v1/status/",
        ),
        (
            b"GET /v1/dance?x HTTP/1.0\r\n\r\n",
            404,
            "no path /v1/dance",
        ),
        (
            b"POST /v1/status HTTP/1.1\r\n\r\n",
            405,
            "takes GET, and the request uses POST",
        ),
        (
            b"GET /v1/pause HTTP/1.1\r\n\r\n",
            405,
            "takes POST, and the request uses GET",
        ),
        (
            b"DANCE /v1/pause HTTP/1.1\r\n\r\n",
            405,
            "the request uses DANCE",
        ),
        (
            b"GET /v1/status?x=1 HTTP/1.1\r\n\r\n",
            400,
            "unknown field `x`",
        ),
        (
            b"GET /v1/status HTTP/1.1\r\nMaitred-Schema: 2\r\n\r\n",
            409,
            "uses version 1 of the control protocol and the command uses version 2",
        ),
        (
            b"POST /v1/pause HTTP/1.1\r\nMaitred-Schema: \xff\r\nContent-Length: 9\r\n\r\n",
            409,
            "uses version 1 of the control protocol",
        ),
        (
            b"POST /v1/pause HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
            415,
            "Content-Type: application/json",
        ),
        (&long, 413, "longer than 100 bytes; split it"),
        (
            b"POST /v1/pause HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
            "ended in the middle of its body",
        ),
    ];
    for (request, status, expect) in rows {
        let shown = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        let (actual, refusal) = fixture.refused(request).await;
        assert_eq!(actual, status, "{shown}: {refusal}");
        assert!(refusal.text.contains(expect), "{shown}: {refusal}");
        assert!(matches!(refusal.exit, 1 | 2), "{shown}: {refusal:?}");
    }
    fixture.close().await;
}

/// HTTP itself refuses these, so the answer has a status and nothing else.
#[tokio::test]
async fn what_is_not_http_is_refused_by_its_status() {
    let fixture = ServerFixture::open(GENEROUS_LIMITS);
    let long_head = format!(
        "GET /v1/status HTTP/1.1\r\nX: {}\r\n\r\n",
        "x".repeat(1_000_000)
    );
    let long_path = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000));
    let rows: [(&[u8], &str); 5] = [
        // The command of a version that did not speak HTTP.
        (
            b"{\"schema\":1,\"command\":{\"status\":{}}}\n",
            "400 Bad Request",
        ),
        (b"\x00\xff\x1b[2J\r\n\r\n", "400 Bad Request"),
        (b"GET /v1/status HTTP/9.9\r\n\r\n", "400 Bad Request"),
        (long_head.as_bytes(), "431 Request Header Fields Too Large"),
        (long_path.as_bytes(), "4"),
    ];
    for (request, status) in rows {
        let answer = receive(fixture.send(request).await).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    fixture.close().await;
}

#[tokio::test]
async fn the_description_of_the_api_is_served() {
    let fixture = ServerFixture::open(GENEROUS_LIMITS);
    let request = b"GET /v1/openapi.json HTTP/1.1\r\n\r\n";
    let (status, _, body) = receive_answer(fixture.send(request).await).await;
    assert_eq!(status, 200);
    let described: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(described["openapi"], "3.1.0");
    fixture.close().await;
}

#[tokio::test]
async fn a_request_at_the_limit_is_understood() {
    let mut fixture = ServerFixture::open(ServerLimits {
        request_bytes: 100,
        ..GENEROUS_LIMITS
    });
    let padded = |length: usize| post("/v1/pause", &format!("{{{}}}", " ".repeat(length - 2)));
    let client = fixture.send(&padded(100)).await;
    let received = fixture.next_command().await;
    assert_eq!(received.command, Command::Pause {});
    drop(received);
    assert_eq!(receive_refusal(client).await.0, 503);
    let (status, refusal) = fixture.refused(&padded(101)).await;
    assert_eq!(status, 413, "{refusal}");
    fixture.close().await;
}

/// A client that sends more than it may still reads why.
#[tokio::test]
async fn a_client_that_is_still_sending_receives_its_refusal() {
    let fixture = ServerFixture::open(GENEROUS_LIMITS);
    let body = " ".repeat(8 * 1024 * 1024);
    for path in ["/v1/pause", "/v1/dance"] {
        let (status, refusal) = fixture.refused(&post(path, &body)).await;
        assert!(matches!(status, 413 | 404), "{refusal}");
    }
    fixture.close().await;
}

#[tokio::test]
async fn a_connection_without_a_request_gets_no_answer() {
    let fixture = ServerFixture::open(GENEROUS_LIMITS);
    let mut client = fixture.connect().await;
    client.shutdown().await.unwrap();
    assert_eq!(receive(client).await, "");
    fixture.close().await;
}

#[tokio::test]
async fn a_truncated_request_is_refused_or_closed() {
    let fixture = ServerFixture::open(GENEROUS_LIMITS);
    let whole = post("/v1/pause", "{\"reason\":1}");
    let head = whole
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    for length in 1..whole.len() {
        let mut client = fixture.send(&whole[..length]).await;
        client.shutdown().await.unwrap();
        if length < head + 4 {
            assert_eq!(receive(client).await, "", "{length} bytes");
        } else {
            let (status, refusal) = receive_refusal(client).await;
            assert_eq!(status, 400, "{length} bytes: {refusal}");
            assert!(
                refusal.text.contains("in the middle of its body"),
                "{refusal}"
            );
        }
    }
    fixture.close().await;
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_request_is_told_so() {
    let fixture = ServerFixture::open(ServerLimits {
        request_timeout: SHORT_TIMEOUT,
        ..GENEROUS_LIMITS
    });
    let whole = post("/v1/pause", "{\"x\":1}");
    for start in [&[], &whole[..1], &whole[..60], &whole[..whole.len() - 1]] {
        let (status, refusal) = fixture.refused(start).await;
        assert_eq!(status, 408);
        assert!(
            refusal.text.contains("no whole request came within 0.05 s"),
            "{refusal}"
        );
    }
    fixture.close().await;
}

#[tokio::test]
async fn more_commands_than_may_run_are_told_so_and_the_others_are_served() {
    let mut fixture = ServerFixture::open(ServerLimits {
        commands: 2,
        command_wait: SHORT_TIMEOUT,
        ..GENEROUS_LIMITS
    });
    let first = fixture.send(VERIFY).await;
    let first_command = fixture.next_command().await;
    let second = fixture.send(VERIFY).await;
    let second_command = fixture.next_command().await;
    let (status, refusal) = fixture.refused(VERIFY).await;
    assert_eq!((status, refusal.exit), (503, 69));
    assert!(
        refusal.text.contains("answering 2 other clients"),
        "{refusal}"
    );

    first_command.answer.send(verify_result("one")).unwrap();
    assert!(receive(first).await.contains("one"));
    let fourth = fixture.send(VERIFY).await;
    fixture.answer_next("four").await;
    assert!(receive(fourth).await.contains("four"));
    second_command.answer.send(verify_result("two")).unwrap();
    assert!(receive(second).await.contains("two"));
    fixture.close().await;
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_while_its_command_runs() {
    let mut fixture = ServerFixture::open(ServerLimits {
        connections: 1,
        ..GENEROUS_LIMITS
    });
    let client = fixture.send(VERIFY).await;
    let mut received = fixture.next_command().await;
    assert!(!received.answer.is_closed());
    drop(client);
    in_time(received.answer.closed()).await;
    // The client's connection is free.
    let client = fixture.send(VERIFY).await;
    fixture.answer_next("abc").await;
    assert!(receive(client).await.contains("abc"));
    fixture.close().await;
}

#[tokio::test]
async fn a_client_that_closes_its_side_or_sends_too_much_still_gets_its_answer() {
    let mut fixture = ServerFixture::open(GENEROUS_LIMITS);
    let mut quiet = fixture.send(VERIFY).await;
    quiet.shutdown().await.unwrap();
    let quiet_command = fixture.next_command().await;
    let talkative = fixture.send(&VERIFY.repeat(100)).await;
    let talkative_command = fixture.next_command().await;
    // A whole exchange with another client, so that the server has polled both clients meanwhile.
    let other = fixture.send(VERIFY).await;
    fixture.answer_next("other").await;
    assert!(receive(other).await.contains("other"));

    quiet_command.answer.send(verify_result("quiet")).unwrap();
    talkative_command
        .answer
        .send(verify_result("talkative"))
        .unwrap();
    assert!(receive(quiet).await.contains("quiet"));
    assert!(receive(talkative).await.contains("talkative"));
    fixture.close().await;
}

#[tokio::test]
async fn an_oversized_answer_is_replaced_by_a_refusal() {
    let mut fixture = ServerFixture::open(ServerLimits {
        response_bytes: 1_000,
        ..GENEROUS_LIMITS
    });
    let client = fixture.send(VERIFY).await;
    fixture.answer_next(&"x".repeat(1_000)).await;
    let (_, refusal) = receive_refusal(client).await;
    assert!(refusal.text.contains("longer than 1000 bytes"), "{refusal}");
    fixture.close().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let mut fixture = ServerFixture::open(ServerLimits {
        connections: 1,
        response_timeout: SHORT_TIMEOUT,
        ..GENEROUS_LIMITS
    });
    let deaf = fixture.send(VERIFY).await;
    // More than any socket's buffer holds.
    fixture.answer_next(&"x".repeat(32 * 1024 * 1024)).await;
    let client = fixture.send(VERIFY).await;
    fixture.answer_next("abc").await;
    assert!(receive(client).await.contains("abc"));
    drop(deaf);
    fixture.close().await;
}

#[tokio::test]
async fn many_commands_at_once_are_all_answered_each_with_its_own() {
    const MANY: usize = 48;
    let mut fixture = ServerFixture::open(ServerLimits {
        idle_grace: TEST_TIMEOUT,
        ..GENEROUS_LIMITS
    });
    let path = fixture.path.clone();
    let clients: Vec<_> = (0..MANY)
        .map(|number| {
            let reason = format!("reason-{number}");
            let command = Command::LedgerAcceptRestore {
                reason: reason.clone(),
            };
            let path = path.clone();
            tokio::spawn(async move { (reason, call_daemon(path, command).await) })
        })
        .collect();
    for _ in 0..MANY {
        let received = fixture.next_command().await;
        let Command::LedgerAcceptRestore { reason } = received.command else {
            panic!("{:?}", received.command);
        };
        let refusal = Refusal::usage(reason);
        received.answer.send(SocketResponse::Err(refusal)).unwrap();
    }
    for client in clients {
        let (reason, answered) = client.await.unwrap();
        assert_eq!(answered.unwrap_err().into_refusal().text, reason);
    }
    fixture.close().await;
}

#[tokio::test]
async fn at_shutdown_waiting_clients_are_refused_and_new_ones_cannot_connect() {
    let mut fixture = ServerFixture::open(GENEROUS_LIMITS);
    let waiting = fixture.send(VERIFY).await;
    let received = fixture.next_command().await;
    let path = fixture.path.clone();
    let ServerFixture {
        commands,
        stop,
        server,
        _folder,
        ..
    } = fixture;
    drop(commands);
    drop(received);
    stop.send(()).unwrap();
    let (status, refusal) = receive_refusal(waiting).await;
    assert_eq!(status, 503);
    assert!(
        refusal.text.contains("stopped before it answered"),
        "{refusal}"
    );
    in_time(server).await.unwrap();
    assert!(matches!(
        call_daemon(path, Command::Status {}).await,
        Err(ClientError::NotRunning(_))
    ));
}

#[tokio::test]
async fn a_command_that_the_loop_does_not_take_any_more_was_not_done() {
    let mut fixture = ServerFixture::open(GENEROUS_LIMITS);
    fixture.commands.close();
    let (_, refusal) = fixture.refused(VERIFY).await;
    assert!(refusal.text.contains("nothing was done"), "{refusal}");
    fixture.close().await;
}

#[tokio::test]
async fn slow_clients_do_not_delay_shutdown() {
    let fixture = ServerFixture::open(ServerLimits {
        shutdown_grace: SHORT_TIMEOUT,
        ..GENEROUS_LIMITS
    });
    let dawdling = fixture.send(b"GET /v1/st").await;
    fixture.close().await;
    assert_eq!(receive(dawdling).await, "");
}

#[tokio::test]
async fn idle_and_slow_connections_give_way_to_commands() {
    let mut fixture = ServerFixture::open(ServerLimits {
        connections: 4,
        ..GENEROUS_LIMITS
    });
    let mut idle = Vec::new();
    let slow = post("/v1/pause", "{}");
    for number in 0..1_000 {
        let sent = match number % 3 {
            0 => &[][..],
            1 => &slow[..20],
            _ => &slow[..slow.len() - 1],
        };
        idle.push(fixture.send(sent).await);
    }
    let client = tokio::spawn(call_daemon(fixture.path.clone(), Command::Verify {}));
    fixture.answer_next("abc").await;
    assert_eq!(head_hash(client.await.unwrap().unwrap()), "abc");
    for first in idle.drain(..3) {
        let (status, refusal) = receive_refusal(first).await;
        assert_eq!(status, 503);
        assert!(refusal.text.contains("idle"), "{refusal}");
    }
    drop(idle);
    fixture.close().await;
}
