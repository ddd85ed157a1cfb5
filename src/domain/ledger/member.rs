//! Facts about one account: its names, and credits that are given, taken back or expire.

use super::{
    ApplyResult, GrantKind, GrantRecord, LedgerRecords, Violation, check_amount, map_read_error,
    new_lot, take_parts, update_account,
};
use crate::domain::account::{Account, LotPart, MAX_ALIASES, MAX_LOTS, sum_credits};
use crate::domain::fact::{AccountFact, CreditFact};
use crate::domain::id::{AccountId, Address, Reference, may_have_legacy_form};
use crate::domain::time::Time;

pub(super) fn apply_account_fact<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    fact: &AccountFact,
) -> ApplyResult<R> {
    match fact {
        AccountFact::Opened { account } => apply_opened(records, at, account),
        AccountFact::AliasAdded { account, alias } => apply_aliased(records, account, alias),
        AccountFact::AliasRemoved { account, alias } => apply_unaliased(records, account, alias),
        AccountFact::Described {
            account,
            tier,
            tags,
            attributes,
        } => update_account(records, account, |a| {
            a.tier.clone_from(tier);
            a.tags.clone_from(tags);
            a.attributes.clone_from(attributes);
            Ok(())
        }),
        AccountFact::FreezeChanged { account, reason } => update_account(records, account, |a| {
            a.freeze_reason.clone_from(reason);
            Ok(())
        }),
        AccountFact::PinChanged { account, hash } => update_account(records, account, |a| {
            a.pin_hash.clone_from(hash);
            Ok(())
        }),
    }
}

pub(super) fn apply_credit_fact<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    fact: &CreditFact,
) -> ApplyResult<R> {
    match fact {
        CreditFact::Grant {
            reference,
            account,
            credits,
            expires,
            reason,
        } => {
            let record = GrantRecord {
                reference: reference.clone(),
                account: account.clone(),
                credits: *credits,
                kind: GrantKind::Grant,
                expires: *expires,
                reason: reason.clone(),
                at,
            };
            apply_grant(records, at, record)
        }
        CreditFact::Revoke {
            reference,
            account,
            parts,
            reason,
        } => apply_revoke(records, at, (reference, account), parts, reason),
        CreditFact::Expire { account, part } => apply_expire(records, at, account, part),
    }
}

fn apply_opened<R: LedgerRecords>(records: &mut R, at: Time, id: &AccountId) -> ApplyResult<R> {
    if map_read_error(records.account(id))?.is_some() {
        // An old log may have opened the account under two spellings.
        if may_have_legacy_form(id.as_str()) {
            return Ok(());
        }
        return Err(Violation::AccountExists(id.clone()).into());
    }
    require_free_name(records, id.as_str())?;
    let mut account = Account::new(id.clone(), at);
    account.version = 1;
    records.put_account(account);
    Ok(())
}

fn apply_aliased<R: LedgerRecords>(
    records: &mut R,
    id: &AccountId,
    alias: &Address,
) -> ApplyResult<R> {
    // An old log may have added another spelling of the account's own name, or one alias twice.
    if may_have_legacy_form(alias.as_str()) {
        let is_account_id = AccountId::from(alias) == *id;
        let account = map_read_error(records.account(id))?;
        if account.is_some_and(|account| is_account_id || account.aliases.contains(alias)) {
            return Ok(());
        }
    }
    require_free_name(records, alias.as_str())?;
    update_account(records, id, |account| {
        if account.aliases.len() >= MAX_ALIASES {
            return Err(Violation::TooManyAliases(id.clone()));
        }
        account.aliases.insert(alias.clone());
        Ok(())
    })?;
    records.put_alias(alias.clone(), Some(id.clone()));
    Ok(())
}

fn apply_unaliased<R: LedgerRecords>(
    records: &mut R,
    id: &AccountId,
    alias: &Address,
) -> ApplyResult<R> {
    let mut removed = false;
    update_account(records, id, |account| {
        removed = account.aliases.remove(alias);
        if removed || may_have_legacy_form(alias.as_str()) {
            Ok(())
        } else {
            Err(Violation::NoAlias(id.clone()))
        }
    })?;
    if removed {
        records.put_alias(alias.clone(), None);
    }
    Ok(())
}

/// Checks that a name belongs to no account yet, neither as the account's id nor as an alias. A
/// name that an old log may hold in several spellings is not checked: an account's own name then
/// takes precedence over an alias.
fn require_free_name<R: LedgerRecords>(records: &mut R, name: &str) -> ApplyResult<R> {
    if may_have_legacy_form(name) {
        return Ok(());
    }
    let name_taken = |account| Violation::NameTaken {
        alias: name.to_owned(),
        account,
    };
    if let Ok(id) = AccountId::parse(name)
        && map_read_error(records.account(&id))?.is_some()
    {
        return Err(name_taken(id).into());
    }
    if let Ok(alias) = Address::parse(name)
        && let Some(account) = map_read_error(records.alias(&alias))?
    {
        return Err(name_taken(account).into());
    }
    Ok(())
}

fn apply_grant<R: LedgerRecords>(records: &mut R, at: Time, record: GrantRecord) -> ApplyResult<R> {
    check_amount(record.credits)?;
    if map_read_error(records.grant_record(&record.reference))?.is_some() {
        return Err(Violation::ReferenceUsed(record.reference).into());
    }
    if map_read_error(records.account(&record.account))?.is_none() {
        apply_opened(records, at, &record.account)?;
    }
    update_account(records, &record.account, |account| {
        if account.lots.len() >= MAX_LOTS {
            return Err(Violation::TooManyLots(account.id.clone()));
        }
        account.totals.granted += record.credits;
        account.insert(new_lot(&record, record.credits));
        Ok(())
    })?;
    records.put_grant_record(record);
    Ok(())
}

fn apply_revoke<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    (reference, id): (&Reference, &AccountId),
    parts: &[LotPart],
    reason: &str,
) -> ApplyResult<R> {
    let credits = sum_credits(parts);
    check_amount(credits)?;
    if map_read_error(records.grant_record(reference))?.is_some() {
        return Err(Violation::ReferenceUsed(reference.clone()).into());
    }
    update_account(records, id, |account| {
        take_parts(account, parts)?;
        account.totals.revoked += credits;
        Ok(())
    })?;
    records.put_grant_record(GrantRecord {
        reference: reference.clone(),
        account: id.clone(),
        credits,
        kind: GrantKind::Revoke,
        expires: None,
        reason: reason.to_owned(),
        at,
    });
    Ok(())
}

fn apply_expire<R: LedgerRecords>(
    records: &mut R,
    at: Time,
    id: &AccountId,
    part: &LotPart,
) -> ApplyResult<R> {
    update_account(records, id, |account| {
        match account.lot(&part.grant) {
            Some(lot) if lot.expires.is_some_and(|when| when <= at) => {}
            Some(_) | None => return Err(Violation::NotExpired(part.grant.clone())),
        }
        take_parts(account, std::slice::from_ref(part))?;
        account.totals.expired += part.credits;
        Ok(())
    })
}
