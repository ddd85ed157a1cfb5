//! The watch over HTTP against the sandbox, with the real client: what becomes of a charge when its
//! booking is moved, cancelled, missed or over, in each order in which runs can see the change.

use crate::fixture::clock::parse_time;
use crate::fixture::pass_fixture::PassFixture;
use crate::fixture::steps::{
    BO, START, change_terms, check_nothing_more, commit_fact, perform_action,
};
use maitred::domain::criteria::cap::{Cap, CapPeriod};
use maitred::domain::criteria::price::Cost;
use maitred::domain::decision::{Decision, ReasonCode};
use maitred::domain::dialect::Dialect;
use maitred::domain::fact::{AccountFact, CreditFact, Fact};
use maitred::domain::gate::{Gate, RefuseWith};
use maitred::domain::id::{AccountId, Address, BookingUid, EventTypeKey, Reference};
use maitred::domain::plan::Problem;
use maitred::domain::refund_policy::{
    Blame, ExpiredRefund, Forgiveness, HostAbsent, LateMove, NoShow, OnUnmanaged, Terms,
};
use maitred::domain::request::ChargeState;
use maitred::domain::time::Span;
use maitred::domain::unresolved::{UnresolvedBooking, UnresolvedCode};
use maitred::domain::watch::ChargeOutcome;
use maitred::reconcile::watch::WatchReport;
use maitred::sandbox::action::{BookingMove, BookingRemark, ThirdPartyAction};
use maitred::sandbox::call_log::Operation;
use maitred::sandbox::faults::{Fault, FaultRule, Stage};

/// Returns a fixture in which Bo has 5 credits and a confirmed lesson, which cost 1, or dinner,
/// which cost 3.
async fn confirmed_fixture(dialect: Dialect, dinner: bool) -> (PassFixture, String) {
    confirmed_fixture_with_terms(dialect, dinner, |_| ()).await
}

/// Returns the same fixture, paid under these terms.
async fn confirmed_fixture_with_terms(
    dialect: Dialect,
    dinner: bool,
    change: impl Fn(&mut Terms),
) -> (PassFixture, String) {
    let mut fixture = PassFixture::new(dialect).await;
    change_terms(&mut fixture, change);
    fixture.grant(BO, 5).await;
    let kind = if dinner {
        fixture.event_types.dinner
    } else {
        fixture.event_types.lesson
    };
    let uid = fixture.request(kind, BO, START);
    fixture.pass().await;
    assert_eq!(fixture.status(&uid), "accepted");
    fixture.watch(true).await;
    (fixture, uid)
}

fn outcomes(watched: &WatchReport) -> Vec<ChargeOutcome> {
    watched
        .changes
        .iter()
        .map(|change| change.outcome)
        .collect()
}

#[tokio::test]
async fn a_charge_closes_when_the_booking_is_over_and_grace_has_passed() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let (mut fixture, uid) = confirmed_fixture(dialect, false).await;
        check_nothing_more(&mut fixture, "to come").await;
        fixture.clock.advance(Span::days(7) + Span::hours(2));
        check_nothing_more(&mut fixture, "in grace").await;
        fixture.clock.advance(Span::hours(24));
        let watched = fixture.watch(false).await;
        assert_eq!(outcomes(&watched), [ChargeOutcome::Final], "{dialect:?}");
        assert_eq!(
            fixture.charge(&uid).await.unwrap().state,
            ChargeState::Final
        );
        assert_eq!(fixture.balance(BO).await, (4, 0, 1));
        check_nothing_more(&mut fixture, "final").await;
    }
}

#[tokio::test]
async fn cancellations_refund_by_canceller_and_notice() {
    type Row = (&'static str, fn(&str) -> ThirdPartyAction, i64, bool, u64);
    let booker = |uid: &str| ThirdPartyAction::BookerCancels(BookingRemark::without_reason(uid));
    let host = |uid: &str| ThirdPartyAction::HostCancels(BookingRemark::without_reason(uid));
    let api = |uid: &str| ThirdPartyAction::ApiCancels(BookingRemark::without_reason(uid));
    let asks = |uid: &str| ThirdPartyAction::HostAsksToMove(BookingRemark::without_reason(uid));
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
        // Anybody can enter the host's address on the cancellation page.
        ("host", host, 30, false, 3),
        ("host", host, 10, false, 2),
        ("host asks for another time", asks, 1, false, 0),
    ];
    for audit in [false, true] {
        for (who, action, hours, trust, back) in rows {
            let what = format!("{who} {hours} h before, trusted {trust}, audit {audit}");
            let (mut fixture, uid) = confirmed_fixture_with_terms(Dialect::V2, true, |terms| {
                terms.refunds.tiers = crate::fixture::pass_fixture::graded_refund_tiers();
                terms.refunds.trust_named_cancels = trust;
            })
            .await;
            let until = parse_time(START) - Span::hours(hours) - fixture.clock.now();
            fixture.clock.advance(until - Span::minutes(5));
            perform_action(&fixture, action(&uid));
            fixture.watch(audit).await;
            let charge = fixture.charge(&uid).await.unwrap();
            let state = if back == 0 {
                ChargeState::Final
            } else {
                ChargeState::Refunded
            };
            assert_eq!(charge.state, state, "{what}");
            assert_eq!(fixture.balance(BO).await, (2 + back, 0, 3), "{what}");
            assert_eq!(charge.credits(), 3 - back, "{what}");
            check_nothing_more(&mut fixture, &what).await;
        }
    }
}

#[tokio::test]
async fn unknown_cancellations_count_as_configured() {
    let (mut fixture, uid) = confirmed_fixture_with_terms(Dialect::V2, true, |terms| {
        terms.refunds.unknown_cancels = Blame::Host;
    })
    .await;
    fixture.clock.advance(Span::days(7));
    perform_action(
        &fixture,
        ThirdPartyAction::ApiCancels(BookingRemark::without_reason(&uid)),
    );
    assert_eq!(
        outcomes(&fixture.watch(false).await),
        [ChargeOutcome::Refunded]
    );
}

