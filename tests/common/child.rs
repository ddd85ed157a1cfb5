//! The process whose writes are recorded: this test program once more, told by the environment what
//! to be. It says what it does by lines in a file that the shim turns into notes.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use maitred::daemon::clock;
use maitred::domain::time::Span;

use crate::shim::{Kill, Shim};

/// The number of the signal, on every system that has a shim.
const SIGKILL: i32 = 9;

/// Names the role that the child process has.
const ROLE: &str = "MAITRED_TEST_CHILD";
const ARGS: &str = "MAITRED_TEST_ARGS";

/// Where the folder, the trace and the notes of one recording are.
pub struct Recording {
    folder: tempfile::TempDir,
}

impl Recording {
    pub fn new() -> Self {
        let folder = crate::shim::scratch();
        std::fs::create_dir(folder.path().join("disk")).expect("it is made");
        Self { folder }
    }

    /// What is recorded: everything below.
    pub fn disk(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    pub fn trace(&self) -> PathBuf {
        self.folder.path().join("trace")
    }

    /// Runs the role of that name and records it, after what was recorded before. It ends well, or
    /// is killed where it was to be.
    pub fn run(&self, role: &str, args: &str, kill: Option<Kill>) {
        let notes = self.folder.path().join("notes");
        let shim = Shim {
            dir: self.disk(),
            trace: Some(self.trace()),
            notes: Some(notes.clone()),
            kill,
            ..Shim::default()
        };
        let mut command = command(role, args);
        command.env("MAITRED_TEST_NOTES", notes);
        shim.apply(&mut command);
        let done = command.output().expect("it starts");
        let said = [done.stdout, done.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let killed = kill.is_some() && done.status.signal() == Some(SIGKILL);
        let ended = done.status.success() || killed;
        assert!(ended, "{role} {args}, {}: {said}", done.status);
    }
}

/// This program again, in that role.
pub fn command(role: &str, args: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["as_a_child_process", "--exact", "--nocapture"])
        .env(ROLE, role)
        .env(ARGS, args);
    command
}

/// The role and its arguments, in a child.
pub fn role() -> Option<(String, Vec<String>)> {
    let role = std::env::var(ROLE).ok()?;
    let args = std::env::var(ARGS).unwrap_or_default();
    Some((role, args.split_whitespace().map(str::to_owned).collect()))
}

/// What the child says.
pub struct Notes(File);

impl Notes {
    pub fn new() -> Self {
        let path = std::env::var("MAITRED_TEST_NOTES").expect("set by the parent");
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .open(Path::new(&path));
        Self(opened.expect("it opens"))
    }

    /// One line in one write: the shim puts it into the trace at this moment.
    pub fn say(&mut self, text: &str) {
        let line = format!("{text}\n");
        self.0.write_all(line.as_bytes()).expect("it is written");
    }
}

/// Runs it to its end, and no longer than that; `None` when it had to be killed or was.
pub fn code(mut command: Command, patience: Duration) -> Option<i32> {
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
