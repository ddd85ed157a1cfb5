//! One member's place in the ledger: what is left of which grant, what became of the rest, and a
//! preview of spending.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::Credits;
use super::id::{AccountId, Address, Reference};
use super::time::Time;

/// Lots one account may have alive at once. A member with more is a mistake in an import, and every
/// payment looks at all of them.
pub const MAX_LOTS: usize = 1_000;

/// Aliases one account may have.
pub const MAX_ALIASES: usize = 100;

/// What is left of one grant. Lots that are used up are not kept here; their grant is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// The grant's reference.
    pub grant: Reference,
    pub granted: Credits,
    pub remaining: Credits,
    /// From this instant on, what is left counts as expired. `None`: never.
    pub expires: Option<Time>,
    pub granted_at: Time,
}

/// Credits taken from, or going back to, one lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotPart {
    pub grant: Reference,
    pub credits: Credits,
}

/// Sums since the account was opened. What is available and not listed here is in the lots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub granted: Credits,
    pub refunded: Credits,
    pub held: Credits,
    pub posted: Credits,
    pub expired: Credits,
    pub revoked: Credits,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    /// Goes up with every commit that touches the account.
    pub version: u64,
    pub opened_at: Time,
    pub aliases: BTreeSet<Address>,
    /// In the order in which they pay: earliest expiry first, then the older grant.
    pub lots: Vec<Lot>,
    pub totals: Totals,
    /// Why an operator froze it.
    pub freeze_reason: Option<String>,
    pub tier: Option<String>,
    pub tags: BTreeSet<String>,
    pub attributes: BTreeMap<String, String>,
    /// The hash of the member's PIN; never the PIN.
    pub pin_hash: Option<String>,
}

/// An account's sums at an instant: lots past their expiry count as expired, written down or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    pub available: Credits,
    pub held: Credits,
    pub posted: Credits,
    pub expired: Credits,
    pub revoked: Credits,
    pub granted: Credits,
    pub refunded: Credits,
}

impl Account {
    pub fn new(id: AccountId, opened_at: Time) -> Self {
        Self {
            id,
            version: 0,
            opened_at,
            aliases: BTreeSet::new(),
            lots: Vec::new(),
            totals: Totals::default(),
            freeze_reason: None,
            tier: None,
            tags: BTreeSet::new(),
            attributes: BTreeMap::new(),
            pin_hash: None,
        }
    }

    /// What could be spent at `now`.
    pub fn available(&self, now: Time) -> Credits {
        self.lots
            .iter()
            .filter(|lot| lot.is_spendable(now))
            .map(|lot| lot.remaining)
            .sum()
    }

    pub fn balance(&self, now: Time) -> Balance {
        let available = self.available(now);
        let remaining: Credits = self.lots.iter().map(|lot| lot.remaining).sum();
        Balance {
            available,
            held: self.totals.held,
            posted: self.totals.posted,
            expired: self.totals.expired + (remaining - available),
            revoked: self.totals.revoked,
            granted: self.totals.granted,
            refunded: self.totals.refunded,
        }
    }

    /// Returns which lots would pay `credits` at `now`, without taking them; `None` when there are too
    /// few.
    pub fn allocate(&self, credits: Credits, now: Time) -> Option<Vec<LotPart>> {
        SpendPreview::new(self).allocate(credits, now)
    }

    /// Promise 1: granted + refunded = available + held + posted + expired + revoked.
    pub fn adds_up(&self) -> bool {
        let remaining: Credits = self.lots.iter().map(|lot| lot.remaining).sum();
        let totals = &self.totals;
        totals.granted + totals.refunded
            == remaining + totals.held + totals.posted + totals.expired + totals.revoked
    }

    pub(super) fn lot(&mut self, grant: &Reference) -> Option<&mut Lot> {
        self.lots.iter_mut().find(|lot| lot.grant == *grant)
    }

