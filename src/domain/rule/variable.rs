//! The variables of rules and templates, and how each is read from a request.

use chrono::{DateTime, Datelike, Timelike, Weekday};
use chrono_tz::Tz;

use super::context::RuleContext;
use super::value::{ListRef, MapRef, RuleValue, TypedAnswers};
use crate::domain::account::Account;
use crate::domain::decision::Credits;

/// A variable that rules and templates can read. `schema` has the name, type and description of
/// each.
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
    MemberKnown,
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
    NextRenewal,
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
pub(super) fn read_value<'a>(variable: RuleVariable, context: &RuleContext<'a>) -> RuleValue<'a> {
    let booking = context.booking;
    let event_type = booking.event_type.as_ref();
    let booker = booking.booker.as_ref();
    let host = booking.host.as_ref();
    let host_address = host.and_then(|host| host.address.as_ref());
    let account = context.account;
    match variable {
        RuleVariable::BookingUid => RuleValue::Text(booking.uid.as_str()),
        RuleVariable::Title => RuleValue::Text(&booking.title),
        RuleVariable::Description => text_or_empty(booking.description.as_deref()),
        RuleVariable::Start => RuleValue::Time(booking.start),
        RuleVariable::End => RuleValue::Time(booking.end),
        RuleVariable::Created => RuleValue::Time(booking.created_at),
        RuleVariable::Length => RuleValue::Duration(booking.length()),
        RuleVariable::Notice => RuleValue::Duration(booking.start - booking.created_at),
        RuleVariable::EventType => text_or_empty(event_type.and_then(|of| of.slug.as_deref())),
        RuleVariable::EventTypeId => RuleValue::Int(event_type.map_or(0, |of| of.id.0)),
        RuleVariable::Location => text_or_empty(booking.location.as_deref()),
        RuleVariable::Guests => RuleValue::List(ListRef::Addresses(&booking.guests)),
        RuleVariable::Attendees => RuleValue::List(ListRef::Attendees(&booking.attendees)),
        RuleVariable::Answers => RuleValue::Map(typed_answers(context)),
        RuleVariable::Metadata => RuleValue::Map(MapRef::Answers(&booking.metadata)),
        RuleVariable::Rescheduled => RuleValue::Bool(booking.rescheduled_from.is_some()),
        RuleVariable::Weekday => RuleValue::Text(weekday_name(local_start(context).weekday())),
        RuleVariable::Hour => RuleValue::Int(local_start(context).hour().into()),
        RuleVariable::BookerAddress => text_or_empty(booker.map(|booker| booker.address.as_str())),
        RuleVariable::BookerDomain => text_or_empty(booker.map(|booker| booker.address.domain())),
        RuleVariable::BookerName => text_or_empty(booker.and_then(|booker| booker.name.as_deref())),
        RuleVariable::BookerZone => {
            text_or_empty(booker.and_then(|booker| booker.time_zone.as_deref()))
        }
        RuleVariable::BookerLanguage => {
            text_or_empty(booker.and_then(|booker| booker.language.as_deref()))
        }
        RuleVariable::HostId => RuleValue::Int(booking.host_id().map_or(0, |id| id.0)),
        RuleVariable::HostAddress => text_or_empty(host_address.map(|of| of.as_str())),
        RuleVariable::HostName => text_or_empty(host.and_then(|host| host.name.as_deref())),
        RuleVariable::HostZone => text_or_empty(host.and_then(|host| host.time_zone.as_deref())),
        RuleVariable::Now => RuleValue::Time(context.now),
        RuleVariable::Occurrences => {
            RuleValue::Int(i64::try_from(context.occurrences).unwrap_or(i64::MAX))
        }
        RuleVariable::Occurrence => RuleValue::Time(context.occurrence),
        RuleVariable::Cost => price_value(context.cost),
        RuleVariable::Credits => price_value(context.credits),
        RuleVariable::Missing => {
            let missing = |to_hold: Credits| to_hold.saturating_sub(context.available);
            price_value(context.to_hold.map(missing))
        }
        RuleVariable::Age => RuleValue::Duration(context.now - booking.created_at),
        RuleVariable::Gate => RuleValue::Text(context.gate),
        RuleVariable::Lookups => RuleValue::Map(MapRef::Answers(context.lookups)),
        RuleVariable::MemberKnown => RuleValue::Bool(account.is_some()),
        RuleVariable::MemberId => text_or_empty(account.map(|account| account.id.as_str())),
        RuleVariable::Tier => text_or_empty(account.and_then(|account| account.tier.as_deref())),
        RuleVariable::Tags => RuleValue::List(ListRef::Tags(account.map(|account| &account.tags))),
        RuleVariable::Attributes => RuleValue::Map(MapRef::Attributes(
            account.map(|account| &account.attributes),
        )),
        RuleVariable::Balance => credits_value(context.available),
        RuleVariable::Frozen => RuleValue::Bool(account.is_some_and(is_frozen)),
        RuleVariable::Upcoming => RuleValue::Int(context.counts.upcoming.into()),
        RuleVariable::Day => RuleValue::Int(context.counts.day.into()),
        RuleVariable::Week => RuleValue::Int(context.counts.week.into()),
        RuleVariable::Month => RuleValue::Int(context.counts.month.into()),
        RuleVariable::NextRenewal => context
            .next_renewal
            .map_or(RuleValue::Null, RuleValue::Time),
    }
}

fn is_frozen(account: &Account) -> bool {
    account.freeze_reason.is_some()
}

/// Returns the answers of the booking with the types of their questions.
fn typed_answers<'a>(context: &RuleContext<'a>) -> MapRef<'a> {
    MapRef::TypedAnswers(TypedAnswers {
        answers: &context.booking.answers,
        hidden_answer: context.hidden_answer,
        questions: context.questions,
    })
}

/// Returns the start of the booking in the time zone of the gate.
fn local_start(context: &RuleContext<'_>) -> DateTime<Tz> {
    context.booking.start.with_timezone(&context.zone)
}

fn text_or_empty(of: Option<&str>) -> RuleValue<'_> {
    RuleValue::Text(of.unwrap_or_default())
}

fn credits_value<'a>(amount: Credits) -> RuleValue<'a> {
    RuleValue::Int(i64::try_from(amount).unwrap_or(i64::MAX))
}

/// Returns a number that follows from the price. No rule that reads it is evaluated, and no template
/// is used, as long as the price is not known.
fn price_value<'a>(amount: Option<Credits>) -> RuleValue<'a> {
    amount.map_or(RuleValue::Null, credits_value)
}

fn weekday_name(day: Weekday) -> &'static str {
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
