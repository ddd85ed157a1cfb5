//! Builds a snapshot in which one request waits, and returns the one step that the plan has for the
//! request.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::account::Account;
use crate::domain::booking::{
    Booking, BookingStatus, Buffers, Confirmation, EventType, Host, TimestampedBooking,
};
use crate::domain::expected::RecordVersions;
use crate::domain::gate::{DeclineLimit, Policy};
use crate::domain::id::{BookingUid, HostId, RequestId};
use crate::domain::plan::{Step, plan};
use crate::domain::request::{Charge, Request};
use crate::domain::snapshot::{CountedBooking, Lookups, PinResult, PriorRequest, Series, Snapshot};
use crate::domain::time::{Span, Time};

/// One request and everything that is known about its surroundings.
#[derive(Debug, Clone)]
pub struct SnapshotFixture {
    /// The time at which the request is judged.
    pub now: Time,
    /// The key's user.
    pub me: HostId,
    /// In order of start; more than one booking means a series.
    pub bookings: Vec<Booking>,
    /// `None` when the calendar does not describe the event type.
    pub event_type: Option<EventType>,
    /// The booker's account; `None` when there is none.
    pub account: Option<Account>,
    /// The member's bookings that are held or charged.
    pub counted_bookings: Vec<CountedBooking>,
    /// The booker's recent requests, whatever their outcome.
    pub prior_requests: Vec<PriorRequest>,
    /// The result for the PIN that was given; `None` when no PIN was compared.
    pub pin: Option<PinResult>,
    /// The answers of other systems.
    pub lookups: Lookups,
    /// Whether an accepted booking of the host overlaps.
    pub host_is_busy: bool,
    /// The charge that the booking takes over from its predecessor; `None` when there is none.
    pub carried_charge: Option<Charge>,
    /// What was decided about the request before.
    pub prior_record: Option<Request>,
    /// Whether no account was ever opened.
    pub ledger_is_empty: bool,
}

/// Returns the policy without the limits of a pass: one request is judged on its own, and no
/// further occurrence of its series is expected.
pub fn without_pass_limits(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    policy.limits.requests_per_pass = usize::MAX;
    policy.limits.declines = DeclineLimit::UNLIMITED;
    policy.limits.series_settle = Span::zero();
    policy
}

/// Returns how the policy decides the request; `None` when the plan has not exactly one step.
pub fn evaluate_one(fixture: SnapshotFixture, policy: &Policy) -> Option<Arc<Request>> {
    plan_one(fixture, policy).map(|step| step.request)
}

/// Returns the one step of a pass that sees nothing else.
pub fn plan_one(fixture: SnapshotFixture, policy: &Policy) -> Option<Step> {
    let snapshot = to_snapshot(fixture);
    let mut plan = plan(&snapshot, policy);
    let step = plan.steps.pop()?;
    plan.steps.is_empty().then_some(step)
}

fn to_snapshot(fixture: SnapshotFixture) -> Snapshot {
    let first = &fixture.bookings[0];
    let id = first.request_id();
    let event_type_id = first.event_type.as_ref().map(|kind| kind.id);
    let booker = first.booker.as_ref().map(|booker| booker.address.clone());
    let account = fixture.account.as_ref().map(|account| account.id.clone());
    let accepted = fixture.host_is_busy.then(|| overlapping_booking(first));
    let series = first.series.clone();
    let whole_series = |id| (id, Series::Whole(fixture.bookings.clone()));
    let names = booker.clone().zip(account.clone());
    let standing = account.map(|account| (account, fixture.counted_bookings));
    let by_uid = |known| BTreeMap::from([(first.uid.clone(), known)]);
    Snapshot {
        now: fixture.now,
        key_user: fixture.me,
        series: series.into_iter().map(whole_series).collect(),
        accepted: accepted.into_iter().collect(),
        co_hosted: Vec::new(),
        pin_origins: BTreeMap::new(),
        buffers: BTreeMap::new(),
        event_types: event_type_id
            .into_iter()
            .map(|kind| (kind, fixture.event_type.clone()))
            .collect(),
        accounts: fixture
            .account
            .into_iter()
            .map(|of| (of.id.clone(), of))
            .collect(),
        accounts_by_address: names.into_iter().collect(),
        records: fixture
            .prior_record
            .into_iter()
            .map(|of| (of.id.clone(), of))
            .collect(),
        versions: RecordVersions::default(),
        intents: Vec::new(),
        carried_charges: fixture.carried_charge.map(by_uid).unwrap_or_default(),
        moves: Default::default(),
        unclear_predecessors: Default::default(),
        counted_bookings: standing.into_iter().collect(),
        prior_requests: booker
            .into_iter()
            .map(|booker| (booker, fixture.prior_requests.clone()))
            .collect(),
        pin_results: fixture
            .pin
            .map(|pin| BTreeMap::from([(first.uid.clone(), pin)]))
            .unwrap_or_default(),
        lookups: BTreeMap::from([(id, fixture.lookups)]),
        source_failures: BTreeMap::new(),
        unresolved_bookings: BTreeMap::new(),
        recent_declines: 0,
        ledger_is_empty: fixture.ledger_is_empty,
        restore_pending: false,
        clock_skewed: false,
        paused_gates: BTreeMap::new(),
        pending: fixture
            .bookings
            .iter()
            .map(|booking| TimestampedBooking {
                booking: booking.clone(),
                read_at: fixture.now,
            })
            .collect(),
    }
}

/// Returns a booking of another person at the same time.
fn overlapping_booking(booking: &Booking) -> Booking {
    let mut other = booking.clone();
    other.uid = uid("accepted-before");
    other.series = None;
    other.booker = None;
    other.status = BookingStatus::Accepted;
    other
}

/// Returns the booking uid with the given name, which must be valid.
pub fn uid(name: &str) -> BookingUid {
    BookingUid::parse(name).expect("names made here are names")
}

/// Returns a request identifier in the same way.
pub fn request_id(name: &str) -> RequestId {
    RequestId::from(&uid(name))
}

/// Returns a host of whom only the number is known.
pub fn host(id: HostId) -> Host {
    Host {
        id: Some(id),
        address: None,
        name: None,
        time_zone: None,
    }
}

/// Returns the booking's event type as a calendar would describe the type.
pub fn event_type(booking: &Booking, price: i64, seated: bool) -> Option<EventType> {
    let reference = booking.event_type.as_ref()?;
    Some(EventType {
        id: reference.id,
        slug: reference.slug.clone().unwrap_or_default(),
        title: booking.title.clone(),
        length_minutes: u32::try_from(booking.length().num_minutes()).unwrap_or(0),
        buffers: Buffers::NONE,
        price,
        seated,
        recurring: booking.series.is_some(),
        confirmation: Confirmation::Unknown,
        verifies_address: None,
        questions: None,
        disables_cancelling: false,
        disables_rescheduling: false,
        limits: Vec::new(),
    })
}
