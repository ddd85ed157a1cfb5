//! Clients that are many, slow, idle, deaf, or leave, and a server that stops.

use super::*;

#[tokio::test]
async fn a_client_that_does_not_finish_its_request_is_told_so() {
    let fixture = ServerFixture::open(ServerLimits {
        request_timeout: SHORT_TIMEOUT,
        ..GENEROUS_LIMITS
    });
    let whole = post("/v1/reload", "{\"x\":1}");
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
    let slow = post("/v1/reload", "{}");
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
