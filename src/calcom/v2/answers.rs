//! What an answer of v2 means, without a socket: from status and body to the domain's types, or to
//! the reason why not.

use serde_json::{Map, Value};

use crate::calcom::errors::not_json;
use crate::calcom::exchange::{Answer, Kind};
use crate::calcom::narrow::Rows;
use crate::calcom::port::{CallError, Me, Page, Select};
use crate::calcom::redact::Redactor;
use crate::calcom::{fields, json, rows};
use crate::domain::booking::{Booking, EventType, Reading};
use crate::domain::id::BookingUid;

use super::refusal::{OLDER, is_gone, is_hidden, refusal};
use super::wire;

/// The largest page that the server gives.
pub(super) const TAKE: u32 = 250;

/// Pages of one listing: 100 000 bookings. Totals are the server's word only, and must not keep us
/// for ever.
const MAX_PAGES: u32 = 400;

/// Who the key acts as.
///
/// # Errors
/// When the answer is a refusal, or is not of this shape; so for all below.
pub fn me(answer: &Answer, redactor: &Redactor) -> Result<Me, CallError> {
    let data = data(answer, Kind::Me, redactor)?;
    wire::me(&data).map_err(|why| CallError::Contract(format!("me: data.{why}")))
}

/// The event types of the key's user.
pub fn event_types(answer: &Answer, redactor: &Redactor) -> Result<Vec<EventType>, CallError> {
    match data(answer, Kind::EventTypes, redactor)? {
        Value::Array(items) => Ok(fields::event_types(&items, wire::event_type)),
        _ => Err(CallError::Contract(
            "event types: the data is no list; the server took another cal-api-version than \
             2024-06-14"
                .to_owned(),
        )),
    }
}

/// One event type.
pub fn event_type(answer: &Answer, redactor: &Redactor) -> Result<Option<EventType>, CallError> {
    // Hidden: a team's that this key may not see. A bad key is refused by every other call.
    if is_gone(answer) || is_hidden(answer) {
        return Ok(None);
    }
    let data = data(answer, Kind::EventType, redactor)?;
    if data.is_null() {
        return Ok(None);
    }
    let event_type = wire::event_type(&data);
    let event_type =
        event_type.map_err(|why| CallError::Contract(format!("event type: data.{why}")))?;
    Ok(Some(event_type))
}

/// One page of a listing.
pub fn page(
    answer: &Answer,
    select: &Select,
    page: u32,
    redactor: &Redactor,
) -> Result<Page, CallError> {
    let first = page.saturating_mul(TAKE) as usize;
    rows(answer, select, first, redactor).map(|rows| page_of(rows, select, page))
}

/// A page from its rows, which may be those of several answers.
pub(super) fn page_of(mut rows: Rows, select: &Select, page: u32) -> Page {
    let more = more(select, rows.count, rows.says_more);
    if more && page + 1 >= MAX_PAGES {
        rows.unreadable.push(format!(
            "data: more than {MAX_PAGES} pages; the rest was not read"
        ));
    }
    Page {
        bookings: rows.bookings,
        unreadable: rows.unreadable,
        next: (more && page + 1 < MAX_PAGES).then_some(page + 1),
        server_time: rows.server_time,
    }
}

