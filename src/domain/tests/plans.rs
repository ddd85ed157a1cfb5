//! New requests: who is first, what is looked at, what is left alone.

use super::make::*;
use crate::domain::account::Account;
use crate::domain::booking::{Booking, Status};
use crate::domain::criteria::effect::Effect;
use crate::domain::decision::{Credits, Decision, Outcome};
use crate::domain::fact::Fact;
use crate::domain::gate::{Policy, RefuseWith};
use crate::domain::id::HostId;
use crate::domain::plan::{Action, plan};
use crate::domain::request::{
    ChargeState, MAX_OCCURRENCES, Request, RequestState, Review, Verdict,
};
use crate::domain::snapshot::{Series, Snapshot};
use crate::domain::time::{Span, Time};

fn bo(credits: Credits) -> Account {
    account("bo@example.com", credits)
}

/// Bo, Al and Cy, each with so much.
fn members(credits: Credits) -> Vec<Account> {
    ["bo@example.com", "al@example.com", "cy@example.com"]
        .map(|who| account(who, credits))
        .to_vec()
}

#[track_caller]
fn check(snapshot: &Snapshot, policy: &Policy, expect: &[&str]) {
    assert_eq!(planned(snapshot, policy), expect);
}

/// Plans for Bo with two credits and this one booking.
#[track_caller]
fn check_one(change: impl FnOnce(&mut Booking), expect: &str) {
    let booking = but(booking("a"), change);
    check(&snapshot(vec![booking], vec![bo(2)]), &policy(), &[expect]);
}

/// The request as it was noted or settled by an earlier pass.
fn record(id: &str, bookings: &[&str], decision: Decision, state: RequestState) -> Request {
    but(intent(id, bookings), |r| {
        r.decision = decision;
        r.state = state;
        r.call = None;
    })
}

fn settled(outcome: Outcome) -> RequestState {
    RequestState::Settled {
        outcome,
        at: at(-3),
    }
}

fn remember(snapshot: &mut Snapshot, record: Request) {
    snapshot.records.insert(record.id.clone(), record);
}

/// A series read whole, of which the list shows what is pending.
fn series(name: &str, all: Vec<Booking>, accounts: Vec<Account>) -> Snapshot {
    let pending = |b: &&Booking| b.status == Status::Pending;
    let listed = all.iter().filter(pending).cloned().collect();
    but(snapshot(listed, accounts), |s| {
        s.series.insert(rid(name), Series::Whole(all));
    })
}

fn three() -> Vec<Booking> {
    (0..3)
        .map(|n| occurrence("s", &format!("o{n}"), n))
        .collect()
}

#[test]
fn one_request_after_the_other_each_sees_what_is_left() {
    let pending = vec![
        asked("c", "bo@example.com", 2, -1),
        asked("b", "bo@example.com", 1, -2),
        asked("a", "bo@example.com", 0, -3),
    ];
    let expect = [
        "a confirm enough confirm a, hold a 1",
        "b confirm enough confirm b, hold b 1",
        "c leave unsettled seen",
    ];
    check(&snapshot(pending, vec![bo(2)]), &policy(), &expect);
}

#[test]
fn whoever_asked_first_gets_the_time() {
    let earlier = asked("z", "al@example.com", 0, -2);
    let later = asked("a", "bo@example.com", 0, -1);
    let pending = vec![later.clone(), earlier.clone()];
    let expect = [
        "z confirm enough confirm z, hold z 1",
        "a leave unsettled seen",
    ];
    check(&snapshot(pending, members(1)), &policy(), &expect);
    // At the same instant the name decides.
    let pending = vec![but(earlier, |b| b.created = later.created), later];
    let expect = [
        "a confirm enough confirm a, hold a 1",
        "z leave unsettled seen",
    ];
    check(&snapshot(pending, members(1)), &policy(), &expect);
    // One that cannot pay leaves the time to the next.
    let pending = vec![
        asked("a", "dora@example.com", 0, -2),
        asked("b", "bo@example.com", 0, -1),
    ];
    let expect = [
        "a decline unknown-booker decline a",
        "b confirm enough confirm b, hold b 1",
    ];
    check(&snapshot(pending, members(1)), &policy(), &expect);
}

