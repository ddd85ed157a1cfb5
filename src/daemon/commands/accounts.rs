//! The commands that show accounts.

use super::parse;
use crate::control::protocol::account::AccountsView;
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::daemon::views;
use crate::domain::account::Account;
use crate::domain::id::AccountId;
use crate::domain::time::Time;
use crate::store::port::Store;

/// Most accounts in one answer.
const MAX_ACCOUNTS: u32 = 100_000;

/// Accounts that a search reads in one page.
const SEARCH_PAGE: u32 = 1_000;

/// Returns one account with its balance at `now`.
///
/// # Errors
/// Fails when there is no such account, and when the store cannot be read.
pub fn show(store: &dyn Store, now: Time, account: &str) -> Result<CommandResult, Refusal> {
    let account = parse::find_account(store, account)?;
    Ok(CommandResult::Account(views::account(&account, now)))
}

/// Returns a page of at most `limit` accounts after the account `after`, and with `search` only
/// accounts with this text in their name or in an alias.
///
/// # Errors
/// Fails when `after` is no name of an account, and when the store cannot be read.
pub fn list(
    store: &dyn Store,
    now: Time,
    after: Option<&str>,
    limit: u32,
    search: Option<&str>,
) -> Result<CommandResult, Refusal> {
    let (accounts, next) = match search {
        None => read_page(store, after, limit)?,
        Some(text) => search_accounts(store, after, limit, text)?,
    };
    Ok(CommandResult::Accounts(AccountsView {
        schema: SCHEMA,
        accounts: accounts
            .iter()
            .map(|account| views::account(account, now))
            .collect(),
        next,
    }))
}

/// Returns accounts in order of their names, and the name to continue after when there are more.
pub(super) fn read_page(
    store: &dyn Store,
    after: Option<&str>,
    limit: u32,
) -> Result<(Vec<Account>, Option<String>), Refusal> {
    let after = after
        .map(AccountId::parse)
        .transpose()
        .map_err(|why| parse::usage(format!("the account to continue after {why}")))?;
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

/// Does the same as [`read_page`] for the accounts with this text in their name or in an alias. The
/// search ignores case.
fn search_accounts(
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
        let (read, next) = read_page(store, after.as_deref(), SEARCH_PAGE)?;
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
