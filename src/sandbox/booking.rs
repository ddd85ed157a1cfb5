//! A booking row of the sandbox, with everything that one of the dialects shows or that decides what
//! may be done with the booking.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::time::Time;

/// A booking's state. The dialects differ only in the case of the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxStatus {
    /// Waits for the host.
    Pending,
    /// Confirmed, by the host or automatically.
    Accepted,
    /// Declined by the host.
    Rejected,
    /// Cancelled, by any side.
    Cancelled,
    /// An instant meeting that no host has joined.
    AwaitingHost,
}

impl SandboxStatus {
    /// Every state, in the order in which v1 lists them in its messages.
    pub const ALL: [SandboxStatus; 5] = [
        SandboxStatus::Cancelled,
        SandboxStatus::Accepted,
        SandboxStatus::Rejected,
        SandboxStatus::Pending,
        SandboxStatus::AwaitingHost,
    ];

    /// Returns the word of v2.
    pub fn as_v2(self) -> &'static str {
        match self {
            SandboxStatus::Pending => "pending",
            SandboxStatus::Accepted => "accepted",
            SandboxStatus::Rejected => "rejected",
            SandboxStatus::Cancelled => "cancelled",
            SandboxStatus::AwaitingHost => "awaiting_host",
        }
    }

    /// Returns the word of v1, and of v2 before 2024-08-13.
    pub fn as_v1(self) -> &'static str {
        match self {
            SandboxStatus::Pending => "PENDING",
            SandboxStatus::Accepted => "ACCEPTED",
            SandboxStatus::Rejected => "REJECTED",
            SandboxStatus::Cancelled => "CANCELLED",
            SandboxStatus::AwaitingHost => "AWAITING_HOST",
        }
    }

    /// Returns true for the two states that lists call `cancelled`.
    pub fn is_cancelled_or_rejected(self) -> bool {
        matches!(self, SandboxStatus::Rejected | SandboxStatus::Cancelled)
    }
}

/// A seat of a seated booking.
#[derive(Debug, Clone, PartialEq)]
pub struct Seat {
    /// The seat's own uid.
    pub uid: String,
    /// The answers of the attendee who has the seat, by slug.
    pub answers: BTreeMap<String, Value>,
}

/// An attendee of a booking: the booker, or an extra guest.
#[derive(Debug, Clone, PartialEq)]
pub struct SandboxAttendee {
    /// The attendee's number.
    pub id: i64,
    /// Empty for extra guests.
    pub name: String,
    /// The e-mail address, as typed.
    pub email: String,
    /// The IANA name of the time zone.
    pub time_zone: String,
    /// The language's code; `None` is shown as null.
    pub language: Option<String>,
    /// Whether the attendee was marked absent.
    pub absent: bool,
    /// The seat; `None` if the booking has no seats.
    pub seat: Option<Seat>,
}

/// What the booker answered, as stored.
#[derive(Debug, Clone, PartialEq)]
pub enum StoredAnswers {
    /// The answers fit the schema.
    Readable {
        /// A text, or `{firstName, lastName}`.
        name: Value,
        /// The booker's address, as typed.
        email: String,
        /// Everything else by field: notes, guests, the host's own questions.
        other: BTreeMap<String, Value>,
    },
    /// No answers are stored: v1 shows null, v2 "unknown".
    Null,
    /// The answers do not fit the schema: v1 refuses the whole page, v2 shows "unknown".
    Malformed(Value),
}

impl StoredAnswers {
    /// Returns the booker's address as typed, if the answers are readable.
    pub fn email(&self) -> Option<&str> {
        match self {
            StoredAnswers::Readable { email, .. } => Some(email),
            StoredAnswers::Null | StoredAnswers::Malformed(_) => None,
        }
    }
}

/// A payment row, as v1 shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxPayment {
    /// The payment's number.
    pub id: i64,
    /// Whether the booker has paid.
    pub success: bool,
}

/// One booking row.
#[derive(Debug, Clone, PartialEq)]
pub struct SandboxBooking {
    /// The booking's number, by which v1 names the booking.
    pub id: i64,
    /// The booking's uid, by which v2 names the booking.
    pub uid: String,
    /// The organizer; `None` when the account was deleted.
    pub host: Option<i64>,
    /// `None` when the event type was deleted.
    pub event_type: Option<i64>,
    /// The name of the series; `None` if the booking is not an occurrence.
    pub series: Option<String>,
    /// The title.
    pub title: String,
    /// The booker's notes; `None` if there are none.
    pub description: Option<String>,
    /// The state.
    pub status: SandboxStatus,
    /// When the booking starts.
    pub start: Time,
    /// When the booking ends.
    pub end: Time,
    /// When the booking was made.
    pub created: Time,
    /// When the row was last written; `None` if the booking was accepted immediately and not
    /// written since.
    pub updated: Option<Time>,
    /// Where the booking takes place.
    pub location: String,
    /// The attendees, in no reliable order.
    pub attendees: Vec<SandboxAttendee>,
    /// The addresses of extra guests.
    pub guests: Vec<String>,
    /// What the booker answered.
    pub answers: StoredAnswers,
    /// Metadata of the client that made the booking; `None` is shown as null.
    pub metadata: Option<BTreeMap<String, Value>>,
    /// The payments; empty for free bookings.
    pub payments: Vec<SandboxPayment>,
    /// Why the booking was declined: stored and mailed, shown nowhere.
    pub rejection_reason: Option<String>,
    /// Why the booking was cancelled.
    pub cancellation_reason: Option<String>,
    /// The address of the person who cancelled; `None` for a cancellation through the API.
    pub cancelled_by: Option<String>,
    /// Whether the booking was replaced, or is to be replaced, by another booking.
    pub rescheduled: bool,
    /// The address of the person who moved the predecessor to this booking.
    pub rescheduled_by: Option<String>,
    /// Why the booking was moved, when it was moved through the API.
    pub rescheduling_reason: Option<String>,
    /// The uid of the booking that this one replaces.
    pub predecessor: Option<String>,
    /// The uid of the first booking that replaces this one. Two moves at the same time make two
    /// successors; the second is only found by its `predecessor`.
    pub successor: Option<String>,
    /// Whether the host was marked absent.
    pub absent_host: bool,
    /// The uid of the calendar event; successors keep it.
    pub ics_uid: String,
}

impl SandboxBooking {
    /// Returns true when a payment is due: confirming such a booking makes no event and sends no
    /// mail.
    pub fn is_unpaid(&self) -> bool {
        self.payments.iter().any(|payment| !payment.success)
    }

    /// Returns true when this address is among the attendees, by its exact text as a real server
    /// compares.
    pub fn has_attendee(&self, email: &str) -> bool {
        self.attendees.iter().any(|one| one.email == email)
    }
}
