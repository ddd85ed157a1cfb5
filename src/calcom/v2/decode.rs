//! Decodes an answer of v2, without a socket: converts status and body to the domain's types, or to
//! the reason why that is not possible.

use serde_json::{Map, Value};

use crate::calcom::api_call::{ApiAnswer, Endpoint};
use crate::calcom::errors::map_unreadable_body;
use crate::calcom::page_splitting::BookingRows;
use crate::calcom::port::{BookingFilter, BookingPage, CallError, CurrentUser};
use crate::calcom::redact::Redactor;
use crate::calcom::{bounded_json, decode_rows, lenient_fields};
use crate::domain::booking::{Booking, EventType, Fetched};
use crate::domain::id::BookingUid;

use super::error_mapping::{VERSION_MISMATCH, is_gone, is_hidden, map_error};
use super::wire;

/// The largest page that the server gives.
pub(super) const PAGE_SIZE: u32 = 250;

/// The most pages that are read of one listing: 100 000 bookings. Totals are only the server's
/// claim, and must not keep the client reading forever.
const MAX_PAGES: u32 = 400;

/// Decodes the user that the key acts as.
///
/// # Errors
/// Returns an error if the answer is a refusal or does not have this shape; so do all functions
/// below.
pub fn decode_current_user(
    answer: &ApiAnswer,
    redactor: &Redactor,
) -> Result<CurrentUser, CallError> {
    let data = decode_data(answer, Endpoint::Me, redactor)?;
    wire::parse_current_user(&data).map_err(|why| CallError::Contract(format!("me: data.{why}")))
}

/// Decodes the event types of the key's user.
pub fn decode_event_types(
    answer: &ApiAnswer,
    redactor: &Redactor,
) -> Result<Vec<EventType>, CallError> {
    match decode_data(answer, Endpoint::EventTypes, redactor)? {
        Value::Array(items) => Ok(lenient_fields::decode_readable_event_types(
            &items,
            wire::parse_event_type,
        )),
        _ => Err(CallError::Contract(
            "event types: the data is no list; the server took another cal-api-version than \
             2024-06-14"
                .to_owned(),
        )),
    }
}

/// Decodes one event type; `None` if there is none or the key may not see it.
pub fn decode_event_type(
    answer: &ApiAnswer,
    redactor: &Redactor,
) -> Result<Option<EventType>, CallError> {
    // A hidden event type is one of a team that this key may not see. A bad key is still detected,
    // because every other call refuses it.
    if is_gone(answer) || is_hidden(answer) {
        return Ok(None);
    }
    let data = decode_data(answer, Endpoint::EventType, redactor)?;
    if data.is_null() {
        return Ok(None);
    }
    let event_type = wire::parse_event_type(&data);
    let event_type =
        event_type.map_err(|why| CallError::Contract(format!("event type: data.{why}")))?;
    Ok(Some(event_type))
}

/// Decodes one page of a listing.
pub fn decode_page(
    answer: &ApiAnswer,
    filter: &BookingFilter,
    page: u32,
    redactor: &Redactor,
) -> Result<BookingPage, CallError> {
    let first = page.saturating_mul(PAGE_SIZE) as usize;
    decode_list(answer, filter, first, redactor).map(|rows| to_page(rows, filter, page))
}

/// Builds a page from its rows, which may come from several answers.
pub(super) fn to_page(mut rows: BookingRows, filter: &BookingFilter, page: u32) -> BookingPage {
    let has_more = has_more(filter, rows.count, rows.has_more);
    if has_more && page + 1 >= MAX_PAGES {
        rows.unreadable.push(format!(
            "data: more than {MAX_PAGES} pages; the rest was not read"
        ));
    }
    BookingPage {
        bookings: rows.bookings,
        unreadable: rows.unreadable,
        next: (has_more && page + 1 < MAX_PAGES).then_some(page + 1),
        server_time: rows.server_time,
    }
}

