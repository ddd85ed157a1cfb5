//! What hostile answers cost in memory, measured in a process of its own that does nothing else.

use std::fs;
use std::process::Command;
use std::time::Duration;

use maitred::calcom::port::{Dialect, Select};

use super::door::client;
use super::peer::{Peer, Reply, gzip_of_blanks, json, whole};

/// Where the child finds the peer.
const CHILD: &str = "MAITRED_TEST_PEER";

/// What one answer may cost: the body of 8 MiB, twice while it grows, the 64 MiB that its values may
/// take, and as much again for its texts and for what the allocator keeps.
const MAX_GROWTH_KIB: u64 = 160 * 1024;

/// Calls of the child, one after the other: what is not given back would show.
const CALLS: usize = 3;

/// Memory that the process took at its most, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let words = line.unwrap().split_whitespace().next();
    words.unwrap().parse().unwrap()
}

/// Bodies that stay below the limit of 8 MiB and grow when they are read.
fn growing() -> Vec<(&'static str, String)> {
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
    if let Ok(address) = std::env::var(CHILD) {
        return measure(&address);
    }
    const GIB: u64 = 1 << 30;
    let flood = |head: &str, fill: &[u8]| Reply::Flood {
        head: head.as_bytes().to_vec(),
        chunk: fill.repeat(64 * 1024 / fill.len()),
        total: GIB,
    };
    let gzip = whole("200 OK", "content-encoding: gzip\r\n", &gzip_of_blanks(GIB));
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
    ];
    let bodies = growing().into_iter();
    rows.extend(bodies.map(|(what, body)| (what, Reply::Bytes(json("200 OK", &body)))));
    // Eight mebibytes of a refusal are read, but said in one line.
    let long = "x".repeat(8 * 1024 * 1024 - 64);
    let refusal = format!(r#"{{"message":"{long}"}}"#);
    rows.push(("a long refusal", Reply::Bytes(json("400 No", &refusal))));
    for (what, reply) in rows {
        let peer = Peer::start(move |_| reply.clone());
        let name = "memory::no_answer_takes_more_memory_than_its_limit_allows";
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, &peer.address)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout).into_owned();
        assert!(child.status.success(), "{what}: {said}");
        let grown = said
            .lines()
            .find_map(|line| line.strip_prefix("grown by KiB: "));
        let grown: u64 = grown.expect("the measure").parse().unwrap();
        println!("{what}: {grown} KiB");
        assert_eq!(peer.asked().len(), CALLS, "{what}");
        assert!(grown < MAX_GROWTH_KIB, "{what}: {grown} KiB");
    }
}

/// The child: lists what waits, some times over, and tells how much its memory grew.
fn measure(address: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let before = peak();
    for _ in 0..CALLS {
        let calendar = client(address, Dialect::V2, Duration::from_secs(60));
        let listed = runtime.block_on(calendar.list(&Select::Pending, 0));
        if let Ok(page) = listed {
            assert!(page.unreadable.len() <= 1001, "bounded");
        }
    }
    println!("grown by KiB: {}", peak() - before);
}
