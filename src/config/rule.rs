//! The operator's own rules: `[[rule]]` for all gates, `[[gate.rule]]` for one.

use std::collections::BTreeSet;

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::Decisions;
use super::key::KeyValue::{Default, Example, Required};
use super::key::{KeyRow, ReadContext, Section, Setting};
use super::on_violation::EFFECT;
use super::reader::toml_value::TomlValue;
use super::value_type::{FieldAt, Optional, SpecialType};
use super::{compile, localized_text, value};
use crate::domain::criteria::custom_rule::Rule;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::evaluation::rules;
use crate::domain::rule::expression::Expression;
use crate::domain::rule::localized_text::LocalizedText;

/// The most rules for all gates, and for each gate. A pass evaluates all of them for every request.
const MAX_RULES: usize = 50;

/// A rule while its keys are read.
pub(super) struct RuleDraft {
    name: Option<String>,
    require: Option<Expression>,
    reason: Option<LocalizedText>,
    on_violation: OnViolation,
}

const NAME: SpecialType<String> = SpecialType {
    description: "a name of up to 64 bytes",
    read: read_name,
    to_json: |name| name.as_str().into(),
};

const EXPRESSION: SpecialType<Expression> = SpecialType {
    description: "an expression",
    read: |item, context, report| {
        let lookups = context.global.lookups.iter();
        let lookups: BTreeSet<String> = lookups.map(|lookup| lookup.name.clone()).collect();
        compile::compile_expression(item, &lookups, report)
    },
    to_json: |expression| expression.text().into(),
};

/// The rules for all gates.
pub(super) const SECTION: Section<RuleDraft> = Section {
    path: "rule[]",
    doc: "A rule of your own for all gates. These rules come before those of the gate, in this \
        order.",
    keys: &[&[
        KeyRow {
            name: "name",
            value: Required("\"in-good-standing\""),
            affects: Decisions,
            doc: "The name in findings. Rules that apply to the same request have different names.",
            field: &FieldAt(|rule: &mut RuleDraft| &mut rule.name, Optional(NAME)),
        },
        KeyRow {
            name: "require",
            value: Required("'!(\"suspended\" in member.tags)'"),
            affects: Decisions,
            doc: "The condition: an expression (see docs/rules.md). maitred checks it when it \
                reads the file. A rule that cannot be evaluated never confirms a request: the \
                request is left for review.",
            field: &FieldAt(
                |rule: &mut RuleDraft| &mut rule.require,
                Optional(EXPRESSION),
            ),
        },
        KeyRow {
            name: "reason",
            value: Example("\"Your membership is suspended. Please write to us.\""),
            affects: Decisions,
            doc: "What the booker reads when the condition is not met: a text, in which {{ }} \
                inserts values, or texts by language: { en = \"…\", de = \"…\" }. For other \
                languages the first one is used. Left out: that the request does not meet the \
                condition of this name.",
            field: &FieldAt(
                |rule: &mut RuleDraft| &mut rule.reason,
                Optional(localized_text::TEXT),
            ),
        },
        KeyRow {
            name: "effect",
            value: Default("\"decline\""),
            affects: Decisions,
            doc: "What then happens to the request: \"decline\"; \"review\" (an operator decides, \
                see `maitred review`); \"leave\" (it stays pending); \"wait\" (until the condition \
                is met, at the latest until the booking starts; then it is declined); \
                { wait = \"24h\" } (that long, at most 365 days); { wait-until = \"2h\" } (until \
                that long before the start); of both together the earlier counts.",
            field: &FieldAt(|rule: &mut RuleDraft| &mut rule.on_violation, EFFECT),
        },
    ]],
    renamed: &[],
    complete: |_, _, _, _| {},
};

/// The rules of one gate. They have the keys of [`SECTION`]; the examples differ.
pub(super) const OF_GATE: Section<RuleDraft> = Section {
    path: "gate[].rule[]",
    doc: "A rule for this gate alone; all keys as for [[rule]].",
    keys: SECTION.keys,
    renamed: &[],
    complete: |_, _, _, _| {},
};

/// The examples of a rule for one gate.
pub(super) const GATE_EXAMPLES: [(&str, &str); 4] = [
    ("name", "\"a-day-ahead\""),
    (
        "require",
        "'member.tier == \"gold\" || booking.notice >= duration(\"24h\")'",
    ),
    (
        "reason",
        "{ en = \"Please ask a day ahead.\", de = \"Bitte einen Tag vorher anfragen.\" }",
    ),
    ("effect", "\"decline\""),
];

