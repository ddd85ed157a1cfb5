//! The house's own criteria: their precedence with one row per rule, each choice, each text, and an
//! operator's word about them.

use super::asked::*;
use super::make::*;
use crate::domain::booking::Booking;
use crate::domain::criteria::cap::{Cap, Period};
use crate::domain::criteria::effect::Effect;
use crate::domain::criteria::lists::{Listed, Who};
use crate::domain::criteria::opening::Opening;
use crate::domain::criteria::price::Price;
use crate::domain::criteria::terms::WhoseClock;
use crate::domain::decision::{Code, Decision};
use crate::domain::id::EventTypeKey;
use crate::domain::request::{Review, Verdict};
use crate::domain::snapshot::{Pin, Standing};
use crate::domain::terms::OnReschedule;
use crate::domain::text;
use crate::domain::time::Span;

fn listed(who: &str) -> Listed {
    Listed {
        who: match who.strip_prefix('@') {
            Some(domain) => Who::Domain(domain.to_owned()),
            None => Who::Address(address(who)),
        },
        note: Some("a note of the operator".to_owned()),
        expires: None,
    }
}

fn cap(at_most: u32, per: Period) -> Cap {
    Cap {
        at_most,
        per,
        tiers: Vec::new(),
    }
}

/// A booking of the member that stands, so many minutes from now, let in by this gate.
fn standing(name: &str, minutes: i64, gate: &str) -> Standing {
    Standing {
        booking: uid(name),
        start: at(minutes),
        end: at(minutes + 30),
        gate: Some(gate.to_owned()),
        settled: true,
    }
}

/// At no time.
fn closed() -> Opening {
    Opening {
        weekdays: [false; 7],
        ..Opening::ALWAYS
    }
}

fn poor(case: &mut Case) {
    case.account = Some(account("bo@example.com", 1));
}

fn blocked(case: &mut Case) {
    case.house.block = vec![listed("bo@example.com")];
}

fn not_allowed(case: &mut Case) {
    case.gate.criteria.allow = vec![listed("@members.example")];
}

fn too_many(case: &mut Case) {
    case.gate.criteria.requests_per_day = Some(3);
    case.asked_before = 3;
}

fn unknown(case: &mut Case) {
    case.account = None;
}

fn frozen(case: &mut Case) {
    if let Some(account) = &mut case.account {
        account.frozen = Some("late fees".to_owned());
    }
}

fn wrong_pin(case: &mut Case) {
    case.gate.criteria.pin = Some("pin".to_owned());
    case.pin = Some(Pin::Wrong);
}

fn short_notice(case: &mut Case) {
    case.gate.criteria.notice.at_least = Some(Span::hours(48));
}

fn out_of_hours(case: &mut Case) {
    case.gate.criteria.hours = vec![closed()];
}

fn taken(case: &mut Case) {
    case.taken = true;
}

fn over_cap(case: &mut Case) {
    case.gate.criteria.caps = vec![cap(1, Period::Open)];
    case.standing = vec![standing("x", 600, "club")];
}

