//! A decline rests only on what is settled, nothing is confirmed after its start, and a request
//! that no operator answers comes to an end.

use super::fixtures::*;
use crate::domain::account::Account;
use crate::domain::booking::{Booking, Buffers};
use crate::domain::criteria::cap::{Cap, CapPeriod};
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::criteria::price::Cost;
use crate::domain::decision::{Credits, Decision, ReasonCode};
use crate::domain::gate::{OnUnanswered, Policy};
use crate::domain::intent::BookingState;
use crate::domain::plan::plan;
use crate::domain::request::{ChargeState, RequestState};
use crate::domain::snapshot::{CountedBooking, Snapshot};
use crate::domain::time::Span;

fn account_of_bo(credits: Credits) -> Account {
    account("bo@example.com", credits)
}

fn policy_with_cap() -> Policy {
    policy_with(|gate| {
        gate.criteria.caps = vec![Cap {
            at_most: 1,
            period: CapPeriod::Open,
            tiers: Vec::new(),
        }];
    })
}

/// Checks the plan's steps, and whether the next pass is to follow immediately.
#[track_caller]
fn check(snapshot: &Snapshot, policy: &Policy, expect: &[&str], more: bool) {
    let plan = plan(snapshot, policy);
    assert_eq!(describe_plan(&plan), expect);
    assert_eq!(plan.has_more, more, "{expect:?}");
}

#[test]
fn nobody_is_declined_for_what_the_same_pass_gives_to_another() {
    let confirmed = "a confirm enough confirm a, hold a 1";
    let left_step = "b leave unsettled seen";
    let pending = |booker_address: &str, slot: i64| {
        vec![
            booking_by("a", "bo@example.com", 0, -9),
            booking_by("b", booker_address, slot, -8),
        ]
    };
    let rows = [
        (
            "the last credit",
            pending("bo@example.com", 1),
            vec![account_of_bo(1)],
            policy(),
        ),
        (
            "the time",
            pending("al@example.com", 0),
            vec![account_of_bo(1), account("al@example.com", 1)],
            policy(),
        ),
        (
            "the cap",
            pending("bo@example.com", 1),
            vec![account_of_bo(9)],
            policy_with_cap(),
        ),
    ];
    for (what, pending, accounts, policy) in rows {
        let snapshot = snapshot(pending, accounts);
        let plan = plan(&snapshot, &policy);
        assert_eq!(describe_plan(&plan), [confirmed, left_step], "{what}");
        assert!(plan.has_more, "{what}");
    }
}

#[test]
fn what_is_too_little_in_any_case_is_declined_at_once() {
    let pending = vec![
        booking_by("a", "bo@example.com", 0, -9),
        booking_by("b", "bo@example.com", 1, -8),
    ];
    let policy = modify(policy_with(|gate| gate.cost = Cost::Fixed(2)), |_| ());
    let expect = [
        "a decline short-of-credit decline a",
        "b decline short-of-credit decline b",
    ];
    check(
        &snapshot(pending, vec![account_of_bo(1)]),
        &policy,
        &expect,
        false,
    );
}

/// A request that was noted may be declined now, and then the payment of its predecessor comes
/// back.
#[test]
fn what_another_decline_of_the_same_pass_frees_is_waited_for() {
    let pending = vec![
        booking_by("b", "bo@example.com", 1, -8),
        booking_by("c", "bo@example.com", 0, -7),
    ];
    let accepted = modify(pending[1].clone(), |accepted: &mut Booking| {
        accepted.uid = uid("accepted");
        accepted.status = crate::domain::booking::BookingStatus::Accepted;
    });
    let snapshot = modify(snapshot(pending, vec![account_of_bo(0)]), |s| {
        s.accepted = vec![accepted];
        s.carried_charges
            .insert(uid("c"), charge("a", ChargeState::Open));
        let noted = modify(intent("c", &["c"]), |r| {
            r.state = RequestState::Noted;
            r.decision = Decision::Review;
        });
        s.records.insert(request_id("c"), noted);
    });
    check(&snapshot, &policy(), &["c decline taken decline c"], true);
}

/// Of two requests that would each take over a charge, one decline may pay for the other request.
#[test]
fn of_two_declines_that_free_a_charge_one_waits() {
    let pending = vec![
        booking_by("b", "bo@example.com", 1, -8),
        booking_by("c", "bo@example.com", 2, -7),
    ];
    let noted = |id: &str| {
        modify(intent(id, &[id]), |r| {
            r.state = RequestState::Noted;
            r.decision = Decision::Review;
        })
    };
    let snapshot = modify(snapshot(pending, vec![account_of_bo(0)]), |s| {
        for (name, paid_by) in [("b", "p"), ("c", "q")] {
            s.carried_charges
                .insert(uid(name), charge(paid_by, ChargeState::Open));
            s.records.insert(request_id(name), noted(name));
        }
    });
    let policy = policy_with(|gate| gate.cost = Cost::Fixed(3));
    check(
        &snapshot,
        &policy,
        &["b decline short-of-credit decline b"],
        true,
    );
}

