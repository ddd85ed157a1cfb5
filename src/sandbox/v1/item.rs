//! The shapes of v1: bookings, event types, the account.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::sandbox::account::{Role, User};
use crate::sandbox::booking::SandboxBooking;
use crate::sandbox::event_type::{ConfirmationRule, LimitPeriod, SandboxEventType};
use crate::sandbox::http_types::merge_objects;
use crate::sandbox::relative_time::format_time;
use crate::sandbox::v2::api_2024_04_15::render_answers;
use crate::sandbox::world::World;

/// Returns a booking as lists and reads show it; with its event type if that was asked for
/// (`expand=team`).
pub fn render_booking(world: &World, booking: &SandboxBooking, expand: bool) -> Value {
    let attendees = booking.attendees.iter().map(|one| {
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
    let mut item = render_bare_booking(booking);
    item["attendees"] = attendees.collect();
    item["user"] = json!(host);
    item["payment"] = payments.collect();
    if expand {
        let event_type = booking.event_type.and_then(|id| world.event_type(id));
        let event_type = event_type.map(
            |event_type| json!({"title": event_type.title, "slug": event_type.slug, "team": null}),
        );
        item["eventType"] = json!(event_type);
    }
    item
}

/// Returns a booking without attendees, host and payments, as a PATCH answers.
pub fn render_bare_booking(booking: &SandboxBooking) -> Value {
    let metadata = booking.metadata.as_ref().map(|metadata| {
        let mut metadata_json = json!(metadata);
        metadata_json["videoCallUrl"] = json!(booking.location);
        metadata_json
    });
    json!({
        "id": booking.id,
        "userId": booking.host,
        "description": booking.description,
        "eventTypeId": booking.event_type,
        "uid": booking.uid,
        "title": booking.title,
        "startTime": format_time(booking.start),
        "endTime": format_time(booking.end),
        "metadata": metadata,
        "status": booking.status.as_v1(),
        "responses": render_answers(&booking.answers),
        "fromReschedule": booking.predecessor,
        "cancelledBy": booking.cancelled_by,
        "rescheduledBy": booking.rescheduled_by,
        "createdAt": format_time(booking.created),
    })
}

/// Returns the account as `/me` shows it.
pub fn render_me(user: &User) -> Value {
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

/// Returns the event type as v1 shows it.
pub fn render_event_type(world: &World, event_type: &SandboxEventType) -> Value {
    let owner = world.user(event_type.owner);
    let username = owner.map_or("", |owner| owner.username.as_str());
    let link = format!("https://meet.example.com/{}", event_type.slug);
    let recurring = event_type
        .occurrences
        .map(|count| json!({"freq": 2, "count": count, "interval": 1}));
    let first = json!({
        "id": event_type.id, "title": event_type.title, "slug": event_type.slug, "length": event_type.minutes,
        "hidden": event_type.hidden, "position": 0, "userId": event_type.owner, "teamId": null,
        "scheduleId": 1, "eventName": null, "timeZone": null, "periodType": "UNLIMITED",
        "periodStartDate": null, "periodEndDate": null, "periodDays": null,
        "periodCountCalendarDays": null,
        "requiresConfirmation": event_type.confirmation != ConfirmationRule::Never,
        "recurringEvent": recurring, "disableGuests": false, "hideCalendarNotes": false,
        "minimumBookingNotice": 120, "beforeEventBuffer": event_type.buffers.0,
        "afterEventBuffer": event_type.buffers.1,
        "schedulingType": null, "price": event_type.price, "currency": "usd", "slotInterval": null,
        "parentId": null, "successRedirectUrl": null, "description": null,
    });
    let second = json!({
        "locations": [{"link": link, "type": "link", "displayLocationPublicly": true}],
        "metadata": render_metadata(event_type), "seatsPerTimeSlot": event_type.seats, "seatsShowAttendees": false,
        "seatsShowAvailabilityCount": true, "bookingFields": render_questions(event_type),
        "bookingLimits": render_limits(&event_type.count_limits),
        "onlyShowFirstAvailableSlot": false, "durationLimits": render_limits(&event_type.duration_limits), "customInputs": [],
        "hashedLink": [], "team": null, "hosts": [],
        "owner": owner.map(|owner| {
            json!({"username": owner.username, "id": owner.id, "timeZone": owner.time_zone})
        }),
        "children": [],
        "link": format!("https://cal.example.com/{username}/{}", event_type.slug),
    });
    merge_objects(first, second)
}

fn render_questions(event_type: &SandboxEventType) -> Vec<Value> {
    let own = event_type.questions.iter();
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

/// Returns limits by period; null where there are none.
fn render_limits(limits: &BTreeMap<LimitPeriod, u32>) -> Value {
    let name = |period: LimitPeriod| match period {
        LimitPeriod::Day => "PER_DAY",
        LimitPeriod::Week => "PER_WEEK",
        LimitPeriod::Month => "PER_MONTH",
        LimitPeriod::Year => "PER_YEAR",
    };
    let limits = limits.iter().map(|(period, most)| (name(*period), *most));
    let limits: BTreeMap<&str, u32> = limits.collect();
    match limits.is_empty() {
        true => Value::Null,
        false => json!(limits),
    }
}

/// Returns the metadata, which contains the threshold of a confirmation by notice.
fn render_metadata(event_type: &SandboxEventType) -> Value {
    match event_type.confirmation {
        ConfirmationRule::Never | ConfirmationRule::Always => json!({}),
        ConfirmationRule::ShortNotice(notice) => json!({
            "requiresConfirmationThreshold": {"time": notice.num_minutes(), "unit": "minutes"},
        }),
    }
}
