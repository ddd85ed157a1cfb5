//! Records every change of a process to the disk.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use super::CHILD_TEST;
use crate::child_process;
use crate::shim::{KillAt, Shim, scratch_folder};

/// The number of the signal on every system that has a shim.
const SIGKILL: i32 = 9;

/// The folder, the trace and the notes of one recording.
pub struct Recording {
    folder: tempfile::TempDir,
}

impl Recording {
    pub fn new() -> Self {
        let folder = scratch_folder();
        std::fs::create_dir(folder.path().join("disk")).expect("it is made");
        Self { folder }
    }

    /// Returns the folder below which everything is recorded.
    pub fn disk(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    pub fn trace(&self) -> PathBuf {
        self.folder.path().join("trace")
    }

    /// Runs the role and appends to the recording. The process must succeed, or be killed as
    /// requested.
    pub fn run(&self, role: &str, args: &str, kill: Option<KillAt>) {
        let notes = self.folder.path().join("notes");
        let shim = Shim {
            dir: self.disk(),
            trace: Some(self.trace()),
            notes: Some(notes.clone()),
            kill,
            ..Shim::default()
        };
        let mut command = child_process::command(CHILD_TEST, role, args, &notes);
        shim.apply(&mut command);
        let done = command.output().expect("it starts");
        let output = [done.stdout, done.stderr].concat();
        let output = String::from_utf8_lossy(&output);
        let killed = kill.is_some() && done.status.signal() == Some(SIGKILL);
        let ended = done.status.success() || killed;
        assert!(ended, "{role} {args}, {}: {output}", done.status);
    }
}
