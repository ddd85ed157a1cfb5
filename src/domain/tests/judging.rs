//! The rules that keep calendar and ledger right, in order of precedence: every choice of the
//! configuration, every text a booker reads.

use super::asked::*;
use super::make::*;
use crate::domain::booking::{Payment, Status};
use crate::domain::criteria::effect::Effect;
use crate::domain::decision::{Code, Decision, Finding};
use crate::domain::request::ChargeState;
use crate::domain::text;
use crate::domain::time::Span;

const UNKNOWN: &str = "There is no credit account for the e-mail address you gave, so your balance \
                       is 0 credits; this booking costs 2 credits. If you have an account under \
                       another address, please book with that one.";
const SHORT: &str = "This booking costs 2 credits, and your balance is 1 credit.";
const TAKEN: &str =
    "This time has been given to somebody who asked earlier. Please choose another time.";
const WAITED: &str = "The request has waited as long as it may.";

#[test]
fn what_every_rule_likes_is_confirmed_at_its_cost() {
    let judged = check(|_| (), Decision::Confirm, &[Code::Enough]);
    assert_eq!((judged.credits, judged.to_hold), (2, 2));
    assert_eq!(judged.account, Some(acc("bo@example.com")));
    assert_eq!(judged.booker, Some(address("bo@example.com")));
}

