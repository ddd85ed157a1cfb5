//! Whole passes in which one call is answered by somebody who means no good.

use std::time::{Duration, Instant};

use maitred::calcom::port::Dialect;
use maitred::reconcile::report::Report;
use serde_json::{Value, json};

use super::cal::{self, Step, good};
use super::common::{KEY, ended};
use super::door::{Door, HASTY, PATIENT, told};
use super::peer::{Peer, Reply, gzip_of_blanks, json as json_answer, whole};
use super::wire;

/// What a pass takes at the most, however it is kept waiting, on a heavily loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

const GIB: u64 = 1 << 30;

/// Answers that no call can use, and a word of what is said of each.
fn useless() -> Vec<(&'static str, Reply, &'static str)> {
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
    // As fast as a debug build reads them; what comes faster only uses up the time limit.
    let storm = Reply::Drip {
        pieces: vec![b"HTTP/1.1 102 Processing\r\n\r\n".repeat(20)],
        pause: Duration::from_millis(1),
    };
    let gzip = whole(
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
            Reply::Bytes(whole("200 OK", &header.repeat(16), b"{}")),
            "Cal.com gave no usable answer",
        ),
        (
            "five thousand headers",
            Reply::Bytes(whole("200 OK", &many, b"{}")),
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
            bytes(&whole("200 OK", "", b"{\"status\":\"success\",\"data\":\"\xff\xfe\"}")),
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

/// How long a call may take that is answered so: only a server that never ends is given up soon.
fn limit(reply: &Reply) -> Duration {
    match reply {
        Reply::Bytes(_) | Reply::Flood { .. } => PATIENT,
        Reply::Drip { .. } => HASTY,
    }
}

fn v1_and_v2() -> [Dialect; 2] {
    [Dialect::V2, Dialect::V1]
}

/// Every text that came of it is fit to be shown, and one of them says this.
fn says(texts: &[String], expect: &str, what: &str) {
    texts.iter().for_each(|text| wire::readable(text));
    let found = texts.iter().any(|text| text.contains(expect));
    assert!(found, "{what}: {expect:?} is not in {texts:?}");
}

#[allow(
    clippy::disallowed_methods,
    reason = "the time limits are what is tested"
)]
async fn timed<T>(work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let done = work.await;
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    done
}

/// The server is everything that it was not when the pass begins to look: nothing is written down
/// and nothing is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_useless_answer_while_looking_ends_the_pass_with_nothing_done() {
    for (what, reply, expect) in useless() {
        for dialect in v1_and_v2() {
            for at in [Step::Me, Step::Pending] {
                let limit = limit(&reply);
                let odd = reply.clone();
                let peer = cal::serve(dialect, vec![good(dialect)], move |step, _| {
                    (step == at).then(|| odd.clone())
                });
                let door = Door::within(&peer.address, dialect, limit).await;
                let result = timed(door.pass()).await;
                let what = format!("{what}, {dialect:?}, {at:?}");
                assert!(result.is_err(), "{what}: {result:?}");
                // v1 reads a page again in parts when the server refuses it, which none of these do.
                let calls = if at == Step::Me { 1 } else { 2 };
                assert!(
                    peer.asked().len() <= calls,
                    "{what}: nothing is tried twice"
                );
                assert_eq!(peer.writes().len(), 0, "{what}");
                assert_eq!(door.commits().await, 1, "{what}");
                assert_eq!(door.balance().await, (100, 0, 0), "{what}");
                says(&told(&result), expect, &what);
                // What the kernel holds of a connection is some megabytes more.
                assert!(peer.taken() < 32 << 20, "{what}: {} bytes", peer.taken());
            }
        }
    }
}

/// The same when the calls before it were answered well, and the doubt is about whether the booking
/// may be confirmed: it is left pending and the report says so, or the pass ends with the reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_useless_answer_before_acting_leaves_the_booking_pending() {
    for (what, reply, expect) in useless() {
        for at in [Step::EventTypes, Step::Accepted, Step::Look] {
            let limit = limit(&reply);
            let odd = reply.clone();
            let peer = cal::serve(Dialect::V2, vec![good(Dialect::V2)], move |step, _| {
                (step == at).then(|| odd.clone())
            });
            let door = Door::within(&peer.address, Dialect::V2, limit).await;
            let result = timed(door.pass()).await;
            let what = format!("{what}, {at:?}");
            assert_eq!(peer.writes().len(), 0, "{what}");
            let balance = door.balance().await;
            match (at, &result) {
                // Decided, and the hold stands: the next pass looks again.
                (Step::Look, Ok(report)) => {
                    assert_eq!(ended(report, "good"), "unresolved", "{what}");
                    assert_eq!(balance, (99, 1, 0), "{what}");
                }
                _ => {
                    says(&told(&result), expect, &what);
                    assert_eq!(balance, (100, 0, 0), "{what}");
                }
            }
        }
    }
}

