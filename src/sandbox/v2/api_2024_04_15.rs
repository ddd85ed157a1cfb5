//! The shapes of version 2024-04-15. A client that sends no version, or an unknown one, silently
//! gets these (`calcom/api.md` 1.2): upper-case words, an object where the list should be, and no
//! confirm at all.

use serde_json::{Value, json};

use crate::domain::time::Time;
use crate::sandbox::account::User;
use crate::sandbox::booking::{SandboxBooking, StoredAnswers};
use crate::sandbox::http_types::merge_objects;
use crate::sandbox::relative_time::format_time;
use crate::sandbox::v2::list::select_bookings;
use crate::sandbox::v2::list_query::V2ListQuery;
use crate::sandbox::world::World;

/// Returns the list, which is an object in this version.
pub fn render_list(world: &World, user: &User, params: &V2ListQuery, now: Time) -> Value {
    let (rows, total) = select_bookings(world, user, params, now, None);
    let rows: Vec<Value> = rows
        .into_iter()
        .take(100)
        .map(|b| render_row(world, b))
        .collect();
    let data = json!({
        "bookings": rows,
        "recurringInfo": [],
        "totalCount": total,
        "nextCursor": null,
    });
    json!({"status": "success", "data": data})
}

/// Returns one booking.
pub fn render_booking(world: &World, booking: &SandboxBooking) -> Value {
    let attendees = booking.attendees.iter().map(|one| {
        json!({"name": one.name, "email": one.email, "timeZone": one.time_zone,
               "phoneNumber": null})
    });
    let attendees: Vec<Value> = attendees.collect();
    let event_type = booking.event_type.and_then(|id| world.event_type(id));
    let event_type = event_type.map(|event_type| {
        json!({"eventName": null, "slug": event_type.slug, "timeZone": null, "schedulingType": null,
               "hideOrganizerEmail": false})
    });
    let data = merge_objects(
        render_common_fields(world, booking),
        json!({
            "smsReminderNumber": null,
            "user": render_user(world, booking),
            "attendees": attendees,
            "eventTypeId": booking.event_type,
            "eventType": event_type,
            "seatsReferences": [],
            "tracking": null,
            "assignmentReason": [],
        }),
    );
    json!({"status": "success", "data": data})
}

/// Returns the answer to a cancellation, which has status 201.
pub fn render_cancellation(booking: &SandboxBooking) -> Value {
    let data = json!({
        "bookingId": booking.id,
        "bookingUid": booking.uid,
        "onlyRemovedAttendee": false,
    });
    json!({"status": "success", "data": data})
}

fn render_row(world: &World, booking: &SandboxBooking) -> Value {
    let attendees = booking.attendees.iter().map(|one| {
        let account =
            json!({"name": null, "email": one.email, "avatarUrl": null, "username": null});
        json!({
            "id": one.id, "email": one.email, "name": one.name, "timeZone": one.time_zone,
            "bookingId": booking.id, "locale": one.language, "phoneNumber": null,
            "noShow": one.absent, "user": account,
        })
    });
    let attendees: Vec<Value> = attendees.collect();
    merge_objects(
        render_common_fields(world, booking),
        json!({
            "createdAt": format_time(booking.created),
            "updatedAt": booking.updated.map(format_time),
            "paid": !booking.payments.is_empty() && !booking.is_unpaid(),
            "isRecorded": false,
            "eventType": render_event_type(world, booking),
            "references": [],
            "payment": [],
            "user": render_user(world, booking),
            "attendees": attendees,
            "seatsReferences": [],
            "assignmentReasonSortedByCreatedAt": [],
            "report": null,
            "rescheduler": null,
        }),
    )
}

/// Returns the fields that both shapes have.
fn render_common_fields(world: &World, booking: &SandboxBooking) -> Value {
    let mut metadata = json!(booking.metadata);
    metadata["videoCallUrl"] = json!(booking.location);
    let host = booking.host.and_then(|id| world.user(id));
    json!({
        "id": booking.id,
        "uid": booking.uid,
        "title": booking.title,
        "userPrimaryEmail": host.map(|host| host.email.as_str()),
        "description": booking.description,
        "customInputs": {},
        "startTime": format_time(booking.start),
        "endTime": format_time(booking.end),
        "metadata": metadata,
        "responses": render_answers(&booking.answers),
        "recurringEventId": booking.series,
        "location": booking.location,
        "status": booking.status.as_v1(),
        "fromReschedule": booking.predecessor,
        "rescheduled": booking.rescheduled.then_some(true),
        "rescheduledBy": booking.rescheduled_by,
        "cancelledBy": booking.cancelled_by,
        "cancellationReason": booking.cancellation_reason,
        "rejectionReason": booking.rejection_reason,
    })
}

/// Returns the stored answers as they are, which v1 shows too.
pub fn render_answers(answers: &StoredAnswers) -> Value {
    match answers {
        StoredAnswers::Readable {
            name,
            email,
            other: more,
        } => merge_objects(json!(more), json!({"name": name, "email": email})),
        StoredAnswers::Null => Value::Null,
        StoredAnswers::Malformed(odd) => odd.clone(),
    }
}

fn render_user(world: &World, booking: &SandboxBooking) -> Option<Value> {
    let user = booking.host.and_then(|id| world.user(id))?;
    Some(json!({
        "id": user.id, "name": user.name, "email": user.email, "avatarUrl": null,
        "username": user.username, "timeZone": user.time_zone,
    }))
}

fn render_event_type(world: &World, booking: &SandboxBooking) -> Option<Value> {
    let event_type = booking.event_type.and_then(|id| world.event_type(id))?;
    Some(json!({
        "slug": event_type.slug, "id": event_type.id, "title": event_type.title, "eventName": null, "price": event_type.price,
        "recurringEvent": null, "currency": "usd", "metadata": {}, "disableGuests": false,
        "bookingFields": [], "seatsPerTimeSlot": event_type.seats, "seatsShowAttendees": false,
        "seatsShowAvailabilityCount": true, "eventTypeColor": null, "customReplyToEmail": null,
        "allowReschedulingPastBookings": false, "hideOrganizerEmail": false,
        "disableCancelling": false, "disableRescheduling": false,
        "minimumRescheduleNotice": null, "teamId": null, "parentId": null,
        "schedulingType": null, "hosts": [], "length": event_type.minutes, "team": null,
        "hostGroups": [],
    }))
}
