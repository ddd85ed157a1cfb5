//! The one transition of an intent, from what its bookings are: the whole matrix, mixtures of a
//! series, the charge that is carried on, and the pauses between tries.

use std::collections::BTreeMap;

use super::make::*;
use crate::domain::booking::{Booking, Reading, Status};
use crate::domain::decision::{Decision, Outcome};
use crate::domain::entry_reason::EntryCode;
use crate::domain::fact::{Back, Fact};
use crate::domain::id::BookingUid;
use crate::domain::intent::{self, Next, Sight, last_paid_first};
use crate::domain::request::{CallEnd, CallKind, CallNote, Charge, ChargeState, Request};
use crate::domain::time::Span;
use crate::domain::unresolved::UnresolvedCode;

const CONFIRMED: Option<Outcome> = Some(Outcome::Confirmed);
const DECLINED: Option<Outcome> = Some(Outcome::Declined);
const SUPERSEDED: Option<Outcome> = Some(Outcome::Superseded);

/// The transition while no call is running.
fn next(
    request: &Request,
    charges: &[Charge],
    carried: Option<&Charge>,
    sights: &BTreeMap<BookingUid, Sight>,
) -> Next {
    intent::next(request, charges, carried, sights, None)
}

fn held(names: &[&str]) -> Vec<Charge> {
    names
        .iter()
        .map(|name| charge(name, ChargeState::Held))
        .collect()
}

fn post(name: &str) -> Fact {
    Fact::Post { booking: uid(name) }
}

fn void(name: &str, text: &str) -> Fact {
    Fact::Void {
        booking: uid(name),
        reason: reason(text),
        back: Vec::new(),
    }
}

fn settled(id: &str, outcome: Outcome) -> Fact {
    Fact::Settled {
        request: rid(id),
        outcome,
    }
}

fn outcome(next: &Next) -> Option<Outcome> {
    match next {
        Next::Settle { outcome, .. } => Some(*outcome),
        Next::Call(_) | Next::Wait { .. } | Next::Unclear => None,
    }
}

#[track_caller]
fn facts(next: Next) -> Vec<Fact> {
    match next {
        Next::Settle { facts, .. } => facts,
        Next::Call(_) | Next::Wait { .. } | Next::Unclear => panic!("{next:?}"),
    }
}

#[test]
fn the_matrix_of_decisions_and_sights() {
    let confirm = intent("a", &["a"]);
    let decline = to_decline(confirm.clone());
    let cancel = but(decline.clone(), |r| r.call = Some(CallKind::Cancel));
    let call = Next::Call(named("a"));
    let rows = [
        // What it is, and what that means to an intent to confirm, to decline, to cancel.
        (Sight::Accepted, [CONFIRMED, SUPERSEDED, SUPERSEDED]),
        (
            Sight::AcceptedAfterMove,
            [CONFIRMED, SUPERSEDED, SUPERSEDED],
        ),
        (
            Sight::AcceptedAfterCancel,
            [CONFIRMED, SUPERSEDED, SUPERSEDED],
        ),
        (Sight::Rejected, [SUPERSEDED, DECLINED, DECLINED]),
        (Sight::Cancelled, [SUPERSEDED, SUPERSEDED, DECLINED]),
        (Sight::Gone, [SUPERSEDED, SUPERSEDED, SUPERSEDED]),
        (Sight::Begun, [SUPERSEDED, SUPERSEDED, SUPERSEDED]),
        (Sight::Over, [SUPERSEDED, SUPERSEDED, SUPERSEDED]),
    ];
    for (sight, expect) in rows {
        for (request, expect) in [&confirm, &decline, &cancel].into_iter().zip(expect) {
            let next = next(request, &[], None, &seen(&[("a", sight)]));
            assert_eq!(outcome(&next), expect, "{sight:?} {request:?}");
        }
    }
    for request in [&confirm, &decline, &cancel] {
        assert_eq!(
            next(request, &[], None, &seen(&[("a", Sight::Pending)])),
            call
        );
        let open = [Sight::Unread, Sight::OtherStatus].map(|sight| seen(&[("a", sight)]));
        for unread in [seen(&[])].into_iter().chain(open) {
            assert_eq!(next(request, &[], None, &unread), Next::Unclear);
        }
    }
    let others = [
        Decision::Review,
        Decision::Leave,
        Decision::Wait { until: None },
    ];
    for decision in others {
        let request = but(confirm.clone(), |r| r.decision = decision);
        let next = next(&request, &[], None, &seen(&[("a", Sight::Accepted)]));
        assert_eq!(next, Next::Unclear, "no such intent is ever recorded");
    }
}

