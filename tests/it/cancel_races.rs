//! An operator acts while a watch decides to cancel an accepted booking: the watch reads the ledger,
//! asks Cal.com, and writes the decision only if the ledger still is what it read.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use maitred::calcom::port::{BookingFilter, BookingPage, Calendar, CallError, CurrentUser};
use maitred::daemon::commands::{charges, unresolved};
use maitred::domain::booking::{Booking, BookingRef, EventType, Fetched};
use maitred::domain::dialect::Dialect;
use maitred::domain::id::{BookingUid, EventTypeId};
use maitred::domain::refund_policy::OnRevived;
use maitred::domain::time::{Span, Time};
use maitred::sandbox::call_log::Operation;
use maitred::store::port::Maintenance;
use maitred::store::store_thread::StoreHandle;

use crate::fixture::pass_fixture::PassFixture;
use crate::fixture::steps::{BO, START, call_count, change_terms};

/// What an operator does.
type OperatorAction = Box<dyn FnOnce(&mut dyn Maintenance) + Send>;

/// A calendar in front of which an operator acts once, right before a booking is read.
struct InterruptedCalendar {
    inner: Arc<dyn Calendar>,
    store: StoreHandle,
    action: Mutex<Option<OperatorAction>>,
}

#[async_trait]
impl Calendar for InterruptedCalendar {
    async fn get(&self, booking: &BookingRef) -> Result<Fetched, CallError> {
        let action = self.action.lock().unwrap().take();
        if let Some(action) = action {
            self.store.maintain(action).await;
        }
        self.inner.get(booking).await
    }

    async fn current_user(&self) -> Result<CurrentUser, CallError> {
        self.inner.current_user().await
    }

    async fn event_types(&self) -> Result<Vec<EventType>, CallError> {
        self.inner.event_types().await
    }

    async fn event_type(&self, id: EventTypeId) -> Result<Option<EventType>, CallError> {
        self.inner.event_type(id).await
    }

    async fn list(&self, select: &BookingFilter, page: u32) -> Result<BookingPage, CallError> {
        self.inner.list(select, page).await
    }

    async fn series(&self, series: &BookingUid) -> Result<Option<Vec<Booking>>, CallError> {
        self.inner.series(series).await
    }

    fn names_successors(&self) -> bool {
        self.inner.names_successors()
    }

    fn server(&self) -> String {
        self.inner.server()
    }

    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    fn clock_difference(&self) -> Option<Span> {
        self.inner.clock_difference()
    }

    fn reads_before_acting(&self) -> bool {
        self.inner.reads_before_acting()
    }

    async fn confirm(&self, booking: &BookingRef, at: Time) -> Result<Option<Fetched>, CallError> {
        self.inner.confirm(booking, at).await
    }

    async fn decline(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        self.inner.decline(booking, reason, deadline).await
    }

    async fn cancel(
        &self,
        booking: &BookingRef,
        reason: &str,
        deadline: Time,
    ) -> Result<Option<Fetched>, CallError> {
        self.inner.cancel(booking, reason, deadline).await
    }

    fn calls(&self) -> u64 {
        self.inner.calls()
    }

    fn available_calls(&self) -> usize {
        self.inner.available_calls()
    }
}

/// Returns a fixture with a lesson of Bo's that was paid, and is accepted although it was cancelled.
async fn revived_fixture() -> (PassFixture, String) {
    let mut fixture = PassFixture::new(Dialect::V2).await;
    fixture.grant(BO, 5).await;
    fixture.clock.advance(Span::minutes(5));
    let uid = fixture.request(fixture.event_types.lesson, BO, START);
    fixture.pass().await;
    assert_eq!(fixture.status(&uid), "accepted");
    fixture.watch(true).await;
    // The booking is on the unresolved list first, where an operator can resolve it.
    change_terms(&mut fixture, |terms| terms.on_revived = OnRevived::Report);
    let cancelled = |row: &mut maitred::sandbox::booking::SandboxBooking| {
        row.cancelled_by = Some(BO.to_owned());
    };
    fixture.sandbox.lock().edit(&uid, cancelled).unwrap();
    fixture.watch(true).await;
    change_terms(&mut fixture, |terms| terms.on_revived = OnRevived::Cancel);
    (fixture, uid)
}

fn interrupt(fixture: &mut PassFixture, action: OperatorAction) {
    let calendar = InterruptedCalendar {
        inner: Arc::clone(&fixture.calendar),
        store: fixture.store.clone(),
        action: Mutex::new(Some(action)),
    };
    fixture.calendar = Arc::new(calendar);
}

#[tokio::test]
async fn a_booking_is_not_cancelled_on_records_that_an_operator_has_changed_meanwhile() {
    for settles in [true, false] {
        let (mut fixture, uid) = revived_fixture().await;
        let (policy, now, booking) = (fixture.policy.clone(), fixture.clock.now(), uid.clone());
        let action: OperatorAction = if settles {
            Box::new(move |store| {
                charges::settle(store, &policy, now, &booking, false).expect("it is open");
            })
        } else {
            Box::new(move |store| {
                let code = Some("revived");
                unresolved::resolve(store, now, &booking, code, "it takes place").expect("a note");
            })
        };
        interrupt(&mut fixture, action);
        let watched = fixture.watch(true).await;
        assert_eq!(fixture.status(&uid), "accepted", "{settles}: {watched:?}");
        assert_eq!(call_count(&fixture, Operation::Cancel), 0, "{settles}");
        // The next watch decides on the records as they are now: a charge that was settled does not
        // say that the booking takes place, and an item that was resolved does.
        fixture.watch(true).await;
        let expect = if settles { "cancelled" } else { "accepted" };
        assert_eq!(fixture.status(&uid), expect, "{settles}");
    }
    // Without an operator the booking is cancelled.
    let (mut fixture, uid) = revived_fixture().await;
    interrupt(&mut fixture, Box::new(|_| {}));
    fixture.watch(true).await;
    assert_eq!(fixture.status(&uid), "cancelled");
}
