//! The rules that keep calendar and ledger right, in order of precedence: every choice of the
//! configuration, every text a booker reads.

use super::evaluation_fixture::*;
use super::fixtures::*;
use crate::domain::booking::{BookingStatus, Payment};
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::criteria::price::Cost;
use crate::domain::decision::{Decision, Finding, ReasonCode};
use crate::domain::messages;
use crate::domain::request::ChargeState;
use crate::domain::time::Span;

const UNKNOWN: &str = "There is no credit account for the e-mail address you gave, so your balance \
                       is 0 credits; this booking costs 2 credits. If you have an account under \
                       another address, please book with that one.";
const SHORT: &str = "This booking costs 2 credits, and your balance is 1 credit.";
const TAKEN: &str =
    "This time has been given to somebody who asked earlier. Please choose another time.";
const WAITED: &str = "The request has waited for the longest allowed time.";

#[test]
fn what_every_rule_likes_is_confirmed_at_its_cost() {
    let evaluation = check(|_| (), Decision::Confirm, &[ReasonCode::EnoughCredit]);
    assert_eq!((evaluation.credits, evaluation.to_hold), (2, 2));
    assert_eq!(evaluation.account, Some(account_id("bo@example.com")));
    assert_eq!(evaluation.booker, Some(address("bo@example.com")));
}

