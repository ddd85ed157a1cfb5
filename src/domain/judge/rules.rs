//! The operator's own rules, as expressions. One that cannot be evaluated never confirms.

use std::sync::Arc;

use super::{Asked, Objection};
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
            decision: asked.decision(asked.house.no_answer(lookup)),
            code: Code::LookupFailed,
            text: text::lookup_failed(),
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
                decision: asked.decision(rule.effect),
                code: Code::Rule,
                text: own.unwrap_or_else(|| text::rule_not_met(&rule.name)),
            })
        }
        Err(why) => {
            room.failed(&why);
            Some(Objection {
                decision: Decision::Review,
                code: Code::RuleFailed,
                text: format!("the rule {} cannot be evaluated", rule.name),
            })
        }
    }
}
