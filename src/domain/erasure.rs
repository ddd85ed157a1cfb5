//! Removes personal data from facts that were written. An erased person is replaced by a pseudonym
//! everywhere, and the texts about them are removed; old decisions lose what names a person. Credits,
//! times, codes and the uids of bookings stay, so every sum is the same as before.
//!
//! The rewrite reads the log twice: the survey finds the names, requests and bookings of the person,
//! and only then are facts changed.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::account::LotPart;
use super::allowance::{account_hash, is_allowance_reference};
use super::entry_reason::{EntryCode, EntryReason, RecordedActor};
use super::fact::{
    AccountFact, ChargeFact, Commit, CreditFact, Fact, RefundPart, RequestFact, UnresolvedFact,
};
use super::id::{AccountId, Address, BookingUid, Reference, RequestId};
use super::ledger_state::LedgerFact;
use super::request::Request;
use super::time::Time;
use names::{ErasedName, NameUse, Pseudonym};

pub mod names;

/// What a rewrite removes.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    persons: Vec<ErasedPerson>,
    /// Personal data of decisions is removed from commits before this instant.
    expired_before: Option<Time>,
}

/// A person whose data is replaced by a pseudonym.
#[derive(Debug, Clone)]
pub struct ErasedPerson {
    /// The account's name, or the address of a booker who has no account.
    id: String,
    pseudonym: Pseudonym,
    /// The account and the accounts that were merged into it, each with its new name.
    accounts: BTreeMap<String, String>,
    merged_accounts: Vec<AccountId>,
    names: Vec<ErasedName>,
    /// Former aliases, and whether another account has the address now.
    former_aliases: BTreeMap<Address, bool>,
    requests: HashSet<RequestId>,
    bookings: HashSet<BookingUid>,
    /// Commits after this instant are not changed unless an older commit follows; `None`: all are.
    until: Option<Time>,
    /// The last commit that is changed, as the survey found it.
    last_commit: u64,
}

impl ErasedPerson {
    /// Creates the person with this account or address, their aliases, and further names that texts
    /// may mention.
    pub fn new(id: &AccountId, pseudonym: Pseudonym) -> Self {
        let mut person = Self {
            id: id.as_str().to_owned(),
            pseudonym,
            accounts: BTreeMap::new(),
            merged_accounts: Vec::new(),
            names: Vec::new(),
            former_aliases: BTreeMap::new(),
            requests: HashSet::new(),
            bookings: HashSet::new(),
            until: None,
            last_commit: 0,
        };
        let replacement = person.pseudonym.account();
        person.put_account(id, replacement);
        person
    }

    /// Adds an address of the person.
    #[must_use]
    pub fn with_address(mut self, address: &Address) -> Self {
        self.add_address(address);
        self
    }

    /// Adds a text that names the person, such as their full name.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        let replacement = self.pseudonym.account();
        self.put_name(text, replacement, NameUse::Everywhere);
        self
    }

    /// Leaves what was written after this instant as it is.
    #[must_use]
    pub fn until(mut self, at: Time) -> Self {
        self.until = Some(at);
        self
    }

    /// Returns the name that the account has from now on.
    pub fn account_pseudonym(&self) -> AccountId {
        AccountId::parse(&self.pseudonym.account()).expect("a pseudonym is a name")
    }

    /// Returns the account's name, or the address of a booker without an account.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the new name of an account of the person.
    pub fn new_account(&self, account: &AccountId) -> Option<AccountId> {
        let name = self.accounts.get(account.as_str())?;
        Some(AccountId::parse(name).expect("a pseudonym is a name"))
    }

    /// Returns the texts that name the person, in the form in which they are compared.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(ErasedName::text)
    }

    /// Returns the texts that no file may hold any more, each with its replacement.
    pub fn replacements(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names
            .iter()
            .map(|name| (name.text(), name.replacement()))
    }

    /// Returns true if the survey found the account, or a request of the person.
    pub fn was_found(&self) -> bool {
        self.last_commit > 0
    }

    fn put_name(&mut self, text: &str, replacement: String, used_in: NameUse) {
        if self.names.iter().any(|name| name.is(text)) {
            return;
        }
        self.names.push(ErasedName::new(text, replacement, used_in));
        // A longer name may contain a shorter one.
        self.names
            .sort_by_key(|name| std::cmp::Reverse(name.text().len()));
    }

    fn put_account(&mut self, id: &AccountId, replacement: String) {
        self.put_name(
            id.as_str(),
            replacement.clone(),
            NameUse::of_id(id.as_str()),
        );
        self.accounts.insert(id.as_str().to_owned(), replacement);
    }

    /// Adds an account that was merged into the person's. Its name has become an alias if it is an
    /// address, so its new name is an address, too.
    fn add_merged_account(&mut self, id: &AccountId) {
        let number = self.names.len();
        let replacement = match Address::parse(id.as_str()) {
            Ok(address) => self.pseudonym.alias(number, address.as_str()),
            Err(_) => self.pseudonym.further_account(number, id.as_str()),
        };
        // The address may be known as an alias already.
        let known = self.names.iter().find(|name| name.is(id.as_str()));
        let replacement = known.map_or(replacement, |name| name.replacement().to_owned());
        self.put_account(id, replacement);
    }

    fn add_address(&mut self, address: &Address) {
        let replacement = self.pseudonym.alias(self.names.len(), address.as_str());
        self.put_name(address.as_str(), replacement, NameUse::Everywhere);
    }

    fn has_address(&self, address: &Address) -> bool {
        self.names.iter().any(|name| name.is(address.as_str()))
    }

    fn has_account(&self, account: &AccountId) -> bool {
        self.accounts.contains_key(account.as_str())
    }

    fn is_concerned(&self, seq: u64) -> bool {
        seq <= self.last_commit
    }
}

