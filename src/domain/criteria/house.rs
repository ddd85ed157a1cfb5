//! What counts for all gates.

use chrono_tz::Tz;

use super::cap::Cap;
use super::effect::Effect;
use super::lists::{Folding, Listed};
use super::rule::Rule;
use crate::domain::decision::Code;
use crate::domain::id::Address;
use crate::domain::rule::localized_text::LocalizedText;

/// The house.
#[derive(Debug, Clone, PartialEq)]
pub struct House {
    /// In which days, weeks, months and hours are meant.
    pub zone: Tz,
    pub folding: Folding,
    pub managed_users: ManagedUsers,
    pub caps: Vec<Cap>,
    pub allow: Vec<Listed>,
    pub block: Vec<Listed>,
    /// Requests one booker may make on one day, answered or not.
    pub requests_per_day: Option<u32>,
    /// Looked at before the gate's own.
    pub rules: Vec<Rule>,
    /// The questions to other systems that rules may use.
    pub lookups: Vec<Lookup>,
    /// What bookers are told in the house's own words, by reason.
    pub reasons: Vec<(Code, LocalizedText)>,
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
pub struct Lookup {
    pub name: String,
    /// What becomes of a request when a rule needs the answer and there is none.
    pub no_answer: Effect,
}

impl Default for House {
    fn default() -> Self {
        Self {
            zone: Tz::UTC,
            folding: Folding::default(),
            managed_users: ManagedUsers::default(),
            caps: Vec::new(),
            allow: Vec::new(),
            block: Vec::new(),
            requests_per_day: None,
            rules: Vec::new(),
            lookups: Vec::new(),
            reasons: Vec::new(),
        }
    }
}

impl House {
    /// The address under which the booker's account is looked for.
    pub fn address_of(&self, booker: &Address) -> Address {
        let found = match self.managed_users {
            ManagedUsers::Leave => None,
            ManagedUsers::Find => booker.of_managed_user(),
        };
        found.unwrap_or_else(|| booker.clone())
    }

    /// What becomes of a request when this answer is missing.
    pub fn no_answer(&self, lookup: &str) -> Effect {
        self.lookups
            .iter()
            .find(|known| known.name == lookup)
            .map_or(Effect::Review, |known| known.no_answer)
    }

    /// The house's own words for a reason.
    pub fn words(&self, code: Code) -> Option<&LocalizedText> {
        self.reasons
            .iter()
            .find(|(known, _)| *known == code)
            .map(|(_, words)| words)
    }
}
