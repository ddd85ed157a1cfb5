//! The watch over HTTP against the sandbox, with the real client: what becomes of a charge when its
//! booking is moved, cancelled, missed or simply over, in each order in which that can be seen.

#![allow(clippy::unwrap_used, reason = "tests panic")]

mod common;

use common::{House, time};
use maitred::calcom::port::Dialect;
use maitred::domain::criteria::cap::{Cap, Period};
use maitred::domain::decision::{Code, Decision};
use maitred::domain::fact::Fact;
use maitred::domain::gate::{Gate, RefuseWith};
use maitred::domain::id::{AccountId, Address, BookingUid, EventTypeKey, Reference};
use maitred::domain::plan::Problem;
use maitred::domain::request::ChargeState;
use maitred::domain::terms::{
    Blame, ExpiredRefund, Forgive, HostAbsent, LateMove, NoShow, Terms, Unmanaged,
};
use maitred::domain::time::Span;
use maitred::domain::unresolved::{Unresolved, UnresolvedCode};
use maitred::domain::watch::What;
use maitred::reconcile::watch::Watched;
use maitred::sandbox::actions::{Action, Said, Shift};
use maitred::sandbox::faults::{Fault, Rule, Stage};
use maitred::sandbox::journal::Operation;

const BO: &str = "bo@example.com";
/// A week after the house's clock begins.
const START: &str = "2026-12-01T09:00:00Z";

fn act(house: &House, action: Action) -> Vec<String> {
    house.clock.advance(Span::seconds(1));
    house.sandbox.lock().act(house.clock.now(), action).unwrap()
}

/// A house in which Bo has 5 credits and a confirmed lesson, which cost 1, or dinner, which cost 3.
async fn confirmed(dialect: Dialect, dinner: bool) -> (House, String) {
    confirmed_under(dialect, dinner, |_| ()).await
}

/// The same, paid under these terms.
async fn confirmed_under(
    dialect: Dialect,
    dinner: bool,
    change: impl Fn(&mut Terms),
) -> (House, String) {
    let mut house = House::new(dialect).await;
    terms(&mut house, change);
    house.grant(BO, 5).await;
    let kind = if dinner {
        house.kinds.dinner
    } else {
        house.kinds.lesson
    };
    let uid = house.request(kind, BO, START);
    house.pass().await;
    assert_eq!(house.status(&uid), "accepted");
    house.watch(true).await;
    (house, uid)
}

fn terms(house: &mut House, change: impl Fn(&mut Terms)) {
    for gate in &mut house.policy.gates {
        change(&mut gate.terms);
    }
}

fn whats(watched: &Watched) -> Vec<What> {
    watched.changes.iter().map(|change| change.what).collect()
}

/// Looking again, shortly and thoroughly, writes nothing.
async fn nothing_more(house: &mut House, what: &str) {
    let before = house.sequence().await;
    for audit in [false, true] {
        let watched = house.watch(audit).await;
        assert_eq!(watched.changes, [], "{what}");
    }
    assert_eq!(house.sequence().await, before, "{what}");
}

#[tokio::test]
async fn a_charge_closes_when_the_booking_is_over_and_grace_has_passed() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let (mut house, uid) = confirmed(dialect, false).await;
        nothing_more(&mut house, "to come").await;
        house.clock.advance(Span::days(7) + Span::hours(2));
        nothing_more(&mut house, "in grace").await;
        house.clock.advance(Span::hours(24));
        let watched = house.watch(false).await;
        assert_eq!(whats(&watched), [What::Kept], "{dialect:?}");
        assert_eq!(house.charge(&uid).await.unwrap().state, ChargeState::Final);
        assert_eq!(house.balance(BO).await, (4, 0, 1));
        nothing_more(&mut house, "final").await;
    }
}

