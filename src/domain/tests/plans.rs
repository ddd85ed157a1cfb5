//! New requests: their order, what is checked, and what is left alone.

use super::fixtures::*;
use crate::domain::account::Account;
use crate::domain::booking::{Booking, BookingStatus};
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::criteria::price::Cost;
use crate::domain::decision::{Credits, Decision, DecisionOutcome, ReasonCode};
use crate::domain::expected::Expected;
use crate::domain::fact::{ChargeFact, CreditFact, Fact};
use crate::domain::gate::{Policy, RefuseWith};
use crate::domain::id::HostId;
use crate::domain::intent::BookingState;
use crate::domain::pause::Pause;
use crate::domain::plan::{Action, Step, plan};
use crate::domain::request::{
    ChargeState, MAX_OCCURRENCES, OperatorDecision, OperatorReview, Request, RequestState,
};
use crate::domain::snapshot::{Series, Snapshot};
use crate::domain::time::{Span, Time};

fn account_of_bo(credits: Credits) -> Account {
    account("bo@example.com", credits)
}

/// Returns the accounts of Bo, Al and Cy, each with these credits.
fn three_accounts(credits: Credits) -> Vec<Account> {
    ["bo@example.com", "al@example.com", "cy@example.com"]
        .map(|booker_address| account(booker_address, credits))
        .to_vec()
}

#[track_caller]
fn check(snapshot: &Snapshot, policy: &Policy, expect: &[&str]) {
    assert_eq!(describe_planned(snapshot, policy), expect);
}

/// Checks the plan for Bo, who has two credits, and this one booking.
#[track_caller]
fn check_one(change: impl FnOnce(&mut Booking), expect: &str) {
    let booking = modify(booking("a"), change);
    check(
        &snapshot(vec![booking], vec![account_of_bo(2)]),
        &policy(),
        &[expect],
    );
}

/// Returns the request as an earlier pass noted or settled it.
fn earlier_request(
    id: &str,
    bookings: &[&str],
    decision: Decision,
    state: RequestState,
) -> Request {
    modify(intent(id, bookings), |r| {
        r.decision = decision;
        r.state = state;
        r.call = None;
    })
}

fn settled_state(outcome: DecisionOutcome) -> RequestState {
    RequestState::Settled {
        outcome,
        at: at_minute(-3),
    }
}

fn add_record(snapshot: &mut Snapshot, record: Request) {
    snapshot.records.insert(record.id.clone(), record);
}

/// Returns a snapshot with a series that was read whole, and whose pending occurrences are listed.
fn series_snapshot(name: &str, all: Vec<Booking>, accounts: Vec<Account>) -> Snapshot {
    let pending = |b: &&Booking| b.status == BookingStatus::Pending;
    let pending_bookings = all.iter().filter(pending).cloned().collect();
    modify(snapshot(pending_bookings, accounts), |s| {
        s.series.insert(request_id(name), Series::Whole(all));
    })
}

fn three_occurrences() -> Vec<Booking> {
    (0..3)
        .map(|n| occurrence("s", &format!("o{n}"), n))
        .collect()
}

#[test]
fn one_request_after_the_other_each_sees_what_is_left() {
    let pending = vec![
        booking_by("c", "bo@example.com", 2, -1),
        booking_by("b", "bo@example.com", 1, -2),
        booking_by("a", "bo@example.com", 0, -3),
    ];
    let expect = [
        "a confirm enough confirm a, hold a 1",
        "b confirm enough confirm b, hold b 1",
        "c leave unsettled seen",
    ];
    check(
        &snapshot(pending, vec![account_of_bo(2)]),
        &policy(),
        &expect,
    );
}

#[test]
fn whoever_asked_first_gets_the_time() {
    let earlier = booking_by("z", "al@example.com", 0, -2);
    let later = booking_by("a", "bo@example.com", 0, -1);
    let pending = vec![later.clone(), earlier.clone()];
    let expect = [
        "z confirm enough confirm z, hold z 1",
        "a leave unsettled seen",
    ];
    check(&snapshot(pending, three_accounts(1)), &policy(), &expect);
    // At the same instant, the uid decides.
    let pending = vec![modify(earlier, |b| b.created_at = later.created_at), later];
    let expect = [
        "a confirm enough confirm a, hold a 1",
        "z leave unsettled seen",
    ];
    check(&snapshot(pending, three_accounts(1)), &policy(), &expect);
    // A request that cannot pay leaves the time to the next.
    let pending = vec![
        booking_by("a", "dora@example.com", 0, -2),
        booking_by("b", "bo@example.com", 0, -1),
    ];
    let expect = [
        "a decline unknown-booker decline a",
        "b confirm enough confirm b, hold b 1",
    ];
    check(&snapshot(pending, three_accounts(1)), &policy(), &expect);
}

