//! What a charge refunds, on every path: over HTTP against the sandbox, with the real client. The
//! result does not depend on whether a pass or a watch runs first.

use crate::fixture::clock::parse_time;
use crate::fixture::pass_fixture::PassFixture;
use crate::fixture::steps::{BO, RunKind, START, perform_action, run_all};
use maitred::daemon::commands::charges::settle;
use maitred::domain::criteria::price::Cost;
use maitred::domain::dialect::Dialect;
use maitred::domain::fact::{ChargeFact, CreditFact, Fact};
use maitred::domain::id::{AccountId, BookingUid, Reference};
use maitred::domain::ledger::Violation;
use maitred::domain::refund_policy::{ExpiredRefund, LateMove, RefundTerms};
use maitred::domain::request::{ChargeState, RequestState};
use maitred::domain::time::{Span, Time};
use maitred::domain::watch::ChargeOutcome;
use maitred::reconcile::execute::{ExecutionReport, execute};
use maitred::reconcile::observe::observe;
use maitred::sandbox::action::{BookingMove, BookingRemark, ThirdPartyAction};
use maitred::sandbox::call_log::Operation;
use maitred::sandbox::faults::{Fault, FaultRule, Stage};
use maitred::store::port::CommitError;

fn change_refund_terms(fixture: &mut PassFixture, change: impl Fn(&mut RefundTerms)) {
    for gate in &mut fixture.policy.gates {
        change(&mut gate.terms.refunds);
    }
}

fn advance_to(fixture: &PassFixture, then: Time) {
    fixture.clock.advance(then - fixture.clock.now());
}

async fn grant_until(fixture: &PassFixture, credits: u64, expires: &str) {
    let at = fixture.clock.now();
    let fact = Fact::Credit(CreditFact::Grant {
        terms: Default::default(),
        reference: Reference::parse("short").unwrap(),
        account: AccountId::parse(BO).unwrap(),
        credits,
        expires: Some(parse_time(expires)),
        reason: "test".to_owned(),
    });
    let granted = fixture
        .store
        .with(move |store| store.commit(at, vec![fact], &[]));
    granted.await.unwrap();
}

/// Lets an operator end a charge. Returns success, or the text of the refusal.
async fn settle_charge(fixture: &PassFixture, uid: &str, give_back: bool) -> Result<(), String> {
    let (policy, now, uid) = (fixture.policy.clone(), fixture.clock.now(), uid.to_owned());
    let answer = fixture
        .store
        .with(move |store| settle(store, &policy, now, &uid, give_back));
    answer.await.map(drop).map_err(|refusal| refusal.text)
}

/// Makes the next confirmations fail before they have any effect.
fn fail_confirms(fixture: &PassFixture, count: usize) {
    for _ in 0..count {
        let stage = Stage::Before;
        let fault = FaultRule::on_next(Operation::Confirm, Fault::Error { stage });
        fixture.sandbox.lock().add_fault(fault).unwrap();
    }
}

/// A path on which credits come back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum RefundPath {
    Cancelled,
    /// The booking moves to one that costs less, and the pass or the watch settles the move.
    CheaperByPass,
    CheaperByWatch,
    /// The hold lasts longer than its lot, and the booking is never confirmed.
    Voided,
    Operator,
}

