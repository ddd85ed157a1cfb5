//! What an operator's review changes about the objections of rules.

use super::built_in_rule::{Overridable, ReasonTrait};
use super::reasoned_decision::ReasonedDecision;
use super::rule_outcome::Objection;
use super::rules;
use crate::domain::decision::{Decision, Reason, ReasonCode};
use crate::domain::messages;
use crate::domain::request::{OperatorDecision, OperatorReview};

/// Applies an operator's review. A review overrides the criteria of the configuration, and never
/// the rules that protect the calendar and the ledger: if one of those objects to a confirm, the
/// request is left to the operator.
pub(super) fn apply_operator_review(
    review: &OperatorReview,
    objections: &mut Vec<(Overridable, Objection)>,
) -> Option<ReasonedDecision> {
    objections.retain(|(overridable, _)| *overridable == Overridable::No);
    let has_begun = objections
        .iter()
        .any(|(_, one)| one.code == ReasonCode::AlreadyBegun);
    if objections
        .first()
        .is_some_and(|(_, first)| rules::has_trait(first.code, ReasonTrait::OutOfScope))
    {
        return None;
    }
    if has_begun && review.decision == OperatorDecision::Confirm {
        let text = messages::ALREADY_BEGUN.to_owned();
        return Some(ReasonedDecision::with_reason(
            Decision::Leave,
            ReasonCode::AlreadyBegun,
            text,
        ));
    }
    let operator = |text: String| Reason {
        code: ReasonCode::Operator,
        text,
    };
    let (decision, reasons) = match review.decision {
        OperatorDecision::Decline => (Decision::Decline, vec![operator(review.reason.clone())]),
        OperatorDecision::Confirm if objections.is_empty() => {
            (Decision::Confirm, vec![operator(review.reason.clone())])
        }
        OperatorDecision::Confirm => {
            let mut reasons: Vec<Reason> = objections
                .iter()
                .map(|(_, objection)| objection.to_reason())
                .collect();
            let text = "an operator decided to confirm it; that waits until these reasons no \
             longer apply";
            reasons.push(operator(text.to_owned()));
            (Decision::Review, reasons)
        }
    };
    Some(ReasonedDecision::new(decision, reasons))
}
