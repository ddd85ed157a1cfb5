//! All that a plan may look at. Observing fills it; the plan reads nothing else, so that the same
//! snapshot gives the same plan.

use foldhash::HashMap;
use std::collections::{BTreeMap, BTreeSet};

use super::account::Account;
use super::booking::{Answer, Booking, EventType, TimestampedBooking};
use super::host_schedule::BuffersByEventType;
use super::id::{AccountId, Address, BookingUid, EventTypeId, HostId, RequestId};
use super::intent::BookingState;
use super::refund_policy::MoveAway;
use super::request::{Charge, Request, RequestState};
use super::time::Time;
use super::unresolved::UnresolvedBooking;

#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub now: Time,
    /// The key's user.
    pub key_user: HostId,
    /// The bookings that wait for an answer, each once.
    pub pending: Vec<TimestampedBooking>,
    /// The series that the pending occurrences belong to, read whole. A dialect that cannot tell
    /// series gives bookings without one.
    pub series: BTreeMap<RequestId, Series>,
    /// Accepted bookings in the time that the pending ones span.
    pub accepted: Vec<Booking>,
    /// Other hosts' accepted bookings in that time, in which a host of ours takes part.
    pub co_hosted: Vec<(HostId, Booking)>,
    /// What event types keep free before and after their bookings.
    pub buffers: BuffersByEventType,
    /// Event types of the pending bookings; `None` when the calendar does not describe one.
    pub event_types: BTreeMap<EventTypeId, Option<EventType>>,
    pub accounts: HashMap<AccountId, Account>,
    /// Which account an address leads to.
    pub accounts_by_address: HashMap<Address, AccountId>,
    /// What was decided before of the pending bookings, by the request they were decided with.
    pub records: BTreeMap<RequestId, Request>,
    /// Decisions begun and not finished.
    pub intents: Vec<OpenIntent>,
    /// The charge that a pending booking would take over from the one it replaced.
    pub carried_charges: BTreeMap<BookingUid, Charge>,
    /// The moves from the charged booking to the pending one, oldest first. Where there is no entry, the
    /// pending one replaced the charged one directly.
    pub moves: BTreeMap<BookingUid, Vec<MoveAway>>,
    /// Pending bookings of which it is not known what was paid for the one that they replaced.
    pub unclear_predecessors: BTreeSet<BookingUid>,
    /// The bookings of members that stand: from well before the pending ones on.
    pub counted_bookings: BTreeMap<AccountId, Vec<CountedBooking>>,
    /// What bookers have asked for lately, whatever became of it.
    pub prior_requests: BTreeMap<Address, Vec<PriorRequest>>,
    /// What became of the PINs that were given with bookings, where a gate asks for one.
    pub pin_results: BTreeMap<BookingUid, PinResult>,
    /// Who gave those that were looked at, as far as a booking tells.
    pub pin_origins: BTreeMap<BookingUid, String>,
    /// What other systems said, where a rule asks.
    pub lookups: BTreeMap<RequestId, Lookups>,
    /// The items of the unresolved list about the pending bookings and those of open intents.
    pub unresolved_bookings: BTreeMap<BookingUid, Vec<UnresolvedBooking>>,
    /// How many requests were declined within the time of `Limits::declines`.
    pub recent_declines: usize,
    /// No account was ever opened.
    pub ledger_is_empty: bool,
    /// A backup was restored that no operator has accepted yet: nothing is decided.
    pub restore_pending: bool,
    /// The local clock and the server's disagree: nothing final is decided.
    pub clock_skewed: bool,
}

impl Snapshot {
    /// Of the bookings that were decided, alone or with others, the request that was.
    pub fn decisions_by_booking(&self) -> HashMap<&BookingUid, &Request> {
        let decided = self.records.values();
        let decided = decided.filter(|record| record.state != RequestState::Noted);
        decided
            .flat_map(|record| record.bookings.iter().map(move |one| (&one.uid, record)))
            .collect()
    }
}

/// A booking of a member that is held or charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedBooking {
    pub booking: BookingUid,
    pub start: Time,
    pub end: Time,
    /// The gate that let it in.
    pub gate: Option<String>,
    /// Whether it is confirmed; a hold may still come back.
    pub is_confirmed: bool,
}

/// A request that was made before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriorRequest {
    pub request: RequestId,
    pub created_at: Time,
    /// Whether it was declined because there were too many: its booker was told.
    pub declined_over_limit: bool,
}

/// What became of a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinResult {
    Correct,
    Wrong,
    /// None was given.
    Missing,
    /// The member has none.
    NotSet,
    /// It was not looked at: too many were wrong lately.
    Locked,
}

/// What other systems said of one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lookups {
    pub answers: BTreeMap<String, Answer>,
    /// Why there is no answer.
    pub failures: BTreeMap<String, String>,
}

/// A series as it was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Series {
    /// Every occurrence, whatever its state.
    Whole(Vec<Booking>),
    /// Why it could not be read.
    Unread(String),
}

/// An intent with its holds and what its bookings are now.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenIntent {
    pub request: Request,
    pub charges: Vec<Charge>,
    pub booking_states: BTreeMap<BookingUid, BookingState>,
    /// Pending occurrences of the series that the decision does not know.
    pub new_occurrences: Vec<Booking>,
    /// The charge to be taken over, as it is now.
    pub carried_charge: Option<Charge>,
    /// When its bookings were read.
    pub read_at: Time,
    /// Until when a call that had no answer may still be running at the server, if one may.
    pub running_until: Option<Time>,
}
