//! Facts of one account: its names, and credits that are given, taken back or run out.

use super::{Applied, Given, GivenKind, Records, Violation, amount, lot_of, read, take, with};
use crate::domain::account::{Account, MAX_ALIASES, MAX_LOTS, Part, sum};
use crate::domain::id::{AccountId, Address, Reference, had_other_forms};
use crate::domain::time::Time;

pub(super) fn opened<R: Records>(records: &mut R, at: Time, id: &AccountId) -> Applied<R> {
    if read(records.account(id))?.is_some() {
        // An old log may have opened it under each of two spellings.
        if had_other_forms(id.as_str()) {
            return Ok(());
        }
        return Err(Violation::AccountExists(id.clone()).into());
    }
    name_is_free(records, id.as_str())?;
    let mut account = Account::new(id.clone(), at);
    account.version = 1;
    records.put_account(account);
    Ok(())
}

pub(super) fn aliased<R: Records>(records: &mut R, id: &AccountId, alias: &Address) -> Applied<R> {
    // An old log may have given the account another spelling of its own name, or one alias twice.
    if had_other_forms(alias.as_str()) {
        let own = AccountId::from(alias) == *id;
        let account = read(records.account(id))?;
        if account.is_some_and(|account| own || account.aliases.contains(alias)) {
            return Ok(());
        }
    }
    name_is_free(records, alias.as_str())?;
    with(records, id, |account| {
        if account.aliases.len() >= MAX_ALIASES {
            return Err(Violation::TooManyAliases(id.clone()));
        }
        account.aliases.insert(alias.clone());
        Ok(())
    })?;
    records.put_alias(alias.clone(), Some(id.clone()));
    Ok(())
}

pub(super) fn unaliased<R: Records>(
    records: &mut R,
    id: &AccountId,
    alias: &Address,
) -> Applied<R> {
    let mut there = false;
    with(records, id, |account| {
        there = account.aliases.remove(alias);
        if there || had_other_forms(alias.as_str()) {
            Ok(())
        } else {
            Err(Violation::NoAlias(id.clone()))
        }
    })?;
    if there {
        records.put_alias(alias.clone(), None);
    }
    Ok(())
}

/// A name leads to one account, whether it is the account's own or an alias. Names of which an old log
/// may have kept several spellings are let pass: an account's own name then stands above an alias.
fn name_is_free<R: Records>(records: &mut R, name: &str) -> Applied<R> {
    if had_other_forms(name) {
        return Ok(());
    }
    let taken = |account| Violation::NameTaken {
        alias: name.to_owned(),
        account,
    };
    if let Ok(id) = AccountId::parse(name)
        && read(records.account(&id))?.is_some()
    {
        return Err(taken(id).into());
    }
    if let Ok(alias) = Address::parse(name)
        && let Some(account) = read(records.alias(&alias))?
    {
        return Err(taken(account).into());
    }
    Ok(())
}

pub(super) fn grant<R: Records>(records: &mut R, at: Time, given: Given) -> Applied<R> {
    amount(given.credits)?;
    if read(records.given(&given.reference))?.is_some() {
        return Err(Violation::ReferenceUsed(given.reference).into());
    }
    if read(records.account(&given.account))?.is_none() {
        opened(records, at, &given.account)?;
    }
    with(records, &given.account, |account| {
        if account.lots.len() >= MAX_LOTS {
            return Err(Violation::TooManyLots(account.id.clone()));
        }
        account.totals.granted += given.credits;
        account.insert(lot_of(&given, given.credits));
        Ok(())
    })?;
    records.put_given(given);
    Ok(())
}

pub(super) fn revoke<R: Records>(
    records: &mut R,
    at: Time,
    (reference, id): (&Reference, &AccountId),
    parts: &[Part],
    reason: &str,
) -> Applied<R> {
    let credits = sum(parts);
    amount(credits)?;
    if read(records.given(reference))?.is_some() {
        return Err(Violation::ReferenceUsed(reference.clone()).into());
    }
    with(records, id, |account| {
        take(account, parts)?;
        account.totals.revoked += credits;
        Ok(())
    })?;
    records.put_given(Given {
        reference: reference.clone(),
        account: id.clone(),
        credits,
        kind: GivenKind::Revoke,
        expires: None,
        reason: reason.to_owned(),
        at,
    });
    Ok(())
}

pub(super) fn expire<R: Records>(
    records: &mut R,
    at: Time,
    id: &AccountId,
    part: &Part,
) -> Applied<R> {
    with(records, id, |account| {
        match account.lot(&part.grant) {
            Some(lot) if lot.expires.is_some_and(|when| when <= at) => {}
            Some(_) | None => return Err(Violation::NotExpired(part.grant.clone())),
        }
        take(account, std::slice::from_ref(part))?;
        account.totals.expired += part.credits;
        Ok(())
    })
}