type PrecedenceLayer = (fn(&mut EvaluationCase), Decision, &'static [ReasonCode]);

/// Each row adds an objection in front of those above it. The first objection decides.
#[test]
fn the_first_rule_that_objects_decides() {
    let layers: [PrecedenceLayer; 14] = [
        (set_low_balance, DECLINE, &[ReasonCode::ShortOfCredit]),
        (
            |c| c.is_time_taken = true,
            DECLINE,
            &[ReasonCode::TimeTaken, ReasonCode::ShortOfCredit],
        ),
        (
            |c| c.account.as_mut().unwrap().freeze_reason = Some("late fees".to_owned()),
            Decision::Review,
            &[ReasonCode::AccountFrozen],
        ),
        (
            remove_account,
            DECLINE,
            &[ReasonCode::UnknownBooker, ReasonCode::TimeTaken],
        ),
        (
            |c| c.source_failure = Some("the source club did not say".to_owned()),
            Decision::Leave,
            &[ReasonCode::SourceFailed],
        ),
        (
            |c| c.bookings[0].booker = None,
            Decision::Review,
            &[ReasonCode::NoBooker],
        ),
        (
            |c| c.event_type.as_mut().unwrap().as_mut().unwrap().seated = true,
            Decision::Leave,
            &[ReasonCode::Seated],
        ),
        (
            |c| c.event_type.as_mut().unwrap().as_mut().unwrap().price = 500,
            Decision::Leave,
            &[ReasonCode::Priced, ReasonCode::Seated],
        ),
        (
            |c| c.event_type = Some(None),
            Decision::Leave,
            &[ReasonCode::EventTypeNotShown],
        ),
        (
            |c| c.event_type = None,
            Decision::Leave,
            &[ReasonCode::EventTypeNotShown],
        ),
        (
            |c| c.bookings[0].payment = Payment::Unpaid,
            Decision::Leave,
            &[ReasonCode::Priced],
        ),
        (
            |c| c.bookings[0].end = now(),
            Decision::Leave,
            &[ReasonCode::AlreadyOver, ReasonCode::Priced],
        ),
        (
            |c| c.bookings[0].rescheduled_to = Some(uid("b")),
            Decision::Leave,
            &[ReasonCode::NotPending, ReasonCode::Priced],
        ),
        (
            |c| c.bookings[0].status = BookingStatus::AwaitingHost,
            Decision::Leave,
            &[ReasonCode::NotPending, ReasonCode::Priced],
        ),
    ];
    for (count, (_, decision, codes)) in layers.iter().enumerate() {
        let change_all = |case: &mut EvaluationCase| {
            layers[..=count]
                .iter()
                .for_each(|(change, ..)| change(case))
        };
        check(change_all, *decision, codes);
    }
}

#[test]
fn an_unknown_booker_is_met_as_configured() {
    let rows = [
        (OnViolation::Decline, DECLINE),
        (OnViolation::WAIT, wait_until(24 * 60)),
        (OnViolation::Review, Decision::Review),
        (OnViolation::Leave, Decision::Leave),
    ];
    for (choice, decision) in rows {
        let change = |case: &mut EvaluationCase| {
            remove_account(case);
            case.gate.unknown_booker = choice;
        };
        let evaluation = check(change, decision, &[ReasonCode::UnknownBooker]);
        assert_eq!(evaluation.account, None);
    }
    check_text(remove_account, UNKNOWN);
}

#[test]
fn too_little_credit_is_met_as_configured() {
    let day = Span::hours(24);
    let rows = [
        (OnViolation::Decline, DECLINE),
        (OnViolation::Review, Decision::Review),
        (OnViolation::wait_for(Span::hours(2)), wait_until(120)),
        // At the latest until the booking starts.
        (OnViolation::wait_for(day * 3), wait_until(24 * 60)),
    ];
    for (choice, decision) in rows {
        let change = |case: &mut EvaluationCase| {
            set_low_balance(case);
            case.gate.short_of_credit = choice;
        };
        check(change, decision, &[ReasonCode::ShortOfCredit]);
    }
    check_text(set_low_balance, SHORT);
}

#[test]
fn a_time_that_is_taken_is_met_as_configured() {
    let rows = [
        (OnViolation::Decline, DECLINE),
        (OnViolation::WAIT, wait_until(24 * 60)),
        (OnViolation::Leave, Decision::Leave),
    ];
    for (choice, decision) in rows {
        let change = |case: &mut EvaluationCase| {
            case.is_time_taken = true;
            case.gate.time_taken = choice;
        };
        check(change, decision, &[ReasonCode::TimeTaken]);
    }
    check_text(|case| case.is_time_taken = true, TAKEN);
}

#[test]
fn reasons_that_ask_for_the_same_are_all_told() {
    let change = |case: &mut EvaluationCase| {
        case.is_time_taken = true;
        set_low_balance(case);
    };
    check_text(change, &format!("{TAKEN} {SHORT}"));
    // Reasons that ask for something else are not given.
    let change = |case: &mut EvaluationCase| {
        case.is_time_taken = true;
        set_low_balance(case);
        case.gate.short_of_credit = OnViolation::Review;
    };
    check_text(change, TAKEN);
}

#[test]
fn a_wait_ends_at_its_deadline_in_a_decline() {
    let set_wait = |case: &mut EvaluationCase, first: i64| {
        set_low_balance(case);
        case.gate.short_of_credit = OnViolation::wait_for(Span::hours(2));
        case.first_evaluated = at_minute(first);
    };
    check(
        |c| set_wait(c, -119),
        wait_until(1),
        &[ReasonCode::ShortOfCredit],
    );
    let ended = [ReasonCode::ShortOfCredit, ReasonCode::WaitedTooLong];
    check(|c| set_wait(c, -120), DECLINE, &ended);
    check_text(|c| set_wait(c, -120), &format!("{SHORT} {WAITED}"));
    let start_booking = |case: &mut EvaluationCase| {
        remove_account(case);
        case.gate.unknown_booker = OnViolation::WAIT;
        case.bookings[0].start = now();
    };
    check(
        start_booking,
        DECLINE,
        &[ReasonCode::UnknownBooker, ReasonCode::WaitedTooLong],
    );
    check_text(start_booking, &format!("{UNKNOWN} {WAITED}"));
}

/// A wait that is over asks for a decline, so the other reasons for a decline are given with it.
#[test]
fn a_wait_that_is_over_tells_the_other_reasons_to_decline_too() {
    let change = |case: &mut EvaluationCase| {
        case.is_time_taken = true;
        case.gate.time_taken = OnViolation::WAIT;
        case.bookings[0].start = now();
        set_low_balance(case);
    };
    check_text(change, &format!("{TAKEN} {SHORT} {WAITED}"));
    let change = |case: &mut EvaluationCase| {
        case.is_time_taken = true;
        set_low_balance(case);
        case.gate.short_of_credit = OnViolation::wait_for(Span::hours(2));
        case.first_evaluated = at_minute(-120);
    };
    check_text(change, &format!("{TAKEN} {SHORT} {WAITED}"));
}

#[test]
fn nobody_is_declined_while_the_ledger_is_empty() {
    let rows: [fn(&mut EvaluationCase); 3] = [
        |_| (),
        |case| case.is_time_taken = true,
        |case| {
            case.gate.unknown_booker = OnViolation::WAIT;
            case.bookings[0].start = now();
        },
    ];
    for row in rows {
        let change = |case: &mut EvaluationCase| {
            remove_account(case);
            case.ledger_is_empty = true;
            row(case);
        };
        check(change, Decision::Leave, &[ReasonCode::EmptyLedger]);
    }
}

#[test]
fn a_gate_without_a_cost_asks_for_an_account_only() {
    let make_free = |case: &mut EvaluationCase| {
        case.gate.cost = Cost::Fixed(0);
        case.account = Some(account("bo@example.com", 0));
    };
    let evaluation = check(make_free, Decision::Confirm, &[ReasonCode::EnoughCredit]);
    assert_eq!((evaluation.credits, evaluation.to_hold), (0, 0));
    let change = |case: &mut EvaluationCase| {
        make_free(case);
        remove_account(case);
    };
    check_text(
        change,
        "There is no account for the e-mail address you gave. If you have one under another \
         address, please book with that one.",
    );
}

#[test]
fn a_series_costs_each_of_its_occurrences() {
    let make_series = |case: &mut EvaluationCase| {
        case.bookings = (0..3)
            .map(|n| occurrence("s", &format!("o{n}"), n))
            .collect();
    };
    let change = |case: &mut EvaluationCase| {
        make_series(case);
        case.account = Some(account("bo@example.com", 6));
    };
    assert_eq!(
        check(change, Decision::Confirm, &[ReasonCode::EnoughCredit]).to_hold,
        6
    );
    check_text(
        make_series,
        "These 3 bookings cost 6 credits, and your balance is 5 credits.",
    );
    let name_two_bookers = |case: &mut EvaluationCase| {
        make_series(case);
        case.bookings[2].booker = booker("al@example.com");
    };
    check(name_two_bookers, Decision::Review, &[ReasonCode::NoBooker]);
    // A series is over only when its last occurrence is.
    let begin_series = |case: &mut EvaluationCase| {
        make_series(case);
        case.gate.cost = Cost::Fixed(1);
        case.bookings[0].end = now();
    };
    check(begin_series, Decision::Confirm, &[ReasonCode::EnoughCredit]);
}

#[test]
fn a_successor_pays_only_what_its_predecessor_did_not() {
    let rows = [(1, 1), (2, 0), (3, 0)];
    for (paid, to_hold) in rows {
        let change = |case: &mut EvaluationCase| {
            case.carried_charge = Some(modify(charge("old", ChargeState::Open), |c| {
                c.parts = vec![part("g", paid)];
            }));
            case.account = Some(account("bo@example.com", to_hold));
        };
        let evaluation = check(change, Decision::Confirm, &[ReasonCode::ChargeCarried]);
        assert_eq!(
            (evaluation.credits, evaluation.to_hold),
            (2, to_hold),
            "{paid}"
        );
    }
}

#[test]
fn a_lot_pays_until_the_instant_it_expires() {
    let rows = [
        (1, Decision::Confirm, ReasonCode::EnoughCredit),
        (0, DECLINE, ReasonCode::ShortOfCredit),
    ];
    for (milliseconds, decision, code) in rows {
        let change = |case: &mut EvaluationCase| {
            let expires = now() + Span::milliseconds(milliseconds);
            let lots = vec![lot("g", 2, Some(expires))];
            case.account = Some(account_with_lots("bo@example.com", lots));
        };
        check(change, decision, &[code]);
    }
}

#[test]
fn every_rule_that_was_looked_at_leaves_a_finding() {
    let finding = |rule: &str, code: Option<ReasonCode>, detail: &str| Finding {
        rule: rule.to_owned().into(),
        code,
        passed: code.is_none(),
        detail: detail.to_owned(),
    };
    let expect = vec![
        finding("pending", None, "waits for an answer"),
        finding("free-of-charge", None, "the event type has no price"),
        finding("booker", None, "the booker is identified"),
        finding("member", None, "account bo@example.com"),
        finding("time-free", None, "no accepted booking overlaps"),
        finding("credit", Some(ReasonCode::ShortOfCredit), SHORT),
    ];
    assert_eq!(evaluate_case(set_low_balance).findings, expect);
}

/// The booker does not get the operator's words about a frozen account.
#[test]
fn why_an_account_is_frozen_is_not_told() {
    let evaluation = evaluate_case(|case| {
        case.account.as_mut().unwrap().freeze_reason = Some("owes money".to_owned());
    });
    assert!(!format!("{evaluation:?}").contains("owes money"));
}

#[test]
fn a_text_is_cut_where_nobody_reads_on() {
    let reason = |text: &str| crate::domain::decision::Reason {
        code: ReasonCode::TimeTaken,
        text: text.to_owned(),
    };
    let joined = messages::join_reasons(&[
        reason("a"),
        reason(&"\u{fc}".repeat(2 * messages::MAX_BOOKER_TEXT)),
    ]);
    assert_eq!(joined.chars().count(), messages::MAX_BOOKER_TEXT);
    assert!(joined.starts_with("a. \u{fc}"));
}
