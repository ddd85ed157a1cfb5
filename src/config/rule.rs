//! Reads the operator's own rules: `[[rule]]` for all gates, `[[gate.rule]]` for one.

use std::collections::BTreeSet;

use super::diagnostic_collector::DiagnosticCollector;
use super::reader::{TomlTable, TomlValue};
use super::{compile, localized_text, on_violation, value};
use crate::domain::criteria::custom_rule::Rule;
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::evaluation::rules;

/// The most rules for all gates, and for each gate. A pass evaluates all of them for every request.
const MAX_RULES: usize = 50;

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
    let other = if rules::is_built_in_name(&name) {
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
    use crate::config::parse::parse;
    use crate::domain::criteria::on_violation::OnViolation;
    use crate::domain::evaluation::built_in_rule::{RuleEffect, RuleSwitch};
    use crate::domain::evaluation::rules::{RULES, built_in_names};
    use crate::domain::gate::Policy;

    const GATE: &str = "[[gate]]\nname = 'club'\nevent-types = ['book-club']\ncost = 1\n";

    /// Returns the policy of a configuration with one gate and this key of the table of rules.
    fn policy_with(key: &str, value: &str) -> Policy {
        let rule = "name = 'early'\nrequire = 'booking.notice > duration(\"1h\")'\n";
        let text = match key.split_once('.') {
            Some(("global", key)) => format!("[global]\n{key} = {value}\n{GATE}"),
            Some(("gate", "rule")) => format!("{GATE}[[gate.rule]]\n{rule}"),
            Some(("gate", key)) => format!("{GATE}{key} = {value}\n"),
            Some(_) | None => format!("[[rule]]\n{rule}{GATE}"),
        };
        let loaded = parse(&text, "config.toml");
        loaded
            .unwrap_or_else(|error| panic!("{key}: {error:?}"))
            .config
            .policy
    }

    /// Returns a value that switches a rule on. A new key needs a value here.
    fn example(key: &str) -> &'static str {
        match key.rsplit('.').next() {
            Some("block" | "allow") => "['@example.com']",
            Some("requests-per-day") => "3",
            Some("pin") => "'member-pin'",
            Some("notice") => "{ at-least = '1h' }",
            Some("hours") => "[{ weekdays = ['mon-fri'] }]",
            Some("caps") => "[{ at-most = 1, per = 'day' }]",
            Some("rule") => "",
            Some(_) | None => panic!("there is no example of {key}"),
        }
    }

    #[test]
    fn the_table_of_rules_has_the_keys_of_the_configuration() {
        let plain = parse(GATE, "config.toml")
            .expect("it is right")
            .config
            .policy;
        for rule in RULES {
            let RuleSwitch::Keys { keys, .. } = rule.switch else {
                continue;
            };
            for key in keys {
                let policy = policy_with(key, example(key));
                assert!(rule.is_on(&policy.global, &policy.gates[0]), "{key}");
            }
            assert!(!rule.is_on(&plain.global, &plain.gates[0]), "{}", rule.name);
        }
    }

    #[test]
    fn the_table_of_rules_has_the_effects_of_a_gate_and_their_defaults() {
        for rule in RULES {
            let RuleEffect::Key { key, default, .. } = rule.effect else {
                continue;
            };
            let plain = parse(GATE, "config.toml")
                .expect("it is right")
                .config
                .policy;
            assert_eq!(rule.effect.of_gate(&plain.gates[0]), default, "{key}");
            let policy = policy_with(&format!("gate.{key}"), "'leave'");
            let effect = rule.effect.of_gate(&policy.gates[0]);
            assert_eq!(effect, OnViolation::Leave, "{key}");
        }
    }

    #[test]
    fn every_built_in_rule_name_is_reserved() {
        for name in built_in_names() {
            let rule = format!("[[rule]]\nname = '{name}'\nrequire = 'true'\n{GATE}");
            let error = format!("{:?}", parse(&rule, "config.toml").expect_err(name));
            assert!(error.contains("one of maitred's own rules"), "{error}");
        }
    }
}