#[test]
fn what_overlaps_an_accepted_booking_is_taken() {
    let free = "a confirm enough confirm a, hold a 1";
    let taken = "a decline taken decline a";
    let accepted = || with_status(booking("x"), Status::Accepted);
    let half = Span::minutes(30);
    let rows: [(&str, Booking, &str); 10] = [
        ("the same time", accepted(), taken),
        (
            "until then",
            but(accepted(), |b| b.start -= half * 3),
            taken,
        ),
        (
            "right before",
            but(accepted(), |b| {
                b.start -= half;
                b.end -= half;
            }),
            free,
        ),
        (
            "right after",
            but(accepted(), |b| {
                b.start += half;
                b.end += half;
            }),
            free,
        ),
        (
            "inside",
            but(accepted(), |b| {
                b.start += half / 3;
                b.end -= half / 3;
            }),
            taken,
        ),
        (
            "around",
            but(accepted(), |b| {
                b.start -= half * 99;
                b.end += half;
            }),
            taken,
        ),
        (
            "another host's",
            but(accepted(), |b| b.host = host(HostId(2))),
            free,
        ),
        (
            "not accepted",
            with_status(accepted(), Status::Rejected),
            free,
        ),
        ("itself", but(accepted(), |b| b.uid = uid("a")), free),
        (
            "upside down",
            but(accepted(), |b| {
                b.start += half;
                b.end -= half * 2;
            }),
            free,
        ),
    ];
    for (name, accepted, expect) in rows {
        let snapshot = but(snapshot(vec![booking("a")], vec![bo(2)]), |s| {
            s.accepted = vec![accepted];
        });
        assert_eq!(planned(&snapshot, &policy()), [expect], "{name}");
    }
}

/// A server that shows an end before the start is met without a panic.
#[test]
fn a_booking_that_ends_before_it_starts_takes_nobodys_time() {
    let upside_down = but(booking("a"), |b| b.end = b.start - Span::minutes(30));
    let pending = vec![upside_down, asked("b", "al@example.com", 0, -1)];
    let expect = [
        "a confirm enough confirm a, hold a 1",
        "b confirm enough confirm b, hold b 1",
    ];
    check(&snapshot(pending, members(1)), &policy(), &expect);
}

#[test]
fn a_time_that_is_taken_may_be_waited_for() {
    let snapshot = but(snapshot(vec![booking("a")], vec![bo(2)]), |s| {
        s.accepted = vec![with_status(booking("x"), Status::Accepted)];
    });
    let policy = |choice| policy_with(|g| g.taken = choice);
    check(&snapshot, &policy(Effect::WAIT), &["a wait taken written"]);
    check(
        &snapshot,
        &policy(Effect::Leave),
        &["a leave taken written"],
    );
}

#[test]
fn what_is_none_of_our_business_is_seen_and_not_written() {
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
        |b| b.status = Status::AwaitingHost,
        "a leave not-pending written",
    );
    let snapshot = |kind| {
        but(snapshot(vec![booking("a")], vec![bo(2)]), |s| {
            s.event_types.insert(CLUB, kind);
        })
    };
    let priced = but(event_type(), |kind| kind.price = 500);
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
    let policy = policy_with(|g| g.short_of_credit = Effect::wait(Span::hours(2)));
    // Half a millisecond: what is kept is cut, and must be equal when it is read again.
    let first = but(snapshot(vec![booking("a")], vec![bo(0)]), |s| {
        s.now += Span::microseconds(500);
    });
    let plan = plan(&first, &policy);
    assert_eq!(told(&plan), ["a wait short-of-credit written"]);
    let noted = plan.steps[0].request.clone();
    let until = Decision::Wait {
        until: Some(at(120)),
    };
    assert_eq!((noted.decision, noted.first), (until, now()));

    let later = but(first, |s| {
        remember(s, noted.as_ref().clone());
        s.now = at(90);
    });
    check(&later, &policy, &["a wait short-of-credit seen"]);
    let rich = but(later.clone(), |s| {
        s.accounts.insert(acc("bo@example.com"), bo(1));
    });
    check(&rich, &policy, &["a confirm enough confirm a, hold a 1"]);
    let over = but(later, |s| s.now = at(120));
    let expect = ["a decline short-of-credit+waited-too-long decline a"];
    check(&over, &policy, &expect);
}

#[test]
fn what_was_decided_before_is_not_judged_again() {
    let left = "a leave decided-before seen";
    let rows = [
        (settled(Outcome::Confirmed), vec![left]),
        (settled(Outcome::Declined), vec![left]),
        (settled(Outcome::Superseded), vec![left]),
        // Begun, and not among the intents this pass took up.
        (RequestState::Recorded, vec![]),
        (
            RequestState::Noted,
            vec!["a confirm enough confirm a, hold a 1"],
        ),
    ];
    for (state, expect) in rows {
        let snapshot = but(snapshot(vec![booking("a")], vec![bo(2)]), |s| {
            remember(s, record("a", &["a"], Decision::Confirm, state));
        });
        check(&snapshot, &policy(), &expect);
    }
}

