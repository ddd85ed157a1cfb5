//! Reads the fields of a wire object leniently: a field that is null, empty or of another type
//! counts as absent. The functions that return `Result` read fields that a row cannot do without.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Datelike, Utc};
use serde_json::{Map, Value};

use crate::domain::booking::{Answer, BookingStatus, Buffers, EventType, Question, QuestionKind};
use crate::domain::id::{Address, BookingUid, EventTypeId, RequestId};
use crate::domain::time::{Span, Time, truncate_to_millis};

pub(super) type Object = Map<String, Value>;

/// How many characters of an unknown status are kept for display.
const MAX_STATUS_CHARS: usize = 40;

/// Why a row cannot be read: which field, and what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FieldError {
    /// The name of the field; empty if the row itself is wrong.
    pub(super) field: &'static str,
    pub(super) why: &'static str,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            return f.write_str(self.why);
        }
        write!(f, "{} {}", self.field, self.why)
    }
}

/// Returns the row as an object.
pub(super) fn as_object(value: &Value) -> Result<&Object, FieldError> {
    value.as_object().ok_or(FieldError {
        field: "",
        why: "is not an object",
    })
}

/// Returns a text that is not empty.
pub(super) fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str().filter(|text| !text.is_empty())
}

pub(super) fn owned_text(object: &Object, name: &str) -> Option<String> {
    text(object, name).map(str::to_owned)
}

pub(super) fn flag(object: &Object, name: &str) -> bool {
    object.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// Returns a whole number, however it is written (`77`, `77.0`).
pub(super) fn number(object: &Object, name: &str) -> Option<i64> {
    as_whole_number(object.get(name)?)
}

/// Like [`number`], for the value itself.
pub(super) fn as_whole_number(value: &Value) -> Option<i64> {
    /// Beyond this, a float no longer represents one whole number exactly.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let number = value.as_f64()?;
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
}

pub(super) fn object<'a>(object: &'a Object, name: &str) -> Option<&'a Object> {
    object.get(name)?.as_object()
}

/// Returns the items of a list; none if the field is no list.
pub(super) fn list<'a>(object: &'a Object, name: &str) -> &'a [Value] {
    match object.get(name) {
        Some(Value::Array(items)) => items,
        Some(_) | None => &[],
    }
}

/// Returns an event type's booking questions, each of which has its identifier under `key`; `None`
/// if the questions are not shown.
pub(super) fn questions(row: &Object, key: &str) -> Option<Vec<Question>> {
    let fields = row.get("bookingFields")?.as_array()?;
    let fields = fields.iter().filter_map(Value::as_object);
    let question = |field: &Object| {
        Some(Question {
            slug: owned_text(field, key)?,
            kind: QuestionKind::from_type_name(text(field, "type").unwrap_or_default()),
            on_booking_page: !flag(field, "hidden"),
        })
    };
    Some(fields.filter_map(question).collect())
}

/// Returns whether something is switched off for bookers: v2 writes `{"disabled": true}`, older
/// servers a plain boolean.
pub(super) fn is_disabled(row: &Object, name: &str) -> bool {
    match row.get(name) {
        Some(Value::Object(of)) => flag(of, "disabled"),
        Some(value) => value.as_bool().unwrap_or(false),
        None => false,
    }
}

/// Describes Cal.com's own limits by period in words, such as `2 bookings a day`: v2 writes
/// `{"day": 2}` or `{"disabled": true}`, v1 `{"PER_DAY": 2}`.
pub(super) fn describe_limits(row: &Object, name: &str, unit: &str) -> Vec<String> {
    let periods = [
        ("day", "PER_DAY"),
        ("week", "PER_WEEK"),
        ("month", "PER_MONTH"),
        ("year", "PER_YEAR"),
    ];
    let Some(limits) = object(row, name) else {
        return Vec::new();
    };
    let describe = |(period, old): (&str, &str)| {
        let count = number(limits, period).or_else(|| number(limits, old))?;
        Some(format!("{count} {unit} a {period}"))
    };
    periods.into_iter().filter_map(describe).collect()
}

pub(super) fn address(object: &Object, name: &str) -> Option<Address> {
    Address::parse(text(object, name)?).ok()
}

/// Returns the addresses in a list of texts; items that are no address are left out.
pub(super) fn addresses(items: &[Value]) -> Vec<Address> {
    let texts = items.iter().filter_map(Value::as_str);
    texts.filter_map(|text| Address::parse(text).ok()).collect()
}

/// Returns a person's name: a text, or `{firstName, lastName}`.
pub(super) fn name(object: &Object, field: &str) -> Option<String> {
    let parts = match object.get(field)? {
        Value::String(text) => return Some(text.trim().to_owned()).filter(|name| !name.is_empty()),
        Value::Object(parts) => parts,
        _ => return None,
    };
    let both = [text(parts, "firstName"), text(parts, "lastName")];
    let name = both.into_iter().flatten().map(str::trim);
    let name = name.collect::<Vec<_>>().join(" ").trim().to_owned();
    Some(name).filter(|name| !name.is_empty())
}

