//! The policy: the operator's configuration in the form that the plan needs. Gates define which
//! event types are guarded and what they cost; bookings outside every gate are never changed.

use std::collections::BTreeMap;
use std::fmt;

use super::account::Account;
use super::booking::{Answer, Booking, EventType};
use super::criteria::cap::SharedCap;
use super::criteria::gate_criteria::Criteria;
use super::criteria::global_policy::GlobalPolicy;
use super::criteria::on_violation::OnViolation;
use super::criteria::price::{Cost, PriceFailure};
use super::decision::{Credits, ReasonCode};
use super::id::{EventTypeKey, HostId, HostKey};
use super::messages;
use super::refund_policy::Terms;
use super::request::Charge;
use super::rule::context::{BookingCounts, Questions, RuleContext};
use super::time::Span;

/// Everything that a decision depends on, apart from the snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// In the order of the configuration. The first gate that names an event type guards it.
    pub gates: Vec<Gate>,
    /// Hosts whose bookings maitred answers, in addition to those of the key's user.
    pub hosts: Vec<HostKey>,
    /// The call that refuses pending bookings.
    pub refuse_with: RefuseWith,
    /// The limits of one pass.
    pub limits: PassLimits,
    /// The rules and limits that apply to all gates.
    pub global: GlobalPolicy,
    /// The hash of the configuration that the policy was built from. Every decision records it.
    pub hash: String,
}

/// The configuration that guards one or more event types.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The gate's name in the configuration. Decisions record it.
    pub name: String,
    /// The event types that the gate guards; never empty.
    pub event_types: Vec<EventTypeKey>,
    /// What one booking costs if no price applies. Every occurrence of a series is one booking. 0:
    /// membership is enough.
    pub cost: Cost,
    /// What happens when the booker has no account.
    pub unknown_booker: OnViolation,
    /// What happens when the booker has too few credits.
    pub short_of_credit: OnViolation,
    /// What happens when the host already has an accepted booking at the requested time.
    pub time_taken: OnViolation,
    /// What happens when a request is left for an operator and gets no answer.
    pub on_unanswered: OnUnanswered,
    /// What the gate requires in addition to an account and credit.
    pub criteria: Criteria,
    /// What happens after a booking is confirmed: refunds, moves and unmanaged bookings.
    pub terms: Terms,
}

/// What happens to a request that gets no answer before its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnanswered {
    /// The request stays pending at Cal.com, and the operator is notified when it begins.
    #[default]
    Leave,
    /// The request is declined this long before its start.
    Decline {
        /// The time from the decline to the start of the booking.
        before: Span,
    },
}

/// The call that refuses a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefuseWith {
    /// The booking is declined. The booker receives Cal.com's mail for a declined request.
    Decline,
    /// The booking is cancelled. Cal.com refuses to cancel a booking that is over.
    Cancel,
}

/// The limits of one pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassLimits {
    /// The number of new decisions in one pass that lead to a call.
    pub requests_per_pass: usize,
    /// The number of declines within a time, including cancellations of unmanaged bookings. A
    /// mistake in the configuration refuses no more requests than this before a person can notice.
    pub declines: DeclineLimit,
    /// How long ago a booking may have been read when a call for it is sent.
    pub max_observation_age: Span,
    /// How long a series must be unchanged before it is decided, because a poll may see only a part
    /// of the series.
    pub series_settle: Span,
    /// How long a call without an answer may still run at the server. Until then the booking is
    /// only read, and no second call is sent.
    pub resend_after: Span,
}

/// A limit of declines within a sliding window of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclineLimit {
    /// The largest number of declines within the window.
    pub at_most: usize,
    /// The length of the window, which ends now.
    pub per: Span,
}

impl DeclineLimit {
    /// For callers that only ask what would be decided.
    pub const UNLIMITED: Self = Self {
        at_most: usize::MAX,
        per: Span::minutes(15),
    };
}

/// Why maitred may not answer a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutOfScope {
    /// The host is neither the key's user nor a configured host.
    ForeignHost,
    /// The event type was deleted, or the server does not show it.
    NoEventType,
    /// No gate names the event type.
    Ungated,
    /// Several bookers share the booking.
    Seated,
}

impl OutOfScope {
    /// Returns the code of the reason with which the request is left alone.
    pub fn code(self) -> ReasonCode {
        match self {
            Self::ForeignHost => ReasonCode::ForeignHost,
            Self::NoEventType => ReasonCode::NoEventType,
            Self::Ungated => ReasonCode::Ungated,
            Self::Seated => ReasonCode::Seated,
        }
    }

    /// Returns the explanation for operators.
    pub fn text(self) -> &'static str {
        match self {
            Self::ForeignHost => "the host is neither the key's user nor one of calcom.hosts",
            Self::NoEventType => "the booking's event type no longer exists",
            Self::Ungated => "no gate names the event type",
            Self::Seated => "every attendee of a seated booking is a separate booker",
        }
    }
}

impl fmt::Display for DeclineLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.at_most, messages::format_span(self.per))
    }
}

