//! The state transition of an intent, by the states of its bookings: the whole matrix, mixtures of
//! a series, the charge that is carried, and the pauses between attempts.

use std::collections::BTreeMap;

use super::fixtures::*;
use crate::domain::booking::{Booking, BookingStatus, Fetched};
use crate::domain::decision::{Decision, DecisionOutcome};
use crate::domain::entry_reason::EntryCode;
use crate::domain::fact::{ChargeFact, Fact, RefundPart, RequestFact, UnresolvedFact};
use crate::domain::id::BookingUid;
use crate::domain::intent::{self, BookingState, NextStep, refund_last_paid_first};
use crate::domain::request::{CallEnd, CallKind, CallNote, Charge, ChargeState, Request};
use crate::domain::time::Span;
use crate::domain::unresolved::UnresolvedCode;

const CONFIRMED: Option<DecisionOutcome> = Some(DecisionOutcome::Confirmed);
const DECLINED: Option<DecisionOutcome> = Some(DecisionOutcome::Declined);
const SUPERSEDED: Option<DecisionOutcome> = Some(DecisionOutcome::Superseded);

/// Returns the next step while no call is running.
fn next_without_call(
    request: &Request,
    charges: &[Charge],
    carried: Option<&Charge>,
    states: &BTreeMap<BookingUid, BookingState>,
) -> NextStep {
    intent::next_step(request, charges, carried, states, None)
}

fn held_charges(names: &[&str]) -> Vec<Charge> {
    names
        .iter()
        .map(|name| charge(name, ChargeState::Held))
        .collect()
}

fn post_fact(name: &str) -> Fact {
    Fact::Charge(ChargeFact::Post { booking: uid(name) })
}

fn void_fact(name: &str, text: &str) -> Fact {
    Fact::Charge(ChargeFact::Void {
        booking: uid(name),
        reason: reason_with_text(text),
        refund_parts: Vec::new(),
    })
}

fn settled_fact(id: &str, outcome: DecisionOutcome) -> Fact {
    Fact::Request(RequestFact::IntentSettled {
        request: request_id(id),
        outcome,
    })
}

fn outcome_of(next: &NextStep) -> Option<DecisionOutcome> {
    match next {
        NextStep::Settle { outcome, .. } => Some(*outcome),
        NextStep::Call(_) | NextStep::Wait { .. } | NextStep::Unclear => None,
    }
}

#[track_caller]
fn facts_of(next: NextStep) -> Vec<Fact> {
    match next {
        NextStep::Settle { facts, .. } => facts,
        NextStep::Call(_) | NextStep::Wait { .. } | NextStep::Unclear => panic!("{next:?}"),
    }
}

#[test]
fn the_matrix_of_decisions_and_booking_states() {
    let confirm = intent("a", &["a"]);
    let decline = to_decline(confirm.clone());
    let cancel = modify(decline.clone(), |r| r.call = Some(CallKind::Cancel));
    let call = NextStep::Call(booking_ref("a"));
    let rows = [
        // The state of the booking, and the outcome of an intent to confirm, to decline, to cancel.
        (BookingState::Accepted, [CONFIRMED, SUPERSEDED, SUPERSEDED]),
        (
            BookingState::AcceptedAfterMove,
            [CONFIRMED, SUPERSEDED, SUPERSEDED],
        ),
        (
            BookingState::AcceptedAfterCancel,
            [CONFIRMED, SUPERSEDED, SUPERSEDED],
        ),
        (BookingState::Rejected, [SUPERSEDED, DECLINED, DECLINED]),
        (BookingState::Cancelled, [SUPERSEDED, SUPERSEDED, DECLINED]),
        (BookingState::Gone, [SUPERSEDED, SUPERSEDED, SUPERSEDED]),
        (
            BookingState::PendingAfterStart,
            [SUPERSEDED, SUPERSEDED, SUPERSEDED],
        ),
        (
            BookingState::PendingAfterEnd,
            [SUPERSEDED, SUPERSEDED, SUPERSEDED],
        ),
    ];
    for (state, expect) in rows {
        for (request, expect) in [&confirm, &decline, &cancel].into_iter().zip(expect) {
            let next = next_without_call(request, &[], None, &booking_states(&[("a", state)]));
            assert_eq!(outcome_of(&next), expect, "{state:?} {request:?}");
        }
    }
    for request in [&confirm, &decline, &cancel] {
        assert_eq!(
            next_without_call(
                request,
                &[],
                None,
                &booking_states(&[("a", BookingState::Pending)])
            ),
            call
        );
        let unread_states = [BookingState::Unread, BookingState::OtherStatus]
            .map(|state| booking_states(&[("a", state)]));
        for unread in [booking_states(&[])].into_iter().chain(unread_states) {
            assert_eq!(
                next_without_call(request, &[], None, &unread),
                NextStep::Unclear
            );
        }
    }
    let others = [
        Decision::Review,
        Decision::Leave,
        Decision::Wait { until: None },
    ];
    for decision in others {
        let request = modify(confirm.clone(), |r| r.decision = decision);
        let next = next_without_call(
            &request,
            &[],
            None,
            &booking_states(&[("a", BookingState::Accepted)]),
        );
        assert_eq!(next, NextStep::Unclear, "no such intent is ever recorded");
    }
}

