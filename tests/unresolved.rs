//! The unresolved list over HTTP against the sandbox: whatever is accepted without a charge, or although
//! it was cancelled or moved, is on it until it is dealt with, however it came about.

#![allow(clippy::unwrap_used, reason = "tests panic")]

mod common;

use common::{House, time};
use maitred::calcom::port::Dialect;
use maitred::control::protocol::Answer;
use maitred::daemon::answer::{charges, decisions, unresolved};
use maitred::domain::criteria::effect::Effect;
use maitred::domain::id::BookingUid;
use maitred::domain::request::{ChargeState, RequestState};
use maitred::domain::terms::{AcceptedMove, LateMove, OnRevived, Terms, Unmanaged};
use maitred::domain::time::Span;
use maitred::domain::unresolved::UnresolvedCode;
use maitred::reconcile::ports::Session;
use maitred::sandbox::actions::{Action, Said, Shift};
use maitred::sandbox::faults::{Fault, Rule, Stage, Times};
use maitred::sandbox::journal::Operation;
use maitred::sandbox::model::{Booking, Status};

const BO: &str = "bo@example.com";
/// A week after the house's clock begins.
const START: &str = "2026-12-01T09:00:00Z";

fn act(house: &House, action: Action) -> Vec<String> {
    house.clock.advance(Span::seconds(1));
    house.sandbox.lock().act(house.clock.now(), action).unwrap()
}

fn edit(house: &House, uid: &str, change: impl FnOnce(&mut Booking)) {
    house.sandbox.lock().edit(uid, change).unwrap();
}

/// Accepted by Cal.com or by others, whatever it was: `updatedAt` is null where it was at once.
fn accept(house: &House, uid: &str, at_once: bool) {
    house.clock.advance(Span::seconds(1));
    let now = house.clock.now();
    edit(house, uid, |row| {
        row.status = Status::Accepted;
        row.updated = (!at_once).then_some(now);
    });
}

fn terms(house: &mut House, change: impl Fn(&mut Terms)) {
    for gate in &mut house.policy.gates {
        change(&mut gate.terms);
    }
}

/// A house in which Bo has so many credits and a confirmed lesson, which cost 1.
async fn confirmed(dialect: Dialect, credits: u64) -> (House, String) {
    let mut house = House::new(dialect).await;
    house.grant(BO, credits).await;
    // What was made before the ledger began is only reported.
    house.clock.advance(Span::minutes(5));
    let uid = house.request(house.kinds.lesson, BO, START);
    house.pass().await;
    assert_eq!(house.status(&uid), "accepted");
    house.watch(true).await;
    (house, uid)
}

/// What is on the list: uid and code, sorted.
async fn listed(house: &House) -> Vec<(String, UnresolvedCode)> {
    let items = house.store.with(|store| store.unresolved(None, 100)).await;
    let items = items.unwrap().into_iter();
    let mut all: Vec<_> = items
        .map(|item| (item.booking.uid.to_string(), item.code))
        .collect();
    all.sort();
    all
}

async fn resolve(house: &House, uid: &str) {
    let (uid, now) = (uid.to_owned(), house.clock.now());
    let resolved = house
        .store
        .with(move |store| unresolved::resolve(store, now, &uid, None, "seen by an operator"));
    resolved.await.unwrap();
}

async fn nothing_more(house: &mut House, what: &str) {
    let before = house.sequence().await;
    for audit in [false, true, true] {
        let watched = house.watch(audit).await;
        assert_eq!(watched.changes, [], "{what}");
    }
    assert_eq!(house.sequence().await, before, "{what}");
}

