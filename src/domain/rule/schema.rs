//! Every name that a rule or a template may use: its type, what it means, and where it is found.
//! This table is the one place; documentation for operators is made from it.

use chrono::{Datelike, Timelike, Weekday};

use super::scope::Scope;
use super::types::{Kind, Type};
use super::value::{Seq, Table, Value};
use crate::domain::decision::Credits;

/// One name.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    /// As it is written: `booking.title`, `now`.
    pub path: &'static str,
    pub of: Type,
    /// What it means, for operators.
    pub about: &'static str,
    pub(super) field: Field,
}

/// Where a value is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    BookingUid,
    Title,
    Description,
    Start,
    End,
    Created,
    Length,
    Notice,
    EventType,
    EventTypeId,
    Location,
    Guests,
    Attendees,
    Answers,
    Metadata,
    Rescheduled,
    Weekday,
    Hour,
    BookerAddress,
    BookerDomain,
    BookerName,
    BookerZone,
    BookerLanguage,
    Known,
    MemberId,
    Tier,
    Tags,
    Attributes,
    Balance,
    Frozen,
    Upcoming,
    Day,
    Week,
    Month,
    HostId,
    HostAddress,
    HostName,
    HostZone,
    Now,
    Occurrences,
    Cost,
    Credits,
    Missing,
    Age,
    Gate,
    Lookups,
}

