//! A booker who did not come, by what was paid and which absences were forgiven before.

use super::fixtures::*;
use crate::domain::booking::{Attendee, BookingStatus};
use crate::domain::refund_policy::{Forgiveness, NoShow};
use crate::domain::request::ChargeState;
use crate::domain::time::Span;
use crate::domain::watch::{ChainEnd, ChargeCase, ChargeDecision, ChargeOutcome, watch_charge};

const FORGIVEN: &str = "the booker did not come; forgiven";

/// Returns what the watch writes, and why; `None` if the charge waits for an operator.
fn watch_no_show(paid: bool, no_show: NoShow, forgiven: u32) -> Option<(ChargeOutcome, String)> {
    let gate = modify(gate(), |gate| {
        gate.terms.refunds.no_show = no_show;
        gate.terms.refunds.forgiveness = Some(Forgiveness {
            times: 1,
            per: Span::days(60),
        });
    });
    let charge = modify(charge("a", ChargeState::Open), |charge| {
        if !paid {
            charge.parts.clear();
        }
    });
    let booking = modify(
        with_status(booking("a"), BookingStatus::Accepted),
        |booking| {
            booking.attendees = vec![Attendee {
                address: booking.booker.as_ref().map(|booker| booker.address.clone()),
                name: None,
                time_zone: None,
                language: None,
                absent: true,
                seat: None,
            }];
        },
    );
    let now = booking.end + gate.terms.refunds.grace;
    let verdict = watch_charge(&ChargeCase {
        charge: &charge,
        chain: &[booking],
        chain_end: ChainEnd::Whole,
        terms: &gate.terms.refunds,
        hosts: &[],
        last_gate: Some(&gate),
        last_cost: Some(1),
        account: &account("bo@example.com", 5),
        forgiven_absences: forgiven,
        successor_charge: None,
        is_taken_over: false,
        last_request: None,
        now,
        policy_hash: "policy",
    });
    match verdict {
        ChargeDecision::Write {
            outcome: what,
            text,
            ..
        } => Some((what, text)),
        ChargeDecision::Open { .. } => None,
    }
}

#[test]
fn what_was_not_paid_is_not_forgiven() {
    let missed = "the booker did not come";
    let nothing = "the booker did not come; nothing was paid";
    let rows = [
        (
            true,
            NoShow::Keep,
            0,
            Some((ChargeOutcome::Refunded, FORGIVEN)),
        ),
        (
            true,
            NoShow::Review,
            0,
            Some((ChargeOutcome::Refunded, FORGIVEN)),
        ),
        (true, NoShow::Keep, 1, Some((ChargeOutcome::Final, missed))),
        (true, NoShow::Review, 1, None),
        (
            true,
            NoShow::Refund,
            0,
            Some((ChargeOutcome::Refunded, missed)),
        ),
        // Forgiving an absence without a payment would use up the forgiveness for a booking that
        // costs something.
        (
            false,
            NoShow::Keep,
            0,
            Some((ChargeOutcome::Final, nothing)),
        ),
        (
            false,
            NoShow::Review,
            1,
            Some((ChargeOutcome::Final, nothing)),
        ),
    ];
    for (paid, no_show, forgiven, expect) in rows {
        let actual = watch_no_show(paid, no_show, forgiven);
        let actual = actual.as_ref().map(|(what, text)| (*what, text.as_str()));
        assert_eq!(actual, expect, "paid {paid} {no_show:?} {forgiven}");
    }
}