#[test]
fn a_hold_is_posted_when_it_was_accepted_and_given_back_when_not() {
    let rows = [
        (
            BookingState::Accepted,
            post_fact("a"),
            DecisionOutcome::Confirmed,
        ),
        (
            BookingState::Rejected,
            void_fact("a", "the booking was declined"),
            DecisionOutcome::Superseded,
        ),
        (
            BookingState::Cancelled,
            void_fact("a", "the booking was cancelled"),
            DecisionOutcome::Superseded,
        ),
        (
            BookingState::Gone,
            void_fact("a", "the booking is gone"),
            DecisionOutcome::Superseded,
        ),
    ];
    for (state, entry, outcome) in rows {
        let next = next_without_call(
            &intent("a", &["a"]),
            &held_charges(&["a"]),
            None,
            &booking_states(&[("a", state)]),
        );
        assert_eq!(
            facts_of(next),
            [entry, settled_fact("a", outcome)],
            "{state:?}"
        );
    }
}

/// A hold that has ended is not ended again, whatever ended it meanwhile.
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
        for booking_state in [BookingState::Accepted, BookingState::Cancelled] {
            let charges = [charge("a", state.clone())];
            let next = next_without_call(
                &intent("a", &["a"]),
                &charges,
                None,
                &booking_states(&[("a", booking_state)]),
            );
            assert_eq!(facts_of(next).len(), 1, "{state:?} {booking_state:?}");
        }
    }
}

#[test]
fn a_confirmation_that_met_a_moved_or_cancelled_booking_is_charged_and_listed() {
    let rows = [
        (BookingState::AcceptedAfterMove, "was moved to another time"),
        (BookingState::AcceptedAfterCancel, "was cancelled"),
    ];
    for (state, word) in rows {
        let states = booking_states(&[("a", state)]);
        let next = next_without_call(&intent("a", &["a"]), &held_charges(&["a"]), None, &states);
        let NextStep::Settle {
            outcome,
            facts,
            problem: Some(problem),
        } = next
        else {
            panic!("{next:?}");
        };
        assert_eq!(outcome, DecisionOutcome::Confirmed);
        assert_eq!(facts[0], post_fact("a"), "{state:?}");
        let Fact::Unresolved(UnresolvedFact::Listed { code, detail, .. }) = &facts[1] else {
            panic!("{facts:?}");
        };
        assert_eq!(*code, UnresolvedCode::Revived);
        assert!(detail.contains(word), "{detail}");
        assert_eq!(facts[2], settled_fact("a", DecisionOutcome::Confirmed));
        assert!(problem.contains("maitred unresolved"), "{problem}");
    }
}

