//! The shapes of v1 (`calcom/v1.md`), turned into the domain's. It shows payments, and neither
//! series nor seats nor absences.

use serde_json::Value;

use crate::calcom::fields::{
    Object, Unreadable, address, addresses, answers, buffers, flag, instant, limits, link, list,
    maybe_instant, minutes, name, names, number, object, owned, price, questions, row, seats,
    status, stretch, switched_off, text, uid,
};
use crate::calcom::identify::booker;
use crate::calcom::port::Me;
use crate::domain::booking::{
    Attendee, Booking, Confirmation, EventType, EventTypeRef, Host, Payment, Status,
};
use crate::domain::id::{EventTypeId, HostId};

pub(in crate::calcom) fn booking(value: &Value) -> Result<Booking, Unreadable> {
    let row = row(value)?;
    let uid = uid(row)?;
    // v1 names a booking by number: without one it could be neither read again nor answered.
    let id = number(row, "id").ok_or(Unreadable {
        field: "id",
        why: "is missing or no whole number",
    })?;
    let status = status(row)?;
    let (start, end) = stretch(row, "startTime", "endTime")?;
    let responses = object(row, "responses");
    let metadata = object(row, "metadata");
    let attendees = attendees(row);
    Ok(Booking {
        uid,
        id: Some(id),
        series: None,
        title: owned(row, "title").unwrap_or_default(),
        description: owned(row, "description"),
        status,
        host: host(row),
        event_type: event_type_ref(row),
        start,
        end,
        created: instant(row, "createdAt")?,
        updated: maybe_instant(row, "updatedAt"),
        booker: booker(responses, &attendees),
        attendees,
        guests: responses.map_or_else(Vec::new, |of| addresses(list(of, "guests"))),
        seated: false,
        rescheduled_from: link(row, "fromReschedule")?,
        rescheduled_to: None,
        rescheduled_by: address(row, "rescheduledBy"),
        cancelled_by: address(row, "cancelledBy"),
        cancellation_reason: None,
        absent_host: false,
        location: metadata.and_then(|metadata| owned(metadata, "videoCallUrl")),
        answers: answers(responses),
        metadata: answers(metadata),
        payment: payment(row),
    })
}

/// The state alone, of an answer that shows the booking without its people.
pub(in crate::calcom) fn state(value: &Value) -> Option<Status> {
    status(row(value).ok()?).ok()
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
        name: user.and_then(|user| owned(user, "name")),
        time_zone: user.and_then(|user| owned(user, "timeZone")),
    })
}

fn event_type_ref(row: &Object) -> Option<EventTypeRef> {
    Some(EventTypeRef {
        id: EventTypeId(number(row, "eventTypeId")?),
        slug: object(row, "eventType").and_then(|of| owned(of, "slug")),
    })
}

fn attendees(row: &Object) -> Vec<Attendee> {
    let attendees = list(row, "attendees").iter().filter_map(Value::as_object);
    attendees
        .map(|attendee| Attendee {
            address: address(attendee, "email"),
            name: name(attendee, "name"),
            time_zone: owned(attendee, "timeZone"),
            language: owned(attendee, "locale"),
            absent: false,
            seat: None,
        })
        .collect()
}

/// One payment that did not succeed is enough for unpaid.
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
        admin: text(me, "role").is_some_and(|role| role.eq_ignore_ascii_case("admin")),
    })
}

pub(in crate::calcom) fn event_type(value: &Value) -> Result<EventType, Unreadable> {
    let row = row(value)?;
    let (id, slug, title) = names(row)?;
    Ok(EventType {
        id,
        slug,
        title,
        length_minutes: minutes(row, "length"),
        buffers: buffers(row),
        price: price(row),
        seated: seats(row.get("seatsPerTimeSlot")),
        recurring: object(row, "recurringEvent").is_some(),
        confirmation: confirmation(row),
        verifies_address: row
            .get("requiresBookerEmailVerification")
            .and_then(Value::as_bool),
        questions: questions(row, "name"),
        no_cancelling: switched_off(row, "disableCancelling"),
        no_moving: switched_off(row, "disableRescheduling"),
        limits: [
            limits(row, "bookingLimits", "bookings"),
            limits(row, "durationLimits", "minutes"),
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

    fn with(name: &str, value: Value) -> Value {
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
        let got = booking(&with("eventType", json!({"slug": "intro"}))).unwrap();
        assert_eq!(got.reference().id, Some(394));
        assert_eq!(got.status, Status::Pending);
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
            let got = booking(&with("payment", value.clone())).unwrap().payment;
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
            let got = booking(&with(name, value)).map_err(|why| why.to_string());
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
            assert!(booking(&with(name, json!(5))).is_ok(), "{name}");
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
            let got = event_type(&row).unwrap();
            assert_eq!(got.confirmation, expect);
            assert!(got.seated);
        }
    }
}
