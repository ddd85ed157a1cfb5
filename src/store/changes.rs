//! The changes of some commits, as a value: records as they are now, and what the indexes must know
//! about their previous state.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::port::HistorySubject;
use super::versioned::Versioned;
use crate::domain::account::Account;
use crate::domain::credit_flows::{CreditFlows, QuarterHour};
use crate::domain::daily_totals::DailyTotals;
use crate::domain::grant::GrantRecord;
use crate::domain::id::{AccountId, Address, BookingUid, RequestId};
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, ChargeState, Request, RequestState};
use crate::domain::time::Time;
use crate::domain::unresolved::{UnresolvedBooking, UnresolvedRank};

/// A request that changed, and its previous keys in the indexes.
#[derive(Debug)]
pub struct RequestChange {
    /// The request as it is now.
    pub versioned: Box<Versioned<Request>>,
    /// The keys before the change; empty for a new request.
    pub previous_keys: RequestIndexKeys,
    /// Occurrences that are new in the request and whose uid is not the request's id.
    pub joined_bookings: Vec<BookingUid>,
    /// Occurrences that were in the request before and no longer are.
    pub removed_bookings: Vec<BookingUid>,
}

/// A charge that changed, and its previous keys in the indexes.
#[derive(Debug)]
pub struct ChargeChange {
    /// The charge as it is now.
    pub versioned: Box<Versioned<Charge>>,
    /// The keys before the change; empty for a new charge.
    pub previous_keys: ChargeIndexKeys,
}

/// A booking whose items of the unresolved list changed, and the ranks of the items that were open
/// before.
#[derive(Debug)]
pub struct UnresolvedChange {
    /// The booking.
    pub booking: BookingUid,
    /// Its items as they are now, including resolved items.
    pub items: Vec<UnresolvedBooking>,
    /// The ranks of the items that were open before.
    pub previous_ranks: BTreeSet<UnresolvedRank>,
}

/// The keys of a request in the indexes. The request's id completes each key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestIndexKeys {
    /// In the index of open intents: when the request was decided.
    pub open_since: Option<Time>,
    /// In the index of notes: when the request ends.
    pub noted_until: Option<Time>,
    /// In the index by booker: the booker's address, and when the request was created.
    pub booker_and_creation: Option<(Address, Time)>,
    /// In the index of declines: when the decline was decided.
    pub declined_at: Option<Time>,
    /// In the index of wrong PINs: when the request was created.
    pub wrong_pin_created: Option<Time>,
}

/// The keys of a charge in the indexes. The booking's uid completes each key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChargeIndexKeys {
    /// Whether the charge is in the index of charges that can still change.
    pub is_live: bool,
    /// In the index of an account's charges that still count: when the booking starts.
    pub counted_start: Option<Time>,
}

/// Everything that some commits changed, in no particular order.
#[derive(Debug, Default)]
pub struct Changes {
    /// The accounts that changed, as they are now.
    pub accounts: Vec<Box<Versioned<Account>>>,
    /// The aliases that changed, with their accounts; `None`: the alias was removed.
    pub aliases: Vec<(Address, Option<AccountId>)>,
    /// The grants and revocations that were added.
    pub grant_records: Vec<GrantRecord>,
    /// The requests that changed.
    pub requests: Vec<RequestChange>,
    /// The charges that changed.
    pub charges: Vec<ChargeChange>,
    /// The instants at which requests were decided, each with all requests of that instant.
    pub decided_requests: Vec<(Time, BTreeSet<RequestId>)>,
    /// The bookings whose items of the unresolved list changed.
    pub unresolved: Vec<UnresolvedChange>,
    /// The totals of the days of the commits, as they are now.
    pub daily_totals: Vec<(NaiveDate, DailyTotals)>,
    /// The flows of the quarters of an hour of the commits, as they are now.
    pub credit_flows: Vec<(QuarterHour, CreditFlows)>,
    /// Full pages of a subject's older commit numbers.
    pub history_pages: Vec<(HistorySubject, Vec<u64>)>,
    /// The state of the ledger as a whole, if it changed.
    pub ledger: Option<LedgerState>,
}

impl Changes {
    /// Returns the accounts with their new versions.
    pub fn account_versions(&self) -> Vec<(AccountId, u64)> {
        let accounts = self.accounts.iter().map(|versioned| &versioned.record);
        accounts
            .map(|account| (account.id.clone(), account.version))
            .collect()
    }
}

impl RequestChange {
    /// Returns the request's id.
    pub fn id(&self) -> &RequestId {
        &self.versioned.record.id
    }
}

impl UnresolvedChange {
    /// Returns the ranks of the open items.
    pub fn open_ranks(items: &[UnresolvedBooking]) -> BTreeSet<UnresolvedRank> {
        let open = items.iter().filter(|item| item.is_open());
        open.map(UnresolvedBooking::rank).collect()
    }
}

impl ChargeChange {
    /// Returns the uid of the charge's booking.
    pub fn uid(&self) -> &BookingUid {
        &self.versioned.record.booking.uid
    }
}

impl RequestIndexKeys {
    /// Returns the keys that a request has in the indexes.
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
    /// Returns the keys that a charge has in the indexes.
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
