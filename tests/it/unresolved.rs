//! The unresolved list over HTTP against the sandbox: every booking that is accepted without a
//! charge, or although it was cancelled or moved, is on the list until it is resolved, however it
//! came about.

use crate::fixture::clock::parse_time;
use crate::fixture::pass_fixture::PassFixture;
use crate::fixture::steps::{
    BO, START, change_terms, check_nothing_more, perform_action, unresolved_items,
};
use maitred::control::protocol::CommandResult;
use maitred::daemon::commands::{charges, decisions, unresolved};
use maitred::domain::criteria::on_violation::OnViolation;
use maitred::domain::criteria::price::Cost;
use maitred::domain::dialect::Dialect;
use maitred::domain::id::BookingUid;
use maitred::domain::refund_policy::{AcceptedMove, LateMove, OnRevived, OnUnmanaged};
use maitred::domain::request::{ChargeState, RequestState};
use maitred::domain::time::Span;
use maitred::domain::unresolved::UnresolvedCode;
use maitred::reconcile::context::Session;
use maitred::sandbox::action::{BookingMove, BookingRemark, ThirdPartyAction};
use maitred::sandbox::booking::{SandboxBooking, SandboxStatus};
use maitred::sandbox::call_log::Operation;
use maitred::sandbox::faults::{Fault, FaultRule, FaultTimes, Stage};

fn edit_booking(fixture: &PassFixture, uid: &str, change: impl FnOnce(&mut SandboxBooking)) {
    fixture.sandbox.lock().edit(uid, change).unwrap();
}

/// Marks a booking as accepted by Cal.com or by others, whatever its status. `updatedAt` is null if
/// Cal.com accepted the booking immediately.
fn accept_booking(fixture: &PassFixture, uid: &str, at_once: bool) {
    fixture.clock.advance(Span::seconds(1));
    let now = fixture.clock.now();
    edit_booking(fixture, uid, |row| {
        row.status = SandboxStatus::Accepted;
        row.updated = (!at_once).then_some(now);
    });
}

/// Returns a fixture in which Bo has this many credits and a confirmed lesson, which cost 1.
async fn confirmed_fixture(dialect: Dialect, credits: u64) -> (PassFixture, String) {
    let mut fixture = PassFixture::new(dialect).await;
    fixture.grant(BO, credits).await;
    // A booking from before the ledger began would only be reported.
    fixture.clock.advance(Span::minutes(5));
    let uid = fixture.request(fixture.event_types.lesson, BO, START);
    fixture.pass().await;
    assert_eq!(fixture.status(&uid), "accepted");
    fixture.watch(true).await;
    (fixture, uid)
}

async fn resolve_item(fixture: &PassFixture, uid: &str) {
    let (uid, now) = (uid.to_owned(), fixture.clock.now());
    let resolved = fixture
        .store
        .with(move |store| unresolved::resolve(store, now, &uid, None, "seen by an operator"));
    resolved.await.unwrap();
}

#[tokio::test]
async fn a_booking_that_others_accept_is_found_by_the_next_watch_and_listed_until_resolved() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let mut fixture = PassFixture::new(dialect).await;
        fixture.grant(BO, 5).await;
        fixture.watch(true).await;
        let uid = fixture.request(fixture.event_types.lesson, BO, START);
        accept_booking(&fixture, &uid, true);
        let watched = fixture.watch(false).await;
        let one = [(uid.clone(), UnresolvedCode::Unmanaged)];
        assert_eq!(unresolved_items(&fixture).await, one, "{dialect:?}");
        assert_eq!(watched.unresolved.count, 1);
        assert!(watched.problems.iter().any(|p| p.code == "unmanaged"));
        // The booking is reported as news once, and stays on the list.
        let again = fixture.watch(true).await;
        assert_eq!((again.problems.len(), again.unresolved.count), (0, 1));
        check_nothing_more(&mut fixture, "listed").await;
        let requested = uid.clone();
        let (policy, now) = (fixture.policy.clone(), fixture.clock.now());
        let explained = fixture
            .store
            .with(move |store| decisions::explain(store, &policy, now, &requested));
        let CommandResult::Explain(view) = explained.await.unwrap() else {
            panic!("not an explanation");
        };
        assert!(view.decision.is_none());
        assert_eq!(view.unresolved[0].code, "unmanaged");
        // The detail reads well without the news that reported the booking.
        let detail = &view.unresolved[0].detail;
        assert!(detail.starts_with("accepted by others"), "{detail}");

        resolve_item(&fixture, &uid).await;
        check_nothing_more(&mut fixture, "resolved").await;
        assert_eq!(unresolved_items(&fixture).await, []);
        // The operator's resolution covers only this acceptance: the booking is cancelled, and
        // accepted again.
        perform_action(
            &fixture,
            ThirdPartyAction::HostCancels(BookingRemark::without_reason(&uid)),
        );
        fixture.watch(false).await;
        accept_booking(&fixture, &uid, false);
        fixture.watch(false).await;
        assert_eq!(unresolved_items(&fixture).await, one, "{dialect:?}");
        fixture.clock.advance(Span::days(20));
        fixture.watch(false).await;
        assert_eq!(unresolved_items(&fixture).await, [], "over");
        check_nothing_more(&mut fixture, "over").await;
    }
}