#[tokio::test]
async fn refunds_to_an_expired_lot_follow_one_rule_on_every_path() {
    let ways = [
        (RefundPath::Cancelled, 3),
        (RefundPath::CheaperByPass, 2),
        (RefundPath::CheaperByWatch, 2),
        (RefundPath::Voided, 3),
        (RefundPath::Operator, 3),
    ];
    let rules = [
        ExpiredRefund::RestoreFor(Span::days(14)),
        ExpiredRefund::Forfeit,
    ];
    for rule in rules {
        for (way, back) in ways {
            let what = format!("{way:?} {rule:?}");
            let mut fixture = PassFixture::new(Dialect::V2).await;
            change_refund_terms(&mut fixture, |terms| terms.expired_refund = rule);
            grant_until(&fixture, 3, "2026-11-26T00:00:00Z").await;
            let uid = fixture.request(fixture.event_types.dinner, BO, START);
            if way == RefundPath::Voided {
                fail_confirms(&fixture, 1);
            }
            fixture.pass().await;
            fixture.watch(true).await;
            // The terms at the time of the payment count.
            change_refund_terms(&mut fixture, |terms| {
                terms.expired_refund = ExpiredRefund::Forfeit
            });
            fixture.clock.advance(Span::days(4));
            let shift = BookingMove::new(&uid, parse_time("2026-12-03T09:00:00Z"));
            match way {
                RefundPath::Cancelled | RefundPath::Voided => {
                    perform_action(
                        &fixture,
                        ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&uid)),
                    );
                }
                RefundPath::CheaperByPass | RefundPath::CheaperByWatch => {
                    for gate in &mut fixture.policy.gates {
                        gate.cost = Cost::Fixed(1);
                    }
                    let action = if way == RefundPath::CheaperByPass {
                        ThirdPartyAction::BookerMoves(shift)
                    } else {
                        ThirdPartyAction::HostMoves(shift)
                    };
                    perform_action(&fixture, action);
                }
                RefundPath::Operator => settle_charge(&fixture, &uid, true).await.unwrap(),
            }
            fixture.pass().await;
            fixture.watch(true).await;
            let restored = match rule {
                ExpiredRefund::RestoreFor(_) => back,
                ExpiredRefund::Forfeit => 0,
            };
            let (available, held, posted) = fixture.balance(BO).await;
            assert_eq!((available, held), (restored, 0), "{what}");
            // Refunded credits of a charge still count as posted once; a hold was never posted.
            assert_eq!(
                posted,
                if way == RefundPath::Voided { 0 } else { 3 },
                "{what}"
            );
            fixture.clock.advance(Span::days(15));
            assert_eq!(fixture.balance(BO).await.0, 0, "{what}");
        }
    }
}

/// Without this rule, credits would never expire: book far ahead, cancel after the expiry, book
/// again.
#[tokio::test]
async fn a_restored_lot_is_not_restored_again() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    grant_until(&fixture, 1, "2026-11-26T00:00:00Z").await;
    let first = fixture.request(fixture.event_types.lesson, BO, "2027-01-01T09:00:00Z");
    fixture.pass().await;
    fixture.watch(true).await;
    fixture.clock.advance(Span::days(4));
    perform_action(
        &fixture,
        ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&first)),
    );
    fixture.watch(false).await;
    assert_eq!(fixture.balance(BO).await.0, 1, "restored for 14 days");
    // Within these days the credit comes back each time that the booking is cancelled in time, and
    // no longer.
    for (days, available) in [(5, 1), (5, 1), (5, 0)] {
        let next = fixture.request(fixture.event_types.lesson, BO, "2027-02-01T09:00:00Z");
        fixture.clock.advance(Span::minutes(1));
        fixture.pass().await;
        assert_eq!(fixture.status(&next), "accepted");
        fixture.clock.advance(Span::days(days));
        perform_action(
            &fixture,
            ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&next)),
        );
        fixture.watch(false).await;
        assert_eq!(fixture.balance(BO).await.0, available);
    }
}

const RUN_ORDERS: [&[RunKind]; 4] = [
    &[RunKind::Pass, RunKind::Watch],
    &[RunKind::Watch, RunKind::Pass, RunKind::Watch],
    &[RunKind::Audit, RunKind::Pass, RunKind::Watch],
    &[RunKind::Pass, RunKind::Audit],
];

/// The booking is moved twice before any run: each move counts by the start of the booking that it
/// replaces.
#[tokio::test]
async fn a_booking_moved_twice_before_confirmation_costs_the_same_in_each_order_of_runs() {
    let start = parse_time(START);
    let hours = Span::hours;
    // the first move, to when, the second move, what is charged where a late move is a cancellation
    let rows = [
        // Both moves are in time for the bookings that they replace, although the second is near
        // the first start.
        (start - hours(30), start + hours(120), start - hours(20), 1),
        // The second move is late for the intermediate booking, and in time for the first booking.
        (
            start - hours(144),
            start - hours(110),
            start - hours(112),
            2,
        ),
        // The first move is late.
        (start - hours(20), start + hours(120), start - hours(19), 2),
    ];
    for dialect in [Dialect::V2, Dialect::V1] {
        for late_move in [LateMove::Carry, LateMove::Cancellation] {
            for (number, (first, to, second, charged)) in rows.into_iter().enumerate() {
                for order in RUN_ORDERS {
                    let what = format!("{dialect:?} {late_move:?} row {number} {order:?}");
                    let mut fixture = PassFixture::new(dialect).await;
                    change_refund_terms(&mut fixture, |terms| terms.late_move = late_move);
                    fixture.grant(BO, 5).await;
                    let uid = fixture.request(fixture.event_types.lesson, BO, START);
                    run_all(&mut fixture, &[RunKind::Pass, RunKind::Audit]).await;
                    advance_to(&fixture, first);
                    let between = perform_action(
                        &fixture,
                        ThirdPartyAction::BookerMoves(BookingMove::new(&uid, to)),
                    )
                    .remove(0);
                    advance_to(&fixture, second);
                    let later = start + hours(240);
                    let last = perform_action(
                        &fixture,
                        ThirdPartyAction::BookerMoves(BookingMove::new(&between, later)),
                    );
                    run_all(&mut fixture, order).await;
                    let charged = match late_move {
                        LateMove::Carry => 1,
                        LateMove::Cancellation => charged,
                    };
                    assert_eq!(fixture.status(&last[0]), "accepted", "{what}");
                    assert_eq!(fixture.balance(BO).await.0, 5 - charged, "{what}");
                    // A late move that was carried gives nothing back after a cancellation in time.
                    perform_action(
                        &fixture,
                        ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&last[0])),
                    );
                    run_all(&mut fixture, order).await;
                    let back = match late_move {
                        LateMove::Carry if number > 0 => 0,
                        LateMove::Carry | LateMove::Cancellation => 1,
                    };
                    assert_eq!(fixture.balance(BO).await.0, 5 - charged + back, "{what}");
                }
            }
        }
    }
}