    /// Adds the lot at its place in the order of payment.
    pub(super) fn insert(&mut self, lot: Lot) {
        let at = self.lots.partition_point(|other| other.pays_before(&lot));
        self.lots.insert(at, lot);
    }

    /// Forgets lots that are used up; their grants are kept elsewhere.
    pub(super) fn remove_empty_lots(&mut self) {
        self.lots.retain(|lot| lot.remaining > 0);
    }
}

impl Lot {
    pub fn is_spendable(&self, now: Time) -> bool {
        self.remaining > 0 && self.is_unexpired(now)
    }

    /// Its time has not come.
    pub fn is_unexpired(&self, now: Time) -> bool {
        self.expires.is_none_or(|at| now < at)
    }

    fn pays_before(&self, other: &Self) -> bool {
        let key = |lot: &Self| (lot.expires.is_none(), lot.expires, lot.granted_at);
        (key(self), &self.grant) < (key(other), &other.grant)
    }
}

/// What can be spent of an account, tried out without changing it: a plan sees in it what its steps so
/// far have left. The lots are borrowed, so a preview of many accounts copies nothing.
#[derive(Debug, Clone)]
pub struct SpendPreview<'a> {
    /// In the order in which they pay.
    lots: Vec<LotRemainder<'a>>,
}

/// A lot, and what is left of it in the preview.
#[derive(Debug, Clone, Copy)]
struct LotRemainder<'a> {
    lot: &'a Lot,
    remaining: Credits,
}

impl<'a> SpendPreview<'a> {
    pub fn new(account: &'a Account) -> Self {
        let whole = |lot: &'a Lot| LotRemainder {
            lot,
            remaining: lot.remaining,
        };
        Self {
            lots: account.lots.iter().map(whole).collect(),
        }
    }

    /// What could be spent at `now`.
    pub fn available(&self, now: Time) -> Credits {
        let unexpired = self.lots.iter().filter(|rest| rest.lot.is_unexpired(now));
        unexpired.map(|rest| rest.remaining).sum()
    }

    /// Returns which lots would pay `credits` at `now`, without taking them; `None` when there are too
    /// few.
    pub fn allocate(&self, credits: Credits, now: Time) -> Option<Vec<LotPart>> {
        let mut missing = credits;
        let mut parts = Vec::new();
        let is_spendable =
            |rest: &&LotRemainder<'_>| rest.remaining > 0 && rest.lot.is_unexpired(now);
        for LotRemainder {
            lot,
            remaining: left,
        } in self.lots.iter().filter(is_spendable)
        {
            if missing == 0 {
                break;
            }
            let credits = missing.min(*left);
            missing -= credits;
            parts.push(LotPart {
                grant: lot.grant.clone(),
                credits,
            });
        }
        (missing == 0).then_some(parts)
    }

    /// Takes the parts from their lots.
    pub fn spend(&mut self, parts: &[LotPart]) {
        for part in parts {
            let of = |rest: &&mut LotRemainder<'_>| rest.lot.grant == part.grant;
            if let Some(rest) = self.lots.iter_mut().find(of) {
                rest.remaining = rest.remaining.saturating_sub(part.credits);
            }
        }
    }

    /// Takes what is left of the lots that have expired, and returns these parts.
    pub fn expire_lots(&mut self, now: Time) -> Vec<LotPart> {
        let expired =
            |rest: &&mut LotRemainder<'_>| rest.remaining > 0 && !rest.lot.is_unexpired(now);
        let expired = self.lots.iter_mut().filter(expired);
        let parts = expired.map(|rest| LotPart {
            grant: rest.lot.grant.clone(),
            credits: std::mem::take(&mut rest.remaining),
        });
        parts.collect()
    }
}

/// The sum of parts; of what no account can have, the most there is.
pub fn sum_credits(parts: &[LotPart]) -> Credits {
    parts
        .iter()
        .fold(0, |sum, part| sum.saturating_add(part.credits))
}