/// Decodes the rows of one answer; `first` is the position of the first row in the whole listing.
/// Rows that the window does not touch are left out, because the filters of old servers do nothing.
pub(super) fn decode_list(
    answer: &ApiAnswer,
    filter: &BookingFilter,
    first: usize,
    redactor: &Redactor,
) -> Result<BookingRows, CallError> {
    let mut envelope = decode_envelope(answer, Endpoint::List, redactor)?;
    let rows = match envelope.remove("data") {
        Some(Value::Array(rows)) => rows,
        _ => {
            return Err(CallError::Contract(format!(
                "the list is no list of bookings: {VERSION_MISMATCH}"
            )));
        }
    };
    if rows.iter().any(wire::is_older_booking) {
        return Err(CallError::Contract(format!(
            "the bookings have another shape: {VERSION_MISMATCH}"
        )));
    }
    let pagination = lenient_fields::object(&envelope, "pagination");
    if pagination.is_some_and(|pagination| pagination.contains_key("hasMore")) {
        return Err(CallError::Contract(
            "the list is paged by cursors, as in cal-api-version 2026-05-01, though 2024-08-13 was \
             asked for; look for a proxy that changes the header cal-api-version"
                .to_owned(),
        ));
    }
    let mut says_more = pagination.and_then(|pagination| pagination.get("hasNextPage")?.as_bool());
    let (mut bookings, unreadable) =
        decode_rows::decode_bookings(&rows, "data", first, wire::parse_booking);
    // The newest bookings come first, and older servers do not know the filter.
    if let BookingFilter::CreatedSince(since) = filter
        && bookings.iter().any(|booking| booking.created_at < *since)
    {
        says_more = Some(false);
    }
    bookings.retain(|booking| is_in_window(booking, filter));
    Ok(BookingRows {
        bookings,
        unreadable,
        count: rows.len(),
        has_more: says_more,
        server_time: answer.server_time,
    })
}

/// Returns whether another page follows (`calcom/api.md` 2.4). The server's statement is used where
/// the server counts correctly: a page may be short because a row vanished while it was read. With
/// a filter on `updatedAt` the server counts wrongly, so only a full page leads to another.
fn has_more(filter: &BookingFilter, rows: usize, stated_more: Option<bool>) -> bool {
    let full = rows >= PAGE_SIZE as usize;
    match filter {
        BookingFilter::Pending | BookingFilter::Upcoming { .. } | BookingFilter::Past { .. } => {
            rows > 0 && stated_more.unwrap_or(full)
        }
        BookingFilter::CreatedSince(_) => full && stated_more != Some(false),
        BookingFilter::UpdatedSince(_) => full,
    }
}

fn is_in_window(booking: &Booking, filter: &BookingFilter) -> bool {
    match filter {
        BookingFilter::Upcoming { from, to } | BookingFilter::Past { from, to } => {
            booking.start <= *to && booking.end >= *from
        }
        BookingFilter::Pending | BookingFilter::UpdatedSince(_) => true,
        // Older servers do not know the filter.
        BookingFilter::CreatedSince(since) => booking.created_at >= *since,
    }
}

/// Decodes the answer to reading one booking.
pub fn decode_booking(
    answer: &ApiAnswer,
    uid: &BookingUid,
    redactor: &Redactor,
) -> Result<Fetched, CallError> {
    if is_gone(answer) {
        return Ok(Fetched::Gone);
    }
    let data = decode_data(answer, Endpoint::Get, redactor)?;
    match &data {
        // The uid may name a series too: only the booking that was asked for is accepted.
        Value::Array(rows) => {
            let has_uid =
                |row: &&Value| row.get("uid").and_then(Value::as_str) == Some(uid.as_str());
            let Some(row) = rows.iter().find(has_uid) else {
                return Err(CallError::Unknown(format!(
                    "{uid} names a series, not a booking"
                )));
            };
            decode_row(row, uid)
        }
        row if wire::is_older_booking(row) => Err(CallError::Contract(format!(
            "the booking has another shape: {VERSION_MISMATCH}"
        ))),
        row => decode_row(row, uid),
    }
}

/// Decodes all occurrences of a series. One unreadable occurrence makes the whole series unusable,
/// because occurrences are counted and one confirm answers all of them.
pub fn decode_series(
    answer: &ApiAnswer,
    series: &BookingUid,
    redactor: &Redactor,
) -> Result<Vec<Booking>, CallError> {
    if is_gone(answer) {
        return Ok(Vec::new());
    }
    let data = decode_data(answer, Endpoint::Series, redactor)?;
    let rows = match &data {
        Value::Array(rows) => rows.as_slice(),
        row if wire::is_older_booking(row) => {
            return Err(CallError::Contract(format!(
                "the booking has another shape: {VERSION_MISMATCH}"
            )));
        }
        row => std::slice::from_ref(row),
    };
    let (bookings, unreadable) = decode_rows::decode_bookings(rows, "data", 0, wire::parse_booking);
    if !unreadable.is_empty() {
        return Err(CallError::Unknown(unreadable.join("; ")));
    }
    let other_booking = bookings
        .iter()
        .find(|booking| booking.request_id().as_str() != series.as_str());
    match other_booking {
        Some(_) => Err(CallError::Unknown(format!(
            "asked for the series {series}, the server showed another booking too"
        ))),
        None => Ok(bookings),
    }
}