#[tokio::test]
async fn a_refunded_booking_that_is_accepted_again_is_unmanaged_again() {
    // mode, status, available, listed
    let rows = [
        (OnUnmanaged::Report, "accepted", 5, true),
        (OnUnmanaged::Charge, "accepted", 4, false),
        (OnUnmanaged::Cancel, "cancelled", 5, false),
    ];
    for dialect in [Dialect::V2, Dialect::V1] {
        for (mode, status, available, on_list) in rows {
            for audit in [false, true] {
                let what = format!("{dialect:?} {mode:?} audit {audit}");
                let (mut fixture, uid) = confirmed_fixture(dialect, 5).await;
                change_terms(&mut fixture, |terms| terms.on_unmanaged = mode);
                perform_action(
                    &fixture,
                    ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&uid)),
                );
                fixture.watch(false).await;
                assert_eq!(fixture.balance(BO).await.0, 5, "{what}");
                accept_booking(&fixture, &uid, false);
                fixture.watch(audit).await;
                assert_eq!(fixture.status(&uid), status, "{what}");
                assert_eq!(fixture.balance(BO).await.0, available, "{what}");
                let all = unresolved_items(&fixture).await;
                let unmanaged = all.contains(&(uid.clone(), UnresolvedCode::Unmanaged));
                assert_eq!(unmanaged, on_list, "{what}: {all:?}");
                fixture.watch(true).await;
                check_nothing_more(&mut fixture, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn only_an_operators_own_settlement_hides_an_accepted_booking_without_a_charge() {
    for mode in [
        OnUnmanaged::Report,
        OnUnmanaged::Charge,
        OnUnmanaged::Cancel,
    ] {
        let (mut fixture, uid) = confirmed_fixture(Dialect::V2, 5).await;
        change_terms(&mut fixture, |terms| terms.on_unmanaged = mode);
        let (policy, now, requested) = (fixture.policy.clone(), fixture.clock.now(), uid.clone());
        let settled = fixture
            .store
            .with(move |store| charges::settle(store, &policy, now, &requested, true));
        settled.await.unwrap();
        check_nothing_more(&mut fixture, "given back by an operator").await;
        assert_eq!(fixture.status(&uid), "accepted", "{mode:?}");
        assert_eq!(fixture.balance(BO).await.0, 5, "{mode:?}");
        assert_eq!(unresolved_items(&fixture).await, [], "{mode:?}");
    }
}

#[tokio::test]
async fn a_moved_booking_that_is_accepted_again_counts_as_revived() {
    for cancels in [false, true] {
        let (mut fixture, old) = confirmed_fixture(Dialect::V2, 5).await;
        let how = if cancels {
            OnRevived::Cancel
        } else {
            OnRevived::Report
        };
        change_terms(&mut fixture, |terms| terms.on_revived = how);
        let start = parse_time("2026-12-03T09:00:00Z");
        let new = perform_action(
            &fixture,
            ThirdPartyAction::BookerMoves(BookingMove::new(&old, start)),
        )
        .remove(0);
        fixture.pass().await;
        fixture.watch(false).await;
        accept_booking(&fixture, &old, false);
        fixture.watch(true).await;
        assert_eq!(fixture.balance(BO).await, (4, 0, 1));
        assert_eq!(fixture.charge(&new).await.unwrap().state, ChargeState::Open);
        if cancels {
            assert_eq!(fixture.status(&old), "cancelled");
            assert_eq!(unresolved_items(&fixture).await, []);
        } else {
            assert_eq!(fixture.status(&old), "accepted");
            let one = [(old.clone(), UnresolvedCode::Revived)];
            assert_eq!(unresolved_items(&fixture).await, one);
        }
        check_nothing_more(&mut fixture, "revived").await;
        assert_eq!(fixture.status(&new), "accepted");
    }
}

/// The list shows the moved booking as accepted, and the booking itself shows that it no longer is.
#[tokio::test]
async fn a_booking_that_only_an_old_list_shows_as_revived_is_not_listed() {
    let (mut fixture, old) = confirmed_fixture(Dialect::V2, 5).await;
    let start = parse_time("2026-12-03T09:00:00Z");
    let moves = ThirdPartyAction::BookerMoves(BookingMove::new(&old, start));
    perform_action(&fixture, moves);
    fixture.pass().await;
    fixture.watch(false).await;
    accept_booking(&fixture, &old, false);
    let stale = FaultRule::on_next(Operation::List, Fault::Stale).times(FaultTimes::Always);
    fixture.sandbox.lock().add_fault(stale).unwrap();
    edit_booking(&fixture, &old, |row| row.status = SandboxStatus::Cancelled);
    fixture.watch(true).await;
    assert_eq!(unresolved_items(&fixture).await, []);
    // The booking is accepted again: now it is revived.
    accept_booking(&fixture, &old, false);
    fixture.watch(true).await;
    let one = [(old.clone(), UnresolvedCode::Revived)];
    assert_eq!(unresolved_items(&fixture).await, one);
}

#[tokio::test]
async fn a_confirmation_that_met_a_cancelled_booking_is_listed_or_cancelled_again() {
    for cancels in [false, true] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        fixture.grant(BO, 5).await;
        // A booking from before the ledger began would only be reported.
        fixture.clock.advance(Span::minutes(5));
        let how = if cancels {
            OnRevived::Cancel
        } else {
            OnRevived::Report
        };
        change_terms(&mut fixture, |terms| terms.on_revived = how);
        fixture.watch(true).await;
        let uid = fixture.request(fixture.event_types.lesson, BO, START);
        // The booker cancels while the confirm is running, and the confirm writes its status last.
        edit_booking(&fixture, &uid, |row| row.cancelled_by = Some(BO.to_owned()));
        let report = fixture.pass().await;
        let one = [(uid.clone(), UnresolvedCode::Revived)];
        assert_eq!(unresolved_items(&fixture).await, one, "from the answer");
        assert_eq!(report.unresolved.count, 1);
        assert_eq!(fixture.balance(BO).await, (4, 0, 1));
        fixture.watch(true).await;
        if cancels {
            assert_eq!(fixture.status(&uid), "cancelled");
            fixture.watch(false).await;
            assert_eq!(fixture.balance(BO).await, (5, 0, 1), "all comes back");
            assert_eq!(unresolved_items(&fixture).await, []);
        } else {
            assert_eq!(fixture.status(&uid), "accepted");
            assert_eq!(unresolved_items(&fixture).await, one, "at every audit");
            assert_eq!(fixture.charge(&uid).await.unwrap().state, ChargeState::Open);
        }
        check_nothing_more(&mut fixture, "revived").await;
        fixture.clock.advance(Span::days(9));
        fixture.watch(true).await;
        assert_eq!(unresolved_items(&fixture).await, [], "over");
    }
}

/// The watch cancels the booking, the answer is lost, and the booking cannot be read afterwards.
async fn cancel_without_answer(fixture: &mut PassFixture, uid: &str) {
    let lost = Fault::HangUp {
        stage: Stage::After,
    };
    let unread = Fault::Error {
        stage: Stage::Before,
    };
    {
        let mut sandbox = fixture.sandbox.lock();
        sandbox
            .add_fault(FaultRule::on_next(Operation::Cancel, lost))
            .unwrap();
        // The booking is read twice before the call, and once after it.
        let rule = FaultRule::on_next(Operation::Get, unread).skip_calls(2);
        sandbox.add_fault(rule).unwrap();
    }
    fixture.watch(true).await;
    assert_eq!(fixture.status(uid), "cancelled");
}

/// The server keeps the name from an earlier cancellation, so the name does not show who cancelled.
#[tokio::test]
async fn our_own_cancellation_gives_everything_back_although_its_answer_was_lost() {
    for killed in [false, true] {
        let (mut fixture, uid) = confirmed_fixture(Dialect::V2, 5).await;
        change_terms(&mut fixture, |terms| terms.on_revived = OnRevived::Cancel);
        let late = parse_time(START) - Span::hours(3) - fixture.clock.now();
        fixture.clock.advance(late);
        edit_booking(&fixture, &uid, |row| row.cancelled_by = Some(BO.to_owned()));
        cancel_without_answer(&mut fixture, &uid).await;
        assert_eq!(fixture.balance(BO).await, (4, 0, 1), "nothing is known yet");
        if killed {
            fixture.session = Session::default();
            fixture.last_watch = None;
        }
        fixture.clock.advance(Span::minutes(20));
        fixture.watch(true).await;
        fixture.watch(true).await;
        assert_eq!(fixture.balance(BO).await, (5, 0, 1), "killed: {killed}");
        check_nothing_more(&mut fixture, "cancelled").await;
    }
}

/// The credits of a booking that maitred itself cancels come back when that call has ended. Until
/// then no decline rests on the balance without them.
#[tokio::test]
async fn a_decline_waits_while_our_own_cancellation_of_a_paid_booking_has_no_known_outcome() {
    let (mut fixture, uid) = confirmed_fixture(Dialect::V2, 1).await;
    change_terms(&mut fixture, |terms| terms.on_revived = OnRevived::Cancel);
    for gate in &mut fixture.policy.gates {
        gate.short_of_credit = OnViolation::Decline;
    }
    edit_booking(&fixture, &uid, |row| row.cancelled_by = Some(BO.to_owned()));
    cancel_without_answer(&mut fixture, &uid).await;
    assert_eq!(fixture.balance(BO).await, (0, 0, 1), "nothing is known yet");
    fixture.clock.advance(Span::minutes(20));
    let next = fixture.request(fixture.event_types.lesson, BO, "2026-12-04T09:00:00Z");
    let report = fixture.pass().await;
    assert_eq!(fixture.status(&next), "pending", "{report:?}");
    let codes: Vec<_> = report.problems.iter().map(|problem| problem.code).collect();
    assert!(codes.contains(&"cancellation-open"), "{codes:?}");
    fixture.clock.advance(Span::seconds(30));
    fixture.pass().await;
    fixture.pass().await;
    assert_eq!(fixture.status(&next), "accepted");
    assert_eq!(fixture.balance(BO).await, (0, 0, 2));
    fixture.watch(true).await;
    check_nothing_more(&mut fixture, "cancelled").await;
}

/// Before a decline the pass reads what became of open charges. A move that the rules of its gate
/// have to evaluate is left to the watch.
#[tokio::test]
async fn charges_read_before_a_decline_follow_the_same_rules() {
    let (mut fixture, old) = confirmed_fixture(Dialect::V2, 1).await;
    change_terms(&mut fixture, |terms| {
        terms.accepted_move = AcceptedMove::Judge;
    });
    for gate in &mut fixture.policy.gates {
        gate.short_of_credit = OnViolation::Decline;
    }
    let start = parse_time("2026-12-03T09:00:00Z");
    let new = perform_action(
        &fixture,
        ThirdPartyAction::BookerMoves(BookingMove::new(&old, start)),
    )
    .remove(0);
    accept_booking(&fixture, &new, true);
    let next = fixture.request(fixture.event_types.lesson, BO, "2026-12-04T09:00:00Z");
    fixture.pass().await;
    assert_eq!(
        fixture.status(&next),
        "pending",
        "it rests on the moved booking"
    );
    let charge = fixture.charge(&old).await.unwrap();
    assert_eq!(charge.state, ChargeState::Open, "no rule was asked yet");
    fixture.watch(false).await;
    let moved = fixture.charge(&old).await.unwrap().state;
    assert!(matches!(moved, ChargeState::Moved { .. }), "{moved:?}");
    fixture.pass().await;
    assert_eq!(fixture.status(&next), "rejected");
    check_nothing_more(&mut fixture, "judged").await;
}

/// Two simultaneous moves make two pending successors of one paid booking; the booking names only
/// one of them.
#[tokio::test]
async fn one_of_two_successors_carries_the_charge_in_each_order_of_runs() {
    for watch_first in [false, true] {
        for named_is_cancelled in [false, true] {
            let what = format!("watch first {watch_first}, named off {named_is_cancelled}");
            let (mut fixture, old) = confirmed_fixture(Dialect::V2, 5).await;
            let start = parse_time("2026-12-03T09:00:00Z");
            let named = perform_action(
                &fixture,
                ThirdPartyAction::BookerMoves(BookingMove::new(&old, start)),
            )
            .remove(0);
            let other = {
                let mut world = fixture.sandbox.lock();
                let mut row = world.booking(&named).unwrap().clone();
                row.id = 0;
                row.uid = format!("{named}x");
                row.start += Span::days(1);
                row.end += Span::days(1);
                row.created += Span::milliseconds(1);
                world.insert(row).unwrap()
            };
            if watch_first {
                // No list of the later watch shows a booking that was made long ago.
                fixture.watch(false).await;
                fixture.clock.advance(Span::minutes(10));
            }
            if named_is_cancelled {
                perform_action(
                    &fixture,
                    ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&named)),
                );
            }
            fixture.clock.advance(Span::seconds(30));
            if watch_first {
                fixture.watch(false).await;
                assert_eq!(fixture.balance(BO).await, (4, 0, 1), "{what}");
            }
            fixture.pass().await;
            fixture.watch(true).await;
            fixture.pass().await;
            fixture.watch(true).await;
            assert_eq!(fixture.status(&other), "accepted", "{what}");
            // The charge pays for one successor; the other is paid as a request of its own.
            let paid = if named_is_cancelled { 1 } else { 2 };
            assert_eq!(fixture.balance(BO).await, (5 - paid, 0, paid), "{what}");
            let gone = fixture.charge(&old).await.unwrap().state;
            assert!(
                matches!(gone, ChargeState::Moved { .. }),
                "{what}: {gone:?}"
            );
            check_nothing_more(&mut fixture, &what).await;
        }
    }
}

