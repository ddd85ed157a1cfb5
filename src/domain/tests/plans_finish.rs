//! Open intents are finished, and what they hold is not given to another request meanwhile.

use super::fixtures::*;
use crate::domain::booking::BookingStatus;
use crate::domain::decision::Credits;
use crate::domain::fact::{Fact, RequestFact};
use crate::domain::intent::BookingState;
use crate::domain::plan::{Action, plan};
use crate::domain::request::{ChargeState, MAX_OCCURRENCES};
use crate::domain::snapshot::{OpenIntent, Series, Snapshot};

/// Returns a snapshot with these intents, in which Bo has this many credits besides the held ones.
fn snapshot_with_intents(credits: Credits, intents: Vec<OpenIntent>) -> Snapshot {
    let held: Credits = intents
        .iter()
        .flat_map(|open| &open.charges)
        .map(|charge| charge.credits())
        .sum();
    let bo = modify(account("bo@example.com", credits), |a| {
        a.totals.granted += held;
        a.totals.held = held;
    });
    let al = account("al@example.com", 5);
    modify(snapshot(Vec::new(), vec![bo, al]), |s| s.intents = intents)
}

#[track_caller]
fn check(snapshot: &Snapshot, expect: &[&str]) {
    assert_eq!(describe_planned(snapshot, &policy()), expect);
}

#[test]
fn an_open_intent_is_finished_and_never_decided_anew() {
    let rows = [
        (BookingState::Pending, "a confirm confirm a"),
        (BookingState::Accepted, "a confirm confirmed"),
        (BookingState::Rejected, "a confirm superseded"),
        (
            BookingState::Unread,
            "a confirm postponed: some of its bookings could not be read",
        ),
    ];
    for (state, expect) in rows {
        let intents = vec![open_intent(intent("a", &["a"]), &[("a", state)])];
        // The booking is in the list of pending bookings, too, and the booker has no credits left.
        let snapshot = modify(snapshot_with_intents(0, intents), |s| {
            s.pending = snapshot(vec![booking("a")], Vec::new()).pending;
        });
        check(&snapshot, &[expect]);
    }
}

#[test]
fn an_intent_that_failed_often_waits_its_turn() {
    let failed_intent = |minutes: i64, states: &[(&str, BookingState)]| {
        let request = modify(intent("a", &["a"]), |r| {
            r.failures = 5;
            r.last_failure = Some(at_minute(-minutes));
        });
        snapshot_with_intents(0, vec![open_intent(request, states)])
    };
    let pending = [("a", BookingState::Pending)];
    let later =
        ["a confirm postponed: 5 calls failed; the next one is sent at 2027-01-15T08:01:00Z"];
    check(&failed_intent(0, &pending), &later);
    check(&failed_intent(1, &pending), &["a confirm confirm a"]);
    // Before that, the booking is not even read, and this does not count as a failure to read it.
    check(&failed_intent(0, &[]), &later);
}

#[test]
fn the_time_of_an_open_intent_is_taken_while_it_may_be_confirmed() {
    let declined_step = "b decline taken decline b";
    // A confirmation that is still under way may come to nothing.
    let reserved = "b leave unsettled seen";
    let unread = "b leave unsettled written";
    let free = "b confirm enough confirm b, hold b 1";
    let rows = [
        (BookingState::Pending, reserved),
        (BookingState::Accepted, declined_step),
        (BookingState::AcceptedAfterMove, declined_step),
        (BookingState::AcceptedAfterCancel, declined_step),
        (BookingState::Unread, unread),
        (BookingState::Rejected, free),
        (BookingState::Cancelled, free),
        (BookingState::Gone, free),
        (BookingState::PendingAfterStart, free),
        (BookingState::PendingAfterEnd, free),
    ];
    for (state, expect) in rows {
        let intents = vec![open_intent(intent("a", &["a"]), &[("a", state)])];
        let snapshot = modify(snapshot_with_intents(0, intents), |s| {
            s.pending =
                snapshot(vec![booking_by("b", "al@example.com", 0, -1)], Vec::new()).pending;
        });
        let steps = describe_planned(&snapshot, &policy());
        assert_eq!(steps[1], expect, "{state:?}");
    }
}

