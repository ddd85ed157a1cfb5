//! A charged booking that was moved, by what its successor has of its own.

use super::make::*;
use crate::domain::account::Account;
use crate::domain::booking::{Booking, Status};
use crate::domain::decision::Credits;
use crate::domain::fact::Fact;
use crate::domain::request::{Charge, ChargeState};
use crate::domain::terms::LateMove;
use crate::domain::time::{Span, Time};
use crate::domain::watch::{Case, ChainEnd, Verdict, What, watch};

/// `a` was moved to `b`, which stands.
fn chain() -> Vec<Booking> {
    let old = but(with_status(booking("a"), Status::Cancelled), |b| {
        b.rescheduled_to = Some(uid("b"));
    });
    let new = but(with_status(booking("b"), Status::Accepted), |b| {
        b.rescheduled_from = Some(uid("a"));
    });
    vec![old, new]
}

fn of(successor: Option<&Charge>, account: &Account, cost: Credits, now: Time) -> Verdict {
    let (charge, gate, chain) = (charge("a", ChargeState::Open), gate(), chain());
    watch(&Case {
        charge: &charge,
        chain: &chain,
        end: ChainEnd::Whole,
        terms: &gate.terms.refunds,
        hosts: &[],
        last_gate: Some(&gate),
        last_cost: Some(cost),
        account,
        forgiven: 0,
        successor,
        taken_over: false,
        request: None,
        now,
        policy: "policy",
    })
}

/// What is written of it, in a word; `None`: nothing yet.
fn word(verdict: &Verdict) -> Option<(What, Vec<&'static str>)> {
    let Verdict::Write { facts, what, .. } = verdict else {
        return None;
    };
    let words = facts.iter().map(|fact| match fact {
        Fact::Move { .. } => "move",
        Fact::Refund { close: true, .. } => "refund all",
        Fact::Refund { .. } => "refund",
        Fact::Decided { .. } | Fact::Hold { .. } | Fact::Post { .. } => "charge",
        _ => "other",
    });
    Some((*what, words.collect()))
}

#[test]
fn nobody_pays_twice_for_a_booking_that_was_moved() {
    let bo = account("bo@example.com", 5);
    let of_its_own = |state| charge("b", state);
    let another = but(of_its_own(ChargeState::Open), |c| {
        c.account = acc("al@example.com");
    });
    let gone = |state| but(of_its_own(state), |c| c.parts.clear());
    let rows = [
        (None, 1, Some((What::Moved, vec!["move"]))),
        // An intent is about to decide: its hold is its own.
        (Some(of_its_own(ChargeState::Held)), 1, None),
        // Both are the member's: they join, and what is too much comes back.
        (
            Some(of_its_own(ChargeState::Open)),
            1,
            Some((What::Moved, vec!["move", "refund"])),
        ),
        (
            Some(of_its_own(ChargeState::Open)),
            2,
            Some((What::Moved, vec!["move"])),
        ),
        // It was paid for by itself, for good or by somebody else.
        (
            Some(of_its_own(ChargeState::Final)),
            1,
            Some((What::Refunded, vec!["refund all"])),
        ),
        (Some(another), 1, Some((What::Refunded, vec!["refund all"]))),
        // What it had came back: it goes on under the old name, and is to come.
        (Some(gone(ChargeState::Refunded)), 1, None),
        (Some(gone(ChargeState::Void)), 1, None),
    ];
    for (successor, cost, expect) in rows {
        let verdict = of(successor.as_ref(), &bo, cost, now());
        assert_eq!(word(&verdict), expect, "{successor:?}: {verdict:?}");
    }
    // Whatever the time is: what an intent holds is its own to end.
    let held = of_its_own(ChargeState::Held);
    let late = of(Some(&held), &bo, 1, now() + Span::days(30));
    assert_eq!(word(&late), None, "{late:?}");
}

/// What an open intent takes over is its own to end, whatever else it looks like: a late move, a
/// cancellation of which nobody sees the successor (v1), a booking that is over or was deleted.
#[test]
fn what_is_being_taken_over_is_left_to_its_intent() {
    let gate = but(gate(), |gate| {
        gate.terms.refunds.late_move = LateMove::Cancellation
    });
    let cancelled = with_status(booking("a"), Status::Cancelled);
    let stands = with_status(booking("a"), Status::Accepted);
    let late = but(chain(), |chain| {
        chain[1].created = chain[0].start - Span::hours(1);
        chain[1].status = Status::Pending;
    });
    let rows = [
        ("a late move", late, ChainEnd::Whole),
        ("cancelled", vec![cancelled], ChainEnd::Whole),
        ("over", vec![stands], ChainEnd::Whole),
        ("deleted", Vec::new(), ChainEnd::Gone),
    ];
    for (what, chain, end) in rows {
        for taken_over in [false, true] {
            let verdict = watch(&Case {
                charge: &charge("a", ChargeState::Open),
                chain: &chain,
                end,
                terms: &gate.terms.refunds,
                hosts: &[],
                last_gate: Some(&gate),
                last_cost: Some(1),
                account: &account("bo@example.com", 5),
                forgiven: 0,
                successor: None,
                request: None,
                taken_over,
                now: booking("a").end + Span::days(30),
                policy: "policy",
            });
            let ends = matches!(verdict, Verdict::Write { .. });
            assert_eq!(ends, !taken_over, "{what}: {verdict:?}");
        }
    }
}
