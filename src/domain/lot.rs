//! Lots: what is left of one grant, on what terms it can be spent, and in which order lots pay.

use std::collections::BTreeSet;

use super::decision::Credits;
use super::id::Reference;
use super::time::{Span, Time};

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
    /// When the credits were granted. Of lots that are otherwise equal, the older grant pays first.
    pub granted_at: Time,
    /// On what terms the credits were given.
    pub terms: LotTerms,
}

/// On what terms credits were given. The default is what a grant without terms has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LotTerms {
    /// Where the credits come from.
    pub source: LotSource,
    /// Lots with a smaller number pay first.
    pub priority: i16,
    /// The gates whose bookings the credits may pay for. Empty: all gates.
    pub gates: BTreeSet<String>,
    /// How long the credits last after the first booking that they paid for was confirmed. `None`: the
    /// first booking changes nothing.
    pub lasts_after_first_use: Option<Span>,
}

/// Where credits come from. Of lots with the same priority and expiry, those in the order of this
/// list pay first: a member loses nothing that was paid for while a gift is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LotSource {
    /// The credits are a gift, for example of a campaign.
    Promotional,
    /// An allowance of the configuration gave the credits.
    Allowance,
    /// The member paid for the credits, or nothing is known about them.
    #[default]
    Paid,
}

impl LotSource {
    /// Returns the word for the source in files and commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promotional => "promotional",
            Self::Allowance => "allowance",
            Self::Paid => "paid",
        }
    }

    /// Returns the source with this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Promotional, Self::Allowance, Self::Paid]
            .into_iter()
            .find(|source| source.as_str() == word)
    }
}

/// What credits are spent on. It decides which lots may pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purpose<'a> {
    /// When the credits are taken.
    pub now: Time,
    /// The gate whose booking is paid for. `None`: no booking is paid for, and every lot may give.
    pub gate: Option<&'a str>,
    /// The instant until which a lot must not have expired. It is never before `now`.
    pub unexpired_at: Time,
}

impl Purpose<'_> {
    /// Returns the purpose of credits that are taken back or passed on, and pay for no booking.
    pub fn without_booking(now: Time) -> Self {
        Self {
            now,
            gate: None,
            unexpired_at: now,
        }
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

    /// Returns true if the lot's terms allow the credits to be spent on this. `clock` converts an
    /// instant to that of the account, whose lots do not expire while it is frozen.
    pub(super) fn may_pay(&self, purpose: &Purpose<'_>, clock: impl Fn(Time) -> Time) -> bool {
        let gates = &self.terms.gates;
        let allowed = gates.is_empty() || purpose.gate.is_none_or(|gate| gates.contains(gate));
        allowed && self.is_unexpired(clock(purpose.unexpired_at.max(purpose.now)))
    }

    /// Returns true if this lot pays before the other: the smaller priority, then the earlier
    /// expiry, then the source, then the older grant.
    pub(super) fn pays_before(&self, other: &Self) -> bool {
        let key = |lot: &Self| {
            (
                lot.terms.priority,
                lot.expires.is_none(),
                lot.expires,
                lot.terms.source,
                lot.granted_at,
            )
        };
        (key(self), &self.grant) < (key(other), &other.grant)
    }
}
