//! Passes answers of Cal.com to the code that decodes them, and checks what must be true of the
//! result for any answer: bookings on which the other code can rely, or a text that is fit to be
//! shown.

use maitred::calcom::api_call::{ApiAnswer, Endpoint};
use maitred::calcom::port::{BookingFilter, BookingPage, CallError};
use maitred::calcom::redact::Redactor;
use maitred::calcom::{booking_file, v1, v2};
use maitred::domain::booking::{Attendee, Booking, BookingRef, BookingStatus, Fetched};
use maitred::domain::id::{Address, BookingUid};
use maitred::domain::time::{Span, Time};
use maitred::store::codec::timestamp::Timestamp;
use secrecy::SecretString;

/// The key, which no text may show.
pub const KEY: &str = "cal_live_0123456789abcdef";

/// The longest text that an answer may lead to, in bytes: a few sentences.
const MAX_TEXT: usize = 4_000;

/// The calls whose answers [`v2`] and [`v1`] decode, by number.
pub const ME: u8 = 0;
pub const EVENT_TYPES: u8 = 1;
pub const EVENT_TYPE: u8 = 2;
pub const LIST: u8 = 3;
pub const GET: u8 = 6;
pub const SERIES: u8 = 7;
pub const CONFIRM: u8 = 8;
pub const REFUSE: u8 = 9;

/// The texts about what could not be read.
type Complaints = Vec<String>;

fn noon() -> Time {
    Time::from_timestamp(1_795_420_000, 0).expect("an instant")
}

/// Decodes an answer of API v2. Calls 3 to 5 are the three kinds of lists.
pub fn v2(call: u8, requested: &BookingRef, answer: &ApiAnswer) -> Complaints {
    use v2::{decode, decode_list};
    let redactor = &Redactor::new(&SecretString::from(KEY));
    let (from, to) = (noon(), noon() + Span::days(9));
    let mut complaints = Complaints::new();
    match call {
        ME => {
            ok_or_record(
                decode::decode_current_user(answer, redactor),
                &mut complaints,
            );
        }
        EVENT_TYPES => {
            ok_or_record(
                decode::decode_event_types(answer, redactor),
                &mut complaints,
            );
        }
        EVENT_TYPE => {
            ok_or_record(decode::decode_event_type(answer, redactor), &mut complaints);
        }
        LIST..GET => {
            let (select, page) = match call {
                LIST => (BookingFilter::Pending, 0),
                4 => (BookingFilter::Upcoming { from, to }, 1),
                _ => (BookingFilter::UpdatedSince(from), 2),
            };
            let read = ok_or_record(
                decode_list::decode_page(answer, &select, page, redactor),
                &mut complaints,
            );
            if let Some(read) = read {
                check_page(read, page, &mut complaints);
            }
        }
        GET => check_reading(
            ok_or_record(
                decode::decode_booking(answer, &requested.uid, redactor),
                &mut complaints,
            ),
            requested,
        ),
        SERIES => {
            let all = ok_or_record(
                decode::decode_series(answer, &requested.uid, redactor),
                &mut complaints,
            );
            for booking in all.unwrap_or_default() {
                check_booking(&booking);
                assert_eq!(
                    booking.request_id().as_str(),
                    requested.uid.as_str(),
                    "of the series"
                );
            }
        }
        _ => {
            let kind = if call == REFUSE {
                Endpoint::Decline
            } else {
                Endpoint::Confirm
            };
            let acted = ok_or_record(
                decode::decode_action(answer, kind, &requested.uid, redactor),
                &mut complaints,
            );
            check_reading(acted.flatten(), requested);
        }
    }
    complaints.iter().for_each(|text| assert_readable(text));
    complaints
}