/// What happens after a move.
#[derive(Debug, Clone, Copy, PartialEq)]
enum AfterMove {
    CancelledInTime,
    HostCancels,
    Refused,
    Cheaper,
    TakesPlace,
}

#[tokio::test]
async fn a_late_move_does_not_avoid_the_cost_of_a_cancellation() {
    // hours before the start, what happens then, the final charge (3 credits were paid)
    let rows = [
        (30, AfterMove::CancelledInTime, 0),
        (30, AfterMove::Refused, 0),
        (30, AfterMove::Cheaper, 1),
        (10, AfterMove::CancelledInTime, 1),
        (10, AfterMove::Refused, 1),
        (10, AfterMove::HostCancels, 0),
        (10, AfterMove::Cheaper, 1),
        (1, AfterMove::CancelledInTime, 3),
        (1, AfterMove::HostCancels, 0),
        (1, AfterMove::Refused, 3),
        (1, AfterMove::Cheaper, 3),
        (1, AfterMove::TakesPlace, 3),
    ];
    let between: [&[RunKind]; 3] = [&[], &[RunKind::Pass], &[RunKind::Watch, RunKind::Pass]];
    for (hours, then, charged) in rows {
        for (between, order) in between.into_iter().flat_map(|b| RUN_ORDERS.map(|o| (b, o))) {
            let what = format!("{hours} h before, {then:?}, {between:?} {order:?}");
            let mut fixture = PassFixture::new(Dialect::V2).await;
            change_refund_terms(&mut fixture, |terms| {
                terms.tiers = crate::fixture::pass_fixture::graded_refund_tiers();
                terms.trust_named_cancels = true;
            });
            fixture.grant(BO, 3).await;
            let uid = fixture.request(fixture.event_types.dinner, BO, START);
            run_all(&mut fixture, &[RunKind::Pass, RunKind::Audit]).await;
            advance_to(&fixture, parse_time(START) - Span::hours(hours));
            if then == AfterMove::Refused {
                for gate in &mut fixture.policy.gates {
                    gate.criteria.notice.at_most = Some(Span::days(3));
                }
            }
            if then == AfterMove::Cheaper {
                for gate in &mut fixture.policy.gates {
                    gate.cost = Cost::Fixed(1);
                }
            }
            let shift = BookingMove::new(&uid, parse_time("2026-12-21T09:00:00Z"));
            let last = perform_action(&fixture, ThirdPartyAction::BookerMoves(shift)).remove(0);
            run_all(&mut fixture, between).await;
            match then {
                AfterMove::CancelledInTime => {
                    perform_action(
                        &fixture,
                        ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&last)),
                    );
                }
                AfterMove::HostCancels => drop(perform_action(
                    &fixture,
                    ThirdPartyAction::HostCancels(BookingRemark::without_reason(&last)),
                )),
                AfterMove::Refused | AfterMove::Cheaper | AfterMove::TakesPlace => {}
            }
            run_all(&mut fixture, order).await;
            fixture.clock.advance(Span::days(40));
            run_all(
                &mut fixture,
                &[RunKind::Pass, RunKind::Watch, RunKind::Audit],
            )
            .await;
            assert_eq!(fixture.balance(BO).await.0, 3 - charged, "{what}");
            for uid in [&uid, &last] {
                let state = fixture.charge(uid).await.map(|charge| charge.state);
                let open = matches!(state, Some(ChargeState::Open | ChargeState::Held));
                assert!(!open, "{what}: {uid} {state:?}");
            }
        }
    }
}

