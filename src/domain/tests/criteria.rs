//! The operator's criteria: their precedence with one row per rule, each choice, each text, and the
//! effect of an operator's review on them.

use super::evaluation_fixture::*;
use super::fixtures::*;
use crate::domain::booking::Booking;
use crate::domain::criteria::access_list::{AccessEntry, AccessSubject};
use crate::domain::criteria::cap::{Cap, CapPeriod};
use crate::domain::criteria::gate_criteria::ZoneSource;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::criteria::price::{Cost, Price};
use crate::domain::criteria::time_window::TimeWindow;
use crate::domain::decision::{Decision, ReasonCode};
use crate::domain::evaluation::cap_rules::over_cap_text;
use crate::domain::id::EventTypeKey;
use crate::domain::messages;
use crate::domain::refund_policy::OnReschedule;
use crate::domain::request::{OperatorDecision, OperatorReview};
use crate::domain::snapshot::{CountedBooking, PinResult};
use crate::domain::time::Span;

fn access_entry(subject: &str) -> AccessEntry {
    AccessEntry {
        subject: match subject.strip_prefix('@') {
            Some(domain) => AccessSubject::Domain(domain.to_owned()),
            None => AccessSubject::Address(address(subject)),
        },
        note: Some("a note of the operator".to_owned()),
        expires: None,
    }
}

fn cap(at_most: u32, period: CapPeriod) -> Cap {
    Cap {
        at_most,
        period,
        tiers: Vec::new(),
    }
}

/// Returns a counted booking of the member, of this gate, that starts this many minutes from now.
fn counted_booking(name: &str, minutes: i64, gate: &str) -> CountedBooking {
    CountedBooking {
        booking: uid(name),
        start: at_minute(minutes),
        end: at_minute(minutes + 30),
        gate: Some(gate.to_owned()),
        is_confirmed: true,
    }
}

/// Returns a window without any time.
fn never_open() -> TimeWindow {
    TimeWindow {
        weekdays: [false; 7],
        ..TimeWindow::ALWAYS
    }
}

fn set_low_balance(case: &mut EvaluationCase) {
    case.account = Some(account("bo@example.com", 1));
}

fn block_booker(case: &mut EvaluationCase) {
    case.global.block = vec![access_entry("bo@example.com")];
}

fn disallow_booker(case: &mut EvaluationCase) {
    case.gate.criteria.allow = vec![access_entry("@members.example")];
}

fn exceed_requests_per_day(case: &mut EvaluationCase) {
    case.gate.criteria.requests_per_day = Some(3);
    case.prior_request_count = 3;
}

fn remove_account(case: &mut EvaluationCase) {
    case.account = None;
}

fn freeze_account(case: &mut EvaluationCase) {
    if let Some(account) = &mut case.account {
        account.freeze_reason = Some("late fees".to_owned());
    }
}

fn give_wrong_pin(case: &mut EvaluationCase) {
    case.gate.criteria.pin = Some("pin".to_owned());
    case.pin_result = Some(PinResult::Wrong);
}

fn require_longer_notice(case: &mut EvaluationCase) {
    case.gate.criteria.notice.at_least = Some(Span::hours(48));
}

fn close_all_hours(case: &mut EvaluationCase) {
    case.gate.criteria.hours = vec![never_open()];
}

fn take_time(case: &mut EvaluationCase) {
    case.is_time_taken = true;
}

fn exceed_cap(case: &mut EvaluationCase) {
    case.gate.criteria.caps = vec![cap(1, CapPeriod::Open)];
    case.counted_bookings = vec![counted_booking("x", 600, "club")];
}

