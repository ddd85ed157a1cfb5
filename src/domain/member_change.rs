//! What a source changes in the ledger: from an account as it is and what the source says about the
//! member to the facts that are missing. Pure, and idempotent: with the facts applied, the same
//! record leads to none.

use std::collections::{BTreeMap, BTreeSet};

use super::account::{Account, MAX_ALIASES, SpendPreview};
use super::decision::{Credits, MAX_CREDITS};
use super::fact::{AccountFact, CreditFact, Fact};
use super::id::{AccountId, Address, Reference};
use super::lot::{LotTerms, Purpose};
use super::member_data::{MAX_ATTRIBUTES, MAX_TAGS};
use super::member_source::{BalanceMeaning, Leavers, MemberRecord, MemberSource, SOURCE_ATTRIBUTE};
use super::time::Time;

/// What the ledger knows about a member, as far as a change depends on it.
#[derive(Debug, Clone, Default)]
pub struct KnownMember {
    /// The member's account. `None`: there is none yet.
    pub account: Option<Account>,
    /// The accounts that the addresses of the record lead to.
    pub owners: BTreeMap<Address, AccountId>,
    /// The credits that this source gave the account, less those that it took back.
    pub given: Credits,
}

/// The facts about one member, and what they are about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberChange {
    /// The facts, in the order in which they are applied.
    pub facts: Vec<Fact>,
    /// Whether the account is opened.
    pub opened: bool,
    /// Whether the account is frozen.
    pub frozen: bool,
    /// Whether the account is thawed, or open again.
    pub thawed: bool,
    /// Whether the account is closed.
    pub closed: bool,
    /// The credits that are given.
    pub granted: Credits,
    /// The credits that are taken back.
    pub revoked: Credits,
    /// What changes, in words.
    pub changes: Vec<String>,
    /// What the source says and the ledger does not allow, in words.
    pub problems: Vec<String>,
}

/// Makes the names of the grants and revocations of one commit. The number of the commit is in each,
/// and no two commits share it: a change that was written is not found again after a crash, because
/// the ledger then has the source's number, and a change that was not written gets the same name.
#[derive(Debug)]
pub struct SourceReferences {
    prefix: String,
    count: usize,
}

impl SourceReferences {
    /// Returns the names for the commit after the one with this number.
    pub fn new(source: &str, head: u64) -> Self {
        Self {
            prefix: format!("{}{}", reference_prefix(source), head + 1),
            count: 0,
        }
    }

    fn next(&mut self) -> Reference {
        self.count += 1;
        let text = format!("{}-{}", self.prefix, self.count);
        Reference::parse(&text).expect("a short name and two numbers are a reference")
    }
}

/// Returns how the names of a source's grants and revocations begin.
pub fn reference_prefix(source: &str) -> String {
    format!("source/{source}/")
}

/// Returns true if the source manages the account.
pub fn is_managed_by(account: &Account, source: &str) -> bool {
    account
        .attributes
        .get(SOURCE_ATTRIBUTE)
        .is_some_and(|name| name == source)
}

/// On what terms a source changes the ledger.
#[derive(Debug, Clone)]
pub struct SourceTerms {
    /// The source.
    pub source: MemberSource,
    /// The names of the other sources: an account that one of them manages stays as it is.
    pub other_sources: BTreeSet<String>,
    /// Whether the credits of a frozen account do not expire.
    pub freeze_stops_expiry: bool,
    /// The instant of the change.
    pub now: Time,
}

/// Returns what a source's record changes. `address` is the address that leads to the account, or
/// that the new account gets as its name.
pub fn change_member(
    terms: &SourceTerms,
    (address, record): (&Address, &MemberRecord),
    known: &KnownMember,
    references: &mut SourceReferences,
) -> MemberChange {
    let (source, now) = (&terms.source, terms.now);
    let mut change = MemberChange::default();
    let account = match &known.account {
        Some(account) if !may_change(terms, account) => return change,
        Some(account) => {
            if account.closed.is_some() {
                change.thawed = true;
                change.changes.push("reopened".to_owned());
                change.facts.push(Fact::Account(AccountFact::Reopened {
                    account: account.id.clone(),
                }));
            }
            account.clone()
        }
        None => {
            let id = AccountId::from(address);
            change.opened = true;
            change.changes.push("opened".to_owned());
            change.facts.push(Fact::Account(AccountFact::Opened {
                account: id.clone(),
            }));
            Account::new(id, now)
        }
    };
    change_names(&mut change, &account, (address, record), known);
    change_data(&mut change, &account, source, record);
    change_freeze(&mut change, &account, terms, record);
    if let (Some(meaning), Some(number)) = (source.balance, record.balance) {
        let (has, owes) = match meaning {
            // The next grant settles what was lent first.
            BalanceMeaning::Left => (
                account.available(now) + account.totals.held,
                account.totals.debt(),
            ),
            BalanceMeaning::Given => (known.given, 0),
        };
        change_balance(
            &mut change,
            &account,
            terms,
            (has, number.saturating_add(owes)),
            references,
        );
    }
    change
}