#[test]
fn what_overlaps_an_accepted_booking_is_taken() {
    let free = "a confirm enough confirm a, hold a 1";
    let declined_step = "a decline taken decline a";
    let accepted = || with_status(booking("x"), BookingStatus::Accepted);
    let half = Span::minutes(30);
    let rows: [(&str, Booking, &str); 10] = [
        ("the same time", accepted(), declined_step),
        (
            "until then",
            modify(accepted(), |b| b.start -= half * 3),
            declined_step,
        ),
        (
            "right before",
            modify(accepted(), |b| {
                b.start -= half;
                b.end -= half;
            }),
            free,
        ),
        (
            "right after",
            modify(accepted(), |b| {
                b.start += half;
                b.end += half;
            }),
            free,
        ),
        (
            "inside",
            modify(accepted(), |b| {
                b.start += half / 3;
                b.end -= half / 3;
            }),
            declined_step,
        ),
        (
            "around",
            modify(accepted(), |b| {
                b.start -= half * 99;
                b.end += half;
            }),
            declined_step,
        ),
        (
            "another host's",
            modify(accepted(), |b| b.host = host(HostId(2))),
            free,
        ),
        (
            "not accepted",
            with_status(accepted(), BookingStatus::Rejected),
            free,
        ),
        ("itself", modify(accepted(), |b| b.uid = uid("a")), free),
        (
            "upside down",
            modify(accepted(), |b| {
                b.start += half;
                b.end -= half * 2;
            }),
            free,
        ),
    ];
    for (name, accepted, expect) in rows {
        let snapshot = modify(snapshot(vec![booking("a")], vec![account_of_bo(2)]), |s| {
            s.accepted = vec![accepted];
        });
        assert_eq!(describe_planned(&snapshot, &policy()), [expect], "{name}");
    }
}

/// A server that reports an end before the start does not cause a panic.
#[test]
fn a_booking_that_ends_before_it_starts_takes_nobodys_time() {
    let upside_down = modify(booking("a"), |b| b.end = b.start - Span::minutes(30));
    let pending = vec![upside_down, booking_by("b", "al@example.com", 0, -1)];
    let expect = [
        "a confirm enough confirm a, hold a 1",
        "b confirm enough confirm b, hold b 1",
    ];
    check(&snapshot(pending, three_accounts(1)), &policy(), &expect);
}

#[test]
fn a_time_that_is_taken_may_be_waited_for() {
    let snapshot = modify(snapshot(vec![booking("a")], vec![account_of_bo(2)]), |s| {
        s.accepted = vec![with_status(booking("x"), BookingStatus::Accepted)];
    });
    let policy = |choice| policy_with(|g| g.time_taken = choice);
    check(
        &snapshot,
        &policy(OnViolation::WAIT),
        &["a wait taken written"],
    );
    check(
        &snapshot,
        &policy(OnViolation::Leave),
        &["a leave taken written"],
    );
}

#[test]
fn what_is_out_of_scope_is_not_written() {
    check_one(|b| b.host = host(HostId(2)), "a leave foreign-host seen");
    check_one(|b| b.event_type = None, "a leave no-event-type seen");
    check_one(|b| b.seated = true, "a leave seated seen");
    let ungated = |b: &mut Booking| b.event_type.as_mut().unwrap().slug = Some("x".to_owned());
    check_one(ungated, "a leave ungated seen");
}

#[test]
fn what_may_not_be_answered_is_left_and_written() {
    check_one(|b| b.end = now(), "a leave over written");
    check_one(|b| b.booker = None, "a review no-booker written");
    check_one(
        |b| b.status = BookingStatus::AwaitingHost,
        "a leave not-pending written",
    );
    let snapshot = |kind| {
        modify(snapshot(vec![booking("a")], vec![account_of_bo(2)]), |s| {
            s.event_types.insert(CLUB_EVENT_TYPE, kind);
        })
    };
    let priced = modify(event_type(), |kind| kind.price = 500);
    check(
        &snapshot(Some(priced)),
        &policy(),
        &["a leave priced written"],
    );
    let unread = ["a leave event-type-not-shown written"];
    check(&snapshot(None), &policy(), &unread);
}