#[test]
fn a_hold_is_posted_when_it_was_accepted_and_given_back_when_not() {
    let rows = [
        (Sight::Accepted, post("a"), Outcome::Confirmed),
        (
            Sight::Rejected,
            void("a", "the booking was declined"),
            Outcome::Superseded,
        ),
        (
            Sight::Cancelled,
            void("a", "the booking was cancelled"),
            Outcome::Superseded,
        ),
        (
            Sight::Gone,
            void("a", "the booking is gone"),
            Outcome::Superseded,
        ),
    ];
    for (sight, entry, outcome) in rows {
        let next = next(
            &intent("a", &["a"]),
            &held(&["a"]),
            None,
            &seen(&[("a", sight)]),
        );
        assert_eq!(facts(next), [entry, settled("a", outcome)], "{sight:?}");
    }
}

/// Whoever finished it meanwhile: a hold that has ended is not ended again.
#[test]
fn only_holds_are_ended() {
    let states = [
        ChargeState::Void,
        ChargeState::Open,
        ChargeState::Final,
        ChargeState::Refunded,
        ChargeState::Moved { to: uid("b") },
    ];
    for state in states {
        for sight in [Sight::Accepted, Sight::Cancelled] {
            let charges = [charge("a", state.clone())];
            let next = next(&intent("a", &["a"]), &charges, None, &seen(&[("a", sight)]));
            assert_eq!(facts(next).len(), 1, "{state:?} {sight:?}");
        }
    }
}

#[test]
fn a_confirmation_that_met_a_moved_or_cancelled_booking_is_charged_and_listed() {
    let rows = [
        (Sight::AcceptedAfterMove, "was moved to another time"),
        (Sight::AcceptedAfterCancel, "was cancelled"),
    ];
    for (sight, word) in rows {
        let sights = seen(&[("a", sight)]);
        let next = next(&intent("a", &["a"]), &held(&["a"]), None, &sights);
        let Next::Settle {
            outcome,
            facts,
            problem: Some(problem),
        } = next
        else {
            panic!("{next:?}");
        };
        assert_eq!(outcome, Outcome::Confirmed);
        assert_eq!(facts[0], post("a"), "{sight:?}");
        let Fact::Unresolved { code, detail, .. } = &facts[1] else {
            panic!("{facts:?}");
        };
        assert_eq!(*code, UnresolvedCode::Revived);
        assert!(detail.contains(word), "{detail}");
        assert_eq!(facts[2], settled("a", Outcome::Confirmed));
        assert!(problem.contains("maitred unresolved"), "{problem}");
    }
}

/// What is to cancel an accepted booking is open until the booking is cancelled, whatever failed.
#[test]
fn a_cancellation_of_an_accepted_booking_stays_open_until_it_is_cancelled() {
    use crate::domain::decision::{Code, Reason};
    let cancel = but(to_decline(intent("a", &["a"])), |r| {
        r.call = Some(CallKind::Cancel);
        r.reasons = vec![Reason {
            code: Code::Unmanaged,
            text: "nobody paid".to_owned(),
        }];
    });
    let open = [
        Sight::Accepted,
        Sight::AcceptedAfterMove,
        Sight::AcceptedAfterCancel,
        Sight::Unread,
    ];
    for sight in open {
        let next = next(&cancel, &[], None, &seen(&[("a", sight)]));
        assert_eq!(next, Next::Unclear, "{sight:?}");
    }
    let ended = [
        (Sight::Cancelled, DECLINED),
        (Sight::Rejected, DECLINED),
        (Sight::Pending, SUPERSEDED),
        (Sight::Gone, SUPERSEDED),
    ];
    for (sight, expect) in ended {
        let next = next(&cancel, &[], None, &seen(&[("a", sight)]));
        assert_eq!(outcome(&next), expect, "{sight:?}");
    }
}

