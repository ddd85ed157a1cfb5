//! The commands that close an account, open it again, give it another name, and make one account of
//! two. Repeating a command changes nothing.

use super::credits::{choose_reference, expiry_facts};
use super::members::to_described_fact;
use super::{accounts, parse};
use crate::control::protocol::{CommandResult, Refusal};
use crate::domain::account::{Account, SpendPreview};
use crate::domain::fact::{AccountFact, CreditFact, Fact};
use crate::domain::id::{AccountId, Address, BookingUid};
use crate::domain::lot::Purpose;
use crate::domain::messages::format_credits;
use crate::domain::request::ChargeState;
use crate::domain::time::Time;
use crate::store::port::Store;
use crate::store::transaction::{Stamp, transact};

/// The most charges that a merge takes along. An account with more bookings that still count is
/// mostly a mistake, and a merge is one commit.
const MAX_CHARGES: usize = 10_000;

/// Closes an account. With `forfeit`, the credits that are left are taken back.
///
/// # Errors
/// Fails when there is no such account, when it has credits and `forfeit` is not set, when credits
/// are held, and when the store cannot be read or written.
pub fn close(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    account: &str,
    reason: &str,
    forfeit: bool,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let now = stamp.at;
    let reason = parse::reason(Some(reason), "")?;
    if reason.is_empty() {
        return Err(parse::usage(
            "give the reason for closing the account: --reason TEXT",
        ));
    }
    let (id, _) = transact(store, &stamp, |store| {
        let account = parse::find_account(store, account)?;
        let facts = match account.closed {
            Some(_) => Vec::new(),
            None => closing_facts(store, now, &account, &reason, forfeit)?,
        };
        Ok::<_, Refusal>((facts, account.id))
    })?;
    accounts::show(store, now, id.as_str())
}

fn closing_facts(
    store: &dyn Store,
    now: Time,
    account: &Account,
    reason: &str,
    forfeit: bool,
) -> Result<Vec<Fact>, Refusal> {
    refuse_holds(account, "closed")?;
    let id = &account.id;
    let mut facts = expiry_facts(store, id, now)?;
    let available = account.available(now);
    if available > 0 && !forfeit {
        return Err(parse::refusal(
            "refused",
            format!(
                "account {id} still has {} available: pass them on with `maitred credits transfer`, or \
                 take them back with --forfeit",
                format_credits(available)
            ),
        ));
    }
    let purpose = Purpose::without_booking(now);
    let parts = SpendPreview::new(account).allocate(available, &purpose);
    if let Some(parts) = parts.filter(|parts| !parts.is_empty()) {
        facts.push(Fact::Credit(CreditFact::Revoke {
            reference: choose_reference(store, "close", id, available, None)?,
            account: id.clone(),
            parts,
            reason: reason.to_owned(),
        }));
    }
    facts.push(Fact::Account(AccountFact::Closed {
        account: id.clone(),
        reason: reason.to_owned(),
    }));
    Ok(facts)
}

fn refuse_holds(account: &Account, what: &str) -> Result<(), Refusal> {
    if account.totals.held == 0 {
        return Ok(());
    }
    Err(parse::refusal(
        "refused",
        format!(
            "account {} cannot be {what} now: {} held for a booking that is being confirmed; try again \
             when `maitred account show` says that nothing is held",
            account.id,
            match account.totals.held {
                1 => "1 credit is".to_owned(),
                held => format!("{held} credits are"),
            }
        ),
    ))
}

