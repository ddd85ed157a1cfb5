//! Over real sockets, with what clients do wrong. Waits are on conditions, within a bound that is
//! far above what a loaded machine needs.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::control::client::{self, ClientError};
use crate::control::protocol::Answer;
use crate::control::protocol::ledger::VerifyView;

/// Nothing here takes as long, and a test that hangs should fail.
const BOUND: Duration = Duration::from_secs(30);

/// Short enough to be waited for.
const SHORT: Duration = Duration::from_millis(50);

const STATUS: &[u8] = b"{\"schema\":1,\"command\":{\"status\":{}}}\n";

/// Limits that are never met, so that each test lowers the one it is about.
const FAR: Limits = Limits {
    clients: 16,
    patience: BOUND,
    request: BOUND,
    request_bytes: 1024 * 1024,
    response: BOUND,
    response_bytes: 64 * 1024 * 1024,
    farewell: BOUND,
};

struct House {
    _folder: TempDir,
    path: PathBuf,
    asked: mpsc::Receiver<Asked>,
    stop: oneshot::Sender<()>,
    server: tokio::task::JoinHandle<()>,
}

impl House {
    fn open(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = Listener::bind(&path).unwrap();
        let (commands, asked) = mpsc::channel(1);
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            serve_within(&limits, listener, commands, stop).await;
        });
        Self {
            _folder: folder,
            path,
            asked,
            stop,
            server,
        }
    }

    async fn next(&mut self) -> Asked {
        within(self.asked.recv()).await.unwrap()
    }

    async fn close(self) {
        drop(self.asked);
        self.stop.send(()).unwrap();
        within(self.server).await.unwrap();
        assert!(!self.path.exists());
    }

    async fn connect(&self) -> UnixStream {
        within(UnixStream::connect(&self.path)).await.unwrap()
    }

    async fn say(&self, bytes: &[u8]) -> UnixStream {
        let mut stream = self.connect().await;
        // A server that has read enough does not read the rest.
        let _ = within(stream.write_all(bytes)).await;
        stream
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(BOUND, future).await.expect("it ends in time")
}

/// All that comes until the server closes.
async fn hear(mut stream: UnixStream) -> String {
    let mut line = String::new();
    // What was not read by the server resets the connection once its answer is read.
    let _ = within(BufReader::new(&mut stream).read_line(&mut line)).await;
    line
}

async fn refusal(stream: UnixStream) -> String {
    match serde_json::from_str(&hear(stream).await).unwrap() {
        Response::Err(refusal) => refusal.text,
        Response::Ok(answer) => panic!("{answer:?}"),
    }
}

fn answer(head: &str) -> Response {
    Response::Ok(Box::new(Answer::Verify(VerifyView {
        schema: SCHEMA,
        commits: 1,
        facts: 2,
        head: head.to_owned(),
        differences: Vec::new(),
        compared: true,
    })))
}

fn head(answer: Answer) -> String {
    match answer {
        Answer::Verify(view) => view.head,
        other => panic!("{other:?}"),
    }
}

async fn call(path: PathBuf, command: Command) -> Result<Answer, ClientError> {
    let call = tokio::task::spawn_blocking(move || client::call(&path, command));
    within(call).await.unwrap()
}

#[tokio::test]
async fn a_command_goes_to_the_loop_and_its_answer_comes_back() {
    let mut house = House::open(FAR);
    let client = tokio::spawn(call(house.path.clone(), Command::Verify {}));
    let asked = house.next().await;
    assert_eq!(asked.command, Command::Verify {});
    asked.answer.send(answer("abc")).unwrap();
    assert_eq!(head(client.await.unwrap().unwrap()), "abc");
    house.close().await;
}

#[tokio::test]
async fn what_is_no_request_is_answered_with_a_reason() {
    let house = House::open(Limits {
        request_bytes: 100,
        ..FAR
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
            "speaks version 1 of the control protocol and the command speaks version 2",
        ),
        (
            b"{\"schema\":4294967296}\n",
            "does not understand the request",
        ),
        (long.as_bytes(), "longer than 100 bytes"),
    ];
    for (line, expect) in rows {
        let text = refusal(house.say(line).await).await;
        assert!(text.contains(expect), "{text}");
    }
    house.close().await;
}

#[tokio::test]
async fn a_request_at_the_limit_is_understood() {
    let mut house = House::open(Limits {
        request_bytes: STATUS.len() - 1,
        ..FAR
    });
    let client = house.say(STATUS).await;
    house.next().await.answer.send(answer("abc")).unwrap();
    assert!(hear(client).await.contains("abc"));
    let text = refusal(house.say(&[b" ", STATUS].concat()).await).await;
    assert!(text.contains("longer than"), "{text}");
    house.close().await;
}

#[tokio::test]
async fn half_a_line_is_no_request() {
    let house = House::open(FAR);
    let mut client = house.say(STATUS.trim_ascii_end()).await;
    client.shutdown().await.unwrap();
    let text = refusal(client).await;
    assert!(text.contains("ended in the middle"), "{text}");
    house.close().await;
}

