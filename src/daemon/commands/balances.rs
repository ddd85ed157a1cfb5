//! The commands that give an account a balance, and that pass credits from one account to another.
//! Both are safe to repeat with a reference.

use super::credits::{
    WrittenGrant, check_same_grant, choose_reference, expiry_facts, find_grant_record,
    grant_result, to_grant_fact,
};
use super::{accounts, parse, similar_names};
use crate::control::protocol::credits::{SetBalanceCommand, TransferCommand};
use crate::control::protocol::{CommandResult, Refusal};
use crate::domain::account::{Account, LotPart, SpendPreview};
use crate::domain::decision::{Credits, MAX_CREDITS};
use crate::domain::fact::{CreditFact, Fact};
use crate::domain::grant::{GrantKind, GrantRecord, received_lot_name};
use crate::domain::id::{AccountId, Reference};
use crate::domain::lot::{LotTerms, Purpose};
use crate::domain::messages::format_credits;
use crate::domain::time::Time;
use crate::store::port::Store;
use crate::store::transaction::{Stamp, transact};

/// Grants or revokes the difference between what an account can spend and the balance that it is to
/// have. Nothing is written where there is none.
///
/// # Errors
/// Fails when there is no such account, when the reference was used for another one, and when the
/// store cannot be read or written.
pub fn set_balance(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    command: &SetBalanceCommand,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let now = stamp.at;
    if command.credits > MAX_CREDITS {
        return Err(parse::usage(format!(
            "a balance of {} is too high: an account has at most {MAX_CREDITS}",
            command.credits
        )));
    }
    let (id, _) = transact(store, &stamp, |store| {
        let account = parse::find_account(store, &command.account)?;
        let facts = balance_facts(store, now, &account, command)?;
        Ok::<_, Refusal>((facts, account.id))
    })?;
    accounts::show(store, now, id.as_str())
}

fn balance_facts(
    store: &dyn Store,
    now: Time,
    account: &Account,
    command: &SetBalanceCommand,
) -> Result<Vec<Fact>, Refusal> {
    let id = &account.id;
    let reference = command.reference.as_deref();
    let reference = choose_reference(store, "set", id, command.credits, reference)?;
    if let Some(existing) = find_grant_record(store, &reference)? {
        if existing.account == *id {
            return Ok(Vec::new());
        }
        return Err(parse::refusal(
            "reference-used",
            format!(
                "the reference {:?} was used for account {}: give another one",
                reference.as_str(),
                existing.account
            ),
        ));
    }
    let reason = parse::reason(command.reason.as_deref(), "balance set")?;
    let available = account.available(now);
    let mut facts = expiry_facts(store, id, now)?;
    if command.credits > available {
        facts.push(to_grant_fact(&GrantRecord {
            reference,
            account: id.clone(),
            credits: command.credits - available,
            kind: GrantKind::Grant,
            expires: None,
            terms: LotTerms::default(),
            reason,
            at: now,
        }));
        return Ok(facts);
    }
    let surplus = available - command.credits;
    if surplus == 0 {
        return Ok(Vec::new());
    }
    facts.push(Fact::Credit(CreditFact::Revoke {
        reference,
        account: id.clone(),
        parts: allocate(account, surplus, now)?,
        reason,
    }));
    Ok(facts)
}

/// Passes credits on to another account, and opens that account if there is none.
///
/// # Errors
/// Fails when an account cannot be used, when the giver has too few credits, when the reference was
/// used for something else, and when the store cannot be read or written.
pub fn transfer(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    command: &TransferCommand,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let now = stamp.at;
    let (written, _) = transact(store, &stamp, |store| decide_transfer(store, now, command))?;
    let mut answer = grant_result(store, &written.record, written.existed, now)?;
    if let CommandResult::GrantRecord(view) = &mut answer {
        view.account_opened = written.opens_account;
    }
    Ok(answer)
}

fn decide_transfer(
    store: &dyn Store,
    now: Time,
    command: &TransferCommand,
) -> Result<(Vec<Fact>, WrittenGrant), Refusal> {
    let giver = parse::find_account(store, &command.from)?;
    let to = parse::resolve_account_id(store, &command.to)?;
    if giver.id == to {
        return Err(parse::usage(format!(
            "{} and {} are the same account: name two",
            command.from, command.to
        )));
    }
    let credits = parse::credits(command.credits)?;
    let reference = command.reference.as_deref();
    let reference = choose_reference(store, "transfer", &giver.id, credits, reference)?;
    let record = GrantRecord {
        reference,
        account: giver.id.clone(),
        credits,
        kind: GrantKind::Transfer,
        expires: None,
        terms: LotTerms::default(),
        reason: parse::reason(command.reason.as_deref(), "passed on")?,
        at: now,
    };
    if let Some(existing) = find_grant_record(store, &record.reference)? {
        check_same_grant(&existing, &record)?;
        check_same_receiver(store, &existing.reference, &to)?;
        return Ok(WrittenGrant::existing(existing));
    }
    let receiver = store.account(&to).map_err(|e| parse::store_failed(&e))?;
    if receiver.is_none() {
        parse::check_new_account_name(&to)?;
        if !command.new {
            similar_names::refuse_similar_name(store, &to)?;
        }
    }
    let mut facts = expiry_facts(store, &giver.id, now)?;
    facts.push(Fact::Credit(CreditFact::Transfer {
        reference: record.reference.clone(),
        account: giver.id.clone(),
        to,
        parts: allocate(&giver, credits, now)?,
        reason: record.reason.clone(),
    }));
    let written = WrittenGrant {
        record,
        existed: false,
        opens_account: receiver.is_none(),
    };
    Ok((facts, written))
}