/// Opens a closed account again.
///
/// # Errors
/// Fails when there is no such account, when it was merged into another one, and when the store
/// cannot be read or written.
pub fn reopen(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    account: &str,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let (id, _) = transact(store, &stamp, |store| {
        let account = find_exactly(store, account)?;
        let successor = account
            .closed
            .as_ref()
            .and_then(|closing| closing.merged_into.as_ref());
        if let Some(successor) = successor {
            return Err(parse::refusal(
                "refused",
                format!(
                    "account {} cannot be opened again: it was merged into {successor}",
                    account.id
                ),
            ));
        }
        let reopened = || {
            Fact::Account(AccountFact::Reopened {
                account: account.id.clone(),
            })
        };
        let fact = account.closed.as_ref().map(|_| reopened());
        Ok::<_, Refusal>((fact.into_iter().collect(), account.id.clone()))
    })?;
    accounts::show(store, stamp.at, id.as_str())
}

/// Makes one account of two.
///
/// # Errors
/// Fails when an account is missing or closed, when credits of the account that is closed are held
/// or lent, and when the store cannot be read or written.
pub fn merge(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    (account, into): (&str, &str),
    reason: Option<&str>,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let now = stamp.at;
    let reason = parse::reason(reason, "one member")?;
    let (id, _) = transact(store, &stamp, |store| {
        let into = parse::find_account(store, into)?;
        let from = match find_exactly(store, account) {
            Ok(from) => from,
            Err(_) => parse::find_account(store, account)?,
        };
        let facts = if is_merged_into(&from, &into.id) {
            Vec::new()
        } else {
            merge_facts(store, now, &from, &into.id, &reason)?
        };
        Ok::<_, Refusal>((facts, into.id))
    })?;
    accounts::show(store, now, id.as_str())
}

/// Gives an account another name. The account with the new name has everything of the old one.
///
/// # Errors
/// Fails when there is no such account, when the new name belongs to another account, and when the
/// store cannot be read or written.
pub fn rename(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    (account, name): (&str, &str),
    reason: Option<&str>,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let now = stamp.at;
    let reason = parse::reason(reason, "another name")?;
    let new = AccountId::parse(name)
        .map_err(|why| parse::usage(format!("the account {name:?} {why}")))?;
    parse::check_new_account_name(&new)?;
    transact(store, &stamp, |store| {
        let facts = rename_facts(store, now, account, &new, &reason)?;
        Ok::<_, Refusal>((facts, ()))
    })?;
    accounts::show(store, now, new.as_str())
}

fn rename_facts(
    store: &dyn Store,
    now: Time,
    account: &str,
    new: &AccountId,
    reason: &str,
) -> Result<Vec<Fact>, Refusal> {
    let existing = store.account(new).map_err(|e| parse::store_failed(&e))?;
    let account = parse::find_account(store, account)?;
    if account.id == *new {
        return Ok(Vec::new());
    }
    if existing.is_some() {
        return Err(parse::refusal(
            "refused",
            format!(
                "there is an account {new} already: `maitred account merge {} {new}` makes one account of \
                 both",
                account.id
            ),
        ));
    }
    let mut facts = Vec::new();
    if let Ok(alias) = Address::parse(new.as_str()) {
        let owner = store.resolve(&alias).map_err(|e| parse::store_failed(&e))?;
        match owner {
            Some(owner) if owner == account.id => {
                facts.push(Fact::Account(AccountFact::AliasRemoved {
                    account: owner,
                    alias,
                }));
            }
            Some(owner) => {
                return Err(parse::refusal(
                    "refused",
                    format!("{new} is an alias of account {owner}"),
                ));
            }
            None => {}
        }
    }
    facts.push(Fact::Account(AccountFact::Opened {
        account: new.clone(),
    }));
    facts.extend(copied_facts(&account, new));
    // What moves along is read before the alias is gone, and that changes no lot.
    facts.extend(merge_facts(store, now, &account, new, reason)?);
    Ok(facts)
}

