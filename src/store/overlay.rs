//! The one way from facts to changed records: `ledger::apply` on copies of what lies beneath, be
//! that the sled fold or memory. Nothing beneath is touched; what changed comes out as a value.
//!
//! Each account, request and charge also keeps which commits touched it, so that its history can
//! be read straight from the log: the newest numbers with the record, older ones in pieces.

use std::collections::{BTreeSet, HashMap};

use super::changes::{
    Changes, ChargeChange, ChargePlaces, RequestChange, RequestPlaces, UnresolvedChange,
};
use super::port::{StoreError, Subject};
use crate::domain::account::Account;
use crate::domain::fact::Commit;
use crate::domain::id::{AccountId, Address, BookingUid, Reference, RequestId};
use crate::domain::ledger::{self, ApplyError, Given, Records};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::time::Time;
use crate::domain::unresolved::Unresolved;

/// Commit numbers kept with a record. When there are this many they go into a piece of their own,
/// so that a record does not grow with its history.
pub const PIECE: usize = 64;

/// A record and the newest commits that touched it, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept<T> {
    pub record: T,
    pub seqs: Vec<u64>,
}

/// What lies beneath.
pub trait Base {
    /// # Errors
    /// When the record cannot be read; so for all below.
    fn account(&self, id: &AccountId) -> Result<Option<Kept<Account>>, StoreError>;
    fn alias(&self, alias: &Address) -> Result<Option<AccountId>, StoreError>;
    fn given(&self, reference: &Reference) -> Result<Option<Given>, StoreError>;
    fn request(&self, id: &RequestId) -> Result<Option<Kept<Request>>, StoreError>;
    fn charge(&self, booking: &BookingUid) -> Result<Option<Kept<Charge>>, StoreError>;
    /// The booking's items of the unresolved list, also those that are resolved.
    fn unresolved(&self, booking: &BookingUid) -> Result<Vec<Unresolved>, StoreError>;
    fn ledger_state(&self) -> Result<LedgerState, StoreError>;
    /// The requests decided at this instant.
    fn decided_at(&self, at: Time) -> Result<BTreeSet<RequestId>, StoreError>;
}

/// Records over a base. Reads are kept, so that a record is read once however often it changes.
/// Large records are boxed: a rebuild has hundreds of thousands of them here, which are moved.
pub struct Overlay<'a, B> {
    base: &'a B,
    seq: u64,
    accounts: HashMap<AccountId, Slot<Box<Kept<Account>>>>,
    aliases: HashMap<Address, Slot<AccountId>>,
    given: HashMap<Reference, Slot<Given>>,
    requests: HashMap<RequestId, RequestSlot>,
    charges: HashMap<BookingUid, ChargeSlot>,
    decided: HashMap<Time, BTreeSet<RequestId>>,
    unresolved: HashMap<BookingUid, UnresolvedChange>,
    pieces: Vec<(Subject, Vec<u64>)>,
    ledger: Option<LedgerState>,
    /// The first read that failed where no error can be returned.
    failed: Option<StoreError>,
}

struct Slot<T> {
    now: Option<T>,
    changed: bool,
}

struct ChargeSlot {
    now: Option<Box<Kept<Charge>>>,
    changed: bool,
    was: ChargePlaces,
}

struct RequestSlot {
    now: Option<Box<Kept<Request>>>,
    changed: bool,
    was: RequestPlaces,
    known: Vec<BookingUid>,
}

impl<'a, B: Base> Overlay<'a, B> {
    pub fn new(base: &'a B) -> Self {
        Self {
            base,
            seq: 0,
            accounts: HashMap::new(),
            aliases: HashMap::new(),
            given: HashMap::new(),
            requests: HashMap::new(),
            charges: HashMap::new(),
            decided: HashMap::new(),
            unresolved: HashMap::new(),
            pieces: Vec::new(),
            ledger: None,
            failed: None,
        }
    }

