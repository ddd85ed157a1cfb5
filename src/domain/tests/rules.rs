//! The operator's own rules among the others: their order, effects, reasons, failures, and what a
//! finding shows of them.

use std::collections::BTreeSet;

use super::asked::*;
use super::make::*;
use crate::domain::booking::Answer;
use crate::domain::criteria::effect::Effect;
use crate::domain::criteria::house::Lookup;
use crate::domain::criteria::rule::Rule;
use crate::domain::decision::{Code, Decision};
use crate::domain::request::{ChargeState, Review, Verdict};
use crate::domain::rule::expression::Expression;
use crate::domain::rule::localized_text::LocalizedText;
use crate::domain::rule::template::Template;
use crate::domain::snapshot::Standing;
use crate::domain::terms::OnReschedule;
use crate::domain::text;
use crate::domain::time::Span;

fn rule(name: &str, require: &str, effect: Effect) -> Rule {
    let lookups = BTreeSet::from(["crm".to_owned()]);
    Rule {
        name: name.into(),
        require: Expression::compile(require, &lookups).expect(require),
        reason: None,
        effect,
    }
}

fn words(rows: &[(&str, &str)]) -> LocalizedText {
    LocalizedText {
        by_language: rows
            .iter()
            .map(|(language, text)| {
                let template = Template::compile(text).expect("a template");
                ((*language).to_owned(), template)
            })
            .collect(),
    }
}

fn of_house(case: &mut Case, rules: Vec<Rule>) {
    case.house.rules = rules;
}

fn of_gate(case: &mut Case, rules: Vec<Rule>) {
    case.gate.criteria.rules = rules;
}

#[test]
fn a_rule_that_does_not_hold_has_the_effect_that_it_names() {
    let rows = [
        (Effect::Decline, DECLINE),
        (Effect::Review, Decision::Review),
        (Effect::Leave, Decision::Leave),
        (Effect::WAIT, wait(24 * 60)),
        (Effect::wait(Span::hours(2)), wait(120)),
    ];
    for (effect, decision) in rows {
        let change =
            |case: &mut Case| of_gate(case, vec![rule("rich", "member.balance > 5", effect)]);
        let judged = check(change, decision, &[Code::Rule]);
        assert_eq!(
            text::joined(&judged.reasons),
            "This request does not meet a condition of the house (rich)."
        );
    }
    let holds = |case: &mut Case| {
        of_gate(
            case,
            vec![rule("rich", "member.balance == 5", Effect::Decline)],
        );
    };
    check(holds, Decision::Confirm, &[Code::Enough]);
}

/// The house's rules first, then the gate's, behind every other criterion and before the credit.
#[test]
fn the_first_rule_decides_and_each_is_shown_with_what_it_looked_at() {
    let judged = judged(|case| {
        of_house(
            case,
            vec![
                rule("one", "member.tier == \"gold\"", Effect::Review),
                rule("two", "booking.length < duration(\"1h\")", Effect::Decline),
            ],
        );
        of_gate(
            case,
            vec![
                rule(
                    "three",
                    "member.balance > 7 && request.cost == 2",
                    Effect::Decline,
                ),
                rule("four", "booking.answers.pages > 3.0", Effect::Decline),
                rule("five", "request.occurrences == 2", Effect::Review),
            ],
        );
    });
    assert_eq!(judged.decision, Decision::Review);
    let codes: Vec<Code> = judged.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!(codes, [Code::Rule, Code::RuleFailed, Code::Rule]);
    let findings: Vec<String> = judged
        .findings
        .iter()
        .skip(4)
        .map(|finding| format!("{} {} {}", finding.rule, finding.passed, finding.detail))
        .collect();
    assert_eq!(
        findings,
        [
            "time-free true no accepted booking overlaps",
            "one false member.tier = \"\"",
            "two true booking.length = 30m",
            "three false member.balance = 5, request.cost = 2",
            "four false there is no \"pages\"; the question pages has no answer: ask \
             has(booking.answers.pages) before",
            "five false request.occurrences = 1",
            "credit true cost 2, available 5",
        ]
    );
}

#[test]
fn a_rule_that_cannot_be_evaluated_never_confirms() {
    for effect in [Effect::Decline, Effect::Leave, Effect::WAIT] {
        for require in [
            "booking.answers.pages > 3.0",
            "1 / (request.cost - 2) > 0",
            "int(booking.title) > 3",
        ] {
            let change = |case: &mut Case| of_gate(case, vec![rule("r", require, effect)]);
            check(change, Decision::Review, &[Code::RuleFailed]);
        }
    }
}