/// Returns the facts that give an account what is known about another one.
fn copied_facts(account: &Account, new: &AccountId) -> Vec<Fact> {
    let mut facts = Vec::new();
    let described = Account {
        id: new.clone(),
        ..account.clone()
    };
    if account.tier.is_some() || !account.tags.is_empty() || !account.attributes.is_empty() {
        facts.push(to_described_fact(&described));
    }
    if let Some(hash) = &account.pin_hash {
        facts.push(Fact::Account(AccountFact::PinChanged {
            account: new.clone(),
            hash: Some(hash.clone()),
        }));
    }
    if account.overdraft_limit.is_some() {
        facts.push(Fact::Account(AccountFact::OverdraftChanged {
            account: new.clone(),
            limit: account.overdraft_limit,
        }));
    }
    if let Some(reason) = &account.freeze_reason {
        facts.push(Fact::Account(AccountFact::FreezeChanged {
            account: new.clone(),
            reason: Some(reason.clone()),
            stops_expiry: account.expiry_stopped_at.is_some(),
        }));
    }
    facts
}

fn merge_facts(
    store: &dyn Store,
    now: Time,
    from: &Account,
    into: &AccountId,
    reason: &str,
) -> Result<Vec<Fact>, Refusal> {
    if from.id == *into {
        return Err(parse::usage(format!(
            "{into} is the same account: name two"
        )));
    }
    if from.closed.is_some() {
        return Err(parse::refusal(
            "refused",
            format!("account {} is closed: open it again first", from.id),
        ));
    }
    refuse_holds(from, "merged")?;
    let debt = from.totals.debt();
    if debt > 0 {
        return Err(parse::refusal(
            "refused",
            format!(
                "account {} has an overdraft of {}: `maitred credits grant {} {debt}` settles it",
                from.id,
                format_credits(debt),
                from.id
            ),
        ));
    }
    let mut facts = expiry_facts(store, &from.id, now)?;
    let left = match from.expiry_stopped_at {
        // The end of the freeze comes first, so that the time that it lasted is not lost.
        Some(_) => {
            return Err(parse::refusal(
                "refused",
                format!(
                    "account {} is frozen, and its credits do not expire meanwhile: `maitred account thaw \
                     {}` first",
                    from.id, from.id
                ),
            ));
        }
        None => from.available(now),
    };
    facts.push(Fact::Account(AccountFact::Merged {
        account: from.id.clone(),
        into: into.clone(),
        credits: left,
        charges: charges_to_move(store, &from.id)?,
        reason: reason.to_owned(),
    }));
    Ok(facts)
}

/// Returns the bookings whose charges can still be refunded, or count for a cap.
fn charges_to_move(store: &dyn Store, account: &AccountId) -> Result<Vec<BookingUid>, Refusal> {
    let charges = store
        .charges_of(account, Time::MIN_UTC, Time::MAX_UTC, MAX_CHARGES + 1)
        .map_err(|e| parse::store_failed(&e))?;
    if charges.len() > MAX_CHARGES {
        return Err(parse::refusal(
            "refused",
            format!(
                "account {account} has more than {MAX_CHARGES} bookings, and one command merges no more"
            ),
        ));
    }
    let counts = |state: &ChargeState| matches!(state, ChargeState::Open | ChargeState::Final);
    let charges = charges.into_iter().filter(|charge| counts(&charge.state));
    Ok(charges.map(|charge| charge.booking.uid).collect())
}

fn is_merged_into(account: &Account, other: &AccountId) -> bool {
    let closing = account.closed.as_ref();
    closing.is_some_and(|closing| closing.merged_into.as_ref() == Some(other))
}

/// Returns the account with exactly this name, also if it is closed.
fn find_exactly(store: &dyn Store, name: &str) -> Result<Account, Refusal> {
    let id = AccountId::parse(name)
        .map_err(|why| parse::usage(format!("the account {name:?} {why}")))?;
    let account = store.account(&id).map_err(|e| parse::store_failed(&e))?;
    match account {
        Some(account) => Ok(account),
        None => parse::find_account(store, name),
    }
}