/// An intent to cancel an accepted booking stays open until the booking is cancelled, whatever
/// fails.
#[test]
fn a_cancellation_of_an_accepted_booking_stays_open_until_it_is_cancelled() {
    use crate::domain::decision::{Reason, ReasonCode};
    let cancel = modify(to_decline(intent("a", &["a"])), |r| {
        r.call = Some(CallKind::Cancel);
        r.reasons = vec![Reason {
            code: ReasonCode::Unmanaged,
            text: "nobody paid".to_owned(),
        }];
    });
    let open_states = [
        BookingState::Accepted,
        BookingState::AcceptedAfterMove,
        BookingState::AcceptedAfterCancel,
        BookingState::Unread,
    ];
    for state in open_states {
        let next = next_without_call(&cancel, &[], None, &booking_states(&[("a", state)]));
        assert_eq!(next, NextStep::Unclear, "{state:?}");
    }
    let ended_states = [
        (BookingState::Cancelled, DECLINED),
        (BookingState::Rejected, DECLINED),
        (BookingState::Pending, SUPERSEDED),
        (BookingState::Gone, SUPERSEDED),
    ];
    for (state, expect) in ended_states {
        let next = next_without_call(&cancel, &[], None, &booking_states(&[("a", state)]));
        assert_eq!(outcome_of(&next), expect, "{state:?}");
    }
}

#[test]
fn a_series_is_called_while_one_is_pending_and_settled_when_all_are_known() {
    let request = intent("s", &["a", "b", "c"]);
    let next_for_confirm = |states: [BookingState; 3]| {
        let states = [("a", states[0]), ("b", states[1]), ("c", states[2])];
        next_without_call(
            &request,
            &held_charges(&["a", "b", "c"]),
            None,
            &booking_states(&states),
        )
    };
    use BookingState::{Accepted, Cancelled, Pending, Rejected, Unread};
    assert_eq!(
        next_for_confirm([Accepted, Pending, Unread]),
        NextStep::Call(booking_ref("b"))
    );
    assert_eq!(
        next_for_confirm([Accepted, Accepted, Unread]),
        NextStep::Unclear
    );
    let mixed = [
        post_fact("a"),
        void_fact("b", "the booking was cancelled"),
        void_fact("c", "the booking was declined"),
        settled_fact("s", DecisionOutcome::Confirmed),
    ];
    assert_eq!(
        facts_of(next_for_confirm([Accepted, Cancelled, Rejected])),
        mixed
    );
    assert_eq!(
        outcome_of(&next_for_confirm([Cancelled, Rejected, Cancelled])),
        SUPERSEDED
    );

    let decline = to_decline(request.clone());
    let next_for_decline = |states: [BookingState; 3]| {
        let states = [("a", states[0]), ("b", states[1]), ("c", states[2])];
        next_without_call(&decline, &[], None, &booking_states(&states))
    };
    assert_eq!(
        next_for_decline([Rejected, Rejected, Pending]),
        NextStep::Call(booking_ref("c"))
    );
    assert_eq!(
        outcome_of(&next_for_decline([Accepted, Rejected, Cancelled])),
        DECLINED
    );
    assert_eq!(
        outcome_of(&next_for_decline([Accepted, Accepted, Cancelled])),
        SUPERSEDED
    );
}

/// Returns an intent for a successor of `old`, the holds of the successor, and the charge of `old`,
/// which paid `paid` credits.
fn successor_intent(credits: u64, paid: u64, holds: bool) -> (Request, Vec<Charge>, Charge) {
    let request = modify(intent("b", &["b"]), |r| {
        r.predecessor = Some(uid("old"));
        r.credits = credits;
    });
    let charges = if holds {
        held_charges(&["b"])
    } else {
        Vec::new()
    };
    let predecessor = modify(charge("old", ChargeState::Open), |c| {
        c.parts = vec![part("g1", 1), part("g2", paid - 1)];
    });
    (request, charges, predecessor)
}

fn move_fact() -> Fact {
    Fact::Charge(ChargeFact::Move {
        from: uid("old"),
        to: booking_ref("b"),
        start: at_minute(24 * 60),
        end: at_minute(24 * 60 + 30),
        non_refundable: 0,
    })
}