/// Two simultaneous moves made two successors. The named one is cancelled, and the other one is
/// accepted, older than what the short watch lists, and later than any charge.
#[tokio::test]
async fn a_successor_that_no_list_shows_carries_the_charge() {
    let (mut fixture, old) = confirmed_fixture(Dialect::V2, 5).await;
    let start = parse_time("2026-12-03T09:00:00Z");
    let moves = ThirdPartyAction::BookerMoves(BookingMove::new(&old, start));
    let named = perform_action(&fixture, moves).remove(0);
    let other = {
        let mut world = fixture.sandbox.lock();
        let mut row = world.booking(&named).unwrap().clone();
        row.id = 0;
        row.uid = format!("{named}x");
        row.status = SandboxStatus::Accepted;
        row.start += Span::days(700);
        row.end += Span::days(700);
        row.created += Span::milliseconds(1);
        world.insert(row).unwrap()
    };
    fixture.clock.advance(Span::days(1));
    fixture.last_watch = Some(fixture.clock.now());
    let cancels = ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&named));
    perform_action(&fixture, cancels);
    fixture.clock.advance(Span::seconds(30));
    fixture.watch(false).await;
    assert_eq!(fixture.balance(BO).await, (4, 0, 1));
    let state = fixture.charge(&old).await.unwrap().state;
    assert!(
        matches!(&state, ChargeState::Moved { to } if to.as_str() == other),
        "{state:?}"
    );
}

