//! Everything that a plan may read. The observation fills the snapshot, and the plan reads nothing
//! else, so that the same snapshot gives the same plan.

use foldhash::HashMap;
use std::collections::{BTreeMap, BTreeSet};

use super::account::Account;
use super::booking::{Answer, Booking, EventType, TimestampedBooking};
use super::expected::RecordVersions;
use super::host_schedule::BuffersByEventType;
use super::id::{AccountId, Address, BookingUid, EventTypeId, HostId, RequestId};
use super::intent::BookingState;
use super::pause::Pause;
use super::refund_policy::MoveAway;
use super::request::{Charge, Request, RequestState};
use super::time::Time;
use super::unresolved::UnresolvedBooking;

/// Everything that a plan reads from Cal.com, the ledger and other systems, as at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The instant of the pass.
    pub now: Time,
    /// The key's user.
    pub key_user: HostId,
    /// The pending bookings, each once.
    pub pending: Vec<TimestampedBooking>,
    /// The complete series of the pending occurrences. A dialect that cannot identify series
    /// returns bookings without one.
    pub series: BTreeMap<RequestId, Series>,
    /// Accepted bookings in the time span of the pending ones.
    pub accepted: Vec<Booking>,
    /// Accepted bookings of other hosts in that time, each with the managed host who takes part.
    pub co_hosted: Vec<(HostId, Booking)>,
    /// The time that event types keep free before and after their bookings.
    pub buffers: BuffersByEventType,
    /// The event types of the pending bookings. `None` when the calendar does not describe one.
    pub event_types: BTreeMap<EventTypeId, Option<EventType>>,
    /// The accounts of the bookers, and those that charges and intents name.
    pub accounts: HashMap<AccountId, Account>,
    /// The account that each address belongs to.
    pub accounts_by_address: HashMap<Address, AccountId>,
    /// Earlier decisions about the pending bookings, by the request that they were decided with.
    pub records: BTreeMap<RequestId, Request>,
    /// The versions of `records` and of `carried_charges`.
    pub versions: RecordVersions,
    /// Decisions that are recorded and not finished.
    pub intents: Vec<OpenIntent>,
    /// The charge that a pending booking would take over from its predecessor.
    pub carried_charges: BTreeMap<BookingUid, Charge>,
    /// The moves from the charged booking to the pending one, oldest first. If there is no entry,
    /// the pending booking replaced the charged one directly.
    pub moves: BTreeMap<BookingUid, Vec<MoveAway>>,
    /// Pending bookings for whose predecessor it is not known what was paid.
    pub unclear_predecessors: BTreeSet<BookingUid>,
    /// The members' bookings that are held or charged, from well before the pending ones on.
    pub counted_bookings: BTreeMap<AccountId, Vec<CountedBooking>>,
    /// The bookers' recent requests, whatever their outcome.
    pub prior_requests: BTreeMap<Address, Vec<PriorRequest>>,
    /// The results for the PINs that were given with bookings, if a gate asks for one.
    pub pin_results: BTreeMap<BookingUid, PinResult>,
    /// Who gave the PINs that were compared, as far as a booking shows.
    pub pin_origins: BTreeMap<BookingUid, String>,
    /// The answers of other systems, if a rule asks for them.
    pub lookups: BTreeMap<RequestId, Lookups>,
    /// Why it is not known whether the booker of a request is a member, if a source did not answer.
    pub source_failures: BTreeMap<RequestId, String>,
    /// The items of the unresolved list about the pending bookings and the bookings of open
    /// intents.
    pub unresolved_bookings: BTreeMap<BookingUid, Vec<UnresolvedBooking>>,
    /// How many requests were declined within the time of `PassLimits::declines`.
    pub recent_declines: usize,
    /// Whether no account was ever opened.
    pub ledger_is_empty: bool,
    /// Whether a backup was restored that no operator has accepted yet. Nothing is decided then.
    pub restore_pending: bool,
    /// Whether the local clock and the server's clock disagree. Nothing final is decided then.
    pub clock_skewed: bool,
    /// The gates that an operator paused, with their pauses. Nothing new is decided about their
    /// requests.
    pub paused_gates: BTreeMap<String, Pause>,
}

impl Snapshot {
    /// Returns the event type of a booking. `None` when the calendar does not describe it, or was not
    /// asked.
    pub fn event_type_of(&self, booking: &Booking) -> Option<&EventType> {
        let event_type = booking.event_type.as_ref()?;
        self.event_types.get(&event_type.id)?.as_ref()
    }

    /// Returns, for each decided booking, the request that it was decided with, alone or together
    /// with others.
    pub fn decisions_by_booking(&self) -> HashMap<&BookingUid, &Request> {
        let decided = self.records.values();
        let decided = decided.filter(|record| record.state != RequestState::Noted);
        decided
            .flat_map(|record| record.bookings.iter().map(move |one| (&one.uid, record)))
            .collect()
    }
}

/// A member's booking that is held or charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedBooking {
    /// The booking's uid.
    pub booking: BookingUid,
    /// When the booking starts.
    pub start: Time,
    /// When the booking ends.
    pub end: Time,
    /// The gate that admitted the booking.
    pub gate: Option<String>,
    /// Whether the booking is confirmed. A hold may still come back.
    pub is_confirmed: bool,
}

/// An earlier request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriorRequest {
    /// The request's id.
    pub request: RequestId,
    /// When the request was made, by the server's clock.
    pub created_at: Time,
    /// Whether the request was declined because there were too many. Its booker was told so.
    pub declined_over_limit: bool,
}

/// The result of comparing a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinResult {
    /// The PIN is the member's.
    Correct,
    /// The PIN is not the member's.
    Wrong,
    /// No PIN was given.
    Missing,
    /// The member has no PIN.
    NotSet,
    /// The PIN was not compared, because too many were wrong recently.
    Locked,
}

/// The answers of other systems about one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lookups {
    /// The answers, by the name of the lookup.
    pub answers: BTreeMap<String, Answer>,
    /// Why an answer is missing.
    pub failures: BTreeMap<String, String>,
}

/// A series as it was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Series {
    /// Every occurrence, in any state.
    Whole(Vec<Booking>),
    /// Why the series could not be read.
    Unread(String),
}

/// An intent with its holds and the current state of its bookings.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenIntent {
    /// The recorded request.
    pub request: Request,
    /// The version of the request's record.
    pub version: Option<u64>,
    /// The holds of the intent, and what became of them.
    pub charges: Vec<Charge>,
    /// The current states of the intent's bookings.
    pub booking_states: BTreeMap<BookingUid, BookingState>,
    /// Pending occurrences of the series that the decision does not cover.
    pub new_occurrences: Vec<Booking>,
    /// The charge that the intent takes over, in its current state.
    pub carried_charge: Option<Charge>,
    /// When the intent's bookings were read.
    pub read_at: Time,
    /// Until when a call that had no answer may still be running at the server, if one may.
    pub running_until: Option<Time>,
}
