//! The real client against a server that misbehaves on purpose: what the client reports about each
//! failure, and what it never does (follow, repeat, wait forever, show the key).

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::ops::Deref;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::fixture::http_server::{Peer, ReceivedCall, Reply, full_response, json_response};
use crate::fixture::own_process;
use maitred::calcom::connect::{Settings, connect};
use maitred::calcom::port::{BookingFilter, Calendar, CallError};
use maitred::domain::booking::{BookingRef, BookingStatus, Fetched};
use maitred::domain::dialect::Dialect;
use maitred::domain::id::{BookingUid, EventTypeId};
use maitred::domain::time::{Span, Time};
use secrecy::SecretString;
use serde_json::{Value, json};

const KEY: &str = "cal_live_0123456789abcdef";

/// A server that answers call after call from a script and records what was requested.
struct ScriptedServer {
    peer: Peer,
    replies: Arc<Mutex<VecDeque<Reply>>>,
}

impl Deref for ScriptedServer {
    type Target = Peer;

    fn deref(&self) -> &Peer {
        &self.peer
    }
}

impl ScriptedServer {
    fn start(replies: Vec<Reply>) -> Self {
        let replies = Arc::new(Mutex::new(VecDeque::from(replies)));
        let script = Arc::clone(&replies);
        let next = move |_: &ReceivedCall| {
            let next = script.lock().unwrap().pop_front();
            next.expect("a call that is not in the script")
        };
        Self {
            peer: Peer::start(next),
            replies,
        }
    }

    /// Returns the heads (and bodies) of the calls so far.
    fn requests(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.text).collect()
    }

    /// Returns the request lines of the calls so far.
    fn request_lines(&self) -> Vec<String> {
        let line = |call: ReceivedCall| format!("{} {}", call.method, call.target);
        self.calls().into_iter().map(line).collect()
    }

    fn push_reply(&self, reply: Reply) {
        self.replies.lock().unwrap().push_back(reply);
    }
}

fn reply(status: &str, headers: &str, body: &[u8]) -> Reply {
    Reply::Bytes(full_response(status, headers, body))
}

fn json_reply(status: &str, body: &Value) -> Reply {
    Reply::Bytes(json_response(status, &body.to_string()))
}

fn ok_reply(data: Value) -> Reply {
    json_reply("200 OK", &json!({"status": "success", "data": data}))
}

fn at(seconds: i64) -> Time {
    Time::from_timestamp(1_795_420_000 + seconds, 0).unwrap()
}

fn settings(address: &str, dialect: Dialect) -> Settings {
    Settings {
        base_url: address.to_owned(),
        dialect,
        key: SecretString::from(KEY),
        timeout: Duration::from_secs(30),
        confirm_timeout: Duration::from_secs(30),
        connect_timeout: Duration::from_secs(5),
        ca_file: None,
        budget: 1.0,
        clock: Arc::new(|| at(0)),
        observer: None,
    }
}

fn v2_client(script: &ScriptedServer) -> Arc<dyn Calendar> {
    connect(settings(&script.address, Dialect::V2)).unwrap()
}

fn v1_client(script: &ScriptedServer) -> Arc<dyn Calendar> {
    connect(settings(&script.address, Dialect::V1)).unwrap()
}

fn uid(text: &str) -> BookingUid {
    BookingUid::parse(text).unwrap()
}

fn booking_ref() -> BookingRef {
    BookingRef {
        uid: uid("abc"),
        id: Some(7),
    }
}

fn far_deadline() -> Time {
    at(60)
}

fn v2_row(status: &str) -> Value {
    json!({"id": 7, "uid": "abc", "status": status, "start": "2026-12-01T09:00:00.000Z",
           "end": "2026-12-01T10:00:00.000Z", "createdAt": "2026-11-20T08:00:00.000Z",
           "attendees": [], "bookingFieldsResponses": {"email": "bo@example.com"}})
}

