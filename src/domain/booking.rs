//! One Cal.com booking as maitred sees it, whatever dialect it came by, and what the calendar says
//! of an event type. Only what decisions, explanations and the watch need; wire shapes stay in
//! `calcom`.

use std::collections::BTreeMap;

use super::id::{Address, BookingUid, EventTypeId, EventTypeKey, HostId, RequestId};
use super::time::{Span, Time};

/// A booking's state at Cal.com. Texts are never trusted, this word is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BookingStatus {
    Pending,
    Accepted,
    Rejected,
    Cancelled,
    /// An instant meeting that waits for a host; never ours to answer.
    AwaitingHost,
    /// A word this version does not know. Nothing is done to such a booking.
    Other(String),
}

/// How a booking is named to the server: v2 calls it by uid, v1 by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BookingRef {
    pub uid: BookingUid,
    /// The numeric id; v2 sends it too but never asks for it.
    pub id: Option<i64>,
}

/// The organizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// `None` when the user was deleted (the server then says "unknown").
    pub id: Option<HostId>,
    pub address: Option<Address>,
    pub name: Option<String>,
    pub time_zone: Option<String>,
}

/// The event type as a booking names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTypeRef {
    pub id: EventTypeId,
    /// v1 knows it only on request.
    pub slug: Option<String>,
}

/// One person of a booking, guests and co-hosts included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attendee {
    pub address: Option<Address>,
    pub name: Option<String>,
    pub time_zone: Option<String>,
    /// A language tag such as `de`.
    pub language: Option<String>,
    pub absent: bool,
    /// The seat's uid, on seated bookings.
    pub seat: Option<String>,
}

/// The person who asked, identified as `calcom/api.md` section 11 says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booker {
    pub address: Address,
    pub name: Option<String>,
    pub time_zone: Option<String>,
    pub language: Option<String>,
}

/// An answer to a booking question, or any other JSON-like value that rules may look at.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Answer>),
    Map(BTreeMap<String, Answer>),
}

/// What a booking itself shows of payment. v2 shows nothing; v1 lists payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payment {
    NotShown,
    Unpaid,
    Paid,
}

/// One booking (one uid) as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Booking {
    pub uid: BookingUid,
    pub id: Option<i64>,
    /// The series this is an occurrence of (`recurringBookingUid`).
    pub series: Option<RequestId>,
    pub title: String,
    pub description: Option<String>,
    pub status: BookingStatus,
    pub host: Option<Host>,
    /// `None` when the event type was deleted.
    pub event_type: Option<EventTypeRef>,
    pub start: Time,
    pub end: Time,
    pub created_at: Time,
    pub updated_at: Option<Time>,
    /// `None` when nobody can be named for certain; such a booking needs a human.
    pub booker: Option<Booker>,
    pub attendees: Vec<Attendee>,
    pub guests: Vec<Address>,
    /// Every attendee is a booker of his own; there is no single one.
    pub seated: bool,
    pub rescheduled_from: Option<BookingUid>,
    pub rescheduled_to: Option<BookingUid>,
    /// Who moved it, as the server says; self-asserted.
    pub rescheduled_by: Option<Address>,
    /// Who cancelled it, as the server says; empty for cancellations through the API.
    pub cancelled_by: Option<Address>,
    /// Also carries the reason of a reschedule on the new booking: not empty is not cancelled.
    pub cancellation_reason: Option<String>,
    pub absent_host: bool,
    pub location: Option<String>,
    pub answers: BTreeMap<String, Answer>,
    pub metadata: BTreeMap<String, Answer>,
    pub payment: Payment,
}

impl Booking {
    /// Returns whether one of the keys names its event type.
    pub fn has_event_type(&self, keys: &[EventTypeKey]) -> bool {
        let Some(event_type) = &self.event_type else {
            return false;
        };
        keys.iter().any(|key| match key {
            EventTypeKey::Id(id) => *id == event_type.id,
            EventTypeKey::Slug(slug) => event_type.slug.as_deref() == Some(slug),
        })
    }

