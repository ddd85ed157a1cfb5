//! Reads a JSON object leniently: a field that is null, empty or of another type counts as absent.
//! Functions that return `Result` read fields that a booking or event type cannot do without.
//!
//! Own code instead of `serde_with`: its `DefaultOnError` does not say which field is wrong and why,
//! and each field would be recorded twice, for the wire and for the domain.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Datelike, Utc};
use serde_json::{Map, Value};

use crate::domain::booking::{Answer, BookingStatus};
use crate::domain::id::{Address, BookingUid};
use crate::domain::time::{Time, truncate_to_millis};

/// The most fields in one node of a map, and the memory of a node.
const NODE_FIELDS: usize = 11;
const NODE_BYTES: usize = NODE_FIELDS * (size_of::<String>() + size_of::<Answer>());

/// How many characters of an unknown status are kept for display.
const MAX_STATUS_CHARS: usize = 40;

/// Why an object cannot be used: which field, and what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FieldError {
    /// The name of the field; empty if the value is no object.
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

/// A JSON object. An object that is absent has no fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a>(Option<&'a Map<String, Value>>);

impl<'a> From<&'a Map<String, Value>> for Row<'a> {
    fn from(fields: &'a Map<String, Value>) -> Self {
        Self(Some(fields))
    }
}

impl<'a> From<&'a Value> for Row<'a> {
    fn from(value: &'a Value) -> Self {
        Self(value.as_object())
    }
}

impl<'a> Row<'a> {
    /// Returns the value as an object, which it must be.
    pub(super) fn require(value: &'a Value) -> Result<Self, FieldError> {
        match value {
            Value::Object(fields) => Ok(Self(Some(fields))),
            _ => Err(FieldError {
                field: "",
                why: "is not an object",
            }),
        }
    }

    /// Returns whether the object is there, possibly without fields.
    pub(super) fn is_present(self) -> bool {
        self.0.is_some()
    }

    /// Returns the value of a field, of whatever type.
    pub(super) fn get(self, field: &str) -> Option<&'a Value> {
        self.0?.get(field)
    }

    /// Returns the names and values of all fields.
    pub(super) fn fields(self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.0.into_iter().flatten()
    }

    /// Returns a text that is not empty.
    pub(super) fn text(self, field: &str) -> Option<&'a str> {
        self.get(field)?.as_str().filter(|text| !text.is_empty())
    }

    /// Does the same as [`Row::text`] for a text that is kept.
    pub(super) fn string(self, field: &str) -> Option<String> {
        self.text(field).map(str::to_owned)
    }

    pub(super) fn flag(self, field: &str) -> bool {
        self.optional_flag(field).unwrap_or(false)
    }

    pub(super) fn optional_flag(self, field: &str) -> Option<bool> {
        self.get(field)?.as_bool()
    }

    /// Returns a whole number, however it is written (`77`, `77.0`).
    pub(super) fn number(self, field: &str) -> Option<i64> {
        as_whole_number(self.get(field)?)
    }

    pub(super) fn object(self, field: &str) -> Self {
        Self(self.get(field).and_then(Value::as_object))
    }

    /// Returns the items of a list; none if the field is no list.
    pub(super) fn list(self, field: &str) -> &'a [Value] {
        match self.get(field) {
            Some(Value::Array(items)) => items,
            Some(_) | None => &[],
        }
    }

    /// Returns those items of a list that are objects.
    pub(super) fn objects(self, field: &str) -> impl Iterator<Item = Self> {
        let items = self.list(field).iter().map(Row::from);
        items.filter(|item| item.is_present())
    }

    pub(super) fn address(self, field: &str) -> Option<Address> {
        Address::parse(self.text(field)?).ok()
    }

    /// Returns the addresses in a list of texts; items that are no address are left out.
    pub(super) fn addresses(self, field: &str) -> Vec<Address> {
        let texts = self.list(field).iter().filter_map(Value::as_str);
        texts.filter_map(|text| Address::parse(text).ok()).collect()
    }

    /// Returns true if the field holds something that [`Row::addresses`] leaves out.
    pub(super) fn has_unread_addresses(self, field: &str) -> bool {
        match self.get(field) {
            None | Some(Value::Null) => false,
            Some(Value::Array(items)) => items.len() != self.addresses(field).len(),
            Some(_) => true,
        }
    }

    /// Returns a person's name: a text, or `{firstName, lastName}`.
    pub(super) fn name(self, field: &str) -> Option<String> {
        let parts = self.object(field);
        let name = match self.text(field) {
            Some(name) => name.trim().to_owned(),
            None => {
                let both = [parts.text("firstName"), parts.text("lastName")];
                let words: Vec<&str> = both.into_iter().flatten().map(str::trim).collect();
                words.join(" ").trim().to_owned()
            }
        };
        Some(name).filter(|name| !name.is_empty())
    }

    pub(super) fn required_number(self, field: &'static str) -> Result<i64, FieldError> {
        self.number(field).ok_or(FieldError {
            field,
            why: "is missing or no whole number",
        })
    }

    pub(super) fn required_text(self, field: &'static str) -> Result<&'a str, FieldError> {
        self.text(field).ok_or(FieldError {
            field,
            why: "is missing",
        })
    }

    /// Returns the booking's own uid.
    pub(super) fn uid(self) -> Result<BookingUid, FieldError> {
        parse_uid("uid", self.required_text("uid")?)
    }

    /// Returns the uid of another booking. Unlike other optional fields, a value that is no uid
    /// makes the row unreadable: such a link decides who is charged, and what is confirmed together
    /// with the booking.
    pub(super) fn linked_uid(self, field: &'static str) -> Result<Option<BookingUid>, FieldError> {
        match self.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(value) => parse_uid(field, value.as_str().unwrap_or_default()).map(Some),
        }
    }

    pub(super) fn required_instant(self, field: &'static str) -> Result<Time, FieldError> {
        parse_instant(self.required_text(field)?).ok_or(FieldError {
            field,
            why: "is not an instant",
        })
    }

    pub(super) fn optional_instant(self, field: &str) -> Option<Time> {
        parse_instant(self.text(field)?)
    }

    /// Returns start and end, which must be in that order.
    pub(super) fn time_range(
        self,
        start_field: &'static str,
        end_field: &'static str,
    ) -> Result<(Time, Time), FieldError> {
        let start = self.required_instant(start_field)?;
        let end = self.required_instant(end_field)?;
        if end < start {
            return Err(FieldError {
                field: end_field,
                why: "is before the start",
            });
        }
        Ok((start, end))
    }

    /// Returns the status. v2 writes it in lower case, v1 in capitals.
    pub(super) fn status(self) -> Result<BookingStatus, FieldError> {
        let word = self.required_text("status")?;
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

    /// Returns the object's values as rules see them.
    pub(super) fn answers(self) -> BTreeMap<String, Answer> {
        let answer = |(name, value): (&String, &Value)| (name.clone(), to_answer(value));
        self.fields().map(answer).collect()
    }

    /// Returns the memory that the values of the fields take at most when a booking keeps them:
    /// their texts, the items of their lists, and the nodes of their maps.
    pub(super) fn heap_bytes(self) -> usize {
        self.fields().map(|(_, value)| heap_bytes(value)).sum()
    }
}