#[test]
fn a_successor_takes_the_charge_over_and_gets_back_what_it_costs_less() {
    let accepted = booking_states(&[("b", BookingState::Accepted)]);
    let refund = Fact::Charge(ChargeFact::Refund {
        booking: uid("b"),
        parts: vec![RefundPart {
            grant: grant_reference("g2"),
            credits: 2,
            replacement_lot: None,
        }],
        close: false,
        reason: reason_with_text("rescheduled to a booking that costs less"),
    });
    let confirmed = || settled_fact("b", DecisionOutcome::Confirmed);
    let rows = [
        (
            successor_intent(3, 3, false),
            vec![move_fact(), confirmed()],
        ),
        (
            successor_intent(4, 3, true),
            vec![post_fact("b"), move_fact(), confirmed()],
        ),
        (
            successor_intent(1, 3, false),
            vec![move_fact(), refund, confirmed()],
        ),
    ];
    for ((request, charges, old), expect) in rows {
        let next = next_without_call(&request, &charges, Some(&old), &accepted);
        assert_eq!(facts_of(next), expect);
    }
}

/// A mistake here once stopped every pass: each occurrence tried to take over a charge that can be
/// taken over only once.
#[test]
fn occurrences_that_join_a_successor_take_nothing_over() {
    let (request, _, old) = successor_intent(3, 3, false);
    let request = modify(request, |r| {
        r.bookings = ["b", "c", "d"].map(booking_ref).to_vec();
    });
    let charges = held_charges(&["c", "d"]);
    let states_with = |b| {
        booking_states(&[
            ("b", b),
            ("c", BookingState::Accepted),
            ("d", BookingState::Accepted),
        ])
    };
    let confirmed = || settled_fact("b", DecisionOutcome::Confirmed);
    let accepted_facts = facts_of(next_without_call(
        &request,
        &charges,
        Some(&old),
        &states_with(BookingState::Accepted),
    ));
    assert_eq!(
        accepted_facts,
        [move_fact(), post_fact("c"), post_fact("d"), confirmed()]
    );
    let cancelled_facts = facts_of(next_without_call(
        &request,
        &charges,
        Some(&old),
        &states_with(BookingState::Cancelled),
    ));
    assert_eq!(
        cancelled_facts,
        [post_fact("c"), post_fact("d"), confirmed()]
    );
}

#[test]
fn a_successor_that_was_not_accepted_leaves_the_charge_where_it_is() {
    for state in [
        BookingState::Rejected,
        BookingState::Cancelled,
        BookingState::Gone,
    ] {
        let (request, charges, old) = successor_intent(4, 3, true);
        let facts = facts_of(next_without_call(
            &request,
            &charges,
            Some(&old),
            &booking_states(&[("b", state)]),
        ));
        assert_eq!(facts.len(), 2, "a void and the end: {facts:?}");
        assert!(!facts.contains(&move_fact()));
    }
}

#[test]
fn a_charge_that_was_closed_meanwhile_is_not_taken_over_and_that_is_told() {
    let states = [None, Some(ChargeState::Refunded), Some(ChargeState::Final)];
    for state in states {
        let (request, charges, old) = successor_intent(4, 3, true);
        let old = state.map(|state| modify(old, |c| c.state = state));
        let states = booking_states(&[("b", BookingState::Accepted)]);
        let next = next_without_call(&request, &charges, old.as_ref(), &states);
        let NextStep::Settle {
            facts,
            problem,
            outcome,
        } = next
        else {
            panic!("{next:?}");
        };
        assert_eq!(
            facts,
            [
                post_fact("b"),
                settled_fact("b", DecisionOutcome::Confirmed)
            ]
        );
        assert_eq!(outcome, DecisionOutcome::Confirmed);
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
    let pending = BTreeMap::from([
        (uid("a"), BookingState::Pending),
        (uid("c"), BookingState::Cancelled),
    ]);
    let expect = vec![
        void_fact("a", "the series grew beyond the booker's credit"),
        void_fact("c", "the series grew beyond the booker's credit"),
        settled_fact("s", DecisionOutcome::Superseded),
    ];
    let given_up = intent::give_up(&request, &charges, &pending, EntryCode::SeriesGrew);
    assert_eq!(given_up, (DecisionOutcome::Superseded, expect));

    // A confirmation whose answer was lost may have answered a part of the series.
    let answered = BTreeMap::from([
        (uid("a"), BookingState::Accepted),
        (uid("c"), BookingState::Pending),
    ]);
    let expect = vec![
        post_fact("a"),
        void_fact("c", "the series grew beyond the booker's credit"),
        settled_fact("s", DecisionOutcome::Confirmed),
    ];
    let given_up = intent::give_up(&request, &charges, &answered, EntryCode::SeriesGrew);
    assert_eq!(given_up, (DecisionOutcome::Confirmed, expect));
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
        let refund_parts = refund_last_paid_first(&parts, credits);
        let actual: Vec<(&str, u64)> = refund_parts
            .iter()
            .map(|back| (back.grant.as_str(), back.credits))
            .collect();
        assert_eq!(actual, expect, "{credits}");
    }
}

