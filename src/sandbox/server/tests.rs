//! The sandbox over sockets.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::domain::time::{Span, Time};
use crate::sandbox::booking::SandboxStatus;
use crate::sandbox::call_log::{MailKind, Operation, Recipient};
use crate::sandbox::event_type::SandboxEventType;
use crate::sandbox::faults::{Fault, FaultRule, Stage};
use crate::sandbox::server_answer::FLOOD_CHUNK_LEN;

const KEY: &str = "cal_secret_of_the_test";

fn now() -> Time {
    chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
}

async fn sandbox() -> (Sandbox, String) {
    let mut world = World::new();
    world.add_user(12, "Ada Host", "ada@example.org");
    world.add_key(12, KEY);
    let event_type = world.add_event_type(SandboxEventType::new(12, "lesson"));
    let uid = world.request(now(), event_type, "bo@example.com", now() + Span::days(2));
    let addr = SocketAddr::from(([127, 0, 0, 1], 0));
    let sandbox = Sandbox::start(world, Arc::new(now), addr).await.unwrap();
    (sandbox, uid)
}

fn request_text(method: &str, path: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {KEY}\r\n\
         cal-api-version: 2024-08-13\r\nContent-Length: 0\r\n\r\n"
    )
}

async fn connect(sandbox: &Sandbox) -> TcpStream {
    TcpStream::connect(sandbox.addr()).await.unwrap()
}

/// Reads one whole answer by its Content-Length.
async fn read_response(stream: &mut TcpStream) -> String {
    let mut got = Vec::new();
    loop {
        let text = String::from_utf8(got.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            });
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        let read = stream.read_buf(&mut got).await.unwrap();
        assert!(read > 0, "the connection ended early: {text}");
    }
}

#[tokio::test]
async fn a_connection_is_kept_and_headers_are_sent() {
    let (sandbox, uid) = sandbox().await;
    let mut stream = connect(&sandbox).await;
    for _ in 0..3 {
        let path = format!("/v2/bookings/{uid}");
        stream
            .write_all(request_text("GET", &path).as_bytes())
            .await
            .unwrap();
        let got = read_response(&mut stream).await;
        assert!(got.starts_with("HTTP/1.1 200 OK\r\n"), "{got}");
        assert!(
            got.contains("Date: Mon, 23 Nov 2026 08:00:00 GMT\r\n"),
            "{got}"
        );
        assert!(got.contains("Keep-Alive: timeout=5\r\n"), "{got}");
        assert!(got.contains(&uid));
    }
    assert_eq!(sandbox.lock().call_log.call_count(Operation::Get), 3);
    sandbox.stop().await;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "stopping closes what is idle");
}

#[tokio::test]
async fn faults_show_on_the_wire() {
    // fault, what the client reads, state afterwards
    let (before, after) = (Stage::Before, Stage::After);
    let rows = [
        (
            Fault::HangUp { stage: before },
            0..1,
            SandboxStatus::Pending,
        ),
        (
            Fault::HangUp { stage: after },
            0..1,
            SandboxStatus::Accepted,
        ),
        (Fault::Truncated, 300..2300, SandboxStatus::Accepted),
    ];
    for (fault, length, status) in rows {
        let (sandbox, uid) = sandbox().await;
        sandbox
            .lock()
            .add_fault(FaultRule::on_next(Operation::Confirm, fault.clone()))
            .unwrap();
        let mut stream = connect(&sandbox).await;
        let path = format!("/v2/bookings/{uid}/confirm");
        stream
            .write_all(request_text("POST", &path).as_bytes())
            .await
            .unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        assert!(
            length.contains(&got.len()),
            "{fault:?}: {} bytes",
            got.len()
        );
        if let Some((head, body)) = String::from_utf8(got).unwrap().split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let promised: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                .unwrap();
            assert!(!body.is_empty() && body.len() < promised, "{fault:?}");
        }
        assert_eq!(sandbox.lock().status(&uid), Some(status), "{fault:?}");
    }
}

#[tokio::test]
async fn a_flood_goes_on_and_a_drip_comes_whole_in_the_end() {
    let (sandbox, uid) = sandbox().await;
    let path = format!("/v2/bookings/{uid}");
    for fault in [Fault::Flood, Fault::Drip { ms: 0 }] {
        let rule = FaultRule::on_next(Operation::Get, fault);
        sandbox.lock().add_fault(rule).unwrap();
    }
    let mut stream = connect(&sandbox).await;
    stream
        .write_all(request_text("GET", &path).as_bytes())
        .await
        .unwrap();
    let mut piece = vec![0; FLOOD_CHUNK_LEN];
    let mut read = 0;
    while read < 16 * FLOOD_CHUNK_LEN {
        let got = stream.read(&mut piece).await.unwrap();
        assert!(got > 0, "ended after {read} bytes");
        read += got;
    }
    drop(stream);
    let mut stream = connect(&sandbox).await;
    let request = request_text("GET", &path).replace("Host", "Connection: close\r\nHost");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut got = String::new();
    stream.read_to_string(&mut got).await.unwrap();
    let bytes = got.matches("\r\n1\r\n").count();
    assert!(bytes > 500, "each byte is a chunk of its own: {bytes}");
}

