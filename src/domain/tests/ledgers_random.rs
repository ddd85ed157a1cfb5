//! Random facts, most of them nonsense: after every fact that the ledger takes, the ledger adds up.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::fixtures::*;
use crate::domain::account::LotPart;
use crate::domain::credit_flows::CreditFlows;
use crate::domain::decision::{Credits, DecisionOutcome};
use crate::domain::fact::{AccountFact, ChargeFact, CreditFact, Fact, RefundPart, RequestFact};
use crate::domain::id::BookingUid;
use crate::domain::ledger::in_memory::InMemoryLedger;
use crate::domain::lot::{LotSource, Purpose};
use crate::domain::request::{
    CallEnd, CallKind, CallNote, Charge, ChargeState, OperatorDecision, RequestState,
};
use crate::domain::time::Span;

const ACCOUNTS: [&str; 3] = ["bo@example.com", "al@example.com", "club"];

/// The parts of one random fact. Its kind determines which of the numbers matter.
#[derive(Debug, Clone)]
struct RandomFact {
    kind: u8,
    account: usize,
    first_number: u8,
    second_number: u8,
    credits: Credits,
    parts: Vec<(u8, Credits)>,
    /// Whether the parts are those with which the account would really pay, or has paid.
    is_plausible: bool,
    flag: bool,
    minutes: i64,
}

fn random_fact() -> impl Strategy<Value = RandomFact> {
    let parts = prop::collection::vec((0..6u8, 0..5u64), 0..3);
    (
        (0..27u8, 0..3usize, 0..6u8, 0..6u8),
        (
            0..6u64,
            parts,
            prop::bool::weighted(0.8),
            any::<bool>(),
            0..20i64,
        ),
    )
        .prop_map(
            |(
                (kind, account, first_number, second_number),
                (credits, parts, is_plausible, flag, minutes),
            )| RandomFact {
                kind,
                account,
                first_number,
                second_number,
                credits,
                parts,
                is_plausible,
                flag,
                minutes,
            },
        )
}

/// Builds the fact for the ledger as it is at that minute.
fn build_fact(random: &RandomFact, memory: &InMemoryLedger, minute: i64) -> Fact {
    let account = ACCOUNTS[random.account];
    let booking = format!("b{}", random.first_number);
    let request = format!("b{}", random.second_number % 3);
    let reference = format!("g{}", random.first_number);
    match random.kind {
        0..=2 => {
            let expires = random.flag.then(|| at_minute(minute + random.minutes));
            grant_fact(&reference, account, random.credits, expires)
        }
        3 => Fact::Credit(CreditFact::Revoke {
            reference: grant_reference(&format!("r{}", random.second_number)),
            account: account_id(account),
            parts: payment_parts(random, memory, minute),
            reason: String::new(),
        }),
        4 => Fact::Credit(CreditFact::Expire {
            account: account_id(account),
            part: expiring_part(random, memory, minute),
        }),
        5..=7 => hold_fact(
            &booking,
            &request,
            account,
            payment_parts(random, memory, minute),
        ),
        8 | 9 => Fact::Charge(ChargeFact::Post {
            booking: uid(&booking),
        }),
        10 => Fact::Charge(ChargeFact::Void {
            booking: uid(&booking),
            reason: "".into(),
            refund_parts: Vec::new(),
        }),
        11 | 12 => Fact::Charge(ChargeFact::Refund {
            booking: uid(&booking),
            parts: refund_parts(random, memory, &uid(&booking)),
            close: random.flag,
            reason: "".into(),
        }),
        13 => Fact::Charge(ChargeFact::Move {
            from: uid(&booking),
            to: booking_ref(&format!("b{}", random.second_number)),
            start: at_minute(0),
            end: at_minute(30),
            non_refundable: 0,
        }),
        14 => Fact::Charge(ChargeFact::Closed {
            booking: uid(&booking),
            reason: "".into(),
        }),
        15 => decided_fact(modify(intent(&request, &[&request]), |r| {
            r.account = Some(account_id(account));
            if random.first_number == 0 {
                r.state = RequestState::Noted;
            }
        })),
        16 => Fact::Request(RequestFact::IntentSettled {
            request: request_id(&request),
            outcome: DecisionOutcome::Confirmed,
        }),
        17 => Fact::Request(RequestFact::Reviewed {
            request: request_id(&request),
            decision: OperatorDecision::Confirm,
            reason: String::new(),
        }),
        18 => Fact::Request(RequestFact::CallRecorded {
            request: request_id(&request),
            call: CallNote {
                at: at_minute(minute),
                booking: uid(&booking),
                kind: CallKind::Confirm,
                end: if random.flag {
                    CallEnd::Answered
                } else {
                    CallEnd::Failed
                },
                text: String::new(),
            },
        }),
        kind => build_account_fact(kind, random, memory, minute),
    }
}

