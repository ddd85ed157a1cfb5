//! The policy: what the operator configured, as the plan needs it. Gates say which event types are
//! guarded and what they cost; nothing outside a gate is ever touched.

use std::fmt;

use super::booking::Booking;
use super::criteria::gate_criteria::Criteria;
use super::criteria::global_policy::GlobalPolicy;
use super::criteria::on_violation::OnViolation;
use super::decision::{Credits, ReasonCode};
use super::id::{EventTypeKey, HostId, HostKey};
use super::messages;
use super::refund_policy::Terms;
use super::request::Charge;
use super::time::Span;

/// All that decides, apart from the snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// In the order of the configuration; the first that names an event type guards it.
    pub gates: Vec<Gate>,
    /// Hosts whose bookings are answered besides those of the key's user.
    pub hosts: Vec<HostKey>,
    pub refuse_with: RefuseWith,
    pub limits: PassLimits,
    /// What counts for all gates.
    pub global: GlobalPolicy,
    /// The hash of the configuration this came from; stamped on every decision.
    pub hash: String,
}

/// What guards one or more event types.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    pub name: String,
    pub event_types: Vec<EventTypeKey>,
    /// What one booking costs where no price fits; an occurrence of a series is a booking.
    /// 0: membership is enough.
    pub cost: Credits,
    /// What becomes of a booker who has no account.
    pub unknown_booker: OnViolation,
    /// What becomes of a booker who has too little credit.
    pub short_of_credit: OnViolation,
    /// What becomes of a request for a time at which the host has an accepted booking.
    pub time_taken: OnViolation,
    /// What becomes of a request that is left for an operator and that nobody answers.
    pub on_unanswered: OnUnanswered,
    pub criteria: Criteria,
    pub terms: Terms,
}

/// What becomes of a request that nobody answers before its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnanswered {
    /// It stays pending at Cal.com, and an operator is told when it begins.
    #[default]
    Leave,
    /// It is declined so long before its start.
    Decline { before: Span },
}

/// What is sent to refuse a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefuseWith {
    Decline,
    Cancel,
}

/// Bounds of one pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassLimits {
    /// New decisions of one pass that lead to a call.
    pub requests_per_pass: usize,
    /// How many declines there may be in which time, cancellations of unmanaged bookings among them:
    /// a mistake in the configuration refuses no more than these before somebody can notice.
    pub declines: DeclineLimit,
    /// How old the last sight of a booking may be when a call for it is sent.
    pub max_observation_age: Span,
    /// How long a series must have been quiet before it is decided: a poll may see a part of it.
    pub series_settle: Span,
    /// How long a call without an answer may still run at the server: until then the booking is only
    /// read, and no second call is sent.
    pub resend_after: Span,
}

/// A limit of declines in a sliding time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclineLimit {
    pub at_most: usize,
    pub per: Span,
}

impl DeclineLimit {
    /// For everything that only asks what would be decided.
    pub const UNLIMITED: Self = Self {
        at_most: usize::MAX,
        per: Span::minutes(15),
    };
}

impl fmt::Display for DeclineLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.at_most, messages::format_span(self.per))
    }
}

impl Policy {
    /// The gate that guards the booking's event type.
    pub fn gate(&self, booking: &Booking) -> Option<&Gate> {
        self.gates
            .iter()
            .find(|gate| booking.has_event_type(&gate.event_types))
    }

    /// Whether anything asks how many bookings a member has: a cap, a rule, or words about it.
    pub fn needs_booking_counts(&self) -> bool {
        let global = &self.global;
        let global_needs_counts = !(global.caps.is_empty() && global.rules.is_empty());
        let gate_needs_counts =
            |gate: &Gate| !(gate.criteria.caps.is_empty() && gate.criteria.rules.is_empty());
        global_needs_counts
            || !global.reason_texts.is_empty()
            || self.gates.iter().any(gate_needs_counts)
    }

    /// The gate of a charge whose booking cannot be seen, or names no gate any more: by the event
    /// type that was charged, or by the name of the gate that decided.
    pub fn gate_for_charge(&self, charge: &Charge, decided_by: Option<&str>) -> Option<&Gate> {
        let by_number = |gate: &&Gate| {
            let keys = gate.event_types.iter();
            keys.filter_map(|key| match key {
                EventTypeKey::Id(id) => Some(*id),
                EventTypeKey::Slug(_) => None,
            })
            .any(|id| charge.event_type == Some(id))
        };
        let by_name = |gate: &&Gate| Some(gate.name.as_str()) == decided_by;
        let gates = || self.gates.iter();
        gates().find(by_number).or_else(|| gates().find(by_name))
    }

    /// Whether the booking's host is the key's user or a configured one. One without a number was
    /// deleted: Cal.com confirms nothing for him, and what else takes his time cannot be told.
    pub fn manages_host_of(&self, key_user: HostId, booking: &Booking) -> bool {
        let Some(host) = &booking.host else {
            return false;
        };
        let Some(number) = host.id else {
            return false;
        };
        number == key_user
            || self.hosts.iter().any(|key| match key {
                HostKey::Id(id) => number == *id,
                HostKey::Address(address) => host.address.as_ref() == Some(address),
            })
    }

    /// The gate of a booking that is ours to answer, or why it is none of our business.
    ///
    /// # Errors
    /// With the code of the reason: a foreign host, no event type, no gate, seats.
    pub fn require_gate(&self, key_user: HostId, booking: &Booking) -> Result<&Gate, ReasonCode> {
        if !self.manages_host_of(key_user, booking) {
            return Err(ReasonCode::ForeignHost);
        }
        if booking.event_type.is_none() {
            return Err(ReasonCode::NoEventType);
        }
        let gate = self.gate(booking).ok_or(ReasonCode::Ungated)?;
        if booking.seated {
            return Err(ReasonCode::Seated);
        }
        Ok(gate)
    }
}

impl Gate {
    /// What one booking costs a member of this tier, as one of so many occurrences.
    pub fn price(
        &self,
        global: &GlobalPolicy,
        booking: &Booking,
        tier: Option<&str>,
        occurrences: usize,
    ) -> Credits {
        if self.criteria.prices.is_empty() {
            return self.cost;
        }
        let zone = self.criteria.zone(global, booking);
        let mut prices = self.criteria.prices.iter();
        prices
            .find(|price| price.applies_to(booking, tier, occurrences, zone))
            .map_or(self.cost, |price| price.cost)
    }
}