#[tokio::test]
async fn a_successor_takes_over_the_charge_in_each_order_of_runs() {
    // The pass runs first, or a short or full watch runs first; moved once, twice or three times.
    for watch_first in [None, Some(false), Some(true)] {
        for moves in [1, 2, 3] {
            let what = format!("watch first {watch_first:?}, {moves} moves");
            let (mut fixture, first) = confirmed_fixture(Dialect::V2, false).await;
            let mut last = first.clone();
            for number in 0..moves {
                let start = parse_time("2026-12-03T09:00:00Z") + Span::days(number);
                last = perform_action(
                    &fixture,
                    ThirdPartyAction::BookerMoves(BookingMove::new(&last, start)),
                )
                .remove(0);
            }
            if let Some(audit) = watch_first {
                assert_eq!(fixture.watch(audit).await.changes, [], "{what}");
            }
            fixture.pass().await;
            assert_eq!(fixture.status(&last), "accepted", "{what}");
            fixture.watch(false).await;
            let charge = fixture.charge(&last).await.unwrap();
            assert_eq!(
                (charge.state.clone(), charge.credits()),
                (ChargeState::Open, 1),
                "{what}"
            );
            assert!(matches!(
                fixture.charge(&first).await.unwrap().state,
                ChargeState::Moved { .. }
            ));
            assert_eq!(fixture.balance(BO).await, (4, 0, 1), "{what}");
            check_nothing_more(&mut fixture, &what).await;
        }
    }
}

#[tokio::test]
async fn a_move_that_is_accepted_at_once_moves_the_charge_without_a_pass() {
    for (weeks, audit) in [(0, false), (0, true), (1, true)] {
        let (mut fixture, uid) = confirmed_fixture(Dialect::V2, false).await;
        let start = parse_time("2026-12-20T09:00:00Z");
        let pending = perform_action(
            &fixture,
            ThirdPartyAction::BookerMoves(BookingMove::new(&uid, start)),
        )
        .remove(0);
        let last = perform_action(
            &fixture,
            ThirdPartyAction::HostMoves(BookingMove::new(&pending, start + Span::days(1))),
        );
        // Maitred does not run meanwhile.
        fixture.clock.advance(Span::weeks(weeks));
        let watched = fixture.watch(audit).await;
        assert_eq!(outcomes(&watched), [ChargeOutcome::Moved]);
        assert_eq!(
            fixture.charge(&last[0]).await.unwrap().state,
            ChargeState::Open
        );
        assert_eq!(fixture.balance(BO).await, (4, 0, 1));
        check_nothing_more(&mut fixture, "moved").await;
        // The booking is cancelled in time under its new uid.
        perform_action(
            &fixture,
            ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&last[0])),
        );
        assert_eq!(
            outcomes(&fixture.watch(false).await),
            [ChargeOutcome::Refunded]
        );
        assert_eq!(fixture.balance(BO).await, (5, 0, 1));
    }
}

/// The sandbox moves bookings only within an event type, so the gate's price changes instead.
#[tokio::test]
async fn another_cost_charges_or_returns_the_difference() {
    // cost, granted credits, final charge, available
    for (cost, credits, charged, available) in [(1, 5, 1, 4), (5, 5, 5, 0), (5, 4, 4, 0)] {
        for by_host in [true, false] {
            let mut fixture = PassFixture::new(Dialect::V2).await;
            fixture.grant(BO, credits).await;
            let uid = fixture.request(fixture.event_types.dinner, BO, START);
            fixture.pass().await;
            fixture.watch(true).await;
            for gate in &mut fixture.policy.gates {
                gate.cost = Cost::Fixed(cost);
            }
            let shift = BookingMove::new(&uid, parse_time("2026-12-03T09:00:00Z"));
            let action = if by_host {
                ThirdPartyAction::HostMoves(shift)
            } else {
                ThirdPartyAction::BookerMoves(shift)
            };
            let last = perform_action(&fixture, action).remove(0);
            fixture.pass().await;
            let watched = fixture.watch(false).await;
            let what = format!("cost {cost} credits {credits} by host {by_host}");
            if by_host || credits >= cost {
                let charge = fixture.charge(&last).await.unwrap();
                assert_eq!(charge.credits(), charged, "{what}");
                assert_eq!(fixture.balance(BO).await.0, available, "{what}");
            } else {
                assert_eq!(fixture.status(&last), "rejected", "{what}");
                assert_eq!(fixture.balance(BO).await.0, credits, "{what}");
            }
            let short = by_host && credits < cost;
            let problem = watched
                .problems
                .iter()
                .any(|p| p.code == "move-not-covered");
            assert_eq!(problem, short, "{what}");
            check_nothing_more(&mut fixture, &what).await;
        }
    }
}

#[tokio::test]
async fn a_declined_successor_refunds_and_a_cancelled_one_follows_the_windows() {
    let (mut fixture, uid) = confirmed_fixture(Dialect::V2, false).await;
    let start = parse_time("2026-12-03T09:00:00Z");
    let last = perform_action(
        &fixture,
        ThirdPartyAction::BookerMoves(BookingMove::new(&uid, start)),
    )
    .remove(0);
    perform_action(
        &fixture,
        ThirdPartyAction::HostRejects(BookingRemark::without_reason(&last)),
    );
    assert_eq!(
        outcomes(&fixture.watch(false).await),
        [ChargeOutcome::Refunded]
    );
    assert_eq!(fixture.balance(BO).await, (5, 0, 1));

    let (mut fixture, uid) = confirmed_fixture(Dialect::V2, false).await;
    let last = perform_action(
        &fixture,
        ThirdPartyAction::BookerMoves(BookingMove::new(&uid, start)),
    )
    .remove(0);
    fixture
        .clock
        .advance(start - Span::hours(2) - fixture.clock.now());
    perform_action(
        &fixture,
        ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&last)),
    );
    assert_eq!(
        outcomes(&fixture.watch(false).await),
        [ChargeOutcome::Final]
    );
    assert_eq!(fixture.balance(BO).await, (4, 0, 1));
    check_nothing_more(&mut fixture, "cancelled successor").await;
}