/// Builds a fact that only some logs have: credits that are passed on, lent or given on terms, and
/// accounts that are frozen, closed or merged.
fn build_account_fact(kind: u8, random: &RandomFact, memory: &InMemoryLedger, minute: i64) -> Fact {
    let account = account_id(ACCOUNTS[random.account]);
    let other = account_id(ACCOUNTS[(random.account + 1) % ACCOUNTS.len()]);
    match kind {
        19 | 20 => Fact::Credit(CreditFact::Transfer {
            reference: grant_reference(&format!("t{}", random.second_number)),
            account,
            to: other,
            parts: payment_parts(random, memory, minute),
            reason: String::new(),
        }),
        21 => {
            let lots = memory.accounts.get(&account).map(|account| &account.lots);
            let left = lots.into_iter().flatten().map(|lot| lot.remaining).sum();
            let is_passed_on = |charge: &&Charge| {
                charge.account == account
                    && matches!(charge.state, ChargeState::Open | ChargeState::Final)
            };
            let charges = memory.charges.values().filter(is_passed_on);
            Fact::Account(AccountFact::Merged {
                charges: charges.map(|charge| charge.booking.uid.clone()).collect(),
                account,
                into: other,
                credits: if random.is_plausible {
                    left
                } else {
                    random.credits
                },
                reason: String::new(),
            })
        }
        22 if random.flag => Fact::Account(AccountFact::Closed {
            account,
            reason: String::new(),
        }),
        22 => Fact::Account(AccountFact::Reopened { account }),
        23 | 24 => Fact::Account(AccountFact::FreezeChanged {
            account,
            reason: random.flag.then(String::new),
            stops_expiry: random.flag && random.is_plausible,
        }),
        25 => {
            let booking = format!("b{}", random.first_number);
            let request = format!("b{}", random.second_number % 3);
            let parts = payment_parts(random, memory, minute);
            let mut fact = hold_fact(&booking, &request, account.as_str(), parts);
            if let Fact::Charge(ChargeFact::Hold { lent, .. }) = &mut fact {
                *lent = random.credits;
            }
            fact
        }
        _ => {
            let reference = format!("g{}", random.first_number);
            let mut fact = grant_fact(&reference, account.as_str(), random.credits, None);
            if let Fact::Credit(CreditFact::Grant { terms, .. }) = &mut fact {
                terms.source = match random.second_number % 3 {
                    0 => LotSource::Promotional,
                    1 => LotSource::Allowance,
                    _ => LotSource::Paid,
                };
                terms.priority = random.second_number.into();
                terms.lasts_after_first_use = Some(Span::minutes(random.minutes));
            }
            fact
        }
    }
}

fn arbitrary_parts(random: &RandomFact) -> Vec<LotPart> {
    random
        .parts
        .iter()
        .map(|(from, credits)| part(&format!("g{from}"), *credits))
        .collect()
}

fn payment_parts(random: &RandomFact, memory: &InMemoryLedger, minute: i64) -> Vec<LotPart> {
    memory
        .accounts
        .get(&account_id(ACCOUNTS[random.account]))
        .and_then(|account| {
            let purpose = Purpose::without_booking(at_minute(minute));
            account.allocate(random.credits, &purpose)
        })
        .filter(|_| random.is_plausible)
        .unwrap_or_else(|| arbitrary_parts(random))
}

fn expiring_part(random: &RandomFact, memory: &InMemoryLedger, minute: i64) -> LotPart {
    memory
        .accounts
        .get(&account_id(ACCOUNTS[random.account]))
        .and_then(|account| {
            account
                .lots
                .iter()
                .find(|lot| !lot.is_spendable(at_minute(minute)))
        })
        .filter(|_| random.is_plausible)
        .map_or_else(
            || part(&format!("g{}", random.first_number), random.credits),
            |lot| LotPart {
                grant: lot.grant.clone(),
                credits: lot.remaining,
            },
        )
}