/// The rows of one answer; `first` is the place of the first one in the whole
/// listing. What the window does not
/// touch is left out: the filters of old servers do nothing.
pub(super) fn rows(
    answer: &Answer,
    select: &Select,
    first: usize,
    redactor: &Redactor,
) -> Result<Rows, CallError> {
    let mut envelope = envelope(answer, Kind::List, redactor)?;
    let rows = match envelope.remove("data") {
        Some(Value::Array(rows)) => rows,
        _ => {
            return Err(CallError::Contract(format!(
                "the list is no list of bookings: {OLDER}"
            )));
        }
    };
    if rows.iter().any(wire::is_older_booking) {
        return Err(CallError::Contract(format!(
            "the bookings have another shape: {OLDER}"
        )));
    }
    let pagination = fields::object(&envelope, "pagination");
    if pagination.is_some_and(|pagination| pagination.contains_key("hasMore")) {
        return Err(CallError::Contract(
            "the list is paged by cursors, as in cal-api-version 2026-05-01, though 2024-08-13 was \
             asked for; look for a proxy that changes the header cal-api-version"
                .to_owned(),
        ));
    }
    let mut says_more = pagination.and_then(|pagination| pagination.get("hasNextPage")?.as_bool());
    let (mut bookings, unreadable) = rows::read(&rows, "data", first, wire::booking);
    // The newest come first, and older servers do not know the filter.
    if let Select::CreatedSince(since) = select
        && bookings.iter().any(|booking| booking.created < *since)
    {
        says_more = Some(false);
    }
    bookings.retain(|booking| touches(booking, select));
    Ok(Rows {
        bookings,
        unreadable,
        count: rows.len(),
        says_more,
        server_time: answer.server_time,
    })
}

/// Whether another page follows (`calcom/api.md` 2.4). The server's word is taken where it counts
/// rightly: a page may be short because a row vanished while it was read. With a filter on
/// `updatedAt` it counts wrongly, and only a full page leads on.
fn more(select: &Select, rows: usize, says: Option<bool>) -> bool {
    let full = rows >= TAKE as usize;
    match select {
        Select::Pending | Select::Upcoming { .. } | Select::Past { .. } => {
            rows > 0 && says.unwrap_or(full)
        }
        Select::CreatedSince(_) => full && says != Some(false),
        Select::UpdatedSince(_) => full,
    }
}

fn touches(booking: &Booking, select: &Select) -> bool {
    match select {
        Select::Upcoming { from, to } | Select::Past { from, to } => {
            booking.start <= *to && booking.end >= *from
        }
        Select::Pending | Select::UpdatedSince(_) => true,
        // Older servers do not know the filter.
        Select::CreatedSince(since) => booking.created >= *since,
    }
}

/// What reading one booking gave.
pub fn reading(
    answer: &Answer,
    uid: &BookingUid,
    redactor: &Redactor,
) -> Result<Reading, CallError> {
    if is_gone(answer) {
        return Ok(Reading::Gone);
    }
    let data = data(answer, Kind::Get, redactor)?;
    match &data {
        // The uid is that of a series too: only the booking that was asked for will do.
        Value::Array(rows) => {
            let named = |row: &&Value| row.get("uid").and_then(Value::as_str) == Some(uid.as_str());
            let Some(row) = rows.iter().find(named) else {
                return Err(CallError::Unknown(format!(
                    "{uid} names a series, not a booking"
                )));
            };
            shown(row, uid)
        }
        row if wire::is_older_booking(row) => Err(CallError::Contract(format!(
            "the booking has another shape: {OLDER}"
        ))),
        row => shown(row, uid),
    }
}

/// All occurrences of a series. One that cannot be read makes the whole unusable: they are counted,
/// and one confirm answers all.
pub fn series(
    answer: &Answer,
    series: &BookingUid,
    redactor: &Redactor,
) -> Result<Vec<Booking>, CallError> {
    if is_gone(answer) {
        return Ok(Vec::new());
    }
    let data = data(answer, Kind::Series, redactor)?;
    let rows = match &data {
        Value::Array(rows) => rows.as_slice(),
        row if wire::is_older_booking(row) => {
            return Err(CallError::Contract(format!(
                "the booking has another shape: {OLDER}"
            )));
        }
        row => std::slice::from_ref(row),
    };
    let (bookings, unreadable) = rows::read(rows, "data", 0, wire::booking);
    if !unreadable.is_empty() {
        return Err(CallError::Unknown(unreadable.join("; ")));
    }
    let stranger = bookings
        .iter()
        .find(|booking| booking.request().as_str() != series.as_str());
    match stranger {
        Some(_) => Err(CallError::Unknown(format!(
            "asked for the series {series}, the server showed another booking too"
        ))),
        None => Ok(bookings),
    }
}

