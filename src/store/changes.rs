//! What some commits changed, as a value: records as they are now, and what the indexes have to know
//! of how they were.

use std::collections::BTreeSet;

use super::port::HistorySubject;
use super::write_set::Versioned;
use crate::domain::account::Account;
use crate::domain::id::{AccountId, Address, BookingUid, RequestId};
use crate::domain::ledger::GrantRecord;
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, ChargeState, Request, RequestState};
use crate::domain::time::Time;
use crate::domain::unresolved::{UnresolvedBooking, UnresolvedRank};

/// A request that changed, and what its indexes held before.
#[derive(Debug)]
pub struct RequestChange {
    pub versioned: Box<Versioned<Request>>,
    pub previous_keys: RequestIndexKeys,
    /// Occurrences that were not known before and are named otherwise than the request.
    pub joined_bookings: Vec<BookingUid>,
    /// Occurrences that were known before and are none of it any more.
    pub removed_bookings: Vec<BookingUid>,
}

/// A charge that changed, and what its index held before.
#[derive(Debug)]
pub struct ChargeChange {
    pub versioned: Box<Versioned<Charge>>,
    pub previous_keys: ChargeIndexKeys,
}

/// A booking whose items of the unresolved list changed, and which of them were open before.
#[derive(Debug)]
pub struct UnresolvedChange {
    pub booking: BookingUid,
    pub items: Vec<UnresolvedBooking>,
    pub previous_ranks: BTreeSet<UnresolvedRank>,
}

/// Where a request stands in the indexes. Each goes by its name within that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestIndexKeys {
    /// Among the open intents: when it was decided.
    pub open_since: Option<Time>,
    /// Among the notes: when it ends.
    pub noted_until: Option<Time>,
    /// Among what one booker asked for: when it was created.
    pub booker_and_creation: Option<(Address, Time)>,
    /// Among those that were declined: when that was decided.
    pub declined_at: Option<Time>,
    /// Among those with a wrong PIN: when it was created.
    pub wrong_pin_created: Option<Time>,
}

/// Where a charge stands in the indexes. Each goes by its booking's uid within that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChargeIndexKeys {
    /// Among those that can still change.
    pub is_live: bool,
    /// Among those of its account that stand for something: when it starts.
    pub counted_start: Option<Time>,
}

/// All that some commits changed, in no order.
#[derive(Debug, Default)]
pub struct Changes {
    pub accounts: Vec<Box<Versioned<Account>>>,
    pub aliases: Vec<(Address, Option<AccountId>)>,
    pub grant_records: Vec<GrantRecord>,
    pub requests: Vec<RequestChange>,
    pub charges: Vec<ChargeChange>,
    pub decided_requests: Vec<(Time, BTreeSet<RequestId>)>,
    pub unresolved: Vec<UnresolvedChange>,
    /// Older commit numbers of a subject, as one piece.
    pub history_pages: Vec<(HistorySubject, Vec<u64>)>,
    /// The ledger as a whole, where that changed.
    pub ledger: Option<LedgerState>,
}

impl RequestChange {
    pub fn id(&self) -> &RequestId {
        &self.versioned.record.id
    }
}

impl UnresolvedChange {
    /// The places of the items that are open.
    pub fn open_ranks(items: &[UnresolvedBooking]) -> BTreeSet<UnresolvedRank> {
        let open = items.iter().filter(|item| item.is_open());
        open.map(UnresolvedBooking::rank).collect()
    }
}

impl ChargeChange {
    pub fn uid(&self) -> &BookingUid {
        &self.versioned.record.booking.uid
    }
}

impl RequestIndexKeys {
    pub fn of(request: &Request) -> Self {
        let (open_since, noted_until) = match request.state {
            RequestState::Recorded => (Some(request.decided_at), None),
            RequestState::Noted => (None, Some(request.end)),
            RequestState::Settled { .. } => (None, None),
        };
        let booker = request.booker.as_ref();
        let has_wrong_pin = request
            .pin_attempt
            .as_ref()
            .is_some_and(|pin| !pin.is_correct);
        Self {
            open_since,
            noted_until,
            booker_and_creation: booker.map(|booker| (booker.clone(), request.created_at)),
            declined_at: request.counts_as_decline().then_some(request.decided_at),
            wrong_pin_created: has_wrong_pin.then_some(request.created_at),
        }
    }
}

impl ChargeIndexKeys {
    pub fn of(charge: &Charge) -> Self {
        let (is_live, is_counted) = match charge.state {
            ChargeState::Held | ChargeState::Open => (true, true),
            ChargeState::Final => (false, true),
            ChargeState::Void | ChargeState::Refunded | ChargeState::Moved { .. } => (false, false),
        };
        Self {
            is_live,
            counted_start: is_counted.then_some(charge.start),
        }
    }
}
