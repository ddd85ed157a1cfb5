//! How things look in v1: bookings, event types, the account.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::sandbox::call::merged;
use crate::sandbox::model::{Booking, Confirmation, EventType, Period, Role, User};
use crate::sandbox::moment::text;
use crate::sandbox::v2::older::responses;
use crate::sandbox::world::World;

/// A booking as lists and reads show it; with its event type where it was asked for
/// (`expand=team`).
pub fn full(world: &World, booking: &Booking, expand: bool) -> Value {
    let people = booking.attendees.iter().map(|one| {
        json!({"id": one.id, "email": one.email, "name": one.name, "timeZone": one.time_zone,
               "locale": one.language})
    });
    let host = booking.host.and_then(|id| world.user(id));
    let host = host.map(|user| {
        json!({"email": user.email, "name": user.name, "timeZone": user.time_zone, "locale": "en"})
    });
    let payments = booking
        .payments
        .iter()
        .map(|one| json!({"id": one.id, "success": one.success, "paymentOption": "ON_BOOKING"}));
    let mut item = bare(booking);
    item["attendees"] = people.collect();
    item["user"] = json!(host);
    item["payment"] = payments.collect();
    if expand {
        let of = booking.event_type.and_then(|id| world.event_type(id));
        let of = of.map(|of| json!({"title": of.title, "slug": of.slug, "team": null}));
        item["eventType"] = json!(of);
    }
    item
}

/// The same without attendees, host and payments: what a PATCH answers.
pub fn bare(booking: &Booking) -> Value {
    let metadata = booking.metadata.as_ref().map(|metadata| {
        let mut shown = json!(metadata);
        shown["videoCallUrl"] = json!(booking.location);
        shown
    });
    json!({
        "id": booking.id,
        "userId": booking.host,
        "description": booking.description,
        "eventTypeId": booking.event_type,
        "uid": booking.uid,
        "title": booking.title,
        "startTime": text(booking.start),
        "endTime": text(booking.end),
        "metadata": metadata,
        "status": booking.status.upper(),
        "responses": responses(&booking.answers),
        "fromReschedule": booking.from,
        "cancelledBy": booking.cancelled_by,
        "rescheduledBy": booking.rescheduled_by,
        "createdAt": text(booking.created),
    })
}

pub fn me(user: &User) -> Value {
    let role = match user.role {
        Role::User => "USER",
        Role::Admin => "ADMIN",
    };
    json!({"user": {
        "id": user.id, "username": user.username, "name": user.name, "email": user.email,
        "emailVerified": "2026-01-01T00:00:00.000Z", "bio": null, "timeZone": user.time_zone,
        "weekStart": "Sunday", "endTime": 1440, "bufferTime": 0, "appTheme": null, "theme": null,
        "defaultScheduleId": 1, "locale": "en", "timeFormat": 12, "hideBranding": false,
        "brandColor": null, "darkBrandColor": null, "allowDynamicBooking": true,
        "createdDate": "2026-01-01T00:00:00.000Z", "verified": false, "invitedTo": null,
        "role": role,
    }})
}

pub fn event_type(world: &World, of: &EventType) -> Value {
    let owner = world.user(of.owner);
    let username = owner.map_or("", |owner| owner.username.as_str());
    let link = format!("https://meet.example.com/{}", of.slug);
    let recurring = of
        .occurrences
        .map(|count| json!({"freq": 2, "count": count, "interval": 1}));
    let first = json!({
        "id": of.id, "title": of.title, "slug": of.slug, "length": of.minutes,
        "hidden": of.hidden, "position": 0, "userId": of.owner, "teamId": null,
        "scheduleId": 1, "eventName": null, "timeZone": null, "periodType": "UNLIMITED",
        "periodStartDate": null, "periodEndDate": null, "periodDays": null,
        "periodCountCalendarDays": null,
        "requiresConfirmation": of.confirmation != Confirmation::Never,
        "recurringEvent": recurring, "disableGuests": false, "hideCalendarNotes": false,
        "minimumBookingNotice": 120, "beforeEventBuffer": of.buffers.0,
        "afterEventBuffer": of.buffers.1,
        "schedulingType": null, "price": of.price, "currency": "usd", "slotInterval": null,
        "parentId": null, "successRedirectUrl": null, "description": null,
    });
    let second = json!({
        "locations": [{"link": link, "type": "link", "displayLocationPublicly": true}],
        "metadata": metadata(of), "seatsPerTimeSlot": of.seats, "seatsShowAttendees": false,
        "seatsShowAvailabilityCount": true, "bookingFields": questions(of),
        "bookingLimits": limits(&of.count_limits),
        "onlyShowFirstAvailableSlot": false, "durationLimits": limits(&of.duration_limits), "customInputs": [],
        "hashedLink": [], "team": null, "hosts": [],
        "owner": owner.map(|owner| {
            json!({"username": owner.username, "id": owner.id, "timeZone": owner.time_zone})
        }),
        "children": [],
        "link": format!("https://cal.example.com/{username}/{}", of.slug),
    });
    merged(first, second)
}

fn questions(of: &EventType) -> Vec<Value> {
    let own = of.questions.iter();
    own.map(|one| {
        json!({
            "name": one.slug, "type": one.kind, "label": one.label, "required": one.required,
            "placeholder": "", "editable": "user",
            "options": one.options.iter().map(|text| json!({"label": text, "value": text}))
                .collect::<Vec<_>>(),
            "sources": [{"id": "user", "type": "user", "label": "User"}],
        })
    })
    .collect()
}

/// Limits by period; null where there are none.
fn limits(limits: &BTreeMap<Period, u32>) -> Value {
    let name = |period: Period| match period {
        Period::Day => "PER_DAY",
        Period::Week => "PER_WEEK",
        Period::Month => "PER_MONTH",
        Period::Year => "PER_YEAR",
    };
    let limits = limits.iter().map(|(period, most)| (name(*period), *most));
    let limits: BTreeMap<&str, u32> = limits.collect();
    match limits.is_empty() {
        true => Value::Null,
        false => json!(limits),
    }
}

/// The threshold of a confirmation by notice stands in the metadata.
fn metadata(of: &EventType) -> Value {
    match of.confirmation {
        Confirmation::Never | Confirmation::Always => json!({}),
        Confirmation::Notice(notice) => json!({
            "requiresConfirmationThreshold": {"time": notice.num_minutes(), "unit": "minutes"},
        }),
    }
}