#[test]
fn the_state_of_a_booking_by_its_status_and_moves() {
    let moved_booking = |status| {
        modify(with_status(booking("a"), status), |b| {
            b.rescheduled_to = Some(uid("b"));
        })
    };
    let unmoved_booking = |status| with_status(booking("a"), status);
    let rows = [
        (
            unmoved_booking(BookingStatus::Pending),
            BookingState::Pending,
        ),
        (
            moved_booking(BookingStatus::Pending),
            BookingState::Cancelled,
        ),
        (
            unmoved_booking(BookingStatus::Accepted),
            BookingState::Accepted,
        ),
        (
            moved_booking(BookingStatus::Accepted),
            BookingState::AcceptedAfterMove,
        ),
        (
            modify(unmoved_booking(BookingStatus::Accepted), |b| {
                b.cancelled_by = Some(address("bo@example.com"));
            }),
            BookingState::AcceptedAfterCancel,
        ),
        (
            modify(unmoved_booking(BookingStatus::Accepted), |b| {
                b.cancellation_reason = Some("ill".to_owned());
            }),
            BookingState::AcceptedAfterCancel,
        ),
        // The reason of a move is on the booking that was moved to.
        (
            modify(unmoved_booking(BookingStatus::Accepted), |b| {
                b.cancellation_reason = Some("ill".to_owned());
                b.rescheduled_from = Some(uid("z"));
            }),
            BookingState::Accepted,
        ),
        (
            unmoved_booking(BookingStatus::Rejected),
            BookingState::Rejected,
        ),
        (
            unmoved_booking(BookingStatus::Cancelled),
            BookingState::Cancelled,
        ),
        (
            moved_booking(BookingStatus::Cancelled),
            BookingState::Cancelled,
        ),
        (
            unmoved_booking(BookingStatus::AwaitingHost),
            BookingState::OtherStatus,
        ),
        (
            unmoved_booking(BookingStatus::Other("new".to_owned())),
            BookingState::OtherStatus,
        ),
    ];
    for (booking, expect) in rows {
        let fetched_state = BookingState::from_fetched(&Fetched::Found(Box::new(booking.clone())));
        assert_eq!(
            (BookingState::from_booking(&booking), fetched_state),
            (expect, expect)
        );
    }
    assert_eq!(
        BookingState::from_fetched(&Fetched::Gone),
        BookingState::Gone
    );
}