#[tokio::test]
async fn a_late_move_can_be_a_cancellation_in_either_order() {
    for watch_first in [true, false] {
        let (mut fixture, uid) = confirmed_fixture_with_terms(Dialect::V2, false, |terms| {
            terms.refunds.late_move = LateMove::Cancellation;
        })
        .await;
        fixture
            .clock
            .advance(parse_time(START) - Span::hours(2) - fixture.clock.now());
        let start = parse_time("2026-12-05T09:00:00Z");
        let last = perform_action(
            &fixture,
            ThirdPartyAction::BookerMoves(BookingMove::new(&uid, start)),
        )
        .remove(0);
        if watch_first {
            fixture.watch(false).await;
            fixture.pass().await;
        } else {
            fixture.pass().await;
            fixture.watch(false).await;
        }
        assert_eq!(
            fixture.charge(&uid).await.unwrap().state,
            ChargeState::Final
        );
        assert_eq!(
            fixture.charge(&last).await.unwrap().state,
            ChargeState::Open
        );
        assert_eq!(
            fixture.balance(BO).await,
            (3, 0, 2),
            "watch first {watch_first}"
        );
        check_nothing_more(&mut fixture, "late").await;
    }
}

/// A moved occurrence does not name the person who moved it: the terms decide who counts as the
/// mover.
#[tokio::test]
async fn a_late_move_by_an_unknown_person_counts_as_configured() {
    // A late move is a cancellation, and the successor is paid again: a late move is never free.
    let rows: [(Blame, &[ChargeOutcome], _); 2] = [
        (Blame::Host, &[ChargeOutcome::Moved], (3, 0, 2)),
        (
            Blame::Booker,
            &[ChargeOutcome::Final, ChargeOutcome::Charged],
            (2, 0, 3),
        ),
    ];
    for (unknown, expect, balance) in rows {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        fixture.grant(BO, 5).await;
        let uids = fixture.series(fixture.event_types.lesson, BO, START, 2);
        change_terms(&mut fixture, |terms| {
            terms.refunds.late_move = LateMove::Cancellation;
            terms.refunds.unknown_cancels = unknown;
        });
        fixture.pass().await;
        fixture.watch(true).await;
        let late = parse_time(START) - Span::hours(2) - fixture.clock.now();
        fixture.clock.advance(late);
        let start = parse_time("2027-01-20T15:00:00Z");
        perform_action(
            &fixture,
            ThirdPartyAction::HostMoves(BookingMove::new(&uids[0], start)),
        );
        let watched = fixture.watch(false).await;
        assert_eq!(outcomes(&watched), expect, "{unknown:?}");
        assert_eq!(fixture.balance(BO).await, balance);
        check_nothing_more(&mut fixture, "moved").await;
    }
}

/// The payments of several bookings of one series come back only when their successors are
/// answered, so the successors are not declined for lack of these credits.
#[tokio::test]
async fn occurrences_moved_together_are_not_short_of_what_they_paid() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 2).await;
    let uids = fixture.series(fixture.event_types.lesson, BO, START, 2);
    fixture.pass().await;
    assert_eq!(fixture.balance(BO).await, (0, 0, 2));
    let mut moved = Vec::new();
    for (uid, to) in uids
        .iter()
        .zip(["2027-01-20T15:00:00Z", "2027-01-21T15:00:00Z"])
    {
        moved.extend(perform_action(
            &fixture,
            ThirdPartyAction::BookerMoves(BookingMove::new(uid, parse_time(to))),
        ));
    }
    fixture.clock.advance(Span::minutes(1));
    fixture.pass().await;
    for uid in &moved {
        assert_eq!(fixture.status(uid), "pending");
        let record = fixture.stored_request(uid).await.unwrap();
        assert_eq!(record.decision, Decision::Review);
        assert_eq!(record.reasons[0].code, ReasonCode::ShortOfCredit);
    }
    fixture.watch(true).await;
    assert_eq!(fixture.balance(BO).await, (0, 0, 2));
    // The host answers the series by hand: both successors inherit what was paid.
    let booking = moved[0].clone();
    perform_action(&fixture, ThirdPartyAction::HostAccepts { booking });
    fixture.watch(false).await;
    assert_eq!(fixture.balance(BO).await, (0, 0, 2));
    for uid in &moved {
        assert_eq!(fixture.charge(uid).await.unwrap().state, ChargeState::Open);
    }
    check_nothing_more(&mut fixture, "moved together").await;
}

#[tokio::test]
async fn each_occurrence_of_a_series_is_charged_and_refunded_separately() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 5).await;
    let uids = fixture.series(fixture.event_types.lesson, BO, START, 4);
    fixture.pass().await;
    fixture.watch(true).await;
    assert_eq!(fixture.balance(BO).await, (1, 0, 4));
    // One occurrence is moved, which only its successor shows. One is cancelled.
    let start = parse_time("2027-01-20T15:00:00Z");
    let moved = perform_action(
        &fixture,
        ThirdPartyAction::HostMoves(BookingMove::new(&uids[1], start)),
    )
    .remove(0);
    perform_action(
        &fixture,
        ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&uids[2])),
    );
    let watched = fixture.watch(false).await;
    let mut got = outcomes(&watched);
    got.sort_by_key(|what| what.as_str());
    assert_eq!(got, [ChargeOutcome::Moved, ChargeOutcome::Refunded]);
    assert_eq!(
        fixture.charge(&moved).await.unwrap().state,
        ChargeState::Open
    );
    assert_eq!(fixture.balance(BO).await, (2, 0, 4));
    check_nothing_more(&mut fixture, "series").await;
    // The rest of the series is cancelled; the booking that was moved away stays.
    perform_action(
        &fixture,
        ThirdPartyAction::SeriesCancels(BookingRemark::without_reason(&uids[3])),
    );
    fixture.watch(true).await;
    assert_eq!(
        fixture.charge(&uids[3]).await.unwrap().state,
        ChargeState::Refunded
    );
    assert_eq!(
        fixture.charge(&uids[0]).await.unwrap().state,
        ChargeState::Open
    );
    check_nothing_more(&mut fixture, "the rest").await;
}