impl Redaction {
    /// Returns the redaction that replaces these persons.
    pub fn of_persons(persons: Vec<ErasedPerson>) -> Self {
        Self {
            persons,
            expired_before: None,
        }
    }

    /// Returns the redaction that removes personal data of decisions from before this instant.
    pub fn of_old_decisions(before: Time) -> Self {
        Self {
            persons: Vec::new(),
            expired_before: Some(before),
        }
    }

    /// Returns the persons, with what the survey found.
    pub fn persons(&self) -> &[ErasedPerson] {
        &self.persons
    }

    /// Returns true if facts cannot be changed before all were surveyed.
    pub fn needs_survey(&self) -> bool {
        !self.persons.is_empty()
    }

    /// Looks at a commit, in order.
    pub fn survey(&mut self, commit: &Commit) {
        for person in &mut self.persons {
            if person.until.is_none_or(|until| commit.at <= until) {
                person.last_commit = commit.seq;
            }
            for fact in &commit.facts {
                person.survey(fact);
            }
        }
    }

    /// Ends a survey. Returns true if it found further addresses, so that another survey has to
    /// follow.
    pub fn end_survey(&mut self) -> bool {
        let mut grew = false;
        for person in &mut self.persons {
            for account in std::mem::take(&mut person.merged_accounts) {
                person.add_merged_account(&account);
                grew = true;
            }
            let former = std::mem::take(&mut person.former_aliases);
            for (address, is_taken) in former {
                if !is_taken && !person.has_address(&address) {
                    person.add_address(&address);
                    grew = true;
                }
            }
        }
        grew
    }

    /// Changes the commit. Returns true if anything was changed.
    pub fn apply(&self, commit: &mut Commit) -> bool {
        let mut changed = false;
        for fact in &mut commit.facts {
            for person in &self.persons {
                if person.is_concerned(commit.seq) {
                    changed |= person.apply(fact);
                }
            }
            if self.expired_before.is_some_and(|before| commit.at < before) {
                let before = self.expired_before.unwrap_or(commit.at);
                changed |= expire_personal_data(fact, before);
            }
        }
        changed
    }
}

