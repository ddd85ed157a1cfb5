//! What members have, in rows that an import reads back.

use super::{accounts, parse};
use crate::control::protocol::account::{ExportRow, ExportView};
use crate::control::protocol::{Answer, Refusal, SCHEMA};
use crate::daemon::views;
use crate::domain::account::{Account, Lot};
use crate::domain::time::Time;
use crate::store::port::Store;

/// Accounts in one answer: with the most lots each of them may have, it still fits.
const MAX_ACCOUNTS: u32 = 1_000;

/// A row for each grant of which something is left. The grant's reference goes along, so that the
/// rows count once in a ledger, and are refused by the one they came from where a part was spent.
pub fn rows(
    store: &dyn Store,
    now: Time,
    after: Option<&str>,
    limit: u32,
) -> Result<Answer, Refusal> {
    let (accounts, next) = accounts::page(store, after, limit.min(MAX_ACCOUNTS))?;
    let mut view = ExportView {
        schema: SCHEMA,
        rows: Vec::new(),
        accounts: 0,
        empty: 0,
        next,
    };
    for account in &accounts {
        let before = view.rows.len();
        for lot in account.lots.iter().filter(|lot| lot.alive(now)) {
            view.rows.push(row(store, account, lot)?);
        }
        if view.rows.len() > before {
            view.accounts += 1;
        } else {
            view.empty += 1;
        }
    }
    Ok(Answer::CreditsExport(view))
}

fn row(store: &dyn Store, account: &Account, lot: &Lot) -> Result<ExportRow, Refusal> {
    let given = store
        .given(&lot.grant)
        .map_err(|e| parse::store_failed(&e))?;
    Ok(ExportRow {
        account: account.id.to_string(),
        credits: lot.left,
        expires: lot.expires.map(views::time),
        reason: given.map_or_else(String::new, |given| given.reason),
        reference: lot.grant.to_string(),
        tier: account.tier.clone(),
        tags: account.tags.iter().cloned().collect(),
    })
}
