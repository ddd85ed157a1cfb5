//! Finds what a policy reads of a recorded request that was not recorded. Such inputs are not
//! guessed: where an input could decide, the outcome is unknown.

use super::recorded_request::rule_passed;
use crate::domain::criteria::cap::CapPeriod;
use crate::domain::criteria::custom_rule::Rule;
use crate::domain::criteria::gate_criteria::ZoneSource;
use crate::domain::criteria::price::Cost;
use crate::domain::criteria::time_window::TimeWindow;
use crate::domain::decision::Finding;
use crate::domain::evaluation::built_in_rule::{BuiltInRule, RuleInput};
use crate::domain::evaluation::rules::RULES;
use crate::domain::gate::{Gate, Policy};
use crate::domain::request::Request;

/// Variables that rules may read and that are not recorded with a request.
const UNRECORDED_VARIABLES: [&str; 10] = [
    "booking.description",
    "booking.location",
    "booking.guests",
    "booking.attendees",
    "booking.answers",
    "booking.metadata",
    "booker.name",
    "booker.time_zone",
    "booker.language",
    "lookup",
];

/// Variables of the host that are not recorded either.
const UNRECORDED_HOST_VARIABLES: [&str; 3] = ["host.address", "host.name", "host.time_zone"];

/// Variables that depend on the time zone in which the gate judges a request.
const ZONE_VARIABLES: [&str; 5] = [
    "booking.weekday",
    "booking.hour",
    "member.day",
    "member.week",
    "member.month",
];

/// Variables that depend on the price.
const PRICE_VARIABLES: [&str; 3] = ["request.cost", "request.credits", "request.missing"];

/// Variables that depend on the first booking's end.
const END_VARIABLES: [&str; 2] = ["booking.end", "booking.length"];

/// A title of this many characters may have been truncated when it was recorded
/// (`domain::messages`).
const MAX_TITLE: usize = 300;

/// A request and the gate that would judge the request.
#[derive(Debug, Clone, Copy)]
pub struct GatedRequest<'a> {
    /// The policy that judges the request.
    pub policy: &'a Policy,
    /// The gate of the request in that policy.
    pub gate: &'a Gate,
    /// The recorded request.
    pub request: &'a Request,
    /// Whether the times of all bookings of the request are known.
    pub has_times: bool,
    /// Whether the member has a PIN.
    pub has_pin: bool,
}

/// Returns an input that would have to be known; `None` when the findings are reliable. A rule that
/// objects settles the outcome, unless a rule before it reads an input that is missing.
pub fn find_unrecorded_input(
    gated_request: &GatedRequest<'_>,
    findings: &[Finding],
) -> Option<String> {
    for rule in rules_in_order(gated_request) {
        let is_of_rule = |finding: &&Finding| finding.rule == rule.name();
        let Some(finding) = findings.iter().find(is_of_rule) else {
            continue;
        };
        if let Some(input) = rule.unrecorded_input(gated_request) {
            return Some(input);
        }
        if !finding.passed {
            return None;
        }
    }
    None
}

/// A rule of maitred or of the operator.
enum AnyRule<'a> {
    BuiltIn(&'static BuiltInRule),
    Own(&'a Rule),
}

impl AnyRule<'_> {
    fn name(&self) -> &str {
        match self {
            Self::BuiltIn(rule) => rule.name,
            Self::Own(rule) => &rule.name,
        }
    }

    /// Returns an input that the rule reads and that is not known.
    fn unrecorded_input(&self, gated_request: &GatedRequest<'_>) -> Option<String> {
        match self {
            Self::BuiltIn(rule) => {
                let mut inputs = rule.inputs.iter();
                inputs.find_map(|input| unrecorded_input(gated_request, rule, *input))
            }
            Self::Own(rule) => {
                let mut names = rule.require.names().into_iter();
                names.find_map(|name| unrecorded_variable(gated_request, name))
            }
        }
    }
}

/// Returns all rules, in the order in which they are evaluated.
fn rules_in_order<'a>(gated_request: &GatedRequest<'a>) -> Vec<AnyRule<'a>> {
    let mut rules = Vec::new();
    for rule in RULES {
        if rule.is_place_of_own_rules() {
            let global_rules = gated_request.policy.global.rules.iter();
            let own_rules = global_rules.chain(&gated_request.gate.criteria.rules);
            rules.extend(own_rules.map(AnyRule::Own));
        } else {
            rules.push(AnyRule::BuiltIn(rule));
        }
    }
    rules
}