/// What this pass had no room to take up still has its time.
#[test]
fn an_intent_without_room_in_this_pass_keeps_its_time() {
    let pending = vec![asked("a", "al@example.com", 0, -9), booking("b")];
    let snapshot = but(snapshot(pending, members(2)), |s| {
        remember(
            s,
            record("b", &["b"], Decision::Confirm, RequestState::Recorded),
        );
    });
    check(&snapshot, &policy(), &["a leave unsettled written"]);
}

#[test]
fn a_series_is_one_request_at_the_cost_of_all_its_pending_occurrences() {
    let holds = "s confirm enough confirm o0, hold o0 1, hold o1 1, hold o2 1";
    check(&series("s", three(), vec![bo(3)]), &policy(), &[holds]);
    let short = ["s decline short-of-credit decline o0"];
    check(&series("s", three(), vec![bo(2)]), &policy(), &short);
    // The list shows one of them; the call would answer all.
    let hidden = but(series("s", three(), vec![bo(3)]), |s| s.pending.truncate(1));
    check(&hidden, &policy(), &[holds]);
    // Those that were cancelled or moved away cost nothing.
    let mut partly = three();
    partly[0].status = Status::Cancelled;
    partly[2].rescheduled_to = Some(uid("x"));
    let expect = ["s confirm enough confirm o1, hold o1 1"];
    check(&series("s", partly, vec![bo(1)]), &policy(), &expect);
}

#[test]
fn a_series_that_is_taken_at_one_time_is_taken() {
    let snapshot = but(series("s", three(), vec![bo(3)]), |s| {
        s.accepted = vec![with_status(
            asked("x", "al@example.com", 2, -9),
            Status::Accepted,
        )];
    });
    check(&snapshot, &policy(), &["s decline taken decline o0"]);
    // And takes all of its times.
    let snapshot = but(series("s", three(), members(3)), |s| {
        let later = snapshot_of(asked("b", "al@example.com", 2, -1));
        s.pending.extend(later);
    });
    let expect = [
        "s confirm enough confirm o0, hold o0 1, hold o1 1, hold o2 1",
        "b leave unsettled seen",
    ];
    check(&snapshot, &policy(), &expect);
}

fn snapshot_of(booking: Booking) -> Vec<crate::domain::booking::Observed> {
    snapshot(vec![booking], Vec::new()).pending
}