/// Returns the booking's own uid.
pub(super) fn uid(object: &Object) -> Result<BookingUid, FieldError> {
    let field = "uid";
    let text = text(object, field).ok_or(FieldError {
        field,
        why: "is missing",
    })?;
    BookingUid::parse(text).map_err(|_| FieldError {
        field,
        why: "is not a usable uid",
    })
}

/// Returns the uid of another booking. Unlike other optional fields, a value that is no uid makes
/// the row unreadable: such a link decides who is charged, and what is confirmed together with the
/// booking.
pub(super) fn linked_uid(
    object: &Object,
    field: &'static str,
) -> Result<Option<BookingUid>, FieldError> {
    let text = match object.get(field) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => return Err(invalid_uid(field)),
    };
    BookingUid::parse(text)
        .map(Some)
        .map_err(|_| invalid_uid(field))
}

/// Like [`linked_uid`], for the series.
pub(super) fn series(
    object: &Object,
    field: &'static str,
) -> Result<Option<RequestId>, FieldError> {
    Ok(linked_uid(object, field)?.as_ref().map(RequestId::from))
}

fn invalid_uid(field: &'static str) -> FieldError {
    FieldError {
        field,
        why: "is not a usable uid",
    }
}

/// Returns an instant that must be present.
pub(super) fn required_instant(object: &Object, field: &'static str) -> Result<Time, FieldError> {
    let text = text(object, field).ok_or(FieldError {
        field,
        why: "is missing",
    })?;
    parse_instant(text).ok_or(FieldError {
        field,
        why: "is not an instant",
    })
}

/// Returns an instant that may be absent.
pub(super) fn optional_instant(object: &Object, field: &str) -> Option<Time> {
    parse_instant(text(object, field)?)
}

/// Parses an instant of the years 0 to 9999, also after conversion to UTC. Other years could not be
/// recorded, and a decision that cannot be recorded would hold up all decisions that are recorded
/// with it.
fn parse_instant(text: &str) -> Option<Time> {
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    let at = truncate_to_millis(at.with_timezone(&Utc));
    (0..=9999).contains(&at.year()).then_some(at)
}

/// Returns the status. v2 writes it in lower case, v1 in capitals.
pub(super) fn status(object: &Object) -> Result<BookingStatus, FieldError> {
    let word = text(object, "status").ok_or(FieldError {
        field: "status",
        why: "is missing",
    })?;
    let printable = word.chars().filter(|c| !c.is_control());
    Ok(match word.to_ascii_lowercase().as_str() {
        "pending" => BookingStatus::Pending,
        "accepted" => BookingStatus::Accepted,
        "rejected" => BookingStatus::Rejected,
        "cancelled" => BookingStatus::Cancelled,
        "awaiting_host" => BookingStatus::AwaitingHost,
        _ => BookingStatus::Other(printable.take(MAX_STATUS_CHARS).collect()),
    })
}

/// Returns start and end, which must be in that order.
pub(super) fn time_range(
    object: &Object,
    start: &'static str,
    end: &'static str,
) -> Result<(Time, Time), FieldError> {
    let range = (
        required_instant(object, start)?,
        required_instant(object, end)?,
    );
    if range.1 < range.0 {
        return Err(FieldError {
            field: end,
            why: "is before the start",
        });
    }
    Ok(range)
}

/// Returns an object's values as rules see them.
pub(super) fn to_answers(object: Option<&Object>) -> BTreeMap<String, Answer> {
    let fields = object.into_iter().flatten();
    fields
        .map(|(name, value)| (name.clone(), to_answer(value)))
        .collect()
}

fn to_answer(value: &Value) -> Answer {
    match value {
        Value::Null => Answer::Null,
        Value::Bool(value) => Answer::Bool(*value),
        Value::Number(value) => value.as_f64().map_or(Answer::Null, Answer::Number),
        Value::String(value) => Answer::Text(value.clone()),
        Value::Array(items) => Answer::List(items.iter().map(to_answer).collect()),
        Value::Object(fields) => Answer::Map(to_answers(Some(fields))),
    }
}

/// Returns an event type's number, slug and title. Without the first two, a gate cannot name the
/// event type.
pub(super) fn event_type_names(
    object: &Object,
) -> Result<(EventTypeId, String, String), FieldError> {
    let id = number(object, "id").ok_or(FieldError {
        field: "id",
        why: "is missing or no whole number",
    })?;
    let slug = owned_text(object, "slug").ok_or(FieldError {
        field: "slug",
        why: "is missing",
    })?;
    let title = owned_text(object, "title").unwrap_or_else(|| slug.clone());
    Ok((EventTypeId(id), slug, title))
}

/// Returns the larger of an event type's own price and the prices of its payment apps, because the
/// column may lag behind (`calcom/api.md` 3.5). Fractions are rounded up, so that what is not free
/// never looks free.
pub(super) fn price(object: &Object) -> i64 {
    let column = object.get("price").map_or(0, round_up);
    let apps = object
        .get("metadata")
        .and_then(|metadata| metadata.get("apps"))
        .and_then(Value::as_object);
    let prices = apps
        .into_iter()
        .flatten()
        .filter_map(|(_, app)| app.get("price"));
    prices.map(round_up).fold(column, i64::max)
}

