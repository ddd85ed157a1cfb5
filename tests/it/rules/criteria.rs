//! Caps, limits, notice, hours, lists and prices.

use maitred::domain::booking::BookingRef;
use maitred::domain::criteria::access_list::{AccessEntry, AccessSubject};
use maitred::domain::criteria::cap::{Cap, CapPeriod};
use maitred::domain::criteria::gate_criteria::NoticeBounds;
use maitred::domain::criteria::on_violation::{OnViolation, Wait};
use maitred::domain::criteria::price::{Cost, Price};
use maitred::domain::criteria::time_window::TimeWindow;
use maitred::domain::decision::DecisionOutcome;
use maitred::domain::fact::{AccountFact, ChargeFact, Fact, RequestFact};
use maitred::domain::gate::Policy;
use maitred::domain::id::{AccountId, Address, BookingUid, RequestId};
use maitred::domain::refund_policy::OnReschedule;
use maitred::domain::request::RequestState;
use maitred::domain::time::Span;
use maitred::sandbox::action::{BookingMove, BookingRemark, ThirdPartyAction};

use super::{decision_text, request_with, rule_with_lookups, set_tier};
use crate::fixture::clock::parse_time;
use crate::fixture::pass_fixture::PassFixture;
use crate::fixture::steps::{DIALECTS, commit_fact};

fn cap(at_most: u32, per: CapPeriod) -> Cap {
    Cap {
        at_most,
        period: per,
        tiers: Vec::new(),
    }
}

type PolicyChange = fn(&mut Policy);

