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

/// What a gate requires besides an account and credit, and what happens to requests that do not
/// meet it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Criteria {
    /// The first price that fits is what a booking costs. If none fits, the gate's cost counts.
    pub prices: Vec<Price>,
    /// The limits on a member's bookings in each period.
    pub caps: Vec<Cap>,
    /// What happens when a cap is reached.
    pub on_over_cap: OnViolation,
    /// The bounds of the time between a request and the start of its booking.
    pub notice: NoticeBounds,
    /// What happens when the notice is too short or too long.
    pub on_notice_missed: OnViolation,
    /// A booking must lie in these windows. If empty, a booking may be at any time.
    pub hours: Vec<TimeWindow>,
    /// What happens when a booking lies outside the windows.
    pub on_outside_hours: OnViolation,
    /// If not empty, only these bookers are allowed.
    pub allow: Vec<AccessEntry>,
    /// What happens when `allow` is not empty and does not have the booker.
    pub on_not_allowed: OnViolation,
    /// The bookers whose requests the gate does not accept.
    pub block: Vec<AccessEntry>,
    /// What happens when `block` or the global block list has the booker.
    pub on_blocked: OnViolation,
    /// The most requests that one booker may make on one day, answered or not.
    pub requests_per_day: Option<u32>,
    /// What happens when the booker has made more requests than the limit allows.
    pub on_too_many_requests: OnViolation,
    /// How often on one day a booker is sent a decline because of too many requests.
    pub too_many_requests_reply: TooManyRequestsReply,
    /// The booking question whose answer must be the member's PIN.
    pub pin: Option<String>,
    /// What happens when the PIN is wrong or missing.
    pub on_wrong_pin: OnViolation,
    /// Which bookers get default texts that reveal something about the account.
    pub account_details: AccountDetails,
    /// Which time zone applies to hours, days, weeks and months.
    pub zone_source: ZoneSource,
    /// The operator's own rules for this gate, in the order of the configuration.
    pub rules: Vec<Rule>,
}

/// How often on one day the same booker is sent a decline because of too many requests. Each
/// decline causes a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TooManyRequestsReply {
    /// The first such request is declined, and further ones are left alone.
    #[default]
    Once,
    /// Each such request is declined.
    Each,
    /// All such requests are left alone.
    Never,
}

/// The bounds of the time between a request and the start of its booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoticeBounds {
    /// The shortest notice that is accepted. `None`: no bound.
    pub at_least: Option<Span>,
    /// The longest notice that is accepted. `None`: no bound.
    pub at_most: Option<Span>,
}

/// Which time zone applies to hours, days, weeks and months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ZoneSource {
    /// The zone of the configuration.
    #[default]
    Schedule,
    /// The booker's zone at Cal.com, or the schedule's if Cal.com does not know it.
    Booker,
}

/// Which bookers get default texts of a decline that reveal something about the account of their
/// address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccountDetails {
    /// Bookers who have proven to be the member: by the PIN, or because Cal.com has verified the
    /// address.
    #[default]
    ProvenMember,
    /// Everybody who types the address.
    Always,
}

impl Criteria {
    /// Returns the time zone that applies to this booking.
    pub fn zone(&self, global: &GlobalPolicy, booking: &Booking) -> Tz {
        match self.zone_source {
            ZoneSource::Schedule => global.zone,
            ZoneSource::Booker => booking
                .booker
                .as_ref()
                .and_then(|booker| booker.time_zone.as_deref())
                .and_then(|name| name.parse().ok())
                .unwrap_or(global.zone),
        }
    }
}
