//! The house's criteria over HTTP against the sandbox, with the real client: caps, limits, hours,
//! lists, prices, PINs and questions to other systems. What the domain's own tables show of one
//! request is shown here of what observing gathers.

#![allow(clippy::unwrap_used, reason = "tests panic")]

mod common;
#[path = "rules/criteria.rs"]
mod criteria;
#[path = "rules/genuine.rs"]
mod genuine;
#[path = "rules/lookups.rs"]
mod lookups;
#[path = "rules/pins.rs"]
mod pins;

use std::collections::{BTreeMap, BTreeSet};

use common::{House, time};
use maitred::calcom::port::Dialect;
use maitred::domain::criteria::effect::Effect;
use maitred::domain::criteria::rule::Rule;
use maitred::domain::decision::Code;
use maitred::domain::fact::Fact;
use maitred::domain::id::AccountId;
use maitred::domain::rule::expression::{Expression, STACK};
use maitred::domain::time::Span;
use maitred::sandbox::ask::Ask;

const BOTH: [Dialect; 2] = [Dialect::V2, Dialect::V1];

/// A request made a minute ago, with whatever is special about it.
fn ask(
    house: &House,
    kind: i64,
    email: &str,
    start: &str,
    special: impl FnOnce(&mut Ask),
) -> String {
    house.clock.advance(Span::seconds(1));
    let made = house.clock.now() - Span::minutes(1);
    let mut ask = Ask::new(kind, email, time(start));
    special(&mut ask);
    let mut uids = house.sandbox.lock().book(made, ask).unwrap();
    uids.swap_remove(0)
}

async fn commit(house: &House, fact: Fact) {
    let at = house.clock.now();
    let done = house
        .store
        .with(move |store| store.commit(at, vec![fact], &[]));
    done.await.unwrap();
}

async fn tier(house: &House, account: &str, tier: &str) {
    let fact = Fact::Described {
        account: AccountId::parse(account).unwrap(),
        tier: Some(tier.to_owned()),
        tags: BTreeSet::new(),
        attributes: BTreeMap::new(),
    };
    commit(house, fact).await;
}

/// A rule that may ask these lookups.
fn rule(name: &str, require: &str, effect: Effect, lookups: &[&str]) -> Rule {
    let known: BTreeSet<String> = lookups.iter().map(|name| (*name).to_owned()).collect();
    let text = require.to_owned();
    let compile = move || Expression::compile(&text, &known).unwrap();
    let thread = std::thread::Builder::new().stack_size(STACK);
    Rule {
        name: name.to_owned(),
        require: thread.spawn(compile).unwrap().join().unwrap(),
        reason: None,
        effect,
    }
}

/// The decision and the first reason that stand in the log, and what the booking is: `decline
/// over-cap`, `confirm enough`.
async fn decided(house: &House, uid: &str) -> String {
    match house.record(uid).await {
        None => format!("none ({})", house.status(uid)),
        Some(record) => {
            let code = record.reasons.first().map(|reason| reason.code);
            let code = code.map_or("", Code::as_str);
            let status = match house.status(uid) {
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