#[cfg(test)]
mod tests {
    use super::super::credits::grant;
    use super::super::test_fixtures::{commit_facts, now, store_with_credits};
    use super::*;
    use crate::control::protocol::credits::GrantCommand;
    use crate::store::memory::MemoryStore;

    const BO: &str = "bo@example.com";
    const AL: &str = "al@another.org";

    fn give(store: &mut MemoryStore, account: &str, credits: u64) -> Result<(), String> {
        let command = GrantCommand {
            account: account.to_owned(),
            credits,
            ..GrantCommand::default()
        };
        let granted = grant(store, now(), &command);
        granted.map(|_| ()).map_err(|refusal| refusal.text)
    }

    fn available(store: &MemoryStore, account: &str) -> u64 {
        let account = parse::find_account(store, account).expect("it is there");
        account.available(now())
    }

    fn code<T>(result: Result<T, Refusal>) -> Result<T, String> {
        result.map_err(|refusal| refusal.code)
    }

    #[test]
    fn an_account_is_closed_without_credits_and_accepts_none() {
        let mut store = store_with_credits(2);
        let refused = close(&mut store, now(), BO, "left", false).expect_err("it has credits");
        assert!(refused.text.contains("2 credits"), "{}", refused.text);
        for _ in 0..2 {
            close(&mut store, now(), BO, "left", true).expect("it is closed");
        }
        assert_eq!(available(&store, BO), 0);
        let refused = give(&mut store, BO, 1).expect_err("it is closed");
        assert!(
            refused.contains("account bo@example.com is closed"),
            "{refused}"
        );
        for _ in 0..2 {
            reopen(&mut store, now(), BO).expect("it is open");
        }
        give(&mut store, BO, 1).expect("it is open");
    }

    #[test]
    fn two_accounts_become_one_and_their_names_lead_to_it() {
        let mut store = store_with_credits(2);
        give(&mut store, AL, 3).expect("granted");
        for _ in 0..2 {
            merge(&mut store, now(), (BO, AL), None).expect("merged");
        }
        assert_eq!((available(&store, BO), available(&store, AL)), (5, 5));
        give(&mut store, BO, 1).expect("it goes to the other account");
        assert_eq!(available(&store, AL), 6);
        assert_eq!(
            code(reopen(&mut store, now(), BO)),
            Err("refused".to_owned())
        );
        let missing = merge(&mut store, now(), ("cy@third.net", AL), None);
        assert_eq!(code(missing), Err("not-found".to_owned()));
        let same = merge(&mut store, now(), (AL, AL), None);
        assert_eq!(code(same), Err("usage".to_owned()));
    }

    #[test]
    fn an_account_gets_another_name_with_everything_known_about_it() {
        let mut store = store_with_credits(2);
        let id = AccountId::parse(BO).expect("a name");
        commit_facts(
            &mut store,
            vec![
                Fact::Account(AccountFact::Described {
                    account: id.clone(),
                    tier: Some("gold".to_owned()),
                    tags: [].into(),
                    attributes: [].into(),
                }),
                Fact::Account(AccountFact::AliasAdded {
                    account: id,
                    alias: Address::parse("bo@work.example").expect("an address"),
                }),
            ],
        );
        for _ in 0..2 {
            rename(&mut store, now(), (BO, "bo@work.example"), None).expect("renamed");
        }
        let account = parse::find_account(&store, BO).expect("the old name leads to it");
        assert_eq!(account.id.as_str(), "bo@work.example");
        assert_eq!(account.tier.as_deref(), Some("gold"));
        assert_eq!(account.available(now()), 2);
        give(&mut store, AL, 1).expect("granted");
        let taken = rename(&mut store, now(), (AL, "bo@work.example"), None);
        assert_eq!(code(taken), Err("refused".to_owned()));
        // And back: the old name is an alias now.
        rename(
            &mut store,
            now(),
            ("bo@work.example", "bo@third.example"),
            None,
        )
        .expect("renamed");
        assert_eq!(available(&store, BO), 2);
    }
}