/// Returns the input of the rule in words, if it is not known.
fn unrecorded_input(
    gated_request: &GatedRequest<'_>,
    rule: &BuiltInRule,
    input: RuleInput,
) -> Option<String> {
    // The finding that was recorded says what the rule read then.
    let has_finding = rule_passed(gated_request.request, rule.name).is_some();
    let zone = || unrecorded_zone(gated_request);
    let unrecorded = match input {
        // The replay rebuilds these from the log.
        RuleInput::Account | RuleInput::PriorRequests => None,
        RuleInput::EventType => (!has_finding).then_some("the price of the event type"),
        RuleInput::AcceptedBookings => (!has_finding).then_some("whether the time was free"),
        // A member without a PIN cannot give a correct PIN, whatever was typed.
        RuleInput::PinResult => (!has_finding && gated_request.has_pin).then_some("the PIN"),
        RuleInput::BookingTimes => {
            (!gated_request.has_times).then_some("the times of the occurrences")
        }
        RuleInput::TimeZone => zone(),
        RuleInput::BookingCounts => zone().filter(|_| has_calendar_caps(gated_request)),
        RuleInput::HostBookings => Some("the bookings of the host"),
        RuleInput::Lookups => Some("the answers of other systems"),
        RuleInput::Price => return unrecorded_price_input(gated_request),
    };
    unrecorded.map(str::to_owned)
}

/// Returns the unknown input that a variable depends on, if there is one.
fn unrecorded_variable(gated_request: &GatedRequest<'_>, name: &str) -> Option<String> {
    let request = gated_request.request;
    let unknown = UNRECORDED_VARIABLES.contains(&name)
        || UNRECORDED_HOST_VARIABLES.contains(&name)
        || (name == "booking.rescheduled" && request.predecessor.is_none())
        || (name == "booking.title" && request.title.chars().count() >= MAX_TITLE);
    if unknown {
        return Some(name.to_owned());
    }
    let input = if ZONE_VARIABLES.contains(&name) {
        unrecorded_zone(gated_request)
    } else if PRICE_VARIABLES.contains(&name) {
        return unrecorded_price_input(gated_request);
    } else if END_VARIABLES.contains(&name) && !gated_request.has_times {
        Some("the times of the occurrences")
    } else {
        None
    };
    input.map(str::to_owned)
}

/// Returns the time zone as an unknown input, when it is the booker's.
fn unrecorded_zone(gated_request: &GatedRequest<'_>) -> Option<&'static str> {
    match gated_request.gate.criteria.zone_source {
        ZoneSource::Schedule => None,
        ZoneSource::Booker => Some("the booker's time zone"),
    }
}

fn has_calendar_caps(gated_request: &GatedRequest<'_>) -> bool {
    let global_caps = &gated_request.policy.global.caps;
    let mut caps = global_caps.iter().chain(&gated_request.gate.criteria.caps);
    let mut shared_caps = gated_request
        .policy
        .global
        .member_caps(&gated_request.gate.name);
    caps.any(|cap| cap.period != CapPeriod::Open)
        || shared_caps.any(|cap| cap.period != CapPeriod::Open)
}

/// Returns an input of the price that is not known. An expression of a price reads no name that
/// depends on the price, so that this ends.
fn unrecorded_price_input(gated_request: &GatedRequest<'_>) -> Option<String> {
    let fixed = unrecorded_condition_of_price(gated_request).map(str::to_owned);
    fixed.or_else(|| unrecorded_cost_input(gated_request))
}

/// Returns an input of a cost that is determined for each booking, if it is not known.
fn unrecorded_cost_input(gated_request: &GatedRequest<'_>) -> Option<String> {
    gated_request.gate.all_costs().find_map(|cost| match cost {
        Cost::Fixed(_) => None,
        Cost::PerGuest { .. } => Some("booking.guests".to_owned()),
        Cost::Lookup { .. } => Some("lookup".to_owned()),
        Cost::Expression(number) => {
            let mut names = number.names().into_iter();
            names.find_map(|name| unrecorded_variable(gated_request, name))
        }
    })
}

/// Returns an input of the conditions of prices that is not known.
fn unrecorded_condition_of_price(gated_request: &GatedRequest<'_>) -> Option<&'static str> {
    let prices = &gated_request.gate.criteria.prices;
    let by_time = prices
        .iter()
        .any(|price| price.start_window != TimeWindow::ALWAYS);
    let by_length = prices.iter().any(|price| price.length != (None, None));
    if (by_time || by_length) && !gated_request.has_times {
        return Some("the times of the occurrences");
    }
    unrecorded_zone(gated_request).filter(|_| by_time)
}