    /// Applies all facts of a commit.
    ///
    /// # Errors
    /// When one does not fit or a record cannot be read; the overlay is then to be dropped.
    pub fn apply(&mut self, commit: &Commit) -> Result<(), ApplyError<StoreError>> {
        self.seq = commit.seq;
        if commit.seq == 1 {
            self.ledger = Some(LedgerState {
                began: Some(commit.at),
                ..LedgerState::default()
            });
        }
        for fact in &commit.facts {
            ledger::apply(self, commit.at, fact)?;
        }
        self.failed
            .take()
            .map_or(Ok(()), |error| Err(ApplyError::Read(error)))
    }

    /// Records in here: what it costs in memory.
    pub fn records(&self) -> usize {
        let large = self.accounts.len() + self.given.len() + self.requests.len();
        large + self.charges.len() + self.unresolved.len()
    }

    /// What changed since it was made.
    pub fn changes(self) -> Changes {
        let requests = self.requests.into_values().filter(|slot| slot.changed);
        let charges = self.charges.into_values().filter(|slot| slot.changed);
        Changes {
            accounts: changed(self.accounts).map(|(_, kept)| kept).collect(),
            aliases: self
                .aliases
                .into_iter()
                .filter(|(_, slot)| slot.changed)
                .map(|(alias, slot)| (alias, slot.now))
                .collect(),
            given: changed(self.given).map(|(_, given)| given).collect(),
            requests: requests.filter_map(RequestSlot::into_change).collect(),
            charges: charges.filter_map(ChargeSlot::into_change).collect(),
            decided: self.decided.into_iter().collect(),
            unresolved: self.unresolved.into_values().collect(),
            pieces: self.pieces,
            ledger: self.ledger,
        }
    }

    fn account_slot(
        &mut self,
        id: &AccountId,
    ) -> Result<&mut Slot<Box<Kept<Account>>>, StoreError> {
        if !self.accounts.contains_key(id) {
            let slot = Slot::read(self.base.account(id)?.map(Box::new));
            self.accounts.insert(id.clone(), slot);
        }
        Ok(self.accounts.get_mut(id).expect("it was inserted"))
    }

    fn request_slot(&mut self, id: &RequestId) -> Result<&mut RequestSlot, StoreError> {
        if !self.requests.contains_key(id) {
            let slot = RequestSlot::read(self.base.request(id)?);
            self.requests.insert(id.clone(), slot);
        }
        Ok(self.requests.get_mut(id).expect("it was inserted"))
    }

    fn charge_slot(&mut self, uid: &BookingUid) -> Result<&mut ChargeSlot, StoreError> {
        if !self.charges.contains_key(uid) {
            let now = self.base.charge(uid)?.map(Box::new);
            let was = now.as_ref().map(|kept| ChargePlaces::of(&kept.record));
            let slot = ChargeSlot {
                was: was.unwrap_or_default(),
                changed: false,
                now,
            };
            self.charges.insert(uid.clone(), slot);
        }
        Ok(self.charges.get_mut(uid).expect("it was inserted"))
    }

    /// Notes that the commit concerns the account, though its record stays as it is.
    fn touch(&mut self, id: &AccountId) -> Result<(), StoreError> {
        let seq = self.seq;
        let slot = self.account_slot(id)?;
        let Some(kept) = &mut slot.now else {
            return Ok(());
        };
        if let Some(piece) = note(&mut kept.seqs, seq) {
            self.pieces.push((Subject::Account(id.clone()), piece));
        }
        // The number may just have been noted for another fact; the record is written again anyway.
        self.account_slot(id)?.changed = true;
        Ok(())
    }

    fn put_account_in(&mut self, account: Account) -> Result<(), StoreError> {
        let id = account.id.clone();
        let slot = self.account_slot(&id)?;
        slot.changed = true;
        match &mut slot.now {
            Some(kept) => kept.record = account,
            None => slot.now = Some(Kept::new(account)),
        }
        self.touch(&id)
    }