#[tokio::test]
async fn an_absence_counts_after_the_grace_period() {
    // host absent, booker absent, taken back, no-show, the outcome
    let rows = [
        (
            true,
            false,
            false,
            NoShow::Keep,
            Some(ChargeOutcome::Refunded),
        ),
        (false, true, false, NoShow::Keep, Some(ChargeOutcome::Final)),
        (
            false,
            true,
            false,
            NoShow::Refund,
            Some(ChargeOutcome::Refunded),
        ),
        (false, true, false, NoShow::Review, None),
        (
            false,
            true,
            true,
            NoShow::Review,
            Some(ChargeOutcome::Final),
        ),
        (
            false,
            true,
            true,
            NoShow::Refund,
            Some(ChargeOutcome::Final),
        ),
    ];
    for (host, booker, taken_back, no_show, expect) in rows {
        let what = format!("host {host} booker {booker} back {taken_back} {no_show:?}");
        let (mut fixture, uid) = confirmed_fixture_with_terms(Dialect::V2, false, |terms| {
            terms.refunds.no_show = no_show;
            terms.refunds.host_absent = HostAbsent::Refund;
        })
        .await;
        fixture.clock.advance(Span::days(7) + Span::hours(2));
        let mark = |absent| ThirdPartyAction::AttendeeAbsent {
            booking: uid.clone(),
            email: BO.to_owned(),
            absent,
        };
        if host {
            let booking = uid.clone();
            perform_action(
                &fixture,
                ThirdPartyAction::HostAbsent {
                    booking,
                    absent: true,
                },
            );
        }
        if booker {
            perform_action(&fixture, mark(true));
        }
        check_nothing_more(&mut fixture, &what).await;
        if taken_back {
            perform_action(&fixture, mark(false));
        }
        fixture.clock.advance(Span::hours(24));
        let watched = fixture.watch(false).await;
        assert_eq!(outcomes(&watched).first().copied(), expect, "{what}");
        let asks = watched
            .problems
            .iter()
            .any(|problem| problem.code == "no-show");
        assert_eq!(asks, expect.is_none(), "{what}");
        check_nothing_more(&mut fixture, &what).await;
    }
}

#[tokio::test]
async fn first_absences_are_forgiven() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    change_terms(&mut fixture, |terms| {
        terms.refunds.forgiveness = Some(Forgiveness {
            times: 1,
            per: Span::days(60),
        });
    });
    fixture.grant(BO, 5).await;
    let mut uids = Vec::new();
    for start in [START, "2026-12-02T09:00:00Z"] {
        uids.push(fixture.request(fixture.event_types.lesson, BO, start));
    }
    fixture.pass().await;
    fixture.clock.advance(Span::days(9));
    for booking in uids {
        let email = BO.to_owned();
        perform_action(
            &fixture,
            ThirdPartyAction::AttendeeAbsent {
                booking,
                email,
                absent: true,
            },
        );
    }
    fixture.clock.advance(Span::days(1));
    let mut got = outcomes(&fixture.watch(true).await);
    got.sort_by_key(|what| what.as_str());
    assert_eq!(got, [ChargeOutcome::Final, ChargeOutcome::Refunded]);
    assert_eq!(fixture.balance(BO).await, (4, 0, 2));
    check_nothing_more(&mut fixture, "forgiven").await;
}

#[tokio::test]
async fn a_lot_that_expired_meanwhile_is_restored_or_forfeited() {
    for (how, available) in [
        (ExpiredRefund::RestoreFor(Span::days(14)), 1),
        (ExpiredRefund::Forfeit, 0),
    ] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        change_terms(&mut fixture, |terms| terms.refunds.expired_refund = how);
        let at = fixture.clock.now();
        let fact = Fact::Credit(CreditFact::Grant {
            terms: Default::default(),
            reference: Reference::parse("short").unwrap(),
            account: AccountId::parse(BO).unwrap(),
            credits: 1,
            expires: Some(parse_time("2026-11-26T00:00:00Z")),
            reason: "test".to_owned(),
        });
        let granted = fixture
            .store
            .with(move |store| store.commit(at, vec![fact], &[]));
        granted.await.unwrap();
        let uid = fixture.request(fixture.event_types.lesson, BO, START);
        fixture.pass().await;
        fixture.clock.advance(Span::days(4));
        perform_action(
            &fixture,
            ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&uid)),
        );
        assert_eq!(
            outcomes(&fixture.watch(true).await),
            [ChargeOutcome::Refunded]
        );
        assert_eq!(fixture.balance(BO).await.0, available, "{how:?}");
        check_nothing_more(&mut fixture, "expired").await;
        fixture.clock.advance(Span::days(15));
        assert_eq!(fixture.balance(BO).await.0, 0);
    }
}

