//! Reads what a change by a source depends on: the member's account, whose the addresses are, and
//! what the source gave so far.

use std::collections::BTreeMap;

use crate::domain::decision::Credits;
use crate::domain::fact::{CreditFact, Fact};
use crate::domain::id::{AccountId, Address};
use crate::domain::member_change::{KnownMember, reference_prefix};
use crate::domain::member_source::{BalanceMeaning, MemberRecord, MemberSource};
use crate::store::port::{HistorySubject, Store, StoreError};

/// How many facts of an account's history are read at once.
const HISTORY_PAGE: usize = 1_000;

/// Reads the account that the address leads to, and everything else that a change depends on.
///
/// # Errors
/// Returns an error if the store cannot be read.
pub fn read_known_member(
    store: &dyn Store,
    source: &MemberSource,
    address: &Address,
    record: &MemberRecord,
) -> Result<KnownMember, StoreError> {
    let mut owners = BTreeMap::new();
    for address in record.aliases.iter().chain([address]) {
        if let Some(owner) = store.resolve(address)? {
            owners.insert(address.clone(), owner);
        }
    }
    // A member who is known under one of the aliases has no second account.
    let mut aliases = record.aliases.iter();
    let owner = owners
        .get(address)
        .or_else(|| aliases.find_map(|alias| owners.get(alias)));
    let account = match owner {
        Some(owner) => store.account(owner)?,
        None => None,
    };
    let given = match (&account, source.balance) {
        (Some(account), Some(BalanceMeaning::Given)) => {
            read_given_credits(store, &account.id, &source.name)?
        }
        (Some(_) | None, _) => 0,
    };
    Ok(KnownMember {
        account,
        owners,
        given,
    })
}

/// Adds up the grants of the source to the account, less its revocations.
fn read_given_credits(
    store: &dyn Store,
    account: &AccountId,
    source: &str,
) -> Result<Credits, StoreError> {
    let prefix = reference_prefix(source);
    let subject = HistorySubject::Account(account.clone());
    let (mut granted, mut revoked): (Credits, Credits) = (0, 0);
    let mut before = None;
    loop {
        let page = store.history(&subject, before, HISTORY_PAGE)?;
        let is_full = page.len() == HISTORY_PAGE;
        let oldest = page.last().map_or(0, |logged| logged.seq);
        // The page may end within a commit, which the next page then has whole.
        let counted = page.iter().filter(|logged| !is_full || logged.seq > oldest);
        for logged in counted {
            match &logged.fact {
                Fact::Credit(CreditFact::Grant {
                    reference, credits, ..
                }) if reference.as_str().starts_with(&prefix) => granted += credits,
                Fact::Credit(CreditFact::Revoke {
                    reference, parts, ..
                }) if reference.as_str().starts_with(&prefix) => {
                    revoked += parts.iter().map(|part| part.credits).sum::<Credits>();
                }
                _ => {}
            }
        }
        if !is_full {
            return Ok(granted.saturating_sub(revoked));
        }
        before = Some(oldest + 1);
    }
}