/// A confirmation whose answer is useless is sent once, kept open, and settled by what the next pass
/// reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_useless_answer_to_a_confirmation_is_cleared_up_by_the_next_pass() {
    for (what, reply, _) in useless() {
        // A time limit that runs out is looked at in `calcom_client`.
        if limit(&reply) == HASTY {
            continue;
        }
        let peer = cal::serve(Dialect::V2, vec![good(Dialect::V2)], move |step, _| {
            (step == Step::Act).then(|| reply.clone())
        });
        let door = Door::before(&peer.address, Dialect::V2).await;
        let report = timed(door.pass()).await.unwrap();
        assert_eq!(ended(&report, "good"), "unresolved", "{what}");
        assert_eq!(door.balance().await, (99, 1, 0), "{what}");
        assert_eq!(peer.writes().len(), 1, "{what}: {:?}", peer.writes());
        // It was carried out all the same, and the server is its old self.
        let mut row = good(Dialect::V2);
        row["status"] = json!("accepted");
        let better = cal::serve(Dialect::V2, vec![row], |step, _| {
            (step == Step::Pending).then(|| list(Dialect::V2, &[]))
        });
        let door = door.facing(&better.address, Dialect::V2);
        let report = timed(door.pass()).await.unwrap();
        assert_eq!(ended(&report, "good"), "confirmed", "{what}");
        assert_eq!(door.balance().await, (99, 0, 1), "{what}");
        assert_eq!(better.writes().len(), 0, "{what}");
    }
}

/// The page of a list that holds these rows.
fn list(dialect: Dialect, rows: &[Value]) -> Reply {
    let body = match dialect {
        Dialect::V2 => json!({"status": "success", "data": rows,
                              "pagination": {"hasNextPage": true}}),
        Dialect::V1 => json!({"bookings": rows}),
    };
    Reply::Bytes(json_answer("200 OK", &body.to_string()))
}

/// Rows of an event type that no gate guards, with no more in them than is needed.
fn strangers(first: i64, count: i64) -> Vec<Value> {
    let (start, end) = ("2026-12-01T09:00:00.000Z", "2026-12-01T10:00:00.000Z");
    let one = |n: i64| {
        json!({"id": n, "uid": format!("u{n}"), "eventTypeId": 99, "start": start, "end": end,
               "startTime": start, "endTime": end, "status": "pending", "userId": 12,
               "createdAt": "2026-11-20T08:00:00.000Z"})
    };
    (first..first + count).map(one).collect()
}

