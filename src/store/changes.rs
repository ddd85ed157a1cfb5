//! What some commits changed, as a value: records as they are now, and what the indexes have to know
//! of how they were.

use std::collections::BTreeSet;

use super::overlay::Kept;
use super::port::Subject;
use crate::domain::account::Account;
use crate::domain::id::{AccountId, Address, BookingUid, RequestId};
use crate::domain::ledger::Given;
use crate::domain::request::{Charge, ChargeState, Request, RequestState};
use crate::domain::time::Time;

/// A request that changed, and what its indexes held before.
#[derive(Debug)]
pub struct RequestChange {
    pub kept: Box<Kept<Request>>,
    /// Its place among the open intents, when it had one.
    pub was_open: Option<Time>,
    /// Occurrences that were not known before and are named otherwise than the request.
    pub joined: Vec<BookingUid>,
}

/// A charge that changed, and what its index held before.
#[derive(Debug)]
pub struct ChargeChange {
    pub kept: Box<Kept<Charge>>,
    pub was_live: bool,
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
    /// Older commit numbers of a subject, as one piece.
    pub pieces: Vec<(Subject, Vec<u64>)>,
}

impl RequestChange {
    pub fn id(&self) -> &RequestId {
        &self.kept.record.id
    }
}

impl ChargeChange {
    pub fn uid(&self) -> &BookingUid {
        &self.kept.record.booking.uid
    }
}

/// Whether the request is an intent that is not finished.
pub fn is_open(request: &Request) -> bool {
    request.state == RequestState::Recorded
}

/// Whether the charge can still change.
pub fn is_live(charge: &Charge) -> bool {
    match charge.state {
        ChargeState::Held | ChargeState::Open => true,
        ChargeState::Void
        | ChargeState::Final
        | ChargeState::Refunded
        | ChargeState::Moved { .. } => false,
    }
}
