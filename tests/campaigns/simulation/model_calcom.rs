//! A small model of Cal.com, written from `calcom/api.md` in separate code (only the effects of
//! writes were taken from the sandbox): rows, what the three writes do to them, and how a client
//! sees them. It also records what the client was shown of each booking and when, for promise 5,
//! and the effects of the client's writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use maitred::domain::booking::{
    Attendee, Booker, Booking, BookingStatus, Buffers, Confirmation, EventType, EventTypeRef, Host,
};
use maitred::domain::id::{Address, BookingUid, EventTypeId, HostId, RequestId};
use maitred::domain::time::Time;

use super::behaviours::Behaviours;
use super::history::History;

pub const HOST_ID: i64 = 12;
pub const OTHER_HOST_ID: i64 = 13;
pub const HOST_ADDRESS: &str = "host@example.com";
pub const GUEST_ADDRESS: &str = "guest@example.com";
/// An address that is listed in `calcom.hosts` in some runs.
pub const ADMIN_ADDRESS: &str = "admin@example.com";
pub const STRANGER_ADDRESS: &str = "x@example.com";

/// Slug and price. Every event type except `open` has a gate.
pub const EVENT_TYPES: [(&str, i64); 5] = [
    ("lesson", 0),
    ("dinner", 0),
    ("visit", 0),
    ("open", 0),
    ("priced", 5_000),
];

pub const BOOKERS: [&str; 6] = [
    "ada@example.com",
    "bo@example.com",
    "cy@example.com",
    "di@example.com",
    "eve@example.com",
    "who@example.com",
];

#[derive(Debug, Clone, PartialEq)]
pub struct ModelBooking {
    pub uid: String,
    pub number: i64,
    pub series: Option<String>,
    pub event_type: usize,
    pub host: i64,
    pub email: Option<&'static str>,
    pub start: Time,
    pub end: Time,
    pub created: Time,
    pub updated: Option<Time>,
    pub status: BookingStatus,
    pub predecessor: Option<String>,
    pub successor: Option<String>,
    /// The address that the server shows for the last move, and for the last cancellation.
    pub moved_by: Option<&'static str>,
    pub cancelled_by: Option<&'static str>,
    /// The last refusal came from the client itself.
    pub refused_by_us: bool,
    pub absent_host: bool,
    pub absent: bool,
    pub absent_guest: bool,
    pub seated: bool,
    /// The server shows the booking in a form that cannot be read.
    pub unreadable: bool,
    /// A reason was given at the cancellation; the reason stays.
    pub has_reason: bool,
    /// The booking was cancelled or moved, and accepted again.
    pub revived: bool,
}

/// What the client was shown of one booking.
#[derive(Debug, Clone)]
pub struct ShownBooking {
    pub status: BookingStatus,
    pub moved: bool,
    pub asked_at: Time,
    pub arrived_at: Time,
}

/// What the client's own writes did to one booking.
#[derive(Default, Clone)]
pub struct OwnWrites {
    pub confirmed: u32,
    /// A refusal had no effect because the booking was over, and then the booking was confirmed
    /// with the rest of its series.
    pub confirmed_when_over: bool,
    /// A confirm of a ledger that is lost reached the booking.
    pub confirmed_by_lost_ledger: bool,
    pub refused: u32,
    /// Refusals that reached the server, with or without an effect: each sends a mail to the
    /// booker.
    pub refusals_mailed: u32,
}

#[derive(Default)]
pub struct ModelCalcom {
    pub rows: Vec<ModelBooking>,
    /// The rows as they were a while ago, for stale lists.
    pub earlier_rows: Vec<ModelBooking>,
    /// The last state that the client saw of each booking.
    pub shown: BTreeMap<String, ShownBooking>,
    pub own_writes: BTreeMap<String, OwnWrites>,
    pub history: Arc<Mutex<History>>,
    /// Number of rows that were ever made: it names the next row.
    pub rows_made: i64,
    pub series_per_occurrence: bool,
    /// v1: series and absences are not shown, and a booking does not show its successor.
    pub legacy: bool,
    /// Some versions of v1 do not show when a booking was written.
    pub hides_updated: bool,
    /// Event types with seats.
    pub seated: BTreeSet<usize>,
    /// Bookings that were pending when the pass began: a confirm may accept these only with a hold.
    pub pending_at_start: BTreeSet<String>,
    pub behaviours: Behaviours,
}

pub enum WriteRefusal {
    NotFound,
    AlreadyDone,
    Ended,
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn attendee(email: &str, absent: bool, seat: Option<String>) -> Attendee {
    Attendee {
        address: Some(address(email)),
        name: None,
        time_zone: None,
        language: None,
        absent,
        seat,
    }
}

impl ModelCalcom {
    pub fn row(&self, uid: &str) -> Option<&ModelBooking> {
        self.rows.iter().find(|row| row.uid == uid)
    }

    pub fn row_mut(&mut self, uid: &str) -> Option<&mut ModelBooking> {
        self.rows.iter_mut().find(|row| row.uid == uid)
    }

    /// Records the rows in the history; called after every change.
    pub fn record_history(&self) {
        self.history.lock().unwrap().record(&self.rows);
    }

