//! The shapes of v2 (`calcom/api.md` 4), turned into the domain's. Told apart by their fields, as
//! there is no tag; unknown fields and words are let pass.

use serde_json::Value;

use crate::calcom::fields::{
    Object, Unreadable, address, addresses, answers, flag, instant, link, list, maybe_instant,
    minutes, name, names, number, object, owned, price, row, seats, series, status, stretch, text,
    uid,
};
use crate::calcom::identify::booker;
use crate::calcom::port::Me;
use crate::domain::booking::{
    Attendee, Booking, Confirmation, EventType, EventTypeRef, Host, Payment,
};
use crate::domain::id::{EventTypeId, HostId};

pub(in crate::calcom) fn booking(value: &Value) -> Result<Booking, Unreadable> {
    let row = row(value)?;
    let uid = uid(row)?;
    let status = status(row)?;
    let (start, end) = stretch(row, "start", "end")?;
    let responses = object(row, "bookingFieldsResponses");
    let attendees = attendees(row);
    let seated = !row.contains_key("bookingFieldsResponses")
        || attendees.iter().any(|attendee| attendee.seat.is_some());
    let booker = if seated {
        None
    } else {
        booker(responses, &attendees)
    };
    Ok(Booking {
        uid,
        id: number(row, "id"),
        series: series(row, "recurringBookingUid")?,
        title: owned(row, "title").unwrap_or_default(),
        description: owned(row, "description"),
        status,
        host: list(row, "hosts")
            .first()
            .and_then(Value::as_object)
            .map(host),
        event_type: event_type_ref(row),
        start,
        end,
        created: instant(row, "createdAt")?,
        updated: maybe_instant(row, "updatedAt"),
        booker,
        attendees,
        guests: addresses(list(row, "guests")),
        seated,
        rescheduled_from: link(row, "rescheduledFromUid")?,
        rescheduled_to: link(row, "rescheduledToUid")?,
        rescheduled_by: address(row, "rescheduledByEmail"),
        cancelled_by: address(row, "cancelledByEmail"),
        cancellation_reason: owned(row, "cancellationReason"),
        absent_host: flag(row, "absentHost"),
        location: owned(row, "location"),
        answers: answers(responses),
        metadata: answers(object(row, "metadata")),
        payment: Payment::NotShown,
    })
}

/// A booking of the contract before 2024-08-13: times and states under other names. That is what a
/// server gives, without a word, to a version header that it does not know.
pub(in crate::calcom) fn is_older_booking(value: &Value) -> bool {
    let Some(row) = value.as_object() else {
        return false;
    };
    row.contains_key("startTime") && !row.contains_key("start")
}

fn host(host: &Object) -> Host {
    Host {
        // The text "unknown" when the user is gone.
        id: number(host, "id").map(HostId),
        address: address(host, "email"),
        name: owned(host, "name"),
        time_zone: owned(host, "timeZone"),
    }
}

fn event_type_ref(row: &Object) -> Option<EventTypeRef> {
    let nested = object(row, "eventType");
    let id = nested.and_then(|nested| number(nested, "id"));
    Some(EventTypeRef {
        id: EventTypeId(id.or_else(|| number(row, "eventTypeId"))?),
        slug: nested.and_then(|nested| owned(nested, "slug")),
    })
}

fn attendees(row: &Object) -> Vec<Attendee> {
    let attendees = list(row, "attendees").iter().filter_map(Value::as_object);
    attendees
        .map(|attendee| Attendee {
            address: address(attendee, "email"),
            name: name(attendee, "name"),
            time_zone: owned(attendee, "timeZone"),
            language: owned(attendee, "language"),
            absent: flag(attendee, "absent"),
            seat: owned(attendee, "seatUid"),
        })
        .collect()
}

pub(in crate::calcom) fn me(value: &Value) -> Result<Me, Unreadable> {
    let me = row(value)?;
    Ok(Me {
        id: number(me, "id").map(HostId).ok_or(Unreadable {
            field: "id",
            why: "is missing or no whole number",
        })?,
        username: owned(me, "username"),
        address: address(me, "email"),
        time_zone: owned(me, "timeZone"),
        admin: false,
    })
}

pub(in crate::calcom) fn event_type(value: &Value) -> Result<EventType, Unreadable> {
    let row = row(value)?;
    let (id, slug, title) = names(row)?;
    Ok(EventType {
        id,
        slug,
        title,
        length_minutes: minutes(row, "lengthInMinutes"),
        price: price(row),
        seated: seats(row.get("seats")) || seats(row.get("seatsPerTimeSlot")),
        recurring: object(row, "recurrence").is_some_and(|of| !flag(of, "disabled")),
        confirmation: confirmation(row),
        verifies_address: row
            .get("requiresBookerEmailVerification")
            .and_then(Value::as_bool),
    })
}

fn confirmation(row: &Object) -> Confirmation {
    let Some(policy) = object(row, "confirmationPolicy") else {
        return Confirmation::Unknown;
    };
    if flag(policy, "disabled") {
        return Confirmation::Disabled;
    }
    match text(policy, "type") {
        Some("always") => Confirmation::Always {
            blocks_slot: flag(policy, "blockUnconfirmedBookingsInBooker"),
        },
        Some("time") => Confirmation::ByNotice {
            text: notice(policy),
        },
        _ => Confirmation::Unknown,
    }
}

/// The threshold in words, `48 hours`.
fn notice(policy: &Object) -> String {
    let threshold = object(policy, "noticeThreshold");
    let count = threshold.and_then(|threshold| number(threshold, "count"));
    let unit = threshold.and_then(|threshold| text(threshold, "unit"));
    match (count, unit) {
        (Some(count), Some(unit)) => format!("{count} {unit}"),
        _ => "a threshold that is not shown".to_owned(),
    }
}