/// What bo requests, with one pass after each line, and the expected decisions.
type ExpectedPasses = &'static [&'static [(&'static str, &'static str, &'static str)]];

const CONFIRMED: &str = "confirm enough";
const OVER_CAP: &str = "decline over-cap";

fn cap_cases() -> Vec<(&'static str, PolicyChange, ExpectedPasses)> {
    vec![
        (
            "a day, within one plan",
            |policy| policy.global.caps = vec![cap(1, CapPeriod::Day)],
            &[&[
                ("lesson", "2026-12-01T09:00:00Z", CONFIRMED),
                ("dinner", "2026-12-01T18:00:00Z", OVER_CAP),
                ("lesson", "2026-12-02T09:00:00Z", CONFIRMED),
            ]],
        ),
        (
            "a day, from pass to pass",
            |policy| policy.global.caps = vec![cap(1, CapPeriod::Day)],
            &[
                &[("lesson", "2026-12-01T09:00:00Z", CONFIRMED)],
                &[("lesson", "2026-12-01T12:00:00Z", OVER_CAP)],
                &[("lesson", "2026-12-02T12:00:00Z", CONFIRMED)],
            ],
        ),
        (
            "a week goes from Monday to Sunday",
            |policy| policy.global.caps = vec![cap(2, CapPeriod::Week)],
            &[
                &[
                    ("lesson", "2026-11-30T09:00:00Z", CONFIRMED),
                    ("lesson", "2026-12-06T09:00:00Z", CONFIRMED),
                ],
                &[
                    ("lesson", "2026-12-03T09:00:00Z", OVER_CAP),
                    ("lesson", "2026-12-07T09:00:00Z", CONFIRMED),
                ],
            ],
        ),
        (
            "a month",
            |policy| policy.global.caps = vec![cap(1, CapPeriod::Month)],
            &[
                &[("lesson", "2026-12-01T09:00:00Z", CONFIRMED)],
                &[
                    ("lesson", "2026-12-31T23:00:00Z", OVER_CAP),
                    ("lesson", "2027-01-01T00:00:00Z", CONFIRMED),
                ],
            ],
        ),
        (
            "to come",
            |policy| policy.global.caps = vec![cap(2, CapPeriod::Open)],
            &[
                &[
                    ("lesson", "2026-12-01T09:00:00Z", CONFIRMED),
                    ("lesson", "2027-06-01T09:00:00Z", CONFIRMED),
                ],
                &[("lesson", "2027-01-01T09:00:00Z", OVER_CAP)],
            ],
        ),
        (
            "a gate counts its own",
            |policy| policy.gates[0].criteria.caps = vec![cap(1, CapPeriod::Day)],
            &[
                &[
                    ("dinner", "2026-12-01T18:00:00Z", CONFIRMED),
                    ("lesson", "2026-12-01T09:00:00Z", CONFIRMED),
                ],
                &[
                    ("dinner", "2026-12-01T20:00:00Z", CONFIRMED),
                    ("lesson", "2026-12-01T11:00:00Z", OVER_CAP),
                ],
            ],
        ),
        (
            "the strictest of several",
            |policy| {
                policy.global.caps = vec![cap(3, CapPeriod::Week)];
                policy.gates[0].criteria.caps = vec![cap(1, CapPeriod::Day)];
            },
            &[
                &[
                    ("lesson", "2026-12-01T09:00:00Z", CONFIRMED),
                    ("dinner", "2026-12-01T18:00:00Z", CONFIRMED),
                ],
                &[
                    ("lesson", "2026-12-01T11:00:00Z", OVER_CAP),
                    ("lesson", "2026-12-02T11:00:00Z", CONFIRMED),
                    ("dinner", "2026-12-02T18:00:00Z", OVER_CAP),
                ],
            ],
        ),
        (
            "for review",
            |policy| {
                policy.global.caps = vec![cap(1, CapPeriod::Day)];
                policy.gates[0].criteria.on_over_cap = OnViolation::Review;
            },
            &[&[
                ("lesson", "2026-12-01T09:00:00Z", CONFIRMED),
                ("lesson", "2026-12-01T11:00:00Z", "review over-cap"),
            ]],
        ),
        (
            "a rule that counts",
            |policy| {
                let require = "member.week < 1";
                policy.global.rules = vec![rule_with_lookups(
                    "one-a-week",
                    require,
                    OnViolation::Decline,
                    &[],
                )];
            },
            &[
                &[("lesson", "2026-12-01T09:00:00Z", CONFIRMED)],
                &[
                    ("lesson", "2026-12-02T09:00:00Z", "decline rule"),
                    ("lesson", "2026-12-09T09:00:00Z", CONFIRMED),
                ],
            ],
        ),
    ]
}

#[tokio::test]
async fn caps_count_existing_bookings_and_confirmations_of_the_same_plan() {
    for dialect in DIALECTS {
        for (name, change, passes) in cap_cases() {
            let mut fixture = PassFixture::new(dialect).await;
            change(&mut fixture.policy);
            fixture.grant("bo@example.com", 100).await;
            for requests in passes {
                let mut made = Vec::new();
                for (kind, start, expect) in *requests {
                    let kind = match *kind {
                        "dinner" => fixture.event_types.dinner,
                        _ => fixture.event_types.lesson,
                    };
                    let uid = fixture.request(kind, "bo@example.com", start);
                    made.push((uid, start, expect));
                }
                fixture.pass().await;
                // A decline waits until the confirms of its own pass are settled.
                fixture.pass().await;
                for (uid, start, expect) in made {
                    let got = decision_text(&fixture, &uid).await;
                    assert_eq!(got, **expect, "{dialect:?} {name}: {start}");
                }
            }
        }
    }
}

#[tokio::test]
async fn cancelled_and_moved_bookings_are_no_longer_counted() {
    for dialect in DIALECTS {
        let mut fixture = PassFixture::new(dialect).await;
        fixture.policy.global.caps = vec![cap(1, CapPeriod::Open)];
        for gate in &mut fixture.policy.gates {
            gate.terms.on_reschedule = OnReschedule::Recheck;
        }
        fixture.grant("bo@example.com", 100).await;
        let lesson = fixture.event_types.lesson;
        let first = fixture.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
        fixture.pass().await;
        assert_eq!(
            decision_text(&fixture, &first).await,
            CONFIRMED,
            "{dialect:?}"
        );
        fixture.clock.advance(Span::minutes(1));
        let now = fixture.clock.now();
        let moves = ThirdPartyAction::BookerMoves(BookingMove::new(
            &first,
            parse_time("2026-12-08T09:00:00Z"),
        ));
        let moved = fixture.sandbox.lock().act(now, moves).unwrap().remove(0);
        fixture.pass().await;
        let got = decision_text(&fixture, &moved).await;
        assert_eq!(got, "confirm carried", "{dialect:?}");
        let more = fixture.request(lesson, "bo@example.com", "2026-12-09T09:00:00Z");
        fixture.pass().await;
        assert_eq!(
            decision_text(&fixture, &more).await,
            OVER_CAP,
            "{dialect:?}"
        );
        let now = fixture.clock.now();
        let cancels = ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&moved));
        fixture.sandbox.lock().act(now, cancels).unwrap();
        fixture.watch(true).await;
        let again = fixture.request(lesson, "bo@example.com", "2026-12-10T09:00:00Z");
        fixture.pass().await;
        assert_eq!(
            decision_text(&fixture, &again).await,
            CONFIRMED,
            "{dialect:?}"
        );
    }
}