/// Refuses a reference whose transfer went to another account: the name of its first lot tells.
fn check_same_receiver(
    store: &dyn Store,
    transfer: &Reference,
    to: &AccountId,
) -> Result<(), Refusal> {
    let first_lot = received_lot_name(transfer, 0);
    match find_grant_record(store, &first_lot)? {
        Some(lot) if lot.account != *to => Err(parse::refusal(
            "reference-used",
            format!(
                "the reference {:?} was used for a transfer to {}: give another one",
                transfer.as_str(),
                lot.account
            ),
        )),
        Some(_) | None => Ok(()),
    }
}

fn allocate(account: &Account, credits: Credits, now: Time) -> Result<Vec<LotPart>, Refusal> {
    let parts = SpendPreview::new(account).allocate(credits, &Purpose::without_booking(now));
    parts.ok_or_else(|| {
        parse::refusal(
            "short-of-credit",
            format!(
                "account {} has {} available, and {credits} cannot be taken; credits that are held or \
                 spent stay where they are",
                account.id,
                format_credits(account.available(now)),
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::test_fixtures::{now, store_with_credits};
    use super::*;
    use crate::store::memory::MemoryStore;

    fn set(store: &mut MemoryStore, credits: u64, reference: Option<&str>) -> u64 {
        let command = SetBalanceCommand {
            account: "bo@example.com".to_owned(),
            credits,
            reason: None,
            reference: reference.map(str::to_owned),
        };
        match set_balance(store, now(), &command) {
            Ok(CommandResult::Account(view)) => view.available,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_balance_is_set_by_the_difference() {
        let mut store = store_with_credits(5);
        let rows = [
            // credits, reference, the balance after it, how many commits it makes
            (7, Some("count"), 7, 1),
            (7, Some("count"), 7, 0),
            (7, None, 7, 0),
            (0, None, 0, 1),
            (2, None, 2, 1),
            // The reference is known, so nothing is set again.
            (9, Some("count"), 2, 0),
        ];
        for (credits, reference, after, commits) in rows {
            let before = store.head().seq;
            assert_eq!(set(&mut store, credits, reference), after);
            assert_eq!(store.head().seq - before, commits, "{credits}");
        }
    }

    fn pass_on(
        store: &mut MemoryStore,
        (from, to): (&str, &str),
        credits: u64,
        reference: Option<&str>,
    ) -> Result<(bool, u64), String> {
        let command = TransferCommand {
            from: from.to_owned(),
            to: to.to_owned(),
            credits,
            reason: None,
            reference: reference.map(str::to_owned),
            new: false,
        };
        match transfer(store, now(), &command) {
            Ok(CommandResult::GrantRecord(view)) => Ok((view.already_recorded, view.available)),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Err(refusal.code),
        }
    }

    #[test]
    fn a_transfer_counts_once_and_keeps_the_sum() {
        let (bo, al) = ("bo@example.com", "al@another.org");
        let mut store = store_with_credits(5);
        assert_eq!(
            pass_on(&mut store, (bo, al), 2, Some("gift")),
            Ok((false, 3))
        );
        assert_eq!(
            pass_on(&mut store, (bo, al), 2, Some("gift")),
            Ok((true, 3))
        );
        let refusals = [
            ((bo, al), 3, Some("gift"), "reference-used"),
            ((bo, "cy@third.net"), 2, Some("gift"), "reference-used"),
            ((al, bo), 2, Some("gift"), "reference-used"),
            ((bo, al), 4, None, "short-of-credit"),
            ((bo, bo), 1, None, "usage"),
            ((bo, "bo@exmaple.com"), 1, None, "similar-name"),
            (("cy@third.net", bo), 1, None, "not-found"),
            ((bo, al), 0, None, "usage"),
        ];
        for (pair, credits, reference, code) in refusals {
            let got = pass_on(&mut store, pair, credits, reference);
            assert_eq!(got, Err(code.to_owned()), "{pair:?} {credits}");
        }
        assert_eq!(
            pass_on(&mut store, (al, bo), 2, Some("back")),
            Ok((false, 0))
        );
        let account = parse::find_account(&store, bo).expect("it is there");
        assert_eq!(account.available(now()), 5);
        assert_eq!((account.totals.sent, account.totals.received), (2, 2));
    }
}
