//! Decodes the pages of a listing of v2: which rows are bookings, and whether more follow.

use serde_json::Value;

use crate::calcom::api_call::{ApiAnswer, Endpoint};
use crate::calcom::decode_rows;
use crate::calcom::lenient_row::Row;
use crate::calcom::page_splitting::BookingRows;
use crate::calcom::port::{BookingFilter, BookingPage, CallError};
use crate::calcom::redact::Redactor;
use crate::domain::booking::Booking;

use super::decode::decode_envelope;
use super::error_mapping::VERSION_MISMATCH;
use super::wire;

/// The largest page that the server gives.
pub(super) const PAGE_SIZE: u32 = 250;

/// The most pages that are read of one listing: 100 000 bookings. Totals are only the server's
/// claim, and must not keep the client reading forever.
const MAX_PAGES: u32 = 400;

/// Decodes one page of a listing.
///
/// # Errors
/// Returns an error if the answer is a refusal or no list of bookings.
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
    let pagination = Row::from(&envelope).object("pagination");
    if pagination.get("hasMore").is_some() {
        return Err(CallError::Contract(
            "the list is paged by cursors, as in cal-api-version 2026-05-01, though 2024-08-13 was \
             asked for; look for a proxy that changes the header cal-api-version"
                .to_owned(),
        ));
    }
    let mut says_more = pagination.optional_flag("hasNextPage");
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::calcom::v2::decode::tests::{answer, redactor, row};
    use crate::domain::time::{Span, Time};

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
}
