//! Looking at accounts, and their aliases.

use super::parse;
use crate::control::protocol::account::{AccountsView, StatementView};
use crate::control::protocol::{Answer, EntryView, Refusal, SCHEMA};
use crate::daemon::views::{self, facts};
use crate::domain::account::Account;
use crate::domain::fact::Fact;
use crate::domain::id::{AccountId, Address, BookingUid, had_other_forms};
use crate::domain::time::Time;
use crate::store::port::{Store, StoreError, Subject, Written};

/// Accounts in one answer.
const MAX_ACCOUNTS: u32 = 100_000;

/// Accounts that a search reads at once.
const SEARCHED_AT_ONCE: u32 = 1_000;

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
    search: Option<&str>,
) -> Result<Answer, Refusal> {
    let (accounts, next) = match search {
        None => page(store, after, limit)?,
        Some(text) => found(store, after, limit, text)?,
    };
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

/// As [`page`], of the accounts with this text in their name or in an alias. Case does not count.
fn found(
    store: &dyn Store,
    after: Option<&str>,
    limit: u32,
    text: &str,
) -> Result<(Vec<Account>, Option<String>), Refusal> {
    let text = text.to_lowercase();
    let limit = usize::try_from(limit.clamp(1, MAX_ACCOUNTS)).unwrap_or(usize::MAX);
    let mut accounts = Vec::new();
    let mut after = after.map(str::to_owned);
    loop {
        let (read, next) = page(store, after.as_deref(), SEARCHED_AT_ONCE)?;
        for account in read {
            let mut names = account.aliases.iter().map(|alias| alias.as_str());
            if !account.id.as_str().contains(&text) && !names.any(|name| name.contains(&text)) {
                continue;
            }
            if accounts.len() == limit {
                let last = accounts.last().map(|last: &Account| last.id.to_string());
                return Ok((accounts, last));
            }
            accounts.push(account);
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok((accounts, None)),
        }
    }
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
    // The ledger lets such names pass, because old logs may have several spellings of one.
    if !remove
        && !there
        && had_other_forms(alias.as_str())
        && let Some(other) = store.resolve(&alias).map_err(|e| parse::store_failed(&e))?
        && other != account.id
    {
        return Err(parse::refused(
            "conflict",
            format!("the name {alias} is taken by the account {other}"),
        ));
    }
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
    let entries = entries.iter().map(|written| movement(store, written));
    Ok(Answer::Statement(StatementView {
        schema: SCHEMA,
        account: account.id.to_string(),
        entries: entries.collect::<Result<_, _>>()?,
        balance: views::account(&account, now),
    }))
}

/// One entry of a statement, with the title and the start of its booking.
fn movement(store: &dyn Store, written: &Written) -> Result<EntryView, Refusal> {
    let mut view = facts::entry(written);
    let Some(Ok(uid)) = view.booking.as_deref().map(BookingUid::parse) else {
        return Ok(view);
    };
    let failed = |error: StoreError| parse::store_failed(&error);
    if let Some(charge) = store.charge(&uid).map_err(failed)? {
        view.start = Some(views::time(charge.start));
        let request = store.request(&charge.request).map_err(failed)?;
        view.title = request.map(|request| request.title);
    }
    Ok(view)
}