#[test]
fn each_occurrence_takes_its_own_hosts_time() {
    let with_two_hosts = |other: Booking| {
        let mut all = three();
        all[2].host = host(HostId(2));
        but(series("s", all, members(3)), |s| s.accepted = vec![other])
    };
    let both = but(policy(), |p| {
        p.hosts = vec![crate::domain::id::HostKey::Id(HostId(2))];
    });
    let at_two = with_status(asked("x", "al@example.com", 2, -9), Status::Accepted);
    let of_two = but(at_two.clone(), |b| b.host = host(HostId(2)));
    let holds = "s confirm enough confirm o0, hold o0 1, hold o1 1, hold o2 1";
    check(&with_two_hosts(at_two.clone()), &both, &[holds]);
    check(
        &with_two_hosts(of_two),
        &both,
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
    let young = |age: Span| {
        let mut all = three();
        all[1].created = now() - age;
        series("s", all, vec![bo(3)])
    };
    let settling = ["s leave series-settling seen"];
    check(&young(Span::milliseconds(9_999)), &policy(), &settling);
    // A preview says when a pass decides it.
    let waits = plan(&young(Span::seconds(4)), &policy());
    let text = &waits.steps[0].request.reasons[0].text;
    let tells = text.contains("it is decided from") && text.contains("08:00:06");
    assert!(tells, "{text}");
    let holds = ["s confirm enough confirm o0, hold o0 1, hold o1 1, hold o2 1"];
    check(&young(Span::seconds(10)), &policy(), &holds);
    let unread = but(series("s", three(), vec![bo(3)]), |s| {
        s.series.insert(rid("s"), Series::Unread("why".to_owned()));
    });
    check(&unread, &policy(), &["s leave series-unreadable seen"]);
    let missing = but(unread, |s| s.series.clear());
    check(&missing, &policy(), &["s leave series-unreadable seen"]);
}

/// The same occurrence twice in an answer is one occurrence.
#[test]
fn an_occurrence_that_is_shown_twice_costs_once() {
    let mut all = three();
    all.push(all[1].clone());
    let snapshot = but(series("s", all, vec![bo(3)]), |s| s.pending.truncate(3));
    let holds = ["s confirm enough confirm o0, hold o0 1, hold o1 1, hold o2 1"];
    check(&snapshot, &policy(), &holds);
}

/// One call would confirm them all, so that a part of them cannot be charged alone.
#[test]
fn a_series_longer_than_one_may_be_is_left() {
    let long = |count: usize| {
        let one = |n| occurrence("s", &format!("o{n:04}"), n);
        let all = (0..).map(one).take(count).collect();
        series("s", all, vec![bo(2_000)])
    };
    let told = planned(&long(MAX_OCCURRENCES), &policy());
    assert!(told[0].starts_with("s confirm enough"), "{told:?}");
    let left = ["s leave series-unreadable seen"];
    check(&long(MAX_OCCURRENCES + 1), &policy(), &left);
}

#[test]
fn an_occurrence_after_the_series_was_answered_is_a_request_of_its_own() {
    let answered = |known: &[&str], outcome| {
        let mut all = three();
        all[0].status = Status::Accepted;
        all[1].status = Status::Accepted;
        but(series("s", all, vec![bo(3)]), |s| {
            let record = record("s", known, Decision::Confirm, settled(outcome));
            remember(s, but(record, |r| r.series = Some(rid("s"))));
        })
    };
    let late = ["o2 confirm enough confirm o2, hold o2 1"];
    let confirmed = answered(&["o0", "o1"], Outcome::Confirmed);
    check(&confirmed, &policy(), &late);
    check(&answered(&["o0"], Outcome::Declined), &policy(), &late);
    // It was a part of what was answered.
    let known = answered(&["o0", "o1", "o2"], Outcome::Confirmed);
    check(&known, &policy(), &["s leave decided-before seen"]);
}

/// The name of a late request does not change when one more turns up, whatever its time.
#[test]
fn late_occurrences_are_named_by_the_one_that_was_first_asked_for() {
    let mut all = three();
    all[2].created = at(-70);
    let snapshot = but(series("s", all, vec![bo(3)]), |s| {
        let settled = settled(Outcome::Confirmed);
        remember(s, record("s", &["old"], Decision::Confirm, settled));
    });
    let expect = ["o2 confirm enough confirm o0, hold o0 1, hold o1 1, hold o2 1"];
    check(&snapshot, &policy(), &expect);
}

/// A refusal by cancelling leaves pending what is over: that neither names what turns up later nor
/// joins it, and does not keep it from being decided.
#[test]
fn what_is_over_of_an_answered_series_is_none_of_what_turns_up_later() {
    let refused = |start| {
        let mut all = three()[..2].to_vec();
        (all[0].start, all[0].end) = (start, start + Span::minutes(30));
        but(series("s", all, vec![bo(3)]), |s| {
            let before = settled(Outcome::Declined);
            remember(s, record("s", &["o0"], Decision::Decline, before));
        })
    };
    let alone = ["o1 confirm enough confirm o1, hold o1 1"];
    check(&refused(at(-60)), &policy(), &alone);
    let waits = ["s leave decided-before seen"];
    check(&refused(at(60)), &policy(), &waits);
}

/// Late occurrences that were decided under their own name stay decided when others join them.
#[test]
fn a_late_occurrence_that_was_decided_is_not_judged_again_with_another() {
    let with = |state| {
        but(series("s", three()[1..].to_vec(), vec![bo(3)]), |s| {
            let before = settled(Outcome::Confirmed);
            remember(s, record("s", &["o0"], Decision::Confirm, before));
            remember(s, record("o2", &["o2"], Decision::Confirm, state));
        })
    };
    let left = ["o1 leave decided-before seen"];
    check(&with(settled(Outcome::Confirmed)), &policy(), &left);
    check(&with(RequestState::Recorded), &policy(), &[]);
}

#[test]
fn a_successor_takes_over_the_charge_of_its_predecessor() {
    let snapshot = |account, paid| {
        but(snapshot(vec![booking("b")], vec![account]), |s| {
            let charge = but(charge("a", ChargeState::Open), |c| {
                c.parts = vec![part("g-bo@example.com", paid)];
            });
            s.carried.insert(uid("b"), charge);
        })
    };
    let policy = policy_with(|g| g.cost = 2);
    let rows = [
        (bo(0), 2, "b confirm carried confirm b"),
        (bo(0), 3, "b confirm carried confirm b"),
        (bo(1), 1, "b confirm carried confirm b, hold b 1"),
        (bo(0), 1, "b decline short-of-credit decline b"),
        // Somebody else paid: that is no payment of Bo's.
        (
            account("al@example.com", 9),
            2,
            "b decline unknown-booker decline b",
        ),
    ];
    for (account, paid, expect) in rows {
        let snapshot = snapshot(account, paid);
        check(&snapshot, &policy, &[expect]);
        let carries = plan(&snapshot, &policy).steps[0].request.carries.clone();
        assert_eq!(carries.is_some(), expect.contains("b confirm") || paid == 1);
    }
}

/// Who may have paid for it before is neither refused nor charged again.
#[test]
fn what_replaced_something_unclear_is_left() {
    for credits in [0, 5] {
        let pending = vec![asked("b", "bo@example.com", 0, -3)];
        let snapshot = but(snapshot(pending, vec![bo(credits)]), |s| {
            s.unclear.insert(uid("b"));
        });
        check(&snapshot, &policy(), &["b leave predecessor-unclear seen"]);
    }
}

#[test]
fn a_charge_is_taken_over_once() {
    let pending = vec![
        asked("b", "bo@example.com", 0, -3),
        asked("c", "bo@example.com", 1, -2),
    ];
    let snapshot = but(snapshot(pending, vec![bo(0)]), |s| {
        for name in ["b", "c"] {
            s.carried.insert(uid(name), charge("a", ChargeState::Open));
        }
    });
    let expect = ["b confirm carried confirm b", "c leave unsettled seen"];
    check(&snapshot, &policy(), &expect);
}

#[test]
fn a_pass_sends_no_more_than_it_may() {
    let pending: Vec<Booking> = (0..4)
        .map(|n| asked(&format!("a{n}"), "bo@example.com", n, n - 9))
        .collect();
    let snapshot = snapshot(pending, vec![bo(9)]);
    for (limit, steps, more) in [(0, 0, true), (3, 3, true), (4, 4, false), (9, 4, false)] {
        let policy = but(policy(), |p| p.limits.requests_per_pass = limit);
        let plan = plan(&snapshot, &policy);
        assert_eq!((plan.steps.len(), plan.more), (steps, more), "{limit}");
    }
}

#[test]
fn a_pass_declines_no_more_than_it_may_and_confirms_on() {
    let pending = vec![
        asked("a", "x@example.com", 0, -9),
        asked("b", "y@example.com", 1, -8),
        asked("c", "z@example.com", 2, -7),
        asked("d", "bo@example.com", 3, -6),
    ];
    let policy = but(policy(), |p| p.limits.declines.at_most = 1);
    let plan = plan(&snapshot(pending, vec![bo(1)]), &policy);
    let expect = [
        "a decline unknown-booker decline a",
        "b leave decline-limit seen",
        "c leave decline-limit seen",
        "d confirm enough confirm d, hold d 1",
    ];
    assert_eq!(told(&plan), expect);
    let problems: Vec<&str> = plan.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(problems, ["decline-limit"]);
}

#[test]
fn declines_of_earlier_passes_count_and_an_operators_own_do_not() {
    let pending = vec![
        asked("a", "x@example.com", 0, -9),
        asked("b", "y@example.com", 1, -8),
    ];
    let policy = but(policy(), |p| p.limits.declines.at_most = 2);
    let after = |declined: usize, expect: &[&str]| {
        let snapshot = but(snapshot(pending.clone(), vec![bo(1)]), |s| {
            s.declined = declined;
            let review = Review {
                verdict: Verdict::Decline,
                reason: "not this one".to_owned(),
                at: now(),
            };
            let noted = but(intent("b", &["b"]), |request| {
                request.state = RequestState::Noted;
                request.decision = Decision::Review;
                request.review = Some(review);
            });
            remember(s, noted);
        });
        check(&snapshot, &policy, expect);
    };
    let operators = "b decline operator decline b";
    after(1, &["a decline unknown-booker decline a", operators]);
    after(2, &["a leave decline-limit seen", operators]);
    after(9, &["a leave decline-limit seen", operators]);
}

#[test]
fn a_wait_counts_from_when_its_own_reason_was_given_first() {
    let policy = policy_with(|g| g.short_of_credit = Effect::wait(Span::minutes(10)));
    let frozen = but(bo(0), |account| {
        account.frozen = Some("a talk first".to_owned())
    });
    let first = snapshot(vec![booking("a")], vec![frozen]);
    let noted = plan(&first, &policy).steps[0].request.clone();
    assert_eq!(noted.decision, Decision::Review);
    let thawed = but(first, |s| {
        remember(s, noted.as_ref().clone());
        s.accounts.insert(acc("bo@example.com"), bo(0));
        s.now = at(60);
    });
    let waits = plan(&thawed, &policy).steps[0].request.clone();
    let until = Decision::Wait {
        until: Some(at(70)),
    };
    assert_eq!((waits.decision, waits.first), (until, now()));
    let over = but(thawed, |s| {
        remember(s, waits.as_ref().clone());
        s.now = at(70);
    });
    let expect = ["a decline short-of-credit+waited-too-long decline a"];
    check(&over, &policy, &expect);
}

#[test]
fn an_empty_ledger_declines_nobody() {
    let snapshot = but(snapshot(vec![booking("a")], Vec::new()), |s| {
        s.ledger_is_empty = true;
    });
    check(&snapshot, &policy(), &["a leave empty-ledger written"]);
    let wait = policy_with(|g| g.unknown_booker = Effect::WAIT);
    check(&snapshot, &wait, &["a wait unknown-booker written"]);
}

#[test]
fn a_decline_says_why_and_is_sent_as_configured() {
    for (choice, kind) in [
        (RefuseWith::Decline, "decline"),
        (RefuseWith::Cancel, "cancel"),
    ] {
        let policy = but(policy(), |p| p.refuse_with = choice);
        let plan = plan(&snapshot(vec![booking("a")], vec![bo(0)]), &policy);
        let Action::Send {
            call,
            facts,
            looked_at,
        } = &plan.steps[0].action
        else {
            panic!("{plan:?}");
        };
        let text = &crate::domain::text::not_accepted(false, false);
        assert_eq!(
            (call.kind.as_str(), call.text.as_deref()),
            (kind, Some(text.as_str()))
        );
        assert_eq!(plan.steps[0].request.text.as_ref(), Some(text));
        assert_eq!(*looked_at, Some((acc("bo@example.com"), Some(1))));
        assert_eq!(*facts, [decided(plan.steps[0].request.as_ref().clone())]);
    }
}

/// What a decision rested on is checked again when it is written down.
#[test]
fn that_there_was_no_account_is_looked_at_too() {
    let plan = plan(
        &snapshot(vec![booking("a")], vec![account("al@example.com", 1)]),
        &policy(),
    );
    let Action::Send { looked_at, .. } = &plan.steps[0].action else {
        panic!("{plan:?}");
    };
    assert_eq!(*looked_at, Some((acc("bo@example.com"), None)));
}

#[test]
fn lots_past_their_time_are_written_off_once_before_others_pay() {
    let lots = |gone: Time| vec![lot("old", 3, Some(gone)), lot("new", 1, Some(at(9)))];
    let bo = |gone| {
        account_of(
            "bo@example.com",
            but(lots(gone), |l| l.push(lot("last", 1, None))),
        )
    };
    let pending = vec![booking("a"), asked("b", "bo@example.com", 1, -1)];
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
    let expired = Fact::Expire {
        account: acc("bo@example.com"),
        part: part("old", 3),
    };
    assert_eq!(facts.len(), 3, "{facts:?}");
    assert_eq!(facts[0], &expired);
    let paid = |fact: &Fact| match fact {
        Fact::Hold { parts, .. } => parts.clone(),
        _ => Vec::new(),
    };
    assert_eq!(paid(facts[1]), [part("new", 1)]);
    assert_eq!(paid(facts[2]), [part("last", 1)]);
}

#[test]
fn nothing_costs_nothing_but_is_held_for_all_the_same() {
    let policy = policy_with(|g| g.cost = 0);
    let snapshot = snapshot(vec![booking("a")], vec![bo(0)]);
    check(
        &snapshot,
        &policy,
        &["a confirm enough confirm a, hold a 0"],
    );
}

#[test]
fn an_account_may_be_reached_by_several_addresses() {
    let pending = vec![booking("a"), asked("b", "bo@work.example", 1, -1)];
    let snapshot = but(snapshot(pending, vec![bo(1)]), |s| {
        s.names
            .insert(address("bo@work.example"), acc("bo@example.com"));
    });
    let expect = [
        "a confirm enough confirm a, hold a 1",
        "b leave unsettled seen",
    ];
    check(&snapshot, &policy(), &expect);
}
