//! The totals of each day that the projection keeps: always what a count over all facts gives, in the
//! store on disk and in memory, after a rebuild, and from the command line.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use maitred::domain::daily_totals::DailyTotals;
use maitred::domain::decision::{Decision, DecisionOutcome, Reason, ReasonCode};
use maitred::domain::fact::{ChargeFact, CreditFact, Fact, RefundPart, RequestFact};
use maitred::domain::id::BookingUid;
use maitred::domain::request::{Request, RequestState};
use maitred::domain::time::{Span, Time};
use maitred::domain::watch::unmanaged_bookings::close_note;
use maitred::store::log_store::LogStore;
use maitred::store::memory::MemoryStore;
use maitred::store::port::Store;
use maitred::store::scratch::{ScratchStore, ScratchWrites};

use crate::fixture::binary::{BinaryFixture, Daemon};
use crate::fixture::store_support::{
    account, at, confirm_intent, decided_fact, grant_fact, hold_fact, lot_part, open_small,
    outcome_fact, post_fact, reference, uid,
};

const BO: &str = "bo@example.com";

/// The totals of a day as they are counted here: by the kind of what is counted.
type CountedDay = BTreeMap<String, u64>;

/// Counts all facts of a store from its commits, one day at a time.
fn count_facts(store: &dyn Store) -> BTreeMap<NaiveDate, CountedDay> {
    let mut days: BTreeMap<NaiveDate, CountedDay> = BTreeMap::new();
    let mut held: BTreeMap<BookingUid, u64> = BTreeMap::new();
    for commit in store.commits(0, 10_000).unwrap() {
        for fact in &commit.facts {
            let (kind, number) = match fact {
                Fact::Credit(CreditFact::Grant { credits, .. }) => ("granted".to_owned(), *credits),
                Fact::Credit(CreditFact::Expire { part, .. }) => {
                    ("expired".to_owned(), part.credits)
                }
                Fact::Credit(CreditFact::Revoke { parts, .. }) => {
                    let credits = parts.iter().map(|part| part.credits);
                    ("revoked".to_owned(), credits.sum())
                }
                Fact::Charge(ChargeFact::Hold { booking, parts, .. }) => {
                    let credits = parts.iter().map(|part| part.credits);
                    held.insert(booking.uid.clone(), credits.sum());
                    continue;
                }
                Fact::Charge(ChargeFact::Post { booking }) => {
                    ("spent".to_owned(), held.remove(booking).unwrap())
                }
                Fact::Charge(ChargeFact::Refund { parts, .. }) => {
                    let credits = parts.iter().map(|part| part.credits);
                    ("refunded".to_owned(), credits.sum())
                }
                // A request that waits is closed by the same decision once more, as an intent.
                Fact::Request(RequestFact::Decided { request })
                    if request.state == RequestState::Recorded
                        && !["confirm", "decline"].contains(&request.decision.as_str()) =>
                {
                    continue;
                }
                Fact::Request(RequestFact::Decided { request }) => {
                    let reason = request.reasons.first();
                    let reason = reason.map_or("none", |reason| reason.code.as_str());
                    (format!("{} {reason}", request.decision.as_str()), 1)
                }
                _ => continue,
            };
            let day = days.entry(commit.at.date_naive()).or_default();
            *day.entry(kind).or_default() += number;
        }
    }
    for day in days.values_mut() {
        day.retain(|_, number| *number > 0);
    }
    days.retain(|_, day| !day.is_empty());
    days
}

fn to_counted(totals: &DailyTotals) -> CountedDay {
    let decisions = totals.decisions.iter();
    let decisions =
        decisions.map(|((decision, reason), count)| (format!("{decision} {reason}"), *count));
    let credits = [
        ("granted", totals.granted),
        ("spent", totals.spent),
        ("refunded", totals.refunded),
        ("expired", totals.expired),
        ("revoked", totals.revoked),
    ];
    let credits = credits.map(|(kind, credits)| (kind.to_owned(), credits));
    let all = decisions.chain(credits);
    all.filter(|(_, number)| *number > 0).collect()
}

/// Compares the totals of a store with a count over its facts.
pub fn assert_totals_are_those_of_the_facts(store: &dyn Store) {
    let (first, last) = (at(0).date_naive(), (at(0) + Span::days(900)).date_naive());
    let totals = store.daily_totals(first, last).unwrap();
    assert!(totals.is_sorted_by_key(|(day, _)| *day));
    let kept: BTreeMap<NaiveDate, CountedDay> = { totals.iter() }
        .map(|(day, totals)| (*day, to_counted(totals)))
        .collect();
    assert_eq!(kept, count_facts(store));
}

fn day(number: i64) -> Time {
    at(0) + Span::days(number)
}