#[test]
fn another_reason_is_enough_to_decline() {
    let mut pending = vec![
        booking_by("a", "bo@example.com", 0, -9),
        booking_by("b", "bo@example.com", 0, -8),
    ];
    let settled = modify(pending[1].clone(), |accepted: &mut Booking| {
        accepted.uid = uid("accepted");
        accepted.status = crate::domain::booking::BookingStatus::Accepted;
        accepted.start = at_minute(24 * 60 + 60);
        accepted.end = at_minute(24 * 60 + 90);
    });
    pending[1].start = settled.start;
    pending[1].end = settled.end;
    let snapshot = modify(snapshot(pending, vec![account_of_bo(1)]), |s| {
        s.accepted = vec![settled]
    });
    // The missing credit is not given as a reason, because it is not settled.
    let expect = [
        "a confirm enough confirm a, hold a 1",
        "b decline taken decline b",
    ];
    check(&snapshot, &policy(), &expect, false);
}

#[test]
fn an_open_intent_keeps_declines_waiting_and_they_are_noted() {
    let intent = open_intent(
        modify(intent("a", &["a"]), |r| {
            r.failures = 5;
            r.last_failure = Some(now());
        }),
        &[],
    );
    let held_credits: Credits = intent.charges.iter().map(|charge| charge.credits()).sum();
    let snapshot = |state: ChargeState| {
        let account = modify(account_of_bo(0), |account| {
            account.totals.granted += held_credits;
            account.totals.held = if state == ChargeState::Held {
                held_credits
            } else {
                0
            };
        });
        modify(
            snapshot(
                vec![booking_by("b", "bo@example.com", 1, -8)],
                vec![account],
            ),
            |s| s.intents = vec![intent.clone()],
        )
    };
    let postponed =
        "a confirm postponed: 5 calls failed; the next one is sent at 2027-01-15T08:01:00Z";
    let rows = [
        (ChargeState::Held, "b leave unsettled written"),
        (ChargeState::Open, "b decline short-of-credit decline b"),
    ];
    for (state, expect) in rows {
        check(&snapshot(state), &policy(), &[postponed, expect], false);
    }
}

#[test]
fn the_time_of_a_hold_is_not_said_to_be_given_away() {
    let rows = [
        (BookingState::Pending, "b leave unsettled seen"),
        (BookingState::Accepted, "b decline taken decline b"),
    ];
    for (state, expect) in rows {
        let intents = vec![open_intent(intent("a", &["a"]), &[("a", state)])];
        let snapshot = modify(
            snapshot(
                vec![modify(booking_by("b", "al@example.com", 0, -8), |b| {
                    b.start = at_minute(24 * 60);
                    b.end = at_minute(24 * 60 + 30);
                })],
                vec![account_of_bo(0), account("al@example.com", 1)],
            ),
            |s| s.intents = intents,
        );
        let plan = plan(&snapshot, &policy());
        assert_eq!(describe_plan(&plan)[1], expect, "{state:?}");
    }
}

#[test]
fn a_hold_counts_for_a_cap_and_declines_only_when_it_is_posted() {
    let counted_booking = |settled: bool| CountedBooking {
        booking: uid("other"),
        start: at_minute(48 * 60),
        end: at_minute(48 * 60 + 30),
        gate: Some("club".to_owned()),
        is_confirmed: settled,
    };
    let rows = [
        (true, "a decline over-cap decline a"),
        (false, "a leave unsettled written"),
    ];
    for (settled, expect) in rows {
        let snapshot = modify(snapshot(vec![booking("a")], vec![account_of_bo(9)]), |s| {
            s.counted_bookings
                .insert(account_id("bo@example.com"), vec![counted_booking(settled)]);
        });
        check(&snapshot, &policy_with_cap(), &[expect], false);
    }
}

