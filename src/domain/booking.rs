//! A Cal.com booking in the form that maitred uses, the same for every dialect, and the calendar's
//! description of an event type. Both have only what decisions, explanations and the watch need;
//! wire types stay in `calcom`.

use std::collections::BTreeMap;

use super::id::{Address, BookingUid, EventTypeId, EventTypeKey, HostId, RequestId};
use super::time::{Span, Time};

/// A booking's status at Cal.com. Decisions trust this status and never a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BookingStatus {
    Pending,
    Accepted,
    Rejected,
    Cancelled,
    /// An instant meeting that waits for a host. maitred never answers such a booking.
    AwaitingHost,
    /// A status that this version does not know. Nothing is done to such a booking.
    Other(String),
}

/// How a call names a booking: v2 uses the uid, v1 the numeric id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BookingRef {
    pub uid: BookingUid,
    /// The numeric id. v2 also sends the id but never asks for it.
    pub id: Option<i64>,
}

/// The booking's organizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// `None` when the user was deleted (the server then sends "unknown").
    pub id: Option<HostId>,
    pub address: Option<Address>,
    pub name: Option<String>,
    pub time_zone: Option<String>,
}

/// A booking's reference to its event type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTypeRef {
    pub id: EventTypeId,
    /// v1 includes the slug only on request.
    pub slug: Option<String>,
}

/// One person of a booking. Guests and co-hosts are attendees, too.
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

/// The person who asked for the booking, identified as in `calcom/api.md` section 11.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booker {
    pub address: Address,
    pub name: Option<String>,
    pub time_zone: Option<String>,
    pub language: Option<String>,
}

/// An answer to a booking question, or any other JSON-like value that rules may read.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Answer>),
    Map(BTreeMap<String, Answer>),
}

/// What a booking itself shows about payment. v2 shows nothing; v1 lists payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payment {
    NotShown,
    Unpaid,
    Paid,
}

/// One booking (one uid) as Cal.com returned it.
#[derive(Debug, Clone, PartialEq)]
pub struct Booking {
    pub uid: BookingUid,
    pub id: Option<i64>,
    /// The series that this booking is an occurrence of (`recurringBookingUid`).
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
    /// `None` when the booker's identity is ambiguous. Such a booking needs a person.
    pub booker: Option<Booker>,
    pub attendees: Vec<Attendee>,
    pub guests: Vec<Address>,
    /// In a seated booking every attendee is a booker, so there is no single booker.
    pub seated: bool,
    pub rescheduled_from: Option<BookingUid>,
    pub rescheduled_to: Option<BookingUid>,
    /// Who moved the booking, as the server reports. The name is self-asserted.
    pub rescheduled_by: Option<Address>,
    /// Who cancelled the booking, as the server reports. Empty for cancellations through the API.
    pub cancelled_by: Option<Address>,
    /// A new booking also carries the reason of a reschedule here, so a reason does not mean that
    /// the booking is cancelled.
    pub cancellation_reason: Option<String>,
    pub absent_host: bool,
    pub location: Option<String>,
    pub answers: BTreeMap<String, Answer>,
    pub metadata: BTreeMap<String, Answer>,
    pub payment: Payment,
    /// The memory that the fields above take at most in addition to the booking's own size, counted
    /// when the answer that shows the booking is read; zero if no answer shows the booking.
    pub heap_bytes: usize,
}

impl Booking {
    /// Returns a pending booking of which only the uid, the times and the instant of the request
    /// are known. Use it as the base of a struct update.
    pub fn new(uid: BookingUid, (start, end): (Time, Time), created_at: Time) -> Self {
        Self {
            uid,
            id: None,
            series: None,
            title: String::new(),
            description: None,
            status: BookingStatus::Pending,
            host: None,
            event_type: None,
            start,
            end,
            created_at,
            updated_at: None,
            booker: None,
            attendees: Vec::new(),
            guests: Vec::new(),
            seated: false,
            rescheduled_from: None,
            rescheduled_to: None,
            rescheduled_by: None,
            cancelled_by: None,
            cancellation_reason: None,
            absent_host: false,
            location: None,
            answers: BTreeMap::new(),
            metadata: BTreeMap::new(),
            payment: Payment::NotShown,
            heap_bytes: 0,
        }
    }

    /// Returns true if one of the keys names the booking's event type.
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

    /// Returns the id of the request that this booking belongs to: that of its series, or its own.
    pub fn request_id(&self) -> RequestId {
        self.series
            .clone()
            .unwrap_or_else(|| RequestId::from(&self.uid))
    }

    pub fn host_id(&self) -> Option<HostId> {
        self.host.as_ref().and_then(|host| host.id)
    }

    /// Returns true if the booking shows that it was cancelled, whatever its status is. The reason
    /// of a move is stored on the successor, so a reason on a successor proves nothing.
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
    /// Every booking is accepted immediately, so maitred would never see a pending one.
    Disabled,
    Always {
        /// Whether pending bookings block their slot for others.
        blocks_slot: bool,
    },
    /// Only bookings made at shorter notice than this need a confirmation; earlier ones are
    /// accepted immediately.
    ByNotice { text: String },
    /// The server does not show the setting, or maitred does not understand it.
    Unknown,
}

/// The time that an event type keeps free before and after each of its bookings.
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
    /// The time that is kept free before and after each booking.
    pub buffers: Buffers,
    /// The price in the currency's smallest unit: the larger of the column and the payment apps'
    /// own price.
    pub price: i64,
    pub seated: bool,
    pub recurring: bool,
    pub confirmation: Confirmation,
    /// Whether a booker must verify the address with a code. `None` when the server does not show
    /// that.
    pub verifies_address: Option<bool>,
    /// The booking questions. `None` when the server does not show them.
    pub questions: Option<Vec<Question>>,
    /// Whether bookers cannot cancel, and cannot move, a booking themselves.
    pub disables_cancelling: bool,
    pub disables_rescheduling: bool,
    /// Cal.com's own limits, in words. Cal.com checks them when a booking is made and not when it
    /// is confirmed.
    pub limits: Vec<String>,
}

/// A booking question of an event type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The question's identifier.
    pub slug: String,
    pub kind: QuestionKind,
    /// Whether the question is on the booking page.
    pub on_booking_page: bool,
}

/// The type of the answers to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionKind {
    /// A number, which Cal.com sends as a text.
    Number,
    /// Yes or no.
    Flag,
    /// Several texts. A single text is read as a list with one element.
    List,
    Text,
    /// An answer of another shape, or a question of an unknown type.
    Other,
}

impl QuestionKind {
    /// Returns the kind for Cal.com's name of a question type.
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

    /// Describes an answer in words.
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

/// The result of reading one booking.
#[derive(Debug, Clone, PartialEq)]
pub enum Fetched {
    Found(Box<Booking>),
    /// The server has no such booking. In v1 the key may also lack access to it.
    Gone,
}

/// A booking with the instant at which it was read. The instant is taken before the call is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct TimestampedBooking {
    pub booking: Booking,
    pub read_at: Time,
}
