//! Decides from the objections of all rules: the first one decides, unless an operator's review
//! overrides it, it depends on something that is not settled, or the request got no answer in time.

use super::EvaluationInput;
use super::booker_message;
use super::built_in_rule::{Overridable, ReasonTrait};
use super::operator_review::apply_operator_review;
use super::reasoned_decision::ReasonedDecision;
use super::rule_outcome::Objection;
use super::rules;
use crate::domain::decision::{Decision, Reason, ReasonCode};
use crate::domain::gate::OnUnanswered;
use crate::domain::messages;
use crate::domain::rule::context::RuleContext;
use crate::domain::time::Time;

/// Decides from the objections, which are in order of precedence.
pub(super) fn decide(
    input: &EvaluationInput<'_>,
    context: &RuleContext<'_>,
    mut objections: Vec<(Overridable, Objection)>,
) -> ReasonedDecision {
    if let Some(review) = input.review
        && let Some(decided) = apply_operator_review(review, &mut objections)
    {
        return decided;
    }
    let mut objections: Vec<Objection> = objections.into_iter().map(|(_, one)| one).collect();
    booker_message::apply_operator_texts(input, context, &mut objections);
    if let Some(unsettled) = remove_unsettled_declines(input, &mut objections) {
        return unsettled;
    }
    if let Some(unanswered) = decide_unanswered(input, context, &objections) {
        return unanswered;
    }
    match objections.first() {
        Some(first) => decide_by(input, first, &objections),
        None => confirm(input),
    }
}

/// Confirms a request to which no rule objects.
fn confirm(input: &EvaluationInput<'_>) -> ReasonedDecision {
    let (code, text) = match input.carried_charge {
        Some(charge) => {
            let paid = messages::format_credits(charge.credits());
            let text = format!("rescheduled; {paid} were paid before");
            (ReasonCode::ChargeCarried, text)
        }
        None => (ReasonCode::EnoughCredit, "enough credit".to_owned()),
    };
    ReasonedDecision::with_reason(Decision::Confirm, code, text)
}

/// Decides by the first objection. Further objections that ask for the same decision are given as
/// reasons, too.
fn decide_by(
    input: &EvaluationInput<'_>,
    first: &Objection,
    objections: &[Objection],
) -> ReasonedDecision {
    let decision = resolve_expired_wait(first.decision, input.now);
    let effective_decision =
        |objection: &Objection| resolve_expired_wait(objection.decision, input.now);
    let is_same_decision = |objection: &&Objection| {
        std::mem::discriminant(&effective_decision(objection)) == std::mem::discriminant(&decision)
    };
    let agreeing: Vec<&Objection> = objections.iter().filter(is_same_decision).collect();
    let wait_expired = |objection: &Objection| effective_decision(objection) != objection.decision;
    let count = if rules::has_trait(first.code, ReasonTrait::ShownAlone) {
        1
    } else {
        usize::MAX
    };
    let shown_objections = || agreeing.iter().take(count);
    let mut reasons: Vec<Reason> = shown_objections()
        .map(|objection| objection.to_reason())
        .collect();
    let reason_keys = shown_objections()
        .map(|objection| objection.key())
        .collect();
    if shown_objections().any(|objection| wait_expired(objection)) {
        reasons.push(Reason {
            code: ReasonCode::WaitedTooLong,
            text: messages::waited_too_long(),
        });
    }
    if decision == Decision::Decline && input.ledger_is_empty {
        let text = "the ledger has no account yet, and declining every booker would be a mistake: \
                    grant credits or import the members first";
        return ReasonedDecision::with_reason(
            Decision::Leave,
            ReasonCode::EmptyLedger,
            text.to_owned(),
        );
    }
    let booker_text = (decision == Decision::Decline).then(|| {
        if booker_message::may_disclose_account(input) {
            messages::join_reasons(&reasons)
        } else {
            booker_message::public_decline_text(input, &agreeing, wait_expired)
        }
    });
    ReasonedDecision {
        decision,
        reasons,
        booker_text,
        reason_keys,
    }
}

/// Removes the declines that depend on something unsettled. When no other objection asks for a
/// decline, the request is left until that is settled, so that no booker reads a reason that may be
/// wrong a minute later.
fn remove_unsettled_declines(
    input: &EvaluationInput<'_>,
    objections: &mut Vec<Objection>,
) -> Option<ReasonedDecision> {
    let declines = |objection: &Objection| {
        resolve_expired_wait(objection.decision, input.now) == Decision::Decline
    };
    let is_unsettled_decline =
        |objection: &Objection| objection.depends_on_unsettled && declines(objection);
    if !objections.first().is_some_and(is_unsettled_decline) {
        // Further reasons for a decline are given only when they are certain.
        objections.retain(|objection| !is_unsettled_decline(objection));
        return None;
    }
    let codes: Vec<&str> = objections
        .iter()
        .filter(|objection| is_unsettled_decline(objection))
        .map(|objection| objection.code.as_str())
        .collect();
    let codes = codes.join(", ");
    objections.retain(|objection| !is_unsettled_decline(objection));
    if objections.first().is_some_and(declines) {
        return None;
    }
    let text = format!(
        "would be declined ({codes}), but that depends on a booking which is still being \
         decided: the request waits until that is settled"
    );
    Some(ReasonedDecision::with_reason(
        Decision::Leave,
        ReasonCode::DependsOnUnsettled,
        text,
    ))
}

/// Decides a request that was left for an operator and has no answer by its deadline.
fn decide_unanswered(
    input: &EvaluationInput<'_>,
    context: &RuleContext<'_>,
    objections: &[Objection],
) -> Option<ReasonedDecision> {
    let first = objections.first()?;
    if resolve_expired_wait(first.decision, input.now) != Decision::Review {
        return None;
    }
    let start = input.bookings[0].start;
    match input.gate.on_unanswered {
        OnUnanswered::Decline { before }
            if input.now >= start - before && !input.ledger_is_empty =>
        {
            let mut replacement = vec![Objection::new(
                Decision::Decline,
                ReasonCode::Unanswered,
                messages::request_unanswered(),
            )];
            booker_message::apply_operator_texts(input, context, &mut replacement);
            let text = replacement.remove(0).text;
            Some(ReasonedDecision::with_reason(
                Decision::Decline,
                ReasonCode::Unanswered,
                text,
            ))
        }
        OnUnanswered::Leave | OnUnanswered::Decline { .. } if input.now >= start => {
            let text = format!(
                "waited for an operator ({}), and no operator answered before its start",
                first.code
            );
            Some(ReasonedDecision::with_reason(
                Decision::Leave,
                ReasonCode::Unanswered,
                text,
            ))
        }
        OnUnanswered::Leave | OnUnanswered::Decline { .. } => None,
    }
}

/// Turns a wait whose time is over into a decline.
fn resolve_expired_wait(decision: Decision, now: Time) -> Decision {
    match decision {
        Decision::Wait { until: Some(until) } if now >= until => Decision::Decline,
        Decision::Wait { .. }
        | Decision::Confirm
        | Decision::Decline
        | Decision::Review
        | Decision::Leave => decision,
    }
}
