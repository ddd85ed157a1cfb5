//! What the check of one rule says about a request, and the objection that results from a failure
//! and the rule's effect.

use super::EvaluationInput;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::decision::{Decision, Reason, ReasonCode};
use crate::domain::messages;

/// The outcome of one rule: not applicable, passed, or failed.
pub(super) enum RuleOutcome {
    NotApplicable,
    Passed(String),
    Failed(RuleFailure),
}

/// Why a request does not meet a rule. The table of rules says what happens to the request.
pub(super) struct RuleFailure {
    pub(super) code: ReasonCode,
    pub(super) text: String,
    /// What the finding shows to operators in place of the text.
    pub(super) detail: Option<String>,
    /// What happens to the request in place of the rule's effect.
    pub(super) effect: Option<OnViolation>,
    /// The index of the booking that caused the failure, if it was a single one.
    pub(super) booking_index: Option<usize>,
    /// Whether the rule would not fail if everything that is being decided were undone.
    pub(super) depends_on_unsettled: bool,
}

impl RuleOutcome {
    pub(super) fn passed(detail: &'static str) -> Self {
        Self::Passed(detail.to_owned())
    }

    pub(super) fn failed(code: ReasonCode, text: impl Into<String>) -> Self {
        Self::Failed(RuleFailure {
            code,
            text: text.into(),
            detail: None,
            effect: None,
            booking_index: None,
            depends_on_unsettled: false,
        })
    }

    /// Returns a failure because of one booking of the request. The text names the booking if there
    /// are several.
    pub(super) fn failed_booking(
        input: &EvaluationInput<'_>,
        booking_index: usize,
        code: ReasonCode,
        text: String,
    ) -> Self {
        let mut text = text;
        if input.bookings.len() > 1 {
            let start = input.bookings[booking_index]
                .start
                .with_timezone(&input.zone);
            text = format!("{text} {}", messages::about_occurrence(start));
        }
        Self::failed(code, text).map_failure(|failure| failure.booking_index = Some(booking_index))
    }

    /// Replaces the effect of the rule for this failure.
    pub(super) fn with_effect(self, effect: OnViolation) -> Self {
        self.map_failure(|failure| failure.effect = Some(effect))
    }

    /// Shows operators this detail in place of the text.
    pub(super) fn with_detail(self, detail: String) -> Self {
        self.map_failure(|failure| failure.detail = Some(detail))
    }

    /// Names the cap in the detail for operators.
    pub(super) fn with_cap_name(self, name: &str) -> Self {
        self.map_failure(|failure| failure.detail = Some(format!("{}: {}", name, failure.text)))
    }

    /// Marks a failure as one that depends on something unsettled.
    pub(super) fn mark_unsettled(self, unsettled: bool) -> Self {
        self.map_failure(|failure| failure.depends_on_unsettled = unsettled)
    }

    fn map_failure(mut self, change: impl FnOnce(&mut RuleFailure)) -> Self {
        if let Self::Failed(failure) = &mut self {
            change(failure);
        }
        self
    }
}

/// An objection of one rule.
#[derive(Clone)]
pub(super) struct Objection {
    pub(super) decision: Decision,
    pub(super) code: ReasonCode,
    /// The operator's own rule, if that is what objects.
    pub(super) rule: Option<String>,
    /// Whether the rule would no longer object if everything that is being decided were undone.
    pub(super) depends_on_unsettled: bool,
    pub(super) text: String,
    /// Whether the text is the operator's own.
    pub(super) has_custom_text: bool,
    /// The index of the booking that caused the objection, if it was a single one.
    pub(super) booking_index: Option<usize>,
}

impl Objection {
    pub(super) fn new(decision: Decision, code: ReasonCode, text: String) -> Self {
        Self {
            decision,
            code,
            rule: None,
            depends_on_unsettled: false,
            text,
            has_custom_text: false,
            booking_index: None,
        }
    }

    /// Returns the objection that the failure of a rule leads to.
    pub(super) fn from_failure(failure: RuleFailure, decision: Decision) -> Self {
        Self {
            depends_on_unsettled: failure.depends_on_unsettled,
            booking_index: failure.booking_index,
            ..Self::new(decision, failure.code, failure.text)
        }
    }

    /// Returns the key of the reason in `Request::reasons_since`.
    pub(super) fn key(&self) -> String {
        reason_key(self.code, self.rule.as_deref())
    }

    pub(super) fn to_reason(&self) -> Reason {
        Reason {
            code: self.code,
            text: self.text.clone(),
        }
    }
}

/// Returns the key of a reason in `Request::reasons_since`.
pub(super) fn reason_key(code: ReasonCode, rule: Option<&str>) -> String {
    match rule {
        Some(rule) => format!("{code} {rule}"),
        None => code.as_str().to_owned(),
    }
}
