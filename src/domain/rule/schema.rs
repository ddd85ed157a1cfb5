//! Every name that a rule or a template may use: its type, its meaning and the variable it names.
//! This table is the only such list; a test compares the documentation for operators with it.

use super::types::{Type, ValueKind};
use super::variable::RuleVariable;

/// One name that a rule or a template may use.
#[derive(Debug, Clone, Copy)]
pub struct SchemaName {
    /// The name as it is written: `booking.title`, `now`.
    pub path: &'static str,
    /// The type of the values.
    pub value_type: Type,
    /// The meaning of the name, for operators.
    pub description: &'static str,
    pub(super) variable: RuleVariable,
}

/// All names, in the order in which they are documented. Optional texts are "" when absent.
pub const NAMES: [SchemaName; 48] = [
    name(
        "booking.uid",
        RuleVariable::BookingUid,
        Type::TEXT,
        "the uid of the (first) booking",
    ),
    name(
        "booking.title",
        RuleVariable::Title,
        Type::TEXT,
        "its title",
    ),
    name(
        "booking.description",
        RuleVariable::Description,
        Type::TEXT,
        "what the booker wrote into it, or \"\"",
    ),
    name(
        "booking.start",
        RuleVariable::Start,
        Type::TIME,
        "when it starts",
    ),
    name("booking.end", RuleVariable::End, Type::TIME, "when it ends"),
    name(
        "booking.created",
        RuleVariable::Created,
        Type::TIME,
        "when it was asked for",
    ),
    name(
        "booking.length",
        RuleVariable::Length,
        Type::DURATION,
        "from start to end",
    ),
    name(
        "booking.notice",
        RuleVariable::Notice,
        Type::DURATION,
        "from when it was asked for to the start: it does not shrink while a request waits",
    ),
    name(
        "booking.event_type",
        RuleVariable::EventType,
        Type::TEXT,
        "the slug of its event type, or \"\"",
    ),
    name(
        "booking.event_type_id",
        RuleVariable::EventTypeId,
        Type::INT,
        "the number of its event type; 0 when it was deleted",
    ),
    name(
        "booking.location",
        RuleVariable::Location,
        Type::TEXT,
        "where, or \"\"",
    ),
    name(
        "booking.guests",
        RuleVariable::Guests,
        Type::List(ValueKind::Text),
        "the addresses of the guests",
    ),
    name(
        "booking.attendees",
        RuleVariable::Attendees,
        Type::List(ValueKind::Text),
        "the addresses of all who attend",
    ),
    name(
        "booking.answers",
        RuleVariable::Answers,
        Type::Map(ValueKind::Dyn),
        "answers to the booking questions, by slug, each of the type of its question; absent where the question was left blank",
    ),
    name(
        "booking.metadata",
        RuleVariable::Metadata,
        Type::Map(ValueKind::Dyn),
        "what integrations left with the booking",
    ),
    name(
        "booking.rescheduled",
        RuleVariable::Rescheduled,
        Type::BOOL,
        "whether it replaces an earlier booking",
    ),
    name(
        "booking.weekday",
        RuleVariable::Weekday,
        Type::TEXT,
        "\"mon\" to \"sun\": the day of its start in the gate's time zone",
    ),
    name(
        "booking.hour",
        RuleVariable::Hour,
        Type::INT,
        "0 to 23: the hour of its start in the gate's time zone",
    ),
    name(
        "booker.address",
        RuleVariable::BookerAddress,
        Type::TEXT,
        "who asked, in lower case",
    ),
    name(
        "booker.domain",
        RuleVariable::BookerDomain,
        Type::TEXT,
        "what stands behind the @",
    ),
    name(
        "booker.name",
        RuleVariable::BookerName,
        Type::TEXT,
        "the name as typed, or \"\"",
    ),
    name(
        "booker.time_zone",
        RuleVariable::BookerZone,
        Type::TEXT,
        "such as \"Europe/Berlin\", or \"\"",
    ),
    name(
        "booker.language",
        RuleVariable::BookerLanguage,
        Type::TEXT,
        "such as \"de\", or \"\"",
    ),
    name(
        "member.known",
        RuleVariable::MemberKnown,
        Type::BOOL,
        "whether the booker has an account",
    ),
    name(
        "member.id",
        RuleVariable::MemberId,
        Type::TEXT,
        "the account's name, or \"\"",
    ),
    name(
        "member.tier",
        RuleVariable::Tier,
        Type::TEXT,
        "the member's tier, or \"\"",
    ),
    name(
        "member.tags",
        RuleVariable::Tags,
        Type::List(ValueKind::Text),
        "the member's tags",
    ),
    name(
        "member.attributes",
        RuleVariable::Attributes,
        Type::Map(ValueKind::Text),
        "what else is noted of the member",
    ),
    name(
        "member.balance",
        RuleVariable::Balance,
        Type::INT,
        "credits that could be spent now",
    ),
    name(
        "member.frozen",
        RuleVariable::Frozen,
        Type::BOOL,
        "whether an operator froze the account",
    ),
    name(
        "member.upcoming",
        RuleVariable::Upcoming,
        Type::INT,
        "the member's bookings that are still to come",
    ),
    name(
        "member.day",
        RuleVariable::Day,
        Type::INT,
        "the member's bookings on the day of the start",
    ),
    name(
        "member.week",
        RuleVariable::Week,
        Type::INT,
        "the member's bookings in the week of the start",
    ),
    name(
        "member.month",
        RuleVariable::Month,
        Type::INT,
        "the member's bookings in the month of the start",
    ),
    name(
        "member.next_renewal",
        RuleVariable::NextRenewal,
        Type::TIME,
        "when an allowance gives the member credits next; a text that shows it is used only for members who have one and may read about their account (`account-details`), and a rule that reads it without one is not evaluated",
    ),
    name(
        "host.id",
        RuleVariable::HostId,
        Type::INT,
        "the host's number at Cal.com; 0 when the user was deleted",
    ),
    name(
        "host.address",
        RuleVariable::HostAddress,
        Type::TEXT,
        "the host's address, or \"\"",
    ),
    name(
        "host.name",
        RuleVariable::HostName,
        Type::TEXT,
        "the host's name, or \"\"",
    ),
    name(
        "host.time_zone",
        RuleVariable::HostZone,
        Type::TEXT,
        "the host's time zone, or \"\"",
    ),
    name(
        "now",
        RuleVariable::Now,
        Type::TIME,
        "the instant of the decision",
    ),
    name(
        "request.occurrences",
        RuleVariable::Occurrences,
        Type::INT,
        "how many bookings the request has",
    ),
    name(
        "request.occurrence",
        RuleVariable::Occurrence,
        Type::TIME,
        "when the occurrence starts that stood in the way, for reasons; in rules the first one's start",
    ),
    name(
        "request.cost",
        RuleVariable::Cost,
        Type::INT,
        "what the first booking costs",
    ),
    name(
        "request.credits",
        RuleVariable::Credits,
        Type::INT,
        "what all bookings of the request cost",
    ),
    name(
        "request.missing",
        RuleVariable::Missing,
        Type::INT,
        "how many credits the member is short of",
    ),
    name(
        "request.age",
        RuleVariable::Age,
        Type::DURATION,
        "from when it was asked for to now",
    ),
    name(
        "request.gate",
        RuleVariable::Gate,
        Type::TEXT,
        "the name of the gate",
    ),
    name(
        "lookup",
        RuleVariable::Lookups,
        Type::Map(ValueKind::Dyn),
        "the answers of your own systems, by the name of the lookup",
    ),
];