fn round_up(value: &Value) -> i64 {
    match as_whole_number(value) {
        Some(number) => number,
        None => value.as_f64().map_or(0, |number| number.ceil() as i64),
    }
}

/// Returns whether the field says that seats are sold one by one. v2 writes `{"disabled": true}` or
/// the details, v1 a number or null.
pub(super) fn has_seats(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Object(seats)) => !flag(seats, "disabled"),
        Some(value) => as_whole_number(value).is_some_and(|seats| seats > 0),
        None => false,
    }
}

/// Returns a length in minutes; zero if it is not shown.
pub(super) fn minutes(object: &Object, field: &str) -> u32 {
    let minutes = number(object, field).and_then(|minutes| u32::try_from(minutes).ok());
    minutes.unwrap_or(0)
}

/// Returns the time that an event type keeps free before and after its bookings. Cal.com's form
/// offers two hours at most; more than a day is not believed.
pub(super) fn buffers(object: &Object) -> Buffers {
    let span = |field| Span::minutes(minutes(object, field).into()).min(Span::hours(24));
    Buffers {
        before: span("beforeEventBuffer"),
        after: span("afterEventBuffer"),
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn to_object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

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
            let actual = questions(&to_object(value.clone()), key);
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
            assert_eq!(questions(&to_object(row), "slug"), Some(expect), "{word}");
        }
    }

    #[test]
    fn limits_and_switches_are_read_in_either_form() {
        let row = to_object(json!({
            "count": {"day": 2, "month": 9}, "old": {"PER_WEEK": 60}, "off": {"disabled": true},
            "none": null, "cancel": {"disabled": true}, "move": {"disabled": false}, "word": true,
        }));
        assert_eq!(
            describe_limits(&row, "count", "bookings"),
            ["2 bookings a day", "9 bookings a month"]
        );
        assert_eq!(
            describe_limits(&row, "old", "minutes"),
            ["60 minutes a week"]
        );
        for name in ["off", "none", "missing"] {
            assert_eq!(
                describe_limits(&row, name, "bookings"),
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
            assert_eq!(is_disabled(&row, name), expect, "{name}");
        }
    }

    #[test]
    fn a_name_is_a_text_or_two_parts() {
        let rows = [
            (json!({"n": " Bo "}), Some("Bo")),
            (
                json!({"n": {"firstName": "Bo", "lastName": "Booker"}}),
                Some("Bo Booker"),
            ),
            (json!({"n": {"firstName": "Bo"}}), Some("Bo")),
            (json!({"n": {"firstName": "", "lastName": " "}}), None),
            (json!({"n": ""}), None),
            (json!({"n": 5}), None),
            (json!({"n": null}), None),
            (json!({}), None),
        ];
        for (value, expect) in rows {
            assert_eq!(
                name(&to_object(value.clone()), "n").as_deref(),
                expect,
                "{value}"
            );
        }
    }

    #[test]
    fn numbers_are_whole_however_written() {
        let rows = [
            (json!(77), Some(77)),
            (json!(77.0), Some(77)),
            (json!(-1), Some(-1)),
            (json!(77.5), None),
            (json!("77"), None),
            (json!(1e300), None),
            (json!(null), None),
            (json!([7]), None),
        ];
        for (value, expect) in rows {
            assert_eq!(as_whole_number(&value), expect, "{value}");
        }
    }

    #[test]
    fn instants_are_kept_to_the_millisecond() {
        let rows = [
            ("2026-12-01T10:00:00.123Z", Some("2026-12-01T10:00:00.123Z")),
            (
                "2026-12-01T10:00:00.123999Z",
                Some("2026-12-01T10:00:00.123Z"),
            ),
            (
                "2026-12-01T12:00:00+02:00",
                Some("2026-12-01T10:00:00.000Z"),
            ),
            ("2026-12-01", None),
            ("yesterday", None),
            ("2026-13-01T10:00:00Z", None),
            ("9999-12-31T23:59:59.999Z", Some("9999-12-31T23:59:59.999Z")),
            ("9999-12-31T23:59:59.999-14:00", None),
            ("0000-01-01T00:00:00+14:00", None),
        ];
        for (text, expect) in rows {
            let got = parse_instant(text)
                .map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
            assert_eq!(got.as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn a_link_that_is_no_uid_is_an_error() {
        let bad = Err(invalid_uid("l"));
        let rows = [
            (json!({}), Ok(None)),
            (json!({"l": null}), Ok(None)),
            (json!({"l": ""}), Ok(None)),
            (json!({"l": "abc"}), Ok(Some("abc".to_owned()))),
            (json!({"l": "a/b"}), bad.clone()),
            (json!({"l": 5}), bad.clone()),
            (json!({"l": {}}), bad),
        ];
        for (value, expect) in rows {
            let got =
                linked_uid(&to_object(value.clone()), "l").map(|l| l.map(|uid| uid.to_string()));
            assert_eq!(got, expect, "{value}");
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
            assert_eq!(price(&to_object(value.clone())), expect, "{value}");
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