/// Decodes the answer to confirm, decline or cancel. A success that does not show a readable
/// booking is still a success (`None`); the caller then reads the booking.
pub fn decode_action(
    answer: &ApiAnswer,
    endpoint: Endpoint,
    uid: &BookingUid,
    redactor: &Redactor,
) -> Result<Option<Fetched>, CallError> {
    let data = decode_data(answer, endpoint, redactor)?;
    if data.get("uid").is_none() || wire::is_older_booking(&data) {
        return Ok(None);
    }
    match decode_row(&data, uid) {
        Ok(reading) => Ok(Some(reading)),
        Err(error) => {
            tracing::warn!(call = endpoint.as_str(), booking = %uid, %error, "no booking in the answer");
            Ok(None)
        }
    }
}

fn decode_row(row: &Value, uid: &BookingUid) -> Result<Fetched, CallError> {
    let booking = wire::parse_booking(row);
    let booking = booking.map_err(|why| CallError::Unknown(format!("data.{why}")))?;
    if booking.uid != *uid {
        return Err(CallError::Unknown(format!(
            "asked for {uid}, the server showed another booking"
        )));
    }
    Ok(Fetched::Found(Box::new(booking)))
}

fn decode_data(
    answer: &ApiAnswer,
    endpoint: Endpoint,
    redactor: &Redactor,
) -> Result<Value, CallError> {
    let mut envelope = decode_envelope(answer, endpoint, redactor)?;
    Ok(envelope.remove("data").unwrap_or(Value::Null))
}

