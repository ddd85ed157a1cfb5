//! Reads the operator's own rules: `[[rule]]` for all gates, `[[gate.rule]]` for one.

use std::collections::BTreeSet;

use super::diagnostic_collector::DiagnosticCollector;
use super::reader::{TomlTable, TomlValue};
use super::{compile, localized_text, on_violation, value};
use crate::domain::criteria::custom_rule::Rule;
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::criteria::on_violation::OnViolation;

/// The most rules for all gates, and for each gate. A pass evaluates all of them for every request.
const MAX_RULES: usize = 50;

/// The names of maitred's own rules in findings; `evaluation` gives them these names. They are in
/// order: the operator's rules come before the last one.
pub const BUILT_IN_RULES: [&str; 15] = [
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

/// Reads the rules of one list. The global rules and the lookups have been read before.
pub(super) fn read(
    list: &TomlValue<'_>,
    header: &str,
    global_policy: &GlobalPolicy,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<Rule> {
    let lookups = global_policy
        .lookups
        .iter()
        .map(|lookup| lookup.name.clone());
    let lookups = lookups.collect();
    let mut rules: Vec<Rule> = Vec::new();
    let mut names: Vec<(String, String)> = Vec::new();
    for table in list.sections(header, MAX_RULES, report) {
        let others = (&global_policy.rules[..], &mut names);
        rules.extend(read_rule(table, others, &lookups, report));
    }
    rules
}

fn read_rule(
    mut table: TomlTable<'_>,
    (global_rules, names): (&[Rule], &mut Vec<(String, String)>),
    lookups: &BTreeSet<String>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Rule> {
    let name = table.get_required("name", "\"gold-only\"", report);
    let require = table.get_required("require", "'member.tier == \"gold\"'", report);
    let reason = table.get("reason", report);
    let mut outcome = OnViolation::Decline;
    on_violation::read_effect_key(&mut table, "effect", &mut outcome, report);
    let name = name.and_then(|item| self::read_name(&item, global_rules, names, report));
    let require = require.and_then(|item| compile::compile_expression(&item, lookups, report));
    let reason = reason.and_then(|item| localized_text::read(&item, report));
    table.report_unknown_keys(report);
    Some(Rule {
        name: name?,
        require: require?,
        reason,
        on_violation: outcome,
    })
}

/// Reads a name, and refuses that of another rule that is evaluated together with this one.
fn read_name(
    item: &TomlValue<'_>,
    global_rules: &[Rule],
    names: &mut Vec<(String, String)>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let name = value::read_name(item, "gold-only", report)?;
    let same_name = names.iter().find(|(known, _)| *known == name);
    let other = if BUILT_IN_RULES.contains(&name.as_str()) {
        Some("one of maitred's own rules")
    } else if global_rules.iter().any(|rule| rule.name == name) {
        Some("a [[rule]] for all gates")
    } else {
        same_name.map(|(_, path)| path.as_str())
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
    use super::BUILT_IN_RULES;

    /// The source that gives the rules their names.
    const EVALUATION_SOURCE: &str = include_str!("../domain/evaluation.rs");

    #[test]
    fn every_built_in_rule_name_is_reserved() {
        let mut names_in_source: Vec<&str> = [
            "collector.add_mandatory(\"",
            "collector.add_overridable(rules_apply, \"",
        ]
        .iter()
        .flat_map(|call| EVALUATION_SOURCE.split(call).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .collect();
        names_in_source.sort_unstable();
        let mut reserved = BUILT_IN_RULES.to_vec();
        reserved.sort_unstable();
        assert_eq!(names_in_source, reserved);
    }
}