#[tokio::test]
async fn bookings_accepted_by_others_are_reported_charged_or_cancelled() {
    // mode, credits, status, available, reported
    let rows = [
        (OnUnmanaged::Report, 5, "accepted", 5, true),
        (OnUnmanaged::Charge, 5, "accepted", 2, false),
        (OnUnmanaged::Charge, 2, "accepted", 0, true),
        (OnUnmanaged::Cancel, 5, "cancelled", 5, false),
    ];
    for dialect in [Dialect::V2, Dialect::V1] {
        for (mode, credits, status, available, reported) in rows {
            let what = format!("{dialect:?} {mode:?} {credits}");
            let mut fixture = PassFixture::new(dialect).await;
            fixture.grant(BO, credits).await;
            // A booking from before the ledger began would only be reported.
            fixture.clock.advance(Span::minutes(5));
            let since = fixture.clock.now() - Span::hours(1);
            change_terms(&mut fixture, |terms| {
                terms.on_unmanaged = mode;
                terms.unmanaged_since = Some(since);
            });
            let booking = fixture.request(fixture.event_types.dinner, BO, START);
            let open = fixture.request(fixture.event_types.open, BO, "2026-12-02T09:00:00Z");
            let priced = fixture.request(fixture.event_types.priced, BO, "2026-12-03T09:00:00Z");
            for booking in [booking.clone(), open, priced] {
                perform_action(&fixture, ThirdPartyAction::HostAccepts { booking });
            }
            let watched = fixture.watch(true).await;
            let is_reported = watched.problems.iter().any(|p| p.code == "unmanaged");
            assert_eq!(is_reported, reported, "{what}: {:?}", watched.problems);
            assert_eq!(fixture.status(&booking), status, "{what}");
            assert_eq!(fixture.balance(BO).await.0, available, "{what}");
            check_nothing_more(&mut fixture, &what).await;
            let cancels = fixture
                .sandbox
                .lock()
                .call_log
                .call_count(Operation::Cancel);
            assert_eq!(cancels, u64::from(mode == OnUnmanaged::Cancel), "{what}");
        }
    }
}

/// A booking is moved twice and then accepted by hand, while only the last booking is seen: v1 does
/// not show by uid what that booking replaced, so nothing is cancelled before an audit has read
/// every charge.
#[tokio::test]
async fn a_booking_paid_for_before_several_moves_is_not_cancelled() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let (mut fixture, first) = confirmed_fixture(dialect, true).await;
        change_terms(&mut fixture, |terms| {
            terms.on_unmanaged = OnUnmanaged::Cancel;
            terms.refunds.late_move = LateMove::Carry;
        });
        let mut last = first;
        for day in [4, 8] {
            let start = fixture.clock.now() + Span::days(day);
            last = perform_action(
                &fixture,
                ThirdPartyAction::BookerMoves(BookingMove::new(&last, start)),
            )
            .remove(0);
        }
        // More bookings than v1 shows in the list of recent changes: the move before the last is
        // not in that list.
        for minute in 0..520 {
            let start = fixture.clock.now() + Span::days(20) + Span::minutes(minute * 30);
            let booking = fixture.request(fixture.event_types.open, BO, &start.to_rfc3339());
            perform_action(&fixture, ThirdPartyAction::HostAccepts { booking });
        }
        fixture.last_watch = Some(fixture.clock.now());
        fixture.clock.advance(Span::hours(1));
        let booking = last.clone();
        perform_action(&fixture, ThirdPartyAction::HostAccepts { booking });
        fixture.watch(false).await;
        assert_eq!(fixture.status(&last), "accepted", "{dialect:?}");
        fixture.watch(true).await;
        assert_eq!(fixture.status(&last), "accepted", "{dialect:?}");
        let charge = fixture.charge(&last).await.expect("what was paid moved on");
        assert_eq!(charge.state, ChargeState::Open, "{dialect:?}");
        assert_eq!(fixture.balance(BO).await, (2, 0, 3), "{dialect:?}");
        check_nothing_more(&mut fixture, "moved twice").await;
    }
}

#[tokio::test]
async fn bookings_from_before_the_start_date_of_the_rule_are_ignored() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 5).await;
    let since = fixture.clock.now() + Span::hours(1);
    change_terms(&mut fixture, |terms| {
        terms.on_unmanaged = OnUnmanaged::Cancel;
        terms.unmanaged_since = Some(since);
    });
    let booking = fixture.request(fixture.event_types.dinner, BO, START);
    perform_action(
        &fixture,
        ThirdPartyAction::HostAccepts {
            booking: booking.clone(),
        },
    );
    let watched = fixture.watch(true).await;
    assert_eq!((watched.changes.len(), watched.problems.len()), (0, 0));
    assert_eq!(fixture.status(&booking), "accepted");
}

#[tokio::test]
async fn requests_that_ended_undecided_are_closed() {
    use maitred::domain::criteria::on_violation::OnViolation;
    use maitred::domain::request::RequestState;
    for over in [true, false] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        for gate in &mut fixture.policy.gates {
            gate.unknown_booker = OnViolation::Review;
        }
        fixture.grant(BO, 1).await;
        let uid = fixture.request(fixture.event_types.lesson, "who@example.com", START);
        fixture.pass().await;
        fixture.watch(true).await;
        if over {
            fixture.clock.advance(Span::days(8));
        } else {
            perform_action(
                &fixture,
                ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&uid)),
            );
        }
        fixture.pass().await;
        assert_eq!(
            outcomes(&fixture.watch(true).await),
            [ChargeOutcome::Closed],
            "over {over}"
        );
        let state = fixture.stored_request(&uid).await.unwrap().state;
        assert!(matches!(state, RequestState::Settled { .. }));
        check_nothing_more(&mut fixture, "closed").await;
    }
}

#[tokio::test]
async fn a_booking_that_was_deleted_closes_when_it_would_be_over() {
    let (mut fixture, uid) = confirmed_fixture(Dialect::V2, false).await;
    perform_action(
        &fixture,
        ThirdPartyAction::DeletesBooking {
            booking: uid.clone(),
        },
    );
    let watched = fixture.watch(true).await;
    assert!(watched.problems.iter().any(|p| p.code == "booking-gone"));
    assert_eq!(fixture.charge(&uid).await.unwrap().state, ChargeState::Open);
    fixture.clock.advance(Span::days(9));
    assert_eq!(
        outcomes(&fixture.watch(false).await),
        [ChargeOutcome::Final]
    );
    check_nothing_more(&mut fixture, "gone").await;
}

