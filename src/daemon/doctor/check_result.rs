//! One finding: its severity, its subject, and what to do.

use crate::control::exit;
use crate::control::protocol::check::CheckResultView;

/// Returns a result without a finding.
pub fn ok(subject: &str, text: impl Into<String>) -> CheckResultView {
    new_result("ok", exit::DONE, subject, text.into(), "")
}

/// Returns a warning; `help` says what to do.
pub fn warning(subject: &str, text: impl Into<String>, help: &str) -> CheckResultView {
    new_result("warning", exit::DONE, subject, text.into(), help)
}

/// Returns an error: the configuration, here or at Cal.com, must be changed.
pub fn error(subject: &str, text: impl Into<String>, help: &str) -> CheckResultView {
    new_result("error", exit::CONFIGURATION, subject, text.into(), help)
}

/// Returns an error with an exit code of its own.
pub fn error_with_exit(
    exit: u8,
    subject: &str,
    text: impl Into<String>,
    help: &str,
) -> CheckResultView {
    new_result("error", exit, subject, text.into(), help)
}

fn new_result(level: &str, exit: u8, subject: &str, text: String, help: &str) -> CheckResultView {
    CheckResultView {
        level: level.to_owned(),
        exit,
        subject: subject.to_owned(),
        text,
        help: help.to_owned(),
    }
}
