//! Converts the shapes of v1 (`calcom/v1.md`) to the domain's types. v1 shows payments, but no
//! series, no seats and no absences.

use serde_json::Value;

use crate::calcom::booker_identity::identify_booker;
use crate::calcom::lenient_fields::{
    FieldError, Object, address, addresses, as_object, buffers, describe_limits, event_type_names,
    flag, has_seats, is_disabled, linked_uid, list, minutes, name, number, object,
    optional_instant, owned_text, price, questions, required_instant, status, text, time_range,
    to_answers, uid,
};
use crate::calcom::port::CurrentUser;
use crate::domain::booking::{
    Attendee, Booking, BookingStatus, Confirmation, EventType, EventTypeRef, Host, Payment,
};
use crate::domain::id::{EventTypeId, HostId};

pub(in crate::calcom) fn parse_booking(value: &Value) -> Result<Booking, FieldError> {
    let row = as_object(value)?;
    let uid = uid(row)?;
    // v1 names a booking by number: without a number the booking could be neither read again nor
    // answered.
    let id = number(row, "id").ok_or(FieldError {
        field: "id",
        why: "is missing or no whole number",
    })?;
    let status = status(row)?;
    let (start, end) = time_range(row, "startTime", "endTime")?;
    let responses = object(row, "responses");
    let metadata = object(row, "metadata");
    let attendees = attendees(row);
    Ok(Booking {
        id: Some(id),
        title: owned_text(row, "title").unwrap_or_default(),
        description: owned_text(row, "description"),
        status,
        host: host(row),
        event_type: event_type_ref(row),
        updated_at: optional_instant(row, "updatedAt"),
        booker: identify_booker(responses, &attendees),
        attendees,
        guests: responses.map_or_else(Vec::new, |of| addresses(list(of, "guests"))),
        rescheduled_from: linked_uid(row, "fromReschedule")?,
        rescheduled_by: address(row, "rescheduledBy"),
        cancelled_by: address(row, "cancelledBy"),
        location: metadata.and_then(|metadata| owned_text(metadata, "videoCallUrl")),
        answers: to_answers(responses),
        metadata: to_answers(metadata),
        payment: payment(row),
        ..Booking::new(uid, (start, end), required_instant(row, "createdAt")?)
    })
}

/// Returns only the status, from an answer that shows the booking without its people.
pub(in crate::calcom) fn parse_status(value: &Value) -> Option<BookingStatus> {
    status(as_object(value).ok()?).ok()
}

fn host(row: &Object) -> Option<Host> {
    let id = number(row, "userId").map(HostId);
    let user = object(row, "user");
    if id.is_none() && user.is_none() {
        return None;
    }
    Some(Host {
        id,
        address: user.and_then(|user| address(user, "email")),
        name: user.and_then(|user| owned_text(user, "name")),
        time_zone: user.and_then(|user| owned_text(user, "timeZone")),
    })
}

fn event_type_ref(row: &Object) -> Option<EventTypeRef> {
    Some(EventTypeRef {
        id: EventTypeId(number(row, "eventTypeId")?),
        slug: object(row, "eventType").and_then(|of| owned_text(of, "slug")),
    })
}

fn attendees(row: &Object) -> Vec<Attendee> {
    let attendees = list(row, "attendees").iter().filter_map(Value::as_object);
    attendees
        .map(|attendee| Attendee {
            address: address(attendee, "email"),
            name: name(attendee, "name"),
            time_zone: owned_text(attendee, "timeZone"),
            language: owned_text(attendee, "locale"),
            absent: false,
            seat: None,
        })
        .collect()
}

/// Returns whether the booking is paid. One payment that did not succeed makes it unpaid.
fn payment(row: &Object) -> Payment {
    let payments = list(row, "payment");
    let paid = |payment: &Value| payment.get("success").and_then(Value::as_bool) == Some(true);
    if payments.is_empty() {
        Payment::NotShown
    } else if payments.iter().all(paid) {
        Payment::Paid
    } else {
        Payment::Unpaid
    }
}

pub(in crate::calcom) fn parse_current_user(value: &Value) -> Result<CurrentUser, FieldError> {
    let user = as_object(value)?;
    Ok(CurrentUser {
        id: number(user, "id").map(HostId).ok_or(FieldError {
            field: "id",
            why: "is missing or no whole number",
        })?,
        username: owned_text(user, "username"),
        address: address(user, "email"),
        time_zone: owned_text(user, "timeZone"),
        admin: text(user, "role").is_some_and(|role| role.eq_ignore_ascii_case("admin")),
    })
}

pub(in crate::calcom) fn parse_event_type(value: &Value) -> Result<EventType, FieldError> {
    let row = as_object(value)?;
    let (id, slug, title) = event_type_names(row)?;
    Ok(EventType {
        id,
        slug,
        title,
        length_minutes: minutes(row, "length"),
        buffers: buffers(row),
        price: price(row),
        seated: has_seats(row.get("seatsPerTimeSlot")),
        recurring: object(row, "recurringEvent").is_some(),
        confirmation: confirmation(row),
        verifies_address: row
            .get("requiresBookerEmailVerification")
            .and_then(Value::as_bool),
        questions: questions(row, "name"),
        disables_cancelling: is_disabled(row, "disableCancelling"),
        disables_rescheduling: is_disabled(row, "disableRescheduling"),
        limits: [
            describe_limits(row, "bookingLimits", "bookings"),
            describe_limits(row, "durationLimits", "minutes"),
        ]
        .concat(),
    })
}