/// The criteria in order of precedence, last first. Each row adds an objection in front of those
/// above it, and has the decision and the reasons that result. Expressions have their rows in
/// `rules`.
#[test]
fn the_first_criterion_that_objects_decides() {
    type PrecedenceRow = (
        &'static str,
        fn(&mut EvaluationCase),
        Decision,
        &'static [ReasonCode],
    );
    let rows: [PrecedenceRow; 12] = [
        (
            "credit",
            set_low_balance,
            DECLINE,
            &[ReasonCode::ShortOfCredit],
        ),
        (
            "caps",
            exceed_cap,
            DECLINE,
            &[ReasonCode::OverCap, ReasonCode::ShortOfCredit],
        ),
        (
            "time-free",
            take_time,
            DECLINE,
            &[
                ReasonCode::TimeTaken,
                ReasonCode::OverCap,
                ReasonCode::ShortOfCredit,
            ],
        ),
        (
            "hours",
            close_all_hours,
            DECLINE,
            &[
                ReasonCode::OutsideHours,
                ReasonCode::TimeTaken,
                ReasonCode::OverCap,
                ReasonCode::ShortOfCredit,
            ],
        ),
        (
            "notice",
            require_longer_notice,
            DECLINE,
            &[
                ReasonCode::NoticeTooShort,
                ReasonCode::OutsideHours,
                ReasonCode::TimeTaken,
                ReasonCode::OverCap,
                ReasonCode::ShortOfCredit,
            ],
        ),
        // A booker who may not be the member learns nothing about the member.
        ("pin", give_wrong_pin, DECLINE, &[ReasonCode::WrongPin]),
        (
            "not-frozen",
            freeze_account,
            Decision::Review,
            &[ReasonCode::AccountFrozen],
        ),
        (
            "member",
            remove_account,
            DECLINE,
            &[
                ReasonCode::UnknownBooker,
                ReasonCode::NoticeTooShort,
                ReasonCode::OutsideHours,
                ReasonCode::TimeTaken,
            ],
        ),
        (
            "requests-per-day",
            exceed_requests_per_day,
            DECLINE,
            &[ReasonCode::TooManyRequests],
        ),
        (
            "allowed",
            disallow_booker,
            DECLINE,
            &[ReasonCode::NotAllowed],
        ),
        ("not-blocked", block_booker, DECLINE, &[ReasonCode::Blocked]),
        (
            "booker",
            |case| case.bookings[0].booker = None,
            Decision::Review,
            &[ReasonCode::NoBooker],
        ),
    ];
    for (count, (name, _, decision, codes)) in rows.iter().enumerate() {
        let change_all = |case: &mut EvaluationCase| {
            for (_, change, ..) in &rows[..=count] {
                change(case);
            }
        };
        let evaluation = check(change_all, *decision, codes);
        let objecting_rules: Vec<String> = evaluation
            .findings
            .iter()
            .filter(|finding| !finding.passed)
            .map(|finding| finding.rule.to_string())
            .collect();
        assert_eq!(objecting_rules.first().map(String::as_str), Some(*name));
    }
}

/// Each criterion alone: its finding when it does not object, its effect and its text when it does.
#[test]
fn every_criterion_has_an_effect_and_a_text_of_its_own() {
    type CriterionChange = fn(&mut EvaluationCase);
    // what makes the criterion object, what sets its effect, code, text for the booker
    type CriterionRow = (
        CriterionChange,
        fn(&mut EvaluationCase, OnViolation),
        ReasonCode,
        &'static str,
    );
    let rows: [CriterionRow; 8] = [
        (
            block_booker,
            |case, effect| case.gate.criteria.on_blocked = effect,
            ReasonCode::Blocked,
            "Requests from this address are not accepted.",
        ),
        (
            disallow_booker,
            |case, effect| case.gate.criteria.on_not_allowed = effect,
            ReasonCode::NotAllowed,
            "These bookings are by invitation only.",
        ),
        (
            exceed_requests_per_day,
            |case, effect| case.gate.criteria.on_too_many_requests = effect,
            ReasonCode::TooManyRequests,
            "At most 3 requests a day are accepted. Please request again tomorrow.",
        ),
        (
            give_wrong_pin,
            |case, effect| case.gate.criteria.on_wrong_pin = effect,
            ReasonCode::WrongPin,
            "The PIN is not right.",
        ),
        (
            require_longer_notice,
            |case, effect| case.gate.criteria.on_notice_missed = effect,
            ReasonCode::NoticeTooShort,
            "Bookings must be requested at least 2 days before they start.",
        ),
        (
            |case| case.gate.criteria.notice.at_most = Some(Span::hours(24)),
            |case, effect| case.gate.criteria.on_notice_missed = effect,
            ReasonCode::NoticeTooLong,
            "Bookings can be requested at most 1 day before they start.",
        ),
        (
            close_all_hours,
            |case, effect| case.gate.criteria.on_outside_hours = effect,
            ReasonCode::OutsideHours,
            "No bookings are taken at this time. Please choose another one.",
        ),
        (
            exceed_cap,
            |case, effect| case.gate.criteria.on_over_cap = effect,
            ReasonCode::OverCap,
            "You can have 1 booking to come at a time.",
        ),
    ];
    let effects = [
        (OnViolation::Decline, DECLINE),
        (OnViolation::Review, Decision::Review),
        (OnViolation::Leave, Decision::Leave),
        (OnViolation::WAIT, wait_until(24 * 60)),
        (OnViolation::wait_for(Span::hours(2)), wait_until(120)),
    ];
    for (object, set_effect, code, expect) in rows {
        for (effect, decision) in effects {
            let change = |case: &mut EvaluationCase| {
                object(case);
                set_effect(case, effect);
            };
            let evaluation = check(change, decision, &[code]);
            assert_eq!(messages::join_reasons(&evaluation.reasons), expect);
        }
        // A wait that is over becomes a decline, with a reason that says so.
        let change = |case: &mut EvaluationCase| {
            object(case);
            set_effect(case, OnViolation::wait_for(Span::hours(2)));
            case.first_evaluated = at_minute(-120);
        };
        check(change, DECLINE, &[code, ReasonCode::WaitedTooLong]);
    }
}