    fn put_request_in(&mut self, request: Request) -> Result<(), StoreError> {
        let seq = self.seq;
        let id = request.id.clone();
        let (decided, was) = {
            let slot = self.request_slot(&id)?;
            let was = slot.now.as_ref().map(|kept| kept.record.decided);
            slot.changed = true;
            (request.decided, was)
        };
        if was != Some(decided) {
            if let Some(was) = was {
                self.decided_slot(was)?.remove(&id);
            }
            self.decided_slot(decided)?.insert(id.clone());
        }
        let slot = self.request_slot(&id)?;
        match &mut slot.now {
            Some(kept) => kept.record = request,
            None => slot.now = Some(Kept::new(request)),
        }
        let seqs = slot.now.as_mut().map(|kept| &mut kept.seqs);
        if let Some(piece) = seqs.and_then(|seqs| note(seqs, seq)) {
            self.pieces.push((Subject::Request(id), piece));
        }
        Ok(())
    }

    fn decided_slot(&mut self, at: Time) -> Result<&mut BTreeSet<RequestId>, StoreError> {
        if !self.decided.contains_key(&at) {
            self.decided.insert(at, self.base.decided_at(at)?);
        }
        Ok(self.decided.get_mut(&at).expect("it was inserted"))
    }

    fn put_charge_in(&mut self, charge: Charge) -> Result<(), StoreError> {
        let seq = self.seq;
        let uid = charge.booking.uid.clone();
        let account = charge.account.clone();
        let slot = self.charge_slot(&uid)?;
        slot.changed = true;
        match &mut slot.now {
            Some(kept) => kept.record = charge,
            None => slot.now = Some(Kept::new(charge)),
        }
        let seqs = slot.now.as_mut().map(|kept| &mut kept.seqs);
        if let Some(piece) = seqs.and_then(|seqs| note(seqs, seq)) {
            self.pieces.push((Subject::Booking(uid), piece));
        }
        self.touch(&account)
    }

    fn keep_error(&mut self, result: Result<(), StoreError>) {
        if let Err(error) = result {
            self.failed.get_or_insert(error);
        }
    }
}

impl<B: Base> Records for Overlay<'_, B> {
    type Error = StoreError;

    fn account(&mut self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        let slot = self.account_slot(id)?;
        Ok(slot.now.as_ref().map(|kept| kept.record.clone()))
    }

    fn alias(&mut self, alias: &Address) -> Result<Option<AccountId>, StoreError> {
        if let Some(slot) = self.aliases.get(alias) {
            return Ok(slot.now.clone());
        }
        let slot = Slot::read(self.base.alias(alias)?);
        let now = slot.now.clone();
        self.aliases.insert(alias.clone(), slot);
        Ok(now)
    }

    fn given(&mut self, reference: &Reference) -> Result<Option<Given>, StoreError> {
        if let Some(slot) = self.given.get(reference) {
            return Ok(slot.now.clone());
        }
        let slot = Slot::read(self.base.given(reference)?);
        let now = slot.now.clone();
        self.given.insert(reference.clone(), slot);
        Ok(now)
    }

    fn request(&mut self, id: &RequestId) -> Result<Option<Request>, StoreError> {
        let slot = self.request_slot(id)?;
        Ok(slot.now.as_ref().map(|kept| kept.record.clone()))
    }

    fn charge(&mut self, booking: &BookingUid) -> Result<Option<Charge>, StoreError> {
        let slot = self.charge_slot(booking)?;
        Ok(slot.now.as_ref().map(|kept| kept.record.clone()))
    }

    fn unresolved(&mut self, booking: &BookingUid) -> Result<Vec<Unresolved>, StoreError> {
        match self.unresolved.get(booking) {
            Some(change) => Ok(change.items.clone()),
            None => self.base.unresolved(booking),
        }
    }

    fn put_unresolved(&mut self, booking: BookingUid, items: Vec<Unresolved>) {
        if let Some(change) = self.unresolved.get_mut(&booking) {
            change.items = items;
            return;
        }
        match self.base.unresolved(&booking) {
            Ok(was) => {
                let change = UnresolvedChange {
                    booking: booking.clone(),
                    items,
                    was: UnresolvedChange::ranks(&was),
                };
                self.unresolved.insert(booking, change);
            }
            Err(error) => self.keep_error(Err(error)),
        }
    }

    fn ledger_state(&mut self) -> Result<LedgerState, StoreError> {
        match &self.ledger {
            Some(state) => Ok(state.clone()),
            None => self.base.ledger_state(),
        }
    }

    fn put_ledger_state(&mut self, state: LedgerState) {
        self.ledger = Some(state);
    }

    fn put_account(&mut self, account: Account) {
        let put = self.put_account_in(account);
        self.keep_error(put);
    }

    fn put_alias(&mut self, alias: Address, account: Option<AccountId>) {
        let slot = Slot {
            now: account,
            changed: true,
        };
        self.aliases.insert(alias, slot);
    }

    fn put_given(&mut self, given: Given) {
        let reference = given.reference.clone();
        let slot = Slot {
            now: Some(given),
            changed: true,
        };
        self.given.insert(reference, slot);
    }

    fn put_request(&mut self, request: Request) {
        let put = self.put_request_in(request);
        self.keep_error(put);
    }

    fn put_charge(&mut self, charge: Charge) {
        let put = self.put_charge_in(charge);
        self.keep_error(put);
    }
}