/// What confirm, decline or cancel gave. A yes that does not show the booking readably is still a
/// yes: whoever called reads it.
pub fn acted(
    answer: &Answer,
    kind: Kind,
    uid: &BookingUid,
    redactor: &Redactor,
) -> Result<Option<Reading>, CallError> {
    let data = data(answer, kind, redactor)?;
    if data.get("uid").is_none() || wire::is_older_booking(&data) {
        return Ok(None);
    }
    match shown(&data, uid) {
        Ok(reading) => Ok(Some(reading)),
        Err(error) => {
            tracing::warn!(call = kind.word(), booking = %uid, %error, "no booking in the answer");
            Ok(None)
        }
    }
}

fn shown(row: &Value, uid: &BookingUid) -> Result<Reading, CallError> {
    let booking = wire::booking(row);
    let booking = booking.map_err(|why| CallError::Unknown(format!("data.{why}")))?;
    if booking.uid != *uid {
        return Err(CallError::Unknown(format!(
            "asked for {uid}, the server showed another booking"
        )));
    }
    Ok(Reading::Is(Box::new(booking)))
}

fn data(answer: &Answer, kind: Kind, redactor: &Redactor) -> Result<Value, CallError> {
    let mut envelope = envelope(answer, kind, redactor)?;
    Ok(envelope.remove("data").unwrap_or(Value::Null))
}

