//! The operator's own rules, as expressions. One that cannot be evaluated never confirms.

use std::sync::Arc;

use super::{Asked, Objection, Said};
use crate::domain::criteria::terms::Rule;
use crate::domain::decision::{Code, Decision};
use crate::domain::phrase::Phrase;
use crate::domain::rule::scope::Scope;
use crate::domain::text;

/// The house's rules, then the gate's, each in the order of the configuration.
pub(super) fn each<'a>(asked: &Asked<'a>) -> impl Iterator<Item = &'a Rule> + use<'a> {
    asked.house.rules.iter().chain(&asked.gate.criteria.rules)
}

/// What one rule says. Without an account there is nobody whose rules they would be.
pub(super) fn one(asked: &Asked<'_>, scope: &Scope<'_>, rule: &Rule) -> Said {
    if asked.account.is_none() {
        return Said::Silent;
    }
    let missing = rule.require.lookups().find(|name| {
        !asked
            .lookups
            .is_some_and(|lookups| lookups.answers.contains_key(*name))
    });
    if let Some(lookup) = missing {
        let why = asked
            .lookups
            .and_then(|lookups| lookups.missing.get(lookup));
        let why = why.map_or("it was not asked", String::as_str);
        return Said::Objects(Objection {
            decision: asked.decision(asked.house.no_answer(lookup)),
            code: Code::LookupFailed,
            text: text::lookup_failed(),
            detail: Some(Phrase::Text(format!(
                "no answer from lookup.{lookup}: {why}"
            ))),
        });
    }
    match rule.require.holds(scope) {
        Ok(true) => Said::Fine(Phrase::Inputs(rule.require.inputs(scope))),
        Ok(false) => {
            let own = rule.reason.as_ref().and_then(|words| {
                let language = asked.booker().and_then(|booker| booker.language.as_deref());
                words.pick(language)?.render(scope).ok()
            });
            Said::Objects(Objection {
                decision: asked.decision(rule.effect),
                code: Code::Rule,
                text: own.unwrap_or_else(|| text::rule_not_met(&rule.name)),
                detail: Some(Phrase::Inputs(rule.require.inputs(scope))),
            })
        }
        Err(why) => Said::Objects(Objection {
            decision: Decision::Review,
            code: Code::RuleFailed,
            text: format!("the rule {} cannot be evaluated", rule.name),
            detail: Some(Phrase::Text(why)),
        }),
    }
}

/// The rule's name as a finding bears it.
pub(super) fn name(rule: &Rule) -> Phrase {
    Phrase::Shared(Arc::clone(&rule.name))
}
