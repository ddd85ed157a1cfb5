//! The criteria of one gate.

use chrono_tz::Tz;

use super::cap::Cap;
use super::effect::Effect;
use super::house::House;
use super::lists::Listed;
use super::opening::Opening;
use super::price::Price;
use super::rule::Rule;
use crate::domain::booking::Booking;
use crate::domain::time::Span;

/// What a gate asks for beside an account and credit, and what becomes of requests that miss it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Criteria {
    /// The first that fits is what a booking costs; when none does, the gate's cost.
    pub prices: Vec<Price>,
    pub caps: Vec<Cap>,
    pub over_cap: Effect,
    pub notice: Notice,
    pub notice_missed: Effect,
    /// A booking must lie in one of them; empty: at any time.
    pub hours: Vec<Opening>,
    pub outside_hours: Effect,
    /// When not empty, nobody else is let in.
    pub allow: Vec<Listed>,
    pub not_allowed: Effect,
    pub block: Vec<Listed>,
    pub blocked: Effect,
    /// Requests one booker may make on one day, answered or not.
    pub requests_per_day: Option<u32>,
    pub too_many_requests: Effect,
    /// How often a booker is told on one day that requests were declined as too many.
    pub answer_too_many: AnswerTooMany,
    /// The booking question whose answer must be the member's PIN.
    pub pin: Option<String>,
    pub wrong_pin: Effect,
    pub account_details: AccountDetails,
    pub clock: WhoseClock,
    pub rules: Vec<Rule>,
}

/// How often a decline of one request too many is sent to the same booker on one day: each is a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerTooMany {
    /// The first one is declined, and further ones are left alone.
    #[default]
    Once,
    /// Each is declined.
    Each,
    /// All are left alone.
    Never,
}

/// How long before its start a booking may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notice {
    pub at_least: Option<Span>,
    pub at_most: Option<Span>,
}

/// In whose time zone hours, days, weeks and months are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhoseClock {
    #[default]
    House,
    /// The booker's, as Cal.com knows it; the house's where it knows none.
    Booker,
}

/// To whom the default texts of a decline tell something about the account of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccountDetails {
    /// To bookers who have proven to be the member: by the PIN, or because Cal.com has verified the
    /// address.
    #[default]
    Proven,
    /// To everybody who types the address.
    Always,
}

impl Criteria {
    /// The time zone in which this booking is looked at.
    pub fn zone(&self, house: &House, booking: &Booking) -> Tz {
        match self.clock {
            WhoseClock::House => house.zone,
            WhoseClock::Booker => booking
                .booker
                .as_ref()
                .and_then(|booker| booker.time_zone.as_deref())
                .and_then(|name| name.parse().ok())
                .unwrap_or(house.zone),
        }
    }

    /// Whether any rule, the house's included, asks this question.
    pub fn asks(&self, house: &House, lookup: &str) -> bool {
        let rules = house.rules.iter().chain(self.rules.iter());
        rules
            .flat_map(|rule| rule.require.lookups())
            .any(|name| name == lookup)
    }
}
