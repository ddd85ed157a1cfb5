//! How much memory hostile answers cost, measured in a separate process that does nothing else.

use std::fs;
use std::time::Duration;

use maitred::calcom::port::BookingFilter;
use maitred::domain::dialect::Dialect;
use serde_json::{Value, json as value};

use super::model_server::{self, PassCall, confirmable_row};
use super::mutated_answers::is_full_run;
use super::peer_fixture::{LONG_TIMEOUT, PeerFixture, client, pass_messages};
use super::useless_answers::{
    ENDLESS_ROWS, endless_rows, list_page, max_calls_after, skipped_rows,
};
use crate::fixture::http_server::{Peer, Reply, full_response, gzip_of_blanks, json_response};
use crate::fixture::own_process;
use crate::wire;

/// Tells the child where the peer is.
const PEER_VARIABLE: &str = "MAITRED_TEST_PEER";

/// Tells the child what to do there.
const WORK_VARIABLE: &str = "MAITRED_TEST_WORK";

/// What one answer may cost: the body of 8 MiB, twice while it grows, the 64 MiB that its values
/// may take, and the same again for its texts and for what the allocator keeps.
const MAX_GROWTH_KIB: u64 = 160 * 1024;

/// Calls of the child, one after the other: memory that is not released would show.
const CALLS: usize = 3;

/// Answers that start like a list of bookings, so that the client requests their parts, too.
const OBJECTS: [&str; 4] = [
    ENDLESS_ROWS,
    "objects",
    "objects of objects",
    "rows that are no bookings",
];

/// Returns the peak memory of the process, in KiB.
fn peak_memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let words = line.unwrap().split_whitespace().next();
    words.unwrap().parse().unwrap()
}