#[test]
fn what_no_criterion_minds_is_confirmed() {
    let rows: [fn(&mut EvaluationCase); 10] = [
        |case| {
            case.global.block = vec![access_entry("al@example.com"), access_entry("@example.org")]
        },
        |case| case.gate.criteria.allow = vec![access_entry("@example.com")],
        |case| case.global.allow = vec![access_entry("bo+club@example.com")],
        |case| {
            case.global.requests_per_day = Some(4);
            case.prior_request_count = 3;
        },
        |case| {
            case.gate.criteria.pin = Some("pin".to_owned());
            case.pin_result = Some(PinResult::Correct);
        },
        |case| {
            case.gate.criteria.notice.at_least = Some(Span::hours(25));
            case.gate.criteria.notice.at_most = Some(Span::hours(25));
        },
        |case| case.gate.criteria.hours = vec![never_open(), TimeWindow::ALWAYS],
        |case| {
            case.global.caps = vec![cap(1, CapPeriod::Day), cap(2, CapPeriod::Open)];
            case.counted_bookings = vec![
                counted_booking("x", -600, "club"),
                counted_booking("y", 5 * 24 * 60, "a"),
            ];
        },
        |case| {
            // A cap of the gate counts only the gate's own bookings.
            case.gate.criteria.caps = vec![cap(1, CapPeriod::Open)];
            case.counted_bookings = vec![counted_booking("x", 600, "other")];
        },
        |case| {
            // Caps of other tiers do not apply to the member.
            case.gate.criteria.caps = vec![Cap {
                tiers: vec!["silver".to_owned()],
                ..cap(0, CapPeriod::Day)
            }];
        },
    ];
    for (number, change) in rows.into_iter().enumerate() {
        let evaluation = evaluate_case(change);
        let codes: Vec<ReasonCode> = evaluation
            .reasons
            .iter()
            .map(|reason| reason.code)
            .collect();
        assert_eq!(codes, [ReasonCode::EnoughCredit], "row {number}");
        assert!(evaluation.findings.iter().all(|finding| finding.passed));
    }
}

#[test]
fn a_missing_a_locked_and_an_unset_pin() {
    let rows = [
        (
            Some(PinResult::Missing),
            DECLINE,
            "This booking asks for your PIN. Please request it again and give it.",
        ),
        (
            Some(PinResult::Locked),
            Decision::Review,
            "too many wrong PINs were given lately, so this one was not checked",
        ),
        (
            Some(PinResult::NotSet),
            Decision::Review,
            "the gate asks for a PIN, and the account has none",
        ),
        // A PIN that was not compared is not a correct PIN.
        (
            None,
            Decision::Review,
            "the gate asks for a PIN, and the account has none",
        ),
    ];
    for (pin, decision, expect) in rows {
        let change = |case: &mut EvaluationCase| {
            give_wrong_pin(case);
            case.pin_result = pin;
        };
        let evaluation = check(change, decision, &[ReasonCode::WrongPin]);
        assert_eq!(messages::join_reasons(&evaluation.reasons), expect);
    }
}