/// In the order of precedence, last first: each row adds an objection in front of those above it,
/// and is what the booker is told then. Expressions have their rows in `rules`.
#[test]
fn the_first_criterion_that_objects_decides() {
    type Row = (&'static str, fn(&mut Case), Decision, &'static [Code]);
    let rows: [Row; 12] = [
        ("credit", poor, DECLINE, &[Code::ShortOfCredit]),
        (
            "caps",
            over_cap,
            DECLINE,
            &[Code::OverCap, Code::ShortOfCredit],
        ),
        (
            "time-free",
            taken,
            DECLINE,
            &[Code::Taken, Code::OverCap, Code::ShortOfCredit],
        ),
        (
            "hours",
            out_of_hours,
            DECLINE,
            &[
                Code::OutsideHours,
                Code::Taken,
                Code::OverCap,
                Code::ShortOfCredit,
            ],
        ),
        (
            "notice",
            short_notice,
            DECLINE,
            &[
                Code::NoticeTooShort,
                Code::OutsideHours,
                Code::Taken,
                Code::OverCap,
                Code::ShortOfCredit,
            ],
        ),
        // Who may be somebody else learns nothing of the member.
        ("pin", wrong_pin, DECLINE, &[Code::WrongPin]),
        ("not-frozen", frozen, Decision::Review, &[Code::Frozen]),
        (
            "member",
            unknown,
            DECLINE,
            &[
                Code::UnknownBooker,
                Code::NoticeTooShort,
                Code::OutsideHours,
                Code::Taken,
            ],
        ),
        (
            "requests-per-day",
            too_many,
            DECLINE,
            &[Code::TooManyRequests],
        ),
        ("allowed", not_allowed, DECLINE, &[Code::NotAllowed]),
        ("not-blocked", blocked, DECLINE, &[Code::Blocked]),
        (
            "booker",
            |case| case.bookings[0].booker = None,
            Decision::Review,
            &[Code::NoBooker],
        ),
    ];
    for (count, (name, _, decision, codes)) in rows.iter().enumerate() {
        let all = |case: &mut Case| {
            for (_, change, ..) in &rows[..=count] {
                change(case);
            }
        };
        let judged = check(all, *decision, codes);
        let objects: Vec<String> = judged
            .findings
            .iter()
            .filter(|finding| !finding.passed)
            .map(|finding| finding.rule.to_string())
            .collect();
        assert_eq!(objects.first().map(String::as_str), Some(*name));
    }
}