#[test]
fn a_note_is_written_once_and_again_when_it_says_something_new() {
    let policy = policy_with(|g| g.short_of_credit = OnViolation::wait_for(Span::hours(2)));
    // Half a millisecond: stored times are truncated, and must be equal when they are read again.
    let first = modify(snapshot(vec![booking("a")], vec![account_of_bo(0)]), |s| {
        s.now += Span::microseconds(500);
    });
    let plan = plan(&first, &policy);
    assert_eq!(describe_plan(&plan), ["a wait short-of-credit written"]);
    let noted = plan.steps[0].request.clone();
    let until = Decision::Wait {
        until: Some(at_minute(120)),
    };
    assert_eq!((noted.decision, noted.first_evaluated_at), (until, now()));

    let later = modify(first, |s| {
        add_record(s, noted.as_ref().clone());
        s.now = at_minute(90);
    });
    check(&later, &policy, &["a wait short-of-credit seen"]);
    let rich = modify(later.clone(), |s| {
        s.accounts
            .insert(account_id("bo@example.com"), account_of_bo(1));
    });
    check(&rich, &policy, &["a confirm enough confirm a, hold a 1"]);
    let over = modify(later, |s| s.now = at_minute(120));
    let expect = ["a decline short-of-credit+waited-too-long decline a"];
    check(&over, &policy, &expect);
}

#[test]
fn what_was_decided_before_is_not_judged_again() {
    let left_step = "a leave decided-before seen";
    let rows = [
        (settled_state(DecisionOutcome::Confirmed), vec![left_step]),
        (settled_state(DecisionOutcome::Declined), vec![left_step]),
        (settled_state(DecisionOutcome::Superseded), vec![left_step]),
        // Recorded, and not among the intents that this pass takes up.
        (RequestState::Recorded, vec![]),
        (
            RequestState::Noted,
            vec!["a confirm enough confirm a, hold a 1"],
        ),
    ];
    for (state, expect) in rows {
        let snapshot = modify(snapshot(vec![booking("a")], vec![account_of_bo(2)]), |s| {
            add_record(s, earlier_request("a", &["a"], Decision::Confirm, state));
        });
        check(&snapshot, &policy(), &expect);
    }
}

/// An intent that this pass has no room to take up still takes its time.
#[test]
fn an_intent_without_room_in_this_pass_keeps_its_time() {
    let pending = vec![booking_by("a", "al@example.com", 0, -9), booking("b")];
    let snapshot = modify(snapshot(pending, three_accounts(2)), |s| {
        add_record(
            s,
            earlier_request("b", &["b"], Decision::Confirm, RequestState::Recorded),
        );
    });
    check(&snapshot, &policy(), &["a leave unsettled written"]);
}

#[test]
fn a_series_is_one_request_at_the_cost_of_all_its_pending_occurrences() {
    let holds = "s confirm enough confirm o0, hold o0 1, hold o1 1, hold o2 1";
    check(
        &series_snapshot("s", three_occurrences(), vec![account_of_bo(3)]),
        &policy(),
        &[holds],
    );
    let short = ["s decline short-of-credit decline o0"];
    check(
        &series_snapshot("s", three_occurrences(), vec![account_of_bo(2)]),
        &policy(),
        &short,
    );
    // The list shows one occurrence, but the call would answer all of them.
    let hidden = modify(
        series_snapshot("s", three_occurrences(), vec![account_of_bo(3)]),
        |s| s.pending.truncate(1),
    );
    check(&hidden, &policy(), &[holds]);
    // Occurrences that were cancelled or moved away cost nothing.
    let mut partly = three_occurrences();
    partly[0].status = BookingStatus::Cancelled;
    partly[2].rescheduled_to = Some(uid("x"));
    let expect = ["s confirm enough confirm o1, hold o1 1"];
    check(
        &series_snapshot("s", partly, vec![account_of_bo(1)]),
        &policy(),
        &expect,
    );
}

