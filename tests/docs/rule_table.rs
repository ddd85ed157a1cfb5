//! The table of rules in the documentation is made from the table of rules in the code.

use std::fs;
use std::path::Path;

use maitred::domain::criteria::on_violation::OnViolation;
use maitred::domain::evaluation::built_in_rule::{
    BuiltInRule, Overridable, RuleEffect, RuleSwitch,
};
use maitred::domain::evaluation::rules::RULES;

/// The page whose table is made from the table of rules, between these marks.
const PAGE: &str = "docs/rules.md";
const BEGIN: &str = "<!-- table of rules: made from src/domain/evaluation/rules.rs -->\n";
const END: &str = "<!-- end of the table of rules -->\n";

/// With this variable in the environment, the table on the page is written again.
const WRITE_VARIABLE: &str = "MAITRED_WRITE_DOCS";

fn effect_word(effect: OnViolation) -> &'static str {
    match effect {
        OnViolation::Decline => "decline",
        OnViolation::Wait(_) => "wait",
        OnViolation::Review => "review",
        OnViolation::Leave => "leave",
    }
}

fn effect_cell(rule: &BuiltInRule) -> String {
    let effect = match rule.effect {
        RuleEffect::Fixed(effect) => effect_word(effect).to_owned(),
        RuleEffect::Key { key, default, .. } => format!("`{key}` ({})", effect_word(default)),
        RuleEffect::OfEachRule { default } => {
            format!("the rule's `effect` ({})", effect_word(default))
        }
    };
    match rule.exception {
        Some(exception) => format!("{effect}; {exception}"),
        None => effect,
    }
}

fn code_list<T: ToString>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<String> = items
        .map(|item| format!("`{}`", item.to_string()))
        .collect();
    items.join(", ")
}

fn table_row(rule: &BuiltInRule) -> String {
    let name = if rule.is_place_of_own_rules() {
        rule.name.to_owned()
    } else {
        format!("`{}`", rule.name)
    };
    let keys = match rule.switch {
        RuleSwitch::AlwaysOn => "always".to_owned(),
        RuleSwitch::Keys { keys, .. } => code_list(keys.iter()),
    };
    let overridable = match rule.overridable {
        Overridable::No => "no",
        Overridable::ByOperator => "yes",
    };
    let cells = [
        name,
        rule.fails_when.to_owned(),
        effect_cell(rule),
        keys,
        code_list(rule.reasons.iter().map(|reason| reason.code)),
        overridable.to_owned(),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn table() -> String {
    let head = "\n| Rule | Fails when | Then (default) | Applies with | Reasons | An operator can override it |\n\
                | --- | --- | --- | --- | --- | --- |\n";
    let rows: String = RULES.iter().map(table_row).collect();
    format!("{head}{rows}\n")
}

#[test]
fn the_page_has_the_table_of_rules() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let text = fs::read_to_string(&path).expect("the page is there");
    let (before, rest) = text.split_once(BEGIN).expect("the page has the first mark");
    let (shown, after) = rest.split_once(END).expect("the page has the second mark");
    let table = table();
    if std::env::var_os(WRITE_VARIABLE).is_some() {
        let text = format!("{before}{BEGIN}{table}{END}{after}");
        fs::write(&path, text).expect("the page can be written");
        return;
    }
    assert!(
        shown == table,
        "run {WRITE_VARIABLE}=1 cargo test --test docs rule_table, and look at the difference"
    );
}
