//! Tests with fake daemons of what can go wrong between a command and the daemon.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::thread;

use super::*;

/// Starts a fake daemon that answers one client with these bytes, after or without reading the
/// client's request.
fn fake_daemon(answer: Vec<u8>, reads_request: bool) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut part = [0; 1024];
        while reads_request && !request.windows(4).any(|four| four == b"\r\n\r\n") {
            let read = stream.read(&mut part).unwrap();
            request.extend_from_slice(&part[..read]);
        }
        // The client may have closed the connection already.
        let _ = stream.write_all(&answer);
        if !reads_request {
            // What the client still sends is read, as the real daemon does.
            let _ = io::copy(&mut stream, &mut io::sink());
        }
    });
    (folder, path)
}

/// Returns an answer of a daemon that uses this version of the shapes.
fn answer(status: &str, schema: u32, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nMaitred-Schema: {schema}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[test]
fn a_daemon_that_does_not_run_is_distinguished_from_other_errors() {
    let folder = tempfile::tempdir().unwrap();
    let stale = folder.path().join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [folder.path().join("missing"), stale, file] {
        let error = send_command(&path, Command::Status {}, None).unwrap_err();
        assert!(
            matches!(&error, ClientError::NotRunning(at) if *at == path),
            "{error}"
        );
        assert_eq!(error.into_refusal().exit, exit::UNREACHABLE);
    }
}

#[test]
fn a_denied_client_is_told_who_may_use_the_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let uid = std::fs::metadata(&path).unwrap().uid();
    // Tests may run as root, who is never denied access.
    let error = connect_error(&path, ErrorKind::PermissionDenied.into());
    let refusal = error.into_refusal();
    assert_eq!(refusal.exit, exit::CREDENTIAL);
    assert!(
        refusal.text.contains(&format!("(uid {uid})")),
        "{}",
        refusal.text
    );
}

/// A user who may not enter the directory of the store cannot know whether there is a socket.
#[test]
fn a_directory_that_may_not_be_entered_is_named_and_not_the_socket() {
    let error = ClientError::DirectoryDenied {
        directory: PathBuf::from("/var/lib/maitred"),
        path: PathBuf::from("/var/lib/maitred/control.sock"),
        owner: " (uid 998)".to_owned(),
    };
    let refusal = error.into_refusal();
    assert_eq!(refusal.exit, exit::CREDENTIAL);
    let expect = "permission denied on the directory /var/lib/maitred (uid 998)";
    assert!(refusal.text.starts_with(expect), "{refusal}");
    let socket = "/var/lib/maitred/control.sock";
    let rows = [
        // the path, the first part that is denied, the closed directory
        (socket, socket, Some("/var/lib/maitred")),
        (socket, "/var/lib/maitred", Some("/var/lib")),
        ("ledger/control.sock", "ledger/control.sock", Some("ledger")),
        ("ledger/control.sock", "ledger", Some(".")),
        ("ledger/control.sock", "none", None),
    ];
    for (path, denied, expect) in rows {
        let closed = find_closed_directory(Path::new(path), |part| part.starts_with(denied));
        assert_eq!(closed.as_deref(), expect.map(Path::new), "{path} {denied}");
    }
}

#[test]
fn unusable_answers_are_reported_by_cause() {
    let verify = "{\"schema\":1,\"commits\":0,\"facts\":0,\"head\":\"\",\"differences\":[]}";
    let rows: [(Vec<u8>, &str); 11] = [
        (Vec::new(), "ended the connection"),
        (b"HTTP/1.1 200 O".to_vec(), "ended the connection"),
        (
            b"HTTP/1.1 200 OK\r\nMaitred-Schema: 1\r\nContent-Length: 9\r\n\r\n{".to_vec(),
            "ended the connection",
        ),
        (b"hello\n".to_vec(), "cannot be understood (invalid HTTP"),
        // The daemon of a version that did not speak HTTP.
        (
            b"{\"err\":{\"exit\":2,\"code\":\"usage\",\"text\":\"no\"}}\n".to_vec(),
            "use the same version of maitred for both",
        ),
        (answer("200 OK", 1, "{}"), "missing field `schema`"),
        (
            answer("200 OK", 1, "{\"schema\":1,\"commits\":\"1\"}"),
            "commits: invalid type: string",
        ),
        (answer("200 OK", 2, verify), "answers in version 2"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec(),
            "it has no header maitred-schema",
        ),
        (
            answer("502 Bad Gateway", 1, "<html>"),
            "(status 502 Bad Gateway, expected value",
        ),
        (
            answer(
                "404 Not Found",
                1,
                "{\"exit\":1,\"code\":\"not-found\",\"text\":\"no such account\"}",
            ),
            "no such account",
        ),
    ];
    for (answer, expect) in rows {
        let (_folder, path) = fake_daemon(answer, true);
        let error = send_command(&path, Command::Verify {}, None).unwrap_err();
        assert!(error.to_string().contains(expect), "{expect}: {error}");
    }
}

#[test]
fn a_refusal_keeps_its_exit_code() {
    let refusal = "{\"exit\":77,\"code\":\"credential\",\"text\":\"no\"}";
    let (_folder, path) = fake_daemon(answer("403 Forbidden", 1, refusal), true);
    let error = send_command(&path, Command::Status {}, None).unwrap_err();
    assert_eq!(error.into_refusal().exit, exit::CREDENTIAL);
}

#[test]
fn an_answer_sent_before_the_request_was_read_is_received() {
    let refusal = "{\"exit\":69,\"code\":\"unreachable\",\"text\":\"full\"}";
    let (_folder, path) = fake_daemon(answer("503 Service Unavailable", 1, refusal), false);
    let text = "x".repeat(8 * 1024 * 1024);
    let error = send_command(&path, Command::Evaluate { text, at: None }, None).unwrap_err();
    assert!(matches!(&error, ClientError::Refused(_)), "{error}");
}

#[test]
fn a_daemon_that_says_nothing_is_not_waited_for_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let short = Duration::from_millis(50);
    let long = Duration::from_secs(30);
    let text = "x".repeat(8 * 1024 * 1024);
    let unread = Command::Evaluate { text, at: None };
    let rows = [
        (Command::Status {}, long, Some(short)),
        // Nothing limits how long this answer may take, but its request has to be read.
        (unread, short, None),
    ];
    for (command, send, answer) in rows {
        let limits = ClientLimits { send, answer };
        let error = exchange(&path, CommandRequest::new(&command), None, limits).map(|_| ());
        assert!(
            matches!(error, Err(ClientError::Silent(time)) if time == short),
            "{error:?}"
        );
    }
}

#[test]
fn a_request_that_is_too_long_is_not_sent() {
    let text = "x".repeat(MAX_REQUEST);
    let error = send_command(
        Path::new("missing"),
        Command::Evaluate { text, at: None },
        None,
    )
    .unwrap_err();
    assert!(matches!(error, ClientError::TooLong(_)), "{error}");
}