#[test]
fn a_reason_is_told_in_the_language_of_the_booker() {
    let own = words(&[
        (
            "en",
            "You are {{ request.missing }} short, {{ booker.address }}.",
        ),
        ("de", "Ihnen fehlen {{ request.missing }}."),
    ]);
    let rows = [
        (None, "You are 0 short, bo@example.com."),
        (Some("de"), "Ihnen fehlen 0."),
        (Some("de-AT"), "Ihnen fehlen 0."),
        (Some("fr"), "You are 0 short, bo@example.com."),
    ];
    for (language, expect) in rows {
        let change = |case: &mut Case| {
            let booker = case.bookings[0].booker.as_mut().unwrap();
            booker.language = language.map(str::to_owned);
            let mut one = rule("never", "false", Effect::Decline);
            one.reason = Some(own.clone());
            of_house(case, vec![one]);
        };
        let judged = check(change, DECLINE, &[Code::Rule]);
        assert_eq!(text::joined(&judged.reasons), expect, "{language:?}");
    }
    // The house's own words for what maitred itself says.
    let change = |case: &mut Case| {
        case.house.reasons = vec![(
            Code::ShortOfCredit,
            words(&[(
                "en",
                "{{ request.missing }} missing of {{ request.credits }}.",
            )]),
        )];
        case.account = Some(account("bo@example.com", 1));
    };
    let judged = check(change, DECLINE, &[Code::ShortOfCredit]);
    assert_eq!(text::joined(&judged.reasons), "1 missing of 2.");
    // A template that cannot be filled leaves the general text.
    let change = |case: &mut Case| {
        let mut one = rule("never", "false", Effect::Decline);
        one.reason = Some(words(&[("en", "{{ booking.answers.name }}")]));
        of_house(case, vec![one]);
    };
    let judged = check(change, DECLINE, &[Code::Rule]);
    assert_eq!(
        text::joined(&judged.reasons),
        "This request does not meet a condition of the house (never)."
    );
}

#[test]
fn a_question_without_an_answer_is_met_as_configured() {
    let asks = |case: &mut Case, no_answer: Effect| {
        case.house.lookups = vec![Lookup {
            name: "crm".to_owned(),
            no_answer,
        }];
        // Whatever the rule would make of nothing.
        let either = "lookup.crm == \"active\" || true";
        of_gate(case, vec![rule("active", either, Effect::Leave)]);
    };
    let rows = [
        (Effect::Review, Decision::Review),
        (Effect::Decline, DECLINE),
        (Effect::WAIT, wait(24 * 60)),
    ];
    for (no_answer, decision) in rows {
        let silent = |case: &mut Case| {
            asks(case, no_answer);
            let why = "took too long".to_owned();
            case.lookups.missing.insert("crm".to_owned(), why);
        };
        let judged = check(silent, decision, &[Code::LookupFailed]);
        let told = judged.findings.iter().any(|finding| {
            finding.detail == "no answer from lookup.crm: took too long" && !finding.passed
        });
        assert!(told);
        let unasked = |case: &mut Case| asks(case, no_answer);
        check(unasked, decision, &[Code::LookupFailed]);
        let answered = |case: &mut Case| {
            asks(case, no_answer);
            let answer = Answer::Text("gone".to_owned());
            case.lookups.answers.insert("crm".to_owned(), answer);
        };
        check(answered, Decision::Confirm, &[Code::Enough]);
    }
}

#[test]
fn rules_are_for_members_and_not_for_moves_that_carry() {
    let never = |case: &mut Case| of_house(case, vec![rule("never", "false", Effect::Review)]);
    let unknown = |case: &mut Case| {
        never(case);
        case.account = None;
    };
    check(unknown, DECLINE, &[Code::UnknownBooker]);
    for (how, code) in [
        (OnReschedule::Carry, Code::Carried),
        (OnReschedule::Recheck, Code::Rule),
    ] {
        let judged = judged(|case| {
            never(case);
            case.gate.terms.on_reschedule = how;
            case.carried = Some(charge("p", ChargeState::Open));
        });
        assert_eq!(judged.reasons[0].code, code);
    }
    let word = |case: &mut Case| {
        never(case);
        case.review = Some(Review {
            verdict: Verdict::Confirm,
            reason: "I know her.".to_owned(),
            at: now(),
        });
    };
    check(word, Decision::Confirm, &[Code::Operator]);
}

#[test]
fn rules_count_the_bookings_that_stand() {
    let standing = |minutes: i64| Standing {
        booking: uid("x"),
        start: at(minutes),
        end: at(minutes + 30),
        gate: None,
        settled: true,
    };
    // The booking starts on a Saturday, in 24 h.
    let day = 24 * 60;
    let rows = [
        (
            "member.day == 1 && member.week == 1 && member.month == 1",
            day + 60,
        ),
        ("member.day == 0 && member.week == 1", 2 * day),
        ("member.week == 0 && member.month == 1", 3 * day),
        ("member.month == 0 && member.upcoming == 1", 40 * day),
        ("member.upcoming == 0 && member.month == 1", -day),
    ];
    for (require, minutes) in rows {
        let change = |case: &mut Case| {
            case.standing = vec![standing(minutes)];
            of_gate(case, vec![rule("r", require, Effect::Decline)]);
        };
        check(change, Decision::Confirm, &[Code::Enough]);
    }
}

/// The PIN is nobody's to see, whatever a rule or a template asks for.
#[test]
fn the_pin_is_hidden_from_rules_and_reasons() {
    use crate::domain::snapshot::Pin;
    let judged = judged(|case| {
        let secret = Answer::Text("4711-secret".to_owned());
        let answers = &mut case.bookings[0].answers;
        answers.insert("member-pin".to_owned(), secret);
        case.gate.criteria.pin = Some("member-pin".to_owned());
        case.pin = Some(Pin::Right);
        let mut one = rule(
            "r",
            "booking.answers[\"member-pin\"] == \"x\" || size(booking.answers) > 9",
            Effect::Decline,
        );
        one.reason = Some(words(&[("en", "{{ booking.answers }}")]));
        of_gate(case, vec![one]);
    });
    assert_ne!(judged.decision, Decision::Confirm);
    assert!(!format!("{judged:?}").contains("4711"), "{judged:?}");
}
