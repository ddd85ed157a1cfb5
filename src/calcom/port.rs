//! The calendar as the pass needs it: a few reads and three writes. The two dialects and the
//! simulation implement it. Errors are distinguished by what can be done about them, not by status
//! code.

use async_trait::async_trait;

use crate::domain::booking::{Booking, BookingRef, EventType, Fetched};
use crate::domain::dialect::Dialect;
use crate::domain::id::{Address, BookingUid, EventTypeId, HostId};
use crate::domain::time::{Span, Time, format_instant};

/// The user that the key acts as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentUser {
    /// The user's id at Cal.com.
    pub id: HostId,
    /// The name in the user's booking links; `None` if the user has set none.
    pub username: Option<String>,
    /// The user's e-mail address; `None` if the answer holds no readable address.
    pub address: Option<Address>,
    /// The IANA name of the user's time zone; `None` if the answer names none.
    pub time_zone: Option<String>,
    /// Whether the user is an administrator (v1). Such a key sees and may change the bookings of
    /// all users.
    pub admin: bool,
}

/// The bookings that a listing asks for. Each row's own status counts, whatever was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BookingFilter {
    /// Bookings that wait for an answer, oldest request first.
    Pending,
    /// Bookings that are not over yet and touch the window, accepted ones among them.
    Upcoming {
        /// The start of the window.
        from: Time,
        /// The end of the window.
        to: Time,
    },
    /// Bookings that are over and touch the window. Absences are marked on these.
    Past {
        /// The start of the window.
        from: Time,
        /// The end of the window.
        to: Time,
    },
    /// Bookings in every state that were written since the instant. Never complete on its own
    /// (`calcom/api.md` 2.5).
    UpdatedSince(Time),
    /// Bookings in every state that were created since the instant. Includes bookings that were
    /// accepted immediately: these have no time of writing, so a listing by time of writing never
    /// shows them.
    CreatedSince(Time),
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct BookingPage {
    /// The rows that could be read, in the server's order.
    pub bookings: Vec<Booking>,
    /// Rows that could not be read as bookings: the place (`data[3].start`) and the reason. They
    /// are left alone.
    pub unreadable: Vec<String>,
    /// The number of the page to ask for next, counted from 0; `None` at the end.
    pub next: Option<u32>,
    /// The server's own clock when it answered, for the skew check.
    pub server_time: Option<Time>,
}

/// Why a call gave no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The server refuses the credential: stop, whatever else was planned.
    #[error("Cal.com refused the API key: {0}")]
    Credential(String),
    /// The key may not act on this booking; it may be allowed to act on others.
    #[error("Cal.com does not let this key act on the booking: {0}")]
    NotPermitted(String),
    /// The rate limit is used up; no call may be sent before the instant.
    #[error("Cal.com's rate limit is used up until {}", format_instant(*until))]
    RateLimited {
        /// When calls may be sent again.
        until: Time,
    },
    /// The call could not be sent before its deadline; nothing was sent.
    #[error("the call's turn did not come in time")]
    TooLate,
    /// The server could not be reached: no connection was made, so nothing was done.
    #[error("Cal.com cannot be reached: {0}")]
    Unreachable(String),
    /// The request may or may not have been carried out: read the booking to know.
    #[error("Cal.com gave no usable answer: {0}")]
    Unknown(String),
    /// The server itself answered that it failed, so the call is over. What the server did before
    /// it failed is not known: read the booking.
    #[error("Cal.com failed to carry out the call: {0}")]
    Failed(String),
    /// The answer is larger than the client accepts. Whether a write was carried out is not known.
    #[error("Cal.com's answer is too large: {why}")]
    TooLarge {
        /// Which limit the answer exceeds.
        why: String,
        /// Whether the body begins like a list of rows. If so, smaller parts of the list may be
        /// readable.
        has_rows: bool,
    },
    /// The server understood the call and refused it (4xx other than the above). Read the booking
    /// to know why.
    #[error("Cal.com refused the call: {0}")]
    Refused(String),
    /// The server speaks another contract than the configured one.
    #[error("Cal.com answered in another shape than the dialect expects: {0}")]
    Contract(String),
}

