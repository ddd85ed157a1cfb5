//! Answers of Cal.com put to what judges them, and what must hold of the outcome whatever was
//! answered: bookings on which the rest of the house can rely, or a text that is fit to be shown.

use maitred::calcom::exchange::{Answer, Kind};
use maitred::calcom::port::{CallError, Page, Select};
use maitred::calcom::redact::Redactor;
use maitred::calcom::{file, v1, v2};
use maitred::domain::booking::{Attendee, Booking, BookingRef, Reading, Status};
use maitred::domain::id::{Address, BookingUid};
use maitred::domain::time::{Span, Time};
use maitred::store::record::stamp::Stamp;
use secrecy::SecretString;

/// The key that no text may show.
pub const KEY: &str = "cal_live_0123456789abcdef";

/// The longest text that may come of an answer, in bytes: some sentences.
const MAX_TEXT: usize = 4_000;

/// The calls of which [`v2`] and [`v1`] judge an answer, by number.
pub const ME: u8 = 0;
pub const EVENT_TYPES: u8 = 1;
pub const EVENT_TYPE: u8 = 2;
pub const LIST: u8 = 3;
pub const GET: u8 = 6;
pub const SERIES: u8 = 7;
pub const CONFIRM: u8 = 8;
pub const REFUSE: u8 = 9;

/// What was said of what could not be read.
type Said = Vec<String>;

fn noon() -> Time {
    Time::from_timestamp(1_795_420_000, 0).expect("an instant")
}

/// An answer of API v2. 3 to 5 are the three kinds of lists.
pub fn v2(call: u8, asked: &BookingRef, answer: &Answer) -> Said {
    use v2::answers;
    let redactor = &Redactor::new(&SecretString::from(KEY));
    let (from, to) = (noon(), noon() + Span::days(9));
    let mut said = Said::new();
    match call {
        ME => {
            told(answers::me(answer, redactor), &mut said);
        }
        EVENT_TYPES => {
            told(answers::event_types(answer, redactor), &mut said);
        }
        EVENT_TYPE => {
            told(answers::event_type(answer, redactor), &mut said);
        }
        LIST..GET => {
            let (select, page) = match call {
                LIST => (Select::Pending, 0),
                4 => (Select::Upcoming { from, to }, 1),
                _ => (Select::UpdatedSince(from), 2),
            };
            let read = told(answers::page(answer, &select, page, redactor), &mut said);
            if let Some(read) = read {
                listed(read, page, &mut said);
            }
        }
        GET => shown(
            told(answers::reading(answer, &asked.uid, redactor), &mut said),
            asked,
        ),
        SERIES => {
            let all = told(answers::series(answer, &asked.uid, redactor), &mut said);
            for booking in all.unwrap_or_default() {
                sound(&booking);
                assert_eq!(
                    booking.request().as_str(),
                    asked.uid.as_str(),
                    "of the series"
                );
            }
        }
        _ => {
            let kind = if call == REFUSE {
                Kind::Decline
            } else {
                Kind::Confirm
            };
            let acted = told(
                answers::acted(answer, kind, &asked.uid, redactor),
                &mut said,
            );
            shown(acted.flatten(), asked);
        }
    }
    said.iter().for_each(|text| readable(text));
    said
}

/// An answer of API v1.
pub fn v1(call: u8, asked: &BookingRef, answer: &Answer) -> Said {
    use v1::answers;
    let redactor = &Redactor::new(&SecretString::from(KEY));
    let mut said = Said::new();
    match call {
        ME => {
            told(answers::me(answer, redactor), &mut said);
        }
        EVENT_TYPES => {
            told(answers::event_types(answer, redactor), &mut said);
        }
        EVENT_TYPE => {
            told(answers::event_type(answer, redactor), &mut said);
        }
        LIST..GET => {
            if let Some(rows) = told(answers::list(answer, 128, redactor), &mut said) {
                rows.bookings.iter().for_each(sound);
                assert!(rows.bookings.len() <= rows.count, "no row is two bookings");
                said.extend(rows.unreadable);
            }
        }
        GET | SERIES => shown(
            told(answers::reading(answer, asked, redactor), &mut said),
            asked,
        ),
        CONFIRM => {
            told(answers::patched(answer, redactor), &mut said);
        }
        _ => {
            told(
                answers::cancelled(answer, Kind::Cancel, redactor),
                &mut said,
            );
        }
    }
    said.iter().for_each(|text| readable(text));
    said
}

/// The same bytes as a file for `evaluate`.
pub fn from_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match file::read(text) {
        Ok(read) => sound(&read.booking),
        Err(error) => readable(&error.to_string()),
    }
}

fn told<T>(result: Result<T, CallError>, said: &mut Said) -> Option<T> {
    result.map_err(|error| said.push(error.to_string())).ok()
}

/// Fit to be logged, stored and shown.
pub fn readable(text: &str) {
    assert!(text.len() <= MAX_TEXT, "{} bytes of text", text.len());
    assert!(!text.contains(char::is_control), "{text:?}");
    for secret in [KEY, &KEY[4..], &KEY[9..]] {
        assert!(!text.contains(secret), "the key stands in {text:?}");
    }
}

fn listed(read: Page, page: u32, said: &mut Said) {
    read.bookings.iter().for_each(sound);
    said.extend(read.unreadable);
    assert!(read.next.is_none_or(|next| next == page + 1), "in order");
}

fn shown(reading: Option<Reading>, asked: &BookingRef) {
    if let Some(Reading::Is(booking)) = reading {
        sound(&booking);
        assert_eq!(booking.uid, asked.uid, "the one that was asked for");
    }
}

/// What the rest of the house relies on in every booking.
fn sound(booking: &Booking) {
    assert_eq!(
        BookingUid::parse(booking.uid.as_str()).as_ref(),
        Ok(&booking.uid)
    );
    assert!(booking.start <= booking.end, "it ends after it begins");
    let updated = booking.updated.iter();
    for at in updated.chain([&booking.start, &booking.end, &booking.created]) {
        assert!(Stamp(*at).text().is_some(), "{at} can be written down");
    }
    if let Status::Other(word) = &booking.status {
        readable(word);
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
