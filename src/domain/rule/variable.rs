//! The variables of rules and templates, and how each is read from the request.

use chrono::{Datelike, Timelike, Weekday};

use super::context::RuleContext;
use super::value::{ListView, MapView, Responses, Value};
use crate::domain::decision::Credits;

/// Something that rules and templates can read. `schema` has the name, type and description of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RuleVariable {
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

/// Returns the value of a variable for this request.
pub(super) fn read<'a>(variable: RuleVariable, context: &RuleContext<'a>) -> Value<'a> {
    let booking = context.booking;
    let booker = booking.booker.as_ref();
    let host = booking.host.as_ref();
    let account = context.account;
    match variable {
        RuleVariable::BookingUid => Value::Text(booking.uid.as_str()),
        RuleVariable::Title => Value::Text(&booking.title),
        RuleVariable::Description => text(booking.description.as_deref()),
        RuleVariable::Start => Value::Time(booking.start),
        RuleVariable::End => Value::Time(booking.end),
        RuleVariable::Created => Value::Time(booking.created),
        RuleVariable::Length => Value::Duration(booking.length()),
        RuleVariable::Notice => Value::Duration(booking.start - booking.created),
        RuleVariable::EventType => text(
            booking
                .event_type
                .as_ref()
                .and_then(|of| of.slug.as_deref()),
        ),
        RuleVariable::EventTypeId => {
            Value::Int(booking.event_type.as_ref().map_or(0, |of| of.id.0))
        }
        RuleVariable::Location => text(booking.location.as_deref()),
        RuleVariable::Guests => Value::List(ListView::Addresses(&booking.guests)),
        RuleVariable::Attendees => Value::List(ListView::Attendees(&booking.attendees)),
        RuleVariable::Answers => Value::Map(MapView::Responses(Responses {
            answers: &booking.answers,
            hidden: context.hidden,
            questions: context.questions,
        })),
        RuleVariable::Metadata => Value::Map(MapView::Answers(&booking.metadata)),
        RuleVariable::Rescheduled => Value::Bool(booking.rescheduled_from.is_some()),
        RuleVariable::Weekday => Value::Text(weekday(
            booking.start.with_timezone(&context.zone).weekday(),
        )),
        RuleVariable::Hour => Value::Int(booking.start.with_timezone(&context.zone).hour().into()),
        RuleVariable::BookerAddress => text(booker.map(|booker| booker.address.as_str())),
        RuleVariable::BookerDomain => text(booker.map(|booker| booker.address.domain())),
        RuleVariable::BookerName => text(booker.and_then(|booker| booker.name.as_deref())),
        RuleVariable::BookerZone => text(booker.and_then(|booker| booker.time_zone.as_deref())),
        RuleVariable::BookerLanguage => text(booker.and_then(|booker| booker.language.as_deref())),
        RuleVariable::HostId => Value::Int(booking.host_id().map_or(0, |id| id.0)),
        RuleVariable::HostAddress => text(
            host.and_then(|host| host.address.as_ref())
                .map(|of| of.as_str()),
        ),
        RuleVariable::HostName => text(host.and_then(|host| host.name.as_deref())),
        RuleVariable::HostZone => text(host.and_then(|host| host.time_zone.as_deref())),
        RuleVariable::Now => Value::Time(context.now),
        RuleVariable::Occurrences => {
            Value::Int(i64::try_from(context.occurrences).unwrap_or(i64::MAX))
        }
        RuleVariable::Occurrence => Value::Time(context.occurrence),
        RuleVariable::Cost => credits(context.cost),
        RuleVariable::Credits => credits(context.credits),
        RuleVariable::Missing => credits(context.to_hold.saturating_sub(context.available)),
        RuleVariable::Age => Value::Duration(context.now - booking.created),
        RuleVariable::Gate => Value::Text(context.gate),
        RuleVariable::Lookups => Value::Map(MapView::Answers(context.lookups)),
        RuleVariable::Known => Value::Bool(account.is_some()),
        RuleVariable::MemberId => text(account.map(|account| account.id.as_str())),
        RuleVariable::Tier => text(account.and_then(|account| account.tier.as_deref())),
        RuleVariable::Tags => Value::List(ListView::Tags(account.map(|account| &account.tags))),
        RuleVariable::Attributes => Value::Map(MapView::Attributes(
            account.map(|account| &account.attributes),
        )),
        RuleVariable::Balance => credits(context.available),
        RuleVariable::Frozen => {
            Value::Bool(account.is_some_and(|account| account.frozen.is_some()))
        }
        RuleVariable::Upcoming => Value::Int(context.counts.upcoming.into()),
        RuleVariable::Day => Value::Int(context.counts.day.into()),
        RuleVariable::Week => Value::Int(context.counts.week.into()),
        RuleVariable::Month => Value::Int(context.counts.month.into()),
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
