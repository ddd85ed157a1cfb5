//! What the tests of facts do with a ledger in memory: commit to it, fill it, and check that it adds
//! up.

use std::collections::BTreeMap;

use crate::domain::decision::Credits;
use crate::domain::fact::Fact;
use crate::domain::grant::{GrantKind, GrantRecord};
use crate::domain::id::{AccountId, Reference};
use crate::domain::ledger::in_memory::InMemoryLedger;
use crate::domain::ledger::{LedgerRecords, Violation};
use crate::domain::request::ChargeState;
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Time;

impl InMemoryLedger {
    /// Commits all of the facts or none of them.
    pub fn commit(&mut self, at: Time, facts: &[Fact]) -> Result<(), Violation> {
        let mut draft = self.clone();
        for fact in facts {
            draft.apply_fact(at, fact)?;
        }
        *self = draft;
        Ok(())
    }

    /// Returns a ledger with what the snapshot knows. Its lots, and the lots from which its charges
    /// were paid, have grants.
    pub fn from_snapshot(snapshot: &Snapshot) -> Self {
        let mut memory = Self {
            accounts: snapshot.accounts.clone().into_iter().collect(),
            requests: snapshot.records.clone(),
            ..Self::default()
        };
        for account in snapshot.accounts.values() {
            for lot in &account.lots {
                memory.put_grant(&lot.grant, &account.id, lot.expires);
            }
        }
        for open in &snapshot.intents {
            memory.put_request(open.request.clone());
        }
        let charges = snapshot
            .intents
            .iter()
            .flat_map(|open| open.charges.iter().chain(&open.carried_charge));
        for charge in charges.chain(snapshot.carried_charges.values()) {
            for part in &charge.parts {
                if !memory.grants.contains_key(&part.grant) {
                    memory.put_grant(&part.grant, &charge.account, None);
                }
            }
            memory.put_charge(charge.clone());
        }
        memory
    }

    fn put_grant(&mut self, reference: &Reference, account: &AccountId, expires: Option<Time>) {
        self.put_grant_record(GrantRecord {
            terms: Default::default(),
            reference: reference.clone(),
            account: account.clone(),
            credits: 1_000,
            kind: GrantKind::Grant,
            expires,
            reason: String::new(),
            at: super::fixtures::at_minute(-10_000),
        });
    }

    /// # Panics
    /// Panics if promise 1 is broken, if a lot is empty, or if the charges differ from what the
    /// accounts hold, and from what they posted and did not refund.
    pub fn assert_adds_up(&self) {
        let mut held: BTreeMap<&AccountId, Credits> = BTreeMap::new();
        let mut charged: BTreeMap<&AccountId, Credits> = BTreeMap::new();
        for charge in self.charges.values() {
            let sums = match charge.state {
                ChargeState::Held => &mut held,
                ChargeState::Void
                | ChargeState::Open
                | ChargeState::Final
                | ChargeState::Refunded
                | ChargeState::Moved { .. } => &mut charged,
            };
            *sums.entry(&charge.account).or_default() += charge.credits();
        }
        for account in self.accounts.values() {
            let sum_of = |sums: &BTreeMap<_, Credits>| sums.get(&account.id).copied().unwrap_or(0);
            let totals = account.totals;
            assert!(account.adds_up(), "{account:?}");
            assert!(
                account.lots.iter().all(|lot| lot.remaining > 0),
                "{account:?}"
            );
            assert_eq!(totals.held, sum_of(&held), "{account:?}");
            assert_eq!(
                totals.posted,
                totals.refunded + sum_of(&charged),
                "{account:?}"
            );
        }
    }
}