#[test]
fn a_series_is_called_while_one_is_pending_and_settled_when_all_are_known() {
    let request = intent("s", &["a", "b", "c"]);
    let all = |sights: [Sight; 3]| {
        let sights = [("a", sights[0]), ("b", sights[1]), ("c", sights[2])];
        next(&request, &held(&["a", "b", "c"]), None, &seen(&sights))
    };
    use Sight::{Accepted, Cancelled, Pending, Rejected, Unread};
    assert_eq!(all([Accepted, Pending, Unread]), Next::Call(named("b")));
    assert_eq!(all([Accepted, Accepted, Unread]), Next::Unclear);
    let mixed = [
        post("a"),
        void("b", "the booking was cancelled"),
        void("c", "the booking was declined"),
        settled("s", Outcome::Confirmed),
    ];
    assert_eq!(facts(all([Accepted, Cancelled, Rejected])), mixed);
    assert_eq!(outcome(&all([Cancelled, Rejected, Cancelled])), SUPERSEDED);

    let decline = to_decline(request.clone());
    let all = |sights: [Sight; 3]| {
        let sights = [("a", sights[0]), ("b", sights[1]), ("c", sights[2])];
        next(&decline, &[], None, &seen(&sights))
    };
    assert_eq!(all([Rejected, Rejected, Pending]), Next::Call(named("c")));
    assert_eq!(outcome(&all([Accepted, Rejected, Cancelled])), DECLINED);
    assert_eq!(outcome(&all([Accepted, Accepted, Cancelled])), SUPERSEDED);
}

/// A successor of `old`, which paid so much; what the successor itself holds.
fn carrying(credits: u64, paid: u64, holds: bool) -> (Request, Vec<Charge>, Charge) {
    let request = but(intent("b", &["b"]), |r| {
        r.carries = Some(uid("old"));
        r.credits = credits;
    });
    let charges = if holds { held(&["b"]) } else { Vec::new() };
    let old = but(charge("old", ChargeState::Open), |c| {
        c.parts = vec![part("g1", 1), part("g2", paid - 1)];
    });
    (request, charges, old)
}

fn moved() -> Fact {
    Fact::Move {
        from: uid("old"),
        to: named("b"),
        start: at(24 * 60),
        end: at(24 * 60 + 30),
        keeps: 0,
    }
}

#[test]
fn a_successor_takes_the_charge_over_and_gets_back_what_it_costs_less() {
    let accepted = seen(&[("b", Sight::Accepted)]);
    let refund = Fact::Refund {
        booking: uid("b"),
        parts: vec![Back {
            grant: grant("g2"),
            credits: 2,
            restored: None,
        }],
        close: false,
        reason: reason("rescheduled to a booking that costs less"),
    };
    let end = || settled("b", Outcome::Confirmed);
    let rows = [
        (carrying(3, 3, false), vec![moved(), end()]),
        (carrying(4, 3, true), vec![post("b"), moved(), end()]),
        (carrying(1, 3, false), vec![moved(), refund, end()]),
    ];
    for ((request, charges, old), expect) in rows {
        let next = next(&request, &charges, Some(&old), &accepted);
        assert_eq!(facts(next), expect);
    }
}

/// Once it stopped every pass: each occurrence wanted to take over what can be taken over once.
#[test]
fn occurrences_that_join_a_successor_take_nothing_over() {
    let (request, _, old) = carrying(3, 3, false);
    let request = but(request, |r| {
        r.bookings = ["b", "c", "d"].map(named).to_vec();
    });
    let charges = held(&["c", "d"]);
    let all = |b| seen(&[("b", b), ("c", Sight::Accepted), ("d", Sight::Accepted)]);
    let end = || settled("b", Outcome::Confirmed);
    let together = facts(next(&request, &charges, Some(&old), &all(Sight::Accepted)));
    assert_eq!(together, [moved(), post("c"), post("d"), end()]);
    let alone = facts(next(&request, &charges, Some(&old), &all(Sight::Cancelled)));
    assert_eq!(alone, [post("c"), post("d"), end()]);
}

