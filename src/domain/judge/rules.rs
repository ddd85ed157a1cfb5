//! The operator's own rules, as expressions. One that cannot be evaluated never confirms.

use std::sync::Arc;

use super::{Asked, Objection, times};
use crate::domain::booking::{Answer, QuestionKind};
use crate::domain::criteria::terms::Rule;
use crate::domain::decision::{Code, Decision};
use crate::domain::findings::Room;
use crate::domain::rule::scope::Scope;
use crate::domain::text;

/// The house's rules, then the gate's, each in the order of the configuration.
pub(super) fn each<'a>(asked: &Asked<'a>) -> impl Iterator<Item = &'a Rule> + use<'a> {
    asked
        .house
        .rules
        .iter()
        .chain(asked.gate.criteria.rules.iter())
}

/// The same as they are shared.
pub(super) fn lists(asked: &Asked<'_>) -> [Arc<[Rule]>; 2] {
    [&asked.house.rules, &asked.gate.criteria.rules].map(Arc::clone)
}

/// The request as its rules would see it if all that is being decided came to nothing; `None` when
/// that makes no difference.
fn settled_scope<'s>(asked: &Asked<'_>, scope: &Scope<'s>) -> Option<Scope<'s>> {
    let all_settled = asked.standing().all(|standing| standing.settled);
    if asked.unsettled == 0 && all_settled {
        return None;
    }
    Some(Scope {
        counts: times::settled_counts(asked, asked.zone),
        available: scope.available.saturating_add(asked.unsettled),
        ..*scope
    })
}

/// What one rule says: its objection, if it has one. The room keeps what it looked at.
pub(super) fn one(
    asked: &Asked<'_>,
    scope: &Scope<'_>,
    rule: &Rule,
    room: &mut Room,
) -> Option<Objection> {
    let answered = |name: &str| {
        asked
            .lookups
            .is_some_and(|lookups| lookups.answers.contains_key(name))
    };
    if let Some(lookup) = rule.require.lookups().find(|name| !answered(name)) {
        let why = asked
            .lookups
            .and_then(|lookups| lookups.missing.get(lookup));
        let why = why.map_or("it was not asked", String::as_str);
        room.failed(&format!("no answer from lookup.{lookup}: {why}"));
        return Some(Objection {
            decision: asked.decision_of_rule(
                asked.house.no_answer(lookup),
                Code::LookupFailed,
                Some(&rule.name),
            ),
            code: Code::LookupFailed,
            rule: Some(rule.name.clone()),
            unsettled: false,
            text: text::lookup_failed(),
            own: false,
            at: None,
        });
    }
    match rule.require.holds(scope) {
        Ok(true) => {
            room.holds(true, |kept| rule.require.keep_inputs(scope, kept));
            None
        }
        Ok(false) => {
            room.holds(false, |kept| rule.require.keep_inputs(scope, kept));
            let own = rule.reason.as_ref().and_then(|words| {
                let language = asked.booker().and_then(|booker| booker.language.as_deref());
                words.pick(language)?.render(scope).ok()
            });
            Some(Objection {
                decision: asked.decision_of_rule(rule.effect, Code::Rule, Some(&rule.name)),
                code: Code::Rule,
                own: own.is_some(),
                at: None,
                rule: Some(rule.name.clone()),
                unsettled: settled_scope(asked, scope)
                    .is_some_and(|scope| rule.require.holds(&scope) == Ok(true)),
                text: own.unwrap_or_else(|| text::rule_not_met(&rule.name)),
            })
        }
        Err(why) => {
            let hint = hint(asked, scope, rule);
            room.failed(&hint.map_or(why.clone(), |hint| format!("{why}; {hint}")));
            Some(Objection {
                decision: Decision::Review,
                code: Code::RuleFailed,
                rule: Some(rule.name.clone()),
                unsettled: false,
                text: format!("the rule {} cannot be evaluated", rule.name),
                own: false,
                at: None,
            })
        }
    }
}

/// What may be wrong with a rule that failed: an answer that is not there, or of another kind than
/// the rule takes.
fn hint(asked: &Asked<'_>, scope: &Scope<'_>, rule: &Rule) -> Option<String> {
    let uses = rule.require.answers().iter();
    let mut uses = uses.filter(|one| scope.hidden != Some(one.slug.as_str()));
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
        let kind = scope.questions.kind(slug).unwrap_or(wants);
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
