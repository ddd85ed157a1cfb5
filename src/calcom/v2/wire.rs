//! Converts the shapes of v2 (`calcom/api.md` 4) to the domain's types. The shapes are
//! distinguished by their fields, because there is no tag; unknown fields and words are accepted.

use serde_json::Value;

use crate::calcom::booker_identity::identify_booker;
use crate::calcom::lenient_fields::{
    FieldError, Object, address, addresses, as_object, buffers, describe_limits, event_type_names,
    flag, has_seats, is_disabled, linked_uid, list, minutes, name, number, object,
    optional_instant, owned_text, price, questions, required_instant, series, status, text,
    time_range, to_answers, uid,
};
use crate::calcom::port::CurrentUser;
use crate::domain::booking::{
    Attendee, Booking, Confirmation, EventType, EventTypeRef, Host, Payment,
};
use crate::domain::id::{EventTypeId, HostId};

pub(in crate::calcom) fn parse_booking(value: &Value) -> Result<Booking, FieldError> {
    let row = as_object(value)?;
    let uid = uid(row)?;
    let status = status(row)?;
    let (start, end) = time_range(row, "start", "end")?;
    let responses = object(row, "bookingFieldsResponses");
    let attendees = attendees(row);
    let seated = !row.contains_key("bookingFieldsResponses")
        || attendees.iter().any(|attendee| attendee.seat.is_some());
    let booker = if seated {
        None
    } else {
        identify_booker(responses, &attendees)
    };
    Ok(Booking {
        uid,
        id: number(row, "id"),
        series: series(row, "recurringBookingUid")?,
        title: owned_text(row, "title").unwrap_or_default(),
        description: owned_text(row, "description"),
        status,
        host: list(row, "hosts")
            .first()
            .and_then(Value::as_object)
            .map(host),
        event_type: event_type_ref(row),
        start,
        end,
        created_at: required_instant(row, "createdAt")?,
        updated_at: optional_instant(row, "updatedAt"),
        booker,
        attendees,
        guests: addresses(list(row, "guests")),
        seated,
        rescheduled_from: linked_uid(row, "rescheduledFromUid")?,
        rescheduled_to: linked_uid(row, "rescheduledToUid")?,
        rescheduled_by: address(row, "rescheduledByEmail"),
        cancelled_by: address(row, "cancelledByEmail"),
        cancellation_reason: owned_text(row, "cancellationReason"),
        absent_host: flag(row, "absentHost"),
        location: owned_text(row, "location"),
        answers: to_answers(responses),
        metadata: to_answers(object(row, "metadata")),
        payment: Payment::NotShown,
    })
}

/// Returns whether the value is a booking of the contract before 2024-08-13, with times and states
/// under other names. A server answers like that, without a warning, if it does not know the
/// version header.
pub(in crate::calcom) fn is_older_booking(value: &Value) -> bool {
    let Some(row) = value.as_object() else {
        return false;
    };
    row.contains_key("startTime") && !row.contains_key("start")
}

fn host(host: &Object) -> Host {
    Host {
        // The server sends the text "unknown" if the user is gone.
        id: number(host, "id").map(HostId),
        address: address(host, "email"),
        name: owned_text(host, "name"),
        time_zone: owned_text(host, "timeZone"),
    }
}

fn event_type_ref(row: &Object) -> Option<EventTypeRef> {
    let nested = object(row, "eventType");
    let id = nested.and_then(|nested| number(nested, "id"));
    Some(EventTypeRef {
        id: EventTypeId(id.or_else(|| number(row, "eventTypeId"))?),
        slug: nested.and_then(|nested| owned_text(nested, "slug")),
    })
}

fn attendees(row: &Object) -> Vec<Attendee> {
    let attendees = list(row, "attendees").iter().filter_map(Value::as_object);
    attendees
        .map(|attendee| Attendee {
            address: address(attendee, "email"),
            name: name(attendee, "name"),
            time_zone: owned_text(attendee, "timeZone"),
            language: owned_text(attendee, "language"),
            absent: flag(attendee, "absent"),
            seat: owned_text(attendee, "seatUid"),
        })
        .collect()
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
        admin: false,
    })
}

pub(in crate::calcom) fn parse_event_type(value: &Value) -> Result<EventType, FieldError> {
    let row = as_object(value)?;
    let (id, slug, title) = event_type_names(row)?;
    Ok(EventType {
        id,
        slug,
        title,
        length_minutes: minutes(row, "lengthInMinutes"),
        buffers: buffers(row),
        price: price(row),
        seated: has_seats(row.get("seats")) || has_seats(row.get("seatsPerTimeSlot")),
        recurring: object(row, "recurrence").is_some_and(|of| !flag(of, "disabled")),
        confirmation: confirmation(row),
        verifies_address: row
            .get("requiresBookerEmailVerification")
            .and_then(Value::as_bool),
        questions: questions(row, "slug"),
        disables_cancelling: is_disabled(row, "disableCancelling"),
        disables_rescheduling: is_disabled(row, "disableRescheduling"),
        limits: describe_own_limits(row),
    })
}