/// Of several caps the strictest decides, and nothing is summed. Global caps count every gate.
#[test]
fn caps_count_what_stands_in_the_period_of_the_booking() {
    // The booking starts in 24 h; `now` is a Friday, 2027-01-15 08:00 UTC.
    let day = 24 * 60;
    let of_gate = |minutes| counted_booking("x", minutes, "club");
    let of_other_gate = |minutes| counted_booking("y", minutes, "other");
    // global caps, gate caps, counted bookings, period of the objection
    type CapRow<'a> = (&'a [Cap], &'a [Cap], Vec<CountedBooking>, Option<CapPeriod>);
    let rows: [CapRow<'_>; 12] = [
        (
            &[],
            &[cap(1, CapPeriod::Day)],
            vec![of_gate(day + 60)],
            Some(CapPeriod::Day),
        ),
        (
            &[],
            &[cap(1, CapPeriod::Day)],
            vec![of_other_gate(day + 60)],
            None,
        ),
        (
            &[cap(1, CapPeriod::Day)],
            &[],
            vec![of_other_gate(day + 60)],
            Some(CapPeriod::Day),
        ),
        (&[], &[cap(1, CapPeriod::Day)], vec![of_gate(2 * day)], None),
        (
            &[],
            &[cap(1, CapPeriod::Week)],
            vec![of_gate(2 * day)],
            Some(CapPeriod::Week),
        ),
        (
            &[],
            &[cap(1, CapPeriod::Week)],
            vec![of_gate(3 * day)],
            None,
        ),
        (
            &[],
            &[cap(1, CapPeriod::Month)],
            vec![of_gate(3 * day)],
            Some(CapPeriod::Month),
        ),
        (
            &[],
            &[cap(1, CapPeriod::Month)],
            vec![of_gate(20 * day)],
            None,
        ),
        (
            &[],
            &[cap(1, CapPeriod::Open)],
            vec![of_gate(20 * day)],
            Some(CapPeriod::Open),
        ),
        (
            &[],
            &[cap(1, CapPeriod::Open)],
            vec![of_gate(-10)],
            Some(CapPeriod::Open),
        ),
        (&[], &[cap(1, CapPeriod::Open)], vec![of_gate(-31)], None),
        // Two caps that are not reached do not add up to one that is.
        (
            &[cap(2, CapPeriod::Day)],
            &[cap(2, CapPeriod::Week), cap(3, CapPeriod::Week)],
            vec![of_gate(day + 60)],
            None,
        ),
    ];
    for (number, (house, gate, standing, expect)) in rows.into_iter().enumerate() {
        let evaluation = evaluate_case(|case| {
            case.global.caps = house.to_vec();
            case.gate.criteria.caps = gate.to_vec();
            case.counted_bookings = standing;
        });
        let actual = messages::join_reasons(&evaluation.reasons);
        let expect = expect.map_or("enough credit".to_owned(), |per| over_cap_text(1, per));
        assert_eq!(actual, expect, "row {number}");
    }
}

/// The occurrences of a series count one by one.
#[test]
fn a_series_fits_into_its_caps_as_a_whole() {
    let series = |case: &mut EvaluationCase| {
        case.account = Some(account("bo@example.com", 20));
        case.bookings = (0..3)
            .map(|week| {
                modify(booking(&format!("s{week}")), |b| {
                    b.start = at_minute(24 * 60 + week * 7 * 24 * 60);
                    b.end = b.start + Span::minutes(30);
                })
            })
            .collect();
    };
    for (caps, codes) in [
        (vec![cap(1, CapPeriod::Week)], [ReasonCode::EnoughCredit]),
        (vec![cap(2, CapPeriod::Open)], [ReasonCode::OverCap]),
        (vec![cap(3, CapPeriod::Open)], [ReasonCode::EnoughCredit]),
        (vec![cap(2, CapPeriod::Month)], [ReasonCode::OverCap]),
    ] {
        let evaluation = evaluate_case(|case| {
            series(case);
            case.gate.criteria.caps = caps.clone();
        });
        let actual: Vec<ReasonCode> = evaluation
            .reasons
            .iter()
            .map(|reason| reason.code)
            .collect();
        assert_eq!(actual, codes, "{caps:?}");
    }
}

