//! What some commits changed, as a value: records as they are now, and what the indexes have to know
//! of how they were.

use std::collections::BTreeSet;

use super::overlay::Kept;
use super::port::Subject;
use crate::domain::account::Account;
use crate::domain::id::{AccountId, Address, BookingUid, RequestId};
use crate::domain::ledger::Given;
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, ChargeState, Request, RequestState};
use crate::domain::time::Time;
use crate::domain::unresolved::{Unresolved, UnresolvedRank};

/// A request that changed, and what its indexes held before.
#[derive(Debug)]
pub struct RequestChange {
    pub kept: Box<Kept<Request>>,
    pub was: RequestPlaces,
    /// Occurrences that were not known before and are named otherwise than the request.
    pub joined: Vec<BookingUid>,
    /// Occurrences that were known before and are none of it any more.
    pub left: Vec<BookingUid>,
}

/// A charge that changed, and what its index held before.
#[derive(Debug)]
pub struct ChargeChange {
    pub kept: Box<Kept<Charge>>,
    pub was: ChargePlaces,
}

/// A booking whose items of the unresolved list changed, and which of them were open before.
#[derive(Debug)]
pub struct UnresolvedChange {
    pub booking: BookingUid,
    pub items: Vec<Unresolved>,
    pub was: BTreeSet<UnresolvedRank>,
}

/// Where a request stands in the indexes. Each goes by its name within that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestPlaces {
    /// Among the open intents: when it was decided.
    pub open: Option<Time>,
    /// Among the notes: when it ends.
    pub noted: Option<Time>,
    /// Among what one booker asked for: when it was created.
    pub asked: Option<(Address, Time)>,
    /// Among those that were declined: when that was decided.
    pub declined: Option<Time>,
    /// Among those with a wrong PIN: when it was created.
    pub wrong_pin: Option<Time>,
}

/// Where a charge stands in the indexes. Each goes by its booking's uid within that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChargePlaces {
    /// Among those that can still change.
    pub live: bool,
    /// Among those of its account that stand for something: when it starts.
    pub standing: Option<Time>,
}

/// All that some commits changed, in no order.
#[derive(Debug, Default)]
pub struct Changes {
    pub accounts: Vec<Box<Kept<Account>>>,
    pub aliases: Vec<(Address, Option<AccountId>)>,
    pub given: Vec<Given>,
    pub requests: Vec<RequestChange>,
    pub charges: Vec<ChargeChange>,
    pub decided: Vec<(Time, BTreeSet<RequestId>)>,
    pub unresolved: Vec<UnresolvedChange>,
    /// Older commit numbers of a subject, as one piece.
    pub pieces: Vec<(Subject, Vec<u64>)>,
    /// The ledger as a whole, where that changed.
    pub ledger: Option<LedgerState>,
}

impl RequestChange {
    pub fn id(&self) -> &RequestId {
        &self.kept.record.id
    }
}

impl UnresolvedChange {
    /// The places of the items that are open.
    pub fn ranks(items: &[Unresolved]) -> BTreeSet<UnresolvedRank> {
        let open = items.iter().filter(|item| item.is_open());
        open.map(Unresolved::rank).collect()
    }
}

impl ChargeChange {
    pub fn uid(&self) -> &BookingUid {
        &self.kept.record.booking.uid
    }
}

impl RequestPlaces {
    pub fn of(request: &Request) -> Self {
        let (open, noted) = match request.state {
            RequestState::Recorded => (Some(request.decided), None),
            RequestState::Noted => (None, Some(request.end)),
            RequestState::Settled { .. } => (None, None),
        };
        let booker = request.booker.as_ref();
        let wrong = request.pin.as_ref().is_some_and(|pin| !pin.right);
        Self {
            open,
            noted,
            asked: booker.map(|booker| (booker.clone(), request.created)),
            declined: request.counts_as_decline().then_some(request.decided),
            wrong_pin: wrong.then_some(request.created),
        }
    }
}

impl ChargePlaces {
    pub fn of(charge: &Charge) -> Self {
        let (live, stands) = match charge.state {
            ChargeState::Held | ChargeState::Open => (true, true),
            ChargeState::Final => (false, true),
            ChargeState::Void | ChargeState::Refunded | ChargeState::Moved { .. } => (false, false),
        };
        Self {
            live,
            standing: stands.then_some(charge.start),
        }
    }
}