#[test]
fn a_successor_that_was_not_accepted_leaves_the_charge_where_it_is() {
    for sight in [Sight::Rejected, Sight::Cancelled, Sight::Gone] {
        let (request, charges, old) = carrying(4, 3, true);
        let facts = facts(next(&request, &charges, Some(&old), &seen(&[("b", sight)])));
        assert_eq!(facts.len(), 2, "a void and the end: {facts:?}");
        assert!(!facts.contains(&moved()));
    }
}

#[test]
fn a_charge_that_was_closed_meanwhile_is_not_taken_over_and_that_is_told() {
    let states = [None, Some(ChargeState::Refunded), Some(ChargeState::Final)];
    for state in states {
        let (request, charges, old) = carrying(4, 3, true);
        let old = state.map(|state| but(old, |c| c.state = state));
        let sights = seen(&[("b", Sight::Accepted)]);
        let next = next(&request, &charges, old.as_ref(), &sights);
        let Next::Settle {
            facts,
            problem,
            outcome,
        } = next
        else {
            panic!("{next:?}");
        };
        assert_eq!(facts, [post("b"), settled("b", Outcome::Confirmed)]);
        assert_eq!(outcome, Outcome::Confirmed);
        assert!(problem.is_some_and(|text| text.contains("that is closed")));
    }
}

#[test]
fn giving_up_gives_back_what_is_held_and_nothing_else() {
    let charges = [
        charge("a", ChargeState::Held),
        charge("b", ChargeState::Open),
        charge("c", ChargeState::Held),
    ];
    let request = intent("s", &["a", "b", "c"]);
    let uid = |text| BookingUid::parse(text).unwrap();
    let pending = BTreeMap::from([(uid("a"), Sight::Pending), (uid("c"), Sight::Cancelled)]);
    let expect = vec![
        void("a", "the series grew beyond the booker's credit"),
        void("c", "the series grew beyond the booker's credit"),
        settled("s", Outcome::Superseded),
    ];
    let given_up = intent::give_up(&request, &charges, &pending, EntryCode::SeriesGrew);
    assert_eq!(given_up, (Outcome::Superseded, expect));

    // A confirmation whose answer was lost may have answered a part of the series.
    let answered = BTreeMap::from([(uid("a"), Sight::Accepted), (uid("c"), Sight::Pending)]);
    let expect = vec![
        post("a"),
        void("c", "the series grew beyond the booker's credit"),
        settled("s", Outcome::Confirmed),
    ];
    let given_up = intent::give_up(&request, &charges, &answered, EntryCode::SeriesGrew);
    assert_eq!(given_up, (Outcome::Confirmed, expect));
}

#[test]
fn what_was_paid_last_comes_back_first() {
    let parts = [part("g1", 2), part("g2", 3)];
    let rows: [(u64, &[(&str, u64)]); 5] = [
        (0, &[]),
        (3, &[("g2", 3)]),
        (2, &[("g2", 2)]),
        (4, &[("g2", 3), ("g1", 1)]),
        (9, &[("g2", 3), ("g1", 2)]),
    ];
    for (credits, expect) in rows {
        let back = last_paid_first(&parts, credits);
        let found: Vec<(&str, u64)> = back
            .iter()
            .map(|back| (back.grant.as_str(), back.credits))
            .collect();
        assert_eq!(found, expect, "{credits}");
    }
}

