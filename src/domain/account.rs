//! A member's account: its lots, its totals, and a preview of spending.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::Credits;
use super::id::{AccountId, Address, Reference};
use super::lot::{Lot, Purpose};
use super::time::{Span, Time, clamp_to_four_digit_years};

/// The largest number of live lots in one account. A member with more is a mistake in an import,
/// and every payment reads all of them.
pub const MAX_LOTS: usize = 1_000;

/// The largest number of aliases of one account.
pub const MAX_ALIASES: usize = 100;

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
    /// The credits that came from other accounts, by a transfer or a merge.
    pub received: Credits,
    /// The credits that went to other accounts, by a transfer or a merge.
    pub sent: Credits,
    /// The credits that bookings took beyond what was there, within the overdraft limit.
    pub lent: Credits,
    /// The lent credits that later credits have settled.
    pub repaid: Credits,
}

impl Totals {
    /// Returns the lent credits that are not settled yet.
    pub fn debt(&self) -> Credits {
        self.lent.saturating_sub(self.repaid)
    }
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
    /// In the order in which the lots pay.
    pub lots: Vec<Lot>,
    /// The account's sums since it was opened.
    pub totals: Totals,
    /// Why an operator froze the account. `None`: it is not frozen.
    pub freeze_reason: Option<String>,
    /// Since when no lot of the frozen account expires. `None`: lots expire.
    pub expiry_stopped_at: Option<Time>,
    /// How the account was closed. `None`: it is open.
    pub closed: Option<Closing>,
    /// How many credits bookings may take beyond what is there. `None`: as the policy says.
    pub overdraft_limit: Option<Credits>,
    /// The member's tier, set by an operator. `None`: the member has no tier.
    pub tier: Option<String>,
    /// The member's tags, set by an operator.
    pub tags: BTreeSet<String>,
    /// Further data about the member by name, set by an operator and read by rules.
    pub attributes: BTreeMap<String, String>,
    /// The hash of the member's PIN; never the PIN.
    pub pin_hash: Option<String>,
}

