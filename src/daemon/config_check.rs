//! Checks a configuration as `maitred check` and a reload do: the same findings, in the same words.

use super::calendar::{self, OpenedCalendar};
use super::doctor::check_result::{error, ok};
use super::error_chain::error_chain;
use crate::calcom::call_observer::CallObserver;
use crate::config::diagnostic::{Diagnostic, Severity};
use crate::config::parse::Loaded;
use crate::control::exit;
use crate::control::protocol::check::CheckResultView;
use crate::domain::time::Clock;

/// Returns a finding about the file as a result of the check.
pub fn diagnostic_result(finding: &Diagnostic) -> CheckResultView {
    let (level, exit) = match finding.severity {
        Severity::Error => ("error", exit::CONFIGURATION),
        Severity::Warning => ("warning", exit::DONE),
    };
    let position = finding.position.as_ref().map_or_else(String::new, |place| {
        format!(":{}:{}", place.line, place.column)
    });
    let excerpt = finding
        .position
        .as_ref()
        .and_then(|place| place.excerpt.as_ref())
        .map_or_else(String::new, |excerpt| format!(": {}", excerpt.text.trim()));
    CheckResultView {
        level: level.to_owned(),
        exit,
        subject: format!("{}{position} {}", finding.file, finding.key)
            .trim()
            .to_owned(),
        text: format!("{}{excerpt}", finding.problem),
        help: finding.help.clone(),
    }
}

/// Opens the calendar of a configuration, and adds what was found about the key and the calendar.
/// Nothing is sent. `observer` hears of each later call. Returns `None` after an error.
pub fn open_calendar(
    loaded: &Loaded,
    clock: &Clock,
    observer: Option<CallObserver>,
    results: &mut Vec<CheckResultView>,
) -> Option<OpenedCalendar> {
    let key = match calendar::load_key(&loaded.config) {
        Ok(key) => key,
        Err(why) => {
            // The text says what to do.
            let text = format!("failed to {}", error_chain(&why));
            results.push(error("key", text, ""));
            return None;
        }
    };
    results.push(ok("key", format!("found in {}", key.origin)));
    results.extend(key.warnings.iter().map(diagnostic_result));
    match calendar::open_with(&loaded.config, key.secret, clock, observer) {
        Ok(opened) => Some(opened),
        Err(why) => {
            let help = "see the section [calcom] of the configuration";
            results.push(error("calcom", format!("calcom: {why}"), help));
            None
        }
    }
}