#[tokio::test]
async fn the_number_of_calls_does_not_grow_with_closed_charges() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 500).await;
    for n in 0..100 {
        let start = parse_time("2026-11-25T00:00:00Z") + Span::minutes(30 * n);
        let start = start.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        fixture.request(fixture.event_types.lesson, BO, &start);
    }
    fixture.pass().await;
    let audit = fixture.watch(true).await;
    // Two lists, and the key's user once.
    assert_eq!(
        (audit.checked_charges, audit.calls <= 4),
        (100, true),
        "{}",
        audit.calls
    );
    // The list of recent changes, and the list of recently created bookings.
    assert_eq!(fixture.watch(false).await.calls, 2);
    fixture.clock.advance(Span::days(6));
    let closing = fixture.watch(false).await;
    assert_eq!((closing.changes.len(), closing.calls), (100, 3));
    let idle = fixture.watch(false).await;
    assert_eq!((idle.checked_charges, idle.calls), (0, 2));
}

#[tokio::test]
async fn gates_by_number_and_deleted_event_types_keep_their_terms() {
    let (mut fixture, uid) = confirmed_fixture_with_terms(Dialect::V2, false, |terms| {
        terms.refunds.tiers = Vec::new();
    })
    .await;
    let event_type = fixture.event_types.lesson;
    perform_action(&fixture, ThirdPartyAction::DeletesEventType { event_type });
    perform_action(
        &fixture,
        ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&uid)),
    );
    let other = Gate {
        name: "other".to_owned(),
        event_types: vec![EventTypeKey::Slug("other".to_owned())],
        ..fixture.policy.gates[0].clone()
    };
    fixture.policy.gates.insert(0, other);
    assert_eq!(
        outcomes(&fixture.watch(false).await),
        [ChargeOutcome::Final]
    );
}

/// If requests are refused by cancelling, the charge of a refused successor is refunded whatever
/// its notice was: this is not a late cancellation by a person.
#[tokio::test]
async fn a_successor_refused_with_a_cancellation_is_refunded() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let (mut fixture, uid) = confirmed_fixture(dialect, false).await;
        fixture.policy.refuse_with = RefuseWith::Cancel;
        // The new time of the booking is taken, and soon.
        let start = "2026-11-24T14:00:00Z";
        fixture.grant("ada@example.com", 1).await;
        let other = fixture.request(fixture.event_types.lesson, "ada@example.com", start);
        fixture.pass().await;
        assert_eq!(fixture.status(&other), "accepted");
        let last = perform_action(
            &fixture,
            ThirdPartyAction::BookerMoves(BookingMove::new(&uid, parse_time(start))),
        )
        .remove(0);
        fixture.pass().await;
        assert_eq!(fixture.status(&last), "cancelled", "{dialect:?}");
        assert_eq!(
            outcomes(&fixture.watch(false).await),
            [ChargeOutcome::Refunded]
        );
        assert_eq!(fixture.balance(BO).await, (5, 0, 1), "{dialect:?}");
        check_nothing_more(&mut fixture, "refused").await;
    }
}

/// A booking is moved to an earlier time and is over long before the next run, which does not know
/// the time of the last watch. In v1 only the successor shows the move, and the charge was once
/// taken for a cancelled one.
#[tokio::test]
async fn a_move_to_an_earlier_time_is_found_later() {
    for dialect in [Dialect::V2, Dialect::V1] {
        let (mut fixture, uid) = confirmed_fixture(dialect, false).await;
        let start = fixture.clock.now() + Span::hours(3);
        let last = perform_action(
            &fixture,
            ThirdPartyAction::HostMoves(BookingMove::new(&uid, start)),
        )
        .remove(0);
        assert_eq!(fixture.status(&last), "accepted", "{dialect:?}");
        fixture.clock.advance(Span::days(5));
        fixture.last_watch = None;
        assert_eq!(
            outcomes(&fixture.watch(true).await),
            [ChargeOutcome::Moved],
            "{dialect:?}"
        );
        assert_eq!(
            outcomes(&fixture.watch(true).await),
            [ChargeOutcome::Final],
            "{dialect:?}"
        );
        assert_eq!(fixture.balance(BO).await, (4, 0, 1), "{dialect:?}");
        check_nothing_more(&mut fixture, "moved and over").await;
    }
}

/// In v1 only a successor shows a move, and there are more bookings since then than the lists show:
/// the charge stays and is reported. A charge of a later booking is still refunded.
#[tokio::test]
async fn a_cancellation_indistinguishable_from_a_move_is_left_and_reported() {
    let (mut fixture, first) = confirmed_fixture(Dialect::V1, false).await;
    perform_action(
        &fixture,
        ThirdPartyAction::HostCancels(BookingRemark::without_reason(&first)),
    );
    // These bookings are over in a day or two.
    let others = |fixture: &mut PassFixture, count: i64| {
        for n in 0..count {
            let start = fixture.clock.now() + Span::minutes(10) + Span::seconds(n);
            fixture.request(fixture.event_types.open, BO, &start.to_rfc3339());
        }
        fixture.clock.advance(Span::days(2));
    };
    others(&mut fixture, 400);
    let second = fixture.request(fixture.event_types.lesson, BO, "2026-12-02T09:00:00Z");
    fixture.pass().await;
    assert_eq!(fixture.status(&second), "accepted");
    others(&mut fixture, 4_900);
    perform_action(
        &fixture,
        ThirdPartyAction::HostCancels(BookingRemark::without_reason(&second)),
    );
    let watched = fixture.watch(true).await;
    let is_unread_charge =
        |problem: &Problem| problem.code == "unread-charge" && problem.text.contains(&first);
    assert!(
        watched.problems.iter().any(is_unread_charge),
        "{:?}",
        watched.problems
    );
    assert_eq!(
        fixture.charge(&first).await.unwrap().state,
        ChargeState::Open
    );
    assert_eq!(
        fixture.charge(&second).await.unwrap().state,
        ChargeState::Refunded
    );
}