    pub fn to_ref(&self) -> BookingRef {
        BookingRef {
            uid: self.uid.clone(),
            id: self.id,
        }
    }

    /// The request this booking belongs to: its series', or its own.
    pub fn request_id(&self) -> RequestId {
        self.series
            .clone()
            .unwrap_or_else(|| RequestId::from(&self.uid))
    }

    pub fn host_id(&self) -> Option<HostId> {
        self.host.as_ref().and_then(|host| host.id)
    }

    /// Whether it shows that it was cancelled, whatever its status says. The reason of a move stands
    /// on the booking that replaced another, so that it says nothing there.
    pub fn was_cancelled(&self) -> bool {
        let reason = self.cancellation_reason.as_deref().unwrap_or_default();
        self.cancelled_by.is_some() || (!reason.is_empty() && self.rescheduled_from.is_none())
    }

    pub fn length(&self) -> Span {
        self.end - self.start
    }
}

/// When the server asks the host to confirm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// Every booking is accepted at once: maitred would never see one.
    Disabled,
    Always {
        /// Whether pending bookings block their slot for others.
        blocks_slot: bool,
    },
    /// Only bookings made at shorter notice than this; earlier ones are accepted at once.
    ByNotice { text: String },
    /// Not shown, or not understood.
    Unknown,
}

/// What an event type keeps free before and after each of its bookings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffers {
    pub before: Span,
    pub after: Span,
}

impl Buffers {
    pub const NONE: Self = Self {
        before: Span::zero(),
        after: Span::zero(),
    };
}

/// An event type as the calendar describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType {
    pub id: EventTypeId,
    pub slug: String,
    pub title: String,
    pub length_minutes: u32,
    /// What is kept free before and after each of its bookings.
    pub buffers: Buffers,
    /// In the currency's smallest unit; the larger of the column and the payment apps' own price.
    pub price: i64,
    pub seated: bool,
    pub recurring: bool,
    pub confirmation: Confirmation,
    /// Whether a booker must prove the address by a code; `None` when the server does not say.
    pub verifies_address: Option<bool>,
    /// Its booking questions; `None` when the server does not say.
    pub questions: Option<Vec<Question>>,
    /// Whether bookers cannot cancel, and cannot move, a booking themselves.
    pub disables_cancelling: bool,
    pub disables_rescheduling: bool,
    /// Cal.com's own limits, in words: it minds them when somebody books, and not at a confirmation.
    pub limits: Vec<String>,
}

/// A booking question of an event type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its identifier.
    pub slug: String,
    pub kind: QuestionKind,
    /// Whether it is on the booking page.
    pub on_booking_page: bool,
}

/// What the answers to a question are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionKind {
    /// A number, which Cal.com sends as a text.
    Number,
    /// Yes or no.
    Flag,
    /// Several texts; a single one stands for a list of one.
    List,
    Text,
    /// Of another shape, or of a type that is not known here.
    Other,
}

impl QuestionKind {
    /// Of Cal.com's word for the type of a question.
    pub fn from_type_name(word: &str) -> Self {
        match word {
            "number" => Self::Number,
            "boolean" => Self::Flag,
            "checkbox" | "multiselect" | "multiemail" => Self::List,
            "address" | "text" | "textarea" | "select" | "radio" | "phone" | "url" | "email" => {
                Self::Text
            }
            _ => Self::Other,
        }
    }

    /// In words: what an answer is.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Flag => "yes or no",
            Self::List => "a list",
            Self::Text => "a text",
            Self::Other => "of another shape",
        }
    }
}

/// What reading one booking gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Fetched {
    Found(Box<Booking>),
    /// The server has no such booking (v1: or none that this key may see).
    Gone,
}

/// A booking with the instant at which it was read, taken before the call was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct TimestampedBooking {
    pub booking: Booking,
    pub read_at: Time,
}