fn v1_row(id: i64, uid: &str, status: &str) -> Value {
    json!({"id": id, "uid": uid, "userId": 1, "status": status, "attendees": [],
           "startTime": "2027-12-01T09:00:00.000Z", "endTime": "2027-12-01T10:00:00.000Z",
           "createdAt": "2026-11-20T08:00:00.000Z", "responses": {"email": "bo@example.com"}})
}

fn status_of(reading: Option<Fetched>) -> Option<BookingStatus> {
    match reading {
        Some(Fetched::Found(booking)) => Some(booking.status),
        Some(Fetched::Gone) | None => None,
    }
}

/// Returns the error, after checking that it does not contain the key in any form.
fn error_without_key<T: std::fmt::Debug>(result: Result<T, CallError>) -> CallError {
    let error = result.expect_err("a misbehaving server");
    for text in [format!("{error}"), format!("{error:?}")] {
        for secret in [KEY, "live_0123456789abcdef", "0123456789abcdef"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    error
}

fn is_unknown_outcome(error: &CallError) -> bool {
    matches!(error, CallError::Unknown(_))
}

fn is_contract_error(error: &CallError) -> bool {
    matches!(error, CallError::Contract(_))
}

#[tokio::test]
async fn v2_requests_have_the_form_that_the_server_expects() {
    let row = || ok_reply(v2_row("pending"));
    let script = ScriptedServer::start(vec![
        ok_reply(json!({"id": 12, "email": "ada@example.org"})),
        ok_reply(json!([])),
        ok_reply(json!([v2_row("pending")])),
        row(),
        row(),
        row(),
        row(),
    ]);
    let base = format!("{}/api/", script.address);
    let calendar = connect(settings(&base, Dialect::V2)).unwrap();
    assert_eq!(calendar.current_user().await.unwrap().id.0, 12);
    assert!(calendar.event_types().await.unwrap().is_empty());
    let page = calendar.list(&BookingFilter::Pending, 2).await.unwrap();
    assert_eq!((page.bookings.len(), page.next), (1, None));
    assert!(matches!(
        calendar.get(&booking_ref()).await,
        Ok(Fetched::Found(_))
    ));
    assert!(
        calendar
            .confirm(&booking_ref(), far_deadline())
            .await
            .is_ok()
    );
    assert!(
        calendar
            .decline(&booking_ref(), "no \u{0}credits", far_deadline())
            .await
            .is_ok()
    );
    assert!(
        calendar
            .cancel(&booking_ref(), "", far_deadline())
            .await
            .is_ok()
    );
    assert_eq!(calendar.calls(), 7);
    let expect = [
        "GET /api/v2/me",
        "GET /api/v2/event-types",
        "GET /api/v2/bookings?status=unconfirmed&sortCreated=asc&take=250&skip=500",
        "GET /api/v2/bookings/abc",
        "POST /api/v2/bookings/abc/confirm",
        "POST /api/v2/bookings/abc/decline",
        "POST /api/v2/bookings/abc/cancel",
    ];
    assert_eq!(script.request_lines(), expect);
    for (number, head) in script.requests().iter().enumerate() {
        let version = if number == 1 {
            "2024-06-14"
        } else {
            "2024-08-13"
        };
        assert!(
            head.contains(&format!("cal-api-version: {version}\r\n")),
            "{head}"
        );
        assert!(
            head.contains(&format!("authorization: Bearer {KEY}\r\n")),
            "{head}"
        );
        assert!(head.contains("user-agent: maitred/"), "{head}");
    }
    assert!(script.requests()[5].ends_with(r#"{"reason":"no credits"}"#));
    assert!(script.requests()[6].ends_with(r#"{"cancellationReason":"No reason was given."}"#));
}

#[tokio::test]
async fn list_windows_are_widened_by_a_day() {
    let script = ScriptedServer::start(vec![
        ok_reply(json!([])),
        ok_reply(json!([])),
        ok_reply(json!([])),
    ]);
    let calendar = v2_client(&script);
    let (from, to) = (
        "2026-12-02T00:00:00Z".parse().unwrap(),
        "2026-12-03T00:00:00Z".parse().unwrap(),
    );
    calendar
        .list(&BookingFilter::Upcoming { from, to }, 0)
        .await
        .unwrap();
    calendar
        .list(&BookingFilter::Past { from, to }, 0)
        .await
        .unwrap();
    calendar
        .list(&BookingFilter::UpdatedSince(from), 0)
        .await
        .unwrap();
    let window = "sortStart=asc&afterStart=2026-12-01T00%3A00%3A00.000Z\
                  &beforeEnd=2026-12-04T00%3A00%3A00.000Z&take=250&skip=0";
    let expect = [
        format!("GET /v2/bookings?status=upcoming&{window}"),
        format!("GET /v2/bookings?status=past&{window}"),
        "GET /v2/bookings?sortUpdatedAt=asc\
         &afterUpdatedAt=2026-12-02T00%3A00%3A00.000Z&take=250&skip=0"
            .to_owned(),
    ];
    assert_eq!(script.request_lines(), expect);
}

#[tokio::test]
async fn broken_connections_and_answers_leave_the_outcome_unknown() {
    let whole = json!({"status": "success", "data": v2_row("accepted")}).to_string();
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    let body = whole.as_bytes();
    let gzip = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    let rows: [(&str, Reply); 12] = [
        ("closed before the answer", Reply::Bytes(Vec::new())),
        (
            "half a head",
            Reply::Bytes(b"HTTP/1.1 200 OK\r\nconte".to_vec()),
        ),
        ("no HTTP", Reply::Bytes(b"SSH-2.0-OpenSSH\r\n".to_vec())),
        (
            "truncated body",
            Reply::Bytes([head(body.len() + 5).as_bytes(), body].concat()),
        ),
        (
            "truncated JSON",
            reply("200 OK", "", &body[..body.len() - 3]),
        ),
        (
            "invalid UTF-8",
            reply("200 OK", "", b"{\"status\":\"success\",\"data\":\"\xff\"}"),
        ),
        ("empty", reply("200 OK", "", b"")),
        ("broken gzip", Reply::Bytes(gzip.into())),
        ("broken chunks", Reply::Bytes(chunked.into())),
        (
            "HTML",
            reply("200 OK", "content-type: text/html\r\n", b"<html></html>"),
        ),
        (
            "HTML 502",
            reply("502 Bad Gateway", "", b"<html>bad gateway</html>"),
        ),
        (
            "500",
            json_reply(
                "500 Oh",
                &json!({"statusCode": 500, "message": "Internal server error"}),
            ),
        ),
    ];
    for (what, reply) in rows {
        let script = ScriptedServer::start(vec![reply]);
        let error = error_without_key(
            v2_client(&script)
                .confirm(&booking_ref(), far_deadline())
                .await,
        );
        // Only an answer of the server itself ends the call. Even then it is unknown what the
        // server did before.
        let ended = matches!(error, CallError::Failed(_));
        assert_eq!(ended, what == "500", "{what}: {error}");
        assert!(ended || is_unknown_outcome(&error), "{what}: {error}");
        assert_eq!(script.requests().len(), 1, "{what}: sent once");
    }
}

#[tokio::test]
async fn a_call_ends_at_its_time_limit_wherever_the_server_stops() {
    for bytes in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"data\"",
    ] {
        let script = ScriptedServer::start(vec![Reply::Stall(bytes.into())]);
        let timeout = Duration::from_millis(200);
        let slow = Settings {
            confirm_timeout: timeout,
            ..settings(&script.address, Dialect::V2)
        };
        let error = error_without_key(
            connect(slow)
                .unwrap()
                .confirm(&booking_ref(), far_deadline())
                .await,
        );
        assert!(is_unknown_outcome(&error), "{bytes:?}: {error}");
    }
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_a_bound() {
    let large = "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let open = "HTTP/1.1 200 OK\r\n\r\n";
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    let rows = [
        (large, vec![b' '; 0x10000]),
        (chunked, chunk),
        (open, vec![b' '; 0x10000]),
    ];
    for (head, body) in rows {
        let script = ScriptedServer::start(vec![Reply::Flood {
            head: head.into(),
            chunk: body,
            total: u64::MAX,
        }]);
        let error = error_without_key(v2_client(&script).get(&booking_ref()).await);
        assert!(
            matches!(error, CallError::TooLarge { .. }) && error.to_string().contains("8 MiB"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_does_not_show_the_key() {
    let other = ScriptedServer::start(vec![]);
    for status in [
        "301 Moved",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let place = format!("{}/v1/me?apiKey={KEY}", other.address);
        let location = format!("location: {place}\r\n");
        for dialect in [Dialect::V2, Dialect::V1] {
            let script = ScriptedServer::start(vec![reply(status, &location, b"")]);
            let calendar = connect(settings(&script.address, dialect)).unwrap();
            let error = error_without_key(calendar.current_user().await);
            assert!(is_contract_error(&error), "{error}");
            assert!(error.to_string().contains(&other.address), "{error}");
            assert!(!error.to_string().contains("apiKey"), "{error}");
        }
    }
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn an_absent_server_is_reported_as_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for dialect in [Dialect::V2, Dialect::V1] {
        let calendar = connect(settings(&address, dialect)).unwrap();
        let error = error_without_key(calendar.current_user().await);
        assert!(matches!(error, CallError::Unreachable(_)), "{error}");
    }
    // The client speaks TLS to a server that does not.
    let script = ScriptedServer::start(vec![Reply::Bytes(
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
    )]);
    let address = script.address.replace("http://", "https://");
    let calendar = connect(Settings {
        connect_timeout: Duration::from_millis(300),
        ..settings(&address, Dialect::V2)
    })
    .unwrap();
    let error = error_without_key(calendar.confirm(&booking_ref(), far_deadline()).await);
    assert!(matches!(error, CallError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn a_key_that_the_server_repeats_is_removed_from_messages() {
    let encoded = KEY.replace('_', "%5F");
    let texts = [
        format!("no oAuth client found for access token={KEY}"),
        format!("access token={}", &KEY[4..]),
        format!("apiKey={encoded}"),
        format!("apiKey={KEY}\u{0}\n{KEY}"),
    ];
    for text in texts {
        for dialect in [Dialect::V2, Dialect::V1] {
            for status in ["400 Bad", "401 No", "403 No", "404 No", "500 Oh"] {
                let replies = vec![
                    json_reply(status, &json!({"error": {"code": "X", "message": text}})),
                    json_reply(status, &json!({"error": text})),
                    json_reply(status, &json!({"message": text})),
                    reply(status, "", text.as_bytes()),
                ];
                let script = ScriptedServer::start(replies.clone());
                let calendar = connect(settings(&script.address, dialect)).unwrap();
                for _ in replies {
                    let error = error_without_key(calendar.current_user().await);
                    assert!(!error.to_string().contains("%5F"), "{error}");
                }
            }
        }
    }
}

#[tokio::test]
async fn after_a_429_nothing_is_sent_until_the_block_is_over() {
    let seconds = Arc::new(AtomicI64::new(0));
    let limits = "x-ratelimit-limit-default: 120\r\nx-ratelimit-remaining-default: 0\r\n\
                  x-ratelimit-reset-default: 3600\r\n";
    let script = ScriptedServer::start(vec![reply("429 Too Many Requests", limits, b"{}")]);
    let now = Arc::clone(&seconds);
    let mut of = settings(&script.address, Dialect::V2);
    of.clock = Arc::new(move || at(now.load(Ordering::Relaxed)));
    let calendar = connect(of).unwrap();
    assert!(calendar.available_calls() > 100);
    let until = at(3600) + Span::seconds(1);
    for _ in 0..3 {
        let error = error_without_key(calendar.confirm(&booking_ref(), far_deadline()).await);
        assert_eq!(error, CallError::RateLimited { until });
        assert_eq!(
            error_without_key(calendar.current_user().await),
            CallError::RateLimited { until }
        );
    }
    assert_eq!((calendar.calls(), calendar.available_calls()), (1, 0));
    script.push_reply(ok_reply(json!({"id": 1})));
    seconds.store(3601, Ordering::Relaxed);
    assert!(calendar.current_user().await.is_ok());
    assert_eq!(calendar.calls(), 2);
}

#[tokio::test]
async fn a_write_past_its_deadline_is_not_sent() {
    let script = ScriptedServer::start(vec![]);
    let early = at(-1);
    for calendar in [v2_client(&script), v1_client(&script)] {
        for result in [
            calendar.confirm(&booking_ref(), early).await,
            calendar.decline(&booking_ref(), "x", early).await,
            calendar.cancel(&booking_ref(), "x", early).await,
        ] {
            assert_eq!(error_without_key(result), CallError::TooLate);
        }
        assert_eq!(calendar.calls(), 0);
    }
    assert!(script.requests().is_empty());
}

#[tokio::test]
async fn malformed_rows_hide_no_other_bookings() {
    let mut deep = v2_row("pending");
    let nested = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    deep["metadata"] = json!("DEEP");
    let mut odd = v2_row("pending");
    odd["start"] = json!({});
    let body = json!({"status": "success", "data": [deep, odd, v2_row("pending"), 5]});
    let body = body.to_string().replace("\"DEEP\"", &nested);
    let date = "date: Mon, 23 Nov 2026 08:01:48 GMT\r\n";
    let script = ScriptedServer::start(vec![reply("200 OK", date, body.as_bytes())]);
    let page = v2_client(&script)
        .list(&BookingFilter::Pending, 0)
        .await
        .unwrap();
    assert_eq!(page.bookings.len(), 2);
    assert_eq!(
        page.unreadable,
        ["data[1].start is missing (abc)", "data[3] is not an object"]
    );
    assert_eq!(
        page.server_time,
        Some("2026-11-23T08:01:48Z".parse().unwrap())
    );
}

#[tokio::test]
async fn v1_reads_before_and_after_it_writes() {
    let booking_reply =
        |status: &str| json_reply("200 OK", &json!({"booking": v1_row(7, "abc", status)}));
    let patched = json_reply(
        "200 OK",
        &json!({"booking": {"id": 7, "status": "ACCEPTED"}}),
    );
    let deleted = json_reply("200 OK", &json!({"success": true, "bookingId": 7}));
    let script = ScriptedServer::start(vec![
        booking_reply("PENDING"),
        patched,
        booking_reply("ACCEPTED"),
        booking_reply("PENDING"),
        deleted.clone(),
        booking_reply("CANCELLED"),
        booking_reply("ACCEPTED"),
        deleted,
        booking_reply("CANCELLED"),
    ]);
    let calendar = v1_client(&script);
    assert!(calendar.reads_before_acting());
    let got = calendar
        .confirm(&booking_ref(), far_deadline())
        .await
        .unwrap();
    assert_eq!(status_of(got), Some(BookingStatus::Accepted));
    let got = calendar
        .decline(&booking_ref(), "kein Guthaben & so", far_deadline())
        .await
        .unwrap();
    assert_eq!(status_of(got), Some(BookingStatus::Cancelled));
    let got = calendar
        .cancel(&booking_ref(), "x", far_deadline())
        .await
        .unwrap();
    assert_eq!(status_of(got), Some(BookingStatus::Cancelled));
    let (key, read) = (format!("apiKey={KEY}"), "GET /v1/bookings/7?expand=team");
    let expect = [
        format!("{read}&{key}"),
        format!("PATCH /v1/bookings/7?{key}"),
        format!("{read}&{key}"),
        format!("{read}&{key}"),
        format!("DELETE /v1/bookings/7?cancellationReason=kein+Guthaben+%26+so&{key}"),
        format!("{read}&{key}"),
        format!("{read}&{key}"),
        format!("DELETE /v1/bookings/7?cancellationReason=x&{key}"),
        format!("{read}&{key}"),
    ];
    assert_eq!(script.request_lines(), expect);
    assert!(script.requests()[1].ends_with(r#"{"status":"ACCEPTED"}"#));
    assert!(
        script
            .requests()
            .iter()
            .all(|head| !head.contains("authorization"))
    );
}

#[tokio::test]
async fn v1_writes_only_to_bookings_in_the_right_state() {
    let booking_reply =
        |status: &str| json_reply("200 OK", &json!({"booking": v1_row(7, "abc", status)}));
    let none = json_reply(
        "403 Forbidden",
        &json!({"message": "You are not authorized"}),
    );
    for status in [
        "ACCEPTED",
        "REJECTED",
        "CANCELLED",
        "AWAITING_HOST",
        "NEW_WORD",
    ] {
        let script = ScriptedServer::start(vec![booking_reply(status), booking_reply(status)]);
        let calendar = v1_client(&script);
        assert!(
            calendar
                .confirm(&booking_ref(), far_deadline())
                .await
                .unwrap()
                .is_some()
        );
        assert!(
            calendar
                .decline(&booking_ref(), "x", far_deadline())
                .await
                .unwrap()
                .is_some()
        );
        assert!(
            script
                .request_lines()
                .iter()
                .all(|line| line.starts_with("GET")),
            "{status}"
        );
    }
    for status in ["REJECTED", "CANCELLED"] {
        let script = ScriptedServer::start(vec![booking_reply(status)]);
        assert!(
            v1_client(&script)
                .cancel(&booking_ref(), "x", far_deadline())
                .await
                .unwrap()
                .is_some()
        );
    }
    let script = ScriptedServer::start(vec![none]);
    let got = v1_client(&script)
        .confirm(&booking_ref(), far_deadline())
        .await;
    assert_eq!(got, Ok(Some(Fetched::Gone)));
    // The number belongs to another booking by now.
    let other = json_reply("200 OK", &json!({"booking": v1_row(7, "xyz", "PENDING")}));
    let script = ScriptedServer::start(vec![other]);
    let error = error_without_key(
        v1_client(&script)
            .confirm(&booking_ref(), far_deadline())
            .await,
    );
    // Nothing was sent, so this call cannot still be running.
    assert!(matches!(error, CallError::Unreachable(_)), "{error}");
    // Without a number nothing can be requested.
    let script = ScriptedServer::start(vec![]);
    for id in [None, Some(0), Some(-1), Some(i64::from(i32::MAX) + 1)] {
        let nameless = BookingRef {
            uid: uid("abc"),
            id,
        };
        let error = error_without_key(v1_client(&script).get(&nameless).await);
        assert!(matches!(error, CallError::Refused(_)), "{error}");
    }
}

#[tokio::test]
async fn v1_trusts_the_reading_over_the_answer_of_a_write() {
    let booking_reply =
        |status: &str| json_reply("200 OK", &json!({"booking": v1_row(7, "abc", status)}));
    let patched = |status: &str| json_reply("200 OK", &json!({"booking": {"status": status}}));
    let down = || json_reply("500 Oh", &json!({"message": "Something went wrong"}));
    // The answer to the PATCH, the reading after it, and the result of both.
    let rows = [
        (
            patched("ACCEPTED"),
            booking_reply("CANCELLED"),
            Ok(Some(BookingStatus::Cancelled)),
        ),
        (
            patched("PENDING"),
            booking_reply("PENDING"),
            Ok(Some(BookingStatus::Pending)),
        ),
        (patched("ACCEPTED"), down(), Ok(None)),
        (patched("PENDING"), down(), Err(())),
    ];
    for (patch, after, expect) in rows {
        let script = ScriptedServer::start(vec![booking_reply("PENDING"), patch, after]);
        let got = v1_client(&script)
            .confirm(&booking_ref(), far_deadline())
            .await;
        assert_eq!(
            got.map(status_of)
                .map_err(|error| assert!(is_unknown_outcome(&error))),
            expect
        );
    }
    for patch in [
        down(),
        json_reply(
            "400 Bad",
            &json!({"message": "invalid_type in 'responses'"}),
        ),
    ] {
        let script = ScriptedServer::start(vec![booking_reply("PENDING"), patch]);
        let error = error_without_key(
            v1_client(&script)
                .confirm(&booking_ref(), far_deadline())
                .await,
        );
        assert!(matches!(error, CallError::Failed(_)), "{error}");
    }
}

#[tokio::test]
async fn v1_filters_pending_bookings_itself() {
    let mut over = v1_row(3, "c", "PENDING");
    over["startTime"] = json!("2026-11-01T09:00:00.000Z");
    over["endTime"] = json!("2026-11-01T10:00:00.000Z");
    let rows = json!([
        v1_row(1, "a", "PENDING"), v1_row(2, "b", "ACCEPTED"), over, v1_row(4, "d", "PENDING"),
        v1_row(5, "e", "CANCELLED"), {"id": 6, "uid": "f"},
    ]);
    let script = ScriptedServer::start(vec![json_reply("200 OK", &json!({"bookings": rows}))]);
    let page = v1_client(&script)
        .list(&BookingFilter::Pending, 0)
        .await
        .unwrap();
    let uids: Vec<_> = page
        .bookings
        .iter()
        .map(|booking| booking.uid.as_str())
        .collect();
    assert_eq!(uids, ["a", "d"]);
    assert_eq!(page.unreadable, ["bookings[5].status is missing (f)"]);
    assert_eq!(page.next, None);
    // The clock of these tests shows 2026-11-23; this is midnight of the day before.
    let expect = format!(
        "GET /v1/bookings?expand=team&sortBy=createdAt&order=asc\
         &dateFrom=2026-11-22T00%3A00%3A00.000Z&take=128&page=1&apiKey={KEY}"
    );
    assert_eq!(script.request_lines(), [expect]);
}

#[tokio::test]
async fn v1_reads_around_a_row_that_spoils_its_page() {
    // There are 200 pending bookings, and the server cannot show the booking at index 77.
    let peer = Peer::start(|call| Reply::Bytes(page_with_bad_row(&call.target)));
    let calendar = connect(settings(&peer.address, Dialect::V1)).unwrap();
    let page = calendar.list(&BookingFilter::Pending, 0).await.unwrap();
    let ids: Vec<_> = page
        .bookings
        .iter()
        .filter_map(|booking| booking.id)
        .collect();
    let expect: Vec<i64> = (1..=128).filter(|id| *id != 78).collect();
    assert_eq!(ids, expect);
    assert_eq!(page.unreadable.len(), 1);
    assert!(
        page.unreadable[0].starts_with("bookings[77]: 400"),
        "{:?}",
        page.unreadable
    );
    assert_eq!(page.next, Some(1));
    assert_eq!(calendar.calls(), 15);
    let page = calendar.list(&BookingFilter::Pending, 1).await.unwrap();
    assert_eq!((page.bookings.len(), page.next), (72, None));
}

fn page_with_bad_row(target: &str) -> Vec<u8> {
    let parameter = |name: &str| {
        let pairs = target.split(['?', '&']);
        let value = pairs
            .filter_map(|pair| pair.split_once('='))
            .find(|(have, _)| *have == name);
        value
            .map(|(_, value)| value.parse::<usize>().unwrap())
            .unwrap()
    };
    let (take, page) = (parameter("take"), parameter("page"));
    let rows = (page - 1) * take..(page * take).min(200);
    let bad = rows.contains(&77);
    let (status, body) = if bad {
        (
            "400 Bad Request",
            json!({"message": "invalid_type in 'responses'"}),
        )
    } else {
        let row = |at: usize| v1_row(at as i64 + 1, &format!("u{at}"), "PENDING");
        (
            "200 OK",
            json!({"bookings": rows.map(row).collect::<Vec<_>>()}),
        )
    };
    json_response(status, &body.to_string())
}

#[tokio::test]
async fn v1_gives_up_a_list_that_the_server_refuses() {
    let refused = json_reply("400 Bad Request", &json!({"message": "invalid_enum_value"}));
    let script = ScriptedServer::start(vec![refused; 40]);
    let error = error_without_key(v1_client(&script).list(&BookingFilter::Pending, 0).await);
    assert!(matches!(error, CallError::Refused(_)), "{error}");
    assert!(script.requests().len() < 40, "bounded");
}

#[tokio::test]
async fn a_missing_event_type_is_reported_as_none() {
    let none = json!({"error": {"code": "NotFoundException", "message": "no such event type"}});
    let script = ScriptedServer::start(vec![
        json_reply("404 Not Found", &none),
        json_reply("403 Forbidden", &none),
        ok_reply(json!({"id": 7, "slug": "lesson", "title": "Lesson", "lengthInMinutes": 30})),
    ]);
    let calendar = v2_client(&script);
    assert_eq!(calendar.event_type(EventTypeId(7)).await, Ok(None));
    assert_eq!(calendar.event_type(EventTypeId(7)).await, Ok(None));
    let found = calendar.event_type(EventTypeId(7)).await.unwrap().unwrap();
    assert_eq!((found.slug.as_str(), found.length_minutes), ("lesson", 30));
}

/// Collects what was logged, by maitred and by the libraries that it uses.
#[derive(Clone, Default)]
struct LogSink(Arc<Mutex<Vec<u8>>>);

impl io::Write for LogSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_that_is_logged_shows_the_key() {
    if !own_process::is_own_process() {
        own_process::run(own_process::command(
            "calcom_client::nothing_that_is_logged_shows_the_key",
        ));
        return;
    }
    let sink = LogSink::default();
    let writer = sink.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let row = json_reply("200 OK", &json!({"booking": v1_row(7, "abc", "PENDING")}));
    let echo = json_reply("400 Bad Request", &json!({"message": KEY}));
    for dialect in [Dialect::V2, Dialect::V1] {
        let script =
            ScriptedServer::start(vec![row.clone(), echo.clone(), Reply::Bytes(Vec::new())]);
        let calendar = connect(settings(&script.address, dialect)).unwrap();
        for _ in 0..3 {
            let _ = calendar.get(&booking_ref()).await;
        }
    }
    let logged = String::from_utf8_lossy(&sink.0.lock().unwrap()).into_owned();
    assert!(
        logged.contains("call to Cal.com") && logged.contains("booking=abc"),
        "{logged}"
    );
    assert!(!logged.contains("0123456789abcdef"), "{logged}");
}

/// The environment belongs to the process, so the part that connects runs in its own process.
#[test]
fn a_proxy_from_the_environment_is_used() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if own_process::is_own_process() {
        let calendar = connect(settings("http://cal.invalid", Dialect::V2)).unwrap();
        assert_eq!(runtime.block_on(calendar.current_user()).unwrap().id.0, 12);
        return;
    }
    let script = ScriptedServer::start(vec![ok_reply(json!({"id": 12}))]);
    let mut child = own_process::command("calcom_client::a_proxy_from_the_environment_is_used");
    child
        .env("HTTP_PROXY", &script.address)
        .env("http_proxy", &script.address)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    own_process::run(child);
    assert_eq!(script.request_lines(), ["GET http://cal.invalid/v2/me"]);
}
