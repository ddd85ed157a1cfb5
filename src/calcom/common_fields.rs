//! The parts of users, people and event types that both dialects show in the same way.

use serde_json::Value;

use super::lenient_row::{FieldError, Row, as_whole_number};
use super::port::CurrentUser;
use crate::domain::booking::{
    Attendee, Buffers, Confirmation, EventType, Host, Question, QuestionKind,
};
use crate::domain::id::{EventTypeId, HostId};
use crate::domain::time::Span;

/// Reads the user that the key acts as. Whether the user is an administrator is up to the dialect.
pub(super) fn read_current_user(value: &Value) -> Result<CurrentUser, FieldError> {
    let user = Row::require(value)?;
    Ok(CurrentUser {
        id: HostId(user.required_number("id")?),
        username: user.string("username"),
        address: user.address("email"),
        time_zone: user.string("timeZone"),
        admin: false,
    })
}

pub(super) fn read_host(host: Row<'_>) -> Host {
    Host {
        // The server sends the text "unknown" if the user is gone.
        id: host.number("id").map(HostId),
        address: host.address("email"),
        name: host.string("name"),
        time_zone: host.string("timeZone"),
    }
}

/// Reads an attendee. Language, absence and seat are up to the dialect.
pub(super) fn read_attendee(attendee: Row<'_>) -> Attendee {
    Attendee {
        address: attendee.address("email"),
        name: attendee.name("name"),
        time_zone: attendee.string("timeZone"),
        language: None,
        absent: false,
        seat: None,
    }
}

/// Reads what both dialects show of an event type; the rest is as if it were not shown. Without a
/// number and a slug, a gate cannot name the event type.
pub(super) fn read_event_type(row: Row<'_>) -> Result<EventType, FieldError> {
    let id = EventTypeId(row.required_number("id")?);
    let slug = row.required_text("slug")?.to_owned();
    Ok(EventType {
        id,
        title: row.string("title").unwrap_or_else(|| slug.clone()),
        slug,
        length_minutes: 0,
        buffers: buffers(row),
        price: price(row),
        seated: has_seats(row.get("seatsPerTimeSlot")),
        recurring: false,
        confirmation: Confirmation::Unknown,
        verifies_address: row.optional_flag("requiresBookerEmailVerification"),
        questions: None,
        disables_cancelling: is_disabled(row, "disableCancelling"),
        disables_rescheduling: is_disabled(row, "disableRescheduling"),
        limits: Vec::new(),
    })
}

/// Decodes the event types that can be read. An unreadable event type is logged and left out; a
/// gate that names it then finds that it is missing.
pub(super) fn decode_readable_event_types(
    items: &[Value],
    decode: impl Fn(&Value) -> Result<EventType, FieldError>,
) -> Vec<EventType> {
    let mut types = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        match decode(item) {
            Ok(event_type) => types.push(event_type),
            Err(why) => tracing::warn!(place, %why, "an event type could not be read"),
        }
    }
    types
}

/// Returns an event type's booking questions, each of which has its identifier under `key`; `None`
/// if the questions are not shown.
pub(super) fn questions(row: Row<'_>, key: &str) -> Option<Vec<Question>> {
    row.get("bookingFields")?.as_array()?;
    let question = |field: Row<'_>| {
        Some(Question {
            slug: field.string(key)?,
            kind: QuestionKind::from_type_name(field.text("type").unwrap_or_default()),
            on_booking_page: !field.flag("hidden"),
        })
    };
    Some(row.objects("bookingFields").filter_map(question).collect())
}

/// Returns a length in minutes; zero if it is not shown.
pub(super) fn minutes(row: Row<'_>, field: &str) -> u32 {
    let minutes = row.number(field).map(u32::try_from);
    minutes.and_then(Result::ok).unwrap_or(0)
}

/// Describes Cal.com's own limits by period in words, such as `2 bookings a day`: v2 writes
/// `{"day": 2}` or `{"disabled": true}`, v1 `{"PER_DAY": 2}`.
pub(super) fn describe_limits(row: Row<'_>, field: &str, unit: &str) -> Vec<String> {
    let periods = [
        ("day", "PER_DAY"),
        ("week", "PER_WEEK"),
        ("month", "PER_MONTH"),
        ("year", "PER_YEAR"),
    ];
    let limits = row.object(field);
    let describe = |(period, old): (&str, &str)| {
        let count = limits.number(period).or_else(|| limits.number(old))?;
        Some(format!("{count} {unit} a {period}"))
    };
    periods.into_iter().filter_map(describe).collect()
}

/// Describes the notice from which on a booking waits for the host, such as `48 hours`.
pub(super) fn describe_notice(threshold: Row<'_>, count_field: &str) -> String {
    match (threshold.number(count_field), threshold.text("unit")) {
        (Some(count), Some(unit)) => format!("{count} {unit}"),
        _ => "a threshold that is not shown".to_owned(),
    }
}

/// Returns the larger of an event type's own price and the prices of its payment apps, because the
/// column may lag behind (`calcom/api.md` 3.5). Fractions are rounded up, so that what is not free
/// never looks free.
pub(super) fn price(row: Row<'_>) -> i64 {
    let apps = row.object("metadata").object("apps").fields();
    let prices = apps.filter_map(|(_, app)| app.get("price")).map(round_up);
    prices.fold(row.get("price").map_or(0, round_up), i64::max)
}