/// A successor that takes over a payment holds nothing, but still takes its time.
#[test]
fn the_time_of_an_open_intent_without_a_hold_is_taken() {
    let carrying = modify(
        open_intent(
            modify(intent("a", &["a"]), |r| r.predecessor = Some(uid("old"))),
            &[("a", BookingState::Pending)],
        ),
        |o| {
            o.charges.clear();
            o.carried_charge = Some(charge("old", ChargeState::Open));
        },
    );
    let snapshot = modify(snapshot_with_intents(0, vec![carrying]), |s| {
        s.pending = snapshot(vec![booking_by("b", "al@example.com", 0, -1)], Vec::new()).pending;
    });
    check(
        &snapshot,
        &["a confirm confirm a", "b leave unsettled seen"],
    );
}

#[test]
fn the_time_of_an_intent_to_decline_is_free() {
    let intents = vec![open_intent(
        to_decline(intent("a", &["a"])),
        &[("a", BookingState::Pending)],
    )];
    let snapshot = modify(snapshot_with_intents(0, intents), |s| {
        s.pending = snapshot(vec![booking_by("b", "al@example.com", 0, -1)], Vec::new()).pending;
    });
    let expect = [
        "a decline decline a",
        "b confirm enough confirm b, hold b 1",
    ];
    check(&snapshot, &expect);
}

/// Returns an intent of Bo's for the first two occurrences, and `count` others that joined
/// meanwhile.
fn intent_with_joined(count: i64) -> OpenIntent {
    let states = [("o0", BookingState::Pending), ("o1", BookingState::Pending)];
    let request = modify(intent("s", &["o0", "o1"]), |r| {
        r.series = Some(request_id("s"))
    });
    modify(open_intent(request, &states), |o| {
        o.new_occurrences = (2..2 + count)
            .map(|n| occurrence("s", &format!("o{n}"), n))
            .collect();
    })
}

#[test]
fn a_series_that_grew_is_held_for_before_the_call_that_answers_all() {
    let snapshot = snapshot_with_intents(2, vec![intent_with_joined(2)]);
    check(&snapshot, &["s confirm confirm o0, hold o2 1, hold o3 1"]);
    // An occurrence that is shown twice is held for once.
    let twice = modify(intent_with_joined(1), |o| {
        o.new_occurrences.push(o.new_occurrences[0].clone())
    });
    check(
        &snapshot_with_intents(2, vec![twice]),
        &["s confirm confirm o0, hold o2 1"],
    );
    // The new occurrence's time is taken, too.
    let snapshot = modify(snapshot, |s| {
        s.pending = crate::domain::tests::fixtures::snapshot(
            vec![booking_by("b", "al@example.com", 3, -1)],
            Vec::new(),
        )
        .pending;
    });
    let expect = [
        "s confirm confirm o0, hold o2 1, hold o3 1",
        "b leave unsettled seen",
    ];
    check(&snapshot, &expect);
}

#[test]
fn a_series_that_grew_beyond_the_credit_is_given_up() {
    let snapshot = snapshot_with_intents(1, vec![intent_with_joined(2)]);
    let plan = plan(&snapshot, &policy());
    assert_eq!(describe_plan(&plan), ["s confirm superseded"]);
    let Action::Settle { facts, problem, .. } = &plan.steps[0].action else {
        panic!("{plan:?}");
    };
    assert_eq!(
        facts.len(),
        3,
        "two holds come back, and it is settled: {facts:?}"
    );
    assert!(problem.is_some());
}

/// Credits that a series would have held are available to the next request if the series is given
/// up.
#[test]
fn a_series_that_was_given_up_holds_nothing() {
    let snapshot = modify(snapshot_with_intents(1, vec![intent_with_joined(2)]), |s| {
        let late = booking_by("b", "bo@example.com", 9, -1);
        s.pending = snapshot(vec![late], Vec::new()).pending;
    });
    let expect = [
        "s confirm superseded",
        "b confirm enough confirm b, hold b 1",
    ];
    check(&snapshot, &expect);
}

