//! A charged booking that was moved, by the charge that its successor has itself.

use super::fixtures::*;
use crate::domain::account::Account;
use crate::domain::booking::{Booking, BookingStatus};
use crate::domain::decision::Credits;
use crate::domain::fact::{ChargeFact, Fact, RequestFact};
use crate::domain::refund_policy::LateMove;
use crate::domain::request::{Charge, ChargeState};
use crate::domain::time::{Span, Time};
use crate::domain::watch::{ChainEnd, ChargeCase, ChargeDecision, ChargeOutcome, watch_charge};

/// Returns booking `a`, which was moved, and its successor `b`, which is accepted.
fn moved_chain() -> Vec<Booking> {
    let predecessor = modify(with_status(booking("a"), BookingStatus::Cancelled), |b| {
        b.rescheduled_to = Some(uid("b"));
    });
    let successor = modify(with_status(booking("b"), BookingStatus::Accepted), |b| {
        b.rescheduled_from = Some(uid("a"));
    });
    vec![predecessor, successor]
}

fn watch_successor(
    successor: Option<&Charge>,
    account: &Account,
    cost: Credits,
    now: Time,
) -> ChargeDecision {
    let (charge, gate, chain) = (charge("a", ChargeState::Open), gate(), moved_chain());
    watch_charge(&ChargeCase {
        charge: &charge,
        chain: &chain,
        chain_end: ChainEnd::Whole,
        terms: &gate.terms.refunds,
        hosts: &[],
        last_gate: Some(&gate),
        last_cost: Some(cost),
        account,
        forgiven_absences: 0,
        successor_charge: successor,
        is_taken_over: false,
        last_request: None,
        now,
        policy_hash: "policy",
    })
}

/// Summarizes what is written about the charge; `None` if nothing is written yet.
fn summarize(verdict: &ChargeDecision) -> Option<(ChargeOutcome, Vec<&'static str>)> {
    let ChargeDecision::Write {
        facts,
        outcome: what,
        ..
    } = verdict
    else {
        return None;
    };
    let words = facts.iter().map(|fact| match fact {
        Fact::Charge(ChargeFact::Move { .. }) => "move",
        Fact::Charge(ChargeFact::Refund { close: true, .. }) => "refund all",
        Fact::Charge(ChargeFact::Refund { .. }) => "refund",
        Fact::Request(RequestFact::Decided { .. })
        | Fact::Charge(ChargeFact::Hold { .. } | ChargeFact::Post { .. }) => "charge",
        _ => "other",
    });
    Some((*what, words.collect()))
}

#[test]
fn nobody_pays_twice_for_a_booking_that_was_moved() {
    let bo = account("bo@example.com", 5);
    let own_charge = |state| charge("b", state);
    let other_account_charge = modify(own_charge(ChargeState::Open), |c| {
        c.account = account_id("al@example.com");
    });
    let returned_charge = |state| modify(own_charge(state), |c| c.parts.clear());
    let rows = [
        (None, 1, Some((ChargeOutcome::Moved, vec!["move"]))),
        // An intent is about to decide, and only this intent ends its hold.
        (Some(own_charge(ChargeState::Held)), 1, None),
        // Both charges are the member's, so they are joined, and the surplus comes back.
        (
            Some(own_charge(ChargeState::Open)),
            1,
            Some((ChargeOutcome::Moved, vec!["move", "refund"])),
        ),
        (
            Some(own_charge(ChargeState::Open)),
            2,
            Some((ChargeOutcome::Moved, vec!["move"])),
        ),
        // The successor was paid for on its own, for good or by another account.
        (
            Some(own_charge(ChargeState::Final)),
            1,
            Some((ChargeOutcome::Refunded, vec!["refund all"])),
        ),
        (
            Some(other_account_charge),
            1,
            Some((ChargeOutcome::Refunded, vec!["refund all"])),
        ),
        // The successor's own credits came back: the charge stays under the old name, and the
        // booking is still to come.
        (Some(returned_charge(ChargeState::Refunded)), 1, None),
        (Some(returned_charge(ChargeState::Void)), 1, None),
    ];
    for (successor, cost, expect) in rows {
        let verdict = watch_successor(successor.as_ref(), &bo, cost, now());
        assert_eq!(summarize(&verdict), expect, "{successor:?}: {verdict:?}");
    }
    // Whatever the time is, only the intent ends its hold.
    let held_charge = own_charge(ChargeState::Held);
    let late = watch_successor(Some(&held_charge), &bo, 1, now() + Span::days(30));
    assert_eq!(summarize(&late), None, "{late:?}");
}

/// Only the open intent ends a charge that it takes over, whatever else the booking looks like: a
/// late move, a cancellation whose successor is not visible (v1), a booking that is over or was
/// deleted.
#[test]
fn what_is_being_taken_over_is_left_to_its_intent() {
    let gate = modify(gate(), |gate| {
        gate.terms.refunds.late_move = LateMove::Cancellation
    });
    let cancelled = with_status(booking("a"), BookingStatus::Cancelled);
    let accepted = with_status(booking("a"), BookingStatus::Accepted);
    let late = modify(moved_chain(), |chain| {
        chain[1].created_at = chain[0].start - Span::hours(1);
        chain[1].status = BookingStatus::Pending;
    });
    let rows = [
        ("a late move", late, ChainEnd::Whole),
        ("cancelled", vec![cancelled], ChainEnd::Whole),
        ("over", vec![accepted], ChainEnd::Whole),
        ("deleted", Vec::new(), ChainEnd::Gone),
    ];
    for (name, chain, end) in rows {
        for taken_over in [false, true] {
            let verdict = watch_charge(&ChargeCase {
                charge: &charge("a", ChargeState::Open),
                chain: &chain,
                chain_end: end,
                terms: &gate.terms.refunds,
                hosts: &[],
                last_gate: Some(&gate),
                last_cost: Some(1),
                account: &account("bo@example.com", 5),
                forgiven_absences: 0,
                successor_charge: None,
                last_request: None,
                is_taken_over: taken_over,
                now: booking("a").end + Span::days(30),
                policy_hash: "policy",
            });
            let is_written = matches!(verdict, ChargeDecision::Write { .. });
            assert_eq!(is_written, !taken_over, "{name}: {verdict:?}");
        }
    }
}
