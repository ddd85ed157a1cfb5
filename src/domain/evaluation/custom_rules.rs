//! The operator's own rules, as expressions. A rule that cannot be evaluated never confirms.

use std::borrow::Cow;

use super::booker_message::for_booker;
use super::rule_outcome::Objection;
use super::{EvaluationInput, time_rules};
use crate::domain::booking::{Answer, QuestionKind};
use crate::domain::criteria::custom_rule::Rule;
use crate::domain::decision::{Decision, Finding, ReasonCode};
use crate::domain::rule::context::RuleContext;

/// The names of variables that follow from the price.
const PRICE_VARIABLES: [&str; 3] = ["request.cost", "request.credits", "request.missing"];

/// Returns the global rules and then the gate's, each in the order of the configuration. They read
/// member data, so there are none when the booker has no account.
pub(super) fn applicable_rules<'a>(
    input: &EvaluationInput<'a>,
) -> impl Iterator<Item = &'a Rule> + use<'a> {
    let rules = input.account.map(|_| {
        let global_rules = input.global.rules.iter();
        global_rules.chain(input.gate.criteria.rules.iter())
    });
    rules.into_iter().flatten()
}

/// Returns the context that the rules would read if nothing that is still being decided were
/// confirmed; `None` if that makes no difference.
fn settled_context<'s>(
    input: &EvaluationInput<'_>,
    context: &RuleContext<'s>,
) -> Option<RuleContext<'s>> {
    let all_settled = input
        .counted_bookings()
        .all(|standing| standing.is_confirmed);
    if input.unsettled_credits == 0 && all_settled {
        return None;
    }
    Some(RuleContext {
        counts: time_rules::settled_booking_counts(input, input.zone),
        available: context.available.saturating_add(input.unsettled_credits),
        ..*context
    })
}

/// Evaluates one rule. Returns its finding, and its objection if there is one.
pub(super) fn evaluate_rule(
    input: &EvaluationInput<'_>,
    context: &RuleContext<'_>,
    rule: &Rule,
) -> (Finding, Option<Objection>) {
    let (objection, detail) = if let Some(lookup) = unanswered_lookup(input, rule) {
        object_to_missing_lookup(input, rule, lookup)
    } else if context.cost.is_none() && rule.require.reads_any(&PRICE_VARIABLES) {
        object_to_failed_rule(input, context, rule, "the price is not known".to_owned())
    } else {
        match rule.require.evaluate(context) {
            Ok(true) => (None, rule.require.describe_inputs(context)),
            Ok(false) => {
                let objection = object_to_unmet_rule(input, context, rule);
                (Some(objection), rule.require.describe_inputs(context))
            }
            Err(error) => object_to_failed_rule(input, context, rule, error),
        }
    };
    let code = objection.as_ref().map(|objection| objection.code);
    let finding = Finding {
        rule: Cow::Owned(rule.name.clone()),
        code,
        passed: code.is_none(),
        detail,
    };
    (finding, objection)
}

/// Returns the first lookup that the rule reads and that was not answered.
fn unanswered_lookup<'r>(input: &EvaluationInput<'_>, rule: &'r Rule) -> Option<&'r str> {
    rule.require.lookups().find(|name| {
        input
            .lookups
            .is_none_or(|lookups| !lookups.answers.contains_key(*name))
    })
}

fn object_to_missing_lookup(
    input: &EvaluationInput<'_>,
    rule: &Rule,
    lookup: &str,
) -> (Option<Objection>, String) {
    let error = input
        .lookups
        .and_then(|lookups| lookups.failures.get(lookup));
    let error = error.map_or("it was not asked", String::as_str);
    let decision = input.decide_violation(
        input.global.on_no_answer(lookup),
        ReasonCode::LookupFailed,
        Some(&rule.name),
    );
    let objection = Objection {
        rule: Some(rule.name.clone()),
        ..Objection::new(
            decision,
            ReasonCode::LookupFailed,
            "Your request could not be checked.".to_owned(),
        )
    };
    let detail = format!("no answer from lookup.{lookup}: {error}");
    (Some(objection), detail)
}

fn object_to_unmet_rule(
    input: &EvaluationInput<'_>,
    context: &RuleContext<'_>,
    rule: &Rule,
) -> Objection {
    let operator_text = rule.reason.as_ref().and_then(|words| {
        let language = input.booker().and_then(|booker| booker.language.as_deref());
        let context = for_booker(input, context);
        words.for_language(language)?.render(&context).ok()
    });
    let decision =
        input.decide_violation(rule.on_violation, ReasonCode::RuleNotMet, Some(&rule.name));
    Objection {
        has_custom_text: operator_text.is_some(),
        rule: Some(rule.name.clone()),
        depends_on_unsettled: settled_context(input, context)
            .is_some_and(|context| rule.require.evaluate(&context) == Ok(true)),
        ..Objection::new(
            decision,
            ReasonCode::RuleNotMet,
            operator_text.unwrap_or_else(|| rule_not_met_text(&rule.name)),
        )
    }
}

fn object_to_failed_rule(
    input: &EvaluationInput<'_>,
    context: &RuleContext<'_>,
    rule: &Rule,
    error: String,
) -> (Option<Objection>, String) {
    let text = format!("the rule {} cannot be evaluated", rule.name);
    let objection = Objection {
        rule: Some(rule.name.clone()),
        ..Objection::new(Decision::Review, ReasonCode::RuleFailed, text)
    };
    let detail = match hint(input, context, rule) {
        Some(hint) => format!("{error}; {hint}"),
        None => error,
    };
    (Some(objection), detail)
}

fn rule_not_met_text(name: &str) -> String {
    format!("This request does not meet a condition of the host ({name}).")
}

/// Returns what may be wrong with a rule that failed: an answer is missing, or is of another kind
/// than the rule takes.
fn hint(input: &EvaluationInput<'_>, context: &RuleContext<'_>, rule: &Rule) -> Option<String> {
    let answer_uses = rule.require.answers().iter();
    let mut answer_uses =
        answer_uses.filter(|one| context.hidden_answer != Some(one.slug.as_str()));
    answer_uses.find_map(|answer_use| {
        let slug = &answer_use.slug;
        let answer = input.bookings[0].answers.get(slug);
        let blank = match answer {
            None | Some(Answer::Null) => true,
            Some(Answer::Text(text)) => text.trim().is_empty(),
            Some(Answer::Bool(_) | Answer::Number(_) | Answer::List(_) | Answer::Map(_)) => false,
        };
        let expected_kind = answer_use.expected_kind?;
        if blank {
            return Some(format!(
                "the question {slug} has no answer: ask has(booking.answers.{slug}) before"
            ));
        }
        let kind = context.questions.kind(slug).unwrap_or(expected_kind);
        let is_number = |text: &str| text.trim().parse::<f64>().is_ok();
        let is_unexpected = kind != expected_kind
            || matches!(answer, Some(Answer::Text(text)) if kind == QuestionKind::Number && !is_number(text));
        is_unexpected.then(|| {
            let actual_kind = if kind == expected_kind { QuestionKind::Text } else { kind };
            format!(
                "the rule takes {} from the question {slug}, and the answer is {}",
                expected_kind.describe(),
                actual_kind.describe()
            )
        })
    })
}
