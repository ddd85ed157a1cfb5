//! The calendar as the pass needs it: a few reads, three writes. Implemented by the two dialects
//! and by the simulation. Errors are told apart by what can be done about them, not by status code.

use async_trait::async_trait;

use crate::domain::booking::{Booking, BookingRef, EventType, Fetched};
use crate::domain::id::{Address, BookingUid, EventTypeId, HostId};
use crate::domain::time::{Span, Time, format_instant};

/// Which of Cal.com's two languages the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The current one, with the header `cal-api-version: 2024-08-13`.
    V2,
    /// The one before it, which old self-hosted servers still speak. An accept through it sends no
    /// mail and makes no calendar entry.
    V1,
}

impl Dialect {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V1 => "v1",
        }
    }
}

/// Who the key acts as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentUser {
    pub id: HostId,
    pub username: Option<String>,
    pub address: Option<Address>,
    pub time_zone: Option<String>,
    /// v1: an administrator's key sees and may change everybody's bookings.
    pub admin: bool,
}

/// Which bookings a listing asks for. The rows' own status is what counts, whatever was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BookingFilter {
    /// Those that wait for an answer, oldest request first.
    Pending,
    /// Those not over yet that touch the window (accepted ones among them).
    Upcoming { from: Time, to: Time },
    /// Those over that touch the window (absences are marked on these).
    Past { from: Time, to: Time },
    /// Every state, written since. Never complete on its own (`calcom/api.md` 2.5).
    UpdatedSince(Time),
    /// Every state, made since. Shows what was accepted at once: that has no time of writing, so the
    /// listing by it never does.
    CreatedSince(Time),
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct BookingPage {
    pub bookings: Vec<Booking>,
    /// Rows that could not be read as bookings: where (`data[3].start`) and why. They are left
    /// alone.
    pub unreadable: Vec<String>,
    /// Ask for this page number next (from 0); `None` at the end.
    pub next: Option<u32>,
    /// The server's own clock when it answered, for the skew check.
    pub server_time: Option<Time>,
}

/// Why a call gave no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The credential is refused: stop, whatever else was planned.
    #[error("Cal.com refused the API key: {0}")]
    Credential(String),
    /// This booking is not the key's to answer; others may be.
    #[error("Cal.com does not let this key act on the booking: {0}")]
    NotPermitted(String),
    /// The rate limit is used up; nothing may be sent before the instant.
    #[error("Cal.com's rate limit is used up until {}", format_instant(*until))]
    RateLimited { until: Time },
    /// Its turn would have come after the deadline; nothing was sent.
    #[error("the call's turn did not come in time")]
    TooLate,
    /// Could not be reached: no connection was made, so nothing was done.
    #[error("Cal.com cannot be reached: {0}")]
    Unreachable(String),
    /// The request may or may not have been carried out: read the booking to know.
    #[error("Cal.com gave no usable answer: {0}")]
    Unknown(String),
    /// The server itself answered that it failed, so the call is over; what it did before that is not
    /// known: read the booking.
    #[error("Cal.com failed to carry out the call: {0}")]
    Failed(String),
    /// The answer is larger than what is read. Whether a write was carried out is not known.
    #[error("Cal.com's answer is too large: {why}")]
    TooLarge {
        why: String,
        /// Whether it begins as a list of rows does, so that smaller parts of the list may be readable.
        has_rows: bool,
    },
    /// The server understood and said no (4xx other than the above). Read the booking to know why.
    #[error("Cal.com refused the call: {0}")]
    Refused(String),
    /// The server speaks another contract than the one configured.
    #[error("Cal.com answered in another shape than the dialect expects: {0}")]
    Contract(String),
}

/// The calendar. Texts in errors are redacted already: no key, no address, no control characters.
#[async_trait]
pub trait Calendar: Send + Sync {
    /// Who the key acts as.
    async fn current_user(&self) -> Result<CurrentUser, CallError>;

    /// The event types of the key's user.
    async fn event_types(&self) -> Result<Vec<EventType>, CallError>;

    /// One event type by number, also a team's; `None` when there is none or it may not be seen.
    async fn event_type(&self, id: EventTypeId) -> Result<Option<EventType>, CallError>;

    /// One page of a listing, from page 0.
    async fn list(&self, filter: &BookingFilter, page: u32) -> Result<BookingPage, CallError>;

    /// One booking.
    async fn get(&self, booking: &BookingRef) -> Result<Fetched, CallError>;

    /// All occurrences of a series, whatever their state; empty when there is none, `None` where
    /// the dialect cannot ask (v1).
    async fn series(&self, series: &BookingUid) -> Result<Option<Vec<Booking>>, CallError>;

    /// Whether `confirm`, `decline` and `cancel` read the booking themselves right before they
    /// change it, and leave it alone unless it is pending, or for `cancel` accepted (v1: nothing
    /// there checks a state). What they return is then that reading.
    fn reads_before_acting(&self) -> bool;

    /// Whether a booking that was moved names the one it was moved to (v2, but for occurrences of a
    /// series). Where it does not (v1), only the successor names what it replaced.
    fn names_successors(&self) -> bool;

    /// Confirms, unless the call could only be sent after the deadline. The reading is of the
    /// booking after the call where the server gave one; `None` when it said yes without showing
    /// it.
    async fn confirm(
        &self,
        booking: &BookingRef,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError>;

    /// Declines with a reason for the booker.
    async fn decline(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError>;

    /// Cancels with a reason for the booker.
    async fn cancel(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError>;

    /// The server: its host, port and path prefix, without the scheme.
    fn server(&self) -> String;

    fn dialect(&self) -> Dialect;

    /// How far the server's clock is ahead of the local one (negative: behind), as its last answer
    /// showed; zero within a second. `None` when no answer has shown its time.
    fn clock_difference(&self) -> Option<Span>;

    /// Calls sent so far, for the report of a pass.
    fn calls(&self) -> u64;

    /// How many calls could be sent now without waiting for the budget, at most.
    fn available_calls(&self) -> usize;
}

/// The server tells its clock in whole seconds.
const CLOCK_RESOLUTION: Span = Span::seconds(1);

/// How far the server's clock is ahead of the local one (negative: behind), which was read before
/// the call and after its answer.
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
