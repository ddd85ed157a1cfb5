//! The commands by which operators describe a member: tier, tags and attributes for rules to read,
//! a freeze, a PIN. Repeating a command changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{accounts, parse};
use crate::control::protocol::account::AccountSetCommand;
use crate::control::protocol::{CommandResult, Refusal};
use crate::daemon::pin::is_hash;
use crate::domain::account::Account;
use crate::domain::fact::{AccountFact, Fact};
use crate::domain::member_data::{self, MAX_ATTRIBUTES, MAX_TAGS};
use crate::store::port::Store;
use crate::store::transaction::{Stamp, transact};

/// The highest overdraft of an account. A higher one is mostly a mistake.
const MAX_OVERDRAFT: u64 = 10_000;

/// Changes tier, tags and attributes.
pub fn set_attributes(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    command: &AccountSetCommand,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let no_change = AccountSetCommand {
        account: command.account.clone(),
        ..AccountSetCommand::default()
    };
    change_account(store, stamp, &command.account, |account| {
        if *command == no_change {
            return Err(parse::usage(
                "name what to set: --tier, --no-tier, --tag, --untag, --attribute, \
                 --no-attribute, --overdraft or --no-overdraft",
            ));
        }
        let changed = Account {
            tier: changed_tier(command, account)?,
            tags: changed_tags(command, account)?,
            attributes: changed_attributes(command, account)?,
            ..account.clone()
        };
        let described = (changed != *account).then(|| to_described_fact(&changed));
        let facts = described
            .into_iter()
            .chain(overdraft_fact(command, account)?);
        Ok(facts.collect())
    })
}

/// Returns the fact that changes the limit of the account's overdraft, if the command changes it.
fn overdraft_fact(command: &AccountSetCommand, account: &Account) -> Result<Option<Fact>, Refusal> {
    let limit = match (command.overdraft, command.no_overdraft) {
        (Some(_), true) => {
            return Err(parse::usage(
                "--overdraft and --no-overdraft contradict each other",
            ));
        }
        (Some(limit), false) if limit > MAX_OVERDRAFT => {
            return Err(parse::usage(format!(
                "an overdraft of {limit} is too high: at most {MAX_OVERDRAFT}"
            )));
        }
        (Some(limit), false) => Some(limit),
        (None, true) => None,
        (None, false) => return Ok(None),
    };
    let fact = Fact::Account(AccountFact::OverdraftChanged {
        account: account.id.clone(),
        limit,
    });
    Ok((limit != account.overdraft_limit).then_some(fact))
}

/// Returns the fact that records the account's tier, tags and attributes.
pub(super) fn to_described_fact(account: &Account) -> Fact {
    Fact::Account(AccountFact::Described {
        account: account.id.clone(),
        tier: account.tier.clone(),
        tags: account.tags.clone(),
        attributes: account.attributes.clone(),
    })
}

fn changed_tier(command: &AccountSetCommand, account: &Account) -> Result<Option<String>, Refusal> {
    match (&command.tier, command.no_tier) {
        (Some(_), true) => Err(parse::usage("--tier and --no-tier contradict each other")),
        (Some(tier), false) => Ok(Some(parse_word("the tier", tier)?)),
        (None, true) => Ok(None),
        (None, false) => Ok(account.tier.clone()),
    }
}

fn changed_tags(
    command: &AccountSetCommand,
    account: &Account,
) -> Result<BTreeSet<String>, Refusal> {
    let mut tags = account.tags.clone();
    for tag in &command.untags {
        tags.remove(&parse_word("the tag", tag)?);
    }
    for tag in &command.tags {
        if command.untags.contains(tag) {
            return Err(parse::usage(format!(
                "--tag {tag} and --untag {tag} contradict each other"
            )));
        }
        tags.insert(parse_word("the tag", tag)?);
    }
    bounded_tags(tags)
}

fn changed_attributes(
    command: &AccountSetCommand,
    account: &Account,
) -> Result<BTreeMap<String, String>, Refusal> {
    let mut attributes = account.attributes.clone();
    for name in &command.no_attributes {
        attributes.remove(&parse_word("the attribute", name)?);
    }
    for (name, value) in &command.attributes {
        if command.no_attributes.contains(name) {
            return Err(parse::usage(format!(
                "--attribute {name} and --no-attribute {name} contradict each other"
            )));
        }
        attributes.insert(
            parse_word("the attribute", name)?,
            parse_attribute_value(name, value)?,
        );
    }
    bounded_attributes(&attributes)?;
    Ok(attributes)
}