/// The object around `data`, if the answer is a good one.
fn envelope(
    answer: &Answer,
    kind: Kind,
    redactor: &Redactor,
) -> Result<Map<String, Value>, CallError> {
    if !answer.success() {
        return Err(refusal(answer, kind, redactor));
    }
    let value = json::read(&answer.body).map_err(|error| not_json(answer, &error, kind))?;
    let good = |object: &Map<String, Value>| {
        fields::text(object, "status") == Some("success") && object.contains_key("data")
    };
    match value {
        Value::Object(object) if good(&object) => Ok(object),
        _ if kind.writes() => Err(CallError::Unknown(format!(
            "{} without Cal.com's \"status\": \"success\"",
            answer.status
        ))),
        _ => Err(CallError::Contract(format!(
            "{} without Cal.com's \"status\": \"success\"; base-url is not that of its API v2",
            answer.status
        ))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::SecretString;
    use serde_json::json;

    use crate::domain::time::{Span, Time};

    use super::*;

    fn redactor() -> Redactor {
        Redactor::new(&SecretString::from("cal_key_0123456789"))
    }

    fn answer(body: &Value) -> Answer {
        Answer {
            host: "cal.test:443".to_owned(),
            status: 200,
            page: false,
            location: None,
            server_time: None,
            body: body.to_string().into_bytes(),
        }
    }

    fn row(uid: &str) -> Value {
        json!({"uid": uid, "status": "pending", "start": "2026-12-01T09:00:00.000Z",
               "end": "2026-12-01T10:00:00.000Z", "createdAt": "2026-11-20T08:00:00.000Z",
               "attendees": [], "bookingFieldsResponses": {"email": "bo@example.com"}})
    }

    fn list(rows: usize, pagination: Value) -> Answer {
        let rows: Vec<Value> = (0..rows).map(|n| row(&format!("u{n}"))).collect();
        answer(&json!({"status": "success", "data": rows, "pagination": pagination}))
    }

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn another_page_follows_as_far_as_the_server_can_be_believed() {
        let since = Select::UpdatedSince(Time::UNIX_EPOCH);
        let (yes, no) = (json!({"hasNextPage": true}), json!({"hasNextPage": false}));
        let rows = [
            (Select::Pending, 250, 0, yes.clone(), Some(1)),
            (Select::Pending, 250, 3, yes.clone(), Some(4)),
            // A row that vanished while the page was read makes it short.
            (Select::Pending, 249, 0, yes.clone(), Some(1)),
            (Select::Pending, 250, 0, no.clone(), None),
            (Select::Pending, 0, 1, yes.clone(), None),
            (Select::Pending, 250, 0, json!(null), Some(1)),
            (Select::Pending, 10, 0, json!({"hasNextPage": "yes"}), None),
            (Select::Pending, 250, MAX_PAGES - 1, yes.clone(), None),
            // Here its totals are wrong.
            (since.clone(), 250, 0, no, Some(1)),
            (since, 249, 0, yes, None),
        ];
        for (select, count, number, pagination, expect) in rows {
            let got = page(
                &list(count, pagination.clone()),
                &select,
                number,
                &redactor(),
            )
            .unwrap();
            assert_eq!(got.next, expect, "{select:?} {count} {number} {pagination}");
            assert_eq!(got.bookings.len(), count);
            assert_eq!(got.unreadable.len(), usize::from(number == MAX_PAGES - 1));
        }
    }

    #[test]
    fn a_window_shows_what_touches_it() {
        let hour = Span::hours(1);
        let rows = [
            ("2026-12-01T08:00:00Z", "2026-12-01T08:59:59Z", 0),
            ("2026-12-01T08:00:00Z", "2026-12-01T09:00:00Z", 1),
            ("2026-12-01T09:30:00Z", "2026-12-01T09:31:00Z", 1),
            ("2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z", 1),
            ("2026-12-01T10:00:01Z", "2026-12-01T11:00:00Z", 0),
        ];
        for (from, to, expect) in rows {
            let (from, to) = (at(from), at(to));
            for select in [Select::Upcoming { from, to }, Select::Past { from, to }] {
                let got = page(&list(1, json!({})), &select, 0, &redactor()).unwrap();
                assert_eq!(got.bookings.len(), expect, "{from} {to}");
            }
        }
        let select = Select::UpdatedSince(at("2026-12-01T08:00:00Z") + hour);
        let got = page(&list(1, json!({})), &select, 0, &redactor()).unwrap();
        assert_eq!(got.bookings.len(), 1);
    }

    #[test]
    fn a_row_that_cannot_be_read_is_named_and_hides_no_other() {
        let mut bad = row("u1");
        bad["start"] = json!(5);
        let data = json!([row("u0"), bad, "x", row("u3")]);
        let answer = answer(&json!({"status": "success", "data": data}));
        let got = page(&answer, &Select::Pending, 0, &redactor()).unwrap();
        let uids: Vec<_> = got
            .bookings
            .iter()
            .map(|booking| booking.uid.as_str())
            .collect();
        assert_eq!(uids, ["u0", "u3"]);
        let expect = ["data[1].start is missing (u1)", "data[2] is not an object"];
        assert_eq!(got.unreadable, expect);
        let many = page(
            &list(rows::MAX_ROWS + 1, json!({})),
            &Select::Pending,
            0,
            &redactor(),
        );
        let many = many.unwrap();
        assert_eq!(
            (many.bookings.len(), many.unreadable.len()),
            (rows::MAX_ROWS, 1)
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(json!(null)),
            Just(json!(true)),
            any::<i64>().prop_map(|number| json!(number)),
            any::<f64>().prop_map(|number| json!(number)),
            "\\PC{0,40}".prop_map(|text| json!(text)),
            Just(json!([])),
            Just(json!([{"id": "unknown"}, 5])),
            Just(json!({"id": [], "email": {}, "name": {"firstName": 5}})),
        ]
    }

    proptest! {
        #[test]
        fn whatever_a_field_holds_the_other_rows_are_read(
            changes in proptest::collection::vec((0usize..40, any_value()), 1..6),
        ) {
            let mut odd = row("odd");
            let names = ["id", "uid", "title", "hosts", "status", "start", "end", "createdAt",
                "updatedAt", "eventTypeId", "eventType", "attendees", "guests", "metadata",
                "bookingFieldsResponses", "recurringBookingUid", "rescheduledFromUid", "location"];
            for (name, value) in changes {
                odd[names[name % names.len()]] = value;
            }
            let data = json!([row("u0"), odd, row("u2")]);
            let answer = answer(&json!({"status": "success", "data": data}));
            let got = page(&answer, &Select::Pending, 0, &redactor()).unwrap();
            prop_assert_eq!(got.bookings.len() + got.unreadable.len(), 3);
            prop_assert_eq!(got.bookings[0].uid.as_str(), "u0");
            prop_assert_eq!(got.bookings.last().unwrap().uid.as_str(), "u2");
            prop_assert!(got.bookings.iter().all(|booking| booking.start <= booking.end));
        }

        #[test]
        fn bytes_that_are_no_answer_are_an_error(
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let answer = Answer { body, ..answer(&json!(null)) };
            prop_assert!(page(&answer, &Select::Pending, 0, &redactor()).is_err());
        }
    }

    #[test]
    fn another_contract_is_called_that() {
        let older = json!([{"uid": "u", "startTime": "2026-12-01T09:00:00Z", "status": "PENDING"}]);
        for body in [
            json!({"status": "success", "data": {"bookings": [], "totalCount": 0}}),
            json!({"status": "success", "data": older}),
            json!({"status": "success", "data": null}),
            json!({"status": "success", "data": [], "pagination": {"hasMore": false}}),
            json!({"status": "success"}),
            json!({"data": []}),
            json!([]),
            json!({"bookings": []}),
        ] {
            let got = page(&answer(&body), &Select::Pending, 0, &redactor());
            assert!(
                matches!(got, Err(CallError::Contract(_))),
                "{body}: {got:?}"
            );
        }
    }

    #[test]
    fn only_the_booking_that_was_asked_for_is_a_reading() {
        let uid = BookingUid::parse("u0").unwrap();
        let of = |data: Value| {
            let answer = answer(&json!({"status": "success", "data": data}));
            reading(&answer, &uid, &redactor())
        };
        assert!(matches!(of(row("u0")), Ok(Reading::Is(_))));
        assert!(matches!(
            of(json!([row("u1"), row("u0")])),
            Ok(Reading::Is(_))
        ));
        for data in [
            row("u1"),
            json!([row("u1")]),
            json!([]),
            json!(null),
            json!({"uid": "u0"}),
        ] {
            let got = of(data.clone());
            assert!(matches!(got, Err(CallError::Unknown(_))), "{data}: {got:?}");
        }
    }

    #[test]
    fn a_series_is_whole_or_unknown() {
        let uid = BookingUid::parse("s").unwrap();
        let occurrence = |uid: &str, series: &str| {
            let mut row = row(uid);
            row["recurringBookingUid"] = json!(series);
            row
        };
        let of = |data: Value| {
            let answer = answer(&json!({"status": "success", "data": data}));
            series(&answer, &uid, &redactor()).map(|bookings| bookings.len())
        };
        assert_eq!(
            of(json!([occurrence("u0", "s"), occurrence("u1", "s")])),
            Ok(2)
        );
        assert_eq!(of(json!([])), Ok(0));
        assert_eq!(of(row("s")), Ok(1));
        for data in [
            json!([occurrence("u0", "s"), occurrence("u1", "t")]),
            json!([occurrence("u0", "s"), {"uid": "u1"}]),
            json!([row("u0")]),
            json!(null),
        ] {
            assert!(
                matches!(of(data.clone()), Err(CallError::Unknown(_))),
                "{data}"
            );
        }
    }

    #[test]
    fn a_yes_that_shows_no_booking_is_a_yes() {
        let uid = BookingUid::parse("u0").unwrap();
        let of = |data: Value| {
            let answer = answer(&json!({"status": "success", "data": data}));
            acted(&answer, Kind::Confirm, &uid, &redactor())
        };
        assert!(matches!(of(row("u0")), Ok(Some(Reading::Is(_)))));
        let older = json!({"uid": "u0", "startTime": "2026-12-01T09:00:00Z"});
        for data in [
            json!({"bookingId": 20}),
            json!(null),
            json!("done"),
            older,
            row("u1"),
        ] {
            assert_eq!(of(data.clone()), Ok(None), "{data}");
        }
        for body in [json!({}), json!({"status": "error", "data": {}}), json!([])] {
            let got = acted(&answer(&body), Kind::Confirm, &uid, &redactor());
            assert!(matches!(got, Err(CallError::Unknown(_))), "{body}: {got:?}");
        }
    }
}