/// Another account paid for the successor: the predecessor's charge is refunded, because otherwise
/// one booking would have been paid twice.
#[tokio::test]
async fn a_reschedule_chain_is_never_charged_twice() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant("family", 5).await;
    let (account, alias) = (
        AccountId::parse("family").unwrap(),
        Address::parse(BO).unwrap(),
    );
    commit_fact(
        &fixture,
        Fact::Account(AccountFact::AliasAdded {
            account: account.clone(),
            alias: alias.clone(),
        }),
    )
    .await;
    let uid = fixture.request(fixture.event_types.lesson, BO, START);
    fixture.pass().await;
    fixture.watch(true).await;
    commit_fact(
        &fixture,
        Fact::Account(AccountFact::AliasRemoved { account, alias }),
    )
    .await;
    fixture.grant(BO, 5).await;
    let start = parse_time("2026-12-03T09:00:00Z");
    let last = perform_action(
        &fixture,
        ThirdPartyAction::BookerMoves(BookingMove::new(&uid, start)),
    )
    .remove(0);
    fixture.pass().await;
    assert_eq!(fixture.status(&last), "accepted");
    assert_eq!(fixture.balance(BO).await, (4, 0, 1), "both are charged");
    assert_eq!(
        fixture.balance("family").await,
        (4, 0, 1),
        "both are charged"
    );
    assert_eq!(
        outcomes(&fixture.watch(true).await),
        [ChargeOutcome::Refunded]
    );
    assert_eq!(fixture.balance("family").await.0, 5);
    assert_eq!(fixture.balance(BO).await.0, 4);
    check_nothing_more(&mut fixture, "paid once").await;
}

/// Refunds follow the terms at the time of the payment, whatever the configuration says later, and
/// also under the uid of the booking that replaced the paid one.
#[tokio::test]
async fn later_edits_do_not_change_what_was_paid_before() {
    let harsh = |terms: &mut Terms| {
        terms.refunds.tiers = Vec::new();
        terms.refunds.late_move = LateMove::Cancellation;
        terms.refunds.grace = Span::days(300);
        terms.refunds.expired_refund = ExpiredRefund::Forfeit;
    };
    for dialect in [Dialect::V2, Dialect::V1] {
        // What a dearer successor costs more is paid on the new terms, and joins the charge.
        let rows = [
            (None, false),
            (Some(false), false),
            (Some(true), false),
            (Some(true), true),
        ];
        for (moved, dearer) in rows {
            let what = format!("{dialect:?}, moved by the pass {moved:?}, dearer {dearer}");
            let (mut fixture, mut uid) = confirmed_fixture(dialect, true).await;
            change_terms(&mut fixture, harsh);
            for gate in &mut fixture.policy.gates {
                gate.cost = Cost::Fixed(gate.cost.fixed().unwrap() + u64::from(dearer));
            }
            if let Some(by_pass) = moved {
                let shift = BookingMove::new(&uid, parse_time("2026-12-03T09:00:00Z"));
                let action = if by_pass {
                    ThirdPartyAction::BookerMoves(shift)
                } else {
                    ThirdPartyAction::HostMoves(shift)
                };
                uid = perform_action(&fixture, action).remove(0);
                fixture.pass().await;
                fixture.watch(false).await;
                assert_eq!(fixture.status(&uid), "accepted", "{what}");
                let left = if dearer { 1 } else { 2 };
                assert_eq!(fixture.balance(BO).await.0, left, "{what}");
            }
            perform_action(
                &fixture,
                ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&uid)),
            );
            assert_eq!(
                outcomes(&fixture.watch(false).await),
                [ChargeOutcome::Refunded],
                "{what}"
            );
            assert_eq!(fixture.balance(BO).await.0, 5, "{what}");
            // A booking that takes place is final when its own grace has passed.
            let (mut fixture, _) = confirmed_fixture(dialect, true).await;
            change_terms(&mut fixture, harsh);
            fixture.clock.advance(Span::days(9));
            assert_eq!(
                outcomes(&fixture.watch(false).await),
                [ChargeOutcome::Final],
                "{what}"
            );
        }
    }
}

async fn unresolved_items_of(
    fixture: &PassFixture,
    booking: &BookingUid,
) -> Vec<UnresolvedBooking> {
    let booking = booking.clone();
    let items = fixture
        .store
        .with(move |store| store.unresolved_items_of(&booking));
    items.await.unwrap()
}

/// Every key of the server may set the absence mark, so by default an operator is asked, once.
#[tokio::test]
async fn an_absent_host_is_reviewed_refunded_or_ignored() {
    // the setting, whether the booker is marked, too, the outcome
    let rows = [
        (HostAbsent::Review, false, None),
        (HostAbsent::Review, true, None),
        (HostAbsent::Refund, false, Some(ChargeOutcome::Refunded)),
        (HostAbsent::Refund, true, Some(ChargeOutcome::Refunded)),
        (HostAbsent::Ignore, false, Some(ChargeOutcome::Final)),
        (HostAbsent::Ignore, true, Some(ChargeOutcome::Final)),
    ];
    assert_eq!(Terms::default().refunds.host_absent, HostAbsent::Review);
    for (setting, both, expect) in rows {
        for give_back in [true, false] {
            let what = format!("{setting:?}, the booker too {both}");
            let (mut fixture, uid) = confirmed_fixture_with_terms(Dialect::V2, false, |terms| {
                terms.refunds.host_absent = setting;
            })
            .await;
            fixture.clock.advance(Span::days(7) + Span::hours(2));
            let (booking, absent) = (uid.clone(), true);
            perform_action(&fixture, ThirdPartyAction::HostAbsent { booking, absent });
            if both {
                let (booking, email) = (uid.clone(), BO.to_owned());
                let mark = ThirdPartyAction::AttendeeAbsent {
                    booking,
                    email,
                    absent,
                };
                perform_action(&fixture, mark);
            }
            fixture.clock.advance(Span::hours(24));
            let watched = fixture.watch(false).await;
            assert_eq!(outcomes(&watched).first().copied(), expect, "{what}");
            let asks = |problem: &Problem| problem.code == "host-absent";
            assert_eq!(
                watched.problems.iter().any(asks),
                expect.is_none(),
                "{what}"
            );
            let booking = BookingUid::parse(&uid).unwrap();
            let items = unresolved_items_of(&fixture, &booking).await;
            assert_eq!(items.len(), usize::from(expect.is_none()), "{what}");
            if expect.is_none() {
                assert_eq!(items[0].code, UnresolvedCode::HostAbsent);
                assert!(items[0].is_open(), "{what}");
                let again = fixture.watch(true).await;
                assert!(!again.problems.iter().any(asks), "{what}: told twice");
                let (policy, now) = (fixture.policy.clone(), fixture.clock.now());
                let settled = fixture.store.with(move |store| {
                    maitred::daemon::commands::charges::settle(store, &policy, now, &uid, give_back)
                });
                settled.await.unwrap();
                assert!(
                    !unresolved_items_of(&fixture, &booking).await[0].is_open(),
                    "{what}"
                );
                let available = 4 + u64::from(give_back);
                assert_eq!(fixture.balance(BO).await.0, available, "{what}");
                assert!(
                    !fixture.watch(true).await.problems.iter().any(asks),
                    "{what}"
                );
            }
            check_nothing_more(&mut fixture, &what).await;
        }
    }
}

