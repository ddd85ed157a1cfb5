//! Random facts, most of them nonsense: whatever is taken, the ledger adds up.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::make::*;
use super::memory::Memory;
use crate::domain::account::Part;
use crate::domain::decision::{Credits, Outcome};
use crate::domain::fact::{Back, Fact};
use crate::domain::id::BookingUid;
use crate::domain::request::{
    CallEnd, CallKind, CallNote, Charge, ChargeState, RequestState, Verdict,
};

const ACCOUNTS: [&str; 3] = ["bo@example.com", "al@example.com", "club"];

/// What one random fact is made of; which of the numbers matter depends on the kind.
#[derive(Debug, Clone)]
struct Dice {
    kind: u8,
    account: usize,
    one: u8,
    two: u8,
    credits: Credits,
    parts: Vec<(u8, Credits)>,
    /// Whether the parts are those that the account would really pay with, or those it did.
    fitting: bool,
    flag: bool,
    minutes: i64,
}

fn dice() -> impl Strategy<Value = Dice> {
    let parts = prop::collection::vec((0..6u8, 0..5u64), 0..3);
    (
        (0..19u8, 0..3usize, 0..6u8, 0..6u8),
        (
            0..6u64,
            parts,
            prop::bool::weighted(0.8),
            any::<bool>(),
            0..20i64,
        ),
    )
        .prop_map(
            |((kind, account, one, two), (credits, parts, fitting, flag, minutes))| Dice {
                kind,
                account,
                one,
                two,
                credits,
                parts,
                fitting,
                flag,
                minutes,
            },
        )
}

/// The fact, thrown at the ledger as it is at that minute.
fn fact(dice: &Dice, memory: &Memory, minute: i64) -> Fact {
    let account = ACCOUNTS[dice.account];
    let booking = format!("b{}", dice.one);
    let request = format!("b{}", dice.two % 3);
    let reference = format!("g{}", dice.one);
    match dice.kind {
        0..=2 => {
            let expires = dice.flag.then(|| at(minute + dice.minutes));
            granted(&reference, account, dice.credits, expires)
        }
        3 => Fact::Revoke {
            reference: grant(&format!("r{}", dice.two)),
            account: acc(account),
            parts: paying(dice, memory, minute),
            reason: String::new(),
        },
        4 => Fact::Expire {
            account: acc(account),
            part: expiring(dice, memory, minute),
        },
        5..=7 => hold(&booking, &request, account, paying(dice, memory, minute)),
        8 | 9 => Fact::Post {
            booking: uid(&booking),
        },
        10 => Fact::Void {
            booking: uid(&booking),
            reason: "".into(),
            back: Vec::new(),
        },
        11 | 12 => Fact::Refund {
            booking: uid(&booking),
            parts: paid(dice, memory, &uid(&booking)),
            close: dice.flag,
            reason: "".into(),
        },
        13 => Fact::Move {
            from: uid(&booking),
            to: named(&format!("b{}", dice.two)),
            start: at(0),
            end: at(30),
            keeps: 0,
        },
        14 => Fact::Closed {
            booking: uid(&booking),
            reason: "".into(),
        },
        15 => decided(but(intent(&request, &[&request]), |r| {
            r.account = Some(acc(account));
            if dice.one == 0 {
                r.state = RequestState::Noted;
            }
        })),
        16 => Fact::Settled {
            request: rid(&request),
            outcome: Outcome::Confirmed,
        },
        17 => Fact::Reviewed {
            request: rid(&request),
            verdict: Verdict::Confirm,
            reason: String::new(),
        },
        _ => Fact::Called {
            request: rid(&request),
            call: CallNote {
                at: at(minute),
                booking: uid(&booking),
                kind: CallKind::Confirm,
                end: if dice.flag {
                    CallEnd::Answered
                } else {
                    CallEnd::Failed
                },
                text: String::new(),
            },
        },
    }
}

fn arbitrary(dice: &Dice) -> Vec<Part> {
    dice.parts
        .iter()
        .map(|(from, credits)| part(&format!("g{from}"), *credits))
        .collect()
}

fn paying(dice: &Dice, memory: &Memory, minute: i64) -> Vec<Part> {
    memory
        .accounts
        .get(&acc(ACCOUNTS[dice.account]))
        .and_then(|account| account.allocate(dice.credits, at(minute)))
        .filter(|_| dice.fitting)
        .unwrap_or_else(|| arbitrary(dice))
}

