//! Which requests are understood, and how the others are refused.

use super::*;
use crate::control::command_sender::Interface;

#[tokio::test]
async fn a_command_goes_to_the_loop_and_its_answer_comes_back() {
    let mut fixture = ServerFixture::open(GENEROUS_LIMITS);
    let client = tokio::spawn(call_daemon(fixture.path.clone(), Command::Verify {}));
    let received = fixture.next_command().await;
    assert_eq!(received.command, Command::Verify {});
    let uid = Some(rustix::process::geteuid().as_raw());
    let interface = Interface::Socket;
    assert_eq!(
        received.sender,
        CommandSender {
            name: None,
            uid,
            interface
        }
    );
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
    let long = post("/v1/reload", &format!("{{{}}}", " ".repeat(10_000)));
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
            b"GET /v1/reload HTTP/1.1\r\n\r\n",
            405,
            "takes POST, and the request uses GET",
        ),
        (
            b"DANCE /v1/reload HTTP/1.1\r\n\r\n",
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
            b"POST /v1/reload HTTP/1.1\r\nMaitred-Schema: \xff\r\nContent-Length: 9\r\n\r\n",
            409,
            "uses version 1 of the control protocol",
        ),
        (
            b"POST /v1/reload HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
            415,
            "Content-Type: application/json",
        ),
        (&long, 413, "longer than 100 bytes; split it"),
        (
            b"POST /v1/reload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
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
    let padded = |length: usize| post("/v1/reload", &format!("{{{}}}", " ".repeat(length - 2)));
    let client = fixture.send(&padded(100)).await;
    let received = fixture.next_command().await;
    assert_eq!(received.command, Command::Reload {});
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
    for path in ["/v1/reload", "/v1/dance"] {
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
    let whole = post("/v1/reload", "{\"reason\":1}");
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
