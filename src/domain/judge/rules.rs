//! The operator's own rules, as expressions. One that cannot be evaluated never confirms.

use std::borrow::Cow;

use super::{EvaluationInput, Objection, objection, times};
use crate::domain::booking::{Answer, QuestionKind};
use crate::domain::criteria::rule::Rule;
use crate::domain::decision::{Code, Decision, Finding};
use crate::domain::rule::context::RuleContext;
use crate::domain::text;

/// The house's rules, then the gate's, each in the order of the configuration.
pub(super) fn each<'a>(asked: &EvaluationInput<'a>) -> impl Iterator<Item = &'a Rule> + use<'a> {
    asked
        .house
        .rules
        .iter()
        .chain(asked.gate.criteria.rules.iter())
}

/// The request as its rules would see it if all that is being decided came to nothing; `None` when
/// that makes no difference.
fn settled_context<'s>(asked: &EvaluationInput<'_>, context: &RuleContext<'s>) -> Option<RuleContext<'s>> {
    let all_settled = asked.standing().all(|standing| standing.settled);
    if asked.unsettled == 0 && all_settled {
        return None;
    }
    Some(RuleContext {
        counts: times::settled_counts(asked, asked.zone),
        available: context.available.saturating_add(asked.unsettled),
        ..*context
    })
}

/// Evaluates one rule: what it found, and its objection if it has one.
pub(super) fn one(
    asked: &EvaluationInput<'_>,
    context: &RuleContext<'_>,
    rule: &Rule,
) -> (Finding, Option<Objection>) {
    let (objection, detail) = if let Some(lookup) = unanswered_lookup(asked, rule) {
        lookup_failed(asked, rule, lookup)
    } else {
        match rule.require.evaluate(context) {
            Ok(true) => (None, rule.require.describe_inputs(context)),
            Ok(false) => {
                let objection = not_met(asked, context, rule);
                (Some(objection), rule.require.describe_inputs(context))
            }
            Err(why) => failed(asked, context, rule, why),
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
fn unanswered_lookup<'r>(asked: &EvaluationInput<'_>, rule: &'r Rule) -> Option<&'r str> {
    rule.require.lookups().find(|name| {
        asked
            .lookups
            .is_none_or(|lookups| !lookups.answers.contains_key(*name))
    })
}

fn lookup_failed(asked: &EvaluationInput<'_>, rule: &Rule, lookup: &str) -> (Option<Objection>, String) {
    let why = asked
        .lookups
        .and_then(|lookups| lookups.missing.get(lookup));
    let why = why.map_or("it was not asked", String::as_str);
    let decision = asked.decision_of_rule(
        asked.house.no_answer(lookup),
        Code::LookupFailed,
        Some(&rule.name),
    );
    let objection = Objection {
        rule: Some(rule.name.clone()),
        ..objection(decision, Code::LookupFailed, text::lookup_failed())
    };
    let detail = format!("no answer from lookup.{lookup}: {why}");
    (Some(objection), detail)
}

fn not_met(asked: &EvaluationInput<'_>, context: &RuleContext<'_>, rule: &Rule) -> Objection {
    let own = rule.reason.as_ref().and_then(|words| {
        let language = asked.booker().and_then(|booker| booker.language.as_deref());
        words.for_language(language)?.render(context).ok()
    });
    let decision = asked.decision_of_rule(rule.effect, Code::Rule, Some(&rule.name));
    Objection {
        own: own.is_some(),
        rule: Some(rule.name.clone()),
        unsettled: settled_context(asked, context)
            .is_some_and(|context| rule.require.evaluate(&context) == Ok(true)),
        ..objection(
            decision,
            Code::Rule,
            own.unwrap_or_else(|| text::rule_not_met(&rule.name)),
        )
    }
}

fn failed(
    asked: &EvaluationInput<'_>,
    context: &RuleContext<'_>,
    rule: &Rule,
    why: String,
) -> (Option<Objection>, String) {
    let text = format!("the rule {} cannot be evaluated", rule.name);
    let objection = Objection {
        rule: Some(rule.name.clone()),
        ..objection(Decision::Review, Code::RuleFailed, text)
    };
    let detail = match hint(asked, context, rule) {
        Some(hint) => format!("{why}; {hint}"),
        None => why,
    };
    (Some(objection), detail)
}

/// What may be wrong with a rule that failed: an answer that is not there, or of another kind than
/// the rule takes.
fn hint(asked: &EvaluationInput<'_>, context: &RuleContext<'_>, rule: &Rule) -> Option<String> {
    let uses = rule.require.answers().iter();
    let mut uses = uses.filter(|one| context.hidden != Some(one.slug.as_str()));
    uses.find_map(|one| {
        let slug = &one.slug;
        let answer = asked.bookings[0].answers.get(slug);
        let blank = match answer {
            None | Some(Answer::Null) => true,
            Some(Answer::Text(text)) => text.trim().is_empty(),
            Some(Answer::Bool(_) | Answer::Number(_) | Answer::List(_) | Answer::Map(_)) => false,
        };
        let wants = one.wants?;
        if blank {
            return Some(format!(
                "the question {slug} has no answer: ask has(booking.answers.{slug}) before"
            ));
        }
        let kind = context.questions.kind(slug).unwrap_or(wants);
        let is_number = |text: &str| text.trim().parse::<f64>().is_ok();
        let misfit = kind != wants
            || matches!(answer, Some(Answer::Text(text)) if kind == QuestionKind::Number && !is_number(text));
        misfit.then(|| {
            let is = if kind == wants { QuestionKind::Text } else { kind };
            format!(
                "the rule takes {} from the question {slug}, and the answer is {}",
                wants.word(),
                is.word()
            )
        })
    })
}
