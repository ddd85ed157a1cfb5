//! Reads the booking of a case, and fills in defaults for what the case leaves out.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::answer;
use super::model::{CaseBooker, CaseTime, DescribedBooking, ReplacedBooking};
use super::relative_time;
use crate::config::diagnostic_collector::DiagnosticCollector;
use crate::config::reader::TomlTable;
use crate::config::reader::toml_value::TomlValue;
use crate::config::value::set;
use crate::config::{calendar_value, value};
use crate::domain::booking::BookingStatus;
use crate::domain::decision::MAX_CREDITS;
use crate::domain::id::{Address, EventTypeId, EventTypeKey, HostId};
use crate::domain::request::MAX_OCCURRENCES;
use crate::domain::time::Span;

/// The length of a booking if the case does not give it.
pub(super) const LENGTH: Span = Span::hours(1);

/// Bounds of the length.
const LENGTHS: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(30 * 24 * 60 * 60);

/// Bounds of the time from one occurrence to the next.
const GAPS: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(366 * 24 * 60 * 60);

/// The most guests of one booking.
const MAX_GUESTS: usize = 1_000;

/// The largest number of a host or an event type, and the highest price.
const MAX_NUMBER: u64 = i64::MAX as u64;

/// The booker if the case does not give one.
const DEFAULT_BOOKER: &str = "bo@example.com";

/// The keys of a booking.
const KEYS: [&str; 18] = [
    "event-type",
    "start",
    "length",
    "created",
    "title",
    "description",
    "location",
    "booker",
    "guests",
    "answers",
    "metadata",
    "host",
    "occurrences",
    "every",
    "rescheduled",
    "price",
    "seats",
    "status",
];

/// Returns a booking with all defaults.
pub(super) fn default_booking() -> DescribedBooking {
    DescribedBooking {
        event_type: None,
        start: CaseTime::FromNow(Span::days(2)),
        length: LENGTH,
        created: CaseTime::FromNow(Span::hours(-1)),
        title: "Booking".to_owned(),
        description: None,
        location: None,
        booker: Some(CaseBooker {
            address: Address::parse(DEFAULT_BOOKER).expect("the default is an address"),
            name: Some("Bo Booker".to_owned()),
            time_zone: None,
            language: None,
        }),
        guests: Vec::new(),
        answers: BTreeMap::new(),
        metadata: BTreeMap::new(),
        host: None,
        occurrences: 1,
        interval: Span::weeks(1),
        rescheduled: None,
        price: 0,
        seats: false,
        status: BookingStatus::Pending,
    }
}

