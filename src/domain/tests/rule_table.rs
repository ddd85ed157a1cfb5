//! The table of rules: its names and its reasons.

use std::collections::BTreeSet;

use crate::domain::decision::ReasonCode;
use crate::domain::evaluation::rules::RULES;

#[test]
fn names_and_reasons_belong_to_one_rule_each() {
    let names: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len());
    let codes: Vec<ReasonCode> = { RULES.iter().flat_map(|rule| rule.reasons) }
        .map(|reason| reason.code)
        .collect();
    let different: BTreeSet<ReasonCode> = codes.iter().copied().collect();
    assert_eq!(different.len(), codes.len());
}

#[test]
fn the_operators_own_rules_have_one_place() {
    let places = RULES.iter().filter(|rule| rule.is_place_of_own_rules());
    assert_eq!(places.count(), 1);
}
