//! Clients of the web page that are slow, large, or many.

use std::io::{Read, Write};
use std::net::TcpStream;

use maitred::daemon::clock;

use crate::fixture::page_fixture::PageFixture;

#[test]
fn what_is_too_large_is_refused() {
    let page = PageFixture::start();
    let long = "a".repeat(20_000);
    let rows = [
        page.send("GET", "/", &[&format!("X-Long: {long}")], ""),
        page.send("GET", &format!("/{long}"), &[], ""),
    ];
    for answer in rows {
        assert!(matches!(answer.status, 414 | 431), "{}", answer.status);
    }
    let answer = page.post("/members/find", &format!("text={long}"));
    assert_eq!(answer.status, 413, "{}", answer.body);
    // A text that fits is cut to what can be a name.
    let text = "a".repeat(10_000);
    let answer = page.post("/members/find", &format!("text={text}"));
    assert_eq!(answer.status, 303);
    let find = page.get_ok(answer.header("location"));
    assert!(find.body.contains("No member is found."), "{}", find.body);
}

#[test]
fn what_is_no_request_or_none_at_all_ends_with_its_connection() {
    let page = PageFixture::start();
    let bad = [
        "GET / HTTP/1.1\r\nHost: 127",
        "GET\r\n\r\n",
        "\u{1}\u{2}\u{3}\r\n\r\n",
        "POST /members/find HTTP/1.1\r\nContent-Length: 100\r\n\r\ntext=a",
        "",
    ];
    for text in bad {
        let mut stream = page.connect();
        stream.write_all(text.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{text:?}: {answer}");
    }
    page.get_ok("/");
}

#[test]
fn a_client_that_sends_nothing_more_is_cut_off() {
    let page = PageFixture::start();
    let begun = clock::now();
    let mut stream = page.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let waited = (clock::now() - begun).num_seconds();
    assert!((4..25).contains(&waited), "{waited} s");
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"));
}

/// Many connections that only stay open keep no client out.
#[test]
fn a_thousand_idle_clients_leave_room_for_one_that_asks() {
    let page = PageFixture::start();
    let idle: Vec<TcpStream> = (0..1_000).map(|_| page.connect()).collect();
    for _ in 0..5 {
        page.get_ok("/");
    }
    page.fixture.run_ok(&["status"]);
    drop(idle);
    page.get_ok("/");
}
