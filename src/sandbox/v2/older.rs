//! What a client gets that sends no version, or one that the server does not know: the shapes of
//! 2024-04-15, silently (`calcom/api.md` 1.2). Upper-case words, an object where the list should
//! be, and no confirm at all.

use serde_json::{Value, json};

use crate::domain::time::Time;
use crate::sandbox::call::merged;
use crate::sandbox::model::{Answers, Booking, User};
use crate::sandbox::moment::text;
use crate::sandbox::v2::list::select;
use crate::sandbox::v2::params::Params;
use crate::sandbox::world::World;

/// The object form of the list.
pub fn list(world: &World, user: &User, params: &Params, now: Time) -> Value {
    let (rows, total) = select(world, user, params, now, None);
    let rows: Vec<Value> = rows.into_iter().take(100).map(|b| row(world, b)).collect();
    let data = json!({
        "bookings": rows,
        "recurringInfo": [],
        "totalCount": total,
        "nextCursor": null,
    });
    json!({"status": "success", "data": data})
}

/// One booking by uid.
pub fn one(world: &World, booking: &Booking) -> Value {
    let people = booking.attendees.iter().map(|one| {
        json!({"name": one.name, "email": one.email, "timeZone": one.time_zone,
               "phoneNumber": null})
    });
    let people: Vec<Value> = people.collect();
    let of = booking.event_type.and_then(|id| world.event_type(id));
    let of = of.map(|of| {
        json!({"eventName": null, "slug": of.slug, "timeZone": null, "schedulingType": null,
               "hideOrganizerEmail": false})
    });
    let data = merged(
        common(world, booking),
        json!({
            "smsReminderNumber": null,
            "user": user(world, booking),
            "attendees": people,
            "eventTypeId": booking.event_type,
            "eventType": of,
            "seatsReferences": [],
            "tracking": null,
            "assignmentReason": [],
        }),
    );
    json!({"status": "success", "data": data})
}

/// The answer to a cancellation, with 201.
pub fn cancelled(booking: &Booking) -> Value {
    let data = json!({
        "bookingId": booking.id,
        "bookingUid": booking.uid,
        "onlyRemovedAttendee": false,
    });
    json!({"status": "success", "data": data})
}

fn row(world: &World, booking: &Booking) -> Value {
    let people = booking.attendees.iter().map(|one| {
        let account =
            json!({"name": null, "email": one.email, "avatarUrl": null, "username": null});
        json!({
            "id": one.id, "email": one.email, "name": one.name, "timeZone": one.time_zone,
            "bookingId": booking.id, "locale": one.language, "phoneNumber": null,
            "noShow": one.absent, "user": account,
        })
    });
    let people: Vec<Value> = people.collect();
    merged(
        common(world, booking),
        json!({
            "createdAt": text(booking.created),
            "updatedAt": booking.updated.map(text),
            "paid": !booking.payments.is_empty() && !booking.unpaid(),
            "isRecorded": false,
            "eventType": event_type(world, booking),
            "references": [],
            "payment": [],
            "user": user(world, booking),
            "attendees": people,
            "seatsReferences": [],
            "assignmentReasonSortedByCreatedAt": [],
            "report": null,
            "rescheduler": null,
        }),
    )
}

/// What both shapes have.
fn common(world: &World, booking: &Booking) -> Value {
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
        "startTime": text(booking.start),
        "endTime": text(booking.end),
        "metadata": metadata,
        "responses": responses(&booking.answers),
        "recurringEventId": booking.series,
        "location": booking.location,
        "status": booking.status.upper(),
        "fromReschedule": booking.from,
        "rescheduled": booking.rescheduled.then_some(true),
        "rescheduledBy": booking.rescheduled_by,
        "cancelledBy": booking.cancelled_by,
        "cancellationReason": booking.cancellation_reason,
        "rejectionReason": booking.rejection_reason,
    })
}

/// The stored answers as they are: also what v1 shows.
pub fn responses(answers: &Answers) -> Value {
    match answers {
        Answers::Given { name, email, more } => {
            merged(json!(more), json!({"name": name, "email": email}))
        }
        Answers::Null => Value::Null,
        Answers::Odd(odd) => odd.clone(),
    }
}

fn user(world: &World, booking: &Booking) -> Option<Value> {
    let user = booking.host.and_then(|id| world.user(id))?;
    Some(json!({
        "id": user.id, "name": user.name, "email": user.email, "avatarUrl": null,
        "username": user.username, "timeZone": user.time_zone,
    }))
}

fn event_type(world: &World, booking: &Booking) -> Option<Value> {
    let of = booking.event_type.and_then(|id| world.event_type(id))?;
    Some(json!({
        "slug": of.slug, "id": of.id, "title": of.title, "eventName": null, "price": of.price,
        "recurringEvent": null, "currency": "usd", "metadata": {}, "disableGuests": false,
        "bookingFields": [], "seatsPerTimeSlot": of.seats, "seatsShowAttendees": false,
        "seatsShowAvailabilityCount": true, "eventTypeColor": null, "customReplyToEmail": null,
        "allowReschedulingPastBookings": false, "hideOrganizerEmail": false,
        "disableCancelling": false, "disableRescheduling": false,
        "minimumRescheduleNotice": null, "teamId": null, "parentId": null,
        "schedulingType": null, "hosts": [], "length": of.minutes, "team": null,
        "hostGroups": [],
    }))
}