#[tokio::test]
async fn cancellations_refund_by_who_and_how_late() {
    type Row = (&'static str, fn(&str) -> Action, i64, bool, u64);
    let booker = |uid: &str| Action::BookerCancels(Said::nothing(uid));
    let host = |uid: &str| Action::HostCancels(Said::nothing(uid));
    let api = |uid: &str| Action::ApiCancels(Said::nothing(uid));
    let asks = |uid: &str| Action::HostAsksToMove(Said::nothing(uid));
    // who, hours before the start, whether the host's name is trusted, credits of 3 that come back
    let rows: [Row; 11] = [
        ("booker", booker, 30, true, 3),
        ("booker", booker, 10, true, 2),
        ("booker", booker, 1, true, 0),
        ("host", host, 1, true, 3),
        ("api", api, 30, true, 3),
        ("api", api, 1, true, 0),
        ("host asks for another time", asks, 1, true, 3),
        ("host", host, 30, true, 3),
        // Everybody can give the host's address to the page that cancels.
        ("host", host, 30, false, 3),
        ("host", host, 10, false, 2),
        ("host asks for another time", asks, 1, false, 0),
    ];
    for audit in [false, true] {
        for (who, action, hours, trust, back) in rows {
            let what = format!("{who} {hours} h before, trusted {trust}, audit {audit}");
            let (mut house, uid) = confirmed_under(Dialect::V2, true, |terms| {
                terms.refunds.windows = common::graded();
                terms.refunds.trust_named_cancels = trust;
            })
            .await;
            let until = time(START) - Span::hours(hours) - house.clock.now();
            house.clock.advance(until - Span::minutes(5));
            act(&house, action(&uid));
            house.watch(audit).await;
            let charge = house.charge(&uid).await.unwrap();
            let state = if back == 0 {
                ChargeState::Final
            } else {
                ChargeState::Refunded
            };
            assert_eq!(charge.state, state, "{what}");
            assert_eq!(house.balance(BO).await, (2 + back, 0, 3), "{what}");
            assert_eq!(charge.credits(), 3 - back, "{what}");
            nothing_more(&mut house, &what).await;
        }
    }
}

#[tokio::test]
async fn unknown_cancellations_count_as_configured() {
    let (mut house, uid) = confirmed_under(Dialect::V2, true, |terms| {
        terms.refunds.unknown_cancels = Blame::Host;
    })
    .await;
    house.clock.advance(Span::days(7));
    act(&house, Action::ApiCancels(Said::nothing(&uid)));
    assert_eq!(whats(&house.watch(false).await), [What::Refunded]);
}

#[tokio::test]
async fn a_successor_takes_over_whoever_sees_it_first() {
    // The pass first, or the watch first, shortly or thoroughly; moved once or twice.
    for watch_first in [None, Some(false), Some(true)] {
        for moves in [1, 2, 3] {
            let what = format!("watch first {watch_first:?}, {moves} moves");
            let (mut house, first) = confirmed(Dialect::V2, false).await;
            let mut last = first.clone();
            for number in 0..moves {
                let start = time("2026-12-03T09:00:00Z") + Span::days(number);
                last = act(&house, Action::BookerMoves(Shift::to(&last, start))).remove(0);
            }
            if let Some(audit) = watch_first {
                assert_eq!(house.watch(audit).await.changes, [], "{what}");
            }
            house.pass().await;
            assert_eq!(house.status(&last), "accepted", "{what}");
            house.watch(false).await;
            let charge = house.charge(&last).await.unwrap();
            assert_eq!(
                (charge.state.clone(), charge.credits()),
                (ChargeState::Open, 1),
                "{what}"
            );
            assert!(matches!(
                house.charge(&first).await.unwrap().state,
                ChargeState::Moved { .. }
            ));
            assert_eq!(house.balance(BO).await, (4, 0, 1), "{what}");
            nothing_more(&mut house, &what).await;
        }
    }
}

#[tokio::test]
async fn a_move_that_is_accepted_at_once_moves_the_charge_without_a_pass() {
    for (weeks, audit) in [(0, false), (0, true), (1, true)] {
        let (mut house, uid) = confirmed(Dialect::V2, false).await;
        let start = time("2026-12-20T09:00:00Z");
        let pending = act(&house, Action::BookerMoves(Shift::to(&uid, start))).remove(0);
        let last = act(
            &house,
            Action::HostMoves(Shift::to(&pending, start + Span::days(1))),
        );
        // Down meanwhile.
        house.clock.advance(Span::weeks(weeks));
        let watched = house.watch(audit).await;
        assert_eq!(whats(&watched), [What::Moved]);
        assert_eq!(
            house.charge(&last[0]).await.unwrap().state,
            ChargeState::Open
        );
        assert_eq!(house.balance(BO).await, (4, 0, 1));
        nothing_more(&mut house, "moved").await;
        // And it is cancelled in time under its new name.
        act(&house, Action::BookerCancels(Said::nothing(&last[0])));
        assert_eq!(whats(&house.watch(false).await), [What::Refunded]);
        assert_eq!(house.balance(BO).await, (5, 0, 1));
    }
}

/// The sandbox moves within an event type, so the gate's price changes instead.
#[tokio::test]
async fn another_cost_charges_or_returns_the_difference() {
    // cost, credits there are, charged in the end, available
    for (cost, credits, charged, available) in [(1, 5, 1, 4), (5, 5, 5, 0), (5, 4, 4, 0)] {
        for by_host in [true, false] {
            let mut house = House::new(Dialect::V2).await;
            house.grant(BO, credits).await;
            let uid = house.request(house.kinds.dinner, BO, START);
            house.pass().await;
            house.watch(true).await;
            for gate in &mut house.policy.gates {
                gate.cost = cost;
            }
            let shift = Shift::to(&uid, time("2026-12-03T09:00:00Z"));
            let action = if by_host {
                Action::HostMoves(shift)
            } else {
                Action::BookerMoves(shift)
            };
            let last = act(&house, action).remove(0);
            house.pass().await;
            let watched = house.watch(false).await;
            let what = format!("cost {cost} credits {credits} by host {by_host}");
            if by_host || credits >= cost {
                let charge = house.charge(&last).await.unwrap();
                assert_eq!(charge.credits(), charged, "{what}");
                assert_eq!(house.balance(BO).await.0, available, "{what}");
            } else {
                assert_eq!(house.status(&last), "rejected", "{what}");
                assert_eq!(house.balance(BO).await.0, credits, "{what}");
            }
            let short = by_host && credits < cost;
            let told = watched
                .problems
                .iter()
                .any(|p| p.code == "move-not-covered");
            assert_eq!(told, short, "{what}");
            nothing_more(&mut house, &what).await;
        }
    }
}

#[tokio::test]
async fn a_declined_successor_refunds_and_a_cancelled_one_follows_the_windows() {
    let (mut house, uid) = confirmed(Dialect::V2, false).await;
    let start = time("2026-12-03T09:00:00Z");
    let last = act(&house, Action::BookerMoves(Shift::to(&uid, start))).remove(0);
    act(&house, Action::HostRejects(Said::nothing(&last)));
    assert_eq!(whats(&house.watch(false).await), [What::Refunded]);
    assert_eq!(house.balance(BO).await, (5, 0, 1));

    let (mut house, uid) = confirmed(Dialect::V2, false).await;
    let last = act(&house, Action::BookerMoves(Shift::to(&uid, start))).remove(0);
    house
        .clock
        .advance(start - Span::hours(2) - house.clock.now());
    act(&house, Action::BookerCancels(Said::nothing(&last)));
    assert_eq!(whats(&house.watch(false).await), [What::Kept]);
    assert_eq!(house.balance(BO).await, (4, 0, 1));
    nothing_more(&mut house, "cancelled successor").await;
}

#[tokio::test]
async fn a_late_move_can_be_a_cancellation_in_either_order() {
    for watch_first in [true, false] {
        let (mut house, uid) = confirmed_under(Dialect::V2, false, |terms| {
            terms.refunds.late_move = LateMove::Cancellation;
        })
        .await;
        house
            .clock
            .advance(time(START) - Span::hours(2) - house.clock.now());
        let start = time("2026-12-05T09:00:00Z");
        let last = act(&house, Action::BookerMoves(Shift::to(&uid, start))).remove(0);
        if watch_first {
            house.watch(false).await;
            house.pass().await;
        } else {
            house.pass().await;
            house.watch(false).await;
        }
        assert_eq!(house.charge(&uid).await.unwrap().state, ChargeState::Final);
        assert_eq!(house.charge(&last).await.unwrap().state, ChargeState::Open);
        assert_eq!(
            house.balance(BO).await,
            (3, 0, 2),
            "watch first {watch_first}"
        );
        nothing_more(&mut house, "late").await;
    }
}

/// An occurrence names nobody who moved it: the terms say whose doing that counts as.
#[tokio::test]
async fn a_late_move_by_nobody_knows_whom_counts_as_configured() {
    // A late move is a cancellation, and what it moved to is paid for again: it is never free.
    let rows: [(Blame, &[What], _); 2] = [
        (Blame::Host, &[What::Moved], (3, 0, 2)),
        (Blame::Booker, &[What::Kept, What::Charged], (2, 0, 3)),
    ];
    for (unknown, expect, balance) in rows {
        let mut house = House::new(Dialect::V2).await;
        house.grant(BO, 5).await;
        let uids = house.series(house.kinds.lesson, BO, START, 2);
        terms(&mut house, |terms| {
            terms.refunds.late_move = LateMove::Cancellation;
            terms.refunds.unknown_cancels = unknown;
        });
        house.pass().await;
        house.watch(true).await;
        let late = time(START) - Span::hours(2) - house.clock.now();
        house.clock.advance(late);
        let start = time("2027-01-20T15:00:00Z");
        act(&house, Action::HostMoves(Shift::to(&uids[0], start)));
        let watched = house.watch(false).await;
        assert_eq!(whats(&watched), expect, "{unknown:?}");
        assert_eq!(house.balance(BO).await, balance);
        nothing_more(&mut house, "moved").await;
    }
}

/// What several bookings of one series paid comes back only when their successors are answered, so
/// these are not declined for want of it.
#[tokio::test]
async fn occurrences_moved_together_are_not_short_of_what_they_paid() {
    let mut house = House::new(Dialect::V2).await;
    house.grant(BO, 2).await;
    let uids = house.series(house.kinds.lesson, BO, START, 2);
    house.pass().await;
    assert_eq!(house.balance(BO).await, (0, 0, 2));
    let mut moved = Vec::new();
    for (uid, to) in uids
        .iter()
        .zip(["2027-01-20T15:00:00Z", "2027-01-21T15:00:00Z"])
    {
        moved.extend(act(&house, Action::BookerMoves(Shift::to(uid, time(to)))));
    }
    house.clock.advance(Span::minutes(1));
    house.pass().await;
    for uid in &moved {
        assert_eq!(house.status(uid), "pending");
        let record = house.record(uid).await.unwrap();
        assert_eq!(record.decision, Decision::Review);
        assert_eq!(record.reasons[0].code, Code::ShortOfCredit);
    }
    house.watch(true).await;
    assert_eq!(house.balance(BO).await, (0, 0, 2));
    // The host answers the series by hand: both go on with what was paid.
    let booking = moved[0].clone();
    act(&house, Action::HostAccepts { booking });
    house.watch(false).await;
    assert_eq!(house.balance(BO).await, (0, 0, 2));
    for uid in &moved {
        assert_eq!(house.charge(uid).await.unwrap().state, ChargeState::Open);
    }
    nothing_more(&mut house, "moved together").await;
}

#[tokio::test]
async fn occurrences_of_a_series_live_on_their_own() {
    let mut house = House::new(Dialect::V2).await;
    house.grant(BO, 5).await;
    let uids = house.series(house.kinds.lesson, BO, START, 4);
    house.pass().await;
    house.watch(true).await;
    assert_eq!(house.balance(BO).await, (1, 0, 4));
    // One is moved: only its successor says so. One is cancelled.
    let start = time("2027-01-20T15:00:00Z");
    let moved = act(&house, Action::HostMoves(Shift::to(&uids[1], start))).remove(0);
    act(&house, Action::BookerCancels(Said::nothing(&uids[2])));
    let watched = house.watch(false).await;
    let mut got = whats(&watched);
    got.sort_by_key(|what| what.as_str());
    assert_eq!(got, [What::Moved, What::Refunded]);
    assert_eq!(house.charge(&moved).await.unwrap().state, ChargeState::Open);
    assert_eq!(house.balance(BO).await, (2, 0, 4));
    nothing_more(&mut house, "series").await;
    // The rest goes; what was moved away stays.
    act(&house, Action::SeriesCancels(Said::nothing(&uids[3])));
    house.watch(true).await;
    assert_eq!(
        house.charge(&uids[3]).await.unwrap().state,
        ChargeState::Refunded
    );
    assert_eq!(
        house.charge(&uids[0]).await.unwrap().state,
        ChargeState::Open
    );
    nothing_more(&mut house, "the rest").await;
}

#[tokio::test]
async fn absence_counts_once_the_grace_is_over() {
    // host absent, booker absent, taken back, no-show, what becomes of it
    let rows = [
        (true, false, false, NoShow::Keep, Some(What::Refunded)),
        (false, true, false, NoShow::Keep, Some(What::Kept)),
        (false, true, false, NoShow::Refund, Some(What::Refunded)),
        (false, true, false, NoShow::Review, None),
        (false, true, true, NoShow::Review, Some(What::Kept)),
        (false, true, true, NoShow::Refund, Some(What::Kept)),
    ];
    for (host, booker, taken_back, no_show, expect) in rows {
        let what = format!("host {host} booker {booker} back {taken_back} {no_show:?}");
        let (mut house, uid) = confirmed_under(Dialect::V2, false, |terms| {
            terms.refunds.no_show = no_show;
            terms.refunds.host_absent = HostAbsent::Refund;
        })
        .await;
        house.clock.advance(Span::days(7) + Span::hours(2));
        let mark = |absent| Action::AttendeeAbsent {
            booking: uid.clone(),
            email: BO.to_owned(),
            absent,
        };
        if host {
            let booking = uid.clone();
            act(
                &house,
                Action::HostAbsent {
                    booking,
                    absent: true,
                },
            );
        }
        if booker {
            act(&house, mark(true));
        }
        nothing_more(&mut house, &what).await;
        if taken_back {
            act(&house, mark(false));
        }
        house.clock.advance(Span::hours(24));
        let watched = house.watch(false).await;
        assert_eq!(whats(&watched).first().copied(), expect, "{what}");
        let asks = watched
            .problems
            .iter()
            .any(|problem| problem.code == "no-show");
        assert_eq!(asks, expect.is_none(), "{what}");
        nothing_more(&mut house, &what).await;
    }
}

#[tokio::test]
async fn first_absences_are_forgiven() {
    let mut house = House::new(Dialect::V2).await;
    terms(&mut house, |terms| {
        terms.refunds.forgive = Some(Forgive {
            times: 1,
            per: Span::days(60),
        });
    });
    house.grant(BO, 5).await;
    let mut uids = Vec::new();
    for start in [START, "2026-12-02T09:00:00Z"] {
        uids.push(house.request(house.kinds.lesson, BO, start));
    }
    house.pass().await;
    house.clock.advance(Span::days(9));
    for booking in uids {
        let email = BO.to_owned();
        act(
            &house,
            Action::AttendeeAbsent {
                booking,
                email,
                absent: true,
            },
        );
    }
    house.clock.advance(Span::days(1));
    let mut got = whats(&house.watch(true).await);
    got.sort_by_key(|what| what.as_str());
    assert_eq!(got, [What::Kept, What::Refunded]);
    assert_eq!(house.balance(BO).await, (4, 0, 2));
    nothing_more(&mut house, "forgiven").await;
}

#[tokio::test]
async fn a_lot_that_expired_meanwhile_is_restored_or_forfeited() {
    for (how, available) in [
        (ExpiredRefund::RestoreFor(Span::days(14)), 1),
        (ExpiredRefund::Forfeit, 0),
    ] {
        let mut house = House::new(Dialect::V2).await;
        terms(&mut house, |terms| terms.refunds.expired_refund = how);
        let at = house.clock.now();
        let fact = Fact::Grant {
            reference: Reference::parse("short").unwrap(),
            account: AccountId::parse(BO).unwrap(),
            credits: 1,
            expires: Some(time("2026-11-26T00:00:00Z")),
            reason: "test".to_owned(),
        };
        let granted = house
            .store
            .with(move |store| store.commit(at, vec![fact], &[]));
        granted.await.unwrap();
        let uid = house.request(house.kinds.lesson, BO, START);
        house.pass().await;
        house.clock.advance(Span::days(4));
        act(&house, Action::BookerCancels(Said::nothing(&uid)));
        assert_eq!(whats(&house.watch(true).await), [What::Refunded]);
        assert_eq!(house.balance(BO).await.0, available, "{how:?}");
        nothing_more(&mut house, "expired").await;
        house.clock.advance(Span::days(15));
        assert_eq!(house.balance(BO).await.0, 0);
    }
}

#[tokio::test]
async fn accepted_by_others_is_reported_charged_or_cancelled() {
    // mode, credits, status, available, reported
    let rows = [
        (Unmanaged::Report, 5, "accepted", 5, true),
        (Unmanaged::Charge, 5, "accepted", 2, false),
        (Unmanaged::Charge, 2, "accepted", 0, true),
        (Unmanaged::Cancel, 5, "cancelled", 5, false),
    ];
    for dialect in [Dialect::V2, Dialect::V1] {
        for (mode, credits, status, available, reported) in rows {
            let what = format!("{dialect:?} {mode:?} {credits}");
            let mut house = House::new(dialect).await;
            house.grant(BO, credits).await;
            // What was made before the ledger began is only reported.
            house.clock.advance(Span::minutes(5));
            let since = house.clock.now() - Span::hours(1);
            terms(&mut house, |terms| {
                terms.unmanaged = mode;
                terms.unmanaged_since = Some(since);
            });
            let booking = house.request(house.kinds.dinner, BO, START);
            let open = house.request(house.kinds.open, BO, "2026-12-02T09:00:00Z");
            let priced = house.request(house.kinds.priced, BO, "2026-12-03T09:00:00Z");
            for booking in [booking.clone(), open, priced] {
                act(&house, Action::HostAccepts { booking });
            }
            let watched = house.watch(true).await;
            let told = watched.problems.iter().any(|p| p.code == "unmanaged");
            assert_eq!(told, reported, "{what}: {:?}", watched.problems);
            assert_eq!(house.status(&booking), status, "{what}");
            assert_eq!(house.balance(BO).await.0, available, "{what}");
            nothing_more(&mut house, &what).await;
            let cancels = house.sandbox.lock().journal.count(Operation::Cancel);
            assert_eq!(cancels, u64::from(mode == Unmanaged::Cancel), "{what}");
        }
    }
}

/// Moved twice and then accepted by hand, while only the last of it is seen: v1 does not show by its
/// name what that one replaced, so nobody is cancelled before an audit has looked at every charge.
#[tokio::test]
async fn what_was_paid_for_before_several_moves_is_not_cancelled() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let (mut house, first) = confirmed(dialect, true).await;
        terms(&mut house, |terms| {
            terms.unmanaged = Unmanaged::Cancel;
            terms.refunds.late_move = LateMove::Carry;
        });
        let mut last = first;
        for day in [4, 8] {
            let start = house.clock.now() + Span::days(day);
            last = act(&house, Action::BookerMoves(Shift::to(&last, start))).remove(0);
        }
        // More than v1 shows of what was written lately: the move before the last is not among it.
        for minute in 0..520 {
            let start = house.clock.now() + Span::days(20) + Span::minutes(minute * 30);
            let booking = house.request(house.kinds.open, BO, &start.to_rfc3339());
            act(&house, Action::HostAccepts { booking });
        }
        house.watched = Some(house.clock.now());
        house.clock.advance(Span::hours(1));
        let booking = last.clone();
        act(&house, Action::HostAccepts { booking });
        house.watch(false).await;
        assert_eq!(house.status(&last), "accepted", "{dialect:?}");
        house.watch(true).await;
        assert_eq!(house.status(&last), "accepted", "{dialect:?}");
        let charge = house.charge(&last).await.expect("what was paid moved on");
        assert_eq!(charge.state, ChargeState::Open, "{dialect:?}");
        assert_eq!(house.balance(BO).await, (2, 0, 3), "{dialect:?}");
        nothing_more(&mut house, "moved twice").await;
    }
}

