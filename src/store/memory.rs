//! A store that keeps nothing beyond its life: for a dry run where there is no store yet, for
//! simulations, and as the reference that the fold is compared with. Same records, same facts, same
//! refusals; only durability is missing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::catalogue::{self, Catalogue};
use super::changes::{
    Changes, ChargeChange, ChargePlaces, RequestChange, RequestPlaces, UnresolvedChange,
};
use super::credits_back::filled_in;
use super::log::find;
use super::log::line::{self, Hash, LedgerId};
use super::log::segment::Place;
use super::opened::{check_expected, check_facts};
use super::overlay::{Base, Kept, Overlay};
use super::port::{CommitError, Expected, Head, Store, StoreError, Subject, Verified, Written};
use super::reading::only_read;
use super::sled::fold::refusal;
use crate::domain::account::Account;
use crate::domain::fact::{Commit, Fact};
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger::{ApplyError, Given};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::time::{Time, kept};
use crate::domain::unresolved::{Unresolved, UnresolvedRank};

/// The store in memory.
pub struct MemoryStore {
    records: Memory,
    head: Hash,
    marks: BTreeMap<RequestId, Time>,
    /// What it holds was read from a log that is not to be written.
    read_only: bool,
}

/// Records and indexes, and the commits that made them.
#[derive(Default)]
pub struct Memory {
    accounts: BTreeMap<AccountId, Kept<Account>>,
    aliases: BTreeMap<Address, AccountId>,
    given: BTreeMap<Reference, Given>,
    requests: BTreeMap<RequestId, Kept<Request>>,
    charges: BTreeMap<BookingUid, Kept<Charge>>,
    decided: BTreeMap<Time, BTreeSet<RequestId>>,
    open: BTreeSet<(Time, RequestId)>,
    noted: BTreeSet<(Time, RequestId)>,
    asked: BTreeMap<Address, BTreeSet<(Time, RequestId)>>,
    declined: BTreeSet<(Time, RequestId)>,
    wrong_pins: BTreeSet<(Time, RequestId)>,
    live: BTreeSet<BookingUid>,
    standing: BTreeMap<AccountId, BTreeMap<Time, BTreeSet<BookingUid>>>,
    joined: BTreeMap<BookingUid, RequestId>,
    unresolved: BTreeMap<BookingUid, Vec<Unresolved>>,
    listed: BTreeMap<UnresolvedRank, BookingUid>,
    pieces: HashMap<Subject, Vec<Vec<u64>>>,
    commits: Commits,
    ledger: LedgerState,
}

/// Where commits are found again.
enum Commits {
    Kept(Vec<Commit>),
    /// In the log, where each begins.
    InLog {
        log: PathBuf,
        places: Vec<Place>,
    },
}

impl Default for Commits {
    fn default() -> Self {
        Self::Kept(Vec::new())
    }
}

impl Commits {
    fn count(&self) -> u64 {
        match self {
            Self::Kept(commits) => commits.len() as u64,
            Self::InLog { places, .. } => places.len() as u64,
        }
    }
}

impl MemoryStore {
    pub fn new() -> Self {
        Self {
            records: Memory::default(),
            head: Hash::NONE,
            marks: BTreeMap::new(),
            read_only: false,
        }
    }

    /// The records of a log, which ends with this hash.
    pub(super) fn read_only(records: Memory, head: Hash, marks: BTreeMap<RequestId, Time>) -> Self {
        Self {
            records,
            head,
            marks,
            read_only: true,
        }
    }

