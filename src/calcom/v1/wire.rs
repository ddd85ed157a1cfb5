//! Converts the shapes of v1 (`calcom/v1.md`) to the domain's types. v1 shows payments, but no
//! series, no seats and no absences.

use serde_json::Value;

use crate::calcom::booker_identity::identify_booker;
use crate::calcom::common_fields::{
    describe_limits, describe_notice, minutes, questions, read_attendee, read_current_user,
    read_event_type, read_host,
};
use crate::calcom::lenient_row::{FieldError, Row};
use crate::calcom::port::CurrentUser;
use crate::domain::booking::{
    Attendee, Booking, BookingStatus, Confirmation, EventType, EventTypeRef, Host, Payment,
};
use crate::domain::id::{EventTypeId, HostId};

pub(in crate::calcom) fn parse_booking(value: &Value) -> Result<Booking, FieldError> {
    let row = Row::require(value)?;
    let uid = row.uid()?;
    // v1 names a booking by number: without a number the booking could be neither read again nor
    // answered.
    let id = row.required_number("id")?;
    let status = row.status()?;
    let (start, end) = row.time_range("startTime", "endTime")?;
    let responses = row.object("responses");
    let metadata = row.object("metadata");
    let attendees: Vec<Attendee> = row.objects("attendees").map(attendee).collect();
    Ok(Booking {
        id: Some(id),
        title: row.string("title").unwrap_or_default(),
        description: row.string("description"),
        status,
        host: host(row),
        event_type: event_type_ref(row),
        updated_at: row.optional_instant("updatedAt"),
        booker: identify_booker(responses, &attendees),
        attendees,
        guests: responses.addresses("guests"),
        has_unread_guests: responses.has_unread_addresses("guests"),
        rescheduled_from: row.linked_uid("fromReschedule")?,
        rescheduled_by: row.address("rescheduledBy"),
        cancelled_by: row.address("cancelledBy"),
        location: metadata.string("videoCallUrl"),
        answers: responses.answers(),
        metadata: metadata.answers(),
        payment: payment(row),
        heap_bytes: row.heap_bytes(),
        ..Booking::new(uid, (start, end), row.required_instant("createdAt")?)
    })
}

/// Returns only the status, from an answer that shows the booking without its people.
pub(in crate::calcom) fn parse_status(value: &Value) -> Option<BookingStatus> {
    Row::from(value).status().ok()
}

fn host(row: Row<'_>) -> Option<Host> {
    let id = row.number("userId").map(HostId);
    let user = row.object("user");
    (id.is_some() || user.is_present()).then(|| Host {
        id,
        ..read_host(user)
    })
}

fn event_type_ref(row: Row<'_>) -> Option<EventTypeRef> {
    Some(EventTypeRef {
        id: EventTypeId(row.number("eventTypeId")?),
        slug: row.object("eventType").string("slug"),
    })
}

fn attendee(row: Row<'_>) -> Attendee {
    Attendee {
        language: row.string("locale"),
        ..read_attendee(row)
    }
}

/// Returns whether the booking is paid. One payment that did not succeed makes it unpaid.
fn payment(row: Row<'_>) -> Payment {
    let payments = row.list("payment");
    let paid = |payment: &Value| Row::from(payment).flag("success");
    if payments.is_empty() {
        Payment::NotShown
    } else if payments.iter().all(paid) {
        Payment::Paid
    } else {
        Payment::Unpaid
    }
}

pub(in crate::calcom) fn parse_current_user(value: &Value) -> Result<CurrentUser, FieldError> {
    let role = Row::from(value).text("role");
    Ok(CurrentUser {
        admin: role.is_some_and(|role| role.eq_ignore_ascii_case("admin")),
        ..read_current_user(value)?
    })
}

pub(in crate::calcom) fn parse_event_type(value: &Value) -> Result<EventType, FieldError> {
    let row = Row::require(value)?;
    Ok(EventType {
        length_minutes: minutes(row, "length"),
        recurring: row.object("recurringEvent").is_present(),
        confirmation: confirmation(row),
        questions: questions(row, "name"),
        limits: [
            describe_limits(row, "bookingLimits", "bookings"),
            describe_limits(row, "durationLimits", "minutes"),
        ]
        .concat(),
        ..read_event_type(row)?
    })
}

fn confirmation(row: Row<'_>) -> Confirmation {
    let threshold = row
        .object("metadata")
        .object("requiresConfirmationThreshold");
    match row.optional_flag("requiresConfirmation") {
        None => Confirmation::Unknown,
        Some(false) => Confirmation::Disabled,
        Some(true) if threshold.is_present() => Confirmation::ByNotice {
            text: describe_notice(threshold, "time"),
        },
        Some(true) => Confirmation::Always {
            blocks_slot: row.flag("requiresConfirmationWillBlockSlot"),
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
        assert_eq!((got.guests.len(), got.has_unread_guests), (1, false));
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