#[test]
fn a_series_that_grew_beyond_all_bounds_is_given_up() {
    let many = MAX_OCCURRENCES as i64;
    let steps = describe_planned(
        &snapshot_with_intents(2_000, vec![intent_with_joined(many - 2)]),
        &policy(),
    );
    assert!(
        steps[0].starts_with("s confirm confirm o0, hold"),
        "{steps:?}"
    );
    check(
        &snapshot_with_intents(2_000, vec![intent_with_joined(many - 1)]),
        &["s confirm superseded"],
    );
}

/// A late occurrence has an intent of its own. Another occurrence that turns up joins this intent,
/// whatever its time, because one call answers both.
#[test]
fn occurrences_of_a_series_with_an_open_intent_are_that_intents() {
    let late = modify(
        open_intent(
            modify(intent("o2", &["o2"]), |r| r.series = Some(request_id("s"))),
            &[("o2", BookingState::Pending)],
        ),
        |o| o.new_occurrences = vec![occurrence("s", "o1", 1)],
    );
    let snapshot = modify(snapshot_with_intents(5, vec![late]), |s| {
        let all = vec![
            with_status(occurrence("s", "o0", 0), BookingStatus::Accepted),
            occurrence("s", "o1", 1),
            occurrence("s", "o2", 2),
        ];
        s.pending = snapshot(all[1..].to_vec(), Vec::new()).pending;
        s.series.insert(request_id("s"), Series::Whole(all));
    });
    check(&snapshot, &["o2 confirm confirm o2, hold o1 1"]);
}

/// Credits that an intent gives back in this pass cannot be spent yet. No request is declined for
/// lack of these credits, because the next pass has them.
#[test]
fn nobody_is_declined_for_want_of_credits_that_are_on_their_way_back() {
    let cancelled_intent = || {
        vec![open_intent(
            intent("a", &["a"]),
            &[("a", BookingState::Cancelled)],
        )]
    };
    let with_late_request = |credits| {
        modify(snapshot_with_intents(credits, cancelled_intent()), |s| {
            let late = booking_by("b", "bo@example.com", 9, -1);
            s.pending = snapshot(vec![late], Vec::new()).pending;
        })
    };
    let plan = plan(&with_late_request(0), &policy());
    assert_eq!(
        describe_plan(&plan),
        ["a confirm superseded", "b leave unsettled seen"]
    );
    assert!(plan.has_more);
    let expect = [
        "a confirm superseded",
        "b confirm enough confirm b, hold b 1",
    ];
    check(&with_late_request(1), &expect);
}

#[test]
fn a_charge_that_an_open_intent_takes_over_is_nobody_elses() {
    let carrying = modify(intent("b", &["b"]), |r| r.predecessor = Some(uid("a")));
    let intents = vec![modify(
        open_intent(carrying, &[("b", BookingState::Pending)]),
        |o| o.charges.clear(),
    )];
    let snapshot = modify(snapshot_with_intents(0, intents), |s| {
        let other = booking_by("c", "bo@example.com", 5, -1);
        s.pending = snapshot(vec![other], Vec::new()).pending;
        s.carried_charges
            .insert(uid("c"), charge("a", ChargeState::Open));
    });
    let expect = ["b confirm confirm b", "c decline short-of-credit decline c"];
    check(&snapshot, &expect);
}

#[test]
fn open_intents_are_no_part_of_the_limits() {
    let intents = (0..3)
        .map(|n| {
            let name = format!("a{n}");
            open_intent(intent(&name, &[&name]), &[(&name, BookingState::Pending)])
        })
        .collect();
    let snapshot = snapshot_with_intents(0, intents);
    let policy = modify(policy(), |p| p.limits.requests_per_pass = 0);
    let plan = plan(&snapshot, &policy);
    assert_eq!(plan.steps.len(), 3);
    assert!(!plan.has_more);
    let sends_new_decision = |action: &Action| match action {
        Action::Send { facts, .. } => facts
            .iter()
            .any(|fact| matches!(fact, Fact::Request(RequestFact::Decided { .. }))),
        Action::Note { .. } | Action::Settle { .. } | Action::Postpone { .. } => true,
    };
    assert!(
        plan.steps
            .iter()
            .all(|step| !sends_new_decision(&step.action))
    );
}
