//! What queries find through an index, and in which order: row by row, in the store on disk and in
//! the store in memory, and again after the projection was rebuilt.

use std::path::Path;

use crate::fixture::store_support::{
    account, address, at, booking, confirm_intent, decided_fact, grant_fact, hold_fact, lot_part,
    open_small, outcome_fact, post_fact, reference, request_id, uid,
};
use maitred::domain::decision::{Decision, DecisionOutcome, Reason, ReasonCode};
use maitred::domain::fact::{ChargeFact, CreditFact, Fact, RefundPart, RequestFact};
use maitred::domain::request::{CallKind, OperatorDecision, PinAttempt, Request, RequestState};
use maitred::domain::time::{Span, Time};
use maitred::store::log_store::LogStore;
use maitred::store::memory::MemoryStore;
use maitred::store::port::Store;
use maitred::store::scratch::{ScratchStore, ScratchWrites};

const BO: &str = "bo@example.com";

fn hour(number: i64) -> Time {
    at(number * 3_600_000)
}

/// Commits the facts to both stores, each group in its own commit, and checks both stores, and the
/// store on disk again after a rebuild.
fn check(facts: Vec<Vec<Fact>>, look: impl Fn(&dyn Store, &str)) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut disk = open_store(dir.path());
    let mut memory = MemoryStore::new();
    for (n, facts) in (1..).zip(facts) {
        disk.commit(at(n), facts.clone(), &[]).expect("they fit");
        memory.commit(at(n), facts, &[]).expect("they fit");
    }
    look(&memory, "in memory");
    look(&disk, "on disk");
    drop(disk);
    let disk = open_store(dir.path());
    look(&disk, "rebuilt");
    let verified = disk.verify(&mut |_| {}).expect("it verifies");
    assert_eq!(verified.differences, [""; 0]);
}

fn open_store(path: &Path) -> LogStore {
    open_small(path).expect("it opens").store
}

/// Returns an intent with its hold, for a booking at this time.
fn hold_facts(id: &str, to: &str, start: Time) -> Vec<Fact> {
    let mut hold = hold_fact(id, id, to, vec![lot_part(to, 1)]);
    if let Fact::Charge(ChargeFact::Hold { start: at, .. }) = &mut hold {
        *at = start;
    }
    vec![decided_fact(confirm_intent(id, &[id], at(0))), hold]
}

/// Returns the same facts with the confirmation.
fn charge_facts(id: &str, to: &str, start: Time) -> Vec<Fact> {
    let mut facts = hold_facts(id, to, start);
    facts.extend([post_fact(id), outcome_fact(id, DecisionOutcome::Confirmed)]);
    facts
}

fn refund_fact(id: &str, credits: u64, close: bool) -> Fact {
    let back = RefundPart {
        grant: reference(BO),
        credits,
        replacement_lot: None,
    };
    Fact::Charge(ChargeFact::Refund {
        booking: uid(id),
        parts: vec![back],
        close,
        reason: "cancelled".into(),
    })
}

