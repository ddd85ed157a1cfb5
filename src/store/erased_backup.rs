//! Repeats erasures in the copy of an older log, before anything else reads the copy.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::erasure_list::{ErasureList, ErasureListError};
use super::log::reader::LogEnd;
use super::log::segment::SEGMENT_LIMIT;
use super::rewrite::{self, RewriteError};
use crate::domain::erasure::names::Pseudonym;
use crate::domain::erasure::{ErasedPerson, Redaction, visit_names};
use crate::domain::fact::{AccountFact, CreditFact, Fact};
use crate::domain::id::{AccountId, Address};
use crate::domain::progress::Progress;
use crate::domain::time::Time;

/// Why an account is frozen that was erased before the restore.
const FREEZE_REASON: &str = "erased before the ledger was restored";

/// What was erased in a copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErasedInCopy {
    /// How many persons were still in the copy.
    pub persons: u64,
    /// The accounts among them, under their pseudonyms.
    accounts: Vec<AccountId>,
}

impl ErasedInCopy {
    /// Returns the facts that freeze the erased accounts, as `account erase` did.
    pub fn closing_facts(&self) -> impl Iterator<Item = Fact> {
        self.accounts.iter().map(|account| {
            Fact::Account(AccountFact::FreezeChanged {
                account: account.clone(),
                reason: Some(FREEZE_REASON.to_owned()),
                stops_expiry: false,
            })
        })
    }
}

/// Returns the lists of erasures in a backup and in the directory that it lies in: scheduled backups
/// keep the newest list there.
///
/// # Errors
/// When a list cannot be read.
pub fn lists_near(backup: &Path) -> Result<ErasureList, ErasureListError> {
    let mut list = ErasureList::read(backup)?;
    let parent = backup.canonicalize().ok();
    if let Some(parent) = parent.as_deref().and_then(Path::parent) {
        let outer = ErasureList::read(parent)?;
        list.add(outer.entries().iter().cloned());
    }
    Ok(list)
}

/// Returns the redaction that repeats the erasures of the list in a log, surveyed; and the erased
/// accounts. It changes nothing if no erased person is in the log.
///
/// # Errors
/// When the log cannot be read.
pub fn find_erased(
    log: &Path,
    list: &ErasureList,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Redaction, ErasedInCopy), RewriteError> {
    if list.entries().is_empty() {
        return Ok((Redaction::default(), ErasedInCopy::default()));
    }
    let index = list.index();
    let mut seen: HashSet<String> = HashSet::new();
    let mut accounts: HashSet<String> = HashSet::new();
    let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    rewrite::read_commits(log, progress, &mut |commit| {
        for fact in &commit.facts {
            let opened = match fact {
                Fact::Account(AccountFact::Opened { account })
                | Fact::Credit(CreditFact::Grant { account, .. }) => Some(account.as_str()),
                _ => None,
            };
            visit_names(fact, &mut |name| {
                if seen.contains(name) {
                    return;
                }
                seen.insert(name.to_owned());
                for entry in index.find(name) {
                    found.entry(entry).or_default().push(name.to_owned());
                }
            });
            if let Some(name) = opened
                && found.values().flatten().any(|known| known == name)
            {
                accounts.insert(name.to_owned());
            }
        }
    })?;
    let mut persons = Vec::new();
    let mut erased = ErasedInCopy::default();
    for (number, names) in found {
        let entry = &list.entries()[number];
        let Some(person) = person_of(&entry.pseudonym, entry.at, &names, &|name| {
            entry.is_account(name)
        }) else {
            continue;
        };
        if accounts.contains(person.id()) && entry.is_account(person.id()) {
            erased.accounts.push(person.account_pseudonym());
        }
        persons.push(person);
    }
    erased.persons = persons.len() as u64;
    let mut redaction = Redaction::of_persons(persons);
    rewrite::survey(log, &mut redaction, progress)?;
    // What was written after an erasure stays, as in the ledger itself.
    if !rewrite::would_change(log, &redaction, progress)? {
        return Ok((Redaction::default(), ErasedInCopy::default()));
    }
    Ok((redaction, erased))
}

fn person_of(
    pseudonym: &str,
    at: Time,
    names: &[String],
    is_account: &dyn Fn(&str) -> bool,
) -> Option<ErasedPerson> {
    let id = names
        .iter()
        .find(|name| is_account(name))
        .or(names.first())?;
    let id = AccountId::parse(id).ok()?;
    let mut person = ErasedPerson::new(&id, Pseudonym::existing(pseudonym)).until(at);
    for name in names {
        if let Ok(address) = Address::parse(name) {
            person = person.with_address(&address);
        }
    }
    Some(person)
}

/// Writes the log in `from`, which ends at `end`, again to `to` without the data of the persons in
/// the list. Writes nothing if none of them is in it.
///
/// # Errors
/// When the log cannot be read or written.
pub fn repeat_erasures(
    from: &Path,
    to: &Path,
    list: &ErasureList,
    end: &LogEnd,
    progress: &mut dyn FnMut(Progress),
) -> Result<ErasedInCopy, RewriteError> {
    let (redaction, erased) = find_erased(from, list, progress)?;
    if erased.persons == 0 {
        return Ok(erased);
    }
    let created = list
        .entries()
        .iter()
        .map(|entry| entry.at)
        .max()
        .unwrap_or_default();
    let rewritten = rewrite::rewrite(
        (from, to),
        &redaction,
        (created, &[]),
        SEGMENT_LIMIT,
        progress,
    )?;
    debug_assert_eq!(rewritten.commits, end.chain.seq);
    Ok(erased)
}