impl CallError {
    /// Returns true if a pass should try no further call with this key.
    pub fn is_fatal_for_pass(&self) -> bool {
        match self {
            Self::Credential(_) | Self::RateLimited { .. } => true,
            Self::NotPermitted(_)
            | Self::TooLate
            | Self::Unreachable(_)
            | Self::Unknown(_)
            | Self::Failed(_)
            | Self::TooLarge { .. }
            | Self::Refused(_)
            | Self::Contract(_) => false,
        }
    }
}

/// The calendar. Texts in errors are already redacted: they hold no key, no address and no control
/// characters.
#[async_trait]
pub trait Calendar: Send + Sync {
    /// Returns the user that the key acts as.
    async fn current_user(&self) -> Result<CurrentUser, CallError>;

    /// Returns the event types of the key's user.
    async fn event_types(&self) -> Result<Vec<EventType>, CallError>;

    /// Returns one event type by its number, also a team's; `None` if there is none or the key may
    /// not see it.
    async fn event_type(&self, id: EventTypeId) -> Result<Option<EventType>, CallError>;

    /// Returns one page of a listing; pages count from 0.
    async fn list(&self, filter: &BookingFilter, page: u32) -> Result<BookingPage, CallError>;

    /// Reads one booking.
    async fn get(&self, booking: &BookingRef) -> Result<Fetched, CallError>;

    /// Returns all occurrences of a series, whatever their state. The list is empty if there is no
    /// such series; `None` where the dialect cannot ask (v1).
    async fn series(&self, series: &BookingUid) -> Result<Option<Vec<Booking>>, CallError>;

    /// Returns whether `confirm`, `decline` and `cancel` themselves read the booking right before
    /// they change it, and leave the booking alone unless it is pending or, for `cancel`, accepted.
    /// The v1 client does so because the server checks no state. If the booking is left alone, the
    /// call returns that reading.
    fn reads_before_acting(&self) -> bool;

    /// Returns whether a rescheduled booking names its successor (v2, except for occurrences of a
    /// series). In a dialect that does not (v1), only the successor names its predecessor.
    fn names_successors(&self) -> bool;

    /// Confirms the booking, unless the call could only be sent after the deadline. Returns the
    /// booking as read after the call, or `None` if the server reported success without showing the
    /// booking.
    async fn confirm(
        &self,
        booking: &BookingRef,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError>;

    /// Declines the booking with a reason for the booker.
    async fn decline(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError>;

    /// Cancels the booking with a reason for the booker.
    async fn cancel(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError>;

    /// Returns the server: its host, port and path prefix, without the scheme.
    fn server(&self) -> String;

    /// Returns the version of the API that the calendar speaks.
    fn dialect(&self) -> Dialect;

    /// Returns how far the server's clock is ahead of the local one (negative: behind), according
    /// to its last answer; zero if the clocks agree within a second. `None` if no answer has stated
    /// the server's time.
    fn clock_difference(&self) -> Option<Span>;

    /// Returns the number of calls sent so far, for the report of a pass.
    fn calls(&self) -> u64;

    /// Returns how many calls could be sent now, at most, without waiting for the budget.
    fn available_calls(&self) -> usize;
}

/// The resolution of the server's clock, which is stated in whole seconds.
const CLOCK_RESOLUTION: Span = Span::seconds(1);

/// Returns how far the server's clock is ahead of the local one (negative: behind). The local clock
/// was read before the call and after its answer.
pub fn clock_difference(server: Time, (before, after): (Time, Time)) -> Span {
    let behind = before - CLOCK_RESOLUTION - server;
    let ahead = server - after;
    if ahead > Span::zero() {
        ahead
    } else if behind > Span::zero() {
        -behind
    } else {
        Span::zero()
    }
}