#[test]
fn declines_and_wrong_pins_are_listed_by_time() {
    let declined_at = |id: &str, at: Time| Request {
        decision: Decision::Decline,
        call: Some(CallKind::Decline),
        ..confirm_intent(id, &[id], at)
    };
    let by_operator = Request {
        reasons: vec![Reason {
            code: ReasonCode::Operator,
            text: "not this one".to_owned(),
        }],
        ..declined_at("operator", hour(2))
    };
    let noted = Request {
        state: RequestState::Noted,
        ..declined_at("noted", hour(2))
    };
    let tried = |id: &str, right: bool, created: Time| Request {
        created_at: created,
        pin_attempt: Some(PinAttempt {
            is_correct: right,
            origin: "f00d".to_owned(),
        }),
        ..declined_at(id, hour(8))
    };
    let facts = vec![
        vec![grant_fact(BO, BO, 9)],
        hold_facts("confirmed", BO, hour(1)),
        vec![
            decided_fact(declined_at("one", hour(1))),
            decided_fact(declined_at("two", hour(3))),
            decided_fact(by_operator),
            decided_fact(noted),
        ],
        vec![outcome_fact("one", DecisionOutcome::Declined)],
        vec![
            decided_fact(tried("wrong", false, hour(1))),
            decided_fact(tried("right", true, hour(2))),
            decided_fact(tried("later", false, hour(3))),
        ],
    ];
    let rows = [
        (0, 4, 9, &[3, 1][..]),
        (1, 4, 9, &[3, 1]),
        (1, 3, 9, &[1]),
        (2, 3, 9, &[]),
        (3, 1, 9, &[]),
        (0, 9, 2, &[8, 8]),
        (0, 9, 0, &[]),
    ];
    check(facts, |store, place| {
        for (since, until, limit, expect) in rows {
            let found = store.decline_times(hour(since), hour(until), limit);
            let expect: Vec<Time> = expect.iter().map(|at| hour(*at)).collect();
            assert_eq!(found.expect("it reads"), expect, "{place}: {since} {until}");
        }
        for (since, expect) in [(0, &["later", "wrong"][..]), (2, &["later"]), (4, &[])] {
            let found = store.wrong_pin_requests(hour(since), 9).expect("it reads");
            let found: Vec<&str> = found.iter().map(|request| request.id.as_str()).collect();
            assert_eq!(found, expect, "{place}: {since}");
        }
        let found = store.wrong_pin_requests(hour(0), 1).expect("it reads");
        assert_eq!(found[0].id, request_id("later"), "{place}");
    });
}

#[test]
fn charges_of_an_account_are_listed_by_start() {
    let closed = |id: &str| {
        Fact::Charge(ChargeFact::Closed {
            booking: uid(id),
            reason: "over".into(),
        })
    };
    let moved = |from: &str, to: &str, start: Time| {
        Fact::Charge(ChargeFact::Move {
            from: uid(from),
            to: booking(to),
            start,
            end: start,
            non_refundable: 0,
        })
    };
    let void = Fact::Charge(ChargeFact::Void {
        booking: uid("void"),
        reason: "superseded".into(),
        refund_parts: Vec::new(),
    });
    let facts = vec![
        // The other account's name starts with Bo's name.
        vec![
            grant_fact(BO, BO, 20),
            grant_fact("other", "bo@example.community", 9),
        ],
        hold_facts("held", BO, hour(3)),
        charge_facts("open-b", BO, hour(2)),
        charge_facts("open-a", BO, hour(2)),
        charge_facts("final", BO, hour(1)),
        vec![closed("final")],
        hold_facts("void", BO, hour(2)),
        vec![void, outcome_fact("void", DecisionOutcome::Superseded)],
        charge_facts("given-back", BO, hour(2)),
        vec![refund_fact("given-back", 1, true)],
        charge_facts("all-back-but-open", BO, hour(4)),
        vec![refund_fact("all-back-but-open", 1, false)],
        charge_facts("from", BO, hour(2)),
        vec![moved("from", "to", hour(6))],
        charge_facts("joined", BO, hour(7)),
        charge_facts("joins", BO, hour(2)),
        vec![moved("joins", "joined", hour(5))],
        hold_facts_of_other(),
    ];
    let close = Span::microseconds(1);
    let rows: [(Time, Time, usize, &[&str]); 12] = [
        (
            at(-1_000),
            hour(99),
            99,
            &[
                "final",
                "open-a",
                "open-b",
                "held",
                "all-back-but-open",
                "joined",
                "to",
            ],
        ),
        (Time::MIN_UTC, Time::MAX_UTC, 2, &["final", "open-a"]),
        (hour(2), hour(3), 99, &["open-a", "open-b"]),
        (hour(2), hour(3), 1, &["open-a"]),
        (hour(2), hour(3), 0, &[]),
        (hour(2) + close, hour(3), 99, &[]),
        (hour(2), hour(3) + close, 99, &["open-a", "open-b", "held"]),
        (hour(3), hour(3), 99, &[]),
        (hour(4), hour(3), 99, &[]),
        (hour(5), hour(7), 99, &["joined", "to"]),
        (hour(6), hour(99), 99, &["to"]),
        (hour(7), hour(99), 99, &[]),
    ];
    check(facts, |store, place| {
        for (from, to, limit, expect) in rows {
            let found = store.charges_of(&account(BO), from, to, limit);
            let found = found.expect("it reads");
            let uids: Vec<&str> = found.iter().map(|c| c.booking.uid.as_str()).collect();
            assert_eq!(uids, expect, "{place}: {limit} of {from} to {to}");
            for charge in found {
                let by_name = store.charge(&charge.booking.uid).expect("it reads");
                assert_eq!(by_name, Some(charge), "{place}");
            }
        }
        let nobody = store.charges_of(&account("bo@example.co"), hour(0), hour(9), 9);
        assert_eq!(nobody.expect("it reads"), [], "{place}");
    });
}