#[tokio::test]
async fn what_is_accepted_at_once_is_found_by_the_next_watch_and_listed_until_resolved() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let mut house = House::new(dialect).await;
        house.grant(BO, 5).await;
        house.watch(true).await;
        let uid = house.request(house.kinds.lesson, BO, START);
        accept(&house, &uid, true);
        let watched = house.watch(false).await;
        let one = [(uid.clone(), UnresolvedCode::Unmanaged)];
        assert_eq!(listed(&house).await, one, "{dialect:?}");
        assert_eq!(watched.unresolved.count, 1);
        assert!(watched.problems.iter().any(|p| p.code == "unmanaged"));
        // It is said once as news, and stays on the list.
        let again = house.watch(true).await;
        assert_eq!((again.problems.len(), again.unresolved.count), (0, 1));
        nothing_more(&mut house, "listed").await;
        let asked = uid.clone();
        let (policy, now) = (house.policy.clone(), house.clock.now());
        let explained = house
            .store
            .with(move |store| decisions::explain(store, &policy, now, &asked));
        let Answer::Explain(view) = explained.await.unwrap() else {
            panic!("not an explanation");
        };
        assert!(view.decision.is_none());
        assert_eq!(view.unresolved[0].code, "unmanaged");
        // It is read without the news that told of it.
        let detail = &view.unresolved[0].detail;
        assert!(detail.starts_with("accepted by others"), "{detail}");

        resolve(&house, &uid).await;
        nothing_more(&mut house, "resolved").await;
        assert_eq!(listed(&house).await, []);
        // What an operator said is of this acceptance: it is cancelled, and accepted once more.
        act(&house, Action::HostCancels(Said::nothing(&uid)));
        house.watch(false).await;
        accept(&house, &uid, false);
        house.watch(false).await;
        assert_eq!(listed(&house).await, one, "{dialect:?}");
        house.clock.advance(Span::days(20));
        house.watch(false).await;
        assert_eq!(listed(&house).await, [], "over");
        nothing_more(&mut house, "over").await;
    }
}