/// Decodes an answer of API v1.
pub fn v1(call: u8, requested: &BookingRef, answer: &ApiAnswer) -> Complaints {
    use v1::decode;
    let redactor = &Redactor::new(&SecretString::from(KEY));
    let mut complaints = Complaints::new();
    match call {
        ME => {
            ok_or_record(
                decode::decode_current_user(answer, redactor),
                &mut complaints,
            );
        }
        EVENT_TYPES => {
            ok_or_record(
                decode::decode_event_types(answer, redactor),
                &mut complaints,
            );
        }
        EVENT_TYPE => {
            ok_or_record(decode::decode_event_type(answer, redactor), &mut complaints);
        }
        LIST..GET => {
            if let Some(rows) =
                ok_or_record(decode::decode_list(answer, 128, redactor), &mut complaints)
            {
                rows.bookings.iter().for_each(check_booking);
                assert!(rows.bookings.len() <= rows.count, "no row is two bookings");
                complaints.extend(rows.unreadable);
            }
        }
        GET | SERIES => check_reading(
            ok_or_record(
                decode::decode_booking(answer, requested, redactor),
                &mut complaints,
            ),
            requested,
        ),
        CONFIRM => {
            ok_or_record(decode::decode_patch(answer, redactor), &mut complaints);
        }
        _ => {
            ok_or_record(
                decode::decode_cancellation(answer, Endpoint::Cancel, redactor),
                &mut complaints,
            );
        }
    }
    complaints.iter().for_each(|text| assert_readable(text));
    complaints
}

/// Reads the same bytes as a booking file.
pub fn from_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match booking_file::parse_booking_file(text) {
        Ok(read) => check_booking(&read.booking),
        Err(error) => assert_readable(&error.to_string()),
    }
}

fn ok_or_record<T>(result: Result<T, CallError>, complaints: &mut Complaints) -> Option<T> {
    result
        .map_err(|error| complaints.push(error.to_string()))
        .ok()
}

/// Checks that the text is fit to be logged, stored and shown.
pub fn assert_readable(text: &str) {
    assert!(text.len() <= MAX_TEXT, "{} bytes of text", text.len());
    assert!(!text.contains(char::is_control), "{text:?}");
    for secret in [KEY, &KEY[4..], &KEY[9..]] {
        assert!(!text.contains(secret), "the key stands in {text:?}");
    }
}

fn check_page(read: BookingPage, page: u32, complaints: &mut Complaints) {
    read.bookings.iter().for_each(check_booking);
    complaints.extend(read.unreadable);
    assert!(read.next.is_none_or(|next| next == page + 1), "in order");
}

fn check_reading(reading: Option<Fetched>, requested: &BookingRef) {
    if let Some(Fetched::Found(booking)) = reading {
        check_booking(&booking);
        assert_eq!(booking.uid, requested.uid, "the one that was asked for");
    }
}

/// Checks what other code relies on in every booking.
fn check_booking(booking: &Booking) {
    assert_eq!(
        BookingUid::parse(booking.uid.as_str()).as_ref(),
        Ok(&booking.uid)
    );
    assert!(booking.start <= booking.end, "it ends after it begins");
    let updated = booking.updated_at.iter();
    for at in updated.chain([&booking.start, &booking.end, &booking.created_at]) {
        assert!(
            Timestamp(*at).to_text().is_some(),
            "{at} can be written down"
        );
    }
    if let BookingStatus::Other(word) = &booking.status {
        assert_readable(word);
    }
    assert!(
        !(booking.seated && booking.booker.is_some()),
        "who sits on which seat decides who books"
    );
    let people = booking.attendees.iter().filter_map(address);
    let booker = booking.booker.iter().map(|booker| &booker.address);
    let others = [&booking.cancelled_by, &booking.rescheduled_by];
    let all = people.chain(booker).chain(&booking.guests);
    for address in all.chain(others.into_iter().flatten()) {
        assert_eq!(Address::parse(address.as_str()).as_ref(), Ok(address));
    }
}

fn address(attendee: &Attendee) -> Option<&Address> {
    attendee.address.as_ref()
}