#[tokio::test]
async fn bookings_from_before_the_date_are_not_looked_at() {
    let mut house = House::new(Dialect::V2).await;
    house.grant(BO, 5).await;
    let since = house.clock.now() + Span::hours(1);
    terms(&mut house, |terms| {
        terms.unmanaged = Unmanaged::Cancel;
        terms.unmanaged_since = Some(since);
    });
    let booking = house.request(house.kinds.dinner, BO, START);
    act(
        &house,
        Action::HostAccepts {
            booking: booking.clone(),
        },
    );
    let watched = house.watch(true).await;
    assert_eq!((watched.changes.len(), watched.problems.len()), (0, 0));
    assert_eq!(house.status(&booking), "accepted");
}

#[tokio::test]
async fn requests_that_ended_undecided_are_closed() {
    use maitred::domain::criteria::effect::Effect;
    use maitred::domain::request::RequestState;
    for over in [true, false] {
        let mut house = House::new(Dialect::V2).await;
        for gate in &mut house.policy.gates {
            gate.unknown_booker = Effect::Review;
        }
        house.grant(BO, 1).await;
        let uid = house.request(house.kinds.lesson, "who@example.com", START);
        house.pass().await;
        house.watch(true).await;
        if over {
            house.clock.advance(Span::days(8));
        } else {
            act(&house, Action::BookerCancels(Said::nothing(&uid)));
        }
        house.pass().await;
        assert_eq!(
            whats(&house.watch(true).await),
            [What::Closed],
            "over {over}"
        );
        let state = house.record(&uid).await.unwrap().state;
        assert!(matches!(state, RequestState::Settled { .. }));
        nothing_more(&mut house, "closed").await;
    }
}