#[test]
fn the_first_price_that_fits_is_what_a_booking_costs() {
    let any_price = |cost| Price {
        cost: Cost::Fixed(cost),
        tiers: Vec::new(),
        event_types: Vec::new(),
        length: (None, None),
        start_window: TimeWindow::ALWAYS,
        occurrences: (None, None),
    };
    let of_tier = |cost| Price {
        tiers: vec!["gold".to_owned(), "exec".to_owned()],
        ..any_price(cost)
    };
    let long = |cost| Price {
        length: (Some(Span::minutes(31)), None),
        ..any_price(cost)
    };
    let short = |cost| Price {
        length: (None, Some(Span::minutes(30))),
        ..any_price(cost)
    };
    let of_type = |cost, slug: &str| Price {
        event_types: vec![EventTypeKey::Slug(slug.to_owned())],
        ..any_price(cost)
    };
    let often = |cost, least| Price {
        occurrences: (Some(least), None),
        ..any_price(cost)
    };
    let never_price = |cost| Price {
        start_window: never_open(),
        ..any_price(cost)
    };
    // prices, tier, minutes, occurrences, cost of each
    type PriceRow = (Vec<Price>, Option<&'static str>, i64, i64, u64);
    let rows: [PriceRow; 12] = [
        (vec![], None, 30, 1, 2),
        (vec![any_price(7)], None, 30, 1, 7),
        (vec![any_price(7), any_price(8)], None, 30, 1, 7),
        (vec![of_tier(0)], None, 30, 1, 2),
        (vec![of_tier(0)], Some("exec"), 30, 1, 0),
        (vec![of_tier(0), any_price(3)], Some("silver"), 30, 1, 3),
        (vec![long(4), short(1)], None, 60, 1, 4),
        (vec![long(4), short(1)], None, 30, 1, 1),
        (vec![of_type(5, "club")], None, 30, 1, 5),
        (vec![of_type(5, "other")], None, 30, 1, 2),
        (vec![often(1, 3)], None, 30, 3, 1),
        (vec![often(1, 4), never_price(9)], None, 30, 3, 2),
    ];
    for (number, (prices, tier, minutes, occurrences, cost)) in rows.into_iter().enumerate() {
        let evaluation = evaluate_case(|case| {
            case.gate.criteria.prices = prices;
            let account = case.account.insert(account("bo@example.com", 100));
            account.tier = tier.map(str::to_owned);
            case.bookings = (0..occurrences)
                .map(|week| {
                    modify(booking(&format!("s{week}")), |b| {
                        b.start = at_minute(24 * 60 + week * 7 * 24 * 60);
                        b.end = b.start + Span::minutes(minutes);
                    })
                })
                .collect();
        });
        let expect = vec![cost; usize::try_from(occurrences).unwrap()];
        assert_eq!(evaluation.costs, expect, "row {number}");
        assert_eq!(
            evaluation.credits,
            expect.iter().sum::<u64>(),
            "row {number}"
        );
    }
}

/// Hours, days and weeks are in the configured time zone or the booker's.
#[test]
fn hours_are_read_in_the_zone_of_the_operator_or_the_booker() {
    // The booking starts at 08:00 UTC; in Auckland it is 21:00.
    let from_nine = TimeWindow {
        from: chrono::NaiveTime::from_hms_opt(20, 0, 0).unwrap(),
        ..TimeWindow::ALWAYS
    };
    let rows = [
        (
            ZoneSource::Schedule,
            Some("Pacific/Auckland"),
            "UTC",
            DECLINE,
        ),
        (
            ZoneSource::Booker,
            Some("Pacific/Auckland"),
            "UTC",
            Decision::Confirm,
        ),
        (ZoneSource::Booker, Some("Nowhere/At_All"), "UTC", DECLINE),
        (
            ZoneSource::Booker,
            None,
            "Pacific/Auckland",
            Decision::Confirm,
        ),
        (
            ZoneSource::Schedule,
            None,
            "Pacific/Auckland",
            Decision::Confirm,
        ),
    ];
    for (zone_source, booker_zone, global_zone, expect) in rows {
        let evaluation = evaluate_case(|case| {
            case.gate.criteria.zone_source = zone_source;
            case.global.zone = global_zone.parse().unwrap();
            case.gate.criteria.hours = vec![from_nine.clone()];
            let booker = case.bookings[0].booker.as_mut().unwrap();
            booker.time_zone = booker_zone.map(str::to_owned);
        });
        assert_eq!(
            evaluation.decision, expect,
            "{zone_source:?} {booker_zone:?} {global_zone}"
        );
    }
}

/// A paid booking that was moved: with `carry`, only the rules apply that keep calendar and ledger
/// right.
#[test]
fn a_rescheduled_booking_that_keeps_its_charge_is_not_rechecked() {
    let criteria: [fn(&mut EvaluationCase); 8] = [
        block_booker,
        disallow_booker,
        exceed_requests_per_day,
        freeze_account,
        give_wrong_pin,
        require_longer_notice,
        close_all_hours,
        exceed_cap,
    ];
    for (number, object) in criteria.into_iter().enumerate() {
        for (on_reschedule, is_confirmed) in
            [(OnReschedule::Carry, true), (OnReschedule::Recheck, false)]
        {
            let evaluation = evaluate_case(|case| {
                object(case);
                case.gate.terms.on_reschedule = on_reschedule;
                case.carried_charge = Some(charge("p", crate::domain::request::ChargeState::Open));
            });
            let confirmed = evaluation.decision == Decision::Confirm;
            assert_eq!(
                confirmed, is_confirmed,
                "criterion {number}, {on_reschedule:?}"
            );
        }
    }
    type HardRule = (fn(&mut EvaluationCase), ReasonCode);
    let hard_rules: [HardRule; 2] = [
        (take_time, ReasonCode::TimeTaken),
        (set_low_balance, ReasonCode::ShortOfCredit),
    ];
    for (object, code) in hard_rules {
        let change = |case: &mut EvaluationCase| {
            object(case);
            case.gate.terms.on_reschedule = OnReschedule::Carry;
            case.gate.cost = Cost::Fixed(50);
            case.carried_charge = Some(charge("p", crate::domain::request::ChargeState::Open));
        };
        assert_eq!(evaluate_case(change).reasons[0].code, code);
    }
}

fn operator_review(verdict: OperatorDecision) -> Option<OperatorReview> {
    Some(OperatorReview {
        decision: verdict,
        reason: "Ann vouches for him.".to_owned(),
        at: now(),
    })
}

/// An operator's review overrides the configured criteria, but not the rules that keep calendar and
/// ledger right.
#[test]
fn an_operators_review_overrides_the_configured_criteria() {
    let criteria: [fn(&mut EvaluationCase); 8] = [
        block_booker,
        disallow_booker,
        exceed_requests_per_day,
        freeze_account,
        give_wrong_pin,
        require_longer_notice,
        close_all_hours,
        exceed_cap,
    ];
    for object in criteria {
        for (verdict, decision) in [
            (OperatorDecision::Confirm, Decision::Confirm),
            (OperatorDecision::Decline, DECLINE),
        ] {
            let change = |case: &mut EvaluationCase| {
                object(case);
                case.review = operator_review(verdict);
            };
            let evaluation = check(change, decision, &[ReasonCode::Operator]);
            assert_eq!(
                messages::join_reasons(&evaluation.reasons),
                "Ann vouches for him."
            );
        }
    }
    type HardRule = (fn(&mut EvaluationCase), ReasonCode);
    let hard_rules: [HardRule; 4] = [
        (|case| case.bookings[0].booker = None, ReasonCode::NoBooker),
        (remove_account, ReasonCode::UnknownBooker),
        (take_time, ReasonCode::TimeTaken),
        (set_low_balance, ReasonCode::ShortOfCredit),
    ];
    for (object, code) in hard_rules {
        let change = |case: &mut EvaluationCase| {
            object(case);
            case.review = operator_review(OperatorDecision::Confirm);
        };
        check(change, Decision::Review, &[code, ReasonCode::Operator]);
        let change = |case: &mut EvaluationCase| {
            object(case);
            case.review = operator_review(OperatorDecision::Decline);
        };
        check(change, DECLINE, &[ReasonCode::Operator]);
    }
    // A request that cannot be answered stays so.
    let over = |case: &mut EvaluationCase| {
        case.bookings[0].end = now();
        case.review = operator_review(OperatorDecision::Decline);
    };
    check(over, Decision::Leave, &[ReasonCode::AlreadyOver]);
    // Although the ledger is empty, the booker is declined if an operator decides so.
    let empty = |case: &mut EvaluationCase| {
        remove_account(case);
        case.ledger_is_empty = true;
        case.review = operator_review(OperatorDecision::Decline);
    };
    check(empty, DECLINE, &[ReasonCode::Operator]);
}

/// Bookers do not learn notes, entries of lists, or other matters of operators.
#[test]
fn notes_of_operators_are_not_told() {
    for object in [block_booker, disallow_booker] {
        let evaluation = evaluate_case(object);
        assert!(!format!("{evaluation:?}").contains("a note of the operator"));
    }
}

/// The requests of one booker on one day count, including those of this plan.
#[test]
fn a_day_has_so_many_requests() {
    use crate::domain::plan::{Action, plan};
    use crate::domain::snapshot::PriorRequest;

    let booking_created_at = |name: &str, minutes: i64| -> Booking {
        modify(booking(name), |b| {
            b.created_at = at_minute(minutes);
            b.start = at_minute(24 * 60 + minutes);
            b.end = b.start + Span::minutes(1);
        })
    };
    let mut snapshot = snapshot(
        vec![
            booking_created_at("a", -50),
            booking_created_at("b", -40),
            booking_created_at("c", -30),
        ],
        vec![account("bo@example.com", 9)],
    );
    snapshot.prior_requests.insert(
        address("bo@example.com"),
        vec![
            // A request of the day before, and one that is known and still pending.
            PriorRequest {
                request: request_id("z"),
                created_at: at_minute(-24 * 60),
                declined_over_limit: false,
            },
            PriorRequest {
                request: request_id("a"),
                created_at: at_minute(-50),
                declined_over_limit: false,
            },
            PriorRequest {
                request: request_id("y"),
                created_at: at_minute(-60),
                declined_over_limit: false,
            },
        ],
    );
    let policy = policy_with(|gate| gate.criteria.requests_per_day = Some(3));
    let plan = plan(&snapshot, &policy);
    let decided: Vec<(&str, &str)> = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::Send { .. }))
        .map(|step| (step.request.id.as_str(), step.request.decision.as_str()))
        .collect();
    assert_eq!(
        decided,
        [("a", "confirm"), ("b", "confirm"), ("c", "decline")]
    );
}

