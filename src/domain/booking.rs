//! A Cal.com booking in the form that maitred uses, the same for every dialect, and the calendar's
//! description of an event type. Both have only what decisions, explanations and the watch need;
//! wire types stay in `calcom`.

use std::collections::BTreeMap;

use super::id::{Address, BookingUid, EventTypeId, EventTypeKey, HostId, RequestId};
use super::time::{Span, Time};

/// A booking's status at Cal.com. Decisions trust this status and never a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BookingStatus {
    /// The booking waits for an answer.
    Pending,
    /// The booking is confirmed, by the host or automatically.
    Accepted,
    /// The booking was declined.
    Rejected,
    /// The booking was cancelled, or moved to a successor.
    Cancelled,
    /// An instant meeting that waits for a host. maitred never answers such a booking.
    AwaitingHost,
    /// A status that this version does not know. Nothing is done to such a booking.
    Other(String),
}

/// How a call names a booking: v2 uses the uid, v1 the numeric id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BookingRef {
    /// The uid, which every dialect shows.
    pub uid: BookingUid,
    /// The numeric id. v2 also sends the id but never asks for it.
    pub id: Option<i64>,
}

/// The booking's organizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// `None` when the user was deleted (the server then sends "unknown").
    pub id: Option<HostId>,
    /// The host's address. `None` when the server shows none that is valid.
    pub address: Option<Address>,
    /// The host's name. `None` when the server does not show it.
    pub name: Option<String>,
    /// The host's time zone, such as `Europe/Berlin`. `None` when the server does not show it.
    pub time_zone: Option<String>,
}

/// A booking's reference to its event type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTypeRef {
    /// The number of the event type at Cal.com.
    pub id: EventTypeId,
    /// v1 includes the slug only on request.
    pub slug: Option<String>,
}

/// One person of a booking. Guests and co-hosts are attendees, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attendee {
    /// The attendee's address. `None` when the server shows none that is valid.
    pub address: Option<Address>,
    /// The attendee's name. `None` when the server does not show it.
    pub name: Option<String>,
    /// The attendee's time zone, such as `Europe/Berlin`. `None` when the server does not show it.
    pub time_zone: Option<String>,
    /// A language tag such as `de`.
    pub language: Option<String>,
    /// Whether the attendee is marked absent.
    pub absent: bool,
    /// The seat's uid, on seated bookings.
    pub seat: Option<String>,
}

/// The person who asked for the booking, identified as in `calcom/api.md` section 11.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booker {
    /// The address that leads to the booker's account.
    pub address: Address,
    /// The booker's name as typed. `None` when the server does not show it.
    pub name: Option<String>,
    /// The booker's time zone, such as `Europe/Berlin`. `None` when the server does not show it.
    pub time_zone: Option<String>,
    /// A language tag such as `de`. `None` when the server does not show it.
    pub language: Option<String>,
}

/// An answer to a booking question, or any other JSON-like value that rules may read.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// No value.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number. Whole numbers are numbers like any other.
    Number(f64),
    /// A text.
    Text(String),
    /// Several values, in order.
    List(Vec<Answer>),
    /// Values by name.
    Map(BTreeMap<String, Answer>),
}

/// What a booking itself shows about payment. v2 shows nothing; v1 lists payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payment {
    /// The server lists no payments, so it is not known whether any was due.
    NotShown,
    /// The server lists payments, and at least one did not succeed.
    Unpaid,
    /// The server lists payments, and all of them succeeded.
    Paid,
}