pub(super) fn read(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<DescribedBooking> {
    let mut table = item.table("{ event-type = \"book-club\", start = \"in 30h\" }", report)?;
    let mut booking = default_booking();
    table.match_names(&KEYS, &[], report);
    read_times(&mut table, &mut booking, report);
    read_details(&mut table, &mut booking, report);
    if let Some(item) = table.get("booker", report) {
        set(&mut booking.booker, read_booker(&item, report));
    }
    if let Some(item) = table.get("rescheduled", report) {
        booking.rescheduled = read_rescheduled(&item, report);
    }
    let series = table.get("occurrences", report);
    if let Some(item) = series {
        let count = item.number(1..=MAX_OCCURRENCES as u64, report);
        set(
            &mut booking.occurrences,
            count.and_then(|n| n.try_into().ok()),
        );
    }
    if let Some(item) = table.get("every", report) {
        set(&mut booking.interval, value::read_span(&item, GAPS, report));
    }
    table.report_unknown_keys(report);
    Some(booking)
}

fn read_times(
    table: &mut TomlTable<'_>,
    booking: &mut DescribedBooking,
    report: &mut DiagnosticCollector<'_>,
) {
    if let Some(item) = table.get("start", report) {
        set(&mut booking.start, relative_time::read(&item, report));
    }
    booking.length = read_length(table, report);
    if let Some(item) = table.get("created", report) {
        set(&mut booking.created, relative_time::read(&item, report));
    }
}

/// The key `length` of the table.
pub(super) fn read_length(table: &mut TomlTable<'_>, report: &mut DiagnosticCollector<'_>) -> Span {
    let length = table.get("length", report);
    let length = length.and_then(|item| value::read_span(&item, LENGTHS, report));
    length.unwrap_or(LENGTH)
}

fn read_details(
    table: &mut TomlTable<'_>,
    booking: &mut DescribedBooking,
    report: &mut DiagnosticCollector<'_>,
) {
    if let Some(item) = table.get("event-type", report) {
        booking.event_type = read_event_type(&item, report);
    }
    if let Some(item) = table.get("title", report) {
        let title = item.text("Book club", report);
        set(&mut booking.title, title.map(str::to_owned));
    }
    for (key, slot) in [
        ("description", &mut booking.description),
        ("location", &mut booking.location),
    ] {
        if let Some(item) = table.get(key, report) {
            *slot = item.text("a text", report).map(str::to_owned);
        }
    }
    if let Some(list) = table.get("guests", report) {
        let items = list.list("[\"cy@example.com\"]", report);
        let items = list.limit_count(items, MAX_GUESTS, report);
        let guests = items.iter().filter_map(|item| read_address(item, report));
        booking.guests = guests.collect();
    }
    for (key, slot) in [
        ("answers", &mut booking.answers),
        ("metadata", &mut booking.metadata),
    ] {
        if let Some(item) = table.get(key, report) {
            *slot = answer::read_answers(&item, report);
        }
    }
    if let Some(item) = table.get("host", report) {
        let number = item.number(1..=MAX_NUMBER, report);
        booking.host = number.and_then(|n| n.try_into().ok()).map(HostId);
    }
    if let Some(item) = table.get("price", report) {
        let number = item.number(0..=MAX_NUMBER, report);
        set(&mut booking.price, number.and_then(|n| n.try_into().ok()));
    }
    if let Some(item) = table.get("seats", report) {
        set(&mut booking.seats, item.flag(report));
    }
    if let Some(item) = table.get("status", report) {
        set(&mut booking.status, read_status(&item, report));
    }
}

fn read_status(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<BookingStatus> {
    let words = [
        ("pending", 0),
        ("awaiting-host", 1),
        ("accepted", 2),
        ("cancelled", 3),
        ("rejected", 4),
    ];
    let statuses = [
        BookingStatus::Pending,
        BookingStatus::AwaitingHost,
        BookingStatus::Accepted,
        BookingStatus::Cancelled,
        BookingStatus::Rejected,
    ];
    let index = item.keyword(&words, report)?;
    statuses.into_iter().nth(index)
}

fn read_event_type(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<EventTypeKey> {
    if item.as_number().is_some() {
        let number = item.number(1..=MAX_NUMBER, report)?;
        return Some(EventTypeKey::Id(EventTypeId(number.try_into().ok()?)));
    }
    value::read_name(item, "book-club", report).map(EventTypeKey::Slug)
}

/// Reads an address, a table with more details, or `false` for a booking without a known booker.
/// Returns `None` after a diagnostic.
fn read_booker(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Option<CaseBooker>> {
    if item.as_flag() == Some(false) {
        return Some(None);
    }
    if item.as_text().is_some() {
        let address = read_address(item, report)?;
        return Some(Some(CaseBooker {
            address,
            name: None,
            time_zone: None,
            language: None,
        }));
    }
    let mut table = item.table(
        "{ address = \"bo@example.com\", language = \"de\" }",
        report,
    )?;
    table.match_names(&["address", "name", "time-zone", "language"], &[], report);
    let address = table.get("address", report);
    let address = address.map_or_else(
        || Address::parse(DEFAULT_BOOKER).ok(),
        |item| read_address(&item, report),
    );
    let name = read_text(&mut table, "name", "Bo Booker", report);
    let zone = table.get("time-zone", report);
    let zone = zone.and_then(|item| calendar_value::read_zone(&item, report));
    let language = read_text(&mut table, "language", "de", report);
    table.report_unknown_keys(report);
    Some(Some(CaseBooker {
        address: address?,
        name,
        time_zone: zone.map(|zone| zone.name().to_owned()),
        language,
    }))
}

fn read_text(
    table: &mut TomlTable<'_>,
    key: &'static str,
    example: &str,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let item = table.get(key, report)?;
    item.text(example, report).map(str::to_owned)
}

fn read_address(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<Address> {
    let text = item.text(DEFAULT_BOOKER, report)?;
    let address = Address::parse(text);
    if let Err(why) = &address {
        let problem = format!("{} {why}", report.show(text));
        report.error(
            &item.path,
            problem,
            format!("write it as in \"{DEFAULT_BOOKER}\""),
        );
    }
    address.ok()
}

/// Reads `true`, or what was paid for the booking that is replaced.
fn read_rescheduled(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<ReplacedBooking> {
    let mut rescheduled = ReplacedBooking {
        paid: 0,
        start: CaseTime::FromNow(Span::days(1)),
    };
    if let Some(flag) = item.as_flag() {
        return flag.then_some(rescheduled);
    }
    let mut table = item.table("{ paid = 2 }", report)?;
    table.match_names(&["paid", "start"], &[], report);
    if let Some(item) = table.get("paid", report) {
        set(&mut rescheduled.paid, item.number(0..=MAX_CREDITS, report));
    }
    if let Some(item) = table.get("start", report) {
        set(&mut rescheduled.start, relative_time::read(&item, report));
    }
    table.report_unknown_keys(report);
    Some(rescheduled)
}