#[tokio::test]
async fn a_move_that_is_accepted_at_once_is_carried_and_listed_or_judged() {
    type Row = (
        AcceptedMove,
        Option<OnViolation>,
        &'static str,
        bool,
        u64,
        u64,
    );
    // how, what happens when the price exceeds the credit, the final status, listed, available,
    // posted
    let rows: [Row; 4] = [
        (AcceptedMove::Carry, None, "accepted", true, 4, 1),
        (AcceptedMove::Judge, None, "accepted", false, 4, 1),
        (
            AcceptedMove::Judge,
            Some(OnViolation::Decline),
            "cancelled",
            false,
            5,
            1,
        ),
        // The booking is left for an operator, and charged with all available credit meanwhile.
        (
            AcceptedMove::Judge,
            Some(OnViolation::Review),
            "accepted",
            true,
            0,
            5,
        ),
    ];
    for (how, short, status, on_list, available, posted) in rows {
        let what = format!("{how:?} {short:?}");
        let (mut fixture, old) = confirmed_fixture(Dialect::V2, 5).await;
        let start = parse_time("2026-12-03T09:00:00Z");
        if let Some(effect) = short {
            for gate in &mut fixture.policy.gates {
                gate.short_of_credit = effect;
                gate.cost = Cost::Fixed(50);
            }
        }
        change_terms(&mut fixture, |terms| terms.accepted_move = how);
        let new = perform_action(
            &fixture,
            ThirdPartyAction::BookerMoves(BookingMove::new(&old, start)),
        )
        .remove(0);
        accept_booking(&fixture, &new, true);
        fixture.watch(false).await;
        fixture.watch(false).await;
        assert_eq!(fixture.status(&new), status, "{what}");
        let is_listed = [(new.clone(), UnresolvedCode::AcceptedMove)];
        let expect: &[_] = if on_list { &is_listed } else { &[] };
        assert_eq!(unresolved_items(&fixture).await, expect, "{what}");
        assert_eq!(fixture.balance(BO).await, (available, 0, posted), "{what}");
        check_nothing_more(&mut fixture, &what).await;
    }
}

