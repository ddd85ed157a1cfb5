//! The command that gives an account another address, or takes it away.

use super::{accounts, parse};
use crate::control::protocol::{CommandResult, Refusal};
use crate::domain::account::{Account, MAX_ALIASES};
use crate::domain::fact::{AccountFact, Fact};
use crate::domain::id::{AccountId, Address, may_have_legacy_form};
use crate::store::port::Store;
use crate::store::transaction::{Stamp, transact};

/// Adds an alias to an account, or removes the alias if `remove` is set. Returns the account.
///
/// # Errors
/// Fails when there is no such account, when the alias cannot be added or removed, and when the
/// store cannot be read or written.
pub fn set_alias(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    account: &str,
    alias: &str,
    remove: bool,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let now = stamp.at;
    let (id, _) = transact(store, &stamp, |store| {
        let account = parse::find_account(store, account)?;
        let fact = decide_alias(store, &account, alias, remove)?;
        Ok::<_, Refusal>((fact.into_iter().collect(), account.id))
    })?;
    accounts::show(store, now, id.as_str())
}

fn decide_alias(
    store: &dyn Store,
    account: &Account,
    alias: &str,
    remove: bool,
) -> Result<Option<Fact>, Refusal> {
    let alias =
        Address::parse(alias).map_err(|why| parse::usage(format!("the alias {alias:?} {why}")))?;
    let id = account.id.clone();
    match (account.aliases.contains(&alias), remove) {
        (true, true) => Ok(Some(Fact::Account(AccountFact::AliasRemoved {
            account: id,
            alias,
        }))),
        (false, true) => Err(parse::not_found(format!(
            "account {id} has no alias {alias}; `maitred account show {id}` lists its aliases"
        ))),
        (true, false) => Ok(None),
        (false, false) => {
            check_alias_is_free(store, account, &alias)?;
            Ok(Some(Fact::Account(AccountFact::AliasAdded {
                account: id,
                alias,
            })))
        }
    }
}

/// Refuses an alias that leads to an account already, and one more than an account may have.
pub(super) fn check_alias_is_free(
    store: &dyn Store,
    account: &Account,
    alias: &Address,
) -> Result<(), Refusal> {
    let id = &account.id;
    let owner = store.resolve(alias).map_err(|e| parse::store_failed(&e))?;
    match owner {
        Some(owner) if owner == *id && may_have_legacy_form(alias.as_str()) => {}
        Some(owner) if owner == *id => {
            return Err(parse::refusal(
                "conflict",
                format!("{alias} is the name of account {id}, which needs no alias for it"),
            ));
        }
        Some(owner) => return Err(refuse_taken_alias(id, alias, &owner)),
        None => {}
    }
    if account.aliases.len() >= MAX_ALIASES {
        return Err(parse::refusal(
            "conflict",
            format!(
                "account {id} has {MAX_ALIASES} aliases, and no more are possible; remove one with \
                 `maitred account alias {id} ALIAS --remove`"
            ),
        ));
    }
    Ok(())
}

/// Says which account has the address, as its name or as an alias, and what to do.
fn refuse_taken_alias(id: &AccountId, alias: &Address, owner: &AccountId) -> Refusal {
    let text = if *owner == AccountId::from(alias) {
        format!(
            "{alias} is the name of another account, and a name stays with its account; if both \
             accounts are one member's, move the credits of one to the other: `maitred credits \
             revoke {id} CREDITS`, then `maitred credits grant {owner} CREDITS`"
        )
    } else {
        format!(
            "{alias} is an alias of account {owner}; to give it to {id}, take it from {owner} \
             first: `maitred account alias {owner} {alias} --remove`"
        )
    };
    parse::refusal("conflict", text)
}

#[cfg(test)]
mod tests {
    use super::super::test_fixtures::{grant_credits, now, store_with_credits};
    use super::*;

    #[test]
    fn an_address_that_leads_to_an_account_is_refused_with_that_account_and_what_to_do() {
        let mut store = store_with_credits(3);
        grant_credits(&mut store, "al@example.com", 1, "g2");
        let bo = "bo@example.com";
        set_alias(&mut store, now(), bo, "bo@work.example", false).expect("it is free");
        let rows = [
            // account, alias, what the refusal contains
            (bo, "bo@work.example", Ok(())),
            (
                "al@example.com",
                "Bo@Work.example",
                Err(
                    "is an alias of account bo@example.com; to give it to al@example.com, take it \
                     from bo@example.com first: `maitred account alias bo@example.com \
                     bo@work.example --remove`",
                ),
            ),
            (
                "al@example.com",
                bo,
                Err("bo@example.com is the name of another account"),
            ),
            (
                bo,
                bo,
                Err("is the name of account bo@example.com, which needs no"),
            ),
        ];
        for (account, alias, expect) in rows {
            let before = store.head().seq;
            let got = set_alias(&mut store, now(), account, alias, false);
            match (got, expect) {
                (Ok(_), Ok(())) => {}
                (Err(refusal), Err(text)) => {
                    assert_eq!(refusal.code, "conflict", "{account} {alias}");
                    assert!(refusal.text.contains(text), "{refusal}");
                }
                (got, expect) => panic!("{account} {alias}: {got:?} is not {expect:?}"),
            }
            assert_eq!(store.head().seq, before, "{account} {alias}");
        }
    }

    #[test]
    fn an_account_has_a_limited_number_of_aliases() {
        let mut store = store_with_credits(3);
        for number in 0..MAX_ALIASES {
            let alias = format!("bo{number}@example.com");
            set_alias(&mut store, now(), "bo@example.com", &alias, false).expect("it has room");
        }
        let refusal =
            set_alias(&mut store, now(), "bo@example.com", "b@example.com", false).unwrap_err();
        assert!(refusal.text.contains("--remove"), "{refusal}");
    }
}
