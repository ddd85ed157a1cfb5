//! The display of commands that take long, on a pseudo terminal and in a pipe.

use std::io::Read as _;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use crate::fixture::binary::BinaryFixture;
use crate::fixture::tool::require_tool;

/// What a command shows that waits for the daemon.
const SPINNER: &str = "waiting for the daemon";

/// A daemon that takes a command, and hangs up when the test says so.
fn hang_up_when_told(fixture: &BinaryFixture) -> (mpsc::Sender<()>, std::thread::JoinHandle<()>) {
    let listener = UnixListener::bind(fixture.path("ledger/control.sock")).unwrap();
    let (tell, told) = mpsc::channel();
    let daemon = std::thread::spawn(move || {
        let client = listener.accept().unwrap();
        // An error means that the test is over.
        let _ = told.recv();
        drop(client);
    });
    (tell, daemon)
}

/// Runs the command on a pseudo terminal until it shows the spinner, or to its end. Returns what it
/// has printed.
fn run_on_terminal(fixture: &BinaryFixture, args: &str) -> Option<String> {
    let script = require_tool("script")?;
    let (tell, daemon) = hang_up_when_told(fixture);
    let command = format!("{} {args}", env!("CARGO_BIN_EXE_maitred"));
    let mut child = Command::new(script)
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env_clear()
        .env("MAITRED_CONFIG", fixture.path("config.toml"))
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let (mut shown, mut buffer) = (String::new(), [0; 1024]);
    let mut tell = Some(tell);
    loop {
        let length = output.read(&mut buffer).unwrap();
        if length == 0 {
            break;
        }
        shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
        if shown.contains(SPINNER) {
            // The daemon hangs up, and the command ends.
            tell = None;
        }
    }
    drop(tell);
    child.wait().unwrap();
    daemon.join().unwrap();
    Some(shown)
}

#[test]
fn a_command_that_waits_shows_it_on_a_terminal() {
    let fixture = BinaryFixture::new("v2");
    let Some(shown) = run_on_terminal(&fixture, "status") else {
        return;
    };
    assert!(shown.contains(SPINNER), "{shown:?}");
    // The line is cleared before the error is printed.
    let (_, after) = shown.rsplit_once(SPINNER).unwrap();
    assert!(after.contains("\u{1b}[2K"), "{shown:?}");
    assert!(
        after.contains("the daemon ended the connection"),
        "{shown:?}"
    );
}

/// The daemon hangs up only after the delay of the display is over, which the other test waits for.
#[test]
fn in_a_pipe_nothing_is_shown() {
    let fixture = BinaryFixture::new("v2");
    let (tell, daemon) = hang_up_when_told(&fixture);
    let child = fixture
        .command(&["status"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let waiter = std::thread::spawn(move || {
        std::thread::park_timeout(std::time::Duration::from_millis(1_500));
        drop(tell);
    });
    let ended = child.wait_with_output().unwrap();
    let printed = String::from_utf8(ended.stderr).unwrap();
    assert!(
        printed.contains("the daemon ended the connection"),
        "{printed:?}"
    );
    assert!(
        !printed.contains(SPINNER) && !printed.contains('\u{1b}'),
        "{printed:?}"
    );
    waiter.join().unwrap();
    daemon.join().unwrap();
}