fn hold_facts_of_other() -> Vec<Fact> {
    let id = "others";
    let request = decided_fact(confirm_intent(id, &[id], at(0)));
    let lot = vec![lot_part("other", 1)];
    vec![request, hold_fact(id, id, "bo@example.community", lot)]
}

/// Returns a noted request that was created and ends at these times.
fn note_of(id: &str, booker: Option<&str>, created: Time, end: Time) -> Request {
    Request {
        booker: booker.map(address),
        created_at: created,
        end,
        decision: Decision::Wait { until: None },
        state: RequestState::Noted,
        call: None,
        ..confirm_intent(id, &[id], at(0))
    }
}

fn begin_intent(mut request: Request) -> Request {
    request.decision = Decision::Decline;
    request.state = RequestState::Recorded;
    request
}

#[test]
fn requests_are_listed_by_booker() {
    let of_bo = |id: &str, created| note_of(id, Some(BO), created, hour(50));
    let mut grown = of_bo("series", hour(9));
    grown.created_at = hour(4);
    let facts = vec![
        vec![decided_fact(of_bo("noted", hour(1)))],
        vec![decided_fact(begin_intent(of_bo("recorded", hour(3))))],
        vec![decided_fact(begin_intent(of_bo("settled", hour(2))))],
        vec![outcome_fact("settled", DecisionOutcome::Declined)],
        vec![
            decided_fact(of_bo("same-a", hour(5))),
            decided_fact(of_bo("same-b", hour(5))),
        ],
        vec![decided_fact(of_bo("series", hour(9)))],
        vec![decided_fact(grown)],
        vec![decided_fact(of_bo("renamed", hour(6)))],
        vec![decided_fact(note_of(
            "renamed",
            Some("al@example.com"),
            hour(6),
            hour(50),
        ))],
        vec![decided_fact(note_of("nobody", None, hour(6), hour(50)))],
        vec![decided_fact(note_of(
            "longer",
            Some("bo@example.community"),
            hour(7),
            hour(50),
        ))],
    ];
    let close = Span::microseconds(1);
    let rows: [(&str, Time, usize, &[&str]); 9] = [
        (
            BO,
            hour(0),
            99,
            &["same-b", "same-a", "series", "recorded", "settled", "noted"],
        ),
        (BO, Time::MIN_UTC, 2, &["same-b", "same-a"]),
        (BO, hour(3), 99, &["same-b", "same-a", "series", "recorded"]),
        (BO, hour(3) + close, 99, &["same-b", "same-a", "series"]),
        (BO, hour(6), 99, &[]),
        (BO, hour(0), 0, &[]),
        ("al@example.com", hour(6), 9, &["renamed"]),
        ("bo@example.community", hour(0), 9, &["longer"]),
        ("bo@example.co", hour(0), 9, &[]),
    ];
    check(facts, |store, place| {
        for (booker, since, limit, expect) in rows {
            let found = store.requests_of_booker(&address(booker), since, limit);
            let found = found.expect("it reads");
            let ids: Vec<&str> = found.iter().map(|request| request.id.as_str()).collect();
            assert_eq!(ids, expect, "{place}: {limit} of {booker} since {since}");
        }
    });
}

/// A series that waits is noted again with the occurrences that are left: the others are no longer
/// part of the request.
#[test]
fn a_request_noted_again_releases_the_bookings_that_it_lost() {
    let noted = |bookings: &[&str], decided: i64| {
        decided_fact(Request {
            decision: Decision::Wait { until: None },
            state: RequestState::Noted,
            call: None,
            ..confirm_intent("s1", bookings, at(decided))
        })
    };
    let commits = vec![
        vec![noted(&["a", "b", "c"], 1_000)],
        vec![noted(&["a", "c"], 2_000)],
    ];
    check(commits, |store, place| {
        let request_of = |name: &str| store.request_of(&uid(name)).unwrap();
        assert_eq!(request_of("a"), Some(request_id("s1")), "{place}");
        assert_eq!(request_of("b"), None, "{place}");
        assert_eq!(request_of("c"), Some(request_id("s1")), "{place}");
    });
}