impl ErasedPerson {
    fn survey(&mut self, fact: &Fact) {
        match fact {
            Fact::Account(AccountFact::AliasAdded { account, alias }) => {
                if self.has_account(account) {
                    self.former_aliases.insert(alias.clone(), false);
                } else if let Some(is_taken) = self.former_aliases.get_mut(alias) {
                    *is_taken = true;
                }
            }
            Fact::Account(AccountFact::Merged {
                account,
                into,
                charges,
                ..
            }) if self.has_account(into) => {
                if !self.has_account(account) {
                    self.merged_accounts.push(account.clone());
                }
                self.bookings.extend(charges.iter().cloned());
            }
            Fact::Account(AccountFact::Opened { account })
            | Fact::Credit(CreditFact::Grant { account, .. }) => {
                if !self.former_aliases.is_empty()
                    && !self.has_account(account)
                    && let Ok(address) = Address::parse(account.as_str())
                    && let Some(is_taken) = self.former_aliases.get_mut(&address)
                {
                    *is_taken = true;
                }
            }
            Fact::Charge(ChargeFact::Hold {
                booking,
                request,
                account,
                ..
            }) if self.has_account(account) => {
                self.bookings.insert(booking.uid.clone());
                self.requests.insert(request.clone());
            }
            Fact::Charge(ChargeFact::Move { from, to, .. }) if self.bookings.contains(from) => {
                self.bookings.insert(to.uid.clone());
            }
            Fact::Request(RequestFact::Decided { request }) if self.is_own_request(request) => {
                self.requests.insert(request.id.clone());
                let bookings = request.bookings.iter();
                self.bookings
                    .extend(bookings.map(|booking| booking.uid.clone()));
            }
            Fact::Unresolved(UnresolvedFact::Listed {
                booking,
                account,
                detail,
                ..
            }) if account.as_ref().is_some_and(|id| self.has_account(id))
                || self.replaced_text(detail).is_some() =>
            {
                self.bookings.insert(booking.uid.clone());
            }
            Fact::Account(_)
            | Fact::Credit(_)
            | Fact::Charge(_)
            | Fact::Request(_)
            | Fact::Unresolved(_)
            | Fact::Ledger(_)
            | Fact::By(_) => {}
        }
    }

    fn is_own_request(&self, request: &Request) -> bool {
        self.requests.contains(&request.id)
            || request
                .account
                .as_ref()
                .is_some_and(|account| self.has_account(account))
            || request
                .booker
                .as_ref()
                .is_some_and(|booker| self.has_address(booker))
    }

    /// Returns the text with the person's names replaced; `None` if it has none of them.
    fn replaced_text(&self, text: &str) -> Option<String> {
        names::replace(&self.names, text, NameUse::Everywhere)
    }

    fn replace_in(&self, text: &mut String) -> bool {
        match self.replaced_text(text) {
            Some(replaced) => {
                *text = replaced;
                true
            }
            None => false,
        }
    }

    fn replace_reference(&self, reference: &mut Reference) -> bool {
        let replaced = self.replace_account_hash(reference);
        let text = names::replace(&self.names, reference.as_str(), NameUse::References);
        let Some(text) = text else { return replaced };
        // A reference that would be too long gets a name of its own: its tail still tells it from
        // others.
        *reference = Reference::parse(&text).unwrap_or_else(|_| {
            let tail: String = text.chars().rev().take(MAX_TAIL).collect();
            let tail: String = tail.chars().rev().collect();
            Reference::parse(&format!(
                "{}…{}{tail}",
                self.pseudonym.account(),
                text.len()
            ))
            .expect("a short text is a reference")
        });
        true
    }

    /// Replaces the hash of the account in the reference of an allowance: who knows an address can
    /// compute its hash.
    fn replace_account_hash(&self, reference: &mut Reference) -> bool {
        if !is_allowance_reference(reference) {
            return false;
        }
        let of = |name: &str| AccountId::parse(name).map(|id| account_hash(&id));
        for (name, replacement) in &self.accounts {
            let (Ok(hash), Ok(new)) = (of(name), of(replacement)) else {
                continue;
            };
            if let Some(start) = reference.as_str().strip_suffix(&hash)
                && let Ok(replaced) = Reference::parse(&format!("{start}{new}"))
            {
                *reference = replaced;
                return true;
            }
        }
        false
    }

    fn replace_account(&self, account: &mut AccountId) -> bool {
        match self.new_account(account) {
            Some(new) => {
                *account = new;
                true
            }
            None => false,
        }
    }

    fn replace_address(&self, address: &mut Address) -> bool {
        if !self.has_address(address) {
            return false;
        }
        let replacement = self
            .names
            .iter()
            .find(|name| name.is(address.as_str()))
            .map(ErasedName::replacement);
        let text = match replacement {
            Some(text) if text.contains('@') => text.to_owned(),
            Some(_) | None => self.pseudonym.alias(0, address.as_str()),
        };
        *address = Address::parse(&text).expect("a pseudonym is an address");
        true
    }

    fn replace_parts(&self, parts: &mut [LotPart]) -> bool {
        let mut changed = false;
        for part in parts {
            changed |= self.replace_reference(&mut part.grant);
        }
        changed
    }

