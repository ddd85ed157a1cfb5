//! Tests over real sockets of what clients do wrong. They wait for conditions, with a time limit
//! far above what a loaded machine needs.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::control::client::{self, ClientError};
use crate::control::protocol::CommandResult;
use crate::control::protocol::ledger::VerifyView;

/// No test takes this long, and a test that hangs should fail.
const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Short enough to wait for in a test.
const SHORT_TIMEOUT: Duration = Duration::from_millis(50);

const STATUS_REQUEST: &[u8] = b"{\"schema\":1,\"command\":{\"status\":{}}}\n";

/// Limits that are never reached, so that each test lowers only the limit that it tests.
const GENEROUS_LIMITS: ServerLimits = ServerLimits {
    clients: 16,
    connection_wait: TEST_TIMEOUT,
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
            serve_with_limits(&limits, listener, command_sender, stop).await;
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
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    timeout(TEST_TIMEOUT, future)
        .await
        .expect("it ends in time")
}

/// Reads the line that the server sends before it closes the connection.
async fn receive(mut stream: UnixStream) -> String {
    let mut line = String::new();
    // Bytes that the server did not read reset the connection once the answer is read.
    let _ = in_time(BufReader::new(&mut stream).read_line(&mut line)).await;
    line
}

async fn receive_refusal(stream: UnixStream) -> String {
    match serde_json::from_str(&receive(stream).await).unwrap() {
        SocketResponse::Err(refusal) => refusal.text,
        SocketResponse::Ok(answer) => panic!("{answer:?}"),
    }
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
    received.answer.send(verify_result("abc")).unwrap();
    assert_eq!(head_hash(client.await.unwrap().unwrap()), "abc");
    fixture.close().await;
}

#[tokio::test]
async fn malformed_requests_are_refused_with_a_reason() {
    let fixture = ServerFixture::open(ServerLimits {
        request_bytes: 100,
        ..GENEROUS_LIMITS
    });
    let long = format!("{{\"schema\":1,\"x\":\"{}\"}}\n", "x".repeat(100_000));
    let rows: [(&[u8], &str); 12] = [
        (b"\n", "does not understand the request: EOF"),
        (
            b"hello\n",
            "does not understand the request: expected value",
        ),
        (b"\x00\xff\x1b[2J\n", "does not understand the request"),
        (b"[]\n", "does not understand the request"),
        (b"{}\n", "missing field `schema`"),
        (b"{\"schema\":1}\n", "missing field `command`"),
        (
            b"{\"schema\":1,\"command\":{\"dance\":{}}}\n",
            "unknown variant `dance`",
        ),
        (
            b"{\"schema\":1,\"command\":{\"status\":{\"x\":1}}}\n",
            "unknown field `x`",
        ),
        (
            b"{\"schema\":1,\"command\":{\"status\":{}},\"x\":1}\n",
            "unknown field `x`",
        ),
        (
            b"{\"schema\":2,\"order\":\"dance\"}\n",
            "uses version 1 of the control protocol and the command uses version 2",
        ),
        (
            b"{\"schema\":4294967296}\n",
            "does not understand the request",
        ),
        (long.as_bytes(), "longer than 100 bytes"),
    ];
    for (line, expect) in rows {
        let text = receive_refusal(fixture.send(line).await).await;
        assert!(text.contains(expect), "{text}");
    }
    fixture.close().await;
}

#[tokio::test]
async fn a_request_at_the_limit_is_understood() {
    let mut fixture = ServerFixture::open(ServerLimits {
        request_bytes: STATUS_REQUEST.len() - 1,
        ..GENEROUS_LIMITS
    });
    let client = fixture.send(STATUS_REQUEST).await;
    fixture
        .next_command()
        .await
        .answer
        .send(verify_result("abc"))
        .unwrap();
    assert!(receive(client).await.contains("abc"));
    let text = receive_refusal(fixture.send(&[b" ", STATUS_REQUEST].concat()).await).await;
    assert!(text.contains("longer than"), "{text}");
    fixture.close().await;
}