#[tokio::test]
async fn a_late_move_that_is_accepted_at_once_is_never_free() {
    for mode in [OnUnmanaged::Report, OnUnmanaged::Cancel] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        fixture.grant(BO, 5).await;
        change_terms(&mut fixture, |terms| {
            terms.refunds.late_move = LateMove::Cancellation;
            terms.on_unmanaged = mode;
        });
        let old = fixture.request(fixture.event_types.lesson, BO, START);
        fixture.pass().await;
        fixture.watch(true).await;
        let late = parse_time(START) - Span::hours(2) - fixture.clock.now();
        fixture.clock.advance(late);
        let start = parse_time("2026-12-05T09:00:00Z");
        let new = perform_action(
            &fixture,
            ThirdPartyAction::BookerMoves(BookingMove::new(&old, start)),
        )
        .remove(0);
        accept_booking(&fixture, &new, true);
        fixture.watch(false).await;
        assert_eq!(fixture.status(&new), "accepted", "{mode:?}");
        assert_eq!(
            fixture.charge(&old).await.unwrap().state,
            ChargeState::Final
        );
        assert_eq!(fixture.balance(BO).await, (3, 0, 2), "{mode:?}");
        let one = [(new.clone(), UnresolvedCode::AcceptedMove)];
        assert_eq!(unresolved_items(&fixture).await, one);
        check_nothing_more(&mut fixture, "late").await;
    }
}

