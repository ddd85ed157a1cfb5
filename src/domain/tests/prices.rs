//! Prices that are determined for each booking: by its guests, by an expression, or by the answer of
//! another system.

use std::collections::{BTreeMap, BTreeSet};

use super::evaluation_fixture::*;
use super::fixtures::*;
use crate::domain::booking::{Answer, Booking, BookingStatus};
use crate::domain::criteria::custom_rule::Rule;
use crate::domain::criteria::global_policy::LookupRequirement;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::criteria::price::{Cost, Price};
use crate::domain::criteria::time_window::TimeWindow;
use crate::domain::decision::{Credits, Decision, MAX_CREDITS, ReasonCode};
use crate::domain::gate::{Gate, PriceInput};
use crate::domain::request::{ChargeState, OperatorDecision, OperatorReview};
use crate::domain::rule::expression::Expression;
use crate::domain::watch::{ChainEnd, ChargeCase, ChargeDecision, watch_charge};

const UNKNOWN: [ReasonCode; 1] = [ReasonCode::PriceUnknown];

fn lookups() -> BTreeSet<String> {
    ["prices".to_owned()].into()
}

fn cel(text: &str) -> Cost {
    Cost::Expression(Expression::compile_price(text, &lookups()).expect(text))
}

/// Returns the cost that the lookup `prices` answers, as the configuration reads it.
fn answered(field: Option<&str>) -> Cost {
    let text = match field {
        Some(field) => format!("lookup[\"prices\"][\"{field}\"]"),
        None => "lookup[\"prices\"]".to_owned(),
    };
    Cost::Lookup {
        lookup: "prices".to_owned(),
        field: field.map(str::to_owned),
        number: Expression::compile_price(&text, &lookups()).expect("it is right"),
    }
}

fn with_guests(name: &str, count: usize) -> Booking {
    modify(booking(name), |booking| {
        let guests = (0..count).map(|n| address(&format!("g{n}@example.com")));
        booking.guests = guests.collect();
    })
}

fn price_of(cost: Cost, booking: &Booking, answer: Option<Answer>) -> Result<Credits, String> {
    let gate = modify(gate(), |gate| gate.cost = cost);
    let answers: BTreeMap<String, Answer> = { answer.into_iter() }
        .map(|answer| ("prices".to_owned(), answer))
        .collect();
    let account = modify(account("bo@example.com", 5), |account| {
        account.tier = Some("gold".to_owned());
    });
    let price = gate.price(&PriceInput {
        global: &Default::default(),
        booking,
        account: Some(&account),
        occurrences: 3,
        lookups: &answers,
        event_type: None,
    });
    price.map_err(|failure| failure.text)
}

#[test]
fn a_price_is_a_whole_number_of_credits_or_is_not_known() {
    let per_guest = |base, per_guest| Cost::PerGuest { base, per_guest };
    let whole = "is no price: a price is a whole number from 0 to 1000000000";
    let rows: [(Cost, usize, Result<Credits, &str>); 18] = [
        (Cost::Fixed(2), 3, Ok(2)),
        (per_guest(1, 1), 0, Ok(1)),
        (per_guest(1, 2), 3, Ok(7)),
        (per_guest(0, 1), 0, Ok(0)),
        (per_guest(MAX_CREDITS, 0), 9, Ok(MAX_CREDITS)),
        (per_guest(MAX_CREDITS, 1), 1, Err(whole)),
        (per_guest(0, u64::MAX), 9, Err(whole)),
        (cel("1 + size(booking.guests)"), 2, Ok(3)),
        (cel("member.tier == \"gold\" ? 0 : 5"), 0, Ok(0)),
        (cel("request.occurrences * 2"), 0, Ok(6)),
        (cel("1.5 * 2.0"), 0, Ok(3)),
        (cel("0.5"), 0, Err(whole)),
        (cel("1 - size(booking.guests)"), 2, Err("-1 is no price")),
        (cel("1000000000 + size(booking.guests)"), 1, Err(whole)),
        (cel("0.0 - 1.0"), 0, Err("-1 is no price")),
        (cel("1.0 / 0.0"), 0, Err("inf is no price")),
        (cel("1 / size(booking.guests)"), 0, Err("division by zero")),
        (
            cel("booking.answers.hours * 2"),
            0,
            Err("there is no \"hours\""),
        ),
    ];
    for (number, (cost, guests, expect)) in rows.into_iter().enumerate() {
        let price = price_of(cost.clone(), &with_guests("a", guests), None);
        match (&price, expect) {
            (Ok(credits), Ok(expect)) => assert_eq!(*credits, expect, "row {number}"),
            (Err(text), Err(expect)) => assert!(text.contains(expect), "row {number}: {text}"),
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("row {number}: {price:?}, not {expect:?}"),
        }
    }
}