#[test]
fn what_a_booking_is_seen_as() {
    let moved = |status| {
        but(with_status(booking("a"), status), |b| {
            b.rescheduled_to = Some(uid("b"));
        })
    };
    let is = |status| with_status(booking("a"), status);
    let rows = [
        (is(Status::Pending), Sight::Pending),
        (moved(Status::Pending), Sight::Cancelled),
        (is(Status::Accepted), Sight::Accepted),
        (moved(Status::Accepted), Sight::AcceptedAfterMove),
        (
            but(is(Status::Accepted), |b| {
                b.cancelled_by = Some(address("bo@example.com"));
            }),
            Sight::AcceptedAfterCancel,
        ),
        (
            but(is(Status::Accepted), |b| {
                b.cancellation_reason = Some("ill".to_owned());
            }),
            Sight::AcceptedAfterCancel,
        ),
        // The reason of a move stands on what it was moved to.
        (
            but(is(Status::Accepted), |b| {
                b.cancellation_reason = Some("ill".to_owned());
                b.rescheduled_from = Some(uid("z"));
            }),
            Sight::Accepted,
        ),
        (is(Status::Rejected), Sight::Rejected),
        (is(Status::Cancelled), Sight::Cancelled),
        (moved(Status::Cancelled), Sight::Cancelled),
        (is(Status::AwaitingHost), Sight::OtherStatus),
        (is(Status::Other("new".to_owned())), Sight::OtherStatus),
    ];
    for (booking, expect) in rows {
        let read = Sight::of(&Reading::Is(Box::new(booking.clone())));
        assert_eq!((Sight::of_booking(&booking), read), (expect, expect));
    }
    assert_eq!(Sight::of(&Reading::Gone), Sight::Gone);
}

/// A moved occurrence names nobody, also when a confirmation met it too late and revived it.
#[test]
fn an_occurrence_is_seen_with_who_replaced_it() {
    let of = |status| with_status(occurrence("s", "a", 1), status);
    let successor = but(occurrence("s", "b", 2), |b| {
        b.rescheduled_from = Some(uid("a"));
    });
    let see = |series: &[Booking], call| Sight::in_series(series, &uid("a"), call, now());
    let rows = [
        (Status::Accepted, Sight::AcceptedAfterMove, Sight::Accepted),
        (Status::Cancelled, Sight::Cancelled, Sight::Cancelled),
        (Status::Pending, Sight::Pending, Sight::Pending),
    ];
    for (status, moved, alone) in rows {
        let pair = [successor.clone(), of(status)];
        assert_eq!(see(&pair, None), moved);
        assert_eq!(see(&pair[1..], None), alone);
        assert_eq!(see(&pair[..1], None), Sight::Gone);
    }
    let over = but(of(Status::Pending), |b| b.end = now());
    assert_eq!(see(&[over], Some(CallKind::Cancel)), Sight::Over);
    // A status that is not known says as little after the end as before it.
    let waits = of(Status::AwaitingHost);
    for call in [CallKind::Confirm, CallKind::Decline] {
        let one = std::slice::from_ref(&waits);
        assert_eq!(see(one, Some(call)), Sight::OtherStatus);
        let over = but(waits.clone(), |b| b.end = now());
        assert_eq!(see(&[over], Some(call)), Sight::OtherStatus);
    }
}

#[test]
fn pauses_grow_from_none_to_an_hour() {
    let rows = [
        (1, 0),
        (3, 0),
        (4, 30),
        (5, 60),
        (6, 120),
        (10, 1_920),
        (11, 3_600),
        (12, 3_600),
        (u32::MAX, 3_600),
    ];
    for (failures, seconds) in rows {
        let request = but(intent("a", &["a"]), |r| {
            r.failures = failures;
            r.last_failure = Some(now());
        });
        let pause = Span::seconds(seconds);
        assert!(intent::due(&request, now() + pause), "{failures}");
        let before = now() + pause - Span::milliseconds(1);
        assert!(!intent::due(&request, before), "{failures}");
    }
    assert!(intent::due(&intent("a", &["a"]), now()));
}

