//! A member's account: its lots, its totals, and a preview of spending.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::Credits;
use super::id::{AccountId, Address, Reference};
use super::time::Time;

/// The largest number of live lots in one account. A member with more is a mistake in an import,
/// and every payment reads all of them.
pub const MAX_LOTS: usize = 1_000;

/// The largest number of aliases of one account.
pub const MAX_ALIASES: usize = 100;

/// What is left of one grant. An account does not keep lots that are used up; the ledger keeps
/// their grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// The grant's reference.
    pub grant: Reference,
    /// The credits that the grant gave.
    pub granted: Credits,
    /// The credits that are left in the lot.
    pub remaining: Credits,
    /// The instant from which the remaining credits count as expired. `None`: never.
    pub expires: Option<Time>,
    /// When the credits were granted. Of lots with the same expiry, the older grant pays first.
    pub granted_at: Time,
}

/// Credits taken from, or going back to, one lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotPart {
    /// The reference of the lot's grant.
    pub grant: Reference,
    /// The credits of this lot alone.
    pub credits: Credits,
}

/// Sums since the account was opened. Credits that are still available are in the lots, not here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// The credits that grants gave, revoked ones included.
    pub granted: Credits,
    /// The posted credits that refunds gave back.
    pub refunded: Credits,
    /// The credits that open holds reserve.
    pub held: Credits,
    /// The credits that were spent, refunded ones included.
    pub posted: Credits,
    /// The credits whose expiry is recorded.
    pub expired: Credits,
    /// The credits that operators took back.
    pub revoked: Credits,
}

/// A member's entry in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account's name.
    pub id: AccountId,
    /// Increases with every change to the account.
    pub version: u64,
    /// When the account was opened.
    pub opened_at: Time,
    /// The addresses that lead to the account, in addition to its own name.
    pub aliases: BTreeSet<Address>,
    /// In the order in which the lots pay: earliest expiry first, then the older grant.
    pub lots: Vec<Lot>,
    /// The account's sums since it was opened.
    pub totals: Totals,
    /// Why an operator froze the account. `None`: it is not frozen.
    pub freeze_reason: Option<String>,
    /// The member's tier, set by an operator. `None`: the member has no tier.
    pub tier: Option<String>,
    /// The member's tags, set by an operator.
    pub tags: BTreeSet<String>,
    /// Further data about the member by name, set by an operator and read by rules.
    pub attributes: BTreeMap<String, String>,
    /// The hash of the member's PIN; never the PIN.
    pub pin_hash: Option<String>,
}

/// An account's sums at an instant. Lots past their expiry count as expired, whether or not that is
/// recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// The credits that can be spent at the instant.
    pub available: Credits,
    /// The credits that open holds reserve.
    pub held: Credits,
    /// The credits that were spent, refunded ones included.
    pub posted: Credits,
    /// The credits that are past their expiry at the instant.
    pub expired: Credits,
    /// The credits that operators took back.
    pub revoked: Credits,
    /// The credits that grants gave, revoked ones included.
    pub granted: Credits,
    /// The posted credits that refunds gave back.
    pub refunded: Credits,
}

impl Account {
    /// Returns an account without lots, aliases or data about the member.
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

    /// Returns the credits that can be spent at `now`.
    pub fn available(&self, now: Time) -> Credits {
        self.lots
            .iter()
            .filter(|lot| lot.is_spendable(now))
            .map(|lot| lot.remaining)
            .sum()
    }

    /// Returns the account's sums at `now`.
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

    /// Returns the lots that would pay `credits` at `now`, without taking the credits. Returns
    /// `None` when there are too few.
    pub fn allocate(&self, credits: Credits, now: Time) -> Option<Vec<LotPart>> {
        SpendPreview::new(self).allocate(credits, now)
    }

    /// Returns true if promise 1 holds: granted + refunded = available + held + posted + expired +
    /// revoked.
    pub fn adds_up(&self) -> bool {
        let remaining: Credits = self.lots.iter().map(|lot| lot.remaining).sum();
        let totals = &self.totals;
        totals.granted + totals.refunded
            == remaining + totals.held + totals.posted + totals.expired + totals.revoked
    }

    pub(super) fn lot(&mut self, grant: &Reference) -> Option<&mut Lot> {
        self.lots.iter_mut().find(|lot| lot.grant == *grant)
    }

    /// Adds the lot at its place in the payment order.
    pub(super) fn insert(&mut self, lot: Lot) {
        let at = self.lots.partition_point(|other| other.pays_before(&lot));
        self.lots.insert(at, lot);
    }

    /// Removes lots that are used up. The ledger keeps their grants.
    pub(super) fn remove_empty_lots(&mut self) {
        self.lots.retain(|lot| lot.remaining > 0);
    }
}

impl Lot {
    /// Returns true if the lot has credits left and has not expired at `now`.
    pub fn is_spendable(&self, now: Time) -> bool {
        self.remaining > 0 && self.is_unexpired(now)
    }

    /// Returns true if the lot has not expired at `now`.
    pub fn is_unexpired(&self, now: Time) -> bool {
        self.expires.is_none_or(|at| now < at)
    }

    fn pays_before(&self, other: &Self) -> bool {
        let key = |lot: &Self| (lot.expires.is_none(), lot.expires, lot.granted_at);
        (key(self), &self.grant) < (key(other), &other.grant)
    }
}

/// A preview of spending from an account, without changing the account: a plan sees what its
/// earlier steps have left. The lots are borrowed, so a preview of many accounts copies nothing.
#[derive(Debug, Clone)]
pub struct SpendPreview<'a> {
    /// In the order in which the lots pay.
    lots: Vec<LotRemainder<'a>>,
}

/// A lot and the credits that the preview leaves in the lot.
#[derive(Debug, Clone, Copy)]
struct LotRemainder<'a> {
    lot: &'a Lot,
    remaining: Credits,
}

impl<'a> SpendPreview<'a> {
    /// Returns a preview in which nothing is spent yet.
    pub fn new(account: &'a Account) -> Self {
        let whole = |lot: &'a Lot| LotRemainder {
            lot,
            remaining: lot.remaining,
        };
        Self {
            lots: account.lots.iter().map(whole).collect(),
        }
    }

    /// Returns the credits that can be spent at `now`.
    pub fn available(&self, now: Time) -> Credits {
        let unexpired = self.lots.iter().filter(|rest| rest.lot.is_unexpired(now));
        unexpired.map(|rest| rest.remaining).sum()
    }

    /// Returns the lots that would pay `credits` at `now`, without taking the credits. Returns
    /// `None` when there are too few.
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

    /// Takes what is left of the expired lots, and returns these parts.
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

/// Returns the sum of the parts, or the largest number when the sum is too large for the type,
/// which no account can have.
pub fn sum_credits(parts: &[LotPart]) -> Credits {
    parts
        .iter()
        .fold(0, |sum, part| sum.saturating_add(part.credits))
}
