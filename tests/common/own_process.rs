//! Tests that run in a process of their own, because the log, the environment and the memory belong
//! to a process.

#![allow(dead_code, reason = "each program of tests uses a part of it")]
#![allow(clippy::unwrap_used, reason = "tests panic")]

use std::process::{Command, Output};

const MARK: &str = "MAITRED_TEST_OWN_PROCESS";

/// Returns true in a process that [`command`] started.
pub fn is_own_process() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Returns a command that runs one test of this program, named with its modules.
pub fn command(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env(MARK, "1");
    command
}

/// Runs the command to its end and returns what it printed. The test must pass: a name that no test
/// has runs nothing, and fails here.
pub fn run(mut command: Command) -> String {
    let output: Output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let passed = output.status.success() && printed.contains("test result: ok. 1 passed");
    assert!(passed, "{command:?}: {printed}{errors}");
    printed
}