    fn replace_refund_parts(&self, parts: &mut [RefundPart]) -> bool {
        let mut changed = false;
        for part in parts {
            changed |= self.replace_reference(&mut part.grant);
            if let Some((reference, _)) = &mut part.replacement_lot {
                changed |= self.replace_reference(reference);
            }
        }
        changed
    }

    /// Removes a text of the person, or only replaces their names in a text of somebody else.
    fn remove_or_replace(&self, is_own: bool, text: &mut String) -> bool {
        if is_own {
            remove(text)
        } else {
            self.replace_in(text)
        }
    }

    fn apply(&self, fact: &mut Fact) -> bool {
        match fact {
            Fact::Account(fact) => self.apply_account(fact),
            Fact::Credit(fact) => self.apply_credit(fact),
            Fact::Charge(fact) => self.apply_charge(fact),
            Fact::Request(fact) => self.apply_request(fact),
            Fact::Unresolved(fact) => self.apply_unresolved(fact),
            Fact::Ledger(fact) => self.apply_ledger(fact),
            // An operator may be a member, too.
            Fact::By(actor) => actor
                .name
                .as_mut()
                .is_some_and(|name| self.replace_in(name)),
        }
    }

    fn apply_account(&self, fact: &mut AccountFact) -> bool {
        match fact {
            AccountFact::Opened { account } => self.replace_account(account),
            AccountFact::AliasAdded { account, alias }
            | AccountFact::AliasRemoved { account, alias } => {
                // Another account may have had the address before.
                self.replace_account(account) | self.replace_address(alias)
            }
            AccountFact::Described {
                account,
                tier,
                tags,
                attributes,
            } => {
                let is_own = self.replace_account(account);
                if is_own {
                    *tier = None;
                    tags.clear();
                    attributes.clear();
                    return true;
                }
                let mut changed = false;
                for value in attributes.values_mut() {
                    changed |= self.replace_in(value);
                }
                changed
            }
            AccountFact::FreezeChanged {
                account, reason, ..
            } => {
                let is_own = self.replace_account(account);
                let changed = reason
                    .as_mut()
                    .is_some_and(|reason| self.remove_or_replace(is_own, reason));
                is_own | changed
            }
            AccountFact::OverdraftChanged { account, .. } | AccountFact::Reopened { account } => {
                self.replace_account(account)
            }
            AccountFact::Closed { account, reason } => {
                let is_own = self.replace_account(account);
                is_own | self.remove_or_replace(is_own, reason)
            }
            AccountFact::Merged {
                account,
                into,
                reason,
                ..
            } => {
                let is_own = self.replace_account(account) | self.replace_account(into);
                is_own | self.remove_or_replace(is_own, reason)
            }
            AccountFact::PinChanged { account, hash } => {
                let is_own = self.replace_account(account);
                if is_own {
                    *hash = None;
                }
                is_own
            }
        }
    }

    fn apply_credit(&self, fact: &mut CreditFact) -> bool {
        match fact {
            CreditFact::Grant {
                reference,
                account,
                reason,
                ..
            } => {
                let is_own = self.replace_account(account);
                is_own | self.replace_reference(reference) | self.remove_or_replace(is_own, reason)
            }
            CreditFact::Revoke {
                reference,
                account,
                parts,
                reason,
            } => {
                let is_own = self.replace_account(account);
                is_own
                    | self.replace_reference(reference)
                    | self.replace_parts(parts)
                    | self.remove_or_replace(is_own, reason)
            }
            CreditFact::Transfer {
                reference,
                account,
                to,
                parts,
                reason,
            } => {
                let is_own = self.replace_account(account) | self.replace_account(to);
                is_own
                    | self.replace_reference(reference)
                    | self.replace_parts(parts)
                    | self.remove_or_replace(is_own, reason)
            }
            CreditFact::Expire { account, part } => {
                self.replace_account(account) | self.replace_reference(&mut part.grant)
            }
        }
    }

    fn apply_charge(&self, fact: &mut ChargeFact) -> bool {
        match fact {
            ChargeFact::Hold { account, parts, .. } => {
                self.replace_account(account) | self.replace_parts(parts)
            }
            ChargeFact::Post { .. } | ChargeFact::Move { .. } => false,
            ChargeFact::Void {
                booking,
                reason,
                refund_parts,
            } => self.apply_reason(booking, reason) | self.replace_refund_parts(refund_parts),
            ChargeFact::Refund {
                booking,
                parts,
                reason,
                ..
            } => self.apply_reason(booking, reason) | self.replace_refund_parts(parts),
            ChargeFact::Closed { booking, reason } => self.apply_reason(booking, reason),
        }
    }

