//! The criteria of one gate.

use chrono_tz::Tz;

use super::access_list::AccessEntry;
use super::cap::Cap;
use super::custom_rule::Rule;
use super::global_policy::GlobalPolicy;
use super::on_violation::OnViolation;
use super::price::Price;
use super::time_window::TimeWindow;
use crate::domain::booking::Booking;
use crate::domain::time::Span;

/// What a gate asks for beside an account and credit, and what becomes of requests that miss it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Criteria {
    /// The first that fits is what a booking costs; when none does, the gate's cost.
    pub prices: Vec<Price>,
    pub caps: Vec<Cap>,
    pub on_over_cap: OnViolation,
    pub notice: NoticeBounds,
    pub on_notice_missed: OnViolation,
    /// A booking must lie in one of them; empty: at any time.
    pub hours: Vec<TimeWindow>,
    pub on_outside_hours: OnViolation,
    /// When not empty, nobody else is let in.
    pub allow: Vec<AccessEntry>,
    pub on_not_allowed: OnViolation,
    pub block: Vec<AccessEntry>,
    pub on_blocked: OnViolation,
    /// Requests one booker may make on one day, answered or not.
    pub requests_per_day: Option<u32>,
    pub on_too_many_requests: OnViolation,
    /// How often a booker is told on one day that requests were declined as too many.
    pub too_many_requests_reply: TooManyRequestsReply,
    /// The booking question whose answer must be the member's PIN.
    pub pin: Option<String>,
    pub on_wrong_pin: OnViolation,
    pub account_details: AccountDetails,
    pub zone_source: ZoneSource,
    pub rules: Vec<Rule>,
}

/// How often a decline of one request too many is sent to the same booker on one day: each is a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TooManyRequestsReply {
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
pub struct NoticeBounds {
    pub at_least: Option<Span>,
    pub at_most: Option<Span>,
}

/// In whose time zone hours, days, weeks and months are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ZoneSource {
    #[default]
    GlobalPolicy,
    /// The booker's, as Cal.com knows it; the house's where it knows none.
    Booker,
}

/// To whom the default texts of a decline tell something about the account of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccountDetails {
    /// To bookers who have proven to be the member: by the PIN, or because Cal.com has verified the
    /// address.
    #[default]
    ProvenMember,
    /// To everybody who types the address.
    Always,
}

impl Criteria {
    /// The time zone in which this booking is looked at.
    pub fn zone(&self, global: &GlobalPolicy, booking: &Booking) -> Tz {
        match self.zone_source {
            ZoneSource::GlobalPolicy => global.zone,
            ZoneSource::Booker => booking
                .booker
                .as_ref()
                .and_then(|booker| booker.time_zone.as_deref())
                .and_then(|name| name.parse().ok())
                .unwrap_or(global.zone),
        }
    }

    /// Whether any rule, the house's included, asks this question.
    pub fn uses_lookup(&self, global: &GlobalPolicy, lookup: &str) -> bool {
        let rules = global.rules.iter().chain(self.rules.iter());
        rules
            .flat_map(|rule| rule.require.lookups())
            .any(|name| name == lookup)
    }
}