#[tokio::test]
async fn the_number_of_reviews_a_day_is_limited() {
    for dialect in DIALECTS {
        let mut fixture = PassFixture::new(dialect).await;
        fixture.policy.global.requests_per_day = Some(2);
        fixture.policy.gates[1].criteria.requests_per_day = Some(1);
        fixture.grant("cy@example.com", 100).await;
        let (lesson, dinner) = (fixture.event_types.lesson, fixture.event_types.dinner);
        let at = |hour: u32| format!("2026-12-01T{hour:02}:00:00Z");
        // Two requests in one pass, and a third in the next; declined requests count, too.
        let one = fixture.request(lesson, "al@example.com", &at(9));
        let two = fixture.request(lesson, "al@example.com", &at(10));
        let other = fixture.request(lesson, "cy@example.com", &at(11));
        fixture.pass().await;
        let three = fixture.request(lesson, "al@example.com", &at(12));
        let evening = fixture.request(dinner, "cy@example.com", &at(18));
        let four = fixture.request(lesson, "al@example.com", &at(13));
        fixture.pass().await;
        let five = fixture.request(lesson, "al@example.com", &at(14));
        fixture.pass().await;
        let many = "decline too-many-requests";
        let rows = [
            (&one, "decline unknown-booker"),
            (&two, "decline unknown-booker"),
            (&three, many),
            // The booker was informed once, and each decline is a mail.
            (&four, "leave too-many-requests"),
            (&five, "leave too-many-requests"),
            (&other, CONFIRMED),
            // The gate's own limit is stricter.
            (&evening, many),
        ];
        for (uid, expect) in rows {
            assert_eq!(
                decision_text(&fixture, uid).await,
                expect,
                "{dialect:?} {uid}"
            );
        }
        fixture.clock.advance(Span::days(1));
        let tomorrow = fixture.request(dinner, "cy@example.com", &at(19));
        fixture.pass().await;
        assert_eq!(
            decision_text(&fixture, &tomorrow).await,
            CONFIRMED,
            "{dialect:?}"
        );
    }
}