#[test]
fn notes_are_listed_by_end() {
    let noted = |id: &str, end| decided_fact(note_of(id, Some(BO), hour(0), end));
    let facts = vec![
        vec![
            noted("c", hour(1)),
            noted("b", hour(2)),
            noted("a", hour(2)),
        ],
        vec![noted("later", hour(1))],
        vec![noted("later", hour(4))],
        vec![noted("spoken-of", hour(3))],
        vec![Fact::Request(RequestFact::Reviewed {
            request: request_id("spoken-of"),
            decision: OperatorDecision::Decline,
            reason: "full".to_owned(),
        })],
        vec![noted("begun", hour(3))],
        vec![decided_fact(begin_intent(note_of(
            "begun",
            Some(BO),
            hour(0),
            hour(3),
        )))],
        vec![noted("over", hour(3))],
        vec![
            decided_fact(begin_intent(note_of("over", Some(BO), hour(0), hour(3)))),
            outcome_fact("over", DecisionOutcome::Superseded),
        ],
    ];
    type Row = (Option<(Time, &'static str)>, usize, &'static [&'static str]);
    let rows: [Row; 7] = [
        (None, 99, &["c", "a", "b", "spoken-of", "later"]),
        (None, 2, &["c", "a"]),
        (None, 0, &[]),
        (Some((hour(2), "a")), 2, &["b", "spoken-of"]),
        // The request from which the list continues may be gone.
        (Some((hour(3), "over")), 99, &["spoken-of", "later"]),
        (Some((hour(3), "spoken-of")), 99, &["later"]),
        (Some((hour(4), "later")), 99, &[]),
    ];
    check(facts, |store, place| {
        for (after, limit, expect) in rows {
            let after = after.map(|(end, id)| (end, request_id(id)));
            let found = store.open_notes(after.as_ref(), limit).expect("it reads");
            let ids: Vec<&str> = found.iter().map(|request| request.id.as_str()).collect();
            assert_eq!(ids, expect, "{place}: {limit} after {after:?}");
        }
        let spoken_of = store.request(&request_id("spoken-of")).expect("it reads");
        let review = spoken_of.and_then(|request| request.review);
        let review = review.expect("an operator spoke");
        assert_eq!(
            (review.decision, review.at),
            (OperatorDecision::Decline, at(5)),
            "{place}"
        );
    });
}

/// A dry run shows what a run would do, so credits that come back to an expired lot must become the
/// same new lot in both.
#[test]
fn a_dry_run_replaces_expired_lots_as_a_run_does() {
    let mut store = MemoryStore::new();
    let mut lot = grant_fact(BO, BO, 2);
    if let Fact::Credit(CreditFact::Grant { expires, .. }) = &mut lot {
        *expires = Some(hour(2));
    }
    store.commit(hour(0), vec![lot], &[]).unwrap();
    let request = confirm_intent("ab", &["ab"], hour(1));
    let facts = vec![
        decided_fact(request),
        hold_fact("ab", "ab", BO, vec![lot_part(BO, 1)]),
    ];
    store.commit(hour(1), facts, &[]).unwrap();
    let facts = vec![
        post_fact("ab"),
        outcome_fact("ab", DecisionOutcome::Confirmed),
    ];
    store.commit(hour(1), facts, &[]).unwrap();
    let refund = vec![refund_fact("ab", 1, true)];
    let mut writes = ScratchWrites::default();
    let mut scratch = ScratchStore::new(&mut store, &mut writes);
    scratch.commit(hour(3), refund.clone(), &[]).unwrap();
    let in_dry_run = Store::account(&scratch, &account(BO)).unwrap().unwrap();
    store.commit(hour(3), refund, &[]).unwrap();
    let in_run = store.account(&account(BO)).unwrap().unwrap();
    assert_eq!(in_run.lots.len(), 2, "{in_run:?}");
    assert_eq!(in_dry_run, in_run);
}
