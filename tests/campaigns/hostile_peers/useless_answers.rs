//! Answers that replace an honest answer: useless ones of every kind, and pages of lists.

use std::time::{Duration, Instant};

use maitred::domain::dialect::Dialect;
use serde_json::{Value, json};

use super::peer_fixture::{LONG_TIMEOUT, SHORT_TIMEOUT};
use crate::fixture::http_server::{
    Reply, full_response, gzip_of_blanks, json_response as json_answer,
};
use crate::wire;

/// The longest that a pass may take, however the server delays it, on a heavily loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

const GIB: u64 = 1 << 30;

/// The answer that starts like a list of bookings. Its parts may be smaller, so the client requests
/// them; after every other answer that is too large, no further call follows.
pub const ENDLESS_ROWS: &str = "bookings without end";

/// Calls that reading a list in parts may take when no part can be read (`MAX_FRUITLESS_CALLS`).
const MAX_CALLS_IN_PARTS: usize = 24;

/// Returns the number of calls that may follow a list with this answer.
pub fn max_calls_after(what: &str) -> usize {
    if what == ENDLESS_ROWS {
        MAX_CALLS_IN_PARTS
    } else {
        0
    }
}

/// Returns how many bytes of such answers may be read: 8 MiB of each, and what the kernel buffers
/// of a connection.
pub fn max_bytes_taken(what: &str) -> u64 {
    (32 << 20) + (max_calls_after(what) as u64) * (16 << 20)
}

/// Returns rows of bookings up to a gigabyte.
pub fn endless_rows() -> Reply {
    let row = r#"{"id":7,"uid":"good","status":"pending"},"#;
    Reply::Flood {
        head: b"HTTP/1.1 200 OK\r\n\r\n{\"status\":\"success\",\"data\":[".to_vec(),
        chunk: row.repeat(64 * 1024 / row.len()).into_bytes(),
        total: GIB,
    }
}