/// The number of rows to leave out, as the two dialects ask for it.
fn skipped(target: &str, full: i64) -> i64 {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_without_end_is_read_so_far_and_no_further() {
    for (dialect, full) in [(Dialect::V2, 250), (Dialect::V1, 128)] {
        let peer = cal::serve(dialect, Vec::new(), move |step, asked| match step {
            Step::Pending | Step::Look => {
                let first = 100 + skipped(&asked.target, full);
                Some(list(dialect, &strangers(first, full)))
            }
            Step::Me | Step::EventTypes | Step::Accepted | Step::Act => None,
        });
        let door = Door::before(&peer.address, dialect).await;
        let result = door.pass().await;
        says(&told(&result), "too-many-pending", "endless pages");
        assert_eq!(peer.asked().len(), 41, "me and forty pages");
        assert_eq!((peer.writes().len(), door.commits().await), (0, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_repeats_for_ever_is_noticed_at_once() {
    for (dialect, full) in [(Dialect::V2, 250), (Dialect::V1, 128)] {
        let rows = strangers(100, full);
        let peer = cal::serve(dialect, Vec::new(), move |step, _| match step {
            Step::Pending | Step::Look => Some(list(dialect, &rows)),
            Step::Me | Step::EventTypes | Step::Accepted | Step::Act => None,
        });
        let door = Door::before(&peer.address, dialect).await;
        let result = door.pass().await;
        says(&told(&result), "page-repeated", "a repeated page");
        assert_eq!(peer.asked().len(), 3, "me, the page, the page again");
        assert_eq!((peer.writes().len(), door.commits().await), (0, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_very_many_rows_is_read_so_far_and_no_further() {
    for dialect in v1_and_v2() {
        let page = list(dialect, &strangers(100, 1_500));
        let peer = cal::serve(dialect, Vec::new(), move |step, _| {
            matches!(step, Step::Pending | Step::Look).then(|| page.clone())
        });
        let door = Door::before(&peer.address, dialect).await;
        let result = timed(door.pass()).await;
        says(&told(&result), "more rows than were asked for", "many rows");
        assert_eq!((peer.writes().len(), door.commits().await), (0, 1));
    }
}

/// Names that would lead elsewhere if they were put into a path.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_does_not_belong_into_a_path_is_never_asked_for() {
    let long = "x".repeat(321);
    let names = [
        "../me",
        "..",
        ".",
        "a/../b",
        "%2e%2e%2fme",
        "a%2fb",
        "a%00",
        "a\nb",
        "a\r\nhost: x",
        "a b",
        "a?b=c",
        "a#b",
        "a\\b",
        "a\u{0}",
        "\u{202e}a",
        "ä",
        &long,
        "a;b",
        "http://other/",
    ];
    for dialect in v1_and_v2() {
        let fields: &[&str] = match dialect {
            Dialect::V2 => &["uid", "recurringBookingUid", "rescheduledFromUid"],
            Dialect::V1 => &["uid", "fromReschedule"],
        };
        for field in fields {
            let odd = |(n, name): (usize, &&str)| {
                let (start, end) = ("2026-12-02T09:00:00.000Z", "2026-12-02T10:00:00.000Z");
                let mut row = cal::row(dialect, &format!("odd{n}"), 10 + n as i64, start, end);
                row[*field] = json!(name);
                row
            };
            let mut rows: Vec<Value> = names.iter().enumerate().map(odd).collect();
            rows.push(good(dialect));
            let peer = cal::serve(dialect, rows, |_, _| None);
            let door = Door::before(&peer.address, dialect).await;
            let result = timed(door.pass()).await;
            for (n, name) in names.iter().enumerate() {
                let what = format!("{dialect:?} {field} {name:?}");
                says(&told(&result), &format!("[{n}].{field} is "), &what);
            }
            assert_eq!(ended(&result.unwrap(), "good"), "confirmed", "{field}");
            assert_eq!(peer.writes().len(), 1, "{dialect:?} {field}");
        }
    }
}

/// A redirect at any step is not followed, and its goal is told nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_leads_nowhere_at_any_step() {
    for dialect in v1_and_v2() {
        for at in [
            Step::Me,
            Step::Pending,
            Step::EventTypes,
            Step::Accepted,
            Step::Look,
            Step::Act,
        ] {
            let other = Peer::start(|_| Reply::Bytes(Vec::new()));
            let place = format!("location: {}/v2/me?apiKey={KEY}\r\n", other.address);
            let peer = cal::serve(dialect, vec![good(dialect)], move |step, _| {
                let moved = || whole("307 Temporary Redirect", &place, b"");
                (step == at).then(|| Reply::Bytes(moved()))
            });
            let door = Door::before(&peer.address, dialect).await;
            let result = timed(door.pass()).await;
            let what = format!("{dialect:?} {at:?}");
            assert_eq!(other.asked().len(), 0, "{what}");
            assert_eq!(peer.writes().len(), usize::from(at == Step::Act), "{what}");
            let (_, _, posted) = door.balance().await;
            assert_eq!(posted, 0, "{what}");
            match (at, &result) {
                (Step::Look | Step::Act, Ok(report)) => {
                    assert_eq!(ended(report, "good"), "unresolved", "{what}");
                }
                _ => says(&told(&result), "sends the call elsewhere", &what),
            }
        }
    }
}

/// Storms of interim answers that come to an end are no reason to give up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_interim_answers_and_the_manners_of_http_1_0_are_borne() {
    let row = good(Dialect::V2);
    let body = json!({"status": "success", "data": [row]}).to_string();
    let old = format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{body}");
    let early = [
        b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(5),
        json_answer("200 OK", &body),
    ]
    .concat();
    for bytes in [old.into_bytes(), early] {
        let peer = cal::serve(Dialect::V2, vec![row.clone()], move |step, _| {
            (step == Step::Pending).then(|| Reply::Bytes(bytes.clone()))
        });
        let door = Door::before(&peer.address, Dialect::V2).await;
        let report: Report = door.pass().await.unwrap();
        assert_eq!(ended(&report, "good"), "confirmed");
        assert_eq!(door.balance().await, (99, 0, 1));
    }
}
