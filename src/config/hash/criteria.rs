//! The part of the canonical text that says what the global policy and the gates require in
//! addition to credit. Settings for operators only, such as notes, do not decide and are left out.

use super::{quote, render_effect, render_event_type};
use crate::domain::criteria::access_list::{AccessEntry, AccessSubject};
use crate::domain::criteria::cap::Cap;
use crate::domain::criteria::custom_rule::Rule;
use crate::domain::criteria::gate_criteria::{
    AccountDetails, Criteria, TooManyRequestsReply, ZoneSource,
};
use crate::domain::criteria::global_policy::{GlobalPolicy, ManagedUsers};
use crate::domain::criteria::price::Price;
use crate::domain::criteria::time_window::TimeWindow;
use crate::domain::lookup::{LookupConfig, LookupSource};
use crate::domain::rule::localized_text::LocalizedText;
use crate::domain::time::Span;

pub(super) fn render_global_policy(global_policy: &GlobalPolicy) -> Vec<String> {
    let folding = &global_policy.address_normalization;
    let dots = sort_lines(
        folding
            .domains_ignoring_dots
            .iter()
            .map(|domain| quote(domain))
            .collect(),
    );
    let managed = match global_policy.managed_users {
        ManagedUsers::Leave => "leave",
        ManagedUsers::Find => "find",
    };
    let mut lines = vec![format!(
        "global {} ignore-plus-tags {} ignore-dots-at {} managed-users {managed} requests-per-day {}",
        global_policy.zone.name(),
        folding.strip_tags,
        dots.join(" "),
        render_number(global_policy.requests_per_day)
    )];
    lines.extend(render_caps(&global_policy.caps));
    lines.extend(render_access_list("allow", &global_policy.allow));
    lines.extend(render_access_list("block", &global_policy.block));
    let mut reasons = Vec::new();
    for (code, text) in &global_policy.reason_texts {
        reasons.push(format!(
            "reason {code} {}",
            self::render_localized_text(text)
        ));
    }
    lines.extend(sort_lines(reasons));
    lines.extend(global_policy.rules.iter().map(render_rule));
    let lookups = global_policy.lookups.iter();
    let lookups = lookups.map(|lookup| {
        format!(
            "lookup {} {}",
            lookup.name,
            render_effect(lookup.on_no_answer)
        )
    });
    lines.extend(sort_lines(lookups.collect()));
    lines
}

/// Renders the systems that the lookups ask. Their timing does not decide and is left out.
pub(super) fn render_lookups(lookups: &[LookupConfig]) -> Vec<String> {
    let render_lookup = |lookup: &LookupConfig| {
        let source = match &lookup.source {
            LookupSource::Command { program, args } => {
                let program = quote(&program.to_string_lossy());
                let args: Vec<String> = args.iter().map(|arg| quote(arg)).collect();
                format!("{program} {}", args.join(" "))
            }
            LookupSource::Url { url, .. } => format!("url {}", quote(url)),
        };
        format!("asks {} {source}", lookup.name)
    };
    sort_lines(lookups.iter().map(render_lookup).collect())
}

pub(super) fn render_gate_criteria(criteria: &Criteria) -> Vec<String> {
    let notice = criteria.notice;
    let clock = match criteria.zone_source {
        ZoneSource::Schedule => "schedule",
        ZoneSource::Booker => "booker",
    };
    let details = match criteria.account_details {
        AccountDetails::ProvenMember => "proven",
        AccountDetails::Always => "always",
    };
    let mut lines = vec![format!(
        "criteria over-cap {} notice {} {} missed {} outside-hours {} not-allowed {} blocked {} \
         requests-per-day {} too-many {} {} pin {} wrong-pin {} account-details {details} clock {clock}",
        render_effect(criteria.on_over_cap),
        render_span(notice.at_least),
        render_span(notice.at_most),
        render_effect(criteria.on_notice_missed),
        render_effect(criteria.on_outside_hours),
        render_effect(criteria.on_not_allowed),
        render_effect(criteria.on_blocked),
        render_number(criteria.requests_per_day),
        render_effect(criteria.on_too_many_requests),
        match criteria.too_many_requests_reply {
            TooManyRequestsReply::Once => "once",
            TooManyRequestsReply::Each => "each",
            TooManyRequestsReply::Never => "never",
        },
        criteria.pin.as_deref().map_or("-".to_owned(), quote),
        render_effect(criteria.on_wrong_pin),
    )];
    lines.extend(criteria.prices.iter().map(render_price));
    lines.extend(render_caps(&criteria.caps));
    let hours = criteria.hours.iter();
    lines.extend(sort_lines(
        hours
            .map(|open| format!("open {}", render_time_window(open)))
            .collect(),
    ));
    lines.extend(render_access_list("allow", &criteria.allow));
    lines.extend(render_access_list("block", &criteria.block));
    lines.extend(criteria.rules.iter().map(render_rule));
    lines
}

fn render_price(price: &Price) -> String {
    let event_types = sort_lines(price.event_types.iter().map(render_event_type).collect());
    let (shortest, longest) = price.length;
    let (fewest, most) = price.occurrences;
    format!(
        "price {} tiers {} event-types {} length {} {} occurrences {} {} {}",
        price.cost,
        render_tiers(&price.tiers),
        event_types.join(" "),
        render_span(shortest),
        render_span(longest),
        render_number(fewest),
        render_number(most),
        render_time_window(&price.start_window)
    )
}

fn render_caps(caps: &[Cap]) -> Vec<String> {
    let line = |cap: &Cap| {
        let tiers = render_tiers(&cap.tiers);
        format!(
            "cap {} per {} tiers {tiers}",
            cap.at_most,
            cap.period.as_str()
        )
    };
    sort_lines(caps.iter().map(line).collect())
}

fn render_access_list(list: &str, entries: &[AccessEntry]) -> Vec<String> {
    let line = |entry: &AccessEntry| {
        let subject = match &entry.subject {
            AccessSubject::Address(address) => quote(address.as_str()),
            AccessSubject::Domain(domain) => format!("@{}", quote(domain)),
        };
        let expires = render_number(entry.expires.map(|at| at.timestamp_millis()));
        format!("{list} {subject} expires {expires}")
    };
    sort_lines(entries.iter().map(line).collect())
}

fn render_rule(rule: &Rule) -> String {
    format!(
        "rule {} require {} effect {} reason {}",
        quote(&rule.name),
        quote(rule.require.text()),
        render_effect(rule.on_violation),
        rule.reason
            .as_ref()
            .map_or("-".to_owned(), render_localized_text)
    )
}

/// Renders the texts in their order, because the first language is used for all other languages.
fn render_localized_text(text: &LocalizedText) -> String {
    let templates = text.by_language.iter();
    let templates =
        templates.map(|(tag, template)| format!("{} {}", quote(tag), quote(template.text())));
    templates.collect::<Vec<String>>().join(" ")
}

fn render_time_window(window: &TimeWindow) -> String {
    let days: String = window
        .weekdays
        .iter()
        .map(|on| if *on { '1' } else { '0' })
        .collect();
    let to = window.to.map_or("24:00:00".to_owned(), |to| to.to_string());
    format!("{days} {} {to}", window.from)
}

fn render_tiers(tiers: &[String]) -> String {
    sort_lines(tiers.iter().map(|tier| quote(tier)).collect()).join(" ")
}

fn render_span(span: Option<Span>) -> String {
    render_number(span.map(|span| span.num_milliseconds()))
}

fn render_number<T: ToString>(number: Option<T>) -> String {
    number.map_or("-".to_owned(), |number| number.to_string())
}

fn sort_lines(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}