/// An open intent takes a charge over. No command and no watch ends the charge, so the successor is
/// never confirmed without a payment.
#[tokio::test]
async fn only_its_intent_ends_a_charge_that_is_being_taken_over() {
    for give_back in [true, false] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        fixture.grant(BO, 1).await;
        let uid = fixture.request(fixture.event_types.lesson, BO, START);
        run_all(&mut fixture, &[RunKind::Pass, RunKind::Audit]).await;
        let shift = BookingMove::new(&uid, parse_time("2026-12-03T09:00:00Z"));
        let last = perform_action(&fixture, ThirdPartyAction::BookerMoves(shift)).remove(0);
        fail_confirms(&fixture, 1);
        fixture.pass().await;
        let intent = fixture.stored_request(&last).await.unwrap();
        assert_eq!(intent.state, RequestState::Recorded);
        assert_eq!(
            intent.predecessor.as_ref().map(BookingUid::as_str),
            Some(uid.as_str())
        );

        let refused = settle_charge(&fixture, &uid, give_back).await.unwrap_err();
        for word in [&uid, &last, "maitred explain"] {
            assert!(refused.contains(word), "{refused}");
        }
        // Facts from another source cannot end the charge either.
        let booking = BookingUid::parse(&uid).unwrap();
        let at = fixture.clock.now();
        let ends = [
            Fact::Charge(ChargeFact::Closed {
                booking: booking.clone(),
                reason: "test".into(),
            }),
            Fact::Charge(ChargeFact::Refund {
                booking: booking.clone(),
                parts: Vec::new(),
                close: true,
                reason: "test".into(),
            }),
        ];
        for fact in ends {
            let commit = fixture
                .store
                .with(move |store| store.commit(at, vec![fact], &[]));
            let error = commit.await.unwrap_err();
            let CommitError::Violation(Violation::ChargeTakenOver { request, .. }) = error else {
                panic!("{error:?}");
            };
            assert_eq!(request, intent.id);
        }
        run_all(&mut fixture, &[RunKind::Watch, RunKind::Audit]).await;
        assert_eq!(fixture.charge(&uid).await.unwrap().state, ChargeState::Open);

        fixture.pass().await;
        assert_eq!(fixture.status(&last), "accepted");
        let charge = fixture.charge(&last).await.unwrap();
        assert_eq!(
            (charge.state.clone(), charge.credits()),
            (ChargeState::Open, 1)
        );
        assert_eq!(charge.taken_over_by, None);
        settle_charge(&fixture, &last, give_back).await.unwrap();
        assert_eq!(fixture.balance(BO).await.0, u64::from(give_back));
    }
}

/// The charge ends between reading and writing: the next pass decides with the data at that time.
#[tokio::test]
async fn a_charge_ended_between_planning_and_writing_is_not_taken_over() {
    for give_back in [true, false] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        fixture.grant(BO, 2).await;
        let uid = fixture.request(fixture.event_types.lesson, BO, START);
        run_all(&mut fixture, &[RunKind::Pass, RunKind::Audit]).await;
        let shift = BookingMove::new(&uid, parse_time("2026-12-03T09:00:00Z"));
        let last = perform_action(&fixture, ThirdPartyAction::BookerMoves(shift)).remove(0);
        let clock = fixture.clock.clock();
        let ports = fixture.runner.ports(&clock);
        let observed = observe(&ports, &fixture.runner.policy, &mut fixture.session);
        let observed = observed.await.unwrap();
        settle_charge(&fixture, &uid, give_back).await.unwrap();
        let mut done = ExecutionReport::default();
        let limits = &fixture.policy.limits;
        execute(
            &ports,
            limits,
            observed.snapshot.now,
            observed.plan,
            &mut done,
        )
        .await
        .unwrap();
        assert_eq!(fixture.status(&last), "pending");
        assert!(done.more);
        assert_eq!(done.problems, []);
        let watched = fixture.watch(false).await;
        let ends: Vec<ChargeOutcome> = watched
            .changes
            .iter()
            .map(|change| change.outcome)
            .collect();
        assert_eq!(ends, []);
        fixture.pass().await;
        assert_eq!(fixture.status(&last), "accepted");
        let charge = fixture.charge(&last).await.unwrap();
        assert_eq!(
            (charge.state.clone(), charge.credits()),
            (ChargeState::Open, 1)
        );
        assert_eq!(fixture.balance(BO).await.0, u64::from(give_back));
    }
}
