//! What comes back of a charge, on every way on which it can: over HTTP against the sandbox, with the
//! real client. Whoever looks first, the result is the same.

#![allow(clippy::unwrap_used, reason = "tests panic")]

mod common;

use common::{House, time};
use maitred::calcom::port::Dialect;
use maitred::daemon::answer::charges::settle;
use maitred::domain::fact::Fact;
use maitred::domain::id::{AccountId, BookingUid, Reference};
use maitred::domain::ledger::Violation;
use maitred::domain::request::{ChargeState, RequestState};
use maitred::domain::terms::{ExpiredRefund, LateMove, RefundTerms};
use maitred::domain::time::{Span, Time};
use maitred::domain::watch::What;
use maitred::reconcile::execute::{Executed, execute};
use maitred::reconcile::observe::observe;
use maitred::reconcile::ports::Ports;
use maitred::sandbox::actions::{Action, Said, Shift};
use maitred::sandbox::faults::{Fault, Rule, Stage};
use maitred::sandbox::journal::Operation;
use maitred::store::port::CommitError;

const BO: &str = "bo@example.com";
/// A week after the house's clock begins.
const START: &str = "2026-12-01T09:00:00Z";

fn act(house: &House, action: Action) -> Vec<String> {
    house.clock.advance(Span::seconds(1));
    house.sandbox.lock().act(house.clock.now(), action).unwrap()
}

fn terms(house: &mut House, change: impl Fn(&mut RefundTerms)) {
    for gate in &mut house.policy.gates {
        change(&mut gate.terms.refunds);
    }
}

fn until(house: &House, then: Time) {
    house.clock.advance(then - house.clock.now());
}

async fn grant_until(house: &House, credits: u64, expires: &str) {
    let at = house.clock.now();
    let fact = Fact::Grant {
        reference: Reference::parse("short").unwrap(),
        account: AccountId::parse(BO).unwrap(),
        credits,
        expires: Some(time(expires)),
        reason: "test".to_owned(),
    };
    let granted = house
        .store
        .with(move |store| store.commit(at, vec![fact], &[]));
    granted.await.unwrap();
}

/// An operator's word about a charge: whether it was taken, or the text of the refusal.
async fn settled(house: &House, uid: &str, give_back: bool) -> Result<(), String> {
    let (policy, now, uid) = (house.policy.clone(), house.clock.now(), uid.to_owned());
    let answer = house
        .store
        .with(move |store| settle(store, &policy, now, &uid, give_back));
    answer.await.map(drop).map_err(|refusal| refusal.text)
}

/// The next confirmations fail before anything happens.
fn confirms_fail(house: &House, count: usize) {
    for _ in 0..count {
        let stage = Stage::Before;
        let fault = Rule::next(Operation::Confirm, Fault::Error { stage });
        house.sandbox.lock().add_fault(fault).unwrap();
    }
}

/// A way on which credits come back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Cancelled,
    /// Moved to a booking that costs less, and the pass settles it, or the watch.
    CheaperByPass,
    CheaperByWatch,
    /// The hold outlived its lot, and the booking was never confirmed.
    Voided,
    Operator,
}

