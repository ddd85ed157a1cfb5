//! The policy that applies to all gates.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::access_list::{AccessEntry, AddressNormalization};
use super::cap::{Cap, SharedCap};
use super::custom_rule::Rule;
use super::on_violation::OnViolation;
use crate::domain::account::Account;
use crate::domain::allowance::Allowance;
use crate::domain::decision::{Credits, ReasonCode};
use crate::domain::id::Address;
use crate::domain::lot::Purpose;
use crate::domain::rule::localized_text::LocalizedText;
use crate::domain::time::Time;

/// The policy that applies to all gates.
#[derive(Debug, Clone, PartialEq)]
pub struct GlobalPolicy {
    /// The time zone of days, weeks, months and hours.
    pub zone: Tz,
    /// Which spellings of an address mean the same booker on access lists.
    pub address_normalization: AddressNormalization,
    /// Which account pays for a platform's managed user.
    pub managed_users: ManagedUsers,
    /// How credits are spent.
    pub spending: SpendingPolicy,
    /// The limits on a member's bookings in each period, over all gates.
    pub caps: Vec<Cap>,
    /// Caps with names, over several gates: for each member, or for each host.
    pub shared_caps: Vec<SharedCap>,
    /// If not empty, only these bookers are allowed at gates without an allow list of their own.
    pub allow: Vec<AccessEntry>,
    /// The bookers whose requests no gate accepts, in addition to those on the gate's own list.
    pub block: Vec<AccessEntry>,
    /// The most requests that one booker may make on one day, answered or not.
    pub requests_per_day: Option<u32>,
    /// Evaluated before the gate's own rules.
    pub rules: Vec<Rule>,
    /// The lookups in other systems that rules may use.
    pub lookups: Vec<LookupRequirement>,
    /// The credits that are granted by period.
    pub allowances: Vec<Allowance>,
    /// The operator's own texts for bookers, by reason.
    pub reason_texts: Vec<(ReasonCode, LocalizedText)>,
}

/// How credits are spent, and what happens to them while an account is frozen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpendingPolicy {
    /// Until when credits must not have expired to pay for a booking.
    pub expiry_counts: ExpiryCounts,
    /// How many credits bookings may take beyond what is there, if neither the account nor its tier
    /// has a limit.
    pub overdraft: Credits,
    /// The limit by tier.
    pub tier_overdrafts: BTreeMap<String, Credits>,
    /// Whether the credits of a frozen account do not expire.
    pub freeze_stops_expiry: bool,
}

/// Until when credits must not have expired to pay for a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExpiryCounts {
    /// Until the decision.
    #[default]
    Decision,
    /// Until the booking starts.
    Start,
}

impl SpendingPolicy {
    /// Returns how many credits the account may be lent in all.
    pub fn overdraft_limit(&self, account: &Account) -> Credits {
        let of_tier = || {
            let tier = account.tier.as_ref()?;
            self.tier_overdrafts.get(tier).copied()
        };
        account
            .overdraft_limit
            .or_else(of_tier)
            .unwrap_or(self.overdraft)
    }

    /// Returns the purpose of credits that pay for a booking at a gate. `start` is the start of the
    /// booking, or of the last booking of a series.
    pub fn purpose<'a>(&self, now: Time, gate: Option<&'a str>, start: Time) -> Purpose<'a> {
        Purpose {
            now,
            gate,
            unexpired_at: match self.expiry_counts {
                ExpiryCounts::Decision => now,
                ExpiryCounts::Start => start.max(now),
            },
        }
    }
}

/// Which account pays for a platform's managed user. The address of such a user has a suffix that
/// the booker did not type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ManagedUsers {
    /// Only an account with exactly that address. If there is none, the booking is left alone.
    #[default]
    Leave,
    /// The account of the address without the suffix.
    Find,
}

/// A lookup in another system, as the domain sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupRequirement {
    /// The lookup's name in expressions.
    pub name: String,
    /// What happens to a request when a rule needs the answer and there is none.
    pub on_no_answer: OnViolation,
}

impl Default for GlobalPolicy {
    fn default() -> Self {
        Self {
            zone: Tz::UTC,
            address_normalization: AddressNormalization::default(),
            managed_users: ManagedUsers::default(),
            spending: SpendingPolicy::default(),
            caps: Vec::new(),
            shared_caps: Vec::new(),
            allow: Vec::new(),
            block: Vec::new(),
            requests_per_day: None,
            rules: Vec::new(),
            lookups: Vec::new(),
            allowances: Vec::new(),
            reason_texts: Vec::new(),
        }
    }
}

impl GlobalPolicy {
    /// Returns the address by which the booker's account is found.
    pub fn address_of(&self, booker: &Address) -> Address {
        let base_address = match self.managed_users {
            ManagedUsers::Leave => None,
            ManagedUsers::Find => booker.without_managed_suffix(),
        };
        base_address.unwrap_or_else(|| booker.clone())
    }

    /// Returns what happens to a request when the answer to this lookup is missing.
    pub fn on_no_answer(&self, lookup: &str) -> OnViolation {
        self.lookups
            .iter()
            .find(|known| known.name == lookup)
            .map_or(OnViolation::Review, |known| known.on_no_answer)
    }

    /// Returns the caps on each member that limit requests of this gate.
    pub fn member_caps<'a>(&'a self, gate: &'a str) -> impl Iterator<Item = &'a SharedCap> {
        let of_gate = self.shared_caps.iter().filter(|cap| cap.limits_gate(gate));
        of_gate.filter(|cap| !cap.is_for_hosts())
    }

    /// Returns the caps on each host that limit requests of this gate.
    pub fn host_caps<'a>(&'a self, gate: &'a str) -> impl Iterator<Item = &'a SharedCap> {
        let of_gate = self.shared_caps.iter().filter(|cap| cap.limits_gate(gate));
        of_gate.filter(|cap| cap.is_for_hosts())
    }

    /// Returns the operator's own text for a reason.
    pub fn reason_text(&self, code: ReasonCode) -> Option<&LocalizedText> {
        self.reason_texts
            .iter()
            .find(|(known, _)| *known == code)
            .map(|(_, text)| text)
    }
}