/// How an account was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// Why, for people.
    pub reason: String,
    /// The account that has everything from now on, and to which the names lead. `None`: the account
    /// was closed without a successor.
    pub merged_into: Option<AccountId>,
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
    /// The credits that came from other accounts.
    pub received: Credits,
    /// The credits that went to other accounts.
    pub sent: Credits,
    /// The credits that bookings took beyond what was there.
    pub lent: Credits,
    /// The lent credits that later credits have settled.
    pub repaid: Credits,
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
            expiry_stopped_at: None,
            closed: None,
            overdraft_limit: None,
            tier: None,
            tags: BTreeSet::new(),
            attributes: BTreeMap::new(),
            pin_hash: None,
        }
    }

    /// Returns true if another account has everything of this one.
    pub fn is_merged(&self) -> bool {
        let closing = self.closed.as_ref();
        closing.is_some_and(|closing| closing.merged_into.is_some())
    }

    /// Returns the credits that can be spent at `now`, at any gate.
    pub fn available(&self, now: Time) -> Credits {
        let now = self.lot_clock(now);
        self.lots
            .iter()
            .filter(|lot| lot.is_spendable(now))
            .map(|lot| lot.remaining)
            .sum()
    }

    /// Returns the instant that counts for the expiry of the account's lots: the clock of a frozen
    /// account may stand still.
    pub fn lot_clock(&self, now: Time) -> Time {
        self.expiry_stopped_at.map_or(now, |since| since.min(now))
    }

    /// Returns the account's sums at `now`.
    pub fn balance(&self, now: Time) -> Balance {
        let available = self.available(now);
        let remaining: Credits = self.lots.iter().map(|lot| lot.remaining).sum();
        let totals = &self.totals;
        Balance {
            available,
            held: totals.held,
            posted: totals.posted,
            expired: totals.expired + (remaining - available),
            revoked: totals.revoked,
            granted: totals.granted,
            refunded: totals.refunded,
            received: totals.received,
            sent: totals.sent,
            lent: totals.lent,
            repaid: totals.repaid,
        }
    }

    /// Returns the lots that would pay `credits`, without taking the credits. Returns `None` when
    /// there are too few.
    pub fn allocate(&self, credits: Credits, purpose: &Purpose<'_>) -> Option<Vec<LotPart>> {
        SpendPreview::new(self).allocate(credits, purpose)
    }

    /// Returns true if promise 1 holds: what came in (granted, received, refunded, lent) is still
    /// available, or is held, posted, expired, revoked, sent or repaid.
    pub fn adds_up(&self) -> bool {
        let remaining: Credits = self.lots.iter().map(|lot| lot.remaining).sum();
        let totals = &self.totals;
        totals.granted + totals.received + totals.refunded + totals.lent
            == remaining
                + totals.held
                + totals.posted
                + totals.expired
                + totals.revoked
                + totals.sent
                + totals.repaid
            && totals.repaid <= totals.lent
    }

    /// Settles lent credits with the credits that came into this lot.
    pub(super) fn settle_debt(&mut self, grant: &Reference) {
        let debt = self.totals.debt();
        let Some(lot) = self.lot(grant) else { return };
        let settled = debt.min(lot.remaining);
        lot.remaining -= settled;
        self.totals.repaid += settled;
        self.remove_empty_lots();
    }

    /// Extends every lot that had not expired at `since` by `span`, and returns the names of these
    /// lots.
    pub(super) fn extend_lots(&mut self, since: Time, span: Span) -> Vec<(Reference, Time)> {
        let mut extended = Vec::new();
        for lot in &mut self.lots {
            if let Some(expires) = lot.expires.filter(|expires| *expires > since) {
                let later = clamp_to_four_digit_years(expires + span);
                lot.expires = Some(later);
                extended.push((lot.grant.clone(), later));
            }
        }
        self.sort_lots();
        extended
    }

    /// Restores the payment order after the expiry of lots was changed.
    pub(super) fn sort_lots(&mut self) {
        self.lots.sort_by(|one, other| {
            if one.pays_before(other) {
                std::cmp::Ordering::Less
            } else {
                std::cmp::Ordering::Greater
            }
        });
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

/// A preview of spending from an account, without changing the account: a plan sees what its
/// earlier steps have left. The lots are borrowed, so a preview of many accounts copies nothing.
#[derive(Debug, Clone)]
pub struct SpendPreview<'a> {
    account: &'a Account,
    /// In the order in which the lots pay.
    lots: Vec<LotRemainder<'a>>,
    /// The lent credits that are not settled, with those that this preview lends.
    debt: Credits,
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
            account,
            lots: account.lots.iter().map(whole).collect(),
            debt: account.totals.debt(),
        }
    }

    /// Returns the credits that can be spent on this.
    pub fn available(&self, purpose: &Purpose<'_>) -> Credits {
        let clock = |at| self.account.lot_clock(at);
        let lots = self.lots.iter();
        let may_pay = lots.filter(|rest| rest.lot.may_pay(purpose, clock));
        may_pay.map(|rest| rest.remaining).sum()
    }

    /// Returns how many credits may still be lent within this limit.
    pub fn lendable(&self, limit: Credits) -> Credits {
        limit.saturating_sub(self.debt)
    }

    /// Returns the lots that would pay `credits`, without taking the credits. Returns `None` when
    /// there are too few.
    pub fn allocate(&self, credits: Credits, purpose: &Purpose<'_>) -> Option<Vec<LotPart>> {
        let mut missing = credits;
        let mut parts = Vec::new();
        let clock = |at| self.account.lot_clock(at);
        let is_spendable =
            |rest: &&LotRemainder<'_>| rest.remaining > 0 && rest.lot.may_pay(purpose, clock);
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

    /// Counts credits as lent.
    pub fn lend(&mut self, credits: Credits) {
        self.debt += credits;
    }

    /// Takes what is left of the expired lots, and returns these parts.
    pub fn expire_lots(&mut self, now: Time) -> Vec<LotPart> {
        let now = self.account.lot_clock(now);
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
