//! One finding: how bad it is, of what, and what to do about it.

use crate::control::exit;
use crate::control::protocol::CheckFinding;

pub fn fine(subject: &str, text: impl Into<String>) -> CheckFinding {
    finding("ok", exit::DONE, subject, text.into(), "")
}

pub fn warning(subject: &str, text: impl Into<String>, help: &str) -> CheckFinding {
    finding("warning", exit::DONE, subject, text.into(), help)
}

/// Something that the configuration, here or at Cal.com, must be changed for.
pub fn error(subject: &str, text: impl Into<String>, help: &str) -> CheckFinding {
    finding("error", exit::CONFIGURATION, subject, text.into(), help)
}

/// An error with an exit code of its own.
pub fn failure(exit: u8, subject: &str, text: impl Into<String>, help: &str) -> CheckFinding {
    finding("error", exit, subject, text.into(), help)
}

fn finding(level: &str, exit: u8, subject: &str, text: String, help: &str) -> CheckFinding {
    CheckFinding {
        level: level.to_owned(),
        exit,
        subject: subject.to_owned(),
        text,
        help: help.to_owned(),
    }
}
