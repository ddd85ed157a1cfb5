//! The command that replaces a person by a pseudonym in the whole ledger.

use uuid::Uuid;

use super::parse;
use crate::control::protocol::account::{AccountEraseCommand, ErasureView};
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::daemon::error_chain::error_chain;
use crate::domain::account::Account;
use crate::domain::erasure::names::{PREFIX, Pseudonym};
use crate::domain::erasure::{ErasedPerson, Redaction};
use crate::domain::fact::{AccountFact, Fact};
use crate::domain::id::{AccountId, Address, MAX_NAME};
use crate::domain::time::truncate_to_millis;
use crate::store::port::{Maintenance, RewriteOrder, Store};
use crate::store::transaction::Stamp;

/// How many hexadecimal digits a pseudonym has.
const DIGITS: usize = 8;

/// The shortest further name: a shorter one would be found in texts that do not mean the person.
const MIN_NAME: usize = 3;

/// How many further names one command takes.
const MAX_NAMES: usize = 20;

/// How many records are read at once.
const PAGE: usize = 1_000;

/// Erases a member, or a booker who has no account.
///
/// # Errors
/// Fails when there is no such person, when a decision about them is being carried out, and when the
/// log cannot be written again.
pub fn erase(
    store: &mut dyn Maintenance,
    stamp: &Stamp,
    command: &AccountEraseCommand,
) -> Result<CommandResult, Refusal> {
    let reason = parse::reason(Some(&command.reason), "")?;
    if reason.is_empty() {
        return Err(parse::usage("the reason is empty; it stays in the ledger"));
    }
    let known = find_person(store, &command.account)?;
    let id = known.id.clone();
    let mut person = ErasedPerson::new(&id, Pseudonym::new(&random_digits(), id.as_str()));
    if let Ok(address) = Address::parse(&command.account) {
        person = person.with_address(&address);
    }
    for alias in known.account.iter().flat_map(|account| &account.aliases) {
        person = person.with_address(alias);
    }
    for name in further_names(&command.names)? {
        person = person.with_text(name);
    }
    refuse_open_intent(store, &person)?;
    let charges = count_charges(store, &id)?;
    let pseudonym = person.account_pseudonym();
    let closing = match known.account {
        Some(_) => closing_facts(&person, &pseudonym, &reason, stamp)?,
        None => Vec::new(),
    };
    let order = RewriteOrder {
        redaction: Redaction::of_persons(vec![person]),
        closing,
        at: truncate_to_millis(stamp.at),
    };
    let report = store
        .rewrite(order, &mut |_| {})
        .map_err(|error| parse::refusal("store", error_chain(&error)))?;
    if report.changed == 0 {
        return Err(parse::not_found(format!(
            "nothing in the ledger names {}; `maitred account list` lists the accounts",
            command.account
        )));
    }
    Ok(CommandResult::Erasure(ErasureView {
        schema: SCHEMA,
        pseudonym: pseudonym.to_string(),
        changed_commits: report.changed,
        open_charges: charges,
        sequence: report.head.seq,
        hash: report.head.hash,
        replaced_sequence: report.replaced.seq,
        replaced_hash: report.replaced.hash,
    }))
}

/// The person whom a name or an address leads to.
struct KnownPerson {
    id: AccountId,
    /// `None` for a booker without an account.
    account: Option<Account>,
}

/// Finds the account of a name or an alias. An address without an account may be that of a booker who
/// was declined, or of a member's former alias; any other name must have an account.
fn find_person(store: &dyn Store, text: &str) -> Result<KnownPerson, Refusal> {
    let id = parse::resolve_account_id(store, text)?;
    if id.as_str().starts_with(PREFIX) {
        return Err(parse::usage(format!(
            "{id} is the pseudonym of a person who was erased"
        )));
    }
    let account = store.account(&id).map_err(|e| parse::store_failed(&e))?;
    if account.is_none() && Address::parse(text).is_err() {
        parse::find_account(store, text)?;
    }
    Ok(KnownPerson { id, account })
}

fn further_names(names: &[String]) -> Result<Vec<&str>, Refusal> {
    if names.len() > MAX_NAMES {
        return Err(parse::usage(format!(
            "{} further names are given, and at most {MAX_NAMES} are possible",
            names.len()
        )));
    }
    let mut found = Vec::new();
    for name in names {
        let name = name.trim();
        if name.chars().count() < MIN_NAME || name.len() > MAX_NAME {
            return Err(parse::usage(format!(
                "the further name {name:?} has fewer than {MIN_NAME} characters or more than \
                 {MAX_NAME} bytes"
            )));
        }
        found.push(name);
    }
    Ok(found)
}

