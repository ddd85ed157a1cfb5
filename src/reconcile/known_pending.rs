//! A calendar in which only known bookings are pending. What is decided about a few bookings is then
//! decided by a pass's own observation and plan, so that there is no second way to evaluate.

use async_trait::async_trait;

use crate::calcom::port::{BookingFilter, BookingPage, Calendar, CallError, CurrentUser};
use crate::domain::booking::{Booking, BookingRef, EventType, Fetched};
use crate::domain::dialect::Dialect;
use crate::domain::id::{BookingUid, EventTypeId};
use crate::domain::time::{Span, Time};

/// A calendar in which only these bookings are pending. Everything else is read from the real one,
/// and nothing is sent.
pub(super) struct KnownPending<'a> {
    /// The real calendar.
    pub calendar: &'a dyn Calendar,
    /// The bookings that are pending.
    pub bookings: Vec<Booking>,
    /// The server's clock at the reading of the bookings, if it is known.
    pub server_time: Option<Time>,
}

#[async_trait]
impl Calendar for KnownPending<'_> {
    async fn current_user(&self) -> Result<CurrentUser, CallError> {
        self.calendar.current_user().await
    }

    async fn event_types(&self) -> Result<Vec<EventType>, CallError> {
        self.calendar.event_types().await
    }

    async fn event_type(&self, id: EventTypeId) -> Result<Option<EventType>, CallError> {
        self.calendar.event_type(id).await
    }

    async fn list(&self, select: &BookingFilter, page: u32) -> Result<BookingPage, CallError> {
        match select {
            BookingFilter::Pending => Ok(BookingPage {
                bookings: self.bookings.clone(),
                unreadable: Vec::new(),
                next: None,
                server_time: self.server_time,
            }),
            BookingFilter::Upcoming { .. }
            | BookingFilter::Past { .. }
            | BookingFilter::UpdatedSince(_)
            | BookingFilter::CreatedSince(_) => self.calendar.list(select, page).await,
        }
    }

    async fn get(&self, booking: &BookingRef) -> Result<Fetched, CallError> {
        self.calendar.get(booking).await
    }

    async fn series(&self, series: &BookingUid) -> Result<Option<Vec<Booking>>, CallError> {
        self.calendar.series(series).await
    }

    fn reads_before_acting(&self) -> bool {
        self.calendar.reads_before_acting()
    }

    fn names_successors(&self) -> bool {
        self.calendar.names_successors()
    }

    async fn confirm(&self, _: &BookingRef, _: Time) -> Result<Option<Fetched>, CallError> {
        Err(read_only_error())
    }

    async fn decline(
        &self,
        _: &BookingRef,
        _: &str,
        _: Time,
    ) -> Result<Option<Fetched>, CallError> {
        Err(read_only_error())
    }

    async fn cancel(&self, _: &BookingRef, _: &str, _: Time) -> Result<Option<Fetched>, CallError> {
        Err(read_only_error())
    }

    fn server(&self) -> String {
        self.calendar.server()
    }

    fn dialect(&self) -> Dialect {
        self.calendar.dialect()
    }

    fn clock_difference(&self) -> Option<Span> {
        self.calendar.clock_difference()
    }

    fn calls(&self) -> u64 {
        self.calendar.calls()
    }

    fn available_calls(&self) -> usize {
        self.calendar.available_calls()
    }
}

fn read_only_error() -> CallError {
    CallError::Refused("an evaluation sends nothing".to_owned())
}