#[tokio::test]
async fn a_cancellation_that_fails_is_tried_again_and_reported_only_when_done() {
    let faults = [
        (
            Operation::Cancel,
            Fault::Error {
                stage: Stage::Before,
            },
        ),
        (
            Operation::Get,
            Fault::Error {
                stage: Stage::Before,
            },
        ),
    ];
    for (kind, fault) in faults {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        fixture.grant(BO, 5).await;
        // A booking from before the ledger began would only be reported.
        fixture.clock.advance(Span::minutes(5));
        fixture.watch(true).await;
        change_terms(&mut fixture, |terms| {
            terms.on_unmanaged = OnUnmanaged::Cancel
        });
        let uid = fixture.request(fixture.event_types.lesson, BO, START);
        accept_booking(&fixture, &uid, false);
        let rule = FaultRule::on_next(kind, fault).times(FaultTimes::Always);
        fixture.sandbox.lock().add_fault(rule).unwrap();
        fixture.watch(false).await;
        fixture.pass().await;
        let record = fixture.stored_request(&uid).await.unwrap();
        assert_eq!(record.state, RequestState::Recorded, "{kind:?}");
        assert_eq!(fixture.status(&uid), "accepted");
        let one = [(uid.clone(), UnresolvedCode::Unmanaged)];
        assert_eq!(unresolved_items(&fixture).await, one, "{kind:?}");
        assert_eq!(problem_text(&fixture, &uid).await, None, "{kind:?}");
        fixture.sandbox.lock().fault_rules.clear();
        fixture.clock.advance(Span::hours(2));
        fixture.pass().await;
        fixture.watch(false).await;
        assert_eq!(fixture.status(&uid), "cancelled", "{kind:?}");
        assert!(problem_text(&fixture, &uid).await.is_some());
        assert_eq!(unresolved_items(&fixture).await, []);
        check_nothing_more(&mut fixture, "cancelled").await;
    }
}