impl Policy {
    /// Returns true if any cap counts the bookings of hosts.
    pub fn has_host_caps(&self) -> bool {
        self.global.shared_caps.iter().any(SharedCap::is_for_hosts)
    }

    /// Returns the gate that guards the booking's event type.
    pub fn gate(&self, booking: &Booking) -> Option<&Gate> {
        self.gates
            .iter()
            .find(|gate| booking.has_event_type(&gate.event_types))
    }

    /// Returns the gate of a charge whose booking cannot be read or belongs to no gate any more:
    /// the gate for the charged event type, or else the gate with the name that decided.
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

    /// Returns true if the booking's host is the key's user or a configured host. A host without an
    /// id was deleted: Cal.com confirms no bookings for such a host, and maitred cannot determine
    /// what else occupies their time.
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

    /// Returns the gate of a booking that maitred may answer, or the reason why maitred may not.
    ///
    /// # Errors
    /// Returns the reason: a foreign host, no event type, no gate, or seats.
    pub fn require_gate(&self, key_user: HostId, booking: &Booking) -> Result<&Gate, OutOfScope> {
        if !self.manages_host_of(key_user, booking) {
            return Err(OutOfScope::ForeignHost);
        }
        if booking.event_type.is_none() {
            return Err(OutOfScope::NoEventType);
        }
        let gate = self.gate(booking).ok_or(OutOfScope::Ungated)?;
        if booking.seated {
            return Err(OutOfScope::Seated);
        }
        Ok(gate)
    }
}

/// A booking and what its price may depend on.
#[derive(Debug, Clone, Copy)]
pub struct PriceInput<'a> {
    /// The policy that applies to all gates.
    pub global: &'a GlobalPolicy,
    /// The booking.
    pub booking: &'a Booking,
    /// The member. `None`: the booker has no account.
    pub account: Option<&'a Account>,
    /// The number of occurrences that are booked together.
    pub occurrences: usize,
    /// The answers of other systems, by the name of the lookup. Empty where none were asked.
    pub lookups: &'a BTreeMap<String, Answer>,
    /// The event type, if the calendar describes it.
    pub event_type: Option<&'a EventType>,
}

impl Gate {
    /// Returns what one booking costs.
    ///
    /// # Errors
    /// Returns why the price is not known.
    pub fn price(&self, input: &PriceInput<'_>) -> Result<Credits, PriceFailure> {
        let cost = self.cost_of(input);
        match cost.fixed() {
            Some(credits) => Ok(credits),
            None => cost.evaluate(&self.price_context(input)),
        }
    }

    /// Describes how the price of a booking was determined. `None`: the price is the same for every
    /// booking that it fits.
    pub fn describe_price(&self, input: &PriceInput<'_>) -> Option<String> {
        let cost = self.cost_of(input);
        let is_fixed = cost.fixed().is_some();
        (!is_fixed).then(|| cost.describe(&self.price_context(input)))
    }

    /// Returns the gate's cost and those of its prices.
    pub fn all_costs(&self) -> impl Iterator<Item = &Cost> {
        let prices = self.criteria.prices.iter().map(|price| &price.cost);
        prices.chain([&self.cost])
    }

    /// Returns true if the price of a booking is determined for each booking.
    pub fn has_computed_price(&self) -> bool {
        self.all_costs().any(|cost| cost.fixed().is_none())
    }

    /// Returns true if any rule, global rules included, or a price uses this lookup.
    pub fn uses_lookup(&self, global: &GlobalPolicy, lookup: &str) -> bool {
        let rules = global.rules.iter().chain(&self.criteria.rules);
        let conditions = rules.map(|rule| &rule.require);
        let prices = self.all_costs().filter_map(Cost::expression);
        conditions
            .chain(prices)
            .flat_map(|expression| expression.lookups())
            .any(|name| name == lookup)
    }

    /// Returns the cost that applies to the booking.
    fn cost_of(&self, input: &PriceInput<'_>) -> &Cost {
        if self.criteria.prices.is_empty() {
            return &self.cost;
        }
        let tier = input.account.and_then(|account| account.tier.as_deref());
        let zone = self.criteria.zone(input.global, input.booking);
        let mut prices = self.criteria.prices.iter();
        prices
            .find(|price| price.applies_to(input.booking, tier, input.occurrences, zone))
            .map_or(&self.cost, |price| &price.cost)
    }

    /// Returns what the expression of a price may read. Of what it may not read (`rule::schema`),
    /// the context has nothing.
    fn price_context<'a>(&'a self, input: &PriceInput<'a>) -> RuleContext<'a> {
        let questions = input.event_type.and_then(|kind| kind.questions.as_deref());
        RuleContext {
            booking: input.booking,
            occurrences: input.occurrences,
            account: input.account,
            counts: BookingCounts::default(),
            gate: &self.name,
            cost: None,
            credits: None,
            available: 0,
            next_renewal: None,
            to_hold: None,
            occurrence: input.booking.start,
            lookups: input.lookups,
            hidden_answer: self.criteria.pin.as_deref(),
            questions: Questions {
                from_calendar: questions,
                inferred: &[],
            },
            zone: self.criteria.zone(input.global, input.booking),
            now: input.booking.created_at,
        }
    }
}