type Layer = (fn(&mut Case), Decision, &'static [Code]);

/// Each row adds an objection in front of the ones below it: the first one decides.
#[test]
fn the_first_rule_that_objects_decides() {
    let layers: [Layer; 13] = [
        (poor, DECLINE, &[Code::ShortOfCredit]),
        (
            |c| c.taken = true,
            DECLINE,
            &[Code::Taken, Code::ShortOfCredit],
        ),
        (
            |c| c.account.as_mut().unwrap().frozen = Some("late fees".to_owned()),
            Decision::Review,
            &[Code::Frozen],
        ),
        (unknown, DECLINE, &[Code::UnknownBooker, Code::Taken]),
        (
            |c| c.bookings[0].booker = None,
            Decision::Review,
            &[Code::NoBooker],
        ),
        (
            |c| c.event_type.as_mut().unwrap().as_mut().unwrap().seated = true,
            Decision::Leave,
            &[Code::Seated],
        ),
        (
            |c| c.event_type.as_mut().unwrap().as_mut().unwrap().price = 500,
            Decision::Leave,
            &[Code::Priced, Code::Seated],
        ),
        (
            |c| c.event_type = Some(None),
            Decision::Leave,
            &[Code::EventTypeNotShown],
        ),
        (
            |c| c.event_type = None,
            Decision::Leave,
            &[Code::EventTypeNotShown],
        ),
        (
            |c| c.bookings[0].payment = Payment::Unpaid,
            Decision::Leave,
            &[Code::Priced],
        ),
        (
            |c| c.bookings[0].end = now(),
            Decision::Leave,
            &[Code::Over, Code::Priced],
        ),
        (
            |c| c.bookings[0].rescheduled_to = Some(uid("b")),
            Decision::Leave,
            &[Code::NotPending, Code::Priced],
        ),
        (
            |c| c.bookings[0].status = Status::AwaitingHost,
            Decision::Leave,
            &[Code::NotPending, Code::Priced],
        ),
    ];
    for (count, (_, decision, codes)) in layers.iter().enumerate() {
        let all = |case: &mut Case| {
            layers[..=count]
                .iter()
                .for_each(|(change, ..)| change(case))
        };
        check(all, *decision, codes);
    }
}

#[test]
fn an_unknown_booker_is_met_as_configured() {
    let rows = [
        (Effect::Decline, DECLINE),
        (Effect::WAIT, wait(24 * 60)),
        (Effect::Review, Decision::Review),
        (Effect::Leave, Decision::Leave),
    ];
    for (choice, decision) in rows {
        let change = |case: &mut Case| {
            unknown(case);
            case.gate.unknown_booker = choice;
        };
        let judged = check(change, decision, &[Code::UnknownBooker]);
        assert_eq!(judged.account, None);
    }
    check_text(unknown, UNKNOWN);
}

#[test]
fn too_little_credit_is_met_as_configured() {
    let day = Span::hours(24);
    let rows = [
        (Effect::Decline, DECLINE),
        (Effect::Review, Decision::Review),
        (Effect::wait(Span::hours(2)), wait(120)),
        // At the latest until the booking starts.
        (Effect::wait(day * 3), wait(24 * 60)),
    ];
    for (choice, decision) in rows {
        let change = |case: &mut Case| {
            poor(case);
            case.gate.short_of_credit = choice;
        };
        check(change, decision, &[Code::ShortOfCredit]);
    }
    check_text(poor, SHORT);
}

#[test]
fn a_time_that_is_taken_is_met_as_configured() {
    let rows = [
        (Effect::Decline, DECLINE),
        (Effect::WAIT, wait(24 * 60)),
        (Effect::Leave, Decision::Leave),
    ];
    for (choice, decision) in rows {
        let change = |case: &mut Case| {
            case.taken = true;
            case.gate.taken = choice;
        };
        check(change, decision, &[Code::Taken]);
    }
    check_text(|case| case.taken = true, TAKEN);
}

#[test]
fn reasons_that_ask_for_the_same_are_all_told() {
    let change = |case: &mut Case| {
        case.taken = true;
        poor(case);
    };
    check_text(change, &format!("{TAKEN} {SHORT}"));
    // Those that ask for something else are not.
    let change = |case: &mut Case| {
        case.taken = true;
        poor(case);
        case.gate.short_of_credit = Effect::Review;
    };
    check_text(change, TAKEN);
}

#[test]
fn a_wait_ends_at_its_deadline_in_a_decline() {
    let waits = |case: &mut Case, first: i64| {
        poor(case);
        case.gate.short_of_credit = Effect::wait(Span::hours(2));
        case.first = at(first);
    };
    check(|c| waits(c, -119), wait(1), &[Code::ShortOfCredit]);
    let ended = [Code::ShortOfCredit, Code::WaitedTooLong];
    check(|c| waits(c, -120), DECLINE, &ended);
    check_text(|c| waits(c, -120), &format!("{SHORT} {WAITED}"));
    let started = |case: &mut Case| {
        unknown(case);
        case.gate.unknown_booker = Effect::WAIT;
        case.bookings[0].start = now();
    };
    check(
        started,
        DECLINE,
        &[Code::UnknownBooker, Code::WaitedTooLong],
    );
    check_text(started, &format!("{UNKNOWN} {WAITED}"));
}

/// A wait that is over asks for a decline, so that what else asks for one is told with it.
#[test]
fn a_wait_that_is_over_tells_the_other_reasons_to_decline_too() {
    let change = |case: &mut Case| {
        case.taken = true;
        case.gate.taken = Effect::WAIT;
        case.bookings[0].start = now();
        poor(case);
    };
    check_text(change, &format!("{TAKEN} {SHORT} {WAITED}"));
    let change = |case: &mut Case| {
        case.taken = true;
        poor(case);
        case.gate.short_of_credit = Effect::wait(Span::hours(2));
        case.first = at(-120);
    };
    check_text(change, &format!("{TAKEN} {SHORT} {WAITED}"));
}

#[test]
fn nobody_is_declined_while_the_ledger_is_empty() {
    let rows: [fn(&mut Case); 3] = [
        |_| (),
        |case| case.taken = true,
        |case| {
            case.gate.unknown_booker = Effect::WAIT;
            case.bookings[0].start = now();
        },
    ];
    for row in rows {
        let change = |case: &mut Case| {
            unknown(case);
            case.ledger_is_empty = true;
            row(case);
        };
        check(change, Decision::Leave, &[Code::EmptyLedger]);
    }
}

#[test]
fn a_gate_without_a_cost_asks_for_an_account_only() {
    let free = |case: &mut Case| {
        case.gate.cost = 0;
        case.account = Some(account("bo@example.com", 0));
    };
    let judged = check(free, Decision::Confirm, &[Code::Enough]);
    assert_eq!((judged.credits, judged.to_hold), (0, 0));
    let change = |case: &mut Case| {
        free(case);
        unknown(case);
    };
    check_text(
        change,
        "There is no account for the e-mail address you gave. If you have one under another \
         address, please book with that one.",
    );
}

#[test]
fn a_series_costs_each_of_its_occurrences() {
    let series = |case: &mut Case| {
        case.bookings = (0..3)
            .map(|n| occurrence("s", &format!("o{n}"), n))
            .collect();
    };
    let change = |case: &mut Case| {
        series(case);
        case.account = Some(account("bo@example.com", 6));
    };
    assert_eq!(check(change, Decision::Confirm, &[Code::Enough]).to_hold, 6);
    check_text(
        series,
        "These 3 bookings cost 6 credits, and your balance is 5 credits.",
    );
    let several = |case: &mut Case| {
        series(case);
        case.bookings[2].booker = booker("al@example.com");
    };
    check(several, Decision::Review, &[Code::NoBooker]);
    // Over only when its last occurrence is.
    let begun = |case: &mut Case| {
        series(case);
        case.gate.cost = 1;
        case.bookings[0].end = now();
    };
    check(begun, Decision::Confirm, &[Code::Enough]);
}

#[test]
fn a_successor_pays_only_what_its_predecessor_did_not() {
    let rows = [(1, 1), (2, 0), (3, 0)];
    for (paid, to_hold) in rows {
        let change = |case: &mut Case| {
            case.carried = Some(but(charge("old", ChargeState::Open), |c| {
                c.parts = vec![part("g", paid)];
            }));
            case.account = Some(account("bo@example.com", to_hold));
        };
        let judged = check(change, Decision::Confirm, &[Code::Carried]);
        assert_eq!((judged.credits, judged.to_hold), (2, to_hold), "{paid}");
    }
}

#[test]
fn a_lot_pays_until_the_instant_it_expires() {
    let rows = [
        (1, Decision::Confirm, Code::Enough),
        (0, DECLINE, Code::ShortOfCredit),
    ];
    for (milliseconds, decision, code) in rows {
        let change = |case: &mut Case| {
            let expires = now() + Span::milliseconds(milliseconds);
            let lots = vec![lot("g", 2, Some(expires))];
            case.account = Some(account_of("bo@example.com", lots));
        };
        check(change, decision, &[code]);
    }
}

#[test]
fn every_rule_that_was_looked_at_leaves_a_finding() {
    let finding = |rule: &str, code: Option<Code>, detail: &str| Finding {
        rule: rule.to_owned().into(),
        code,
        passed: code.is_none(),
        detail: detail.to_owned(),
    };
    let expect = vec![
        finding("pending", None, "waits for an answer"),
        finding("free-of-charge", None, "the event type has no price"),
        finding("booker", None, "the booker is named"),
        finding("member", None, "account bo@example.com"),
        finding("time-free", None, "no accepted booking overlaps"),
        finding("credit", Some(Code::ShortOfCredit), SHORT),
    ];
    assert_eq!(judged(poor).findings, expect);
}

/// The operator's words about a frozen account are not for the booker.
#[test]
fn why_an_account_is_frozen_is_not_told() {
    let judged = judged(|case| {
        case.account.as_mut().unwrap().frozen = Some("owes money".to_owned());
    });
    assert!(!format!("{judged:?}").contains("owes money"));
}

#[test]
fn a_text_is_cut_where_nobody_reads_on() {
    let reason = |text: &str| crate::domain::decision::Reason {
        code: Code::Taken,
        text: text.to_owned(),
    };
    let joined = text::joined(&[reason("a"), reason(&"\u{fc}".repeat(2 * text::MAX_TEXT))]);
    assert_eq!(joined.chars().count(), text::MAX_TEXT);
    assert!(joined.starts_with("a \u{fc}"));
}
