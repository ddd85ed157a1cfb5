//! What operators say of a member: tier, tags and attributes for rules to look at, a freeze, a PIN.
//! To say the same again changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{accounts, parse};
use crate::control::protocol::account::Describe;
use crate::control::protocol::{Answer, Refusal};
use crate::daemon::pin::is_hash;
use crate::domain::account::Account;
use crate::domain::fact::Fact;
use crate::domain::time::Time;
use crate::store::port::Store;

/// The longest tier, tag or name of an attribute, in characters: they are words.
const MAX_WORD: usize = 64;

/// The longest value of an attribute, in characters.
const MAX_VALUE: usize = 500;

/// Tags of one account, and attributes: every pass may load all of them.
const MAX_TAGS: usize = 50;
const MAX_ATTRIBUTES: usize = 50;

/// Changes tier, tags and attributes.
pub fn describe(store: &mut dyn Store, now: Time, asked: &Describe) -> Result<Answer, Refusal> {
    let account = parse::account(store, &asked.account)?;
    let nothing = Describe {
        account: asked.account.clone(),
        ..Describe::default()
    };
    if *asked == nothing {
        return Err(parse::usage(
            "say what to set: --tier, --no-tier, --tag, --untag, --attribute or --no-attribute",
        ));
    }
    let changed = Account {
        tier: tier(asked, &account)?,
        tags: tags(asked, &account)?,
        attributes: attributes(asked, &account)?,
        ..account.clone()
    };
    let fact = described(&changed);
    write(store, now, &account, (changed != account).then_some(fact))
}

/// What rules may look at, as it is from now on.
pub(super) fn described(account: &Account) -> Fact {
    Fact::Described {
        account: account.id.clone(),
        tier: account.tier.clone(),
        tags: account.tags.clone(),
        attributes: account.attributes.clone(),
    }
}

fn tier(asked: &Describe, account: &Account) -> Result<Option<String>, Refusal> {
    match (&asked.tier, asked.no_tier) {
        (Some(_), true) => Err(parse::usage("--tier and --no-tier contradict each other")),
        (Some(tier), false) => Ok(Some(word("the tier", tier)?)),
        (None, true) => Ok(None),
        (None, false) => Ok(account.tier.clone()),
    }
}

fn tags(asked: &Describe, account: &Account) -> Result<BTreeSet<String>, Refusal> {
    let mut tags = account.tags.clone();
    for tag in &asked.untags {
        tags.remove(&word("the tag", tag)?);
    }
    for tag in &asked.tags {
        if asked.untags.contains(tag) {
            return Err(parse::usage(format!(
                "--tag {tag} and --untag {tag} contradict each other"
            )));
        }
        tags.insert(word("the tag", tag)?);
    }
    bounded_tags(tags)
}

fn attributes(asked: &Describe, account: &Account) -> Result<BTreeMap<String, String>, Refusal> {
    let mut attributes = account.attributes.clone();
    for name in &asked.no_attributes {
        attributes.remove(&word("the attribute", name)?);
    }
    for (name, value) in &asked.attributes {
        if asked.no_attributes.contains(name) {
            return Err(parse::usage(format!(
                "--attribute {name} and --no-attribute {name} contradict each other"
            )));
        }
        attributes.insert(word("the attribute", name)?, text(name, value)?);
    }
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(parse::usage(format!(
            "an account has at most {MAX_ATTRIBUTES} attributes, and would have {}",
            attributes.len()
        )));
    }
    Ok(attributes)
}

/// A tier of a file or of the command line.
pub(super) fn word(what: &str, word: &str) -> Result<String, Refusal> {
    let word = word.trim();
    if word.is_empty() {
        return Err(parse::usage(format!("{what} is empty")));
    }
    if word.chars().count() > MAX_WORD {
        return Err(parse::usage(format!(
            "{what} is longer than {MAX_WORD} characters"
        )));
    }
    match word.chars().find(|c| c.is_whitespace() || c.is_control()) {
        Some(c) => Err(parse::usage(format!(
            "{what} {word:?} has a blank or control character in it ({c:?}): write gold-member"
        ))),
        None => Ok(word.to_owned()),
    }
}

pub(super) fn bounded_tags(tags: BTreeSet<String>) -> Result<BTreeSet<String>, Refusal> {
    if tags.len() > MAX_TAGS {
        return Err(parse::usage(format!(
            "an account has at most {MAX_TAGS} tags, and would have {}",
            tags.len()
        )));
    }
    Ok(tags)
}

fn text(name: &str, value: &str) -> Result<String, Refusal> {
    let value = value.trim();
    if value.chars().count() > MAX_VALUE {
        return Err(parse::usage(format!(
            "the attribute {name} is longer than {MAX_VALUE} characters"
        )));
    }
    match value.chars().find(|c| c.is_control()) {
        Some(c) => Err(parse::usage(format!(
            "the attribute {name} has a control character in it ({c:?})"
        ))),
        None => Ok(value.to_owned()),
    }
}

/// Freezes the account with a reason, or thaws it.
pub fn freeze(
    store: &mut dyn Store,
    now: Time,
    account: &str,
    why: Option<&str>,
) -> Result<Answer, Refusal> {
    let account = parse::account(store, account)?;
    let why = why.map(|why| parse::reason(Some(why), "")).transpose()?;
    if why.as_deref() == Some("") {
        return Err(parse::usage("say why the account is frozen: --reason TEXT"));
    }
    let fact = Fact::Frozen {
        account: account.id.clone(),
        why: why.clone(),
    };
    write(
        store,
        now,
        &account,
        (why != account.frozen).then_some(fact),
    )
}

/// Sets or takes away the member's PIN. The hash is made where the PIN was typed.
pub fn pin(
    store: &mut dyn Store,
    now: Time,
    account: &str,
    hash: Option<&str>,
) -> Result<Answer, Refusal> {
    let account = parse::account(store, account)?;
    if hash.is_some_and(|hash| !is_hash(hash)) {
        return Err(parse::usage("that is no hash of a PIN"));
    }
    let fact = Fact::Pinned {
        account: account.id.clone(),
        hash: hash.map(str::to_owned),
    };
    let changes = hash != account.pin.as_deref();
    write(store, now, &account, changes.then_some(fact))
}

fn write(
    store: &mut dyn Store,
    now: Time,
    account: &Account,
    fact: Option<Fact>,
) -> Result<Answer, Refusal> {
    store
        .commit(now, fact.into_iter().collect(), &[])
        .map_err(|e| parse::commit_failed(&e))?;
    accounts::show(store, now, account.id.as_str())
}