const fn name(
    path: &'static str,
    variable: RuleVariable,
    of: Type,
    about: &'static str,
) -> SchemaName {
    SchemaName {
        path,
        value_type: of,
        description: about,
        variable,
    }
}

/// Returns why an expression that determines a price may not read a variable; `None` if it may. A
/// price depends only on the booking, the member and the answers of other systems, so that every
/// reading of the same booking gives the same price.
pub(super) fn reason_not_in_prices(variable: RuleVariable) -> Option<&'static str> {
    if OF_THE_PRICE.contains(&variable) {
        return Some("it follows from the price");
    }
    let changes = CHANGING.contains(&variable);
    changes.then_some("it changes while a request waits, and the price of a booking must not")
}

/// The variables that follow from the price.
const OF_THE_PRICE: [RuleVariable; 3] = [
    RuleVariable::Cost,
    RuleVariable::Credits,
    RuleVariable::Missing,
];

/// The variables that change with time and with what the member does.
const CHANGING: [RuleVariable; 8] = [
    RuleVariable::Now,
    RuleVariable::Age,
    RuleVariable::Balance,
    RuleVariable::Upcoming,
    RuleVariable::Day,
    RuleVariable::Week,
    RuleVariable::Month,
    RuleVariable::NextRenewal,
];

/// Returns the name of a variable.
pub(super) fn name_of(variable: RuleVariable) -> &'static SchemaName {
    let name = NAMES.iter().find(|name| name.variable == variable);
    name.expect("every variable has a name")
}

/// Finds the name with this path.
pub(super) fn find_name(path: &str) -> Option<&'static SchemaName> {
    NAMES.iter().find(|name| name.path == path)
}

/// Returns true for the groups of names: `booking`, `booker`, and so on.
pub(super) fn is_group(word: &str) -> bool {
    fields(word).next().is_some()
}

/// Returns the fields of a group: `title`, `start`, and so on.
pub(super) fn fields(group: &str) -> impl Iterator<Item = &'static str> {
    NAMES
        .iter()
        .filter_map(move |name| match name.path.split_once('.') {
            Some((of, field)) if of == group => Some(field),
            Some(_) | None => None,
        })
}

/// Returns the part of each name before the first dot, or the whole name: groups, `now` and
/// `lookup`.
pub(super) fn roots() -> impl Iterator<Item = &'static str> {
    let words = NAMES.iter().map(|name| name.path);
    words.map(|path| path.split_once('.').map_or(path, |(group, _)| group))
}