#[tokio::test]
async fn an_unterminated_line_is_refused() {
    let fixture = ServerFixture::open(GENEROUS_LIMITS);
    let mut client = fixture.send(STATUS_REQUEST.trim_ascii_end()).await;
    client.shutdown().await.unwrap();
    let text = receive_refusal(client).await;
    assert!(text.contains("ended in the middle"), "{text}");
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
async fn a_client_that_does_not_finish_its_line_is_told_so() {
    let fixture = ServerFixture::open(ServerLimits {
        request_timeout: SHORT_TIMEOUT,
        ..GENEROUS_LIMITS
    });
    for start in [b"".as_slice(), b"{\"schema\":1,"] {
        let text = receive_refusal(fixture.send(start).await).await;
        assert!(
            text.contains("no whole request came within 0.05 s"),
            "{text}"
        );
    }
    fixture.close().await;
}

#[tokio::test]
async fn more_clients_than_there_is_room_for_are_told_so_and_the_others_are_served() {
    let mut fixture = ServerFixture::open(ServerLimits {
        clients: 2,
        connection_wait: SHORT_TIMEOUT,
        ..GENEROUS_LIMITS
    });
    let first = fixture.send(STATUS_REQUEST).await;
    let first_command = fixture.next_command().await;
    let second = fixture.send(STATUS_REQUEST).await;
    let second_command = fixture.next_command().await;
    let text = receive_refusal(fixture.send(STATUS_REQUEST).await).await;
    assert!(text.contains("answering 2 other clients"), "{text}");

    first_command.answer.send(verify_result("one")).unwrap();
    assert!(receive(first).await.contains("one"));
    let fourth = fixture.send(STATUS_REQUEST).await;
    fixture
        .next_command()
        .await
        .answer
        .send(verify_result("four"))
        .unwrap();
    assert!(receive(fourth).await.contains("four"));
    second_command.answer.send(verify_result("two")).unwrap();
    assert!(receive(second).await.contains("two"));
    fixture.close().await;
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_while_its_command_runs() {
    let mut fixture = ServerFixture::open(ServerLimits {
        clients: 1,
        ..GENEROUS_LIMITS
    });
    let client = fixture.send(STATUS_REQUEST).await;
    let mut received = fixture.next_command().await;
    assert!(!received.answer.is_closed());
    drop(client);
    in_time(received.answer.closed()).await;
    // The client's place is free.
    let client = fixture.send(STATUS_REQUEST).await;
    fixture
        .next_command()
        .await
        .answer
        .send(verify_result("abc"))
        .unwrap();
    assert!(receive(client).await.contains("abc"));
    fixture.close().await;
}

#[tokio::test]
async fn a_client_that_closes_its_side_or_sends_too_much_still_gets_its_answer() {
    let mut fixture = ServerFixture::open(GENEROUS_LIMITS);
    let mut quiet = fixture.send(STATUS_REQUEST).await;
    quiet.shutdown().await.unwrap();
    let quiet_command = fixture.next_command().await;
    let talkative = fixture.send(&STATUS_REQUEST.repeat(100)).await;
    let talkative_command = fixture.next_command().await;
    // A whole exchange with another client, so that the server has polled both clients meanwhile.
    let other = fixture.send(STATUS_REQUEST).await;
    fixture
        .next_command()
        .await
        .answer
        .send(verify_result("other"))
        .unwrap();
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
    let client = fixture.send(STATUS_REQUEST).await;
    let long = verify_result(&"x".repeat(1_000));
    fixture.next_command().await.answer.send(long).unwrap();
    let text = receive_refusal(client).await;
    assert!(text.contains("longer than 1000 bytes"), "{text}");
    fixture.close().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let mut fixture = ServerFixture::open(ServerLimits {
        clients: 1,
        response_timeout: SHORT_TIMEOUT,
        ..GENEROUS_LIMITS
    });
    let deaf = fixture.send(STATUS_REQUEST).await;
    // More than any socket's buffer holds.
    let long = verify_result(&"x".repeat(32 * 1024 * 1024));
    fixture.next_command().await.answer.send(long).unwrap();
    let client = fixture.send(STATUS_REQUEST).await;
    fixture
        .next_command()
        .await
        .answer
        .send(verify_result("abc"))
        .unwrap();
    assert!(receive(client).await.contains("abc"));
    drop(deaf);
    fixture.close().await;
}

#[tokio::test]
async fn many_commands_at_once_are_all_answered_each_with_its_own() {
    const MANY: usize = 48;
    let mut fixture = ServerFixture::open(GENEROUS_LIMITS);
    let path = fixture.path.clone();
    let clients: Vec<_> = (0..MANY)
        .map(|number| {
            let booking = format!("booking-{number}");
            let command = Command::Explain {
                booking: booking.clone(),
            };
            let path = path.clone();
            tokio::spawn(async move { (booking, call_daemon(path, command).await) })
        })
        .collect();
    for _ in 0..MANY {
        let received = fixture.next_command().await;
        let Command::Explain { booking } = received.command else {
            panic!("{:?}", received.command);
        };
        received.answer.send(verify_result(&booking)).unwrap();
    }
    for client in clients {
        let (booking, answered) = client.await.unwrap();
        assert_eq!(head_hash(answered.unwrap()), booking);
    }
    fixture.close().await;
}

#[tokio::test]
async fn at_shutdown_waiting_clients_are_refused_and_new_ones_cannot_connect() {
    let mut fixture = ServerFixture::open(GENEROUS_LIMITS);
    let waiting = fixture.send(STATUS_REQUEST).await;
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
    let text = receive_refusal(waiting).await;
    assert!(text.contains("stopped before it answered"), "{text}");
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
    let text = receive_refusal(fixture.send(STATUS_REQUEST).await).await;
    assert!(text.contains("nothing was done"), "{text}");
    fixture.close().await;
}

#[tokio::test]
async fn slow_clients_do_not_delay_shutdown() {
    let fixture = ServerFixture::open(ServerLimits {
        shutdown_grace: SHORT_TIMEOUT,
        ..GENEROUS_LIMITS
    });
    let dawdling = fixture.send(b"{").await;
    fixture.close().await;
    assert_eq!(receive(dawdling).await, "");
}

#[tokio::test]
async fn idle_connections_give_way_to_commands() {
    let mut fixture = ServerFixture::open(ServerLimits {
        clients: 4,
        ..GENEROUS_LIMITS
    });
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        idle.push(fixture.connect().await);
    }
    let client = tokio::spawn(call_daemon(fixture.path.clone(), Command::Verify {}));
    let received = fixture.next_command().await;
    received.answer.send(verify_result("abc")).unwrap();
    assert_eq!(head_hash(client.await.unwrap().unwrap()), "abc");
    let first = receive_refusal(idle.remove(0)).await;
    assert!(first.contains("idle"), "{first}");
    drop(idle);
    fixture.close().await;
}