pub(super) fn bounded_attributes(attributes: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(parse::usage(format!(
            "an account has at most {MAX_ATTRIBUTES} attributes, and would have {}",
            attributes.len()
        )));
    }
    Ok(())
}

/// Checks a tier, a tag or an attribute name from a file or the command line.
pub(super) fn parse_word(subject: &str, word: &str) -> Result<String, Refusal> {
    member_data::parse_word(subject, word).map_err(parse::usage)
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

pub(super) fn parse_attribute_value(name: &str, value: &str) -> Result<String, Refusal> {
    member_data::parse_attribute_value(name, value).map_err(parse::usage)
}

/// Freezes the account with a reason, or thaws it.
pub fn freeze_or_thaw(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    account: &str,
    why: Option<&str>,
    stops_expiry: bool,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    change_account(store, stamp, account, |account| {
        let why = why.map(|why| parse::reason(Some(why), "")).transpose()?;
        if why.as_deref() == Some("") {
            return Err(parse::usage(
                "give the reason for freezing the account: --reason TEXT",
            ));
        }
        let is_change = why != account.freeze_reason;
        let fact = || {
            Fact::Account(AccountFact::FreezeChanged {
                account: account.id.clone(),
                stops_expiry: stops_expiry && why.is_some(),
                reason: why,
            })
        };
        Ok(is_change.then(fact).into_iter().collect())
    })
}

/// Sets or removes the member's PIN. The hash is computed in the process where the PIN was typed.
pub fn set_pin(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    account: &str,
    hash: Option<&str>,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    change_account(store, stamp, account, |account| {
        if hash.is_some_and(|hash| !is_hash(hash)) {
            return Err(parse::usage("this is not the hash of a PIN"));
        }
        let is_change = hash != account.pin_hash.as_deref();
        let fact = || {
            Fact::Account(AccountFact::PinChanged {
                account: account.id.clone(),
                hash: hash.map(str::to_owned),
            })
        };
        Ok(is_change.then(fact).into_iter().collect())
    })
}

/// Decides from the account as it is, commits the fact if there is one, and shows the account.
fn change_account(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    account: &str,
    decide: impl Fn(&Account) -> Result<Vec<Fact>, Refusal>,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let now = stamp.at;
    let (id, _) = transact(store, &stamp, |store| {
        let account = parse::find_account(store, account)?;
        let facts = decide(&account)?;
        Ok::<_, Refusal>((facts, account.id))
    })?;
    accounts::show(store, now, id.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::test_fixtures::{now, store_with_credits};
    use super::*;
    use crate::control::protocol::account::AccountView;
    use crate::daemon::pin;
    use crate::domain::member_data::{MAX_VALUE, MAX_WORD};

    fn changes_to_bo(changes: AccountSetCommand) -> AccountSetCommand {
        AccountSetCommand {
            account: "bo@example.com".to_owned(),
            ..changes
        }
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn pairs(names: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = names.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn account_view(answer: Result<CommandResult, Refusal>) -> AccountView {
        match answer {
            Ok(CommandResult::Account(view)) => view,
            other => panic!("{other:?} is no account"),
        }
    }

    #[test]
    fn only_given_attributes_change() {
        let mut store = store_with_credits(1);
        let steps = [
            (
                AccountSetCommand {
                    tier: Some(" gold ".to_owned()),
                    tags: strings(&["b", "a"]),
                    attributes: pairs(&[("seat", "12"), ("note", "by the window")]),
                    ..AccountSetCommand::default()
                },
                (Some("gold"), strings(&["a", "b"]), 2),
            ),
            (
                AccountSetCommand {
                    untags: strings(&["a", "z"]),
                    no_attributes: strings(&["note"]),
                    ..AccountSetCommand::default()
                },
                (Some("gold"), strings(&["b"]), 1),
            ),
            (
                AccountSetCommand {
                    no_tier: true,
                    attributes: pairs(&[("seat", "13")]),
                    ..AccountSetCommand::default()
                },
                (None, strings(&["b"]), 1),
            ),
        ];
        for (changes, (tier, tags, attributes)) in steps {
            let command = changes_to_bo(changes);
            let view = account_view(set_attributes(&mut store, now(), &command));
            assert_eq!(view.tier.as_deref(), tier);
            assert_eq!(view.tags, tags);
            assert_eq!(view.attributes.len(), attributes);
            let head = store.head();
            assert_eq!(
                account_view(set_attributes(&mut store, now(), &command)),
                view
            );
            assert_eq!(store.head(), head, "to say it again changes nothing");
        }
    }

    #[test]
    fn invalid_changes_are_refused_and_change_nothing() {
        let long = "x".repeat(MAX_WORD + 1);
        let many = |most: usize| (0..=most).map(|n| format!("n{n}"));
        let rows = [
            (AccountSetCommand::default(), "name what to set"),
            (
                AccountSetCommand {
                    tier: Some("gold".to_owned()),
                    no_tier: true,
                    ..AccountSetCommand::default()
                },
                "contradict each other",
            ),
            (
                AccountSetCommand {
                    tier: Some("gold member".to_owned()),
                    ..AccountSetCommand::default()
                },
                "the tier \"gold member\" contains a space",
            ),
            (
                AccountSetCommand {
                    tags: strings(&["a"]),
                    untags: strings(&["a"]),
                    ..AccountSetCommand::default()
                },
                "--tag a and --untag a contradict",
            ),
            (
                AccountSetCommand {
                    tags: strings(&[" "]),
                    ..AccountSetCommand::default()
                },
                "the tag is empty",
            ),
            (
                AccountSetCommand {
                    tags: strings(&[&long]),
                    ..AccountSetCommand::default()
                },
                "the tag is longer than 64 characters",
            ),
            (
                AccountSetCommand {
                    tags: many(MAX_TAGS).collect(),
                    ..AccountSetCommand::default()
                },
                "at most 50 tags, and would have 51",
            ),
            (
                AccountSetCommand {
                    attributes: many(MAX_ATTRIBUTES).map(|n| (n, "1".to_owned())).collect(),
                    ..AccountSetCommand::default()
                },
                "at most 50 attributes, and would have 51",
            ),
            (
                AccountSetCommand {
                    attributes: pairs(&[("seat", &"x".repeat(MAX_VALUE + 1))]),
                    ..AccountSetCommand::default()
                },
                "the attribute seat is longer than 500 characters",
            ),
            (
                AccountSetCommand {
                    attributes: pairs(&[("seat", "1\n2")]),
                    ..AccountSetCommand::default()
                },
                "the attribute seat contains a control character",
            ),
        ];
        let mut store = store_with_credits(1);
        let head = store.head();
        for (changes, expect) in rows {
            let refusal =
                set_attributes(&mut store, now(), &changes_to_bo(changes)).expect_err(expect);
            assert_eq!(refusal.code, "usage", "{refusal}");
            assert!(refusal.text.contains(expect), "{refusal}");
        }
        let of_missing_account = AccountSetCommand {
            account: "al@example.com".to_owned(),
            no_tier: true,
            ..AccountSetCommand::default()
        };
        let refusal = set_attributes(&mut store, now(), &of_missing_account)
            .expect_err("there is no account");
        assert_eq!(refusal.code, "not-found");
        assert_eq!(store.head(), head);
    }

    #[test]
    fn a_freeze_has_a_reason_and_ends() {
        let mut store = store_with_credits(1);
        let mut set =
            |why: Option<&str>| freeze_or_thaw(&mut store, now(), "bo@example.com", why, false);
        for why in [
            Some("unpaid"),
            Some("unpaid"),
            Some("still unpaid"),
            None,
            None,
        ] {
            assert_eq!(account_view(set(why)).frozen_reason.as_deref(), why);
        }
        assert_eq!(set(Some(" ")).expect_err("no reason").code, "usage");
        // The facts are the grant, the two freezes, and the thaw.
        assert_eq!(store.head().seq, 4);
    }

    #[test]
    fn a_pin_is_stored_as_a_hash_and_never_shown() {
        let mut store = store_with_credits(1);
        let hash = pin::hash("4711").expect("it is a PIN");
        let view = account_view(super::set_pin(
            &mut store,
            now(),
            "bo@example.com",
            Some(&hash),
        ));
        assert!(view.has_pin);
        let shown_text = format!("{view:?}");
        assert!(!shown_text.contains("argon2"), "{shown_text}");
        let plain = super::set_pin(&mut store, now(), "bo@example.com", Some("4711"));
        assert_eq!(plain.expect_err("no hash").code, "usage");
        assert!(!account_view(super::set_pin(&mut store, now(), "bo@example.com", None)).has_pin);
    }
}