#[tokio::test]
async fn who_only_looks_whether_anybody_listens_is_not_spoken_to() {
    let house = House::open(FAR);
    let mut client = house.connect().await;
    client.shutdown().await.unwrap();
    assert_eq!(hear(client).await, "");
    house.close().await;
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_line_is_told_so() {
    let house = House::open(Limits {
        request: SHORT,
        ..FAR
    });
    for start in [b"".as_slice(), b"{\"schema\":1,"] {
        let text = refusal(house.say(start).await).await;
        assert!(
            text.contains("no whole request came within 0.05 s"),
            "{text}"
        );
    }
    house.close().await;
}

#[tokio::test]
async fn more_clients_than_there_is_room_for_are_told_so_and_the_others_are_served() {
    let mut house = House::open(Limits {
        clients: 2,
        patience: SHORT,
        ..FAR
    });
    let first = house.say(STATUS).await;
    let first_asked = house.next().await;
    let second = house.say(STATUS).await;
    let second_asked = house.next().await;
    let text = refusal(house.say(STATUS).await).await;
    assert!(text.contains("answering 2 others"), "{text}");

    first_asked.answer.send(answer("one")).unwrap();
    assert!(hear(first).await.contains("one"));
    let fourth = house.say(STATUS).await;
    house.next().await.answer.send(answer("four")).unwrap();
    assert!(hear(fourth).await.contains("four"));
    second_asked.answer.send(answer("two")).unwrap();
    assert!(hear(second).await.contains("two"));
    house.close().await;
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_while_its_command_runs() {
    let mut house = House::open(Limits { clients: 1, ..FAR });
    let client = house.say(STATUS).await;
    let mut asked = house.next().await;
    assert!(!asked.answer.is_closed());
    drop(client);
    within(asked.answer.closed()).await;
    // Its place is free.
    let client = house.say(STATUS).await;
    house.next().await.answer.send(answer("abc")).unwrap();
    assert!(hear(client).await.contains("abc"));
    house.close().await;
}

#[tokio::test]
async fn a_client_that_has_no_more_to_say_or_too_much_still_gets_its_answer() {
    let mut house = House::open(FAR);
    let mut quiet = house.say(STATUS).await;
    quiet.shutdown().await.unwrap();
    let quiet_asked = house.next().await;
    let talkative = house.say(&STATUS.repeat(100)).await;
    let talkative_asked = house.next().await;
    // A whole round with another one, so that the server has looked at both meanwhile.
    let other = house.say(STATUS).await;
    house.next().await.answer.send(answer("other")).unwrap();
    assert!(hear(other).await.contains("other"));

    quiet_asked.answer.send(answer("quiet")).unwrap();
    talkative_asked.answer.send(answer("talkative")).unwrap();
    assert!(hear(quiet).await.contains("quiet"));
    assert!(hear(talkative).await.contains("talkative"));
    house.close().await;
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_replaced_by_that_word() {
    let mut house = House::open(Limits {
        response_bytes: 1_000,
        ..FAR
    });
    let client = house.say(STATUS).await;
    let long = answer(&"x".repeat(1_000));
    house.next().await.answer.send(long).unwrap();
    let text = refusal(client).await;
    assert!(text.contains("longer than 1000 bytes"), "{text}");
    house.close().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let mut house = House::open(Limits {
        clients: 1,
        response: SHORT,
        ..FAR
    });
    let deaf = house.say(STATUS).await;
    // More than any socket's buffer takes.
    let long = answer(&"x".repeat(32 * 1024 * 1024));
    house.next().await.answer.send(long).unwrap();
    let client = house.say(STATUS).await;
    house.next().await.answer.send(answer("abc")).unwrap();
    assert!(hear(client).await.contains("abc"));
    drop(deaf);
    house.close().await;
}

#[tokio::test]
async fn many_commands_at_once_are_all_answered_each_with_its_own() {
    const MANY: usize = 48;
    let mut house = House::open(FAR);
    let path = house.path.clone();
    let clients: Vec<_> = (0..MANY)
        .map(|number| {
            let booking = format!("booking-{number}");
            let command = Command::Explain {
                booking: booking.clone(),
            };
            let path = path.clone();
            tokio::spawn(async move { (booking, call(path, command).await) })
        })
        .collect();
    for _ in 0..MANY {
        let asked = house.next().await;
        let Command::Explain { booking } = asked.command else {
            panic!("{:?}", asked.command);
        };
        asked.answer.send(answer(&booking)).unwrap();
    }
    for client in clients {
        let (booking, answered) = client.await.unwrap();
        assert_eq!(head(answered.unwrap()), booking);
    }
    house.close().await;
}

#[tokio::test]
async fn at_the_end_those_who_wait_are_told_and_nobody_else_gets_in() {
    let mut house = House::open(FAR);
    let waiting = house.say(STATUS).await;
    let asked = house.next().await;
    let path = house.path.clone();
    let House {
        asked: commands,
        stop,
        server,
        _folder,
        ..
    } = house;
    drop(commands);
    drop(asked);
    stop.send(()).unwrap();
    let text = refusal(waiting).await;
    assert!(text.contains("stopped before it answered"), "{text}");
    within(server).await.unwrap();
    assert!(matches!(
        call(path, Command::Status {}).await,
        Err(ClientError::NotRunning(_))
    ));
}

#[tokio::test]
async fn a_command_that_the_loop_does_not_take_any_more_was_not_done() {
    let mut house = House::open(FAR);
    house.asked.close();
    let text = refusal(house.say(STATUS).await).await;
    assert!(text.contains("nothing was done"), "{text}");
    house.close().await;
}

#[tokio::test]
async fn clients_that_dawdle_do_not_hold_up_the_end() {
    let house = House::open(Limits {
        farewell: SHORT,
        ..FAR
    });
    let dawdling = house.say(b"{").await;
    house.close().await;
    assert_eq!(hear(dawdling).await, "");
}

#[tokio::test]
async fn idle_connections_give_way_to_commands() {
    let mut house = House::open(Limits { clients: 4, ..FAR });
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        idle.push(house.connect().await);
    }
    let client = tokio::spawn(call(house.path.clone(), Command::Verify {}));
    let asked = house.next().await;
    asked.answer.send(answer("abc")).unwrap();
    assert_eq!(head(client.await.unwrap().unwrap()), "abc");
    let first = refusal(idle.remove(0)).await;
    assert!(first.contains("idle"), "{first}");
    drop(idle);
    house.close().await;
}