/// Each step counts the bookings that the steps before it confirm.
#[test]
fn a_plan_counts_what_it_confirms() {
    use crate::domain::plan::plan;

    let at_hour = |name: &str, hour: i64| {
        modify(booking(name), |b| {
            b.start = at_minute(24 * 60 + 60 * hour);
            b.end = b.start + Span::minutes(30);
        })
    };
    let mut snapshot = snapshot(
        vec![at_hour("a", 0), at_hour("b", 1), at_hour("c", 2)],
        vec![account("bo@example.com", 9)],
    );
    let account = account_id("bo@example.com");
    let existing = vec![counted_booking("x", 24 * 60 - 90, "club")];
    snapshot.counted_bookings.insert(account, existing);
    let policy = policy_with(|gate| gate.criteria.caps = vec![cap(3, CapPeriod::Day)]);
    let plan = plan(&snapshot, &policy);
    let decided: Vec<&str> = plan
        .steps
        .iter()
        .map(|step| step.request.decision.as_str())
        .collect();
    assert_eq!(decided, ["confirm", "confirm", "leave"]);
}

#[test]
fn lengths_of_time_are_told_in_their_two_largest_units() {
    let rows = [
        (0, "no time"),
        (1, "1 second"),
        (90, "1 minute 30 seconds"),
        (3_600, "1 hour"),
        (3_661, "1 hour 1 minute"),
        (86_400, "1 day"),
        (90_000, "1 day 1 hour"),
        (86_460, "1 day"),
        (-5, "no time"),
    ];
    for (seconds, expect) in rows {
        assert_eq!(messages::format_span(Span::seconds(seconds)), expect);
    }
}