/// Describes the event type's own limits in words.
fn describe_own_limits(row: &Object) -> Vec<String> {
    let mut own = describe_limits(row, "bookingLimitsCount", "bookings");
    own.extend(describe_limits(row, "bookingLimitsDuration", "minutes"));
    let active = object(row, "bookerActiveBookingsLimit");
    if let Some(maximum) = active.and_then(|of| number(of, "maximumActiveBookings")) {
        own.push(format!("{maximum} bookings of one booker to come"));
    }
    own
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
            text: describe_notice(policy),
        },
        _ => Confirmation::Unknown,
    }
}

/// Describes the threshold in words, such as `48 hours`.
fn describe_notice(policy: &Object) -> String {
    let threshold = object(policy, "noticeThreshold");
    let count = threshold.and_then(|threshold| number(threshold, "count"));
    let unit = threshold.and_then(|threshold| text(threshold, "unit"));
    match (count, unit) {
        (Some(count), Some(unit)) => format!("{count} {unit}"),
        _ => "a threshold that is not shown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::domain::booking::{Answer, BookingStatus};

    use super::*;

    fn pending_booking() -> Value {
        json!({
            "id": 4711, "uid": "kV2s9qTtV6zB1dPz7aYw3e", "title": "Lesson", "description": "",
            "hosts": [{"id": 12, "name": "Ada", "email": "Ada@Example.org",
                       "timeZone": "Europe/Berlin"}],
            "status": "pending", "cancellationReason": "", "cancelledByEmail": "",
            "start": "2026-12-01T09:00:00.000Z", "end": "2026-12-01T10:00:00.000Z", "duration": 60,
            "eventTypeId": 77, "eventType": {"id": 77, "slug": "lesson"},
            "location": "integrations:daily",
            "absentHost": false, "createdAt": "2026-11-20T08:15:30.123Z", "updatedAt": null,
            "attendees": [{"name": "Bo", "email": "Bo@Example.com", "timeZone": "Europe/Paris",
                           "language": "en", "absent": false}],
            "guests": ["cy@example.com", "nobody"],
            "bookingFieldsResponses": {"name": "Bo Booker", "email": "Bo@Example.com",
                                       "level": [1, null]},
            "metadata": {"ticket": "42"}
        })
    }

    /// A booking that a confirm revived, as a genuine server shows it: accepted, with the signs of
    /// the cancellation.
    #[test]
    fn a_revived_booking_is_seen_as_one() {
        let row = include_str!("../../../tests/inputs/booking-revived.json");
        let read = parse_booking(&serde_json::from_str(row).unwrap()).unwrap();
        assert_eq!(read.status, BookingStatus::Accepted);
        assert!(read.was_cancelled());
        let sight = crate::domain::intent::BookingState::from_booking(&read);
        assert_eq!(
            sight,
            crate::domain::intent::BookingState::AcceptedAfterCancel
        );
    }

    /// Returns the pending booking with some fields replaced, or removed where the change is
    /// "GONE".
    fn booking_with(changes: Value) -> Value {
        let mut row = pending_booking();
        for (name, value) in changes.as_object().unwrap() {
            if value == "GONE" {
                row.as_object_mut().unwrap().remove(name);
            } else {
                row[name] = value.clone();
            }
        }
        row
    }

    #[test]
    fn a_booking_is_read_in_full() {
        let got = parse_booking(&pending_booking()).unwrap();
        assert_eq!(got.uid.as_str(), "kV2s9qTtV6zB1dPz7aYw3e");
        assert_eq!(got.id, Some(4711));
        assert_eq!(got.status, BookingStatus::Pending);
        assert_eq!(got.host_id(), Some(HostId(12)));
        assert_eq!(
            got.host.unwrap().address.unwrap().as_str(),
            "ada@example.org"
        );
        assert_eq!(got.event_type.unwrap().slug.as_deref(), Some("lesson"));
        assert_eq!(got.created_at.timestamp_subsec_millis(), 123);
        assert_eq!(got.updated_at, None);
        assert_eq!((got.description, got.cancellation_reason), (None, None));
        let booker = got.booker.unwrap();
        assert_eq!(booker.address.as_str(), "bo@example.com");
        assert_eq!(booker.name.as_deref(), Some("Bo Booker"));
        assert_eq!(booker.time_zone.as_deref(), Some("Europe/Paris"));
        assert_eq!(got.guests.len(), 1);
        let list = Answer::List(vec![Answer::Number(1.0), Answer::Null]);
        assert_eq!(got.answers["level"], list);
        assert_eq!(got.metadata["ticket"], Answer::Text("42".to_owned()));
        assert_eq!(got.payment, Payment::NotShown);
        assert!(!got.seated);
    }

    #[test]
    fn what_is_odd_in_other_fields_does_not_matter() {
        let rows = [
            json!({"hosts": [{"id": "unknown", "username": "unknown"}]}),
            json!({"hosts": []}),
            json!({"hosts": null}),
            json!({"eventType": null, "eventTypeId": null}),
            json!({"eventType": "lesson"}),
            json!({"title": 5, "description": {}, "location": [], "metadata": "x"}),
            json!({"attendees": "nobody"}),
            json!({"attendees": [5, null, {"email": 7}]}),
            json!({"updatedAt": 5, "rating": {}, "absentHost": "yes"}),
            json!({"rescheduledFromUid": null, "rescheduledToUid": ""}),
            json!({"recurringBookingUid": null}),
            json!({"newField": {"a": [1, 2, 3]}}),
            json!({"id": "4711"}),
            json!({"status": "awaiting_host"}),
            json!({"status": "half-accepted"}),
        ];
        for changes in rows {
            let got = parse_booking(&booking_with(changes.clone()));
            assert!(got.is_ok(), "{changes}: {got:?}");
        }
        let host = parse_booking(&booking_with(json!({"hosts": [{"id": "unknown"}]}))).unwrap();
        assert_eq!(host.host_id(), None);
        let status = |word: &str| {
            parse_booking(&booking_with(json!({"status": word})))
                .unwrap()
                .status
        };
        assert_eq!(status("awaiting_host"), BookingStatus::AwaitingHost);
        assert_eq!(
            status("half\u{7}-accepted"),
            BookingStatus::Other("half-accepted".to_owned())
        );
    }

    #[test]
    fn what_a_booking_cannot_do_without_makes_the_row_unreadable() {
        let rows = [
            (json!({"uid": "GONE"}), "uid is missing"),
            (json!({"uid": 5}), "uid is missing"),
            (json!({"uid": "a/b"}), "uid is not a usable uid"),
            (json!({"status": null}), "status is missing"),
            (json!({"start": "GONE"}), "start is missing"),
            (json!({"start": "soon"}), "start is not an instant"),
            (json!({"end": 5}), "end is missing"),
            (
                json!({"end": "2026-12-01T08:59:59.999Z"}),
                "end is before the start",
            ),
            (json!({"createdAt": null}), "createdAt is missing"),
            (
                json!({"recurringBookingUid": 5}),
                "recurringBookingUid is not a usable uid",
            ),
            (
                json!({"recurringBookingUid": "a b"}),
                "recurringBookingUid is not a usable uid",
            ),
            (
                json!({"rescheduledFromUid": {}}),
                "rescheduledFromUid is not a usable uid",
            ),
        ];
        for (changes, expect) in rows {
            let got = parse_booking(&booking_with(changes.clone())).map_err(|why| why.to_string());
            assert_eq!(got, Err(expect.to_owned()), "{changes}");
        }
        for row in [json!(null), json!([]), json!("x")] {
            assert_eq!(
                parse_booking(&row).unwrap_err().to_string(),
                "is not an object"
            );
        }
    }

    #[test]
    fn a_seated_booking_has_no_single_booker() {
        let seats = json!([{"email": "bo@example.com", "seatUid": "s1"}]);
        let rows = [
            (json!({"bookingFieldsResponses": "GONE"}), true),
            (json!({"attendees": seats}), true),
            (
                json!({"bookingFieldsResponses": "GONE", "attendees": []}),
                true,
            ),
            (json!({}), false),
            (json!({"bookingFieldsResponses": null}), false),
        ];
        for (changes, seated) in rows {
            let got = parse_booking(&booking_with(changes.clone())).unwrap();
            assert_eq!(got.seated, seated, "{changes}");
            assert_eq!(got.booker.is_none(), seated, "{changes}");
        }
    }

    #[test]
    fn an_unreadable_address_is_no_booker() {
        let unknown = json!({"bookingFieldsResponses": {"name": "unknown", "email": "unknown"}});
        assert_eq!(parse_booking(&booking_with(unknown)).unwrap().booker, None);
    }

    #[test]
    fn event_types_say_when_they_ask_the_host() {
        let policy = |policy: Value| {
            let row = json!({"id": 7, "slug": "s", "confirmationPolicy": policy});
            parse_event_type(&row).unwrap().confirmation
        };
        let threshold = json!({"type": "time", "noticeThreshold": {"unit": "hours", "count": 48}});
        let rows = [
            (json!({"disabled": true}), Confirmation::Disabled),
            (
                json!({"type": "always"}),
                Confirmation::Always { blocks_slot: false },
            ),
            (
                json!({"type": "always", "blockUnconfirmedBookingsInBooker": true}),
                Confirmation::Always { blocks_slot: true },
            ),
            (
                threshold,
                Confirmation::ByNotice {
                    text: "48 hours".to_owned(),
                },
            ),
            (json!({"type": "sometimes"}), Confirmation::Unknown),
            (json!(null), Confirmation::Unknown),
            (json!("always"), Confirmation::Unknown),
        ];
        for (value, expect) in rows {
            assert_eq!(policy(value.clone()), expect, "{value}");
        }
        assert!(parse_event_type(&json!({"id": 7})).is_err());
        assert!(parse_event_type(&json!({"slug": "s"})).is_err());
    }
}