    fn apply_reason(&self, booking: &BookingUid, reason: &mut EntryReason) -> bool {
        let is_own = self.bookings.contains(booking);
        match &mut reason.code {
            EntryCode::Cancelled { by, .. } | EntryCode::MovedLate { by, .. } => {
                let RecordedActor::Other(Some(address)) = by else {
                    return false;
                };
                if !is_own && !self.has_address(address) {
                    return false;
                }
                *by = RecordedActor::Other(None);
                true
            }
            EntryCode::FreeText(text) => self.remove_or_replace(is_own, text),
            EntryCode::Declined(_)
            | EntryCode::EndedUndecided(_)
            | EntryCode::SuccessorPaid(_)
            | EntryCode::CostsLess
            | EntryCode::BookingOver
            | EntryCode::BookingGone
            | EntryCode::HostAbsent
            | EntryCode::BookerAbsent
            | EntryCode::AbsenceForgiven
            | EntryCode::AbsenceUnpaid
            | EntryCode::NotConfirmed(_)
            | EntryCode::SeriesGrew
            | EntryCode::SeriesTooLong
            | EntryCode::JoinedPriceUnknown
            | EntryCode::BegunOccurrenceJoined
            | EntryCode::StatusResolved
            | EntryCode::CallRefused
            | EntryCode::GivenBackByOperator
            | EntryCode::KeptByOperator => false,
        }
    }

    fn apply_request(&self, fact: &mut RequestFact) -> bool {
        match fact {
            RequestFact::Decided { request } => {
                let is_own = self.is_own_request(request);
                if !is_own && !self.is_named_in(request) {
                    return false;
                }
                let request = Arc::make_mut(request);
                if is_own {
                    if let Some(account) = &mut request.account {
                        self.replace_account(account);
                    }
                    if let Some(booker) = &mut request.booker {
                        self.replace_address(booker);
                    }
                    remove_texts(request);
                } else {
                    for text in texts_of(request) {
                        self.replace_in(text);
                    }
                }
                true
            }
            RequestFact::Reviewed {
                request, reason, ..
            } => self.remove_or_replace(self.requests.contains(request), reason),
            RequestFact::CallRecorded { request, call } => {
                self.remove_or_replace(self.requests.contains(request), &mut call.text)
            }
            RequestFact::IntentSettled { .. } => false,
        }
    }

    /// Returns true if a text of somebody else's request names the person.
    fn is_named_in(&self, request: &Request) -> bool {
        let texts = [&request.title].into_iter();
        let texts = texts
            .chain(request.reasons.iter().map(|reason| &reason.text))
            .chain(request.findings.iter().map(|finding| &finding.detail))
            .chain(&request.booker_text)
            .chain(request.review.iter().map(|review| &review.reason))
            .chain(request.calls.iter().map(|call| &call.text));
        texts
            .into_iter()
            .any(|text| self.replaced_text(text).is_some())
    }

    fn apply_unresolved(&self, fact: &mut UnresolvedFact) -> bool {
        match fact {
            UnresolvedFact::Listed {
                booking,
                account,
                detail,
                ..
            } => {
                let is_own = self.bookings.contains(&booking.uid);
                let is_account = account
                    .as_mut()
                    .is_some_and(|account| self.replace_account(account));
                is_account | self.remove_or_replace(is_own, detail)
            }
            UnresolvedFact::Resolved {
                booking, reason, ..
            } => self.remove_or_replace(self.bookings.contains(booking), reason),
        }
    }

    fn apply_ledger(&self, fact: &mut LedgerFact) -> bool {
        match fact {
            LedgerFact::Identified { reason, .. }
            | LedgerFact::RestoreAccepted { reason }
            | LedgerFact::Paused { reason, .. } => self.replace_in(reason),
            LedgerFact::Restored { .. } | LedgerFact::Resumed { .. } => false,
        }
    }
}

/// How much of a reference that became too long is kept.
const MAX_TAIL: usize = 40;

