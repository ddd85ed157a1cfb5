//! The actions of other people as values, in the form that scenario files, scripts and the control
//! endpoint use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::new_booking::{BookingNames, NewBooking};
use super::relative_time::RelativeTime;
use crate::domain::time::{Span, Time};

/// One action of a person other than maitred's operator. Bookings are named by uid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "do",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
#[serde(deny_unknown_fields)]
pub enum ThirdPartyAction {
    /// The booker cancels by the link in the mail, which records the booker's address.
    BookerCancels(BookingRemark),
    /// The host cancels on the web page, which records the host's address.
    HostCancels(BookingRemark),
    /// A client cancels through the API, which records no address.
    ApiCancels(BookingRemark),
    /// The booker moves the booking: a new booking, pending where the event type asks for
    /// confirmation.
    BookerMoves(BookingMove),
    /// The host moves the booking: a new booking, accepted immediately.
    HostMoves(BookingMove),
    /// The host asks for another time: the booking is cancelled, and there is no successor yet.
    HostAsksToMove(BookingRemark),
    /// The host accepts the booking by hand.
    HostAccepts {
        /// The booking's uid.
        booking: String,
    },
    /// The host declines the booking by hand.
    HostRejects(BookingRemark),
    /// Marks an attendee absent, or removes the mark. `updatedAt` stays as it was.
    AttendeeAbsent {
        /// The booking's uid.
        booking: String,
        /// The attendee's address.
        email: String,
        /// False removes the mark.
        #[serde(default = "default_true")]
        absent: bool,
    },
    /// Marks the host absent, or removes the mark. The API allows this with any valid key.
    HostAbsent {
        /// The booking's uid.
        booking: String,
        /// False removes the mark.
        #[serde(default = "default_true")]
        absent: bool,
    },
    /// Cancels this occurrence and the later ones; the earlier ones stay.
    SeriesCancels(BookingRemark),
    /// The booker pays, so the payment is no longer open.
    Pays {
        /// The booking's uid.
        booking: String,
    },
    /// A new booking, or a series of them.
    Requests(Box<NewBookingFile>),
    /// The booking's row is deleted.
    DeletesBooking {
        /// The booking's uid.
        booking: String,
    },
    /// The event type is deleted; its bookings stay, without an event type.
    DeletesEventType {
        /// The event type's number.
        event_type: i64,
    },
    /// One attendee of a seated booking gives up the seat.
    LeavesSeat {
        /// The booking's uid.
        booking: String,
        /// The attendee's address.
        email: String,
    },
    /// Locks or unlocks an account, as v1's limiter or an administrator does.
    LocksAccount {
        /// The account's number.
        user: i64,
        /// False unlocks the account.
        #[serde(default = "default_true")]
        locked: bool,
    },
    /// Sets the clock forward (or back).
    Advances {
        /// How many seconds the clock is set forward; negative: back.
        seconds: i64,
    },
}

/// A booking and the reason that a person gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BookingRemark {
    /// The booking's uid.
    pub booking: String,
    /// The reason; `None` if no reason was given.
    #[serde(default)]
    pub reason: Option<String>,
    /// The address that is recorded in place of the true one. It is an unchecked parameter of
    /// Cal.com's public pages.
    #[serde(default)]
    pub by: Option<String>,
}

impl BookingRemark {
    /// Returns a remark about this booking, without a reason.
    pub fn without_reason(booking: &str) -> Self {
        BookingRemark {
            booking: booking.to_owned(),
            reason: None,
            by: None,
        }
    }
}

/// A booking and the time that the booking is moved to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BookingMove {
    /// The uid of the booking that is moved.
    pub booking: String,
    /// When the new booking starts.
    pub start: RelativeTime,
    /// The reason; `None` if no reason was given.
    #[serde(default)]
    pub reason: Option<String>,
    /// The new booking's uid, for later actions that name the booking.
    #[serde(default)]
    pub uid: Option<String>,
    /// The address that is recorded in place of the true one. With the host's address, Cal.com
    /// treats the move as the host's.
    #[serde(default)]
    pub by: Option<String>,
}

impl BookingMove {
    /// Returns a move without a reason, recorded with the true address.
    pub fn new(booking: &str, start: impl Into<RelativeTime>) -> Self {
        BookingMove {
            booking: booking.to_owned(),
            start: start.into(),
            reason: None,
            uid: None,
            by: None,
        }
    }
}

fn default_true() -> bool {
    true
}

/// The new booking that `ThirdPartyAction::Requests` asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NewBookingFile {
    /// The number of the event type.
    pub event_type: i64,
    /// The booker's address.
    pub email: String,
    /// When the booking, or the first occurrence, starts.
    pub start: RelativeTime,
    /// The booker's name; `None`: the first part of the address.
    #[serde(default)]
    pub name: Option<String>,
    /// The booker's time zone; `None`: the default of `NewBooking::new`.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// The booker's language; `None`: the default of `NewBooking::new`.
    #[serde(default)]
    pub language: Option<String>,
    /// The length in minutes; `None`: as long as the event type says.
    #[serde(default)]
    pub minutes: Option<u32>,
    /// The addresses of extra guests.
    #[serde(default)]
    pub guests: Vec<String>,
    /// The answers to the event type's questions, by slug.
    #[serde(default)]
    pub answers: BTreeMap<String, Value>,
    /// Metadata of the client that made the booking.
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
    /// How many occurrences; `None` for a booking that is not a series.
    #[serde(default)]
    pub occurrences: Option<usize>,
    /// The names of the rows, for later actions that name the rows.
    #[serde(default)]
    pub names: Option<BookingNamesFile>,
}

/// `BookingNames` as files write them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BookingNamesFile {
    /// The numeric id; in a series, the id of the first occurrence.
    #[serde(default)]
    pub id: Option<i64>,
    /// One uid for each occurrence, by start.
    #[serde(default)]
    pub uids: Vec<String>,
    /// The name of the series.
    #[serde(default)]
    pub series: Option<String>,
}

impl From<BookingNamesFile> for BookingNames {
    fn from(file: BookingNamesFile) -> Self {
        BookingNames {
            id: file.id,
            uids: file.uids,
            series: file.series,
        }
    }
}

impl NewBookingFile {
    /// Returns the new booking, with its start counted from `now`.
    pub fn into_new_booking(self, now: Time) -> NewBooking {
        let file = self;
        let mut new_booking =
            NewBooking::new(file.event_type, &file.email, file.start.resolve(now));
        new_booking.name = file.name.unwrap_or(new_booking.name);
        new_booking.time_zone = file.time_zone.unwrap_or(new_booking.time_zone);
        new_booking.language = file.language.unwrap_or(new_booking.language);
        new_booking.length = file
            .minutes
            .map(|minutes| Span::minutes(i64::from(minutes)));
        new_booking.guests = file.guests;
        new_booking.answers = file.answers;
        new_booking.metadata = file.metadata;
        new_booking.occurrences = file.occurrences;
        new_booking.names = file.names.unwrap_or_default().into();
        new_booking
    }
}