#[tokio::test]
async fn a_booking_that_was_deleted_closes_when_it_would_be_over() {
    let (mut house, uid) = confirmed(Dialect::V2, false).await;
    act(
        &house,
        Action::DeletesBooking {
            booking: uid.clone(),
        },
    );
    let watched = house.watch(true).await;
    assert!(watched.problems.iter().any(|p| p.code == "booking-gone"));
    assert_eq!(house.charge(&uid).await.unwrap().state, ChargeState::Open);
    house.clock.advance(Span::days(9));
    assert_eq!(whats(&house.watch(false).await), [What::Kept]);
    nothing_more(&mut house, "gone").await;
}

#[tokio::test]
async fn calls_do_not_grow_with_what_is_closed() {
    let mut house = House::new(Dialect::V2).await;
    house.grant(BO, 500).await;
    for n in 0..100 {
        let start = time("2026-11-25T00:00:00Z") + Span::minutes(30 * n);
        let start = start.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        house.request(house.kinds.lesson, BO, &start);
    }
    house.pass().await;
    let audit = house.watch(true).await;
    // Two listings, and who the key is once.
    assert_eq!(
        (audit.checked, audit.calls <= 4),
        (100, true),
        "{}",
        audit.calls
    );
    // What was written lately, and what was made lately.
    assert_eq!(house.watch(false).await.calls, 2);
    house.clock.advance(Span::days(6));
    let closing = house.watch(false).await;
    assert_eq!((closing.changes.len(), closing.calls), (100, 3));
    let idle = house.watch(false).await;
    assert_eq!((idle.checked, idle.calls), (0, 2));
}

