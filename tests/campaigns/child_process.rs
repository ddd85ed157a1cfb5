//! A test program that starts itself again as a process that may be recorded, killed or run on a
//! failing disk. The environment tells the process its role, and the process reports its progress
//! as lines of a file.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use maitred::daemon::clock;
use maitred::domain::time::Span;

/// Names the role of the child process.
const ROLE: &str = "MAITRED_TEST_CHILD";
const ARGS: &str = "MAITRED_TEST_ARGS";

/// Names the file for the child's notes.
const NOTES_FILE: &str = "MAITRED_TEST_NOTES";

/// Returns a command that runs this program again in the given role, which the named test plays.
pub fn command(test: &str, role: &str, args: &str, notes: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args([test, "--exact", "--nocapture"])
        .env(ROLE, role)
        .env(ARGS, args)
        .env(NOTES_FILE, notes);
    command
}

/// Returns the role and its arguments in a child process.
pub fn child_role() -> Option<(String, Vec<String>)> {
    let role = std::env::var(ROLE).ok()?;
    let args = std::env::var(ARGS).unwrap_or_default();
    Some((role, args.split_whitespace().map(str::to_owned).collect()))
}

/// The child's reports.
pub struct Notes(File);

impl Notes {
    pub fn new() -> Self {
        let path = std::env::var(NOTES_FILE).expect("set by the parent");
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .open(Path::new(&path));
        Self(opened.expect("it opens"))
    }

    /// Writes one line in one write: the shim puts the line into the trace at this moment.
    pub fn write_line(&mut self, text: &str) {
        let line = format!("{text}\n");
        self.0.write_all(line.as_bytes()).expect("it is written");
    }
}

/// Runs the command to its end, but no longer than that. Returns `None` if the command had to be
/// killed or was killed.
pub fn exit_code_within(mut command: Command, patience: Duration) -> Option<i32> {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = quiet.spawn().expect("it starts");
    let end = clock::now() + Span::from_std(patience).expect("seconds");
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return status.code();
        }
        if clock::now() > end {
            child.kill().expect("it is our child");
            child.wait().expect("it was killed");
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
