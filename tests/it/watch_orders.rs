//! Two changes of one paid booking, in each order in which passes and watches can see them: the
//! final charge is the same whether a pass, a short watch or an audit runs first, and whether runs
//! take place between the changes or only at the end.

use crate::fixture::clock::parse_time;
use crate::fixture::pass_fixture::PassFixture;
use crate::fixture::steps::{BO, RunKind, START, perform_action, run_all};
use chrono::Weekday;
use maitred::domain::criteria::on_violation::OnViolation;
use maitred::domain::criteria::price::{Cost, Price};
use maitred::domain::criteria::time_window::TimeWindow;
use maitred::domain::decision::DecisionOutcome;
use maitred::domain::dialect::Dialect;
use maitred::domain::refund_policy::{HostAbsent, NoShow, OnReschedule};
use maitred::domain::request::{ChargeState, RequestState};
use maitred::domain::time::Span;
use maitred::domain::watch::ChargeOutcome;
use maitred::sandbox::action::{BookingMove, BookingRemark, ThirdPartyAction};

/// What can happen to a paid booking. Times are far ahead unless the name says otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
enum BookingChange {
    BookerMoves,
    HostMoves,
    BookerCancels,
    /// With so little notice that half of the credits come back.
    BookerCancelsLate,
    HostCancels,
    HostRejects,
    HostAbsent,
    BookerAbsent,
    AbsenceTakenBack,
}

/// Applies the change to the current booking. Returns the uid of the booking that is current
/// afterwards.
fn apply_change(fixture: &PassFixture, change: BookingChange, uid: &str) -> String {
    let start = |fixture: &PassFixture| {
        let world = fixture.sandbox.lock();
        world.booking(uid).unwrap().start
    };
    let remark = BookingRemark::without_reason(uid);
    let absent = |absent| ThirdPartyAction::AttendeeAbsent {
        booking: uid.to_owned(),
        email: BO.to_owned(),
        absent,
    };
    let action = match change {
        BookingChange::BookerMoves | BookingChange::HostMoves => {
            let shift = BookingMove::new(uid, start(fixture) + Span::days(1));
            let action = if change == BookingChange::BookerMoves {
                ThirdPartyAction::BookerMoves(shift)
            } else {
                ThirdPartyAction::HostMoves(shift)
            };
            return perform_action(fixture, action).remove(0);
        }
        BookingChange::BookerCancels => ThirdPartyAction::BookerCancels(remark),
        BookingChange::BookerCancelsLate => {
            let until = start(fixture) - Span::hours(3) - fixture.clock.now();
            fixture.clock.advance(until);
            ThirdPartyAction::BookerCancels(remark)
        }
        BookingChange::HostCancels => ThirdPartyAction::HostCancels(remark),
        BookingChange::HostRejects => ThirdPartyAction::HostRejects(remark),
        BookingChange::HostAbsent
        | BookingChange::BookerAbsent
        | BookingChange::AbsenceTakenBack => {
            let until = start(fixture) + Span::hours(1) - fixture.clock.now();
            if until > Span::zero() {
                fixture.clock.advance(until);
            }
            match change {
                BookingChange::HostAbsent => ThirdPartyAction::HostAbsent {
                    booking: uid.to_owned(),
                    absent: true,
                },
                BookingChange::BookerAbsent => absent(true),
                _ => absent(false),
            }
        }
    };
    perform_action(fixture, action);
    uid.to_owned()
}

/// The final cost of two changes, when 4 credits were paid: the last change that ends the booking
/// decides the refund.
const CHANGE_PAIRS: [(BookingChange, BookingChange, u64); 19] = [
    (BookingChange::BookerMoves, BookingChange::BookerMoves, 4),
    (BookingChange::BookerMoves, BookingChange::HostMoves, 4),
    (BookingChange::BookerMoves, BookingChange::BookerCancels, 0),
    (
        BookingChange::BookerMoves,
        BookingChange::BookerCancelsLate,
        2,
    ),
    (BookingChange::BookerMoves, BookingChange::HostCancels, 0),
    (BookingChange::BookerMoves, BookingChange::HostRejects, 0),
    (BookingChange::BookerMoves, BookingChange::HostAbsent, 0),
    (BookingChange::BookerMoves, BookingChange::BookerAbsent, 4),
    (BookingChange::HostMoves, BookingChange::BookerMoves, 4),
    (BookingChange::HostMoves, BookingChange::HostMoves, 4),
    (BookingChange::HostMoves, BookingChange::BookerCancels, 0),
    (
        BookingChange::HostMoves,
        BookingChange::BookerCancelsLate,
        2,
    ),
    (BookingChange::HostMoves, BookingChange::HostCancels, 0),
    (BookingChange::HostMoves, BookingChange::HostAbsent, 0),
    (BookingChange::HostMoves, BookingChange::BookerAbsent, 4),
    (BookingChange::HostAbsent, BookingChange::BookerAbsent, 0),
    (BookingChange::BookerAbsent, BookingChange::HostAbsent, 0),
    (
        BookingChange::BookerAbsent,
        BookingChange::AbsenceTakenBack,
        4,
    ),
    (
        BookingChange::HostAbsent,
        BookingChange::AbsenceTakenBack,
        0,
    ),
];