/// Returns the object around `data` if the answer is a success.
fn decode_envelope(
    answer: &ApiAnswer,
    endpoint: Endpoint,
    redactor: &Redactor,
) -> Result<Map<String, Value>, CallError> {
    if !answer.is_success() {
        return Err(map_error(answer, endpoint, redactor));
    }
    let value = bounded_json::parse(&answer.body)
        .map_err(|error| map_unreadable_body(answer, &error, endpoint))?;
    let is_success = |object: &Map<String, Value>| {
        lenient_fields::text(object, "status") == Some("success") && object.contains_key("data")
    };
    match value {
        Value::Object(object) if is_success(&object) => Ok(object),
        _ if endpoint.is_write() => Err(CallError::Unknown(format!(
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

    fn answer(body: &Value) -> ApiAnswer {
        ApiAnswer {
            host: "cal.test:443".to_owned(),
            status: 200,
            is_html: false,
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

    fn list(rows: usize, pagination: Value) -> ApiAnswer {
        let rows: Vec<Value> = (0..rows).map(|n| row(&format!("u{n}"))).collect();
        answer(&json!({"status": "success", "data": rows, "pagination": pagination}))
    }

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn another_page_follows_as_far_as_the_server_can_be_believed() {
        let since = BookingFilter::UpdatedSince(Time::UNIX_EPOCH);
        let (yes, no) = (json!({"hasNextPage": true}), json!({"hasNextPage": false}));
        let rows = [
            (BookingFilter::Pending, 250, 0, yes.clone(), Some(1)),
            (BookingFilter::Pending, 250, 3, yes.clone(), Some(4)),
            // A row that vanished while the page was read makes it short.
            (BookingFilter::Pending, 249, 0, yes.clone(), Some(1)),
            (BookingFilter::Pending, 250, 0, no.clone(), None),
            (BookingFilter::Pending, 0, 1, yes.clone(), None),
            (BookingFilter::Pending, 250, 0, json!(null), Some(1)),
            (
                BookingFilter::Pending,
                10,
                0,
                json!({"hasNextPage": "yes"}),
                None,
            ),
            (
                BookingFilter::Pending,
                250,
                MAX_PAGES - 1,
                yes.clone(),
                None,
            ),
            // The server's totals are wrong here.
            (since.clone(), 250, 0, no, Some(1)),
            (since, 249, 0, yes, None),
        ];
        for (filter, count, number, pagination, expect) in rows {
            let got = decode_page(
                &list(count, pagination.clone()),
                &filter,
                number,
                &redactor(),
            )
            .unwrap();
            assert_eq!(got.next, expect, "{filter:?} {count} {number} {pagination}");
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
            for filter in [
                BookingFilter::Upcoming { from, to },
                BookingFilter::Past { from, to },
            ] {
                let got = decode_page(&list(1, json!({})), &filter, 0, &redactor()).unwrap();
                assert_eq!(got.bookings.len(), expect, "{from} {to}");
            }
        }
        let filter = BookingFilter::UpdatedSince(at("2026-12-01T08:00:00Z") + hour);
        let got = decode_page(&list(1, json!({})), &filter, 0, &redactor()).unwrap();
        assert_eq!(got.bookings.len(), 1);
    }

    #[test]
    fn a_row_that_cannot_be_read_is_named_and_hides_no_other() {
        let mut bad = row("u1");
        bad["start"] = json!(5);
        let data = json!([row("u0"), bad, "x", row("u3")]);
        let answer = answer(&json!({"status": "success", "data": data}));
        let got = decode_page(&answer, &BookingFilter::Pending, 0, &redactor()).unwrap();
        let uids: Vec<_> = got
            .bookings
            .iter()
            .map(|booking| booking.uid.as_str())
            .collect();
        assert_eq!(uids, ["u0", "u3"]);
        let expect = ["data[1].start is missing (u1)", "data[2] is not an object"];
        assert_eq!(got.unreadable, expect);
        let many = decode_page(
            &list(decode_rows::MAX_ROWS + 1, json!({})),
            &BookingFilter::Pending,
            0,
            &redactor(),
        );
        let many = many.unwrap();
        assert_eq!(
            (many.bookings.len(), many.unreadable.len()),
            (decode_rows::MAX_ROWS, 1)
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
            let got = decode_page(&answer, &BookingFilter::Pending, 0, &redactor()).unwrap();
            prop_assert_eq!(got.bookings.len() + got.unreadable.len(), 3);
            prop_assert_eq!(got.bookings[0].uid.as_str(), "u0");
            prop_assert_eq!(got.bookings.last().unwrap().uid.as_str(), "u2");
            prop_assert!(got.bookings.iter().all(|booking| booking.start <= booking.end));
        }

        #[test]
        fn bytes_that_are_no_answer_are_an_error(
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let answer = ApiAnswer { body, ..answer(&json!(null)) };
            prop_assert!(decode_page(&answer, &BookingFilter::Pending, 0, &redactor()).is_err());
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
            let got = decode_page(&answer(&body), &BookingFilter::Pending, 0, &redactor());
            assert!(
                matches!(got, Err(CallError::Contract(_))),
                "{body}: {got:?}"
            );
        }
    }

    #[test]
    fn only_the_requested_booking_is_accepted() {
        let uid = BookingUid::parse("u0").unwrap();
        let decode = |data: Value| {
            let answer = answer(&json!({"status": "success", "data": data}));
            decode_booking(&answer, &uid, &redactor())
        };
        assert!(matches!(decode(row("u0")), Ok(Fetched::Found(_))));
        assert!(matches!(
            decode(json!([row("u1"), row("u0")])),
            Ok(Fetched::Found(_))
        ));
        for data in [
            row("u1"),
            json!([row("u1")]),
            json!([]),
            json!(null),
            json!({"uid": "u0"}),
        ] {
            let got = decode(data.clone());
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
        let decode = |data: Value| {
            let answer = answer(&json!({"status": "success", "data": data}));
            decode_series(&answer, &uid, &redactor()).map(|bookings| bookings.len())
        };
        assert_eq!(
            decode(json!([occurrence("u0", "s"), occurrence("u1", "s")])),
            Ok(2)
        );
        assert_eq!(decode(json!([])), Ok(0));
        assert_eq!(decode(row("s")), Ok(1));
        for data in [
            json!([occurrence("u0", "s"), occurrence("u1", "t")]),
            json!([occurrence("u0", "s"), {"uid": "u1"}]),
            json!([row("u0")]),
            json!(null),
        ] {
            assert!(
                matches!(decode(data.clone()), Err(CallError::Unknown(_))),
                "{data}"
            );
        }
    }

    #[test]
    fn a_success_without_a_booking_is_a_success() {
        let uid = BookingUid::parse("u0").unwrap();
        let decode = |data: Value| {
            let answer = answer(&json!({"status": "success", "data": data}));
            decode_action(&answer, Endpoint::Confirm, &uid, &redactor())
        };
        assert!(matches!(decode(row("u0")), Ok(Some(Fetched::Found(_)))));
        let older = json!({"uid": "u0", "startTime": "2026-12-01T09:00:00Z"});
        for data in [
            json!({"bookingId": 20}),
            json!(null),
            json!("done"),
            older,
            row("u1"),
        ] {
            assert_eq!(decode(data.clone()), Ok(None), "{data}");
        }
        for body in [json!({}), json!({"status": "error", "data": {}}), json!([])] {
            let got = decode_action(&answer(&body), Endpoint::Confirm, &uid, &redactor());
            assert!(matches!(got, Err(CallError::Unknown(_))), "{body}: {got:?}");
        }
    }
}