fn confirmation(row: &Object) -> Confirmation {
    let metadata = object(row, "metadata");
    let threshold = metadata.and_then(|of| object(of, "requiresConfirmationThreshold"));
    match (
        row.get("requiresConfirmation").and_then(Value::as_bool),
        threshold,
    ) {
        (None, _) => Confirmation::Unknown,
        (Some(false), _) => Confirmation::Disabled,
        (Some(true), None) => Confirmation::Always {
            blocks_slot: flag(row, "requiresConfirmationWillBlockSlot"),
        },
        (Some(true), Some(threshold)) => Confirmation::ByNotice {
            text: match (number(threshold, "time"), text(threshold, "unit")) {
                (Some(time), Some(unit)) => format!("{time} {unit}"),
                _ => "a threshold that is not shown".to_owned(),
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn booking_with(name: &str, value: Value) -> Value {
        let mut row = json!({
            "id": 394, "userId": 101, "uid": "kaJCyZUeDZethzkHS6PvRw", "eventTypeId": 1,
            "startTime": "2026-12-05T10:00:00.000Z", "endTime": "2026-12-05T10:30:00.000Z",
            "attendees": [{"id": 1, "email": "ann@guest.test", "name": "Ann", "locale": "en"}],
            "user": {"email": "owner@example.test"}, "payment": [], "status": "PENDING",
            "metadata": {"videoCallUrl": "https://meet.example.test/olga"},
            "responses": {"name": "Ann", "email": "ann@guest.test", "guests": ["cy@guest.test"]},
            "fromReschedule": null, "createdAt": "2026-11-23T08:26:26.468Z"
        });
        row[name] = value;
        row
    }

    #[test]
    fn a_booking_is_read_in_full() {
        let got = parse_booking(&booking_with("eventType", json!({"slug": "intro"}))).unwrap();
        assert_eq!(got.to_ref().id, Some(394));
        assert_eq!(got.status, BookingStatus::Pending);
        assert_eq!(got.host_id(), Some(HostId(101)));
        assert_eq!(got.event_type.unwrap().slug.as_deref(), Some("intro"));
        assert_eq!(got.booker.unwrap().language.as_deref(), Some("en"));
        assert_eq!(got.guests.len(), 1);
        assert_eq!(
            got.location.as_deref(),
            Some("https://meet.example.test/olga")
        );
    }

    #[test]
    fn payments_decide_by_the_one_that_is_missing() {
        let (yes, no) = (json!({"success": true}), json!({"success": false}));
        let rows = [
            (json!([]), Payment::NotShown),
            (json!(null), Payment::NotShown),
            (json!([yes]), Payment::Paid),
            (json!([yes, no]), Payment::Unpaid),
            (json!([{"success": "true"}]), Payment::Unpaid),
            (json!([5]), Payment::Unpaid),
        ];
        for (value, expect) in rows {
            let got = parse_booking(&booking_with("payment", value.clone()))
                .unwrap()
                .payment;
            assert_eq!(got, expect, "{value}");
        }
    }

    #[test]
    fn what_a_booking_cannot_do_without_makes_the_row_unreadable() {
        let rows = [
            ("id", json!("394"), "id is missing or no whole number"),
            ("uid", json!(null), "uid is missing"),
            ("status", json!(7), "status is missing"),
            ("startTime", json!(null), "startTime is missing"),
            (
                "endTime",
                json!("2026-12-05T09:00:00Z"),
                "endTime is before the start",
            ),
            ("createdAt", json!("then"), "createdAt is not an instant"),
            (
                "fromReschedule",
                json!(5),
                "fromReschedule is not a usable uid",
            ),
        ];
        for (name, value, expect) in rows {
            let got = parse_booking(&booking_with(name, value)).map_err(|why| why.to_string());
            assert_eq!(got, Err(expect.to_owned()));
        }
        for name in [
            "responses",
            "metadata",
            "user",
            "attendees",
            "title",
            "eventTypeId",
        ] {
            assert!(
                parse_booking(&booking_with(name, json!(5))).is_ok(),
                "{name}"
            );
        }
    }

    #[test]
    fn event_types_say_when_they_ask_the_host() {
        let threshold = json!({"requiresConfirmationThreshold": {"time": 2, "unit": "days"}});
        let rows = [
            (json!(false), json!({}), Confirmation::Disabled),
            (
                json!(true),
                json!({}),
                Confirmation::Always { blocks_slot: false },
            ),
            (
                json!(true),
                threshold,
                Confirmation::ByNotice {
                    text: "2 days".to_owned(),
                },
            ),
            (json!(null), json!({}), Confirmation::Unknown),
        ];
        for (requires, metadata, expect) in rows {
            let row = json!({"id": 1, "slug": "s", "length": 30, "seatsPerTimeSlot": 3,
                             "requiresConfirmation": requires, "metadata": metadata});
            let got = parse_event_type(&row).unwrap();
            assert_eq!(got.confirmation, expect);
            assert!(got.seated);
        }
    }
}