#[tokio::test]
async fn what_comes_back_to_an_expired_lot_follows_one_rule_on_every_way() {
    let ways = [
        (Way::Cancelled, 3),
        (Way::CheaperByPass, 2),
        (Way::CheaperByWatch, 2),
        (Way::Voided, 3),
        (Way::Operator, 3),
    ];
    let rules = [
        ExpiredRefund::RestoreFor(Span::days(14)),
        ExpiredRefund::Forfeit,
    ];
    for rule in rules {
        for (way, back) in ways {
            let what = format!("{way:?} {rule:?}");
            let mut house = House::new(Dialect::V2).await;
            terms(&mut house, |terms| terms.expired_refund = rule);
            grant_until(&house, 3, "2026-11-26T00:00:00Z").await;
            let uid = house.request(house.kinds.dinner, BO, START);
            if way == Way::Voided {
                confirms_fail(&house, 1);
            }
            house.pass().await;
            house.watch(true).await;
            // What counts is what stood when it was paid.
            terms(&mut house, |terms| {
                terms.expired_refund = ExpiredRefund::Forfeit
            });
            house.clock.advance(Span::days(4));
            let shift = Shift::to(&uid, time("2026-12-03T09:00:00Z"));
            match way {
                Way::Cancelled | Way::Voided => {
                    act(&house, Action::BookerCancels(Said::nothing(&uid)));
                }
                Way::CheaperByPass | Way::CheaperByWatch => {
                    for gate in &mut house.policy.gates {
                        gate.cost = 1;
                    }
                    let action = if way == Way::CheaperByPass {
                        Action::BookerMoves(shift)
                    } else {
                        Action::HostMoves(shift)
                    };
                    act(&house, action);
                }
                Way::Operator => settled(&house, &uid, true).await.unwrap(),
            }
            house.pass().await;
            house.watch(true).await;
            let restored = match rule {
                ExpiredRefund::RestoreFor(_) => back,
                ExpiredRefund::Forfeit => 0,
            };
            let (available, held, posted) = house.balance(BO).await;
            assert_eq!((available, held), (restored, 0), "{what}");
            // What came back of a charge still counts as posted once; a hold was never posted.
            assert_eq!(posted, if way == Way::Voided { 0 } else { 3 }, "{what}");
            house.clock.advance(Span::days(15));
            assert_eq!(house.balance(BO).await.0, 0, "{what}");
        }
    }
}

