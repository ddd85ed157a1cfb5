//! Rules in the operator's own terms: `[[rule]]` for all gates, `[[gate.rule]]` for one.

use std::collections::BTreeSet;

use super::reader::{Item, Table};
use super::report::Report;
use super::{compile, effect, value, words};
use crate::domain::criteria::effect::Effect;
use crate::domain::criteria::house::House;
use crate::domain::criteria::rule::Rule;

/// Rules that the house may have, and each gate: a pass evaluates all of them for every request.
const MAX_RULES: usize = 50;

/// What maitred's own rules are called in findings; `judge` gives them these names. In their order:
/// those of the operator come before the last.
pub const OWN: [&str; 15] = [
    "pending",
    "free-of-charge",
    "booker",
    "not-blocked",
    "allowed",
    "requests-per-day",
    "member",
    "not-begun",
    "not-frozen",
    "pin",
    "notice",
    "hours",
    "time-free",
    "caps",
    "credit",
];

/// The rules of one list. Those of the house are known by then, and its lookups.
pub(super) fn read(
    list: &Item<'_>,
    header: &str,
    house: &House,
    report: &mut Report<'_>,
) -> Vec<Rule> {
    let lookups = house.lookups.iter().map(|lookup| lookup.name.clone());
    let lookups = lookups.collect();
    let mut rules: Vec<Rule> = Vec::new();
    let mut names: Vec<(String, String)> = Vec::new();
    for table in list.sections(header, MAX_RULES, report) {
        let others = (&house.rules[..], &mut names);
        rules.extend(one(table, others, &lookups, report));
    }
    rules
}

fn one(
    mut table: Table<'_>,
    (house, names): (&[Rule], &mut Vec<(String, String)>),
    lookups: &BTreeSet<String>,
    report: &mut Report<'_>,
) -> Option<Rule> {
    let name = table.need("name", "\"gold-only\"", report);
    let require = table.need("require", "'member.tier == \"gold\"'", report);
    let reason = table.get("reason", report);
    let mut outcome = Effect::Decline;
    effect::get(&mut table, "effect", &mut outcome, report);
    let name = name.and_then(|item| self::name(&item, house, names, report));
    let require = require.and_then(|item| compile::expression(&item, lookups, report));
    let reason = reason.and_then(|item| words::read(&item, report));
    table.close(report);
    Some(Rule {
        name: name?,
        require: require?,
        reason,
        effect: outcome,
    })
}

/// A name that no other rule has that is looked at with this one.
fn name(
    item: &Item<'_>,
    house: &[Rule],
    names: &mut Vec<(String, String)>,
    report: &mut Report<'_>,
) -> Option<String> {
    let name = value::name(item, "gold-only", report)?;
    let known = names.iter().find(|(known, _)| *known == name);
    let other = if OWN.contains(&name.as_str()) {
        Some("one of maitred's own rules")
    } else if house.iter().any(|rule| rule.name == name) {
        Some("a [[rule]] for all gates")
    } else {
        known.map(|(_, path)| path.as_str())
    };
    if let Some(other) = other {
        let problem = format!("the name {} is that of {other}", report.show(&name));
        let help = "give each rule a name of its own: findings are told apart by it";
        report.error(&item.path, problem, help);
    }
    names.push((name.clone(), item.path.clone()));
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::OWN;

    /// Where the names are given.
    const JUDGE: &str = include_str!("../domain/judge.rs");

    #[test]
    fn every_name_that_judging_gives_is_taken() {
        let mut given: Vec<&str> = ["heard.hard(\"", "heard.house(on, \""]
            .iter()
            .flat_map(|call| JUDGE.split(call).skip(1))
            .filter_map(|rest| rest.split('"').next())
            .collect();
        given.sort_unstable();
        let mut taken = OWN.to_vec();
        taken.sort_unstable();
        assert_eq!(given, taken);
    }
}