#[tokio::test]
async fn notice_hours_and_lists_decide_as_configured() {
    let weekdays = TimeWindow {
        weekdays: [true, true, true, true, true, false, false],
        from: "09:00:00".parse().unwrap(),
        to: Some("18:00:00".parse().unwrap()),
    };
    let listed = |subject: AccessSubject, expires: Option<&str>| AccessEntry {
        subject,
        note: None,
        expires: expires.map(parse_time),
    };
    let address = |text: &str| AccessSubject::Address(Address::parse(text).unwrap());
    for dialect in DIALECTS {
        let mut fixture = PassFixture::new(dialect).await;
        fixture.policy.global.block = vec![
            listed(address("eve@example.com"), None),
            listed(AccessSubject::Domain("spam.example".to_owned()), None),
            listed(address("cy@example.com"), Some("2026-11-01T00:00:00Z")),
        ];
        let lesson = &mut fixture.policy.gates[0].criteria;
        lesson.notice = NoticeBounds {
            at_least: Some(Span::hours(24)),
            at_most: Some(Span::days(30)),
        };
        lesson.hours = vec![weekdays.clone()];
        lesson.on_outside_hours = OnViolation::Leave;
        let dinner = &mut fixture.policy.gates[1].criteria;
        dinner.allow = vec![listed(address("bo@example.com"), None)];
        dinner.on_not_allowed = OnViolation::Review;
        let people = ["bo@example.com", "cy@example.com", "eve@example.com"];
        for who in people.into_iter().chain(["x@spam.example"]) {
            fixture.grant(who, 100).await;
        }
        let (lesson, dinner) = (fixture.event_types.lesson, fixture.event_types.dinner);
        let rows = [
            (lesson, "bo@example.com", "2026-12-01T09:00:00Z", CONFIRMED),
            (
                lesson,
                "bo@example.com",
                "2026-11-24T17:00:00Z",
                "decline notice-too-short",
            ),
            (
                lesson,
                "bo@example.com",
                "2026-12-29T09:00:00Z",
                "decline notice-too-long",
            ),
            (
                lesson,
                "bo@example.com",
                "2026-12-05T09:00:00Z",
                "leave outside-hours",
            ),
            (
                lesson,
                "bo@example.com",
                "2026-12-02T17:45:00Z",
                "leave outside-hours",
            ),
            (
                lesson,
                "eve+x@example.com",
                "2026-12-02T09:00:00Z",
                "decline blocked",
            ),
            (
                lesson,
                "x@spam.example",
                "2026-12-02T10:00:00Z",
                "decline blocked",
            ),
            (lesson, "cy@example.com", "2026-12-02T11:00:00Z", CONFIRMED),
            (dinner, "bo@example.com", "2026-12-02T12:00:00Z", CONFIRMED),
            (
                dinner,
                "cy@example.com",
                "2026-12-02T13:00:00Z",
                "review not-allowed",
            ),
        ];
        let made = rows.map(|(kind, who, start, expect)| {
            (fixture.request(kind, who, start), who, start, expect)
        });
        fixture.pass().await;
        for (uid, who, start, expect) in made {
            let got = decision_text(&fixture, &uid).await;
            assert_eq!(got, expect, "{dialect:?} {who} {start}");
        }
    }
}

#[tokio::test]
async fn a_wait_ends_with_a_decline_or_when_its_reason_is_gone() {
    for dialect in DIALECTS {
        let mut fixture = PassFixture::new(dialect).await;
        let wait = OnViolation::Wait(Wait {
            at_most: Some(Span::hours(2)),
            before_start: Span::zero(),
        });
        let require = "member.tier == \"gold\"";
        fixture.policy.global.rules = vec![rule_with_lookups("gold-only", require, wait, &[])];
        fixture.grant("bo@example.com", 5).await;
        fixture.grant("cy@example.com", 5).await;
        let lesson = fixture.event_types.lesson;
        let bo = fixture.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
        let cy = fixture.request(lesson, "cy@example.com", "2026-12-01T10:00:00Z");
        fixture.pass().await;
        assert_eq!(
            decision_text(&fixture, &bo).await,
            "wait rule",
            "{dialect:?}"
        );
        assert_eq!(
            decision_text(&fixture, &cy).await,
            "wait rule",
            "{dialect:?}"
        );
        fixture.clock.advance(Span::hours(1));
        set_tier(&fixture, "cy@example.com", "gold").await;
        fixture.pass().await;
        assert_eq!(
            decision_text(&fixture, &bo).await,
            "wait rule",
            "{dialect:?}"
        );
        assert_eq!(decision_text(&fixture, &cy).await, CONFIRMED, "{dialect:?}");
        fixture.clock.advance(Span::hours(1));
        fixture.pass().await;
        let got = decision_text(&fixture, &bo).await;
        assert!(got.starts_with("decline"), "{dialect:?} {got}");
        assert_eq!(fixture.balance("bo@example.com").await, (5, 0, 0));
    }
}