#[tokio::test]
async fn gates_by_number_and_deleted_event_types_keep_their_terms() {
    let (mut house, uid) = confirmed_under(Dialect::V2, false, |terms| {
        terms.refunds.windows = Vec::new();
    })
    .await;
    let event_type = house.kinds.lesson;
    act(&house, Action::DeletesEventType { event_type });
    act(&house, Action::BookerCancels(Said::nothing(&uid)));
    house.policy.gates.insert(
        0,
        Gate {
            name: "other".to_owned(),
            event_types: vec![EventTypeKey::Slug("other".to_owned())],
            ..house.policy.gates[0].clone()
        },
    );
    assert_eq!(whats(&house.watch(false).await), [What::Kept]);
}

/// Where a cancellation is how requests are refused, a refused successor is given back whatever its
/// notice was: it is nobody's late cancellation.
#[tokio::test]
async fn a_successor_refused_with_a_cancellation_is_given_back() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let (mut house, uid) = confirmed(dialect, false).await;
        house.policy.refuse_with = RefuseWith::Cancel;
        // The time that the booking moves to is taken, and soon.
        let start = "2026-11-24T14:00:00Z";
        house.grant("ada@example.com", 1).await;
        let other = house.request(house.kinds.lesson, "ada@example.com", start);
        house.pass().await;
        assert_eq!(house.status(&other), "accepted");
        let last = act(&house, Action::BookerMoves(Shift::to(&uid, time(start)))).remove(0);
        house.pass().await;
        assert_eq!(house.status(&last), "cancelled", "{dialect:?}");
        assert_eq!(whats(&house.watch(false).await), [What::Refunded]);
        assert_eq!(house.balance(BO).await, (5, 0, 1), "{dialect:?}");
        nothing_more(&mut house, "refused").await;
    }
}

