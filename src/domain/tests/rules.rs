//! The operator's own rules among the others: their order, effects, reasons, failures, and what a
//! finding shows of them.

use std::collections::BTreeSet;

use super::evaluation_fixture::*;
use super::fixtures::*;
use crate::domain::booking::Answer;
use crate::domain::criteria::custom_rule::Rule;
use crate::domain::criteria::global_policy::LookupRequirement;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::decision::{Decision, ReasonCode};
use crate::domain::messages;
use crate::domain::refund_policy::OnReschedule;
use crate::domain::request::{ChargeState, OperatorDecision, OperatorReview};
use crate::domain::rule::expression::Expression;
use crate::domain::rule::localized_text::LocalizedText;
use crate::domain::rule::template::Template;
use crate::domain::snapshot::CountedBooking;
use crate::domain::time::Span;

fn rule(name: &str, require: &str, effect: OnViolation) -> Rule {
    let lookups = BTreeSet::from(["crm".to_owned()]);
    Rule {
        name: name.into(),
        require: Expression::compile(require, &lookups).expect(require),
        reason: None,
        on_violation: effect,
    }
}

fn localized_text(rows: &[(&str, &str)]) -> LocalizedText {
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

fn set_global_rules(case: &mut EvaluationCase, rules: Vec<Rule>) {
    case.global.rules = rules;
}

fn set_gate_rules(case: &mut EvaluationCase, rules: Vec<Rule>) {
    case.gate.criteria.rules = rules;
}

#[test]
fn a_rule_that_does_not_hold_has_the_effect_that_it_names() {
    let rows = [
        (OnViolation::Decline, DECLINE),
        (OnViolation::Review, Decision::Review),
        (OnViolation::Leave, Decision::Leave),
        (OnViolation::WAIT, wait_until(24 * 60)),
        (OnViolation::wait_for(Span::hours(2)), wait_until(120)),
    ];
    for (effect, decision) in rows {
        let change = |case: &mut EvaluationCase| {
            set_gate_rules(case, vec![rule("rich", "member.balance > 5", effect)])
        };
        let evaluation = check(change, decision, &[ReasonCode::RuleNotMet]);
        assert_eq!(
            messages::join_reasons(&evaluation.reasons),
            "This request does not meet a condition of the host (rich)."
        );
    }
    let holds = |case: &mut EvaluationCase| {
        set_gate_rules(
            case,
            vec![rule("rich", "member.balance == 5", OnViolation::Decline)],
        );
    };
    check(holds, Decision::Confirm, &[ReasonCode::EnoughCredit]);
}

/// Global rules come first, then the gate's, after every other criterion and before the credit.
#[test]
fn the_first_rule_decides_and_each_is_shown_with_what_it_looked_at() {
    let evaluation = evaluate_case(|case| {
        set_global_rules(
            case,
            vec![
                rule("one", "member.tier == \"gold\"", OnViolation::Review),
                rule(
                    "two",
                    "booking.length < duration(\"1h\")",
                    OnViolation::Decline,
                ),
            ],
        );
        set_gate_rules(
            case,
            vec![
                rule(
                    "three",
                    "member.balance > 7 && request.cost == 2",
                    OnViolation::Decline,
                ),
                rule("four", "booking.answers.pages > 3.0", OnViolation::Decline),
                rule("five", "request.occurrences == 2", OnViolation::Review),
            ],
        );
    });
    assert_eq!(evaluation.decision, Decision::Review);
    let codes: Vec<ReasonCode> = evaluation
        .reasons
        .iter()
        .map(|reason| reason.code)
        .collect();
    assert_eq!(
        codes,
        [
            ReasonCode::RuleNotMet,
            ReasonCode::RuleFailed,
            ReasonCode::RuleNotMet
        ]
    );
    let findings: Vec<String> = evaluation
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
    for effect in [OnViolation::Decline, OnViolation::Leave, OnViolation::WAIT] {
        for require in [
            "booking.answers.pages > 3.0",
            "1 / (request.cost - 2) > 0",
            "int(booking.title) > 3",
        ] {
            let change =
                |case: &mut EvaluationCase| set_gate_rules(case, vec![rule("r", require, effect)]);
            check(change, Decision::Review, &[ReasonCode::RuleFailed]);
        }
    }
}

#[test]
fn a_reason_is_told_in_the_language_of_the_booker() {
    let reason = localized_text(&[
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
        let change = |case: &mut EvaluationCase| {
            let booker = case.bookings[0].booker.as_mut().unwrap();
            booker.language = language.map(str::to_owned);
            let mut custom_rule = rule("never", "false", OnViolation::Decline);
            custom_rule.reason = Some(reason.clone());
            set_global_rules(case, vec![custom_rule]);
        };
        let evaluation = check(change, DECLINE, &[ReasonCode::RuleNotMet]);
        assert_eq!(
            messages::join_reasons(&evaluation.reasons),
            expect,
            "{language:?}"
        );
    }
    // The operator's own text for one of maitred's own reasons.
    let change = |case: &mut EvaluationCase| {
        case.global.reason_texts = vec![(
            ReasonCode::ShortOfCredit,
            localized_text(&[(
                "en",
                "{{ request.missing }} missing of {{ request.credits }}.",
            )]),
        )];
        case.account = Some(account("bo@example.com", 1));
    };
    let evaluation = check(change, DECLINE, &[ReasonCode::ShortOfCredit]);
    assert_eq!(
        messages::join_reasons(&evaluation.reasons),
        "1 missing of 2."
    );
    // If a template cannot be filled in, the booker gets the default text.
    let change = |case: &mut EvaluationCase| {
        let mut custom_rule = rule("never", "false", OnViolation::Decline);
        custom_rule.reason = Some(localized_text(&[("en", "{{ booking.answers.name }}")]));
        set_global_rules(case, vec![custom_rule]);
    };
    let evaluation = check(change, DECLINE, &[ReasonCode::RuleNotMet]);
    assert_eq!(
        messages::join_reasons(&evaluation.reasons),
        "This request does not meet a condition of the host (never)."
    );
}

#[test]
fn a_question_without_an_answer_is_met_as_configured() {
    let require_lookup = |case: &mut EvaluationCase, on_no_answer: OnViolation| {
        case.global.lookups = vec![LookupRequirement {
            name: "crm".to_owned(),
            on_no_answer,
        }];
        // `on_no_answer` decides, whatever the result of the rule without an answer would be.
        let either = "lookup.crm == \"active\" || true";
        set_gate_rules(case, vec![rule("active", either, OnViolation::Leave)]);
    };
    let rows = [
        (OnViolation::Review, Decision::Review),
        (OnViolation::Decline, DECLINE),
        (OnViolation::WAIT, wait_until(24 * 60)),
    ];
    for (no_answer, decision) in rows {
        let leave_unanswered = |case: &mut EvaluationCase| {
            require_lookup(case, no_answer);
            let failure = "took too long".to_owned();
            case.lookups.failures.insert("crm".to_owned(), failure);
        };
        let evaluation = check(leave_unanswered, decision, &[ReasonCode::LookupFailed]);
        let is_explained = evaluation.findings.iter().any(|finding| {
            finding.detail == "no answer from lookup.crm: took too long" && !finding.passed
        });
        assert!(is_explained);
        let skip_lookup = |case: &mut EvaluationCase| require_lookup(case, no_answer);
        check(skip_lookup, decision, &[ReasonCode::LookupFailed]);
        let answer_lookup = |case: &mut EvaluationCase| {
            require_lookup(case, no_answer);
            let answer = Answer::Text("gone".to_owned());
            case.lookups.answers.insert("crm".to_owned(), answer);
        };
        check(
            answer_lookup,
            Decision::Confirm,
            &[ReasonCode::EnoughCredit],
        );
    }
}

#[test]
fn rules_are_for_members_and_not_for_moves_that_carry() {
    let add_unmet_rule = |case: &mut EvaluationCase| {
        set_global_rules(case, vec![rule("never", "false", OnViolation::Review)])
    };
    let unknown = |case: &mut EvaluationCase| {
        add_unmet_rule(case);
        case.account = None;
    };
    check(unknown, DECLINE, &[ReasonCode::UnknownBooker]);
    for (on_reschedule, code) in [
        (OnReschedule::Carry, ReasonCode::ChargeCarried),
        (OnReschedule::Recheck, ReasonCode::RuleNotMet),
    ] {
        let evaluation = evaluate_case(|case| {
            add_unmet_rule(case);
            case.gate.terms.on_reschedule = on_reschedule;
            case.carried_charge = Some(charge("p", ChargeState::Open));
        });
        assert_eq!(evaluation.reasons[0].code, code);
    }
    let confirm_by_operator = |case: &mut EvaluationCase| {
        add_unmet_rule(case);
        case.review = Some(OperatorReview {
            decision: OperatorDecision::Confirm,
            reason: "I know her.".to_owned(),
            at: now(),
        });
    };
    check(
        confirm_by_operator,
        Decision::Confirm,
        &[ReasonCode::Operator],
    );
}

#[test]
fn rules_count_the_bookings_that_stand() {
    let counted_booking = |minutes: i64| CountedBooking {
        booking: uid("x"),
        start: at_minute(minutes),
        end: at_minute(minutes + 30),
        gate: None,
        is_confirmed: true,
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
        let change = |case: &mut EvaluationCase| {
            case.counted_bookings = vec![counted_booking(minutes)];
            set_gate_rules(case, vec![rule("r", require, OnViolation::Decline)]);
        };
        check(change, Decision::Confirm, &[ReasonCode::EnoughCredit]);
    }
}

/// No rule and no template can read the PIN.
#[test]
fn the_pin_is_hidden_from_rules_and_reasons() {
    use crate::domain::snapshot::PinResult;
    let evaluation = evaluate_case(|case| {
        let secret = Answer::Text("4711-secret".to_owned());
        let answers = &mut case.bookings[0].answers;
        answers.insert("member-pin".to_owned(), secret);
        case.gate.criteria.pin = Some("member-pin".to_owned());
        case.pin_result = Some(PinResult::Correct);
        let mut custom_rule = rule(
            "r",
            "booking.answers[\"member-pin\"] == \"x\" || size(booking.answers) > 9",
            OnViolation::Decline,
        );
        custom_rule.reason = Some(localized_text(&[("en", "{{ booking.answers }}")]));
        set_gate_rules(case, vec![custom_rule]);
    });
    assert_ne!(evaluation.decision, Decision::Confirm);
    assert!(
        !format!("{evaluation:?}").contains("4711"),
        "{evaluation:?}"
    );
}