/// A note for another reason, made long before, does not shorten the wait.
#[tokio::test]
async fn a_wait_counts_from_the_first_record_of_its_own_reason() {
    for dialect in DIALECTS {
        let mut fixture = PassFixture::new(dialect).await;
        let bo = AccountId::parse("bo@example.com").unwrap();
        fixture.policy.gates[0].short_of_credit = OnViolation::wait_for(Span::hours(2));
        fixture.grant(bo.as_str(), 1).await;
        let frozen = |why: Option<&str>| {
            Fact::Account(AccountFact::FreezeChanged {
                stops_expiry: false,
                account: bo.clone(),
                reason: why.map(str::to_owned),
            })
        };
        commit_fact(&fixture, frozen(Some("a talk first"))).await;
        let lesson = fixture.event_types.lesson;
        let first = fixture.request(lesson, bo.as_str(), "2026-12-01T09:00:00Z");
        let second = fixture.request(lesson, bo.as_str(), "2026-12-01T10:00:00Z");
        fixture.pass().await;
        assert_eq!(
            decision_text(&fixture, &second).await,
            "review frozen",
            "{dialect:?}"
        );
        fixture.clock.advance(Span::hours(3));
        commit_fact(&fixture, frozen(None)).await;
        fixture.pass().await;
        fixture.pass().await;
        assert_eq!(
            decision_text(&fixture, &first).await,
            CONFIRMED,
            "{dialect:?}"
        );
        let waits = "wait short-of-credit";
        assert_eq!(decision_text(&fixture, &second).await, waits, "{dialect:?}");
        fixture.clock.advance(Span::minutes(119));
        fixture.pass().await;
        assert_eq!(decision_text(&fixture, &second).await, waits, "{dialect:?}");
        fixture.clock.advance(Span::minutes(2));
        fixture.pass().await;
        let got = decision_text(&fixture, &second).await;
        assert_eq!(got, "decline short-of-credit", "{dialect:?}");
    }
}

#[tokio::test]
async fn a_booking_costs_by_its_length_and_the_members_tier() {
    let price = |cost, tiers: &[&str], length| Price {
        cost: Cost::Fixed(cost),
        tiers: tiers.iter().map(|tier| (*tier).to_owned()).collect(),
        event_types: Vec::new(),
        length,
        start_window: TimeWindow::ALWAYS,
        occurrences: (None, None),
    };
    for dialect in DIALECTS {
        let mut fixture = PassFixture::new(dialect).await;
        let long = (Some(Span::minutes(60)), None);
        fixture.policy.gates[0].criteria.prices = vec![
            price(2, &["gold"], long),
            price(4, &[], long),
            price(0, &["exec"], (None, None)),
        ];
        for who in ["bo", "go", "ex"] {
            fixture.grant(&format!("{who}@example.com"), 10).await;
        }
        set_tier(&fixture, "go@example.com", "gold").await;
        set_tier(&fixture, "ex@example.com", "exec").await;
        let lesson = fixture.event_types.lesson;
        // who, minutes, start, charge
        let rows = [
            ("bo@example.com", 30, "2026-12-01T09:00:00Z", 1),
            ("bo@example.com", 60, "2026-12-01T10:00:00Z", 4),
            ("go@example.com", 90, "2026-12-01T12:00:00Z", 2),
            ("go@example.com", 30, "2026-12-01T14:00:00Z", 1),
            ("ex@example.com", 30, "2026-12-01T15:00:00Z", 0),
            ("ex@example.com", 60, "2026-12-01T16:00:00Z", 4),
        ];
        let made = rows.map(|(who, minutes, start, charged)| {
            let length = Some(Span::minutes(minutes));
            let uid = request_with(&fixture, lesson, who, start, |ask| ask.length = length);
            (uid, who, minutes, charged)
        });
        fixture.pass().await;
        for (uid, who, minutes, charged) in made {
            assert_eq!(
                decision_text(&fixture, &uid).await,
                CONFIRMED,
                "{dialect:?} {who}"
            );
            let credits = fixture.charge(&uid).await.unwrap().credits();
            assert_eq!(credits, charged, "{dialect:?} {who} {minutes}");
        }
        assert_eq!(fixture.balance("bo@example.com").await, (5, 0, 5));
        assert_eq!(fixture.balance("go@example.com").await, (7, 0, 3));
        assert_eq!(fixture.balance("ex@example.com").await, (6, 0, 4));
    }
}