/// A move to an earlier time that was over long before anybody looked again, nor knew when somebody
/// had looked last: in v1 only the successor tells of it, and the charge was taken for a cancelled one.
#[tokio::test]
async fn a_move_to_an_earlier_time_is_found_long_after() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let (mut house, uid) = confirmed(dialect, false).await;
        let start = house.clock.now() + Span::hours(3);
        let last = act(&house, Action::HostMoves(Shift::to(&uid, start))).remove(0);
        assert_eq!(house.status(&last), "accepted", "{dialect:?}");
        house.clock.advance(Span::days(5));
        house.watched = None;
        assert_eq!(
            whats(&house.watch(true).await),
            [What::Moved],
            "{dialect:?}"
        );
        assert_eq!(whats(&house.watch(true).await), [What::Kept], "{dialect:?}");
        assert_eq!(house.balance(BO).await, (4, 0, 1), "{dialect:?}");
        nothing_more(&mut house, "moved and over").await;
    }
}

/// In v1 only a successor tells of a move, and there are more bookings since than are listed: the
/// charge stays and that is said. Another that was made later is not kept from being given back.
#[tokio::test]
async fn a_cancellation_that_cannot_be_told_from_a_move_is_left_and_said() {
    let (mut house, first) = confirmed(Dialect::V1, false).await;
    act(&house, Action::HostCancels(Said::nothing(&first)));
    // They are over in a day or two.
    let others = |house: &mut House, count: i64| {
        for n in 0..count {
            let start = house.clock.now() + Span::minutes(10) + Span::seconds(n);
            house.request(house.kinds.open, BO, &start.to_rfc3339());
        }
        house.clock.advance(Span::days(2));
    };
    others(&mut house, 400);
    let second = house.request(house.kinds.lesson, BO, "2026-12-02T09:00:00Z");
    house.pass().await;
    assert_eq!(house.status(&second), "accepted");
    others(&mut house, 4_900);
    act(&house, Action::HostCancels(Said::nothing(&second)));
    let watched = house.watch(true).await;
    let told = |problem: &Problem| problem.code == "unread-charge" && problem.text.contains(&first);
    assert!(watched.problems.iter().any(told), "{:?}", watched.problems);
    assert_eq!(house.charge(&first).await.unwrap().state, ChargeState::Open);
    assert_eq!(
        house.charge(&second).await.unwrap().state,
        ChargeState::Refunded
    );
}