fn refund_parts(
    random: &RandomFact,
    memory: &InMemoryLedger,
    booking: &BookingUid,
) -> Vec<RefundPart> {
    let parts = memory
        .charges
        .get(booking)
        .filter(|_| random.is_plausible)
        .map_or_else(|| arbitrary_parts(random), |charge| charge.parts.clone());
    let refund_part = |(n, part): (usize, LotPart)| RefundPart {
        grant: part.grant,
        credits: part.credits,
        replacement_lot: (random.second_number == 0).then(|| {
            (
                grant_reference(&format!("x{}{n}", random.first_number)),
                at_minute(30),
            )
        }),
    };
    parts.into_iter().enumerate().map(refund_part).collect()
}

/// Counts for the promises about single charges, kept independently of the ledger.
#[derive(Default)]
struct ChargeTally {
    holds: BTreeMap<BookingUid, Credits>,
    ends: BTreeMap<BookingUid, usize>,
    refunded: Credits,
    spent: Credits,
}

impl ChargeTally {
    fn count(&mut self, fact: &Fact, before: &InMemoryLedger) {
        match fact {
            Fact::Charge(ChargeFact::Hold {
                booking,
                parts,
                lent,
                ..
            }) => {
                let credits = parts.iter().map(|part| part.credits).sum::<Credits>() + lent;
                self.holds.insert(booking.uid.clone(), credits);
                // The booking is held for again after all of its credits came back.
                self.ends.remove(&booking.uid);
            }
            Fact::Charge(ChargeFact::Post { booking }) => {
                *self.ends.entry(booking.clone()).or_default() += 1;
                self.spent += before.charges[booking].credits();
            }
            Fact::Charge(ChargeFact::Void { booking, .. }) => {
                *self.ends.entry(booking.clone()).or_default() += 1
            }
            Fact::Charge(ChargeFact::Refund { parts, .. }) => {
                self.refunded += parts.iter().map(|back| back.credits).sum::<Credits>();
            }
            Fact::Account(_)
            | Fact::Credit(_)
            | Fact::Charge(ChargeFact::Move { .. } | ChargeFact::Closed { .. })
            | Fact::Request(_)
            | Fact::Unresolved(_)
            | Fact::Ledger(_)
            | Fact::By(_) => {}
        }
    }

    fn assert_promises(&self, memory: &InMemoryLedger) {
        assert!(self.refunded <= self.spent);
        for booking in self.holds.keys() {
            let is_held = memory.charges[booking].state == ChargeState::Held;
            let ends = self.ends.get(booking).copied().unwrap_or(0);
            assert_eq!(ends, usize::from(!is_held), "{booking}");
        }
        for request in memory.requests.values() {
            if matches!(request.state, RequestState::Settled { .. }) {
                let is_held_by_request = |charge: &Charge| {
                    charge.state == ChargeState::Held && charge.request == request.id
                };
                assert!(
                    !memory.charges.values().any(is_held_by_request),
                    "{request:?}"
                );
            }
        }
    }
}

/// What accounts passed on, others received.
fn assert_nothing_is_lost_between_accounts(memory: &InMemoryLedger) {
    let totals = || memory.accounts.values().map(|account| account.totals);
    let sent: Credits = totals().map(|totals| totals.sent).sum();
    let received: Credits = totals().map(|totals| totals.received).sum();
    assert_eq!(sent, received);
}

/// What is owed to members, and what members owe, as the accounts are.
fn owed_and_debt(memory: &InMemoryLedger) -> (i64, i64) {
    let accounts = || memory.accounts.values();
    let owed: Credits = { accounts() }
        .map(|account| {
            account
                .lots
                .iter()
                .map(|lot| lot.remaining)
                .sum::<Credits>()
        })
        .sum();
    let held: Credits = accounts().map(|account| account.totals.held).sum();
    let debt: Credits = accounts().map(|account| account.totals.debt()).sum();
    ((owed + held) as i64, debt as i64)
}

