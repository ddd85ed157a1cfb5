//! What a policy asks of a recorded request that nobody wrote down. Nothing of it is guessed: where
//! it could decide, the outcome is not known.

use super::recorded::passed;
use crate::config::rule::OWN;
use crate::domain::criteria::cap::Period;
use crate::domain::criteria::opening::Opening;
use crate::domain::criteria::rule::Rule;
use crate::domain::criteria::terms::WhoseClock;
use crate::domain::decision::Finding;
use crate::domain::gate::{Gate, Policy};
use crate::domain::request::Request;

/// Names that rules may look at, and no request is recorded with.
const UNRECORDED: [&str; 10] = [
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

/// Of the host, likewise.
const UNRECORDED_OF_HOST: [&str; 3] = ["host.address", "host.name", "host.time_zone"];

/// Names that are of the zone in which the gate looks at a request.
const OF_THE_ZONE: [&str; 5] = [
    "booking.weekday",
    "booking.hour",
    "member.day",
    "member.week",
    "member.month",
];

/// Names that are of the price.
const OF_THE_PRICE: [&str; 3] = ["request.cost", "request.credits", "request.missing"];

/// Names that are of the first booking's end.
const OF_THE_END: [&str; 2] = ["booking.end", "booking.length"];

/// A title of so many characters may have been cut there when it was recorded (`domain::text`).
const MAX_TITLE: usize = 300;

/// A request and the gate that would judge it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub policy: &'a Policy,
    pub gate: &'a Gate,
    pub request: &'a Request,
    /// Whether it is known when each of its bookings is.
    pub times: bool,
    /// Whether the member has a PIN.
    pub pin: bool,
}

/// What would have to be known; `None`: what was found stands. A rule that objects settles it,
/// unless one that comes before it looked at something that is missing.
pub fn missing(asked: &Asked<'_>, findings: &[Finding]) -> Option<String> {
    for rule in order(asked) {
        let of = |finding: &&Finding| finding.rule == rule;
        let Some(finding) = findings.iter().find(of) else {
            continue;
        };
        if let Some(what) = what(asked, &rule) {
            return Some(what);
        }
        if !finding.passed {
            return None;
        }
    }
    None
}

/// The names of all rules, in the order in which they are looked at.
fn order(asked: &Asked<'_>) -> Vec<String> {
    let (last, first) = OWN.split_last().expect("there are rules");
    let own = first.iter().map(|name| (*name).to_owned());
    let rules = rules(asked).map(|rule| rule.name.clone());
    own.chain(rules).chain([(*last).to_owned()]).collect()
}

fn rules<'a>(asked: &Asked<'a>) -> impl Iterator<Item = &'a Rule> + use<'a> {
    let house = &asked.policy.house.rules;
    house.iter().chain(asked.gate.criteria.rules.iter())
}

/// What the rule of this name looks at and is not known.
fn what(asked: &Asked<'_>, rule: &str) -> Option<String> {
    let zone = no_zone(asked);
    let times = (!asked.times).then_some("the times of the occurrences");
    let fixed = match rule {
        "free-of-charge" if passed(asked.request, rule).is_none() => {
            Some("the price of the event type")
        }
        "time-free" if passed(asked.request, rule).is_none() => Some("whether the time was free"),
        // A member who has none can give no right one, whatever was typed.
        "pin" if passed(asked.request, rule).is_none() && asked.pin => Some("the PIN"),
        "requests-per-day" => zone,
        "notice" => times,
        "hours" => times.or(zone),
        "caps" => times.or(zone.filter(|_| has_days(asked))),
        "credit" => price(asked),
        _ => None,
    };
    if fixed.is_some() || OWN.contains(&rule) {
        return fixed.map(str::to_owned);
    }
    let rule = rules(asked).find(|known| &*known.name == rule)?;
    rule.require
        .names()
        .into_iter()
        .find_map(|name| of_name(asked, name))
}

/// What a name of the schema stands for and is not known.
fn of_name(asked: &Asked<'_>, name: &str) -> Option<String> {
    let request = asked.request;
    let unknown = UNRECORDED.contains(&name)
        || UNRECORDED_OF_HOST.contains(&name)
        || (name == "booking.rescheduled" && request.carries.is_none())
        || (name == "booking.title" && request.title.chars().count() >= MAX_TITLE);
    if unknown {
        return Some(name.to_owned());
    }
    let what = if OF_THE_ZONE.contains(&name) {
        no_zone(asked)
    } else if OF_THE_PRICE.contains(&name) {
        price(asked)
    } else if OF_THE_END.contains(&name) && !asked.times {
        Some("the times of the occurrences")
    } else {
        None
    };
    what.map(str::to_owned)
}

/// The zone, when it is the booker's.
fn no_zone(asked: &Asked<'_>) -> Option<&'static str> {
    match asked.gate.criteria.clock {
        WhoseClock::House => None,
        WhoseClock::Booker => Some("the booker's time zone"),
    }
}

fn has_days(asked: &Asked<'_>) -> bool {
    let house = &asked.policy.house.caps;
    let mut caps = house.iter().chain(&asked.gate.criteria.caps);
    caps.any(|cap| cap.per != Period::Open)
}

/// What a price goes by and is not known.
fn price(asked: &Asked<'_>) -> Option<&'static str> {
    let prices = &asked.gate.criteria.prices;
    let by_time = prices.iter().any(|price| price.when != Opening::ALWAYS);
    let by_length = prices.iter().any(|price| price.length != (None, None));
    if (by_time || by_length) && !asked.times {
        return Some("the times of the occurrences");
    }
    no_zone(asked).filter(|_| by_time)
}
