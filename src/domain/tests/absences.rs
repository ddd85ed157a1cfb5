//! A booker who did not come, by what was paid and what was forgiven before.

use super::make::*;
use crate::domain::booking::{Attendee, Status};
use crate::domain::request::ChargeState;
use crate::domain::terms::{Forgive, NoShow};
use crate::domain::time::Span;
use crate::domain::watch::{Case, ChainEnd, Verdict, What, watch};

/// What is written, and why; `None`: it waits for an operator.
const FORGIVEN: &str = "the booker did not come; forgiven";

fn of(paid: bool, no_show: NoShow, forgiven: u32) -> Option<(What, String)> {
    let gate = but(gate(), |gate| {
        gate.terms.refunds.no_show = no_show;
        gate.terms.refunds.forgive = Some(Forgive {
            times: 1,
            per: Span::days(60),
        });
    });
    let charge = but(charge("a", ChargeState::Open), |charge| {
        if !paid {
            charge.parts.clear();
        }
    });
    let booking = but(with_status(booking("a"), Status::Accepted), |booking| {
        booking.attendees = vec![Attendee {
            address: booking.booker.as_ref().map(|booker| booker.address.clone()),
            name: None,
            time_zone: None,
            language: None,
            absent: true,
            seat: None,
        }];
    });
    let now = booking.end + gate.terms.refunds.grace;
    let verdict = watch(&Case {
        charge: &charge,
        chain: &[booking],
        end: ChainEnd::Whole,
        terms: &gate.terms.refunds,
        hosts: &[],
        last_gate: Some(&gate),
        last_cost: Some(1),
        account: &account("bo@example.com", 5),
        forgiven,
        successor: None,
        taken_over: false,
        request: None,
        now,
        policy: "policy",
    });
    match verdict {
        Verdict::Write { what, text, .. } => Some((what, text)),
        Verdict::Open { .. } => None,
    }
}

#[test]
fn what_was_not_paid_is_not_forgiven() {
    let missed = "the booker did not come";
    let nothing = "the booker did not come; nothing was paid";
    let rows = [
        (true, NoShow::Keep, 0, Some((What::Refunded, FORGIVEN))),
        (true, NoShow::Review, 0, Some((What::Refunded, FORGIVEN))),
        (true, NoShow::Keep, 1, Some((What::Kept, missed))),
        (true, NoShow::Review, 1, None),
        (true, NoShow::Refund, 0, Some((What::Refunded, missed))),
        // It would use up what is to be forgiven of a booking that costs something.
        (false, NoShow::Keep, 0, Some((What::Kept, nothing))),
        (false, NoShow::Review, 1, Some((What::Kept, nothing))),
    ];
    for (paid, no_show, forgiven, expect) in rows {
        let got = of(paid, no_show, forgiven);
        let got = got.as_ref().map(|(what, text)| (*what, text.as_str()));
        assert_eq!(got, expect, "paid {paid} {no_show:?} {forgiven}");
    }
}