/// Refuses to erase a person while a decision about them is recorded and not carried out: its call
/// still needs the text for the booker.
fn refuse_open_intent(store: &dyn Store, person: &ErasedPerson) -> Result<(), Refusal> {
    let mut after = None;
    loop {
        let page = store
            .open_intents(after.as_ref(), PAGE)
            .map_err(|e| parse::store_failed(&e))?;
        for request in &page {
            let account = request.account.iter().map(AccountId::as_str);
            let mut of_request = account.chain(request.booker.iter().map(Address::as_str));
            if of_request.any(|name| person.names().any(|known| known == name)) {
                return Err(parse::refusal(
                    "conflict",
                    format!(
                        "the decision about booking {} is being carried out; `maitred pass` \
                         finishes it, and `maitred explain {}` says why it is still open: erase \
                         the person after that",
                        request.id, request.id
                    ),
                ));
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => {
                after = Some((last.decided_at, last.id.clone()));
            }
            Some(_) | None => return Ok(()),
        }
    }
}

/// Returns how many charges of the account are held or open.
fn count_charges(store: &dyn Store, account: &AccountId) -> Result<u64, Refusal> {
    let (mut count, mut after) = (0, None);
    loop {
        let page = store
            .open_charges(after.as_ref(), PAGE)
            .map_err(|e| parse::store_failed(&e))?;
        let of_account = page.iter().filter(|charge| charge.account == *account);
        count += of_account.count() as u64;
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.booking.uid.clone()),
            Some(_) | None => return Ok(count),
        }
    }
}

/// Returns the facts that freeze the account under its pseudonym, with the operator's reason.
fn closing_facts(
    person: &ErasedPerson,
    pseudonym: &AccountId,
    reason: &str,
    stamp: &Stamp,
) -> Result<Vec<Fact>, Refusal> {
    let lower = reason.to_lowercase();
    if person
        .names()
        .any(|name| lower.contains(&name.to_lowercase()))
    {
        return Err(parse::usage(
            "the reason names the person, and it stays in the ledger; give one that does not",
        ));
    }
    let frozen = Fact::Account(AccountFact::FreezeChanged {
        account: pseudonym.clone(),
        reason: Some(format!("erased: {reason}")),
        stops_expiry: false,
    });
    let actor = stamp.by.iter().map(|actor| Fact::By(actor.clone()));
    Ok(actor.chain([frozen]).collect())
}

fn random_digits() -> String {
    let mut digits = Uuid::new_v4().as_simple().to_string();
    digits.truncate(DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use super::super::test_fixtures::{now, store_with_credits};
    use super::*;
    use crate::store::memory::MemoryStore;
    use crate::store::port::CommitSource;

    fn command(account: &str, reason: &str) -> AccountEraseCommand {
        AccountEraseCommand {
            account: account.to_owned(),
            reason: reason.to_owned(),
            names: vec!["Bo Roe".to_owned()],
        }
    }

    #[test]
    fn a_member_is_erased_and_the_address_is_unknown_afterwards() {
        let mut store = store_with_credits(3);
        let bo = AccountId::parse("bo@example.com").expect("a name");
        let before = store.account(&bo).expect("reads").expect("there");
        let done = erase(
            &mut store,
            &now().into(),
            &command("bo@example.com", "asked for it"),
        );
        let Ok(CommandResult::Erasure(view)) = done else {
            panic!("it is erased: {done:?}");
        };
        assert!(view.pseudonym.starts_with(PREFIX), "{view:?}");
        assert_eq!(view.sequence, view.replaced_sequence + 1);
        let pseudonym = AccountId::parse(&view.pseudonym).expect("a name");
        let after = store.account(&pseudonym).expect("reads").expect("there");
        assert_eq!(
            (after.totals, after.lots.len()),
            (before.totals, before.lots.len())
        );
        assert_eq!(after.freeze_reason.as_deref(), Some("erased: asked for it"));
        assert!(store.account(&bo).expect("reads").is_none());
        let text = format!("{:?}", store.commits(0, usize::MAX).expect("reads"));
        assert!(!text.contains("bo@example.com"), "{text}");
    }

    #[test]
    fn what_cannot_be_erased_is_refused_and_nothing_changes() {
        let rows = [
            ("bo@example.com", "", "the reason is empty"),
            (
                "bo@example.com",
                "Bo Roe asked",
                "the reason names the person",
            ),
            (
                "bo@example.com",
                "BO@example.com left",
                "the reason names the person",
            ),
            (
                "zz@example.com",
                "left",
                "nothing in the ledger names zz@example.com",
            ),
            ("zz", "left", "there is no account zz"),
            ("erased-1a2b3c4d", "left", "is the pseudonym"),
        ];
        for (account, reason, expect) in rows {
            let mut store = store_with_credits(3);
            let head = store.head();
            let refusal = erase(&mut store, &now().into(), &command(account, reason));
            let refusal = refusal.expect_err("it is refused");
            assert!(refusal.text.contains(expect), "{refusal}");
            assert_eq!(store.head(), head, "{expect}");
        }
        let mut store = MemoryStore::new();
        let short = AccountEraseCommand {
            names: vec!["B".to_owned()],
            ..command("bo@example.com", "left")
        };
        let refusal = erase(&mut store, &now().into(), &short).expect_err("it is refused");
        assert!(refusal.text.contains("fewer than 3"), "{refusal}");
    }
}
