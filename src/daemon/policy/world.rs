//! A snapshot in which one request waits, and the one step that the plan has for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::account::Account;
use crate::domain::booking::{
    Booking, Buffers, Confirmation, EventType, Host, Observed, Payment, Status,
};
use crate::domain::gate::{DeclineLimit, Policy};
use crate::domain::id::{BookingUid, HostId, RequestId};
use crate::domain::plan::{Step, plan};
use crate::domain::request::{Charge, Request};
use crate::domain::snapshot::{Earlier, Lookups, Pin, Series, Snapshot, Standing};
use crate::domain::time::{Span, Time};

/// One request and all that is known around it.
#[derive(Debug, Clone)]
pub struct World {
    pub now: Time,
    /// The key's user.
    pub me: HostId,
    /// In order of start; more than one are a series.
    pub bookings: Vec<Booking>,
    /// `None`: the calendar does not describe it.
    pub event_type: Option<EventType>,
    pub account: Option<Account>,
    pub standing: Vec<Standing>,
    pub earlier: Vec<Earlier>,
    pub pin: Option<Pin>,
    pub lookups: Lookups,
    /// Whether an accepted booking of the host overlaps.
    pub taken: bool,
    pub carried: Option<Charge>,
    /// What was decided of it before.
    pub record: Option<Request>,
    pub ledger_is_empty: bool,
}

/// The policy without what bounds a pass: one request is looked at on its own, and nothing of its
/// series is still to come.
pub fn unbounded(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    policy.limits.requests_per_pass = usize::MAX;
    policy.limits.declines = DeclineLimit::NONE;
    policy.limits.series_settle = Span::zero();
    policy
}

/// What the policy says of the request; `None` when that is not one thing.
pub fn judged(world: World, policy: &Policy) -> Option<Arc<Request>> {
    planned(world, policy).map(|step| step.request)
}

/// The one step of a pass that sees nothing else.
pub fn planned(world: World, policy: &Policy) -> Option<Step> {
    let snapshot = snapshot(world);
    let mut plan = plan(&snapshot, policy);
    let step = plan.steps.pop()?;
    plan.steps.is_empty().then_some(step)
}

fn snapshot(world: World) -> Snapshot {
    let first = &world.bookings[0];
    let id = first.request();
    let kind = first.event_type.as_ref().map(|kind| kind.id);
    let booker = first.booker.as_ref().map(|booker| booker.address.clone());
    let account = world.account.as_ref().map(|account| account.id.clone());
    let accepted = world.taken.then(|| overlapping(first));
    let series = first.series.clone();
    let whole = |id| (id, Series::Whole(world.bookings.clone()));
    let names = booker.clone().zip(account.clone());
    let standing = account.map(|account| (account, world.standing));
    let own = |known| BTreeMap::from([(first.uid.clone(), known)]);
    Snapshot {
        now: world.now,
        me: world.me,
        series: series.into_iter().map(whole).collect(),
        accepted: accepted.into_iter().collect(),
        attended: Vec::new(),
        origins: BTreeMap::new(),
        buffers: BTreeMap::new(),
        event_types: kind
            .into_iter()
            .map(|kind| (kind, world.event_type.clone()))
            .collect(),
        accounts: world
            .account
            .into_iter()
            .map(|of| (of.id.clone(), of))
            .collect(),
        names: names.into_iter().collect(),
        records: world
            .record
            .into_iter()
            .map(|of| (of.id.clone(), of))
            .collect(),
        intents: Vec::new(),
        carried: world.carried.map(own).unwrap_or_default(),
        moves: Default::default(),
        unclear: Default::default(),
        standing: standing.into_iter().collect(),
        asked: booker
            .into_iter()
            .map(|booker| (booker, world.earlier.clone()))
            .collect(),
        pins: world
            .pin
            .map(|pin| BTreeMap::from([(first.uid.clone(), pin)]))
            .unwrap_or_default(),
        lookups: BTreeMap::from([(id, world.lookups)]),
        listed: BTreeMap::new(),
        declined: 0,
        ledger_is_empty: world.ledger_is_empty,
        restore_open: false,
        clock_off: false,
        pending: world
            .bookings
            .iter()
            .map(|booking| Observed {
                booking: booking.clone(),
                at: world.now,
            })
            .collect(),
    }
}

/// A booking of somebody else at the same time.
fn overlapping(booking: &Booking) -> Booking {
    let mut other = booking.clone();
    other.uid = uid("accepted-before");
    other.series = None;
    other.booker = None;
    other.status = Status::Accepted;
    other
}

/// A name of ours.
pub fn uid(name: &str) -> BookingUid {
    BookingUid::parse(name).expect("names made here are names")
}

/// The same for a request.
pub fn request_id(name: &str) -> RequestId {
    RequestId::from(&uid(name))
}

/// A booking that waits, of which nothing is known beside its name and its time.
pub fn blank(uid: BookingUid, (start, end): (Time, Time), created: Time) -> Booking {
    Booking {
        uid,
        id: None,
        series: None,
        title: String::new(),
        description: None,
        status: Status::Pending,
        host: None,
        event_type: None,
        start,
        end,
        created,
        updated: None,
        booker: None,
        attendees: Vec::new(),
        guests: Vec::new(),
        seated: false,
        rescheduled_from: None,
        rescheduled_to: None,
        rescheduled_by: None,
        cancelled_by: None,
        cancellation_reason: None,
        absent_host: false,
        location: None,
        answers: BTreeMap::new(),
        metadata: BTreeMap::new(),
        payment: Payment::NotShown,
    }
}

/// A host of whom only the number is known.
pub fn host(id: HostId) -> Host {
    Host {
        id: Some(id),
        address: None,
        name: None,
        time_zone: None,
    }
}

/// The booking's event type as a calendar would describe it.
pub fn event_type(booking: &Booking, price: i64, seated: bool) -> Option<EventType> {
    let kind = booking.event_type.as_ref()?;
    Some(EventType {
        id: kind.id,
        slug: kind.slug.clone().unwrap_or_default(),
        title: booking.title.clone(),
        length_minutes: u32::try_from(booking.length().num_minutes()).unwrap_or(0),
        buffers: Buffers::NONE,
        price,
        seated,
        recurring: booking.series.is_some(),
        confirmation: Confirmation::Unknown,
        verifies_address: None,
        questions: None,
        no_cancelling: false,
        no_moving: false,
        limits: Vec::new(),
    })
}