/// The successor was paid for by another account: what was paid for the one before it comes back, or
/// one booking would have been paid for twice.
#[tokio::test]
async fn nobody_pays_for_a_chain_twice() {
    let mut house = House::new(Dialect::V2).await;
    house.grant("family", 5).await;
    let (account, alias) = (
        AccountId::parse("family").unwrap(),
        Address::parse(BO).unwrap(),
    );
    write(
        &house,
        Fact::Aliased {
            account: account.clone(),
            alias: alias.clone(),
        },
    )
    .await;
    let uid = house.request(house.kinds.lesson, BO, START);
    house.pass().await;
    house.watch(true).await;
    write(&house, Fact::Unaliased { account, alias }).await;
    house.grant(BO, 5).await;
    let start = time("2026-12-03T09:00:00Z");
    let last = act(&house, Action::BookerMoves(Shift::to(&uid, start))).remove(0);
    house.pass().await;
    assert_eq!(house.status(&last), "accepted");
    assert_eq!(house.balance(BO).await, (4, 0, 1), "both are charged");
    assert_eq!(house.balance("family").await, (4, 0, 1), "both are charged");
    assert_eq!(whats(&house.watch(true).await), [What::Refunded]);
    assert_eq!(house.balance("family").await.0, 5);
    assert_eq!(house.balance(BO).await.0, 4);
    nothing_more(&mut house, "paid once").await;
}

async fn write(house: &House, fact: Fact) {
    let at = house.clock.now();
    let written = house
        .store
        .with(move |store| store.commit(at, vec![fact], &[]));
    written.await.unwrap();
}

/// What was paid comes back on the terms that stood when it was paid, whatever the configuration
/// says by then; also under the name of the booking that it was moved to.
#[tokio::test]
async fn later_edits_do_not_change_what_was_paid_before() {
    let harsh = |terms: &mut Terms| {
        terms.refunds.windows = Vec::new();
        terms.refunds.late_move = LateMove::Cancellation;
        terms.refunds.grace = Span::days(300);
        terms.refunds.expired_refund = ExpiredRefund::Forfeit;
    };
    for dialect in [Dialect::V2, Dialect::V1] {
        for moved in [None, Some(false), Some(true)] {
            let what = format!("{dialect:?}, moved by the pass {moved:?}");
            let (mut house, mut uid) = confirmed(dialect, true).await;
            terms(&mut house, harsh);
            if let Some(by_pass) = moved {
                let shift = Shift::to(&uid, time("2026-12-03T09:00:00Z"));
                let action = if by_pass {
                    Action::BookerMoves(shift)
                } else {
                    Action::HostMoves(shift)
                };
                uid = act(&house, action).remove(0);
                house.pass().await;
                house.watch(false).await;
                assert_eq!(house.status(&uid), "accepted", "{what}");
            }
            act(&house, Action::BookerCancels(Said::nothing(&uid)));
            assert_eq!(whats(&house.watch(false).await), [What::Refunded], "{what}");
            assert_eq!(house.balance(BO).await.0, 5, "{what}");
            // And one that takes place is final when its own grace has passed.
            let (mut house, _) = confirmed(dialect, true).await;
            terms(&mut house, harsh);
            house.clock.advance(Span::days(9));
            assert_eq!(whats(&house.watch(false).await), [What::Kept], "{what}");
        }
    }
}

async fn items_of(house: &House, booking: &BookingUid) -> Vec<Unresolved> {
    let booking = booking.clone();
    let items = house.store.with(move |store| store.unresolved_of(&booking));
    items.await.unwrap()
}

/// Every key of the server may set the mark, so by default an operator is asked, once.
#[tokio::test]
async fn an_absent_host_is_reviewed_refunded_or_ignored() {
    // the setting, whether the booker is marked too, what becomes of it
    let rows = [
        (HostAbsent::Review, false, None),
        (HostAbsent::Review, true, None),
        (HostAbsent::Refund, false, Some(What::Refunded)),
        (HostAbsent::Refund, true, Some(What::Refunded)),
        (HostAbsent::Ignore, false, Some(What::Kept)),
        (HostAbsent::Ignore, true, Some(What::Kept)),
    ];
    assert_eq!(Terms::default().refunds.host_absent, HostAbsent::Review);
    for (setting, both, expect) in rows {
        for give_back in [true, false] {
            let what = format!("{setting:?}, the booker too {both}");
            let (mut house, uid) = confirmed_under(Dialect::V2, false, |terms| {
                terms.refunds.host_absent = setting;
            })
            .await;
            house.clock.advance(Span::days(7) + Span::hours(2));
            let (booking, absent) = (uid.clone(), true);
            act(&house, Action::HostAbsent { booking, absent });
            if both {
                let (booking, email) = (uid.clone(), BO.to_owned());
                let mark = Action::AttendeeAbsent {
                    booking,
                    email,
                    absent,
                };
                act(&house, mark);
            }
            house.clock.advance(Span::hours(24));
            let watched = house.watch(false).await;
            assert_eq!(whats(&watched).first().copied(), expect, "{what}");
            let asks = |problem: &Problem| problem.code == "host-absent";
            assert_eq!(
                watched.problems.iter().any(asks),
                expect.is_none(),
                "{what}"
            );
            let booking = BookingUid::parse(&uid).unwrap();
            let items = items_of(&house, &booking).await;
            assert_eq!(items.len(), usize::from(expect.is_none()), "{what}");
            if expect.is_none() {
                assert_eq!(items[0].code, UnresolvedCode::HostAbsent);
                assert!(items[0].is_open(), "{what}");
                let again = house.watch(true).await;
                assert!(!again.problems.iter().any(asks), "{what}: told twice");
                let (policy, now) = (house.policy.clone(), house.clock.now());
                let settled = house.store.with(move |store| {
                    maitred::daemon::answer::charges::settle(store, &policy, now, &uid, give_back)
                });
                settled.await.unwrap();
                assert!(!items_of(&house, &booking).await[0].is_open(), "{what}");
                let available = 4 + u64::from(give_back);
                assert_eq!(house.balance(BO).await.0, available, "{what}");
                assert!(!house.watch(true).await.problems.iter().any(asks), "{what}");
            }
            nothing_more(&mut house, &what).await;
        }
    }
}