fn decided(id: &str, decision: Decision, code: ReasonCode, at: Time) -> Fact {
    decided_fact(noted(id, decision, code, at))
}

fn noted(id: &str, decision: Decision, code: ReasonCode, at: Time) -> Request {
    let reason = Reason {
        code,
        text: "so it is".to_owned(),
    };
    Request {
        decision,
        call: None,
        reasons: vec![reason],
        state: RequestState::Noted,
        ..confirm_intent(id, &[id], at)
    }
}

/// Several days: grants, two confirmations, a decision that changes, a refund in two parts, an
/// expired lot, a revocation, and a hold that is given back.
fn sample_days() -> Vec<(Time, Vec<Fact>)> {
    let refund = |credits: u64, close: bool| {
        let part = RefundPart {
            grant: reference("g1"),
            credits,
            replacement_lot: None,
        };
        Fact::Charge(ChargeFact::Refund {
            booking: uid("b1"),
            parts: vec![part],
            close,
            reason: "cancelled".into(),
        })
    };
    let mut expiring = grant_fact("g2", BO, 4);
    if let Fact::Credit(CreditFact::Grant { expires, .. }) = &mut expiring {
        *expires = Some(day(5));
    }
    let hold = |id: &str, credits: u64, decided: Time| {
        vec![
            decided_fact(confirm_intent(id, &[id], decided)),
            hold_fact(id, id, BO, vec![lot_part("g1", credits)]),
        ]
    };
    let wait = Decision::Wait { until: None };
    let closed = noted("b2", Decision::Review, ReasonCode::AccountFrozen, day(2));
    let over = Reason {
        code: ReasonCode::AlreadyOver,
        text: "the booking has ended".to_owned(),
    };
    vec![
        (day(0), vec![grant_fact("g1", BO, 9), expiring]),
        (day(1), hold("b1", 3, day(1))),
        (
            day(1) + Span::hours(1),
            vec![
                post_fact("b1"),
                outcome_fact("b1", DecisionOutcome::Confirmed),
            ],
        ),
        (
            day(2),
            vec![decided("b2", wait, ReasonCode::ShortOfCredit, day(2))],
        ),
        (
            day(2) + Span::hours(1),
            vec![
                decided("b2", Decision::Review, ReasonCode::AccountFrozen, day(2)),
                decided("b3", Decision::Leave, ReasonCode::Ungated, day(2)),
            ],
        ),
        // The request that waited has ended. That is no further decision.
        (day(3), close_note(&closed, over)),
        (day(4), vec![refund(1, false)]),
        (day(4), vec![refund(1, true)]),
        (
            day(6),
            vec![Fact::Credit(CreditFact::Expire {
                account: account(BO),
                part: lot_part("g2", 4),
            })],
        ),
        (day(7), hold("b4", 2, day(7))),
        // The hold is spent on another day than it was made.
        (
            day(8),
            vec![
                post_fact("b4"),
                outcome_fact("b4", DecisionOutcome::Confirmed),
            ],
        ),
        (
            day(40),
            vec![Fact::Credit(CreditFact::Revoke {
                reference: reference("r1"),
                account: account(BO),
                parts: vec![lot_part("g1", 1)],
                reason: "left".to_owned(),
            })],
        ),
    ]
}

fn open(path: &std::path::Path) -> LogStore {
    open_small(path).unwrap().store
}

#[test]
fn the_totals_of_each_day_are_those_of_its_facts_also_after_a_rebuild() {
    let dir = tempfile::tempdir().unwrap();
    let (mut disk, mut memory) = (open(dir.path()), MemoryStore::new());
    for (at, facts) in sample_days() {
        disk.commit(at, facts.clone(), &[]).unwrap();
        memory.commit(at, facts, &[]).unwrap();
        assert_totals_are_those_of_the_facts(&disk);
        assert_totals_are_those_of_the_facts(&memory);
    }
    let date = |number: i64| day(number).date_naive();
    let all = disk.daily_totals(date(0), date(40)).unwrap();
    let of_day = |number: i64| {
        let found = all.iter().find(|(day, _)| *day == date(number));
        to_counted(&found.unwrap().1)
    };
    let expect = |rows: &[(&str, u64)]| -> CountedDay {
        rows.iter()
            .map(|(kind, number)| ((*kind).to_owned(), *number))
            .collect()
    };
    assert_eq!(of_day(0), expect(&[("granted", 13)]));
    assert_eq!(of_day(1), expect(&[("confirm enough", 1), ("spent", 3)]));
    let several = [
        ("leave ungated", 1),
        ("review frozen", 1),
        ("wait short-of-credit", 1),
    ];
    assert_eq!(of_day(2), expect(&several));
    assert_eq!(of_day(4), expect(&[("refunded", 2)]));
    assert_eq!(of_day(6), expect(&[("expired", 4)]));
    assert_eq!(of_day(7), expect(&[("confirm enough", 1)]));
    assert_eq!(of_day(8), expect(&[("spent", 2)]));
    assert_eq!(of_day(40), expect(&[("revoked", 1)]));
    // Both ends of a period belong to it, and a period that ends before it begins is empty.
    let within = |first: i64, last: i64| {
        let days = disk.daily_totals(date(first), date(last)).unwrap();
        days.into_iter().map(|(day, _)| day).collect::<Vec<_>>()
    };
    assert_eq!(within(1, 4), [date(1), date(2), date(4)]);
    assert_eq!(within(3, 3), []);
    assert_eq!(within(9, 39), []);
    assert_eq!(within(4, 1), []);
    assert_eq!(memory.daily_totals(date(4), date(1)).unwrap(), []);

    // The process ends without closing the store, so the projection is built again from the log.
    drop(disk);
    let disk = open(dir.path());
    assert_eq!(disk.daily_totals(date(0), date(40)).unwrap(), all);
    assert_eq!(memory.daily_totals(date(0), date(40)).unwrap(), all);
    assert_eq!(disk.verify(&mut |_| {}).unwrap().differences, [""; 0]);
}