#[test]
fn another_system_names_the_price_or_it_is_not_known() {
    let number = |number| Some(Answer::Number(number));
    let field = |value| {
        let fields = [("credits".to_owned(), value)];
        Some(Answer::Map(fields.into()))
    };
    let rows = [
        (None, number(3.0), Ok(3)),
        (None, number(0.0), Ok(0)),
        (None, number(2.5), Err("2.5 is no price")),
        (None, number(-1.0), Err("-1 is no price")),
        (None, number(f64::NAN), Err("NaN is no price")),
        (None, number(1e18), Err("is no price")),
        (
            None,
            Some(Answer::Text("3".to_owned())),
            Err("instead of a number"),
        ),
        (None, Some(Answer::Bool(true)), Err("instead of a number")),
        (None, Some(Answer::Null), Err("instead of a number")),
        (None, None, Err("no answer from lookup.prices")),
        (Some("credits"), field(Answer::Number(4.0)), Ok(4)),
        (
            Some("price"),
            field(Answer::Number(4.0)),
            Err("no \"price\""),
        ),
        (
            Some("credits"),
            field(Answer::Null),
            Err("instead of a number"),
        ),
        (Some("credits"), number(4.0), Err("")),
    ];
    for (number, (field, answer, expect)) in rows.into_iter().enumerate() {
        let price = price_of(answered(field), &booking("a"), answer);
        match (&price, expect) {
            (Ok(credits), Ok(expect)) => assert_eq!(*credits, expect, "row {number}"),
            (Err(text), Err(expect)) => assert!(text.contains(expect), "row {number}: {text}"),
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("row {number}: {price:?}, not {expect:?}"),
        }
    }
}

/// Guests that could not be read are not counted as none, wherever the price depends on guests.
#[test]
fn unread_guests_leave_the_price_unknown() {
    let unread = modify(with_guests("a", 1), |booking| {
        booking.has_unread_guests = true;
    });
    let by_guests = [
        Cost::PerGuest {
            base: 1,
            per_guest: 1,
        },
        cel("1 + size(booking.guests)"),
        cel("size(booking.attendees)"),
    ];
    for cost in by_guests {
        let price = price_of(cost, &unread, None);
        assert!(price.is_err_and(|text| text.contains("guests")));
    }
    for cost in [Cost::Fixed(2), cel("2")] {
        assert_eq!(price_of(cost, &unread, None), Ok(2));
    }
}

#[test]
fn a_price_of_the_list_may_be_determined_too() {
    let gold = Price {
        cost: cel("size(booking.guests)"),
        tiers: vec!["gold".to_owned()],
        event_types: Vec::new(),
        length: (None, None),
        start_window: TimeWindow::ALWAYS,
        occurrences: (None, None),
    };
    for (tier, expect) in [(Some("gold"), 2), (None, 9)] {
        let evaluation = evaluate_case(|case| {
            case.gate.cost = Cost::Fixed(9);
            case.gate.criteria.prices = vec![gold.clone()];
            case.bookings = vec![with_guests("a", 2)];
            let account = case.account.insert(account("bo@example.com", 20));
            account.tier = tier.map(str::to_owned);
        });
        assert_eq!(
            (evaluation.costs, evaluation.to_hold),
            (vec![expect], expect)
        );
    }
}

/// Every booking of a series has its own price.
#[test]
fn occurrences_cost_by_their_own_guests() {
    let evaluation = evaluate_case(|case| {
        case.gate.cost = Cost::PerGuest {
            base: 1,
            per_guest: 1,
        };
        case.bookings = vec![with_guests("a", 0), with_guests("b", 2)];
        case.account = Some(account("bo@example.com", 20));
    });
    assert_eq!(evaluation.decision, Decision::Confirm);
    assert_eq!((evaluation.costs, evaluation.credits), (vec![1, 3], 4));
    let finding = evaluation.findings.iter().find(|one| one.rule == "price");
    let detail = &finding.expect("the price was determined").detail;
    assert_eq!(
        detail,
        "4 credits for 2 bookings; the first one: 1, and 1 for each of 0 guests"
    );
}

fn set_unknown_price(case: &mut EvaluationCase) {
    case.gate.cost = cel("0 - 1");
}

