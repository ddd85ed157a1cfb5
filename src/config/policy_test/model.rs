//! A case as plain values. Times may count from the case's own `now`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::diagnostic::Position;
use crate::domain::booking::{Answer, BookingStatus};
use crate::domain::decision::{Credits, ReasonCode};
use crate::domain::id::{AccountId, Address, EventTypeKey, HostId};
use crate::domain::request::OperatorDecision;
use crate::domain::snapshot::PinResult;
use crate::domain::time::{Span, Time};

/// An instant, or a time relative to the case's `now`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseTime {
    /// That instant.
    At(Time),
    /// A relative time: `in 30h`, `2h ago`.
    FromNow(Span),
}

impl CaseTime {
    /// Returns the instant, for a case that is judged at `now`.
    pub fn resolve(self, now: Time) -> Time {
        match self {
            Self::At(at) => at,
            Self::FromNow(span) => now + span,
        }
    }
}

/// One example with its expectation.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyCase {
    /// The name, or the case's number if it has none: `case 3`.
    pub name: String,
    /// The place of the case in its file.
    pub position: Option<Position>,
    /// The key of the case, such as `case[2]`.
    pub key: String,
    /// When the request is judged. `None`: when the webhook in its file was sent, or else
    /// `parse::DEFAULT_NOW`.
    pub now: Option<Time>,
    /// The booking that is judged.
    pub subject: CaseSubject,
    /// `None` if the booker has no account.
    pub member: Option<CaseMember>,
    /// The result for the PIN that was given. `None`: no PIN was compared.
    pub pin: Option<PinResult>,
    /// The answers of other systems, by the name of the lookup.
    pub lookups: BTreeMap<String, Answer>,
    /// How many requests the booker made before this one on the same day. Default: 0.
    pub earlier_requests: u32,
    /// Whether an accepted booking of the host overlaps. Default: no.
    pub host_is_busy: bool,
    /// Whether the ledger has no account at all. Default: no.
    pub empty_ledger: bool,
    /// When the request was judged for the first time. Default: now.
    pub first_evaluated: Option<CaseTime>,
    /// What an operator decided, and why.
    pub review: Option<(OperatorDecision, String)>,
    /// The expected result.
    pub expect: CaseExpectation,
}

/// The booking, described in the case or as Cal.com shows it.
#[derive(Debug, Clone, PartialEq)]
pub enum CaseSubject {
    /// The case describes the booking.
    Described(Box<DescribedBooking>),
    /// A file, and the place in the case that names the file.
    File(PathBuf, Option<Position>),
}

/// A booking that is described only as far as it matters.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedBooking {
    /// `None`: the first event type that a gate of the configuration names.
    pub event_type: Option<EventTypeKey>,
    /// Default: in two days.
    pub start: CaseTime,
    /// Default: an hour.
    pub length: Span,
    /// Default: an hour ago.
    pub created: CaseTime,
    /// Default: `Booking`.
    pub title: String,
    /// The description of the booking. Default: none.
    pub description: Option<String>,
    /// The place of the booking. Default: none.
    pub location: Option<String>,
    /// Default: `bo@example.com`. `None` if no booker is known (`booker = false`).
    pub booker: Option<CaseBooker>,
    /// The addresses of further guests. Default: none.
    pub guests: Vec<Address>,
    /// The booker's answers to the fields of the booking form, by the field.
    pub answers: BTreeMap<String, Answer>,
    /// The metadata of the booking, by name.
    pub metadata: BTreeMap<String, Answer>,
    /// `None`: the host is the key's user.
    pub host: Option<HostId>,
    /// Default: 1. More than one make a series.
    pub occurrences: usize,
    /// The time from one occurrence to the next. Default: a week.
    pub interval: Span,
    /// The booking that this one replaces. Default: none.
    pub rescheduled: Option<ReplacedBooking>,
    /// The price of the event type at Cal.com. Default: none.
    pub price: i64,
    /// Whether the event type has seats. Default: no.
    pub seats: bool,
    /// Default: `pending`.
    pub status: BookingStatus,
}

/// The booker of a described booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseBooker {
    /// The booker's e-mail address.
    pub address: Address,
    /// The booker's name, if it is known.
    pub name: Option<String>,
    /// The booker's time zone as Cal.com shows it, if it is known.
    pub time_zone: Option<String>,
    /// The booker's language as Cal.com shows it, if it is known.
    pub language: Option<String>,
}

/// The booking that this one replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplacedBooking {
    /// What was paid for the replaced booking. Default: 0, without a charge.
    pub paid: Credits,
    /// When the replaced booking was to start. Default: in a day.
    pub start: CaseTime,
}

/// The booker's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseMember {
    /// `None`: the account has the booker's address as its name.
    pub account: Option<AccountId>,
    /// Default: 0.
    pub credits: Credits,
    /// When the credits expire. Default: never.
    pub expires: Option<CaseTime>,
    /// The member's tier. Default: none.
    pub tier: Option<String>,
    /// The member's tags. Default: none.
    pub tags: Vec<String>,
    /// The member's attributes, by name. Default: none.
    pub attributes: BTreeMap<String, String>,
    /// Whether an operator froze the account. Default: no.
    pub frozen: bool,
    /// Bookings of the member that are held or charged.
    pub upcoming: Vec<UpcomingBooking>,
}

/// A booking of the member that is held or charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpcomingBooking {
    /// When the booking starts.
    pub start: CaseTime,
    /// Default: an hour.
    pub length: Span,
    /// The gate that admitted the booking. `None`: the gate that guards the case's booking.
    pub gate: Option<String>,
}

/// The expected result. Parts that the case leaves out are not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseExpectation {
    /// `confirm`, `decline`, `wait`, `review` or `leave`.
    pub decision: &'static str,
    /// All reasons, in their order.
    pub reasons: Option<Vec<ReasonCode>>,
    /// The whole text of the reasons, as the booker of a decline reads it.
    pub text: Option<String>,
    /// What confirming costs in total.
    pub credits: Option<Credits>,
    /// The rule that decided: the first that objects.
    pub rule: Option<String>,
    /// When a wait ends.
    pub until: Option<CaseTime>,
}