/// Removes what names a person from a decision, a call, an item of the unresolved list or the reason
/// of an entry. A request that can still change keeps everything.
fn expire_personal_data(fact: &mut Fact, before: Time) -> bool {
    match fact {
        Fact::Request(RequestFact::Decided { request }) => {
            if request.end >= before || !has_personal_data(request) {
                return false;
            }
            let request = Arc::make_mut(request);
            request.booker = None;
            remove_texts(request);
            true
        }
        Fact::Request(RequestFact::Reviewed { reason, .. }) => remove(reason),
        Fact::Request(RequestFact::CallRecorded { call, .. }) => remove(&mut call.text),
        Fact::Request(RequestFact::IntentSettled { .. }) => false,
        Fact::Unresolved(UnresolvedFact::Listed { detail, .. }) => remove(detail),
        Fact::Unresolved(UnresolvedFact::Resolved { reason, .. }) => remove(reason),
        Fact::Charge(
            ChargeFact::Void { reason, .. }
            | ChargeFact::Refund { reason, .. }
            | ChargeFact::Closed { reason, .. },
        ) => match &mut reason.code {
            EntryCode::Cancelled { by, .. } | EntryCode::MovedLate { by, .. }
                if matches!(by, RecordedActor::Other(Some(_))) =>
            {
                *by = RecordedActor::Other(None);
                true
            }
            EntryCode::FreeText(text) => remove(text),
            _ => false,
        },
        Fact::Charge(
            ChargeFact::Hold { .. } | ChargeFact::Post { .. } | ChargeFact::Move { .. },
        )
        | Fact::Account(_)
        | Fact::Credit(_)
        | Fact::Ledger(_)
        | Fact::By(_) => false,
    }
}

fn has_personal_data(request: &Request) -> bool {
    let has_text = |text: &String| !text.is_empty();
    request.booker.is_some()
        || request.booker_text.is_some()
        || has_text(&request.title)
        || request.reasons.iter().any(|reason| has_text(&reason.text))
        || request
            .findings
            .iter()
            .any(|finding| has_text(&finding.detail))
        || request.calls.iter().any(|call| has_text(&call.text))
        || request.review.iter().any(|review| has_text(&review.reason))
        || request.pin_attempt.iter().any(|pin| has_text(&pin.origin))
}

/// Returns the texts of a request.
fn texts_of(request: &mut Request) -> impl Iterator<Item = &mut String> {
    [&mut request.title]
        .into_iter()
        .chain(request.reasons.iter_mut().map(|reason| &mut reason.text))
        .chain(
            request
                .findings
                .iter_mut()
                .map(|finding| &mut finding.detail),
        )
        .chain(&mut request.booker_text)
        .chain(request.review.iter_mut().map(|review| &mut review.reason))
        .chain(request.calls.iter_mut().map(|call| &mut call.text))
        .chain(request.pin_attempt.iter_mut().map(|pin| &mut pin.origin))
}

fn remove_texts(request: &mut Request) {
    texts_of(request).for_each(String::clear);
    request.booker_text = None;
}

fn remove(text: &mut String) -> bool {
    let had_text = !text.is_empty();
    text.clear();
    had_text
}

/// Calls `visit` with every name of an account or a booker in the fact.
pub fn visit_names(fact: &Fact, visit: &mut dyn FnMut(&str)) {
    match fact {
        Fact::Account(fact) => {
            visit(fact.account().as_str());
            if let AccountFact::AliasAdded { alias, .. } | AccountFact::AliasRemoved { alias, .. } =
                fact
            {
                visit(alias.as_str());
            }
            if let AccountFact::Merged { into, .. } = fact {
                visit(into.as_str());
            }
        }
        Fact::Credit(fact) => {
            visit(fact.account().as_str());
            if let CreditFact::Transfer { to, .. } = fact {
                visit(to.as_str());
            }
        }
        Fact::Charge(ChargeFact::Hold { account, .. }) => visit(account.as_str()),
        Fact::Request(RequestFact::Decided { request }) => {
            if let Some(account) = &request.account {
                visit(account.as_str());
            }
            if let Some(booker) = &request.booker {
                visit(booker.as_str());
            }
        }
        Fact::Unresolved(UnresolvedFact::Listed { account, .. }) => {
            if let Some(account) = account {
                visit(account.as_str());
            }
        }
        Fact::Charge(_)
        | Fact::Request(_)
        | Fact::Unresolved(_)
        | Fact::Ledger(_)
        | Fact::By(_) => {}
    }
}