type RunOrder<'a> = (Dialect, &'a [RunKind], &'a [RunKind]);

/// Returns every order in v2, and each `between` once in v1, which shows less but is watched by the
/// same code.
fn run_orders<'a>(between: &[&'a [RunKind]], after: &[&'a [RunKind]]) -> Vec<RunOrder<'a>> {
    let of = |dialect, after: &'a [RunKind]| between.iter().map(move |one| (dialect, *one, after));
    let v2 = after.iter().flat_map(|after| of(Dialect::V2, after));
    v2.chain(of(Dialect::V1, after[0])).collect()
}

#[tokio::test]
async fn each_pair_of_changes_in_each_order_of_runs() {
    use RunKind::{Audit, Pass, Watch};
    let between: [&[RunKind]; 5] = [&[], &[Pass], &[Watch], &[Pass, Watch], &[Audit, Pass]];
    let after: [&[RunKind]; 3] = [&[Pass, Watch], &[Watch, Pass], &[Audit, Pass]];
    for (first, second, charged) in CHANGE_PAIRS {
        for (dialect, between, after) in run_orders(&between, &after) {
            let what = format!("{dialect:?} {first:?} {between:?} {second:?} {after:?}");
            // v1 does not show absences.
            let absence = [BookingChange::HostAbsent, BookingChange::BookerAbsent];
            if dialect == Dialect::V1 && (absence.contains(&first) || absence.contains(&second)) {
                continue;
            }
            // A successor that no pass has confirmed cannot be marked absent, and a confirmed
            // successor cannot be rejected.
            let undecided = first == BookingChange::BookerMoves && !between.contains(&Pass);
            let stands = matches!(
                second,
                BookingChange::HostAbsent | BookingChange::BookerAbsent
            );
            if (undecided && stands)
                || (second == BookingChange::HostRejects && between.contains(&Pass))
            {
                continue;
            }
            let mut fixture = PassFixture::new(dialect).await;
            for gate in &mut fixture.policy.gates {
                gate.cost = Cost::Fixed(4);
                gate.terms.refunds.no_show = NoShow::Keep;
                gate.terms.refunds.tiers = crate::fixture::pass_fixture::graded_refund_tiers();
                gate.terms.refunds.host_absent = HostAbsent::Refund;
            }
            fixture.grant(BO, 4).await;
            let uid = fixture.request(fixture.event_types.lesson, BO, START);
            run_all(&mut fixture, &[Pass, Audit]).await;
            assert_eq!(fixture.balance(BO).await, (0, 0, 4), "{what}");

            let stands = apply_change(&fixture, first, &uid);
            run_all(&mut fixture, between).await;
            let stands = apply_change(&fixture, second, &stands);
            run_all(&mut fixture, after).await;
            fixture.clock.advance(Span::days(30));
            run_all(&mut fixture, &[Pass, Watch, Audit]).await;

            assert_eq!(fixture.balance(BO).await.0, 4 - charged, "{what}");
            let last = fixture.charge(&stands).await;
            let states = [uid.as_str(), &stands];
            for uid in states {
                let state = fixture.charge(uid).await.map(|charge| charge.state);
                assert!(
                    !matches!(state, Some(ChargeState::Open | ChargeState::Held)),
                    "{what}: {uid} {last:?}"
                );
            }
            let before = fixture.sequence().await;
            run_all(&mut fixture, &[Pass, Watch, Audit]).await;
            assert_eq!(fixture.sequence().await, before, "{what}");
        }
    }
}

/// Sets another price for Saturdays.
fn raise_saturday_price(fixture: &mut PassFixture, cost: u64) {
    let mut weekdays = [false; 7];
    weekdays[Weekday::Sat.num_days_from_monday() as usize] = true;
    for gate in &mut fixture.policy.gates {
        gate.criteria.prices = vec![Price {
            cost: Cost::Fixed(cost),
            tiers: Vec::new(),
            event_types: Vec::new(),
            length: (None, None),
            start_window: TimeWindow {
                weekdays,
                ..TimeWindow::ALWAYS
            },
            occurrences: (None, None),
        }];
    }
}

/// The final charge is the price of the new time, regardless of who moved the booking and which run
/// saw the move first.
#[tokio::test]
async fn a_move_to_a_dearer_or_cheaper_time_charges_or_returns_the_difference() {
    let saturday = parse_time("2026-12-05T09:00:00Z");
    // the Saturday's price, credits, by the host, final charge, reported as not covered
    let rows = [
        (3, 5, true, 3, false),
        (3, 5, false, 3, false),
        (0, 5, true, 0, false),
        (0, 5, false, 0, false),
        (3, 2, true, 2, true),
    ];
    for (cost, credits, by_host, charged, problem_code) in rows {
        for watch_first in [true, false] {
            let what = format!("{cost} {credits} by host {by_host} watch first {watch_first}");
            let mut fixture = PassFixture::new(Dialect::V2).await;
            raise_saturday_price(&mut fixture, cost);
            fixture.grant(BO, credits).await;
            let uid = fixture.request(fixture.event_types.lesson, BO, START);
            run_all(&mut fixture, &[RunKind::Pass, RunKind::Audit]).await;
            assert_eq!(fixture.balance(BO).await.0, credits - 1, "{what}");
            let shift = BookingMove::new(&uid, saturday);
            let moved = perform_action(
                &fixture,
                if by_host {
                    ThirdPartyAction::HostMoves(shift)
                } else {
                    ThirdPartyAction::BookerMoves(shift)
                },
            )
            .remove(0);
            let mut problems = Vec::new();
            for watch in [watch_first, !watch_first, watch_first] {
                if watch {
                    problems.extend(fixture.watch(false).await.problems);
                } else {
                    fixture.pass().await;
                }
            }
            assert_eq!(fixture.balance(BO).await.0, credits - charged, "{what}");
            let charge = fixture.charge(&moved).await.unwrap();
            assert_eq!(charge.credits(), charged, "{what}");
            let covered = problems.iter().any(|p| p.code == "move-not-covered");
            assert_eq!(covered, problem_code, "{what}");
            // The charge comes back in full when the booking is cancelled in time.
            perform_action(
                &fixture,
                ThirdPartyAction::BookerCancels(BookingRemark::without_reason(&moved)),
            );
            fixture.watch(false).await;
            assert_eq!(fixture.balance(BO).await.0, credits, "{what}");
        }
    }
}

/// `carry` accepts the move of a paid booking; `recheck` evaluates all rules again.
#[tokio::test]
async fn a_moved_booking_is_evaluated_again_or_carried() {
    for (how, status, charged) in [
        (OnReschedule::Recheck, "rejected", 0),
        (OnReschedule::Carry, "accepted", 1),
    ] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        for gate in &mut fixture.policy.gates {
            gate.terms.on_reschedule = how;
        }
        fixture.grant(BO, 1).await;
        let uid = fixture.request(fixture.event_types.lesson, BO, START);
        run_all(&mut fixture, &[RunKind::Pass, RunKind::Audit]).await;
        for gate in &mut fixture.policy.gates {
            gate.criteria.notice.at_most = Some(Span::days(3));
        }
        let shift = BookingMove::new(&uid, parse_time("2026-12-09T09:00:00Z"));
        let moved = perform_action(&fixture, ThirdPartyAction::BookerMoves(shift)).remove(0);
        run_all(&mut fixture, &[RunKind::Pass, RunKind::Watch]).await;
        assert_eq!(fixture.status(&moved), status, "{how:?}");
        assert_eq!(fixture.balance(BO).await.0, 1 - charged, "{how:?}");
    }
}

