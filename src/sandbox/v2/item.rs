//! The shape of a booking in v2 since 2024-08-13: one shape for single bookings, with more or fewer
//! fields for occurrences of a series and for seated bookings (`calcom/api.md` 4).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::domain::time::Time;
use crate::sandbox::booking::{SandboxAttendee, SandboxBooking, StoredAnswers};
use crate::sandbox::relative_time::serialize_time;
use crate::sandbox::world::World;

/// A booking as v2 shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingItem<'a> {
    id: i64,
    uid: &'a str,
    title: &'a str,
    description: Option<&'a str>,
    hosts: [HostItem<'a>; 1],
    status: &'static str,
    cancellation_reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_by_email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rescheduling_reason: Option<&'a str>,
    /// Null is shown; for occurrences of a series the field is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    rescheduled_by_email: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rescheduled_from_uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rescheduled_to_uid: Option<&'a str>,
    #[serde(serialize_with = "serialize_time")]
    start: Time,
    #[serde(serialize_with = "serialize_time")]
    end: Time,
    duration: i64,
    event_type_id: Option<i64>,
    event_type: Option<EventTypeItem<'a>>,
    meeting_url: &'a str,
    location: &'a str,
    absent_host: bool,
    #[serde(serialize_with = "serialize_time")]
    created_at: Time,
    #[serde(serialize_with = "serialize_optional_time")]
    updated_at: Option<Time>,
    metadata: &'a BTreeMap<String, Value>,
    rating: Option<i64>,
    ics_uid: &'a str,
    attendees: Vec<AttendeeItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guests: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    booking_fields_responses: Option<AnswersItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recurring_booking_uid: Option<&'a str>,
    /// Only present in the answers to create and reschedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_platform_managed_user_booking: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct HostItem<'a> {
    /// A number, or the word "unknown" when the account is gone.
    id: HostIdItem,
    name: Option<&'a str>,
    email: &'a str,
    display_email: &'a str,
    username: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum HostIdItem {
    Id(i64),
    Unknown(&'static str),
}

#[derive(Debug, Serialize)]
struct EventTypeItem<'a> {
    id: i64,
    slug: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AttendeeItem<'a> {
    name: &'a str,
    email: &'a str,
    display_email: &'a str,
    time_zone: &'a str,
    language: Option<&'a str>,
    absent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    seat_uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    booking_fields_responses: Option<&'a BTreeMap<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswersItem<'a> {
    email: &'a str,
    name: Value,
    #[serde(flatten)]
    more: Option<&'a BTreeMap<String, Value>>,
    display_email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_guests: Option<&'a [String]>,
    /// Only present when the stored answers could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    guests: Option<[&'a str; 0]>,
}

/// The word for unreadable parts.
const UNKNOWN: &str = "unknown";

static NO_METADATA: BTreeMap<String, Value> = BTreeMap::new();

impl<'a> BookingItem<'a> {
    /// Returns the booking as lists and reads show it.
    pub fn new(world: &'a World, booking: &'a SandboxBooking) -> Self {
        let event_type = booking.event_type.and_then(|id| world.event_type(id));
        let seated = event_type.is_some_and(|event_type| event_type.seats.is_some());
        let single = booking.series.is_none();
        let attendees = booking.attendees.iter();
        BookingItem {
            id: booking.id,
            uid: &booking.uid,
            title: &booking.title,
            description: booking.description.as_deref(),
            hosts: [host_item(world, booking)],
            status: booking.status.as_v2(),
            cancellation_reason: booking.cancellation_reason.as_deref().unwrap_or(""),
            cancelled_by_email: (!seated).then(|| booking.cancelled_by.as_deref().unwrap_or("")),
            rescheduling_reason: rescheduling_reason(booking).filter(|_| !seated),
            rescheduled_by_email: single.then_some(booking.rescheduled_by.as_deref()),
            rescheduled_from_uid: booking.predecessor.as_deref(),
            rescheduled_to_uid: booking
                .successor
                .as_deref()
                .filter(|_| single && booking.rescheduled),
            start: booking.start,
            end: booking.end,
            duration: (booking.end - booking.start).num_minutes(),
            event_type_id: booking.event_type,
            event_type: event_type.map(|event_type| EventTypeItem {
                id: event_type.id,
                slug: &event_type.slug,
            }),
            meeting_url: &booking.location,
            location: &booking.location,
            absent_host: booking.absent_host,
            created_at: booking.created,
            updated_at: booking.updated,
            metadata: booking.metadata.as_ref().unwrap_or(&NO_METADATA),
            rating: None,
            ics_uid: &booking.ics_uid,
            attendees: attendees.map(|one| attendee_item(one, seated)).collect(),
            guests: (!seated && !booking.guests.is_empty()).then_some(booking.guests.as_slice()),
            booking_fields_responses: (!seated).then(|| answers_item(booking)),
            recurring_booking_uid: booking.series.as_deref(),
            is_platform_managed_user_booking: None,
        }
    }

    /// Removes the attendees, as strangers see a seated booking.
    #[must_use]
    pub fn without_attendees(mut self) -> Self {
        self.attendees.clear();
        self
    }
}

fn host_item<'a>(world: &'a World, booking: &SandboxBooking) -> HostItem<'a> {
    match booking.host.and_then(|id| world.user(id)) {
        Some(user) => HostItem {
            id: HostIdItem::Id(user.id),
            name: Some(&user.name),
            email: &user.email,
            display_email: &user.email,
            username: &user.username,
            time_zone: Some(&user.time_zone),
        },
        None => HostItem {
            id: HostIdItem::Unknown(UNKNOWN),
            name: Some(UNKNOWN),
            email: UNKNOWN,
            display_email: UNKNOWN,
            username: UNKNOWN,
            time_zone: None,
        },
    }
}

fn attendee_item(one: &SandboxAttendee, seated: bool) -> AttendeeItem<'_> {
    let seat = one.seat.as_ref().filter(|_| seated);
    AttendeeItem {
        name: &one.name,
        email: &one.email,
        display_email: &one.email,
        time_zone: &one.time_zone,
        language: one.language.as_deref(),
        absent: one.absent,
        seat_uid: seat.map(|seat| seat.uid.as_str()),
        booking_fields_responses: seat.map(|seat| &seat.answers),
        metadata: seat.map(|_| BTreeMap::new()),
    }
}

fn answers_item(booking: &SandboxBooking) -> AnswersItem<'_> {
    match &booking.answers {
        StoredAnswers::Readable {
            name,
            email,
            other: more,
        } => AnswersItem {
            email,
            name: name.clone(),
            more: Some(more),
            display_email: email,
            display_guests: (!booking.guests.is_empty()).then_some(booking.guests.as_slice()),
            guests: None,
        },
        StoredAnswers::Null | StoredAnswers::Malformed(_) => AnswersItem {
            email: UNKNOWN,
            name: Value::from(UNKNOWN),
            more: None,
            display_email: UNKNOWN,
            display_guests: Some(&[]),
            guests: Some([]),
        },
    }
}

fn rescheduling_reason(booking: &SandboxBooking) -> Option<&str> {
    match booking.answers {
        StoredAnswers::Readable { .. } => booking.rescheduling_reason.as_deref(),
        StoredAnswers::Null | StoredAnswers::Malformed(_) => Some(UNKNOWN),
    }
}

fn serialize_optional_time<S: serde::Serializer>(
    at: &Option<Time>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serialize_time(at, serializer),
        None => serializer.serialize_none(),
    }
}
