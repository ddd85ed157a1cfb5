//! Where credits go that come back, by the state of the lots that paid.

use std::convert::Infallible;
use std::sync::Arc;

use super::fixtures::*;
use crate::domain::fact::{ChargeFact, Fact, RefundPart};
use crate::domain::grant::{GrantKind, GrantRecord};
use crate::domain::id::{BookingUid, Reference};
use crate::domain::ledger::LedgerRecords;
use crate::domain::ledger::in_memory::InMemoryLedger;
use crate::domain::refund_lots::{RefundSources, restore_expired};
use crate::domain::refund_policy::{ExpiredRefund, RefundTerms};
use crate::domain::request::{Charge, ChargeState};
use crate::domain::time::Span;

impl RefundSources for InMemoryLedger {
    type Error = Infallible;

    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, Infallible> {
        Ok(self.charges.get(booking).cloned())
    }

    fn grant_record(&self, reference: &Reference) -> Result<Option<GrantRecord>, Infallible> {
        Ok(self.grants.get(reference).cloned())
    }
}

/// Returns a ledger with a charge of three lots: one that has not expired, one that has, and one
/// that a refund had made and that has expired as well.
fn ledger_with_three_lots(state: ChargeState, rule: Option<ExpiredRefund>) -> InMemoryLedger {
    let mut memory = InMemoryLedger::default();
    let lots = [
        ("lasts", Some(at_minute(60)), GrantKind::Grant),
        ("expired", Some(at_minute(0)), GrantKind::Grant),
        ("again", Some(at_minute(0)), GrantKind::Restored),
    ];
    for (name, expires, kind) in lots {
        memory.put_grant_record(GrantRecord {
            terms: Default::default(),
            reference: grant_reference(name),
            account: account_id("bo@example.com"),
            credits: 9,
            kind,
            expires,
            reason: String::new(),
            at: at_minute(-100),
        });
    }
    memory.put_charge(modify(charge("a", state), |charge| {
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

fn all_parts() -> Vec<RefundPart> {
    [("lasts", 1), ("expired", 2), ("again", 3)]
        .map(|(name, credits)| RefundPart {
            grant: grant_reference(name),
            credits,
            replacement_lot: None,
        })
        .to_vec()
}

#[test]
fn one_rule_for_a_void_a_refund_and_the_surplus_of_a_move() {
    let forfeit = ExpiredRefund::Forfeit;
    let restore = ExpiredRefund::RestoreFor(Span::hours(2));
    // the rule of the charge, the present rule of its gate, whether the expired lot is replaced
    let rows = [
        (Some(restore), None, true),
        (Some(restore), Some(forfeit), true),
        (Some(forfeit), Some(restore), false),
        // The charge is from the log of an older version.
        (None, Some(restore), true),
        (None, Some(forfeit), false),
        (None, None, false),
    ];
    let refund = |booking: &str| {
        Fact::Charge(ChargeFact::Refund {
            booking: uid(booking),
            parts: all_parts(),
            close: booking == "a",
            reason: "test".into(),
        })
    };
    let void = Fact::Charge(ChargeFact::Void {
        booking: uid("a"),
        reason: "test".into(),
        refund_parts: Vec::new(),
    });
    let move_fact = Fact::Charge(ChargeFact::Move {
        from: uid("a"),
        to: booking_ref("b"),
        start: at_minute(900),
        end: at_minute(930),
        non_refundable: 0,
    });
    for (charge_rule, gate_rule, is_replaced) in rows {
        let cases = [
            (ChargeState::Held, vec![void.clone()]),
            (ChargeState::Open, vec![refund("a")]),
            (ChargeState::Open, vec![move_fact.clone(), refund("b")]),
        ];
        for (state, mut facts) in cases {
            let memory = ledger_with_three_lots(state, charge_rule);
            let Ok(()) = restore_expired(&mut facts, at_minute(0), gate_rule, &memory);
            let parts = match facts.last() {
                Some(Fact::Charge(ChargeFact::Void {
                    refund_parts: back, ..
                })) if back.is_empty() => all_parts(),
                Some(Fact::Charge(
                    ChargeFact::Void {
                        refund_parts: parts,
                        ..
                    }
                    | ChargeFact::Refund { parts, .. },
                )) => parts.clone(),
                other => panic!("{other:?}"),
            };
            let until: Vec<_> = parts
                .iter()
                .map(|part| part.replacement_lot.as_ref().map(|(_, until)| *until))
                .collect();
            let expect = is_replaced.then(|| at_minute(120));
            assert_eq!(
                until,
                [None, expect, None],
                "{charge_rule:?} {gate_rule:?} {facts:?}"
            );
            // Replacements that are filled in stay as they are, and another rule does not change
            // them.
            let mut second_run = facts.clone();
            let Ok(()) = restore_expired(&mut second_run, at_minute(30), None, &memory);
            if is_replaced {
                assert_eq!(second_run, facts);
            }
        }
    }
}