#[tokio::test]
async fn a_slow_answer_delays_no_other_call() {
    let (sandbox, uid) = sandbox().await;
    let stage = Stage::Before;
    let slow = FaultRule::on_next(Operation::Get, Fault::Slow { stage, ms: 600_000 });
    sandbox.lock().add_fault(slow).unwrap();
    let path = format!("/v2/bookings/{uid}");
    let mut waiting = connect(&sandbox).await;
    waiting
        .write_all(request_text("GET", &path).as_bytes())
        .await
        .unwrap();
    // The rule is used up once the server has begun the slow call.
    while !sandbox.lock().fault_rules.is_empty() {
        tokio::task::yield_now().await;
    }
    let mut other = connect(&sandbox).await;
    other
        .write_all(request_text("GET", &path).as_bytes())
        .await
        .unwrap();
    assert!(read_response(&mut other).await.contains(&uid));
    assert_eq!(sandbox.lock().call_log.call_count(Operation::Get), 1);
    sandbox.stop().await;
}

/// Shows what a real server does when its mail server is slow: a client that gives up and calls
/// again causes a second mail, because the first call has not written anything yet.
#[tokio::test]
async fn a_second_confirm_during_a_slow_one_mails_again() {
    let (sandbox, uid) = sandbox().await;
    let stage = Stage::Between;
    let slow = FaultRule::on_next(Operation::Confirm, Fault::Slow { stage, ms: 400 });
    sandbox.lock().add_fault(slow).unwrap();
    let request = request_text("POST", &format!("/v2/bookings/{uid}/confirm"));
    let mut first = connect(&sandbox).await;
    first.write_all(request.as_bytes()).await.unwrap();
    while sandbox.lock().running_calls() == 0 {
        tokio::task::yield_now().await;
    }
    drop(first);
    assert_eq!(sandbox.lock().status(&uid), Some(SandboxStatus::Pending));
    let mut second = connect(&sandbox).await;
    second.write_all(request.as_bytes()).await.unwrap();
    assert!(
        read_response(&mut second)
            .await
            .starts_with("HTTP/1.1 200 OK")
    );
    assert_eq!(sandbox.lock().running_calls(), 1, "the first one goes on");
    while sandbox.lock().running_calls() > 0 {
        tokio::task::yield_now().await;
    }
    let world = sandbox.lock();
    assert_eq!(world.status(&uid), Some(SandboxStatus::Accepted));
    let mails = |to| world.call_log.mail_count(&uid, to, MailKind::Confirmed);
    assert_eq!((mails(Recipient::Booker), mails(Recipient::Host)), (2, 2));
    assert_eq!(world.call_log.calendar_event_count(&uid), 2);
    assert_eq!(world.call_log.call_count_for(&uid, Operation::Confirm), 2);
}

#[tokio::test]
async fn stopping_the_sandbox_breaks_off_running_calls() {
    let (sandbox, uid) = sandbox().await;
    let stage = Stage::Between;
    let slow = FaultRule::on_next(Operation::Confirm, Fault::Slow { stage, ms: 600_000 });
    sandbox.lock().add_fault(slow).unwrap();
    let request = request_text("POST", &format!("/v2/bookings/{uid}/confirm"));
    let mut stream = connect(&sandbox).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    while sandbox.lock().running_calls() == 0 {
        tokio::task::yield_now().await;
    }
    let world = sandbox.world();
    sandbox.stop().await;
    let mut got = Vec::new();
    stream.read_to_end(&mut got).await.unwrap();
    assert!(got.is_empty(), "no answer");
    let world = lock_world(&world);
    assert_eq!(world.status(&uid), Some(SandboxStatus::Pending));
    let mails = world
        .call_log
        .mail_count(&uid, Recipient::Booker, MailKind::Confirmed);
    assert_eq!(mails, 1);
}

#[tokio::test]
async fn the_clock_can_be_set_forward_from_outside() {
    let (sandbox, _) = sandbox().await;
    let mut stream = connect(&sandbox).await;
    let body = r#"{"seconds": 86400}"#;
    let request = format!(
        "POST /_sandbox/advance HTTP/1.1\r\nHost: s\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(
        read_response(&mut stream)
            .await
            .contains("2026-11-24T08:00:00.000Z")
    );
    stream
        .write_all(request_text("GET", "/v2/me").as_bytes())
        .await
        .unwrap();
    assert!(
        read_response(&mut stream)
            .await
            .contains("Tue, 24 Nov 2026")
    );
    assert!(sandbox.base_url().starts_with("http://127.0.0.1:"));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let (sandbox, uid) = sandbox().await;
    let mut stream = connect(&sandbox).await;
    let length = BODY_MAX + 1;
    let head = format!(
        "POST /v2/bookings/{uid}/decline HTTP/1.1\r\nHost: s\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server may close the connection while the body is still being sent; only the answer
    // counts.
    let _ = stream.write_all(&vec![b' '; length]).await;
    assert!(read_response(&mut stream).await.starts_with("HTTP/1.1 413"));
}