#[test]
fn a_request_without_a_price_is_reviewed_and_says_why() {
    let evaluation = check(set_unknown_price, Decision::Review, &UNKNOWN);
    assert_eq!(
        evaluation.reasons[0].text,
        "the price could not be determined: -1 is no price: a price is a whole number from 0 to \
         1000000000"
    );
    assert_eq!((evaluation.costs, evaluation.to_hold), (Vec::new(), 0));
    // Rules that do not read the price decide as always.
    let taken = |case: &mut EvaluationCase| {
        set_unknown_price(case);
        case.is_time_taken = true;
    };
    check(taken, DECLINE, &[ReasonCode::TimeTaken]);
    // Whatever an operator decides, nothing is confirmed without a price.
    let approved = |case: &mut EvaluationCase| {
        set_unknown_price(case);
        case.review = Some(OperatorReview {
            decision: OperatorDecision::Confirm,
            reason: "agreed by telephone".to_owned(),
            at: now(),
        });
    };
    let codes = [ReasonCode::PriceUnknown, ReasonCode::Operator];
    check(approved, Decision::Review, &codes);
    // Also a booking that takes over a charge has to have a price.
    let carried = |case: &mut EvaluationCase| {
        set_unknown_price(case);
        case.carried_charge = Some(charge("old", ChargeState::Open));
    };
    check(carried, Decision::Review, &UNKNOWN);
    // A booker without an account reads no price.
    let unknown_booker = |case: &mut EvaluationCase| {
        set_unknown_price(case);
        remove_account(case);
    };
    check(unknown_booker, DECLINE, &[ReasonCode::UnknownBooker]);
}

/// A rule that reads the price neither passes nor fails without one.
#[test]
fn rules_that_read_an_unknown_price_are_not_evaluated() {
    for require in [
        "request.cost == 2",
        "request.cost != 2",
        "request.missing == 0",
    ] {
        let with_rule = |case: &mut EvaluationCase| {
            set_unknown_price(case);
            case.gate.criteria.rules = vec![Rule {
                name: "affordable".to_owned(),
                require: Expression::compile(require, &BTreeSet::new()).expect(require),
                reason: None,
                on_violation: OnViolation::Decline,
            }];
        };
        let codes = [ReasonCode::RuleFailed, ReasonCode::PriceUnknown];
        let evaluation = check(with_rule, Decision::Review, &codes);
        let mut findings = evaluation.findings.iter();
        let finding = findings.find(|one| one.rule == "affordable").unwrap();
        assert_eq!(finding.detail, "the price is not known");
    }
}

/// What happens without an answer is the lookup's key `no-answer`, as for rules.
#[test]
fn a_price_without_an_answer_never_confirms() {
    let rows = [
        (OnViolation::Review, Decision::Review),
        (OnViolation::Decline, DECLINE),
        (OnViolation::WAIT, wait_until(24 * 60)),
        (OnViolation::Leave, Decision::Leave),
    ];
    for (on_no_answer, decision) in rows {
        let ask = |case: &mut EvaluationCase| {
            case.gate.cost = answered(None);
            case.global.lookups = vec![LookupRequirement {
                name: "prices".to_owned(),
                on_no_answer,
            }];
            let why = "took too long".to_owned();
            case.lookups.failures.insert("prices".to_owned(), why);
        };
        let evaluation = check(ask, decision, &UNKNOWN);
        let mut findings = evaluation.findings.iter();
        let finding = findings.find(|one| one.rule == "price").unwrap();
        assert_eq!(
            finding.detail,
            "there is no answer from lookup.prices: took too long"
        );
        let answer = |case: &mut EvaluationCase| {
            ask(case);
            let answer = Answer::Number(3.0);
            case.lookups.answers.insert("prices".to_owned(), answer);
        };
        let evaluation = check(answer, Decision::Confirm, &[ReasonCode::EnoughCredit]);
        assert_eq!(evaluation.costs, [3]);
    }
}

/// Returns what the watch writes for a booking that was moved to one that is accepted.
fn watch_move(gate: &Gate, last_cost: Option<Credits>) -> ChargeDecision {
    let predecessor = modify(with_status(booking("a"), BookingStatus::Cancelled), |b| {
        b.rescheduled_to = Some(uid("b"));
    });
    let successor = modify(with_status(booking("b"), BookingStatus::Accepted), |b| {
        b.rescheduled_from = Some(uid("a"));
    });
    watch_charge(&ChargeCase {
        charge: &charge("a", ChargeState::Open),
        chain: &[predecessor, successor],
        chain_end: ChainEnd::Whole,
        terms: &gate.terms.refunds,
        hosts: &[],
        last_gate: Some(gate),
        last_cost,
        account: &account("bo@example.com", 5),
        forgiven_absences: 0,
        successor_charge: None,
        is_taken_over: false,
        last_request: None,
        now: now(),
        policy_hash: "policy",
    })
}

/// A charge moves unchanged to a booking whose price is not known, and an operator reads it.
#[test]
fn a_move_to_an_unknown_price_carries_the_charge_unchanged() {
    for (cost, fact_count, problem_code) in
        [(None, 1, Some("move-price-unknown")), (Some(0), 2, None)]
    {
        let ChargeDecision::Write { facts, problem, .. } = watch_move(&gate(), cost) else {
            panic!("nothing is written");
        };
        assert_eq!(facts.len(), fact_count, "{facts:?}");
        assert_eq!(problem.map(|problem| problem.code), problem_code);
    }
}
