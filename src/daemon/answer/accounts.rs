//! Looking at accounts, and their aliases.

use super::parse;
use crate::control::protocol::account::{AccountsView, StatementView};
use crate::control::protocol::{Answer, Refusal, SCHEMA};
use crate::daemon::views::{self, facts};
use crate::domain::account::Account;
use crate::domain::fact::Fact;
use crate::domain::id::{AccountId, Address};
use crate::domain::time::Time;
use crate::store::port::{Store, Subject};

/// Accounts in one answer.
const MAX_ACCOUNTS: u32 = 100_000;

/// Entries in one statement.
const MAX_ENTRIES: u32 = 100_000;

pub fn show(store: &dyn Store, now: Time, account: &str) -> Result<Answer, Refusal> {
    let account = parse::account(store, account)?;
    Ok(Answer::Account(views::account(&account, now)))
}

pub fn list(
    store: &dyn Store,
    now: Time,
    after: Option<&str>,
    limit: u32,
) -> Result<Answer, Refusal> {
    let (accounts, next) = page(store, after, limit)?;
    Ok(Answer::Accounts(AccountsView {
        schema: SCHEMA,
        accounts: accounts
            .iter()
            .map(|account| views::account(account, now))
            .collect(),
        next,
    }))
}

/// Accounts in order of their names, and where to go on when there are more.
pub(super) fn page(
    store: &dyn Store,
    after: Option<&str>,
    limit: u32,
) -> Result<(Vec<Account>, Option<String>), Refusal> {
    let after = after
        .map(AccountId::parse)
        .transpose()
        .map_err(|why| parse::usage(format!("the account to go on after {why}")))?;
    let limit = usize::try_from(limit.clamp(1, MAX_ACCOUNTS)).unwrap_or(usize::MAX);
    let mut accounts = store
        .accounts(after.as_ref(), limit + 1)
        .map_err(|e| parse::store_failed(&e))?;
    let more = accounts.len() > limit;
    accounts.truncate(limit);
    let next = accounts
        .last()
        .filter(|_| more)
        .map(|account| account.id.to_string());
    Ok((accounts, next))
}

pub fn alias(
    store: &mut dyn Store,
    now: Time,
    account: &str,
    alias: &str,
    remove: bool,
) -> Result<Answer, Refusal> {
    let account = parse::account(store, account)?;
    let alias =
        Address::parse(alias).map_err(|why| parse::usage(format!("the alias {alias:?} {why}")))?;
    let there = account.aliases.contains(&alias);
    if there == remove {
        let id = account.id.clone();
        let fact = if remove {
            Fact::Unaliased { account: id, alias }
        } else {
            Fact::Aliased { account: id, alias }
        };
        store
            .commit(now, vec![fact], &[])
            .map_err(|e| parse::commit_failed(&e))?;
    } else if remove {
        return Err(parse::not_found(format!(
            "account {} has no alias {alias}",
            account.id
        )));
    }
    show(store, now, account.id.as_str())
}

pub fn statement(
    store: &dyn Store,
    now: Time,
    account: &str,
    limit: u32,
) -> Result<Answer, Refusal> {
    let account = parse::account(store, account)?;
    let limit = usize::try_from(limit.clamp(1, MAX_ENTRIES)).unwrap_or(usize::MAX);
    let entries = store
        .history(&Subject::Account(account.id.clone()), None, limit)
        .map_err(|e| parse::store_failed(&e))?;
    Ok(Answer::Statement(StatementView {
        schema: SCHEMA,
        account: account.id.to_string(),
        entries: entries.iter().map(facts::entry).collect(),
        balance: views::account(&account, now),
    }))
}