#[test]
fn a_dry_run_counts_on_what_is_stored_and_changes_none_of_it() {
    let mut memory = MemoryStore::new();
    memory
        .commit(day(0), vec![grant_fact("g1", BO, 2)], &[])
        .unwrap();
    let before = memory
        .daily_totals(day(0).date_naive(), day(1).date_naive())
        .unwrap();
    let mut writes = ScratchWrites::default();
    let mut scratch = ScratchStore::new(&mut memory, &mut writes);
    for (number, credits) in [("g2", 3), ("g3", 4)] {
        scratch
            .commit(day(0), vec![grant_fact(number, BO, credits)], &[])
            .unwrap();
    }
    let after = memory
        .daily_totals(day(0).date_naive(), day(1).date_naive())
        .unwrap();
    assert_eq!(after, before);
}

/// The numbers that `statistics` prints today, by kind.
fn printed_totals(fixture: &BinaryFixture, days: &str) -> CountedDay {
    let view = fixture
        .run_ok(&["statistics", "--days", days, "--format", "json"])
        .json();
    let mut totals = CountedDay::new();
    for day in view["days"].as_array().unwrap() {
        for kind in ["granted", "spent", "refunded", "expired", "revoked"] {
            *totals.entry(kind.to_owned()).or_default() += day[kind].as_u64().unwrap();
        }
        for count in day["decisions"].as_array().unwrap() {
            let word = |name: &str| count[name].as_str().unwrap().to_owned();
            let kind = format!("{} {}", word("decision"), word("reason"));
            *totals.entry(kind).or_default() += count["count"].as_u64().unwrap();
        }
    }
    totals
}

#[test]
fn the_command_prints_the_same_numbers_with_and_without_a_daemon() {
    let fixture = BinaryFixture::new("v2");
    let empty = fixture.run_ok(&["statistics", "--days", "1"]).out;
    assert!(empty.contains("nothing happened"), "{empty}");
    fixture.run_ok(&["credits", "grant", BO, "4"]);
    fixture.run_ok(&["credits", "revoke", BO, "1"]);
    fixture.request_booking(fixture.event_types.lesson, BO, "09:00:00Z");
    fixture.request_booking(fixture.event_types.lesson, "di@example.com", "11:00:00Z");
    fixture.run_ok(&["run", "--once"]);
    // Two days, because midnight may come meanwhile.
    let offline = printed_totals(&fixture, "2");
    for (kind, number) in [
        ("granted", 4),
        ("revoked", 1),
        ("spent", 1),
        ("refunded", 0),
        ("expired", 0),
        ("confirm enough", 1),
        ("decline unknown-booker", 1),
    ] {
        assert_eq!(offline.get(kind), Some(&number), "{kind}: {offline:#?}");
    }
    let plain = fixture.run_ok(&["statistics", "--days", "2"]).out;
    for part in ["in days of UTC.", "unknown-booker", "granted", "confirm"] {
        assert!(plain.contains(part), "{part}: {plain}");
    }
    assert!(!plain.contains('@'), "{plain}");

    let daemon = Daemon::start(&fixture);
    assert_eq!(printed_totals(&fixture, "2"), offline);
    let day = fixture.run_ok(&["statistics", "--format", "json"]).json();
    assert_eq!(day["days"].as_array().unwrap().len(), 30);
    drop(daemon);
    for days in ["0", "367", "-1", "many"] {
        let refused = fixture.run(&["statistics", "--days", days]);
        assert_eq!(refused.code, 2, "{days}: {}", refused.all_output());
    }
}
