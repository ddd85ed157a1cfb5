//! The part of the canonical text that says what the house and its gates ask for beside credit. What
//! is for operators only, as notes are, does not decide and is not in it.

use super::{effect, event_type, quoted};
use crate::config::lookup::{LookupConfig, Source};
use crate::domain::criteria::cap::Cap;
use crate::domain::criteria::house::{House, ManagedUsers};
use crate::domain::criteria::lists::{Listed, Who};
use crate::domain::criteria::opening::Opening;
use crate::domain::criteria::price::Price;
use crate::domain::criteria::rule::Rule;
use crate::domain::criteria::terms::{AccountDetails, AnswerTooMany, Criteria, WhoseClock};
use crate::domain::rule::localized_text::LocalizedText;
use crate::domain::time::Span;

pub(super) fn house(house: &House) -> Vec<String> {
    let folding = &house.folding;
    let dots = sorted(folding.dots.iter().map(|domain| quoted(domain)).collect());
    let managed = match house.managed_users {
        ManagedUsers::Leave => "leave",
        ManagedUsers::Find => "find",
    };
    let mut lines = vec![format!(
        "house {} fold-tags {} fold-dots {} managed-users {managed} requests-per-day {}",
        house.zone.name(),
        folding.tags,
        dots.join(" "),
        number(house.requests_per_day)
    )];
    lines.extend(caps(&house.caps));
    lines.extend(listed("allow", &house.allow));
    lines.extend(listed("block", &house.block));
    let mut reasons = Vec::new();
    for (code, words) in &house.reasons {
        reasons.push(format!("reason {code} {}", self::words(words)));
    }
    lines.extend(sorted(reasons));
    lines.extend(house.rules.iter().map(rule));
    let lookups = house.lookups.iter();
    let lookups =
        lookups.map(|lookup| format!("lookup {} {}", lookup.name, effect(lookup.no_answer)));
    lines.extend(sorted(lookups.collect()));
    lines
}

/// Whom the lookups ask; how fast they are is no decision.
pub(super) fn lookups(lookups: &[LookupConfig]) -> Vec<String> {
    let asks = |lookup: &LookupConfig| {
        let source = match &lookup.source {
            Source::Command { program, args } => {
                let program = quoted(&program.to_string_lossy());
                let args: Vec<String> = args.iter().map(|arg| quoted(arg)).collect();
                format!("{program} {}", args.join(" "))
            }
            Source::Url { url, .. } => format!("url {}", quoted(url)),
        };
        format!("asks {} {source}", lookup.name)
    };
    sorted(lookups.iter().map(asks).collect())
}

pub(super) fn gate(criteria: &Criteria) -> Vec<String> {
    let notice = criteria.notice;
    let clock = match criteria.clock {
        WhoseClock::House => "house",
        WhoseClock::Booker => "booker",
    };
    let details = match criteria.account_details {
        AccountDetails::Proven => "proven",
        AccountDetails::Always => "always",
    };
    let mut lines = vec![format!(
        "criteria over-cap {} notice {} {} missed {} outside-hours {} not-allowed {} blocked {} \
         requests-per-day {} too-many {} {} pin {} wrong-pin {} account-details {details} clock {clock}",
        effect(criteria.over_cap),
        span(notice.at_least),
        span(notice.at_most),
        effect(criteria.notice_missed),
        effect(criteria.outside_hours),
        effect(criteria.not_allowed),
        effect(criteria.blocked),
        number(criteria.requests_per_day),
        effect(criteria.too_many_requests),
        match criteria.answer_too_many {
            AnswerTooMany::Once => "once",
            AnswerTooMany::Each => "each",
            AnswerTooMany::Never => "never",
        },
        criteria.pin.as_deref().map_or("-".to_owned(), quoted),
        effect(criteria.wrong_pin),
    )];
    lines.extend(criteria.prices.iter().map(price));
    lines.extend(caps(&criteria.caps));
    let hours = criteria.hours.iter();
    lines.extend(sorted(
        hours
            .map(|open| format!("open {}", opening(open)))
            .collect(),
    ));
    lines.extend(listed("allow", &criteria.allow));
    lines.extend(listed("block", &criteria.block));
    lines.extend(criteria.rules.iter().map(rule));
    lines
}

fn price(price: &Price) -> String {
    let event_types = sorted(price.event_types.iter().map(event_type).collect());
    let (shortest, longest) = price.length;
    let (fewest, most) = price.occurrences;
    format!(
        "price {} tiers {} event-types {} length {} {} occurrences {} {} {}",
        price.cost,
        tiers(&price.tiers),
        event_types.join(" "),
        span(shortest),
        span(longest),
        number(fewest),
        number(most),
        opening(&price.when)
    )
}

fn caps(caps: &[Cap]) -> Vec<String> {
    let line = |cap: &Cap| {
        let tiers = tiers(&cap.tiers);
        format!("cap {} per {} tiers {tiers}", cap.at_most, cap.per.word())
    };
    sorted(caps.iter().map(line).collect())
}

fn listed(list: &str, entries: &[Listed]) -> Vec<String> {
    let line = |entry: &Listed| {
        let who = match &entry.who {
            Who::Address(address) => quoted(address.as_str()),
            Who::Domain(domain) => format!("@{}", quoted(domain)),
        };
        let expires = number(entry.expires.map(|at| at.timestamp_millis()));
        format!("{list} {who} expires {expires}")
    };
    sorted(entries.iter().map(line).collect())
}

fn rule(rule: &Rule) -> String {
    format!(
        "rule {} require {} effect {} reason {}",
        quoted(&rule.name),
        quoted(rule.require.text()),
        effect(rule.effect),
        rule.reason.as_ref().map_or("-".to_owned(), words)
    )
}

/// In the order of the text: the first language is the one for all others.
fn words(words: &LocalizedText) -> String {
    let templates = words.by_language.iter();
    let templates =
        templates.map(|(tag, template)| format!("{} {}", quoted(tag), quoted(template.text())));
    templates.collect::<Vec<String>>().join(" ")
}

fn opening(opening: &Opening) -> String {
    let days: String = opening
        .weekdays
        .iter()
        .map(|on| if *on { '1' } else { '0' })
        .collect();
    let to = opening
        .to
        .map_or("24:00:00".to_owned(), |to| to.to_string());
    format!("{days} {} {to}", opening.from)
}

fn tiers(tiers: &[String]) -> String {
    sorted(tiers.iter().map(|tier| quoted(tier)).collect()).join(" ")
}

fn span(span: Option<Span>) -> String {
    number(span.map(|span| span.num_milliseconds()))
}

fn number<T: ToString>(number: Option<T>) -> String {
    number.map_or("-".to_owned(), |number| number.to_string())
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}
