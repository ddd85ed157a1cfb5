//! Finds what a policy reads of a recorded request that was not recorded. Such inputs are not
//! guessed: where an input could decide, the outcome is unknown.

use super::recorded_request::rule_passed;
use crate::config::rule::BUILT_IN_RULES;
use crate::domain::criteria::cap::CapPeriod;
use crate::domain::criteria::custom_rule::Rule;
use crate::domain::criteria::gate_criteria::ZoneSource;
use crate::domain::criteria::time_window::TimeWindow;
use crate::domain::decision::Finding;
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
    pub policy: &'a Policy,
    pub gate: &'a Gate,
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
    for rule in rule_order(gated_request) {
        let is_of_rule = |finding: &&Finding| finding.rule == rule;
        let Some(finding) = findings.iter().find(is_of_rule) else {
            continue;
        };
        if let Some(input) = unrecorded_input_of_rule(gated_request, &rule) {
            return Some(input);
        }
        if !finding.passed {
            return None;
        }
    }
    None
}

/// Returns the names of all rules, in the order in which they are evaluated.
fn rule_order(gated_request: &GatedRequest<'_>) -> Vec<String> {
    let (last, first) = BUILT_IN_RULES.split_last().expect("there are rules");
    let built_in = first.iter().map(|name| (*name).to_owned());
    let rules = all_rules(gated_request).map(|rule| rule.name.clone());
    built_in.chain(rules).chain([(*last).to_owned()]).collect()
}

fn all_rules<'a>(gated_request: &GatedRequest<'a>) -> impl Iterator<Item = &'a Rule> + use<'a> {
    let global_rules = &gated_request.policy.global.rules;
    global_rules
        .iter()
        .chain(gated_request.gate.criteria.rules.iter())
}

/// Returns an input that the rule with this name reads and that is not known.
fn unrecorded_input_of_rule(gated_request: &GatedRequest<'_>, rule: &str) -> Option<String> {
    let zone = unrecorded_zone(gated_request);
    let times = (!gated_request.has_times).then_some("the times of the occurrences");
    let fixed = match rule {
        "free-of-charge" if rule_passed(gated_request.request, rule).is_none() => {
            Some("the price of the event type")
        }
        "time-free" if rule_passed(gated_request.request, rule).is_none() => {
            Some("whether the time was free")
        }
        // A member without a PIN cannot give a correct PIN, whatever was typed.
        "pin" if rule_passed(gated_request.request, rule).is_none() && gated_request.has_pin => {
            Some("the PIN")
        }
        "requests-per-day" => zone,
        "notice" => times,
        "hours" => times.or(zone),
        "caps" => times.or(zone.filter(|_| has_calendar_caps(gated_request))),
        "credit" => unrecorded_price_input(gated_request),
        _ => None,
    };
    if fixed.is_some() || BUILT_IN_RULES.contains(&rule) {
        return fixed.map(str::to_owned);
    }
    let rule = all_rules(gated_request).find(|known| &*known.name == rule)?;
    rule.require
        .names()
        .into_iter()
        .find_map(|name| unrecorded_variable(gated_request, name))
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
        unrecorded_price_input(gated_request)
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
    caps.any(|cap| cap.period != CapPeriod::Open)
}

/// Returns an input of the price that is not known.
fn unrecorded_price_input(gated_request: &GatedRequest<'_>) -> Option<&'static str> {
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