/// A moved occurrence does not name its successor, even if a confirmation came too late and revived
/// it.
#[test]
fn an_occurrence_is_seen_with_who_replaced_it() {
    let occurrence_with = |status| with_status(occurrence("s", "a", 1), status);
    let successor = modify(occurrence("s", "b", 2), |b| {
        b.rescheduled_from = Some(uid("a"));
    });
    let state_in_series =
        |series: &[Booking], call| BookingState::in_series(series, &uid("a"), call, now());
    let rows = [
        (
            BookingStatus::Accepted,
            BookingState::AcceptedAfterMove,
            BookingState::Accepted,
        ),
        (
            BookingStatus::Cancelled,
            BookingState::Cancelled,
            BookingState::Cancelled,
        ),
        (
            BookingStatus::Pending,
            BookingState::Pending,
            BookingState::Pending,
        ),
    ];
    for (status, moved, alone) in rows {
        let pair = [successor.clone(), occurrence_with(status)];
        assert_eq!(state_in_series(&pair, None), moved);
        assert_eq!(state_in_series(&pair[1..], None), alone);
        assert_eq!(state_in_series(&pair[..1], None), BookingState::Gone);
    }
    let over = modify(occurrence_with(BookingStatus::Pending), |b| b.end = now());
    assert_eq!(
        state_in_series(&[over], Some(CallKind::Cancel)),
        BookingState::PendingAfterEnd
    );
    // An unknown status decides as little after the end as before it.
    let unknown = occurrence_with(BookingStatus::AwaitingHost);
    for call in [CallKind::Confirm, CallKind::Decline] {
        let series = std::slice::from_ref(&unknown);
        assert_eq!(
            state_in_series(series, Some(call)),
            BookingState::OtherStatus
        );
        let over = modify(unknown.clone(), |b| b.end = now());
        assert_eq!(
            state_in_series(&[over], Some(call)),
            BookingState::OtherStatus
        );
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
        (7, 240),
        (10, 1_920),
        (11, 3_600),
        (12, 3_600),
        (u32::MAX, 3_600),
    ];
    for (failures, seconds) in rows {
        let request = modify(intent("a", &["a"]), |r| {
            r.failures = failures;
            r.last_failure = Some(now());
        });
        let pause = Span::seconds(seconds);
        assert!(intent::is_due(&request, now() + pause), "{failures}");
        let before = now() + pause - Span::milliseconds(1);
        assert!(!intent::is_due(&request, before), "{failures}");
    }
    assert!(intent::is_due(&intent("a", &["a"]), now()));
}

/// A call that may still be running is never repeated, and a state that this call can still change
/// is not settled.
#[test]
fn while_a_call_may_be_running_its_booking_is_only_read() {
    let until = at_minute(15);
    let confirm = intent("a", &["a"]);
    let decline = to_decline(confirm.clone());
    let cancel = modify(decline.clone(), |r| r.call = Some(CallKind::Cancel));
    const NO_OUTCOME: Option<DecisionOutcome> = None;
    let rows = [
        // Cal.com writes a confirmation at the end of the call, whatever the booking is by then.
        (BookingState::Pending, [NO_OUTCOME, NO_OUTCOME, NO_OUTCOME]),
        (BookingState::Accepted, [CONFIRMED, NO_OUTCOME, NO_OUTCOME]),
        (BookingState::Rejected, [NO_OUTCOME, DECLINED, DECLINED]),
        (BookingState::Cancelled, [NO_OUTCOME, SUPERSEDED, DECLINED]),
        (BookingState::Gone, [NO_OUTCOME, SUPERSEDED, SUPERSEDED]),
        (
            BookingState::PendingAfterStart,
            [NO_OUTCOME, SUPERSEDED, SUPERSEDED],
        ),
        (
            BookingState::PendingAfterEnd,
            [NO_OUTCOME, SUPERSEDED, SUPERSEDED],
        ),
    ];
    for (state, expect) in rows {
        for (request, expect) in [&confirm, &decline, &cancel].into_iter().zip(expect) {
            let states = booking_states(&[("a", state)]);
            let next =
                intent::next_step(request, &held_charges(&["a"]), None, &states, Some(until));
            assert_eq!(outcome_of(&next), expect, "{state:?} {request:?}");
            if expect == NO_OUTCOME {
                assert_eq!(next, NextStep::Wait { until }, "{state:?} {request:?}");
            }
        }
    }
    // One occurrence that is still pending keeps the whole series from being called and settled.
    let series = intent("s", &["a", "b"]);
    let states = booking_states(&[("a", BookingState::Accepted), ("b", BookingState::Pending)]);
    let next = intent::next_step(
        &series,
        &held_charges(&["a", "b"]),
        None,
        &states,
        Some(until),
    );
    assert_eq!(next, NextStep::Wait { until });
}