async fn problem_text(fixture: &PassFixture, uid: &str) -> Option<String> {
    let uid = uid.to_owned();
    let (policy, now) = (fixture.policy.clone(), fixture.clock.now());
    let explained = fixture
        .store
        .with(move |store| decisions::explain(store, &policy, now, &uid));
    match explained.await.unwrap() {
        CommandResult::Explain(view) => view.booker_message,
        other => panic!("{other:?}"),
    }
}

/// An occurrence joins a series after the pass read the series and before maitred's confirm, which
/// accepts the occurrence, too.
#[tokio::test]
async fn occurrences_accepted_by_our_own_confirm_are_charged_too() {
    for credits in [5, 2] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        fixture.grant(BO, credits).await;
        // A booking from before the ledger began would only be reported.
        fixture.clock.advance(Span::minutes(5));
        change_terms(&mut fixture, |terms| {
            terms.on_unmanaged = OnUnmanaged::Cancel
        });
        let uids = fixture.series(fixture.event_types.lesson, BO, START, 2);
        fixture.watch(true).await;
        fixture.pass().await;
        assert_eq!(fixture.balance(BO).await.2, 2);
        let joined = {
            let mut world = fixture.sandbox.lock();
            let mut row = world.booking(&uids[1]).unwrap().clone();
            row.id = 0;
            row.uid = format!("{}x", uids[1]);
            row.start += Span::days(7);
            row.end += Span::days(7);
            world.insert(row).unwrap()
        };
        fixture.watch(true).await;
        assert_eq!(fixture.status(&joined), "accepted");
        let charge = fixture.charge(&joined).await.unwrap();
        assert_eq!(charge.state, ChargeState::Open);
        let all = unresolved_items(&fixture).await;
        if credits == 5 {
            assert_eq!(fixture.balance(BO).await, (2, 0, 3));
            assert_eq!(all, []);
        } else {
            assert_eq!(all, [(joined.clone(), UnresolvedCode::Unmanaged)]);
        }
        check_nothing_more(&mut fixture, "joined").await;
        assert_eq!(fixture.status(&joined), "accepted");
    }
}

/// v1 reads by number, and the booking between the paid booking and the end of the chain is over:
/// the lists still show what the last booking replaced.
#[tokio::test]
async fn a_reschedule_chain_is_followed_past_an_ended_booking() {
    let (mut fixture, first) = confirmed_fixture(Dialect::V1, 1).await;
    change_terms(&mut fixture, |terms| {
        terms.refunds.late_move = LateMove::Carry
    });
    let soon = fixture.clock.now() + Span::hours(1);
    let middle = perform_action(
        &fixture,
        ThirdPartyAction::BookerMoves(BookingMove::new(&first, soon)),
    )
    .remove(0);
    let far = parse_time("2026-12-20T09:00:00Z");
    let last = perform_action(
        &fixture,
        ThirdPartyAction::BookerMoves(BookingMove::new(&middle, far)),
    )
    .remove(0);
    fixture.clock.advance(Span::hours(61));
    fixture.pass_of_new_process().await.unwrap();
    assert_eq!(fixture.status(&last), "accepted");
    fixture.watch(true).await;
    assert_eq!(fixture.balance(BO).await, (0, 0, 1));
    let uid = BookingUid::parse(&last).unwrap();
    let charge = fixture.store.with(move |store| store.charge(&uid)).await;
    assert_eq!(charge.unwrap().unwrap().state, ChargeState::Open);
}
