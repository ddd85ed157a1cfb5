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

/// An instant, or one that counts from the case's `now`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseTime {
    At(Time),
    /// `in 30h`, `2h ago`.
    FromNow(Span),
}

impl CaseTime {
    pub fn resolve(self, now: Time) -> Time {
        match self {
            Self::At(at) => at,
            Self::FromNow(span) => now + span,
        }
    }
}

/// One example and what is expected of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyCase {
    /// `case 3` when it has none.
    pub name: String,
    /// Where it stands in its file.
    pub position: Option<Position>,
    /// The key it was read from, such as `case[2]`.
    pub key: String,
    /// When it is judged; `None`: when the webhook of its file was sent, else `parse::NOW`.
    pub now: Option<Time>,
    pub subject: CaseSubject,
    /// `None`: the booker has no account.
    pub member: Option<CaseMember>,
    pub pin: Option<PinResult>,
    pub lookups: BTreeMap<String, Answer>,
    /// Requests of the booker before it on the same day; 0.
    pub earlier_requests: u32,
    /// Whether an accepted booking of the host overlaps; no.
    pub host_is_busy: bool,
    /// Whether the ledger has no account at all; no.
    pub empty_ledger: bool,
    /// When it was judged for the first time; now.
    pub first_evaluated: Option<CaseTime>,
    /// What an operator said of it, and why.
    pub review: Option<(OperatorDecision, String)>,
    pub expect: CaseExpectation,
}

/// The booking: described, or as Cal.com shows it.
#[derive(Debug, Clone, PartialEq)]
pub enum CaseSubject {
    Described(Box<DescribedBooking>),
    /// A file, and where it is named.
    File(PathBuf, Option<Position>),
}

/// A booking of which only what matters is said.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedBooking {
    /// `None`: the first that a gate of the configuration names.
    pub event_type: Option<EventTypeKey>,
    /// In two days.
    pub start: CaseTime,
    /// An hour.
    pub length: Span,
    /// An hour ago.
    pub created: CaseTime,
    /// `Booking`.
    pub title: String,
    pub description: Option<String>,
    pub location: Option<String>,
    /// `bo@example.com`. `None`: nobody can be named (`booker = false`).
    pub booker: Option<CaseBooker>,
    pub guests: Vec<Address>,
    pub answers: BTreeMap<String, Answer>,
    pub metadata: BTreeMap<String, Answer>,
    /// `None`: the host is the key's user.
    pub host: Option<HostId>,
    /// 1; more make a series.
    pub occurrences: usize,
    /// From one occurrence to the next; a week.
    pub interval: Span,
    pub rescheduled: Option<ReplacedBooking>,
    /// What the event type costs at Cal.com; nothing.
    pub price: i64,
    /// Whether the event type has seats; no.
    pub seats: bool,
    /// `pending`.
    pub status: BookingStatus,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseBooker {
    pub address: Address,
    pub name: Option<String>,
    pub time_zone: Option<String>,
    pub language: Option<String>,
}

/// The booking that this one replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplacedBooking {
    /// What was paid for it; 0: nobody was charged.
    pub paid: Credits,
    /// When it was to start; in a day.
    pub start: CaseTime,
}

/// The booker's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseMember {
    /// `None`: named as the booker's address.
    pub account: Option<AccountId>,
    /// 0.
    pub credits: Credits,
    /// When the credits expire; never.
    pub expires: Option<CaseTime>,
    pub tier: Option<String>,
    pub tags: Vec<String>,
    pub attributes: BTreeMap<String, String>,
    pub frozen: bool,
    /// Bookings that stand.
    pub upcoming: Vec<UpcomingBooking>,
}

/// A booking of the member that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpcomingBooking {
    pub start: CaseTime,
    /// An hour.
    pub length: Span,
    /// The gate that let it in; `None`: the one that guards the case's booking.
    pub gate: Option<String>,
}

/// What should come out. What is not said is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseExpectation {
    /// `confirm`, `decline`, `wait`, `review` or `leave`.
    pub decision: &'static str,
    /// All of them, in their order.
    pub reasons: Option<Vec<ReasonCode>>,
    /// The whole text of the reasons, as the booker of a decline reads it.
    pub text: Option<String>,
    /// What confirming costs in all.
    pub credits: Option<Credits>,
    /// The rule that decided: the first that objects.
    pub rule: Option<String>,
    /// When a wait is over.
    pub until: Option<CaseTime>,
}
