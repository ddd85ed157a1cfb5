//! Where credits go that come back, by what became of the lots that paid.

use std::convert::Infallible;
use std::sync::Arc;

use super::make::*;
use super::memory::Memory;
use crate::domain::fact::{Back, Fact};
use crate::domain::id::{BookingUid, Reference};
use crate::domain::ledger::{Given, GivenKind, Records};
use crate::domain::refund::{Lookup, restore_expired};
use crate::domain::request::{Charge, ChargeState};
use crate::domain::terms::{ExpiredRefund, RefundTerms};
use crate::domain::time::Span;

impl Lookup for Memory {
    type Error = Infallible;

    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, Infallible> {
        Ok(self.charges.get(booking).cloned())
    }

    fn given(&self, reference: &Reference) -> Result<Option<Given>, Infallible> {
        Ok(self.given.get(reference).cloned())
    }
}

/// A charge of three lots: one that lasts, one that has expired, and one that a refund had made and that
/// has expired as well.
fn memory(state: ChargeState, rule: Option<ExpiredRefund>) -> Memory {
    let mut memory = Memory::default();
    let lots = [
        ("lasts", Some(at(60)), GivenKind::Grant),
        ("expired", Some(at(0)), GivenKind::Grant),
        ("again", Some(at(0)), GivenKind::Restored),
    ];
    for (name, expires, kind) in lots {
        memory.put_given(Given {
            reference: grant(name),
            account: acc("bo@example.com"),
            credits: 9,
            kind,
            expires,
            reason: String::new(),
            at: at(-100),
        });
    }
    memory.put_charge(but(charge("a", state), |charge| {
        charge.parts = vec![part("lasts", 1), part("expired", 2), part("again", 3)];
        charge.terms = rule.map(|expired_refund| {
            Arc::new(RefundTerms {
                expired_refund,
                ..RefundTerms::default()
            })
        });
    }));
    memory
}

fn all_back() -> Vec<Back> {
    [("lasts", 1), ("expired", 2), ("again", 3)]
        .map(|(name, credits)| Back {
            grant: grant(name),
            credits,
            restored: None,
        })
        .to_vec()
}

#[test]
fn one_rule_for_a_void_a_refund_and_the_surplus_of_a_move() {
    let forfeit = ExpiredRefund::Forfeit;
    let restore = ExpiredRefund::RestoreFor(Span::hours(2));
    // the rule of the charge, the present one of its gate, whether the expired lot is replaced
    let rows = [
        (Some(restore), None, true),
        (Some(restore), Some(forfeit), true),
        (Some(forfeit), Some(restore), false),
        // From the log of an older version.
        (None, Some(restore), true),
        (None, Some(forfeit), false),
        (None, None, false),
    ];
    let refund = |booking: &str| Fact::Refund {
        booking: uid(booking),
        parts: all_back(),
        close: booking == "a",
        reason: "test".into(),
    };
    let void = Fact::Void {
        booking: uid("a"),
        reason: "test".into(),
        back: Vec::new(),
    };
    let moved = Fact::Move {
        from: uid("a"),
        to: named("b"),
        start: at(900),
        end: at(930),
        keeps: 0,
    };
    for (own, present, replaced) in rows {
        let ways = [
            (ChargeState::Held, vec![void.clone()]),
            (ChargeState::Open, vec![refund("a")]),
            (ChargeState::Open, vec![moved.clone(), refund("b")]),
        ];
        for (state, mut facts) in ways {
            let memory = memory(state, own);
            let Ok(()) = restore_expired(&mut facts, at(0), present, &memory);
            let parts = match facts.last() {
                Some(Fact::Void { back, .. }) if back.is_empty() => all_back(),
                Some(Fact::Void { back: parts, .. } | Fact::Refund { parts, .. }) => parts.clone(),
                other => panic!("{other:?}"),
            };
            let until: Vec<_> = parts
                .iter()
                .map(|part| part.restored.as_ref().map(|(_, until)| *until))
                .collect();
            let expect = replaced.then(|| at(120));
            assert_eq!(until, [None, expect, None], "{own:?} {present:?} {facts:?}");
            // What is filled in stays as it is, and another rule changes nothing about it.
            let mut again = facts.clone();
            let Ok(()) = restore_expired(&mut again, at(30), None, &memory);
            if replaced {
                assert_eq!(again, facts);
            }
        }
    }
}