#[test]
fn a_series_that_is_taken_at_one_time_is_taken() {
    let snapshot = modify(
        series_snapshot("s", three_occurrences(), vec![account_of_bo(3)]),
        |s| {
            s.accepted = vec![with_status(
                booking_by("x", "al@example.com", 2, -9),
                BookingStatus::Accepted,
            )];
        },
    );
    check(&snapshot, &policy(), &["s decline taken decline o0"]);
    // The series takes the times of all its occurrences.
    let snapshot = modify(
        series_snapshot("s", three_occurrences(), three_accounts(3)),
        |s| {
            let later = observed_pending(booking_by("b", "al@example.com", 2, -1));
            s.pending.extend(later);
        },
    );
    let expect = [
        "s confirm enough confirm o0, hold o0 1, hold o1 1, hold o2 1",
        "b leave unsettled seen",
    ];
    check(&snapshot, &policy(), &expect);
}

fn observed_pending(booking: Booking) -> Vec<crate::domain::booking::TimestampedBooking> {
    snapshot(vec![booking], Vec::new()).pending
}

#[test]
fn each_occurrence_takes_its_own_hosts_time() {
    let with_two_hosts = |other: Booking| {
        let mut all = three_occurrences();
        all[2].host = host(HostId(2));
        modify(series_snapshot("s", all, three_accounts(3)), |s| {
            s.accepted = vec![other]
        })
    };
    let policy_of_both_hosts = modify(policy(), |p| {
        p.hosts = vec![crate::domain::id::HostKey::Id(HostId(2))];
    });
    let at_two = with_status(
        booking_by("x", "al@example.com", 2, -9),
        BookingStatus::Accepted,
    );
    let of_two = modify(at_two.clone(), |b| b.host = host(HostId(2)));
    let holds = "s confirm enough confirm o0, hold o0 1, hold o1 1, hold o2 1";
    check(
        &with_two_hosts(at_two.clone()),
        &policy_of_both_hosts,
        &[holds],
    );
    check(
        &with_two_hosts(of_two),
        &policy_of_both_hosts,
        &["s decline taken decline o0"],
    );
    // One call would answer a foreign host's occurrence too.
    check(
        &with_two_hosts(at_two),
        &policy(),
        &["s leave foreign-host seen"],
    );
}

#[test]
fn a_series_is_decided_only_when_it_is_whole() {
    let series_of_age = |age: Span| {
        let mut all = three_occurrences();
        all[1].created_at = now() - age;
        series_snapshot("s", all, vec![account_of_bo(3)])
    };
    let settling = ["s leave series-settling seen"];
    check(
        &series_of_age(Span::milliseconds(9_999)),
        &policy(),
        &settling,
    );
    // A preview says when a pass decides the series.
    let plan = plan(&series_of_age(Span::seconds(4)), &policy());
    let text = &plan.steps[0].request.reasons[0].text;
    let names_the_time = text.contains("it is decided from") && text.contains("08:00:06");
    assert!(names_the_time, "{text}");
    let holds = ["s confirm enough confirm o0, hold o0 1, hold o1 1, hold o2 1"];
    check(&series_of_age(Span::seconds(10)), &policy(), &holds);
    let unread = modify(
        series_snapshot("s", three_occurrences(), vec![account_of_bo(3)]),
        |s| {
            s.series
                .insert(request_id("s"), Series::Unread("why".to_owned()));
        },
    );
    check(&unread, &policy(), &["s leave series-unreadable seen"]);
    let missing = modify(unread, |s| s.series.clear());
    check(&missing, &policy(), &["s leave series-unreadable seen"]);
}

/// An occurrence that an answer contains twice is one occurrence.
#[test]
fn an_occurrence_that_is_shown_twice_costs_once() {
    let mut all = three_occurrences();
    all.push(all[1].clone());
    let snapshot = modify(series_snapshot("s", all, vec![account_of_bo(3)]), |s| {
        s.pending.truncate(3)
    });
    let holds = ["s confirm enough confirm o0, hold o0 1, hold o1 1, hold o2 1"];
    check(&snapshot, &policy(), &holds);
}