fn call_note(minute: i64, end: CallEnd) -> CallNote {
    CallNote {
        at: at_minute(minute),
        booking: uid("a"),
        kind: CallKind::Confirm,
        end,
        text: "what came back".to_owned(),
    }
}

#[test]
fn a_call_may_be_running_until_its_time_has_passed_or_an_answer_came() {
    let limits = policy().limits;
    let lost_call = |minute| {
        call_note(
            minute,
            CallEnd::Unanswered {
                sent: at_minute(minute - 1),
            },
        )
    };
    let slack = limits.max_observation_age;
    let rows = [
        // the calls in the log, the mark in the store, when the unanswered call was sent
        (vec![], None, None),
        (vec![lost_call(10)], None, Some(at_minute(9))),
        (
            vec![lost_call(10), call_note(30, CallEnd::Refused)],
            None,
            None,
        ),
        (
            vec![call_note(5, CallEnd::Failed), lost_call(10)],
            None,
            Some(at_minute(9)),
        ),
        (vec![call_note(10, CallEnd::NotSent)], None, None),
        (vec![call_note(10, CallEnd::Answered)], None, None),
        // The process ended after the mark was set and before the call was recorded.
        (vec![], Some(at_minute(20)), Some(at_minute(20) + slack)),
        (
            vec![lost_call(10)],
            Some(at_minute(20)),
            Some(at_minute(20) + slack),
        ),
        // The record of the call is younger than the mark.
        (
            vec![call_note(30, CallEnd::Refused)],
            Some(at_minute(20)),
            None,
        ),
        (
            vec![lost_call(30)],
            Some(at_minute(20)),
            Some(at_minute(29)),
        ),
    ];
    for (calls, marked, expect) in rows {
        let request = modify(intent("a", &["a"]), |r| r.calls = calls);
        let sent = intent::unanswered_call_sent_at(&request, marked, &limits);
        assert_eq!(sent, expect, "{:?} {marked:?}", request.calls);
    }
    let running = |now| intent::running_until(Some(at_minute(0)), &limits, now);
    let last = at_minute(15) - Span::milliseconds(1);
    assert_eq!(running(at_minute(0)), Some(at_minute(15)));
    assert_eq!(running(last), Some(at_minute(15)));
    assert_eq!(running(at_minute(15)), None);
    // The clock was set back by a little, or by more than any call lasts.
    assert_eq!(running(at_minute(-15)), Some(at_minute(15)));
    assert_eq!(running(at_minute(-16)), None);
    assert_eq!(intent::running_until(None, &limits, at_minute(0)), None);
}

#[test]
fn the_readings_while_a_call_may_run_get_rarer() {
    let mut reads = Vec::new();
    let mut last = None;
    for second in (0..900).step_by(15) {
        let now = at_minute(0) + Span::seconds(second);
        if intent::should_reread(at_minute(0), last, now) {
            last = Some(now);
            reads.push(second);
        }
    }
    assert_eq!(reads, [0, 15, 30, 45, 75, 120, 180, 270, 405, 615]);
}

/// An intent that is always refused keeps time and credit from others, so it comes to an end.
#[test]
fn an_intent_that_is_refused_time_after_time_ends_and_is_told() {
    let intent_refused = |count: i64| {
        let calls = (0..count).map(|n| call_note(n, CallEnd::Refused)).collect();
        modify(intent("a", &["a"]), |r| r.calls = calls)
    };
    let pending = booking_states(&[("a", BookingState::Pending)]);
    assert_eq!(
        next_without_call(&intent_refused(7), &held_charges(&["a"]), None, &pending),
        NextStep::Call(booking_ref("a"))
    );
    let NextStep::Settle {
        outcome,
        facts,
        problem: Some(problem),
    } = next_without_call(&intent_refused(8), &held_charges(&["a"]), None, &pending)
    else {
        panic!("it goes on");
    };
    assert_eq!(outcome, DecisionOutcome::Refused);
    let expect = [
        void_fact("a", "Cal.com refuses the call"),
        settled_fact("a", DecisionOutcome::Refused),
    ];
    assert_eq!(facts[..2], expect);
    let Fact::Unresolved(UnresolvedFact::Listed { code, detail, .. }) = &facts[2] else {
        panic!("{facts:?}");
    };
    assert_eq!(*code, UnresolvedCode::Refused);
    assert!(detail.contains("what came back"), "{detail}");
    assert!(problem.contains("what came back"), "{problem}");
    // After an answer of another kind, the count begins again.
    let mixed = modify(intent_refused(8), |r| r.calls[3].end = CallEnd::Failed);
    assert_eq!(
        next_without_call(&mixed, &held_charges(&["a"]), None, &pending),
        NextStep::Call(booking_ref("a"))
    );
}