fn heap_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items
            .iter()
            .map(|item| size_of::<Answer>() + heap_bytes(item))
            .sum(),
        Value::Object(fields) => {
            let names: usize = fields.keys().map(String::len).sum();
            let nodes = fields.len().div_ceil(NODE_FIELDS).max(1);
            nodes * NODE_BYTES + names + Row::from(fields).heap_bytes()
        }
    }
}

/// Returns a whole number, however it is written.
pub(super) fn as_whole_number(value: &Value) -> Option<i64> {
    /// Beyond this, a float no longer represents one whole number exactly.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let number = value.as_f64()?;
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
}

fn parse_uid(field: &'static str, text: &str) -> Result<BookingUid, FieldError> {
    BookingUid::parse(text).map_err(|_| FieldError {
        field,
        why: "is not a usable uid",
    })
}

/// Parses an instant of the years 0 to 9999, also after conversion to UTC. Other years could not be
/// recorded, and a decision that cannot be recorded would hold up all decisions that are recorded
/// with it.
fn parse_instant(text: &str) -> Option<Time> {
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    let at = truncate_to_millis(at.with_timezone(&Utc));
    (0..=9999).contains(&at.year()).then_some(at)
}

fn to_answer(value: &Value) -> Answer {
    match value {
        Value::Null => Answer::Null,
        Value::Bool(value) => Answer::Bool(*value),
        Value::Number(value) => value.as_f64().map_or(Answer::Null, Answer::Number),
        Value::String(value) => Answer::Text(value.clone()),
        Value::Array(items) => Answer::List(items.iter().map(to_answer).collect()),
        Value::Object(fields) => Answer::Map(Row::from(fields).answers()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
            assert_eq!(Row::from(&value).name("n").as_deref(), expect, "{value}");
        }
    }

    #[test]
    fn the_memory_of_a_row_grows_with_texts_items_and_maps() {
        let (item, node) = (size_of::<Answer>(), NODE_BYTES);
        let wide: Map<String, Value> = (0..12).map(|n| (format!("{n:02}"), json!(n))).collect();
        let rows = [
            (json!({"a": 1, "b": null, "c": true}), 0),
            (json!({"a": "four", "b": ""}), 4),
            (json!({"a": [0, 0, 0], "b": []}), 3 * item),
            (json!({"a": ["x", [1, 2]]}), 4 * item + 1),
            // An empty object may be an attendee, whose fields all take room.
            (json!({"a": {}}), node),
            (json!({"a": {"bb": {"c": "text"}}}), 2 * node + 7),
            (json!({"a": [{"n": 1}, {"n": 2}]}), 2 * (item + node + 1)),
            (json!({"a": wide}), 2 * node + 24),
            (json!("no object"), 0),
        ];
        for (value, expect) in rows {
            assert_eq!(Row::from(&value).heap_bytes(), expect, "{value}");
        }
        assert!(NODE_BYTES >= size_of::<crate::domain::booking::Attendee>());
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
        let bad = Err(FieldError {
            field: "l",
            why: "is not a usable uid",
        });
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
            let got = Row::from(&value).linked_uid("l");
            let got = got.map(|link| link.map(|uid| uid.to_string()));
            assert_eq!(got, expect, "{value}");
        }
    }
}
