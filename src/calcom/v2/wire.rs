//! Converts the shapes of v2 (`calcom/api.md` 4) to the domain's types. The shapes are
//! distinguished by their fields, because there is no tag; unknown fields and words are accepted.

use serde_json::Value;

use crate::calcom::booker_identity::identify_booker;
use crate::calcom::common_fields::{
    describe_limits, describe_notice, has_seats, minutes, questions, read_attendee,
    read_event_type, read_host,
};
use crate::calcom::lenient_row::{FieldError, Row};
use crate::domain::booking::{Attendee, Booking, Confirmation, EventType, EventTypeRef, Payment};
use crate::domain::id::{EventTypeId, RequestId};

pub(in crate::calcom) fn parse_booking(value: &Value) -> Result<Booking, FieldError> {
    let row = Row::require(value)?;
    let uid = row.uid()?;
    let status = row.status()?;
    let (start, end) = row.time_range("start", "end")?;
    let responses = row.object("bookingFieldsResponses");
    let attendees: Vec<Attendee> = row.objects("attendees").map(attendee).collect();
    let seated = row.get("bookingFieldsResponses").is_none()
        || attendees.iter().any(|attendee| attendee.seat.is_some());
    let booker = if seated {
        None
    } else {
        identify_booker(responses, &attendees)
    };
    Ok(Booking {
        uid,
        id: row.number("id"),
        series: row
            .linked_uid("recurringBookingUid")?
            .as_ref()
            .map(RequestId::from),
        title: row.string("title").unwrap_or_default(),
        description: row.string("description"),
        status,
        host: (row.list("hosts").first())
            .filter(|host| host.is_object())
            .map(|host| read_host(host.into())),
        event_type: event_type_ref(row),
        start,
        end,
        created_at: row.required_instant("createdAt")?,
        updated_at: row.optional_instant("updatedAt"),
        booker,
        attendees,
        guests: row.addresses("guests"),
        has_unread_guests: row.has_unread_addresses("guests"),
        seated,
        rescheduled_from: row.linked_uid("rescheduledFromUid")?,
        rescheduled_to: row.linked_uid("rescheduledToUid")?,
        rescheduled_by: row.address("rescheduledByEmail"),
        cancelled_by: row.address("cancelledByEmail"),
        cancellation_reason: row.string("cancellationReason"),
        absent_host: row.flag("absentHost"),
        location: row.string("location"),
        answers: responses.answers(),
        metadata: row.object("metadata").answers(),
        payment: Payment::NotShown,
        heap_bytes: row.heap_bytes(),
    })
}

/// Returns whether the value is a booking of the contract before 2024-08-13, with times and states
/// under other names. A server answers like that, without a warning, if it does not know the
/// version header.
pub(in crate::calcom) fn is_older_booking(value: &Value) -> bool {
    value.get("startTime").is_some() && value.get("start").is_none()
}

fn event_type_ref(row: Row<'_>) -> Option<EventTypeRef> {
    let nested = row.object("eventType");
    Some(EventTypeRef {
        id: EventTypeId(nested.number("id").or_else(|| row.number("eventTypeId"))?),
        slug: nested.string("slug"),
    })
}

fn attendee(row: Row<'_>) -> Attendee {
    Attendee {
        language: row.string("language"),
        absent: row.flag("absent"),
        seat: row.string("seatUid"),
        ..read_attendee(row)
    }
}

pub(in crate::calcom) fn parse_event_type(value: &Value) -> Result<EventType, FieldError> {
    let row = Row::require(value)?;
    let common = read_event_type(row)?;
    let recurrence = row.object("recurrence");
    Ok(EventType {
        length_minutes: minutes(row, "lengthInMinutes"),
        seated: common.seated || has_seats(row.get("seats")),
        recurring: recurrence.is_present() && !recurrence.flag("disabled"),
        confirmation: confirmation(row.object("confirmationPolicy")),
        questions: questions(row, "slug"),
        limits: describe_own_limits(row),
        ..common
    })
}

/// Describes the event type's own limits in words.
fn describe_own_limits(row: Row<'_>) -> Vec<String> {
    let mut own = describe_limits(row, "bookingLimitsCount", "bookings");
    own.extend(describe_limits(row, "bookingLimitsDuration", "minutes"));
    let active = row.object("bookerActiveBookingsLimit");
    if let Some(maximum) = active.number("maximumActiveBookings") {
        own.push(format!("{maximum} bookings of one booker to come"));
    }
    own
}

fn confirmation(policy: Row<'_>) -> Confirmation {
    if policy.flag("disabled") {
        return Confirmation::Disabled;
    }
    match policy.text("type") {
        Some("always") => Confirmation::Always {
            blocks_slot: policy.flag("blockUnconfirmedBookingsInBooker"),
        },
        Some("time") => Confirmation::ByNotice {
            text: describe_notice(policy.object("noticeThreshold"), "count"),
        },
        _ => Confirmation::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::domain::booking::{Answer, BookingStatus};
    use crate::domain::id::HostId;

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
        assert_eq!((got.guests.len(), got.has_unread_guests), (1, true));
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