#[tokio::test]
async fn a_refunded_booking_that_is_accepted_again_is_unmanaged_again() {
    // mode, status, available, listed
    let rows = [
        (Unmanaged::Report, "accepted", 5, true),
        (Unmanaged::Charge, "accepted", 4, false),
        (Unmanaged::Cancel, "cancelled", 5, false),
    ];
    for dialect in [Dialect::V2, Dialect::V1] {
        for (mode, status, available, on_list) in rows {
            for audit in [false, true] {
                let what = format!("{dialect:?} {mode:?} audit {audit}");
                let (mut house, uid) = confirmed(dialect, 5).await;
                terms(&mut house, |terms| terms.unmanaged = mode);
                act(&house, Action::BookerCancels(Said::nothing(&uid)));
                house.watch(false).await;
                assert_eq!(house.balance(BO).await.0, 5, "{what}");
                accept(&house, &uid, false);
                house.watch(audit).await;
                assert_eq!(house.status(&uid), status, "{what}");
                assert_eq!(house.balance(BO).await.0, available, "{what}");
                let all = listed(&house).await;
                let unmanaged = all.contains(&(uid.clone(), UnresolvedCode::Unmanaged));
                assert_eq!(unmanaged, on_list, "{what}: {all:?}");
                house.watch(true).await;
                nothing_more(&mut house, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn only_an_operators_own_settlement_hides_an_accepted_booking_without_a_charge() {
    for mode in [Unmanaged::Report, Unmanaged::Charge, Unmanaged::Cancel] {
        let (mut house, uid) = confirmed(Dialect::V2, 5).await;
        terms(&mut house, |terms| terms.unmanaged = mode);
        let (policy, now, asked) = (house.policy.clone(), house.clock.now(), uid.clone());
        let settled = house
            .store
            .with(move |store| charges::settle(store, &policy, now, &asked, true));
        settled.await.unwrap();
        nothing_more(&mut house, "given back by an operator").await;
        assert_eq!(house.status(&uid), "accepted", "{mode:?}");
        assert_eq!(house.balance(BO).await.0, 5, "{mode:?}");
        assert_eq!(listed(&house).await, [], "{mode:?}");
    }
}

#[tokio::test]
async fn what_was_moved_away_and_is_accepted_again_is_revived() {
    for cancels in [false, true] {
        let (mut house, old) = confirmed(Dialect::V2, 5).await;
        let how = if cancels {
            OnRevived::Cancel
        } else {
            OnRevived::Report
        };
        terms(&mut house, |terms| terms.on_revived = how);
        let start = time("2026-12-03T09:00:00Z");
        let new = act(&house, Action::BookerMoves(Shift::to(&old, start))).remove(0);
        house.pass().await;
        house.watch(false).await;
        accept(&house, &old, false);
        house.watch(true).await;
        assert_eq!(house.balance(BO).await, (4, 0, 1));
        assert_eq!(house.charge(&new).await.unwrap().state, ChargeState::Open);
        if cancels {
            assert_eq!(house.status(&old), "cancelled");
            assert_eq!(listed(&house).await, []);
        } else {
            assert_eq!(house.status(&old), "accepted");
            let one = [(old.clone(), UnresolvedCode::Revived)];
            assert_eq!(listed(&house).await, one);
        }
        nothing_more(&mut house, "revived").await;
        assert_eq!(house.status(&new), "accepted");
    }
}

#[tokio::test]
async fn a_confirmation_that_met_a_cancelled_booking_is_listed_or_cancelled_again() {
    for cancels in [false, true] {
        let mut house = House::new(Dialect::V2).await;
        house.grant(BO, 5).await;
        // What was made before the ledger began is only reported.
        house.clock.advance(Span::minutes(5));
        let how = if cancels {
            OnRevived::Cancel
        } else {
            OnRevived::Report
        };
        terms(&mut house, |terms| terms.on_revived = how);
        house.watch(true).await;
        let uid = house.request(house.kinds.lesson, BO, START);
        // The booker cancels while the confirm is under way, which writes its status last.
        edit(&house, &uid, |row| row.cancelled_by = Some(BO.to_owned()));
        let report = house.pass().await;
        let one = [(uid.clone(), UnresolvedCode::Revived)];
        assert_eq!(listed(&house).await, one, "from the answer");
        assert_eq!(report.unresolved.count, 1);
        assert_eq!(house.balance(BO).await, (4, 0, 1));
        house.watch(true).await;
        if cancels {
            assert_eq!(house.status(&uid), "cancelled");
            house.watch(false).await;
            assert_eq!(house.balance(BO).await, (5, 0, 1), "all comes back");
            assert_eq!(listed(&house).await, []);
        } else {
            assert_eq!(house.status(&uid), "accepted");
            assert_eq!(listed(&house).await, one, "at every audit");
            assert_eq!(house.charge(&uid).await.unwrap().state, ChargeState::Open);
        }
        nothing_more(&mut house, "revived").await;
        house.clock.advance(Span::days(9));
        house.watch(true).await;
        assert_eq!(listed(&house).await, [], "over");
    }
}

/// The watch cancels the booking, the answer is lost, and the booking cannot be read after it.
async fn cancels_without_an_answer(house: &mut House, uid: &str) {
    let lost = Fault::HangUp {
        stage: Stage::After,
    };
    let unread = Fault::Error {
        stage: Stage::Before,
    };
    {
        let mut sandbox = house.sandbox.lock();
        sandbox.add_fault(Rule::next(Operation::Cancel, lost)).unwrap();
        // The booking is read twice before the call, and once after it.
        let rule = Rule::next(Operation::Get, unread).skipping(2);
        sandbox.add_fault(rule).unwrap();
    }
    house.watch(true).await;
    assert_eq!(house.status(uid), "cancelled");
}

/// The server keeps the name of the cancellation that stood before, so the name does not tell whose a
/// cancellation is.
#[tokio::test]
async fn our_own_cancellation_gives_everything_back_although_its_answer_was_lost() {
    for killed in [false, true] {
        let (mut house, uid) = confirmed(Dialect::V2, 5).await;
        terms(&mut house, |terms| terms.on_revived = OnRevived::Cancel);
        let late = time(START) - Span::hours(3) - house.clock.now();
        house.clock.advance(late);
        edit(&house, &uid, |row| row.cancelled_by = Some(BO.to_owned()));
        cancels_without_an_answer(&mut house, &uid).await;
        assert_eq!(house.balance(BO).await, (4, 0, 1), "nothing is known yet");
        if killed {
            house.session = Session::default();
            house.watched = None;
        }
        house.clock.advance(Span::minutes(20));
        house.watch(true).await;
        house.watch(true).await;
        assert_eq!(house.balance(BO).await, (5, 0, 1), "killed: {killed}");
        nothing_more(&mut house, "cancelled").await;
    }
}

/// The credits of a booking that maitred itself cancels come back when that call has an end. Until then no
/// decline rests on the balance without them.
#[tokio::test]
async fn a_decline_waits_while_our_own_cancellation_of_a_paid_booking_has_no_end() {
    let (mut house, uid) = confirmed(Dialect::V2, 1).await;
    terms(&mut house, |terms| terms.on_revived = OnRevived::Cancel);
    for gate in &mut house.policy.gates {
        gate.short_of_credit = Effect::Decline;
    }
    edit(&house, &uid, |row| row.cancelled_by = Some(BO.to_owned()));
    cancels_without_an_answer(&mut house, &uid).await;
    assert_eq!(house.balance(BO).await, (0, 0, 1), "nothing is known yet");
    house.clock.advance(Span::minutes(20));
    let next = house.request(house.kinds.lesson, BO, "2026-12-04T09:00:00Z");
    let report = house.pass().await;
    assert_eq!(house.status(&next), "pending", "{report:?}");
    let codes: Vec<_> = report.problems.iter().map(|problem| problem.code).collect();
    assert!(codes.contains(&"cancellation-open"), "{codes:?}");
    house.clock.advance(Span::seconds(30));
    house.pass().await;
    house.pass().await;
    assert_eq!(house.status(&next), "accepted");
    assert_eq!(house.balance(BO).await, (0, 0, 2));
    house.watch(true).await;
    nothing_more(&mut house, "cancelled").await;
}

/// Before a decline the pass looks at what became of open charges. A move that the rules of its gate
/// have to judge is left to the watch.
#[tokio::test]
async fn what_a_decline_looks_at_is_judged_like_the_rest() {
    let (mut house, old) = confirmed(Dialect::V2, 1).await;
    terms(&mut house, |terms| {
        terms.accepted_move = AcceptedMove::Judge;
    });
    for gate in &mut house.policy.gates {
        gate.short_of_credit = Effect::Decline;
    }
    let start = time("2026-12-03T09:00:00Z");
    let new = act(&house, Action::BookerMoves(Shift::to(&old, start))).remove(0);
    accept(&house, &new, true);
    let next = house.request(house.kinds.lesson, BO, "2026-12-04T09:00:00Z");
    house.pass().await;
    assert_eq!(
        house.status(&next),
        "pending",
        "it rests on the moved booking"
    );
    let charge = house.charge(&old).await.unwrap();
    assert_eq!(charge.state, ChargeState::Open, "no rule was asked yet");
    house.watch(false).await;
    let moved = house.charge(&old).await.unwrap().state;
    assert!(matches!(moved, ChargeState::Moved { .. }), "{moved:?}");
    house.pass().await;
    assert_eq!(house.status(&next), "rejected");
    nothing_more(&mut house, "judged").await;
}

/// Two moves at once make two pending successors of one paid booking; the booking names one of them.
#[tokio::test]
async fn of_two_successors_one_carries_the_charge_whoever_looks_first() {
    for watch_first in [false, true] {
        for named_is_cancelled in [false, true] {
            let what = format!("watch first {watch_first}, named off {named_is_cancelled}");
            let (mut house, old) = confirmed(Dialect::V2, 5).await;
            let start = time("2026-12-03T09:00:00Z");
            let named = act(&house, Action::BookerMoves(Shift::to(&old, start))).remove(0);
            let other = {
                let mut world = house.sandbox.lock();
                let mut row = world.booking(&named).unwrap().clone();
                row.id = 0;
                row.uid = format!("{named}x");
                row.start += Span::days(1);
                row.end += Span::days(1);
                row.created += Span::milliseconds(1);
                world.insert(row).unwrap()
            };
            if watch_first {
                // What was made long ago is in no listing of the watch after it.
                house.watch(false).await;
                house.clock.advance(Span::minutes(10));
            }
            if named_is_cancelled {
                act(&house, Action::BookerCancels(Said::nothing(&named)));
            }
            house.clock.advance(Span::seconds(30));
            if watch_first {
                house.watch(false).await;
                assert_eq!(house.balance(BO).await, (4, 0, 1), "{what}");
            }
            house.pass().await;
            house.watch(true).await;
            house.pass().await;
            house.watch(true).await;
            assert_eq!(house.status(&other), "accepted", "{what}");
            // One is paid with what was paid before, the other as a request of its own.
            let paid = if named_is_cancelled { 1 } else { 2 };
            assert_eq!(house.balance(BO).await, (5 - paid, 0, paid), "{what}");
            let gone = house.charge(&old).await.unwrap().state;
            assert!(
                matches!(gone, ChargeState::Moved { .. }),
                "{what}: {gone:?}"
            );
            nothing_more(&mut house, &what).await;
        }
    }
}

#[tokio::test]
async fn a_move_that_is_accepted_at_once_is_carried_and_listed_or_judged() {
    type Row = (AcceptedMove, Option<Effect>, &'static str, bool, u64, u64);
    // how, what a price beyond the credit leads to, what it is then, listed, available, posted
    let rows: [Row; 4] = [
        (AcceptedMove::Carry, None, "accepted", true, 4, 1),
        (AcceptedMove::Judge, None, "accepted", false, 4, 1),
        (
            AcceptedMove::Judge,
            Some(Effect::Decline),
            "cancelled",
            false,
            5,
            1,
        ),
        // Left for an operator, and charged with what there is meanwhile.
        (
            AcceptedMove::Judge,
            Some(Effect::Review),
            "accepted",
            true,
            0,
            5,
        ),
    ];
    for (how, short, status, on_list, available, posted) in rows {
        let what = format!("{how:?} {short:?}");
        let (mut house, old) = confirmed(Dialect::V2, 5).await;
        let start = time("2026-12-03T09:00:00Z");
        if let Some(effect) = short {
            for gate in &mut house.policy.gates {
                gate.short_of_credit = effect;
                gate.cost = 50;
            }
        }
        terms(&mut house, |terms| terms.accepted_move = how);
        let new = act(&house, Action::BookerMoves(Shift::to(&old, start))).remove(0);
        accept(&house, &new, true);
        house.watch(false).await;
        house.watch(false).await;
        assert_eq!(house.status(&new), status, "{what}");
        let is_listed = [(new.clone(), UnresolvedCode::AcceptedMove)];
        let expect: &[_] = if on_list { &is_listed } else { &[] };
        assert_eq!(listed(&house).await, expect, "{what}");
        assert_eq!(house.balance(BO).await, (available, 0, posted), "{what}");
        nothing_more(&mut house, &what).await;
    }
}

#[tokio::test]
async fn a_late_move_that_is_accepted_at_once_is_never_free() {
    for mode in [Unmanaged::Report, Unmanaged::Cancel] {
        let mut house = House::new(Dialect::V2).await;
        house.grant(BO, 5).await;
        terms(&mut house, |terms| {
            terms.refunds.late_move = LateMove::Cancellation;
            terms.unmanaged = mode;
        });
        let old = house.request(house.kinds.lesson, BO, START);
        house.pass().await;
        house.watch(true).await;
        let late = time(START) - Span::hours(2) - house.clock.now();
        house.clock.advance(late);
        let start = time("2026-12-05T09:00:00Z");
        let new = act(&house, Action::BookerMoves(Shift::to(&old, start))).remove(0);
        accept(&house, &new, true);
        house.watch(false).await;
        assert_eq!(house.status(&new), "accepted", "{mode:?}");
        assert_eq!(house.charge(&old).await.unwrap().state, ChargeState::Final);
        assert_eq!(house.balance(BO).await, (3, 0, 2), "{mode:?}");
        let one = [(new.clone(), UnresolvedCode::AcceptedMove)];
        assert_eq!(listed(&house).await, one);
        nothing_more(&mut house, "late").await;
    }
}

#[tokio::test]
async fn a_cancellation_that_fails_is_tried_again_and_told_only_when_done() {
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
        let mut house = House::new(Dialect::V2).await;
        house.grant(BO, 5).await;
        // What was made before the ledger began is only reported.
        house.clock.advance(Span::minutes(5));
        house.watch(true).await;
        terms(&mut house, |terms| terms.unmanaged = Unmanaged::Cancel);
        let uid = house.request(house.kinds.lesson, BO, START);
        accept(&house, &uid, false);
        let rule = Rule::next(kind, fault).times(Times::Always);
        house.sandbox.lock().add_fault(rule).unwrap();
        house.watch(false).await;
        house.pass().await;
        let record = house.record(&uid).await.unwrap();
        assert_eq!(record.state, RequestState::Recorded, "{kind:?}");
        assert_eq!(house.status(&uid), "accepted");
        let one = [(uid.clone(), UnresolvedCode::Unmanaged)];
        assert_eq!(listed(&house).await, one, "{kind:?}");
        assert_eq!(told(&house, &uid).await, None, "{kind:?}");
        house.sandbox.lock().faults.clear();
        house.clock.advance(Span::hours(2));
        house.pass().await;
        house.watch(false).await;
        assert_eq!(house.status(&uid), "cancelled", "{kind:?}");
        assert!(told(&house, &uid).await.is_some());
        assert_eq!(listed(&house).await, []);
        nothing_more(&mut house, "cancelled").await;
    }
}

async fn told(house: &House, uid: &str) -> Option<String> {
    let uid = uid.to_owned();
    let (policy, now) = (house.policy.clone(), house.clock.now());
    let explained = house
        .store
        .with(move |store| decisions::explain(store, &policy, now, &uid));
    match explained.await.unwrap() {
        Answer::Explain(view) => view.told,
        other => panic!("{other:?}"),
    }
}

/// An occurrence joins a series after it was looked at and before our confirm, which accepts it too.
#[tokio::test]
async fn what_our_own_confirm_accepted_is_charged_like_the_rest() {
    for credits in [5, 2] {
        let mut house = House::new(Dialect::V2).await;
        house.grant(BO, credits).await;
        // What was made before the ledger began is only reported.
        house.clock.advance(Span::minutes(5));
        terms(&mut house, |terms| terms.unmanaged = Unmanaged::Cancel);
        let uids = house.series(house.kinds.lesson, BO, START, 2);
        house.watch(true).await;
        house.pass().await;
        assert_eq!(house.balance(BO).await.2, 2);
        let joined = {
            let mut world = house.sandbox.lock();
            let mut row = world.booking(&uids[1]).unwrap().clone();
            row.id = 0;
            row.uid = format!("{}x", uids[1]);
            row.start += Span::days(7);
            row.end += Span::days(7);
            world.insert(row).unwrap()
        };
        house.watch(true).await;
        assert_eq!(house.status(&joined), "accepted");
        let charge = house.charge(&joined).await.unwrap();
        assert_eq!(charge.state, ChargeState::Open);
        let all = listed(&house).await;
        if credits == 5 {
            assert_eq!(house.balance(BO).await, (2, 0, 3));
            assert_eq!(all, []);
        } else {
            assert_eq!(all, [(joined.clone(), UnresolvedCode::Unmanaged)]);
        }
        nothing_more(&mut house, "joined").await;
        assert_eq!(house.status(&joined), "accepted");
    }
}

/// v1 reads by number, and what lies between the paid booking and the last of its chain is over: the
/// listings still show what it replaced.
#[tokio::test]
async fn a_chain_whose_middle_is_over_is_followed() {
    let (mut house, first) = confirmed(Dialect::V1, 1).await;
    terms(&mut house, |terms| {
        terms.refunds.late_move = LateMove::Carry
    });
    let soon = house.clock.now() + Span::hours(1);
    let middle = act(&house, Action::BookerMoves(Shift::to(&first, soon))).remove(0);
    let far = time("2026-12-20T09:00:00Z");
    let last = act(&house, Action::BookerMoves(Shift::to(&middle, far))).remove(0);
    house.clock.advance(Span::hours(61));
    house.fresh_pass().await.unwrap();
    assert_eq!(house.status(&last), "accepted");
    house.watch(true).await;
    assert_eq!(house.balance(BO).await, (0, 0, 1));
    let uid = BookingUid::parse(&last).unwrap();
    let charge = house.store.with(move |store| store.charge(&uid)).await;
    assert_eq!(charge.unwrap().unwrap().state, ChargeState::Open);
}