    pub fn event_types(&self) -> Vec<EventType> {
        let kinds = EVENT_TYPES.iter().enumerate();
        kinds
            .map(|(n, (slug, price))| EventType {
                id: event_type_id(n),
                slug: (*slug).to_owned(),
                title: (*slug).to_owned(),
                length_minutes: 30,
                buffers: Buffers::NONE,
                price: *price,
                seated: self.seated.contains(&n),
                recurring: true,
                confirmation: Confirmation::Always { blocks_slot: false },
                verifies_address: None,
                questions: None,
                disables_cancelling: false,
                disables_rescheduling: false,
                limits: Vec::new(),
            })
            .collect()
    }

    fn attendees(&self, row: &ModelBooking) -> Vec<Attendee> {
        if row.seated && row.status == BookingStatus::Cancelled {
            return Vec::new();
        }
        let seat = || row.seated.then(|| format!("seat of {}", row.uid));
        let absent = |absent| absent && !self.legacy;
        let booker = row
            .email
            .map(|email| attendee(email, absent(row.absent), seat()));
        let guest = attendee(GUEST_ADDRESS, absent(row.absent_guest), seat());
        std::iter::once(guest).chain(booker).collect()
    }

    /// Returns the booking as the client sees it.
    pub fn booking(&self, row: &ModelBooking) -> Booking {
        let uid = |uid: &String| BookingUid::parse(uid).unwrap();
        // An occurrence of a series shows neither its successor nor who moved it.
        let linked = !self.legacy && row.series.is_none();
        Booking {
            id: Some(row.number),
            series: row
                .series
                .as_ref()
                .filter(|_| !self.legacy)
                .map(|series| RequestId::parse(series).unwrap()),
            title: format!("{} with {}", EVENT_TYPES[row.event_type].0, row.uid),
            status: row.status.clone(),
            host: Some(Host {
                id: Some(HostId(row.host)),
                address: Some(address(HOST_ADDRESS)),
                name: None,
                time_zone: None,
            }),
            event_type: Some(EventTypeRef {
                id: event_type_id(row.event_type),
                slug: Some(EVENT_TYPES[row.event_type].0.to_owned()),
            }),
            updated_at: row.updated.filter(|_| !self.hides_updated),
            booker: row.email.filter(|_| !row.seated).map(|email| Booker {
                address: address(email),
                name: None,
                time_zone: None,
                language: None,
            }),
            attendees: self.attendees(row),
            guests: vec![address(GUEST_ADDRESS)],
            seated: row.seated,
            rescheduled_from: row.predecessor.as_ref().map(uid),
            rescheduled_to: row.successor.as_ref().filter(|_| linked).map(uid),
            rescheduled_by: row
                .moved_by
                .filter(|_| self.legacy || row.series.is_none())
                .map(address),
            cancelled_by: row.cancelled_by.filter(|_| !row.seated).map(address),
            cancellation_reason: row.has_reason.then(|| "the booker's own words".to_owned()),
            absent_host: row.absent_host && !self.legacy,
            ..Booking::new(uid(&row.uid), (row.start, row.end), row.created)
        }
    }

    /// Records that the client has read this booking.
    pub fn record_shown(&mut self, booking: &Booking, (asked, arrived): (Time, Time)) {
        let shown = ShownBooking {
            status: booking.status.clone(),
            moved: booking.rescheduled_to.is_some(),
            asked_at: asked,
            arrived_at: arrived,
        };
        self.shown.insert(booking.uid.to_string(), shown);
    }

    /// Answers a pending series as a whole, and a single booking whatever its status.
    pub fn answer_request(
        &mut self,
        uid: &str,
        status: &BookingStatus,
        now: Time,
    ) -> Result<Vec<String>, WriteRefusal> {
        let row = self.row(uid).ok_or(WriteRefusal::NotFound)?;
        if row.status == BookingStatus::Accepted {
            return Err(WriteRefusal::AlreadyDone);
        }
        let whole = !self.series_per_occurrence && !self.legacy;
        let series = row.series.clone().filter(|_| whole);
        let mut changed = Vec::new();
        for row in &mut self.rows {
            let named = match &series {
                Some(series) => {
                    row.series.as_ref() == Some(series) && row.status == BookingStatus::Pending
                }
                None => row.uid == uid,
            };
            if named {
                row.status = status.clone();
                row.updated = Some(now);
                row.refused_by_us = false;
                changed.push(row.uid.clone());
            }
        }
        self.record_history();
        Ok(changed)
    }

    pub fn cancel_booking(
        &mut self,
        uid: &str,
        by: Option<&'static str>,
        now: Time,
    ) -> Result<(), WriteRefusal> {
        let row = self.row_mut(uid).ok_or(WriteRefusal::NotFound)?;
        if row.status == BookingStatus::Cancelled {
            return Err(WriteRefusal::AlreadyDone);
        }
        if row.end <= now {
            return Err(WriteRefusal::Ended);
        }
        row.status = BookingStatus::Cancelled;
        row.cancelled_by = by;
        row.updated = Some(now);
        row.refused_by_us = false;
        self.record_history();
        Ok(())
    }

    pub fn add(&mut self, mut row: ModelBooking) -> String {
        self.rows_made += 1;
        row.number = self.rows_made;
        row.uid = format!("b{}", self.rows_made);
        row.seated |= self.seated.contains(&row.event_type);
        let uid = row.uid.clone();
        self.rows.push(row);
        self.record_history();
        uid
    }
}

pub fn event_type_id(n: usize) -> EventTypeId {
    EventTypeId(100 + n as i64)
}