fn expiring(dice: &Dice, memory: &Memory, minute: i64) -> Part {
    memory
        .accounts
        .get(&acc(ACCOUNTS[dice.account]))
        .and_then(|account| account.lots.iter().find(|lot| !lot.alive(at(minute))))
        .filter(|_| dice.fitting)
        .map_or_else(
            || part(&format!("g{}", dice.one), dice.credits),
            |lot| Part {
                grant: lot.grant.clone(),
                credits: lot.left,
            },
        )
}

fn paid(dice: &Dice, memory: &Memory, booking: &BookingUid) -> Vec<Back> {
    let parts = memory
        .charges
        .get(booking)
        .filter(|_| dice.fitting)
        .map_or_else(|| arbitrary(dice), |charge| charge.parts.clone());
    let back = |(n, part): (usize, Part)| Back {
        grant: part.grant,
        credits: part.credits,
        restored: (dice.two == 0).then(|| (grant(&format!("x{}{n}", dice.one)), at(30))),
    };
    parts.into_iter().enumerate().map(back).collect()
}

/// What the promises say of single charges, counted beside the ledger.
#[derive(Default)]
struct Tally {
    holds: BTreeMap<BookingUid, Credits>,
    ends: BTreeMap<BookingUid, usize>,
    refunded: Credits,
    spent: Credits,
}

impl Tally {
    fn count(&mut self, fact: &Fact, before: &Memory) {
        match fact {
            Fact::Hold { booking, parts, .. } => {
                let credits = parts.iter().map(|part| part.credits).sum();
                self.holds.insert(booking.uid.clone(), credits);
                // Held for again after all came back.
                self.ends.remove(&booking.uid);
            }
            Fact::Post { booking } => {
                *self.ends.entry(booking.clone()).or_default() += 1;
                self.spent += before.charges[booking].credits();
            }
            Fact::Void { booking, .. } => *self.ends.entry(booking.clone()).or_default() += 1,
            Fact::Refund { parts, .. } => {
                self.refunded += parts.iter().map(|back| back.credits).sum::<Credits>();
            }
            Fact::Opened { .. }
            | Fact::Aliased { .. }
            | Fact::Unaliased { .. }
            | Fact::Described { .. }
            | Fact::Frozen { .. }
            | Fact::Pinned { .. }
            | Fact::Grant { .. }
            | Fact::Revoke { .. }
            | Fact::Expire { .. }
            | Fact::Move { .. }
            | Fact::Closed { .. }
            | Fact::Decided { .. }
            | Fact::Reviewed { .. }
            | Fact::Called { .. }
            | Fact::Settled { .. }
            | Fact::Unresolved { .. }
            | Fact::Resolved { .. }
            | Fact::Ledger(_) => {}
        }
    }

    fn must_hold(&self, memory: &Memory) {
        assert!(self.refunded <= self.spent);
        for booking in self.holds.keys() {
            let held = memory.charges[booking].state == ChargeState::Held;
            let ends = self.ends.get(booking).copied().unwrap_or(0);
            assert_eq!(ends, usize::from(!held), "{booking}");
        }
        for request in memory.requests.values() {
            if matches!(request.state, RequestState::Settled { .. }) {
                let held = |charge: &Charge| {
                    charge.state == ChargeState::Held && charge.request == request.id
                };
                assert!(!memory.charges.values().any(held), "{request:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_is_taken_adds_up(throws in prop::collection::vec(dice(), 1..80)) {
        let mut memory = Memory::default();
        let mut tally = Tally::default();
        for (minute, dice) in (0..).zip(&throws) {
            let fact = fact(dice, &memory, minute);
            let before = memory.clone();
            match memory.commit(at(minute), std::slice::from_ref(&fact)) {
                Ok(()) => tally.count(&fact, &before),
                Err(_) => prop_assert_eq!(&memory, &before),
            }
            memory.must_add_up();
            tally.must_hold(&memory);
        }
    }

    /// Facts in one commit or one after the other: the same ledger (promise 9).
    #[test]
    fn replaying_what_was_taken_gives_the_same_ledger(
        throws in prop::collection::vec(dice(), 1..80),
    ) {
        let mut memory = Memory::default();
        let mut taken = Vec::new();
        for dice in &throws {
            let fact = fact(dice, &memory, 40);
            if memory.commit(at(40), std::slice::from_ref(&fact)).is_ok() {
                taken.push(fact);
            }
        }
        let mut again = Memory::default();
        prop_assert_eq!(again.commit(at(40), &taken), Ok(()));
        prop_assert_eq!(again, memory);
    }
}