/// A call that may still be running is never repeated, and what it can still change is not settled.
#[test]
fn while_a_call_may_be_running_its_booking_is_only_read() {
    let until = at(15);
    let confirm = intent("a", &["a"]);
    let decline = to_decline(confirm.clone());
    let cancel = but(decline.clone(), |r| r.call = Some(CallKind::Cancel));
    const WAITS: Option<Outcome> = None;
    let rows = [
        // A confirmation is written at the end of its call, whatever the booking is by then.
        (Sight::Pending, [WAITS, WAITS, WAITS]),
        (Sight::Accepted, [CONFIRMED, WAITS, WAITS]),
        (Sight::Rejected, [WAITS, DECLINED, DECLINED]),
        (Sight::Cancelled, [WAITS, SUPERSEDED, DECLINED]),
        (Sight::Gone, [WAITS, SUPERSEDED, SUPERSEDED]),
        (Sight::Begun, [WAITS, SUPERSEDED, SUPERSEDED]),
        (Sight::Over, [WAITS, SUPERSEDED, SUPERSEDED]),
    ];
    for (sight, expect) in rows {
        for (request, expect) in [&confirm, &decline, &cancel].into_iter().zip(expect) {
            let sights = seen(&[("a", sight)]);
            let next = intent::next(request, &held(&["a"]), None, &sights, Some(until));
            assert_eq!(outcome(&next), expect, "{sight:?} {request:?}");
            if expect == WAITS {
                assert_eq!(next, Next::Wait { until }, "{sight:?} {request:?}");
            }
        }
    }
    // One occurrence that is still pending keeps the whole series from being called and settled.
    let series = intent("s", &["a", "b"]);
    let sights = seen(&[("a", Sight::Accepted), ("b", Sight::Pending)]);
    let next = intent::next(&series, &held(&["a", "b"]), None, &sights, Some(until));
    assert_eq!(next, Next::Wait { until });
}

fn noted(minute: i64, end: CallEnd) -> CallNote {
    CallNote {
        at: at(minute),
        booking: uid("a"),
        kind: CallKind::Confirm,
        end,
        text: "what came back".to_owned(),
    }
}

#[test]
fn a_call_may_be_running_until_its_time_has_passed_or_an_answer_came() {
    let limits = policy().limits;
    let lost = |minute| {
        noted(
            minute,
            CallEnd::Unanswered {
                sent: at(minute - 1),
            },
        )
    };
    let slack = limits.max_observation_age;
    let rows = [
        // The notes of the log, what the store remembers, and when the call was sent.
        (vec![], None, None),
        (vec![lost(10)], None, Some(at(9))),
        (vec![lost(10), noted(30, CallEnd::Refused)], None, None),
        (vec![noted(5, CallEnd::Failed), lost(10)], None, Some(at(9))),
        (vec![noted(10, CallEnd::NotSent)], None, None),
        (vec![noted(10, CallEnd::Answered)], None, None),
        // The process ended after the mark and before the note.
        (vec![], Some(at(20)), Some(at(20) + slack)),
        (vec![lost(10)], Some(at(20)), Some(at(20) + slack)),
        // The note is the younger one.
        (vec![noted(30, CallEnd::Refused)], Some(at(20)), None),
        (vec![lost(30)], Some(at(20)), Some(at(29))),
    ];
    for (calls, marked, expect) in rows {
        let request = but(intent("a", &["a"]), |r| r.calls = calls);
        let sent = intent::unanswered(&request, marked, &limits);
        assert_eq!(sent, expect, "{:?} {marked:?}", request.calls);
    }
    let running = |now| intent::running(Some(at(0)), &limits, now);
    let last = at(15) - Span::milliseconds(1);
    assert_eq!(running(at(0)), Some(at(15)));
    assert_eq!(running(last), Some(at(15)));
    assert_eq!(running(at(15)), None);
    // The clock was set back by a little, or by more than any call lasts.
    assert_eq!(running(at(-15)), Some(at(15)));
    assert_eq!(running(at(-16)), None);
    assert_eq!(intent::running(None, &limits, at(0)), None);
}

#[test]
fn the_readings_while_a_call_may_run_get_rarer() {
    let mut reads = Vec::new();
    let mut last = None;
    for second in (0..900).step_by(15) {
        let now = at(0) + Span::seconds(second);
        if intent::read_again(at(0), last, now) {
            last = Some(now);
            reads.push(second);
        }
    }
    assert_eq!(reads, [0, 15, 30, 45, 75, 120, 180, 270, 405, 615]);
}