/// Each criterion alone: its finding when it is content, its effect and its text when it is not.
#[test]
fn every_criterion_has_an_effect_and_a_text_of_its_own() {
    type Change = fn(&mut Case);
    // the criterion, what makes it object, what sets its effect, code, text for the booker
    type Row = (Change, fn(&mut Case, Effect), Code, &'static str);
    let rows: [Row; 8] = [
        (
            blocked,
            |case, effect| case.gate.criteria.blocked = effect,
            Code::Blocked,
            "Requests from this address are not accepted.",
        ),
        (
            not_allowed,
            |case, effect| case.gate.criteria.not_allowed = effect,
            Code::NotAllowed,
            "These bookings are by invitation only.",
        ),
        (
            too_many,
            |case, effect| case.gate.criteria.too_many_requests = effect,
            Code::TooManyRequests,
            "No more than 3 requests a day are looked at. Please ask again tomorrow.",
        ),
        (
            wrong_pin,
            |case, effect| case.gate.criteria.wrong_pin = effect,
            Code::WrongPin,
            "The PIN is not right.",
        ),
        (
            short_notice,
            |case, effect| case.gate.criteria.notice_missed = effect,
            Code::NoticeTooShort,
            "Bookings must be requested at least 2 days before they start.",
        ),
        (
            |case| case.gate.criteria.notice.at_most = Some(Span::hours(24)),
            |case, effect| case.gate.criteria.notice_missed = effect,
            Code::NoticeTooLong,
            "Bookings can be requested at most 1 day before they start.",
        ),
        (
            out_of_hours,
            |case, effect| case.gate.criteria.outside_hours = effect,
            Code::OutsideHours,
            "No bookings are taken at this time. Please choose another one.",
        ),
        (
            over_cap,
            |case, effect| case.gate.criteria.over_cap = effect,
            Code::OverCap,
            "You can have 1 booking to come at a time.",
        ),
    ];
    let effects = [
        (Effect::Decline, DECLINE),
        (Effect::Review, Decision::Review),
        (Effect::Leave, Decision::Leave),
        (Effect::WAIT, wait(24 * 60)),
        (Effect::wait(Span::hours(2)), wait(120)),
    ];
    for (object, set, code, expect) in rows {
        for (effect, decision) in effects {
            let change = |case: &mut Case| {
                object(case);
                set(case, effect);
            };
            let judged = check(change, decision, &[code]);
            assert_eq!(text::joined(&judged.reasons), expect);
        }
        // A wait that is over is a decline that says so.
        let change = |case: &mut Case| {
            object(case);
            set(case, Effect::wait(Span::hours(2)));
            case.first = at(-120);
        };
        check(change, DECLINE, &[code, Code::WaitedTooLong]);
    }
}

#[test]
fn what_no_criterion_minds_is_confirmed() {
    let rows: [fn(&mut Case); 10] = [
        |case| case.house.block = vec![listed("al@example.com"), listed("@example.org")],
        |case| case.gate.criteria.allow = vec![listed("@example.com")],
        |case| case.house.allow = vec![listed("bo+club@example.com")],
        |case| {
            case.house.requests_per_day = Some(4);
            case.asked_before = 3;
        },
        |case| {
            case.gate.criteria.pin = Some("pin".to_owned());
            case.pin = Some(Pin::Right);
        },
        |case| {
            case.gate.criteria.notice.at_least = Some(Span::hours(25));
            case.gate.criteria.notice.at_most = Some(Span::hours(25));
        },
        |case| case.gate.criteria.hours = vec![closed(), Opening::ALWAYS],
        |case| {
            case.house.caps = vec![cap(1, Period::Day), cap(2, Period::Open)];
            case.standing = vec![standing("x", -600, "club"), standing("y", 5 * 24 * 60, "a")];
        },
        |case| {
            // The gate counts its own.
            case.gate.criteria.caps = vec![cap(1, Period::Open)];
            case.standing = vec![standing("x", 600, "other")];
        },
        |case| {
            // Caps of other tiers are not his.
            case.gate.criteria.caps = vec![Cap {
                tiers: vec!["silver".to_owned()],
                ..cap(0, Period::Day)
            }];
        },
    ];
    for (number, change) in rows.into_iter().enumerate() {
        let judged = judged(change);
        let codes: Vec<Code> = judged.reasons.iter().map(|reason| reason.code).collect();
        assert_eq!(codes, [Code::Enough], "row {number}");
        assert!(judged.findings.iter().all(|finding| finding.passed));
    }
}

#[test]
fn a_missing_a_locked_and_an_unset_pin() {
    let rows = [
        (
            Some(Pin::Missing),
            DECLINE,
            "This booking asks for your PIN. Please request it again and give it.",
        ),
        (
            Some(Pin::Locked),
            Decision::Review,
            "too many wrong PINs were given lately, so this one was not looked at",
        ),
        (
            Some(Pin::NotSet),
            Decision::Review,
            "the gate asks for a PIN, and the account has none",
        ),
        // Not looked at is not right.
        (
            None,
            Decision::Review,
            "the gate asks for a PIN, and the account has none",
        ),
    ];
    for (pin, decision, expect) in rows {
        let change = |case: &mut Case| {
            wrong_pin(case);
            case.pin = pin;
        };
        let judged = check(change, decision, &[Code::WrongPin]);
        assert_eq!(text::joined(&judged.reasons), expect);
    }
}

/// Of several caps the strictest decides, and nothing is summed; the house counts every gate.
#[test]
fn caps_count_what_stands_in_the_period_of_the_booking() {
    // The booking starts in 24 h; `now` is a Friday, 2027-01-15 08:00 UTC.
    let day = 24 * 60;
    let here = |minutes| standing("x", minutes, "club");
    let there = |minutes| standing("y", minutes, "other");
    // house, gate, standing, period of the objection
    type Row<'a> = (&'a [Cap], &'a [Cap], Vec<Standing>, Option<Period>);
    let rows: [Row<'_>; 12] = [
        (
            &[],
            &[cap(1, Period::Day)],
            vec![here(day + 60)],
            Some(Period::Day),
        ),
        (&[], &[cap(1, Period::Day)], vec![there(day + 60)], None),
        (
            &[cap(1, Period::Day)],
            &[],
            vec![there(day + 60)],
            Some(Period::Day),
        ),
        (&[], &[cap(1, Period::Day)], vec![here(2 * day)], None),
        (
            &[],
            &[cap(1, Period::Week)],
            vec![here(2 * day)],
            Some(Period::Week),
        ),
        (&[], &[cap(1, Period::Week)], vec![here(3 * day)], None),
        (
            &[],
            &[cap(1, Period::Month)],
            vec![here(3 * day)],
            Some(Period::Month),
        ),
        (&[], &[cap(1, Period::Month)], vec![here(20 * day)], None),
        (
            &[],
            &[cap(1, Period::Open)],
            vec![here(20 * day)],
            Some(Period::Open),
        ),
        (
            &[],
            &[cap(1, Period::Open)],
            vec![here(-10)],
            Some(Period::Open),
        ),
        (&[], &[cap(1, Period::Open)], vec![here(-31)], None),
        // Two caps with room each do not make one without.
        (
            &[cap(2, Period::Day)],
            &[cap(2, Period::Week), cap(3, Period::Week)],
            vec![here(day + 60)],
            None,
        ),
    ];
    for (number, (house, gate, standing, expect)) in rows.into_iter().enumerate() {
        let judged = judged(|case| {
            case.house.caps = house.to_vec();
            case.gate.criteria.caps = gate.to_vec();
            case.standing = standing;
        });
        let told = text::joined(&judged.reasons);
        let expect = expect.map_or("enough credit".to_owned(), |per| text::over_cap(1, per));
        assert_eq!(told, expect, "row {number}");
    }
}

/// The occurrences of a series count one by one.
#[test]
fn a_series_fits_into_its_caps_as_a_whole() {
    let series = |case: &mut Case| {
        case.account = Some(account("bo@example.com", 20));
        case.bookings = (0..3)
            .map(|week| {
                but(booking(&format!("s{week}")), |b| {
                    b.start = at(24 * 60 + week * 7 * 24 * 60);
                    b.end = b.start + Span::minutes(30);
                })
            })
            .collect();
    };
    for (caps, codes) in [
        (vec![cap(1, Period::Week)], [Code::Enough]),
        (vec![cap(2, Period::Open)], [Code::OverCap]),
        (vec![cap(3, Period::Open)], [Code::Enough]),
        (vec![cap(2, Period::Month)], [Code::OverCap]),
    ] {
        let judged = judged(|case| {
            series(case);
            case.gate.criteria.caps = caps.clone();
        });
        let found: Vec<Code> = judged.reasons.iter().map(|reason| reason.code).collect();
        assert_eq!(found, codes, "{caps:?}");
    }
}

#[test]
fn the_first_price_that_fits_is_what_a_booking_costs() {
    let any = |cost| Price {
        cost,
        tiers: Vec::new(),
        event_types: Vec::new(),
        length: (None, None),
        when: Opening::ALWAYS,
        occurrences: (None, None),
    };
    let of_tier = |cost| Price {
        tiers: vec!["gold".to_owned(), "exec".to_owned()],
        ..any(cost)
    };
    let long = |cost| Price {
        length: (Some(Span::minutes(31)), None),
        ..any(cost)
    };
    let short = |cost| Price {
        length: (None, Some(Span::minutes(30))),
        ..any(cost)
    };
    let of_type = |cost, slug: &str| Price {
        event_types: vec![EventTypeKey::Slug(slug.to_owned())],
        ..any(cost)
    };
    let often = |cost, least| Price {
        occurrences: (Some(least), None),
        ..any(cost)
    };
    let never = |cost| Price {
        when: closed(),
        ..any(cost)
    };
    // prices, tier, minutes, occurrences, cost of each
    type Row = (Vec<Price>, Option<&'static str>, i64, i64, u64);
    let rows: [Row; 12] = [
        (vec![], None, 30, 1, 2),
        (vec![any(7)], None, 30, 1, 7),
        (vec![any(7), any(8)], None, 30, 1, 7),
        (vec![of_tier(0)], None, 30, 1, 2),
        (vec![of_tier(0)], Some("exec"), 30, 1, 0),
        (vec![of_tier(0), any(3)], Some("silver"), 30, 1, 3),
        (vec![long(4), short(1)], None, 60, 1, 4),
        (vec![long(4), short(1)], None, 30, 1, 1),
        (vec![of_type(5, "club")], None, 30, 1, 5),
        (vec![of_type(5, "other")], None, 30, 1, 2),
        (vec![often(1, 3)], None, 30, 3, 1),
        (vec![often(1, 4), never(9)], None, 30, 3, 2),
    ];
    for (number, (prices, tier, minutes, occurrences, cost)) in rows.into_iter().enumerate() {
        let judged = judged(|case| {
            case.gate.criteria.prices = prices;
            let account = case.account.insert(account("bo@example.com", 100));
            account.tier = tier.map(str::to_owned);
            case.bookings = (0..occurrences)
                .map(|week| {
                    but(booking(&format!("s{week}")), |b| {
                        b.start = at(24 * 60 + week * 7 * 24 * 60);
                        b.end = b.start + Span::minutes(minutes);
                    })
                })
                .collect();
        });
        let expect = vec![cost; usize::try_from(occurrences).unwrap()];
        assert_eq!(judged.costs, expect, "row {number}");
        assert_eq!(judged.credits, expect.iter().sum::<u64>(), "row {number}");
    }
}

/// Hours, days and weeks are the house's or the booker's.
#[test]
fn the_clock_is_the_houses_or_the_bookers() {
    // The booking starts at 08:00 UTC; in Auckland it is 21:00.
    let from_nine = Opening {
        from: chrono::NaiveTime::from_hms_opt(20, 0, 0).unwrap(),
        ..Opening::ALWAYS
    };
    let rows = [
        (WhoseClock::House, Some("Pacific/Auckland"), "UTC", DECLINE),
        (
            WhoseClock::Booker,
            Some("Pacific/Auckland"),
            "UTC",
            Decision::Confirm,
        ),
        (WhoseClock::Booker, Some("Nowhere/At_All"), "UTC", DECLINE),
        (
            WhoseClock::Booker,
            None,
            "Pacific/Auckland",
            Decision::Confirm,
        ),
        (
            WhoseClock::House,
            None,
            "Pacific/Auckland",
            Decision::Confirm,
        ),
    ];
    for (clock, theirs, house, expect) in rows {
        let judged = judged(|case| {
            case.gate.criteria.clock = clock;
            case.house.zone = house.parse().unwrap();
            case.gate.criteria.hours = vec![from_nine.clone()];
            let booker = case.bookings[0].booker.as_mut().unwrap();
            booker.time_zone = theirs.map(str::to_owned);
        });
        assert_eq!(judged.decision, expect, "{clock:?} {theirs:?} {house}");
    }
}

/// A paid booking that was moved: `carry` asks only what keeps calendar and ledger right.
#[test]
fn a_move_that_carries_is_not_asked_again() {
    let criteria: [fn(&mut Case); 8] = [
        blocked,
        not_allowed,
        too_many,
        frozen,
        wrong_pin,
        short_notice,
        out_of_hours,
        over_cap,
    ];
    for (number, object) in criteria.into_iter().enumerate() {
        for (how, confirms) in [(OnReschedule::Carry, true), (OnReschedule::Recheck, false)] {
            let judged = judged(|case| {
                object(case);
                case.gate.terms.on_reschedule = how;
                case.carried = Some(charge("p", crate::domain::request::ChargeState::Open));
            });
            let confirmed = judged.decision == Decision::Confirm;
            assert_eq!(confirmed, confirms, "criterion {number}, {how:?}");
        }
    }
    type Hard = (fn(&mut Case), Code);
    let hard: [Hard; 2] = [(taken, Code::Taken), (poor, Code::ShortOfCredit)];
    for (object, code) in hard {
        let change = |case: &mut Case| {
            object(case);
            case.gate.terms.on_reschedule = OnReschedule::Carry;
            case.gate.cost = 50;
            case.carried = Some(charge("p", crate::domain::request::ChargeState::Open));
        };
        assert_eq!(judged(change).reasons[0].code, code);
    }
}

fn word(verdict: Verdict) -> Option<Review> {
    Some(Review {
        verdict,
        reason: "Ann vouches for him.".to_owned(),
        at: now(),
    })
}

/// An operator's word stands above what the house asks for, and never above calendar and ledger.
#[test]
fn an_operators_word_stands_above_the_houses_criteria() {
    let house: [fn(&mut Case); 8] = [
        blocked,
        not_allowed,
        too_many,
        frozen,
        wrong_pin,
        short_notice,
        out_of_hours,
        over_cap,
    ];
    for object in house {
        for (verdict, decision) in [
            (Verdict::Confirm, Decision::Confirm),
            (Verdict::Decline, DECLINE),
        ] {
            let change = |case: &mut Case| {
                object(case);
                case.review = word(verdict);
            };
            let judged = check(change, decision, &[Code::Operator]);
            assert_eq!(text::joined(&judged.reasons), "Ann vouches for him.");
        }
    }
    type Hard = (fn(&mut Case), Code);
    let hard: [Hard; 4] = [
        (|case| case.bookings[0].booker = None, Code::NoBooker),
        (unknown, Code::UnknownBooker),
        (taken, Code::Taken),
        (poor, Code::ShortOfCredit),
    ];
    for (object, code) in hard {
        let change = |case: &mut Case| {
            object(case);
            case.review = word(Verdict::Confirm);
        };
        check(change, Decision::Review, &[code, Code::Operator]);
        let change = |case: &mut Case| {
            object(case);
            case.review = word(Verdict::Decline);
        };
        check(change, DECLINE, &[Code::Operator]);
    }
    // What is nobody's to answer stays so.
    let over = |case: &mut Case| {
        case.bookings[0].end = now();
        case.review = word(Verdict::Decline);
    };
    check(over, Decision::Leave, &[Code::Over]);
    // A booker without a ledger is declined all the same when a person says so.
    let empty = |case: &mut Case| {
        unknown(case);
        case.ledger_is_empty = true;
        case.review = word(Verdict::Decline);
    };
    check(empty, DECLINE, &[Code::Operator]);
}

/// Names of lists, notes and other operators' matters are not told to bookers.
#[test]
fn notes_of_operators_are_not_told() {
    for object in [blocked, not_allowed] {
        let judged = judged(object);
        assert!(!format!("{judged:?}").contains("a note of the operator"));
    }
}

/// Requests of one booker on one day, those of this plan included.
#[test]
fn a_day_has_so_many_requests() {
    use crate::domain::plan::{Action, plan};
    use crate::domain::snapshot::Earlier;

    let asked = |name: &str, minutes: i64| -> Booking {
        but(booking(name), |b| {
            b.created = at(minutes);
            b.start = at(24 * 60 + minutes);
            b.end = b.start + Span::minutes(1);
        })
    };
    let mut snapshot = snapshot(
        vec![asked("a", -50), asked("b", -40), asked("c", -30)],
        vec![account("bo@example.com", 9)],
    );
    snapshot.asked.insert(
        address("bo@example.com"),
        vec![
            // Of the day before, and one that is known and pending.
            Earlier {
                request: rid("z"),
                created: at(-24 * 60),
                told: false,
            },
            Earlier {
                request: rid("a"),
                created: at(-50),
                told: false,
            },
            Earlier {
                request: rid("y"),
                created: at(-60),
                told: false,
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

/// What one step lets in, the next one counts.
#[test]
fn a_plan_counts_what_it_lets_in() {
    use crate::domain::plan::plan;

    let at_hour = |name: &str, hour: i64| {
        but(booking(name), |b| {
            b.start = at(24 * 60 + 60 * hour);
            b.end = b.start + Span::minutes(30);
        })
    };
    let mut snapshot = snapshot(
        vec![at_hour("a", 0), at_hour("b", 1), at_hour("c", 2)],
        vec![account("bo@example.com", 9)],
    );
    let account = acc("bo@example.com");
    let before = vec![standing("x", 24 * 60 - 90, "club")];
    snapshot.standing.insert(account, before);
    let policy = policy_with(|gate| gate.criteria.caps = vec![cap(3, Period::Day)]);
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
        assert_eq!(text::span(Span::seconds(seconds)), expect);
    }
}