/// One call would confirm all occurrences, so a part of them cannot be charged alone.
#[test]
fn a_series_longer_than_one_may_be_is_left() {
    let series_of_length = |count: usize| {
        let numbered_occurrence = |n| occurrence("s", &format!("o{n:04}"), n);
        let all = (0..).map(numbered_occurrence).take(count).collect();
        series_snapshot("s", all, vec![account_of_bo(2_000)])
    };
    let steps = describe_planned(&series_of_length(MAX_OCCURRENCES), &policy());
    assert!(steps[0].starts_with("s confirm enough"), "{steps:?}");
    let left_steps = ["s leave series-unreadable seen"];
    check(
        &series_of_length(MAX_OCCURRENCES + 1),
        &policy(),
        &left_steps,
    );
}

#[test]
fn an_occurrence_after_the_series_was_answered_is_a_request_of_its_own() {
    let answered_series = |known: &[&str], outcome| {
        let mut all = three_occurrences();
        all[0].status = BookingStatus::Accepted;
        all[1].status = BookingStatus::Accepted;
        modify(series_snapshot("s", all, vec![account_of_bo(3)]), |s| {
            let record = earlier_request("s", known, Decision::Confirm, settled_state(outcome));
            add_record(s, modify(record, |r| r.series = Some(request_id("s"))));
        })
    };
    let late = ["o2 confirm enough confirm o2, hold o2 1"];
    let confirmed = answered_series(&["o0", "o1"], DecisionOutcome::Confirmed);
    check(&confirmed, &policy(), &late);
    check(
        &answered_series(&["o0"], DecisionOutcome::Declined),
        &policy(),
        &late,
    );
    // The occurrence was a part of the series that was answered.
    let fully_confirmed = answered_series(&["o0", "o1", "o2"], DecisionOutcome::Confirmed);
    check(
        &fully_confirmed,
        &policy(),
        &["s leave decided-before seen"],
    );
}

/// The name of a late request does not change when another occurrence turns up, whatever its time.
#[test]
fn late_occurrences_are_named_by_the_one_that_was_first_asked_for() {
    let mut all = three_occurrences();
    all[2].created_at = at_minute(-70);
    let snapshot = modify(series_snapshot("s", all, vec![account_of_bo(3)]), |s| {
        let settled = settled_state(DecisionOutcome::Confirmed);
        add_record(
            s,
            earlier_request("s", &["old"], Decision::Confirm, settled),
        );
    });
    let expect = ["o2 confirm enough confirm o0, hold o0 1, hold o1 1, hold o2 1"];
    check(&snapshot, &policy(), &expect);
}

/// A refusal by cancelling leaves occurrences pending that are over. Such an occurrence neither
/// names later occurrences nor joins them, and does not prevent a decision about them.
#[test]
fn what_is_over_of_an_answered_series_is_none_of_what_turns_up_later() {
    let declined_series = |start| {
        let mut all = three_occurrences()[..2].to_vec();
        (all[0].start, all[0].end) = (start, start + Span::minutes(30));
        modify(series_snapshot("s", all, vec![account_of_bo(3)]), |s| {
            let before = settled_state(DecisionOutcome::Declined);
            add_record(s, earlier_request("s", &["o0"], Decision::Decline, before));
        })
    };
    let alone = ["o1 confirm enough confirm o1, hold o1 1"];
    check(&declined_series(at_minute(-60)), &policy(), &alone);
    let waits = ["s leave decided-before seen"];
    check(&declined_series(at_minute(60)), &policy(), &waits);
}

/// Late occurrences that were decided under their own name stay decided when others join them.
#[test]
fn a_late_occurrence_that_was_decided_is_not_judged_again_with_another() {
    let series_with_state = |state| {
        modify(
            series_snapshot(
                "s",
                three_occurrences()[1..].to_vec(),
                vec![account_of_bo(3)],
            ),
            |s| {
                let before = settled_state(DecisionOutcome::Confirmed);
                add_record(s, earlier_request("s", &["o0"], Decision::Confirm, before));
                add_record(s, earlier_request("o2", &["o2"], Decision::Confirm, state));
            },
        )
    };
    let left_steps = ["o1 leave decided-before seen"];
    check(
        &series_with_state(settled_state(DecisionOutcome::Confirmed)),
        &policy(),
        &left_steps,
    );
    check(&series_with_state(RequestState::Recorded), &policy(), &[]);
}

