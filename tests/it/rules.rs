//! The operator's criteria over HTTP against the sandbox, with the real client: caps, limits,
//! hours, lists, prices, PINs and lookups in other systems. The domain's own tables test single
//! requests; these tests cover what observing gathers.

mod criteria;
mod host_caps;
mod lookups;
mod pins;
mod prices;
mod real_answers;

use std::collections::{BTreeMap, BTreeSet};

use crate::fixture::clock::parse_time;
use crate::fixture::pass_fixture::PassFixture;
use crate::fixture::steps::commit_fact;
use maitred::domain::criteria::custom_rule::Rule;
use maitred::domain::criteria::on_violation::OnViolation;
use maitred::domain::decision::ReasonCode;
use maitred::domain::fact::{AccountFact, Fact};
use maitred::domain::id::AccountId;
use maitred::domain::rule::expression::{Expression, MIN_STACK_BYTES};
use maitred::domain::time::Span;
use maitred::sandbox::new_booking::NewBooking;

/// Makes a request that is a minute old, with these special fields.
fn request_with(
    fixture: &PassFixture,
    event_type: i64,
    email: &str,
    start: &str,
    customize: impl FnOnce(&mut NewBooking),
) -> String {
    fixture.clock.advance(Span::seconds(1));
    let made = fixture.clock.now() - Span::minutes(1);
    let mut ask = NewBooking::new(event_type, email, parse_time(start));
    customize(&mut ask);
    let mut uids = fixture.sandbox.lock().book(made, ask).unwrap();
    uids.swap_remove(0)
}

async fn set_tier(fixture: &PassFixture, account: &str, tier: &str) {
    let fact = Fact::Account(AccountFact::Described {
        account: AccountId::parse(account).unwrap(),
        tier: Some(tier.to_owned()),
        tags: BTreeSet::new(),
        attributes: BTreeMap::new(),
    });
    commit_fact(fixture, fact).await;
}

/// Returns a rule that may use these lookups.
fn rule_with_lookups(name: &str, require: &str, effect: OnViolation, lookups: &[&str]) -> Rule {
    let allowed_lookups: BTreeSet<String> = lookups.iter().map(|name| (*name).to_owned()).collect();
    let text = require.to_owned();
    let compile = move || Expression::compile(&text, &allowed_lookups).unwrap();
    let thread = std::thread::Builder::new().stack_size(MIN_STACK_BYTES);
    Rule {
        name: name.to_owned(),
        require: thread.spawn(compile).unwrap().join().unwrap(),
        reason: None,
        on_violation: effect,
    }
}

/// Returns the decision and the first reason in the log, or the booking's status: `decline
/// over-cap`, `confirm enough`.
async fn decision_text(fixture: &PassFixture, uid: &str) -> String {
    match fixture.stored_request(uid).await {
        None => format!("none ({})", fixture.status(uid)),
        Some(record) => {
            let code = record.reasons.first().map(|reason| reason.code);
            let code = code.map_or("", ReasonCode::as_str);
            let status = match fixture.status(uid) {
                "rejected" | "cancelled" => "refused",
                status => status,
            };
            let decision = record.decision.as_str();
            let expected = match decision {
                "confirm" => "accepted",
                "decline" => "refused",
                _ => "pending",
            };
            assert_eq!(status, expected, "{uid}: {decision} {code}");
            format!("{decision} {code}")
        }
    }
}