/// Book far ahead, cancel after the expiry, book again: that would make credits live without end.
#[tokio::test]
async fn a_restored_lot_is_not_restored_again() {
    let mut house = House::new(Dialect::V2).await;
    grant_until(&house, 1, "2026-11-26T00:00:00Z").await;
    let first = house.request(house.kinds.lesson, BO, "2027-01-01T09:00:00Z");
    house.pass().await;
    house.watch(true).await;
    house.clock.advance(Span::days(4));
    act(&house, Action::BookerCancels(Said::nothing(&first)));
    house.watch(false).await;
    assert_eq!(house.balance(BO).await.0, 1, "restored for 14 days");
    // Within these days it comes back as often as it is cancelled in time, and no longer.
    for (days, available) in [(5, 1), (5, 1), (5, 0)] {
        let next = house.request(house.kinds.lesson, BO, "2027-02-01T09:00:00Z");
        house.clock.advance(Span::minutes(1));
        house.pass().await;
        assert_eq!(house.status(&next), "accepted");
        house.clock.advance(Span::days(days));
        act(&house, Action::BookerCancels(Said::nothing(&next)));
        house.watch(false).await;
        assert_eq!(house.balance(BO).await.0, available);
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Look {
    Pass,
    Watch,
    Audit,
}

async fn look(house: &mut House, looks: &[Look]) {
    for look in looks {
        match look {
            Look::Pass => drop(house.pass().await),
            Look::Watch => drop(house.watch(false).await),
            Look::Audit => drop(house.watch(true).await),
        }
    }
}

const ORDERS: [&[Look]; 4] = [
    &[Look::Pass, Look::Watch],
    &[Look::Watch, Look::Pass, Look::Watch],
    &[Look::Audit, Look::Pass, Look::Watch],
    &[Look::Pass, Look::Audit],
];

/// Moved twice before anybody looks: each move counts by the time of the booking that it moved away.
#[tokio::test]
async fn moved_twice_before_confirmation_costs_the_same_whoever_looks_first() {
    let start = time(START);
    let hours = Span::hours;
    // the first move, to when, the second move, what is charged where a late move is a cancellation
    let rows = [
        // In time for what each of them moves away, though the second is near the first start.
        (start - hours(30), start + hours(120), start - hours(20), 1),
        // The second one is late for the booking between, and in time for the first.
        (
            start - hours(144),
            start - hours(110),
            start - hours(112),
            2,
        ),
        // The first is late.
        (start - hours(20), start + hours(120), start - hours(19), 2),
    ];
    for dialect in [Dialect::V2, Dialect::V1] {
        for late_move in [LateMove::Carry, LateMove::Cancellation] {
            for (number, (first, to, second, charged)) in rows.into_iter().enumerate() {
                for order in ORDERS {
                    let what = format!("{dialect:?} {late_move:?} row {number} {order:?}");
                    let mut house = House::new(dialect).await;
                    terms(&mut house, |terms| terms.late_move = late_move);
                    house.grant(BO, 5).await;
                    let uid = house.request(house.kinds.lesson, BO, START);
                    look(&mut house, &[Look::Pass, Look::Audit]).await;
                    until(&house, first);
                    let between = act(&house, Action::BookerMoves(Shift::to(&uid, to))).remove(0);
                    until(&house, second);
                    let later = start + hours(240);
                    let last = act(&house, Action::BookerMoves(Shift::to(&between, later)));
                    look(&mut house, order).await;
                    let charged = match late_move {
                        LateMove::Carry => 1,
                        LateMove::Cancellation => charged,
                    };
                    assert_eq!(house.status(&last[0]), "accepted", "{what}");
                    assert_eq!(house.balance(BO).await.0, 5 - charged, "{what}");
                    // A late move that was carried does not come back by cancelling in time.
                    act(&house, Action::BookerCancels(Said::nothing(&last[0])));
                    look(&mut house, order).await;
                    let back = match late_move {
                        LateMove::Carry if number > 0 => 0,
                        LateMove::Carry | LateMove::Cancellation => 1,
                    };
                    assert_eq!(house.balance(BO).await.0, 5 - charged + back, "{what}");
                }
            }
        }
    }
}

/// What happens after a move.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    CancelledInTime,
    HostCancels,
    Refused,
    Cheaper,
    TakesPlace,
}

#[tokio::test]
async fn a_late_move_does_not_undo_what_a_cancellation_would_have_cost() {
    // hours before the start, what happens then, of 3 credits the charge in the end
    let rows = [
        (30, Then::CancelledInTime, 0),
        (30, Then::Refused, 0),
        (30, Then::Cheaper, 1),
        (10, Then::CancelledInTime, 1),
        (10, Then::Refused, 1),
        (10, Then::HostCancels, 0),
        (10, Then::Cheaper, 1),
        (1, Then::CancelledInTime, 3),
        (1, Then::HostCancels, 0),
        (1, Then::Refused, 3),
        (1, Then::Cheaper, 3),
        (1, Then::TakesPlace, 3),
    ];
    let between: [&[Look]; 3] = [&[], &[Look::Pass], &[Look::Watch, Look::Pass]];
    for (hours, then, charged) in rows {
        for (between, order) in between.into_iter().flat_map(|b| ORDERS.map(|o| (b, o))) {
            let what = format!("{hours} h before, {then:?}, {between:?} {order:?}");
            let mut house = House::new(Dialect::V2).await;
            terms(&mut house, |terms| {
                terms.windows = common::graded();
                terms.trust_named_cancels = true;
            });
            house.grant(BO, 3).await;
            let uid = house.request(house.kinds.dinner, BO, START);
            look(&mut house, &[Look::Pass, Look::Audit]).await;
            until(&house, time(START) - Span::hours(hours));
            if then == Then::Refused {
                for gate in &mut house.policy.gates {
                    gate.criteria.notice.at_most = Some(Span::days(3));
                }
            }
            if then == Then::Cheaper {
                for gate in &mut house.policy.gates {
                    gate.cost = 1;
                }
            }
            let shift = Shift::to(&uid, time("2026-12-21T09:00:00Z"));
            let last = act(&house, Action::BookerMoves(shift)).remove(0);
            look(&mut house, between).await;
            match then {
                Then::CancelledInTime => {
                    act(&house, Action::BookerCancels(Said::nothing(&last)));
                }
                Then::HostCancels => drop(act(&house, Action::HostCancels(Said::nothing(&last)))),
                Then::Refused | Then::Cheaper | Then::TakesPlace => {}
            }
            look(&mut house, order).await;
            house.clock.advance(Span::days(40));
            look(&mut house, &[Look::Pass, Look::Watch, Look::Audit]).await;
            assert_eq!(house.balance(BO).await.0, 3 - charged, "{what}");
            for uid in [&uid, &last] {
                let state = house.charge(uid).await.map(|charge| charge.state);
                let open = matches!(state, Some(ChargeState::Open | ChargeState::Held));
                assert!(!open, "{what}: {uid} {state:?}");
            }
        }
    }
}

/// An open intent takes a charge over: no command and no watch ends it, so the successor is never
/// confirmed with nothing to pay for it.
#[tokio::test]
async fn a_charge_that_is_being_taken_over_is_ended_by_its_intent_alone() {
    for give_back in [true, false] {
        let mut house = House::new(Dialect::V2).await;
        house.grant(BO, 1).await;
        let uid = house.request(house.kinds.lesson, BO, START);
        look(&mut house, &[Look::Pass, Look::Audit]).await;
        let shift = Shift::to(&uid, time("2026-12-03T09:00:00Z"));
        let last = act(&house, Action::BookerMoves(shift)).remove(0);
        confirms_fail(&house, 1);
        house.pass().await;
        let begun = house.record(&last).await.unwrap();
        assert_eq!(begun.state, RequestState::Recorded);
        assert_eq!(
            begun.carries.as_ref().map(BookingUid::as_str),
            Some(uid.as_str())
        );

        let refused = settled(&house, &uid, give_back).await.unwrap_err();
        for word in [&uid, &last, "maitred explain"] {
            assert!(refused.contains(word), "{refused}");
        }
        // Nor by facts that somebody else makes.
        let booking = BookingUid::parse(&uid).unwrap();
        let at = house.clock.now();
        let ends = [
            Fact::Closed {
                booking: booking.clone(),
                reason: "test".into(),
            },
            Fact::Refund {
                booking: booking.clone(),
                parts: Vec::new(),
                close: true,
                reason: "test".into(),
            },
        ];
        for fact in ends {
            let commit = house
                .store
                .with(move |store| store.commit(at, vec![fact], &[]));
            let error = commit.await.unwrap_err();
            let CommitError::Violation(Violation::TakenOver { request, .. }) = error else {
                panic!("{error:?}");
            };
            assert_eq!(request, begun.id);
        }
        look(&mut house, &[Look::Watch, Look::Audit]).await;
        assert_eq!(house.charge(&uid).await.unwrap().state, ChargeState::Open);

        house.pass().await;
        assert_eq!(house.status(&last), "accepted");
        let charge = house.charge(&last).await.unwrap();
        assert_eq!(
            (charge.state.clone(), charge.credits()),
            (ChargeState::Open, 1)
        );
        assert_eq!(charge.taken_by, None);
        settled(&house, &last, give_back).await.unwrap();
        assert_eq!(house.balance(BO).await.0, u64::from(give_back));
    }
}

/// Ended between looking and writing: the next pass decides with what is there then.
#[tokio::test]
async fn a_charge_that_was_ended_meanwhile_is_not_taken_over() {
    for give_back in [true, false] {
        let mut house = House::new(Dialect::V2).await;
        house.grant(BO, 2).await;
        let uid = house.request(house.kinds.lesson, BO, START);
        look(&mut house, &[Look::Pass, Look::Audit]).await;
        let shift = Shift::to(&uid, time("2026-12-03T09:00:00Z"));
        let last = act(&house, Action::BookerMoves(shift)).remove(0);
        let clock = house.clock.clock();
        let ports = Ports {
            calendar: house.calendar.as_ref(),
            store: &house.store,
            lookups: &house.lookups,
            clock: &clock,
            stop: &house.stop,
        };
        let seen = observe(&ports, &house.policy, &mut house.session);
        let seen = seen.await.unwrap();
        settled(&house, &uid, give_back).await.unwrap();
        let mut done = Executed::default();
        let limits = &house.policy.limits;
        execute(&ports, limits, seen.snapshot.now, seen.plan, &mut done)
            .await
            .unwrap();
        assert_eq!(house.status(&last), "pending");
        assert!(done.more);
        assert_eq!(done.problems, []);
        let watched = house.watch(false).await;
        let ends: Vec<What> = watched.changes.iter().map(|change| change.what).collect();
        assert_eq!(ends, []);
        house.pass().await;
        assert_eq!(house.status(&last), "accepted");
        let charge = house.charge(&last).await.unwrap();
        assert_eq!(
            (charge.state.clone(), charge.credits()),
            (ChargeState::Open, 1)
        );
        assert_eq!(house.balance(BO).await.0, u64::from(give_back));
    }
}
