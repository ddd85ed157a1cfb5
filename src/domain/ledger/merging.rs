//! Two accounts that become one: the lots, the names and the charges of one account go to another.

use super::{
    ApplyError, ApplyResult, LedgerRecords, Violation, map_read_error, require_open, update_account,
};
use crate::domain::account::{Closing, MAX_ALIASES, MAX_LOTS, sum_credits};
use crate::domain::decision::Credits;
use crate::domain::id::{AccountId, Address, BookingUid, Reference};
use crate::domain::request::ChargeState;

/// Closes an account, whose lots, names and charges go to another one.
///
/// The sums of both accounts add up: what goes to the other account counts as sent here and as
/// received there, also the credits that are spent for a charge.
pub(super) fn apply_merge<R: LedgerRecords>(
    records: &mut R,
    (from, into): (&AccountId, &AccountId),
    credits: Credits,
    charges: &[BookingUid],
    reason: &str,
) -> ApplyResult<R> {
    let refuse = |reason| not_mergeable(from, reason);
    if from == into {
        return Err(refuse("it is the same account").into());
    }
    let (spent, mut paying) = take_charges(records, (from, into), charges)?;
    let mut lots = Vec::new();
    let mut aliases = Vec::new();
    let mut sent: Credits = 0;
    update_account(records, from, |account| {
        require_open(account)?;
        if account.totals.held > 0 {
            return Err(refuse(
                "credits are held for a decision that is being carried out",
            ));
        }
        if account.totals.debt() > 0 {
            return Err(refuse("it has an overdraft that is not settled"));
        }
        lots = std::mem::take(&mut account.lots);
        if lots.iter().map(|lot| lot.remaining).sum::<Credits>() != credits {
            return Err(refuse(
                "its lots do not have as many credits as the merge says",
            ));
        }
        sent = credits + spent;
        let posted = account.totals.posted.checked_sub(spent);
        account.totals.posted = posted.ok_or_else(|| refuse("its charges do not add up"))?;
        account.totals.sent += sent;
        aliases = std::mem::take(&mut account.aliases).into_iter().collect();
        account.closed = Some(Closing {
            reason: reason.to_owned(),
            merged_into: Some(into.clone()),
        });
        Ok(())
    })?;
    aliases.extend(Address::parse(from.as_str()).ok());
    paying.extend(lots.iter().map(|lot| lot.grant.clone()));
    for grant in paying {
        if let Some(mut record) = map_read_error(records.grant_record(&grant))? {
            record.account = into.clone();
            records.put_grant_record(record);
        }
    }
    update_account(records, into, |account| {
        require_open(account)?;
        account.totals.received += sent;
        account.totals.posted += spent;
        if account.lots.len() + lots.len() > MAX_LOTS {
            return Err(Violation::TooManyLots(account.id.clone()));
        }
        for lot in lots {
            let grant = lot.grant.clone();
            account.insert(lot);
            account.settle_debt(&grant);
        }
        if account.aliases.len() + aliases.len() > MAX_ALIASES {
            return Err(Violation::TooManyAliases(account.id.clone()));
        }
        account.aliases.extend(aliases.iter().cloned());
        Ok(())
    })?;
    for alias in aliases {
        records.put_alias(alias, Some(into.clone()));
    }
    Ok(())
}

/// Gives the charges of these bookings to the other account. Returns the credits that are spent for
/// them, and the grants that they come from.
fn take_charges<R: LedgerRecords>(
    records: &mut R,
    (from, into): (&AccountId, &AccountId),
    charges: &[BookingUid],
) -> Result<(Credits, Vec<Reference>), ApplyError<R::Error>> {
    let mut spent: Credits = 0;
    let mut paying = Vec::new();
    for booking in charges {
        let mut charge = map_read_error(records.charge(booking))?
            .filter(|charge| charge.account == *from)
            .filter(|charge| matches!(charge.state, ChargeState::Open | ChargeState::Final))
            .ok_or_else(|| not_mergeable(from, "a charge is not its own, or is held"))?;
        spent += sum_credits(&charge.parts);
        paying.extend(charge.parts.iter().map(|part| part.grant.clone()));
        charge.account = into.clone();
        records.put_charge(charge);
    }
    Ok((spent, paying))
}

fn not_mergeable(account: &AccountId, reason: &'static str) -> Violation {
    Violation::NotMergeable {
        account: account.clone(),
        reason,
    }
}