/// A series waits for an answer; one occurrence of it is cancelled, and the rest goes on waiting.
#[tokio::test]
async fn a_waiting_series_is_not_closed_by_an_occurrence_that_left_it() {
    use maitred::domain::criteria::effect::Effect;
    use maitred::domain::request::RequestState;
    let mut house = House::new(Dialect::V2).await;
    for gate in &mut house.policy.gates {
        gate.unknown_booker = Effect::Review;
    }
    house.grant(BO, 1).await;
    let uids = house.series(house.kinds.lesson, "who@example.com", START, 2);
    house.pass().await;
    act(&house, Action::BookerCancels(Said::nothing(&uids[0])));
    house.pass().await;
    house.watch(true).await;
    let record = house.record(&uids[1]).await.unwrap();
    assert_eq!(record.state, RequestState::Noted);
    assert_eq!(house.status(&uids[1]), "pending");
    nothing_more(&mut house, "waits").await;
}

/// A member whose only credit is in a booking that is cancelled books another time at once: the pass
/// looks at the open charges again before it declines, so that no watch has to come first.
#[tokio::test]
async fn a_cancellation_in_good_time_pays_for_the_next_request() {
    let booker = |uid: &str| Action::BookerCancels(Said::nothing(uid));
    let host = |uid: &str| Action::HostCancels(Said::nothing(uid));
    type Cancels = fn(&str) -> Action;
    let rows: [(&str, Cancels); 2] = [("booker", booker), ("host", host)];
    for dialect in [Dialect::V2, Dialect::V1] {
        for (who, action) in rows {
            for capped in [false, true] {
                let what = format!("{dialect:?}: {who}, capped {capped}");
                let mut house = House::new(dialect).await;
                house.grant(BO, if capped { 9 } else { 1 }).await;
                if capped {
                    house.policy.house.caps = vec![Cap {
                        at_most: 1,
                        per: Period::Open,
                        tiers: Vec::new(),
                    }];
                }
                let first = house.request(house.kinds.lesson, BO, START);
                house.pass().await;
                assert_eq!(house.status(&first), "accepted", "{what}");
                act(&house, action(&first));
                let next = house.request(house.kinds.lesson, BO, "2026-12-02T09:00:00Z");
                let report = house.pass().await;
                assert_eq!(house.status(&next), "pending", "{what}");
                assert!(report.more, "{what}");
                assert_eq!(
                    house.charge(&first).await.unwrap().state,
                    ChargeState::Refunded,
                    "{what}"
                );
                house.pass().await;
                assert_eq!(house.status(&next), "accepted", "{what}");
            }
        }
    }
}

/// Without a cancellation the decline stands, at the cost of one look at the charges of the member.
#[tokio::test]
async fn what_a_decline_rests_on_is_read_once() {
    for lessons in [1, 5] {
        let mut house = House::new(Dialect::V2).await;
        house.grant(BO, lessons).await;
        for day in 1..=lessons {
            let start = format!("2026-12-0{day}T09:00:00Z");
            house.request(house.kinds.lesson, BO, &start);
        }
        house.pass().await;
        let next = house.request(house.kinds.lesson, BO, "2026-12-09T09:00:00Z");
        let before = house.calendar.calls();
        let report = house.pass().await;
        assert_eq!(house.status(&next), "rejected", "{lessons}");
        assert!(!report.more, "{lessons}");
        // The list of what waits, one look at the charges, the booking before its call, the call.
        let calls = house.calendar.calls() - before;
        assert!(calls <= 4, "{lessons}: {calls} calls");
    }
}

#[tokio::test]
async fn a_decline_waits_while_what_it_rests_on_cannot_be_read() {
    let mut house = House::new(Dialect::V2).await;
    house.grant(BO, 1).await;
    let first = house.request(house.kinds.lesson, BO, START);
    house.pass().await;
    let next = house.request(house.kinds.lesson, BO, "2026-12-02T09:00:00Z");
    let fault = Fault::Error {
        stage: Stage::Before,
    };
    let rule = Rule::next(Operation::Get, fault);
    house.sandbox.lock().add_fault(rule).unwrap();
    let report = house.pass().await;
    assert_eq!(house.status(&next), "pending");
    assert!(report.problems.iter().any(|p| p.code == "unread-charge"));
    house.pass().await;
    assert_eq!(house.status(&next), "rejected");
    assert_eq!(house.status(&first), "accepted");
}
