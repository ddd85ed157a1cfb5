//! What counts for all gates.

use chrono_tz::Tz;

use super::access_list::{AccessEntry, AddressNormalization};
use super::cap::Cap;
use super::custom_rule::Rule;
use super::on_violation::OnViolation;
use crate::domain::decision::ReasonCode;
use crate::domain::id::Address;
use crate::domain::rule::localized_text::LocalizedText;

/// The house.
#[derive(Debug, Clone, PartialEq)]
pub struct GlobalPolicy {
    /// In which days, weeks, months and hours are meant.
    pub zone: Tz,
    pub address_normalization: AddressNormalization,
    pub managed_users: ManagedUsers,
    pub caps: Vec<Cap>,
    pub allow: Vec<AccessEntry>,
    pub block: Vec<AccessEntry>,
    /// Requests one booker may make on one day, answered or not.
    pub requests_per_day: Option<u32>,
    /// Looked at before the gate's own.
    pub rules: Vec<Rule>,
    /// The questions to other systems that rules may use.
    pub lookups: Vec<LookupRequirement>,
    /// What bookers are told in the house's own words, by reason.
    pub reason_texts: Vec<(ReasonCode, LocalizedText)>,
}

/// Whose account pays for a platform's managed user, whose address has a suffix that nobody typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ManagedUsers {
    /// Only one with exactly that address; where there is none, the booking is left alone.
    #[default]
    Leave,
    /// That of the address without the suffix.
    Find,
}

/// A question to another system, as the domain sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupRequirement {
    pub name: String,
    /// What becomes of a request when a rule needs the answer and there is none.
    pub on_no_answer: OnViolation,
}

impl Default for GlobalPolicy {
    fn default() -> Self {
        Self {
            zone: Tz::UTC,
            address_normalization: AddressNormalization::default(),
            managed_users: ManagedUsers::default(),
            caps: Vec::new(),
            allow: Vec::new(),
            block: Vec::new(),
            requests_per_day: None,
            rules: Vec::new(),
            lookups: Vec::new(),
            reason_texts: Vec::new(),
        }
    }
}

impl GlobalPolicy {
    /// The address under which the booker's account is looked for.
    pub fn address_of(&self, booker: &Address) -> Address {
        let base_address = match self.managed_users {
            ManagedUsers::Leave => None,
            ManagedUsers::Find => booker.without_managed_suffix(),
        };
        base_address.unwrap_or_else(|| booker.clone())
    }

    /// What becomes of a request when this answer is missing.
    pub fn on_no_answer(&self, lookup: &str) -> OnViolation {
        self.lookups
            .iter()
            .find(|known| known.name == lookup)
            .map_or(OnViolation::Review, |known| known.on_no_answer)
    }

    /// The house's own words for a reason.
    pub fn reason_text(&self, code: ReasonCode) -> Option<&LocalizedText> {
        self.reason_texts
            .iter()
            .find(|(known, _)| *known == code)
            .map(|(_, text)| text)
    }
}