/// Returns whether the field says that seats are sold one by one. v2 writes `{"disabled": true}` or
/// the details, v1 a number or null.
pub(super) fn has_seats(value: Option<&Value>) -> bool {
    match value {
        Some(seats @ Value::Object(_)) => !Row::from(seats).flag("disabled"),
        Some(value) => as_whole_number(value).is_some_and(|seats| seats > 0),
        None => false,
    }
}

fn round_up(value: &Value) -> i64 {
    match as_whole_number(value) {
        Some(number) => number,
        None => value.as_f64().map_or(0, |number| number.ceil() as i64),
    }
}

/// Returns the time that an event type keeps free before and after its bookings. Cal.com's form
/// offers two hours at most; more than a day is not believed.
fn buffers(row: Row<'_>) -> Buffers {
    let span = |field| Span::minutes(minutes(row, field).into()).min(Span::hours(24));
    Buffers {
        before: span("beforeEventBuffer"),
        after: span("afterEventBuffer"),
    }
}

/// Returns whether something is switched off for bookers: v2 writes `{"disabled": true}`, older
/// servers a plain boolean.
fn is_disabled(row: Row<'_>, field: &str) -> bool {
    row.flag(field) || row.object(field).flag("disabled")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn questions_are_those_that_are_shown() {
        let fields = json!([{"slug": "pin", "name": "member-pin"}, {"slug": ""}, 7, {"type": "x"}]);
        let rows = [
            (json!({"bookingFields": fields}), "slug", Some(vec!["pin"])),
            (
                json!({"bookingFields": fields}),
                "name",
                Some(vec!["member-pin"]),
            ),
            (json!({"bookingFields": []}), "slug", Some(vec![])),
            (json!({"bookingFields": null}), "slug", None),
            (json!({}), "slug", None),
        ];
        for (value, key, expect) in rows {
            let actual = questions(Row::from(&value), key);
            let actual = actual
                .as_ref()
                .map(|of| of.iter().map(|one| one.slug.as_str()).collect());
            assert_eq!(actual, expect, "{value} {key}");
        }
    }

    #[test]
    fn a_question_has_the_kind_of_its_type() {
        let rows = [
            ("number", QuestionKind::Number),
            ("boolean", QuestionKind::Flag),
            ("checkbox", QuestionKind::List),
            ("multiselect", QuestionKind::List),
            ("multiemail", QuestionKind::List),
            ("text", QuestionKind::Text),
            ("textarea", QuestionKind::Text),
            ("select", QuestionKind::Text),
            ("radio", QuestionKind::Text),
            ("address", QuestionKind::Text),
            ("phone", QuestionKind::Text),
            ("url", QuestionKind::Text),
            ("radioInput", QuestionKind::Other),
            ("something new", QuestionKind::Other),
        ];
        for (word, kind) in rows {
            let row = json!({"bookingFields": [{"slug": "q", "type": word, "hidden": true}]});
            let expect = vec![Question {
                slug: "q".to_owned(),
                kind,
                on_booking_page: false,
            }];
            assert_eq!(questions(Row::from(&row), "slug"), Some(expect), "{word}");
        }
    }

    #[test]
    fn limits_and_switches_are_read_in_either_form() {
        let row = json!({
            "count": {"day": 2, "month": 9}, "old": {"PER_WEEK": 60}, "off": {"disabled": true},
            "none": null, "cancel": {"disabled": true}, "move": {"disabled": false}, "word": true,
        });
        let row = Row::from(&row);
        assert_eq!(
            describe_limits(row, "count", "bookings"),
            ["2 bookings a day", "9 bookings a month"]
        );
        assert_eq!(
            describe_limits(row, "old", "minutes"),
            ["60 minutes a week"]
        );
        for name in ["off", "none", "missing"] {
            assert_eq!(
                describe_limits(row, name, "bookings"),
                Vec::<String>::new(),
                "{name}"
            );
        }
        for (name, expect) in [
            ("cancel", true),
            ("move", false),
            ("word", true),
            ("none", false),
        ] {
            assert_eq!(is_disabled(row, name), expect, "{name}");
        }
    }

    #[test]
    fn the_price_is_the_larger_of_column_and_apps() {
        let rows = [
            (json!({}), 0),
            (json!({"price": 500}), 500),
            (json!({"price": 0.5}), 1),
            (
                json!({"price": 0, "metadata": {"apps": {"stripe": {"price": 900}}}}),
                900,
            ),
            (
                json!({"price": 1000, "metadata": {"apps": {"stripe": {"price": 900}}}}),
                1000,
            ),
            (json!({"price": "free", "metadata": {"apps": []}}), 0),
            (json!({"price": null, "metadata": null}), 0),
        ];
        for (value, expect) in rows {
            assert_eq!(price(Row::from(&value)), expect, "{value}");
        }
    }

    #[test]
    fn seats_are_read_from_their_details() {
        let rows = [
            (json!({"disabled": true}), false),
            (json!({"seatsPerTimeSlot": 3}), true),
            (json!(4), true),
            (json!(0), false),
            (json!(null), false),
            (json!("3"), false),
        ];
        for (value, expect) in rows {
            assert_eq!(has_seats(Some(&value)), expect, "{value}");
        }
        assert!(!has_seats(None));
    }
}