/// One booking (one uid) as Cal.com returned it.
#[derive(Debug, Clone, PartialEq)]
pub struct Booking {
    /// The booking's uid.
    pub uid: BookingUid,
    /// The numeric id. `None` when the server does not show it.
    pub id: Option<i64>,
    /// The series that this booking is an occurrence of (`recurringBookingUid`).
    pub series: Option<RequestId>,
    /// The title that Cal.com shows in calendars.
    pub title: String,
    /// The description. `None` when there is none.
    pub description: Option<String>,
    /// The status when the booking was read.
    pub status: BookingStatus,
    /// The organizer. `None` when the server shows none.
    pub host: Option<Host>,
    /// `None` when the event type was deleted.
    pub event_type: Option<EventTypeRef>,
    /// When the booking starts.
    pub start: Time,
    /// When the booking ends.
    pub end: Time,
    /// When the booking was requested, by the server's clock.
    pub created_at: Time,
    /// When the booking last changed, by the server's clock. `None` when the server does not show
    /// it.
    pub updated_at: Option<Time>,
    /// `None` when the booker's identity is ambiguous. Such a booking needs a person.
    pub booker: Option<Booker>,
    /// The people of the booking, guests and co-hosts included.
    pub attendees: Vec<Attendee>,
    /// The addresses that the booker invited in addition.
    pub guests: Vec<Address>,
    /// Whether the server shows guests that cannot be read. Their number is then not known.
    pub has_unread_guests: bool,
    /// In a seated booking every attendee is a booker, so there is no single booker.
    pub seated: bool,
    /// The booking that this one replaced. `None` when it replaced none.
    pub rescheduled_from: Option<BookingUid>,
    /// The booking that replaced this one. `None` when none did, or when the server does not name
    /// it.
    pub rescheduled_to: Option<BookingUid>,
    /// Who moved the booking, as the server reports. The name is self-asserted.
    pub rescheduled_by: Option<Address>,
    /// Who cancelled the booking, as the server reports. Empty for cancellations through the API.
    pub cancelled_by: Option<Address>,
    /// A new booking also carries the reason of a reschedule here, so a reason does not mean that
    /// the booking is cancelled.
    pub cancellation_reason: Option<String>,
    /// Whether the host is marked absent.
    pub absent_host: bool,
    /// Where the booking takes place, such as an address or a link. `None` when the server shows
    /// none.
    pub location: Option<String>,
    /// The answers to the booking questions, by the question's slug.
    pub answers: BTreeMap<String, Answer>,
    /// The booking's metadata at Cal.com, by key.
    pub metadata: BTreeMap<String, Answer>,
    /// What the server shows about a payment at Cal.com.
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
            has_unread_guests: false,
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

    /// Returns the name of the booking for calls.
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

    /// Returns the host's number. `None` when the server shows no host, or when the user was
    /// deleted.
    pub fn host_id(&self) -> Option<HostId> {
        self.host.as_ref().and_then(|host| host.id)
    }

    /// Returns true if the booking shows that it was cancelled, whatever its status is. The reason
    /// of a move is stored on the successor, so a reason on a successor proves nothing.
    pub fn was_cancelled(&self) -> bool {
        let reason = self.cancellation_reason.as_deref().unwrap_or_default();
        self.cancelled_by.is_some() || (!reason.is_empty() && self.rescheduled_from.is_none())
    }

    /// Returns the time from the start to the end.
    pub fn length(&self) -> Span {
        self.end - self.start
    }
}

/// When the server asks the host to confirm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// Every booking is accepted immediately, so maitred would never see a pending one.
    Disabled,
    /// Every booking needs a confirmation.
    Always {
        /// Whether pending bookings block their slot for others.
        blocks_slot: bool,
    },
    /// Only bookings made at shorter notice than this need a confirmation; earlier ones are
    /// accepted immediately.
    ByNotice {
        /// The notice in words, such as `24 hours`.
        text: String,
    },
    /// The server does not show the setting, or maitred does not understand it.
    Unknown,
}

/// The time that an event type keeps free before and after each of its bookings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffers {
    /// The time before the start of a booking.
    pub before: Span,
    /// The time after the end of a booking.
    pub after: Span,
}

impl Buffers {
    /// No time before and after bookings.
    pub const NONE: Self = Self {
        before: Span::zero(),
        after: Span::zero(),
    };
}

/// An event type as the calendar describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType {
    /// The number of the event type at Cal.com.
    pub id: EventTypeId,
    /// The last part of the event type's public page.
    pub slug: String,
    /// The title that bookers see.
    pub title: String,
    /// The length of one booking in minutes.
    pub length_minutes: u32,
    /// The time that is kept free before and after each booking.
    pub buffers: Buffers,
    /// The price in the currency's smallest unit: the larger of the column and the payment apps'
    /// own price.
    pub price: i64,
    /// Whether several bookers can share one booking.
    pub seated: bool,
    /// Whether a booker can ask for a series of bookings.
    pub recurring: bool,
    /// When the server asks the host to confirm.
    pub confirmation: Confirmation,
    /// Whether a booker must verify the address with a code. `None` when the server does not show
    /// that.
    pub verifies_address: Option<bool>,
    /// The booking questions. `None` when the server does not show them.
    pub questions: Option<Vec<Question>>,
    /// Whether bookers cannot cancel a booking themselves.
    pub disables_cancelling: bool,
    /// Whether bookers cannot move a booking themselves.
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
    /// The type of the answers.
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
    /// A text.
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
    /// The booking as the server shows it.
    Found(Box<Booking>),
    /// The server has no such booking. In v1 the key may also lack access to it.
    Gone,
}

/// A booking with the instant at which it was read. The instant is taken before the call is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct TimestampedBooking {
    /// The booking as it was read.
    pub booking: Booking,
    /// When the booking was read, by the local clock.
    pub read_at: Time,
}