/// A series waits for an answer; one occurrence is cancelled, and the rest continues to wait.
#[tokio::test]
async fn a_waiting_series_is_not_closed_by_an_occurrence_that_left_it() {
    use maitred::domain::criteria::on_violation::OnViolation;
    use maitred::domain::request::RequestState;
    let mut fixture = PassFixture::new(Dialect::V2).await;
    for gate in &mut fixture.policy.gates {
        gate.unknown_booker = OnViolation::Review;
    }
    fixture.grant(BO, 1).await;
    let uids = fixture.series(fixture.event_types.lesson, "who@example.com", START, 2);
    fixture.pass().await;
    perform_action(
        &fixture,
        ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&uids[0])),
    );
    fixture.pass().await;
    fixture.watch(true).await;
    let record = fixture.stored_request(&uids[1]).await.unwrap();
    assert_eq!(record.state, RequestState::Noted);
    assert_eq!(fixture.status(&uids[1]), "pending");
    check_nothing_more(&mut fixture, "waits").await;
}

/// A member whose only credit is in a cancelled booking immediately books another time: the pass
/// reads the open charges again before it declines, so that no watch has to run first.
#[tokio::test]
async fn a_cancellation_in_good_time_pays_for_the_next_request() {
    let booker = |uid: &str| ThirdPartyAction::BookerCancels(BookingRemark::without_reason(uid));
    let host = |uid: &str| ThirdPartyAction::HostCancels(BookingRemark::without_reason(uid));
    type Cancels = fn(&str) -> ThirdPartyAction;
    let rows: [(&str, Cancels); 2] = [("booker", booker), ("host", host)];
    for dialect in [Dialect::V2, Dialect::V1] {
        for (who, action) in rows {
            for capped in [false, true] {
                let what = format!("{dialect:?}: {who}, capped {capped}");
                let mut fixture = PassFixture::new(dialect).await;
                fixture.grant(BO, if capped { 9 } else { 1 }).await;
                if capped {
                    fixture.policy.global.caps = vec![Cap {
                        at_most: 1,
                        period: CapPeriod::Open,
                        tiers: Vec::new(),
                    }];
                }
                let first = fixture.request(fixture.event_types.lesson, BO, START);
                fixture.pass().await;
                assert_eq!(fixture.status(&first), "accepted", "{what}");
                perform_action(&fixture, action(&first));
                let next = fixture.request(fixture.event_types.lesson, BO, "2026-12-02T09:00:00Z");
                let report = fixture.pass().await;
                assert_eq!(fixture.status(&next), "pending", "{what}");
                assert!(report.more, "{what}");
                assert_eq!(
                    fixture.charge(&first).await.unwrap().state,
                    ChargeState::Refunded,
                    "{what}"
                );
                fixture.pass().await;
                assert_eq!(fixture.status(&next), "accepted", "{what}");
            }
        }
    }
}

/// Without a cancellation the decline stands, at the cost of one reading of the member's charges.
#[tokio::test]
async fn the_basis_of_a_decline_is_read_once() {
    for lessons in [1, 5] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        fixture.grant(BO, lessons).await;
        for day in 1..=lessons {
            let start = format!("2026-12-0{day}T09:00:00Z");
            fixture.request(fixture.event_types.lesson, BO, &start);
        }
        fixture.pass().await;
        let next = fixture.request(fixture.event_types.lesson, BO, "2026-12-09T09:00:00Z");
        let before = fixture.calendar.calls();
        let report = fixture.pass().await;
        assert_eq!(fixture.status(&next), "rejected", "{lessons}");
        assert!(!report.more, "{lessons}");
        // The list of pending bookings, one reading of the charges, the booking before its call,
        // the call.
        let calls = fixture.calendar.calls() - before;
        assert!(calls <= 4, "{lessons}: {calls} calls");
    }
}

#[tokio::test]
async fn a_decline_waits_while_its_basis_cannot_be_read() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 1).await;
    let first = fixture.request(fixture.event_types.lesson, BO, START);
    fixture.pass().await;
    let next = fixture.request(fixture.event_types.lesson, BO, "2026-12-02T09:00:00Z");
    let fault = Fault::Error {
        stage: Stage::Before,
    };
    let rule = FaultRule::on_next(Operation::Get, fault);
    fixture.sandbox.lock().add_fault(rule).unwrap();
    let report = fixture.pass().await;
    assert_eq!(fixture.status(&next), "pending");
    assert!(report.problems.iter().any(|p| p.code == "unread-charge"));
    fixture.pass().await;
    assert_eq!(fixture.status(&next), "rejected");
    assert_eq!(fixture.status(&first), "accepted");
}