/// Returns false for an account that another source manages, or that somebody else closed.
fn may_change(terms: &SourceTerms, account: &Account) -> bool {
    let manager = account.attributes.get(SOURCE_ATTRIBUTE);
    let is_of_another = manager.is_some_and(|name| terms.other_sources.contains(name));
    let closed_by_another = account.closed.as_ref().is_some_and(|closing| {
        closing.merged_into.is_some() || closing.reason != leaver_reason(&terms.source)
    });
    !is_of_another && !closed_by_another
}

/// Returns what changes for an account that the source manages and no longer lists.
pub fn change_leaver(terms: &SourceTerms, account: &Account) -> MemberChange {
    let mut change = MemberChange::default();
    if account.closed.is_some() {
        return change;
    }
    let reason = leaver_reason(&terms.source);
    match terms.source.leavers {
        Leavers::Freeze if account.freeze_reason.is_none() => {
            freeze(&mut change, account, terms, reason);
        }
        Leavers::Close => {
            change.closed = true;
            change.changes.push(format!("closed: {reason}"));
            change.facts.push(Fact::Account(AccountFact::Closed {
                account: account.id.clone(),
                reason,
            }));
        }
        Leavers::Freeze | Leavers::Ignore => {}
    }
    change
}

/// Adds the addresses of the record as aliases. None is ever removed: the account would no longer be
/// found by it.
fn change_names(
    change: &mut MemberChange,
    account: &Account,
    (address, record): (&Address, &MemberRecord),
    known: &KnownMember,
) {
    let mut count = account.aliases.len();
    for alias in record.aliases.iter().chain([address]) {
        if AccountId::from(alias) == account.id || account.aliases.contains(alias) {
            continue;
        }
        match known.owners.get(alias) {
            Some(owner) if *owner == account.id => continue,
            Some(_) => {
                change
                    .problems
                    .push("one of its addresses leads to another account".to_owned());
                continue;
            }
            None => {}
        }
        if count >= MAX_ALIASES {
            let text = format!("it has more than {MAX_ALIASES} addresses");
            change.problems.push(text);
            return;
        }
        count += 1;
        change.changes.push("alias added".to_owned());
        change.facts.push(Fact::Account(AccountFact::AliasAdded {
            account: account.id.clone(),
            alias: alias.clone(),
        }));
    }
}

/// Sets tier, tags and attributes, and the mark of the source.
fn change_data(
    change: &mut MemberChange,
    account: &Account,
    source: &MemberSource,
    record: &MemberRecord,
) {
    let tier = record.tier.clone().unwrap_or_else(|| account.tier.clone());
    let tags = record.tags.clone().unwrap_or_else(|| account.tags.clone());
    let mut attributes = account.attributes.clone();
    for (name, value) in &record.attributes {
        match value {
            Some(value) => attributes.insert(name.clone(), value.clone()),
            None => attributes.remove(name),
        };
    }
    attributes.insert(SOURCE_ATTRIBUTE.to_owned(), source.name.clone());
    if tags.len() > MAX_TAGS || attributes.len() > MAX_ATTRIBUTES {
        let text = format!(
            "it would have {} tags and {} attributes, and {MAX_TAGS} and {MAX_ATTRIBUTES} are the \
             most",
            tags.len(),
            attributes.len()
        );
        return change.problems.push(text);
    }
    if tier != account.tier {
        let shown = tier.as_deref().unwrap_or("none");
        change.changes.push(format!("tier {shown}"));
    }
    if tags != account.tags {
        let shown: Vec<&str> = tags.iter().map(String::as_str).collect();
        change.changes.push(format!("tags {}", shown.join(" ")));
    }
    let names: BTreeSet<&String> = attributes.keys().chain(account.attributes.keys()).collect();
    for name in names {
        if attributes.get(name) != account.attributes.get(name) {
            change.changes.push(format!("attribute {name}"));
        }
    }
    if tier != account.tier || tags != account.tags || attributes != account.attributes {
        change.facts.push(Fact::Account(AccountFact::Described {
            account: account.id.clone(),
            tier,
            tags,
            attributes,
        }));
    }
}