/// Requests that wait for an operator or for credit, and will never be answered.
#[tokio::test]
async fn deleted_or_ended_requests_are_closed() {
    type Row = (&'static str, fn(&PassFixture, &str), i64, bool, bool);
    let nothing: fn(&PassFixture, &str) = |_, _| ();
    let deleted: fn(&PassFixture, &str) = |fixture, uid| {
        let booking = uid.to_owned();
        perform_action(fixture, ThirdPartyAction::DeletesBooking { booking });
    };
    let rejected: fn(&PassFixture, &str) = |fixture, uid| {
        perform_action(
            fixture,
            ThirdPartyAction::HostRejects(BookingRemark::without_reason(uid)),
        );
    };
    let accepted: fn(&PassFixture, &str) = |fixture, uid| {
        let booking = uid.to_owned();
        perform_action(fixture, ThirdPartyAction::HostAccepts { booking });
    };
    // what happens, days until the watch, an audit, whether it closes the request
    let rows: [Row; 9] = [
        ("waits", nothing, 0, true, false),
        ("over", nothing, 8, false, true),
        ("over", nothing, 8, true, true),
        ("deleted", deleted, 0, true, true),
        ("deleted, not looked for", deleted, 0, false, false),
        ("deleted and over", deleted, 8, false, true),
        ("rejected", rejected, 0, true, true),
        ("accepted", accepted, 0, true, false),
        ("accepted long ago", accepted, 45, true, true),
    ];
    for (name, happens, days, audit, closes) in rows {
        for series in [false, true] {
            let what = format!("{name}, audit {audit}, series {series}");
            let mut fixture = PassFixture::new(Dialect::V2).await;
            for gate in &mut fixture.policy.gates {
                gate.unknown_booker = OnViolation::Review;
            }
            fixture.grant(BO, 1).await;
            let uids = if series {
                fixture.series(fixture.event_types.lesson, "who@example.com", START, 2)
            } else {
                vec![fixture.request(fixture.event_types.lesson, "who@example.com", START)]
            };
            fixture.clock.advance(Span::seconds(30));
            run_all(&mut fixture, &[RunKind::Pass, RunKind::Watch]).await;
            for uid in &uids {
                happens(&fixture, uid);
                // One answer covers the whole series.
                if series && (name.starts_with("accepted") || name.starts_with("rejected")) {
                    break;
                }
            }
            // The second occurrence is a week later.
            let days = if series && days > 0 { days + 7 } else { days };
            fixture.clock.advance(Span::days(days));
            let watched = fixture.watch(audit).await;
            let closed = watched
                .changes
                .iter()
                .any(|c| c.outcome == ChargeOutcome::Closed);
            assert_eq!(closed, closes, "{what}: {watched:?}");
            let waiting = fixture
                .store
                .with(|store| store.open_notes(None, 10))
                .await
                .unwrap();
            assert_eq!(waiting.is_empty(), closes, "{what}");
            if closes {
                let done = fixture
                    .store
                    .with(|store| store.decided_requests(None, None, 10))
                    .await;
                assert!(done.unwrap().iter().all(|request| matches!(
                    request.state,
                    RequestState::Settled {
                        outcome: DecisionOutcome::Superseded,
                        ..
                    }
                )));
                let before = fixture.sequence().await;
                run_all(
                    &mut fixture,
                    &[RunKind::Pass, RunKind::Watch, RunKind::Audit],
                )
                .await;
                assert_eq!(fixture.sequence().await, before, "{what}");
            }
        }
    }
}

/// A booking that others accepted and that is over is not read again by every short watch.
#[tokio::test]
async fn ended_bookings_are_read_once_between_audits() {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    for gate in &mut fixture.policy.gates {
        gate.unknown_booker = OnViolation::Review;
    }
    fixture.grant(BO, 1).await;
    let booking = fixture.request(fixture.event_types.lesson, "who@example.com", START);
    run_all(&mut fixture, &[RunKind::Pass, RunKind::Watch]).await;
    perform_action(&fixture, ThirdPartyAction::HostAccepts { booking });
    fixture.clock.advance(Span::days(8));
    fixture.watch(false).await;
    fixture.clock.advance(Span::minutes(5));
    // The list of recent changes and the list of recently created bookings, and nothing else.
    assert_eq!(fixture.watch(false).await.calls, 2);
}

/// Refunds are shown with the decision, whatever uid the booking has by then.
#[tokio::test]
async fn decisions_show_refunds_and_their_reasons() {
    use maitred::control::protocol::CommandResult;
    use maitred::control::protocol::decisions::DecisionQuery;
    use maitred::daemon::commands::decisions::list;
    for moves in [false, true] {
        let mut fixture = PassFixture::new(Dialect::V2).await;
        for gate in &mut fixture.policy.gates {
            gate.terms.refunds.trust_named_cancels = true;
        }
        fixture.grant(BO, 3).await;
        let uid = fixture.request(fixture.event_types.dinner, BO, START);
        run_all(&mut fixture, &[RunKind::Pass, RunKind::Audit]).await;
        let stands = if moves {
            let moved = apply_change(&fixture, BookingChange::HostMoves, &uid);
            run_all(&mut fixture, &[RunKind::Watch]).await;
            moved
        } else {
            uid.clone()
        };
        apply_change(&fixture, BookingChange::HostCancels, &stands);
        run_all(&mut fixture, &[RunKind::Watch]).await;
        let query = DecisionQuery {
            limit: 10,
            ..DecisionQuery::default()
        };
        let answer = fixture.store.with(move |store| list(store, &query)).await;
        let CommandResult::Decisions(view) = answer.unwrap() else {
            panic!("other answer");
        };
        let decision = view.decisions.iter().find(|one| one.step.request == uid);
        let refunds = &decision.unwrap().refunds;
        assert_eq!(refunds.len(), 1, "moves {moves}: {refunds:?}");
        assert_eq!((refunds[0].credits, &refunds[0].booking), (3, &stands));
        assert!(
            refunds[0].reason.starts_with("cancelled by the host, "),
            "{}",
            refunds[0].reason
        );
    }
}