/// All names, in the order in which they are documented. Optional texts are "" when absent.
pub const NAMES: [Name; 46] = [
    name(
        "booking.uid",
        Field::BookingUid,
        Type::TEXT,
        "the uid of the (first) booking",
    ),
    name("booking.title", Field::Title, Type::TEXT, "its title"),
    name(
        "booking.description",
        Field::Description,
        Type::TEXT,
        "what the booker wrote into it, or \"\"",
    ),
    name("booking.start", Field::Start, Type::TIME, "when it starts"),
    name("booking.end", Field::End, Type::TIME, "when it ends"),
    name(
        "booking.created",
        Field::Created,
        Type::TIME,
        "when it was asked for",
    ),
    name(
        "booking.length",
        Field::Length,
        Type::DURATION,
        "from start to end",
    ),
    name(
        "booking.notice",
        Field::Notice,
        Type::DURATION,
        "from now to the start; negative once it has started",
    ),
    name(
        "booking.event_type",
        Field::EventType,
        Type::TEXT,
        "the slug of its event type, or \"\"",
    ),
    name(
        "booking.event_type_id",
        Field::EventTypeId,
        Type::INT,
        "the number of its event type; 0 when it was deleted",
    ),
    name(
        "booking.location",
        Field::Location,
        Type::TEXT,
        "where, or \"\"",
    ),
    name(
        "booking.guests",
        Field::Guests,
        Type::List(Kind::Text),
        "the addresses of the guests",
    ),
    name(
        "booking.attendees",
        Field::Attendees,
        Type::List(Kind::Text),
        "the addresses of all who attend",
    ),
    name(
        "booking.answers",
        Field::Answers,
        Type::Map(Kind::Dyn),
        "answers to the booking questions, by slug; numbers are doubles",
    ),
    name(
        "booking.metadata",
        Field::Metadata,
        Type::Map(Kind::Dyn),
        "what integrations left with the booking",
    ),
    name(
        "booking.rescheduled",
        Field::Rescheduled,
        Type::BOOL,
        "whether it replaces an earlier booking",
    ),
    name(
        "booking.weekday",
        Field::Weekday,
        Type::TEXT,
        "\"mon\" to \"sun\": the day of its start in the house's time zone",
    ),
    name(
        "booking.hour",
        Field::Hour,
        Type::INT,
        "0 to 23: the hour of its start in the house's time zone",
    ),
    name(
        "booker.address",
        Field::BookerAddress,
        Type::TEXT,
        "who asked, in lower case",
    ),
    name(
        "booker.domain",
        Field::BookerDomain,
        Type::TEXT,
        "what stands behind the @",
    ),
    name(
        "booker.name",
        Field::BookerName,
        Type::TEXT,
        "the name as typed, or \"\"",
    ),
    name(
        "booker.time_zone",
        Field::BookerZone,
        Type::TEXT,
        "such as \"Europe/Berlin\", or \"\"",
    ),
    name(
        "booker.language",
        Field::BookerLanguage,
        Type::TEXT,
        "such as \"de\", or \"\"",
    ),
    name(
        "member.known",
        Field::Known,
        Type::BOOL,
        "whether the booker has an account",
    ),
    name(
        "member.id",
        Field::MemberId,
        Type::TEXT,
        "the account's name, or \"\"",
    ),
    name(
        "member.tier",
        Field::Tier,
        Type::TEXT,
        "the member's tier, or \"\"",
    ),
    name(
        "member.tags",
        Field::Tags,
        Type::List(Kind::Text),
        "the member's tags",
    ),
    name(
        "member.attributes",
        Field::Attributes,
        Type::Map(Kind::Text),
        "what else is noted of the member",
    ),
    name(
        "member.balance",
        Field::Balance,
        Type::INT,
        "credits that could be spent now",
    ),
    name(
        "member.frozen",
        Field::Frozen,
        Type::BOOL,
        "whether an operator froze the account",
    ),
    name(
        "member.upcoming",
        Field::Upcoming,
        Type::INT,
        "the member's bookings that are still to come",
    ),
    name(
        "member.day",
        Field::Day,
        Type::INT,
        "the member's bookings on the day of the start",
    ),
    name(
        "member.week",
        Field::Week,
        Type::INT,
        "the member's bookings in the week of the start",
    ),
    name(
        "member.month",
        Field::Month,
        Type::INT,
        "the member's bookings in the month of the start",
    ),
    name(
        "host.id",
        Field::HostId,
        Type::INT,
        "the host's number at Cal.com; 0 when the user was deleted",
    ),
    name(
        "host.address",
        Field::HostAddress,
        Type::TEXT,
        "the host's address, or \"\"",
    ),
    name(
        "host.name",
        Field::HostName,
        Type::TEXT,
        "the host's name, or \"\"",
    ),
    name(
        "host.time_zone",
        Field::HostZone,
        Type::TEXT,
        "the host's time zone, or \"\"",
    ),
    name("now", Field::Now, Type::TIME, "the instant of the decision"),
    name(
        "request.occurrences",
        Field::Occurrences,
        Type::INT,
        "how many bookings the request has",
    ),
    name(
        "request.cost",
        Field::Cost,
        Type::INT,
        "what the first booking costs",
    ),
    name(
        "request.credits",
        Field::Credits,
        Type::INT,
        "what all bookings of the request cost",
    ),
    name(
        "request.missing",
        Field::Missing,
        Type::INT,
        "how many credits the member is short of",
    ),
    name(
        "request.age",
        Field::Age,
        Type::DURATION,
        "from when it was asked for to now",
    ),
    name(
        "request.gate",
        Field::Gate,
        Type::TEXT,
        "the name of the gate",
    ),
    name(
        "lookup",
        Field::Lookups,
        Type::Map(Kind::Dyn),
        "what the house's own systems answered, by the name of the question",
    ),
];

const fn name(path: &'static str, field: Field, of: Type, about: &'static str) -> Name {
    Name {
        path,
        of,
        about,
        field,
    }
}

/// The name behind a path, if there is one.
pub(super) fn find(path: &str) -> Option<&'static Name> {
    NAMES.iter().find(|name| name.path == path)
}

/// The groups that names are in: `booking`, `booker`, and so on.
pub(super) fn is_group(word: &str) -> bool {
    fields(word).next().is_some()
}

/// The fields of a group: `title`, `start`, and so on.
pub(super) fn fields(group: &str) -> impl Iterator<Item = &'static str> {
    NAMES
        .iter()
        .filter_map(move |name| match name.path.split_once('.') {
            Some((of, field)) if of == group => Some(field),
            Some(_) | None => None,
        })
}

/// What stands alone or before the first dot: groups, `now` and `lookup`.
pub(super) fn roots() -> impl Iterator<Item = &'static str> {
    let words = NAMES.iter().map(|name| name.path);
    words.map(|path| path.split_once('.').map_or(path, |(group, _)| group))
}