/// Counts the flows of one accepted fact from the fact itself, independently of the totals of accounts.
/// A fact does not say how much it settles of what was lent, so that is the change of the debt.
fn count_flows(fact: &Fact, before: &InMemoryLedger, after: &InMemoryLedger) -> CreditFlows {
    let sum = |parts: &[LotPart]| parts.iter().map(|part| part.credits).sum::<Credits>() as i64;
    let mut flows = CreditFlows::default();
    match fact {
        Fact::Credit(CreditFact::Grant { credits, terms, .. }) => match terms.source.as_str() {
            "paid" => flows.granted_paid = *credits as i64,
            "promotional" => flows.granted_promotional = *credits as i64,
            _ => flows.granted_allowance = *credits as i64,
        },
        Fact::Credit(CreditFact::Revoke { parts, .. }) => flows.revoked = sum(parts),
        Fact::Credit(CreditFact::Expire { part, .. }) => flows.expired = part.credits as i64,
        Fact::Charge(ChargeFact::Hold { lent, .. }) => flows.lent = *lent as i64,
        Fact::Charge(ChargeFact::Post { booking }) => {
            flows.used = before.charges[booking].credits() as i64;
        }
        Fact::Charge(ChargeFact::Refund { parts, .. }) => {
            for part in parts {
                flows.refunded += part.credits as i64;
                if part.replacement_lot.is_some() {
                    flows.restored += part.credits as i64;
                }
            }
        }
        _ => {}
    }
    flows.repaid = flows.lent - (owed_and_debt(after).1 - owed_and_debt(before).1);
    flows
}

/// The flows that the store counts, and those that are counted here, of the same fact.
fn assert_flows(fact: &Fact, before: &InMemoryLedger, after: &InMemoryLedger) {
    let mut flows = CreditFlows::default();
    flows.add_fact(fact);
    for (id, account) in &after.accounts {
        flows.add_change(before.accounts.get(id), account);
    }
    let counted = count_flows(fact, before, after);
    let owed = owed_and_debt(after).0 - owed_and_debt(before).0;
    assert_eq!(flows.owed(), owed, "{fact:?}");
    assert_eq!(flows.sent, flows.received, "{fact:?}");
    let without_places = CreditFlows {
        sent: 0,
        received: 0,
        held: 0,
        left: 0,
        ..flows
    };
    assert_eq!(without_places, counted, "{fact:?}");
    let came_in = counted.granted() + counted.refunded + counted.lent;
    let went_out = counted.repaid + counted.used + counted.expired + counted.revoked;
    assert_eq!(came_in - went_out, owed, "{fact:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Monthly accounts add up: what was owed before, with what came in and without what went out, is
    /// what is owed after each fact.
    #[test]
    fn the_flows_of_whatever_is_taken_add_up(
        throws in prop::collection::vec(random_fact(), 1..80),
    ) {
        let mut memory = InMemoryLedger::default();
        for (minute, random) in (0..).zip(&throws) {
            let fact = build_fact(random, &memory, minute);
            let before = memory.clone();
            if memory.commit(at_minute(minute), std::slice::from_ref(&fact)).is_ok() {
                assert_flows(&fact, &before, &memory);
            }
        }
    }

    #[test]
    fn whatever_is_taken_adds_up(throws in prop::collection::vec(random_fact(), 1..80)) {
        let mut memory = InMemoryLedger::default();
        let mut tally = ChargeTally::default();
        for (minute, random) in (0..).zip(&throws) {
            let fact = build_fact(random, &memory, minute);
            let before = memory.clone();
            match memory.commit(at_minute(minute), std::slice::from_ref(&fact)) {
                Ok(()) => tally.count(&fact, &before),
                Err(_) => prop_assert_eq!(&memory, &before),
            }
            memory.assert_adds_up();
            assert_nothing_is_lost_between_accounts(&memory);
            tally.assert_promises(&memory);
        }
    }

    /// Facts in one commit and facts one after the other give the same ledger (promise 9).
    #[test]
    fn replaying_what_was_taken_gives_the_same_ledger(
        throws in prop::collection::vec(random_fact(), 1..80),
    ) {
        let mut memory = InMemoryLedger::default();
        let mut accepted_facts = Vec::new();
        for random in &throws {
            let fact = build_fact(random, &memory, 40);
            if memory.commit(at_minute(40), std::slice::from_ref(&fact)).is_ok() {
                accepted_facts.push(fact);
            }
        }
        let mut replayed = InMemoryLedger::default();
        prop_assert_eq!(replayed.commit(at_minute(40), &accepted_facts), Ok(()));
        prop_assert_eq!(replayed, memory);
    }
}