/// Returns bodies below the limit of 8 MiB that grow when they are read.
fn growing_bodies() -> Vec<(&'static str, String)> {
    let rows = |row: &str| {
        let count = (8 * 1024 * 1024 - 64) / (row.len() + 1);
        let rows = vec![row; count].join(",");
        format!(r#"{{"status":"success","data":[{rows}]}}"#)
    };
    vec![
        ("numbers", rows("0")),
        ("empty lists", rows("[]")),
        ("lists in lists", rows("[[[[[[0]]]]]]")),
        ("objects", rows(r#"{"a":0}"#)),
        ("objects of objects", rows(r#"{"a":{"b":{"c":{}}}}"#)),
        ("texts", rows(r#""a""#)),
        (
            "rows that are no bookings",
            rows(r#"{"uid":"a","start":1}"#),
        ),
    ]
}

#[test]
fn no_answer_takes_more_memory_than_its_limit_allows() {
    if let Ok(address) = std::env::var(PEER_VARIABLE) {
        return measure_lists(
            &address,
            std::env::var(WORK_VARIABLE).unwrap().parse().unwrap(),
        );
    }
    const GIB: u64 = 1 << 30;
    let flood = |head: &str, fill: &[u8]| Reply::Flood {
        head: head.as_bytes().to_vec(),
        chunk: fill.repeat(64 * 1024 / fill.len()),
        total: GIB,
    };
    let gzip = full_response("200 OK", "content-encoding: gzip\r\n", &gzip_of_blanks(GIB));
    let mut rows = vec![
        ("a gigabyte", flood("HTTP/1.1 200 OK\r\n\r\n", b" ")),
        (
            "a gigabyte of a refusal",
            flood("HTTP/1.1 400 No\r\n\r\n", b"x"),
        ),
        ("a gigabyte in a gzip stream", Reply::Bytes(gzip)),
        (
            "headers without end",
            flood("HTTP/1.1 200 OK\r\n", b"x-more: of the same\r\n"),
        ),
        (ENDLESS_ROWS, endless_rows()),
    ];
    let bodies = growing_bodies().into_iter();
    rows.extend(bodies.map(|(what, body)| (what, Reply::Bytes(json_response("200 OK", &body)))));
    // The client reads eight mebibytes of a refusal, but reports one line.
    let long = "x".repeat(8 * 1024 * 1024 - 64);
    let refusal = format!(r#"{{"message":"{long}"}}"#);
    rows.push((
        "a long refusal",
        Reply::Bytes(json_response("400 No", &refusal)),
    ));
    for (what, reply) in rows {
        let peer = Peer::start(move |_| reply.clone());
        let name = "hostile_peers::memory::no_answer_takes_more_memory_than_its_limit_allows";
        // A list that is read in parts takes many calls by itself, one after the other.
        let (lists, calls) = match OBJECTS.contains(&what) {
            true => (1, 1 + max_calls_after(ENDLESS_ROWS)),
            false => (CALLS, CALLS),
        };
        let grown = growth_in_child(name, &peer, &lists.to_string());
        println!("{what}: {grown} KiB");
        assert_eq!(peer.calls().len(), calls, "{what}");
        assert!(grown < MAX_GROWTH_KIB, "{what}: {grown} KiB");
    }
}

/// Runs this test again in a process that faces the peer. Returns by how many KiB the process grew.
fn growth_in_child(name: &str, peer: &Peer, work: &str) -> u64 {
    let mut child = own_process::command(name);
    child
        // What the code holds is measured, and not what the allocator keeps for a second to reuse.
        .env("MIMALLOC_PURGE_DELAY", "0")
        .env(PEER_VARIABLE, &peer.address)
        .env(WORK_VARIABLE, work);
    let output = own_process::run(child);
    let grown = output
        .lines()
        .find_map(|line| line.strip_prefix("grown by KiB: "));
    grown.expect("the measure").parse().unwrap()
}

/// Runs in the child: lists pending bookings this many times, and prints how much its memory grew.
fn measure_lists(address: &str, lists: usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let before = peak_memory_kib();
    for _ in 0..lists {
        let calendar = client(address, Dialect::V2, Duration::from_secs(60));
        let listed = runtime.block_on(calendar.list(&BookingFilter::Pending, 0));
        if let Ok(page) = listed {
            assert!(page.unreadable.len() <= 1001, "bounded");
        }
    }
    println!("grown by KiB: {}", peak_memory_kib() - before);
}

/// What a whole pass or watch may cost: what it may keep of all pages, and one more answer.
const MAX_WHOLE_KIB: u64 = 96 * 1024 + MAX_GROWTH_KIB;

/// Bytes of a page: close to the 8 MiB that the client accepts.
const PAGE_BYTES: usize = 8 * 1024 * 1024 - 64 * 1024;

/// Returns a field that fills a row of a page: texts take as much memory as they are long, small
/// values many times more. An answer may hold 64 MiB of values, each counted as 64 bytes.
fn filler(kind: &str, rows: usize) -> (&'static str, Value) {
    match kind {
        "texts" => ("description", value!("x".repeat(PAGE_BYTES / rows - 700))),
        _ => ("metadata", value!({"a": vec![0; 900_000 / rows]})),
    }
}

/// Returns a page of the heaviest possible bookings, none of which a gate guards; `with` replaces
/// the first one.
fn heavy_page(dialect: Dialect, row: &str, first: i64, with: Option<Value>) -> Reply {
    let mut rows: Vec<String> = (first..first + full_page_rows(dialect))
        .map(|n| row.replace(NUMBER_PLACEHOLDER, &n.to_string()))
        .collect();
    if let Some(with) = with {
        rows[0] = with.to_string();
    }
    let rows = rows.join(",");
    let body = match dialect {
        Dialect::V2 => {
            format!(r#"{{"status":"success","data":[{rows}],"pagination":{{"hasNextPage":true}}}}"#)
        }
        Dialect::V1 => format!(r#"{{"bookings":[{rows}]}}"#),
    };
    Reply::Bytes(json_response("200 OK", &body))
}

/// The number in a row that is replaced by the row's own number.
const NUMBER_PLACEHOLDER: &str = "424242";

fn row(dialect: Dialect, kind: &str, status: &str) -> String {
    let (field, filling) = filler(kind, full_page_rows(dialect) as usize);
    let (start, end) = ("2026-12-01T09:00:00.000Z", "2026-12-01T10:00:00.000Z");
    let id = NUMBER_PLACEHOLDER.parse().unwrap();
    let mut row = model_server::row(
        dialect,
        &format!("heavy{NUMBER_PLACEHOLDER}"),
        id,
        start,
        end,
    );
    row["eventTypeId"] = value!(99);
    row["eventType"] = value!(null);
    row["createdAt"] = value!("2026-11-20T08:00:00.000Z");
    row["status"] = value!(status);
    row[field] = filling;
    row.to_string()
}

fn full_page_rows(dialect: Dialect) -> i64 {
    match dialect {
        Dialect::V2 => 250,
        Dialect::V1 => 128,
    }
}

/// Pages of each list in a usual run; only a few of them are kept. With `MAITRED_MUTATIONS=all` the
/// lists are endless.
const MAX_LIST_PAGES: i64 = 10;

/// Every page of every list is as large as the client accepts.
#[test]
fn no_pass_and_no_watch_keeps_all_that_a_peer_sends() {
    const NAME: &str = "hostile_peers::memory::no_pass_and_no_watch_keeps_all_that_a_peer_sends";
    if let Ok(address) = std::env::var(PEER_VARIABLE) {
        return measure_whole(&address, &std::env::var(WORK_VARIABLE).unwrap());
    }
    let rows = [
        (Dialect::V2, "v2 pass", "values"),
        (Dialect::V2, "v2 watch", "values"),
        (Dialect::V1, "v1 watch", "values"),
        (Dialect::V1, "v1 pass", "values"),
        (Dialect::V2, "v2 pass", "texts"),
        (Dialect::V2, "v2 watch", "texts"),
    ];
    let (rows, pages) = if is_full_run() {
        (rows.as_slice(), i64::MAX)
    } else {
        (&rows[..3], MAX_LIST_PAGES)
    };
    for (dialect, work, kind) in rows.iter().copied() {
        let (pending, accepted) = (
            row(dialect, kind, "pending"),
            row(dialect, kind, "accepted"),
        );
        let peer = model_server::serve(
            dialect,
            vec![confirmable_row(dialect)],
            move |step, asked| {
                let lists = asked.path().ends_with("/bookings");
                if lists
                    && skipped_rows(&asked.target, full_page_rows(dialect))
                        / full_page_rows(dialect)
                        >= pages
                {
                    return Some(list_page(dialect, &[]));
                }
                let first = || 100 + skipped_rows(&asked.target, full_page_rows(dialect));
                match step {
                    PassCall::Pending | PassCall::ReadBooking if lists => {
                        let first = first();
                        let with = (first == 100).then(|| confirmable_row(dialect));
                        Some(heavy_page(dialect, &pending, first, with))
                    }
                    PassCall::Accepted => Some(heavy_page(dialect, &accepted, first(), None)),
                    _ => None,
                }
            },
        );
        let grown = growth_in_child(NAME, &peer, work);
        println!(
            "{work}, {kind}: {grown} KiB in {} calls",
            peer.calls().len()
        );
        assert!(grown < MAX_WHOLE_KIB, "{work}, {kind}: {grown} KiB");
        assert!(peer.calls().len() > 5, "{work}, {kind}: it was read on");
    }
}

/// Runs in the child: a pass or an audit, and prints how much memory it took.
fn measure_whole(address: &str, work: &str) {
    let dialect = if work.starts_with("v1") {
        Dialect::V1
    } else {
        Dialect::V2
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let fixture = PeerFixture::with_timeout(address, dialect, LONG_TIMEOUT).await;
        let before = peak_memory_kib();
        let messages = if work.ends_with("pass") {
            pass_messages(&fixture.pass().await)
        } else {
            fixture.watch(true).await.messages
        };
        println!("grown by KiB: {}", peak_memory_kib() - before);
        messages.iter().for_each(|text| wire::assert_readable(text));
        let cut = messages.iter().any(|text| text.starts_with("too-many-"));
        assert!(cut, "what was not read is told: {messages:?}");
    });
}
