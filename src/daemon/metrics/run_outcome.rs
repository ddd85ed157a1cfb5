//! The words for the ends of passes and watches in metrics.

use crate::reconcile::context::PassError;

/// The end of a pass or a watch that did all of its work.
pub(super) const SUCCESS: &str = "success";

/// The end of a pass or a watch that was stopped because the process ends.
const STOPPED: &str = "stopped";

/// All words.
pub(super) const RUN_OUTCOMES: [&str; 8] = [
    SUCCESS,
    STOPPED,
    "credential",
    "rate-limited",
    "contract",
    "foreign-ledger",
    "unreachable",
    "store",
];

/// Returns the word for the end of a pass or a watch. `stopping`: the process ends, so that the run
/// may have done only a part of its work.
pub(super) fn run_outcome(error: Option<&PassError>, stopping: bool) -> &'static str {
    match error {
        None if stopping => STOPPED,
        None => SUCCESS,
        Some(PassError::Credential(_)) => "credential",
        Some(PassError::Limited { .. }) => "rate-limited",
        Some(PassError::Contract(_)) => "contract",
        Some(PassError::ForeignLedger(_)) => "foreign-ledger",
        Some(PassError::Calendar(_)) => "unreachable",
        Some(PassError::Store(_) | PassError::Commit(_)) => "store",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calcom::port::CallError;

    #[test]
    fn every_end_has_a_known_word() {
        let until = "2026-12-01T09:00:00Z".parse().expect("a time");
        let errors = [
            PassError::Credential(String::new()),
            PassError::Limited { until },
            PassError::Contract(String::new()),
            PassError::Calendar(CallError::TooLate),
        ];
        for error in &errors {
            let word = run_outcome(Some(error), false);
            assert!(RUN_OUTCOMES.contains(&word), "{word}");
            // An error counts, whether or not the process ends.
            assert_eq!(run_outcome(Some(error), true), word);
        }
        assert_eq!(run_outcome(None, false), "success");
        assert_eq!(run_outcome(None, true), "stopped");
    }
}