#[test]
fn a_successor_takes_over_the_charge_of_its_predecessor() {
    let snapshot = |account, paid| {
        modify(snapshot(vec![booking("b")], vec![account]), |s| {
            let charge = modify(charge("a", ChargeState::Open), |c| {
                c.parts = vec![part("g-bo@example.com", paid)];
            });
            s.carried_charges.insert(uid("b"), charge);
        })
    };
    let policy = policy_with(|g| g.cost = Cost::Fixed(2));
    let rows = [
        (account_of_bo(0), 2, "b confirm carried confirm b"),
        (account_of_bo(0), 3, "b confirm carried confirm b"),
        (account_of_bo(1), 1, "b confirm carried confirm b, hold b 1"),
        (account_of_bo(0), 1, "b decline short-of-credit decline b"),
        // Another member paid, and that is not a payment of Bo's.
        (
            account("al@example.com", 9),
            2,
            "b decline unknown-booker decline b",
        ),
    ];
    for (account, paid, expect) in rows {
        let snapshot = snapshot(account, paid);
        check(&snapshot, &policy, &[expect]);
        let carries = plan(&snapshot, &policy).steps[0]
            .request
            .predecessor
            .clone();
        assert_eq!(carries.is_some(), expect.contains("b confirm") || paid == 1);
    }
}

/// A booker who may have paid for the predecessor is neither refused nor charged again.
#[test]
fn what_replaced_something_unclear_is_left() {
    for credits in [0, 5] {
        let pending = vec![booking_by("b", "bo@example.com", 0, -3)];
        let snapshot = modify(snapshot(pending, vec![account_of_bo(credits)]), |s| {
            s.unclear_predecessors.insert(uid("b"));
        });
        check(&snapshot, &policy(), &["b leave predecessor-unclear seen"]);
    }
}

#[test]
fn a_charge_is_taken_over_once() {
    let pending = vec![
        booking_by("b", "bo@example.com", 0, -3),
        booking_by("c", "bo@example.com", 1, -2),
    ];
    let snapshot = modify(snapshot(pending, vec![account_of_bo(0)]), |s| {
        for name in ["b", "c"] {
            s.carried_charges
                .insert(uid(name), charge("a", ChargeState::Open));
        }
    });
    let expect = ["b confirm carried confirm b", "c leave unsettled seen"];
    check(&snapshot, &policy(), &expect);
}

#[test]
fn a_pass_sends_no_more_than_it_may() {
    let pending: Vec<Booking> = (0..4)
        .map(|n| booking_by(&format!("a{n}"), "bo@example.com", n, n - 9))
        .collect();
    let snapshot = snapshot(pending, vec![account_of_bo(9)]);
    for (limit, steps, more) in [(0, 0, true), (3, 3, true), (4, 4, false), (9, 4, false)] {
        let policy = modify(policy(), |p| p.limits.requests_per_pass = limit);
        let plan = plan(&snapshot, &policy);
        assert_eq!((plan.steps.len(), plan.has_more), (steps, more), "{limit}");
    }
}

#[test]
fn a_pass_declines_no_more_than_it_may_and_confirms_on() {
    let pending = vec![
        booking_by("a", "x@example.com", 0, -9),
        booking_by("b", "y@example.com", 1, -8),
        booking_by("c", "z@example.com", 2, -7),
        booking_by("d", "bo@example.com", 3, -6),
    ];
    let policy = modify(policy(), |p| p.limits.declines.at_most = 1);
    let plan = plan(&snapshot(pending, vec![account_of_bo(1)]), &policy);
    let expect = [
        "a decline unknown-booker decline a",
        "b leave decline-limit seen",
        "c leave decline-limit seen",
        "d confirm enough confirm d, hold d 1",
    ];
    assert_eq!(describe_plan(&plan), expect);
    let problems: Vec<&str> = plan.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(problems, ["decline-limit"]);
}

#[test]
fn declines_of_earlier_passes_count_and_an_operators_own_do_not() {
    let pending = vec![
        booking_by("a", "x@example.com", 0, -9),
        booking_by("b", "y@example.com", 1, -8),
    ];
    let policy = modify(policy(), |p| p.limits.declines.at_most = 2);
    let check_after_declines = |declined: usize, expect: &[&str]| {
        let snapshot = modify(snapshot(pending.clone(), vec![account_of_bo(1)]), |s| {
            s.recent_declines = declined;
            let review = OperatorReview {
                decision: OperatorDecision::Decline,
                reason: "not this one".to_owned(),
                at: now(),
            };
            let noted = modify(intent("b", &["b"]), |request| {
                request.state = RequestState::Noted;
                request.decision = Decision::Review;
                request.review = Some(review);
            });
            add_record(s, noted);
        });
        check(&snapshot, &policy, expect);
    };
    let operators = "b decline operator decline b";
    check_after_declines(1, &["a decline unknown-booker decline a", operators]);
    check_after_declines(2, &["a leave decline-limit seen", operators]);
    check_after_declines(9, &["a leave decline-limit seen", operators]);
}