/// A refusal that never changes keeps time and credit from others, so it comes to an end.
#[test]
fn an_intent_that_is_refused_time_after_time_ends_and_is_told() {
    let refused = |count: i64| {
        let calls = (0..count).map(|n| noted(n, CallEnd::Refused)).collect();
        but(intent("a", &["a"]), |r| r.calls = calls)
    };
    let pending = seen(&[("a", Sight::Pending)]);
    assert_eq!(
        next(&refused(7), &held(&["a"]), None, &pending),
        Next::Call(named("a"))
    );
    let Next::Settle {
        outcome,
        facts,
        problem: Some(problem),
    } = next(&refused(8), &held(&["a"]), None, &pending)
    else {
        panic!("it goes on");
    };
    assert_eq!(outcome, Outcome::Refused);
    let expect = [
        void("a", "Cal.com refuses the call"),
        settled("a", Outcome::Refused),
    ];
    assert_eq!(facts[..2], expect);
    let Fact::Unresolved { code, detail, .. } = &facts[2] else {
        panic!("{facts:?}");
    };
    assert_eq!(*code, UnresolvedCode::Refused);
    assert!(detail.contains("what came back"), "{detail}");
    assert!(problem.contains("what came back"), "{problem}");
    // An answer of another kind in between, and the count begins again.
    let mixed = but(refused(8), |r| r.calls[3].end = CallEnd::Failed);
    assert_eq!(
        next(&mixed, &held(&["a"]), None, &pending),
        Next::Call(named("a"))
    );
}

/// Cal.com refuses for ever to cancel what is over; it declines and confirms that all the same.
#[test]
fn what_is_over_cannot_be_cancelled_any_more() {
    let waits = with_status(booking("a"), Status::Pending);
    let (before, end) = (waits.end - Span::seconds(1), waits.end);
    let (asked, start) = (waits.start - Span::seconds(1), waits.start);
    let rows = [
        (Some(CallKind::Cancel), before, Sight::Pending),
        (Some(CallKind::Cancel), end, Sight::Over),
        (Some(CallKind::Decline), end, Sight::Pending),
        (Some(CallKind::Confirm), asked, Sight::Pending),
        (Some(CallKind::Confirm), start, Sight::Begun),
        (Some(CallKind::Confirm), end, Sight::Begun),
        (None, end, Sight::Pending),
    ];
    for (call, now, expect) in rows {
        let got = Sight::for_call(&waits, call, now);
        assert_eq!(got, expect, "{call:?} at {now}");
    }
    let gone = with_status(waits, Status::Rejected);
    let got = Sight::for_call(&gone, Some(CallKind::Cancel), end);
    assert_eq!(got, Sight::Rejected);
}

/// One call confirms every occurrence that waits: none is sent once the first of them has begun.
#[test]
fn a_series_is_not_called_once_an_occurrence_has_begun() {
    let request = intent("a", &["a", "b", "c"]);
    let sights = |first, last| seen(&[("a", first), ("b", Sight::Pending), ("c", last)]);
    let begun = next(
        &request,
        &held(&["a", "b", "c"]),
        None,
        &sights(Sight::Begun, Sight::Accepted),
    );
    let listed = |fact: &Fact| match fact {
        Fact::Unresolved { booking, code, .. } => Some((booking.uid.clone(), *code)),
        _ => None,
    };
    assert_eq!(outcome(&begun), CONFIRMED, "of the one that was accepted");
    let facts = facts(begun);
    assert_eq!(
        facts[0],
        void("a", "the booking began before it was confirmed")
    );
    assert_eq!(facts[1], void("b", "the booking is still pending"));
    assert_eq!(facts[2], post("c"));
    let all: Vec<_> = facts.iter().filter_map(listed).collect();
    assert_eq!(all, [(uid("a"), UnresolvedCode::Unanswered)]);
    for unknown in [Sight::Unread, Sight::OtherStatus] {
        let next = next(&request, &[], None, &sights(Sight::Begun, unknown));
        assert_eq!(next, Next::Unclear, "{unknown:?}");
    }
    // An accepted occurrence that has begun does not keep the others from their call.
    let next = next(
        &request,
        &[],
        None,
        &sights(Sight::Accepted, Sight::Pending),
    );
    assert_eq!(next, Next::Call(named("b")));
}