#[test]
fn buffers_and_attendance_take_the_time() {
    let start = booking("a").start;
    let other = |from: i64, to: i64| {
        modify(booking("other"), |b| {
            b.status = crate::domain::booking::BookingStatus::Accepted;
            b.start = start + Span::minutes(from);
            b.end = start + Span::minutes(to);
        })
    };
    let declined_step = "a decline taken decline a";
    let free = "a confirm enough confirm a, hold a 1";
    let quarter = Span::minutes(15);
    // before, after, the other from and to (minutes from the start of a booking of 30 minutes)
    let rows = [
        (Span::zero(), Span::zero(), (-30, 0), free),
        (quarter, Span::zero(), (-30, 0), declined_step),
        (Span::zero(), quarter, (-30, 0), declined_step),
        (quarter, Span::zero(), (-45, -15), free),
        (quarter, quarter, (-45, -15), declined_step),
        (quarter, quarter, (60, 90), free),
        (quarter, quarter, (59, 90), declined_step),
        (Span::zero(), quarter, (30, 60), declined_step),
    ];
    for (before, after, (from, to), expect) in rows {
        let snapshot = modify(snapshot(vec![booking("a")], vec![account_of_bo(1)]), |s| {
            s.buffers.insert(CLUB_EVENT_TYPE, Buffers { before, after });
            s.accepted = vec![other(from, to)];
        });
        check(&snapshot, &policy(), &[expect], false);
    }
    for (host, expect) in [(OWN_HOST, declined_step), (OTHER_HOST, free)] {
        let snapshot = modify(snapshot(vec![booking("a")], vec![account_of_bo(1)]), |s| {
            let others_booking = modify(other(0, 30), |b| {
                b.host.as_mut().expect("it has a host").id = Some(OTHER_HOST);
            });
            s.co_hosted = vec![(host, others_booking)];
        });
        check(&snapshot, &policy(), &[expect], false);
    }
}

const OTHER_HOST: crate::domain::id::HostId = crate::domain::id::HostId(4242);

#[test]
fn nothing_is_confirmed_after_its_start() {
    let policy = policy_with(|gate| gate.short_of_credit = OnViolation::WAIT);
    let first = snapshot(vec![booking("a")], vec![account_of_bo(0)]);
    let start = booking("a").start;
    let waits = plan(&first, &policy).steps[0].request.clone();
    let later = |minutes: i64, credits: Credits| {
        modify(first.clone(), |s| {
            s.records.insert(waits.id.clone(), waits.as_ref().clone());
            s.accounts
                .insert(account_id("bo@example.com"), account_of_bo(credits));
            s.now = start + Span::minutes(minutes);
        })
    };
    let rows = [
        (-1, 1, "a confirm enough confirm a, hold a 1"),
        (0, 1, "a leave begun written"),
        (5, 1, "a leave begun written"),
        (-1, 0, "a wait short-of-credit seen"),
        (0, 0, "a decline short-of-credit+waited-too-long decline a"),
        (30, 1, "a leave over written"),
    ];
    for (minutes, credits, expect) in rows {
        check(&later(minutes, credits), &policy, &[expect], false);
    }
    let problems = plan(&later(0, 1), &policy).problems;
    let codes: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["unanswered"]);
}

#[test]
fn a_review_that_nobody_answers_ends() {
    let frozen = modify(account_of_bo(1), |account| {
        account.freeze_reason = Some("a talk first".to_owned())
    });
    let start = booking("a").start;
    let hour = Span::hours(1);
    let declined = "a decline unanswered decline a";
    let rows = [
        (OnUnanswered::Leave, -61, "a review frozen written"),
        (OnUnanswered::Leave, 0, "a leave unanswered written"),
        (
            OnUnanswered::Decline { before: hour },
            -61,
            "a review frozen written",
        ),
        (OnUnanswered::Decline { before: hour }, -60, declined),
        (
            OnUnanswered::Decline {
                before: Span::zero(),
            },
            -1,
            "a review frozen written",
        ),
        (
            OnUnanswered::Decline {
                before: Span::zero(),
            },
            0,
            declined,
        ),
    ];
    for (unanswered, minutes, expect) in rows {
        let policy = policy_with(|gate| gate.on_unanswered = unanswered);
        let snapshot = modify(snapshot(vec![booking("a")], vec![frozen.clone()]), |s| {
            s.now = start + Span::minutes(minutes);
        });
        check(&snapshot, &policy, &[expect], false);
        let request = plan(&snapshot, &policy).steps[0].request.clone();
        if request.decision == Decision::Decline {
            assert_eq!(request.state, RequestState::Recorded);
            let text = request.booker_text.clone().expect("a text for the booker");
            assert!(text.starts_with("Your request was not answered"), "{text}");
        }
        assert!(
            request
                .reasons
                .iter()
                .all(|reason| reason.code != ReasonCode::AlreadyBegun)
        );
    }
}