#[test]
fn a_wait_counts_from_when_its_own_reason_was_given_first() {
    let policy = policy_with(|g| g.short_of_credit = OnViolation::wait_for(Span::minutes(10)));
    let frozen = modify(account_of_bo(0), |account| {
        account.freeze_reason = Some("a talk first".to_owned())
    });
    let first = snapshot(vec![booking("a")], vec![frozen]);
    let noted = plan(&first, &policy).steps[0].request.clone();
    assert_eq!(noted.decision, Decision::Review);
    let thawed = modify(first, |s| {
        add_record(s, noted.as_ref().clone());
        s.accounts
            .insert(account_id("bo@example.com"), account_of_bo(0));
        s.now = at_minute(60);
    });
    let waits = plan(&thawed, &policy).steps[0].request.clone();
    let until = Decision::Wait {
        until: Some(at_minute(70)),
    };
    assert_eq!((waits.decision, waits.first_evaluated_at), (until, now()));
    let over = modify(thawed, |s| {
        add_record(s, waits.as_ref().clone());
        s.now = at_minute(70);
    });
    let expect = ["a decline short-of-credit+waited-too-long decline a"];
    check(&over, &policy, &expect);
}

#[test]
fn an_empty_ledger_declines_nobody() {
    let snapshot = modify(snapshot(vec![booking("a")], Vec::new()), |s| {
        s.ledger_is_empty = true;
    });
    check(&snapshot, &policy(), &["a leave empty-ledger written"]);
    let wait = policy_with(|g| g.unknown_booker = OnViolation::WAIT);
    check(&snapshot, &wait, &["a wait unknown-booker written"]);
}

#[test]
fn a_decline_says_why_and_is_sent_as_configured() {
    for (choice, kind) in [
        (RefuseWith::Decline, "decline"),
        (RefuseWith::Cancel, "cancel"),
    ] {
        let policy = modify(policy(), |p| p.refuse_with = choice);
        let plan = plan(
            &snapshot(vec![booking("a")], vec![account_of_bo(0)]),
            &policy,
        );
        let Action::Send { call, facts } = &plan.steps[0].action else {
            panic!("{plan:?}");
        };
        let text = &crate::domain::messages::not_accepted(false, false);
        assert_eq!(
            (call.kind.as_str(), call.text.as_deref()),
            (kind, Some(text.as_str()))
        );
        assert_eq!(plan.steps[0].request.booker_text.as_ref(), Some(text));
        let expected_account = Expected::Account {
            id: account_id("bo@example.com"),
            version: Some(1),
        };
        let expected_request = Expected::Request {
            id: request_id("a"),
            version: None,
        };
        assert_eq!(plan.steps[0].expected, [expected_request, expected_account]);
        assert_eq!(
            *facts,
            [decided_fact(plan.steps[0].request.as_ref().clone())]
        );
    }
}

/// When a decision is written, what the decision rests on is checked again.
#[test]
fn that_there_was_no_account_is_looked_at_too() {
    let plan = plan(
        &snapshot(vec![booking("a")], vec![account("al@example.com", 1)]),
        &policy(),
    );
    let no_account = Expected::Alias {
        address: address("bo@example.com"),
        account: None,
    };
    assert_eq!(plan.steps[0].expected[1..], [no_account]);
}

