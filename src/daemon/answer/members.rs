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

#[cfg(test)]
mod tests {
    use super::super::make::{now, store};
    use super::*;
    use crate::control::protocol::account::AccountView;
    use crate::daemon::pin;

    fn bo(changes: Describe) -> Describe {
        Describe {
            account: "bo@example.com".to_owned(),
            ..changes
        }
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn pairs(names: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = names.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn shown(answer: Result<Answer, Refusal>) -> AccountView {
        match answer {
            Ok(Answer::Account(view)) => view,
            other => panic!("{other:?} is no account"),
        }
    }

    #[test]
    fn what_is_named_changes_and_the_rest_stays() {
        let mut store = store(1);
        let steps = [
            (
                Describe {
                    tier: Some(" gold ".to_owned()),
                    tags: texts(&["b", "a"]),
                    attributes: pairs(&[("seat", "12"), ("note", "by the window")]),
                    ..Describe::default()
                },
                (Some("gold"), texts(&["a", "b"]), 2),
            ),
            (
                Describe {
                    untags: texts(&["a", "z"]),
                    no_attributes: texts(&["note"]),
                    ..Describe::default()
                },
                (Some("gold"), texts(&["b"]), 1),
            ),
            (
                Describe {
                    no_tier: true,
                    attributes: pairs(&[("seat", "13")]),
                    ..Describe::default()
                },
                (None, texts(&["b"]), 1),
            ),
        ];
        for (asked, (tier, tags, attributes)) in steps {
            let asked = bo(asked);
            let view = shown(describe(&mut store, now(), &asked));
            assert_eq!(view.tier.as_deref(), tier);
            assert_eq!(view.tags, tags);
            assert_eq!(view.attributes.len(), attributes);
            let head = store.head();
            assert_eq!(shown(describe(&mut store, now(), &asked)), view);
            assert_eq!(store.head(), head, "to say it again changes nothing");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_and_changes_nothing() {
        let long = "x".repeat(MAX_WORD + 1);
        let many = |most: usize| (0..=most).map(|n| format!("n{n}"));
        let rows = [
            (Describe::default(), "say what to set"),
            (
                Describe {
                    tier: Some("gold".to_owned()),
                    no_tier: true,
                    ..Describe::default()
                },
                "contradict each other",
            ),
            (
                Describe {
                    tier: Some("gold member".to_owned()),
                    ..Describe::default()
                },
                "the tier \"gold member\" has a blank",
            ),
            (
                Describe {
                    tags: texts(&["a"]),
                    untags: texts(&["a"]),
                    ..Describe::default()
                },
                "--tag a and --untag a contradict",
            ),
            (
                Describe {
                    tags: texts(&[" "]),
                    ..Describe::default()
                },
                "the tag is empty",
            ),
            (
                Describe {
                    tags: texts(&[&long]),
                    ..Describe::default()
                },
                "the tag is longer than 64 characters",
            ),
            (
                Describe {
                    tags: many(MAX_TAGS).collect(),
                    ..Describe::default()
                },
                "at most 50 tags, and would have 51",
            ),
            (
                Describe {
                    attributes: many(MAX_ATTRIBUTES).map(|n| (n, "1".to_owned())).collect(),
                    ..Describe::default()
                },
                "at most 50 attributes, and would have 51",
            ),
            (
                Describe {
                    attributes: pairs(&[("seat", &"x".repeat(MAX_VALUE + 1))]),
                    ..Describe::default()
                },
                "the attribute seat is longer than 500 characters",
            ),
            (
                Describe {
                    attributes: pairs(&[("seat", "1\n2")]),
                    ..Describe::default()
                },
                "the attribute seat has a control character",
            ),
        ];
        let mut store = store(1);
        let head = store.head();
        for (asked, expect) in rows {
            let refusal = describe(&mut store, now(), &bo(asked)).expect_err(expect);
            assert_eq!(refusal.code, "usage", "{refusal}");
            assert!(refusal.text.contains(expect), "{refusal}");
        }
        let nobody = Describe {
            account: "al@example.com".to_owned(),
            no_tier: true,
            ..Describe::default()
        };
        let refusal = describe(&mut store, now(), &nobody).expect_err("there is no account");
        assert_eq!(refusal.code, "not-found");
        assert_eq!(store.head(), head);
    }

    #[test]
    fn a_freeze_has_a_reason_and_ends() {
        let mut store = store(1);
        let mut set = |why: Option<&str>| freeze(&mut store, now(), "bo@example.com", why);
        for why in [
            Some("unpaid"),
            Some("unpaid"),
            Some("still unpaid"),
            None,
            None,
        ] {
            assert_eq!(shown(set(why)).frozen.as_deref(), why);
        }
        assert_eq!(set(Some(" ")).expect_err("no reason").code, "usage");
        // The grant, two reasons, the thaw.
        assert_eq!(store.head().seq, 4);
    }

    #[test]
    fn a_pin_is_kept_as_its_hash_and_never_shown() {
        let mut store = store(1);
        let hash = pin::hash("4711").expect("it is a PIN");
        let view = shown(super::pin(&mut store, now(), "bo@example.com", Some(&hash)));
        assert!(view.pin);
        let shown_text = format!("{view:?}");
        assert!(!shown_text.contains("argon2"), "{shown_text}");
        let plain = super::pin(&mut store, now(), "bo@example.com", Some("4711"));
        assert_eq!(plain.expect_err("no hash").code, "usage");
        assert!(!shown(super::pin(&mut store, now(), "bo@example.com", None)).pin);
    }
}
