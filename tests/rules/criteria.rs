//! Caps, limits, notice, hours, lists and prices.

use maitred::domain::booking::BookingRef;
use maitred::domain::criteria::cap::{Cap, Period};
use maitred::domain::criteria::effect::{Effect, Wait};
use maitred::domain::criteria::lists::{Listed, Who};
use maitred::domain::criteria::opening::Opening;
use maitred::domain::criteria::price::Price;
use maitred::domain::criteria::terms::Notice;
use maitred::domain::decision::Outcome;
use maitred::domain::fact::Fact;
use maitred::domain::gate::Policy;
use maitred::domain::id::{AccountId, Address, BookingUid, RequestId};
use maitred::domain::request::RequestState;
use maitred::domain::terms::OnReschedule;
use maitred::domain::time::Span;
use maitred::sandbox::actions::{Action, Said, Shift};

use super::common::{House, time};
use super::{BOTH, ask, commit, decided, rule, tier};

fn cap(at_most: u32, per: Period) -> Cap {
    Cap {
        at_most,
        per,
        tiers: Vec::new(),
    }
}

type Change = fn(&mut Policy);

/// What is asked for by bo, one pass after each line; and what comes of it.
type Passes = &'static [&'static [(&'static str, &'static str, &'static str)]];

const CONFIRM: &str = "confirm enough";
const OVER: &str = "decline over-cap";

fn cap_rows() -> Vec<(&'static str, Change, Passes)> {
    vec![
        (
            "a day, within one plan",
            |policy| policy.house.caps = vec![cap(1, Period::Day)],
            &[&[
                ("lesson", "2026-12-01T09:00:00Z", CONFIRM),
                ("dinner", "2026-12-01T18:00:00Z", OVER),
                ("lesson", "2026-12-02T09:00:00Z", CONFIRM),
            ]],
        ),
        (
            "a day, from pass to pass",
            |policy| policy.house.caps = vec![cap(1, Period::Day)],
            &[
                &[("lesson", "2026-12-01T09:00:00Z", CONFIRM)],
                &[("lesson", "2026-12-01T12:00:00Z", OVER)],
                &[("lesson", "2026-12-02T12:00:00Z", CONFIRM)],
            ],
        ),
        (
            "a week goes from Monday to Sunday",
            |policy| policy.house.caps = vec![cap(2, Period::Week)],
            &[
                &[
                    ("lesson", "2026-11-30T09:00:00Z", CONFIRM),
                    ("lesson", "2026-12-06T09:00:00Z", CONFIRM),
                ],
                &[
                    ("lesson", "2026-12-03T09:00:00Z", OVER),
                    ("lesson", "2026-12-07T09:00:00Z", CONFIRM),
                ],
            ],
        ),
        (
            "a month",
            |policy| policy.house.caps = vec![cap(1, Period::Month)],
            &[
                &[("lesson", "2026-12-01T09:00:00Z", CONFIRM)],
                &[
                    ("lesson", "2026-12-31T23:00:00Z", OVER),
                    ("lesson", "2027-01-01T00:00:00Z", CONFIRM),
                ],
            ],
        ),
        (
            "to come",
            |policy| policy.house.caps = vec![cap(2, Period::Open)],
            &[
                &[
                    ("lesson", "2026-12-01T09:00:00Z", CONFIRM),
                    ("lesson", "2027-06-01T09:00:00Z", CONFIRM),
                ],
                &[("lesson", "2027-01-01T09:00:00Z", OVER)],
            ],
        ),
        (
            "a gate counts its own",
            |policy| policy.gates[0].criteria.caps = vec![cap(1, Period::Day)],
            &[
                &[
                    ("dinner", "2026-12-01T18:00:00Z", CONFIRM),
                    ("lesson", "2026-12-01T09:00:00Z", CONFIRM),
                ],
                &[
                    ("dinner", "2026-12-01T20:00:00Z", CONFIRM),
                    ("lesson", "2026-12-01T11:00:00Z", OVER),
                ],
            ],
        ),
        (
            "the strictest of several",
            |policy| {
                policy.house.caps = vec![cap(3, Period::Week)];
                policy.gates[0].criteria.caps = vec![cap(1, Period::Day)];
            },
            &[
                &[
                    ("lesson", "2026-12-01T09:00:00Z", CONFIRM),
                    ("dinner", "2026-12-01T18:00:00Z", CONFIRM),
                ],
                &[
                    ("lesson", "2026-12-01T11:00:00Z", OVER),
                    ("lesson", "2026-12-02T11:00:00Z", CONFIRM),
                    ("dinner", "2026-12-02T18:00:00Z", OVER),
                ],
            ],
        ),
        (
            "for review",
            |policy| {
                policy.house.caps = vec![cap(1, Period::Day)];
                policy.gates[0].criteria.over_cap = Effect::Review;
            },
            &[&[
                ("lesson", "2026-12-01T09:00:00Z", CONFIRM),
                ("lesson", "2026-12-01T11:00:00Z", "review over-cap"),
            ]],
        ),
        (
            "a rule that counts",
            |policy| {
                let require = "member.week < 1";
                policy.house.rules = vec![rule("one-a-week", require, Effect::Decline, &[])];
            },
            &[
                &[("lesson", "2026-12-01T09:00:00Z", CONFIRM)],
                &[
                    ("lesson", "2026-12-02T09:00:00Z", "decline rule"),
                    ("lesson", "2026-12-09T09:00:00Z", CONFIRM),
                ],
            ],
        ),
    ]
}

#[tokio::test]
async fn caps_count_what_stands_and_what_the_plan_lets_in() {
    for dialect in BOTH {
        for (name, change, passes) in cap_rows() {
            let mut house = House::new(dialect).await;
            change(&mut house.policy);
            house.grant("bo@example.com", 100).await;
            for requests in passes {
                let mut made = Vec::new();
                for (kind, start, expect) in *requests {
                    let kind = match *kind {
                        "dinner" => house.kinds.dinner,
                        _ => house.kinds.lesson,
                    };
                    let uid = house.request(kind, "bo@example.com", start);
                    made.push((uid, start, expect));
                }
                house.pass().await;
                // A decline waits until the confirms of its own pass are settled.
                house.pass().await;
                for (uid, start, expect) in made {
                    let got = decided(&house, &uid).await;
                    assert_eq!(got, **expect, "{dialect:?} {name}: {start}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_was_cancelled_or_moved_away_counts_no_more() {
    for dialect in BOTH {
        let mut house = House::new(dialect).await;
        house.policy.house.caps = vec![cap(1, Period::Open)];
        for gate in &mut house.policy.gates {
            gate.terms.on_reschedule = OnReschedule::Recheck;
        }
        house.grant("bo@example.com", 100).await;
        let lesson = house.kinds.lesson;
        let first = house.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
        house.pass().await;
        assert_eq!(decided(&house, &first).await, CONFIRM, "{dialect:?}");
        house.clock.advance(Span::minutes(1));
        let now = house.clock.now();
        let moves = Action::BookerMoves(Shift::to(&first, time("2026-12-08T09:00:00Z")));
        let moved = house.sandbox.lock().act(now, moves).unwrap().remove(0);
        house.pass().await;
        let got = decided(&house, &moved).await;
        assert_eq!(got, "confirm carried", "{dialect:?}");
        let more = house.request(lesson, "bo@example.com", "2026-12-09T09:00:00Z");
        house.pass().await;
        assert_eq!(decided(&house, &more).await, OVER, "{dialect:?}");
        let now = house.clock.now();
        let cancels = Action::BookerCancels(Said::nothing(&moved));
        house.sandbox.lock().act(now, cancels).unwrap();
        house.watch(true).await;
        let again = house.request(lesson, "bo@example.com", "2026-12-10T09:00:00Z");
        house.pass().await;
        assert_eq!(decided(&house, &again).await, CONFIRM, "{dialect:?}");
    }
}

#[tokio::test]
async fn nobody_is_asked_to_look_at_more_than_so_many_requests_a_day() {
    for dialect in BOTH {
        let mut house = House::new(dialect).await;
        house.policy.house.requests_per_day = Some(2);
        house.policy.gates[1].criteria.requests_per_day = Some(1);
        house.grant("cy@example.com", 100).await;
        let (lesson, dinner) = (house.kinds.lesson, house.kinds.dinner);
        let at = |hour: u32| format!("2026-12-01T{hour:02}:00:00Z");
        // Two in one pass, and a third in the next; declined ones count too.
        let one = house.request(lesson, "al@example.com", &at(9));
        let two = house.request(lesson, "al@example.com", &at(10));
        let other = house.request(lesson, "cy@example.com", &at(11));
        house.pass().await;
        let three = house.request(lesson, "al@example.com", &at(12));
        let evening = house.request(dinner, "cy@example.com", &at(18));
        let four = house.request(lesson, "al@example.com", &at(13));
        house.pass().await;
        let five = house.request(lesson, "al@example.com", &at(14));
        house.pass().await;
        let many = "decline too-many-requests";
        let rows = [
            (&one, "decline unknown-booker"),
            (&two, "decline unknown-booker"),
            (&three, many),
            // The booker was told once, and each decline is a mail.
            (&four, "leave too-many-requests"),
            (&five, "leave too-many-requests"),
            (&other, CONFIRM),
            // The gate's own limit is the stricter one.
            (&evening, many),
        ];
        for (uid, expect) in rows {
            assert_eq!(decided(&house, uid).await, expect, "{dialect:?} {uid}");
        }
        house.clock.advance(Span::days(1));
        let tomorrow = house.request(dinner, "cy@example.com", &at(19));
        house.pass().await;
        assert_eq!(decided(&house, &tomorrow).await, CONFIRM, "{dialect:?}");
    }
}

#[tokio::test]
async fn notice_hours_and_lists_decide_as_configured() {
    let weekdays = Opening {
        weekdays: [true, true, true, true, true, false, false],
        from: "09:00:00".parse().unwrap(),
        to: Some("18:00:00".parse().unwrap()),
    };
    let listed = |who: Who, expires: Option<&str>| Listed {
        who,
        note: None,
        expires: expires.map(time),
    };
    let address = |text: &str| Who::Address(Address::parse(text).unwrap());
    for dialect in BOTH {
        let mut house = House::new(dialect).await;
        house.policy.house.block = vec![
            listed(address("eve@example.com"), None),
            listed(Who::Domain("spam.example".to_owned()), None),
            listed(address("cy@example.com"), Some("2026-11-01T00:00:00Z")),
        ];
        let lesson = &mut house.policy.gates[0].criteria;
        lesson.notice = Notice {
            at_least: Some(Span::hours(24)),
            at_most: Some(Span::days(30)),
        };
        lesson.hours = vec![weekdays.clone()];
        lesson.outside_hours = Effect::Leave;
        let dinner = &mut house.policy.gates[1].criteria;
        dinner.allow = vec![listed(address("bo@example.com"), None)];
        dinner.not_allowed = Effect::Review;
        let people = ["bo@example.com", "cy@example.com", "eve@example.com"];
        for who in people.into_iter().chain(["x@spam.example"]) {
            house.grant(who, 100).await;
        }
        let (lesson, dinner) = (house.kinds.lesson, house.kinds.dinner);
        let rows = [
            (lesson, "bo@example.com", "2026-12-01T09:00:00Z", CONFIRM),
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
            (lesson, "cy@example.com", "2026-12-02T11:00:00Z", CONFIRM),
            (dinner, "bo@example.com", "2026-12-02T12:00:00Z", CONFIRM),
            (
                dinner,
                "cy@example.com",
                "2026-12-02T13:00:00Z",
                "review not-allowed",
            ),
        ];
        let made = rows.map(|(kind, who, start, expect)| {
            (house.request(kind, who, start), who, start, expect)
        });
        house.pass().await;
        for (uid, who, start, expect) in made {
            let got = decided(&house, &uid).await;
            assert_eq!(got, expect, "{dialect:?} {who} {start}");
        }
    }
}

#[tokio::test]
async fn a_wait_ends_with_a_decline_or_with_what_was_missing() {
    for dialect in BOTH {
        let mut house = House::new(dialect).await;
        let wait = Effect::Wait(Wait {
            at_most: Some(Span::hours(2)),
            before_start: Span::zero(),
        });
        let require = "member.tier == \"gold\"";
        house.policy.house.rules = vec![rule("gold-only", require, wait, &[])];
        house.grant("bo@example.com", 5).await;
        house.grant("cy@example.com", 5).await;
        let lesson = house.kinds.lesson;
        let bo = house.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
        let cy = house.request(lesson, "cy@example.com", "2026-12-01T10:00:00Z");
        house.pass().await;
        assert_eq!(decided(&house, &bo).await, "wait rule", "{dialect:?}");
        assert_eq!(decided(&house, &cy).await, "wait rule", "{dialect:?}");
        house.clock.advance(Span::hours(1));
        tier(&house, "cy@example.com", "gold").await;
        house.pass().await;
        assert_eq!(decided(&house, &bo).await, "wait rule", "{dialect:?}");
        assert_eq!(decided(&house, &cy).await, CONFIRM, "{dialect:?}");
        house.clock.advance(Span::hours(1));
        house.pass().await;
        let got = decided(&house, &bo).await;
        assert!(got.starts_with("decline"), "{dialect:?} {got}");
        assert_eq!(house.balance("bo@example.com").await, (5, 0, 0));
    }
}

/// A note for another reason, made long before, does not shorten the wait.
#[tokio::test]
async fn a_wait_counts_from_when_its_own_reason_was_given_first() {
    for dialect in BOTH {
        let mut house = House::new(dialect).await;
        let bo = AccountId::parse("bo@example.com").unwrap();
        house.policy.gates[0].short_of_credit = Effect::wait(Span::hours(2));
        house.grant(bo.as_str(), 1).await;
        let frozen = |why: Option<&str>| Fact::Frozen {
            account: bo.clone(),
            why: why.map(str::to_owned),
        };
        commit(&house, frozen(Some("a talk first"))).await;
        let lesson = house.kinds.lesson;
        let first = house.request(lesson, bo.as_str(), "2026-12-01T09:00:00Z");
        let second = house.request(lesson, bo.as_str(), "2026-12-01T10:00:00Z");
        house.pass().await;
        assert_eq!(
            decided(&house, &second).await,
            "review frozen",
            "{dialect:?}"
        );
        house.clock.advance(Span::hours(3));
        commit(&house, frozen(None)).await;
        house.pass().await;
        house.pass().await;
        assert_eq!(decided(&house, &first).await, CONFIRM, "{dialect:?}");
        let waits = "wait short-of-credit";
        assert_eq!(decided(&house, &second).await, waits, "{dialect:?}");
        house.clock.advance(Span::minutes(119));
        house.pass().await;
        assert_eq!(decided(&house, &second).await, waits, "{dialect:?}");
        house.clock.advance(Span::minutes(2));
        house.pass().await;
        let got = decided(&house, &second).await;
        assert_eq!(got, "decline short-of-credit", "{dialect:?}");
    }
}

#[tokio::test]
async fn a_booking_costs_what_its_length_and_the_members_tier_say() {
    let price = |cost, tiers: &[&str], length| Price {
        cost,
        tiers: tiers.iter().map(|tier| (*tier).to_owned()).collect(),
        event_types: Vec::new(),
        length,
        when: Opening::ALWAYS,
        occurrences: (None, None),
    };
    for dialect in BOTH {
        let mut house = House::new(dialect).await;
        let long = (Some(Span::minutes(60)), None);
        house.policy.gates[0].criteria.prices = vec![
            price(2, &["gold"], long),
            price(4, &[], long),
            price(0, &["exec"], (None, None)),
        ];
        for who in ["bo", "go", "ex"] {
            house.grant(&format!("{who}@example.com"), 10).await;
        }
        tier(&house, "go@example.com", "gold").await;
        tier(&house, "ex@example.com", "exec").await;
        let lesson = house.kinds.lesson;
        // who, minutes, start, charged
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
            let uid = ask(&house, lesson, who, start, |ask| ask.length = length);
            (uid, who, minutes, charged)
        });
        house.pass().await;
        for (uid, who, minutes, charged) in made {
            assert_eq!(decided(&house, &uid).await, CONFIRM, "{dialect:?} {who}");
            let credits = house.charge(&uid).await.unwrap().credits();
            assert_eq!(credits, charged, "{dialect:?} {who} {minutes}");
        }
        assert_eq!(house.balance("bo@example.com").await, (5, 0, 5));
        assert_eq!(house.balance("go@example.com").await, (7, 0, 3));
        assert_eq!(house.balance("ex@example.com").await, (6, 0, 4));
    }
}

/// A member with more bookings than are counted: nothing is decided, and it is said.
#[tokio::test]
async fn who_has_too_many_to_be_counted_is_left_alone() {
    let mut house = House::new(BOTH[0]).await;
    house.policy.house.caps = vec![cap(5_000, Period::Open)];
    house.grant("bo@example.com", 2_000).await;
    house.grant("cy@example.com", 1).await;
    crowd(&mut house, 1_000).await;
    let lesson = house.kinds.lesson;
    let bo = house.request(lesson, "bo@example.com", "2026-12-01T09:00:00Z");
    let cy = house.request(lesson, "cy@example.com", "2026-12-01T10:00:00Z");
    let report = house.pass().await;
    assert_eq!(decided(&house, &bo).await, "none (pending)");
    assert_eq!(decided(&house, &cy).await, CONFIRM);
    let problems: Vec<_> = report.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(problems, ["too-many-before"]);
    assert!(!report.problems[0].text.contains('@'));
}

/// They fill the first page, and more is not taken in hand: whoever asked later is not kept waiting.
#[tokio::test]
async fn what_is_left_alone_hides_nobody_behind_it() {
    let mut house = House::new(BOTH[0]).await;
    house.policy.house.caps = vec![cap(5_000, Period::Open)];
    house.policy.limits.requests_per_pass = 1;
    house.grant("bo@example.com", 2_000).await;
    house.grant("cy@example.com", 1).await;
    crowd(&mut house, 1_000).await;
    let lesson = house.kinds.lesson;
    for n in 0..300 {
        let start = house.clock.now() + Span::days(2) + Span::minutes(30 * n);
        house.request(lesson, "bo@example.com", &start.to_rfc3339());
    }
    let cy = house.request(lesson, "cy@example.com", "2027-01-20T10:00:00Z");
    let report = house.pass().await;
    assert!(report.more, "there is more behind");
    house.pass().await;
    assert_eq!(decided(&house, &cy).await, CONFIRM);
}

/// Charges of bo, as confirmed bookings have them: copies of one that was confirmed.
async fn crowd(house: &mut House, count: usize) {
    let lesson = house.kinds.lesson;
    let uid = house.request(lesson, "bo@example.com", "2026-12-20T09:00:00Z");
    house.pass().await;
    let model = house.record(&uid).await.unwrap();
    let charge = house.charge(&uid).await.unwrap();
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
            Fact::Decided {
                request: request.into(),
            },
            Fact::Hold {
                booking,
                request: id.clone(),
                account: charge.account.clone(),
                parts: charge.parts.clone(),
                event_type: charge.event_type,
                host: charge.host,
                start: charge.start,
                end: charge.end,
                terms: charge.terms.clone(),
            },
            Fact::Post { booking: uid },
            Fact::Settled {
                request: id,
                outcome: Outcome::Confirmed,
            },
        ]
    });
    let at = house.clock.now();
    let facts: Vec<Fact> = facts.collect();
    for some in facts.chunks(400) {
        let some = some.to_vec();
        let done = house.store.with(move |store| store.commit(at, some, &[]));
        done.await.unwrap();
    }
}