/// Reads the rules of one list. The global rules and the lookups have been read before.
pub(super) fn read_list(
    list: &TomlValue<'_>,
    section: &Section<RuleDraft>,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut names: Vec<(String, String)> = Vec::new();
    for mut table in list.sections(&section.header(), MAX_RULES, report) {
        let context = ReadContext {
            earlier_names: &names,
            ..*context
        };
        let mut draft = RuleDraft {
            name: None,
            require: None,
            reason: None,
            on_violation: OnViolation::Decline,
        };
        section.set_defaults(&mut draft, &context);
        section.match_names(&mut table, &[], report);
        section.read(&mut table, &mut draft, &context, report);
        if let Some(name) = &draft.name {
            names.push((name.clone(), format!("{}.name", table.path())));
        }
        table.report_unknown_keys(report);
        if let (Some(name), Some(require)) = (draft.name, draft.require) {
            rules.push(Rule {
                name,
                require,
                reason: draft.reason,
                on_violation: draft.on_violation,
            });
        }
    }
    rules
}

/// Returns the keys of the rules. `path` is that of their list.
pub(super) fn settings(path: &str, rules: &[Rule]) -> Vec<Setting> {
    let settings_of = |(number, rule): (usize, &Rule)| {
        let mut draft = RuleDraft {
            name: Some(rule.name.clone()),
            require: Some(rule.require.clone()),
            reason: rule.reason.clone(),
            on_violation: rule.on_violation,
        };
        SECTION.settings(&format!("{path}[{number}]"), &mut draft)
    };
    rules.iter().enumerate().flat_map(settings_of).collect()
}

/// Reads a name, and refuses that of another rule that is evaluated together with this one.
fn read_name(
    item: &TomlValue<'_>,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let name = value::read_name(item, "gold-only", report)?;
    let mut earlier = context.earlier_names.iter();
    let other = if rules::is_built_in_name(&name) {
        Some("one of maitred's own rules")
    } else if context.global.rules.iter().any(|rule| rule.name == name) {
        Some("a [[rule]] for all gates")
    } else {
        let same_name = earlier.find(|(known, _)| *known == name);
        same_name.map(|(_, path)| path.as_str())
    };
    if let Some(other) = other {
        let problem = format!("the name {} is that of {other}", report.show(&name));
        let help = "give each rule a name of its own: findings are identified by it";
        report.error(&item.path, problem, help);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use crate::config::parse::parse;
    use crate::domain::criteria::on_violation::OnViolation;
    use crate::domain::evaluation::built_in_rule::{RuleEffect, RuleSwitch};
    use crate::domain::evaluation::rules::{RULES, built_in_names};
    use crate::domain::gate::Policy;

    const GATE: &str = "[[gate]]\nname = 'club'\nevent-types = ['book-club']\n";

    /// Returns the policy of a configuration with one gate and this key of the table of rules.
    fn policy_with(key: &str, value: &str) -> Policy {
        let rule = "name = 'early'\nrequire = 'booking.notice > duration(\"1h\")'\n";
        let text = match key.split_once('.') {
            Some(("global", key)) => format!("[global]\n{key} = {value}\n{GATE}"),
            Some(("gate", "rule")) => format!("{GATE}[[gate.rule]]\n{rule}"),
            Some(("gate", key)) => format!("{GATE}{key} = {value}\n"),
            None if key == "cap" => format!("{GATE}{value}"),
            Some(_) | None => format!("[[rule]]\n{rule}{GATE}"),
        };
        let loaded = parse(&text, "config.toml");
        loaded
            .unwrap_or_else(|error| panic!("{key}: {error:?}"))
            .config
            .policy
    }

    /// Returns a value that switches a rule on. A new key needs a value here.
    fn example(key: &str, rule: &str) -> &'static str {
        match key.rsplit('.').next() {
            Some("block" | "allow") => "['@example.com']",
            Some("requests-per-day") => "3",
            Some("pin") => "'member-pin'",
            Some("notice") => "{ at-least = '1h' }",
            Some("hours") => "[{ weekdays = ['mon-fri'] }]",
            Some("caps") => "[{ at-most = 1, per = 'day' }]",
            Some("rule") => "",
            Some("cap") if rule == "host-caps" => {
                "[[cap]]\nname = 'calm'\nat-most = 1\nper = 'day'\neach = 'host'\n"
            }
            Some("cap") => "[[cap]]\nname = 'few'\nat-most = 1\nper = 'day'\n",
            Some("cost") => "{ per-guest = 1 }",
            Some("prices") => "[{ cost = { cel = '1 + size(booking.guests)' } }]",
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
                let policy = policy_with(key, example(key, rule.name));
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