impl<T> Slot<T> {
    fn read(now: Option<T>) -> Self {
        Self {
            now,
            changed: false,
        }
    }
}

impl ChargeSlot {
    fn into_change(self) -> Option<ChargeChange> {
        Some(ChargeChange {
            kept: self.now?,
            was: self.was,
        })
    }
}

impl RequestSlot {
    fn read(now: Option<Kept<Request>>) -> Self {
        let request = now.as_ref().map(|kept| &kept.record);
        Self {
            was: request.map(RequestPlaces::of).unwrap_or_default(),
            known: request.map(others).unwrap_or_default(),
            changed: false,
            now: now.map(Box::new),
        }
    }

    fn into_change(self) -> Option<RequestChange> {
        let kept = self.now?;
        let mut joined = others(&kept.record);
        let gone = |uid: &BookingUid| !joined.contains(uid);
        let left = self.known.iter().filter(|uid| gone(uid)).cloned().collect();
        joined.retain(|uid| !self.known.contains(uid));
        Some(RequestChange {
            kept,
            was: self.was,
            joined,
            left,
        })
    }
}

impl<T> Kept<T> {
    fn new(record: T) -> Box<Self> {
        Box::new(Self {
            record,
            seqs: Vec::new(),
        })
    }
}

/// The occurrences by whose uid the request is not found anyway.
fn others(request: &Request) -> Vec<BookingUid> {
    let uids = request.bookings.iter().map(|booking| &booking.uid);
    uids.filter(|uid| uid.as_str() != request.id.as_str())
        .cloned()
        .collect()
}

/// Notes the number once; what no longer fits comes out as a piece.
fn note(seqs: &mut Vec<u64>, seq: u64) -> Option<Vec<u64>> {
    if seqs.last() == Some(&seq) {
        return None;
    }
    let full = seqs.len() >= PIECE;
    let piece = full.then(|| std::mem::take(seqs));
    seqs.push(seq);
    piece
}

fn changed<K, T>(slots: HashMap<K, Slot<T>>) -> impl Iterator<Item = (K, T)> {
    let slots = slots.into_iter().filter(|(_, slot)| slot.changed);
    slots.filter_map(|(key, slot)| Some((key, slot.now?)))
}