/// What the name stands for in this scope.
pub(super) fn read<'a>(field: Field, scope: &Scope<'a>) -> Value<'a> {
    let booking = scope.booking;
    let booker = booking.booker.as_ref();
    let host = booking.host.as_ref();
    let account = scope.account;
    match field {
        Field::BookingUid => Value::Text(booking.uid.as_str()),
        Field::Title => Value::Text(&booking.title),
        Field::Description => text(booking.description.as_deref()),
        Field::Start => Value::Time(booking.start),
        Field::End => Value::Time(booking.end),
        Field::Created => Value::Time(booking.created),
        Field::Length => Value::Duration(booking.length()),
        Field::Notice => Value::Duration(booking.start - scope.now),
        Field::EventType => text(
            booking
                .event_type
                .as_ref()
                .and_then(|of| of.slug.as_deref()),
        ),
        Field::EventTypeId => Value::Int(booking.event_type.as_ref().map_or(0, |of| of.id.0)),
        Field::Location => text(booking.location.as_deref()),
        Field::Guests => Value::Seq(Seq::Addresses(&booking.guests)),
        Field::Attendees => Value::Seq(Seq::Attendees(&booking.attendees)),
        Field::Answers => Value::Table(Table::Answers(&booking.answers, scope.hidden)),
        Field::Metadata => Value::Table(Table::Answers(&booking.metadata, None)),
        Field::Rescheduled => Value::Bool(booking.rescheduled_from.is_some()),
        Field::Weekday => Value::Text(weekday(booking.start.with_timezone(&scope.zone).weekday())),
        Field::Hour => Value::Int(booking.start.with_timezone(&scope.zone).hour().into()),
        Field::BookerAddress => text(booker.map(|booker| booker.address.as_str())),
        Field::BookerDomain => text(booker.map(|booker| booker.address.domain())),
        Field::BookerName => text(booker.and_then(|booker| booker.name.as_deref())),
        Field::BookerZone => text(booker.and_then(|booker| booker.time_zone.as_deref())),
        Field::BookerLanguage => text(booker.and_then(|booker| booker.language.as_deref())),
        Field::HostId => Value::Int(booking.host_id().map_or(0, |id| id.0)),
        Field::HostAddress => text(
            host.and_then(|host| host.address.as_ref())
                .map(|of| of.as_str()),
        ),
        Field::HostName => text(host.and_then(|host| host.name.as_deref())),
        Field::HostZone => text(host.and_then(|host| host.time_zone.as_deref())),
        Field::Now => Value::Time(scope.now),
        Field::Occurrences => Value::Int(i64::try_from(scope.occurrences).unwrap_or(i64::MAX)),
        Field::Cost => credits(scope.cost),
        Field::Credits => credits(scope.credits),
        Field::Missing => credits(scope.to_hold.saturating_sub(scope.available)),
        Field::Age => Value::Duration(scope.now - booking.created),
        Field::Gate => Value::Text(scope.gate),
        Field::Lookups => Value::Table(Table::Answers(scope.lookups, None)),
        Field::Known => Value::Bool(account.is_some()),
        Field::MemberId => text(account.map(|account| account.id.as_str())),
        Field::Tier => text(account.and_then(|account| account.tier.as_deref())),
        Field::Tags => Value::Seq(Seq::Tags(account.map(|account| &account.tags))),
        Field::Attributes => Value::Table(Table::Attributes(
            account.map(|account| &account.attributes),
        )),
        Field::Balance => credits(scope.available),
        Field::Frozen => Value::Bool(account.is_some_and(|account| account.frozen.is_some())),
        Field::Upcoming => Value::Int(scope.counts.upcoming.into()),
        Field::Day => Value::Int(scope.counts.day.into()),
        Field::Week => Value::Int(scope.counts.week.into()),
        Field::Month => Value::Int(scope.counts.month.into()),
    }
}

fn text(of: Option<&str>) -> Value<'_> {
    Value::Text(of.unwrap_or_default())
}

fn credits<'a>(amount: Credits) -> Value<'a> {
    Value::Int(i64::try_from(amount).unwrap_or(i64::MAX))
}

fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "mon",
        Weekday::Tue => "tue",
        Weekday::Wed => "wed",
        Weekday::Thu => "thu",
        Weekday::Fri => "fri",
        Weekday::Sat => "sat",
        Weekday::Sun => "sun",
    }
}