/// Freezes and thaws. A freeze by an operator, or by another source, is never touched.
fn change_freeze(
    change: &mut MemberChange,
    account: &Account,
    terms: &SourceTerms,
    record: &MemberRecord,
) {
    let source = &terms.source;
    let own_prefix = freeze_prefix(source);
    let reason = account.freeze_reason.as_deref();
    let is_own = reason.is_some_and(|reason| reason.starts_with(&own_prefix));
    let is_leaver = reason.is_some_and(|reason| reason == leaver_reason(source));
    match record.frozen {
        Some(true) if reason.is_none() || is_leaver => {
            freeze(change, account, terms, format!("{own_prefix}frozen there"));
        }
        Some(false) if is_own => thaw(change, account),
        None if is_leaver => thaw(change, account),
        Some(_) | None => {}
    }
}

fn freeze(change: &mut MemberChange, account: &Account, terms: &SourceTerms, reason: String) {
    change.frozen = true;
    change.changes.push(format!("frozen: {reason}"));
    change.facts.push(Fact::Account(AccountFact::FreezeChanged {
        account: account.id.clone(),
        reason: Some(reason),
        stops_expiry: terms.freeze_stops_expiry,
    }));
}

fn thaw(change: &mut MemberChange, account: &Account) {
    change.thawed = true;
    change.changes.push("thawed".to_owned());
    change.facts.push(Fact::Account(AccountFact::FreezeChanged {
        account: account.id.clone(),
        reason: None,
        stops_expiry: false,
    }));
}

/// Returns how the reasons of a source's freezes begin.
fn freeze_prefix(source: &MemberSource) -> String {
    format!("source {}: ", source.name)
}

fn leaver_reason(source: &MemberSource) -> String {
    format!("{}no longer a member", freeze_prefix(source))
}

/// Gives or takes back the difference between the two numbers. Credits that are held or spent cannot
/// be taken back.
fn change_balance(
    change: &mut MemberChange,
    account: &Account,
    terms: &SourceTerms,
    (has, number): (Credits, Credits),
    references: &mut SourceReferences,
) {
    let (source, now) = (&terms.source, terms.now);
    if number > MAX_CREDITS {
        return change
            .problems
            .push(format!("its balance is above {MAX_CREDITS} credits"));
    }
    let reason = format!("balance of source {}", source.name);
    if number > has {
        let credits = (number - has).min(MAX_CREDITS);
        change.granted = credits;
        change.changes.push(format!("{credits} credits granted"));
        change.facts.extend(expired_parts(account, now));
        change.facts.push(Fact::Credit(CreditFact::Grant {
            reference: references.next(),
            account: account.id.clone(),
            credits,
            expires: None,
            terms: LotTerms::default(),
            reason,
        }));
        return;
    }
    let wanted = has - number;
    let mut preview = SpendPreview::new(account);
    let expired = Fact::expire_parts(&account.id, preview.expire_lots(now));
    let purpose = Purpose::without_booking(now);
    let credits = wanted.min(preview.available(&purpose)).min(MAX_CREDITS);
    if credits < wanted {
        let text = format!(
            "{} credits cannot be taken back, because they are held or spent",
            wanted - credits
        );
        change.problems.push(text);
    }
    let parts = preview.allocate(credits, &purpose);
    let Some(parts) = parts.filter(|_| credits > 0) else {
        return;
    };
    change.revoked = credits;
    change.changes.push(format!("{credits} credits revoked"));
    change.facts.extend(expired);
    change.facts.push(Fact::Credit(CreditFact::Revoke {
        reference: references.next(),
        account: account.id.clone(),
        parts,
        reason,
    }));
}

/// Returns the facts that write off expired lots. A grant is a convenient time to write them.
fn expired_parts(account: &Account, now: Time) -> Vec<Fact> {
    Fact::expire_parts(&account.id, SpendPreview::new(account).expire_lots(now))
}