#[test]
fn lots_past_their_time_are_written_off_once_before_others_pay() {
    let lots = |expiry: Time| {
        vec![
            lot("old", 3, Some(expiry)),
            lot("new", 1, Some(at_minute(9))),
        ]
    };
    let bo = |expiry| {
        account_with_lots(
            "bo@example.com",
            modify(lots(expiry), |l| l.push(lot("last", 1, None))),
        )
    };
    let pending = vec![booking("a"), booking_by("b", "bo@example.com", 1, -1)];
    let plan = plan(&snapshot(pending, vec![bo(now())]), &policy());
    let facts: Vec<&Fact> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Send { facts, .. } => Some(&facts[1..]),
            _ => None,
        })
        .flatten()
        .collect();
    let expired = Fact::Credit(CreditFact::Expire {
        account: account_id("bo@example.com"),
        part: part("old", 3),
    });
    assert_eq!(facts.len(), 3, "{facts:?}");
    assert_eq!(facts[0], &expired);
    let parts_of_hold = |fact: &Fact| match fact {
        Fact::Charge(ChargeFact::Hold { parts, .. }) => parts.clone(),
        _ => Vec::new(),
    };
    assert_eq!(parts_of_hold(facts[1]), [part("new", 1)]);
    assert_eq!(parts_of_hold(facts[2]), [part("last", 1)]);
}

#[test]
fn nothing_costs_nothing_but_is_held_for_all_the_same() {
    let policy = policy_with(|g| g.cost = Cost::Fixed(0));
    let snapshot = snapshot(vec![booking("a")], vec![account_of_bo(0)]);
    check(
        &snapshot,
        &policy,
        &["a confirm enough confirm a, hold a 0"],
    );
}

#[test]
fn an_account_may_be_reached_by_several_addresses() {
    let pending = vec![booking("a"), booking_by("b", "bo@work.example", 1, -1)];
    let snapshot = modify(snapshot(pending, vec![account_of_bo(1)]), |s| {
        s.accounts_by_address
            .insert(address("bo@work.example"), account_id("bo@example.com"));
    });
    let expect = [
        "a confirm enough confirm a, hold a 1",
        "b leave unsettled seen",
    ];
    check(&snapshot, &policy(), &expect);
}

/// A paused gate decides nothing new: its requests are noted as waiting for the end of the pause,
/// whatever they would be. What began meanwhile is listed, and recorded decisions are finished.
#[test]
fn the_requests_of_a_paused_gate_wait_and_its_intents_are_finished() {
    let pause = Pause {
        since: at_minute(-5),
        until: None,
        reason: "the host is ill".to_owned(),
    };
    let begun = modify(booking_by("c", "cy@example.com", 1, -1), |b| {
        b.start = at_minute(-1);
    });
    let pending = vec![
        booking("a"),
        booking_by("b", "al@example.com", 1, -1),
        begun,
    ];
    let with_pause = |gate: &str| {
        modify(snapshot(pending.clone(), vec![account_of_bo(2)]), |s| {
            s.paused_gates.insert(gate.to_owned(), pause.clone());
        })
    };
    let paused = with_pause("club");
    let first = plan(&paused, &policy());
    assert_eq!(first.steps.len(), 3);
    for step in &first.steps {
        assert_eq!(step.action, Action::Note { write: true });
        assert_eq!(step.request.decision, Decision::Leave);
        let [reason] = step.request.reasons.as_slice() else {
            panic!("{:?}", step.request.reasons);
        };
        assert_eq!(reason.code, ReasonCode::Paused);
        assert!(reason.text.contains("the host is ill"), "{}", reason.text);
    }
    assert_eq!(first.problems.len(), 1, "{:?}", first.problems);
    assert_eq!(first.unresolved_facts.len(), 1);
    // What is noted already is not written again.
    let mut noted = paused.clone();
    for step in &first.steps {
        add_record(&mut noted, step.request.as_ref().clone());
    }
    let again = plan(&noted, &policy());
    let writes = |step: &Step| step.action == Action::Note { write: true };
    assert!(!again.steps.iter().any(writes));
    // Another gate is not affected, and neither is an open intent.
    assert_eq!(
        describe_planned(&with_pause("dinner"), &policy()),
        describe_planned(
            &modify(paused.clone(), |s| s.paused_gates.clear()),
            &policy()
        )
    );
    let finished = modify(paused, |s| {
        s.pending.clear();
        let states = [("x", BookingState::Pending)];
        s.intents = vec![open_intent(intent("x", &["x"]), &states)];
    });
    let unpaused = modify(finished.clone(), |s| s.paused_gates.clear());
    let described = describe_planned(&finished, &policy());
    assert_eq!(described, describe_planned(&unpaused, &policy()));
    assert_eq!(described.len(), 1);
}
