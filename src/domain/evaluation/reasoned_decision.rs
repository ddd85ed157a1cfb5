//! A decision with the reasons for it.

use super::rule_outcome::reason_key;
use crate::domain::decision::{Decision, Reason, ReasonCode};
use crate::domain::messages;

/// The decision that results from all objections.
pub(super) struct ReasonedDecision {
    pub(super) decision: Decision,
    pub(super) reasons: Vec<Reason>,
    /// The text for the booker, with a decline.
    pub(super) booker_text: Option<String>,
    /// The keys of the reasons in `Request::reasons_since`.
    pub(super) reason_keys: Vec<String>,
}

impl ReasonedDecision {
    pub(super) fn with_reason(decision: Decision, code: ReasonCode, text: String) -> Self {
        Self::new(decision, vec![Reason { code, text }])
    }

    pub(super) fn new(decision: Decision, reasons: Vec<Reason>) -> Self {
        let reason_keys = reasons.iter().map(|one| reason_key(one.code, None));
        Self {
            decision,
            booker_text: (decision == Decision::Decline).then(|| messages::join_reasons(&reasons)),
            reason_keys: reason_keys.collect(),
            reasons,
        }
    }
}