/// A member has more bookings than are counted: nothing is decided, and a problem is reported.
#[tokio::test]
async fn members_with_too_many_bookings_to_count_are_left_undecided() {
    let mut fixture = PassFixture::new(DIALECTS[0]).await;
    fixture.policy.global.caps = vec![cap(5_000, CapPeriod::Open)];
    fixture.grant("bo@example.com", 2_000).await;
    fixture.grant("cy@example.com", 1).await;
    add_charges(&mut fixture, 1_000).await;
    let lesson = fixture.event_types.lesson;
    let bo = fixture.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
    let cy = fixture.request(lesson, "cy@example.com", "2026-12-01T10:00:00Z");
    let report = fixture.pass().await;
    assert_eq!(decision_text(&fixture, &bo).await, "none (pending)");
    assert_eq!(decision_text(&fixture, &cy).await, CONFIRMED);
    let problems: Vec<_> = report.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(problems, ["too-many-before"]);
    assert!(!report.problems[0].text.contains('@'));
}

/// The undecidable requests fill the first page and the limit of a pass; later requests of others
/// are still served.
#[tokio::test]
async fn undecidable_requests_do_not_hide_later_ones() {
    let mut fixture = PassFixture::new(DIALECTS[0]).await;
    fixture.policy.global.caps = vec![cap(5_000, CapPeriod::Open)];
    fixture.policy.limits.requests_per_pass = 1;
    fixture.grant("bo@example.com", 2_000).await;
    fixture.grant("cy@example.com", 1).await;
    add_charges(&mut fixture, 1_000).await;
    let lesson = fixture.event_types.lesson;
    for n in 0..300 {
        let start = fixture.clock.now() + Span::days(2) + Span::minutes(30 * n);
        fixture.request(lesson, "bo@example.com", &start.to_rfc3339());
    }
    let cy = fixture.request(lesson, "cy@example.com", "2027-01-20T10:00:00Z");
    let report = fixture.pass().await;
    assert!(report.more, "there is more behind");
    fixture.pass().await;
    assert_eq!(decision_text(&fixture, &cy).await, CONFIRMED);
}

/// Adds charges of bo, as confirmed bookings have them: copies of a confirmed booking's charge.
async fn add_charges(fixture: &mut PassFixture, count: usize) {
    let lesson = fixture.event_types.lesson;
    let uid = fixture.request(lesson, "bo@example.com", "2026-12-20T09:00:00Z");
    fixture.pass().await;
    let model = fixture.stored_request(&uid).await.unwrap();
    let charge = fixture.charge(&uid).await.unwrap();
    let facts = (0..count).flat_map(|n| {
        let uid = BookingUid::parse(&format!("crowd{n}")).unwrap();
        let booking = BookingRef {
            uid: uid.clone(),
            id: None,
        };
        let id = RequestId::from(&uid);
        let mut request = model.clone();
        request.id = id.clone();
        request.bookings = vec![booking.clone()];
        request.state = RequestState::Recorded;
        [
            Fact::Request(RequestFact::Decided {
                request: request.into(),
            }),
            Fact::Charge(ChargeFact::Hold {
                lent: 0,
                booking,
                request: id.clone(),
                account: charge.account.clone(),
                parts: charge.parts.clone(),
                event_type: charge.event_type,
                host: charge.host,
                start: charge.start,
                end: charge.end,
                terms: charge.terms.clone(),
            }),
            Fact::Charge(ChargeFact::Post { booking: uid }),
            Fact::Request(RequestFact::IntentSettled {
                request: id,
                outcome: DecisionOutcome::Confirmed,
            }),
        ]
    });
    let at = fixture.clock.now();
    let facts: Vec<Fact> = facts.collect();
    for some in facts.chunks(400) {
        let some = some.to_vec();
        let done = fixture.store.with(move |store| store.commit(at, some, &[]));
        done.await.unwrap();
    }
}