/// Cal.com always refuses to cancel a booking that is over, but still declines and confirms it.
#[test]
fn what_is_over_cannot_be_cancelled_any_more() {
    let pending = with_status(booking("a"), BookingStatus::Pending);
    let (before, end) = (pending.end - Span::seconds(1), pending.end);
    let (before_start, start) = (pending.start - Span::seconds(1), pending.start);
    let rows = [
        (Some(CallKind::Cancel), before, BookingState::Pending),
        (Some(CallKind::Cancel), end, BookingState::PendingAfterEnd),
        (Some(CallKind::Decline), end, BookingState::Pending),
        (Some(CallKind::Confirm), before_start, BookingState::Pending),
        (
            Some(CallKind::Confirm),
            start,
            BookingState::PendingAfterStart,
        ),
        (
            Some(CallKind::Confirm),
            end,
            BookingState::PendingAfterStart,
        ),
        (None, end, BookingState::Pending),
    ];
    for (call, now, expect) in rows {
        let actual = BookingState::for_call(&pending, call, now);
        assert_eq!(actual, expect, "{call:?} at {now}");
    }
    let rejected = with_status(pending, BookingStatus::Rejected);
    let actual = BookingState::for_call(&rejected, Some(CallKind::Cancel), end);
    assert_eq!(actual, BookingState::Rejected);
}

/// One call confirms every pending occurrence, so no call is sent once the first of them has begun.
#[test]
fn a_series_is_not_called_once_an_occurrence_has_begun() {
    let request = intent("a", &["a", "b", "c"]);
    let states_with =
        |first, last| booking_states(&[("a", first), ("b", BookingState::Pending), ("c", last)]);
    let next_step = next_without_call(
        &request,
        &held_charges(&["a", "b", "c"]),
        None,
        &states_with(BookingState::PendingAfterStart, BookingState::Accepted),
    );
    let unresolved_of = |fact: &Fact| match fact {
        Fact::Unresolved(UnresolvedFact::Listed { booking, code, .. }) => {
            Some((booking.uid.clone(), *code))
        }
        _ => None,
    };
    assert_eq!(
        outcome_of(&next_step),
        CONFIRMED,
        "of the one that was accepted"
    );
    let facts = facts_of(next_step);
    assert_eq!(
        facts[0],
        void_fact("a", "the booking began before it was confirmed")
    );
    assert_eq!(facts[1], void_fact("b", "the booking is still pending"));
    assert_eq!(facts[2], post_fact("c"));
    let unresolved: Vec<_> = facts.iter().filter_map(unresolved_of).collect();
    assert_eq!(unresolved, [(uid("a"), UnresolvedCode::Unanswered)]);
    for unknown in [BookingState::Unread, BookingState::OtherStatus] {
        let next = next_without_call(
            &request,
            &[],
            None,
            &states_with(BookingState::PendingAfterStart, unknown),
        );
        assert_eq!(next, NextStep::Unclear, "{unknown:?}");
    }
    // An accepted occurrence that has begun does not prevent the call for the others.
    let next = next_without_call(
        &request,
        &[],
        None,
        &states_with(BookingState::Accepted, BookingState::Pending),
    );
    assert_eq!(next, NextStep::Call(booking_ref("b")));
}