    /// The newest commit, as it was written; none when the log of another is read.
    pub fn last(&self) -> Option<&Commit> {
        match &self.records.commits {
            Commits::Kept(commits) => commits.last(),
            Commits::InLog { .. } => None,
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    /// No records yet, of a log in this folder.
    pub(super) fn of_log(log: &Path) -> Self {
        Self {
            commits: Commits::InLog {
                log: log.to_owned(),
                places: Vec::new(),
            },
            ..Self::default()
        }
    }

    /// Where the next commit of the log begins.
    pub(super) fn add_place(&mut self, place: Place) {
        match &mut self.commits {
            Commits::InLog { places, .. } => places.push(place),
            Commits::Kept(_) => unreachable!("only a log has places"),
        }
    }

    pub(super) fn requests(&self) -> impl Iterator<Item = &Request> {
        self.requests.values().map(|kept| &kept.record)
    }

    pub(super) fn all_unresolved(&self) -> impl Iterator<Item = &Unresolved> {
        self.unresolved.values().flatten()
    }

    pub(super) fn has_no_account(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Takes over what an overlay on this changed.
    pub fn take(&mut self, changes: Changes) {
        for kept in changes.accounts {
            self.accounts.insert(kept.record.id.clone(), *kept);
        }
        for (alias, account) in changes.aliases {
            match account {
                Some(account) => self.aliases.insert(alias, account),
                None => self.aliases.remove(&alias),
            };
        }
        for given in changes.given {
            self.given.insert(given.reference.clone(), given);
        }
        for uid in changes.requests.iter().flat_map(|change| &change.left) {
            self.joined.remove(uid);
        }
        for change in changes.requests {
            self.take_request(change);
        }
        for change in changes.charges {
            self.take_charge(change);
        }
        for (at, ids) in changes.decided {
            if ids.is_empty() {
                self.decided.remove(&at);
            } else {
                self.decided.insert(at, ids);
            }
        }
        for change in changes.unresolved {
            self.take_unresolved(change);
        }
        if let Some(state) = changes.ledger {
            self.ledger = state;
        }
        for (subject, piece) in changes.pieces {
            self.pieces.entry(subject).or_default().push(piece);
        }
    }

    /// When requests were declined in that time, newest first.
    pub fn declined(&self, since: Time, until: Time) -> Vec<Time> {
        let declined = self.declined.iter().rev().map(|(at, _)| *at);
        declined
            .skip_while(|at| *at >= until)
            .take_while(|at| *at >= since)
            .collect()
    }

    fn take_request(&mut self, change: RequestChange) {
        let id = change.kept.record.id.clone();
        let (was, is) = (change.was, RequestPlaces::of(&change.kept.record));
        if let Some(at) = was.open {
            self.open.remove(&(at, id.clone()));
        }
        if let Some(at) = was.noted {
            self.noted.remove(&(at, id.clone()));
        }
        if let Some((booker, at)) = was.asked
            && let Some(asked) = self.asked.get_mut(&booker)
        {
            asked.remove(&(at, id.clone()));
        }
        if let Some(at) = was.declined {
            self.declined.remove(&(at, id.clone()));
        }
        if let Some(at) = was.wrong_pin {
            self.wrong_pins.remove(&(at, id.clone()));
        }
        self.declined.extend(is.declined.map(|at| (at, id.clone())));
        self.wrong_pins
            .extend(is.wrong_pin.map(|at| (at, id.clone())));
        self.open.extend(is.open.map(|at| (at, id.clone())));
        self.noted.extend(is.noted.map(|at| (at, id.clone())));
        if let Some((booker, at)) = is.asked {
            let asked = self.asked.entry(booker).or_default();
            asked.insert((at, id.clone()));
        }
        for uid in change.joined {
            self.joined.insert(uid, id.clone());
        }
        self.requests.insert(id, *change.kept);
    }

    fn take_unresolved(&mut self, change: UnresolvedChange) {
        for rank in &change.was {
            self.listed.remove(rank);
        }
        for rank in UnresolvedChange::ranks(&change.items) {
            self.listed.insert(rank, change.booking.clone());
        }
        self.unresolved.insert(change.booking, change.items);
    }

    fn take_charge(&mut self, change: ChargeChange) {
        let charge = &change.kept.record;
        let uid = charge.booking.uid.clone();
        let is = ChargePlaces::of(charge);
        if is.live {
            self.live.insert(uid.clone());
        } else {
            self.live.remove(&uid);
        }
        let standing = self.standing.entry(charge.account.clone()).or_default();
        if let Some(then) = change.was.standing
            && let Some(uids) = standing.get_mut(&then)
        {
            uids.remove(&uid);
        }
        if let Some(start) = is.standing {
            standing.entry(start).or_default().insert(uid.clone());
        }
        self.charges.insert(uid, *change.kept);
    }
}

impl Base for Memory {
    fn account(&self, id: &AccountId) -> Result<Option<Kept<Account>>, StoreError> {
        Ok(self.accounts.get(id).cloned())
    }

    fn alias(&self, alias: &Address) -> Result<Option<AccountId>, StoreError> {
        Ok(self.aliases.get(alias).cloned())
    }

    fn given(&self, reference: &Reference) -> Result<Option<Given>, StoreError> {
        Ok(self.given.get(reference).cloned())
    }

    fn request(&self, id: &RequestId) -> Result<Option<Kept<Request>>, StoreError> {
        Ok(self.requests.get(id).cloned())
    }

    fn charge(&self, booking: &BookingUid) -> Result<Option<Kept<Charge>>, StoreError> {
        Ok(self.charges.get(booking).cloned())
    }

    fn unresolved(&self, booking: &BookingUid) -> Result<Vec<Unresolved>, StoreError> {
        Ok(self.unresolved.get(booking).cloned().unwrap_or_default())
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        Ok(self.ledger.clone())
    }

    fn decided_at(&self, at: Time) -> Result<BTreeSet<RequestId>, StoreError> {
        Ok(self.decided.get(&at).cloned().unwrap_or_default())
    }
}

impl Catalogue for Memory {
    fn joined(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError> {
        Ok(self.joined.get(booking).cloned())
    }

    fn decided_until(
        &self,
        until: Option<Time>,
    ) -> Result<Option<(Time, BTreeSet<RequestId>)>, StoreError> {
        let until = until.map_or(Bound::Unbounded, Bound::Included);
        let row = self.decided.range((Bound::Unbounded, until)).next_back();
        Ok(row.map(|(at, ids)| (*at, ids.clone())))
    }

    fn piece_before(&self, subject: &Subject, before: u64) -> Result<Vec<u64>, StoreError> {
        let pieces = self.pieces.get(subject).into_iter().flatten();
        let piece = pieces.rev().find(|piece| piece[0] < before);
        Ok(piece.cloned().unwrap_or_default())
    }

    fn commit_at(&self, seq: u64) -> Result<Commit, StoreError> {
        let index = usize::try_from(seq - 1).expect("commits in memory are counted by usize");
        match &self.commits {
            Commits::Kept(commits) => Ok(commits[index].clone()),
            Commits::InLog { log, places } => {
                find::find(log, places[index], seq).map_err(|error| refusal(&error))
            }
        }
    }
}

impl Store for MemoryStore {
    fn commit(
        &mut self,
        at: Time,
        facts: Vec<Fact>,
        expected: &[Expected],
    ) -> Result<Head, CommitError> {
        if self.read_only {
            return Err(CommitError::Failed(only_read()));
        }
        check_expected(&self.records, expected)?;
        if facts.is_empty() {
            return Ok(self.head());
        }
        let facts = filled_in(&self.records, kept(at), facts)?;
        let (text, facts) = check_facts(&facts)?;
        let commit = Commit {
            seq: self.records.commits.count() + 1,
            at: kept(at),
            facts,
        };
        let mut overlay = Overlay::new(&self.records);
        overlay.apply(&commit).map_err(|error| match error {
            ApplyError::Violation(violation) => CommitError::Violation(violation),
            ApplyError::Read(error) => CommitError::Failed(error),
        })?;
        let changes = overlay.changes();
        let line = line::commit(LedgerId::NONE, (commit.seq, commit.at), &text, self.head);
        let (_, hash) = line.ok_or_else(|| {
            CommitError::Failed(StoreError {
                text: "write an instant outside the years 0 to 9999".to_owned(),
                source: None,
            })
        })?;
        self.records.take(changes);
        for fact in &commit.facts {
            if let Fact::Called { request, .. } | Fact::Settled { request, .. } = fact {
                self.marks.remove(request);
            }
        }
        match &mut self.records.commits {
            Commits::Kept(commits) => commits.push(commit),
            Commits::InLog { .. } => unreachable!("a log that was read is not written"),
        }
        self.head = hash;
        Ok(self.head())
    }

    fn mark_sent(&mut self, request: &RequestId, at: Option<Time>) -> Result<(), StoreError> {
        match at {
            Some(at) => self.marks.insert(request.clone(), kept(at)),
            None => self.marks.remove(request),
        };
        Ok(())
    }

    fn marked(&self, request: &RequestId) -> Option<Time> {
        self.marks.get(request).copied()
    }

    fn head(&self) -> Head {
        Head {
            seq: self.records.commits.count(),
            hash: self.head.to_string(),
        }
    }

    fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        Ok(self
            .records
            .accounts
            .get(id)
            .map(|kept| kept.record.clone()))
    }

    fn resolve(&self, address: &Address) -> Result<Option<AccountId>, StoreError> {
        catalogue::resolve(&self.records, address)
    }

    fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<Account>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.records.accounts.range((after, Bound::Unbounded));
        Ok(range
            .take(limit)
            .map(|(_, kept)| kept.record.clone())
            .collect())
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.records.accounts.is_empty())
    }

    fn ledger_state(&self) -> Result<LedgerState, StoreError> {
        Ok(self.records.ledger.clone())
    }

    fn given(&self, reference: &Reference) -> Result<Option<Given>, StoreError> {
        self.records.given(reference)
    }

    fn request(&self, id: &RequestId) -> Result<Option<Request>, StoreError> {
        Ok(self
            .records
            .requests
            .get(id)
            .map(|kept| kept.record.clone()))
    }

    fn request_of(&self, booking: &BookingUid) -> Result<Option<RequestId>, StoreError> {
        catalogue::request_of(&self.records, booking)
    }

    fn open_intents(&self, limit: usize) -> Result<Vec<Request>, StoreError> {
        let open = self.records.open.iter().take(limit);
        open.map(|(_, id)| catalogue::request(&self.records, id))
            .collect()
    }

    fn open_notes(
        &self,
        after: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let noted = self.records.noted.range((after, Bound::Unbounded));
        noted
            .take(limit)
            .map(|(_, id)| catalogue::request(&self.records, id))
            .collect()
    }

    fn declined(&self, since: Time, until: Time, limit: usize) -> Result<Vec<Time>, StoreError> {
        let mut declined = self.records.declined(since, until);
        declined.truncate(limit);
        Ok(declined)
    }

    fn wrong_pins(&self, since: Time, limit: usize) -> Result<Vec<Request>, StoreError> {
        let wrong = self.records.wrong_pins.iter().rev();
        wrong
            .take_while(|(created, _)| *created >= since)
            .take(limit)
            .map(|(_, id)| catalogue::request(&self.records, id))
            .collect()
    }

    fn asked_by(
        &self,
        booker: &Address,
        since: Time,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        let asked = self.records.asked.get(booker).into_iter().flatten().rev();
        asked
            .take_while(|(created, _)| *created >= since)
            .take(limit)
            .map(|(_, id)| catalogue::request(&self.records, id))
            .collect()
    }

    fn decided(
        &self,
        since: Option<Time>,
        before: Option<&(Time, RequestId)>,
        limit: usize,
    ) -> Result<Vec<Request>, StoreError> {
        catalogue::decided(&self.records, since, before, limit)
    }

    fn charge(&self, booking: &BookingUid) -> Result<Option<Charge>, StoreError> {
        Ok(self
            .records
            .charges
            .get(booking)
            .map(|kept| kept.record.clone()))
    }

    fn open_charges(
        &self,
        after: Option<&BookingUid>,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let live = self
            .records
            .live
            .range((after, Bound::Unbounded))
            .take(limit);
        Ok(live
            .map(|uid| self.records.charges[uid].record.clone())
            .collect())
    }

    fn charges_of(
        &self,
        account: &AccountId,
        from: Time,
        to: Time,
        limit: usize,
    ) -> Result<Vec<Charge>, StoreError> {
        let standing = self.records.standing.get(account);
        let starts = standing
            .filter(|_| from < to)
            .map(|all| all.range(from..to));
        let uids = starts.into_iter().flatten().flat_map(|(_, uids)| uids);
        Ok(uids
            .take(limit)
            .map(|uid| self.records.charges[uid].record.clone())
            .collect())
    }

    fn unresolved(
        &self,
        after: Option<&Unresolved>,
        limit: usize,
    ) -> Result<Vec<Unresolved>, StoreError> {
        let after = after.map(Unresolved::rank);
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let listed = self.records.listed.range((after, Bound::Unbounded));
        listed
            .take(limit)
            .map(|(rank, uid)| catalogue::listed(&self.records, uid, rank))
            .collect()
    }

    fn unresolved_of(&self, booking: &BookingUid) -> Result<Vec<Unresolved>, StoreError> {
        Base::unresolved(&self.records, booking)
    }

    fn history(
        &self,
        subject: &Subject,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Written>, StoreError> {
        catalogue::history(&self.records, subject, before, limit)
    }

    /// There is no log and no second half: the records are what the commits added up to.
    fn verify(&self) -> Result<Verified, StoreError> {
        let mut facts = 0;
        for seq in 1..=self.records.commits.count() {
            facts += self.records.commit_at(seq)?.facts.len() as u64;
        }
        Ok(Verified {
            commits: self.records.commits.count(),
            facts,
            compared: false,
            differences: Vec::new(),
        })
    }

    fn close(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
