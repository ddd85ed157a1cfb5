//! Where a name of the schema is found in a scope.

use chrono::{Datelike, Timelike, Weekday};

use super::answers::Responses;
use super::scope::Scope;
use super::value::{Seq, Table, Value};
use crate::domain::decision::Credits;

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
    Occurrence,
    Cost,
    Credits,
    Missing,
    Age,
    Gate,
    Lookups,
}

impl Field {
    /// How many there are.
    pub(super) const COUNT: usize = Self::Lookups as usize + 1;
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
        Field::Notice => Value::Duration(booking.start - booking.created),
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
        Field::Answers => Value::Table(Table::Responses(Responses {
            answers: &booking.answers,
            hidden: scope.hidden,
            questions: scope.questions,
        })),
        Field::Metadata => Value::Table(Table::Answers(&booking.metadata)),
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
        Field::Occurrence => Value::Time(scope.occurrence),
        Field::Cost => credits(scope.cost),
        Field::Credits => credits(scope.credits),
        Field::Missing => credits(scope.to_hold.saturating_sub(scope.available)),
        Field::Age => Value::Duration(scope.now - booking.created),
        Field::Gate => Value::Text(scope.gate),
        Field::Lookups => Value::Table(Table::Answers(scope.lookups)),
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