/// Returns answers that no call can use, with a word of the message about each.
pub fn useless_answers() -> Vec<(&'static str, Reply, &'static str)> {
    let bytes = |bytes: &[u8]| Reply::Bytes(bytes.to_vec());
    let blanks = || vec![b' '; 64 * 1024];
    let chunk = [b"10000\r\n".as_slice(), &blanks(), b"\r\n"].concat();
    let flood = |head: &str, chunk: Vec<u8>| Reply::Flood {
        head: head.as_bytes().to_vec(),
        chunk,
        total: GIB,
    };
    let drip = |bytes: &[u8]| Reply::Drip {
        pieces: bytes.iter().map(|byte| vec![*byte]).collect(),
        pause: Duration::from_millis(100),
    };
    // As fast as a debug build reads them; a faster server would only use up the time limit.
    let storm = Reply::Drip {
        pieces: vec![b"HTTP/1.1 102 Processing\r\n\r\n".repeat(20)],
        pause: Duration::from_millis(1),
    };
    let gzip = full_response(
        "200 OK",
        "content-encoding: gzip\r\n",
        &gzip_of_blanks(GIB / 8),
    );
    let header = "x-filler: ".to_owned() + &"y".repeat(64 * 1024) + "\r\n";
    let many: String = (0..5_000).map(|n| format!("x-{n}: 1\r\n")).collect();
    let deep = "[".repeat(1 << 20);
    vec![
        (
            "a gigabyte that was announced",
            flood("HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n", blanks()),
            "more than 8 MiB",
        ),
        (
            "a gigabyte in chunks",
            flood("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk),
            "more than 8 MiB",
        ),
        (
            "a gigabyte until the end, as HTTP/1.0 sends it",
            flood("HTTP/1.0 200 OK\r\n\r\n", blanks()),
            "more than 8 MiB",
        ),
        (
            "a gigabyte with an error",
            flood("HTTP/1.1 500 Oh\r\n\r\n", vec![b'x'; 64 * 1024]),
            "more than 8 MiB",
        ),
        (ENDLESS_ROWS, endless_rows(), "more than 8 MiB"),
        ("an eighth of a gigabyte in a gzip stream", Reply::Bytes(gzip), "more than 8 MiB"),
        (
            "headers without end",
            flood("HTTP/1.1 200 OK\r\n", b"x-more: of the same\r\n".repeat(3_000)),
            "Cal.com gave no usable answer",
        ),
        (
            "a head without an end of line",
            flood("HTTP/1.1 200 ", vec![b'O'; 64 * 1024]),
            "Cal.com gave no usable answer",
        ),
        (
            "one huge header",
            Reply::Bytes(full_response("200 OK", &header.repeat(16), b"{}")),
            "Cal.com gave no usable answer",
        ),
        (
            "five thousand headers",
            Reply::Bytes(full_response("200 OK", &many, b"{}")),
            "Cal.com gave no usable answer",
        ),
        (
            "interim answers without end",
            storm,
            "Cal.com gave no usable answer",
        ),
        ("a head, a byte at a time", drip(b"HTTP/1.1 200 OK\r\nx-a: b\r\nx-"), "within 1s"),
        (
            "a body, a byte at a time",
            drip(b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n{\"status\":\"success\",\"data\":["),
            "within 1s",
        ),
        (
            "a body that is shorter than announced",
            bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"status\":\"success\"}"),
            "Cal.com gave no usable answer",
        ),
        (
            "two lengths",
            bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 90\r\n\r\n{}"),
            "Cal.com gave no usable answer",
        ),
        (
            "a length that is none",
            bytes(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}"),
            "Cal.com gave no usable answer",
        ),
        (
            "a change of protocol",
            bytes(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
            "Cal.com gave no usable answer",
        ),
        ("HTTP/2 unasked", bytes(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "Cal.com gave no usable answer"),
        ("a megabyte of brackets", bytes(&json_answer("200 OK", &deep)), "not readable as JSON"),
        (
            "text that is no UTF-8",
            bytes(&full_response("200 OK", "", b"{\"status\":\"success\",\"data\":\"\xff\xfe\"}")),
            "not readable as JSON",
        ),
        ("two values", bytes(&json_answer("200 OK", "{}{}")), "not readable as JSON"),
        ("a number", bytes(&json_answer("200 OK", "1e999999")), "not readable as JSON"),
        (
            "an answer without a body",
            bytes(b"HTTP/1.1 204 No Content\r\n\r\n"),
            "204 with an empty body",
        ),
        (
            "an answer of another kind",
            bytes(&json_answer("200 OK", r#"{"ok":true}"#)),
            "without",
        ),
    ]
}

/// Returns how long a call with this answer may take: only a server that never ends gets a short
/// limit.
pub fn call_timeout(reply: &Reply) -> Duration {
    match reply {
        Reply::Bytes(_) | Reply::Flood { .. } => LONG_TIMEOUT,
        Reply::Delayed(..) | Reply::Drip { .. } | Reply::Stall(_) => SHORT_TIMEOUT,
    }
}

pub fn v1_and_v2() -> [Dialect; 2] {
    [Dialect::V2, Dialect::V1]
}

/// Checks that every text is fit to be shown, and that one of them contains `expect`.
pub fn assert_mentions(texts: &[String], expect: &str, what: &str) {
    texts.iter().for_each(|text| wire::assert_readable(text));
    let found = texts.iter().any(|text| text.contains(expect));
    assert!(found, "{what}: {expect:?} is not in {texts:?}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the time limits are what is tested"
)]
pub async fn within_patience<T>(work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let done = work.await;
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    done
}

/// Returns the page of a list with these rows.
pub fn list_page(dialect: Dialect, rows: &[Value]) -> Reply {
    let body = match dialect {
        Dialect::V2 => json!({"status": "success", "data": rows,
                              "pagination": {"hasNextPage": true}}),
        Dialect::V1 => json!({"bookings": rows}),
    };
    Reply::Bytes(json_answer("200 OK", &body.to_string()))
}

/// Returns rows of an event type without a gate, with only the necessary fields.
pub fn unguarded_rows(first: i64, count: i64) -> Vec<Value> {
    let (start, end) = ("2026-12-01T09:00:00.000Z", "2026-12-01T10:00:00.000Z");
    let one = |n: i64| {
        json!({"id": n, "uid": format!("u{n}"), "eventTypeId": 99, "start": start, "end": end,
               "startTime": start, "endTime": end, "status": "pending", "userId": 12,
               "createdAt": "2026-11-20T08:00:00.000Z"})
    };
    (first..first + count).map(one).collect()
}

/// Returns the number of rows to skip, as the two dialects request it.
pub fn skipped_rows(target: &str, full: i64) -> i64 {
    let of = |name: &str| {
        let mut pairs = target
            .split(['?', '&'])
            .filter_map(|pair| pair.split_once('='));
        pairs.find(|(have, _)| *have == name)?.1.parse::<i64>().ok()
    };
    of("skip")
        .or_else(|| Some((of("page")? - 1) * full))
        .unwrap()
}
