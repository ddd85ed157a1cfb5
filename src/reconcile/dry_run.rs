//! The outside world of a dry run: the same reads, and writes that have no effect. Code that runs
//! with these ports cannot write, so a dry run is the same code as the real run and cannot differ
//! from it.

use async_trait::async_trait;

use super::context::Ports;
use crate::calcom::port::{BookingFilter, BookingPage, Calendar, CallError, CurrentUser};
use crate::domain::booking::{Booking, BookingRef, BookingStatus, EventType, Fetched};
use crate::domain::dialect::Dialect;
use crate::domain::id::{BookingUid, EventTypeId};
use crate::domain::time::{Span, Time};
use crate::store::store_thread::StoreHandle;

/// The calendar and the store that a dry run uses in place of the real ones.
pub(super) struct DryRun<'a> {
    calendar: DryCalendar<'a>,
    store: StoreHandle,
}

impl<'a> DryRun<'a> {
    pub(super) fn new(ports: &Ports<'a>) -> Self {
        Self {
            calendar: DryCalendar {
                real: ports.calendar,
            },
            store: ports.store.scratch_handle(),
        }
    }

    /// Returns the ports of the dry run. The clock, the lookups and the stop signal are the real
    /// ones.
    pub(super) fn ports<'b>(&'b self, ports: &Ports<'b>) -> Ports<'b> {
        Ports {
            calendar: &self.calendar,
            store: &self.store,
            ..*ports
        }
    }
}

/// A calendar that reads from the real calendar, and answers writes as if they had been carried
/// out.
struct DryCalendar<'a> {
    real: &'a dyn Calendar,
}

impl DryCalendar<'_> {
    /// Returns the booking as the call would leave it.
    async fn simulate_call(
        &self,
        booking: &BookingRef,
        status: BookingStatus,
    ) -> Result<Option<Fetched>, CallError> {
        Ok(Some(match self.real.get(booking).await? {
            Fetched::Found(mut booking) => {
                booking.status = status;
                Fetched::Found(booking)
            }
            Fetched::Gone => Fetched::Gone,
        }))
    }
}

#[async_trait]
impl Calendar for DryCalendar<'_> {
    async fn current_user(&self) -> Result<CurrentUser, CallError> {
        self.real.current_user().await
    }

    async fn event_types(&self) -> Result<Vec<EventType>, CallError> {
        self.real.event_types().await
    }

    async fn event_type(&self, id: EventTypeId) -> Result<Option<EventType>, CallError> {
        self.real.event_type(id).await
    }

    async fn list(&self, select: &BookingFilter, page: u32) -> Result<BookingPage, CallError> {
        self.real.list(select, page).await
    }

    async fn get(&self, booking: &BookingRef) -> Result<Fetched, CallError> {
        self.real.get(booking).await
    }

    async fn series(&self, series: &BookingUid) -> Result<Option<Vec<Booking>>, CallError> {
        self.real.series(series).await
    }

    fn reads_before_acting(&self) -> bool {
        self.real.reads_before_acting()
    }

    fn names_successors(&self) -> bool {
        self.real.names_successors()
    }

    async fn confirm(
        &self,
        booking: &BookingRef,
        _deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        self.simulate_call(booking, BookingStatus::Accepted).await
    }

    async fn decline(
        &self,
        booking: &BookingRef,
        _reason: &str,
        _deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        self.simulate_call(booking, BookingStatus::Rejected).await
    }

    async fn cancel(
        &self,
        booking: &BookingRef,
        _reason: &str,
        _deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        self.simulate_call(booking, BookingStatus::Cancelled).await
    }

    fn server(&self) -> String {
        self.real.server()
    }

    fn dialect(&self) -> Dialect {
        self.real.dialect()
    }

    fn clock_difference(&self) -> Option<Span> {
        self.real.clock_difference()
    }

    fn calls(&self) -> u64 {
        self.real.calls()
    }

    fn available_calls(&self) -> usize {
        self.real.available_calls()
    }
}
