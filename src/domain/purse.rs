//! What can be spent of an account, tried out without touching it: a plan sees in it what its steps
//! so far have left. The lots are borrowed; of ten thousand members nothing is copied.

use super::account::{Account, Lot, Part};
use super::decision::Credits;
use super::fact::Fact;
use super::id::AccountId;
use super::time::Time;

/// An account's lots, in the order in which they pay.
#[derive(Debug, Clone)]
pub struct Purse<'a> {
    account: &'a AccountId,
    lots: Vec<Rest<'a>>,
}

/// A lot, and what is left of it.
#[derive(Debug, Clone, Copy)]
struct Rest<'a> {
    lot: &'a Lot,
    left: Credits,
}

impl<'a> Purse<'a> {
    pub fn of(account: &'a Account) -> Self {
        let rest = |lot: &'a Lot| Rest {
            lot,
            left: lot.left,
        };
        Self {
            account: &account.id,
            lots: account.lots.iter().map(rest).collect(),
        }
    }

    /// What could be spent at `now`.
    pub fn available(&self, now: Time) -> Credits {
        let alive = self.lots.iter().filter(|rest| rest.lot.lasts(now));
        alive.map(|rest| rest.left).sum()
    }

    /// Which lots would pay `credits` at `now`, without taking them; `None` when there are too few.
    pub fn pick(&self, credits: Credits, now: Time) -> Option<Vec<Part>> {
        let mut missing = credits;
        let mut parts = Vec::new();
        let alive = |rest: &&Rest<'_>| rest.left > 0 && rest.lot.lasts(now);
        for Rest { lot, left } in self.lots.iter().filter(alive) {
            if missing == 0 {
                break;
            }
            let credits = missing.min(*left);
            missing -= credits;
            parts.push(Part {
                grant: lot.grant.clone(),
                credits,
            });
        }
        (missing == 0).then_some(parts)
    }

    /// Takes the parts from their lots.
    pub fn spend(&mut self, parts: &[Part]) {
        for part in parts {
            let of = |rest: &&mut Rest<'_>| rest.lot.grant == part.grant;
            if let Some(rest) = self.lots.iter_mut().find(of) {
                rest.left = rest.left.saturating_sub(part.credits);
            }
        }
    }

    /// Takes out what is left of lots whose time has come: the entries that say so.
    pub fn write_off(&mut self, now: Time) -> Vec<Fact> {
        let gone = |rest: &&mut Rest<'_>| rest.left > 0 && !rest.lot.lasts(now);
        let gone = self.lots.iter_mut().filter(gone);
        gone.map(|rest| Fact::Expire {
            account: self.account.clone(),
            part: Part {
                grant: rest.lot.grant.clone(),
                credits: std::mem::take(&mut rest.left),
            },
        })
        .collect()
    }
}
